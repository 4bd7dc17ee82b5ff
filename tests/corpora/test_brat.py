from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters, has_relations, set_clusters
from spacy_docre.corpora.brat import read_brat, to_brat
from spacy_docre.corpora.report import ConversionReport

from .strategies import PIECES

NLP = spacy.blank("en")
TEXT = "𝒜nn Lee\r\nleft. South and North Korea fought; she saw New\nYork."


def folder_of(tmp_path, *annotations, text=TEXT):
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    for number, rows in enumerate(annotations):
        (folder / f"doc {number}.txt").write_bytes(text.encode())
        if rows is not None:
            (folder / f"doc {number}.ann").write_bytes("\n".join(rows).encode())
    return folder


def convert(tmp_path, *annotations, text=TEXT, **options):
    return list(read_brat(folder_of(tmp_path, *annotations, text=text), NLP, **options))


ANNOTATIONS = [
    "T1\tPerson 0 7\t𝒜nn Lee",
    "T2\tPerson 45 48\tshe",
    "T3\tGPE 15 20;31 36\tSouth Korea",
    "T4\tGPE 25 36\tNorth Korea",
    "T5\tGPE 53 56;57 61\tNew York",
    "T6\tFight 37 43\tfought",
    "",
    "*\tEquiv T1 T2",
    "E1\tFight:T6 Who:T3 Whom:T4",
    "R1\tVisits Arg1:T2 Arg2:T5\t",
    "R2\tVisits Arg1:T1 Arg2:T5",
    "R3\tSide Who:E1 Whom:T3",
    "R4\tSame Arg1:T1 Arg2:T2",
    "A1\tNegation E1",
    "A2\tGender T1 unknown as yet",
    "M1\tSpeculation T2",
    "N1\tReference T3 Wikidata:Q884\tSouth Korea",
    "N2\tReference T4 Wikidata:Q423\tNorth Korea",
    "N3\tReference T4 KB:7\tDPRK",
    "#1\tAnnotatorNotes T5\tthe city, not the state",
    "#2\tAnnotatorNotes R1\tsee above\r",
]


def test_everything_that_has_a_place_is_kept(tmp_path):
    (doc,) = convert(tmp_path, ANNOTATIONS)
    assert doc.text == TEXT
    assert doc.user_data["title"] == "doc 0"
    ann, south, north, york = get_clusters(doc)
    assert [(span.text, span.label_) for span in ann.group] == [
        ("𝒜nn Lee", "Person"),
        ("she", "Person"),
    ]
    assert [span.text for span in south.group] == ["South and North Korea"]
    assert south.group.attrs["offsets"] == [[[15, 20], [31, 36]]]
    assert [span.text for span in york.group] == ["New\nYork"], "brat cuts mentions at line ends"
    assert "offsets" not in york.group.attrs
    assert south.mentions[0].kb_id_ == "Wikidata:Q884"
    assert ann.group.attrs["brat"] == {
        "attributes": [[0, "Gender", "unknown as yet"], [1, "Speculation", None]]
    }
    assert north.group.attrs["brat"] == {
        "normalizations": [[0, "Wikidata:Q423", "North Korea"], [0, "KB:7", "DPRK"]]
    }
    assert york.group.attrs["brat"] == {"notes": [[0, "AnnotatorNotes", "the city, not the state"]]}
    assert len(doc.ents) == 4
    (visits,) = doc._.relations
    assert visits.triple == ("entity_clusters_1", "Visits", "entity_clusters_4")
    assert [span.text for span in visits.evidence] == ["she", "New\nYork", "𝒜nn Lee", "New\nYork"]


def test_everything_else_is_counted(tmp_path):
    report = ConversionReport()
    convert(tmp_path, ANNOTATIONS, None, report=report)
    assert report.counts == {
        "discontinuous mentions filled": 1,
        "events left out": 1,
        "triggers of events left out": 1,
        "attributes of events left out": 1,
        "notes of relations left out": 1,
        "relations of what is left out left out as well": 1,
        "relations of an entity to itself left out": 1,
        "documents without an .ann file, not annotated": 1,
    }


def test_texts_without_annotations_are_not_annotated(tmp_path):
    unannotated, empty = convert(tmp_path, None, [])
    assert not has_relations(unannotated)
    assert has_relations(empty)


