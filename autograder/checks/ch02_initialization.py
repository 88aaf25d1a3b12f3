"""Checks of chapter 02: how large a random weight must be for a signal to survive depth.

The oracles count connections with a convolution, integrate on a fine grid, enumerate two-point
distributions, solve a defining property by bisection, or hand over a sample whose moments are
exact; none uses the formula that is asked for.
"""

import functools
import math

import sympy as sp
import torch
import torch.nn.functional as F

from .derivation import Derivation
from .exercise import Exercise, call
from .probe import Misfit, kind_of, plain

CHAPTER = "02_initialization"
F64 = torch.float64

GRID = torch.linspace(-12, 12, 24001, dtype=F64)
DENSITY = torch.exp(-GRID.square() / 2)


def within(relative):
    return lambda want, inputs: relative * abs(want)


def gaussian_mean(f):
    """E[f(z)] for z ~ N(0, 1), by sums on a grid: exact to 1e-12 for smooth f and for kinks at 0 of z²."""
    return float((f(GRID) * DENSITY).sum() / DENSITY.sum())


# product_variance

product_variance = Derivation(
    "product_variance", CHAPTER, read="2.3",
    symbols={"mean_w": {"real": True}, "var_w": {"positive": True},
             "mean_x": {"real": True}, "var_x": {"positive": True}})


@product_variance.oracle
def by_enumeration(mean_w, var_w, mean_x, var_x):
    """Two coins: w and x each take mean ± deviation; the four products are equally likely."""
    ws = [mean_w + s * math.sqrt(var_w) for s in (-1, 1)]
    xs = [mean_x + s * math.sqrt(var_x) for s in (-1, 1)]
    products = [w * x for w in ws for x in xs]
    centre = sum(products) / 4
    return sum((p - centre) ** 2 for p in products) / 4


# No mean is 0: there sympy's own integral of two normal densities divides by the mean.
product_variance.point(mean_w=1, var_w=2, mean_x=1, var_x=5)
product_variance.point(mean_w=1, var_w="1/3", mean_x=3, var_x=2)
product_variance.point(mean_w=-2, var_w=3, mean_x=1, var_x="1/2")
product_variance.point(mean_w="3/2", var_w="2/5", mean_x=-4, var_x=7)


@product_variance.misconception(
    "That holds only when both means are zero. After a ReLU the input has a mean: keep the means in the derivation.")
def both_means_zero(mean_w, var_w, mean_x, var_x):
    return var_w * var_x


@product_variance.misconception(
    "That takes the weights to have zero mean. Later the chapter does; here mean_w is an argument, so carry it along.")
def weights_of_zero_mean(mean_w, var_w, mean_x, var_x):
    return var_w * (mean_x**2 + var_x)


@product_variance.misconception(
    "That takes the input to have zero mean. An activation such as ReLU leaves a mean behind.")
def input_of_zero_mean(mean_w, var_w, mean_x, var_x):
    return var_x * (mean_w**2 + var_w)


@product_variance.misconception(
    "That is the second moment E[(wx)²]. A variance is measured about the mean, and wx has one too.")
def second_moment_of_product(mean_w, var_w, mean_x, var_x):
    return (mean_w**2 + var_w) * (mean_x**2 + var_x)


@product_variance.misconception(
    "That is error propagation to first order: it drops the term in which both factors deviate from their means "
    "at once. Near zero means that term is all there is.")
def first_order_only(mean_w, var_w, mean_x, var_x):
    return mean_w**2 * var_x + mean_x**2 * var_w


@product_variance.misconception("That is the variance of a sum. Here w and x are multiplied.")
def variance_of_a_sum(mean_w, var_w, mean_x, var_x):
    return var_w + var_x


@product_variance.misconception(
    "The means are not squared. A variance has the unit of w² times the unit of x²: check the unit of each term.")
def means_not_squared(mean_w, var_w, mean_x, var_x):
    return var_w * var_x + mean_w * var_x + mean_x * var_w


@product_variance.misconception(
    "Each mean stands beside the variance of its own variable. Fix w at its mean: which variable still varies?")
def mean_beside_its_own_variance(mean_w, var_w, mean_x, var_x):
    return var_w * var_x + mean_w**2 * var_w + mean_x**2 * var_x


@product_variance.misconception("var_w and var_x are variances already: do not square them again.")
def variances_taken_for_deviations(mean_w, var_w, mean_x, var_x):
    return (var_w**2 + mean_w**2) * (var_x**2 + mean_x**2) - (mean_w * mean_x) ** 2


@product_variance.misconception(
    "The square of the mean of wx is added. A variance is the second moment minus the square of the mean.")
def square_of_the_mean_added(mean_w, var_w, mean_x, var_x):
    return (var_w + mean_w**2) * (var_x + mean_x**2) + (mean_w * mean_x) ** 2


# relu_second_moment

relu_second_moment = Derivation("relu_second_moment", CHAPTER, read="2.4", symbols={"sigma": {"positive": True}})


@relu_second_moment.oracle
def relu_on_a_grid(sigma):
    return gaussian_mean(lambda z: F.relu(sigma * z).square())


relu_second_moment.point(sigma=1)
relu_second_moment.point(sigma="3/4")
relu_second_moment.point(sigma=5)


@relu_second_moment.misconception(
    "That is the second moment before the ReLU. Split the integral at zero: what does the negative side give now?")
def negative_side_kept(sigma):
    return sigma**2


@relu_second_moment.misconception(
    "That is the variance after the ReLU. The second moment is asked for: nothing is subtracted, although the mean is "
    "no longer zero.")
def variance_after_relu(sigma):
    return sigma**2 * (sp.pi - 1) / (2 * sp.pi)


