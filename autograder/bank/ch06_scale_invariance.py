"""Bank of chapter 06: right alternatives and wrong implementations."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# gradient_degree


@right("gradient_degree")
def one_less(k):
    return -1 + k


@right("gradient_degree")
def of_a_monomial(k):
    x, s = sp.symbols("x s", positive=True)
    slope = sp.diff(x**sp.Symbol("q"), x).subs(sp.Symbol("q"), 3)
    degree_of_cube = sp.log(slope.subs(x, s * x) / slope).subs({s: 2, x: 1}) / sp.log(2)
    return k - 3 + degree_of_cube


@right("gradient_degree")
def by_the_chain_rule(k):
    g = sp.Symbol("g", positive=True)
    return sp.expand_log(sp.log(g**k / g), force=True).coeff(sp.log(g)).expand()


@right("gradient_degree")
def unevaluated_sum(k):
    i = sp.Symbol("i", integer=True)
    return k - sp.Sum(1, (i, 1, 1))


@wrong("gradient_degree", "same_degree")
def unchanged(k):
    return k


@wrong("gradient_degree", "same_degree")
def as_in_euler(k):
    f = sp.Symbol("f")
    return sp.cancel(k * f / f)


@wrong("gradient_degree", "one_degree_up")
def chain_rule_on_the_right(k):
    return k + 1


@wrong("gradient_degree", "scale_invariant_only")
def minus_one(k):
    return -1


@wrong("gradient_degree", "two_degrees_down")
def hessian(k):
    return (k - 1) - 1


@wrong("gradient_degree", "sign_reversed")
def turned(k):
    return -(k - 1)


@wrong("gradient_degree", "gradient_scale_invariant")
def zero(k):
    return 0


@wrong("gradient_degree", "")
def power_of_gamma(k):
    return sp.Symbol("gamma") ** (k - 1)


@wrong("gradient_degree", "")
def halved(k):
    return k / 2


# homogeneity_degree


@right("homogeneity_degree")
def grad_of_a_clone(f, x):
    leaf = x.detach().clone().requires_grad_(True)
    y = f(leaf)
    g = torch.autograd.grad(y, leaf)[0]
    return torch.dot(leaf.detach().flatten(), g.flatten()).item() / y.item()


@right("homogeneity_degree")
def derivative_along_the_ray(f, x):
    s = torch.ones((), dtype=x.dtype, requires_grad=True)
    y = f(s * x.detach())
    y.backward()
    return float(s.grad / y.detach())


@right("homogeneity_degree")
def derivative_of_the_logarithm(f, x):
    t = torch.zeros((), dtype=x.dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.log(torch.abs(f(torch.exp(t) * x.detach()))), t)
    return float(slope)


@right("homogeneity_degree")
def functional_jvp(f, x):
    leaf = x.detach().double().clone()
    value, slope = torch.autograd.functional.jvp(f, leaf, leaf)
    return (slope / value).item()


@right("homogeneity_degree")
def from_the_definition(f, x):
    with torch.no_grad():
        a, b = float(f(x.double())), float(f(3 * x.double()))
    return math.log(b / a) / math.log(3)


@right("homogeneity_degree")
def zero_dim_tensor(f, x):
    leaf = x.detach().requires_grad_()
    y = f(leaf)
    return torch.einsum("i,i->", leaf.reshape(-1), torch.autograd.grad(y, leaf)[0].reshape(-1)).detach() / y.detach()


@wrong("homogeneity_degree", "not_divided_by_f")
def inner_product(f, x):
    leaf = x.detach().clone().requires_grad_()
    f(leaf).backward()
    return float((leaf.grad * x).sum())


@wrong("homogeneity_degree", "lengths_multiplied")
def norms(f, x):
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward()
    return float(torch.linalg.vector_norm(leaf.grad) * torch.linalg.vector_norm(x) / y)


@wrong("homogeneity_degree", "mean_over_the_entries")
def averaged(f, x):
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward()
    return float((x.detach() * leaf.grad).mean() / y.detach())


@wrong("homogeneity_degree", "upside_down")
def inverted(f, x):
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward()
    return y.item() / (x.detach() * leaf.grad).sum().item()


@wrong("homogeneity_degree", "degree_of_the_gradient")
def growth_of_gradient(f, x):
    def grad(t):
        leaf = t.detach().double().clone().requires_grad_()
        f(leaf).backward()
        return leaf.grad.norm().item()

    return math.log(grad(2 * x) / grad(x), 2)


@wrong("homogeneity_degree", "gradient_summed")
def ones_direction(f, x):
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward()
    return float(leaf.grad.sum() / y.detach())


@wrong("homogeneity_degree", "along_the_unit_vector")
def unit_ray(f, x):
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward()
    unit = x.detach() / x.detach().norm()
    return float((unit * leaf.grad).sum() / y.detach())


@wrong("homogeneity_degree", "sign_lost")
def absolute(f, x):
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward()
    return abs((x.detach() * leaf.grad).sum().item()) / abs(y.item())


@wrong("homogeneity_degree", "rounded")
def nearest_integer(f, x):
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward()
    return int(round(((x.detach() * leaf.grad).sum() / y.detach()).item()))


@wrong("homogeneity_degree", "")
def touches_x(f, x):
    x.requires_grad_(True)
    y = f(x)
    y.backward()
    return float((x * x.grad).sum() / y)


@wrong("homogeneity_degree", "")
def only_vectors(f, x):
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward()
    return float(x.detach() @ leaf.grad / y.detach())


@wrong("homogeneity_degree", "")
def forward_difference(f, x):
    with torch.no_grad():
        return float((f(1.001 * x) - f(x)) / (0.001 * f(x)))


@wrong("homogeneity_degree", "")
def no_value(f, x):
    f(x)


# radial_component


@right("radial_component")
def projection(w, grad):
    coefficient = torch.dot(w.flatten(), grad.flatten()) / torch.dot(w.flatten(), w.flatten())
    return coefficient * w


@right("radial_component")
def along_unit_w(w, grad):
    unit = w / torch.linalg.vector_norm(w)
    return (unit * grad).sum() * unit


@right("radial_component")
def matrix_projection(w, grad):
    v = w.reshape(-1, 1).double()
    return (v @ (v.T @ grad.reshape(-1, 1).double()) / (v.T @ v)).reshape(w.shape).to(w.dtype)


@right("radial_component")
def in_loops(w, grad):
    inner = sum(a * b for a, b in zip(w.flatten().tolist(), grad.flatten().tolist()))
    square = sum(a * a for a in w.flatten().tolist())
    return inner / square * w


@right("radial_component")
def numpy_vdot(w, grad):
    a, b = w.numpy(), grad.numpy()
    return torch.from_numpy(np.asarray(a * (np.vdot(a, b) / np.vdot(a, a)), dtype=a.dtype))


@right("radial_component")
def gradient_minus_tangent(w, grad):
    q = torch.linalg.qr(w.reshape(-1, 1)).Q
    tangent = grad.reshape(-1) - q[:, 0] * (q[:, 0] @ grad.reshape(-1))
    return grad - tangent.reshape(grad.shape)


@wrong("radial_component", "tangential_part")
def rest(w, grad):
    return grad - (w * grad).sum() / (w * w).sum() * w


@wrong("radial_component", "one_part_per_row")
def rows(w, grad):
    if w.dim() == 1:
        return (w @ grad) / (w @ w) * w
    axes = tuple(range(1, w.dim()))
    return (w * grad).sum(axes, keepdim=True) / (w * w).sum(axes, keepdim=True) * w


@wrong("radial_component", "norm_for_squared_norm")
def one_norm(w, grad):
    return (w * grad).sum() / w.norm() * w


@wrong("radial_component", "not_divided")
def inner_times_w(w, grad):
    return torch.sum(w * grad) * w


@wrong("radial_component", "divided_three_times")
def unit_at_the_end(w, grad):
    return (w * grad).sum() / w.norm() ** 2 * (w / w.norm())


@wrong("radial_component", "multiple_alone")
def coefficient(w, grad):
    return (w * grad).sum() / w.square().sum()


@wrong("radial_component", "exchanged")
def w_along_gradient(w, grad):
    return (w * grad).sum() / grad.square().sum() * grad


@wrong("radial_component", "along_the_gradient")
def wrong_direction(w, grad):
    return (w * grad).sum() / w.square().sum() * grad


@wrong("radial_component", "products_not_summed")
def elementwise(w, grad):
    return (w * grad) / w.pow(2).sum() * w


@wrong("radial_component", "")
def flat(w, grad):
    a, b = w.reshape(-1), grad.reshape(-1)
    return (a @ b) / (a @ a) * a


@wrong("radial_component", "")
def float64_always(w, grad):
    w, grad = w.double(), grad.double()
    return (w * grad).sum() / w.square().sum() * w


@wrong("radial_component", "")
def normalises_w_in_place(w, grad):
    w /= w.norm()
    return (w * grad).sum() * w


@wrong("radial_component", "")
def eps_in_the_norm(w, grad):
    return (w * grad).sum() / (w.square().sum() + 1e-3) * w


# norm_sq_after_step


@right("norm_sq_after_step")
def pythagoras(w_sq, lr, g_sq):
    return w_sq + (lr * sp.sqrt(g_sq)) ** 2


@right("norm_sq_after_step")
def vectors_in_the_plane(w_sq, lr, g_sq):
    w, g = sp.Matrix([sp.sqrt(w_sq), 0]), sp.Matrix([0, sp.sqrt(g_sq)])
    after = w - lr * g
    return after.dot(after)


@right("norm_sq_after_step")
def complex_modulus(w_sq, lr, g_sq):
    return sp.Abs(sp.sqrt(w_sq) - sp.I * lr * sp.sqrt(g_sq)) ** 2


@right("norm_sq_after_step")
def factored(w_sq, lr, g_sq):
    return w_sq * (1 + lr**2 * g_sq / w_sq)


@wrong("norm_sq_after_step", "square_subtracted")
def minus(w_sq, lr, g_sq):
    return w_sq - lr * lr * g_sq


@wrong("norm_sq_after_step", "stays_on_the_sphere")
def orthogonal_so_unchanged(w_sq, lr, g_sq):
    inner = 0
    return w_sq - 2 * lr * inner


@wrong("norm_sq_after_step", "rate_not_squared")
def plain_rate(w_sq, lr, g_sq):
    return w_sq + g_sq * lr


@wrong("norm_sq_after_step", "gradient_of_the_unit_sphere")
def grosse_last_line(w_sq, lr, g_sq):
    return w_sq + (lr**2 * g_sq) / w_sq


@wrong("norm_sq_after_step", "lengths_added")
def outwards(w_sq, lr, g_sq):
    return w_sq + 2 * lr * sp.sqrt(w_sq * g_sq) + lr**2 * g_sq


@wrong("norm_sq_after_step", "lengths_subtracted")
def parallel(w_sq, lr, g_sq):
    w, g = sp.sqrt(w_sq), sp.sqrt(g_sq)
    return sp.expand((w - lr * g) ** 2)


@wrong("norm_sq_after_step", "norm_after_step")
def hypotenuse(w_sq, lr, g_sq):
    return sp.sqrt(w_sq + (lr * sp.sqrt(g_sq)) ** 2)


@wrong("norm_sq_after_step", "gradient_squared_twice")
def square_of_g_sq(w_sq, lr, g_sq):
    return w_sq + (lr * g_sq) ** 2


@wrong("norm_sq_after_step", "both_squared_twice")
def norms_for_squares(w_sq, lr, g_sq):
    return w_sq**2 + (lr * g_sq) ** 2


@wrong("norm_sq_after_step", "")
def doubled(w_sq, lr, g_sq):
    return w_sq + 2 * lr**2 * g_sq


@wrong("norm_sq_after_step", "")
def by_own_symbols(w_sq, lr, g_sq):
    w, a, g = sp.symbols("w a g")
    return w**2 + a**2 * g**2


# norm_sq_growth


@right("norm_sq_growth")
def root_of_a_sum(k, w0_sq, lr):
    return sp.sqrt(w0_sq**2 + 2 * k * lr**2)


@right("norm_sq_growth")
def with_a_time_scale(k, w0_sq, lr):
    k0 = w0_sq**2 / (2 * lr**2)
    return w0_sq * sp.sqrt(1 + k / k0)


@right("norm_sq_growth")
def solved_by_dsolve(k, w0_sq, lr):
    t = sp.Symbol("t", nonnegative=True)
    n = sp.Function("n")
    solutions = sp.dsolve(sp.Eq(n(t).diff(t), lr**2 / n(t)), n(t), ics={n(0): w0_sq})
    return (solutions[-1] if isinstance(solutions, list) else solutions).rhs.subs(t, k)


@right("norm_sq_growth")
def by_an_integral(k, w0_sq, lr):
    t = sp.Symbol("t")
    return sp.Integral(2 * lr**2, (t, 0, k)).__add__(w0_sq**2) ** sp.Rational(1, 2)


@right("norm_sq_growth")
def separated(k, w0_sq, lr):
    n = sp.Symbol("n", positive=True)
    roots = sp.solve(sp.Eq(n**2 / 2 - w0_sq**2 / 2, lr**2 * k), n)
    return roots[0]


@wrong("norm_sq_growth", "gradient_does_not_fade")
def linear(k, w0_sq, lr):
    return w0_sq + lr**2 * k


@wrong("norm_sq_growth", "start_forgotten")
def asymptote(k, w0_sq, lr):
    return sp.sqrt(2 * k * lr**2)


@wrong("norm_sq_growth", "half_the_growth")
def lost_the_two(k, w0_sq, lr):
    return (w0_sq**2 + lr**2 * k) ** sp.Rational(1, 2)


@wrong("norm_sq_growth", "start_not_squared")
def constant_of_integration(k, w0_sq, lr):
    C = w0_sq
    return sp.sqrt(2 * lr**2 * k + C)


@wrong("norm_sq_growth", "norm_of_growth")
def fourth_root(k, w0_sq, lr):
    return sp.sqrt(sp.sqrt(w0_sq**2 + 2 * lr**2 * k))


@wrong("norm_sq_growth", "root_forgotten")
def square_of_the_square(k, w0_sq, lr):
    return 2 * lr**2 * k + w0_sq**2


@wrong("norm_sq_growth", "recurrence_for_the_norm")
def norm_by_dsolve(k, w0_sq, lr):
    t = sp.Symbol("t", nonnegative=True)
    r = sp.Function("r")
    solutions = sp.dsolve(sp.Eq(r(t).diff(t), lr**2 / r(t)), r(t), ics={r(0): sp.sqrt(w0_sq)})
    norm = (solutions[-1] if isinstance(solutions, list) else solutions).rhs.subs(t, k)
    return norm**2


@wrong("norm_sq_growth", "rate_not_squared_in_growth")
def plain_lr(k, w0_sq, lr):
    return sp.sqrt(w0_sq**2 + 2 * lr * k)


@wrong("norm_sq_growth", "gradient_of_the_start")
def first_gain_times_k(k, w0_sq, lr):
    gain = lr**2 / w0_sq
    return w0_sq + k * gain


@wrong("norm_sq_growth", "faded_once_for_twice")
def over_the_norm(k, w0_sq, lr):
    n = w0_sq ** sp.Rational(3, 2) + sp.Rational(3, 2) * lr**2 * k
    return n ** sp.Rational(2, 3)


@wrong("norm_sq_growth", "effective_gradient_in_the_step")
def over_the_square_twice(k, w0_sq, lr):
    return (w0_sq**3 + 3 * lr**2 * k) ** sp.Rational(1, 3)


@wrong("norm_sq_growth", "start_of_one")
def figure_six(k, w0_sq, lr):
    return sp.sqrt(1 + 2 * lr**2 * k)


@wrong("norm_sq_growth", "time_scale_of_one")
def slide_with_its_k0(k, w0_sq, lr):
    k0 = 1 / (2 * lr**2)
    return w0_sq * sp.sqrt(1 + k / k0)


@wrong("norm_sq_growth", "effective_rate_for_norm")
def rate(k, w0_sq, lr):
    return lr * (w0_sq**2 + 2 * lr**2 * k) ** sp.Rational(-1, 2)


@wrong("norm_sq_growth", "")
def exponential(k, w0_sq, lr):
    return w0_sq * sp.exp(lr**2 * k)


@wrong("norm_sq_growth", "")
def free_constant(k, w0_sq, lr):
    return sp.sqrt(sp.Symbol("C1") + 2 * k * lr**2)


# norm_sq_trajectory


@right("norm_sq_trajectory")
def filled_tensor(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if not lr > 0 or not w0_sq > 0:
        raise ValueError("positive numbers, please")
    n = torch.empty(steps + 1, dtype=torch.float64)
    n[0] = w0_sq
    for k in range(steps):
        n[k + 1] = n[k] + lr**2 * grad_norm**2 / n[k]
    return n


@right("norm_sq_trajectory")
def plain_list(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0:
        raise ValueError("lr")
    if w0_sq <= 0:
        raise ValueError("w0_sq")
    seen, n = [], w0_sq
    for _ in range(steps + 1):
        seen.append(n)
        n = n + (lr * grad_norm) ** 2 / n
    return seen


@right("norm_sq_trajectory")
def numpy_array(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if min(lr, w0_sq) <= 0:
        raise ValueError(f"lr = {lr}, w0_sq = {w0_sq}")
    n = np.full(steps + 1, float(w0_sq))
    for k in range(1, steps + 1):
        n[k] = n[k - 1] * (1 + (lr * grad_norm / n[k - 1]) ** 2)
    return n


@right("norm_sq_trajectory")
def real_vectors(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    w = torch.tensor([math.sqrt(w0_sq), 0.0], dtype=torch.float64)
    seen = [w @ w]
    for _ in range(steps):
        tangent = torch.stack([-w[1], w[0]]) / w.norm()
        w = w - lr * grad_norm / w.norm() * tangent
        seen.append(w @ w)
    return torch.stack(seen)


@right("norm_sq_trajectory")
def norms_by_hypot(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError("lr and w0_sq must be positive")
    norms = [math.sqrt(w0_sq)]
    while len(norms) <= steps:
        norms.append(math.hypot(norms[-1], lr * grad_norm / norms[-1]))
    return torch.tensor([r * r for r in norms], dtype=torch.float64)


@wrong("norm_sq_trajectory", "norms_returned")
def hypotenuses(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    norms = [math.sqrt(w0_sq)]
    for _ in range(steps):
        norms.append(math.hypot(norms[-1], lr * grad_norm / norms[-1]))
    return norms


@wrong("norm_sq_trajectory", "gradient_of_constant_length")
def arithmetic(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    return [w0_sq + k * (lr * grad_norm) ** 2 for k in range(steps + 1)]


@wrong("norm_sq_trajectory", "squared_gradient_over_the_norm")
def divides_by_root(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + lr**2 * grad_norm**2 / math.sqrt(n[-1]))
    return n


@wrong("norm_sq_trajectory", "squared_once_more")
def divides_by_square(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + (lr * grad_norm / n[-1]) ** 2)
    return n


@wrong("norm_sq_trajectory", "start_squared")
def norm_given(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = [w0_sq * w0_sq]
    for _ in range(steps):
        n.append(n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return n


@wrong("norm_sq_trajectory", "rate_of_the_step_not_squared")
def lr_once(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + lr * grad_norm**2 / n[-1])
    return n


@wrong("norm_sq_trajectory", "length_not_squared")
def gradient_once(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + lr**2 * grad_norm / n[-1])
    return n


@wrong("norm_sq_trajectory", "unit_gradient")
def no_grad_norm(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + lr**2 / n[-1])
    return torch.tensor(n, dtype=torch.float64)


@wrong("norm_sq_trajectory", "starts_at_one")
def one_first(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = torch.ones(steps + 1, dtype=torch.float64)
    for k in range(steps):
        n[k + 1] = n[k] + (lr * grad_norm) ** 2 / n[k]
    return n


@wrong("norm_sq_trajectory", "norm_shrinks")
def subtracts(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] - (lr * grad_norm) ** 2 / n[-1])
    return n


@wrong("norm_sq_trajectory", "step_along_w")
def adds_lengths(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    norms = [w0_sq**0.5]
    for _ in range(steps):
        norms.append(norms[-1] + lr * grad_norm / norms[-1])
    return [r**2 for r in norms]


@wrong("norm_sq_trajectory", "continuous_limit")
def closed_form(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    k = torch.arange(steps + 1, dtype=torch.float64)
    return torch.sqrt(w0_sq**2 + 2 * k * (lr * grad_norm) ** 2)


@wrong("norm_sq_trajectory", "gradient_never_renewed")
def divides_by_start(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + (lr * grad_norm) ** 2 / w0_sq)
    return n


@wrong("norm_sq_trajectory", "start_left_out")
def after_each_step(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n, seen = w0_sq, []
    for _ in range(steps):
        n += (lr * grad_norm) ** 2 / n
        seen.append(n)
    return torch.tensor(seen, dtype=torch.float64)


@wrong("norm_sq_trajectory", "last_left_out")
def before_each_step(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n, seen = w0_sq, []
    for _ in range(steps):
        seen.append(n)
        n += (lr * grad_norm) ** 2 / n
    return torch.tensor(seen, dtype=torch.float64)


@wrong("norm_sq_trajectory", "impossible_accepted")
def no_errors(lr, steps, w0_sq=1.0, grad_norm=1.0):
    n = torch.zeros(steps + 1, dtype=torch.float64)
    n[0] = w0_sq
    for k in range(steps):
        n[k + 1] = n[k] + (lr * grad_norm) ** 2 / n[k]
    return n


@wrong("norm_sq_trajectory", "impossible_accepted")
def zero_accepted(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr < 0 or w0_sq < 0:
        raise ValueError
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return n


@wrong("norm_sq_trajectory", "impossible_accepted")
def start_not_looked_at(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0:
        raise ValueError
    n = torch.full((steps + 1,), float(w0_sq), dtype=torch.float64)
    for k in range(steps):
        n[k + 1] = n[k] + (lr * grad_norm) ** 2 / n[k]
    return n


@wrong("norm_sq_trajectory", "trajectory_in_float32")
def default_dtype(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = torch.zeros(steps + 1)
    n[0] = w0_sq
    for k in range(steps):
        n[k + 1] = n[k] + (lr * grad_norm) ** 2 / n[k]
    return n


@wrong("norm_sq_trajectory", "trajectory_in_float32")
def cast_too_late(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = torch.tensor(float(w0_sq))
    seen = [n.item()]
    for _ in range(steps):
        n = n + (lr * grad_norm) ** 2 / n
        seen.append(n.item())
    return torch.tensor(seen, dtype=torch.float64)


@wrong("norm_sq_trajectory", "")
def asserts(lr, steps, w0_sq=1.0, grad_norm=1.0):
    assert lr > 0 and w0_sq > 0
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + (lr * grad_norm) ** 2 / n[-1])
    return n


@wrong("norm_sq_trajectory", "")
def last_only(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = w0_sq
    for _ in range(steps):
        n += (lr * grad_norm) ** 2 / n
    return n


@wrong("norm_sq_trajectory", "")
def column(lr, steps, w0_sq=1.0, grad_norm=1.0):
    if lr <= 0 or w0_sq <= 0:
        raise ValueError
    n = torch.full((steps + 1, 1), float(w0_sq), dtype=torch.float64)
    for k in range(steps):
        n[k + 1] = n[k] + (lr * grad_norm) ** 2 / n[k]
    return n


# effective_lr


@right("effective_lr")
def einsum_of_rows(lr, W):
    rows = W.reshape(W.shape[0], -1)
    return lr / torch.einsum("oi,oi->o", rows, rows)


@right("effective_lr")
def vector_norms(lr, W):
    norms = torch.linalg.vector_norm(W, dim=tuple(range(1, W.dim())))
    return lr * norms.pow(-2)


@right("effective_lr")
def one_unit_at_a_time(lr, W):
    return torch.stack([lr / (unit * unit).sum() for unit in W])


@right("effective_lr")
def gram_diagonal(lr, W):
    rows = W.flatten(1).double()
    return (lr / torch.diagonal(rows @ rows.T)).to(W.dtype)


@right("effective_lr")
def numpy_rates(lr, W):
    rows = W.numpy().reshape(len(W), -1).astype(np.float64)
    return torch.tensor(lr / np.sum(rows**2, axis=1), dtype=W.dtype)


@wrong("effective_lr", "divided_once")
def rate_over_norm(lr, W):
    return lr / W.flatten(1).norm(dim=1)


@wrong("effective_lr", "one_rate_for_the_layer")
def whole_tensor(lr, W):
    return lr / W.square().sum()


@wrong("effective_lr", "one_rate_per_input")
def first_axis_summed(lr, W):
    axes = [0, *range(2, W.dim())]
    return lr / W.pow(2).sum(axes)


@wrong("effective_lr", "mean_square_for_squared_norm")
def mean_of_squares(lr, W):
    return lr / (W.flatten(1) ** 2).mean(1)


@wrong("effective_lr", "grows_with_the_norm")
def multiplied(lr, W):
    return lr * (W.flatten(1) ** 2).sum(1)


@wrong("effective_lr", "explicit_rate_forgotten")
def inverse_square(lr, W):
    return 1 / W.flatten(1).square().sum(1)


@wrong("effective_lr", "explicit_rate_squared")
def rate_squared(lr, W):
    return lr**2 / W.flatten(1).square().sum(1)


@wrong("effective_lr", "squared_after_the_sum")
def square_of_sum(lr, W):
    return lr / W.flatten(1).sum(1).square()


@wrong("effective_lr", "")
def kept_dimension(lr, W):
    return lr / W.flatten(1).square().sum(1, keepdim=True)


@wrong("effective_lr", "")
def matrices_only(lr, W):
    return lr / (W**2).sum(1)


@wrong("effective_lr", "")
def float32_rates(lr, W):
    return lr / W.flatten(1).float().square().sum(1)


@wrong("effective_lr", "")
def float64_rates(lr, W):
    return lr / W.flatten(1).double().square().sum(1)


@wrong("effective_lr", "")
def squares_in_place(lr, W):
    return lr / W.pow_(2).flatten(1).sum(1)


@wrong("effective_lr", "")
def with_an_eps(lr, W):
    return lr / (W.flatten(1).square().sum(1) + 1e-5)


# constant_effective_lr_schedule


@right("constant_effective_lr_schedule")
def norm_and_rate_together(lr0, w0_sq, steps, grad_norm=1.0):
    n, rates = w0_sq, []
    for _ in range(steps):
        rates.append(lr0 * n / w0_sq)
        n += (rates[-1] * grad_norm) ** 2 / n
    return torch.tensor(rates, dtype=torch.float64)


@right("constant_effective_lr_schedule")
def geometric(lr0, w0_sq, steps, grad_norm=1.0):
    effective = lr0 / w0_sq
    return [lr0 * (1 + effective**2 * grad_norm**2) ** k for k in range(steps)]


@right("constant_effective_lr_schedule")
def cumulative_product(lr0, w0_sq, steps, grad_norm=1.0):
    factors = torch.full((steps,), 1 + (lr0 * grad_norm / w0_sq) ** 2, dtype=torch.float64)
    if steps:
        factors[0] = lr0
    return torch.cumprod(factors, 0)


@right("constant_effective_lr_schedule")
def numpy_exponential(lr0, w0_sq, steps, grad_norm=1.0):
    return np.exp(math.log(lr0) + np.arange(steps) * math.log1p((lr0 * grad_norm / w0_sq) ** 2))


@right("constant_effective_lr_schedule")
def steps_of_a_vector(lr0, w0_sq, steps, grad_norm=1.0):
    w = torch.tensor([math.sqrt(w0_sq), 0.0], dtype=torch.float64)
    rates = torch.zeros(steps, dtype=torch.float64)
    for k in range(steps):
        n = w.dot(w)
        rates[k] = lr0 / w0_sq * n
        w = w - rates[k] * grad_norm / n * torch.stack([-w[1], w[0]])
    return rates


@wrong("constant_effective_lr_schedule", "explicit_rate_constant")
def constant(lr0, w0_sq, steps, grad_norm=1.0):
    return [lr0] * steps


@wrong("constant_effective_lr_schedule", "effective_rates")
def held_rate(lr0, w0_sq, steps, grad_norm=1.0):
    return torch.ones(steps, dtype=torch.float64) * lr0 / w0_sq


@wrong("constant_effective_lr_schedule", "rate_follows_the_norm")
def over_one_norm(lr0, w0_sq, steps, grad_norm=1.0):
    effective = lr0 / math.sqrt(w0_sq)
    n, rates = w0_sq, []
    for _ in range(steps):
        rates.append(effective * math.sqrt(n))
        n += (rates[-1] * grad_norm) ** 2 / n
    return rates


@wrong("constant_effective_lr_schedule", "root_of_the_growth")
def half_power(lr0, w0_sq, steps, grad_norm=1.0):
    growth = math.sqrt(1 + (lr0 * grad_norm / w0_sq) ** 2)
    return [lr0 * growth**k for k in range(steps)]


@wrong("constant_effective_lr_schedule", "norm_of_the_constant_rate")
def from_the_trajectory(lr0, w0_sq, steps, grad_norm=1.0):
    n = [w0_sq]
    for _ in range(steps):
        n.append(n[-1] + (lr0 * grad_norm) ** 2 / n[-1])
    return [lr0 / w0_sq * m for m in n[:steps]]


@wrong("constant_effective_lr_schedule", "falls_instead")
def decreasing(lr0, w0_sq, steps, grad_norm=1.0):
    k = torch.arange(steps, dtype=torch.float64)
    return lr0 * (1 + (lr0 * grad_norm / w0_sq) ** 2) ** -k


@wrong("constant_effective_lr_schedule", "one_step_late")
def updated_first(lr0, w0_sq, steps, grad_norm=1.0):
    rate, rates = lr0, []
    for _ in range(steps):
        rate *= 1 + (lr0 * grad_norm / w0_sq) ** 2
        rates.append(rate)
    return rates


@wrong("constant_effective_lr_schedule", "gradient_of_one")
def without_grad_norm(lr0, w0_sq, steps, grad_norm=1.0):
    return [lr0 * (1 + (lr0 / w0_sq) ** 2) ** k for k in range(steps)]


@wrong("constant_effective_lr_schedule", "gradient_length_not_squared")
def gradient_length_once(lr0, w0_sq, steps, grad_norm=1.0):
    n, rates = w0_sq, []
    for _ in range(steps):
        rates.append(lr0 * n / w0_sq)
        n += rates[-1] ** 2 * grad_norm / n
    return rates


@wrong("constant_effective_lr_schedule", "start_of_unit_length")
def start_ignored(lr0, w0_sq, steps, grad_norm=1.0):
    return [lr0 * (1 + (lr0 * grad_norm) ** 2) ** k for k in range(steps)]


@wrong("constant_effective_lr_schedule", "start_enters_once")
def one_w0_sq(lr0, w0_sq, steps, grad_norm=1.0):
    growth = 1 + lr0**2 * grad_norm**2 / w0_sq
    return lr0 * growth ** torch.arange(steps, dtype=torch.float64)


@wrong("constant_effective_lr_schedule", "gradient_does_not_fade_here")
def constant_gradient(lr0, w0_sq, steps, grad_norm=1.0):
    n, rates = w0_sq, []
    for _ in range(steps):
        rates.append(lr0 * n / w0_sq)
        n += (rates[-1] * grad_norm) ** 2
    return rates


@wrong("constant_effective_lr_schedule", "growth_not_compounded")
def linear_schedule(lr0, w0_sq, steps, grad_norm=1.0):
    return [lr0 * (1 + k * (lr0 * grad_norm / w0_sq) ** 2) for k in range(steps)]


@wrong("constant_effective_lr_schedule", "exponential_function")
def natural_exponential(lr0, w0_sq, steps, grad_norm=1.0):
    k = torch.arange(steps, dtype=torch.float64)
    return lr0 * torch.exp(k * (lr0 * grad_norm / w0_sq) ** 2)


@wrong("constant_effective_lr_schedule", "schedule_in_float32")
def single_precision(lr0, w0_sq, steps, grad_norm=1.0):
    return lr0 * (1 + (lr0 * grad_norm / w0_sq) ** 2) ** torch.arange(steps)


@wrong("constant_effective_lr_schedule", "")
def rate_after_the_last(lr0, w0_sq, steps, grad_norm=1.0):
    return [lr0 * (1 + (lr0 * grad_norm / w0_sq) ** 2) ** k for k in range(steps + 1)]


@wrong("constant_effective_lr_schedule", "")
def first_rate_needed(lr0, w0_sq, steps, grad_norm=1.0):
    rates = [lr0]
    while len(rates) < steps:
        rates.append(rates[-1] * (1 + (lr0 * grad_norm / w0_sq) ** 2))
    return rates


@wrong("constant_effective_lr_schedule", "")
def norms_instead(lr0, w0_sq, steps, grad_norm=1.0):
    return [w0_sq * (1 + (lr0 * grad_norm / w0_sq) ** 2) ** k for k in range(steps)]


# decay_to_exponential_lr


@right("decay_to_exponential_lr")
def divided_in_a_loop(lr, wd, steps):
    rate, rates = lr / (1 - lr * wd), []
    for _ in range(steps):
        rates.append(rate)
        rate = rate / (1 - lr * wd) ** 2
    return torch.tensor(rates, dtype=torch.float64)


@right("decay_to_exponential_lr")
def one_power(lr, wd, steps):
    exponents = -2 * torch.arange(steps).double() - 1
    return lr * torch.pow(torch.tensor(1 - lr * wd, dtype=torch.float64), exponents)


@right("decay_to_exponential_lr")
def by_logarithms(lr, wd, steps):
    return np.exp(np.log(lr) - (2 * np.arange(steps) + 1) * np.log1p(-lr * wd))


@right("decay_to_exponential_lr")
def from_two_products(lr, wd, steps):
    keep = 1 - lr * wd
    share = [keep**k for k in range(steps + 1)]
    return [lr / (share[k] * share[k + 1]) for k in range(steps)]


@right("decay_to_exponential_lr")
def by_comparing_two_runs(lr, wd, steps):
    rates, scale = [], 1.0
    for _ in range(steps):
        after = scale / (1 - lr * wd)
        rates.append(lr * scale * after)
        scale = after
    return torch.tensor(rates, dtype=torch.float64)


@wrong("decay_to_exponential_lr", "decay_after_the_step")
def two_k(lr, wd, steps):
    k = torch.arange(steps, dtype=torch.float64)
    return lr * (1 - lr * wd) ** (-2 * k)


@wrong("decay_to_exponential_lr", "one_power_per_step")
def minus_k(lr, wd, steps):
    return [lr / (1 - lr * wd) ** k for k in range(steps)]


@wrong("decay_to_exponential_lr", "one_power_per_step_after_the_first")
def minus_k_minus_one(lr, wd, steps):
    return [lr / (1 - lr * wd) ** (k + 1) for k in range(steps)]


@wrong("decay_to_exponential_lr", "rates_fall")
def positive_exponent(lr, wd, steps):
    k = torch.arange(steps, dtype=torch.float64)
    return lr * (1 - lr * wd) ** (2 * k + 1)


@wrong("decay_to_exponential_lr", "decay_without_lr")
def wd_alone(lr, wd, steps):
    k = np.arange(steps)
    return lr * (1 - wd) ** (-2.0 * k - 1)


@wrong("decay_to_exponential_lr", "counted_from_one")
def k_from_one(lr, wd, steps):
    return [lr * (1 - lr * wd) ** -(2 * k + 1) for k in range(1, steps + 1)]


@wrong("decay_to_exponential_lr", "one_step_behind")
def two_k_minus_one(lr, wd, steps):
    return [lr * (1 - lr * wd) ** -(2 * k - 1) for k in range(steps)]


@wrong("decay_to_exponential_lr", "first_decay_counted_twice")
def two_k_plus_two(lr, wd, steps):
    return [lr / (1 - lr * wd) ** (2 * (k + 1)) for k in range(steps)]


@wrong("decay_to_exponential_lr", "one_plus_for_the_inverse")
def one_plus(lr, wd, steps):
    return [lr * (1 + lr * wd) ** (2 * k + 1) for k in range(steps)]


@wrong("decay_to_exponential_lr", "continuous_decay")
def natural_growth(lr, wd, steps):
    return [lr * math.exp((2 * k + 1) * lr * wd) for k in range(steps)]


@wrong("decay_to_exponential_lr", "rate_unchanged")
def same_rate(lr, wd, steps):
    return np.full(steps, lr)


@wrong("decay_to_exponential_lr", "exponential_in_float32")
def integer_exponents(lr, wd, steps):
    return lr * (1 - lr * wd) ** -(2 * torch.arange(steps) + 1)


@wrong("decay_to_exponential_lr", "exponential_in_float32")
def widened_at_the_end(lr, wd, steps):
    return (lr * (1 - lr * wd) ** -(2 * torch.arange(steps) + 1.0)).double()


@wrong("decay_to_exponential_lr", "one_rate_over")
def one_more(lr, wd, steps):
    return [lr * (1 - lr * wd) ** -(2 * k + 1) for k in range(steps + 1)]


@wrong("decay_to_exponential_lr", "")
def factor_two_inside(lr, wd, steps):
    return [lr * (1 - 2 * lr * wd) ** -(k + 0.5) for k in range(steps)]


@wrong("decay_to_exponential_lr", "")
def first_missing(lr, wd, steps):
    return [lr * (1 - lr * wd) ** -(2 * k + 1) for k in range(steps)][1:]


@wrong("decay_to_exponential_lr", "")
def generator_returned(lr, wd, steps):
    return (lr * (1 - lr * wd) ** -(2 * k + 1) for k in range(steps))


# project_step


@right("project_step")
def normalised(w, grad, lr):
    after = w - lr * grad
    return F.normalize(after.flatten(), dim=0).reshape(w.shape)


@right("project_step")
def in_float64(w, grad, lr):
    after = w.double() - lr * grad.double()
    return (after / torch.sqrt((after * after).sum())).to(w.dtype)


@right("project_step")
def entry_by_entry(w, grad, lr):
    after = [a - lr * b for a, b in zip(w.flatten().tolist(), grad.flatten().tolist())]
    length = math.sqrt(math.fsum(a * a for a in after))
    return torch.tensor([a / length for a in after], dtype=w.dtype).reshape(w.shape)


@right("project_step")
def with_an_optimizer(w, grad, lr):
    p = torch.nn.Parameter(w.detach().clone())
    p.grad = grad.clone()
    torch.optim.SGD([p], lr=lr).step()
    return (p / torch.linalg.vector_norm(p)).detach()


@right("project_step")
def numpy_norm(w, grad, lr):
    after = w.numpy() - np.asarray(lr, dtype=w.numpy().dtype) * grad.numpy()
    return torch.from_numpy(after / np.sqrt(np.vdot(after, after)))


@wrong("project_step", "not_put_back")
def plain_sgd(w, grad, lr):
    return w - lr * grad


@wrong("project_step", "one_sphere_per_row")
def rows_normalised(w, grad, lr):
    after = w - lr * grad
    if after.dim() == 1:
        return after / after.norm()
    return after / after.flatten(1).norm(dim=1).reshape(-1, *[1] * (after.dim() - 1))


@wrong("project_step", "uphill")
def plus(w, grad, lr):
    after = w + lr * grad
    return after / after.norm()


@wrong("project_step", "divided_by_the_square")
def squared_norm(w, grad, lr):
    after = w - lr * grad
    return after / (after**2).sum()


@wrong("project_step", "tangent_taken_for_granted")
def pythagoras_assumed(w, grad, lr):
    return (w - lr * grad) / torch.sqrt(1 + lr**2 * (grad**2).sum())


@wrong("project_step", "radial_part_removed")
def riemannian(w, grad, lr):
    tangent = grad - (w * grad).sum() * w
    after = w - lr * tangent
    return after / after.norm()


@wrong("project_step", "unit_gradient_taken")
def direction_only(w, grad, lr):
    after = w - lr * grad / grad.norm()
    return after / after.norm()


@wrong("project_step", "onto_the_ball")
def clipped(w, grad, lr):
    after = w - lr * grad
    return after / after.norm().clamp(min=1)


@wrong("project_step", "along_a_great_circle")
def geodesic(w, grad, lr):
    tangent = grad - (w * grad).sum() * w
    length = tangent.norm()
    return torch.cos(lr * length) * w - torch.sin(lr * length) * tangent / length


@wrong("project_step", "rate_forgotten")
def no_rate(w, grad, lr):
    after = w - grad
    return after / after.norm()


@wrong("project_step", "")
def in_place(w, grad, lr):
    w -= lr * grad
    w /= w.norm()
    return w


@wrong("project_step", "")
def flattened(w, grad, lr):
    after = (w - lr * grad).flatten()
    return after / after.norm()


@wrong("project_step", "")
def float32_inside(w, grad, lr):
    after = w.float() - lr * grad.float()
    return (after / after.norm()).to(w.dtype)


@wrong("project_step", "")
def half_way(w, grad, lr):
    after = w - lr * grad
    return after / torch.sqrt(after.norm())


@wrong("project_step", "")
def effective_step(w, grad, lr):
    after = w - lr * grad
    return w - (w - after) / after.norm()
