"""Constraints on a component, from its config to its relations."""

import json
import pickle
import warnings

import numpy as np
import pytest
import spacy

from spacy_docre import DocreError
from spacy_docre.data.clusters import get_clusters
from spacy_docre.evaluation.run import annotate_examples
from spacy_docre.extractor.constraints import DEFAULT_CONSTRAINTS
from spacy_docre.extractor.thresholds import Thresholds, collect_candidates
from spacy_docre.models.batch import ClusterBatch

from ...methods import add_extractor
from ...util import birth_doc, birth_examples, make_doc

NAME = "doc_relation_extractor"
TYPES = {"born": [["PERSON"], ["GPE"]]}
LABELS = ("born", "died")


def pipeline(head="atlop", **constraints):
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("xx")
    config = {"constraints": constraints} if constraints else {}
    extractor = add_extractor(nlp, head, "cnn", **config)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    return nlp, extractor


@pytest.fixture(scope="module")
def plain():
    """Initialised without constraints; each test switches its own on and off."""
    return pipeline()


@pytest.fixture
def extractor(plain, monkeypatch):
    _, component = plain
    monkeypatch.setitem(component.cfg, "constraints", dict(DEFAULT_CONSTRAINTS))
    return component


def override(**constraints):
    return {"components": {NAME: {"constraints": constraints}}}


def scores_of(extractor, n=0):
    return extractor.predict([birth_doc(extractor.vocab, n)])[0]


def kept_types(doc, scores, label):
    types = {cluster.key: cluster.label for cluster in get_clusters(doc)}
    return {
        (types[scores.keys[head]], types[scores.keys[tail]])
        for head, tail, row in zip(scores.pair_head, scores.pair_tail, scores.scores, strict=True)
        if row[label] > 0
    }


def test_initialisation_counts_whether_or_not_a_constraint_is_on(extractor):
    assert extractor.cfg["observed"]["types"] == [
        ["born", "PERSON", "GPE", 16],
        ["died", "PERSON", "GPE", 16],
    ]
    assert extractor.cfg["observed"]["opposites"] == []


def test_types_are_switched_at_run_time(extractor):
    doc = birth_doc(extractor.vocab, 0)
    free = scores_of(extractor)
    extractor.cfg["constraints"]["types"] = "learned"
    learned = scores_of(extractor)
    for label in (0, 1):
        assert kept_types(doc, learned, label) == {("PERSON", "GPE")}
        assert len(kept_types(doc, free, label)) == 4
    kept = learned.scores > 0
    # Only these types are computed, whose sums may be rounded in another order.
    np.testing.assert_allclose(learned.scores[kept], free.scores[kept], rtol=1e-6)
    extractor.cfg["constraints"]["types"] = {"died": [["GPE"], ["*"]]}
    given = scores_of(extractor)
    np.testing.assert_allclose(given.scores[:, 0], free.scores[:, 0], rtol=1e-6)
    assert kept_types(doc, given, 1) == {("GPE", "GPE"), ("GPE", "PERSON")}
    extractor.cfg["constraints"] = None
    np.testing.assert_array_equal(scores_of(extractor).scores, free.scores)


def test_inverse_makes_scores_consistent(extractor):
    extractor.cfg["constraints"]["inverse"] = {"born": "died"}
    scores = scores_of(extractor)
    square = np.zeros((5, 5, 2))
    square[scores.pair_head, scores.pair_tail] = scores.scores
    np.testing.assert_array_equal(square[:, :, 0], square[:, :, 1].T)
    assert square.max() > 0


def test_pipe_equals_call(plain, extractor, monkeypatch):
    nlp, _ = plain
    extractor.cfg["constraints"]["types"] = {"born": [["PERSON"], ["PERSON"]]}
    extractor.cfg["constraints"]["symmetric"] = ["born"]
    monkeypatch.setitem(extractor.cfg, "threshold", 0.1)
    docs = [birth_doc(nlp.vocab, n) for n in range(4)]
    docs[1:1] = [make_doc(nlp.vocab, [], []), make_doc(nlp.vocab, ["Ada"], [[(0, 1)]])]
    called = [[dict(r) for r in nlp(doc.copy())._.relations] for doc in docs]
    piped = [[dict(r) for r in doc._.relations] for doc in nlp.pipe(docs, batch_size=3)]
    assert [[(r["head"], r["label"], r["tail"]) for r in doc] for doc in piped] == [
        [(r["head"], r["label"], r["tail"]) for r in doc] for doc in called
    ]
    born = [{(r["head"], r["tail"]) for r in doc if r["label"] == "born"} for doc in called]
    assert born[1] == born[2] == set()
    assert any(born)
    for pairs in born:
        assert pairs == {(tail, head) for head, tail in pairs}


