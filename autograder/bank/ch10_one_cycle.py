"""Bank of chapter 10: right alternatives and wrong implementations."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# cosine


@right("cosine")
def halved_sum(step, total_steps, lr_max, lr_min=0.0):
    return 0.5 * (lr_max + lr_min) + 0.5 * (lr_max - lr_min) * math.cos(math.pi * step / total_steps)


@right("cosine")
def half_angle(step, total_steps, lr_max, lr_min=0.0):
    c = math.cos(0.5 * math.pi * step / total_steps) ** 2
    return c * lr_max + (1 - c) * lr_min


@right("cosine")
def numpy_scalar(step, total_steps, lr_max, lr_min=0.0):
    return np.add(lr_min, np.multiply(lr_max - lr_min, np.divide(1 + np.cos(np.pi * step / total_steps), 2)))


@right("cosine")
def zero_dim_tensor(step, total_steps, lr_max, lr_min=0.0):
    angle = torch.tensor(math.pi * step / total_steps, dtype=torch.float64)
    return torch.lerp(torch.tensor(lr_min, dtype=torch.float64), torch.tensor(lr_max, dtype=torch.float64),
                      (torch.cos(angle) + 1) / 2)


@right("cosine")
def complex_exponential(step, total_steps, lr_max, lr_min=0.0):
    wave = np.exp(1j * np.pi * step / total_steps).real
    return float(lr_min + (lr_max - lr_min) * (wave + 1) / 2)


@wrong("cosine", "ends_one_step_early")
def over_total_minus_one(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * 0.5 * (1 + math.cos(math.pi * step / (total_steps - 1)))


@wrong("cosine", "straight_line")
def linear(step, total_steps, lr_max, lr_min=0.0):
    return lr_max - (lr_max - lr_min) * step / total_steps


@wrong("cosine", "rises")
def minus_cosine(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * (1 - math.cos(math.pi * step / total_steps)) / 2


@wrong("cosine", "height_not_halved")
def no_half(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * step / total_steps))


@wrong("cosine", "floor_added")
def floor_on_top(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + lr_max * (1 + math.cos(math.pi * step / total_steps)) / 2


@wrong("cosine", "floor_clamped")
def cut_off(step, total_steps, lr_max, lr_min=0.0):
    rate = lr_max * (1 + math.cos(math.pi * step / total_steps)) / 2
    return rate if rate > lr_min else lr_min


@wrong("cosine", "floor_forgotten")
def to_zero(step, total_steps, lr_max, lr_min=0.0):
    return lr_max * (math.cos(math.pi * step / total_steps) + 1) / 2


@wrong("cosine", "quarter_wave")
def quarter(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * math.sin(math.pi / 2 * (1 - step / total_steps))


@wrong("cosine", "whole_wave")
def two_pi(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * (1 + math.cos(2 * math.pi * step / total_steps)) / 2


@wrong("cosine", "not_lifted")
def plain_cosine(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * math.cos(math.pi * step / total_steps)


@wrong("cosine", "degrees")
def in_degrees(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * (1 + math.cos(180 * step / total_steps)) / 2


@wrong("cosine", "step_counted_from_one")
def one_step_on(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * (step + 1) / total_steps)) / 2


@wrong("cosine", "stands_still")
def whole_division(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * (step // total_steps))) / 2


@wrong("cosine", "wave_in_float32")
def torch_cosine(step, total_steps, lr_max, lr_min=0.0):
    wave = torch.cos(torch.tensor(math.pi * step / total_steps))
    return lr_min + (lr_max - lr_min) * 0.5 * (1 + wave.item())


@wrong("cosine", "all_in_float32")
def tensors_throughout(step, total_steps, lr_max, lr_min=0.0):
    high, low = torch.tensor(lr_max), torch.tensor(lr_min)
    return low + (high - low) * (1 + torch.cos(torch.tensor(math.pi) * step / total_steps)) / 2


@wrong("cosine", "")
def whole_steps_only(step, total_steps, lr_max, lr_min=0.0):
    table = [lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * k / total_steps)) / 2 for k in range(total_steps + 1)]
    return table[int(step)]


@wrong("cosine", "")
def squared_wave(step, total_steps, lr_max, lr_min=0.0):
    return lr_min + (lr_max - lr_min) * ((1 + math.cos(math.pi * step / total_steps)) / 2) ** 2


@wrong("cosine", "")
def the_schedule(step, total_steps, lr_max, lr_min=0.0):
    k = torch.arange(total_steps + 1, dtype=torch.float64)
    return lr_min + (lr_max - lr_min) * (1 + torch.cos(math.pi * k / total_steps)) / 2


# one_cycle


@right("one_cycle")
def nested_branches(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    initial = max_lr / div_factor
    up = pct_start * total_steps - 1
    down = 2 * pct_start * total_steps - 2
    last = total_steps - 1
    if step <= up:
        a, b, share = initial, max_lr, step / up
    elif three_phase and step <= down:
        a, b, share = max_lr, initial, (step - up) / (down - up)
    elif three_phase:
        a, b, share = initial, initial / final_div_factor, (step - down) / (last - down)
    else:
        a, b, share = max_lr, initial / final_div_factor, (step - up) / (last - up)
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2


@right("one_cycle")
def recursive_descent(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    def walk(begin, phases):
        (end, low, high), *rest = phases
        if rest and step > end:
            return walk(end, rest)
        angle = math.pi / 2 * (step - begin) / (end - begin)
        return low * math.cos(angle) ** 2 + high * math.sin(angle) ** 2

    first, last = max_lr / div_factor, max_lr / (div_factor * final_div_factor)
    peak = pct_start * total_steps - 1
    if three_phase:
        return walk(0, [(peak, first, max_lr), (2 * peak, max_lr, first), (total_steps - 1, first, last)])
    return walk(0, [(peak, first, max_lr), (total_steps - 1, max_lr, last)])


@right("one_cycle")
def pytorch_itself(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr, total_steps=total_steps, pct_start=pct_start, div_factor=div_factor,
        final_div_factor=final_div_factor, three_phase=three_phase)
    for _ in range(step):
        optimizer.step()
        schedule.step()
    return schedule.get_last_lr()[0]


@right("one_cycle")
def numpy_knots(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    values = np.array([1 / div_factor, 1.0] + [1 / div_factor] * three_phase + [1 / div_factor / final_div_factor]) * max_lr
    peak = pct_start * total_steps - 1
    knots = np.array([0.0, peak] + [2 * peak] * three_phase + [total_steps - 1.0])
    reached = np.flatnonzero(step <= knots[1:-1])
    i = int(reached[0]) if len(reached) else len(knots) - 2
    wave = np.cos(np.pi * (step - knots[i]) / (knots[i + 1] - knots[i]))
    return (values[i] + values[i + 1]) / 2 + (values[i] - values[i + 1]) / 2 * wave


@wrong("one_cycle", "counts_for_numbers")
def counts(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    def half_wave(a, b, share):
        return b + (a - b) * (1 + math.cos(math.pi * share)) / 2

    low, up = max_lr / div_factor, pct_start * total_steps
    end = low / final_div_factor
    if step <= up:
        return half_wave(low, max_lr, step / up)
    if not three_phase:
        return half_wave(max_lr, end, (step - up) / (total_steps - up))
    if step <= 2 * up:
        return half_wave(max_lr, low, (step - up) / up)
    return half_wave(low, end, (step - 2 * up) / (total_steps - 2 * up))


@wrong("one_cycle", "whole_counts_for_numbers")
def warm_up_steps(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    def half_wave(a, b, share):
        return b + (a - b) * (1 + math.cos(math.pi * share)) / 2

    low, up = max_lr / div_factor, int(pct_start * total_steps)
    end = low / final_div_factor
    if step < up:
        return half_wave(low, max_lr, step / up)
    if not three_phase:
        return half_wave(max_lr, end, (step - up) / (total_steps - up))
    if step < 2 * up:
        return half_wave(max_lr, low, (step - up) / up)
    return half_wave(low, end, (step - 2 * up) / (total_steps - 2 * up))


@wrong("one_cycle", "peak_one_step_late")
def late_peak(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "whole_peak_one_step_late")
def rounded_late_peak(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, round(pct_start * total_steps), total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step < p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "end_one_step_late")
def never_arrives(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up = max_lr / div_factor, pct_start * total_steps - 1
    phases = [(0, up, low, max_lr), (up, total_steps, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, total_steps, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "rounded_to_whole_steps")
def whole_warm_up(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, int(pct_start * total_steps) - 1, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "share_of_the_last_number")
def share_of_last(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, last = max_lr / div_factor, total_steps - 1
    t = step / last
    phases = [(0, pct_start, low, max_lr), (pct_start, 1, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(pct_start, 2 * pct_start, max_lr, low), (2 * pct_start, 1, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if t <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (t - begin) / (end - begin))) / 2


@wrong("one_cycle", "third_phase_one_step_late")
def second_phase_too_long(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        back = 2 * pct_start * total_steps - 1
        phases[1:] = [(up, back, max_lr, low), (back, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "short_warm_up_pushed")
def clamped_warm_up(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, max(0.0, pct_start * total_steps - 1), total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step < p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "straight_phases")
def interpolated(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return a + (b - a) * (step - begin) / (end - begin)


@wrong("one_cycle", "straight_warm_up")
def linear_then_cosine(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    if step <= up:
        return low + (max_lr - low) * step / up
    phases = [(up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "end_below_the_peak")
def peak_over_final(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, high, up, last = max_lr / div_factor, max_lr, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, high), (up, last, high, high / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, high, low), (2 * up, last, low, high / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "end_at_zero")
def annihilated(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, high, up, last = max_lr / div_factor, max_lr, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, high), (up, last, high, 0)]
    if three_phase:
        phases[1:] = [(up, 2 * up, high, low), (2 * up, last, low, 0)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "end_at_the_start")
def symmetric(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, high, up, last = max_lr / div_factor, max_lr, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, high), (up, last, high, low)]
    if three_phase:
        phases[1:] = [(up, 2 * up, high, low), (2 * up, last, low, low)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "start_at_zero")
def from_zero(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    least, up, last = max_lr / div_factor / final_div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, 0.0, max_lr), (up, last, max_lr, least)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, 0.0), (2 * up, last, 0.0, least)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "start_at_the_end")
def from_the_least(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    least, up, last = max_lr / (div_factor * final_div_factor), pct_start * total_steps - 1, total_steps - 1
    if step <= up:
        begin, end, a, b = 0, up, least, max_lr
    elif three_phase and step > 2 * up:
        return least
    else:
        begin, end, a, b = up, 2 * up if three_phase else last, max_lr, least
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "no_warm_up")
def only_down(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    least = max_lr / div_factor / final_div_factor
    return least + (max_lr - least) * (1 + math.cos(math.pi * step / (total_steps - 1))) / 2


@wrong("one_cycle", "upside_down")
def valley(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, high, up, last = max_lr, max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, high), (up, last, high, max_lr / div_factor / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, high, low), (2 * up, last, low, max_lr / div_factor / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "three_phases_always")
def as_in_the_paper(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=True):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    knots = [(0, low), (up, max_lr), (2 * up, low), (last, low / final_div_factor)]
    for (begin, a), (end, b) in zip(knots, knots[1:]):
        if step <= end:
            break
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "two_phases_always")
def as_in_fastai(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    if step <= up:
        return low + (max_lr - low) * (1 - math.cos(math.pi * step / up)) / 2
    return low / final_div_factor + (max_lr - low / final_div_factor) * (1 + math.cos(math.pi * (step - up) / (last - up))) / 2


@wrong("one_cycle", "all_in_the_second_phase")
def rests_at_the_end(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    least, down = low / final_div_factor, 2 * up if three_phase else last
    if step <= up:
        return max_lr + (low - max_lr) * (1 + math.cos(math.pi * step / up)) / 2
    if step > down:
        return least
    return least + (max_lr - least) * (1 + math.cos(math.pi * (step - up) / (down - up))) / 2


@wrong("one_cycle", "share_of_the_descent")
def reversed_share(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, (1 - pct_start) * total_steps - 1, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "stepped_once_per_phase")
def whole_shares(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * ((step - begin) // (end - begin)))) / 2


@wrong("one_cycle", "curve_in_float32")
def torch_wave(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    share = (step - begin) / (end - begin)
    return b + (a - b) * 0.5 * (torch.cos(torch.tensor(math.pi * share)).item() + 1)


@wrong("one_cycle", "rate_in_float32")
def float32_tensors(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    high = torch.tensor(max_lr)
    low, up, last = high / div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, high), (up, last, high, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, high, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "rate_counted_from_one")
def next_step(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last, step = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1, step + 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "")
def exponential_phases(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        phases[1:] = [(up, 2 * up, max_lr, low), (2 * up, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return a * (b / a) ** ((step - begin) / (end - begin))


@wrong("one_cycle", "")
def third_phase_where_the_warm_up_mirrors(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4,
                                          three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    phases = [(0, up, low, max_lr), (up, last, max_lr, low / final_div_factor)]
    if three_phase:
        back = (1 - pct_start) * total_steps - 1
        phases[1:] = [(up, back, max_lr, low), (back, last, low, low / final_div_factor)]
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle", "")
def never_the_third_phase(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4, three_phase=False):
    low, up, last = max_lr / div_factor, pct_start * total_steps - 1, total_steps - 1
    down = min(2 * up, last) if three_phase else last
    least = low if three_phase else low / final_div_factor
    if step <= up:
        return low + (max_lr - low) * (1 - math.cos(math.pi * step / up)) / 2
    if step <= down:
        return least + (max_lr - least) * (1 + math.cos(math.pi * (step - up) / (down - up))) / 2
    return low + (low / final_div_factor - low) * (step - down) / (last - down)


# one_cycle_momentum


@right("one_cycle_momentum")
def one_minus_the_wave(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    turn, last = pct_start * total_steps - 1, total_steps - 1
    back = 2 * turn if three_phase else last
    if step <= turn:
        return peak - (peak - base) * math.sin(math.pi * step / (2 * turn)) ** 2
    if three_phase and step > back:
        return peak
    return base + (peak - base) * math.sin(math.pi * (step - turn) / (2 * (back - turn))) ** 2


@right("one_cycle_momentum")
def pytorch_adam(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=total_steps, pct_start=pct_start, base_momentum=base, max_momentum=peak,
        three_phase=three_phase)
    for _ in range(step):
        optimizer.step()
        schedule.step()
    return optimizer.param_groups[0]["betas"][0]


@right("one_cycle_momentum")
def tensor_table(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    k = torch.arange(total_steps, dtype=torch.float64)
    up, last = pct_start * total_steps - 1, total_steps - 1
    end = 2 * up if three_phase else last
    falling = base + (peak - base) * (1 + torch.cos(math.pi * k / up)) / 2
    rising = peak + (base - peak) * (1 + torch.cos(math.pi * (k - up) / (end - up))) / 2
    table = torch.where(k <= up, falling, rising)
    if three_phase:
        table = torch.where(k > max(up, end), torch.full_like(k, peak), table)
    return table[step]


@wrong("one_cycle_momentum", "not_inverse")
def with_the_rate(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    rest = [(up, 2 * up, peak, base), (2 * up, last, base, base)] if three_phase else [(up, last, peak, base)]
    phases = [(0, up, base, peak)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "three_phases_always")
def rests_in_a_third_phase(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up = pct_start * total_steps - 1
    if step <= up:
        return base + (peak - base) * (1 + math.cos(math.pi * step / up)) / 2
    if step <= 2 * up:
        return peak + (base - peak) * (1 + math.cos(math.pi * (step - up) / up)) / 2
    return peak


@wrong("one_cycle_momentum", "two_phases_always")
def rises_to_the_end(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    if step <= up:
        return base + (peak - base) * (1 + math.cos(math.pi * step / up)) / 2
    return peak + (base - peak) * (1 + math.cos(math.pi * (step - up) / (last - up))) / 2


@wrong("one_cycle_momentum", "counts_for_numbers")
def counted(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps, total_steps
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "whole_counts_for_numbers")
def counted_in_whole_steps(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = int(pct_start * total_steps), total_steps
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step < p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "peak_one_step_late")
def late_turn(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps, total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "whole_peak_one_step_late")
def late_whole_turn(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = round(pct_start * total_steps), total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step < p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "end_one_step_late")
def late_end(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "rounded_to_whole_steps")
def whole_turn(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = int(pct_start * total_steps) - 1, total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "share_of_the_last_number")
def turn_by_share(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    last = total_steps - 1
    up = pct_start * last
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "third_phase_one_step_late")
def back_one_step_late(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    back = up + pct_start * total_steps
    rest = [(up, back, base, peak), (back, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "short_warm_up_pushed")
def turn_not_before_zero(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = max(pct_start * total_steps - 1, 0), total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step < p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "straight_phases")
def straight(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return a + (b - a) * (step - begin) / (end - begin)


@wrong("one_cycle_momentum", "straight_warm_up")
def straight_down_then_wave(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    back = 2 * up if three_phase else last
    if step <= up:
        return peak - (peak - base) * step / up
    if three_phase and step > back:
        return peak
    return peak + (base - peak) * (1 + math.cos(math.pi * (step - up) / (back - up))) / 2


@wrong("one_cycle_momentum", "moves_in_the_third_phase")
def falls_again(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, base)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "share_of_the_descent")
def share_of_the_second(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = (1 - pct_start) * total_steps - 1, total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "stepped_once_per_phase")
def whole_phases(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * ((step - begin) // (end - begin)))) / 2


@wrong("one_cycle_momentum", "curve_in_float32")
def torch_half_wave(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    wave = torch.tensor(math.pi * ((step - begin) / (end - begin))).cos().item()
    return b + (a - b) * (1 + wave) / 2


@wrong("one_cycle_momentum", "momentum_in_float32")
def half_precision_of_python(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    return torch.tensor(b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2)


@wrong("one_cycle_momentum", "momentum_counted_from_one")
def one_ahead(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last, k = pct_start * total_steps - 1, total_steps - 1, step + 1
    rest = [(up, 2 * up, base, peak), (2 * up, last, peak, peak)] if three_phase else [(up, last, base, peak)]
    phases = [(0, up, peak, base)] + rest
    begin, end, a, b = next((p for p in phases if k <= p[1]), phases[-1])
    return b + (a - b) * (1 + math.cos(math.pi * (k - begin) / (end - begin))) / 2


@wrong("one_cycle_momentum", "")
def constant(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    return peak


@wrong("one_cycle_momentum", "")
def inverse_of_the_rate(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    up, last = pct_start * total_steps - 1, total_steps - 1
    rest = [(up, 2 * up, 1.0, 0.04), (2 * up, last, 0.04, 0.0)] if three_phase else [(up, last, 1.0, 0.0)]
    phases = [(0, up, 0.04, 1.0)] + rest
    begin, end, a, b = next((p for p in phases if step <= p[1]), phases[-1])
    rate = b + (a - b) * (1 + math.cos(math.pi * (step - begin) / (end - begin))) / 2
    return peak - (peak - base) * rate


@wrong("one_cycle_momentum", "")
def pairs(step, total_steps, base=0.85, peak=0.95, pct_start=0.3, three_phase=False):
    return [base, peak]


# range_test_lrs


@right("range_test_lrs")
def exp_of_linspace(lr_min, lr_max, n):
    return torch.linspace(math.log(lr_min), math.log(lr_max), n, dtype=torch.float64).exp()


@right("range_test_lrs")
def constant_quotient(lr_min, lr_max, n):
    quotient = (lr_max / lr_min) ** (1 / (n - 1))
    return [lr_min * quotient**k for k in range(n)]


@right("range_test_lrs")
def numpy_logspace(lr_min, lr_max, n):
    return np.logspace(np.log2(lr_min), np.log2(lr_max), n, base=2)


@right("range_test_lrs")
def weighted_geometric_mean(lr_min, lr_max, n):
    t = torch.arange(n, dtype=torch.float64) / (n - 1)
    return lr_min ** (1 - t) * lr_max**t


@wrong("range_test_lrs", "equal_differences")
def stepwise(lr_min, lr_max, n):
    return [lr_min + (lr_max - lr_min) * k / (n - 1) for k in range(n)]


@wrong("range_test_lrs", "rates_as_exponents")
def exponents_forgotten(lr_min, lr_max, n):
    return np.logspace(lr_min, lr_max, n)


@wrong("range_test_lrs", "natural_logarithm_to_base_ten")
def log_for_log10(lr_min, lr_max, n):
    return 10 ** np.linspace(np.log(lr_min), np.log(lr_max), n)


@wrong("range_test_lrs", "decimal_logarithm_to_base_e")
def exp_for_ten(lr_min, lr_max, n):
    return np.exp(np.linspace(np.log10(lr_min), np.log10(lr_max), n))


@wrong("range_test_lrs", "upper_end_missing")
def end_open(lr_min, lr_max, n):
    return np.geomspace(lr_min, lr_max, n, endpoint=False)


@wrong("range_test_lrs", "lower_end_missing")
def start_open(lr_min, lr_max, n):
    return [lr_min * (lr_max / lr_min) ** ((k + 1) / n) for k in range(n)]


@wrong("range_test_lrs", "one_rate_too_many")
def n_intervals(lr_min, lr_max, n):
    return [lr_min * (lr_max / lr_min) ** (k / n) for k in range(n + 1)]


@wrong("range_test_lrs", "natural_logarithms")
def logs(lr_min, lr_max, n):
    return np.linspace(math.log(lr_min), math.log(lr_max), n)


@wrong("range_test_lrs", "decimal_logarithms")
def exponents(lr_min, lr_max, n):
    return torch.linspace(math.log10(lr_min), math.log10(lr_max), n, dtype=torch.float64)


@wrong("range_test_lrs", "falling_rates")
def downwards(lr_min, lr_max, n):
    return torch.logspace(math.log10(lr_max), math.log10(lr_min), n, dtype=torch.float64)


@wrong("range_test_lrs", "decade_by_decade")
def times_ten(lr_min, lr_max, n):
    rates = [lr_min]
    while len(rates) < n:
        rates.append(10 * rates[-1])
    return rates


@wrong("range_test_lrs", "rates_in_float32")
def default_dtype(lr_min, lr_max, n):
    return torch.logspace(math.log10(lr_min), math.log10(lr_max), n)


@wrong("range_test_lrs", "rates_in_float32")
def widened(lr_min, lr_max, n):
    return torch.linspace(math.log(lr_min), math.log(lr_max), n).exp().double()


@wrong("range_test_lrs", "")
def only_the_ends(lr_min, lr_max, n):
    return [lr_min, lr_max]


@wrong("range_test_lrs", "")
def quadratic_spacing(lr_min, lr_max, n):
    return [lr_min + (lr_max - lr_min) * (k / (n - 1)) ** 2 for k in range(n)]


@wrong("range_test_lrs", "")
def as_a_generator(lr_min, lr_max, n):
    return (lr_min * (lr_max / lr_min) ** (k / (n - 1)) for k in range(n))


# smooth_losses


@right("smooth_losses")
def adam_style(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(losses):
        m = m + (1 - beta) * (float(loss) - m)
        smoothed.append(m / (1 - beta ** (k + 1)))
    return smoothed


@right("smooth_losses")
def ratio_of_sums(losses, beta):
    total = weight = 0.0
    smoothed = np.empty(len(losses))
    for k in range(len(losses)):
        total, weight = beta * total + float(losses[k]), beta * weight + 1
        smoothed[k] = total / weight
    return smoothed


@right("smooth_losses")
def numpy_average(losses, beta):
    values = np.array([float(loss) for loss in losses])
    return torch.tensor([np.average(values[:k], weights=float(beta) ** np.arange(k - 1, -1, -1.0))
                         for k in range(1, len(values) + 1)], dtype=torch.float64)


@right("smooth_losses")
def moving_weight(losses, beta):
    mean, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        share = (1 - beta) / (1 - beta**k)
        mean = (1 - share) * mean + share * float(loss)
        smoothed.append(mean)
    return torch.tensor(smoothed, dtype=torch.float64)


@wrong("smooth_losses", "not_corrected")
def from_zero_uncorrected(losses, beta):
    m, smoothed = 0.0, []
    for loss in losses:
        m = beta * m + (1 - beta) * float(loss)
        smoothed.append(m)
    return smoothed


@wrong("smooth_losses", "started_at_the_first_loss")
def seeded(losses, beta):
    m, smoothed = float(losses[0]), []
    for loss in losses:
        smoothed.append(beta * (smoothed[-1] if smoothed else m) + (1 - beta) * float(loss))
    return smoothed


@wrong("smooth_losses", "beta_on_the_new_loss")
def batch_norm_convention(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        m += beta * (float(loss) - m)
        smoothed.append(m / (1 - (1 - beta) ** k))
    return smoothed


@wrong("smooth_losses", "conventions_mixed")
def half_converted(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        m += beta * (float(loss) - m)
        smoothed.append(m / (1 - beta**k))
    return smoothed


@wrong("smooth_losses", "corrected_one_step_ahead")
def k_plus_two(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        m = beta * m + (1 - beta) * float(loss)
        smoothed.append(m / (1 - beta ** (k + 1)))
    return smoothed


@wrong("smooth_losses", "correction_never_fades")
def first_power_only(losses, beta):
    m, smoothed = 0.0, []
    for loss in losses:
        m = beta * m + (1 - beta) * float(loss)
        smoothed.append(m / (1 - beta))
    return smoothed


@wrong("smooth_losses", "correction_fed_back")
def corrected_in_place(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        m = beta * m + (1 - beta) * float(loss)
        m = m / (1 - beta**k)
        smoothed.append(m)
    return smoothed


@wrong("smooth_losses", "new_loss_at_full_weight")
def heavy_momentum(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        m = beta * m + float(loss)
        smoothed.append(m / (1 - beta**k))
    return smoothed


@wrong("smooth_losses", "started_and_corrected")
def both_remedies(losses, beta):
    m, smoothed = float(losses[0]), []
    for k, loss in enumerate(losses, start=1):
        m = beta * m + (1 - beta) * float(loss)
        smoothed.append(m / (1 - beta**k))
    return smoothed


@wrong("smooth_losses", "correction_multiplied")
def times_for_over(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        m = beta * m + (1 - beta) * float(loss)
        smoothed.append(m * (1 - beta**k))
    return smoothed


@wrong("smooth_losses", "plain_mean")
def cumulative_mean(losses, beta):
    values = np.array([float(loss) for loss in losses])
    return np.cumsum(values) / np.arange(1, len(values) + 1)


@wrong("smooth_losses", "not_smoothed")
def as_given(losses, beta):
    return [float(loss) for loss in losses]


@wrong("smooth_losses", "last_value_alone")
def one_number(losses, beta):
    m = 0.0
    for loss in losses:
        m = beta * m + (1 - beta) * float(loss)
    return m / (1 - beta ** len(losses))


@wrong("smooth_losses", "smoothed_in_float32")
def torch_default(losses, beta):
    m, smoothed = torch.tensor(0.0), []
    for k, loss in enumerate(losses, start=1):
        m = beta * m + (1 - beta) * float(loss)
        smoothed.append(m / (1 - beta**k))
    return torch.stack(smoothed)


@wrong("smooth_losses", "")
def off_by_the_zeroth_power(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(losses):
        m = beta * m + (1 - beta) * float(loss)
        smoothed.append(m / (1 - beta**k))
    return smoothed


@wrong("smooth_losses", "")
def window_of_three(losses, beta):
    values = [float(loss) for loss in losses]
    return [sum(values[max(0, k - 2):k + 1]) / len(values[max(0, k - 2):k + 1]) for k in range(len(values))]


@wrong("smooth_losses", "")
def smoothed_backwards(losses, beta):
    m, smoothed = 0.0, []
    for k, loss in enumerate(reversed([float(loss) for loss in losses]), start=1):
        m = beta * m + (1 - beta) * loss
        smoothed.append(m / (1 - beta**k))
    return smoothed[::-1]


@wrong("smooth_losses", "")
def in_place_on_the_input(losses, beta):
    for k in range(1, len(losses)):
        losses[k] = beta * losses[k - 1] + (1 - beta) * losses[k]
    return losses


@wrong("smooth_losses", "")
def none_returned(losses, beta):
    list(losses)


# suggest_lr


@right("suggest_lr")
def forward_differences(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    bad = np.flatnonzero(~np.isfinite(values))
    stop = bad[0] if len(bad) else len(values)
    return float(rates[np.argmin(np.diff(values[:stop]) / np.diff(np.log(rates[:stop])))])


@right("suggest_lr")
def backward_differences(lrs, losses):
    best, chosen = 0.0, None
    for k in range(1, len(lrs)):
        if not math.isfinite(float(losses[k])):
            break
        slope = (float(losses[k]) - float(losses[k - 1])) / (math.log10(float(lrs[k])) - math.log10(float(lrs[k - 1])))
        if chosen is None or slope < best:
            best, chosen = slope, float(lrs[k])
    return chosen


@right("suggest_lr")
def numpy_gradient(lrs, losses):
    values = np.array([float(loss) for loss in losses])
    keep = np.cumprod(np.isfinite(values)).astype(bool)
    logs = np.log(np.array([float(lr) for lr in lrs])[keep])
    return float(lrs[int(np.argmin(np.gradient(values[keep], logs)))])


@right("suggest_lr")
def central_differences_of_a_tensor(lrs, losses):
    lrs, losses = torch.as_tensor(lrs, dtype=torch.float64), torch.as_tensor(losses, dtype=torch.float64)
    n = int((torch.cumsum(~torch.isfinite(losses), 0) == 0).sum())
    if n == 2:
        return lrs[0]
    x, y = torch.log2(lrs[:n]), losses[:n]
    return lrs[1 + torch.argmax((y[:-2] - y[2:]) / (x[2:] - x[:-2]))]


@wrong("suggest_lr", "tail_kept")
def numpy_with_nan(lrs, losses):
    slope = np.gradient(np.asarray(losses, dtype=float), np.log(np.asarray(lrs, dtype=float)))
    return float(lrs[int(np.argmin(slope))])


@wrong("suggest_lr", "against_the_rate")
def slope_on_a_linear_axis(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    return float(rates[np.argmin(np.gradient(values[:stop], rates[:stop]))])


@wrong("suggest_lr", "least_loss")
def argmin_of_the_losses(lrs, losses):
    pairs = [(float(loss), float(lr)) for lr, loss in zip(lrs, losses) if math.isfinite(float(loss))]
    return min(pairs)[1]


@wrong("suggest_lr", "tenth_of_the_least")
def fastai_minimum(lrs, losses):
    values = np.where(np.isfinite(np.asarray(losses, dtype=float)), np.asarray(losses, dtype=float), np.inf)
    return float(lrs[int(np.argmin(values))]) * 0.1


@wrong("suggest_lr", "against_the_index")
def fastai_steepest(lrs, losses):
    values = np.asarray(losses, dtype=float)
    values = values[:next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))]
    return float(lrs[int(np.argmin(np.diff(values)))])


@wrong("suggest_lr", "steepest_of_all")
def absolute_slope(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    return float(rates[np.argmax(np.abs(np.diff(values[:stop]) / np.diff(np.log(rates[:stop]))))])


@wrong("suggest_lr", "steepest_rise")
def largest_slope(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    return float(rates[np.argmax(np.diff(values[:stop]) / np.diff(np.log(rates[:stop])))])


@wrong("suggest_lr", "share_of_the_loss")
def both_axes_logarithmic(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    return float(rates[np.argmin(np.diff(np.log(values[:stop])) / np.diff(np.log(rates[:stop])))])


@wrong("suggest_lr", "last_finite")
def before_divergence(lrs, losses):
    return [float(lr) for lr, loss in zip(lrs, losses) if math.isfinite(float(loss))][-1]


@wrong("suggest_lr", "index_for_rate")
def place_of_the_fall(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    return int(np.argmin(np.diff(values[:stop]) / np.diff(np.log(rates[:stop]))))


@wrong("suggest_lr", "slope_or_logarithm")
def smallest_slope(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    return float(np.min(np.diff(values[:stop]) / np.diff(np.log(rates[:stop]))))


@wrong("suggest_lr", "slope_or_logarithm")
def exponent(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    return math.log10(rates[np.argmin(np.diff(values[:stop]) / np.diff(np.log10(rates[:stop])))])


@wrong("suggest_lr", "between_two_rates")
def geometric_middle(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    i = int(np.argmin(np.diff(values[:stop]) / np.diff(np.log(rates[:stop]))))
    return math.sqrt(rates[i] * rates[i + 1])


@wrong("suggest_lr", "")
def two_steps_off(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    stop = next((k for k, v in enumerate(values) if not math.isfinite(v)), len(values))
    return float(rates[max(0, int(np.argmin(np.diff(values[:stop]) / np.diff(np.log(rates[:stop])))) - 3)])


@wrong("suggest_lr", "")
def middle_of_the_range(lrs, losses):
    return float(lrs[len(lrs) // 2])


@wrong("suggest_lr", "")
def sorts_in_place(lrs, losses):
    for values in (lrs, losses):
        values[:] = sorted(values)
    return float(lrs[0])


@wrong("suggest_lr", "")
def zeros_for_nan(lrs, losses):
    rates, values = np.asarray(lrs, dtype=float), np.nan_to_num(np.asarray(losses, dtype=float), posinf=0.0)
    return float(rates[np.argmin(np.diff(values) / np.diff(np.log(rates)))])


# range_test


@right("range_test")
def on_deep_copies(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@right("range_test")
def saved_and_loaded(model, optimizer, batches, lrs):
    import copy

    weights, memory = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    hidden = {name: b.clone() for name, b in model.named_buffers()}
    grads = {p: p.grad for p in model.parameters()}
    model.zero_grad(set_to_none=True)
    losses = torch.zeros(len(lrs), dtype=torch.float64)
    for k, (x, y) in enumerate(batches):
        for group in optimizer.param_groups:
            group.update(lr=float(lrs[k]))
        loss = torch.nn.CrossEntropyLoss()(model(x), y)
        losses[k] = loss.detach()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.load_state_dict(weights)
    for name, b in model.named_buffers():
        b.copy_(hidden[name])
    optimizer.load_state_dict(memory)
    for p, grad in grads.items():
        p.grad = grad
    return losses


@right("range_test")
def piece_by_piece(model, optimizer, batches, lrs):
    import copy

    tensors = [*model.parameters(), *model.buffers()]
    kept = [t.data.clone() for t in tensors]
    grads = [(p, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    rates = [group["lr"] for group in optimizer.param_groups]
    state = {p: copy.deepcopy(s) for p, s in optimizer.state.items()}
    losses = []
    try:
        for (x, y), lr in zip(batches, lrs):
            for group in optimizer.param_groups:
                group["lr"] = float(lr)
            for p, _ in grads:
                p.grad = None
            log_p = F.log_softmax(model(x), dim=1)
            loss = -log_p[torch.arange(len(y)), y].mean()
            losses.append(float(loss))
            loss.backward()
            optimizer.step()
    finally:
        for t, value in zip(tensors, kept):
            t.data.copy_(value)
        for p, grad in grads:
            p.grad = grad
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate
        optimizer.state.clear()
        optimizer.state.update(state)
    return np.array(losses)


@right("range_test")
def with_a_closure(model, optimizer, batches, lrs):
    import copy

    twin, opt = copy.deepcopy((model, optimizer))

    def one(batch, lr):
        for group in opt.param_groups:
            group["lr"] = float(lr)

        def closure():
            opt.zero_grad()
            loss = F.nll_loss(twin(batch[0]).log_softmax(1), batch[1])
            loss.backward()
            return loss

        return opt.step(closure).item()

    return [one(batch, lr) for batch, lr in zip(batches, lrs)]


@wrong("range_test", "weights_left")
def nothing_put_back(model, optimizer, batches, lrs):
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "weights_left")
def references_for_copies(model, optimizer, batches, lrs):
    import copy

    weights, memory = model.state_dict(), copy.deepcopy(optimizer.state_dict())
    buffers = [b.clone() for b in model.buffers()]
    grads = [(p, p.grad) for p in model.parameters()]
    model.zero_grad()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.load_state_dict(weights)
    for b, value in zip(model.buffers(), buffers):
        b.copy_(value)
    optimizer.load_state_dict(memory)
    for p, grad in grads:
        p.grad = grad
    return losses


@wrong("range_test", "buffers_left")
def parameters_only(model, optimizer, batches, lrs):
    import copy

    kept, memory = [p.detach().clone() for p in model.parameters()], copy.deepcopy(optimizer.state_dict())
    grads = [(p, p.grad) for p in model.parameters()]
    model.zero_grad()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    for (p, grad), value in zip(grads, kept):
        p.data, p.grad = value, grad
    optimizer.load_state_dict(memory)
    return losses


@wrong("range_test", "rates_left")
def rates_not_kept(model, optimizer, batches, lrs):
    import copy

    twin, opt = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in [*opt.param_groups, *optimizer.param_groups]:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "one_rate_for_all_groups")
def first_rate_back(model, optimizer, batches, lrs):
    import copy

    rate = optimizer.param_groups[0]["lr"]
    twin, opt = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in [*opt.param_groups, *optimizer.param_groups]:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    for group in optimizer.param_groups:
        group["lr"] = rate
    return losses


@wrong("range_test", "grads_left")
def last_gradients_stay(model, optimizer, batches, lrs):
    import copy

    weights, memory = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.load_state_dict(weights)
    optimizer.load_state_dict(memory)
    return losses


@wrong("range_test", "grads_cleared")
def zero_grad_at_the_end(model, optimizer, batches, lrs):
    import copy

    weights, memory = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.load_state_dict(weights)
    optimizer.load_state_dict(memory)
    optimizer.zero_grad()
    return losses


@wrong("range_test", "grads_zeroed")
def zeros_at_the_end(model, optimizer, batches, lrs):
    import copy

    weights, memory = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.load_state_dict(weights)
    optimizer.load_state_dict(memory)
    optimizer.zero_grad(set_to_none=False)
    return losses


@wrong("range_test", "memory_left")
def rates_but_no_memory(model, optimizer, batches, lrs):
    import copy

    weights, rates = copy.deepcopy(model.state_dict()), [group["lr"] for group in optimizer.param_groups]
    grads = [(p, p.grad) for p in model.parameters()]
    model.zero_grad()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.load_state_dict(weights)
    for group, rate in zip(optimizer.param_groups, rates):
        group["lr"] = rate
    for p, grad in grads:
        p.grad = grad
    return losses


@wrong("range_test", "memory_left")
def shallow_state_dict(model, optimizer, batches, lrs):
    import copy

    weights, memory = copy.deepcopy(model.state_dict()), optimizer.state_dict()
    grads = [(p, p.grad) for p in model.parameters()]
    model.zero_grad()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.load_state_dict(weights)
    optimizer.load_state_dict(memory)
    for p, grad in grads:
        p.grad = grad
    return losses


@wrong("range_test", "memory_emptied")
def forgets_all(model, optimizer, batches, lrs):
    import copy

    twin, opt = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in opt.param_groups:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    optimizer.state = type(optimizer.state)(dict)
    return losses


@wrong("range_test", "left_in_training_mode")
def train_at_the_end(model, optimizer, batches, lrs):
    import copy

    twin, opt = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in opt.param_groups:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    model.train()
    return losses


@wrong("range_test", "left_in_evaluation_mode")
def eval_at_the_end(model, optimizer, batches, lrs):
    import copy

    twin, opt = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in opt.param_groups:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    model.eval()
    return losses


@wrong("range_test", "frozen_parameters_thawed")
def all_learn(model, optimizer, batches, lrs):
    import copy

    twin, opt = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in opt.param_groups:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    for p in model.parameters():
        p.requires_grad = True
    return losses


@wrong("range_test", "settings_changed")
def defaults_back(model, optimizer, batches, lrs):
    import copy

    twin, opt = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in opt.param_groups:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    for group in optimizer.param_groups:
        group["weight_decay"] = optimizer.defaults["weight_decay"]
    return losses


@wrong("range_test", "loss_after_the_update")
def measured_after(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        losses.append(F.cross_entropy(model(x), y).item())
    return losses


@wrong("range_test", "gradients_add_up")
def no_zero_grad(model, optimizer, batches, lrs):
    import copy

    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    model, optimizer = copy.deepcopy((model, optimizer))
    for p, grad in zip(model.parameters(), grads):
        p.grad = grad
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "old_gradients_in_the_first_update")
def zero_grad_too_late(model, optimizer, batches, lrs):
    import copy

    grads = [(p, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    weights, memory = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.load_state_dict(weights)
    optimizer.load_state_dict(memory)
    for p, grad in grads:
        p.grad = grad
    return losses


@wrong("range_test", "rates_never_set")
def own_rates(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "rates_never_set")
def attribute_for_group(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        optimizer.lr = optimizer.defaults["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "first_group_only")
def group_zero(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        optimizer.param_groups[0]["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "rate_one_update_late")
def rate_after_the_step(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        losses.append(loss.item())
    return losses


@wrong("range_test", "rates_multiplied")
def times_own_rate(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: float(lrs[min(k, len(lrs) - 1)]))
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "no_update")
def no_step(model, optimizer, batches, lrs):
    import copy

    model = copy.deepcopy(model)
    return [F.cross_entropy(model(x), y).item() for x, y in batches]


@wrong("range_test", "no_update")
def each_from_the_start(model, optimizer, batches, lrs):
    import copy

    losses = []
    for (x, y), lr in zip(batches, lrs):
        twin, opt = copy.deepcopy((model, optimizer))
        for group in opt.param_groups:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "tested_in_evaluation_mode")
def eval_during(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    model.eval()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "tested_in_training_mode")
def train_during(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    model.train()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "summed_over_the_batch")
def reduction_sum(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = len(y) * F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "softmax_twice")
def softmax_before(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(torch.softmax(model(x), dim=-1), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "first_batch_only")
def same_batch(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    x, y = batches[0]
    losses = []
    for lr in lrs:
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "starts_without_memory")
def memory_cleared_first(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    optimizer.state.clear()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "plain_descent")
def by_hand(model, optimizer, batches, lrs):
    import copy

    model, losses = copy.deepcopy(model), []
    for (x, y), lr in zip(batches, lrs):
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        for p in model.parameters():
            if p.grad is not None:
                p.data -= float(lr) * p.grad
        losses.append(loss.item())
    return losses


@wrong("range_test", "stops_when_it_explodes")
def early_exit(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        losses.append(loss.item())
        if losses[-1] > 4 * min(losses):
            break
        loss.backward()
        optimizer.step()
    return losses


@wrong("range_test", "one_loss_too_many")
def last_loss_as_well(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses + [F.cross_entropy(model(x), y).item()]


@wrong("range_test", "last_loss_alone")
def only_the_last(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return loss.item()


@wrong("range_test", "losses_smoothed")
def smoothed_on_the_way(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    m, losses = 0.0, []
    for k, ((x, y), lr) in enumerate(zip(batches, lrs), start=1):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        m = 0.9 * m + 0.1 * loss.item()
        losses.append(m / (1 - 0.9**k))
    return losses


@wrong("range_test", "")
def persistent_state_only(model, optimizer, batches, lrs):
    import copy

    weights, memory = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    grads = [(p, p.grad) for p in model.parameters()]
    model.zero_grad()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.load_state_dict(weights)
    optimizer.load_state_dict(memory)
    for p, grad in grads:
        p.grad = grad
    return losses


@wrong("range_test", "")
def updates_taken_back(model, optimizer, batches, lrs):
    import copy

    twin, opt = copy.deepcopy((model, optimizer))
    losses, start = [], [p.detach().clone() for p in model.parameters()]
    for (x, y), lr in zip(batches, lrs):
        for group in opt.param_groups:
            group["lr"] = float(lr)
        opt.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    for p, q, value in zip(model.parameters(), twin.parameters(), start):
        p.data = 1.01 * value
    return losses


@wrong("range_test", "")
def standardises_the_batches(model, optimizer, batches, lrs):
    import copy

    model, optimizer = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        x -= x.mean(0)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("range_test", "parameters_replaced")
def new_parameters(model, optimizer, batches, lrs):
    import copy

    weights = {name: t.clone() for name, t in model.state_dict().items()}
    memory, grads = copy.deepcopy(optimizer.state_dict()), [p.grad for p in model.parameters()]
    model.zero_grad()
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.load_state_dict(weights, assign=True)
    optimizer.load_state_dict(memory)
    for p, grad in zip(model.parameters(), grads):
        p.grad = grad
    return losses


@wrong("range_test", "")
def a_schedule_key_is_left(model, optimizer, batches, lrs):
    import copy

    model_too, optimizer_too = copy.deepcopy((model, optimizer))
    losses = []
    for (x, y), lr in zip(batches, lrs):
        for group in optimizer_too.param_groups:
            group["lr"] = float(lr)
        optimizer_too.zero_grad()
        loss = F.cross_entropy(model_too(x), y)
        loss.backward()
        optimizer_too.step()
        losses.append(loss.item())
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return losses
