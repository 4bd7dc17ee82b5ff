"""What bytes are that are not a text in UTF-8."""

import codecs

# Marks at the beginning of a file that is not UTF-8; the first that fits is right.
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
UNPACK = "unpack it first"
EXTRACT = "extract its text first"
# What other files begin with, and what to do with them.
KINDS = {
    b"\x1f\x8b": ("compressed (gzip)", UNPACK),
    b"BZh": ("compressed (bzip2)", UNPACK),
    b"\xfd7zXZ\0": ("compressed (xz)", UNPACK),
    b"\x28\xb5\x2f\xfd": ("compressed (zstd)", UNPACK),
    b"PK\x03\x04": ("a ZIP archive or an Office document", "unpack it, or extract its text, first"),
    b"\xd0\xcf\x11\xe0": ("an old Office document", EXTRACT),
    b"%PDF-": ("a PDF", EXTRACT),
    b"{\\rtf": ("RTF", EXTRACT),
    b"version https://git-lfs.": ("a pointer of Git LFS", "fetch the file with `git lfs pull`"),
}


def encoding_of(data: bytes) -> str | None:
    """Which encoding other than UTF-8 a text is in, if that shows.

    data (bytes): Its first bytes.
    RETURNS (Optional[str]): The encoding; None if it does not show.
    """
    for mark, name in MARKS.items():
        if data.startswith(mark):
            return name
    # Without a mark: each second byte of UTF-16 is 0 where the text is Latin.
    start = data[:4096]
    if 3 * start.count(0) > len(start) > 1:
        return "UTF-16LE" if start[1::2].count(0) > start[::2].count(0) else "UTF-16BE"
    return None


def kind_of(data: bytes) -> tuple[str, str] | None:
    """What kind of file it is that is no text.

    data (bytes): Its first bytes.
    RETURNS (Optional[tuple[str, str]]): The kind, and what to do with it; None if it is none of
        those that are known.
    """
    return next((kind for start, kind in KINDS.items() if data.startswith(start)), None)


def why_no_document(data: bytes) -> str | None:
    """Why a file holds no document to annotate, as far as that shows.

    data (bytes): Its first bytes.
    RETURNS (Optional[str]): The reason, and what to do; None if it may hold one.
    """
    kind, encoding = kind_of(data), encoding_of(data)
    if kind:
        return f"not a text but {kind[0]}: {kind[1]}"
    if encoding:
        return f"encoded in {encoding}, not in UTF-8: `iconv -f {encoding} -t UTF-8` converts it"
    is_page = data.lstrip()[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml"))
    return f"HTML or XML, not a text: {EXTRACT}" if is_page else None
