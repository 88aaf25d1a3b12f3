"""Hidden cases of chapter 12: other shapes, networks, optimizers, scales and curves."""

import math

import torch
from torch import nn

from autograder.checks.ch06_scale_invariance import backwards, between, normal
from autograder.checks.ch10_one_cycle import (
    adam_in_use, batch_norm_network, frozen_network, network_in_evaluation)
from autograder.checks.ch12_debugging import (
    F32, F64, Gain, activations, backed, batch, decay, draws, falls_and_rises, form, good, labels, part_of_the_gradients,
    partly_frozen, pixels, quick_network, run_of, snapshots, with_gradients)
from autograder.checks.ch12_repairs import (
    Attention, Block, Ear, adam_new, all_training, around_batch_norm, certain_classifier, classifier, course, darker_mirror,
    epoch_origin, everything_stale, exam, examples, fresh_one_group, frozen_batch_norm, heavy_ball, lesson, misleading_names,
    one_to_the_left, order, overflowing_network, pictures, plain_sgd, plan, resting_classifier, settled, tour, trial,
    unit_network)
from autograder.checks.exercise import Case


def given(**inputs):
    return Case(lambda g: dict(inputs))


def data(x, y, num_classes):
    return dict(x=x, y=y, num_classes=num_classes)


def nan_in_the_last_image(g):
    x = pixels(g, 7, 1, 4, 3, dtype=F64)
    x[-1, 0, -1, -1] = math.nan
    return data(x, labels(g, 7, 5, dtype=torch.uint8), 5)


def last_label_far_below(g):
    y = labels(g, 8, 3)
    y[-1] = -100
    return data(pixels(g, 8, 2), y, 3)


def labels_in_half(g):
    return data(torch.randint(9, (6, 2), generator=g), labels(g, 8, 3, dtype=torch.float16), 3)


def overflowing_half(g):
    return data(pixels(g, 6, 2).half() + torch.tensor([0.0, 1e6]).half(), labels(g, 6, 2), 2)


def one_example(g):
    return data(pixels(g, 1, 3), torch.tensor([1]), 2)


def one_class(g):
    return data(pixels(g, 4, 3), torch.tensor([0, 1, 0, 0]), 1)


def deep_network():
    return nn.Sequential(nn.Linear(4, 6), nn.GroupNorm(2, 6), nn.ELU(), nn.Sequential(nn.Linear(6, 6), nn.Tanh()), nn.Linear(6, 3))


def large_gradients(network, dtype, seed):
    spread = with_gradients(network, dtype, seed)
    for k, p in enumerate(spread.parameters()):
        p.grad *= 10.0 ** (3 * k - 4)
    return spread


def no_gradients(network, dtype, seed):
    return network().to(dtype)


def one_shape(g, *shape, **options):
    return snapshots(g, {"only": shape}, **options)


def long_way(g):
    """Tiny parameters that move far, and large ones that hardly move."""
    inputs = snapshots(g, {"a.weight": (3, 5), "b.gain": (1,), "c": (2, 2, 2)}, step=40.0)
    inputs["before"]["c"] = 1e6 * inputs["before"]["c"]
    inputs["after"]["c"] = inputs["before"]["c"] + 1e-3
    return inputs


def not_contiguous(g):
    inputs = snapshots(g, {"w": (4, 3)})
    return {key: {name: t.T for name, t in table.items()} for key, table in inputs.items()}


def nothing_dead(g):
    return dict(acts=0.1 + normal(g, 6, 4).abs())


def all_dead(g):
    return dict(acts=torch.zeros(3, 5))


def one_image(g):
    return dict(acts=activations(g, 1, 7, 4, 4, dead=3))


def dead_in_deep_maps(g):
    return dict(acts=activations(g, 3, 5, 2, 2, 2, dead=2, slope=0.2))


def alive_by_a_little(g):
    acts = activations(g, 6, 8, dead=3, dtype=F32)
    return dict(acts=torch.where(acts > 0, 1e-30, acts))


def many_classes_healthy(g):
    return run_of(g, 20000, *good(g, 10))


def two_classes_bad_start(g):
    return run_of(g, 2, *good(g, 40, start=between(g, 8, 20)))


def late_divergence(g):
    train, val = good(g, 30)
    tail = [between(g, 2.3, 3.0) for _ in range(4)]
    return run_of(g, 5, train[:-4] + tail, val[:-4] + tail)


def only_the_last_is_nan(g):
    train, val = good(g, 12)
    return run_of(g, 10, train[:-1] + [math.nan], val[:-1] + [math.nan])


def dies_late(g):
    train = decay(g, 1.0, between(g, 0.82, 0.88), 8, 24)
    return run_of(g, 10, train, train, [0.2] * 15 + [between(g, 1e-10, 5e-7) for _ in range(9)])


