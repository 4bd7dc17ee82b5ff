"""Files as people bring them: packed, pasted, counted otherwise, of several hands."""

import bz2
import gzip
import io
import json
import lzma
import unicodedata
import zipfile

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_docre import DocreError, get_clusters
from spacy_docre.corpora.checks import check_corpus
from spacy_docre.corpora.formats import all_formats, check_format, guess_format
from spacy_docre.corpora.report import ConversionReport

from ..util import birth_doc, make_doc

ROW = {
    "text": "Ann met Bob.",
    "clusters": [
        {"type": "P", "mentions": [{"start": 0, "end": 3}]},
        {"type": "P", "mentions": [{"start": 8, "end": 11}]},
    ],
}
DOCRED = {
    "title": "t",
    "sents": [["Ann", "met", "Bob", "."]],
    "vertexSet": [[{"name": "Ann", "sent_id": 0, "pos": [0, 1], "type": "P"}]],
}
COUNTING = "mentions whose text is not that at their offsets, which count"
TOKENS = "mentions that contradict the tokens, unless they count"


@pytest.fixture
def convert(tmp_path):
    """Reads a file of the given content; gives its documents and what was counted."""

    def run(name, content, lang="en"):
        entry = all_formats()[name]
        if not entry.is_available:
            pytest.skip(f"needs the package {entry.package}")
        path = tmp_path / f"in{entry.suffix}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        check_format(entry, path)
        report = ConversionReport()
        settings = {"report": report, "prefix": "entity_clusters"}
        return list(entry.read(path, spacy.blank(lang), **settings)), dict(report.counts)

    return run


def mentions(doc):
    return [[span.text for span in cluster.mentions] for cluster in get_clusters(doc)]


def triples(doc):
    return [(r.head.text, r.label, r.tail.text) for r in doc._.relations]


def zipped(data):
    with zipfile.ZipFile(stream := io.BytesIO(), "w") as file:
        file.writestr("a.jsonl", data)
    return stream.getvalue()


PACKED = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: b"\x28\xb5\x2f\xfd" + data,
    "a ZIP archive or an Office document": zipped,
    "a PDF": lambda data: b"%PDF-1.4\n\xe2\xe3" + data,
    "a pointer of Git LFS": lambda data: b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ["jsonl", "docred", "pubtator", "edge-oriented"])
def test_what_is_no_text_is_called_by_its_name(convert, kind, name):
    with pytest.raises(DocreError, match=rf"D157.*{kind}"):
        convert(name, PACKED[kind](json.dumps(ROW).encode()))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "it is empty"), ("<!DOCTYPE html>\n<p>Not found</p>", "like HTML or XML, not like JSON")],
)
def test_pages_and_nothing_are_no_json(convert, text, reason):
    for name in ("docred", "label-studio"):
        with pytest.raises(DocreError, match=rf"D015.*{reason}"):
            convert(name, text)


def test_folders_are_asked_for_formats_of_folders(tmp_path):
    with pytest.raises(DocreError, match=r"format of folders .* name it: brat, dwie, inception"):
        guess_format(tmp_path)
    (tmp_path / "notes").write_text("Notes.")
    with pytest.raises(DocreError, match=r"format of files .* name it: bioc, doccano"):
        guess_format(tmp_path / "notes")


DOCCANO = {"id": 1, "text": ROW["text"], "entities": []}
TASK = {"id": 1, "data": {"text": ROW["text"]}, "annotations": []}
ROWS = {"jsonl": ROW, "docred": DOCRED, "doccano": DOCCANO, "label-studio": TASK}


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_read_in_a_list_in_lines_and_alone(tmp_path, convert, name):
    row = ROWS[name]
    lines = "\r\n".join([json.dumps(row)] * 2)
    contents = {
        2: [[row, row], json.dumps([row, row], indent=2), lines],
        1: [json.dumps(row, indent=2)],
    }
    for n, texts in contents.items():
        for text in texts:
            docs, _ = convert(name, text)
            assert [doc.text.replace(" .", ".").strip() for doc in docs] == ["Ann met Bob."] * n
            assert guess_format(tmp_path / f"in{all_formats()[name].suffix}").name == name


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"relations": {"head": 0, "label": "met", "tail": 1}}, "relations"),
        ({"relations": [[0, "met", 1]]}, r"relations\[0\]': expected an object"),
        ({"relations": [{"head": "Ann", "label": "met", "tail": 1}]}, r"relations\[0\].head"),
        ({"relations": [{"head": 0, "label": None, "tail": 1}]}, r"relations\[0\].label"),
        ({"clusters": [[[0, 3]]]}, r"clusters\[0\]': expected an object"),
        ({"clusters": [{"type": "P", "mentions": [{"start": 3, "end": 0}]}]}, "3-0 is not inside"),
    ],
)
def test_values_of_another_shape_are_named(convert, change, field):
    with pytest.raises(DocreError, match=f"D014.*field '.*{field}"):
        convert("jsonl", {**ROW, **change})


