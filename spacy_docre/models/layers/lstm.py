"""A BiLSTM over the vectors of documents."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ...errors import DocreError, Errors
from ..precision import at_least_single


class DocumentLSTM(nn.Module):
    """Reads each document forwards and backwards, whatever others it is padded to.

    width (int): Width of the vectors.
    lstm_width (int): Width of the result, an even number.
    """

    def __init__(self, width: int, lstm_width: int) -> None:
        super().__init__()
        if lstm_width % 2:
            raise DocreError(
                Errors.D020.format(
                    setting="lstm_width", condition="an even number", value=lstm_width
                )
            )
        self.lstm = nn.LSTM(width, lstm_width // 2, bidirectional=True, batch_first=True)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """tokens (Tensor): [B, L, width] float.
        lengths (Tensor): [B] int64. The length of each document.
        RETURNS (Tensor): [B, L, lstm_width] The new vectors, zero beyond the lengths.
        """
        # Of a document without tokens, which cannot be packed, one vector is read.
        packed = pack_padded_sequence(
            at_least_single(tokens),
            lengths.clamp(min=1).cpu(),
            batch_first=True,
            enforce_sorted=False,
        )
        # A CPU without instructions for bf16 has no such LSTM.
        with torch.autocast(tokens.device.type, enabled=False):
            outputs, _ = self.lstm(packed)
        padded, _ = pad_packed_sequence(
            outputs, batch_first=True, total_length=max(tokens.shape[1], 1)
        )
        is_token = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        return padded[:, : tokens.shape[1]] * is_token[:, :, None]
