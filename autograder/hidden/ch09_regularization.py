"""Hidden cases of chapter 09: other shapes, probabilities, curves, labels and shifts."""

import torch
import torch.nn.functional as F

from autograder.checks.ch06_scale_invariance import backwards, named
from autograder.checks.ch09_regularization import (
    album, batch_of_labels, between, curves, draws, normal, of_each_curve, one_unit, pairs, signals, soft_problem,
    through_loss, through_y, twice, uniform, upstream_and_mask)
from autograder.checks.exercise import Case, call

F64, F32 = torch.float64, torch.float32


def strided_activations(g):
    """Channels last in memory, the draws too."""
    inputs = signals(g, 3, 2, 4, 5, p=between(g, 0.75, 0.85))
    return inputs | {n: inputs[n].movedim(1, -1).contiguous().movedim(-1, 1) for n in ("x", "uniform")}


def threshold_hit_often(g):
    drawn = torch.randint(4, (30,), generator=g) / 4
    return dict(x=normal(g, 30, dtype=F32), p=0.75, uniform=drawn, training=True)


def nothing_dropped(g):
    return signals(g, 4, 4, p=0.0) | dict(uniform=torch.zeros(4, 4, dtype=F64))


def everything_at_stake(g, kind):
    """A mask without a single one, as happens with few units."""
    return dict(grad_out=normal(g, 2, 3), mask=torch.zeros(2, 3).to(kind), p=between(g, 0.8, 0.9))


def strided_mask(g):
    inputs = upstream_and_mask(g, 7, 4, p=between(g, 0.35, 0.45), kind=F64)
    return inputs | dict(mask=inputs["mask"].T.contiguous().T)


def shifted_softplus(z):
    return F.softplus(z - 1)


def unit(*args, **options):
    return Case(lambda g: one_unit(g, args[0], between(g, *args[1]), **options))


def listed(losses, patience, **options):
    return Case(lambda g: dict(val_losses=list(losses), patience=patience, **options))


def hard_targets(g):
    return dict(logits=normal(g, 6, 9), targets=F.one_hot(torch.randint(9, (6,), generator=g), 9).to(F64))


def far_apart(g):
    """The right class is the least likely one by far."""
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 9e3]], dtype=F64)
    return dict(logits=logits, targets=torch.tensor([[0.1, 0.7, 0.2], [0.25, 0.25, 0.5]], dtype=F64))


def float32_far_apart(g):
    return {name: value.float() for name, value in far_apart(g).items()}


def same_order(g):
    return pairs(g, 5, 3, 2, lam=between(g, 0.3, 0.4)) | dict(perm=torch.arange(5))


def two_swapped(g):
    return pairs(g, 4, 3, 2, 5, lam=between(g, 0.55, 0.6)) | dict(perm=torch.tensor([0, 3, 2, 1]))


def turned_pictures(g):
    inputs = pairs(g, 5, 6, 2, 3, 4, lam=between(g, 0.8, 0.9), dtype=F32)
    return inputs | dict(x=backwards(g, 5, 2, 3, 4, dtype=F32), targets=backwards(g, 5, 6, dtype=F32))


def turned_album(g):
    inputs = album(g, 900, 4, 6, max_shift=1, dtype=F64)
    return inputs | dict(images=inputs["images"].transpose(1, 2).contiguous().transpose(1, 2))


