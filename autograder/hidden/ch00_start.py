"""Hidden cases of chapter 00: other shapes, sizes, steps and dtypes."""

import torch

from autograder.checks.ch00_start import backwards, batch, between, curved, finite, layer, named, normal, with_zeros
from autograder.checks.exercise import Case

F64, F32 = torch.float64, torch.float32


def gradients_of_both_signs(g):
    """Large entries, gradients that vanish, and an x of one sign."""
    return dict(grad_out=with_zeros(100 * normal(g, 3, 4)), x=10 * normal(g, 3, 4).abs())


def zero_dimensional(g):
    return dict(f=named("a cube", lambda z: z**3 + z.sin()), x=normal(g), h=0.3)


def float_of_a_matrix(g):
    f = curved(g, 3, 2)
    return dict(f=named("a function that returns a float", lambda z: f(z).item(), smooth=f), x=backwards(g, 3, 2), h=0.15)


def last_entry(g):
    return dict(f=named("the last entry of x", lambda z: z[-1]), x=normal(g, 3), h=between(g, 0.1, 0.2))


def by_method_of_small_steps(g):
    return dict(f=named("a curved function", curved(g, 4)), x=normal(g, 4), h=1e-4)


def one_label_for_all(g):
    inputs = batch(g, 6, 3)
    return inputs | dict(labels=torch.full((6,), 2))


def far_apart_in_a_row(g):
    """Each row holds a logit near 10000, one near -10000 and some near 0."""
    inputs = batch(g, 5, 6)
    shift = torch.tensor([1e4, -1e4, 0, 0, 1e4, 0], dtype=F64)
    return inputs | dict(logits=inputs["logits"] + shift)


def far_below(g):
    inputs = batch(g, 3, 4)
    return inputs | dict(logits=inputs["logits"] - 1e4)


HIDDEN = {
    "vjp_linear": [
        Case(lambda g: layer(g, 1, 5, 3)),
        Case(lambda g: layer(g, 4, 1, 1)),
        Case(lambda g: layer(g, 7, 7, 2)),
        Case(lambda g: layer(g, 3, 5, 3, draw=backwards)),
        Case(lambda g: layer(g, 12, 30, 20, dtype=F32)),
    ],
    "vjp_relu": [
        Case(gradients_of_both_signs),
        Case(lambda g: dict(grad_out=normal(g), x=normal(g))),
        Case(lambda g: dict(grad_out=normal(g, 2, 3, 4, 2), x=with_zeros(normal(g, 2, 3, 4, 2)))),
        Case(lambda g: dict(grad_out=backwards(g, 5, 3, dtype=F32), x=1e-3 * normal(g, 5, 3, dtype=F32))),
        Case(lambda g: dict(grad_out=normal(g, 6), x=torch.zeros(6, dtype=F64))),
    ],
    "numerical_gradient": [
        Case(zero_dimensional),
        Case(float_of_a_matrix),
        Case(last_entry),
        Case(by_method_of_small_steps),
        Case(lambda g: dict(f=named("a curved function", curved(g, 1, 3, 1, 2)), x=normal(g, 1, 3, 1, 2), h=1)),
        Case(lambda g: dict(f=named("a slower wave", lambda z: torch.cos(1e4 * z).sum()), x=normal(g, 2, 2))),
    ],
    "softmax_cross_entropy_backward": [
        Case(one_label_for_all),
        Case(lambda g: batch(g, 1, 5)),
        Case(lambda g: batch(g, 3, 1)),
        Case(lambda g: batch(g, 8, 2, scale=20.0)),
        Case(lambda g: batch(g, 16, 10, dtype=F32)),
        Case(far_apart_in_a_row, probe=finite("gradient at rows of logits near ±10000")),
        Case(far_below, probe=finite("gradient at logits near 10000")),
    ],
}
