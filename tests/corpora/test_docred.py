import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters, has_relations
from spacy_docre.corpora.docred import read_docred, read_relation_names, to_docred_predictions

from ..util import PUBLIC_CORPORA
from .strategies import json_values


def document():
    return {
        "title": "Ann",
        "sents": [["Ann", "Lee", "-", "Smith", "ran", "."], ["She", "left", "Rome", "."]],
        "vertexSet": [
            [
                {"name": "Ann Lee-Smith", "sent_id": 0, "pos": [0, 4], "type": "PER"},
                {"name": "Lee", "sent_id": 0, "pos": [1, 2], "type": "PER"},
            ],
            [{"name": "Rome", "sent_id": 1, "pos": [2, 3], "type": "LOC"}],
            [],
        ],
        "labels": [
            {"r": "P1", "h": 0, "t": 1, "evidence": [1]},
            {"r": "P1", "h": 0, "t": 1, "evidence": [0]},
            {"r": "P2", "h": 1, "t": 0},
        ],
    }


def convert(tmp_path, *documents, **options):
    path = tmp_path / "in.json"
    path.write_text(json.dumps(list(documents)))
    return list(read_docred(path, Vocab(), **options))


def test_everything_is_kept(tmp_path):
    (doc,) = convert(tmp_path, document(), relation_names={"P1": "visited"})
    assert [token.text for token in doc] == [word for sent in document()["sents"] for word in sent]
    assert [sent.start for sent in doc.sents] == [0, 6]
    assert doc.user_data["title"] == "Ann"
    clusters = get_clusters(doc)
    assert [c.key for c in clusters] == [f"entity_clusters_{i}" for i in (1, 2, 3)]
    assert [(s.start, s.end, s.label_) for s in clusters[0].mentions] == [
        (0, 4, "PER"),
        (1, 2, "PER"),
    ]
    assert clusters[0].names == ["Ann Lee-Smith", "Lee"]
    assert clusters[1].mentions[0].start == 8
    assert clusters[2].mentions == []
    assert [ent.text for ent in doc.ents] == ["Ann Lee - Smith", "Rome"]
    visited, other = doc._.relations
    assert visited.triple == ("entity_clusters_1", "visited", "entity_clusters_2")
    assert [span.start for span in visited.evidence] == [0, 6]
    assert other.label == "P2", "an identifier without a name is kept"


def test_names_survive_saving(tmp_path):
    doc_bin = DocBin(store_user_data=True, docs=convert(tmp_path, document()))
    (doc,) = DocBin().from_bytes(doc_bin.to_bytes()).get_docs(Vocab())
    assert get_clusters(doc)[0].names == ["Ann Lee-Smith", "Lee"]
    assert len(get_clusters(doc)) == 3


def test_files_without_labels_are_not_annotated(tmp_path):
    row = document()
    del row["labels"]
    (doc,) = convert(tmp_path, row)
    assert not has_relations(doc)


def broken(path, value):
    row = document()
    *parents, last = path
    place = row
    for key in parents:
        place = place[key]
    place[last] = value
    return row


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["title"], 3, "title"),
        (["sents", 1], "text", r"sents\[1\]"),
        (["sents", 1, 0], "", r"sents\[1\]"),
        (["vertexSet", 1, 0, "sent_id"], 2, r"vertexSet\[1\]\[0\].sent_id"),
        (["vertexSet", 1, 0, "sent_id"], -1, r"vertexSet\[1\]\[0\].sent_id"),
        (["vertexSet", 1, 0, "pos"], [2, 9], r"vertexSet\[1\]\[0\].pos"),
        (["vertexSet", 1, 0, "pos"], [2, 2], r"vertexSet\[1\]\[0\].pos"),
        (["vertexSet", 1, 0, "pos"], [-1, 2], r"vertexSet\[1\]\[0\].pos"),
        (["vertexSet", 1, 0, "type"], None, r"vertexSet\[1\]\[0\].type"),
        (["labels", 1, "h"], 7, r"labels\[1\].h"),
        (["labels", 1, "t"], -1, r"labels\[1\].t"),
        (["labels", 1, "r"], 17, r"labels\[1\].r"),
        (["labels", 1, "evidence"], [5], r"labels\[1\].evidence"),
    ],
)
def test_malformed_document_and_field_are_named(tmp_path, path, value, field):
    with pytest.raises(DocreError, match=rf"in\.json: document 1 \('.*'\), field '{field}"):
        convert(tmp_path, document(), broken(path, value))


