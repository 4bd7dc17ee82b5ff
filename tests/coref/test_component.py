"""Types, canonical names, appositions and saving; what the rules join is in tests/test_coref.py."""

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_docre import get_clusters

NLP = spacy.blank("en")
TEXT = "Ada Okafor founded Brandt Optics in Oslo. She runs the company."
PATTERNS = [
    {"label": "PERSON", "pattern": "Ada Okafor"},
    {"label": "ORG", "pattern": "Brandt Optics"},
    {"label": "GPE", "pattern": "Oslo"},
]
TYPES = {"PERSON": "PER", "GPE": ""}


def cluster(doc, **config):
    return get_clusters(NLP.create_pipe("entity_clusters", config=config)(doc))


LEAVES_OUT = NLP.create_pipe("entity_clusters", config={"types": {"Y": ""}})


def make_doc(words, ents, **annotation):
    doc = Doc(NLP.vocab, words=words.split(), **annotation)
    doc.ents = [Span(doc, *ent[:2], label=ent[2], kb_id=ent[3] if ent[3:] else "") for ent in ents]
    return doc


def make_pipeline(**config):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("entity_ruler").add_patterns(PATTERNS)
    nlp.add_pipe("entity_clusters", config=config)
    return nlp


def described(doc):
    return [
        (c.key, c.label, [m.text for m in c.mentions], dict(c.group.attrs))
        for c in get_clusters(doc)
    ]


def test_types_are_mapped_or_left_out():
    doc = make_pipeline(types=TYPES)(TEXT)
    assert [(c.label, [m.text for m in c.mentions]) for c in get_clusters(doc)] == [
        ("PER", ["Ada Okafor", "She"]),
        ("ORG", ["Brandt Optics", "the company"]),
    ]
    assert {m.label_ for c in get_clusters(doc) for m in c.mentions} == {"PER", "ORG"}
    assert [ent.label_ for ent in doc.ents] == ["PERSON", "ORG", "GPE"]


def test_rules_know_a_recognisers_label_whatever_it_becomes():
    doc = make_doc("Ada Okafor won . Okafor sang . She won .", [(0, 2, "PERSON"), (4, 5, "PERSON")])
    [entity] = cluster(doc, types={"PERSON": "human"})
    assert [m.text for m in entity.mentions] == ["Ada Okafor", "Okafor", "She"]
    assert entity.label == "human"


def test_labels_that_become_one_are_joined():
    doc = make_doc("Oslo and Oslo", [(0, 1, "GPE"), (2, 3, "FAC")])
    assert len(cluster(doc)) == 2
    assert len(cluster(doc, types={"GPE": "LOC", "FAC": "LOC"})) == 1


def test_canonical_names():
    doc = make_doc(
        "the UN 's head : United Nations ; its institute ; The Hague ; Ada 's",
        [(0, 3, "ORG"), (5, 7, "ORG", "Q1065"), (11, 13, "GPE"), (14, 16, "PERSON")],
    )
    assert [dict(c.group.attrs) for c in cluster(doc)] == [
        {"name": "United Nations", "kb_id": "Q1065"},
        {"name": "The Hague"},
        {"name": "Ada"},
    ]
    assert [c.text for c in get_clusters(doc)] == ["United Nations", "The Hague", "Ada"]


def test_a_description_longer_than_the_name_is_not_the_name():
    doc = make_doc("IBM grew . the manufacturer sold it .", [(0, 1, "ORG")])
    [entity] = cluster(doc)
    assert [m.text for m in entity.mentions] == ["IBM", "the manufacturer", "it"]
    assert entity.text == "IBM"


def test_identifiers_of_no_knowledge_base_entry_join_nothing():
    doc = make_doc("Ada met Uma .", [(0, 1, "PERSON", "NIL"), (2, 3, "PERSON", "NIL")])
    assert [dict(c.group.attrs) for c in cluster(doc)] == [{"name": "Ada"}, {"name": "Uma"}]


def test_names_that_the_text_defines():
    doc = make_doc(
        "Naval Forces Germany ( NAVFORGER ) left . NAVFORGER , also known as Big Boat , won .",
        [(0, 3, "ORG"), (4, 5, "ORG"), (8, 9, "ORG"), (13, 15, "ORG")],
    )
    [entity] = cluster(doc)
    assert entity.text == "Naval Forces Germany"
    assert len(entity.mentions) == 4


def test_acronym_of_another_identifier_is_not_joined():
    doc = make_doc("World Health Group ( WHO )", [(0, 3, "ORG", "Q1"), (4, 5, "ORG", "Q2")])
    assert len(cluster(doc)) == 2


