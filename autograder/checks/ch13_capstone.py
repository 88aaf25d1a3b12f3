"""Checks of chapter 13: the calibration error, and training within a budget.

The calibration error is worked out example by example in rational arithmetic. Trained networks are judged
by what they say on images that `train` never met. In the visible case those images are at hand. In a hidden
case they stay with the verdict: only weights come out of the probe, and the verdict runs the network itself.
"""

import contextlib
from collections import Counter
from fractions import Fraction
from functools import lru_cache
from math import ceil

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils import flop_counter
from torch.utils._python_dispatch import TorchDispatchMode

from .compare import tolerance
from .exercise import Exercise
from .probe import Misfit, kind_of

CHAPTER = "13_capstone"
F32, F64 = torch.float32, torch.float64


# 13.3 expected_calibration_error

expected_calibration_error = Exercise("expected_calibration_error", CHAPTER, returns=("error",), read="13.3")


def chances(g, n, classes, dtype=F64, sharp=2.0):
    """Rows that sum to 1; the larger `sharp`, the surer."""
    return (sharp * torch.randn(n, classes, generator=g, dtype=F64)).softmax(1).to(dtype)


def classes(g, n, count):
    return torch.randint(count, (n,), generator=g)


def surest(probabilities):
    """(confidence, prediction) of each example."""
    return probabilities.max(1)


def bin_of(confidence, bins):
    """Which of 1 … bins holds an exact number: the m with (m - 1)/bins < confidence <= m/bins."""
    return ceil(Fraction(confidence) * bins)


@expected_calibration_error.oracle
def exact_fractions(probabilities, labels, bins=15):
    gaps = Counter()
    for row, label in zip(probabilities.tolist(), labels.tolist()):
        confidence = max(row)
        gaps[bin_of(confidence, bins)] += Fraction(confidence) - (row.index(confidence) == label)
    return float(sum(map(abs, gaps.values())) / len(labels))


@expected_calibration_error.case
def forty_examples(g):
    return dict(probabilities=chances(g, 40, 6), labels=classes(g, 40, 6))


@expected_calibration_error.case(note="most answers are right, and none is sure")
def few_bins(g):
    chance = chances(g, 30, 3, F32, 1.0)
    labels = torch.where(torch.rand(30, generator=g) < 0.9, surest(chance)[1], classes(g, 30, 3))
    return dict(probabilities=chance, labels=labels, bins=5)


def on_the_edges(g, bins, *tops):
    """Confidences that lie exactly on edges of the bins, and right or wrong in turn."""
    top = torch.tensor(tops, dtype=F64)
    rows = torch.stack([top, 1 - top], 1)
    flip = torch.rand(len(tops), generator=g) < 0.5
    return dict(probabilities=torch.where(flip[:, None], rows.flip(1), rows), labels=torch.arange(len(tops)) % 2, bins=bins)


@expected_calibration_error.case(note="confidences on the edges of the bins")
def edges(g):
    return on_the_edges(g, 8, 0.625, 0.7, 0.75, 0.8, 0.875, 0.9, 1.0)


def believed_error(message, read="13.3"):
    """Decorator: a misconception written as `fn(confidence, right, place, bins)` with float64 vectors."""
    def add(fn):
        def wrong(probabilities, labels, bins=15):
            confidence, guess = surest(probabilities.to(F64))
            place = (confidence * bins).ceil().long().clamp(1, bins) - 1
            return float(fn(confidence, (guess == labels).to(F64), place, bins))

        wrong.__name__ = fn.__name__
        return expected_calibration_error.misconception(message, read)(wrong)

    return add


def bin_sums(values, place, bins):
    return torch.zeros(bins, dtype=F64).index_add_(0, place, values)


def filled(confidence, right, place, bins):
    """Size and mean gap of each bin that holds examples."""
    size = bin_sums(torch.ones_like(confidence), place, bins)
    held = size > 0
    return size[held], bin_sums(confidence - right, place, bins)[held] / size[held]


@believed_error("All bins weigh the same. A bin with one example should not count as much as one with a hundred: weigh each by the "
                "share of examples in it.")
def bins_weigh_the_same(confidence, right, place, bins):
    return filled(confidence, right, place, bins)[1].abs().mean()


@believed_error("The sum over filled bins is divided by the number of all bins. Weigh each by the share of examples in it.")
def divided_by_all_bins(confidence, right, place, bins):
    return filled(confidence, right, place, bins)[1].abs().sum() / bins


