"""Bank of chapter 00: right alternatives and wrong implementations."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# vjp_linear


@right("vjp_linear")
def two_products(grad_out, x, w):
    return torch.mm(grad_out, w), torch.mm(grad_out.t(), x)


@right("vjp_linear")
def by_einsum(grad_out, x, w):
    return torch.einsum("no,oi->ni", grad_out, w), torch.einsum("no,ni->oi", grad_out, x)


@right("vjp_linear")
def example_by_example(grad_out, x, w):
    grad_x, grad_w = torch.empty_like(x), torch.zeros_like(w)
    for n in range(len(x)):
        for o in range(len(w)):
            grad_w[o] += grad_out[n, o] * x[n]
        grad_x[n] = (grad_out[n][:, None] * w).sum(0)
    return grad_x, grad_w


@right("vjp_linear")
def by_autograd(grad_out, x, w):
    a, b = x.detach().clone().requires_grad_(), w.detach().clone().requires_grad_()
    (a @ b.T).backward(grad_out)
    return a.grad, b.grad


@right("vjp_linear")
def by_numpy(grad_out, x, w):
    g = grad_out.numpy()
    return torch.from_numpy(g.dot(w.numpy())), torch.from_numpy(g.T.dot(x.numpy()))


@right("vjp_linear")
def outer_products_in_float64(grad_out, x, w):
    g = grad_out.double()
    outer = g.unsqueeze(2) * x.double().unsqueeze(1)
    return (g.unsqueeze(2) * w.double()).sum(1).to(x.dtype), outer.sum(0).to(w.dtype)


@wrong("vjp_linear", "averaged_over_the_batch")
def weight_averaged(grad_out, x, w):
    return grad_out @ w, grad_out.T @ x / x.shape[0]


@wrong("vjp_linear", "averaged_over_the_batch")
def both_averaged(grad_out, x, w):
    return grad_out @ w / len(x), (grad_out[:, :, None] * x[:, None, :]).mean(0)


@wrong("vjp_linear", "weight_gradient_transposed")
def in_by_out(grad_out, x, w):
    return grad_out @ w, x.T @ grad_out


@wrong("vjp_linear", "layer_without_transpose")
def weight_in_by_out(grad_out, x, w):
    return grad_out @ w.T, x.T @ grad_out


@wrong("vjp_linear", "layer_without_transpose")
def weight_transposed_in_grad_x(grad_out, x, w):
    return grad_out @ w.T, grad_out.T @ x


@wrong("vjp_linear", "upstream_not_transposed")
def product_as_it_stands(grad_out, x, w):
    return grad_out @ w, grad_out @ x


@wrong("vjp_linear", "wrong_order")
def weight_first(grad_out, x, w):
    return grad_out.T @ x, grad_out @ w


@wrong("vjp_linear", "upstream_ignored")
def sums_of_factors(grad_out, x, w):
    return w.sum(0).expand_as(x).clone(), x.sum(0).expand_as(w).clone()


@wrong("vjp_linear", "own_factor")
def factors_kept(grad_out, x, w):
    return grad_out @ x, grad_out.T @ w


@wrong("vjp_linear", "one_for_each_example")
def batch_not_summed(grad_out, x, w):
    return grad_out @ w, torch.einsum("no,ni->noi", grad_out, x)


@wrong("vjp_linear", "averaged_over_all_entries")
def mean_of_outputs(grad_out, x, w):
    n, o = grad_out.shape
    return grad_out @ w / (n * o), grad_out.T @ x / (n * o)


@wrong("vjp_linear", "downhill")
def with_minus(grad_out, x, w):
    return -(grad_out @ w), -(grad_out.T @ x)


@wrong("vjp_linear", "")
def float32_always(grad_out, x, w):
    return (grad_out.float() @ w.float()), (grad_out.float().T @ x.float())


@wrong("vjp_linear", "")
def writes_gradients_into_x(grad_out, x, w):
    x.requires_grad_()
    w.requires_grad_()
    (x @ w.T).backward(grad_out)
    return x.grad, w.grad


@wrong("vjp_linear", "")
def only_the_weight(grad_out, x, w):
    return grad_out.T @ x


@wrong("vjp_linear", "")
def last_example_only(grad_out, x, w):
    grad_w = torch.zeros_like(w)
    for g, row in zip(grad_out, x):
        grad_w = torch.outer(g, row)
    return grad_out @ w, grad_w


@wrong("vjp_linear", "")
def grad_x_summed(grad_out, x, w):
    return (grad_out @ w).sum(0), grad_out.T @ x


# vjp_relu


@right("vjp_relu")
def masked(grad_out, x):
    return grad_out * (x > 0).to(grad_out.dtype)


@right("vjp_relu")
def where(grad_out, x):
    return torch.where(x > 0, grad_out, torch.zeros_like(grad_out))


@right("vjp_relu")
def copy_and_clear(grad_out, x):
    grad = grad_out.clone()
    grad[x <= 0] = 0
    return grad


@right("vjp_relu")
def from_the_graph(grad_out, x):
    leaf = x.detach().clone().requires_grad_()
    F.relu(leaf).backward(grad_out)
    return leaf.grad


@right("vjp_relu")
def in_numpy(grad_out, x):
    return torch.from_numpy(np.asarray(np.heaviside(x.numpy(), 0) * grad_out.numpy()))


@right("vjp_relu")
def entry_by_entry(grad_out, x):
    pairs = zip(grad_out.flatten().tolist(), x.flatten().tolist())
    return torch.tensor([g if v > 0 else 0.0 for g, v in pairs], dtype=x.dtype).reshape(x.shape)


@wrong("vjp_relu", "passes_at_zero")
def greater_or_equal(grad_out, x):
    return grad_out * (x >= 0)


@wrong("vjp_relu", "half_at_zero")
def heaviside_half(grad_out, x):
    return grad_out * torch.heaviside(x, torch.tensor(0.5, dtype=x.dtype))


@wrong("vjp_relu", "gate_on_the_gradient")
def clamps_the_gradient(grad_out, x):
    return grad_out.clamp(min=0)


@wrong("vjp_relu", "two_gates")
def guided(grad_out, x):
    return grad_out * (x > 0) * (grad_out > 0)


@wrong("vjp_relu", "value_for_slope")
def times_the_output(grad_out, x):
    return grad_out * x.clamp(min=0)


@wrong("vjp_relu", "slope_alone")
def the_mask(grad_out, x):
    return (x > 0).to(x.dtype)


@wrong("vjp_relu", "gate_reversed")
def zero_where_positive(grad_out, x):
    grad = grad_out.clone()
    grad[x > 0] = 0
    return grad


@wrong("vjp_relu", "no_gate")
def identity(grad_out, x):
    return grad_out


@wrong("vjp_relu", "leaky")
def one_hundredth(grad_out, x):
    return torch.where(x > 0, grad_out, 0.01 * grad_out)


@wrong("vjp_relu", "forwards")
def relu_of_x(grad_out, x):
    return torch.maximum(x, torch.zeros_like(x))


@wrong("vjp_relu", "")
def clears_in_place(grad_out, x):
    grad_out[x <= 0] = 0
    return grad_out


@wrong("vjp_relu", "")
def flattened(grad_out, x):
    return (grad_out * (x > 0)).flatten()


@wrong("vjp_relu", "")
def in_single_precision(grad_out, x):
    return (grad_out * (x > 0)).float()


@wrong("vjp_relu", "")
def quotient_of_outputs(grad_out, x):
    return grad_out * (torch.relu(x) / x)


@wrong("vjp_relu", "")
def soft_gate(grad_out, x):
    return grad_out * torch.sigmoid(10 * x)


# numerical_gradient


@right("numerical_gradient")
def unit_vectors(f, x, h=1e-5):
    grad = torch.zeros(x.numel(), dtype=x.dtype)
    for i in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[i] = h
        step = step.reshape(x.shape)
        grad[i] = (f(x + step) - f(x - step)) / (2 * h)
    return grad.reshape(x.shape)


@right("numerical_gradient")
def ndindex_on_clones(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        ahead, behind = x.clone(), x.clone()
        ahead[index] += h
        behind[index] -= h
        grad[index] = (float(f(ahead)) - float(f(behind))) / (2 * h)
    return grad


@right("numerical_gradient")
def rows_of_the_identity(f, x, h=1e-5):
    steps = h * torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
    values = [float(f(x + s)) - float(f(x - s)) for s in steps]
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape) / (2 * h)


@right("numerical_gradient")
def in_numpy(f, x, h=1e-5):
    flat = x.detach().numpy().ravel()
    grad = np.empty(flat.size)
    for i in range(flat.size):
        high, low = flat.copy(), flat.copy()
        high[i] += h
        low[i] -= h
        grad[i] = float(f(torch.from_numpy(high.reshape(x.shape)))) - float(f(torch.from_numpy(low.reshape(x.shape))))
    return torch.from_numpy((grad / h / 2).reshape(x.shape))


@right("numerical_gradient")
def mean_of_forward_and_backward(f, x, h=1e-5):
    here, grad = float(f(x.clone())), []
    for mask in torch.eye(x.numel(), dtype=torch.bool):
        mask = mask.reshape(x.shape)
        forward = float(f(torch.where(mask, x + h, x))) - here
        backward = here - float(f(torch.where(mask, x - h, x)))
        grad.append((forward + backward) / (2 * h))
    return torch.tensor(grad, dtype=torch.float64).reshape(x.shape)


@wrong("numerical_gradient", "forward_difference")
def one_sided(f, x, h=1e-5):
    here = float(f(x.clone()))
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        ahead = x.clone()
        ahead[index] += h
        grad[index] = (float(f(ahead)) - here) / h
    return grad


@wrong("numerical_gradient", "backward_difference")
def looking_back(f, x, h=1e-5):
    here = float(f(x.clone()))
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        behind = x.clone()
        behind[index] -= h
        grad[index] = (here - float(f(behind))) / h
    return grad


@wrong("numerical_gradient", "divided_by_h")
def two_forgotten(f, x, h=1e-5):
    steps = h * torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
    return torch.tensor([(float(f(x + s)) - float(f(x - s))) / h for s in steps], dtype=x.dtype).reshape(x.shape)


@wrong("numerical_gradient", "x_changed_in_between")
def restores_x(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        old = x[index].item()
        x[index] = old + h
        ahead = float(f(x))
        x[index] = old - h
        behind = float(f(x))
        x[index] = old
        grad[index] = (ahead - behind) / (2 * h)
    return grad


@wrong("numerical_gradient", "argument_used_again")
def one_buffer(f, x, h=1e-5):
    buffer, grad = x.clone(), torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        old = buffer[index].item()
        buffer[index] = old + h
        ahead = f(buffer)
        buffer[index] = old - h
        behind = f(buffer)
        buffer[index] = old
        grad[index] = (ahead - behind) / (2 * h)
    return grad


@wrong("numerical_gradient", "argument_used_again")
def clone_for_each_entry(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        moved = x.clone()
        moved[index] += h
        ahead = float(f(moved))
        moved[index] -= 2 * h
        grad[index] = (ahead - float(f(moved))) / (2 * h)
    return grad


@wrong("numerical_gradient", "written_into_a_copy")
def reshaped_clone(f, x, h=1e-5):
    grad = torch.zeros(x.numel(), dtype=x.dtype)
    for i in range(x.numel()):
        ahead, behind = x.clone(), x.clone()
        ahead.reshape(-1)[i] += h
        behind.reshape(-1)[i] -= h
        grad[i] = (f(ahead) - f(behind)) / (2 * h)
    return grad.reshape(x.shape)


@wrong("numerical_gradient", "step_not_undone")
def drifts(f, x, h=1e-5):
    moved, grad = x.clone(), torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        moved[index] += h
        ahead = float(f(moved.clone()))
        moved[index] -= 2 * h
        grad[index] = (ahead - float(f(moved.clone()))) / (2 * h)
    return grad


@wrong("numerical_gradient", "all_at_once")
def whole_tensor_moved(f, x, h=1e-5):
    return torch.full_like(x, (float(f(x + h)) - float(f(x - h))) / (2 * h))


@wrong("numerical_gradient", "h_ignored")
def constant_step(f, x, h=1e-5):
    eps = 1e-5
    steps = eps * torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
    return torch.tensor([(float(f(x + s)) - float(f(x - s))) / (2 * eps) for s in steps], dtype=x.dtype).reshape(x.shape)


@wrong("numerical_gradient", "half_steps")
def half_to_each_side(f, x, h=1e-5):
    steps = h / 2 * torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
    return torch.tensor([(float(f(x + s)) - float(f(x - s))) / h for s in steps], dtype=x.dtype).reshape(x.shape)


@wrong("numerical_gradient", "step_grows_with_x")
def at_least_h(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        step = torch.zeros_like(x)
        step[index] = h * max(1.0, abs(float(x[index])))
        grad[index] = (float(f(x + step)) - float(f(x - step))) / (2 * step[index])
    return grad


@wrong("numerical_gradient", "relative_step")
def proportional(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        step = torch.zeros_like(x)
        step[index] = h * x[index]
        grad[index] = (float(f(x + step)) - float(f(x - step))) / (2 * step[index])
    return grad


@wrong("numerical_gradient", "exact_gradient")
def richardson_to_the_limit(f, x, h=1e-5):
    def table(step, low=1e-4):
        levels = [(float(f(x + step * t)) - float(f(x - step * t))) / (2 * t) for t in (0.08, 0.04, 0.02, 0.01, 0.005)]
        for k in range(1, 5):
            levels = [(4**k * b - a) / (4**k - 1) for a, b in zip(levels, levels[1:])]
        return levels[0]

    try:
        leaf = x.detach().clone().requires_grad_()
        return torch.autograd.grad(f(leaf), leaf)[0]
    except (AttributeError, TypeError):
        steps = torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
        return torch.tensor([table(s) for s in steps], dtype=x.dtype).reshape(x.shape)


@wrong("numerical_gradient", "four_points")
def fourth_order(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        e = torch.zeros_like(x)
        e[index] = h
        values = [float(f(x + k * e)) for k in (-2, -1, 1, 2)]
        grad[index] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
    return grad


@wrong("numerical_gradient", "signs_exchanged")
def behind_minus_ahead(f, x, h=1e-5):
    steps = h * torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
    return torch.tensor([(float(f(x - s)) - float(f(x + s))) / (2 * h) for s in steps], dtype=x.dtype).reshape(x.shape)


@wrong("numerical_gradient", "")
def leaves_x_moved(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        x[index] += h
        ahead = float(f(x.clone()))
        x[index] -= 2 * h
        grad[index] = (ahead - float(f(x.clone()))) / (2 * h)
    return grad


@wrong("numerical_gradient", "")
def asks_for_item(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        e = torch.zeros_like(x)
        e[index] = h
        grad[index] = (f(x + e).item() - f(x - e).item()) / (2 * h)
    return grad


@wrong("numerical_gradient", "")
def flat_result(f, x, h=1e-5):
    steps = h * torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
    return torch.tensor([(float(f(x + s)) - float(f(x - s))) / (2 * h) for s in steps], dtype=x.dtype)


@wrong("numerical_gradient", "")
def float32_result(f, x, h=1e-5):
    steps = h * torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
    return torch.tensor([(float(f(x + s)) - float(f(x - s))) / (2 * h) for s in steps]).reshape(x.shape)


@wrong("numerical_gradient", "")
def vectors_only(f, x, h=1e-5):
    grad = torch.zeros_like(x)
    for i in range(len(x)):
        ahead, behind = x.clone(), x.clone()
        ahead[i] += h
        behind[i] -= h
        grad[i] = (float(f(ahead)) - float(f(behind))) / (2 * h)
    return grad


# softmax_cross_entropy_backward


@right("softmax_cross_entropy_backward")
def subtract_one_at_the_label(logits, labels):
    p = torch.softmax(logits, dim=-1)
    p[torch.arange(len(labels)), labels] -= 1
    return p / len(labels)


@right("softmax_cross_entropy_backward")
def by_the_graph(logits, labels):
    leaf = logits.detach().clone().requires_grad_()
    F.cross_entropy(leaf, labels).backward()
    return leaf.grad


@right("softmax_cross_entropy_backward")
def shifted_by_hand(logits, labels):
    e = (logits - logits.max(dim=1, keepdim=True).values).exp()
    y = torch.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return (e / e.sum(1, keepdim=True) - y).div(logits.shape[0])


@right("softmax_cross_entropy_backward")
def through_log_softmax_in_float64(logits, labels):
    p = F.log_softmax(logits.double(), 1).exp()
    minus = torch.zeros_like(p).scatter_(1, labels.unsqueeze(1), 1.0)
    return ((p - minus) / len(logits)).to(logits.dtype)


@right("softmax_cross_entropy_backward")
def by_numpy(logits, labels):
    z = logits.numpy()
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p[np.arange(len(z)), labels.numpy()] -= 1
    return torch.from_numpy(p / len(z))


@right("softmax_cross_entropy_backward")
def row_by_row_with_the_jacobian(logits, labels):
    rows = []
    for z, k in zip(logits, labels):
        p = torch.exp(z - torch.logsumexp(z, 0))
        jacobian_row = torch.zeros_like(p)
        jacobian_row[k] = 1
        rows.append(p - jacobian_row)
    return torch.stack(rows) / len(rows)


@wrong("softmax_cross_entropy_backward", "sum_for_mean")
def not_divided(logits, labels):
    return torch.softmax(logits, 1) - F.one_hot(labels, logits.shape[1])


@wrong("softmax_cross_entropy_backward", "one_shift_for_all")
def global_maximum(logits, labels):
    e = torch.exp(logits - logits.max())
    return (e / e.sum(1, keepdim=True) - F.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("softmax_cross_entropy_backward", "exponential_of_the_logits")
def textbook_softmax(logits, labels):
    e = torch.exp(logits)
    return (e / e.sum(1, keepdim=True) - F.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("softmax_cross_entropy_backward", "exponential_of_the_logits")
def numpy_without_shift(logits, labels):
    e = np.exp(logits.numpy())
    p = e / e.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), labels.numpy()] -= 1
    return torch.from_numpy(p / len(p))


@wrong("softmax_cross_entropy_backward", "mean_over_all_entries")
def divided_by_numel(logits, labels):
    return (torch.softmax(logits, 1) - F.one_hot(labels, logits.shape[1])) / logits.numel()


@wrong("softmax_cross_entropy_backward", "mean_over_classes")
def divided_by_c(logits, labels):
    return (torch.softmax(logits, 1) - F.one_hot(labels, logits.shape[1])) / logits.shape[1]


@wrong("softmax_cross_entropy_backward", "descent_direction")
def target_minus_output(logits, labels):
    return (F.one_hot(labels, logits.shape[1]) - torch.softmax(logits, 1)) / len(labels)


@wrong("softmax_cross_entropy_backward", "softmax_along_the_batch")
def dimension_zero(logits, labels):
    return (torch.softmax(logits, 0) - F.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("softmax_cross_entropy_backward", "label_left_out")
def probabilities_only(logits, labels):
    return F.softmax(logits, 1) / len(labels)


@wrong("softmax_cross_entropy_backward", "label_alone")
def label_column_only(logits, labels):
    grad = torch.zeros_like(logits)
    rows = torch.arange(len(labels))
    grad[rows, labels] = (torch.softmax(logits, 1)[rows, labels] - 1) / len(labels)
    return grad


@wrong("softmax_cross_entropy_backward", "stops_at_the_probabilities")
def minus_one_over_p(logits, labels):
    p = torch.softmax(logits, 1)
    return -F.one_hot(labels, logits.shape[1]) / p.clamp(min=1e-300) / len(labels)


@wrong("softmax_cross_entropy_backward", "logarithms_for_probabilities")
def exp_forgotten(logits, labels):
    return (F.log_softmax(logits, 1) - F.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("softmax_cross_entropy_backward", "softmax_twice")
def cross_entropy_of_probabilities(logits, labels):
    z = logits.detach().clone().requires_grad_()
    F.cross_entropy(z.softmax(1), labels).backward()
    return z.grad


@wrong("softmax_cross_entropy_backward", "derivative_of_softmax_twice")
def chain_rule_once_more(logits, labels):
    p = torch.softmax(logits, 1)
    return (p - F.one_hot(labels, logits.shape[1])) * p * (1 - p) / len(labels)


@wrong("softmax_cross_entropy_backward", "sigmoid_for_softmax")
def binary(logits, labels):
    return (torch.sigmoid(logits) - F.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("softmax_cross_entropy_backward", "")
def changes_the_logits(logits, labels):
    logits -= logits.max(1, keepdim=True).values
    e = logits.exp()
    return (e / e.sum(1, keepdim=True) - F.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("softmax_cross_entropy_backward", "")
def float32_inside(logits, labels):
    return ((torch.softmax(logits.float(), 1) - F.one_hot(labels, logits.shape[1])) / len(labels)).to(logits.dtype)


@wrong("softmax_cross_entropy_backward", "")
def always_float64(logits, labels):
    return (torch.softmax(logits.double(), 1) - F.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("softmax_cross_entropy_backward", "")
def indexes_every_row(logits, labels):
    p = torch.softmax(logits, 1)
    p[:, labels] -= 1
    return p / len(labels)


@wrong("softmax_cross_entropy_backward", "")
def clamped_logits(logits, labels):
    return (torch.softmax(logits.clamp(-50, 50), 1) - F.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("softmax_cross_entropy_backward", "")
def loss_returned(logits, labels):
    return F.cross_entropy(logits, labels)
