"""Checks of chapter 08: what shrinking the weights does, under each optimizer and beside it.

Right steps come from PyTorch's own optimizers; lengths from walks in the plane and from bisection;
the deep linear penalty from Newton's method; norms from Jacobians by autograd; the damped direction
from linear systems. Adam's own misconceptions are those of chapter 03, met again beside a decay.
"""

import functools
import math

import sympy as sp
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.functional import hessian, jacobian, jvp
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from .ch03_adaptive_gradients import (
    EPS, FIRST, LATER, adam_state, adam_step, heard, normal, outside, positive, shared, start, stepped, steps_in_turn,
    strided, zeros)
from .ch06_scale_invariance import FLOAT32, backwards, believe, between, gradient, lengths, precision, sequence
from .derivation import Derivation
from .exercise import Exercise, call

CHAPTER = "08_weight_decay"
F32, F64 = torch.float32, torch.float64

WITHOUT_LR = "The decay is not multiplied by lr. Here one step takes away the share lr times the decay rate."
TURNED = "The sign of the decay is turned: the weights grow there. Try a gradient of zero."
NOTHING_DECAYS = "Nothing decays: lam has no effect."
LR_TWICE = "lr multiplies the decay twice. It enters once."
WITHOUT_HALF = ("The decay is twice too strong, as a penalty without its ½ would make it. Here the penalty is ½λ‖w‖², and "
                "the decay that belongs to it has the rate λ.")
UPHILL = "The step goes up the gradient. The loss falls against it."


# 8.2 sgd_l2_step and sgd_decay_step

sgd_l2_step = Exercise("sgd_l2_step", CHAPTER, ("w",), read="8.2")
sgd_decay_step = Exercise("sgd_decay_step", CHAPTER, ("w",), read="8.2")


def torch_sgd(w, g, lr, lam):
    w = w.detach().clone()
    sgd([w], [g], [None], foreach=False, weight_decay=lam, momentum=0, lr=lr, dampening=0, nesterov=False,
        maximize=False)
    return w


def penalty_gradient(penalty, w):
    """The gradient of the sum of `penalty` over the entries of w."""
    leaf = w.detach().clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(penalty(leaf).sum(), leaf)[0]


def half_square(w):
    return w.square() / 2


@sgd_l2_step.oracle
def down_the_penalised_loss(w, g, lr, lam):
    return torch_sgd(w, torch.add(g, penalty_gradient(half_square, w), alpha=lam), lr, 0.0)


@sgd_decay_step.oracle
def as_pytorch_decays(w, g, lr, lam):
    return torch_sgd(w, g, lr, lam)


def sgd_inputs(g, *shape, dtype=F64):
    return dict(w=normal(g, *shape, dtype=dtype), g=normal(g, *shape, dtype=dtype))


def rates(g):
    return dict(lr=between(g, 0.08, 0.12), lam=between(g, 0.4, 0.6))


for exercise in (sgd_l2_step, sgd_decay_step):
    exercise.case(lambda g: sgd_inputs(g, 5) | rates(g))
    exercise.case(lambda g: dict(w=normal(g, 4), g=zeros(4)) | rates(g), note="the gradient is zero")
    exercise.case(lambda g: dict(w=backwards(g, 2, 3, 2), g=backwards(g, 2, 3, 2)) | rates(g),
                  note="neither is contiguous in memory")
    exercise.case(lambda g: sgd_inputs(g, 3, 4, dtype=F32) | rates(g))


BOTH = sgd_l2_step, sgd_decay_step


@shared(WITHOUT_LR, *BOTH)
def decay_without_lr(right, w, g, lr, lam):
    return right(w, g, lr, lam / lr)


@shared(TURNED, *BOTH)
def decay_turned(right, w, g, lr, lam):
    return right(w, g, lr, -lam)


@shared("The gradient's step is shrunk along with w. The decay belongs to the weight as it was before the step.", *BOTH)
def decay_after_the_step(right, w, g, lr, lam):
    return right(torch_sgd(w, g, lr, 0.0), torch.zeros_like(g), lr, lam)


@shared(WITHOUT_HALF, *BOTH)
def penalty_without_half(right, w, g, lr, lam):
    return right(w, g, lr, 2 * lam)


@shared("Half of the decay is missing. Differentiate the penalty ½λw²: what becomes of the ½?", *BOTH)
def half_left_over(right, w, g, lr, lam):
    return right(w, g, lr, lam / 2)


@shared(LR_TWICE, *BOTH)
def lr_twice(right, w, g, lr, lam):
    return right(w, g, lr, lr * lam)


@shared(NOTHING_DECAYS, *BOTH)
def no_decay(right, w, g, lr, lam):
    return right(w, g, lr, 0.0)


@shared("lr multiplies the decay and not the gradient: the gradient's step needs it too.", *BOTH)
def gradient_without_lr(right, w, g, lr, lam):
    return right(w, g / lr, lr, lam)


@shared("Only the decay is there. The gradient's step is missing.", *BOTH)
def gradient_forgotten(right, w, g, lr, lam):
    return right(w, torch.zeros_like(g), lr, lam)


@shared(UPHILL, *BOTH)
def uphill(right, w, g, lr, lam):
    return right(w, -g, lr, lam)


@sgd_l2_step.misconception("The value of the penalty is added to the gradient. Add its gradient: differentiate first.")
def value_for_gradient(w, g, lr, lam):
    return torch_sgd(w, torch.add(g, half_square(w), alpha=lam), lr, 0.0)


@shared("That is the penalty on absolute values: it pulls every weight equally hard. The pull of ½w² grows with w.",
        *BOTH)
def pull_of_l1(right, w, g, lr, lam):
    return torch_sgd(w, torch.add(g, penalty_gradient(torch.abs, w), alpha=lam), lr, 0.0)


@sgd_l2_step.misconception("The pull is that of the norm, not of half its square: it is divided by ‖w‖.")
def pull_of_the_norm(w, g, lr, lam):
    return torch_sgd(w, g, lr, lam / float(w.norm()))


# 8.2 l1_prox_step


def with_zeros_counted(fn, inputs):
    """The plain probe, and how many entries are exactly zero."""
    parts = call(fn, inputs)
    counted = isinstance(parts["w"], torch.Tensor)
    return parts | ({"number of exact zeros in w": int((parts["w"] == 0).sum())} if counted else {})


l1_prox_step = Exercise("l1_prox_step", CHAPTER, ("w",), read="8.2", probe=with_zeros_counted)


@l1_prox_step.oracle
def least_of_three(w, g, lr, lam):
    """Where ½(v − z)² + lr·lam·|v| is least, for z behind the gradient's step: on either side of 0, or at 0."""
    z = torch_sgd(w, g, lr, 0.0)
    above, below = (z - lr * lam).clamp(min=0), (z + lr * lam).clamp(max=0)
    candidates = torch.stack([torch.zeros_like(z), above, below])
    cost = half_square(candidates - z) + lr * lam * candidates.abs()
    return candidates.gather(0, cost.argmin(0, keepdim=True))[0]


def l1_rates(g):
    return dict(lr=between(g, 0.5, 0.7), lam=between(g, 0.7, 0.9))


@l1_prox_step.case
def l1_vector(g):
    return sgd_inputs(g, 12) | l1_rates(g)


@l1_prox_step.case(note="the gradient is zero")
def l1_at_rest(g):
    return dict(w=normal(g, 9), g=zeros(9)) | l1_rates(g)


@l1_prox_step.case(note="neither is contiguous in memory")
def l1_kernel(g):
    return dict(w=backwards(g, 2, 3, 4), g=backwards(g, 2, 3, 4)) | l1_rates(g)


@l1_prox_step.case
def l1_in_float32(g):
    return sgd_inputs(g, 4, 5, dtype=F32) | l1_rates(g)


def on_stepped(turn):
    """A wrong end after a right gradient step: `turn(z, threshold)`."""
    def wrong(w, g, lr, lam):
        return turn(torch_sgd(w, g, lr, 0.0), lr * lam)

    wrong.__name__ = turn.__name__
    return wrong


@l1_prox_step.misconception(
    "No entry is exactly 0. What the penalty on |w| is for: small entries become 0 and stay there.")
@on_stepped
def nothing_exactly_zero(z, threshold):
    return torch.where(z.abs() < threshold, 1e-30, F.softshrink(z, threshold))


@l1_prox_step.misconception("The threshold is lam there. A step of length lr shrinks by lr times as much.")
def threshold_without_lr(w, g, lr, lam):
    return least_of_three(torch_sgd(w, g, lr, 0.0), torch.zeros_like(g), 1.0, lam)


@l1_prox_step.misconception(
    "That is a step along the sign of w. It jumps over 0 and never stays there: the proximal step first follows the "
    "gradient, then shrinks, and stops at 0.")
