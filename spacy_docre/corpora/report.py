"""What a change of format could not keep as it was, counted."""

import re
from collections import Counter

from spacy.tokens import Doc
from wasabi import msg

from ..data.clusters import DEFAULT_PREFIX, get_clusters
from ..data.relation import DEFAULT_ATTR, get_relations
from ..errors import shortened

N_EXAMPLES = 3
MAX_NAME = 40
# What a file can make the report grow by, with keys of its own: the rest is counted as one.
MAX_REASONS = 100
OTHERS = "other things, for which there is no room here"

# What a reason says, by its words.
KINDS = {
    "widened to whole tokens": re.compile("widened"),
    "skipped": re.compile("skipped|left out|not read"),
    "contradicting": re.compile("contradict| is not that |moved to"),
}


class ConversionReport:
    """Counts what a converter changed or skipped, so that nothing is lost in silence. A reason is
    written so that it follows its number, and says by its words what kind it is of (`KINDS`):
    "mentions widened to whole tokens"."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.read: Counter[str] = Counter()
        self._texts: set[int] = set()

    def count(self, reason: str, doc: str, n: int = 1) -> None:
        """Count what happened in a document.

        reason (str): What was changed or skipped, and why; always the same words.
        doc (str): The document's identifier or title.
        n (int): How often it happened; nothing is noted for 0.
        """
        if not n:
            return
        if reason not in self.counts and len(self.counts) >= MAX_REASONS:
            reason = OTHERS
        self.counts[reason] += n
        examples = self.examples.setdefault(reason, [])
        if doc not in examples and len(examples) < N_EXAMPLES:
            examples.append(doc)

    def add(self, doc: Doc, *, prefix: str = DEFAULT_PREFIX, attr: str = DEFAULT_ATTR) -> None:
        """Count what a document holds.

        doc (Doc): The document.
        prefix (str): What the clusters' keys start with.
        attr (str): The name of the extension attribute that holds the relations.
        """
        clusters = get_clusters(doc, prefix)
        text, title = hash(doc.text), str(doc.user_data.get("title", ""))
        self.count(
            "documents with the text of an earlier one, both kept", title, text in self._texts
        )
        self._texts.add(text)
        self.read["documents"] += 1
        self.read["entities"] += len(clusters)
        self.read["mentions"] += sum(len(cluster.group) for cluster in clusters)
        self.read["relations"] += len(get_relations(doc, attr=attr))

    def kinds(self) -> dict[str, int]:
        """How much was widened to whole tokens, skipped and contradicts itself in the source."""
        return {
            kind: sum(n for reason, n in self.counts.items() if words.search(reason))
            for kind, words in KINDS.items()
        }

    def summary(self) -> str:
        """What was read, and how much of it was not as in the source, in a line."""
        read = ", ".join(f"{self.read[what]} {what}" for what in ("entities", "mentions"))
        return f"{read}; " + ", ".join(f"{kind}: {n}" for kind, n in self.kinds().items())

    def rows(self) -> list[tuple[int, str, str]]:
        """How often, what, and the first documents, in the order of the first occurrences."""
        return [
            (n, reason, ", ".join(shortened(str(doc), MAX_NAME) for doc in self.examples[reason]))
            for reason, n in self.counts.items()
        ]

    def print(self) -> None:
        """Print the counts as a table; nothing if everything was kept."""
        if self.counts:
            header = ("", "Not kept as it was", "First documents")
            msg.table(self.rows(), header=header, aligns=("r", "l", "l"), max_col=100)
