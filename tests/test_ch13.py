"""Chapter 13: the bars of the capstone, what tries to get past them, and the CIFAR-10 lab without a GPU."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.audit import references
from autograder.bank import entries
from autograder.checks import find, run_check
from autograder.checks import ch13_capstone as checks
from autograder.checks.probe import Observation, observe
from autograder.checks.verdict import judge
from autograder.grading.job import register_chapters
from autograder.grading.sandbox.client import dumps
from autograder.grading.wire import decode, encode
from autograder.hidden import hidden_cases, hidden_check
from autograder.labs import cifar10
from autograder.publish.source import SOLUTIONS

NAMES = [recipe.name for recipe in checks.RECIPES]
SEEDS = range(3)  # the audit tries 200


@pytest.fixture(scope="module")
def reference():
    return references("13_capstone")[0]


def judged(name, observations, seed=5):
    """What the grader's process says about observations that crossed the wire."""
    cases = find(name).cases + hidden_cases(name)
    return judge(find(name), [decode(encode(o)) for o in observations], cases, seed, shown=False)


def observed(name, fn, seed=5):
    exercise = find(name)
    return observe(exercise.subject(), fn, exercise.prepare(exercise.cases + hidden_cases(name), seed))


def wrong(name, which):
    return next(e.fn for e in entries(name) if e.name == which)


# --- the measure --------------------------------------------------------------------------


def test_the_calibration_error_agrees_with_numpys_histogram(reference):
    generator = torch.Generator().manual_seed(0)
    for bins in (1, 2, 7, 15, 40):
        p = (3 * torch.randn(300, 5, generator=generator, dtype=torch.float64)).softmax(1)
        labels = torch.randint(5, (300,), generator=generator)
        top, right = p.max(1).values.numpy(), (p.argmax(1) == labels).numpy()
        edges = np.linspace(0, 1, bins + 1)
        sums = [np.histogram(top, edges, weights=w)[0] for w in (top, right.astype(float))]
        assert reference["expected_calibration_error"](p, labels, bins) == pytest.approx(np.abs(sums[0] - sums[1]).sum() / 300, abs=1e-12)


def test_the_lab_and_the_verdict_measure_as_the_chapter_does(reference):
    generator = torch.Generator().manual_seed(1)
    p, labels = torch.randn(400, 10, generator=generator, dtype=torch.float64).softmax(1), torch.randint(10, (400,), generator=generator)
    error = reference["expected_calibration_error"](p, labels)
    assert cifar10.accuracy_and_error(p, labels) == pytest.approx((float((p.argmax(1) == labels).double().mean()), error))
    model = checks.network().eval()
    vector, images = checks.in_one_vector(model.state_dict()), torch.rand(400, 64, generator=generator)
    with torch.no_grad():
        p = model(images).double().softmax(1)
    assert checks.measured(vector, images, labels)[1] == pytest.approx(reference["expected_calibration_error"](p, labels), abs=1e-12)


# --- the bars -----------------------------------------------------------------------------


def test_the_chapters_network_is_the_graders(reference):
    ours, theirs = (build().state_dict() for build in (checks.network, reference["network"]))
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    assert str(checks.network()) == str(reference["network"]())


def test_the_bars_of_the_text_are_those_of_the_checks():
    page = (SOLUTIONS / "13_capstone.md").read_text()
    for recipe in checks.RECIPES:
        assert f"| `{recipe.name}` | {100 * recipe.misread:g} % | {100 * recipe.error:g} % |" in page
    assert find("train").cases[0].inputs(torch.Generator())["budget"] == 30 and "thirty steps" in page


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_clears_every_bar_on_fresh_splits(reference, name):
    assert [s for s in SEEDS if not hidden_check(name, reference[name], s).passed] == []


def test_ten_times_the_budget_is_not_needed_for_a_point(reference):
    """The same recipe in thirty steps and in three hundred: both clear the highest bars, so the counter protects no point."""
    inputs = checks.split(torch.Generator().manual_seed(3))
    for steps in (30, 300):
        torch.manual_seed(0)
        vector = checks.in_one_vector(reference["train"](inputs["images"], inputs["labels"], steps))
        misread, error = checks.measured(vector, inputs["unseen_images"], inputs["unseen_labels"])
        assert misread <= checks.train_accurate.misread and error <= checks.train_calibrated.error


def test_the_same_work_gets_the_same_mark_again(reference):
    first, second = (observed("train", reference["train"]) for _ in range(2))
    assert torch.equal(first[1].parts[checks.WEIGHTS][0], second[1].parts[checks.WEIGHTS][0])


# --- what stays with the verdict ----------------------------------------------------------


