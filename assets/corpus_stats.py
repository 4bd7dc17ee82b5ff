"""Counts of the corpus, as Markdown tables."""

from collections import Counter
from collections.abc import Iterable
from itertools import permutations
from typing import Any

Row = dict[str, Any]
Splits = dict[str, list[Row]]


def format_stats(splits: Splits) -> str:
    """The tables of README.md: sizes, entities and relations by type, and how far rules without
    any reading get."""
    tables = (_sizes(splits), _entities(splits), _relations(splits), _baselines(splits))
    return "\n\n".join(_table(["", *splits], lines) for lines in tables)


def _sizes(splits: Splits) -> list[list[str]]:
    columns = []
    for rows in splits.values():
        mentions = [m for row in rows for c in row["clusters"] for m in c["mentions"]]
        facts = [(row, fact) for row in rows for fact in row["relations"]]
        columns.append(
            [
                str(len(rows)),
                str(sum(len(row["sentences"]) for row in rows)),
                str(sum(len(row["text"].split()) for row in rows)),
                str(sum(len(row["clusters"]) for row in rows)),
                str(len(mentions)),
                str(sum(mention["named"] for mention in mentions)),
                str(len(facts)),
                *(_share(facts, names) for names in ("full", "named", "all")),
            ]
        )
    names = [
        "documents",
        "sentences",
        "words",
        "clusters (entities)",
        "mentions",
        "of these by name",
        "relations",
        "head and tail share no sentence by full name",
        "... by any name",
        "... by any mention",
    ]
    return [list(line) for line in zip(names, *columns, strict=True)]


def _entities(splits: Splits) -> list[list[str]]:
    counts = [
        Counter(cluster["type"] for row in rows for cluster in row["clusters"])
        for rows in splits.values()
    ]
    return [[name, *(str(count[name]) for count in counts)] for name in sorted(counts[0])]


def _relations(splits: Splits) -> list[list[str]]:
    """For each label the relations, and the share whose entities never share a sentence."""
    facts = [[(row, fact) for row in rows for fact in row["relations"]] for rows in splits.values()]
    lines = []
    for label in sorted({fact["label"] for _, fact in facts[0]}):
        cells = []
        for column in facts:
            chosen = [(row, fact) for row, fact in column if fact["label"] == label]
            cells.append(f"{len(chosen)} ({_share(chosen, 'all')})")
        lines.append([label, *cells])
    return lines


def _baselines(splits: Splits) -> list[list[str]]:
    """F1 of rules that only see types: the best set of (head type, tail type, label) for the split
    itself, applied to all pairs of entities, and only to pairs in a common sentence."""
    return [
        [name, *(f"{_type_pair_f1(rows, kind):.2f}" for rows in splits.values())]
        for name, kind in (("F1 of type pairs", ""), ("... in a common sentence", "all"))
    ]


def _type_pair_f1(rows: list[Row], kind: str) -> float:
    """kind (str): Which mentions must stand in a common sentence; empty if none need to."""
    n_pairs: Counter[tuple[str, str]] = Counter()
    n_facts: Counter[tuple[tuple[str, str], str]] = Counter()
    for row in rows:
        types = [cluster["type"] for cluster in row["clusters"]]
        where = [_sentences(row, i, kind) for i in range(len(types))] if kind else []
        for head, tail in permutations(range(len(types)), 2):
            if not kind or where[head] & where[tail]:
                n_pairs[types[head], types[tail]] += 1
                for fact in row["relations"]:
                    if (fact["head"], fact["tail"]) == (head, tail):
                        n_facts[(types[head], types[tail]), fact["label"]] += 1
    total = sum(len(row["relations"]) for row in rows)
    by_precision = sorted(n_facts, key=lambda key: n_facts[key] / n_pairs[key[0]], reverse=True)
    best, correct, predicted = 0.0, 0, 0
    for key in by_precision:
        correct += n_facts[key]
        predicted += n_pairs[key[0]]
        best = max(best, 2 * correct / (predicted + total))
    return best


def _share(facts: Iterable[tuple[Row, dict[str, Any]]], kind: str) -> str:
    """The share of relations whose head and tail have no mention of a kind in a common sentence."""
    apart = [
        not _sentences(row, fact["head"], kind) & _sentences(row, fact["tail"], kind)
        for row, fact in facts
    ]
    return f"{sum(apart) / max(len(apart), 1):.0%}"


def _sentences(row: Row, number: int, kind: str) -> set[int]:
    """The sentences that mention an entity by its "full" name, by any name ("named"), or at all
    ("all")."""
    mentions = row["clusters"][number]["mentions"]
    if kind != "all":
        mentions = [mention for mention in mentions if mention["named"]]
    if kind == "full":
        longest = max(mention["end"] - mention["start"] for mention in mentions)
        mentions = [mention for mention in mentions if mention["end"] - mention["start"] == longest]
    return {
        i
        for i, (start, end) in enumerate(row["sentences"])
        if any(start <= mention["start"] < end for mention in mentions)
    }


def _table(header: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))
