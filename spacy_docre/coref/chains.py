"""Adapters: the coreference chains that other components leave on a document.

An adapter is a callable that takes a document and returns its chains, each a list of mentions, each
its first token and the token after its last; or None if the document was not resolved. An attribute
`factory` names the factory of the component that resolves documents, for messages. A function that
returns an adapter is registered in spaCy's registry "misc".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from spacy.tokens import Doc

from ..data.clusters import describe, get_clusters
from ..errors import DocreError, Errors
from .coreferee import Chain, CorefereeRunner
from .phrases import PhraseFinder

Adapter = Callable[[Doc], list[Chain] | None]


@dataclass(frozen=True)
class ExtensionChains:
    """Reads chains from an extension attribute of the document.

    attr (str): The attribute.
    factory (str): The factory of the component that sets it, which is its package's name, too.
    install (str): What is to be typed to install that.
    read (Callable[[Doc, Any], list[Chain]]): Makes chains of the attribute's value.
    """

    attr: str
    factory: str
    install: str
    read: Callable[[Doc, Any], list[Chain]]

    def __call__(self, doc: Doc) -> list[Chain] | None:
        if not Doc.has_extension(self.attr):
            if find_spec(self.factory) is None:
                raise DocreError(
                    Errors.D031.format(attr=self.attr, package=self.factory, install=self.install)
                )
            return None
        value = doc._.get(self.attr)
        return None if value is None else self.read(doc, value)


def coreferee_chains(pipeline: str = "", version: str = "") -> Adapter:
    """The chains of coreferee (https://github.com/richardpaulhudson/coreferee), in
    `doc._.coref_chains`. They hold the heads of mentions, which are widened: to the entity that
    holds the head or to its noun phrase. A mention of several heads ("he and his wife") is no
    mention of any one entity and left out.

    Coreferee's component refuses pipelines whose names it does not know, such as your own. With
    `pipeline` and `version`, coreferee runs here, without its component.

    pipeline (str): The name of the pipeline whose tagger, parser and recogniser this one has,
        without its language ("core_web_sm"); "" to read what the component has left.
    version (str): Its version ("3.8.0").
    RETURNS (Adapter): The adapter.
    """
    if pipeline:
        return CorefereeRunner(pipeline, version, _read_coreferee)
    install = "pip install coreferee` and `python -m coreferee install en"
    return ExtensionChains("coref_chains", "coreferee", install, _read_coreferee)


def fastcoref_chains() -> Adapter:
    """The chains of fastcoref's component (https://github.com/shon-otmazgin/fastcoref), in
    `doc._.coref_clusters`: offsets of characters.

    RETURNS (Adapter): The adapter.
    """
    return ExtensionChains("coref_clusters", "fastcoref", "pip install fastcoref", _read_fastcoref)


def span_group_chains(prefix: str = "coref_clusters") -> Adapter:
    """The chains in span groups, such as those of spaCy's own coreference component in
    spacy-experimental: `doc.spans["coref_clusters_1"]`, ... A document that has none has no chains.

    prefix (str): What the groups' keys start with.
    RETURNS (Adapter): The adapter.
    """
    return partial(_read_span_groups, prefix=prefix)


def checked_chains(chains: Any, doc: Doc) -> list[Chain]:
    """Check what an adapter has returned.

    chains (Any): The chains. A span counts as its first token and the token after its last.
    doc (Doc): The document.
    RETURNS (list[Chain]): The chains, each mention once.
    RAISES (DocreError): If they are not chains of that document.
    """
    try:
        return [
            list(dict.fromkeys(_mention(mention, doc) for mention in chain)) for chain in chains
        ]
    except (TypeError, ValueError, AttributeError) as error:
        raise DocreError(
            Errors.D032.format(doc=describe(doc), reason=error, chains=repr(chains)[:200])
        ) from None


def _mention(value: Any, doc: Doc) -> tuple[int, int]:
    start, end = (value.start, value.end) if hasattr(value, "start") else value
    if int(start) != start or int(end) != end:
        raise ValueError(f"({start}, {end}) are not whole numbers")
    if not 0 <= start < end <= len(doc):
        raise ValueError(f"({start}, {end}) is no span of its {len(doc)} tokens")
    return int(start), int(end)


def _read_coreferee(doc: Doc, chains: Iterable[Iterable[Any]]) -> list[Chain]:
    entity_of = {i: (ent.start, ent.end) for ent in doc.ents for i in range(ent.start, ent.end)}
    phrases = PhraseFinder(doc)
    heads = ([mention[0] for mention in chain if len(mention) == 1] for chain in chains)
    return [[entity_of.get(head) or phrases.of_head(head) for head in chain] for chain in heads]


def _read_fastcoref(doc: Doc, clusters: Iterable[Iterable[tuple[int, int]]]) -> list[Chain]:
    chains = []
    for cluster in clusters:
        spans = [doc.char_span(start, end, alignment_mode="expand") for start, end in cluster]
        chains.append([(span.start, span.end) for span in spans if span is not None and len(span)])
    return chains


def _read_span_groups(doc: Doc, prefix: str) -> list[Chain]:
    return [
        [(span.start, span.end) for span in cluster.mentions if len(span)]
        for cluster in get_clusters(doc, prefix)
    ]
