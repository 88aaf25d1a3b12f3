"""Checks of chapter 06: what the length of a weight does where only its direction counts.

The oracles walk: in the plane, on a loss that depends on the direction of w alone, plain SGD
takes real steps, and lengths and angles are read off. Degrees come from the defining property,
projections from matrix factorisations. No oracle uses the formula that is asked for.
"""

import math

import sympy as sp
import torch
import torch.nn.functional as F

from .derivation import Derivation
from .exercise import Exercise, call

CHAPTER = "06_scale_invariance"
F32, F64 = torch.float32, torch.float64


# What the exercises of the chapter share.


def normal(generator, *shape, dtype=F64):
    return torch.randn(shape, generator=generator, dtype=dtype)


def between(generator, low, high):
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=F64))


def backwards(generator, *shape, dtype=F64):
    """A tensor of the given shape whose axes lie in memory in reverse order."""
    return normal(generator, *reversed(shape), dtype=dtype).permute(*reversed(range(len(shape))))


def rounding(inputs):
    """What sums of some dozen terms and a root or a quotient may lose, with room to spare."""
    return 1e-5 if any(isinstance(v, torch.Tensor) and v.dtype == F32 for v in inputs.values()) else 1e-9


def relative_to(name):
    """Tolerance from an input's size, for results that may vanish."""
    return lambda want, inputs: rounding(inputs) * float(inputs[name].norm())


def smallest_entry(want, inputs):
    """The small rates count as much as the large ones, as far as sums of both allow."""
    sizes = want.abs()
    return float(rounding(inputs) * sizes.min() + 1e-12 * sizes.max()) if want.numel() else 0.0


def gradient(w, slope=1.0, fade=1, along=1j):
    """The gradient in the plane of a loss that depends on the direction of w alone.

    w is a complex number; `along` times w is where the loss rises, and `slope` the length of the
    gradient on the unit circle. `fade` is how often the length of w divides it.
    """
    return slope * along * w / abs(w) / abs(w) ** fade


def tangent(before, after):
    """The tangent of the angle from one weight to the next: it says how far the direction turned."""
    turn = after / before
    return abs(turn.imag / turn.real)


def precision(values):
    """"float32" where the numbers went through it, even if they were made float64 afterwards."""
    if isinstance(values, torch.Tensor):
        if values.dtype != F64:
            return str(values.dtype).removeprefix("torch.")
    else:
        try:
            values = torch.tensor([float(v) for v in values], dtype=F64)
        except (TypeError, ValueError):
            return "no numbers"
    rounded = torch.equal(values, values.float().to(F64))
    return "float32" if rounded and values.unique().numel() > 2 else "float64"


def sequence(fn, inputs):
    """The plain probe, and the precision of what came back. For inputs that float32 cannot hold."""
    parts = call(fn, inputs)
    return parts | {f"precision of {name}": precision(value) for name, value in parts.items()}


def named(name, f):
    f.__name__ = name
    return f


def believe(derivation, **beliefs):
    """Misconceptions of a derivation: name=(message, wrong expression), the likelier first."""
    for name, (message, wrong) in beliefs.items():
        derivation.misconception(message)(named(name, wrong))


FLOAT32 = ("Somewhere on the way the numbers are float32, the default of `torch.zeros`, `torch.tensor` and of a number "
           "to the power of an integer tensor. A sequence of this course is float64: give `dtype=torch.float64`, or use "
           "Python floats.")


# 6.2 gradient_degree

gradient_degree = Derivation("gradient_degree", CHAPTER, read="6.2", symbols={"k": {"real": True}})


@gradient_degree.oracle
def growth_of_the_gradient(k):
    """How a gradient's length grows from x to 2x: of ‖x‖ᵏ times the cosine of x's angle."""
    x = torch.tensor([0.6, 1.1], dtype=F64)
    near, far = (gradient_at(lambda x: x.norm() ** k * x[0] / x.norm(), s * x).norm() for s in (1, 2))
    return float(torch.log2(far / near))


def gradient_at(f, x):
    """∇f at x by autograd; x is left alone."""
    here = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(f(here), here)[0]


gradient_degree.point(k=2)
gradient_degree.point(k=1)
gradient_degree.point(k=0, note="a scale-invariant function")
gradient_degree.point(k="5/2")
gradient_degree.point(k=-3)


believe(
    gradient_degree,
    same_degree=(
        "That is the degree of f itself. Differentiate both sides of f(γx) = γᵏf(x) with respect to x: the chain "
        "rule brings out a γ on the left.", lambda k: k),
    one_degree_up=(
        "The γ from the chain rule ends on the wrong side. It multiplies ∇f(γx), so divide by it. Try f(x) = x².",
        lambda k: k + 1),
    scale_invariant_only=(
        "That holds for a scale-invariant f only. Here f has any degree k: carry k along.", lambda k: sp.Integer(-1)),
    two_degrees_down=(
        "That is two degrees down, as for the second derivative, or for the effective gradient of section 6.4. One "
        "derivative is asked for.", lambda k: k - 2),
    sign_reversed=(
        "The sign is the wrong way round. Try f(x) = x³: how does its derivative scale?", lambda k: 1 - k),
    gradient_scale_invariant=(
        "That says that no gradient depends on the scale of x. It is true of linear f only. Try f(x) = x².",
        lambda k: sp.Integer(0)))


# 6.2 homogeneity_degree

homogeneity_degree = Exercise(
    "homogeneity_degree", CHAPTER, ("degree",), read="6.2",
    tolerances=dict.fromkeys(("degree", "degree of a scale-invariant f"),
                             lambda want, inputs: 1000 * rounding(inputs)))


@homogeneity_degree.oracle
def growth_of_the_value(f, x):
    """The power of 2 by which f grows from x to 2x."""
    x = x.detach().to(F64)
    return float(torch.log2(f(2 * x) / f(x)))


def minus_quadratic(g, size):
    b = normal(g, 3, size)
    return named("minus a quadratic form", lambda x: -(x @ x + (b.to(x) @ x).square().sum()))


