"""Chapter 08's own Adam steps beside PyTorch's optimizers: a hundred steps in float64."""

import pytest
import torch

from autograder.audit import references

STEPS = 100
OPTIMIZERS = {"adamw_step": torch.optim.AdamW, "adam_l2_step": torch.optim.Adam}
SETTINGS = [dict(lr=0.1, wd=0.5, beta1=0.9, beta2=0.999, eps=1e-8), dict(lr=0.03, wd=0.2, beta1=0.6, beta2=0.9, eps=0.02)]


@pytest.fixture(scope="module")
def reference():
    return references("08_weight_decay")[0]


def gradient(w, noise):
    """Of a quadratic in w, with noise: later gradients depend on all the steps before."""
    return torch.linspace(0.1, 2.0, w.numel(), dtype=w.dtype).reshape(w.shape) * w + noise


def start():
    generator = torch.Generator().manual_seed(8)
    return torch.randn(3, 4, generator=generator, dtype=torch.float64), \
        0.1 * torch.randn(STEPS, 3, 4, generator=generator, dtype=torch.float64)


def our_path(step, lr, wd, **options):
    w, noises = start()
    m, s, path = torch.zeros_like(w), torch.zeros_like(w), []
    for k, noise in enumerate(noises, start=1):
        w, m, s = step(w, gradient(w, noise), m, s, k, lr, wd, **options)
        path.append(w)
    return torch.stack(path)


def pytorch_path(optimizer, lr, wd, beta1, beta2, eps):
    w, noises = start()
    p, path = torch.nn.Parameter(w), []
    optimizer = optimizer([p], lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=wd)
    for noise in noises:
        p.grad = gradient(p.detach(), noise)
        optimizer.step()
        path.append(p.detach().clone())
    return torch.stack(path)


@pytest.mark.parametrize("options", SETTINGS, ids=("defaults", "large eps"))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_hundred_steps_agree_with_pytorchs_optimizer(reference, name, options):
    ours, theirs = our_path(reference[name], **options), pytorch_path(OPTIMIZERS[name], **options)
    assert len(ours) == STEPS and ours.dtype == torch.float64
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", SETTINGS, ids=("defaults", "large eps"))
def test_the_two_part_from_each_other_by_far_more(reference, options):
    decoupled, penalised = (our_path(reference[name], **options) for name in OPTIMIZERS)
    assert (decoupled - penalised).abs().max() > 1e-3
