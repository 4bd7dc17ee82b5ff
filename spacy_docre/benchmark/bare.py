"""The bare encoder: the floor that an extractor is compared with."""

from collections.abc import Sequence
from typing import Any

import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs

from ..errors import DocreError, Errors
from ..extractor.component import DocRelationExtractor
from ..models.batch import ClusterBatch
from ..models.batching import batches_by_length
from ..models.encoders.transformer import cpu_batch_items, window_layout
from ..models.relation_model import Encoder

# Encoders that have a bare one to compare with.
BARE_ENCODERS = ("marked_transformer", "entity_structure_transformer")

# Wordpieces in a batch with which an encoder runs at full speed on a GPU. The floor is what the
# encoder takes in batches of the best size and almost without padding, not in the extractor's.
GPU_BATCH_ITEMS = 8192


class BareEncoder:
    """An extractor's encoder, or both of a "TwinEncoder", with nothing around it: it reads the
    same windows of the same wordpieces, sorted by length and ready as tensors.

    extractor (DocRelationExtractor): An initialised extractor with a "MarkedTransformer", an
        "EntityStructureTransformer", whose bare encoder goes without its biases, or a
        "TwinEncoder" of two.
    docs (Sequence[Doc]): Documents with clusters, read together.
    RAISES (DocreError): If the encoder is another.
    """

    def __init__(self, extractor: DocRelationExtractor, docs: Sequence[Doc]) -> None:
        parts = transformers_of(extractor)
        self.device = shim_of(parts[0]).device
        self._inputs: list[tuple[Any, ArgsKwargs]] = []
        clusters = ClusterBatch.from_docs(docs, prefix=extractor.cfg["prefix"])
        for part in parts:
            layout = window_layout(part, list(docs), clusters)
            self.wordpieces = int(layout.window_lengths.sum())
            on_cpu = self.device.type == "cpu"
            max_items = cpu_batch_items(shim_of(part)._model) if on_cpu else GPU_BATCH_ITEMS
            for chunk in batches_by_length(layout.window_lengths, max_items):
                ids, mask = layout.input_ids(chunk)
                arguments = {
                    "input_ids": torch.from_numpy(ids).to(self.device),
                    "attention_mask": torch.from_numpy(mask).long().to(self.device),
                }
                self._inputs.append((shim_of(part), ArgsKwargs((), arguments)))

    def forward(self) -> None:
        """Read the documents as at inference."""
        for shim, arguments in self._inputs:
            shim.predict(arguments)

    def forward_and_backward(self) -> None:
        """Read the documents as one batch of training, and go back. Gradients add up."""
        runs = [shim.begin_update(arguments) for shim, arguments in self._inputs]
        for output, backprop in runs:
            hidden = output.last_hidden_state
            gradient = torch.ones_like(hidden)
            backprop(ArgsKwargs(((hidden,),), {"grad_tensors": [gradient]}))


def transformers_of(extractor: DocRelationExtractor) -> Sequence[Encoder]:
    """The transformer encoders of an extractor: one, or the two of a "TwinEncoder".

    extractor (DocRelationExtractor): The extractor.
    RETURNS (Sequence[Model[tuple[list[Doc], ClusterBatch], Encoding]]): The encoders.
    RAISES (DocreError): If one of them is no transformer.
    """
    encoder = extractor.model.get_ref("encoder")
    parts = encoder.layers if encoder.name == "twin_encoder" else [encoder]
    for part in parts:
        if part.name not in BARE_ENCODERS:
            raise DocreError(Errors.D022.format(encoder=part.name))
    return parts


def shim_of(encoder: Encoder) -> Any:
    """The shim that holds a transformer.

    encoder (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder, see `transformers_of`.
    RETURNS (HFShim): The shim.
    """
    return encoder.shims[0]
