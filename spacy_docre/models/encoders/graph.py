"""What of a Hugging Face encoder is compiled: from the vectors of wordpieces to the last layer's
states and the attention at the mentions."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .architecture import attention_rows, first_position, max_positions
from .attention import LastLayerAttention, find_projections
from .layout import WindowBatch
from .structured_attention import StructureMasks

# Lengths are filled up to a multiple of this. For each combination of lengths that it has not seen,
# OpenVINO chooses and keeps kernels.
MULTIPLE = 16


def input_names(transformer: Any) -> list[str]:
    """What the graph of an encoder takes.

    transformer (PreTrainedModel): The encoder.
    RETURNS (list[str]): Names of arguments of `EncoderGraph`.
    """
    knows_structure = hasattr(transformer, "entity_structure")
    further = ["order", "structure"] if knows_structure else []
    return ["states", "mask", "positions", *further]


class EncoderGraph(nn.Module):
    """An encoder with the rows of its attention as one function of tensors.

    transformer (PreTrainedModel): The encoder.
    """

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.transformer = transformer
        self.projections = find_projections(transformer)

    def forward(
        self,
        states: Tensor,
        mask: Tensor,
        positions: Tensor,
        order: Tensor | None = None,
        structure: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """states (Tensor): [w, l, d] float32. The vectors of the wordpieces.
        mask (Tensor): [w, l] int64. 1 where there is a wordpiece and not padding.
        positions (Tensor): [w, i] int64. The positions whose attention is wanted.
        order (Optional[Tensor]): [w, l] int64. The number of each wordpiece's position.
        structure (Optional[Tensor]): [w, e, l] uint8. See `WindowStructure.rows`.
        RETURNS (tuple[Tensor, Tensor]): [w, l, d] the last layer's states and [w, K, i, l] the rows
            of attention.
        """
        further: dict[str, Any] = {} if order is None else {"position_ids": order}
        if self.projections is None:
            self.transformer.config._attn_implementation = "eager"
            further["output_attentions"] = True
        masks = None if structure is None else StructureMasks.of_rows(structure)
        using = self.transformer.entity_structure.use(masks) if masks else nullcontext()
        recording = LastLayerAttention(self.projections) if self.projections else nullcontext()
        with using, recording as last_layer:
            output = self.transformer(inputs_embeds=states, attention_mask=mask, **further)
            if last_layer is not None:
                rows = last_layer.rows(positions, mask.bool())
            else:
                rows = attention_rows(self.transformer, output, positions)
        return output.last_hidden_state, rows


def graph_inputs(transformer: Any, batch: WindowBatch) -> dict[str, Tensor]:
    """What the graph of an encoder takes for some windows, filled up to few different lengths.

    transformer (PreTrainedModel): The encoder.
    batch (WindowBatch): The windows.
    RETURNS (dict[str, Tensor]): The arguments of `EncoderGraph`.
    """
    n_windows, length = batch.ids.shape
    longest = max_positions(transformer)
    wanted = _filled_up(length)
    width = wanted if longest is None else max(length, min(wanted, longest))
    padding = transformer.config.pad_token_id or 0
    positions = batch.anchors.padded_positions(n_windows)
    inputs = {
        "mask": _wider(batch.mask.astype(np.int64), width),
        "positions": _wider(positions, _filled_up(positions.shape[1])),
    }
    if batch.order is not None:
        order = np.broadcast_to(np.arange(width), (n_windows, width)).copy()
        order[:, :length] = batch.order
        inputs["order"] = order + first_position(transformer)
    if batch.structure is not None:
        inputs["structure"] = _wider_structure(batch.structure, width)
    ids = torch.from_numpy(_wider(batch.ids, width, padding))
    # The encoder halves of some encoder-decoders do not say which table is theirs.
    words = getattr(transformer, "embed_tokens", None) or transformer.get_input_embeddings()
    return {"states": words(ids), **{name: torch.from_numpy(a) for name, a in inputs.items()}}


def _filled_up(length: int) -> int:
    return max(1, -(-length // MULTIPLE)) * MULTIPLE


def _wider(array: np.ndarray, width: int, value: int = 0) -> np.ndarray:
    return np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=value)


def _wider_structure(rows: np.ndarray, width: int) -> np.ndarray:
    n_windows, n_first, length = rows.shape
    wide = np.zeros((n_windows, min(_filled_up(n_first), width), width), dtype=np.uint8)
    wide[:, :n_first, :length] = rows
    # What other wordpieces have with those in mentions is the same the other way round.
    wide[:, n_first:, :n_first] = wide[:, :n_first, n_first : wide.shape[1]].transpose(0, 2, 1)
    return wide


def run_graph(compiled: Any, transformer: Any, batch: WindowBatch) -> tuple[Tensor, Tensor]:
    """Run a compiled encoder on some windows.

    compiled (CompiledEncoder): The compiled encoder.
    transformer (PreTrainedModel): The encoder that it was made from.
    batch (WindowBatch): The windows.
    RETURNS (tuple[Tensor, Tensor]): [w, l, d] the last layer's states and [w, K, i, l] the rows of
        attention of each window's mentions.
    """
    hidden, rows = compiled(transformer, graph_inputs(transformer, batch))
    length, n_rows = batch.ids.shape[1], int(batch.anchors.slot.max(initial=-1)) + 1
    return hidden[:, :length], rows[:, :, :n_rows, :length]