def one_spike_early(g):
    train, val = good(g, 16)
    train[3] = train[2] + between(g, 0.45, 0.6)
    return run_of(g, 100, train, val)


def apart_with_two_classes(g):
    train = decay(g, 1.0, between(g, 0.1, 0.3), 9, 21)
    return run_of(g, 2, train, [1.0 + 0.01 * e * between(g, 0.5, 1) for e in range(21)])


def overfits_early(g):
    least = between(g, 0.1, 0.15)
    return run_of(g, 3, decay(g, 1.0, between(g, 0.0001, 0.001), 20, 40), falls_and_rises(g, 40, least, least + between(g, 0.16, 0.19)))


def slow_and_long(g):
    fall = between(g, 0.2, 0.3)
    train = [1.0 - fall * (e / 49) ** 0.9 for e in range(50)]
    return run_of(g, 10, train, [loss * 0.98 for loss in train])


def still_far_at_ten(g):
    train = [1.0 - between(g, 0.045, 0.046) * e for e in range(10)]
    return run_of(g, 100, train, [1.01 * loss - 0.05 * (k > 6) for k, loss in enumerate(train)])


def flat_near_the_border(g):
    train = decay(g, 1.2, between(g, 0.36, 0.38), 16, 35)
    return run_of(g, 10, train, [1.3 * loss for loss in train])


def bad_start_soon_forgotten(g):
    train, val = good(g, 14)
    return run_of(g, 10, [between(g, 2.1, 2.5), *train], [2.3, *val])


def flat_after_a_slow_fall(g):
    train = decay(g, 1.0, between(g, 0.52, 0.58), 5, 40)
    return run_of(g, 10, train, [1.03 * loss for loss in train])


def slow_and_slowing(g):
    train = decay(g, 1.0, 0.45 + between(g, 0.08, 0.12), 1.9, 30)
    train = train[:-1] + [train[-2] - 0.001]
    return run_of(g, 10, train, [1.03 * loss for loss in train])


def diverges_in_the_end(g):
    train, val = good(g, 20)
    return run_of(g, 4, train[:-1] + [between(g, 2.5, 9)], val[:-1] + [3.0])


def dies_in_the_end(g):
    train = decay(g, 1.0, between(g, 0.83, 0.86), 15, 15)
    return run_of(g, 10, train, train, [0.2] * 14 + [between(g, 1e-9, 1e-7)])


def bump_before_the_end(g):
    train, val = good(g, 18)
    return run_of(g, 10, train, val[:-2] + [val[-2] + between(g, 0.25, 0.4), val[-1]])


def healthy_in_ten(g):
    return run_of(g, 10, *good(g, 10, start=1.25, end=between(g, 0.15, 0.18)))


def three_channels():
    return nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Conv1d(2, 4, 2), nn.Flatten(), nn.LeakyReLU(0.2), nn.Linear(4, 3))


def nested_modes():
    """Every second module rests, on three levels."""
    inner = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.3), nn.Sequential(nn.BatchNorm1d(8), nn.Dropout(0.4)))
    model = settled(nn.Sequential(nn.Linear(4, 8), Ear(), inner, nn.Linear(8, 3)))
    for k, module in enumerate(model.modules()):
        module.training = k % 2 == 0
    return model


def far_from_zero(g):
    return dict(x=1e3 + normal(g, 7, 2), eps=0.5)


def constant_column(g):
    x = normal(g, 4, 3)
    x[:, 1] = 2.0
    return dict(x=x, eps=0.1)


def recurrent_model():
    return nn.ModuleDict({"bias": nn.Linear(3, 2), "gru": nn.GRU(2, 3), "out": nn.Sequential(nn.BatchNorm2d(3), nn.Linear(3, 1, bias=False))})


def weights_alone():
    return nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2, bias=False))


def normalisers_alone():
    return nn.Sequential(nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.Linear(4, 4, bias=False), Block())


def upside_down(images):
    return 2.0 - images.flip(-2)


