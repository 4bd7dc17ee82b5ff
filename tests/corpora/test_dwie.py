import json
from collections import Counter
from contextlib import suppress

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters, has_relations
from spacy_docre.corpora.dwie import OTHER_TYPE, TYPES, entity_type, read_dwie, to_dwie
from spacy_docre.corpora.report import ConversionReport

from ..util import PUBLIC_CORPORA
from .strategies import PIECES, json_values

DWIE = PUBLIC_CORPORA / "dwie"
NLP = spacy.blank("en")
TEXT = "Lee left\nAnn Lee-Smith left Rome. She is 𝒜 U.S. citizen."


def mention(text, concept, start=0):
    begin = TEXT.index(text, start)
    return {"begin": begin, "end": begin + len(text), "text": text, "concept": concept}


def document():
    return {
        "id": "DW_1",
        "content": TEXT,
        "tags": ["all", "train"],
        "mentions": [
            {**mention("Lee", 1), "candidates": ["Lee", "Leeds"], "scores": [0.9, 0.1]},
            mention("Ann Lee-Smith", 1),
            mention("Lee", 1, 9),
            mention("Rome", 2),
            mention("U.S", 4),
            mention("U.S", 2),
        ],
        "concepts": [
            {"concept": 0, "keyword": False, "count": 0, "tags": ["type::entity", "type::event"]},
            {
                "concept": 1,
                "text": "Ann Lee-Smith",
                "keyword": True,
                "count": 3,
                "link": None,
                "tags": ["gender::female", "topic::none", "type::entity", "type::person"],
            },
            {
                "concept": 2,
                "text": "Rome",
                "keyword": False,
                "count": 2,
                "link": "Rome",
                "tags": ["type::entity", "type::gpe", "type::location", "type::organization"],
            },
            {"concept": 4, "text": "U.S.", "keyword": False, "count": 1, "tags": ["type::gpe0-x"]},
        ],
        "relations": [
            {"s": 1, "p": "citizen_of-x", "o": 4},
            {"s": 1, "p": "citizen_of-x", "o": 4},
            {"s": 2, "p": "part_of", "o": 2},
            {"s": 0, "p": "event_in0", "o": 2},
            {"s": 4, "p": "gpe0", "o": 2},
        ],
        "frames": [{"type": "award", "slots": []}],
        "iptc": ["02000000"],
    }


def convert(tmp_path, *rows, **options):
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    for number, row in enumerate(rows):
        (folder / f"DW_{number}.json").write_text(json.dumps(row))
    return list(read_dwie(folder, NLP, **options))


def test_everything_that_has_a_place_is_kept(tmp_path):
    (doc,) = convert(tmp_path, document())
    assert doc.text == TEXT
    assert doc.user_data["title"] == "DW_1"
    assert [sent.text.strip() for sent in doc.sents] == [
        "Lee left",
        "Ann Lee-Smith left Rome.",
        "She is 𝒜 U.S. citizen.",
    ]
    ann, rome, us = get_clusters(doc)
    assert [span.text for span in ann.group] == ["Lee", "Ann Lee-Smith", "Lee"]
    assert (ann.label, rome.label, us.label) == ("person", "location", "other")
    assert [span.text for span in rome.group] == ["Rome", "U.S."]
    assert rome.names == ["Rome", "U.S"], "the source's spelling of what was widened"
    assert {span.kb_id_ for span in rome.group} == {"Rome"}
    assert rome.group.attrs["tags"] == document()["concepts"][2]["tags"]
    assert [c.group.attrs["concept"] for c in (ann, rome, us)] == [1, 2, 4]
    assert ann.text == "Ann Lee-Smith"
    assert "link" in ann.group.attrs
    assert "link" not in us.group.attrs
    assert [ent.text for ent in doc.ents] == ["Lee", "Ann Lee-Smith", "Rome", "U.S."]
    assert [relation.triple for relation in doc._.relations] == [
        ("entity_clusters_1", "citizen_of-x", "entity_clusters_3"),
        ("entity_clusters_3", "gpe0", "entity_clusters_2"),
    ]


