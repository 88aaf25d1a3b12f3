"""Hidden cases of chapter 01: other shapes, ranks, fractions and dtypes."""

import sympy as sp
import torch
import torch.nn.functional as F

from autograder.checks.ch01_generalization import (
    between, classes, conditioned, contracts, dead_feature, digits, problem, refits, regression, solvable, whole)
from autograder.checks.exercise import Case, call

F64, F32 = torch.float64, torch.float32


def point(**values):
    """One more point of a derivation: exact values of its symbols."""
    return Case(lambda g: {name: sp.Rational(value) for name, value in values.items()})


def copies(g, n, d):
    """A matrix of rank 2, exactly: two rows, doubled, halved or turned around."""
    scale = torch.tensor([1.0, -1.0, 2.0, 0.5, -0.5, 1.0], dtype=F64)[:n, None]
    return scale * conditioned(g, 2, d)[torch.arange(n) % 2]


def far_away(g):
    """Predictions a hundred times their spread from 0."""
    inputs = refits(g, 9, 6)
    return {name: value + 100 for name, value in inputs.items()}


def turned_regression(g):
    inputs = regression(g, 6, 9, 2)
    return {name: value.T.contiguous().T for name, value in inputs.items()} | dict(lam=between(g, 0.5, 1))


def uneven_labels(g):
    inputs = digits(g, 900, 0.7, 3)
    return inputs | dict(labels=(torch.arange(900) > 750).long())


HIDDEN = {
    "expected_squared_error": [point(bias=7, variance="1/100", noise="3/2"), point(bias="-1/9", variance=11, noise=6)],
    "bias_variance": [
        Case(far_away),
        Case(lambda g: refits(g, 1, 5)),
        Case(lambda g: refits(g, 7, 1)),
        Case(lambda g: refits(g, 12, 30, dtype=F32)),
        Case(lambda g: refits(g, 3, 8)),
    ],
    "corrupt_labels": [
        Case(lambda g: digits(g, whole(g, 150, 250), 1.0)),
        Case(lambda g: digits(g, 20 * whole(g, 10, 14) + 10, 0.15)),  # an odd number and a half, or a whole number
        Case(lambda g: digits(g, whole(g, 180, 260), between(g, 0.2, 0.9))),
        Case(uneven_labels, probe=classes),
        Case(lambda g: digits(g, 500, 1, 3), probe=classes),
        Case(lambda g: digits(g, 9, 0.05, 10), probe=call),
        Case(lambda g: digits(g, 6, 0.5, 1), probe=call),
        Case(lambda g: digits(g, 45, 0.8, 100), probe=contracts),
    ],
    "ridge": [
        Case(turned_regression),
        Case(lambda g: regression(g, 10, 4) | dict(lam=between(g, 50, 100))),
        Case(lambda g: regression(g, 20, 5, 1) | dict(lam=between(g, 0.01, 0.02))),
        Case(lambda g: regression(g, 1, 3, 2) | dict(lam=between(g, 1.5, 2))),
        Case(lambda g: regression(g, 5, 1) | dict(lam=2)),
        Case(lambda g: regression(g, 3, 7, 4, dtype=F32) | dict(lam=between(g, 2, 3))),
    ],
    "min_norm_interpolator": [
        Case(lambda g: problem(g, conditioned(g, 5, 11), 3)),
        Case(lambda g: problem(g, conditioned(g, 12, 4), 1)),
        Case(lambda g: problem(g, copies(g, 6, 5))),
        Case(lambda g: problem(g, copies(g, 6, 4).T, 2)),
        Case(lambda g: problem(g, F.pad(conditioned(g, 4, 4), (1, 0, 0, 1)))),
        Case(lambda g: problem(g, conditioned(g, 1, 6))),
        Case(lambda g: problem(g, conditioned(g, 8, 1))),
        Case(lambda g: problem(g, 1000 * conditioned(g, 3, 8))),
        Case(lambda g: problem(g, conditioned(g, 9, 4, dtype=F32), 2)),
        Case(dead_feature, probe=solvable("a problem with a feature that is always 0")),
    ],
}