def test_mentions_out_of_order_keep_it(convert):
    given = [{"start": 8, "end": 11, "text": "Bob"}, {"start": 0, "end": 3, "text": "Ann"}]
    (doc,), counts = convert("jsonl", {**ROW, "clusters": [{"type": "P", "mentions": given}]})
    assert mentions(doc) == [["Bob", "Ann"]]
    assert not counts


@pytest.mark.parametrize(
    ("lang", "text", "names"),
    [
        ("ar", "التقت مريم بأحمد في بيروت.", ["مريم", "بيروت"]),
        ("zh", "安娜在罗马遇见了鲍勃。", ["安娜", "鲍勃"]),
        ("he", "אנה פגשה את בוב ברומא.", ["אנה", "בוב"]),
        ("hi", "अना ने बॉब से मुलाकात की।", ["अना", "बॉब"]),
    ],
)
def test_other_scripts(convert, lang, text, names):
    starts = [text.index(name) for name in names]
    given = [
        {"type": "P", "mentions": [{"start": start, "end": start + len(name), "text": name}]}
        for start, name in zip(starts, names, strict=True)
    ]
    row = {"text": text, "clusters": given, "relations": [{"head": 0, "label": "met", "tail": 1}]}
    (doc,), counts = convert("jsonl", row, lang)
    assert mentions(doc) == [[name] for name in names]
    assert triples(doc) == [(names[0], "met", names[1])]
    assert not counts


def test_accents_are_the_same_in_one_character_or_two(convert):
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        text = unicodedata.normalize(form, "José met Zoë today.")
        name = unicodedata.normalize(other, "Zoë")
        place = text.index("Z")
        for start in (place, place + 1):
            given = {"start": start, "end": start + len(name), "text": name}
            (doc,), _ = convert("jsonl", {"text": text, "clusters": [{"mentions": [given]}]})
            assert mentions(doc) == [[unicodedata.normalize(form, "Zoë")]]


# Each counts the emoji as two: after it, that is what a byte order mark does as well.
PUBTATOR = "5|t|🎉 Ann met Bob.\r\n5|a|Yes.\r\n5\t3\t6\tAnn\tP\t1\r\n5\t11\t14\tBob\tP\t2\r\n"


def prodigy_row(shift, **relation):
    text = "🎉 Ann met Bob."
    places = [(0, 1), (2, 5), (6, 9), (10, 13), (13, 14)]
    tokens = [{"text": text[s:e], "start": s, "end": e, "id": i} for i, (s, e) in enumerate(places)]
    spans = [
        {"start": s + shift, "end": e + shift, "label": "P", "token_start": i, "token_end": i}
        for i, (s, e) in enumerate(places)
        if i in (1, 3)
    ]
    relations = [{"head_span": spans[0], "child_span": spans[1], "label": "met", **relation}]
    return {"text": text, "tokens": tokens, "spans": spans, "relations": relations}


def doccano_row(places, text):
    entities = [
        {"id": i, "label": "P", "start_offset": start, "end_offset": end}
        for i, (start, end) in enumerate(places)
    ]
    relations = [{"id": 0, "from_id": 0, "to_id": 1, "type": "met"}]
    return {"id": 1, "text": text, "entities": entities, "relations": relations}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("pubtator", PUBTATOR, f"{COUNTING} UTF-16 units"),
        ("prodigy", prodigy_row(1), f"{COUNTING} UTF-16 units"),
        ("doccano", doccano_row([(3, 6), (11, 14)], "🎉 Ann met Bob."), f"{TOKENS} UTF-16 units"),
        (
            "doccano",
            doccano_row([(0, 2), (8, 10)], "Ann met Bob."),
            f"{TOKENS} the last character as the end",
        ),
    ],
)
def test_what_offsets_count_is_found_in_every_form(convert, name, content, reason):
    (doc,), counts = convert(name, content)
    assert mentions(doc) == [["Ann"], ["Bob"]]
    assert counts == {reason: 2}


