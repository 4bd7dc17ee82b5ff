"""Mentions whose text and offsets a source gives and that do not agree."""

import json

import pytest
import spacy
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters
from spacy_docre.corpora.brat import read_brat
from spacy_docre.corpora.docred import read_docred
from spacy_docre.corpora.dwie import read_dwie
from spacy_docre.corpora.jsonl import read_jsonl
from spacy_docre.corpora.placing import MAX_SEARCHES, Claim, Placing, TokenPlacing
from spacy_docre.corpora.pubtator import read_pubtator
from spacy_docre.corpora.report import ConversionReport

NLP = spacy.blank("en")
TEXT = "🎉🎉 Mira Holt,\r\né Talvik Works and\r\nMira Holt in Velmo 🎉."
NAMES = ["Talvik Works", "Velmo", "Mira Holt"]


def width(character, system):
    if system == "UTF-16 units":
        return len(character.encode("utf-16-le")) // 2
    if system == "bytes":
        return len(character.encode("utf8"))
    return 1


def offsets(name, system, *, ending=0, first=0, one_line_end=False):
    """The offsets of the last place of a name, as a source counts them: slow and obvious."""
    place = TEXT.rindex(name)
    before, inside = TEXT[:place], TEXT[place : place + len(name)]
    if one_line_end:
        before = before.replace("\r\n", "\n")
    start = first + sum(width(character, system) for character in before)
    return start, start + sum(width(character, system) for character in inside) - ending


@pytest.mark.parametrize("system", ["characters", "UTF-16 units", "bytes"])
@pytest.mark.parametrize("one_line_end", [False, True])
@pytest.mark.parametrize("ending", [0, 1])
@pytest.mark.parametrize("mark", [0, 1])
def test_what_a_source_counts_is_found(system, one_line_end, ending, mark):
    first = mark * (3 if system == "bytes" else 1)
    settings = {"one_line_end": one_line_end, "ending": ending, "first": first}
    claims = [Claim([offsets(name, system, **settings)], (name,)) for name in NAMES]
    report = ConversionReport()
    placing = Placing(TEXT, claims, report, "a")
    expected = [(TEXT.rindex(name), TEXT.rindex(name) + len(name)) for name in NAMES]
    assert [placing.place(claim) for claim in claims] == [[place] for place in expected]
    plain = system == "characters" and not (one_line_end or ending or mark)
    assert report.kinds()["contradicting"] == (0 if plain else 3)
    (reason,) = report.counts or [""]
    assert (system in reason) == (system != "characters")


def test_a_text_that_is_there_once_is_the_place():
    claims = [Claim([(0, 5)], ("Velmo",)), Claim([(0, 5)], ("Mira Holt",)), Claim([(3, 7)])]
    report = ConversionReport()
    placing = Placing(TEXT, claims, report, "a")
    start = TEXT.index("Velmo")
    assert placing.place(claims[0]) == [(start, start + 5)]
    assert placing.place(claims[1]) is None, "it is there twice"
    assert placing.place(claims[2]) == [(3, 7)], "a source that gives no text is believed"
    assert report.kinds() == {"widened to whole tokens": 0, "skipped": 0, "contradicting": 1}


def test_a_document_is_searched_a_limited_number_of_times():
    claims = [Claim([(0, 1)], (f"word{n}.",)) for n in range(MAX_SEARCHES + 5)]
    placing = Placing("word1004. " + TEXT, claims, ConversionReport(), "a")
    assert [placing.place(claim) for claim in claims] == [None] * len(claims)
    assert placing.n_searches == len(claims)


def test_names_among_tokens():
    placing = TokenPlacing(["Ann", "Lee", "-", "Smith", "saw", "Ann", "Lee"])
    assert placing.agrees("Ann Lee-Smith", 0, 4)
    assert not placing.agrees("Ann Lee", 0, 1)
    assert placing.only_place("Smith saw", 0, 7) == (3, 5)
    assert placing.only_place("Ann Lee", 0, 7) is None, "there are two"
    assert placing.only_place("Ann Lee", 4, 7) == (5, 7)
    assert placing.only_place("ee", 0, 7) is None, "inside a token"


