"""Every format read back by the library that reads it."""

import builtins
import csv
import json
import re
from collections import Counter
from functools import partial

import networkx
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_docre import DocreError, get_clusters
from spacy_docre.annotation import annotate
from spacy_docre.annotation.cypher import cypher_text, literal
from spacy_docre.annotation.naming import entity_path, path_segment
from spacy_docre.annotation.sinks import SUFFIXES, Format, SinkSettings, make_sinks
from spacy_docre.annotation.sources import read_records
from spacy_docre.annotation.tables import (
    FORMULA,
    EntitySink,
    merge_tables,
    read_entities,
    relation_rows,
)
from spacy_docre.corpora.docred import read_docred, to_docred
from spacy_docre.corpora.jsonl import read_jsonl, to_jsonl
from spacy_docre.data.relation import get_relations

from ..annotating import HOSTILE_NAMES, annotate_hostile, make_pipeline, make_records, make_texts
from ..util import count_calls, make_doc

BASE = "https://example.org/kg/"
NAMES = {"prefix": "entity_clusters", "attr": "relations"}


@pytest.fixture(scope="module")
def nlp():
    return make_pipeline()


@pytest.fixture(scope="module")
def annotations(nlp):
    return list(annotate(nlp, make_records([*make_texts(20), "", "Ada.", "nobody"])))


@pytest.fixture(scope="module")
def hostile():
    return annotate_hostile(make_pipeline())


def write(path, annotations, name, base=BASE):
    (make,) = make_sinks([name], SinkSettings(base, "en_x-1.0")).values()
    sink = make(path)
    for annotation in annotations:
        sink.add(annotation)
    sink.close()
    return path


def plain(doc):
    """Mentions and relations of a document."""
    clusters = [[(s.start, s.end, s.label_) for s in c.group] for c in get_clusters(doc)]
    return clusters, [relation.triple for relation in get_relations(doc)]


@pytest.fixture(params=["ordinary", "hostile"])
def either(request, annotations, hostile):
    return annotations if request.param == "ordinary" else hostile


def test_jsonl_is_read_by_the_packages_own_reader(tmp_path, nlp, either):
    path = write(tmp_path / "a.jsonl", either, Format.jsonl)
    rows = [json.loads(line) for line in path.read_text().split("\n") if line]
    assert rows == [annotation.row for annotation in either]
    docs = list(read_jsonl(path, nlp))
    assert [to_jsonl(doc)["relations"] for doc in docs] == [row["relations"] for row in rows]
    assert [doc.text for doc in docs] == [row["text"] for row in rows]


def test_jsonl_can_be_annotated_again(tmp_path, nlp, hostile):
    path = write(tmp_path / "a.jsonl", hostile, Format.jsonl)
    records = list(read_records([str(path)]))
    assert [record.id for record in records] == HOSTILE_NAMES
    assert records[0].meta["meta"] == {"x": HOSTILE_NAMES[0]}


def test_spacy_files_have_everything(tmp_path, either):
    path = write(tmp_path / "a.spacy", either, Format.spacy)
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))
    assert [plain(doc) for doc in docs] == [plain(annotation.doc) for annotation in either]
    for doc, annotation in zip(docs, either, strict=True):
        record = annotation.record
        assert doc.text == record.text
        fields = [doc.user_data[key] for key in ("id", "title", "source")]
        assert fields == [record.id, record.title, record.source]
        assert json.loads(doc.user_data["meta"]) == record.meta
    again = list(read_records([str(path)]))
    assert [record.id for record in again] == [annotation.record.id for annotation in either]


def test_spacy_files_leave_out_what_cannot_be_saved(tmp_path, nlp):
    (annotation,) = annotate(nlp, make_records(["Ada saw Oslo."]))
    annotation.doc.user_data["object"] = object()
    path = write(tmp_path / "a.spacy", [annotation], Format.spacy)
    assert len(list(DocBin().from_disk(path).get_docs(nlp.vocab))) == 1
    assert "object" in annotation.doc.user_data


def test_docred_is_read_by_convert(tmp_path, nlp, either):
    path = write(tmp_path / "a.json", either, Format.docred)
    docs = list(read_docred(path, nlp.vocab))
    assert [plain(doc) for doc in docs] == [plain(annotation.doc) for annotation in either]
    titles = [a.record.title or a.record.id for a in either]
    assert [doc.user_data["title"] for doc in docs] == titles
    for doc, annotation in zip(docs, either, strict=True):
        assert [t.text for t in doc] == [t.text for t in annotation.doc]
        rows = json.loads(json.dumps(to_docred(annotation.doc, "x", **NAMES)))["labels"]
        scores = [relation.score for relation in get_relations(annotation.doc)]
        assert [row["score"] for row in rows] == scores


