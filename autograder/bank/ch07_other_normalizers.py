"""The bank of chapter 07: the other normalisers, right in several styles and wrong as students write them."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# layer_norm


@right("layer_norm")
def layer_builtin(a, gain, bias, eps=1e-5):
    return F.layer_norm(a, (a.shape[-1],), gain, bias, eps)


@right("layer_norm")
def layer_squares_minus_square(a, gain, bias, eps=1e-5):
    wide = a.double()
    mu = wide.mean(-1, keepdim=True)
    var = (wide * wide).mean(-1, keepdim=True) - mu * mu
    out = (wide - mu) * torch.rsqrt(var + eps) * gain.double() + bias.double()
    return out.to(a.dtype)


@right("layer_norm")
def layer_by_rows(a, gain, bias, eps=1e-5):
    done = []
    for row in a.reshape(-1, a.shape[-1]):
        mu = sum(row) / len(row)
        var = sum((v - mu) ** 2 for v in row) / len(row)
        done.append(gain * (row - mu) / torch.sqrt(var + eps) + bias)
    return torch.stack(done).reshape(a.shape)


@right("layer_norm")
def layer_by_centring_matrix(a, gain, bias, eps=1e-5):
    d = a.shape[-1]
    centring = torch.eye(d, dtype=a.dtype) - 1.0 / d
    centred = torch.einsum("...i,ij->...j", a, centring)
    power = torch.einsum("...i,...i->...", centred, centred) / d
    return torch.einsum("...i,...,i->...i", centred, (power + eps) ** -0.5, gain) + bias


@right("layer_norm")
def layer_as_batch_norm_of_the_transpose(a, gain, bias, eps=1e-5):
    flat = a.reshape(-1, a.shape[-1])
    if flat.shape[1] == 1:
        return 0 * a * gain + bias
    turned = F.batch_norm(flat.T, None, None, None, None, True, 0.1, eps)
    return torch.addcmul(bias, turned.T.reshape(a.shape), gain)


@wrong("layer_norm", "layer_eps_outside")
def layer_std_plus_eps(a, gain, bias, eps=1e-5):
    mean, std = a.mean(-1, keepdim=True), a.std(-1, correction=0, keepdim=True)
    return gain * (a - mean) / (std + eps) + bias


@wrong("layer_norm", "layer_unbiased")
def layer_a_var(a, gain, bias, eps=1e-5):
    mean, var = a.mean(-1, keepdim=True), a.var(-1, keepdim=True)
    return gain * (a - mean) / torch.sqrt(var + eps) + bias


@wrong("layer_norm", "layer_of_the_annotated_transformer")
def layer_annotated(a, gain, bias, eps=1e-5):
    mean = a.mean(-1, keepdim=True)
    std = a.std(-1, keepdim=True)
    return gain * (a - mean) / (std + eps) + bias


@wrong("layer_norm", "layer_over_the_batch")
def layer_axis_0(a, gain, bias, eps=1e-5):
    mean, var = a.mean(0), ((a - a.mean(0)) ** 2).mean(0)
    return gain * (a - mean) / torch.sqrt(var + eps) + bias


@wrong("layer_norm", "layer_over_the_batch")
def layer_is_batch_norm(a, gain, bias, eps=1e-5):
    flat = a.flatten(1)
    return F.batch_norm(flat, None, None, None, None, True, 0.1, eps).reshape(a.shape) * gain + bias


@wrong("layer_norm", "layer_over_all_leading_axes")
def layer_batch_norm_of_positions(a, gain, bias, eps=1e-5):
    flat = a.reshape(-1, a.shape[-1])
    return F.batch_norm(flat, None, None, gain, bias, True, 0.1, eps).reshape(a.shape)


@wrong("layer_norm", "layer_over_whole_examples")
def layer_of_shape_1(a, gain, bias, eps=1e-5):
    return F.layer_norm(a, a.shape[1:], eps=eps) * gain + bias


@wrong("layer_norm", "layer_over_everything")
def layer_without_axis(a, gain, bias, eps=1e-5):
    return gain * (a - a.mean()) / torch.sqrt(a.var(correction=0) + eps) + bias


@wrong("layer_norm", "layer_eps_forgotten")
def layer_no_eps(a, gain, bias, eps=1e-5):
    centred = a - a.mean(-1, keepdim=True)
    return gain * centred / centred.square().mean(-1, keepdim=True).sqrt() + bias


@wrong("layer_norm", "layer_eps_ignored")
def layer_default_eps(a, gain, bias, eps=1e-5):
    return F.layer_norm(a, a.shape[-1:], gain, bias)


@wrong("layer_norm", "layer_variance_for_deviation")
def layer_over_variance(a, gain, bias, eps=1e-5):
    centred = a - a.mean(-1, keepdim=True)
    return gain * centred / (centred.square().mean(-1, keepdim=True) + eps) + bias


@wrong("layer_norm", "layer_affine_forgotten")
def layer_bare(a, gain, bias, eps=1e-5):
    return F.layer_norm(a, a.shape[-1:], eps=eps)


@wrong("layer_norm", "layer_bias_forgotten")
def layer_no_bias(a, gain, bias, eps=1e-5):
    return F.layer_norm(a, a.shape[-1:], gain, None, eps)


@wrong("layer_norm", "layer_gain_forgotten")
def layer_no_gain(a, gain, bias, eps=1e-5):
    return F.layer_norm(a, a.shape[-1:], None, bias, eps)


@wrong("layer_norm", "layer_bias_scaled_too")
def layer_bias_first(a, gain, bias, eps=1e-5):
    return gain * (F.layer_norm(a, a.shape[-1:], eps=eps) + bias)


@wrong("layer_norm", "layer_gain_from_one")
def layer_zero_centred_gain(a, gain, bias, eps=1e-5):
    xhat = F.layer_norm(a, a.shape[-1:], eps=eps)
    return xhat + xhat * gain + bias


@wrong("layer_norm", "layer_not_centred")
def layer_without_mean(a, gain, bias, eps=1e-5):
    return gain * a * (a.square().mean(-1, keepdim=True) + eps).rsqrt() + bias


@wrong("layer_norm", "layer_only_centred")
def layer_centres(a, gain, bias, eps=1e-5):
    return (a - a.mean(-1, keepdim=True)) * gain + bias


@wrong("layer_norm", "layer_statistics_cut")
def layer_no_grad(a, gain, bias, eps=1e-5):
    with torch.no_grad():
        var, mean = torch.var_mean(a, -1, correction=0, keepdim=True)
    return gain * (a - mean) / (var + eps).sqrt() + bias


@wrong("layer_norm", "")
def layer_detached(a, gain, bias, eps=1e-5):
    return F.layer_norm(a, a.shape[-1:], gain, bias, eps).detach()


@wrong("layer_norm", "")
def layer_by_numpy(a, gain, bias, eps=1e-5):
    x = a.detach().numpy()
    xhat = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
    return torch.from_numpy(xhat) * gain + bias


@wrong("layer_norm", "")
def layer_in_float32(a, gain, bias, eps=1e-5):
    return F.layer_norm(a.float(), a.shape[-1:], gain.float(), bias.float(), eps)


@wrong("layer_norm", "")
def layer_in_float32_and_back(a, gain, bias, eps=1e-5):
    return F.layer_norm(a.float(), a.shape[-1:], gain.float(), bias.float(), eps).to(a.dtype)


@wrong("layer_norm", "")
def layer_two_axes_only(a, gain, bias, eps=1e-5):
    n, d = a.shape
    return F.layer_norm(a, (d,), gain, bias, eps)


@wrong("layer_norm", "layer_over_axis_1")
def layer_second_axis(a, gain, bias, eps=1e-5):
    mean, var = a.mean(1, keepdim=True), a.var(1, correction=0, keepdim=True)
    return gain * (a - mean) / torch.sqrt(var + eps) + bias


@wrong("layer_norm", "")
def layer_gain_as_channels(a, gain, bias, eps=1e-5):
    s = (1, -1) + (1,) * (a.ndim - 2)
    return gain.view(s) * F.layer_norm(a, a.shape[-1:], eps=eps) + bias.view(s)


@wrong("layer_norm", "")
def layer_in_place(a, gain, bias, eps=1e-5):
    a -= a.mean(-1, keepdim=True)
    return gain * a / torch.sqrt(a.square().mean(-1, keepdim=True) + eps) + bias


@wrong("layer_norm", "")
def layer_view(a, gain, bias, eps=1e-5):
    flat = a.view(-1, a.shape[-1])
    return F.layer_norm(flat, flat.shape[1:], gain, bias, eps).view(a.shape)


# layer_norm_backward


@right("layer_norm_backward")
def layer_back_autograd(grad_out, a, gain, eps=1e-5):
    leaf, g = a.detach().clone().requires_grad_(), gain.detach().clone().requires_grad_()
    b = torch.zeros_like(g, requires_grad=True)
    F.layer_norm(leaf, g.shape, g, b, eps).backward(grad_out)
    return leaf.grad, g.grad, b.grad


@right("layer_norm_backward")
def layer_back_closed(grad_out, a, gain, eps=1e-5):
    d = a.shape[-1]
    var, mean = torch.var_mean(a, -1, correction=0, keepdim=True)
    inv = torch.rsqrt(var + eps)
    xhat = (a - mean) * inv
    dxhat = grad_out * gain
    grad_a = inv / d * (d * dxhat - dxhat.sum(-1, keepdim=True) - xhat * (dxhat * xhat).sum(-1, keepdim=True))
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@right("layer_norm_backward")
def layer_back_staged(grad_out, a, gain, eps=1e-5):
    x, dout = a.reshape(-1, a.shape[-1]).T, grad_out.reshape(-1, a.shape[-1]).T
    d = x.shape[0]
    xmu = x - x.mean(0)
    sqrtvar = torch.sqrt((xmu**2).mean(0) + eps)
    dxhat = dout * gain[:, None]
    dvar = -0.5 * (dxhat * xmu).sum(0) / sqrtvar**3
    dxmu = dxhat / sqrtvar + 2 / d * xmu * dvar
    dx = dxmu - dxmu.sum(0) / d
    return dx.T.reshape(a.shape), (dout * xmu / sqrtvar).sum(1), dout.sum(1)


@right("layer_norm_backward")
def layer_back_jacobian_rows(grad_out, a, gain, eps=1e-5):
    d = a.shape[-1]
    rows, grads = a.reshape(-1, d).double(), grad_out.reshape(-1, d).double()
    eye, out = torch.eye(d, dtype=torch.float64), []
    grad_gain, grad_bias = torch.zeros(d, dtype=torch.float64), torch.zeros(d, dtype=torch.float64)
    for row, g in zip(rows, grads):
        sigma = math.sqrt(float(row.var(correction=0)) + eps)
        xhat = (row - row.mean()) / sigma
        jacobian = (eye - 1 / d - torch.outer(xhat, xhat) / d) / sigma
        out.append(jacobian @ (gain.double() * g))
        grad_gain += g * xhat
        grad_bias += g
    kind = a.dtype
    return torch.stack(out).reshape(a.shape).to(kind), grad_gain.to(kind), grad_bias.to(kind)


@right("layer_norm_backward")
def layer_back_einsum(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    mean = torch.einsum("...i->...", a) / d
    centred = a - mean[..., None]
    inv = (torch.einsum("...i,...i->...", centred, centred) / d + eps) ** -0.5
    xhat = torch.einsum("...i,...->...i", centred, inv)
    first = torch.einsum("...i,i->...", grad_out, gain) / d
    second = torch.einsum("...i,i,...i->...", grad_out, gain, xhat) / d
    grad_a = (grad_out * gain - first[..., None] - second[..., None] * xhat) * inv[..., None]
    return grad_a, torch.einsum("...i,...i->i", grad_out, xhat), torch.einsum("...i->i", grad_out)


@right("layer_norm_backward")
def layer_back_vjp(grad_out, a, gain, eps=1e-5):
    def forward(x, g, b):
        return F.layer_norm(x, g.shape, g, b, eps)

    return torch.autograd.functional.vjp(forward, (a, gain, torch.zeros_like(gain)), grad_out)[1]


@right("layer_norm_backward")
def layer_back_leading_axes(grad_out, a, gain, eps=1e-5):
    leaf = a.clone().requires_grad_()
    F.layer_norm(leaf, gain.shape, gain, None, eps).backward(grad_out)
    leading = tuple(range(a.ndim - 1))
    xhat = F.layer_norm(a, gain.shape, eps=eps)
    return leaf.grad, (grad_out * xhat).sum(leading), grad_out.sum(leading)


@wrong("layer_norm_backward", "gain_after_the_averages")
def layer_back_gain_last(grad_out, a, gain, eps=1e-5):
    sigma = torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out
    grad_a = gain / sigma * (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True))
    d = gain.shape[0]
    return grad_a, (g * xhat).reshape(-1, d).sum(0), g.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "layer_direct_path_only")
def layer_back_constants(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    return grad_out * gain / sigma, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "layer_mean_path_forgotten")
def layer_back_no_mean(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out * gain
    grad_a = (g - xhat * (g * xhat).mean(-1, keepdim=True)) / sigma
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "layer_variance_path_forgotten")
def layer_back_no_variance(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out * gain
    return ((g - g.mean(-1, keepdim=True)) / sigma, (grad_out * xhat).reshape(-1, d).sum(0),
            grad_out.reshape(-1, d).sum(0))


@wrong("layer_norm_backward", "layer_gain_missing")
def layer_back_no_gain(grad_out, a, gain, eps=1e-5):
    leaf = a.clone().requires_grad_()
    xhat = F.layer_norm(leaf, gain.shape, eps=eps)
    xhat.backward(grad_out)
    d = gain.shape[0]
    return leaf.grad, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "batch_norm_gradient")
def layer_back_copied_from_batch_norm(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = torch.sqrt(a.var(0, correction=0) + eps)
    xhat = (a - a.mean(0)) / sigma
    g = grad_out * gain
    grad_a = (g - g.mean(0) - xhat * (g * xhat).mean(0)) / sigma
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "whole_examples_in_backward")
def layer_back_shape_1(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    leaf = a.clone().requires_grad_()
    xhat = F.layer_norm(leaf, a.shape[1:], eps=eps)
    xhat.backward(grad_out * gain)
    return leaf.grad, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "layer_mean_for_sum")
def layer_back_means(grad_out, a, gain, eps=1e-5):
    leaf = a.clone().requires_grad_()
    F.layer_norm(leaf, gain.shape, gain, None, eps).backward(grad_out)
    xhat = F.layer_norm(a, gain.shape, eps=eps)
    leading = tuple(range(a.ndim - 1))
    return leaf.grad, (grad_out * xhat).mean(leading), grad_out.mean(leading)


@wrong("layer_norm_backward", "summed_over_axis_0_alone")
def layer_back_axis_0(grad_out, a, gain, eps=1e-5):
    leaf = a.clone().requires_grad_()
    F.layer_norm(leaf, gain.shape, gain, None, eps).backward(grad_out)
    xhat = F.layer_norm(a, gain.shape, eps=eps)
    return leaf.grad, (grad_out * xhat).sum(0), grad_out.sum(0)


@wrong("layer_norm_backward", "summed_over_the_features")
def layer_back_last_axis(grad_out, a, gain, eps=1e-5):
    leaf = a.clone().requires_grad_()
    F.layer_norm(leaf, gain.shape, gain, None, eps).backward(grad_out)
    xhat = F.layer_norm(a, gain.shape, eps=eps)
    return leaf.grad, (grad_out * xhat).sum(-1), grad_out.sum(-1)


@wrong("layer_norm_backward", "not_summed")
def layer_back_entries(grad_out, a, gain, eps=1e-5):
    leaf = a.clone().requires_grad_()
    F.layer_norm(leaf, gain.shape, gain, None, eps).backward(grad_out)
    return leaf.grad, grad_out * F.layer_norm(a, gain.shape, eps=eps), grad_out.clone()


@wrong("layer_norm_backward", "raw_input_for_gain")
def layer_back_raw(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    leaf = a.clone().requires_grad_()
    F.layer_norm(leaf, gain.shape, gain, None, eps).backward(grad_out)
    return leaf.grad, (grad_out * a).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "centred_input_for_gain")
def layer_back_deviation(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    leaf = a.clone().requires_grad_()
    F.layer_norm(leaf, gain.shape, gain, None, eps).backward(grad_out)
    centred = a - a.mean(-1, keepdim=True)
    return leaf.grad, (grad_out * centred).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "gain_in_parameter_gradients")
def layer_back_gain_twice(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    leaf = a.clone().requires_grad_()
    xhat = F.layer_norm(leaf, gain.shape, eps=eps)
    g = grad_out * gain
    xhat.backward(g)
    return leaf.grad, (g * xhat.detach()).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "gain_in_parameter_gradients")
def layer_back_gain_in_bias(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    leaf = a.clone().requires_grad_()
    xhat = F.layer_norm(leaf, gain.shape, eps=eps)
    xhat.backward(grad_out * gain)
    return leaf.grad, (grad_out * xhat).reshape(-1, d).sum(0), (grad_out * gain).reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "layer_parameters_swapped")
def layer_back_swapped(grad_out, a, gain, eps=1e-5):
    leaf, g = a.clone().requires_grad_(), gain.clone().requires_grad_()
    b = torch.zeros_like(gain).requires_grad_()
    F.layer_norm(leaf, g.shape, g, b, eps).backward(grad_out)
    return leaf.grad, b.grad, g.grad


@wrong("layer_norm_backward", "layer_statistics_sign_lost")
def layer_back_plus(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out * gain
    grad_a = (g + g.mean(-1, keepdim=True) + xhat * (g * xhat).mean(-1, keepdim=True)) / sigma
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "layer_statistics_summed")
def layer_back_sums(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out * gain
    grad_a = (g - g.sum(-1, keepdim=True) - xhat * (g * xhat).sum(-1, keepdim=True)) / sigma
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "examples_counted")
def layer_back_divides_by_batch(grad_out, a, gain, eps=1e-5):
    n, d = a.shape[0], gain.shape[0]
    sigma = torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out * gain
    grad_a = (n * g - g.sum(-1, keepdim=True) - xhat * (g * xhat).sum(-1, keepdim=True)) / (n * sigma)
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "layer_scale_forgotten")
def layer_back_no_sigma(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    xhat = F.layer_norm(a, gain.shape, eps=eps)
    g = grad_out * gain
    grad_a = g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True)
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "layer_scale_twice")
def layer_back_over_variance(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    var = a.var(-1, correction=0, keepdim=True) + eps
    xhat = F.layer_norm(a, gain.shape, eps=eps)
    g = grad_out * gain
    grad_a = (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True)) / var
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "unbiased_in_backward")
def layer_back_a_var(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = torch.sqrt(a.var(-1, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out * gain
    grad_a = (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True)) / sigma
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "unbiased_throughout")
def layer_back_through_var(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    leaf = a.clone().requires_grad_()
    xhat = (leaf - leaf.mean(-1, keepdim=True)) / torch.sqrt(leaf.var(-1, keepdim=True) + eps)
    xhat.backward(grad_out * gain)
    return leaf.grad, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "eps_outside_in_backward")
def layer_back_std_plus_eps(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    leaf = a.clone().requires_grad_()
    xhat = (leaf - leaf.mean(-1, keepdim=True)) / (leaf.std(-1, correction=0, keepdim=True) + eps)
    xhat.backward(grad_out * gain)
    return leaf.grad, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "eps_forgotten_in_backward")
def layer_back_no_eps(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = a.std(-1, correction=0, keepdim=True)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out * gain
    grad_a = (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True)) / sigma
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "eps_ignored_in_backward")
def layer_back_default_eps(grad_out, a, gain, eps=1e-5):
    leaf, g = a.clone().requires_grad_(), gain.clone().requires_grad_()
    b = torch.zeros_like(gain).requires_grad_()
    F.layer_norm(leaf, g.shape, g, b).backward(grad_out)
    return leaf.grad, g.grad, b.grad


@wrong("layer_norm_backward", "axis_1_in_layer_backward")
def layer_back_second_axis(grad_out, a, gain, eps=1e-5):
    d = gain.shape[0]
    sigma = torch.sqrt(a.var(1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(1, keepdim=True)) / sigma
    g = grad_out * gain
    grad_a = (g - g.mean(1, keepdim=True) - xhat * (g * xhat).mean(1, keepdim=True)) / sigma
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "gradient_averaged_over_the_batch")
def layer_back_averages_over_the_batch(grad_out, a, gain, eps=1e-5):
    sigma = torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)
    xhat = (a - a.mean(-1, keepdim=True)) / sigma
    g = grad_out * gain
    grad_a = (g - g.mean(0) - xhat * (g * xhat).mean(0)) / sigma
    d = gain.shape[0]
    return grad_a, (grad_out * xhat).reshape(-1, d).sum(0), grad_out.reshape(-1, d).sum(0)


@wrong("layer_norm_backward", "")
def layer_back_kept_dims(grad_out, a, gain, eps=1e-5):
    leaf, g = a.clone().requires_grad_(), gain.clone().requires_grad_()
    b = torch.zeros_like(gain).requires_grad_()
    F.layer_norm(leaf, g.shape, g, b, eps).backward(grad_out)
    return leaf.grad, g.grad[None], b.grad[None]


@wrong("layer_norm_backward", "")
def layer_back_sets_requires_grad(grad_out, a, gain, eps=1e-5):
    a.requires_grad_(), gain.requires_grad_()
    b = torch.zeros_like(gain).requires_grad_()
    return torch.autograd.grad(F.layer_norm(a, gain.shape, gain, b, eps), (a, gain, b), grad_out)


@wrong("layer_norm_backward", "")
def layer_back_grad_a_alone(grad_out, a, gain, eps=1e-5):
    leaf = a.clone().requires_grad_()
    return torch.autograd.grad(F.layer_norm(leaf, gain.shape, gain, None, eps), leaf, grad_out)[0]


@wrong("layer_norm_backward", "")
def layer_back_in_float32(grad_out, a, gain, eps=1e-5):
    leaves = [t.float().clone().requires_grad_() for t in (a, gain, torch.zeros_like(gain))]
    out = F.layer_norm(leaves[0], gain.shape, *leaves[1:], eps)
    return tuple(g.to(a.dtype) for g in torch.autograd.grad(out, leaves, grad_out.float()))


# removed_radial_part


@right("removed_radial_part")
def radial_quotient(grad_dot_v, v_sq):
    return grad_dot_v / v_sq


@right("removed_radial_part")
def radial_by_solving(grad_dot_v, v_sq):
    c = sp.Symbol("c")
    return sp.solve(sp.Eq(grad_dot_v - c * v_sq, 0), c)[0]


@right("removed_radial_part")
def radial_by_the_product_rule(grad_dot_v, v_sq):
    length, step = sp.symbols("length step", positive=True)
    along_v = sp.diff(1 / sp.sqrt(v_sq + step), step).subs(step, 0) * 2 * grad_dot_v
    return -along_v * sp.sqrt(v_sq)


@right("removed_radial_part")
def radial_by_cosine(grad_dot_v, v_sq):
    along_unit = grad_dot_v / sp.sqrt(v_sq)
    return along_unit / sp.sqrt(v_sq)


@wrong("removed_radial_part", "norm_for_squared_norm")
def radial_over_length(grad_dot_v, v_sq):
    return grad_dot_v / sp.sqrt(v_sq)


@wrong("removed_radial_part", "length_not_divided_out")
def radial_as_it_is(grad_dot_v, v_sq):
    return 1 * grad_dot_v


@wrong("removed_radial_part", "common_factor_left_in")
def radial_over_the_cube(grad_dot_v, v_sq):
    return grad_dot_v * v_sq ** sp.Rational(-3, 2)


@wrong("removed_radial_part", "minus_twice")
def radial_minus(grad_dot_v, v_sq):
    return -(grad_dot_v / v_sq)


@wrong("removed_radial_part", "squared_again")
def radial_fourth_power(grad_dot_v, v_sq):
    return grad_dot_v / (v_sq * v_sq)


@wrong("removed_radial_part", "two_of_the_square_left")
def radial_twice(grad_dot_v, v_sq):
    return grad_dot_v * sp.diff(sp.log(v_sq), v_sq) * 2


@wrong("removed_radial_part", "half_of_the_root_left")
def radial_half(grad_dot_v, v_sq):
    return grad_dot_v * sp.diff(sp.log(sp.sqrt(v_sq)), v_sq)


@wrong("removed_radial_part", "squared_length_of_the_part")
def radial_squared(grad_dot_v, v_sq):
    return (grad_dot_v / sp.sqrt(v_sq)) ** 2


@wrong("removed_radial_part", "fraction_upside_down")
def radial_inverse(grad_dot_v, v_sq):
    return 1 / (grad_dot_v / v_sq)


@wrong("removed_radial_part", "square_multiplied")
def radial_product(grad_dot_v, v_sq):
    return v_sq * grad_dot_v


@wrong("removed_radial_part", "nothing_removed")
def radial_zero(grad_dot_v, v_sq):
    return sp.Integer(0)


@wrong("removed_radial_part", "")
def radial_with_a_plus(grad_dot_v, v_sq):
    return grad_dot_v / (v_sq + 1)


# weight_norm


@right("weight_norm")
def weight_builtin(v, g):
    return torch._weight_norm(v, g.view(-1, *[1] * (v.ndim - 1)), 0)


@right("weight_norm")
def weight_by_parametrization(v, g):
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(1, 1, bias=False))
    s = (-1,) + (1,) * (v.ndim - 1)
    return layer.parametrizations.weight[0](g.reshape(s), v)


@right("weight_norm")
def weight_by_rows(v, g):
    return torch.stack([length * row / torch.sqrt((row * row).sum()) for row, length in zip(v, g)])


@right("weight_norm")
def weight_normalize(v, g):
    flat = F.normalize(v.flatten(1), dim=1, eps=0)
    return (flat * g[:, None]).reshape(v.shape)


@right("weight_norm")
def weight_einsum_in_double(v, g):
    flat = v.reshape(len(v), -1).double()
    square = torch.einsum("oi,oi->o", flat, flat)
    return torch.einsum("oi,o->oi", flat, g.double() * square**-0.5).reshape(v.shape).to(v.dtype)


@right("weight_norm")
def weight_diagonal(v, g):
    flat = v.flatten(1)
    return (torch.diag(g / torch.linalg.vector_norm(flat, dim=1)) @ flat).unflatten(1, v.shape[1:])


@wrong("weight_norm", "length_of_the_whole_tensor")
def weight_one_norm(v, g):
    return g.view(-1, *[1] * (v.ndim - 1)) * v / v.norm()


@wrong("weight_norm", "lengths_of_columns")
def weight_columns(v, g):
    return g.view(-1, *[1] * (v.ndim - 1)) * v / torch.sqrt((v**2).sum(0, keepdim=True))


@wrong("weight_norm", "lengths_over_axis_1")
def weight_normalize_default(v, g):
    return F.normalize(v) * g.view(-1, *[1] * (v.ndim - 1))


@wrong("weight_norm", "lengths_over_the_last_axis")
def weight_normalize_last(v, g):
    return F.normalize(v, dim=-1) * g.view(-1, *[1] * (v.ndim - 1))


@wrong("weight_norm", "unit_rows")
def weight_without_g(v, g):
    return F.normalize(v.flatten(1), dim=1).reshape(v.shape)


@wrong("weight_norm", "not_normalised")
def weight_g_times_v(v, g):
    return torch.einsum("o,o...->o...", g, v)


@wrong("weight_norm", "squared_lengths")
def weight_over_square(v, g):
    flat = v.flatten(1)
    return (g[:, None] * flat / (flat * flat).sum(1, keepdim=True)).reshape(v.shape)


@wrong("weight_norm", "g_on_the_last_axis")
def weight_plain_g(v, g):
    return g * v / v.flatten(1).norm(dim=1).view(-1, *[1] * (v.ndim - 1))


@wrong("weight_norm", "root_mean_square")
def weight_over_rms(v, g):
    flat = v.flatten(1)
    return (g[:, None] * flat / flat.square().mean(1, keepdim=True).sqrt()).reshape(v.shape)


@wrong("weight_norm", "spectral_norm")
def weight_over_spectral(v, g):
    flat = v.flatten(1)
    return (g[:, None] * flat / torch.linalg.norm(flat, 2)).reshape(v.shape)


@wrong("weight_norm", "absolute_sums")
def weight_over_l1(v, g):
    flat = v.flatten(1)
    return (g[:, None] * flat / flat.abs().sum(1, keepdim=True)).reshape(v.shape)


@wrong("weight_norm", "centred_rows")
def weight_standardised(v, g):
    flat = v.flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    return (g[:, None] * flat / flat.norm(dim=1, keepdim=True)).reshape(v.shape)


@wrong("weight_norm", "g_is_a_logarithm")
def weight_exp_g(v, g):
    flat = v.flatten(1)
    return (torch.exp(g)[:, None] * flat / flat.norm(dim=1, keepdim=True)).reshape(v.shape)


@wrong("weight_norm", "length_cut")
def weight_detached_length(v, g):
    flat = v.flatten(1)
    return (g[:, None] * flat / flat.detach().norm(dim=1, keepdim=True)).reshape(v.shape)


@wrong("weight_norm", "")
def weight_detached(v, g):
    flat = v.flatten(1)
    return (g[:, None] * flat / flat.norm(dim=1, keepdim=True)).reshape(v.shape).detach()


@wrong("weight_norm", "")
def weight_matrix_only(v, g):
    return g[:, None] * v / v.norm(dim=1, keepdim=True)


@wrong("weight_norm", "")
def weight_with_eps(v, g):
    flat = v.flatten(1)
    return (g[:, None] * flat / (flat.norm(dim=1, keepdim=True) + 1e-5)).reshape(v.shape)


@wrong("weight_norm", "")
def weight_view(v, g):
    flat = v.view(v.shape[0], -1)
    return (g[:, None] * flat / flat.norm(dim=1, keepdim=True)).view(v.shape)


@wrong("weight_norm", "")
def weight_in_place(v, g):
    v /= v.flatten(1).norm(dim=1).view(-1, *[1] * (v.ndim - 1))
    return v * g.view(-1, *[1] * (v.ndim - 1))


# weight_norm_backward


@right("weight_norm_backward")
def weight_back_autograd(grad_w, v, g):
    leaf, length = v.detach().clone().requires_grad_(), g.detach().clone().requires_grad_()
    flat = leaf.flatten(1)
    w = (length[:, None] * flat / flat.norm(dim=1, keepdim=True)).reshape(v.shape)
    return torch.autograd.grad(w, (leaf, length), grad_w)


@right("weight_norm_backward")
def weight_back_by_the_paper(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    dg = (dw * flat).sum(1, keepdim=True) / norm
    dv = g[:, None] / norm * dw - g[:, None] * dg / norm**2 * flat
    return dv.reshape(v.shape), dg[:, 0]


@right("weight_norm_backward")
def weight_back_projector(grad_w, v, g):
    grad_v, grad_g = torch.empty_like(v), torch.empty_like(g)
    for o in range(len(v)):
        row, dw = v[o].reshape(-1).double(), grad_w[o].reshape(-1).double()
        unit = row / row.norm()
        projector = torch.eye(len(row), dtype=torch.float64) - torch.outer(unit, unit)
        grad_v[o] = (g[o].double() / row.norm() * projector @ dw).reshape(v[o].shape).to(v.dtype)
        grad_g[o] = (unit @ dw).to(g.dtype)
    return grad_v, grad_g


@right("weight_norm_backward")
def weight_back_unit_einsum(grad_w, v, g):
    dims = tuple(range(1, v.ndim))
    inverse = torch.linalg.vector_norm(v, dim=dims) ** -1
    unit = torch.einsum("o...,o->o...", v, inverse)
    grad_g = (grad_w * unit).sum(dims)
    tangent = grad_w - torch.einsum("o,o...->o...", grad_g, unit)
    return torch.einsum("o...,o->o...", tangent, g * inverse), grad_g


@right("weight_norm_backward")
def weight_back_vjp(grad_w, v, g):
    s = (-1,) + (1,) * (v.ndim - 1)

    def forward(v, g):
        return g.view(s) * v / v.square().flatten(1).sum(1).sqrt().view(s)

    return torch.autograd.functional.vjp(forward, (v, g), grad_w)[1]


@wrong("weight_norm_backward", "radial_part_kept")
def weight_back_direct(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    return (g[:, None] * dw / norm).reshape(v.shape), (dw * flat / norm).sum(1)


@wrong("weight_norm_backward", "radial_part_added")
def weight_back_plus(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    dot = (dw * flat).sum(1, keepdim=True)
    return (g[:, None] / norm * (dw + dot / norm**2 * flat)).reshape(v.shape), (dot / norm)[:, 0]


@wrong("weight_norm_backward", "radial_part_not_divided")
def weight_back_bare_dot(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    dot = (dw * flat).sum(1, keepdim=True)
    return (g[:, None] / norm * (dw - dot * flat)).reshape(v.shape), (dot / norm)[:, 0]


@wrong("weight_norm_backward", "radial_part_divided_once")
def weight_back_dot_over_norm(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    dot = (dw * flat).sum(1, keepdim=True) / norm
    return (g[:, None] / norm * (dw - dot * flat)).reshape(v.shape), dot[:, 0]


@wrong("weight_norm_backward", "radial_part_times_g")
def weight_back_dot_with_w(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    w = g[:, None] * flat / norm
    radial = (dw * w).sum(1, keepdim=True) * flat / norm
    return (g[:, None] / norm * (dw - radial)).reshape(v.shape), (dw * flat / norm).sum(1)


@wrong("weight_norm_backward", "radial_part_alone")
def weight_back_radial(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    dot = (dw * flat).sum(1, keepdim=True)
    return (g[:, None] / norm**3 * dot * flat).reshape(v.shape), (dot / norm)[:, 0]


@wrong("weight_norm_backward", "one_radial_part")
def weight_back_whole_dot(grad_w, v, g):
    s = (-1,) + (1,) * (v.ndim - 1)
    norm = v.flatten(1).norm(dim=1)
    radial = (grad_w * v).sum() / (v * v).sum() * v
    return (g / norm).view(s) * (grad_w - radial), (grad_w * v).flatten(1).sum(1) / norm


@wrong("weight_norm_backward", "factor_forgotten")
def weight_back_projection_only(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    unit = flat / flat.norm(dim=1, keepdim=True)
    dot = (dw * unit).sum(1, keepdim=True)
    return (dw - dot * unit).reshape(v.shape), dot[:, 0]


@wrong("weight_norm_backward", "g_missing")
def weight_back_without_g(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    unit = flat / norm
    dot = (dw * unit).sum(1, keepdim=True)
    return ((dw - dot * unit) / norm).reshape(v.shape), dot[:, 0]


@wrong("weight_norm_backward", "length_missing")
def weight_back_without_length(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    unit = flat / flat.norm(dim=1, keepdim=True)
    dot = (dw * unit).sum(1, keepdim=True)
    return (g[:, None] * (dw - dot * unit)).reshape(v.shape), dot[:, 0]


@wrong("weight_norm_backward", "length_twice")
def weight_back_squared_length(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    unit = flat / norm
    dot = (dw * unit).sum(1, keepdim=True)
    return (g[:, None] * (dw - dot * unit) / norm**2).reshape(v.shape), dot[:, 0]


@wrong("weight_norm_backward", "grad_g_with_v")
def weight_back_g_from_v(grad_w, v, g):
    leaf = v.clone().requires_grad_()
    torch._weight_norm(leaf, g.view(-1, *[1] * (v.ndim - 1)), 0).backward(grad_w)
    return leaf.grad, (grad_w * v).flatten(1).sum(1)


@wrong("weight_norm_backward", "grad_g_with_w")
def weight_back_g_from_w(grad_w, v, g):
    leaf = v.clone().requires_grad_()
    w = torch._weight_norm(leaf, g.view(-1, *[1] * (v.ndim - 1)), 0)
    w.backward(grad_w)
    return leaf.grad, (grad_w * w).flatten(1).sum(1)


@wrong("weight_norm_backward", "grad_g_over_squared_length")
def weight_back_g_over_square(grad_w, v, g):
    leaf = v.clone().requires_grad_()
    torch._weight_norm(leaf, g.view(-1, *[1] * (v.ndim - 1)), 0).backward(grad_w)
    return leaf.grad, (grad_w * v).flatten(1).sum(1) / v.flatten(1).square().sum(1)


@wrong("weight_norm_backward", "grad_g_averaged")
def weight_back_g_mean(grad_w, v, g):
    leaf = v.clone().requires_grad_()
    torch._weight_norm(leaf, g.view(-1, *[1] * (v.ndim - 1)), 0).backward(grad_w)
    return leaf.grad, (grad_w.flatten(1) * F.normalize(v.flatten(1))).mean(1)


@wrong("weight_norm_backward", "whole_tensor_in_backward")
def weight_back_one_norm(grad_w, v, g):
    leaf, length = v.clone().requires_grad_(), g.clone().requires_grad_()
    w = length.view(-1, *[1] * (v.ndim - 1)) * leaf / leaf.norm()
    return torch.autograd.grad(w, (leaf, length), grad_w)


@wrong("weight_norm_backward", "columns_in_backward")
def weight_back_columns(grad_w, v, g):
    leaf, length = v.clone().requires_grad_(), g.clone().requires_grad_()
    w = length.view(-1, *[1] * (v.ndim - 1)) * leaf / leaf.norm(dim=0, keepdim=True)
    return torch.autograd.grad(w, (leaf, length), grad_w)


@wrong("weight_norm_backward", "axis_1_in_backward")
def weight_back_normalize(grad_w, v, g):
    leaf, length = v.clone().requires_grad_(), g.clone().requires_grad_()
    w = F.normalize(leaf) * length.view(-1, *[1] * (v.ndim - 1))
    return torch.autograd.grad(w, (leaf, length), grad_w)


@wrong("weight_norm_backward", "last_axis_in_backward")
def weight_back_last_axis(grad_w, v, g):
    leaf, length = v.clone().requires_grad_(), g.clone().requires_grad_()
    w = F.normalize(leaf, dim=-1) * length.view(-1, *[1] * (v.ndim - 1))
    return torch.autograd.grad(w, (leaf, length), grad_w)


@wrong("weight_norm_backward", "")
def weight_back_swapped(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    dot = (dw * flat).sum(1, keepdim=True) / norm
    return dot[:, 0], (g[:, None] / norm * (dw - dot * flat / norm)).reshape(v.shape)


@wrong("weight_norm_backward", "")
def weight_back_g_kept(grad_w, v, g):
    flat, dw = v.flatten(1), grad_w.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    dot = (dw * flat).sum(1, keepdim=True) / norm
    return (g[:, None] / norm * (dw - dot * flat / norm)).reshape(v.shape), dot


@wrong("weight_norm_backward", "")
def weight_back_sign_of_g(grad_w, v, g):
    leaf, length = v.clone().requires_grad_(), g.abs().requires_grad_()
    w = torch._weight_norm(leaf, length.view(-1, *[1] * (v.ndim - 1)), 0)
    return torch.autograd.grad(w, (leaf, length), grad_w)


@wrong("weight_norm_backward", "")
def weight_back_touches_grad(grad_w, v, g):
    v.requires_grad_(), g.requires_grad_()
    torch._weight_norm(v, g.view(-1, *[1] * (v.ndim - 1)), 0).backward(grad_w)
    return v.grad, g.grad


# group_norm


@right("group_norm")
def group_builtin(x, groups, gamma, beta, eps=1e-5):
    return F.group_norm(x, groups, gamma, beta, eps)


@right("group_norm")
def group_by_reshape(x, groups, gamma, beta, eps=1e-5):
    n, c, *space = x.shape
    cells = x.reshape(n, groups, c // groups * math.prod(space))
    mean = cells.mean(2, keepdim=True)
    var = ((cells - mean) ** 2).mean(2, keepdim=True)
    xhat = ((cells - mean) / (var + eps) ** 0.5).reshape(n, c, -1)
    return (xhat * gamma[:, None] + beta[:, None]).reshape(x.shape)


@right("group_norm")
def group_by_loops(x, groups, gamma, beta, eps=1e-5):
    size = x.shape[1] // groups
    examples = []
    for example in x:
        channels = []
        for start in range(0, x.shape[1], size):
            block = example[start:start + size]
            xhat = (block - block.mean()) / torch.sqrt(block.var(correction=0) + eps)
            channels += [gamma[start + k] * xhat[k] + beta[start + k] for k in range(size)]
        examples.append(torch.stack(channels))
    return torch.stack(examples)


@right("group_norm")
def group_by_layer_norm(x, groups, gamma, beta, eps=1e-5):
    blocks = [F.layer_norm(b, b.shape[1:], eps=eps) for b in x.chunk(groups, dim=1)]
    return (torch.cat(blocks, dim=1).movedim(1, -1) * gamma + beta).movedim(-1, 1)


@right("group_norm")
def group_in_double(x, groups, gamma, beta, eps=1e-5):
    cells = x.double().unflatten(1, (groups, -1)).flatten(2)
    centred = cells - torch.einsum("ngk->ng", cells)[..., None] / cells.shape[2]
    power = torch.einsum("ngk,ngk->ng", centred, centred) / cells.shape[2]
    xhat = (centred * torch.rsqrt(power + eps)[..., None]).reshape(x.shape)
    s = (-1,) + (1,) * (x.ndim - 2)
    return torch.addcmul(beta.double().view(s), xhat, gamma.double().view(s)).to(x.dtype)


@wrong("group_norm", "groups_is_the_size")
def group_size_given(x, groups, gamma, beta, eps=1e-5):
    return F.group_norm(x, x.shape[1] // groups, gamma, beta, eps)


@wrong("group_norm", "interleaved_groups")
def group_strided(x, groups, gamma, beta, eps=1e-5):
    y = torch.zeros_like(x)
    s = (1, -1) + (1,) * (x.ndim - 2)
    for k in range(groups):
        block = x[:, k::groups]
        y[:, k::groups] = F.layer_norm(block, block.shape[1:], eps=eps)
    return y * gamma.view(s) + beta.view(s)


@wrong("group_norm", "interleaved_groups")
def group_wrong_reshape(x, groups, gamma, beta, eps=1e-5):
    n, c = x.shape[:2]
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.reshape(n, c // groups, groups, -1)
    mean, var = cells.mean((1, 3), keepdim=True), cells.var((1, 3), correction=0, keepdim=True)
    return ((cells - mean) / torch.sqrt(var + eps)).reshape(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "group_over_the_batch")
def group_with_batch(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.reshape(x.shape[0], groups, -1)
    xhat = F.batch_norm(cells, None, None, None, None, True, 0.1, eps)
    return xhat.reshape(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "channels_apart")
def group_is_instance_norm(x, groups, gamma, beta, eps=1e-5):
    return F.instance_norm(x, weight=gamma, bias=beta, eps=eps)


@wrong("group_norm", "channels_together")
def group_is_layer_norm(x, groups, gamma, beta, eps=1e-5):
    return F.group_norm(x, 1, gamma, beta, eps)


@wrong("group_norm", "group_positions_apart")
def group_forgets_space(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    mean, var = cells.mean(2, keepdim=True), cells.var(2, correction=0, keepdim=True)
    return ((cells - mean) / torch.sqrt(var + eps)).reshape(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "group_parameters_on_the_last_axis")
def group_plain_broadcast(x, groups, gamma, beta, eps=1e-5):
    return F.group_norm(x, groups, eps=eps) * gamma + beta


@wrong("group_norm", "group_affine_forgotten")
def group_bare(x, groups, gamma, beta, eps=1e-5):
    return F.group_norm(x, groups, eps=eps)


@wrong("group_norm", "group_beta_scaled_too")
def group_beta_inside(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    return gamma.view(s) * (F.group_norm(x, groups, eps=eps) + beta.view(s))


@wrong("group_norm", "group_eps_outside")
def group_std_plus_eps(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.reshape(x.shape[0], groups, -1)
    xhat = (cells - cells.mean(-1, keepdim=True)) / (cells.std(-1, correction=0, keepdim=True) + eps)
    return xhat.reshape(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "group_unbiased")
def group_x_var(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.reshape(x.shape[0], groups, -1)
    xhat = (cells - cells.mean(-1, keepdim=True)) / torch.sqrt(cells.var(-1, keepdim=True) + eps)
    return xhat.reshape(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "group_eps_forgotten")
def group_no_eps(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.reshape(x.shape[0], groups, -1)
    xhat = (cells - cells.mean(-1, keepdim=True)) / cells.std(-1, correction=0, keepdim=True)
    return xhat.reshape(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "group_eps_ignored")
def group_default_eps(x, groups, gamma, beta, eps=1e-5):
    return F.group_norm(x, groups, gamma, beta)


@wrong("group_norm", "group_variance_for_deviation")
def group_over_variance(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.reshape(x.shape[0], groups, -1)
    xhat = (cells - cells.mean(-1, keepdim=True)) / (cells.var(-1, correction=0, keepdim=True) + eps)
    return xhat.reshape(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "group_statistics_cut")
def group_no_grad(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.reshape(x.shape[0], groups, -1)
    with torch.no_grad():
        var, mean = torch.var_mean(cells, -1, correction=0, keepdim=True)
    return ((cells - mean) / torch.sqrt(var + eps)).reshape(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "")
def group_view(x, groups, gamma, beta, eps=1e-5):
    n, c = x.shape[:2]
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.view(n, groups, -1)
    return F.layer_norm(cells, cells.shape[2:], eps=eps).view(x.shape) * gamma.view(s) + beta.view(s)


@wrong("group_norm", "")
def group_images_only(x, groups, gamma, beta, eps=1e-5):
    n, c, h, w = x.shape
    return F.group_norm(x, groups, gamma, beta, eps)


@wrong("group_norm", "")
def group_written_into_an_empty_tensor(x, groups, gamma, beta, eps=1e-5):
    y = F.group_norm(x, groups, gamma, beta, eps)
    out = torch.empty(x.shape, dtype=x.dtype)
    out.data.copy_(y.data)
    return out


@wrong("group_norm", "")
def group_wrong_layout(x, groups, gamma, beta, eps=1e-5):
    s = (1, -1) + (1,) * (x.ndim - 2)
    cells = x.transpose(1, -1).reshape(x.shape[0], groups, -1)
    return F.layer_norm(cells, cells.shape[2:], eps=eps).reshape(x.shape) * gamma.view(s) + beta.view(s)


# instance_norm


@right("instance_norm")
def instance_builtin(x, eps=1e-5):
    return F.instance_norm(x, eps=eps)


@right("instance_norm")
def instance_by_flatten(x, eps=1e-5):
    flat = x.flatten(2)
    centred = flat - flat.mean(2, keepdim=True)
    return (centred / (centred.square().mean(2, keepdim=True) + eps).sqrt()).unflatten(2, x.shape[2:])


@right("instance_norm")
def instance_is_group_norm(x, eps=1e-5):
    return F.group_norm(x, x.shape[1], eps=eps)


@right("instance_norm")
def instance_by_loops(x, eps=1e-5):
    planes = [[(p - p.mean()) / ((p - p.mean()).square().mean() + eps) ** 0.5 for p in image] for image in x]
    return torch.stack([torch.stack(channels) for channels in planes])


@right("instance_norm")
def instance_is_layer_norm_of_planes(x, eps=1e-5):
    return F.layer_norm(x, x.shape[2:], eps=eps)


@right("instance_norm")
def instance_in_double(x, eps=1e-5):
    flat = x.double().reshape(len(x), x.shape[1], -1)
    mean = torch.einsum("ncl->nc", flat) / flat.shape[2]
    power = torch.einsum("ncl,ncl->nc", flat, flat) / flat.shape[2]
    scale = (power - mean**2 + eps) ** -0.5
    return ((flat - mean[..., None]) * scale[..., None]).reshape(x.shape).to(x.dtype)


@wrong("instance_norm", "instance_over_the_batch")
def instance_is_batch_norm(x, eps=1e-5):
    return F.batch_norm(x, None, None, None, None, True, 0.1, eps)


@wrong("instance_norm", "instance_over_the_channels")
def instance_is_layer_norm(x, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], eps=eps)


@wrong("instance_norm", "instance_at_each_position")
def instance_axis_1(x, eps=1e-5):
    mean, var = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + eps)


@wrong("instance_norm", "instance_over_the_last_axis")
def instance_last_axis(x, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], eps=eps)


@wrong("instance_norm", "instance_unbiased")
def instance_style_transfer(x, eps=1e-5):
    flat = x.flatten(2)
    std = (flat.var(2) + eps).sqrt()
    return ((flat - flat.mean(2)[..., None]) / std[..., None]).reshape(x.shape)


@wrong("instance_norm", "instance_eps_outside")
def instance_std_plus_eps(x, eps=1e-5):
    flat = x.flatten(2)
    std, mean = torch.std_mean(flat, 2, correction=0, keepdim=True)
    return ((flat - mean) / (std + eps)).reshape(x.shape)


@wrong("instance_norm", "instance_unbiased_eps_outside")
def instance_std_default_plus_eps(x, eps=1e-5):
    flat = x.flatten(2)
    return ((flat - flat.mean(2, keepdim=True)) / (flat.std(2, keepdim=True) + eps)).reshape(x.shape)


@wrong("instance_norm", "instance_eps_forgotten")
def instance_no_eps(x, eps=1e-5):
    flat = x.flatten(2)
    std, mean = torch.std_mean(flat, 2, correction=0, keepdim=True)
    return ((flat - mean) / std).reshape(x.shape)


@wrong("instance_norm", "instance_eps_ignored")
def instance_default_eps(x, eps=1e-5):
    return F.instance_norm(x)


@wrong("instance_norm", "instance_variance_for_deviation")
def instance_over_variance(x, eps=1e-5):
    flat = x.flatten(2)
    var, mean = torch.var_mean(flat, 2, correction=0, keepdim=True)
    return ((flat - mean) / (var + eps)).reshape(x.shape)


@wrong("instance_norm", "instance_only_centred")
def instance_centres(x, eps=1e-5):
    flat = x.flatten(2)
    return (flat - flat.mean(2, keepdim=True)).reshape(x.shape)


@wrong("instance_norm", "instance_statistics_cut")
def instance_of_detached(x, eps=1e-5):
    flat = x.flatten(2)
    var, mean = torch.var_mean(flat.detach(), 2, correction=0, keepdim=True)
    return ((flat - mean) / torch.sqrt(var + eps)).reshape(x.shape)


@wrong("instance_norm", "")
def instance_not_centred(x, eps=1e-5):
    flat = x.flatten(2)
    return (flat * torch.rsqrt(flat.square().mean(2, keepdim=True) + eps)).reshape(x.shape)


@wrong("instance_norm", "")
def instance_two_axes(x, eps=1e-5):
    mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + eps)


@wrong("instance_norm", "")
def instance_last_two_axes(x, eps=1e-5):
    mean, var = x.mean((-2, -1), keepdim=True), x.var((-2, -1), correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + eps)


@wrong("instance_norm", "")
def instance_keeps_the_batch_of_one(x, eps=1e-5):
    return F.batch_norm(x, None, None, None, None, True, 0.1, eps) if len(x) == 1 else x.clone()


@wrong("instance_norm", "")
def instance_detached(x, eps=1e-5):
    return F.instance_norm(x, eps=eps).data


# rms_norm


@right("rms_norm")
def rms_builtin(a, gain, eps=1e-6):
    return F.rms_norm(a, (len(gain),), gain, eps)


@right("rms_norm")
def rms_rsqrt(a, gain, eps=1e-6):
    return a * torch.rsqrt(a.pow(2).mean(dim=-1, keepdim=True) + eps) * gain


@right("rms_norm")
def rms_by_length(a, gain, eps=1e-6):
    d = a.shape[-1]
    length = torch.sqrt(a.square().sum(-1, keepdim=True) + d * eps)
    return gain * d**0.5 * a / length


@right("rms_norm")
def rms_by_rows(a, gain, eps=1e-6):
    rows = [row / torch.sqrt(torch.dot(row, row) / len(row) + eps) for row in a.reshape(-1, a.shape[-1])]
    return torch.stack(rows).reshape(a.shape) * gain


@right("rms_norm")
def rms_einsum_in_double(a, gain, eps=1e-6):
    wide = a.double()
    power = torch.einsum("...i,...i->...", wide, wide) / a.shape[-1]
    return torch.einsum("...i,...,i->...i", wide, (power + eps) ** -0.5, gain.double()).to(a.dtype)


@right("rms_norm")
def rms_with_the_mean_put_back(a, gain, eps=1e-6):
    var, mean = torch.var_mean(a, -1, correction=0, keepdim=True)
    return gain * a / torch.sqrt(var + mean**2 + eps)


@wrong("rms_norm", "rms_centred")
def rms_minus_mean(a, gain, eps=1e-6):
    centred = a - a.mean(-1, keepdim=True)
    return gain * centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + eps)


@wrong("rms_norm", "deviation_for_rms")
def rms_over_std(a, gain, eps=1e-6):
    return gain * a / torch.sqrt(a.var(-1, correction=0, keepdim=True) + eps)


@wrong("rms_norm", "rms_eps_outside")
def rms_plus_eps(a, gain, eps=1e-6):
    return gain * a / (a.square().mean(-1, keepdim=True).sqrt() + eps)


@wrong("rms_norm", "length_for_rms")
def rms_over_length(a, gain, eps=1e-6):
    return gain * a / torch.sqrt((a * a).sum(-1, keepdim=True) + eps)


@wrong("rms_norm", "rms_eps_forgotten")
def rms_no_eps(a, gain, eps=1e-6):
    return gain * a / (a**2).mean(-1, keepdim=True) ** 0.5


@wrong("rms_norm", "rms_eps_ignored")
def rms_default_eps(a, gain, eps=1e-6):
    return F.rms_norm(a, gain.shape, gain, 1e-6)


@wrong("rms_norm", "layer_norm_default")
def rms_default_of_layer_norm(a, gain, eps=1e-5):
    return F.rms_norm(a, gain.shape, gain, eps)


@wrong("rms_norm", "mean_square_for_root")
def rms_over_mean_square(a, gain, eps=1e-6):
    return gain * a / ((a**2).mean(-1, keepdim=True) + eps)


@wrong("rms_norm", "rms_gain_forgotten")
def rms_bare(a, gain, eps=1e-6):
    return F.rms_norm(a, gain.shape, eps=eps)


@wrong("rms_norm", "rms_gain_from_one")
def rms_zero_centred_gain(a, gain, eps=1e-6):
    out = F.rms_norm(a, gain.shape, eps=eps)
    return out * (1.0 + gain)


@wrong("rms_norm", "rms_over_the_batch")
def rms_axis_0(a, gain, eps=1e-6):
    return gain * a / torch.sqrt(a.square().mean(0) + eps)


@wrong("rms_norm", "rms_over_whole_examples")
def rms_of_shape_1(a, gain, eps=1e-6):
    return F.rms_norm(a, a.shape[1:], eps=eps) * gain


@wrong("rms_norm", "rms_over_axis_1")
def rms_second_axis(a, gain, eps=1e-6):
    return gain * a / torch.sqrt(a.square().mean(1, keepdim=True) + eps)


@wrong("rms_norm", "rms_over_everything")
def rms_without_axis(a, gain, eps=1e-6):
    return gain * a / (a.square().mean() + eps).sqrt()


@wrong("rms_norm", "rms_cut")
def rms_no_grad(a, gain, eps=1e-6):
    with torch.no_grad():
        rms = (a.square().mean(-1, keepdim=True) + eps).sqrt()
    return gain * a / rms


@wrong("rms_norm", "")
def rms_llama_in_float64(a, gain, eps=1e-6):
    wide = a.float()
    return gain * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).type_as(a)


@wrong("rms_norm", "")
def rms_unbiased(a, gain, eps=1e-6):
    d = a.shape[-1]
    return gain * a / torch.sqrt(a.square().sum(-1, keepdim=True) / (d - 1) + eps)


@wrong("rms_norm", "")
def rms_detached(a, gain, eps=1e-6):
    return F.rms_norm(a, gain.shape, gain, eps).detach()


@wrong("rms_norm", "machine_epsilon")
def rms_machine_eps(a, gain, eps=1e-6):
    return F.rms_norm(a, gain.shape, gain)
