"""Hidden cases of chapter 11: other shapes and sizes, scalars, borders of float32 and fp16, other networks and optimizers."""

import math

import torch
from torch import nn

from autograder.checks.ch06_scale_invariance import backwards, between, normal
from autograder.checks.ch11_mixed_precision import (
    BF16, F16, F32, F64, Watch, card, clipping, dropout_in_evaluation, exact_step, faint_network, flagged, from_bits, gradient,
    halfway, history, ladder, lesson, momentum, normalised_network, on_a_grid, plain_descent, random_bits, refused,
    scaled_gradients, small_network, steep_descent, whole, wide, with_entry)
from autograder.checks.exercise import Case


def given(**inputs):
    return Case(lambda g: dict(inputs))


def every_exponent(g):
    """One number of each exponent and sign; infinities and NaN by chance of the fraction."""
    upper = torch.arange(0x200) * 0x80 + torch.randint(0x80, (0x200,), generator=g)
    return dict(x=from_bits(*(upper * 0x10000 + torch.randint(0x10000, (0x200,), generator=g)).tolist()))


def beside_the_middle(g):
    """One bit below and above the middle between two neighbours."""
    middle = halfway(g, 10).view(torch.int32)
    return dict(x=torch.cat([middle - 1, middle + 1]).view(torch.float32).reshape(4, 5).T)


def quiet_and_signalling(g):
    payload = torch.randint(1, 0x7FFFFF, (12,), generator=g)
    return dict(x=from_bits(*(payload + 0x7F800000).tolist(), 0xFFC00000, 0xFF800001, 0x7FFFFFFF, 0x7FFF8000))


def one_number(g):
    return dict(x=1 + torch.rand((), generator=g))


def tiny_double(g):
    """Magnitudes that float32 cannot hold, and a scale that makes them ordinary."""
    return dict(g=gradient(g, (3, 3, 2, 2), zeros=2, dtype=F64, shift=150).reshape(2, 6), scale=2.0**150)


def beyond_fp16(g):
    return dict(g=torch.cat([torch.tensor([math.inf, -math.inf]), gradient(g, (3, 1, 1, 1))]), scale=between(g, 0.6, 0.9))


def single(value):
    return dict(g=torch.tensor(value))


def steep_ladder(g):
    return dict(g=ladder(g, 5, step=2.4).reshape(5, 2).T, tolerance=between(g, 0.25, 0.28))


def in_float64(g):
    return dict(g=torch.tensor([2.0**-60, -(2.0**-62), 2.0**-59], dtype=F64), tolerance=between(g, 0.4, 0.6))


def one_infinite(g):
    return dict(g=torch.tensor([math.inf, 1.0, 2.0]), tolerance=0.9)


def random_history(g):
    letters = "".join("o" if draw < 0.2 else "g" for draw in torch.rand(60, generator=g).tolist())
    return dict(scale=2.0**10, good_steps=0, overflows=history(letters), interval=3)


def into_the_last_float(g):
    """The growth ends exactly at the largest number of float32, which it can hold."""
    return dict(scale=torch.finfo(F32).max / 2, good_steps=4, overflows=history("gg"), interval=5)


def past_the_last_float(g):
    return dict(scale=1.75 * 2.0**126, good_steps=1, overflows=history("gggggo"), growth=3.0, interval=2)


def small_scale(g):
    return dict(scale=whole(g, 20, 30) / 1024, good_steps=0, overflows=history("ooggo"), growth=1.5, backoff=0.75, interval=1)


def zeros_alone(g):
    return dict(grads=[torch.zeros(2, 3), torch.zeros(4)], scale=between(g, 100, 200), max_norm=1.0)


def one_tensor(g):
    return clipping(g, between(g, 3, 4), between(g, 0.8, 1.2), shapes=((4, 3),))


def many_shapes(g):
    return clipping(g, between(g, 2, 3), between(g, 1.5, 1.8), dtype=F64, scale=65536.0, shapes=((2, 3), (), (1, 4), (5,), (1,)))


def strided(g):
    inputs = clipping(g, between(g, 5, 6), between(g, 8, 9), shapes=((4, 3), (2, 2)))
    inputs["grads"] = [t.T for t in inputs["grads"]]
    return inputs


def just_inside(g):
    return clipping(g, 0.98, 1.0, dtype=F64)


def nan_in_a_scalar(g):
    grads = scaled_gradients(g, ((3,), (2, 2)), 1.0, 128.0)
    return dict(grads=[*grads, torch.tensor(math.nan)], scale=128.0, max_norm=2.0)


def finite_but_large(g):
    """fp16 could not hold these; float32 can."""
    return dict(grads=[1e6 * (1 + torch.rand(3, generator=g)), torch.full((2,), -1e5)], scale=2.0**16, max_norm=between(g, 2, 3))


