"""The identifiers of PubTator, alone and joined: those of mentions, and what relations call them.

tmVar's variants have attributes (PubTator 3, Wei et al. 2024): "tmVar:p|SUB|V|600|E;HGVS:p.V600E;
VariantGroup:0;CorrespondingGene:673;RS#:113488022". A variant is one entity; its attributes tell it
from others, or name its gene and species, but are no entities. Relations call an entity by its
identifier, by "Type|ID", or by a part of it, "RS#:113488022;CorrespondingGene:673".
"""

import re
from collections.abc import Collection, Iterable

SEPARATORS = "|,;"
UNKNOWN = frozenset({"", "-", "-1"})
# tmVar's names for variants, "p|SUB|R|123|W", hold the bar that joins identifiers elsewhere.
VARIANT = re.compile(r"(tmVar:)?[A-Za-z]?\|")
# What PubTator 3 puts before identifiers: "Chemical|MESH:D008750".
TYPES = frozenset(
    {
        "cellline",
        "chemical",
        "disease",
        "dnamutation",
        "gene",
        "mutation",
        "proteinmutation",
        "snp",
        "species",
        "variant",
    }
)
ATTRIBUTE = re.compile(
    r"(?:^|;)\s*(tmVar|HGVS|RS#|CA#|VariantGroup|Corresponding\w+|OriginalGene\w*):"
)
# The attributes that say which variant it is.
NAMING = ("RS#", "CA#", "HGVS", "tmVar")
RS = re.compile(r"(?:RS#:|rs)?([0-9]+)", re.IGNORECASE)


def split_identifiers(identifier: str, separators: str = SEPARATORS) -> list[str]:
    """The identifiers of a mention; the name of a variant, which may hold separators, is one.

    identifier (str): The column.
    separators (str): The characters that join identifiers.
    RETURNS (list[str]): The identifiers without surrounding spaces, each once; "" if unknown.
    """
    whole = identifier.strip()
    if not separators or VARIANT.match(whole) or attributes(whole):
        parts = [identifier]
    else:
        parts = re.split(f"[{re.escape(separators)}]", identifier)
    stripped = (part.strip() for part in parts)
    return list(dict.fromkeys("" if part in UNKNOWN else part for part in stripped))


def attributes(identifier: str) -> dict[str, str]:
    """The attributes of a variant.

    identifier (str): The identifier.
    RETURNS (dict[str, str]): The values by their names; empty if it is no variant with attributes.
    """
    starts = list(ATTRIBUTE.finditer(identifier))
    ends = [match.start() for match in starts[1:]] + [len(identifier)] * bool(starts)
    values = {
        match[1]: identifier[match.end() : end].strip(" ;")
        for match, end in zip(starts, ends, strict=True)
    }
    # "rs113488022;CorrespondingGene:673" has the name first.
    if values and starts[0].start() and "tmVar" not in values:
        values["tmVar"] = identifier[: starts[0].start()].strip()
    return values


def is_unnamed_variant(identifier: str) -> bool:
    """Whether an identifier has attributes of a variant, but none that says which: the gene of a
    variant is no entity that is named."""
    values = attributes(identifier)
    return bool(values) and not any(values.get(name) for name in NAMING)


class Names:
    """What the entities of a document are called.

    identifiers (Iterable[str]): The identifiers of its mentions.
    types (Collection[str]): The types of its mentions.
    """

    def __init__(self, identifiers: Iterable[str], types: Collection[str]) -> None:
        self.types = {name.casefold() for name in types} | TYPES
        self.entity_of: dict[str, str] = {}
        self.by_name: dict[str, set[str]] = {}
        known = list(dict.fromkeys(identifiers))
        by_rs: dict[str, str] = {}
        by_group: dict[str, set[str]] = {}
        for identifier in known:
            values = attributes(identifier)
            rs = _rs(values)
            entity = by_rs.setdefault(rs, identifier) if rs else identifier
            self.entity_of[identifier] = entity
            if values.get("VariantGroup") and rs:
                by_group.setdefault(values["VariantGroup"], set()).add(entity)
        for identifier in known:
            values = attributes(identifier)
            if "VariantGroup" in values and not _rs(values):
                # tmVar's groups are those of one variant; without a number they are all there is.
                group = by_group.setdefault(values["VariantGroup"], {identifier})
                if len(group) == 1:
                    self.entity_of[identifier] = next(iter(group))
        for identifier in known:
            entity = self.entity_of[identifier]
            for name in _names(identifier):
                self.by_name.setdefault(name, set()).add(entity)

    def entity(self, identifier: str) -> str:
        """The identifier of the entity that a mention's identifier stands for: the first one by
        which its variant is called.

        identifier (str): The mention's.
        RETURNS (str): The entity's.
        """
        return self.entity_of.get(identifier, identifier)

    def without_type(self, argument: str) -> str:
        """An argument of a relation without the type that PubTator 3 puts before identifiers."""
        kind, bar, rest = argument.partition("|")
        is_type = bar and argument not in self.entity_of and kind.casefold() in self.types
        return rest if is_type else argument

    def named(self, argument: str) -> str | None:
        """The entity that an argument of a relation names.

        argument (str): The argument.
        RETURNS (Optional[str]): The entity's identifier; None if it names none, or no single one.
        """
        if argument in self.entity_of:
            return self.entity_of[argument]
        found = set[str]()
        for name in _names(argument):
            found = self.by_name.get(name, set())
            if found:
                break
        return next(iter(found)) if len(found) == 1 else None


def _rs(values: dict[str, str]) -> str:
    match = RS.fullmatch(values.get("RS#", "") or values.get("tmVar", ""))
    return match[1] if match and ("RS#" in values or match[0][:1] in "rR") else ""


def _names(identifier: str) -> list[str]:
    """What a variant may be called, the surest first; nothing for other identifiers."""
    values = attributes(identifier)
    names = [f"rs{_rs(values)}"] if _rs(values) else []
    names += [f"{name}:{values[name]}" for name in NAMING if values.get(name)]
    names += [values[name] for name in ("HGVS", "tmVar") if values.get(name)]
    if not values:
        match = re.fullmatch(r"rs[0-9]+", identifier, re.IGNORECASE)
        names = [identifier.casefold() if match else identifier]
        # "D005334" for "MESH:D005334", where only one entity has it.
        names += filter(None, [identifier.partition(":")[2]])
    return names
