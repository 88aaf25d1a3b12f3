"""Checks of chapter 04: the curvature that a mean leaves behind, and how to undo it.

The oracles differentiate twice by autograd, read a layer off its answers to unit inputs, and
solve linear systems. Wrong answers come from the same steps with one turn taken wrongly. No
oracle uses the formula that is asked for.
"""

import sympy as sp
import torch
import torch.nn.functional as F
from torch.autograd.functional import hessian, jacobian

from .derivation import Derivation
from .exercise import Exercise, call

CHAPTER = "04_conditioning"
F32, F64 = torch.float32, torch.float64


# What the exercises of the chapter share.


def normal(generator, *shape, dtype=F64):
    return torch.randn(shape, generator=generator, dtype=dtype)


def positive(generator, *shape, dtype=F64):
    """Uniform between 0.4 and 1.9: never 0, rarely near 1."""
    return 0.4 + 1.5 * torch.rand(shape, generator=generator, dtype=dtype)


def off_centre(generator, rows, columns, dtype=F64):
    """(rows, columns) whose columns have means and spreads of their own."""
    spread, mean = positive(generator, columns, dtype=dtype), normal(generator, columns, dtype=dtype)
    return normal(generator, rows, columns, dtype=dtype) * spread + 2 * mean


def believe(exercise, read=None, **beliefs):
    """Misconceptions by name: (message, wrong implementation), the likelier first."""
    for name, (message, wrong) in beliefs.items():
        def alone(*args, wrong=wrong):
            return wrong(*args)

        alone.__name__ = name
        exercise.misconception(message, read)(alone)


def homogeneous(x):
    return F.pad(x, (0, 1), value=1.0)  # (N, D) -> (N, D+1)


def curvature(x):
    """Second derivatives of the half mean squared error of x @ w with respect to w, in x's dtype."""
    rows = x.detach().to(F64)  # (N, D)

    def half_mean_squared_error(w):
        return F.mse_loss(rows @ w, torch.zeros_like(rows[:, 0])) / 2

    with torch.enable_grad():
        return hessian(half_mean_squared_error, torch.zeros(rows.shape[1], dtype=F64)).to(x.dtype)


def centred(x):
    return x - x.mean(0)


def diagonal(matrix):
    return torch.diag(torch.diag(matrix))


# 4.2 design_hessian

design_hessian = Exercise("design_hessian", CHAPTER, ("hessian",), read="4.2")


@design_hessian.oracle
def by_differentiating_twice(features):
    return curvature(homogeneous(features))


@design_hessian.case
def tall(g):
    return dict(features=off_centre(g, 7, 3))


@design_hessian.case(note="fewer examples than features, not contiguous in memory")
def wide(g):
    return dict(features=off_centre(g, 5, 4).T)


@design_hessian.case(note="as many examples as features")
def square(g):
    return dict(features=off_centre(g, 4, 4))


@design_hessian.case
def float32_features(g):
    return dict(features=off_centre(g, 6, 2, dtype=F32))


def of_the_sum(x):
    return curvature(x) * len(x)


def of_the_bias(x):
    """True in the last row and column of the Hessian."""
    last = homogeneous(torch.zeros_like(x[:1])).bool()  # (1, D+1)
    return last | last.T


