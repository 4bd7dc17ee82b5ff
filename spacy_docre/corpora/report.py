"""What a change of format could not keep as it was, counted."""

from collections import Counter

from wasabi import msg

from ..errors import shortened

N_EXAMPLES = 3
MAX_NAME = 40


class ConversionReport:
    """Counts what a converter changed or left out, so that nothing is lost in silence. A reason is
    written so that it follows its number: "mentions widened to whole tokens"."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def count(self, reason: str, doc: str, n: int = 1) -> None:
        """Count what happened in a document.

        reason (str): What was changed or left out, and why; always the same words.
        doc (str): The document's identifier or title.
        n (int): How often it happened; nothing is noted for 0.
        """
        if not n:
            return
        self.counts[reason] += n
        examples = self.examples.setdefault(reason, [])
        if doc not in examples and len(examples) < N_EXAMPLES:
            examples.append(doc)

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
