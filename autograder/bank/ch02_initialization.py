"""Bank of chapter 02: right alternatives and wrong implementations."""

import math

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.bank import right, wrong

# product_variance


@right("product_variance")
def three_terms(mean_w, var_w, mean_x, var_x):
    return var_w * var_x + mean_w**2 * var_x + mean_x**2 * var_w


@right("product_variance")
def moments_minus_square(mean_w, var_w, mean_x, var_x):
    second = (var_w + mean_w**2) * (var_x + mean_x**2)
    return second - (mean_w * mean_x) ** 2


@right("product_variance")
def moments_of_standard_variables(mean_w, var_w, mean_x, var_x):
    u, v = sp.symbols("u v")
    product = (mean_w + sp.sqrt(var_w) * u) * (mean_x + sp.sqrt(var_x) * v)
    moment = {0: 1, 1: 0, 2: 1}

    def mean(expression):
        return sum(c * moment[i] * moment[j] for (i, j), c in sp.Poly(expression, u, v).terms())

    return mean(product**2) - mean(product) ** 2


@right("product_variance")
def sum_over_a_coin(mean_w, var_w, mean_x, var_x):
    i = sp.Symbol("i", integer=True)
    second_w = sp.Sum((mean_w + (-1) ** i * sp.sqrt(var_w)) ** 2, (i, 0, 1)) / 2
    return second_w * (var_x + mean_x**2) - mean_w**2 * mean_x**2


@right("product_variance")
def fresh_symbols_then_subs(mean_w, var_w, mean_x, var_x):
    a, b, c, d = sp.symbols("a b c d")
    law = sp.expand((b + a**2) * (d + c**2) - a**2 * c**2)
    return law.subs({a: mean_w, b: var_w, c: mean_x, d: var_x})


@wrong("product_variance", "both_means_zero")
def product_of_variances(mean_w, var_w, mean_x, var_x):
    return sp.Mul(var_w, var_x)


@wrong("product_variance", "weights_of_zero_mean")
def slide_line_with_zero_mean_weights(mean_w, var_w, mean_x, var_x):
    second_moment_x = var_x + mean_x**2
    return sp.expand(second_moment_x * var_w)


@wrong("product_variance", "input_of_zero_mean")
def centred_input(mean_w, var_w, mean_x, var_x):
    return var_w * var_x + mean_w**2 * var_x


@wrong("product_variance", "second_moment_of_product")
def forgot_to_subtract(mean_w, var_w, mean_x, var_x):
    e_w2 = var_w + mean_w**2
    e_x2 = var_x + mean_x**2
    return e_w2 * e_x2


@wrong("product_variance", "first_order_only")
def delta_method(mean_w, var_w, mean_x, var_x):
    w, x = sp.symbols("w x")
    at = {w: mean_w, x: mean_x}
    return sp.diff(w * x, w).subs(at) ** 2 * var_w + sp.diff(w * x, x).subs(at) ** 2 * var_x


@wrong("product_variance", "variance_of_a_sum")
def adds_variances(mean_w, var_w, mean_x, var_x):
    return sum([var_w, var_x])


@wrong("product_variance", "means_not_squared")
def plain_means(mean_w, var_w, mean_x, var_x):
    return mean_w * var_x + mean_x * var_w + var_x * var_w


@wrong("product_variance", "mean_beside_its_own_variance")
def means_crossed(mean_w, var_w, mean_x, var_x):
    return (mean_w**2) * var_w + (mean_x**2) * var_x + var_w * var_x


@wrong("product_variance", "variances_taken_for_deviations")
def squared_again(mean_w, var_w, mean_x, var_x):
    return var_w**2 * var_x**2 + mean_w**2 * var_x**2 + mean_x**2 * var_w**2


@wrong("product_variance", "square_of_the_mean_added")
def sign_of_last_term(mean_w, var_w, mean_x, var_x):
    return (mean_w**2 + var_w) * (mean_x**2 + var_x) + mean_w**2 * mean_x**2


@wrong("product_variance", "")
def doubled_last_term(mean_w, var_w, mean_x, var_x):
    return 2 * var_w * var_x + mean_w**2 * var_x + mean_x**2 * var_w


@wrong("product_variance", "")
def own_symbols(mean_w, var_w, mean_x, var_x):
    m, v, n, u = sp.symbols("m v n u")
    return v * u + m**2 * u + n**2 * v


@wrong("product_variance", "")
def an_equation(mean_w, var_w, mean_x, var_x):
    return sp.Eq(sp.Symbol("V"), var_w * var_x + mean_w**2 * var_x + mean_x**2 * var_w)


# relu_second_moment


@right("relu_second_moment")
def half(sigma):
    return sigma**2 / 2


@right("relu_second_moment")
def half_line_integral(sigma):
    a = sp.Symbol("a", real=True)
    p = sp.exp(-(a**2) / (2 * sigma**2)) / (sigma * sp.sqrt(2 * sp.pi))
    return sp.integrate(a**2 * p, (a, 0, sp.oo))


@right("relu_second_moment")
def substituted(sigma):
    z = sp.Symbol("z", positive=True)
    return sigma**2 * sp.Integral(z**2 * sp.exp(-(z**2) / 2), (z, 0, sp.oo)) / sp.sqrt(2 * sp.pi)


@right("relu_second_moment")
def with_a_float(sigma):
    return 0.5 * sigma * sigma


