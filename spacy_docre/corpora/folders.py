"""Writing corpora: formats of one file, or of one or a few files a document."""

import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from spacy.tokens import Doc

from ..data.clusters import describe
from ..errors import DocreError, Errors
from ..files import displayed, replacing
from ..folders import regular_files
from .report import ConversionReport

# What no file system, or not each, takes in a name, and the sign of the escapes itself; and the
# first letter of what Windows takes for a device, in any folder and with any suffix.
UNSAFE = re.compile(
    r"""[%/\\:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029]|^\.|[. ]$"""
    r"|^(?i:(?=(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$))).",
)
MAX_BYTES = 200


def file_stem(title: str) -> str:
    """A title as a file's name without suffix; `title_of` gives the title back.

    title (str): The title.
    RETURNS (str): The name; what is not allowed in one is percent-encoded, as in addresses.
    """
    return UNSAFE.sub(lambda match: "".join(f"%{b:02X}" for b in match[0].encode()), title)


def title_of(path: Path, folder: Path | None = None) -> str:
    """The title that a file is named for.

    path (Path): The file.
    folder (Optional[Path]): The folder of the corpus; names of subfolders are part of the title.
    RETURNS (str): The title; bytes of the name that are not UTF-8 are escapes.
    """
    parent = path.parent.relative_to(folder) if folder else Path()
    name = unquote((parent / path.stem).as_posix())
    return name.encode("utf8", "backslashreplace").decode("utf8")


def corpus_files(folder: Path, suffixes: Collection[str], report: ConversionReport) -> list[Path]:
    """The files of a corpus in a folder and its subfolders. Only regular files are read: a link may
    lead elsewhere, and a pipe may never end.

    folder (Path): The folder.
    suffixes (Collection[str]): What their names end in.
    report (ConversionReport): Counts what is skipped.
    RETURNS (list[Path]): The files, in the order of their names.
    """
    content = regular_files(folder)
    for what, n in content.skipped.items():
        report.count(f"{what} in the folder, skipped", displayed(folder), n)
    for error in content.unreadable:
        report.count("folders that cannot be read, skipped", displayed(error.filename))
    files = [path for path in content.files if path.suffix in suffixes]
    others = len(content.files) - len(files)
    report.count("files of other kinds in the folder, skipped", displayed(folder), others)
    undecodable = [path for path in files if not _is_utf8(path)]
    for path in undecodable:
        report.count("file names that are not UTF-8, with escapes in titles", displayed(path))
    return files


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


class DocumentFolder:
    """A folder that documents are written to.

    path (Path): The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, doc: Doc, contents: Mapping[str, str]) -> None:
        """Write the files of a document.

        doc (Doc): The document, whose title names the files.
        contents (Mapping[str, str]): The content of the file of each suffix (".json").
        RAISES (DocreError): If there is no such file name, or it is another document's.
        """
        stem = file_stem(doc.user_data.get("title") or "")
        reason = None
        if not stem:
            reason = "it has no title (`doc.user_data['title']`) to name the file by"
        elif len(stem.encode("utf8")) > MAX_BYTES:
            reason = "its title is too long for the name of a file"
        # The file system knows best which names are the same to it.
        elif any((self.path / f"{stem}{suffix}").exists() for suffix in contents):
            reason = "another document has the same title"
        if reason:
            raise DocreError(Errors.D075.format(doc=describe(doc), reason=reason))
        for suffix, content in contents.items():
            (self.path / f"{stem}{suffix}").write_bytes(content.encode("utf8"))


@contextmanager
def new_folder(path: str | Path) -> Iterator[DocumentFolder]:
    """Write a folder as a whole or not at all: the block writes to a folder beside it, which takes
    its place when the block ends, and is removed if it fails.

    path (Union[str, Path]): The folder, which must be empty if it exists.
    YIELDS (DocumentFolder): What to write with.
    RAISES (DocreError): If there is something at the path already.
    """
    path = Path(path).resolve()
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise DocreError(Errors.D076.format(path=path))
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True)
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        yield DocumentFolder(draft)
        if path.exists():
            path.rmdir()
        draft.replace(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_folder(
    docs: Iterable[Doc], path: str | Path, files: Callable[[Doc], Mapping[str, str]]
) -> int:
    """Write documents to a folder, as a whole or not at all.

    docs (Iterable[Doc]): The documents, whose titles name the files.
    path (Union[str, Path]): The folder, which must be empty if it exists.
    files (Callable): The content of the file of each suffix (".json") of a document.
    RETURNS (int): How many documents there are.
    RAISES (DocreError): If there is something at the path already, or no name for a file.
    """
    n_docs = 0
    with new_folder(path) as folder:
        for doc in docs:
            folder.write(doc, files(doc))
            n_docs += 1
    return n_docs


def write_file(
    docs: Iterable[Doc],
    path: str | Path,
    text: Callable[[Doc], str],
    *,
    start: str = "",
    between: str = "",
    end: str = "",
) -> int:
    """Write documents to a file, as a whole or not at all.

    docs (Iterable[Doc]): The documents.
    path (Union[str, Path]): The file.
    text (Callable[[Doc], str]): What is written of a document.
    start (str): What comes before the documents.
    between (str): What comes between them.
    end (str): What comes after them.
    RETURNS (int): How many documents there are.
    """
    n_docs = 0
    with replacing(path) as draft, draft.open("w", encoding="utf8", newline="") as file:
        file.write(start)
        for doc in docs:
            file.write(between * bool(n_docs) + text(doc))
            n_docs += 1
        file.write(end)
    return n_docs