believe(
    design_hessian,
    coordinate_forgotten=(
        "That has one row for each feature and none for the bias. The Hessian is taken with respect to weights and "
        "bias: append the homogeneous coordinate.", curvature),
    coordinate_first=(
        "The homogeneous coordinate comes first there. The docstring puts it last.",
        lambda x: curvature(homogeneous(x)).roll((1, 1), (0, 1))),
    summed=(
        "The examples are summed. The cost is a mean over them, so its Hessian is one too.",
        lambda x: of_the_sum(homogeneous(x))),
    half_forgotten=(
        "That is the Hessian of the mean squared error, without the half. Differentiate the cost of the docstring "
        "twice, with one example and one feature.", lambda x: 2 * curvature(homogeneous(x))),
    half_kept=(
        "The half is still there. Differentiate ½(wx − y)² twice with respect to w: what becomes of the ½?",
        lambda x: curvature(homogeneous(x)) / 2),
    features_centred=(
        "The mean was subtracted from the features. That cures the outlier which this Hessian is to show: take the "
        "features as they are.", lambda x: curvature(homogeneous(centred(x)))),
    covariance=(
        "That is a covariance: the mean was subtracted, and from the homogeneous coordinate too, which leaves zeros. "
        "The Hessian holds second moments about 0.", lambda x: curvature(centred(homogeneous(x)))),
    sample_covariance=(
        "That is the sample covariance, centred and with N−1, as torch.cov gives it. The Hessian holds second moments "
        "about 0.", lambda x: torch.cov(homogeneous(x).T)),
    examples_with_examples=(
        "That compares examples with examples, (N, N). The Hessian has one row for each parameter: look at which axis "
        "is summed.", lambda x: curvature(homogeneous(x).T) * (x.shape[1] + 1) / len(x)),
    axes_exchanged=(
        "The axes are exchanged: examples are rows of `features`, and the homogeneous coordinate is one more column.",
        lambda x: curvature(homogeneous(x.T))),
    coordinate_apart=(
        "The bias stands apart there: its row is empty but for its own entry. Moving the bias changes the gradient of "
        "a weight wherever the feature has a mean.",
        lambda x: torch.block_diag(curvature(x), torch.ones(1, 1, dtype=x.dtype))),
    coordinate_not_averaged=(
        "The entries of the bias are sums, the others means. Every second derivative of a mean is a mean.",
        lambda x: torch.where(of_the_bias(x), of_the_sum(homogeneous(x)), curvature(homogeneous(x)))),
    averaged_first=(
        "The features were averaged before they were multiplied. Multiply first: the mean of a product is not the "
        "product of the means.", lambda x: curvature(homogeneous(x).mean(0, keepdim=True))),
    one_less_than_n=(
        "N−1 corrects for a mean that was estimated and subtracted. Here none is.",
        lambda x: of_the_sum(homogeneous(x)) / (len(x) - 1)),
    divided_by_the_width=(
        "The sum was divided by the number of features. The mean runs over the examples.",
        lambda x: of_the_sum(homogeneous(x)) / x.shape[1]),
    divided_by_the_parameters=(
        "The sum was divided by the number of parameters. The mean runs over the examples.",
        lambda x: of_the_sum(homogeneous(x)) / (x.shape[1] + 1)),
    standardised=(
        "The features were standardised first. That is the cure; the Hessian of the features as they are is asked for.",
        lambda x: curvature(homogeneous(centred(x) / x.std(0, correction=0)))),
    diagonal_alone=(
        "Only the diagonal is filled. The effect of a mean lies off the diagonal, in the products of two features.",
        lambda x: diagonal(curvature(homogeneous(x)))))


# 4.2 outlier_eigenvalue

outlier_eigenvalue = Derivation("outlier_eigenvalue", CHAPTER, read="4.2",
                                symbols={"mean_norm_sq": {"positive": True}})


@outlier_eigenvalue.oracle
def of_features_that_never_vary(mean_norm_sq):
    """Every example sits at the mean: the largest eigenvalue of their Hessian, by autograd."""
    mean = mean_norm_sq**0.5 * torch.tensor([[0.6, 0.0, -0.8]], dtype=F64)  # (1, D)
    return float(torch.linalg.eigvalsh(by_differentiating_twice(mean))[-1])


outlier_eigenvalue.point(mean_norm_sq=1)
outlier_eigenvalue.point(mean_norm_sq=4)
outlier_eigenvalue.point(mean_norm_sq="1/9")
outlier_eigenvalue.point(mean_norm_sq="7/3")