def sum_of_powers(power):
    return named("a sum of powers", lambda x: x.abs().pow(power).sum())


def of_directions(g, units, inputs):
    """A loss behind a normaliser: each row of W counts by its direction alone."""
    x, labels = normal(g, 5, inputs), torch.randint(units, (5,), generator=g)
    return named("the loss behind a normaliser",
                 lambda W: F.cross_entropy(x.to(W) @ F.normalize(W, dim=1).T, labels))


def inverse_length(g, *shape):
    a = normal(g, *shape)
    return named("a function that falls with the length",
                 lambda x: (x.square().sum() + (a.to(x) * x).sum().square()) / x.norm() ** 3)


def as_called(fn, inputs):
    return {"degree of a scale-invariant f": call(fn, inputs)["degree"]}


@homogeneity_degree.case
def quadratic_form(g):
    return dict(f=minus_quadratic(g, 5), x=normal(g, 5))


@homogeneity_degree.case(note="x is a leaf of a graph and has a .grad, which must stay as it is")
def powers(g):
    x = normal(g, 4).requires_grad_()
    x.grad = normal(g, 4)
    return dict(f=sum_of_powers(between(g, 2.55, 2.9)), x=x)


@homogeneity_degree.case(note="x is not contiguous in memory")
def falling(g):
    return dict(f=inverse_length(g, 3, 4), x=backwards(g, 3, 4))


@homogeneity_degree.case
def float32_cubes(g):
    return dict(f=sum_of_powers(3), x=normal(g, 6, dtype=F32))


@homogeneity_degree.case(probe=as_called)
def behind_a_normaliser(g):
    return dict(f=of_directions(g, 3, 4), x=normal(g, 3, 4))


@homogeneity_degree.misconception(
    "That is x·∇f itself. Euler's theorem says what multiple of f(x) it is, and the multiple is asked for.")
def not_divided_by_f(f, x):
    return growth_of_the_value(f, x) * f(x)


@homogeneity_degree.misconception(
    "The product of the two lengths stands where the inner product belongs. Only the part of the gradient along x "
    "counts: for a scale-invariant f there is none.")
def lengths_multiplied(f, x):
    return x.norm() * gradient_at(f, x).norm() / f(x)


@homogeneity_degree.misconception("The products are averaged over the entries. An inner product sums them.")
def mean_over_the_entries(f, x):
    return growth_of_the_value(f, x) / x.numel()


@homogeneity_degree.misconception("The quotient is upside down. In Euler's theorem the degree stands beside f.")
def upside_down(f, x):
    return 1 / growth_of_the_value(f, x)


@homogeneity_degree.misconception("That is the degree of ∇f. The degree of f itself is asked for.")
def degree_of_the_gradient(f, x):
    return growth_of_the_value(f, x) - 1


@homogeneity_degree.misconception(
    "The gradient is summed without x. Euler's theorem takes its inner product with x.")
def gradient_summed(f, x):
    return gradient_at(f, x).sum() / f(x)


@homogeneity_degree.misconception(
    "That is the derivative along the unit vector x/‖x‖. Differentiate f(γx) with respect to γ at γ = 1: along which "
    "vector does the argument move?")
def along_the_unit_vector(f, x):
    return growth_of_the_value(f, x) / x.norm()


@homogeneity_degree.misconception(
    "The sign is lost. A degree may be negative: 1/‖x‖ falls when x grows.")
def sign_lost(f, x):
    return abs(growth_of_the_value(f, x))


@homogeneity_degree.misconception("The degree is rounded. It need not be a whole number: try |x| to the power 5/2.")
def rounded(f, x):
    return round(growth_of_the_value(f, x))


# 6.2 radial_component

radial_component = Exercise("radial_component", CHAPTER, ("radial",), read="6.2",
                            tolerances={"radial": relative_to("grad")})


@radial_component.oracle
def nearest_multiple(w, grad):
    """The multiple of w nearest to grad, by least squares in float64."""
    column = w.detach().to(F64).reshape(-1, 1)
    nearest = column @ torch.linalg.lstsq(column, grad.to(F64).reshape(-1, 1)).solution
    return nearest.reshape(w.shape).to(w.dtype)


@radial_component.case
def vectors(g):
    return dict(w=normal(g, 7), grad=normal(g, 7))


@radial_component.case
def matrices(g):
    return dict(w=2 * normal(g, 3, 4), grad=normal(g, 3, 4))


@radial_component.case(note="neither is contiguous in memory")
def kernels(g):
    return dict(w=backwards(g, 4, 2, 3), grad=backwards(g, 4, 2, 3))


@radial_component.case
def float32_matrices(g):
    return dict(w=normal(g, 5, 2, dtype=F32), grad=3 * normal(g, 5, 2, dtype=F32))


@radial_component.misconception(
    "That is the other part, orthogonal to w. The two add up to the gradient; the one along w is asked for.")
def tangential_part(w, grad):
    return grad - nearest_multiple(w, grad)


@radial_component.misconception(
    "Each row has its own radial part there. Here w counts as one vector, whatever its shape.")
def one_part_per_row(w, grad):
    return torch.stack([nearest_multiple(*pair) for pair in zip(w, grad)])


@radial_component.misconception(
    "‖w‖ stands where ‖w‖² belongs. w enters twice, in the inner product and as the direction, so its length must be "
    "divided out twice. Try grad = w.")
def norm_for_squared_norm(w, grad):
    return nearest_multiple(w, grad) * w.norm()


@radial_component.misconception("The length of w is not divided out. Try grad = w: the radial part is then w itself.")
def not_divided(w, grad):
    return nearest_multiple(w, grad) * w.norm() ** 2


@radial_component.misconception(
    "The length of w is divided out once too often: that is the multiple of w, laid along w/‖w‖. Try grad = w.")
def divided_three_times(w, grad):
    return nearest_multiple(w, grad) / w.norm()


@radial_component.misconception("That is the multiple alone. The component is a vector: it has the shape of w.")
def multiple_alone(w, grad):
    return nearest_multiple(w, grad).norm() / w.norm() * torch.sign((w * grad).sum())


