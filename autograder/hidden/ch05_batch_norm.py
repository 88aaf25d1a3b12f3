"""Hidden cases of chapter 05: other shapes, precisions and edges of what the docstrings promise."""

import sympy as sp
import torch

from autograder.checks.ch05_batch_norm import (
    SMALL, activations, channels_last, knock_out, layer, normal, one_value, parameters, positive, randomness,
    three_calls, through_graph, values)
from autograder.checks.exercise import Case

F32 = torch.float32


def training(*shape, probe=None, draw=activations, dtype=torch.float64, spread=1.0, **options):
    """A case of bn_train or bn_eval: input of the given shape, and parameters."""

    def inputs(g):
        x = draw(g, *shape, dtype=dtype) * spread
        return dict(x=x, **parameters(g, shape[1], dtype=dtype, spread=spread), **options)

    return Case(inputs, probe)


def path(n, d, dtype=torch.float64, spread=1.0, **options):
    return Case(lambda g: dict(grad_xhat=normal(g, n, d, dtype=dtype),
                               x=spread * activations(g, n, d, dtype=dtype), **options))


def strided_path(g):
    """Every second column of a wider batch."""
    return dict(grad_xhat=normal(g, 5, 6)[:, ::2], x=activations(g, 5, 6)[:, 1::2], eps=0.2)


def backward(*shape, draw=activations, dtype=torch.float64, spread=1.0, **options):
    return Case(lambda g: dict(grad_y=normal(g, *shape, dtype=dtype), x=spread * draw(g, *shape, dtype=dtype),
                               gamma=positive(g, shape[1], dtype=dtype), **options))


def negative_gamma(g):
    return dict(grad_y=normal(g, 7, 4), x=activations(g, 7, 4), gamma=-positive(g, 4), eps=0.2)


def strided_backward(g):
    return dict(grad_y=normal(g, 5, 4).T, x=3 + normal(g, 5, 4).T, gamma=positive(g, 5), eps=0.1)


def centering(n, d, dtype=torch.float64):
    return Case(lambda g: dict(grad_s=2 + normal(g, n, d, dtype=dtype)))


def weight(n, o, i, dtype=torch.float64):
    return Case(lambda g: dict(grad_s=1 + normal(g, n, o, dtype=dtype), acts=3 + normal(g, n, i, dtype=dtype)))


def folding(*shape, dtype=torch.float64, spread=1.0, **options):
    return Case(lambda g: dict(**layer(g, *shape, dtype=dtype, spread=spread), **options))


def strided_folding(g):
    return dict(**{**layer(g, 5, 3), "W": normal(g, 3, 5).T}, eps=0.3)


def distorting(*sizes, probe=None, **options):
    return Case(lambda g: knock_out(g, *sizes, **options), probe)


def strided_distorting(g):
    inputs = knock_out(g, 6, 4000, mean_scale=3.0, log_gain_scale=0.25)
    return {**inputs, "acts": inputs["acts"].T.contiguous().T}


def point(**numbers):
    """A further exact point of a derivation, in the order of its arguments."""
    exact = {name: sp.Rational(value) for name, value in numbers.items()}
    return Case(lambda g: dict(exact))


POINTS = [
    point(dy="-7/3", mean_dy="2/5", mean_dy_xhat="-3/4", xhat="5/4", sigma="1/3"),
    point(dy="1/7", mean_dy="-4/3", mean_dy_xhat="5/6", xhat="-2/3", sigma=5),
    point(dy=0, mean_dy="9/4", mean_dy_xhat="-1/6", xhat="1/8", sigma="7/2"),
]

PATHS = [path(2, 3, eps=0.05), path(7, 1, eps=0.3), path(16, 4, dtype=F32, eps=0.01),
         path(5, 2, spread=SMALL), Case(strided_path)]

HIDDEN = {
    "bn_train": [
        training(2, 3, momentum=0.4, eps=0.05),
        training(7, 1, momentum=0.05),
        training(3, 4, 5, momentum=0.2, eps=0.2),
        training(2, 2, 2, 3, 2, momentum=0.7, eps=0.1),
        training(5, 2, 3, 4, draw=channels_last, dtype=F32),
        training(6, 4, momentum=1.0, eps=0.1),
        training(6, 4, momentum=0.0, eps=0.1),
        training(9, 2, 3, probe=three_calls, momentum=0.3, spread=SMALL),
        training(3, 2, 2, 2, probe=through_graph, momentum=0.2, eps=0.2),
        training(1, 3, 1, 1, probe=one_value),
    ],
    "bn_eval": [
        training(1, 5, eps=0.1),
        training(1, 2, 1, 1),
        training(3, 4, 5, eps=0.2),
        training(2, 2, 2, 3, 2, eps=0.3),
        training(5, 2, 3, 4, draw=channels_last, dtype=F32),
        training(4, 3, spread=SMALL),
        training(3, 2, 2, 2, probe=through_graph, eps=0.2),
    ],
    "bn_direct_path": PATHS,
    "bn_mean_path": PATHS,
    "bn_variance_path": PATHS,
    "direct_path": POINTS,
    "mean_path": POINTS,
    "variance_path": POINTS,
    "bn_backward": [
        backward(2, 3, eps=0.05),
        backward(7, 1, eps=0.3),
        backward(3, 4, 5, eps=0.2),
        backward(2, 2, 2, 3, 2, eps=0.1),
        backward(1, 3, 4, 2, eps=0.1),
        backward(5, 2, 3, 4, draw=channels_last, dtype=F32),
        backward(8, 3, spread=SMALL),
        Case(negative_gamma),
        Case(strided_backward),
    ],
    "center_backward": [centering(1, 3), centering(2, 1), centering(7, 5), centering(16, 4, dtype=F32),
                        Case(lambda g: dict(grad_s=1 + normal(g, 3, 5).T))],
    "centered_weight_grad": [weight(2, 1, 3), weight(1, 2, 3), weight(5, 4, 4), weight(9, 3, 2, dtype=F32),
                             Case(lambda g: dict(grad_s=1 + normal(g, 2, 6).T, acts=normal(g, 3, 6).T))],
    "distort": [
        distorting(8, 6000, mean_scale=0.3, log_gain_scale=1.2),
        Case(strided_distorting),
        distorting(4, 4000, mean_scale=1.5, log_gain_scale=0.3, dtype=F32),
        distorting(3, 1, probe=values, mean_scale=0.0, log_gain_scale=0.0, dtype=F32),
        distorting(6, 9, probe=randomness, mean_scale=0.5, log_gain_scale=0.2, dtype=F32),
    ],
    "fold_bn": [
        folding(1, 4, eps=0.1),
        folding(4, 1, eps=0.2),
        folding(3, 2, 5, eps=0.1),
        folding(2, 3, 2, 1, 2, eps=0.3),
        folding(3, 3, 3, 3, eps=0.1),
        folding(5, 2, 2, 2, dtype=F32),
        folding(4, 3, spread=SMALL),
        Case(strided_folding),
    ],
}
