"""Checks of chapter 10: learning-rate schedules, and the test that finds their peak.

Schedules are read off PyTorch's own schedulers, which turn the knobs of an optimizer without
parameters; most wrong schedules edit the phases of such a scheduler. The range test is rehearsed on
copies of model and optimizer, so that the originals stay as they were by construction.
"""

import copy
import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from .ch06_scale_invariance import FLOAT32, between, named, normal, precision, sequence, smallest_entry
from .exercise import Exercise
from .probe import Misfit, kind_of, plain

CHAPTER = "10_one_cycle"
F64 = torch.float64


def whole(generator, low, high):
    return int(torch.randint(low, high, (), generator=generator))


# 10.2 and 10.3: what the three schedules share.

COARSE = ("Somewhere on the way the numbers are float32, the default of `torch.tensor`. The rate agrees with PyTorch's "
          "to seven digits only: use Python floats and `math`.")


def number(value):
    value = plain(value)
    if isinstance(value, torch.Tensor) and value.dim() == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Misfit(f"returned {kind_of(value)}, expected one number")
    return float(value)


def each_step(fn, inputs, last=0):
    """One call for every step from 0 to total_steps − 1, or `last` steps further."""
    values = [number(fn(step=step, **inputs)) for step in range(inputs["total_steps"] + last)]
    return {fn.exercise.returns[0]: torch.tensor(values, dtype=torch.float64)}


def with_precision(fn, inputs, last=0):
    """The same, and the precision of the values. For inputs that float32 cannot hold."""
    parts = each_step(fn, inputs, last)
    return {f"precision of {name}": precision(values) for name, values in parts.items()} | parts


def to_the_end(fn, inputs):
    return with_precision(fn, inputs, last=1)


class Knobs(torch.optim.Optimizer):
    """Something for a scheduler to turn: a rate and a momentum, no parameters."""

    def __init__(self, lr):
        self.defaults = {"momentum": 0.0}
        self.param_groups = [{"lr": lr, "momentum": 0.0}]

    def step(self):
        pass


def turned(scheduler, count):
    """((rate, momentum), …) of the steps 0 … count − 1."""
    knobs, seen = scheduler.optimizer, []
    for k in range(count):
        if k:
            knobs.step()
            scheduler.step()
        seen.append((knobs.param_groups[0]["lr"], knobs.param_groups[0]["momentum"]))
    return tuple(seen)


def glide(start, end, share):
    """From start to end along half a wave of the sine."""
    return start + (end - start) * math.sin(math.pi / 2 * share) ** 2


# 10.2 cosine

cosine = Exercise("cosine", CHAPTER, ("lr",), read="10.2", probe=to_the_end,
                  tolerances={"lr": smallest_entry})


@functools.lru_cache(maxsize=64)
def annealed(total_steps, lr_max, lr_min):
    return turned(CosineAnnealingLR(Knobs(lr_max), total_steps, lr_min), total_steps + 3)


@cosine.oracle
def by_scheduler(step, total_steps, lr_max, lr_min=0.0):
    """Half steps, too: whole ones of a schedule twice as long."""
    return annealed(2 * total_steps, lr_max, lr_min)[round(2 * step)][0]


@cosine.case(note="every step from 0 to total_steps; lr_min at its default")
def down_to_zero(g):
    return dict(total_steps=8, lr_max=between(g, 0.4, 0.9))


@cosine.case(note="every step from 0 to total_steps")
def down_to_a_floor(g):
    return dict(total_steps=11, lr_max=between(g, 1.5, 2.5), lr_min=between(g, 0.3, 0.5))


@cosine.case(probe=functools.partial(each_step, last=1), note="every step from 0 to total_steps")
def two_steps(g):
    return dict(total_steps=2, lr_max=between(g, 0.4, 0.9), lr_min=between(g, 0.1, 0.2))


@cosine.misconception(
    "lr_min is reached one step early. It belongs to step total_steps, not to the step before.")
def ends_one_step_early(step, total_steps, lr_max, lr_min=0.0):
    return glide(lr_max, lr_min, step / (total_steps - 1))


@cosine.misconception("That falls along a straight line. Cosine annealing is flat at both ends and steep between.")
def straight_line(step, total_steps, lr_max, lr_min=0.0):
    return torch.lerp(torch.tensor(lr_max, dtype=F64), torch.tensor(lr_min, dtype=F64), step / total_steps)


@cosine.misconception("That rises from lr_min to lr_max. The schedule starts at lr_max: look at the cosine's sign.")
def rises(step, total_steps, lr_max, lr_min=0.0):
    return glide(lr_min, lr_max, step / total_steps)


@cosine.misconception(
    "The wave has twice the height: at step 0 that is not lr_max. A cosine runs from 1 to −1, over a length of 2.")
def height_not_halved(step, total_steps, lr_max, lr_min=0.0):
    return glide(2 * lr_max - lr_min, lr_min, step / total_steps)


@cosine.misconception(
    "lr_min is added to a wave that is as high as lr_max. At step 0 the sum is more than lr_max: how high may the wave "
    "be?")