def test_what_joins_mentions(tmp_path):
    rows = [
        "T1\tPerson 0 7",
        "T2\tPerson 45 48\tshe",
        "T3\tPerson 0 4\t𝒜nn \tthe first name",
        "T4\tThing 0 7\t𝒜nn Lee",
        "R1\tCoref Anaphor:T2 Antecedent:T1",
        "N1\tReference T1 KB:1\tAnn",
        "N2\tReference T3 KB:2\tAnn",
        "N3\tReference T3 KB:1\tAnn",
    ]

    def clusters(**options):
        (doc,) = convert(tmp_path, rows, **options)
        relations = [relation.label for relation in doc._.relations]
        return [[span.text for span in c.group] for c in get_clusters(doc)], relations

    everything = [["𝒜nn"], ["𝒜nn Lee"], ["𝒜nn Lee"], ["she"]]
    assert clusters() == (everything, ["Coref"])
    joined = [["𝒜nn"], ["𝒜nn Lee", "she"], ["𝒜nn Lee"]]
    assert clusters(coref_types=["Coref"]) == (joined, [])
    joined = [["𝒜nn", "𝒜nn Lee", "she"], ["𝒜nn Lee"]]
    assert clusters(coref_types=["Coref"], join_ids=True) == (joined, [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("T9\tPerson 0 3\tBob", "'𝒜nn'"),
        ("T9\tPerson 0 99\tBob", "0-99|the text at"),
        ("T9\tPerson 5 5\t", "5-5"),
        ("T9\tPerson 0 5;4 7", "out of order"),
        ("T9\tPerson 0 x\tBob", "form"),
        ("T9\tPerson", "form"),
        ("T1\tPerson 45 48\tshe", "already"),
        ("R9\tVisits Arg1:T1", "form"),
        ("R9\tVisits Arg1:T1 Arg2:T77", "'T77'"),
        ("R9\tVisits T1 T2", "form"),
        ("E9\tFight Who:T2", "form"),
        ("*\tEquiv T1 T77", "'T77'"),
        ("A9\tNegation", "form"),
        ("N9\tReference T1", "form"),
        ("#9\tAnnotatorNotes", "form"),
        ("X9\tAnything T1", "no sign"),
        ("T9 Person 0 7 Ann", "form"),
        ("\tPerson 0 7", "no sign"),
    ],
)
def test_malformed_line_is_named(tmp_path, row, reason):
    with pytest.raises(DocreError, match=rf"doc 1\.ann, line 3: .*({reason})"):
        convert(tmp_path, ANNOTATIONS, [ANNOTATIONS[0], "", row])


def test_malformed_folders(tmp_path):
    with pytest.raises(DocreError, match=r"\.txt"):
        list(read_brat(tmp_path, NLP))
    folder = folder_of(tmp_path, ANNOTATIONS)
    (folder / "lone.ann").write_text("")
    with pytest.raises(DocreError, match=r"lone\.ann: there is no \.txt"):
        list(read_brat(folder, NLP))
    (folder / "lone.txt").write_bytes(b"\xff")
    with pytest.raises(DocreError, match=r"lone\.txt"):
        list(read_brat(folder, NLP))


def saved(doc):
    (again,) = DocBin(store_user_data=True, docs=[doc]).get_docs(Vocab())
    return again


def test_written_files_are_read_again(tmp_path):
    (doc,) = convert(tmp_path, ANNOTATIONS)
    written = to_brat(saved(doc))
    assert written.splitlines() == [
        "T1\tPerson 0 7\t𝒜nn Lee",
        "T2\tGPE 15 20;31 36\tSouth Korea",
        "T3\tGPE 25 36\tNorth Korea",
        "T4\tPerson 45 48\tshe",
        "T5\tGPE 53 56;57 61\tNew York",
        "*\tEquiv T1 T4",
        "A1\tGender T1 unknown as yet",
        "A2\tSpeculation T4",
        "N1\tReference T2 Wikidata:Q884\tSouth Korea",
        "N2\tReference T3 Wikidata:Q423\tNorth Korea",
        "N3\tReference T3 KB:7\tDPRK",
        "#1\tAnnotatorNotes T5\tthe city, not the state",
        "R1\tVisits Arg1:T4 Arg2:T5",
        "R2\tVisits Arg1:T1 Arg2:T5",
    ]
    (again,) = convert(tmp_path, [written])
    assert to_brat(again) == written
    assert again._.relations == doc._.relations


def test_what_brat_has_no_place_for_is_counted():
    doc = NLP("Ann saw \n Rome . Twice .")
    clusters = [[doc.char_span(0, 3, kb_id="Ann Lee")], [doc[3:4]], [doc[2:3]], []]
    set_clusters(doc, clusters)
    doc._.relations = [
        {"head": f"entity_clusters_{h}", "label": "is in", "tail": f"entity_clusters_{t}"}
        | {"score": 0.5, "evidence": [(0, 4)]}
        for h, t in ((1, 2), (1, 4))
    ]
    report = ConversionReport()
    assert to_brat(doc, report=report).splitlines()[-1] == "R1\tis_in Arg1:T1 Arg2:T2"
    assert report.counts == {
        "names without white space, which brat's cannot have": 4,
        "mentions of nothing but white space left out": 1,
        "entities without mentions left out": 2,
        "identifiers of no knowledge base, written as KB:...": 1,
        "relations written without all of their evidence": 1,
        "relations written between the first mentions": 1,
        "relations of entities without mentions left out": 1,
        "relations written without their score": 1,
    }


