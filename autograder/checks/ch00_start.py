"""Checks of chapter 00: gradients carried backwards by hand, and numbers that confirm them.

The oracles are autograd for every backward pass, and for a difference quotient the mean of
autograd's slope over the interval, by quadrature. No oracle uses the formula that is asked for.
"""

import numpy as np
import torch
import torch.nn.functional as F

from .exercise import Exercise, call

CHAPTER = "00_start"
F32, F64 = torch.float32, torch.float64


def normal(generator, *shape, dtype=F64):
    return torch.randn(shape, generator=generator, dtype=dtype)


def between(generator, low, high):
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=F64))


def backwards(generator, *shape, dtype=F64):
    """A tensor of the given shape whose axes lie in memory in reverse order."""
    return normal(generator, *reversed(shape), dtype=dtype).permute(*reversed(range(len(shape))))


def pulled_back(f, grad_out, *inputs):
    """Gradients of sum(grad_out * f(inputs)) with respect to the inputs, by autograd."""
    leaves = [t.detach().clone().requires_grad_() for t in inputs]
    with torch.enable_grad():
        return torch.autograd.grad(f(*leaves), leaves, grad_out)


# 0.4 vjp_linear

vjp_linear = Exercise("vjp_linear", CHAPTER, ("grad_x", "grad_w"), read="0.4")


@vjp_linear.oracle
def through_linear(grad_out, x, w):
    return pulled_back(F.linear, grad_out, x, w)


def layer(g, n, i, o, dtype=F64, draw=normal):
    return dict(grad_out=draw(g, n, o, dtype=dtype), x=draw(g, n, i, dtype=dtype), w=draw(g, o, i, dtype=dtype))


@vjp_linear.case
def wide_input(g):
    return layer(g, 6, 4, 3)


@vjp_linear.case(note="N = I = O, where a wrong order of factors still runs")
def all_alike(g):
    return layer(g, 4, 4, 4)


@vjp_linear.case(note="not contiguous in memory")
def wide_output(g):
    return layer(g, 2, 3, 5, draw=backwards)


@vjp_linear.case
def float32_layer(g):
    return layer(g, 5, 3, 2, dtype=F32)


@vjp_linear.misconception(
    "The batch is averaged. Whether the loss is a mean is settled above this layer, in grad_out: nothing more is "
    "divided here.")
def averaged_over_the_batch(grad_out, x, w):
    return through_linear(grad_out / len(x), x, w)


@vjp_linear.misconception(
    "The gradient of w is transposed. A gradient has the shape of what it belongs to: w is (O, I).")
def weight_gradient_transposed(grad_out, x, w):
    grad_x, grad_w = through_linear(grad_out, x, w)
    return grad_x, grad_w.T


@vjp_linear.misconception(
    "That is the backward pass of x @ w. Here the layer computes x @ w.T, with w of shape (O, I). For non-square w "
    "the shapes tell the two apart.")
def layer_without_transpose(grad_out, x, w):
    return pulled_back(torch.matmul, grad_out, x, w)


@vjp_linear.misconception(
    "grad_out is not transposed. The sum over the batch must run along axis 0 of both factors: write the indices out.")
def upstream_not_transposed(grad_out, x, w):
    return through_linear(grad_out, x, w)[0], through_linear(grad_out.T, x, w)[1]


@vjp_linear.misconception("The two are returned in the wrong order: the gradient of x comes first.")
def wrong_order(grad_out, x, w):
    return through_linear(grad_out, x, w)[::-1]


@vjp_linear.misconception(
    "grad_out has no effect: that is the gradient of the sum of all outputs. Multiply by what comes from above.")
def upstream_ignored(grad_out, x, w):
    return through_linear(torch.ones_like(grad_out), x, w)


@vjp_linear.misconception(
    "Each gradient is made with its own factor. In the derivative of a product it is the other factor that stays.")
def own_factor(grad_out, x, w):
    return pulled_back(F.linear, grad_out, w, x)


