"""Checks of chapter 01: what a fit gets wrong on new data, and what it can learn by heart.

The oracles enumerate two-point distributions, compare refits in pairs, take Newton steps with
derivatives by autograd, and give exact moments where the result is random. No oracle uses the
formula that is asked for.
"""

import math

import numpy as np
import sympy as sp
import torch

from .derivation import Derivation
from .exercise import Exercise, call
from .probe import Misfit, kind_of, plain

CHAPTER = "01_generalization"
F32, F64 = torch.float32, torch.float64


def normal(generator, *shape, dtype=F64):
    return torch.randn(shape, generator=generator, dtype=dtype)


def between(generator, low, high):
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=F64))


def whole(generator, low, high):
    return int(torch.randint(low, high, (), generator=generator))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def believe(derivation, **beliefs):
    """Misconceptions of a derivation: name=(message, wrong expression), the likelier first."""
    for name, (message, wrong) in beliefs.items():
        wrong.__name__ = name
        derivation.misconception(message)(wrong)


# 1.2 expected_squared_error

expected_squared_error = Derivation(
    "expected_squared_error", CHAPTER, read="1.2",
    symbols={"bias": {"real": True}, "variance": {"positive": True}, "noise": {"positive": True}})


@expected_squared_error.oracle
def by_enumeration(bias, variance, noise):
    """Two coins, truth 0: a prediction deviates up or down from its mean, and so does a target."""
    predictions = [bias + s * math.sqrt(variance) for s in (-1, 1)]
    targets = [s * math.sqrt(noise) for s in (-1, 1)]
    return sum((y - p) ** 2 for p in predictions for y in targets) / 4


expected_squared_error.point(bias=2, variance=1, noise=1)
expected_squared_error.point(bias=1, variance=4, noise=1)
expected_squared_error.point(bias=1, variance=1, noise=9)
expected_squared_error.point(bias=-3, variance="1/4", noise=2)
expected_squared_error.point(bias="-2/5", variance=3, noise="5/7")


believe(
    expected_squared_error,
    bias_not_squared=(
        "The bias is not squared. It has the unit of y, and each term must have the unit of y².",
        lambda bias, variance, noise: bias + variance + noise),
    noise_forgotten=(
        "That is the error against the truth. A new target deviates from the truth as well, and no prediction "
        "can follow it.", lambda bias, variance, noise: bias**2 + variance),
    noise_squared=(
        "`noise` is a variance already: do not square it again.",
        lambda bias, variance, noise: bias**2 + variance + noise**2),
    variances_squared=(
        "`variance` and `noise` are variances already: do not square them again.",
        lambda bias, variance, noise: bias**2 + variance**2 + noise**2),
    variance_squared=(
        "`variance` is the square of a deviation already: do not square it again.",
        lambda bias, variance, noise: bias**2 + variance**2 + noise),
    variance_forgotten=(
        "That is the error of the average prediction. Each refit deviates from the average, and that adds to the "
        "error.", lambda bias, variance, noise: bias**2 + noise),
    bias_forgotten=(
        "That is the variance of the error. The mean of its square is asked for, and the error has a mean.",
        lambda bias, variance, noise: variance + noise),
    lengths_added=(
        "Bias and deviations are added before squaring, as if all three always pointed the same way. Square the sum "
        "of the three parts and take the mean of each cross term.",
        lambda bias, variance, noise: (bias + sp.sqrt(variance) + sp.sqrt(noise)) ** 2),
    cross_term_kept=(
        "A cross term of bias and deviation is kept. The bias is a constant: what is the mean of the deviation "
        "that it multiplies?",
        lambda bias, variance, noise: (bias + sp.sqrt(variance)) ** 2 + noise),
    noise_subtracted=(
        "The noise is subtracted. The target enters with a minus sign, but its deviation is squared.",
        lambda bias, variance, noise: bias**2 + variance - noise),
    noise_counted_twice=(
        "The noise is counted twice. The noise of the training targets is part of `variance` already; only that of the "
        "new target is left to add.", lambda bias, variance, noise: bias**2 + variance + 2 * noise),
    deviations_for_variances=(
        "The variances are put under a root. A standard deviation has the unit of y, and each term must have that "
        "of y².", lambda bias, variance, noise: bias**2 + sp.sqrt(variance) + sp.sqrt(noise)),
    bias_subtracted=(
        "The squared bias is subtracted. A variance is a mean square minus a squared mean: solve that for the mean "
        "square.", lambda bias, variance, noise: variance + noise - bias**2),
    root_taken=(
        "That is the root of the expected squared error. The mean of the square itself is asked for.",
        lambda bias, variance, noise: sp.sqrt(bias**2 + variance + noise)),
    halved=(
        "That is half of it. The half squared error is handy for derivatives; here the square itself is averaged.",
        lambda bias, variance, noise: (bias**2 + variance + noise) / 2),
    sum_squared=(
        "The whole sum is squared. Square the error before its mean is taken, not after.",
        lambda bias, variance, noise: (bias + variance + noise) ** 2))


