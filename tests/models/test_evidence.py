"""The evidence sentences of heads with a localized context, one pair at a time in numpy float64."""

import random
from dataclasses import replace

import numpy as np
import pytest
import spacy
import torch

from spacy_docre import Relation
from spacy_docre.errors import DocreError
from spacy_docre.models import evidence
from spacy_docre.models.encoding import Targets
from spacy_docre.models.evidence import mention_spans, sentence_attention

from ..methods import add_extractor
from ..util import birth_doc, birth_examples, make_doc, random_batch, random_doc, random_encoding
from .heads import small_atlop, small_docunet, small_paee

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3]]
LOCALIZED = ["atlop", "docunet", "paee"]


def slow_shares(encoding, pair):
    """ATLOP's equations 9 and 10, summed over the words of each sentence, as DREEAM does."""
    index = encoding.index
    attention = encoding.attention.detach().numpy()
    head, tail = (
        attention[:, (index.mention_entity == entity[pair]).numpy()].mean(axis=1)
        for entity in (index.pair_head, index.pair_tail)
    )
    shared = (head * tail).sum(axis=0)
    shared = shared / (shared.sum() + 1e-5)
    doc = int(index.pair_doc[pair])
    shares = {s: 0.0 for s in range(index.n_sentences) if index.sentence_doc[s] == doc}
    for column, sentence in enumerate(index.column_sentence[doc].tolist()):
        if sentence >= 0:
            shares[sentence] += shared[column]
    return shares


def slow_evidence(encoding, clusters, pair, threshold):
    shares = slow_shares(encoding, pair)
    best = max(shares, key=shares.__getitem__)
    chosen = [s for s in shares if shares[s] > threshold or s == best]
    doc = clusters.pair_doc[pair]
    offset = clusters.doc_length[:doc].sum()
    spans = []
    for sentence in sorted(chosen, key=lambda s: -shares[s]):
        tokens = np.flatnonzero(clusters.token_sentence == sentence) - offset
        spans.append((tokens.min(), tokens.max() + 1))
    return spans


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.4, 1.0])
@pytest.mark.parametrize("entities", ENTITIES)
@pytest.mark.parametrize("make", [small_atlop, small_docunet, small_paee])
def test_evidence_equals_a_loop(make, entities, threshold):
    encoding, head = random_encoding(3, entities), make()
    clusters = random_batch(np.random.default_rng(3), entities)
    head.evidence_threshold = threshold
    n_pairs = len(clusters.pair_head)
    pairs, labels = np.array([*range(n_pairs), 0]), np.array([1] * n_pairs + [2])
    found = head.evidence(head(encoding), clusters, pairs, labels)
    expected = {(p, 1): slow_evidence(encoding, clusters, p, threshold) for p in range(n_pairs)}
    assert found == {**expected, (0, 2): expected[0, 1]}
    if threshold == 1.0:
        assert {len(spans) for spans in found.values()} == {1}, "the best sentence always is"


def test_shares_do_not_depend_on_the_blocks(monkeypatch):
    encoding, head = random_encoding(5, [2, 5, 3]), small_atlop()
    output, pairs = head(encoding), torch.arange(len(encoding.index.pair_head))
    whole = sentence_attention(output, pairs).detach()
    for pair in pairs.tolist():
        shares = list(slow_shares(encoding, pair).values())
        np.testing.assert_allclose(whole[pair, : len(shares)], shares, atol=1e-6)
        assert (whole[pair, len(shares) :] == 0).all()
    monkeypatch.setattr(evidence, "BLOCK_ELEMENTS", 1)
    np.testing.assert_array_equal(sentence_attention(output, pairs).detach(), whole)


def random_evidence(encoding, seed):
    """About every other pair with evidence in about every other sentence, some of it twice."""
    generator = torch.Generator().manual_seed(seed)
    cells = [
        (pair, sentence)
        for pair, doc in enumerate(encoding.index.pair_doc.tolist())
        if torch.rand((), generator=generator) < 0.5
        for sentence in (encoding.index.sentence_doc == doc).nonzero()[:, 0].tolist()
        for _ in range(int(torch.randint(3, (), generator=generator)))
    ]
    return torch.tensor(cells, dtype=torch.int64).reshape(-1, 2).T


def slow_evidence_loss(encoding, cells):
    """DREEAM: the divergence of a pair's attention from its evidence, averaged over the pairs."""
    losses = []
    for pair in sorted({p for p, _ in cells}):
        sentences = [s for p, s in cells if p == pair]
        shares = slow_shares(encoding, pair)
        gold = {s: sentences.count(s) / len(sentences) for s in sentences}
        losses.append(sum(v * np.log(v / (shares[s] + 1e-10)) for s, v in gold.items()))
    return np.mean(losses) if losses else 0.0


@pytest.mark.parametrize("entities", ENTITIES)
@pytest.mark.parametrize("make", [small_atlop, small_docunet, small_paee])
def test_evidence_loss_equals_a_loop(make, entities):
    encoding, head = random_encoding(7, entities), make()
    head.evidence_weight = 0.1
    evidence = random_evidence(encoding, 7)
    n_pairs = len(encoding.index.pair_head)
    labels, mask = torch.rand(n_pairs, 3) < 0.3, torch.ones(n_pairs, dtype=torch.bool)
    output = head(encoding)
    without = head.loss(output, Targets(labels, mask))
    added = (head.loss(output, Targets(labels, mask, evidence)) - without).item()
    expected = slow_evidence_loss(encoding, list(map(tuple, evidence.T.tolist())))
    assert added == pytest.approx(0.1 * expected, abs=1e-9)