def test_what_the_sandbox_gets_holds_no_unseen_digit_of_a_hidden_case():
    exercise = find("train")
    for probe, inputs in exercise.prepare(hidden_cases("train"), 5):
        assert set(inputs) == {"images", "labels", "budget", "seed"} and len(inputs["images"]) == 600
    full = exercise.draw(hidden_cases("train")[0], 5, 0)
    assert len(full["unseen_images"]) == 1197 == len(full["unseen_labels"])


def test_the_probes_can_travel_to_the_sandbox():
    register_chapters()
    for probe, _ in find("train").prepare(find("train").cases + hidden_cases("train"), 5):
        assert len(dumps(probe)) > 1000


def test_hidden_images_are_another_frame_of_the_digits():
    frames = set()
    for seed in range(12):
        g = torch.Generator().manual_seed(seed)
        plain = checks.split(g)
        moved = checks.in_another_frame(plain, g)
        assert torch.equal(moved["images"].sort(1).values, plain["images"].sort(1).values)
        names = {int(a): int(b) for a, b in zip(plain["labels"], moved["labels"])}
        assert len(set(names.values())) == 10
        assert all(names[int(a)] == int(b) for a, b in zip(plain["unseen_labels"], moved["unseen_labels"]))
        frames.add(torch.equal(moved["images"], plain["images"]))
    assert False in frames  # one in eight draws leaves the images as they are


def test_labels_known_from_elsewhere_do_not_help():
    finding = hidden_check("train", wrong("train", "trained_by_heart_from_elsewhere"))
    assert not finding.passed and "misreads at most" in finding.fact


def test_a_network_that_learnt_wrong_labels_by_heart_fails(reference):
    """Right on every image it was given, by labels that say nothing about the next one."""
    def by_heart(images, labels, budget):
        return reference["train"](images, labels[torch.randperm(len(labels))], budget)

    assert not run_check("train", by_heart).passed and not judged("train", observed("train", by_heart)).passed


# --- more steps than the budget -----------------------------------------------------------


def steps_of(recipe, budget=30):
    inputs = checks.split(torch.Generator().manual_seed(0), budget=budget)
    caller = lambda **given: recipe(given["images"], given["labels"], given["budget"])
    return checks.train_once(caller, inputs)[1]


def stepped(times, gradient):
    def recipe(images, labels, budget):
        net = checks.network()
        for _ in range(times):
            gradient(net, images, labels)
        return net.state_dict()

    return recipe


def by_backward(net, x, y):
    F.cross_entropy(net(x[:32]), y[:32]).backward()


def by_autograd_grad(net, x, y):
    torch.autograd.grad(F.cross_entropy(net(x[:32]), y[:32]), list(net.parameters()))


def by_func(net, x, y):
    torch.func.grad(lambda w: F.cross_entropy(F.linear(x[:32], w), y[:32]))(net[0].weight[:10].detach())


def by_update(net, x, y):
    p = net[0].weight
    p.grad = torch.zeros_like(p)
    torch.optim.SGD([p], lr=0.1).step()


ROUTES = [by_backward, by_autograd_grad, by_func, by_update]


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.__name__)
def test_every_route_to_a_step_is_counted_once(route):
    assert steps_of(stepped(30, route)) == 0
    assert steps_of(stepped(33, route)) == 3


def test_a_gradient_and_its_update_are_one_step():
    def both(net, x, y):
        by_backward(net, x, y)
        by_update(net, x, y)

    assert steps_of(stepped(30, both)) == 0


def test_gradients_written_by_hand_are_counted_by_their_products():
    assert steps_of(wrong("train", "gradients_written_out")) > 30


def test_validation_within_the_budget_is_free(reference):
    def watched(images, labels, budget):
        net = checks.network()
        for _ in range(budget):
            by_backward(net, images, labels)
            with torch.no_grad():
                net(images)
        return net.state_dict()

    assert steps_of(watched) == 0


def test_an_exception_of_the_student_leaves_torch_as_it_was():
    before = torch.autograd.backward, torch.autograd.grad

    def fails(images, labels, budget):
        raise ValueError("no")

    assert not run_check("train", fails).passed
    assert (torch.autograd.backward, torch.autograd.grad) == before


def test_checks_leave_the_global_random_state_alone(reference):
    state = torch.get_rng_state()
    run_check("train", reference["train"])
    assert torch.equal(torch.get_rng_state(), state)


# --- lying -------------------------------------------------------------------------------