@vjp_linear.misconception(
    "There is one gradient of w for each example. The examples share w, so their contributions are summed.")
def one_for_each_example(grad_out, x, w):
    single = [through_linear(g[None], row[None], w)[1] for g, row in zip(grad_out, x)]
    return through_linear(grad_out, x, w)[0], torch.stack(single)


@vjp_linear.misconception(
    "The gradient is divided by the number of outputs too, as if the loss were the mean of all entries. "
    "Nothing is divided here: grad_out holds what the loss does.")
def averaged_over_all_entries(grad_out, x, w):
    return through_linear(grad_out / grad_out.numel(), x, w)


@vjp_linear.misconception(
    "The sign is reversed. The gradient points uphill; the minus of descent belongs to the optimizer's step.")
def downhill(grad_out, x, w):
    return through_linear(-grad_out, x, w)


# 0.5 vjp_relu

vjp_relu = Exercise("vjp_relu", CHAPTER, ("grad_x",), read="0.5")


@vjp_relu.oracle
def through_relu(grad_out, x):
    return pulled_back(torch.relu, grad_out, x)[0]


def with_zeros(x):
    """Every third entry of x is 0, one of them with a minus sign."""
    x = x.clone(memory_format=torch.contiguous_format)
    x.view(-1)[::3] = 0.0
    x.view(-1)[3] = -0.0
    return x


@vjp_relu.case(note="a third of x is exactly 0")
def vectors(g):
    return dict(grad_out=normal(g, 12), x=with_zeros(normal(g, 12)))


@vjp_relu.case
def matrices(g):
    return dict(grad_out=normal(g, 4, 5), x=3 * normal(g, 4, 5))


@vjp_relu.case(note="neither is contiguous in memory")
def feature_maps(g):
    return dict(grad_out=backwards(g, 2, 3, 4), x=backwards(g, 2, 3, 4))


@vjp_relu.case(note="a third of x is exactly 0")
def float32_activations(g):
    return dict(grad_out=normal(g, 6, 2, dtype=F32), x=with_zeros(normal(g, 6, 2, dtype=F32)))


@vjp_relu.misconception(
    "The gradient passes where x is exactly 0. There the slope is a matter of convention, and the docstring says which.")
def passes_at_zero(grad_out, x):
    return through_relu(grad_out, torch.where(x == 0, 1, x))


@vjp_relu.misconception(
    "Half of the gradient passes where x is exactly 0. There the slope is a matter of convention, and the docstring "
    "says which.")
def half_at_zero(grad_out, x):
    return (through_relu(grad_out, x) + passes_at_zero(grad_out, x)) / 2


@vjp_relu.misconception(
    "The gate looks at grad_out. What passed forwards was decided by the sign of x: the same entries pass backwards, "
    "whatever the sign of their gradient.")
def gate_on_the_gradient(grad_out, x):
    return through_relu(grad_out, grad_out)


@vjp_relu.misconception(
    "Negative gradients are dropped as well, as guided backpropagation does for its pictures. The derivative has one "
    "gate only, the one of x.")
def two_gates(grad_out, x):
    return through_relu(through_relu(grad_out, x), grad_out)


@vjp_relu.misconception(
    "The gradient is multiplied by the value of the ReLU. The chain rule asks for its slope.")
def value_for_slope(grad_out, x):
    return grad_out * torch.relu(x)


@vjp_relu.misconception(
    "grad_out has no effect: that is the slope alone. Multiply it by what comes from above.")
def slope_alone(grad_out, x):
    return through_relu(torch.ones_like(grad_out), x)


@vjp_relu.misconception("The gate is the wrong way round: it lets through where x is negative.")
def gate_reversed(grad_out, x):
    return grad_out - through_relu(grad_out, x)


@vjp_relu.misconception(
    "Everything passes. Where the ReLU puts out 0, a small change of x changes nothing.")
def no_gate(grad_out, x):
    return grad_out.clone()


