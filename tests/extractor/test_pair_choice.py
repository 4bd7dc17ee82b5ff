"""Pairs that can have no relation are not scored, and nothing else changes."""

import random
from dataclasses import replace

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Span
from spacy.training import Example

from spacy_docre.data.clusters import get_clusters, set_clusters
from spacy_docre.extractor.decoding import score_batch
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.encoding import HeadOutput
from spacy_docre.models.layers import asked_types, grouped_bilinear
from spacy_docre.models.layers.grouped_bilinear import GroupedForm
from spacy_docre.models.layers.pair_context import PairContext
from spacy_docre.models.relation_model import relation_head
from spacy_docre.models.torch_head import RelationHead

from ..methods import HEADS, add_extractor
from ..util import birth_doc, birth_examples, make_doc, random_doc, random_encoding

# Of the types THING (of random documents), PERSON and GPE in both places, three of nine can be
# related.
TYPES = {"born": [["PERSON"], ["GPE", "THING"]], "died": [["PERSON", "GPE"], ["GPE"]]}

SYMMETRIC = {"types": TYPES | {"died": [["GPE"], ["GPE"]]}, "symmetric": ["died"]}


# The settings forbid what the few documents show.
pytestmark = pytest.mark.filterwarnings("ignore:.*DW15")


def constrained(head, **constraints):
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("xx")
    constraints = {"types": TYPES} | constraints
    extractor = add_extractor(
        nlp, head, "cnn", constraints=constraints, threshold=0.3, use_gold_clusters=True
    )
    examples = birth_examples(nlp.vocab)
    examples.append(example_of(hopeless(nlp.vocab), relations=()))
    nlp.initialize(lambda: examples)
    return nlp, extractor


def example_of(doc, relations):
    predicted = doc.copy()
    predicted.user_data.clear()
    doc._.relations = relations
    return Example(predicted, doc)


def mixed_docs(vocab, n=6, seed=0):
    """Ragged random documents with entities of all types."""
    rng = random.Random(seed)
    docs = []
    for number in range(n):
        doc = random_doc(vocab, rng, rng.choice([9, 40, 90]), 2 + number)
        labels = [rng.choice(["THING", "PERSON", "GPE"]) for _ in doc.spans]
        spans = [
            [Span(doc, span.start, span.end, label=label) for span in cluster.mentions]
            for cluster, label in zip(get_clusters(doc), labels, strict=True)
        ]
        set_clusters(doc, spans)
        docs.append(doc)
    return docs


def hopeless(vocab):
    """A document with pairs of which none can have a relation."""
    return make_doc(vocab, ["a", "b", "c"], [[(0, 1)], [(2, 3)]], types=["THING", "THING"])


def scored_whole(extractor, docs):
    """The scores and evidence of all pairs, constrained afterwards."""
    clusters = extractor.reader.clusters(docs)
    head = relation_head(extractor.model.get_ref("head"))
    with torch.inference_mode():
        output = extractor.model.predict((docs, clusters))
        return clusters, *score_batch(
            head, output, clusters, extractor.rules.in_force, threshold=0.3, max_labels=4
        )


@pytest.mark.parametrize("settings", [{}, SYMMETRIC])
@pytest.mark.parametrize("head", HEADS)
def test_every_head_scores_as_if_all_pairs_were_scored(head, settings, monkeypatch):
    monkeypatch.setattr(asked_types, "WORTHWHILE", 0)
    nlp, extractor = constrained(head, **settings)
    module = relation_head(extractor.model.get_ref("head"))
    assert module.can_leave_out_pairs
    docs = [*mixed_docs(nlp.vocab), hopeless(nlp.vocab), birth_doc(nlp.vocab, 0)]
    scores = extractor.predict(docs)
    n_evidence = 0
    for doc, own in zip(docs, scores, strict=True):
        clusters, expected, evidence = scored_whole(extractor, [doc])
        np.testing.assert_allclose(own.scores, expected, atol=1e-5)
        assert own.evidence == evidence
        possible = extractor.rules.in_force.possible(clusters)
        assert own.is_possible.tolist() == possible.tolist()
        assert not own.scores[~possible].any()
        (alone,) = extractor.predict([doc])
        np.testing.assert_allclose(own.scores, alone.scores, atol=1e-5)
        n_evidence += len(evidence)
    assert n_evidence or type(module).evidence is RelationHead.evidence
    extractor.set_annotations(docs, scores)
    assert docs[-2]._.relations == ()


@pytest.mark.parametrize("head", ["atlop", "docunet", "paee"])
def test_bilinear_product_sees_only_what_is_asked_for(head, monkeypatch):
    monkeypatch.setattr(asked_types, "WORTHWHILE", 0)
    nlp, extractor = constrained(head)
    docs, rules = mixed_docs(nlp.vocab), extractor.rules.in_force
    clusters = extractor.reader.clusters(docs)
    n_possible = int(rules.possible(clusters).sum())
    assert 0 < n_possible < 0.6 * len(clusters.pair_head)
    products = []
    few, every = grouped_bilinear.few_outputs, GroupedForm.forward

    def counted_few(weight, columns, ends):
        products.append((len(ends[0]), len(columns)))
        return few(weight, columns, ends)

    def counted_every(ctx, weight, *ends):
        products.append((len(ends[0]), len(weight)))
        return every(ctx, weight, *ends)

    monkeypatch.setattr(grouped_bilinear, "few_outputs", counted_few)
    monkeypatch.setattr(GroupedForm, "forward", staticmethod(counted_every))
    extractor.predict(docs)
    assert sum(rows for rows, _ in products) == n_possible
    heads, tails = (clusters.entity_type[e] for e in (clusters.pair_head, clusters.pair_tail))
    allowed = rules.allowed[:, heads, tails]
    n_before = relation_head(extractor.model.get_ref("head")).objective.has_threshold
    n_logits = sum(rows * columns for rows, columns in products)
    assert n_logits == allowed.sum() + n_before * n_possible