@believed_error("The gaps are added with their signs. Bins that are too sure then cancel bins that are not sure enough.")
def signs_kept(confidence, right, place, bins):
    return (confidence - right).mean()


@believed_error("That is the absolute value of the mean gap over all examples. Bins that are too sure then cancel bins that are not "
                "sure enough: take the absolute value in each bin.")
def absolute_value_at_the_end(confidence, right, place, bins):
    return (confidence - right).mean().abs()


@believed_error("The absolute value is taken example by example. One example is right or wrong, so its gap is 0 only where it is right "
                "and certain; the mean of a bin can agree with its accuracy.")
def one_example_a_bin(confidence, right, place, bins):
    return (confidence - right).abs().mean()


@believed_error("That is the largest gap of any bin, the maximum calibration error. The expected one is a weighted mean over bins.")
def largest_gap(confidence, right, place, bins):
    return filled(confidence, right, place, bins)[1].abs().max()


@believed_error("The gaps are squared. The expected calibration error averages their absolute values.")
def gaps_squared(confidence, right, place, bins):
    size, gap = filled(confidence, right, place, bins)
    return (size * gap.square()).sum() / size.sum()


@believed_error("That is the root of the mean squared gap. The expected calibration error averages absolute values.")
def root_mean_square(confidence, right, place, bins):
    return gaps_of_squares(confidence, right, place, bins).sqrt()


def gaps_of_squares(confidence, right, place, bins):
    size, gap = filled(confidence, right, place, bins)
    return (size / size.sum()) @ gap**2


@believed_error("The middle of each bin stands for its confidence. Take the mean confidence of the examples in it.")
def middle_of_the_bin(confidence, right, place, bins):
    return bin_sums((place.to(F64) + 0.5) / bins - right, place, bins).abs().sum() / len(right)


@believed_error("A confidence on an edge falls into the bin above it. Here bins hold their upper edge, not the lower one.")
def lower_edge_held(confidence, right, place, bins):
    above = (confidence * bins).floor().long().clamp(0, bins - 1)
    return bin_sums(confidence - right, above, bins).abs().sum() / len(right)


@believed_error("The last bin leaves out a confidence of exactly 1. Its upper edge belongs to it.")
def certainty_left_out(confidence, right, place, bins):
    return bin_sums((confidence - right) * (confidence < 1), place, bins).abs().sum() / len(right)


@believed_error("The bins hold equally many examples. Here they are equally wide, from 0 to 1.")
def bins_of_equal_size(confidence, right, place, bins):
    order = confidence.argsort()
    return sum((confidence - right)[part].sum().abs() for part in order.tensor_split(bins)) / len(right)


@believed_error("The bins divide the range from the least to the greatest confidence met. Here they divide 0 to 1, whatever the data.")
def bins_between_extremes(confidence, right, place, bins):
    low, high = confidence.min(), confidence.max()
    own = ((confidence - low) / (high - low) * bins).ceil().long().clamp(1, bins) - 1
    return bin_sums(confidence - right, own, bins).abs().sum() / len(right)


@believed_error("There are 15 bins whatever `bins` says.")
def always_fifteen(confidence, right, place, bins):
    return bin_sums(confidence - right, (confidence * 15).ceil().long().clamp(1, 15) - 1, 15).abs().sum() / len(right)


@believed_error("There are 10 bins whatever `bins` says; the default is 15.")
def always_ten(confidence, right, place, bins):
    return bin_sums(confidence - right, (confidence * 10).ceil().long().clamp(1, 10) - 1, 10).abs().sum() / len(right)


@believed_error("The error is given in per cent. It is a number from 0 to 1.")
def in_per_cent(confidence, right, place, bins):
    return 100 * bin_sums(confidence - right, place, bins).abs().sum() / len(right)


@believed_error("The sum over examples is not divided by their number.")
def not_divided(confidence, right, place, bins):
    return bin_sums(confidence - right, place, bins).abs().sum()


@expected_calibration_error.misconception(
    "The probability of the label stands for the confidence. Confidence is what the network gives to its own answer, right or wrong.")
def probability_of_the_label(probabilities, labels, bins=15):
    chance, right = probabilities.to(F64).gather(1, labels[:, None])[:, 0], (probabilities.argmax(1) == labels).to(F64)
    return float(bin_sums(chance - right, (chance * bins).ceil().long().clamp(1, bins) - 1, bins).abs().sum() / len(labels))


