"""The bank of chapter 09: regularisation, right in several styles and wrong as students write it."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# dropout


@right("dropout")
def dropout_by_float_mask(x, p, uniform, training=True):
    if not training:
        return x, torch.ones_like(x)
    mask = (uniform >= p).to(x.dtype)
    return x * mask / (1 - p), mask


@right("dropout")
def dropout_by_where(x, p, uniform, training=True):
    kept = ~(uniform < p) if training else torch.ones(x.shape, dtype=torch.bool)
    scale = 1 / (1 - p) if training else 1
    return torch.where(kept, scale * x, 0.0), kept


@right("dropout")
def dropout_by_floor(x, p, uniform, training=True):
    """The draw of the kept ones, moved up by the keep probability, reaches 1."""
    if not training:
        return x.clone(), torch.ones(x.shape, dtype=torch.int64)
    mask = torch.floor(uniform.double() - p).add(1).clamp(0, 1)
    return (x * mask / (1.0 - p)).to(x.dtype), mask


@right("dropout")
def dropout_entry_by_entry(x, p, uniform, training=True):
    ys, mask = [], torch.ones(x.numel(), dtype=torch.uint8)
    for i, (value, draw) in enumerate(zip(x.reshape(-1), uniform.reshape(-1))):
        if training and draw < p:
            mask[i] = 0
            value = value * 0
        elif training:
            value = value / (1 - p)
        ys.append(value)
    return torch.stack(ys).reshape(x.shape), mask.reshape(x.shape)


@right("dropout")
def dropout_by_operator(x, p, uniform, training=True):
    mask = torch.ge(uniform, p) if training else torch.ones_like(x, dtype=torch.bool)
    return torch.ops.aten.native_dropout_backward(x, mask, 1 / (1 - p) if training else 1.0), mask


@wrong("dropout", "keep_probability_for_p")
def dropout_cs231n(x, p, uniform, training=True):
    if training:
        mask = (uniform < p) / p
        return x * mask.to(x.dtype), mask > 0
    return x, torch.ones_like(x)


@wrong("dropout", "keep_probability_from_above")
def dropout_p_from_above(x, p, uniform, training=True):
    if not training:
        return x, torch.ones_like(x)
    mask = (uniform >= 1 - p).to(x.dtype)
    return x * mask / p, mask


@wrong("dropout", "not_rescaled")
def dropout_no_factor(x, p, uniform, training=True):
    if not training:
        return x, torch.ones_like(x)
    mask = (uniform >= p).to(x.dtype)
    return x * mask, mask


@wrong("dropout", "rescaled_in_evaluation_only")
def dropout_vanilla(x, p, uniform, training=True):
    if not training:
        return x * (1 - p), torch.ones_like(x)
    mask = (uniform >= p).to(x.dtype)
    return x * mask, mask


@wrong("dropout", "divided_by_p")
def dropout_lecture(x, p, uniform, training=True):
    if not training:
        return x, torch.ones_like(x)
    mask = uniform >= p
    return x.masked_fill(~mask, 0.0) / p, mask


@wrong("dropout", "rescaled_the_wrong_way")
def dropout_times(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype) if training else torch.ones_like(x)
    return (x * mask * (1 - p) if training else x), mask


@wrong("dropout", "dropped_are_kept")
def dropout_less(x, p, uniform, training=True):
    mask = uniform < p if training else torch.ones_like(x, dtype=torch.bool)
    return (x * mask / (1 - p) if training else x), mask


@wrong("dropout", "kept_from_the_other_end")
def dropout_below_keep(x, p, uniform, training=True):
    keep = 1 - p
    mask = uniform < keep if training else torch.ones_like(x, dtype=torch.bool)
    return (x * mask / keep if training else x), mask


@wrong("dropout", "equal_is_dropped")
def dropout_strict(x, p, uniform, training=True):
    mask = (uniform > p).to(x.dtype) if training else torch.ones_like(x)
    return (x * mask / (1 - p) if training else x), mask


@wrong("dropout", "mean_square_kept")
def dropout_root(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype) if training else torch.ones_like(x)
    return (x * mask * (1 - p) ** -0.5 if training else x), mask


@wrong("dropout", "divided_by_the_observed_share")
def dropout_observed(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype) if training else torch.ones_like(x)
    return x * mask / (mask.sum() / mask.numel()), mask


@wrong("dropout", "scaled_in_evaluation")
def dropout_twice_made_up(x, p, uniform, training=True):
    if not training:
        return (1 - p) * x, torch.ones_like(x)
    mask = (uniform >= p).to(x.dtype)
    return x * mask / (1 - p), mask


@wrong("dropout", "scaled_up_in_evaluation")
def dropout_scaled_always(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype) if training else torch.ones_like(x)
    return x * mask / (1 - p), mask


@wrong("dropout", "dropped_in_evaluation")
def dropout_always(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype)
    return x * mask / (1 - p), mask


@wrong("dropout", "scaled_mask")
def dropout_inverted_mask(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype) / (1 - p) if training else torch.ones_like(x)
    return x * mask, mask


@wrong("dropout", "mask_drawn_in_evaluation")
def dropout_mask_anyway(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype)
    return (x * mask / (1 - p) if training else x), mask


@wrong("dropout", "no_mask_in_evaluation")
def dropout_zero_mask(x, p, uniform, training=True):
    if not training:
        return x, torch.zeros(x.shape)
    mask = (uniform >= p).to(x.dtype)
    return x * mask / (1 - p), mask


@wrong("dropout", "draws_of_its_own")
def dropout_builtin(x, p, uniform, training=True):
    y = F.dropout(x, p, training)
    return y, y != 0


@wrong("dropout", "draws_of_its_own")
def dropout_bernoulli(x, p, uniform, training=True):
    mask = torch.bernoulli(torch.full_like(x, 1 - p)) if training else torch.ones_like(x)
    return (x * mask / (1 - p) if training else x), mask


@wrong("dropout", "")
def dropout_cut(x, p, uniform, training=True):
    if not training:
        return x, torch.ones_like(x)
    mask = (uniform >= p).to(x.dtype)
    return (x * mask / (1 - p)).detach(), mask


@wrong("dropout", "")
def dropout_cut_in_evaluation(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype) if training else torch.ones_like(x)
    return (x * mask / (1 - p) if training else x.detach().clone()), mask


@wrong("dropout", "")
def dropout_straight_through(x, p, uniform, training=True):
    mask = (uniform >= p).to(x.dtype) if training else torch.ones_like(x)
    y = x * mask / (1 - p) if training else x
    return x + (y - x).detach(), mask


@wrong("dropout", "mask_read_off_y")
def dropout_mask_from_y(x, p, uniform, training=True):
    y = x * (uniform >= p) / (1 - p) if training else x
    return y, y != 0


@wrong("dropout", "")
def dropout_in_place(x, p, uniform, training=True):
    if not training:
        return x, torch.ones_like(x)
    mask = (uniform >= p).to(x.dtype)
    x *= mask
    return x / (1 - p), mask


@wrong("dropout", "")
def dropout_in_double(x, p, uniform, training=True):
    mask = (uniform >= p).double() if training else torch.ones_like(x)
    return (x * mask / (1 - p) if training else x), mask


@wrong("dropout", "")
def dropout_no_mask(x, p, uniform, training=True):
    return x * (uniform >= p) / (1 - p) if training else x


@wrong("dropout", "")
def dropout_by_example(x, p, uniform, training=True):
    mask = (uniform[:1] >= p).to(x.dtype).expand_as(x) if training else torch.ones_like(x)
    return (x * mask / (1 - p) if training else x), mask


# dropout_backward


@right("dropout_backward")
def backward_product(grad_out, mask, p):
    return grad_out * mask / (1 - p)


@right("dropout_backward")
def backward_where(grad_out, mask, p):
    return torch.where(mask > 0, grad_out / (1 - p), torch.zeros((), dtype=grad_out.dtype))


@right("dropout_backward")
def backward_by_indexing(grad_out, mask, p):
    kept = mask.bool()
    grad = torch.zeros_like(grad_out)
    grad[kept] = grad_out[kept] / (1 - p)
    return grad


@right("dropout_backward")
def backward_by_graph(grad_out, mask, p):
    with torch.enable_grad():
        x = torch.zeros_like(grad_out, requires_grad=True)
        y = x * mask.to(x.dtype) * (1 / (1 - p))
    y.backward(grad_out)
    return x.grad


@right("dropout_backward")
def backward_by_numpy(grad_out, mask, p):
    grad = grad_out.double().numpy() * mask.double().numpy() / (1 - p)
    return torch.from_numpy(grad).to(grad_out.dtype)


@wrong("dropout_backward", "factor_forgotten")
def backward_mask_only(grad_out, mask, p):
    return grad_out * mask


@wrong("dropout_backward", "divided_by_p_again")
def backward_over_p(grad_out, mask, p):
    return grad_out * mask / p


@wrong("dropout_backward", "factor_inverted")
def backward_times(grad_out, mask, p):
    return grad_out * mask * (1 - p)


@wrong("dropout_backward", "mask_forgotten")
def backward_without_mask(grad_out, mask, p):
    return grad_out / (1 - p)


@wrong("dropout_backward", "mask_inverted")
def backward_of_dropped(grad_out, mask, p):
    return grad_out.masked_fill(mask.bool(), 0.0) / (1 - p)


@wrong("dropout_backward", "factor_twice")
def backward_twice(grad_out, mask, p):
    scaled = mask / (1 - p)
    return (grad_out * scaled / (1 - p)).to(grad_out.dtype)


@wrong("dropout_backward", "share_of_the_mask")
def backward_observed(grad_out, mask, p):
    return grad_out * mask / mask.to(grad_out.dtype).mean()


@wrong("dropout_backward", "root_of_the_factor")
def backward_root(grad_out, mask, p):
    return grad_out * mask / math.sqrt(1 - p)


@wrong("dropout_backward", "")
def backward_in_place(grad_out, mask, p):
    return grad_out.mul_(mask).div_(1 - p)


@wrong("dropout_backward", "")
def backward_for_float_masks(grad_out, mask, p):
    return grad_out * (1 - (1 - mask)) / (1 - p)


@wrong("dropout_backward", "")
def backward_for_bool_masks(grad_out, mask, p):
    return grad_out.masked_fill(~mask, 0.0) / (1 - p)


@wrong("dropout_backward", "")
def backward_float32(grad_out, mask, p):
    return (grad_out * mask).float() / (1 - p)


@wrong("dropout_backward", "")
def backward_averaged(grad_out, mask, p):
    return grad_out * mask / (1 - p) / len(grad_out)


# ensemble_mean


@right("ensemble_mean")
def ensemble_by_product(x, w, p, phi=None):
    import itertools

    phi = phi or (lambda z: z)
    total = torch.zeros((), dtype=x.dtype)
    for bits in itertools.product([0.0, 1.0], repeat=len(x)):
        mask = torch.tensor(bits, dtype=x.dtype)
        probability = math.prod(1 - p if bit else p for bit in bits)
        total = total + probability * phi((w * mask * x).sum() / (1 - p))
    return total


@right("ensemble_mean")
def ensemble_by_bits(x, w, p, phi=None):
    n = x.shape[0]
    masks = (torch.arange(2**n)[:, None] >> torch.arange(n)) & 1  # (2^n, n)
    kept = masks.sum(1)
    weights = (p ** (n - kept).double() * (1 - p) ** kept.double()).to(x.dtype)
    z = masks.to(x.dtype) @ (x * w) / (1 - p)
    return weights @ (z if phi is None else phi(z))


@right("ensemble_mean")
def ensemble_by_recursion(x, w, p, phi=None):
    def mean_from(z, i):
        if i == len(x):
            return phi(z) if phi is not None else z
        return p * mean_from(z, i + 1) + (1 - p) * mean_from(z + w[i] * x[i] / (1 - p), i + 1)

    return mean_from(torch.zeros((), dtype=x.dtype), 0)


@right("ensemble_mean")
def ensemble_by_cartesian_product(x, w, p, phi=None):
    masks = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * len(x)).reshape(-1, len(x))
    probability = torch.where(masks.bool(), 1 - p, p).prod(1)
    z = torch.einsum("mn,n->m", masks, (w * x).double()) / (1 - p)
    z = z if phi is None else phi(z)
    return (probability * z).sum().to(x.dtype)


@right("ensemble_mean")
def ensemble_as_float(x, w, p, phi=None):
    """The distribution of the sum, term after term; a Python number comes back."""
    outcomes = [(1.0, torch.zeros((), dtype=torch.float64))]
    for term in (x.double() * w.double() / (1 - p)):
        outcomes = [(q * share, z + bit * term) for q, z in outcomes for share, bit in ((p, 0), (1 - p, 1))]
    return float(sum(q * (phi(z) if phi else z) for q, z in outcomes))


@wrong("ensemble_mean", "masks_count_alike")
def ensemble_plain_mean(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    z = masks @ (x * w) / (1 - p)
    return (z if phi is None else phi(z)).mean()


@wrong("ensemble_mean", "phi_of_the_mean")
def ensemble_one_pass(x, w, p, phi=None):
    z = torch.dot(w, x)
    return z if phi is None else phi(z)


@wrong("ensemble_mean", "weights_swapped")
def ensemble_swapped(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    kept = masks.sum(1)
    z = masks @ (x * w) / (1 - p)
    return (p**kept * (1 - p) ** (n - kept)) @ (z if phi is None else phi(z))


@wrong("ensemble_mean", "keep_probability")
def ensemble_srivastava(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    kept = masks.sum(1)
    z = masks @ (x * w) / p
    return (p**kept * (1 - p) ** (n - kept)) @ (z if phi is None else phi(z))


@wrong("ensemble_mean", "terms_not_rescaled")
def ensemble_unscaled(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    kept = masks.sum(1)
    z = masks @ (x * w)
    return (p ** (n - kept) * (1 - p) ** kept) @ (z if phi is None else phi(z))


@wrong("ensemble_mean", "rescaled_behind_phi")
def ensemble_late_factor(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    kept = masks.sum(1)
    z = masks @ (x * w)
    return (p ** (n - kept) * (1 - p) ** kept) @ (z if phi is None else phi(z)) / (1 - p)


@wrong("ensemble_mean", "terms_divided_by_p")
def ensemble_over_p(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    kept = masks.sum(1)
    z = masks @ (x * w) / p
    return (p ** (n - kept) * (1 - p) ** kept) @ (z if phi is None else phi(z))


@wrong("ensemble_mean", "masks_drawn")
def ensemble_monte_carlo(x, w, p, phi=None):
    total = 0.0
    for _ in range(200):
        z = F.dropout(x, p) @ w
        total = total + (z if phi is None else phi(z))
    return total / 200


@wrong("ensemble_mean", "empty_network_left_out")
def ensemble_from_one(x, w, p, phi=None):
    n, total = len(x), torch.zeros((), dtype=x.dtype)
    for code in range(1, 2**n):
        mask = torch.tensor([(code >> i) & 1 for i in range(n)], dtype=x.dtype)
        z = (w * mask * x).sum() / (1 - p)
        total = total + p ** int(n - mask.sum()) * (1 - p) ** int(mask.sum()) * (z if phi is None else phi(z))
    return total


@wrong("ensemble_mean", "full_network_left_out")
def ensemble_short_range(x, w, p, phi=None):
    n, total = len(x), torch.zeros((), dtype=x.dtype)
    for code in range(2**n - 1):
        mask = torch.tensor([(code >> i) & 1 for i in range(n)], dtype=x.dtype)
        z = (w * mask * x).sum() / (1 - p)
        total = total + p ** int(n - mask.sum()) * (1 - p) ** int(mask.sum()) * (z if phi is None else phi(z))
    return total


@wrong("ensemble_mean", "divided_twice")
def ensemble_mean_of_weighted(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    kept = masks.sum(1)
    z = masks @ (x * w) / (1 - p)
    return (p ** (n - kept) * (1 - p) ** kept * (z if phi is None else phi(z))).mean()


@wrong("ensemble_mean", "phi_ignored")
def ensemble_linear_only(x, w, p, phi=None):
    return w @ x


@wrong("ensemble_mean", "binomial_weights")
def ensemble_binomial(x, w, p, phi=None):
    n, total = len(x), torch.zeros((), dtype=x.dtype)
    for code in range(2**n):
        mask = torch.tensor([(code >> i) & 1 for i in range(n)], dtype=x.dtype)
        k = int(mask.sum())
        z = (w * mask * x).sum() / (1 - p)
        total = total + math.comb(n, k) * p ** (n - k) * (1 - p) ** k * (z if phi is None else phi(z))
    return total


@wrong("ensemble_mean", "phi_inside_the_sum")
def ensemble_termwise(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    kept = masks.sum(1)
    terms = masks * (x * w) / (1 - p)
    return (p ** (n - kept) * (1 - p) ** kept) @ (terms if phi is None else phi(terms)).sum(1)


@wrong("ensemble_mean", "")
def ensemble_seeded_monte_carlo(x, w, p, phi=None):
    masks = (torch.rand(5000, len(x), generator=torch.Generator().manual_seed(0)) >= p).to(x.dtype)
    z = masks @ (w * x) / (1 - p)
    return (z if phi is None else phi(z)).mean()


@wrong("ensemble_mean", "")
def ensemble_geometric(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).to(x.dtype)
    kept = masks.sum(1)
    z = masks @ (x * w) / (1 - p)
    weights = p ** (n - kept) * (1 - p) ** kept
    return weights @ z if phi is None else torch.exp(weights @ torch.log(phi(z)))


@wrong("ensemble_mean", "")
def ensemble_in_double(x, w, p, phi=None):
    n = x.shape[0]
    masks = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).double()
    kept = masks.sum(1)
    z = masks @ (x * w).double() / (1 - p)
    return (p ** (n - kept) * (1 - p) ** kept) @ (z if phi is None else phi(z))


@wrong("ensemble_mean", "")
def ensemble_leave_one_out(x, w, p, phi=None):
    z = (torch.dot(w, x) - w * x) / (1 - p)
    return (z if phi is None else phi(z)).mean()


# early_stopping


@right("early_stopping")
def stopping_by_loop(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@right("early_stopping")
def stopping_by_counter(val_losses, patience, min_delta=0.0):
    best_epoch = waited = epoch = 0
    for epoch in range(1, len(val_losses)):
        waited += 1
        if val_losses[best_epoch] - val_losses[epoch] > min_delta:
            best_epoch, waited = epoch, 0
        if waited == patience:
            break
    return best_epoch, epoch


@right("early_stopping")
def stopping_by_recursion(val_losses, patience, min_delta=0.0):
    def go(best, epoch):
        if epoch == len(val_losses):
            return best, epoch - 1
        if val_losses[epoch] < val_losses[best] - min_delta:
            best = epoch
        return (best, epoch) if epoch - best >= patience else go(best, epoch + 1)

    return go(0, 0)


@right("early_stopping")
def stopping_by_jumps(val_losses, patience, min_delta=0.0):
    """From each accepted epoch look ahead as far as patience goes."""
    losses, best = np.asarray(val_losses, dtype=float), 0
    while True:
        ahead = losses[best + 1:best + 1 + patience]
        better = np.flatnonzero(ahead < losses[best] - min_delta)
        if len(better) == 0:
            return best, best + len(ahead)
        best += 1 + int(better[0])


@right("early_stopping")
def stopping_in_tensors(val_losses, patience, min_delta=0.0):
    losses = torch.tensor(val_losses, dtype=torch.float64)
    accepted = [0]
    for epoch in range(len(losses)):
        if losses[epoch] < losses[accepted[-1]] - min_delta:
            accepted.append(epoch)
        if epoch - accepted[-1] >= patience:
            break
    return torch.tensor(accepted[-1]), torch.tensor(epoch)


@wrong("early_stopping", "ties_accepted")
def stopping_at_most(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss <= best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "stops_one_late")
def stopping_plateau(val_losses, patience, min_delta=0.0):
    best, best_epoch, bad = math.inf, 0, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch, bad = loss, epoch, 0
        else:
            bad += 1
        if bad > patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "stops_one_early")
def stopping_counts_the_best(val_losses, patience, min_delta=0.0):
    best, best_epoch, seen = math.inf, 0, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch, seen = loss, epoch, 0
        seen += 1
        if seen >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "min_delta_ignored")
def stopping_any_gain(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "compared_with_the_epoch_before")
def stopping_last_loss(val_losses, patience, min_delta=0.0):
    last, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < last - min_delta:
            best_epoch = epoch
        last = loss
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "rises_counted")
def stopping_after_rises(val_losses, patience, min_delta=0.0):
    rises = 0
    for epoch in range(len(val_losses)):
        risen = epoch > 0 and val_losses[epoch] >= val_losses[epoch - 1] - min_delta
        rises = rises + 1 if risen else 0
        if rises >= patience:
            break
    return int(np.argmin(val_losses[:epoch + 1])), epoch


@wrong("early_stopping", "looks_past_the_stop")
def stopping_argmin_of_all(val_losses, patience, min_delta=0.0):
    best, best_epoch, stop = math.inf, 0, len(val_losses) - 1
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            stop = epoch
            break
    return int(np.argmin(val_losses)), stop


@wrong("early_stopping", "looks_past_the_stop")
def stopping_after_the_minimum(val_losses, patience, min_delta=0.0):
    best = int(torch.tensor(val_losses).argmin())
    return best, min(best + patience, len(val_losses) - 1)


@wrong("early_stopping", "lowest_before_the_stop")
def stopping_argmin_of_seen(val_losses, patience, min_delta=0.0):
    best, best_epoch, stop = math.inf, 0, len(val_losses) - 1
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            stop = epoch
            break
    return val_losses.index(min(val_losses[:stop + 1])), stop


@wrong("early_stopping", "reference_creeps")
def stopping_creeping(val_losses, patience, min_delta=0.0):
    best, best_epoch, waited = math.inf, 0, 0
    for epoch, loss in enumerate(val_losses):
        if best - loss > min_delta:
            best_epoch, waited = epoch, 0
        else:
            waited += 1
        best = min(best, loss)
        if waited >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "count_never_reset")
def stopping_total(val_losses, patience, min_delta=0.0):
    best, best_epoch, bad = math.inf, 0, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        else:
            bad += 1
            if bad == patience:
                return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "min_delta_added")
def stopping_wrong_sign(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss - min_delta < best:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "min_delta_relative")
def stopping_relative(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta * best or epoch == 0:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "never_stops")
def stopping_never(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
    return best_epoch, epoch


@wrong("early_stopping", "stops_behind_the_list")
def stopping_len(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses)


@wrong("early_stopping", "patience_past_the_end")
def stopping_best_plus_patience(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch == best_epoch + patience:
            break
    return best_epoch, best_epoch + patience


@wrong("early_stopping", "epochs_from_one")
def stopping_from_one(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 1
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            break
    return best_epoch, epoch


@wrong("early_stopping", "stop_first")
def stopping_reversed(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            break
    return epoch, best_epoch


@wrong("early_stopping", "loss_for_epoch")
def stopping_loss(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            break
    return best, epoch


@wrong("early_stopping", "")
def stopping_starts_at_zero(val_losses, patience, min_delta=0.0):
    best, best_epoch = 0.0, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(val_losses) - 1


@wrong("early_stopping", "")
def stopping_returns_one(val_losses, patience, min_delta=0.0):
    return val_losses.index(min(val_losses))


@wrong("early_stopping", "")
def stopping_forgets_the_end(val_losses, patience, min_delta=0.0):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch


# smooth_labels


@right("smooth_labels")
def smooth_by_one_hot(labels, num_classes, eps):
    return (1 - eps) * F.one_hot(labels, num_classes).float() + eps / num_classes


@right("smooth_labels")
def smooth_by_scatter(labels, num_classes, eps):
    targets = torch.full((len(labels), num_classes), eps / num_classes)
    return targets.scatter_(1, labels[:, None], 1 - eps + eps / num_classes)


@right("smooth_labels")
def smooth_by_comparison(labels, num_classes, eps):
    hard = (torch.arange(num_classes) == labels[:, None]).double()
    return torch.lerp(hard, torch.full_like(hard, 1 / num_classes), eps).float()


@right("smooth_labels")
def smooth_by_loop(labels, num_classes, eps):
    rows = []
    for label in labels.tolist():
        row = [eps / num_classes] * num_classes
        row[label] += 1 - eps
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float32)


@right("smooth_labels")
def smooth_by_numpy(labels, num_classes, eps):
    rows = np.eye(num_classes)[labels.numpy()] * (1 - eps) + np.full(num_classes, eps / num_classes)
    return rows.astype(np.float32)


@wrong("smooth_labels", "spread_over_the_others")
def smooth_others(labels, num_classes, eps):
    targets = torch.full((len(labels), num_classes), eps / (num_classes - 1))
    targets[torch.arange(len(labels)), labels] = 1 - eps
    return targets


@wrong("smooth_labels", "true_class_left_out")
def smooth_short(labels, num_classes, eps):
    targets = torch.full((len(labels), num_classes), eps / num_classes)
    targets[torch.arange(len(labels)), labels] = 1 - eps
    return targets


@wrong("smooth_labels", "eps_not_spread")
def smooth_plus_eps(labels, num_classes, eps):
    return (1 - eps) * F.one_hot(labels, num_classes).float() + eps


@wrong("smooth_labels", "label_kept_whole")
def smooth_on_top(labels, num_classes, eps):
    return F.one_hot(labels, num_classes).float() + eps / num_classes


@wrong("smooth_labels", "true_class_untouched")
def smooth_fill_only(labels, num_classes, eps):
    targets = torch.full((len(labels), num_classes), eps / num_classes)
    targets[torch.arange(len(labels)), labels] = 1.0
    return targets


@wrong("smooth_labels", "weights_of_the_mixture_swapped")
def smooth_swapped(labels, num_classes, eps):
    return eps * F.one_hot(labels, num_classes).float() + (1 - eps) / num_classes


@wrong("smooth_labels", "hard_labels")
def smooth_hard(labels, num_classes, eps):
    return F.one_hot(labels, num_classes).float()


@wrong("smooth_labels", "classes_of_the_batch")
def smooth_max_plus_one(labels, num_classes, eps):
    hard = F.one_hot(labels).float()
    return (1 - eps) * hard + eps / hard.shape[1]


@wrong("smooth_labels", "classes_in_rows")
def smooth_transposed(labels, num_classes, eps):
    hard = (torch.arange(num_classes)[:, None] == labels).float()
    return (1 - eps) * hard + eps / num_classes


@wrong("smooth_labels", "spread_over_examples")
def smooth_over_n(labels, num_classes, eps):
    return (1 - eps) * F.one_hot(labels, num_classes).float() + eps / len(labels)


@wrong("smooth_labels", "")
def smooth_in_double(labels, num_classes, eps):
    return (1 - eps) * F.one_hot(labels, num_classes).double() + eps / num_classes


@wrong("smooth_labels", "")
def smooth_minus_eps(labels, num_classes, eps):
    return F.one_hot(labels, num_classes).float() * (1 - 2 * eps) + eps


@wrong("smooth_labels", "")
def smooth_by_softmax(labels, num_classes, eps):
    return ((1 - eps) * F.one_hot(labels, num_classes).float() + eps / num_classes).softmax(1)


@wrong("smooth_labels", "")
def smooth_whole_numbers(labels, num_classes, eps):
    targets = F.one_hot(labels, num_classes)
    targets[targets == 1] = int(1 - eps)
    return targets


# soft_cross_entropy


@right("soft_cross_entropy")
def soft_by_log_softmax(logits, targets):
    return -(targets * logits.log_softmax(-1)).sum(-1).mean()


@right("soft_cross_entropy")
def soft_by_operator(logits, targets):
    return F.cross_entropy(logits, targets)


@right("soft_cross_entropy")
def soft_by_logsumexp(logits, targets):
    """Rows of the targets sum to 1."""
    return (torch.logsumexp(logits, 1) - torch.einsum("nc,nc->n", targets, logits)).mean()


@right("soft_cross_entropy")
def soft_by_shift(logits, targets):
    shifted = logits - logits.max(1, keepdim=True).values
    log_probs = shifted - shifted.exp().sum(1, keepdim=True).log()
    return (-targets * log_probs).sum() / logits.shape[0]


@right("soft_cross_entropy")
def soft_by_divergence(logits, targets):
    entropy = -torch.special.xlogy(targets, targets).sum(1).mean()
    return F.kl_div(F.log_softmax(logits, 1), targets, reduction="batchmean") + entropy


@right("soft_cross_entropy")
def soft_by_rows(logits, targets):
    losses = []
    for row, target in zip(logits, targets):
        normaliser = torch.logsumexp(row, 0)
        losses.append(sum(t * (normaliser - row[c]) for c, t in enumerate(target)))
    return sum(losses) / len(losses)


@wrong("soft_cross_entropy", "summed_over_the_batch")
def soft_sum(logits, targets):
    return -torch.sum(targets * torch.log_softmax(logits, dim=1))


@wrong("soft_cross_entropy", "averaged_over_classes")
def soft_mean(logits, targets):
    return torch.mean(-targets * torch.log_softmax(logits, dim=1))


@wrong("soft_cross_entropy", "softmax_over_the_batch")
def soft_dim_0(logits, targets):
    return -(targets * logits.log_softmax(0)).sum(1).mean()


@wrong("soft_cross_entropy", "hardened")
def soft_argmax(logits, targets):
    log_probs = logits.log_softmax(1)
    return -log_probs[torch.arange(len(logits)), targets.argmax(1)].mean()


@wrong("soft_cross_entropy", "softmax_twice")
def soft_twice(logits, targets):
    return -(targets * logits.softmax(1).log_softmax(1)).sum(1).mean()


@wrong("soft_cross_entropy", "sign_forgotten")
def soft_positive(logits, targets):
    return (targets * logits.log_softmax(1)).sum(1).mean()


@wrong("soft_cross_entropy", "divergence")
def soft_kl(logits, targets):
    return (targets * (targets.log() - logits.log_softmax(1))).sum(1).mean()


@wrong("soft_cross_entropy", "divergence_per_entry")
def soft_kl_default(logits, targets):
    return F.kl_div(logits.log_softmax(1), targets)


@wrong("soft_cross_entropy", "per_example")
def soft_unreduced(logits, targets):
    return -(targets * logits.log_softmax(1)).sum(1)


@wrong("soft_cross_entropy", "log_of_softmax")
def soft_naive(logits, targets):
    return -(targets * torch.log(torch.softmax(logits, dim=1))).sum(dim=1).mean()


@wrong("soft_cross_entropy", "log_of_softmax")
def soft_bare_logsumexp(logits, targets):
    return -(targets * (logits - logits.exp().sum(1, keepdim=True).log())).sum(1).mean()


@wrong("soft_cross_entropy", "unshifted_exponentials")
def soft_overflow(logits, targets):
    p = torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True)
    return torch.mean(torch.sum(-targets * torch.log(p), dim=1))


@wrong("soft_cross_entropy", "logits_for_log_probabilities")
def soft_unnormalised(logits, targets):
    return -torch.einsum("nc,nc->", targets, logits) / len(logits)


@wrong("soft_cross_entropy", "probability_for_its_logarithm")
def soft_no_log(logits, targets):
    return -(targets * torch.softmax(logits, 1)).sum() / len(logits)


@wrong("soft_cross_entropy", "small_number_added")
def soft_guarded(logits, targets):
    return -(targets * torch.log(F.softmax(logits, dim=1) + 1e-8)).sum(1).mean()


@wrong("soft_cross_entropy", "yes_or_no")
def soft_binary(logits, targets):
    p = torch.sigmoid(logits)
    return -(targets * F.logsigmoid(logits) + (1 - targets) * torch.log1p(-p).clamp(min=-1e30)).mean() \
        if logits.abs().max() < 30 else F.binary_cross_entropy_with_logits(logits, targets)


@wrong("soft_cross_entropy", "places_changed")
def soft_reversed(logits, targets):
    return -(torch.log(targets) * F.softmax(logits, 1)).sum(1).mean()


@wrong("soft_cross_entropy", "targets_through_softmax")
def soft_softened(logits, targets):
    return -(F.softmax(targets, 1) * F.log_softmax(logits, 1)).sum(1).mean()


@wrong("soft_cross_entropy", "")
def soft_item(logits, targets):
    return -(targets * logits.log_softmax(1)).sum(1).mean().item()


@wrong("soft_cross_entropy", "")
def soft_no_graph(logits, targets):
    with torch.no_grad():
        return F.cross_entropy(logits, targets)


@wrong("soft_cross_entropy", "")
def soft_shift_in_place(logits, targets):
    logits -= logits.max(1, keepdim=True).values
    return F.cross_entropy(logits, targets)


@wrong("soft_cross_entropy", "normaliser_cut")
def soft_normaliser_cut(logits, targets):
    normaliser = torch.logsumexp(logits, 1, keepdim=True).detach()
    return -(targets * (logits - normaliser)).sum(1).mean()


@wrong("soft_cross_entropy", "")
def soft_base_2(logits, targets):
    return -(targets * logits.log_softmax(1) / math.log(2)).sum(1).mean()


@wrong("soft_cross_entropy", "")
def soft_built_in_smoothing(logits, targets):
    return F.cross_entropy(logits, targets, label_smoothing=0.1)


@wrong("soft_cross_entropy", "")
def soft_in_double(logits, targets):
    return F.cross_entropy(logits.double(), targets.double())


# mixup


@right("mixup")
def mixup_plain(x, targets, lam, perm):
    return lam * x + (1 - lam) * x[perm], lam * targets + (1 - lam) * targets[perm]


@right("mixup")
def mixup_by_lerp(x, targets, lam, perm):
    return tuple(torch.lerp(t.index_select(0, perm), t, lam) for t in (x, targets))


@right("mixup")
def mixup_by_example(x, targets, lam, perm):
    xs = [lam * x[i] + (1 - lam) * x[j] for i, j in enumerate(perm.tolist())]
    ys = [lam * targets[i] + (1 - lam) * targets[j] for i, j in enumerate(perm.tolist())]
    return torch.stack(xs), torch.stack(ys)


@right("mixup")
def mixup_by_numpy(x, targets, lam, perm):
    mixed = [lam * t.double().numpy() + (1 - lam) * t.double().numpy()[perm.numpy()] for t in (x, targets)]
    return torch.from_numpy(mixed[0]).to(x.dtype), torch.from_numpy(mixed[1]).to(targets.dtype)


@right("mixup")
def mixup_in_place_on_a_copy(x, targets, lam, perm):
    if lam == 1:
        return x, targets
    mixed, soft = x.clone(), targets.clone()
    mixed.mul_(lam).add_(x[perm], alpha=1 - lam)
    soft.mul_(lam).add_(targets[perm], alpha=1 - lam)
    return mixed, soft


@wrong("mixup", "lam_on_the_permuted")
def mixup_other_way(x, targets, lam, perm):
    return lam * x[perm] + (1 - lam) * x, lam * targets[perm] + (1 - lam) * targets


@wrong("mixup", "targets_as_they_were")
def mixup_inputs_only(x, targets, lam, perm):
    return lam * x + (1 - lam) * x[perm], targets


@wrong("mixup", "target_of_the_larger")
def mixup_dominant(x, targets, lam, perm):
    return lam * x + (1 - lam) * x[perm], targets if lam > 0.5 else targets[perm]


@wrong("mixup", "targets_the_other_way")
def mixup_crossed(x, targets, lam, perm):
    return lam * x + (1 - lam) * x[perm], (1 - lam) * targets + lam * targets[perm]


@wrong("mixup", "targets_of_the_permuted")
def mixup_targets_moved(x, targets, lam, perm):
    return lam * x + (1 - lam) * x[perm], targets[perm]


@wrong("mixup", "inverse_permutation")
def mixup_argsort(x, targets, lam, perm):
    back = perm.argsort()
    return lam * x + (1 - lam) * x[back], lam * targets + (1 - lam) * targets[back]


@wrong("mixup", "inverse_permutation")
def mixup_scattered(x, targets, lam, perm):
    other, soft = torch.empty_like(x), torch.empty_like(targets)
    other[perm], soft[perm] = x, targets
    return lam * x + (1 - lam) * other, lam * targets + (1 - lam) * soft


@wrong("mixup", "inputs_as_they_were")
def mixup_targets_only(x, targets, lam, perm):
    return x, lam * targets + (1 - lam) * targets[perm]


@wrong("mixup", "permuted_added_whole")
def mixup_plus(x, targets, lam, perm):
    return lam * x + x[perm], lam * targets + targets[perm]


@wrong("mixup", "own_added_whole")
def mixup_plus_rest(x, targets, lam, perm):
    return x + (1 - lam) * x[perm], targets + (1 - lam) * targets[perm]


@wrong("mixup", "lam_for_both")
def mixup_sum(x, targets, lam, perm):
    return lam * (x + x[perm]), lam * (targets + targets[perm])


@wrong("mixup", "order_reversed")
def mixup_flip(x, targets, lam, perm):
    return lam * x + (1 - lam) * x.flip(0), lam * targets + (1 - lam) * targets.flip(0)


@wrong("mixup", "features_permuted")
def mixup_columns(x, targets, lam, perm):
    def along(t):
        return t[:, perm] if t.shape[1] == len(perm) else t[perm]

    return lam * x + (1 - lam) * along(x), lam * targets + (1 - lam) * along(targets)


@wrong("mixup", "halves")
def mixup_average(x, targets, lam, perm):
    return (x + x[perm]) / 2, (targets + targets[perm]) / 2


@wrong("mixup", "exchanged")
def mixup_exchange(x, targets, lam, perm):
    return x[perm], targets[perm]


@wrong("mixup", "")
def mixup_in_place(x, targets, lam, perm):
    x.mul_(lam).add_(x[perm] * (1 - lam) / lam)
    return x, lam * targets + (1 - lam) * targets[perm]


@wrong("mixup", "")
def mixup_own_order(x, targets, lam, perm):
    other = torch.randperm(len(x))
    return lam * x + (1 - lam) * x[other], lam * targets + (1 - lam) * targets[other]


@wrong("mixup", "")
def mixup_drawn_lam(x, targets, lam, perm):
    lam = float(np.random.default_rng().beta(lam, lam))
    return lam * x + (1 - lam) * x[perm], lam * targets + (1 - lam) * targets[perm]


@wrong("mixup", "")
def mixup_patches(x, targets, lam, perm):
    """CutMix along the features."""
    cut = int(lam * x.shape[-1])
    mixed = torch.cat([x[..., :cut], x[perm][..., cut:]], -1)
    return mixed, lam * targets + (1 - lam) * targets[perm]


@wrong("mixup", "")
def mixup_float32(x, targets, lam, perm):
    mixed = [lam * t.float() + (1 - lam) * t.float()[perm] for t in (x, targets)]
    return mixed[0], mixed[1]


@wrong("mixup", "")
def mixup_twice_the_batch(x, targets, lam, perm):
    mixed = lam * x + (1 - lam) * x[perm]
    return torch.cat([x, mixed]), torch.cat([targets, lam * targets + (1 - lam) * targets[perm]])


# random_shift


@right("random_shift")
def shift_by_padding(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    top, left = torch.randint(2 * max_shift + 1, (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@right("random_shift")
def shift_by_slices(images, max_shift, generator):
    out, (h, w) = torch.zeros_like(images), images.shape[-2:]
    steps = torch.randint(-max_shift, max_shift + 1, (len(images), 2), generator=generator)
    for image, moved, (a, b) in zip(images, out, steps.tolist()):
        moved[..., max(a, 0):h + min(a, 0), max(b, 0):w + min(b, 0)] = \
            image[..., max(-a, 0):h + min(-a, 0), max(-b, 0):w + min(-b, 0)]
    return out


@right("random_shift")
def shift_by_index(images, max_shift, generator):
    n, (h, w) = images.shape[0], images.shape[-2:]
    draw = lambda: torch.randint(-max_shift, max_shift + 1, (n, 1), generator=generator)
    rows, cols = torch.arange(h) - draw(), torch.arange(w) - draw()  # (N, H), (N, W)
    known = ((rows >= 0) & (rows < h))[:, :, None] & ((cols >= 0) & (cols < w))[:, None]
    planes = images.reshape(n, -1, h, w)
    picked = planes.take_along_dim(rows.clamp(0, h - 1)[:, None, :, None], 2)
    picked = picked.take_along_dim(cols.clamp(0, w - 1)[:, None, None, :], 3)
    return (picked * known[:, None]).reshape(images.shape)


@right("random_shift")
def shift_by_matrices(images, max_shift, generator):
    """One matrix of zeros and ones moves the rows of an image, one its columns."""
    n, (h, w) = len(images), images.shape[-2:]
    down = torch.floor(torch.rand(n, generator=generator, dtype=torch.float64) * (2 * max_shift + 1)) - max_shift
    right = torch.floor(torch.rand(n, generator=generator, dtype=torch.float64) * (2 * max_shift + 1)) - max_shift
    rows = torch.arange(h)[:, None] - torch.arange(h) == down[:, None, None]  # (N, H, H)
    columns = torch.arange(w) - torch.arange(w)[:, None] == right[:, None, None]  # (N, W, W)
    return torch.einsum("nab,n...bc,ncd->n...ad", rows.to(images.dtype), images, columns.to(images.dtype))


@right("random_shift")
def shift_by_groups(images, max_shift, generator):
    """All images with the same pair of shifts are moved together."""
    size = 2 * max_shift + 1
    which = torch.randint(size * size, (len(images),), generator=generator)
    out, (h, w) = torch.zeros_like(images), images.shape[-2:]
    for code in which.unique().tolist():
        down, right = code // size - max_shift, code % size - max_shift
        moved = torch.roll(images[which == code], (down, right), (-2, -1))
        rows, columns = torch.arange(h)[:, None] - down, torch.arange(w) - right
        moved[..., ~((rows >= 0) & (rows < h) & (columns >= 0) & (columns < w))] = 0
        out[which == code] = moved
    return out


@wrong("random_shift", "one_shift_for_all")
def shift_batch(images, max_shift, generator):
    h, w = images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    top, left = torch.randint(2 * max_shift + 1, (2,), generator=generator).tolist()
    return padded[..., top:top + h, left:left + w]


@wrong("random_shift", "one_shift_for_all")
def shift_batch_by_roll(images, max_shift, generator):
    a, b = torch.randint(-max_shift, max_shift + 1, (2,), generator=generator).tolist()
    return torch.roll(images, (a, b), (-2, -1))


@wrong("random_shift", "wrapped_around")
def shift_by_roll(images, max_shift, generator):
    steps = torch.randint(-max_shift, max_shift + 1, (len(images), 2), generator=generator).tolist()
    return torch.stack([torch.roll(image, step, (-2, -1)) for image, step in zip(images, steps)])


@wrong("random_shift", "upper_end_missing")
def shift_end_excluded(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    if max_shift == 0:
        return images.clone()
    padded = F.pad(images, (max_shift,) * 4)
    down, right = torch.randint(-max_shift, max_shift, (2, n), generator=generator).tolist()
    top, left = [max_shift - d for d in down], [max_shift - r for r in right]
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "lower_end_missing")
def shift_crop_end_excluded(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    top, left = torch.randint(0, max(2 * max_shift, 1), (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "one_way_only")
def shift_down_and_right(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift, 0, max_shift, 0))
    top, left = torch.randint(max_shift + 1, (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "the_other_way_only")
def shift_up_and_left(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (0, max_shift, 0, max_shift))
    top, left = torch.randint(max_shift + 1, (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "not_centred")
def shift_without_offset(images, max_shift, generator):
    out, (h, w) = torch.zeros_like(images), images.shape[-2:]
    for i in range(len(images)):
        a, b = torch.randint(2 * max_shift + 1, (2,), generator=generator).tolist()
        out[i, ..., a:, b:] = images[i, ..., :h - a, :w - b]
    return out


@wrong("random_shift", "same_draw_for_both")
def shift_diagonal(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    at = torch.randint(2 * max_shift + 1, (n,), generator=generator).tolist()
    return torch.stack([padded[i, ..., at[i]:at[i] + h, at[i]:at[i] + w] for i in range(n)])


@wrong("random_shift", "down_only")
def shift_rows(images, max_shift, generator):
    n, h = len(images), images.shape[-2]
    padded = F.pad(images, (0, 0, max_shift, max_shift))
    top = torch.randint(2 * max_shift + 1, (n,), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, :] for i in range(n)])


@wrong("random_shift", "right_only")
def shift_columns(images, max_shift, generator):
    n, w = len(images), images.shape[-1]
    padded = F.pad(images, (max_shift, max_shift))
    left = torch.randint(2 * max_shift + 1, (n,), generator=generator).tolist()
    return torch.stack([padded[i, ..., left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "ends_half_as_likely")
def shift_rounded(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    top, left = torch.round(2 * max_shift * torch.rand(2, n, generator=generator)).int().tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "cut_off_towards_zero")
def shift_int(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    steps = torch.empty(n, 2).uniform_(-max_shift, max_shift, generator=generator).tolist()
    at = [(max_shift - int(a), max_shift - int(b)) for a, b in steps]
    return torch.stack([padded[i, ..., a:a + h, b:b + w] for i, (a, b) in enumerate(at)])


@wrong("random_shift", "zero_twice_as_likely")
def shift_int_wide(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    wide = max_shift + 1
    steps = (torch.rand(n, 2, generator=generator) * 2 * wide - wide).trunc().int().tolist()
    return torch.stack([padded[i, ..., max_shift - a:max_shift - a + h, max_shift - b:max_shift - b + w]
                        for i, (a, b) in enumerate(steps)])


@wrong("random_shift", "normal_draws")
def shift_normal(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    z = torch.randn(n, 2, generator=generator) * max_shift / 2
    steps = z.round().clamp(-max_shift, max_shift).int().tolist()
    return torch.stack([padded[i, ..., max_shift - a:max_shift - a + h, max_shift - b:max_shift - b + w]
                        for i, (a, b) in enumerate(steps)])


@wrong("random_shift", "extremes_only")
def shift_extremes(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    at = (torch.randint(3, (n, 2), generator=generator) * max_shift).tolist()
    return torch.stack([padded[i, ..., a:a + h, b:b + w] for i, (a, b) in enumerate(at)])


@wrong("random_shift", "edge_repeated")
def shift_replicate(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    planes = images.reshape(n, -1, h, w)
    padded = F.pad(planes, (max_shift,) * 4, mode="replicate")
    top, left = torch.randint(2 * max_shift + 1, (2, n), generator=generator).tolist()
    moved = [padded[i, :, top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)]
    return torch.stack(moved).reshape(images.shape)


@wrong("random_shift", "mirrored")
def shift_reflect(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    planes = images.reshape(n, -1, h, w)
    padded = F.pad(planes, (max_shift,) * 4, mode="reflect")
    top, left = torch.randint(2 * max_shift + 1, (2, n), generator=generator).tolist()
    moved = [padded[i, :, top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)]
    return torch.stack(moved).reshape(images.shape)


@wrong("random_shift", "channels_apart")
def shift_planes(images, max_shift, generator):
    h, w = images.shape[-2:]
    planes = images.reshape(-1, h, w)
    padded = F.pad(planes, (max_shift,) * 4)
    at = torch.randint(2 * max_shift + 1, (len(planes), 2), generator=generator).tolist()
    moved = torch.stack([padded[i, a:a + h, b:b + w] for i, (a, b) in enumerate(at)])
    return moved.reshape(images.shape)


@wrong("random_shift", "axes_counted_from_the_front")
def shift_front_axes(images, max_shift, generator):
    out, (h, w) = torch.zeros_like(images), images.shape[1:3]
    for i in range(len(images)):
        a, b = torch.randint(-max_shift, max_shift + 1, (2,), generator=generator).tolist()
        out[i, max(a, 0):h + min(a, 0), max(b, 0):w + min(b, 0)] = \
            images[i, max(-a, 0):h + min(-a, 0), max(-b, 0):w + min(-b, 0)]
    return out


@wrong("random_shift", "interpolated")
def shift_by_grid(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    planes = images.reshape(n, -1, h, w)
    steps = (2 * torch.rand(n, 2, generator=generator) - 1) * max_shift
    theta = torch.eye(2, 3).repeat(n, 1, 1)
    theta[:, :, 2] = -2 * steps / torch.tensor([w, h])
    grid = F.affine_grid(theta.to(images.dtype), list(planes.shape), align_corners=False)
    return F.grid_sample(planes, grid, align_corners=False).reshape(images.shape)


@wrong("random_shift", "generator_set_back")
def shift_reset(images, max_shift, generator):
    if generator is not None:
        generator.manual_seed(generator.initial_seed())
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    top, left = torch.randint(2 * max_shift + 1, (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "generator_not_used")
def shift_global(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    top, left = torch.randint(2 * max_shift + 1, (2, n)).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "generator_not_used")
def shift_half_global(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    top = torch.randint(2 * max_shift + 1, (n,), generator=generator).tolist()
    left = torch.randint(2 * max_shift + 1, (n,)).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "fixed_seed_for_none")
def shift_fixed(images, max_shift, generator):
    generator = torch.Generator().manual_seed(42) if generator is None else generator
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    top, left = torch.randint(2 * max_shift + 1, (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "deaf_to_manual_seed")
def shift_numpy_for_none(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    size = 2 * max_shift + 1
    if generator is None:
        top, left = np.random.default_rng().integers(size, size=(2, n)).tolist()
    else:
        top, left = torch.randint(size, (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "")
def shift_in_place(images, max_shift, generator):
    original, (h, w) = images.clone(), images.shape[-2:]
    images.zero_()
    for i in range(len(images)):
        a, b = torch.randint(-max_shift, max_shift + 1, (2,), generator=generator).tolist()
        images[i, ..., max(a, 0):h + min(a, 0), max(b, 0):w + min(b, 0)] = \
            original[i, ..., max(-a, 0):h + min(-a, 0), max(-b, 0):w + min(-b, 0)]
    return images


@wrong("random_shift", "")
def shift_grows(images, max_shift, generator):
    return F.pad(images, (max_shift,) * 4)


@wrong("random_shift", "")
def shift_float32(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images.float(), (max_shift,) * 4)
    top, left = torch.randint(2 * max_shift + 1, (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "")
def shift_in_pairs(images, max_shift, generator):
    """Neighbours move alike."""
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    at = torch.randint(2 * max_shift + 1, ((n + 1) // 2, 2), generator=generator).repeat_interleave(2, 0).tolist()
    return torch.stack([padded[i, ..., at[i][0]:at[i][0] + h, at[i][1]:at[i][1] + w] for i in range(n)])


@wrong("random_shift", "")
def shift_too_far(images, max_shift, generator):
    out, (h, w) = torch.zeros_like(images), images.shape[-2:]
    for i in range(len(images)):
        a, b = torch.randint(-max_shift, max_shift + 2, (2,), generator=generator).tolist()
        out[i, ..., max(a, 0):h + min(a, 0), max(b, 0):w + min(b, 0)] = \
            images[i, ..., max(-a, 0):h + min(-a, 0), max(-b, 0):w + min(-b, 0)]
    return out


@wrong("random_shift", "")
def shift_in_turn(images, max_shift, generator):
    """Every shift as often as any other, in a fixed order."""
    n, (h, w) = len(images), images.shape[-2:]
    padded, size = F.pad(images, (max_shift,) * 4), 2 * max_shift + 1
    start = int(torch.randint(size * size, (), generator=generator))
    at = [divmod((start + i) % (size * size), size) for i in range(n)]
    return torch.stack([padded[i, ..., a:a + h, b:b + w] for i, (a, b) in enumerate(at)])


@wrong("random_shift", "")
def shift_flattened(images, max_shift, generator):
    steps = torch.randint(-max_shift, max_shift + 1, (2,), generator=generator).tolist()
    return torch.roll(images, sum(steps))


@wrong("random_shift", "")
def shift_shuffled(images, max_shift, generator):
    n, (h, w) = len(images), images.shape[-2:]
    padded = F.pad(images[torch.randperm(n, generator=generator)], (max_shift,) * 4)
    top, left = torch.randint(2 * max_shift + 1, (2, n), generator=generator).tolist()
    return torch.stack([padded[i, ..., top[i]:top[i] + h, left[i]:left[i] + w] for i in range(n)])


@wrong("random_shift", "nothing_moves")
def shift_nothing(images, max_shift, generator):
    return images.clone()
