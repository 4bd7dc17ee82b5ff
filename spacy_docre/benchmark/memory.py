"""What a process holds while a pipeline reads a stream of documents."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import count, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import srsly
from spacy.language import Language
from spacy.util import minibatch

from ..errors import DocreError, Errors
from ..extractor.pipeline import find_extractor
from ..files import replacing
from ..visual.charts import GREY, new_figure
from ..visual.colours import BASE
from .timing import read_status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEBIBYTE = 2**20
# By then every component has met documents of all sizes, and libraries have their buffers.
WARM_UP = 1000


@dataclass(frozen=True)
class Reading:
    """What the process holds after some documents.

    docs (int): The number of documents so far.
    rss (int): The memory that the process holds (resident set size), in bytes.
    strings (int): The strings in the pipeline's string store.
    relations (int): The relations found so far.
    seconds (float): The time since the first document.
    """

    docs: int
    rss: int
    strings: int
    relations: int
    seconds: float


@dataclass(frozen=True)
class MemorySeries:
    """The readings of a run.

    run (dict[str, Any]): See `describe_run`.
    settings (dict[str, Any]): The settings, as plain values.
    readings (list[Reading]): The readings, in the order in which they were taken.
    """

    run: dict[str, Any]
    settings: dict[str, Any]
    readings: list[Reading]

    def growth(self, warm_up: int = WARM_UP) -> float | None:
        """The bytes by which the process grows with each document, by least squares.

        warm_up (int): The documents that do not count.
        RETURNS (Optional[float]): The bytes; None if there are fewer than two readings.
        """
        counted = [reading for reading in self.readings if reading.docs >= warm_up]
        if len(counted) < 2:
            return None
        slope, _ = np.polyfit([r.docs for r in counted], [r.rss for r in counted], 1)
        return float(slope)

    def summary(self, warm_up: int = WARM_UP) -> str:
        """One line that says whether the memory is flat.

        warm_up (int): The documents that do not count.
        RETURNS (str): The line.
        """
        slope = self.growth(warm_up)
        if slope is None:
            return f"{len(self.readings)} readings are too few to tell whether memory grows."
        counted = [r.rss / MEBIBYTE for r in self.readings if r.docs >= warm_up]
        last = self.readings[-1]
        return (
            f"{last.docs:,} documents, {last.relations:,} relations, {last.seconds:,.0f} s. After "
            f"the first {warm_up:,}: {counted[0]:,.0f} MiB, at the end {counted[-1]:,.0f} MiB, "
            f"between {min(counted):,.0f} and {max(counted):,.0f} MiB, slope {slope:+.1f} bytes a "
            "document."
        )

    def save(self, path: Path) -> None:
        """Write the series.

        path (Path): Where to, as JSON.
        """
        with replacing(path) as draft:
            srsly.write_json(draft, asdict(self))


def unlike_texts(texts: Sequence[str], n_docs: int, new_words: int) -> Iterator[str]:
    """Give texts again and again, each time with words at their end that nobody has seen before, as
    a stream of real texts has them.

    texts (Sequence[str]): The texts.
    n_docs (int): How many to give.
    new_words (int): The number of new words in each.
    YIELDS (str): The texts.
    """
    numbers = count()
    for text in islice(cycle(texts), n_docs):
        words = " ".join(f"word{number:x}" for number in islice(numbers, new_words))
        yield f"{text} {words}."


def measure_memory(
    nlp: Language, texts: Iterable[str], *, every: int = 500, memory_zone: bool = True
) -> Iterator[Reading]:
    """Read texts through `nlp.pipe`, and look at the memory now and then.

    nlp (Language): The pipeline, with a relation extractor.
    texts (Iterable[str]): The texts.
    every (int): The documents between two readings.
    memory_zone (bool): Whether these are a memory zone of spaCy's: after it the vocabulary forgets
        the words that came up in it.
    YIELDS (Reading): The readings.
    RAISES (DocreError): If the system does not tell, or there is no relation extractor.
    """
    _, extractor = find_extractor(nlp)
    docs, relations, start = 0, 0, time.perf_counter()
    for batch in minibatch(texts, every):
        with nlp.memory_zone() if memory_zone else nullcontext():
            relations += sum(len(doc._.get(extractor.cfg["attr"])) for doc in nlp.pipe(batch))
        docs += len(batch)
        rss = read_status("VmRSS")
        if rss is None:
            raise DocreError(Errors.D130)
        seconds = time.perf_counter() - start
        yield Reading(docs, rss, len(nlp.vocab.strings), relations, seconds)


def plot_memory(series: MemorySeries) -> "Figure":
    """Draw the memory over the documents.

    series (MemorySeries): The readings.
    RETURNS (Figure): The figure.
    RAISES (DocreError): If matplotlib is not installed.
    """
    figure = new_figure(7.2, 3.4)
    axes = figure.add_subplot()
    docs = [reading.docs for reading in series.readings]
    axes.plot(docs, [r.rss / MEBIBYTE for r in series.readings], color=BASE[0], lw=1.4)
    axes.axvline(WARM_UP, color=GREY, lw=0.8, ls="--")
    axes.set_xlabel("Documents")
    axes.set_ylabel("Memory of the process (MiB)")
    axes.set_xlim(0, docs[-1])
    axes.set_ylim(0, 1.15 * max(r.rss for r in series.readings) / MEBIBYTE)
    axes.grid(color=GREY, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
