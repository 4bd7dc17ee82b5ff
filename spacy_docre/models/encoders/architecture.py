"""What is peculiar to an architecture of transformers, in one place: which part of it reads text,
how long its input may be, what form its attention has."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..compat import AutoModel
from ..weights import FormatError
from .attention import find_projections
from .trust import TEXT_ENCODERS

# How many positions encoders have: to look through all modules takes as long as a layer.
_max_positions: WeakKeyDictionary[nn.Module, int | None] = WeakKeyDictionary()

# Architectures whose "attentions" are what goes into the softmax, not what comes out of it.
RETURN_SCORES = ("squeezebert", "prophetnet", "xlm-prophetnet")
# Architectures that convolve or pool over positions, so that padding changes what is beside it.
PADDING_MATTERS = ("canine", "convbert", "funnel", "nystromformer")
# Architectures that read in blocks where their input is long, unless told otherwise.
IN_BLOCKS = ("big_bird", "bigbird_pegasus")
# Why text encoders of transformers cannot be used, where that is known without trying.
REFUSED = {
    **dict.fromkeys(
        ("longformer", "led", "longt5", "pegasus_x"),
        "its attention goes over neighbours alone and comes in another form than one row for each "
        "wordpiece. Documents of any length are read in windows, so take 'roberta', 'bart' or "
        "'t5', or for long windows 'modernbert' or 'big_bird'",
    ),
    **dict.fromkeys(
        ("fnet", "mamba", "mamba2", "falcon_mamba", "rwkv", "recurrent_gemma"),
        "it has no attention. Take 'bert' or 'modernbert'",
    ),
    **dict.fromkeys(
        ("mra", "reformer", "yoso"),
        "it approximates attention, or shortens its input, and has no row of it for each "
        "wordpiece. Take 'bert', or for long windows 'modernbert'",
    ),
    "dpr": "it gives a vector for a text, none for its wordpieces. Take 'bert'",
    "fsmt": "its encoder half cannot be used by itself. Take 'marian' or 'm2m_100'",
    "t5gemma": "its encoder half cannot be saved by itself. Take 't5' or 'modernbert'",
    **dict.fromkeys(
        ("bros", "layoutlmv2", "layoutlmv3", "lxmert", "udop", "vilt"),
        "it needs the layout of a page or an image beside the text. Take 'layoutlm' or 'lilt', "
        "which do without, or 'bert'",
    ),
}
# Of an encoder without a limit: what it reads at once by default, and at most.
DEFAULT_WINDOW, MAX_WINDOW = 512, 2**15
# Wordpieces of the text that an encoder is tried on, and of a shorter one. Special tokens have the
# first numbers.
PROBE, PROBE_SHORT, FIRST_WORD = 12, 7, 5


class TextEncoder:
    """Builds encoders, for spacy-transformers' `HFShim`. Of an encoder-decoder it is the encoder
    half."""

    @staticmethod
    def from_config(config: Any, **settings: Any) -> Any:
        """config (PretrainedConfig): The saved configuration.
        **settings (Any): Further settings of `AutoModel.from_config`.
        RETURNS (PreTrainedModel): The encoder, its weights not loaded.
        """
        return _encoder_half(AutoModel.from_config(_in_full(config), **settings))

    @staticmethod
    def from_pretrained(name: str, config: Any, **settings: Any) -> Any:
        """name (str): A model's name on the Hugging Face hub, or the path of one on disk.
        config (PretrainedConfig): Its configuration.
        **settings (Any): Further settings of `AutoModel.from_pretrained`.
        RETURNS (PreTrainedModel): The encoder.
        """
        model = AutoModel.from_pretrained(name, config=_in_full(config), **settings)
        return _encoder_half(model)


def first_position(transformer: Any) -> int:
    """The number of the first position. RoBERTa and its kin count from after the padding's number,
    so that two of their 514 positions are never used; their table of positions says so.

    transformer (PreTrainedModel): The encoder.
    RETURNS (int): 0 for all others.
    """
    paddings = [getattr(table, "padding_idx", None) for table in _position_tables(transformer)]
    return max((padding + 1 for padding in paddings if padding is not None), default=0)


def max_positions(transformer: Any) -> int | None:
    """How many wordpieces an encoder has positions for.

    transformer (PreTrainedModel): The encoder.
    RETURNS (Optional[int]): Their number; None if there is no limit, as with relative positions.
    """
    if transformer not in _max_positions:
        said = getattr(transformer.config, "max_position_embeddings", None)
        # XLNet says -1.
        limits = [said] if isinstance(said, int) and said > 0 else []
        limits += [len(table.weight) for table in _position_tables(transformer)]
        longest = min(limits) - first_position(transformer) if limits else None
        _max_positions[transformer] = longest
    return _max_positions[transformer]


def grow_vocabulary(transformer: Any, n_tokens: int) -> None:
    """Give an encoder vectors for new wordpieces.

    transformer (PreTrainedModel): The encoder, changed in place.
    n_tokens (int): How many wordpieces its tokenizer has.
    RAISES (NotImplementedError): If its vocabulary cannot grow.
    """
    words = getattr(transformer, "embed_tokens", None)
    if words is None:
        transformer.resize_token_embeddings(n_tokens)
        return
    # The encoder halves of some encoder-decoders leave this to the whole.
    transformer.embed_tokens = transformer._get_resized_embeddings(words, n_tokens)
    transformer.config.vocab_size = n_tokens


def attention_rows(transformer: Any, output: Any, positions: Tensor) -> Tensor:
    """The last layer's attention of some positions, as an encoder returns it.

    transformer (PreTrainedModel): The encoder.
    output (ModelOutput): Its output with `output_attentions`.
    positions (Tensor): [W, I] int64. The positions.
    RETURNS (Tensor): [W, K, I, L] float32.
    """
    full = output.attentions[-1].float()
    index = positions[:, None, :, None].expand(-1, full.shape[1], -1, full.shape[3])
    rows = full.gather(2, index)
    return rows.softmax(dim=3) if transformer.config.model_type in RETURN_SCORES else rows


def try_encoder(transformer: Any) -> int:
    """Try an encoder on a few wordpieces.

    transformer (PreTrainedModel): The encoder.
    RETURNS (int): The width of its states.
    RAISES (FormatError): If it does not give a state for each wordpiece, and a distribution over
        the wordpieces of its window, on both sides, as each one's attention. One that the program
        has allowed may read from left to right.
    """
    config = transformer.config
    with _evaluating(transformer), torch.no_grad():
        inputs = _probe(transformer)
        has_projections = find_projections(transformer) is not None
        if not has_projections:
            config._attn_implementation = "eager"
            inputs["output_attentions"] = True
        try:
            output = transformer(**inputs)
            states = output.last_hidden_state
        except Exception as error:
            # Architectures that want more than text raise errors of all kinds.
            first = str(error).strip().partition("\n")[0]
            raise FormatError(f"it cannot read text ({type(error).__name__}: {first})") from None
        if states.shape[:2] != inputs["input_ids"].shape:
            raise FormatError(f"for {PROBE} wordpieces it gives {states.shape[1]} states")
        if not has_projections:
            _check_attention(transformer, output, inputs["attention_mask"])
    return int(states.shape[2])


def _probe(transformer: Any) -> dict[str, Any]:
    config, device = transformer.config, transformer.device
    n_ids = getattr(config, "vocab_size", None) or PROBE + FIRST_WORD
    ids = FIRST_WORD + torch.arange(PROBE, device=device) % max(1, n_ids - FIRST_WORD)
    ids = ids.expand(2, -1).clone()
    mask = torch.ones_like(ids)
    if config.model_type not in PADDING_MATTERS:
        mask[1, PROBE_SHORT:] = 0
        ids[1, PROBE_SHORT:] = config.pad_token_id or 0
    return {"input_ids": ids, "attention_mask": mask}


def _check_attention(transformer: Any, output: Any, mask: Tensor) -> None:
    attentions = getattr(output, "attentions", None)
    if not attentions:
        raise FormatError("it gives no attention")
    last = attentions[-1]
    if not isinstance(last, Tensor) or last.dim() != 4 or last.shape[2:] != (PROBE, PROBE):
        form = list(getattr(last, "shape", ()))
        raise FormatError(f"for 2 x {PROBE} wordpieces its attention has the form {form}")
    positions = torch.arange(PROBE, device=mask.device).expand(2, -1)
    rows = attention_rows(transformer, output, positions)[:, :, :PROBE_SHORT]
    total = rows.sum(dim=3)
    if (rows < 0).any() or not torch.allclose(total, torch.ones_like(total), atol=1e-3):
        raise FormatError("its attention is not a distribution over the wordpieces")
    if (rows * (1 - mask[:, None, None])).sum() > 1e-3:
        raise FormatError("it attends to padding")
    if transformer.config.model_type in TEXT_ENCODERS and not rows[0].triu(1).any():
        raise FormatError("it reads from left to right, so that no mention sees what follows it")


@contextmanager
def _evaluating(transformer: Any) -> Iterator[None]:
    was_training = transformer.training
    transformer.eval()
    # A warning about the choice of the kernel, which is meant here.
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        transformer.train(was_training)


def _encoder_half(transformer: Any) -> Any:
    return transformer.get_encoder() if hasattr(transformer, "get_encoder") else transformer


def _in_full(config: Any) -> Any:
    if config.model_type in IN_BLOCKS:
        config.attention_type = "original_full"
    return config


def _position_tables(transformer: Any) -> list[Any]:
    """The tables of absolute positions, of words and not of a layout."""
    names = ("position_embeddings", "embed_positions")
    return [
        module
        for name, module in transformer.named_modules()
        if name.rpartition(".")[2] in names and isinstance(getattr(module, "weight", None), Tensor)
    ]
