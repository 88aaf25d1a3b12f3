"""Hidden cases of chapter 02: other shapes, modes, activations and points."""

import sympy as sp
import torch
import torch.nn.functional as F

from autograder.checks.ch02_initialization import (
    between, chain, contracts, gain_called, leaky, normal, power, seeded, whole)
from autograder.checks.exercise import Case


def point(**values):
    """One more point of a derivation: exact values of its symbols."""
    return Case(lambda g: {name: sp.Rational(value) for name, value in values.items()})


def fixed(**inputs):
    return Case(lambda g: dict(inputs))


def draw(probe=None, **inputs):
    """A draw of random weights from a fresh generator."""
    return Case(lambda g: dict(inputs, generator=seeded(whole(g, 0, 10**6))), probe=probe)


def gain_of(part, phi, nodes):
    return Case(lambda g: dict(phi=phi, nodes=nodes), probe=gain_called(part))


def two_examples(g):
    """Through one layer."""
    return dict(weights=chain(g, 3, 4), x=normal(g, 2, 3), phi=torch.tanh)


def deep(g):
    return dict(weights=chain(g, *[6] * 31), x=normal(g, 4, 6), phi=torch.tanh)


def linear_network(g):
    return dict(weights=chain(g, 4, 9, 2), x=normal(g, 5, 4), phi=torch.nn.Identity())


def float32_relu(g):
    f32 = torch.float32
    return dict(weights=chain(g, 10, 20, 15, 5, dtype=f32), x=normal(g, 7, 10, dtype=f32), phi=torch.relu)


def transposed_weights(g):
    """Weights that are views: (out, in) without being contiguous."""
    weights = [w.T.contiguous().T for w in chain(g, 5, 3, 8)]
    return dict(weights=weights, x=normal(g, 4, 5) - 1, phi=F.softplus)


HIDDEN = {
    "product_variance": [
        point(mean_w=1, var_w=1, mean_x=1, var_x=1),
        point(mean_w="-7/3", var_w="1/11", mean_x="5/2", var_x=13),
    ],
    "relu_second_moment": [point(sigma="1/100"), point(sigma="17/3")],
    "leaky_relu_second_moment": [point(sigma="7/5", slope="1/100"), point(sigma="1/3", slope="9/10")],
    "uniform_bound": [point(variance="1/1000"), point(variance="50/3")],
    "kaiming_variance": [point(fan_in=1152, slope="1/2"), point(fan_in=64, slope="1/100")],
    "fans": [
        fixed(shape=(1, 1)),
        fixed(shape=(7, 1, 4, 1)),
        fixed(shape=(2, 6, 3, 4, 5)),
        fixed(shape=torch.Size((12, 5, 1, 1))),
        Case(lambda g: dict(shape=tuple(whole(g, 1, 9) for _ in range(4)))),
    ],
    "xavier_uniform_bound": [
        fixed(fan_in=1, fan_out=1),
        fixed(fan_in=4608, fan_out=2304, gain=5 / 3),
        Case(lambda g: dict(fan_in=whole(g, 1, 2000), fan_out=whole(g, 1, 2000), gain=between(g, 0.1, 5.0))),
    ],
    "kaiming_normal": [
        draw(shape=(100, 90, 7), negative_slope=0.2),
        draw(shape=(60, 30, 3, 3, 3), mode="fan_out"),
        draw(shape=torch.Size((300, 170)), negative_slope=0.8, mode="fan_out"),
        Case(lambda g: dict(shape=(3, 1, 2, 2), negative_slope=0.1, mode="fan_out"), probe=contracts),
    ],
    "activation_gain": [
        fixed(phi=F.gelu),
        fixed(phi=F.softplus),
        fixed(phi=torch.exp, nodes=40),
        gain_of("gain by 30 nodes", torch.sin, 30),
        gain_of("gain by 2 nodes", power(2), 2),
        gain_of("gain by 5 nodes", power(5), 5),
        gain_of("gain of the identity", power(1), 7),
        Case(lambda g: dict(phi=leaky(between(g, 0.01, 0.2)), nodes=9), probe=gain_called("gain of a leaky ReLU")),
    ],
    "second_moments": [
        Case(two_examples), Case(deep), Case(linear_network), Case(float32_relu), Case(transposed_weights)],
}
