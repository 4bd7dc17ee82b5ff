"""Random words and strings, ordinary and odd."""

from random import Random

WORDS = ["Ada", "Oslo", "Bela", "Riga", "was", "born", "in", "died", "the", ",", ".", "-", "U.S."]
ODD_WORDS = {
    "combining": ["e\u0301", "Z" + "\u0335\u0301" * 20, "\u0301", "한국", "ก็"],
    "bidirectional": ["\u202eabc\u202c", "שלום", "مرحبا", "\u2067x\u2069", "\u200f"],
    "zero width": ["\u200b", "\ufeff", "\u200d", "a\u200bb", "\u00ad", "\u2060", "\ufe0f"],
    "emoji": ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇳🇴", "☃️"],
    "astral": ["𝔘𝔫𝔦", "𠀋", "𝟙", "\U0010ffff"],
    "control": ["\x00", "a\x00b", "\x1b[31m", "\x7f", "\x85", "\x0b", "\x1c"],
    "space": [" ", "\n", "\t", "\r\n", "\r", "\u2028", "\u3000", "\xa0", "  "],
    "markup": ["[CLS]", "[SEP]", "##a", "<s>", "*", "%s", "{0}", "{doc}", "<script>", "&amp;", "|"],
    "digits": ["²", "٣", "½", "1" * 50, "1e999", "-0", "NaN"],
}
# What Python can hold but UTF-8, and so spaCy, cannot.
SURROGATES = ["\udc80", "a\ud800", "\udfff\ud800"]
LONG = [50, 50, 100, 100, 300, 1000, 4000]


def random_word(rng: Random, *, surrogates: bool = False) -> str:
    """A word, never empty, nearly always short; one in five is odd."""
    kind = rng.random()
    if kind < 0.8:
        return rng.choice(WORDS)
    if kind < 0.96:
        return rng.choice(ODD_WORDS[rng.choice(list(ODD_WORDS))])
    if kind < 0.998:
        return "".join(_character(rng) for _ in range(rng.randint(1, 4)))
    if surrogates and rng.random() < 0.5:
        return rng.choice(SURROGATES)
    return rng.choice(WORDS) * rng.choice(LONG)


def random_name(rng: Random) -> str:
    """A label, identifier or title: usually plain, sometimes odd or empty."""
    kind = rng.random()
    if kind < 0.9:
        return rng.choice(["PER", "LOC", "Chemical", "Disease", "Q42", "D001|D002", "-1"])
    return "" if kind < 0.93 else random_word(rng)


def random_text(rng: Random, n_words: int, *, surrogates: bool = False) -> str:
    """Words with a space, a line end or nothing between."""
    return "".join(
        random_word(rng, surrogates=surrogates) + rng.choice(["", " ", " ", " ", " ", "\n"])
        for _ in range(n_words)
    )


def heavy_tailed(rng: Random, *limits: tuple[float, int]) -> int:
    """A number that is small as a rule: each limit with the share of the numbers up to it; the
    shares add up to 1."""
    share, low = rng.random(), 0
    for part, high in limits:
        if share < part:
            return rng.randint(low, high)
        share, low = share - part, high
    return low


def _character(rng: Random) -> str:
    code = rng.randrange(0x110000 - 0x800)
    return chr(code if code < 0xD800 else code + 0x800)
