"""Checks of chapter 03: steps divided by the gradient's recent size, and what that size estimates.

Right answers come from PyTorch's own optimizers, from second derivatives by autograd, and from
the enumeration of all batches. Wrong ones come from the same sources by one wrong turn.
"""

import functools
import itertools
import math

import torch
import torch.nn.functional as F
from torch.autograd.functional import hessian, jacobian
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop

from .compare import tolerance
from .derivation import Derivation
from .exercise import Exercise
from .probe import Misfit, kind_of, plain

CHAPTER = "03_adaptive_gradients"
F64 = torch.float64
EPS = 0.02  # large enough that its place shows; the gradients are of size √eps


def normal(generator, *shape, dtype=F64):
    return torch.randn(shape, generator=generator, dtype=dtype)


def positive(generator, *shape, dtype=F64):
    """Uniform between 0.5 and 2: never 0, rarely near 1."""
    return 0.5 + 1.5 * torch.rand(shape, generator=generator, dtype=dtype)


# What the three optimizers share.


def steps_in_turn(fn, inputs):
    """One step for each g in turn; the w and the state that one returns are given to the next."""
    seen, state = {}, {}
    for step, g in enumerate(inputs["g"]):
        counted = {"k": inputs["k"] + step} if "k" in inputs else {}
        returned = fn(**{**inputs, **state, **counted, "g": g})
        seen |= {f"{name} after step {step + 1}" if step else name: value for name, value in fn.parts(returned).items()}
        state = dict(zip(fn.exercise.returns, returned))
    return seen


def stepped(w, direction, scale, lr):
    return torch.addcdiv(w, direction, scale, value=-lr)


def inside(second, eps):
    return torch.sqrt(second + eps)


def outside(second, eps):
    return torch.sqrt(second) + eps


def no_root(second, eps):
    return second + eps


def eps_of(options):
    return options.get("eps", 1e-8)


rmsprop_step = Exercise("rmsprop_step", CHAPTER, ("w", "s"), read="3.2")
adagrad_step = Exercise("adagrad_step", CHAPTER, ("w", "f"), read="3.2")
adam_step = Exercise("adam_step", CHAPTER, ("w", "m", "s"), read="3.3")


def shared(message, *exercises):
    """Decorator: one wrong turn of several optimizers, `turn(right, *required, **options)`."""

    def add(turn):
        for exercise in exercises:
            wrong = functools.partial(turn, exercise.right)
            wrong.__name__ = turn.__name__
            exercise.misconception(message)(wrong)
        return turn

    return add


NOT_SQUARED = ("The gradient came into the size without its square. Its entries have signs, and the root of a "
               "negative number is NaN.")
NO_ROOT = ("The root is missing: you divided by the mean square itself. A large gradient would then give a small step. "
           "Compare the units of numerator and denominator.")


# 3.2 RMSprop and Adagrad. PyTorch's operators with eps 0 and eps laid into the state have it inside the root.


def torch_rmsprop(w, g, s, lr, beta, eps):
    w, s = w.clone(), s.clone()
    rmsprop([w], [g], [s], [], [], [torch.tensor(0.0)], foreach=False, lr=lr, alpha=beta, eps=eps, weight_decay=0,
            momentum=0, centered=False)
    return w, s


@rmsprop_step.oracle
def rmsprop_by_operator(w, g, s, lr, beta=0.9, eps=1e-8):
    averaged = torch_rmsprop(w, g, s, lr, beta, eps)[1]
    return torch_rmsprop(w, g, averaged + eps, lr, 1.0, 0.0)[0], averaged


def torch_adagrad(w, g, f, lr, eps):
    w, f = w.clone(), f.clone()
    adagrad([w], [g], [f], [torch.tensor(0.0)], foreach=False, lr=lr, weight_decay=0, lr_decay=0, eps=eps,
            maximize=False)
    return w, f


@adagrad_step.oracle
def adagrad_by_operator(w, g, f, lr, eps=1e-8):
    return torch_adagrad(w, g, f + eps, lr, 0.0)[0], torch_adagrad(w, g, f, lr, eps)[1]


@shared("You added eps to the root. That is the convention of PyTorch's class of this name; here eps is added under the "
        "root, as the docstring says.", rmsprop_step, adagrad_step)
def eps_outside(right, w, g, state, lr, **options):
    state = right(w, g, state, lr, **options)[1]
    return stepped(w, g, outside(state, eps_of(options)), lr), state


@rmsprop_step.misconception("That sums the squares, as Adagrad does. RMSprop averages them, so that old gradients "
                            "are forgotten.")
def sum_for_average(w, g, s, lr, beta=0.9, eps=1e-8):
    return adagrad_by_operator(w, g, s, lr, eps)


@adagrad_step.misconception("That averages the squares, as RMSprop does. Adagrad forgets nothing: it keeps their sum.")
def average_for_sum(w, g, f, lr, eps=1e-8):
    return rmsprop_by_operator(w, g, f, lr, eps=eps)


@rmsprop_step.misconception("The two weights of the average are exchanged. beta says how much of the old average stays.")
def weights_exchanged(w, g, s, lr, beta=0.9, eps=1e-8):
    return rmsprop_by_operator(w, g, s, lr, 1 - beta, eps)


@rmsprop_step.misconception("The new square came in at full weight. The two weights of an average sum to 1.")
def square_at_full_weight(w, g, s, lr, beta=0.9, eps=1e-8):
    grown = torch.add(g.square(), s, alpha=beta)
    return stepped(w, g, inside(grown, eps), lr), grown


@shared("You divided by the state as it was given. The gradient of this step belongs to it already: update first.",
        rmsprop_step, adagrad_step)
def size_of_before(right, w, g, state, lr, **options):
    return stepped(w, g, inside(state, eps_of(options)), lr), right(w, g, state, lr, **options)[1]