def test_nothing_is_run_where_no_pair_is_left(monkeypatch):
    nlp, extractor = constrained("atlop")
    calls = []
    predict = extractor.model.predict
    monkeypatch.setattr(
        type(extractor.model), "predict", lambda self, X: calls.append(len(X[0])) or predict(X)
    )
    doc = hopeless(nlp.vocab)
    (scores,) = extractor.predict([doc])
    assert calls == []
    assert scores.scores.tolist() == [[0, 0], [0, 0]]
    assert scores.is_possible.tolist() == [False, False]
    with_hopeless = extractor.predict([doc, birth_doc(nlp.vocab, 0), doc])
    assert calls == [1]
    assert [len(s.scores) for s in with_hopeless] == [2, 20, 2]


def test_a_saved_pipeline_leaves_out_the_same(tmp_path):
    nlp, extractor = constrained("atlop")
    docs = mixed_docs(nlp.vocab)
    expected = extractor.predict(docs)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path).get_pipe(extractor.name)
    for a, b in zip(loaded.predict(docs), expected, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-6)
        assert a.is_possible.tolist() == b.is_possible.tolist()


class LookingAround(RelationHead):
    """A head of somebody else: a pair's score is the share of the pairs that are before it."""

    def forward(self, encoding):
        self.n_pairs = len(encoding.index.pair_head)
        logits = torch.arange(self.n_pairs)[:, None].expand(-1, 2) / 10
        return HeadOutput(logits, torch.zeros(self.n_pairs))


def test_a_head_that_does_not_say_so_gets_every_pair():
    nlp, extractor = constrained("atlop")
    head = LookingAround()
    extractor.model.get_ref("head").shims[0]._model = head
    doc = birth_doc(nlp.vocab, 0)
    (scores,) = extractor.predict([doc])
    assert head.n_pairs == 20
    row = int(np.flatnonzero(scores.is_possible)[-1])
    assert scores.scores[row].max() == pytest.approx(1 / (1 + np.exp(-row / 10)))


@pytest.mark.parametrize("head", HEADS)
def test_training_is_unchanged_and_leaves_pairs_out_if_asked(head, monkeypatch):
    losses = {}
    for in_training in (False, True):
        nlp, extractor = constrained(head, in_training=in_training)
        examples = birth_examples(nlp.vocab)
        seen = []
        only = ClusterBatch.only

        def counting(self, is_wanted, seen=seen, only=only):
            seen.append(int(is_wanted.sum()))
            return only(self, is_wanted)

        monkeypatch.setattr(ClusterBatch, "only", counting)
        spacy.util.fix_random_seed(0)
        losses[in_training] = extractor.update(examples)[extractor.name]
        monkeypatch.undo()
        # Of a document's 20 pairs, PERSON-GPE (6) and GPE-GPE (6) can have a relation.
        assert seen == ([8 * 12] if in_training else [])
    # What only masks the pairs gives the same loss as what leaves them out.
    nlp, extractor = constrained(head, in_training=True)
    monkeypatch.setattr(
        type(relation_head(extractor.model.get_ref("head"))), "can_leave_out_pairs", False
    )
    examples = birth_examples(nlp.vocab)
    spacy.util.fix_random_seed(0)
    masked = extractor.update(examples)[extractor.name]
    assert losses[True] == pytest.approx(masked, rel=1e-3)


def test_a_batch_without_a_pair_to_learn_from_changes_nothing():
    nlp, extractor = constrained("atlop", in_training=True)
    doc = hopeless(nlp.vocab)
    losses = extractor.update([example_of(doc, ())], sgd=nlp.create_optimizer())
    assert losses == {extractor.name: 0.0}


@pytest.mark.parametrize("entities", [[3], [0, 4, 1, 2], [2, 0, 5]])
def test_all_pairs_are_found_again(entities):
    index = random_encoding(0, entities).index
    assert index.with_all_pairs() == (index, None)
    rng = np.random.default_rng(0)
    kept = torch.from_numpy(rng.random(len(index.pair_head)) < 0.5)
    names = ("pair_head", "pair_tail", "pair_doc")
    fewer = replace(index, **{name: getattr(index, name)[kept] for name in names})
    whole, rows = fewer.with_all_pairs()
    for name in names:
        assert torch.equal(getattr(whole, name), getattr(index, name))
    assert torch.equal(rows, kept.nonzero()[:, 0])


@pytest.mark.parametrize("include_self", [True, False])
def test_some_pairs_attend_as_they_do_among_all(include_self, monkeypatch):
    monkeypatch.setattr("spacy_docre.models.layers.pair_context.BLOCK_ROWS", 4)
    index = random_encoding(1, [3, 1, 0, 4]).index
    context = PairContext(5, form="full", rank=2, include_self=include_self).double()
    pairs = torch.randn(len(index.pair_head), 5, dtype=torch.float64, requires_grad=True)
    values = torch.randn(len(pairs), 2, dtype=torch.float64, requires_grad=True)
    rows = torch.tensor([0, 3, 5, 6, 9, 10, 17])
    torch.testing.assert_close(
        context(pairs, values, index, rows), context(pairs, values, index)[rows]
    )
    assert torch.autograd.gradcheck(
        lambda pairs, values: context(pairs, values, index, rows), (pairs, values)
    )