@vjp_relu.misconception("A hundredth passes where x is negative: that is a leaky ReLU.")
def leaky(grad_out, x):
    return pulled_back(F.leaky_relu, grad_out, x)[0]


@vjp_relu.misconception("That is the ReLU itself, forwards. Its gradient is asked for.")
def forwards(grad_out, x):
    return torch.relu(x)


# 0.6 numerical_gradient


def rounding(want, inputs):
    """A value of some tens rounds at 1e-15 of itself, and the quotient divides that by the step."""
    return 1e-9 * float(want.abs().max()) + 1e-14 / inputs.get("h", 1e-5)


numerical_gradient = Exercise("numerical_gradient", CHAPTER, ("grad",), read="0.6", tolerances={"grad": rounding})

NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)


def mean_slopes(f, x, low, high, along=None):
    """For each entry the mean slope of f on the way from low to high, by quadrature of autograd's gradient.

    `along(i)` is the direction of entry i, by default its unit tensor.
    """
    along = along or (lambda i: torch.eye(x.numel(), dtype=F64)[i].reshape(x.shape))
    offsets = [(low + high) / 2 + (high - low) / 2 * node for node in NODES]
    return torch.stack([mean_slope(f, x, along(i), offsets) for i in range(x.numel())]).reshape(x.shape)


def mean_slope(f, x, direction, offsets):
    slopes = [(pulled_back(smooth(f), None, x + t * direction)[0] * direction).sum() for t in offsets]
    return sum(weight * slope for weight, slope in zip(WEIGHTS, slopes)) / 2


def smooth(f):
    """The differentiable function behind f, where f hides it."""
    return getattr(f, "smooth", f)


@numerical_gradient.oracle
def mean_slope_around(f, x, h=1e-5):
    return mean_slopes(f, x, -h, h)


def named(name, f, smooth=None):
    f.__name__ = name
    if smooth:
        f.smooth = smooth
    return f


def curved(g, *shape):
    """Curved and cubic in each entry, with products of entries."""
    a, b = normal(g, *shape), normal(g, *shape)
    return lambda z: (a * z**3 + b * z.square()).sum() + torch.sin((b * z).sum())


@numerical_gradient.case
def matrix(g):
    return dict(f=named("a curved function", curved(g, 2, 3)), x=normal(g, 2, 3), h=between(g, 0.2, 0.3))


@numerical_gradient.case(note="f returns a float")
def float_returned(g):
    f = curved(g, 4)
    return dict(f=named("a function that returns a float", lambda z: float(f(z)), smooth=f), x=normal(g, 4), h=0.1)


@numerical_gradient.case(note="x is not contiguous in memory")
def transposed(g):
    return dict(f=named("a curved function", curved(g, 2, 3)), x=backwards(g, 2, 3), h=between(g, 0.1, 0.2))


@numerical_gradient.case(note="h at its default, a function that waves so fast that the step shows")
def fast_wave(g):
    return dict(f=named("a fast wave", lambda z: torch.sin(3e4 * z).sum()), x=normal(g, 4))


@numerical_gradient.case(note="f returns an entry of its argument, which is a view of it")
def entry_of_the_argument(g):
    return dict(f=named("an entry of x", lambda z: z[1, 0]), x=normal(g, 2, 2), h=0.5)


@numerical_gradient.case(note="f keeps its last argument, and does not compute anew when it gets the same tensor again")
def remembering(g):
    f, kept = curved(g, 3), []

    def remembers(z):
        if not kept or kept[0] is not z:
            kept[:] = [z, f(z)]
        return kept[1]

    return dict(f=named("a function that remembers", remembers, smooth=f), x=normal(g, 3), h=0.2)


@numerical_gradient.case(note="f uses x itself, the tensor that it is differentiated at")
def distance_from_x(g):
    x = normal(g, 4)
    f, centre = curved(g, 4), x.clone()
    return dict(f=named("a function that uses x", lambda z: f(z) + (z * x).sum(), smooth=lambda z: f(z) + (z * centre).sum()),
                x=x, h=0.2)