believe(
    outlier_eigenvalue,
    coordinate_without_part=(
        "The homogeneous coordinate is missing. The vector of an example ends in a 1, and its squared length counts "
        "that too.", lambda s: s),
    identity_covariance=(
        "That is the outlier for features of covariance I. Here the covariance is 0: mean and homogeneous coordinate "
        "are alone.", lambda s: (2 + s + sp.sqrt(s * (s + 4))) / 2),
    variance_added=(
        "A variance of 1 is added. Here the covariance is 0; and with covariance I the answer is no such sum.",
        lambda s: 2 + s),
    length_for_squared_length=(
        "The root is taken. Multiply the matrix v vᵀ by v: by which number does v come back?",
        lambda s: sp.sqrt(1 + s)),
    mean_not_squared=(
        "‖m‖ stands where ‖m‖² belongs. The argument is the square already.", lambda s: 1 + sp.sqrt(s)),
    mean_squared_twice=("The argument is ‖m‖² already: do not square it again.", lambda s: 1 + s**2),
    lengths_added=(
        "The lengths of the mean and of the homogeneous coordinate are added. They stand at a right angle: which "
        "side of the triangle is their sum?", lambda s: (1 + sp.sqrt(s)) ** 2),
    whole_square=(
        "That is the square of the eigenvalue, what v vᵀ does to v when applied twice. Apply it once.",
        lambda s: (1 + s) ** 2),
    cost_without_half=(
        "That belongs to the mean squared error without the half. The half cancels the 2 of the second derivative.",
        lambda s: 2 * (1 + s)),
    half_left_over=(
        "The half of the cost is still there. Two derivatives of ½(wx − y)² use it up.", lambda s: (1 + s) / 2),
    coordinate_alone=(
        "That is the homogeneous coordinate alone: the mean has no part in it. Where does the outlier grow with the "
        "dimension?", lambda s: sp.Integer(1)),
    smallest=("That is the eigenvalue of every direction orthogonal to the mean and its 1. The largest is asked for.",
              lambda s: sp.Integer(0)),
    share=("That divides the mean's part by the whole. The eigenvalue itself is asked for.", lambda s: s / (1 + s)))


# 4.3 kfac_factors

kfac_factors = Exercise("kfac_factors", CHAPTER, ("A", "S"), read="4.3")


@kfac_factors.oracle
def as_least_squares(acts, pseudo_grads):
    """Each factor is the Hessian of a least-squares problem on the same rows."""
    return curvature(acts), curvature(pseudo_grads)


def of_both(moment):
    return lambda acts, pseudo_grads: (moment(acts), moment(pseudo_grads))


def layer(g, examples, inputs, outputs, dtype=F64):
    return dict(acts=off_centre(g, examples, inputs, dtype=dtype),
                pseudo_grads=off_centre(g, examples, outputs, dtype=dtype))


@kfac_factors.case
def narrowing(g):
    return layer(g, 7, 4, 2)


@kfac_factors.case(note="fewer examples than units, not contiguous in memory")
def few_examples(g):
    return dict(acts=off_centre(g, 5, 4).T, pseudo_grads=off_centre(g, 6, 4).T)


@kfac_factors.case(note="as many examples as units")
def all_square(g):
    return layer(g, 4, 4, 4)


@kfac_factors.case
def float32_layer(g):
    return layer(g, 6, 2, 3, dtype=F32)


believe(
    kfac_factors,
    centred_covariance=(
        "The mean was subtracted. Both of K-FAC's factors are second moments about 0; in A the mean is what makes the "
        "outlier.", of_both(lambda x: curvature(centred(x)))),
    sample_covariance_of_each=(
        "That is the sample covariance, centred and with N−1, as torch.cov gives it. The factors are second moments "
        "about 0, averaged over the examples.", of_both(lambda x: torch.cov(x.T))),
    examples_summed=(
        "The examples are summed. Averages over examples are means here.", of_both(of_the_sum)),
    examples_against_examples=(
        "That compares examples with examples, (N, N). A factor compares units: look at which axis is summed.",
        of_both(lambda x: curvature(x.T) * x.shape[1] / len(x))),
    exchanged=(
        "The two are exchanged. A belongs to the activations that enter the layer, S to the pseudo-gradients behind "
        "it.", lambda acts, pseudo_grads: as_least_squares(pseudo_grads, acts)),
    coordinate_appended=(
        "A homogeneous coordinate was appended. Here the activations count as they are given; a caller who wants the "
        "bias in A appends the 1 first.",
        lambda acts, pseudo_grads: as_least_squares(homogeneous(acts), pseudo_grads)),
    scaled_by_the_batch=(
        "S was multiplied by the square of the batch size. That undoes the mean in a gradient of the mean loss; here "
        "each row is the gradient of its own example's loss, so nothing is to be undone.",
        lambda acts, pseudo_grads: (curvature(acts), of_the_sum(pseudo_grads) * len(acts))),
    outer_product_of_the_means=(
        "The rows were averaged before they were multiplied. Multiply first: the mean of a product is not the product "
        "of the means.", of_both(lambda x: curvature(x.mean(0, keepdim=True)))),
    n_minus_one=(
        "N−1 corrects for a mean that was estimated and subtracted. Here none is.",
        of_both(lambda x: of_the_sum(x) / (len(x) - 1))),
    averaged_over_the_units=(
        "The sum was divided by the number of units. The mean runs over the examples.",
        of_both(lambda x: of_the_sum(x) / x.shape[1])),
    divided_twice=(
        "The examples' number divides twice there. Each example gives one product, and their mean divides once.",
        of_both(lambda x: curvature(x) / len(x))),
    diagonal_factor=(
        "Only the diagonal is filled. Two units with a mean have a product with a mean: that is where the outlier "
        "comes from.", of_both(lambda x: diagonal(curvature(x)))),
    diagonal_as_vector=(
        "That is the diagonal, a number for each unit. A factor is a matrix: each unit with each other.",
        of_both(lambda x: torch.diag(curvature(x)))))


