import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.vocab import Vocab

from spacy_docre import DocreError, Relation
from spacy_docre.extractor.constraints.observations import Observations

from ...util import birth_doc, make_doc

VOCAB = Vocab()
TYPES = ["PER", "LOC", "", "ÖRT"]
N_ENTITIES = 4
TRIPLES = st.lists(
    st.tuples(
        st.integers(0, N_ENTITIES - 1), st.sampled_from("abc"), st.integers(0, N_ENTITIES - 1)
    ),
    max_size=12,
)


def doc_with(triples, types=TYPES):
    words = ["w"] * N_ENTITIES
    clusters = [[(i, i + 1)] for i in range(N_ENTITIES)]
    return make_doc(VOCAB, words, clusters, types=types, relations=triples)


@given(st.lists(TRIPLES, max_size=3))
def test_counts_equal_those_of_loops_and_survive_saving(docs):
    observed = Observations()
    types: dict = {}
    opposites: dict = {}
    for triples in docs:
        observed.add(doc_with(triples))
        for head, label, tail in set(triples):
            key = (label, TYPES[head], TYPES[tail])
            types[key] = types.get(key, 0) + 1
            for other_head, other, other_tail in set(triples):
                if (other_head, other_tail) == (tail, head):
                    opposites[label, other] = opposites.get((label, other), 0) + 1
    assert dict(observed.types) == types
    assert dict(observed.opposites) == opposites
    assert observed.labels == {label for triples in docs for _, label, _ in triples}
    assert observed.entity_types == (set(TYPES) if docs else set())
    counts = {label: sum(n for key, n in types.items() if key[0] == label) for label in "abc"}
    assert {label: observed.relation_counts()[label] for label in "abc"} == counts
    loaded = Observations.from_dict(json.loads(json.dumps(observed.to_dict())))
    assert (loaded.types, loaded.opposites) == (observed.types, observed.opposites)


def test_types_of_entities_without_relations_are_seen():
    observed = Observations()
    observed.add(doc_with([(0, "a", 1)]))
    assert observed.entity_types == set(TYPES)
    assert dict(observed.types) == {("a", "PER", "LOC"): 1}


def test_documents_without_entities_count_nothing():
    observed = Observations()
    observed.add(make_doc(VOCAB, [], []))
    observed.add(make_doc(VOCAB, ["a"], [[(0, 1)]], types=["PER"]))
    assert observed.entity_types == {"PER"}
    assert observed.to_dict() == {"types": [], "opposites": []}


def test_an_entity_without_mentions_has_no_type():
    doc = doc_with([(0, "a", 1)])
    doc.spans["entity_clusters_2"] = []
    observed = Observations()
    observed.add(doc)
    assert observed.labels == {"a"}
    assert observed.to_dict() == {"types": [], "opposites": []}


def test_relation_of_a_missing_cluster_is_an_error_that_names_the_document():
    doc = birth_doc(VOCAB, 0)
    doc.user_data["title"] = "A life"
    doc._.relations = [Relation("entity_clusters_1", "born", "entity_clusters_99")]
    with pytest.raises(DocreError, match="'A life' names the cluster 'entity_clusters_99'"):
        Observations().add(doc)