@wrong("relu_second_moment", "negative_side_kept")
def whole_line(sigma):
    a = sp.Symbol("a", real=True)
    p = sp.exp(-(a**2) / (2 * sigma**2)) / sp.sqrt(2 * sp.pi * sigma**2)
    return sp.integrate(a**2 * p, (a, -sp.oo, sp.oo))


@wrong("relu_second_moment", "negative_side_kept")
def twice_the_half_line(sigma):
    return 2 * (sp.Rational(1, 2) * sigma**2)


@wrong("relu_second_moment", "variance_after_relu")
def var_after(sigma):
    return sigma**2 / 2 - (sigma / sp.sqrt(2 * sp.pi)) ** 2


@wrong("relu_second_moment", "mean_after_relu")
def first_moment(sigma):
    a = sp.Symbol("a", real=True)
    p = sp.exp(-(a**2) / (2 * sigma**2)) / (sigma * sp.sqrt(2 * sp.pi))
    return sp.integrate(a * p, (a, 0, sp.oo))


@wrong("relu_second_moment", "squared_mean_after_relu")
def mean_then_square(sigma):
    return sigma * sigma / sp.pi / 2


@wrong("relu_second_moment", "values_halved")
def quarter(sigma):
    return sigma**2 / 4


@wrong("relu_second_moment", "sigma_taken_for_variance")
def half_sigma(sigma):
    return sp.Rational(1, 2) * sigma


@wrong("relu_second_moment", "root_mean_square")
def rms(sigma):
    return sp.sqrt(sigma**2 / 2)


@wrong("relu_second_moment", "")
def forgot_the_density(sigma):
    a = sp.Symbol("a", positive=True)
    return sp.integrate(a**2, (a, 0, sigma))


@wrong("relu_second_moment", "")
def number(sigma):
    return 0.5


@wrong("relu_second_moment", "")
def diverges(sigma):
    return sp.oo


@wrong("relu_second_moment", "")
def forgot_to_return(sigma):
    sigma**2 / 2


# leaky_relu_second_moment


@right("leaky_relu_second_moment")
def closed_form(sigma, slope):
    return sigma**2 * (1 + slope**2) / 2


@right("leaky_relu_second_moment")
def two_integrals(sigma, slope):
    a = sp.Symbol("a", real=True)
    p = sp.exp(-(a**2) / (2 * sigma**2)) / (sigma * sp.sqrt(2 * sp.pi))
    return sp.integrate(a**2 * p, (a, 0, sp.oo)) + sp.integrate((slope * a) ** 2 * p, (a, -sp.oo, 0))


@right("leaky_relu_second_moment")
def unevaluated_sides(sigma, slope):
    z = sp.Symbol("z", positive=True)
    side = sp.Integral(z**2 * sp.exp(-(z**2) / 2), (z, 0, sp.oo)) / sp.sqrt(2 * sp.pi)
    return sigma**2 * side + (slope * sigma) ** 2 * side


@right("leaky_relu_second_moment")
def piecewise_in_the_slope(sigma, slope):
    return sp.Piecewise((sigma**2 / 2, sp.Eq(slope, 0)), (sigma**2 / 2 + (slope * sigma) ** 2 / 2, True))


@right("leaky_relu_second_moment")
def expanded(sigma, slope):
    return 0.5 * sigma**2 + 0.5 * slope**2 * sigma**2


@wrong("leaky_relu_second_moment", "slope_not_squared")
def linear_slope(sigma, slope):
    positive, negative = sigma**2 / 2, slope * sigma**2 / 2
    return positive + negative


@wrong("leaky_relu_second_moment", "negative_side_dropped")
def relu_instead(sigma, slope):
    return sp.Rational(1, 2) * sigma**2


@wrong("leaky_relu_second_moment", "variance_after_leaky_relu")
def minus_mean_squared(sigma, slope):
    mean = (1 - slope) * sigma / sp.sqrt(2 * sp.pi)
    return sigma**2 * (1 + slope**2) / 2 - mean**2


@wrong("leaky_relu_second_moment", "mean_after_leaky_relu")
def first_moment_of_leaky(sigma, slope):
    half_mean = sigma / sp.sqrt(2 * sp.pi)
    return half_mean - slope * half_mean


@wrong("leaky_relu_second_moment", "both_sides_in_full")
def no_half(sigma, slope):
    return sigma**2 + slope**2 * sigma**2


@wrong("leaky_relu_second_moment", "negative_side_not_halved")
def half_of_one_side(sigma, slope):
    return sigma**2 * (sp.Rational(1, 2) + slope**2)


@wrong("leaky_relu_second_moment", "negative_side_subtracted")
def minus_sign(sigma, slope):
    return (sigma**2 - (slope * sigma) ** 2) / 2


@wrong("leaky_relu_second_moment", "average_slope_squared")
def mean_slope(sigma, slope):
    average = (1 + slope) / 2
    return average**2 * sigma**2


@wrong("leaky_relu_second_moment", "deviation_taken_for_variance")
def sigma_not_squared(sigma, slope):
    return sigma / 2 + slope**2 * sigma / 2


@wrong("leaky_relu_second_moment", "")
def slope_divides(sigma, slope):
    return sigma**2 * (1 + slope) ** 2 / (2 * (1 + 2 * slope))


@wrong("leaky_relu_second_moment", "")
def a_pair(sigma, slope):
    return sigma**2 / 2, slope**2 * sigma**2 / 2


# uniform_bound


@right("uniform_bound")
def root_three(variance):
    return sp.sqrt(3 * variance)


@right("uniform_bound")
def solved(variance):
    b, x = sp.symbols("b x", positive=True)
    return sp.solve(sp.integrate(x**2 / (2 * b), (x, -b, b)) - variance, b)[0]