@relu_second_moment.misconception("That is the mean after the ReLU, E[max(0, a)]. Square before you take the mean.")
def mean_after_relu(sigma):
    return sigma / sp.sqrt(2 * sp.pi)


@relu_second_moment.misconception(
    "That is the square of the mean. Square first, then take the mean: the two differ by the variance.")
def squared_mean_after_relu(sigma):
    return sigma**2 / (2 * sp.pi)


@relu_second_moment.misconception(
    "That halves the values and then squares. A ReLU leaves each positive value as it is and drops the others.")
def values_halved(sigma):
    return (sigma / 2) ** 2


@relu_second_moment.misconception("sigma is the standard deviation of a, not its variance.")
def sigma_taken_for_variance(sigma):
    return sigma / 2


@relu_second_moment.misconception(
    "That is the root of the second moment. E[max(0, a)²] itself is asked for, in the unit of a².")
def root_mean_square(sigma):
    return sigma / sp.sqrt(2)


# leaky_relu_second_moment

leaky_relu_second_moment = Derivation(
    "leaky_relu_second_moment", CHAPTER, read="2.4",
    symbols={"sigma": {"positive": True}, "slope": {"nonnegative": True}})


@leaky_relu_second_moment.oracle
def leaky_relu_on_a_grid(sigma, slope):
    return gaussian_mean(lambda z: F.leaky_relu(sigma * z, slope).square())


leaky_relu_second_moment.point(sigma=1, slope=0)
leaky_relu_second_moment.point(sigma=1, slope=1)
leaky_relu_second_moment.point(sigma=3, slope=0)
leaky_relu_second_moment.point(sigma=2, slope="1/4")


@leaky_relu_second_moment.misconception(
    "The slope is not squared. It multiplies a, and it is the square of the activation that is averaged.")
def slope_not_squared(sigma, slope):
    return sigma**2 * (1 + slope) / 2


@leaky_relu_second_moment.misconception(
    "That is the plain ReLU: the negative side, scaled by the slope, gives a part too.")
def negative_side_dropped(sigma, slope):
    return sigma**2 / 2


@leaky_relu_second_moment.misconception(
    "That is the variance after the activation. The second moment is asked for: nothing is subtracted.")
def variance_after_leaky_relu(sigma, slope):
    return sigma**2 * ((sp.pi - 1) * (1 + slope**2) + 2 * slope) / (2 * sp.pi)


@leaky_relu_second_moment.misconception("That is the mean after the activation. Square before you take the mean.")
def mean_after_leaky_relu(sigma, slope):
    return sigma * (1 - slope) / sp.sqrt(2 * sp.pi)


@leaky_relu_second_moment.misconception(
    "Each side counts in full there. a is positive half of the time and negative half of the time.")
def both_sides_in_full(sigma, slope):
    return sigma**2 * (1 + slope**2)


@leaky_relu_second_moment.misconception(
    "The positive side is halved and the negative side is not. Each side holds half of the probability.")
def negative_side_not_halved(sigma, slope):
    return sigma**2 / 2 + slope**2 * sigma**2


@leaky_relu_second_moment.misconception(
    "The negative side is subtracted. Both sides give squares, and squares add.")
def negative_side_subtracted(sigma, slope):
    return sigma**2 * (1 - slope**2) / 2


@leaky_relu_second_moment.misconception(
    "That squares the average slope. Average the squares of the two slopes: split the integral at zero.")
def average_slope_squared(sigma, slope):
    return (sigma * (1 + slope) / 2) ** 2


@leaky_relu_second_moment.misconception("sigma is the standard deviation of a, not its variance.")
def deviation_taken_for_variance(sigma, slope):
    return sigma * (1 + slope**2) / 2


# uniform_bound

uniform_bound = Derivation("uniform_bound", CHAPTER, read="2.5", symbols={"variance": {"positive": True}})
LEGENDRE = 1 / math.sqrt(3)  # two nodes, exact for cubics


def spread(bound):
    """The variance of U(-bound, bound), by quadrature."""
    return sum((bound * node) ** 2 for node in (-LEGENDRE, LEGENDRE)) / 2


@uniform_bound.oracle
def by_bisection(variance):
    low, high = 0.0, 4.0 * max(1.0, variance)
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if spread(middle) < variance else (low, middle)
    return middle


uniform_bound.point(variance=1)
uniform_bound.point(variance=12)
uniform_bound.point(variance="2/7")


@uniform_bound.misconception(
    "That is the standard deviation. A uniform variable reaches further than its standard deviation: integrate x² "
    "over the interval to see how far.")
def deviation_used_as_bound(variance):
    return sp.sqrt(variance)


@uniform_bound.misconception(
    "That is the width of the whole interval. The interval runs from -bound to bound.")
def width_for_bound(variance):
    return sp.sqrt(12 * variance)


@uniform_bound.misconception("That is the square of the bound: undo the square of b in the variance.")
def root_forgotten(variance):
    return 3 * variance


@uniform_bound.misconception(
    "The variance stands where the standard deviation belongs. A bound has the unit of x, a variance that of x².")
def variance_for_deviation(variance):
    return sp.sqrt(3) * variance


@uniform_bound.misconception(
    "That is the standard deviation of a uniform variable whose bound is √variance. Solve for the bound instead.")
def solved_the_other_way(variance):
    return sp.sqrt(variance / 3)


@uniform_bound.misconception("That is the lower end of the interval. The bound is the positive end.")
def lower_end(variance):
    return -sp.sqrt(3 * variance)


@uniform_bound.misconception(
    "6 belongs to Xavier's bound, where the variance is already written out in fan_in and fan_out. Here the variance "
    "is given: integrate x² over the interval.")