# 1.2 bias_variance

bias_variance = Exercise("bias_variance", CHAPTER, ("bias_squared", "variance"), read="1.2")


def by_pairs(predictions, truth):
    """(N,) each: what the errors of two refits share, and half the squared distance of two refits."""
    errors = predictions.to(F64) - truth.to(F64)  # (R, N)
    shared = errors[:, None] * errors[None]  # (R, R, N)
    apart = (errors[:, None] - errors[None]).square() / 2
    return shared.mean((0, 1)), apart.mean((0, 1))


def averaged(predictions, *per_point):
    return tuple(values.mean().to(predictions.dtype) for values in per_point)


@bias_variance.oracle
def over_all_pairs(predictions, truth):
    return averaged(predictions, *by_pairs(predictions, truth))


def refits(g, count, points, dtype=F64):
    """Refits whose bias and spread differ from point to point."""
    truth, bias = 2 * normal(g, points, dtype=dtype), normal(g, points, dtype=dtype) + 0.3
    spread = 0.5 + torch.rand(points, generator=g, dtype=dtype)
    return dict(predictions=truth + bias + spread * normal(g, count, points, dtype=dtype), truth=truth)


@bias_variance.case
def few_points(g):
    return refits(g, 6, 4)


@bias_variance.case(note="as many refits as points")
def square(g):
    return refits(g, 5, 5)


@bias_variance.case(note="predictions is not contiguous in memory")
def more_points(g):
    inputs = refits(g, 4, 7)
    return inputs | dict(predictions=inputs["predictions"].T.contiguous().T)


@bias_variance.case
def float32_refits(g):
    return refits(g, 8, 5, dtype=F32)


@bias_variance.misconception(
    "The sum of squares over the refits is divided by R − 1. Here the refits are all there are: the biased variance is "
    "asked for, the one that adds up with bias² to the error.")
def unbiased_variance(predictions, truth):
    bias_squared, variance = by_pairs(predictions, truth)
    count = len(predictions)
    return averaged(predictions, bias_squared, variance * count / (count - 1))


@bias_variance.misconception(
    "The two axes are confused. Row r holds the predictions of refit r at all points, so the mean over refits runs "
    "along axis 0.")
def axes_confused(predictions, truth):
    count, points = predictions.shape
    bias_squared = by_pairs(predictions.T, truth)[0] if count == points else torch.full((1,), math.nan)
    return averaged(predictions, bias_squared, by_pairs(predictions.T, truth.mean())[1])


@bias_variance.misconception(
    "The errors are squared before the mean over refits, so each refit's own deviation is counted as bias. "
    "Average the refits first.")
def whole_error_for_bias(predictions, truth):
    bias_squared, variance = by_pairs(predictions, truth)
    return averaged(predictions, bias_squared + variance, variance)


@bias_variance.misconception(
    "The spread is measured about the truth. A variance is measured about the mean, here that of the refits.")
def spread_about_the_truth(predictions, truth):
    bias_squared, variance = by_pairs(predictions, truth)
    return averaged(predictions, bias_squared, bias_squared + variance)


@bias_variance.misconception(
    "The bias is averaged over the points and then squared. A bias upwards at one point then cancels one downwards "
    "at another: square at each point.")
def bias_averaged_over_points_first(predictions, truth):
    _, variance = by_pairs(predictions, truth)
    return averaged(predictions, (predictions - truth).to(F64).mean().square(), variance)


@bias_variance.misconception(
    "The variance is taken over all entries at once. Predictions differ between points because the truth does: at each "
    "point compare refits with one another.")
def variance_of_all_entries(predictions, truth):
    bias_squared, _ = by_pairs(predictions, truth)
    return averaged(predictions, bias_squared, by_pairs(predictions.reshape(-1, 1), truth[:1])[1])


@bias_variance.misconception(
    "Each refit is averaged over the points before the variance is taken. Deviations at different points then cancel.")
def refits_averaged_over_points_first(predictions, truth):
    bias_squared, _ = by_pairs(predictions, truth)
    return averaged(predictions, bias_squared, by_pairs(predictions.to(F64).mean(1, keepdim=True), truth[:1])[1])


@bias_variance.misconception("Both are summed over the points. The mean over the N points is asked for.")
def summed_over_points(predictions, truth):
    return averaged(predictions, *(len(truth) * part for part in by_pairs(predictions, truth)))


@bias_variance.misconception("There is one value for each point. Both are averaged over the N points.")
def not_averaged(predictions, truth):
    return tuple(part.to(predictions.dtype) for part in by_pairs(predictions, truth))


@bias_variance.misconception("The two are returned in the wrong order: bias² comes first.")
def wrong_order(predictions, truth):
    return over_all_pairs(predictions, truth)[::-1]


@bias_variance.misconception("The bias is not squared, so biases upwards and downwards cancel.")
def mean_bias(predictions, truth):
    _, variance = by_pairs(predictions, truth)
    return averaged(predictions, (predictions - truth).to(F64).mean(), variance)