@right("uniform_bound")
def half_the_width(variance):
    return sp.sqrt(12 * variance) / 2


@right("uniform_bound")
def power_form(variance):
    return sp.root(3, 2) * variance ** sp.Rational(1, 2)


@wrong("uniform_bound", "deviation_used_as_bound")
def std(variance):
    return variance ** sp.Rational(1, 2)


@wrong("uniform_bound", "width_for_bound")
def width(variance):
    return 2 * sp.sqrt(3) * sp.sqrt(variance)


@wrong("uniform_bound", "root_forgotten")
def squared_bound(variance):
    return sp.Integer(3) * variance


@wrong("uniform_bound", "variance_for_deviation")
def root_of_three_only(variance):
    return variance * 3**sp.Rational(1, 2)


@wrong("uniform_bound", "solved_the_other_way")
def divided_by_three(variance):
    return sp.sqrt(variance) / sp.sqrt(3)


@wrong("uniform_bound", "lower_end")
def first_root_of_solve(variance):
    b = sp.Symbol("b")
    return min(sp.solve(b**2 / 3 - variance, b), key=lambda r: r.subs(variance, 1))


@wrong("uniform_bound", "xaviers_six")
def six(variance):
    return sp.sqrt(6) * sp.sqrt(variance)


@wrong("uniform_bound", "")
def two(variance):
    return sp.sqrt(2 * variance)


@wrong("uniform_bound", "")
def both_roots(variance):
    b = sp.Symbol("b")
    return sp.solve(b**2 / 3 - variance, b)


@wrong("uniform_bound", "")
def float_math(variance):
    return math.sqrt(3 * variance)


# kaiming_variance


@right("kaiming_variance")
def he_2015(fan_in, slope):
    return 2 / ((1 + slope**2) * fan_in)


@right("kaiming_variance")
def solve_for_v(fan_in, slope):
    v = sp.Symbol("v", positive=True)
    return sp.solve(sp.Eq(fan_in * v * (1 + slope**2) / 2, 1), v)[0]


@right("kaiming_variance")
def gain_over_root_squared(fan_in, slope):
    gain = sp.sqrt(2 / (1 + slope**2))
    return (gain / sp.sqrt(fan_in)) ** 2


@right("kaiming_variance")
def from_the_integral(fan_in, slope):
    z = sp.Symbol("z", real=True)
    p = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    kept = sp.Integral(z**2 * p, (z, 0, sp.oo)) + sp.Integral((slope * z) ** 2 * p, (z, -sp.oo, 0))
    return 1 / (fan_in * kept)


@wrong("kaiming_variance", "slope_ignored")
def relu_only(fan_in, slope):
    return sp.Integer(2) / fan_in


@wrong("kaiming_variance", "linear_gain")
def lecun(fan_in, slope):
    return sp.Pow(fan_in, -1)


@wrong("kaiming_variance", "deviation_for_variance")
def std_of_he(fan_in, slope):
    gain = sp.sqrt(2 / (1 + slope**2))
    return gain / sp.sqrt(fan_in)


@wrong("kaiming_variance", "slope_not_squared_in_gain")
def one_plus_slope(fan_in, slope):
    return 2 / (fan_in + slope * fan_in)


@wrong("kaiming_variance", "gain_not_squared")
def gain_over_fan(fan_in, slope):
    gain = sp.sqrt(2) / sp.sqrt(1 + slope**2)
    return gain / fan_in


@wrong("kaiming_variance", "loss_not_inverted")
def what_is_left(fan_in, slope):
    return (sp.Rational(1, 2) + slope**2 / 2) / fan_in


@wrong("kaiming_variance", "slope_on_the_wrong_side")
def slope_multiplies(fan_in, slope):
    return (2 + 2 * slope**2) / fan_in


@wrong("kaiming_variance", "variance_after_activation_kept")
def keeps_variance(fan_in, slope):
    mean = (1 - slope) / sp.sqrt(2 * sp.pi)
    return 1 / (fan_in * ((1 + slope**2) / 2 - mean**2))


@wrong("kaiming_variance", "fan_in_forgotten")
def squared_gain(fan_in, slope):
    return sp.sqrt(2 / (1 + slope**2)) ** 2


@wrong("kaiming_variance", "uniform_bound_for_variance")
def kaiming_uniform_bound(fan_in, slope):
    gain = sp.sqrt(2 / (1 + slope**2))
    return gain * sp.sqrt(3 / fan_in)


@wrong("kaiming_variance", "")
def inverse(fan_in, slope):
    return fan_in * (1 + slope**2) / 2


@wrong("kaiming_variance", "")
def minus_slope(fan_in, slope):
    return 2 / (fan_in * (2 - slope**2))


@wrong("kaiming_variance", "")
def integer_division(fan_in, slope):
    return 2 // fan_in


# fans


@right("fans")
def product_of_the_kernel(shape):
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


@right("fans")
def loop(shape):
    fan_in, fan_out = shape[1], shape[0]
    for side in shape[2:]:
        fan_in *= side
        fan_out *= side
    return fan_in, fan_out


@right("fans")
def from_an_empty_weight(shape):
    w = torch.empty(shape)
    return w[0].numel(), w[:, 0].numel()


@right("fans")
def library(shape):
    return torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(*shape))


@right("fans")
def in_numpy(shape):
    total = np.prod(shape)
    return total / shape[0], total / shape[1]


@wrong("fans", "swapped")
def out_then_in(shape):
    fan_out, fan_in, *kernel = shape
    r = math.prod(kernel)
    return fan_out * r, fan_in * r


