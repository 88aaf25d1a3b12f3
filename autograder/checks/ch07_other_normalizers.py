"""Checks of chapter 07: layer, weight, group, instance and RMS normalisation, and gradients through them.

Right answers come from PyTorch's own operators and from autograd through them. Wrong ones are the
batch normalisation of chapter 05 with another choice of axes, or one turn taken wrongly.
"""

import torch
import torch.nn.functional as F
from torch.distributions import AffineTransform

from .ch05_batch_norm import (
    BETA_SCALED, DEFAULT_EPS, EPS_OUTSIDE, F64, LAST_AXIS, NO_ROOT, PATHS, SMALL, affine, along, no_eps,
    no_root, normal, outside, parameter_gradients, positive, root, standardise, unbiased_value)
from .compare import tolerance
from .derivation import Derivation
from .exercise import Exercise
from .probe import plain

CHAPTER = "07_other_normalizers"
F32 = torch.float32


# What the exercises of the chapter share.


def strided(tensor):
    """The same values, the axes in reverse order in memory."""
    order = list(reversed(range(tensor.dim())))
    return tensor.permute(order).contiguous().permute(order)


def examples(generator, *shape, dtype=F64, spread=1.0):
    """Examples of different means and spreads, the features along the last axis."""
    one_each = (*shape[:-1], 1)
    scale, shift = positive(generator, *one_each, dtype=dtype), normal(generator, *one_each, dtype=dtype)
    return spread * (shift + scale * normal(generator, *shape, dtype=dtype))


def upstream(y):
    """A fixed gradient of y's shape, like no draw of any generator."""
    return torch.cos(torch.arange(1, 1 + y.numel(), dtype=F64).square()).reshape(y.shape).to(y.dtype)


def through_graph(fn, inputs):
    """The value, whether it stays in the graph, and the gradient of every tensor that went in."""
    leaves = {n: t.detach().clone().requires_grad_() if isinstance(t, torch.Tensor) else t for n, t in inputs.items()}
    returned = fn(**leaves)
    parts, (name, *_) = fn.parts(returned), fn.exercise.returns
    parts[f"{name}: requires_grad"] = isinstance(returned, torch.Tensor) and returned.requires_grad
    tensors = {n: t for n, t in leaves.items() if isinstance(t, torch.Tensor)}
    if parts[f"{name}: requires_grad"] and returned.shape == next(iter(tensors.values())).shape:
        found = torch.autograd.grad(returned, list(tensors.values()), upstream(returned), allow_unused=True)
        parts |= {f"gradient with respect to {n}": plain(g) for n, g in zip(tensors, found)}
    return parts


def size_of_terms(name, length):
    """Tolerance of a gradient that may vanish: it is a difference of terms about as large as 1/length."""

    def allowed(want, inputs):
        terms = (1 / length(inputs)).reshape(1).double()
        return tolerance(torch.cat([want.flatten().double(), terms]), inputs)

    return {part: allowed for part in (f"grad_{name}", f"gradient with respect to {name}")}


def size_of_gradients(name, gain):
    """Tolerances behind standardised values: they have size 1, and so have the terms of the gain's gradient."""
    spread = size_of_terms(name, lambda inputs: root(inputs[name].var(correction=0), inputs.get("eps", 1e-5)))
    return spread | size_of_terms(gain, lambda inputs: torch.ones(()))


UNBIASED = ("The variance was divided by one less than the number of values. It describes these very values and "
            "estimates nothing: find the divisor that gives the result variance 1.")
ANNOTATED = ("That is the layer norm of \"The Annotated Transformer\": the standard deviation with one less than the "
             "number of values, and eps added to it. PyTorch, and this course, have the biased variance and eps under "
             "the root.")
NO_EPS = "eps never entered. With values that are nearly equal the division would blow up."
CUT = ("The values are right, the gradient is not: the statistics were cut from the graph. They depend on the input, "
       "so no `detach`, `.data` or `no_grad` on the way to the result.")
OVER_BATCH = ("The statistics were taken across the batch: that is batch normalisation. Here the output of an example "
              "must not depend on the others.")
AXIS_1 = ("The statistics run over axis 1. That is the last axis where there are two; with more leading axes count from "
          "the end.")
GAIN_FROM_ONE = ("The gain was taken as a distance from 1, as some transformer libraries store it. Here it is the "
                 "factor itself: a gain of 1 changes nothing.")


# 7.2 layer_norm


def layer_with(a, gain, bias, eps=1e-5, *, axes=(-1,), **turn):
    """Layer normalisation with a wrong turn."""
    return AffineTransform(bias, gain)(standardise(a, eps, list(axes), **turn))


layer_norm = Exercise("layer_norm", CHAPTER, ("out",), read="7.2", tolerances=size_of_gradients("a", "gain"))


@layer_norm.oracle
def layer_by_operator(a, gain, bias, eps=1e-5):
    return F.layer_norm(a, gain.shape, gain, bias, eps)


@layer_norm.misconception(EPS_OUTSIDE)
def layer_eps_outside(*args, **options):
    return layer_with(*args, **options, scale=outside)


@layer_norm.misconception(UNBIASED)
def layer_unbiased(*args, **options):
    return layer_with(*args, **options, correction=1)


@layer_norm.misconception(ANNOTATED)
def layer_of_the_annotated_transformer(*args, **options):
    return layer_with(*args, **options, correction=1, scale=outside)


@layer_norm.misconception(OVER_BATCH)
def layer_over_the_batch(*args, **options):
    return layer_with(*args, **options, axes=[0])


@layer_norm.misconception(OVER_BATCH)
def layer_over_all_leading_axes(a, *rest, **options):
    return layer_with(a, *rest, **options, axes=range(a.dim() - 1))


@layer_norm.misconception("A whole example shares one mean and one variance. Every position along the leading axes has "
                          "its own: the statistics run over the last axis alone.")
def layer_over_whole_examples(a, *rest, **options):
    return layer_with(a, *rest, **options, axes=range(1, a.dim()))


@layer_norm.misconception(AXIS_1)
def layer_over_axis_1(*args, **options):
    return layer_with(*args, **options, axes=[1])


@layer_norm.misconception("One mean and one variance were taken of all entries: without an axis, `mean` and `var` "
                          "reduce everything.")
def layer_over_everything(a, *rest, **options):
    return layer_with(a, *rest, **options, axes=range(a.dim()))


@layer_norm.misconception(NO_EPS)
def layer_eps_forgotten(*args, **options):
    return layer_with(*args, **options, scale=no_eps)