@radial_component.misconception(
    "The two are exchanged: that is the part of w along the gradient. The result must be a multiple of w.")
def exchanged(w, grad):
    return nearest_multiple(grad, w)


@radial_component.misconception("The multiple is right, but it multiplies the gradient. The radial direction is w's.")
def along_the_gradient(w, grad):
    return multiple_alone(w, grad) * grad


@radial_component.misconception(
    "The products are not summed, so every entry has a multiple of its own. An inner product is one number.")
def products_not_summed(w, grad):
    return w * grad * w / w.norm() ** 2


# 6.3 norm_sq_after_step

norm_sq_after_step = Derivation("norm_sq_after_step", CHAPTER, read="6.3",
                                symbols=dict.fromkeys(("w_sq", "lr", "g_sq"), {"positive": True}))


@norm_sq_after_step.oracle
def one_step_in_the_plane(w_sq, lr, g_sq):
    """SGD on a multiple of the angle, the multiple such that the gradient has the length given."""
    w = math.sqrt(w_sq) * torch.tensor([0.6, 0.8], dtype=F64)
    slope = math.sqrt(g_sq) / gradient_at(angle, w).norm()
    return float((w - lr * slope * gradient_at(angle, w)).square().sum())


def angle(w):
    return torch.atan2(w[1], w[0])


norm_sq_after_step.point(w_sq=1, lr=1, g_sq=1)
norm_sq_after_step.point(w_sq=1, lr="1/2", g_sq=1)
norm_sq_after_step.point(w_sq=4, lr="1/3", g_sq=1)
norm_sq_after_step.point(w_sq="5/2", lr="2/3", g_sq="3/7")


believe(
    norm_sq_after_step,
    square_subtracted=(
        "The step is subtracted from w, but its square is not subtracted from ‖w‖². Draw the right angle between w "
        "and the step: which side of the triangle is the new weight?", lambda w_sq, lr, g_sq: w_sq - lr**2 * g_sq),
    stays_on_the_sphere=(
        "That leaves the norm as it was. The step is tangent to the sphere, and a straight step along a tangent "
        "leaves it.",
        lambda w_sq, lr, g_sq: w_sq),
    rate_not_squared=(
        "The learning rate is not squared. It scales the step, and the step's squared length counts.",
        lambda w_sq, lr, g_sq: w_sq + lr * g_sq),
    gradient_of_the_unit_sphere=(
        "That takes g_sq for the squared gradient norm on the unit sphere. Here it is measured at w itself, so the "
        "length of w is in it already.", lambda w_sq, lr, g_sq: w_sq + lr**2 * g_sq / w_sq),
    lengths_added=(
        "The two lengths are added, as if the step pointed along w. By Euler's theorem it is orthogonal to w.",
        lambda w_sq, lr, g_sq: (sp.sqrt(w_sq) + lr * sp.sqrt(g_sq)) ** 2),
    lengths_subtracted=(
        "The lengths are subtracted, as if the gradient pointed along w. By Euler's theorem the inner product of w "
        "and the gradient vanishes.", lambda w_sq, lr, g_sq: (sp.sqrt(w_sq) - lr * sp.sqrt(g_sq)) ** 2),
    norm_after_step=(
        "That is the norm. Its square is asked for.", lambda w_sq, lr, g_sq: sp.sqrt(w_sq + lr**2 * g_sq)),
    gradient_squared_twice=(
        "g_sq is a squared norm already: do not square it again.", lambda w_sq, lr, g_sq: w_sq + lr**2 * g_sq**2),
    both_squared_twice=(
        "w_sq and g_sq are squared norms already: do not square them again.",
        lambda w_sq, lr, g_sq: w_sq**2 + lr**2 * g_sq**2))


# 6.3 norm_sq_growth

# The oracle reaches 1e-12 at the points tried here.
norm_sq_growth = Derivation("norm_sq_growth", CHAPTER, read="6.3", relative=1e-11,
                            symbols={"k": {"integer": True, "positive": True}, "w0_sq": {"positive": True},
                                     "lr": {"positive": True}})

PIECES = 500


@norm_sq_growth.oracle
def many_small_steps(k, w0_sq, lr):
    """The growth per step, followed continuously by the classical Runge–Kutta rule."""
    def growth(u, n):
        """Per unit of u, where k·u² steps have been taken: more points early, where the growth is fast."""
        return 2 * k * u * (lr * abs(gradient(math.sqrt(n)))) ** 2

    n, h = w0_sq, 1 / PIECES
    for u in (h * i for i in range(PIECES)):
        a = growth(u, n)
        b = growth(u + h / 2, n + h / 2 * a)
        c = growth(u + h / 2, n + h / 2 * b)
        n += h / 6 * (a + 2 * b + 2 * c + growth(u + h, n + h * c))
    return n


norm_sq_growth.point(k=1, w0_sq=1, lr=1)
norm_sq_growth.point(k=12, w0_sq=1, lr=1)
norm_sq_growth.point(k=3, w0_sq=1, lr="2/5")
norm_sq_growth.point(k=5, w0_sq=2, lr=1)
norm_sq_growth.point(k=40, w0_sq="3/4", lr="1/3")


