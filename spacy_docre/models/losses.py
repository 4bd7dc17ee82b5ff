"""Losses over the candidate pairs of a batch."""

import torch
from torch import Tensor, nn

from .encoding import Targets

# Keeps a quotient of zeros zero.
SMALLEST = 1e-30
HIGHEST_PRIOR = 0.9


def adaptive_threshold_loss(logits: Tensor, threshold: Tensor, labels: Tensor) -> Tensor:
    """Adaptive-threshold loss (Zhou et al. 2021, ATLOP, section 4.1, equations 6-8): push the
    gold types of each pair above a threshold class TH, and all others below it.

        L = -sum_{r in P} log(exp(l_r) / sum_{r' in P+TH} exp(l_r'))
            - log(exp(l_TH) / sum_{r' in N+TH} exp(l_r'))

    where P are the gold types of the pair and N all others.

    logits (Tensor): [P, R] float. The types' logits, without the threshold class.
    threshold (Tensor): [P] float. The logit of the threshold class.
    labels (Tensor): [P, R] bool. The gold types.
    RETURNS (Tensor): [P] The loss of each pair.
    """
    negative_infinity = torch.tensor(float("-inf"), dtype=logits.dtype, device=logits.device)
    threshold = threshold[:, None]
    positives = torch.cat([threshold, torch.where(labels, logits, negative_infinity)], dim=1)
    negatives = torch.cat([threshold, torch.where(labels, negative_infinity, logits)], dim=1)
    log_positives = torch.logsumexp(positives, dim=1, keepdim=True)
    above = torch.where(labels, log_positives - logits, torch.zeros_like(logits)).sum(dim=1)
    below = torch.logsumexp(negatives, dim=1) - threshold[:, 0]
    return above + below


def balanced_softmax_loss(logits: Tensor, threshold: Tensor, labels: Tensor) -> Tensor:
    """Balanced softmax (DocuNet, Zhang et al. 2021, with a threshold of zero; PAEE, Huang et al.
    2022, appendix A.1, equation 9, with a learned one):

        L = log(exp(l_TH) + sum_{r in N} exp(l_r)) + log(exp(-l_TH) + sum_{r in P} exp(-l_r))

    where P are the gold types of the pair and N all others. As l_TH cancels, this is

        L = log(1 + sum_{r in N} exp(l_r - l_TH)) + log(1 + sum_{r in P} exp(l_TH - l_r))

    logits (Tensor): [P, R] float. The types' logits, without the threshold class.
    threshold (Tensor): [P] float. The logit of the threshold class.
    labels (Tensor): [P, R] bool. The gold types.
    RETURNS (Tensor): [P] The loss of each pair.
    """
    negative_infinity = torch.tensor(float("-inf"), dtype=logits.dtype, device=logits.device)
    margin = logits - threshold[:, None]
    zero = margin.new_zeros(len(margin), 1)
    below = torch.cat([zero, torch.where(labels, negative_infinity, margin)], dim=1)
    above = torch.cat([zero, torch.where(labels, -margin, negative_infinity)], dim=1)
    return torch.logsumexp(below, dim=1) + torch.logsumexp(above, dim=1)