def test_evidence_loss_has_a_gradient_for_the_attention():
    encoding, head = random_encoding(8, [3, 2]).detached(), small_atlop()
    none = torch.zeros(len(encoding.index.pair_head), dtype=torch.bool)
    targets = Targets(none[:, None].expand(-1, 3), none, random_evidence(encoding, 8))

    def run(attention):
        return head.loss(head(replace(encoding, attention=attention)), targets)

    assert torch.autograd.gradcheck(run, (encoding.attention,))
    assert torch.autograd.grad(run(encoding.attention), encoding.attention)[0].abs().max() > 0


def test_attention_learns_the_evidence():
    def share_found(weight):
        torch.manual_seed(0)
        nlp = spacy.blank("xx")
        head = {"@architectures": "spacy-docre.ATLOP.v1", "evidence_weight": weight}
        extractor = nlp.add_pipe("doc_relation_extractor", config={"model": {"head": head}})
        examples = birth_examples(nlp.vocab)
        for eg in examples:
            sentences = [(sent.start, sent.end) for sent in eg.reference.sents]
            eg.reference._.relations = [
                Relation(*relation.triple, evidence=sentences[2:])
                for relation in eg.reference._.relations
            ]
        optimizer = nlp.initialize(lambda: examples)
        for _ in range(30):
            nlp.update(examples, sgd=optimizer)
        scores = extractor.predict([eg.predicted for eg in examples])
        return np.mean(
            [spans[:1] == sentences[2:] for s in scores for spans in s.evidence.values()]
        )

    assert share_found(0.0) < 0.9
    assert share_found(1.0) == 1.0


def test_no_relation_no_evidence():
    encoding, head = random_encoding(6, [2, 3]), small_atlop()
    clusters = random_batch(np.random.default_rng(6), [2, 3])
    none = np.zeros(0, dtype=np.int64)
    assert head.evidence(head(encoding), clusters, none, none) == {}


def test_a_pair_that_shares_no_attention_has_none():
    encoding, head = random_encoding(4, [2]), small_atlop()
    clusters = random_batch(np.random.default_rng(4), [2])
    attention = torch.zeros_like(encoding.attention)
    is_first = encoding.index.mention_entity == 0
    attention[:, is_first, 0] = 1.0
    attention[:, ~is_first, 1] = 1.0
    output = head(replace(encoding, attention=attention))
    assert head.evidence(output, clusters, np.array([0]), np.array([0])) == {(0, 0): []}


def test_identical_mentions_are_one_span():
    clusters = random_batch(np.random.default_rng(0), [2])
    clusters.mention_start[:2], clusters.mention_end[:2] = 0, 1
    assert mention_spans(clusters, [1, 0]) == [(0, 1)]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("evidence_threshold", -0.1), ("evidence_threshold", 1.1), ("evidence_weight", -1.0)],
)
def test_settings_are_checked(setting, value):
    nlp = spacy.blank("xx")
    head = {"@architectures": "spacy-docre.ATLOP.v1", setting: value}
    nlp.add_pipe("doc_relation_extractor", config={"model": {"head": head}})
    examples = birth_examples(nlp.vocab, 1)
    with pytest.raises(DocreError, match=setting):
        nlp.initialize(lambda: examples)


@pytest.fixture(scope="module", params=LOCALIZED)
def pipeline(request):
    nlp = spacy.blank("xx")
    add_extractor(nlp, request.param, "cnn", threshold=0.0)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    return nlp


def test_batched_equals_one_by_one(pipeline):
    rng = random.Random(4)
    docs = [random_doc(pipeline.vocab, rng, n, k) for n, k in ((9, 2), (60, 7), (30, 4), (0, 0))]
    extractor = pipeline.get_pipe("doc_relation_extractor")
    for doc, scores in zip(docs, extractor.predict(docs), strict=True):
        (alone,) = extractor.predict([doc])
        assert scores.evidence == alone.evidence
        assert len(scores.evidence) == scores.scores.size


def test_relations_name_sentences(pipeline):
    doc = pipeline(birth_doc(pipeline.vocab, 0))
    sentences = {(sent.start, sent.end) for sent in doc.sents}
    assert doc._.relations
    for relation in doc._.relations:
        assert relation["evidence"]
        assert {tuple(span) for span in relation["evidence"]} <= sentences


def test_unmarked_sentences_are_one(pipeline):
    doc = make_doc(pipeline.vocab, ["a", "b", "c"], [[(0, 1)], [(1, 2)]], sent_starts=())
    assert not doc.has_annotation("SENT_START") or len(list(doc.sents)) == 1
    assert {tuple(map(tuple, r["evidence"])) for r in pipeline(doc)._.relations} == {((0, 3),)}


def test_a_saved_head_keeps_its_threshold(tmp_path):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "cnn")
    assert "evidence_threshold" in nlp.config["components"][extractor.name]["model"]["head"]
    examples = birth_examples(nlp.vocab, 1)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path)
    config = spacy.util.load_config(tmp_path / "config.cfg")
    del config["components"][extractor.name]["model"]["head"]["evidence_threshold"]
    config.to_disk(tmp_path / "config.cfg")
    loaded = spacy.load(tmp_path)
    shim = loaded.get_pipe(extractor.name).model.get_ref("head").shims[0]
    assert shim.require_built().evidence_threshold == 0.2, (
        "as for models saved before there was one"
    )