def floor_added(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + glide(lr_max, 0, step / total_steps)


@cosine.misconception(
    "The wave runs down to 0 and is cut off at lr_min. The rate should arrive at lr_min at step total_steps and not "
    "before.")
def floor_clamped(step, total_steps, lr_max, lr_min=0.0):
    return max(lr_min, glide(lr_max, 0, step / total_steps))


@cosine.misconception("lr_min has no effect: the rate falls to 0 whatever is given.")
def floor_forgotten(step, total_steps, lr_max, lr_min=0.0):
    return glide(lr_max, 0, step / total_steps)


@cosine.misconception(
    "That is a quarter of a wave: flat at the start and steep at the end. Half a wave is flat at both ends.")
def quarter_wave(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * math.cos(math.pi / 2 * step / total_steps)


@cosine.misconception("That is a whole wave: the rate is back at lr_max at the end. Half a wave leads down.")
def whole_wave(step, total_steps, lr_max, lr_min=0.0):
    return glide(lr_max, lr_min, 2 * step / total_steps)


@cosine.misconception(
    "A plain cosine swings below lr_min, down to −1 times its height. Lift it, so that its least value is lr_min.")
def not_lifted(step, total_steps, lr_max, lr_min=0.0):
    return glide(lr_max, 2 * lr_min - lr_max, step / total_steps)


@cosine.misconception("The angle is in degrees. `cos` of Python, NumPy and PyTorch takes radians.")
def degrees(step, total_steps, lr_max, lr_min=0.0):
    return glide(lr_max, lr_min, 180 * step / total_steps / math.pi)


@cosine.misconception("Steps are counted from 1 there. Step 0 is the first and has the rate lr_max.")
def step_counted_from_one(step, total_steps, lr_max, lr_min=0.0):
    return by_scheduler(step + 1, total_steps, lr_max, lr_min)


@cosine.misconception(
    "The rate stands still until total_steps are over, as `//` makes it, or a schedule that is stepped once per epoch. "
    "It should move with every step.")
def stands_still(step, total_steps, lr_max, lr_min=0.0):
    return glide(lr_max, lr_min, step // total_steps)


@cosine.misconception(COARSE)
def all_in_float32(step, total_steps, lr_max, lr_min=0.0):
    return np.float32(by_scheduler(step, total_steps, lr_max, lr_min))


@cosine.misconception(COARSE)
def wave_in_float32(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) / 2 * (1 + torch.cos(torch.tensor(math.pi * step / total_steps)).item())


# 10.3 one_cycle and one_cycle_momentum

one_cycle = Exercise("one_cycle", CHAPTER, ("lr",), read="10.3", probe=with_precision,
                     tolerances={"lr": smallest_entry})
one_cycle_momentum = Exercise("one_cycle_momentum", CHAPTER, ("momentum",), read="10.3", probe=with_precision)


def scheduler(total_steps, max_lr=1.0, base=0.85, peak=0.95, **settings):
    """PyTorch's, with its optimizer in `.optimizer`."""
    return OneCycleLR(Knobs(max_lr), max_lr, total_steps, base_momentum=base, max_momentum=peak, **settings)


@functools.lru_cache(maxsize=64)
def cycle(total_steps, **settings):
    return turned(scheduler(total_steps, **settings), total_steps)


@one_cycle.oracle
def rate_by_scheduler(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    return cycle(total_steps, max_lr=max_lr, pct_start=pct_start, div_factor=div_factor,
                 final_div_factor=final_div_factor, three_phase=three_phase)[step][0]


@one_cycle_momentum.oracle
def momentum_by_scheduler(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    return cycle(total_steps, base=base, peak=peak, pct_start=pct_start, three_phase=three_phase)[step][1]


def warm_up(g, steps, low, high):
    """A share of `steps` that leaves a fraction of a step: neither rounding nor truncation may go unseen."""
    return (whole(g, low, high) + between(g, 0.2, 0.4)) / steps


def heights(g):
    return dict(div_factor=between(g, 3, 9), final_div_factor=between(g, 20, 60))


def range_of_momentum(g):
    return dict(base=between(g, 0.7, 0.8), peak=between(g, 0.9, 0.99))


@one_cycle.case(note="every step; all options at their defaults")
def rate_at_the_defaults(g):
    return dict(total_steps=20, max_lr=between(g, 0.5, 2))


@one_cycle.case(note="every step; the warm-up is no whole number of steps")
def rate_in_two_phases(g):
    return dict(total_steps=17, max_lr=between(g, 0.5, 2), pct_start=warm_up(g, 17, 4, 7), **heights(g))


@one_cycle.case(note="every step")
def rate_in_three_phases(g):
    return dict(total_steps=19, max_lr=between(g, 0.5, 2), pct_start=warm_up(g, 19, 5, 8), **heights(g), three_phase=True)


@one_cycle.case(note="every step; pct_start·total_steps is less than 1")
def rate_after_a_short_warm_up(g):
    return dict(total_steps=6, max_lr=between(g, 0.5, 2), pct_start=between(g, 0.04, 0.08), **heights(g))


@one_cycle_momentum.case(note="every step; all options at their defaults")
def momentum_at_the_defaults(g):
    return dict(total_steps=20)


@one_cycle_momentum.case(note="every step; the warm-up is no whole number of steps")
def momentum_in_two_phases(g):
    return dict(total_steps=17, **range_of_momentum(g), pct_start=warm_up(g, 17, 4, 7))


@one_cycle_momentum.case(note="every step")
def momentum_in_three_phases(g):
    return dict(total_steps=19, **range_of_momentum(g), pct_start=warm_up(g, 19, 5, 8), three_phase=True)


@one_cycle_momentum.case(note="every step; pct_start·total_steps is less than 1")
def momentum_after_a_short_warm_up(g):
    return dict(total_steps=6, **range_of_momentum(g), pct_start=between(g, 0.04, 0.08))


def edited(edit, step, total_steps, **settings):
    """(rate, momentum) of a scheduler of PyTorch whose phases, values or curve have been edited."""
    wrong = scheduler(total_steps, **settings)
    group = wrong.optimizer.param_groups[0]
    edit(wrong, group)
    wrong.last_epoch = step
    return wrong.get_lr()[0], group["momentum"]


def slip(rate="", momentum=""):
    """Decorator: an edit, declared as a misconception of one_cycle, of one_cycle_momentum or of both."""
    def add(edit):
        if rate:
            one_cycle.misconception(rate)(named(edit.__name__, lambda step, total_steps, max_lr, **settings: edited(
                edit, step, total_steps, max_lr=max_lr, **settings)[0]))
        if momentum:
            one_cycle_momentum.misconception(momentum)(named(edit.__name__, lambda step, total_steps, **settings: edited(
                edit, step, total_steps, **settings)[1]))
        return edit

    return add


def move(wrong, *ends):
    """Give the first phases new ends; PyTorch's own are kept where None is given."""
    for phase, end in zip(wrong._schedule_phases, ends):
        phase["end_step"] = phase["end_step"] if end is None else end


def peak_at(wrong, place, late=0):
    """The peak at `place`, and in three phases as many steps from there back as up; the end `late` steps late.

    At 0 it would divide 0 by 0: then as near as can be.
    """
    place = place or -1e-200
    middle = [2 * place] if len(wrong._schedule_phases) == 3 else []
    move(wrong, place, *middle, wrong.total_steps - 1 + late)


def warm(wrong):
    """The length of the warm-up in steps."""
    return wrong._schedule_phases[0]["end_step"] + 1


@slip(rate="The schedule was built for three phases where two are asked for. Two are the default, here as in PyTorch; three, "
           "as in the paper, come on request.",
      momentum="That is the momentum of three phases where two are asked for. Two are the default, here as in PyTorch.")
def three_phases_always(wrong, group):
    if len(wrong._schedule_phases) == 2:
        first, last = wrong._schedule_phases
        end = 2 * first["end_step"]
        back = last | dict(end_step=end, end_lr="initial_lr")
        third = last | dict(start_lr="initial_lr", start_momentum="max_momentum")
        wrong._schedule_phases[:] = [first, back, third]


@slip(rate="three_phase has no effect. On request the rate returns to its starting value as fast as it came, and only then "
           "falls further.",
      momentum="three_phase has no effect. On request the momentum is back at its peak when the rate is back at its start, and "
               "rests there.")
def two_phases_always(wrong, group):
    first, *_, last = wrong._schedule_phases
    wrong._schedule_phases[:] = [first, last | dict(start_lr="max_lr", start_momentum="base_momentum")]


@slip(rate="A warm-up of less than one step is pushed to step 0. PyTorch's peak then lies before step 0, and the descent is "
           "under way.",
      momentum="A warm-up of less than one step is pushed to step 0. PyTorch's turning point then lies before step 0, and the "
               "rise is under way.")
def short_warm_up_pushed(wrong, group):
    if warm(wrong) < 1:
        peak_at(wrong, 0)


@slip(rate="Counts stand where step numbers belong: total_steps steps are numbered from 0. Peak and end come one step late, and "
           "the last rate is never reached.",
      momentum="Counts stand where step numbers belong: total_steps steps are numbered from 0. Both turning points come one step "
               "late.")
def counts_for_numbers(wrong, group):
    peak_at(wrong, warm(wrong), late=1)


@slip(rate="The warm-up is rounded to whole steps, and counts stand where step numbers belong: peak and end come late. "
           "PyTorch's peak may lie between two steps, and its last step is total_steps − 1.",
      momentum="The warm-up is rounded to whole steps, and counts stand where step numbers belong. PyTorch's turning point may lie "
               "between two steps, and its last step is total_steps − 1.")
def whole_counts_for_numbers(wrong, group):
    peak_at(wrong, math.floor(warm(wrong)), late=1)


@slip(rate="The peak comes too late by one step. Steps are numbered from 0: which number has the last one of the warm-up?",
      momentum="The turning point comes too late by one step. Steps are numbered from 0: which number has the last one of the "
               "warm-up?")
def peak_one_step_late(wrong, group):
    peak_at(wrong, warm(wrong))


@slip(rate="The warm-up is rounded to whole steps, and it ends one step late. PyTorch's peak may lie between two steps, and "
           "steps are numbered from 0.",
      momentum="The warm-up is rounded to whole steps, and it ends one step late. PyTorch's turning point may lie between two "
               "steps, and steps are numbered from 0.")
def whole_peak_one_step_late(wrong, group):
    peak_at(wrong, math.floor(warm(wrong)))


@slip(rate="The end comes one step late: total_steps − 1 is the last step, and there the rate must have arrived.",
      momentum="The end comes one step late: total_steps − 1 is the last step, and there the momentum must have arrived.")
def end_one_step_late(wrong, group):
    peak_at(wrong, warm(wrong) - 1, late=1)


@slip(rate="The warm-up is rounded to whole steps. PyTorch rounds nothing: the peak may lie between two steps.",
      momentum="The warm-up is rounded to whole steps. PyTorch rounds nothing: the turning point may lie between two steps.")
def rounded_to_whole_steps(wrong, group):
    peak_at(wrong, math.floor(warm(wrong)) - 1)


@slip(rate="pct_start is taken of the last step's number. It is a share of total_steps, the count of steps; the peak is the last "
           "step of that share.",
      momentum="pct_start is taken of the last step's number. It is a share of total_steps, the count of steps.")
def share_of_the_last_number(wrong, group):
    peak_at(wrong, warm(wrong) / wrong.total_steps * (wrong.total_steps - 1))


@slip(rate="The second phase is one step too long. It takes as long from the peak back to the start as the warm-up took from step "
           "0 to the peak.",
      momentum="The second phase is one step too long. It takes as long from the turning point back as the warm-up took from "
               "step 0 to there.")
def third_phase_one_step_late(wrong, group):
    if len(wrong._schedule_phases) == 3:
        move(wrong, None, 2 * warm(wrong) - 1)


@slip(rate="Each phase is a straight line, as in the paper's figures. Here each is half a cosine wave, PyTorch's default.",
      momentum="Each phase is a straight line, as in the paper's figures. Here each is half a cosine wave, PyTorch's default.")
def straight_phases(wrong, group):
    wrong._anneal_func = lambda start, end, share: start + share * (end - start)


@slip(rate="The warm-up is a straight line and the rest a cosine, as many libraries have it. Here every phase is half a wave.",
      momentum="The first phase is a straight line and the rest a cosine. Here every phase is half a wave.")
def straight_warm_up(wrong, group):
    top = group["max_lr"], group["base_momentum"]
    wrong._anneal_func = lambda start, end, share: start + share * (end - start) if end in top else glide(start, end, share)


@slip(rate="final_div_factor divides the peak. It divides the rate of the start, which is lower already.")
def end_below_the_peak(wrong, group):
    group["min_lr"] = group["min_lr"] / group["initial_lr"] * group["max_lr"]


@slip(rate="The rate ends at 0. final_div_factor says at what small rate it ends.")
def end_at_zero(wrong, group):
    group["min_lr"] = 0.0


@slip(rate="The rate ends where it started. It ends far lower: that is what final_div_factor is for.")
def end_at_the_start(wrong, group):
    group["min_lr"] = group["initial_lr"]


@slip(rate="The warm-up starts at 0. div_factor says at what rate it starts.")
def start_at_zero(wrong, group):
    group["initial_lr"] = 0.0


@slip(rate="The warm-up starts at the rate of the end. final_div_factor belongs to the end alone.")
def start_at_the_end(wrong, group):
    group["initial_lr"] = group["min_lr"]


@slip(rate="There is no warm-up: the schedule starts at its peak. The rate rises for a share pct_start of the steps.")
def no_warm_up(wrong, group):
    wrong._schedule_phases[:] = [wrong._schedule_phases[-1] | dict(start_lr="max_lr")]


@slip(rate="The cycle is upside down: the rate falls first and then rises. That is how momentum moves.")
def upside_down(wrong, group):
    group["initial_lr"], group["max_lr"] = group["max_lr"], group["initial_lr"]


@slip(momentum="That rises and falls with the rate. Momentum moves the other way: where the rate is highest, it is lowest.")
def not_inverse(wrong, group):
    group["base_momentum"], group["max_momentum"] = group["max_momentum"], group["base_momentum"]


@slip(rate="The second phase falls all the way, and the third has nothing left to do. The second only leads back to the "
           "starting rate.")
def all_in_the_second_phase(wrong, group):
    if len(wrong._schedule_phases) == 3:
        wrong._schedule_phases[1]["end_lr"] = wrong._schedule_phases[2]["start_lr"] = "min_lr"


@slip(momentum="In the third phase the momentum moves again. The rate has left its peak for good: momentum rests at its peak "
               "value.")
def moves_in_the_third_phase(wrong, group):
    if len(wrong._schedule_phases) == 3:
        wrong._schedule_phases[2]["end_momentum"] = "base_momentum"


@slip(rate="pct_start is taken as the share of the descent. It is the share of the warm-up.",
      momentum="pct_start is taken as the share of the second phase. It is the share of the first.")
def share_of_the_descent(wrong, group):
    peak_at(wrong, wrong.total_steps - warm(wrong) - 1)


@slip(rate="Within a phase the rate stands still, as `//` makes it, or a schedule that is stepped once per epoch. One cycle "
           "moves with every step.",
      momentum="Within a phase the momentum stands still, as `//` makes it, or a schedule that is stepped once per epoch. One "
               "cycle moves with every step.")
def stepped_once_per_phase(wrong, group):
    wrong._anneal_func = lambda start, end, share: end if share >= 1 else start


@slip(rate=COARSE, momentum=COARSE)
def curve_in_float32(wrong, group):
    wrong._anneal_func = lambda start, end, share: end + (start - end) / 2 * (
        1 + torch.cos(torch.tensor(math.pi * share)).item())


FROM_ONE = "Steps are counted from 1 there. Step 0 is the first and has the starting value."


@one_cycle.misconception(FROM_ONE)
def rate_counted_from_one(step, total_steps, max_lr, **settings):
    return edited(lambda wrong, group: None, step + 1, total_steps, max_lr=max_lr, **settings)[0]


@one_cycle_momentum.misconception(FROM_ONE)
def momentum_counted_from_one(step, total_steps, **settings):
    return edited(lambda wrong, group: None, step + 1, total_steps, **settings)[1]


@one_cycle.misconception(COARSE)
def rate_in_float32(*args, **settings):
    return np.float32(rate_by_scheduler(*args, **settings))


@one_cycle_momentum.misconception(COARSE)
def momentum_in_float32(*args, **settings):
    return np.float32(momentum_by_scheduler(*args, **settings))


# 10.4 range_test_lrs

range_test_lrs = Exercise("range_test_lrs", CHAPTER, ("lrs",), read="10.4", probe=sequence,
                          tolerances={"lrs": smallest_entry})


@range_test_lrs.oracle
def geometric(lr_min, lr_max, n):
    return torch.from_numpy(np.geomspace(lr_min, lr_max, n))


def powers(base, low, high, n):
    return torch.logspace(low, high, n, base=base, dtype=F64)


@range_test_lrs.case
def six_decades(g):
    return dict(lr_min=between(g, 1e-6, 2e-6), lr_max=between(g, 2, 4), n=13)


@range_test_lrs.case
def one_decade(g):
    return dict(lr_min=between(g, 0.02, 0.03), lr_max=between(g, 0.2, 0.3), n=5)


@range_test_lrs.misconception(
    "These rates have equal differences, so nearly all of them lie in the top decade. Log-spaced rates have equal quotients.")
def equal_differences(lr_min, lr_max, n):
    return torch.linspace(lr_min, lr_max, n, dtype=F64)


@range_test_lrs.misconception(
    "lr_min and lr_max went in where their logarithms belong: `logspace` takes exponents.")
def rates_as_exponents(lr_min, lr_max, n):
    return powers(10, lr_min, lr_max, n)


@range_test_lrs.misconception(
    "Logarithms to one base are raised to another. `math.log` and `torch.log` are natural, `logspace` counts in tens.")
def natural_logarithm_to_base_ten(lr_min, lr_max, n):
    return powers(10, math.log(lr_min), math.log(lr_max), n)


@range_test_lrs.misconception(
    "Logarithms to one base are raised to another. `exp` undoes the natural logarithm, not the one to base ten.")
def decimal_logarithm_to_base_e(lr_min, lr_max, n):
    return powers(math.e, math.log10(lr_min), math.log10(lr_max), n)


@range_test_lrs.misconception(
    "lr_max is missing: n intervals were made where n rates are asked for, both ends among them. Count the fence posts.")
def upper_end_missing(lr_min, lr_max, n):
    return geometric(lr_min, lr_max, n + 1)[:-1]


@range_test_lrs.misconception(
    "lr_min is missing: the first rate is one quotient above it. Both ends belong to the n rates.")
def lower_end_missing(lr_min, lr_max, n):
    return geometric(lr_min, lr_max, n + 1)[1:]


@range_test_lrs.misconception("One rate too many: n counts the rates, not the intervals between them.")
def one_rate_too_many(lr_min, lr_max, n):
    return geometric(lr_min, lr_max, n + 1)


@range_test_lrs.misconception("Those are the logarithms. Raise the base to them.")
def natural_logarithms(lr_min, lr_max, n):
    return geometric(lr_min, lr_max, n).log()


@range_test_lrs.misconception("Those are the logarithms. Raise the base to them.")
def decimal_logarithms(lr_min, lr_max, n):
    return geometric(lr_min, lr_max, n).log10()


@range_test_lrs.misconception("The rates fall. The test starts at the smallest, where nothing can break.")
def falling_rates(lr_min, lr_max, n):
    return geometric(lr_min, lr_max, n).flip(0)


@range_test_lrs.misconception(
    "The rates jump from decade to decade, whatever n is. n rates share the whole range evenly on the log axis.")
def decade_by_decade(lr_min, lr_max, n):
    return lr_min * 10.0 ** torch.arange(n, dtype=F64)


@range_test_lrs.misconception(FLOAT32)
def rates_in_float32(lr_min, lr_max, n):
    return geometric(lr_min, lr_max, n).float()


# 10.4 smooth_losses

smooth_losses = Exercise("smooth_losses", CHAPTER, ("smoothed",), read="10.4", probe=sequence)


@smooth_losses.oracle
def weighted_means(losses, beta):
    """Entry k is the mean of losses 0 … k, each weighted by beta to the power of its age."""
    losses = torch.as_tensor(losses, dtype=F64)
    return weights(len(losses), beta) @ losses


def weights(n, beta):
    """(n, n): row k weighs the losses 0 … k; each row sums to 1."""
    age = torch.arange(n, dtype=F64)[:, None] - torch.arange(n, dtype=F64)
    raw = torch.where(age < 0, torch.zeros((), dtype=F64), beta ** age.clamp(min=0))
    return raw / raw.sum(1, keepdim=True)


def recorded(g, n):
    return [round(between(g, 1, 3), 3) for _ in range(n)]


def of_a_tensor(fn, inputs):
    """A list is accepted as a result all the same."""
    return sequence(fn, inputs | dict(losses=torch.tensor(inputs["losses"], dtype=torch.float64)))


@smooth_losses.case(note="losses is a list of floats")
def few_losses(g):
    return dict(losses=recorded(g, 6), beta=between(g, 0.6, 0.8))


@smooth_losses.case(probe=of_a_tensor, note="losses is a tensor")
def more_losses(g):
    return dict(losses=recorded(g, 12), beta=between(g, 0.85, 0.95))


@smooth_losses.case(probe=of_a_tensor, note="losses is a tensor; beta below ½")
def short_memory(g):
    return dict(losses=recorded(g, 5), beta=between(g, 0.1, 0.3))


def averaged(losses, old, new, first=0.0):
    """The running value old·m + new·loss from `first`, not corrected."""
    m, seen = first, []
    for loss in torch.as_tensor(losses, dtype=F64).tolist():
        m = old * m + new * loss
        seen.append(m)
    return torch.tensor(seen, dtype=F64)


def powers_of(beta, losses, start=1):
    return beta ** torch.arange(start, start + len(losses), dtype=F64)


@smooth_losses.misconception(
    "The correction is missing: the average starts at 0 and the first values are dragged towards it. Your first value "
    "should be the first loss.")
def not_corrected(losses, beta):
    return averaged(losses, beta, 1 - beta)


@smooth_losses.misconception(
    "The average starts at the first loss, which then keeps the weight of many. Start it at 0 and correct for that, as "
    "Adam does.")
def started_at_the_first_loss(losses, beta):
    return averaged(losses, beta, 1 - beta, float(losses[0]))


@smooth_losses.misconception(
    "beta weighs the new loss. Here it weighs the past, as in Adam: the closer to 1, the smoother. (Batch norm's momentum "
    "is the other convention.)")
def beta_on_the_new_loss(losses, beta):
    return weighted_means(losses, 1 - beta)


@smooth_losses.misconception(
    "beta weighs the new loss in the average, and the past in the correction. Here beta weighs the past in both.")
def conventions_mixed(losses, beta):
    return averaged(losses, 1 - beta, beta) / (1 - powers_of(beta, losses))


@smooth_losses.misconception(
    "The correction counts one step too many: after the first loss it should undo one factor. Your first value should be "
    "the first loss.")
def corrected_one_step_ahead(losses, beta):
    return averaged(losses, beta, 1 - beta) / (1 - powers_of(beta, losses, start=2))


@smooth_losses.misconception(
    "The correction has the same size at every step. The drag of the zero at the start fades: so must the correction.")
def correction_never_fades(losses, beta):
    return averaged(losses, beta, 1 - beta) / (1 - beta)


@smooth_losses.misconception(
    "The corrected value is fed back into the average. Correct what you report, and carry the raw average on.")
def correction_fed_back(losses, beta):
    m, seen = 0.0, []
    for loss, power in zip(torch.as_tensor(losses, dtype=F64).tolist(), powers_of(beta, losses).tolist()):
        m = (beta * m + (1 - beta) * loss) / (1 - power)
        seen.append(m)
    return torch.tensor(seen, dtype=F64)


@smooth_losses.misconception(
    "The new loss enters with weight 1, so the values are too large. The two weights of an average sum to 1.")
def new_loss_at_full_weight(losses, beta):
    return averaged(losses, beta, 1.0) / (1 - powers_of(beta, losses))


@smooth_losses.misconception(
    "The average starts at the first loss and is corrected as well. The correction is for a start at 0.")
def started_and_corrected(losses, beta):
    return started_at_the_first_loss(losses, beta) / (1 - powers_of(beta, losses))


@smooth_losses.misconception(
    "The average is multiplied by the correction. It is too small at the start: which operation enlarges it?")
def correction_multiplied(losses, beta):
    return averaged(losses, beta, 1 - beta) * (1 - powers_of(beta, losses))


@smooth_losses.misconception("All losses so far count alike: beta has no effect. Older losses should count less.")
def plain_mean(losses, beta):
    return weighted_means(losses, 1.0)


@smooth_losses.misconception("Nothing is smoothed: the losses come back as they are.")
def not_smoothed(losses, beta):
    return torch.as_tensor(losses, dtype=F64)


@smooth_losses.misconception("That is the last value alone. One value for each loss is asked for.")
def last_value_alone(losses, beta):
    return weighted_means(losses, beta)[-1]


@smooth_losses.misconception(FLOAT32)
def smoothed_in_float32(losses, beta):
    return weighted_means(losses, beta).float()


# 10.4 suggest_lr

# The steepest place lies between two rates, and either may be named, by differences taken forwards, backwards or on
# both sides: one element to either side is accepted.
PLACE = "index in lrs of the rate"
suggest_lr = Exercise("suggest_lr", CHAPTER, ("lr",), read="10.4", tolerances={PLACE: lambda want, inputs: 1.0})


def place(fn, inputs):
    """Where in lrs the answer is: the nearest rate, and whether it is that rate (1e-6 leaves room for float32)."""
    lr, lrs = number(fn(**inputs)), torch.as_tensor(inputs["lrs"], dtype=torch.float64)
    if not 0 < lr < math.inf:
        return {PLACE: "none, since no positive number came back"}
    nearest = int((lrs.log() - math.log(lr)).abs().argmin())
    exact = abs(math.log(lr / float(lrs[nearest]))) < 1e-6
    return {PLACE: nearest, "the rate": "an element of lrs" if exact else "between or beyond the elements of lrs"}


suggest_lr.probe = place


def slopes_of(lrs, losses):
    """How the losses change with the logarithm of the rate, by differences on both sides."""
    return torch.gradient(losses, spacing=(lrs.log(),))[0]


def before_the_tail(lrs, losses):
    lrs, losses = (torch.as_tensor(values, dtype=F64) for values in (lrs, losses))
    bad = (~torch.isfinite(losses)).nonzero()
    end = int(bad[0]) if len(bad) else len(losses)
    return lrs[:end], losses[:end]


@suggest_lr.oracle
def steepest_by_gradient(lrs, losses):
    lrs, losses = before_the_tail(lrs, losses)
    return float(lrs[slopes_of(lrs, losses).argmin()])


def bump(n, at, width=1.3):
    """(n − 1,) slopes between neighbours: 1 at one place and less around."""
    return torch.exp(-((torch.arange(n - 1, dtype=F64) - at) / width) ** 2 / 2)


def curve(g, logs, fall, rise=0.0, end=0.4):
    """Rates with the given logarithms, and losses with about the given slopes against them, `end` the least."""
    slopes = rise - fall - 0.01
    slopes[0] = -0.1
    jitter = 1 + 0.04 * torch.rand(len(slopes), generator=g, dtype=F64)
    losses = torch.cat([torch.zeros(1, dtype=F64), (slopes * jitter * logs.diff()).cumsum(0)])
    return dict(lrs=logs.exp(), losses=losses - losses.min() + end)


def even(n, low=-14.0, high=2.0):
    return torch.linspace(low, high, n, dtype=F64)


@suggest_lr.case(note="the loss falls a little at first, steeply later, and explodes at the end")
def falls_and_explodes(g):
    return curve(g, even(30), bump(30, whole(g, 10, 13)), rise=4 * bump(30, 25))


@suggest_lr.case(note="the rates are closer together at the end")
def uneven_rates(g):
    logs = torch.cat([torch.linspace(-12, -4, 11, dtype=F64), torch.linspace(-3.8, -1.4, 13, dtype=F64)])
    return curve(g, logs, bump(24, whole(g, 14, 16)) + 0.6 * bump(24, 5), rise=0.7 * bump(24, 21, 1))


def place_in_lists(fn, inputs):
    """Also where losses end in nan: in a watched tensor that would count as a change, since nan equals nothing."""
    return place(fn, {name: values.tolist() for name, values in inputs.items()})


@suggest_lr.case(probe=place_in_lists, note="both are lists; the test has diverged: the last losses are nan")
def ends_in_nan(g):
    inputs = curve(g, even(28), bump(28, whole(g, 8, 10)), rise=4 * bump(28, 20))
    inputs["losses"][-3:] = math.nan
    return inputs


@suggest_lr.case(note="the test has diverged: the last losses are inf; a second, slower fall brings the loss near 0")
def ends_in_inf(g):
    inputs = curve(g, even(36), bump(36, whole(g, 7, 9)) + 0.3 * bump(36, 14), rise=3 * bump(36, 30), end=0.03)
    inputs["losses"][-2:] = math.inf
    return inputs


def chosen(choose):
    """Cut the tail, then take the rate at the index that `choose(lrs, losses)` gives."""
    def suggest(lrs, losses):
        lrs, losses = before_the_tail(lrs, losses)
        return float(lrs[int(choose(lrs, losses))])

    return suggest


def suggestion(message):
    """Decorator: a misconception that chooses another rate."""
    return lambda choose: suggest_lr.misconception(message)(named(choose.__name__, chosen(choose)))


@suggest_lr.misconception(
    "The tail that is not finite is not cut off. Every comparison with nan is false, and `argmin` then points at it.")
def tail_kept(lrs, losses):
    undefined = torch.isnan(torch.as_tensor(losses, dtype=F64).diff())
    return float(lrs[int(undefined.int().argmax())]) if undefined.any() else steepest_by_gradient(lrs, losses)


@suggest_lr.misconception(
    "That lies between two of the rates. The answer is one of lrs; either neighbour of the steepest place is accepted.")
def between_two_rates(lrs, losses):
    return 1.03 * steepest_by_gradient(lrs, losses)


@suggestion("The slope is taken against the rate itself. Then the tiny rates at the start win, since they lie so close together: "
            "take it against the logarithm, as the figure's axis does.")
def against_the_rate(lrs, losses):
    return (losses.diff() / lrs.diff()).argmin()


@suggestion("That is the rate with the least loss. There the loss has stopped falling and is about to explode: take the steepest "
            "fall.")
def least_loss(lrs, losses):
    return losses.argmin()


@suggest_lr.misconception(
    "That is a tenth of the rate with the least loss, another rule of thumb. Here the rate of the steepest fall is asked for.")
def tenth_of_the_least(lrs, losses):
    return least_loss(lrs, losses) / 10


@suggestion("That is the fall from one entry to the next, whatever the distance between the two rates. The slope divides by the "
            "distance on the log axis.")
def against_the_index(lrs, losses):
    return losses.diff().argmin()


@suggestion("The sign of the slope is lost: where the loss explodes it is steeper than where it falls.")
def steepest_of_all(lrs, losses):
    return slopes_of(lrs, losses).abs().argmax()


@suggestion("That is where the loss rises fastest. A fall is a negative slope.")
def steepest_rise(lrs, losses):
    return slopes_of(lrs, losses).argmax()


@suggestion("The fall is measured as a share of the loss, as by the logarithm of the losses. Only the rates are on a log axis.")
def share_of_the_loss(lrs, losses):
    return slopes_of(lrs, losses.log()).argmin()


@suggestion("That is the last rate before the test diverged or ended. Take the steepest fall.")
def last_finite(lrs, losses):
    return len(lrs) - 1


@suggest_lr.misconception("That is the index. The rate at that index is asked for.")
def index_for_rate(lrs, losses):
    lrs, losses = before_the_tail(lrs, losses)
    return int(slopes_of(lrs, losses).argmin())


@suggest_lr.misconception(
    "A learning rate is positive. Is that the slope itself, or the logarithm of a rate? The rate is asked for.")
def slope_or_logarithm(lrs, losses):
    return math.log(steepest_by_gradient(lrs, losses))


# 10.4 range_test

range_test = Exercise("range_test", CHAPTER, ("losses",), read="10.4")


def setting(network, optimizer, lr_min, lr_max, n, seed, lrs="a tensor"):
    """Model, optimizer, batches and rates of a range test: the same for the same arguments."""
    torch.default_generator.manual_seed(seed)
    model = network().double()
    batches = [(torch.randn(8, 4, dtype=torch.float64), torch.randint(3, (8,))) for _ in range(n)]
    rates = torch.logspace(math.log10(lr_min), math.log10(lr_max), n, dtype=torch.float64)
    return dict(model=model, optimizer=optimizer(model), batches=batches, lrs=rates.tolist() if lrs == "a list" else rates)


def used(model, optimizer):
    """Two updates along random gradients, so that the optimizer has something to remember; the gradients stay."""
    for _ in range(2):
        for p in list(model.parameters()):
            p.grad = torch.randn_like(p) if p.requires_grad else None
        optimizer.step(None)
    return optimizer


def drop_some_grads(model):
    """Of an earlier backward pass, some parameters have a gradient and some have none."""
    for p in list(model.parameters())[-1:]:
        p.grad = None


def two_groups(model):
    """The first module's parameters with a rate and a decay of their own."""
    own = list(model[0].parameters())
    rest = [p for p in model.parameters() if not any(p is q for q in own)]
    return [dict(params=own, lr=0.01, weight_decay=0.0), dict(params=rest)]


def momentum_in_use(model):
    optimizer = used(model, torch.optim.SGD(two_groups(model), lr=0.05, momentum=0.8, weight_decay=0.01))
    drop_some_grads(model)
    return optimizer


def adam_in_use(model):
    optimizer = used(model, torch.optim.Adam(two_groups(model), lr=0.003, betas=(0.8, 0.9)))
    drop_some_grads(model)
    return optimizer


def fresh_adam(model):
    return torch.optim.Adam(two_groups(model), lr=0.003)


def fresh_momentum(model):
    return torch.optim.SGD(two_groups(model), lr=0.05, momentum=0.8)


def batch_norm_network():
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))


def frozen_network():
    """Its first layer does not learn, and its batch norm is held in evaluation mode."""
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    model[0].weight.requires_grad_(False)
    model[1].running_mean.normal_()
    model[1].eval()
    return model


def dropout_network():
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.4), nn.Linear(6, 3))


def network_in_evaluation():
    return dropout_network().eval()


def rehearsal(fn, inputs):
    """The losses of a range test, and what it leaves behind."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        given = setting(**inputs)
        losses = fn.parts(fn(**given))["losses"]
        return {"losses": losses} | left_behind(given["model"], given["optimizer"])


def aftermath(fn, inputs):
    """What a range test leaves behind, where the losses are not judged."""
    parts = rehearsal(fn, inputs)
    del parts["losses"]
    return parts


range_test.probe = rehearsal


def left_behind(model, optimizer):
    """The whole state of a model and its optimizer, as plain values."""
    names = {id(p): name for name, p in model.named_parameters()}
    parameters = list(model.parameters())
    groups, state = optimizer.param_groups, optimizer.state
    parts = {
        "parameters afterwards": flat(parameters),
        "buffers afterwards": flat(model.buffers()),
        "rates of the param groups afterwards": torch.tensor([float(group["lr"]) for group in groups], dtype=torch.float64),
        ".grad afterwards (nan for None)": flat(torch.full_like(p, math.nan) if p.grad is None else p.grad for p in parameters),
        "what the optimizer remembers afterwards": listed(sorted(
            f"{key} of {names.get(id(p), 'a stranger')}" for p in state for key in state[p])),
        "optimizer's state afterwards": flat(state[p][key] for p in parameters if p in state for key in sorted(state[p])),
        "modules in training mode afterwards": listed(n or "the model" for n, m in model.named_modules() if m.training),
        "parameters that learn afterwards": listed(n for n, p in model.named_parameters() if p.requires_grad),
        "parameters of the param groups afterwards": listed(
            names.get(id(p), "a stranger") for group in groups for p in group["params"]),
    }
    keys = sorted({key for group in groups for key in group} - {"params", "lr"})
    settings = {f"{key} of the param groups afterwards": listed(str(group.get(key)) for group in groups) for key in keys}
    return parts | settings | {"settings of the param groups afterwards": listed(keys)}


def flat(tensors):
    """All values in one float64 vector."""
    values = [torch.as_tensor(t).detach().to(torch.float64).reshape(-1) for t in tensors if t is not None]
    return torch.cat(values) if values else torch.zeros(0, dtype=torch.float64)


def listed(names):
    return ", ".join(names) or "none"


def copied(model, optimizer):
    """Both together, so that the copied optimizer holds the copied parameters; gradients too."""
    model_too, optimizer_too = copy.deepcopy((model, optimizer))
    for p, q in zip(model.parameters(), model_too.parameters()):
        q.grad = None if p.grad is None else p.grad.clone()
    return model_too, optimizer_too


def rehearse(model, optimizer, batches, lrs, *, loss=F.cross_entropy, before=None, skip=()):
    """(losses, model, optimizer) of a range test on copies; `before(model, optimizer, k)` and `skip` make it wrong."""
    model, optimizer = copied(model, optimizer)
    losses = []
    for k, ((x, y), lr) in enumerate(zip(batches, lrs)):
        if before:
            before(model, optimizer, k)
        if "rate" not in skip:
            for group in optimizer.param_groups:
                group.update(lr=float(lr))
        learning = [p for p in model.parameters() if p.requires_grad]
        value = loss(model(x), y)
        for p, slope in zip(learning, torch.autograd.grad(value, learning)):
            p.grad = p.grad + slope if "clear" in skip and p.grad is not None else slope
        if "update" not in skip:
            optimizer.step(None)
        losses.append(value.item())
    return torch.tensor(losses, dtype=F64), model, optimizer


@range_test.oracle
def on_copies(model, optimizer, batches, lrs):
    return rehearse(model, optimizer, batches, lrs)[0]


def recipe(g, network, optimizer, lr_min, lr_max, n):
    return dict(network=network, optimizer=optimizer, lr_min=lr_min, lr_max=lr_max, n=n, seed=whole(g, 0, 10**6))


@range_test.case(note="batch norm in training mode; the optimizer has been used, and gradients of an earlier pass are left")
def used_momentum(g):
    return recipe(g, batch_norm_network, momentum_in_use, 0.05, 1000.0, 7)


@range_test.case(note="a frozen weight, and batch norm held in evaluation mode; Adam has been used")
def used_adam(g):
    return recipe(g, frozen_network, adam_in_use, 0.002, 0.3, 5) | dict(lrs="a list")


@range_test.case(probe=aftermath, note="the whole model in evaluation mode, the optimizer new; only what is left behind counts")
def new_in_evaluation(g):
    return recipe(g, network_in_evaluation, fresh_momentum, 0.01, 1.0, 4)


@range_test.case(probe=aftermath, note="dropout in training mode, the optimizer new; only what is left behind counts")
def new_with_dropout(g):
    return recipe(g, dropout_network, fresh_adam, 0.001, 0.1, 4)


# What is not put back: the rehearsal's trace is carried over from the copies to the originals.


def leaves(message):
    """Decorator: a misconception that forgets a piece; `carry(pairs, optimizers)` moves it from copy to original."""
    def add(carry):
        def wrong(model, optimizer, batches, lrs):
            losses, after, optimizer_after = rehearse(model, optimizer, batches, lrs)
            carry(model, after, optimizer, optimizer_after)
            return losses

        return range_test.misconception(message)(named(carry.__name__, wrong))

    return add


def pairs(model, after):
    return list(zip(model.parameters(), after.parameters()))


@leaves("The weights are not put back. If you kept `state_dict()` or the tensors themselves: they share memory with the model, "
        "so keep copies.")
def weights_left(model, after, *_):
    for p, q in pairs(model, after):
        p.data.copy_(q.data)


@leaves("The buffers are not put back: batch norm's running statistics have seen the range test. They are no parameters, but "
        "they are part of the model; keep copies of them, too.")
def buffers_left(model, after, *_):
    for b, c in zip(model.buffers(), after.buffers()):
        b.copy_(c)


@leaves("The learning rates of the param groups are left at the last rate of the test. Each group should get back its own.")
def rates_left(model, after, optimizer, optimizer_after):
    for group, changed in zip(optimizer.param_groups, optimizer_after.param_groups):
        group["lr"] = changed["lr"]


@range_test.misconception(
    "Every param group gets back the rate of the first. Groups may have rates of their own: keep each.")
def one_rate_for_all_groups(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs)
    for group in optimizer.param_groups:
        group["lr"] = optimizer.param_groups[0]["lr"]
    return losses


@leaves("The test's gradients are left in `.grad`. What was there before should be there again, and None where there was none.")
def grads_left(model, after, *_):
    for p, q in pairs(model, after):
        p.grad = q.grad


@range_test.misconception(
    "The gradients are cleared at the end. A `.grad` that was there before the test should be there again.")
def grads_cleared(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs)
    for p in list(model.parameters()):
        p.grad = None
    return losses


@range_test.misconception(
    "The gradients are zeros at the end. A `.grad` that was there before should be there again, and None is not zeros.")
def grads_zeroed(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs)
    for p in list(model.parameters()):
        p.grad = torch.zeros_like(p) if p.requires_grad else None
    return losses


def memory_of(model, after, optimizer, optimizer_after):
    """The copy's memory, under the original's parameters."""
    return {p: optimizer_after.state[q] for p, q in pairs(model, after) if q in optimizer_after.state}


@leaves("The optimizer still remembers the range test: momentum or Adam's moments were not put back. If you kept "
        "`state_dict()`: its tensors are the optimizer's own, so keep a deep copy.")
def memory_left(model, after, optimizer, optimizer_after):
    optimizer.state.clear()
    optimizer.state.update(memory_of(model, after, optimizer, optimizer_after))


@range_test.misconception(
    "The optimizer's memory is emptied. It remembered something before the test, and should afterwards.")
def memory_emptied(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs)
    optimizer.state.clear()
    return losses


@range_test.misconception(
    "The whole model is left in training mode. Each module should keep the mode it was in: some may be frozen on purpose.")
def left_in_training_mode(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs)
    model.train()
    return losses


@range_test.misconception(
    "The whole model is left in evaluation mode. Each module should keep the mode it was in.")
def left_in_evaluation_mode(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs)
    model.eval()
    return losses


@range_test.misconception(
    "Frozen parameters learn afterwards. `requires_grad` belongs to the model's state: leave it as it was.")
def frozen_parameters_thawed(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs)
    model.requires_grad_(True)
    return losses


@range_test.misconception(
    "The model holds new parameters, and the optimizer still holds the old ones: from now on it trains nothing. Write the old "
    "values into the parameters that are there.")
def parameters_replaced(model, optimizer, batches, lrs):
    losses, grads = on_copies(model, optimizer, batches, lrs), [p.grad for p in model.parameters()]
    model.load_state_dict({name: t.clone() for name, t in model.state_dict().items()}, assign=True)
    for p, grad in zip(list(model.parameters()), grads):
        p.grad = grad
    return losses


@range_test.misconception(
    "A setting of the param groups is changed. Groups may have momentum and decay of their own: all should be as it was.")
def settings_changed(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs)
    for group in optimizer.param_groups:
        group.update({key: value for key, value in optimizer.defaults.items() if key != "lr"})
    return losses


# What goes wrong during the test.


def goes_wrong(message):
    """Decorator: a misconception about the losses; `turn` returns how the rehearsal differs."""
    def add(turn):
        def wrong(model, optimizer, batches, lrs):
            return rehearse(model, optimizer, batches, lrs, **turn(lrs))[0]

        return range_test.misconception(message)(named(turn.__name__, wrong))

    return add


@range_test.misconception(
    "Each loss is taken after the update with its rate. It is asked for before: then it tells what the rates so far have done.")
def loss_after_the_update(model, optimizer, batches, lrs):
    losses = []
    for k in range(len(lrs)):
        _, after, _ = rehearse(model, optimizer, batches[:k + 1], lrs[:k + 1])
        losses.append(F.cross_entropy(after(batches[k][0]), batches[k][1]).item())
    return torch.tensor(losses, dtype=F64)


@goes_wrong("The gradients are never cleared, so each update follows the sum of all so far, those of an earlier pass included.")
def gradients_add_up(lrs):
    return dict(skip={"clear"})


@range_test.misconception(
    "The first update follows gradients that were there before the test. Clear them before the first backward pass, not only "
    "after each update.")
def old_gradients_in_the_first_update(model, optimizer, batches, lrs):
    def before(copied, _, k):
        if k:
            copied.zero_grad()

    return rehearse(model, optimizer, batches, lrs, before=before, skip={"clear"})[0]


@goes_wrong("The rates of the test are never used: the optimizer runs at its own. Set the rate of each param group before each "
            "update.")
def rates_never_set(lrs):
    return dict(skip={"rate"})


@range_test.misconception(
    "Only the first param group gets the rates of the test. Every group should.")
def first_group_only(model, optimizer, batches, lrs):
    def before(_, copied, k):
        copied.param_groups[0].update(lr=float(lrs[k]))

    return rehearse(model, optimizer, batches, lrs, skip={"rate"}, before=before)[0]


@range_test.misconception(
    "Each rate is set after the update that it is meant for, so the first update runs at the optimizer's own rate.")
def rate_one_update_late(model, optimizer, batches, lrs):
    def before(_, copied, k):
        for group in copied.param_groups[:len(copied.param_groups) if k else 0]:
            group["lr"] = float(lrs[k - 1])

    return rehearse(model, optimizer, batches, lrs, skip={"rate"}, before=before)[0]


@range_test.misconception(
    "The rates multiply those of the param groups. Here each group gets the rate itself.")
def rates_multiplied(model, optimizer, batches, lrs):
    own = [group["lr"] for group in optimizer.param_groups]

    def before(_, copied, k):
        for group, lr in zip(copied.param_groups, own):
            group["lr"] = lr * float(lrs[k])

    return rehearse(model, optimizer, batches, lrs, skip={"rate"}, before=before)[0]


@goes_wrong("All losses are those of the weights given: no update is made, or each is taken back at once. In the range test the "
            "updates follow one another, and all is put back at the end.")
def no_update(lrs):
    return dict(skip={"update"})


@goes_wrong("The modules are switched to evaluation mode for the test. They should stay in the mode they are in.")
def tested_in_evaluation_mode(lrs):
    return dict(before=lambda model, *_: model.eval())


@goes_wrong("All modules are switched to training mode for the test, frozen batch norm included. They should stay in the mode they "
            "are in.")
def tested_in_training_mode(lrs):
    return dict(before=lambda model, *_: model.train())


@goes_wrong("The loss is summed over the batch. Cross-entropy is a mean here.")
def summed_over_the_batch(lrs):
    return dict(loss=lambda logits, y: F.cross_entropy(logits, y, reduction="sum"))


@goes_wrong("The softmax is applied twice: cross-entropy takes logits and applies its own.")
def softmax_twice(lrs):
    return dict(loss=lambda logits, y: F.cross_entropy(logits.softmax(1), y))


@range_test.misconception("Every rate sees the first batch. There is one batch for each rate.")
def first_batch_only(model, optimizer, batches, lrs):
    return rehearse(model, optimizer, batches[:1] * len(lrs), lrs)[0]


@goes_wrong("The optimizer starts without its memory. It should go on from the state it is in.")
def starts_without_memory(lrs):
    return dict(before=lambda _, optimizer, k: optimizer.state.clear() if k == 0 else None)


@range_test.misconception(
    "The updates are plain gradient descent. The optimizer that is given should make them: its momentum or its moments decide "
    "which rates are too large.")
def plain_descent(model, optimizer, batches, lrs):
    copied = copy.deepcopy(model)
    return rehearse(copied, torch.optim.SGD(copied.parameters(), lr=1.0), batches, lrs)[0]


@range_test.misconception(
    "The test stops once the loss explodes. One loss for each rate is asked for, so that losses and rates have equal length.")
def stops_when_it_explodes(model, optimizer, batches, lrs):
    losses = on_copies(model, optimizer, batches, lrs).tolist()
    stop = next((k for k, loss in enumerate(losses) if loss > 4 * min(losses[:k + 1])), len(losses))
    return torch.tensor(losses[:stop + 1], dtype=F64)


@range_test.misconception("The loss after the last update is returned as well. Each rate has one loss, before its update.")
def one_loss_too_many(model, optimizer, batches, lrs):
    losses, after, _ = rehearse(model, optimizer, batches, lrs)
    return torch.cat([losses, F.cross_entropy(after(batches[-1][0]), batches[-1][1]).detach()[None]])


@range_test.misconception("That is the last loss alone. One loss for each rate is asked for.")
def last_loss_alone(model, optimizer, batches, lrs):
    return on_copies(model, optimizer, batches, lrs)[-1]


@range_test.misconception(
    "The losses are smoothed. Return them as they are; smoothing is a step of its own.")
def losses_smoothed(model, optimizer, batches, lrs):
    return weighted_means(on_copies(model, optimizer, batches, lrs), 0.9)