@shared(NO_ROOT, rmsprop_step, adagrad_step)
def root_forgotten(right, w, g, state, lr, **options):
    state = right(w, g, state, lr, **options)[1]
    return stepped(w, g, no_root(state, eps_of(options)), lr), state


@shared("eps came into the state that you return, where it adds up from step to step. It belongs to the division alone.",
        rmsprop_step, adagrad_step)
def eps_gathered(right, *required, **options):
    moved, state = right(*required, **options)
    return moved, state + eps_of(options)


@rmsprop_step.misconception("All entries share one size, taken over the whole tensor. Here each entry has a size of "
                            "its own.")
def one_size_for_all(w, g, s, lr, beta=0.9, eps=1e-8):
    everywhere = torch.full_like(g, float(g.square().mean().sqrt()))
    s = rmsprop_by_operator(w, everywhere, s, lr, beta, eps)[1]
    return stepped(w, g, inside(s, eps), lr), s


def taken_up(right, w, size, state, lr, **options):
    """The old state as far as it is kept, and what comes in for a square of the given size."""
    kept = right(w, torch.zeros_like(w), state, lr, **options)[1]
    return kept, right(w, size.sqrt(), torch.zeros_like(state), lr, **options)[1]


@shared(NOT_SQUARED, rmsprop_step, adagrad_step)
def gradient_not_squared(right, w, g, state, lr, **options):
    kept, new = taken_up(right, w, g.abs(), state, lr, **options)
    state = kept + g.sign() * new
    return stepped(w, g, inside(state, eps_of(options)), lr), state


@shared("The absolute value stands for the square. A root of squares has the unit of the gradient; a root of absolute "
        "values has not.", rmsprop_step, adagrad_step)
def absolute_value_for_square(right, w, g, state, lr, **options):
    state = sum(taken_up(right, w, g.abs(), state, lr, **options))
    return stepped(w, g, inside(state, eps_of(options)), lr), state


@shared("The values are returned in another order than the docstring says.", rmsprop_step, adagrad_step)
def returned_in_another_order(right, *required, **options):
    return right(*required, **options)[::-1]


# 3.3 Adam.


