"""Checks of chapter 11: numbers in sixteen bits, the loss scale, master weights and autocast.

Right bits come from PyTorch's own conversion, underflow from fp16's two borders, the scale's walk from
the operator below PyTorch's scaler, bytes from weighing tensors. A training step runs in real autocast
on the CPU, in both formats; whatever is wrong in it differs by more than the tolerance.
"""

import functools
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .ch06_scale_invariance import between, named, normal
from .ch10_one_cycle import drop_some_grads, left_behind, number, used, whole
from .exercise import Exercise
from .probe import Misfit, kind_of, plain

CHAPTER = "11_mixed_precision"
F32, F64, F16, BF16 = torch.float32, torch.float64, torch.float16, torch.bfloat16


# What the exercises of the chapter share.


def same_values(a, b):
    """Equal entry by entry, where NaN equals NaN."""
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)


def pure(fn, inputs):
    """Call `fn`; an input that holds NaN counts as changed only where something else stands there now."""
    watched = {name: t for key, value in inputs.items()
               for name, t in (enumerated(key, value) if isinstance(value, list) else [(key, value)])
               if isinstance(t, torch.Tensor)}
    before = {name: t.detach().clone() for name, t in watched.items()}
    returned = fn(**inputs)
    fn.mutated -= {name for name, t in watched.items() if same_values(before[name], t.detach())}
    return returned


def enumerated(name, values):
    return [(f"{name}[{i}]", value) for i, value in enumerate(values)]


def flag(value, name):
    """A yes or no in any form: bool, 0 or 1, or a tensor of one entry, as in PyTorch's scaler."""
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if not isinstance(value, (bool, np.bool_, int, float)) or value not in (0, 1):
        raise Misfit(f"{name} is {kind_of(value)}, expected True or False")
    return bool(value)


def largest(values):
    """The largest finite size."""
    return float(values.abs().nan_to_num(0.0, 0.0).max()) if values.numel() else 0.0


def exactly(want, inputs):
    return 0.0


# 11.2 round_to_bf16

SIGNS = "sign bit of rounded"


def signed(fn, inputs):
    """The values, and the signs, which tell −0 from 0. A NaN may have any sign and any payload."""
    parts = fn.parts(pure(fn, inputs))
    values = parts["rounded"]
    if isinstance(values, torch.Tensor) and values.is_floating_point():
        parts[SIGNS] = (values.signbit() & ~values.isnan()).to(torch.int8)
    return parts


round_to_bf16 = Exercise("round_to_bf16", CHAPTER, ("rounded",), read="11.2", probe=signed,
                         tolerances={"rounded": exactly, SIGNS: exactly})


@round_to_bf16.oracle
def converted(x):
    return x.to(torch.bfloat16).to(torch.float32)


def from_bits(*patterns):
    """float32 values from their bits, as whole numbers below 2³²."""
    return torch.from_numpy(np.array(patterns, dtype=np.uint32).view(np.float32))


def random_bits(g, *shape, least=0x0080, most=0x7F00):
    """Finite values of both signs, the upper half of the bits between `least` and `most`, the lower half anything."""
    upper = torch.randint(least, most, shape, generator=g) + 0x8000 * torch.randint(2, shape, generator=g)
    return from_bits(*(upper * 0x10000 + torch.randint(0x10000, shape, generator=g)).flatten().tolist()).reshape(shape)


def halfway(g, n):
    """Values in the middle between two neighbours in bf16, the lower one even or odd in turn."""
    upper = 2 * torch.randint(0x1E00, 0x2100, (n,), generator=g) + torch.arange(n) % 2
    return from_bits(*(upper * 0x10000 + 0x8000).tolist())


@round_to_bf16.case(note="ordinary numbers, both signs")
def ordinary(g):
    return dict(x=normal(g, 4, 5, dtype=F32))


@round_to_bf16.case(note="every entry lies halfway between two values of bf16")
def ties(g):
    return dict(x=halfway(g, 8))


@round_to_bf16.case(note="numbers of all sizes; not contiguous in memory")
def all_sizes(g):
    return dict(x=random_bits(g, 6, 5).T)


@round_to_bf16.case(note="0, −0 and subnormal numbers, which are smaller than 2^-126")
def subnormal(g):
    return dict(x=torch.cat([torch.tensor([0.0, -0.0]), random_bits(g, 10, least=0, most=0x80)]))


@round_to_bf16.case(note="infinities, the largest finite numbers, and NaN with four different bit patterns")
def special(g):
    return dict(x=from_bits(0x7F800000, 0xFF800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F7F7FFF, 0x7F7F8000,
                            0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF))


