"""What the limits leave of a document against a slow, obvious reimplementation, and that nothing is
left out silently."""

import random
import warnings

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters, set_clusters
from spacy_docre.data.clusters import DEFAULT_PREFIX
from spacy_docre.data.docs import beginning
from spacy_docre.extractor.limits import DEFAULT_LIMITS, LimitedDoc, Limits, count_left_out
from spacy_docre.models.batch import DocPart
from spacy_docre.models.batching import batches_that_fit

from ..methods import CNN, ENCODERS, HEADS, add_extractor, overfitted
from ..util import birth_doc, birth_examples, make_doc, random_doc

NAME = "doc_relation_extractor"


@pytest.fixture(scope="module")
def trained():
    return overfitted()


@pytest.fixture
def extractor(trained, monkeypatch):
    extractor = trained.get_pipe(NAME)
    monkeypatch.setattr(extractor, "cfg", dict(extractor.cfg))
    return extractor


@pytest.fixture
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def one_each(doc, n_tokens):
    return np.ones(n_tokens, dtype=np.int64)


def apply(limits, doc, count=one_each):
    return limits.apply(doc, DEFAULT_PREFIX, count)


def slow_part(doc, max_pairs, max_mentions, max_wordpieces, weights):
    """The tokens that are read and the mentions of each entity, by sorting and looping."""
    n_tokens, total = 0, 0
    while n_tokens < len(doc) and total + weights[n_tokens] <= max_wordpieces:
        total += weights[n_tokens]
        n_tokens += 1
    entities = []
    for cluster in get_clusters(doc):
        mentions = [(s.start, s.end) for s in cluster.mentions if s.end <= n_tokens]
        if mentions:
            entities.append((cluster.key, mentions))
    n = 0
    while (n + 1) * n <= max_pairs:
        n += 1
    n = min(n, max_mentions)
    ranked = sorted(entities, key=lambda entity: (-len(entity[1]), min(entity[1])))
    kept = {key for key, _ in ranked[:n]}
    entities = [entity for entity in entities if entity[0] in kept]
    room, round_ = max_mentions, 0
    allowed = {key: 0 for key, _ in entities}
    while room and any(len(mentions) > round_ for _, mentions in entities):
        turn = [(sorted(m)[round_], i) for i, (_, m) in enumerate(entities) if len(m) > round_]
        for _, i in sorted(turn)[:room]:
            allowed[entities[i][0]] += 1
        room -= min(room, len(turn))
        round_ += 1
    return n_tokens, {key: sorted(mentions)[: allowed[key]] for key, mentions in entities}


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(2, 20), st.integers(2, 40), st.data())
def test_equals_sorting_and_looping(seed, max_pairs, max_mentions, max_wordpieces, data):
    rng = random.Random(seed)
    doc = random_doc(Vocab(), rng, rng.randint(1, 30), rng.randint(0, 9))
    weights = np.array(data.draw(st.lists(st.integers(1, 3), min_size=30, max_size=30)))
    limits = Limits(max_pairs, max_mentions, max_wordpieces)
    limited = apply(limits, doc, lambda doc, n: weights[:n])
    n_tokens, mentions = slow_part(doc, max_pairs, max_mentions, max_wordpieces, weights)
    part = limited.part
    assert part.n_tokens == n_tokens
    assert limited.n_wordpieces == weights[:n_tokens].sum() <= max_wordpieces
    found = {key: [] for key in part.keys}
    for entity, start, end in part.mentions.tolist():
        found[part.keys[entity]].append((start, end))
    assert {key: sorted(own) for key, own in found.items()} == mentions
    assert part.n_pairs <= max_pairs
    assert len(part.mentions) <= max_mentions
    whole = DocPart.whole(doc)
    is_all = n_tokens == len(doc) and len(part.mentions) == len(whole.mentions)
    assert bool(limited.reached) is not is_all
    assert limited.left_out == (
        {}
        if is_all
        else {
            "tokens": len(doc) - n_tokens,
            "mentions": len(whole.mentions) - len(part.mentions),
            "entities": len(whole.keys) - len(part.keys),
            "pairs": whole.n_pairs - part.n_pairs,
        }
    )


