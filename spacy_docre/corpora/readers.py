"""The corpus reader that keeps entity clusters and relations."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab

from ..data.clusters import DEFAULT_PREFIX, copy_clusters
from ..data.relation import DEFAULT_ATTR, install_extension
from ..errors import DocreError, Errors
from ..files import displayed
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
        """See `spacy.Corpus`."""
        check_corpus_path(self.path)
        yield from super().__call__(nlp)

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


def check_corpus_path(path: str | Path) -> None:
    """Refuse what spaCy's reader would take for an empty corpus.

    path (Union[str, Path]): A file or a folder.
    RAISES (DocreError): If it is not there, is no `.spacy` file, or a folder without any.
    """
    path = Path(path)
    if not path.exists():
        raise DocreError(Errors.D015.format(path=displayed(path), reason="there is no such file"))
    if path.is_file() and path.suffix != ".spacy":
        raise DocreError(Errors.D158.format(path=displayed(path), stem=displayed(path.stem)))
    if path.is_dir() and next(path.rglob("*.spacy"), None) is None:
        reason = "no file in this folder ends in .spacy"
        raise DocreError(Errors.D015.format(path=displayed(path), reason=reason))


def read_docs(path: str | Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the documents of `.spacy` files as they were saved.

    path (Union[str, Path]): A file or a folder.
    vocab (Vocab): The vocabulary of the documents.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If there is no such file, it is not in spaCy's format, or a document in it
        is damaged.
    """
    check_corpus_path(path)
    for location in walk_corpus(Path(path), ".spacy"):
        yield from read_docbin(location, vocab)
