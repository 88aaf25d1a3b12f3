"""Bank of chapter 11: right alternatives and wrong implementations."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# round_to_bf16


@right("round_to_bf16")
def by_conversion(x):
    return x.bfloat16().float()


@right("round_to_bf16")
def in_whole_numbers_of_64_bits(x):
    bits = x.contiguous().view(torch.int32).to(torch.int64) % 2**32
    lower, upper = bits % 65536, bits // 65536
    upper = upper + ((lower > 32768) | ((lower == 32768) & (upper % 2 == 1)))
    upper = torch.where(torch.isnan(x), 0x7FC0, upper)
    upper = torch.where(upper >= 32768, upper - 65536, upper)
    return (upper * 65536).to(torch.int32).view(torch.float32)


@right("round_to_bf16")
def unsigned_in_numpy(x):
    bits = x.detach().numpy().copy().view(np.uint32)
    with np.errstate(over="ignore"):
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return torch.from_numpy(np.where(np.isnan(x.numpy()), np.float32(np.nan), rounded.view(np.float32)).astype(np.float32))


@right("round_to_bf16")
def by_spacing(x):
    wide = x.double()
    exponent = torch.frexp(wide)[1].clamp(min=-125)
    spacing = torch.ldexp(torch.ones_like(wide), exponent - 8)
    rounded = torch.copysign(torch.round(wide / spacing) * spacing, wide)
    rounded = torch.where(rounded.abs() >= 2.0**128, torch.copysign(torch.full_like(wide, math.inf), wide), rounded)
    return torch.where(x.isfinite(), rounded.float(), x)


@right("round_to_bf16")
def one_at_a_time(x):
    import struct

    def one(value):
        if value != value:
            return value
        bits = struct.unpack("<I", struct.pack("<f", value))[0]
        low = bits & 0xFFFF
        bits -= low
        if low > 0x8000 or (low == 0x8000 and bits & 0x10000):
            bits += 0x10000
        return struct.unpack("<f", struct.pack("<I", bits))[0]

    return torch.tensor([one(v) for v in x.flatten().tolist()], dtype=torch.float32).reshape(x.shape)


@wrong("round_to_bf16", "cut_off")
def low_bits_masked(x):
    kept = (x.view(torch.int32) & -65536).view(torch.float32)
    return torch.where(torch.isnan(x), x, kept)


@wrong("round_to_bf16", "cut_off_without_regard_to_nan")
def shifted_there_and_back(x):
    return ((x.view(torch.int32) >> 16) << 16).view(torch.float32)


@wrong("round_to_bf16", "ties_away_from_zero")
def half_added(x):
    bits = (x.view(torch.int32) + 0x8000) & -65536
    return torch.where(torch.isnan(x), x, bits.view(torch.float32))


@wrong("round_to_bf16", "ties_away_and_nan_rounded")
def half_added_to_everything(x):
    return ((x.view(torch.int32) + 32768) & -65536).view(torch.float32)


@wrong("round_to_bf16", "ties_toward_zero")
def almost_half_added(x):
    bits = (x.view(torch.int32) + 0x7FFF) & -65536
    return torch.where(torch.isnan(x), x, bits.view(torch.float32))


@wrong("round_to_bf16", "nan_rounded_like_a_number")
def no_case_for_nan(x):
    bits = x.view(torch.int32)
    odd = (bits >> 16) & 1
    return ((bits + 0x7FFF + odd) & -65536).view(torch.float32)


@wrong("round_to_bf16", "nan_made_infinite")
def every_full_exponent_is_infinite(x):
    y = x.bfloat16().float()
    return torch.where(y.isnan(), torch.full_like(y, float("inf")), y)


@wrong("round_to_bf16", "nan_made_zero")
def nan_cleaned(x):
    y = x.bfloat16().float()
    y[y != y] = 0
    return y


@wrong("round_to_bf16", "saturated")
def clamped_first(x):
    top = 3.3895313892515355e38
    return torch.where(x.isinf() | x.isnan(), x, x.clamp(-top, top)).bfloat16().float()


@wrong("round_to_bf16", "infinities_made_finite")
def all_clamped(x):
    y = x.bfloat16().float()
    top = torch.finfo(torch.bfloat16).max
    return torch.minimum(torch.maximum(y, torch.tensor(-top)), torch.tensor(top))


@wrong("round_to_bf16", "infinities_made_nan")
def inf_minus_inf(x):
    return x.bfloat16().float() + (x - x) * 0


@wrong("round_to_bf16", "sign_of_zero_lost")
def zero_written(x):
    y = x.bfloat16().float()
    return torch.where(y == 0, torch.zeros_like(y), y)


@wrong("round_to_bf16", "subnormals_flushed")
def no_subnormals(x):
    y = x.bfloat16().float()
    return torch.where(x.abs() < 2.0**-126, torch.copysign(torch.zeros_like(y), y), y)


@wrong("round_to_bf16", "subnormals_with_all_digits")
def no_least_exponent(x):
    wide = x.double()
    spacing = torch.ldexp(torch.ones_like(wide), torch.frexp(wide)[1] - 8)
    y = torch.copysign(torch.round(wide / spacing) * spacing, wide).float()
    return torch.where(x.isfinite(), y, x)


@wrong("round_to_bf16", "one_bit_too_many")
def eight_bits_of_fraction(x):
    wide = x.double()
    spacing = torch.ldexp(torch.ones_like(wide), torch.frexp(wide)[1] - 9)
    y = torch.copysign(torch.round(wide / spacing) * spacing, wide).float()
    return torch.where(x.isfinite(), y, x)


@wrong("round_to_bf16", "one_bit_too_few")
def seven_digits(x):
    wide = x.double()
    spacing = torch.ldexp(torch.ones_like(wide), torch.frexp(wide)[1] - 7)
    y = torch.copysign(torch.round(wide / spacing) * spacing, wide).float()
    return torch.where(x.isfinite(), y, x)


@wrong("round_to_bf16", "tf32")
def ten_bits_of_fraction(x):
    wide = x.double()
    spacing = torch.ldexp(torch.ones_like(wide), torch.frexp(wide)[1] - 11)
    y = torch.copysign(torch.round(wide / spacing) * spacing, wide).float()
    return torch.where(x.isfinite(), y, x)


@wrong("round_to_bf16", "through_fp16")
def half_and_back(x):
    return x.to(torch.float16).to(torch.float32)


@wrong("round_to_bf16", "not_rounded")
def identity(x):
    return x * 1


@wrong("round_to_bf16", "")
def left_in_bf16(x):
    return x.to(torch.bfloat16)


@wrong("round_to_bf16", "")
def in_place(x):
    x[:] = x.bfloat16().float()
    return x


@wrong("round_to_bf16", "")
def away_from_zero(x):
    bits = x.view(torch.int32)
    up = ((bits + 0xFFFF) & -65536).view(torch.float32)
    return torch.where(torch.isfinite(x), up, x)


# fp16_underflow_fraction


@right("fp16_underflow_fraction")
def in_numpy(g, scale=1.0):
    values = g.detach().numpy()
    with np.errstate(over="ignore"):
        halves = (values * scale).astype(np.float16)
    before, after = np.count_nonzero(values), np.count_nonzero(halves)
    return (before - after) / before if before else 0.0


@right("fp16_underflow_fraction")
def by_the_border(g, scale=1.0):
    sizes = [abs(v) for v in g.flatten().tolist() if v != 0]
    return sum(s * scale <= 2.0**-25 for s in sizes) / len(sizes) if sizes else 0.0


@right("fp16_underflow_fraction")
def by_masks(g, scale=1.0):
    before = g.ne(0)
    lost = before & (g * scale).to(torch.float16).eq(0)
    return (lost.sum() / before.sum().clamp(min=1)).item()


@right("fp16_underflow_fraction")
def zero_dimensional(g, scale=1.0):
    lost = torch.mul(g, scale).half() == 0
    return (lost.double() * (g != 0)).sum() / max(1, int((g != 0).sum()))


@wrong("fp16_underflow_fraction", "among_all")
def over_all_entries(g, scale=1.0):
    return ((g != 0) & ((g * scale).half() == 0)).double().mean().item()


@wrong("fp16_underflow_fraction", "zeros_count_as_lost")
def share_of_zeros(g, scale=1.0):
    return ((g * scale).half() == 0).double().mean().item() if (g != 0).any() else 0.0


@wrong("fp16_underflow_fraction", "subnormals_count_as_lost")
def below_the_smallest_normal(g, scale=1.0):
    sizes = g[g != 0].abs() * scale
    return (sizes < torch.finfo(torch.float16).tiny).double().mean().item() if len(sizes) else 0.0


@wrong("fp16_underflow_fraction", "rounding_forgotten")
def below_the_smallest_subnormal(g, scale=1.0):
    sizes = g[g != 0].abs() * scale
    return (sizes < torch.finfo(torch.float16).smallest_normal * 2.0**-10).double().mean().item() if len(sizes) else 0.0


@wrong("fp16_underflow_fraction", "tie_kept")
def less_than_half(g, scale=1.0):
    sizes = g[g != 0].abs() * scale
    return (sizes < 2.0**-25).double().mean().item() if len(sizes) else 0.0


@wrong("fp16_underflow_fraction", "scaled_too_late")
def half_then_scale(g, scale=1.0):
    there = g[g != 0]
    return (there.half() * scale == 0).double().mean().item() if len(there) else 0.0


@wrong("fp16_underflow_fraction", "divided_by_the_scale")
def scale_divides(g, scale=1.0):
    there = g[g != 0]
    return ((there / scale).half() == 0).double().mean().item() if len(there) else 0.0


@wrong("fp16_underflow_fraction", "overflow_counted")
def zero_or_infinite(g, scale=1.0):
    there = g[g != 0]
    halves = (there * scale).half()
    return ((halves == 0) | halves.isinf()).double().mean().item() if len(there) else 0.0


@wrong("fp16_underflow_fraction", "share_that_survives")
def what_is_left(g, scale=1.0):
    there = g[g != 0]
    return ((there * scale).half() != 0).double().mean().item() if len(there) else 0.0


@wrong("fp16_underflow_fraction", "count_for_share")
def how_many(g, scale=1.0):
    return float(((g != 0) & ((g * scale).half() == 0)).sum())


@wrong("fp16_underflow_fraction", "per_cent")
def in_per_cent(g, scale=1.0):
    there = g[g != 0]
    return 100 * ((there * scale).half() == 0).double().mean().item() if len(there) else 0.0


@wrong("fp16_underflow_fraction", "lost_in_bf16")
def other_format(g, scale=1.0):
    there = g[g != 0]
    return ((there * scale).bfloat16() == 0).double().mean().item() if len(there) else 0.0


@wrong("fp16_underflow_fraction", "nothing_over_nothing")
def no_guard(g, scale=1.0):
    there = g[g != 0]
    return ((there * scale).half() == 0).double().mean().item()


@wrong("fp16_underflow_fraction", "all_of_nothing")
def guarded_with_one(g, scale=1.0):
    there = g[g != 0]
    return 1.0 - ((there * scale).half() != 0).sum().item() / max(1, len(there))


@wrong("fp16_underflow_fraction", "")
def rows_averaged(g, scale=1.0):
    lost = (g != 0) & ((g * scale).half() == 0)
    rows = lost.double().sum(-1) / (g != 0).sum(-1).clamp(min=1)
    return rows.mean().item()


# choose_loss_scale


@right("choose_loss_scale")
def from_the_sorted_magnitudes(g, tolerance):
    sizes = sorted(abs(v) for v in g.flatten().tolist() if v != 0)
    if not sizes:
        return 1.0
    spared = next(i for i in range(len(sizes), -1, -1) if i / len(sizes) <= tolerance)
    scale = 1.0
    while spared < len(sizes) and sizes[spared] * scale <= 2.0**-25:
        scale *= 2
    if sizes[-1] * scale >= 65520:
        raise ValueError
    return scale


@right("choose_loss_scale")
def by_exponents_in_numpy(g, tolerance):
    values = g.detach().double().numpy().ravel()
    values = values[values != 0]
    with np.errstate(over="ignore"):
        for k in range(1200):
            halves = (values * 2.0**k).astype(np.float16)
            if np.isinf(halves).any():
                raise ValueError("no scale fits")
            if not len(values) or np.mean(halves == 0) <= tolerance:
                return float(2**k)


@right("choose_loss_scale")
def all_scales_at_once(g, tolerance):
    scales = 2.0 ** torch.arange(900, dtype=torch.float64)
    halves = (scales[:, None] * g.detach().double().flatten()).to(torch.float16)
    there = int((g != 0).sum())
    lost = there - (halves != 0).sum(1)
    fits = (lost <= tolerance * there) & ~halves.isinf().any(1)
    if not fits.any():
        raise ValueError("none of them fits")
    return scales[fits.nonzero()[0, 0]]


@wrong("choose_loss_scale", "overflow_ignored")
def underflow_only(g, tolerance):
    there, scale = g[g != 0], 1.0
    while len(there) and ((there * scale).half() == 0).double().mean() > tolerance:
        scale *= 2
    return scale


@wrong("choose_loss_scale", "largest_for_smallest")
def as_large_as_possible(g, tolerance):
    if not g.any():
        return 1.0
    scale = 1.0
    while not (g * scale * 2).half().isinf().any():
        scale *= 2
    return scale


@wrong("choose_loss_scale", "strictly_less")
def less_than_tolerance(g, tolerance):
    there, scale = g[g != 0], 1.0
    while len(there):
        lost = ((there * scale).half() == 0).double().mean().item()
        if (there * scale).half().isinf().any():
            raise ValueError
        if lost < tolerance or lost == 0:
            break
        scale *= 2
    return scale


@wrong("choose_loss_scale", "share_among_all")
def share_of_all(g, tolerance):
    scale = 1.0
    while not (g * scale).half().isinf().any():
        if (((g * scale).half() == 0) & (g != 0)).double().mean() <= tolerance:
            return scale
        scale *= 2
    raise ValueError


@wrong("choose_loss_scale", "starts_at_two")
def two_at_least(g, tolerance):
    if not g.any():
        return 1.0
    there, scale = g[g != 0], 2.0
    while not (there * scale).half().isinf().any():
        if ((there * scale).half() == 0).double().mean() <= tolerance:
            return scale
        scale *= 2
    raise ValueError


@wrong("choose_loss_scale", "doubled_once_more")
def doubled_before_the_return(g, tolerance):
    if not g.any():
        return 1.0
    there, scale, enough = g[g != 0], 1.0, False
    while not enough:
        if (there * scale).half().isinf().any():
            raise ValueError
        enough = ((there * scale).half() == 0).double().mean() <= tolerance
        scale *= 2
    return scale


@wrong("choose_loss_scale", "one_doubling_short")
def last_that_does_not_fit(g, tolerance):
    there, scale, before = g[g != 0], 1.0, 1.0
    while len(there) and ((there * scale).half() == 0).double().mean() > tolerance:
        before, scale = scale, 2 * scale
    if (g * scale).half().isinf().any():
        raise ValueError
    return before


@wrong("choose_loss_scale", "into_the_normal_numbers")
def no_subnormals_wanted(g, tolerance):
    there, scale = g[g != 0].abs(), 1.0
    while not (there * scale).half().isinf().any():
        if not len(there) or (there * scale < 2.0**-14).double().mean() <= tolerance:
            return scale
        scale *= 2
    raise ValueError


@wrong("choose_loss_scale", "up_to_the_smallest_number")
def at_least_the_smallest(g, tolerance):
    there, scale = g[g != 0].abs(), 1.0
    while not (there * scale).half().isinf().any():
        if not len(there) or (there * scale < 2.0**-24).double().mean() <= tolerance:
            return scale
        scale *= 2
    raise ValueError


@wrong("choose_loss_scale", "border_at_the_largest_number")
def at_most_the_largest(g, tolerance):
    there, scale = g[g != 0].abs(), 1.0
    if not len(there):
        return 1.0
    while there.max() * scale <= 65504:
        if ((there * scale).half() == 0).double().mean() <= tolerance:
            return scale
        scale *= 2
    raise ValueError


@wrong("choose_loss_scale", "no_power_of_two")
def exact_quotient(g, tolerance):
    sizes = g[g != 0].abs().double().sort().values
    if not len(sizes):
        return 1.0
    return max(1.0, 2.0**-25 / sizes[int(tolerance * len(sizes))].item())


@wrong("choose_loss_scale", "exponent_for_scale")
def number_of_doublings(g, tolerance):
    there, k = g[g != 0], 0
    while len(there) and ((there * 2.0**k).half() == 0).double().mean() > tolerance:
        k += 1
    if (g * 2.0**k).half().isinf().any():
        raise ValueError
    return k


@wrong("choose_loss_scale", "pytorchs_start")
def sixteen_bits(g, tolerance):
    return 2.0**16


@wrong("choose_loss_scale", "below_one")
def halves_where_it_overflows(g, tolerance):
    there, scale = g[g != 0], 1.0
    while (g * scale).half().isinf().any() and scale > 1e-6:
        scale /= 2
    while len(there) and ((there * scale).half() == 0).double().mean() > tolerance:
        scale *= 2
        if (g * scale).half().isinf().any():
            raise ValueError
    return scale


@wrong("choose_loss_scale", "infinite_scale")
def inf_for_none(g, tolerance):
    there, scale = g[g != 0], 1.0
    while not (there * scale).half().isinf().any():
        if not len(there) or ((there * scale).half() == 0).double().mean() <= tolerance:
            return scale
        scale *= 2
    return float("inf")


@wrong("choose_loss_scale", "none_for_an_error")
def loop_runs_out(g, tolerance):
    there, scale = g[g != 0], 1.0
    while not (there * scale).half().isinf().any():
        if not len(there) or ((there * scale).half() == 0).double().mean() <= tolerance:
            return scale
        scale *= 2


@wrong("choose_loss_scale", "")
def steps_of_ten(g, tolerance):
    there, scale = g[g != 0], 1.0
    while not (there * scale).half().isinf().any():
        if not len(there) or ((there * scale).half() == 0).double().mean() <= tolerance:
            return scale
        scale *= 10
    raise ValueError


@wrong("choose_loss_scale", "")
def sixteen_scales_only(g, tolerance):
    there = g[g != 0]
    for k in range(16):
        halves = (there * 2.0**k).half()
        if halves.isinf().any():
            break
        if not len(there) or (halves == 0).double().mean() <= tolerance:
            return 2.0**k
    raise ValueError


# update_loss_scale


@right("update_loss_scale")
def by_cases(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return backoff * scale, 0
    good_steps += 1
    if good_steps == interval:
        with np.errstate(over="ignore"):
            fits = np.isfinite(np.float32(scale * growth))
        return (scale * growth if fits else scale), 0
    return scale, good_steps


@right("update_loss_scale")
def pytorchs_operator(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    now, tracker = torch.full((), scale, dtype=torch.float32), torch.full((), good_steps, dtype=torch.int32)
    torch._amp_update_scale_(now, tracker, torch.full((), float(found_inf)), growth, backoff, interval)
    return now, tracker


@right("update_loss_scale")
def arithmetic(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    good = 1 - int(found_inf)
    count = good * (good_steps + 1)
    grows = count // interval
    factor = (backoff, 1.0)[good] * (growth if grows and scale * growth < 3.4028235e38 else 1.0)
    return np.float64(scale * factor), count % interval


@right("update_loss_scale")
def through_pytorchs_scaler(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    scaler = torch.amp.GradScaler("cpu")
    scaler.load_state_dict(dict(scale=scale, growth_factor=growth, backoff_factor=backoff, growth_interval=interval,
                                _growth_tracker=good_steps))
    w = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([w], lr=0.0)
    scaler.scale(w.sum())
    w.grad = torch.full((1,), math.inf if found_inf else 1.0)
    scaler.step(optimizer)
    scaler.update()
    state = scaler.state_dict()
    return state["scale"], state["_growth_tracker"]


@wrong("update_loss_scale", "counter_kept_over_an_overflow")
def only_the_scale_falls(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, good_steps
    good_steps += 1
    if good_steps >= interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps


@wrong("update_loss_scale", "skipped_step_counted")
def every_step_counts(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    good_steps += 1
    if found_inf:
        return scale * backoff, good_steps
    if good_steps >= interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps


@wrong("update_loss_scale", "counter_kept_on_growth")
def grows_ever_after(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    good_steps += 1
    if good_steps >= interval and scale * growth < 3.4e38:
        scale *= growth
    return scale, good_steps


@wrong("update_loss_scale", "grows_one_step_late")
def looks_before_it_counts(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    if good_steps == interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "counter_back_to_one")
def this_step_opens_the_next(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    if good_steps + 1 >= interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 1
    return scale, good_steps + 1


@wrong("update_loss_scale", "grows_one_step_early")
def one_less(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    if good_steps + 2 >= interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "grows_past_float32")
def no_end(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    if good_steps + 1 == interval:
        return scale * growth, 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "stops_at_the_largest")
def clamped_at_the_end(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    if good_steps + 1 == interval:
        return min(scale * growth, torch.finfo(torch.float32).max), 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "counter_kept_on_refusal")
def counts_on_at_the_end(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    if good_steps + 1 == interval and scale * growth < 3.4e38:
        return scale * growth, 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "counter_waits_on_refusal")
def waits_at_the_end(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    if good_steps + 1 < interval:
        return scale, good_steps + 1
    return (scale * growth, 0) if scale * growth < 3.4e38 else (scale, good_steps)


@wrong("update_loss_scale", "the_wrong_way_round")
def factors_swapped(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * growth, 0
    if good_steps + 1 == interval:
        return scale * backoff, 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "never_falls")
def overflow_resets_only(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale, 0
    if good_steps + 1 == interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "never_grows")
def falls_only(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    return (scale * backoff, 0) if found_inf else (scale, (good_steps + 1) % interval)


@wrong("update_loss_scale", "grows_every_time")
def impatient(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    return (scale * growth if scale * growth < 3.4e38 else scale), (good_steps + 1) % interval


@wrong("update_loss_scale", "defaults_whatever_is_given")
def numbers_written_in(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale / 2, 0
    if good_steps + 1 == 2000:
        return scale * 2, 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "backoff_from_growth")
def divided_by_growth(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale / growth, 0
    if good_steps + 1 == interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "divided_by_backoff")
def backoff_divides(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale / backoff, 0
    if good_steps + 1 == interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "floor_at_one")
def not_below_one(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return max(scale * backoff, 1.0), 0
    if good_steps + 1 == interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "growth_added")
def sum_for_product(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale * backoff, 0
    if good_steps + 1 == interval:
        return scale + growth, 0
    return scale, good_steps + 1


@wrong("update_loss_scale", "")
def backoff_subtracted(scale, good_steps, found_inf, growth=2.0, backoff=0.5, interval=2000):
    if found_inf:
        return scale - backoff, 0
    if good_steps + 1 == interval:
        return (scale * growth if scale * growth < 3.4e38 else scale), 0
    return scale, good_steps + 1


# unscale_and_clip


@right("unscale_and_clip")
def with_pytorchs_clipping(grads, scale, max_norm):
    leaves = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
    for p, g in zip(leaves, grads):
        p.grad = g / scale
    found = not all(bool(p.grad.isfinite().all()) for p in leaves)
    torch.nn.utils.clip_grad_norm_(leaves, max_norm)
    return [p.grad for p in leaves], found


@right("unscale_and_clip")
def one_long_vector(grads, scale, max_norm):
    flat = torch.cat([g.reshape(-1) for g in grads]) / scale
    length = flat.norm().item()
    flat = flat * (max_norm / length if length > max_norm else 1.0)
    pieces = flat.split([g.numel() for g in grads])
    return [piece.reshape(g.shape) for piece, g in zip(pieces, grads)], not math.isfinite(length)


@right("unscale_and_clip")
def in_numpy_and_float64(grads, scale, max_norm):
    true = [g.detach().double().numpy() / scale for g in grads]
    length = math.sqrt(sum(float((t * t).sum()) for t in true))
    shrink = 1.0 if not length > max_norm else max_norm / length
    found = any(not np.isfinite(t).all() for t in true)
    return [torch.as_tensor(t * shrink).to(g.dtype) for t, g in zip(true, grads)], found


@right("unscale_and_clip")
def pytorchs_unscaling(grads, scale, max_norm):
    true, found = [g.detach().clone() for g in grads], torch.zeros(1)
    for g in true:
        if g.dtype == torch.float32:
            torch._amp_foreach_non_finite_check_and_unscale_([g], found, torch.tensor([1.0 / scale]))
        else:
            found += float(not g.isfinite().all())
            g /= scale
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in true]))
    return tuple(g * torch.clamp(max_norm / (norm + 1e-6), max=1.0) for g in true), found.clamp(max=1)


@wrong("unscale_and_clip", "clipped_before_unscaling")
def clip_first(grads, scale, max_norm):
    norm = torch.stack([g.norm() for g in grads]).norm().item()
    shrink = min(1.0, max_norm / norm) if norm else 1.0
    return [g * shrink / scale for g in grads], not math.isfinite(norm)


@wrong("unscale_and_clip", "unscaled_twice")
def divided_two_times(grads, scale, max_norm):
    true = [g / scale / scale for g in grads]
    norm = torch.stack([t.norm() for t in true]).norm().item()
    return [t * min(1.0, max_norm / (norm + 1e-12)) for t in true], not math.isfinite(norm)


@wrong("unscale_and_clip", "never_unscaled")
def clip_only(grads, scale, max_norm):
    norm = torch.stack([g.norm() for g in grads]).norm().item()
    return [g * min(1.0, max_norm / (norm + 1e-12)) for g in grads], not math.isfinite(norm)


@wrong("unscale_and_clip", "multiplied_by_the_scale")
def scaled_again(grads, scale, max_norm):
    true = [g * scale for g in grads]
    norm = torch.stack([t.norm() for t in true]).norm().item()
    return [t * min(1.0, max_norm / (norm + 1e-12)) for t in true], not math.isfinite(norm)


@wrong("unscale_and_clip", "nearest_power_of_two")
def exponent_of_the_scale(grads, scale, max_norm):
    true = [torch.ldexp(g, torch.tensor(-round(math.log2(scale)))) for g in grads]
    norm = torch.stack([t.norm() for t in true]).norm().item()
    return [t * min(1.0, max_norm / (norm + 1e-12)) for t in true], not math.isfinite(norm)


@wrong("unscale_and_clip", "each_by_its_own_norm")
def tensor_by_tensor(grads, scale, max_norm):
    true = [g / scale for g in grads]
    return [t * min(1.0, max_norm / (t.norm().item() + 1e-12)) for t in true], any(not t.isfinite().all() for t in true)


@wrong("unscale_and_clip", "each_entry_clipped")
def clamped(grads, scale, max_norm):
    true = [(g / scale).clamp(min=-max_norm, max=max_norm) for g in grads]
    return true, any(not g.isfinite().all() for g in grads)


@wrong("unscale_and_clip", "always_of_that_norm")
def normalised(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    return [g / scale * (max_norm / (norm + 1e-12)) for g in grads], not math.isfinite(norm)


@wrong("unscale_and_clip", "never_clipped")
def unscale_only(grads, scale, max_norm):
    return [g / scale for g in grads], any(not g.isfinite().all() for g in grads)


@wrong("unscale_and_clip", "largest_entry")
def maximum_norm(grads, scale, max_norm):
    true = [g / scale for g in grads]
    norm = max(t.abs().max().item() for t in true)
    return [t * min(1.0, max_norm / (norm + 1e-12)) for t in true], any(not t.isfinite().all() for t in true)


@wrong("unscale_and_clip", "sum_of_sizes")
def one_norm(grads, scale, max_norm):
    true = [g / scale for g in grads]
    norm = sum(t.abs().sum().item() for t in true)
    return [t * min(1.0, max_norm / (norm + 1e-12)) for t in true], not math.isfinite(norm)


@wrong("unscale_and_clip", "root_forgotten")
def sum_of_squares(grads, scale, max_norm):
    true = [g / scale for g in grads]
    norm = sum((t**2).sum().item() for t in true)
    return [t * min(1.0, max_norm / (norm + 1e-12)) for t in true], not math.isfinite(norm)


@wrong("unscale_and_clip", "norms_added")
def sum_of_norms(grads, scale, max_norm):
    true = [g / scale for g in grads]
    norm = sum(t.norm().item() for t in true)
    return [t * min(1.0, max_norm / (norm + 1e-12)) for t in true], not math.isfinite(norm)


@wrong("unscale_and_clip", "unscaled_only_when_clipped")
def one_factor_for_both(grads, scale, max_norm):
    norm = torch.stack([g.norm() for g in grads]).norm().item()
    if norm > max_norm * scale:
        return [g * (max_norm / norm) for g in grads], not math.isfinite(norm)
    return [g.clone() for g in grads], not math.isfinite(norm)


@wrong("unscale_and_clip", "nan_overlooked")
def isinf_only(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], any(bool(torch.isinf(g).any()) for g in grads)


@wrong("unscale_and_clip", "infinities_overlooked")
def isnan_only(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], any(bool(torch.isnan(g).any()) for g in grads)


@wrong("unscale_and_clip", "minus_infinity_overlooked")
def compares_with_inf(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    found = any(bool(((g == float("inf")) | (g != g)).any()) for g in grads)
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], found


@wrong("unscale_and_clip", "only_the_first")
def first_tensor(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], not bool(grads[0].isfinite().all())


@wrong("unscale_and_clip", "only_the_last")
def overwritten(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    for g in grads:
        found = not bool(g.isfinite().all())
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], found


@wrong("unscale_and_clip", "all_of_them")
def every_tensor(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], all(not bool(g.isfinite().all()) for g in grads)


@wrong("unscale_and_clip", "flag_turned")
def all_finite(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], math.isfinite(norm)


@wrong("unscale_and_clip", "never_found")
def always_false(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], False


@wrong("unscale_and_clip", "")
def divides_in_place(grads, scale, max_norm):
    for g in grads:
        g /= scale
    norm = torch.stack([g.norm() for g in grads]).norm().item()
    return [g * min(1.0, max_norm / (norm + 1e-12)) for g in grads], not math.isfinite(norm)


@wrong("unscale_and_clip", "")
def large_counts_as_infinite(grads, scale, max_norm):
    norm = torch.stack([(g / scale).norm() for g in grads]).norm().item()
    found = any(bool(g.half().isinf().any() or g.isnan().any()) for g in grads)
    return [g / scale * min(1.0, max_norm / (norm + 1e-12)) for g in grads], found


@wrong("unscale_and_clip", "")
def zero_over_zero(grads, scale, max_norm):
    true = [g / scale for g in grads]
    norm = torch.stack([t.norm() for t in true]).norm()
    return [t / norm * torch.clamp(norm, max=max_norm) for t in true], not all(bool(g.isfinite().all()) for g in grads)


# master_weight_step


@right("master_weight_step")
def with_alpha(w32, g_low, lr, dtype):
    new = torch.sub(w32, g_low.to(w32.dtype), alpha=lr)
    return new, new.type(dtype)


@right("master_weight_step")
def by_pytorchs_sgd(w32, g_low, lr, dtype):
    master = torch.nn.Parameter(w32.detach().clone())
    master.grad = g_low.detach().to(w32.dtype)
    torch.optim.SGD([master], lr=lr).step()
    return master.data, master.data.to(dtype)


@right("master_weight_step")
def in_numpy_float64(w32, g_low, lr, dtype):
    new = w32.detach().double().numpy() - lr * g_low.detach().double().numpy()
    new = torch.as_tensor(new).to(w32.dtype)
    return new, torch.empty_like(new, dtype=dtype).copy_(new)


@wrong("master_weight_step", "accumulated_in_low_precision")
def low_all_the_way(w32, g_low, lr, dtype):
    w_low = w32.to(dtype)
    w_low = w_low - lr * g_low
    return w_low.to(w32.dtype), w_low


@wrong("master_weight_step", "master_rounded")
def master_from_the_copy(w32, g_low, lr, dtype):
    w_low = (w32 - lr * g_low.to(w32.dtype)).to(dtype)
    return w_low.to(w32.dtype), w_low


@wrong("master_weight_step", "copy_goes_its_own_way")
def two_walks(w32, g_low, lr, dtype):
    return w32 - lr * g_low.to(w32.dtype), w32.to(dtype) - lr * g_low


@wrong("master_weight_step", "product_rounded")
def step_in_low_precision(w32, g_low, lr, dtype):
    step = g_low.mul(lr)
    w32 = w32 - step
    return w32, w32.to(dtype)


@wrong("master_weight_step", "starts_from_the_copy")
def from_rounded_weights(w32, g_low, lr, dtype):
    new = w32.to(dtype).to(w32.dtype) - lr * g_low.to(w32.dtype)
    return new, new.to(dtype)


@wrong("master_weight_step", "copy_of_the_old_master")
def copied_too_early(w32, g_low, lr, dtype):
    w_low = w32.to(dtype)
    return w32 - lr * g_low.to(w32.dtype), w_low


@wrong("master_weight_step", "master_not_updated")
def only_the_copy_moves(w32, g_low, lr, dtype):
    return w32.clone(), (w32 - lr * g_low.to(w32.dtype)).to(dtype)


@wrong("master_weight_step", "up_the_gradient")
def plus(w32, g_low, lr, dtype):
    new = w32 + lr * g_low.to(w32.dtype)
    return new, new.to(dtype)


@wrong("master_weight_step", "lr_forgotten")
def no_rate(w32, g_low, lr, dtype):
    new = w32 - g_low.to(w32.dtype)
    return new, new.to(dtype)


@wrong("master_weight_step", "copy_always_bf16")
def bfloat16_written_in(w32, g_low, lr, dtype):
    new = w32 - lr * g_low.to(w32.dtype)
    return new, new.bfloat16()


@wrong("master_weight_step", "copy_always_fp16")
def half_written_in(w32, g_low, lr, dtype):
    new = w32 - lr * g_low.to(w32.dtype)
    return new, new.half()


@wrong("master_weight_step", "")
def copy_in_float32(w32, g_low, lr, dtype):
    new = w32 - lr * g_low.to(w32.dtype)
    return new, new.to(dtype).to(w32.dtype)


@wrong("master_weight_step", "")
def subtracts_in_place(w32, g_low, lr, dtype):
    w32 -= lr * g_low.to(w32.dtype)
    return w32, w32.to(dtype)


# training_bytes


@right("training_bytes")
def by_table(num_params, optimizer, precision):
    table = {("sgd", "fp32"): 8, ("momentum", "fp32"): 12, ("adam", "fp32"): 16, ("sgd", "amp"): 8, ("momentum", "amp"): 12,
             ("adam", "amp"): 16, ("sgd", "master"): 8, ("momentum", "master"): 12, ("adam", "master"): 16, ("sgd", "pure"): 4,
             ("momentum", "pure"): 6, ("adam", "pure"): 8}
    return num_params * table[optimizer, precision]


@right("training_bytes")
def by_sum(num_params, optimizer, precision):
    low = precision in ("master", "pure")
    total = 2 * (2 if low else 4)
    if precision == "master":
        total += 4
    for _ in range(["sgd", "momentum", "adam"].index(optimizer)):
        total += 2 if precision == "pure" else 4
    return total * num_params


@right("training_bytes")
def by_itemsize(num_params, optimizer, precision):
    full, half = torch.float32.itemsize, torch.bfloat16.itemsize
    kept = {"fp32": [full] * 2, "amp": [full] * 2, "master": [half, half, full], "pure": [half] * 2}[precision]
    state = half if precision == "pure" else full
    count = ("sgd", "momentum", "adam").index(optimizer)
    return int(np.sum([*kept, *[state] * count], dtype=np.int64)) * num_params


@wrong("training_bytes", "autocast_stores_halves")
def amp_2_2_4(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    each = {"fp32": 8 + 4 * states, "amp": 4 + 4 * states, "master": 8 + 4 * states, "pure": 4 + 2 * states}
    return num_params * each[precision]


@wrong("training_bytes", "autocast_gradients_in_half")
def amp_4_2_4(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    each = {"fp32": 8 + 4 * states, "amp": 6 + 4 * states, "master": 8 + 4 * states, "pure": 4 + 2 * states}
    return num_params * each[precision]


@wrong("training_bytes", "autocast_keeps_a_copy")
def amp_with_copy(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    each = {"fp32": 8 + 4 * states, "amp": 2 + 4 + 4 + 4 * states, "master": 8 + 4 * states, "pure": 4 + 2 * states}
    return num_params * each[precision]


@wrong("training_bytes", "autocast_states_in_half")
def amp_4_4_2(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    each = {"fp32": 8 + 4 * states, "amp": 8 + 2 * states, "master": 8 + 4 * states, "pure": 4 + 2 * states}
    return num_params * each[precision]


@wrong("training_bytes", "autocast_is_pure")
def amp_2_2_2(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    return num_params * (4 + 2 * states if precision in ("amp", "pure") else 8 + 4 * states)


@wrong("training_bytes", "master_forgotten")
def no_master(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    each = {"fp32": 8 + 4 * states, "amp": 8 + 4 * states, "master": 4 + 4 * states, "pure": 4 + 2 * states}
    return num_params * each[precision]


@wrong("training_bytes", "master_gradients_in_float32")
def master_2_4_4(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    each = {"fp32": 8 + 4 * states, "amp": 8 + 4 * states, "master": 10 + 4 * states, "pure": 4 + 2 * states}
    return num_params * each[precision]


@wrong("training_bytes", "master_states_in_half")
def master_states_2(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    each = {"fp32": 8 + 4 * states, "amp": 8 + 4 * states, "master": 8 + 2 * states, "pure": 4 + 2 * states}
    return num_params * each[precision]


@wrong("training_bytes", "pure_states_in_float32")
def pure_states_4(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    return num_params * ((4 if precision == "pure" else 8) + 4 * states)


@wrong("training_bytes", "nothing_in_half")
def four_bytes_everywhere(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    master = 4 if precision == "master" else 0
    return num_params * (8 + master + (2 if precision == "pure" else 4) * states)


@wrong("training_bytes", "states_forgotten")
def no_states(num_params, optimizer, precision):
    return num_params * (4 if precision == "pure" else 8)


@wrong("training_bytes", "adam_with_one_state")
def one_for_adam(num_params, optimizer, precision):
    states = 0 if optimizer == "sgd" else 1
    return num_params * (4 + 2 * states if precision == "pure" else 8 + 4 * states)


@wrong("training_bytes", "momentum_with_two_states")
def two_for_momentum(num_params, optimizer, precision):
    states = 0 if optimizer == "sgd" else 2
    return num_params * (4 + 2 * states if precision == "pure" else 8 + 4 * states)


@wrong("training_bytes", "sgd_with_a_state")
def one_for_sgd(num_params, optimizer, precision):
    states = 2 if optimizer == "adam" else 1
    return num_params * (4 + 2 * states if precision == "pure" else 8 + 4 * states)


@wrong("training_bytes", "bits_for_bytes")
def in_bits(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    return num_params * (32 + 16 * states if precision == "pure" else 64 + 32 * states)


@wrong("training_bytes", "kibibytes")
def in_kibibytes(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    return num_params * (4 + 2 * states if precision == "pure" else 8 + 4 * states) / 1024


@wrong("training_bytes", "weights_or_gradients_forgotten")
def no_gradients(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    each = {"fp32": 4 + 4 * states, "amp": 4 + 4 * states, "master": 6 + 4 * states, "pure": 2 + 2 * states}
    return num_params * each[precision]


@wrong("training_bytes", "")
def step_counter_too(num_params, optimizer, precision):
    states = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    return num_params * (4 + 2 * states if precision == "pure" else 8 + 4 * states) + (4 if optimizer == "adam" else 0)


# choose_amp


@right("choose_amp")
def by_major(capability):
    return (torch.bfloat16, False) if capability[0] >= 8 else (torch.float16, True)


@right("choose_amp")
def by_number(capability):
    major, minor = capability
    scaled = 10 * major + minor < 80
    return [torch.bfloat16, torch.half][scaled], np.bool_(scaled)


@right("choose_amp")
def by_comparison(capability):
    use_scaler = tuple(capability) <= (7, 9)
    if use_scaler:
        dtype = torch.half
    else:
        dtype = torch.bfloat16
    return [dtype, use_scaler]


@wrong("choose_amp", "emulated_bf16")
def as_pytorch_reports(capability):
    return (torch.bfloat16, False) if capability >= (7, 0) else (torch.float16, True)


@wrong("choose_amp", "fp16_without_a_scaler")
def never_a_scaler(capability):
    return (torch.bfloat16 if capability[0] >= 8 else torch.float16), False


@wrong("choose_amp", "scaler_always")
def always_a_scaler(capability):
    return (torch.bfloat16 if capability[0] >= 8 else torch.float16), True


@wrong("choose_amp", "scaler_for_bf16")
def scaler_turned(capability):
    new = capability[0] >= 8
    return (torch.bfloat16 if new else torch.float16), new


@wrong("choose_amp", "fp16_always")
def half_for_all(capability):
    return torch.half, True


@wrong("choose_amp", "exchanged")
def turned(capability):
    return (torch.bfloat16, False) if capability[0] < 8 else (torch.float16, True)


@wrong("choose_amp", "compared_as_text")
def strings(capability):
    return (torch.bfloat16, False) if f"{capability[0]}" >= "8" else (torch.float16, True)


@wrong("choose_amp", "first_one_left_out")
def strictly_after(capability):
    return (torch.bfloat16, False) if 10 * capability[0] + capability[1] > 80 else (torch.float16, True)


@wrong("choose_amp", "from_major_nine")
def hopper_first(capability):
    return (torch.bfloat16, False) if capability >= (9, 0) else (torch.float16, True)


@wrong("choose_amp", "major_eight_alone")
def ampere_and_ada(capability):
    return (torch.bfloat16, False) if capability[0] in (8,) else (torch.float16, True)


@wrong("choose_amp", "from_turing_on")
def turing_too(capability):
    return (torch.float16, True) if capability < (7, 5) else (torch.bfloat16, False)


@wrong("choose_amp", "")
def known_cards_only(capability):
    known = {(8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)}
    return (torch.bfloat16, False) if tuple(capability) in known else (torch.float16, True)


@wrong("choose_amp", "")
def dtype_by_name(capability):
    return ("bfloat16", False) if capability[0] >= 8 else ("float16", True)


# amp_step


@right("amp_step")
def textbook(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type=x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    (loss if scaler is None else scaler.scale(loss)).backward()
    if scaler is None:
        optimizer.step()
    else:
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    return loss


@right("amp_step")
def disabled_scaler(model, optimizer, x, y, dtype, scaler=None):
    scaler = scaler or torch.amp.GradScaler(x.device.type, enabled=False)
    model.zero_grad()
    with torch.autocast(x.device.type, dtype):
        logits = model(x)
        loss = torch.nn.CrossEntropyLoss()(logits, y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    return float(loss)


@right("amp_step")
def loss_in_float32(model, optimizer, x, y, dtype, scaler=None):
    with torch.autocast(x.device.type, dtype=dtype):
        logits = model(x)
    loss = F.nll_loss(logits.float().log_softmax(dim=-1), y)
    for p in [p for group in optimizer.param_groups for p in group["params"]]:
        p.grad = None
    if scaler:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    else:
        loss.backward()
        optimizer.step()
    return loss.item()


@right("amp_step")
def inside_a_function(model, optimizer, x, y, dtype, scaler=None):
    @torch.autocast(x.device.type, dtype=dtype, cache_enabled=False)
    def forward():
        return F.cross_entropy(model(x), y)

    loss = forward()
    optimizer.zero_grad(set_to_none=False)
    if scaler is not None:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    else:
        loss.backward()
        optimizer.step()
    return loss.detach().numpy()


@wrong("amp_step", "without_autocast")
def cuda_autocast(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast("cuda", dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "bf16_whatever_is_given")
def dtype_not_passed_on(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "fp16_whatever_is_given")
def half_always(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=torch.float16):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "loss_outside")
def only_the_model_inside(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        logits = model(x)
    loss = F.cross_entropy(logits, y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "own_log_softmax")
def logsumexp_by_hand(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        logits = model(x)
    loss = (logits.logsumexp(dim=1) - logits.gather(1, y[:, None])[:, 0]).mean()
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "summed_loss")
def sum_over_the_batch(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y, reduction="sum")
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "softmax_twice")
def probabilities_in(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(F.softmax(model(x), dim=1), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "cleared_at_the_end")
def zero_grad_last(model, optimizer, x, y, dtype, scaler=None):
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    optimizer.zero_grad()
    return loss.item()


@wrong("amp_step", "gradients_add_up")
def no_zero_grad(model, optimizer, x, y, dtype, scaler=None):
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "backward_inside")
def all_in_the_block(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    return loss.item()


@wrong("amp_step", "scaler_ignored")
def no_scaler(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("amp_step", "scaler_not_updated")
def no_update(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
    return loss.item()


@wrong("amp_step", "scaled_gradients_used")
def scaled_and_stepped(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    (scaler.scale(loss) if scaler else loss).backward()
    optimizer.step()
    return loss.item()


@wrong("amp_step", "steps_after_an_overflow")
def unscaled_by_hand(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
    else:
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.update()
    optimizer.step()
    return loss.item()


@wrong("amp_step", "two_steps")
def both_step(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    optimizer.step()
    return loss.item()


@wrong("amp_step", "divided_out_twice")
def unscaled_by_hand_and_by_the_scaler(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        for p in model.parameters():
            p.grad /= scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "scaled_loss_returned")
def returns_what_it_differentiates(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        loss = scaler.scale(loss)
        loss.backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "loss_after_the_update")
def looks_again(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    with torch.no_grad(), torch.autocast(x.device.type, dtype=dtype):
        return F.cross_entropy(model(x), y).item()


@wrong("amp_step", "no_step")
def cleared_before_the_step(model, optimizer, x, y, dtype, scaler=None):
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    return loss.item()


@wrong("amp_step", "model_converted")
def everything_in_half(model, optimizer, x, y, dtype, scaler=None):
    model.to(dtype)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x.to(dtype)), y)
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("amp_step", "put_into_training_mode")
def calls_train(model, optimizer, x, y, dtype, scaler=None):
    model.train()
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "put_into_evaluation_mode")
def calls_eval(model, optimizer, x, y, dtype, scaler=None):
    model.eval()
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


@wrong("amp_step", "descends_by_hand")
def subtracts_the_gradient(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    scale = scaler.get_scale() if scaler else 1.0
    (loss * scale).backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= optimizer.param_groups[0]["lr"] * p.grad / scale
    return loss.item()


@wrong("amp_step", "")
def a_scaler_of_its_own(model, optimizer, x, y, dtype, scaler=None):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    own = torch.amp.GradScaler("cpu")
    own.scale(loss).backward()
    own.step(optimizer)
    own.update()
    return loss.item()