@layer_norm.misconception(DEFAULT_EPS)
def layer_eps_ignored(*args, **options):
    return layer_with(*args)


@layer_norm.misconception(NO_ROOT)
def layer_variance_for_deviation(*args, **options):
    return layer_with(*args, **options, scale=no_root)


@layer_norm.misconception("The gain and the bias have no effect. They belong to the layer, one of each for every "
                          "feature.")
def layer_affine_forgotten(a, gain, bias, **options):
    return layer_with(a, torch.ones_like(gain), torch.zeros_like(bias), **options)


@layer_norm.misconception("The bias is missing. It is added last.")
def layer_bias_forgotten(a, gain, bias, **options):
    return layer_with(a, gain, torch.zeros_like(bias), **options)


@layer_norm.misconception("The gain is missing. It multiplies the standardised activations, feature by feature.")
def layer_gain_forgotten(a, gain, bias, **options):
    return layer_with(a, torch.ones_like(gain), bias, **options)


@layer_norm.misconception("The bias was added before the gain multiplied. It is added last.")
def layer_bias_scaled_too(a, gain, bias, **options):
    return layer_with(a, gain, gain * bias, **options)


@layer_norm.misconception(GAIN_FROM_ONE)
def layer_gain_from_one(a, gain, bias, **options):
    return layer_with(a, 1 + gain, bias, **options)


@layer_norm.misconception("The mean was not subtracted: that is RMS normalisation. Layer norm centres first.")
def layer_not_centred(a, gain, bias, eps=1e-5):
    return AffineTransform(bias, gain)(F.rms_norm(a, a.shape[-1:], eps=eps))


@layer_norm.misconception("The mean was subtracted, and nothing was divided. Layer norm also sets the spread.")
def layer_only_centred(*args, **options):
    return layer_with(*args, **options, scale=lambda variance, eps: torch.ones_like(variance))


@layer_norm.misconception(CUT, read="7.3")
def layer_statistics_cut(*args, **options):
    return layer_with(*args, **options, keep=torch.detach)


def layer_inputs(g, *shape, dtype=F64, spread=1.0, layout=torch.clone):
    return dict(a=layout(examples(g, *shape, dtype=dtype, spread=spread)), gain=positive(g, shape[-1], dtype=dtype),
                bias=normal(g, shape[-1], dtype=dtype))


@layer_norm.case(note="gain and bias are not at their starting values")
def layer_small_batch(g):
    return dict(**layer_inputs(g, 6, 5), eps=0.1)


@layer_norm.case(note="two sequences of 3 positions, not contiguous in memory")
def layer_sequences(g):
    return dict(**layer_inputs(g, 2, 3, 4, layout=strided), eps=0.2)


@layer_norm.case(note="default eps, inputs so small that it counts")
def layer_defaults_in_float32(g):
    return layer_inputs(g, 8, 3, dtype=F32, spread=SMALL)


@layer_norm.case(note="one example of one feature")
def layer_one_feature(g):
    return dict(**layer_inputs(g, 1, 1), eps=0.1)


@layer_norm.case(probe=through_graph, note="gradient through the result, for a generic upstream gradient")
def layer_gradient(g):
    return dict(**layer_inputs(g, 5, 4), eps=0.1)


# 7.3 layer_norm_backward


def layer_grads(grad_out, a, gain, eps, paths=PATHS, axes=(-1,), **turn):
    """The three gradients, grad_a along `paths` only, with a wrong turn in the statistics."""
    grad_a = along(grad_out * gain, a, eps, *paths, axes=list(axes), **turn)
    return grad_a, *rows_summed(grad_out, standardise(a, eps, list(axes), **turn), gain)


def rows_summed(grad_out, xhat, gain):
    """The gradients of gain and bias, all leading axes taken as one."""
    width = gain.numel()
    return parameter_gradients(grad_out.reshape(-1, width), xhat.reshape(-1, width), gain)


def each_entry(grad_out, a, eps):
    """What every entry contributes to the gradients of gain and bias, each (*, D)."""
    leaves = [torch.ones_like(a).requires_grad_(), torch.zeros_like(a).requires_grad_()]
    out = AffineTransform(leaves[1], leaves[0])(F.layer_norm(a.detach(), a.shape[-1:], eps=eps))
    return torch.autograd.grad(out, leaves, grad_out)


def layer_statistics_weighted(grad_out, a, gain, eps, weight):
    """The right gradient with the statistics path multiplied by `weight`."""
    grad_a, *rest = layer_by_autograd(grad_out, a, gain, eps)
    direct = along(grad_out * gain, a, eps, "direct", axes=[-1])
    return direct + weight * (grad_a - direct), *rest


layer_norm_backward = Exercise("layer_norm_backward", CHAPTER, ("grad_a", "grad_gain", "grad_bias"), read="7.3",
                               tolerances=size_of_gradients("a", "gain"))


@layer_norm_backward.oracle
def layer_by_autograd(grad_out, a, gain, eps=1e-5):
    leaves = [t.detach().clone().requires_grad_() for t in (a, gain, torch.zeros_like(gain))]
    return torch.autograd.grad(F.layer_norm(leaves[0], gain.shape, *leaves[1:], eps), leaves, grad_out)


@layer_norm_backward.misconception("The gain was multiplied in after the averages. In batch norm γ is the same for all "
                                   "values of an average; here every feature has a gain of its own, so the gradient "
                                   "passes the gain first.")
def gain_after_the_averages(grad_out, a, gain, eps=1e-5):
    grad_a, *rest = layer_grads(grad_out, a, torch.ones_like(gain), eps)
    return grad_a * gain, *rest


@layer_norm_backward.misconception("That is the direct path alone: the mean and the variance of an example depend on "
                                   "each of its features too.")
def layer_direct_path_only(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, ["direct"])


@layer_norm_backward.misconception("What reaches a through the mean is missing. Moving one feature moves the mean of "
                                   "its example, and with it all standardised features.")
def layer_mean_path_forgotten(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, ["direct", "variance"])


@layer_norm_backward.misconception("What reaches a through the variance is missing. Moving one feature moves the "
                                   "variance of its example, and with it all standardised features.")
def layer_variance_path_forgotten(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, ["direct", "mean"])


@layer_norm_backward.misconception("The gain is missing from grad_a: on its way back to the standardised activations "
                                   "the gradient passes the gain.")
def layer_gain_missing(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, torch.ones_like(gain), eps)


@layer_norm_backward.misconception("Statistics and averages run over the batch: that is the gradient of batch norm. "
                                   "Layer norm's run over the features of one example.")