@bias_variance.misconception("That is the mean size of the bias. Its square is asked for, so that the parts add up.")
def absolute_bias(predictions, truth):
    bias_squared, variance = by_pairs(predictions, truth)
    return averaged(predictions, bias_squared.clamp(min=0).sqrt(), variance)


@bias_variance.misconception(
    "Those are standard deviations, averaged over the points. Variances are asked for: they add up, deviations do not.")
def mean_deviation(predictions, truth):
    bias_squared, variance = by_pairs(predictions, truth)
    return averaged(predictions, bias_squared, variance.sqrt())


@bias_variance.misconception("A root is taken at the end. Variances add up, standard deviations do not.")
def root_of_variance(predictions, truth):
    bias_squared, variance = by_pairs(predictions, truth)
    return averaged(predictions, bias_squared, variance.mean().sqrt())


@bias_variance.misconception(
    "The squared bias is corrected for the finite number of refits, an estimate for infinitely many. Here nothing is "
    "corrected: take the mean of the refits as it is.")
def bias_corrected(predictions, truth):
    bias_squared, variance = by_pairs(predictions, truth)
    return averaged(predictions, bias_squared - variance / (len(predictions) - 1), variance)


# 1.3 corrupt_labels

DRAWS = 16
MANY = 20000  # classes: so many that a new class is almost never the old one


class Sampled(Exercise):
    """An exercise with a random result. Its oracle returns, for each probe, the exact moments of what is probed."""

    def expected(self, case, inputs):
        return self.right(**inputs)[(case.probe or self.probe).__name__]


def drawn(returned, labels):
    returned = plain(returned)
    if not isinstance(returned, torch.Tensor):
        raise Misfit(f"returned {kind_of(returned)}, expected a tensor of labels")
    if returned.shape != labels.shape:
        raise Misfit(f"returned {kind_of(returned)}, expected one of shape {tuple(labels.shape)}")
    return returned


def counting(fn, inputs):
    """How many labels change, where and into what, in several calls."""
    labels = inputs["labels"]
    with torch.random.fork_rng(devices=[]):  # a check leaves the global state as it was
        results = torch.stack([drawn(fn(**inputs), labels) for _ in range(DRAWS)])  # (DRAWS, N)
    changed = (results != labels).to(F64)  # (DRAWS, N)
    counts = changed.sum(1)
    places = torch.arange(len(labels), dtype=F64)
    return {CLASSES: classes_of(results, changed, labels),
            NUMBER: number_of(counts, inputs["fraction"] * len(labels)),
            CHANGED: float(counts.mean()),
            PLACE: float((changed * places).sum() / counts.sum().clamp(min=1)),
            NEIGHBOURS: float((changed[:, 1:] * changed[:, :-1]).sum() / DRAWS),
            TWICE: float((changed[1:] * changed[:-1]).sum() / (DRAWS - 1))}


CLASSES, NUMBER = "set of new classes", "number of labels that change"
CHANGED = "labels changed in a call, on average"
PLACE = "mean place of the changed labels"
NEIGHBOURS = "neighbours that both change"
TWICE = "labels changed in two calls in a row"


def classes_of(results, changed, labels):
    if not changed.any():
        return "empty"
    new = [row[mask.bool()] for row, mask in zip(results, changed)]
    if all(classes.unique().numel() == 1 for classes in new):
        return "one class for all positions"
    return "classes of the given labels only" if torch.isin(torch.cat(new), labels).all() else "drawn anew"


def number_of(counts, asked):
    """A new class equals the old one 0.01 times a call, and 5 times or more in one call of 1e12."""
    if counts.max() - counts.min() <= 4:
        return "the same in every call"
    return "varies below fraction·N" if counts.mean() < 0.9 * asked else "varies about fraction·N"


def classes(fn, inputs):
    """What the labels are after one call."""
    size = inputs["num_classes"]
    with torch.random.fork_rng(devices=[]):
        result = drawn(fn(**inputs), inputs["labels"])
    per_class = torch.bincount(result.long().clamp(0, size - 1), minlength=size)
    return {"dtype of the labels": dtype(result),
            "range of the labels": f"{int(result.min())} to {int(result.max())}", "labels per class": per_class.to(F64)}


def contracts(fn, inputs):
    """Where the randomness comes from, and what form the result has."""
    def draw(generator):
        return drawn(fn(**{**inputs, "generator": generator}), inputs["labels"])

    with torch.random.fork_rng(devices=[]):
        start = torch.get_rng_state()
        first, again = (draw(seeded(1)) for _ in range(2))
        left = torch.equal(start, torch.get_rng_state())
        one = seeded(2)
        two_draws = draw(one), draw(one)
        from_global = [draw_after_seed(draw, 3), draw_after_seed(draw, 3), draw(None)]
    return {"dtype of the labels": dtype(first),
            "global random state": "untouched" if left else "advanced",
            "same generator, same result": torch.equal(first, again),
            "two draws in a row": alike(*two_draws),
            "generator=None after the same torch.manual_seed": alike(*from_global[:2]),
            "generator=None twice in a row": alike(*from_global[1:])}


