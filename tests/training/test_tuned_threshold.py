"""Thresholds that are chosen at each evaluation of a training."""

import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train

from spacy_docre.evaluation.run import annotate_examples, read_examples
from spacy_docre.extractor.thresholds import best_threshold, collect_candidates
from spacy_docre.training.loop import train

from ..configs import CONFIGS, save_births, small_config
from ..methods import add_extractor
from ..util import birth_examples, rest_slow

SCORER = {"@scorers": "spacy-docre.relation_scorer.v1", "tuned_threshold": True}


def trained(head, **settings):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, head, "cnn", **settings)
    examples = birth_examples(nlp.vocab, 4)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 3e-3
    for _ in range(8):
        nlp.update(examples, sgd=optimizer)
    return nlp, extractor, optimizer


def best(nlp, examples):
    extractor = nlp.get_pipe("doc_relation_extractor")
    scored = list(annotate_examples(nlp, examples))
    settings = {key: extractor.cfg[key] for key in ("max_labels", "prefix", "attr")}
    candidates = collect_candidates(scored, extractor.labels, **settings)
    thresholds = best_threshold(candidates)
    return thresholds.common, candidates.f1(thresholds)


def test_the_threshold_is_chosen_once_after_each_step():
    nlp, extractor, optimizer = trained("bilinear", scorer=SCORER)
    for _ in range(2):
        scores = nlp.evaluate(birth_examples(nlp.vocab, 4))
        threshold, f1 = best(nlp, birth_examples(nlp.vocab, 4))
        assert extractor.cfg["threshold"] == scores["rel_threshold"] == threshold
        assert scores["rel_f"] == pytest.approx(f1)
        # Test data chooses nothing.
        other = nlp.evaluate(birth_examples(nlp.vocab, 8)[6:])
        assert extractor.cfg["threshold"] == other["rel_threshold"] == threshold
        nlp.update(birth_examples(nlp.vocab, 4), sgd=optimizer)


def test_documents_that_another_has_annotated_are_scored_again():
    nlp, extractor, _ = trained("bilinear", scorer=SCORER)
    examples = birth_examples(nlp.vocab, 4)
    scores = extractor.score(examples)
    assert scores["rel_threshold"] == best(nlp, birth_examples(nlp.vocab, 4))[0]
    assert any(eg.predicted._.relations for eg in examples)


def test_nothing_is_chosen_for_a_learned_threshold_or_without_being_asked():
    for head, scorer in (("atlop", SCORER), ("bilinear", {**SCORER, "tuned_threshold": False})):
        nlp, extractor, _ = trained(head, scorer=scorer)
        nlp.evaluate(birth_examples(nlp.vocab, 4))
        assert extractor.cfg["threshold"] == 0.5


def test_documents_without_annotation_choose_nothing():
    nlp, extractor, _ = trained("bilinear", scorer=SCORER)
    examples = birth_examples(nlp.vocab, 2)
    for example in examples:
        example.reference.user_data.clear()
    assert nlp.evaluate(examples)["rel_f"] is None
    assert extractor.cfg["threshold"] == 0.5


@pytest.mark.parametrize("loop", rest_slow([spacy_train, train], lambda loop: loop is train))
def test_the_threshold_is_saved_with_the_best_model(loop, tmp_path):
    corpus = save_births(tmp_path / "births.spacy", 6)
    path = next(path for path in CONFIGS if path.stem == "cnn")
    config = small_config(path, corpus, None, max_steps=12, eval_frequency=4)
    nlp = init_nlp(config)
    loop(nlp, tmp_path)
    loaded = spacy.load(tmp_path / "model-best")
    chosen = loaded.get_pipe("doc_relation_extractor").cfg["threshold"]
    assert chosen != 0.5
    assert chosen == best(loaded, read_examples(loaded, corpus))[0]


def test_a_run_that_goes_on_has_the_threshold_of_its_last_evaluation(tmp_path):
    corpus = save_births(tmp_path / "births.spacy", 6)
    path = next(path for path in CONFIGS if path.stem == "cnn")
    thresholds = []
    for steps in (8, 9):
        config = small_config(path, corpus, None, max_steps=steps, eval_frequency=4)
        train(init_nlp(config), tmp_path / "run", resume=True)
        loaded = spacy.load(tmp_path / "run" / "model-last")
        thresholds.append(loaded.get_pipe("doc_relation_extractor").cfg["threshold"])
    assert thresholds[0] == thresholds[1] != 0.5