# 4.3 kronecker_eigenvalues

SLACK = {F64: 1e-9, F32: 1e-4}  # of the largest: zeros that rounding puts in any order are in order


def order(values):
    slack = SLACK.get(values.dtype, 1e-2) * float(values.abs().max())
    return "descending" if (values.diff() <= slack).all() else "not descending"


def in_order(fn, inputs):
    """The values from the largest down, and the order they came in: two questions, two answers."""
    values = call(fn, inputs)["eigenvalues"]
    if not isinstance(values, torch.Tensor) or not values.numel():
        return {"eigenvalues": values}
    if values.is_complex():
        return {"eigenvalues": "complex"}
    down = values.flatten().sort(descending=True).values.reshape(values.shape)
    return {"eigenvalues": down} | ({"order": order(values)} if values.dim() == 1 else {})


kronecker_eigenvalues = Exercise("kronecker_eigenvalues", CHAPTER, ("eigenvalues",), read="4.3", probe=in_order)


def spectrum(M):
    return torch.linalg.eigvalsh(M).flip(0)


def of_a_map(linear, A, S):
    """Eigenvalues of a symmetric linear map of (O, I) matrices, the largest first."""
    shape = torch.Size((len(S), len(A)))
    with torch.enable_grad():
        matrix = jacobian(linear, torch.zeros(shape, dtype=F64)).reshape(shape.numel(), -1)
    return spectrum(matrix).to(A.dtype)


@kronecker_eigenvalues.oracle
def of_the_map_on_weights(A, S):
    """The product maps a weight matrix W to S W A."""
    return of_a_map(lambda W: S.to(F64) @ W @ A.to(F64), A, S)


def moments(g, size, examples=9, dtype=F64):
    """A second moment of `examples` rows: symmetric, positive semi-definite, no unit like another."""
    x = off_centre(g, examples, size, dtype=dtype)
    return x.T @ x / examples


def without_trace(g, size):
    """Symmetric, with eigenvalues that sum to 0."""
    x = normal(g, size, size)
    return x + x.T - 2 * x.diagonal().mean() * torch.eye(size, dtype=F64)


@kronecker_eigenvalues.case
def wider_than_high(g):
    return dict(A=moments(g, 4), S=moments(g, 2))


@kronecker_eigenvalues.case(note="both of one size")
def of_one_size(g):
    return dict(A=moments(g, 3), S=moments(g, 3))


@kronecker_eigenvalues.case(note="A has rank 2")
def rank_deficient(g):
    return dict(A=moments(g, 4, examples=2), S=moments(g, 3))


@kronecker_eigenvalues.case
def float32_factors(g):
    return dict(A=moments(g, 2, dtype=F32), S=moments(g, 5, dtype=F32))


@kronecker_eigenvalues.case(note="A has eigenvalues of both signs")
def of_both_signs(g):
    return dict(A=without_trace(g, 4), S=moments(g, 2))


