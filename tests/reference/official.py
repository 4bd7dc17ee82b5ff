"""DocRED's official metric, written from the description of its script (thunlp/DocRED,
code/evaluation.py) and the JSON files alone: nothing of the package is used."""

from typing import Any

Rows = list[dict[str, Any]]


def train_facts(train: Rows) -> set[tuple[str, str, str]]:
    """Every name of the head with every name of the tail of each relation."""
    return {
        (a["name"], b["name"], fact["r"])
        for row in train
        for fact in row["labels"]
        for a in row["vertexSet"][fact["h"]]
        for b in row["vertexSet"][fact["t"]]
    }


def official_scores(predictions: Rows, gold: Rows, *trains: Rows) -> dict[str, Any]:
    """Precision, recall, F1, evidence F1, and Ign F1 for each training corpus. Of predictions that
    are listed twice the first counts, with its evidence; a correct one is known if any pair of
    names of its entities stands in that relation in the training data; known ones are taken off
    the precision only."""
    facts = [train_facts(train) for train in trains]
    standard = {
        (row["title"], fact["r"], fact["h"], fact["t"]): set(fact.get("evidence", ()))
        for row in gold
        for fact in row["labels"]
    }
    entities = {row["title"]: row["vertexSet"] for row in gold}
    answers: dict[tuple, set[int]] = {}
    for p in predictions:
        key = (p["title"], p["r"], p["h_idx"], p["t_idx"])
        answers.setdefault(key, set(p.get("evidence", ())))
    n_evidence = sum(len(fact.get("evidence", ())) for row in gold for fact in row["labels"])
    correct = [key for key in answers if key in standard]
    evidence_correct = sum(len(standard[key] & answers[key]) for key in correct)
    evidence_predicted = sum(map(len, answers.values()))
    known = [
        sum(
            any(
                (a["name"], b["name"], r) in known_facts
                for a in entities[title][h]
                for b in entities[title][t]
            )
            for title, r, h, t in correct
        )
        for known_facts in facts
    ]
    recall = len(correct) / len(standard)
    precision = len(correct) / len(answers) if answers else 0.0
    return {
        "p": precision,
        "r": recall,
        "f1": _f1(precision, recall),
        "evidence_f1": _f1(
            evidence_correct / evidence_predicted if evidence_predicted else 0.0,
            evidence_correct / n_evidence if n_evidence else 0.0,
        ),
        "ign_f1": [
            _f1((len(correct) - k) / (len(answers) - k) if len(answers) > k else 0.0, recall)
            for k in known
        ],
    }


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
