"""Checks of chapter 12: what to measure on a run that fails, and ten runs to repair.

Losses at the start come from PyTorch's own cross-entropy, norms from singular values, shares from sorting. A
repair is judged by what it does: it trains small networks in float64, beside a loop that takes its gradients
from the graph; wrong repairs are turns of that loop. How the code is written does not matter.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from .ch01_generalization import Sampled, alike, draw_after_seed, seeded
from .ch05_batch_norm import no_eps, no_root, outside, root, standardise
from .ch06_scale_invariance import backwards, between, named, normal
from .ch08_weight_decay import inventory, normalises, own, unchanged
from .ch10_one_cycle import (
    batch_norm_network, flat, left_behind, listed, momentum_in_use, number, used, whole)
from .ch11_mixed_precision import exactly
from .exercise import Exercise
from .probe import Misfit, kind_of, plain

CHAPTER = "12_debugging"
F32, F64 = torch.float32, torch.float64


# What the exercises of the chapter share.


def curve(returned, name):
    """A sequence of numbers in any form, as float64; one number stays one number."""
    value = plain(returned)
    if isinstance(value, tuple | list):
        try:
            return torch.tensor([float(v) for v in value], dtype=F64)
        except (TypeError, ValueError, RuntimeError):
            raise Misfit(f"{name} is not a sequence of numbers") from None
    if isinstance(value, bool) or not isinstance(value, torch.Tensor | float | int):
        raise Misfit(f"returned {kind_of(value)}, expected a sequence of numbers: {name}")
    return torch.as_tensor(value, dtype=F64)


def single_precision(want, inputs):
    """A share or a logarithm of float32 will do."""
    return 1e-6 * max(1.0, float(torch.as_tensor(want).abs().max()))


def by_dtype(want, inputs):
    """Relative to the largest entry; the inputs name the dtype of the model."""
    sizes = torch.as_tensor(want, dtype=F64).abs()
    size = float(sizes[sizes.isfinite()].max()) if sizes.isfinite().any() else 0.0
    return (1e-5 if inputs.get("dtype") == F32 else 1e-9) * max(size, 1e-3)


class Scene:
    """Everything random in a probe comes from one seed, and the global state is put back afterwards."""

    def __init__(self, seed):
        self.seed, self.fork, self.grad = seed, torch.random.fork_rng(devices=[]), torch.enable_grad()

    def __enter__(self):
        self.fork.__enter__()
        self.grad.__enter__()
        torch.default_generator.manual_seed(self.seed)

    def __exit__(self, *error):
        self.grad.__exit__(*error)
        self.fork.__exit__(*error)


def entropy(model, x, y):
    return F.cross_entropy(input=model(x), target=y)


def summed(model, x, y):
    return len(y) * entropy(model, x, y)


def softened(model, x, y):
    return F.cross_entropy(input=model(x).softmax(1), target=y)


def learners(model):
    return [p for p in model.parameters() if p.requires_grad]


def slopes(model, value, keep=False):
    """The gradients from the graph; with `keep` what was there before is added."""
    learning = learners(model)
    for p, slope in zip(learning, torch.autograd.grad(value, learning)):
        p.grad = p.grad + slope if keep and p.grad is not None else slope


def ledger(optimizer):
    """The rate at each update, written down while the optimizer runs."""
    written = []
    optimizer.register_step_pre_hook(lambda stepping, args, kwargs: written.append(float(stepping.param_groups[0]["lr"])))
    return written


STAYS = ("parameters afterwards", "buffers afterwards", "optimizer's state afterwards", "modules in training mode afterwards",
         "parameters that learn afterwards")


def training_left(model, optimizer):
    """What training leaves behind; what stands in `.grad` is free."""
    left = left_behind(model, optimizer)
    return {part: left[part] for part in STAYS}


# 12.2 expected_initial_loss

INITIAL = "loss for each number of classes"


def each_number(fn, inputs):
    return {INITIAL: torch.tensor([number(fn(num_classes=n)) for n in inputs["num_classes"]], dtype=F64)}


expected_initial_loss = Exercise("expected_initial_loss", CHAPTER, ("loss",), read="12.2", probe=each_number,
                                 tolerances={INITIAL: single_precision})


@expected_initial_loss.oracle
def of_equal_logits(num_classes):
    return float(F.cross_entropy(torch.zeros(1, num_classes, dtype=F64), torch.tensor([0])))


@expected_initial_loss.case(note="one call for each number of classes")
def usual_numbers(g):
    return dict(num_classes=[2, 3, 10, 100, 1000])


@expected_initial_loss.case(note="one call for each number of classes")
def other_numbers(g):
    return dict(num_classes=[whole(g, 4, 10), whole(g, 11, 60), whole(g, 20000, 60000)])


def guess(message):
    """Decorator: a wrong loss, as a function of the number of classes."""
    def add(wrong):
        return expected_initial_loss.misconception(message)(named(wrong.__name__, lambda num_classes: float(wrong(num_classes))))

    return add


@guess("That is a logarithm to base 2, in bits. PyTorch's cross-entropy takes the natural one.")
def in_bits(n):
    return math.log2(n)


@guess("That is a logarithm to base 10. PyTorch's cross-entropy takes the natural one.")
def to_base_ten(n):
    return math.log10(n)


@guess(
    "The sign is turned. Cross-entropy is never negative: a probability below 1 has a negative logarithm, and the loss "
    "is minus that.")
def negative(n):
    return -math.log(n)


@guess("That is the probability of each class under a uniform guess. The loss is made of its logarithm.")
def probability(n):
    return 1 / n


@guess("That is the error rate of a uniform guess. The loss is cross-entropy, made of logarithms.")
def error_rate(n):
    return 1 - 1 / n


@guess("One class is left out of the count. A uniform guess spreads over all of them.")
def one_class_fewer(n):
    return math.log(n - 1)


@guess("One class too many is counted. A uniform guess spreads over exactly num_classes.")
def one_class_more(n):
    return math.log(n + 1)


@guess("That is the number of classes itself. It is the perplexity of a uniform guess; the loss is smaller.")
def perplexity(n):
    return n


@guess("That is the loss summed over all classes. Of each example only the term of its own class counts.")
def summed_over_classes(n):
    return n * math.log(n)


@guess(
    "The logarithm is divided by the number of classes. Of each example only the term of its own class counts, and it "
    "counts whole.")
def averaged_over_classes(n):
    return math.log(n) / n


# 12.2 check_data

FAULTS = "non-finite input", "label out of range", "lengths differ", "labels not integer"
OTHER = "entries that are none of the four"


def reported(fn, inputs):
    """How often each fault is named; their order is free."""
    found = fn.parts(fn(**inputs))["faults"]
    if isinstance(found, str):
        raise Misfit(f"returned the string {found[:60]!r}, expected a list of strings, empty where the data are clean")
    if not isinstance(found, list):
        raise Misfit(f"returned {kind_of(found)}, expected a list of strings, empty where the data are clean")
    times = {f"entries {fault!r}": sum(1 for entry in found if isinstance(entry, str) and entry == fault) for fault in FAULTS}
    strangers = [entry for entry in found if not (isinstance(entry, str) and entry in FAULTS)]
    return times | {OTHER: listed(sorted(str(s)[:60] for s in strangers))}


check_data = Exercise("check_data", CHAPTER, ("faults",), read="12.2", probe=reported,
                      tolerances={f"entries {fault!r}": exactly for fault in FAULTS})


def finite(x):
    return bool((x.to(F64) - x.to(F64) == 0).all())


def whole_dtype(y):
    return y.dtype in (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)


def in_range(y, num_classes):
    return all(0 <= label < num_classes for label in y.flatten().tolist())


def inspect_data(x, y, num_classes, *, inputs=finite, labels=in_range, lengths=lambda x, y: len(x) == len(y), kind=whole_dtype):
    """The faults found by four tests, each of which may be a wrong one."""
    passed = inputs(x), labels(y, num_classes), lengths(x, y), kind(y)
    return [fault for fault, good in zip(FAULTS, passed) if not good]


@check_data.oracle
def one_by_one(x, y, num_classes):
    return inspect_data(x, y, num_classes)


def pixels(g, *shape, dtype=F32, poison=()):
    """Inputs with bad values at random places."""
    x = normal(g, *shape, dtype=dtype)
    x.view(-1)[torch.randperm(x.numel(), generator=g)[:len(poison)]] = torch.tensor(poison, dtype=dtype)
    return x


def labels(g, n, num_classes, *strange, dtype=torch.int64):
    """Labels that hold the first and the last class, and strange ones at random places."""
    y = torch.randint(num_classes, (n - len(strange) - 2,), generator=g)
    y = torch.cat([torch.tensor([0, num_classes - 1, *strange]), y])
    return y[torch.randperm(n, generator=g)].to(dtype)


@check_data.case(note="clean data")
def clean(g):
    return dict(x=pixels(g, 9, 5), y=labels(g, 9, 4), num_classes=4)


@check_data.case(note="one NaN among the inputs")
def one_nan(g):
    return dict(x=pixels(g, 9, 2, 3, poison=[math.nan]), y=labels(g, 9, 4), num_classes=4)


@check_data.case(note="two infinite inputs")
def infinite_inputs(g):
    return dict(x=pixels(g, 9, 5, dtype=F64, poison=[math.inf, -math.inf]), y=labels(g, 9, 4), num_classes=4)


@check_data.case(note="labels 1 … num_classes")
def counted_from_one(g):
    return dict(x=pixels(g, 9, 5), y=labels(g, 9, 4) + 1, num_classes=4)


@check_data.case(note="one label is −1")
def one_label_below(g):
    return dict(x=pixels(g, 9, 5), y=labels(g, 9, 4, -1), num_classes=4)


@check_data.case(note="more inputs than labels")
def labels_missing(g):
    return dict(x=pixels(g, 9, 5), y=labels(g, 7, 4), num_classes=4)


@check_data.case(note="labels are whole numbers in float32")
def labels_in_float(g):
    return dict(x=pixels(g, 9, 5), y=labels(g, 9, 4, dtype=F32), num_classes=4)


@check_data.case(note="all four faults at once")
def all_at_once(g):
    return dict(x=pixels(g, 6, 3, poison=[math.nan, math.inf]), y=labels(g, 8, 3, 7, -2, dtype=F64), num_classes=3)


@check_data.case(note="labels in float32, one of them far too large")
def large_label_in_float(g):
    return dict(x=pixels(g, 9, 5), y=labels(g, 9, 4, 9, dtype=F32), num_classes=4)


@check_data.case(note="clean data; the inputs are uint8, the labels int32")
def clean_in_other_dtypes(g):
    return dict(x=torch.randint(256, (9, 6), generator=g).to(torch.uint8), y=labels(g, 9, 4, dtype=torch.int32), num_classes=4)


def overlooks(message):
    """Decorator: a misconception about one of the four tests; `turn()` returns the wrong test."""
    def add(turn):
        return check_data.misconception(message)(named(
            turn.__name__, lambda x, y, num_classes: inspect_data(x, y, num_classes, **turn())))

    return add


@overlooks("Only NaN is looked for. An infinite input spoils the first product as surely.")
def infinities_missed():
    return dict(inputs=lambda x: bool((x == x).all()))


@overlooks("Only infinite inputs are looked for. NaN is no infinity, and no finite number.")
def nan_missed():
    return dict(inputs=lambda x: not bool((x.to(F64).abs() == math.inf).any()))


@overlooks("A label equal to num_classes passes. Classes are counted from 0, so it names a class that is not there.")
def one_too_large_passes():
    return dict(labels=lambda y, n: all(0 <= label <= n for label in y.tolist()))


@overlooks("Labels below 0 pass. Python would take them for an index from the end; cross-entropy does not.")
def negative_labels_pass():
    return dict(labels=lambda y, n: all(label < n for label in y.tolist()))


@overlooks("Labels that are too large pass. There are classes 0 to num_classes − 1.")
def large_labels_pass():
    return dict(labels=lambda y, n: all(label >= 0 for label in y.tolist()))


@overlooks("Class 0 is refused, and num_classes passes. Classes are counted from 0.")
def classes_from_one():
    return dict(labels=lambda y, n: all(1 <= label <= n for label in y.tolist()))


@overlooks(
    "The values of the labels are looked at. Their dtype decides: whole numbers stored as floats are not integer "
    "labels.")
def whole_values_pass():
    return dict(kind=lambda y: bool((y.to(F64) % 1 == 0).all()))


@overlooks("Only int64 counts as integer there. int32 and uint8 are integer dtypes as well.")
def int64_only():
    return dict(kind=lambda y: y.dtype == torch.int64)


@overlooks(
    "Shapes or numbers of entries are compared. An image has many entries and one label: compare the numbers of "
    "examples.")
def shapes_compared():
    return dict(lengths=lambda x, y: x.shape == y.shape)


@overlooks("Too few labels are noticed, too many are not, or the other way round. The two lengths should be equal.")
def longer_passes():
    return dict(lengths=lambda x, y: len(x) >= len(y))


@check_data.misconception("The search stops at the first fault. Each fault that is there gets its entry.")
def first_fault_only(x, y, num_classes):
    return one_by_one(x, y, num_classes)[:1]


@check_data.misconception(
    "Labels of a float dtype are not compared with num_classes. They can be out of range as well: each fault has its "
    "own entry.")
def range_of_integers_only(x, y, num_classes):
    return inspect_data(x, y, num_classes, labels=lambda y, n: not whole_dtype(y) or in_range(y, n))


@check_data.misconception(
    "Where the lengths differ nothing else is looked at. The other faults have their entries all the same.")
def lengths_end_the_search(x, y, num_classes):
    return one_by_one(x, y, num_classes) if len(x) == len(y) else [FAULTS[2]]


@check_data.misconception("A fault is listed once for every value that has it. One entry each is asked for.")
def entry_for_every_value(x, y, num_classes):
    bad = int((~x.isfinite()).sum()), sum(not 0 <= label < num_classes for label in y.tolist())
    times = *bad, len(x) != len(y), not whole_dtype(y)
    return [fault for fault, count in zip(FAULTS, times) for _ in range(count)]


@check_data.misconception("Every fault is reported, whatever the data are. The list of clean data is empty.")
def everything_reported(x, y, num_classes):
    return list(FAULTS)


@check_data.misconception("Nothing is ever reported.")
def nothing_reported(x, y, num_classes):
    return []


# 12.3 overfit_one_batch

LOSSES = "loss before each update"


def quick_network():
    return nn.Sequential(nn.Linear(4, 7), nn.LeakyReLU(0.1), nn.Linear(7, 3))


def partly_frozen():
    model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 3))
    model[0].bias.requires_grad_(False)
    return model


def gradients_left(model):
    """Of an earlier backward pass."""
    for p in learners(model):
        p.grad = torch.randn_like(p)


def one_batch(fn, inputs):
    with Scene(inputs["seed"]):
        model = inputs["network"]().to(inputs.get("dtype", F64))
        x, y = torch.randn(inputs["n"], 4).to(inputs.get("dtype", F64)), torch.randint(3, (inputs["n"],))
        gradients_left(model)
        losses = curve(fn(model=model, x=x, y=y, lr=inputs["lr"], steps=inputs["steps"]), "losses")
        left = training_left(model, torch.optim.SGD(model.parameters()))
    return {LOSSES: losses} | {part: left[part] for part in STAYS if "optimizer" not in part}


overfit_one_batch = Exercise("overfit_one_batch", CHAPTER, ("losses",), read="12.3", probe=one_batch, tolerances={
    LOSSES: by_dtype, "parameters afterwards": by_dtype, "buffers afterwards": by_dtype})


def descend(model, x, y, lr, steps, *, value=entropy, keep=lambda k: False, mode=None, part=None, **options):
    """Steps on one batch; what is given beside the exercise's arguments makes it wrong."""
    optimizer = torch.optim.SGD(learners(model), lr=lr, **options)
    losses = []
    for k in range(steps):
        if mode is not None:
            model.train(mode)
        chosen = part(len(y), k) if part else slice(None)
        loss = value(model, x[chosen], y[chosen])
        slopes(model, loss, keep(k))
        optimizer.step(closure=None)
        losses.append(float(loss.detach()))
    return torch.tensor(losses, dtype=F64)


@overfit_one_batch.oracle
def along_the_graph(model, x, y, lr, steps):
    return descend(model, x, y, lr, steps)


def batch(g, network, n, steps, low=0.2, high=0.5, **rest):
    return dict(network=network, n=n, lr=between(g, low, high), steps=steps, seed=whole(g, 0, 10**6)) | rest


@overfit_one_batch.case(note="gradients of an earlier pass are left in the model")
def leaky_steps(g):
    return batch(g, quick_network, 6, 8)


def dropout_rests():
    """Dropout in evaluation mode, batch norm in training mode."""
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Tanh(), nn.Linear(6, 3))
    model[2].eval()
    return model


