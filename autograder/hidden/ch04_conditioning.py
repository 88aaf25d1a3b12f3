"""Hidden cases of chapter 04: other sizes, one of everything, far means, spreads of any size."""

import sympy as sp
import torch

from autograder.checks.ch04_conditioning import (
    F32, gradient_of, layer, moments, normal, off_centre, positive, standardising, without_trace)
from autograder.checks.exercise import Case


def point(**values):
    """One more point of a derivation: exact values of its symbols."""
    return Case(lambda g: {name: sp.Rational(value) for name, value in values.items()})


def every_second(x):
    """x, as every second column of a larger tensor."""
    return torch.stack([x, x], -1).flatten(1)[:, ::2]


def far_from_zero(g):
    return dict(features=normal(g, 12, 5) + 30)


def constant_feature(g):
    """The last feature never varies: the Hessian is singular."""
    x = off_centre(g, 6, 3)
    return dict(features=torch.cat([x[:, :2], torch.full_like(x[:, 2:], 2.5)], 1))


def centred_rows(g):
    x = off_centre(g, 8, 3)
    return dict(acts=x - x.mean(0), pseudo_grads=x[:, :2] - x[:, :2].mean(0))


def tiny_gradients(g):
    drawn = layer(g, 6, 5, 3)
    return drawn | dict(pseudo_grads=1e-6 * drawn["pseudo_grads"])


def strided_layer(g):
    drawn = layer(g, 5, 4, 2, dtype=F32)
    return {name: every_second(value) for name, value in drawn.items()}


def nothing_to_learn(g):
    return dict(A=moments(g, 3), S=torch.zeros(2, 2, dtype=torch.float64))


def outlying(g):
    """Activations far from 0: one eigenvalue of A stands out."""
    a = normal(g, 40, 5) + 10
    return dict(A=a.T @ a / 40, S=moments(g, 4))


def spread_apart(g):
    """Inputs whose deviations differ by four orders of magnitude."""
    drawn = standardising(g, 3, 4)
    return drawn | dict(var=positive(g, 4) * torch.tensor([1e-4, 1e-1, 1.0, 1e4]))


def far_mean(g):
    drawn = gradient_of(g, 2, 3)
    return drawn | dict(mean=drawn["mean"] + 10)


def unequal_variances(g):
    drawn = gradient_of(g, 4, 3)
    return drawn | dict(var=positive(g, 3) * torch.tensor([1e-2, 1.0, 1e2]))


def weights_at_rest(g):
    """Only the bias has a gradient."""
    drawn = gradient_of(g, 3, 4)
    return drawn | dict(grad_W=torch.zeros_like(drawn["grad_W"]))


def bias_at_rest(g):
    drawn = gradient_of(g, 3, 4)
    return drawn | dict(grad_b=torch.zeros_like(drawn["grad_b"]))


HIDDEN = {
    "design_hessian": [
        Case(far_from_zero),
        Case(constant_feature),
        Case(lambda g: dict(features=off_centre(g, 1, 3))),
        Case(lambda g: dict(features=off_centre(g, 9, 1))),
        Case(lambda g: dict(features=torch.zeros(4, 2, dtype=torch.float64))),
        Case(lambda g: dict(features=every_second(off_centre(g, 8, 3, dtype=F32)))),
    ],
    "outlier_eigenvalue": [point(mean_norm_sq=1000), point(mean_norm_sq="1/400"), point(mean_norm_sq="22/7")],
    "kfac_factors": [
        Case(centred_rows),
        Case(tiny_gradients),
        Case(strided_layer),
        Case(lambda g: layer(g, 1, 3, 2)),
        Case(lambda g: layer(g, 6, 1, 1)),
        Case(lambda g: layer(g, 32, 3, 9)),
    ],
    "kronecker_eigenvalues": [
        Case(outlying),
        Case(nothing_to_learn),
        Case(lambda g: dict(A=without_trace(g, 3), S=without_trace(g, 2))),
        Case(lambda g: dict(A=moments(g, 1), S=moments(g, 4))),
        Case(lambda g: dict(A=moments(g, 1), S=moments(g, 1))),
        Case(lambda g: dict(A=moments(g, 5, examples=1), S=moments(g, 3, examples=1))),
        Case(lambda g: dict(A=moments(g, 4, dtype=F32), S=moments(g, 4, dtype=F32))),
    ],
    "reparameterize": [
        Case(spread_apart),
        Case(lambda g: standardising(g, 1, 4)),
        Case(lambda g: standardising(g, 5, 1)),
        Case(lambda g: standardising(g, 3, 3) | dict(mean=torch.zeros(3, dtype=torch.float64))),
        Case(lambda g: standardising(g, 3, 2, spread=20.0)),
        Case(lambda g: standardising(g, 6, 6, dtype=F32)),
    ],
    "quasi_diagonal_direction": [
        Case(far_mean),
        Case(unequal_variances),
        Case(weights_at_rest),
        Case(bias_at_rest),
        Case(lambda g: gradient_of(g, 1, 4)),
        Case(lambda g: gradient_of(g, 5, 1)),
        Case(lambda g: gradient_of(g, 3, 3, dtype=F32)),
    ],
}
