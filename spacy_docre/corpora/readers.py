"""The corpus reader that keeps entity clusters and relations."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.vocab import Vocab

from ..data.clusters import DEFAULT_PREFIX, copy_clusters
from ..data.relation import DEFAULT_ATTR, install_extension
from ..errors import DocreError, Errors
from ..files import displayed
from ..files.folders import regular_files
from .docbin import read_docbin
from .text import set_sentences


def create_gold_cluster_corpus(
    path: str | Path,
    *,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    max_length: int = 0,
    limit: int = 0,
    shuffle: bool = False,
    augmenter: Callable[[Language, Example], Iterator[Example]] | None = None,
) -> "GoldClusterCorpus":
    """The reader "spacy-docre.GoldClusterCorpus.v1"; see `GoldClusterCorpus`."""
    return GoldClusterCorpus(
        path,
        prefix=prefix,
        attr=attr,
        max_length=max_length,
        limit=limit,
        shuffle=shuffle,
        augmenter=augmenter,
    )


class GoldClusterCorpus(Corpus):
    """Reads `.spacy` files as `spacy.Corpus.v1` does, and gives the predicted documents the gold
    entity clusters and sentence boundaries, which spaCy's own reader leaves out. Documents are
    never cut, so that no cluster is torn apart.

    path (Union[str, Path]): A file or directory.
    prefix (str): What the clusters' keys in `doc.spans` start with.
    attr (str): The name of the extension attribute that holds the relations.
    max_length (int): Leave out documents of more tokens, for a first try or a small GPU; 0 sets no
        limit.
    limit (int): Read at most that many documents; 0 sets no limit.
    shuffle (bool): Shuffle the documents on each reading.
    augmenter (Optional[Callable]): Data augmentation as for `spacy.Corpus.v1`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        prefix: str = DEFAULT_PREFIX,
        attr: str = DEFAULT_ATTR,
        max_length: int = 0,
        limit: int = 0,
        shuffle: bool = False,
        augmenter: Callable[[Language, Example], Iterator[Example]] | None = None,
    ) -> None:
        # Not spaCy's own `max_length`, which cuts longer documents into sentences.
        super().__init__(path, limit=limit, shuffle=shuffle, augmenter=augmenter)
        install_extension(attr)
        self.longest = max_length
        self.prefix = prefix
        self.attr = attr

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """See `spacy.Corpus`, which would follow links and open pipes in a folder."""
        docs: Iterable[Doc] = self.read_docbin(nlp.vocab, docbin_files(self.path))
        if self.shuffle:
            docs = list(docs)
            random.shuffle(docs)
        for example in self.make_examples(nlp, docs):
            yield from self.augmenter(nlp, example)

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        """Read the documents of files, without empty ones and too long ones, up to the limit.

        vocab (Vocab): The vocabulary of the documents.
        locs (Iterable[Union[str, Path]]): The files.
        YIELDS (Doc): The documents.
        RAISES (DocreError): If a file is not in spaCy's format, or a document in it is damaged.
        """
        docs = (doc for path in locs for doc in read_docbin(path, vocab) if self._is_read(doc))
        yield from islice(docs, self.limit or None)

    def _is_read(self, doc: Doc) -> bool:
        return 0 < len(doc) <= (self.longest or len(doc))

    def _make_example(self, nlp: Language, reference: Doc, gold_preproc: bool) -> Example:
        example = super()._make_example(nlp, reference, gold_preproc)
        copy_clusters(reference, example.predicted, self.prefix)
        copy_sentences(reference, example.predicted)
        return example


def copy_sentences(source: Doc, target: Doc) -> None:
    """Copy the sentence boundaries of one document to another of the same text, as far as its
    tokens start where sentences do.

    source (Doc): The document to copy from; without boundaries, nothing is changed.
    target (Doc): The document to copy to.
    """
    if source.has_annotation("SENT_START"):
        starts = {sent.start_char for sent in source.sents}
        set_sentences(target, [token.i for token in target if token.idx in starts])


def docbin_files(path: str | Path) -> list[Path]:
    """The `.spacy` files of a corpus. In a folder only regular files are read: a link may lead
    elsewhere, or back, and a pipe may never end.

    path (Union[str, Path]): A file or a folder.
    RETURNS (list[Path]): The files, by name.
    RAISES (DocreError): If it is not there, is no `.spacy` file, or a folder without any.
    RAISES (OSError): If a folder in it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise DocreError(Errors.D015.format(path=displayed(path), reason="there is no such file"))
    if not path.is_dir():
        if path.suffix != ".spacy":
            raise DocreError(Errors.D158.format(path=displayed(path), stem=displayed(path.stem)))
        return [path]
    content = regular_files(path)
    if content.unreadable:
        raise content.unreadable[0]
    content.warn(path)
    files = sorted(file for file in content.files if file.suffix == ".spacy")
    if not files:
        reason = "no file in this folder ends in .spacy"
        raise DocreError(Errors.D015.format(path=displayed(path), reason=reason))
    return files


def read_docs(path: str | Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the documents of `.spacy` files as they were saved.

    path (Union[str, Path]): A file or a folder.
    vocab (Vocab): The vocabulary of the documents.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If there is no such file, it is not in spaCy's format, or a document in it
        is damaged.
    """
    for location in docbin_files(path):
        yield from read_docbin(location, vocab)