def test_everything_else_is_counted(tmp_path):
    report = ConversionReport()
    convert(tmp_path, document(), report=report)
    assert report.counts == {
        "frames left out": 1,
        "mentions' candidates for links left out": 1,
        "mentions widened to whole tokens": 2,
        "entities without mentions left out": 1,
        "relations of entities without mentions left out": 1,
        "relations of an entity to itself left out": 1,
        "relations listed twice kept once": 1,
    }
    assert set(map(tuple, report.examples.values())) == {("DW_1",)}


def test_mentions_of_white_space_are_left_out_and_counted(tmp_path):
    row, report = document(), ConversionReport()
    row["mentions"].append({"begin": 3, "end": 4, "text": " ", "concept": 4})
    row["mentions"].append({"begin": 0, "end": 4, "text": "Lee ", "concept": 4})
    (doc,) = convert(tmp_path, row, report=report)
    assert report.counts["mentions of nothing but white space left out"] == 1
    assert report.counts["mentions without the white space at their ends"] == 1
    assert [span.text for span in get_clusters(doc)[2].group] == ["U.S.", "Lee"]


def test_the_type_of_an_entity():
    assert entity_type(["topic::person", "type::entity", "type::person"]) == "person"
    assert entity_type(["type::organization", "type::location"]) == "location"
    for tags in ([], ["type::other", "type::gpe0-x"], ["type::entity", "type::language"]):
        assert entity_type(tags) == OTHER_TYPE


def meaning(row):
    """What a file says, without the numbers of its entities."""
    concepts = {concept["concept"]: concept for concept in row["concepts"]}
    mentions = {number: [] for number in concepts}
    for m in row["mentions"]:
        mentions[m["concept"]].append((m["begin"], m["end"], m["text"]))
    numbers = sorted(number for number in concepts if mentions[number])
    place = {number: i for i, number in enumerate(numbers)}
    entities = [
        (
            {k: v for k, v in concepts[number].items() if k not in ("concept", "count")},
            sorted(mentions[number]),
        )
        for number in numbers
    ]
    relations = {
        (place[r["s"]], r["p"], place[r["o"]])
        for r in row["relations"]
        if r["s"] in place and r["o"] in place and r["s"] != r["o"]
    }
    return [row[key] for key in ("id", "content", "tags", "iptc")], entities, relations


def saved(doc):
    (again,) = DocBin(store_user_data=True, docs=[doc]).get_docs(Vocab())
    return again


def test_written_files_say_the_same(tmp_path):
    (doc,) = convert(tmp_path, document())
    row = to_dwie(saved(doc))
    assert meaning(row) == meaning(document())
    assert [concept["concept"] for concept in row["concepts"]] == [0, 1, 2]
    assert [concept["count"] for concept in row["concepts"]] == [3, 2, 1]
    (again,) = convert(tmp_path, row)
    assert to_dwie(again) == row


def test_documents_of_other_sources_can_be_written():
    doc = NLP("Ann left New York")
    doc.spans["entity_clusters_1"] = [doc.char_span(0, 3, label="PER", kb_id="Q1")]
    doc.spans["entity_clusters_2"] = [doc[2:4]]
    report = ConversionReport()
    assert "relations" not in to_dwie(doc)
    doc._.relations = [
        {
            "head": "entity_clusters_1",
            "label": "left",
            "tail": "entity_clusters_2",
            "score": 0.5,
            "evidence": [(0, 1)],
        }
    ]
    row = to_dwie(doc, report=report)
    assert row["concepts"][0]["tags"] == ["type::PER"]
    assert row["concepts"][0]["link"] == "Q1"
    assert row["mentions"][1] == {"begin": 9, "end": 17, "text": "New York", "concept": 1}
    assert row["relations"] == [{"s": 0, "p": "left", "o": 1}]
    assert report.counts == {
        "entities of types that DWIE does not have, read again as another": 2,
        "relations written without their evidence": 1,
        "relations written without their score": 1,
    }
    del doc.spans["entity_clusters_2"]
    with pytest.raises(DocreError, match="entity_clusters_2"):
        to_dwie(doc)


