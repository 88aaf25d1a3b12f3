"""Bank of chapter 03: right alternatives and wrong implementations."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# rmsprop_step


@right("rmsprop_step")
def rms_plain(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return w - lr * g / torch.sqrt(s + eps), s


@right("rmsprop_step")
def rms_lerp_rsqrt(w, g, s, lr, beta=0.9, eps=1e-8):
    s_new = torch.lerp(g * g, s, beta)
    return w.sub(g * (s_new + eps).rsqrt(), alpha=lr), s_new


@right("rmsprop_step")
def rms_in_place_on_copies(w, g, s, lr, beta=0.9, eps=1e-8):
    w, s = w.clone(), s.clone()
    s.mul_(beta).addcmul_(g, g, value=1 - beta)
    w.addcdiv_(g, s.add(eps).sqrt_(), value=-lr)
    return w, s


@right("rmsprop_step")
def rms_numpy(w, g, s, lr, beta=0.9, eps=1e-8):
    a, b, c = (t.double().numpy() for t in (w, g, s))
    c = beta * c + (1 - beta) * np.square(b)
    return torch.from_numpy(np.asarray(a - lr * b / np.sqrt(c + eps))).to(w.dtype), torch.from_numpy(np.asarray(c)).to(s.dtype)


@right("rmsprop_step")
def rms_entry_by_entry(w, g, s, lr, beta=0.9, eps=1e-8):
    moved, sizes = [], []
    for wi, gi, si in zip(w.flatten().tolist(), g.flatten().tolist(), s.flatten().tolist()):
        si = beta * si + (1 - beta) * gi * gi
        moved.append(wi - lr * gi / math.sqrt(si + eps))
        sizes.append(si)
    return torch.tensor(moved, dtype=w.dtype).reshape(w.shape), torch.tensor(sizes, dtype=s.dtype).reshape(s.shape)


@wrong("rmsprop_step", "eps_outside")
def rms_as_pytorch(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return w - lr * g / (s.sqrt() + eps), s


@wrong("rmsprop_step", "sum_for_average")
def rms_sums(w, g, s, lr, beta=0.9, eps=1e-8):
    s = s + g.pow(2)
    return w - lr * g / (s + eps).sqrt(), s


@wrong("rmsprop_step", "weights_exchanged")
def rms_beta_on_the_new(w, g, s, lr, beta=0.9, eps=1e-8):
    s = (1 - beta) * s + beta * g**2
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "square_at_full_weight")
def rms_no_one_minus_beta(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + g**2
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "size_of_before")
def rms_updates_last(w, g, s, lr, beta=0.9, eps=1e-8):
    w = w - lr * g / torch.sqrt(s + eps)
    s = beta * s + (1 - beta) * g**2
    return w, s


@wrong("rmsprop_step", "root_forgotten")
def rms_divides_by_square(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return w - lr * g / (s + eps), s


@wrong("rmsprop_step", "eps_gathered")
def rms_eps_in_s(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2 + eps
    return w - lr * g / torch.sqrt(s), s


@wrong("rmsprop_step", "one_size_for_all")
def rms_of_the_tensor(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * torch.mean(g**2)
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "gradient_not_squared")
def rms_of_g(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "absolute_value_for_square")
def rms_of_abs(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * torch.abs(g)
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "returned_in_another_order")
def rms_state_first(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return s, w - lr * g / torch.sqrt(s + eps)


@wrong("rmsprop_step", "right_on_the_first_step_only")
def rms_fresh_state(w, g, s, lr, beta=0.9, eps=1e-8):
    s = (1 - beta) * g**2
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "state_not_updated")
def rms_returns_old_s(w, g, s, lr, beta=0.9, eps=1e-8):
    new = beta * s + (1 - beta) * g**2
    return w - lr * g / torch.sqrt(new + eps), s


@wrong("rmsprop_step", "eps_forgotten")
def rms_without_eps(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return w - lr * g / torch.sqrt(s), s


@wrong("rmsprop_step", "eps_ignored")
def rms_eps_by_number(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return w - lr * g / torch.sqrt(s + 1e-8), s


@wrong("rmsprop_step", "options_ignored")
def rms_numbers_for_options(w, g, s, lr, beta=0.9, eps=1e-8):
    s = 0.9 * s + 0.1 * g**2
    return w - lr * g / torch.sqrt(s + 1e-8), s


@wrong("rmsprop_step", "uphill")
def rms_plus(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return w + lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "")
def rms_mutates_s(w, g, s, lr, beta=0.9, eps=1e-8):
    s.mul_(beta).add_((1 - beta) * g**2)
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "")
def rms_mutates_w(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    w -= lr * g / torch.sqrt(s + eps)
    return w, s


@wrong("rmsprop_step", "")
def rms_signs(w, g, s, lr, beta=0.9, eps=1e-8):
    return w - lr * g.sign(), beta * s + (1 - beta) * g**2


@wrong("rmsprop_step", "")
def rms_only_w(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return w - lr * g / torch.sqrt(s + eps)


@wrong("rmsprop_step", "")
def rms_in_double(w, g, s, lr, beta=0.9, eps=1e-8):
    s = beta * s.double() + (1 - beta) * g.double() ** 2
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "")
def rms_other_default(w, g, s, lr, beta=0.99, eps=1e-8):
    s = beta * s + (1 - beta) * g**2
    return w - lr * g / torch.sqrt(s + eps), s


@wrong("rmsprop_step", "")
def rms_returns_the_root(w, g, s, lr, beta=0.9, eps=1e-8):
    root = torch.sqrt(beta * s + (1 - beta) * g**2 + eps)
    return w - lr * g / root, root


# adagrad_step


@right("adagrad_step")
def ada_plain(w, g, f, lr, eps=1e-8):
    f = f + g**2
    return w - lr * g / torch.sqrt(f + eps), f


@right("adagrad_step")
def ada_addcmul(w, g, f, lr, eps=1e-8):
    f_new = torch.addcmul(f, g, g)
    return torch.addcdiv(w, g, (f_new + eps) ** 0.5, value=-lr), f_new


@right("adagrad_step")
def ada_rates(w, g, f, lr, eps=1e-8):
    f = torch.stack([f, g.square()]).sum(0)
    rates = lr * torch.pow(f + eps, -0.5)
    return w - rates * g, f


@right("adagrad_step")
def ada_numpy(w, g, f, lr, eps=1e-8):
    g64 = g.numpy().astype(np.float64)
    total = f.numpy().astype(np.float64) + g64**2
    moved = w.numpy() - lr * g64 / np.sqrt(total + eps)
    return torch.as_tensor(moved, dtype=w.dtype), torch.as_tensor(total, dtype=f.dtype)


@wrong("adagrad_step", "eps_outside")
def ada_as_pytorch(w, g, f, lr, eps=1e-8):
    f = f + g**2
    return w - lr * g / (torch.sqrt(f) + eps), f


@wrong("adagrad_step", "average_for_sum")
def ada_as_rmsprop(w, g, f, lr, eps=1e-8):
    f = 0.9 * f + 0.1 * g**2
    return w - lr * g / torch.sqrt(f + eps), f


@wrong("adagrad_step", "size_of_before")
def ada_updates_last(w, g, f, lr, eps=1e-8):
    return w - lr * g / torch.sqrt(f + eps), f + g**2


@wrong("adagrad_step", "root_forgotten")
def ada_no_root(w, g, f, lr, eps=1e-8):
    f = f + g * g
    return w - lr / (f + eps) * g, f


@wrong("adagrad_step", "eps_gathered")
def ada_eps_in_f(w, g, f, lr, eps=1e-8):
    f = f + g**2 + eps
    return w - lr * g / f.sqrt(), f


@wrong("adagrad_step", "gradient_not_squared")
def ada_of_g(w, g, f, lr, eps=1e-8):
    f = f + g
    return w - lr * g / torch.sqrt(f + eps), f


@wrong("adagrad_step", "absolute_value_for_square")
def ada_of_abs(w, g, f, lr, eps=1e-8):
    f = f + g.abs()
    return w - lr * g / torch.sqrt(f + eps), f


@wrong("adagrad_step", "returned_in_another_order")
def ada_state_first(w, g, f, lr, eps=1e-8):
    f = f + g**2
    w = w - lr * g / torch.sqrt(f + eps)
    return f, w


@wrong("adagrad_step", "right_on_the_first_step_only")
def ada_fresh_state(w, g, f, lr, eps=1e-8):
    f = torch.zeros_like(g) + g**2
    return w - lr * g / torch.sqrt(f + eps), f


@wrong("adagrad_step", "state_not_updated")
def ada_returns_old_f(w, g, f, lr, eps=1e-8):
    return w - lr * g / torch.sqrt(f + g**2 + eps), f.clone()


@wrong("adagrad_step", "eps_forgotten")
def ada_without_eps(w, g, f, lr, eps=1e-8):
    f = f + g**2
    return w - lr * g / torch.sqrt(f), f


@wrong("adagrad_step", "eps_ignored")
def ada_eps_by_number(w, g, f, lr, eps=1e-8):
    f = f + g**2
    return w - lr * g / torch.sqrt(f + 1e-8), f


@wrong("adagrad_step", "uphill")
def ada_plus(w, g, f, lr, eps=1e-8):
    f = f + g**2
    return w + lr * g / torch.sqrt(f + eps), f


@wrong("adagrad_step", "")
def ada_mutates_f(w, g, f, lr, eps=1e-8):
    f += g**2
    return w - lr * g / torch.sqrt(f + eps), f


@wrong("adagrad_step", "")
def ada_full_norm(w, g, f, lr, eps=1e-8):
    f = f + (g**2).sum()
    return w - lr * g / torch.sqrt(f + eps), f


@wrong("adagrad_step", "")
def ada_other_default(w, g, f, lr, eps=1e-10):
    f = f + g**2
    return w - lr * g / torch.sqrt(f + eps), f


@wrong("adagrad_step", "")
def ada_in_double(w, g, f, lr, eps=1e-8):
    f = f.numpy().astype("float64") + g.numpy().astype("float64") ** 2
    return torch.from_numpy(w.numpy() - lr * g.numpy() / np.sqrt(f + eps)), torch.from_numpy(f)


# adam_step


@right("adam_step")
def adam_plain(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**k)
    s_hat = s / (1 - beta2**k)
    return w - lr * m_hat / (torch.sqrt(s_hat) + eps), m, s


@right("adam_step")
def adam_as_pytorch_writes_it(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m, s = m.lerp(g, 1 - beta1), (s * beta2).addcmul(g, g, value=1 - beta2)
    denominator = s.sqrt() / math.sqrt(1 - beta2**k) + eps
    return w.addcdiv(m, denominator, value=-lr / (1 - beta1**k)), m, s


@right("adam_step")
def adam_short_form_with_scaled_eps(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = torch.lerp(g, m, beta1)
    s = torch.lerp(g.square(), s, beta2)
    root = (1 - beta2**k) ** 0.5
    rate = lr * root / (1 - beta1**k)
    return w - rate * m / (s.sqrt() + eps * root), m, s


@right("adam_step")
def adam_by_the_optimizer(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    from torch.optim.adam import adam

    w, m, s = w.clone(), m.clone(), s.clone()
    adam([w], [g], [m], [s], [], [torch.tensor(k - 1.0)], foreach=False, amsgrad=False, beta1=beta1, beta2=beta2, lr=lr,
         weight_decay=0.0, eps=eps, maximize=False)
    return w, m, s


@right("adam_step")
def adam_numpy_in_double(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    w64, g64, m64, s64 = (np.asarray(t, dtype=np.float64) for t in (w, g, m, s))
    m64 = m64 + (1 - beta1) * (g64 - m64)
    s64 = s64 + (1 - beta2) * (g64**2 - s64)
    w64 = w64 - lr * (m64 / -np.expm1(k * np.log(beta1))) / (np.sqrt(s64 / -np.expm1(k * np.log(beta2))) + eps)
    return tuple(torch.tensor(a, dtype=w.dtype) for a in (w64, m64, s64))


@wrong("adam_step", "no_bias_correction")
def adam_uncorrected(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (torch.sqrt(s) + eps), m, s


@wrong("adam_step", "correction_of_the_first_step")
def adam_k_unused(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    m_hat, s_hat = m / (1 - beta1), s / (1 - beta2)
    return w - lr * m_hat / (torch.sqrt(s_hat) + eps), m, s


@wrong("adam_step", "one_step_too_few")
def adam_k_from_zero(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    m_hat = m / (1 - beta1 ** (k - 1))
    s_hat = s / (1 - beta2 ** (k - 1))
    return w - lr * m_hat / (torch.sqrt(s_hat) + eps), m, s


@wrong("adam_step", "one_step_too_many")
def adam_k_plus_one(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    k = k + 1
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "only_m_corrected")
def adam_s_uncorrected(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * (m / (1 - beta1**k)) / (s.sqrt() + eps), m, s


@wrong("adam_step", "only_s_corrected")
def adam_m_uncorrected(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / ((s / (1 - beta2**k)).sqrt() + eps), m, s


@wrong("adam_step", "corrected_moments_returned")
def adam_returns_hats(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = (beta1 * m + (1 - beta1) * g) / (1 - beta1**k)
    s = (beta2 * s + (1 - beta2) * g**2) / (1 - beta2**k)
    return w - lr * m / (torch.sqrt(s) + eps), m, s


@wrong("adam_step", "eps_inside")
def adam_eps_under_root(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / torch.sqrt(s / (1 - beta2**k) + eps), m, s


@wrong("adam_step", "eps_scaled_by_the_correction")
def adam_epsilon_hat(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    lr_k = lr * math.sqrt(1 - beta2**k) / (1 - beta1**k)
    return w - lr_k * m / (s.sqrt() + eps), m, s


@wrong("adam_step", "correction_outside_the_root")
def adam_root_then_correct(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s) / (1 - beta2**k) + eps), m, s


@wrong("adam_step", "multiplied_by_the_correction")
def adam_times_correction(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    m_hat, s_hat = m * (1 - beta1**k), s * (1 - beta2**k)
    return w - lr * m_hat / (torch.sqrt(s_hat) + eps), m, s


@wrong("adam_step", "product_as_printed")
def adam_lecture_formula(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) * (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "gradient_for_m")
def adam_along_g(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * g / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "betas_exchanged")
def adam_wrong_betas(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta2 * m + (1 - beta2) * g
    s = beta1 * s + (1 - beta1) * g**2
    return w - lr * m / (1 - beta2**k) / (torch.sqrt(s / (1 - beta1**k)) + eps), m, s


@wrong("adam_step", "weights_exchanged_in_adam")
def adam_betas_on_the_new(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * g + (1 - beta1) * m
    s = beta2 * g**2 + (1 - beta2) * s
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "heavy_ball")
def adam_with_sgd_momentum(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "both_at_full_weight")
def adam_no_one_minus_beta(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + g
    s = beta2 * s + g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "m_squared")
def adam_square_of_m(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * m**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "gradient_not_squared_in_adam")
def adam_of_g(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "root_forgotten_in_adam")
def adam_no_root(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (s / (1 - beta2**k) + eps), m, s


@wrong("adam_step", "moments_of_before")
def adam_updates_last(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    w = w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps)
    return w, beta1 * m + (1 - beta1) * g, beta2 * s + (1 - beta2) * g**2


@wrong("adam_step", "m_and_s_taken_in_another_order")
def adam_s_before_m(w, g, s, m, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "m_and_s_swapped")
def adam_returns_s_before_m(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), s, m


@wrong("adam_step", "right_on_the_first_step_only")
def adam_fresh_state(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m, s = torch.zeros_like(w), torch.zeros_like(w)
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "state_not_updated")
def adam_returns_old_state(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m_new = beta1 * m + (1 - beta1) * g
    s_new = beta2 * s + (1 - beta2) * g**2
    return w - lr * m_new / (1 - beta1**k) / (torch.sqrt(s_new / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "eps_forgotten")
def adam_without_eps(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / torch.sqrt(s / (1 - beta2**k)), m, s


@wrong("adam_step", "eps_ignored")
def adam_eps_by_number(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + 1e-8), m, s


@wrong("adam_step", "options_ignored")
def adam_numbers_for_options(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = 0.9 * m + 0.1 * g
    s = 0.999 * s + 0.001 * g**2
    return w - lr * m / (1 - 0.9**k) / (torch.sqrt(s / (1 - 0.999**k)) + 1e-8), m, s


@wrong("adam_step", "uphill")
def adam_plus(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w + lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "")
def adam_beta_times_k(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1 * k) / (torch.sqrt(s / abs(1 - beta2 * k)) + eps), m, s


@wrong("adam_step", "")
def adam_mutates_state(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m.mul_(beta1).add_(g, alpha=1 - beta1)
    s.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "")
def adam_nesterov(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    ahead = beta1 * m / (1 - beta1 ** (k + 1)) + (1 - beta1) * g / (1 - beta1**k)
    return w - lr * ahead / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "")
def adam_largest(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = torch.maximum(beta2 * s, g.abs())
    return w - lr * m / (1 - beta1**k) / (s + eps), m, s


@wrong("adam_step", "")
def adam_other_defaults(w, g, m, s, k, lr, beta1=0.9, beta2=0.99, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


@wrong("adam_step", "")
def adam_without_k(w, g, m, s, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (torch.sqrt(s) + eps), m, s


@wrong("adam_step", "")
def adam_in_double(w, g, m, s, k, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    w, g, m, s = w.double(), g.double(), m.double(), s.double()
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**k) / (torch.sqrt(s / (1 - beta2**k)) + eps), m, s


# adagrad_rate


@right("adagrad_rate")
def rate_closed(lr, g, k):
    return lr / (g * sp.sqrt(k))


@right("adagrad_rate")
def rate_of_a_sum(lr, g, k):
    i = sp.Symbol("i", integer=True)
    return lr / sp.sqrt(sp.Sum(g**2, (i, 1, k)))


@right("adagrad_rate")
def rate_as_power(lr, g, k):
    return lr * (k * g**2) ** -0.5


@right("adagrad_rate")
def rate_from_the_step(lr, g, k):
    f = k * g**2
    return sp.simplify(lr * g / sp.sqrt(f)) / g


@right("adagrad_rate")
def rate_in_fresh_symbols(lr, g, k):
    a, b, n = sp.symbols("a b n", positive=True)
    return sp.sqrt(a**2 / (n * b**2)).subs({a: lr, b: g, n: k})


@wrong("adagrad_rate", "step_for_multiplier")
def rate_times_g(lr, g, k):
    return lr * g / sp.sqrt(k * g**2)


@wrong("adagrad_rate", "no_decay")
def rate_of_a_mean(lr, g, k):
    return lr / sp.sqrt(k * g**2 / k)


@wrong("adagrad_rate", "root_of_accumulator_missing")
def rate_without_root(lr, g, k):
    return lr / (g**2 * k)


@wrong("adagrad_rate", "root_of_g_alone")
def rate_like_one_over_k(lr, g, k):
    return lr / g / k


@wrong("adagrad_rate", "accumulator_of_gradients")
def rate_of_summed_g(lr, g, k):
    return lr / sp.sqrt(k * g)


@wrong("adagrad_rate", "root_of_k_alone")
def rate_half_rooted(lr, g, k):
    return lr / (g**2 * sp.sqrt(k))


@wrong("adagrad_rate", "one_term_too_few")
def rate_before_the_update(lr, g, k):
    i = sp.Symbol("i", integer=True)
    return lr / sp.sqrt(sp.Sum(g**2, (i, 1, k - 1)))


@wrong("adagrad_rate", "one_term_too_many")
def rate_from_term_zero(lr, g, k):
    i = sp.Symbol("i", integer=True)
    return lr / sp.sqrt(sp.Sum(g**2, (i, 0, k)).doit())


@wrong("adagrad_rate", "sign_of_the_step")
def rate_negative(lr, g, k):
    return -lr / (sp.sqrt(k) * g)


@wrong("adagrad_rate", "")
def rate_growing(lr, g, k):
    return lr * sp.sqrt(k) / g


@wrong("adagrad_rate", "")
def rate_with_eps(lr, g, k):
    return lr / sp.sqrt(k * g**2 + sp.Symbol("eps", positive=True))


@wrong("adagrad_rate", "")
def rate_of_squared_sum(lr, g, k):
    return lr / sp.sqrt(k**2 * g**2 + 1)


# bias_correction


@right("bias_correction")
def correction_closed(beta, k):
    return 1 - beta**k


@right("bias_correction")
def correction_as_sum(beta, k):
    i = sp.Symbol("i", integer=True, positive=True)
    return sp.Sum((1 - beta) * beta ** (k - i), (i, 1, k))


@right("bias_correction")
def correction_by_summation(beta, k):
    j = sp.Symbol("j", integer=True, nonnegative=True)
    return (1 - beta) * sp.summation(beta**j, (j, 0, k - 1))


@right("bias_correction")
def correction_by_recursion(beta, k):
    n, c = sp.Symbol("n", integer=True), sp.Function("c")
    solution = sp.rsolve(c(n) - beta * c(n - 1) - (1 - beta), c(n), {c(0): 0})
    return solution.subs(n, k)


@right("bias_correction")
def correction_by_exponential(beta, k):
    return -(sp.exp(k * sp.log(beta)) - 1)


@wrong("bias_correction", "factor_that_makes_up")
def correction_inverse(beta, k):
    return 1 / (1 - beta**k)


@wrong("bias_correction", "weight_of_the_start")
def correction_of_zero(beta, k):
    return beta**k


@wrong("bias_correction", "unbiased")
def correction_one(beta, k):
    return 1


@wrong("bias_correction", "newest_gradient_only")
def correction_newest(beta, k):
    return 1 - beta


@wrong("bias_correction", "oldest_gradient_only")
def correction_oldest(beta, k):
    return beta ** (k - 1) * (1 - beta)


@wrong("bias_correction", "bare_geometric_sum")
def correction_geometric(beta, k):
    i = sp.Symbol("i", integer=True)
    return sp.Sum(beta ** (k - i), (i, 1, k))


@wrong("bias_correction", "equal_weights")
def correction_k_times(beta, k):
    return k * (1 - beta)


@wrong("bias_correction", "one_power_too_few")
def correction_from_zero(beta, k):
    i = sp.Symbol("i", integer=True, positive=True)
    return (1 - beta) * sp.summation(beta ** (k - i), (i, 2, k))


@wrong("bias_correction", "one_power_too_many")
def correction_one_more(beta, k):
    return 1 - beta ** (k + 1)


@wrong("bias_correction", "power_of_the_difference")
def correction_power_outside(beta, k):
    return (1 - beta) ** k


@wrong("bias_correction", "product_for_power")
def correction_linear(beta, k):
    return 1 - k * beta


@wrong("bias_correction", "")
def correction_plus(beta, k):
    return 1 + beta**k


@wrong("bias_correction", "")
def correction_negative(beta, k):
    return beta**k - 1


@wrong("bias_correction", "")
def correction_roots(beta, k):
    return sp.sqrt(1 - beta**k)


@wrong("bias_correction", "")
def correction_with_mean(beta, k):
    return (1 - beta**k) * sp.Symbol("E_g")


# empirical_fisher


@right("empirical_fisher")
def fisher_matmul(grads):
    return grads.T @ grads / grads.shape[0]


@right("empirical_fisher")
def fisher_einsum(grads):
    return torch.einsum("ni,nj->nij", grads, grads).mean(dim=0)


@right("empirical_fisher")
def fisher_loop(grads):
    total = torch.zeros(grads.shape[1], grads.shape[1], dtype=grads.dtype)
    for g in grads:
        total = total + torch.outer(g, g)
    return total / len(grads)


@right("empirical_fisher")
def fisher_by_covariance(grads):
    mean = grads.double().mean(0)
    centred = grads.double() - mean
    return (centred.T @ centred / len(grads) + torch.outer(mean, mean)).to(grads.dtype)


@right("empirical_fisher")
def fisher_numpy(grads):
    a = grads.numpy() / np.sqrt(len(grads))
    return torch.as_tensor(np.dot(a.T, a), dtype=grads.dtype)


@wrong("empirical_fisher", "centred")
def fisher_minus_mean(grads):
    d = grads - grads.mean(dim=0)
    return d.T @ d / grads.shape[0]


@wrong("empirical_fisher", "sample_covariance")
def fisher_torch_cov(grads):
    return torch.cov(grads.T)


@wrong("empirical_fisher", "summed")
def fisher_sum(grads):
    return grads.T @ grads


@wrong("empirical_fisher", "outer_product_of_the_mean")
def fisher_mean_first(grads):
    mean = grads.mean(0)
    return mean[:, None] * mean[None, :]


@wrong("empirical_fisher", "divided_by_one_less")
def fisher_bessel(grads):
    return grads.T @ grads / (grads.shape[0] - 1)


@wrong("empirical_fisher", "diagonal_alone")
def fisher_second_moments(grads):
    return (grads**2).mean(0)


@wrong("empirical_fisher", "empty_off_the_diagonal")
def fisher_diag(grads):
    return torch.diag((grads**2).mean(0))


@wrong("empirical_fisher", "examples_for_parameters")
def fisher_gram(grads):
    return grads @ grads.T / grads.shape[0]


@wrong("empirical_fisher", "averaged_over_parameters")
def fisher_gram_of_parameters(grads):
    return torch.einsum("np,mp->nm", grads, grads) / grads.shape[1]


@wrong("empirical_fisher", "divided_by_parameters")
def fisher_over_p(grads):
    return grads.T @ grads / grads.shape[-1]


@wrong("empirical_fisher", "")
def fisher_centres_in_place(grads):
    grads -= grads.mean(0)
    return grads.T @ grads / len(grads)


@wrong("empirical_fisher", "")
def fisher_stack_of_outers(grads):
    return torch.stack([torch.outer(g, g) for g in grads])


@wrong("empirical_fisher", "")
def fisher_in_double(grads):
    return grads.double().T @ grads.double() / len(grads)


@wrong("empirical_fisher", "")
def fisher_elementwise(grads):
    return grads * grads / len(grads)


@wrong("empirical_fisher", "")
def fisher_minus_mean_term(grads):
    mean = grads.mean(0)
    d = grads - mean
    return d.T @ d / len(grads) - torch.outer(mean, mean)


# batch_empirical_fisher


@right("batch_empirical_fisher")
def batch_two_terms(grads, batch_size):
    mean = grads.mean(0)
    centred = grads - mean
    return centred.T @ centred / len(grads) / batch_size + torch.outer(mean, mean)


@right("batch_empirical_fisher")
def batch_from_the_fisher(grads, batch_size):
    mean = grads.mean(0, keepdim=True)
    fisher, centre = grads.T @ grads / len(grads), mean.T @ mean
    return (fisher + (batch_size - 1) * centre) / batch_size


@right("batch_empirical_fisher")
def batch_torch_cov(grads, batch_size):
    mean = grads.mean(0)
    covariance = torch.cov(grads.T, correction=0).reshape(len(mean), len(mean))
    return covariance / batch_size + mean.outer(mean)


@right("batch_empirical_fisher")
def batch_numpy(grads, batch_size):
    a = grads.numpy().astype(np.float64)
    covariance = np.atleast_2d(np.cov(a, rowvar=False, bias=True))
    mean = a.mean(axis=0)
    return torch.from_numpy(covariance / batch_size + np.outer(mean, mean)).to(grads.dtype)


@right("batch_empirical_fisher")
def batch_pairs_of_examples(grads, batch_size):
    n = len(grads)
    same = sum(torch.outer(g, g) for g in grads) / n
    other = sum(torch.outer(a, b) for a in grads for b in grads) / n**2
    return same / batch_size + (1 - 1 / batch_size) * other


@wrong("batch_empirical_fisher", "batch_size_ignored")
def batch_as_single(grads, batch_size):
    return grads.T @ grads / len(grads)


@wrong("batch_empirical_fisher", "everything_divided")
def batch_whole_over_size(grads, batch_size):
    return grads.T @ grads / len(grads) / batch_size


@wrong("batch_empirical_fisher", "mean_gradient_forgotten")
def batch_noise_only(grads, batch_size):
    d = grads - grads.mean(0)
    return d.T @ d / (len(grads) * batch_size)


@wrong("batch_empirical_fisher", "sample_covariance_of_batch")
def batch_default_cov(grads, batch_size):
    mean = grads.mean(0)
    return torch.cov(grads.T) / batch_size + torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "mean_counted_twice")
def batch_second_moment_for_cov(grads, batch_size):
    mean = grads.mean(0)
    return grads.T @ grads / len(grads) / batch_size + torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "root_of_the_batch_size")
def batch_root(grads, batch_size):
    mean = grads.mean(0)
    d = grads - mean
    return d.T @ d / len(grads) / math.sqrt(batch_size) + torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "square_of_the_batch_size")
def batch_squared(grads, batch_size):
    mean = grads.mean(0)
    d = grads - mean
    return d.T @ d / len(grads) / batch_size**2 + torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "without_replacement")
def batch_finite_population(grads, batch_size):
    n, mean = len(grads), grads.mean(0)
    d = grads - mean
    shrink = (n - batch_size) / (n - 1)
    return shrink * (d.T @ d / n) / batch_size + torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "rows_in_their_order")
def batch_chunks(grads, batch_size):
    means = torch.stack([grads[i:i + batch_size].mean(0) for i in range(0, len(grads), batch_size)])
    return means.T @ means / len(means)


@wrong("batch_empirical_fisher", "batch_summed")
def batch_of_sums(grads, batch_size):
    mean = grads.mean(0)
    d = grads - mean
    return batch_size * d.T @ d / len(grads) + batch_size**2 * torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "covariance_forgotten")
def batch_full(grads, batch_size):
    mean = grads.mean(0)
    return torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "")
def batch_noise_grows(grads, batch_size):
    mean = grads.mean(0)
    d = grads - mean
    return d.T @ d / len(grads) * batch_size + torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "")
def batch_sampled(grads, batch_size):
    picks = torch.randint(len(grads), (200, batch_size))
    means = grads[picks].mean(1)
    return means.T @ means / len(means)


@wrong("batch_empirical_fisher", "")
def batch_mean_subtracted(grads, batch_size):
    mean = grads.mean(0)
    d = grads - mean
    return d.T @ d / len(grads) / batch_size - torch.outer(mean, mean)


@wrong("batch_empirical_fisher", "")
def batch_scalar_mean_term(grads, batch_size):
    mean = grads.mean(0)
    return torch.cov(grads.T, correction=0) / batch_size + mean @ mean


@wrong("batch_empirical_fisher", "")
def batch_in_double(grads, batch_size):
    g = grads.double()
    return torch.cov(g.T, correction=0) / batch_size + torch.outer(g.mean(0), g.mean(0))


# softmax_fisher


@right("softmax_fisher")
def softmax_kron_loop(logits, features):
    total = 0
    for z, f in zip(logits, features):
        p = torch.softmax(z, 0)
        total = total + torch.kron(torch.diag(p) - torch.outer(p, p), torch.outer(f, f))
    return total / len(logits)


@right("softmax_fisher")
def softmax_einsum(logits, features):
    p = torch.softmax(logits, dim=1)
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    n, c, d = len(p), p.shape[1], features.shape[1]
    return torch.einsum("nab,ni,nj->aibj", inner, features, features).reshape(c * d, c * d) / n


@right("softmax_fisher")
def softmax_over_all_labels(logits, features):
    p = logits.softmax(1)
    n, c = p.shape
    total = torch.zeros(c * features.shape[1], c * features.shape[1], dtype=logits.dtype)
    for i in range(n):
        for label in range(c):
            error = p[i].clone()
            error[label] -= 1
            gradient = torch.outer(error, features[i]).flatten()
            total += p[i, label] * torch.outer(gradient, gradient)
    return total / n


@right("softmax_fisher")
def softmax_by_hessian(logits, features):
    c, d = logits.shape[1], features.shape[1]

    def loss(flat):
        moved = logits + features @ flat.reshape(c, d).T
        return F.cross_entropy(moved, torch.zeros(len(logits), dtype=torch.long))

    return torch.autograd.functional.hessian(loss, torch.zeros(c * d, dtype=logits.dtype))


@right("softmax_fisher")
def softmax_by_jacobian(logits, features):
    p = torch.softmax(logits.double(), 1)
    n, c = p.shape
    eye = torch.eye(c, dtype=torch.float64)
    jac = torch.einsum("ab,ni->nabi", eye, features.double()).reshape(n, c, -1)
    curvature = torch.diag_embed(p) - torch.einsum("na,nb->nab", p, p)
    return (jac.mT @ curvature @ jac).mean(0).to(logits.dtype)


@wrong("softmax_fisher", "most_probable_label")
def softmax_argmax_labels(logits, features):
    errors = torch.softmax(logits, 1) - F.one_hot(logits.argmax(1), logits.shape[1])
    g = (errors[:, :, None] * features[:, None, :]).flatten(1)
    return g.T @ g / len(g)


@wrong("softmax_fisher", "labels_equally_likely")
def softmax_uniform_labels(logits, features):
    n, c = logits.shape
    p, total = torch.softmax(logits, 1), 0
    for label in range(c):
        target = F.one_hot(torch.full((n,), label), c)
        g = ((p - target)[:, :, None] * features[:, None, :]).reshape(n, -1)
        total = total + g.T @ g / n
    return total / c


@wrong("softmax_fisher", "feature_major")
def softmax_kron_reversed(logits, features):
    p = torch.softmax(logits, 1)
    parts = [torch.kron(torch.outer(f, f), torch.diag(q) - torch.outer(q, q)) for q, f in zip(p, features)]
    return torch.stack(parts).mean(0)


@wrong("softmax_fisher", "probabilities_on_the_diagonal")
def softmax_diag_p(logits, features):
    p = torch.softmax(logits, 1)
    c, d = p.shape[1], features.shape[1]
    blocks = torch.einsum("na,ab,ni,nj->aibj", p, torch.eye(c, dtype=p.dtype), features, features)
    return blocks.reshape(c * d, c * d) / len(p)


@wrong("softmax_fisher", "classes_apart")
def softmax_bernoulli(logits, features):
    p = torch.softmax(logits, 1)
    parts = [torch.kron(torch.diag(q * (1 - q)), torch.outer(f, f)) for q, f in zip(p, features)]
    return sum(parts) / len(parts)


@wrong("softmax_fisher", "averages_multiplied")
def softmax_kfac(logits, features):
    p = torch.softmax(logits, 1)
    outputs = (torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)).mean(0)
    return torch.kron(outputs, features.T @ features / len(features))


@wrong("softmax_fisher", "summed_over_examples")
def softmax_sum(logits, features):
    p = torch.softmax(logits, 1)
    return sum(torch.kron(torch.diag(q) - torch.outer(q, q), torch.outer(f, f)) for q, f in zip(p, features))


@wrong("softmax_fisher", "scores_averaged_first")
def softmax_expected_gradient(logits, features):
    p = torch.softmax(logits, 1)
    eye = torch.eye(p.shape[1], dtype=p.dtype)
    scores = eye[None] - p[:, None, :]
    expected = torch.einsum("nc,nck->nk", p, scores)
    g = torch.einsum("nk,ni->nki", expected, features).flatten(1)
    return g.T @ g / len(g)


@wrong("softmax_fisher", "softmax_forgotten")
def softmax_missing(logits, features):
    parts = [torch.kron(torch.diag(z) - torch.outer(z, z), torch.outer(f, f)) for z, f in zip(logits, features)]
    return torch.stack(parts).mean(0)


@wrong("softmax_fisher", "softmax_over_the_batch")
def softmax_dim_0(logits, features):
    p = torch.softmax(logits, dim=0)
    parts = [torch.kron(torch.diag(q) - torch.outer(q, q), torch.outer(f, f)) for q, f in zip(p, features)]
    return torch.stack(parts).mean(0)


@wrong("softmax_fisher", "with_respect_to_the_logits")
def softmax_of_logits(logits, features):
    p = torch.softmax(logits, 1)
    return (torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)).mean(0)


@wrong("softmax_fisher", "four_axes")
def softmax_not_flattened(logits, features):
    p = torch.softmax(logits, 1)
    inner = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
    return torch.einsum("nab,ni,nj->aibj", inner, features, features) / len(p)


@wrong("softmax_fisher", "")
def softmax_sampled_labels(logits, features):
    p = torch.softmax(logits, 1)
    labels = torch.multinomial(p, 1)[:, 0]
    g = ((p - F.one_hot(labels, p.shape[1]))[:, :, None] * features[:, None, :]).flatten(1)
    return g.T @ g / len(g)


@wrong("softmax_fisher", "")
def softmax_plus(logits, features):
    p = torch.softmax(logits, 1)
    parts = [torch.kron(torch.diag(q) + torch.outer(q, q), torch.outer(f, f)) for q, f in zip(p, features)]
    return torch.stack(parts).mean(0)


@wrong("softmax_fisher", "")
def softmax_per_example(logits, features):
    p = torch.softmax(logits, 1)
    return torch.stack([torch.kron(torch.diag(q) - torch.outer(q, q), torch.outer(f, f)) for q, f in zip(p, features)])


@wrong("softmax_fisher", "")
def softmax_mean_p(logits, features):
    p = torch.softmax(logits, 1).mean(0)
    return torch.kron(torch.diag(p) - torch.outer(p, p), features.T @ features / len(features))


@wrong("softmax_fisher", "")
def softmax_in_place(logits, features):
    logits -= logits.max(1, keepdim=True).values
    p = torch.softmax(logits, 1)
    return sum(torch.kron(torch.diag(q) - torch.outer(q, q), torch.outer(f, f)) for q, f in zip(p, features)) / len(p)


@wrong("softmax_fisher", "")
def softmax_in_double(logits, features):
    p, x = torch.softmax(logits.double(), 1), features.double()
    return sum(torch.kron(torch.diag(q) - torch.outer(q, q), torch.outer(f, f)) for q, f in zip(p, x)) / len(p)


# graft


@right("graft")
def graft_loop(direction, magnitude):
    out = []
    for d, m in zip(direction, magnitude):
        norm = d.norm()
        out.append(m.norm() * d / norm if norm > 0 else torch.zeros_like(d))
    return out


@right("graft")
def graft_normalize(direction, magnitude):
    return [torch.linalg.vector_norm(m) * F.normalize(d.reshape(-1), dim=0, eps=1e-30).reshape(d.shape)
            for d, m in zip(direction, magnitude)]


@right("graft")
def graft_small_guard(direction, magnitude):
    return [d * (m.norm() / (d.norm() + 1e-12)) for d, m in zip(direction, magnitude)]


@right("graft")
def graft_nan_to_num(direction, magnitude):
    return [torch.nan_to_num(d / d.square().sum().sqrt()) * m.square().sum().sqrt() for d, m in zip(direction, magnitude)]


@right("graft")
def graft_where_in_double(direction, magnitude):
    out = []
    for d, m in zip(direction, magnitude):
        norm = torch.sqrt((d.double() ** 2).sum())
        factor = torch.where(norm == 0, torch.zeros_like(norm), torch.sqrt((m.double() ** 2).sum()) / norm)
        out.append((factor * d.double()).to(d.dtype))
    return tuple(out)


@right("graft")
def graft_numpy(direction, magnitude):
    def one(d, m):
        length = np.linalg.norm(d.numpy())
        scale = np.linalg.norm(m.numpy()) / length if length else 0.0
        return d * float(scale)

    return list(map(one, direction, magnitude))


@wrong("graft", "zero_divided_by_zero")
def graft_unguarded(direction, magnitude):
    return [m.norm() * d / d.norm() for d, m in zip(direction, magnitude)]


@wrong("graft", "roles_exchanged")
def graft_reversed(direction, magnitude):
    return [d.norm() * m / m.norm() for d, m in zip(direction, magnitude)]


@wrong("graft", "one_factor_for_the_model")
def graft_globally(direction, magnitude):
    def norm(tensors):
        return torch.sqrt(sum((t**2).sum() for t in tensors))

    return [d * norm(magnitude) / norm(direction) for d in direction]


@wrong("graft", "length_of_the_model")
def graft_global_length(direction, magnitude):
    length = torch.cat([m.reshape(-1) for m in magnitude]).norm()
    return [length * d / d.norm() if d.any() else torch.zeros_like(d) for d in direction]


@wrong("graft", "direction_not_normalised")
def graft_times_norm(direction, magnitude):
    return [m.norm() * d for d, m in zip(direction, magnitude)]


@wrong("graft", "magnitude_forgotten")
def graft_units(direction, magnitude):
    return [F.normalize(d.flatten(), dim=0).view_as(d) for d in direction]


@wrong("graft", "coordinate_by_coordinate")
def graft_signs(direction, magnitude):
    return [torch.sign(d) * m.abs() for d, m in zip(direction, magnitude)]


@wrong("graft", "row_by_row")
def graft_per_row(direction, magnitude):
    out = []
    for d, m in zip(direction, magnitude):
        axes = tuple(range(1, d.dim())) or (0,)
        norm = torch.linalg.vector_norm(d, dim=axes, keepdim=True)
        length = torch.linalg.vector_norm(m, dim=axes, keepdim=True)
        out.append(torch.where(norm > 0, d * length / norm, torch.zeros_like(d)))
    return out


@wrong("graft", "squared_norms")
def graft_sums_of_squares(direction, magnitude):
    return [d * (m**2).sum() / (d**2).sum() if d.any() else torch.zeros_like(d) for d, m in zip(direction, magnitude)]


@wrong("graft", "spectral_norm")
def graft_linalg_norm_2(direction, magnitude):
    def norm(t):
        return torch.linalg.norm(t, 2) if t.dim() <= 2 else t.norm()

    return [d * norm(m) / norm(d) if norm(d) > 0 else torch.zeros_like(d) for d, m in zip(direction, magnitude)]


@wrong("graft", "guard_of_1e8")
def graft_guard_8(direction, magnitude):
    return [m.norm() * d / (d.norm() + 1e-8) for d, m in zip(direction, magnitude)]


@wrong("graft", "guard_of_1e6")
def graft_guard_6(direction, magnitude):
    return [m.norm() / (d.norm() + 1e-6) * d for d, m in zip(direction, magnitude)]


@wrong("graft", "")
def graft_first_only(direction, magnitude):
    d, m = direction[0], magnitude[0]
    return [m.norm() * d / d.norm()]


@wrong("graft", "")
def graft_one_tensor(direction, magnitude):
    return torch.cat([(m.norm() * d / d.norm()).flatten() for d, m in zip(direction, magnitude)])


@wrong("graft", "")
def graft_a_generator(direction, magnitude):
    return (m.norm() * d / d.norm() for d, m in zip(direction, magnitude))


@wrong("graft", "")
def graft_in_place(direction, magnitude):
    for d, m in zip(direction, magnitude):
        if d.any():
            d.mul_(m.norm() / d.norm())
    return direction


@wrong("graft", "")
def graft_zero_takes_magnitude(direction, magnitude):
    return [m.norm() * d / d.norm() if d.any() else m.clone() for d, m in zip(direction, magnitude)]


@wrong("graft", "")
def graft_taxicab(direction, magnitude):
    return [d * m.abs().sum() / d.abs().sum() if d.any() else torch.zeros_like(d) for d, m in zip(direction, magnitude)]


@wrong("graft", "")
def graft_in_double(direction, magnitude):
    return [m.double().norm() * d.double() / d.double().norm() if d.any() else d.double() for d, m in zip(direction, magnitude)]


@wrong("graft", "")
def graft_flat(direction, magnitude):
    return [(m.norm() * d / d.norm() if d.any() else d).flatten() for d, m in zip(direction, magnitude)]