@pytest.mark.parametrize(
    ("limit", "exact"), [("max_pairs", 20), ("max_mentions", 7), ("max_wordpieces", 24)]
)
def test_limits_are_exact(extractor, limit, exact):
    doc = birth_doc(extractor.vocab, 0)
    assert (len(doc), len(get_clusters(doc))) == (24, 5)
    (unlimited,) = extractor.predict([doc])
    extractor.cfg[limit] = exact
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (scores,) = extractor.predict([doc])
    np.testing.assert_array_equal(scores.scores, unlimited.scores)
    assert not scores.left_out
    extractor.cfg[limit] = exact - 1
    with pytest.warns(UserWarning, match=rf"DW50.*`{limit}` \({exact - 1}\)") as caught:
        (scores,) = extractor.predict([doc])
    assert len(caught) == 1
    assert sum(scores.left_out.values())


def test_one_warning_says_what_and_how_much(extractor):
    doc = birth_doc(extractor.vocab, 0)
    doc.user_data["title"] = "A life"
    extractor.cfg |= {"max_pairs": 11, "max_mentions": 3, "max_wordpieces": 22}
    with pytest.warns(UserWarning, match="DW50") as caught:
        extractor.predict([doc])
    (message,) = (str(warning.message) for warning in caught)
    assert message == (
        "[DW50] the document 'A life' exceeds `max_wordpieces` (22), `max_pairs` (11) and "
        f"`max_mentions` (3) of the component '{NAME}': 2 of 24 tokens, 4 of 7 mentions, 2 of 5 "
        "entities and 14 of 20 pairs are skipped and get no relation. If there is memory for "
        f"more, raise the limit in [components.{NAME}], or in "
        f'`nlp.get_pipe("{NAME}").cfg`; `null` (None) sets no limit.'
    )


def test_the_limit_that_decides_is_named():
    doc = make_doc(Vocab(), ["w"] * 9, [[(i, i + 1)] for i in range(9)])
    assert apply(Limits(max_mentions=4, max_pairs=100), doc).reached == ("max_mentions",)
    both = ("max_pairs", "max_mentions")
    assert apply(Limits(max_mentions=4, max_pairs=12), doc).reached == both
    assert apply(Limits(max_mentions=4, max_pairs=11), doc).reached == ("max_pairs",)


def test_relations_name_the_clusters_of_the_document(trained, extractor):
    doc = birth_doc(trained.vocab, 0)
    # The first cluster and the third are rare now, so that numbers and keys differ.
    for key in ("entity_clusters_2", "entity_clusters_4", "entity_clusters_5"):
        doc.spans[key] = 3 * [*doc.spans[key]]
    extractor.cfg |= {"max_pairs": 6, "threshold": 0.0}
    with pytest.warns(UserWarning, match="DW50"):
        doc = trained(doc)
    keys = {"entity_clusters_2", "entity_clusters_4", "entity_clusters_5"}
    assert {r["head"] for r in doc._.relations} == {r["tail"] for r in doc._.relations} == keys
    assert all(r.head.key == r["head"] and len(r.head.mentions) > 2 for r in doc._.relations)


def test_documents_carry_what_was_left_out(trained, extractor, no_warning):
    doc = trained(birth_doc(trained.vocab, 0))
    assert "relations_left_out" not in doc.user_data
    extractor.cfg["max_pairs"] = 12
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        doc = trained(doc)
    left_out = {"tokens": 0, "mentions": 1, "entities": 1, "pairs": 8}
    assert doc.user_data["relations_left_out"] == left_out
    (copied,) = DocBin(docs=[doc], store_user_data=True).get_docs(trained.vocab)
    assert count_left_out([copied, copied], attr="relations") == {
        "docs": 2,
        **{name: 2 * n for name, n in left_out.items()},
    }
    extractor.cfg["max_pairs"] = None
    assert "relations_left_out" not in trained(doc).user_data
    assert count_left_out([doc], attr="relations") == {}