def test_forged_observations_earn_nothing(reference):
    honest = observed("train", reference["train"])
    assert judged("train", honest).passed
    size = honest[1].parts[checks.WEIGHTS][0].numel()
    lies = [1.0, None, "passed", [], [True], [[0.0] * 3], {"accuracy": 1.0}, [torch.zeros(3)], torch.zeros(size), [torch.zeros(size)],
            [torch.full((size,), torch.nan)], [torch.zeros(size, dtype=torch.float64)], [torch.zeros(size), torch.zeros(size)],
            [torch.empty(size, device="meta")], "a network that misreads at most 10.0% of the unseen digits"]
    for lie in lies:
        parts = {"steps beyond the budget": 0, checks.WEIGHTS: lie}
        assert not judged("train", [honest[0], Observation(parts)]).passed, lie
    assert not judged("train", [honest[0], Observation({"steps beyond the budget": 0})]).passed
    assert not judged("train", [honest[0]]).passed


def test_an_object_that_says_it_equals_everything_earns_nothing():
    class Same(dict):
        def __eq__(self, other):
            return True

    finding = run_check("train", lambda images, labels, budget: Same())
    assert not finding.passed and "lacks" in finding.fact


def test_a_network_that_lies_about_its_answers_is_run_outside(reference):
    """Whatever a student's modules would answer: the verdict runs its own from the weights."""
    class Liar(torch.nn.Sequential):
        def forward(self, x):
            return F.one_hot(torch.zeros(len(x), dtype=torch.long), 10) * 100.0

    def lies(images, labels, budget):
        return Liar(*checks.network()).state_dict()

    assert not judged("train", observed("train", lies)).passed


# --- the lab, without a GPU ---------------------------------------------------------------


def test_without_a_gpu_the_lab_says_what_it_needs(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cifar10.main(["--seconds", "1"]) == 0
    assert "Skipped" in (said := capsys.readouterr().out) and "CUDA" in said and "--download" in said


@pytest.mark.parametrize("bad", [["--seconds", "0"], ["--seconds", "nan"], ["--seconds", "inf"], ["--seeds", "0"]])
def test_a_budget_that_is_none_is_refused(bad, capsys):
    assert cifar10.main(bad) == 2 and "must be" in capsys.readouterr().err


def test_without_the_data_it_runs_on_digits_and_says_so(monkeypatch, tmp_path):
    def refuse(folder, download):
        raise cifar10.NoData("torchvision is not installed")

    monkeypatch.setattr(cifar10, "cifar10", refuse)
    said = []
    name, (images, labels, test_images, test_labels) = cifar10.load(tmp_path, False, said.append)
    assert name == "digits" and "torchvision" in said[0] and "Digits instead" in said[0]
    assert images.shape[1:] == (3, 32, 32) and len(labels) + len(test_labels) == 1797 and len(test_images) == len(test_labels)


def test_a_missing_or_refused_download_is_one_sentence(monkeypatch, tmp_path):
    import sys
    import types

    def missing(folder, train, download):
        raise RuntimeError("Dataset not found or corrupted.\nYou can use download=True to download it")

    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    fake = types.ModuleType("torchvision.datasets")
    fake.CIFAR10 = missing
    monkeypatch.setitem(sys.modules, "torchvision.datasets", fake)
    with pytest.raises(cifar10.NoData, match="add --download"):
        cifar10.cifar10(tmp_path, False)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(cifar10.NoData, match="torchvision is not installed"):
        cifar10.cifar10(tmp_path, False)


def test_the_rate_rises_and_ends_at_zero():
    rates = [cifar10.rate_at(k / 100) for k in range(101)]
    assert rates[0] == 0 and rates[-1] == 0 and max(rates) == rates[20] == pytest.approx(cifar10.TOP_RATE)
    assert cifar10.rate_at(1.2) == 0 and all(map(math.isfinite, rates))


def test_variation_moves_images_and_keeps_what_they_show():
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(50, 3, 16, 16)
    images[:, :, 6:10, 6:10] = 1
    moved = cifar10.varied(images, True, generator)
    assert moved.shape == images.shape and torch.equal(moved.sum((1, 2, 3)), images.sum((1, 2, 3))) and not torch.equal(moved, images)


def test_a_race_on_the_cpu_trains_for_its_time_and_reports(monkeypatch):
    said = []
    tensors = [t[:64, :, :16, :16] if t.ndim == 4 else t[:64] for t in cifar10.split_digits()]
    accuracy, error, steps = cifar10.race("digits", tensors, 0.3, torch.device("cpu"), 0, said.append, width=4)
    assert 0 <= accuracy <= 1 and 0 <= error <= 1 and steps >= 1
    assert "digits" in said[0] and "calibration error" in said[0] and "CPU" in said[0]
