"""Bank of chapter 04: right alternatives and wrong implementations."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# design_hessian


@right("design_hessian")
def outer_products_in_a_loop(features):
    total = torch.zeros(features.shape[1] + 1, features.shape[1] + 1, dtype=features.dtype)
    for row in features:
        phi = torch.cat([row, row.new_ones(1)])
        total = total + torch.outer(phi, phi)
    return total / features.shape[0]


@right("design_hessian")
def by_einsum(features):
    x = F.pad(features, (0, 1), value=1)
    return torch.einsum("nd,ne->nde", x, x).mean(0)


@right("design_hessian")
def in_blocks(features):
    mean = features.mean(0, keepdim=True)
    top = torch.hstack([features.T.matmul(features) / len(features), mean.T])
    return torch.vstack([top, torch.hstack([mean, torch.ones_like(mean[:, :1])])])


@right("design_hessian")
def through_numpy(features):
    x = np.column_stack([features.numpy(), np.ones(len(features))])
    return torch.from_numpy(x.T @ x / len(x)).to(features.dtype)


@right("design_hessian")
def hessian_by_autograd(features):
    def cost(w):
        return 0.5 * (features.double() @ w[:-1] + w[-1] - 3.0).square().mean()

    start = torch.zeros(features.shape[1] + 1, dtype=torch.float64)
    return torch.autograd.functional.hessian(cost, start).to(features.dtype)


@right("design_hessian")
def covariance_plus_mean(features):
    x = torch.column_stack([features, torch.ones(len(features), dtype=features.dtype)])
    mean = x.mean(0)
    centred = x - mean
    return centred.mT @ centred / len(x) + mean.outer(mean)


@wrong("design_hessian", "coordinate_forgotten")
def no_bias(features):
    return features.T @ features / len(features)


@wrong("design_hessian", "coordinate_first")
def ones_in_front(features):
    x = torch.cat([torch.ones(len(features), 1, dtype=features.dtype), features], dim=1)
    return x.T @ x / len(x)


@wrong("design_hessian", "summed")
def no_division(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return x.T @ x


@wrong("design_hessian", "half_forgotten")
def two_over_n(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return 2 * (x.T @ x) / len(x)


@wrong("design_hessian", "half_forgotten")
def hessian_of_mse(features):
    y = features.new_zeros(len(features))
    cost = lambda w: F.mse_loss(features @ w[:-1] + w[-1], y)
    return torch.autograd.functional.hessian(cost, features.new_zeros(features.shape[1] + 1))


@wrong("design_hessian", "half_kept")
def over_two_n(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return x.T @ x / (2 * len(x))


@wrong("design_hessian", "features_centred")
def centred_then_ones(features):
    x = features - features.mean(dim=0)
    x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    return x.T @ x / len(x)


@wrong("design_hessian", "covariance")
def ones_then_centred(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    x = x - x.mean(dim=0)
    return x.T @ x / len(x)


@wrong("design_hessian", "covariance")
def torch_cov_biased(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return torch.cov(x.T, correction=0)


@wrong("design_hessian", "sample_covariance")
def torch_cov(features):
    return torch.cov(torch.cat([features, torch.ones_like(features[:, :1])], dim=1).T)


@wrong("design_hessian", "examples_with_examples")
def gram(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return x @ x.T / len(x)


@wrong("design_hessian", "axes_exchanged")
def ones_as_a_row(features):
    x = torch.cat([features, torch.ones(1, features.shape[1], dtype=features.dtype)], dim=0)
    return x @ x.T / x.shape[1]


@wrong("design_hessian", "coordinate_apart")
def bias_block(features):
    h = torch.zeros(features.shape[1] + 1, features.shape[1] + 1, dtype=features.dtype)
    h[:-1, :-1] = features.T @ features / len(features)
    h[-1, -1] = 1
    return h


@wrong("design_hessian", "coordinate_not_averaged")
def border_of_sums(features):
    n, d = features.shape
    h = torch.empty(d + 1, d + 1, dtype=features.dtype)
    h[:d, :d] = features.T @ features / n
    h[:d, d] = h[d, :d] = features.sum(0)
    h[d, d] = n
    return h


@wrong("design_hessian", "averaged_first")
def outer_of_mean(features):
    phi = torch.cat([features.mean(0), torch.ones(1, dtype=features.dtype)])
    return torch.outer(phi, phi)


@wrong("design_hessian", "one_less_than_n")
def over_n_minus_one(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return x.T @ x / (len(x) - 1)


@wrong("design_hessian", "divided_by_the_width")
def over_d(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return x.T @ x / features.shape[1]


@wrong("design_hessian", "divided_by_the_parameters")
def over_d_plus_one(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return x.T @ x / x.shape[1]


@wrong("design_hessian", "standardised")
def standardised_first(features):
    x = (features - features.mean(0)) / features.var(0, unbiased=False).sqrt()
    x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    return x.T @ x / len(x)


@wrong("design_hessian", "diagonal_alone")
def diag_matrix(features):
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    return torch.diag((x**2).mean(0))


@wrong("design_hessian", "")
def float64_returned(features):
    x = F.pad(features.double(), (0, 1), value=1)
    return x.T @ x / len(x)


@wrong("design_hessian", "")
def centred_in_place(features):
    features -= features.mean(0)
    x = F.pad(features, (0, 1), value=1)
    return x.T @ x / len(x)


@wrong("design_hessian", "")
def elementwise(features):
    x = F.pad(features, (0, 1), value=1)
    return (x * x).mean(0)


@wrong("design_hessian", "")
def zero_appended(features):
    x = F.pad(features, (0, 1))
    return x.T @ x / len(x)


# outlier_eigenvalue


@right("outlier_eigenvalue")
def with_the_one_last(mean_norm_sq):
    return mean_norm_sq + 1


@right("outlier_eigenvalue")
def eigenvalue_of_a_matrix(mean_norm_sq):
    v = sp.Matrix([sp.sqrt(mean_norm_sq), 1])
    return max((v * v.T).eigenvals(), key=lambda root: root.subs(mean_norm_sq, 1))


@right("outlier_eigenvalue")
def trace_of_the_outer_product(mean_norm_sq):
    v = sp.Matrix([sp.sqrt(mean_norm_sq / 2), sp.sqrt(mean_norm_sq / 2), 1])
    return (v * v.T).trace()


@right("outlier_eigenvalue")
def root_of_the_characteristic_polynomial(mean_norm_sq):
    x = sp.Symbol("x")
    return sp.solve(sp.expand((mean_norm_sq - x) * (1 - x) - mean_norm_sq), x)[-1]


@right("outlier_eigenvalue")
def unevaluated_sum(mean_norm_sq):
    i = sp.Symbol("i", integer=True)
    return sp.Sum(mean_norm_sq**i, (i, 0, 1))


@wrong("outlier_eigenvalue", "coordinate_without_part")
def mean_only(mean_norm_sq):
    return mean_norm_sq


@wrong("outlier_eigenvalue", "identity_covariance")
def with_unit_covariance(mean_norm_sq):
    mu = sp.sqrt(mean_norm_sq)
    return (2 + mu**2 + mu * sp.sqrt(mu**2 + 4)) / 2


@wrong("outlier_eigenvalue", "variance_added")
def one_for_the_variance(mean_norm_sq):
    return 1 + (1 + mean_norm_sq)


@wrong("outlier_eigenvalue", "length_for_squared_length")
def norm_of_the_vector(mean_norm_sq):
    return sp.Matrix([sp.sqrt(mean_norm_sq), 1]).norm()


@wrong("outlier_eigenvalue", "mean_not_squared")
def one_plus_norm(mean_norm_sq):
    return sp.sqrt(mean_norm_sq) + 1


@wrong("outlier_eigenvalue", "mean_squared_twice")
def squared_again(mean_norm_sq):
    m = mean_norm_sq
    return m**2 + 1


@wrong("outlier_eigenvalue", "lengths_added")
def binomial(mean_norm_sq):
    return sp.expand((sp.sqrt(mean_norm_sq) + 1) ** 2)


@wrong("outlier_eigenvalue", "whole_square")
def norm_to_the_fourth(mean_norm_sq):
    v = sp.Matrix([sp.sqrt(mean_norm_sq), 1])
    return (v.T * v * v.T * v)[0]


@wrong("outlier_eigenvalue", "cost_without_half")
def twice(mean_norm_sq):
    return 2 + 2 * mean_norm_sq


@wrong("outlier_eigenvalue", "half_left_over")
def half(mean_norm_sq):
    return sp.Rational(1, 2) + mean_norm_sq / 2


@wrong("outlier_eigenvalue", "coordinate_alone")
def just_one(mean_norm_sq):
    return 1


@wrong("outlier_eigenvalue", "smallest")
def the_other_root(mean_norm_sq):
    x = sp.Symbol("x")
    roots = sp.solve(sp.expand((mean_norm_sq - x) * (1 - x) - mean_norm_sq), x)
    return min(roots, key=lambda root: root.subs(mean_norm_sq, 1))


@wrong("outlier_eigenvalue", "share")
def fraction_of_the_mean(mean_norm_sq):
    return 1 - 1 / (1 + mean_norm_sq)


@wrong("outlier_eigenvalue", "")
def minus_one(mean_norm_sq):
    return mean_norm_sq - 1


@wrong("outlier_eigenvalue", "")
def own_symbol(mean_norm_sq):
    return 1 + sp.Symbol("m") ** 2


@wrong("outlier_eigenvalue", "")
def both_roots(mean_norm_sq):
    return [0, 1 + mean_norm_sq]


# kfac_factors


@right("kfac_factors")
def by_einsum_over_examples(acts, pseudo_grads):
    n = acts.size(0)
    return torch.einsum("ni,nj->ij", acts, acts) / n, torch.einsum("no,np->op", pseudo_grads, pseudo_grads) / n


@right("kfac_factors")
def mean_of_outer_products(acts, pseudo_grads):
    A = torch.stack([torch.outer(a, a) for a in acts]).mean(0)
    S = torch.stack([torch.outer(s, s) for s in pseudo_grads]).mean(0)
    return A, S


@right("kfac_factors")
def entries_in_loops(acts, pseudo_grads):
    def moment(x):
        out = torch.empty(x.shape[1], x.shape[1], dtype=x.dtype)
        for i in range(x.shape[1]):
            for j in range(x.shape[1]):
                out[i, j] = (x[:, i] * x[:, j]).mean()
        return out

    return moment(acts), moment(pseudo_grads)


@right("kfac_factors")
def scaled_rows(acts, pseudo_grads):
    half = math.sqrt(len(acts))
    return [(x / half).mT @ (x / half) for x in (acts, pseudo_grads)]


@right("kfac_factors")
def numpy_in_float64(acts, pseudo_grads):
    factors = []
    for x in (acts, pseudo_grads):
        rows = x.numpy().astype(np.float64)
        factors.append(torch.from_numpy(np.dot(rows.T, rows) / rows.shape[0]).to(x.dtype))
    return tuple(factors)


@right("kfac_factors")
def biased_covariance_plus_mean(acts, pseudo_grads):
    def moment(x):
        m = x.mean(0)
        return torch.cov(x.T, correction=0).reshape(x.shape[1], x.shape[1]) + torch.outer(m, m)

    return moment(acts), moment(pseudo_grads)


@wrong("kfac_factors", "centred_covariance")
def both_centred(acts, pseudo_grads):
    a, s = acts - acts.mean(0), pseudo_grads - pseudo_grads.mean(0)
    return a.T @ a / len(a), s.T @ s / len(s)


@wrong("kfac_factors", "centred_covariance")
def only_acts_centred(acts, pseudo_grads):
    a = acts - acts.mean(0, keepdim=True)
    return a.T @ a / a.shape[0], pseudo_grads.T @ pseudo_grads / a.shape[0]


@wrong("kfac_factors", "centred_covariance")
def only_gradients_centred(acts, pseudo_grads):
    n, s = len(acts), pseudo_grads - pseudo_grads.mean(0)
    return acts.T @ acts / n, s.T @ s / n


@wrong("kfac_factors", "sample_covariance_of_each")
def torch_cov_of_both(acts, pseudo_grads):
    return torch.cov(acts.T), torch.cov(pseudo_grads.T)


@wrong("kfac_factors", "sample_covariance_of_each")
def numpy_cov(acts, pseudo_grads):
    return tuple(torch.from_numpy(np.cov(x.numpy(), rowvar=False)).to(x.dtype) for x in (acts, pseudo_grads))


@wrong("kfac_factors", "examples_summed")
def sums(acts, pseudo_grads):
    return acts.T @ acts, pseudo_grads.T @ pseudo_grads


@wrong("kfac_factors", "examples_summed")
def only_s_summed(acts, pseudo_grads):
    return acts.T @ acts / len(acts), pseudo_grads.T @ pseudo_grads


@wrong("kfac_factors", "examples_against_examples")
def gram_matrices(acts, pseudo_grads):
    return acts @ acts.T / len(acts), pseudo_grads @ pseudo_grads.T / len(acts)


@wrong("kfac_factors", "exchanged")
def s_first(acts, pseudo_grads):
    n = len(acts)
    return pseudo_grads.T @ pseudo_grads / n, acts.T @ acts / n


@wrong("kfac_factors", "coordinate_appended")
def with_bias_column(acts, pseudo_grads):
    a = torch.cat([acts, torch.ones_like(acts[:, :1])], 1)
    return a.T @ a / len(a), pseudo_grads.T @ pseudo_grads / len(a)


@wrong("kfac_factors", "scaled_by_the_batch")
def gradients_of_the_mean_loss(acts, pseudo_grads):
    n = len(acts)
    s = pseudo_grads * n
    return acts.T @ acts / n, s.T @ s / n


@wrong("kfac_factors", "outer_product_of_the_means")
def means_first(acts, pseudo_grads):
    a, s = acts.mean(0), pseudo_grads.mean(0)
    return torch.outer(a, a), torch.outer(s, s)


@wrong("kfac_factors", "n_minus_one")
def unbiased(acts, pseudo_grads):
    n = len(acts) - 1
    return acts.T @ acts / n, pseudo_grads.T @ pseudo_grads / n


@wrong("kfac_factors", "averaged_over_the_units")
def over_units(acts, pseudo_grads):
    return acts.T @ acts / acts.shape[1], pseudo_grads.T @ pseudo_grads / pseudo_grads.shape[1]


@wrong("kfac_factors", "divided_twice")
def both_factors_divided(acts, pseudo_grads):
    n = len(acts)
    return (acts / n).T @ (acts / n), (pseudo_grads / n).T @ (pseudo_grads / n)


@wrong("kfac_factors", "diagonal_factor")
def diagonal_matrices(acts, pseudo_grads):
    return torch.diag(acts.square().mean(0)), torch.diag(pseudo_grads.square().mean(0))


@wrong("kfac_factors", "diagonal_as_vector")
def second_moments_per_unit(acts, pseudo_grads):
    return acts.square().mean(0), pseudo_grads.square().mean(0)


@wrong("kfac_factors", "")
def weight_gradient(acts, pseudo_grads):
    g = pseudo_grads.T @ acts / len(acts)
    return g.T @ g, g @ g.T


@wrong("kfac_factors", "")
def product_returned(acts, pseudo_grads):
    return torch.kron(acts.T @ acts / len(acts), pseudo_grads.T @ pseudo_grads / len(acts))


@wrong("kfac_factors", "")
def divided_in_place(acts, pseudo_grads):
    acts /= math.sqrt(len(acts))
    return acts.T @ acts, pseudo_grads.T @ pseudo_grads / len(acts)


@wrong("kfac_factors", "")
def float64_factors(acts, pseudo_grads):
    a, s = acts.double(), pseudo_grads.double()
    return a.T @ a / len(a), s.T @ s / len(s)


# kronecker_eigenvalues


@right("kronecker_eigenvalues")
def of_the_product_itself(A, S):
    return torch.linalg.eigvalsh(torch.kron(A, S)).flip(0)


@right("kronecker_eigenvalues")
def the_other_order(A, S):
    return torch.linalg.eigvalsh(torch.kron(S.contiguous(), A)).sort(descending=True)[0]


@right("kronecker_eigenvalues")
def kron_of_the_spectra(A, S):
    products = torch.kron(torch.linalg.eigvalsh(A), torch.linalg.eigvalsh(S))
    return products[torch.argsort(-products)]


@right("kronecker_eigenvalues")
def python_loops(A, S):
    lam, mu = torch.linalg.eigh(A)[0].tolist(), torch.linalg.eigh(S)[0].tolist()
    return torch.tensor(sorted((a * s for a in lam for s in mu), reverse=True), dtype=A.dtype)


@right("kronecker_eigenvalues")
def numpy_outer(A, S):
    products = np.multiply.outer(np.linalg.eigvalsh(A.numpy()), np.linalg.eigvalsh(S.numpy()))
    return torch.from_numpy(np.sort(products, axis=None)[::-1].copy())


@right("kronecker_eigenvalues")
def real_parts_in_float64(A, S):
    lam, mu = (torch.linalg.eigvals(M.double()).real for M in (A, S))
    return torch.einsum("i,o->io", lam, mu).ravel().sort(descending=True).values.to(A.dtype)


@right("kronecker_eigenvalues")
def top_k_of_the_products(A, S):
    products = torch.cartesian_prod(torch.linalg.eigvalsh(A), torch.linalg.eigvalsh(S)).prod(1)
    return products.topk(len(products)).values


@wrong("kronecker_eigenvalues", "sums_for_products")
def all_sums(A, S):
    pairs = torch.linalg.eigvalsh(A)[:, None] + torch.linalg.eigvalsh(S)
    return pairs.flatten().sort(descending=True).values


@wrong("kronecker_eigenvalues", "sums_for_products")
def kronecker_sum(A, S):
    M = torch.kron(A, torch.eye(len(S), dtype=A.dtype)) + torch.kron(torch.eye(len(A), dtype=A.dtype), S)
    return torch.linalg.eigvalsh(M)


@wrong("kronecker_eigenvalues", "another_order")
def as_eigvalsh_gives_them(A, S):
    return torch.linalg.eigvalsh(torch.kron(A, S))


@wrong("kronecker_eigenvalues", "another_order")
def products_as_they_come(A, S):
    return torch.outer(torch.linalg.eigvalsh(A), torch.linalg.eigvalsh(S)).flatten()


@wrong("kronecker_eigenvalues", "another_order")
def sorted_before_the_product(A, S):
    return torch.kron(torch.linalg.eigvalsh(A).flip(0), torch.linalg.eigvalsh(S).flip(0))


@wrong("kronecker_eigenvalues", "another_order")
def units_of_s_first(A, S):
    return torch.outer(torch.linalg.eigvalsh(S).flip(0), torch.linalg.eigvalsh(A).flip(0)).flatten()


@wrong("kronecker_eigenvalues", "paired")
def one_to_one(A, S):
    products = torch.linalg.eigvalsh(A) * torch.linalg.eigvalsh(S)
    return products.sort(descending=True).values


@wrong("kronecker_eigenvalues", "paired")
def zipped(A, S):
    lam, mu = torch.linalg.eigvalsh(A).flip(0), torch.linalg.eigvalsh(S).flip(0)
    return torch.stack([a * s for a, s in zip(lam, mu)])


@wrong("kronecker_eigenvalues", "outliers_only")
def largest_times_each(A, S):
    return torch.linalg.eigvalsh(A)[-1] * torch.linalg.eigvalsh(S).flip(0)


@wrong("kronecker_eigenvalues", "left_as_a_matrix")
def not_flattened(A, S):
    return torch.outer(torch.linalg.eigvalsh(A).flip(0), torch.linalg.eigvalsh(S).flip(0))


@wrong("kronecker_eigenvalues", "left_as_a_matrix")
def table_sorted_along_rows(A, S):
    return (torch.linalg.eigvalsh(A)[:, None] * torch.linalg.eigvalsh(S)[None]).sort(descending=True).values


@wrong("kronecker_eigenvalues", "diagonals_for_eigenvalues")
def diagonal_products(A, S):
    return torch.diag(torch.kron(A, S)).sort(descending=True).values


@wrong("kronecker_eigenvalues", "diagonals_for_eigenvalues")
def diagonal_of_each(A, S):
    return torch.outer(A.diagonal(), S.diagonal()).flatten().sort(descending=True).values


@wrong("kronecker_eigenvalues", "matrix_product")
def ordinary_product(A, S):
    return torch.linalg.eigvals(A @ S).real.sort(descending=True).values


@wrong("kronecker_eigenvalues", "side_by_side")
def concatenated(A, S):
    both = torch.cat([torch.linalg.eigvalsh(A), torch.linalg.eigvalsh(S)])
    return both.sort(descending=True).values


@wrong("kronecker_eigenvalues", "activations_alone")
def of_a(A, S):
    return torch.linalg.eigvalsh(A).flip(0)


@wrong("kronecker_eigenvalues", "pseudo_gradients_alone")
def of_s(A, S):
    return torch.linalg.eigvalsh(S).flip(0)


@wrong("kronecker_eigenvalues", "signs_lost")
def singular_values(A, S):
    return torch.linalg.svdvals(torch.kron(A, S))


@wrong("kronecker_eigenvalues", "signs_lost")
def products_of_singular_values(A, S):
    return torch.outer(torch.linalg.svdvals(A), torch.linalg.svdvals(S)).flatten().sort(descending=True).values


@wrong("kronecker_eigenvalues", "")
def complex_numbers(A, S):
    return torch.linalg.eigvals(torch.kron(A, S))


@wrong("kronecker_eigenvalues", "")
def the_product(A, S):
    return torch.kron(A, S)


@wrong("kronecker_eigenvalues", "")
def eigenvectors_too(A, S):
    return torch.linalg.eigh(torch.kron(A, S))


@wrong("kronecker_eigenvalues", "")
def a_list(A, S):
    return sorted(torch.linalg.eigvalsh(torch.kron(A, S)).tolist(), reverse=True)


@wrong("kronecker_eigenvalues", "")
def without_the_zeros(A, S):
    e = torch.linalg.eigvalsh(torch.kron(A, S)).flip(0)
    return e[e.abs() > 1e-10]


@wrong("kronecker_eigenvalues", "")
def double_precision_kept(A, S):
    return torch.linalg.eigvalsh(torch.kron(A.double(), S.double())).flip(0)


@wrong("kronecker_eigenvalues", "")
def roots_of_the_products(A, S):
    return torch.linalg.eigvalsh(torch.kron(A, S)).flip(0).clamp(min=0).sqrt()


# reparameterize


@right("reparameterize")
def columns_scaled(W, b, mean, var):
    return W * torch.sqrt(var)[None, :], b + (W * mean).sum(1)


@right("reparameterize")
def as_matrices(W, b, mean, var):
    return W @ torch.diag(var**0.5), F.linear(mean, W, b)


@right("reparameterize")
def by_unit_by_unit(W, b, mean, var):
    W_t, b_t = torch.zeros_like(W), b.clone()
    for o in range(W.shape[0]):
        for i in range(W.shape[1]):
            W_t[o, i] = W[o, i] * math.sqrt(var[i])
            b_t[o] += W[o, i] * mean[i]
    return W_t, b_t


@right("reparameterize")
def from_the_jacobian(W, b, mean, var):
    def layer(t):
        return W @ (t * var.sqrt() + mean) + b

    zero = torch.zeros_like(mean)
    return torch.autograd.functional.jacobian(layer, zero), layer(zero)


@right("reparameterize")
def numpy_einsum(W, b, mean, var):
    w, m, sigma = W.numpy().astype(float), mean.numpy().astype(float), np.sqrt(var.numpy().astype(float))
    pair = np.einsum("oi,i->oi", w, sigma), b.numpy() + np.einsum("oi,i->o", w, m)
    return [torch.from_numpy(a).to(W.dtype) for a in pair]


@right("reparameterize")
def one_homogeneous_product(W, b, mean, var):
    size = len(mean)
    move = torch.eye(size + 1, dtype=W.dtype)
    move[:size, :size] = torch.diag(var.sqrt())
    move[:size, size] = mean
    both = torch.cat([W, b[:, None]], 1) @ move
    return both[:, :size], both[:, size]


@right("reparameterize")
def bias_first(W, b, mean, var):
    shift = torch.tensordot(W, mean, dims=1)
    return torch.mul(W, var.rsqrt().reciprocal()), torch.add(shift, b)


@wrong("reparameterize", "inverse_map")
def divided_by_deviation(W, b, mean, var):
    return W / var.sqrt(), b + W @ mean


@wrong("reparameterize", "inverse_map")
def standardising_folded_in(W, b, mean, var):
    W_t = W / var.sqrt()
    return W_t, b - W_t @ mean


@wrong("reparameterize", "variance_for_deviation")
def times_variance(W, b, mean, var):
    return W * var, b + W @ mean


@wrong("reparameterize", "weight_scaled_along_outputs")
def rows_scaled(W, b, mean, var):
    return W * var.sqrt()[:, None], b + W @ mean


@wrong("reparameterize", "weight_scaled_along_outputs")
def diagonal_from_the_left(W, b, mean, var):
    return torch.diag(var.sqrt()) @ W, b + W @ mean


@wrong("reparameterize", "weight_kept")
def only_the_bias(W, b, mean, var):
    return W, b + W @ mean


@wrong("reparameterize", "weight_kept")
def nothing_changed(W, b, mean, var):
    return W, b


@wrong("reparameterize", "precision_for_deviation")
def divided_by_variance(W, b, mean, var):
    return W / var, b + W @ mean


@wrong("reparameterize", "eps_of_the_normalisers")
def eps_by_habit(W, b, mean, var, eps=1e-5):
    return W * torch.sqrt(var + eps), b + W @ mean


@wrong("reparameterize", "eps_of_adam")
def small_eps_by_habit(W, b, mean, var):
    return W * (var + 1e-8).sqrt(), b + W @ mean


@wrong("reparameterize", "mean_subtracted")
def minus_the_mean(W, b, mean, var):
    return W * var.sqrt(), b - W @ mean


@wrong("reparameterize", "bias_kept")
def only_the_weight(W, b, mean, var):
    return W * var.sqrt(), b


@wrong("reparameterize", "new_weight_on_the_mean")
def overwritten_weight(W, b, mean, var):
    W = W * var.sqrt()
    b = b + W @ mean
    return W, b


@wrong("reparameterize", "standardised_mean")
def mean_over_deviation(W, b, mean, var):
    sigma = var.sqrt()
    return W * sigma, b + W @ (mean / sigma)


@wrong("reparameterize", "new_weight_on_the_mean_subtracted")
def overwritten_and_subtracted(W, b, mean, var):
    W_t = W * var.sqrt()
    return W_t, b - W_t @ mean


@wrong("reparameterize", "standardised_mean_subtracted")
def bias_of_the_way_back(W, b, mean, var):
    sigma = var.sqrt()
    return W * sigma, b - (W / sigma) @ mean


@wrong("reparameterize", "own_bias_lost")
def mean_alone(W, b, mean, var):
    return W * var.sqrt(), W @ mean


@wrong("reparameterize", "weight_transposed")
def mean_from_the_left(W, b, mean, var):
    return W * var.sqrt(), b + mean @ W


@wrong("reparameterize", "mean_added_alone")
def bias_plus_mean(W, b, mean, var):
    return W * var.sqrt(), b + mean


@wrong("reparameterize", "")
def in_place(W, b, mean, var):
    b += W @ mean
    return W * var.sqrt(), b


@wrong("reparameterize", "")
def eps_outside_the_root(W, b, mean, var):
    return W * (var.sqrt() + 1e-5), b + W @ mean


@wrong("reparameterize", "")
def bias_as_a_column(W, b, mean, var):
    return W * var.sqrt(), b[:, None] + W @ mean[:, None]


@wrong("reparameterize", "")
def all_in_float64(W, b, mean, var):
    W, b = W.double(), b.double()
    return W * var.double().sqrt(), b + W @ mean.double()


@wrong("reparameterize", "")
def bias_scaled(W, b, mean, var):
    return W * var.sqrt(), (b + W @ mean) * var.mean().sqrt()


@wrong("reparameterize", "")
def root_of_the_mean_variance(W, b, mean, var):
    return W * var.mean().sqrt(), b + W @ mean


# quasi_diagonal_direction


@right("quasi_diagonal_direction")
def through_the_new_coordinates(grad_W, grad_b, mean, var):
    sigma = var.sqrt()
    new_W = (grad_W - torch.outer(grad_b, mean)) / sigma
    new_b = grad_b
    step_W = new_W / sigma
    return step_W, new_b - step_W @ mean


@right("quasi_diagonal_direction")
def solve_the_metric(grad_W, grad_b, mean, var):
    m = torch.cat([mean, mean.new_ones(1)]).double()
    metric = torch.outer(m, m) + torch.diag(torch.cat([var, var.new_zeros(1)]).double())
    rows = torch.cat([grad_W, grad_b[:, None]], 1).double()
    step = torch.linalg.solve(metric, rows, left=False).to(grad_W.dtype)
    return step[:, :-1], step[:, -1]


@right("quasi_diagonal_direction")
def big_matrix_r(grad_W, grad_b, mean, var):
    O, I = grad_W.shape
    eye, m, inv = torch.eye(O, dtype=torch.float64), mean.double(), torch.diag(var.double().rsqrt())
    top = torch.cat([torch.kron(inv, eye), torch.zeros(O * I, O, dtype=torch.float64)], 1)
    bottom = torch.cat([torch.kron(-(m[None] @ inv), eye), eye], 1)
    R = torch.cat([top, bottom])
    g = torch.cat([grad_W.double().T.reshape(-1), grad_b.double()])
    d = (R @ (R.T @ g)).to(grad_W.dtype)
    return d[:O * I].reshape(I, O).T, d[O * I:]


@right("quasi_diagonal_direction")
def autograd_in_new_coordinates(grad_W, grad_b, mean, var):
    def old(new_W, new_b):
        W = new_W / var.sqrt()
        return W, new_b - W @ mean

    at = torch.zeros_like(grad_W), torch.zeros_like(grad_b)
    _, step = torch.autograd.functional.vjp(old, at, (grad_W, grad_b))
    return old(*step)


@right("quasi_diagonal_direction")
def entry_by_entry(grad_W, grad_b, mean, var):
    dW, db = torch.zeros_like(grad_W), grad_b.clone()
    for o in range(grad_W.shape[0]):
        for i in range(grad_W.shape[1]):
            dW[o, i] = (grad_W[o, i] - grad_b[o] * mean[i]) / var[i]
            db[o] = db[o] - dW[o, i] * mean[i]
    return dW, db


@right("quasi_diagonal_direction")
def bias_in_closed_form(grad_W, grad_b, mean, var):
    ratio = mean / var
    return grad_W / var - torch.einsum("o,i->oi", grad_b, ratio), grad_b * (1 + (mean * ratio).sum()) - grad_W @ ratio


@right("quasi_diagonal_direction")
def numpy_in_double(grad_W, grad_b, mean, var):
    gw, gb, m, v = (t.numpy().astype(np.float64) for t in (grad_W, grad_b, mean, var))
    dw = (gw - np.outer(gb, m)) / v
    return torch.from_numpy(dw).to(grad_W.dtype), torch.from_numpy(gb - dw.dot(m)).to(grad_b.dtype)


@wrong("quasi_diagonal_direction", "bias_left_alone")
def bias_gradient_returned(grad_W, grad_b, mean, var):
    return (grad_W - torch.outer(grad_b, mean)) / var, grad_b


@wrong("quasi_diagonal_direction", "bias_sign")
def plus_in_the_bias(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / var
    return dW, grad_b + dW @ mean


@wrong("quasi_diagonal_direction", "raw_gradient_in_the_bias")
def old_gradient_in_the_bias(grad_W, grad_b, mean, var):
    return (grad_W - grad_b[:, None] * mean) / var, grad_b - grad_W @ mean


@wrong("quasi_diagonal_direction", "scaled_gradient_in_the_bias")
def uncentred_in_the_bias(grad_W, grad_b, mean, var):
    dW = (grad_W - grad_b[:, None] * mean) / var
    return dW, grad_b - (grad_W / var) @ mean


@wrong("quasi_diagonal_direction", "new_step_in_the_bias")
def one_deviation_in_the_bias(grad_W, grad_b, mean, var):
    new = (grad_W - torch.outer(grad_b, mean)) / var.sqrt()
    return new / var.sqrt(), grad_b - new @ mean


@wrong("quasi_diagonal_direction", "bias_gradient_missing")
def only_the_correction(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / var
    return dW, -dW @ mean


@wrong("quasi_diagonal_direction", "through_the_transpose")
def mean_on_the_left(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / var
    return dW, grad_b - mean @ dW


@wrong("quasi_diagonal_direction", "diagonal_only")
def variance_alone(grad_W, grad_b, mean, var):
    return grad_W / var, grad_b


@wrong("quasi_diagonal_direction", "diagonal_only")
def mean_only_in_the_bias(grad_W, grad_b, mean, var):
    dW = grad_W / var
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "diagonal_only")
def diagonal_of_r_r_t(grad_W, grad_b, mean, var):
    return grad_W / var, grad_b * (1 + (mean**2 / var).sum())


@wrong("quasi_diagonal_direction", "sign_of_the_mean")
def plus_everywhere(grad_W, grad_b, mean, var):
    dW = (grad_W + torch.outer(grad_b, mean)) / var
    return dW, grad_b + dW @ mean


@wrong("quasi_diagonal_direction", "sign_of_the_mean")
def plus_in_the_weights(grad_W, grad_b, mean, var):
    dW = (grad_W + torch.outer(grad_b, mean)) / var
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "gradient_unchanged")
def plain_gradient(grad_W, grad_b, mean, var):
    return grad_W, grad_b


@wrong("quasi_diagonal_direction", "one_factor_only")
def gradient_in_new_coordinates(grad_W, grad_b, mean, var):
    return (grad_W - torch.outer(grad_b, mean)) / var.sqrt(), grad_b


@wrong("quasi_diagonal_direction", "one_factor_only")
def deviation_for_variance(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / var.sqrt()
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "step_for_direction")
def downhill(grad_W, grad_b, mean, var):
    dW = (torch.outer(grad_b, mean) - grad_W) / var
    return dW, -grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "diagonal_of_the_metric")
def second_moments(grad_W, grad_b, mean, var):
    return grad_W / (var + mean.square()), grad_b


@wrong("quasi_diagonal_direction", "metric_not_inverted")
def times_the_metric(grad_W, grad_b, mean, var):
    second = torch.diag(var) + torch.outer(mean, mean)
    return grad_W @ second + torch.outer(grad_b, mean), grad_W @ mean + grad_b


@wrong("quasi_diagonal_direction", "factors_exchanged")
def r_transposed_r(grad_W, grad_b, mean, var):
    I = len(mean)
    R = torch.zeros(I + 1, I + 1, dtype=grad_W.dtype)
    R[:I, :I] = torch.diag(1 / var.sqrt())
    R[I, :I] = -mean / var.sqrt()
    R[I, I] = 1
    d = torch.cat([grad_W, grad_b[:, None]], 1) @ (R.T @ R).T
    return d[:, :I], d[:, I]


@wrong("quasi_diagonal_direction", "transformed_like_weights")
def reparameterized_gradient(grad_W, grad_b, mean, var):
    return grad_W * var.sqrt(), grad_b + grad_W @ mean


@wrong("quasi_diagonal_direction", "mean_term_not_divided")
def bracket_forgotten(grad_W, grad_b, mean, var):
    dW = grad_W / var - torch.outer(grad_b, mean)
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "outer_product_transposed")
def outer_the_other_way(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(mean, grad_b)) / var
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "divided_along_the_outputs")
def rows_divided(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / var[:, None]
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "variance_squared")
def var_taken_for_deviation(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / var**2
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "not_divided")
def centring_only(grad_W, grad_b, mean, var):
    dW = grad_W - torch.outer(grad_b, mean)
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "eps_under_the_root")
def with_eps(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / (var + 1e-5)
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "eps_as_in_adam")
def with_small_eps(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / (var + 1e-8)
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "")
def mean_in_place(grad_W, grad_b, mean, var):
    grad_W -= torch.outer(grad_b, mean)
    grad_W /= var
    return grad_W, grad_b - grad_W @ mean


@wrong("quasi_diagonal_direction", "")
def one_packed_tensor(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / var
    return torch.cat([dW, (grad_b - dW @ mean)[:, None]], 1)


@wrong("quasi_diagonal_direction", "")
def doubles_returned(grad_W, grad_b, mean, var):
    dW = (grad_W.double() - torch.outer(grad_b, mean).double()) / var.double()
    return dW, grad_b.double() - dW @ mean.double()


@wrong("quasi_diagonal_direction", "")
def mean_term_by_deviation(grad_W, grad_b, mean, var):
    dW = grad_W / var - torch.outer(grad_b, mean / var.sqrt())
    return dW, grad_b - dW @ mean


@wrong("quasi_diagonal_direction", "")
def bias_divided_too(grad_W, grad_b, mean, var):
    dW = (grad_W - torch.outer(grad_b, mean)) / var
    return dW, (grad_b - dW @ mean) / var.mean()
