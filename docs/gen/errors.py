"""The messages of errors and warnings, by their codes."""

from spacy_docre.errors import Errors, Warnings


def page() -> str:
    """The page."""
    parts = [
        "# Error codes",
        "Every error of this package is a `DocreError` with one of these codes, every warning a "
        "`UserWarning`. Words in braces stand for what the message names: the document, the file, "
        "the setting.",
    ]
    for title, codes in (("Errors", Errors), ("Warnings", Warnings)):
        parts.append(f"## {title}")
        for code in sorted(name for name in vars(codes) if name[:1] == "D"):
            message = getattr(codes, code).partition("] ")[2]
            parts.append(f"### {code}\n\n```text\n{message}\n```")
    return "\n\n".join(parts) + "\n"