def test_evidence_of_an_added_relation(monkeypatch):
    nlp, extractor = pipeline("rsman")
    raw = scores_of(extractor)
    row = {
        pair: i
        for i, pair in enumerate(zip(raw.pair_head.tolist(), raw.pair_tail.tolist(), strict=True))
    }
    gaps = {(h, t): raw.scores[i, 0] - raw.scores[row[t, h], 0] for (h, t), i in row.items()}
    head, tail = max(gaps, key=gaps.__getitem__)
    strong, weak = row[head, tail], row[tail, head]
    monkeypatch.setitem(extractor.cfg, "threshold", float(raw.scores[weak, 0]))
    expected = scores_of(extractor).evidence
    assert (strong, 0) in expected
    assert (weak, 0) not in expected
    extractor.cfg["constraints"]["symmetric"] = ["born"]
    doc = nlp(birth_doc(nlp.vocab, 0))
    added = next(
        relation
        for relation in doc._.relations
        if relation.triple == (raw.keys[tail], "born", raw.keys[head])
    )
    assert [tuple(span) for span in added["evidence"]] == expected[strong, 0]
    assert added["evidence"]


def test_everything_that_evaluates_sees_constrained_scores(plain, extractor, monkeypatch):
    nlp, _ = plain
    monkeypatch.setitem(extractor.cfg, "threshold", 0.0)
    free = nlp.evaluate(birth_examples(nlp.vocab))["rel_p"]
    extractor.cfg["constraints"]["types"] = "learned"
    constrained = nlp.evaluate(birth_examples(nlp.vocab))["rel_p"]
    assert free == pytest.approx(4 / 40)
    assert constrained == pytest.approx(4 / 12)
    scored = list(annotate_examples(nlp, birth_examples(nlp.vocab)))
    assert all(len(eg.predicted._.relations) == 12 for eg, _ in scored)
    settings = {name: extractor.cfg[name] for name in ("max_labels", "prefix", "attr")}
    candidates = collect_candidates(scored, extractor.labels, **settings)
    assert candidates.f1(Thresholds(0.0, {})) == pytest.approx(2 * 4 / (12 + 4))


def test_training_is_not_constrained(extractor):
    examples = birth_examples(extractor.vocab)
    free = extractor.update(examples)
    extractor.cfg["constraints"]["types"] = {"born": [["GPE"], ["GPE"]]}
    extractor.cfg["constraints"]["symmetric"] = ["born"]
    assert extractor.update(examples) == free


@pytest.mark.filterwarnings("ignore:.*DW15")
def test_two_processes():
    nlp, extractor = pipeline(types="learned", inverse={"born": "died"})
    assert extractor.cfg["observed"]
    extractor.cfg["threshold"] = 0.1
    docs = [birth_doc(nlp.vocab, n) for n in range(4)]
    expected = [[r.triple for r in nlp(doc.copy())._.relations] for doc in docs]
    assert any(expected)
    result = nlp.pipe(docs, n_process=2, batch_size=2)
    assert [[r.triple for r in doc._.relations] for doc in result] == expected
    assert pickle.loads(pickle.dumps(extractor.cfg)) == extractor.cfg


def loaded_both_ways(nlp, path, config=None):
    nlp.to_disk(path)
    from_disk = spacy.load(path, config=config or {})
    from_bytes = spacy.util.load_model_from_config(from_disk.config).from_bytes(nlp.to_bytes())
    return [loaded.get_pipe(NAME) for loaded in (from_disk, from_bytes)]


@pytest.mark.filterwarnings("ignore:.*DW15")
def test_constraints_are_saved(tmp_path):
    constraints = {"types": "learned", "inverse": {"born": "died"}, "min_share": 0.8}
    nlp, extractor = pipeline(**constraints)
    expected = scores_of(extractor)
    for loaded in loaded_both_ways(nlp, tmp_path):
        assert loaded.cfg == extractor.cfg
        assert loaded.cfg["constraints"] == {**DEFAULT_CONSTRAINTS, **constraints}
        np.testing.assert_allclose(scores_of(loaded).scores, expected.scores, atol=1e-6)


