"""The settings of the components, with their defaults and what they must be."""

import inspect
from typing import Any

import srsly
import text
from spacy.language import Language
from thinc.api import Config

import spacy_docre.factories  # noqa: F401  (registers the factories)
from spacy_docre.coref import EntityClusterer
from spacy_docre.extractor import settings
from spacy_docre.extractor.component import DocRelationExtractor

HEADER = ["Setting", "Default", "Must be", "What"]


def page() -> str:
    """The page."""
    return "\n\n".join(
        [
            "# Settings",
            "What stands in `[components.NAME]` of a config, or in the `config` of `nlp.add_pipe`. "
            "The settings of encoders and heads are with their [names](names.md).",
            "## `doc_relation_extractor`",
            _about(DocRelationExtractor),
            text.table(HEADER, _extractor()),
            "A value that is given to `spacy.load(config=...)`, or as an override on the command "
            "line, wins over the saved one. `model`, the encoder and the head, is by default:",
            f"```ini\n{_model()}\n```",
            "## `entity_clusters`",
            _about(EntityClusterer),
            text.table(["Setting", "Default", "What"], _clusterer()),
        ]
    )


def _extractor() -> list[list[str]]:
    return [
        [
            text.code(name),
            text.code(_shown(settings.DEFAULTS[name])),
            settings.CONDITIONS[name],
            text.linked(field.description or "", settings),
        ]
        for name, field in settings.ExtractorSettings.model_fields.items()
    ]


def _clusterer() -> list[list[str]]:
    about = {entry.name: entry.text for entry in text.doc_of(EntityClusterer).parameters}
    module = inspect.getmodule(EntityClusterer)
    defaults = Language.get_factory_meta("entity_clusters").default_config
    return [
        [text.code(name), text.code(_shown(value)), text.linked(about[name], module)]
        for name, value in defaults.items()
    ]


def _about(component: Any) -> str:
    return text.linked(text.doc_of(component).text, inspect.getmodule(component))


def _model() -> str:
    defaults = Language.get_factory_meta("doc_relation_extractor").default_config
    return Config({"model": defaults["model"]}).to_str().strip()


def _shown(value: Any) -> str:
    shown = srsly.json_dumps(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
