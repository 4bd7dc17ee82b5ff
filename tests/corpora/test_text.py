import pytest
import spacy

from spacy_docre.corpora.report import ConversionReport
from spacy_docre.corpora.text import align_mention, read_text
from spacy_docre.corpora.validation import DocumentError

NLP = spacy.blank("en")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("\n", ["\n"]),
        ("\n\n Title\nAnn ran. ", ["\n\n Title\n", "Ann ran. "]),
        ("A title\r\n\r\n“Ann ran.” \n\nShe", ["A title\r\n\r\n", "“Ann ran.” \n\n", "She"]),
        ("Ann of the U.S. ran. So  did I?!", ["Ann of the U.S. ran. ", "So  did I?!"]),
        ("One.\nTwo", ["One.\n", "Two"]),
    ],
)
def test_sentences_end_at_full_stops_and_line_ends(text, sentences):
    doc = read_text(text, NLP, "a", "text")
    assert doc.text == text
    assert [sent.text_with_ws for sent in doc.sents] == sentences


def test_long_texts_are_read():
    text = ("x" * 1000 + " ") * 1001
    assert len(text) > NLP.max_length
    assert len(read_text(text, NLP, "a", "text")) == 1001


def test_mentions_are_aligned_and_counted():
    doc, report = read_text("Ann Lee-Smith  left", NLP, "a", "text"), ConversionReport()

    def align(*fragments):
        return align_mention(doc, list(fragments), report, field="mention", label="PER")

    assert align((0, 3)).text == "Ann"
    assert not report.counts
    assert align((1, 6)).text == "Ann Lee"
    assert align((0, 4)).text == "Ann"
    assert align((0, 3), (8, 13)).text == "Ann Lee-Smith"
    assert align((3, 4)) is None
    assert [n for n, *_ in report.rows()] == [1, 1, 1, 1]
    for wrong in [(-1, 3)], [(3, 3)], [(5, 99)], [(8, 13), (0, 3)], [(0, 5), (4, 7)]:
        with pytest.raises(DocumentError, match="mention"):
            align(*wrong)
