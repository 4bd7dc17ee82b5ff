"""The stages of `evaluate --end-to-end` on a pipeline whose mistakes are known."""

import json

import pytest
import spacy
from spacy.tokens import DocBin, Span
from spacy.training import Example

from spacy_docre.data.clusters import get_clusters
from spacy_docre.evaluation.end_to_end import lost_by_step, possible_stages, score_stages
from spacy_docre.evaluation.run import annotate_examples, read_examples

from ..commands import run
from ..methods import add_extractor
from ..util import PEOPLE, PLACES, birth_doc, birth_examples


def life(vocab, n):
    """A `birth_doc` in which every mention of an entity is its name, with entities."""
    doc = birth_doc(vocab, n)
    born_in = doc.spans["entity_clusters_2"]
    doc.spans["entity_clusters_2"] = [born_in[0], Span(doc, 22, 23, label="GPE")]
    doc.ents = [span for cluster in get_clusters(doc) for span in cluster.mentions]
    return doc


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pipeline that knows all people but only three of the six places, and a corpus."""
    path = tmp_path_factory.mktemp("stages")
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    names = [("PERSON", PEOPLE), ("GPE", PLACES[:3])]
    ruler.add_patterns(
        [{"label": label, "pattern": name} for label, group in names for name in group]
    )
    nlp.add_pipe("entity_clusters")
    extractor = add_extractor(nlp, "atlop", "cnn")
    docs = [life(nlp.vocab, n) for n in range(6)]
    DocBin(docs=docs, store_user_data=True).to_disk(path / "dev.spacy")
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    extractor.initialize(lambda: examples, nlp=nlp)
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 3e-3
    for _ in range(60):
        extractor.update(examples, sgd=optimizer)
    nlp.to_disk(path / "model")
    return path


@pytest.fixture(scope="module")
def nlp(folder):
    return spacy.load(folder / "model")


@pytest.fixture(scope="module")
def stages(nlp, folder):
    return score_stages(nlp, read_examples(nlp, folder / "dev.spacy"), names_only=True)


def test_each_stage_has_its_own_task(stages):
    assert list(stages) == ["gold_clusters", "gold_mentions", "raw_text"]
    gold, mentions, raw = stages.values()
    for scores in (gold, mentions):
        assert scores["mention_typed_f"] == scores["cluster_strict_f"] == 1.0
        assert scores["entity_soft_f"] == 1.0
    assert raw["mention_p"] == 1.0
    docs = [life(spacy.blank("en").vocab, n) for n in range(6)]
    names = [m.text for doc in docs for c in get_clusters(doc) for m in c.mentions]
    known = [name for name in names if name in {*PEOPLE, *PLACES[:3]}]
    assert raw["mention_r"] == pytest.approx(len(known) / len(names))
    assert gold["rel_f"] > 0.8, "the model has learned the corpus"
    assert raw["rel_f"] < mentions["rel_f"]


def test_with_perfect_clusters_the_relation_scores_agree(stages):
    gold = stages["gold_clusters"]
    assert gold["rel_f"] == pytest.approx(gold["rel_strict_f"])
    assert gold["rel_f"] == pytest.approx(gold["rel_soft_f"])


def test_losses_add_up(stages):
    lost = lost_by_step(stages)
    assert set(lost) == {"rel_f", "rel_strict_f", "rel_soft_f"}
    for metric, steps in lost.items():
        assert list(steps) == ["relation_model", "coreference", "recogniser"]
        assert sum(steps.values()) == pytest.approx(1 - stages["raw_text"][metric])
    two = {stage: stages[stage] for stage in ("gold_clusters", "raw_text")}
    assert list(lost_by_step(two)["rel_f"]) == ["relation_model", "recogniser_and_coreference"]
    assert lost_by_step({"gold_clusters": {"rel_f": None}}) == {}


def test_gold_mentions_come_from_the_clusters_where_there_are_no_entities(nlp):
    examples = birth_examples(nlp.vocab, 2)
    annotated = annotate_examples(nlp, examples, gold_clusters=False, gold_mentions=True)
    for example, _ in annotated:
        gold = {s.text for c in get_clusters(example.reference) for s in c.mentions}
        assert {ent.text for ent in example.predicted.ents} == gold
        assert {len(c.mentions) for c in get_clusters(example.predicted)} == {1, 2}


def test_stages_follow_from_the_components(nlp):
    with nlp.select_pipes(disable=["entity_clusters"]):
        assert possible_stages(nlp) == ["gold_clusters", "raw_text"]
        with nlp.select_pipes(disable=["entity_ruler"]):
            assert possible_stages(nlp) == ["gold_clusters"]


def test_command_prints_and_writes_all_stages(folder, stages):
    out = folder / "metrics.json"
    data = (folder / "model", folder / "dev.spacy", "-o", out)
    output = run("evaluate", *data, "--end-to-end", "--bootstrap", 20)
    for text in ("Gold clusters", "Gold mentions", "Raw text", "Recogniser", "names only"):
        assert text in output
    assert f"{100 * stages['raw_text']['rel_soft_f']:.2f}" in output
    written = json.loads(out.read_text())
    assert written["names_only"] is True
    assert written["gold_mentions"]["rel_f"] == pytest.approx(stages["gold_mentions"]["rel_f"])
    low, high = written["raw_text"]["intervals"]["rel_soft_f"]
    assert low <= stages["raw_text"]["rel_soft_f"] <= high
    assert f"{100 * low:.2f}–{100 * high:.2f}" in output
    for metric, steps in lost_by_step(stages).items():
        assert written["lost"][metric] == pytest.approx(steps)


def test_command_says_which_stage_is_impossible(folder, tmp_path):
    nlp = spacy.load(folder / "model", exclude=["entity_clusters", "entity_ruler"])
    nlp.to_disk(tmp_path / "model")
    output = run("evaluate", tmp_path / "model", folder / "dev.spacy", "--end-to-end")
    assert "'Gold mentions' is skipped" in output
    assert "'Raw text' is skipped" in output
    assert "Relation model" in output


def test_one_of_two_options(folder):
    options = ("--end-to-end", "--predicted-clusters")
    output = run("evaluate", folder / "model", folder / "dev.spacy", *options, code=2)
    assert "give one of them" in output
