"""Bank of chapter 08: right alternatives and wrong implementations."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# sgd_l2_step

@right("sgd_l2_step")
def l2_factored(w, g, lr, lam):
    return w - lr * g - lr * lam * w

@right("sgd_l2_step")
def l2_by_autograd(w, g, lr, lam):
    leaf = w.detach().clone().requires_grad_()
    loss = (g * leaf).sum() + lam / 2 * leaf.pow(2).sum()
    loss.backward()
    return w - lr * leaf.grad

@right("sgd_l2_step")
def l2_by_the_optimizer(w, g, lr, lam):
    from torch.optim.sgd import sgd

    w = w.clone()
    sgd([w], [g.clone()], [None], foreach=False, weight_decay=lam, momentum=0, lr=lr, dampening=0, nesterov=False, maximize=False)
    return w

@right("sgd_l2_step")
def l2_numpy_in_double(w, g, lr, lam):
    a, b = w.double().numpy(), g.double().numpy()
    return torch.from_numpy(np.asarray(a - lr * (b + lam * a))).to(w.dtype)

@right("sgd_l2_step")
def l2_entry_by_entry(w, g, lr, lam):
    moved = [x - lr * (y + lam * x) for x, y in zip(w.reshape(-1).tolist(), g.reshape(-1).tolist())]
    return torch.tensor(moved, dtype=w.dtype).reshape(w.shape)

@wrong("sgd_l2_step", "decay_without_lr")
def l2_minus_lam_w(w, g, lr, lam):
    return w - lr * g - lam * w

@wrong("sgd_l2_step", "decay_turned")
def l2_minus_sign(w, g, lr, lam):
    return w - lr * (g - lam * w)

@wrong("sgd_l2_step", "decay_after_the_step")
def l2_shrinks_last(w, g, lr, lam):
    return (w - lr * g) * (1 - lr * lam)

@wrong("sgd_l2_step", "penalty_without_half")
def l2_two_lam(w, g, lr, lam):
    return w - lr * (g + 2 * lam * w)

@wrong("sgd_l2_step", "half_left_over")
def l2_half_lam(w, g, lr, lam):
    return w - lr * (g + 0.5 * lam * w)

@wrong("sgd_l2_step", "lr_twice")
def l2_lr_inside(w, g, lr, lam):
    return w - lr * (g + lr * lam * w)

@wrong("sgd_l2_step", "no_decay")
def l2_plain_sgd(w, g, lr, lam):
    return w - lr * g

@wrong("sgd_l2_step", "gradient_without_lr")
def l2_lr_on_penalty_only(w, g, lr, lam):
    return w - g - lr * lam * w

@wrong("sgd_l2_step", "gradient_forgotten")
def l2_penalty_only(w, g, lr, lam):
    return w - lr * lam * w

@wrong("sgd_l2_step", "uphill")
def l2_plus_gradient(w, g, lr, lam):
    return w + lr * g - lr * lam * w

@wrong("sgd_l2_step", "value_for_gradient")
def l2_adds_the_squares(w, g, lr, lam):
    return w - lr * (g + lam * w**2 / 2)

@wrong("sgd_l2_step", "pull_of_l1")
def l2_sign(w, g, lr, lam):
    return w - lr * (g + lam * torch.sign(w))

@wrong("sgd_l2_step", "pull_of_the_norm")
def l2_unit_vector(w, g, lr, lam):
    return w - lr * (g + lam * F.normalize(w.reshape(-1), dim=0).reshape(w.shape))

@wrong("sgd_l2_step", "")
def l2_in_place(w, g, lr, lam):
    w -= lr * (g + lam * w)
    return w

@wrong("sgd_l2_step", "")
def l2_float64_always(w, g, lr, lam):
    return w.double() - lr * (g.double() + lam * w.double())

@wrong("sgd_l2_step", "")
def l2_scalar_penalty(w, g, lr, lam):
    return w - lr * (g + lam * (w**2).sum() / 2)

@wrong("sgd_l2_step", "")
def l2_gradient_in_place(w, g, lr, lam):
    g += lam * w
    return w - lr * g

# sgd_decay_step

@right("sgd_decay_step")
def decay_as_penalty(w, g, lr, lam):
    return w - lr * (g + lam * w)

@right("sgd_decay_step")
def decay_on_a_copy(w, g, lr, lam):
    w = w.clone()
    w.mul_(1 - lr * lam).sub_(g, alpha=lr)
    return w

@right("sgd_decay_step")
def decay_lerp(w, g, lr, lam):
    return torch.lerp(w, torch.zeros_like(w), lr * lam) - lr * g

@right("sgd_decay_step")
def decay_numpy_in_double(w, g, lr, lam):
    keep = 1.0 - lr * lam
    return torch.tensor(keep * np.float64(w.numpy()) - lr * np.float64(g.numpy()), dtype=w.dtype)

@right("sgd_decay_step")
def decay_entry_by_entry(w, g, lr, lam):
    keep = 1 - lr * lam
    moved = torch.stack([keep * a - lr * b for a, b in zip(w.flatten(), g.flatten())])
    return moved.reshape(w.shape)

@wrong("sgd_decay_step", "decay_without_lr")
def decay_keeps_one_minus_lam(w, g, lr, lam):
    return (1 - lam) * w - lr * g

@wrong("sgd_decay_step", "decay_turned")
def decay_grows(w, g, lr, lam):
    return (1 + lr * lam) * w - lr * g

@wrong("sgd_decay_step", "decay_after_the_step")
def decay_of_everything(w, g, lr, lam):
    w = w - lr * g
    return w * (1 - lr * lam)

@wrong("sgd_decay_step", "penalty_without_half")
def decay_two_lam(w, g, lr, lam):
    return (1 - 2 * lr * lam) * w - lr * g

@wrong("sgd_decay_step", "half_left_over")
def decay_half_lam(w, g, lr, lam):
    return (1 - lr * lam / 2) * w - lr * g

@wrong("sgd_decay_step", "lr_twice")
def decay_lr_squared(w, g, lr, lam):
    return (1 - lr**2 * lam) * w - lr * g

@wrong("sgd_decay_step", "no_decay")
def decay_left_out(w, g, lr, lam):
    return torch.sub(w, g, alpha=lr)

@wrong("sgd_decay_step", "gradient_without_lr")
def decay_whole_gradient(w, g, lr, lam):
    return (1 - lr * lam) * w - g

@wrong("sgd_decay_step", "gradient_forgotten")
def decay_only(w, g, lr, lam):
    return (1 - lr * lam) * w

@wrong("sgd_decay_step", "uphill")
def decay_and_climb(w, g, lr, lam):
    return (1 - lr * lam) * w + lr * g

@wrong("sgd_decay_step", "pull_of_l1")
def decay_by_sign(w, g, lr, lam):
    return w - lr * lam * w.sign() - lr * g

@wrong("sgd_decay_step", "")
def decay_in_place(w, g, lr, lam):
    w *= 1 - lr * lam
    w -= lr * g
    return w

@wrong("sgd_decay_step", "")
def decay_exponential(w, g, lr, lam):
    return math.exp(-lr * lam) * w - lr * g

@wrong("sgd_decay_step", "")
def decay_in_float32(w, g, lr, lam):
    return ((1 - lr * lam) * w.float() - lr * g.float()).to(w.dtype)

@wrong("sgd_decay_step", "")
def decay_two_values(w, g, lr, lam):
    return (1 - lr * lam) * w, lr * g

# l1_prox_step

@right("l1_prox_step")
def l1_softshrink(w, g, lr, lam):
    return F.softshrink(w - lr * g, lr * lam)

@right("l1_prox_step")
def l1_two_relus(w, g, lr, lam):
    z = w - lr * g
    return F.relu(z - lr * lam) - F.relu(-z - lr * lam)

@right("l1_prox_step")
def l1_by_what_is_taken(w, g, lr, lam):
    z = w - lr * g
    return z - z.clamp(-lr * lam, lr * lam)

@right("l1_prox_step")
def l1_where(w, g, lr, lam):
    z, t = w - lr * g, lr * lam
    return torch.where(z > t, z - t, torch.where(z < -t, z + t, torch.zeros_like(z)))

@right("l1_prox_step")
def l1_loop(w, g, lr, lam):
    z, t = w - lr * g, lr * lam
    shrunk = [math.copysign(max(abs(v) - t, 0.0), v) for v in z.flatten().tolist()]
    return torch.tensor(shrunk, dtype=w.dtype).reshape(w.shape)

@right("l1_prox_step")
def l1_numpy(w, g, lr, lam):
    z = w.numpy() - np.asarray(lr, w.numpy().dtype) * g.numpy()
    t = np.asarray(lr * lam, z.dtype)
    return torch.from_numpy(np.asarray(np.sign(z) * np.maximum(np.abs(z) - t, 0), dtype=z.dtype))

@wrong("l1_prox_step", "threshold_without_lr")
def l1_at_lam(w, g, lr, lam):
    z = w - lr * g
    return z.sign() * (z.abs() - lam).clamp(min=0)

@wrong("l1_prox_step", "subgradient_step")
def l1_sign_of_w(w, g, lr, lam):
    return w - lr * (g + lam * torch.sign(w))

@wrong("l1_prox_step", "past_zero")
def l1_no_clamp(w, g, lr, lam):
    z = w - lr * g
    return z.sign() * (z.abs() - lr * lam)

@wrong("l1_prox_step", "negative_entries_lost")
def l1_clamp_only(w, g, lr, lam):
    return (w - lr * g - lr * lam).clamp(min=0)

@wrong("l1_prox_step", "signs_lost")
def l1_without_sign(w, g, lr, lam):
    return F.relu((w - lr * g).abs() - lr * lam)

@wrong("l1_prox_step", "hard_threshold")
def l1_masks(w, g, lr, lam):
    z = w - lr * g
    return z * (z.abs() > lr * lam)

@wrong("l1_prox_step", "what_is_taken_away")
def l1_clips(w, g, lr, lam):
    return (w - lr * g).clamp(-lr * lam, lr * lam)

@wrong("l1_prox_step", "pushed_outwards")
def l1_adds(w, g, lr, lam):
    z = w - lr * g
    return z.sign() * (z.abs() + lr * lam)

@wrong("l1_prox_step", "shrunk_before_the_step")
def l1_other_order(w, g, lr, lam):
    shrunk = w.sign() * (w.abs() - lr * lam).clamp(min=0)
    return shrunk - lr * g

@wrong("l1_prox_step", "half_the_threshold")
def l1_half(w, g, lr, lam):
    return F.softshrink(w - lr * g, lr * lam / 2)

@wrong("l1_prox_step", "decay_of_l2")
def l1_shrinks_in_proportion(w, g, lr, lam):
    return w - lr * (g + lam * w)

@wrong("l1_prox_step", "slope_as_printed")
def l1_w_over_sign(w, g, lr, lam):
    return w - lr * (g + lam * w / torch.sign(w))

@wrong("l1_prox_step", "gradient_step_forgotten")
def l1_of_w(w, g, lr, lam):
    return F.softshrink(w, lr * lam)

@wrong("l1_prox_step", "not_shrunk")
def l1_sgd(w, g, lr, lam):
    return w - lr * g

@wrong("l1_prox_step", "prox_uphill")
def l1_climbs(w, g, lr, lam):
    return F.softshrink(w + lr * g, lr * lam)

@wrong("l1_prox_step", "nothing_exactly_zero")
def l1_never_zero(w, g, lr, lam):
    z, t = w - lr * g, lr * lam
    shrunk = z.sign() * (z.abs() - t).clamp(min=0)
    return torch.where(shrunk == 0, 1e-14 * z, shrunk)

@wrong("l1_prox_step", "")
def l1_in_place(w, g, lr, lam):
    w -= lr * g
    return F.softshrink(w, lr * lam)

@wrong("l1_prox_step", "")
def l1_drops_zeros(w, g, lr, lam):
    z = F.softshrink(w - lr * g, lr * lam)
    return z[z != 0]

# adam_l2_step

@right("adam_l2_step")
def adam_l2_lerp(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = torch.add(g, w, alpha=wd)
    m, s = torch.lerp(g, m, beta1), torch.lerp(g.square(), s, beta2)
    root = s.div(1 - beta2**k).sqrt().add(eps)
    return w.addcdiv(m, root, value=-lr / (1 - beta1**k)), m, s

@right("adam_l2_step")
def adam_l2_by_the_optimizer(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    from torch.optim.adam import adam

    w, m, s = w.clone(), m.clone(), s.clone()
    adam([w], [g], [m], [s], [], [torch.tensor(k - 1.0)], foreach=False, amsgrad=False, beta1=beta1, beta2=beta2, lr=lr,
         weight_decay=wd, eps=eps, maximize=False)
    return w, m, s

@right("adam_l2_step")
def adam_l2_by_autograd(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    leaf = w.detach().clone().requires_grad_()
    (wd * 0.5 * leaf.pow(2).sum() + (g * leaf).sum()).backward()
    g = leaf.grad
    m = m + (1 - beta1) * (g - m)
    s = s + (1 - beta2) * (g * g - s)
    root = (1 - beta2**k) ** 0.5
    return w - lr * root / (1 - beta1**k) * m / (s.sqrt() + eps * root), m, s

@right("adam_l2_step")
def adam_l2_numpy(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    a, b, c, d = (np.asarray(t, dtype=np.float64) for t in (w, g, m, s))
    b = b + wd * a
    c = beta1 * c + (1 - beta1) * b
    d = beta2 * d + (1 - beta2) * b * b
    a = a - lr * (c / (1 - beta1**k)) / (np.sqrt(d / (1 - beta2**k)) + eps)
    return tuple(torch.tensor(t, dtype=w.dtype) for t in (a, c, d))

@right("adam_l2_step")
def adam_l2_entry_by_entry(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    rows = []
    for a, b, c, d in zip(*(t.flatten().tolist() for t in (w, g, m, s))):
        b += wd * a
        c, d = beta1 * c + (1 - beta1) * b, beta2 * d + (1 - beta2) * b**2
        rows.append((a - lr * c / (1 - beta1**k) / (math.sqrt(d / (1 - beta2**k)) + eps), c, d))
    return tuple(torch.tensor(column, dtype=w.dtype).reshape(w.shape) for column in zip(*rows))

@wrong("adam_l2_step", "decay_decoupled")
def l2_as_adamw(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "decay_decoupled")
def l2_beside_the_step(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * (m_hat / (s_hat.sqrt() + eps) + wd * w), m, s

@wrong("adam_l2_step", "sign_of_the_decay")
def l2_penalty_subtracted(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g - wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "decay_beside_m")
def l2_added_to_m_hat(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    m_hat = m_hat + wd * w
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "penalty_in_m_alone")
def l2_in_m(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * (g + wd * w)
    s = beta2 * s + (1 - beta2) * g**2
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "penalty_in_s_alone")
def l2_in_s(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * (g + wd * w) ** 2
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "decayed_twice")
def l2_both(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return (1 - lr * wd) * w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "penalty_times_lr")
def l2_lr_in_the_gradient(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "no_half")
def l2_two_wd(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + 2 * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "wd_ignored")
def l2_adam(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "decayed_twice")
def l2_shrinks_first(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    w = (1 - lr * wd) * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "up_the_gradient")
def l2_uphill(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = wd * w - g
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "no_bias_correction")
def l2_uncorrected(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    return w - lr * m / (s.sqrt() + eps), m, s

@wrong("adam_l2_step", "eps_scaled_by_the_correction")
def l2_short_form(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    rate = lr * math.sqrt(1 - beta2**k) / (1 - beta1**k)
    return w - rate * m / (s.sqrt() + eps), m, s

@wrong("adam_l2_step", "eps_inside")
def l2_eps_under_the_root(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / torch.sqrt(s_hat + eps), m, s

@wrong("adam_l2_step", "one_step_too_few")
def l2_k_from_zero(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1 ** (k - 1)), s / (1 - beta2 ** (k - 1))
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "one_step_too_many")
def l2_k_plus_one(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    k = k + 1
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "correction_of_the_first_step")
def l2_k_unused(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1), s / (1 - beta2)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "only_m_corrected")
def l2_s_uncorrected(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    return w - lr * (m / (1 - beta1**k)) / (s.sqrt() + eps), m, s

@wrong("adam_l2_step", "corrected_moments_returned")
def l2_hats_as_state(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m, s = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m / (s.sqrt() + eps), m, s

@wrong("adam_l2_step", "correction_outside_the_root")
def l2_root_too_early(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    return w - lr * (m / (1 - beta1**k)) / (s.sqrt() / (1 - beta2**k) + eps), m, s

@wrong("adam_l2_step", "root_forgotten_in_adam")
def l2_divides_by_s(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat + eps), m, s

@wrong("adam_l2_step", "betas_exchanged")
def l2_other_betas(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta2 * m + (1 - beta2) * g
    s = beta1 * s + (1 - beta1) * g * g
    m_hat, s_hat = m / (1 - beta2**k), s / (1 - beta1**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "weights_exchanged_in_adam")
def l2_beta_on_the_new(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = (1 - beta1) * m + beta1 * g
    s = (1 - beta2) * s + beta2 * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "gradient_for_m")
def l2_no_momentum(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    s_hat = s / (1 - beta2**k)
    return w - lr * g / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "moments_of_before")
def l2_old_moments(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    w = w - lr * m_hat / (s_hat.sqrt() + eps)
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    return w, m, s

@wrong("adam_l2_step", "m_and_s_swapped")
def l2_swapped(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), s, m

@wrong("adam_l2_step", "right_on_the_first_step_only")
def l2_fresh_state(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = (1 - beta1) * g
    s = (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "state_not_updated")
def l2_old_state(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m_new = beta1 * m + (1 - beta1) * g
    s_new = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m_new / (1 - beta1**k), s_new / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "eps_ignored")
def l2_eps_1e8(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + 1e-8), m, s

@wrong("adam_l2_step", "options_ignored")
def l2_numbers_typed_in(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = 0.9 * m + 0.1 * g
    s = 0.999 * s + 0.001 * g * g
    m_hat, s_hat = m / (1 - 0.9**k), s / (1 - 0.999**k)
    return w - lr * m_hat / (s_hat.sqrt() + 1e-8), m, s

@wrong("adam_l2_step", "")
def l2_writes_into_g(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g += wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "")
def l2_writes_into_state(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m.mul_(beta1).add_(g, alpha=1 - beta1)
    s.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "")
def l2_only_w(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps)

@wrong("adam_l2_step", "")
def l2_in_float32(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w, g, m, s = w.float(), g.float(), m.float(), s.float()
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adam_l2_step", "")
def l2_max_of_s(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = torch.maximum(s, beta2 * s + (1 - beta2) * g * g)
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

# adamw_step

@right("adamw_step")
def adamw_beside_the_step(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * (m_hat / (s_hat.sqrt() + eps) + wd * w), m, s

@right("adamw_step")
def adamw_by_the_optimizer(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    from torch.optim.adamw import adamw

    w, m, s = w.clone(), m.clone(), s.clone()
    adamw([w], [g], [m], [s], [], [torch.tensor(k - 1.0)], foreach=False, amsgrad=False, beta1=beta1, beta2=beta2, lr=lr,
          weight_decay=wd, eps=eps, maximize=False)
    return w, m, s

@right("adamw_step")
def adamw_in_place_on_copies(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w, m, s = w.clone(), m.clone(), s.clone()
    w.mul_(1 - lr * wd)
    m.lerp_(g, 1 - beta1)
    s.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    root = s.sqrt().div_(math.sqrt(1 - beta2**k)).add_(eps)
    w.addcdiv_(m, root, value=-lr / (1 - beta1**k))
    return w, m, s

@right("adamw_step")
def adamw_numpy(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    a, b, c, d = (np.asarray(t, dtype=np.float64) for t in (w, g, m, s))
    c = c + (1 - beta1) * (b - c)
    d = d + (1 - beta2) * (b**2 - d)
    a = a - lr * wd * a - lr * (c / (1 - np.power(beta1, k))) / (np.sqrt(d / (1 - np.power(beta2, k))) + eps)
    return tuple(torch.tensor(t, dtype=w.dtype) for t in (a, c, d))

@right("adamw_step")
def adamw_entry_by_entry(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    rows = []
    for a, b, c, d in zip(*(t.flatten().tolist() for t in (w, g, m, s))):
        c, d = beta1 * c + (1 - beta1) * b, beta2 * d + (1 - beta2) * b**2
        step = c / (1 - beta1**k) / (math.sqrt(d / (1 - beta2**k)) + eps)
        rows.append((a - lr * wd * a - lr * step, c, d))
    return tuple(torch.tensor(column, dtype=w.dtype).reshape(w.shape) for column in zip(*rows))

@wrong("adamw_step", "decay_inside_the_moments")
def adamw_as_l2(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "decay_inside_the_moments")
def adamw_penalty_by_autograd(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    leaf = w.detach().clone().requires_grad_()
    (wd / 2 * leaf.square().sum()).backward()
    g = g + leaf.grad
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "decay_not_times_lr")
def adamw_one_minus_wd(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = (1 - wd) * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "decay_not_times_lr")
def adamw_as_in_the_paper(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps) - wd * w, m, s

@wrong("adamw_step", "decayed_after_the_step")
def adamw_shrinks_last(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    w = w - lr * m_hat / (s_hat.sqrt() + eps)
    return w - lr * wd * w, m, s

@wrong("adamw_step", "sign_of_the_decay")
def adamw_grows(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = (1 + lr * wd) * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "decay_beside_m")
def adamw_divided_by_the_root(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * (m_hat + wd * w) / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "decayed_twice")
def adamw_both(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    g = g + wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return (1 - lr * wd) * w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "lr_twice_in_adamw")
def adamw_lr_squared(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    update = m_hat / (s_hat.sqrt() + eps) + lr * wd * w
    return w - lr * update, m, s

@wrong("adamw_step", "no_half")
def adamw_two_wd(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w * (1 - 2 * lr * wd)
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "wd_ignored")
def adamw_adam(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    m = torch.lerp(g, m, beta1)
    s = torch.lerp(g * g, s, beta2)
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "gradient_decayed")
def adamw_shrinks_g(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    keep = 1 - lr * wd
    w, g = keep * w, keep * g
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "up_the_gradient")
def adamw_uphill(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    g = -g
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "no_bias_correction")
def adamw_uncorrected(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    return w - lr * m / (s.sqrt() + eps), m, s

@wrong("adamw_step", "eps_scaled_by_the_correction")
def adamw_short_form(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    rate = lr * math.sqrt(1 - beta2**k) / (1 - beta1**k)
    return w - rate * m / (s.sqrt() + eps), m, s

@wrong("adamw_step", "eps_inside")
def adamw_eps_under_the_root(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / torch.sqrt(s_hat + eps), m, s

@wrong("adamw_step", "one_step_too_few")
def adamw_k_from_zero(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1 ** (k - 1)), s / (1 - beta2 ** (k - 1))
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "one_step_too_many")
def adamw_k_plus_one(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    k = k + 1
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "correction_of_the_first_step")
def adamw_k_unused(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1), s / (1 - beta2)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "only_m_corrected")
def adamw_s_uncorrected(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    return w - lr * (m / (1 - beta1**k)) / (s.sqrt() + eps), m, s

@wrong("adamw_step", "corrected_moments_returned")
def adamw_hats_as_state(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m, s = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m / (s.sqrt() + eps), m, s

@wrong("adamw_step", "correction_outside_the_root")
def adamw_root_too_early(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    return w - lr * (m / (1 - beta1**k)) / (s.sqrt() / (1 - beta2**k) + eps), m, s

@wrong("adamw_step", "root_forgotten_in_adam")
def adamw_divides_by_s(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat + eps), m, s

@wrong("adamw_step", "betas_exchanged")
def adamw_other_betas(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta2 * m + (1 - beta2) * g
    s = beta1 * s + (1 - beta1) * g * g
    m_hat, s_hat = m / (1 - beta2**k), s / (1 - beta1**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "weights_exchanged_in_adam")
def adamw_beta_on_the_new(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = (1 - beta1) * m + beta1 * g
    s = (1 - beta2) * s + beta2 * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "gradient_for_m")
def adamw_no_momentum(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    s_hat = s / (1 - beta2**k)
    return w - lr * g / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "moments_of_before")
def adamw_old_moments(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    w = w - lr * m_hat / (s_hat.sqrt() + eps)
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    return w, m, s

@wrong("adamw_step", "m_and_s_swapped")
def adamw_swapped(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), s, m

@wrong("adamw_step", "right_on_the_first_step_only")
def adamw_fresh_state(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = (1 - beta1) * g
    s = (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "state_not_updated")
def adamw_old_state(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m_new = beta1 * m + (1 - beta1) * g
    s_new = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m_new / (1 - beta1**k), s_new / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "eps_ignored")
def adamw_eps_1e8(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + 1e-8), m, s

@wrong("adamw_step", "options_ignored")
def adamw_numbers_typed_in(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = 0.9 * m + 0.1 * g
    s = 0.999 * s + 0.001 * g * g
    m_hat, s_hat = m / (1 - 0.9**k), s / (1 - 0.999**k)
    return w - lr * m_hat / (s_hat.sqrt() + 1e-8), m, s

@wrong("adamw_step", "")
def adamw_in_place(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w.mul_(1 - lr * wd)
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "")
def adamw_shrinks_the_moments(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m, s = (1 - lr * wd) * m, (1 - lr * wd) * s
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "")
def adamw_matrices_only(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = (1 - lr * wd) * w if w.dim() > 1 else w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

@wrong("adamw_step", "")
def adamw_state_first(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * wd * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return m, s, w - lr * m_hat / (s_hat.sqrt() + eps)

@wrong("adamw_step", "")
def adamw_exponential(w, g, m, s, k, lr, wd, beta1=0.9, beta2=0.999, eps=1e-8):
    w = math.exp(-lr * wd) * w
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    m_hat, s_hat = m / (1 - beta1**k), s / (1 - beta2**k)
    return w - lr * m_hat / (s_hat.sqrt() + eps), m, s

# decay_groups

@right("decay_groups")
def groups_by_module_of_name(model):
    from torch import nn

    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d,
             nn.InstanceNorm3d, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    decay, no_decay = [], []
    for name, _ in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), kinds) or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@right("decay_groups")
def groups_by_walking_modules(model):
    from torch import nn

    norms = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    decay, no_decay, seen = [], [], set()
    for path, module in model.named_modules():
        for own, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            name = path + "." + own if path else own
            if isinstance(module, norms) or own.count("bias"):
                no_decay.append(name)
            else:
                decay.append(name)
    return decay, no_decay

@right("decay_groups")
def groups_by_sets(model):
    spared = set()
    for path, module in model.named_modules():
        origin = {c.__name__ for c in type(module).__mro__}
        whole = origin & {"_NormBase", "LayerNorm", "GroupNorm", "RMSNorm"}
        for own, _ in module.named_parameters(recurse=False):
            if whole or "bias" in own:
                spared.add(f"{path}.{own}".lstrip("."))
    names = [name for name, _ in model.named_parameters()]
    return [n for n in names if n not in spared], [n for n in names if n in spared]

@right("decay_groups")
def groups_as_tuples(model):
    def is_norm(module):
        return isinstance(module, (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.instancenorm._InstanceNorm,
                                   torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm))

    held = {id(p) for m in model.modules() if is_norm(m) for p in m.parameters(recurse=False)}
    flags = {n: id(p) in held or "bias" in n.split(".")[-1] for n, p in model.named_parameters()}
    return tuple(n for n in flags if not flags[n]), tuple(n for n in flags if flags[n])

@wrong("decay_groups", "gains_decay")
def groups_biases_only(model):
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "biases_decay")
def groups_normalisers_only(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms)
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "by_dimension")
def groups_as_nanogpt(model):
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = p.dim() < 2
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "norm_in_the_name")
def groups_by_norm_in_name(model):
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = "norm" in name or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "norm_in_the_name")
def groups_by_norm_or_bn(model):
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = "bias" in own or any(word in path for word in ("norm", "bn", "ln"))
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "bias_in_the_path")
def groups_whole_path(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in name
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "called_exactly_bias")
def groups_equal_bias(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or name.endswith(".bias") or name == "bias"
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "batch_norm_only")
def groups_batch_norm(model):
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), torch.nn.modules.batchnorm._BatchNorm) or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "group_norm_forgotten")
def groups_two_kinds(model):
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.LayerNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "direct_children_only")
def groups_children(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    held = {f"{child}.{n}" for child, module in model.named_children() if isinstance(module, norms)
            for n, _ in module.named_parameters()}
    names = [n for n, _ in model.named_parameters()]
    no_decay = [n for n in names if n in held or "bias" in n.split(".")[-1]]
    return [n for n in names if n not in no_decay], no_decay

@wrong("decay_groups", "embeddings_spared")
def groups_as_mingpt(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), (*norms, torch.nn.Embedding)) or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "lists_exchanged")
def groups_no_decay_first(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return no_decay, decay

@wrong("decay_groups", "shared_named_twice")
def groups_with_duplicates(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for path, module in model.named_modules():
        for own, _ in module.named_parameters(recurse=False):
            group = no_decay if isinstance(module, norms) or "bias" in own else decay
            group.append(f"{path}.{own}" if path else own)
    return decay, no_decay

@wrong("decay_groups", "frozen_left_out")
def groups_trainable(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "parameters_for_names")
def groups_of_parameters(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(p)
    return decay, no_decay

@wrong("decay_groups", "paths_lost")
def groups_own_names(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(own)
    return decay, no_decay

@wrong("decay_groups", "buffers_listed")
def groups_of_the_state(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name in model.state_dict():
        path, _, own = name.rpartition(".")
        group = no_decay if isinstance(model.get_submodule(path), norms) or "bias" in own else decay
        group.append(name)
    return decay, no_decay

@wrong("decay_groups", "alphabetical")
def groups_sorted(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return sorted(decay), sorted(no_decay)

@wrong("decay_groups", "model_changed")
def groups_in_eval(model):
    model.eval()
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "")
def groups_for_the_optimizer(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return [{"params": decay, "weight_decay": 0.1}, {"params": no_decay, "weight_decay": 0.0}]

@wrong("decay_groups", "")
def groups_as_sets(model):
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return set(decay), set(no_decay)

@wrong("decay_groups", "")
def groups_without_instance_norm(model):
    norms = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.LayerNorm, torch.nn.GroupNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "")
def groups_by_exact_type(model):
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d, torch.nn.SyncBatchNorm, torch.nn.InstanceNorm2d,
             torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = type(model.get_submodule(path)) in norms or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

@wrong("decay_groups", "model_changed")
def groups_thaw_the_model(model):
    model.requires_grad_(True)
    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        path, _, own = name.rpartition(".")
        spared = isinstance(model.get_submodule(path), norms) or "bias" in own
        (no_decay if spared else decay).append(name)
    return decay, no_decay

# norm_sq_with_decay

@right("norm_sq_with_decay")
def norms_in_a_list(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    squares = [w0_sq]
    for _ in range(steps):
        squares.append((1 - lr * wd) ** 2 * squares[-1] + (lr * grad_norm) ** 2 / squares[-1])
    return squares

@right("norm_sq_with_decay")
def norms_of_a_vector(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    w = torch.tensor([math.sqrt(w0_sq), 0.0], dtype=torch.float64)
    found = [w @ w]
    for _ in range(steps):
        orthogonal = torch.stack([-w[1], w[0]])
        w = w - lr * wd * w - lr * grad_norm / (w @ w) * orthogonal
        found.append(w @ w)
    return torch.stack(found)

@right("norm_sq_with_decay")
def norms_in_numpy(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = np.empty(steps + 1)
    n[0] = w0_sq
    keep, gain = np.square(1 - lr * wd), np.square(lr * grad_norm)
    for k in range(steps):
        n[k + 1] = keep * n[k] + gain / n[k]
    return n

@right("norm_sq_with_decay")
def norms_by_autograd(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    w = torch.tensor([0.6, 0.8], dtype=torch.float64) * math.sqrt(w0_sq)
    found = [float(w.square().sum())]
    for _ in range(steps):
        leaf = w.clone().requires_grad_()
        slope, = torch.autograd.grad(grad_norm * torch.atan2(leaf[1], leaf[0]), leaf)
        w = (1 - lr * wd) * w - lr * slope
        found.append(float(w.square().sum()))
    return torch.tensor(found, dtype=torch.float64)

@wrong("norm_sq_with_decay", "share_not_squared")
def norms_share_once(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "no_lr_in_the_decay")
def norms_wd_alone(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "decay_forgotten")
def norms_of_chapter_six(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "decay_after_step")
def norms_decay_last(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * (n[-1] + (lr * grad_norm) ** 2 / n[-1]))
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "square_linearised")
def norms_linear(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - 2 * lr * wd) * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "decay_exponential")
def norms_exponential(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append(math.exp(-2 * lr * wd) * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "sign_of_decay")
def norms_grow(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 + lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "gradient_of_the_decayed_weight")
def norms_gradient_after(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    def kept():
        return (1 - lr * wd) ** 2 * n[-1]

    for _ in range(steps):
        n.append(kept() + (lr * grad_norm) ** 2 / kept())
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "norms_returned")
def norms_rooted(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return [math.sqrt(v) for v in n]

@wrong("norm_sq_with_decay", "gradient_of_constant_length")
def norms_constant_gradient(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2)
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "gradient_over_the_norm")
def norms_over_one_norm(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1] ** 0.5)
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "squared_once_more")
def norms_squared_again(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm / n[-1]) ** 2)
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "rate_not_squared")
def norms_lr_once(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + lr * grad_norm**2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "length_not_squared")
def norms_length_once(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + lr**2 * grad_norm / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "unit_gradient")
def norms_without_grad_norm(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + lr**2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "starts_at_one")
def norms_from_one(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [1.0]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "start_squared")
def norms_from_the_square(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq**2]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "step_shrinks")
def norms_minus(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] - (lr * grad_norm) ** 2 / abs(n[-1]))
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "step_along_w")
def norms_lengths_added(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append(((1 - lr * wd) * math.sqrt(n[-1]) + lr * grad_norm / math.sqrt(n[-1])) ** 2)
    return torch.tensor(n, dtype=torch.float64)

@wrong("norm_sq_with_decay", "start_left_out")
def norms_without_start(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n[1:], dtype=torch.float64)

@wrong("norm_sq_with_decay", "last_left_out")
def norms_without_last(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n[:-1], dtype=torch.float64)

@wrong("norm_sq_with_decay", "in_float32")
def norms_default_dtype(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return torch.tensor(n)

@wrong("norm_sq_with_decay", "")
def norms_straight_to_the_end(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    end = math.sqrt(lr / (wd * (2 - lr * wd))) * grad_norm if wd else math.inf
    return torch.full((steps + 1,), end, dtype=torch.float64)

@wrong("norm_sq_with_decay", "")
def norms_last_only(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return n[-1]

@wrong("norm_sq_with_decay", "")
def norms_grad_norm_after_loop(lr, wd, steps, w0_sq=1.0, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append((1 - lr * wd) ** 2 * n[-1] + lr**2 / n[-1])
    return grad_norm * torch.tensor(n, dtype=torch.float64)

# equilibrium_norm_sq

@right("equilibrium_norm_sq")
def fixed_point_solved(lr, lam):
    n = sp.Symbol("n", positive=True)
    square = sp.solve(sp.Eq(n, (1 - lr * lam) ** 2 * n + lr**2 / n), n**2)[0]
    return sp.sqrt(square)

@right("equilibrium_norm_sq")
def fixed_point_unsimplified(lr, lam):
    return lr / sp.sqrt(1 - (1 - lr * lam) ** 2)

@right("equilibrium_norm_sq")
def fixed_point_factored(lr, lam):
    return sp.sqrt(lr) / (sp.sqrt(lam) * sp.sqrt(2 - lr * lam))

@right("equilibrium_norm_sq")
def fixed_point_series(lr, lam):
    k = sp.Symbol("k", integer=True, nonnegative=True)
    kept = sp.Sum((1 - lr * lam) ** (2 * k), (k, 0, sp.oo))
    return lr * sp.sqrt(kept)

@wrong("equilibrium_norm_sq", "small_decay")
def point_as_in_the_lecture(lr, lam):
    return sp.sqrt(lr / (2 * lam))

@wrong("equilibrium_norm_sq", "not_rooted")
def point_squared(lr, lam):
    return lr**2 / (1 - (1 - lr * lam) ** 2)

@wrong("equilibrium_norm_sq", "norm_for_its_square")
def point_norm(lr, lam):
    return sp.sqrt(lr / sp.sqrt(2 * lr * lam - lr**2 * lam**2))

@wrong("equilibrium_norm_sq", "share_kept_once")
def point_share_once(lr, lam):
    return lr / sp.sqrt(1 - (1 - lr * lam))

@wrong("equilibrium_norm_sq", "cross_term_turned")
def point_plus(lr, lam):
    return lr / sp.sqrt((1 + lr * lam) ** 2 - 1)

@wrong("equilibrium_norm_sq", "cross_term_alone")
def point_no_cross_term(lr, lam):
    return lr / sp.sqrt((lr * lam) ** 2)

@wrong("equilibrium_norm_sq", "effective_rate")
def point_rate(lr, lam):
    return sp.sqrt(1 - (1 - lr * lam) ** 2)

@wrong("equilibrium_norm_sq", "effective_rate_small_decay")
def point_rate_of_the_lecture(lr, lam):
    return sp.sqrt(2) * sp.sqrt(lr * lam)

@wrong("equilibrium_norm_sq", "decay_last_at_equilibrium")
def point_decay_last(lr, lam):
    keep = (1 - lr * lam) ** 2
    return sp.sqrt(keep * lr**2 / (1 - keep))

@wrong("equilibrium_norm_sq", "no_lr_in_decay")
def point_wd_alone(lr, lam):
    return lr / sp.sqrt(1 - (1 - lam) ** 2)

@wrong("equilibrium_norm_sq", "rate_of_the_gain_not_squared")
def point_lr_once(lr, lam):
    return sp.sqrt(lr / (1 - (1 - lr * lam) ** 2))

@wrong("equilibrium_norm_sq", "upside_down")
def point_inverse(lr, lam):
    return sp.sqrt(2 * lr * lam - (lr * lam) ** 2) / lr

@wrong("equilibrium_norm_sq", "small_decay_not_rooted")
def point_half_lr_over_lam(lr, lam):
    return lr / lam / 2

@wrong("equilibrium_norm_sq", "")
def point_of_other_symbols(lr, lam):
    a, l = sp.symbols("alpha lambda")
    return sp.sqrt(a / (l * (2 - a * l)))

@wrong("equilibrium_norm_sq", "")
def point_limit(lr, lam):
    return sp.oo

@wrong("equilibrium_norm_sq", "")
def point_doubled(lr, lam):
    return 2 * sp.sqrt(lr / (lam * (2 - lr * lam)))

# equilibrium

@right("equilibrium")
def rest_from_the_rate(lr, wd):
    rate = math.sqrt(lr * wd * (2 - lr * wd))
    return (lr / rate if rate else math.inf), rate

@right("equilibrium")
def rest_iterated(lr, wd):
    if wd == 0:
        return float("inf"), 0.0
    keep, n = (1 - lr * wd) ** 2, 1.0
    for _ in range(2000):
        n = math.sqrt(n * (keep * n + lr**2 / n))
    return n, lr / n

@right("equilibrium")
def rest_in_tensors(lr, wd):
    rate = torch.tensor(lr, dtype=torch.float64)
    n = (rate**2 / (1 - (1 - rate * wd) ** 2)).sqrt()
    return n, lr / n

@right("equilibrium")
def rest_in_numpy(lr, wd):
    with np.errstate(divide="ignore"):
        n = np.sqrt(np.float64(lr) / (np.float64(wd) * (2 - lr * wd)))
    return n, lr / n

@wrong("equilibrium", "approximated")
def rest_as_in_the_lecture(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    return math.sqrt(lr / (2 * wd)), math.sqrt(2 * lr * wd)

@wrong("equilibrium", "zero_decay_divides")
def rest_without_guard(lr, wd):
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr / n

@wrong("equilibrium", "zero_decay_gives_nan")
def rest_nan(lr, wd):
    if not wd:
        return float("nan"), float("nan")
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr / n

@wrong("equilibrium", "zero_decay_gives_zero")
def rest_zero(lr, wd):
    if wd == 0:
        return 0.0, 0.0
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr / n

@wrong("equilibrium", "rate_unchanged_without_decay")
def rest_rate_stays(lr, wd):
    if wd == 0:
        return math.inf, lr
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr / n

@wrong("equilibrium", "rate_approximated")
def rest_rate_of_the_lecture(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    return math.sqrt(lr / (wd * (2 - lr * wd))), math.sqrt(2 * lr * wd)

@wrong("equilibrium", "divided_by_the_norm")
def rest_over_norm(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr / n**0.5

@wrong("equilibrium", "multiplied_by_the_norm")
def rest_times_norm(lr, wd):
    if wd == 0:
        return math.inf, math.inf
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr * n

@wrong("equilibrium", "divided_by_the_square_twice")
def rest_over_square(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr / n**2

@wrong("equilibrium", "explicit_rate_forgotten")
def rest_inverse(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, 1 / n

@wrong("equilibrium", "exchanged")
def rest_rate_first(lr, wd):
    if wd == 0:
        return 0.0, math.inf
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return lr / n, n

@wrong("equilibrium", "norm_returned")
def rest_norm(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return math.sqrt(n), lr / n

@wrong("equilibrium", "root_missing")
def rest_not_rooted(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = lr / (wd * (2 - lr * wd))
    return n, lr / n

@wrong("equilibrium", "share_once")
def rest_share_once(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = math.sqrt(lr / wd)
    return n, lr / n

@wrong("equilibrium", "decay_at_the_end")
def rest_decay_last(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = (1 - lr * wd) * math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr / n

@wrong("equilibrium", "decay_alone")
def rest_wd_alone(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = lr / math.sqrt(1 - (1 - wd) ** 2)
    return n, lr / n

@wrong("equilibrium", "")
def rest_norm_only(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    return math.sqrt(lr / (wd * (2 - lr * wd)))

@wrong("equilibrium", "")
def rest_in_float32(lr, wd):
    if wd == 0:
        return math.inf, 0.0
    n = torch.sqrt(torch.tensor(lr / (wd * (2 - lr * wd))))
    return float(n), float(lr / n)

@wrong("equilibrium", "")
def rest_with_eps(lr, wd):
    n = math.sqrt(lr / ((wd + 1e-8) * (2 - lr * wd)))
    return n, lr / n

@wrong("equilibrium", "")
def rest_large_number(lr, wd):
    if wd == 0:
        return 1e30, 0.0
    n = math.sqrt(lr / (wd * (2 - lr * wd)))
    return n, lr / n

# kfac_direction

@right("kfac_direction")
def kfac_einsum(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    rotated = torch.einsum("op,oi,ij->pj", V, grad, U)
    return torch.einsum("op,pj,ij->oi", V, rotated / (torch.outer(s, a) + damping), U)

@right("kfac_direction")
def kfac_numpy(A, S, grad, damping):
    a, U = np.linalg.eigh(A.double().numpy())
    s, V = np.linalg.eigh(S.double().numpy())
    D = V @ ((V.T @ grad.double().numpy() @ U) / (np.multiply.outer(s, a) + damping)) @ U.T
    return torch.from_numpy(D).to(grad.dtype)

@right("kfac_direction")
def kfac_by_svd(A, S, grad, damping):
    U, a, Uh = torch.linalg.svd(A.double())
    V, s, Vh = torch.linalg.svd(S.double())
    inner = V.T @ grad.double() @ U
    return (V @ (inner / (s[:, None] * a + damping)) @ U.T).to(grad.dtype)

@right("kfac_direction")
def kfac_column_by_column(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    columns = grad @ U
    eye = torch.eye(len(S), dtype=S.dtype)
    solved = [torch.linalg.solve(value * S + damping * eye, column) for value, column in zip(a, columns.T)]
    return torch.stack(solved, 1) @ U.T

@right("kfac_direction")
def kfac_batched(A, S, grad, damping):
    s, V = torch.linalg.eigh(S)
    systems = s[:, None, None] * A + damping * torch.eye(len(A), dtype=A.dtype)
    return V @ torch.linalg.solve(systems, V.T @ grad)

@right("kfac_direction")
def kfac_conjugate_gradients(A, S, grad, damping):
    target = grad.double()
    system = lambda D: S.double() @ D @ A.double() + damping * D
    x, r = torch.zeros_like(target), target.clone()
    p, size = r.clone(), (r * r).sum()
    for _ in range(400):
        if size <= 1e-30 * (target * target).sum():
            break
        moved = system(p)
        step = size / (p * moved).sum()
        x, r = x + step * p, r - step * moved
        size, before = (r * r).sum(), size
        p = r + size / before * p
    return x.to(grad.dtype)

@wrong("kfac_direction", "damping_split_by_roots")
def kfac_factored(A, S, grad, damping):
    pi = math.sqrt(damping)
    left = torch.linalg.inv(S + pi * torch.eye(len(S), dtype=S.dtype))
    right = torch.linalg.inv(A + pi * torch.eye(len(A), dtype=A.dtype))
    return left @ grad @ right

@wrong("kfac_direction", "damping_in_each_factor")
def kfac_both_damped(A, S, grad, damping):
    left = S + damping * torch.eye(len(S), dtype=S.dtype)
    right = A + damping * torch.eye(len(A), dtype=A.dtype)
    return torch.linalg.solve(left, torch.linalg.solve(right, grad.T).T)

@wrong("kfac_direction", "damping_ignored")
def kfac_undamped(A, S, grad, damping):
    return torch.linalg.solve(S, torch.linalg.solve(A, grad.T).T)

@wrong("kfac_direction", "product_formed")
def kfac_kron(A, S, grad, damping):
    whole = torch.kron(A, S) + damping * torch.eye(grad.numel(), dtype=A.dtype)
    return torch.linalg.solve(whole, grad.T.reshape(-1)).reshape(grad.shape[1], grad.shape[0]).T

@wrong("kfac_direction", "product_formed")
def kfac_kron_by_rows(A, S, grad, damping):
    whole = torch.einsum("ok,il->oikl", S, A).reshape(grad.numel(), -1)
    whole = whole + damping * torch.eye(grad.numel(), dtype=A.dtype)
    return torch.linalg.solve(whole, grad.reshape(-1)).reshape(grad.shape)

@wrong("kfac_direction", "eigenvalues_added")
def kfac_sums(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V @ (V.T @ grad @ U / (s[:, None] + a + damping)) @ U.T

@wrong("kfac_direction", "factors_exchanged")
def kfac_exchanged(A, S, grad, damping):
    a, U = torch.linalg.eigh(S)
    s, V = torch.linalg.eigh(A)
    return V @ (V.T @ grad @ U / (s[:, None] * a + damping)) @ U.T

@wrong("kfac_direction", "rows_stacked")
def kfac_flattened(A, S, grad, damping):
    whole = torch.kron(A, S) + damping * torch.eye(grad.numel(), dtype=A.dtype)
    return torch.linalg.solve(whole, grad.reshape(-1)).reshape(grad.shape)

@wrong("kfac_direction", "eigenbasis_kept")
def kfac_not_back(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V.T @ grad @ U / (s[:, None] * a + damping)

@wrong("kfac_direction", "wrong_way_into_the_eigenbasis")
def kfac_transposed_vectors(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V.T @ (V @ grad @ U.T / (s[:, None] * a + damping)) @ U

@wrong("kfac_direction", "metric_multiplied")
def kfac_multiplies(A, S, grad, damping):
    return S @ grad @ A + damping * grad

@wrong("kfac_direction", "damping_after_the_inverse")
def kfac_damped_late(A, S, grad, damping):
    return torch.linalg.inv(S) @ grad @ torch.linalg.inv(A) + damping * grad

@wrong("kfac_direction", "damping_squared")
def kfac_damping_squared(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V @ (V.T @ grad @ U / (s[:, None] * a + damping**2)) @ U.T

@wrong("kfac_direction", "damping_rooted")
def kfac_damping_rooted(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V @ (V.T @ grad @ U / (s[:, None] * a + damping**0.5)) @ U.T

@wrong("kfac_direction", "damping_subtracted")
def kfac_minus(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V @ (V.T @ grad @ U / (s[:, None] * a - damping)) @ U.T

@wrong("kfac_direction", "root_of_the_factors")
def kfac_shampoo(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V @ (V.T @ grad @ U / ((s[:, None] * a).clamp(min=0).sqrt() + damping)) @ U.T

@wrong("kfac_direction", "inputs_left_alone")
def kfac_only_S(A, S, grad, damping):
    return torch.linalg.solve(S + damping * torch.eye(len(S), dtype=S.dtype), grad)

@wrong("kfac_direction", "outputs_left_alone")
def kfac_only_A(A, S, grad, damping):
    return grad @ torch.linalg.inv(A + damping * torch.eye(len(A), dtype=A.dtype))

@wrong("kfac_direction", "diagonals_alone")
def kfac_diagonal(A, S, grad, damping):
    return grad / (torch.outer(S.diagonal(), A.diagonal()) + damping)

@wrong("kfac_direction", "step_for_direction")
def kfac_step(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return -V @ (V.T @ grad @ U / (s[:, None] * a + damping)) @ U.T

@wrong("kfac_direction", "transposed_result")
def kfac_transposed(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return (V @ (V.T @ grad @ U / (s[:, None] * a + damping)) @ U.T).T

@wrong("kfac_direction", "")
def kfac_left_and_right_vectors_mixed(A, S, grad, damping):
    U, a, Uh = torch.linalg.svd(A)
    V, s, Vh = torch.linalg.svd(S)
    return V @ ((Vh @ grad @ U) / (s[:, None] * a + damping)) @ Uh

@wrong("kfac_direction", "")
def kfac_flat(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return (V @ (V.T @ grad @ U / (s[:, None] * a + damping)) @ U.T).flatten()

@wrong("kfac_direction", "")
def kfac_float64(A, S, grad, damping):
    A, S = A.double(), S.double()
    grad = grad.double()
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V @ (V.T @ grad @ U / (s[:, None] * a + damping)) @ U.T

@wrong("kfac_direction", "")
def kfac_clamped(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V @ (V.T @ grad @ U / ((s[:, None] * a).clamp(min=damping))) @ U.T

@wrong("kfac_direction", "")
def kfac_in_place(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    A.fill_(0)
    return V @ (V.T @ grad @ U / (s[:, None] * a + damping)) @ U.T

@wrong("kfac_direction", "")
def kfac_outer_turned(A, S, grad, damping):
    a, U = torch.linalg.eigh(A)
    s, V = torch.linalg.eigh(S)
    return V @ (V.T @ grad @ U / (a[:, None] * s + damping)) @ U.T

# gauss_newton_norm

@right("gauss_newton_norm")
def euler_in_numpy(weights, x):
    h = x.detach().double().numpy()
    for i, w in enumerate(weights):
        h = h @ w.detach().double().numpy().T
        h = h if i == len(weights) - 1 else np.maximum(h, 0)
    return len(weights) ** 2 * np.mean(np.sum(h**2, axis=1))

@right("gauss_newton_norm")
def jvp_of_all_weights(weights, x):
    def f(*ws):
        h = x
        for w in ws[:-1]:
            h = torch.relu(h @ w.T)
        return h @ ws[-1].T

    ws = tuple(w.detach() for w in weights)
    move = torch.autograd.functional.jvp(f, ws, ws)[1]
    return (move**2).sum() / len(x)

@right("gauss_newton_norm")
def whole_gauss_newton_matrix(weights, x):
    sizes = [w.numel() for w in weights]
    shapes = [w.shape for w in weights]
    flat = torch.cat([w.detach().double().flatten() for w in weights])

    def f(flat, example):
        h = example
        for part, shape in zip(flat.split(sizes), shapes):
            last = part
            h = torch.relu(h @ part.reshape(shape).T) if shape is not shapes[-1] else h @ part.reshape(shape).T
        return h

    total = 0.0
    for example in x.detach().double():
        J = torch.autograd.functional.jacobian(lambda p: f(p, example), flat)
        total += float(flat @ (J.T @ (J @ flat)))
    return total / len(x)

@right("gauss_newton_norm")
def dilation(weights, x):
    h = 1.0
    def f(t):
        out = x.detach().double()
        for i, w in enumerate(weights):
            out = out @ (t * w.detach().double()).T
            out = out.relu() if i + 1 < len(weights) else out
        return out

    with torch.enable_grad():
        slope = torch.autograd.functional.jacobian(f, torch.tensor(1.0, dtype=torch.float64))
    return slope.square().sum(1).mean().item()

@right("gauss_newton_norm")
def example_by_example(weights, x):
    with torch.no_grad():
        total = 0.0
        for example in x:
            h = example
            for i, w in enumerate(weights):
                h = w @ h
                if i < len(weights) - 1:
                    h = h.clamp(min=0)
            total += float(h.double() @ h.double())
    return len(weights) ** 2 * total / len(x)

@wrong("gauss_newton_norm", "depth_not_squared")
def gn_depth_once(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return len(weights) * f.square().sum(1).mean()

@wrong("gauss_newton_norm", "depth_forgotten")
def gn_outputs(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return f.square().sum(1).mean()

@wrong("gauss_newton_norm", "one_layer_too_few")
def gn_hidden_layers(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return (len(weights) - 1) ** 2 * f.square().sum(1).mean()

@wrong("gauss_newton_norm", "one_layer_too_many")
def gn_layers_plus_one(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return (len(weights) + 1) ** 2 * f.square().sum(1).mean()

@wrong("gauss_newton_norm", "depth_as_exponent")
def gn_doubled_weights(weights, x):
    f = x
    for i, w in enumerate(weights):
        f = 2 * f @ w.T
        f = F.relu(f) if i < len(weights) - 1 else f
    return f.square().sum(1).mean()

@wrong("gauss_newton_norm", "half_of_the_loss")
def gn_half(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return 0.5 * len(weights) ** 2 * f.square().sum(1).mean()

@wrong("gauss_newton_norm", "norm_not_squared")
def gn_norm(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return len(weights) * f.square().sum(1).mean().sqrt()

@wrong("gauss_newton_norm", "outputs_averaged")
def gn_mse(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return len(weights) ** 2 * (f**2).mean()

@wrong("gauss_newton_norm", "examples_summed")
def gn_sum(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return len(weights) ** 2 * (f**2).sum()

@wrong("gauss_newton_norm", "averaged_before_squaring")
def gn_mean_output(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return len(weights) ** 2 * (f.mean(0) ** 2).sum()

@wrong("gauss_newton_norm", "lengths_averaged")
def gn_mean_length(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return (len(weights) * torch.linalg.vector_norm(f, dim=1).mean()) ** 2

@wrong("gauss_newton_norm", "relu_on_the_output")
def gn_relu_everywhere(weights, x):
    f = x
    for w in weights:
        f = F.relu(f @ w.T)
    return len(weights) ** 2 * f.square().sum(1).mean()

@wrong("gauss_newton_norm", "relu_forgotten")
def gn_linear(weights, x):
    f = x
    for w in weights:
        f = f @ w.T
    return len(weights) ** 2 * f.square().sum(1).mean()

@wrong("gauss_newton_norm", "jacobian_of_the_inputs")
def gn_as_jacobian(weights, x):
    leaf = x.detach().clone().requires_grad_()
    f = leaf
    for w in weights[:-1]:
        f = F.relu(f @ w.detach().T)
    f = f @ weights[-1].detach().T
    total = 0.0
    for c in range(f.shape[1]):
        total += torch.autograd.grad(f[:, c].sum(), leaf, retain_graph=True)[0].square().sum()
    return total / len(x)

@wrong("gauss_newton_norm", "depth_not_squared")
def gn_blocks(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return sum(f.square().sum(1).mean() for _ in weights)

@wrong("gauss_newton_norm", "")
def gn_per_example(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return len(weights) ** 2 * f.square().sum(1)

@wrong("gauss_newton_norm", "")
def gn_backward_on_weights(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    f.square().sum().backward()
    return len(weights) ** 2 * f.square().sum(1).mean()

@wrong("gauss_newton_norm", "")
def gn_degree_two(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return 4 * f.square().sum(1).mean()

@wrong("gauss_newton_norm", "")
def gn_transposed(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w)
    f = f @ weights[-1]
    return len(weights) ** 2 * f.square().sum(1).mean()

# jacobian_frobenius

@right("jacobian_frobenius")
def jacobian_forward(weights, x):
    J, h = torch.eye(x.shape[1], dtype=x.dtype), x.detach()
    J = J.expand(len(x), -1, -1)
    for i, w in enumerate(weights):
        w = w.detach()
        h, J = h @ w.T, w @ J
        if i < len(weights) - 1:
            on = h > 0
            h, J = h * on, J * on[..., None]
    return float((J**2).sum() / len(x))

@right("jacobian_frobenius")
def jacobian_backward(weights, x):
    leaf, h = x.detach().clone().requires_grad_(), None
    h = leaf
    for w in weights[:-1]:
        h = F.relu(F.linear(h, w.detach()))
    h = F.linear(h, weights[-1].detach())
    rows = [torch.autograd.grad(h[:, c].sum(), leaf, retain_graph=True)[0] for c in range(h.shape[1])]
    return sum(row.pow(2).sum(1) for row in rows).mean()

@right("jacobian_frobenius")
def jacobian_of_each_example(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    sizes = [torch.autograd.functional.jacobian(f, example).norm() ** 2 for example in x.detach()]
    return torch.stack(sizes).mean().item()

@right("jacobian_frobenius")
def jacobian_numpy(weights, x):
    total = 0.0
    for example in x.detach().double().numpy():
        h, J = example, np.eye(len(example))
        for w in weights[:-1]:
            w = w.detach().double().numpy()
            h = w @ h
            J = np.diag((h > 0).astype(float)) @ w @ J
            h = np.maximum(h, 0)
        total += np.linalg.norm(weights[-1].detach().double().numpy() @ J) ** 2
    return total / len(x)

@wrong("jacobian_frobenius", "product_without_gates")
def jac_product(weights, x):
    J = weights[0]
    for w in weights[1:]:
        J = w @ J
    return float((J**2).sum().detach())

@wrong("jacobian_frobenius", "gradient_of_the_summed_outputs")
def jac_of_the_sum(weights, x):
    leaf = x.detach().clone().requires_grad_()
    h = leaf
    for w in weights[:-1]:
        h = F.relu(h @ w.detach().T)
    (h @ weights[-1].detach().T).sum().backward()
    return float(leaf.grad.square().sum(1).mean())

@wrong("jacobian_frobenius", "slopes_summed")
def jac_sum(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return (J**2).sum()

@wrong("jacobian_frobenius", "slope_norms_averaged")
def jac_norms(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return torch.linalg.matrix_norm(J).mean()

@wrong("jacobian_frobenius", "root_of_the_mean")
def jac_root(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return ((J**2).sum() / len(J)) ** 0.5

@wrong("jacobian_frobenius", "square_of_the_mean_norm")
def jac_mean_norm_squared(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return torch.linalg.matrix_norm(J).mean() ** 2

@wrong("jacobian_frobenius", "spectral_norm")
def jac_spectral(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return torch.linalg.matrix_norm(J, ord=2).pow(2).mean()

@wrong("jacobian_frobenius", "averaged_over_the_entries")
def jac_mean(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return (J**2).mean()

@wrong("jacobian_frobenius", "averaged_over_the_outputs")
def jac_mean_output(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return (J**2).sum(dim=2).mean()

@wrong("jacobian_frobenius", "jacobians_averaged")
def jac_of_the_mean(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return torch.linalg.matrix_norm(J.mean(0)) ** 2

@wrong("jacobian_frobenius", "relu_behind_the_output")
def jac_relu_everywhere(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return torch.relu(weights[-1].detach() @ h)

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return (J**2).sum((1, 2)).mean()

@wrong("jacobian_frobenius", "move_of_the_weights")
def jac_euler(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return float(len(weights) ** 2 * f.square().sum(1).mean())

@wrong("jacobian_frobenius", "norm_of_the_outputs")
def jac_outputs(weights, x):
    f = x
    for w in weights[:-1]:
        f = F.relu(f @ w.T)
    f = f @ weights[-1].T
    return float(f.square().sum(1).mean())

@wrong("jacobian_frobenius", "")
def jac_of_the_first_example(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return (J[0] ** 2).sum()

@wrong("jacobian_frobenius", "")
def jac_nuclear(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return torch.linalg.matrix_norm(J, "nuc").pow(2).mean()

@wrong("jacobian_frobenius", "")
def jac_freezes_weights(weights, x):
    for w in weights:
        w.requires_grad_(False)
    def f(example):
        h = example
        for w in weights[:-1]:
            h = torch.relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return (J**2).sum((1, 2)).mean()

@wrong("jacobian_frobenius", "")
def jac_leaky(weights, x):
    def f(example):
        h = example
        for w in weights[:-1]:
            h = F.leaky_relu(w.detach() @ h)
        return weights[-1].detach() @ h

    J = torch.stack([torch.autograd.functional.jacobian(f, example) for example in x.detach()])
    return (J**2).sum((1, 2)).mean()

# deep_linear_penalty

@right("deep_linear_penalty")
def penalty_of_a_root(beta, K):
    return K * (beta**2) ** (1 / K)

@right("deep_linear_penalty")
def penalty_by_exponentials(beta, K):
    return K * sp.exp(sp.Rational(2) * sp.log(sp.Abs(beta)) / K)

@right("deep_linear_penalty")
def penalty_as_a_sum(beta, K):
    i = sp.Symbol("i", integer=True)
    factor = sp.Abs(beta) ** (1 / K)
    return sp.Sum(factor**2, (i, 1, K))

@right("deep_linear_penalty")
def penalty_piecewise(beta, K):
    return sp.Piecewise((K * beta ** (2 / K), beta > 0), (K * (-beta) ** (2 / K), True))

@right("deep_linear_penalty")
def penalty_by_lagrange(beta, K):
    size = sp.root(sp.sign(beta) * beta, K)
    return size * size * K

@wrong("deep_linear_penalty", "one_square")
def penalty_of_one_factor(beta, K):
    return sp.Abs(beta) ** (2 / K)

@wrong("deep_linear_penalty", "sign_under_the_root")
def penalty_signed(beta, K):
    return K * beta ** (2 / K)

@wrong("deep_linear_penalty", "penalty_of_one_layer")
def penalty_shallow(beta, K):
    return sp.Abs(beta) ** 2

@wrong("deep_linear_penalty", "one_layer_carries_all")
def penalty_unbalanced(beta, K):
    return sp.Abs(beta) ** 2 + (K - 1) * 1

@wrong("deep_linear_penalty", "sum_for_product")
def penalty_of_shares(beta, K):
    return K * (beta / K) ** 2

@wrong("deep_linear_penalty", "each_carries_all")
def penalty_of_betas(beta, K):
    return K * beta * beta

@wrong("deep_linear_penalty", "magnitudes_summed")
def penalty_not_squared(beta, K):
    return K * sp.root(sp.Abs(beta), K)

@wrong("deep_linear_penalty", "half_kept")
def penalty_halved(beta, K):
    return sp.Rational(1, 2) * K * (beta**2) ** (1 / K)

@wrong("deep_linear_penalty", "root_of_depth_squared")
def penalty_of_powers(beta, K):
    return K * (beta**2) ** K

@wrong("deep_linear_penalty", "square_root_for_any_depth")
def penalty_of_square_roots(beta, K):
    return K * sp.sqrt(beta**2)

@wrong("deep_linear_penalty", "depth_squared")
def penalty_depth_twice(beta, K):
    return K * K * (beta**2) ** (1 / K)

@wrong("deep_linear_penalty", "")
def penalty_with_L(beta, K):
    return sp.Symbol("L") * sp.Abs(beta) ** (2 / K)

@wrong("deep_linear_penalty", "")
def penalty_half_exponent(beta, K):
    return K * sp.Abs(beta) ** (1 / (2 * K))

@wrong("deep_linear_penalty", "")
def penalty_positive_only(beta, K):
    return K * sp.exp(2 * sp.log(beta) / K) * sp.Heaviside(beta)

# balanced_factors

@right("balanced_factors")
def factors_sign_last(beta, K):
    size = abs(beta) ** (1 / K)
    return [size] * (K - 1) + [math.copysign(size, beta)]

@right("balanced_factors")
def factors_numpy(beta, K):
    f = np.full(K, np.abs(beta) ** (1 / K))
    f[K // 2] *= np.sign(beta)
    return f

@right("balanced_factors")
def factors_odd_number_of_signs(beta, K):
    size = torch.tensor(abs(beta), dtype=torch.float64).log().div(K).exp()
    factors = size.expand(K).clone()
    if beta < 0:
        factors[: K if K % 2 else K - 1] *= -1
    elif K > 1:
        factors[:2] *= -1
    return factors

@right("balanced_factors")
def factors_by_evening_out(beta, K):
    factors = torch.ones(K, dtype=torch.float64)
    factors[0] = abs(beta)
    if beta == 0:
        return 0 * factors
    for _ in range(200 * K):
        big, small = int(factors.argmax()), int(factors.argmin())
        if big != small:
            factors[[big, small]] = torch.sqrt(factors[big] * factors[small])
    factors[-1] = beta / factors[:-1].prod()
    return factors

@wrong("balanced_factors", "root_of_a_negative")
def factors_plain_root(beta, K):
    return [beta ** (1 / K)] * K

@wrong("balanced_factors", "root_of_a_negative")
def factors_nan(beta, K):
    return torch.full((K,), beta, dtype=torch.float64) ** (1 / K)

@wrong("balanced_factors", "sign_lost")
def factors_positive(beta, K):
    return torch.full((K,), abs(beta) ** (1 / K), dtype=torch.float64)

@wrong("balanced_factors", "sign_on_every_factor")
def factors_all_signed(beta, K):
    return [math.copysign(abs(beta) ** (1 / K), beta)] * K

@wrong("balanced_factors", "unbalanced")
def factors_one_carries(beta, K):
    return [beta] + [1.0] * (K - 1)

@wrong("balanced_factors", "shares_of_a_sum")
def factors_shares(beta, K):
    return torch.ones(K, dtype=torch.float64) * beta / K

@wrong("balanced_factors", "squared_factors")
def factors_squared(beta, K):
    f = torch.full((K,), abs(beta) ** (2 / K), dtype=torch.float64)
    f[-1] *= np.sign(beta)
    return f

@wrong("balanced_factors", "square_roots")
def factors_square_roots(beta, K):
    f = [math.sqrt(abs(beta))] * K
    f[0] = math.copysign(f[0], beta)
    return f

@wrong("balanced_factors", "beta_each")
def factors_betas(beta, K):
    return [beta] * K

@wrong("balanced_factors", "one_size")
def factors_one_number(beta, K):
    return abs(beta) ** (1 / K)

@wrong("balanced_factors", "factors_in_float32")
def factors_default_dtype(beta, K):
    f = torch.full((K,), abs(beta) ** (1 / K))
    f[0] = math.copysign(float(f[0]), beta)
    return f

@wrong("balanced_factors", "")
def factors_one_too_many(beta, K):
    f = [abs(beta) ** (1 / K)] * (K + 1)
    f[0] = math.copysign(f[0], beta)
    return f

@wrong("balanced_factors", "")
def factors_last_makes_up(beta, K):
    f = [2.0] * (K - 1)
    return f + [beta / 2.0 ** (K - 1)]

@wrong("balanced_factors", "")
def factors_as_a_row(beta, K):
    f = torch.full((1, K), abs(beta) ** (1 / K), dtype=torch.float64)
    f[0, 0] *= math.copysign(1, beta)
    return f

@wrong("balanced_factors", "")
def factors_in_words(beta, K):
    return "beta to the power 1/K"