@pytest.mark.parametrize(
    ("head", "encoder"),
    [
        *((head, "cnn") for head in ("atlop", "kmgre", "glre", "docunet", "paee", "rsman")),
        ("atlop", "transformer"),
        *(
            pytest.param(head, "transformer", marks=pytest.mark.slow)
            for head in ("kmgre", "glre", "docunet", "paee", "rsman")
        ),
    ],
)
def test_the_rest_of_the_text_is_not_read(head, encoder, tiny_bert):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, head, encoder, tiny_bert)
    nlp.initialize(lambda: birth_examples(nlp.vocab, 2))
    doc = birth_doc(nlp.vocab, 0)
    (whole,) = extractor.predict([beginning(doc, 13)])
    assert whole.keys == [f"{DEFAULT_PREFIX}_{i}" for i in (1, 2, 3, 4)]
    limited = extractor.reader.read([doc])[0]
    first = extractor.reader.read([beginning(doc, 13)])[0].n_wordpieces
    assert limited.n_wordpieces > first
    extractor.cfg["max_wordpieces"] = first
    small = birth_doc(nlp.vocab, 1)[:6].as_doc()
    with pytest.warns(UserWarning, match="DW50"):
        scores = extractor.predict([small, doc])[1]
    assert scores.keys == whole.keys
    assert scores.left_out["tokens"] == len(doc) - 13
    np.testing.assert_allclose(scores.scores, whole.scores, atol=1e-6)


def test_entities_keep_the_type_that_all_mentions_give():
    doc = make_doc(Vocab(), list("abcdef"), [[(0, 1)], [(1, 2)]])
    labels = [(2, "A"), (3, "B"), (4, "B")]
    doc.spans["entity_clusters_2"] = [Span(doc, i, i + 1, label=label) for i, label in labels]
    limited = apply(Limits(max_wordpieces=3), doc)
    assert limited.part.labels == ["THING", "B"]
    assert limited.part.mentions.tolist() == [[0, 0, 1], [1, 2, 3]]


def test_the_beginning_is_a_document_with_its_spans():
    doc = birth_doc(Vocab(), 0)
    doc.ents = [Span(doc, 0, 1, label="PERSON"), Span(doc, 22, 23, label="GPE")]
    copied = beginning(doc, 8)
    assert copied.text.strip() == doc[:8].text
    assert [e.text for e in copied.ents] == [doc[0].text]
    mentions = {c.key: [(s.start, s.end, s.label_) for s in c.group] for c in get_clusters(copied)}
    assert mentions["entity_clusters_1"] == [(0, 1, "PERSON"), (7, 8, "PERSON")]
    assert mentions["entity_clusters_2"] == [(4, 5, "GPE")]
    assert mentions["entity_clusters_3"] == []
    assert beginning(doc, len(doc)) is doc


def test_words_of_many_wordpieces_count_as_such(tiny_bert):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "transformer", tiny_bert)
    nlp.initialize(lambda: birth_examples(nlp.vocab, 2))
    doc = make_doc(nlp.vocab, ["was", "abcdefgh", "in", "​"], [[(0, 1)], [(2, 3)], [(3, 4)]])
    # Eight letters, and a character without any wordpiece, which counts as one.
    assert extractor.reader.read([doc])[0].n_wordpieces == 11
    extractor.cfg["max_wordpieces"] = 9
    with pytest.warns(UserWarning, match="2 of 4 tokens, 2 of 3 mentions"):
        assert extractor.predict([doc])[0].scores.shape == (0, 2)
    assert extractor.reader.read([beginning(doc, 2)])[0].n_wordpieces == 9


def test_a_document_of_which_nothing_can_be_read(tiny_bert):
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "transformer", tiny_bert, max_wordpieces=3)
    examples = birth_examples(nlp.vocab, 2)
    with pytest.warns(UserWarning, match="DW50"):
        nlp.initialize(lambda: examples)
    doc = make_doc(nlp.vocab, ["abcdefgh", "was"], [[(0, 1)], [(1, 2)]])
    with pytest.warns(UserWarning, match="2 of 2 tokens"):
        assert not nlp(doc)._.relations
    with pytest.warns(UserWarning, match="DW50"):
        losses = nlp.update(examples, sgd=nlp.create_optimizer())
    assert losses[NAME] == 0.0