@overfit_one_batch.case(note="dropout in evaluation mode, batch norm in training mode; gradients of an earlier pass are left")
def normalised_steps(g):
    return batch(g, dropout_rests, 8, 5)


@overfit_one_batch.case(note="a frozen bias; gradients of an earlier pass are left")
def frozen_steps(g):
    return batch(g, partly_frozen, 5, 4)


@overfit_one_batch.case(note="one step; gradients of an earlier pass are left")
def one_step(g):
    return batch(g, quick_network, 4, 1, dtype=F32)


def overfits(message):
    """Decorator: a misconception; `turn(lr)` returns how the descent differs."""
    def add(turn):
        return overfit_one_batch.misconception(message)(named(
            turn.__name__, lambda model, x, y, lr, steps: descend(model, x, y, lr, steps, **turn(lr))))

    return add


@overfits("The gradients are never cleared, so each step follows the sum of all so far, those of an earlier pass included.")
def gradients_never_cleared(lr):
    return dict(keep=lambda k: True)


@overfits(
    "The first step follows gradients that were there before. Clear them before the backward pass, not only after each "
    "step.")
def old_gradients_in_the_first_step(lr):
    return dict(keep=lambda k: k == 0)


@overfits(
    "The gradients are cleared once, before the loop. Each backward pass adds to what is there: clear before every "
    "one.")
def cleared_before_the_loop_only(lr):
    return dict(keep=lambda k: k > 0)


@overfit_one_batch.misconception(
    "Each loss is taken after its update. It is asked for before: the first loss is that of the untrained model.")
def loss_after_each_update(model, x, y, lr, steps):
    losses = descend(model, x, y, lr, steps)
    with torch.no_grad():
        twin = copy.deepcopy(model)
        return torch.cat([losses[1:], entropy(twin, x, y).to(F64)[None]])


@overfits("The updates have momentum. Plain SGD is asked for: its curve is easier to read.")
def momentum_added(lr):
    return dict(momentum=0.9)


@overfits("The weights decay. To overfit one batch, every kind of regularisation is off.")
def decay_added(lr):
    return dict(weight_decay=1e-2)


@overfit_one_batch.misconception("Those are steps of Adam. Plain SGD is asked for.")
def steps_of_adam(model, x, y, lr, steps):
    return descent_by(torch.optim.Adam, model, x, y, lr, steps)


def descent_by(kind, model, x, y, lr, steps):
    optimizer, losses = kind(learners(model), lr=lr), []
    for _ in range(steps):
        value = entropy(model, x, y)
        slopes(model, value)
        optimizer.step(closure=None)
        losses.append(float(value.detach()))
    return torch.tensor(losses, dtype=F64)


@overfits("The loss is summed over the batch. Cross-entropy is a mean here.")
def sum_over_the_batch(lr):
    return dict(value=summed)


@overfits("The softmax is applied twice: cross-entropy takes logits and applies its own.")
def logits_softened(lr):
    return dict(value=softened)


@overfits("Each step takes one example. The whole batch is to be learnt by heart, all of it in every step.")
def one_example_a_step(lr):
    return dict(part=lambda n, k: slice(k % n, k % n + 1))


@overfits(
    "The whole model is put into training mode. The caller has decided what rests: dropout in evaluation mode makes "
    "the test clean.")
def put_into_training_mode(lr):
    return dict(mode=True)


@overfits("The model is put into evaluation mode. Its modules should stay in the mode they are in.")
def in_evaluation_mode(lr):
    return dict(mode=False)


@overfit_one_batch.misconception("A copy is trained. The model that is given should learn, in place.")
def copy_trained(model, x, y, lr, steps):
    return descend(copy.deepcopy(model), x, y, lr, steps)


@overfit_one_batch.misconception("Nothing is learnt: the gradients are cleared before the step, or no step is made.")
def nothing_learnt(model, x, y, lr, steps):
    return torch.tensor([float(entropy(model, x, y).detach()) for _ in range(steps)], dtype=F64)


@overfits("The steps go up the gradient: the loss rises.")
def uphill(lr):
    return dict(maximize=True)


@overfit_one_batch.misconception(
    "The loss after the last update is returned as well. There are `steps` losses, each before its update.")
def one_loss_over(model, x, y, lr, steps):
    losses = descend(model, x, y, lr, steps)
    return torch.cat([losses, entropy(copy.deepcopy(model), x, y).detach().to(F64)[None]])


@overfit_one_batch.misconception("That is the last loss alone. One loss for each step is asked for.")
def only_the_last(model, x, y, lr, steps):
    return descend(model, x, y, lr, steps)[-1]


# 12.4 gradient_norms

NAMES, NORMS = "names", "values in the order of the names"


def dictionary(returned, name):
    """{name: number} in any order: the names sorted, and their values."""
    if not isinstance(returned, dict):
        raise Misfit(f"returned {kind_of(returned)}, expected a dict from parameter names to numbers: {name}")
    table = {str(key): number(returned[key]) for key in returned}
    return {NAMES: listed(sorted(table)), NORMS: torch.tensor([table[key] for key in sorted(table)], dtype=F64)}


def with_gradients(network, dtype, seed):
    model = network().to(dtype)
    gradients_left(model)
    return model


def convolutions():
    return nn.Sequential(nn.Conv2d(2, 3, (2, 3)), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 4, bias=False))


class Gain(nn.Module):
    """A single number, a parameter that nothing used, and one whose gradient is zero."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.unused = nn.Parameter(torch.ones(3))
        self.layer = nn.Linear(3, 2)

    def settle(self):
        self.unused.grad = None
        self.layer.bias.grad.zero_()


def part_of_the_gradients(network, dtype, seed):
    model = with_gradients(network, dtype, seed)
    model.settle()
    return model


def frozen_part(network, dtype, seed):
    """The last layer's weight is frozen and has no gradient."""
    model = with_gradients(network, dtype, seed)
    model[-1].weight.requires_grad_(False).grad = None
    return model


def norms_by_name(fn, inputs):
    with Scene(inputs["seed"]):
        model = inputs["start"](inputs["network"], inputs["dtype"], inputs["seed"])
        before, grads = inventory(model), [None if p.grad is None else p.grad.clone() for p in model.parameters()]
        parts = dictionary(fn(model=model), "norms")
        same = unchanged(before, inventory(model)) and all(
            (p.grad is None) == (g is None) and (g is None or torch.equal(p.grad, g)) for p, g in zip(model.parameters(), grads))
    return parts | {"the model afterwards": "as it was" if same else "changed"}


gradient_norms = Exercise("gradient_norms", CHAPTER, ("norms",), read="12.4", probe=norms_by_name, tolerances={NORMS: by_dtype})


def norm_table(model, of, chosen=lambda p: p.grad is not None):
    return {name: float(of(p)) for name, p in model.named_parameters() if chosen(p)}


@gradient_norms.oracle
def by_singular_values(model):
    """The only singular value of a gradient laid out as one row."""
    return norm_table(model, lambda p: torch.linalg.svdvals(p.grad.detach().to(F64).reshape(1, -1))[0])


def backed(g, network, dtype=F64, start=with_gradients):
    return dict(network=network, dtype=dtype, start=start, seed=whole(g, 0, 10**6))


@gradient_norms.case(note="convolution, batch norm and a linear layer")
def all_shapes(g):
    return backed(g, convolutions)


@gradient_norms.case(note="one parameter has no gradient, and one a gradient of zeros")
def some_missing(g):
    return backed(g, Gain, start=part_of_the_gradients)


@gradient_norms.case(note="a frozen weight without gradient")
def one_frozen(g):
    return backed(g, quick_network, dtype=F32, start=frozen_part)


def norms(message, chosen=lambda p: p.grad is not None):
    """Decorator: a misconception about the number that belongs to a parameter."""
    def add(of):
        return gradient_norms.misconception(message)(named(of.__name__, lambda model: norm_table(model, of, chosen)))

    return add


@norms("Those are the norms of the parameters. Asked for are those of their gradients.")
def of_the_parameters(p):
    return p.detach().to(F64).square().sum().sqrt()


@norms("The squares are summed and no root is taken.")
def root_forgotten(p):
    return p.grad.to(F64).square().sum()


@norms(
    "That is the root of the mean square, which does not grow with the number of entries. The norm has the sum under "
    "its root.")
def root_of_the_mean(p):
    return p.grad.to(F64).square().mean().sqrt()


@norms("Those are sums of absolute values. The Euclidean norm squares first.")
def absolute_sum(p):
    return p.grad.to(F64).abs().sum()


@norms("Those are means of absolute values. The norm is the root of the sum of squares.")
def absolute_mean(p):
    return p.grad.to(F64).abs().mean()


@norms("That is the largest entry. The norm counts them all.")
def largest_entry(p):
    return p.grad.to(F64).abs().max()


@norms("Positive and negative entries cancel there: that is the size of their sum.")
def entries_cancel(p):
    return p.grad.to(F64).sum().abs()


@norms("That is the standard deviation of the entries. A norm does not subtract their mean.")
def spread_of_entries(p):
    return p.grad.to(F64).std(correction=0)


@norms("A matrix got its spectral norm, the largest stretch of a vector. Take all entries as one vector.")
def spectral(p):
    grad = p.grad.to(F64)
    return torch.linalg.svdvals(grad)[0] if grad.dim() == 2 else grad.square().sum().sqrt()


@norms(
    "A parameter without gradient is listed with 0. None says that no gradient reached it, which is another fault than "
    "a gradient of zeros: leave it out.",
    chosen=lambda p: True)
def missing_as_zero(p):
    return 0.0 if p.grad is None else p.grad.to(F64).square().sum().sqrt()


@norms("A gradient of zeros is left out. It is a finding, and belongs in the list with 0; only None stays out.",
       chosen=lambda p: p.grad is not None and p.grad.any())
def zeros_left_out(p):
    return p.grad.to(F64).square().sum().sqrt()


@gradient_norms.misconception("Only weights are listed. Biases and gains have gradients as well.")
def weights_only(model):
    return {name: norm for name, norm in by_singular_values(model).items() if own(name) == "weight" and "bias" not in name}


@gradient_norms.misconception(
    "That is one norm for the whole model. One for each parameter tells where the gradient is lost.")
def one_for_all(model):
    return {"total": math.hypot(*by_singular_values(model).values())}


@gradient_norms.misconception("The norms are shares of the whole. Return the norms themselves.")
def shares_of_the_whole(model):
    table = by_singular_values(model)
    return {name: norm / math.hypot(*table.values()) for name, norm in table.items()}


@gradient_norms.misconception(
    "The names are those of the modules. A module can hold several parameters: use `named_parameters`.")
def named_by_module(model):
    return {name.rpartition(".")[0] or name: norm for name, norm in by_singular_values(model).items()}


@gradient_norms.misconception("The gradients are cleared. Looking at a run should not change it.")
def cleared_while_looking(model):
    table = by_singular_values(model)
    for p in model.parameters():
        p.grad = None
    return table


# 12.4 update_ratios


def ratios_by_name(fn, inputs):
    twins = {key: {name: t.clone() for name, t in inputs[key].items()} for key in ("before", "after")}
    parts = dictionary(fn(**inputs), "ratios")
    same = all(set(twins[key]) == set(inputs[key]) and all(torch.equal(twins[key][n], inputs[key][n]) for n in twins[key]) for key in twins)
    return parts | {"before and after": "as they were" if same else "changed"}


def ratio_tolerance(want, inputs):
    finite_part = want[want.isfinite()]
    size = float(finite_part.abs().max()) if finite_part.numel() else 1.0
    single = any(t.dtype == F32 for t in inputs["before"].values())
    return (1e-5 if single else 1e-9) * (size or 1.0)


update_ratios = Exercise("update_ratios", CHAPTER, ("ratios",), read="12.4", probe=ratios_by_name, tolerances={NORMS: ratio_tolerance})


def quotient(move, size):
    return move / size if size else (math.inf if move else 0.0)


def ratio_table(before, after, of):
    return {name: float(of(before[name].detach().to(F64), after[name].detach().to(F64))) for name in before}


@update_ratios.oracle
def distance_over_distance(before, after):
    """Distances between the two, and from the origin."""
    def of(b, a):
        b, a = b.reshape(1, -1), a.reshape(1, -1)
        return quotient(float(torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")),
                        float(torch.cdist(b, torch.zeros_like(b), compute_mode="donot_use_mm_for_euclid_dist")))

    return ratio_table(before, after, of)


def snapshots(g, shapes, dtype=F64, step=0.05):
    """Parameters by name before and after an update."""
    before = {name: (1 + i) * normal(g, *shape, dtype=dtype) for i, (name, shape) in enumerate(shapes.items())}
    return dict(before=before, after={name: t + step * normal(g, *t.shape, dtype=dtype) for name, t in before.items()})


SHAPES = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4, 1, 3), "gain": ()}


@update_ratios.case
def small_updates(g):
    return snapshots(g, SHAPES)


@update_ratios.case(note="updates as large as the parameters")
def large_updates(g):
    return snapshots(g, SHAPES, dtype=F32, step=3.0)


@update_ratios.case(note="one parameter is zero and moves, one is zero and stays, one stays")
def zeros_at_the_start(g):
    inputs = snapshots(g, SHAPES | {"1.weight": (5,)})
    inputs["before"]["0.bias"], inputs["after"]["0.bias"] = torch.zeros(4, dtype=F64), 1e-3 * normal(g, 4)
    inputs["before"]["gain"], inputs["after"]["gain"] = torch.zeros((), dtype=F64), torch.zeros((), dtype=F64)
    inputs["after"]["1.weight"] = inputs["before"]["1.weight"].clone()
    return inputs


def length(t):
    return float(t.square().sum().sqrt())


def ratios(message):
    """Decorator: a misconception about the ratio of one parameter."""
    def add(of):
        return update_ratios.misconception(message)(named(of.__name__, lambda before, after: ratio_table(before, after, of)))

    return add


@ratios(
    "The update is compared with the parameter after it. Compare with the one before: a parameter that started at 0 "
    "then stands out.")
def over_the_new_one(b, a):
    return quotient(length(a - b), length(a))


@ratios(
    "The lengths themselves are subtracted. A parameter can turn far and keep its length: subtract first, then take "
    "the norm.")
def difference_of_lengths(b, a):
    return quotient(abs(length(a) - length(b)), length(b))


@ratios("The squares of the norms are divided. Take the roots.")
def squares_divided(b, a):
    return quotient(length(a - b) ** 2, length(b) ** 2)


@ratios(
    "That is a mean of the ratios of single entries: one entry near 0 outweighs all others. Divide one norm by the "
    "other.")
def mean_of_entry_ratios(b, a):
    return ((a - b).abs() / b.abs()).nan_to_num(0.0, math.inf).mean()


@ratios("Standard deviations are divided, as some lectures do. They subtract the means; here norms are divided.")
def deviations_divided(b, a):
    return quotient(float((a - b).std(correction=0)), float(b.std(correction=0)))


@ratios("Sums of absolute values are divided. Here the norms are Euclidean.")
def absolute_values_divided(b, a):
    return quotient(float((a - b).abs().sum()), float(b.abs().sum()))


@ratios("That is the ratio of the new norm to the old one. Asked for is the size of the update.")
def new_over_old(b, a):
    return quotient(length(a), length(b))


@ratios("That is the norm of the update alone. What counts is its size beside that of the parameter.")
def update_alone(b, a):
    return length(a - b)


@ratios("The ratio is upside down: that is the parameter over its update.")
def ratio_upside_down(b, a):
    return quotient(length(b), length(a - b))


@ratios("That is the logarithm of the ratio. Return the ratio itself.")
def logarithm_of_the_ratio(b, a):
    value = quotient(length(a - b), length(b))
    return math.log10(value) if value else -math.inf


@ratios("Where a parameter is 0 and stays 0, 0 is divided by 0. Nothing moved: the docstring says what to return there.")
def zero_over_zero(b, a):
    return quotient(length(a - b), length(b)) if length(b) or length(a - b) else math.nan


@ratios("Where a parameter was 0, the ratio is infinite only if it moved. The docstring says what 0 over 0 is.")
def infinite_without_a_move(b, a):
    return quotient(length(a - b), length(b)) if length(b) else math.inf


@ratios(
    "A parameter that was 0 and moves gets 0. Its update is infinitely larger than itself: the docstring says what to "
    "return.")
def zero_for_a_start_at_zero(b, a):
    return length(a - b) / length(b) if length(b) else 0.0


@ratios(
    "A small number stands in the denominator, so a start at 0 gives something large and finite. The docstring asks "
    "for infinity there.")
def guarded_denominator(b, a):
    return length(a - b) / (length(b) + 1e-12)


@update_ratios.misconception(
    "Parameters that did not move are left out. A ratio of 0 is a finding: something does not learn.")
def unmoved_left_out(before, after):
    return {name: ratio for name, ratio in distance_over_distance(before, after).items() if ratio}