believe(
    kronecker_eigenvalues,
    sums_for_products=(
        "Those are sums of eigenvalues: they belong to A⊗I + I⊗S. Apply A⊗S to u⊗v, where u and v are eigenvectors.",
        lambda A, S: of_a_map(lambda W: S.to(F64) @ W + W @ A.to(F64), A, S)),
    another_order=(
        "Those are the right values in another order. `eigvalsh` lists the smallest first, and the products of two "
        "sorted spectra are not sorted: sort them at the end, the largest first.",
        lambda A, S: of_the_map_on_weights(A, S).flip(0)),
    paired=(
        "The eigenvalues were multiplied one to one, the largest with the largest. Every eigenvector of A goes with "
        "every one of S: count how many eigenvalues the product has.",
        lambda A, S: spectrum(A)[:len(S)] * spectrum(S)[:len(A)]),
    outliers_only=(
        "Those are the largest eigenvalue of A with each of S. The hypothesis is about them; the whole spectrum is "
        "asked for.", lambda A, S: spectrum(A)[0] * spectrum(S)),
    left_as_a_matrix=(
        "The products stand in a table, one row for each eigenvalue of A. One descending list is asked for.",
        lambda A, S: of_the_map_on_weights(A, S).reshape(len(A), len(S))),
    diagonals_for_eigenvalues=(
        "Those are products of the diagonal entries. They are the eigenvalues only where both factors are diagonal.",
        lambda A, S: of_the_map_on_weights(diagonal(A), diagonal(S))),
    matrix_product=(
        "Those are the eigenvalues of the matrix product A S, which exists only where both have one size. The "
        "Kronecker product has a row for each weight.",
        lambda A, S: torch.linalg.eigvals(A @ S).real.sort(descending=True).values),
    side_by_side=(
        "The two spectra stand side by side. That is the spectrum of a block-diagonal matrix; the Kronecker product "
        "multiplies.", lambda A, S: torch.cat([spectrum(A), spectrum(S)]).sort(descending=True).values),
    activations_alone=("Those are the eigenvalues of A. S multiplies them, each by each.",
                       lambda A, S: spectrum(A)),
    pseudo_gradients_alone=("Those are the eigenvalues of S. A multiplies them, each by each.",
                            lambda A, S: spectrum(S)),
    signs_lost=(
        "Those are singular values: where an eigenvalue is negative they lose its sign. K-FAC's factors have none, but "
        "the docstring promises every symmetric matrix.", lambda A, S: of_the_map_on_weights(A, S).abs()))


# 4.4 reparameterize

reparameterize = Exercise("reparameterize", CHAPTER, ("W_t", "b_t"), read="4.4")


def read_off(layer, width):
    """Weight and bias of an affine `layer`, from its answers to 0 and to unit inputs."""
    at_zero, *at_units = layer(torch.cat([torch.zeros(1, width, dtype=F64), torch.eye(width, dtype=F64)]))
    return torch.stack(at_units, 1) - at_zero[:, None], at_zero


def on_inputs(undo):
    """The same layer on inputs from which `undo(inputs, mean, deviation)` brings back the activations."""
    def solve(W, b, mean, var):
        weight, bias, m, deviation = W.to(F64), b.to(F64), mean.to(F64), var.to(F64).sqrt()
        found = read_off(lambda inputs: F.linear(undo(inputs, m, deviation), weight, bias), W.shape[1])
        return tuple(t.to(W.dtype) for t in found)

    return solve


@reparameterize.oracle
def same_function(W, b, mean, var):
    return on_inputs(lambda inputs, m, deviation: torch.addcmul(m, deviation, inputs))(W, b, mean, var)


def standardising(g, outputs, inputs, dtype=F64, spread=1.0):
    """A layer and the statistics of its inputs."""
    return dict(W=normal(g, outputs, inputs, dtype=dtype), b=normal(g, outputs, dtype=dtype),
                mean=spread * normal(g, inputs, dtype=dtype), var=spread**2 * positive(g, inputs, dtype=dtype))


@reparameterize.case
def wide_layer(g):
    return standardising(g, 3, 5)


@reparameterize.case(note="as many outputs as inputs, W not contiguous in memory")
def square_layer(g):
    inputs = standardising(g, 4, 4)
    return inputs | dict(W=inputs["W"].T)


@reparameterize.case(note="the inputs hardly vary")
def small_variances(g):
    return standardising(g, 4, 2, spread=0.05)


@reparameterize.case
def float32_weights(g):
    return standardising(g, 2, 6, dtype=F32)


def with_bias(bias):
    """The right weight, and a bias that a wrong turn gives."""
    return lambda W, b, mean, var: (same_function(W, b, mean, var)[0], bias(W, b, mean, var))


def bias_at(place):
    """The layer's answer to a wrong place instead of its input at standardised 0."""
    return with_bias(lambda W, b, mean, var: F.linear(place(mean, var), W, b))