def test_order_of_documents_and_clusters_does_not_matter(extractor):
    rng = random.Random(3)
    docs = [random_doc(extractor.vocab, rng, 30, 8) for _ in range(4)]
    extractor.cfg |= {"max_pairs": 12, "max_mentions": 7, "max_wordpieces": 25}
    with pytest.warns(UserWarning, match="DW50"):
        scores, backwards = extractor.predict(docs), extractor.predict(docs[::-1])[::-1]
    for one, other in zip(scores, backwards, strict=True):
        assert one.keys == other.keys
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
    for doc in docs:
        turned = doc.copy()
        groups = [[turned[s.start : s.end] for s in c.group][::-1] for c in get_clusters(doc)]
        set_clusters(turned, groups[::-1])
        kept = [apply(extractor.reader.limits, d).part for d in (doc, turned)]
        spans = [{tuple(row) for row in part.mentions[:, 1:].tolist()} for part in kept]
        assert spans[0] == spans[1]


def limited_of_sizes(n_wordpieces, n_mentions, n_entities):
    mentions = np.zeros((n_mentions, 3), dtype=np.int64)
    part = DocPart(n_wordpieces, [""] * n_entities, [""] * n_entities, mentions)
    return LimitedDoc(part, part, n_wordpieces, ())


@given(
    st.lists(st.tuples(st.integers(1, 90), st.integers(0, 30), st.integers(0, 12)), max_size=15),
    st.sampled_from([None, 30, 100]),
    st.sampled_from([None, 12]),
)
def test_batches_are_bounded_by_what_one_document_may_have(sizes, max_pairs, max_mentions):
    limits = Limits(max_pairs, max_mentions, 60)
    docs = [limited_of_sizes(*size) for size in sizes]
    batches = [batch.tolist() for batch in limits.batches(docs, 100)]
    assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    bounds = {name: getattr(limits, name) or DEFAULT_LIMITS[name] for name in DEFAULT_LIMITS}
    for batch in batches:
        if len(batch) > 1:
            parts = [docs[i].part for i in batch]
            length = max(docs[i].n_wordpieces for i in batch)
            mentions = [len(part.mentions) for part in parts]
            assert len(batch) * length <= 100
            assert sum(part.n_pairs for part in parts) <= bounds["max_pairs"]
            assert sum(n * n for n in mentions) <= bounds["max_mentions"] ** 2
            assert sum(mentions) * length <= bounds["max_mentions"] * bounds["max_wordpieces"]


def test_a_large_document_among_small_ones(extractor):
    vocab, rng = extractor.vocab, random.Random(0)
    large = random_doc(vocab, rng, 60, 30)
    docs = [birth_doc(vocab, n) for n in range(5)] + [large] + [birth_doc(vocab, 7)]
    alone = [extractor.predict([doc])[0] for doc in docs]
    extractor.cfg |= {"max_pairs": 30 * 29}
    sizes = []
    predict = extractor.model.predict

    class Spy:
        def __getattr__(self, name):
            return getattr(model, name)

        def predict(self, inputs):
            sizes.append((len(inputs[0]), len(inputs[1].pair_head)))
            return predict(inputs)

    model = extractor.model
    extractor.model = Spy()
    together = extractor.predict(docs)
    extractor.model = model
    assert sizes == [(6, 6 * 20), (1, 30 * 29)]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)


def test_things_that_do_not_fit_are_batches_of_their_own():
    sizes = np.array([[3, 9], [1, 1], [2, 1], [2, 50]])
    batches = batches_that_fit(sizes, lambda n, largest: bool(n * largest[1] <= 10))
    assert [batch.tolist() for batch in batches] == [[1, 2], [3], [0]]


def test_training_learns_within_the_limits_and_counts_the_rest_as_missed():
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn", max_pairs=12)
    examples = birth_examples(nlp.vocab)
    with pytest.warns(UserWarning, match="DW50"):
        optimizer = nlp.initialize(lambda: examples)
    for _ in range(60):
        with pytest.warns(UserWarning, match="DW50"):
            losses = nlp.update(examples, sgd=optimizer)
    with pytest.warns(UserWarning, match="DW50"):
        scores = nlp.evaluate(examples)
    assert losses[NAME] < 0.1
    gold = sum(len(eg.reference._.relations) for eg in examples)
    kept = 0
    for eg in examples:
        keys = set(
            nlp.get_pipe(NAME).reader.limits.apply(eg.reference, DEFAULT_PREFIX, one_each).part.keys
        )
        kept += sum({r["head"], r["tail"]} <= keys for r in eg.reference._.relations)
    assert 0 < kept < gold
    assert scores["rel_r"] == pytest.approx(kept / gold)
    assert scores["rel_p"] == 1.0