def batch_norm_gradient(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, axes=[0])


@layer_norm_backward.misconception("The statistics are those of each example, but the averages of the gradient run over "
                                   "the batch. What comes back through an example's mean comes from its own features.")
def gradient_averaged_over_the_batch(grad_out, a, gain, eps=1e-5):
    _, *rest = layer_by_autograd(grad_out, a, gain, eps)
    xhat, upstream_of_xhat = standardise(a, eps, [-1]), grad_out * gain
    through_mean, through_variance = (t.mean(0) for t in (upstream_of_xhat, upstream_of_xhat * xhat))
    spread = root(a.var(-1, correction=0, keepdim=True), eps)
    return (upstream_of_xhat - through_mean - through_variance * xhat) / spread, *rest


@layer_norm_backward.misconception(AXIS_1, read="7.2")
def axis_1_in_layer_backward(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, axes=[1])


@layer_norm_backward.misconception("A whole example shares its statistics. Every position along the leading axes has "
                                   "its own.", read="7.2")
def whole_examples_in_backward(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, axes=range(1, a.dim()))


@layer_norm_backward.misconception("The gradient of the gain or the bias is an average. Each is used once in every row, "
                                   "and the contributions of all uses add up.")
def layer_mean_for_sum(grad_out, a, gain, eps=1e-5):
    grad_a, *rest = layer_by_autograd(grad_out, a, gain, eps)
    return grad_a, *(g * gain.numel() / a.numel() for g in rest)


@layer_norm_backward.misconception("The gradient of the gain or the bias was summed over axis 0 alone. The same gain "
                                   "serves every position along all leading axes.")
def summed_over_axis_0_alone(grad_out, a, gain, eps=1e-5):
    return layer_by_autograd(grad_out, a, gain, eps)[0], *(g.sum(0) for g in each_entry(grad_out, a, eps))


@layer_norm_backward.misconception("The gradient of the gain or the bias was summed over the features. A gain belongs "
                                   "to one feature and serves all examples: sum over those.")
def summed_over_the_features(grad_out, a, gain, eps=1e-5):
    return layer_by_autograd(grad_out, a, gain, eps)[0], *(g.sum(-1) for g in each_entry(grad_out, a, eps))


@layer_norm_backward.misconception("The gradient of the gain or the bias was not summed. One gain serves all rows, and "
                                   "the contributions of all rows add up.")
def not_summed(grad_out, a, gain, eps=1e-5):
    return layer_by_autograd(grad_out, a, gain, eps)[0], *each_entry(grad_out, a, eps)


@layer_norm_backward.misconception("grad_gain was computed with a itself. The gain multiplies the standardised "
                                   "activations.")
def raw_input_for_gain(grad_out, a, gain, eps=1e-5):
    grad_a, _, grad_bias = layer_by_autograd(grad_out, a, gain, eps)
    return grad_a, rows_summed(grad_out, a, gain)[0], grad_bias


@layer_norm_backward.misconception("grad_gain was computed with a minus its mean. The gain multiplies what is divided "
                                   "by σ as well.")
def centred_input_for_gain(grad_out, a, gain, eps=1e-5):
    grad_a, _, grad_bias = layer_by_autograd(grad_out, a, gain, eps)
    centred = standardise(a, eps, [-1], scale=lambda variance, eps: torch.ones_like(variance))
    return grad_a, rows_summed(grad_out, centred, gain)[0], grad_bias


@layer_norm_backward.misconception("The gain is a factor too many in grad_gain or grad_bias: the output is linear in "
                                   "both, so neither gradient contains the gain.")
def gain_in_parameter_gradients(grad_out, a, gain, eps=1e-5):
    grad_a, *rest = layer_by_autograd(grad_out, a, gain, eps)
    return grad_a, *(g * gain for g in rest)


@layer_norm_backward.misconception("grad_gain and grad_bias are swapped: return grad_a, grad_gain, grad_bias.")
def layer_parameters_swapped(grad_out, a, gain, eps=1e-5):
    grad_a, grad_gain, grad_bias = layer_by_autograd(grad_out, a, gain, eps)
    return grad_a, grad_bias, grad_gain


@layer_norm_backward.misconception("The statistics path has the wrong sign: raising the mean lowers every standardised "
                                   "feature, and raising the variance shrinks it.")
def layer_statistics_sign_lost(grad_out, a, gain, eps=1e-5):
    return layer_statistics_weighted(grad_out, a, gain, eps, -1)


@layer_norm_backward.misconception("The statistics path is too large by the number of features: mean and variance are "
                                   "averages, so one feature moves them by a share only.")
def layer_statistics_summed(grad_out, a, gain, eps=1e-5):
    return layer_statistics_weighted(grad_out, a, gain, eps, gain.numel())


@layer_norm_backward.misconception("The averages of the statistics path were divided by the number of examples. They "
                                   "run over the features: count those.")
def examples_counted(grad_out, a, gain, eps=1e-5):
    return layer_statistics_weighted(grad_out, a, gain, eps, gain.numel() / a.shape[0])


@layer_norm_backward.misconception("The division by σ is missing from grad_a: a step in a is not the same step in the "
                                   "standardised activations.")
def layer_scale_forgotten(grad_out, a, gain, eps=1e-5):
    grad_a, *rest = layer_by_autograd(grad_out, a, gain, eps)
    return grad_a * root(a.var(-1, correction=0, keepdim=True), eps), *rest


@layer_norm_backward.misconception("grad_a is divided by σ once too often: a variance stands where its root belongs.")
def layer_scale_twice(grad_out, a, gain, eps=1e-5):
    grad_a, *rest = layer_by_autograd(grad_out, a, gain, eps)
    return grad_a / root(a.var(-1, correction=0, keepdim=True), eps), *rest


@layer_norm_backward.misconception(UNBIASED, read="7.2")
def unbiased_in_backward(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, scale=unbiased_value(gain.numel()))


@layer_norm_backward.misconception("That is the gradient of a layer that normalises with the unbiased variance. Layer "
                                   "norm takes the biased one.", read="7.2")
def unbiased_throughout(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, correction=1)


@layer_norm_backward.misconception(EPS_OUTSIDE, read="7.2")
def eps_outside_in_backward(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, scale=outside)


@layer_norm_backward.misconception(NO_EPS, read="7.2")
def eps_forgotten_in_backward(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, eps, scale=no_eps)


@layer_norm_backward.misconception(DEFAULT_EPS, read="7.2")
def eps_ignored_in_backward(grad_out, a, gain, eps=1e-5):
    return layer_grads(grad_out, a, gain, 1e-5)