PARSE = {
    "pos": ["PROPN", "PROPN", "PUNCT", "DET", "NOUN", "PUNCT", "VERB", "PUNCT"],
    "heads": [1, 6, 1, 4, 1, 1, 6, 6],
    "deps": ["compound", "nsubj", "punct", "det", "appos", "punct", "ROOT", "punct"],
}


def test_appositions_are_mentions_where_the_parser_says_so():
    words, ents = "Marie Curie , the physicist , sang .", [(0, 2, "PERSON")]
    doc = make_doc(words, ents, **PARSE)
    assert [m.text for m in cluster(doc)[0].mentions] == ["Marie Curie", "the physicist"]
    for doc, config in (
        (make_doc(words, ents), {}),
        (make_doc(words, ents, **PARSE), {"appositions": False}),
        (make_doc(words, ents, **PARSE | {"deps": ["dep"] * 8}), {}),
        (make_doc(words, ents, **PARSE, morphs=["Number=Plur"] * 8), {}),
    ):
        assert [m.text for m in cluster(doc, **config)[0].mentions] == ["Marie Curie"]


def test_a_name_after_its_description():
    doc = make_doc(
        "The physicist Marie Curie sang",
        [(2, 4, "PERSON")],
        pos=["DET", "NOUN", "PROPN", "PROPN", "VERB"],
        heads=[1, 4, 3, 1, 4],
        deps=["det", "nsubj", "compound", "appos", "ROOT"],
    )
    [entity] = cluster(doc)
    assert [m.text for m in entity.mentions] == ["The physicist", "Marie Curie"]
    assert entity.text == "Marie Curie"


def test_languages_without_noun_chunks():
    nlp, words = spacy.blank("xx"), "Marie Curie , the physicist , sang ."
    doc = Doc(nlp.vocab, words=words.split(), **PARSE)
    doc.ents = [Span(doc, 0, 2, label="PERSON")]
    nlp.create_pipe("entity_clusters")(doc)
    assert [m.text for m in doc.spans["entity_clusters_1"]] == ["Marie Curie", "the physicist"]


@pytest.mark.parametrize("words", ["", "Nothing here .", "..."])
def test_documents_without_entities(words):
    assert cluster(make_doc(words, [])) == []


def test_former_clusters_are_replaced():
    doc = make_doc("Ada met Uma .", [(0, 1, "PERSON"), (2, 3, "PERSON")])
    assert len(cluster(doc)) == 2
    doc.ents = doc.ents[:1]
    assert len(cluster(doc)) == 1


def test_round_trips(tmp_path):
    chains = {"@misc": "spacy-docre.span_group_chains.v1", "prefix": "other"}
    nlp = make_pipeline(types=TYPES, chains=chains, appositions=False, max_sentences=1)
    nlp.to_disk(tmp_path)
    same = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    # spaCy's entity ruler loses its patterns in `Language.from_bytes`.
    same.get_pipe("entity_ruler").add_patterns(PATTERNS)
    expected = described(nlp(TEXT))
    assert len(expected) == 2
    for loaded in (spacy.load(tmp_path), same):
        assert loaded.config["components"] == nlp.config["components"]
        assert described(loaded(TEXT)) == expected
    doc = nlp(TEXT)
    assert described(Doc(nlp.vocab).from_bytes(doc.to_bytes())) == expected


def test_two_processes():
    nlp = make_pipeline(types=TYPES)
    texts = [TEXT, "", "Oslo."] * 3
    docs = list(nlp.pipe(texts, n_process=2, batch_size=2))
    assert [described(doc) for doc in docs] == [described(nlp(text)) for text in texts]


@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("aéA.'’ 王"), min_size=1).filter(str.strip),
            st.sampled_from(["PERSON", "ORG", "GPE", "X", "Y"]),
            st.sampled_from(["", "Q1", "Q2", "NIL"]),
        ),
        max_size=12,
    )
)
def test_every_entity_is_in_one_cluster(rows):
    doc = Doc(NLP.vocab, words=[word for word, _, _ in rows])
    doc.ents = [
        Span(doc, i, i + 1, label=label, kb_id=kb_id) for i, (_, label, kb_id) in enumerate(rows)
    ]
    clusters = get_clusters(LEAVES_OUT(doc))
    mentions = sorted(m.start for c in clusters for m in c.mentions)
    assert mentions == [i for i, (_, label, _) in enumerate(rows) if label != "Y"]
    for c in clusters:
        assert c.text == c.group.attrs["name"]
        ids = {m.kb_id_ for m in c.mentions} - {"", "NIL"}
        assert ids == ({c.group.attrs["kb_id"]} if "kb_id" in c.group.attrs else set())