def cut(x, add=0):
    """The upper half of the bits, after `add` has been added to all of them; numpy's integers wrap."""
    patterns = x.detach().contiguous().numpy().copy().view(np.uint32)
    with np.errstate(over="ignore"):
        return torch.from_numpy((((patterns + np.uint32(add)) // 65536) * 65536).astype(np.uint32).view(np.float32))


def finite_or(x, values):
    """`values` where x is finite; elsewhere what is right."""
    return torch.where(x.isfinite(), values, converted(x))


@round_to_bf16.misconception(
    "NaN is rounded as if it were a number: the carry can run through its exponent and sign and leave 0 or an infinity. It needs a "
    "case of its own.")
def nan_rounded_like_a_number(x):
    odd = (cut(x).contiguous().numpy().view(np.uint32) // 65536 % 2).astype(bool)
    return torch.where(torch.from_numpy(odd), cut(x, add=0x8000), cut(x, add=0x7FFF))


@round_to_bf16.misconception("NaN becomes an infinity. It should stay NaN, whatever its bits.")
def nan_made_infinite(x):
    return converted(x).nan_to_num(math.inf, math.inf, -math.inf)


@round_to_bf16.misconception("NaN becomes 0. It should stay NaN: a training run must be able to notice it.")
def nan_made_zero(x):
    return converted(x).nan_to_num(0.0, math.inf, -math.inf)


@round_to_bf16.misconception(
    "Numbers that are too large stop at the largest finite value. Beyond the last halfway point they become infinite.")
def saturated(x):
    top = torch.finfo(BF16).max
    return torch.where(x.isinf(), x, converted(x).clamp(-top, top))


@round_to_bf16.misconception("Infinities become finite. They are values of bf16 and stay as they are.")
def infinities_made_finite(x):
    top = torch.finfo(BF16).max
    return converted(x).clamp(-top, top)


@round_to_bf16.misconception("Infinities become NaN. If you divide by the spacing at x: an infinity has none.")
def infinities_made_nan(x):
    return torch.where(x.isinf(), math.nan, converted(x))


@round_to_bf16.misconception(
    "The low bits are cut off, which rounds every number toward zero. Nearest means that a remainder of more than half goes up.")
def cut_off(x):
    return finite_or(x, cut(x))


@round_to_bf16.misconception(
    "The low bits are cut off. That rounds toward zero, and a NaN whose mark stands in the low bits alone becomes an infinity.")
def cut_off_without_regard_to_nan(x):
    return cut(x)


@round_to_bf16.misconception(
    "Halfway cases all go away from zero. To nearest even: of the two neighbours, take the one whose last bit is 0.")
def ties_away_from_zero(x):
    return finite_or(x, cut(x, add=0x8000))


@round_to_bf16.misconception(
    "Halfway cases all go away from zero, and a NaN is rounded like a number. Ties belong to the neighbour whose last bit is 0, "
    "and a NaN needs a case of its own.")
def ties_away_and_nan_rounded(x):
    return cut(x, add=0x8000)


@round_to_bf16.misconception(
    "Halfway cases all go toward zero. To nearest even: of the two neighbours, take the one whose last bit is 0.")
def ties_toward_zero(x):
    return finite_or(x, cut(x, add=0x7FFF))


@round_to_bf16.misconception(
    "The sign of zero is lost: −0 and 0 differ in one bit, and so do small negative numbers that round to zero.")
def sign_of_zero_lost(x):
    return converted(x) + 0.0


@round_to_bf16.misconception(
    "Subnormal numbers are set to 0. bf16 has the subnormal numbers of its own, down to 2^-133.")
def subnormals_flushed(x):
    return torch.where(x.abs() < torch.finfo(F32).tiny, 0.0 * x, converted(x))


def significant(x, digits):
    """To so many binary digits, half to even, with no least exponent; x comes back where it is not finite."""
    mantissa, exponent = torch.frexp(x.to(F64))
    rounded = torch.ldexp(torch.round(mantissa * 2.0**digits) / 2.0**digits, exponent)
    return torch.where(x.isfinite(), rounded, x.to(F64)).to(F32)


@round_to_bf16.misconception(
    "Below 2^-126 too many digits are kept. The exponent cannot fall further there, so the spacing stays the same.")
def subnormals_with_all_digits(x):
    return significant(x, 8)


@round_to_bf16.misconception(
    "One bit too many is kept. bf16 has one sign bit, eight of exponent and seven of fraction.")
def one_bit_too_many(x):
    return significant(x, 9)


@round_to_bf16.misconception(
    "One bit too few is kept. bf16 has seven bits of fraction, and a leading 1 that is not stored.")
def one_bit_too_few(x):
    return significant(x, 7)


@round_to_bf16.misconception(
    "Ten bits of fraction are kept, as tf32 does. bf16 has seven.")
def tf32(x):
    return significant(x, 11)


@round_to_bf16.misconception(
    "That is the other format of sixteen bits: fp16 has more digits and a smaller range. bf16 keeps the exponent of float32.")
def through_fp16(x):
    return x.half().to(F32)


@round_to_bf16.misconception("Nothing is rounded: x comes back as it was.")
def not_rounded(x):
    return x.clone()


# 11.3 fp16_underflow_fraction

ZERO_UP_TO, INFINITE_FROM = 2.0**-25, 65520.0  # halfway to the least, and beyond the largest, number of fp16


def share(fn, inputs):
    return {"fraction": number(fn(**inputs))}


fp16_underflow_fraction = Exercise("fp16_underflow_fraction", CHAPTER, ("fraction",), read="11.3", probe=share,
                                   tolerances={"fraction": lambda want, inputs: 1e-6})  # a mean in float32 will do


def lost_share(g, scale=1.0, *, limit=ZERO_UP_TO, among=None):
    """The share of entries other than 0 that lie within `limit`; `among` counts the whole differently."""
    sizes = g.detach().to(F64).abs() * scale
    lost = int(((sizes > 0) & (sizes <= limit)).sum())
    return lost / max(1, among(g) if among else int(torch.count_nonzero(g)))


@fp16_underflow_fraction.oracle
def within_the_border(g, scale=1.0):
    return lost_share(g, scale)


BANDS = (-34, -25.5), (-24.9, -24.1), (-23, -15), (-13, 0)  # of exponents: lost, rounded up, subnormal, normal


def gradient(g, counts, zeros=0, dtype=F32, shift=0.0):
    """Entries of both signs, so many from each band of magnitudes and so many zeros, in random order."""
    sizes = [2.0 ** (between(g, *band) - shift) for band, n in zip(BANDS, counts) for _ in range(n)] + [0.0] * zeros
    order = torch.randperm(len(sizes), generator=g)
    signs = 2.0 * torch.randint(2, (len(sizes),), generator=g) - 1
    return (signs * torch.tensor(sizes, dtype=F64)[order]).to(dtype)


@fp16_underflow_fraction.case(note="scale at its default; some entries are zero")
def spread_wide(g):
    return dict(g=gradient(g, (3, 2, 4, 2), zeros=5))


@fp16_underflow_fraction.case
def scaled(g):
    scale = between(g, 1800, 2200)
    return dict(g=gradient(g, (5, 2, 3, 4), zeros=4, dtype=F64, shift=math.log2(scale)).reshape(3, 6).T, scale=scale)


@fp16_underflow_fraction.case(note="all entries are zero")
def none_there(g):
    return dict(g=torch.zeros(2, 3))


@fp16_underflow_fraction.case(note="times the scale, some entries are too large for fp16")
def some_overflow(g):
    return dict(g=torch.cat([gradient(g, (2, 0, 0, 1), shift=14), 1 + normal(g, 5, dtype=F32).abs()]), scale=2.0**17)


@fp16_underflow_fraction.case(note="powers of two times 1, 1.5 and 0.99, close to the smallest numbers of fp16")
def at_the_border(g):
    return dict(g=torch.tensor([1.0, -1.0, 1.5, 0.99, 2.0, 4.0, -0.5, 1.01]) * 2.0**-25)


def counts(message):
    """Decorator: a misconception about what is counted, that gives 0.0 where nothing is."""
    def add(wrong):
        def guarded(g, scale=1.0):
            return float(wrong(g, scale)) if g.any() else 0.0

        return fp16_underflow_fraction.misconception(message)(named(wrong.__name__, guarded))

    return add


@counts("The scale multiplies after the conversion. What has become zero stays zero: scale first.")
def scaled_too_late(g, scale):
    return lost_share(g)


@counts("The zeros stand in the denominator. They cannot be lost: take the share of those that were not zero before.")
def among_all(g, scale):
    return lost_share(g, scale, among=torch.numel)


@counts("Entries that were zero before count as lost. Only the others can underflow.")
def zeros_count_as_lost(g, scale):
    return lost_share(g, scale, among=torch.numel) + int((g == 0).sum()) / g.numel()


@counts("The border is drawn at 2^-14, the smallest normal number. Below it fp16 has subnormal numbers, and they are not zero.")
def subnormals_count_as_lost(g, scale):
    return lost_share(g, scale, limit=math.nextafter(2.0**-14, 0))


@counts("The border is drawn at the smallest number of fp16. Conversion rounds to nearest: what is more than half of it "
        "becomes it.")
def rounding_forgotten(g, scale):
    return lost_share(g, scale, limit=math.nextafter(2.0**-24, 0))


@counts("Half of the smallest number counts as kept. It lies halfway between 0 and that number, and ties go to the even one.")
def tie_kept(g, scale):
    return lost_share(g, scale, limit=math.nextafter(ZERO_UP_TO, 0))


@counts("The scale divides there. It makes the gradients larger, so that fewer are lost.")
def divided_by_the_scale(g, scale):
    return lost_share(g, 1 / scale)


@counts("Entries that become infinite are counted, too. Those overflow; asked for is what becomes exactly 0.")
def overflow_counted(g, scale):
    sizes = g.to(F64).abs() * scale
    return lost_share(g, scale) + int((sizes >= INFINITE_FROM).sum()) / int(torch.count_nonzero(g))


@counts("That is the share that survives. Asked for is the share that is lost.")
def share_that_survives(g, scale):
    return 1 - lost_share(g, scale)


@counts("That is a count. A share lies between 0 and 1.")
def count_for_share(g, scale):
    return lost_share(g, scale, among=lambda g: 1)


@counts("That is a percentage. A share lies between 0 and 1.")
def per_cent(g, scale):
    return 100 * lost_share(g, scale)


@counts("That is the share lost in bf16, whose range is that of float32. Convert to fp16.")
def lost_in_bf16(g, scale):
    return lost_share(g, scale, limit=2.0**-134)


@fp16_underflow_fraction.misconception(
    "Where no entry is other than zero, 0 is divided by 0. The docstring says what to return there.")
def nothing_over_nothing(g, scale=1.0):
    return lost_share(g, scale) if g.any() else math.nan


@fp16_underflow_fraction.misconception(
    "Where no entry is other than zero, nothing is lost. The docstring says what to return there.")
def all_of_nothing(g, scale=1.0):
    return lost_share(g, scale) if g.any() else 1.0


# 11.3 choose_loss_scale

def chosen(fn, inputs):
    return {"scale": number(fn(**inputs))}


def refused(fn, inputs):
    """ValueError, or what comes back in its place; any other error is the student's to read."""
    try:
        got = fn(**inputs)
    except ValueError:
        return {"scale": "ValueError"}
    return {"scale": "None" if got is None else number(got)}


choose_loss_scale = Exercise("choose_loss_scale", CHAPTER, ("scale",), read="11.3", probe=chosen)


def doublings(g, tolerance, *, first=0, limit=ZERO_UP_TO, top=INFINITE_FROM, enough=float.__le__, among=None):
    """The first of 2^first, 2^(first+1), … with few enough entries lost, ValueError once one overflows."""
    largest = float(g.abs().max())
    for k in itertools.count(first):
        if largest * 2.0**k >= top:
            raise ValueError(f"2^{k} is too large")
        if enough(float(lost_share(g, 2.0**k, limit=limit, among=among)), float(tolerance)):
            return 2.0**k


@choose_loss_scale.oracle
def by_enumeration(g, tolerance):
    return doublings(g, tolerance)


def ladder(g, n, step=2.0, top=-26.5, dtype=F32):
    """n magnitudes, each 2^-step times the one before, and some large entries that are never lost."""
    small = [2.0 ** (top - step * i - between(g, 0.0, 0.3)) for i in range(n)]
    sizes = torch.tensor(small + [0.01] * n, dtype=F64)
    return sizes[torch.randperm(len(sizes), generator=g)].to(dtype)


def wide(g, top):
    """One entry that needs the scale 2^k, and one that 2^k makes as large as `top`."""
    k = whole(g, 4, 9)
    return torch.tensor([-top / 2.0**k, 2.0 ** -(24.5 + k), 0.1, 0.0])


@choose_loss_scale.case(note="some entries are zero, and a few may be lost")
def few_may_be_lost(g):
    return dict(g=torch.cat([ladder(g, 6), torch.zeros(8)]), tolerance=between(g, 0.18, 0.22))


@choose_loss_scale.case(note="nothing may be lost")
def nothing_may_be_lost(g):
    return dict(g=ladder(g, 4, dtype=F64).reshape(2, 4).T, tolerance=0.0)


@choose_loss_scale.case(note="the share that may be lost is met exactly")
def met_exactly(g):
    return dict(g=ladder(g, 8), tolerance=0.25)


@choose_loss_scale.case(note="nothing is lost at scale 1")
def none_needed(g):
    return dict(g=gradient(g, (0, 0, 4, 4)), tolerance=0.0)


@choose_loss_scale.case(note="all entries are zero")
def all_zero(g):
    return dict(g=torch.zeros(3, 2), tolerance=0.1)


@choose_loss_scale.case(probe=refused, note="the scale that is needed takes the largest entry close to the border of fp16")
def just_fits(g):
    return dict(g=wide(g, between(g, 65506, 65518)), tolerance=0.0)


@choose_loss_scale.case(probe=refused, note="too wide for fp16 at any scale")
def too_wide(g):
    return dict(g=wide(g, between(g, 65522, 65600)), tolerance=0.0)


@choose_loss_scale.case(probe=refused, note="the largest entry is infinite in fp16 at scale 1")
def too_large(g):
    return dict(g=torch.tensor([between(g, 66000, 90000), -1.0]), tolerance=0.5)


@choose_loss_scale.misconception(
    "The scale takes an entry past the largest number of fp16. Where every scale that saves the small entries does so, none fits.")
def overflow_ignored(g, tolerance):
    return doublings(g, tolerance, top=math.inf)


@choose_loss_scale.misconception(
    "The scale falls below 1, where the gradient is made smaller. The search starts at 1; what overflows there has no scale.")
def below_one(g, tolerance):
    fits = math.floor(math.log2(INFINITE_FROM / max(float(g.abs().max()), 1e-30)))
    return doublings(g, tolerance, first=min(0, fits))


@choose_loss_scale.misconception(
    "That is the largest scale without overflow. Asked for is the smallest that loses few enough.")
def largest_for_smallest(g, tolerance):
    return max(1.0, 2.0 ** math.floor(math.log2(INFINITE_FROM / float(g.abs().max())))) if g.any() else 1.0


@choose_loss_scale.misconception(
    "A scale that loses exactly the share allowed is passed over. At most the tolerance: equality is enough.")
def strictly_less(g, tolerance):
    if not g.any():
        return 1.0
    return doublings(g, tolerance, enough=lambda share, allowed: share < allowed or share == 0)


@choose_loss_scale.misconception("The zeros count in the share. They cannot be lost.")
def share_among_all(g, tolerance):
    return doublings(g, tolerance, among=torch.numel)


@choose_loss_scale.misconception(
    "The search starts at 2. A scale of 1 is allowed, and the smallest is asked for.")
def starts_at_two(g, tolerance):
    return doublings(g, tolerance, first=1) if g.any() else 1.0


@choose_loss_scale.misconception(
    "A scale is refused whose products are past 65504, the largest number of fp16. Conversion rounds, so a little more still fits.")
def border_at_the_largest_number(g, tolerance):
    return doublings(g, tolerance, top=math.nextafter(65504.0, math.inf))


@choose_loss_scale.misconception(
    "Each entry is lifted to the smallest number of fp16. Half of that is enough: conversion rounds to nearest.")
def up_to_the_smallest_number(g, tolerance):
    return doublings(g, tolerance, limit=math.nextafter(2.0**-24, 0))


@choose_loss_scale.misconception(
    "One doubling too many. Look whether the scale is doubled once more before it is returned.")
def doubled_once_more(g, tolerance):
    return 2 * doublings(g, tolerance) if g.any() else 1.0


@choose_loss_scale.misconception(
    "One doubling too few: at that scale too much is lost. Return the first scale that fits, not the last that does not.")
def one_doubling_short(g, tolerance):
    return max(1.0, doublings(g, tolerance) / 2)


@choose_loss_scale.misconception(
    "The small entries are lifted into fp16's normal numbers. A subnormal number is not lost, and a smaller scale will do.")
def into_the_normal_numbers(g, tolerance):
    return doublings(g, tolerance, limit=math.nextafter(2.0**-14, 0))


@choose_loss_scale.misconception(
    "That is no power of two. Those alone change no digit of a gradient: try 1, 2, 4 and so on.")
def no_power_of_two(g, tolerance):
    sizes = g[g != 0].to(F64).abs().sort().values
    return max(1.0, float(ZERO_UP_TO / sizes[math.floor(tolerance * len(sizes))])) if len(sizes) else 1.0


@choose_loss_scale.misconception("That is the exponent. The scale is two to this power.")
def exponent_for_scale(g, tolerance):
    return math.log2(doublings(g, tolerance))


@choose_loss_scale.misconception("That is PyTorch's starting value, whatever the gradient. Here the gradient decides.")
def pytorchs_start(g, tolerance):
    return 65536.0


@choose_loss_scale.misconception(
    "An infinity comes back where no scale fits. The docstring says which error to raise.")
def infinite_scale(g, tolerance):
    try:
        return doublings(g, tolerance)
    except ValueError:
        return math.inf


@choose_loss_scale.misconception(
    "None comes back where no scale fits. The docstring says which error to raise.")
def none_for_an_error(g, tolerance):
    try:
        return doublings(g, tolerance)
    except ValueError:
        return None


# 11.4 update_loss_scale


def each_update(fn, inputs):
    """The scale and the counter after every step, each fed back into the next."""
    scale, good_steps, scales, counters = inputs["scale"], inputs["good_steps"], [], []
    rest = {name: value for name, value in inputs.items() if name not in ("scale", "good_steps", "overflows")}
    for found in inputs["overflows"]:
        returned = fn(scale=scale, good_steps=good_steps, found_inf=found, **rest)
        parts = fn.parts(returned)
        scale, good_steps = number(parts["scale"]), number(parts["good_steps"])
        good_steps = int(good_steps) if good_steps.is_integer() else good_steps
        scales.append(scale)
        counters.append(good_steps)
    return {"scale": torch.tensor(scales, dtype=F64), "good_steps": torch.tensor(counters, dtype=F64)}


def float32_digits(want, inputs):
    """PyTorch keeps its scale in float32, which holds every scale of these cases exactly."""
    return 1e-6 * float(want.abs().min())


update_loss_scale = Exercise("update_loss_scale", CHAPTER, ("scale", "good_steps"), read="11.4", probe=each_update,
                             tolerances={"scale": float32_digits})


@update_loss_scale.oracle
def by_pytorchs_operator(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, tracker = torch.tensor(float(scale)), torch.tensor(good_steps, dtype=torch.int32)
    torch._amp_update_scale_(now, tracker, torch.tensor(float(found_inf)), growth, backoff, interval)
    return now.item(), tracker.item()


def history(text):
    """One step a letter: g for good, o for an overflow."""
    return [letter == "o" for letter in text]


@update_loss_scale.case(note="the scale and counter of each step are given to the next")
def both_ways(g):
    return dict(scale=8.0, good_steps=0, overflows=history("gggogggggg"), interval=3)


@update_loss_scale.case(note="growth and backoff other than the defaults")
def other_factors(g):
    return dict(scale=float(whole(g, 900, 1100)), good_steps=1, overflows=history("oggogggg"), growth=2.5, backoff=0.125,
                interval=2)


@update_loss_scale.case(note="all options at their defaults")
def at_the_defaults(g):
    return dict(scale=2.0**12, good_steps=1998, overflows=history("gggo"))


@update_loss_scale.case(note="the scale is close to the end of float32")
def near_the_end_of_float32(g):
    return dict(scale=2.0**125, good_steps=0, overflows=history("ggggggg"), growth=4.0, interval=2)


@update_loss_scale.case(note="one overflow after the other")
def only_overflows(g):
    return dict(scale=4.0, good_steps=0, overflows=history("oooog"), interval=5)


@update_loss_scale.misconception(
    "The counter runs on over an overflow, so that the scale grows right after a skipped step. It counts good steps in a row.")
def counter_kept_over_an_overflow(scale, good_steps, found_inf, **options):
    return by_pytorchs_operator(scale, good_steps, found_inf, **options)[0], \
        good_steps if found_inf else by_pytorchs_operator(scale, good_steps, found_inf, **options)[1]


@update_loss_scale.misconception(
    "A skipped step counts as a good one. Nothing was learnt in it; the counter starts again.")
def skipped_step_counted(scale, good_steps, found_inf, **options):
    if found_inf:
        return by_pytorchs_operator(scale, 0, True, **options)[0], good_steps + 1
    return by_pytorchs_operator(scale, min(good_steps, options.get("interval", 2000) - 1), False, **options)


@update_loss_scale.misconception(
    "The counter is not set back after growth. From then on the scale grows at every good step, or never again.")
def counter_kept_on_growth(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, counter = by_pytorchs_operator(scale, min(good_steps, interval - 1), found_inf, growth, backoff, interval)
    return now, counter if found_inf else good_steps + 1


@update_loss_scale.misconception(
    "The scale grows one step late. It grows at the interval-th good step: this step counts, too.")
def grows_one_step_late(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return by_pytorchs_operator(scale, good_steps, found_inf, growth, backoff, interval + 1)


@update_loss_scale.misconception(
    "The scale grows at the interval-th good step, but this step is then counted as the first of the next interval. The counter "
    "starts again at 0.")
def counter_back_to_one(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, counter = by_pytorchs_operator(scale, good_steps, found_inf, growth, backoff, interval)
    return now, 1 if counter == 0 and not found_inf else counter


@update_loss_scale.misconception("The scale grows one step early. It grows at the interval-th good step.")
def grows_one_step_early(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return by_pytorchs_operator(scale, good_steps, found_inf, growth, backoff, interval - 1)


@update_loss_scale.misconception(
    "The scale grows past float32 and would become infinite there. Growth that float32 cannot hold is refused.")
def grows_past_float32(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, counter = by_pytorchs_operator(1.0, good_steps, found_inf, growth, backoff, interval)
    return scale * now, counter


@update_loss_scale.misconception(
    "Growth that float32 cannot hold stops at the largest number of float32. It is refused: the scale stays as it is.")
def stops_at_the_largest(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, counter = grows_past_float32(scale, good_steps, found_inf, growth, backoff, interval)
    return min(now, torch.finfo(F32).max), counter


@update_loss_scale.misconception(
    "Where growth is refused, the counter runs on. It starts again all the same, as in PyTorch.")
def counter_kept_on_refusal(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, counter = by_pytorchs_operator(scale, good_steps, found_inf, growth, backoff, interval)
    refused = not found_inf and counter == 0 and now == scale
    return now, good_steps + 1 if refused else counter


@update_loss_scale.misconception(
    "Where growth is refused, the counter stays where it was. It starts again all the same, as in PyTorch.")
def counter_waits_on_refusal(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, counter = by_pytorchs_operator(scale, good_steps, found_inf, growth, backoff, interval)
    refused = not found_inf and counter == 0 and now == scale
    return now, good_steps if refused else counter


@update_loss_scale.misconception(
    "The scale grows after an overflow and falls after good steps. An overflow means that it was too large.")
def the_wrong_way_round(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return by_pytorchs_operator(scale, good_steps, found_inf, backoff, growth, interval)


@update_loss_scale.misconception(
    "The scale never falls. After an overflow the step is lost, and so will the next be unless the scale is smaller.")
def never_falls(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return by_pytorchs_operator(scale, good_steps, found_inf, growth, 1.0, interval)


@update_loss_scale.misconception("The scale never grows. After enough good steps a larger one is tried.")
def never_grows(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return by_pytorchs_operator(scale, good_steps, found_inf, 1.0, backoff, interval)


@update_loss_scale.misconception("The scale grows at every good step. It waits for as many in a row as interval says.")
def grows_every_time(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, _ = by_pytorchs_operator(scale, 0, found_inf, growth, backoff, 1)
    return now, by_pytorchs_operator(scale, good_steps, found_inf, growth, backoff, interval)[1]


@update_loss_scale.misconception(
    "The factors 2 and ½ and the interval 2000 are fixed. They are arguments: use the values that are given.")
def defaults_whatever_is_given(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return by_pytorchs_operator(scale, good_steps, found_inf)


@update_loss_scale.misconception(
    "The scale falls by the inverse of growth. backoff is a factor of its own.")
def backoff_from_growth(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return by_pytorchs_operator(scale, good_steps, found_inf, growth, 1 / growth, interval)


@update_loss_scale.misconception(
    "The scale is divided by backoff, which is less than 1: so it grows. It is a factor.")
def divided_by_backoff(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return by_pytorchs_operator(scale, good_steps, found_inf, growth, 1 / backoff, interval)


@update_loss_scale.misconception(
    "The scale stops at 1. Nothing keeps a scale from being smaller: gradients may be too large as well.")
def floor_at_one(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, counter = by_pytorchs_operator(scale, good_steps, found_inf, growth, backoff, interval)
    return max(1.0, now), counter


@update_loss_scale.misconception("growth is added. It is a factor.")
def growth_added(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, counter = by_pytorchs_operator(scale, good_steps, found_inf, growth, backoff, interval)
    return scale + growth if not found_inf and counter == 0 else now, counter


# 11.4 unscale_and_clip


def clipped(fn, inputs):
    """Each gradient under its place in the list, and the flag."""
    grads, found = two(pure(fn, inputs))
    if not isinstance(grads, (list, tuple)) or len(grads) != len(inputs["grads"]):
        kind = f"{len(grads)} gradients" if isinstance(grads, (list, tuple)) else kind_of(grads)
        raise Misfit(f"grads is {kind}, expected a list of {len(inputs['grads'])}")
    return dict(enumerated("grads", map(plain, grads))) | {"found_inf": flag(found, "found_inf")}


def flagged(fn, inputs):
    """The flag alone: where it is True, the gradients may be anything."""
    return {"found_inf": flag(two(pure(fn, inputs))[1], "found_inf")}


def two(returned):
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise Misfit(f"returned {kind_of(returned)}, expected 2 values: (grads, found_inf)")
    return returned


def within_pytorchs_term(want, inputs):
    """PyTorch adds 1e-6 to the norm, which is at least 0.5 in every case."""
    return 1e-5 * largest(want)


PLACES = 6  # the longest list of gradients in a case
unscale_and_clip = Exercise("unscale_and_clip", CHAPTER, ("grads", "found_inf"), read="11.4", probe=clipped,
                            tolerances={f"grads[{i}]": within_pytorchs_term for i in range(PLACES)})


def clip(grads, max_norm, size=2.0):
    """At most max_norm in the norm of order `size`, all together; by way of PyTorch's own clipping in float64."""
    leaves = [torch.zeros_like(g, dtype=F64).requires_grad_() for g in grads]
    for leaf, g in zip(leaves, grads):
        leaf.grad = g.detach().to(F64)
    total = torch.nn.utils.get_total_norm([leaf.grad for leaf in leaves], norm_type=size)
    torch.nn.utils.clip_grads_with_norm_(leaves, max(0.0, max_norm - 1e-6 * max_norm / (float(total) + 1e-6)), total)
    return [leaf.grad.to(g.dtype) for leaf, g in zip(leaves, grads)]


def over(grads, scale):
    return [torch.div(g.detach().to(F64), scale).to(g.dtype) for g in grads]


def not_finite(grads):
    return not math.isfinite(sum(float((0 * g.detach()).sum()) for g in grads))


@unscale_and_clip.oracle
def by_pytorchs_clipping(grads, scale, max_norm):
    return clip(over(grads, scale), max_norm), not_finite(grads)


def scaled_gradients(g, shapes, norm, scale, dtype=F32):
    """Gradients of the scaled loss whose true norm is `norm`."""
    grads = [normal(g, *shape) for shape in shapes]
    size = math.sqrt(sum(float(t.square().sum()) for t in grads))
    return [(t * (norm * scale / size)).to(dtype) for t in grads]


SHAPES = (3, 4), (5,), (2, 1, 3)


def clipping(g, norm, max_norm, dtype=F32, scale=None, shapes=SHAPES):
    scale = scale or between(g, 300, 500)
    return dict(grads=scaled_gradients(g, shapes, norm, scale, dtype), scale=scale, max_norm=max_norm)


@unscale_and_clip.case(note="the true gradients are shorter than max_norm")
def inactive(g):
    return clipping(g, between(g, 0.6, 0.8), between(g, 1.4, 1.8))


@unscale_and_clip.case(note="the true gradients are longer than max_norm")
def active(g):
    return clipping(g, between(g, 14, 18), between(g, 1.4, 1.8), dtype=F64)


@unscale_and_clip.case(note="shorter than max_norm all together; scale less than 1")
def inactive_small_scale(g):
    return clipping(g, between(g, 2, 3), between(g, 3.5, 4.5), dtype=F64, scale=between(g, 0.1, 0.2))


def with_entry(g, place, value, dtype=F32):
    """Finite gradients but for one entry of the tensor at `place`."""
    inputs = clipping(g, between(g, 0.6, 0.8), 1.0, dtype)
    inputs["grads"][place].view(-1)[whole(g, 0, inputs["grads"][place].numel())] = value
    return inputs


@unscale_and_clip.case(probe=flagged, note="one entry of the first gradient is infinite")
def one_infinity(g):
    return with_entry(g, 0, math.inf)


@unscale_and_clip.case(probe=flagged, note="one entry of the last gradient is NaN")
def one_nan(g):
    return with_entry(g, 2, math.nan)


@unscale_and_clip.case(probe=flagged, note="one entry of the second gradient is minus infinity")
def one_minus_infinity(g):
    return with_entry(g, 1, -math.inf)


@unscale_and_clip.case(probe=flagged, note="one entry of the first gradient is NaN, one of the last is infinite")
def at_both_ends(g):
    inputs = with_entry(g, 0, math.nan, F64)
    inputs["grads"][2].view(-1)[1] = math.inf
    return inputs


@unscale_and_clip.case(probe=flagged, note="every gradient holds an infinity")
def everywhere(g):
    inputs = with_entry(g, 0, -math.inf)
    for t in inputs["grads"][1:]:
        t.view(-1)[0] = math.inf
    return inputs


def unscales(message):
    """Decorator: a misconception about the gradients, which says rightly whether all are finite."""
    def add(wrong):
        def with_flag(grads, scale, max_norm):
            return wrong(grads, scale, max_norm), not_finite(grads)

        return unscale_and_clip.misconception(message)(named(wrong.__name__, with_flag))

    return add


@unscales("The scaled gradients are clipped, and only then divided by the scale. max_norm bounds the true gradients: "
          "clipped before, they come out far too short.")
def clipped_before_unscaling(grads, scale, max_norm):
    return over(clip(grads, max_norm), scale)


@unscales("The gradients are divided by the scale twice.")
def unscaled_twice(grads, scale, max_norm):
    return clip(over(over(grads, scale), scale), max_norm)


@unscales("The gradients are never divided by the scale. Where clipping is active, that hides the mistake; elsewhere not.")
def never_unscaled(grads, scale, max_norm):
    return clip(grads, max_norm)


@unscales("The gradients are multiplied by the scale. They hold it as a factor already: it has to go.")
def multiplied_by_the_scale(grads, scale, max_norm):
    return clip(over(grads, 1 / scale), max_norm)


@unscales("The scale is rounded to a power of two. Use the scale that is given.")
def nearest_power_of_two(grads, scale, max_norm):
    return clip(over(grads, 2.0 ** round(math.log2(scale))), max_norm)


@unscales("Each tensor is clipped by its own norm, which turns the direction of the step. The global norm takes all entries "
          "of all tensors together.")
def each_by_its_own_norm(grads, scale, max_norm):
    return [clip([g], max_norm)[0] for g in over(grads, scale)]


@unscales("The gradients come out unclipped. Where their norm is more than max_norm, shorten them to it.")
def never_clipped(grads, scale, max_norm):
    return over(grads, scale)


@unscales("Each entry is clipped to ±max_norm. Clipping by norm multiplies all entries by the same factor.")
def each_entry_clipped(grads, scale, max_norm):
    return [g.clamp(-max_norm, max_norm) for g in over(grads, scale)]


@unscales("The gradients are stretched to max_norm where they are shorter. Clipping makes nothing longer.")
def always_of_that_norm(grads, scale, max_norm):
    grads = over(grads, scale)
    total = float(torch.nn.utils.get_total_norm([g.to(F64) for g in grads]))
    return over(grads, total / max_norm) if total else grads


@unscales("The norm is the largest entry there. The global norm is Euclidean.")
def largest_entry(grads, scale, max_norm):
    return clip(over(grads, scale), max_norm, size=math.inf)


@unscales("The norm is the sum of absolute values there. The global norm is Euclidean.")
def sum_of_sizes(grads, scale, max_norm):
    return clip(over(grads, scale), max_norm, size=1.0)


@unscales("The squared norm stands where the norm belongs: a root is missing.")
def root_forgotten(grads, scale, max_norm):
    grads = over(grads, scale)
    total = float(torch.nn.utils.get_total_norm([g.to(F64) for g in grads])) ** 2
    return over(grads, max(1.0, total / max_norm))


@unscales("The norms of the tensors are added. Add their squares, and take the root.")
def norms_added(grads, scale, max_norm):
    grads = over(grads, scale)
    total = sum(float(g.norm()) for g in grads)
    return over(grads, max(1.0, total / max_norm))


@unscales("The gradients are divided by the scale only where they are clipped, or clipped by a factor that holds the scale. "
          "Unscale always, then clip.")
def unscaled_only_when_clipped(grads, scale, max_norm):
    true = over(grads, scale)
    total = float(torch.nn.utils.get_total_norm([g.to(F64) for g in true]))
    return clip(true, max_norm) if total > max_norm else list(grads)


def finds(message):
    """Decorator: a misconception about what counts as found."""
    def add(wrong):
        def with_gradients(grads, scale, max_norm):
            return by_pytorchs_clipping(grads, scale, max_norm)[0], wrong([g.detach() for g in grads])

        return unscale_and_clip.misconception(message)(named(wrong.__name__, with_gradients))

    return add


@finds("Minus infinity is overlooked.")
def minus_infinity_overlooked(grads):
    return any(bool((g.isnan() | (g == math.inf)).any()) for g in grads)


@finds("Only the last tensor is looked at: each overwrites what was found before.")
def only_the_last(grads):
    return not_finite(grads[-1:])


@finds("Only infinities are found. A NaN makes the step just as useless: it counts.")
def nan_overlooked(grads):
    return any(bool(g.isinf().any()) for g in grads)


@finds("Only NaN is found. Infinities count as well.")
def infinities_overlooked(grads):
    return any(bool(g.isnan().any()) for g in grads)


@finds("Only the first tensor is looked at. One bad entry anywhere spoils the step.")
def only_the_first(grads):
    return not_finite(grads[:1])


@finds("Found means every tensor has a bad entry there. One is enough.")
def all_of_them(grads):
    return all(not_finite([g]) for g in grads)


@finds("Nothing is ever found. Where an entry is infinite or NaN, the flag is True.")
def never_found(grads):
    return False


@finds("The flag is the other way round: True means that an entry is infinite or NaN.")
def flag_turned(grads):
    return not not_finite(grads)


# 11.5 master_weight_step

master_weight_step = Exercise("master_weight_step", CHAPTER, ("w32", "w_low"), read="11.5")


def is_power_of_two(lr):
    return math.frexp(lr)[0] == 0.5


def of_the_master(want, inputs):
    """Two roundings of float32."""
    return 1e-6 * largest(want)


def of_the_copy(want, inputs):
    """Exact where the arithmetic of the case is; elsewhere float32 may round another way, and one digit may differ."""
    return 0.0 if is_power_of_two(inputs["lr"]) else 2 * largest(want) * torch.finfo(want.dtype).eps


master_weight_step.tolerances.update(w32=of_the_master, w_low=of_the_copy)


@master_weight_step.oracle
def descend_in_float64(w32, g_low, lr, dtype):
    new = torch.add(w32.detach().to(F64), g_low.detach().to(F64), alpha=-lr).to(w32.dtype)
    return new, new.to(dtype)


def on_a_grid(g, shape, step, most):
    """Whole multiples of `step`, of both signs: sums and products of such numbers are exact in float32."""
    return torch.randint(-most, most + 1, shape, generator=g).to(F32) * step


def exact_step(g, dtype, shape=(4, 3), master=F32):
    """lr is a power of two, g has seven binary digits, w32 twenty-one: float32 rounds nothing."""
    w = on_a_grid(g, shape, 2.0**-20, 2**21).to(master)
    return dict(w32=w, g_low=on_a_grid(g, shape, 2.0**-6, 127).to(dtype), lr=2.0**-6, dtype=dtype)


@master_weight_step.case
def bf16_step(g):
    return exact_step(g, BF16)


@master_weight_step.case
def fp16_step(g):
    return exact_step(g, F16, shape=(7,))


@master_weight_step.case(note="steps far smaller than the spacing of bf16 at 1")
def tiny_steps(g):
    signs = 2.0 * torch.randint(2, (6,), generator=g) - 1
    return dict(w32=1 + torch.rand(6, generator=g), g_low=(signs * (0.5 + torch.rand(6, generator=g))).bfloat16(), lr=2.0**-12,
                dtype=BF16)


@master_weight_step.case
def generic_step(g):
    return dict(w32=normal(g, 5, 2, dtype=F32), g_low=normal(g, 5, 2, dtype=F32).half(), lr=between(g, 0.05, 0.15), dtype=F16)


@master_weight_step.misconception(
    "The master is right, and the copy has a step of its own in low precision. It is the new master, rounded.")
def copy_goes_its_own_way(w32, g_low, lr, dtype):
    return descend_in_float64(w32, g_low, lr, dtype)[0], accumulated_in_low_precision(w32, g_low, lr, dtype)[1]


@master_weight_step.misconception(
    "The update is added up in low precision. A step smaller than half the spacing at w vanishes there, however often it comes: "
    "that is what the master is for.")
def accumulated_in_low_precision(w32, g_low, lr, dtype):
    low = w32.detach().to(dtype) - g_low.detach() * lr
    return low.to(w32.dtype), low


@master_weight_step.misconception(
    "The new master has gone through low precision. Small steps vanish there: only the copy is rounded, never the master.")
def master_rounded(w32, g_low, lr, dtype):
    low = descend_in_float64(w32, g_low, lr, dtype)[1]
    return low.to(w32.dtype), low


@master_weight_step.misconception(
    "The product of lr and the gradient is rounded to low precision. Bring the gradient to the master's dtype first.")
def product_rounded(w32, g_low, lr, dtype):
    new = w32.detach() - (lr * g_low.detach()).to(w32.dtype)
    return new, new.to(dtype)


@master_weight_step.misconception(
    "The step starts from the rounded weights. The master starts from what it was, with all its digits.")
def starts_from_the_copy(w32, g_low, lr, dtype):
    return descend_in_float64(w32.detach().to(dtype).to(w32.dtype), g_low, lr, dtype)


@master_weight_step.misconception("The copy is that of the old master. The next forward pass needs the new one.")
def copy_of_the_old_master(w32, g_low, lr, dtype):
    return descend_in_float64(w32, g_low, lr, dtype)[0], w32.detach().to(dtype)


@master_weight_step.misconception("The master stays as it was: only the copy moves, and the next step forgets that.")
def master_not_updated(w32, g_low, lr, dtype):
    return w32.detach().clone(), descend_in_float64(w32, g_low, lr, dtype)[1]


@master_weight_step.misconception("The step goes up the gradient. The loss falls against it.")
def up_the_gradient(w32, g_low, lr, dtype):
    return descend_in_float64(w32, g_low, -lr, dtype)


@master_weight_step.misconception("lr has no effect.")
def lr_forgotten(w32, g_low, lr, dtype):
    return descend_in_float64(w32, g_low, 1.0, dtype)


@master_weight_step.misconception("The copy is bf16 whatever dtype is given.")
def copy_always_bf16(w32, g_low, lr, dtype):
    return descend_in_float64(w32, g_low, lr, BF16)


@master_weight_step.misconception("The copy is fp16 whatever dtype is given.")
def copy_always_fp16(w32, g_low, lr, dtype):
    return descend_in_float64(w32, g_low, lr, F16)


# 11.6 training_bytes

OPTIMIZERS = "sgd", "momentum", "adam"
PRECISIONS = "fp32", "amp", "master", "pure"


def each_precision(fn, inputs):
    """One row for each precision: the bytes with sgd, momentum and adam."""
    rows = {p: [number(fn(num_params=inputs["num_params"], optimizer=o, precision=p)) for o in OPTIMIZERS] for p in PRECISIONS}
    return {f"bytes in {p} with sgd, momentum, adam": torch.tensor(row, dtype=F64) for p, row in rows.items()}


training_bytes = Exercise("training_bytes", CHAPTER, ("bytes",), read="11.6", probe=each_precision,
                          tolerances={f"bytes in {p} with sgd, momentum, adam": exactly for p in PRECISIONS})

WEIGHT = {"fp32": F32, "amp": F32, "master": BF16, "pure": BF16}
STATE = {"fp32": F32, "amp": F32, "master": F32, "pure": BF16}
WEIGHED = 64  # parameters that are laid on the scales; the rest weigh as much


@functools.cache
def weigh(optimizer, precision, *, weight=(), gradient=(), state=(), states=(), copy=None):
    """Bytes of `WEIGHED` parameters, by weighing tensors; each table replaces entries of the right one."""
    weights = torch.zeros(WEIGHED, dtype=dict(WEIGHT, **dict(weight))[precision])
    slope = torch.zeros(WEIGHED, dtype=dict(WEIGHT, **dict(gradient)).get(precision))
    master = [torch.zeros(WEIGHED, dtype=F32)] if precision in (copy if copy is not None else ("master",)) else []
    steered = torch.zeros(WEIGHED, dtype=dict(STATE, **dict(state))[precision]).requires_grad_()
    return sum(t.nbytes for t in [weights, slope, *master, *remembered(dict(states).get(optimizer, optimizer), steered)])


def remembered(optimizer, parameter):
    """What PyTorch's optimizer keeps for each entry of a parameter after a step."""
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}.get(optimizer, functools.partial(torch.optim.SGD, momentum=0.9))
    made = make([parameter], lr=0.1)
    parameter.grad = torch.zeros_like(parameter)
    made.step(None)
    return [t for t in made.state[parameter].values() if isinstance(t, torch.Tensor) and t.shape == parameter.shape]


@training_bytes.oracle
def by_weighing(num_params, optimizer, precision):
    return num_params * weigh(optimizer, precision) // WEIGHED


@training_bytes.case(note="every optimizer with every precision")
def some_parameters(g):
    return dict(num_params=whole(g, 1000, 9000))


@training_bytes.case(note="every optimizer with every precision")
def billions(g):
    return dict(num_params=7_000_000_000 + whole(g, 0, 1000))


def weighs(message, **turn):
    """A misconception: tensors of another dtype, or others than those that are there."""
    def add(name, factor=1.0):
        def wrong(num_params, optimizer, precision):
            return factor * num_params * weigh(optimizer, precision, **turn) / WEIGHED

        return training_bytes.misconception(message)(named(name, wrong))

    return add


HALVES = (("amp", BF16),)
NOTHING_HALF = (("master", F32), ("pure", F32))

weighs("Autocast is counted as if weights and gradients were stored in two bytes. It stores both in float32 and converts on the "
       "way through a layer; what it saves is activations.", weight=HALVES, gradient=HALVES)("autocast_stores_halves")
weighs("Autocast is counted with gradients of two bytes. They have the dtype of the weights they belong to, and those are float32.",
       gradient=HALVES)("autocast_gradients_in_half")
weighs("Autocast is counted as if it were a master copy beside weights of two bytes and gradients of four. It has no second copy "
       "that stays.", weight=HALVES, copy=("master", "amp"))("autocast_keeps_a_copy")
weighs("Autocast is counted with states of two bytes. The optimizer never notices autocast.",
       state=HALVES)("autocast_states_in_half")
weighs("Autocast is counted as \"pure\": everything in two bytes. It stores weights, gradients and states in float32.",
       weight=HALVES, gradient=HALVES, state=HALVES)("autocast_is_pure")
weighs("The master copy is left out. It is a third set of weights, with four bytes each.", copy=())("master_forgotten")
weighs("The master copy is counted, but gradients have four bytes beside it. They come in low precision.",
       gradient=(("master", F32),))("master_gradients_in_float32")
weighs("The states of \"master\" are counted with two bytes. They steer the master and are as precise as it is.",
       state=(("master", BF16),))("master_states_in_half")
weighs("The states of \"pure\" are counted with four bytes. Nothing in it has more than two.",
       state=(("pure", F32),))("pure_states_in_float32")
weighs("Weights and gradients have four bytes in every precision there. In \"master\" and \"pure\" they have two.",
       weight=NOTHING_HALF, gradient=NOTHING_HALF)("nothing_in_half")
weighs("The states of the optimizer are left out.", states=(("momentum", "sgd"), ("adam", "sgd")))("states_forgotten")
weighs("Adam is counted with one state. It keeps two: a mean of gradients and a mean of their squares.",
       states=(("adam", "momentum"),))("adam_with_one_state")
weighs("Momentum is counted with two states. It keeps one.", states=(("momentum", "adam"),))("momentum_with_two_states")
weighs("Plain gradient descent is counted with a state. It remembers nothing.", states=(("sgd", "momentum"),))("sgd_with_a_state")
weighs("Those are bits. A byte has eight.")("bits_for_bytes", 8)
weighs("That is kibi-, mebi- or gigabytes. Bytes are asked for.")("kibibytes", 1 / 1024)


def share_of_bytes(message):
    """Decorator: a misconception that leaves something out; `wrong` says how many bytes a parameter."""
    def add(wrong):
        def missing(num_params, optimizer, precision):
            return num_params * (weigh(optimizer, precision) / WEIGHED - wrong(precision))

        return training_bytes.misconception(message)(named(wrong.__name__, missing))

    return add


@share_of_bytes("Either the weights or the gradients are left out. There are as many of the ones as of the others, in the same "
                "dtype.")
def weights_or_gradients_forgotten(precision):
    return WEIGHT[precision].itemsize


# 11.7 choose_amp


def in_words(fn, inputs):
    """The dtype by name, and the flag."""
    returned = fn(**inputs)
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise Misfit(f"returned {kind_of(returned)}, expected 2 values: (dtype, use_scaler)")
    dtype, use_scaler = returned
    if not isinstance(dtype, torch.dtype):
        raise Misfit(f"dtype is {kind_of(dtype)}, expected a dtype of torch")
    return {"dtype": str(dtype), "use_scaler": flag(use_scaler, "use_scaler")}


choose_amp = Exercise("choose_amp", CHAPTER, ("dtype", "use_scaler"), read="11.7", probe=in_words)

ARCHITECTURES = {7: "Volta, Turing", 8: "Ampere, Ada", 9: "Hopper", 10: "Blackwell", 11: "Blackwell", 12: "Blackwell"}


@choose_amp.oracle
def by_architecture(capability):
    old = ARCHITECTURES[capability[0]].startswith("Volta")
    return {True: F16, False: BF16}[old], old


CARDS = {(7, 0): "a V100", (7, 5): "a T4", (8, 0): "an A100", (8, 6): "an RTX 3090", (8, 9): "an RTX 4090", (9, 0): "an H100",
         (10, 0): "a B200", (12, 0): "an RTX 5090"}


def card(capability):
    return lambda g: dict(capability=capability)


for capability, example in CARDS.items():
    choose_amp.case(card(capability), note=f"such as {example}")


@choose_amp.misconception("fp16 goes without a scaler there. Its small gradients are lost: that is what the scaler is for.")
def fp16_without_a_scaler(capability):
    return by_architecture(capability)[0], False


@choose_amp.misconception("Turing, (7, 5), gets bf16. Its tensor cores have none; they compute in fp16.")
def from_turing_on(capability):
    return (BF16, False) if capability >= (7, 5) else (F16, True)


@choose_amp.misconception(
    "These devices get bf16, which PyTorch reports as supported there: it is emulated, and slow. Their tensor "
    "cores compute in fp16.")
def emulated_bf16(capability):
    return BF16, False


@choose_amp.misconception("bf16 gets a scaler there. It has the range of float32: nothing underflows that float32 would keep.")
def scaler_always(capability):
    return by_architecture(capability)[0], True


@choose_amp.misconception("The scaler goes with the wrong one of the two formats. Which of them has the small range?")
def scaler_for_bf16(capability):
    dtype, scaler = by_architecture(capability)
    return dtype, not scaler


@choose_amp.misconception(
    "The numbers are compared as text, where 10 comes before 8. Compare the tuples.")
def compared_as_text(capability):
    new = "{}.{}".format(*capability) >= "8.0"
    return BF16 if new else F16, not new


@choose_amp.misconception("(8, 0) itself gets fp16. It is the first with bf16.")
def first_one_left_out(capability):
    return (BF16, False) if capability > (8, 0) else (F16, True)


@choose_amp.misconception("All of major 8 get fp16. Their tensor cores compute in bf16.")
def from_major_nine(capability):
    return (BF16, False) if capability[0] > 8 else (F16, True)


@choose_amp.misconception("Only devices of major 8 get bf16. Those after them have it, too.")
def major_eight_alone(capability):
    return (BF16, False) if capability[0] == 8 else (F16, True)


@choose_amp.misconception("Every device gets fp16 and a scaler. Those that compute in bf16 do better without.")
def fp16_always(capability):
    return F16, True


@choose_amp.misconception("The formats are exchanged: the older devices are the ones without bf16.")
def exchanged(capability):
    old = by_architecture(capability)[1]
    return BF16 if old else F16, not old


# 11.7 amp_step

BACKWARD = "autocast during the backward pass"
CLOSE = 1e-5  # whatever is wrong moves a loss or a parameter by 1e-4


class Watch(nn.Module):
    """Passes x on, and notes whether autocast is on while the gradient comes back."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        if x.requires_grad:
            x.register_hook(lambda grad: self.seen.append(torch.is_autocast_enabled(x.device.type)))
        return x * 1


def small_network():
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), Watch(), nn.Linear(16, 4))


def normalised_network():
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Tanh(), Watch(), nn.Linear(12, 4))


def dropout_in_evaluation():
    """Dropout rests; batch norm is in training mode."""
    model = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Tanh(), Watch(), nn.Linear(12, 4))
    model[2].eval()
    return model


def faint_network():
    """The last layer's weights are so small that fp16 loses the gradients of the first."""
    model = small_network()
    model[-1].weight.data *= 2.0**-19
    return model


def momentum(model):
    """In use already: it remembers two steps, and gradients of an earlier pass are left."""
    optimizer = used(model, torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.5))
    drop_some_grads(model)
    return optimizer


def plain_descent(model):
    return torch.optim.SGD(model.parameters(), lr=0.4)


def steep_descent(model):
    """The first layer learns from very small gradients, the last one rests."""
    return torch.optim.SGD([dict(params=model[0].parameters(), lr=2e6), dict(params=model[-1].parameters(), lr=0.0)])


def stage(network, optimizer, steps, seed, start=None, backoff=0.5, **rest):
    """Model, optimizer, scaler and batches: the same for the same arguments."""
    torch.default_generator.manual_seed(seed)
    model = network()
    batches = [(torch.randn(8, 6), torch.randint(4, (8,))) for _ in range(steps)]
    scaler = torch.amp.GradScaler("cpu", init_scale=start, growth_interval=2, backoff_factor=backoff) if start else None
    return model, optimizer(model), scaler, batches


def steps_in_autocast(fn, inputs):
    """The loss of each step, and what the steps leave behind in model, optimizer and scaler."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        model, optimizer, scaler, batches = stage(**inputs)
        given = dict(model=model, optimizer=optimizer, dtype=inputs["dtype"]) | ({"scaler": scaler} if scaler else {})
        losses = [number(fn(x=x, y=y, **given)) for x, y in batches]
        seen = [on for m in model.modules() if isinstance(m, Watch) for on in m.seen]
        dtypes = sorted({str(p.dtype).removeprefix("torch.") for p in model.parameters()})
        left = left_behind(model, optimizer)
    del left[".grad afterwards (nan for None)"]
    parts = {"loss of each step": torch.tensor(losses, dtype=F64)} | left
    parts |= {"dtype of the parameters afterwards": ", ".join(dtypes), BACKWARD: "on" if any(seen) else "off"}
    return parts | ({"scale afterwards": scaler.get_scale()} if scaler else {})


def close(want, inputs):
    return CLOSE


amp_step = Exercise("amp_step", CHAPTER, ("loss",), read="11.7", probe=steps_in_autocast, tolerances={
    part: close for part in ("loss of each step", "parameters afterwards", "buffers afterwards", "optimizer's state afterwards")})


def entropy_inside(model, x, y, dtype):
    """Forward pass and loss in real autocast."""
    with torch.autocast(device_type="cpu", dtype=dtype, cache_enabled=True):
        return F.cross_entropy(input=model(x), target=y)


def rehearse(model, optimizer, x, y, dtype, scaler=None, *, forward=entropy_inside, scaling=True, stepping=None, updating=True,
             adding=False, mixed=False):
    """One step, its gradients taken from the graph; whatever is given beside the exercise's arguments makes it wrong."""
    value = forward(model, x, y, dtype)
    learning = [p for p in model.parameters() if p.requires_grad]
    with torch.autocast(device_type="cpu", dtype=dtype, enabled=mixed):
        slopes = torch.autograd.grad(scaler.scale(value) if scaler and scaling else value, learning)
    for p, slope in zip(learning, slopes):
        p.grad = p.grad + slope if adding and p.grad is not None else slope
    if stepping:
        stepping(optimizer, scaler)
    elif scaler and scaling:
        scaler.step(optimizer=optimizer)
    else:
        optimizer.step(closure=None)
    if scaler and updating and scaling:
        scaler.update(new_scale=None)
    return float(value.detach())


@amp_step.oracle
def in_real_autocast(model, optimizer, x, y, dtype, scaler=None):
    return rehearse(model, optimizer, x, y, dtype, scaler)


def lesson(g, network, optimizer, dtype, steps, **scaler):
    return dict(network=network, optimizer=optimizer, dtype=dtype, steps=steps, seed=whole(g, 0, 10**6)) | scaler


@amp_step.case(note="two steps in bf16; the optimizer has been used, and gradients of an earlier pass are left")
def bf16_used(g):
    return lesson(g, small_network, momentum, BF16, 2)


@amp_step.case(note="three steps in fp16 without a scaler")
def fp16_alone(g):
    return lesson(g, normalised_network, plain_descent, F16, 3)


@amp_step.case(note="three steps in fp16 with a scaler, on a network with very small gradients")
def fp16_scaled(g):
    return lesson(g, faint_network, steep_descent, F16, 3, start=2.0**14)


@amp_step.case(note="one step in fp16 with a scaler, and it overflows")
def fp16_skips(g):
    return lesson(g, small_network, momentum, F16, 1, start=2.0**40)


@amp_step.case(note="one step in bf16; dropout is in evaluation mode, batch norm in training mode")
def bf16_modes(g):
    return lesson(g, dropout_in_evaluation, plain_descent, BF16, 1)


def does(message):
    """Decorator: a misconception; `turn(model, optimizer, x, y, dtype, scaler)` returns how the step differs."""
    def add(turn):
        def wrong(model, optimizer, x, y, dtype, scaler=None):
            return rehearse(model, optimizer, x, y, dtype, scaler, **turn())

        return amp_step.misconception(message)(named(turn.__name__, wrong))

    return add


def outside_autocast(model, x, y, dtype):
    return F.cross_entropy(input=model(x), target=y)


@does("The scaler is never updated: its scale stays, after overflows and after good steps.")
def scaler_not_updated():
    return dict(updating=False)


@does("That is a step in float32: nothing ran in low precision. Autocast must be on, for the device of x, while the model runs.")
def without_autocast():
    return dict(forward=outside_autocast)


@does("That step ran in bf16 whatever dtype says. On the CPU it is autocast's default: pass the dtype on.")
def bf16_whatever_is_given():
    return dict(forward=lambda model, x, y, dtype: entropy_inside(model, x, y, BF16))


@does("That step ran in fp16 whatever dtype says. Pass the dtype on.")
def fp16_whatever_is_given():
    return dict(forward=lambda model, x, y, dtype: entropy_inside(model, x, y, F16))


def logits_inside(model, x, dtype):
    with torch.autocast(device_type="cpu", dtype=dtype):
        return model(x)


@does("The loss is computed outside autocast, so in low precision, from logits in low precision. Inside, autocast knows that "
      "cross-entropy needs float32.")
def loss_outside():
    return dict(forward=lambda model, x, y, dtype: F.cross_entropy(input=logits_inside(model, x, dtype), target=y))


def home_made(model, x, y, dtype):
    logits = logits_inside(model, x, dtype)
    return (torch.logsumexp(logits, 1) - logits[torch.arange(len(y)), y]).mean()


@does("The log-softmax is home-made, and runs in low precision. Autocast knows which of PyTorch's own losses need float32: use "
      "one of those.")
def own_log_softmax():
    return dict(forward=home_made)


@does("The loss is summed over the batch. Cross-entropy is a mean here.")
def summed_loss():
    return dict(forward=lambda model, x, y, dtype: len(y) * entropy_inside(model, x, y, dtype))


def softened(model, x, y, dtype):
    with torch.autocast(device_type="cpu", dtype=dtype):
        return F.cross_entropy(input=model(x).softmax(1), target=y)


@does("The softmax is applied twice: cross-entropy takes logits and applies its own.")
def softmax_twice():
    return dict(forward=softened)


@amp_step.misconception(
    "The gradients are cleared at the end of the step only. Those of an earlier pass are still there in the first: clear before "
    "the backward pass.")
def cleared_at_the_end(model, optimizer, x, y, dtype, scaler=None):
    value = rehearse(model, optimizer, x, y, dtype, scaler, adding=True)
    model.zero_grad()
    return value


@does("The gradients are never cleared, so each step follows the sum of all so far, those of an earlier pass included.")
def gradients_add_up():
    return dict(adding=True)


@does("The backward pass runs inside autocast. It takes its dtypes from the forward pass: leave the `with` block before it.")
def backward_inside():
    return dict(mixed=True)


@does("The scaler is ignored. Where it is given, it scales the loss, makes the step and is updated.")
def scaler_ignored():
    return dict(scaling=False)


def step_directly(optimizer, scaler):
    optimizer.step(closure=None)


def unscale_then_step(optimizer, scaler):
    if scaler:
        scaler.unscale_(optimizer=optimizer)
    step_directly(optimizer, scaler)


@does("The step is made after an overflow, too: the weights are spoilt. Let the scaler make the step; it skips then.")
def steps_after_an_overflow():
    return dict(stepping=unscale_then_step)


@does("The optimizer makes the step with scaled gradients. The scaler's own step divides the scale out, and skips where it finds "
      "an overflow.")
def scaled_gradients_used():
    return dict(stepping=step_directly, updating=False)


def step_twice(optimizer, scaler):
    if scaler:
        scaler.step(optimizer=optimizer)
    step_directly(optimizer, scaler)


@does("The optimizer steps twice where a scaler is given: the scaler's step makes it step already.")
def two_steps():
    return dict(stepping=step_twice)


def divide_again(optimizer, scaler):
    if not scaler:
        return step_directly(optimizer, scaler)
    scaler.unscale_(optimizer=optimizer)
    for p in [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]:
        p.grad = p.grad / scaler.get_scale()
    scaler.step(optimizer=optimizer)


@does("The scale is divided out twice. The scaler's step does it already.")
def divided_out_twice():
    return dict(stepping=divide_again)


@amp_step.misconception("The scaled loss is returned. The scale is for the backward pass alone; return the loss without it.")
def scaled_loss_returned(model, optimizer, x, y, dtype, scaler=None):
    scale = scaler.get_scale() if scaler else 1.0
    return scale * in_real_autocast(model, optimizer, x, y, dtype, scaler)


@amp_step.misconception("That is the loss after the update. Asked for is the one that was differentiated.")
def loss_after_the_update(model, optimizer, x, y, dtype, scaler=None):
    in_real_autocast(model, optimizer, x, y, dtype, scaler)
    with torch.no_grad():
        return float(entropy_inside(model, x, y, dtype))


@amp_step.misconception("Nothing learns: the optimizer makes no step, or the gradients are cleared before it.")
def no_step(model, optimizer, x, y, dtype, scaler=None):
    return float(entropy_inside(model, x, y, dtype).detach())


@amp_step.misconception(
    "The model itself is converted. Autocast leaves the weights in float32, and converts them on the way through a layer.")
def model_converted(model, optimizer, x, y, dtype, scaler=None):
    return rehearse(model.to(dtype), optimizer, x.to(dtype), y, dtype, None, forward=outside_autocast)


@amp_step.misconception(
    "The whole model is put into training mode. Each module should keep the mode it is in: some may rest on purpose.")
def put_into_training_mode(model, optimizer, x, y, dtype, scaler=None):
    return in_real_autocast(model.train(), optimizer, x, y, dtype, scaler)


@amp_step.misconception("The whole model is put into evaluation mode. Each module should keep the mode it is in.")
def put_into_evaluation_mode(model, optimizer, x, y, dtype, scaler=None):
    return in_real_autocast(model.eval(), optimizer, x, y, dtype, scaler)


@amp_step.misconception(
    "The steps are plain gradient descent. The optimizer that is given should make them: its momentum counts.")
def descends_by_hand(model, optimizer, x, y, dtype, scaler=None):
    bare = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])
    return in_real_autocast(model, bare, x, y, dtype, scaler)