@update_ratios.misconception("Parameters that were 0 are left out. They have a ratio as well: the docstring says which.")
def zeros_skipped(before, after):
    return {name: ratio for name, ratio in distance_over_distance(before, after).items() if before[name].any()}


@update_ratios.misconception(
    "That is one ratio for the whole model. One for each parameter tells which layer learns too fast.")
def one_ratio_for_all(before, after):
    def whole_model(table):
        return math.hypot(*(length(t.to(F64)) for t in table.values()))

    return {"total": whole_model({n: after[n].to(F64) - before[n] for n in before}) / whole_model(before)}


# 12.4 dead_fraction


def dead_share(fn, inputs):
    return {"share": number(fn(**inputs))}


dead_fraction = Exercise("dead_fraction", CHAPTER, ("share",), read="12.4", probe=dead_share, tolerances={"share": single_precision})


def by_unit(acts):
    """(C, everything else)"""
    return acts.detach().transpose(0, 1).flatten(1)


@dead_fraction.oracle
def largest_after_sorting(acts):
    return sum(row.sort().values[-1].item() <= 0 for row in by_unit(acts)) / acts.shape[1]


def activations(g, *shape, dead, dtype=F64, slope=0.0):
    """After a ReLU, some units never positive; each living unit is positive in one example only, at one place."""
    acts = -normal(g, *shape, dtype=dtype).abs()
    units = torch.randperm(shape[1], generator=g)
    for unit in units[dead:]:
        acts[int(torch.randint(shape[0], (), generator=g)), unit].view(-1)[-1] = between(g, 0.01, 1.0)
    return F.leaky_relu(acts, slope)


@dead_fraction.case(note="after a ReLU")
def after_a_relu(g):
    return dict(acts=activations(g, 7, 9, dead=4))


@dead_fraction.case(note="feature maps after a ReLU")
def feature_maps(g):
    return dict(acts=activations(g, 4, 6, 3, 2, dead=2, dtype=F32))


@dead_fraction.case(note="after a leaky ReLU with slope 0.1")
def after_a_leaky_relu(g):
    return dict(acts=activations(g, 5, 8, dead=3, slope=0.1))


@dead_fraction.case(note="units that are negative on average and often positive")
def alive_on_the_whole(g):
    return dict(acts=normal(g, 12, 5) - 0.6)


def shares(message):
    """Decorator: a misconception about which units are dead."""
    def add(of):
        return dead_fraction.misconception(message)(named(of.__name__, lambda acts: float(of(acts.detach()))))

    return add


@shares(
    "A unit counts as dead where it is 0 everywhere. After a leaky ReLU a dead unit is negative: the docstring says "
    "“never positive”.")
def zero_everywhere(acts):
    return (by_unit(acts) == 0).all(1).double().mean()


@shares("That is the share of zeros among all activations. A unit that is silent for half of the examples is alive.")
def share_of_zeros(acts):
    return (acts <= 0).double().mean()


@shares("That is the share of exact zeros among all activations. A unit is dead only if no example makes it positive.")
def share_of_exact_zeros(acts):
    return (acts == 0).double().mean()


@shares("Those are examples in which no unit is positive. Units lie along dimension 1.")
def silent_examples(acts):
    return (acts.flatten(1).amax(1) <= 0).double().mean()


@shares("A unit counts as dead as soon as one example leaves it silent. It is dead if all do.")
def silent_once(acts):
    return (by_unit(acts).amin(1) <= 0).double().mean()


@shares("Each position of a feature map counts as a unit. A unit is a channel; its positions belong together.")
def each_position(acts):
    return (acts.amax(0) <= 0).double().mean()


@shares("The last dimension was taken for the units. They lie along dimension 1, whatever comes after.")
def units_in_the_last_dimension(acts):
    return (acts.movedim(-1, 0).flatten(1).amax(1) <= 0).double().mean()


@shares("Each unit is judged by its mean. A unit that is negative on average can be alive.")
def judged_by_the_mean(acts):
    return (by_unit(acts).mean(1) <= 0).double().mean()


@shares("That is the number of dead units. A share lies between 0 and 1.")
def number_of_dead(acts):
    return (by_unit(acts).amax(1) <= 0).sum()


@shares("That is the share of the living.")
def share_of_the_living(acts):
    return (by_unit(acts).amax(1) > 0).double().mean()


@shares("That is a percentage. A share lies between 0 and 1.")
def percentage(acts):
    return 100 * (by_unit(acts).amax(1) <= 0).double().mean()


@shares("Only the first example is looked at.")
def first_example_only(acts):
    return (acts[0].reshape(acts.shape[1], -1).amax(1) <= 0).double().mean()


@shares("Images and units are counted in pairs. A unit is dead if no image of the batch makes it positive at any place.")
def each_image_by_itself(acts):
    return (acts.reshape(*acts.shape[:2], -1).amax(2) <= 0).double().mean()


# 12.5 log_uniform

SHAPE, KIND = "shape", "dtype"
RANGE, BINS, PAIRS = "range", "share of draws in each eighth of the logarithmic range", "correlation of neighbours"
DISTINCT, EIGHTHS = "draws", 8


def numbers(returned):
    """A vector of draws in any form; a list counts as float32."""
    value = plain(returned)
    value = torch.tensor([float(v) for v in value]) if isinstance(value, list) else value
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        raise Misfit(f"returned {kind_of(value)}, expected a float tensor of n draws")
    return value


def height(values, low, high):
    """Where a draw lies on the logarithmic scale: 0 at low, 1 at high."""
    return (values.to(F64) / low).log() / math.log(high / low)


def what_range(u):
    """float32 keeps a value to 6e-8 of itself."""
    if not (u.isfinite().all() and len(u)):
        return "not positive and finite"
    sides = ["below low"] * bool(u.min() < -1e-6) + ["above high"] * bool(u.max() > 1 + 1e-6)
    return " and ".join(sides) or "low to high"


def spread(fn, inputs):
    """How the draws lie on the logarithmic scale."""
    with torch.random.fork_rng(devices=[]):
        values = numbers(fn(**inputs))
    form = {SHAPE: str(tuple(values.shape)), KIND: str(values.dtype).removeprefix("torch.")}
    if values.dim() != 1 or len(values) < 3:
        return form
    u = height(values, inputs["low"], inputs["high"])
    counts = torch.bincount((u.nan_to_num(0.0).clamp(0, 1 - 1e-9) * EIGHTHS).long(), minlength=EIGHTHS) / len(u)
    steps = (u[1:] - 0.5) * (u[:-1] - 0.5) * 12
    return form | {DISTINCT: what_draws(values, u), RANGE: what_range(u), BINS: counts.to(F64),
                   PAIRS: float(steps.mean().nan_to_num(9.0, 9.0, 9.0))}


def what_draws(values, u):
    distinct, moves = len(values.unique()), u.diff()
    if distinct < len(values) / 2:
        return "all alike" if distinct == 1 else "a few values only"
    if not u.isfinite().all():
        return "all different"
    if moves.max() - moves.min() < 1e-4:
        return "on a grid"
    return "sorted" if (moves >= 0).all() or (moves <= 0).all() else "all different"


def form(fn, inputs):
    with torch.random.fork_rng(devices=[]):
        values = numbers(fn(**inputs))
    return {SHAPE: str(tuple(values.shape)), KIND: str(values.dtype).removeprefix("torch.")}


def origin(fn, inputs):
    """Where the randomness comes from."""
    def draw(generator):
        return numbers(fn(**{**inputs, "generator": generator}))

    with torch.random.fork_rng(devices=[]):
        start = torch.get_rng_state()
        first, again = (draw(seeded(1)) for _ in range(2))
        left = torch.equal(start, torch.get_rng_state())
        one = seeded(2)
        two_draws = draw(one), draw(one)
        from_global = [draw_after_seed(draw, 3), draw_after_seed(draw, 3), draw(None)]
    return {"global random state": "untouched" if left else "advanced",
            "same generator, same result": torch.equal(first, again),
            "two draws in a row": alike(*two_draws),
            "generator=None after the same torch.manual_seed": alike(*from_global[:2]),
            "generator=None twice in a row": alike(*from_global[1:])}


FROM_THE_GENERATOR = {
    "global random state": "untouched", "same generator, same result": True, "two draws in a row": "different",
    "generator=None after the same torch.manual_seed": "equal", "generator=None twice in a row": "different"}


def six_sigma_share(want, inputs):
    """Six standard errors of a share of 1/8; all eight together: one false alarm in 6e7."""
    return 6 * math.sqrt((1 / EIGHTHS) * (1 - 1 / EIGHTHS) / inputs["n"])


def six_sigma_pairs(want, inputs):
    """Six standard errors of a mean of n − 1 products of variance 1: one false alarm in 5e8."""
    return 6 / math.sqrt(inputs["n"] - 1)


log_uniform = Sampled("log_uniform", CHAPTER, ("draws",), read="12.5", probe=spread, tolerances={
    BINS: six_sigma_share, PAIRS: six_sigma_pairs})


@log_uniform.oracle
def exact_shares(low, high, n, generator):
    basic = {SHAPE: str((n,)), KIND: "float32"}
    return {"spread": basic | {DISTINCT: "all different", RANGE: "low to high",
                               BINS: torch.full((EIGHTHS,), 1 / EIGHTHS, dtype=F64), PAIRS: 0.0},
            "form": basic, "origin": FROM_THE_GENERATOR}


def draws(g, low, high, n):
    return dict(low=low, high=high, n=n, generator=seeded(whole(g, 0, 10**6)))


@log_uniform.case(note="5000 draws")
def rates(g):
    return draws(g, 1e-5, 1e-1, 5000)


@log_uniform.case(note="5000 draws")
def on_both_sides_of_one(g):
    return draws(g, between(g, 0.02, 0.04), between(g, 40, 60), 5000)


@log_uniform.case(probe=form)
def three(g):
    return draws(g, 0.1, 0.9, 3)


@log_uniform.case(probe=origin, note="called again with the same generator, and with generator=None")
def where_from(g):
    return draws(g, 1e-3, 0.5, 40)


def between_powers(low, high, n, generator, *, u=None, base=math.e, power=None, finish=lambda v: v):
    """Draws whose logarithm is taken from u, in one base, and put back in another."""
    u = torch.rand(n, generator=generator, dtype=F64) if u is None else u
    a, b = math.log(low, base), math.log(high, base)
    return finish(torch.pow(power or base, a + (b - a) * u)).to(F32)


@log_uniform.misconception(
    "The values themselves are uniform: nine in ten lie in the uppermost decade. Draw the exponent uniformly.")
def uniform_in_value(low, high, n, generator):
    return (low + (high - low) * torch.rand(n, generator=generator, dtype=F64)).to(F32)


@log_uniform.misconception(
    "The exponent starts at ln low and has the length ln high. But ln high is where it should end.")
def end_for_length(low, high, n, generator):
    return torch.exp(math.log(low) + math.log(high) * torch.rand(n, generator=generator, dtype=F64)).to(F32)


@log_uniform.misconception("Two bases are mixed: the logarithm of one and the power of another. The draws leave the range.")
def natural_power_of_decimal_logarithm(low, high, n, generator):
    return between_powers(low, high, n, generator, base=10, power=math.e)


@log_uniform.misconception("Two bases are mixed: a natural logarithm and a power of ten. The draws leave the range.")
def power_of_ten_of_natural_logarithm(low, high, n, generator):
    return between_powers(low, high, n, generator, power=10)


@log_uniform.misconception("Those are logarithms of the draws. Put them back on the scale of low and high.")
def logarithms_returned(low, high, n, generator):
    a, b = math.log(low), math.log(high)
    return (a + (b - a) * torch.rand(n, generator=generator)).to(F32)


@log_uniform.misconception(
    "The generator is set back to its seed in every call, so every call draws the same. Draw from it as it comes.")
def generator_set_back(low, high, n, generator):
    return between_powers(low, high, n, generator and generator.manual_seed(generator.initial_seed()))


@log_uniform.misconception(
    "That is a grid, the same in every call. Random draws are asked for: a grid repeats each value of one "
    "hyper-parameter for every value of another.")
def grid(low, high, n, generator):
    return between_powers(low, high, n, generator, u=torch.linspace(0, 1, n, dtype=F64))


@log_uniform.misconception("Only whole powers are drawn. Between two decades lies most of what is worth trying.")
def whole_powers(low, high, n, generator):
    a, b = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return (10.0 ** torch.randint(a, b + 1, (n,), generator=generator)).to(F32)


@log_uniform.misconception("The draws are sorted. They should be independent: the first should not be the smallest.")
def sorted_draws(low, high, n, generator):
    return between_powers(low, high, n, generator, finish=lambda v: v.sort().values)


@log_uniform.misconception("One draw is repeated n times. n independent draws are asked for.")
def one_draw_repeated(low, high, n, generator):
    return between_powers(low, high, n, generator, u=torch.rand(1, generator=generator, dtype=F64)).expand(n).clone()


@log_uniform.misconception(
    "The logarithm is normal: most draws lie in the middle, and some outside the range. Uniform is asked for.")
def normal_logarithm(low, high, n, generator):
    return between_powers(low, high, n, generator, u=0.5 + torch.randn(n, generator=generator, dtype=F64) / 6)


@log_uniform.misconception("The reciprocal is uniform: that crowds the draws at the lower end.")
def uniform_reciprocal(low, high, n, generator):
    return (1 / (1 / high + (1 / low - 1 / high) * torch.rand(n, generator=generator, dtype=F64))).to(F32)


@log_uniform.misconception(
    "The root of the value is uniform. That is milder than a logarithm, and still favours the upper end.")
def uniform_root(low, high, n, generator):
    return (low**0.5 + (high**0.5 - low**0.5) * torch.rand(n, generator=generator, dtype=F64)).square().to(F32)


@log_uniform.misconception("The draws ignore the generator that is given: a search could not be repeated.")
def generator_ignored(low, high, n, generator):
    return between_powers(low, high, n, None)


@log_uniform.misconception("The draws are float64. Where a generator goes in, results of this course are float32.")
def left_in_float64(low, high, n, generator):
    return low * (high / low) ** torch.rand(n, generator=generator, dtype=F64)


# 12.6 diagnose

FAULT_NAMES = ("learning rate too high", "bad initial loss", "dead network", "loss spikes", "inputs and labels apart", "overfitting",
               "learning rate too low", "underfitting", "healthy")


class Run(dict):
    """Logged curves; as text they are short and in units of ln(num_classes)."""

    def __str__(self):
        unit = math.log(self["num_classes"])
        return f"of {self['num_classes']} classes, losses in units of its logarithm: " + ", ".join(
            f"{key} {_at(self[key], unit)}" for key in ("train_loss", "val_loss")) + f", grad_norm {_at(self['grad_norm'], 1)}"


def _at(values, unit):
    """Start, middle and end, with the extremes where they lie between."""
    middle = len(values) // 2
    extremes = f"(from {min(values) / unit:.3g} to {max(values) / unit:.3g})"
    return f"{values[0] / unit:.3g} … {values[middle] / unit:.3g} … {values[-1] / unit:.3g} {extremes}"


def named_fault(fn, inputs):
    """The answer, where it is one of the list; anything else as it came, in short."""
    answer = fn.parts(fn(curves={key: list(v) if isinstance(v, list) else v for key, v in inputs["curves"].items()}))["fault"]
    if not isinstance(answer, str):
        raise Misfit(f"returned {kind_of(answer)}, expected one of the strings in the docstring")
    if answer not in FAULT_NAMES:
        raise Misfit(f"returned {answer[:60]!r}, which is none of the strings in the docstring")
    return {"fault": answer}


diagnose = Exercise("diagnose", CHAPTER, ("fault",), read="12.6", probe=named_fault)


def rise(values):
    """The largest rise from one epoch to the next."""
    return max(b - a for a, b in zip(values, values[1:]))


