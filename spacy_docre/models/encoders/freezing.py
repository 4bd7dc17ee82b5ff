"""Lower layers of a pretrained encoder that are not trained."""

from typing import Any

from torch import nn

from ...errors import DocreError, Errors

# What is new on a pretrained encoder, and has to be learned.
ADDED = ("entity_features", "entity_structure")
# What configurations call the number of layers.
LAYER_COUNTS = ("num_hidden_layers", "n_layers", "num_layers", "encoder_layers")


def freeze(transformer: Any, n_layers: int) -> None:
    """Take the embeddings and the lowest layers of an encoder out of training. Nothing below the
    first layer that is trained needs a gradient, so none is computed and nothing is kept for it.

    transformer (PreTrainedModel): The encoder, changed in place.
    n_layers (int): How many layers, from the lowest; 0 for the embeddings alone.
    RAISES (DocreError): If it has fewer layers, or layers that share their weights.
    """
    name, layers = _layers(transformer)
    if not 0 <= n_layers <= len(layers):
        condition = f"null or in 0..{len(layers)} for this encoder"
        raise DocreError(
            Errors.D020.format(setting="frozen_layers", condition=condition, value=n_layers)
        )
    frozen = {id(p) for layer in layers[:n_layers] for p in layer.parameters()}
    for path, module in transformer.named_modules():
        is_outside = not layers or not path.startswith(f"{name}.")
        if is_outside and not path.startswith(ADDED) and _is_embedding(path, module):
            frozen.update(map(id, module.parameters()))
    for parameter in transformer.parameters():
        parameter.requires_grad_(id(parameter) not in frozen)


def _layers(transformer: Any) -> tuple[str, list[nn.Module]]:
    """The path of the list of layers, and the layers, lowest first; none where they are shared."""
    counts = {getattr(transformer.config, name, None) for name in LAYER_COUNTS}
    for path, module in transformer.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) in counts:
            return path, list(module)
    return "", []


def _is_embedding(path: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Embedding) or "embed" in path