believe(
    norm_sq_growth,
    gradient_does_not_fade=(
        "That adds the same amount in every step. The gradient has unit length on the unit sphere only; the longer w "
        "has grown, the shorter is the gradient at w.", lambda k, w0_sq, lr: w0_sq + k * lr**2),
    start_forgotten=(
        "That is the late trend: the start has been forgotten. Fix the constant of integration by the value at k = 0.",
        lambda k, w0_sq, lr: lr * sp.sqrt(2 * k)),
    half_the_growth=(
        "A factor is missing beside k. Differentiate your result with respect to k and put it back into the equation.",
        lambda k, w0_sq, lr: sp.sqrt(w0_sq**2 + k * lr**2)),
    start_not_squared=(
        "At k = 0 that is not w0_sq. Put k = 0 into your solution and solve for the constant of integration.",
        lambda k, w0_sq, lr: sp.sqrt(w0_sq + 2 * k * lr**2)),
    norm_of_growth=(
        "That is the norm. Its square is asked for.", lambda k, w0_sq, lr: (w0_sq**2 + 2 * k * lr**2) ** 0.25),
    root_forgotten=(
        "A root is missing: at k = 0 that is the square of w0_sq.", lambda k, w0_sq, lr: w0_sq**2 + 2 * k * lr**2),
    recurrence_for_the_norm=(
        "The recurrence for the squared norm is applied to the norm. What gains the squared length of each step is "
        "‖w‖².",
        lambda k, w0_sq, lr: w0_sq + 2 * k * lr**2),
    rate_not_squared_in_growth=(
        "The learning rate is not squared. ‖w‖² gains the squared length of each step.",
        lambda k, w0_sq, lr: sp.sqrt(w0_sq**2 + 2 * k * lr)),
    gradient_of_the_start=(
        "Every step is given the gradient of the start. As w grows the gradient fades: write the growth per step "
        "with the current ‖w‖² and integrate.", lambda k, w0_sq, lr: w0_sq + k * lr**2 / w0_sq),
    faded_once_for_twice=(
        "The squared gradient is divided by ‖w‖ only. The gradient's length falls as 1/‖w‖; how does its square fall?",
        lambda k, w0_sq, lr: (w0_sq**1.5 + 1.5 * k * lr**2) ** sp.Rational(2, 3)),
    effective_gradient_in_the_step=(
        "The gradient is taken to fall as 1/‖w‖². The effective gradient of section 6.4 does; the step uses the "
        "gradient at w, and one derivative takes one degree.", lambda k, w0_sq, lr: sp.cbrt(w0_sq**3 + 3 * k * lr**2)),
    start_of_one=(
        "That starts at 1 whatever w0_sq is. w0_sq is an argument: carry it along.",
        lambda k, w0_sq, lr: sp.sqrt(1 + 2 * k * lr**2)),
    time_scale_of_one=(
        "The start is right, the time scale k₀ is that of a weight of norm 1. A longer weight takes longer to grow: k₀ "
        "depends on w0_sq.", lambda k, w0_sq, lr: w0_sq * sp.sqrt(1 + 2 * k * lr**2)),
    effective_rate_for_norm=(
        "That is the effective learning rate after k steps. The squared norm is asked for.",
        lambda k, w0_sq, lr: lr / sp.sqrt(w0_sq**2 + 2 * k * lr**2)))


# 6.3 norm_sq_trajectory

norm_sq_trajectory = Exercise("norm_sq_trajectory", CHAPTER, ("norm_sq",), read="6.3", probe=sequence)


def walk(lr, steps, w0_sq=1.0, grad_norm=1.0, **gradients):
    """Squared lengths on the way of plain SGD in the plane, with the right gradients or others."""
    if min(lr, w0_sq) <= 0:
        raise ValueError
    way = [complex(math.sqrt(w0_sq))]
    while len(way) <= steps:
        way.append(way[-1] - lr * gradient(way[-1], grad_norm, **gradients))
    return lengths(way).square()


def lengths(way):
    return torch.tensor([abs(w) for w in way], dtype=F64)


@norm_sq_trajectory.oracle
def right_walk(lr, steps, w0_sq=1.0, grad_norm=1.0):
    return walk(lr, steps, w0_sq, grad_norm)


@norm_sq_trajectory.case(note="w0_sq and grad_norm at their defaults")
def from_the_unit_sphere(g):
    return dict(lr=between(g, 0.4, 0.7), steps=6)


@norm_sq_trajectory.case
def from_anywhere(g):
    return dict(lr=between(g, 0.4, 0.7), steps=5, w0_sq=between(g, 1.5, 2.5), grad_norm=between(g, 1.4, 1.8))


@norm_sq_trajectory.case(note="a rate so large that the first step decides")
def large_rate(g):
    return dict(lr=between(g, 3, 4), steps=8, w0_sq=between(g, 0.6, 0.8), grad_norm=between(g, 0.5, 0.7))


@norm_sq_trajectory.case(probe=call, note="no step at all")
def no_step(g):
    return dict(lr=0.5, steps=0, w0_sq=between(g, 2, 3))


def refusals(fn, inputs):
    """What an impossible rate or start gives."""
    changes = [("lr", 0.0), ("lr", -0.5), ("w0_sq", 0.0), ("w0_sq", -2.0)]
    return {f"what {name} = {value:g} gives": outcome(fn, inputs | {name: value}) for name, value in changes}


def outcome(fn, inputs):
    """Any other error is the student's to read."""
    try:
        fn(**inputs)
    except (ValueError, ArithmeticError) as error:
        return type(error).__name__
    return "no error"


@norm_sq_trajectory.case(probe=refusals, note="once with each of lr and w0_sq zero and negative")
def impossible(g):
    return dict(lr=0.5, steps=3, w0_sq=2.0)


@norm_sq_trajectory.misconception(
    "A rate or a squared norm that is zero or negative is let through. The docstring says which error to raise.")
def impossible_accepted(lr, steps, w0_sq=1.0, grad_norm=1.0):
    return torch.zeros(steps + 1, dtype=F64)


@norm_sq_trajectory.misconception(
    "Those are the norms. Their squares are asked for, and it is the squares that Pythagoras adds.")
def norms_returned(*args, **options):
    return walk(*args, **options).sqrt()


@norm_sq_trajectory.misconception(
    "The gradient keeps its length there. grad_norm is its length on the unit sphere; it fades as w grows.")
def gradient_of_constant_length(*args, **options):
    return walk(*args, **options, fade=0)


@norm_sq_trajectory.misconception(
    "‖w‖ stands where ‖w‖² belongs: the gradient's length falls as 1/‖w‖, and ‖w‖² gains its square.")
def squared_gradient_over_the_norm(*args, **options):
    return walk(*args, **options, fade=0.5)