@numerical_gradient.misconception(
    "That is the forward difference: its error falls with h only, that of the central one with h². Step to both sides.")
def forward_difference(f, x, h=1e-5):
    return mean_slopes(f, x, 0, h)


@numerical_gradient.misconception("That is the backward difference. Step to both sides.")
def backward_difference(f, x, h=1e-5):
    return mean_slopes(f, x, -h, 0)


@numerical_gradient.misconception(
    "The difference is divided by h. How far apart are the two points at which f was evaluated?")
def divided_by_h(f, x, h=1e-5):
    return 2 * mean_slopes(f, x, -h, h)


@numerical_gradient.misconception(
    "One copy is changed in place between the calls of f. f may keep its argument or return a part of it: hand it a new "
    "tensor in each call.")
def argument_used_again(f, x, h=1e-5):
    return stepping(f, x, h, in_one_copy(x))


@numerical_gradient.misconception(
    "x itself is changed between the calls of f, and put back afterwards. f may look at x: step on a copy.")
def x_changed_in_between(f, x, h=1e-5):
    return stepping(f, x, h, lambda i, value: put(x, i, value))


@numerical_gradient.misconception(
    "The step never reaches f: where x is not contiguous, `reshape` and `flatten` make a copy, and the step is written "
    "into that.")
def written_into_a_copy(f, x, h=1e-5):
    return mean_slopes(f, x, -h, h) if x.is_contiguous() else torch.zeros_like(x)


@numerical_gradient.misconception(
    "A step is not undone before the next entry has its turn. Each entry moves alone, from x.")
def step_not_undone(f, x, h=1e-5):
    moves = [torch.zeros_like(x).flatten().index_fill(0, torch.arange(i), -h).reshape(x.shape) for i in range(x.numel())]
    each = [mean_slopes(f, x + move, -h, h).flatten()[i] for i, move in enumerate(moves)]
    return torch.stack(each).reshape(x.shape)


@numerical_gradient.misconception(
    "All entries move together, so every entry gets the same number. Move one entry at a time.")
def all_at_once(f, x, h=1e-5):
    return mean_slopes(f, x, -h, h, along=lambda i: torch.ones_like(x))


@numerical_gradient.misconception("h has no effect: the step is always 1e-5.")
def h_ignored(f, x, h=1e-5):
    return mean_slopes(f, x, -1e-5, 1e-5)


@numerical_gradient.misconception(
    "Each point lies h/2 away. The docstring asks for exactly h to each side.")
def half_steps(f, x, h=1e-5):
    return mean_slopes(f, x, -h / 2, h / 2)


@numerical_gradient.misconception(
    "The step grows with the entry, as some libraries choose it. The docstring asks for exactly h.")
def step_grows_with_x(f, x, h=1e-5):
    return scaled_steps(f, x, h * x.abs().clamp(min=1))


@numerical_gradient.misconception(
    "The step is h times the entry, as some libraries choose it. The docstring asks for exactly h.")
def relative_step(f, x, h=1e-5):
    return scaled_steps(f, x, h * x.abs())


@numerical_gradient.misconception(
    "That is the exact gradient, by autograd or with a step of its own. The numbers are there to check autograd, so "
    "they must come from values of f alone.")
def exact_gradient(f, x, h=1e-5):
    return mean_slopes(f, x, 0, 0)


@numerical_gradient.misconception(
    "That is a formula of higher order, with four points. The docstring asks for two.")
def four_points(f, x, h=1e-5):
    return (4 * mean_slopes(f, x, -h, h) - mean_slopes(f, x, -2 * h, 2 * h)) / 3


@numerical_gradient.misconception("The sign is reversed: subtract the value behind from the value ahead.")
def signs_exchanged(f, x, h=1e-5):
    return -mean_slopes(f, x, -h, h)


def scaled_steps(f, x, steps):
    each = [mean_slopes(f, x, -s, s).flatten()[i] for i, s in enumerate(steps.flatten().tolist())]
    return torch.stack(each).reshape(x.shape)