def test_nothing_from_a_text_makes_a_line():
    doc = NLP("A\nT9\tX 0 1\tA\u2028B")
    set_clusters(doc, [[doc[0:]]])
    doc.spans["entity_clusters_1"].attrs["brat"] = {
        "notes": [[0, "AnnotatorNotes", "one\nT7\tX 0 1\tA\x85"]]
    }
    rows = to_brat(doc).splitlines()
    assert [row[:2] for row in rows] == ["T1", "#1"]
    assert rows[0] == "T1\tEntity 0 1;2 12;13 14\tA T9\tX 0 1\tA B"


@dataclass
class Meaning:
    """What annotations say, without identifiers and order."""

    mentions: list = field(default_factory=list)
    relations: Counter = field(default_factory=Counter)


def meaning(doc):
    found = Meaning()
    places = {}
    for cluster in get_clusters(doc):
        offsets = cluster.group.attrs.get("offsets")
        rows = []
        for i, span in enumerate(cluster.group):
            parts = offsets[i] if offsets else [(span.start_char, span.end_char)]
            rows.append((tuple(map(tuple, parts)), span.label_, span.kb_id_))
        places[cluster.key] = sorted(rows)
        notes = cluster.group.attrs.get("brat", {}).items()
        kept = sorted((name, sorted(map(tuple, values))) for name, values in notes)
        found.mentions.append((sorted(rows), kept))
    for relation in doc._.relations:
        head, label, tail = relation.triple
        row = (repr(places[head]), label, repr(places[tail]))
        found.relations[(*row, str(sorted(map(tuple, relation["evidence"]))))] += 1
    found.mentions.sort()
    return found


@st.composite
def standoff(draw):
    """A text and annotations of it: nested, crossing, discontinuous and identical mentions."""
    text = draw(PIECES | st.text(max_size=40))
    rows = []
    n_mentions = draw(st.integers(0, 6)) if text else 0
    for number in range(1, n_mentions + 1):
        places = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=4)))
        places = places[: len(places) // 2 * 2]
        parts = ";".join(f"{a} {b}" for a, b in zip(places[::2], places[1::2], strict=True))
        rows.append(f"T{number}\t{draw(st.sampled_from(['Person', 'x-ö']))} {parts}")
        if draw(st.booleans()):
            rows.append(f"N{number}\tReference T{number} KB:{draw(st.integers(1, 3))}\tname")
        if draw(st.booleans()):
            rows.append(f"A{number}\tSure T{number} not so")
        if draw(st.booleans()):
            rows.append(f"#{number}\tAnnotatorNotes T{number}\tnote {number}")
    if n_mentions:
        mention = st.integers(1, n_mentions).map("T{}".format)
        for _ in range(draw(st.integers(0, 2))):
            rows.append(f"*\tEquiv {draw(mention)} {draw(mention)}")
        for number in range(draw(st.integers(0, 4))):
            label = draw(st.sampled_from(["in0", "gpe0-x"]))
            rows.append(f"R{number}\t{label} Arg1:{draw(mention)} Arg2:{draw(mention)}")
    return text, draw(st.permutations(rows))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(document=standoff())
def test_any_document_survives_both_ways(tmp_path, document):
    text, rows = document
    (doc,) = convert(tmp_path, rows, text=text)
    report = ConversionReport()
    written = to_brat(saved(doc), report=report)
    if not report.counts:
        (again,) = convert(tmp_path, written.split("\n"), text=text)
        assert again.text == doc.text == text
        assert meaning(saved(again)) == meaning(saved(doc))
        assert to_brat(again) == written
    else:
        assert set(report.counts) <= {
            "mentions of nothing but white space left out",
            "mentions without the line ends at their ends",
            "entities without mentions left out",
            "relations of entities without mentions left out",
            "relations written without all of their evidence",
            "relations written between the first mentions",
        }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    row=st.text(max_size=30)
    | st.lists(
        st.sampled_from(["T1", "R1", "E1", "N1", "A1", "#1", "*", "\t", " ", ":", "0 3", ";", "x"]),
        max_size=9,
    ).map("".join)
)
def test_any_line_is_read_or_refused(tmp_path, row):
    with suppress(DocreError):
        assert len(convert(tmp_path, [ANNOTATIONS[0], row])) == 1