def xaviers_six(variance):
    return sp.sqrt(6 * variance)


# kaiming_variance

kaiming_variance = Derivation(
    "kaiming_variance", CHAPTER, read="2.4",
    symbols={"fan_in": {"integer": True, "positive": True}, "slope": {"nonnegative": True}})


@kaiming_variance.oracle
def keeps_the_second_moment(fan_in, slope):
    """The variance v for which a unit second moment before φ leads to one in the next layer."""
    left = fan_in * gaussian_mean(lambda z: F.leaky_relu(z, slope).square())
    return 1 / left


kaiming_variance.point(fan_in=1, slope=0)
kaiming_variance.point(fan_in=3, slope=1)
kaiming_variance.point(fan_in=10, slope=0)
kaiming_variance.point(fan_in=7, slope="1/4")


@kaiming_variance.misconception(
    "That is the variance for a plain ReLU. A leaky one keeps part of the negative side, so less has to be put back.")
def slope_ignored(fan_in, slope):
    return 2 / fan_in


@kaiming_variance.misconception(
    "That preserves the signal of a linear layer. The activation drops part of the energy, and the weights must put "
    "it back.")
def linear_gain(fan_in, slope):
    return 1 / fan_in


@kaiming_variance.misconception("That is the standard deviation. The variance is asked for.")
def deviation_for_variance(fan_in, slope):
    return sp.sqrt(2 / (fan_in * (1 + slope**2)))


@kaiming_variance.misconception(
    "The slope is not squared. It multiplies a, and it is the square of the activation that is averaged.")
def slope_not_squared_in_gain(fan_in, slope):
    return 2 / (fan_in * (1 + slope))


@kaiming_variance.misconception("The gain multiplies the standard deviation; the variance takes its square.")
def gain_not_squared(fan_in, slope):
    return sp.sqrt(2 / (1 + slope**2)) / fan_in


@kaiming_variance.misconception(
    "That is what the activation leaves, over fan_in. The weights must make up for it: solve for the variance that "
    "gives back what was lost.")
def loss_not_inverted(fan_in, slope):
    return (1 + slope**2) / (2 * fan_in)


@kaiming_variance.misconception(
    "The slope's factor stands on the wrong side. A larger slope loses less, so it needs a smaller variance.")
def slope_on_the_wrong_side(fan_in, slope):
    return 2 * (1 + slope**2) / fan_in


@kaiming_variance.misconception(
    "That keeps the variance after the activation. The next layer's variance comes from the second moment E[x²], and "
    "after the activation the mean is not zero.")
def variance_after_activation_kept(fan_in, slope):
    return 2 * sp.pi / (fan_in * ((sp.pi - 1) * (1 + slope**2) + 2 * slope))


@kaiming_variance.misconception("A unit sums fan_in products: more of them need smaller weights.")
def fan_in_forgotten(fan_in, slope):
    return 2 / (1 + slope**2)


@kaiming_variance.misconception("That is the bound of a uniform draw. The variance is asked for.")
def uniform_bound_for_variance(fan_in, slope):
    return sp.sqrt(6 / (fan_in * (1 + slope**2)))


# fans

fans = Exercise("fans", CHAPTER, ("fan_in", "fan_out"), read="2.5")
LAYER = (F.linear, F.conv1d, F.conv2d, F.conv3d)


@fans.oracle
def count_connections(shape):
    """With ones everywhere a unit's output counts what it sums; an input's gradient, where it goes."""
    kernel = shape[2:]
    ones = torch.ones(1, shape[1], *(2 * k - 1 for k in kernel), dtype=F64, requires_grad=True)
    with torch.enable_grad():
        out = LAYER[len(kernel)](ones, torch.ones(*shape, dtype=F64))
        reached, = torch.autograd.grad(out.sum(), ones)
    return int(out.max()), int(reached.max())


@fans.case
def linear(g):
    return dict(shape=(3, 5))


@fans.case
def square_kernel(g):
    return dict(shape=(8, 4, 3, 3))


@fans.case
def kernel_of_two_sides(g):
    return dict(shape=(6, 10, 2, 5))


@fans.case
def kernel_in_one_dimension(g):
    return dict(shape=torch.Size((4, 9, 7)))


@fans.misconception(
    "The two are swapped. A weight is (out, in): fan_in counts what one unit sums, and a unit sums inputs.")
def swapped(shape):
    return count_connections(shape)[::-1]


@fans.misconception(
    "The receptive field is missing. A unit of a convolution sums over every position of the kernel, and an input "
    "collects from every position on the way back: this holds for both fans.")
def receptive_field_ignored(shape):
    return count_connections(shape[:2])


@fans.misconception(
    "Swapped, and the receptive field is missing. A weight is (out, in, *kernel): count what one unit sums.")
def swapped_without_receptive_field(shape):
    return count_connections(shape[:2])[::-1]


@fans.misconception(
    "Only the first side of the kernel is counted. The receptive field is all positions of the kernel.")
def one_side_of_the_kernel(shape):
    return count_connections(shape[:3])


@fans.misconception("The first side of the kernel is squared. A kernel need not be square, nor have two sides.")
def kernel_taken_for_square(shape):
    return count_connections((*shape[:2], shape[2], shape[2]) if len(shape) > 2 else shape)


@fans.misconception("The sides of the kernel are added. The kernel has as many positions as their product.")
def sides_added(shape):
    return count_connections((*shape[:2], sum(shape[2:])) if len(shape) > 2 else shape)


@fans.misconception(
    "That is TensorFlow's layout, (*kernel, in, out). PyTorch's weights are (out, in, *kernel).")
