"""`compare`: runs that are trained, interrupted, finished, and shown."""

import json

import numpy as np
import pytest
import spacy
import srsly
import torch
from spacy.vocab import Vocab

from spacy_docre.corpora.readers import read_docs
from spacy_docre.data.relation import Relation, set_relations
from spacy_docre.experiments.folds import join
from spacy_docre.experiments.report import p_values, pool, to_markdown
from spacy_docre.scoring.judgement import judge_relations
from spacy_docre.scoring.scorer import score_judgement
from spacy_docre.scoring.significance import compare

from ..commands import run
from ..util import birth_examples


def judged(seed, n=6, share=0.5):
    """Examples of which a random part of the relations is predicted, some of them wrong."""
    rng = np.random.default_rng(seed)
    examples = birth_examples(spacy.blank("xx").vocab, n)
    for example in examples:
        gold = list(example.reference._.relations)
        found = [r for r in gold if rng.random() < share]
        if rng.random() < 0.5:
            first = gold[0]
            found.append(Relation(first["tail"], first.label, first["head"], 0.9))
        example.predicted = example.reference.copy()
        set_relations(example.predicted, found)
    return judge_relations(examples)


def test_pooled_runs_count_as_one():
    runs = [judged(seed) for seed in range(3)]
    pooled = pool(runs)
    assert pooled.n_docs == runs[0].n_docs
    counts = [
        sum(getattr(r, name).sum() for r in runs) for name in ("correct", "predicted", "gold")
    ]
    scores = score_judgement(pooled)
    assert scores["rel_p"] == pytest.approx(counts[0] / counts[1])
    assert scores["rel_r"] == pytest.approx(counts[0] / counts[2])
    pairs = {(i, int(p)) for i, r in enumerate(runs) for p in r.pair}
    assert len(set(pooled.pair)) == len(pairs)


def test_parts_of_a_corpus_are_judged_as_one():
    parts = [judged(seed, n) for seed, n in enumerate((6, 4, 5))]
    joined = join(parts)
    assert joined.n_docs == 15
    assert joined.correct.sum() == sum(part.correct.sum() for part in parts)
    assert len(set(joined.doc)) == sum(len(set(part.doc)) for part in parts)
    assert len(joined.pairs) == sum(len(part.pairs) for part in parts)
    docs = [joined.pairs[pair][0] for pair in joined.pair]
    assert docs == joined.doc.tolist()
    assert pool([joined, joined]).n_docs == 15


def test_p_values_are_those_of_pooled_runs():
    good = pool([judged(seed, n=30, share=0.9) for seed in range(2)])
    bad = pool([judged(seed, n=30, share=0.3) for seed in range(2)])
    same = pool([judged(seed, n=30, share=0.3) for seed in range(2)])
    p = p_values({"bad": bad, "good": good, "same": same}, "bad", n=500)
    assert p["good"] == compare(good, bad, n=500)["rel_f"].p < 0.01
    assert p["same"] == 1.0


def record(f1, **values):
    scores = {"rel_f": f1, "rel_ign_f": f1 - 0.01, "rel_pair_f": None}
    return {"scores": scores, "seconds": 1800, "peak_memory": 2**30, **values}


def test_table():
    records = {"atlop": [record(0.5), record(0.52)], "glre": [record(0.6, peak_memory=None)]}
    published = {"glre": {"rel_f": 57.4}}
    table = to_markdown(records, {"glre": 0.0123}, baseline="atlop", published=published)
    header = (
        "Method | Seeds | Ign F1 | F1 | p, against atlop | Hours | Peak memory (MiB) | F1, paper"
    )
    assert table.splitlines() == [
        f"| {header} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `atlop` | 2 | 50.00 ± 1.41 | 51.00 ± 1.41 |  | 0.50 | 1,024 |  |",
        "| `glre` | 1 | **59.00** | **60.00** | 0.0123 | 0.50 |  | 57.40 |",
    ]