@adam_step.oracle
def adam_by_operator(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    w, m, s = w.clone(), m.clone(), s.clone()
    adam([w], [g], [m], [s], [], [torch.tensor(float(k - 1))], foreach=False, amsgrad=False, beta1=beta1, beta2=beta2,
         lr=lr, weight_decay=0, eps=eps, maximize=False)
    return w, m, s


def heard(beta, k):
    """How much of a constant signal 1 the average holds after k steps from 0."""
    held = 0.0
    for _ in range(k):
        held += (1 - held) * (1 - beta)
    return held


def corrected(w, m, s, k, lr, beta1, beta2, eps):
    """The step along moments that were worked out in another way."""
    return stepped(w, m / heard(beta1, k), outside(s / heard(beta2, k), eps), lr), m, s


def last_line(turn):
    """Adam with right moments and a wrong end: `turn(m, s, share1, share2, eps) -> (direction, scale)`."""

    def wrong(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        _, m, s = adam_by_operator(w, g, m, s, k, lr, beta1, beta2, eps)
        return stepped(w, *turn(m, s, heard(beta1, k), heard(beta2, k), eps), lr), m, s

    wrong.__name__ = turn.__name__
    return wrong


LATE = 10**6  # a step so late that nothing is left to correct


@adam_step.misconception("The bias correction is missing: both averages start at 0, so early on they are too small.")
def no_bias_correction(w, g, m, s, k, lr, **options):
    return adam_by_operator(w, g, m, s, LATE, lr, **options)


@adam_step.misconception("The correction is that of the first step at every step. How much is missing depends on k: "
                         "derive it for bias_correction.")
def correction_of_the_first_step(w, g, m, s, k, lr, **options):
    return adam_by_operator(w, g, m, s, 1, lr, **options)


@adam_step.misconception("The correction counts one step too few. k starts at 1, so at the first step one gradient is "
                         "in the average already; counted from 0, the first step divides by zero.")
def one_step_too_few(w, g, m, s, k, lr, **options):
    if k > 1:
        return adam_by_operator(w, g, m, s, k - 1, lr, **options)
    _, *state = adam_by_operator(w, g, m, s, k, lr, **options)
    return w * math.nan, *state


@adam_step.misconception("The correction counts one step too many. k starts at 1 and already counts the step that is "
                         "being taken.")
def one_step_too_many(w, g, m, s, k, lr, **options):
    return adam_by_operator(w, g, m, s, k + 1, lr, **options)


@adam_step.misconception("Only m is corrected. s starts at 0 as well, and with its slower average it is too small "
                         "for longer.")
@last_line
def only_m_corrected(m, s, share1, share2, eps):
    return m / share1, outside(s, eps)


@adam_step.misconception("Only s is corrected. m starts at 0 as well.")
@last_line
def only_s_corrected(m, s, share1, share2, eps):
    return m, outside(s / share2, eps)


@adam_step.misconception("The corrected moments came back as state. The correction is for this step only: the next "
                         "average goes on from the moments before it.")
def corrected_moments_returned(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    w, m, s = adam_by_operator(w, g, m, s, k, lr, beta1, beta2, eps)
    return w, m / heard(beta1, k), s / heard(beta2, k)


@adam_step.misconception("You added eps under the root. That is its place in RMSprop and Adagrad; in Adam eps is added "
                         "to the root.")
@last_line
def eps_inside(m, s, share1, share2, eps):
    return m / share1, inside(s / share2, eps)


@adam_step.misconception("eps was added before the correction, so it is scaled along with the root. That is the short "
                         "form at the end of section 2 of the Adam paper, and TensorFlow's; here eps is added after it.")
@last_line
def eps_scaled_by_the_correction(m, s, share1, share2, eps):
    return m / share1, outside(s, eps) / math.sqrt(share2)


@adam_step.misconception("The correction of s stands outside the root. It is s that is too small: correct it before the "
                         "root is taken.")
@last_line
def correction_outside_the_root(m, s, share1, share2, eps):
    return m / share1, outside(s / share2**2, eps)


@adam_step.misconception("You multiplied by the correction. The averages are too small, and that made them smaller.")
@last_line
def multiplied_by_the_correction(m, s, share1, share2, eps):
    return m * share1, outside(s * share2, eps)


@adam_step.misconception("The root multiplies where it should divide. The lecture's formula prints a product; the step "
                         "must not depend on the gradient's scale.")
@last_line
def product_as_printed(m, s, share1, share2, eps):
    return m / share1, 1 / outside(s / share2, eps)


@adam_step.misconception(NO_ROOT)
@last_line
def root_forgotten_in_adam(m, s, share1, share2, eps):
    return m / share1, no_root(s / share2, eps)


@adam_step.misconception("The step goes along the gradient itself. That is RMSprop with a correction; Adam's step goes "
                         "along the average m.")
def gradient_for_m(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    _, m, s = adam_by_operator(w, g, m, s, k, lr, beta1, beta2, eps)
    return corrected(w, g, s, k, lr, 0.0, beta2, eps)[0], m, s


@adam_step.misconception("beta1 and beta2 are exchanged: beta1 belongs to m, beta2 to s.")
def betas_exchanged(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    return adam_by_operator(w, g, m, s, k, lr, beta2, beta1, eps)


@adam_step.misconception("The two weights of an average are exchanged. A beta says how much of the old average stays.")
def weights_exchanged_in_adam(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    _, m, s = adam_by_operator(w, g, m, s, k, lr, 1 - beta1, 1 - beta2, eps)
    return corrected(w, m, s, k, lr, beta1, beta2, eps)


@adam_step.misconception("The gradient came into m at full weight, as in SGD with momentum. In Adam m is an average: its "
                         "two weights sum to 1.")
def heavy_ball(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    s1 = adam_by_operator(w, g, m, s, k, lr, beta1, beta2, eps)[2]
    return corrected(w, torch.add(g, m, alpha=beta1), s1, k, lr, beta1, beta2, eps)


@adam_step.misconception("The gradient and its square came in at full weight. m and s are averages: the two weights of "
                         "each sum to 1.")
def both_at_full_weight(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m, s = torch.add(g, m, alpha=beta1), torch.add(g.square(), s, alpha=beta2)
    return corrected(w, m, s, k, lr, beta1, beta2, eps)


@adam_step.misconception("s averages the square of m, in which noise has averaged out already. It follows the square "
                         "of the gradient itself.")
def m_squared(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m1 = adam_by_operator(w, g, m, s, k, lr, beta1, beta2, eps)[1]
    s1 = adam_by_operator(w, m1, m, s, k, lr, beta1, beta2, eps)[2]
    return corrected(w, m1, s1, k, lr, beta1, beta2, eps)


@adam_step.misconception(NOT_SQUARED)
def gradient_not_squared_in_adam(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m1 = adam_by_operator(w, g, m, s, k, lr, beta1, beta2, eps)[1]
    return corrected(w, m1, torch.lerp(s, g, 1 - beta2), k, lr, beta1, beta2, eps)


@adam_step.misconception("The step uses m and s as they were given. The gradient of this step belongs to both already: "
                         "update first.")
def moments_of_before(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    moved = corrected(w, m, s, k, lr, beta1, beta2, eps)[0]
    return moved, *adam_by_operator(w, g, m, s, k, lr, beta1, beta2, eps)[1:]


@adam_step.misconception("m and s are swapped in what you take. The arguments come in the order w, g, m, s.")
def m_and_s_taken_in_another_order(w, g, m, s, *rest, **options):
    return adam_by_operator(w, g, s, m, *rest, **options)


@adam_step.misconception("m and s are swapped in what you return. The order is w, m, s.")
def m_and_s_swapped(*required, **options):
    w, m, s = adam_by_operator(*required, **options)
    return w, s, m


# Wrong turns of all three.

ALL_THREE = rmsprop_step, adagrad_step, adam_step


@shared("That is right on the first step only: it starts again from an empty state. Go on from the state that is given.",
        *ALL_THREE)
def right_on_the_first_step_only(right, w, g, *rest, **options):
    return right(w, g, *(torch.zeros_like(r) if isinstance(r, torch.Tensor) else r for r in rest), **options)


@shared("The state came back as it went in. The next step would know nothing of this one.", *ALL_THREE)
def state_not_updated(right, w, g, *rest, **options):
    return right(w, g, *rest, **options)[0], *(r for r in rest if isinstance(r, torch.Tensor))


@shared("eps never entered. An entry whose gradients were all 0 would give 0/0.", *ALL_THREE)
def eps_forgotten(right, *required, **options):
    return right(*required, **options | {"eps": 0.0})


@shared("The default eps was used where another was given. `eps` is an argument.", *ALL_THREE)
def eps_ignored(right, *required, **options):
    return right(*required, **{name: value for name, value in options.items() if name != "eps"})


@shared("The defaults were used where other values were given. The options are arguments: use them, not their numbers.",
        rmsprop_step, adam_step)
def options_ignored(right, *required, **options):
    return right(*required)


@shared("The step goes uphill. The loss falls against the gradient.", *ALL_THREE)
def uphill(right, *required, **options):
    return right(*required[:-1], -required[-1], **options)


FIRST = "the first step, from an empty state; gradients of the size of √eps"
TURN = "three steps in turn, the state of one given to the next; gradients of the size of √eps"
LATER = "a later step, from a state that is not empty; not contiguous in memory"
TINY = "all options at their defaults, gradients so small that eps counts"


def start(g, *shape, steps=(), dtype=F64, size=EPS**0.5):
    """Weights and gradients of the given size."""
    return dict(w=normal(g, *shape, dtype=dtype), g=size * normal(g, *steps, *shape, dtype=dtype))


def zeros(*shape):
    return torch.zeros(shape, dtype=F64)


def strided(g, rows, columns):
    """Tensors that lie in memory by columns."""
    return {name: value.T for name, value in start(g, columns, rows).items()}


@rmsprop_step.case(note=FIRST)
def rmsprop_first(g):
    return dict(**start(g, 6), s=zeros(6), lr=0.1, beta=0.8, eps=EPS)


@rmsprop_step.case(probe=steps_in_turn, note=TURN)
def rmsprop_in_turn(g):
    return dict(**start(g, 2, 3, steps=[3]), s=zeros(2, 3), lr=0.2, beta=0.7, eps=EPS)


@rmsprop_step.case(note=LATER)
def rmsprop_later(g):
    return dict(**strided(g, 3, 4), s=EPS * positive(g, 3, 4), lr=0.3, beta=0.6, eps=EPS)


@rmsprop_step.case(note=TINY)
def rmsprop_defaults(g):
    return dict(**start(g, 5, size=1e-4), s=1e-8 * positive(g, 5), lr=0.3)


@rmsprop_step.case
def rmsprop_in_float32(g):
    w = start(g, 2, 3, 2, dtype=torch.float32)
    return dict(**w, s=EPS * positive(g, 2, 3, 2, dtype=torch.float32), lr=0.2, beta=0.75, eps=EPS)


@adagrad_step.case(note=FIRST)
def adagrad_first(g):
    return dict(**start(g, 6), f=zeros(6), lr=0.1, eps=EPS)


@adagrad_step.case(probe=steps_in_turn, note=TURN)
def adagrad_in_turn(g):
    return dict(**start(g, 2, 3, steps=[3]), f=zeros(2, 3), lr=0.2, eps=EPS)


@adagrad_step.case(note=LATER)
def adagrad_later(g):
    return dict(**strided(g, 3, 4), f=EPS * positive(g, 3, 4), lr=0.3, eps=EPS)


@adagrad_step.case(note=TINY)
def adagrad_defaults(g):
    return dict(**start(g, 5, size=1e-4), f=1e-8 * positive(g, 5), lr=0.3)


@adagrad_step.case
def adagrad_in_float32(g):
    w = start(g, 2, 3, 2, dtype=torch.float32)
    return dict(**w, f=EPS * positive(g, 2, 3, 2, dtype=torch.float32), lr=0.2, eps=EPS)


def adam_state(g, *shape, dtype=F64, size=EPS**0.5):
    return dict(m=size * normal(g, *shape, dtype=dtype), s=size**2 * positive(g, *shape, dtype=dtype))


@adam_step.case(note=FIRST)
def adam_first(g):
    return dict(**start(g, 6), m=zeros(6), s=zeros(6), k=1, lr=0.1, beta1=0.7, beta2=0.8, eps=EPS)


@adam_step.case(probe=steps_in_turn, note=TURN)
def adam_in_turn(g):
    return dict(**start(g, 2, 3, steps=[3]), m=zeros(2, 3), s=zeros(2, 3), k=1, lr=0.2, beta1=0.6, beta2=0.9, eps=EPS)


@adam_step.case(note=LATER)
def adam_later(g):
    return dict(**strided(g, 3, 4), **adam_state(g, 3, 4), k=7, lr=0.3, beta1=0.8, beta2=0.95, eps=EPS)


@adam_step.case(note=TINY)
def adam_defaults(g):
    return dict(**start(g, 5, size=1e-8), **adam_state(g, 5, size=1e-8), k=4, lr=0.3)


@adam_step.case
def adam_in_float32(g):
    f32 = torch.float32
    state = adam_state(g, 2, 3, 2, dtype=f32)
    return dict(**start(g, 2, 3, 2, dtype=f32), **state, k=5, lr=0.2, beta1=0.75, beta2=0.9, eps=EPS)


# 3.2 adagrad_rate

adagrad_rate = Derivation(
    "adagrad_rate", CHAPTER, read="3.2",
    symbols={"lr": {"positive": True}, "g": {"positive": True}, "k": {"integer": True, "positive": True}})


@adagrad_rate.oracle
def rate_by_operator(lr, g, k):
    """Run PyTorch's Adagrad with a constant gradient, and see how far the last step goes."""
    gradient = torch.tensor([g], dtype=F64)
    total = torch.zeros(1, dtype=F64)
    for _ in range(int(k)):
        moved, total = torch_adagrad(torch.zeros(1, dtype=F64), gradient, total, lr, 0.0)
    return float(-moved / gradient)


adagrad_rate.point(lr=1, g=1, k=4)
adagrad_rate.point(lr="1/10", g=1, k=2)
adagrad_rate.point(lr=2, g="1/3", k=1)
adagrad_rate.point(lr="3/5", g="5/2", k=7)


@adagrad_rate.misconception("That is the length of the step. The multiplier of g is asked for: what g is multiplied by.")
def step_for_multiplier(lr, g, k):
    return lr * k**-0.5


@adagrad_rate.misconception("That is constant in k. The accumulator is a sum, so it grows with every step; an average "
                            "would give this, as in RMSprop.")
def no_decay(lr, g, k):
    return lr / g


@adagrad_rate.misconception("The root is missing. The step divides by the root of the accumulator.")
def root_of_accumulator_missing(lr, g, k):
    return lr / (k * g**2)


@adagrad_rate.misconception("The root reaches only the square of g. It is taken of the whole accumulator, with all its "
                            "terms.")
def root_of_g_alone(lr, g, k):
    return lr / (k * g)


@adagrad_rate.misconception("The square of g is missing in the accumulator.")
def accumulator_of_gradients(lr, g, k):
    return lr / (k * g) ** 0.5


@adagrad_rate.misconception("The root reaches only k. It is taken of the whole accumulator.")
def root_of_k_alone(lr, g, k):
    return lr / (k**0.5 * g**2)


@adagrad_rate.misconception("One term is missing: the accumulator takes up the gradient of step k before it is used.")
def one_term_too_few(lr, g, k):
    return lr / (g * (k - 1) ** 0.5)


@adagrad_rate.misconception("That is one term too many: at step k the accumulator holds k terms.")
def one_term_too_many(lr, g, k):
    return lr / (g * (k + 1) ** 0.5)


@adagrad_rate.misconception("The sign belongs to the step: w moves by minus the multiplier times g. The multiplier is "
                            "positive.")
def sign_of_the_step(lr, g, k):
    return -lr / (g * k**0.5)


# 3.3 bias_correction

bias_correction = Derivation(
    "bias_correction", CHAPTER, read="3.3",
    symbols={"beta": {"positive": True}, "k": {"integer": True, "positive": True}})


@bias_correction.oracle
def average_of_ones(beta, k):
    """The average of a constant gradient 1 after k steps from 0."""
    return heard(beta, int(k))


bias_correction.point(beta="1/2", k=1)
bias_correction.point(beta="9/10", k=1)
bias_correction.point(beta="1/2", k=2)
bias_correction.point(beta="3/4", k=3)
bias_correction.point(beta="999/1000", k=50)


@bias_correction.misconception("That is the factor by which Adam makes up for the bias. Asked is what multiplies E[g] "
                               "before anything is made up for.")
def factor_that_makes_up(beta, k):
    return 1 / (1 - beta**k)


@bias_correction.misconception("That is what is missing: the weight that the zero of the start still holds. Asked is "
                               "what the gradients hold.")
def weight_of_the_start(beta, k):
    return beta**k


@bias_correction.misconception("That says that m is unbiased. At the first step m holds one gradient at a small weight, "
                               "and zero for the rest: add up the weights of the gradients.")
def unbiased(beta, k):
    return 1 + 0 * k


@bias_correction.misconception("That is the weight of the newest gradient. All k gradients have the same mean: add up "
                               "their weights.")
def newest_gradient_only(beta, k):
    return 1 - beta


@bias_correction.misconception("That is the weight of the oldest gradient. All k gradients have the same mean: add up "
                               "their weights.")
def oldest_gradient_only(beta, k):
    return (1 - beta) * beta ** (k - 1)


@bias_correction.misconception("That is the bare sum of the powers of beta. Each gradient came in with a weight in front, "
                               "and the sum of the weights cannot exceed 1.")
def bare_geometric_sum(beta, k):
    return (1 - beta**k) / (1 - beta)


@bias_correction.misconception("All gradients count the same there. An older one has been multiplied by beta at every "
                               "step since.")
def equal_weights(beta, k):
    return k * (1 - beta)


@bias_correction.misconception("One power too few: k counts from 1, so after step 1 the zero of the start has been "
                               "multiplied by beta once.")
def one_power_too_few(beta, k):
    return 1 - beta ** (k - 1)


@bias_correction.misconception("One power too many: after step 1 the zero of the start has been multiplied by beta once.")
def one_power_too_many(beta, k):
    return 1 - beta ** (k + 1)


@bias_correction.misconception("The power stands outside. Unroll m_2 by hand: which weight does the first gradient have?")
def power_of_the_difference(beta, k):
    return (1 - beta) ** k


@bias_correction.misconception("beta is multiplied by k. Every step multiplies what is there by beta once more.")
def product_for_power(beta, k):
    return 1 - beta * k


# 3.4 The empirical Fisher.

empirical_fisher = Exercise("empirical_fisher", CHAPTER, ("fisher",), read="3.4")


@empirical_fisher.oracle
def curvature_of_the_mean_square(grads):
    """The matrix whose quadratic form is the mean square of the slopes along v."""
    zero = torch.zeros_like(grads[0])
    return hessian(lambda v: torch.mv(grads, v).square().mean() / 2, zero)


def mean_of(grads):
    return grads.mean(0, keepdim=True)


@empirical_fisher.misconception("The mean gradient was subtracted: that is the covariance. The empirical Fisher is not "
                                "centred; away from an optimum the two differ.")
def centred(grads):
    return curvature_of_the_mean_square(grads - mean_of(grads))


@empirical_fisher.misconception("That is the sample covariance, centred and with N−1, as torch.cov gives it. The "
                                "empirical Fisher is a plain mean over the examples and is not centred.")
def sample_covariance(grads):
    return divided_by_one_less(grads - mean_of(grads))


@empirical_fisher.misconception("That is the sum over the examples. Averages over examples are means here.")
def summed(grads):
    return len(grads) * curvature_of_the_mean_square(grads)


@empirical_fisher.misconception("You averaged the gradients first. That is the outer product of the mean gradient, of "
                                "rank 1: each example's own comes before the mean.")
def outer_product_of_the_mean(grads):
    return curvature_of_the_mean_square(mean_of(grads))


@empirical_fisher.misconception("N−1 corrects for a mean that was estimated. Here no mean is subtracted.")
def divided_by_one_less(grads):
    return len(grads) / (len(grads) - 1) * curvature_of_the_mean_square(grads)


@empirical_fisher.misconception("That is the diagonal, which is what Adam's s estimates. The whole matrix is asked for.")
def diagonal_alone(grads):
    return curvature_of_the_mean_square(grads).diagonal()


@empirical_fisher.misconception("Only the diagonal is filled. Two parameters whose gradients rise and fall together have "
                                "an entry off the diagonal.")
def empty_off_the_diagonal(grads):
    return curvature_of_the_mean_square(grads).diagonal().diag_embed()


@empirical_fisher.misconception("That compares examples with examples, (N, N). The Fisher compares parameters, (P, P).")
def examples_for_parameters(grads):
    return grads.shape[1] / len(grads) * curvature_of_the_mean_square(grads.T)


@empirical_fisher.misconception("That compares examples with examples and averages over the parameters. The Fisher "
                                "compares parameters, and averages over the examples.")
def averaged_over_parameters(grads):
    return curvature_of_the_mean_square(grads.T)


@empirical_fisher.misconception("The sum was divided by the number of parameters. The mean runs over the examples.")
def divided_by_parameters(grads):
    return len(grads) / grads.shape[1] * curvature_of_the_mean_square(grads)


def gradients(g, examples, parameters, dtype=F64):
    """Gradients whose mean is not 0."""
    return normal(g, examples, parameters, dtype=dtype) + normal(g, parameters, dtype=dtype)


@empirical_fisher.case
def more_examples(g):
    return dict(grads=gradients(g, 6, 3))


@empirical_fisher.case(note="fewer examples than parameters, not contiguous in memory")
def more_parameters(g):
    return dict(grads=gradients(g, 4, 3).T)


@empirical_fisher.case
def fisher_in_float32(g):
    return dict(grads=gradients(g, 8, 2, dtype=torch.float32))


batch_empirical_fisher = Exercise("batch_empirical_fisher", CHAPTER, ("fisher",), read="3.4")


@functools.lru_cache
def all_batches(examples, batch_size):
    """Every batch drawn with replacement, up to order, and how probable it is."""
    members = list(itertools.combinations_with_replacement(range(examples), batch_size))
    orders = [math.factorial(batch_size) // math.prod(math.factorial(b.count(i)) for i in set(b)) for b in members]
    return torch.tensor(members), torch.tensor([n / examples**batch_size for n in orders], dtype=F64)


@batch_empirical_fisher.oracle
def over_all_batches(grads, batch_size):
    members, probability = all_batches(len(grads), batch_size)
    means = grads[members].double().mean(1)  # (batches, P)
    weighted = means * (probability * len(members)).sqrt()[:, None]
    return curvature_of_the_mean_square(weighted).to(grads.dtype)


def split_up(grads, batch_size):
    """The covariance's part, and the mean's."""
    spread = over_all_batches(grads - mean_of(grads), batch_size)
    return spread, curvature_of_the_mean_square(mean_of(grads))


@batch_empirical_fisher.misconception("The batch size has no effect. The mean of a larger batch varies less.")
def batch_size_ignored(grads, batch_size):
    return over_all_batches(grads, 1)


@batch_empirical_fisher.misconception("Everything was divided by the batch size. Only the noise averages out: the mean "
                                      "gradient is the same in batches of any size.")
def everything_divided(grads, batch_size):
    return over_all_batches(grads, 1) / batch_size


@batch_empirical_fisher.misconception("The outer product of the mean gradient is missing. A second moment is the "
                                      "covariance and that product together.")
def mean_gradient_forgotten(grads, batch_size):
    return split_up(grads, batch_size)[0]


@batch_empirical_fisher.misconception("The covariance was taken with N−1. The N examples are the whole population that "
                                      "batches are drawn from, so it is a mean over them.")
def sample_covariance_of_batch(grads, batch_size):
    return sample_covariance(grads) / batch_size + split_up(grads, batch_size)[1]


@batch_empirical_fisher.misconception("The second moment stands where the covariance belongs, so the mean gradient is "
                                      "counted twice.")
def mean_counted_twice(grads, batch_size):
    return over_all_batches(grads, 1) / batch_size + split_up(grads, batch_size)[1]


@batch_empirical_fisher.misconception("The covariance was divided by the root of the batch size. That is how a standard "
                                      "deviation falls.")
def root_of_the_batch_size(grads, batch_size):
    spread, centre = split_up(grads, batch_size)
    return spread * batch_size**0.5 + centre


@batch_empirical_fisher.misconception("The covariance is divided by the square of the batch size. The batch adds up that "
                                      "many independent terms before it divides.")
def square_of_the_batch_size(grads, batch_size):
    spread, centre = split_up(grads, batch_size)
    return spread / batch_size + centre


@batch_empirical_fisher.misconception("That draws without replacement. Here an example may come twice into a batch, so "
                                      "the batch may be larger than the data.")
def without_replacement(grads, batch_size):
    spread, centre = split_up(grads, batch_size)
    return spread * (len(grads) - batch_size) / (len(grads) - 1) + centre


@batch_empirical_fisher.misconception("You cut the rows into batches in their order. The mean runs over all batches that "
                                      "can be drawn.")
def rows_in_their_order(grads, batch_size):
    return curvature_of_the_mean_square(torch.stack([rows.mean(0) for rows in grads.split(batch_size)]))


@batch_empirical_fisher.misconception("That takes a batch's gradient to be a sum. It is the mean over the batch.")
def batch_summed(grads, batch_size):
    return batch_size**2 * over_all_batches(grads, batch_size)


@batch_empirical_fisher.misconception("That is the limit of infinite batches: the covariance is missing.")
def covariance_forgotten(grads, batch_size):
    return split_up(grads, batch_size)[1]


@batch_empirical_fisher.case
def batch_of_three(g):
    return dict(grads=gradients(g, 6, 2), batch_size=3)


@batch_empirical_fisher.case(note="batches of one: the empirical Fisher")
def batch_of_one(g):
    return dict(grads=gradients(g, 4, 3), batch_size=1)


@batch_empirical_fisher.case(note="a batch larger than the data")
def batch_larger_than_the_data(g):
    return dict(grads=gradients(g, 2, 3).T, batch_size=7)


@batch_empirical_fisher.case
def batch_in_float32(g):
    return dict(grads=gradients(g, 5, 2, dtype=torch.float32), batch_size=4)


# 3.5 The true Fisher.

softmax_fisher = Exercise("softmax_fisher", CHAPTER, ("fisher",), read="3.5")


@softmax_fisher.oracle
def curvature_of_the_normaliser(logits, features):
    """The Hessian of the cross-entropy, in which the labels cancel: for logits linear in W it is the Fisher."""
    size = logits.shape[1] * features.shape[1]
    zero = torch.zeros(size, dtype=logits.dtype)

    def normaliser(w):
        return torch.logsumexp(logits + F.linear(features, w.reshape(logits.shape[1], -1)), 1).mean()

    return hessian(normaliser, zero)


def scores(logits, features):
    """(N, C, C·D): the gradient of each class's log-probability with respect to W."""
    zero = torch.zeros(logits.shape[1], features.shape[1], dtype=logits.dtype)
    return jacobian(lambda W: F.log_softmax(logits + F.linear(features, W), 1), zero).flatten(2)


def over_labels(logits, features, chance):
    """The second moment of the scores where label c of example n has probability chance[n, c]."""
    weighted = scores(logits, features) * (chance * chance.shape[1]).sqrt()[:, :, None]
    return curvature_of_the_mean_square(weighted.flatten(0, 1))


def over_examples(inner, features):
    """inner (N, C, C) spread over the features of each example, and the mean."""
    return torch.stack([torch.kron(a, torch.outer(f, f)) for a, f in zip(inner, features)]).mean(0)


def spread_of(p):
    return torch.diag_embed(p) - torch.einsum("nc,nk->nck", p, p)


@softmax_fisher.misconception("You took the most probable class for the label: that is an empirical Fisher. In the true "
                              "one every class is a label, with the model's own probability.")
def most_probable_label(logits, features):
    return over_labels(logits, features, F.one_hot(logits.argmax(1), logits.shape[1]).to(logits))


@softmax_fisher.misconception("All classes count the same there. Each is weighted by its probability under the model.")
def labels_equally_likely(logits, features):
    return over_labels(logits, features, torch.full_like(logits, 1 / logits.shape[1]))


@softmax_fisher.misconception("The entries are feature-major. Here all features of the first class come first, as in a "
                              "flattened weight of shape (C, D).")
def feature_major(logits, features):
    c, d = logits.shape[1], features.shape[1]
    return curvature_of_the_normaliser(logits, features).reshape(c, d, c, d).permute(1, 0, 3, 2).reshape(c * d, c * d)


@softmax_fisher.misconception("A part of the softmax's derivative is missing: raising one class's logit lowers the "
                              "probability of all the others.")
def probabilities_on_the_diagonal(logits, features):
    return over_examples(torch.diag_embed(F.softmax(logits, 1)), features)


@softmax_fisher.misconception("The blocks between two classes are empty. Each class was treated as a yes or no of its "
                              "own; the probabilities sum to 1, which ties the classes together.")
def classes_apart(logits, features):
    blocks = torch.block_diag(*torch.ones(logits.shape[1], *[features.shape[1]] * 2)).to(logits)
    return blocks * curvature_of_the_normaliser(logits, features)


@softmax_fisher.misconception("You averaged the two factors before you multiplied them. That is K-FAC's approximation; "
                              "exact is the mean of each example's product.")
def averages_multiplied(logits, features):
    outputs = curvature_of_the_normaliser(logits, torch.ones_like(features[:, :1]))
    return torch.kron(outputs, curvature_of_the_mean_square(features))


@softmax_fisher.misconception("That is the sum over the examples. Averages over examples are means here.")
def summed_over_examples(logits, features):
    return len(logits) * curvature_of_the_normaliser(logits, features)


@softmax_fisher.misconception("You averaged the gradients over the labels before the outer product. That average is always "
                              "0; what is asked for is how far they spread.")
def scores_averaged_first(logits, features):
    return torch.zeros_like(curvature_of_the_normaliser(logits, features))


@softmax_fisher.misconception("The logits were used as probabilities: the softmax is missing.")
def softmax_forgotten(logits, features):
    return over_examples(spread_of(logits), features)


@softmax_fisher.misconception("The softmax runs over the examples. Each row of logits is one example: its probabilities "
                              "sum to 1.")
def softmax_over_the_batch(logits, features):
    return over_examples(spread_of(F.softmax(logits, 0)), features)


@softmax_fisher.misconception("That is the Fisher with respect to the logits, (C, C). The parameters are the weights: the "
                              "features come in by the chain rule.")
def with_respect_to_the_logits(logits, features):
    return curvature_of_the_normaliser(logits, torch.ones_like(features[:, :1]))


@softmax_fisher.misconception("The values are there, with four axes. Flatten each pair of class and feature into one.")
def four_axes(logits, features):
    sizes = logits.shape[1], features.shape[1]
    return curvature_of_the_normaliser(logits, features).reshape(*sizes, *sizes)


@softmax_fisher.case
def five_examples(g):
    return dict(logits=1.5 * normal(g, 5, 3), features=1 + normal(g, 5, 2))


@softmax_fisher.case(note="not contiguous in memory")
def more_features(g):
    return dict(logits=normal(g, 2, 4).T, features=0.5 + normal(g, 3, 4).T)


@softmax_fisher.case(note="one example")
def one_example_of_four_classes(g):
    return dict(logits=normal(g, 1, 4), features=normal(g, 1, 2))


@softmax_fisher.case
def softmax_in_float32(g):
    return dict(logits=normal(g, 6, 3, dtype=torch.float32), features=normal(g, 6, 2, dtype=torch.float32))


# 3.6 Grafting.

MOST_TENSORS = 6
LENIENCE = 1000  # 1e-6 in float64: lets an eps of 1e-12 pass in a denominator


def of_tensors(expected, inputs):
    """The tolerance for one tensor of a list."""
    flat = {f"{name} {i}": t for name, many in inputs.items() for i, t in enumerate(many)}
    return max(LENIENCE * tolerance(expected, {}), tolerance(expected, flat))


def by_tensor(fn, inputs):
    """Each tensor of the list under its place, and its dtype."""
    returned = fn(**inputs)
    if not isinstance(returned, (list, tuple)):
        raise Misfit(f"returned {kind_of(returned)}, expected a list of tensors")
    parts = {"number of tensors": len(returned)}
    for place, out in enumerate(returned):
        if not isinstance(out, torch.Tensor):
            raise Misfit(f"grafted[{place}] is {kind_of(out)}, expected a tensor")
        parts |= {f"grafted[{place}]": plain(out), f"dtype of grafted[{place}]": str(out.dtype).removeprefix("torch.")}
    return parts


graft = Exercise("graft", CHAPTER, ("grafted",), read="3.6", probe=by_tensor,
                 tolerances={f"grafted[{i}]": of_tensors for i in range(MOST_TENSORS)})


def unit(direction):
    """The gradient of a norm: a unit vector along its argument; PyTorch defines it as 0 at 0."""
    leaf = direction.detach().clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(torch.linalg.vector_norm(leaf), leaf)[0]


def of_length(direction, length):
    return unit(direction).mul(length)


def each(pair, direction, magnitude):
    return [pair(d, m) for d, m in zip(direction, magnitude)]


def length_of(tensors):
    return torch.linalg.vector_norm(torch.cat([t.flatten() for t in tensors]))


@graft.oracle
def along_the_gradient_of_the_norm(direction, magnitude):
    return each(lambda d, m: of_length(d, length_of([m])), direction, magnitude)


@graft.misconception("A tensor whose direction is zero gives 0/0. The docstring says what it gives instead.")
def zero_divided_by_zero(direction, magnitude):
    grafted = along_the_gradient_of_the_norm(direction, magnitude)
    return [out if d.any() else torch.full_like(out, math.nan) for out, d in zip(grafted, direction)]


@graft.misconception("The two roles are exchanged: that goes along the magnitude, with the length of the direction.")
def roles_exchanged(direction, magnitude):
    return along_the_gradient_of_the_norm(magnitude, direction)


@graft.misconception("One factor was used for all tensors, from norms over the whole model. Grafting is layerwise: each "
                     "tensor takes its own length.")
def one_factor_for_the_model(direction, magnitude):
    factor = length_of(magnitude) / length_of(direction)
    return [factor * d for d in direction]


@graft.misconception("Every tensor was given the length of the whole model. Each takes the norm of its own magnitude.")
def length_of_the_model(direction, magnitude):
    return each(lambda d, m: of_length(d, length_of(magnitude)), direction, magnitude)


@graft.misconception("The direction was not divided by its norm, so its own length is still in the result.")
def direction_not_normalised(direction, magnitude):
    return each(lambda d, m: length_of([m]) * d, direction, magnitude)


@graft.misconception("The result has norm 1: the length of the magnitude is missing.")
def magnitude_forgotten(direction, magnitude):
    return [unit(d) for d in direction]


@graft.misconception("That takes the length coordinate by coordinate, and only the signs are left of the direction. "
                     "A whole tensor has one length.")
def coordinate_by_coordinate(direction, magnitude):
    return each(lambda d, m: d.sign() * m.abs(), direction, magnitude)


@graft.misconception("Each row was given its own length. Grafting takes one norm over the whole tensor.")
def row_by_row(direction, magnitude):
    def rows(d, m):
        return torch.stack(along_the_gradient_of_the_norm(d, m)) if d.dim() > 1 else of_length(d, length_of([m]))

    return each(rows, direction, magnitude)


@graft.misconception("Those are squared norms. The result must have the length of the magnitude: check its norm.")
def squared_norms(direction, magnitude):
    return each(lambda d, m: d * (length_of([m]) / length_of([d])) ** 2 if d.any() else d, direction, magnitude)


@graft.misconception("For matrices that is the spectral norm, as torch.linalg.norm(x, 2) gives it. The norm here is the "
                     "root of the sum of all squares.")
def spectral_norm(direction, magnitude):
    def longest(t):
        return torch.linalg.matrix_norm(t, 2) if t.dim() == 2 else length_of([t])

    return each(lambda d, m: d * longest(m) / longest(d) if d.any() else d, direction, magnitude)


GUARDED = ("The guard against a zero direction is too large: it shortens small directions as well. Treat the zero "
           "direction on its own.")


@graft.misconception(GUARDED)
def guard_of_1e8(direction, magnitude):
    return each(lambda d, m: d * length_of([m]) / (length_of([d]) + 1e-8), direction, magnitude)


@graft.misconception(GUARDED)
def guard_of_1e6(direction, magnitude):
    return each(lambda d, m: d * length_of([m]) / (length_of([d]) + 1e-6), direction, magnitude)


def tensors(g, *shapes, dtype=F64, size=1.0):
    return [size * float(positive(g)) * normal(g, *shape, dtype=dtype) for shape in shapes]


LAYERS = (3, 4), (5,), (2, 3, 2, 2)


@graft.case
def three_layers(g):
    return dict(direction=tensors(g, *LAYERS), magnitude=tensors(g, *LAYERS, size=0.3))


@graft.case(note="the second direction is zero")
def a_zero_direction(g):
    first, last = tensors(g, (2, 3), (3, 2))
    return dict(direction=[first, torch.zeros(4, dtype=F64), last.T], magnitude=tensors(g, (2, 3), (4,), (2, 3)))


@graft.case(note="directions as small as 1e-5")
def small_directions(g):
    return dict(direction=tensors(g, (4, 2), (3,), size=1e-5), magnitude=tensors(g, (4, 2), (3,)))


@graft.case
def graft_in_float32(g):
    f32 = torch.float32
    return dict(direction=tensors(g, (2, 5), (2,), dtype=f32), magnitude=tensors(g, (2, 5), (2,), dtype=f32))
