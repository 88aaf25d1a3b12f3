"""Hidden cases of chapter 06: other shapes, lengths, rates and degrees."""

import sympy as sp
import torch
import torch.nn.functional as F

from autograder.checks.ch06_scale_invariance import (
    as_called, backwards, between, inverse_length, minus_quadratic, named, normal, of_directions, on_the_sphere,
    refusals, sum_of_powers, units)
from autograder.checks.exercise import Case, call

F32 = torch.float32


def point(**values):
    """One more point of a derivation: exact values of its symbols."""
    return Case(lambda g: {name: sp.Rational(value) for name, value in values.items()})


def fixed(**inputs):
    return Case(lambda g: dict(inputs), probe=call)


def leaky_network(g):
    """Three layers without biases, their weights in one vector."""
    x = normal(g, 7, 4)

    def f(w):
        first, second, third = (p.reshape(-1, 4) for p in w.split([16, 16, 8]))
        hidden = F.leaky_relu(F.leaky_relu(x.to(w) @ first.T, 0.2) @ second.T, 0.2)
        return (hidden @ third.T).norm()

    return dict(f=named("a network", f), x=normal(g, 40))


def kernels_behind_a_normaliser(g):
    """Scale-invariant in the tensor as a whole, as behind layer normalisation."""
    a = normal(g, 2, 3, 2, 2)
    f = named("a function of the direction", lambda w: 2 + (a.to(w) * w).sum() / w.norm())
    return dict(f=f, x=backwards(g, 2, 3, 2, 2))


def root_of_one_number(g):
    return dict(f=named("a root", lambda x: x.abs().sqrt().sum()), x=normal(g, 1) + 4)


def quotient(g):
    """Scale-invariant without a normaliser; both entries far from 0."""
    return dict(f=named("a quotient of two entries", lambda x: x[0] / x[1]), x=normal(g, 2).abs() + 1)


def far_from_the_origin(g):
    return dict(w=1e3 * normal(g, 2, 3), grad=1e-3 * normal(g, 2, 3))


def tangent(g):
    """What a scale-invariant loss gives: nothing is left along w."""
    w, grad = normal(g, 9), normal(g, 9)
    return dict(w=w, grad=grad - (w @ grad) / (w @ w) * w)


def inwards(g):
    w = on_the_sphere(normal(g, 3, 3))
    return dict(w=w, grad=normal(g, 3, 3) - 2 * w, lr=between(g, 0.05, 0.1))


def steep(g):
    return dict(w=on_the_sphere(normal(g, 4, 3, 3, 3)), grad=10 * normal(g, 4, 3, 3, 3), lr=between(g, 0.5, 1))


def large_rate_in_float32(g):
    return dict(w=on_the_sphere(normal(g, 5, 8, dtype=F32)), grad=normal(g, 5, 8, dtype=F32), lr=between(g, 2, 3))


HIDDEN = {
    "gradient_degree": [point(k="-7/3"), point(k="11/5"), point(k=6)],
    "homogeneity_degree": [
        Case(leaky_network),
        Case(root_of_one_number),
        Case(kernels_behind_a_normaliser, probe=as_called),
        Case(quotient, probe=as_called),
        Case(lambda g: dict(f=of_directions(g, 2, 6), x=3 * normal(g, 2, 6, dtype=F32)), probe=as_called),
        Case(lambda g: dict(f=minus_quadratic(g, 1), x=normal(g, 1))),
        Case(lambda g: dict(f=inverse_length(g, 2, 1, 3), x=normal(g, 2, 1, 3, dtype=F32))),
        Case(lambda g: dict(f=sum_of_powers(1), x=normal(g, 3).requires_grad_())),
    ],
    "radial_component": [
        Case(far_from_the_origin),
        Case(tangent),
        Case(lambda g: dict(w=-normal(g, 1).abs() - 1, grad=normal(g, 1))),
        Case(lambda g: dict(w=normal(g, 4, 3, 3, 3), grad=backwards(g, 4, 3, 3, 3))),
        Case(lambda g: dict(w=normal(g, 30, dtype=F32), grad=normal(g, 30, dtype=F32))),
    ],
    "norm_sq_after_step": [point(w_sq="1/9", lr=3, g_sq="5/4"), point(w_sq=7, lr="1/100", g_sq=11)],
    "norm_sq_growth": [point(k=2, w0_sq=5, lr="7/3"), point(k=200, w0_sq="3/2", lr="1/20")],
    "norm_sq_trajectory": [
        fixed(lr=1, steps=3, w0_sq=2, grad_norm=1),
        fixed(lr=0.3, steps=1),
        fixed(lr=0.1, steps=0),
        Case(lambda g: dict(lr=between(g, 0.01, 0.1), steps=200, w0_sq=between(g, 3, 5), grad_norm=between(g, 2, 4))),
        Case(lambda g: dict(lr=between(g, 40, 60), steps=3, w0_sq=between(g, 0.1, 0.2))),
        Case(lambda g: dict(lr=1.0, steps=2, w0_sq=1.0), probe=refusals),
    ],
    "effective_lr": [
        Case(lambda g: dict(lr=1, W=units(g, 1, 5))),
        Case(lambda g: dict(lr=between(g, 0.1, 0.2), W=100 * units(g, 3, 3))),
        Case(lambda g: dict(lr=between(g, 0.1, 0.2), W=units(g, 4, 2, 3, dtype=F32))),
        Case(lambda g: dict(lr=between(g, 2, 3), W=units(g, 2, 3, 1, 4, 2).transpose(1, 3))),
    ],
    "constant_effective_lr_schedule": [
        fixed(lr0=1, w0_sq=2, steps=4, grad_norm=1),
        fixed(lr0=0.7, w0_sq=0.3, steps=1),
        fixed(lr0=0.1, w0_sq=1.0, steps=0),
        Case(lambda g: dict(lr0=between(g, 0.05, 0.1), w0_sq=between(g, 2, 3), steps=60, grad_norm=between(g, 2, 3))),
        Case(lambda g: dict(lr0=between(g, 2, 3), w0_sq=between(g, 1, 1.5), steps=3, grad_norm=between(g, 0.8, 1.2))),
    ],
    "decay_to_exponential_lr": [
        fixed(lr=1.0, wd=0.5, steps=3),
        fixed(lr=0.3, wd=0.1, steps=1),
        fixed(lr=0.3, wd=0.1, steps=0),
        Case(lambda g: dict(lr=between(g, 0.1, 0.2), wd=0.0, steps=4), probe=call),
        Case(lambda g: dict(lr=between(g, 0.1, 0.2), wd=between(g, 0.1, 0.2), steps=40)),
        Case(lambda g: dict(lr=between(g, 2, 3), wd=between(g, 0.25, 0.3), steps=3)),
    ],
    "project_step": [
        Case(inwards),
        Case(lambda g: dict(w=on_the_sphere(normal(g, 1)), grad=normal(g, 1), lr=0.01)),
        Case(lambda g: dict(w=on_the_sphere(normal(g, 3, 2)), grad=torch.zeros(3, 2, dtype=torch.float64), lr=1.0)),
        Case(steep),
        Case(large_rate_in_float32),
    ],
}
