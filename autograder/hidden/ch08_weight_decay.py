"""Hidden cases of chapter 08: other shapes, states, models, rates and depths."""

import sympy as sp
import torch
from torch import nn

from autograder.checks.ch03_adaptive_gradients import (
    EPS, adam_state, normal, start, steps_in_turn, strided, zeros)
from autograder.checks.ch06_scale_invariance import backwards, between
from autograder.checks.ch08_weight_decay import (
    damped, large, moment, named_model, passing, rates, sgd_inputs, where_singular)
from autograder.checks.exercise import Case, call

F64, F32 = torch.float64, torch.float32


def exact(**values):
    """One more point of a derivation."""
    return Case(lambda g: {name: sp.Rational(value) for name, value in values.items()})


def given(**inputs):
    return Case(lambda g: dict(inputs), probe=call)


# Steps.


def sgd_step(*shape, dtype=F64, **options):
    return Case(lambda g: sgd_inputs(g, *shape, dtype=dtype) | rates(g) | options)


def every_second_column(g):
    return dict(w=normal(g, 3, 8)[:, ::2], g=normal(g, 3, 8)[:, 1::2]) | rates(g)


SGD = [
    sgd_step(1), sgd_step(), sgd_step(6, lam=0.0), sgd_step(4, 3, 2, 2), sgd_step(2, 7, dtype=F32),
    sgd_step(3, lr=1.5, lam=0.3), Case(every_second_column),
    Case(lambda g: dict(w=zeros(4), g=normal(g, 4)) | rates(g)),
    Case(lambda g: dict(w=1e4 * normal(g, 5), g=1e-2 * normal(g, 5), lr=1e-3, lam=1e-2)),
]


def zeros_among_the_weights(g):
    """A zero stays where the gradient is smaller than the penalty's slope, and leaves where it is larger."""
    w = normal(g, 6) * torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0, 0.0], dtype=F64)
    return dict(w=w, g=torch.tensor([0.2, 0.4, 0.1, -2.5, 0.3, 1.9], dtype=F64), lr=between(g, 0.2, 0.4), lam=0.7)


L1 = [
    sgd_step(1, lr=0.4), sgd_step(lr=0.4), sgd_step(9, lam=0.0, lr=0.6), sgd_step(5, lam=50.0), sgd_step(3, 2, 2, 4, lr=1.1),
    sgd_step(6, 5, dtype=F32, lr=0.7), Case(zeros_among_the_weights), Case(every_second_column),
]


def optimizing(*shape, steps=(), dtype=F64, size=EPS**0.5, empty=False, probe=None, **options):
    """A step of Adam with decay, from an empty state or from a later one."""
    def inputs(g):
        state = adam_state(g, *shape, dtype=dtype, size=size)
        if empty:
            state = {name: torch.zeros_like(value) for name, value in state.items()}
        return dict(**start(g, *shape, steps=steps, dtype=dtype, size=size), **state, **options)

    return Case(inputs, probe)


def strided_state(g):
    state = {name: value.T for name, value in adam_state(g, 5, 2).items()}
    return dict(**strided(g, 2, 5), **state, k=4, lr=0.25, wd=0.35, beta1=0.85, beta2=0.97, eps=0.01)


def never_a_gradient(g):
    """Entries without gradient: only the decay moves them."""
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=F64)
    return dict(w=normal(g, 4), g=normal(g, 4) * mask, m=zeros(4), s=zeros(4), k=1, lr=0.1, wd=0.6, beta1=0.5,
                beta2=0.7, eps=0.05)


BEGUN = dict(k=1, lr=0.1, wd=0.45, beta1=0.5, beta2=0.7, eps=0.05)
GOING = dict(k=12, lr=0.4, wd=0.55, beta1=0.9, beta2=0.98, eps=0.01)
ADAM = [
    optimizing(4, 3, **GOING),
    optimizing(1, empty=True, **BEGUN),
    optimizing(**GOING),
    optimizing(2, 3, 2, 2, **GOING),
    optimizing(3, steps=[6], empty=True, probe=steps_in_turn, **BEGUN),
    optimizing(2, 2, steps=[3], probe=steps_in_turn, **GOING),
    optimizing(7, size=1e3, **GOING),
    optimizing(4, dtype=F32, steps=[3], empty=True, probe=steps_in_turn, **BEGUN),
    optimizing(2, 3, k=2, lr=0.01, wd=0.1),
    optimizing(5, **GOING | {"wd": 0.0}),
    optimizing(5, **GOING | {"eps": 0.0}),
    optimizing(3, k=1000, lr=0.1, wd=0.02, eps=EPS),
    optimizing(3, k=2, lr=0.1, wd=0.3, beta1=0.0, beta2=0.0, eps=EPS),
    Case(never_a_gradient),
    Case(strided_state),
]


# Models.


class Centred(nn.LayerNorm):
    """A normaliser by descent."""


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict({
            "bias_free": nn.Conv2d(2, 4, 3, bias=False), "a": nn.InstanceNorm2d(4, affine=True),
            "b": nn.ModuleList([nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4)])})
        self.batchnorm_like = nn.Linear(4, 4)
        self.unbiased = nn.Parameter(torch.zeros(2, 2))
        self.temperature = nn.Parameter(torch.zeros(()))


