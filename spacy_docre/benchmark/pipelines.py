"""Pipelines from training configs, made to be measured."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config

from ..corpora.readers import read_docs
from ..data.relation import get_relations
from ..errors import DocreError, Errors
from ..extractor.pipeline import find_extractor
from .steps import calibrate, make_docs
from .synthetic import Sizes, docred_sizes, synthetic_doc, whole_words

FACTORY = "doc_relation_extractor"
ARCHITECTURES = ("spacy-docre.MarkedTransformer.v1", "spacy-docre.EntityStructureTransformer.v1")


def find_methods(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """The methods of a folder: training configs whose extractor reads transformers only.

    folder (Path): The folder with the configs.
    names (Sequence[str]): The methods that are wanted, by the configs' names. None means all.
    RETURNS (list[Path]): The configs, in the order of the names or of the alphabet.
    RAISES (DocreError): If one is not there.
    """
    known = {path.stem: path for path in sorted(folder.glob("*.cfg")) if _is_method(path)}
    if not known or not set(names) <= known.keys():
        missing = ", ".join(name for name in names if name not in known) or "all"
        raise DocreError(
            Errors.D060.format(names=missing, folder=folder, known=", ".join(known) or "none")
        )
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def from_config(path: str | Path, *, encoder: str | None = None, layers: int = 0) -> Language:
    """Make the pipeline of a training config, not initialised.

    path (Union[str, Path]): The config.
    encoder (Optional[str]): The encoder, its `paths.encoder`.
    layers (int): Use only that many layers of its transformers; 0 for all.
    RETURNS (Language): The pipeline.
    """
    overrides = {} if encoder is None else {"paths.encoder": encoder}
    config = spacy.util.load_config(path, overrides=overrides, interpolate=True)
    # The corpora have no paths, and are not needed.
    parts: dict[str, Any] = {name: config[name] for name in ("nlp", "components")}
    if layers:
        for transformer in _transformers(parts["components"]):
            former = transformer.get("transformer_config") or {}
            transformer["transformer_config"] = {**former, "num_hidden_layers": layers}
    return spacy.util.load_model_from_config(Config(parts), auto_fill=True)


def initialize(nlp: Language, labels: Iterable[str], examples: Sequence[Example]) -> None:
    """Initialise a pipeline on documents, for given relation types, without training it.

    nlp (Language): The pipeline.
    labels (Iterable[str]): The relation types, in addition to those of the documents.
    examples (Sequence[Example]): The documents.
    """
    _, extractor = find_extractor(nlp)
    for label in labels:
        extractor.add_label(label)
    nlp.initialize(lambda: examples)


def read_labels(nlp: Language, path: Path) -> list[str]:
    """The relation types of a whole corpus: some of its documents have fewer, and a head for these
    would cost less than a trained one does.

    nlp (Language): The pipeline.
    path (Path): The corpus, a `.spacy` file or a folder.
    RETURNS (list[str]): The types.
    """
    _, extractor = find_extractor(nlp)
    attr = extractor.cfg["attr"]
    docs = read_docs(path, nlp.vocab)
    return sorted({relation.label for doc in docs for relation in get_relations(doc, attr=attr)})


def initialize_for(nlp: Language, sizes: Sizes) -> list[str]:
    """Initialise a pipeline for synthetic documents.

    nlp (Language): The pipeline.
    sizes (Sizes): The documents' sizes; that of the relation types is final.
    RETURNS (list[str]): The words for the documents: those that its tokenizers do not cut.
    """
    initialize(nlp, sizes.label_names, to_examples(nlp, [make_synthetic(nlp, sizes)]))
    return whole_words(nlp)


def make_synthetic(nlp: Language, sizes: Sizes, **settings: Any) -> Doc:
    """Make a synthetic document for a pipeline's extractor.

    nlp (Language): The pipeline.
    sizes (Sizes): The sizes.
    **settings (Any): `seed` and `words`, see `synthetic_doc`.
    RETURNS (Doc): The document.
    """
    _, extractor = find_extractor(nlp)
    prefix, attr = extractor.cfg["prefix"], extractor.cfg["attr"]
    return synthetic_doc(nlp.vocab, sizes, prefix=prefix, attr=attr, **settings)


def docred_like(nlp: Language, n_docs: int, *, seed: int, words: Sequence[str]) -> list[Example]:
    """Synthetic documents of DocRED's sizes, see `docred_sizes`.

    nlp (Language): The pipeline.
    n_docs (int): How many.
    seed (int): The same seed gives the same documents.
    words (Sequence[str]): The words to draw from.
    RETURNS (list[Example]): The examples.
    """
    drawn = docred_sizes(n_docs, seed=seed)
    docs = [
        make_synthetic(nlp, sizes, seed=seed + number, words=words)
        for number, sizes in enumerate(drawn)
    ]
    return to_examples(nlp, docs)


def to_examples(nlp: Language, docs: Sequence[Doc]) -> list[Example]:
    """Examples of annotated documents; the predicted ones are tokenised anew and have the clusters.

    nlp (Language): The pipeline.
    docs (Sequence[Doc]): The documents.
    RETURNS (list[Example]): The examples.
    """
    return [Example(new, doc) for new, doc in zip(make_docs(nlp, docs), docs, strict=True)]


def calibrate_on(nlp: Language, examples: Sequence[Example]) -> None:
    """Let an untrained pipeline find as many relations as documents have, see `calibrate`.

    nlp (Language): The initialised pipeline.
    examples (Sequence[Example]): The documents.
    """
    _, extractor = find_extractor(nlp)
    n_relations = sum(
        len(get_relations(eg.reference, attr=extractor.cfg["attr"])) for eg in examples
    )
    calibrate(extractor, [eg.predicted for eg in examples], n_relations)


def _is_method(path: Path) -> bool:
    try:
        config = Config().from_disk(path, interpolate=False)
    except (ValueError, OSError) as error:
        raise DocreError(Errors.D015.format(path=path, reason=error)) from None
    encoders = list(_transformers(config.get("components", {})))
    return bool(encoders) and all(part.get("@architectures") in ARCHITECTURES for part in encoders)


def _transformers(components: dict[str, Any]) -> list[dict[str, Any]]:
    """The settings of an extractor's encoders: one, or the two of a "TwinEncoder"."""
    for component in components.values():
        if component.get("factory") == FACTORY:
            encoder = component.get("model", {}).get("encoder", {})
            return [encoder[part] for part in ("first", "second") if part in encoder] or [encoder]
    return []