@norm_sq_trajectory.misconception(
    "The current ‖w‖² is treated as ‖w‖ and squared once more. The sequence holds squares already.")
def squared_once_more(*args, **options):
    return walk(*args, **options, fade=2)


@norm_sq_trajectory.misconception(
    "The start is squared: w0_sq is ‖w‖² already.")
def start_squared(lr, steps, w0_sq=1.0, grad_norm=1.0):
    return walk(lr, steps, w0_sq**2, grad_norm)


@norm_sq_trajectory.misconception(
    "The learning rate is not squared. The step's squared length is what ‖w‖² gains.")
def rate_of_the_step_not_squared(lr, *args, **options):
    return walk(math.sqrt(lr), *args, **options)


@norm_sq_trajectory.misconception(
    "The gradient's length is not squared. The step's squared length is what ‖w‖² gains.")
def length_not_squared(lr, steps, w0_sq=1.0, grad_norm=1.0):
    return walk(lr, steps, w0_sq, math.sqrt(grad_norm))


@norm_sq_trajectory.misconception(
    "grad_norm has no effect. It is the gradient's length on the unit sphere, here not 1.")
def unit_gradient(lr, steps, w0_sq=1.0, grad_norm=1.0):
    return walk(lr, steps, w0_sq)


@norm_sq_trajectory.misconception("w0_sq has no effect: the sequence starts at 1 whatever is given.")
def starts_at_one(lr, steps, w0_sq=1.0, grad_norm=1.0):
    return walk(lr, steps, grad_norm=grad_norm)


@norm_sq_trajectory.misconception(
    "The norm shrinks there. The step is subtracted from w, but it is orthogonal to w: the new weight is the long "
    "side of a right triangle.")
def norm_shrinks(lr, steps, w0_sq=1.0, grad_norm=1.0):
    squares = [w0_sq]
    while len(squares) <= steps:
        w = complex(math.sqrt(abs(squares[-1])))
        squares.append(squares[-1] * (1 - tangent(w, w - lr * gradient(w, grad_norm)) ** 2))
    return torch.tensor(squares, dtype=F64)


@norm_sq_trajectory.misconception(
    "The lengths of w and step are added. The step is orthogonal to w: add the squares.")
def step_along_w(*args, **options):
    return walk(*args, **options, along=-1)


@norm_sq_trajectory.misconception(
    "That is the continuous limit of norm_sq_growth. Here the steps are finite, and for a large rate the two differ: "
    "follow the recurrence step by step.")
def continuous_limit(lr, steps, w0_sq=1.0, grad_norm=1.0):
    return torch.tensor([many_small_steps(k, w0_sq, lr * grad_norm) for k in range(steps + 1)], dtype=F64)


@norm_sq_trajectory.misconception(
    "Every step is given the gradient of the start. It fades as w grows: take it at the current w.")
def gradient_never_renewed(lr, steps, w0_sq=1.0, grad_norm=1.0):
    first, second = walk(lr, 1, w0_sq, grad_norm)
    return first + torch.arange(steps + 1) * (second - first)


@norm_sq_trajectory.misconception("The start is missing: entry 0 is ‖w‖² before any step, so there is one entry more.")
def start_left_out(*args, **options):
    return walk(*args, **options)[1:]


@norm_sq_trajectory.misconception(
    "The last entry is missing: after each of the steps there is one, and one before them.")
def last_left_out(*args, **options):
    return walk(*args, **options)[:-1]


@norm_sq_trajectory.misconception(FLOAT32)
def trajectory_in_float32(*args, **options):
    return walk(*args, **options).float()


# 6.4 effective_lr

effective_lr = Exercise("effective_lr", CHAPTER, ("effective_lr",), read="6.4",
                        tolerances={"effective_lr": smallest_entry})


@effective_lr.oracle
def how_far_a_direction_moves(lr, W):
    """How far one SGD step moves each unit's direction, to first order, over the gradient at that direction."""
    rows = W.detach().to(F64).flatten(1)
    pull = torch.randn(rows.shape, generator=torch.Generator().manual_seed(6), dtype=F64)

    def loss(rows):
        return (pull * directions(rows)).sum()

    _, moved = torch.autograd.functional.jvp(directions, rows, lr * gradient_at(loss, rows))
    return (moved.norm(dim=1) / gradient_at(loss, directions(rows)).norm(dim=1)).to(W.dtype)


def directions(rows):
    return F.normalize(rows, dim=1)


def units(generator, *shape, dtype=F64):
    """Weights whose units differ in length: from 0.5 to 2."""
    rows = directions(normal(generator, *shape, dtype=dtype).flatten(1))
    return (rows * torch.linspace(0.5, 2, shape[0], dtype=dtype)[:, None]).reshape(shape)


@effective_lr.case
def wide_layer(g):
    return dict(lr=between(g, 0.2, 0.6), W=units(g, 4, 6))


@effective_lr.case(note="W is not contiguous in memory")
def narrow_layer(g):
    return dict(lr=between(g, 1.5, 3), W=units(g, 5, 3).T.contiguous().T)


@effective_lr.case(note="a convolution: a unit's weights are all but the first axis")
def convolution(g):
    return dict(lr=between(g, 0.2, 0.6), W=units(g, 4, 3, 2, 2))


@effective_lr.case
def float32_layer(g):
    return dict(lr=between(g, 0.05, 0.1), W=units(g, 6, 4, dtype=F32))


@effective_lr.misconception(
    "That divides by ‖w‖ once. The gradient is shorter by ‖w‖, and the same step turns a longer weight less: both "
    "count.")
def divided_once(lr, W):
    return (lr * how_far_a_direction_moves(lr, W)).sqrt()


@effective_lr.misconception(
    "That is one rate for the whole layer. Each unit feeds its own normaliser: take the norm of each row.")
def one_rate_for_the_layer(lr, W):
    return how_far_a_direction_moves(lr, W.reshape(1, -1))[0]


@effective_lr.misconception(
    "The norms are those of the columns. A weight is (out, in): a unit's incoming weights are a row.")
def one_rate_per_input(lr, W):
    return how_far_a_direction_moves(lr, W.transpose(0, 1))


