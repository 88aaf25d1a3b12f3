"""Hidden cases of chapter 10: other lengths and shares, ends where PyTorch's phases overlap, other networks and optimizers."""

import functools
import math

import torch
from torch import nn

from autograder.checks.ch10_one_cycle import (
    adam_in_use, aftermath, batch_norm_network, between, bump, curve, dropout_network, each_step, even, fresh_adam,
    frozen_network, heights, momentum_in_use, number, of_a_tensor, place_in_lists, range_of_momentum, recipe, recorded,
    to_the_end, two_groups, used, warm_up, whole)
from autograder.checks.exercise import Case


def half_steps(fn, inputs):
    """Every half step from 0 to total_steps."""
    steps = torch.arange(2 * inputs["total_steps"] + 1, dtype=torch.float64) / 2
    return {"lr": torch.tensor([number(fn(step=s, **inputs)) for s in steps.tolist()], dtype=torch.float64)}


def with_last(probe=each_step, **inputs):
    return Case(lambda g: dict(inputs), probe=functools.partial(probe, last=1))


def drawn(*pieces, probe=None, **fixed):
    """A case whose inputs are drawn by several functions of the generator."""
    def inputs(g):
        drawn_too = {name: value for piece in pieces for name, value in piece(g).items()}
        return {name: value(g) if callable(value) else value for name, value in fixed.items()} | drawn_too

    return Case(inputs, probe)


def at_each_step(**inputs):
    return Case(lambda g: dict(inputs), probe=each_step)


def peak_rate(g):
    return dict(max_lr=between(g, 0.01, 0.1))


def share(steps, low, high):
    return lambda g: dict(pct_start=warm_up(g, steps, low, high))


def overlapping(g):
    """Up and back take longer than the whole: the third phase never comes."""
    return dict(pct_start=between(g, 0.7, 0.75))


def ends_in_one_inf(g):
    inputs = curve(g, even(24, -10.0, 1.0), bump(24, whole(g, 6, 8)), rise=3 * bump(24, 20))
    inputs["losses"][-1] = math.inf
    return inputs


def inf_then_nan(g):
    inputs = curve(g, even(30, -12.0, 2.0), bump(30, whole(g, 12, 14)), rise=5 * bump(30, 22))
    inputs["losses"][-5:-2], inputs["losses"][-2:] = math.inf, math.nan
    return inputs


def steep_at_the_end(g):
    """The loss still falls faster and faster when the test ends."""
    return curve(g, even(12, -9.0, -1.0), bump(12, 11.0, 2.0))


def closer_at_the_start(g):
    logs = torch.cat([torch.linspace(-9, -7, 12, dtype=torch.float64), torch.linspace(-6, 1, 9, dtype=torch.float64)])
    return curve(g, logs, bump(21, whole(g, 5, 7)) + 0.5 * bump(21, 14), rise=0.3 * bump(21, 18, 1))


def two_rates(g):
    return dict(lrs=torch.tensor([0.1, 1.0], dtype=torch.float64), losses=torch.tensor([3.0, 2.0], dtype=torch.float64))


