"""Documents made of others."""

import unicodedata
from collections.abc import Sequence

from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from .clusters import current_spans

# Languages that are written without blanks between words, and the scripts that they use.
WITHOUT_BLANKS = {"zh", "ja", "th", "lo", "km", "my", "bo"}
SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def bare_doc(doc: Doc, vocab: Vocab) -> Doc:
    """The document with its tokens and its title only.

    doc (Doc): The document.
    vocab (Vocab): The vocabulary of the new one.
    RETURNS (Doc): A new document.
    """
    return Doc(
        vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
        user_data={"title": doc.user_data.get("title", "")},
    )


def beginning(doc: Doc, n_tokens: int) -> Doc:
    """The beginning of a document as a document, with the spans that lie in it.

    doc (Doc): The document.
    n_tokens (int): How many of its tokens.
    RETURNS (Doc): The document itself if it has no more, or else a copy of its beginning.
    """
    if len(doc) <= n_tokens:
        return doc
    copied = doc[:n_tokens].as_doc()
    for key, group in doc.spans.items():
        spans = [
            Span(copied, span.start, span.end, label=span.label, kb_id=span.kb_id)
            for span in current_spans(group)
            if span.end <= n_tokens
        ]
        copied.spans[key] = SpanGroup(copied, name=key, attrs=dict(group.attrs), spans=spans)
    return copied


def blanks_after(words: Sequence[str], vocab: Vocab) -> list[bool]:
    """Where blanks stand in a text of which only the tokens are known: after every one, but in
    languages that are written without only between two words of another script.

    words (Sequence[str]): The tokens.
    vocab (Vocab): The vocabulary of the language.
    RETURNS (list[bool]): Whether a blank follows each token.
    """
    if vocab.lang not in WITHOUT_BLANKS:
        return [True] * len(words)
    return [
        bool(word and after) and _takes_blanks(word[-1]) and _takes_blanks(after[0])
        for word, after in zip(words, [*words[1:], ""], strict=False)
    ]


def _takes_blanks(character: str) -> bool:
    return character.isalnum() and not unicodedata.name(character, "").startswith(SCRIPTS)
