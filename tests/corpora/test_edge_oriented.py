import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters, set_clusters
from spacy_docre.corpora.edge_oriented import read_edge_oriented, to_edge_oriented
from spacy_docre.corpora.report import ConversionReport

from ..commands import run
from ..util import PUBLIC_CORPORA

TEXT = "Lithium harms .|Tricuspid failure | and goitre after lithium ."
LITHIUM = ["C1", "Lithium|lithium", "Chemical", "0:9", "1:10", "0:1"]
FAILURE = ["D1", "failures", "Disease", "4", "5", "1"]
GOITRE = ["D2", "goitre", "Disease", "7", "8", "1"]
SALT = ["C2", "lithium .", "Chemical", "9", "11", "1"]
PAIRS = [
    ["1:CID:2", "L2R", "NON-CROSS", "0-1", "4-5", *LITHIUM, *FAILURE],
    ["1:NR:2", "L2R", "NON-CROSS", "7-8", "9-10", *LITHIUM, *GOITRE],
    ["not_include", "R2L", "NON-CROSS", "9-11", "7-8", *SALT, *GOITRE],
]


def line(*pairs, text=TEXT, pmid="7"):
    return "\t".join([pmid, text, *(column for pair in pairs for column in pair)])


def read(tmp_path, *lines, **options):
    path = tmp_path / "in.data"
    path.write_bytes("".join(f"{row}\n" for row in lines).encode("utf8"))
    return list(read_edge_oriented(path, Vocab(), **options))


def counts(report):
    return {reason: n for n, reason, _ in report.rows()}


def test_everything_is_kept(tmp_path):
    report = ConversionReport()
    (doc,) = read(tmp_path, line(*PAIRS), report=report)
    assert [len(sent) for sent in doc.sents] == [3, 8]
    assert doc[5].text == "|", "a bar between spaces ends no sentence"
    assert doc.user_data["title"] == "7"
    clusters = {c.kb_id: c for c in get_clusters(doc)}
    assert list(clusters) == ["C1", "D1", "D2", "C2"]
    assert [(s.start, s.end, s.label_) for s in clusters["C1"].mentions] == [
        (0, 1, "Chemical"),
        (9, 10, "Chemical"),
    ]
    assert clusters["D1"].names == ["failures"]
    assert "names" not in clusters["C1"].group.attrs
    (relation,) = doc._.relations
    assert relation.triple == ("entity_clusters_1", "CID", "entity_clusters_2")
    assert doc.user_data["excluded_pairs"] == [["entity_clusters_4", "entity_clusters_3"]]
    assert len(doc.user_data["candidate_pairs"]) == 3
    assert counts(report) == {"pairs marked not_include, kept as negative and excluded": 1}
    assert to_edge_oriented(doc) == line(*PAIRS)


def test_new_relations_and_documents_from_elsewhere(tmp_path):
    (doc,) = read(tmp_path, line(*PAIRS))
    doc._.relations = [{"head": "entity_clusters_4", "label": "CID", "tail": "entity_clusters_1"}]
    labels = re.findall("1:CID:2|1:NR:2|not_include", to_edge_oriented(doc))
    assert labels == ["1:NR:2", "1:NR:2", "not_include", "1:CID:2"]
    del doc.user_data["candidate_pairs"]
    doc._.relations = []
    written = to_edge_oriented(doc)
    assert written.count("1:NR:2") == 3, "two chemicals and two diseases, one pair is excluded"
    assert written.count("not_include") == 1
    report = ConversionReport()
    assert to_edge_oriented(doc, head_types=["Gene"], report=report) == line()
    assert counts(report) == {"entities in no pair, left out": 4}
    doc._.relations = [{"head": "entity_clusters_4", "label": "NR", "tail": "entity_clusters_1"}]
    with pytest.raises(DocreError, match="'NR'"):
        to_edge_oriented(doc)


