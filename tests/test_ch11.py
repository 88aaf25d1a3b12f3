"""Chapter 11's own functions beside PyTorch: conversion over all kinds of bit patterns, the scale over ten thousand steps."""

import math

import numpy as np
import pytest
import torch

from autograder.audit import references

PATTERNS = 10_000_000  # drawn at random, beside those laid out below
STEPS = 10_000


@pytest.fixture(scope="module")
def reference():
    return references("11_mixed_precision")[0]


def random_patterns(chance, count):
    return chance.integers(0, 2**32, count, dtype=np.uint32)


def laid_out(chance):
    """Every upper half, so every sign, exponent and seven-bit fraction, with the lower halves at which rounding turns."""
    upper = np.arange(2**16, dtype=np.uint32)[:, None] << np.uint32(16)
    turns = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=np.uint32)
    return np.concatenate([(upper + turns).ravel(), (upper[:, 0] + chance.integers(0, 2**16, 2**16, dtype=np.uint32))])


def differences(rounded, patterns):
    """The patterns whose result has other bits than PyTorch's conversion; of a NaN only that it is one, in 16 bits."""
    x = torch.from_numpy(patterns.view(np.float32))
    got, want = rounded(x), x.to(torch.bfloat16).to(torch.float32)
    same = (got.view(torch.int32) == want.view(torch.int32)) | (got.isnan() & x.isnan())
    sixteen = got.view(torch.int32) % 2**16 == 0
    return patterns[~(same & sixteen).numpy()]


def kinds(patterns):
    """Which exponents are there, and how many subnormals, infinities and NaN."""
    exponent, fraction = (patterns >> np.uint32(23)) & np.uint32(0xFF), patterns & np.uint32(0x7FFFFF)
    full = exponent == 255
    return np.unique(exponent), int(((exponent == 0) & (fraction > 0)).sum()), int((full & (fraction == 0)).sum()), \
        int((full & (fraction > 0)).sum())


def test_ten_million_bit_patterns_round_as_pytorch_rounds_them(reference):
    chance = np.random.default_rng(11)
    planned = laid_out(chance)
    exponents, subnormals, infinities, nans = kinds(planned)
    assert len(exponents) == 256 and subnormals > 1000 and infinities == 2 and nans > 1000
    assert not len(differences(reference["round_to_bf16"], planned))
    for _ in range(10):
        assert not len(differences(reference["round_to_bf16"], random_patterns(chance, PATTERNS // 10)))


def test_the_patterns_tell_truncation_and_half_up_from_rounding(reference):
    """The control: cutting off differs in half of the finite patterns, half up in the ties alone."""
    planned = laid_out(np.random.default_rng(11))
    cut = differences(lambda x: (x.view(torch.int32) & -65536).view(torch.float32), planned)
    half_up = differences(lambda x: ((x.view(torch.int32) + 32768) & -65536).view(torch.float32), planned)
    assert len(cut) > 0.3 * len(planned) and 2**14 < len(half_up) < 0.2 * len(planned)


PUBLISHED = [(0.2691408770292272, 0.26953125), (3.14, 3.140625), (1.00390625, 1.0), (1.01171875, 1.015625)]


@pytest.mark.parametrize(("x", "want"), PUBLISHED, ids=str)
def test_published_values_come_out(reference, x, want):
    assert reference["round_to_bf16"](torch.tensor([x])).item() == want


def pytorchs_scaler(found, scale, **options):
    """(scale, good steps) after each step of a real GradScaler, whose gradient is infinite, NaN or finite."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, **options)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    scaler.scale(weight.sum())
    seen = []
    for k, bad in enumerate(found):
        weight.grad = torch.tensor([(math.inf, -math.inf, math.nan)[k % 3] if bad else 1.0])
        scaler.unscale_(optimizer)
        scaler.update()
        state = scaler.state_dict()
        seen.append((state["scale"], state["_growth_tracker"]))
    return seen


def ours(update, found, scale, growth_factor, backoff_factor, growth_interval):
    good_steps, seen = 0, []
    for bad in found:
        scale, good_steps = update(scale, good_steps, bool(bad), growth_factor, backoff_factor, growth_interval)
        seen.append((scale, good_steps))
    return seen


# (overflow rate, interval, growth): the scale wanders in the one, and runs into the end of float32 in the other.
WALKS = {"wanders": (0.205, 3, 2.0), "runs into the end of float32": (0.1, 5, 4.0)}


@pytest.mark.parametrize("walk", WALKS)
def test_the_scale_walks_with_gradscaler_over_ten_thousand_random_steps(reference, walk):
    rate, interval, growth = WALKS[walk]
    found = np.random.default_rng(11).random(STEPS) < rate
    options = dict(growth_factor=growth, backoff_factor=0.5, growth_interval=interval)
    pytorchs = pytorchs_scaler(found, 1024.0, **options)
    assert ours(reference["update_loss_scale"], found, 1024.0, **options) == pytorchs
    scales = [scale for scale, _ in pytorchs]
    assert len(pytorchs) == STEPS and min(scales) > 2.0**-126 and (max(scales) >= 2.0**126) == (walk != "wanders")


def test_the_trace_on_record_comes_out(reference):
    """Scale 8, interval 2, overflow on the fourth step: PyTorch, apex and two hand-made scalers agree on it."""
    found = [False, False, False, True, False, False]
    walk = ours(reference["update_loss_scale"], found, 8.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2)
    assert [scale for scale, _ in walk] == [8, 16, 16, 8, 8, 16]