def backward_inputs(g, *shape, dtype=F64, spread=1.0, layout=torch.clone):
    return dict(grad_out=layout(normal(g, *shape, dtype=dtype)),
                a=layout(examples(g, *shape, dtype=dtype, spread=spread)), gain=positive(g, shape[-1], dtype=dtype))


@layer_norm_backward.case(note="the gain differs from feature to feature")
def backward_small_batch(g):
    return dict(**backward_inputs(g, 6, 5), eps=0.1)


@layer_norm_backward.case(note="two sequences of 3 positions, not contiguous in memory")
def backward_sequences(g):
    return dict(**backward_inputs(g, 2, 3, 4, layout=strided), eps=0.2)


@layer_norm_backward.case(note="default eps, inputs so small that it counts")
def backward_defaults_in_float32(g):
    return backward_inputs(g, 5, 4, dtype=F32, spread=SMALL)


@layer_norm_backward.case(note="one feature: its example's mean moves with it")
def backward_one_feature(g):
    return dict(**backward_inputs(g, 4, 1), eps=0.1)


# 7.4 removed_radial_part

removed_radial_part = Derivation("removed_radial_part", CHAPTER, read="7.4",
                                 symbols={"grad_dot_v": {"real": True}, "v_sq": {"positive": True}})


@removed_radial_part.oracle
def multiple_of_v(grad_dot_v, v_sq):
    """Autograd's gradient of v in three dimensions, and ∇_w as a sum of multiples of it and of v."""
    across = torch.tensor([2.0, -1.0, 2.0], dtype=F64) / 3
    v = v_sq**0.5 * torch.tensor([1.0, 2.0, 0.0], dtype=F64) / 5**0.5  # orthogonal to `across`
    grad_w = 0.7 * across + torch.linalg.pinv(v[None]) @ torch.tensor([grad_dot_v], dtype=F64)
    grad_v, _ = weight_by_autograd(grad_w[None], v[None], torch.tensor([1.3], dtype=F64))
    return float(torch.linalg.lstsq(torch.stack([grad_v[0], v], 1), grad_w[:, None]).solution[1])


removed_radial_part.point(grad_dot_v=2, v_sq=1, note="v has length 1")
removed_radial_part.point(grad_dot_v=3, v_sq=4)
removed_radial_part.point(grad_dot_v="-5/2", v_sq="2/3")


@removed_radial_part.misconception("That divides by the length of v once. v enters twice, in the inner product and as "
                                   "the direction that is removed. Try ∇_w = v.")
def norm_for_squared_norm(grad_dot_v, v_sq):
    return grad_dot_v / v_sq**0.5


@removed_radial_part.misconception("The length of v is not divided out. Try ∇_w = v: then all of it is radial, and "
                                   "nothing may be left.")
def length_not_divided_out(grad_dot_v, v_sq):
    return grad_dot_v


@removed_radial_part.misconception("That is the coefficient in the gradient of v itself. Here ∇_w stands alone: put the "
                                   "factor common to both terms in front of the bracket.")
def common_factor_left_in(grad_dot_v, v_sq):
    return grad_dot_v / (v_sq * v_sq**0.5)


@removed_radial_part.misconception("The sign is wrong: the minus stands in ∇_w − c·v already.")
def minus_twice(grad_dot_v, v_sq):
    return -grad_dot_v / v_sq


@removed_radial_part.misconception("`v_sq` is the squared length already: do not square it again.")
def squared_again(grad_dot_v, v_sq):
    return grad_dot_v / v_sq**2


@removed_radial_part.misconception("A factor 2 too many. The derivative of ‖v‖² brings a 2, the root brings a ½.")
def two_of_the_square_left(grad_dot_v, v_sq):
    return 2 * grad_dot_v / v_sq


@removed_radial_part.misconception("A factor ½ too many. The derivative of the root brings a ½, that of ‖v‖² a 2.")
def half_of_the_root_left(grad_dot_v, v_sq):
    return grad_dot_v / v_sq / 2


@removed_radial_part.misconception("That is the squared length of the radial part. The coefficient of v is asked for.")
def squared_length_of_the_part(grad_dot_v, v_sq):
    return grad_dot_v**2 / v_sq


@removed_radial_part.misconception("The fraction is upside down. When ∇_w is twice as large, so is its radial part.")
def fraction_upside_down(grad_dot_v, v_sq):
    return v_sq / grad_dot_v


@removed_radial_part.misconception("The inner product and the square are multiplied. Make v twice as long and ∇_w as it "
                                   "was: its radial part may not change.")
def square_multiplied(grad_dot_v, v_sq):
    return grad_dot_v * v_sq


@removed_radial_part.misconception("That removes nothing. The length ‖v‖ depends on v too, and its derivative points "
                                   "along v.")
def nothing_removed(grad_dot_v, v_sq):
    return 0


# 7.4 weight_norm


def per_row(p, v):
    """p (O,) laid along axis 0 of v."""
    return p.reshape(-1, *[1] * (v.dim() - 1))


def lengths(v):
    """The length of each unit's weights, laid along axis 0 of v."""
    return per_row(v.flatten(1).norm(dim=1), v)


def longest(inputs):
    return lengths(inputs["v"]).max()


def weight_over(v, g, divisor):
    return AffineTransform(torch.zeros_like(v), divisor).inv(v) * per_row(g, v)


def over_axis_1(v):
    return v.norm(dim=1, keepdim=True)


def over_the_last_axis(v):
    return v.norm(dim=-1, keepdim=True)


WHOLE_TENSOR = ("One length was taken of the whole tensor. Every unit has a length of its own: the norm of its row, all "
                "of v[o].")
COLUMNS = ("The norms run over axis 0, across the units. The weights that come into one unit are a row, v[o]: it is "
           "their length that is set.")
ONE_AXIS = ("The norm runs over one axis alone. A unit of a convolution has all of v[o] as its weights: every input "
            "channel and every position of the kernel.")

weight_norm = Exercise("weight_norm", CHAPTER, ("w",), read="7.4", tolerances=size_of_terms("v", longest))


@weight_norm.oracle
def weight_by_operator(v, g):
    return torch._weight_norm(v, per_row(g, v), 0)


@weight_norm.misconception(WHOLE_TENSOR)
def length_of_the_whole_tensor(v, g):
    return weight_over(v, g, v.norm())


@weight_norm.misconception(COLUMNS)
def lengths_of_columns(v, g):
    return weight_over(v, g, v.norm(dim=0))