def test_prodigys_answers_and_annotators(convert):
    rows = [{**prodigy_row(0), "answer": answer} for answer in ("reject", "ignore", "accept")]
    docs, counts = convert("prodigy", "\n".join(map(json.dumps, rows)))
    assert [triples(doc) for doc in docs] == [[("Ann", "met", "Bob")]]
    assert counts == {"documents with another answer than 'accept', skipped": 2}
    report = ConversionReport()
    for doc in docs * 2:
        report.add(doc)
    assert report.counts == {"documents with the text of an earlier one, both kept": 1}


def region(name, start, end, kind="labels"):
    value = {"start": start, "end": end, "text": ROW["text"][start:end], kind: ["P"]}
    return {"id": name, "type": kind, "value": value}


RELATION = {"type": "relation", "from_id": "a", "to_id": "b", "labels": ["met"]}
FULL = [region("a", 0, 3), region("b", 8, 11), RELATION]


@pytest.mark.parametrize(
    ("task", "expected", "reasons"),
    [
        (
            {"annotations": [{"result": []}, {"result": FULL, "ground_truth": True}]},
            [("Ann", "met", "Bob")],
            {"annotations beyond the first of a text, skipped": 1},
        ),
        (
            {"annotations": [{"result": FULL}, {"result": FULL[:1]}]},
            [("Ann", "met", "Bob")],
            {"annotations beyond the first of a text, skipped": 1},
        ),
        (
            {"annotations": [], "predictions": [{"result": FULL}]},
            [],
            {
                "documents without an annotation, not annotated": 1,
                "predictions of models, which are not read": 1,
            },
        ),
        (
            {"annotations": [{"result": [*FULL[::2], region("b", 8, 11, "choices")]}]},
            [],
            {
                "results of the type 'choices', which are not read": 1,
                "relations of results that are not read, skipped": 1,
            },
        ),
        (
            {"annotations": [{"result": FULL}], "file_upload": "x", "Notes": "y"},
            [("Ann", "met", "Bob")],
            {"keys 'Notes' of tasks, which are not read": 1},
        ),
    ],
)
def test_label_studios_annotations(convert, task, expected, reasons):
    (doc,), counts = convert("label-studio", [{**TASK, **task}])
    assert triples(doc) == expected
    assert counts == reasons


def test_tasks_of_the_first_label_studio_are_named(convert):
    with pytest.raises(DocreError, match="no key 'completions'; is 'annotations' meant"):
        convert("label-studio", [{"data": TASK["data"], "completions": []}])


def passage(offset, text, *found):
    annotations = [
        {
            "id": str(number),
            "infons": {"type": "Gene", **({"identifier": name} if number else {})},
            "text": name,
            "locations": [{"offset": start, "length": len(name)}],
        }
        for number, start, name in found
    ]
    return {"offset": offset, "infons": {}, "text": text, "annotations": annotations}


def bioc(passages, **infons):
    relation = {"id": "R", "infons": {"type": "binds", **infons}, "nodes": []}
    if not infons:
        relation["nodes"] = [{"refid": "0", "role": ""}, {"refid": "1", "role": ""}]
    document = {"id": "1", "infons": {}, "passages": passages, "relations": [relation]}
    return {"documents": [document], "infons": {}}


MOVED = "mentions moved to where their text is in their passage"
JOINED = {"passages joined to one text with the first": 1}


@pytest.mark.parametrize(
    ("offset", "start", "counts"),
    [
        (0, 4, JOINED),  # everything begins anew with a passage
        (0, 15, {**JOINED, MOVED: 1}),  # the passages do, their annotations do not
        (11, 15, JOINED),  # BioC
        (11, 4, {**JOINED, MOVED: 1}),  # the annotations do
    ],
)
def test_passages_whose_offsets_begin_anew(convert, offset, start, counts):
    first = passage(0, "BRAF here.", (0, 0, "BRAF"))
    second = passage(offset, "And MEK or MEK.", (1, start, "MEK"))
    (doc,), found = convert("bioc", bioc([first, second]))
    assert [m[0].start_char for m in (c.mentions for c in get_clusters(doc))] == [0, 15]
    assert triples(doc) == [("BRAF", "binds", "MEK")]
    assert found == counts