@effective_lr.misconception(
    "The squares are averaged over the inputs. The norm of a row sums them.")
def mean_square_for_squared_norm(lr, W):
    return how_far_a_direction_moves(lr, W) * W[0].numel()


@effective_lr.misconception(
    "The rate is multiplied by ‖w‖². A longer weight turns less from the same learning rate.")
def grows_with_the_norm(lr, W):
    return lr**2 / how_far_a_direction_moves(lr, W)


@effective_lr.misconception("lr has no effect. The effective rate is a multiple of the explicit one.")
def explicit_rate_forgotten(lr, W):
    return how_far_a_direction_moves(1.0, W)


@effective_lr.misconception("lr is squared. It is squared in the growth of the norm; here it enters once.")
def explicit_rate_squared(lr, W):
    return lr * how_far_a_direction_moves(lr, W)


@effective_lr.misconception("The entries are summed before they are squared. A squared norm is the sum of the squares.")
def squared_after_the_sum(lr, W):
    return how_far_a_direction_moves(lr, W) * (directions(W.flatten(1)).sum(1) ** -2)


# 6.5 constant_effective_lr_schedule

constant_effective_lr_schedule = Exercise("constant_effective_lr_schedule", CHAPTER, ("lrs",), read="6.5",
                                          probe=sequence, tolerances={"lrs": smallest_entry})


def rate_that_turns(w, wanted, slope=1.0):
    """The learning rate at which one SGD step turns w by that much, by bisection."""
    low, high = 0.0, 1.0
    while tangent(w, w - high * gradient(w, slope)) < wanted:
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        less = tangent(w, w - middle * gradient(w, slope)) < wanted
        low, high = (middle, high) if less else (low, middle)
    return middle


@constant_effective_lr_schedule.oracle
def turning_alike(lr0, w0_sq, steps, grad_norm=1.0):
    """The rates at which every step turns w by the angle of the first one."""
    w = complex(math.sqrt(w0_sq))
    wanted, rates = tangent(w, w - lr0 * gradient(w, grad_norm)), []
    while len(rates) < steps:
        rates.append(rate_that_turns(w, wanted, grad_norm))
        w -= rates[-1] * gradient(w, grad_norm)
    return torch.tensor(rates, dtype=F64)


@constant_effective_lr_schedule.case(note="grad_norm at its default")
def unit_gradients(g):
    return dict(lr0=between(g, 0.5, 0.8), w0_sq=between(g, 1.4, 1.8), steps=6)


@constant_effective_lr_schedule.case
def short_gradients(g):
    return dict(lr0=between(g, 0.3, 0.4), w0_sq=between(g, 0.4, 0.6), steps=5, grad_norm=between(g, 0.5, 0.7))


@constant_effective_lr_schedule.case
def long_gradients(g):
    return dict(lr0=between(g, 1.2, 1.6), w0_sq=between(g, 2, 3), steps=7, grad_norm=between(g, 1.3, 1.5))


@constant_effective_lr_schedule.case(probe=call, note="no step at all")
def no_rate(g):
    return dict(lr0=0.5, w0_sq=2.0, steps=0)


@constant_effective_lr_schedule.misconception(
    "The explicit rate stays constant there, so the effective one falls as the norm grows. It is the effective rate "
    "that shall stay.")
def explicit_rate_constant(lr0, w0_sq, steps, grad_norm=1.0):
    return torch.full((steps,), lr0, dtype=F64)


@constant_effective_lr_schedule.misconception(
    "Those are the effective rates. The explicit ones that keep them constant are asked for.")
def effective_rates(lr0, w0_sq, steps, grad_norm=1.0):
    return torch.full((steps,), lr0 / w0_sq, dtype=F64)


NORM_FOR_ITS_SQUARE = ("The rate follows ‖w‖. The effective rate of section 6.4 has ‖w‖² in it: ask how the explicit "
                       "rate must move to cancel that.")


@constant_effective_lr_schedule.misconception(NORM_FOR_ITS_SQUARE)
def rate_follows_the_norm(lr0, w0_sq, steps, grad_norm=1.0):
    """The norm grows as these rates make it grow."""
    way, rates = [complex(math.sqrt(w0_sq))], []
    while len(rates) < steps:
        rates.append(lr0 * abs(way[-1]) / abs(way[0]))
        way.append(way[-1] - rates[-1] * gradient(way[-1], grad_norm))
    return torch.tensor(rates, dtype=F64)


@constant_effective_lr_schedule.misconception(NORM_FOR_ITS_SQUARE)
def root_of_the_growth(lr0, *args, **options):
    """The norm grows as the right rates make it grow."""
    return (lr0 * turning_alike(lr0, *args, **options)).sqrt()


@constant_effective_lr_schedule.misconception(
    "The norm is that of a run with the constant rate lr0. The rates of the schedule let it grow faster: each rate "
    "needs the norm that the rates before it have made.")
def norm_of_the_constant_rate(lr0, w0_sq, steps, grad_norm=1.0):
    return lr0 * walk(lr0, steps, w0_sq, grad_norm)[:-1] / w0_sq


@constant_effective_lr_schedule.misconception(
    "The schedule falls. The norm grows and makes the effective rate smaller; the explicit one must make up for it.")
def falls_instead(lr0, *args, **options):
    return lr0**2 / turning_alike(lr0, *args, **options)


@constant_effective_lr_schedule.misconception(
    "The schedule starts one step late. Its first rate is lr0: no step has been taken yet, and the norm is still "
    "that of the start.")
def one_step_late(lr0, w0_sq, steps, grad_norm=1.0):
    return turning_alike(lr0, w0_sq, steps + 1, grad_norm)[1:]


@constant_effective_lr_schedule.misconception(
    "grad_norm has no effect. A longer gradient lets the norm grow faster.")
def gradient_of_one(lr0, w0_sq, steps, grad_norm=1.0):
    return turning_alike(lr0, w0_sq, steps)