def late_share(values):
    """How much of the fall comes in the second half."""
    return (values[len(values) // 2] - values[-1]) / (values[0] - values[-1]) if values[0] != values[-1] else 0.0


def described(train, val, grad):
    """Each description at its own border, in the order of the docstring; the losses in units of ln(num_classes)."""
    return {
        "learning rate too high": not all(map(math.isfinite, train)) or train[-1] > 2,
        "bad initial loss": train[0] > 2,
        "dead network": train[-1] > 0.8 and grad[-1] < 1e-6,
        "loss spikes": rise(train) > 0.4,
        "inputs and labels apart": min(val) >= 0.95,
        "overfitting": min(val) < 0.8 and val[-1] - min(val) > 0.15 and train[-1] < 0.3,
        "learning rate too low": train[-1] > 0.5 and late_share(train) >= 0.25,
        "underfitting": train[-1] > 0.35,
    }


def first_that_fits(curves, *, units=True, order=FAULT_NAMES, **beliefs):
    """The first description that fits; `beliefs` put other tests, of (train, val, grad), in their places."""
    unit = math.log(curves["num_classes"]) if units else 1.0
    train, val = ([loss / unit for loss in curves[key]] for key in ("train_loss", "val_loss"))
    fits = described(train, val, curves["grad_norm"])
    fits |= {fault.replace("_", " "): test(train, val, curves["grad_norm"]) for fault, test in beliefs.items()}
    return next((fault for fault in order if fits.get(fault)), "healthy")


@diagnose.oracle
def down_the_list(curves):
    return first_that_fits(curves)


def decay(g, start, end, rate, epochs, noise=0.0):
    """From start to end, exponentially: `rate` times in the whole run."""
    values = [end + (start - end) * math.exp(-rate * e / (epochs - 1)) for e in range(epochs)]
    return [v * (1 + noise * between(g, -1, 1)) for v in values[:-1]] + values[-1:]


def run_of(g, classes, train, val, grad=None):
    """Curves of a run from losses in units of ln(num_classes)."""
    unit = math.log(classes)
    grad = grad or [between(g, 0.2, 0.6) * (0.02 + min(abs(loss), 1e3)) if math.isfinite(loss) else loss for loss in train]
    return dict(curves=Run(num_classes=classes, train_loss=[unit * v for v in train], val_loss=[unit * v for v in val], grad_norm=grad))


def good(g, epochs, start=None, end=None, val=None):
    """Training and validation losses of a run in which nothing is wrong; `val` is where the second ends."""
    start, end = start or between(g, 0.97, 1.05), end or between(g, 0.02, 0.12)
    val = val or end + between(g, 0.05, 0.2)
    return decay(g, start, end, 12, epochs, 0.02), decay(g, start * between(g, 0.98, 1.02), val, 12, epochs)


@diagnose.case(note="a run of 20 epochs")
def healthy_run(g):
    return run_of(g, 10, *good(g, 20))


@diagnose.case(note="a run of 30 epochs")
def healthy_with_a_gap(g):
    """The validation loss is three times the training loss, and does not rise."""
    train, val = good(g, 30, end=between(g, 0.08, 0.1), val=between(g, 0.28, 0.32))
    return run_of(g, 100, train, val[:-5] + [loss * (1 + 0.02 * k) for k, loss in enumerate(val[-5:])])


@diagnose.case(note="a run of 24 epochs")
def healthy_and_done(g):
    """The loss is zero to three digits, and so is the gradient."""
    train, val = good(g, 24, end=1e-6)
    return run_of(g, 2, train, val, grad=[max(1e-8, loss * 0.4 - 0.02) for loss in train])


@diagnose.case(note="a run of 16 epochs")
def infinite_loss(g):
    return run_of(g, 10, [1.0, between(g, 3, 5), between(g, 40, 90)] + 13 * [math.inf], [1.0, 4.0, 80.0] + 13 * [math.inf])


@diagnose.case(note="a run of 12 epochs")
def loss_not_a_number(g):
    return run_of(g, 3, [1.0, between(g, 0.7, 0.8), between(g, 0.9, 1.3)] + 9 * [math.nan], [1.0, 0.8, 1.2] + 9 * [math.nan])


@diagnose.case(note="a run of 15 epochs")
def high_and_finite(g):
    return run_of(g, 10, [1.0] + [between(g, 2.4, 6) for _ in range(14)], [1.0] + [between(g, 2.4, 6) for _ in range(14)])


@diagnose.case(note="a run of 20 epochs")
def starts_too_high(g):
    start = between(g, 2.4, 6.0)
    return run_of(g, 10, *good(g, 20, start=start))


@diagnose.case(note="a run of 18 epochs")
def dead_from_the_start(g):
    train = [between(g, 0.99, 1.01)] * 18
    return run_of(g, 10, train, train, grad=[between(g, 1e-9, 1e-7) for _ in train])


@diagnose.case(note="a run of 18 epochs")
def dead_on_the_way(g):
    train = decay(g, 1.0, between(g, 0.82, 0.88), 20, 18)
    grad = [0.3, 0.2, 0.1] + [between(g, 1e-9, 1e-7) for _ in train[3:]]
    return run_of(g, 50, train, [0.99 * loss for loss in train], grad)


@diagnose.case(note="a run of 25 epochs")
def spiky(g):
    train, val = good(g, 25)
    for epoch in (whole(g, 7, 11), whole(g, 14, 19)):
        train[epoch] += between(g, 1.3, 1.6)
        val[epoch] += 0.6
    return run_of(g, 10, train, val)


@diagnose.case(note="a run of 30 epochs")
def learnt_by_heart(g):
    train = decay(g, 1.0, between(g, 0.02, 0.06), 10, 30)
    return run_of(g, 10, train, [1.0 + e / 29 * between(g, 1.0, 2.0) for e in range(30)])


@diagnose.case(note="a run of 30 epochs")
def apart_and_slow(g):
    train = decay(g, 1.0, between(g, 0.6, 0.7), 12, 30)
    return run_of(g, 4, train, [between(g, 0.99, 1.01) + 0.002 * e for e in range(30)])


def falls_and_rises(g, epochs, least, last):
    """A validation loss with its minimum early."""
    turn = epochs // 3
    return decay(g, 1.0, least, 6, turn) + [least + (last - least) * (k + 1) / (epochs - turn) for k in range(epochs - turn)]


@diagnose.case(note="a run of 30 epochs")
def overfitted(g):
    least = between(g, 0.2, 0.3)
    return run_of(g, 10, decay(g, 1.0, between(g, 0.001, 0.01), 15, 30), falls_and_rises(g, 30, least, least + between(g, 0.25, 0.5)))


@diagnose.case(note="a run of 20 epochs")
def too_slow(g):
    fall = between(g, 0.3, 0.4)
    train = [1.0 - fall * e / 19 for e in range(20)]
    return run_of(g, 10, train, [0.01 + loss for loss in train])


@diagnose.case(note="a run of 20 epochs")
def flat_too_high(g):
    train = decay(g, 1.0, between(g, 0.55, 0.6), 20, 20)
    return run_of(g, 10, train, [1.02 * loss for loss in train])


@diagnose.case(note="a run of 20 epochs")
def flat_very_high(g):
    train = decay(g, 1.0, between(g, 0.82, 0.85), 20, 20)
    return run_of(g, 3, train, [1.01 * loss for loss in train], grad=[between(g, 0.01, 0.05) for _ in train])


@diagnose.case(note="a run of 22 epochs")
def flat_a_little_high(g):
    train = decay(g, 1.0, between(g, 0.37, 0.4), 20, 22)
    return run_of(g, 1000, train, [1.05 * loss for loss in train])


def believes(message, **options):
    """Decorator: a misconception about one description; `tests()` returns tests of (train, val, grad) by fault."""
    def add(tests):
        return diagnose.misconception(message)(named(tests.__name__, lambda curves: first_that_fits(curves, **tests(), **options)))

    return add


def rises_in_the_end(train, val, grad):
    return val[-1] - min(val) > 0.15


@believes(
    "The losses are compared as they are. What is large depends on the number of classes: divide by ln(num_classes) "
    "first.",
    units=False)
def fixed_thresholds():
    return {}


@believes("Every validation loss that rises at all counts as overfitting. The descriptions leave a margin: losses wobble.")
def any_rise_of_the_validation_loss():
    return dict(overfitting=lambda t, v, g: v[-1] > min(v))


@believes(
    "Overfitting is read from the gap between the two losses. A gap is usual; overfitting is a validation loss that "
    "rises again.")
def gap_for_rise():
    return dict(overfitting=lambda t, v, g: v[-1] > 1.5 * t[-1])


@believes("NaN passes: every comparison with it is false. Ask whether all losses are finite.")
def nan_passes():
    return {"learning rate too high": lambda t, v, g: any(loss == math.inf for loss in t) or t[-1] > 2}


@believes(
    "A rate that is too high is noticed only where the loss is NaN or infinite. It can also stay finite, far above its "
    "start.")
def only_without_numbers():
    return {"learning rate too high": lambda t, v, g: not all(map(math.isfinite, t))}


@believes(
    "A rate that is too high is noticed only where the loss stays finite: a loss that is NaN or infinite says it as "
    "well.")
def only_finite_divergence():
    return {"learning rate too high": lambda t, v, g: math.isfinite(t[-1]) and t[-1] > 2}


@believes(
    "A small gradient at the end counts as a dead network. A run that has learnt everything has a small gradient too: "
    "look at the loss as well.")
def small_gradient_is_death():
    return {"dead network": lambda t, v, g: g[-1] < 1e-6}


@believes(
    "A high loss at the end counts as a dead network. Without a look at the gradient it could be any run that has "
    "stopped improving.")
def high_loss_is_death():
    return {"dead network": lambda t, v, g: t[-1] > 0.8}


@believes("The gradient is looked at in the first epoch only. A network can die on the way: look at the end.")
def dead_at_the_start_only():
    return {"dead network": lambda t, v, g: t[-1] > 0.8 and g[0] < 1e-6}


@believes("Dead networks are not noticed: a gradient norm of almost 0 while the loss is high says that no signal comes back.")
def death_not_noticed():
    return {"dead network": lambda t, v, g: False}


@believes("Spikes are not noticed. The ends of a curve do not show them: compare each epoch with the one before.")
def spikes_not_noticed():
    return {"loss spikes": lambda t, v, g: False}


@believes("Every rise counts as a spike. Losses wobble by a few per cent; the description says how large a spike is.")
def every_rise_is_a_spike():
    return {"loss spikes": lambda t, v, g: rise(t) > 0}


@believes(
    "Inputs and labels that were shuffled apart count as overfitting. Both have a rising validation loss; but here it "
    "never fell below that of guessing.",
    order=FAULT_NAMES[:4] + FAULT_NAMES[5:6] + FAULT_NAMES[4:5] + FAULT_NAMES[6:])
def apart_is_overfitting():
    return dict(overfitting=rises_in_the_end)


@believes(
    "Inputs and labels apart are noticed only where the training loss becomes small. It may also fall a little: the "
    "validation loss decides.")
def apart_only_where_learnt_by_heart():
    return {"inputs and labels apart": lambda t, v, g: min(v) >= 0.95 and t[-1] < 0.3, "overfitting": rises_in_the_end}


@believes(
    "Inputs and labels apart are not noticed. A validation loss that never falls below guessing says that there is "
    "nothing to learn.")
def apart_not_noticed():
    return {"inputs and labels apart": lambda t, v, g: False, "overfitting": rises_in_the_end}


@believes(
    "Every run that ends high counts as one with too low a rate. If the loss has stopped falling, a higher rate will "
    "not help: compare the second half of the run with the first.")
def slow_without_a_look_at_the_second_half():
    return {"learning rate too low": lambda t, v, g: t[-1] > 0.5}


@believes(
    "Too low a rate is not told from underfitting. In the one the loss is still falling at the end, in the other it is "
    "flat.")
def slow_is_underfitting():
    return {"learning rate too low": lambda t, v, g: False}


@believes("A start far above ln(num_classes) is not noticed. The loss of a uniform guess is known before training.")
def start_not_noticed():
    return {"bad initial loss": lambda t, v, g: False}


@believes(
    "A start far above ln(num_classes) counts as too high a rate. No update has been made there: the initialisation is "
    "at fault.")
def start_is_the_rate():
    return {"learning rate too high": lambda t, v, g: not all(map(math.isfinite, t)) or t[-1] > 2 or t[0] > 2}


@believes(
    "Too high a rate counts wherever a loss is large at some time. Spikes pass, and a bad start says nothing of the "
    "rate: look at the end.")
def any_large_loss_is_the_rate():
    return {"learning rate too high": lambda t, v, g: not all(map(math.isfinite, t)) or max(t) > 1.2}


@believes("Underfitting is not noticed: a training loss that ends high is no healthy run.")
def underfitting_not_noticed():
    return dict(underfitting=lambda t, v, g: False)


@believes(
    "Underfitting is read from the validation loss. It is the training loss that a network too small, or regularised "
    "too much, cannot bring down.")
def underfitting_of_validation():
    return dict(underfitting=lambda t, v, g: v[-1] > 0.25)


# 12.7 What the repairs share.


def loop(model, optimizer, batches, *, value=entropy, keep=lambda k: False, first=None, last=None, updates=lambda k: True):
    """(losses) of one pass of training; whatever is given beside the three makes it wrong.

    `first(k)` runs before the forward pass of batch k, `last(k)` between its backward pass and its update.
    """
    losses = []
    for k, (x, y) in enumerate(batches):
        if first:
            first(k)
        loss = value(model, x, y)
        slopes(model, loss, keep(k))
        if last:
            last(k)
        if updates(k):
            optimizer.step(closure=None)
        losses.append(float(loss.detach()))
    return torch.tensor(losses, dtype=F64)


def class_room(network, optimizer, sizes, seed, **rest):
    """Model, optimizer and batches: the same for the same arguments, inside a `Scene`."""
    model = network().double()
    batches = [(torch.randn(n, 4, dtype=F64), torch.randint(3, (n,))) for n in sizes]
    return model, optimizer(model), batches


STALE = "gradients of an earlier pass are left"
TRAINED = {"parameters afterwards": by_dtype, "buffers afterwards": by_dtype, "optimizer's state afterwards": by_dtype}


def everything_stale(optimizer_of):
    """An optimizer, and gradients of an earlier pass on every parameter that learns."""
    def build(model):
        optimizer = optimizer_of(model)
        gradients_left(model)
        return optimizer

    return named(optimizer_of.__name__, build)


def plain_sgd(model):
    return torch.optim.SGD(learners(model), lr=0.3)


def heavy_ball(model):
    """In use already: it remembers two steps."""
    return used(model, torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.6))


def adam_new(model):
    return torch.optim.Adam(learners(model), lr=0.05, betas=(0.8, 0.95))


# 12.7 repair_01

EACH, UPDATES = "loss of each batch", "updates by the optimizer"


def one_pass(fn, inputs):
    with Scene(inputs["seed"]):
        model, optimizer, batches = class_room(**inputs)
        written, start = ledger(optimizer), flat(model.parameters())
        losses = curve(fn(model=model, optimizer=optimizer, batches=batches), "losses")
        by_hand = not written and not torch.equal(start, flat(model.parameters()))
        count = "none, and yet the weights moved" if by_hand else str(len(written))
        return {UPDATES: count, EACH: losses} | training_left(model, optimizer)


repair_01 = Exercise("repair_01", CHAPTER, ("losses",), read="12.7", probe=one_pass, tolerances={EACH: by_dtype} | TRAINED)


@repair_01.oracle
def own_gradients(model, optimizer, batches):
    return loop(model, optimizer, batches)


def lesson(g, network, optimizer, *sizes, **rest):
    return dict(network=network, optimizer=optimizer, sizes=list(sizes), seed=whole(g, 0, 10**6)) | rest


@repair_01.case(note="the optimizer is new, and no gradient is there yet")
def fresh_start(g):
    return lesson(g, quick_network, plain_sgd, 5, 5, 5, 3)


@repair_01.case(note=f"the optimizer has been used, and {STALE}")
def used_and_stale(g):
    return lesson(g, batch_norm_network, momentum_in_use, 6, 6, 4)


@repair_01.case(note=f"a new Adam, a frozen bias, and {STALE}")
def adam_and_stale(g):
    return lesson(g, partly_frozen, everything_stale(adam_new), 4, 4, 4)


def trains_wrongly(message):
    """Decorator: a misconception; `turn(model, optimizer, batches)` returns how the pass differs."""
    def add(turn):
        return repair_01.misconception(message)(named(
            turn.__name__, lambda model, optimizer, batches: loop(model, optimizer, batches, **turn(model, optimizer, batches))))

    return add


def forget(model):
    for p in model.parameters():
        p.grad = None


def blank(model):
    for p in learners(model):
        p.grad = torch.zeros_like(p)


@trains_wrongly(
    "The gradients add up: `backward` adds to what stands in `.grad`, so each update follows the sum of all batches so "
    "far.")
def gradients_add_up(model, optimizer, batches):
    return dict(keep=lambda k: True)


@trains_wrongly(
    "The gradients are cleared after each update only. What an earlier pass has left enters the first update: clear "
    "before the backward pass.")
def cleared_after_the_update_only(model, optimizer, batches):
    return dict(keep=lambda k: k == 0)


@trains_wrongly("The gradients are cleared once, before the loop. From the second batch on they add up as before.")
def cleared_once(model, optimizer, batches):
    return dict(keep=lambda k: k > 0)


@trains_wrongly("The gradients are cleared between the backward pass and the update, so the update has nothing to follow.")
def cleared_too_late(model, optimizer, batches):
    return dict(last=lambda k: forget(model))


@trains_wrongly("The gradients are set to 0 between the backward pass and the update: only momentum still moves the weights.")
def zeroed_too_late(model, optimizer, batches):
    return dict(last=lambda k: blank(model))


@trains_wrongly("There is one update, after the last batch. Every batch should have its own.")
def one_update_for_all(model, optimizer, batches):
    return dict(keep=lambda k: k > 0, updates=lambda k: k == len(batches) - 1)


@trains_wrongly(
    "The optimizer starts anew with every batch: momentum and moments are lost. Clear the gradients and keep the "
    "optimizer.")
def new_optimizer_each_time(model, optimizer, batches):
    return dict(first=lambda k: optimizer.state.clear())


@trains_wrongly("Nothing learns: no update is made.")
def no_update_at_all(model, optimizer, batches):
    return dict(updates=lambda k: False)


@trains_wrongly("The model runs in evaluation mode. This is a training pass.")
def trained_in_evaluation_mode(model, optimizer, batches):
    return dict(first=lambda k: model.eval())


@trains_wrongly("The loss is summed over each batch. Cross-entropy is a mean here.")
def batch_summed(model, optimizer, batches):
    return dict(value=summed)


@trains_wrongly("The softmax is applied twice: cross-entropy takes logits and applies its own.")
def softmax_before_cross_entropy(model, optimizer, batches):
    return dict(value=softened)


@trains_wrongly(
    "The loss is divided by the number of batches, as one does when gradients are accumulated on purpose. Here every "
    "batch has an update of its own.")
def divided_by_the_batches(model, optimizer, batches):
    return dict(value=lambda *args: entropy(*args) / len(batches))


@repair_01.misconception("Each loss is taken after its update. It is asked for before.")
def losses_after_the_updates(model, optimizer, batches):
    losses = []
    for pair in batches:
        loop(model, optimizer, [pair])
        losses.append(float(entropy(model, *pair).detach()))
    return torch.tensor(losses, dtype=F64)


@repair_01.misconception("That is the mean of the losses. One loss for each batch is asked for.")
def mean_of_the_losses(model, optimizer, batches):
    return loop(model, optimizer, batches).mean()


@repair_01.misconception("That is a running total of the losses. Each batch has its own loss.")
def running_total(model, optimizer, batches):
    return loop(model, optimizer, batches).cumsum(0)


@repair_01.misconception(
    "The updates are plain gradient descent. The optimizer that is given should make them: its momentum or its moments "
    "count.")
def descends_by_hand(model, optimizer, batches):
    return loop(model, torch.optim.SGD(learners(model), lr=optimizer.param_groups[-1]["lr"]), batches)


# 12.7 repair_02

GRADIENT = "gradient with respect to the parameters"


class Sharp(nn.Module):
    """Multiplies its logits."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def classifier():
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4), Sharp(2.0))


def certain_classifier():
    """So certain of its answers, right or wrong, that a probability is 0 in any precision."""
    return nn.Sequential(nn.Linear(5, 4), Sharp(3000.0))


def resting_classifier():
    """Dropout rests while batch norm trains."""
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4), Sharp(2.0))
    model[2].eval()
    return model


def loss_and_gradient(fn, inputs):
    with Scene(inputs["seed"]):
        dtype = inputs["dtype"]
        model, x = inputs["network"]().to(dtype), torch.randn(inputs["n"], 5).to(dtype)
        y = torch.randint(4, (inputs["n"],))
        returned = fn(model=model, x=x, y=y)
        parts = fn.parts(returned)
        attached = isinstance(returned, torch.Tensor) and returned.requires_grad
        parts |= {"loss: requires_grad": attached, "dtype of the loss": str(getattr(returned, "dtype", "none")).removeprefix("torch.")}
        if attached:
            found = torch.autograd.grad(returned.sum(), learners(model), allow_unused=True)
            parts[GRADIENT] = flat(torch.zeros_like(p) if slope is None else slope for p, slope in zip(model.parameters(), found))
        parts[".grad afterwards"] = "none" if all(p.grad is None for p in model.parameters()) else "filled"
        parts["modules in training mode afterwards"] = listed(name or "the model" for name, m in model.named_modules() if m.training)
    return parts


def softmax_of_thousands(want, inputs):
    """float32 keeps logits in the thousands to 5e-4, and with them the probabilities."""
    return by_dtype(want, inputs) * (100 if inputs["dtype"] == F32 else 1)


repair_02 = Exercise("repair_02", CHAPTER, ("loss",), read="12.7", probe=loss_and_gradient, tolerances={
    "loss": by_dtype, GRADIENT: softmax_of_thousands})


def one_class_at_a_time(z, y):
    """How far the log-sum of all classes lies above the own class, example by example; stable."""
    rows = [torch.logsumexp(row - row[label], 0) for row, label in zip(z, y)]
    return torch.stack(rows)


@repair_02.oracle
def above_the_own_logit(model, x, y):
    return torch.mean(one_class_at_a_time(model(x), y))


def exam(g, network, n, dtype=F64):
    return dict(network=network, n=n, dtype=dtype, seed=whole(g, 0, 10**6))


@repair_02.case
def ordinary_logits(g):
    return exam(g, classifier, 7)


@repair_02.case(note="logits in the thousands")
def certain_logits(g):
    return exam(g, certain_classifier, 6, dtype=F32)


@repair_02.case(note="dropout in evaluation mode, batch norm in training mode")
def mixed_modes(g):
    return exam(g, resting_classifier, 8, dtype=F32)


def loses(message):
    """Decorator: a misconception; `of(z, y)` is the loss of logits and labels."""
    def add(of):
        return repair_02.misconception(message)(named(of.__name__, lambda model, x, y: of(model(x), y)))

    return add


def chosen(table, y):
    return table.gather(1, y[:, None])[:, 0]


@loses(
    "That is still the softmax of a softmax: `F.cross_entropy` takes logits and applies its own. The loss of a certain "
    "model then stays far above 0.")
def softmax_then_cross_entropy(z, y):
    return torch.mean(one_class_at_a_time(z.softmax(1), y))


@loses("`nll_loss` takes logarithms of probabilities; these are probabilities. The loss would be negative.")
def nll_of_probabilities(z, y):
    return -chosen(z.softmax(1), y).mean()


@loses(
    "The softmax is left out of the graph: the value is right, and its gradient says to raise every logit of a right "
    "class alike.")
def normaliser_detached(z, y):
    return (z.detach().logsumexp(1) - chosen(z, y)).mean()


@loses("`nll_loss` takes logarithms of probabilities; these are logits. Nothing holds the logits of the other classes down.")
def nll_of_logits(z, y):
    return -chosen(z, y).mean()


@loses(
    "The logarithm of a softmax: where a probability is rounded to 0 the loss is infinite. PyTorch has an operator "
    "that takes both in one.")
def logarithm_of_the_softmax(z, y):
    return -chosen(z.softmax(1).log(), y).mean()


@loses(
    "The probabilities are kept away from 0 by a small number. A model that is certain and wrong gets a bounded loss "
    "and no gradient: use an operator that takes softmax and logarithm in one.")
def probabilities_clamped(z, y):
    return -chosen(z.softmax(1).clamp(min=1e-8), y).log().mean()


@loses(
    "A small number is added to the probabilities. It changes the loss of every example a little, and bounds the loss "
    "of a wrong one: use an operator that takes softmax and logarithm in one.")
def something_added_to_the_probabilities(z, y):
    return -(chosen(z.softmax(1), y) + 1e-8).log().mean()


@loses("The softmax runs over the batch. It should run over the classes of each example.")
def softmax_over_the_batch(z, y):
    return -chosen(z.log_softmax(0), y).mean()


@loses("A sigmoid comes before `F.cross_entropy`. That takes logits as they are.")
def sigmoid_then_cross_entropy(z, y):
    return torch.mean(one_class_at_a_time(z.sigmoid(), y))


@loses("Every class is treated as a yes or no of its own. The classes exclude each other: one softmax over all of them.")
def binary_for_each_class(z, y):
    return F.binary_cross_entropy_with_logits(z, F.one_hot(y, z.shape[1]).to(z))


@loses("The losses are summed over the batch. Here cross-entropy is their mean.")
def total(z, y):
    return one_class_at_a_time(z, y).sum()


@loses("That is one loss for each example. Their mean is asked for.")
def one_for_each_example(z, y):
    return one_class_at_a_time(z, y)


@loses("The loss is divided by the number of classes as well. The mean is over examples.")
def divided_by_the_classes(z, y):
    return one_class_at_a_time(z, y).mean() / z.shape[1]


@loses("That is the squared distance of the probabilities from the labels. Cross-entropy is asked for.")
def squared_distance(z, y):
    return (z.softmax(1) - F.one_hot(y, z.shape[1])).square().sum(1).mean()


@loses("The sign is turned: cross-entropy is never negative.")
def sign_turned(z, y):
    return -one_class_at_a_time(z, y).mean()


@loses("The loss has left the graph: nothing can be trained with it.")
def out_of_the_graph(z, y):
    return one_class_at_a_time(z, y).mean().detach()


@repair_02.misconception(
    "The backward pass has been made already. The loss is asked for; what is done with it is the caller's.")
def backward_included(model, x, y):
    loss = above_the_own_logit(model, x, y)
    loss.backward(retain_graph=True)
    return loss


@repair_02.misconception("The model is put into evaluation mode. Its modes are the caller's.")
def put_into_evaluation(model, x, y):
    return above_the_own_logit(model.eval(), x, y)


@repair_02.misconception(
    "The whole model is put into training mode. Its modes are the caller's: some modules may rest on purpose.")
def put_into_training(model, x, y):
    return above_the_own_logit(model.train(), x, y)


# 12.7 repair_03

EPOCHS = 150
SIZES, TOGETHER, ONCE = "sizes of the batches", "inputs and labels", "examples"
FORM, ORDERS = "shapes and dtypes", "order"
AT, FOLLOW = "share of epochs in which an example comes at a place", "neighbours that stay neighbours, per epoch"


def numbered(n):
    """Inputs and labels that tell which example they belong to."""
    order = torch.arange(n)
    return torch.stack([order, order + 0.5], 1).to(F64)[:, :, None], 3 * order + 7


def deal(returned):
    """Pairs of tensors in any container."""
    try:
        pairs = [tuple(pair) for pair in returned]
    except TypeError:
        raise Misfit(f"returned {kind_of(returned)}, expected a list of pairs (x, y)") from None
    if not all(len(pair) == 2 and all(isinstance(t, torch.Tensor) for t in pair) for pair in pairs):
        raise Misfit("returned a list whose entries are not all pairs of tensors (x, y)")
    return pairs


def numbers_of(pairs):
    """(examples of the inputs, examples of the labels), in the order in which they come; −1 where a row is no example."""
    rows, own_labels = torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])
    first = rows.reshape(len(rows), -1)[:, 0]
    whole_rows = (rows.reshape(len(rows), -1) == torch.stack([first, first + 0.5], 1)).all(1) & (first == first.round())
    return torch.where(whole_rows, first, -1.0).long(), ((own_labels - 7) / 3).long()


def epochs(fn, inputs):
    """The form of one epoch, and where examples come in many."""
    n = inputs["n"]
    with torch.random.fork_rng(devices=[]):
        generator = seeded(inputs["seed"])
        dealt = []
        for _ in range(EPOCHS):
            x, y = numbered(n)
            dealt.append(deal(fn(x=x, y=y, batch_size=inputs["batch_size"], generator=generator)))
    sizes = {tuple((len(x), len(y)) for x, y in pairs) for pairs in dealt}
    parts = {SIZES: "; ".join(sorted(listed(str(a) if a == b else f"{a} and {b}" for a, b in row) for row in sizes)),
             FORM: "; ".join(sorted({f"{tuple(x.shape[1:])} {x.dtype}, {tuple(y.shape[1:])} {y.dtype}" for row in dealt for x, y in row}))}
    if any(sum(len(t) for t in column) != n for pairs in dealt for column in zip(*pairs)) or len(sizes) > 1:
        return parts
    inputs_first, labels_first = zip(*map(numbers_of, dealt))
    a, b = torch.stack(inputs_first), torch.stack(labels_first)  # (EPOCHS, n)
    parts[TOGETHER] = "belong together" if torch.equal(a, b) else why_apart(a, b)
    parts[ONCE] = how_often(a, inputs["batch_size"]) if torch.equal(a, b) else how_often(b, inputs["batch_size"])
    parts[ORDERS] = "new in each epoch" if not torch.equal(a, a[:1].expand_as(a)) else \
        "the one given, in every epoch" if torch.equal(a[0], torch.arange(n)) else "the same in every epoch"
    places = F.one_hot(a.clamp(0), n).to(F64).mean(0)
    follow = (a[:, 1:] == a[:, :-1] + 1).to(F64).sum(1).mean()
    return parts | {AT: places, FOLLOW: float(follow)}


def why_apart(a, b):
    """a, b: (EPOCHS, n), the examples of the inputs and of the labels."""
    if (a < 0).any():
        return "inputs that are no examples"
    old = torch.arange(a.shape[1]).expand_as(a)
    return "apart, the labels in their old order" if torch.equal(b, old) else \
        "apart, the inputs in their old order" if torch.equal(a, old) else "apart, each in an order of its own"


def how_often(a, batch_size):
    if torch.equal(a.sort(1).values, torch.arange(a.shape[1]).expand_as(a)):
        return "each once"
    twice = any(len(block.unique()) < len(block) for order in a for block in order.split(batch_size))
    return "some twice, even in one batch" if twice else "some twice, never in one batch"


def epoch_origin(fn, inputs):
    """Where the randomness comes from."""
    def draw(generator):
        x, y = numbered(inputs["n"])
        pairs = deal(fn(x=x, y=y, batch_size=inputs["batch_size"], generator=generator))
        return torch.cat([x.reshape(-1) for x, _ in pairs])

    with torch.random.fork_rng(devices=[]):
        start = torch.get_rng_state()
        first, again = (draw(seeded(1)) for _ in range(2))
        left = torch.equal(start, torch.get_rng_state())
        one = seeded(2)
        two_draws = draw(one), draw(one)
        from_global = [draw_after_seed(draw, 3), draw_after_seed(draw, 3), draw(None)]
    return {"global random state": "untouched" if left else "advanced",
            "same generator, same result": torch.equal(first, again),
            "two draws in a row": alike(*two_draws),
            "generator=None after the same torch.manual_seed": alike(*from_global[:2]),
            "generator=None twice in a row": alike(*from_global[1:])}


def seven_sigma_place(want, inputs):
    """Of a share of 1/n in so many epochs; binomial tails, all n² shares together: at most one false alarm in 5e6."""
    return 7 * math.sqrt((1 - 1 / inputs["n"]) / inputs["n"] / EPOCHS)


def seven_sigma_follow(want, inputs):
    """Their number in a random order has a variance below 1: like a Poisson number, one false alarm in 1e9."""
    return 7 / math.sqrt(EPOCHS)


class Shuffled(Sampled):
    """The oracle is asked with the probe's inputs, of which student code sees only what they make."""

    def expected(self, case, inputs):
        return self.right(None, inputs["n"], inputs["batch_size"], None)[(case.probe or self.probe).__name__]


repair_03 = Shuffled("repair_03", CHAPTER, ("batches",), read="12.7", probe=epochs, tolerances={
    AT: seven_sigma_place, FOLLOW: seven_sigma_follow})


@repair_03.oracle
def exact_order(x, y, batch_size, generator):
    """x is not used, and y is the number of examples."""
    n = y
    sizes = [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    return {"epochs": {SIZES: listed(map(str, sizes)), FORM: "(2, 1) torch.float64, () torch.int64",
                       TOGETHER: "belong together", ONCE: "each once", ORDERS: "new in each epoch", AT: torch.full((n, n), 1 / n, dtype=F64), FOLLOW: (n - 1) / n},
            "epoch_origin": FROM_THE_GENERATOR}


def examples(g, n, batch_size):
    return dict(n=n, batch_size=batch_size, seed=whole(g, 0, 10**6))


@repair_03.case(note=f"{EPOCHS} epochs with one generator")
def last_one_smaller(g):
    return examples(g, 10, 3)


@repair_03.case(note=f"{EPOCHS} epochs with one generator")
def in_equal_batches(g):
    return examples(g, 8, 4)


@repair_03.case(probe=epoch_origin, note="called again with the same generator, and with generator=None")
def order_comes_from(g):
    return examples(g, 40, 8)


def batches_of(x, y, batch_size, order, labels_order=None, whole_only=False):
    """The batches of an order; labels may have one of their own."""
    labels_order = order if labels_order is None else labels_order
    stop = len(order) - (len(order) % batch_size if whole_only else 0)
    return [(x[order[k:k + batch_size]], y[labels_order[k:k + batch_size]]) for k in range(0, stop, batch_size)]


def shuffles(message):
    """Decorator: a misconception; `turn(n, batch_size, generator)` returns the arguments of `batches_of`."""
    def add(turn):
        return repair_03.misconception(message)(named(
            turn.__name__, lambda x, y, batch_size, generator: batches_of(x, y, batch_size, **turn(len(x), batch_size, generator))))

    return add


def any_order(n, generator):
    """Sorting random numbers: an order from the generator, without `randperm`."""
    return torch.rand(n, generator=generator, dtype=F64).argsort()


@shuffles(
    "Nothing is shuffled: the examples come in their old order. Inputs and labels belong together then, but every "
    "epoch is the same.")
def not_shuffled(n, batch_size, generator):
    return dict(order=torch.arange(n))


@repair_03.misconception(
    "Inputs and labels still have an order of their own, so images get the labels of others. One order for both.")
def two_orders(x, y, batch_size, generator):
    return batches_of(x, y, batch_size, any_order(len(x), generator), any_order(len(x), generator))


@shuffles("Only the inputs are shuffled; the labels stay where they were. One order for both.")
def labels_stay(n, batch_size, generator):
    return dict(order=any_order(n, generator), labels_order=torch.arange(n))


@shuffles("Only the labels are shuffled; the inputs stay where they were. One order for both.")
def inputs_stay(n, batch_size, generator):
    return dict(order=torch.arange(n), labels_order=any_order(n, generator))


@shuffles("The last, smaller batch is left out. Every example should come once in an epoch.")
def last_one_dropped(n, batch_size, generator):
    return dict(order=any_order(n, generator), whole_only=True)


@shuffles("The last batch is filled up with examples that have come already. It should be smaller.")
def last_one_filled(n, batch_size, generator):
    order = any_order(n, generator)
    return dict(order=torch.cat([order, order[:-n % batch_size]]))


@shuffles("Examples are drawn with replacement: in one epoch some come twice and some never.")
def with_replacement(n, batch_size, generator):
    return dict(order=torch.randint(n, (n,), generator=generator))


@repair_03.misconception(
    "Each batch is drawn by itself, so in one epoch some examples come twice and some never. One order for the whole "
    "epoch.")
def each_batch_by_itself(x, y, batch_size, generator):
    pairs = batches_of(x, y, batch_size, torch.arange(len(x)))
    orders = [any_order(len(x), generator)[:len(labels_here)] for _, labels_here in pairs]
    return [(x[order], y[order]) for order in orders]


@shuffles(
    "The batches are shuffled, and what is in them is not: the same examples always come together. Shuffle the "
    "examples.")
def whole_batches_shuffled(n, batch_size, generator):
    blocks = torch.arange(n).split(batch_size)
    full = [blocks[k] for k in any_order(len(blocks) - (n % batch_size > 0), generator)]
    return dict(order=torch.cat([*full, *blocks[len(full):]]))


@shuffles("The examples are shuffled inside each batch only: the same examples always come together.")
def shuffled_inside_batches(n, batch_size, generator):
    return dict(order=torch.cat([block[any_order(len(block), generator)] for block in torch.arange(n).split(batch_size)]))


@shuffles("The order is only turned, as a ring: neighbours stay neighbours. Every order should be equally likely.")
def turned_as_a_ring(n, batch_size, generator):
    return dict(order=torch.arange(n).roll(int(torch.randint(n, (), generator=generator))))


@shuffles("The order is drawn without the generator that is given. With it an epoch can be repeated.")
def drawn_without_the_generator(n, batch_size, generator):
    return dict(order=any_order(n, None))


@shuffles("The generator is set back to its seed in every call, so every epoch has the same order. Draw from it as it comes.")
def every_epoch_alike(n, batch_size, generator):
    return dict(order=any_order(n, generator and generator.manual_seed(generator.initial_seed())))


@repair_03.misconception(
    "The entries inside each example are shuffled. Examples lie along dimension 0; what is inside them stays.")
def entries_shuffled(x, y, batch_size, generator):
    return batches_of(x[:, any_order(x.shape[1], generator)], y, batch_size, any_order(len(x), generator))


# 12.7 repair_04

GRAPH = "graph built in the forward pass"
UNCHANGED, GRADS = "parameters and buffers", ".grad"


class Ear(nn.Module):
    """Notes whether a graph is built; passes x on."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def forward(self, x):
        self.heard.append(x.requires_grad)
        return x


def settled(model):
    """Running statistics far from those of any batch."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm1d):
            m.running_mean.normal_(std=2.0)
            m.running_var.uniform_(0.3, 3.0)
    return model


def all_training():
    return settled(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.1), Ear(), nn.Dropout(0.5), nn.Linear(8, 3)))


