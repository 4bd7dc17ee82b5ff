"""What a packaged pipeline says about itself: its requirements and its model card."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from spacy.language import Language
from spacy.util import get_minor_version_range
from thinc.api import Model
from wasabi import MarkdownRenderer

from ..about import __version__
from ..errors import printable
from ..extractor.pipeline import find_extractor
from ..models.compat import HFShim, has_transformers
from ..scoring.metrics import metric_titles
from ..scoring.subsets import SUBSET_TITLES

CLUSTER_TITLES = {
    "rel_strict_f": "F1, relations between equal clusters (strict, DWIE)",
    "rel_soft_f": "F1, relations between mentions (soft, DWIE)",
    "mention_typed_f": "F1, mentions with their types",
    "entity_soft_f": "F1, entities with their types (soft, DWIE)",
}
CALIBRATION_HEADER = ("Score", "Relations", "Mean score", "Right")
THRESHOLD_TITLES = {"best": "the best F1", "precision": "precision"}
MISUSES = (
    "Decisions about people: who is hired, insured, prosecuted or let into a country. Some of what "
    "it says of people is wrong, and it does not know which.",
    "Facts that nobody checks. Each relation names the sentences that it was read from; a person "
    "should read these before anything depends on it.",
    "Texts of other kinds than those that it was evaluated on, medical and legal ones above all, "
    "without an evaluation on them.",
)
# Its methods make text; it holds what `add` collects, which is not used.
_md = MarkdownRenderer()


def complete_meta(
    nlp: Language,
    *,
    data: str = "",
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
    speed: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The meta data of a pipeline, with all that `spacy package` needs for an installable package
    with a model card: the requirements, and a description and notes, of which it makes the
    package's README.

    nlp (Language): The pipeline.
    data (str): What the relation extractor was trained on.
    metrics (Optional[Mapping[str, Mapping[str, Any]]]): For each way that the pipeline was
        evaluated in, by its name, what the scorer returned; with "intervals", "calibration" and
        "rel_subsets" of `evaluate` where there are any.
    thresholds (Optional[Mapping[str, Mapping[str, float]]]): What `find-threshold` wrote.
    speed (Sequence[Mapping[str, Any]]): What `benchmarks/speed.py` wrote: rows of "pipeline",
        "docs_per_second" and "machine".
    RETURNS (dict[str, Any]): The meta data.
    RAISES (DocreError): If the pipeline has no relation extractor.
    """
    _, extractor = find_extractor(nlp)
    meta = dict(nlp.meta)
    ours = "spacy-docre[transformers]" if _has_transformer(extractor.model) else "spacy-docre"
    others = [r for r in meta.get("requirements", []) if not r.startswith("spacy-docre")]
    meta["requirements"] = [ours + get_minor_version_range(__version__), *others]
    meta["description"] = (
        f"Document-level relation extraction: {len(extractor.labels)} types of relations between "
        "the entities of a document, however many sentences they are spread over."
    )
    sections = {
        "Use": _use(meta, extractor.cfg),
        "Training data": data,
        "Metrics": _metrics_tables(metrics or {}),
        "What it confuses": _confusions_table(metrics or {}),
        "Calibration": _calibration_table(metrics or {}),
        "Thresholds": _thresholds_table(thresholds or {}),
        "Size and speed": _size_and_speed(nlp, speed),
        "Limits": _md.list(_limits(extractor.cfg)),
        "Not to be used for": _md.list(MISUSES),
    }
    written = {title: text for title, text in sections.items() if text}
    meta["notes"] = "\n\n".join(
        f"{_md.title(3, title)}\n\n{text}" for title, text in written.items()
    )
    if metrics:
        scores = next(iter(metrics.values()))
        known = {name: scores[name] for name in metric_titles() if scores.get(name) is not None}
        meta["performance"] = {**meta.get("performance", {}), **known}
    return meta


def _has_transformer(model: Model) -> bool:
    if not has_transformers:
        return False
    return any(isinstance(shim, HFShim) for node in model.walk() for shim in node.shims)


def _use(meta: Mapping[str, Any], cfg: Mapping[str, Any]) -> str:
    usage = (
        f'nlp = spacy.load("{meta["lang"]}_{meta["name"]}")\n'
        "doc = nlp(text)\n"
        f"for relation in doc._.{cfg['attr']}:\n"
        "    print(relation.head.text, relation.label, relation.tail.text, relation.score)"
    )
    return _md.code_block(f"import spacy\n\n{usage}", "python")