@wrong("fans", "receptive_field_ignored")
def first_two(shape):
    return shape[1], shape[0]


@wrong("fans", "receptive_field_ignored")
def per_unit_only(shape):
    return math.prod(shape[1:]), shape[0]


@wrong("fans", "receptive_field_ignored")
def per_input_only(shape):
    return shape[1], shape[0] * math.prod(shape[2:])


@wrong("fans", "swapped_without_receptive_field")
def head_of_shape(shape):
    return tuple(shape[:2])


@wrong("fans", "one_side_of_the_kernel")
def first_side(shape):
    k = shape[2] if len(shape) > 2 else 1
    return shape[1] * k, shape[0] * k


@wrong("fans", "kernel_taken_for_square")
def squared_side(shape):
    k = shape[2] ** 2 if len(shape) > 2 else 1
    return k * shape[1], k * shape[0]


@wrong("fans", "sides_added")
def sum_of_sides(shape):
    k = sum(shape[2:]) or 1
    return shape[1] * k, shape[0] * k


@wrong("fans", "tensorflow_layout")
def keras(shape):
    receptive = 1
    for side in shape[:-2]:
        receptive *= side
    return shape[-2] * receptive, shape[-1] * receptive


@wrong("fans", "all_weights")
def numel(shape):
    n = torch.empty(shape).numel()
    return n, n


@wrong("fans", "")
def two_sides_always(shape):
    k = shape[2] * shape[3]
    return shape[1] * k, shape[0] * k


@wrong("fans", "")
def linear_only(shape):
    fan_out, fan_in = shape
    return fan_in, fan_out


@wrong("fans", "")
def fan_in_only(shape):
    return math.prod(shape[1:])


@wrong("fans", "")
def off_by_a_bias(shape):
    return math.prod(shape[1:]) + 1, shape[0] * math.prod(shape[2:])


# xavier_uniform_bound


@right("xavier_uniform_bound")
def glorot(fan_in, fan_out, gain=1.0):
    return gain * math.sqrt(6 / (fan_in + fan_out))


@right("xavier_uniform_bound")
def by_std(fan_in, fan_out, gain=1.0):
    std = gain * (2.0 / (fan_in + fan_out)) ** 0.5
    return 3**0.5 * std


@right("xavier_uniform_bound")
def mean_fan_in_torch(fan_in, fan_out, gain=1.0):
    fan = torch.tensor([fan_in, fan_out], dtype=torch.float64).mean()
    return torch.sqrt(3 * gain**2 / fan)


@right("xavier_uniform_bound")
def numpy_scalar(fan_in, fan_out, gain=1.0):
    return gain * np.sqrt(3 / np.mean([fan_in, fan_out]))


@right("xavier_uniform_bound")
def with_sympy(fan_in, fan_out, gain=1.0):
    return float(gain * sp.sqrt(sp.Rational(6, fan_in + fan_out)))


@right("xavier_uniform_bound")
def float32_bound(fan_in, fan_out, gain=1.0):
    return float(gain * torch.sqrt(torch.tensor(6.0) / (fan_in + fan_out)))


@wrong("xavier_uniform_bound", "gain_forgotten")
def no_gain(fan_in, fan_out, gain=1.0):
    return math.sqrt(6.0 / (fan_in + fan_out))


@wrong("xavier_uniform_bound", "std_used_as_bound")
def std_bound(fan_in, fan_out, gain=1.0):
    return gain * math.sqrt(2.0 / (fan_in + fan_out))


@wrong("xavier_uniform_bound", "variance_used_as_bound")
def variance(fan_in, fan_out, gain=1.0):
    return gain**2 * 2 / (fan_in + fan_out)


@wrong("xavier_uniform_bound", "sum_of_fans_for_their_mean")
def three_over_sum(fan_in, fan_out, gain=1.0):
    return gain * math.sqrt(3 / (fan_in + fan_out))


@wrong("xavier_uniform_bound", "fan_in_alone")
def lecun_uniform(fan_in, fan_out, gain=1.0):
    return gain * math.sqrt(3 / fan_in)


@wrong("xavier_uniform_bound", "fan_out_alone")
def backward_only(fan_in, fan_out, gain=1.0):
    return gain * math.sqrt(3 / fan_out)


@wrong("xavier_uniform_bound", "kaimings_bound")
def he_uniform(fan_in, fan_out, gain=1.0):
    return gain * math.sqrt(6 / fan_in)


@wrong("xavier_uniform_bound", "gain_under_the_root")
def gain_inside(fan_in, fan_out, gain=1.0):
    return math.sqrt(gain * 6 / (fan_in + fan_out))


@wrong("xavier_uniform_bound", "gain_squared")
def gain_twice(fan_in, fan_out, gain=1.0):
    std = gain * math.sqrt(2 / (fan_in + fan_out))
    return gain * math.sqrt(3) * std


@wrong("xavier_uniform_bound", "divided_by_gain")
def over_gain(fan_in, fan_out, gain=1.0):
    return math.sqrt(6 / (fan_in + fan_out)) / gain


@wrong("xavier_uniform_bound", "width_of_the_interval")
def twelve(fan_in, fan_out, gain=1.0):
    variance = gain**2 * 2 / (fan_in + fan_out)
    return math.sqrt(12 * variance)


@wrong("xavier_uniform_bound", "square_of_the_bound")
def three_times_variance(fan_in, fan_out, gain=1.0):
    return 3 * (2 * gain**2 / (fan_in + fan_out))