def dtype(labels):
    return str(labels.dtype).removeprefix("torch.")


def draw_after_seed(draw, seed):
    torch.manual_seed(seed)
    return draw(None)


def alike(a, b):
    return "equal" if torch.equal(a, b) else "different"


def sizes(inputs):
    return len(inputs["labels"]), round(inputs["fraction"] * len(inputs["labels"]))


def six_sigma(variance_of_a_call, calls=DRAWS):
    """Six standard errors of a mean over the calls, 1 false alarm in 5e8, and room for coincidences."""
    def band(want, inputs):
        n, k = sizes(inputs)
        return 6 * math.sqrt(variance_of_a_call(n, k) / calls) + 2

    return band


def few_coincidences(want, inputs):
    """Less than one label. A new class equals the old one 0.2 times in all calls, and 8 times or more in one check
    of 2e10. Far from the asked number only misconceptions are compared."""
    return 0.45 if abs(want - inputs["fraction"] * len(inputs["labels"])) < 2 else 6.0


# The places are a draw without replacement: its mean, the number of runs and the overlap of two draws, which
# are hypergeometric, have the variances below. A count of labels per class has at most variance N/4.
BANDS = {
    CHANGED: few_coincidences,
    PLACE: six_sigma(lambda n, k: (n + 1) * (n - k) / (12 * k)),
    NEIGHBOURS: six_sigma(lambda n, k: k * (k - 1) * (n - k) * (n - k + 1) / (n * n * (n - 1))),
    TWICE: six_sigma(lambda n, k: k * k * (n - k) ** 2 / (n * n * (n - 1)), DRAWS - 1),
    "labels per class": lambda want, inputs: 3 * math.sqrt(len(inputs["labels"])),
}

corrupt_labels = Sampled("corrupt_labels", CHAPTER, ("labels",), read="1.3", probe=counting, tolerances=BANDS)


@corrupt_labels.oracle
def exact_moments(labels, fraction, num_classes, generator):
    n, k = sizes(dict(labels=labels, fraction=fraction))
    kept = torch.bincount(labels, minlength=num_classes) * (1 - k / n)
    return {
        "counting": {
            CLASSES: "drawn anew", NUMBER: "the same in every call", CHANGED: k * (1 - 1 / num_classes),
            PLACE: (n - 1) / 2, NEIGHBOURS: k * (k - 1) / n, TWICE: k * k / n},
        "classes": {
            "dtype of the labels": dtype(labels), "range of the labels": f"0 to {num_classes - 1}",
            "labels per class": (kept + k / num_classes).to(F64)},
        "contracts": {
            "dtype of the labels": dtype(labels), "global random state": "untouched", "same generator, same result": True,
            "two draws in a row": "different", "generator=None after the same torch.manual_seed": "equal",
            "generator=None twice in a row": "different"},
        "call": {"labels": labels.clone()}}


def digits(g, n, fraction, num_classes=MANY):
    labels = torch.randint(num_classes, (n,), generator=g)
    return dict(labels=labels, fraction=fraction, num_classes=num_classes, generator=seeded(whole(g, 0, 10**6)))


@corrupt_labels.case(note=f"{DRAWS} calls, so many classes that a new one is rarely the old one")
def a_bit_above_a_whole_number(g):
    return digits(g, 5 * whole(g, 36, 44) + 3, 0.4)  # fraction·N ends in .2


@corrupt_labels.case(note=f"{DRAWS} calls")
def a_bit_below_a_whole_number(g):
    return digits(g, 5 * whole(g, 36, 44) + 3, 0.6)  # fraction·N ends in .8


@corrupt_labels.case(note=f"{DRAWS} calls")
def half_way(g):
    return digits(g, 8 * whole(g, 25, 30) + 2, 0.25)  # fraction·N is an even number and a half


@corrupt_labels.case(probe=classes, note="every given label is 1")
def four_classes(g):
    return digits(g, 2000, 1.0, 4) | dict(labels=torch.ones(2000, dtype=torch.int64))


@corrupt_labels.case(probe=classes, note="the given labels are int32")
def two_classes_in_int32(g):
    inputs = digits(g, 400, 0.5, 2)
    return inputs | dict(labels=inputs["labels"].int())


@corrupt_labels.case(probe=call, note="nothing to corrupt")
def none_of_them(g):
    return digits(g, 12, 0.0, 3)


@corrupt_labels.case(probe=contracts, note="called again with the same generator, and with generator=None")
def where_draws_come_from(g):
    return digits(g, 60, 0.5, 1000)


def ranks(n, generator):
    """A random place for each label in a queue."""
    return torch.rand(n, generator=generator, dtype=F64).argsort().argsort()


def corrupted(labels, fraction, num_classes, generator, *, number=round, queue=ranks, low=0, above=0):
    """The first of the queue get a class of low … num_classes + above − 1."""
    chosen = queue(len(labels), generator) < number(fraction * len(labels))
    drawn_classes = torch.randint(low, num_classes + above, labels.shape, generator=generator)
    return torch.where(chosen, drawn_classes.to(labels), labels)


