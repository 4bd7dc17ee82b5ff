"""Where a document's entity clusters and relations are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .clusters import DEFAULT_PREFIX
from .relation import DEFAULT_ATTR


@dataclass(frozen=True)
class DocKeys:
    """Where a document's entity clusters and relations are, for functions that take both by these
    names: `score_relations(examples, **keys)`.

    prefix (str): What the clusters' keys in `doc.spans` start with, before "_1", "_2", ...
    attr (str): The name of the extension attribute with the relations.
    """

    prefix: str = DEFAULT_PREFIX
    attr: str = DEFAULT_ATTR

    @classmethod
    def of(cls, cfg: Mapping[str, Any]) -> "DocKeys":
        """Those of a component.

        cfg (Mapping[str, Any]): The component's settings.
        RETURNS (DocKeys): Its keys.
        """
        return cls(cfg["prefix"], cfg["attr"])

    def keys(self) -> tuple[str, str]:
        """The names, which make `**` of it."""
        return "prefix", "attr"

    def __getitem__(self, name: str) -> str:
        return getattr(self, name)