def _metrics_tables(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return ""
    tables = [_metrics_table(metrics), _subsets_table(metrics), _types_table(metrics)]
    return "\n\n".join(filter(None, tables))


def _metrics_table(metrics: Mapping[str, Any]) -> str:
    rows = [
        (title, *(with_interval(scores, key) for scores in metrics.values()))
        for key, title in (metric_titles() | CLUSTER_TITLES).items()
        if any(key in scores for scores in metrics.values())
    ]
    return _table(rows, ("", *map(_escape, metrics)))


def with_interval(scores: Mapping[str, Any], key: str) -> str:
    """A score in percent, and its confidence interval if there is one.

    scores (Mapping[str, Any]): What `evaluate` gave.
    key (str): The key of the score.
    RETURNS (str): "63.89 (60.71–66.71)".
    """
    ends = scores.get("intervals", {}).get(key)
    value = _percent(scores.get(key))
    return value if ends is None else f"{value} ({'–'.join(map(_percent, ends))})"


def _subsets_table(metrics: Mapping[str, Any]) -> str:
    """By the distance of the entities and so on, of the first evaluation that says so."""
    found = (m.get("rel_subsets") for m in metrics.values())
    subsets: Mapping[str, Any] = next(filter(None, found), {})
    rows = [
        (SUBSET_TITLES[name], str(values["gold"]), *(_percent(values[key]) for key in "prf"))
        for name, values in subsets.items()
    ]
    return _table(rows, ("Subset", "Gold", "P", "R", "F1")) if rows else ""


def _types_table(metrics: Mapping[str, Any]) -> str:
    name, scores = next(iter(metrics.items()))
    per_type = scores.get("rel_per_type") or {}
    rows = [
        (_escape(label), str(values.get("gold", "-")), *(_percent(values[key]) for key in "prf"))
        for label, values in per_type.items()
    ]
    return _table(rows, (_escape(name), "Gold", "P", "R", "F1"))


def _confusions_table(metrics: Mapping[str, Any]) -> str:
    found = (m.get("confused_types") for m in metrics.values())
    confused: list[dict[str, Any]] = next(filter(None, found), [])
    rows = [
        (_escape(row["gold"]), _escape(row["predicted"]), str(row["count"])) for row in confused
    ]
    return _table(rows, ("Missed", "Set instead", "Pairs")) if rows else ""


def calibration_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """How often relations of a score are right, in the columns of `CALIBRATION_HEADER`.

    found (Mapping[str, Any]): What `evaluate --calibration` gave for the predicted relations.
    RETURNS (list[list[str]]): A row for each range of scores.
    """
    return [
        [
            f"{row['low']:.2f}–{row['high']:.2f}",
            str(row["count"]),
            _percent(row["score"]),
            _percent(row["correct"]),
        ]
        for row in found["bins"]
    ]


def _calibration_table(metrics: Mapping[str, Any]) -> str:
    """How often relations of a score are right, of the first evaluation that says so."""
    found = next((c for m in metrics.values() if (c := m.get("calibration"))), None)
    if found is None:
        return ""
    relations = found["relations"]
    table = _table(calibration_rows(relations), CALIBRATION_HEADER)
    errors = [f"{_percent(relations['ece'])} over the predicted relations"]
    if "pairs" in found:
        errors.append(f"{_percent(found['pairs']['ece'])} over all candidate pairs and types")
    return f"Expected calibration error, in percent: {', '.join(errors)}.\n\n{table}"


def _thresholds_table(thresholds: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        (THRESHOLD_TITLES[name], f"{row['threshold']:.4f}", *(_percent(row[k]) for k in "prf"))
        for name, row in thresholds.items()
    ]
    if not rows:
        return ""
    example = _md.code_block(
        'nlp.get_pipe("doc_relation_extractor").configure(threshold=...)', "python"
    )
    return f"{_table(rows, ('For', 'Threshold', 'P', 'R', 'F1'))}\n\n{example}"


def _size_and_speed(nlp: Language, speed: Sequence[Mapping[str, Any]]) -> str:
    size = f"{count_parameters(nlp) / 1e6:.1f} million parameters."
    if not speed:
        return size
    rows = [(_escape(row["pipeline"]), f"{row['docs_per_second']:.2f}") for row in speed]
    table = _table(rows, ("Pipeline, one thread", "Documents a second"))
    return f"{size}\n\n{table}\n\nMeasured on: {_escape(speed[0]['machine'])}."


def count_parameters(nlp: Language) -> int:
    """How many trained numbers the components of a pipeline have, those of shared models once.

    nlp (Language): The pipeline.
    RETURNS (int): The number.
    """
    sizes: dict[Any, int] = {}
    models = [model for _, pipe in nlp.pipeline if (model := getattr(pipe, "model", None))]
    for node in (node for model in models if isinstance(model, Model) for node in model.walk()):
        names = [name for name in node.param_names if node.has_param(name)]
        modules = (shim._model for shim in node.shims if shim._model is not None)
        sizes |= {(node.id, name): node.get_param(name).size for name in names}
        sizes |= {id(p): p.numel() for module in modules for p in module.parameters()}
    return sum(sizes.values())


def _table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    right: list[Literal["l", "c", "r"]] = ["r"]
    return _md.table(rows, header, ["l", *(right * (len(header) - 1))])


def _limits(cfg: Mapping[str, Any]) -> Sequence[str]:
    return (
        "It finds the relation types that it was trained on, and no others, between entities of "
        "one document. What it finds is what the text seems to say, not what is true.",
        "It reads entity clusters. Where the pipeline makes them itself, errors of its recogniser "
        "and coreference become errors of relations: compare the columns above, if there are "
        "several.",
        f"A relation is set if its score is above {cfg['threshold']:g}"
        + (", or the threshold of its type. " if cfg["thresholds"] else ". ")
        + (
            "The scores are probabilities, calibrated on development data."
            if cfg["calibration"]
            else "The scores are not calibrated probabilities."
        ),
        "On texts unlike its training data (language, genre, time, kinds of entities) expect less "
        "than these figures; evaluate it on texts of your own before you rely on it.",
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _escape(text: str) -> str:
    # Labels come from data; in a table, these characters would be markup, and a line end its end.
    line = " ".join(printable(text).split())
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-.!|" else c for c in line)