class Counting(nn.Module):
    """Counts its calls in a buffer that `state_dict` leaves out."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.calls += 1
        return x


def counting_network():
    return nn.Sequential(nn.Linear(4, 5), Counting(), nn.Tanh(), nn.Linear(5, 3, bias=False))


def convolution_network():
    """Layer and group norms have no buffers; one module is held in evaluation mode."""
    model = nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 4, 2), nn.GroupNorm(2, 4), nn.LeakyReLU(0.1), nn.Flatten(),
                          nn.BatchNorm1d(12), nn.Linear(12, 3))
    model[5].eval()
    return model


def rmsprop_in_use(model):
    return used(model, torch.optim.RMSprop(two_groups(model), lr=0.01, momentum=0.5, centered=True))


def adamw_in_use(model):
    return used(model, torch.optim.AdamW(two_groups(model), lr=0.01, weight_decay=0.3, amsgrad=True))


def plain_sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.5)


HIDDEN = {
    "cosine": [
        Case(lambda g: dict(total_steps=7, lr_max=between(g, 0.4, 0.9), lr_min=between(g, 0.1, 0.2)), probe=half_steps),
        Case(lambda g: dict(total_steps=60, lr_max=between(g, 1e-3, 2e-3), lr_min=between(g, 1e-5, 2e-5)), probe=to_the_end),
        Case(lambda g: dict(total_steps=9, lr_max=between(g, 0.1, 0.2), lr_min=between(g, 0.6, 0.9))),
        with_last(total_steps=1, lr_max=2, lr_min=1),
        with_last(total_steps=4, lr_max=0.5, lr_min=0.5),
    ],
    "one_cycle": [
        at_each_step(total_steps=10, max_lr=25, div_factor=25, final_div_factor=2),
        at_each_step(total_steps=10, max_lr=25.0, pct_start=0.4, div_factor=25.0, final_div_factor=4.0, three_phase=True),
        at_each_step(total_steps=1, max_lr=0.3),
        at_each_step(total_steps=2, max_lr=0.3, three_phase=True),
        at_each_step(total_steps=8, max_lr=0.7, pct_start=0.0),
        at_each_step(total_steps=8, max_lr=0.7, pct_start=1.0),
        drawn(peak_rate, share(100, 30, 60), heights, total_steps=100),
        drawn(peak_rate, share(50, 8, 20), heights, total_steps=50, three_phase=True),
        drawn(peak_rate, overlapping, heights, total_steps=15, three_phase=True),
        drawn(peak_rate, overlapping, heights, total_steps=15),
        drawn(peak_rate, share(12, 0, 1), heights, total_steps=12, three_phase=True),
    ],
    "one_cycle_momentum": [
        at_each_step(total_steps=10, base=1, peak=22),
        at_each_step(total_steps=10, base=1.0, peak=22.0, pct_start=0.4, three_phase=True),
        at_each_step(total_steps=1),
        at_each_step(total_steps=2, three_phase=True),
        at_each_step(total_steps=8, pct_start=0.0),
        at_each_step(total_steps=8, pct_start=1.0),
        drawn(share(100, 30, 60), range_of_momentum, total_steps=100),
        drawn(share(50, 8, 20), range_of_momentum, total_steps=50, three_phase=True),
        drawn(overlapping, range_of_momentum, total_steps=15, three_phase=True),
        drawn(share(12, 0, 1), range_of_momentum, total_steps=12, three_phase=True),
    ],
    "range_test_lrs": [
        Case(lambda g: dict(lr_min=between(g, 1e-4, 2e-4), lr_max=between(g, 0.5, 0.7), n=2)),
        Case(lambda g: dict(lr_min=between(g, 1e-7, 2e-7), lr_max=between(g, 10, 20), n=100)),
        Case(lambda g: dict(lr_min=1, lr_max=between(g, 1.5, 1.6), n=3)),
        Case(lambda g: dict(lr_min=between(g, 2, 3), lr_max=between(g, 30, 40), n=8)),
    ],
    "smooth_losses": [
        Case(lambda g: dict(losses=recorded(g, 9), beta=0.0)),
        Case(lambda g: dict(losses=recorded(g, 1), beta=0.9)),
        Case(lambda g: dict(losses=recorded(g, 90), beta=between(g, 0.97, 0.99)), probe=of_a_tensor),
        Case(lambda g: dict(losses=[-loss for loss in recorded(g, 8)], beta=0.5)),
        Case(lambda g: dict(losses=[2, 1, 4, 3], beta=between(g, 0.3, 0.7))),
    ],
    "suggest_lr": [
        Case(ends_in_one_inf),
        Case(inf_then_nan, probe=place_in_lists),
        Case(steep_at_the_end),
        Case(closer_at_the_start, probe=place_in_lists),
        Case(two_rates),
        Case(lambda g: curve(g, even(90, -16.0, 3.0), bump(90, whole(g, 30, 40), 4.0), rise=2 * bump(90, 80, 4.0))),
    ],
    "range_test": [
        Case(lambda g: recipe(g, counting_network, rmsprop_in_use, 0.001, 0.1, 4)),
        Case(lambda g: recipe(g, convolution_network, adamw_in_use, 0.001, 0.1, 5) | dict(lrs="a list")),
        Case(lambda g: recipe(g, batch_norm_network, plain_sgd, 0.01, 1.0, 4)),
        Case(lambda g: recipe(g, frozen_network, momentum_in_use, 0.01, 0.5, 1)),
        Case(lambda g: recipe(g, dropout_network, adam_in_use, 0.001, 0.1, 3), probe=aftermath),
        Case(lambda g: recipe(g, batch_norm_network, fresh_adam, 0.001, 0.1, 3)),
        Case(lambda g: recipe(g, batch_norm_network, momentum_in_use, 1e10, 1e300, 4), probe=aftermath),  # the weights overflow
    ],
}