@corrupt_labels.misconception(
    "Each label is corrupted with probability `fraction`, by a draw of its own, so the number varies from call to call. "
    "An exact number of positions is asked for.")
def each_by_chance(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, number=float,
                     queue=lambda n, g: n * torch.rand(n, generator=g))


@corrupt_labels.misconception(
    "The old class is never drawn. The new class is uniform over all classes, the old one included: fewer labels "
    "than `fraction` are wrong in the end.")
def old_class_excluded(labels, fraction, num_classes, generator):
    shift = corrupted(torch.zeros_like(labels), fraction, num_classes, generator, low=1)
    return (labels + shift) % num_classes


@corrupt_labels.misconception(
    "Some positions are drawn more than once, so fewer labels change. Draw the positions without replacement.")
def positions_with_replacement(labels, fraction, num_classes, generator):
    n = len(labels)
    chosen = torch.randint(n, (round(fraction * n),), generator=generator)
    return torch.where(torch.isin(torch.arange(n), chosen), corrupted(labels, 1, num_classes, generator), labels)


@corrupt_labels.misconception(
    "The generator is set back to its seed in every call, so every call draws the same. Draw from it as it comes.")
def generator_set_back(labels, fraction, num_classes, generator):
    back = generator and generator.manual_seed(generator.initial_seed())
    return corrupted(labels, fraction, num_classes, back)


@corrupt_labels.misconception(
    "The changed positions lie side by side, in one block. Every subset of that size must be equally likely.")
def one_block(labels, fraction, num_classes, generator):
    n = len(labels)
    start = int(torch.randint(n, (), generator=generator))
    return corrupted(labels, fraction, num_classes, generator, queue=lambda n, g: (torch.arange(n) - start) % n)


@corrupt_labels.misconception(
    "Always the first labels are corrupted. Where data are ordered, that hits some classes alone: draw the positions.")
def first_positions(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, queue=lambda n, g: torch.arange(n))


@corrupt_labels.misconception("fraction·N is cut off to a whole number. Python's `round` goes to the nearest.")
def cut_off(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, number=math.floor)


@corrupt_labels.misconception(
    "Halves are rounded up. Python's `round` takes halves to the even neighbour, and the docstring asks for it.")
def halves_up(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, number=lambda share: math.floor(share + 0.5))


@corrupt_labels.misconception("fraction·N is rounded up. Python's `round` goes to the nearest.")
def rounded_up(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, number=math.ceil)


@corrupt_labels.misconception(
    "The labels are shuffled among the positions. Then rare classes stay rare: a new label is uniform over all classes.")
def shuffled(labels, fraction, num_classes, generator):
    chosen = corrupted(torch.zeros_like(labels), fraction, 1, generator, low=-1, above=-1).nonzero()[:, 0]
    return labels.index_put((chosen,), labels[chosen[ranks(len(chosen), generator)]])


@corrupt_labels.misconception("`fraction` is taken for the share that stays. It is the share that gets a new label.")
def fraction_stays(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, number=lambda share: len(labels) - round(share))


@corrupt_labels.misconception(
    "The new class is drawn once and laid on all chosen positions. Each position gets a draw of its own.")
def one_class_for_all(labels, fraction, num_classes, generator):
    chosen = corrupted(torch.zeros_like(labels), fraction, 1, generator, low=-1, above=-1).bool()
    return torch.where(chosen, torch.randint(num_classes, (), generator=generator), labels)


@corrupt_labels.misconception("The last class is never drawn. The upper end of `torch.randint` is excluded already.")
def last_class_never(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, above=-1)


@corrupt_labels.misconception("Class 0 is never drawn. Classes count from 0.")
def first_class_never(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, low=1)


@corrupt_labels.misconception("The new classes count from 1. Classes count from 0.")
def classes_from_one(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, low=1, above=1)


@corrupt_labels.misconception("There is one class too many. With num_classes classes counted from 0, which is the last?")
def one_class_too_many(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator, above=1)


@corrupt_labels.misconception(
    "Each chosen label moves on to the next class. That can be learnt: a random class is asked for.")
def next_class(labels, fraction, num_classes, generator):
    return (labels + corrupted(torch.zeros_like(labels), fraction, 2, generator, low=1)) % num_classes


@corrupt_labels.misconception(
    "Some draw does not come from the generator that is given. Hand it to every call that draws.")
def generator_not_used(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, None)


@corrupt_labels.misconception(
    "With generator None a new generator of a fixed seed is made. None stands for PyTorch's global generator.")
def fixed_seed_for_none(labels, fraction, num_classes, generator):
    return corrupted(labels, fraction, num_classes, generator or seeded(0))


@corrupt_labels.misconception(
    "With generator None the draw does not follow torch.manual_seed. None stands for PyTorch's global generator.")