def frozen_batch_norm():
    """In training mode, but for a block inside that rests, and one module inside the block that does not."""
    block = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), Ear())
    model = settled(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), block, nn.Linear(8, 3)))
    block.eval()
    block[2].train()
    return model


def all_resting():
    return all_training().eval()


def top_rests():
    """The model itself is in evaluation mode; dropout and a batch norm inside are not."""
    model = all_training().eval()
    model[1].train()
    model[4].train()
    return model


def states(model):
    """Parameters and buffers, and gradients."""
    kept = [*model.parameters(), *model.buffers()], [p.grad for p in model.parameters()]
    return [[None if t is None else t.detach().clone() for t in tensors] for tensors in kept]


def equal(before, after):
    return all((a is None) == (b is None) and (a is None or torch.equal(a, b)) for a, b in zip(before, after))


def mostly_right(model, x):
    """Labels that a resting model names in four of five cases, so that other modes do worse."""
    with torch.no_grad():
        guesses = copy.deepcopy(model).eval()(x).argmax(1)
    return torch.where(torch.rand(len(x)) < 0.8, guesses, torch.randint(3, (len(x),)))


def measured(fn, inputs):
    with Scene(inputs["seed"]):
        model = inputs["network"]()
        gradients_left(model)
        x = torch.randn(inputs["n"], 4)
        y = mostly_right(model, x)
        before = states(model)
        accuracy = number(fn(model=model, x=x, y=y))
        ears = [heard for m in model.modules() if isinstance(m, Ear) for heard in m.heard]
        held, grads = map(equal, before, states(model))
        return {"accuracy": accuracy, UNCHANGED: "as they were" if held else "changed", GRADS: "as it was" if grads else "changed",
                GRAPH: "yes" if any(ears) else "no",
                "modules in training mode afterwards": listed(name or "the model" for name, m in model.named_modules() if m.training),
                "gradient mode afterwards": "on" if torch.is_grad_enabled() else "off"}