def test_mentions_that_were_changed_are_written_as_they_are(tmp_path):
    (doc,) = convert(tmp_path, document())
    group = doc.spans["entity_clusters_2"]
    doc.spans["entity_clusters_2"] = type(group)(
        doc, name=group.name, attrs=dict(group.attrs), spans=[doc[0:1], list(group)[1]]
    )
    mentions = [m for m in to_dwie(doc)["mentions"] if m["concept"] == 1]
    assert [m["text"] for m in mentions] == ["Lee", "U.S"]


def test_splits(tmp_path):
    rows = [{**document(), "id": f"DW_{i}"} for i in range(3)]
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"train": ["DW_2", "DW_0"], "lost": ["../in/DW_1"], "odd": 1}))
    docs = convert(tmp_path, *rows, splits=splits, split="train")
    assert [doc.user_data["title"] for doc in docs] == ["DW_2", "DW_0"]
    assert len(convert(tmp_path)) == 3
    with pytest.raises(DocreError, match=r"\.\./in/DW_1"):
        convert(tmp_path, splits=splits, split="lost")
    for split in ("test", "odd"):
        with pytest.raises(DocreError, match="'train', 'lost', 'odd'"):
            convert(tmp_path, splits=splits, split=split)
    with pytest.raises(DocreError, match=r"\.json"):
        list(read_dwie(tmp_path / "nowhere", NLP))


def test_documents_without_anything(tmp_path):
    row = {"id": "", "content": "", "mentions": [], "concepts": []}
    (doc,) = convert(tmp_path, row)
    assert (len(doc), get_clusters(doc), has_relations(doc)) == (0, [], False)
    assert to_dwie(doc)["content"] == ""


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
        (["content"], "A\ud800", "content"),
        (["content"], None, "content"),
        (["mentions", 1, "text"], "Bob", r"mentions\[1\].text"),
        (["mentions", 1, "concept"], 3, r"mentions\[1\].concept"),
        (["concepts", 2, "concept"], 1, "concepts"),
        (["concepts", 1, "tags", 0], 1, r"concepts\[1\].tags\[0\]"),
        (["relations", 1, "s"], 3, r"relations\[1\].s"),
        (["relations", 1, "o"], -1, r"relations\[1\].o"),
        (["relations", 1, "p"], None, r"relations\[1\].p"),
    ],
)
def test_malformed_file_and_field_are_named(tmp_path, path, value, field):
    with pytest.raises(DocreError, match=rf"DW_1\.json: document 0 \('DW_1'\), field '{field}"):
        convert(tmp_path, document(), broken(path, value))


@pytest.mark.parametrize(("bound", "value"), [("begin", -1), ("end", 999), ("end", 9)])
def test_a_mention_with_wrong_offsets_is_placed_by_its_text(tmp_path, bound, value):
    report = ConversionReport()
    (doc,) = convert(tmp_path, broken(["mentions", 1, bound], value), report=report)
    assert meaning(to_dwie(doc)) == meaning(document())
    reason = "mentions whose text is not that at their offsets, placed where it is"
    assert report.counts[reason] == 1


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(
    path=st.sampled_from(
        [
            ["id"],
            ["content"],
            ["tags"],
            ["mentions"],
            ["mentions", 0],
            ["mentions", 0, "begin"],
            ["concepts"],
            ["concepts", 1],
            ["concepts", 1, "tags"],
            ["concepts", 1, "link"],
            ["relations"],
            ["relations", 0],
            ["relations", 0, "s"],
        ]
    ),
    value=json_values,
)
def test_any_value_anywhere_is_read_or_refused(tmp_path, path, value):
    with suppress(DocreError):
        assert len(convert(tmp_path, broken(path, value))) == 1