def deaf_to_manual_seed(labels, fraction, num_classes, generator):
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    return corrupted(labels, fraction, num_classes, generator)


@corrupt_labels.misconception(
    "No label changes. An assignment through two indices in a row, as in `new[a][b] = …`, writes into a copy.")
def nothing_changes(labels, fraction, num_classes, generator):
    return labels.clone()


# 1.4 ridge

ridge = Exercise("ridge", CHAPTER, ("w",), read="1.4")


def derivatives(loss, shape):
    """(gradient (n,), Hessian (n, n)) of a loss at w = 0, n the number of weights, by autograd."""
    start = torch.zeros(shape, dtype=F64)
    with torch.enable_grad():
        slope = torch.autograd.functional.jacobian(loss, start).flatten()
        curvature = torch.autograd.functional.hessian(loss, start)
    return slope, curvature.reshape(len(slope), len(slope))


def half_error(features, targets):
    phi, y = features.detach().to(F64), targets.detach().to(F64)
    return lambda w: (phi @ w - y).square().sum() / 2


def weight_shape(features, targets):
    return features.shape[1], *targets.shape[1:]


def minimiser(features, targets, penalty):
    """Where the half error plus `penalty` is stationary: one Newton step from 0, by least squares."""
    error, shape = half_error(features, targets), weight_shape(features, targets)
    slope, curvature = derivatives(lambda w: error(w) + penalty(w), shape)
    newton = torch.linalg.lstsq(curvature, -slope[:, None], driver="gelsd").solution
    return newton.reshape(shape).to(features.dtype)


@ridge.oracle
def newton_step(features, targets, lam):
    return minimiser(features, targets, lambda w: lam / 2 * w.square().sum())


def regression(g, n, d, *outputs, dtype=F64):
    """Features with a mean, so that an intercept would count."""
    return dict(features=normal(g, n, d, dtype=dtype) + 0.5, targets=normal(g, n, *outputs, dtype=dtype) + 1)


@ridge.case
def more_examples(g):
    return regression(g, 8, 3) | dict(lam=between(g, 1.5, 2.5))


@ridge.case(note="two outputs")
def two_outputs(g):
    return regression(g, 7, 4, 2) | dict(lam=between(g, 0.3, 0.4))


@ridge.case(note="fewer examples than features")
def more_features(g):
    return regression(g, 4, 6) | dict(lam=between(g, 0.6, 0.8))


@ridge.case(note="as many examples as features; features is not contiguous in memory")
def square_features(g):
    inputs = regression(g, 4, 4, 3)
    return inputs | dict(features=inputs["features"].T.contiguous().T, lam=between(g, 2, 3))


@ridge.case
def float32_regression(g):
    return regression(g, 9, 3, dtype=F32) | dict(lam=between(g, 1.5, 2.5))


@ridge.misconception("The penalty has no effect: that is least squares without it.")
def no_penalty(features, targets, lam):
    return minimiser(features, targets, lambda w: 0 * w.sum())


@ridge.misconception(
    "lam is added to every entry of the matrix, as `+ lam` does. The gradient of the penalty touches each weight with "
    "its own value only: which matrix does that?")
def lam_on_every_entry(features, targets, lam):
    return minimiser(features, targets, lambda w: lam / 2 * w.sum(0).square().sum())


@ridge.misconception(
    "lam is multiplied by N: that belongs to the mean over examples. Here the squared error is summed.")
def mean_over_examples(features, targets, lam):
    return minimiser(features, targets, lambda w: len(features) * lam / 2 * w.square().sum())


@ridge.misconception(
    "The penalty counts twice. Both terms of the loss carry the factor ½: differentiate each.")
def penalty_without_half(features, targets, lam):
    return minimiser(features, targets, lambda w: lam * w.square().sum())


@ridge.misconception(
    "The penalty counts half. Both terms of the loss carry the factor ½: differentiate each.")
def error_without_half(features, targets, lam):
    return minimiser(features, targets, lambda w: lam / 4 * w.square().sum())


@ridge.misconception(
    "lam is squared. Where rows are appended to the features, their own squares are what is added to the loss.")
def lam_squared(features, targets, lam):
    return minimiser(features, targets, lambda w: lam**2 / 2 * w.square().sum())


@ridge.misconception("lam is put under a root. It multiplies ½‖w‖² as it is.")
def root_of_lam(features, targets, lam):
    return minimiser(features, targets, lambda w: math.sqrt(lam) / 2 * w.square().sum())


@ridge.misconception("lam is divided by N: the penalty is averaged. Here nothing is averaged.")
def penalty_averaged(features, targets, lam):
    return minimiser(features, targets, lambda w: lam / len(features) / 2 * w.square().sum())


@ridge.misconception("The penalty has the wrong sign, so large weights are rewarded. Set the whole gradient to zero.")
def penalty_subtracted(features, targets, lam):
    return minimiser(features, targets, lambda w: -lam / 2 * w.square().sum())


@ridge.misconception(
    "Features and targets are centred, as libraries do that fit an intercept of their own. Here there is none: take "
    "the features as they are given.")