HIDDEN = {
    "expected_initial_loss": [given(num_classes=[1, 7, 50257])],
    "check_data": [Case(case) for case in (
        nan_in_the_last_image, last_label_far_below, labels_in_half, overflowing_half, one_example, one_class)],
    "overfit_one_batch": [
        Case(lambda g: batch(g, deep_network, 9, 12)), Case(lambda g: batch(g, three_channels, 4, 6, dtype=F32)),
        Case(lambda g: batch(g, quick_network, 3, 0)), Case(lambda g: batch(g, network_in_evaluation, 6, 4)),
    ],
    "gradient_norms": [
        Case(lambda g: backed(g, deep_network, start=large_gradients)), Case(lambda g: backed(g, quick_network, start=no_gradients)),
        Case(lambda g: backed(g, Attention, dtype=F32)), Case(lambda g: backed(g, Gain, dtype=F32, start=part_of_the_gradients)),
    ],
    "update_ratios": [
        Case(long_way), Case(not_contiguous), Case(lambda g: one_shape(g, 1)), Case(lambda g: one_shape(g, 7, 1, 2, dtype=F32)),
        Case(lambda g: dict(before={}, after={})),
    ],
    "dead_fraction": [Case(case) for case in (nothing_dead, all_dead, one_image, dead_in_deep_maps, alive_by_a_little)] + [
        Case(lambda g: dict(acts=backwards(g, 5, 6, 3) - 1.5))],
    "log_uniform": [
        Case(lambda g: draws(g, 1e-8, 1e-7, 4000)), Case(lambda g: draws(g, between(g, 2, 3), 5e6, 4000)),
        Case(lambda g: draws(g, 0.5, 2, 1), probe=form), Case(lambda g: draws(g, 1e-3, 1, 0), probe=form),
    ],
    "diagnose": [Case(case) for case in (
        many_classes_healthy, two_classes_bad_start, late_divergence, only_the_last_is_nan, dies_late, one_spike_early,
        apart_with_two_classes, overfits_early, slow_and_long, still_far_at_ten, flat_near_the_border, bad_start_soon_forgotten,
        flat_after_a_slow_fall, slow_and_slowing, diverges_in_the_end, dies_in_the_end, bump_before_the_end, healthy_in_ten)],
    "repair_01": [
        Case(lambda g: lesson(g, frozen_network, adam_in_use, 6, 5, 4)), Case(lambda g: lesson(g, three_channels, everything_stale(heavy_ball), 3)),
        Case(lambda g: lesson(g, deep_network, everything_stale(adam_new), 2, 7, 2, 7)), Case(lambda g: lesson(g, quick_network, plain_sgd)),
    ],
    "repair_02": [
        Case(lambda g: exam(g, certain_classifier, 9, dtype=F64)), Case(lambda g: exam(g, classifier, 1, dtype=F32)),
        Case(lambda g: exam(g, resting_classifier, 12, dtype=F64)),
    ],
    "repair_03": [
        Case(lambda g: examples(g, 7, 7)), Case(lambda g: examples(g, 6, 10)), Case(lambda g: examples(g, 5, 1)),
        Case(lambda g: examples(g, 33, 16), probe=epoch_origin),
    ],
    "repair_04": [
        Case(lambda g: trial(g, nested_modes, 45)), Case(lambda g: trial(g, frozen_batch_norm, 1)), Case(lambda g: trial(g, all_training, 1)),
    ],
    "repair_05": [
        Case(far_from_zero), Case(constant_column), Case(lambda g: dict(x=normal(g, 2, 5), eps=0.1)), Case(lambda g: dict(x=backwards(g, 9, 1))),
        Case(lambda g: dict(x=normal(g, 12, 4, dtype=F32))),
    ],
    "repair_06": [
        Case(lambda g: course(g, batch_norm_network, fresh_one_group, (6, 4), 5, 0.2, 0.4)),
        Case(lambda g: course(g, deep_network, everything_stale(adam_new), (4, 4, 4, 2), 2, 0.02, 0.05)),
        Case(lambda g: course(g, three_channels, everything_stale(fresh_one_group), (5,), 10, 0.1, 0.3)),
    ],
    "repair_07": [
        Case(lambda g: tour(g, everything_stale(adam_new), 3e38, between(g, 0.5, 0.6), 2, dtype=F32, network=overflowing_network)),
        Case(lambda g: tour(g, heavy_ball, 12.0, between(g, 0.3, 0.5), 4, network=batch_norm_network)),
        Case(lambda g: tour(g, everything_stale(plain_sgd), 65536.0, between(g, 30, 40), 1, interval=1)),
        Case(lambda g: tour(g, plain_sgd, 700.0, between(g, 0.2, 0.3), 3, network=partly_frozen)),
        Case(lambda g: tour(g, plain_sgd, 1.0, between(g, 0.2, 0.3), 2, network=unit_network)),
    ],
    "repair_08": [Case(lambda g, network=network: plan(g, network)) for network in (
        recurrent_model, weights_alone, normalisers_alone, around_batch_norm, misleading_names)],
    "repair_09": [
        Case(lambda g: pictures(g, upside_down, (2, 5, 3), (1, 5, 3))), Case(lambda g: pictures(g, darker_mirror, (1, 2, 2), (6, 2, 2), dtype=F32)),
        Case(lambda g: pictures(g, one_to_the_left, (5, 1, 6), (2, 1, 6))),
    ],
    "repair_10": [Case(lambda g, sizes=sizes: order(g, *sizes)) for sizes in ((1, 32), (8192, 256), (64, 64), (100, 96))],
}