def test_docred_sentences_hold_whole_mentions_and_evidence(nlp):
    words = ["a", "b", ".", "c", "d", ".", "e", "f", "."]
    doc = make_doc(nlp.vocab, words, [[(1, 4)], [(7, 8)]], sent_starts=(0, 3, 6))
    doc._.relations = [
        {"head": "entity_clusters_1", "label": "r", "tail": "entity_clusters_2", "score": 0.5}
        | {"evidence": [(7, 8), (4, 7)]}
    ]
    row = to_docred(doc, "T", **NAMES)
    assert row["sents"] == [words[:6], words[6:]]
    assert row["vertexSet"][0][0] == {
        "name": "b . c",
        "sent_id": 0,
        "pos": [1, 4],
        "type": "THING",
    }
    assert row["vertexSet"][1][0]["pos"] == [1, 2]
    assert row["labels"] == [{"r": "r", "h": 0, "t": 1, "evidence": [0, 1], "score": 0.5}]


def test_docred_of_a_document_without_sentences(nlp):
    doc = nlp.make_doc("Ada saw Oslo")
    assert to_docred(doc, "T", **NAMES)["sents"] == [["Ada", "saw", "Oslo"]]
    assert to_docred(nlp.make_doc(""), "T", **NAMES)["sents"] == []


def test_an_empty_part_is_valid(tmp_path):
    assert json.loads(write(tmp_path / "a.json", [], Format.docred).read_text()) == []


def parse(path, rdf_format):
    from rdflib import Graph

    return Graph().parse(path, format=rdf_format)


def test_turtle_and_ntriples_say_the_same(tmp_path, either):
    from rdflib import Literal, URIRef

    turtle = parse(write(tmp_path / "a.ttl", either, Format.turtle), "turtle")
    ntriples = parse(write(tmp_path / "a.nt", either, Format.ntriples), "nt")
    assert set(turtle) == set(ntriples)
    assert len(turtle) > 100
    names = [term for triple in turtle for term in triple if not isinstance(term, Literal)]
    assert all(isinstance(term, URIRef) for term in names), "no blank nodes"
    assert all(not set(term) & set(' <>"{}|\\^`\n') for term in names)


@pytest.mark.parametrize("kind", ["mentions", "types that begin with a digit"])
def test_names_in_turtle_are_not_compared_with_each_other(kind):
    from spacy_docre.annotation.rdf import RdfWriter

    def row(n):
        mentions = [{"start": i, "end": i + 1} for i in range(n if kind == "mentions" else 1)]
        types = [f"{i} a/b" for i in range(1 if kind == "mentions" else n)]
        return {
            **{"id": "a", "source": "a", "title": "", "text": "a" * n},
            "clusters": [{"name": "a", "type": "X", "kb_id": "", "mentions": mentions}],
            "relations": [
                {"head": 0, "label": name, "tail": 0, "score": 1.0, "evidence": []}
                for name in types
            ],
        }

    writer = RdfWriter(BASE, "en_x-1.0", "turtle")
    assert writer(row(400)).count("@prefix") <= 8
    fixed, once, twice = (count_calls(partial(writer, row(n))) for n in (1, 200, 400))
    assert (twice - fixed) / (once - fixed) < 2.1


