"""Checks of chapter 05: batch normalisation and the gradient through its statistics.

Right answers come from PyTorch's own operator and from autograd. Wrong ones come from the
same graph with one turn taken wrongly: a statistic detached, another axis, another scale.
"""

import math

import torch
import torch.nn.functional as F
from torch.distributions import AffineTransform

from .derivation import Derivation
from .exercise import Exercise
from .probe import plain

CHAPTER = "05_batch_norm"
F64 = torch.float64
PATHS = ("direct", "mean", "variance")


# What every exercise of the chapter shares.


def batch_axes(x):
    """All axes but the channel's."""
    return [0, *range(2, x.dim())]


def count(x):
    """Values per channel."""
    return x.numel() // x.shape[1]


def per_channel(p, x):
    """p (C,) laid along x's channel axis."""
    return p.reshape(1, -1, *[1] * (x.dim() - 2))


def root(variance, eps):
    return torch.sqrt(variance + eps)


def outside(variance, eps):
    return torch.sqrt(variance) + eps


def no_eps(variance, eps):
    return torch.sqrt(variance)


def no_root(variance, eps):
    return variance + eps


def standardise(x, eps, axes=None, correction=0, scale=root, keep=torch.clone):
    """x̂ from the batch's statistics, which pass through `keep`."""
    variance, mean = torch.var_mean(x, axes or batch_axes(x), correction=correction, keepdim=True)
    return AffineTransform(keep(mean), scale(keep(variance), eps)).inv(x)


def affine(xhat, gamma, beta):
    return AffineTransform(per_channel(beta, xhat), per_channel(gamma, xhat))(xhat)


def normal(generator, *shape, dtype=F64):
    return torch.randn(shape, generator=generator, dtype=dtype)


def positive(generator, *shape, dtype=F64):
    """Uniform between 0.5 and 2: never 0, rarely near 1."""
    return 0.5 + 1.5 * torch.rand(shape, generator=generator, dtype=dtype)


def parameters(generator, channels, dtype=F64, spread=1.0):
    """γ, β and running statistics, none of them at its starting value."""
    return dict(gamma=positive(generator, channels, dtype=dtype), beta=normal(generator, channels, dtype=dtype),
                running_mean=spread * normal(generator, channels, dtype=dtype),
                running_var=spread**2 * positive(generator, channels, dtype=dtype))


def activations(generator, *shape, dtype=F64, spread=1.0):
    """Columns of different means and spreads."""
    x = normal(generator, *shape, dtype=dtype)
    scale, shift = positive(generator, shape[1], dtype=dtype), normal(generator, shape[1], dtype=dtype)
    return spread * (x * per_channel(scale, x) + per_channel(shift, x))


def channels_last(generator, n, c, *space, dtype=F64):
    """(N, C, *) values that lie in memory as (N, *, C)."""
    return activations(generator, n, c, *space, dtype=dtype).movedim(1, -1).contiguous().movedim(-1, 1)


# 5.2 The transform in training and in evaluation.

LEAVES = ("x", "gamma", "beta")
SMALL = 0.01  # a spread at which the default eps of 1e-5 is a tenth of the variance


def upstream(y):
    """A fixed generic gradient of y's shape."""
    return torch.randn(y.shape, generator=torch.Generator().manual_seed(271_828_183), dtype=y.dtype)


def through_graph(fn, inputs):
    """The values, what stays in the graph, and the gradient through it."""
    leaves = {n: t.detach().clone().requires_grad_(n in LEAVES) if isinstance(t, torch.Tensor) else t
              for n, t in inputs.items()}
    returned = fn(**leaves)
    parts = fn.parts(returned)
    y, *records = returned if len(fn.exercise.returns) > 1 else [returned]
    parts["y: requires_grad"] = isinstance(y, torch.Tensor) and y.requires_grad
    for name, record in zip(fn.exercise.returns[1:], records):
        parts[f"{name}: detached"] = not getattr(record, "requires_grad", False)
    if parts["y: requires_grad"] and y.shape == inputs["x"].shape:
        wanted = torch.autograd.grad(y, [leaves[n] for n in LEAVES], upstream(y), allow_unused=True)
        parts |= {f"gradient with respect to {n}": plain(g) for n, g in zip(LEAVES, wanted)}
    return parts


def one_value(fn, inputs):
    """Whether a ValueError is raised; any other error is the student's to read."""
    try:
        fn(**inputs)
    except ValueError:
        return {"what one value per channel gives": "ValueError"}
    return {"what one value per channel gives": "no error"}


def three_calls(fn, inputs):
    """Three batches of x in turn, the running statistics of one call given to the next."""
    seen, state = {}, {n: inputs[n] for n in ("running_mean", "running_var")}
    for call, x in enumerate(inputs["x"].chunk(3), start=1):
        returned = fn(**{**inputs, **state, "x": x})
        parts = fn.parts(returned)
        seen |= {name if call == 1 else f"{name} of call {call}": value for name, value in parts.items()}
        state = dict(running_mean=returned[1], running_var=returned[2])
    return seen


bn_train = Exercise("bn_train", CHAPTER, ("y", "running_mean", "running_var"), read="5.2")


