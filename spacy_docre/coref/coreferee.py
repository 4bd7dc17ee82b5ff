"""Coreferee without its component, which runs in pipelines of certain names only."""

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from spacy.tokens import Doc

from ..data.clusters import describe
from ..errors import DocreError, Errors, Warnings

Chain = list[tuple[int, int]]


class CorefereeRunner:
    """An adapter that resolves documents itself, with coreferee's model for a known pipeline, so
    that a pipeline that was packaged under a name of its own can have that pipeline's tagger,
    parser and recogniser and coreferee, too. The model is loaded with the first document.

    pipeline (str): The name of the known pipeline, without its language ("core_web_sm").
    version (str): Its version.
    read (Callable[[Doc, Any], list[Chain]]): Makes chains of coreferee's.
    """

    def __init__(
        self, pipeline: str, version: str, read: Callable[[Doc, Any], list[Chain]]
    ) -> None:
        self.pipeline = pipeline
        self.version = version
        self.read = read
        self._annotator: Any = None

    def __call__(self, doc: Doc) -> list[Chain] | None:
        """doc (Doc): A document with tags, parse and entities.
        RETURNS (Optional[list[Chain]]): The chains; None, with a warning, if coreferee fails.
        RAISES (DocreError): If coreferee or its model is not there.
        """
        if self._annotator is None:
            self._annotator = self._load(doc)
        try:
            self._annotator.annotate(doc)
            return self.read(doc, doc._.coref_chains)
        # Whatever fails in there, the document is to be read without it, as by the component.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            warnings.warn(Warnings.DW06.format(doc=describe(doc), reason=reason), stacklevel=3)
            return None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_annotator": None}

    def _load(self, doc: Doc) -> Any:
        try:
            from coreferee.errors import ModelNotSupportedError, OutdatedCorefereeModelError
            from coreferee.manager import CorefereeManager
        except ImportError:
            raise DocreError(
                Errors.D021.format(package="coreferee", purpose="coreference chains", extra="coref")
            ) from None
        # All that coreferee asks of a pipeline.
        meta = {"lang": doc.vocab.lang, "name": self.pipeline, "version": self.version}
        try:
            return CorefereeManager.get_annotator(SimpleNamespace(meta=meta, vocab=doc.vocab))
        except (ModelNotSupportedError, OutdatedCorefereeModelError) as error:
            raise DocreError(
                Errors.D033.format(
                    pipeline=f"{doc.vocab.lang}_{self.pipeline}",
                    version=self.version,
                    reason=error,
                )
            ) from None