@pytest.mark.parametrize("text", ["{", '{"title": 1}', "[1]", "[[]]", '"x"', "\xff"])
def test_malformed_files(tmp_path, text):
    path = tmp_path / "in.json"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(DocreError, match=r"in\.json"):
        list(read_docred(path, Vocab()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.sampled_from(
        [
            ["title"],
            ["sents"],
            ["sents", 0],
            ["vertexSet"],
            ["vertexSet", 0],
            ["vertexSet", 0, 0],
            ["vertexSet", 0, 0, "pos"],
            ["vertexSet", 0, 0, "sent_id"],
            ["labels"],
            ["labels", 0],
            ["labels", 0, "h"],
            ["labels", 0, "evidence"],
        ]
    ),
    value=json_values,
)
def test_any_value_anywhere_is_read_or_refused(tmp_path, path, value):
    with suppress(DocreError):
        assert len(convert(tmp_path, broken(path, value))) == 1


def test_submission_format(tmp_path):
    names = {"P1": "visited", "P2": "housed"}
    (doc,) = convert(tmp_path, document(), relation_names=names)
    ids = {name: identifier for identifier, name in names.items()}
    assert to_docred_predictions([doc], relation_ids=ids) == [
        {"title": "Ann", "h_idx": 0, "t_idx": 1, "r": "P1", "evidence": [0, 1], "score": 1.0},
        {"title": "Ann", "h_idx": 1, "t_idx": 0, "r": "P2", "evidence": [], "score": 1.0},
    ]
    with pytest.raises(DocreError, match="'housed'"):
        to_docred_predictions([doc], relation_ids={"visited": "P1"})


@pytest.mark.parametrize("names", [[], {"P1": 2}, {"P1": "a", "P2": "a"}])
def test_relation_names_are_checked(tmp_path, names):
    path = tmp_path / "rel_info.json"
    path.write_text(json.dumps(names))
    with pytest.raises(DocreError, match="rel_info"):
        read_relation_names(path)


@pytest.mark.corpora("redocred", "docred")
@pytest.mark.parametrize(
    ("name", "n_docs", "n_relations"),
    [("redocred/dev.json", 100, 3327), ("docred/docred_200.json", 200, 2539)],
)
def test_real_corpora_keep_their_counts(name, n_docs, n_relations):
    path = PUBLIC_CORPORA / name
    rows = json.loads(path.read_text())
    docs = list(read_docred(path, Vocab()))
    assert len(docs) == len(rows) == n_docs
    mentions = [len(c.mentions) for doc in docs for c in get_clusters(doc)]
    assert mentions == [len(v) for row in rows for v in row["vertexSet"]]
    facts = {
        (i, fact["h"], fact["t"], fact["r"]) for i, row in enumerate(rows) for fact in row["labels"]
    }
    assert sum(len(doc._.relations) for doc in docs) == len(facts) == n_relations
    names = [[m["name"] for m in v] for row in rows for v in row["vertexSet"]]
    assert [c.names for doc in docs for c in get_clusters(doc)] == names


def test_entities_do_not_end_in_white_space(tmp_path):
    changed = document()
    changed["sents"][1][3] = "\xa0"
    changed["vertexSet"][1] = [{"name": "Rome \xa0", "sent_id": 1, "pos": [2, 4], "type": "LOC"}]
    (doc,) = convert(tmp_path, changed)
    assert [ent.text for ent in doc.ents] == ["Ann Lee - Smith", "Rome"]
    assert len(get_clusters(doc)[1].mentions[0]) == 2


def test_blanks_as_they_are_printed(tmp_path):
    (doc,) = convert(tmp_path, document(), detokenize=True)
    assert doc.text == "Ann Lee-Smith ran. She left Rome. "
    assert [span.text for span in get_clusters(doc)[0].mentions] == ["Ann Lee-Smith", "Lee"]
