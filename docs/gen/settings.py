"""The settings of the components, with their defaults, from the factories."""

import inspect
from typing import Any

import srsly
import text
from spacy.language import Language
from thinc.api import Config

import spacy_docre.factories  # noqa: F401  (registers the factories)
from spacy_docre.coref import EntityClusterer


def page() -> str:
    """The page."""
    return "\n\n".join(
        [
            "# Settings",
            "What stands in `[components.NAME]` of a config, or in the `config` of `nlp.add_pipe`. "
            "The settings of encoders and heads are with their [names](names.md).",
            *_component("doc_relation_extractor", _extractor()),
            "Which of two values counts: one that is given to `nlp.add_pipe`, or as an override to "
            "`spacy.load(config=...)` or on the command line, is taken before one that was saved.",
            "The default `model`:",
            f"```ini\n{_model()}\n```",
            *_component("entity_clusters", EntityClusterer),
        ]
    )


def _extractor() -> Any:
    from spacy_docre import component

    return component.DocRelationExtractor


def _component(factory: str, described: Any) -> list[str]:
    about = {entry.name: entry for entry in text.doc_of(described).parameters}
    module = inspect.getmodule(described)
    rows = []
    for name, value in Language.get_factory_meta(factory).default_config.items():
        entry = about.get(name)
        rows.append(
            [
                text.code(name),
                text.code(entry.type) if entry else "",
                text.code(_shown(name, value)),
                text.linked(entry.text, module) if entry else "",
            ]
        )
    header = ["Setting", "Type", "Default", "What"]
    return [
        f"## `{factory}`",
        text.linked(text.doc_of(described).text, module),
        text.table(header, rows),
    ]


def _model() -> str:
    defaults = Language.get_factory_meta("doc_relation_extractor").default_config
    return Config({"model": defaults["model"]}).to_str().strip()


def _shown(name: str, value: Any) -> str:
    shown = srsly.json_dumps(value)
    return shown if len(shown) <= 60 else "see below" if name == "model" else shown[:57] + "..."