def tensorflow_layout(shape):
    return count_connections((shape[-1], shape[-2], *shape[:-2]))


@fans.misconception("That counts all weights of the layer. One unit sees only its own.")
def all_weights(shape):
    return (math.prod(shape),) * 2


# xavier_uniform_bound

# 1e-6 lets a bound pass that was worked out in float32.
xavier_uniform_bound = Exercise("xavier_uniform_bound", CHAPTER, ("bound",), read="2.5",
                                tolerances={"bound": within(1e-6)})


def whole(g, low, high):
    return int(torch.randint(low, high, (), generator=g))


def between(g, low, high):
    return low + (high - low) * float(torch.rand((), generator=g, dtype=F64))


@xavier_uniform_bound.oracle
def bound_of_the_compromise(fan_in, fan_out, gain=1.0):
    """The interval whose variance meets the mean of the two demands."""
    return gain * by_bisection(1 / (fan_in + (fan_out - fan_in) / 2))


@xavier_uniform_bound.case
def default_gain(g):
    return dict(fan_in=whole(g, 20, 40), fan_out=whole(g, 50, 90))


@xavier_uniform_bound.case(note="the slide's sigmoid")
def sigmoid_gain(g):
    return dict(fan_in=whole(g, 300, 400), fan_out=whole(g, 60, 90), gain=4.0)


@xavier_uniform_bound.case
def any_gain(g):
    return dict(fan_in=whole(g, 5, 9), fan_out=whole(g, 200, 300), gain=between(g, 1.5, 1.9))


@xavier_uniform_bound.misconception(
    "The gain is left out. It scales the weights: the slide's sigmoid has 4 where its tanh has 1.")
def gain_forgotten(fan_in, fan_out, gain=1.0):
    return bound_of_the_compromise(fan_in, fan_out)


@xavier_uniform_bound.misconception(
    "That is the standard deviation used as the bound. A uniform draw reaches further than its standard deviation: "
    "use your result for uniform_bound.")
def std_used_as_bound(fan_in, fan_out, gain=1.0):
    return math.sqrt(spread(bound_of_the_compromise(fan_in, fan_out, gain)))


@xavier_uniform_bound.misconception("That is the variance of the weights. The bound of the interval is asked for.")
def variance_used_as_bound(fan_in, fan_out, gain=1.0):
    return spread(bound_of_the_compromise(fan_in, fan_out, gain))


@xavier_uniform_bound.misconception(
    "That is the bound for the sum of the two fans: smaller than what either way asks for. A compromise lies between.")
def sum_of_fans_for_their_mean(fan_in, fan_out, gain=1.0):
    return gain * by_bisection(1 / (fan_in + fan_out))


@xavier_uniform_bound.misconception(
    "That uses fan_in alone: it preserves the way forward. Xavier's compromise takes the way back into account too.")
def fan_in_alone(fan_in, fan_out, gain=1.0):
    return bound_of_the_compromise(fan_in, fan_in, gain)


@xavier_uniform_bound.misconception(
    "That uses fan_out alone: it preserves the way back. Xavier's compromise takes the way forward into account too.")
def fan_out_alone(fan_in, fan_out, gain=1.0):
    return bound_of_the_compromise(fan_out, fan_out, gain)


@xavier_uniform_bound.misconception(
    "That is Kaiming's bound for a ReLU: fan_in alone, and a ReLU's gain inside. Xavier's compromise takes both fans.")
def kaimings_bound(fan_in, fan_out, gain=1.0):
    return gain * by_bisection(2 / fan_in)


@xavier_uniform_bound.misconception(
    "The gain went under the root. It multiplies the weights, so it multiplies the bound.")
def gain_under_the_root(fan_in, fan_out, gain=1.0):
    return bound_of_the_compromise(fan_in, fan_out, math.sqrt(gain))


@xavier_uniform_bound.misconception(
    "The gain is squared. Its square scales the variance; the bound scales like the weights themselves.")
def gain_squared(fan_in, fan_out, gain=1.0):
    return bound_of_the_compromise(fan_in, fan_out, gain**2)


@xavier_uniform_bound.misconception("The bound is divided by the gain. A larger gain asks for larger weights.")
def divided_by_gain(fan_in, fan_out, gain=1.0):
    return bound_of_the_compromise(fan_in, fan_out, 1 / gain)


@xavier_uniform_bound.misconception("That is the width of the interval. It runs from -bound to bound.")
def width_of_the_interval(fan_in, fan_out, gain=1.0):
    return 2 * bound_of_the_compromise(fan_in, fan_out, gain)


@xavier_uniform_bound.misconception("That is the square of the bound: the root is missing.")
def square_of_the_bound(fan_in, fan_out, gain=1.0):
    return bound_of_the_compromise(fan_in, fan_out, gain) ** 2


@xavier_uniform_bound.misconception(
    "The gain is right, the root is missing: what the gain multiplies is the square of the bound for gain 1.")
def root_missing(fan_in, fan_out, gain=1.0):
    return gain * bound_of_the_compromise(fan_in, fan_out) ** 2


@xavier_uniform_bound.misconception(
    "That is the default of nn.Linear, which looks at fan_in alone and has a smaller variance.", read="2.5")
def default_of_nn_linear(fan_in, fan_out, gain=1.0):
    return gain * by_bisection(1 / fan_in) * LEGENDRE


# kaiming_normal


def moments(fn, inputs):
    """Shape and moments of one draw. Of n float32 normals about n²/2²⁵ repeat by chance: 3 of 10000."""
    with torch.random.fork_rng(devices=[]):  # a check leaves the global state as it was
        w = drawn(fn(**inputs))
    some = w.flatten()[:10000]
    repeated = some.unique().numel() < 0.9 * some.numel()
    return {"shape": str(tuple(w.shape)), "dtype": dtype(w), **moments_of(w.to(F64)),
            "set of weights": "full of repeats" if repeated else "all different"}


