"""PAEE: document-level relation extraction via pair-aware and entity-enhanced representation
learning (Huang et al., COLING 2022)."""

from typing import Literal

import torch
from thinc.api import Model
from torch import Tensor, nn

from ..encoding import Encoding, HeadOutput, Targets
from ..evidence import LocalizedHead
from ..layers.convolution import Backbone, ConvStack
from ..layers.entity_sentence import EntitySentenceEncoder
from ..layers.grouped_bilinear import GroupedBilinear
from ..layers.pair_aware import ContextWeights, PairAware, pairs_bit
from ..layers.pair_map import Fill
from ..layers.segments import segment_logsumexp, segment_sum
from ..layers.tnet import Selection, TNet
from ..layers.unet import UNet
from ..losses import balanced_softmax_loss, masked_mean
from ..torch_head import HeadSizes, build_head

Network = Literal["tnet", "unet", "conv"]


class PAEEHead(LocalizedHead):
    """The classifier of PAEE.

    Pairs get a feature Y from a network over the matrix of all pairs, and a bit that says whether
    they are likely to be related (equations 3-5, `PairAware`). Entities, the logsumexp of their
    mentions (equation 2), become aware of the document (equation 6, `EntitySentenceEncoder`); from
    that comes how likely an entity is to be subject and object of each type (equation 7),

        [F_sub; F_obj] = sigmoid(W H^e),  e_sub = [H^e; F_sub],  e_obj = [H^e; F_obj]

    (F are probabilities in equation 11, hence the sigmoid), and both are matched with the pair's
    feature (equation 8),

        z_s = tanh(W_s e_sub + Y_pair),  z_o = tanh(W_o e_obj + Y_pair),  Y_pair = [Y; bit]

    so that z is one wider than Y. A grouped bilinear form gives a logit for each type and for the
    threshold class TH.

    The order of the clusters changes nothing: entities stand in the order of their first mentions.

    `HeadOutput.aux` holds "potential" [P], the logit (its sigmoid is the score) of the pair being
    related at all, and "subject" and "object" [N, R], the logits of F_sub and F_obj.

    sizes (HeadSizes): The sizes of encoder and data.
    hidden (int): Width of z_s and z_o; Y is one less wide.
    block (int): Block size of the grouped bilinear form.
    channels (int): Channels of W_2 V and of the network.
    backbone (str): "tnet", "unet" or "conv".
    fine_share (float): The share of cells that TNet looks at closely.
    selection (str): How TNet learns where to look, see `TNet`.
    size (int): The rows N of the square of pairs; larger documents have larger ones.
    fill (str): What is in the rest of the square: "sliding" or "zero".
    context (str): "localized" or "softmax", see `PairAware`.
    type_width (int): Width of the embeddings of entity types.
    potential_threshold (float): The probability lambda above which the bit is set.
    skip_unlikely (bool): At inference, classify only the pairs whose bit is set; the others get
        no relation.
    layers, heads, feed_forward, dropout, max_sentences: See `EntitySentenceEncoder`.
    alpha, beta, gamma (float): The weights of the losses of relations, of potential pairs, and of
        subjects and objects.
    evidence_threshold (float): The share of a pair's attention that makes a sentence evidence.
    evidence_weight (float): The weight of the evidence's loss, see `LocalizedHead`.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        hidden: int,
        block: int,
        channels: int,
        backbone: Network,
        fine_share: float,
        selection: Selection,
        size: int,
        fill: Fill,
        context: ContextWeights,
        type_width: int,
        potential_threshold: float,
        skip_unlikely: bool,
        layers: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        max_sentences: int,
        alpha: float,
        beta: float,
        gamma: float,
        evidence_threshold: float,
        evidence_weight: float,
    ) -> None:
        super().__init__(evidence_threshold, evidence_weight)
        self.potential_threshold = potential_threshold
        self.skip_unlikely = skip_unlikely
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.pairs = PairAware(
            sizes,
            make_backbone(backbone, channels, hidden - 1, fine_share, selection),
            channels=channels,
            n_outputs=hidden - 1,
            size=size,
            fill=fill,
            context=context,
            type_width=type_width,
        )
        self.entities = EntitySentenceEncoder(
            sizes.width,
            layers=layers,
            heads=heads,
            feed_forward=feed_forward,
            dropout=dropout,
            max_sentences=max_sentences,
        )
        self.roles = nn.Linear(sizes.width, 2 * sizes.n_labels)
        self.subject_projection = nn.Linear(sizes.width + sizes.n_labels, hidden)
        self.object_projection = nn.Linear(sizes.width + sizes.n_labels, hidden)
        self.bilinear = GroupedBilinear(hidden, sizes.n_labels + 1, block)

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R], thresholds [P] and the tensors named above.
        """
        index = encoding.index
        entity = segment_logsumexp(encoding.mention, index.mention_entity, index.n_entities)
        entity = self.entities(encoding, entity)
        subject, object_ = self.roles(entity).chunk(2, dim=1)
        as_subject = self.subject_projection(torch.cat([entity, torch.sigmoid(subject)], dim=1))
        as_object = self.object_projection(torch.cat([entity, torch.sigmoid(object_)], dim=1))
        feature, potential = self.pairs(encoding)
        bit = pairs_bit(potential, self.potential_threshold, self.training)
        pair = torch.cat([feature, bit[:, None]], dim=1)
        heads, tails = index.pair_head, index.pair_tail
        if self.skip_unlikely and not self.training:
            likely = bit.nonzero()[:, 0]
            logits = self._match(as_subject[heads[likely]], as_object[tails[likely]], pair[likely])
            # The lowest logit above a threshold of zero, so that the score is zero.
            lowest = logits.new_full((len(pair), logits.shape[1]), torch.finfo(logits.dtype).min)
            lowest[:, 0] = 0
            logits = lowest.index_copy(0, likely, logits)
        else:
            logits = self._match(as_subject[heads], as_object[tails], pair)
        aux = {"potential": potential, "subject": subject, "object": object_}
        return self.with_attention(HeadOutput(logits[:, 1:], logits[:, 0], aux), encoding)

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The weighted sum of the losses (equation 12): balanced softmax over the types
        (equation 9), cross entropy of potential pairs (10), and of subjects and objects (11); and
        the evidence's. An entity of which no pair is known counts in none.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        labels, mask = targets.labels, targets.mask
        relation = masked_mean(balanced_softmax_loss(output.logits, output.threshold, labels), mask)
        is_related = labels.any(dim=1).to(output.logits.dtype)
        potential = nn.functional.binary_cross_entropy_with_logits(
            output.aux["potential"], is_related, reduction="none"
        )
        subject = role_loss(output.aux["subject"], output.index["pair_head"], targets)
        object_ = role_loss(output.aux["object"], output.index["pair_tail"], targets)
        return (
            self.alpha * relation
            + self.beta * masked_mean(potential, mask)
            + self.gamma * (subject + object_) / 2
            + self.evidence_loss(output, targets)
        )

    def _match(self, subject: Tensor, object_: Tensor, pair: Tensor) -> Tensor:
        return self.bilinear(torch.tanh(subject + pair), torch.tanh(object_ + pair))


