"""The transformer of a pipeline as the encoder, shared with other components."""

from spacy.util import registry
from thinc.api import reduce_mean

from ...errors import DocreError, Errors
from ..compat import has_transformers
from ..relation_model import Encoder
from .tok2vec import Tok2VecEncoder


def TransformerListener(
    *,
    upstream: str = "*",
    grad_factor: float = 1.0,
    n_heads: int = 12,
    head_width: int = 64,
    use_entity_types: bool = True,
    use_distance: bool = True,
) -> Encoder:
    """The encoder "spacy-docre.TransformerListener.v1": the pipeline's `transformer` component
    (spacy-transformers), so that the recogniser and the relation extractor use one encoder and
    train it together.

    The transformer reads the plain text for all components, without markers, and hands on its last
    layer only. So a token has the mean of its wordpieces, a mention that of its tokens, and the
    mentions' attention is a layer of its own over them, see `MentionAttention`.

    upstream (str): The name of the transformer's component, or "*" for any.
    grad_factor (float): Factor of the gradients that go back to the transformer; 0 for none.
    n_heads (int): The number of attention heads, K.
    head_width (int): The width of each head.
    use_entity_types (bool): Mark the tokens of mentions with their entities' types.
    use_distance (bool): Let the attention depend on the distance from the mention.
    RETURNS (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder.
    RAISES (DocreError): If spacy-transformers is not installed.
    """
    if not has_transformers:
        raise DocreError(
            Errors.D021.format(
                package="spacy-transformers",
                purpose="the encoder 'transformer_listener'",
                extra="transformers",
            )
        )
    make_listener = registry.architectures.get("spacy-transformers.TransformerListener.v1")
    return Tok2VecEncoder(
        make_listener(reduce_mean(), grad_factor, upstream),
        n_heads=n_heads,
        head_width=head_width,
        use_entity_types=use_entity_types,
        use_distance=use_distance,
    )