def cross_entropies(logits: Tensor, threshold: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of each pair and type, with the threshold's logit as that of one half.

    logits (Tensor): [P, R] float. The types' logits.
    threshold (Tensor): [P] float. Zero, or the logit of a threshold class.
    labels (Tensor): [P, R] bool. The gold types.
    RETURNS (Tensor): [P, R] The losses.
    """
    return nn.functional.binary_cross_entropy_with_logits(
        logits - threshold[:, None], labels.to(logits.dtype), reduction="none"
    )


def adaptive_focal_loss(
    logits: Tensor, threshold: Tensor, labels: Tensor, *, gamma: float = 1.0
) -> Tensor:
    """Adaptive focal loss (Tan et al., Findings of ACL 2022, KD-DocRE): each gold type
    against the threshold class by itself, with more weight if it is still below, where ATLOP's loss
    lets the gold types of a pair compete.

        L = -sum_{r in P} (1 - p_r)^gamma log(p_r)
            - log(exp(l_TH) / sum_{r' in N+TH} exp(l_r')),  p_r = sigmoid(l_r - l_TH)

    where P are the gold types of the pair and N all others. The weight in the authors' code is
    1 + (1 - p_r)^gamma.

    logits (Tensor): [P, R] float. The types' logits, without the threshold class.
    threshold (Tensor): [P] float. The logit of the threshold class.
    labels (Tensor): [P, R] bool. The gold types.
    gamma (float): How strongly decisions that are already right are discounted.
    RETURNS (Tensor): [P] The loss of each pair.
    """
    margin = logits - threshold[:, None]
    above = -(torch.sigmoid(-margin) ** gamma) * nn.functional.logsigmoid(margin)
    zero = margin.new_zeros(len(margin), 1)
    others = margin.masked_fill(labels, float("-inf"))
    below = torch.logsumexp(torch.cat([zero, others], dim=1), dim=1)
    return torch.where(labels, above, 0.0).sum(dim=1) + below


def hinge_balance_loss(
    logits: Tensor, threshold: Tensor, labels: Tensor, *, margin: float = 5.0
) -> Tensor:
    """Adaptive hinge balance loss (Wang et al., Findings of EMNLP 2023, HingeABL): each type
    against the threshold class by itself, weighted by how far it is from being right by a margin m,
    so that the many easy negatives count for little. As in the authors' code,

        L = -sum_{r in P} w_r log sigmoid(l_r - l_TH) - sum_{r in N} w_r log sigmoid(l_TH - l_r),
        w_r = h_r / sum_{r' on the side of r} h_r',
        h_r = max(0, m + l_TH - l_r) for r in P,  max(0, m + l_r - l_TH) for r in N

    where P are the gold types of the pair and N all others.

    logits (Tensor): [P, R] float. The types' logits, without the threshold class.
    threshold (Tensor): [P] float. The logit of the threshold class.
    labels (Tensor): [P, R] bool. The gold types.
    margin (float): m.
    RETURNS (Tensor): [P] The loss of each pair.
    """
    towards = torch.where(labels, 1.0, -1.0) * (logits - threshold[:, None])
    hinge, losses = torch.relu(margin - towards), -nn.functional.logsigmoid(towards)
    total = logits.new_zeros(len(logits))
    for side in (labels, ~labels):
        distance = torch.where(side, hinge, 0.0)
        weights = distance / distance.sum(dim=1, keepdim=True).clamp(min=SMALLEST)
        total = total + (weights * losses).sum(dim=1)
    return total


def none_class_ranking_loss(logits: Tensor, threshold: Tensor, labels: Tensor) -> Tensor:
    """None class ranking loss (Zhou and Lee, IJCAI 2022, NCRL): each type against the none class,
    here TH, by itself; and the none class against the mean of the types.

        L = -sum_{r in P} log sigmoid(l_r - l_TH) - sum_{r in N} log sigmoid(l_TH - l_r)
            - log sigmoid(d) if P is empty, else - log sigmoid(-d),  d = l_TH - mean_r l_r

    where P are the gold types of the pair and N all others. Without the shift of negative margins,
    which the authors' code leaves off by default.

    logits (Tensor): [P, R] float. The types' logits, without the threshold class.
    threshold (Tensor): [P] float. The logit of the threshold class.
    labels (Tensor): [P, R] bool. The gold types.
    RETURNS (Tensor): [P] The loss of each pair.
    """
    types = cross_entropies(logits, threshold, labels).sum(dim=1)
    distance = threshold - logits.mean(dim=1)
    is_none = ~labels.any(dim=1)
    return types - nn.functional.logsigmoid(torch.where(is_none, distance, -distance))


def positive_unlabelled_risk(
    logits: Tensor,
    threshold: Tensor,
    targets: Targets,
    prior: Tensor,
    *,
    factor: float = 3.0,
    margin: float = 0.25,
) -> Tensor:
    """Shift and squared ranking loss for positive and unlabelled data (Wang et al., EMNLP 2022,
    SSR-PU): a pair that is not labelled with a type may have it all the same. With the squared loss
    q(x) = (x - m)^2 / 4 of the margin d_r = l_r - l_TH over a threshold class, its means over the
    pairs that are labelled with r (P) and over the others (U), and for each type

        pi_l, the share of the pairs that are labelled,  pi = factor * pi_l, of those that have it,
        pi_u = (pi - pi_l) / (1 - pi_l), of those that have it among the others,

        R_- = (1 - pi) / (1 - pi_u) mean_U q(-d) - (pi_u - pi_u pi) / (1 - pi_u) mean_P q(-d)
        R_+ = pi w mean_P q(d),  w = sqrt((1 - pi) / pi)

    the risk is the sum of R_+ + R_- over the types; where R_-, which cannot be negative but for
    overfitting, is so, -R_- takes the type's place. Factor and margin are the authors' for DocRED.

    logits (Tensor): [P, R] float. The types' logits, without the threshold class.
    threshold (Tensor): [P] float. The logit of the threshold class.
    targets (Targets): The labels.
    prior (Tensor): [R] float. pi_l, in 0..1, both excluded.
    factor (float): How many relations there are for each that is labelled.
    margin (float): m.
    RETURNS (Tensor): [] The risk.
    """
    known = targets.mask[:, None]
    is_labelled, is_other = targets.labels & known, ~targets.labels & known
    distance = logits - threshold[:, None]

    def mean(chosen: Tensor, values: Tensor) -> Tensor:
        total = torch.where(chosen, (values - margin) ** 2 / 4, 0.0).sum(dim=0)
        return total / chosen.sum(dim=0).clamp(min=1)

    labelled = prior.to(logits.dtype)
    # A type that every third pair is labelled with would be on all of them.
    share = (factor * labelled).clamp(max=HIGHEST_PRIOR).maximum(labelled)
    unlabelled = (share - labelled) / (1 - labelled)
    negative = (1 - share) * mean(is_other, -distance) - (
        unlabelled * (1 - share) * mean(is_labelled, -distance)
    )
    negative = negative / (1 - unlabelled)
    positive = (share * (1 - share)).sqrt() * mean(is_labelled, distance)
    return torch.where(negative < 0, -negative, positive + negative).sum()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the values whose mask is set; zero (with a gradient of zero) if none is.

    values (Tensor): [P] float.
    mask (Tensor): [P] bool.
    RETURNS (Tensor): [] The mean.
    """
    weights = mask.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp(min=1.0)


def focal_loss(logits: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
    """Binary focal loss (Lin et al. 2017; Jiang et al. 2022, KMGRE, section 3.2, equations 10
    and 11), with one weight for both classes:

        L = -alpha (1 - p)^gamma log(p),  p = sigmoid(logit) for true labels, 1 - that for false

    logits (Tensor): [Q] float.
    labels (Tensor): [Q] bool.
    alpha (float): The weight.
    gamma (float): How strongly decisions that are already right are discounted.
    RETURNS (Tensor): [Q] The loss of each decision.
    """
    margin = torch.where(labels, logits, -logits)
    return -alpha * torch.sigmoid(-margin) ** gamma * torch.nn.functional.logsigmoid(margin)
