"""Networks in numpy: those over the matrix of pairs, one cell at a time, on the whole square; and a
Transformer's layer, one node at a time."""

import math

import numpy as np


def array(parameter):
    return parameter.detach().numpy()


def slow_linear(layer, vector):
    return array(layer.weight) @ vector + array(layer.bias)


def slow_norm(layer, vector):
    centred = vector - vector.mean()
    scaled = centred / np.sqrt((centred**2).mean() + layer.eps)
    return scaled * array(layer.weight) + array(layer.bias)


def each_cell(function, square):
    """Apply a function of a vector to each cell of [S, S, C]."""
    return np.array([[function(cell) for cell in row] for row in square])


def slow_convolution(layer, square):
    """A 3 x 3 convolution of [S, S, C] with zeros beyond the border."""
    weight, size = array(layer.weight), len(square)
    result = np.zeros((size, size, len(weight)))
    for i in range(size):
        for j in range(size):
            result[i, j] = array(layer.bias)
            for di in (-1, 0, 1):
                for dj in (-1, 0, 1):
                    if 0 <= i + di < size and 0 <= j + dj < size:
                        result[i, j] += weight[:, :, di + 1, dj + 1] @ square[i + di, j + dj]
    return result


def slow_layers(layers, square):
    """Layers one after another, by the names of their classes."""
    for layer in layers:
        kind = type(layer).__name__
        if kind == "Conv2d":
            square = slow_convolution(layer, square)
        elif kind == "ReLU":
            square = np.maximum(square, 0)
        else:
            assert kind == "ChannelNorm"
            square = each_cell(lambda cell, layer=layer: slow_norm(layer, cell), square)
    return square


def slow_pool(square, reduce):
    """Reduce 2 x 2 cells to one; at an odd border, those that there are."""
    half = math.ceil(len(square) / 2)
    return np.array(
        [
            [
                reduce(square[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(-1, square.shape[2]))
                for j in range(half)
            ]
            for i in range(half)
        ]
    )


def slow_pointwise(layer, square):
    """A 1 x 1 convolution."""
    weight = array(layer.weight)[:, :, 0, 0]
    return each_cell(lambda cell: weight @ cell + array(layer.bias), square)


def slow_readout(readout, square):
    square = slow_layers([readout.norm], square)
    return slow_pointwise(readout.projection, np.maximum(square, 0))


def slow_conv_stack(network, square, n):
    for block in network.blocks:
        square = square + slow_layers(block.layers, square)
    return slow_readout(network.output, square)


def slow_tnet(network, square, n):
    """A coarse pass over means, then a close look at the cells that score best."""
    coarse = slow_pool(square, lambda cells: cells.mean(axis=0))
    coarse = coarse + slow_layers(network.coarse.layers, coarse)
    score = slow_pointwise(network.score, coarse)[..., 0]
    size, own = len(square), range(math.ceil(n / 2))
    best = sorted(((score[i, j], i, j) for i in own for j in own), reverse=True)
    best = best[: math.ceil(network.fine_share * len(best))]
    doubled = np.array([[coarse[i // 2, j // 2] for j in range(size)] for i in range(size)])
    view = np.maximum(slow_layers([network.fine_norm], square + doubled), 0)
    result = square + doubled if network.skip else doubled.copy()
    for value, i, j in best:
        gate = 1 if network.selection == "straight_through" else 1 / (1 + np.exp(-value))
        for row in (2 * i, 2 * i + 1):
            for column in (2 * j, 2 * j + 1):
                if row < n and column < n:
                    seen = neighbourhood(view, row, column)
                    result[row, column] += gate * slow_linear(network.fine, seen)
    return slow_readout(network.output, result)


def neighbourhood(square, row, column):
    """The 3 x 3 cells around one, row by row, as one vector; zeros beyond the border."""
    padded = np.pad(square, ((1, 1), (1, 1), (0, 0)))
    return padded[row : row + 3, column : column + 3].ravel()


def slow_up(block, lower, skipped):
    weight = array(block.deconvolution.weight)
    size = len(skipped)
    raised = np.zeros((size, size, weight.shape[1]))
    for i in range(size):
        for j in range(size):
            raised[i, j] = lower[i // 2, j // 2] @ weight[:, :, i % 2, j % 2]
            raised[i, j] += array(block.deconvolution.bias)
    return slow_layers(block.convolutions, np.concatenate([skipped, raised], axis=2))


def slow_unet(network, square, n):
    full = slow_layers(network.enter, square)
    middle = slow_layers(network.down1, slow_pool(full, lambda cells: cells.max(axis=0)))
    lowest = slow_layers(network.down2, slow_pool(middle, lambda cells: cells.max(axis=0)))
    result = slow_up(network.up2, slow_up(network.up1, lowest, middle), full)
    return slow_pointwise(network.output, result)


SLOW = {"TNet": slow_tnet, "UNet": slow_unet, "ConvStack": slow_conv_stack}


def slow_pair_map(pair_map, matrix):
    """The network's result for one document's n x n matrix, laid out in its square."""
    n = len(matrix)
    size = max(pair_map.size, n)
    square = np.zeros((size, size, matrix.shape[2]))
    for i in range(size):
        for j in range(size):
            if pair_map.fill == "edge":
                square[i, j] = matrix[min(i, n - 1), min(j, n - 1)]
            elif pair_map.fill == "sliding" or (i < n and j < n):
                square[i, j] = matrix[i % n, j % n]
    network = pair_map.backbone
    return SLOW[type(network).__name__](network, square, n)[:n, :n]


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def slow_transformer_layer(layer, nodes):
    """Vaswani et al. 2017, section 3.1: attention and feed-forward, each added and normalised; or
    each normalised before (Xiong et al. 2020)."""
    if layer.norm_first:
        return _slow_sublayers(layer, nodes, np.array([slow_norm(layer.norm1, n) for n in nodes]))
    return _slow_sublayers(layer, nodes, nodes)


def _slow_sublayers(layer, nodes, inputs):
    width, n_heads = nodes.shape[1], layer.self_attn.num_heads
    weight, bias = array(layer.self_attn.in_proj_weight), array(layer.self_attn.in_proj_bias)
    q, k, v = np.split(inputs @ weight.T + bias, 3, axis=1)
    size = width // n_heads
    mixed = np.zeros_like(nodes)
    for head in range(n_heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(nodes)):
            weights = softmax(k[:, part] @ q[i, part] / np.sqrt(size))
            mixed[i, part] = weights @ v[:, part]
    rows = []
    for node, attended in zip(nodes, mixed, strict=True):
        node = node + slow_linear(layer.self_attn.out_proj, attended)
        if not layer.norm_first:
            node = slow_norm(layer.norm1, node)
        inner = slow_norm(layer.norm2, node) if layer.norm_first else node
        inner = np.maximum(slow_linear(layer.linear1, inner), 0)
        node = node + slow_linear(layer.linear2, inner)
        rows.append(node if layer.norm_first else slow_norm(layer.norm2, node))
    return np.array(rows)