@wrong("xavier_uniform_bound", "root_missing")
def forgot_sqrt(fan_in, fan_out, gain=1.0):
    return gain * 6 / (fan_in + fan_out)


@wrong("xavier_uniform_bound", "default_of_nn_linear")
def linear_default(fan_in, fan_out, gain=1.0):
    return gain / math.sqrt(fan_in)


@wrong("xavier_uniform_bound", "")
def precedence(fan_in, fan_out, gain=1.0):
    return gain * math.sqrt(6 / fan_in + fan_out)


@wrong("xavier_uniform_bound", "")
def geometric_mean(fan_in, fan_out, gain=1.0):
    return gain * math.sqrt(3 / math.sqrt(fan_in * fan_out))


@wrong("xavier_uniform_bound", "")
def an_interval(fan_in, fan_out, gain=1.0):
    b = gain * math.sqrt(6 / (fan_in + fan_out))
    return -b, b


@wrong("xavier_uniform_bound", "")
def a_draw(fan_in, fan_out, gain=1.0):
    w = torch.nn.init.xavier_uniform_(torch.empty(fan_out, fan_in), gain=gain)
    return float(w.abs().max())


# kaiming_normal


@right("kaiming_normal")
def scaled_randn(shape, negative_slope=0.0, mode="fan_in", generator=None):
    receptive = math.prod(shape[2:])
    fan = (shape[1] if mode == "fan_in" else shape[0]) * receptive
    return torch.randn(shape, generator=generator) * math.sqrt(2 / (1 + negative_slope**2) / fan)


@right("kaiming_normal")
def library_call(shape, negative_slope=0.0, mode="fan_in", generator=None):
    w = torch.empty(shape)
    return torch.nn.init.kaiming_normal_(w, a=negative_slope, mode=mode, nonlinearity="leaky_relu", generator=generator)


@right("kaiming_normal")
def normal_in_place(shape, negative_slope=0.0, mode="fan_in", generator=None):
    w = torch.empty(*shape)
    fan = w[0].numel() if mode == "fan_in" else w[:, 0].numel()
    gain = torch.nn.init.calculate_gain("leaky_relu", negative_slope)
    return w.normal_(0.0, gain / fan**0.5, generator=generator)


@right("kaiming_normal")
def float64_then_cast(shape, negative_slope=0.0, mode="fan_in", generator=None):
    z = torch.randn(*shape, generator=generator, dtype=torch.float64)
    fan = z.numel() / (shape[0] if mode == "fan_in" else shape[1])
    z *= (2.0 / ((1.0 + negative_slope**2) * fan)) ** 0.5
    return z.to(torch.float32)


@right("kaiming_normal")
def box_muller(shape, negative_slope=0.0, mode="fan_in", generator=None):
    u, v = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    z = torch.sqrt(-2 * torch.log1p(-u)) * torch.cos(2 * math.pi * v)
    fan = math.prod(shape[1:]) if mode == "fan_in" else shape[0] * math.prod(shape[2:])
    return (z * math.sqrt(2 / (1 + negative_slope**2) / fan)).float()


@right("kaiming_normal")
def numpy_seeded_from_the_generator(shape, negative_slope=0.0, mode="fan_in", generator=None):
    seed = int(torch.randint(2**62, (), generator=generator))
    fan = np.prod(shape) / shape[0 if mode == "fan_in" else 1]
    std = np.sqrt(2 / (1 + negative_slope**2) / fan)
    return torch.tensor(np.random.default_rng(seed).normal(0, std, tuple(shape)), dtype=torch.float32)


@wrong("kaiming_normal", "variance_for_std")
def std_is_variance(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    return torch.empty(shape).normal_(0, 2 / ((1 + negative_slope**2) * fan), generator=generator)


@wrong("kaiming_normal", "slope_of_zero")
def relu_only_draw(shape, negative_slope=0.0, mode="fan_in", generator=None):
    w = torch.empty(shape)
    return torch.nn.init.kaiming_normal_(w, mode=mode, nonlinearity="relu", generator=generator)


@wrong("kaiming_normal", "gain_of_one")
def lecun_normal(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) / fan**0.5


@wrong("kaiming_normal", "fan_in_always")
def ignores_mode(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = math.prod(shape[1:])
    return torch.randn(shape, generator=generator) * (2 / (1 + negative_slope**2) / fan) ** 0.5


@wrong("kaiming_normal", "fan_out_for_fan_in")
def fan_from_the_first_axis(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = shape[0] * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) * (2 / (1 + negative_slope**2) / fan) ** 0.5


@wrong("kaiming_normal", "modes_swapped")
def wrong_branch(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[0] if mode == "fan_in" else shape[1]) * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) * (2 / (1 + negative_slope**2) / fan) ** 0.5


@wrong("kaiming_normal", "no_receptive_field")
def channels_only(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = shape[1] if mode == "fan_in" else shape[0]
    return torch.randn(shape, generator=generator) * (2 / (1 + negative_slope**2) / fan) ** 0.5


@wrong("kaiming_normal", "slope_not_squared_in_draw")
def one_plus_slope_draw(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) * math.sqrt(2 / (1 + negative_slope) / fan)


@wrong("kaiming_normal", "gain_under_a_root")
def gain_over_fan_inside(shape, negative_slope=0.0, mode="fan_in", generator=None):
    gain = math.sqrt(2 / (1 + negative_slope**2))
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) * math.sqrt(gain / fan)


@wrong("kaiming_normal", "gain_taken_twice")
def squared_gain_over_root(shape, negative_slope=0.0, mode="fan_in", generator=None):
    gain = 2 / (1 + negative_slope**2)
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) * gain / math.sqrt(fan)