def with_variance(turn):
    """The right steps with another variance."""
    return lambda W, b, mean, var: same_function(W, b, mean, turn(var))


EPS = ("An eps was added to the variance. Here var > 0 and the function must stay exactly the same, so there is none.")

believe(
    reparameterize,
    mean_subtracted=(
        "The sign of the mean is turned. The mean was subtracted from the inputs, so the bias has to make up for it.",
        bias_at(lambda mean, var: -mean)),
    bias_kept=(
        "The bias came back as it was. The mean that the inputs lost went through the weight to every output.",
        with_bias(lambda W, b, mean, var: b.clone())),
    new_weight_on_the_mean=(
        "The mean went through the new weight. It is in the old units: put the activation into W a + b and multiply "
        "out.", bias_at(lambda mean, var: mean * var.sqrt())),
    standardised_mean=(
        "The mean was divided by the deviation first. Put the activation into W a + b and multiply out: what stands "
        "beside the mean?", bias_at(lambda mean, var: mean / var.sqrt())),
    new_weight_on_the_mean_subtracted=(
        "The mean went through the new weight, and with the sign turned. Put the activation into W a + b and multiply "
        "out.", bias_at(lambda mean, var: -mean * var.sqrt())),
    standardised_mean_subtracted=(
        "That is the bias of the way back, b − W m/σ. It standardises inside the layer; here the inputs arrive "
        "standardised.", bias_at(lambda mean, var: -mean / var.sqrt())),
    own_bias_lost=(
        "The layer's own bias is missing. It does not depend on the inputs and stays.",
        with_bias(lambda W, b, mean, var: same_function(W, torch.zeros_like(b), mean, var)[1])),
    weight_transposed=(
        "The mean went through the transposed weight. W is (out, in): where it is square, both ways run.",
        with_bias(lambda W, b, mean, var: same_function(W.T, b, mean, var)[1])),
    mean_added_alone=(
        "The mean was added to the bias without the weight. A bias belongs to the outputs, the mean to the inputs.",
        with_bias(lambda W, b, mean, var: b + mean)),
    inverse_map=(
        "That goes the other way: the weights were treated like the activations. The new inputs are smaller by the "
        "deviation, and the product of weight and input must stay the same.",
        on_inputs(lambda inputs, m, deviation: (inputs - m) / deviation)),
    variance_for_deviation=(
        "The variance stands where the standard deviation belongs. The inputs were divided by its root.",
        with_variance(torch.square)),
    weight_scaled_along_outputs=(
        "The weight was scaled along its rows. The deviations belong to the inputs, and W is (out, in): where it is "
        "square, both ways run.",
        lambda W, b, mean, var: (same_function(W.expand(len(var), -1).T, mean, mean, var)[0].T,
                                 same_function(W, b, mean, var)[1])),
    weight_kept=(
        "The weight came back as it was. Its inputs now have another scale.",
        lambda W, b, mean, var: (W.clone(), same_function(W, b, mean, var)[1])),
    precision_for_deviation=(
        "The weight was divided by the variance. Write the activation in terms of the standardised one and put it into "
        "W a + b.", with_variance(lambda var: var**-2)),
    eps_of_the_normalisers=(EPS, with_variance(lambda var: var + 1e-5)),
    eps_of_adam=(EPS, with_variance(lambda var: var + 1e-8)))


# 4.5 quasi_diagonal_direction

quasi_diagonal_direction = Exercise("quasi_diagonal_direction", CHAPTER, ("dW", "db"), read="4.5")


def change_of_coordinates(mean, var):
    """(I+1, I+1): row k holds the new coordinates of one unit whose k-th weight is 1; the last is its bias."""
    units = torch.eye(len(mean) + 1, dtype=F64)
    W_t, b_t = same_function(units[:, :-1], units[:, -1], mean, var)
    return torch.cat([W_t, b_t[:, None]], 1)


def direction(step):
    """`step(rows, T)` on the gradient's rows, (weights, bias) of a unit each, with T the change of coordinates."""
    def found(grad_W, grad_b, mean, var):
        rows = torch.cat([grad_W, grad_b[:, None]], 1).to(F64)  # (O, I+1)
        d = step(rows, change_of_coordinates(mean.to(F64), var.to(F64))).to(grad_W.dtype)
        return d[:, :-1], d[:, -1]

    return found


