"""Hidden cases of chapter 07: other shapes and precisions, dimensions of size 1, views that are not contiguous."""

import sympy as sp
import torch

from autograder.checks.ch05_batch_norm import SMALL, normal
from autograder.checks.ch07_other_normalizers import (
    TINY, backward_inputs, group_inputs, instance_inputs, last_in_memory, layer_inputs, rms_inputs, strided,
    through_graph, weight_backward_inputs, weight_inputs)
from autograder.checks.exercise import Case

F32 = torch.float32


def drawn(draw, *sizes, probe=None, eps=None, **options):
    """A case whose inputs `draw` makes; eps only where it is given."""
    given = {} if eps is None else {"eps": eps}
    return Case(lambda g: dict(**draw(g, *sizes, **options), **given), probe)


def graph(draw, *sizes, **options):
    return drawn(draw, *sizes, probe=through_graph, **options)


def with_signs(draw, name, *sizes, **options):
    """Inputs of which the one called `name` is negative here and there."""

    def inputs(g):
        found = draw(g, *sizes)
        signs = torch.ones_like(found[name])
        signs[::2] = -1
        return {**found, name: signs * found[name], **options}

    return Case(inputs)


def far_from_zero(g):
    """Means 30 times as large as the spreads."""
    return dict(a=30 + normal(g, 5, 6), gain=normal(g, 6), bias=normal(g, 6), eps=0.05)


def one_silent_example(g):
    found = rms_inputs(g, 4, 6)
    found["a"][2] = 0
    return dict(**found, eps=0.01)


def every_second(g):
    """Every second feature of wider examples."""
    wide = backward_inputs(g, 5, 8)
    return {**{name: tensor[..., ::2] for name, tensor in wide.items()}, "eps": 0.1}


def point(grad_dot_v, v_sq):
    return Case(lambda g: {"grad_dot_v": sp.Rational(grad_dot_v), "v_sq": sp.Rational(v_sq)})


HIDDEN = {
    "layer_norm": [
        drawn(layer_inputs, 7, eps=0.3),
        drawn(layer_inputs, 4, 1, eps=0.2),
        drawn(layer_inputs, 1, 1, 5, eps=0.02),
        drawn(layer_inputs, 2, 3, 2, 4, layout=strided, eps=0.1),
        drawn(layer_inputs, 5, 16, dtype=F32),
        drawn(layer_inputs, 3, 3, spread=SMALL),
        with_signs(layer_inputs, "gain", 4, 4, eps=0.1),
        Case(far_from_zero),
        graph(layer_inputs, 2, 1, 4, layout=strided, eps=0.2),
        graph(layer_inputs, 3, 1, eps=0.1),
        graph(layer_inputs, 6, eps=0.3),
        graph(layer_inputs, 2, 3, 8, dtype=F32),
    ],
    "layer_norm_backward": [
        drawn(backward_inputs, 1, 1, 1, eps=0.3),
        drawn(backward_inputs, 1, 5, eps=0.02),
        drawn(backward_inputs, 3, 2, eps=0.05),
        drawn(backward_inputs, 3, 2, 1, eps=0.1),
        drawn(backward_inputs, 2, 1, 3, 4, layout=strided, eps=0.2),
        drawn(backward_inputs, 4, 4, eps=0.3),
        drawn(backward_inputs, 3, 2, 16, dtype=F32, eps=0.01),
        drawn(backward_inputs, 6, 5, spread=SMALL),
        with_signs(backward_inputs, "gain", 4, 6, eps=0.2),
        Case(every_second),
    ],
    "removed_radial_part": [point(0, 5), point("7/3", "1/4"), point(-6, 9)],
    "weight_norm": [
        drawn(weight_inputs, 1, 7),
        drawn(weight_inputs, 5, 1),
        drawn(weight_inputs, 3, 4, 1, 1),
        drawn(weight_inputs, 2, 3, 5, layout=strided),
        drawn(weight_inputs, 6, 1, 3, 3, dtype=F32),
        drawn(weight_inputs, 4, 3, spread=1e-3),
        with_signs(weight_inputs, "g", 5, 3),
        graph(weight_inputs, 3, 2, 2, 3, layout=strided),
        graph(weight_inputs, 4, 1),
        graph(weight_inputs, 1, 6, dtype=F32),
    ],
    "weight_norm_backward": [
        drawn(weight_backward_inputs, 1, 7),
        drawn(weight_backward_inputs, 1, 1),
        drawn(weight_backward_inputs, 4, 4),
        drawn(weight_backward_inputs, 3, 4, 1, 1),
        drawn(weight_backward_inputs, 2, 3, 5, layout=strided),
        drawn(weight_backward_inputs, 6, 1, 3, 3, dtype=F32),
        with_signs(weight_backward_inputs, "g", 5, 3),
    ],
    "group_norm": [
        drawn(group_inputs, 2, 3, 4, eps=0.05),
        drawn(group_inputs, 2, 1, 6, 1, 1, eps=0.3),
        drawn(group_inputs, 4, 2, 4, 1, 1, eps=0.1),
        drawn(group_inputs, 1, 3, 1, 4, eps=0.1),
        drawn(group_inputs, 5, 2, 5, 3, eps=0.2),
        drawn(group_inputs, 4, 2, 8, 2, 1, 2, layout=strided, eps=0.1),
        drawn(group_inputs, 2, 3, 4, 3, 3, layout=last_in_memory, dtype=F32),
        drawn(group_inputs, 3, 2, 6, 4, spread=SMALL),
        with_signs(group_inputs, "gamma", 2, 2, 4, 3, eps=0.2),
        graph(group_inputs, 3, 2, 6, 2, 3, layout=last_in_memory, eps=0.2),
        graph(group_inputs, 1, 1, 4, 1, 2, eps=0.1),
        graph(group_inputs, 2, 3, 2, 1, eps=0.1),
        graph(group_inputs, 2, 2, 4, 2, 2, dtype=F32),
    ],
    "instance_norm": [
        drawn(instance_inputs, 1, 2, 3, eps=0.05),
        drawn(instance_inputs, 2, 1, 1, 5, eps=0.3),
        drawn(instance_inputs, 3, 2, 4, 1, eps=0.2),
        drawn(instance_inputs, 2, 3, 2, 1, 3, layout=strided, eps=0.1),
        drawn(instance_inputs, 5, 2, 3, 4, layout=last_in_memory, dtype=F32),
        drawn(instance_inputs, 4, 3, 4, spread=SMALL),
        graph(instance_inputs, 3, 2, 2, 3, layout=last_in_memory, eps=0.2),
        graph(instance_inputs, 2, 1, 1, 2, eps=0.1),
        graph(instance_inputs, 2, 2, 4, 4, dtype=F32),
    ],
    "rms_norm": [
        drawn(rms_inputs, 7, eps=0.3),
        drawn(rms_inputs, 4, 1, eps=0.2),
        drawn(rms_inputs, 1, 1, 5, eps=0.02),
        drawn(rms_inputs, 2, 3, 2, 4, layout=strided, eps=0.1),
        drawn(rms_inputs, 5, 16, dtype=F32),
        drawn(rms_inputs, 3, 3, spread=TINY),
        with_signs(rms_inputs, "gain", 4, 4, eps=0.1),
        Case(one_silent_example),
        graph(rms_inputs, 2, 1, 4, layout=strided, eps=0.2),
        graph(rms_inputs, 3, 1, eps=0.1),
        graph(rms_inputs, 6, eps=0.3),
        graph(rms_inputs, 2, 3, 8, dtype=F32),
    ],
}
