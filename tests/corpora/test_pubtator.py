import re

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_docre import DocreError, get_clusters
from spacy_docre.corpora.pubtator import (
    SymmetricTypes,
    read_pubtator,
    split_identifiers,
    to_pubtator,
)
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.corpora.tokenizer import create_fine_tokenizer

from ..commands import run
from ..util import PUBLIC_CORPORA, birth_doc

NLP = spacy.blank("en")
NLP.tokenizer = create_fine_tokenizer()(NLP)
NLP.add_pipe("sentencizer")

TITLE = "Renal and hepatic failure after paracetamol."
ABSTRACT = "5-HT(1A)R was low. Paracetamol and xylol were given."
TEXT = f"{TITLE} {ABSTRACT}"


def mention(name, label, *columns, nth=0):
    start = [match.start() for match in re.finditer(re.escape(name), TEXT)][nth]
    return "\t".join(["7", str(start), str(start + len(name)), name, label, *columns])


def block(*lines):
    return "\n".join([f"7|t|{TITLE}", f"7|a|{ABSTRACT}", *lines]) + "\n\n"


FULL = block(
    mention("Renal and hepatic failure", "Disease", "D1|D2", "Renal failure|hepatic failure"),
    mention("paracetamol", "Chemical", "C1"),
    mention("5-HT(1A", "Gene", "G1"),
    mention("Paracetamol", "Chemical", "C1"),
    mention("xylol", "Chemical", "-1"),
    "7\tCID\tC1\tD1",
    "7\tAssociation\tG1\tC1\tNovel",
)


def read(tmp_path, text, **options):
    path = tmp_path / "in.txt"
    path.write_bytes(text.encode("utf8"))
    return list(read_pubtator(path, NLP, **options))


def counts(report):
    return {reason: n for n, reason, _ in report.rows()}


def test_everything_is_kept(tmp_path):
    report = ConversionReport()
    (doc,) = read(tmp_path, FULL, report=report)
    assert doc.text == TEXT
    assert doc.user_data["title"] == "7"
    assert next(sent.text for sent in doc.sents) == TITLE
    found = {c.kb_id: ([span.text for span in c.mentions], c.label) for c in get_clusters(doc)}
    assert found == {
        "D1": (["Renal and hepatic failure"], "Disease"),
        "D2": (["Renal and hepatic failure"], "Disease"),
        "C1": (["paracetamol", "Paracetamol"], "Chemical"),
        "G1": (["5-HT(1A"], "Gene"),
    }
    assert get_clusters(doc)[1].names == ["hepatic failure"]
    assert {span.kb_id_ for c in get_clusters(doc) for span in c.mentions} == set(found)
    assert [span.text for span in doc.spans["unlinked_mentions"]] == ["xylol"]
    assert "xylol" in [ent.text for ent in doc.ents]
    triples = [(r.head.kb_id, r.label, r.tail.kb_id) for r in doc._.relations]
    assert triples == [
        ("C1", "CID", "D1"),
        ("G1", "Association", "C1"),
        ("C1", "Association", "G1"),
    ]
    assert counts(report) == {
        "mentions of several entities, one of each": 1,
        "mentions without an identifier, in no cluster but in unlinked_mentions": 1,
        "undirected relations, set in both directions": 1,
    }
    assert to_pubtator(doc) == FULL


def test_mentions_inside_tokens_are_widened_and_written_as_they_were(tmp_path):
    report = ConversionReport()
    text = block(mention("aceta", "Chemical", "C1"), mention("T(1", "Gene", "G1"))
    (doc,) = read(tmp_path, text, report=report)
    assert [c.text for c in get_clusters(doc)] == ["paracetamol", "HT(1A"]
    assert get_clusters(doc)[0].names == ["aceta"]
    assert counts(report) == {"mentions widened to whole tokens": 2}
    assert to_pubtator(doc) == text


def test_identifier_that_a_relation_names_as_a_whole_is_one_entity(tmp_path):
    whole = mention("Renal and hepatic failure", "Disease", "D1|D2")
    (doc,) = read(tmp_path, block(whole, "7\tCID\tD1|D2\tD1|D2"))
    assert [c.kb_id for c in get_clusters(doc)] == ["D1|D2"]
    assert to_pubtator(doc) == block(whole, "7\tCID\tD1|D2\tD1|D2")
    report = ConversionReport()
    lines = (mention("Renal", "Disease", "D1"), mention("hepatic", "Disease", "D2"))
    chemical = mention("paracetamol", "Chemical", "C1")
    (doc,) = read(tmp_path, block(*lines, chemical, "7\tCID\tC1\tD1|D2"), report=report)
    assert [r.tail.kb_id for r in doc._.relations] == ["D1", "D2"]
    assert counts(report) == {"relations of several entities, set for each of them": 1}


