"""A tokenizer for texts in which names are parts of words: "5-HT(1A)", "Ptpn22(-/-)"."""

from collections.abc import Callable

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.util import (
    compile_infix_regex,
    compile_prefix_regex,
    compile_suffix_regex,
    registry,
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
        tokenizer: Tokenizer = registry.tokenizers.get("spacy.Tokenizer.v1")()(nlp)
        defaults = nlp.Defaults
        prefixes = [*(defaults.prefixes or ()), SYMBOLS]
        suffixes = [*(defaults.suffixes or ()), SYMBOLS]
        infixes = [*(defaults.infixes or ()), SYMBOLS]
        tokenizer.prefix_search = compile_prefix_regex(prefixes).search
        tokenizer.suffix_search = compile_suffix_regex(suffixes).search
        tokenizer.infix_finditer = compile_infix_regex(infixes).finditer
        return tokenizer

    return make_tokenizer