def subgradient_step(w, g, lr, lam):
    return pull_of_l1(torch_sgd, w, g, lr, lam)


@l1_prox_step.misconception(
    "Small entries are pulled past 0 to the other side. The shrinking stops at 0.")
@on_stepped
def past_zero(z, threshold):
    return torch.add(z, z.sign(), alpha=-threshold)


@l1_prox_step.misconception("Every negative entry became 0. The penalty is the same for both signs.")
@on_stepped
def negative_entries_lost(z, threshold):
    return F.relu(z - threshold)


@l1_prox_step.misconception("The signs are lost: negative entries came back positive.")
@on_stepped
def signs_lost(z, threshold):
    return F.softshrink(z, threshold).abs()


@l1_prox_step.misconception(
    "Entries beyond the threshold stay as they were. That is the hard threshold; here they shrink as well.")
@on_stepped
def hard_threshold(z, threshold):
    return F.hardshrink(z, threshold)


@l1_prox_step.misconception(
    "That is what the threshold takes away, between −threshold and threshold. What remains is asked for.")
@on_stepped
def what_is_taken_away(z, threshold):
    return F.hardtanh(z, -threshold, threshold)


@l1_prox_step.misconception("The entries grow there. Both signs shrink towards 0.")
@on_stepped
def pushed_outwards(z, threshold):
    return torch.add(z, z.sign(), alpha=threshold)


@l1_prox_step.misconception(
    "The weights are shrunk before the gradient's step, and the step moves the zeros away again. Step first.")
def shrunk_before_the_step(w, g, lr, lam):
    return torch_sgd(least_of_three(w, torch.zeros_like(g), lr, lam), g, lr, 0.0)


@l1_prox_step.misconception(
    "Half the threshold. The lecture prints λ/2·Σ|w|; the penalty here is λ·Σ|w|, whose slope is λ.")
def half_the_threshold(w, g, lr, lam):
    return least_of_three(w, g, lr, lam / 2)


@l1_prox_step.misconception(
    "That is the decay of an L2 penalty: it shrinks in proportion to w, and nothing reaches 0.")
def decay_of_l2(w, g, lr, lam):
    return torch_sgd(w, g, lr, lam)


@l1_prox_step.misconception(
    "The penalty's slope is taken to be w/sgn(w), as the lecture prints it. That is |w|; the slope of |w| has size 1.")
def slope_as_printed(w, g, lr, lam):
    return torch_sgd(w, torch.add(g, w.abs(), alpha=lam), lr, 0.0)


@l1_prox_step.misconception("Only the shrinking is there. The gradient's step is missing.")
def gradient_step_forgotten(w, g, lr, lam):
    return least_of_three(w, torch.zeros_like(g), lr, lam)


@l1_prox_step.misconception("Nothing shrinks: that is the gradient's step alone.")
@on_stepped
def not_shrunk(z, threshold):
    return z


@l1_prox_step.misconception(UPHILL)
def prox_uphill(w, g, lr, lam):
    return least_of_three(w, -g, lr, lam)


# 8.3 adam_l2_step and adamw_step

adam_l2_step = Exercise("adam_l2_step", CHAPTER, ("w", "m", "s"), read="8.3")
adamw_step = Exercise("adamw_step", CHAPTER, ("w", "m", "s"), read="8.3")


def by_operator(operator, w, g, m, s, k, lr, wd, beta1, beta2, eps):
    w, m, s = w.clone(), m.clone(), s.clone()
    operator([w], [g], [m], [s], [], [torch.tensor(float(k - 1))], foreach=False, amsgrad=False, beta1=beta1,
             beta2=beta2, lr=lr, weight_decay=wd, eps=eps, maximize=False)
    return w, m, s