def against(metric):
    """The direction of steepest ascent in the metric that `metric(T)` makes."""
    return direction(lambda rows, T: torch.linalg.solve(metric(T), rows.T).T)


@quasi_diagonal_direction.oracle
def steepest_in_the_new_coordinates(grad_W, grad_b, mean, var):
    return against(lambda T: T @ T.T)(grad_W, grad_b, mean, var)


def gradient_of(g, outputs, inputs, dtype=F64, spread=1.0):
    """A gradient of a layer and the statistics of its inputs."""
    drawn = standardising(g, outputs, inputs, dtype, spread)
    return dict(grad_W=drawn["W"], grad_b=drawn["b"], mean=drawn["mean"], var=drawn["var"])


@quasi_diagonal_direction.case(note="the inputs have mean 0")
def centred_inputs(g):
    inputs = gradient_of(g, 3, 2)
    return inputs | dict(mean=torch.zeros_like(inputs["mean"]))


@quasi_diagonal_direction.case
def wide_gradient(g):
    return gradient_of(g, 3, 5)


@quasi_diagonal_direction.case(note="as many outputs as inputs, grad_W not contiguous in memory")
def square_gradient(g):
    inputs = gradient_of(g, 4, 4)
    return inputs | dict(grad_W=inputs["grad_W"].T)


@quasi_diagonal_direction.case(note="the inputs hardly vary")
def small_input_variances(g):
    return gradient_of(g, 4, 2, spread=0.05)


@quasi_diagonal_direction.case
def float32_gradient(g):
    return gradient_of(g, 2, 6, dtype=F32)


def with_mean(turn):
    """The right steps with another mean."""
    return lambda grad_W, grad_b, mean, var: steepest_in_the_new_coordinates(grad_W, grad_b, turn(mean), var)


def with_input_variance(turn):
    """The right steps with another variance."""
    return lambda grad_W, grad_b, mean, var: steepest_in_the_new_coordinates(grad_W, grad_b, mean, turn(var))


without_mean = with_mean(torch.zeros_like)


def of_the_mean(grad_b, mean, var):
    """What the bias's gradient alone moves the weights by."""
    nothing = torch.zeros(len(grad_b), len(mean), dtype=mean.dtype)
    return steepest_in_the_new_coordinates(nothing, grad_b, mean, var)[0]


def per_input(rows, var):
    """The weights' direction for inputs of mean 0."""
    var = var.expand(rows.shape[1])
    return without_mean(rows, rows[:, 0], var, var)[0]


def centred_gradient(grad_W, grad_b, mean):
    return steepest_in_the_new_coordinates(grad_W, grad_b, mean, torch.ones_like(mean))[0]


def with_weights(weights):
    """A wrong direction of the weights; the bias's is right."""
    return lambda *args: (weights(*args), steepest_in_the_new_coordinates(*args)[1])


def with_bias_direction(bias):
    """The right direction of the weights, and `bias(grad_W, grad_b, mean, var, dW)`."""
    def found(*args):
        dW = steepest_in_the_new_coordinates(*args)[0]
        return dW, bias(*args, dW)

    return found


def made_up(step, grad_b, mean):
    """The bias of a layer that takes the step back, on centred inputs."""
    return same_function(-step, grad_b, mean, torch.ones_like(mean))[1]


NO_EPS = "An eps was added to the variance. The docstring asks for none: var > 0."