def master_in_float64(g):
    return exact_step(g, BF16, shape=(2, 3), master=F64)


def transposed(g):
    inputs = exact_step(g, F16, shape=(3, 5))
    return inputs | dict(w32=inputs["w32"].T, g_low=inputs["g_low"].T)


def too_large_for_fp16(g):
    return dict(w32=on_a_grid(g, (6,), 0.5, 16) + 70000, g_low=on_a_grid(g, (6,), 2.0**-6, 127).half(), lr=0.5, dtype=F16)


def infinite_gradient(g):
    inputs = exact_step(g, F16, shape=(4,))
    inputs["g_low"][1] = math.inf
    return inputs


def one_weight(g):
    return exact_step(g, BF16, shape=())


def generic_bf16(g):
    return dict(w32=backwards(g, 3, 4, dtype=F32), g_low=normal(g, 3, 4, dtype=F32).bfloat16(), lr=between(g, 0.2, 0.4), dtype=BF16)


def convolution_network():
    return nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 4, 3), nn.GroupNorm(2, 4), nn.LeakyReLU(0.1), Watch(), nn.Flatten(),
                         nn.Linear(16, 4))


def all_in_evaluation():
    return dropout_in_evaluation().eval()


def some_frozen():
    model = small_network()
    first_bias = model[0].bias
    first_bias.requires_grad_(False)
    return model


def adamw(model):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05, weight_decay=0.1, eps=0.02)


def taught(*recipe, **scaler):
    return Case(lambda g: lesson(g, *recipe, **scaler))


HIDDEN = {
    "round_to_bf16": [
        Case(every_exponent), Case(beside_the_middle), Case(quiet_and_signalling), Case(one_number), given(x=torch.zeros(0, 3)),
        Case(lambda g: dict(x=random_bits(g, 3, 4, 5).permute(2, 0, 1)[::2])),
        Case(lambda g: dict(x=-halfway(g, 6).reshape(2, 3))),
    ],
    "fp16_underflow_fraction": [
        Case(tiny_double), Case(beyond_fp16), Case(lambda g: single(-1e-9)), Case(lambda g: single(0.0)),
        Case(lambda g: dict(g=gradient(g, (0, 0, 5, 5)))),
        Case(lambda g: dict(g=gradient(g, (4, 2, 2, 1)).reshape(3, 3).T, scale=1)),
    ],
    "choose_loss_scale": [
        Case(steep_ladder), Case(in_float64), Case(lambda g: single(2.0**-30) | dict(tolerance=0)),
        Case(lambda g: single(60000.0) | dict(tolerance=0.0)), Case(one_infinite, probe=refused),
        Case(lambda g: dict(g=wide(g, 65519.0).reshape(2, 2), tolerance=0.3), probe=refused),
        Case(lambda g: dict(g=wide(g, 65521.0).double(), tolerance=0.3), probe=refused),
        Case(lambda g: dict(g=wide(g, 65521.0), tolerance=0.34), probe=refused),
    ],
    "update_loss_scale": [
        Case(random_history), Case(into_the_last_float), Case(past_the_last_float), Case(small_scale),
        given(scale=16, good_steps=0, overflows=history("gogog"), interval=2),
    ],
    "unscale_and_clip": [
        Case(zeros_alone), Case(one_tensor), Case(many_shapes), Case(strided), Case(just_inside), Case(finite_but_large),
        Case(nan_in_a_scalar, probe=flagged), Case(lambda g: with_entry(g, 1, math.nan, F64), probe=flagged),
        Case(lambda g: with_entry(g, 2, -math.inf), probe=flagged),
    ],
    "master_weight_step": [
        Case(master_in_float64), Case(transposed), Case(too_large_for_fp16), Case(infinite_gradient), Case(one_weight),
        Case(generic_bf16),
    ],
    "training_bytes": [given(num_params=0), given(num_params=1), given(num_params=175_000_000_001)],
    "choose_amp": [Case(card(capability)) for capability in ((7, 2), (8, 7), (10, 3), (11, 0), (12, 1))],
    "amp_step": [
        taught(convolution_network, plain_descent, BF16, 2), taught(convolution_network, momentum, F16, 2, start=2.0**10),
        taught(normalised_network, adamw, BF16, 3), taught(some_frozen, adamw, F16, 2, start=2.0**8),
        taught(all_in_evaluation, plain_descent, F16, 2), taught(small_network, momentum, F16, 2, start=2.0**40, backoff=2.0**-30),
        taught(faint_network, steep_descent, F16, 1, start=2.0**15), taught(small_network, momentum, BF16, 2, start=2.0**10),
    ],
}