def drawn(returned):
    returned = plain(returned)
    if not isinstance(returned, torch.Tensor):
        raise Misfit(f"returned {kind_of(returned)}, expected a tensor of random weights")
    return returned


def dtype(w):
    return str(w.dtype).removeprefix("torch.")


def moments_of(w):
    centred = w - w.mean()
    variance = centred.square().mean()
    kurtosis = centred.pow(4).mean() / variance.square()
    return {"mean of the weights": round(float(w.mean()), 9) + 0.0,  # + 0.0 turns -0.0 into 0.0
            "variance of the weights": float(variance),
            "kurtosis of the weights (3 for a normal)": float(kurtosis)}


def size(inputs):
    return math.prod(inputs["shape"])


# Bands at 6 standard errors for normal weights, 1 false alarm in 5e8 each: the mean of n weights is off by
# sqrt(variance/n), their variance by a factor 1 ± sqrt(2/n), their kurtosis by sqrt(24/n). The last has a skew
# tail, so it gets 12; a uniform draw is off by 60 and more.
BANDS = {
    "mean of the weights": lambda want, inputs: 6 * math.sqrt(right_variance(**inputs) / size(inputs)),
    "variance of the weights": lambda want, inputs: 6 * want * math.sqrt(2 / size(inputs)),
    "kurtosis of the weights (3 for a normal)": lambda want, inputs: 12 * math.sqrt(24 / size(inputs)),
}

kaiming_normal = Exercise("kaiming_normal", CHAPTER, ("w",), read="2.4", probe=moments, tolerances=BANDS)


def fan(shape, mode):
    return count_connections(shape)[mode == "fan_out"]


def right_variance(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return keeps_the_second_moment(fan(shape, mode), negative_slope)


def sample(shape, variance, generator, quantile=torch.special.ndtri):
    """A shuffled sample of the given variance, whose moments are those of its distribution."""
    n = math.prod(shape)
    q = quantile((torch.arange(n, dtype=F64) + 0.5) / n)
    q = q * math.sqrt(variance) / q.std(correction=0)
    return q[torch.randperm(n, generator=generator)].reshape(*shape).float()


@kaiming_normal.oracle
def ideal_sample(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, negative_slope, mode), generator)


def contracts(fn, inputs):
    """Where the randomness comes from, on a shape small enough to draw often."""
    def draw(generator):
        return drawn(fn(**{**inputs, "generator": generator}))

    with torch.random.fork_rng(devices=[]):
        start = torch.get_rng_state()
        first, again = (draw(seeded(1)) for _ in range(2))
        left = torch.equal(start, torch.get_rng_state())
        one = seeded(2)
        two_draws = draw(one), draw(one)
        from_global = [draw_after_seed(draw, 3), draw_after_seed(draw, 3), draw(None)]
    return {"shape": str(tuple(first.shape)), "dtype": dtype(first),
            "global random state": "untouched" if left else "advanced",
            "same generator, same result": torch.equal(first, again),
            "two draws in a row": alike(*two_draws),
            "generator=None after the same torch.manual_seed": alike(*from_global[:2]),
            "generator=None twice in a row": alike(*from_global[1:])}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def draw_after_seed(draw, seed):
    torch.manual_seed(seed)
    return draw(None)


def alike(a, b):
    return "equal" if torch.equal(a, b) else "different"


@kaiming_normal.case
def convolution(g):
    return dict(shape=(48, 160, 3, 3), negative_slope=0.5, generator=seeded(whole(g, 0, 10**6)))


@kaiming_normal.case(note="slope and mode at their defaults")
def linear_relu(g):
    return dict(shape=(150, 400), generator=seeded(whole(g, 0, 10**6)))


@kaiming_normal.case
def way_back(g):
    return dict(shape=(48, 160, 5, 2), negative_slope=0.6, mode="fan_out", generator=seeded(whole(g, 0, 10**6)))


@kaiming_normal.case(probe=contracts)
def randomness(g):
    return dict(shape=(7, 5))


@kaiming_normal.misconception(
    "The variance is used as the standard deviation. `randn` and `normal_` scale with the standard deviation.")
def variance_for_std(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, negative_slope, mode) ** 2, generator)


@kaiming_normal.misconception(
    "That is the variance for a plain ReLU: negative_slope is not used. A leaky ReLU loses less.")
def slope_of_zero(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, 0.0, mode), generator)


@kaiming_normal.misconception(
    "That is gain 1, the variance for a linear layer. The activation drops part of the energy; the gain puts it back.")
def gain_of_one(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, 1.0, mode), generator)


@kaiming_normal.misconception(
    "mode is not used: that is the variance for fan_in, and fan_out was asked for.", read="2.5")
def fan_in_always(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, negative_slope), generator)


@kaiming_normal.misconception(
    "That is the variance for fan_out. On the way forward a unit sums fan_in terms.", read="2.5")
def fan_out_for_fan_in(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, negative_slope, "fan_out"), generator)


@kaiming_normal.misconception(
    "The two modes are swapped: a unit sums fan_in terms on the way forward, an input collects fan_out terms on the "
    "way back.", read="2.5")
def modes_swapped(shape, negative_slope=0.0, mode="fan_in", generator=None):
    other = "fan_in" if mode == "fan_out" else "fan_out"
    return sample(shape, right_variance(shape, negative_slope, other), generator)


@kaiming_normal.misconception(
    "The receptive field is missing in the fan: a unit of a convolution sums over every position of the kernel.",
    read="2.5")