def intercept_fitted(features, targets, lam):
    return newton_step(features - features.mean(0), targets - targets.mean(0), lam)


@ridge.misconception("The last weight goes free, as an intercept would. Here every weight is penalised.")
def last_weight_free(features, targets, lam):
    return minimiser(features, targets, lambda w: lam / 2 * w[:-1].square().sum())


@ridge.misconception("The first weight goes free, as an intercept would. Here every weight is penalised.")
def first_weight_free(features, targets, lam):
    return minimiser(features, targets, lambda w: lam / 2 * w[1:].square().sum())


@ridge.misconception(
    "The least-squares weights are all shrunk by one factor. That is right for orthonormal features only: elsewhere "
    "each singular direction shrinks by its own.")
def shrunk_by_one_factor(features, targets, lam):
    return no_penalty(features, targets, lam) / (1 + lam)


@ridge.misconception("Those are the fitted values. The weights are asked for.")
def fitted_values(features, targets, lam):
    return features @ newton_step(features, targets, lam)


@ridge.misconception("The features are read as one example per column. Here a row is an example.")
def examples_in_columns(features, targets, lam):
    return newton_step(features.T, targets, lam)


@ridge.misconception(
    "The matrix of inner products of the examples, (N, N), stands where that of the features, (P, P), belongs. "
    "Only for square features does it fit.")
def products_of_examples(features, targets, lam):
    swapped = torch.linalg.solve(features, features.T @ targets)
    return newton_step(features.T, swapped, lam)


# 1.5 min_norm_interpolator


def fit(fn, inputs):
    """The weights; and where independent examples leave room, how these weights meet the targets."""
    parts = call(fn, inputs)
    n, d = inputs["features"].shape
    w = parts["w"]
    if n < d and len(inputs["features"].unique(dim=0)) == n and inputs["features"].dtype == F64:
        fits = isinstance(w, torch.Tensor) and w.shape == weight_shape(**inputs)
        parts["fit"] = kind_of_fit(w.to(F64), **inputs) if fits else "none"
    return parts


def kind_of_fit(w, features, targets):
    """Exact, but for rounding, is 1e-15; a penalty of 1e-9 already misses by more than 1e-11."""
    if torch.equal(w, w.to(F32).to(F64)):
        return "made of float32 numbers"
    missed = float((features @ w - targets).norm() / targets.norm())
    if missed > 0.05:
        return f"off by {missed:.4f} of the targets' norm"
    if missed > 1e-11:
        return "nearly exact"
    basis = torch.linalg.qr(features.T).Q  # (P, N), for independent examples
    left = float((w - basis @ (basis.T @ w)).norm() / w.norm())
    return "exact" + ", with a part orthogonal to the examples" * (left > 1e-9)


min_norm_interpolator = Exercise("min_norm_interpolator", CHAPTER, ("w",), read="1.5", probe=fit)

STEPS, PULL = 30, 1e-4  # the pull is relative to the curvature


@min_norm_interpolator.oracle
def pulled_back_less_and_less(features, targets):
    """Newton steps for the half error from w = 0, each damped: none leaves the span of the examples."""
    shape = weight_shape(features, targets)
    slope, curvature = derivatives(half_error(features, targets), shape)
    pull = PULL * curvature.trace() * torch.eye(len(slope), dtype=F64)
    w = torch.zeros_like(slope)
    for _ in range(STEPS):
        w = w - torch.linalg.solve(curvature + pull, curvature @ w + slope)
    return w.reshape(shape).to(features.dtype)


def conditioned(g, n, d, dtype=F64):
    """Random features whose singular values lie between 1 and 3."""
    left, _, right = torch.linalg.svd(normal(g, n, d) + 0.5, full_matrices=False)
    return (left * torch.linspace(3, 1, min(n, d), dtype=F64) @ right).to(dtype)


def problem(g, features, *outputs):
    return dict(features=features, targets=normal(g, len(features), *outputs, dtype=features.dtype) + 0.5)


def solvable(what):
    """A probe for exactly singular matrices: is there a solution at all?"""
    def probe(fn, inputs):
        try:
            w = call(fn, inputs)["w"]
        except (torch.linalg.LinAlgError, np.linalg.LinAlgError):
            return {what: "stopped by a singular matrix"}
        finite = isinstance(w, torch.Tensor) and bool(torch.isfinite(w).all())
        return {what: "solved" if finite else "answered without finite numbers"}

    return probe


def with_zeros(features, *, column=None, row=None):
    features = features.clone()
    if column is not None:
        features[:, column] = 0
    if row is not None:
        features[row] = 0
    return features


@min_norm_interpolator.case(probe=solvable("a problem with a feature that is always 0"), note="fewer examples than features")
def dead_feature(g):
    return problem(g, with_zeros(conditioned(g, 3, 6), column=2))


@min_norm_interpolator.case(probe=solvable("a problem with an example of zeros"), note="more examples than features")
def empty_example(g):
    return problem(g, with_zeros(conditioned(g, 6, 3), row=4))