@bn_train.oracle
def by_operator(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    mean, variance = running_mean.clone(), running_var.clone()
    return F.batch_norm(x, mean, variance, gamma, beta, True, momentum, eps), mean, variance


def train_with(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5, *,
               recorded=1, update=torch.lerp, **turn):
    """Training mode with a wrong turn: in x̂ (`turn`), in the recorded variance or in its update."""
    if count(x) == 1:
        raise ValueError
    y = affine(standardise(x, eps, **turn), gamma, beta)
    variance, mean = torch.var_mean(x.detach(), batch_axes(x), correction=recorded)
    return y, update(running_mean, mean, momentum), update(running_var, variance, momentum)


EPS_OUTSIDE = ("You added eps to the standard deviation. This course adds it to the variance, under the root, "
               "as the normalisers of PyTorch do.")
NO_EPS = "eps never entered. With a nearly constant channel the division would blow up."
DEFAULT_EPS = "eps was taken to be its default. It is an argument: use the value that is given, not the number 1e-5."
NO_ROOT = "You divided by the variance. The result has unit spread only after division by its root."
NO_AFFINE = "γ and β have no effect. They belong to the layer in training and in evaluation alike."
BETA_SCALED = "You added β before γ multiplied. β is the mean of the output, whatever γ is."
LAST_AXIS = ("γ and β were laid along the last axis. For (N, C, *) input the channel is axis 1: "
             "give them a shape that broadcasts there.")
UNBIASED = ("That used the variance with N−1. Within the batch the variance describes these N values and estimates "
            "nothing: count which divisor makes x̂ have variance 1.")


@bn_train.misconception("The running variance was fed the biased variance. It estimates the variance of all data from "
                        "a batch, so it takes the unbiased estimate; the biased one is for normalising.")
def biased_running_variance(*args, **options):
    return train_with(*args, **options, recorded=0)


@bn_train.misconception(UNBIASED)
def unbiased_normaliser(*args, **options):
    return train_with(*args, **options, correction=1)


@bn_train.misconception("The momentum is the other way round. Here, as in PyTorch, it is the weight of the new "
                        "statistic; in the paper and in other frameworks it is the weight of the old one.")
def momentum_inverted(*args, **options):
    return train_with(*args, **options, update=lambda old, new, weight: torch.lerp(new, old, weight))


@bn_train.misconception("A running statistic came back as it went in. Evaluation would then normalise with "
                        "the starting values for ever.")
def running_statistics_never_updated(*args, **options):
    return train_with(*args, **options, update=lambda old, new, weight: old)


@bn_train.misconception("That is right on the first call only: it starts again from mean 0 and variance 1. "
                        "Continue from the running statistics that are given.")
def right_on_the_first_call_only(x, gamma, beta, running_mean, running_var, **options):
    fresh = torch.zeros_like(running_mean), torch.ones_like(running_var)
    return train_with(x, gamma, beta, *fresh, **options)


@bn_train.misconception("The batch's statistic replaced the running one. A running statistic averages over many "
                        "batches; momentum says how fast it forgets.")
def batch_replaces_running(*args, **options):
    return train_with(*args, **options, update=lambda old, new, weight: new)


@bn_train.misconception("The new statistic was added and the old one kept whole. The two weights of an average sum "
                        "to 1; these running statistics would grow without end.")
def old_statistic_kept_whole(*args, **options):
    return train_with(*args, **options, update=lambda old, new, weight: old + weight * new)


@bn_train.misconception("The running variance holds standard deviations. An average of roots is not the root of "
                        "the average: record the variance itself.")
def deviation_recorded(*args, **options):
    y, mean, _ = train_with(*args, **options)
    roots = train_with(*args, **options, update=lambda old, new, w: torch.lerp(old, torch.sqrt(new), w))
    return y, mean, roots[2]


@bn_train.misconception(EPS_OUTSIDE)
def eps_outside_the_root(*args, **options):
    return train_with(*args, **options, scale=outside)


@bn_train.misconception(NO_EPS)
def eps_forgotten(*args, **options):
    return train_with(*args, **options, scale=no_eps)


@bn_train.misconception("The default was used where a value was given. `momentum` and `eps` are arguments: "
                        "use them, not the numbers 0.1 and 1e-5.")
def options_ignored(*args, **options):
    return train_with(*args)


@bn_train.misconception(NO_AFFINE)
def affine_forgotten(x, gamma, beta, *running, **options):
    return train_with(x, torch.ones_like(gamma), torch.zeros_like(beta), *running, **options)


@bn_train.misconception(BETA_SCALED)
def beta_scaled_too(x, gamma, beta, *running, **options):
    return train_with(x, gamma, gamma * beta, *running, **options)


@bn_train.misconception(LAST_AXIS)
def parameters_on_the_last_axis(x, gamma, beta, *running, **options):
    y, *records = train_with(x, torch.ones_like(gamma), torch.zeros_like(beta), *running, **options)
    return gamma * y + beta, *records


@bn_train.misconception("You normalised with the running statistics that were given. In training the batch is "
                        "normalised with its own; the running ones are only recorded for evaluation.")
def running_statistics_in_training(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    records = train_with(x, gamma, beta, running_mean, running_var, momentum, eps)[1:]
    return F.batch_norm(x, running_mean, running_var, gamma, beta, False, 0.0, eps), *records


@bn_train.misconception("You updated the running statistics and then normalised with them. In training the batch is "
                        "normalised with its own statistics.")
def updated_statistics_in_training(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    records = train_with(x, gamma, beta, running_mean, running_var, momentum, eps)[1:]
    return F.batch_norm(x, *records, gamma, beta, False, 0.0, eps), *records


@bn_train.misconception(NO_ROOT)
def variance_for_deviation(*args, **options):
    return train_with(*args, **options, scale=no_root)


@bn_train.misconception("The statistics were taken within each example: that is layer normalisation. "
                        "Batch normalisation compares one channel across the examples.")
def statistics_per_example(x, *rest, **options):
    return train_with(x, *rest, **options, axes=list(range(1, x.dim())))


@bn_train.misconception("Every position got statistics of its own. A channel of (N, C, *) input has one mean and one "
                        "variance, over the batch and all positions.")
def statistics_per_position(*args, **options):
    return train_with(*args, **options, axes=[0])


@bn_train.misconception("Every example got statistics of its own: that is instance normalisation. "
                        "Take them over the batch and all positions together.")
def statistics_per_image(x, *rest, **options):
    return train_with(x, *rest, **options, axes=list(range(2, x.dim())) or [0])


@bn_train.misconception("The values are right, the gradient is not: mean and variance were cut from the graph. "
                        "They depend on x, so no `detach`, `.data` or `no_grad` on the way to y.", read="5.3")
def statistics_cut(*args, **options):
    return train_with(*args, **options, keep=torch.detach)


@bn_train.misconception("With one value per channel every x̂ is 0: nothing is left to train on, and N−1 is 0. "
                        "The docstring says which error to raise. One image with several positions is fine.")
def one_value_accepted(x, gamma, beta, *running, **options):
    return x, *running


@bn_train.case(note="γ, β and the running statistics are not at their starting values")
def small_batch(g):
    return dict(x=activations(g, 6, 5), **parameters(g, 5), momentum=0.3, eps=0.1)


@bn_train.case(probe=three_calls, note="three batches of 4 in turn, the running statistics fed back")
def three_batches(g):
    return dict(x=activations(g, 12, 3), **parameters(g, 3), momentum=0.2, eps=0.1)


@bn_train.case(note="default momentum and eps, inputs so small that eps counts")
def defaults_in_float32(g):
    return dict(x=activations(g, 8, 3, dtype=torch.float32, spread=SMALL),
                **parameters(g, 3, dtype=torch.float32, spread=SMALL))


@bn_train.case(note="images, not contiguous in memory")
def images(g):
    return dict(x=channels_last(g, 4, 3, 2, 3), **parameters(g, 3), momentum=0.3, eps=0.1)


@bn_train.case(note="a batch of one image: 6 values per channel")
def one_image(g):
    return dict(x=activations(g, 1, 4, 3, 2), **parameters(g, 4), momentum=0.3, eps=0.1)


@bn_train.case(probe=through_graph, note="gradient through y, for a random gradient of y")
def gradient(g):
    return dict(x=activations(g, 5, 4), **parameters(g, 4), momentum=0.3, eps=0.1)


@bn_train.case(probe=one_value, note="one value per channel")
def single_row(g):
    return dict(x=activations(g, 1, 5), **parameters(g, 5))


bn_eval = Exercise("bn_eval", CHAPTER, ("y",), read="5.2")


@bn_eval.oracle
def by_operator_in_evaluation(x, gamma, beta, running_mean, running_var, eps=1e-5):
    return F.batch_norm(x, running_mean, running_var, gamma, beta, False, 0.0, eps)


def eval_with(x, gamma, beta, running_mean, running_var, eps=1e-5, scale=root):
    """Evaluation mode with another scale."""
    mean, deviation = per_channel(running_mean, x), per_channel(scale(running_var, eps), x)
    return affine(AffineTransform(mean, deviation).inv(x), gamma, beta)


@bn_eval.misconception("You normalised with the batch's own statistics. In evaluation an example's output must not "
                       "depend on the other examples of its batch: use the running statistics.")
def batch_statistics(x, gamma, beta, running_mean, running_var, eps=1e-5):
    return affine(standardise(x, eps), gamma, beta)


@bn_eval.misconception(NO_AFFINE)
def affine_forgotten_in_evaluation(x, gamma, beta, *running, **options):
    return eval_with(x, torch.ones_like(gamma), torch.zeros_like(beta), *running, **options)


@bn_eval.misconception(EPS_OUTSIDE)
def eps_outside_in_evaluation(*args, **options):
    return eval_with(*args, **options, scale=outside)


@bn_eval.misconception(NO_EPS)
def eps_forgotten_in_evaluation(*args, **options):
    return eval_with(*args, **options, scale=no_eps)


@bn_eval.misconception("`running_var` is a variance, and you divided by it as by a standard deviation.")
def variance_for_deviation_in_evaluation(*args, **options):
    return eval_with(*args, **options, scale=no_root)


@bn_eval.misconception(DEFAULT_EPS)
def eps_ignored_in_evaluation(*args, **options):
    return eval_with(*args)


@bn_eval.misconception(BETA_SCALED)
def beta_scaled_in_evaluation(x, gamma, beta, *running, **options):
    return eval_with(x, gamma, gamma * beta, *running, **options)


@bn_eval.misconception("γ and β, or the running statistics, were laid along the last axis. For (N, C, *) input the "
                       "channel is axis 1: give them a shape that broadcasts there.")
def everything_on_the_last_axis(x, *rest, **options):
    return eval_with(x.movedim(-1, 1), *rest, **options).movedim(1, -1)


@bn_eval.case(note="γ, β and the running statistics are not at their starting values")
def eval_small_batch(g):
    return dict(x=activations(g, 6, 5), **parameters(g, 5), eps=0.1)


@bn_eval.case(note="default eps, running variances so small that it counts")
def eval_defaults_in_float32(g):
    return dict(x=activations(g, 8, 3, dtype=torch.float32, spread=SMALL),
                **parameters(g, 3, dtype=torch.float32, spread=SMALL))


@bn_eval.case(note="images, not contiguous in memory")
def eval_images(g):
    return dict(x=channels_last(g, 4, 3, 2, 3), **parameters(g, 3), eps=0.1)


@bn_eval.case(probe=through_graph, note="gradient through y, for a random gradient of y")
def eval_gradient(g):
    return dict(x=activations(g, 5, 4), **parameters(g, 4), eps=0.1)


# 5.3 Three paths from x to x̂.


def along(grad_xhat, x, eps, *paths, axes=None, correction=0, scale=root):
    """The gradient that reaches x along the named paths: the other uses of x are constants."""
    leaf = x.detach().clone().requires_grad_()
    direct, mean, variance = (leaf if path in paths else x.detach() for path in PATHS)
    axes = axes or batch_axes(x)
    mean = mean.mean(axes, keepdim=True)
    variance = variance.var(axes, correction=correction, keepdim=True)
    xhat = AffineTransform(mean, scale(variance, eps)).inv(direct)
    return torch.autograd.grad(xhat, leaf, grad_xhat)[0]


def shared_beliefs(exercise, *paths):
    """What goes wrong on every path alike."""

    @exercise.misconception(EPS_OUTSIDE, read="5.2")
    def eps_outside(grad_xhat, x, eps=1e-5):
        return along(grad_xhat, x, eps, *paths, scale=outside)

    @exercise.misconception(NO_EPS, read="5.2")
    def eps_forgotten(grad_xhat, x, eps=1e-5):
        return along(grad_xhat, x, eps, *paths, scale=no_eps)

    @exercise.misconception(DEFAULT_EPS, read="5.2")
    def eps_ignored(grad_xhat, x, eps=1e-5):
        return along(grad_xhat, x, 1e-5, *paths)

    @exercise.misconception(UNBIASED, read="5.2")
    def unbiased_variance(grad_xhat, x, eps=1e-5):
        return along(grad_xhat, x, eps, *paths, scale=unbiased_value(count(x)))

    @exercise.misconception("Your averages run over the channels of one example. Batch statistics run over "
                            "the examples of one channel: axis 0.", read="5.2")
    def statistics_per_example(grad_xhat, x, eps=1e-5):
        return along(grad_xhat, x, eps, *paths, axes=[1])


def unbiased_value(n):
    """σ with N−1 in its value and 1/N in its derivative: what a biased formula with x.var(0) gives."""
    return lambda variance, eps: root(variance + variance.detach() / (n - 1), eps)


def path_cases(exercise):
    """The same three batches for each path."""

    @exercise.case
    def small_batch(g):
        return dict(grad_xhat=normal(g, 6, 5), x=activations(g, 6, 5), eps=0.1)

    @exercise.case(note="default eps, inputs so small that it counts")
    def defaults_in_float32(g):
        return dict(grad_xhat=normal(g, 8, 3, dtype=torch.float32),
                    x=activations(g, 8, 3, dtype=torch.float32, spread=SMALL))

    @exercise.case(note="not contiguous in memory, column means far from 0")
    def transposed(g):
        return dict(grad_xhat=normal(g, 4, 5).T, x=10 + normal(g, 4, 5).T, eps=0.1)


bn_direct_path = Exercise("bn_direct_path", CHAPTER, ("grad_x",), read="5.3")
path_cases(bn_direct_path)


@bn_direct_path.oracle
def direct_by_autograd(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "direct")


@bn_direct_path.misconception("That is the whole gradient. On the direct path the batch's mean and variance "
                              "are held constant.")
def whole_gradient_for_direct(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, *PATHS)


@bn_direct_path.misconception("The gradient came back as it went in. Changing x by 1 does not change x̂ by 1: "
                              "look at what x is divided by.")
def direct_scale_forgotten(grad_xhat, x, eps=1e-5):
    return grad_xhat.clone()


@bn_direct_path.misconception("You divided by σ² where σ belongs: the variance is held constant here, "
                              "and x appears once.")
def direct_variance_for_deviation(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "direct", scale=no_root)


@bn_direct_path.misconception("The mean of the gradient was subtracted. That is the mean's own path; "
                              "here the mean is held constant.")
def direct_with_mean(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "direct", "mean")


shared_beliefs(bn_direct_path, "direct")

bn_mean_path = Exercise("bn_mean_path", CHAPTER, ("grad_x",), read="5.3")
path_cases(bn_mean_path)


@bn_mean_path.oracle
def mean_by_autograd(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "mean")


@bn_mean_path.misconception("The sign is lost: the mean is subtracted from x, so raising it lowers every x̂.")
def mean_sign_lost(grad_xhat, x, eps=1e-5):
    return -along(grad_xhat, x, eps, "mean")


@bn_mean_path.misconception("That is the gradient with respect to the mean itself. One step is missing: "
                            "by how much does the mean move when a single x moves?")
def stopped_at_the_mean(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "mean") * count(x)


@bn_mean_path.misconception("That is the direct path and the mean path together. "
                            "Here only the mean's use of x counts.")
def mean_with_direct(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "direct", "mean")


@bn_mean_path.misconception("That is the whole statistics path. The variance is held constant here; "
                            "its path has a function of its own.")
def whole_statistics_path_for_mean(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "mean", "variance")


@bn_mean_path.misconception("The division by σ is missing: x̂ is x minus the mean, divided by σ, "
                            "and the mean's path runs through that division too.")
def mean_scale_forgotten(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "mean", scale=lambda variance, eps: torch.ones_like(variance))


@bn_mean_path.misconception("You divided by σ² where σ belongs: on this path the division happens once.")
def mean_variance_for_deviation(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "mean", scale=no_root)


@bn_mean_path.misconception("Each example got its own gradient back. The mean is shared: what reaches it comes from "
                            "all examples of the column, and goes back to all of them.")
def own_gradient_for_mean(grad_xhat, x, eps=1e-5):
    return -along(grad_xhat, x, eps, "direct")


shared_beliefs(bn_mean_path, "mean")

bn_variance_path = Exercise("bn_variance_path", CHAPTER, ("grad_x",), read="5.3")
path_cases(bn_variance_path)


@bn_variance_path.oracle
def variance_by_autograd(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "variance")


@bn_variance_path.misconception("The sign is lost: a larger variance makes every x̂ smaller in magnitude.")
def variance_sign_lost(grad_xhat, x, eps=1e-5):
    return -along(grad_xhat, x, eps, "variance")


@bn_variance_path.misconception("A factor N too large: the variance is a mean of squares, so a single x moves it "
                                "by a share of 1/N.")
def sum_for_mean_in_variance(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "variance") * count(x)


@bn_variance_path.misconception("Twice the right size. The derivative of the square brings a 2; "
                                "look at what the derivative of the root brings.")
def half_of_the_root_forgotten(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "variance") * 2


@bn_variance_path.misconception("Half the right size. The derivative of the root brings a ½; "
                                "look at what the derivative of the square brings.")
def two_of_the_square_forgotten(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "variance") / 2


@bn_variance_path.misconception("That is the whole statistics path. The mean is held constant here; "
                                "its path has a function of its own.")
def whole_statistics_path_for_variance(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "mean", "variance")


@bn_variance_path.misconception("You used the mean of the gradient alone. What reaches the variance is the gradient "
                                "weighted with x̂, example by example: a mean of a product is no product of means.")
def product_of_means(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "mean") * standardise(x, eps)


@bn_variance_path.misconception("Every example of a column got the same. How much one example moves the variance "
                                "depends on how far it lies from the mean.")
def same_for_all_examples(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "variance") / standardise(x, eps)


@bn_variance_path.misconception("A power of σ is off: somewhere the deviation x − mean stands where x̂ belongs, "
                                "or a division by σ is missing. Follow the units of x.")
def deviation_for_xhat(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "variance") * root(x.var(0, correction=0), eps)


@bn_variance_path.misconception("A power of σ is off: x̂ stands where the deviation x − mean belongs, "
                                "or one division by σ too many. Follow the units of x.")
def xhat_for_deviation(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "variance") / root(x.var(0, correction=0), eps)


shared_beliefs(bn_variance_path, "variance")


@bn_variance_path.misconception("The N−1 of the unbiased variance is in it, in the value and in the derivative. "
                                "Batch normalisation divides by N there.", read="5.2")
def unbiased_throughout_variance(grad_xhat, x, eps=1e-5):
    return along(grad_xhat, x, eps, "variance", correction=1)



# The same three paths as expressions.

SYMBOLS = {name: {"real": True} for name in ("dy", "mean_dy", "mean_dy_xhat", "xhat")} | {"sigma": {"positive": True}}
EXAMPLES = 8  # enough for |xhat| <= 2


def a_batch(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    """Eight examples with the given averages whose first has the given dy and x̂: (grad_xhat, x, eps).

    The variance is 3/4 σ² and eps the rest, so that no formula leans on mean(x̂²) = 1.
    """
    others = torch.tensor([1.0, -1.0, 2.0, -3.0, 0.5, 0.5, 0.0], dtype=F64)  # (7,), sum 0
    radius = (0.75 * EXAMPLES - xhat**2 * EXAMPLES / (EXAMPLES - 1)) ** 0.5
    column = torch.cat([torch.tensor([xhat], dtype=F64), radius * others / others.norm() - xhat / (EXAMPLES - 1)])
    wanted = torch.tensor([EXAMPLES * mean_dy - dy, EXAMPLES * mean_dy_xhat - dy * xhat], dtype=F64)
    rows = torch.stack([torch.ones_like(column), column])  # (2, 8)
    grad = torch.cat([torch.tensor([dy], dtype=F64), torch.linalg.pinv(rows[:, 1:]) @ wanted])
    return grad[:, None], 3 + sigma * column[:, None], sigma**2 / 4


def first_example(*path):
    """Oracle of a derivation: autograd on a batch that has the given numbers."""

    def value(dy, mean_dy, mean_dy_xhat, xhat, sigma):
        return along(*a_batch(dy, mean_dy, mean_dy_xhat, xhat, sigma), *path)[0, 0]

    return value


direct_path = Derivation("direct_path", CHAPTER, "5.3", SYMBOLS)
direct_path.oracle(first_example("direct"))
direct_path.point(dy=3, mean_dy=0, mean_dy_xhat=0, xhat=0, sigma=1)
direct_path.point(dy=3, mean_dy=0, mean_dy_xhat=0, xhat=0, sigma=2)
direct_path.point(dy=3, mean_dy=1, mean_dy_xhat=0, xhat=0, sigma=2)
direct_path.point(dy=3, mean_dy=1, mean_dy_xhat="1/5", xhat="-3/2", sigma="2/3")


@direct_path.misconception("The mean of the gradient is in it. That is what arrives through the batch mean; "
                           "here the mean is held constant.")
def centred_direct(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return (dy - mean_dy) / sigma


@direct_path.misconception("That is the sum of all three paths. Here mean and variance are held constant.")
def all_paths(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return (dy - mean_dy - xhat * mean_dy_xhat) / sigma


@direct_path.misconception("σ is missing: a step in x is not the same step in x̂.")
def direct_without_sigma(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy


@direct_path.misconception("You multiplied by σ. By how much does x̂ move when x moves by 1 and σ is large?")
def direct_times_sigma(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy * sigma


@direct_path.misconception("`sigma` is the standard deviation, root and eps included. It enters once, not squared.")
def direct_sigma_squared(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy / sigma**2


mean_path = Derivation("mean_path", CHAPTER, "5.3", SYMBOLS)
mean_path.oracle(first_example("mean"))
mean_path.point(dy=3, mean_dy=1, mean_dy_xhat=0, xhat=0, sigma=1)
mean_path.point(dy=3, mean_dy=1, mean_dy_xhat=0, xhat=0, sigma=2)
mean_path.point(dy=3, mean_dy=1, mean_dy_xhat="1/5", xhat="-3/2", sigma="2/3")


@mean_path.misconception("The sign is lost: the mean is subtracted, so raising it lowers every x̂.")
def positive_mean_path(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return mean_dy / sigma


@mean_path.misconception("That is the direct path and the mean path together. Leave out what reaches x directly.")
def mean_path_with_direct(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return (dy - mean_dy) / sigma


@mean_path.misconception("That is the whole statistics path. The variance has a path of its own.")
def statistics_path_for_mean(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -(mean_dy + xhat * mean_dy_xhat) / sigma


@mean_path.misconception("The example's own gradient stands where that of all examples belongs: the mean is shared.")
def own_gradient(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -dy / sigma


@mean_path.misconception("σ is missing: the difference from the mean is divided before it becomes x̂.")
def mean_without_sigma(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy


@mean_path.misconception("`sigma` is the standard deviation, root and eps included. It enters once, not squared.")
def mean_sigma_squared(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy / sigma**2


variance_path = Derivation("variance_path", CHAPTER, "5.3", SYMBOLS)
variance_path.oracle(first_example("variance"))
variance_path.point(dy=0, mean_dy=0, mean_dy_xhat=1, xhat=1, sigma=1)
variance_path.point(dy=3, mean_dy=0, mean_dy_xhat=1, xhat=2, sigma=1)
variance_path.point(dy=3, mean_dy=0, mean_dy_xhat=1, xhat=2, sigma=2)
variance_path.point(dy=3, mean_dy=1, mean_dy_xhat="1/5", xhat="-3/2", sigma="2/3")


@variance_path.misconception("The sign is lost: a larger variance makes every x̂ smaller in magnitude.")
def positive_variance_path(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return xhat * mean_dy_xhat / sigma


@variance_path.misconception("Twice the right size: the ½ of the root's derivative is missing.")
def factor_two(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -2 * xhat * mean_dy_xhat / sigma


@variance_path.misconception("Half the right size: the 2 of the square's derivative is missing.")
def factor_half(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat * mean_dy_xhat / (2 * sigma)


@variance_path.misconception("The example's own place is missing: how much one x moves the variance "
                             "depends on how far it lies from the mean.")
def xhat_left_out(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy_xhat / sigma


@variance_path.misconception("A mean of products is no product of means: `mean_dy` and x̂ do not give `mean_dy_xhat`.")
def means_multiplied(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat * mean_dy / sigma


@variance_path.misconception("That uses only the example's own gradient. The variance is shared: "
                             "what reaches it comes from all examples.")
def own_product(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -(xhat**2) * dy / sigma


@variance_path.misconception("That is the whole statistics path. The mean has a path of its own.")
def statistics_path_for_variance(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -(mean_dy + xhat * mean_dy_xhat) / sigma


@variance_path.misconception("Two powers of σ too many: x − mean is σ·x̂. "
                             "Replace every deviation, then count again.")
def variance_sigma_cubed(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat * mean_dy_xhat / sigma**3


@variance_path.misconception("A power of σ is off by one: x − mean is σ·x̂. "
                             "Replace every deviation, then count again.")
def variance_sigma_squared(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat * mean_dy_xhat / sigma**2


@variance_path.misconception("σ has vanished: x − mean is σ·x̂. Replace every deviation, then count again.")
def variance_without_sigma(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat * mean_dy_xhat


# 5.4 The whole gradient.

bn_backward = Exercise("bn_backward", CHAPTER, ("grad_x", "grad_gamma", "grad_beta"), read="5.4")


@bn_backward.oracle
def by_autograd(grad_y, x, gamma, eps=1e-5):
    leaves = [t.detach().clone().requires_grad_() for t in (x, gamma, torch.zeros_like(gamma))]
    y = F.batch_norm(leaves[0], None, None, *leaves[1:], True, 0.0, eps)
    return torch.autograd.grad(y, leaves, grad_y)


def backward(grad_y, x, gamma, eps, paths=PATHS, **turn):
    """The three gradients, grad_x along `paths` only, with a wrong turn in x̂."""
    grad_x = along(grad_y * per_channel(gamma, x), x, eps, *paths, **turn)
    return grad_x, *parameter_gradients(grad_y, standardise(x, eps, **turn), gamma)


def parameter_gradients(grad_y, xhat, gamma):
    leaves = [torch.ones_like(gamma).requires_grad_(), torch.zeros_like(gamma).requires_grad_()]
    return torch.autograd.grad(affine(xhat, *leaves), leaves, grad_y)


def weighted_statistics(grad_y, x, gamma, eps, weight):
    """The right gradient with the statistics path multiplied by `weight`."""
    grad_x, *rest = backward(grad_y, x, gamma, eps)
    direct = along(grad_y * per_channel(gamma, x), x, eps, "direct")
    return direct + weight * (grad_x - direct), *rest


@bn_backward.misconception("That is the direct path alone: the batch mean and variance depend on x too.", read="5.3")
def direct_path_only(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, eps, ["direct"])


@bn_backward.misconception("What reaches x through the batch mean is missing. Moving one x moves the mean, "
                           "and with it every x̂ of the channel.", read="5.3")
def mean_path_forgotten(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, eps, ["direct", "variance"])


@bn_backward.misconception("What reaches x through the batch variance is missing. Moving one x moves the variance, "
                           "and with it every x̂ of the channel.", read="5.3")
def variance_path_forgotten(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, eps, ["direct", "mean"])


@bn_backward.misconception("γ is missing from grad_x: on the way from y back to x̂ the gradient passes γ.")
def gamma_forgotten(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, torch.ones_like(gamma), eps)


@bn_backward.misconception("The gradient of γ or β is an average. Each is used once for every value of its channel, "
                           "and the contributions of all uses add up.")
def mean_for_sum(grad_y, x, gamma, eps=1e-5):
    grad_x, *rest = backward(grad_y, x, gamma, eps)
    return grad_x, *(g / count(x) for g in rest)


@bn_backward.misconception(UNBIASED, read="5.2")
def unbiased_variance(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, eps, scale=unbiased_value(count(x)))


@bn_backward.misconception("That is the gradient of a layer that normalises with the unbiased variance. "
                           "Batch normalisation divides by N there.", read="5.2")
def unbiased_throughout(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, eps, correction=1)


@bn_backward.misconception("The statistics path has the wrong sign: raising the mean lowers every x̂, "
                           "and raising the variance shrinks it.", read="5.3")
def statistics_path_sign_lost(grad_y, x, gamma, eps=1e-5):
    return weighted_statistics(grad_y, x, gamma, eps, -1)


@bn_backward.misconception("The statistics path is too large by the number of values: mean and variance are averages, "
                           "so one x moves them by a share only.", read="5.3")
def sum_in_the_statistics_path(grad_y, x, gamma, eps=1e-5):
    return weighted_statistics(grad_y, x, gamma, eps, count(x))


@bn_backward.misconception("The batch size stands where the number of values of a channel belongs. "
                           "With (N, C, *) input every position counts.", read="5.2")
def batch_size_for_count(grad_y, x, gamma, eps=1e-5):
    return weighted_statistics(grad_y, x, gamma, eps, count(x) / x.shape[0])


@bn_backward.misconception("grad_gamma was computed with x itself. γ multiplies x̂, the normalised value.")
def raw_input_for_gamma(grad_y, x, gamma, eps=1e-5):
    grad_x, _, grad_beta = backward(grad_y, x, gamma, eps)
    return grad_x, parameter_gradients(grad_y, x, gamma)[0], grad_beta


@bn_backward.misconception("grad_gamma was computed with x minus its mean. γ multiplies x̂, "
                           "which is divided by σ as well.")
def centred_input_for_gamma(grad_y, x, gamma, eps=1e-5):
    grad_x, _, grad_beta = backward(grad_y, x, gamma, eps)
    centred = standardise(x, eps, scale=lambda variance, eps: torch.ones_like(variance))
    return grad_x, parameter_gradients(grad_y, centred, gamma)[0], grad_beta


@bn_backward.misconception("γ is a factor too many in grad_gamma or grad_beta: y depends on each of them linearly, "
                           "so neither gradient contains γ.")
def gamma_in_parameter_gradients(grad_y, x, gamma, eps=1e-5):
    grad_x, *rest = backward(grad_y, x, gamma, eps)
    return grad_x, *(g * gamma for g in rest)


@bn_backward.misconception("grad_gamma and grad_beta are swapped: return grad_x, grad_gamma, grad_beta.")
def parameter_gradients_swapped(grad_y, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = backward(grad_y, x, gamma, eps)
    return grad_x, grad_beta, grad_gamma


@bn_backward.misconception(EPS_OUTSIDE, read="5.2")
def eps_outside_in_backward(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, eps, scale=outside)


@bn_backward.misconception(NO_EPS, read="5.2")
def eps_forgotten_in_backward(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, eps, scale=no_eps)


@bn_backward.misconception(DEFAULT_EPS, read="5.2")
def eps_ignored_in_backward(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, 1e-5)


@bn_backward.misconception("Every position got statistics of its own. A channel of (N, C, *) input has one mean and "
                           "one variance, over the batch and all positions.", read="5.2")
def positions_apart(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y, x, gamma, eps, axes=[0])


@bn_backward.misconception("γ was laid along the last axis. For (N, C, *) input the channel is axis 1: "
                           "give it a shape that broadcasts there.", read="5.2")
def gamma_on_the_last_axis(grad_y, x, gamma, eps=1e-5):
    return backward(grad_y * gamma, x, torch.ones_like(gamma), eps)


@bn_backward.case
def backward_small_batch(g):
    return dict(grad_y=normal(g, 6, 5), x=activations(g, 6, 5), gamma=positive(g, 5), eps=0.1)


@bn_backward.case(note="default eps, inputs so small that it counts")
def backward_defaults_in_float32(g):
    return dict(grad_y=normal(g, 8, 3, dtype=torch.float32), x=activations(g, 8, 3, dtype=torch.float32, spread=SMALL),
                gamma=positive(g, 3, dtype=torch.float32))


@bn_backward.case(note="images, not contiguous in memory")
def backward_images(g):
    return dict(grad_y=channels_last(g, 4, 3, 2, 3), x=channels_last(g, 4, 3, 2, 3), gamma=positive(g, 3), eps=0.1)


# 5.5 Centering the batch centers the gradient.

center_backward = Exercise("center_backward", CHAPTER, ("grad_r",), read="5.5")


def through_centering(grad_s, axes):
    """The gradient through s = r − mean of r over `axes`; linear, so any r does."""
    r = torch.zeros_like(grad_s).requires_grad_()
    return torch.autograd.grad(r - r.mean(axes, keepdim=True), r, grad_s)[0]


@center_backward.oracle
def centering_by_autograd(grad_s):
    return through_centering(grad_s, 0)


@center_backward.misconception("That is the direct path alone. The batch mean depends on r too.")
def centering_direct_only(grad_s):
    return grad_s.clone()


@center_backward.misconception("You averaged over the units of an example. The mean that was subtracted "
                               "is that of one unit over the batch.")
def centering_over_units(grad_s):
    return through_centering(grad_s, 1)


@center_backward.misconception("One mean was used for the whole array. Each unit has a batch mean of its own.")
def centering_over_everything(grad_s):
    return through_centering(grad_s, (0, 1))


@center_backward.misconception("The mean's path is too large by the batch size: "
                               "one r moves the mean by a share only.")
def centering_sum_for_mean(grad_s):
    return grad_s + len(grad_s) * (through_centering(grad_s, 0) - grad_s)


@center_backward.misconception("The mean's path has the wrong sign: the mean is subtracted in the forward pass.")
def centering_sign_lost(grad_s):
    return 2 * grad_s - through_centering(grad_s, 0)


@center_backward.misconception("That is the mean's path alone. The gradient also reaches r directly.")
def centering_mean_only(grad_s):
    return through_centering(grad_s, 0) - grad_s


@center_backward.misconception("The result was also divided by its spread. Batch centering subtracts the mean "
                               "and does nothing else.")
def centering_and_scaling(grad_s):
    return standardise(grad_s, 0.0)


@center_backward.case
def centering_small_batch(g):
    return dict(grad_s=1 + normal(g, 4, 6))


@center_backward.case
def centering_in_float32(g):
    return dict(grad_s=1 + normal(g, 8, 3, dtype=torch.float32))


centered_weight_grad = Exercise("centered_weight_grad", CHAPTER, ("grad_w",), read="5.5")


def through_layer(grad_s, acts, axes):
    """The gradient of W through s = r − mean(r), r = acts Wᵀ; linear in W, so any W does."""
    w = acts.new_zeros(grad_s.shape[1], acts.shape[1]).requires_grad_()
    r = acts @ w.T
    s = r - r.mean(axes, keepdim=True) if axes is not None else r
    return torch.autograd.grad(s, w, grad_s)[0]


@centered_weight_grad.oracle
def weight_gradient_by_autograd(grad_s, acts):
    return through_layer(grad_s, acts, 0)


@centered_weight_grad.misconception("That is the weight gradient of a layer without centering. "
                                    "grad_s is the gradient after the centering, not before it.")
def centering_ignored(grad_s, acts):
    return through_layer(grad_s, acts, None)


@centered_weight_grad.misconception("The factors are transposed: a linear weight has shape (out, in).")
def weight_gradient_transposed(grad_s, acts):
    return through_layer(grad_s, acts, 0).T


@centered_weight_grad.misconception("You averaged over the batch. grad_s already is the gradient of the loss with "
                                    "respect to each s; the contributions of the examples add up.")
def averaged_over_the_batch(grad_s, acts):
    return through_layer(grad_s, acts, 0) / len(acts)


@centered_weight_grad.misconception("You centered over the units of an example. Batch centering "
                                    "takes the mean of one unit over the batch.")
def centered_over_units(grad_s, acts):
    return through_layer(grad_s, acts, 1)


@centered_weight_grad.misconception("The activations were centered over the units of an example. Take the mean of "
                                    "each column over the batch.")
def activations_centered_over_units(grad_s, acts):
    return through_layer(grad_s, through_centering(acts, 1), None)


@centered_weight_grad.misconception("The activations were also divided by their spread. Batch centering subtracts "
                                    "the mean and does nothing else.")
def activations_standardised(grad_s, acts):
    return through_layer(grad_s, standardise(acts, 0.0), None)


@centered_weight_grad.case(note="activations with means far from 0")
def weight_small_batch(g):
    return dict(grad_s=1 + normal(g, 6, 3), acts=2 + normal(g, 6, 4))


@centered_weight_grad.case
def weight_in_float32(g):
    return dict(grad_s=1 + normal(g, 8, 2, dtype=torch.float32), acts=1 + normal(g, 8, 5, dtype=torch.float32))


# 5.6 The knock-out. Moments lie in a band of 6 standard errors (2e-9 each): with 8 moments in each of 2 cases,
# one false alarm in 3e7 checks.

BAND = 6
WITHIN_ONE = 0.682689  # P(|z| < 1)
COLUMNS = 4000


def log_gain_error(inputs):
    return BAND * inputs["log_gain_scale"] / inputs["acts"].shape[1] ** 0.5


def shift_error(inputs):
    return BAND * inputs["mean_scale"] / inputs["acts"].shape[1] ** 0.5


def share_error(inputs):
    return BAND * (WITHIN_ONE * (1 - WITHIN_ONE) / inputs["acts"].shape[1]) ** 0.5


def correlation_error(inputs):
    return BAND / inputs["acts"].shape[1] ** 0.5


BANDS = {
    "mean of log gain": lambda expected, inputs: log_gain_error(inputs),
    "standard deviation of log gain": lambda expected, inputs: log_gain_error(inputs) / 2**0.5,
    "share of log gains within log_gain_scale": lambda expected, inputs: share_error(inputs),
    "mean of the shifts": lambda expected, inputs: shift_error(inputs),
    "standard deviation of the shifts": lambda expected, inputs: shift_error(inputs) / 2**0.5,
    "share of shifts within mean_scale": lambda expected, inputs: share_error(inputs),
    "correlation of log gain and shift": lambda expected, inputs: correlation_error(inputs),
    "correlation of log gain and log size of the shift": lambda expected, inputs: correlation_error(inputs),
}


def affine_fit(acts, out, axis):
    """Gain and shift of every line along `axis`, and whether they explain all of it."""
    a, o = acts - acts.mean(axis, keepdim=True), out - out.mean(axis, keepdim=True)
    gain = (a * o).sum(axis, keepdim=True) / a.square().sum(axis, keepdim=True)
    exact = 1e-8 if acts.dtype == F64 else 1e-3
    fits = (o - gain * a).abs().max() <= exact * out.abs().max()
    shift = out.mean(axis, keepdim=True) - gain * acts.mean(axis, keepdim=True)
    return gain.flatten().double(), shift.flatten().double(), bool(fits)


def drawn_for(acts, out):
    """What shares one gain and one shift."""
    gain, _, columns = affine_fit(acts, out, 0)
    if columns:
        return "the whole batch" if gain.std() < 1e-3 * gain.abs().mean() else "each column"
    return "each row" if affine_fit(acts, out, 1)[2] else "each entry"


def moments(fn, inputs):
    """Structure first; then the moments of the gains and shifts that were drawn."""
    acts, out = inputs["acts"], fn.parts(fn(**inputs))["distorted"]
    parts = {"shape of the result": str(tuple(getattr(out, "shape", ()))),
             "dtype of the result": str(getattr(out, "dtype", None)).removeprefix("torch.")}
    if parts["shape of the result"] != str(tuple(acts.shape)):
        return parts
    parts["what shares one gain and one shift"] = drawn_for(acts, out)
    if parts["what shares one gain and one shift"] != "each column":
        return parts
    gain, shift, _ = affine_fit(acts, out, 0)
    parts["sign of the gains"] = "positive" if (gain > 0).all() else "not always positive"
    return parts | moments_of(gain.abs().log(), shift, inputs["log_gain_scale"], inputs["mean_scale"])


def moments_of(log_gain, shift, log_gain_scale, mean_scale):
    draws = torch.stack([log_gain, shift, shift.abs().log()])
    to_shift, to_size = torch.corrcoef(draws)[0, 1:]
    values = [log_gain.mean(), log_gain.std(), (log_gain.abs() < log_gain_scale).double().mean(),
              shift.mean(), shift.std(), (shift.abs() < mean_scale).double().mean(), to_shift, to_size]
    return {name: round(float(value), 4) + 0.0 for name, value in zip(BANDS, values)}


def randomness(fn, inputs):
    """Where the draws come from. The global state is put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        before, start = torch.get_rng_state(), inputs["generator"].get_state()
        first, second = fn(**inputs), fn(**inputs)
        untouched = torch.equal(torch.get_rng_state(), before)
        inputs["generator"].set_state(start)
        again = fn(**inputs)
        seeded = [from_global(fn, inputs, seed) for seed in (1, 1, 2)]
    return {"global random state": "untouched" if untouched else "changed",
            "same generator, same result": same(first, again),
            "a second call with the same generator": "repeats the draws" if same(first, second) else "draws anew",
            "generator=None": "ruled by the global seed" if same(*seeded[:2]) and not same(*seeded[1:]) else
                              "not ruled by the global seed"}


def from_global(fn, inputs, seed):
    torch.default_generator.manual_seed(seed)
    return fn(**{**inputs, "generator": None})


def same(a, b):
    return torch.equal(torch.as_tensor(a), torch.as_tensor(b))


distort = Exercise("distort", CHAPTER, ("distorted",), read="5.6", tolerances=BANDS, probe=moments)


def ideal_normals(columns, generator):
    """Two samples of normal quantiles in which every pair occurs with all four signs: uncorrelated exactly."""
    quarter = math.ceil(columns / 4)
    z = torch.special.ndtri((torch.arange(quarter, dtype=F64) + 0.5) / quarter)
    z2 = z[torch.randperm(quarter, generator=generator)]
    order = torch.randperm(4 * quarter, generator=generator)[:columns]
    return torch.cat([z, -z, z, -z])[order], torch.cat([z2, z2, -z2, -z2])[order]


def moved(acts, gain, shift):
    return torch.addcmul(shift.to(acts.dtype), gain.to(acts.dtype), acts)


@distort.oracle
def ideal_distortion(acts, generator, mean_scale, log_gain_scale):
    z, z2 = ideal_normals(acts.shape[1], generator)
    return moved(acts, torch.exp(log_gain_scale * z), mean_scale * z2)


@distort.misconception("Every entry got a draw of its own: that is noise. A unit is moved as a whole, "
                       "by one gain and one shift for all examples of the batch.")
def drawn_for_each_entry(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn((2, *acts.shape), generator=generator)
    return moved(acts, torch.exp(log_gain_scale * z), mean_scale * z2)


@distort.misconception("Every example got its own gain and shift. They belong to the units: "
                       "one pair for each column.")
def drawn_for_each_example(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn((2, len(acts), 1), generator=generator)
    return moved(acts, torch.exp(log_gain_scale * z), mean_scale * z2)


@distort.misconception("One gain was drawn for all units. Each column has its own.")
def drawn_once(acts, generator, mean_scale, log_gain_scale):
    z, z2 = ideal_normals(acts.shape[1], generator)
    return moved(acts, torch.exp(log_gain_scale * z[:1]), mean_scale * z2)


@distort.misconception("The shift was scaled by the gain: it was added before the multiplication. "
                       "The docstring gives the order.")
def shift_before_gain(acts, generator, mean_scale, log_gain_scale):
    z, z2 = ideal_normals(acts.shape[1], generator)
    gain = torch.exp(log_gain_scale * z)
    return moved(acts, gain, gain * mean_scale * z2)


@distort.misconception("The gain is linear in the draw, so it can be negative. `log_gain_scale` is the spread "
                       "of the gain's logarithm.")
def linear_gain(acts, generator, mean_scale, log_gain_scale):
    z, z2 = ideal_normals(acts.shape[1], generator)
    return moved(acts, 1 + log_gain_scale * z, mean_scale * z2)


@distort.misconception("The same draw made the gain and the shift. The two are independent.")
def same_draw_twice(acts, generator, mean_scale, log_gain_scale):
    z, _ = ideal_normals(acts.shape[1], generator)
    return moved(acts, torch.exp(log_gain_scale * z), mean_scale * z)


@distort.misconception("A scale was taken for a variance. Both scales are standard deviations.")
def scale_is_a_variance(acts, generator, mean_scale, log_gain_scale):
    z, z2 = ideal_normals(acts.shape[1], generator)
    return moved(acts, torch.exp(log_gain_scale**0.5 * z), mean_scale**0.5 * z2)


@distort.misconception("`mean_scale` was used as the mean of the shifts. It is their spread; their mean is 0.")
def scale_is_the_mean(acts, generator, mean_scale, log_gain_scale):
    z, z2 = ideal_normals(acts.shape[1], generator)
    return moved(acts, torch.exp(log_gain_scale * z), mean_scale + z2)


@distort.misconception("The draws are uniform between 0 and 1. The docstring asks for standard normal ones.")
def uniform_draws(acts, generator, mean_scale, log_gain_scale):
    u, u2 = (torch.special.ndtr(z) for z in ideal_normals(acts.shape[1], generator))
    return moved(acts, torch.exp(log_gain_scale * u), mean_scale * u2)


@distort.misconception("A scale has no effect. Both arguments set how far the units are moved.")
def scales_ignored(acts, generator, mean_scale, log_gain_scale):
    z, z2 = ideal_normals(acts.shape[1], generator)
    return moved(acts, torch.exp(z), z2)


def knock_out(g, rows, columns, mean_scale, log_gain_scale, dtype=F64):
    """Columns with the same generous spread of entries, up or down, so that fits are well conditioned."""
    ladder = torch.linspace(-1, 1, rows, dtype=dtype)[torch.randperm(rows, generator=g), None]  # (N, 1)
    slope = positive(g, columns, dtype=dtype) * normal(g, columns, dtype=dtype).sign()
    acts = ladder * slope + normal(g, columns, dtype=dtype)  # (N, D)
    seed = int(torch.randint(2**31, (), generator=g))
    return dict(acts=acts, generator=torch.Generator().manual_seed(seed), mean_scale=mean_scale,
                log_gain_scale=log_gain_scale)


@distort.case(note="moments of the gains and shifts, over 4000 columns, within 6 standard errors")
def many_columns(g):
    return knock_out(g, 5, COLUMNS, mean_scale=2.0, log_gain_scale=0.5)


@distort.case(note="moments of the gains and shifts, over 4000 columns, within 6 standard errors")
def many_columns_in_float32(g):
    return knock_out(g, 4, COLUMNS, mean_scale=0.5, log_gain_scale=0.8, dtype=torch.float32)


def values(fn, inputs):
    return fn.parts(fn(**inputs))


@distort.case(probe=values, note="both scales 0: nothing may change")
def nothing_to_do(g):
    return knock_out(g, 5, 6, mean_scale=0.0, log_gain_scale=0.0)


@distort.case(probe=randomness, note="called again with the same generator, and with generator=None")
def where_draws_come_from(g):
    return knock_out(g, 5, 6, mean_scale=2.0, log_gain_scale=0.5)


# 5.7 Folding for inference.

fold_bn = Exercise("fold_bn", CHAPTER, ("W", "b"), read="5.7")


def fold_through(W, b, normalise):
    """Weight and bias of the layer followed by `normalise`, read off its answers to 0 and to unit inputs."""
    columns, bias = W.double().flatten(1), b.double()  # (O, K), (O,)
    at_zero = normalise(bias[None])  # (1, O)
    at_units = normalise(columns.T + bias)  # (K, O)
    return (at_units - at_zero).T.reshape(W.shape).to(W.dtype), at_zero[0].to(b.dtype)


def fold_with(W, b, gamma, beta, running_mean, running_var, eps=1e-5, scale=root):
    bn = [p.double() for p in (gamma, beta, running_mean, running_var)]
    return fold_through(W, b, lambda s: eval_with(s, *bn, eps, scale))


@fold_bn.oracle
def by_unit_inputs(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    bn = [p.double() for p in (running_mean, running_var, gamma, beta)]
    return fold_through(W, b, lambda s: F.batch_norm(s, *bn, False, 0.0, eps))


@fold_bn.misconception("The layer's own bias is missing: batch normalisation acts on the whole output "
                       "of the layer, bias included.")
def bias_left_out(W, b, *bn, **options):
    return fold_with(W, torch.zeros_like(b), *bn, **options)


@fold_bn.misconception("The layer's bias came through unscaled. It passes through batch normalisation "
                       "like everything else the layer puts out.")
def bias_not_scaled(W, b, *bn, **options):
    weight, rest = fold_with(W, torch.zeros_like(b), *bn, **options)
    return weight, b + rest


@fold_bn.misconception("Only the weight was folded. The bias has to carry β and the running mean.")
def only_the_weight(W, b, *bn, **options):
    return fold_with(W, b, *bn, **options)[0], b.clone()


@fold_bn.misconception("The weight was scaled along its input axis. Batch normalisation follows the layer, "
                       "so its channels are the layer's outputs: axis 0 of W.")
def scaled_along_the_input(W, b, *bn, **options):
    scale = fold_with(torch.ones_like(W), b, *bn, **options)[0].flatten(1)[:, 0]  # (O,)
    return (W.transpose(1, -1) * scale).transpose(1, -1), fold_with(W, b, *bn, **options)[1]


@fold_bn.misconception("The sign of the running mean is lost: it is subtracted from the layer's output.")
def mean_added(W, b, gamma, beta, running_mean, running_var, **options):
    return fold_with(W, b, gamma, beta, -running_mean, running_var, **options)


@fold_bn.misconception("The running mean is missing from the bias.")
def mean_left_out(W, b, gamma, beta, running_mean, running_var, **options):
    return fold_with(W, b, gamma, beta, torch.zeros_like(running_mean), running_var, **options)


@fold_bn.misconception("β is missing from the bias.")
def beta_left_out(W, b, gamma, beta, *running, **options):
    return fold_with(W, b, gamma, torch.zeros_like(beta), *running, **options)


@fold_bn.misconception("β was scaled too. Look at the order of the steps: what comes last in batch normalisation?")
def beta_scaled_in_fold(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scaled = beta * gamma / root(running_var, eps)
    return fold_with(W, b, gamma, scaled, running_mean, running_var, eps)


@fold_bn.misconception("γ has no effect on the folded layer. Follow one output of the layer "
                       "through every step of batch normalisation.")
def gamma_left_out(W, b, gamma, *rest, **options):
    return fold_with(W, b, torch.ones_like(gamma), *rest, **options)


@fold_bn.misconception(EPS_OUTSIDE, read="5.2")
def eps_outside_in_fold(*args, **options):
    return fold_with(*args, **options, scale=outside)


@fold_bn.misconception(NO_EPS, read="5.2")
def eps_forgotten_in_fold(*args, **options):
    return fold_with(*args, **options, scale=no_eps)


@fold_bn.misconception(DEFAULT_EPS, read="5.2")
def eps_ignored_in_fold(*args, **options):
    return fold_with(*args)


@fold_bn.misconception("`running_var` is a variance, and you divided by it as by a standard deviation.", read="5.2")
def variance_for_deviation_in_fold(*args, **options):
    return fold_with(*args, **options, scale=no_root)


def layer(g, *shape, dtype=F64, spread=1.0):
    return dict(W=normal(g, *shape, dtype=dtype), b=normal(g, shape[0], dtype=dtype),
                **parameters(g, shape[0], dtype=dtype, spread=spread))


@fold_bn.case
def linear_layer(g):
    return dict(**layer(g, 3, 5), eps=0.1)


@fold_bn.case(note="as many inputs as outputs")
def square_layer(g):
    return dict(**layer(g, 4, 4), eps=0.1)


@fold_bn.case(note="a convolution, 2 channels in, 4 out")
def convolution(g):
    return dict(**layer(g, 4, 2, 3, 2), eps=0.1)


@fold_bn.case(note="default eps, running variances so small that it counts")
def fold_defaults_in_float32(g):
    return layer(g, 3, 2, dtype=torch.float32, spread=SMALL)