@constant_effective_lr_schedule.misconception(
    "The gradient's length is not squared. ‖w‖² gains the step's squared length.")
def gradient_length_not_squared(lr0, w0_sq, steps, grad_norm=1.0):
    return turning_alike(lr0, w0_sq, steps, math.sqrt(grad_norm))


@constant_effective_lr_schedule.misconception(
    "w0_sq has no effect. How fast a weight grows, relative to itself, depends on how long it is.")
def start_of_unit_length(lr0, w0_sq, steps, grad_norm=1.0):
    return turning_alike(lr0, 1.0, steps, grad_norm)


@constant_effective_lr_schedule.misconception(
    "w0_sq enters the growth once too seldom. The gain of one step fades as w grows, and it is compared with ‖w‖² "
    "besides: count both.")
def start_enters_once(lr0, w0_sq, steps, grad_norm=1.0):
    root = math.sqrt(w0_sq)
    return root * turning_alike(lr0 / root, 1.0, steps, grad_norm)


@constant_effective_lr_schedule.misconception(
    "The gradient keeps its length there while w grows. It is grad_norm on the unit sphere; it fades as w grows.")
def gradient_does_not_fade_here(lr0, w0_sq, steps, grad_norm=1.0):
    way, rates = [complex(math.sqrt(w0_sq))], []
    while len(rates) < steps:
        rates.append(lr0 * abs(way[-1] / way[0]) ** 2)
        way.append(way[-1] - rates[-1] * gradient(way[-1], grad_norm, fade=0))
    return torch.tensor(rates, dtype=F64)


@constant_effective_lr_schedule.misconception(
    "The rate gains the same amount in every step. It must stay in proportion to ‖w‖², which gains more when the "
    "rate is larger: the growth compounds.")
def growth_not_compounded(lr0, w0_sq, steps, grad_norm=1.0):
    gain = torch.diff(turning_alike(lr0, w0_sq, 2, grad_norm))
    return lr0 + gain * torch.arange(steps)


@constant_effective_lr_schedule.misconception(
    "That is the continuous limit, with the exponential function. The steps are finite: multiply step by step.")
def exponential_function(lr0, w0_sq, steps, grad_norm=1.0):
    gain = torch.diff(turning_alike(lr0, w0_sq, 2, grad_norm)) / lr0
    return lr0 * torch.exp(gain * torch.arange(steps))


@constant_effective_lr_schedule.misconception(FLOAT32)
def schedule_in_float32(*args, **options):
    return turning_alike(*args, **options).float()


# 6.5 decay_to_exponential_lr

decay_to_exponential_lr = Exercise("decay_to_exponential_lr", CHAPTER, ("lrs",), read="6.5", probe=sequence,
                                   tolerances={"lrs": smallest_entry})


def following(lr, keep, steps, decay_last=False):
    """SGD that keeps the share `keep` of w walks ahead; SGD without decay turns as far, at which rates?"""
    w = v = complex(1.1, 0.7)
    rates = []
    while len(rates) < steps:
        ahead = keep * (w - lr * gradient(w)) if decay_last else keep * w - lr * gradient(w)
        rates.append(rate_that_turns(v, tangent(w, ahead)))
        v -= rates[-1] * gradient(v)
        w = ahead
    return torch.tensor(rates, dtype=F64)


@decay_to_exponential_lr.oracle
def same_directions(lr, wd, steps):
    return following(lr, 1 - lr * wd, steps)


@decay_to_exponential_lr.case
def moderate_decay(g):
    return dict(lr=between(g, 0.3, 0.5), wd=between(g, 0.2, 0.4), steps=6)


@decay_to_exponential_lr.case
def strong_decay(g):
    return dict(lr=between(g, 1.3, 1.6), wd=between(g, 0.2, 0.25), steps=4)


@decay_to_exponential_lr.case(note="decay so weak that the rates hardly grow")
def weak_decay(g):
    return dict(lr=between(g, 0.05, 0.1), wd=between(g, 0.01, 0.02), steps=8)


@decay_to_exponential_lr.case(probe=call, note="no step at all")
def nothing_to_do(g):
    return dict(lr=0.5, wd=0.1, steps=0)


@decay_to_exponential_lr.misconception(
    "The first step is wrong already: its rate is not lr. The decay shortens w before the step is added, so the same "
    "step turns it further. What would be right for decay after the step is not right here.")
def decay_after_the_step(lr, wd, steps):
    return following(lr, 1 - lr * wd, steps, decay_last=True)


@decay_to_exponential_lr.misconception(
    "The rates follow the norm that decay takes away. The effective rate has ‖w‖² in it: each step must make up for "
    "more. The first step needs care, too.")
def one_power_per_step(lr, wd, steps):
    return (lr * decay_after_the_step(lr, wd, steps)).sqrt()


@decay_to_exponential_lr.misconception(
    "The first rate is right, the later ones grow too slowly. The effective rate has ‖w‖² in it, not ‖w‖.")
def one_power_per_step_after_the_first(lr, wd, steps):
    return (lr * decay_after_the_step(lr, wd, steps + 1)[1:]).sqrt()


@decay_to_exponential_lr.misconception(
    "The schedule falls. Decay keeps the norm small and the effective rate large; without it the explicit rate must "
    "grow.")
def rates_fall(lr, wd, steps):
    return lr**2 / same_directions(lr, wd, steps)


@decay_to_exponential_lr.misconception(
    "wd is not multiplied by lr. One step of SGD with decay keeps the share 1 − lr·wd of w.")
def decay_without_lr(lr, wd, steps):
    return lr * same_directions(1.0, wd, steps)


@decay_to_exponential_lr.misconception(
    "The steps are counted from 1. Here k starts at 0: shift the schedule by one step.")
def counted_from_one(lr, wd, steps):
    return same_directions(lr, wd, steps + 1)[1:]


@decay_to_exponential_lr.misconception(
    "The schedule is one step behind: its first rate is smaller than lr. One decay lies between w and the first step: "
    "does it make the step turn w more, or less?")
def one_step_behind(lr, wd, steps):
    rates = same_directions(lr, wd, steps + 1)
    return rates[:-1] * rates[0] / rates[1]