def make_backbone(
    name: Network, channels: int, n_outputs: int, fine_share: float, selection: Selection
) -> Backbone:
    """The network over the matrix of pairs, see `PAEEHead`."""
    if name == "tnet":
        return TNet(channels, n_outputs, fine_share=fine_share, selection=selection)
    if name == "unet":
        return UNet(channels, n_outputs, base=channels)
    return ConvStack(channels, n_outputs)


def role_loss(logits: Tensor, entity_of_pair: Tensor, targets: Targets) -> Tensor:
    """The cross entropy of which types an entity is subject (or object) of in some triple (equation
    11), averaged over the entities of which some pair is known, and over the types.

    logits (Tensor): [N, R] float. The logits.
    entity_of_pair (Tensor): [P] int64. The subject (object) of each pair.
    targets (Targets): The gold standard.
    RETURNS (Tensor): [] The loss.
    """
    mask = targets.mask.to(logits.dtype)
    is_gold = targets.labels.to(logits.dtype) * mask[:, None]
    has_role = segment_sum(is_gold, entity_of_pair, len(logits)).clamp(max=1)
    is_known = segment_sum(mask, entity_of_pair, len(logits)) > 0
    losses = nn.functional.binary_cross_entropy_with_logits(logits, has_role, reduction="none")
    return masked_mean(losses.mean(dim=1), is_known)


def PAEE(
    hidden: int = 256,
    block: int = 64,
    channels: int = 256,
    backbone: Network = "tnet",
    fine_share: float = 0.5,
    selection: Selection = "straight_through",
    size: int = 42,
    fill: Fill = "sliding",
    context: ContextWeights = "localized",
    type_width: int = 20,
    potential_threshold: float = 0.3,
    skip_unlikely: bool = False,
    layers: int = 1,
    heads: int = 4,
    feed_forward: int = 2048,
    dropout: float = 0.0,
    max_sentences: int = 64,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
    evidence_threshold: float = 0.2,
    evidence_weight: float = 0.0,
) -> Model[Encoding, HeadOutput]:
    """The head "spacy-docre.PAEE.v1": see `PAEEHead`.

    hidden (int): Width of the entity representations of a pair; a multiple of `block`.
    block (int): Block size of the grouped bilinear classifier.
    channels (int): Channels of the matrix of pairs.
    backbone (str): The network over that matrix: "tnet", "unet" or "conv".
    fine_share (float): The share of the matrix that TNet looks at closely.
    selection (str): How TNet learns where: "straight_through" or "soft".
    size (int): The rows of the square that the matrix is laid out in.
    fill (str): What fills it: the matrix again ("sliding") or zeros ("zero").
    context (str): How a pair's context weighs tokens: "localized" (as in ATLOP) or "softmax".
    type_width (int): Width of the embeddings of entity types.
    potential_threshold (float): The probability above which a pair is taken to be related.
    skip_unlikely (bool): At inference, classify only those pairs.
    layers (int): Layers of the Transformer over entities and sentences.
    heads (int): Its attention heads; must divide the encoder's width.
    feed_forward (int): Width of its feed-forward layers.
    dropout (float): Its dropout.
    max_sentences (int): Its position embeddings; later sentences share the last.
    alpha (float): Weight of the loss of the relations.
    beta (float): Weight of the loss of potential pairs.
    gamma (float): Weight of the loss of subjects and objects.
    evidence_threshold (float): The share of a pair's attention that makes a sentence evidence.
    evidence_weight (float): The weight of the loss that trains the attention on gold evidence; 0
        for none.
    RETURNS (Model[Encoding, HeadOutput]): The head.
    """
    return build_head(
        "paee",
        PAEEHead,
        hidden=hidden,
        block=block,
        channels=channels,
        backbone=backbone,
        fine_share=fine_share,
        selection=selection,
        size=size,
        fill=fill,
        context=context,
        type_width=type_width,
        potential_threshold=potential_threshold,
        skip_unlikely=skip_unlikely,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        dropout=dropout,
        max_sentences=max_sentences,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        evidence_threshold=evidence_threshold,
        evidence_weight=evidence_weight,
    )