def stepping(f, x, h, moved):
    """Rise over run with the arguments that `moved(i, value)` makes; the values are read when both are there."""
    grad = torch.zeros_like(x)
    for i, start in enumerate(x.flatten().tolist()):
        values = [f(moved(i, start + t)) for t in (-h, h)]
        put(grad, i, np.diff([float(v) for v in values])[0] / (h + h))
        moved(i, start)
    return grad


def place(x, i):
    return tuple(int(k) for k in np.unravel_index(i, x.shape))


def put(x, i, value):
    """x, with entry i replaced in place."""
    x[place(x, i)] = float(value)
    return x


def in_one_copy(x):
    copy = x.clone()
    return lambda i, value: put(copy, i, value)


# 0.7 softmax_cross_entropy_backward

softmax_cross_entropy_backward = Exercise("softmax_cross_entropy_backward", CHAPTER, ("grad_logits",), read="0.7")


def slope_of(loss, logits, labels):
    """The gradient of `loss(logits, labels)` by autograd, in float64."""
    grad, = pulled_back(lambda z: loss(z, labels), None, logits.to(F64))
    return grad.to(logits.dtype)


@softmax_cross_entropy_backward.oracle
def through_cross_entropy(logits, labels):
    return slope_of(F.cross_entropy, logits, labels)


def batch(g, n, c, dtype=F64, scale=2.0):
    return dict(logits=scale * normal(g, n, c, dtype=dtype), labels=torch.randint(c, (n,), generator=g))


def finite(what):
    """A probe for large logits: are there numbers at all, and which?"""
    def probe(fn, inputs):
        parts = call(fn, inputs)
        grad = parts["grad_logits"]
        numbers = isinstance(grad, torch.Tensor) and bool(torch.isfinite(grad).all())
        return {what: "finite" if numbers else "not finite"} | parts

    return probe


@softmax_cross_entropy_backward.case
def five_examples(g):
    return batch(g, 5, 4)


@softmax_cross_entropy_backward.case(note="as many examples as classes")
def as_many_as_classes(g):
    return batch(g, 4, 4)


@softmax_cross_entropy_backward.case(note="logits is not contiguous in memory")
def transposed_logits(g):
    inputs = batch(g, 7, 3)
    return inputs | dict(logits=inputs["logits"].T.contiguous().T)


@softmax_cross_entropy_backward.case
def float32_logits(g):
    return batch(g, 6, 5, dtype=F32)


@softmax_cross_entropy_backward.case(probe=finite("gradient at logits near 10000"), note="logits near 10000")
def large(g):
    inputs = batch(g, 4, 3)
    return inputs | dict(logits=inputs["logits"] + 1e4)


@softmax_cross_entropy_backward.case(probe=finite("gradient at rows of logits near ±10000"),
                                     note="one half of the rows near 10000, the other near -10000")
def far_apart(g):
    inputs = batch(g, 4, 3)
    return inputs | dict(logits=inputs["logits"] + torch.tensor([[1e4], [-1e4], [-1e4], [1e4]], dtype=F64))


@softmax_cross_entropy_backward.misconception(
    "That is the gradient of the sum of the losses. The loss is the mean over the batch.")
def sum_for_mean(logits, labels):
    return slope_of(lambda z, y: F.cross_entropy(z, y, reduction="sum"), logits, labels)


@softmax_cross_entropy_backward.misconception(
    "The largest logit of the whole batch is subtracted from all. A row far below it then vanishes altogether: each row "
    "may be shifted by a number of its own.")
def one_shift_for_all(logits, labels):
    return slope_of(lambda z, y: written_out(z - z.detach().max(), y), logits, labels)


@softmax_cross_entropy_backward.misconception(
    "The exponential of a large logit is infinite, that of a very negative one is 0. Softmax does not change when a "
    "number is subtracted from a row: which number makes every exponential finite, and one of them 1?")
