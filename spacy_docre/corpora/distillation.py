"""The corpus reader of documents that other models have taught about."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from ..data.clusters import DEFAULT_PREFIX
from ..data.relation import DEFAULT_ATTR, DISTILLATION, SOFT_ATTR, has_relations, install_extension
from ..errors import DocreError, Errors
from .readers import GoldClusterCorpus


def create_distillation_corpus(
    path: str | Path,
    *,
    weight: float = 0.5,
    temperature: float = 1.0,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    max_length: int = 0,
    limit: int = 0,
    shuffle: bool = False,
    augmenter: Callable[[Language, Example], Iterator[Example]] | None = None,
) -> "DistillationCorpus":
    """The reader "spacy-docre.DistillationCorpus.v1"; see `DistillationCorpus`."""
    return DistillationCorpus(
        path,
        weight=weight,
        temperature=temperature,
        prefix=prefix,
        attr=attr,
        max_length=max_length,
        limit=limit,
        shuffle=shuffle,
        augmenter=augmenter,
    )


class DistillationCorpus(GoldClusterCorpus):
    """Reads documents for a student: gold relations as `GoldClusterCorpus` reads them, where there
    are any, and soft targets, which `python -m spacy_docre teach` has added. Whatever method the
    extractor uses learns both with the loss of `DistillationLoss`.

    path (Union[str, Path]): A `.spacy` file or a folder of them, labelled and unlabelled ones.
    weight (float): The share of the soft targets in the loss, in 0..1.
    temperature (float): How much softer teachers and student are made before they are compared.
    **settings (Any): See `GoldClusterCorpus`.
    """

    def __init__(
        self, path: str | Path, *, weight: float = 0.5, temperature: float = 1.0, **settings: Any
    ) -> None:
        super().__init__(path, **settings)
        install_extension(SOFT_ATTR)
        self.distillation = {"weight": weight, "temperature": temperature}

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        """Read the documents of files, see `GoldClusterCorpus`.

        vocab (Vocab): The vocabulary of the documents.
        locs (Iterable[Union[str, Path]]): The files.
        YIELDS (Doc): The documents.
        RAISES (DocreError): If no document has soft targets.
        """
        is_taught = False
        for doc in super().read_docbin(vocab, locs):
            if has_relations(doc, attr=SOFT_ATTR):
                is_taught = True
                doc.user_data[DISTILLATION] = dict(self.distillation)
            yield doc
        if not is_taught:
            raise DocreError(Errors.D190.format(path=self.path))