@pytest.mark.parametrize(
    ("identifier", "parts"),
    [
        ("D1|D2", ["D1", "D2"]),
        ("1,2;3", ["1", "2", "3"]),
        (" CVCL_1 ", ["CVCL_1"]),
        ("-1", [""]),
        ("-", [""]),
        ("", [""]),
        ("D1|-1", ["D1", ""]),
        ("D1|D1", ["D1"]),
        ("p|SUB|R|123|W", ["p|SUB|R|123|W"]),
        ("|DEL|12,13|A", ["|DEL|12,13|A"]),
        ("tmVar:c|INS|4_5|G;RS#:1", ["tmVar:c|INS|4_5|G;RS#:1"]),
    ],
)
def test_identifiers(identifier, parts):
    assert split_identifiers(identifier) == parts
    assert split_identifiers("D1|D2,D3", ",") == ["D1|D2", "D3"]
    assert split_identifiers("D1|D2", "") == ["D1|D2"]


def test_symmetric_types(tmp_path):
    lines = [
        mention("Renal", "A", "1"),
        mention("hepatic", "A", "2"),
        "7\tBind\t1\t2",
        "7\tx\t2\t1",
    ]
    n_relations = {None: 3, "all": 4, "none": 2, "x": 3, "x, Bind": 4}
    for choice, n in n_relations.items():
        types = SymmetricTypes(choice)
        (doc,) = read(tmp_path, block(*lines), symmetric=types)
        assert len(doc._.relations) == n
        assert to_pubtator(doc, symmetric=types) == block(*lines)


def test_offsets_that_disagree_with_the_text(tmp_path):
    report = ConversionReport()
    lines = [
        "7\t0\t9\tpara cetamol\tA\t1",
        "7\t30\t43\tPARACETAMOL\tA\t2",
        "7\t0\t5\tnowhere\tA\t3",
        "7\t900\t905\tnowhere\tA\t4",
        "7\t60\t65\tpara\tA\t5",
    ]
    (doc,) = read(tmp_path, block(*lines), report=report)
    assert {c.kb_id: c.text for c in get_clusters(doc)} == {
        "1": "Renal and",
        "2": "after paracetamol",
        "3": "Renal",
        "5": "paracetamol",
    }
    assert counts(report) == {
        "mentions whose text is not that at their offsets, kept there": 3,
        "mentions outside the text, left out": 1,
        "mentions moved to the nearest place of their text": 1,
        "mentions widened to whole tokens": 2,
    }
    assert sorted(to_pubtator(doc).splitlines()) == sorted(block(*lines).splitlines())


def test_identical_mentions_and_repeated_relations(tmp_path):
    report = ConversionReport()
    same = [mention("xylol", "A", "1"), mention("xylol", "A", "1"), mention("xylol", "B", "1")]
    relations = ["7\tr\t1\t9", "7\tr\t1\t9", "7\tr\t-1\t1", "7\tBind\t1\t1"]
    (doc,) = read(tmp_path, block(*same, *relations), report=report)
    assert [len(c.mentions) for c in get_clusters(doc)] == [2, 0]
    assert [r.triple[1] for r in doc._.relations] == ["r", "Bind"]
    assert counts(report) == {
        "mentions of an entity on the same tokens as another, kept once": 1,
        "entities whose mentions differ in type, which is that of most": 1,
        "entities of relations without a mention, clusters without mentions": 1,
        "relations listed again, kept once": 1,
        "relations of an unknown identifier, left out": 1,
    }
    written = to_pubtator(doc).splitlines()
    assert sorted(written) == sorted(block(*same, *relations[1:]).splitlines())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("7|a|no title\n", "line 1'.*expected a title"),
        ("7|t|a\n7|a|b\n7|a|c\n", "line 3'.*abstract already"),
        ("7|t|a\n8|a|b\n", "line 2'.*the document '8'"),
        ("7|t|a\n\n\n8|t|a\n8\tCID\tD1\n", r"document 1 \('8'\).*line 5'.*neither"),
        ("7|t|a\n7\t0\t1\ta\n", "line 2'.*neither"),
    ],
)
def test_malformed_lines_are_named(tmp_path, text, reason):
    text = text.replace("7\t0\t1\ta\n", "7\t0\n")
    with pytest.raises(DocreError, match=rf"in\.txt: .*{reason}"):
        read(tmp_path, text)