@decay_to_exponential_lr.misconception(
    "The decay of the first step is counted twice. Only the w that the step is added to has been shortened; the "
    "gradient belongs to w before it.")
def first_decay_counted_twice(lr, wd, steps):
    return decay_after_the_step(lr, wd, steps + 1)[1:]


@decay_to_exponential_lr.misconception(
    "Multiplying by 1 + lr·wd does not undo a decay by 1 − lr·wd. The two cancel for small lr·wd only; the directions "
    "shall agree exactly.")
def one_plus_for_the_inverse(lr, wd, steps):
    return following(lr, 1 / (1 + lr * wd), steps)


@decay_to_exponential_lr.misconception(
    "That is the continuous limit, with the exponential function. The steps are finite: one keeps the share 1 − lr·wd.")
def continuous_decay(lr, wd, steps):
    return following(lr, math.exp(-lr * wd), steps)


@decay_to_exponential_lr.misconception(
    "The rate stays as it was. Then the norm, no longer held by decay, would grow and the directions would part.")
def rate_unchanged(lr, wd, steps):
    return torch.full((steps,), lr, dtype=F64)


@decay_to_exponential_lr.misconception("One rate too many: a rate is needed for each step, none after the last.")
def one_rate_over(lr, wd, steps):
    return same_directions(lr, wd, steps + 1)


@decay_to_exponential_lr.misconception(FLOAT32)
def exponential_in_float32(lr, wd, steps):
    return same_directions(lr, wd, steps).float()


# 6.6 project_step

project_step = Exercise("project_step", CHAPTER, ("w",), read="6.6",
                        tolerances={"w": lambda want, inputs: rounding(inputs)})


def stepped(w, grad, lr):
    """Where an SGD step goes, in float64."""
    return torch.sub(w.to(F64), grad.to(F64), alpha=lr)


def nearest_on_the_sphere(w):
    """The unit vector nearest to w: the orthogonal factor of its polar decomposition."""
    left, _, right = torch.linalg.svd(w.reshape(-1, 1), full_matrices=False)
    return (left @ right).reshape(w.shape)


@project_step.oracle
def nearest_after_the_step(w, grad, lr):
    return nearest_on_the_sphere(stepped(w, grad, lr)).to(w.dtype)


def on_the_sphere(w):
    return w / w.norm()


@project_step.case
def vector(g):
    return dict(w=on_the_sphere(normal(g, 6)), grad=normal(g, 6), lr=between(g, 0.3, 0.5))


@project_step.case
def matrix(g):
    return dict(w=on_the_sphere(normal(g, 3, 4)), grad=normal(g, 3, 4), lr=between(g, 0.2, 0.4))


@project_step.case(note="the gradient points outwards, so the step leads into the ball")
def into_the_ball(g):
    w = on_the_sphere(normal(g, 5))
    return dict(w=w, grad=w + 0.3 * normal(g, 5), lr=between(g, 0.4, 0.6))


@project_step.case(note="neither is contiguous in memory")
def kernel(g):
    return dict(w=on_the_sphere(backwards(g, 2, 3, 2)), grad=backwards(g, 2, 3, 2), lr=between(g, 0.3, 0.5))


@project_step.case
def float32_matrix(g):
    return dict(w=on_the_sphere(normal(g, 4, 2, dtype=F32)), grad=normal(g, 4, 2, dtype=F32), lr=between(g, 0.3, 0.5))


@project_step.misconception(
    "A weight inside the sphere is left there: that is projection onto the ball. Put it on the sphere from both sides.")
def onto_the_ball(w, grad, lr):
    after = stepped(w, grad, lr)
    return after if after.norm() < 1 else nearest_on_the_sphere(after)


@project_step.misconception("That is the SGD step. It has left the unit sphere: put it back.")
def not_put_back(w, grad, lr):
    return stepped(w, grad, lr)


@project_step.misconception(
    "Each row is put on a sphere of its own. Here the whole tensor is one vector on one sphere.")
def one_sphere_per_row(w, grad, lr):
    return torch.stack([nearest_on_the_sphere(row) for row in stepped(w, grad, lr)])


@project_step.misconception("The step goes up the gradient. SGD goes down.")
def uphill(w, grad, lr):
    return nearest_after_the_step(w, -grad, lr)


@project_step.misconception(
    "That divides by the squared norm. The result has unit length only after division by the norm itself.")
def divided_by_the_square(w, grad, lr):
    return nearest_after_the_step(w, grad, lr) / stepped(w, grad, lr).norm()


@project_step.misconception(
    "That takes the gradient to be tangent to the sphere. Here it is any gradient, so Pythagoras does not tell how "
    "long w is after the step.")
def tangent_taken_for_granted(w, grad, lr):
    return stepped(w, grad, lr) / math.hypot(1, lr * grad.norm())


@project_step.misconception(
    "The gradient's radial part is removed before the step. An SGD step takes the gradient as it is. For a "
    "scale-invariant loss there is no such part; in general the two differ.")
def radial_part_removed(w, grad, lr):
    return nearest_after_the_step(w, grad - nearest_multiple(w, grad), lr)


@project_step.misconception(
    "The gradient's length is divided out. Only the weight is put on the sphere; a steep loss takes a long step.")
def unit_gradient_taken(w, grad, lr):
    return nearest_after_the_step(w, on_the_sphere(grad), lr)


@project_step.misconception(
    "That follows a great circle through the angle lr·‖gradient‖. Here a straight step is taken, then put back.")
def along_a_great_circle(w, grad, lr):
    w_, g_ = w.reshape(-1, 1).to(F64), grad.reshape(-1, 1).to(F64)
    rotation = torch.matrix_exp(lr * (w_ @ g_.T - g_ @ w_.T))
    return (rotation @ w_).reshape(w.shape)


@project_step.misconception(
    "lr has no effect: the whole gradient is subtracted.")
def rate_forgotten(w, grad, lr):
    return nearest_after_the_step(w, grad, 1.0)


