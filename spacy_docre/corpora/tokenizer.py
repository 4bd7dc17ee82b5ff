"""A tokenizer for texts in which names are parts of words: "5-HT(1A)", "Ptpn22(-/-)"."""

from collections.abc import Callable

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.util import (
    compile_infix_regex,
    compile_prefix_regex,
    compile_suffix_regex,
)

# Neither full stops and commas, since "0.5" and "i.v." are no ends of sentences, nor apostrophes,
# which belong to the languages' own rules.
SYMBOLS = r"[^\w\s.,'’]"


def create_fine_tokenizer() -> Callable[[Language], Tokenizer]:
    """The tokenizer "spacy-docre.FineTokenizer.v1": the language's own, but every bracket, hyphen,
    slash and other symbol is a token. It does not know where the mentions are, so that it cuts a
    text in use as it did in training.

    RETURNS (Callable[[Language], Tokenizer]): What makes the tokenizer of a pipeline.
    """

    def make_tokenizer(nlp: Language) -> Tokenizer:
        defaults = nlp.Defaults
        prefixes = [*(defaults.prefixes or ()), SYMBOLS]
        suffixes = [*(defaults.suffixes or ()), SYMBOLS]
        infixes = [*(defaults.infixes or ()), SYMBOLS]
        # All at once: with each part that is set later, a thousand special cases are read again.
        return Tokenizer(
            nlp.vocab,
            rules=defaults.tokenizer_exceptions,
            prefix_search=compile_prefix_regex(prefixes).search,
            suffix_search=compile_suffix_regex(suffixes).search,
            infix_finditer=compile_infix_regex(infixes).finditer,
            token_match=defaults.token_match,
            url_match=defaults.url_match,
        )

    return make_tokenizer