@adam_l2_step.oracle
def torch_adam(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    return by_operator(adam, w, g, m, s, k, lr, wd, beta1, beta2, eps)


@adamw_step.oracle
def torch_adamw(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    return by_operator(adamw, w, g, m, s, k, lr, wd, beta1, beta2, eps)


TURN = "three steps in turn, the w and the state of one given to the next"
TINY = "all options at their defaults, gradients so small that eps counts"


@adam_l2_step.case(note=FIRST)
@adamw_step.case(note=FIRST)
def first_step(g):
    return dict(**start(g, 6), m=zeros(6), s=zeros(6), k=1, lr=0.1, wd=0.5, beta1=0.7, beta2=0.8, eps=EPS)


@adam_l2_step.case(probe=steps_in_turn, note=TURN)
@adamw_step.case(probe=steps_in_turn, note=TURN)
def in_turn(g):
    return dict(**start(g, 2, 3, steps=[3]), m=zeros(2, 3), s=zeros(2, 3), k=1, lr=0.2, wd=0.4, beta1=0.6, beta2=0.9,
                eps=EPS)


@adam_l2_step.case(note=LATER)
@adamw_step.case(note=LATER)
def later_step(g):
    return dict(**strided(g, 3, 4), **adam_state(g, 3, 4), k=7, lr=0.3, wd=0.6, beta1=0.8, beta2=0.95, eps=EPS)


@adam_l2_step.case(note=TINY)
@adamw_step.case(note=TINY)
def at_defaults(g):
    """wd so small that even inside the gradient it does not hide eps."""
    return dict(**start(g, 5, size=1e-8), **adam_state(g, 5, size=1e-8), k=4, lr=0.3, wd=1e-8)


@adam_l2_step.case
@adamw_step.case
def in_float32(g):
    state = adam_state(g, 2, 3, 2, dtype=F32)
    return dict(**start(g, 2, 3, 2, dtype=F32), **state, k=5, lr=0.2, wd=0.5, beta1=0.75, beta2=0.9, eps=EPS)


def penalised(w, g, wd):
    """The gradient of the loss with its penalty."""
    return torch.add(g, penalty_gradient(half_square, w), alpha=wd)


def along(w, m, s, k, lr, beta1, beta2, eps):
    """Adam's step from moments that were worked out in any way."""
    return stepped(w, m / heard(beta1, k), outside(s / heard(beta2, k), eps), lr)


@adamw_step.misconception(
    "The decay went into the gradient, and with it into both moments. That is Adam with an L2 penalty, "
    "`torch.optim.Adam(weight_decay=…)`. AdamW shrinks the weights apart from the moments.")
def decay_inside_the_moments(*required, **options):
    return torch_adam(*required, **options)


@adam_l2_step.misconception(
    "The decay stands apart from the moments. That is AdamW. Here the penalty is a part of the loss, so its gradient "
    "is a part of g.")
def decay_decoupled(*required, **options):
    return torch_adamw(*required, **options)


@adamw_step.misconception(
    "The decay is not multiplied by lr. The paper's algorithm scales it by the schedule alone; here, as in PyTorch, "
    "lr multiplies it.")
def decay_not_times_lr(w, g, m, s, k, lr, wd, **options):
    return torch_adamw(w, g, m, s, k, lr, wd / lr, **options)


@adamw_step.misconception(
    "The decay comes after the step and shrinks the step as well. Here it comes first: it shrinks the weight that came "
    "in.")
def decayed_after_the_step(w, g, m, s, k, lr, wd, **options):
    stepped_w, *moments = torch_adamw(w, g, m, s, k, lr, 0.0, **options)
    return torch_sgd(stepped_w, torch.zeros_like(w), lr, wd), *moments


@shared(TURNED, adam_l2_step, adamw_step)
def sign_of_the_decay(right, w, g, m, s, k, lr, wd, **options):
    return right(w, g, m, s, k, lr, -wd, **options)


@adamw_step.misconception(
    "The decay is divided by the root like the gradient. It missed the moments, and was scaled by one of them all the "
    "same. Every weight shall lose the same share.")
@adam_l2_step.misconception(
    "The penalty's gradient is missing in both averages: it was added to the corrected m. It is a part of g from the "
    "start.")
def decay_beside_m(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    _, m, s = torch_adamw(w, g, m, s, k, lr, 0.0, beta1, beta2, eps)
    pull = penalised(w, m / heard(beta1, k), wd)
    return stepped(w, pull, outside(s / heard(beta2, k), eps), lr), m, s


def entered(into_m, into_s):
    """Adam in which the penalty's gradient entered one of the averages only."""
    def wrong(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
        m = torch_adam(w, g, m, s, k, lr, wd * into_m, beta1, beta2, eps)[1]
        s = torch_adam(w, g, m, s, k, lr, wd * into_s, beta1, beta2, eps)[2]
        return along(w, m, s, k, lr, beta1, beta2, eps), m, s

    return wrong


@adam_l2_step.misconception(
    "The penalty's gradient is missing in s. It is a part of g wherever g enters, and g enters twice.")
def penalty_in_m_alone(*required, **options):
    return entered(True, False)(*required, **options)


@adam_l2_step.misconception(
    "The penalty's gradient is missing in m. It is a part of g wherever g enters, and g enters twice.")
def penalty_in_s_alone(*required, **options):
    return entered(False, True)(*required, **options)


@shared("The weights decay twice: once inside the gradient and once apart from it.", adam_l2_step, adamw_step)
def decayed_twice(right, w, g, m, s, k, lr, wd, **options):
    return torch_adamw(w, penalised(w, g, wd), m, s, k, lr, wd, **options)


@adam_l2_step.misconception(
    "lr scales the penalty before it enters the gradient. The step multiplies the whole gradient by lr at the end.")
def penalty_times_lr(w, g, m, s, k, lr, wd, **options):
    return torch_adam(w, g, m, s, k, lr, lr * wd, **options)


@adamw_step.misconception(LR_TWICE)
def lr_twice_in_adamw(w, g, m, s, k, lr, wd, **options):
    return torch_adamw(w, g, m, s, k, lr, lr * wd, **options)


@shared(WITHOUT_HALF, adam_l2_step, adamw_step)
def no_half(right, w, g, m, s, k, lr, wd, **options):
    return right(w, g, m, s, k, lr, 2 * wd, **options)


@shared("Nothing decays: wd has no effect.", adam_l2_step, adamw_step)
def wd_ignored(right, w, g, m, s, k, lr, wd, **options):
    return right(w, g, m, s, k, lr, 0.0, **options)


@adamw_step.misconception(
    "The gradient was decayed along with the weight. Only the weight shrinks.")
def gradient_decayed(w, g, m, s, k, lr, wd, **options):
    return torch_adamw(w, torch_sgd(g, torch.zeros_like(g), lr, wd), m, s, k, lr, wd, **options)


OF_ADAM = ("no_bias_correction", "eps_scaled_by_the_correction", "eps_inside", "one_step_too_few", "one_step_too_many",
           "correction_of_the_first_step", "only_m_corrected", "corrected_moments_returned", "correction_outside_the_root",
           "root_forgotten_in_adam", "betas_exchanged", "weights_exchanged_in_adam", "gradient_for_m", "moments_of_before",
           "m_and_s_swapped", "right_on_the_first_step_only", "state_not_updated", "eps_ignored", "options_ignored")


def met_again(exercise, decayed):
    """Adam's misconceptions of chapter 03 beside a right decay: `decayed(w, g, lr, wd) -> (w, g)`."""
    known = {belief.name: belief for belief in adam_step.misconceptions}
    for name in OF_ADAM:
        def wrong(w, g, m, s, k, lr, wd, belief=known[name], **options):
            return belief.wrong(*decayed(w, g, lr, wd), m, s, k, lr, **options)

        wrong.__name__ = name
        exercise.misconception(known[name].message)(wrong)


met_again(adam_l2_step, lambda w, g, lr, wd: (w, penalised(w, g, wd)))
met_again(adamw_step, lambda w, g, lr, wd: (torch_sgd(w, torch.zeros_like(g), lr, wd), g))


@shared(UPHILL, adam_l2_step, adamw_step)
def up_the_gradient(right, w, g, *rest, **options):
    return right(w, -g, *rest, **options)


# 8.4 decay_groups


def names_of(group):
    """Names stay; of anything else only the kind crosses."""
    return [n if isinstance(n, str) else f"a {type(n).__name__}" for n in group] if isinstance(group, list) else group


def inventory(model):
    """What must be the same after the call."""
    parameters = [(n, p.requires_grad, p.grad is None, p.detach().clone()) for n, p in model.named_parameters()]
    return [(n, m.training) for n, m in model.named_modules()], parameters


def unchanged(before, after):
    (modes, held), (modes_now, held_now) = before, after
    return modes == modes_now and len(held) == len(held_now) and all(
        a[:3] == b[:3] and torch.equal(a[3], b[3]) for a, b in zip(held, held_now))


def groups_and_model(fn, inputs):
    """The two lists of names, and what became of the model."""
    before = inventory(inputs["model"])
    returned = fn(**inputs)
    if isinstance(returned, (tuple, list)):
        returned = [list(group) if isinstance(group, (list, tuple)) else group for group in returned]
        returned = [names_of(group) for group in returned]
    same = unchanged(before, inventory(inputs["model"]))
    return fn.parts(returned) | {"the model afterwards": "as it was" if same else "changed"}


decay_groups = Exercise("decay_groups", CHAPTER, ("decay", "no_decay"), read="8.4", probe=groups_and_model)

HOMES = {"torch.nn.modules.batchnorm", "torch.nn.modules.instancenorm", "torch.nn.modules.normalization"}


def normalises(module):
    """PyTorch keeps its normalisers in modules of their own."""
    return any(kind.__module__ in HOMES for kind in type(module).__mro__)


def split(model, spared, normaliser=normalises):
    """(decay, no_decay): `spared(name, parameter, in_normaliser)` names the second."""
    inside = {id(p) for m in model.modules() if normaliser(m) for p in m.parameters(recurse=False)}
    groups = [], []
    for name, parameter in model.named_parameters():
        groups[bool(spared(name, parameter, id(parameter) in inside))].append(name)
    return groups


def own(name):
    return name.rpartition(".")[2]


@decay_groups.oracle
def by_where_pytorch_keeps_it(model):
    return split(model, lambda name, p, inside: inside or "bias" in own(name))


def named_model(name):
    """Decorator: the case's model, built without touching the global random state."""
    def add(build):
        def inputs(g):
            with torch.random.fork_rng(devices=[]):
                model = build()
            model.__name__ = name
            return dict(model=model)

        return inputs

    return add


@decay_groups.case
@named_model("linear layers around batch norm")
def around_batch_norm():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.PReLU(), nn.Linear(4, 2, bias=False))


class Block(nn.Module):
    """Its names say little about what they name."""

    def __init__(self):
        super().__init__()
        self.first = nn.LayerNorm(4)
        self.norm_free = nn.Sequential(nn.Linear(4, 4), nn.GroupNorm(2, 4))
        self.debias = nn.Linear(4, 4, bias=False)
        self.gain = nn.Parameter(torch.ones(4))
        self.bias_of_output = nn.Parameter(torch.zeros(4))


@decay_groups.case(note="names that mislead")
@named_model("a residual block")
def misleading_names():
    return nn.Sequential(Block(), nn.Flatten())


class Tied(nn.Module):
    """The last layer shares its weight with the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.normed = nn.LayerNorm(4)
        self.head = nn.Linear(4, 5)
        self.head.weight = self.embedding.weight
        self.attention.out_proj.weight.requires_grad_(False)
        self.normed.eval()


@decay_groups.case(note="one weight is shared by two layers, one is frozen, and one layer is in eval mode")
@named_model("an attention model")
def attention_model():
    return Tied()


@decay_groups.misconception(
    "Only the model's direct children were looked at. A normaliser may sit deeper.")
def direct_children_only(model):
    children = list(map(id, model.children()))
    return split(model, lambda name, p, inside: inside or "bias" in own(name),
                 lambda m: normalises(m) and id(m) in children)


@decay_groups.misconception(
    "Only batch norm counts as a normaliser there. The others have gains as well.")
def batch_norm_only(model):
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
    return split(model, lambda name, p, inside: inside or "bias" in own(name), lambda m: isinstance(m, kinds))


@decay_groups.misconception(
    "Batch norm and layer norm count as normalisers there, group norm does not. Look through PyTorch's list of "
    "normalisation layers.")
def group_norm_forgotten(model):
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm
    return split(model, lambda name, p, inside: inside or "bias" in own(name), lambda m: isinstance(m, kinds))


@decay_groups.misconception(
    "The gains of the normalisers decay there. Only the biases were spared: a normaliser's `weight` multiplies what it "
    "has just normalised, and stays out as well.")
def gains_decay(model):
    return split(model, lambda name, p, inside: "bias" in own(name))


@decay_groups.misconception(
    "The biases of other layers decay there. Not only the normalisers are spared.")
def biases_decay(model):
    return split(model, lambda name, p, inside: inside)


@decay_groups.misconception(
    "That goes by the number of dimensions, as nanoGPT does: everything with fewer than two is spared. Here the module "
    "and the name decide, and some vectors belong to neither.")
def by_dimension(model):
    return split(model, lambda name, p, inside: p.ndim < 2)


@decay_groups.misconception(
    "That looks for “norm” in the names. A name is what its author liked; ask what kind of module a parameter sits in.")
def norm_in_the_name(model):
    return split(model, lambda name, p, inside: "norm" in name or "bias" in own(name))


@decay_groups.misconception(
    "“bias” was looked for in the whole path. A layer may be called so; the parameter's own name is the last part.")
def bias_in_the_path(model):
    return split(model, lambda name, p, inside: inside or "bias" in name)


@decay_groups.misconception(
    "Only parameters called exactly “bias” were spared. A name that contains the word counts too, such as attention's "
    "`in_proj_bias`.")
def called_exactly_bias(model):
    return split(model, lambda name, p, inside: inside or own(name) == "bias")


@decay_groups.misconception(
    "Embeddings are spared, as in minGPT. Here they decay like every other weight.")
def embeddings_spared(model):
    return split(model, lambda name, p, inside: inside or "bias" in own(name),
                 lambda m: normalises(m) or isinstance(m, nn.Embedding))


@decay_groups.misconception("The two lists are exchanged: the first holds the names that decay.")
def lists_exchanged(model):
    return by_where_pytorch_keeps_it(model)[::-1]


@decay_groups.misconception(
    "A shared parameter is listed under each of its names. `named_parameters` names it once.")
def shared_named_twice(model):
    seen = {id(p): name for name, p in model.named_parameters()}
    no_decay = by_where_pytorch_keeps_it(model)[1]
    groups = [], []
    for name, p in model.named_parameters(remove_duplicate=False):
        groups[seen[id(p)] in no_decay].append(name)
    return groups


@decay_groups.misconception(
    "Frozen parameters are left out. Every parameter belongs to one of the lists: it may be thawed later.")
def frozen_left_out(model):
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    return [[n for n in group if n in trained] for group in by_where_pytorch_keeps_it(model)]


@decay_groups.misconception("The parameters themselves are returned. Their names are asked for.")
def parameters_for_names(model):
    held = dict(model.named_parameters())
    return [[held[n] for n in group] for group in by_where_pytorch_keeps_it(model)]


@decay_groups.misconception("The path is missing: a name such as “weight” says nothing without its layer.")
def paths_lost(model):
    return [[own(n) for n in group] for group in by_where_pytorch_keeps_it(model)]


@decay_groups.misconception(
    "Buffers are among the names, such as running statistics. They are not parameters, and no optimizer sees them.")
def buffers_listed(model):
    inside = [name for name, m in model.named_modules() if normalises(m)]
    groups = [], []
    for name in model.state_dict():
        groups[name.rpartition(".")[0] in inside or "bias" in own(name)].append(name)
    return groups


@decay_groups.misconception(
    "The model came back changed. Its values, its `requires_grad` and its training modes are not yours to touch.")
def model_changed(model):
    groups = by_where_pytorch_keeps_it(model)
    for module in model.modules():
        module.train(not module.training)
    return groups


@decay_groups.misconception("The names are sorted by the alphabet. They stand in the order of `named_parameters`.")
def alphabetical(model):
    return [sorted(group) for group in by_where_pytorch_keeps_it(model)]


# 8.5 norm_sq_with_decay

norm_sq_with_decay = Exercise("norm_sq_with_decay", CHAPTER, ("norm_sq",), read="8.5", probe=sequence)


def decayed_walk(lr, keep, steps, w0_sq=1.0, grad_norm=1.0, decay_last=False, at_decayed=False, **gradients):
    """Squared lengths on the way of SGD in the plane that keeps the share `keep` of w in every step."""
    way = [complex(math.sqrt(w0_sq))]
    while len(way) <= steps:
        w = way[-1]
        step = lr * gradient(keep * w if at_decayed else w, grad_norm, **gradients)
        way.append(keep * (w - step) if decay_last else keep * w - step)
    return lengths(way).square()


@norm_sq_with_decay.oracle
def walk_with_decay(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    return decayed_walk(lr, 1 - lr * wd, steps, w0_sq, grad_norm)


@norm_sq_with_decay.case(note="w0_sq and grad_norm at their defaults")
def from_the_unit_sphere(g):
    return dict(lr=between(g, 0.4, 0.7), wd=between(g, 0.3, 0.5), steps=6)


@norm_sq_with_decay.case
def from_far_out(g):
    return dict(lr=between(g, 0.4, 0.7), wd=between(g, 0.3, 0.5), steps=5, w0_sq=between(g, 2.5, 3.5),
                grad_norm=between(g, 1.4, 1.8))


@norm_sq_with_decay.case(note="a rate so large that the first step decides")
def large_rate(g):
    return dict(lr=between(g, 3, 4), wd=between(g, 0.1, 0.15), steps=8, w0_sq=between(g, 0.6, 0.8),
                grad_norm=between(g, 0.5, 0.7))


@norm_sq_with_decay.case(probe=call, note="no step at all")
def no_step(g):
    return dict(lr=0.5, wd=0.2, steps=0, w0_sq=between(g, 2, 3))


def keeping(share):
    """The right walk with another share kept: `share(lr, wd)`."""
    def wrong(lr, wd, *args, **options):
        return decayed_walk(lr, share(lr, wd), *args, **options)

    return wrong


def with_gradients(**gradients):
    """The right decay with other gradients or in another order."""
    def wrong(lr, wd, *args, **options):
        return decayed_walk(lr, 1 - lr * wd, *args, **options, **gradients)

    return wrong


def negative_growth(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    squares = [w0_sq]
    while len(squares) <= steps:
        w = complex(math.sqrt(abs(squares[-1])))
        squares.append((1 - lr * wd) ** 2 * squares[-1] - abs(lr * gradient(w, grad_norm)) ** 2)
    return torch.tensor(squares, dtype=F64)


BESIDES_DECAY = ("The decay is right on its own, but the gradient keeps its length as w grows. grad_norm is its length on "
                 "the unit sphere.")

believe(
    norm_sq_with_decay,
    share_not_squared=(
        "‖w‖² is multiplied by the share that w keeps. It is w that keeps this share: what does its square keep?",
        keeping(lambda lr, wd: math.sqrt(1 - lr * wd))),
    no_lr_in_the_decay=(WITHOUT_LR, keeping(lambda lr, wd: 1 - wd)),
    decay_forgotten=(
        "Nothing decays: that is norm_sq_trajectory of section 6.3.", keeping(lambda lr, wd: 1.0)),
    decay_after_step=(
        "The decay comes after the step and shrinks what the step has added. Here it applies to the old w alone.",
        with_gradients(decay_last=True)),
    square_linearised=(
        "The square of the share is cut off after its linear term. For a large lr·wd that is not the same.",
        keeping(lambda lr, wd: math.sqrt(max(1 - 2 * lr * wd, 0.0)))),
    decay_exponential=(
        "That is the continuous limit of the decay, an exponential function. One step keeps the share 1 − lr·wd.",
        keeping(lambda lr, wd: math.exp(-lr * wd))),
    sign_of_decay=(TURNED, keeping(lambda lr, wd: 1 + lr * wd)),
    gradient_of_the_decayed_weight=(
        "The gradient is taken after the decay, where it is longer. It is taken at the w that came in.",
        with_gradients(at_decayed=True)),
    norms_returned=(
        "Those are the norms. Their squares are asked for, and it is the squares that Pythagoras adds.",
        lambda *args, **options: walk_with_decay(*args, **options).sqrt()),
    gradient_of_constant_length=(BESIDES_DECAY, with_gradients(fade=0)),
    gradient_over_the_norm=(
        "‖w‖ stands where ‖w‖² belongs: the gradient's length falls as 1/‖w‖, and ‖w‖² gains its square.",
        with_gradients(fade=0.5)),
    squared_once_more=(
        "The current ‖w‖² is treated as ‖w‖ and squared once more. The sequence holds squares already.",
        with_gradients(fade=2)),
    rate_not_squared=(
        "In the gain the learning rate is not squared. The step's squared length is what ‖w‖² gains.",
        lambda lr, wd, *args, **options: decayed_walk(math.sqrt(lr), 1 - lr * wd, *args, **options)),
    length_not_squared=(
        "The gradient's length is not squared. The step's squared length is what ‖w‖² gains.",
        lambda lr, wd, steps, w0_sq=1.0, grad_norm=1.0: walk_with_decay(lr, wd, steps, w0_sq, math.sqrt(grad_norm))),
    unit_gradient=(
        "grad_norm has no effect. It is the gradient's length on the unit sphere, here not 1.",
        lambda lr, wd, steps, w0_sq=1.0, grad_norm=1.0: walk_with_decay(lr, wd, steps, w0_sq)),
    starts_at_one=(
        "w0_sq has no effect: the sequence starts at 1 whatever is given.",
        lambda lr, wd, steps, w0_sq=1.0, grad_norm=1.0: walk_with_decay(lr, wd, steps, 1.0, grad_norm)),
    start_squared=(
        "The start is squared: w0_sq is ‖w‖² already.",
        lambda lr, wd, steps, w0_sq=1.0, grad_norm=1.0: walk_with_decay(lr, wd, steps, w0_sq**2, grad_norm)),
    step_shrinks=(
        "The step makes the norm smaller there. It is orthogonal to w: only the decay shortens.", negative_growth),
    step_along_w=(
        "The lengths of w and step are added. The step is orthogonal to w: add the squares.",
        with_gradients(along=-1)),
    start_left_out=(
        "The start is missing: entry 0 is ‖w‖² before any step, so there is one entry more.",
        lambda *args, **options: walk_with_decay(*args, **options)[1:]),
    last_left_out=(
        "The last entry is missing: after each of the steps there is one, and one before them.",
        lambda *args, **options: walk_with_decay(*args, **options)[:-1]),
    in_float32=(FLOAT32, lambda *args, **options: walk_with_decay(*args, **options).float()))


# 8.5 equilibrium_norm_sq


def balance(lr, keep, decay_last=False, **gradients):
    """The squared length that one step with decay leaves as it was, by bisection; inf where it grows for ever."""
    def grows(r):
        w = complex(r)
        step = lr * gradient(w, **gradients)
        return abs(keep * (w - step) if decay_last else keep * w - step) > r

    if keep == 1:
        return math.inf
    low, high = 0.0, 1.0
    while grows(high):
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if grows(middle) else (low, middle)
    return middle**2


# Bisection stops where rounding hides the change of one step: 1e-13 of the value at lr·lam = 1/50.
equilibrium_norm_sq = Derivation("equilibrium_norm_sq", CHAPTER, read="8.5", relative=1e-11,
                                 symbols=dict.fromkeys(("lr", "lam"), {"positive": True}))


@equilibrium_norm_sq.oracle
def length_that_stays(lr, lam):
    return balance(lr, 1 - lr * lam)


equilibrium_norm_sq.point(lr=1, lam="1/2")
equilibrium_norm_sq.point(lr="1/2", lam=1)
equilibrium_norm_sq.point(lr="2/5", lam="1/3")
equilibrium_norm_sq.point(lr=2, lam="2/7")

SMALL_DECAY = ("That is the approximation for small lr·λ. Without dropping the square of lr·λ the fixed point is exact, "
               "and no harder.")
BEYOND_LENGTH = ("That is its square: the fixed point stands on both sides, once in a denominator. The same comes out "
                 "where the gradient is taken not to fade as w grows.")
SHARE_ONCE = "‖w‖² is multiplied by the share that w keeps. It is w that keeps this share: what does its square keep?"
AFTER_STEP = "The decay comes after the step there and shrinks the gain as well. Here it applies to the old w alone."


believe(
    equilibrium_norm_sq,
    small_decay=(SMALL_DECAY, lambda lr, lam: sp.sqrt(lr / (2 * lam))),
    not_rooted=(BEYOND_LENGTH, lambda lr, lam: lr / (lam * (2 - lr * lam))),
    norm_for_its_square=(
        "That is the norm. Its square is asked for.", lambda lr, lam: (lr / (lam * (2 - lr * lam))) ** 0.25),
    share_kept_once=(SHARE_ONCE, lambda lr, lam: sp.sqrt(lr / lam)),
    cross_term_turned=(
        "The sign of the quadratic term is turned. Multiply out (1 − lr·lam)² and take it from 1.",
        lambda lr, lam: sp.sqrt(lr / (lam * (2 + lr * lam)))),
    cross_term_alone=(
        "That sets the share's square to 1 minus the square of lr·lam. Multiply (1 − lr·lam)² out.",
        lambda lr, lam: 1 / lam),
    effective_rate=(
        "That is the effective learning rate. The squared norm is asked for.",
        lambda lr, lam: sp.sqrt(lr * lam * (2 - lr * lam))),
    effective_rate_small_decay=(
        "That is the effective learning rate, for small lr·lam. The squared norm is asked for, exactly.",
        lambda lr, lam: sp.sqrt(2 * lr * lam)),
    decay_last_at_equilibrium=(
        AFTER_STEP, lambda lr, lam: (1 - lr * lam) * sp.sqrt(lr / (lam * (2 - lr * lam)))),
    no_lr_in_decay=(WITHOUT_LR, lambda lr, lam: lr / sp.sqrt(lam * (2 - lam))),
    rate_of_the_gain_not_squared=(
        "In the gain the learning rate is not squared. ‖w‖² gains the step's squared length.",
        lambda lr, lam: 1 / sp.sqrt(lam * (2 - lr * lam))),
    upside_down=(
        "The quotient is upside down: stronger decay makes the weight shorter.",
        lambda lr, lam: sp.sqrt(lam * (2 - lr * lam) / lr)),
    small_decay_not_rooted=(
        "The root is missing, and lr·lam is taken to be small. Write down the fixed point and keep every term.",
        lambda lr, lam: lr / (2 * lam)))


# 8.5 equilibrium


def without_decay(fn, inputs):
    """The plain probe under other names; a division by zero is seen as such."""
    try:
        parts = call(fn, inputs)
    except ZeroDivisionError:
        parts = dict.fromkeys(fn.exercise.returns, "a division by zero")
    return {f"{name} without decay": value for name, value in parts.items()}


equilibrium = Exercise("equilibrium", CHAPTER, ("norm_sq", "effective_lr"), read="8.5")


@equilibrium.oracle
def length_that_stays_and_its_rate(lr, wd):
    squared = balance(lr, 1 - lr * wd)
    return squared, lr / squared


@equilibrium.case
def moderate(g):
    return dict(lr=between(g, 0.4, 0.7), wd=between(g, 0.3, 0.5))


@equilibrium.case(note="strong decay")
def strong(g):
    return dict(lr=between(g, 1.3, 1.6), wd=between(g, 0.4, 0.5))


@equilibrium.case(note="weak decay")
def weak(g):
    return dict(lr=between(g, 0.1, 0.2), wd=between(g, 0.1, 0.2))


@equilibrium.case(probe=without_decay, note="wd = 0: the norm grows for ever")
def none_at_all(g):
    return dict(lr=between(g, 0.4, 0.7), wd=0.0)


def both_from(norm_sq):
    """Both values, from a wrong squared norm."""
    def wrong(lr, wd):
        n = norm_sq(lr, wd)
        return n, lr / n

    return wrong


def rate_from(rate):
    """The right squared norm, and a wrong rate: `rate(lr, wd, norm_sq)`."""
    def wrong(lr, wd):
        norm_sq = balance(lr, 1 - lr * wd)
        return norm_sq, rate(lr, wd, norm_sq)

    return wrong


def divided_by_zero(lr, wd):
    if not wd:
        raise ZeroDivisionError
    return length_that_stays_and_its_rate(lr, wd)


def small_decay_balance(lr, wd):
    return math.sqrt(lr / (2 * wd)) if wd else math.inf


believe(
    equilibrium,
    rate_approximated=(
        "The effective rate is the approximation for small lr·wd. Take it from the exact norm.",
        rate_from(lambda lr, wd, n: math.sqrt(2 * lr * wd))),
    approximated=(SMALL_DECAY, both_from(small_decay_balance)),
    zero_decay_divides=(
        "wd = 0 divides by zero. Without decay nothing stops the growth: the docstring says what to return.",
        divided_by_zero),
    zero_decay_gives_nan=(
        "wd = 0 gives NaN. Without decay nothing stops the growth: the docstring says what to return.",
        lambda lr, wd: length_that_stays_and_its_rate(lr, wd) if wd else (math.nan, math.nan)),
    zero_decay_gives_zero=(
        "Without decay the squared norm does not stay at 0: it grows without bound.",
        lambda lr, wd: length_that_stays_and_its_rate(lr, wd) if wd else (0.0, 0.0)),
    rate_unchanged_without_decay=(
        "Without decay the effective rate is not lr: the norm grows without bound, and the rate is divided by it.",
        lambda lr, wd: length_that_stays_and_its_rate(lr, wd) if wd else (math.inf, lr)),
    divided_by_the_norm=(
        "The rate is divided by ‖w‖ once. The gradient is shorter by ‖w‖, and the same step turns a longer weight "
        "less: both count.", rate_from(lambda lr, wd, n: lr / math.sqrt(n))),
    multiplied_by_the_norm=(
        "The rate is multiplied by ‖w‖². A longer weight turns less from the same step.",
        rate_from(lambda lr, wd, n: lr * n)),
    divided_by_the_square_twice=(
        "The rate is divided by the square of norm_sq. norm_sq is a square already.",
        rate_from(lambda lr, wd, n: lr / n**2)),
    explicit_rate_forgotten=("lr is missing in the effective rate.", rate_from(lambda lr, wd, n: 1 / n)),
    exchanged=(
        "The two are exchanged: the squared norm comes first.",
        lambda lr, wd: length_that_stays_and_its_rate(lr, wd)[::-1]),
    norm_returned=(
        "The first is the norm. Its square is asked for.",
        lambda lr, wd: (math.sqrt(length_that_stays_and_its_rate(lr, wd)[0]), length_that_stays_and_its_rate(lr, wd)[1])),
    root_missing=(BEYOND_LENGTH, both_from(lambda lr, wd: balance(lr, 1 - lr * wd) ** 2)),
    share_once=(SHARE_ONCE, both_from(lambda lr, wd: balance(lr, math.sqrt(1 - lr * wd)))),
    decay_at_the_end=(AFTER_STEP, both_from(lambda lr, wd: balance(lr, 1 - lr * wd, decay_last=True))),
    decay_alone=(WITHOUT_LR, both_from(lambda lr, wd: balance(lr, 1 - wd))))


# 8.6 kfac_direction


class Largest(TorchFunctionMode):
    """Counts the entries of the largest tensor that is made or used while it is on."""

    def __init__(self):
        super().__init__()
        self.entries = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        met = [t for t in tree_leaves((args, out)) if isinstance(t, torch.Tensor) and t.layout == torch.strided]
        self.entries = max([self.entries, *(min(t.numel(), stored(t)) for t in met)])
        return out


def stored(tensor):
    """Entries in memory; an expanded view has fewer than it shows."""
    return tensor.untyped_storage().nbytes() // tensor.element_size()


def watched(fn, inputs):
    """The plain probe, and whether a tensor of half the Kronecker product's size was met on the way."""
    with Largest() as seen:
        parts = call(fn, inputs)
    formed = seen.entries > inputs["grad"].numel() ** 2 / 2
    return parts | {"the product A⊗S": "formed" if formed else "never formed"}


def large(fn, inputs):
    """The plain probe, after a corner of the problem has shown that the product is not formed."""
    corner = {name: t[:8, :8] if isinstance(t, torch.Tensor) else t for name, t in inputs.items()}
    seen = watched(fn, corner)["the product A⊗S"]
    parts = call(fn, inputs) if seen == "never formed" else {}
    return parts | {"the product A⊗S": seen}


kfac_direction = Exercise("kfac_direction", CHAPTER, ("direction",), read="8.6")

SMALL = 1000  # entries; beyond it a system is solved by conjugate gradients


def solution_of(system, target):
    """The matrix that the symmetric linear map `system` takes to `target`."""
    return dense(system, target) if target.numel() <= SMALL else conjugate_gradients(system, target)


def dense(system, target):
    """By the whole matrix of the map, out of sight of `Largest`."""
    with torch._C.DisableTorchFunction():
        units = torch.eye(target.numel(), dtype=F64).reshape(-1, *target.shape)
        columns = torch.stack([system(unit).flatten() for unit in units], 1)
        return torch.linalg.solve(columns, target.flatten()).reshape(target.shape)


def conjugate_gradients(system, target):
    x, r = torch.zeros_like(target), target
    p, size = r, r.square().sum()
    for _ in range(100):
        moved = system(p)
        step = size / (p * moved).sum()
        x, r = x + step * p, r - step * moved
        before, size = size, r.square().sum()
        if size < 1e-28 * target.square().sum():
            break
        p = r + size / before * p
    return x


def against(metric):
    """The direction whose image under `metric(D, A, S, damping)` is the gradient, in the gradient's dtype."""
    def direction(A, S, grad, damping):
        A64, S64 = A.detach().to(F64), S.detach().to(F64)
        return solution_of(lambda D: metric(D, A64, S64, damping), grad.detach().to(F64)).to(grad.dtype)

    return direction


@kfac_direction.oracle
def damped_system(A, S, grad, damping):
    return against(lambda D, A, S, eta: S @ D @ A + eta * D)(A, S, grad, damping)


def moment(g, size, examples=None, floor=0.2, dtype=F64):
    """A second moment, no unit like another; with a floor under its eigenvalues its inverse is tame."""
    n = examples or 3 * size
    x = normal(g, n, size, dtype=dtype) * positive(g, size, dtype=dtype)
    return x.T @ x / n + floor * torch.eye(size, dtype=dtype)


def damped(g, outputs, inputs, dtype=F64, low=0.3, high=0.6):
    return dict(A=moment(g, inputs, dtype=dtype), S=moment(g, outputs, dtype=dtype),
                grad=normal(g, outputs, inputs, dtype=dtype), damping=between(g, low, high))


@kfac_direction.case
def wide_layer(g):
    return damped(g, 3, 5)


@kfac_direction.case(note="as many outputs as inputs, grad not contiguous in memory")
def square_layer(g):
    inputs = damped(g, 4, 4)
    return inputs | dict(grad=inputs["grad"].T)


@kfac_direction.case(note="damping 0")
def undamped(g):
    return damped(g, 4, 3) | dict(damping=0.0)


def where_singular(fn, inputs):
    """The plain probe under a name of its own: what ignores the damping fails here in any way."""
    return {"direction where A is singular": call(fn, inputs)["direction"]}


@kfac_direction.case(probe=where_singular, note="A has rank 2: without damping there is no inverse")
def few_examples(g):
    return damped(g, 2, 4) | dict(A=moment(g, 4, examples=2, floor=0.0))


@kfac_direction.case
def float32_layer(g):
    return damped(g, 5, 2, dtype=F32)


@kfac_direction.case(probe=watched, note="the largest tensor on the way is watched")
def watched_layer(g):
    return damped(g, 7, 6)


def in_rows(step):
    """The same with the matrix's rows stacked where its columns belong."""
    def direction(A, S, grad, damping):
        mixed = grad.reshape(grad.shape[1], grad.shape[0]).T
        return step(A, S, mixed, damping).T.reshape(grad.shape)

    return direction


def of_factors(turn):
    """Both factors changed by `turn(factor, damping)`, then no damping."""
    return lambda A, S, grad, damping: damped_system(turn(A, damping), turn(S, damping), grad, 0.0)


def with_diagonal(factor, value):
    return factor + value * torch.eye(len(factor), dtype=factor.dtype)


def rooted(factor, damping):
    values, vectors = torch.linalg.eigh(factor)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def eigenbasis(A, S):
    return torch.linalg.eigh(A).eigenvectors, torch.linalg.eigh(S).eigenvectors


def left_in_the_eigenbasis(A, S, grad, damping):
    U, V = eigenbasis(A, S)
    return V.T @ damped_system(A, S, grad, damping) @ U


def eigenvectors_transposed(A, S, grad, damping):
    U, V = eigenbasis(A, S)
    there = torch.diag(torch.linalg.eigvalsh(A)), torch.diag(torch.linalg.eigvalsh(S))
    return V.T @ damped_system(*there, V @ grad @ U.T, damping) @ U


def formed_and_right(A, S, grad, damping):
    """The right values by way of the forbidden matrix, small problems only."""
    torch.empty(grad.numel(), grad.numel())
    return damped_system(A, S, grad, damping)


believe(
    kfac_direction,
    damping_split_by_roots=(
        "Each factor got the root of the damping. That is K-FAC's usual shortcut; multiplied out it adds more than "
        "ηI. Here the damping is added to the product.",
        of_factors(lambda factor, damping: with_diagonal(factor, math.sqrt(damping)))),
    damping_in_each_factor=(
        "Each factor got the whole damping. Multiply (A + ηI)⊗(S + ηI) out: it is not A⊗S + ηI.", of_factors(with_diagonal)),
    damping_ignored=(
        "The damping has no effect.", lambda A, S, grad, damping: damped_system(A, S, grad, 0.0)),
    product_formed=(
        "The values are right, but on the way there is a matrix with a row and a column for each weight. For 200 "
        "inputs and 200 outputs it has 1.6 billion entries: use the eigenvectors of the two factors.", formed_and_right),
    eigenvalues_added=(
        "The eigenvalues of the two factors are added. That belongs to A⊗I + I⊗S; those of A⊗S are products.",
        against(lambda D, A, S, eta: S @ D + D @ A + eta * D)),
    factors_exchanged=(
        "The factors are exchanged: A acts on the side of the inputs, S on the side of the outputs. Where the layer is "
        "square, both ways run.", lambda A, S, grad, damping: damped_system(S, A, grad, damping)),
    rows_stacked=(
        "The rows of the gradient are stacked, as `flatten` does it. In A⊗S the columns are, so that A belongs to the "
        "inputs.", in_rows(damped_system)),
    eigenbasis_kept=(
        "The result is still in the eigenvectors' coordinates: go back to the weights.", left_in_the_eigenbasis),
    wrong_way_into_the_eigenbasis=(
        "The eigenvectors are applied the wrong way round. `eigh` has them in columns: which of Q and Qᵀ takes a vector "
        "into their coordinates?", eigenvectors_transposed),
    metric_multiplied=(
        "The gradient was multiplied by the damped matrix. Its inverse is asked for.",
        lambda A, S, grad, damping: S @ grad @ A + damping * grad),
    damping_after_the_inverse=(
        "The damping was added to the inverse. It is added before the inversion, where it bounds the inverse.",
        lambda A, S, grad, damping: damped_system(A, S, grad, 0.0) + damping * grad),
    damping_squared=(
        "The damping is squared.", lambda A, S, grad, damping: damped_system(A, S, grad, damping**2)),
    damping_rooted=(
        "The root of the damping is added to the product.",
        lambda A, S, grad, damping: damped_system(A, S, grad, math.sqrt(damping))),
    damping_subtracted=(
        "The sign of the damping is turned: it lets the inverse blow up.",
        lambda A, S, grad, damping: damped_system(A, S, grad, -damping)),
    root_of_the_factors=(
        "The factors' roots are inverted, as in Shampoo. The natural gradient divides by the curvature itself.",
        lambda A, S, grad, damping: damped_system(rooted(A, 0), rooted(S, 0), grad, damping)),
    inputs_left_alone=(
        "Only S is inverted. A preconditions the side of the inputs.",
        against(lambda D, A, S, eta: S @ D + eta * D)),
    outputs_left_alone=(
        "Only A is inverted. S preconditions the side of the outputs.",
        against(lambda D, A, S, eta: D @ A + eta * D)),
    diagonals_alone=(
        "Only the diagonals of the factors are used. What K-FAC gains lies beside them.",
        lambda A, S, grad, damping: damped_system(torch.diag(A.diagonal()), torch.diag(S.diagonal()), grad, damping)),
    step_for_direction=(
        "The sign is that of a step downhill. The direction is asked for: the optimizer subtracts it.",
        lambda A, S, grad, damping: -damped_system(A, S, grad, damping)),
    transposed_result=(
        "The result is transposed. It has the gradient's shape, (outputs, inputs): where the layer is square, both ways "
        "run.", lambda A, S, grad, damping: damped_system(A, S, grad, damping).T))


# 8.7 gauss_newton_norm and jacobian_frobenius

gauss_newton_norm = Exercise("gauss_newton_norm", CHAPTER, ("norm",), read="8.7")
jacobian_frobenius = Exercise("jacobian_frobenius", CHAPTER, ("frobenius_sq",), read="8.7")


def network(weights, x, phi=F.relu, last=None):
    for w in weights[:-1]:
        x = phi(F.linear(x, w))
    out = F.linear(x, weights[-1])
    return last(out) if last else out


def doubles(weights, x):
    return tuple(w.detach().to(F64) for w in weights), x.detach().to(F64)


def moved(weights, x, **options):
    """(N, C): how the outputs move when every weight moves along itself, by autograd."""
    weights, x = doubles(weights, x)
    with torch.enable_grad():
        return jvp(lambda *ws: network(ws, x, **options), weights, weights)[1]


def slopes(weights, x, **options):
    """(N, C, D): the Jacobian of each example."""
    weights, x = doubles(weights, x)
    with torch.enable_grad():
        of_all = jacobian(lambda x: network(weights, x, **options).sum(0), x)  # (C, N, D)
    return of_all.movedim(1, 0)


def mean_square_length(rows):
    """The mean over the examples of the squared length of everything else."""
    return float(rows.flatten(1).square().sum(1).mean())


@gauss_newton_norm.oracle
def length_of_the_move(weights, x):
    return mean_square_length(moved(weights, x))


@jacobian_frobenius.oracle
def length_of_the_slopes(weights, x):
    return mean_square_length(slopes(weights, x))


def layers(g, *widths, dtype=F64):
    return [normal(g, o, i, dtype=dtype) * positive(g, o, 1, dtype=dtype) for i, o in zip(widths, widths[1:])]


def passing(g, *widths, examples=6, dtype=F64):
    return dict(weights=layers(g, *widths, dtype=dtype), x=normal(g, examples, widths[0], dtype=dtype))


def with_graph(g):
    """Weights that are leaves of a graph and hold a .grad."""
    inputs = passing(g, 4, 5, 3, 2)
    for w in inputs["weights"]:
        w.requires_grad_()
        w.grad = torch.ones_like(w)
    return inputs


for exercise in (gauss_newton_norm, jacobian_frobenius):
    exercise.case(lambda g: passing(g, 3, 6, 4), note="two layers")
    exercise.case(lambda g: passing(g, 5, 7, 6, 4, 3, examples=5), note="four layers")
    exercise.case(with_graph, note="three layers; the weights hold a .grad, which must stay as it is")
    exercise.case(lambda g: passing(g, 4, 3), note="one layer: the network is linear")
    exercise.case(lambda g: passing(g, 3, 5, 1, examples=4, dtype=F32))


def of_outputs(measure):
    """A wrong norm from the outputs: `measure(f, L)`, f (N, C)."""
    def wrong(weights, x):
        with torch.no_grad():
            return float(measure(network(*doubles(weights, x)), len(weights)))

    return wrong


def square_sums(f):
    return f.square().sum(1).mean()


OUTPUT_RELU = "The output went through a ReLU as well. The last layer is linear."
NO_RELU = "That network is linear: the ReLUs are missing. Only the last layer goes without."
EXAMPLES_SUMMED = "The examples are summed. Averages over examples are means here."
OUTPUTS_AVERAGED = "The outputs are averaged. Their squares are summed; only the examples are averaged."

believe(
    gauss_newton_norm,
    depth_not_squared=(
        "The depth enters once. That moves one layer at a time and adds the squares; all weights move at once, and the move "
        "is squared.",
        of_outputs(lambda f, L: L * square_sums(f))),
    depth_forgotten=(
        "The depth is missing. Each layer's weights move the outputs, and all of them move at once.",
        of_outputs(lambda f, L: square_sums(f))),
    one_layer_too_few=(
        "One layer is not counted: the linear output layer has weights too.",
        of_outputs(lambda f, L: (L - 1) ** 2 * square_sums(f))),
    one_layer_too_many=(
        "One layer too many is counted. The degree is the number of weight matrices.",
        of_outputs(lambda f, L: (L + 1) ** 2 * square_sums(f))),
    depth_as_exponent=(
        "The outputs are multiplied by 2 to the power L, as if the weights were doubled. A derivative is asked for.",
        of_outputs(lambda f, L: 4**L * square_sums(f))),
    half_of_the_loss=(
        "The half of the loss is still there. G has the second derivative of ½‖f − y‖² with respect to f in its middle.",
        of_outputs(lambda f, L: L**2 * square_sums(f) / 2)),
    norm_not_squared=(
        "The root is taken. wᵀGw is the square of the norm.", of_outputs(lambda f, L: L * square_sums(f).sqrt())),
    outputs_averaged=(OUTPUTS_AVERAGED, of_outputs(lambda f, L: L**2 * f.square().mean())),
    examples_summed=(EXAMPLES_SUMMED, of_outputs(lambda f, L: L**2 * f.square().sum())),
    averaged_before_squaring=(
        "The outputs were averaged over the examples before they were squared. Square first.",
        of_outputs(lambda f, L: L**2 * f.mean(0).square().sum())),
    lengths_averaged=(
        "The lengths of the outputs are averaged and then squared. Square first.",
        of_outputs(lambda f, L: L**2 * f.norm(dim=1).mean().square())),
    relu_on_the_output=(OUTPUT_RELU, lambda weights, x: mean_square_length(moved(weights, x, last=F.relu))),
    relu_forgotten=(NO_RELU, lambda weights, x: mean_square_length(moved(weights, x, phi=lambda s: s))),
    jacobian_of_the_inputs=(
        "That is the Jacobian with respect to the inputs. G is built from that with respect to the weights.",
        length_of_the_slopes))


def of_slopes(measure, **options):
    """A wrong norm from the Jacobians: `measure(J)`, J (N, C, D)."""
    return lambda weights, x: float(measure(slopes(weights, x, **options)))


def product_of_the_weights(weights, x):
    return float(torch.linalg.multi_dot([w.detach().to(F64) for w in weights[::-1]]).square().sum()
                 if len(weights) > 1 else weights[0].detach().to(F64).square().sum())


believe(
    jacobian_frobenius,
    product_without_gates=(
        "That is the product of the weights, the Jacobian of the linear network. At each example the ReLUs that are off "
        "take their rows out.", product_of_the_weights),
    gradient_of_the_summed_outputs=(
        "That is the gradient of the sum of the outputs. Their slopes cancel there: the Jacobian has a row for each "
        "output.", of_slopes(lambda J: J.sum(1).square().sum(1).mean())),
    slopes_summed=(EXAMPLES_SUMMED, of_slopes(lambda J: J.square().sum())),
    slope_norms_averaged=(
        "The square is missing: that is the mean of the norms. ‖J‖² is asked for.",
        of_slopes(lambda J: J.flatten(1).norm(dim=1).mean())),
    root_of_the_mean=(
        "The root of the mean is taken. ‖J‖² is asked for.", of_slopes(lambda J: J.square().sum((1, 2)).mean().sqrt())),
    square_of_the_mean_norm=(
        "The norms are averaged and then squared. Square first.",
        of_slopes(lambda J: J.flatten(1).norm(dim=1).mean().square())),
    spectral_norm=(
        "That is the spectral norm, the largest singular value. The Frobenius norm sums all squares.",
        of_slopes(lambda J: torch.linalg.matrix_norm(J, 2).square().mean())),
    averaged_over_the_entries=(
        "The mean runs over all entries. Within one example the squares are summed.",
        of_slopes(lambda J: J.square().mean())),
    averaged_over_the_outputs=(OUTPUTS_AVERAGED, of_slopes(lambda J: J.square().sum(2).mean())),
    jacobians_averaged=(
        "The Jacobians were averaged over the examples before they were squared. Square first.",
        of_slopes(lambda J: J.mean(0).square().sum())),
    relu_behind_the_output=(OUTPUT_RELU, of_slopes(lambda J: J.square().sum((1, 2)).mean(), last=F.relu)),
    move_of_the_weights=(
        "That is the move of the outputs with the weights. The Jacobian here is with respect to the inputs.",
        length_of_the_move),
    norm_of_the_outputs=(
        "That is the mean squared norm of the outputs. Their slopes are asked for.",
        lambda weights, x: mean_square_length(network(*doubles(weights, x)))))


# 8.8 deep_linear_penalty and balanced_factors


@functools.cache
def best_logs(beta, K):
    """The logarithms of K positive factors of |beta| whose squares have the least sum, by Newton's method."""
    target = math.log(abs(beta))

    def penalty(u):
        return torch.cat([u, target - u.sum(0, keepdim=True)]).mul(2).exp().sum()

    u = target / K + torch.linspace(-0.2, 0.3, int(K) - 1, dtype=F64)
    for _ in range(8):  # each doubles the digits
        with torch.enable_grad():
            leaf = u.requires_grad_()
            slope, = torch.autograd.grad(penalty(leaf), leaf)
            u = (leaf - torch.linalg.solve(hessian(penalty, leaf), slope)).detach()
    return torch.cat([u, target - u.sum(0, keepdim=True)])


deep_linear_penalty = Derivation("deep_linear_penalty", CHAPTER, read="8.8",
                                 symbols={"beta": {"real": True}, "K": {"integer": True, "positive": True}})


@deep_linear_penalty.oracle
def least_sum_of_squares(beta, K):
    return float(best_logs(beta, int(K)).mul(2).exp().sum()) if K > 1 else beta**2


deep_linear_penalty.point(beta=1, K=1)
deep_linear_penalty.point(beta=4, K=1, note="one layer")
deep_linear_penalty.point(beta=4, K=2)
deep_linear_penalty.point(beta="7/2", K=3)
deep_linear_penalty.point(beta=-2, K=3, note="a negative product")
deep_linear_penalty.point(beta="-1/3", K=4, note="a negative product")


believe(
    deep_linear_penalty,
    one_square=(
        "That is the square of one factor. The penalty sums over all of them.",
        lambda beta, K: sp.Abs(beta) ** (2 / K)),
    sign_under_the_root=(
        "A negative beta goes under the root and the penalty is no longer real. The squares do not see signs.",
        lambda beta, K: K * beta ** (2 / K)),
    penalty_of_one_layer=(
        "That is the penalty of one layer, whatever K is. With K factors, how large must each be?",
        lambda beta, K: beta**2),
    one_layer_carries_all=(
        "One factor carries beta there, the others are 1. Try beta = 100 and K = 2: is a smaller sum possible?",
        lambda beta, K: beta**2 + K - 1),
    sum_for_product=(
        "The factors sum to beta there. Their product is beta.", lambda beta, K: beta**2 / K),
    each_carries_all=(
        "Every factor is beta there. Then their product is not.", lambda beta, K: K * beta**2),
    magnitudes_summed=(
        "Those are the magnitudes, summed. The penalty sums squares.", lambda beta, K: K * sp.Abs(beta) ** (1 / K)),
    half_kept=(
        "The ½ of the penalty is there. Here the sum itself is asked for.",
        lambda beta, K: K * sp.Abs(beta) ** (2 / K) / 2),
    root_of_depth_squared=(
        "The exponent is upside down: each factor is a root of beta, not a power.",
        lambda beta, K: K * sp.Abs(beta) ** (2 * K)),
    square_root_for_any_depth=(
        "The factors are square roots of beta. That is so for two layers; here there are K.",
        lambda beta, K: K * sp.Abs(beta)),
    depth_squared=(
        "The depth is squared. There are K equal terms.", lambda beta, K: K**2 * sp.Abs(beta) ** (2 / K)))


def product_and_magnitudes(fn, inputs):
    """Signs and order are free: the product of the factors, their magnitudes, and the precision they came in."""
    returned = fn(**inputs)
    if isinstance(returned, (list, tuple)) and any(isinstance(f, complex) for f in returned):
        return {"product of the factors": "not real"}
    factors = fn.parts(returned)["factors"]
    try:
        values = torch.as_tensor(factors, dtype=F64).detach()
    except (TypeError, ValueError, RuntimeError):
        return {"product of the factors": factors}
    if values.isnan().any():
        return {"product of the factors": "not real"}
    return {"number of factors": values.numel(), "product of the factors": float(values.prod()), "magnitudes of the factors": values.abs(),
            "precision of the factors": precision(factors)}


balanced_factors = Exercise("balanced_factors", CHAPTER, ("factors",), read="8.8", probe=product_and_magnitudes)


@balanced_factors.oracle
def from_the_best_logs(beta, K):
    if beta == 0:
        return filled(0.0, K)
    factors = best_logs(beta, K).exp() if K > 1 else torch.tensor([abs(beta)], dtype=F64)
    return torch.cat([factors[:1] * math.copysign(1, beta), factors[1:]])


@balanced_factors.case
def two_factors(g):
    return dict(beta=between(g, 2, 3), K=2)


@balanced_factors.case(note="a negative product of an even number of factors")
def four_factors(g):
    return dict(beta=-between(g, 4, 6), K=4)


@balanced_factors.case(note="a negative product of an odd number of factors")
def five_factors(g):
    return dict(beta=-between(g, 0.2, 0.4), K=5)


@balanced_factors.case(note="a single factor")
def one_factor(g):
    return dict(beta=between(g, 0.3, 0.6), K=1)


def equal(beta, K):
    return from_the_best_logs(abs(beta), K)


def filled(value, K):
    return torch.full((K,), value, dtype=F64)


def first_turned(factors, beta):
    """With beta's sign on the first factor."""
    return torch.cat([factors[:1] * math.copysign(1, beta), factors[1:]])


believe(
    balanced_factors,
    root_of_a_negative=(
        "A root of a negative number is not real. The size and the sign of beta are two questions: answer them apart.",
        lambda beta, K: filled(math.nan, K) if beta < 0 and K > 1 else equal(beta, K)),
    sign_on_every_factor=(
        "Every factor has beta's sign. An even number of signs cancels in the product.",
        lambda beta, K: equal(beta, K) * math.copysign(1, beta)),
    sign_lost=(
        "The sign is lost: all factors are positive, and so is their product.", equal),
    unbalanced=(
        "The product is right, but one factor carries it and the others are 1. The penalty is least where all have the "
        "same size.", lambda beta, K: first_turned(torch.cat([filled(abs(beta), 1), filled(1.0, K - 1)]), beta)),
    shares_of_a_sum=(
        "The factors sum to beta. Their product shall be beta.", lambda beta, K: filled(beta / K, K)),
    squared_factors=(
        "Those are the squares of the factors, the terms of the penalty. The factors themselves are asked for.",
        lambda beta, K: first_turned(equal(beta, K).square(), beta)),
    square_roots=(
        "The factors are square roots of beta. That is so for two layers; here there are K.",
        lambda beta, K: first_turned(filled(math.sqrt(abs(beta)), K), beta)),
    beta_each=("Every factor is beta. Then their product is not.", lambda beta, K: filled(beta, K)),
    one_size=("One number came back. Each of the K layers has a factor of its own.", lambda beta, K: equal(beta, K)[0]),
    factors_in_float32=(FLOAT32, lambda beta, K: from_the_best_logs(beta, K).float()))