@st.composite
def documents(draw):
    """Files with any text, and any mentions: nested, crossing and identical ones, of one entity and
    of several."""
    text = draw(PIECES | st.text(max_size=40))
    n_concepts = draw(st.integers(0, 4))
    concepts = [
        {
            "concept": number,
            "text": draw(st.text(min_size=1, max_size=5)),
            "keyword": draw(st.booleans()),
            **draw(st.fixed_dictionaries({}, optional={"link": st.none() | st.text(max_size=5)})),
            "tags": draw(st.lists(st.sampled_from(["type::person", "type::gpe", "x"]), min_size=1)),
        }
        for number in range(n_concepts)
    ]
    number = st.integers(0, n_concepts - 1)
    mentions, relations = [], []
    if n_concepts:
        for _ in range(draw(st.integers(0, 6)) if text else 0):
            begin = draw(st.integers(0, len(text) - 1))
            end = draw(st.integers(begin + 1, len(text)))
            row = {"begin": begin, "end": end, "text": text[begin:end], "concept": draw(number)}
            mentions += [row] * draw(st.integers(1, 2))
        for _ in range(draw(st.integers(0, 4))):
            label = draw(st.sampled_from(["in0", "gpe0-x", "ö"]))
            relations.append({"s": draw(number), "p": label, "o": draw(number)})
    return {
        "id": draw(st.text(max_size=4)),
        "content": text,
        "tags": ["all"],
        "iptc": [],
        "mentions": mentions,
        "concepts": concepts,
        "relations": relations,
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(row=documents())
def test_any_document_survives_both_ways(tmp_path, row):
    report = ConversionReport()
    (doc,) = convert(tmp_path, row, report=report)
    written = to_dwie(saved(doc))
    n_lost = report.counts["mentions of nothing but white space left out"]
    assert len(row["mentions"]) - len(written["mentions"]) == n_lost
    if n_lost:
        kept = Counter((m["begin"], m["end"]) for m in written["mentions"])
        row["mentions"] = [m for m in row["mentions"] if kept[m["begin"], m["end"]]]
    assert meaning(written) == meaning(row)


@pytest.mark.corpora("dwie")
def test_a_few_real_documents_survive_both_ways(tmp_path):
    splits = tmp_path / "splits.json"
    ids = json.loads((DWIE / "splits.json").read_text())["dev"][:5]
    splits.write_text(json.dumps({"some": ids}))
    check_real(splits, "some")


def check_real(splits, split):
    report, counts = ConversionReport(), Counter()
    folder = DWIE / "annos_with_content"
    ids = json.loads(splits.read_text())[split]
    docs = read_dwie(folder, NLP, splits=splits, split=split, report=report)
    for name, doc in zip(ids, docs, strict=True):
        row = json.loads((folder / f"{name}.json").read_text())
        assert meaning(to_dwie(saved(doc))) == meaning(row)
        clusters = get_clusters(doc)
        assert {cluster.label for cluster in clusters} <= {*TYPES, OTHER_TYPE}
        counts["documents"] += 1
        counts["mentions in the files"] += len(row["mentions"])
        counts["entities in the files"] += len(row["concepts"])
        counts["relations in the files"] += len(row["relations"])
        counts["mentions"] += sum(len(cluster.group) for cluster in clusters)
        counts["entities"] += len(clusters)
        counts["relations"] += len(doc._.relations)
        counts["documents without entities"] += not clusters
    return counts, report.counts


@pytest.mark.corpora("dwie")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "counts", "reported"),
    [
        (
            "train",
            {
                "documents": 604,
                "mentions in the files": 32449,
                "mentions": 32449,
                "entities in the files": 17444,
                "entities": 16494,
                "relations in the files": 16121,
                "relations": 14386,
                "documents without entities": 2,
            },
            {
                "entities without mentions left out": 950,
                "relations of entities without mentions left out": 1711,
                "relations listed twice kept once": 17,
                "relations of an entity to itself left out": 7,
                "mentions widened to whole tokens": 86,
            },
        ),
        (
            "dev",
            {
                "documents": 98,
                "mentions in the files": 5491,
                "mentions": 5491,
                "entities in the files": 2939,
                "entities": 2785,
                "relations in the files": 2939,
                "relations": 2620,
                "documents without entities": 0,
            },
            {
                "entities without mentions left out": 154,
                "relations of entities without mentions left out": 315,
                "relations listed twice kept once": 4,
                "mentions widened to whole tokens": 20,
            },
        ),
    ],
)
def test_all_real_documents_survive_both_ways_and_keep_their_counts(split, counts, reported):
    found, found_reported = check_real(DWIE / "splits.json", split)
    assert found == counts
    for reason in ("frames left out", "mentions' candidates for links left out"):
        assert found_reported.pop(reason) > 0
    assert found_reported == reported
