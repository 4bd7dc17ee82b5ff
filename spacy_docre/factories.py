"""The factories of the components, with their default settings."""

from collections.abc import Callable, Sequence
from typing import Any

from spacy.language import Language
from thinc.api import Config, Model

from .coref import EntityClusterer
from .data.clusters import DEFAULT_PREFIX
from .extractor.component import DocRelationExtractor
from .extractor.settings import DEFAULTS, with_parameters
from .scoring.metrics import score_weights

DEFAULT_CONFIG = """
[model]
@architectures = "spacy-docre.RelationModel.v1"

[model.encoder]
@architectures = "spacy-docre.Tok2VecEncoder.v1"
n_heads = 8
head_width = 16
use_entity_types = true
use_distance = true

[model.encoder.tok2vec]
@architectures = "spacy.Tok2Vec.v2"

[model.encoder.tok2vec.embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = 128
attrs = ["NORM","PREFIX","SUFFIX","SHAPE"]
rows = [2000,1000,1000,1000]
include_static_vectors = false

[model.encoder.tok2vec.encode]
@architectures = "spacy-docre.BiLSTMEncoder.v1"
width = 128
depth = 1
dropout = 0.0

[model.head]
@architectures = "spacy-docre.ATLOP.v1"
hidden = 256
block = 32
"""
DEFAULT_MODEL = Config().from_str(DEFAULT_CONFIG)["model"]


def make_doc_relation_extractor(
    nlp: Language, name: str, model: Model, scorer: Callable | None, **settings: Any
) -> DocRelationExtractor:
    """The factory "doc_relation_extractor"; see `DocRelationExtractor` for the settings."""
    return DocRelationExtractor(nlp, model, name, scorer=scorer, **settings)


# spaCy reads a factory's settings from its signature.
make_doc_relation_extractor.__signature__ = with_parameters(  # type: ignore[attr-defined]
    make_doc_relation_extractor
)
Language.factory(
    "doc_relation_extractor",
    assigns=["doc._.relations"],
    requires=["doc.spans"],
    default_config={
        "model": DEFAULT_MODEL,
        **DEFAULTS,
        "scorer": {"@scorers": "spacy-docre.relation_scorer.v1"},
    },
    default_score_weights={**score_weights(), "rel_per_type": None},
    func=make_doc_relation_extractor,
)


@Language.factory(
    "entity_clusters",
    assigns=["doc.spans"],
    requires=["doc.ents"],
    default_config={
        "prefix": DEFAULT_PREFIX,
        "chains": None,
        "types": {},
        "appositions": True,
        "anaphors": None,
        "max_sentences": 2,
    },
)
def make_entity_clusterer(
    nlp: Language,
    name: str,
    prefix: str,
    chains: Callable | None,
    types: dict[str, str],
    appositions: bool,
    anaphors: Sequence[dict[str, Any]] | None,
    max_sentences: int,
) -> EntityClusterer:
    """The factory "entity_clusters"; see `EntityClusterer` for the settings."""
    return EntityClusterer(
        nlp,
        name,
        prefix=prefix,
        chains=chains,
        types=types,
        appositions=appositions,
        anaphors=anaphors,
        max_sentences=max_sentences,
    )
