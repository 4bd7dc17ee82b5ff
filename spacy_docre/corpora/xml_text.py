"""What XML can hold of documents."""

import re

from spacy.tokens import Doc

from ..data.clusters import describe
from ..errors import DocreError, Errors
from .mentions import GivenDocument

# Not even as escapes: XML 1.0, section 2.2.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
