"""Bank of chapter 01: right alternatives and wrong implementations."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# expected_squared_error


@right("expected_squared_error")
def three_terms(bias, variance, noise):
    return noise + variance + bias * bias


@right("expected_squared_error")
def two_coins(bias, variance, noise):
    errors = [bias + s * sp.sqrt(variance) - t * sp.sqrt(noise) for s in (-1, 1) for t in (-1, 1)]
    return sp.Rational(1, 4) * sum(e**2 for e in errors)


@right("expected_squared_error")
def variance_plus_squared_mean(bias, variance, noise):
    mean_of_error = sp.sympify(bias)
    variance_of_error = variance + noise
    return sp.expand(variance_of_error + mean_of_error**2)


@right("expected_squared_error")
def second_derivative_of_the_generating_function(bias, variance, noise):
    t = sp.Symbol("t", real=True)
    return sp.diff(sp.exp(bias * t + (variance + noise) * t**2 / 2), t, 2).subs(t, 0)


@right("expected_squared_error")
def unevaluated_sum_of_parts(bias, variance, noise):
    s = sp.Symbol("s", integer=True)
    return sp.Sum((bias + (2 * s - 1) * sp.sqrt(variance + noise)) ** 2 / 2, (s, 0, 1))


@wrong("expected_squared_error", "bias_not_squared")
def plain_sum(bias, variance, noise):
    return bias + variance + noise


@wrong("expected_squared_error", "noise_forgotten")
def error_against_truth(bias, variance, noise):
    return sp.Pow(bias, 2) + variance


@wrong("expected_squared_error", "noise_squared")
def sigma_squared(bias, variance, noise):
    sigma = noise
    return bias**2 + variance + sigma**2


@wrong("expected_squared_error", "variances_squared")
def all_squared(bias, variance, noise):
    return sum(part**2 for part in (bias, variance, noise))


@wrong("expected_squared_error", "variance_squared")
def deviation_called_variance(bias, variance, noise):
    return bias**2 + variance**2 + noise


@wrong("expected_squared_error", "variance_forgotten")
def average_prediction(bias, variance, noise):
    return bias**2 + noise


@wrong("expected_squared_error", "bias_forgotten")
def variances_only(bias, variance, noise):
    return variance + noise


@wrong("expected_squared_error", "lengths_added")
def all_parts_one_way(bias, variance, noise):
    return sp.expand((sp.sqrt(noise) + sp.sqrt(variance) + bias) ** 2)


@wrong("expected_squared_error", "cross_term_kept")
def binomial_kept(bias, variance, noise):
    deviation = sp.sqrt(variance)
    return bias**2 + 2 * bias * deviation + variance + noise


@wrong("expected_squared_error", "noise_subtracted")
def minus_noise(bias, variance, noise):
    return bias**2 + (variance - noise)


@wrong("expected_squared_error", "noise_counted_twice")
def noise_of_both_sets(bias, variance, noise):
    training_part = variance + noise
    return bias**2 + training_part + noise


@wrong("expected_squared_error", "deviations_for_variances")
def roots(bias, variance, noise):
    return bias**2 + variance ** sp.Rational(1, 2) + noise ** sp.Rational(1, 2)


@wrong("expected_squared_error", "bias_subtracted")
def steiner_the_wrong_way(bias, variance, noise):
    return (variance + noise) - bias**2


@wrong("expected_squared_error", "root_taken")
def rmse(bias, variance, noise):
    return sp.sqrt(noise + variance + bias**2)


@wrong("expected_squared_error", "halved")
def half_square(bias, variance, noise):
    return sp.Rational(1, 2) * (bias**2 + variance + noise)


@wrong("expected_squared_error", "sum_squared")
def square_of_sum(bias, variance, noise):
    total = bias + variance + noise
    return total * total


@wrong("expected_squared_error", "")
def a_string(bias, variance, noise):
    return "bias squared plus variance plus noise"


@wrong("expected_squared_error", "")
def three_parts(bias, variance, noise):
    return bias**2, variance, noise


@wrong("expected_squared_error", "")
def product_of_parts(bias, variance, noise):
    return bias**2 * variance * noise


@wrong("expected_squared_error", "")
def own_symbol(bias, variance, noise):
    return bias**2 + variance + sp.Symbol("sigma") ** 2


# bias_variance


@right("bias_variance")
def mean_and_var(predictions, truth):
    return (predictions.mean(0) - truth).pow(2).mean(), predictions.var(0, correction=0).mean()


@right("bias_variance")
def error_minus_variance(predictions, truth):
    errors = (predictions - truth).double()
    variance = errors.var(0, unbiased=False).mean()
    return (errors.square().mean() - variance).to(predictions.dtype), variance.to(predictions.dtype)


@right("bias_variance")
def in_loops(predictions, truth):
    p, t = predictions.tolist(), truth.tolist()
    count, points = len(p), len(t)
    bias_squared = variance = 0.0
    for n in range(points):
        column = [row[n] for row in p]
        mean = sum(column) / count
        bias_squared += (mean - t[n]) ** 2 / points
        variance += sum((v - mean) ** 2 for v in column) / count / points
    return bias_squared, variance


@right("bias_variance")
def by_numpy(predictions, truth):
    p, t = predictions.detach().numpy(), truth.detach().numpy()
    return torch.from_numpy(np.asarray(((p.mean(axis=0) - t) ** 2).mean())), torch.from_numpy(np.asarray(p.var(axis=0).mean()))


@right("bias_variance")
def by_einsum(predictions, truth):
    count, points = predictions.shape
    bias = torch.einsum("rn->n", predictions) / count - truth
    centred = predictions - torch.einsum("rn->n", predictions) / count
    return torch.einsum("n,n->", bias, bias) / points, torch.einsum("rn,rn->", centred, centred) / (count * points)


@right("bias_variance")
def by_mse_loss(predictions, truth):
    centre = predictions.mean(dim=0, keepdim=True)
    return F.mse_loss(centre[0], truth), F.mse_loss(predictions, centre.expand_as(predictions))


@wrong("bias_variance", "unbiased_variance")
def torch_default(predictions, truth):
    return ((predictions.mean(0) - truth) ** 2).mean(), predictions.var(0).mean()


@wrong("bias_variance", "axes_confused")
def last_axis(predictions, truth):
    return ((predictions.mean(1) - truth) ** 2).mean(), predictions.var(1, correction=0).mean()


@wrong("bias_variance", "axes_confused")
def variance_along_the_points(predictions, truth):
    return ((predictions.mean(0) - truth) ** 2).mean(), predictions.var(-1, unbiased=False).mean()


@wrong("bias_variance", "whole_error_for_bias")
def squared_first(predictions, truth):
    return ((predictions - truth) ** 2).mean(), predictions.var(0, correction=0).mean()


@wrong("bias_variance", "spread_about_the_truth")
def distance_from_truth(predictions, truth):
    return (predictions.mean(0) - truth).square().mean(), (predictions - truth).square().mean(0).mean()


@wrong("bias_variance", "bias_averaged_over_points_first")
def one_bias(predictions, truth):
    return (predictions.mean() - truth.mean()) ** 2, predictions.var(0, correction=0).mean()


@wrong("bias_variance", "variance_of_all_entries")
def var_without_axis(predictions, truth):
    return (predictions.mean(0) - truth).square().mean(), predictions.var(correction=0)


@wrong("bias_variance", "refits_averaged_over_points_first")
def variance_of_the_averages(predictions, truth):
    averages = predictions.mean(1)
    return (predictions.mean(0) - truth).square().mean(), ((averages - averages.mean()) ** 2).mean()


@wrong("bias_variance", "summed_over_points")
def sums(predictions, truth):
    mean = predictions.mean(0)
    return ((mean - truth) ** 2).sum(), ((predictions - mean) ** 2).mean(0).sum()


@wrong("bias_variance", "summed_over_points")
def bias_summed(predictions, truth):
    mean = predictions.mean(0)
    return ((mean - truth) ** 2).sum(), ((predictions - mean) ** 2).mean()


@wrong("bias_variance", "not_averaged")
def per_point(predictions, truth):
    return (predictions.mean(0) - truth) ** 2, predictions.var(0, correction=0)


@wrong("bias_variance", "wrong_order")
def exchanged(predictions, truth):
    return predictions.var(0, correction=0).mean(), (predictions.mean(0) - truth).square().mean()


@wrong("bias_variance", "mean_bias")
def signed_bias(predictions, truth):
    return (predictions.mean(0) - truth).mean(), predictions.var(0, correction=0).mean()


@wrong("bias_variance", "absolute_bias")
def size_of_bias(predictions, truth):
    return (predictions.mean(0) - truth).abs().mean(), predictions.var(0, correction=0).mean()


@wrong("bias_variance", "mean_deviation")
def std_for_var(predictions, truth):
    return (predictions.mean(0) - truth).square().mean(), predictions.std(0, correction=0).mean()


@wrong("bias_variance", "root_of_variance")
def root_at_the_end(predictions, truth):
    return (predictions.mean(0) - truth).square().mean(), predictions.var(0, correction=0).mean().sqrt()


@wrong("bias_variance", "bias_corrected")
def without_bias_of_the_bias(predictions, truth):
    standard_error = predictions.var(0, correction=1) / len(predictions)
    bias_squared = (predictions.mean(0) - truth).square() - standard_error
    return bias_squared.mean(), predictions.var(0, correction=0).mean()


@wrong("bias_variance", "")
def works_in_place(predictions, truth):
    predictions -= predictions.mean(0)
    return truth.square().mean(), predictions.square().mean()


@wrong("bias_variance", "")
def always_float32(predictions, truth):
    p, t = predictions.float(), truth.float()
    return (p.mean(0) - t).square().mean(), p.var(0, correction=0).mean()


@wrong("bias_variance", "")
def sum_only(predictions, truth):
    return (predictions - truth).square().mean()


@wrong("bias_variance", "")
def median_refit(predictions, truth):
    return (predictions.median(0).values - truth).square().mean(), predictions.var(0, correction=0).mean()


# corrupt_labels


@right("corrupt_labels")
def permutation(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new = labels.clone()
    new[chosen] = torch.randint(0, num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@right("corrupt_labels")
def mask_of_the_smallest_keys(labels, fraction, num_classes, generator):
    keys = torch.rand(labels.shape, generator=generator, dtype=torch.float64)
    count = round(fraction * labels.numel())
    mask = torch.zeros(labels.shape, dtype=torch.bool)
    mask[keys.argsort()[:count]] = True
    fresh = torch.randint(num_classes, labels.shape, generator=generator, dtype=labels.dtype)
    return torch.where(mask, fresh, labels)


@right("corrupt_labels")
def one_by_one(labels, fraction, num_classes, generator):
    new, left = labels.tolist(), list(range(len(labels)))
    for _ in range(round(len(labels) * fraction)):
        position = left.pop(int(torch.randint(len(left), (), generator=generator)))
        new[position] = int(torch.randint(num_classes, (), generator=generator))
    return torch.tensor(new, dtype=labels.dtype)


@right("corrupt_labels")
def numpy_seeded_by_the_generator(labels, fraction, num_classes, generator):
    rng = np.random.default_rng(int(torch.randint(2**60, (), generator=generator)))
    new = labels.numpy().copy()
    chosen = rng.choice(len(new), size=round(fraction * len(new)), replace=False)
    new[chosen] = rng.integers(num_classes, size=len(chosen))
    return torch.from_numpy(new)


@right("corrupt_labels")
def weighted_draw(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    if count == 0:
        return labels
    chosen = torch.multinomial(torch.ones(len(labels), dtype=torch.float64), count, generator=generator)
    fresh = torch.floor(num_classes * torch.rand(count, generator=generator, dtype=torch.float64))
    return labels.scatter(0, chosen, fresh.to(labels.dtype))


@right("corrupt_labels")
def uniform_shift(labels, fraction, num_classes, generator):
    chosen = torch.randperm(len(labels), generator=generator)[-round(fraction * len(labels)) or len(labels):]
    shift = torch.zeros_like(labels)
    shift[chosen] = torch.randint(num_classes, chosen.shape, generator=generator).to(labels.dtype)
    return (labels + shift) % num_classes


@wrong("corrupt_labels", "each_by_chance")
def bernoulli_mask(labels, fraction, num_classes, generator):
    mask = torch.rand(len(labels), generator=generator) < fraction
    return torch.where(mask, torch.randint(num_classes, labels.shape, generator=generator).to(labels.dtype), labels)


@wrong("corrupt_labels", "each_by_chance")
def bernoulli_loop(labels, fraction, num_classes, generator):
    new = labels.clone()
    for i in range(len(labels)):
        if torch.rand((), generator=generator) < fraction:
            new[i] = torch.randint(num_classes, (), generator=generator)
    return new


@wrong("corrupt_labels", "old_class_excluded")
def another_class(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new = labels.clone()
    shift = torch.randint(1, num_classes, (count,), generator=generator) if num_classes > 1 else 0
    new[chosen] = ((labels[chosen] + shift) % num_classes).to(labels.dtype)
    return new


@wrong("corrupt_labels", "positions_with_replacement")
def randint_positions(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    positions = torch.randint(len(labels), (count,), generator=generator)
    new[positions] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "generator_set_back")
def reseeds(labels, fraction, num_classes, generator):
    if generator is not None:
        generator.manual_seed(42)
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "generator_set_back")
def restores_the_state(labels, fraction, num_classes, generator):
    state = generator.get_state() if generator is not None else None
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    if state is not None:
        generator.set_state(state)
    return new


@wrong("corrupt_labels", "first_positions")
def leading_slice(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    new[:count] = torch.randint(num_classes, (count,), generator=generator)
    return new


@wrong("corrupt_labels", "shuffled")
def permuted_among_themselves(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new = labels.clone()
    new[chosen] = labels[chosen][torch.randperm(count, generator=generator)]
    return new


@wrong("corrupt_labels", "cut_off")
def int_for_round(labels, fraction, num_classes, generator):
    count = int(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "rounded_up")
def ceiling(labels, fraction, num_classes, generator):
    count = -int(-fraction * len(labels) // 1)
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "halves_up")
def add_half_and_cut(labels, fraction, num_classes, generator):
    count = int(fraction * len(labels) + 0.5)
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "fraction_stays")
def corrupts_the_rest(labels, fraction, num_classes, generator):
    kept = round(fraction * len(labels))
    chosen = torch.randperm(len(labels), generator=generator)[kept:]
    new = labels.clone()
    new[chosen] = torch.randint(num_classes, chosen.shape, generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "one_class_for_all")
def single_draw(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    new[torch.randperm(len(labels), generator=generator)[:count]] = int(torch.randint(num_classes, (1,), generator=generator))
    return new


@wrong("corrupt_labels", "last_class_never")
def upper_end_less_one(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(0, max(1, num_classes - 1), (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "first_class_never")
def lower_end_one(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(1, num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "classes_from_one")
def one_to_c(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = 1 + torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "one_class_too_many")
def upper_end_included(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(0, num_classes + 1, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "next_class")
def cyclic(labels, fraction, num_classes, generator):
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:round(fraction * len(labels))]
    new[chosen] = (new[chosen] + 1) % num_classes
    return new


@wrong("corrupt_labels", "generator_not_used")
def global_draws(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    new[torch.randperm(len(labels))[:count]] = torch.randint(num_classes, (count,)).to(labels.dtype)
    return new


@wrong("corrupt_labels", "generator_not_used")
def generator_for_positions_only(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,)).to(labels.dtype)
    return new


@wrong("corrupt_labels", "fixed_seed_for_none")
def own_generator(labels, fraction, num_classes, generator):
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "deaf_to_manual_seed")
def numpy_where_none(labels, fraction, num_classes, generator):
    seed = None if generator is None else int(torch.randint(2**60, (), generator=generator))
    rng = np.random.default_rng(seed)
    new = labels.clone()
    chosen = torch.from_numpy(rng.permutation(len(labels)))[:round(fraction * len(labels))]
    new[chosen] = torch.from_numpy(rng.integers(num_classes, size=len(chosen))).to(labels.dtype)
    return new


@wrong("corrupt_labels", "")
def in_place(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    labels[chosen] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return labels


@wrong("corrupt_labels", "")
def float_labels(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.double()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,), generator=generator).double()
    return new


@wrong("corrupt_labels", "one_block")
def random_block(labels, fraction, num_classes, generator):
    count, n = round(fraction * len(labels)), len(labels)
    start = int(torch.randint(n, (), generator=generator))
    new = labels.clone()
    new[(start + torch.arange(count)) % n] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "one_block")
def last_positions(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    new[len(labels) - count:] = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    return new


@wrong("corrupt_labels", "")
def chosen_only(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    return torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)


@wrong("corrupt_labels", "nothing_changes")
def written_into_a_copy(labels, fraction, num_classes, generator):
    new = labels.clone()
    count = round(fraction * len(labels))
    fresh = torch.randint(num_classes, (count,), generator=generator).to(labels.dtype)
    new[torch.randperm(len(labels), generator=generator)][:count] = fresh
    return new


@wrong("corrupt_labels", "")
def normal_classes(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    z = num_classes * (0.5 + 0.25 * torch.randn(count, generator=generator))
    new[chosen] = z.floor().clamp(0, num_classes - 1).to(labels.dtype)
    return new


@wrong("corrupt_labels", "")
def always_int64(labels, fraction, num_classes, generator):
    count = round(fraction * len(labels))
    new = labels.long().clone()
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    new[chosen] = torch.randint(num_classes, (count,), generator=generator)
    return new


# ridge


@right("ridge")
def normal_equations(features, targets, lam):
    gram = features.T @ features
    return torch.linalg.solve(gram + lam * torch.eye(gram.shape[0], dtype=gram.dtype), features.T @ targets)


@right("ridge")
def through_the_examples(features, targets, lam):
    kernel = features @ features.T
    kernel = kernel + lam * torch.eye(len(kernel), dtype=kernel.dtype)
    return features.T @ torch.linalg.solve(kernel, targets)


@right("ridge")
def appended_rows(features, targets, lam):
    d = features.shape[1]
    phi = torch.cat([features, math.sqrt(lam) * torch.eye(d, dtype=features.dtype)])
    y = torch.cat([targets, targets.new_zeros(d, *targets.shape[1:])])
    y = y[:, None] if targets.ndim == 1 else y
    w = torch.linalg.lstsq(phi, y).solution
    return w[:, 0] if targets.ndim == 1 else w


@right("ridge")
def by_singular_values(features, targets, lam):
    u, s, vh = torch.linalg.svd(features.double(), full_matrices=False)
    shrunk = torch.diag(s / (s.square() + lam))
    return (vh.T @ shrunk @ (u.T @ targets.double())).to(features.dtype)


@right("ridge")
def by_numpy_inverse(features, targets, lam):
    phi, y = features.detach().numpy(), targets.detach().numpy()
    w = np.linalg.inv(phi.T.dot(phi) + lam * np.identity(phi.shape[1], dtype=phi.dtype)).dot(phi.T).dot(y)
    return torch.from_numpy(w)


@right("ridge")
def cholesky_in_float64(features, targets, lam):
    phi, y = features.double(), targets.double().reshape(len(targets), -1)
    matrix = torch.einsum("nd,ne->de", phi, phi)
    matrix.diagonal().add_(lam)
    w = torch.cholesky_solve(torch.einsum("nd,nk->dk", phi, y), torch.linalg.cholesky(matrix))
    return w.reshape(features.shape[1], *targets.shape[1:]).to(features.dtype)


@wrong("ridge", "no_penalty")
def pseudoinverse(features, targets, lam):
    return torch.linalg.pinv(features) @ targets


@wrong("ridge", "no_penalty")
def library_lstsq(features, targets, lam):
    y = targets.reshape(len(targets), -1)
    return torch.linalg.lstsq(features, y).solution.reshape(features.shape[1], *targets.shape[1:])


@wrong("ridge", "lam_on_every_entry")
def broadcast_lam(features, targets, lam):
    return torch.linalg.pinv(features.T @ features + lam, hermitian=True) @ features.T @ targets


@wrong("ridge", "mean_over_examples")
def divided_by_n(features, targets, lam):
    n, d = features.shape
    return torch.linalg.solve(features.T @ features / n + lam * torch.eye(d, dtype=features.dtype), features.T @ targets / n)


@wrong("ridge", "penalty_without_half")
def two_lam(features, targets, lam):
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.solve(features.T @ features + 2 * lam * eye, features.T @ targets)


@wrong("ridge", "error_without_half")
def doubled_error(features, targets, lam):
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.solve(2 * features.T @ features + lam * eye, 2 * features.T @ targets)


@wrong("ridge", "lam_squared")
def rows_of_lam(features, targets, lam):
    d = features.shape[1]
    phi = torch.cat([features, lam * torch.eye(d, dtype=features.dtype)])
    y = torch.cat([targets, torch.zeros(d, *targets.shape[1:], dtype=targets.dtype)])
    return torch.linalg.pinv(phi) @ y


@wrong("ridge", "root_of_lam")
def root_on_the_diagonal(features, targets, lam):
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.solve(features.T @ features + lam**0.5 * eye, features.T @ targets)


@wrong("ridge", "penalty_averaged")
def lam_over_n(features, targets, lam):
    n, d = features.shape
    return torch.linalg.solve(features.T @ features + lam / n * torch.eye(d, dtype=features.dtype), features.T @ targets)


@wrong("ridge", "penalty_subtracted")
def minus_lam(features, targets, lam):
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.solve(features.T @ features - lam * eye, features.T @ targets)


@wrong("ridge", "intercept_fitted")
def centred_as_sklearn(features, targets, lam):
    phi, y = features - features.mean(0, keepdim=True), targets - targets.mean(0, keepdim=True)
    return torch.linalg.solve(phi.T @ phi + lam * torch.eye(phi.shape[1], dtype=phi.dtype), phi.T @ y)


@wrong("ridge", "last_weight_free")
def bias_is_last(features, targets, lam):
    mask = torch.ones(features.shape[1], dtype=features.dtype)
    mask[-1] = 0
    return torch.linalg.solve(features.T @ features + lam * torch.diag(mask), features.T @ targets)


@wrong("ridge", "first_weight_free")
def bias_is_first(features, targets, lam):
    penalty = lam * torch.eye(features.shape[1], dtype=features.dtype)
    penalty[0, 0] = 0
    return torch.linalg.solve(features.T @ features + penalty, features.T @ targets)


@wrong("ridge", "shrunk_by_one_factor")
def decayed_least_squares(features, targets, lam):
    return torch.linalg.pinv(features) @ targets / (1.0 + lam)


@wrong("ridge", "fitted_values")
def hat_matrix(features, targets, lam):
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    return features @ torch.linalg.solve(features.T @ features + lam * eye, features.T @ targets)


@wrong("ridge", "examples_in_columns")
def textbook_with_columns(features, targets, lam):
    eye = torch.eye(features.shape[0], dtype=features.dtype)
    return torch.linalg.solve(features @ features.T + lam * eye, features @ targets)


@wrong("ridge", "products_of_examples")
def gram_transposed(features, targets, lam):
    eye = torch.eye(features.shape[0], dtype=features.dtype)
    return torch.linalg.solve(features @ features.T + lam * eye, features.T @ targets)


@wrong("ridge", "")
def eye_in_float32(features, targets, lam):
    phi, y = features.float(), targets.float()
    return torch.linalg.solve(phi.T @ phi + lam * torch.eye(phi.shape[1]), phi.T @ y)


@wrong("ridge", "")
def lam_added_in_place(features, targets, lam):
    gram = features.T @ features
    gram.diagonal().add_(lam)
    targets.div_(1)
    features.sub_(0.0).add_(1e-3)
    return torch.linalg.solve(gram, features.T @ targets)


@wrong("ridge", "")
def column_for_a_vector(features, targets, lam):
    y = targets.reshape(len(targets), -1)
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.solve(features.T @ features + lam * eye, features.T @ y)


@wrong("ridge", "")
def few_gradient_steps(features, targets, lam):
    w = torch.zeros(features.shape[1], *targets.shape[1:], dtype=features.dtype)
    rate = 1 / (torch.linalg.matrix_norm(features, 2) ** 2 + lam)
    for _ in range(10):
        w = w - rate * (features.T @ (features @ w - targets) + lam * w)
    return w


# min_norm_interpolator


@right("min_norm_interpolator")
def pseudoinverse_applied(features, targets):
    return torch.linalg.pinv(features) @ targets


@right("min_norm_interpolator")
def lstsq_by_svd(features, targets):
    y = targets.reshape(len(targets), -1)
    w = torch.linalg.lstsq(features, y, driver="gelsd").solution
    return w.reshape(features.shape[1], *targets.shape[1:])


@right("min_norm_interpolator")
def numpy_lstsq(features, targets):
    phi, y = features.detach().numpy(), targets.detach().numpy()
    return torch.from_numpy(np.linalg.lstsq(phi, y, rcond=None)[0])


@right("min_norm_interpolator")
def singular_values_by_hand(features, targets):
    u, s, vh = torch.linalg.svd(features.double(), full_matrices=False)
    keep = s > 1e-10 * s.max()
    inverse = torch.zeros_like(s)
    inverse[keep] = 1 / s[keep]
    return torch.einsum("rd,r,nr,n...->d...", vh, inverse, u, targets.double()).to(features.dtype)


@right("min_norm_interpolator")
def gradient_descent_from_zero(features, targets):
    phi, y = features.detach().double(), targets.detach().double()
    w = torch.zeros(phi.shape[1], *y.shape[1:], dtype=torch.float64)
    rate = 1 / torch.linalg.matrix_norm(phi, 2) ** 2
    previous, momentum = w, 0.8
    for _ in range(700):
        ahead = w + momentum * (w - previous)
        previous, w = w, ahead - rate * (phi.T @ (phi @ ahead - y))
    return w.to(features.dtype)


@right("min_norm_interpolator")
def eigenvectors_of_the_gram_matrix(features, targets):
    phi = features.double()
    values, vectors = torch.linalg.eigh(phi @ phi.T)
    keep = values > 1e-9 * values.max()
    v = vectors[:, keep]
    return (phi.T @ (v / values[keep]) @ (v.T @ targets.double())).to(features.dtype)


@wrong("min_norm_interpolator", "features_inverted")
def textbook_inverse(features, targets):
    return torch.linalg.inv(features.T @ features) @ features.T @ targets


@wrong("min_norm_interpolator", "features_inverted")
def solve_normal_equations(features, targets):
    return torch.linalg.solve(features.T @ features, features.T @ targets)


@wrong("min_norm_interpolator", "examples_inverted")
def kernel_inverse(features, targets):
    return features.T @ torch.linalg.solve(features @ features.T, targets)


@wrong("min_norm_interpolator", "shape_for_rank")
def two_branches(features, targets):
    n, d = features.shape
    if n >= d:
        return torch.linalg.solve(features.T @ features, features.T @ targets)
    return features.T @ torch.linalg.inv(features @ features.T) @ targets


@wrong("min_norm_interpolator", "first_weights_only")
def square_block(features, targets):
    n, d = features.shape
    m = min(n, d)
    w = torch.zeros(d, *targets.shape[1:], dtype=features.dtype)
    w[:m] = torch.linalg.pinv(features[:, :m]) @ targets
    return w


@wrong("min_norm_interpolator", "small_penalty")
def ridge_with_a_trace(features, targets):
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.solve(features.T @ features + 1e-6 * eye, features.T @ targets)


@wrong("min_norm_interpolator", "small_penalty")
def ridge_with_a_hundredth(features, targets):
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.solve(features.T @ features + 1e-2 * eye, features.T @ targets)


@wrong("min_norm_interpolator", "small_penalty")
def gradient_descent_stopped_early(features, targets):
    w = torch.zeros(features.shape[1], *targets.shape[1:], dtype=features.dtype)
    for _ in range(60):
        w = w - features.T @ (features @ w - targets) / torch.linalg.matrix_norm(features, 2) ** 2
    return w


@wrong("min_norm_interpolator", "intercept_beside")
def centred_least_squares(features, targets):
    return torch.linalg.pinv(features - features.mean(0)) @ (targets - targets.mean(0))


@wrong("min_norm_interpolator", "part_beside_the_examples")
def descent_from_a_random_start(features, targets):
    g = torch.Generator().manual_seed(3)
    w = torch.randn(features.shape[1], *targets.shape[1:], generator=g, dtype=features.dtype)
    return w - torch.linalg.pinv(features) @ (features @ w - targets)


@wrong("min_norm_interpolator", "part_beside_the_examples")
def last_weights_zero(features, targets):
    n, d = features.shape
    w = torch.zeros(d, *targets.shape[1:], dtype=features.dtype)
    w[max(0, d - n):] = torch.linalg.pinv(features[:, max(0, d - n):]) @ targets
    return w


@wrong("min_norm_interpolator", "fitted_not_weights")
def projection_of_targets(features, targets):
    return features @ (torch.linalg.pinv(features) @ targets)


@wrong("min_norm_interpolator", "columns_as_examples")
def inverse_of_the_transpose(features, targets):
    return torch.linalg.pinv(features.T) @ targets


@wrong("min_norm_interpolator", "transpose_for_inverse")
def one_gradient(features, targets):
    return features.T @ targets


@wrong("min_norm_interpolator", "float32_on_the_way")
def float32_inside(features, targets):
    return (torch.linalg.pinv(features.float()) @ targets.float()).to(features.dtype)


@wrong("min_norm_interpolator", "")
def unguarded_singular_values(features, targets):
    u, s, vh = torch.linalg.svd(features, full_matrices=False)
    return vh.T @ torch.diag(1 / s) @ u.T @ targets


@wrong("min_norm_interpolator", "")
def coarse_rank(features, targets):
    return torch.linalg.pinv(features, rtol=0.5) @ targets


@wrong("min_norm_interpolator", "")
def centres_in_place(features, targets):
    features -= features.mean(0)
    return torch.linalg.pinv(features) @ targets


@wrong("min_norm_interpolator", "")
def single_output_only(features, targets):
    return (torch.linalg.pinv(features) @ targets[:, None])[:, 0]
