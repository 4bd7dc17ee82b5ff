"""The pipelines that are fuzzed: tiny and untrained, if no other is asked for."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import spacy
import torch
from spacy.language import Language

from ..methods import add_extractor
from ..util import birth_examples, make_tiny_transformer
from .texts import ODD_WORDS, WORDS

# Scores of untrained models are near 0.5, so that most pairs get a relation.
SETTINGS: dict[str, Any] = {"threshold": 0.45, "max_pairs": 400}
# 66 positions of the tiny encoder, cut into short windows, so that most documents have several.
WINDOWS = {"window": 24, "stride": 6}


@cache
def tiny_encoder() -> Path:
    return make_tiny_transformer(Path(gettempdir()) / "spacy-docre-fuzz" / "bert")


def extractor(head: str, encoder: str, **settings: Any) -> Language:
    """An untrained relation extractor, which reads the clusters that documents have."""
    torch.manual_seed(0)
    nlp = spacy.blank("en")
    transformer = tiny_encoder() if encoder in ("transformer", "ssan") else None
    component = add_extractor(nlp, head, encoder, transformer, **{**SETTINGS, **settings})
    if transformer:
        component.model.get_ref("encoder").attrs.update(WINDOWS)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    return nlp


def from_text() -> Language:
    """A pipeline that finds its entities by itself, half of them odd ones."""
    nlp = extractor("atlop", "cnn")
    nlp.add_pipe("entity_clusters", first=True)
    nlp.add_pipe("sentencizer", first=True)
    ruler: Any = nlp.add_pipe("entity_ruler", first=True)
    names = [word for word in WORDS if word[0].isupper()]
    names += [word for words in ODD_WORDS.values() for word in words if word.strip()]
    labels = ("PERSON", "GPE", "ORG")
    ruler.add_patterns(
        [{"label": labels[i % 3], "pattern": name} for i, name in enumerate(names)]
        + [{"label": "DATE", "pattern": [{"IS_SPACE": True}]}]
    )
    return nlp


CONSTRAINTS = {"symmetric": ["born"], "types": "learned"}

# The pipelines that read clusters.
EXTRACTORS: dict[str, Callable[[], Language]] = {
    "atlop-cnn": partial(extractor, "atlop", "cnn"),
    "atlop-windows": partial(extractor, "atlop", "transformer"),
    "rsman-ssan": partial(extractor, "rsman", "ssan"),
    "rsman-bilstm": partial(extractor, "rsman_context", "bilstm"),
    "kmgre-twin": partial(extractor, "kmgre", "twin"),
    "kmgre-windows": partial(extractor, "kmgre", "transformer"),
    "glre-cnn": partial(extractor, "glre", "cnn"),
    "paee-windows": partial(extractor, "paee", "transformer"),
    "docunet-cnn": partial(extractor, "docunet", "cnn"),
    "bilinear-entities": partial(extractor, "bilinear", "entity_embed"),
    "context-cnn": partial(extractor, "context_aware", "cnn"),
    "atlop-constraints": partial(extractor, "atlop", "cnn", constraints=CONSTRAINTS),
}
# Those whose cost does not grow with the square of the entities.
MANY_ENTITIES = ["bilinear-entities", "rsman-ssan", "context-cnn"]


@cache
def pipeline(name: str) -> Language:
    """One of those above, that of `from_text` ("text"), or that of a path or package."""
    if name == "text":
        return from_text()
    return EXTRACTORS[name]() if name in EXTRACTORS else spacy.load(name)
