"""What XML can hold of documents, and what it may say of itself."""

import re

from spacy.tokens import Doc

from ..data.clusters import describe
from ..errors import DocreError, Errors
from .mentions import GivenDocument

# Not even as escapes: XML 1.0, section 2.2.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# What stands before everything else, and may say that the file is in another encoding.
DECLARATION = re.compile(r"\A<\?xml\s.*?\?>", re.DOTALL)
# What can make a file unfold without end, or have others read.
ENTITIES, ANY_TYPES = "<!ENTITY", "<!DOCTYPE"


def safe_to_parse(text: str, refused: str) -> str:
    """A file of XML as a parser may get it.

    text (str): Its text, as it was read.
    refused (str): `ENTITIES` or `ANY_TYPES`: definitions that it must not have.
    RETURNS (str): The text without its declaration, by which a parser could read it anew in another
        encoding, and find such definitions in it.
    RAISES (ValueError): If it has any.
    """
    if refused in text.upper():
        raise ValueError(f"it has definitions of its own ({refused})")
    return DECLARATION.sub("", text)


def check_for_xml(doc: Doc, given: GivenDocument) -> None:
    """Refuse a document that cannot be written in XML.

    doc (Doc): The document.
    given (GivenDocument): What is to be written of it.
    RAISES (DocreError): If there is a character that XML has not.
    """
    parts = [given.title, given.text]
    parts += [part for mention in given.mentions for part in (mention.label, mention.kb_id)]
    parts += [label for _, label, _ in given.relations or ()]
    for found in filter(None, map(FORBIDDEN.search, parts)):
        reason = f"XML has no character {found[0]!r}; the form JSON has"
        raise DocreError(Errors.D075.format(doc=describe(doc), reason=reason))