def no_receptive_field(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape[:2], negative_slope, mode), generator)


@kaiming_normal.misconception(
    "The slope is not squared. It multiplies a, and it is the square of the activation that is averaged.")
def slope_not_squared_in_draw(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, math.sqrt(negative_slope), mode), generator)


@kaiming_normal.misconception("The gain multiplies the standard deviation; the variance takes its square.")
def gain_under_a_root(shape, negative_slope=0.0, mode="fan_in", generator=None):
    per_input = right_variance(shape, 1.0, mode)
    return sample(shape, math.sqrt(per_input * right_variance(shape, negative_slope, mode)), generator)


@kaiming_normal.misconception(
    "The gain multiplies the standard deviation once more than it should: its square is in the variance already.")
def gain_taken_twice(shape, negative_slope=0.0, mode="fan_in", generator=None):
    right = right_variance(shape, negative_slope, mode)
    return sample(shape, right**2 / right_variance(shape, 1.0, mode), generator)


@kaiming_normal.misconception(
    "That is a uniform draw. Its variance is right; a normal one was asked for.", read="2.5")
def uniform_draw(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, negative_slope, mode), generator, lambda u: u - 0.5)


@kaiming_normal.misconception(
    "The bound of a uniform draw is used as the standard deviation of a normal one.", read="2.5")
def bound_for_std(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, by_bisection(right_variance(shape, negative_slope, mode)) ** 2, generator)


@kaiming_normal.misconception(
    "The normal is cut off at two standard deviations, as TensorFlow's he_normal does. A cut loses variance and "
    "changes the shape; here the whole normal is asked for.")
def truncated(shape, negative_slope=0.0, mode="fan_in", generator=None):
    low = float(torch.special.ndtr(torch.tensor(-2.0, dtype=F64)))
    kept = gaussian_mean(lambda z: z.square() * (z.abs() <= 2)) / (1 - 2 * low)
    return sample(shape, kept * right_variance(shape, negative_slope, mode), generator,
                  lambda u: torch.special.ndtri(low + (1 - 2 * low) * u))


@kaiming_normal.misconception(
    "That is Xavier's variance, from the mean of both fans. Kaiming's takes the one that mode names.", read="2.5")
def mean_of_both_fans(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, spread(bound_of_the_compromise(*count_connections(shape))), generator)


@kaiming_normal.misconception(
    "The gain is right, and the fan is the mean of both. Kaiming's takes the one that mode names.", read="2.5")
def gain_with_both_fans(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, keeps_the_second_moment(sum(count_connections(shape)) / 2, negative_slope), generator)


@kaiming_normal.misconception(
    "That is the variance of nn.Linear's own default (slope √5), smaller than what a ReLU needs.")
def default_of_pytorch(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, right_variance(shape, math.sqrt(5)), generator)