repair_04 = Exercise("repair_04", CHAPTER, ("accuracy",), read="12.7", probe=measured, tolerances={"accuracy": single_precision})


def right_share(logits, y):
    return sum(row.tolist().index(max(row.tolist())) == label for row, label in zip(logits.detach(), y.tolist())) / len(y)


@repair_04.oracle
def by_a_resting_copy(model, x, y):
    return right_share(copy.deepcopy(model).eval()(x), y)


def trial(g, network, n=60):
    return dict(network=network, n=n, seed=whole(g, 0, 10**6))


@repair_04.case(note="the whole model in training mode")
def in_training(g):
    return trial(g, all_training)


@repair_04.case(note="a block inside the model rests in evaluation mode, but for its dropout")
def with_a_resting_block(g):
    return trial(g, frozen_batch_norm)


@repair_04.case(note="the whole model in evaluation mode")
def at_rest(g):
    return trial(g, all_resting)


@repair_04.case(note="the model in evaluation mode, two modules inside in training mode")
def top_at_rest(g):
    return trial(g, top_rests)


def look(model, x, y, *, mode=False, graph=False, count=right_share):
    """Accuracy in a mode, with or without graph; the modes are not put back. mode None leaves them as they are."""
    if mode is not None:
        model.train(mode)
    with torch.set_grad_enabled(graph):
        return count(model(x), y)


def put_back(model, modes):
    for each, kept in zip(model.modules(), modes):
        each.training = kept


def modes_of(model):
    return [module.training for module in model.modules()]


def measures(message, restore=put_back):
    """Decorator: a misconception about the measurement, that puts the modes back; `turn()` returns how `look` differs."""
    def add(turn):
        def wrong(model, x, y):
            modes = modes_of(model)
            accuracy = look(model, x, y, **turn())
            restore(model, modes)
            return accuracy

        return repair_04.misconception(message)(named(turn.__name__, wrong))

    return add


@repair_04.misconception(
    "The model runs in the mode it is in: dropout drops, and batch norm takes the statistics of this batch and changes "
    "its running ones. If you have set `model.training`: that is the flag of the outermost module alone.")
def mode_as_it_is(model, x, y):
    return look(model, x, y, mode=None)


@measures(
    "The mode is right, and a graph is built in the forward pass: it holds the memory of every layer until it is let "
    "go. Taking the result out of the graph afterwards is too late.")
def graph_kept():
    return dict(graph=True)


@repair_04.misconception(
    "The model is left in evaluation mode: the next training step would train without dropout and with old statistics.")
def left_in_evaluation(model, x, y):
    return look(model, x, y)


@repair_04.misconception(
    "The whole model is put into training mode afterwards. Some modules rested before, on purpose: each gets back its "
    "own mode.")
def all_put_into_training(model, x, y):
    accuracy = look(model, x, y)
    model.train()
    return accuracy


@repair_04.misconception(
    "Every module gets back the mode of the whole model. `model.training` is the mode of the outermost module only: "
    "keep that of each.")
def mode_of_the_outermost(model, x, y):
    mode = model.training
    accuracy = look(model, x, y)
    model.train(mode)
    return accuracy


@repair_04.misconception(
    "The modes of the model's direct children are put back, each with everything inside it. Modules inside modules "
    "have modes of their own.")
def modes_of_children(model, x, y):
    mode, below = model.training, [child.training for child in model.children()]
    accuracy = look(model, x, y)
    model.training = mode
    for child, its in zip(model.children(), below):
        child.train(its)
    return accuracy


@measures(
    "The model runs in training mode. Measure in evaluation mode: dropout rests, batch norm uses its running "
    "statistics.")
def measured_in_training():
    return dict(mode=True)


@measures("That is the share of errors. Accuracy is the share that is right.")
def share_of_errors():
    return dict(count=lambda z, y: 1 - right_share(z, y))


@measures("That is a number of examples. Accuracy is a share.")
def number_right():
    return dict(count=lambda z, y: len(y) * right_share(z, y))


@measures("That is a percentage. Accuracy is a share between 0 and 1.")
def per_cent():
    return dict(count=lambda z, y: 100 * right_share(z, y))


@measures("The smallest logit is taken for the guess. It is the largest.")
def smallest_logit():
    return dict(count=lambda z, y: right_share(-z, y))


@repair_04.misconception(
    "Gradients are switched off for good: nothing after this call can train. They should rest for the measurement "
    "only.")
def gradients_off_for_good(model, x, y):
    modes = modes_of(model)
    accuracy = look(model, x, y)
    put_back(model, modes)
    torch.set_grad_enabled(False)
    return accuracy


@repair_04.misconception("The gradients are cleared. Measuring should leave `.grad` as it was.")
def gradients_cleared(model, x, y):
    modes = modes_of(model)
    accuracy = look(model, x, y)
    put_back(model, modes)
    forget(model)
    return accuracy


# 12.7 repair_05


def standardised(fn, inputs):
    """The values, whether they are in the graph, and the gradient through it."""
    leaf = inputs["x"].clone().requires_grad_()
    given = inputs | {"x": leaf}
    with torch.enable_grad():
        returned = fn(**given)
    parts = fn.parts(returned)
    attached = isinstance(returned, torch.Tensor) and returned.requires_grad
    parts["xhat: requires_grad"] = attached
    if attached:
        random_upstream = torch.randn(returned.shape, generator=seeded(314159), dtype=returned.dtype)
        parts["gradient with respect to x"] = plain(torch.autograd.grad(returned, leaf, random_upstream)[0])
    return parts


repair_05 = Exercise("repair_05", CHAPTER, ("xhat",), read="12.7", probe=standardised)


@repair_05.oracle
def by_the_operator(x, eps=1e-5):
    return F.instance_norm(x.T[None], eps=eps)[0].T


@repair_05.case(note="eps at its default")
def narrow_batch(g):
    return dict(x=normal(g, 6, 3))


@repair_05.case
def large_eps(g):
    return dict(x=0.4 * normal(g, 5, 4) + 2.0, eps=0.1)


@repair_05.case(note="not contiguous in memory")
def float32_batch(g):
    return dict(x=backwards(g, 8, 3, dtype=F32) - 1.0, eps=0.1)


def columns(message, **options):
    """Decorator: a misconception about statistics over the columns; `turn(x)` returns arguments of `standardise`."""
    def add(turn):
        return repair_05.misconception(message)(named(turn.__name__, lambda x, eps=1e-5: standardise(x, eps, **turn(x))))

    return add


@repair_05.misconception(
    "The statistics are still constants for the gradient. Mean and variance depend on every x of the batch: no "
    "`no_grad`, no `detach` on their way.")
def statistics_are_constants(x, eps=1e-5):
    return standardise(x, eps, keep=torch.Tensor.detach)


@repair_05.misconception("The mean is a constant for the gradient. It depends on every x of the batch, as the variance does.")
def mean_is_constant(x, eps=1e-5):
    variance, mean = torch.var_mean(x, 0, correction=0)
    return (x - mean.detach()) / root(variance, eps)


@repair_05.misconception("The variance is a constant for the gradient. It depends on every x of the batch, as the mean does.")
def variance_is_constant(x, eps=1e-5):
    variance, mean = torch.var_mean(x, 0, correction=0)
    return (x - mean) / root(variance.detach(), eps)


@repair_05.misconception("The whole result has left the graph: what is built on it cannot be trained.")
def result_is_constant(x, eps=1e-5):
    return by_the_operator(x.detach(), eps)


@columns("That is the unbiased variance, with N−1. Normalisers divide by N.")
def unbiased(x):
    return dict(correction=1)


@columns("eps is added to the standard deviation. It belongs to the variance, inside the root.")
def eps_outside_the_root(x):
    return dict(scale=outside)


@columns("eps is left out. A column that is constant would be divided by 0.")
def eps_forgotten(x):
    return dict(scale=no_eps)


@columns("The columns are divided by their variance. The standard deviation is its root.")
def root_left_out(x):
    return dict(scale=no_root)


@columns("The statistics are those of each row. Standardise each column, over the batch.")
def each_row(x):
    return dict(axes=[1])


@columns("There is one mean and one variance for the whole batch. Each column has its own.")
def one_for_the_whole_batch(x):
    return dict(axes=[0, 1])


@repair_05.misconception("The mean is not subtracted.")
def not_centred(x, eps=1e-5):
    return x / root(x.var(0, correction=0), eps)


@repair_05.misconception("The columns are centred and not scaled.")
def not_scaled(x, eps=1e-5):
    return x - torch.mean(x, 0)


# 12.7 repair_06

USED, REPORTED = "rate at each update", "rates returned"


def cycled(fn, inputs):
    with Scene(inputs["seed"]):
        model, optimizer, batches = class_room(**inputs)
        given = dict(epochs=inputs["epochs"], max_lr=inputs["max_lr"])
        written = ledger(optimizer)
        rates_returned = curve(fn(model=model, optimizer=optimizer, batches=batches, **given), "rates")
        return {USED: curve(written, "rates"), REPORTED: rates_returned} | training_left(model, optimizer)


repair_06 = Exercise("repair_06", CHAPTER, ("rates",), read="12.7", probe=cycled, tolerances={
    part: lambda want, inputs: 1e-9 * inputs["max_lr"] for part in (USED, REPORTED)} | TRAINED)


def cycle(model, optimizer, batches, epochs, max_lr, *, total=None, when=lambda k, n: True, noted="before",
          restart=False, keep=lambda k: False, early=False, passes=None, schedule=OneCycleLR, **options):
    """The rates of one cycle; whatever is given beside the exercise's arguments makes it wrong.

    `when(k, n)` says whether the schedule moves after step k of n a pass; `noted` when a rate is written down.
    """
    n, rates_used = len(batches), []
    scheduler = schedule(optimizer, max_lr, total_steps=total or epochs * n, **options)
    for k in range((passes or epochs) * n):
        if restart and k and k % n == 0:
            scheduler = schedule(optimizer, max_lr, total_steps=n, **options)
        if early:
            scheduler.step()
        if noted == "before":
            rates_used.append(float(optimizer.param_groups[0]["lr"]))
        slopes(model, entropy(model, *batches[k % n]), keep(k))
        optimizer.step(closure=None)
        if not early and when(k, n):
            scheduler.step()
        if noted == "after":
            rates_used.append(float(optimizer.param_groups[0]["lr"]))
    return torch.tensor(rates_used, dtype=F64)


@repair_06.oracle
def one_over_the_run(model, optimizer, batches, epochs, max_lr):
    return cycle(model, optimizer, batches, epochs, max_lr)


def course(g, network, optimizer, sizes, epochs, low, high):
    return lesson(g, network, optimizer, *sizes, epochs=epochs, max_lr=between(g, low, high))


@repair_06.case(note="SGD with momentum; batches of two sizes")
def momentum_cycle(g):
    return course(g, quick_network, fresh_one_group, (5, 5, 5, 3), 3, 0.3, 0.5)


@repair_06.case(note=f"Adam; {STALE}")
def adam_cycle(g):
    return course(g, partly_frozen, everything_stale(adam_new), (4, 4, 4), 4, 0.05, 0.1)


