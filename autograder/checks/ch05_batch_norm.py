"""Checks of chapter 05: batch normalisation and the gradient through its statistics."""

import torch

from .exercise import Exercise

CHAPTER = "05_batch_norm"
F64 = torch.float64


def normalised(x, eps, mean=lambda m: m, var=lambda v: v):
    """x̂ over batch and positions, with the statistics passed through `mean` and `var`."""
    dims = [0, *range(2, x.dim())]
    m = mean(x.mean(dims, keepdim=True))
    v = var((x - m).square().mean(dims, keepdim=True))
    return (x - m) / torch.sqrt(v + eps)


def per_channel(p, x):
    return p.reshape(1, -1, *[1] * (x.dim() - 2))


bn_backward = Exercise("bn_backward", CHAPTER, ("grad_x", "grad_gamma", "grad_beta"), read="5.4")


def differentiate(grad_y, x, gamma, xhat_of, scale=1.0):
    """The three gradients by autograd, through whatever `xhat_of(x)` does with the statistics."""
    leaf, g, b = (t.detach().clone().requires_grad_() for t in (x, gamma, torch.zeros_like(gamma)))
    y = per_channel(g, x) * xhat_of(leaf) + per_channel(b, x)
    grad_x, grad_g, grad_b = torch.autograd.grad(y, (leaf, g, b), grad_y)
    return grad_x, grad_g * scale, grad_b * scale


@bn_backward.oracle
def by_autograd(grad_y, x, gamma, eps=1e-5):
    return differentiate(grad_y, x, gamma, lambda x: normalised(x, eps))


@bn_backward.misconception(
    "That is the direct path alone: the batch mean and variance depend on x too.", read="5.4")
def direct_path_only(grad_y, x, gamma, eps=1e-5):
    detach = torch.detach
    return differentiate(grad_y, x, gamma, lambda x: normalised(x, eps, detach, detach))


@bn_backward.case
def small_batch(g):
    return dict(grad_y=torch.randn(6, 5, generator=g, dtype=F64), x=torch.randn(6, 5, generator=g, dtype=F64),
                gamma=torch.rand(5, generator=g, dtype=F64) + 0.5, eps=0.1)
