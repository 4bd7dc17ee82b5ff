"""Trees over the nodes of documents that are not given but learned, and convolutions over them."""

import torch
from torch import Tensor, nn

# How much less probable than the likeliest, as a logarithm, an edge to the same node may be. It
# bounds how close to singular a Laplacian is: inverses then are right to about 1e-7.
FLOOR = -20.0


def tree_marginals(edge: Tensor, root: Tensor, exist: Tensor) -> Tensor:
    """How likely each edge is part of a tree that spans a document's nodes and has one root, if a
    tree's probability is proportional to the exponential of the sum of its edges' scores and its
    root's. By the Matrix-Tree theorem (Koo et al. 2007), with the Laplacian L of the weights
    P = exp(edge) and its first row replaced by exp(root),

        A_ij = [j != 1] P_ij (L^-1)_jj - [i != 1] P_ij (L^-1)_ji

    What is added to the scores of all that a node can hang on changes no marginal: here they sum to
    1 in P. It is computed in float64, and edges below FLOOR count as at it.

    edge (Tensor): [B, n, n] float. The scores of edges from i, the parent, to j. Those of a node
        with itself do not count.
    root (Tensor): [B, n] float. The scores of the nodes as roots.
    exist (Tensor): [B, n] bool. Which nodes there are: the first, if a document has any.
    RETURNS (Tensor): [B, n, n] float64. The marginals, zero for edges of nodes that do not exist.
        What is missing in the sum of column j to 1 is the probability that j is the root.
    """
    edge, root = edge.double(), root.double()
    n = edge.shape[1]
    eye = torch.eye(n, dtype=edge.dtype, device=edge.device)
    allowed = exist[:, :, None] & exist[:, None] & (eye == 0)
    lowest = torch.finfo(edge.dtype).min
    # Any shift is right, so no gradient need flow through the choice of one.
    highest = edge.detach().masked_fill(~allowed, lowest).amax(dim=1, keepdim=True)
    shifted = (edge - highest).masked_fill(~allowed, 0.0)
    weight = shifted.clamp(min=FLOOR).exp() * allowed
    # A node that no other can be the parent of, as it is alone, has a sum of zero.
    total = weight.sum(dim=1, keepdim=True)
    shift = (highest + total.clamp(min=1.0).log()).masked_fill(total == 0, 0.0)
    weight = weight / total.clamp(min=1.0)
    of_root = torch.softmax((root - shift[:, 0]).masked_fill(~exist, lowest), dim=1)
    laplacian = torch.cat([of_root[:, None], (eye - weight)[:, 1:]], dim=1)
    # Not `inv`, which raises an error where what diverged in training is to be told of as such.
    inverse = torch.linalg.inv_ex(laplacian).inverse
    not_first = torch.arange(n, device=edge.device) > 0
    to_parents = inverse.diagonal(dim1=1, dim2=2) * not_first
    return weight * (to_parents[:, None] - inverse.transpose(1, 2) * not_first[:, None])


class StructureInduction(nn.Module):
    """The latent structure of LSR (Nan et al. 2020): the marginals of trees, see `tree_marginals`,
    with the scores of edges and roots

        s_ij = tanh(W_p u_i + b_p)' W_b tanh(W_c u_j + b_c),  r_i = w_r' u_i

    In the authors' code u has but half of a node, and i stands for j too, so that an edge's score
    does not depend on the child.

    width (int): The width of a node.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.parent = nn.Linear(width, width)
        self.child = nn.Linear(width, width)
        self.root = nn.Linear(width, 1, bias=False)
        self.form = nn.Parameter(torch.empty(width, width))
        nn.init.normal_(self.form, std=1 / width)

    def forward(self, node: Tensor, exist: Tensor) -> Tensor:
        """node (Tensor): [B, n, d] float. The nodes.
        exist (Tensor): [B, n] bool. Which of them there are.
        RETURNS (Tensor): [B, n, n] float. How likely node j is the parent of node i.
        """
        parent, child = torch.tanh(self.parent(node)), torch.tanh(self.child(node))
        edge = parent @ self.form @ child.transpose(1, 2)
        marginal = tree_marginals(edge, self.root(node)[..., 0], exist)
        return marginal.transpose(1, 2).to(node.dtype)


class DenseConvolution(nn.Module):
    """A block of densely connected graph convolutions (Guo et al. 2019), as in LSR's code: each
    sublayer sees the nodes x and what all sublayers before it made of them,

        g_k = [x; h_1; ...; h_(k-1)],  h_k = ReLU(W_k (A g_k + g_k) / (A 1 + 1) + b_k)
        x' = W [h_1; ...; h_K] + W x + b

    where the code divides b_k as well.

    width (int): The width of a node.
    sublayers (int): The number K of sublayers, a divisor of `width`.
    dropout (float): The dropout rate of the h_k in the last line, in training.
    """

    def __init__(self, width: int, sublayers: int, dropout: float) -> None:
        super().__init__()
        part = width // sublayers
        self.sublayers = nn.ModuleList(nn.Linear(width + k * part, part) for k in range(sublayers))
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, node: Tensor, adjacency: Tensor) -> Tensor:
        """node (Tensor): [B, n, d] float. The nodes x.
        adjacency (Tensor): [B, n, n] float. A, not below zero: what node i gets of node j.
        RETURNS (Tensor): [B, n, d] The nodes x'.
        """
        degree = adjacency.sum(dim=2, keepdim=True) + 1
        near = (adjacency @ node + node) / degree
        found = []
        for layer in self.sublayers:
            hidden = torch.relu(layer(near))
            found.append(hidden)
            near = torch.cat([near, (adjacency @ hidden + hidden) / degree], dim=2)
        output: Tensor = self.output(self.dropout(torch.cat(found, dim=2)) + node)
        return output
