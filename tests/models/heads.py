"""Small heads in float64, and what is made for them."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from spacy_docre.models.encoding import Encoding, Targets
from spacy_docre.models.heads.atlop import ATLOPHead
from spacy_docre.models.heads.docunet import DocuNetHead
from spacy_docre.models.heads.kmgre import KMGREHead
from spacy_docre.models.heads.paee import PAEEHead
from spacy_docre.models.torch_head import HEAD_VERSION, HeadSizes

from ..reference.layers import array
from ..util import random_encoding

XI, ALPHA, GAMMA = 0.2, 0.3, 2.0


def small_atlop(n_labels=3):
    sizes = HeadSizes(width=6, n_heads=2, n_labels=n_labels, n_types=3)
    return ATLOPHead(
        sizes,
        hidden=8,
        block=4,
        evidence_threshold=0.2,
        evidence_weight=0.1,
        evidence_fusion=False,
    ).double()


def small_docunet(n_labels=3):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=n_labels, n_types=3)
    settings = {"hidden": 8, "block": 4, "size": 5, "in_channels": 3, "base": 4, "out_channels": 5}
    return DocuNetHead(sizes, **settings, evidence_threshold=0.2, evidence_weight=0.1).double()


PAEE_SETTINGS = {
    "hidden": 8,
    "block": 4,
    "channels": 4,
    "size": 5,
    "type_width": 3,
    "heads": 2,
    "feed_forward": 5,
    "max_sentences": 2,
    "potential_threshold": 0.5,
    "dropout": 0.0,
}


def small_paee(version=HEAD_VERSION, **settings):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3, version=version)
    return PAEEHead(sizes, **(PAEE_SETTINGS | settings)).double().eval()


def twin_encoding(seed, entities):
    """Two encodings of the same documents, of different widths and numbers of heads."""
    second = random_encoding(seed, entities, width=4, n_heads=3)
    return replace(random_encoding(seed, entities), second=second)


def small_kmgre(n_labels=3, second_width=4, step=2000, **settings):
    sizes = HeadSizes(width=6, n_heads=2, n_labels=n_labels, n_types=3, second_width=second_width)
    head = KMGREHead(sizes, **{"xi": XI, "alpha": ALPHA, "gamma": GAMMA, **settings})
    # A tau of which mention pairs fall short, and probabilities that differ widely.
    head.step.fill_(step)
    if head.key is not None:
        nn.init.normal_(head.key.weight, std=0.7)
    return head.double().eval()


def random_targets(n_pairs, n_labels=3):
    return Targets(torch.rand(n_pairs, n_labels) < 0.4, torch.rand(n_pairs) < 0.8)


def check_scores(output, expected, has_threshold):
    """The first type of a head that learns a threshold is that threshold; that of others is 0."""
    if not has_threshold:
        expected = np.pad(expected, ((0, 0), (1, 0)))
    np.testing.assert_allclose(array(output.threshold), expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(array(output.logits), expected[:, 1:], atol=1e-9)


def check_gradients(head, encoding, fast_mode):
    """Those of all that a head gives, as far as it depends on the encoding."""
    encoding = encoding.detached()

    def run(*tensors):
        output = head(Encoding(*tensors, encoding.index))
        # The projection wants a gradient of every output.
        return tuple(tensor for tensor in output.tensors if tensor.requires_grad)

    assert torch.autograd.gradcheck(run, encoding.tensors, fast_mode=fast_mode)
