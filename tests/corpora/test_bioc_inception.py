"""BioC and INCEpTION beyond what all tools have in common."""

import base64
import json
import sys
from importlib.util import find_spec

import pytest
import spacy

from spacy_docre import DocreError, get_clusters
from spacy_docre.corpora.bioc import read_bioc
from spacy_docre.corpora.formats import all_formats, guess_format
from spacy_docre.corpora.inception import CHAIN, LINK, read_inception
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.data.clusters import DEFAULT_PREFIX

from ..fuzz.checks import differences, meaning
from ..util import birth_doc, make_doc

NLP = spacy.blank("en")
needs_bioc = pytest.mark.skipif(not find_spec("bioc"), reason="needs the extra [bioc]")
needs_cassis = pytest.mark.skipif(not find_spec("cassis"), reason="needs the extra [inception]")
LAYERS = """<?xml version="1.0" encoding="UTF-8"?>
<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier"><types>
<typeDescription><name>de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity</name>
<supertypeName>uima.tcas.Annotation</supertypeName><features>
<featureDescription><name>value</name><rangeTypeName>uima.cas.String</rangeTypeName>
</featureDescription>
<featureDescription><name>identifier</name><rangeTypeName>uima.cas.String</rangeTypeName>
</featureDescription></features></typeDescription>
<typeDescription><name>webanno.custom.Knows</name>
<supertypeName>uima.tcas.Annotation</supertypeName><features>
<featureDescription><name>Governor</name><rangeTypeName>uima.tcas.Annotation</rangeTypeName>
</featureDescription>
<featureDescription><name>Dependent</name><rangeTypeName>uima.tcas.Annotation</rangeTypeName>
</featureDescription>
<featureDescription><name>value</name><rangeTypeName>uima.cas.String</rangeTypeName>
</featureDescription></features></typeDescription></types></typeSystemDescription>
"""
XMI = """<?xml version="1.0" encoding="UTF-8"?>
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"
 xmlns:type="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore"
 xmlns:custom="http:///webanno/custom.ecore" xmi:version="2.0">
<cas:NULL xmi:id="0"/>
<type:NamedEntity xmi:id="5" sofa="1" begin="3" end="6" value="PER" identifier="Q1"/>
<type:NamedEntity xmi:id="6" sofa="1" begin="11" end="13" value="PER"/>
<custom:Knows xmi:id="7" sofa="1" begin="11" end="13" Governor="5" Dependent="6" value="met"/>
<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="🎉 Ada met Bo"/>
<cas:View sofa="1" members="5 6 7"/>
</xmi:XMI>
"""


@needs_cassis
def test_xmi_of_inception_is_read_beside_its_layers(tmp_path):
    (tmp_path / "TypeSystem.xml").write_text(LAYERS)
    (tmp_path / "a.xmi").write_text(XMI)
    assert guess_format(tmp_path).name == "inception"
    (doc,) = read_inception(tmp_path, NLP, report=ConversionReport())
    assert doc.user_data["title"] == "a"
    assert [(c.text, c.label, c.kb_id) for c in get_clusters(doc)] == [
        ("Ada", "PER", "Q1"),
        ("Bo", "PER", ""),
    ]
    assert [(r.head.text, r.label, r.tail.text) for r in doc._.relations] == [("Ada", "met", "Bo")]
    (tmp_path / "TypeSystem.xml").unlink()
    with pytest.raises(DocreError, match=r"no TypeSystem\.xml beside"):
        list(read_inception(tmp_path, NLP, report=ConversionReport()))