@repair_06.case(note="one epoch; batch norm in training mode")
def single_epoch(g):
    return course(g, batch_norm_network, fresh_one_group, (6, 6, 6, 6, 6), 1, 0.3, 0.5)


def fresh_one_group(model):
    return torch.optim.SGD(learners(model), lr=0.05, momentum=0.5)


def turns(message):
    """Decorator: a misconception; `turn(epochs, n)` returns how the cycle differs."""
    def add(turn):
        def wrong(model, optimizer, batches, epochs, max_lr):
            return cycle(model, optimizer, batches, epochs, max_lr, **turn(epochs, len(batches)))

        return repair_06.misconception(message)(named(turn.__name__, wrong))

    return add


@turns(
    "The schedule still moves once an epoch, while it was made for as many moves as there are steps: the rate never "
    "gets beyond the beginning of its rise.")
def moves_once_an_epoch(epochs, n):
    return dict(when=lambda k, n: k % n == n - 1)


@repair_06.misconception(
    "The schedule moves once an epoch, and was made for as many moves as there are epochs. Now the cycle is whole, in "
    "stairs: it should move with every step.")
def stairs(model, optimizer, batches, epochs, max_lr):
    return cycle(model, optimizer, batches, epochs, max_lr, total=epochs, when=lambda k, n: k % n == n - 1)


@turns("There is one cycle for each epoch. One cycle spans the whole run.")
def a_cycle_for_each_epoch(epochs, n):
    return dict(total=n, restart=True)


@turns(
    "The schedule is made for the steps of one epoch more than there are, so it never comes down to its end. It has "
    "epochs times batches steps.")
def an_epoch_too_long(epochs, n):
    return dict(total=(epochs + 1) * n)


@turns("The schedule is one step too long. It has exactly epochs times batches steps.")
def a_step_too_long(epochs, n):
    return dict(total=epochs * n + 1)


@turns("Each rate is written down after the schedule has moved: it is that of the next step.")
def written_down_late(epochs, n):
    return dict(noted="after")


@turns("The schedule moves before the optimizer does: the first rate is skipped, and each step uses the rate of the next.")
def schedule_first(epochs, n):
    return dict(early=True)


@turns("Momentum does not cycle. PyTorch's default lets it fall while the rate rises.")
def momentum_held(epochs, n):
    return dict(cycle_momentum=False)


@turns("The three phases of the paper are asked for. PyTorch's defaults have two.")
def three_phases(epochs, n):
    return dict(three_phase=True)


@turns("The rate rises and falls along straight lines. PyTorch's default is the cosine.")
def straight_lines(epochs, n):
    return dict(anneal_strategy="linear")


@turns("One epoch is run. There are `epochs`.")
def one_epoch_run(epochs, n):
    return dict(passes=1)


@turns("The gradients add up: `backward` adds to what stands in `.grad`. Clear it before every backward pass.")
def cycle_with_gradients_adding_up(epochs, n):
    return dict(keep=lambda k: True)


@turns("The gradients are cleared after each step only. What an earlier pass has left enters the first one.")
def cycle_with_old_gradients(epochs, n):
    return dict(keep=lambda k: k == 0)


@repair_06.misconception("The peak is the rate that the optimizer had. It should be max_lr.")
def peak_of_the_optimizer(model, optimizer, batches, epochs, max_lr):
    return cycle(model, optimizer, batches, epochs, optimizer.param_groups[0]["lr"])


@repair_06.misconception("That is a cosine from max_lr down, without the rise at the start. One cycle is asked for.")
def cosine_only(model, optimizer, batches, epochs, max_lr):
    for group in optimizer.param_groups:
        group.update(lr=max_lr, initial_lr=max_lr)
    return cycle(model, optimizer, batches, epochs, max_lr,
                 schedule=lambda optimizer, max_lr, total_steps: CosineAnnealingLR(optimizer, total_steps))


@repair_06.misconception("One rate for each epoch is returned. One for each step is asked for.")
def a_rate_for_each_epoch(model, optimizer, batches, epochs, max_lr):
    return one_over_the_run(model, optimizer, batches, epochs, max_lr)[::len(batches)]


@repair_06.misconception("The losses are returned. Asked for are the rates.")
def losses_for_rates(model, optimizer, batches, epochs, max_lr):
    scheduler, losses = OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches)), []
    for pair in list(batches) * epochs:
        losses += loop(model, optimizer, [pair])
        scheduler.step()
    return torch.stack(losses)


# 12.7 repair_07

STEPS, SCALE, GOOD = "loss of each step", "scale afterwards", "good steps that the scaler has counted"


def unit_network():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), Sharp(3.0))


def clipped(fn, inputs):
    with Scene(inputs["seed"]):
        dtype = inputs["dtype"]
        model = inputs["network"]().to(dtype)
        optimizer = inputs["optimizer"](model)
        scaler = torch.amp.GradScaler("cpu", init_scale=inputs["scale"], growth_interval=inputs.get("interval", 3))
        losses = []
        for _ in range(inputs["steps"]):
            x, y = torch.randn(6, 4).to(dtype), torch.randint(3, (6,))
            losses.append(number(fn(model=model, optimizer=optimizer, scaler=scaler, x=x, y=y, max_norm=inputs["max_norm"])))
        return {STEPS: torch.tensor(losses, dtype=F64)} | training_left(model, optimizer) | {
            SCALE: scaler.get_scale(), GOOD: int(scaler.state_dict()["_growth_tracker"])}


def clip_tolerance(want, inputs):
    """PyTorch adds 1e-6 to the norm; whatever is wrong moves a parameter by 1e-3 or more."""
    sizes = torch.as_tensor(want, dtype=F64).abs()
    return 3e-5 * max([1.0, *sizes[sizes.isfinite()].tolist()])


repair_07 = Exercise("repair_07", CHAPTER, ("loss",), read="12.7", probe=clipped, tolerances={
    STEPS: clip_tolerance, "parameters afterwards": clip_tolerance, "buffers afterwards": clip_tolerance,
    "optimizer's state afterwards": clip_tolerance})


def shorten(model, max_norm):
    """All gradients together to the length max_norm at most."""
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    size = float(flat(grads).norm())
    if not size <= max_norm:
        for grad in grads:
            grad *= max_norm / size


def clip_step(model, optimizer, scaler, x, y, max_norm, *, value=entropy, keep=False, before=None, unscale=True,
              clip=shorten, step=None, update=True):
    """One step with loss scaling; whatever is given beside the exercise's arguments makes it wrong."""
    loss = value(model, x, y)
    slopes(model, scaler.scale(loss), keep)
    if before:
        before(model, max_norm)
    if unscale:
        scaler.unscale_(optimizer=optimizer)
    if clip:
        clip(model, max_norm)
    if step:
        step(optimizer)
    else:
        scaler.step(optimizer=optimizer)
    if update:
        scaler.update(new_scale=None)
    return float(loss.detach())


@repair_07.oracle
def shortened_between(model, optimizer, scaler, x, y, max_norm):
    return clip_step(model, optimizer, scaler, x, y, max_norm)


def tour(g, optimizer, scale, max_norm, steps, dtype=F64, network=unit_network, **rest):
    return dict(network=network, optimizer=optimizer, scale=scale, max_norm=max_norm, steps=steps, dtype=dtype,
                seed=whole(g, 0, 10**6)) | rest


def overflowing_network():
    """Its loss is so large that times the scale it is infinite."""
    return nn.Sequential(nn.Linear(4, 3), Sharp(40.0))


@repair_07.case(note="one step, and it overflows")
def overflow(g):
    return tour(g, heavy_ball, 3e38, between(g, 0.3, 0.4), 1, dtype=F32, network=overflowing_network)


@repair_07.case(note="two steps; the gradients are longer than max_norm")
def long_gradients(g):
    return tour(g, plain_sgd, 1000.0, between(g, 0.15, 0.25), 2)


@repair_07.case(note=f"three steps; the gradients are shorter than max_norm; the optimizer has been used, and {STALE}")
def short_gradients(g):
    return tour(g, heavy_ball, 60.0, between(g, 40, 60), 3, interval=9)


@repair_07.case(note="three steps, and after them the scale grows")
def growing_scale(g):
    return tour(g, adam_new, 500.0, between(g, 0.3, 0.4), 3)


def clips(message):
    """Decorator: a misconception; `turn()` returns how the step differs."""
    def add(turn):
        def wrong(model, optimizer, scaler, x, y, max_norm):
            return clip_step(model, optimizer, scaler, x, y, max_norm, **turn())

        return repair_07.misconception(message)(named(turn.__name__, wrong))

    return add


@clips(
    "The true gradient is cut to max_norm divided by the scale: it is clipped while it is still scaled, and next to "
    "nothing is left of it. Unscale first.")
def clipped_while_scaled():
    return dict(before=shorten, clip=None)


@clips("Nothing is clipped before the step. Clipping after it, or before the backward pass, changes nothing.")
def not_clipped():
    return dict(clip=None)


def each_tensor(model, max_norm):
    for p in learners(model):
        p.grad *= min(1.0, max_norm / (float(p.grad.norm()) + 1e-6))


@clips("Each tensor is clipped by its own norm. The global norm keeps the direction of the whole gradient.")
def each_by_its_own_norm():
    return dict(clip=each_tensor)


def each_entry(model, max_norm):
    for p in learners(model):
        p.grad.clamp_(-max_norm, max_norm)


@clips("Each entry is clipped by itself, which turns the gradient. Clip its global norm.")
def each_entry_by_itself():
    return dict(clip=each_entry)


def always(model, max_norm):
    size = float(flat(p.grad for p in learners(model)).norm())
    for p in learners(model):
        p.grad *= max_norm / size


@clips("The gradient is brought to the length max_norm even where it is shorter. Clipping only shortens.")
def stretched_as_well():
    return dict(clip=always)


def directly(optimizer):
    optimizer.step(closure=None)


@clips("The optimizer makes the step itself: where a gradient is not finite, the weights are spoilt. Let the scaler make it.")
def steps_without_the_scaler():
    return dict(step=directly)


@clips("The scaler is not updated: after an overflow its scale stays too large for ever.")
def scaler_not_updated():
    return dict(update=False)


@clips(
    "The scale is never divided out: the optimizer sees scaled gradients, cut to max_norm. And where a gradient is not "
    "finite the step is made all the same.")
def never_divided_out():
    return dict(unscale=False, step=directly, update=False)


@repair_07.misconception("The scale is divided out twice: the scaler has done it, and so has a line by hand.")
def divided_out_twice(model, optimizer, scaler, x, y, max_norm):
    def again(model, max_norm):
        for p in learners(model):
            p.grad /= scaler.get_scale()
        shorten(model, max_norm)

    return clip_step(model, optimizer, scaler, x, y, max_norm, clip=again)


@repair_07.misconception(
    "The gradients are divided by the scale by hand, and the scaler's step divides once more: it does not know. Leave "
    "the division to the scaler, which remembers it.")
def divided_by_hand_and_again(model, optimizer, scaler, x, y, max_norm):
    def by_hand(model, max_norm):
        for p in learners(model):
            p.grad /= scaler.get_scale()
        shorten(model, max_norm)

    return clip_step(model, optimizer, scaler, x, y, max_norm, unscale=False, clip=by_hand)


@repair_07.misconception(
    "The scaler is left out. The loss is to be scaled, and the step skipped where a gradient is not finite.")
def scaler_left_out(model, optimizer, scaler, x, y, max_norm):
    loss = entropy(model, x, y)
    slopes(model, loss)
    shorten(model, max_norm)
    directly(optimizer)
    return float(loss.detach())


@repair_07.misconception("The scaled loss is returned. The scale is for the backward pass; return the loss without it.")
def scaled_loss_returned(model, optimizer, scaler, x, y, max_norm):
    scale = scaler.get_scale()
    return float(scale * torch.tensor(clip_step(model, optimizer, scaler, x, y, max_norm), dtype=x.dtype))


@repair_07.misconception("That is the loss after the step. Asked for is the one that was differentiated.")
def loss_after_the_step(model, optimizer, scaler, x, y, max_norm):
    clip_step(model, optimizer, scaler, x, y, max_norm)
    return float(entropy(model, x, y).detach())


@clips("The gradients add up: `backward` adds to what stands in `.grad`, and what is there is not even scaled.")
def old_gradients_enter():
    return dict(keep=True)


@repair_07.misconception(
    "The gradients are cleared at the end of the step only. Those of an earlier pass enter the first one.")
def cleared_at_the_end_only(model, optimizer, scaler, x, y, max_norm):
    loss = clip_step(model, optimizer, scaler, x, y, max_norm, keep=True)
    forget(model)
    return loss


@clips("The loss is summed over the batch. Cross-entropy is a mean here.")
def sum_of_the_batch():
    return dict(value=summed)


# 12.7 repair_08

SHRINK, HELD, MODEL = "parameters that shrink without a gradient", "parameters of the optimizer", "the model afterwards"
SHARE, MOVES = "share of itself that a decayed weight loses in a step", "parameters after three steps"


class Block(nn.Module):
    """Names that say little about what they name."""

    def __init__(self):
        super().__init__()
        self.first = nn.LayerNorm(4)
        self.norm_free = nn.Sequential(nn.Linear(4, 4), nn.GroupNorm(2, 4))
        self.debias = nn.Linear(4, 4, bias=False)
        self.gain = nn.Parameter(torch.ones(4))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.scale = nn.RMSNorm(4)
        self.plane = nn.LayerNorm((3, 4))


def around_batch_norm():
    return nn.Sequential(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3), nn.Flatten(), nn.PReLU(), nn.Linear(6, 4, bias=False))


def misleading_names():
    return nn.Sequential(Block(), nn.InstanceNorm1d(4, affine=True))


def decayed(fn, inputs):
    """Three steps along random gradients and one without any, of an optimizer that was made for this model."""
    with Scene(inputs["seed"]):
        model = inputs["network"]().double()
        for p in model.parameters():
            p.data += 0.5 * torch.randn_like(p)
        before = inventory(model)
        optimizer = fn(model=model, lr=inputs["lr"], wd=inputs["wd"])
        same = unchanged(before, inventory(model))
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise Misfit(f"returned {kind_of(optimizer)}, expected a torch optimizer")
        names = {id(p): name for name, p in model.named_parameters()}
        held = [names.get(id(p), "a stranger") for group in optimizer.param_groups for p in group["params"]]
        parts = {MODEL: "as it was" if same else "changed", HELD: listed(sorted(held))}
        gradients = [[torch.randn_like(p) for p in model.parameters()] for _ in range(3)]
        return parts | shrinking(model, optimizer) | {MOVES: moved(model, optimizer, gradients)}


def shrinking(model, optimizer):
    """What a step without gradient takes away, from which parameters, and which share; the step is taken back."""
    kept = [p.detach().clone() for p in model.parameters()]
    blank(model)
    optimizer.step()
    lost = {name: (old - p.detach()) / old for (name, p), old in zip(model.named_parameters(), kept) if not torch.equal(p, old)}
    for p, old in zip(model.parameters(), kept):
        p.data.copy_(old)
    optimizer.state.clear()
    shares_lost = flat(lost.values())
    return {SHRINK: f"{listed(lost)}{how_they_shrink(shares_lost)}", SHARE: float(shares_lost.median()) if lost else 0.0}


def how_they_shrink(shares_lost):
    if not len(shares_lost):
        return ""
    kinds = shares_lost.round(decimals=9).unique()
    return ", by one share of themselves" if len(kinds) == 1 else ", by two shares of themselves" if len(kinds) == 2 else ", not by a share"


def moved(model, optimizer, gradients):
    for step in gradients:
        for p, slope in zip(model.parameters(), step):
            p.grad = slope.clone()
        optimizer.step()
    return flat(model.parameters())


repair_08 = Exercise("repair_08", CHAPTER, ("optimizer",), read="12.7", probe=decayed, tolerances={MOVES: by_dtype})


def spared(model, normaliser=normalises, bias=lambda name: "bias" in own(name)):
    """The parameters that do not decay."""
    inside = {id(p) for m in model.modules() if normaliser(m) for p in m.parameters(recurse=False)}
    return [id(p) for name, p in model.named_parameters() if id(p) in inside or bias(name)]


def two_sorts(model, free):
    return [[p for p in model.parameters() if (id(p) in free) == sort] for sort in (False, True)]


def decoupled(model, lr, wd, free, rest=0.0, kind=torch.optim.AdamW, **options):
    """One of Adam's kind; `rest` is the decay of the parameters in `free`."""
    decaying, others = two_sorts(model, free)
    groups = [dict(params=params, weight_decay=decay) for params, decay in ((decaying, wd), (others, rest)) if params]
    return kind(groups, lr=lr, **options)


@repair_08.oracle
def one_group_each(model, lr, wd):
    """A group for every parameter, decoupled by Adam's own switch."""
    free = spared(model)
    return torch.optim.Adam([dict(params=[p], weight_decay=0.0 if id(p) in free else wd) for p in model.parameters()], lr=lr,
                            decoupled_weight_decay=True)


