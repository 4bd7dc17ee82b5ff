import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_docre import get_clusters
from spacy_docre.benchmark import Sizes, docred_sizes, synthetic_doc, whole_words
from spacy_docre.benchmark.bare import BareEncoder
from spacy_docre.benchmark.pipelines import docred_like, initialize_for, make_synthetic, to_examples
from spacy_docre.benchmark.synthetic import DOCRED
from spacy_docre.errors import DocreError

from ..methods import add_extractor

VOCAB = spacy.blank("xx").vocab


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 30), st.integers(1, 12), st.integers(1, 9), st.integers())
def test_documents_have_exactly_the_given_sizes(length, entities, mentions, labels, seed):
    mentions = min(mentions, length)
    sizes = Sizes(length, entities, mentions, labels)
    doc = synthetic_doc(VOCAB, sizes, seed=seed)
    clusters = get_clusters(doc)
    assert len(doc) == length
    assert [len(cluster.mentions) for cluster in clusters] == [mentions] * entities
    places = {span.start for cluster in clusters for span in cluster.mentions}
    assert len(places) == min(length, entities * mentions)
    keys = {cluster.key for cluster in clusters}
    triples = [relation.triple for relation in doc._.relations]
    assert len({(head, tail) for head, _, tail in triples}) == len(triples) == sizes.n_relations
    assert all(head != tail and {head, tail} <= keys for head, _, tail in triples)
    assert {label for _, label, _ in triples} <= set(sizes.label_names)
    assert all(len(sent) <= 24 and sent[-1].text == "." for sent in doc.sents)


def test_broken_numbers_of_mentions_are_shared_out():
    doc = synthetic_doc(VOCAB, Sizes())
    assert sorted(len(cluster.mentions) for cluster in get_clusters(doc)) == [1] * 14 + [2] * 6


def test_the_seed_decides():
    first, same, other = (synthetic_doc(VOCAB, Sizes(), seed=seed) for seed in (1, 1, 2))
    assert first.to_json() == same.to_json()
    assert first.text != other.text


@pytest.mark.parametrize("sizes", [Sizes(mentions=0.5), Sizes(length=5, mentions=6)])
def test_sizes_that_no_document_has_are_refused(sizes):
    with pytest.raises(DocreError, match="D062"):
        synthetic_doc(VOCAB, sizes)


def test_a_document_without_words():
    doc = synthetic_doc(VOCAB, Sizes(length=0, entities=0))
    assert len(doc) == 0
    assert get_clusters(doc) == []


def test_sizes_differ_as_docreds_do():
    drawn = docred_sizes(500, seed=3)
    lengths = np.array([sizes.length for sizes in drawn]) / DOCRED.length
    assert 0.9 < lengths.mean() < 1.1
    low, high = np.quantile(lengths, [0.1, 0.9])
    assert 0.65 < low < 0.75
    assert 1.3 < high < 1.5
    assert all(sizes.labels == DOCRED.labels for sizes in drawn)
    assert drawn == docred_sizes(500, seed=3) != docred_sizes(500, seed=4)


def test_words_are_single_wordpieces(tiny_bert):
    """The tiny tokenizer knows letters and a few words; a window of it has 64 wordpieces."""
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "transformer", tiny_bert)
    sizes = Sizes(length=40, entities=4, mentions=2, labels=7)
    words = initialize_for(nlp, sizes)
    assert len(extractor.labels) == 7
    assert {"b", "born", "life"} <= set(words) == set(whole_words(nlp))
    assert not {"war", "world"} & set(words)
    (example,) = to_examples(nlp, [make_synthetic(nlp, sizes, words=words)])
    assert len(example.predicted) == 40
    n_markers, n_specials = 2 * 8, 2
    assert BareEncoder(extractor, [example.predicted]).wordpieces == 40 + n_markers + n_specials
    examples = docred_like(nlp, 3, seed=0, words=words)
    assert [len(eg.predicted) for eg in examples] == [s.length for s in docred_sizes(3)]
    assert [len(get_clusters(eg.predicted)) for eg in examples] == [
        s.entities for s in docred_sizes(3)
    ]


def test_tokenizers_that_cut_every_word_are_refused(tiny_bert):
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "transformer", tiny_bert)
    initialize_for(nlp, Sizes(length=10, entities=2, mentions=1))
    nlp.tokenizer = lambda text: Doc(nlp.vocab, words=[*text])
    with pytest.raises(DocreError, match="D061"):
        whole_words(nlp)