@needs_cassis
@pytest.mark.parametrize("form", ["xmi", "json"])
def test_inception_is_written_and_read_again(tmp_path, form):
    entry = all_formats()["inception"]
    doc = birth_doc(NLP.vocab, 0)
    doc.user_data["title"] = "a/b"
    report = ConversionReport()
    settings = {"report": report, "prefix": DEFAULT_PREFIX}
    entry.write([doc], tmp_path / "one", form=form, **settings)
    assert guess_format(tmp_path / "one") == entry
    (again,) = entry.read(tmp_path / "one", NLP, **settings)
    assert again.user_data["title"] == "a/b"
    clusters = [[s.text for s in c.mentions] for c in get_clusters(again)]
    assert clusters == [[s.text for s in c.mentions] for c in get_clusters(doc)]
    assert {r.triple for r in again._.relations} == {r.triple for r in doc._.relations}
    entry.write([again], tmp_path / "two", form=form, **settings)
    (third,) = entry.read(tmp_path / "two", NLP, **settings)
    assert not differences(meaning(again), meaning(third))


@needs_cassis
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xmi", "<notes/>"),
        ("a.xmi", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
        ("a.json", "[]"),
        ("a.json", "{"),
    ],
)
def test_other_files_are_no_cas(tmp_path, name, text):
    (tmp_path / "TypeSystem.xml").write_text(LAYERS)
    (tmp_path / name).write_text(text)
    with pytest.raises(DocreError, match=rf"{name}: no CAS"):
        list(read_inception(tmp_path, NLP, report=ConversionReport()))


@needs_cassis
@pytest.mark.parametrize("first", [[0], [0, 0, 1]])
@pytest.mark.parametrize("last", [None, 0, 1, 2])
def test_chains_that_meet_or_go_round_have_an_end(tmp_path, first, last):
    """Ada, she, her: one chain, or several that share their links, and the last link leads back."""
    import cassis

    system = cassis.TypeSystem()
    chain, link = system.create_type(CHAIN, "uima.cas.AnnotationBase"), system.create_type(LINK)
    system.create_feature(chain, "first", LINK)
    system.create_feature(link, "next", LINK)
    cas = cassis.Cas(system)
    cas.sofa_string, cas.sofa_mime = "Ada said she lost her hat", "text/plain"
    links = [link(begin=begin, end=begin + 3) for begin in (0, 9, 18)]
    links[0].next, links[1].next = links[1:]
    links[2].next = None if last is None else links[last]
    cas.add_all([*links, *(chain(first=links[number]) for number in first)])
    (tmp_path / "TypeSystem.xml").write_text(system.to_xml())
    (tmp_path / "a.xmi").write_text(cas.to_xmi())
    (doc,) = read_inception(tmp_path, NLP, report=ConversionReport())
    clusters = [[span.text for span in cluster.mentions] for cluster in get_clusters(doc)]
    assert clusters == [["Ada", "she", "her"]]


def in_utf_7(text):
    """XML that says to be in UTF-7, in which nothing but letters is what it looks like."""
    coded = [
        c if c.isalnum() else f"+{base64.b64encode(c.encode('utf-16-be')).decode().rstrip('=')}-"
        for c in text
    ]
    return '<?xml version="1.0" encoding="UTF-7"?>' + "".join(coded)


@needs_bioc
@needs_cassis
@pytest.mark.parametrize(("name", "read"), [("a.xml", read_bioc), ("a.xmi", read_inception)])
def test_entities_do_not_hide_in_another_encoding(tmp_path, name, read):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    evil = f'<!DOCTYPE collection [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    evil += "<collection><document><id>&x;</id></document></collection>"
    (tmp_path / "TypeSystem.xml").write_text(LAYERS)
    (tmp_path / name).write_text(in_utf_7(evil))
    with pytest.raises(DocreError, match="Start tag expected"):
        list(read(tmp_path if name == "a.xmi" else tmp_path / name, NLP, report=ConversionReport()))


def bioc_json(relation):
    annotations = [
        {
            "id": str(number),
            "infons": {"type": label, "identifier": identifier},
            "text": text,
            "locations": [{"offset": offset, "length": len(text)}],
        }
        for number, (text, offset, label, identifier) in enumerate(
            [
                ("ada", 0, "Chemical", "MESH:D1"),
                ("bo", 8, "Disease", "MESH:D2"),
                ("ada", 16, "Chemical", "MESH:D1"),
            ]
        )
    ]
    passages = [
        {"offset": 0, "infons": {}, "text": "ada and bo.", "annotations": annotations[:2]},
        {"offset": 12, "infons": {}, "text": "And ada.", "annotations": annotations[2:]},
    ]
    document = {"id": "7", "infons": {}, "passages": passages, "relations": [relation]}
    return json.dumps({"source": "", "date": "", "key": "", "infons": {}, "documents": [document]})