def test_rdf_is_written_the_same_twice(tmp_path, either):
    for name in (Format.turtle, Format.ntriples, Format.graphml):
        paths = [write(tmp_path / f"{n}", either, name) for n in (1, 2)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_ntriples_parts_can_be_joined(tmp_path, annotations):
    whole = write(tmp_path / "a.nt", annotations, Format.ntriples)
    parts = [write(tmp_path / f"{n}.nt", annotations[n::2], Format.ntriples) for n in (0, 1)]
    joined = tmp_path / "joined.nt"
    joined.write_bytes(b"".join(path.read_bytes() for path in parts))
    assert set(parse(joined, "nt")) == set(parse(whole, "nt"))


def test_rdf_says_what_the_rows_say(tmp_path, either):
    graph = parse(write(tmp_path / "a.ttl", either, Format.turtle), "turtle")
    query = """
    PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
    PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
    PREFIX prov: <http://www.w3.org/ns/prov#>
    PREFIX nif: <http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#>
    PREFIX itsrdf: <http://www.w3.org/2005/11/its/rdf#>
    PREFIX dcterms: <http://purl.org/dc/terms/>
    SELECT ?id ?head ?label ?tail ?score WHERE {
        ?statement rdf:subject/rdfs:label ?head ; rdf:object/rdfs:label ?tail ;
            rdf:predicate/rdfs:label ?label ; itsrdf:taConfidence ?score ;
            prov:wasDerivedFrom ?document ; prov:wasAttributedTo/rdfs:label "en_x-1.0" ;
            rdf:subject ?h ; rdf:predicate ?p ; rdf:object ?t .
        ?h ?p ?t .
        ?document a nif:Context ; dcterms:identifier ?id .
    }"""
    found = {(*map(str, row[:4]), float(row.score)) for row in graph.query(query)}
    names_of: dict[str, set[str]] = {}
    for cluster in (c for annotation in either for c in annotation.row["clusters"]):
        names_of.setdefault(entity_path(cluster), set()).add(cluster["name"])
    expected = set()
    for annotation in either:
        row = annotation.row
        for relation in row["relations"]:
            head, tail = (row["clusters"][relation[key]] for key in ("head", "tail"))
            expected |= {
                (row["id"], h, relation["label"], t, relation["score"])
                for h in names_of[entity_path(head)]
                for t in names_of[entity_path(tail)]
            }
    assert expected
    assert found == expected


def test_rdf_mentions_have_their_offsets(tmp_path, either):
    from rdflib import URIRef

    graph = parse(write(tmp_path / "a.nt", either, Format.ntriples), "nt")
    nif = "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#"
    for annotation in either:
        document = f"{BASE}document/{path_segment(annotation.row['id'])}"
        assert (
            str(graph.value(URIRef(document), URIRef(nif + "isString"))) == annotation.row["text"]
        )
        for mention in (m for c in annotation.row["clusters"] for m in c["mentions"]):
            span = URIRef(f"{document}#char={mention['start']},{mention['end']}")
            assert str(graph.value(span, URIRef(nif + "anchorOf"))) == mention["text"]
            assert int(graph.value(span, URIRef(nif + "beginIndex"))) == mention["start"]


def test_graphml_is_read_by_networkx(tmp_path, either):
    path = write(tmp_path / "a.graphml", either, Format.graphml)
    graph = networkx.read_graphml(path, force_multigraph=True)
    expected_edges = 0
    for annotation in either:
        row = annotation.row
        for number, relation in enumerate(row["relations"], start=1):
            head, tail = (entity_path(row["clusters"][relation[k]]) for k in ("head", "tail"))
            edge = graph.edges[head, tail, f"{path_segment(row['id'])}#relation={number}"]
            assert edge["score"] == relation["score"]
            if row["id"].isprintable():
                assert (edge["label"], edge["document"]) == (relation["label"], row["id"])
            expected_edges += 1
    assert graph.number_of_edges() == expected_edges > 0


def test_graphml_without_documents_is_read(tmp_path):
    path = write(tmp_path / "b.graphml", [], Format.graphml)
    assert networkx.read_graphml(path).number_of_nodes() == 0


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_become_one_segment(name):
    from urllib.parse import unquote, urljoin

    segment = path_segment(name)
    assert unquote(segment) == name
    assert not set(segment) & set("/ <>\n\"'{}\\#?")
    joined = urljoin(f"{BASE}entity/GPE/x", f"{BASE}entity/GPE/{segment}")
    assert joined == f"{BASE}entity/GPE/{segment}", "nothing resolves it to another folder"


def test_entities_are_named_by_kb_id_or_by_type_and_name():
    assert entity_path({"kb_id": "Q1/2", "type": "X", "name": "Y"}) == "kb/Q1%2F2"
    assert entity_path({"kb_id": "", "type": "PER SON", "name": "A/B"}) == "entity/PER%20SON/A%2FB"
    assert entity_path({"kb_id": "", "type": "", "name": ""}) == "entity/_/_"


@pytest.mark.parametrize(
    ("library", "module", "name", "extra"),
    [
        ("rdflib", "rdf", Format.turtle, "export"),
        ("pyarrow", "parquet", Format.parquet, "parquet"),
    ],
)
def test_missing_library_names_the_extra(monkeypatch, library, module, name, extra):
    import sys

    original = builtins.__import__

    def refuse(imported, *args, **kwargs):
        if imported.split(".")[0] == library:
            raise ImportError(imported)
        return original(imported, *args, **kwargs)

    monkeypatch.delitem(sys.modules, f"spacy_docre.annotation.{module}", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DocreError, match=rf"D021.*'\.\[{extra}\]'"):
        make_sinks([name], SinkSettings())


def test_parquet_has_the_rows(either, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    table = parquet.read_table(write(tmp_path / "a.parquet", either, Format.parquet))
    rows = [row | {"meta": json.loads(row["meta"])} for row in table.to_pylist()]
    assert rows == [{"sentences": None} | annotation.row for annotation in either]
    empty = parquet.read_table(write(tmp_path / "b.parquet", [], Format.parquet))
    assert (empty.num_rows, empty.schema) == (0, table.schema)


def test_every_format_has_a_suffix_of_its_own():
    assert set(SUFFIXES) == set(Format)
    assert len(set(SUFFIXES.values())) == len(Format)


def unguarded(cell):
    """A cell as it was before spreadsheets were kept from reading it as a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def test_relations_as_a_table(tmp_path, either):
    sinks = make_sinks([Format.csv], SinkSettings())
    assert set(sinks) == {".csv", ".entities.csv"}
    sink = sinks[".csv"](tmp_path / "a.csv")
    for annotation in either:
        sink.add(annotation)
    sink.close()
    with (tmp_path / "a.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["head", "type", "tail", "score", "document", "evidence"]
    expected = [
        (
            annotation.row["clusters"][relation["head"]]["name"],
            relation["label"],
            annotation.row["clusters"][relation["tail"]]["name"],
            annotation.row["id"],
        )
        for annotation in either
        for relation in annotation.row["relations"]
    ]
    names = ("head", "type", "tail", "document")
    found = [tuple(unguarded(row[name]) for name in names) for row in rows]
    scores = [float(row["score"]) for row in rows]
    assert found == [tuple(name.replace("\0", "\ufffd") for name in row) for row in expected]
    assert scores == [r["score"] for a in either for r in a.row["relations"]]
    assert not any(cell.startswith(FORMULA) for row in rows for cell in row.values())


def test_evidence_is_text(tmp_path, hostile):
    rows = [row for annotation in hostile for row in relation_rows(annotation.row)]
    assert rows
    for row, annotation in zip(rows, hostile, strict=True):
        start, end = annotation.row["relations"][0]["evidence"][0]
        assert row["evidence"] == " ".join(annotation.row["text"][start:end].split())


def test_entities_are_merged_over_documents_and_parts(tmp_path, either):
    for number, part in enumerate((either[:5], either[5:])):
        sink = EntitySink(tmp_path / f"part-0000{number}.entities.csv")
        for annotation in part:
            sink.add(annotation)
        sink.close()
    merge_tables(tmp_path)
    merged = read_entities(tmp_path / "entities.csv")
    clusters = [(a.row["id"], cluster) for a in either for cluster in a.row["clusters"]]
    assert set(merged) == {entity_path(cluster) for _, cluster in clusters}
    for path, entity in merged.items():
        same = [(name, cluster) for name, cluster in clusters if entity_path(cluster) == path]
        assert entity.names == Counter(cluster["name"] for _, cluster in same)
        assert entity.types == Counter(cluster["type"] for _, cluster in same)
        assert entity.mentions == sum(len(cluster["mentions"]) for _, cluster in same)
        assert entity.first_documents == list(dict.fromkeys(name for name, _ in same))[:10]
        assert {cluster["kb_id"].replace("\0", "\ufffd") for _, cluster in same} == {entity.kb_id}
    ends = sum(2 * len(annotation.row["relations"]) for annotation in either)
    assert sum(entity.relations for entity in merged.values()) == ends
    assert max(entity.names.total() for entity in merged.values()) > 1


STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
NODE = r"\(\w?:Entity \{id: S\}\)"
VALUES = r"\w\.\w+ = (?:S|[\d.e-]+)"
STATEMENT = re.compile(
    rf"MERGE {NODE} ON CREATE SET {VALUES}(, {VALUES})*, e:`\w+`;"
    rf"|MATCH {NODE}, {NODE} MERGE \(h\)-\[r:`\w+` \{{id: S\}}\]->\(t\) "
    rf"SET {VALUES}(, {VALUES})*;"
)


def test_cypher_holds_names_in_strings_alone(either):
    for annotation in either:
        text = cypher_text(annotation.row)
        assert "\\u" not in text, "older versions of Neo4j read it before anything else"
        lines = [line for line in STRING.sub("S", text).replace("S + S", "S").split("\n") if line]
        lines = [re.sub(r"S( \+ S)*", "S", line) for line in lines]
        assert all(STATEMENT.fullmatch(line) for line in lines), lines
        assert len(lines) == len(annotation.row["clusters"]) + len(annotation.row["relations"])


@pytest.mark.parametrize("text", [*HOSTILE_NAMES, "\\u0027 OR 1", "\\\\'", "end\\", "\\'"])
def test_cypher_strings_are_what_they_were(text):
    parts = STRING.findall(literal(text))
    assert " + ".join(parts) == literal(text)
    signs = {"n": "\n", "r": "\r", "t": "\t"}
    read = (re.sub(r"\\(.)", lambda m: signs.get(m[1], m[1]), part[1:-1]) for part in parts)
    assert "".join(read) == text.replace("\0", " ")
