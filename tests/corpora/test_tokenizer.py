import pytest
import spacy

from spacy_docre.corpora.tokenizer import create_fine_tokenizer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the 5-HT(1A) receptor", "the 5 - HT ( 1A ) receptor"),
        ("Ptpn22(-/-) mice, 0.5 mg/kg.", "Ptpn22 ( - / - ) mice , 0.5 mg / kg ."),
        ("L-[3H]nicotine isn't α-toxin", "L - [ 3H ] nicotine is n't α - toxin"),
        ("CaCl(2)-treated 1,038", "CaCl ( 2 ) - treated 1,038"),
        ("", ""),
    ],
)
def test_symbols_are_tokens(text, words, tmp_path):
    nlp = spacy.blank("en")
    nlp.tokenizer = create_fine_tokenizer()(nlp)
    assert [token.text for token in nlp.make_doc(text)] == words.split()
    assert nlp.make_doc(text).text == text
    nlp.to_disk(tmp_path)
    saved = spacy.blank("en").from_disk(tmp_path)
    assert [token.text for token in saved.make_doc(text)] == words.split()