@needs_bioc
@pytest.mark.parametrize(
    "infons",
    [
        {"type": "treats", "role1": "Chemical|MESH:D1", "role2": "Disease|MESH:D2"},
        {"type": "treats", "entity1": "MESH:D1", "entity2": "MESH:D2"},
        {"type": "treats", "role1": {"identifier": "MESH:D1"}, "role2": {"identifier": "MESH:D2"}},
        {"relation": "treats", "Chemical": "D1", "Disease": "D2"},
    ],
)
def test_relations_of_identifiers_in_passages(tmp_path, infons):
    path = tmp_path / "in.json"
    path.write_text(bioc_json({"id": "R1", "infons": infons, "nodes": []}))
    assert guess_format(path).name == "bioc"
    report = ConversionReport()
    (doc,) = read_bioc(path, NLP, report=report)
    assert doc.text == "ada and bo. And ada."
    assert [[s.text for s in c.mentions] for c in get_clusters(doc)] == [["ada", "ada"], ["bo"]]
    (relation,) = doc._.relations
    assert (relation.head.kb_id, relation.label, relation.tail.kb_id) == (
        "MESH:D1",
        "treats",
        "MESH:D2",
    )
    assert report.counts == {"passages joined to one text with the first": 1}


@needs_bioc
def test_relations_of_what_is_not_there_are_counted(tmp_path):
    path = tmp_path / "in.json"
    nodes = [{"refid": "0", "role": "a"}, {"refid": "9", "role": "b"}]
    path.write_text(bioc_json({"id": "R1", "infons": {"type": "treats"}, "nodes": nodes}))
    report = ConversionReport()
    (doc,) = read_bioc(path, NLP, report=report)
    assert not doc._.relations
    assert report.counts["relations that do not name two mentions or entities, skipped"] == 1


@needs_bioc
@pytest.mark.parametrize("text", ["<x>", '<!DOCTYPE x [<!ENTITY a "b">]><collection/>', "{]"])
def test_other_files_are_no_bioc(tmp_path, text):
    (tmp_path / "in.xml").write_text(text)
    with pytest.raises(DocreError, match=r"in\.xml: not BioC"):
        list(read_bioc(tmp_path / "in.xml", NLP, report=ConversionReport()))


@pytest.mark.parametrize(
    ("name", "json_name", "form"), [("bioc", "a.json", {}), ("inception", "a", {"form": "json"})]
)
def test_characters_that_xml_has_not_are_refused(tmp_path, name, json_name, form):
    entry = all_formats()[name]
    if not entry.is_available:
        pytest.skip(f"needs the package {entry.package}")
    doc = make_doc(NLP.vocab, ["a\x0b", "b"], [[(0, 1)], [(1, 2)]], relations=[(0, "r", 1)])
    doc.user_data["title"] = "t"
    settings = {"report": ConversionReport(), "prefix": DEFAULT_PREFIX}
    with pytest.raises(DocreError, match=r"D075.*no character '\\x0b'"):
        entry.write([doc], tmp_path / "out.xml", **settings)
    assert not any(tmp_path.iterdir())
    entry.write([doc], tmp_path / json_name, **settings, **form)
    (again,) = entry.read(tmp_path / json_name, NLP, **settings)
    assert again.text == doc.text


@pytest.mark.parametrize(
    ("module", "name", "extra"), [("bioc", "a.xml", "bioc"), ("cassis", "", "inception")]
)
def test_missing_packages_are_named(tmp_path, monkeypatch, module, name, extra):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "a.xml").write_text("<collection></collection>")
    reader = read_bioc if name else read_inception
    with pytest.raises(DocreError, match=rf"D021.*\.\[{extra}\]"):
        list(reader(tmp_path / name, NLP, report=ConversionReport()))