@wrong("kaiming_normal", "uniform_draw")
def kaiming_uniform(shape, negative_slope=0.0, mode="fan_in", generator=None):
    w = torch.empty(shape)
    return torch.nn.init.kaiming_uniform_(w, a=negative_slope, mode=mode, generator=generator)


@wrong("kaiming_normal", "bound_for_std")
def bound_in_randn(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    bound = math.sqrt(6 / ((1 + negative_slope**2) * fan))
    return bound * torch.randn(shape, generator=generator)


@wrong("kaiming_normal", "truncated")
def trunc_normal(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    std = math.sqrt(2 / (1 + negative_slope**2) / fan)
    return torch.nn.init.trunc_normal_(torch.empty(shape), 0, std, -2 * std, 2 * std, generator=generator)


@wrong("kaiming_normal", "truncated")
def keras_he_normal(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    std = math.sqrt(2 / (1 + negative_slope**2) / fan) / 0.87962566103423978
    return torch.nn.init.trunc_normal_(torch.empty(shape), 0, std, -2 * std, 2 * std, generator=generator)


@wrong("kaiming_normal", "mean_of_both_fans")
def xavier_normal(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return torch.nn.init.xavier_normal_(torch.empty(shape), generator=generator)


@wrong("kaiming_normal", "gain_with_both_fans")
def xavier_with_gain(shape, negative_slope=0.0, mode="fan_in", generator=None):
    gain = math.sqrt(2 / (1 + negative_slope**2))
    return torch.nn.init.xavier_normal_(torch.empty(shape), gain, generator=generator)


@wrong("kaiming_normal", "default_of_pytorch")
def slope_root_five(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return torch.nn.init.kaiming_normal_(torch.empty(shape), a=math.sqrt(5), generator=generator)


@wrong("kaiming_normal", "not_scaled")
def plain_randn(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return torch.randn(*shape, generator=generator)


@wrong("kaiming_normal", "generator_not_used")
def ignores_generator(shape, negative_slope=0.0, mode="fan_in", generator=None):
    return torch.nn.init.kaiming_normal_(torch.empty(shape), a=negative_slope, mode=mode)


@wrong("kaiming_normal", "generator_not_used")
def seeds_the_global_state(shape, negative_slope=0.0, mode="fan_in", generator=None):
    if generator is not None:
        torch.manual_seed(generator.initial_seed())
    return torch.nn.init.kaiming_normal_(torch.empty(shape), a=negative_slope, mode=mode)


@wrong("kaiming_normal", "fixed_seed_for_none")
def fresh_generator_for_none(shape, negative_slope=0.0, mode="fan_in", generator=None):
    generator = generator or torch.Generator().manual_seed(0)
    return torch.nn.init.kaiming_normal_(torch.empty(shape), a=negative_slope, mode=mode, generator=generator)


@wrong("kaiming_normal", "generator_set_back")
def restarts_the_generator(shape, negative_slope=0.0, mode="fan_in", generator=None):
    if generator is not None:
        generator.manual_seed(generator.initial_seed())
    return torch.nn.init.kaiming_normal_(torch.empty(shape), a=negative_slope, mode=mode, generator=generator)


@wrong("kaiming_normal", "generator_not_used")
def numpy_global(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    std = math.sqrt(2 / (1 + negative_slope**2) / fan)
    return torch.from_numpy(np.random.randn(*shape) * std).float()


@wrong("kaiming_normal", "deaf_to_manual_seed")
def numpy_where_none(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    std = math.sqrt(2 / (1 + negative_slope**2) / fan)
    if generator is None:
        return torch.tensor(np.random.default_rng().normal(0, std, shape), dtype=torch.float32)
    return torch.randn(shape, generator=generator) * std


@wrong("kaiming_normal", "")
def float64_draw(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    std = math.sqrt(2 / (1 + negative_slope**2) / fan)
    return torch.randn(shape, generator=generator, dtype=torch.float64) * std


@wrong("kaiming_normal", "")
def absolute_values(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    return torch.randn(shape, generator=generator).abs() * math.sqrt(2 / (1 + negative_slope**2) / fan)


@wrong("kaiming_normal", "")
def transposed_shape(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    out = (shape[1], shape[0], *shape[2:])
    return torch.randn(out, generator=generator) * math.sqrt(2 / (1 + negative_slope**2) / fan)


@wrong("kaiming_normal", "")
def returns_std(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    return math.sqrt(2 / (1 + negative_slope**2) / fan)


@wrong("kaiming_normal", "weights_repeat")
def one_unit_for_all(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    unit = torch.randn(shape[1:], generator=generator) * math.sqrt(2 / (1 + negative_slope**2) / fan)
    return unit.repeat(shape[0], *[1] * len(shape[1:]))


@wrong("kaiming_normal", "weights_repeat")
def constant_weights(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    return torch.full(shape, math.sqrt(2 / (1 + negative_slope**2) / fan))


@wrong("kaiming_normal", "weights_repeat")
def random_signs(shape, negative_slope=0.0, mode="fan_in", generator=None):
    fan = (shape[1] if mode == "fan_in" else shape[0]) * math.prod(shape[2:])
    signs = torch.randint(2, tuple(shape), generator=generator) * 2.0 - 1.0
    return signs * math.sqrt(2 / (1 + negative_slope**2) / fan)


# activation_gain


@right("activation_gain")
def probabilists(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    values = phi(torch.tensor(z)).numpy()
    return 1 / math.sqrt(np.sum(w * values**2) / math.sqrt(2 * math.pi))


@right("activation_gain")
def physicists(phi, nodes=64):
    x, w = (torch.from_numpy(a) for a in np.polynomial.hermite.hermgauss(nodes))
    return (w @ phi(math.sqrt(2) * x).square() / math.sqrt(math.pi)).rsqrt()


@right("activation_gain")
def golub_welsch(phi, nodes=64):
    off = torch.arange(1, nodes, dtype=torch.float64).sqrt()
    z, v = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return float(torch.einsum("i,i->", v[0] ** 2, phi(z) ** 2)) ** -0.5


@right("activation_gain")
def loop_over_nodes(phi, nodes=64):
    total = weight = 0.0
    for z, w in zip(*np.polynomial.hermite_e.hermegauss(nodes)):
        total += w * float(phi(torch.tensor(z, dtype=torch.float64))) ** 2
        weight += w
    return math.sqrt(weight / total)


@wrong("activation_gain", "nodes_ignored")
def always_64(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(64)
    return float(np.average(phi(torch.tensor(z)).numpy() ** 2, weights=w)) ** -0.5


@wrong("activation_gain", "physicists_rule_as_it_is")
def hermgauss_raw(phi, nodes=64):
    x, w = np.polynomial.hermite.hermgauss(nodes)
    return 1 / math.sqrt((w * phi(torch.tensor(x)).numpy() ** 2).sum())


@wrong("activation_gain", "nodes_of_half_the_variance")
def forgot_root_two(phi, nodes=64):
    x, w = np.polynomial.hermite.hermgauss(nodes)
    mean = torch.tensor(w / math.sqrt(math.pi)) @ phi(torch.tensor(x)) ** 2
    return mean.item() ** -0.5


@wrong("activation_gain", "weights_not_normalised")
def hermegauss_raw(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    return 1 / np.sqrt(np.dot(w, phi(torch.tensor(z)).numpy() ** 2))


@wrong("activation_gain", "physicists_weights_not_normalised")
def forgot_root_pi(phi, nodes=64):
    x, w = np.polynomial.hermite.hermgauss(nodes)
    return float(np.dot(w, phi(torch.tensor(x * 2**0.5)).numpy() ** 2)) ** -0.5


@wrong("activation_gain", "nodes_of_twice_the_variance")
def root_two_too_often(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    values = phi(torch.tensor(math.sqrt(2) * z)).numpy()
    return 1 / math.sqrt((w * values**2).sum() / w.sum())


@wrong("activation_gain", "variance_for_second_moment")
def over_std(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    p, v = w / w.sum(), phi(torch.tensor(z)).numpy()
    mean = (p * v).sum()
    return 1 / math.sqrt((p * (v - mean) ** 2).sum())


@wrong("activation_gain", "second_moment_for_gain")
def just_the_moment(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    return float((w * phi(torch.tensor(z)).numpy() ** 2).sum() / w.sum())


@wrong("activation_gain", "gain_inverted")
def rms_for_gain(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    return math.sqrt((w * phi(torch.tensor(z)).numpy() ** 2).sum() / w.sum())


@wrong("activation_gain", "square_of_the_gain")
def no_root(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    return float(w.sum() / (w * phi(torch.tensor(z)).numpy() ** 2).sum())


@wrong("activation_gain", "square_of_the_mean")
def mean_squared(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    mean = (w * phi(torch.tensor(z)).numpy()).sum() / w.sum()
    return 1 / math.sqrt(mean**2)


@wrong("activation_gain", "phi_not_squared")
def forgot_the_square(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    mean = (w * phi(torch.tensor(z)).numpy()).sum() / w.sum()
    return abs(mean) ** -0.5 if mean else math.inf


@wrong("activation_gain", "gain_of_the_derivative")
def backward_gain(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    z = torch.tensor(z, requires_grad=True)
    slope, = torch.autograd.grad(phi(z).sum(), z)
    return float(torch.tensor(w) @ slope**2 / w.sum()) ** -0.5


@wrong("activation_gain", "")
def monte_carlo(phi, nodes=64):
    z = torch.randn(200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return float(phi(z).square().mean()) ** -0.5


@wrong("activation_gain", "")
def riemann_sum(phi, nodes=64):
    z = torch.linspace(-6, 6, nodes, dtype=torch.float64)
    p = torch.exp(-z * z / 2)
    return float((p * phi(z) ** 2).sum() / p.sum()) ** -0.5


@wrong("activation_gain", "")
def in_float32(phi, nodes=64):
    z, w = (torch.tensor(a, dtype=torch.float32) for a in np.polynomial.hermite_e.hermegauss(nodes))
    return float((w * phi(z) ** 2).sum() / w.sum()) ** -0.5


@wrong("activation_gain", "")
def on_an_array(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    return float((w * phi(z) ** 2).sum() / w.sum()) ** -0.5


@wrong("activation_gain", "")
def from_the_table(phi, nodes=64):
    return torch.nn.init.calculate_gain(phi.__name__)


@wrong("activation_gain", "")
def one_node_more(phi, nodes=64):
    z, w = np.polynomial.hermite_e.hermegauss(nodes - 1)
    return float((w * phi(torch.tensor(z)).numpy() ** 2).sum() / w.sum()) ** -0.5


# second_moments


@right("second_moments")
def forward_loop(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.square().mean())
    return torch.stack(out)


@right("second_moments")
def by_einsum(weights, x, phi):
    moments, h = torch.empty(len(weights), dtype=x.dtype), x
    for i, w in enumerate(weights):
        h = phi(torch.einsum("ni,oi->no", h, w))
        moments[i] = torch.einsum("no,no->", h, h) / h.numel()
    return moments


@right("second_moments")
def columns_and_norms(weights, x, phi):
    h, result = x.T, []
    for w in weights:
        h = phi(w.matmul(h))
        result += [torch.linalg.norm(h) ** 2 / (h.shape[0] * h.shape[1])]
    return torch.stack(result)


@right("second_moments")
def example_by_example(weights, x, phi):
    total = torch.zeros(len(weights), dtype=torch.float64)
    for example in x.double():
        h = example
        for layer, w in enumerate(weights):
            h = phi(w.double().mv(h))
            total[layer] += (h**2).mean()
    return (total / len(x)).to(x.dtype)


@right("second_moments")
def variance_plus_square_of_mean(weights, x, phi):
    def step(h, rest):
        if not rest:
            return []
        h = phi(F.linear(h, rest[0]))
        return [h.var(correction=0) + h.mean() ** 2] + step(h, rest[1:])

    return torch.stack(step(x, list(weights)))


@right("second_moments")
def no_grad_tensor_of_floats(weights, x, phi):
    floats = []
    with torch.no_grad():
        for w in weights:
            x = phi(x.mm(w.t()))
            floats.append((x * x).mean().item())
    return torch.tensor(floats, dtype=x.dtype)


@wrong("second_moments", "variance_of_all")
def var(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.var())
    return torch.stack(out)


@wrong("second_moments", "biased_variance")
def centred_squares(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(((x - x.mean()) ** 2).mean())
    return torch.stack(out)


@wrong("second_moments", "variance_of_each_unit")
def var_over_batch(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.var(dim=0).mean())
    return torch.stack(out)


@wrong("second_moments", "standard_deviation")
def stds(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.std())
    return torch.stack(out)


@wrong("second_moments", "before_phi")
def preactivations(weights, x, phi):
    out = []
    for w in weights:
        a = x @ w.T
        out.append(a.pow(2).mean())
        x = phi(a)
    return torch.stack(out)


@wrong("second_moments", "last_layer_linear")
def linear_head(weights, x, phi):
    out = []
    for i, w in enumerate(weights):
        x = x @ w.T
        if i < len(weights) - 1:
            x = phi(x)
        out.append(x.pow(2).mean())
    return torch.stack(out)


@wrong("second_moments", "root_of_the_mean_square")
def rms_of_layers(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.pow(2).mean().sqrt())
    return torch.stack(out)


@wrong("second_moments", "summed_over_units")
def squared_norms(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.pow(2).sum(dim=1).mean())
    return torch.stack(out)


@wrong("second_moments", "summed_over_all")
def frobenius(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(torch.linalg.norm(x) ** 2)
    return torch.stack(out)


@wrong("second_moments", "squared_mean")
def mean_then_squared(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.mean().square())
    return torch.stack(out)


@wrong("second_moments", "input_included")
def starts_with_the_input(weights, x, phi):
    out = [x.square().mean()]
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.square().mean())
    return torch.stack(out)


@wrong("second_moments", "last_layer_only")
def after_the_loop(weights, x, phi):
    for w in weights:
        x = phi(x @ w.T)
    return x.square().mean()


@wrong("second_moments", "weights_transposed")
def no_transpose(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w)
        out.append(x.square().mean())
    return torch.stack(out)


@wrong("second_moments", "weights_transposed")
def transposes_where_it_must(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ (w if w.shape[0] == x.shape[1] else w.T))
        out.append(x.square().mean())
    return torch.stack(out)


@wrong("second_moments", "phi_on_the_input")
def activates_first(weights, x, phi):
    out, h = [], phi(x)
    for w in weights:
        h = phi(h @ w.T)
        out.append(h.square().mean())
    return torch.stack(out)


@wrong("second_moments", "not_chained")
def forgot_to_chain(weights, x, phi):
    return torch.stack([phi(x @ w.T).square().mean() for w in weights])


@wrong("second_moments", "phi_outside_the_chain")
def phi_only_measured(weights, x, phi):
    out = []
    for w in weights:
        x = x @ w.T
        out.append(phi(x).square().mean())
    return torch.stack(out)


@wrong("second_moments", "")
def list_of_floats(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.square().mean().item())
    return out


@wrong("second_moments", "")
def float64_always(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.square().mean().item())
    return torch.tensor(out, dtype=torch.float64)


@wrong("second_moments", "")
def empties_the_list(weights, x, phi):
    out = []
    while weights:
        x = phi(x @ weights.pop(0).T)
        out.append(x.square().mean())
    return torch.stack(out)


@wrong("second_moments", "")
def overwrites_the_input(weights, x, phi):
    x -= x.mean()
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.square().mean())
    return torch.stack(out)


@wrong("second_moments", "")
def one_per_unit(weights, x, phi):
    out = []
    for w in weights:
        x = phi(x @ w.T)
        out.append(x.square().mean(0))
    return out


@wrong("second_moments", "")
def averages_the_batch_first(weights, x, phi):
    out, h = [], x.mean(0)
    for w in weights:
        h = phi(w @ h)
        out.append(h.square().mean())
    return torch.stack(out)


@wrong("second_moments", "")
def rescales_weights(weights, x, phi):
    out = []
    for w in weights:
        w /= w.norm()
        x = phi(x @ w.T)
        out.append(x.square().mean())
    return torch.stack(out)
