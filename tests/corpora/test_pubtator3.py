"""What PubTator 3 and its API write beyond the older format."""

import pytest
import spacy

from spacy_docre import get_clusters
from spacy_docre.corpora.pubtator import read_pubtator, split_identifiers, to_pubtator
from spacy_docre.corpora.pubtator.identifiers import Names, attributes
from spacy_docre.corpora.pubtator.reader import MAX_PAIRS
from spacy_docre.corpora.report import ConversionReport

NLP = spacy.blank("en")
TEXT = "V600E and c.1799T>A of BRAF in melanoma; rs111 and rs222 too."
PROTEIN = "tmVar:p|SUB|V|600|E;HGVS:p.V600E;VariantGroup:0;CorrespondingGene:673;RS#:113488022"
CDNA = "tmVar:c|SUB|T|1799|A;HGVS:c.1799T>A;VariantGroup:0;CorrespondingGene:673"
RS111 = "tmVar:rs111;VariantGroup:1;CorrespondingGene:673;RS#:111;CorrespondingSpecies:9606"
RS222 = "rs222;CorrespondingGene:673"


def mention(name, label, identifier):
    start = TEXT.index(name)
    return f"7\t{start}\t{start + len(name)}\t{name}\t{label}\t{identifier}"


MENTIONS = [
    mention("V600E", "ProteinMutation", PROTEIN),
    mention("c.1799T>A", "DNAMutation", CDNA),
    mention("BRAF", "Gene", "673"),
    mention("melanoma", "Disease", "MESH:D008545"),
    mention("rs111", "SNP", RS111),
    mention("rs222", "SNP", RS222),
]
# The two names of one variant.
JOINED = {"entities whose mentions differ in type, which is that of most": 1}


def read(tmp_path, *relations, report=None):
    path = tmp_path / "in.txt"
    path.write_text("\n".join([f"7|t|{TEXT}", *MENTIONS, *relations]) + "\n\n")
    (doc,) = read_pubtator(path, NLP, report=report)
    return doc, path.read_text()


def test_a_variant_is_one_entity_and_its_attributes_are_none(tmp_path):
    doc, text = read(tmp_path)
    assert [[span.text for span in c.mentions] for c in get_clusters(doc)] == [
        ["V600E", "c.1799T>A"],
        ["BRAF"],
        ["melanoma"],
        ["rs111"],
        ["rs222"],
    ]
    assert to_pubtator(doc) == text


@pytest.mark.parametrize(
    ("argument", "entity"),
    [
        ("RS#:111;CorrespondingGene:673", "rs111"),
        ("RS#:111", "rs111"),
        ("rs111", "rs111"),
        ("Variant|rs111", "rs111"),
        (RS111, "rs111"),
        ("tmVar:rs222", "rs222"),
        ("rs222", "rs222"),
        ("p|SUB|V|600|E", "V600E"),
        ("HGVS:p.V600E;CorrespondingGene:673", "V600E"),
        ("c.1799T>A", "V600E"),
        ("Gene|673", "BRAF"),
        ("673", "BRAF"),
        ("Disease|MESH:D008545", "melanoma"),
        ("D008545", "melanoma"),
    ],
)
def test_arguments_of_relations(tmp_path, argument, entity):
    relation = f"7\tAssociation\tMESH:D008545\t{argument}"
    doc, text = read(tmp_path, relation)
    relation = doc._.relations[0]
    assert (relation.head.text, relation.tail.mentions[0].text) == ("melanoma", entity)
    assert len(get_clusters(doc)) == 5, "no entity without a mention"
    assert to_pubtator(doc) == text


def test_attributes_alone_name_nothing(tmp_path):
    report = ConversionReport()
    relation = "7\tAssociation\tMESH:D008545\tCorrespondingGene:673"
    doc, text = read(tmp_path, relation, report=report)
    assert not doc._.relations
    assert len(get_clusters(doc)) == 5
    assert report.counts == {**JOINED, "relations of an unknown identifier, left out": 1}
    assert to_pubtator(doc) == text


def test_types_before_identifiers_that_no_mention_has(tmp_path):
    doc, _ = read(tmp_path, "7\tassociate\tChemical|MESH:D1\tGene|673")
    (relation,) = doc._.relations
    assert (relation.head.kb_id, relation.tail.kb_id) == ("MESH:D1", "673")


def test_products_of_identifiers_are_limited(tmp_path):
    report = ConversionReport()
    many = "|".join(f"A{i}" for i in range(MAX_PAIRS + 1))
    doc, text = read(tmp_path, f"7\tCID\t673\t{many}", report=report)
    assert not doc._.relations
    assert report.counts == {
        **JOINED,
        f"relations of more than {MAX_PAIRS} pairs of entities, left out": 1,
    }
    assert to_pubtator(doc) == text
    doc, _ = read(tmp_path, f"7\tCID\t673\t{many.rpartition('|')[0]}")
    assert len(doc._.relations) == MAX_PAIRS


def test_attributes_of_variants():
    assert attributes(RS222) == {"tmVar": "rs222", "CorrespondingGene": "673"}
    assert attributes("MESH:D1") == {}
    assert split_identifiers(RS111) == [RS111]
    names = Names(["1;2", "MESH:D1", "OMIM:D1"], [])
    assert names.named("D1") is None, "two are called so"
