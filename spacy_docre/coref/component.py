"""The component "entity_clusters": from named entities to entity clusters."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc

from ..data.clusters import describe, set_clusters
from ..errors import Warnings
from .anaphors import AnaphorRules, english_anaphors
from .chains import Adapter, Chain, checked_chains
from .entities import Entities, first_mention, order_of
from .resolution import ChainResolver, attach_appositions


class EntityClusterer(Pipe):
    """Joins the entities of a document that name the same thing, and the pronouns and descriptions
    that refer to them, into `doc.spans[f"{prefix}_1"]`, ... The attributes of such a group hold the
    entity's canonical "name" and, where the entity is linked, its "kb_id".

    Entities are joined if they have the same knowledge base id, or the same label and names of
    which one is an alias of the other: see `names.py`. A short form goes to the entity that was
    named last. A name like no other of its label that is somebody's surname is that person's,
    whatever its label. Entities of different knowledge base ids are never joined.

    Coreference chains, if an adapter gives any, join entities of one label whose names are
    compatible; what they hold besides goes to their entity or, of several, to the nearest before.
    The rules for anaphors attach what the chains leave, see `AnaphorRules`.

    nlp (Language): The pipeline.
    name (str): The component's name.
    prefix (str): What the clusters' keys start with.
    chains (Optional[Adapter]): Gives a document's coreference chains: see `chains.py`.
    types (Mapping[str, str]): The clusters' labels for those of the recogniser; a label that is
        mapped to "" is left out, one that is not mapped stays.
    appositions (bool): Whether descriptions in apposition to a name are mentions, if the document
        is parsed.
    anaphors (Optional[list[dict]]): Groups of anaphors, each with `types` (entity types that they
        can refer to), `phrases` (in lower case) and `exclusive` (whether an entity that the group
        refers to can be referred to by no other exclusive group). Empty for none; None for those
        that the package has for the pipeline's language, which are `english_anaphors` alone.
    max_sentences (int): How many sentences an anaphor may stand behind its entity.
    """

    def __init__(
        self,
        nlp: Language,
        name: str,
        *,
        prefix: str,
        chains: Adapter | None,
        types: Mapping[str, str],
        appositions: bool,
        anaphors: Sequence[dict[str, Any]] | None,
        max_sentences: int,
    ) -> None:
        self.nlp = nlp
        self.name = name
        self.prefix = prefix
        self.chains = chains
        self.types = dict(types)
        self.appositions = appositions
        if anaphors is None:
            anaphors = english_anaphors() if nlp.lang == "en" else []
            if not anaphors and chains is None:
                warnings.warn(Warnings.DW61.format(name=name, lang=nlp.lang), stacklevel=2)
        self.rules = AnaphorRules(nlp, anaphors, max_sentences)
        self._has_warned = False

    def __call__(self, doc: Doc) -> Doc:
        """doc (Doc): A document with entities.
        RETURNS (Doc): The document, with clusters in the order of their first mentions.
        RAISES (DocreError): If the chains' package is missing, or the adapter returns none.
        """
        resolver = ChainResolver(doc, self._chains_of(doc))
        entities = Entities(doc, self.types)
        entities.join_names(resolver.chains_of)
        taken = resolver.attach(entities, self.rules)
        if self.appositions:
            taken |= attach_appositions(doc, entities, taken)
        self.rules.attach(doc, entities, taken)
        made = sorted(entities, key=first_mention)
        groups = set_clusters(
            doc, [sorted(entity.mentions, key=order_of) for entity in made], self.prefix
        )
        for group, entity in zip(groups, made, strict=True):
            group.attrs["name"] = entity.name
            if entity.kb_id:
                group.attrs["kb_id"] = entity.kb_id
        return doc

    def _chains_of(self, doc: Doc) -> list[Chain]:
        if self.chains is None:
            return []
        chains = self.chains(doc)
        if chains is None:
            self._warn(doc)
            return []
        return checked_chains(chains, doc)

    def _warn(self, doc: Doc) -> None:
        """Say why a document has no chains. What is wrong with the pipeline is said once, or it
        would be said of each document."""
        factory = getattr(self.chains, "factory", "")
        active = self.nlp.pipe_names
        makers = [name for name in active if self.nlp.get_pipe_meta(name).factory == factory]
        before = active[: active.index(self.name)] if self.name in active else active
        if not factory or not set(makers).isdisjoint(before):
            maker = f" by '{factory}'" if factory else ""
            warnings.warn(Warnings.DW03.format(doc=describe(doc), maker=maker), stacklevel=4)
        elif not self._has_warned:
            self._has_warned = True
            message = Warnings.DW05 if makers else Warnings.DW04
            warnings.warn(message.format(factory=factory, name=self.name), stacklevel=4)
