"""Chapter 10's own schedules beside PyTorch's, at every step of hundreds of random settings, and beside published values."""

import math
import random

import pytest
import torch

from autograder.audit import references

SETTINGS = 200  # of two phases, and as many of three
RATES = ("max_lr", "pct_start", "div_factor", "final_div_factor", "three_phase")
MOMENTA = ("base", "peak", "pct_start", "three_phase")


@pytest.fixture(scope="module")
def reference():
    return references("10_one_cycle")[0]


def setting(chance, three_phase):
    """Any share, 0 and 1 included; the rates over some decades."""
    share = chance.choice((0.0, 1.0, 0.3, 0.5, *[chance.random() for _ in range(12)]))
    return dict(total_steps=chance.randint(1, 80), max_lr=10 ** chance.uniform(-4, 1), pct_start=share,
                div_factor=10 ** chance.uniform(-0.5, 2), final_div_factor=10 ** chance.uniform(0, 5), three_phase=three_phase,
                base=chance.uniform(0.5, 0.9), peak=chance.uniform(0.9, 0.99))


def is_defined(total_steps, pct_start, three_phase, **rest):
    """No phase of length 0, where PyTorch divides 0 by 0 or rounding decides which phase a step is in."""
    top, last = pct_start * total_steps - 1, total_steps - 1
    return abs(top) > 1e-6 and not (three_phase and abs(2 * top - last) < 1e-6)


def settings(three_phase):
    chance = random.Random(10 + three_phase)
    drawn = (setting(chance, three_phase) for _ in range(2 * SETTINGS))
    return [s for s in drawn if is_defined(**s)][:SETTINGS]


def pytorch(total_steps, base, peak, **options):
    """(rates, momenta) of PyTorch's scheduler, one a step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.5)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, total_steps=total_steps, base_momentum=base, max_momentum=peak, **options)
    seen = []
    for k in range(total_steps):
        if k:  # and not beyond the last step, where a share of 1 is undefined
            optimizer.step()
            scheduler.step()
        seen.append([optimizer.param_groups[0][name] for name in ("lr", "momentum")])
    return torch.tensor(seen, dtype=torch.float64).T


def ours(function, names, setting):
    count, options = setting["total_steps"], {name: setting[name] for name in names}
    return torch.tensor([function(k, count, **options) for k in range(count)], dtype=torch.float64)


@pytest.mark.parametrize("three_phase", (False, True), ids=("two phases", "three phases"))
def test_rate_and_momentum_are_pytorchs_at_every_step(reference, three_phase):
    tried = settings(three_phase)
    assert len(tried) == SETTINGS and {0.0, 1.0} <= {s["pct_start"] for s in tried}
    for s in tried:
        rates, momenta = pytorch(**s)
        assert torch.allclose(ours(reference["one_cycle"], RATES, s), rates, rtol=1e-12, atol=1e-14 * s["max_lr"]), s
        assert torch.allclose(ours(reference["one_cycle_momentum"], MOMENTA, s), momenta, rtol=1e-12, atol=0), s


def test_the_settings_tell_one_step_of_delay_from_none(reference):
    """The control: a schedule one step late agrees with PyTorch in hardly any setting."""
    pairs = [(ours(reference["one_cycle"], RATES, s), pytorch(**s)[0]) for s in settings(False) if s["total_steps"] > 3]
    agree = [torch.allclose(late[:-1], rates[1:], rtol=1e-6, atol=0) for late, rates in pairs]
    assert sum(agree) < 0.05 * len(pairs)


def wave(start, end, share):
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


# pytorch's test/optim/test_lrscheduler.py: max_lr 25, div_factor 25, final_div_factor 2, momentum between 1 and 22.
PUBLISHED_RATES = [1, 13, 25, *[wave(25, 0.5, k / 7) for k in range(1, 7)], 0.5]
PUBLISHED_MOMENTA = [22, 11.5, 1, *[wave(1, 22, k / 7) for k in range(1, 7)], 22]


def test_the_targets_of_pytorchs_own_test_suite_are_met(reference):
    rates = [reference["one_cycle"](k, 10, 25, div_factor=25, final_div_factor=2) for k in range(10)]
    momenta = [reference["one_cycle_momentum"](k, 10, base=1, peak=22) for k in range(10)]
    assert rates == pytest.approx(PUBLISHED_RATES, rel=1e-12) and momenta == pytest.approx(PUBLISHED_MOMENTA, rel=1e-12)


def test_cosine_is_pytorchs_annealing(reference):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.7)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40, eta_min=0.02)
    for k in range(41):
        assert reference["cosine"](k, 40, 0.7, 0.02) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        scheduler.step()
