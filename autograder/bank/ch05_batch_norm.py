"""The bank of chapter 05: batch normalisation, right in several styles and wrong as students write it."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# bn_train


@right("bn_train")
def train_by_operator(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    y = F.batch_norm(x, m, v, gamma, beta, training=True, momentum=momentum, eps=eps)
    return y, m, v


@right("bn_train")
def train_by_keepdim(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    n = x.numel() / x.shape[1]
    if n == 1:
        raise ValueError("Expected more than 1 value per channel")
    mean = x.mean(dims, keepdim=True)
    var = ((x - mean) ** 2).mean(dims, keepdim=True)
    shape = mean.shape
    y = (x - mean) / (var + eps).sqrt() * gamma.view(shape) + beta.view(shape)
    new_mean = (1 - momentum) * running_mean + momentum * mean.detach().flatten()
    new_var = (1 - momentum) * running_var + momentum * var.detach().flatten() * n / (n - 1)
    return y, new_mean, new_var


@right("bn_train")
def train_by_columns(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    columns = x.movedim(1, -1).reshape(-1, x.shape[1])
    if len(columns) < 2:
        raise ValueError("one value per channel")
    done, means, variances = [], [], []
    for c in range(x.shape[1]):
        v = columns[:, c]
        m = v.sum() / len(v)
        s = ((v - m) ** 2).sum()
        done.append(gamma[c] * (v - m) / torch.sqrt(s / len(v) + eps) + beta[c])
        means.append(m.detach())
        variances.append(s.detach() / (len(v) - 1))
    y = torch.stack(done, dim=-1).reshape(x.movedim(1, -1).shape).movedim(-1, 1)
    with torch.no_grad():
        rm = running_mean + momentum * (torch.stack(means) - running_mean)
        rv = running_var + momentum * (torch.stack(variances) - running_var)
    return y, rm, rv


@right("bn_train")
def train_by_einsum(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    flat = x.reshape(x.shape[0], x.shape[1], -1)
    n = flat.shape[0] * flat.shape[2]
    if n < 2:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
    mu = torch.einsum("ncl->c", flat) / n
    centred = flat - mu[None, :, None]
    var = torch.einsum("ncl,ncl->c", centred, centred) / n
    y = torch.einsum("ncl,c->ncl", centred, gamma / torch.sqrt(var + eps)) + beta[None, :, None]
    unbiased = torch.var(flat.detach(), dim=(0, 2), unbiased=True)
    return (y.reshape(x.shape), torch.lerp(running_mean, mu.detach(), momentum),
            torch.lerp(running_var, unbiased, momentum))


@right("bn_train")
def train_in_double(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    if x[:, 0].numel() == 1:
        raise ValueError("variance of one value")
    xd = x.double()
    axes = [d for d in range(x.dim()) if d != 1]
    var, mean = torch.var_mean(xd, dim=axes, correction=0, keepdim=True)
    xhat = (xd - mean) * torch.rsqrt(var + eps)
    y = (xhat.transpose(1, -1) * gamma.double() + beta.double()).transpose(1, -1).to(x.dtype)
    rm = running_mean.clone().mul_(1 - momentum).add_(mean.detach().flatten().to(x.dtype), alpha=momentum)
    rv = running_var.clone().mul_(1 - momentum)
    rv.add_(xd.detach().var(dim=axes).to(x.dtype), alpha=momentum)
    return y, rm, rv


@wrong("bn_train", "biased_running_variance")
def train_records_biased(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    if x.numel() == x.shape[1]:
        raise ValueError("one value")
    mean, var = x.mean(dims), x.var(dims, unbiased=False)
    s = (1, -1) + (1,) * (x.ndim - 2)
    y = (x - mean.view(s)) / torch.sqrt(var.view(s) + eps) * gamma.view(s) + beta.view(s)
    return (y, (1 - momentum) * running_mean + momentum * mean.detach(),
            (1 - momentum) * running_var + momentum * var.detach())


@wrong("bn_train", "unbiased_normaliser")
def train_x_var(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    if x.numel() == x.shape[1]:
        raise ValueError("one value")
    mean, var = x.mean(dims), x.var(dims)
    s = (1, -1) + (1,) * (x.ndim - 2)
    y = (x - mean.view(s)) / torch.sqrt(var.view(s) + eps) * gamma.view(s) + beta.view(s)
    return (y, (1 - momentum) * running_mean + momentum * mean.detach(),
            (1 - momentum) * running_var + momentum * var.detach())


@wrong("bn_train", "momentum_inverted")
def train_cs231n_momentum(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    if x.numel() == x.shape[1]:
        raise ValueError("one value")
    y = F.batch_norm(x, None, None, gamma, beta, True, momentum, eps)
    flat = x.detach().transpose(0, 1).flatten(1)
    rm = momentum * running_mean + (1 - momentum) * flat.mean(1)
    rv = momentum * running_var + (1 - momentum) * flat.var(1)
    return y, rm, rv


@wrong("bn_train", "running_statistics_never_updated")
def train_keeps_variance(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    y = F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    return y, m, running_var


@wrong("bn_train", "running_statistics_never_updated")
def train_forgets_both(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    y = F.batch_norm(x, running_mean.clone(), running_var.clone(), gamma, beta, True, momentum, eps)
    return y, running_mean, running_var


@wrong("bn_train", "right_on_the_first_call_only")
def train_fresh_layer(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    layer = {2: torch.nn.BatchNorm1d, 3: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d}[x.ndim]
    bn = layer(x.shape[1], eps=eps, momentum=momentum).to(x.dtype)
    s = (1, -1) + (1,) * (x.ndim - 2)
    y = bn(x) * gamma.view(s) + beta.view(s)
    return y, bn.running_mean, bn.running_var


@wrong("bn_train", "batch_replaces_running")
def train_returns_batch(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    dims = [0] + list(range(2, x.ndim))
    y = F.batch_norm(x, None, None, gamma, beta, True, momentum, eps)
    running_mean = x.detach().mean(dims)
    running_var = x.detach().var(dims)
    return y, running_mean, running_var


@wrong("bn_train", "old_statistic_kept_whole")
def train_adds(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    dims = [0] + list(range(2, x.ndim))
    y = F.batch_norm(x, None, None, gamma, beta, True, momentum, eps)
    return y, running_mean + momentum * x.detach().mean(dims), running_var + momentum * x.detach().var(dims)


@wrong("bn_train", "deviation_recorded")
def train_records_std(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    dims = [0] + list(range(2, x.ndim))
    y = F.batch_norm(x, None, None, gamma, beta, True, momentum, eps)
    keep = 1 - momentum
    return (y, keep * running_mean + momentum * x.detach().mean(dims),
            keep * running_var + momentum * x.detach().std(dims))


@wrong("bn_train", "eps_outside_the_root")
def train_eps_outside(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    mean, std = x.mean(dims, keepdim=True), x.std(dims, unbiased=False, keepdim=True)
    return gamma.view(s) * (x - mean) / (std + eps) + beta.view(s), m.detach(), v.detach()


@wrong("bn_train", "eps_forgotten")
def train_without_eps(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    mean, std = x.mean(dims, keepdim=True), x.std(dims, unbiased=False, keepdim=True)
    return gamma.view(s) * (x - mean) / std + beta.view(s), m.detach(), v.detach()


@wrong("bn_train", "options_ignored")
def train_hard_coded_eps(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    return F.batch_norm(x, m, v, gamma, beta, True, momentum, 1e-5), m, v


@wrong("bn_train", "options_ignored")
def train_hard_coded_momentum(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    y = F.batch_norm(x, m, v, gamma, beta, True, eps=eps)
    return y, m, v


@wrong("bn_train", "affine_forgotten")
def train_without_affine(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    y = F.batch_norm(x, m, v, None, None, True, momentum, eps)
    return y, m, v


@wrong("bn_train", "beta_scaled_too")
def train_beta_inside(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    s = (1, -1) + (1,) * (x.ndim - 2)
    xhat = F.batch_norm(x, m, v, None, None, True, momentum, eps)
    return gamma.view(s) * (xhat + beta.view(s)), m, v


@wrong("bn_train", "parameters_on_the_last_axis")
def train_plain_broadcast(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    xhat = F.batch_norm(x, m, v, None, None, True, momentum, eps)
    return gamma * xhat + beta, m, v


@wrong("bn_train", "running_statistics_in_training")
def train_with_old_statistics(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    s = (1, -1) + (1,) * (x.ndim - 2)
    xhat = (x - running_mean.view(s)) / torch.sqrt(running_var.view(s) + eps)
    return gamma.view(s) * xhat + beta.view(s), m.detach(), v.detach()


@wrong("bn_train", "updated_statistics_in_training")
def train_update_then_use(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    dims = [0] + list(range(2, x.ndim))
    if x.numel() == x.shape[1]:
        raise ValueError("one value")
    running_mean = (1 - momentum) * running_mean + momentum * x.mean(dims).detach()
    running_var = (1 - momentum) * running_var + momentum * x.var(dims).detach()
    s = (1, -1) + (1,) * (x.ndim - 2)
    xhat = (x - running_mean.view(s)) / torch.sqrt(running_var.view(s) + eps)
    return gamma.view(s) * xhat + beta.view(s), running_mean, running_var


@wrong("bn_train", "variance_for_deviation")
def train_divides_by_variance(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    mean = x.mean(dims, keepdim=True)
    var = ((x - mean) ** 2).mean(dims, keepdim=True)
    return gamma.view(s) * (x - mean) / (var + eps) + beta.view(s), m.detach(), v.detach()


@wrong("bn_train", "statistics_per_example")
def train_like_layer_norm(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    s = (1, -1) + (1,) * (x.ndim - 2)
    return F.layer_norm(x, x.shape[1:], eps=eps) * gamma.view(s) + beta.view(s), m, v


@wrong("bn_train", "statistics_per_position")
def train_axis_0_only(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    mean, var = x.mean(0), x.var(0, unbiased=False)
    s = (1, -1) + (1,) * (x.ndim - 2)
    return (x - mean) / torch.sqrt(var + eps) * gamma.view(s) + beta.view(s), m.detach(), v.detach()


@wrong("bn_train", "statistics_per_image")
def train_like_instance_norm(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    y = F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    if x.ndim > 2:
        y = F.instance_norm(x, weight=gamma, bias=beta, eps=eps)
    return y, m, v


@wrong("bn_train", "statistics_cut")
def train_no_grad_statistics(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    with torch.no_grad():
        F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
        dims = (0,) + tuple(range(2, x.ndim))
        mean, var = x.mean(dims, keepdim=True), x.var(dims, unbiased=False, keepdim=True)
    s = (1, -1) + (1,) * (x.ndim - 2)
    return gamma.view(s) * (x - mean) / torch.sqrt(var + eps) + beta.view(s), m, v


@wrong("bn_train", "one_value_accepted")
def train_without_guard(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    flat = x.transpose(0, 1).flatten(1)
    n = flat.shape[1]
    mean, var = flat.mean(1), flat.var(1, correction=0)
    s = (1, -1) + (1,) * (x.ndim - 2)
    y = gamma.view(s) * (x - mean.view(s)) / torch.sqrt(var.view(s) + eps) + beta.view(s)
    unbiased = var.detach() * n / max(n - 1, 1)
    return (y, (1 - momentum) * running_mean + momentum * mean.detach(),
            (1 - momentum) * running_var + momentum * unbiased)


@wrong("bn_train", "")
def train_updates_in_place(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    y = F.batch_norm(x, running_mean, running_var, gamma, beta, True, momentum, eps)
    return y, running_mean, running_var


@wrong("bn_train", "")
def train_detached_output(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    m, v = running_mean.clone(), running_var.clone()
    y = F.batch_norm(x, m, v, gamma, beta, True, momentum, eps)
    return y.detach(), m, v


@wrong("bn_train", "")
def train_attached_records(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    dims = [0] + list(range(2, x.ndim))
    y = F.batch_norm(x, None, None, gamma, beta, True, momentum, eps)
    keep = 1 - momentum
    return y, keep * running_mean + momentum * x.mean(dims), keep * running_var + momentum * x.var(dims)


@wrong("bn_train", "")
def train_returns_y_alone(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    return F.batch_norm(x, running_mean.clone(), running_var.clone(), gamma, beta, True, momentum, eps)


@wrong("bn_train", "")
def train_refuses_one_image(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    if x.shape[0] == 1:
        raise ValueError("a batch of one")
    m, v = running_mean.clone(), running_var.clone()
    return F.batch_norm(x, m, v, gamma, beta, True, momentum, eps), m, v


@wrong("bn_train", "")
def train_asserts(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    assert x.numel() > x.shape[1]
    m, v = running_mean.clone(), running_var.clone()
    return F.batch_norm(x, m, v, gamma, beta, True, momentum, eps), m, v


@wrong("bn_train", "")
def train_in_float32(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    x, gamma, beta = x.float(), gamma.float(), beta.float()
    m, v = running_mean.float().clone(), running_var.float().clone()
    return F.batch_norm(x, m, v, gamma, beta, True, momentum, eps), m, v


@wrong("bn_train", "")
def train_dense_only(x, gamma, beta, running_mean, running_var, momentum=0.1, eps=1e-5):
    n, d = x.shape
    m, v = running_mean.clone(), running_var.clone()
    return F.batch_norm(x, m, v, gamma, beta, True, momentum, eps), m, v


# bn_eval


@right("bn_eval")
def eval_by_operator(x, gamma, beta, running_mean, running_var, eps=1e-5):
    return F.batch_norm(x, running_mean, running_var, gamma, beta, training=False, eps=eps)


@right("bn_eval")
def eval_by_view(x, gamma, beta, running_mean, running_var, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    xhat = (x - running_mean.view(s)) / torch.sqrt(running_var.view(s) + eps)
    return gamma.view(s) * xhat + beta.view(s)


@right("bn_eval")
def eval_scale_and_shift(x, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma * torch.rsqrt(running_var + eps)
    shift = beta - running_mean * scale
    return (x.movedim(1, -1) * scale + shift).movedim(-1, 1)


@right("bn_eval")
def eval_by_channel(x, gamma, beta, running_mean, running_var, eps=1e-5):
    out = [gamma[c] * (x[:, c] - running_mean[c]) / (running_var[c] + eps) ** 0.5 + beta[c]
           for c in range(x.shape[1])]
    return torch.stack(out, dim=1)


@right("bn_eval")
def eval_in_double(x, gamma, beta, running_mean, running_var, eps=1e-5):
    flat = x.double().flatten(2) if x.ndim > 2 else x.double()[:, :, None]
    scale = gamma.double() / (running_var.double() + eps).sqrt()
    y = torch.einsum("ncl,c->ncl", flat - running_mean.double()[:, None], scale) + beta.double()[:, None]
    return y.reshape(x.shape).to(x.dtype)


@wrong("bn_eval", "batch_statistics")
def eval_with_batch(x, gamma, beta, running_mean, running_var, eps=1e-5):
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


@wrong("bn_eval", "affine_forgotten_in_evaluation")
def eval_without_affine(x, gamma, beta, running_mean, running_var, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    return (x - running_mean.view(s)) / (running_var.view(s) + eps).sqrt()


@wrong("bn_eval", "eps_outside_in_evaluation")
def eval_eps_outside(x, gamma, beta, running_mean, running_var, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    return (x - running_mean.view(s)) / (running_var.view(s).sqrt() + eps) * gamma.view(s) + beta.view(s)


@wrong("bn_eval", "eps_forgotten_in_evaluation")
def eval_without_eps(x, gamma, beta, running_mean, running_var, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    return (x - running_mean.view(s)) / running_var.view(s).sqrt() * gamma.view(s) + beta.view(s)


@wrong("bn_eval", "variance_for_deviation_in_evaluation")
def eval_without_root(x, gamma, beta, running_mean, running_var, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    return (x - running_mean.view(s)) / (running_var.view(s) + eps) * gamma.view(s) + beta.view(s)


@wrong("bn_eval", "eps_ignored_in_evaluation")
def eval_default_eps(x, gamma, beta, running_mean, running_var, eps=1e-5):
    return F.batch_norm(x, running_mean, running_var, gamma, beta)


@wrong("bn_eval", "beta_scaled_in_evaluation")
def eval_beta_inside(x, gamma, beta, running_mean, running_var, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    xhat = (x - running_mean.view(s)) / torch.sqrt(running_var.view(s) + eps)
    return gamma.view(s) * (xhat + beta.view(s))


@wrong("bn_eval", "everything_on_the_last_axis")
def eval_plain_broadcast(x, gamma, beta, running_mean, running_var, eps=1e-5):
    return gamma * (x - running_mean) / torch.sqrt(running_var + eps) + beta


@wrong("bn_eval", "")
def eval_no_grad(x, gamma, beta, running_mean, running_var, eps=1e-5):
    with torch.no_grad():
        return F.batch_norm(x, running_mean, running_var, gamma, beta, False, 0.0, eps)


@wrong("bn_eval", "")
def eval_shifts_in_place(x, gamma, beta, running_mean, running_var, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    x.data -= running_mean.view(s)
    return x / torch.sqrt(running_var.view(s) + eps) * gamma.view(s) + beta.view(s)


@wrong("bn_eval", "")
def eval_returns_running(x, gamma, beta, running_mean, running_var, eps=1e-5):
    y = F.batch_norm(x, running_mean, running_var, gamma, beta, False, 0.0, eps)
    return y, running_mean, running_var


@wrong("bn_eval", "")
def eval_by_numpy(x, gamma, beta, running_mean, running_var, eps=1e-5):
    g, b, m, v = (t.detach().numpy() for t in (gamma, beta, running_mean, running_var))
    flat = np.moveaxis(x.detach().numpy(), 1, -1)
    y = g * (flat - m) / np.sqrt(v + eps) + b
    return torch.from_numpy(np.moveaxis(y, -1, 1)).to(x.dtype)


# bn_direct_path


@right("bn_direct_path")
def direct_closed(grad_xhat, x, eps=1e-5):
    return grad_xhat / torch.sqrt(x.var(0, unbiased=False) + eps)


@right("bn_direct_path")
def direct_loops(grad_xhat, x, eps=1e-5):
    out = torch.empty_like(x)
    n, d = x.shape
    for j in range(d):
        mean = sum(x[:, j]) / n
        var = sum((v - mean) ** 2 for v in x[:, j]) / n
        for i in range(n):
            out[i, j] = grad_xhat[i, j] / (var + eps) ** 0.5
    return out


@right("bn_direct_path")
def direct_autograd(grad_xhat, x, eps=1e-5):
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_(True)
        mean, var = x.detach().mean(0), x.detach().var(0, correction=0)
        ((leaf - mean) / (var + eps).sqrt() * grad_xhat).sum().backward()
    return leaf.grad


@right("bn_direct_path")
def direct_numpy(grad_xhat, x, eps=1e-5):
    a = x.detach().numpy().astype(np.float64)
    return torch.from_numpy(grad_xhat.numpy() / np.sqrt(a.var(axis=0) + eps)).to(x.dtype)


@right("bn_direct_path")
def direct_einsum(grad_xhat, x, eps=1e-5):
    c = x - x.mean(dim=0, keepdim=True)
    var = torch.einsum("nd,nd->d", c, c) / x.shape[0]
    return torch.einsum("nd,d->nd", grad_xhat, torch.rsqrt(var + eps))


@wrong("bn_direct_path", "whole_gradient_for_direct")
def direct_attached(grad_xhat, x, eps=1e-5):
    leaf = x.clone().requires_grad_()
    F.batch_norm(leaf, None, None, training=True, eps=eps).backward(grad_xhat)
    return leaf.grad


@wrong("bn_direct_path", "direct_scale_forgotten")
def direct_identity(grad_xhat, x, eps=1e-5):
    return grad_xhat * 1.0


@wrong("bn_direct_path", "direct_variance_for_deviation")
def direct_over_variance(grad_xhat, x, eps=1e-5):
    return grad_xhat / (((x - x.mean(0)) ** 2).mean(0) + eps)


@wrong("bn_direct_path", "direct_with_mean")
def direct_centred(grad_xhat, x, eps=1e-5):
    sigma = (x.var(0, correction=0) + eps).sqrt()
    return (grad_xhat - grad_xhat.mean(0)) / sigma


@wrong("bn_direct_path", "eps_outside")
def direct_eps_outside(grad_xhat, x, eps=1e-5):
    return grad_xhat / (x.std(0, correction=0) + eps)


@wrong("bn_direct_path", "eps_forgotten")
def direct_no_eps(grad_xhat, x, eps=1e-5):
    return grad_xhat / x.std(0, correction=0)


@wrong("bn_direct_path", "unbiased_variance")
def direct_unbiased(grad_xhat, x, eps=1e-5):
    return grad_xhat / torch.sqrt(x.var(0) + eps)


@wrong("bn_direct_path", "statistics_per_example")
def direct_axis_1(grad_xhat, x, eps=1e-5):
    return grad_xhat / torch.sqrt(x.var(1, correction=0, keepdim=True) + eps)


@wrong("bn_direct_path", "")
def direct_in_place(grad_xhat, x, eps=1e-5):
    grad_xhat /= torch.sqrt(x.var(0, correction=0) + eps)
    return grad_xhat


@wrong("bn_direct_path", "")
def direct_numpy_double(grad_xhat, x, eps=1e-5):
    a = x.numpy().astype(np.float64)
    return torch.from_numpy(grad_xhat.numpy() / np.sqrt(a.var(axis=0) + eps))


@wrong("bn_direct_path", "eps_ignored")
def direct_default_eps(grad_xhat, x, eps=1e-5):
    return grad_xhat / torch.sqrt(x.var(0, correction=0) + 1e-5)


# bn_mean_path


@right("bn_mean_path")
def mean_closed(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    return (-grad_xhat.mean(0) / sigma).expand(x.shape)


@right("bn_mean_path")
def mean_staged(grad_xhat, x, eps=1e-5):
    n = x.shape[0]
    mu = x.sum(0) / n
    sigma = torch.sqrt(((x - mu) ** 2).sum(0) / n + eps)
    dmu = (-grad_xhat / sigma).sum(0)
    return torch.ones_like(x) * dmu / n


@right("bn_mean_path")
def mean_autograd(grad_xhat, x, eps=1e-5):
    leaf = x.clone().requires_grad_(True)
    sigma = (x.var(0, unbiased=False) + eps) ** 0.5
    return torch.autograd.grad((x - leaf.mean(0)) / sigma, leaf, grad_xhat)[0]


@right("bn_mean_path")
def mean_matrix(grad_xhat, x, eps=1e-5):
    n = len(x)
    averaging = torch.full((n, n), 1 / n, dtype=x.dtype)
    c = x - averaging @ x
    return -(averaging @ grad_xhat) / torch.sqrt((c * c).mean(0) + eps)


@right("bn_mean_path")
def mean_loops(grad_xhat, x, eps=1e-5):
    out = torch.zeros_like(x)
    for j in range(x.shape[1]):
        m = x[:, j].mean().item()
        s = math.sqrt(((x[:, j] - m) ** 2).mean().item() + eps)
        for i in range(x.shape[0]):
            out[i, j] = -grad_xhat[:, j].mean().item() / s
    return out


@wrong("bn_mean_path", "mean_sign_lost")
def mean_plus(grad_xhat, x, eps=1e-5):
    g = grad_xhat.mean(0) / torch.sqrt(x.var(0, correction=0) + eps)
    return g.repeat(len(x), 1)


@wrong("bn_mean_path", "stopped_at_the_mean")
def mean_sum(grad_xhat, x, eps=1e-5):
    dmu = -(grad_xhat / torch.sqrt(x.var(0, correction=0) + eps)).sum(0)
    return dmu.expand_as(x)


@wrong("bn_mean_path", "mean_with_direct")
def mean_plus_direct(grad_xhat, x, eps=1e-5):
    return (grad_xhat - grad_xhat.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps)


@wrong("bn_mean_path", "whole_statistics_path_for_mean")
def mean_and_variance(grad_xhat, x, eps=1e-5):
    leaf = x.clone().requires_grad_()
    xhat = (x - leaf.mean(0)) / torch.sqrt(leaf.var(0, correction=0) + eps)
    return torch.autograd.grad(xhat, leaf, grad_xhat)[0]


@wrong("bn_mean_path", "mean_scale_forgotten")
def mean_of_gradient(grad_xhat, x, eps=1e-5):
    return -grad_xhat.mean(0, keepdim=True).expand(*x.shape)


@wrong("bn_mean_path", "mean_variance_for_deviation")
def mean_over_variance(grad_xhat, x, eps=1e-5):
    return (-grad_xhat.mean(0) / (x.var(0, correction=0) + eps)).expand_as(x)


@wrong("bn_mean_path", "own_gradient_for_mean")
def mean_elementwise(grad_xhat, x, eps=1e-5):
    return -1 / torch.sqrt(x.var(0, correction=0) + eps) * grad_xhat


@wrong("bn_mean_path", "eps_outside")
def mean_eps_outside(grad_xhat, x, eps=1e-5):
    return -grad_xhat.mean(0).expand_as(x) / (x.std(0, correction=0) + eps)


@wrong("bn_mean_path", "eps_forgotten")
def mean_no_eps(grad_xhat, x, eps=1e-5):
    return -grad_xhat.mean(0).expand_as(x) / x.std(0, correction=0)


@wrong("bn_mean_path", "unbiased_variance")
def mean_unbiased(grad_xhat, x, eps=1e-5):
    return -grad_xhat.mean(0).expand_as(x) / torch.sqrt(x.var(0) + eps)


@wrong("bn_mean_path", "statistics_per_example")
def mean_axis_1(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(1, correction=0, keepdim=True) + eps)
    return (-grad_xhat.mean(1, keepdim=True) / sigma).expand_as(x)


@wrong("bn_mean_path", "eps_ignored")
def mean_default_eps(grad_xhat, x, eps=1e-5):
    sigma = (((x - x.mean(0)) ** 2).mean(0) + 1e-5).sqrt()
    return torch.ones_like(x) * (-grad_xhat.mean(0) / sigma)


@wrong("bn_mean_path", "")
def mean_one_row(grad_xhat, x, eps=1e-5):
    return -grad_xhat.mean(0, keepdim=True) / torch.sqrt(x.var(0, correction=0) + eps)


@wrong("bn_mean_path", "")
def mean_in_place(grad_xhat, x, eps=1e-5):
    x -= x.mean(0)
    return -grad_xhat.mean(0).expand_as(x) / torch.sqrt((x * x).mean(0) + eps)


@wrong("bn_mean_path", "")
def mean_prints_only(grad_xhat, x, eps=1e-5):
    print(-grad_xhat.mean(0) / torch.sqrt(x.var(0, correction=0) + eps))


# bn_variance_path


@right("bn_variance_path")
def variance_closed(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    return -xhat * (grad_xhat * xhat).mean(0) / sigma


@right("bn_variance_path")
def variance_staged(grad_xhat, x, eps=1e-5):
    n = x.shape[0]
    xmu = x - x.mean(0)
    var = (xmu**2).sum(0) / n
    dvar = (grad_xhat * xmu * -0.5 * (var + eps) ** -1.5).sum(0)
    return dvar * 2 * xmu / n


@right("bn_variance_path")
def variance_autograd(grad_xhat, x, eps=1e-5):
    leaf = x.detach().clone().requires_grad_(True)
    sigma = torch.sqrt(((leaf - leaf.mean(0)) ** 2).mean(0) + eps)
    return torch.autograd.grad(((x - x.mean(0)) / sigma * grad_xhat).sum(), leaf)[0]


@right("bn_variance_path")
def variance_by_difference(grad_xhat, x, eps=1e-5):
    leaf = x.clone().requires_grad_(True)
    F.batch_norm(leaf, None, None, training=True, eps=eps).backward(grad_xhat)
    sigma = (x.var(0, correction=0) + eps).sqrt()
    return leaf.grad - (grad_xhat - grad_xhat.mean(0)) / sigma


@right("bn_variance_path")
def variance_einsum(grad_xhat, x, eps=1e-5):
    a, g = x.double(), grad_xhat.double()
    a = a - a.mean(0)
    cube = (torch.einsum("nd,nd->d", a, a) / len(a) + eps) ** 1.5
    return (-torch.einsum("nd,md,md,d->nd", a, a, g, 1 / cube) / len(a)).to(x.dtype)


@wrong("bn_variance_path", "variance_sign_lost")
def variance_plus(grad_xhat, x, eps=1e-5):
    xmu = x - x.mean(0)
    var = (xmu**2).mean(0)
    dvar = (grad_xhat * xmu * 0.5 * (var + eps) ** -1.5).sum(0)
    return dvar * 2 * xmu / len(x)


@wrong("bn_variance_path", "sum_for_mean_in_variance")
def variance_sum(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    return -xhat * (grad_xhat * xhat).sum(0) / sigma


@wrong("bn_variance_path", "half_of_the_root_forgotten")
def variance_without_half(grad_xhat, x, eps=1e-5):
    xmu = x - x.mean(0)
    var = (xmu**2).mean(0)
    dvar = -(grad_xhat * xmu * (var + eps) ** -1.5).sum(0)
    return dvar * 2 * xmu / len(x)


@wrong("bn_variance_path", "two_of_the_square_forgotten")
def variance_without_two(grad_xhat, x, eps=1e-5):
    xmu = x - x.mean(0)
    var = (xmu**2).mean(0)
    dvar = -0.5 * (grad_xhat * xmu * (var + eps) ** -1.5).sum(0)
    return dvar * xmu / len(x)


@wrong("bn_variance_path", "whole_statistics_path_for_variance")
def variance_and_mean(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    return -(grad_xhat.mean(0) + xhat * (grad_xhat * xhat).mean(0)) / sigma


@wrong("bn_variance_path", "product_of_means")
def variance_of_mean_gradient(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    return -xhat * grad_xhat.mean(0) / sigma


@wrong("bn_variance_path", "same_for_all_examples")
def variance_broadcast(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    return (-(grad_xhat * xhat).mean(0) / sigma).expand_as(x)


@wrong("bn_variance_path", "deviation_for_xhat")
def variance_raw_deviation(grad_xhat, x, eps=1e-5):
    xmu = x - x.mean(0)
    sigma = torch.sqrt((xmu**2).mean(0) + eps)
    return -xmu * (grad_xhat * xmu / sigma).mean(0) / sigma


@wrong("bn_variance_path", "xhat_for_deviation")
def variance_extra_sigma(grad_xhat, x, eps=1e-5):
    var = x.var(0, correction=0) + eps
    xhat = (x - x.mean(0)) / var.sqrt()
    dvar = -0.5 * (grad_xhat * (x - x.mean(0))).sum(0) * var**-1.5
    return dvar * 2 * xhat / len(x)


@wrong("bn_variance_path", "eps_outside")
def variance_eps_outside(grad_xhat, x, eps=1e-5):
    leaf = x.clone().requires_grad_()
    xhat = (x - x.mean(0)) / (leaf.std(0, correction=0) + eps)
    return torch.autograd.grad(xhat, leaf, grad_xhat)[0]


@wrong("bn_variance_path", "eps_forgotten")
def variance_no_eps(grad_xhat, x, eps=1e-5):
    sigma = x.std(0, correction=0)
    xhat = (x - x.mean(0)) / sigma
    return -xhat * (grad_xhat * xhat).mean(0) / sigma


@wrong("bn_variance_path", "unbiased_variance")
def variance_unbiased_value(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(0) + eps)
    xhat = (x - x.mean(0)) / sigma
    return -xhat * (grad_xhat * xhat).mean(0) / sigma


@wrong("bn_variance_path", "unbiased_throughout_variance")
def variance_unbiased(grad_xhat, x, eps=1e-5):
    xmu = x - x.mean(0)
    var = (xmu**2).sum(0) / (len(x) - 1)
    dvar = -0.5 * (grad_xhat * xmu * (var + eps) ** -1.5).sum(0)
    return dvar * 2 * xmu / (len(x) - 1)


@wrong("bn_variance_path", "statistics_per_example")
def variance_axis_1(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(1, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(1, keepdim=True)) / sigma
    return -xhat * (grad_xhat * xhat).mean(1, keepdim=True) / sigma


@wrong("bn_variance_path", "eps_ignored")
def variance_default_eps(grad_xhat, x, eps=1e-5):
    xmu = x - x.mean(0)
    dvar = -0.5 * (grad_xhat * xmu * ((xmu**2).mean(0) + 1e-5) ** -1.5).sum(0)
    return dvar * 2 * xmu / len(x)


@wrong("bn_variance_path", "")
def variance_one_row(grad_xhat, x, eps=1e-5):
    xmu = x - x.mean(0)
    return -0.5 * (grad_xhat * xmu * ((xmu**2).mean(0) + eps) ** -1.5).sum(0)


@wrong("bn_variance_path", "")
def variance_in_place(grad_xhat, x, eps=1e-5):
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    grad_xhat *= xhat
    return -xhat * grad_xhat.mean(0) / sigma


@wrong("bn_variance_path", "")
def variance_always_double(grad_xhat, x, eps=1e-5):
    x, grad_xhat = x.double(), grad_xhat.double()
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    return -xhat * (grad_xhat * xhat).mean(0) / sigma


# direct_path


@right("direct_path")
def direct_quotient(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy / sigma


@right("direct_path")
def direct_by_diff(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    x, mu = sp.symbols("x mu", real=True)
    return dy * sp.diff((x - mu) / sigma, x)


@right("direct_path")
def direct_unevaluated(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    x = sp.Symbol("x", real=True)
    return sp.Derivative(x * dy / sp.sqrt(sigma**2), x)


@wrong("direct_path", "centred_direct")
def direct_minus_mean(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy / sigma - mean_dy / sigma


@wrong("direct_path", "all_paths")
def direct_everything(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return 1 / sigma * (dy - mean_dy - mean_dy_xhat * xhat)


@wrong("direct_path", "direct_without_sigma")
def direct_dy(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy


@wrong("direct_path", "direct_times_sigma")
def direct_product(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return sigma * dy


@wrong("direct_path", "direct_sigma_squared")
def direct_per_variance(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy * sigma**-2


@wrong("direct_path", "")
def direct_root_of_sigma(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy / sp.sqrt(sigma)


@wrong("direct_path", "")
def direct_strange_symbol(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy / sp.sqrt(sp.Symbol("var") + sp.Symbol("eps"))


# mean_path


@right("mean_path")
def mean_quotient(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy / sigma


@right("mean_path")
def mean_by_chain(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    x, mu, n = sp.symbols("x mu N", positive=True)
    into_mean = n * mean_dy * sp.diff((x - mu) / sigma, mu)
    return sp.simplify(into_mean / n)


@right("mean_path")
def mean_by_remainder(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    whole = (dy - mean_dy - xhat * mean_dy_xhat) / sigma
    return whole - dy / sigma + xhat * mean_dy_xhat / sigma


@wrong("mean_path", "positive_mean_path")
def mean_positive(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return mean_dy / sigma


@wrong("mean_path", "mean_path_with_direct")
def mean_and_direct(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy / sigma - mean_dy / sigma


@wrong("mean_path", "statistics_path_for_mean")
def mean_all_statistics(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy / sigma - mean_dy_xhat * xhat / sigma


@wrong("mean_path", "own_gradient")
def mean_own(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return dy * (-1 / sigma)


@wrong("mean_path", "mean_without_sigma")
def mean_bare(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -1 * mean_dy


@wrong("mean_path", "mean_sigma_squared")
def mean_per_variance(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy / (sigma * sigma)


@wrong("mean_path", "")
def mean_zero(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return 0


@wrong("mean_path", "")
def mean_as_text(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return [-mean_dy / sigma]


# variance_path


@right("variance_path")
def variance_quotient(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat * mean_dy_xhat / sigma


@right("variance_path")
def variance_by_chain(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    v = sp.Symbol("v", positive=True)
    slope = sp.diff(1 / sp.sqrt(v), v).subs(v, sigma**2)
    into_variance = mean_dy_xhat * sigma * slope
    return into_variance * 2 * (sigma * xhat)


@right("variance_path")
def variance_by_powers(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -(sigma * xhat) * (sigma * mean_dy_xhat) * (sigma**2) ** sp.Rational(-3, 2)


@wrong("variance_path", "positive_variance_path")
def variance_positive(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return mean_dy_xhat * xhat / sigma


@wrong("variance_path", "factor_two")
def variance_double(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -(2 * sigma * xhat) * mean_dy_xhat * sigma / sigma**3


@wrong("variance_path", "factor_half")
def variance_halved(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return sp.Rational(-1, 2) * mean_dy_xhat * xhat / sigma


@wrong("variance_path", "xhat_left_out")
def variance_no_xhat(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy_xhat / sigma


@wrong("variance_path", "means_multiplied")
def variance_product(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy * xhat / sigma


@wrong("variance_path", "own_product")
def variance_own(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -dy * xhat * xhat / sigma


@wrong("variance_path", "statistics_path_for_variance")
def variance_all_statistics(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return (-mean_dy - mean_dy_xhat * xhat) / sigma


@wrong("variance_path", "variance_sigma_cubed")
def variance_cubed(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat * mean_dy_xhat * (sigma**2) ** sp.Rational(-3, 2)


@wrong("variance_path", "variance_sigma_squared")
def variance_squared(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat * (mean_dy_xhat * sigma) / sigma**3


@wrong("variance_path", "variance_without_sigma")
def variance_no_sigma(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -mean_dy_xhat * xhat


@wrong("variance_path", "")
def variance_xhat_squared(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    return -xhat**2 * mean_dy_xhat / sigma


@wrong("variance_path", "")
def variance_nothing(dy, mean_dy, mean_dy_xhat, xhat, sigma):
    answer = -xhat * mean_dy_xhat / sigma


# bn_backward


@right("bn_backward")
def backward_closed(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    grad_x = (g - g.mean(dims, keepdim=True) - xhat * (g * xhat).mean(dims, keepdim=True)) / sigma
    return grad_x, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@right("bn_backward")
def backward_staged(grad_y, x, gamma, eps=1e-5):
    flat = x.movedim(1, -1).reshape(-1, x.shape[1])
    dout = grad_y.movedim(1, -1).reshape(-1, x.shape[1])
    n = flat.shape[0]
    xmu = flat - flat.sum(0) / n
    var = (xmu**2).sum(0) / n
    sqrtvar = torch.sqrt(var + eps)
    ivar = 1 / sqrtvar
    dxhat = dout * gamma
    divar = (dxhat * xmu).sum(0)
    dvar = 0.5 / sqrtvar * (-1 / sqrtvar**2 * divar)
    dxmu = dxhat * ivar + 2 * xmu * dvar / n
    dx = dxmu - dxmu.sum(0) / n
    dx = dx.reshape(x.movedim(1, -1).shape).movedim(-1, 1)
    return dx, (dout * xmu * ivar).sum(0), dout.sum(0)


@right("bn_backward")
def backward_autograd(grad_y, x, gamma, eps=1e-5):
    leaf = x.detach().clone().requires_grad_(True)
    g, b = gamma.detach().clone().requires_grad_(True), torch.zeros_like(gamma, requires_grad=True)
    y = F.batch_norm(leaf, None, None, g, b, training=True, eps=eps)
    y.backward(grad_y)
    return leaf.grad, g.grad, b.grad


@right("bn_backward")
def backward_native(grad_y, x, gamma, eps=1e-5):
    c = gamma.shape[0]
    dims = [d for d in range(x.dim()) if d != 1]
    mean, invstd = x.mean(dims), 1 / torch.sqrt(x.var(dims, unbiased=False) + eps)
    return torch.ops.aten.native_batch_norm_backward(
        grad_y, x, gamma, torch.zeros(c, dtype=x.dtype), torch.ones(c, dtype=x.dtype), mean, invstd,
        True, eps, [True, True, True])


@right("bn_backward")
def backward_loops_in_double(grad_y, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = torch.empty_like(x), torch.empty_like(gamma), torch.empty_like(gamma)
    for c in range(x.shape[1]):
        v, g = x[:, c].double(), grad_y[:, c].double()
        n = v.numel()
        sigma = (v.var(correction=0) + eps) ** 0.5
        xhat = (v - v.mean()) / sigma
        grad_x[:, c] = gamma[c].double() / (n * sigma) * (n * g - g.sum() - xhat * (g * xhat).sum())
        grad_gamma[c], grad_beta[c] = (g * xhat).sum(), g.sum()
    return grad_x, grad_gamma, grad_beta


@right("bn_backward")
def backward_projection(grad_y, x, gamma, eps=1e-5):
    perm = x.transpose(0, 1).flatten(1)
    g = grad_y.transpose(0, 1).flatten(1)
    n = perm.shape[1]
    centring = torch.eye(n, dtype=x.dtype) - 1 / n
    centred = perm @ centring
    sigma = ((centred**2).mean(1, keepdim=True) + eps).sqrt()
    xhat = centred / sigma
    jacobian = centring - torch.einsum("ci,cj->cij", xhat, xhat) / n
    dx = gamma[:, None] / sigma * torch.einsum("cij,cj->ci", jacobian, g)
    back = dx.reshape(x.transpose(0, 1).shape).transpose(0, 1)
    return back, torch.einsum("ci,ci->c", g, xhat), torch.einsum("ci->c", g)


@wrong("bn_backward", "direct_path_only")
def backward_direct_only(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    return grad_y * gamma.view(s) / sigma, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "direct_path_only")
def backward_no_grad(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    x, gamma = x.clone().requires_grad_(), gamma.clone().requires_grad_()
    beta = torch.zeros_like(gamma, requires_grad=True)
    with torch.no_grad():
        mean, var = x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)
    y = gamma.view(s) * (x - mean) / torch.sqrt(var + eps) + beta.view(s)
    y.backward(grad_y)
    return x.grad, gamma.grad, beta.grad


@wrong("bn_backward", "mean_path_forgotten")
def backward_without_mean(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    return ((g - xhat * (g * xhat).mean(dims, keepdim=True)) / sigma, (grad_y * xhat).sum(dims),
            grad_y.sum(dims))


@wrong("bn_backward", "variance_path_forgotten")
def backward_without_variance(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    return (g - g.mean(dims, keepdim=True)) / sigma, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "gamma_forgotten")
def backward_without_gamma(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y
    grad_x = (g - g.mean(dims, keepdim=True) - xhat * (g * xhat).mean(dims, keepdim=True)) / sigma
    return grad_x, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "mean_for_sum")
def backward_mean_parameters(grad_y, x, gamma, eps=1e-5):
    leaf = x.clone().requires_grad_()
    F.batch_norm(leaf, None, None, gamma, torch.zeros_like(gamma), True, 0.1, eps).backward(grad_y)
    xhat = F.batch_norm(x, None, None, None, None, True, 0.1, eps)
    dims = (0,) + tuple(range(2, x.ndim))
    return leaf.grad, (grad_y * xhat).mean(dims), grad_y.mean(dims)


@wrong("bn_backward", "unbiased_variance")
def backward_x_var(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    grad_x = (g - g.mean(dims, keepdim=True) - xhat * (g * xhat).mean(dims, keepdim=True)) / sigma
    return grad_x, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "unbiased_throughout")
def backward_through_x_std(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    x, gamma = x.clone().requires_grad_(), gamma.clone().requires_grad_()
    beta = torch.zeros_like(gamma).requires_grad_()
    xhat = (x - x.mean(dims, keepdim=True)) / torch.sqrt(x.var(dims, keepdim=True) + eps)
    (gamma.view(s) * xhat + beta.view(s)).backward(grad_y)
    return x.grad, gamma.grad, beta.grad


@wrong("bn_backward", "statistics_path_sign_lost")
def backward_plus(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    grad_x = (g + g.mean(dims, keepdim=True) + xhat * (g * xhat).mean(dims, keepdim=True)) / sigma
    return grad_x, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "sum_in_the_statistics_path")
def backward_sums(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    grad_x = (g - g.sum(dims, keepdim=True) - xhat * (g * xhat).sum(dims, keepdim=True)) / sigma
    return grad_x, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "batch_size_for_count")
def backward_divides_by_batch(grad_y, x, gamma, eps=1e-5):
    n = x.shape[0]
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    grad_gamma, grad_beta = (grad_y * xhat).sum(dims), grad_y.sum(dims)
    grad_x = gamma.view(s) / (n * sigma) * (n * grad_y - grad_beta.view(s) - xhat * grad_gamma.view(s))
    return grad_x, grad_gamma, grad_beta


@wrong("bn_backward", "raw_input_for_gamma")
def backward_gamma_from_x(grad_y, x, gamma, eps=1e-5):
    leaf = x.clone().requires_grad_()
    F.batch_norm(leaf, None, None, gamma, None, True, 0.1, eps).backward(grad_y)
    dims = (0,) + tuple(range(2, x.ndim))
    return leaf.grad, (grad_y * x).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "centred_input_for_gamma")
def backward_gamma_from_deviation(grad_y, x, gamma, eps=1e-5):
    leaf = x.clone().requires_grad_()
    F.batch_norm(leaf, None, None, gamma, None, True, 0.1, eps).backward(grad_y)
    dims = (0,) + tuple(range(2, x.ndim))
    return leaf.grad, (grad_y * (x - x.mean(dims, keepdim=True))).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "gamma_in_parameter_gradients")
def backward_gamma_twice(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    grad_x = (g - g.mean(dims, keepdim=True) - xhat * (g * xhat).mean(dims, keepdim=True)) / sigma
    return grad_x, (g * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "parameter_gradients_swapped")
def backward_swapped(grad_y, x, gamma, eps=1e-5):
    leaf = x.detach().clone().requires_grad_(True)
    g, b = gamma.detach().clone().requires_grad_(True), torch.zeros_like(gamma, requires_grad=True)
    F.batch_norm(leaf, None, None, g, b, training=True, eps=eps).backward(grad_y)
    return leaf.grad, b.grad, g.grad


@wrong("bn_backward", "eps_outside_in_backward")
def backward_eps_outside(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    leaf = x.clone().requires_grad_()
    std = leaf.std(dims, correction=0, keepdim=True)
    xhat = (leaf - leaf.mean(dims, keepdim=True)) / (std + eps)
    (xhat * gamma.view(s)).backward(grad_y)
    return leaf.grad, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "eps_forgotten_in_backward")
def backward_no_eps(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = x.std(dims, correction=0, keepdim=True)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    grad_x = (g - g.mean(dims, keepdim=True) - xhat * (g * xhat).mean(dims, keepdim=True)) / sigma
    return grad_x, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "positions_apart")
def backward_axis_0(grad_y, x, gamma, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    g = grad_y * gamma.view(s)
    dims = (0,) + tuple(range(2, x.ndim))
    return (g - g.mean(0) - xhat * (g * xhat).mean(0)) / sigma, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "gamma_on_the_last_axis")
def backward_plain_gamma(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma
    grad_x = (g - g.mean(dims, keepdim=True) - xhat * (g * xhat).mean(dims, keepdim=True)) / sigma
    return grad_x, (grad_y * xhat).sum(dims), grad_y.sum(dims)


@wrong("bn_backward", "eps_ignored_in_backward")
def backward_default_eps(grad_y, x, gamma, eps=1e-5):
    leaf = x.detach().clone().requires_grad_(True)
    g, b = gamma.detach().clone().requires_grad_(True), torch.zeros_like(gamma, requires_grad=True)
    F.batch_norm(leaf, None, None, g, b, training=True).backward(grad_y)
    return leaf.grad, g.grad, b.grad


@wrong("bn_backward", "")
def backward_dense_only(grad_y, x, gamma, eps=1e-5):
    n, d = x.shape
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / sigma
    g = grad_y * gamma
    return (g - g.mean(0) - xhat * (g * xhat).mean(0)) / sigma, (grad_y * xhat).sum(0), grad_y.sum(0)


@wrong("bn_backward", "")
def backward_kept_dims(grad_y, x, gamma, eps=1e-5):
    dims = (0,) + tuple(range(2, x.ndim))
    s = (1, -1) + (1,) * (x.ndim - 2)
    sigma = torch.sqrt(x.var(dims, correction=0, keepdim=True) + eps)
    xhat = (x - x.mean(dims, keepdim=True)) / sigma
    g = grad_y * gamma.view(s)
    grad_x = (g - g.mean(dims, keepdim=True) - xhat * (g * xhat).mean(dims, keepdim=True)) / sigma
    return grad_x, (grad_y * xhat).sum(dims, keepdim=True), grad_y.sum(dims, keepdim=True)


@wrong("bn_backward", "")
def backward_sets_requires_grad(grad_y, x, gamma, eps=1e-5):
    x.requires_grad_(), gamma.requires_grad_()
    beta = torch.zeros_like(gamma, requires_grad=True)
    y = F.batch_norm(x, None, None, gamma, beta, True, 0.1, eps)
    return torch.autograd.grad(y, (x, gamma, beta), grad_y)


@wrong("bn_backward", "")
def backward_in_float32(grad_y, x, gamma, eps=1e-5):
    leaf, g = x.float().clone().requires_grad_(), gamma.float().clone().requires_grad_()
    b = torch.zeros_like(g, requires_grad=True)
    y = F.batch_norm(leaf, None, None, g, b, True, 0.1, eps)
    return torch.autograd.grad(y, (leaf, g, b), grad_y.float())


@wrong("bn_backward", "")
def backward_grad_x_only(grad_y, x, gamma, eps=1e-5):
    leaf = x.clone().requires_grad_()
    F.batch_norm(leaf, None, None, gamma, None, True, 0.1, eps).backward(grad_y)
    return leaf.grad


# center_backward


@right("center_backward")
def center_closed(grad_s):
    return grad_s - grad_s.mean(0)


@right("center_backward")
def center_matrix(grad_s):
    n = grad_s.shape[0]
    return (torch.eye(n, dtype=grad_s.dtype) - torch.ones(n, n, dtype=grad_s.dtype) / n) @ grad_s


@right("center_backward")
def center_autograd(grad_s):
    r = torch.rand_like(grad_s).requires_grad_(True)
    ((r - r.mean(dim=0, keepdim=True)) * grad_s).sum().backward()
    return r.grad


@right("center_backward")
def center_loops(grad_s):
    out = grad_s.clone()
    for j in range(grad_s.shape[1]):
        out[:, j] -= sum(grad_s[:, j].tolist()) / len(grad_s)
    return out


@right("center_backward")
def center_numpy(grad_s):
    a = grad_s.numpy()
    return torch.from_numpy(a - a.mean(axis=0, keepdims=True))


@wrong("center_backward", "centering_direct_only")
def center_identity(grad_s):
    return 1 * grad_s


@wrong("center_backward", "centering_over_units")
def center_axis_1(grad_s):
    return grad_s - grad_s.mean(1, keepdim=True)


@wrong("center_backward", "centering_over_everything")
def center_global(grad_s):
    return grad_s - grad_s.mean()


@wrong("center_backward", "centering_sum_for_mean")
def center_sum(grad_s):
    return grad_s - grad_s.sum(dim=0)


@wrong("center_backward", "centering_sign_lost")
def center_plus(grad_s):
    return grad_s + grad_s.mean(0)


@wrong("center_backward", "centering_mean_only")
def center_statistics_path(grad_s):
    return -grad_s.mean(0).expand_as(grad_s)


@wrong("center_backward", "centering_and_scaling")
def center_standardised(grad_s):
    return (grad_s - grad_s.mean(0)) / grad_s.std(0, unbiased=False)


@wrong("center_backward", "")
def center_in_place(grad_s):
    grad_s -= grad_s.mean(0)
    return grad_s


@wrong("center_backward", "")
def center_zeros(grad_s):
    return torch.zeros_like(grad_s)


@wrong("center_backward", "")
def center_as_float(grad_s):
    return (grad_s - grad_s.mean(0)).float()


# centered_weight_grad


@right("centered_weight_grad")
def weight_centred_acts(grad_s, acts):
    return grad_s.T @ (acts - acts.mean(0))


@right("centered_weight_grad")
def weight_centred_grads(grad_s, acts):
    return (grad_s - grad_s.mean(dim=0, keepdim=True)).transpose(0, 1).matmul(acts)


@right("centered_weight_grad")
def weight_einsum(grad_s, acts):
    n = len(acts)
    return torch.einsum("no,ni->oi", grad_s, acts) - torch.outer(grad_s.sum(0), acts.sum(0)) / n


@right("centered_weight_grad")
def weight_autograd(grad_s, acts):
    layer = torch.zeros(grad_s.shape[1], acts.shape[1], dtype=acts.dtype, requires_grad=True)
    r = F.linear(acts, layer)
    (r - r.mean(0)).backward(grad_s)
    return layer.grad


@right("centered_weight_grad")
def weight_loop(grad_s, acts):
    mean = acts.mean(0)
    total = acts.new_zeros(grad_s.shape[1], acts.shape[1])
    for g, a in zip(grad_s, acts):
        total = total + torch.outer(g, a - mean)
    return total


@wrong("centered_weight_grad", "centering_ignored")
def weight_uncentred(grad_s, acts):
    return grad_s.T @ acts


@wrong("centered_weight_grad", "weight_gradient_transposed")
def weight_in_out(grad_s, acts):
    return (acts - acts.mean(0)).T @ grad_s


@wrong("centered_weight_grad", "averaged_over_the_batch")
def weight_mean(grad_s, acts):
    return torch.einsum("no,ni->oi", grad_s - grad_s.mean(0), acts) / acts.size(0)


@wrong("centered_weight_grad", "centered_over_units")
def weight_grads_axis_1(grad_s, acts):
    return (grad_s - grad_s.mean(1, keepdim=True)).T @ acts


@wrong("centered_weight_grad", "activations_centered_over_units")
def weight_acts_axis_1(grad_s, acts):
    return grad_s.T @ (acts - acts.mean(dim=1, keepdim=True))


@wrong("centered_weight_grad", "activations_standardised")
def weight_batch_normed(grad_s, acts):
    return grad_s.T @ ((acts - acts.mean(0)) / acts.std(0, correction=0))


@wrong("centered_weight_grad", "")
def weight_centred_globally(grad_s, acts):
    return grad_s.T @ (acts - acts.mean())


@wrong("centered_weight_grad", "")
def weight_in_place(grad_s, acts):
    acts -= acts.mean(0)
    return grad_s.T @ acts


@wrong("centered_weight_grad", "")
def weight_elementwise(grad_s, acts):
    return grad_s * (acts - acts.mean(0))


# distort


@right("distort")
def distort_plain(acts, generator, mean_scale, log_gain_scale):
    d = acts.shape[1]
    gain = torch.exp(log_gain_scale * torch.randn(d, generator=generator, dtype=acts.dtype))
    return gain * acts + mean_scale * torch.randn(d, generator=generator, dtype=acts.dtype)


@right("distort")
def distort_one_draw(acts, generator, mean_scale, log_gain_scale):
    z = torch.randn(2, acts.shape[1], generator=generator).to(acts)
    return torch.einsum("nd,d->nd", acts, (z[0] * log_gain_scale).exp()) + z[1] * mean_scale


@right("distort")
def distort_by_normal_(acts, generator, mean_scale, log_gain_scale):
    shift = torch.empty(1, acts.size(1), dtype=torch.float64).normal_(0, 1, generator=generator) * mean_scale
    gain = torch.empty(1, acts.size(1), dtype=torch.float64).normal_(0, 1, generator=generator)
    return (acts.double() * torch.exp(gain * log_gain_scale) + shift).to(acts.dtype)


@right("distort")
def distort_by_columns(acts, generator, mean_scale, log_gain_scale):
    z = torch.randn(acts.shape[1], 2, generator=generator, dtype=torch.float64).tolist()
    columns = [math.exp(log_gain_scale * a) * column + mean_scale * b for column, (a, b) in zip(acts.T, z)]
    return torch.stack(columns, dim=1)


@right("distort")
def distort_by_numpy(acts, generator, mean_scale, log_gain_scale):
    d = acts.shape[1]
    z = torch.normal(torch.zeros(2 * d), torch.ones(2 * d), generator=generator).numpy()
    moved = np.exp(log_gain_scale * z[:d]) * acts.numpy() + mean_scale * z[d:]
    return torch.from_numpy(moved).to(acts.dtype)


@wrong("distort", "drawn_for_each_entry")
def distort_noise(acts, generator, mean_scale, log_gain_scale):
    z = torch.randn(acts.shape, generator=generator, dtype=acts.dtype)
    z2 = torch.randn(acts.shape, generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "drawn_for_each_example")
def distort_rows(acts, generator, mean_scale, log_gain_scale):
    z = torch.randn(acts.shape[0], 1, generator=generator, dtype=acts.dtype)
    z2 = torch.randn(acts.shape[0], 1, generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "drawn_once")
def distort_scalar(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "shift_before_gain")
def distort_shift_first(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * (acts + mean_scale * z2)


@wrong("distort", "linear_gain")
def distort_linear(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], generator=generator, dtype=acts.dtype)
    return (1 + log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "same_draw_twice")
def distort_one_z(acts, generator, mean_scale, log_gain_scale):
    z = torch.randn(acts.shape[1], generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z


@wrong("distort", "scale_is_a_variance")
def distort_sqrt(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], generator=generator, dtype=acts.dtype)
    return torch.exp(math.sqrt(log_gain_scale) * z) * acts + math.sqrt(mean_scale) * z2


@wrong("distort", "scale_is_the_mean")
def distort_mean(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + (z2 + mean_scale)


@wrong("distort", "uniform_draws")
def distort_rand(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.rand(2, acts.shape[1], generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "scales_ignored")
def distort_unscaled(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], generator=generator, dtype=acts.dtype)
    return acts * z.exp() + z2


@wrong("distort", "")
def distort_global_generator(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "")
def distort_half_global(acts, generator, mean_scale, log_gain_scale):
    z = torch.randn(acts.shape[1], generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * torch.randn(acts.shape[1], dtype=acts.dtype)


@wrong("distort", "")
def distort_reseeds(acts, generator, mean_scale, log_gain_scale):
    own = torch.Generator().manual_seed(0)
    z, z2 = torch.randn(2, acts.shape[1], generator=own, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "")
def distort_no_none(acts, generator, mean_scale, log_gain_scale):
    own = torch.Generator().manual_seed(generator.initial_seed())
    z, z2 = torch.randn(2, acts.shape[1], generator=own, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "")
def distort_in_place(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], generator=generator, dtype=acts.dtype)
    acts *= torch.exp(log_gain_scale * z)
    return acts + mean_scale * z2


@wrong("distort", "")
def distort_always_double(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], generator=generator, dtype=torch.float64)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * z2


@wrong("distort", "")
def distort_one_shift(acts, generator, mean_scale, log_gain_scale):
    z = torch.randn(acts.shape[1], generator=generator, dtype=acts.dtype)
    return torch.exp(log_gain_scale * z) * acts + mean_scale * torch.randn(1, generator=generator, dtype=acts.dtype)


@wrong("distort", "")
def distort_of_normalised(acts, generator, mean_scale, log_gain_scale):
    z, z2 = torch.randn(2, acts.shape[1], generator=generator, dtype=acts.dtype)
    xhat = (acts - acts.mean(0)) / acts.std(0)
    return torch.exp(log_gain_scale * z) * xhat + mean_scale * z2


@wrong("distort", "")
def distort_flat_normal(acts, generator, mean_scale, log_gain_scale):
    u, u2 = (2 * torch.rand(2, acts.shape[1], generator=generator, dtype=acts.dtype) - 1) * math.sqrt(3)
    return torch.exp(log_gain_scale * u) * acts + mean_scale * u2


# fold_bn


@right("fold_bn")
def fold_closed(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b - running_mean) * scale + beta


@right("fold_bn")
def fold_by_rows(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    weights, biases = [], []
    for o in range(W.shape[0]):
        s = gamma[o] / (running_var[o] + eps) ** 0.5
        weights.append(W[o] * s)
        biases.append(s * b[o] - s * running_mean[o] + beta[o])
    return torch.stack(weights), torch.stack(biases)


@right("fold_bn")
def fold_by_diagonal(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    D = torch.diag(gamma * (running_var + eps).rsqrt())
    return (D @ W.flatten(1)).view_as(W), D @ (b - running_mean) + beta


@right("fold_bn")
def fold_einsum_in_double(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma.double() / (running_var.double() + eps).sqrt()
    bias = beta.double() + scale * (b.double() - running_mean.double())
    return torch.einsum("o...,o->o...", W.double(), scale).to(W.dtype), bias.to(b.dtype)


@right("fold_bn")
def fold_by_library(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    from torch.nn.utils.fusion import fuse_conv_bn_weights
    weight, bias = fuse_conv_bn_weights(W, b, running_mean, running_var, eps, gamma, beta)
    return weight.detach(), bias.detach()


@right("fold_bn")
def fold_numpy(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    w, bias, g, be, m, v = (t.detach().numpy() for t in (W, b, gamma, beta, running_mean, running_var))
    s = (g / np.sqrt(v + eps)).astype(w.dtype)
    folded = np.moveaxis(np.moveaxis(w, 0, -1) * s, -1, 0)
    return torch.from_numpy(np.ascontiguousarray(folded)), torch.from_numpy(s * (bias - m) + be)


@wrong("fold_bn", "bias_left_out")
def fold_ignores_b(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), beta - running_mean * scale


@wrong("fold_bn", "bias_not_scaled")
def fold_adds_b(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), b + beta - running_mean * scale


@wrong("fold_bn", "only_the_weight")
def fold_weight_only(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale.reshape([-1] + [1] * (W.dim() - 1)), b


@wrong("fold_bn", "scaled_along_the_input")
def fold_plain_product(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale, (b - running_mean) * scale + beta


@wrong("fold_bn", "mean_added")
def fold_plus_mean(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b + running_mean) * scale + beta


@wrong("fold_bn", "mean_left_out")
def fold_no_mean(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), b * scale + beta


@wrong("fold_bn", "beta_left_out")
def fold_no_beta(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b - running_mean) * scale


@wrong("fold_bn", "beta_scaled_in_fold")
def fold_scales_beta(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b - running_mean + beta) * scale


@wrong("fold_bn", "gamma_left_out")
def fold_no_gamma(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = 1 / torch.sqrt(running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b - running_mean) * scale + beta


@wrong("fold_bn", "eps_outside_in_fold")
def fold_eps_outside(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / (torch.sqrt(running_var) + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b - running_mean) * scale + beta


@wrong("fold_bn", "eps_forgotten_in_fold")
def fold_no_eps(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b - running_mean) * scale + beta


@wrong("fold_bn", "variance_for_deviation_in_fold")
def fold_no_root(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / (running_var + eps)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b - running_mean) * scale + beta


@wrong("fold_bn", "")
def fold_linear_only(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W * scale[:, None], (b - running_mean) * scale + beta


@wrong("fold_bn", "")
def fold_in_place(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    W *= scale.view(-1, *[1] * (W.ndim - 1))
    return W, (b - running_mean) * scale + beta


@wrong("fold_bn", "")
def fold_matrix_shape(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + eps)
    return W.flatten(1) * scale[:, None], (b - running_mean) * scale + beta


@wrong("fold_bn", "eps_ignored_in_fold")
def fold_default_eps(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / torch.sqrt(running_var + 1e-5)
    return W * scale.view(-1, *[1] * (W.ndim - 1)), (b - running_mean) * scale + beta