def test_relations_of_unknown_identifiers_are_not_those_of_unlinked_mentions(convert):
    text = passage(0, "BRAF MEK.", (0, 0, "BRAF"), (1, 5, "MEK"))
    (doc,), counts = convert("bioc", bioc([text], entity1="99", entity2="MEK"))
    assert triples(doc) == []
    assert counts == {"relations that do not name two mentions or entities, skipped": 1}


def test_bioc_in_lines_as_pubtators_api_gives_it(convert):
    document = bioc([passage(0, "BRAF.", (0, 0, "BRAF"))])["documents"][0]
    document["relations"] = []
    docs, _ = convert("bioc", "\n".join([json.dumps(document)] * 2))
    assert [mentions(doc) for doc in docs] == [[["BRAF"]]] * 2


@pytest.mark.parametrize("abstract", ["", "7|a|\n"])
def test_pubtator_with_a_title_alone(convert, abstract):
    text = f"7|t|BRAF binds.\n{abstract}7\t0\t4\tBRAF\tGene\t673\n8|t|Next.\n"
    docs, counts = convert("pubtator", text)
    assert [mentions(doc) for doc in docs] == [[["BRAF"]], []]
    assert not counts


VARIANT = "tmVar:p|SUB|V|600|E;HGVS:p.V600E;VariantGroup:0;CorrespondingGene:673;RS#:1;CA#:2"


@pytest.mark.parametrize(
    "argument", ["ProteinMutation|RS#:1", "Variant|p|SUB|V|600|E", "p|SUB|V|600|E", VARIANT]
)
def test_variants_are_named_by_any_part(convert, argument):
    text = (
        f"5|t|V600E of BRAF.\n5|a|V600E again.\n5\t0\t5\tV600E\tProteinMutation\t{VARIANT}\n"
        f"5\t9\t13\tBRAF\tGene\t673\n5\t15\t20\tV600E\tProteinMutation\t{VARIANT}\n"
        f"5\tassociate\t{argument}\tGene|673\n"
    )
    (doc,), _ = convert("pubtator", text)
    assert mentions(doc) == [["V600E", "V600E"], ["BRAF"]]
    assert triples(doc) == [("V600E", "associate", "BRAF")]


def test_docbins_of_other_layouts_are_checked(tmp_path):
    doc = birth_doc(spacy.blank("xx").vocab, 0)
    layouts = {"no user data": DocBin(docs=[doc]), "few": DocBin(["ORTH"], True, docs=[doc])}
    for name, doc_bin in layouts.items():
        doc_bin.to_disk(tmp_path / "a.spacy")
        docs = list(DocBin().from_disk(tmp_path / "a.spacy").get_docs(spacy.blank("xx").vocab))
        report = check_corpus(docs)
        assert len(mentions(docs[0])) == 5
        expected = (
            "has no `doc._.relations`" if name == "no user data" else "no sentence boundaries"
        )
        assert any(expected in warning for warning in report.warnings)


def test_names_of_types_that_are_nearly_the_same_are_named():
    vocab = spacy.blank("xx").vocab
    docs = [
        make_doc(
            vocab,
            ["Ann", "met", "Bob"],
            [[(0, 1), (0, 1)], [(2, 3)]],
            types=types,
            relations=[(0, label, 1)],
        )
        for label, types in (("Met", ["P", "p "]), ("met", ["P", "P"]), (" met", ["P", "P"]))
    ]
    warnings = check_corpus(docs).warnings
    assert (
        "the relation types 'Met', 'met' and ' met' differ in case or blanks alone: is one type "
        "meant?" in warnings
    )
    assert any("the entity types 'P' and 'p '" in warning for warning in warnings)
    assert sum("'Ann' (0-1) is listed twice in" in warning for warning in warnings) == 3
    assert sum("has the text of" in warning for warning in warnings) == 2
    docs = [make_doc(vocab, ["a", "b"], [[(0, 1)], [(1, 2)]], relations=[(0, "", 1)])]
    assert "has a type without a name" in check_corpus(docs).errors[0]