@pytest.fixture
def command(corpus, tiny_bert, tmp_path):
    def compare_runs(*arguments, code=0, dev=True):
        return run(
            *("compare", "--train", corpus, *(("--dev", corpus) if dev else ())),
            *("--encoder", tiny_bert),
            *("--output", tmp_path / "runs", "--report", tmp_path / "report"),
            *("--training.max_steps", "3", "--training.eval_frequency", "2"),
            *("--components.doc_relation_extractor.model.encoder.window", "64"),
            *("--components.doc_relation_extractor.model.encoder.stride", "8"),
            *arguments,
            code=code,
        )

    return compare_runs


@pytest.mark.slow
def test_runs_are_trained_once_and_compared(command, tmp_path):
    pytest.importorskip("matplotlib")
    output = command("--methods", "bilinear glre", "--seeds", "1 2")
    assert "`bilinear` | 2" in output
    report = tmp_path / "report"
    table = (report / "table.md").read_text()
    assert {p.name for p in report.iterdir()} == {
        *("table.md", "runs.jsonl", "curves.png", "subsets.png")
    }
    rows = list(srsly.read_jsonl(report / "runs.jsonl"))
    assert [(row["method"], row["seed"]) for row in rows] == [
        *(("bilinear", 1), ("bilinear", 2), ("glre", 1), ("glre", 2))
    ]
    assert {row["threshold_tuned"] for row in rows if row["method"] == "glre"} == {True}
    assert {row["threshold_tuned"] for row in rows if row["method"] == "bilinear"} == {False}
    path = tmp_path / "runs" / "glre-1"
    tuned = json.loads((path / "model-best" / "doc_relation_extractor" / "cfg").read_text())
    # srsly rounds numbers.
    assert tuned["threshold"] == pytest.approx(rows[2]["threshold"], abs=1e-12)
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}
    command("--methods", "bilinear glre", "--seeds", "1 2")
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()} == before
    assert (report / "table.md").read_text() == table


@pytest.mark.slow
def test_cross_validation(command, tmp_path, corpus):
    pytest.importorskip("matplotlib")
    output = command("--methods", "bilinear", "--folds", "2", dev=False)
    assert "`bilinear` | 2" in output
    rows = list(srsly.read_jsonl(tmp_path / "report" / "runs.jsonl"))
    assert [(row["fold"], row["seed"]) for row in rows] == [(1, 1), (2, 1)]
    parts = [tmp_path / "runs" / f"fold-{n}" for n in (1, 2)]
    texts = [[doc.text for doc in read_docs(part / "dev.spacy", Vocab())] for part in parts]
    assert sorted(texts[0] + texts[1]) == sorted(doc.text for doc in read_docs(corpus, Vocab()))
    assert set(texts[0]) == {doc.text for doc in read_docs(parts[1] / "train.spacy", Vocab())}
    before = (parts[0] / "bilinear-1" / "record.json").stat().st_mtime_ns
    command("--methods", "bilinear", "--folds", "2", dev=False)
    assert (parts[0] / "bilinear-1" / "record.json").stat().st_mtime_ns == before
    assert "--dev, or --folds" in command("--methods", "bilinear", dev=False, code=2)


@pytest.mark.slow
def test_the_last_model_is_taken_where_the_best_was_chosen_by_chance(command, tmp_path):
    command("--methods", "glre", "--seeds", "1")
    folder = tmp_path / "runs" / "glre-1"

    def parameters(name):
        nlp = spacy.load(folder / name)
        head = nlp.get_pipe("doc_relation_extractor").model.get_ref("head")
        return nlp, list(head.shims[0].require_built().parameters())

    nlp, weights = parameters("model-best")
    for weight in weights:
        weight.data.zero_()  # all pairs and types get the same score
    nlp.to_disk(folder / "model-best")
    (folder / "record.json").unlink()
    command("--methods", "glre", "--seeds", "1")
    _, best = parameters("model-best")
    _, last = parameters("model-last")
    assert any(weight.any() for weight in last)
    assert all(torch.equal(*pair) for pair in zip(best, last, strict=True))


@pytest.mark.slow
def test_a_failure_does_not_stop_the_others(command):
    output = command("--methods", "nothing bilinear", code=1)
    assert "D094" in output
    assert "1 of 2 runs failed" in output
    assert "`bilinear`" in output
