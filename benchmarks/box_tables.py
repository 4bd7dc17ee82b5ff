"""The figures of a pipeline, as tables for the documentation.

    python benchmarks/box_tables.py METRICS docs/data/box.json

METRICS is the folder that `spacy project run box-evaluate` writes: `end_to_end.json`,
`gold_clusters.json`, `thresholds.json` and, if it was measured, `speed.json`.
"""

import argparse
from pathlib import Path
from typing import Any

import srsly

from spacy_docre.cli.messages import percent
from spacy_docre.cli.stages import METRICS, STAGE_NAMES
from spacy_docre.evaluation.model_card import CALIBRATION_HEADER, calibration_rows, with_interval
from spacy_docre.files import replacing
from spacy_docre.scoring.metrics import metric_titles
from spacy_docre.scoring.subsets import SUBSET_TITLES

COMMAND = "python -m spacy project run box-assemble; python -m spacy project run box-evaluate"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("metrics", type=Path, help="the folder")
    parser.add_argument("output", type=Path, help="the file of data")
    arguments = parser.parse_args()
    read = {path.stem: srsly.read_json(path) for path in arguments.metrics.glob("*.json")}
    tables = [
        stages(read["end_to_end"]),
        metrics(read["gold_clusters"]),
        types(read["gold_clusters"]),
        subsets(read["gold_clusters"]),
        calibration(read["gold_clusters"]["calibration"]["relations"]),
        thresholds(read["thresholds"]),
    ]
    data: dict[str, Any] = {"command": COMMAND, "tables": tables}
    if "speed" in read:
        rows = [
            [row["pipeline"], f"{row['docs_per_second']:.2f}"] for row in read["speed"]["pipelines"]
        ]
        tables.append(table("Speed", ["Pipeline", "Documents a second"], rows))
        data["machine"] = read["speed"]["pipelines"][0]["machine"]
    with replacing(arguments.output) as draft:
        srsly.write_json(draft, data)


def table(title: str, header: list[str], rows: list[list[str]]) -> dict[str, Any]:
    return {"title": title, "header": header, "rows": rows}


def stages(scores: dict[str, Any]) -> dict[str, Any]:
    found = {stage: scores[stage] for stage in STAGE_NAMES if stage in scores}
    rows = [
        [title, *(with_interval(values, key) for values in found.values())]
        for key, title in METRICS.items()
        if all(values.get(key) is not None for values in found.values())
    ]
    return table("F1 by stage", ["F1", *(STAGE_NAMES[stage] for stage in found)], rows)


def metrics(scores: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [title, with_interval(scores, key)]
        for key, title in metric_titles().items()
        if scores.get(key) is not None
    ]
    return table("With gold clusters", ["", "95 % interval"], rows)


def types(scores: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [label, str(values["gold"]), *(percent(values[key]) for key in "prf")]
        for label, values in scores["rel_per_type"].items()
    ]
    return table("By type", ["Type", "Gold", "P", "R", "F1"], rows)


def subsets(scores: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [SUBSET_TITLES[name], str(values["gold"]), *(percent(values[key]) for key in "prf")]
        for name, values in scores["rel_subsets"].items()
    ]
    return table("By subset", ["Subset", "Gold", "P", "R", "F1"], rows)


def calibration(found: dict[str, Any]) -> dict[str, Any]:
    rows = calibration_rows(found)
    rows.append(["Expected calibration error", str(found["count"]), "", percent(found["ece"])])
    return table("Calibration", list(CALIBRATION_HEADER), rows)


def thresholds(found: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [name.capitalize(), f"{row['threshold']:.4f}", *(percent(row[key]) for key in "prf")]
        for name, row in found.items()
    ]
    return table("Thresholds", ["", "Threshold", "P", "R", "F1"], rows)


if __name__ == "__main__":
    main()
