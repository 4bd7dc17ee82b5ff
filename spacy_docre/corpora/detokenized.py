"""The blanks of a printed text of which only the tokens are known."""

import re
from collections.abc import Sequence
from itertools import zip_longest

# What stands right behind the word before it, and right before the word after it.
CLOSING = re.compile(r"(?:[,.;:?!)\]}%”’…°]+|(?:['’](?:s|re|ve|ll|d|m)|n['’]t))", re.IGNORECASE)
OPENING = re.compile(r"[A-Z]{0,3}[(\[{“‘$£€#]+")
# What stands between two words without blanks; the dash only between numbers.
JOINING = {"-", "/", "—"}
DASH = "–"
QUOTES = {'"', "'", "``", "''"}


def printed_blanks(words: Sequence[str]) -> list[bool]:
    """Where blanks stand in a text as it is printed: "(born 1990), Ada's", where the tokens are
    "( born 1990 ) , Ada 's". Of straight quotes, every other one opens.

    words (Sequence[str]): The tokens of a sentence, cut as spaCy's English tokenizer cuts them.
    RETURNS (list[bool]): Whether a blank follows each token.
    """
    before, after = [True] * len(words), [True] * len(words)
    open_quotes: set[str] = set()
    for i, word in enumerate(words):
        last, following = words[i - 1] if i else "", words[i + 1] if i + 1 < len(words) else ""
        if word in QUOTES:
            is_possessive = word == "'" and word not in open_quotes and last.endswith("s")
            if is_possessive or word in open_quotes:
                before[i] = False
                open_quotes.discard(word)
            else:
                after[i] = False
                open_quotes.add(word)
        elif word in JOINING or word.isspace():
            before[i] = after[i] = False
        elif word == DASH:
            before[i] = after[i] = not (last[-1:].isdigit() and following[:1].isdigit())
        elif CLOSING.fullmatch(word):
            before[i] = False
        elif OPENING.fullmatch(word):
            after[i] = False
    return [
        blank and next_blank for blank, next_blank in zip_longest(after, before[1:], fillvalue=True)
    ]