def test_config_overrides_at_loading(tmp_path):
    nlp, extractor = pipeline(types=TYPES, symmetric="learned")
    config = override(types=None, inverse=[["born", "died"]])
    for loaded in loaded_both_ways(nlp, tmp_path, config):
        assert loaded.cfg["constraints"] == {
            **DEFAULT_CONSTRAINTS,
            "symmetric": "learned",
            "inverse": [["born", "died"]],
        }
    config = {"components": {NAME: {"constraints": None}}}
    for loaded in loaded_both_ways(nlp, tmp_path, config):
        assert loaded.cfg["constraints"] == DEFAULT_CONSTRAINTS
    assert extractor.cfg["constraints"]["types"] == TYPES


def test_changes_at_run_time_are_saved_and_can_be_overridden(tmp_path):
    nlp, extractor = pipeline(types=TYPES)
    extractor.cfg["constraints"]["types"] = "learned"
    extractor.cfg["constraints"]["symmetric"] = ["born"]
    for loaded in loaded_both_ways(nlp, tmp_path):
        assert loaded.cfg["constraints"]["types"] == "learned"
        assert loaded.cfg["constraints"]["symmetric"] == ["born"]
    for loaded in loaded_both_ways(nlp, tmp_path, override(types=None)):
        assert loaded.cfg["constraints"]["types"] is None
        assert loaded.cfg["constraints"]["symmetric"] == ["born"]
    second = spacy.load(tmp_path, config=override(types=None))
    second.to_disk(tmp_path / "second")
    again = spacy.load(tmp_path / "second").get_pipe(NAME)
    assert again.cfg["constraints"] == second.get_pipe(NAME).cfg["constraints"]


def test_a_label_that_a_config_file_cannot_have_as_a_key(tmp_path):
    nlp = spacy.blank("xx")
    with pytest.raises(DocreError, match="'per:title'"):
        add_extractor(
            nlp, "atlop", "cnn", constraints={"types": {"per:title": [["PERSON"], ["*"]]}}
        )
    rows = [["per:title", ["PERSON"], ["*"]]]
    extractor = add_extractor(nlp, "atlop", "cnn", constraints={"types": rows})
    extractor.add_label("per:title")
    nlp.initialize(lambda: birth_examples(nlp.vocab))
    for loaded in loaded_both_ways(nlp, tmp_path):
        assert loaded.cfg["constraints"]["types"] == rows


@pytest.fixture
def old_model(plain, tmp_path):
    """A pipeline as it was saved before there were constraints."""
    nlp, _ = plain
    nlp.to_disk(tmp_path / "old")
    path = tmp_path / "old" / NAME / "cfg"
    cfg = json.loads(path.read_text())
    for key in ("constraints", "configured", "observed"):
        del cfg[key]
    path.write_text(json.dumps(cfg))
    config = (tmp_path / "old" / "config.cfg").read_text()
    parts = config.split("\n\n")
    parts = [part for part in parts if not part.startswith(f"[components.{NAME}.constraints")]
    assert len(parts) < len(config.split("\n\n"))
    (tmp_path / "old" / "config.cfg").write_text("\n\n".join(parts))
    return tmp_path / "old"


def test_old_model_loads_and_can_learn(old_model, extractor):
    loaded = spacy.load(old_model)
    component = loaded.get_pipe(NAME)
    np.testing.assert_allclose(scores_of(component).scores, scores_of(extractor).scores, atol=1e-6)
    component.cfg["constraints"]["types"] = "learned"
    with pytest.raises(DocreError, match="learn_constraints"):
        scores_of(component)
    component.learn_constraints(birth_examples(loaded.vocab))
    extractor.cfg["constraints"]["types"] = "learned"
    np.testing.assert_allclose(scores_of(component).scores, scores_of(extractor).scores, atol=1e-6)
    loaded.to_disk(old_model)
    assert spacy.load(old_model).get_pipe(NAME).cfg["constraints"]["types"] == "learned"


def test_old_model_cannot_be_loaded_with_constraints_to_be_learned(old_model):
    with (old_model / "config.cfg").open("a") as file:
        file.write(f'\n[components.{NAME}.constraints]\ntypes = "learned"\n')
    with pytest.raises(DocreError, match="D052"):
        spacy.load(old_model)