def test_what_disagrees_is_counted(tmp_path):
    report = ConversionReport()
    other = [*PAIRS[1][:5], "C1", "a|b", "Gene", "1", "5", "1", *GOITRE]
    (doc, _) = read(tmp_path, line(PAIRS[0], PAIRS[0], other), line(), report=report)
    assert [(s.start, s.end) for s in get_clusters(doc)[0].mentions] == [(0, 1), (9, 10), (1, 5)]
    assert counts(report) == {
        "descriptions of an entity with another type": 1,
        "descriptions of an entity with other mentions, joined": 1,
        "mentions whose names cannot be told apart, spelled as the text": 1,
        "mentions whose sentence is not that of their tokens": 1,
        "mentions that go on in the next sentence": 1,
        "relations listed again, kept once": 1,
        "documents with the identifier of an earlier one": 1,
        "documents without a pair of entities": 1,
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (line(PAIRS[0][:-1]), "16 columns"),
        (line(["1-CID", *PAIRS[0][1:]]), "pair 0'.*'1-CID'"),
        (line(PAIRS[0], [*PAIRS[1][:9], "x:3", *PAIRS[1][10:]]), "pair 1, C1'.*not numbers"),
        (line([*PAIRS[0][:9], "1", *PAIRS[0][10:]]), "pair 0, C1'.*differ"),
        (line([*PAIRS[0][:-2], "12", "1"]), "D1, mention 0'.*4-12 is not inside"),
        (line(text="a  b"), "text'.*empty"),
    ],
)
def test_malformed_lines_are_named(tmp_path, row, reason):
    with pytest.raises(DocreError, match=rf"in\.data: document 1 \('7'\), field '.*{reason}"):
        read(tmp_path, line(), row)


def test_odd_files(tmp_path):
    assert read(tmp_path, "", " ") == []
    (doc,) = read(tmp_path, "7\t")
    assert len(doc) == 0
    assert to_edge_oriented(doc) == "7\t"
    (tmp_path / "x").write_bytes(b"7\t\xff")
    with pytest.raises(DocreError, match="x is not UTF-8"):
        list(read_edge_oriented(tmp_path / "x", Vocab()))


words = st.text(st.sampled_from("ab|\u00e9\u2028\u00a0\U0001f600 \t\n"), min_size=1, max_size=4)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(data=st.data(), tokens=st.lists(words, max_size=10))
def test_any_document_is_written_as_it_was_read(tmp_path, data, tokens):
    starts = [i == 0 or data.draw(st.booleans()) for i in range(len(tokens))]
    doc = Doc(Vocab(), words=tokens, sent_starts=starts)
    doc.user_data["title"] = data.draw(words)
    clusters = []
    for label in data.draw(st.lists(st.sampled_from(["Gene", "Disease"]), max_size=4)):
        mentions = []
        for _ in range(data.draw(st.integers(0, 3))) if tokens else ():
            start = data.draw(st.integers(0, len(tokens) - 1))
            end = data.draw(st.integers(start + 1, len(tokens)))
            mentions.append(Span(doc, start, end, label=label))
        clusters.append(mentions)
    set_clusters(doc, clusters)
    numbers = range(1, len(clusters) + 1)
    doc._.relations = [
        {"head": f"entity_clusters_{h}", "label": label, "tail": f"entity_clusters_{t}"}
        for h in numbers
        for t in numbers
        for label in ("r", "s")
        if h != t and data.draw(st.booleans())
    ]
    written = to_edge_oriented(doc)
    (first,) = read(tmp_path, written)
    assert to_edge_oriented(first) == written
    visible = [token for token in doc if not token.is_space]
    assert len(first) == len(visible)
    in_pair = {c.kb_id: c for c in get_clusters(first)}
    for cluster in get_clusters(doc):
        if cluster.key in in_pair:
            kept = [sum(not t.is_space for t in span) for span in cluster.mentions]
            assert [len(s) for s in in_pair[cluster.key].mentions] == [n for n in kept if n]
    for relation in doc._.relations:
        if all(
            any(not t.is_space for s in c.mentions for t in s)
            for c in (relation.head, relation.tail)
        ):
            found = [(r.head.kb_id, r.label, r.tail.kb_id) for r in first._.relations]
            assert relation.triple in found


@pytest.mark.corpora("cdr")
@pytest.mark.parametrize(
    ("name", "n_relations", "n_excluded"), [("train", 1038, 192), ("dev", 1012, 174)]
)
@pytest.mark.slow
def test_real_corpora_are_written_byte_for_byte(tmp_path, name, n_relations, n_excluded):
    path = PUBLIC_CORPORA / "cdr" / f"{name}_filter.data"
    output = run("convert", "edge-oriented", path, tmp_path / "x.spacy")
    assert f"500 documents with {n_relations} relations" in output
    assert re.search(rf"{n_excluded} +pairs marked not_include", output)
    run("export", "edge-oriented", tmp_path / "x.spacy", tmp_path / "x.data")
    assert (tmp_path / "x.data").read_bytes() == path.read_bytes()