@kaiming_normal.misconception("Those are standard normal weights: nothing scales them down to the fan.")
def not_scaled(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return sample(shape, 1.0, generator)


@kaiming_normal.misconception(
    "The same weights come again and again. Units with equal weights compute the same and get the same gradient: draw "
    "each weight on its own.", read="2.2")
def weights_repeat(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return ideal_sample(shape, negative_slope, mode, generator)[:1].expand(shape)


@kaiming_normal.misconception(
    "The draw does not come from the generator that is given. Hand it to every call that draws.")
def generator_not_used(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return ideal_sample(shape, negative_slope, mode)


@kaiming_normal.misconception(
    "With generator None a new generator of a fixed seed is made: every layer of one shape gets the same weights. "
    "None stands for PyTorch's global generator.")
def fixed_seed_for_none(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return ideal_sample(shape, negative_slope, mode, generator or seeded(0))


@kaiming_normal.misconception(
    "With generator None the draw does not follow torch.manual_seed. None stands for PyTorch's global generator.")
def deaf_to_manual_seed(shape, negative_slope=0.0, mode="fan_in", generator=None):
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    return ideal_sample(shape, negative_slope, mode, generator)


@kaiming_normal.misconception(
    "The generator is set back to its seed in every call: all layers of one shape get the same weights. Draw from it "
    "as it is.")
def generator_set_back(shape, negative_slope=0.0, mode="fan_in", generator=None):
    back = generator and generator.manual_seed(generator.initial_seed())
    return ideal_sample(shape, negative_slope, mode, back)


# activation_gain


def gain_called(part):
    """A probe that records the gain under the name `part`, and the kind of argument that φ meets.

    A belief need not reproduce every φ: at a kink few nodes are off, and an odd φ has no mean to
    divide by. With a part of its own, such a φ does not stand in the way of a message.
    """

    def probe(fn, inputs):
        met = set()

        @functools.wraps(inputs["phi"])
        def phi(z):
            met.add(f"a {dtype(z)} tensor" if isinstance(z, torch.Tensor) else kind_of(z))
            return inputs["phi"](z)

        gain = call(fn, {**inputs, "phi": phi})["gain"]
        return {part: gain, "what phi is given": ", ".join(sorted(met))}

    return probe


# The promise for smooth φ is 1e-6; 64 nodes give tanh to 3e-9, the others here to 1e-12.
activation_gain = Exercise("activation_gain", CHAPTER, ("gain",), read="2.6", probe=gain_called("gain"),
                           tolerances={"gain": within(1e-6), "gain of tanh": within(1e-6)})


def mean_square(phi, nodes, scale=1.0):
    """E[φ(scale·z)²] as a rule with that many nodes gives it.

    n nodes are exact up to degree 2n-1 and miss z^(2n) by n!, the squared norm of the n-th
    Hermite polynomial; φ in the checks is z^n there, or else smooth at many nodes.
    """
    missed = math.factorial(nodes) * scale ** (2 * nodes) if getattr(phi, "degree", None) == nodes else 0
    return gaussian_mean(lambda z: phi(scale * z).square()) - missed


@activation_gain.oracle
def gain_on_a_grid(phi, nodes=64):
    return mean_square(phi, nodes) ** -0.5


def power(n):
    """φ(z) = z^n, on which a rule with n nodes shows its error."""
    def phi(z):
        return z**n

    phi.__name__, phi.degree = f"z**{n}", n
    return phi


def leaky(slope):
    def phi(z):
        return F.leaky_relu(z, slope)

    phi.__name__ = f"leaky ReLU of slope {slope:.3g}"
    return phi


@activation_gain.case
def sigmoid(g):
    return dict(phi=torch.sigmoid)


@activation_gain.case
def softplus(g):
    return dict(phi=F.softplus)


@activation_gain.case(probe=gain_called("gain of tanh"))
def tanh(g):
    return dict(phi=torch.tanh)


@activation_gain.case(probe=gain_called("gain of a ReLU"))
def relu(g):
    return dict(phi=torch.relu)


@activation_gain.case(probe=gain_called("gain of a leaky ReLU"))
def leaky_relu(g):
    return dict(phi=leaky(between(g, 0.2, 0.6)), nodes=16)


@activation_gain.case(probe=gain_called("gain by 3 nodes"),
                      note="3 nodes cannot integrate z**6 exactly; the value of the rule with 3 nodes is asked for")
def few_nodes(g):
    return dict(phi=power(3), nodes=3)


@activation_gain.misconception(
    "`nodes` is not used: that is the exact mean, or the rule with more nodes. With few nodes the rule is off, and "
    "its own value is asked for.")
def nodes_ignored(phi, nodes=64):
    return gaussian_mean(lambda z: phi(z).square()) ** -0.5


@activation_gain.misconception(
    "Those are nodes and weights for the integral of f(x)·exp(-x²), used as they are. A mean under N(0, 1) has another "
    "exponent and a density that integrates to 1.")
def physicists_rule_as_it_is(phi, nodes=64):
    return (mean_square(phi, nodes, math.sqrt(0.5)) * math.sqrt(math.pi)) ** -0.5


@activation_gain.misconception(
    "The weights are right, the nodes are those of exp(-x²): they belong to a normal of variance ½. Substitute, so "
    "that the exponent becomes that of N(0, 1).")
def nodes_of_half_the_variance(phi, nodes=64):
    return mean_square(phi, nodes, math.sqrt(0.5)) ** -0.5


@activation_gain.misconception(
    "The weights do not sum to 1: those of exp(-z²/2) integrate the function, not the density. Try phi = 1.")
def weights_not_normalised(phi, nodes=64):
    return (mean_square(phi, nodes) * math.sqrt(2 * math.pi)) ** -0.5


@activation_gain.misconception(
    "The nodes are right, the weights do not sum to 1: those of exp(-x²) integrate the function, not the density. "
    "Try phi = 1.")
def physicists_weights_not_normalised(phi, nodes=64):
    return (mean_square(phi, nodes) * math.sqrt(math.pi)) ** -0.5


@activation_gain.misconception(
    "The nodes are scaled once too often: they now belong to a normal of variance 2. Which weight function does your "
    "rule come with?")
def nodes_of_twice_the_variance(phi, nodes=64):
    return mean_square(phi, nodes, math.sqrt(2)) ** -0.5


@activation_gain.misconception(
    "That uses the variance of φ(z). The next layer's variance comes from the second moment, mean included.",
    read="2.4")
def variance_for_second_moment(phi, nodes=64):
    return (mean_square(phi, nodes) - gaussian_mean(phi) ** 2) ** -0.5


@activation_gain.misconception("That is E[φ(z)²], what the activation leaves. The gain is what puts it back.")
def second_moment_for_gain(phi, nodes=64):
    return mean_square(phi, nodes)


@activation_gain.misconception(
    "That is the gain's inverse: the root of what the activation leaves. The gain must make up for it.")
def gain_inverted(phi, nodes=64):
    return mean_square(phi, nodes) ** 0.5


@activation_gain.misconception(
    "The root is missing: that is the factor for the variance. The gain multiplies the weights themselves.")
def square_of_the_gain(phi, nodes=64):
    return 1 / mean_square(phi, nodes)


@activation_gain.misconception("φ is averaged and then squared. Square first: E[φ(z)²] is not E[φ(z)]².")
def square_of_the_mean(phi, nodes=64):
    return 1 / abs(gaussian_mean(phi))


@activation_gain.misconception("φ is not squared: the gain comes from the second moment, not from the mean.")
def phi_not_squared(phi, nodes=64):
    return abs(gaussian_mean(phi)) ** -0.5


@activation_gain.misconception(
    "That is the gain of the way back, from E[φ′(z)²]. Here the forward convention is asked for, from φ itself.",
    read="2.5")
def gain_of_the_derivative(phi, nodes=64):
    leaf = GRID.clone().requires_grad_()
    with torch.enable_grad():
        slope, = torch.autograd.grad(phi(leaf).sum(), leaf)
    return gaussian_mean(lambda z: slope.square()) ** -0.5


# second_moments


def with_weights_watched(fn, inputs):
    before = [w.clone() for w in inputs["weights"]]
    parts = call(fn, inputs)
    same = len(before) == len(inputs["weights"]) and all(map(torch.equal, before, inputs["weights"]))
    return {**parts, "weights after the call": "unchanged" if same else "changed"}


second_moments = Exercise("second_moments", CHAPTER, ("moments",), read="2.2", probe=with_weights_watched)


class Layer(torch.nn.Module):
    """A bias-free layer that keeps what it saw."""

    def __init__(self, w, phi):
        super().__init__()
        self.w, self.phi = w, phi

    def forward(self, x):
        self.before = F.linear(x, self.w)  # (N, out)
        self.after = self.phi(self.before)
        return self.after


def run(weights, x, phi):
    """The layers of the network after x went through."""
    network = torch.nn.Sequential(*(Layer(w, phi) for w in weights))
    network(x)
    return list(network)


def energy(h):
    return F.mse_loss(h, torch.zeros_like(h))


def of_each_layer(statistic):
    """A measurement of (N, out) activations, taken after φ in every layer."""
    def measure(weights, x, phi):
        return torch.stack([statistic(layer.after) for layer in run(weights, x, phi)])

    return measure


@second_moments.oracle
def seen_by_modules(weights, x, phi):
    return of_each_layer(energy)(weights, x, phi)


def normal(g, *shape, dtype=F64):
    return torch.randn(*shape, generator=g, dtype=dtype)


def chain(g, *widths, dtype=F64):
    """Weights (out, in) from width to width, scaled so that the signal neither dies nor explodes."""
    return [normal(g, o, i, dtype=dtype) * 1.5 / math.sqrt(i) for i, o in zip(widths, widths[1:])]


@second_moments.case
def narrow_and_wide(g):
    return dict(weights=chain(g, 5, 7, 3, 6), x=normal(g, 4, 5) + 0.5, phi=torch.tanh)


@second_moments.case(note="all weights square")
def square_weights(g):
    return dict(weights=chain(g, 5, 5, 5), x=normal(g, 6, 5), phi=leaky(0.3))


@second_moments.case(note="x is not contiguous")
def float32_input(g):
    f32 = torch.float32
    return dict(weights=chain(g, 6, 8, 4, dtype=f32), x=normal(g, 6, 5, dtype=f32).T, phi=torch.sigmoid)


@second_moments.misconception(
    "That is the variance. The second moment subtracts no mean, and after the activation the mean is not zero.",
    read="2.4")
def variance_of_all(weights, x, phi):
    return of_each_layer(torch.var)(weights, x, phi)


@second_moments.misconception(
    "That is the variance over batch and units. The second moment subtracts no mean, and after the activation the mean "
    "is not zero.", read="2.4")
def biased_variance(weights, x, phi):
    return of_each_layer(lambda h: h.var(correction=0))(weights, x, phi)


@second_moments.misconception(
    "That is each unit's variance over the batch, averaged. A unit's own mean carries energy on too.", read="2.4")
def variance_of_each_unit(weights, x, phi):
    return of_each_layer(lambda h: (h - h.mean(0)).square().sum(0).mean() / (len(h) - 1))(weights, x, phi)


@second_moments.misconception(
    "That is the standard deviation. The mean of the squares is asked for: no mean subtracted, no root.", read="2.4")
def standard_deviation(weights, x, phi):
    return of_each_layer(torch.std)(weights, x, phi)


@second_moments.misconception("That is measured before φ. The second moment is taken of what the layer passes on.")
def before_phi(weights, x, phi):
    return torch.stack([energy(layer.before) for layer in run(weights, x, phi)])


@second_moments.misconception("φ is missing on the last layer. Here it stands on every layer.")
def last_layer_linear(weights, x, phi):
    layers = run(weights, x, phi)
    return torch.stack([energy(layer.after) for layer in layers[:-1]] + [energy(layers[-1].before)])


@second_moments.misconception("The root is taken. The mean of the squares itself is asked for.")
def root_of_the_mean_square(weights, x, phi):
    return of_each_layer(lambda h: energy(h).sqrt())(weights, x, phi)


@second_moments.misconception(
    "The squares are summed over the units. Take the mean: only then can layers of different width be compared.")
def summed_over_units(weights, x, phi):
    return of_each_layer(lambda h: energy(h) * h.shape[1])(weights, x, phi)


@second_moments.misconception("The squares are summed. Take the mean over the batch and over the units.")
def summed_over_all(weights, x, phi):
    return of_each_layer(lambda h: energy(h) * h.numel())(weights, x, phi)


@second_moments.misconception("The mean is squared. Square first, then take the mean.", read="2.4")
def squared_mean(weights, x, phi):
    return of_each_layer(lambda h: h.mean() ** 2)(weights, x, phi)


@second_moments.misconception(
    "The input's own second moment stands first. One entry for each layer is asked for, of what it passes on.")
def input_included(weights, x, phi):
    return torch.cat([energy(x)[None], seen_by_modules(weights, x, phi)])


@second_moments.misconception("One number came back. Keep the second moment of every layer on the way.")
def last_layer_only(weights, x, phi):
    return seen_by_modules(weights, x, phi)[-1]


@second_moments.misconception(
    "The weights are transposed. A weight is (out, in) and the batch is dimension 0: where the weight is square, both "
    "ways run.")
def weights_transposed(weights, x, phi):
    return seen_by_modules([w.T for w in weights], x, phi)


@second_moments.misconception("φ went over the input as well. x enters the first layer as it is.")
def phi_on_the_input(weights, x, phi):
    return seen_by_modules(weights, phi(x), phi)


@second_moments.misconception("Every layer got x. A layer's input is what the layer before it passes on.")
def not_chained(weights, x, phi):
    return torch.cat([seen_by_modules([w], x, phi) for w in weights])


@second_moments.misconception(
    "φ is measured but not passed on: the next layer got the sum before φ.")
def phi_outside_the_chain(weights, x, phi):
    identity = run(weights, x, lambda a: a)
    return torch.stack([energy(phi(layer.before)) for layer in identity])