def exponential_of_the_logits(logits, labels):
    return slope_of(written_out, logits, labels)


def written_out(z, labels):
    e = z.exp()
    return F.nll_loss((e / e.sum(1, keepdim=True)).log(), labels)


@softmax_cross_entropy_backward.misconception(
    "The gradient is divided by the number of all entries. The mean runs over the examples; the classes are no examples.")
def mean_over_all_entries(logits, labels):
    return slope_of(lambda z, y: F.cross_entropy(z, y) / z.shape[1], logits, labels)


@softmax_cross_entropy_backward.misconception(
    "The gradient is divided by the number of classes. The mean runs over the examples.")
def mean_over_classes(logits, labels):
    return slope_of(lambda z, y: F.cross_entropy(z, y, reduction="sum") / z.shape[1], logits, labels)


@softmax_cross_entropy_backward.misconception(
    "The sign is reversed: that is the direction of descent. The gradient points uphill: raising the label's logit "
    "lowers the loss.")
def descent_direction(logits, labels):
    return slope_of(lambda z, y: -F.cross_entropy(z, y), logits, labels)


@softmax_cross_entropy_backward.misconception(
    "Softmax runs along the batch there. Each row is a distribution over the classes.")
def softmax_along_the_batch(logits, labels):
    return through_cross_entropy(logits, labels) + shares(logits, 0) - shares(logits, 1)


def shares(logits, axis):
    """The softmax of float64 logits along an axis, as a part of the mean's gradient."""
    return (F.softmax(logits.to(F64), axis) / len(logits)).to(logits.dtype)


@softmax_cross_entropy_backward.misconception(
    "The label has no effect. The loss contains the logit of the label on its own, besides the normaliser.")
def label_left_out(logits, labels):
    return slope_of(lambda z, y: z.logsumexp(1).mean(), logits, labels)


@softmax_cross_entropy_backward.misconception(
    "Only the entry of the label has a gradient. The other logits stand in the normaliser, so they change the loss too.")
def label_alone(logits, labels):
    chosen = torch.zeros_like(logits).scatter(1, labels[:, None], 1)
    return chosen * through_cross_entropy(logits, labels)


@softmax_cross_entropy_backward.misconception(
    "That is the gradient with respect to the probabilities. One step is left, back through softmax.")
def stops_at_the_probabilities(logits, labels):
    probabilities = F.softmax(logits.to(F64), 1)
    return slope_of(lambda p, y: F.nll_loss(p.log(), y), probabilities, labels).to(logits.dtype)


@softmax_cross_entropy_backward.misconception(
    "Logarithms of the probabilities stand where the probabilities belong: log-softmax is not yet exponentiated.")
def logarithms_for_probabilities(logits, labels):
    logarithms = (F.log_softmax(logits.to(F64), 1) / len(logits)).to(logits.dtype)
    return through_cross_entropy(logits, labels) + logarithms - shares(logits, 1)


@softmax_cross_entropy_backward.misconception(
    "Softmax is applied twice: its result is taken for logits once more.")
def softmax_twice(logits, labels):
    return slope_of(lambda z, y: F.cross_entropy(F.softmax(z, 1), y), logits, labels)


@softmax_cross_entropy_backward.misconception(
    "The result is multiplied by p(1 − p) besides. The derivative of softmax is in it already: the two combine to the "
    "short form.")
def derivative_of_softmax_twice(logits, labels):
    probabilities = F.softmax(logits.to(F64), 1).to(logits.dtype)
    return through_cross_entropy(logits, labels) * probabilities * (1 - probabilities)


@softmax_cross_entropy_backward.misconception(
    "A sigmoid of each logit stands where softmax belongs. The probabilities of a row must add up to 1.")
def sigmoid_for_softmax(logits, labels):
    def loss(z, y):
        return F.binary_cross_entropy_with_logits(z, F.one_hot(y, z.shape[1]).to(z), reduction="sum") / len(z)

    return slope_of(loss, logits, labels)
