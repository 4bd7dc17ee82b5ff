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


def complete_meta(
    nlp: Language,
    *,
    data: str = "",
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The meta data of a pipeline, with all that `spacy package` needs for an installable package
    with a model card: the requirements, and a description and notes, of which it makes the
    package's README.

    nlp (Language): The pipeline.
    data (str): What the relation extractor was trained on.
    metrics (Optional[Mapping[str, Mapping[str, Any]]]): For each way that the pipeline was
        evaluated in, by its name, what the scorer returned.
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
    meta["notes"] = _notes(meta, extractor.cfg, data, metrics or {})
    if metrics:
        scores = next(iter(metrics.values()))
        known = {name: scores[name] for name in metric_titles() if scores.get(name) is not None}
        meta["performance"] = {**meta.get("performance", {}), **known}
    return meta


def _has_transformer(model: Model) -> bool:
    if not has_transformers:
        return False
    return any(isinstance(shim, HFShim) for node in model.walk() for shim in node.shims)


def _notes(
    meta: Mapping[str, Any], cfg: Mapping[str, Any], data: str, metrics: Mapping[str, Any]
) -> str:
    md = MarkdownRenderer()
    md.add(md.title(3, "Use"))
    usage = (
        f'nlp = spacy.load("{meta["lang"]}_{meta["name"]}")\n'
        "doc = nlp(text)\n"
        f"for relation in doc._.{cfg['attr']}:\n"
        "    print(relation.head.text, relation.label, relation.tail.text, relation.score)"
    )
    md.add(md.code_block(f"import spacy\n\n{usage}", "python"))
    if data:
        md.add(md.title(3, "Training data"))
        md.add(data)
    if metrics:
        md.add(md.title(3, "Metrics"))
        md.add(_metrics_table(md, metrics))
        md.add(_types_table(md, metrics))
    md.add(md.title(3, "Limits"))
    md.add(md.list(_limits(cfg)))
    return md.text


def _metrics_table(md: MarkdownRenderer, metrics: Mapping[str, Any]) -> str:
    rows = [
        (title, *(_percent(scores.get(key)) for scores in metrics.values()))
        for key, title in metric_titles().items()
        if any(key in scores for scores in metrics.values())
    ]
    right: list[Literal["l", "c", "r"]] = ["r"]
    return md.table(rows, ("", *map(_escape, metrics)), ["l", *(right * len(metrics))])


def _types_table(md: MarkdownRenderer, metrics: Mapping[str, Any]) -> str:
    name, scores = next(iter(metrics.items()))
    rows = [
        (_escape(label), *(_percent(values[key]) for key in ("p", "r", "f")))
        for label, values in (scores.get("rel_per_type") or {}).items()
    ]
    return md.table(rows, (_escape(name), "P", "R", "F1"), aligns=("l", "r", "r", "r"))


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