def models():
    """Each as a case of its own."""
    builders = {
        "convolutions in containers": Stack,
        "a normaliser by itself": lambda: nn.LayerNorm(3),
        "one linear layer": lambda: nn.Linear(3, 2),
        "a model without parameters": lambda: nn.Sequential(nn.ReLU(), nn.Dropout()),
        "descent and roots": lambda: nn.Sequential(nn.Sequential(Centred(3), nn.Linear(3, 3)), nn.RMSNorm(3), nn.Bilinear(3, 3, 2)),
        "a recurrent network": lambda: nn.ModuleList([nn.LSTM(2, 3), nn.BatchNorm1d(3), nn.GroupNorm(1, 3), nn.BatchNorm3d(2)]),
        "everything frozen": lambda: nn.Sequential(nn.Linear(2, 2), nn.SyncBatchNorm(2)).requires_grad_(False).eval(),
    }
    return [Case(named_model(name)(build)) for name, build in builders.items()]


# Layers.


def turned(g, levels, size=200):
    """A symmetric matrix with the given eigenvalues, each many times, in generic directions."""
    matrix = torch.diag(torch.tensor(levels, dtype=F64).repeat(size // len(levels)))
    for axis in normal(g, 3, size):
        mirror = torch.eye(size, dtype=F64) - 2 * torch.outer(axis, axis) / (axis @ axis)
        matrix = mirror @ matrix @ mirror
    return (matrix + matrix.T) / 2


def two_hundred(g):
    """So few distinct eigenvalues that conjugate gradients end after a dozen steps."""
    return dict(A=turned(g, (0.4, 1.0)), S=turned(g, (0.2, 0.3, 0.5, 0.9)), grad=normal(g, 200, 200),
                damping=between(g, 0.2, 0.3))


def hardly_any_curvature(g):
    drawn = damped(g, 3, 3)
    return drawn | dict(A=1e-4 * drawn["A"], S=1e-2 * drawn["S"])


def both_singular(g):
    return damped(g, 4, 5) | dict(A=moment(g, 5, examples=1, floor=0.0), S=moment(g, 4, examples=2, floor=0.0))


def strided_layer(g):
    """Symmetric factors as every second row and column of larger ones."""
    drawn = damped(g, 6, 8)
    return dict(A=drawn["A"][::2, ::2], S=drawn["S"][1::2, 1::2], grad=drawn["grad"][::2, 1::2], damping=between(g, 0.1, 0.2))


def scaled_apart(g):
    """Layers of different scale, inputs not contiguous in memory."""
    drawn = passing(g, 4, 6, 5, 3)
    return dict(weights=[s * w for s, w in zip((10.0, 0.1, 3.0), drawn["weights"])], x=backwards(g, 7, 4))


NETWORKS = [
    Case(lambda g: passing(g, 3, 4, 2, examples=1)),
    Case(lambda g: passing(g, 1, 5, 1, examples=5)),
    Case(lambda g: passing(g, 6, 2, examples=3, dtype=F32)),
    Case(lambda g: passing(g, 4, 8, 8, 8, 8, 3, examples=9)),
    Case(lambda g: passing(g, 3, 9, 4, 2, examples=4, dtype=F32)),
    Case(scaled_apart),
]


HIDDEN = {
    "sgd_l2_step": SGD,
    "sgd_decay_step": SGD,
    "l1_prox_step": L1,
    "adam_l2_step": ADAM,
    "adamw_step": ADAM,
    "decay_groups": models(),
    "norm_sq_with_decay": [
        given(lr=1, wd=0.5, steps=3, w0_sq=2, grad_norm=1),
        given(lr=0.3, wd=0.2, steps=1),
        given(lr=0.1, wd=0.4, steps=0),
        Case(lambda g: dict(lr=between(g, 0.4, 0.6), wd=0.0, steps=5, w0_sq=between(g, 1.2, 1.6))),
        Case(lambda g: dict(lr=between(g, 0.1, 0.2), wd=between(g, 0.1, 0.2), steps=300, w0_sq=between(g, 3, 5),
                            grad_norm=between(g, 2, 3))),
        Case(lambda g: dict(lr=between(g, 2, 3), wd=between(g, 0.1, 0.15), steps=4, w0_sq=between(g, 0.1, 0.2))),
    ],
    "equilibrium_norm_sq": [exact(lr=3, lam="1/5"), exact(lr="1/10", lam="1/3"), exact(lr="4/9", lam=2)],
    "equilibrium": [
        given(lr=1.0, wd=0.5),
        given(lr=1, wd=0),
        Case(lambda g: dict(lr=between(g, 2, 3), wd=between(g, 0.25, 0.3))),
        Case(lambda g: dict(lr=between(g, 0.05, 0.1), wd=between(g, 0.5, 0.7))),
        Case(lambda g: dict(lr=between(g, 0.01, 0.02), wd=between(g, 9, 11))),
    ],
    "kfac_direction": [
        Case(two_hundred, probe=large),
        Case(hardly_any_curvature),
        Case(both_singular, probe=where_singular),
        Case(strided_layer),
        Case(lambda g: damped(g, 1, 4)),
        Case(lambda g: damped(g, 5, 1)),
        Case(lambda g: damped(g, 1, 1)),
        Case(lambda g: damped(g, 3, 3, low=8.0, high=9.0)),
        Case(lambda g: damped(g, 4, 4, dtype=F32)),
    ],
    "gauss_newton_norm": NETWORKS,
    "jacobian_frobenius": NETWORKS,
    "deep_linear_penalty": [exact(beta=9, K=5), exact(beta="-5/2", K=2), exact(beta="-1/50", K=1), exact(beta=1000, K=12)],
    "balanced_factors": [
        Case(lambda g: dict(beta=-between(g, 2, 3), K=1)),
        Case(lambda g: dict(beta=-between(g, 0.01, 0.02), K=2)),
        Case(lambda g: dict(beta=between(g, 400, 500), K=3)),
        Case(lambda g: dict(beta=between(g, 0.1, 0.3), K=6)),
        Case(lambda g: dict(beta=0.0, K=3)),
        Case(lambda g: dict(beta=-between(g, 1.1, 1.3), K=12)),
    ],
}
