"""The normalisers of chapter 07 and their gradients agree with PyTorch's at random settings."""

import pytest
import torch
import torch.nn.functional as F

from autograder.audit import references

SETTINGS = 200
PYTORCH = {
    "layer_norm": lambda a, gain, bias, eps: F.layer_norm(a, gain.shape, gain, bias, eps),
    "group_norm": lambda x, groups, gamma, beta, eps: F.group_norm(x, groups, gamma, beta, eps),
    "instance_norm": lambda x, eps: F.instance_norm(x, eps=eps),
    "rms_norm": lambda a, gain, eps: F.rms_norm(a, gain.shape, gain, eps),
    "weight_norm": lambda v, g: torch._weight_norm(v, g.reshape(-1, *[1] * (v.dim() - 1)), 0),
}
BACKWARD = {"layer_norm_backward": ("layer_norm", "bias"), "weight_norm_backward": ("weight_norm", None)}


@pytest.fixture(scope="module")
def solutions():
    return references("07_other_normalizers")[0]


class Draw:
    """Random sizes, one of them often 1, and tensors that lie in memory in any order of axes."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def among(self, *choices):
        return choices[int(torch.randint(len(choices), (), generator=self.generator))]

    def sizes(self, fewest, most):
        return [self.among(1, 1, 2, 3, 5) for _ in range(self.among(*range(fewest, most + 1)))]

    def tensor(self, *shape):
        order = torch.randperm(len(shape), generator=self.generator).tolist()
        wide = torch.randn([2 * shape[i] for i in order], generator=self.generator, dtype=torch.float64)
        thinned = wide[tuple(slice(None, None, 2) for _ in order)]
        return thinned.permute([order.index(i) for i in range(len(shape))])

    def inputs(self, name):
        eps = self.among(1e-5, 1e-3, 0.1)
        if name == "weight_norm":
            shape = [self.among(1, 2, 4), *self.sizes(1, 3)]
            return dict(v=self.tensor(*shape), g=self.tensor(shape[0]))
        if name in ("layer_norm", "rms_norm"):
            shape = [*self.sizes(1, 3), self.among(1, 2, 3, 8)]
            parameters = dict(gain=self.tensor(shape[-1])) | (
                dict(bias=self.tensor(shape[-1])) if name == "layer_norm" else {})
            return dict(a=self.tensor(*shape), **parameters, eps=eps)
        if name == "instance_norm":
            return dict(x=self.tensor(*self.sizes(2, 2), *self.sizes(0, 2), self.among(2, 3, 5)), eps=eps)
        groups, size = self.among(1, 2, 3), self.among(1, 2, 4)
        shape = [self.among(2, 1, 3), groups * size, *self.sizes(0, 2), *([2] if size == 1 else [])]
        inputs = dict(x=self.tensor(*shape), groups=groups, gamma=self.tensor(shape[1]), beta=self.tensor(shape[1]))
        return inputs | {"eps": eps}


def value_and_gradients(fn, inputs, upstream):
    leaves = {n: t.detach().requires_grad_() if isinstance(t, torch.Tensor) else t for n, t in inputs.items()}
    out = fn(**leaves)
    wanted = {n: t for n, t in leaves.items() if isinstance(t, torch.Tensor)}
    return {"out": out.detach()} | dict(zip(wanted, torch.autograd.grad(out, list(wanted.values()), upstream)))


def assert_same(mine, theirs, setting):
    """To 1e-9: rounding is some 1e-14, and the least eps magnifies it at most 1e5 times."""
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9, msg=lambda text: f"{setting}: {text}")


@pytest.mark.parametrize("name", PYTORCH)
def test_values_and_gradients_are_those_of_pytorch(solutions, name):
    for seed in range(SETTINGS):
        draw = Draw(seed)
        inputs = draw.inputs(name)
        upstream = draw.tensor(*next(iter(inputs.values())).shape)
        mine, theirs = (value_and_gradients(fn, inputs, upstream) for fn in (solutions[name], PYTORCH[name]))
        assert_same(mine, theirs, seed)


@pytest.mark.parametrize("name", BACKWARD)
def test_gradients_by_hand_are_those_of_autograd_through_pytorch(solutions, name):
    forward, left_out = BACKWARD[name]
    for seed in range(SETTINGS):
        draw = Draw(seed)
        inputs = draw.inputs(forward)
        upstream = draw.tensor(*next(iter(inputs.values())).shape)
        _, *theirs = value_and_gradients(PYTORCH[forward], inputs, upstream).values()
        mine = solutions[name](upstream, **{n: v for n, v in inputs.items() if n != left_out})
        assert_same(list(mine), theirs, seed)


@pytest.mark.parametrize("name", PYTORCH)
def test_the_settings_hold_views_and_dimensions_of_size_1(name):
    first = [next(iter(Draw(seed).inputs(name).values())) for seed in range(SETTINGS)]
    assert sum(not t.is_contiguous() for t in first) > SETTINGS / 2
    assert sum(1 in t.shape for t in first) > SETTINGS / 10