@expected_calibration_error.misconception(
    "All classes' probabilities are binned, each against whether that class was the label. Here only the prediction counts.")
def all_classes(probabilities, labels, bins=15):
    chance = probabilities.to(F64)
    right = F.one_hot(labels, chance.shape[1]).to(F64)
    place = (chance * bins).ceil().long().clamp(1, bins) - 1
    gaps = [bin_sums((chance - right)[:, c], place[:, c], bins).abs().sum() / len(labels) for c in range(chance.shape[1])]
    return float(sum(gaps) / len(gaps))


@expected_calibration_error.misconception(
    "A softmax is applied first. The argument holds probabilities already.")
def softmax_again(probabilities, labels, bins=15):
    return exact_fractions(probabilities.to(F64).softmax(1), labels, bins)


@expected_calibration_error.misconception(
    "The share of wrong answers stands where the share of right ones belongs.")
def wrong_for_right(probabilities, labels, bins=15):
    confidence, guess = surest(probabilities.to(F64))
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    return float(bin_sums(confidence - (guess != labels).to(F64), place, bins).abs().sum() / len(labels))


# 13.4 train: the network, the digits, and the meter

PIXELS, WIDTH, CLASSES = 64, 128, 10
GIVEN, BUDGET, BINS = 600, 30, 15


