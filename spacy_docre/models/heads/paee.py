"""PAEE: document-level relation extraction via pair-aware and entity-enhanced representation
learning (Huang et al., COLING 2022)."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..encoding import Encoding, HeadOutput, Targets
from ..evidence import LocalizedHead
from ..layers.asked_types import AskedTypes, asked_types
from ..layers.convolution import Backbone, ConvStack
from ..layers.entity_sentence import EntitySentenceEncoder, Norm
from ..layers.grouped_bilinear import GroupedBilinear
from ..layers.pair_aware import ContextWeights, PairAware, pairs_bit
from ..layers.pair_map import Fill
from ..layers.segments import segment_logsumexp, segment_sum
from ..layers.tnet import Selection, TNet
from ..layers.unet import UNet
from ..losses import masked_mean
from ..objective import PairLoss, PairObjective
from ..torch_head import HeadSizes, head_factory

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

    The paper's ablations (table 5) are settings. Without `pair_aware` there is neither Y_pair nor
    the loss of potential pairs; without `entity_enhanced` e_sub and e_obj are the entities of
    equation 2, and subjects and objects have no loss; without `potential_pairs` Y_pair is Y, as
    wide as z; and `fill = "zero"` is without sliding windows.

    `HeadOutput.aux` holds "potential" [P], the logit (its sigmoid is the score) of the pair being
    related at all, and "subject" and "object" [N, R], the logits of F_sub and F_obj, where the
    head has these parts.

    sizes (HeadSizes): The sizes of encoder and data.
    hidden (int): Width of z_s and z_o, a multiple of `block`.
    block (int): Block size of the grouped bilinear form.
    channels (int): Channels of W_2 V and of the network.
    backbone (str): The network over the matrix of pairs: "tnet", "unet" or "conv".
    fine_share (float): The share of cells that TNet looks at closely.
    selection (str): How TNet learns where to look: "straight_through" or "soft", see `TNet`.
    size (int): The rows N of the square of pairs; larger documents have larger ones.
    fill (str): What is in the rest of the square: the matrix again ("sliding"), zeros ("zero") or
        its last row and column ("edge").
    context (str): How a pair's context weighs tokens: "localized" (as in ATLOP) or "softmax", see
        `PairAware`.
    type_width (int): Width of the embeddings of entity types.
    potential_threshold (float): The probability lambda above which the bit is set.
    skip_unlikely (bool): At inference, classify only the pairs whose bit is set; the others get
        no relation.
    layers (int): Layers of the Transformer over entities and sentences; 0 for none.
    heads (int): Its attention heads; must divide the encoder's width.
    feed_forward (int): Width of its feed-forward layers.
    dropout (float): Its dropout.
    norm (str): Where its layers normalise: "pre" or "post", see `EntitySentenceEncoder`.
    max_sentences (int): Its position embeddings; later sentences share the last.
    pair_aware (bool): Whether there is the Pair-Aware Representation.
    entity_enhanced (bool): Whether there is the Entity-Enhanced Representation.
    potential_pairs (bool): Whether potential pairs are predicted.
    alpha (float): The weight of the loss of the relations.
    beta (float): The weight of the loss of potential pairs.
    gamma (float): The weight of the loss of subjects and objects.
    loss (PairLoss): L_rel, see `PairObjective`; equation 9 is "balanced_softmax".
    evidence_threshold (float): The share of a pair's attention that makes a sentence evidence.
    evidence_weight (float): The weight of the loss that trains the attention on gold evidence, see
        `LocalizedHead`; 0 for none.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        hidden: int = 768,
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
        dropout: float = 0.1,
        norm: Norm = "pre",
        max_sentences: int = 64,
        pair_aware: bool = True,
        entity_enhanced: bool = True,
        potential_pairs: bool = True,
        alpha: float = 1.0,
        beta: float = 1.0,
        gamma: float = 1.0,
        loss: PairLoss = "balanced_softmax",
        evidence_threshold: float = 0.2,
        evidence_weight: float = 0.0,
    ) -> None:
        objective = PairObjective(loss, sizes.n_labels, has_threshold=True)
        super().__init__(evidence_threshold, evidence_weight, objective)
        self.potential_threshold = potential_threshold
        self.skip_unlikely = skip_unlikely
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        # Models from before these settings normalised afterwards and had no skip connection.
        is_new = sizes.version >= 2
        self.pairs: PairAware | None = None
        if pair_aware:
            n_outputs = hidden - 1 if potential_pairs else hidden
            network: Backbone = ConvStack(channels, n_outputs)
            if backbone == "tnet":
                network = TNet(
                    channels, n_outputs, fine_share=fine_share, selection=selection, skip=is_new
                )
            elif backbone == "unet":
                network = UNet(channels, n_outputs, base=channels)
            self.pairs = PairAware(
                sizes,
                network,
                channels=channels,
                n_outputs=n_outputs,
                size=size,
                fill=fill,
                context=context,
                type_width=type_width,
                potential_pairs=potential_pairs,
            )
        self.entities: EntitySentenceEncoder | None = None
        width = sizes.width
        if entity_enhanced:
            self.entities = EntitySentenceEncoder(
                width,
                layers=layers,
                heads=heads,
                feed_forward=feed_forward,
                dropout=dropout,
                norm=norm if is_new else "post",
                max_sentences=max_sentences,
            )
            self.roles = nn.Linear(width, 2 * sizes.n_labels)
            width += sizes.n_labels
        self.subject_projection = nn.Linear(width, hidden)
        self.object_projection = nn.Linear(width, hidden)
        self.bilinear = GroupedBilinear(hidden, objective.n_outputs, block)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {
            "hidden": 32,
            "block": 8,
            "channels": 16,
            "size": 8,
            "type_width": 4,
            "feed_forward": 32,
            "dropout": 0.0,
            "max_sentences": 4,
        }

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. The matrix has all pairs of a document,
        the bilinear form those that are wanted."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `RelationHead.output_bias`."""
        return self.bilinear.bias

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R], thresholds [P] and the tensors named above.
        """
        index, aux = encoding.index, {}
        entity = segment_logsumexp(encoding.mention, index.mention_entity, index.n_entities)
        as_subject = as_object = entity
        if self.entities is not None:
            entity = self.entities(encoding, entity)
            aux["subject"], aux["object"] = self.roles(entity).chunk(2, dim=1)
            as_subject = torch.cat([entity, torch.sigmoid(aux["subject"])], dim=1)
            as_object = torch.cat([entity, torch.sigmoid(aux["object"])], dim=1)
        subject, object_ = self.subject_projection(as_subject), self.object_projection(as_object)
        pair = subject.new_zeros(len(index.pair_head), 1)
        likely = None
        if self.pairs is not None:
            pair, potential = self.pairs(encoding)
            if potential is not None:
                aux["potential"] = potential
                bit = pairs_bit(potential, self.potential_threshold, self.training)
                pair = torch.cat([pair, bit[:, None]], dim=1)
                if self.skip_unlikely and not self.training:
                    likely = bit.nonzero()[:, 0]
        heads, tails = index.pair_head, index.pair_tail
        if likely is None:
            asked = asked_types(index, self.objective.has_threshold)
            logits = self._match(subject[heads], object_[tails], pair, asked)
        else:
            logits = self._match(subject[heads[likely]], object_[tails[likely]], pair[likely])
            # The lowest logit above a threshold of zero, so that the score is zero.
            lowest = logits.new_full((len(pair), logits.shape[1]), torch.finfo(logits.dtype).min)
            if self.objective.has_threshold:
                lowest[:, 0] = 0
            logits = lowest.index_copy(0, likely, logits)
        return self.with_attention(HeadOutput(*self.objective.split(logits), aux), encoding)

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The weighted sum of the losses (equation 12): the objective's over the types (9), cross
        entropy of potential pairs (10), and of subjects and objects (11); and the evidence's. An
        entity of which no pair is known counts in none.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        labels, mask = targets.labels, targets.mask
        relation = self.objective(output, targets)
        loss = self.alpha * relation + self.evidence_loss(output, targets)
        if "potential" in output.aux:
            potential = nn.functional.binary_cross_entropy_with_logits(
                output.aux["potential"], labels.any(dim=1).to(relation.dtype), reduction="none"
            )
            loss = loss + self.beta * masked_mean(potential, mask)
        if "subject" in output.aux:
            subject = role_loss(output.aux["subject"], output.index["pair_head"], targets)
            object_ = role_loss(output.aux["object"], output.index["pair_tail"], targets)
            loss = loss + self.gamma * (subject + object_) / 2
        return loss

    def _match(
        self,
        subject: Tensor,
        object_: Tensor,
        pair: Tensor,
        asked: Sequence[AskedTypes] | None = None,
    ) -> Tensor:
        ends = torch.tanh(subject + pair), torch.tanh(object_ + pair)
        return self.bilinear(*ends, asked=asked)


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


PAEE = head_factory("paee", PAEEHead)