believe(
    quasi_diagonal_direction,
    bias_left_alone=(
        "The bias's direction is its plain gradient. When the weights move, the output at the mean input moves along: "
        "the bias has to make up for it.", with_bias_direction(lambda grad_W, grad_b, mean, var, dW: grad_b.clone())),
    bias_sign=(
        "In db the sign of the mean term is turned. The bias makes up for what the weights' step does at the mean "
        "input.", with_bias_direction(lambda grad_W, grad_b, mean, var, dW: made_up(-dW, grad_b, mean))),
    raw_gradient_in_the_bias=(
        "In db the mean went through the weights' plain gradient. The bias makes up for the step that the weights "
        "really take.", with_bias_direction(lambda grad_W, grad_b, mean, var, dW: made_up(grad_W, grad_b, mean))),
    scaled_gradient_in_the_bias=(
        "In db the weights' gradient was divided by the variance but not centred. The bias makes up for the step that "
        "the weights really take.",
        with_bias_direction(lambda grad_W, grad_b, mean, var, dW:
                            made_up(without_mean(grad_W, grad_b, mean, var)[0], grad_b, mean))),
    new_step_in_the_bias=(
        "In db the mean went through the step of the new weights. It is in the old units: use the step of the old "
        "weights.", with_bias_direction(lambda grad_W, grad_b, mean, var, dW: made_up(dW, grad_b, mean * var.sqrt()))),
    bias_gradient_missing=(
        "In db the bias's own gradient is missing.",
        with_bias_direction(lambda grad_W, grad_b, mean, var, dW: made_up(dW, torch.zeros_like(grad_b), mean))),
    through_the_transpose=(
        "In db the mean went through the transposed step. dW is (out, in): where the layer is square, both ways run.",
        with_bias_direction(lambda grad_W, grad_b, mean, var, dW: made_up(dW.T, grad_b, mean))),
    diagonal_only=(
        "That is the diagonal part alone: each weight by its own input's variance, and the mean has no say. The mean "
        "ties a unit's weights to its bias: follow it through R and through its transpose.", without_mean),
    sign_of_the_mean=(
        "The sign of the mean term is turned. Hold the new weights and the new bias fixed: does a larger mean make "
        "the old bias larger or smaller?", with_mean(torch.neg)),
    gradient_unchanged=(
        "The gradient came back as it was: no preconditioning.",
        lambda grad_W, grad_b, mean, var: (grad_W.clone(), grad_b.clone())),
    one_factor_only=(
        "The weights were divided by the deviation once. R is met twice: where the gradient with respect to "
        "the new weights is taken, and where the step goes back to the old ones.",
        direction(lambda rows, T: torch.linalg.solve(T, rows.T).T)),
    step_for_direction=(
        "The sign is that of a step downhill. Here the direction is +R Rᵀ times the gradient; the optimizer subtracts "
        "it.", lambda *args: tuple(-d for d in steepest_in_the_new_coordinates(*args))),
    diagonal_of_the_metric=(
        "You divided by the second moments, the diagonal of the approximate Hessian. That is what a diagonal "
        "preconditioner does; the entries beside the diagonal carry the mean.",
        against(lambda T: diagonal(T @ T.T))),
    metric_not_inverted=(
        "The gradient was multiplied by the approximate Hessian. A preconditioner applies its inverse.",
        direction(lambda rows, T: rows @ T @ T.T)),
    factors_exchanged=(
        "That is Rᵀ R. The gradient meets the transpose first: differentiate with respect to the new weights, then go "
        "back.", against(lambda T: T.T @ T)),
    transformed_like_weights=(
        "The gradient was transformed as the weights are. A gradient goes the other way: by the transpose of the "
        "inverse.", direction(lambda rows, T: rows @ T)),
    mean_term_not_divided=(
        "The mean term is not divided by the variance. It is a part of the gradient with respect to the new "
        "weights, and goes the same way back as the rest.",
        with_weights(lambda grad_W, grad_b, mean, var:
                     without_mean(grad_W, grad_b, mean, var)[0] + of_the_mean(grad_b, mean, torch.ones_like(var)))),
    outer_product_transposed=(
        "The outer product of bias gradient and mean is transposed. Its rows belong to the outputs: where the layer is "
        "square, both ways run.",
        with_weights(lambda grad_W, grad_b, mean, var:
                     per_input(grad_W + of_the_mean(mean, grad_b, torch.ones_like(grad_b)), var))),
    divided_along_the_outputs=(
        "The variance divides along the rows. It belongs to the inputs, and grad_W is (out, in): where the layer is "
        "square, both ways run.",
        with_weights(lambda grad_W, grad_b, mean, var:
                     per_input(centred_gradient(grad_W, grad_b, mean).expand(len(var), -1).T, var).T)),
    variance_squared=(
        "The variance is squared. `var` holds variances, not deviations.", with_input_variance(torch.square)),
    not_divided=(
        "Nothing is divided by the variance. Centring is one half of standardising.",
        with_input_variance(torch.ones_like)),
    eps_under_the_root=(NO_EPS, with_input_variance(lambda var: var + 1e-5)),
    eps_as_in_adam=(NO_EPS, with_input_variance(lambda var: var + 1e-8)))