def network():
    """The network of the capstone; the chapter's set-up cell builds the same one."""
    return nn.Sequential(
        nn.Linear(PIXELS, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU(),
        nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU(),
        nn.Linear(WIDTH, CLASSES))


@lru_cache
def digits():
    from sklearn.datasets import load_digits

    found = load_digits()
    return torch.tensor(found.data, dtype=F32) / 16, torch.tensor(found.target)


def split(g, given=GIVEN, budget=BUDGET):
    """Some digits to train on; the others are unseen."""
    images, labels = digits()
    order = torch.randperm(len(images), generator=g)
    seen, unseen = order[:given], order[given:]
    return dict(images=images[seen], labels=labels[seen], budget=budget, seed=int(torch.randint(10**6, (), generator=g)),
                unseen_images=images[unseen], unseen_labels=labels[unseen])


def in_another_frame(inputs, g):
    """The same digits, all turned or mirrored alike, their classes renumbered: labels known from elsewhere do not help."""
    turns, mirrored = int(torch.randint(4, (), generator=g)), bool(torch.rand((), generator=g) < 0.5)
    names = torch.randperm(CLASSES, generator=g)

    def moved(images):
        squares = images.reshape(-1, 8, 8).rot90(turns, (1, 2))
        return (squares.flip(2) if mirrored else squares).reshape(-1, PIXELS)

    return inputs | {key: moved(inputs[key]) for key in ("images", "unseen_images")} | {
        key: names[inputs[key]] for key in ("labels", "unseen_labels")}


SECRET = ("unseen_images", "unseen_labels")  # what the probe of a hidden case is not given
SPARE_WORK = 2  # times the products of `budget` steps on all images: validation needs some


class Products(TorchDispatchMode):
    """Adds up the multiplications and additions of all matrix products and convolutions, autograd's own included."""

    def __init__(self):
        super().__init__()
        self.work = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_counter.flop_registry:  # by its module: the table itself cannot travel to the sandbox
            self.work += flop_counter.flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


@contextlib.contextmanager
def metered(spent):
    """Count gradients and updates into `spent`, by whatever call they are asked for, and all multiplications."""
    autograd = torch.autograd
    backward, grad = autograd.backward, autograd.grad

    def counted(fn):
        def call(*args, **kwargs):
            spent["gradients"] += 1
            return fn(*args, **kwargs)

        return call

    hook = register_optimizer_step_pre_hook(lambda *_: spent.update(updates=1))
    products = Products()
    autograd.backward, autograd.grad = counted(backward), counted(grad)
    try:
        with products:
            yield
    finally:
        autograd.backward, autograd.grad = backward, grad
        hook.remove()
        spent["work"] += products.work


def train_once(fn, inputs):
    """(weights in one vector, steps beyond the budget) of one training; the global random state stays as it was."""
    spent = Counter()
    with torch.random.fork_rng(devices=[]), metered(spent):
        torch.manual_seed(inputs["seed"])
        state = fn(**inputs)
    a_step = 6 * len(inputs["images"]) * (PIXELS * WIDTH + WIDTH * WIDTH + WIDTH * CLASSES)  # forward 2, backward 4
    by_work = ceil(spent["work"] / (SPARE_WORK * a_step))
    steps = max(spent["gradients"], spent["updates"], by_work)
    return in_one_vector(state), max(0, steps - inputs["budget"])


def blank():
    """A network for its form alone; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return network()


def in_one_vector(state):
    """All entries of a state_dict of the network, in its order; Misfit where it is none."""
    if isinstance(state, nn.Module):
        raise Misfit("returned the model itself; return its state_dict()")
    if not isinstance(state, dict):
        raise Misfit(f"returned {kind_of(state)}, expected a state_dict of network()")
    wanted = blank().state_dict()
    if lacking := [name for name in wanted if name not in state]:
        raise Misfit(f"the state_dict lacks {', '.join(lacking[:3])}: it must be that of network(), buffers included")
    if strange := [name for name in state if name not in wanted]:
        raise Misfit(f"the state_dict holds {', '.join(map(str, strange[:3]))}, which network() does not have")
    pieces = {name: torch.as_tensor(state[name]).detach() for name in wanted}
    for name, piece in pieces.items():
        if piece.shape != wanted[name].shape:
            raise Misfit(f"{name} of the state_dict has shape {tuple(piece.shape)}, expected {tuple(wanted[name].shape)}")
    return torch.cat([piece.to("cpu", F32).reshape(-1) for piece in pieces.values()])


def out_of_one_vector(vector):
    """The network, in evaluation mode, with the entries that `in_one_vector` wrote."""
    model, place = blank().eval(), 0
    for entry in model.state_dict().values():
        entry.copy_(vector[place:place + entry.numel()].reshape(entry.shape))
        place += entry.numel()
    return model


def measured(vector, images, labels):
    """(share misread, calibration error) of the network with these weights."""
    with torch.no_grad():
        chance = out_of_one_vector(vector)(images).to(F64).softmax(1)
    if not torch.isfinite(chance).all():
        return 1.0, 1.0
    confidence, guess = surest(chance)
    right = (guess == labels).to(F64)
    place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    return 1 - float(right.mean()), float(bin_sums(confidence - right, place, BINS).abs().sum() / len(labels))


BEYOND, MISREAD, ERROR, WEIGHTS = "steps beyond the budget", "share of unseen digits misread", "calibration error", "the network of the returned state_dict"


def read_unseen(fn, inputs):
    """The visible case: what the student sees in numbers."""
    vector, beyond = train_once(fn, inputs)
    misread, error = measured(vector, inputs["unseen_images"], inputs["unseen_labels"])
    return {BEYOND: beyond, MISREAD: misread, ERROR: error}


def hand_over(fn, inputs):
    """A hidden case: the weights, and no more. Nothing here knows what they will be asked."""
    vector, beyond = train_once(fn, inputs)
    return {BEYOND: beyond, WEIGHTS: [vector]}


class Reads:
    """Equal to the weights of a network that is good enough on unseen images. Lives in the verdict's process only."""

    def __init__(self, exercise, inputs):
        self.bounds, self.seen = (exercise.misread, exercise.error), ""
        self.images, self.labels = (inputs[key] for key in SECRET)

    def __eq__(self, vector):
        size = sum(entry.numel() for entry in blank().state_dict().values())
        if not isinstance(vector, torch.Tensor) or vector.shape != (size,) or vector.dtype != F32 or vector.device.type != "cpu":
            return False
        found = measured(vector, self.images, self.labels)
        self.seen = "; this one {:.1%} and {:.1%}".format(*found)
        return all(value <= bound for value, bound in zip(found, self.bounds))

    def __repr__(self):
        return "a network that misreads at most {:.1%} of the unseen digits, with a calibration error of at most {:.1%}".format(*self.bounds) + self.seen


class Recipe(Exercise):
    """An exercise whose function trains the network.

    misread, error: the bounds for the share of unseen digits misread and for the calibration error.
    """

    def __init__(self, name, misread, error):
        within = {BEYOND: lambda want, inputs: 0.9 * want, MISREAD: lambda want, inputs: misread, ERROR: lambda want, inputs: error}
        super().__init__(name, CHAPTER, returns=(WEIGHTS,), read="13.4", probe=read_unseen, tolerances=within)
        self.misread, self.error = misread, error

    def prepare(self, cases, seed):
        """What goes to the probe: in a hidden case without the unseen images."""
        return [(probe, {k: v for k, v in inputs.items() if probe is read_unseen or k not in SECRET})
                for probe, inputs in super().prepare(cases, seed)]

    def expected(self, case, inputs):
        if case.probe is None:
            return {BEYOND: 0, MISREAD: 0.0, ERROR: 0.0}
        return {BEYOND: 0, WEIGHTS: [Reads(self, inputs)]}

    def believed(self, misconception, case, inputs):
        """What a belief says in numbers: two trainings never agree in their weights, and beyond the budget only the steps tell."""
        found = super().believed(misconception, case, inputs) or {}
        return {part: found[part] for part in ((BEYOND,) if found.get(BEYOND) else (MISREAD, ERROR)) if part in found}


# The bounds come from fresh splits and seeds of the chapter's recipe: it misreads 3.3 % (standard deviation 0.6) with a calibration
# error of 1.2 % (0.4); section 13.5 measures both. The nearest bound, of `train_accurate`, is 4.7 standard deviations away: one
# false alarm in 1e6 if the scores are normal, in 1e4 if they have the longer tail of a gamma distribution.
RECIPES = train, train_accurate, train_calibrated = (
    Recipe("train", 0.10, 0.10), Recipe("train_accurate", 0.06, 0.10), Recipe("train_calibrated", 0.10, 0.04))


def descend(images, labels, steps, *, rate=0.02, loss=F.cross_entropy, on=lambda model: None, schedule=True):
    """The network after full-batch updates of Adam under PyTorch's one-cycle; `on(model)` is called before each."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps) if schedule else None
    for _ in range(steps):
        on(model)
        slopes = torch.autograd.grad(loss(model(images), labels), list(model.parameters()))
        for p, slope in zip(model.parameters(), slopes):
            p.grad = slope
        optimizer.step()
        if cycle:
            cycle.step()
    return model


def full_batch_adam(images, labels, budget):
    return descend(images, labels, budget).state_dict()


def believed_recipe(message, *exercises):
    """Decorator: a wrong recipe, believed in all three exercises or in those named."""
    def add(fn):
        for exercise in exercises or RECIPES:
            exercise.misconception(message)(fn)
        return fn

    return add


for recipe in RECIPES:
    recipe.oracle(full_batch_adam)


@train.case
def plain_digits(g):
    return split(g)


@train_accurate.case
def plain_digits_again(g):
    return split(g)


@train_calibrated.case
def plain_digits_once_more(g):
    return split(g)


@believed_recipe("One gradient too many: `range(budget + 1)`, or a gradient after the last update. Each backward pass counts, whether it is "
                 "used or not.")
def one_step_too_many(images, labels, budget):
    return descend(images, labels, budget + 1).state_dict()


@believed_recipe("The budget is spent on epochs. It counts steps: one gradient and one update, on one batch. Each backward pass counts, "
                 "and so does a step without autograd by the products that it takes.")
def epochs_for_steps(images, labels, budget):
    model = network()
    for _ in range(budget * -(-len(images) // 64)):  # their number is all that counts
        torch.autograd.grad(model[0].weight[0, 0], model[0].weight)
    return model.state_dict()


@believed_recipe("It reads no better than by guessing. Likely: weights of another network than the one that was trained, or images and "
                 "labels that were not shuffled together.")
def no_better_than_guessing(images, labels, budget):
    torch.nn.functional.cross_entropy(network()(images), labels).backward()
    return network().state_dict()


@believed_recipe("It is right far more often than it says. Smoothed or mixed labels, an update too small to arrive within the budget, or "
                 "a softmax before the cross-entropy do that: compare mean confidence with accuracy on images held out.",
                 train, train_calibrated)
def less_sure_than_right(images, labels, budget):
    return descend(images, labels, budget, loss=lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1)).state_dict()


@believed_recipe("It says more than it knows: mean confidence is far above accuracy on images that it has not met. On the images it was "
                 "trained on, nothing of this can be seen.", train_calibrated)
def surer_than_right(images, labels, budget):
    model = descend(images, labels, budget, rate=0.2)
    with torch.no_grad():
        model[-1].weight *= 10
        model[-1].bias *= 10
    return model.state_dict()


@believed_recipe("It reads most digits and misses the bar by a few per cent. The updates are too small for so few steps, or they are as large "
                 "at the end as in the middle.", train_accurate)
def updates_too_small(images, labels, budget):
    return descend(images, labels, budget, rate=0.001, schedule=False).state_dict()