HIDDEN = {
    "dropout": [
        Case(strided_activations),
        Case(threshold_hit_often),
        Case(nothing_dropped),
        Case(lambda g: signals(g, 1, p=between(g, 0.1, 0.9))),
        Case(lambda g: signals(g, 3, 2, 2, 2, p=between(g, 0.6, 0.9), dtype=F32) | dict(training=False)),
        Case(lambda g: signals(g, 2, 3, 4, p=between(g, 0.1, 0.2), dtype=F32) | dict(training=True), probe=through_y),
        Case(lambda g: signals(g, 6, 6, p=between(g, 0.6, 0.7), dtype=F32), probe=twice),
    ],
    "dropout_backward": [
        Case(strided_mask),
        Case(lambda g: upstream_and_mask(g, 4, 5, p=0.0, kind=torch.bool)),
        Case(lambda g: everything_at_stake(g, torch.bool)),
        Case(lambda g: everything_at_stake(g, F64)),
        Case(lambda g: upstream_and_mask(g, 9, p=between(g, 0.85, 0.9), kind=torch.bool, dtype=F32)),
        Case(lambda g: upstream_and_mask(g, 2, 3, 1, 4, p=between(g, 0.3, 0.4))),
    ],
    "ensemble_mean": [
        unit(1, (0.2, 0.4)),
        unit(1, (0.6, 0.8), phi=torch.sigmoid),
        unit(2, (0.1, 0.2), phi=named("relu plus one", lambda z: torch.relu(z) + 1)),
        unit(8, (0.8, 0.9), phi=shifted_softplus),
        unit(10, (0.4, 0.45), phi=torch.tanh),
        unit(5, (0.3, 0.4), phi=torch.exp, dtype=F32),
        Case(lambda g: one_unit(g, 4, 0.0, torch.tanh)),
        Case(lambda g: one_unit(g, 4, 0.5, torch.cos)),
    ],
    "early_stopping": [
        listed([2.5], 1),
        listed([2.5], 4, min_delta=0.5),
        listed([0.5, 0.75], 1),
        listed([5.0, 4.0, 3.0, 2.0], 1),
        listed([1.0, 1.0, 1.0, 1.0, 0.5], 4),
        listed([1.0, 1.0, 1.0, 1.0, 0.5], 5),
        listed([-1.0, -1.25, -1.5, -1.0, -1.75, -1.5], 2, min_delta=0.25),
        Case(lambda g: curves(g, patience=2), probe=of_each_curve),
        Case(lambda g: curves(g, patience=1, min_delta=0.0625), probe=of_each_curve),
        Case(lambda g: curves(g, epochs=25, patience=5, min_delta=0.25), probe=of_each_curve),
    ],
    "smooth_labels": [
        Case(lambda g: batch_of_labels(g, 1, 10, between(g, 0.05, 0.15))),
        Case(lambda g: batch_of_labels(g, 5, 4, 1.0)),
        Case(lambda g: batch_of_labels(g, 40, 10, between(g, 0.4, 0.6))),
        Case(lambda g: batch_of_labels(g, 3, 100, between(g, 0.1, 0.3), present=1)),
        Case(lambda g: batch_of_labels(g, 3, 3, 0.5)),
    ],
    "soft_cross_entropy": [
        Case(hard_targets),
        Case(far_apart),
        Case(float32_far_apart),
        Case(lambda g: soft_problem(g, 1, 7)),
        Case(lambda g: soft_problem(g, 12, 2, F32)),
        Case(lambda g: soft_problem(g, 3, 8, F32), probe=through_loss),
        Case(far_apart, probe=through_loss),
    ],
    "mixup": [
        Case(same_order),
        Case(two_swapped),
        Case(turned_pictures),
        Case(lambda g: pairs(g, 7, 2, 4, lam=1.0)),
        Case(lambda g: pairs(g, 7, 2, 4, lam=0.0)),
        Case(lambda g: pairs(g, 3, 5, lam=between(g, 0.1, 0.2))),
        Case(lambda g: pairs(g, 1, 3, 2, lam=between(g, 0.4, 0.6), dtype=F32)),
    ],
    "random_shift": [
        Case(lambda g: album(g, 2500, 7, 9, max_shift=3)),
        Case(lambda g: album(g, 900, 1, 8, 5, max_shift=2)),
        Case(turned_album),
        Case(lambda g: album(g, 50, 2, 6, 7, max_shift=2, dtype=F64), probe=draws),
        Case(lambda g: album(g, 1, 3, 4, max_shift=0, dtype=F64), probe=call),
    ],
}