@weight_norm.misconception(ONE_AXIS)
def lengths_over_axis_1(v, g):
    return weight_over(v, g, over_axis_1(v))


@weight_norm.misconception(ONE_AXIS)
def lengths_over_the_last_axis(v, g):
    return weight_over(v, g, over_the_last_axis(v))


@weight_norm.misconception("g has no effect: every row came out with length 1. The length of row o is to be g[o].")
def unit_rows(v, g):
    return weight_by_operator(v, torch.ones_like(g))


@weight_norm.misconception("v was not divided by its length. Then the length of row o is not g[o]: length and direction "
                           "are not apart.")
def not_normalised(v, g):
    return v * per_row(g, v)


@weight_norm.misconception("You divided by the squared length. Which length does a row have then?")
def squared_lengths(v, g):
    return weight_over(v, g, lengths(v) ** 2)


@weight_norm.misconception("g was laid along the last axis. It has one entry for each unit, and the units are axis 0.")
def g_on_the_last_axis(v, g):
    return weight_by_operator(v, torch.ones_like(g)) * g


@weight_norm.misconception("You divided by the root of the mean square. That is the length up to the root of the number "
                           "of weights: the length itself is a root of a sum.")
def root_mean_square(v, g):
    return weight_over(v, g, lengths(v) / v[0].numel() ** 0.5)


@weight_norm.misconception("That is the spectral norm, the largest singular value of the whole matrix, which "
                           "`torch.linalg.norm(v, 2)` returns. Every row has a Euclidean length of its own.")
def spectral_norm(v, g):
    return weight_over(v, g, torch.linalg.matrix_norm(v.flatten(1), 2))


@weight_norm.misconception("You divided by the sum of absolute values. The length is Euclidean.")
def absolute_sums(v, g):
    return weight_over(v, g, per_row(v.flatten(1).norm(p=1, dim=1), v))


@weight_norm.misconception("The mean of each row was subtracted: that is weight standardisation. Weight norm rescales "
                           "and does not centre.")
def centred_rows(v, g):
    return weight_by_operator(v - per_row(v.flatten(1).mean(1), v), g)


@weight_norm.misconception("g was taken as the logarithm of the length. That is a variant in the paper; here g is the "
                           "length itself.")
def g_is_a_logarithm(v, g):
    return weight_by_operator(v, g.exp())


@weight_norm.misconception("The values are right, the gradient is not: the length was cut from the graph. It depends on "
                           "v, so no `detach`, `.data` or `no_grad` on the way to w.")
def length_cut(v, g):
    return weight_over(v, g, lengths(v).detach())


def weight_inputs(g, *shape, dtype=F64, spread=2.0, layout=torch.clone):
    return dict(v=layout(spread * normal(g, *shape, dtype=dtype)), g=positive(g, shape[0], dtype=dtype))


@weight_norm.case(note="no row of v has length 1")
def weight_linear(g):
    return weight_inputs(g, 3, 5)


@weight_norm.case(note="as many inputs as units")
def weight_square(g):
    return weight_inputs(g, 4, 4)


@weight_norm.case(note="a convolution, not contiguous in memory")
def weight_convolution(g):
    return weight_inputs(g, 4, 2, 3, 2, layout=strided)


@weight_norm.case
def weight_in_float32(g):
    return weight_inputs(g, 2, 6, dtype=F32)


@weight_norm.case(note="one unit with one input")
def weight_single(g):
    return weight_inputs(g, 1, 1)


@weight_norm.case(probe=through_graph, note="gradient through w, for a generic upstream gradient")
def weight_gradient(g):
    return weight_inputs(g, 3, 4)


# 7.4 weight_norm_backward


def direct_and_right(grad_w, v, g):
    """The gradient of v with the length held constant; the right gradients of v and g."""
    leaf = v.detach().clone().requires_grad_()
    return torch.autograd.grad(length_cut_in_value(leaf, v, g), leaf, grad_w)[0], *weight_by_autograd(grad_w, v, g)


def length_cut_in_value(leaf, v, g):
    return weight_over(leaf, g, lengths(v.detach()))


def gradients_of(w):
    """Autograd's gradients of v and g through `w(v, g)`."""

    def grads(grad_w, v, g):
        leaves = [t.detach().clone().requires_grad_() for t in (v, g)]
        return torch.autograd.grad(w(*leaves), leaves, grad_w)

    return grads


weight_norm_backward = Exercise("weight_norm_backward", CHAPTER, ("grad_v", "grad_g"), read="7.4",
                                tolerances=size_of_terms("v", longest))
weight_by_autograd = weight_norm_backward.oracle(gradients_of(weight_by_operator))


def scaled_radial(factor):
    """The right gradients, the radial part that is removed multiplied by `factor(v, g)`."""

    def grads(grad_w, v, g):
        direct, grad_v, grad_g = direct_and_right(grad_w, v, g)
        return direct - factor(v, g) * (direct - grad_v), grad_g

    return grads


@weight_norm_backward.misconception("The length was held constant. It depends on v too: the gradient of v has no part "
                                    "along v.")
def radial_part_kept(grad_w, v, g):
    return scaled_radial(lambda v, g: 0)(grad_w, v, g)


@weight_norm_backward.misconception("The radial part was added. It is removed: a longer v gives the same w.")
def radial_part_added(grad_w, v, g):
    return scaled_radial(lambda v, g: -1)(grad_w, v, g)


@weight_norm_backward.misconception("The radial part was not divided by the length of v at all. Try grad_w = v: all of "
                                    "it is radial.")
def radial_part_not_divided(grad_w, v, g):
    return scaled_radial(lambda v, g: lengths(v) ** 2)(grad_w, v, g)


@weight_norm_backward.misconception("The radial part was divided by the length of v once. v enters it twice, in the "
                                    "inner product and as the direction.")
def radial_part_divided_once(grad_w, v, g):
    return scaled_radial(lambda v, g: lengths(v))(grad_w, v, g)


@weight_norm_backward.misconception("The radial part holds w in place of v once, so a factor g too many. Remove the "
                                    "part along the direction of v, whatever the length g.")
def radial_part_times_g(grad_w, v, g):
    return scaled_radial(lambda v, g: per_row(g, v))(grad_w, v, g)


@weight_norm_backward.misconception("That is the radial part alone: the one to remove.")
def radial_part_alone(grad_w, v, g):
    direct, grad_v, grad_g = direct_and_right(grad_w, v, g)
    return direct - grad_v, grad_g


