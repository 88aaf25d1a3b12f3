"""Checks of chapter 12: what to measure on a run that fails; the repairs stand in `ch12_repairs`.

Losses at the start come from PyTorch's own cross-entropy, norms from singular values, shares from sorting.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from .ch01_generalization import Sampled, alike, draw_after_seed, seeded
from .ch06_scale_invariance import between, named, normal
from .ch08_weight_decay import inventory, own, unchanged
from .ch10_one_cycle import left_behind, listed, number, whole
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