def plan(g, network):
    return dict(network=network, lr=between(g, 0.05, 0.1), wd=between(g, 0.3, 0.6), seed=whole(g, 0, 10**6))


@repair_08.case(note="convolution, batch norm, PReLU and a linear layer")
def batch_norm_model(g):
    return plan(g, around_batch_norm)


@repair_08.case(note="names that mislead: `norm_free`, `debias`, `gain`; layer, group and instance norm")
def misleading_model(g):
    return plan(g, misleading_names)


@repair_08.case(note="embedding, attention with `in_proj_bias`, RMS norm, and a layer norm over two dimensions")
def attention_model(g):
    return plan(g, Attention)


def prepares(message):
    """Decorator: a misconception about the optimizer; a function of (model, lr, wd)."""
    return lambda wrong: repair_08.misconception(message)(wrong)


@prepares(
    "That is still Adam with the penalty inside: `weight_decay` is added to the gradient, and divided away by Adam's "
    "second moment. And it pulls at every bias and gain.")
def penalty_over_all(model, lr, wd):
    return torch.optim.Adam(model.parameters(), lr=lr, weight_decay=wd)


@prepares(
    "The right parameters are chosen, but the penalty still goes through Adam's moments: the step hardly depends on "
    "it. Decouple the decay.")
def penalty_on_weights(model, lr, wd):
    return decoupled(model, lr, wd, spared(model), kind=torch.optim.Adam)


@prepares("The decay is decoupled, and every parameter has it. Biases and the gains of normalisers should not decay.")
def everything_decays(model, lr, wd):
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=wd)


@prepares("The second group has no decay of its own, so it gets PyTorch's default of 0.01. Say that it is 0.")
def default_decay_on_the_rest(model, lr, wd):
    return decoupled(model, lr, wd, spared(model), rest=0.01)


@prepares("One normaliser is overlooked: instance norm. With `affine=True` it has gains.")
def instance_norm_overlooked(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: normalises(m) and not isinstance(m, nn.InstanceNorm1d)))


@prepares("One normaliser is overlooked: RMS norm. It centres nothing, and has a gain all the same.")
def rms_norm_overlooked(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: normalises(m) and not isinstance(m, nn.RMSNorm)))


@prepares(
    "Batch and layer norm count as normalisers there; the others do not. Group, instance and RMS norm have gains as "
    "well.")
def batch_and_layer_norm_only(model, lr, wd):
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: isinstance(m, kinds)))


@prepares("Only batch norm counts as a normaliser there. Layer, group, instance and RMS norm have gains as well.")
def batch_norm_only(model, lr, wd):
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: isinstance(m, kinds)))


@prepares("The gains of the normalisers decay. Only the biases are spared.")
def gains_decay(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: False))


@prepares("The biases of other layers decay. Only the normalisers are spared.")
def biases_decay(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, bias=lambda name: False))


@prepares(
    "That goes by the number of dimensions, as nanoGPT does: vectors are spared, matrices decay. Here the kind of "
    "module and the name decide, and some normalisers hold matrices.")
def by_dimension(model, lr, wd):
    return decoupled(model, lr, wd, [id(p) for p in model.parameters() if p.ndim < 2])


@prepares("That looks for “norm” in the names. A name is what its author liked; ask what kind of module a parameter sits in.")
def norm_in_the_name(model, lr, wd):
    return decoupled(model, lr, wd, [id(p) for name, p in model.named_parameters() if "norm" in name or "bias" in own(name)])


@prepares("“bias” is looked for in the whole path. A layer may be called so; the parameter's own name is the last part.")
def bias_in_the_path(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, bias=lambda name: "bias" in name))


@prepares(
    "Only parameters called exactly “bias” are spared. A name that contains the word counts too, such as "
    "`in_proj_bias`.")
def called_exactly_bias(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, bias=lambda name: own(name) == "bias"))


@prepares("The two groups are exchanged: biases and gains decay, weights do not.")
def groups_exchanged(model, lr, wd):
    free = spared(model)
    return decoupled(model, lr, wd, [id(p) for p in model.parameters() if id(p) not in free])


@prepares("The parameters that do not decay are missing: they would never be trained. They belong in a group without decay.")
def rest_left_out(model, lr, wd):
    decaying, _ = two_sorts(model, spared(model))
    return torch.optim.AdamW(decaying, lr=lr, weight_decay=wd)


@prepares("Nothing decays: wd has no effect.")
def nothing_decays(model, lr, wd):
    return torch.optim.Adam(model.parameters(), lr=lr)


@prepares("The decay is PyTorch's default of 0.01. Pass wd on.")
def default_decay(model, lr, wd):
    return decoupled(model, lr, 0.01, spared(model))


@prepares("The rate is PyTorch's default of 0.001. Pass lr on.")
def default_rate(model, lr, wd):
    return decoupled(model, 1e-3, wd, spared(model))


@prepares("wd is multiplied by lr before it is given to AdamW, which multiplies by lr itself.")
def rate_twice(model, lr, wd):
    return decoupled(model, lr, lr * wd, spared(model))


@prepares("wd is divided by lr: that undoes the product which AdamW makes. Here a decayed weight shrinks by lr·wd of itself.")
def rate_divided_out(model, lr, wd):
    return decoupled(model, lr, wd / lr, spared(model))


@prepares("That is SGD. Adam's step is asked for, with a decay beside it.")
def sgd_for_adam(model, lr, wd):
    return decoupled(model, lr, wd, spared(model), kind=torch.optim.SGD)


# 12.7 repair_09

SEEN = "images that augment was given"


def darker_mirror(images):
    """Mirrored, and half as bright on a grey ground."""
    return 0.5 * images.flip(-1) + 0.7


def one_to_the_left(images):
    """Moved by one pixel; zeros come in."""
    return F.pad(images[..., 1:], (0, 1))


def prepared(fn, inputs):
    seen = []

    def augment(images):
        seen.append(bool(torch.isclose(images, inputs["train_images"]).all()) if images.shape == inputs["train_images"].shape else False)
        return inputs["augment"](images)

    parts = fn.parts(fn(**inputs | {"augment": augment}))
    given = "none" if not seen else "the training images as they came" if all(seen) else "others as well"
    return {"val": parts["val"], "train": parts["train"], SEEN: given}


repair_09 = Exercise("repair_09", CHAPTER, ("train", "val"), read="12.7", probe=prepared)


def scale_of(images, correction=0):
    """One mean and one standard deviation of all pixels, by sums."""
    pixels_of_all = images.to(F64).flatten()
    mean = pixels_of_all.sum() / len(pixels_of_all)
    return mean, ((pixels_of_all - mean).square().sum() / (len(pixels_of_all) - correction)).sqrt()


def scaled_by(images, scale):
    mean, deviation = scale
    return ((images.to(F64) - mean) / deviation).to(images)


@repair_09.oracle
def by_the_untouched_ones(train_images, val_images, augment):
    scale = scale_of(train_images)
    return scaled_by(augment(train_images), scale), scaled_by(val_images, scale)


def pictures(g, augment, *shapes, dtype=F64):
    """Validation images are brighter and have more contrast."""
    train, val = (torch.rand(shape, generator=g, dtype=dtype) for shape in shapes)
    return dict(train_images=3 * train + between(g, 0.5, 1), val_images=5 * val + between(g, 2, 3), augment=augment)


@repair_09.case
def mirrored(g):
    return pictures(g, darker_mirror, (4, 3, 5), (3, 3, 5))


@repair_09.case
def moved_by_one(g):
    return pictures(g, one_to_the_left, (3, 4, 4), (5, 4, 4), dtype=F32)


def treats(message):
    """Decorator: a misconception about how the images are prepared."""
    return lambda wrong: repair_09.misconception(message)(wrong)


@treats(
    "The training images have the statistics of their augmented version, the validation images those of the plain one. "
    "One scale for both.")
def two_scales(train_images, val_images, augment):
    train = augment(train_images)
    return scaled_by(train, scale_of(train)), scaled_by(val_images, scale_of(train_images))


@treats(
    "The validation images are still augmented and normalised by their own statistics. Augmentation is for training; "
    "and a network knows only the scale it was trained on.")
def as_broken(train_images, val_images, augment):
    train, val = augment(train_images), augment(val_images)
    return scaled_by(train, scale_of(train, 1)), scaled_by(val, scale_of(val, 1))


@treats(
    "Nothing but the kind of variance has changed: the validation images are still augmented and normalised by their "
    "own statistics.")
def as_broken_with_biased_variance(train_images, val_images, augment):
    train, val = augment(train_images), augment(val_images)
    return scaled_by(train, scale_of(train)), scaled_by(val, scale_of(val))


@treats(
    "The validation images are normalised by their own statistics. They get those of the training images: what is "
    "brighter than training should look brighter.")
def validation_by_its_own(train_images, val_images, augment):
    return scaled_by(augment(train_images), scale_of(train_images)), scaled_by(val_images, scale_of(val_images))


@treats("The validation images are augmented. They stand for what the network will meet: leave them as they are.")
def validation_augmented(train_images, val_images, augment):
    scale = scale_of(train_images)
    return scaled_by(augment(train_images), scale), scaled_by(augment(val_images), scale)


@treats(
    "The statistics are those of the augmented images. They would change with every draw: take those of the training "
    "images as they came.")
def statistics_of_the_augmented(train_images, val_images, augment):
    train = augment(train_images)
    return scaled_by(train, scale_of(train)), scaled_by(val_images, scale_of(train))


@treats(
    "The statistics are taken over training and validation images together. Nothing of the validation set may enter "
    "training.")
def statistics_of_both(train_images, val_images, augment):
    scale = scale_of(torch.cat([train_images, val_images]))
    return scaled_by(augment(train_images), scale), scaled_by(val_images, scale)


@treats(
    "The images are standardised first and augmented afterwards. Zeros that come in are then grey, not black: augment "
    "pixels.")
def standardised_first(train_images, val_images, augment):
    scale = scale_of(train_images)
    return augment(scaled_by(train_images, scale)), scaled_by(val_images, scale)


@treats("The training images are not augmented.")
def nothing_augmented(train_images, val_images, augment):
    scale = scale_of(train_images)
    return scaled_by(train_images, scale), scaled_by(val_images, scale)


@treats("That is the unbiased standard deviation, PyTorch's default. The docstring asks for the biased one.")
def unbiased_deviation(train_images, val_images, augment):
    scale = scale_of(train_images, 1)
    return scaled_by(augment(train_images), scale), scaled_by(val_images, scale)


@treats("Each image is standardised by itself: what tells a bright image from a dark one is lost. One scale for all.")
def each_image(train_images, val_images, augment):
    def alone(images):
        return torch.stack([scaled_by(image, scale_of(image)) for image in images])

    return alone(augment(train_images)), alone(val_images)


@treats("Each pixel has a mean and a deviation of its own. One scale for all pixels is asked for.")
def each_pixel(train_images, val_images, augment):
    variance, mean = torch.var_mean(train_images, 0, correction=0)
    return (augment(train_images) - mean) / variance.sqrt(), (val_images - mean) / variance.sqrt()


@treats("The images are divided by the variance. The standard deviation is its root.")
def divided_by_the_variance(train_images, val_images, augment):
    mean, deviation = scale_of(train_images)
    return scaled_by(augment(train_images), (mean, deviation**2)), scaled_by(val_images, (mean, deviation**2))


@treats("The validation images are not standardised. They get the scale of the training images.")
def validation_as_it_came(train_images, val_images, augment):
    return scaled_by(augment(train_images), scale_of(train_images)), val_images.clone()


@treats("The images are centred and not scaled.")
def centred_only(train_images, val_images, augment):
    mean, _ = scale_of(train_images)
    return scaled_by(augment(train_images), (mean, 1.0)), scaled_by(val_images, (mean, 1.0))


# 12.7 repair_10

RATE, WAY = "rate of the param groups", "way of the parameters along a gradient of ones, in two steps"


def scaled_rate(fn, inputs):
    """The rate, and what two steps along a gradient of ones do."""
    with Scene(inputs["seed"]):
        model = inputs["network"]().double()
        before = inventory(model)
        optimizer = fn(model=model, **{key: inputs[key] for key in ("batch_size", "base_lr", "base_batch_size")})
        same = unchanged(before, inventory(model))
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise Misfit(f"returned {kind_of(optimizer)}, expected torch.optim.SGD")
        names = {id(p): name for name, p in model.named_parameters()}
        held = [names.get(id(p), "a stranger") for group in optimizer.param_groups for p in group["params"]]
        rates_held = sorted({float(group["lr"]) for group in optimizer.param_groups})
        start = flat(model.parameters())
        for _ in range(2):
            for p in model.parameters():
                p.grad = torch.ones_like(p)
            optimizer.step()
        kind = "SGD" if isinstance(optimizer, torch.optim.SGD) else type(optimizer).__name__
        return {RATE: rates_held[0] if len(rates_held) == 1 else torch.tensor(rates_held, dtype=F64), HELD: listed(sorted(held)),
                WAY: start - flat(model.parameters()), "kind": kind, MODEL: "as it was" if same else "changed"}


repair_10 = Exercise("repair_10", CHAPTER, ("optimizer",), read="12.7", probe=scaled_rate, tolerances={
    RATE: lambda want, inputs: 1e-9 * inputs["base_lr"], WAY: lambda want, inputs: 1e-9 * max(1.0, float(want.abs().max()))})


@repair_10.oracle
def same_way_per_example(model, batch_size, base_lr, base_batch_size):
    """As many times the tuned rate per example as the batch has examples."""
    return torch.optim.SGD(model.parameters(), lr=math.fsum([base_lr / base_batch_size] * batch_size))


def order(g, batch_size, base_batch_size):
    return dict(network=quick_network, batch_size=batch_size, base_lr=between(g, 0.05, 0.2), base_batch_size=base_batch_size,
                seed=whole(g, 0, 10**6))


@repair_10.case
def larger_batch(g):
    return order(g, 8 * 32, 32)


@repair_10.case
def smaller_batch(g):
    return order(g, 48, 128)


@repair_10.case
def no_multiple(g):
    return order(g, 112, 64)


def scales(message):
    """Decorator: a misconception about the factor, a function of batch_size and base_batch_size."""
    def add(factor):
        def wrong(model, batch_size, base_lr, base_batch_size):
            return torch.optim.SGD(model.parameters(), lr=base_lr * factor(batch_size, base_batch_size))

        return repair_10.misconception(message)(named(factor.__name__, wrong))

    return add


@scales("The rate grows with larger batches and does not fall with smaller ones. The rule holds both ways.")
def never_smaller(batch_size, base):
    return max(1.0, batch_size / base)


@scales(
    "The rate still does not follow the batch size: with larger batches there are fewer steps in an epoch, and each is "
    "as long as before.")
def rate_as_it_was(batch_size, base):
    return 1.0


@scales(
    "That is the square-root rule, which keeps the size of the noise in a step, and is used with Adam. The linear rule "
    "keeps the way per epoch.")
def square_root(batch_size, base):
    return math.sqrt(batch_size / base)


@scales("The ratio is upside down: a larger batch should get a larger rate.")
def ratio_inverted(batch_size, base):
    return base / batch_size


@scales("The ratio is rounded down to a whole number. Batch sizes are no multiples of each other.")
def whole_ratio(batch_size, base):
    return batch_size // base


@scales("The ratio is rounded to a whole number. Batch sizes are no multiples of each other.")
def rounded_ratio(batch_size, base):
    return round(batch_size / base)


@scales("The rate is multiplied by the batch size. What counts is its ratio to the one at which the rate was tuned.")
def by_the_batch_size(batch_size, base):
    return batch_size


@scales("The ratio is squared. The rule is linear.")
def squared_ratio(batch_size, base):
    return (batch_size / base) ** 2


@scales("The rate grows with the logarithm of the ratio. The rule is linear.")
def logarithm_of_ratio(batch_size, base):
    return 1 + math.log2(batch_size / base) if batch_size > base else batch_size / base


@repair_10.misconception(
    "The rate is scaled, and momentum added. Plain SGD is asked for: momentum lengthens the steps once more.")
def with_momentum(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size / base_batch_size, momentum=0.9)


@repair_10.misconception("The rate is scaled, and a decay added. Plain SGD is asked for.")
def with_decay(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size / base_batch_size, weight_decay=1e-4)


@repair_10.misconception("That is Adam. SGD is asked for: the linear rule is one of SGD.")
def adam_for_sgd(model, batch_size, base_lr, base_batch_size):
    return torch.optim.Adam(model.parameters(), lr=base_lr * batch_size / base_batch_size)


@repair_10.misconception("The optimizer holds the weights only. All parameters should be trained.")
def weights_only_held(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD([p for p in model.parameters() if p.ndim > 1], lr=base_lr * batch_size / base_batch_size)