@weight_norm_backward.misconception("One radial part was removed from the whole tensor. Every unit has its own, for its "
                                    "own row v[o].")
def one_radial_part(grad_w, v, g):
    whole = grad_w - v * torch.tensordot(grad_w, v, v.dim()) / v.norm() ** 2
    return weight_over(whole, g, lengths(v)), weight_by_autograd(grad_w, v, g)[1]


@weight_norm_backward.misconception("That is grad_w without its radial part, and not yet the gradient of v: w changes "
                                    "by a share of what v changes by. Look at the factor before v.")
def factor_forgotten(grad_w, v, g):
    grad_v, grad_g = weight_by_autograd(grad_w, v, g)
    return grad_v * lengths(v) / per_row(g, v), grad_g


@weight_norm_backward.misconception("g is missing from grad_v: a step in the direction of w counts g times as much.")
def g_missing(grad_w, v, g):
    grad_v, grad_g = weight_by_autograd(grad_w, v, g)
    return grad_v / per_row(g, v), grad_g


@weight_norm_backward.misconception("grad_v is not divided by the length of v. A long v turns slowly.")
def length_missing(grad_w, v, g):
    grad_v, grad_g = weight_by_autograd(grad_w, v, g)
    return grad_v * lengths(v), grad_g


@weight_norm_backward.misconception("grad_v is divided by the length of v once too often.")
def length_twice(grad_w, v, g):
    grad_v, grad_g = weight_by_autograd(grad_w, v, g)
    return grad_v / lengths(v), grad_g


@weight_norm_backward.misconception("grad_g was computed with v itself. g multiplies the direction of v, which has "
                                    "length 1.")
def grad_g_with_v(grad_w, v, g):
    grad_v, grad_g = weight_by_autograd(grad_w, v, g)
    return grad_v, grad_g * lengths(v).reshape(-1)


@weight_norm_backward.misconception("grad_g was computed with w itself. w is linear in g, so its gradient does not "
                                    "contain g.")
def grad_g_with_w(grad_w, v, g):
    grad_v, grad_g = weight_by_autograd(grad_w, v, g)
    return grad_v, grad_g * g


@weight_norm_backward.misconception("grad_g is divided by the length of v twice. g multiplies the direction of v, in "
                                    "which the length is divided out once.")
def grad_g_over_squared_length(grad_w, v, g):
    grad_v, grad_g = weight_by_autograd(grad_w, v, g)
    return grad_v, grad_g / lengths(v).reshape(-1)


@weight_norm_backward.misconception("grad_g is an average. Every weight of the unit uses g, and the contributions of "
                                    "all uses add up.")
def grad_g_averaged(grad_w, v, g):
    grad_v, grad_g = weight_by_autograd(grad_w, v, g)
    return grad_v, grad_g / v[0].numel()


@weight_norm_backward.misconception("That is the gradient with one length for the whole tensor. Every unit has a length "
                                    "of its own.")
def whole_tensor_in_backward(grad_w, v, g):
    return gradients_of(length_of_the_whole_tensor)(grad_w, v, g)


@weight_norm_backward.misconception(COLUMNS)
def columns_in_backward(grad_w, v, g):
    return gradients_of(lengths_of_columns)(grad_w, v, g)


@weight_norm_backward.misconception(ONE_AXIS)
def axis_1_in_backward(grad_w, v, g):
    return gradients_of(lengths_over_axis_1)(grad_w, v, g)


@weight_norm_backward.misconception(ONE_AXIS)
def last_axis_in_backward(grad_w, v, g):
    return gradients_of(lengths_over_the_last_axis)(grad_w, v, g)


def weight_backward_inputs(g, *shape, dtype=F64, layout=torch.clone):
    return dict(grad_w=layout(normal(g, *shape, dtype=dtype)), **weight_inputs(g, *shape, dtype=dtype, layout=layout))


@weight_norm_backward.case(note="no row of v has length 1")
def weight_backward_linear(g):
    return weight_backward_inputs(g, 3, 5)


@weight_norm_backward.case(note="a convolution, not contiguous in memory")
def weight_backward_convolution(g):
    return weight_backward_inputs(g, 4, 2, 3, 2, layout=strided)


@weight_norm_backward.case
def weight_backward_in_float32(g):
    return weight_backward_inputs(g, 2, 6, dtype=F32)


@weight_norm_backward.case(note="one input for each unit: only its sign is a direction")
def weight_backward_one_input(g):
    return weight_backward_inputs(g, 3, 1)


# 7.5 group_norm


def group_with(x, groups, gamma, beta, eps=1e-5, *, split=None, axes=None, **turn):
    """Group normalisation with a wrong turn; `axes` are those of (N, groups, C/groups, *)."""
    cells = x.unflatten(1, split or (groups, -1))
    over = axes(cells.dim()) if axes else range(2, cells.dim())
    return affine(standardise(cells, eps, list(over), **turn).flatten(1, 2), gamma, beta)


group_norm = Exercise("group_norm", CHAPTER, ("y",), read="7.5", tolerances=size_of_gradients("x", "gamma"))


@group_norm.oracle
def group_by_operator(x, groups, gamma, beta, eps=1e-5):
    return F.group_norm(x, groups, gamma, beta, eps)


@group_norm.misconception("`groups` was taken for the number of channels in a group. It is the number of groups.")
def groups_is_the_size(x, groups, *rest, **options):
    return group_with(x, groups, *rest, **options, split=(-1, groups))


@group_norm.misconception("The groups are interleaved: every few channels share one. A group is a block of "
                          "neighbouring channels.")
def interleaved_groups(x, groups, *rest, **options):
    return group_with(x, groups, *rest, **options, split=(-1, groups), axes=lambda dims: [1, *range(3, dims)])


@group_norm.misconception(OVER_BATCH)
def group_over_the_batch(*args, **options):
    return group_with(*args, **options, axes=lambda dims: [0, *range(2, dims)])


@group_norm.misconception("Every channel got statistics of its own: that is instance normalisation. A group's channels "
                          "share one mean and one variance.")
def channels_apart(*args, **options):
    return group_with(*args, **options, axes=lambda dims: range(3, dims))


@group_norm.misconception("All channels share one mean and one variance: `groups` has no effect. Every group has its "
                          "own.")
def channels_together(*args, **options):
    return group_with(*args, **options, axes=lambda dims: range(1, dims))


@group_norm.misconception("Every position got statistics of its own. A group has one mean and one variance, over its "
                          "channels and all positions.")
def group_positions_apart(*args, **options):
    return group_with(*args, **options, axes=lambda dims: [2])