@min_norm_interpolator.case(probe=solvable("a problem with a dead feature and an empty example"))
def both_dead_and_empty(g):
    return problem(g, with_zeros(conditioned(g, 4, 4), column=1, row=2))


@min_norm_interpolator.case(note="fewer examples than features")
def wide(g):
    return problem(g, conditioned(g, 3, 6))


@min_norm_interpolator.case(note="more examples than features")
def tall(g):
    return problem(g, conditioned(g, 7, 3))


@min_norm_interpolator.case(note="two features occur twice; two outputs")
def twin_features(g):
    return problem(g, conditioned(g, 7, 3)[:, [0, 1, 0, 2, 1]], 2)


@min_norm_interpolator.case(note="two examples occur twice, with different targets")
def twin_examples(g):
    return problem(g, conditioned(g, 3, 7)[[0, 1, 0, 2, 1]])


@min_norm_interpolator.case(note="as many examples as features; features is not contiguous in memory")
def at_the_threshold(g):
    return problem(g, conditioned(g, 4, 4).T.contiguous().T)


@min_norm_interpolator.case
def float32_wide(g):
    return problem(g, conditioned(g, 4, 9, dtype=F32))


def plain_newton(features, targets):
    """One Newton step without damping; it needs independent features."""
    shape = weight_shape(features, targets)
    slope, curvature = derivatives(half_error(features, targets), shape)
    if torch.linalg.matrix_rank(curvature, hermitian=True) < len(slope):
        raise torch.linalg.LinAlgError
    return torch.linalg.solve(curvature, -slope).reshape(shape).to(features.dtype)


def through_the_examples(features, targets):
    """Weights that combine the examples, the combination by Newton; it needs independent examples."""
    phi = features.to(F64)
    return (phi.T @ plain_newton(phi @ phi.T, targets.to(F64))).to(features.dtype)


@min_norm_interpolator.misconception(
    "That chooses what to invert by the shape alone. Neither matrix has an inverse where features and examples both "
    "depend on one another: what counts is the rank.")
def shape_for_rank(features, targets):
    n, d = features.shape
    return plain_newton(features, targets) if n >= d else through_the_examples(features, targets)


@min_norm_interpolator.misconception(
    "That inverts the matrix of inner products of the features. It has an inverse only where the features are "
    "independent, so never with fewer examples than features: another way to the solution is needed.")
def features_inverted(features, targets):
    return plain_newton(features, targets)


@min_norm_interpolator.misconception(
    "That inverts the matrix of inner products of the examples. It has an inverse only where the examples are "
    "independent, so never with more examples than features: another way to the solution is needed.")
def examples_inverted(features, targets):
    return through_the_examples(features, targets)


@min_norm_interpolator.misconception(
    "These weights fit, but they hold a part that is orthogonal to every example. It changes no prediction and makes "
    "the norm larger.")
def part_beside_the_examples(features, targets):
    w = pulled_back_less_and_less(features, targets)
    start = torch.ones_like(w)
    return w + start - pulled_back_less_and_less(features, features @ start)


@min_norm_interpolator.misconception(
    "Only as many weights as there are examples are solved for, and the others are 0. That fits, but a longer list of "
    "weights can be shorter in norm: share the work among all features.")
def first_weights_only(features, targets):
    n = len(features)
    w = torch.zeros(weight_shape(features, targets), dtype=features.dtype)
    w[:n] = pulled_back_less_and_less(features[:, :n], targets)
    return w


@min_norm_interpolator.misconception(
    "Somewhere on the way the numbers are float32, and float64 went in. Rounding at that place hides the rank, too.")
def float32_on_the_way(features, targets):
    return pulled_back_less_and_less(features, targets).to(F32).to(features.dtype)


@min_norm_interpolator.misconception(
    "The training targets are met only nearly: a small penalty is left, or a descent was stopped early. The limit is "
    "asked for, not a point on the way to it.")
def small_penalty(features, targets):
    return newton_step(features, targets, 1e-4)


@min_norm_interpolator.misconception(
    "Features and targets are centred, as libraries do that fit an intercept of their own. Here there is none: take the "
    "features as they are given.")
def intercept_beside(features, targets):
    return pulled_back_less_and_less(features - features.mean(0), targets - targets.mean(0))


@min_norm_interpolator.misconception("Those are the fitted values. The weights are asked for.")
def fitted_not_weights(features, targets):
    return features @ pulled_back_less_and_less(features, targets)


@min_norm_interpolator.misconception("The features are read as one example per column. Here a row is an example.")
def columns_as_examples(features, targets):
    return pulled_back_less_and_less(features.T, targets)


@min_norm_interpolator.misconception(
    "The features are multiplied from the left by their transpose, and nothing is inverted. That is the direction of "
    "the first gradient step; the fit needs the inverse of the singular values.")
def transpose_for_inverse(features, targets):
    phi = features.to(F64)
    return (phi.T @ targets.to(F64)).to(features.dtype)