def test_limits_are_saved_and_can_be_overridden(trained, extractor, tmp_path):
    extractor.cfg |= {"max_pairs": 100, "max_wordpieces": None}
    trained.to_disk(tmp_path)
    loaded = spacy.load(tmp_path).get_pipe(NAME)
    assert loaded.reader.limits == Limits(100, DEFAULT_LIMITS["max_mentions"], None)
    override = {f"components.{NAME}.max_pairs": 6, f"components.{NAME}.max_mentions": None}
    loaded = spacy.load(tmp_path, config=override)
    assert loaded.get_pipe(NAME).reader.limits == Limits(6, None, None)
    loaded.to_disk(tmp_path / "again")
    assert spacy.load(tmp_path / "again").get_pipe(NAME).reader.limits == Limits(6, None, None)
    with pytest.raises(DocreError, match=r"max_mentions.*at least 2"):
        spacy.load(tmp_path, config={f"components.{NAME}.max_mentions": 1})


def test_pipelines_from_before_there_were_limits_have_the_default_ones(trained, tmp_path):
    data = trained.get_pipe(NAME).to_bytes()
    msg = spacy.util.srsly.msgpack_loads(data)
    cfg = spacy.util.srsly.json_loads(msg["cfg"])
    for name in ("max_mentions", "max_wordpieces", "configured"):
        del cfg[name]
    cfg["max_pairs"] = None
    msg["cfg"] = spacy.util.srsly.json_dumps(cfg)
    nlp = spacy.blank("xx")
    loaded = add_extractor(nlp, "atlop", "cnn")
    loaded.from_bytes(spacy.util.srsly.msgpack_dumps(msg))
    assert loaded.reader.limits == Limits(max_pairs=None)


def test_a_shared_tok2vec_is_cut_after_it_was_read():
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    encoder = {**ENCODERS["cnn"], "tok2vec": listener}
    model = {
        "@architectures": "spacy-docre.RelationModel.v1",
        "encoder": encoder,
        "head": HEADS["atlop"],
    }
    extractor = nlp.add_pipe(NAME, config={"model": model, "max_wordpieces": 13})
    examples = birth_examples(nlp.vocab, 4)
    with pytest.warns(UserWarning, match="DW50"):
        optimizer = nlp.initialize(lambda: examples)
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    for _ in range(3):
        with pytest.warns(UserWarning, match="DW50"):
            nlp.update(examples, sgd=optimizer)
    assert nlp.get_pipe("tok2vec").model.to_bytes() != before
    doc = nlp.get_pipe("tok2vec")(birth_doc(nlp.vocab, 0))
    with pytest.warns(UserWarning, match="DW50"):
        (scores,) = extractor.predict([doc])
    assert len(scores.keys) == 4
    extractor.cfg["max_wordpieces"] = None
    (whole,) = extractor.predict([beginning(doc, 13)])
    np.testing.assert_allclose(scores.scores, whole.scores, atol=1e-6)


def test_thousands_of_entities_are_no_problem(extractor):
    n = 20_000
    doc = Doc(extractor.vocab, words=["w"] * n)
    set_clusters(doc, ([doc[i : i + 1]] for i in range(n)))
    extractor.cfg["max_pairs"] = 90
    with pytest.warns(UserWarning, match=r"19,990 of 20,000 entities and 399,979,910 of"):
        (scores,) = extractor.predict([doc])
    assert scores.scores.shape == (90, 2)
    assert scores.keys == [f"{DEFAULT_PREFIX}_{i}" for i in range(1, 11)]


def test_evaluation_without_gold_clusters_still_warns(trained, extractor):
    extractor.cfg["max_pairs"] = 6
    reference = birth_doc(trained.vocab, 0)
    eg = Example(reference.copy(), reference)
    with pytest.warns(UserWarning, match="DW50"):
        scores = trained.evaluate([eg])
    assert scores["rel_r"] < 1.0