@group_norm.misconception(LAST_AXIS)
def group_parameters_on_the_last_axis(x, groups, gamma, beta, **options):
    xhat = group_with(x, groups, torch.ones_like(gamma), torch.zeros_like(beta), **options)
    return AffineTransform(beta, gamma)(xhat)


@group_norm.misconception("γ and β have no effect. They belong to the layer, one of each for every channel.")
def group_affine_forgotten(x, groups, gamma, beta, **options):
    return group_with(x, groups, torch.ones_like(gamma), torch.zeros_like(beta), **options)


@group_norm.misconception(BETA_SCALED)
def group_beta_scaled_too(x, groups, gamma, beta, **options):
    return group_with(x, groups, gamma, gamma * beta, **options)


@group_norm.misconception(EPS_OUTSIDE, read="7.2")
def group_eps_outside(*args, **options):
    return group_with(*args, **options, scale=outside)


@group_norm.misconception(UNBIASED, read="7.2")
def group_unbiased(*args, **options):
    return group_with(*args, **options, correction=1)


@group_norm.misconception(NO_EPS, read="7.2")
def group_eps_forgotten(*args, **options):
    return group_with(*args, **options, scale=no_eps)


@group_norm.misconception(DEFAULT_EPS, read="7.2")
def group_eps_ignored(*args, **options):
    return group_with(*args)


@group_norm.misconception(NO_ROOT, read="7.2")
def group_variance_for_deviation(*args, **options):
    return group_with(*args, **options, scale=no_root)


@group_norm.misconception(CUT, read="7.3")
def group_statistics_cut(*args, **options):
    return group_with(*args, **options, keep=torch.detach)


def images(generator, *shape, dtype=F64, spread=1.0):
    """(N, C, *) input, every channel of every example with a mean and a spread of its own."""
    one_each = (*shape[:2], *[1] * (len(shape) - 2))
    scale, shift = positive(generator, *one_each, dtype=dtype), normal(generator, *one_each, dtype=dtype)
    return spread * (shift + scale * normal(generator, *shape, dtype=dtype))


def group_inputs(g, groups, *shape, dtype=F64, spread=1.0, layout=torch.clone):
    return dict(x=layout(images(g, *shape, dtype=dtype, spread=spread)), groups=groups,
                gamma=positive(g, shape[1], dtype=dtype), beta=normal(g, shape[1], dtype=dtype))