def utf16(name):
    return offsets(name, "UTF-16 units")


def write_jsonl(folder):
    clusters = [
        {"mentions": [dict(zip(("start", "end"), utf16(n), strict=True), text=n)]} for n in NAMES
    ]
    row = {"text": TEXT, "clusters": clusters, "sentences": [[0, 18], [18, 49]]}
    (folder / "in.jsonl").write_text(json.dumps(row))
    return read_jsonl(folder / "in.jsonl", NLP, report=REPORT)


def write_brat(folder):
    lines = [f"T{i}\tPer {s} {e}\t{n}" for i, n in enumerate(NAMES) for s, e in [utf16(n)]]
    (folder / "a.txt").write_bytes(TEXT.encode())
    (folder / "a.ann").write_text("\n".join(lines))
    return read_brat(folder, NLP, report=REPORT)


def write_dwie(folder):
    mentions = [
        dict(zip(("begin", "end"), utf16(n), strict=True), text=n, concept=i)
        for i, n in enumerate(NAMES)
    ]
    concepts = [{"concept": i, "tags": []} for i in range(len(NAMES))]
    row = {"id": "a", "content": TEXT, "mentions": mentions, "concepts": concepts}
    (folder / "a.json").write_text(json.dumps(row))
    return read_dwie(folder, NLP, report=REPORT)


REPORT = ConversionReport()


@pytest.mark.parametrize("write", [write_jsonl, write_brat, write_dwie])
def test_readers_place_mentions_by_what_the_source_counts(tmp_path, write):
    (doc,) = write(tmp_path)
    assert sorted(cluster.text for cluster in get_clusters(doc)) == sorted(NAMES)


def test_pubtator_counts_bytes(tmp_path):
    text = "é🎉 Mira saw Mira."
    start = len("é🎉 Mira saw ".encode())
    (tmp_path / "in.txt").write_text(f"7|t|{text}\n7\t{start}\t{start + 4}\tMira\tPer\tP1\n")
    report = ConversionReport()
    (doc,) = read_pubtator(tmp_path / "in.txt", NLP, report=report)
    assert get_clusters(doc)[0].mentions[0].start_char == text.rindex("Mira")
    assert report.counts == {
        "mentions whose text is not that at their offsets, which count bytes": 1
    }


def test_docred_mentions_are_placed_by_their_names(tmp_path):
    sents = [["Ann", "Lee", "left", "New", "Delhi", "."], ["Bo", "Ek", "saw", "Bo", "."]]
    mentions = [
        ("Ann Lee", 0, [0, 1], "0-2", "an inclusive end"),
        ("New Delhi", 0, [1, 2], "3-5", "elsewhere in the sentence"),
        ("Ek saw", 0, [0, 2], "7-9", "in another sentence"),
        ("Bo", 0, [2, 3], "2-3", "there are two"),
    ]
    vertices = [
        [{"name": name, "sent_id": sent, "pos": pos, "type": "X"}]
        for name, sent, pos, _, _ in mentions
    ]
    path = tmp_path / "in.json"
    path.write_text(json.dumps([{"title": "t", "sents": sents, "vertexSet": vertices}]))
    report = ConversionReport()
    (doc,) = read_docred(path, Vocab(), report=report)
    found = [f"{s.start}-{s.end}" for c in get_clusters(doc) for s in c.mentions]
    assert found == [place for *_, place, _ in mentions]
    assert report.kinds()["contradicting"] == 4
    assert len(report.counts) == 4


def test_jsonl_refuses_a_text_that_has_no_one_place(tmp_path):
    mention = {"start": 0, "end": 3, "text": "Bob"}
    row = {"text": "Ann met Bob and Bob.", "clusters": [{"mentions": [mention]}]}
    (tmp_path / "in.jsonl").write_text(json.dumps(row))
    with pytest.raises(DocreError, match=r"clusters\[0\].mentions\[0\].*'Ann', not 'Bob'"):
        list(read_jsonl(tmp_path / "in.jsonl", NLP))
