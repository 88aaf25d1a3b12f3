"""Hidden cases of chapter 03: other shapes, precisions, states and edges of what the docstrings promise."""

import sympy as sp
import torch

from autograder.checks.ch03_adaptive_gradients import (
    EPS, adam_state, gradients, normal, positive, start, steps_in_turn, strided, tensors)
from autograder.checks.exercise import Case

F64, F32 = torch.float64, torch.float32
STATE = {"rmsprop_step": ("s",), "adagrad_step": ("f",), "adam_step": ("m", "s")}


def optimizing(exercise, *shape, steps=(), dtype=F64, size=EPS**0.5, empty=False, probe=None, **options):
    """A case of an optimizer's step, from an empty state or from a later one."""

    def inputs(g):
        state = adam_state(g, *shape, dtype=dtype, size=size)
        held = {n: torch.zeros_like(state["s"]) if empty else state["m" if n == "m" else "s"] for n in STATE[exercise]}
        return dict(**start(g, *shape, steps=steps, dtype=dtype, size=size), **held, **options)

    return Case(inputs, probe)


def no_gradient(exercise, **options):
    """Entries that have never had a gradient."""

    def inputs(g):
        held = {name: torch.zeros(4, dtype=F64) for name in STATE[exercise]}
        return dict(w=normal(g, 4), g=normal(g, 4) * torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=F64), **held, **options)

    return Case(inputs)


def strided_step(exercise, **options):
    def inputs(g):
        state = {name: value.T for name, value in adam_state(g, 5, 2).items()}
        return dict(**strided(g, 2, 5), **{n: state["m" if n == "m" else "s"] for n in STATE[exercise]}, **options)

    return Case(inputs)


def common(exercise, *, first, later, defaults):
    """What every optimizer must stand. The three are the options of a first step, a later one, and by default."""
    return [
        optimizing(exercise, 4, 3, **later),
        optimizing(exercise, 1, empty=True, **first),
        optimizing(exercise, **later),
        optimizing(exercise, 2, 3, 2, 2, **later),
        optimizing(exercise, 3, steps=[6], empty=True, probe=steps_in_turn, **first),
        optimizing(exercise, 2, 2, steps=[3], probe=steps_in_turn, **later),
        optimizing(exercise, 7, size=1e3, **later),
        optimizing(exercise, 4, dtype=F32, steps=[3], empty=True, probe=steps_in_turn, **first),
        optimizing(exercise, 2, 3, **defaults),
        optimizing(exercise, 5, **later | {"eps": 0.0}),
        no_gradient(exercise, **first),
        strided_step(exercise, **later),
    ]


def fisher(examples, parameters, dtype=F64, **options):
    return Case(lambda g: dict(grads=gradients(g, examples, parameters, dtype=dtype), **options))


def strided_fisher(**options):
    """Every second column of a wider matrix."""
    return Case(lambda g: dict(grads=gradients(g, 5, 6)[:, ::2], **options))


def linear_model(examples, classes, size, dtype=F64, spread=1.0):
    return Case(lambda g: dict(logits=spread * normal(g, examples, classes, dtype=dtype),
                               features=0.5 + normal(g, examples, size, dtype=dtype)))


def strided_model(g):
    return dict(logits=normal(g, 3, 5).T, features=normal(g, 5, 4)[:, 1::2])


def grafting(*shapes, dtype=F64, size=1.0):
    return Case(lambda g: dict(direction=tensors(g, *shapes, dtype=dtype, size=size),
                               magnitude=tensors(g, *shapes, dtype=dtype)))


def nothing_but_zeros(g):
    """A zero direction, and a zero magnitude beside it."""
    first, second = tensors(g, (3, 2), (4,))
    zero = torch.zeros(3, 2, dtype=F64)
    return dict(direction=[zero, second, zero], magnitude=[first, 0 * second, zero])


def strided_tensors(g):
    first, second = tensors(g, (4, 6), (3, 2))
    return dict(direction=[first[:, ::2], second.T], magnitude=tensors(g, (4, 3), (2, 3)))


def two_precisions(g):
    return dict(direction=tensors(g, (2, 2), dtype=F32) + tensors(g, (5,)),
                magnitude=tensors(g, (2, 2), dtype=F32) + tensors(g, (5,)))


def point(**numbers):
    """A further exact point of a derivation, in the order of its arguments."""
    exact = {name: sp.Rational(value) for name, value in numbers.items()}
    return Case(lambda g: dict(exact))


HIDDEN = {
    "rmsprop_step": [
        *common("rmsprop_step", first=dict(lr=0.1, beta=0.5, eps=0.05), later=dict(lr=0.4, beta=0.95, eps=0.01),
                defaults=dict(lr=0.01, size=1e-4)),
        optimizing("rmsprop_step", 3, lr=0.1, beta=0.0, eps=EPS),
    ],
    "adagrad_step": common("adagrad_step", first=dict(lr=0.1, eps=0.05), later=dict(lr=0.4, eps=0.01),
                           defaults=dict(lr=0.01, size=1e-4)),
    "adam_step": [
        *common("adam_step", first=dict(k=1, lr=0.1, beta1=0.5, beta2=0.7, eps=0.05),
                later=dict(k=12, lr=0.4, beta1=0.9, beta2=0.98, eps=0.01), defaults=dict(k=2, lr=0.01, size=1e-8)),
        optimizing("adam_step", 3, k=1000, lr=0.1, eps=EPS),
        optimizing("adam_step", 3, k=2, lr=0.1, beta1=0.0, beta2=0.0, eps=EPS),
        optimizing("adam_step", 3, k=3, lr=0.2, beta1=0.95, beta2=0.9, eps=EPS),
    ],
    "adagrad_rate": [point(lr="2/7", g=5, k=2), point(lr=4, g="3/8", k=30), point(lr="1/100", g=1, k=9)],
    "bias_correction": [point(beta="1/3", k=4), point(beta="99/100", k=1), point(beta="7/8", k=20)],
    "empirical_fisher": [fisher(2, 2), fisher(9, 2), fisher(3, 5), fisher(16, 4, dtype=F32),
                         strided_fisher(),
                         Case(lambda g: dict(grads=5 + normal(g, 6, 2) * positive(g, 2)))],
    "batch_empirical_fisher": [fisher(4, 4, batch_size=2), fisher(5, 3, batch_size=5), fisher(7, 1, batch_size=2),
                               fisher(2, 3, batch_size=100), fisher(6, 2, batch_size=1),
                               fisher(4, 3, dtype=F32, batch_size=3), strided_fisher(batch_size=3)],
    "softmax_fisher": [linear_model(4, 2, 3), linear_model(1, 3, 1), linear_model(3, 1, 2), linear_model(7, 5, 2),
                       linear_model(4, 3, 2, spread=6.0), linear_model(2, 2, 4, dtype=F32), Case(strided_model)],
    "graft": [grafting((1,)), grafting((6, 2), (2, 1, 3), (2,), (3, 2, 2, 2, 2)), grafting((), (3, 3)),
              grafting((5, 4), (4,), size=1e-5), grafting((3, 2), (2,), dtype=F32, size=1e3),
              Case(nothing_but_zeros), Case(strided_tensors), Case(two_precisions)],
}
