"""Chapter 12: the runs to diagnose are what they are meant to be, and each broken function is named for its own fault."""

import ast
import math

import pytest

from autograder.checks import find, run_check
from autograder.checks.render import text
from autograder.hidden import hidden_cases, hidden_check
from autograder.publish.source import read_chapter

STEM = "12_debugging"
SEEDS = range(40)

FAULTS = {
    "learning rate too high": "infinite_loss loss_not_a_number high_and_finite late_divergence only_the_last_is_nan diverges_in_the_end",
    "bad initial loss": "starts_too_high two_classes_bad_start bad_start_soon_forgotten",
    "dead network": "dead_from_the_start dead_on_the_way dies_late dies_in_the_end",
    "loss spikes": "spiky one_spike_early",
    "inputs and labels apart": "learnt_by_heart apart_and_slow apart_with_two_classes",
    "overfitting": "overfitted overfits_early",
    "learning rate too low": "too_slow slow_and_long still_far_at_ten slow_and_slowing",
    "underfitting": "flat_too_high flat_very_high flat_a_little_high flat_near_the_border flat_after_a_slow_fall",
    "healthy": "healthy_run healthy_with_a_gap healthy_and_done many_classes_healthy bump_before_the_end healthy_in_ten",
}
FAULT_OF = {name: fault for fault, names in FAULTS.items() for name in names.split()}
RUNS = [case.inputs for case in find("diagnose").cases + hidden_cases("diagnose")]


def curves_of(build, seed):
    """(train, val, grad) of a drawn run, the losses in units of ln(num_classes)."""
    case = next(c for c in find("diagnose").cases + hidden_cases("diagnose") if c.inputs is build)
    curves = find("diagnose").draw(case, seed, 0)["curves"]
    unit = math.log(curves["num_classes"])
    return [loss / unit for loss in curves["train_loss"]], [loss / unit for loss in curves["val_loss"]], curves["grad_norm"]


def largest_rise(values):
    return max(b - a for a, b in zip(values, values[1:]))


def second_half(values):
    """The share of the fall that comes in the second half, wherever one cuts a run of odd length."""
    cuts = {len(values) // 2, (len(values) - 1) // 2}
    return [(values[cut] - values[-1]) / (values[0] - values[-1]) for cut in cuts]


# The docstring: what holds for the runs of a description, and what for all that it leaves.
DESCRIPTIONS = {
    "learning rate too high": (lambda t, v, g: not all(map(math.isfinite, t)) or t[-1] > 2, lambda t, v, g: all(map(math.isfinite, t)) and t[-1] < 1.2),
    "bad initial loss": (lambda t, v, g: t[0] > 2, lambda t, v, g: t[0] < 1.3),
    "dead network": (lambda t, v, g: t[-1] > 0.8 and g[-1] < 1e-6, lambda t, v, g: all(norm > 1e-4 for loss, norm in zip(t, g) if loss > 0.5)),
    "loss spikes": (lambda t, v, g: largest_rise(t) > 0.4 and t[-1] < 0.3, lambda t, v, g: largest_rise(t) < 0.1),
    "inputs and labels apart": (lambda t, v, g: t[0] - t[-1] > 0.2 and min(v) >= 0.95, lambda t, v, g: v[-1] < 0.9),
    "overfitting": (lambda t, v, g: min(v) < 0.8 and v[-1] - min(v) > 0.15 and t[-1] < 0.3, lambda t, v, g: v[-1] - min(v) < 0.05),
    "learning rate too low": (lambda t, v, g: largest_rise(t) < 0 and t[-1] > 0.5 and min(second_half(t)) >= 0.25, lambda t, v, g: max(second_half(t)) < 0.1),
    "underfitting": (lambda t, v, g: t[-1] > 0.35, lambda t, v, g: t[-1] < 0.2),
}


def test_every_run_has_a_fault_and_every_fault_a_run():
    assert sorted(build.__name__ for build in RUNS) == sorted(FAULT_OF)


@pytest.mark.parametrize("build", RUNS, ids=lambda build: build.__name__)
def test_a_run_fits_its_description_and_keeps_away_from_those_above_it(build):
    fault = FAULT_OF[build.__name__]
    for seed in SEEDS:
        run = curves_of(build, seed)
        assert len(run[0]) == len(run[1]) == len(run[2]) >= 10
        for name, (fits, others) in DESCRIPTIONS.items():
            if name == fault:
                assert fits(*run), (name, seed)
                break
            assert others(*run), (name, seed)


def broken_functions():
    """{NN: function} of the chapter's cells, as the student copies them."""
    chapter = read_chapter(STEM)
    scope = {}
    for cell in chapter.cells:
        if cell.role == "setup":
            exec("\n".join(line for line in cell.text.splitlines() if line.startswith("import") or line.startswith("from")), scope)
    for cell in chapter.cells:
        if "def broken_" in cell.text:
            nodes = [node for node in ast.parse(cell.text).body if isinstance(node, ast.FunctionDef) and node.name.startswith("broken_")]
            for node in nodes:
                exec(ast.unparse(node), scope)
    return {name[-2:]: scope[name] for name in scope if name.startswith("broken_")}


NAMED = {
    "01": "gradients_add_up", "02": "softmax_then_cross_entropy", "03": "two_orders", "04": "mode_as_it_is", "05": "statistics_are_constants",
    "06": "moves_once_an_epoch", "07": "clipped_while_scaled", "08": "penalty_over_all", "09": "as_broken", "10": "rate_as_it_was"}


@pytest.mark.parametrize("number", NAMED)
def test_the_broken_code_as_given_fails_and_is_named_for_its_fault(number):
    broken = broken_functions()[number]
    finding = run_check(f"repair_{number}", broken)
    assert finding.cause == NAMED[number], text(finding)
    assert not hidden_check(f"repair_{number}", broken).passed