def test_odd_files(tmp_path):
    assert read(tmp_path, "") == []
    (tmp_path / "in.txt").write_bytes(b"7|t|\xff\n")
    with pytest.raises(DocreError, match=r"in\.txt"):
        list(read_pubtator(tmp_path / "in.txt", NLP))
    docs = read(tmp_path, "\ufeff1|t|a|b\r\n1|a|\r\n\r\n2|t|\n3|t|c\u2028d\n")
    assert [doc.text for doc in docs] == ["a|b ", "", "c\u2028d"]
    assert "".join(map(to_pubtator, docs)) == "1|t|a|b\n1|a|\n\n2|t|\n\n3|t|c\u2028d\n\n"


def test_documents_from_elsewhere(tmp_path):
    doc = birth_doc(NLP.vocab, 0)
    doc.user_data["title"] = "a|b\tc"
    report = ConversionReport()
    (again,) = read(tmp_path, to_pubtator(doc, report=report))
    assert counts(report)["identifiers of documents, changed"] == 1
    assert [c.kb_id for c in get_clusters(again)] == [c.key for c in get_clusters(doc)]
    pairs = zip(get_clusters(doc), get_clusters(again), strict=True)
    assert all([s.text for s in a.mentions] == [s.text for s in b.mentions] for a, b in pairs)
    assert [r.triple for r in again._.relations] == [r.triple for r in doc._.relations]
    doc._.relations = [{"head": "entity_clusters_1", "label": "17", "tail": "entity_clusters_2"}]
    with pytest.raises(DocreError, match="'17'"):
        to_pubtator(doc)


letters = st.text(st.sampled_from("ab1 -(|,.\u00e9\u0130\u2028\u00a0\U0001f600\u0301"), max_size=12)
names = st.sampled_from(["D1", "D2", "3", "D1|D2", "p|SUB|R|1|W", "-1", "-", "D2;3", " D1"])


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(data=st.data(), title=letters, abstract=st.none() | letters)
def test_any_document_is_written_as_it_was_read(tmp_path, data, title, abstract):
    text = title if abstract is None else f"{title} {abstract}"
    lines = [f"7|t|{title}"] + ([] if abstract is None else [f"7|a|{abstract}"])
    for _ in range(data.draw(st.integers(0, 5))) if text else ():
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start + 1, len(text)))
        label, identifier = data.draw(st.sampled_from(["A", "B", ""])), data.draw(names)
        lines.append(f"7\t{start}\t{end}\t{text[start:end]}\t{label}\t{identifier}")
    pairs = st.lists(st.tuples(names, names, st.sampled_from(["r", "Bind"])), max_size=4)
    lines += [f"7\t{label}\t{head}\t{tail}" for head, tail, label in data.draw(pairs)]
    (doc,) = read(tmp_path, "\n".join(lines) + "\n\n")
    written = to_pubtator(doc)
    n_text = 1 if abstract is None else 2
    is_mention = re.compile(r"7\t\d+\t\d+\t").match
    assert written.split("\n")[:n_text] == lines[:n_text]
    mentions = [sorted(filter(is_mention, part)) for part in (written.split("\n"), lines)]
    assert mentions[0] == mentions[1]
    (again,) = read(tmp_path, written)
    assert to_pubtator(again) == written
    triples = [[(r.head.kb_id, r.label, r.tail.kb_id) for r in d._.relations] for d in (doc, again)]
    assert triples[0] == triples[1]


@pytest.mark.corpora("cdr", "biored")
@pytest.mark.parametrize(
    ("name", "n_docs", "n_relations", "n_widened"),
    [
        ("cdr/CDR_TrainingSet.PubTator.txt", 500, 1038, 5),
        ("cdr/CDR_DevelopmentSet.PubTator.txt", 500, 1012, 16),
        ("biored/Train.PubTator", 400, 2 * 4178 - 3, 101),
        ("biored/Dev.PubTator", 100, 2 * 1162 - 1, 12),
    ],
)
@pytest.mark.slow
def test_real_corpora_are_written_byte_for_byte(tmp_path, name, n_docs, n_relations, n_widened):
    output = run("convert", "pubtator", PUBLIC_CORPORA / name, tmp_path / "x.spacy")
    assert f"{n_docs} documents with {n_relations} relations" in output
    assert re.search(rf"{n_widened} +mentions widened to whole tokens", output)
    run("export", "pubtator", tmp_path / "x.spacy", tmp_path / "x.txt")
    assert (tmp_path / "x.txt").read_bytes() == (PUBLIC_CORPORA / name).read_bytes()