def last_in_memory(x):
    """The same values, the channel last in memory."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


@group_norm.case(note="6 channels in 3 groups; γ and β are not at their starting values")
def group_signals(g):
    return dict(**group_inputs(g, 3, 4, 6, 3), eps=0.1)


@group_norm.case(note="images, not contiguous in memory")
def group_images(g):
    return dict(**group_inputs(g, 2, 2, 6, 2, 6, layout=last_in_memory), eps=0.2)


@group_norm.case(note="default eps, inputs so small that it counts")
def group_defaults_in_float32(g):
    return group_inputs(g, 2, 4, 4, 3, dtype=F32, spread=SMALL)


@group_norm.case(note="one image of one row, all channels in one group")
def group_one_row(g):
    return dict(**group_inputs(g, 1, 1, 4, 1, 3), eps=0.1)


@group_norm.case(probe=through_graph, note="gradient through y, for a generic upstream gradient")
def group_gradient(g):
    return dict(**group_inputs(g, 2, 3, 4, 2, 2), eps=0.1)


# 7.5 instance_norm


def instance_with(x, eps=1e-5, *, axes=None, **turn):
    """Instance normalisation with a wrong turn."""
    return standardise(x, eps, list(axes or range(2, x.dim())), **turn)


instance_norm = Exercise("instance_norm", CHAPTER, ("y",), read="7.5",
                         tolerances=size_of_gradients("x", "gamma"))


@instance_norm.oracle
def instance_by_operator(x, eps=1e-5):
    return F.instance_norm(x, eps=eps)


@instance_norm.misconception(OVER_BATCH)
def instance_over_the_batch(x, **options):
    return instance_with(x, **options, axes=[0, *range(2, x.dim())])


@instance_norm.misconception("The channels of an image share one mean and one variance. In instance norm every channel "
                             "of every image has its own.")
def instance_over_the_channels(x, **options):
    return instance_with(x, **options, axes=range(1, x.dim()))


@instance_norm.misconception("The statistics were taken across the channels at each position. Instance norm takes one "
                             "channel of one image over its positions.")
def instance_at_each_position(x, **options):
    return instance_with(x, **options, axes=[1])


@instance_norm.misconception("Every row of an image got statistics of its own. Take them over all positions of the "
                             "channel: every axis after the first two.")
def instance_over_the_last_axis(x, **options):
    return instance_with(x, **options, axes=[-1])


@instance_norm.misconception(UNBIASED, read="7.2")
def instance_unbiased(x, **options):
    return instance_with(x, **options, correction=1)


@instance_norm.misconception(EPS_OUTSIDE, read="7.2")
def instance_eps_outside(x, **options):
    return instance_with(x, **options, scale=outside)


@instance_norm.misconception("The deviation was taken with one less than the number of positions, and eps was added to "
                             "it. Take the biased variance, with eps under the root.", read="7.2")
def instance_unbiased_eps_outside(x, **options):
    return instance_with(x, **options, correction=1, scale=outside)


@instance_norm.misconception(NO_EPS, read="7.2")
def instance_eps_forgotten(x, **options):
    return instance_with(x, **options, scale=no_eps)


@instance_norm.misconception(DEFAULT_EPS, read="7.2")
def instance_eps_ignored(x, **options):
    return instance_with(x)


@instance_norm.misconception(NO_ROOT, read="7.2")
def instance_variance_for_deviation(x, **options):
    return instance_with(x, **options, scale=no_root)


@instance_norm.misconception("The mean was subtracted, and nothing was divided. Instance norm also sets the spread: it "
                             "takes the contrast out of an image.")
def instance_only_centred(x, **options):
    return instance_with(x, **options, scale=lambda variance, eps: torch.ones_like(variance))


@instance_norm.misconception(CUT, read="7.3")
def instance_statistics_cut(x, **options):
    return instance_with(x, **options, keep=torch.detach)


def instance_inputs(g, *shape, dtype=F64, spread=1.0, layout=torch.clone):
    return dict(x=layout(images(g, *shape, dtype=dtype, spread=spread)))


@instance_norm.case
def instance_images(g):
    return dict(**instance_inputs(g, 4, 3, 2, 3), eps=0.1)


@instance_norm.case(note="signals, not contiguous in memory")
def instance_signals(g):
    return dict(**instance_inputs(g, 3, 2, 5, layout=strided), eps=0.2)


@instance_norm.case(note="default eps, inputs so small that it counts")
def instance_defaults_in_float32(g):
    return instance_inputs(g, 4, 2, 3, 2, dtype=F32, spread=SMALL)


@instance_norm.case(note="one image of one channel and one row")
def instance_one_row(g):
    return dict(**instance_inputs(g, 1, 1, 1, 4), eps=0.1)


@instance_norm.case(probe=through_graph, note="gradient through y, for a generic upstream gradient")
def instance_gradient(g):
    return dict(**instance_inputs(g, 2, 3, 2, 2), eps=0.1)


# 7.6 rms_norm


def rms_with(a, gain, eps=1e-6, *, axes=(-1,), **turn):
    """RMS normalisation with a wrong turn: a beside −a has mean 0, and the mean square of a as its variance."""
    both = standardise(torch.stack([a, -a]), eps, [0, *axes], **turn)
    return AffineTransform(torch.zeros_like(gain), gain)(both[0])


def rms_of_a(inputs):
    return root(inputs["a"].square().mean(), inputs.get("eps", 1e-6))


rms_norm = Exercise("rms_norm", CHAPTER, ("out",), read="7.6", tolerances=size_of_terms("a", rms_of_a))


@rms_norm.oracle
def rms_by_operator(a, gain, eps=1e-6):
    return F.rms_norm(a, gain.shape, gain, eps)


@rms_norm.misconception("The mean was subtracted: that is layer norm without its bias. RMS norm leaves the mean alone.")
def rms_centred(a, gain, eps=1e-6):
    return F.layer_norm(a, gain.shape, gain, eps=eps)


@rms_norm.misconception("You divided by the deviation from the mean. The root mean square is measured from 0: no mean "
                        "is taken anywhere.")
def deviation_for_rms(a, gain, eps=1e-6):
    return AffineTransform(0, root(a.var(-1, correction=0, keepdim=True), eps) / gain).inv(a)


@rms_norm.misconception("eps was added to the root mean square. This course adds it to the mean square, under the root, "
                        "as the normalisers of PyTorch do.")
def rms_eps_outside(*args, **options):
    return rms_with(*args, **options, scale=outside)


@rms_norm.misconception("You divided by the length of a. That is the root of a sum; the root of a mean is asked for, so "
                        "that the entries come out of size 1, however many there are.")
def length_for_rms(a, gain, eps=1e-6):
    return rms_with(a, gain, eps, scale=lambda power, eps: root(power * a.shape[-1], eps))


@rms_norm.misconception("eps never entered. With activations that are all near 0 the division would blow up.")
def rms_eps_forgotten(*args, **options):
    return rms_with(*args, **options, scale=no_eps)


@rms_norm.misconception("eps was taken to be its default. It is an argument: use the value that is given, not the "
                        "number 1e-6.")
def rms_eps_ignored(*args, **options):
    return rms_with(*args)


@rms_norm.misconception("eps was taken to be 1e-5, the default of layer norm. RMS norm's default is 1e-6 here.")
def layer_norm_default(a, gain, eps=1e-5):
    return rms_with(a, gain, eps)


@rms_norm.misconception("eps was not handed on. PyTorch's own default is the smallest step of the dtype, and not the eps "
                        "that is given.")
def machine_epsilon(a, gain, eps=1e-6):
    return F.rms_norm(a, gain.shape, gain)


@rms_norm.misconception("You divided by the mean square. The result has size 1 only after division by its root.")
def mean_square_for_root(*args, **options):
    return rms_with(*args, **options, scale=no_root)


@rms_norm.misconception("The gain has no effect. It multiplies the result, feature by feature.")
def rms_gain_forgotten(a, gain, **options):
    return rms_with(a, torch.ones_like(gain), **options)


@rms_norm.misconception(GAIN_FROM_ONE)
def rms_gain_from_one(a, gain, **options):
    return rms_with(a, 1 + gain, **options)


@rms_norm.misconception("The mean square was taken across the batch. The output of an example must not depend on the "
                        "others.")
def rms_over_the_batch(*args, **options):
    return rms_with(*args, **options, axes=[1])


@rms_norm.misconception("A whole example shares one mean square. Every position along the leading axes has its own: it "
                        "runs over the last axis alone.")
def rms_over_whole_examples(a, *rest, **options):
    return rms_with(a, *rest, **options, axes=range(2, a.dim() + 1))


@rms_norm.misconception("The mean square runs over axis 1. That is the last axis where there are two; with more leading "
                        "axes count from the end.")
def rms_over_axis_1(*args, **options):
    return rms_with(*args, **options, axes=[2])


@rms_norm.misconception("One mean square was taken of all entries: without an axis, `mean` reduces everything.")
def rms_over_everything(a, *rest, **options):
    return rms_with(a, *rest, **options, axes=range(1, a.dim() + 1))


@rms_norm.misconception("The values are right, the gradient is not: the root mean square was cut from the graph. It "
                        "depends on a, so no `detach`, `.data` or `no_grad` on the way to the result.")
def rms_cut(*args, **options):
    return rms_with(*args, **options, keep=torch.detach)


TINY = 0.003  # a size at which the default eps of 1e-6 is a tenth of the mean square


def rms_inputs(g, *shape, dtype=F64, spread=1.0, layout=torch.clone):
    inputs = layer_inputs(g, *shape, dtype=dtype, spread=spread, layout=layout)
    return {name: inputs[name] for name in ("a", "gain")}


@rms_norm.case(note="the means are not 0")
def rms_small_batch(g):
    return dict(**rms_inputs(g, 6, 5), eps=0.1)


@rms_norm.case(note="two sequences of 3 positions, not contiguous in memory")
def rms_sequences(g):
    return dict(**rms_inputs(g, 2, 3, 4, layout=strided), eps=0.2)


@rms_norm.case(note="default eps, inputs so small that it counts")
def rms_defaults_in_float32(g):
    return rms_inputs(g, 8, 3, dtype=F32, spread=TINY)


@rms_norm.case(note="one example of one feature")
def rms_one_feature(g):
    return dict(**rms_inputs(g, 1, 1), eps=0.1)


@rms_norm.case(probe=through_graph, note="gradient through the result, for a generic upstream gradient")
def rms_gradient(g):
    return dict(**rms_inputs(g, 5, 4), eps=0.1)