@pytest.mark.parametrize(
    ("constraints", "code"),
    [
        ({"types": [["bron", ["PERSON"], ["GPE"]]]}, "D049.*'bron'.*'born'"),
        ({"types": [["born", ["PERSONS"], ["GPE"]]]}, "D049.*'PERSONS'.*'PERSON'"),
        ({"symmetric": ["buried"]}, "D049.*'buried'"),
        ({"inverse": [["born", "bury"]]}, "D049.*'bury'"),
        ({"symmetric": ["born"], "inverse": [["born", "died"]]}, "D051.*'born'"),
        ({"symmetric": ["born"], "types": [["born", ["PERSON"], ["GPE"]]]}, "D051.*'born'"),
    ],
)
def test_errors_at_initialisation_at_loading_and_at_run_time(
    constraints, code, plain, extractor, tmp_path
):
    with pytest.raises(DocreError, match=f"(?s){code}"):
        pipeline(**constraints)
    nlp, _ = plain
    nlp.to_disk(tmp_path)
    with pytest.raises(DocreError, match=f"(?s){code}"):
        spacy.load(tmp_path, config=override(**constraints))
    extractor.cfg["constraints"] |= constraints
    with pytest.raises(DocreError, match=f"(?s){code}"):
        scores_of(extractor)
    with pytest.raises(DocreError, match=f"(?s){code}"):
        spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


def test_malformed_settings_are_refused_at_once():
    with pytest.raises(DocreError, match=f"(?s)D050.*'{NAME}'.*Did you mean 'symmetric'"):
        add_extractor(spacy.blank("xx"), "atlop", "cnn", constraints={"symetric": ["born"]})
    with pytest.raises(DocreError, match="D050"):
        add_extractor(spacy.blank("xx"), "atlop", "cnn", constraints={"types": "PER"})


def test_settings_in_a_config_are_completed_with_all_switches():
    nlp = spacy.blank("xx")
    nlp.add_pipe(NAME, config={"constraints": {"types": TYPES}})
    assert nlp.config["components"][NAME]["constraints"]["inverse"] is None
    assert nlp.get_pipe(NAME).cfg["constraints"] == {**DEFAULT_CONSTRAINTS, "types": TYPES}


def test_doubtful_constraints_are_warned_of_at_initialisation():
    with pytest.warns(UserWarning, match=r"DW15.*16 of the 16 relations 'born'"):
        pipeline(types={"born": [["GPE"], ["PERSON"]]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline(types=TYPES, symmetric="learned", inverse="learned")


def test_types_that_the_recogniser_names_otherwise_are_warned_of(extractor):
    extractor.cfg["constraints"]["types"] = "learned"
    doc = birth_doc(extractor.vocab, 0)
    for group in doc.spans.values():
        for span in group:
            span.label_ = "PER"
        doc.spans[group.name] = [
            spacy.tokens.Span(doc, span.start, span.end, label="PER") for span in group
        ]
    with pytest.warns(UserWarning, match=f"DW14.*'{NAME}'.*'PER'"):
        (scores,) = extractor.predict([doc])
    assert (scores.scores > 0).all()


def test_limits_leave_both_directions_or_none(extractor, monkeypatch):
    extractor.cfg["constraints"]["symmetric"] = ["born"]
    monkeypatch.setitem(extractor.cfg, "max_pairs", 7)
    with pytest.warns(UserWarning, match="DW50"):
        scores = scores_of(extractor)
    assert scores.scores.shape == (6, 2)
    pairs = set(zip(scores.pair_head.tolist(), scores.pair_tail.tolist(), strict=True))
    assert pairs == {(tail, head) for head, tail in pairs}
    assert np.isfinite(scores.scores).all()


@pytest.mark.parametrize("in_training", [False, True])
@pytest.mark.parametrize("types", [None, {label: [["PERSON"], ["GPE"]] for label in LABELS}])
def test_pairs_that_are_learned_from(extractor, types, in_training):
    extractor.cfg["constraints"] |= {"types": types, "in_training": in_training}
    examples = birth_examples(extractor.vocab, 3)
    clusters = ClusterBatch.from_docs(
        [eg.predicted for eg in examples], entity_types=extractor.cfg["entity_types"]
    )
    output, _ = extractor.model.begin_update(([eg.predicted for eg in examples], clusters))
    _, (gradients, *_) = extractor.get_loss(examples, (clusters, output))
    learned = gradients.abs().sum(1) > 0
    kinds = ["", *extractor.cfg["entity_types"]]
    for pair, (head, tail) in enumerate(zip(clusters.pair_head, clusters.pair_tail, strict=True)):
        ends = [kinds[clusters.entity_type[entity]] for entity in (head, tail)]
        is_possible = ends == ["PERSON", "GPE"] or types is None
        assert learned[pair] == (is_possible or not in_training)
    assert learned.any()


def test_settings_that_change_in_place_tell(extractor):
    settings = extractor.cfg["constraints"]
    settings["types"] = {"born": [["PERSON"], ["GPE"]]}
    before = extractor.rules.in_force
    assert extractor.rules.in_force is before
    settings["types"]["born"][1].append("PERSON")
    after = extractor.rules.in_force
    assert after.allowed.sum() > before.allowed.sum()
