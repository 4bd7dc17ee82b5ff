"""What the formats with character offsets have in common: tokens, sentences and mentions."""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np
from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline import Sentencizer
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc, Span, SpanGroup

from ..data.clusters import current_spans
from .report import ConversionReport
from .validation import DocumentError

# A mention as parts of the text, nearly always one: first character and the character after the
# last of each.
Fragments = list[tuple[int, int]]

# The attribute of a span group with the offsets of its mentions in the source, where they differ
# from those of the spans.
OFFSETS = "offsets"
SENTENCIZER = Sentencizer()
# Of letters alone, nothing is taken off one by one.
MAX_RUN = 250
LONG_RUN = re.compile(rf"\S{{{MAX_RUN + 1},}}")
SIGN = re.compile(r"\W")


def tokenize(nlp: Language, text: str) -> Doc:
    """Cut a text into tokens. spaCy's tokenizer takes brackets and quotes off the ends of what
    stands between blanks one by one, copying the rest each time; so what is longer than any word or
    address is cut before, and the work grows with the text alone. Other tokenizers, such as those
    of languages without blanks, get the text as a whole.

    nlp (Language): The pipeline whose tokenizer cuts it. Not `nlp.make_doc`, which also does
        what `check_length` does.
    text (str): The text.
    RETURNS (Doc): The document.
    """
    cuts = [
        cut
        for run in LONG_RUN.finditer(text)
        if SIGN.search(run[0])
        for cut in range(run.start() + MAX_RUN, run.end(), MAX_RUN)
    ]
    if not cuts or not isinstance(nlp.tokenizer, Tokenizer):
        return nlp.tokenizer(text)
    words, spaces = [], []
    for start, end in pairwise([0, *cuts, len(text)]):
        for token in nlp.tokenizer(text[start:end]):
            words.append(token.text)
            spaces.append(bool(token.whitespace_))
    return Doc(nlp.vocab, words=words, spaces=spaces)


def check_length(nlp: Language, text: str) -> None:
    """Refuse what `nlp.make_doc` refuses.

    nlp (Language): The pipeline, whose `max_length` counts.
    text (str): The text.
    RAISES (ValueError): If it is too long for parsers and recognisers.
    """
    if len(text) > nlp.max_length:
        raise ValueError(Errors.E088.format(length=len(text), max_length=nlp.max_length))


def read_text(text: str, nlp: Language, title: str, field: str) -> Doc:
    """Cut a text into tokens and sentences. A sentence ends where spaCy's sentencizer says so and
    at the end of a line, since headings have no full stop.

    text (str): The text, which the document keeps to the letter.
    nlp (Language): The pipeline whose tokenizer cuts it.
    title (str): The document's title.
    field (str): The name of the text in messages.
    RETURNS (Doc): The document.
    RAISES (DocumentError): If the text is not valid Unicode.
    """
    try:
        text.encode("utf8")
    except UnicodeEncodeError as error:
        raise DocumentError(field, f"not valid Unicode: {error}") from None
    doc = tokenize(nlp, text)
    doc.user_data["title"] = title
    (guesses,) = SENTENCIZER.predict([doc])
    starts = np.full(len(doc), -1)
    seen = starts_here = False
    for token, guess in zip(doc, guesses, strict=True):
        starts_here = starts_here or guess
        # White space ends the sentence before it, or begins the first.
        if token.i == 0 or (seen and starts_here and not token.is_space):
            starts[token.i] = 1
        if token.is_space:
            starts_here = starts_here or "\n" in token.text or "\r" in token.text
        else:
            seen, starts_here = True, False
    _set_starts(doc, starts)
    return doc


def set_sentences(doc: Doc, starts: Collection[int]) -> None:
    """Mark the sentences of a document.

    doc (Doc): The document.
    starts (Collection[int]): The first tokens of sentences; all others are none.
    """
    values = np.full(len(doc), -1)
    values[list(starts)] = 1
    _set_starts(doc, values)


def _set_starts(doc: Doc, values: np.ndarray) -> None:
    # All at once: to set one token's looks through the document.
    doc.from_array(["SENT_START"], values.astype("uint64"))  # type: ignore[arg-type]


def text_length(doc: Doc) -> int:
    """The number of characters of a document, without making its text for it."""
    return doc[-1].idx + len(doc[-1].text_with_ws) if len(doc) else 0


def align_mention(
    doc: Doc,
    fragments: Fragments,
    report: ConversionReport,
    *,
    field: str,
    label: str = "",
    kb_id: str = "",
) -> Span | None:
    """The tokens of a mention, from its first part to its last. What begins or ends inside a token
    is widened to whole tokens; this and everything else that is not as in the source is counted.

    doc (Doc): The document.
    fragments (list[tuple[int, int]]): The parts of the mention, in the order of the text.
    report (ConversionReport): What to count in.
    field (str): The name of the mention in messages.
    label (str): Its type.
    kb_id (str): Its knowledge base id.
    RETURNS (Optional[Span]): The mention; None if it is white space between tokens.
    RAISES (DocumentError): If a part is not inside the text.
    """
    end_of_last, length = 0, text_length(doc)
    for start, end in fragments:
        if not end_of_last <= start < end <= length:
            raise DocumentError(field, f"{start}-{end} is not inside the text, or out of order")
        end_of_last = end
    title = doc.user_data["title"]
    start, end = fragments[0][0], fragments[-1][1]
    span = doc.char_span(start, end, label=label, kb_id=kb_id, alignment_mode="expand")
    if not span:
        report.count("mentions of nothing but white space left out", title)
        return None
    if span.start_char < start or span.end_char > end:
        report.count("mentions widened to whole tokens", title)
    elif (span.start_char, span.end_char) != (start, end):
        report.count("mentions without the white space at their ends", title)
    if len(fragments) > 1:
        report.count("discontinuous mentions filled", title)
    return span


def keep_source(
    group: SpanGroup, offsets: Sequence[Fragments], names: Sequence[str] | None = None
) -> None:
    """Keep the spelling and the offsets of a cluster's mentions where they differ from the spans'.

    group (SpanGroup): The cluster.
    offsets (Sequence[list[tuple[int, int]]]): The parts of each mention.
    names (Optional[Sequence[str]]): The text of each mention, where the source gives it.
    """
    spans = current_spans(group)
    if names is not None and list(names) != [span.text for span in spans]:
        group.attrs["names"] = list(names)
    if list(offsets) != [[(span.start_char, span.end_char)] for span in spans]:
        group.attrs[OFFSETS] = [[list(part) for part in fragments] for fragments in offsets]


def source_offsets(group: SpanGroup) -> list[Fragments]:
    """The parts of a cluster's mentions in the source: those kept by `keep_source`, unless the
    mentions were changed since.

    group (SpanGroup): The cluster.
    RETURNS (list[list[tuple[int, int]]]): The parts of each mention.
    """
    spans = current_spans(group)
    kept = group.attrs.get(OFFSETS, [])
    offsets = []
    for i, span in enumerate(spans):
        parts = [(start, end) for start, end in kept[i]] if len(kept) == len(spans) else []
        if not parts or not _covers(span, parts):
            parts = [(span.start_char, span.end_char)]
        offsets.append(parts)
    return offsets


def _covers(span: Span, parts: Fragments) -> bool:
    found = span.doc.char_span(parts[0][0], parts[-1][1], alignment_mode="expand")
    return found is not None and (found.start, found.end) == (span.start, span.end)
