"""Explorables: the arithmetic of each module, run by Node, against the chapters' solutions, PyTorch, NumPy or a simulation.

Also what a module claims in the sentence under its drawing, where a number can settle it.
"""

import json
import math
import re
import shutil
import subprocess

import numpy as np
import pytest
import sympy as sp
import torch
import torch.nn.functional as F

from autograder.audit import references
from autograder.notebook.explorables import FOLDER, whole
from autograder.publish.explorables import DIRECTIVE, mounted
from autograder.publish.source import SourceError, read_chapter, stems

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed: the explorables' arithmetic was not checked (Debian: apt install nodejs, 18 or newer)")
MODULES = sorted(FOLDER.glob("[0-9][0-9]_*.js"))

RUNNER = """
import { readFileSync } from "node:fs";
const { text, calls } = JSON.parse(readFileSync(0, "utf8"));
const module = await import("data:text/javascript;base64," + Buffer.from(text).toString("base64"));
const plain = (key, v) => ArrayBuffer.isView(v) ? Array.from(v) : typeof v === "number" && !Number.isFinite(v) ? String(v) : v;
const value = ([name, ...given]) => {
  const found = name.split(".").reduce((o, part) => o[part], module);
  return typeof found === "function" ? found(...given) : found;
};
console.log(JSON.stringify(calls.map(value), plain));
"""


def evaluate(name, *calls):
    """What a module's exports give for calls like ["normSq", {...}, 10]; a name alone gives the export itself.

    Typed arrays come back as lists, non-finite numbers as floats.
    """
    sent = json.dumps({"text": whole(name), "calls": calls})
    done = subprocess.run([NODE, "--input-type=module", "-e", RUNNER], input=sent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return _numbers(json.loads(done.stdout))


def _numbers(found):
    if isinstance(found, list):
        return [_numbers(v) for v in found]
    if isinstance(found, dict):
        return {k: _numbers(v) for k, v in found.items()}
    return float(found) if found in ("Infinity", "-Infinity", "NaN") else found


def agree(found, expected, tolerance=1e-9):
    """Both are equal to `tolerance` of the largest expected entry."""
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-300)


tensor = lambda values, *shape: torch.tensor(values, dtype=torch.float64).reshape(shape or (-1,))


@pytest.fixture(scope="module")
def solution():
    """Function of a chapter's reference solutions, by stem and name."""
    found = {}

    def get(stem, name):
        if stem not in found:
            found[stem] = references(stem)[0]
        return found[stem][name]

    return get


# Every module, of every chapter

@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_a_module_is_small_and_stands_alone(path):
    text = whole(path.stem)
    assert len(text.encode()) < 30_000
    assert not re.search(r"^\s*import\b|\bimport\(|\brequire\(|\bfetch\(|XMLHttpRequest|WebSocket|localStorage|sessionStorage|indexedDB|document\.cookie", text, re.M)
    assert set(re.findall(r"https?://[^\s\"'`]+", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}


@needs_node
@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_a_module_says_what_it_asks_and_what_is_seen(path):
    about, default = evaluate(path.stem, ["about"], ["default"])
    assert about["chapter"] in stems() and about["chapter"][:2] == path.stem[:2]
    assert "?" in about["question"] and len(about["alt"]) > 60 and about["title"]
    assert default == {}  # JSON drops functions: { render } alone


# 00: the step of a gradient check

X = sp.Symbol("x", real=True)
CHECKED = {"exp": (sp.exp(X), 0.7), "wave": (sp.sin(30 * X), 0.3), "offset": (1000 + sp.sin(X), 0.7)}


def derivatives(name):
    f, x = CHECKED[name]
    return [abs(float(sp.diff(f, X, k).subs(X, x))) for k in range(4)]


@needs_node
@pytest.mark.parametrize("name", CHECKED)
def test_bound_and_best_step_follow_the_formulas_of_chapter_00(name):
    f, d1, d2, d3 = derivatives(name)
    steps = [10.0**-k for k in range(0, 16, 3)]
    for precision, u in (("float64", 2.0**-53), ("float32", 2.0**-24)):
        state = {"f": name, "precision": precision}
        for kind, total in (("central", lambda h: h * h / 6 * d3 + u * f / h), ("forward", lambda h: h / 2 * d2 + 2 * u * f / h)):
            best, *found = evaluate("00_gradient_check", ["bestStep", {**state, "kind": kind}], *[["bound", {**state, "kind": kind, "h": h}] for h in steps])
            for got, h in zip(found, steps):
                agree(got, total(h) / d1)
            assert total(best) <= min(total(0.99 * best), total(1.01 * best))


@needs_node
@pytest.mark.parametrize("name", [*CHECKED, "kink"])
@pytest.mark.parametrize("kind", ["central", "forward"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_differences_are_rounded_as_numpy_rounds(name, kind, precision):
    """Two libraries' exp and sin may differ in the last place, so a difference may by twice the spacing over h."""
    number, u = (np.float64, 2.0**-53) if precision == "float64" else (np.float32, 2.0**-24)
    f, x = {"exp": (math.exp, 0.7), "wave": (lambda t: math.sin(30 * t), 0.3), "offset": (lambda t: 1000 + math.sin(t), 0.7), "kink": (lambda t: max(0.0, t), 0.001)}[name]
    steps = [10.0 ** (-k / 2) for k in range(0, 32)]
    found = evaluate("00_gradient_check", *[["difference", {"f": name, "kind": kind, "precision": precision, "h": h}] for h in steps])
    for got, h in zip(found, steps):
        at, step = number(x), number(h)
        value = lambda t: number(f(float(t)))
        back, width = (at - step, number(2) * step) if kind == "central" else (at, step)
        assert abs(got - float((value(at + step) - value(back)) / width)) <= 4 * u * abs(f(x)) / h + 1e-12 * abs(got)


# 01: bias and variance of polynomial fits

@needs_node
@pytest.mark.parametrize("n", [10, 12, 15])
def test_fits_are_least_squares_of_smallest_norm_and_ridge(n):
    x, grid, weights = np.linspace(-1, 1, n), np.linspace(-1, 1, 101), (1, 2, 4, n - 1, n, n + 1, n + 2, 30, 50)
    plain, soft = evaluate("01_double_descent", ["fits", n, 0], ["fits", n, 0.01])
    for p in weights:
        P, Q = np.polynomial.legendre.legvander(x, p - 1), np.polynomial.legendre.legvander(grid, p - 1)
        smallest = Q @ np.linalg.pinv(P, rcond=1e-13)
        ridge = Q @ np.linalg.solve(P.T @ P + 0.01 * np.eye(p), P.T)
        agree(plain[p - 1], smallest.flatten())
        agree(soft[p - 1], ridge.flatten())
        truth = np.sin(np.pi * grid)
        bias, gain = evaluate("01_double_descent", ["parts", plain[p - 1], n])[0]
        agree([gain], [(smallest**2).sum(1).mean()])
        assert abs(bias - ((smallest @ np.sin(np.pi * x) - truth) ** 2).mean()) < 1e-9


@needs_node
def test_bias_and_variance_are_those_of_many_refits():
    n, p, refits = 15, 18, 4000
    (K, e) = evaluate("01_double_descent", ["fits", n, 0], ["normals", 3, n * refits])
    K = np.asarray(K[p - 1]).reshape(101, n)
    fits = K @ (np.sin(np.pi * np.linspace(-1, 1, n))[:, None] + np.asarray(e).reshape(n, refits))
    bias, gain = evaluate("01_double_descent", ["parts", K.flatten().tolist(), n])[0]
    spread = ((fits - fits.mean(1, keepdims=True)) ** 2).mean(0)
    band = 6 * spread.std() / math.sqrt(refits)
    assert abs(spread.mean() - gain) < band + gain / refits
    assert abs(((fits.mean(1) - np.sin(np.pi * np.linspace(-1, 1, 101))) ** 2).mean() - bias - gain / refits) < 6 * gain / refits


@needs_node
@pytest.mark.parametrize("name", ["01_double_descent", "02_depth", "03_paths", "05_three_paths"])
def test_normal_numbers_have_the_moments_of_a_standard_normal(name):
    """Six standard errors: a wrong alarm in about 10^8 runs, and the seed is fixed."""
    z = np.asarray(evaluate(name, ["normals", 7, 20_000])[0])
    assert abs(z.mean()) < 6 / math.sqrt(20_000) and abs((z**2).mean() - 1) < 6 * math.sqrt(2 / 20_000)
    assert abs((z**4).mean() - 3) < 6 * math.sqrt(96 / 20_000) and abs((z[1:] * z[:-1]).mean()) < 6 / math.sqrt(20_000)


# 02: second moments through depth

PHI = {"linear": lambda a: a, "relu": torch.relu, "leaky": lambda a: F.leaky_relu(a, 0.2), "tanh": torch.tanh, "sigmoid": torch.sigmoid}


@needs_node
@pytest.mark.parametrize("phi", PHI)
def test_moments_are_gaussian_expectations(phi):
    """Gauss and Legendre's rule on both sides of the kink at zero; beyond 12 the density is below 1e-31."""
    nodes, mass = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(400))
    z, mass = torch.cat([6 * nodes - 6, 6 * nodes + 6]), 6 * torch.cat([mass, mass])
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    for v in (0.03, 1.0, 6.0):
        a = (math.sqrt(v) * z).requires_grad_()
        value = PHI[phi](a)
        slope, = torch.autograd.grad(value.sum(), a)
        expected = [float((mass * density) @ t.detach().square()) for t in (value, slope)]
        agree(evaluate("02_depth", ["moments", phi, v])[0], expected)


@needs_node
@pytest.mark.parametrize("phi", PHI)
def test_theory_follows_the_recursion_of_chapter_02(phi):
    for scale in (0.5, 2.0):
        found = evaluate("02_depth", ["theory", phi, scale, 6])[0]
        q, back = [1.0], [1.0]
        pairs = []
        for _ in range(6):
            pairs.append(evaluate("02_depth", ["moments", phi, scale * q[-1]])[0])
            q.append(pairs[-1][0])
        for _, slope in reversed(pairs):
            back.insert(0, scale * slope * back[0])
        agree(found["q"], q)
        agree(found["back"], back)


@needs_node
@pytest.mark.parametrize("phi", PHI)
def test_a_drawn_network_computes_what_torch_computes(phi):
    width, layers, scale = 8, 12, 1.7
    run = evaluate("02_depth", ["draw", 3, width, 1, layers])[0][0]
    found = evaluate("02_depth", ["network", phi, scale, width, run["w"], run["x"], run["g"]])[0]
    weights = torch.tensor(run["w"], dtype=torch.float64).view(layers, width, width) * math.sqrt(scale / width)
    x = torch.tensor(run["x"], dtype=torch.float64).requires_grad_()
    acts = [x]
    for w in weights:
        acts.append(PHI[phi](w @ acts[-1]))
    grads = torch.autograd.grad(acts[-1] @ torch.tensor(run["g"], dtype=torch.float64), acts)
    agree(found["q"], [float(a.detach().square().mean()) for a in acts])
    agree(found["back"], [float(g.square().mean()) for g in grads])


# 03: paths on a quadratic

@needs_node
@pytest.mark.parametrize("rule", ["sgd", "rmsprop", "adam"])
def test_paths_are_those_of_the_rules_of_chapter_03(rule):
    kappa, degrees, start, lr = 40, 25, [-1.6, 1.2], 0.07
    turned = torch.linalg.matrix_exp(torch.tensor([[0.0, -1], [1, 0]], dtype=torch.float64) * math.radians(degrees))
    H = turned @ torch.diag(torch.tensor([1 / kappa, 1], dtype=torch.float64)) @ turned.T
    (h, noise) = evaluate("03_paths", ["curvature", kappa, degrees], ["normals", 5, 400])
    agree(h, [H[0, 0], H[0, 1], H[1, 1]])
    found, cost = evaluate("03_paths", ["follow", rule, h, start, lr, [0.1 * z for z in noise]], ["loss", h, start])
    w = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}.get(rule, torch.optim.SGD)([w], lr=lr)
    agree(cost, 0.5 * float(w.detach() @ H @ w.detach()))
    s, path = torch.zeros(2, dtype=torch.float64), [start]
    for z in torch.tensor(noise, dtype=torch.float64).view(-1, 2):
        g = H @ w.detach() + 0.1 * z
        s = 0.9 * s + 0.1 * g.square()
        w.grad = g / (s + 1e-8).sqrt() if rule == "rmsprop" else g
        optimizer.step()
        path.append(w.tolist())
    agree(found, path)


# 04: the spectrum of least squares

def hessian(count, mean, spread):
    deviations = spread ** np.linspace(-1, 1, count)
    phi = np.append(np.full(count, mean), 1.0)
    return np.diag(np.append(deviations**2, 0.0)) + np.outer(phi, phi), deviations


@needs_node
@pytest.mark.parametrize("repair", ["none", "diagonal", "centre", "standardise"])
@pytest.mark.parametrize("count, mean, spread", [(2, 0.3, 1), (16, 1, 1), (16, 0, 3), (64, 2, 4), (8, 0.05, 1.7)])
def test_spectrum_is_that_of_the_preconditioned_hessian(repair, count, mean, spread):
    H, deviations = hessian(count, mean, spread)
    centre = np.eye(count + 1)
    centre[:-1, -1] = -mean  # takes (x, 1) to (x − m, 1)
    change = {"none": np.eye(count + 1), "diagonal": np.diag(np.diag(H) ** -0.5), "centre": centre,
              "standardise": np.diag(np.append(1 / deviations, 1.0)) @ centre}[repair]
    expected = np.linalg.eigvalsh(change @ H @ change.T)
    found = evaluate("04_conditioning", ["spectrum", {"count": count, "mean": mean, "spread": spread, "repair": repair}])[0]
    agree(found, expected)
    if repair == "none" and spread == 1:
        mu = mean * math.sqrt(count)
        agree(found[-1], (2 + mu**2 + mu * math.sqrt(mu**2 + 4)) / 2)  # (4.7)


@needs_node
def test_rates_and_descent_are_those_of_gradient_descent():
    H, _ = hessian(8, 0.5, 2)
    values, vectors = np.linalg.eigh(H)
    rate = 0.9 * 2 / values[-1]
    error, costs = vectors.sum(1), []
    for _ in range(41):
        costs.append(0.5 * error @ H @ error)
        error = error - rate * H @ error
    found, steps, numbers = evaluate("04_conditioning", ["descend", values.tolist(), rate, 40], ["stepsToThousandth", values.tolist(), rate], ["rates", values.tolist()])
    agree(found, np.array(costs) / costs[0])
    worst = max(abs(1 - rate * values))
    assert worst**steps <= 1e-3 < worst ** (steps - 1)
    agree(numbers["kappa"], np.linalg.cond(H))
    agree(numbers["factor"], max(abs(1 - numbers["best"] * values)))
    assert all(max(abs(1 - other * numbers["best"] * values)) > numbers["factor"] for other in (0.99, 1.01))
    agree(numbers["limit"], 2 / np.linalg.norm(H, 2))
    assert evaluate("04_conditioning", ["stepsToThousandth", values.tolist(), 2.1 / values[-1]])[0] == math.inf


# 05: three paths

@needs_node
@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_paths_are_autograds_with_statistics_cut(eps):
    gen = torch.Generator().manual_seed(5)
    x, g = torch.randn(2, 7, generator=gen, dtype=torch.float64)
    found, = evaluate("05_three_paths", ["paths", g.tolist(), x.tolist(), eps])

    def gradient(cut_mean, cut_variance, cut_input=False):
        leaf = x.clone().requires_grad_()
        mean, variance = leaf.mean(), leaf.var(correction=0)
        mean, variance = (s.detach() if cut else s for s, cut in ((mean, cut_mean), (variance, cut_variance)))
        inside = (leaf.detach() if cut_input else leaf) - mean
        return torch.autograd.grad((inside / (variance + eps).sqrt()) @ g, leaf)[0]

    agree(found["direct"], gradient(True, True))
    agree(found["byMean"], gradient(False, True, True))
    agree(found["byVariance"], gradient(True, False, True))
    leaf = x.clone().requires_grad_()
    whole, = torch.autograd.grad(F.batch_norm(leaf[:, None], None, None, training=True, eps=eps)[:, 0] @ g, leaf)
    agree(found["total"], whole)
    share, = evaluate("05_three_paths", ["share", found])
    agree(share, (gradient(False, False) - gradient(True, True)).norm() / gradient(True, True).norm())


@needs_node
def test_what_is_left_is_the_distance_from_the_line_of_best_fit():
    gen = torch.Generator().manual_seed(6)
    x, g = torch.randn(2, 6, generator=gen, dtype=torch.float64).numpy()
    found, = evaluate("05_three_paths", ["paths", g.tolist(), x.tolist(), 0])
    agree(np.array(found["total"]) * found["sigma"], g - np.polyval(np.polyfit(x, g, 1), x))


# 06: the sphere

@needs_node
@pytest.mark.parametrize("state", [{"lr": 0.5, "wd": 0, "length": 1.3, "grad": 2}, {"lr": 3, "wd": 0.05, "length": 0.7, "grad": 0.6}])
def test_norms_turns_and_spiral_are_those_of_a_walking_weight(state):
    gen = torch.Generator().manual_seed(7)
    w = torch.randn(9, generator=gen, dtype=torch.float64)
    w = w / w.norm() * state["length"]
    norms, turns = [float(w @ w)], []
    for _ in range(40):
        h = torch.randn(9, generator=gen, dtype=torch.float64)
        h = h - (h @ w) / (w @ w) * w
        after = (1 - state["lr"] * state["wd"]) * w - state["lr"] * state["grad"] / w.norm() * h / h.norm()
        cosine = F.cosine_similarity(w, after, dim=0)
        turns.append(math.atan2(float((after / after.norm() - cosine * w / w.norm()).norm()), float(cosine)))
        w = after
        norms.append(float(w @ w))
    n, way = evaluate("06_sphere", ["normSq", state, 40], ["spiral", state, norms, 40])
    agree(n, norms)
    agree(evaluate("06_sphere", *[["turn", state, v] for v in norms[:-1]]), turns)
    way = np.array(way)
    agree((way**2).sum(1), norms)
    angles = np.arctan2(way[:-1, 0] * way[1:, 1] - way[:-1, 1] * way[1:, 0], (way[:-1] * way[1:]).sum(1))
    agree(angles, turns)


@needs_node
def test_balance_and_ceiling_bound_the_effective_rate():
    state = {"lr": 0.7, "wd": 0.02, "length": 2, "grad": 1.5}
    balance, n, free = evaluate("06_sphere", ["balance", state], ["normSq", state, 3000], ["normSq", {**state, "wd": 0}, 3000])
    agree(balance, [n[-1], state["lr"] / n[-1]])
    assert evaluate("06_sphere", ["balance", {**state, "wd": 0}])[0] == [math.inf, 0]
    ceilings = evaluate("06_sphere", *[["ceiling", 1.5, k] for k in (1, 10, 3000)])
    assert all(state["lr"] / free[k] < c for k, c in zip((1, 10, 3000), ceilings))
    assert state["lr"] / free[3000] > 0.99 * ceilings[2]


@needs_node
def test_the_generator_is_uniform_and_normal():
    (data,) = evaluate("07_normalisers", ["start", 3])
    rest, _ = evaluate("11_floats", ["gradients", "early", 2000, 5], ["gradients", "early", 2000, 5])
    assert rest == _  # seeded
    size = np.log2(np.abs([g for g in rest if g]))
    assert abs(size.mean() + 9) < 6 * 2.5 / math.sqrt(len(size)) and abs(size.std() / 2.5 - 1) < 6 / math.sqrt(2 * len(size))
    assert abs(np.mean(np.array(data["x"]) - 1)) < 6 / math.sqrt(len(data["x"]))


# 07: which activations share one mean

def through(norm, groups, solution, eps=1e-30):
    """A normaliser of s (B, O, T) by the chapter's solutions and PyTorch."""
    get = lambda name: solution("07_other_normalizers", name)
    one, zero = torch.ones(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    return {"BN": lambda s: F.batch_norm(s, None, None, training=True, eps=eps), "IN": lambda s: get("instance_norm")(s, eps),
            "GN": lambda s: get("group_norm")(s, groups, one, zero, eps), "LN": lambda s: get("layer_norm")(s.mT, one, zero, eps).mT,
            "RMS": lambda s: get("rms_norm")(s.mT, one, eps).mT, "none": lambda s: s, "WN": lambda s: s}[norm]


def affine(data, norm, solution):
    x, W, b = tensor(data["x"], 4, 4, 5), tensor(data["W"], 6, 5), tensor(data["b"])
    if norm == "WN":
        W = solution("07_other_normalizers", "weight_norm")(W, torch.ones(6, dtype=torch.float64))
    return (x @ W.T + b).mT  # (examples, units, positions)


NORMS = [("BN", 2), ("IN", 2), ("GN", 1), ("GN", 2), ("GN", 3), ("GN", 6), ("LN", 2), ("RMS", 2), ("WN", 2), ("none", 2)]


@needs_node
@pytest.mark.parametrize("norm, groups", NORMS)
@pytest.mark.parametrize("eps", [0.1, 1e-30])
def test_normalised_blocks_are_those_of_chapter_07(norm, groups, eps, solution):
    (data,) = evaluate("07_normalisers", ["start", 4])
    s, y = evaluate("07_normalisers", ["linear", data], ["output", norm, groups, data, eps])
    agree(s, affine(data, "none", solution).flatten(), 1e-12)
    agree(y, through(norm, groups, solution, eps)(affine(data, norm, solution)).flatten())


@needs_node
@pytest.mark.parametrize("norm, groups", NORMS[:8])
def test_the_shaded_set_is_what_an_output_depends_on(norm, groups, solution):
    """An output has a derivative with respect to the activations of its own set, and to no other."""
    cells = [(n, o, t) for n in range(4) for o in range(6) for t in range(4)]
    (data,) = evaluate("07_normalisers", ["start", 4])
    owners = evaluate("07_normalisers", *[["owner", norm, groups, *cell] for cell in cells])
    s = affine(data, "none", solution)
    jacobian = torch.func.jacrev(through(norm, groups, solution, 1e-5))(s).reshape(96, 96)
    same = torch.tensor([[a == b for b in owners] for a in owners])
    assert torch.equal(jacobian.abs() > 1e-12, same)


@needs_node
def test_what_is_ignored_is_what_the_chapter_measures(solution):
    """The nine changes by the chapter's own words, and the counts of its figure: BN 5, LN 6, WN 3."""
    (data,) = evaluate("07_normalisers", ["start"])
    changes = ["a unit's weights × 3", "all weights × 3", "+ u to all units' weights", "+ 1 to a unit's bias", "all inputs × 3",
               "+ u to all inputs", "an example × 3", "a position × 3", "other examples replaced"]
    x, W, b, u = tensor(data["x"], 4, 4, 5), tensor(data["W"], 6, 5), tensor(data["b"]), tensor(data["u"])
    first = torch.eye(6, dtype=torch.float64)[0]
    one_example, one_place = x.clone(), x.clone()
    one_example[0] *= 3
    one_place[0, 0] *= 3
    after = [(x, W * (1 + 2 * first[:, None]), b), (x, 3 * W, b), (x, W + u, b), (x, W, b + first), (3 * x, W, b), (x + u, W, b),
             (one_example, W, b), (one_place, W, b), (torch.cat([x[:1], tensor(data["others"], 4, 4, 5)[1:]]), W, b)]
    stays = {}
    for norm, groups in NORMS:
        found = evaluate("07_normalisers", *[["moves", norm, groups, change, data] for change in changes])
        for moved, (x1, W1, b1) in zip(found, after):
            as_data = lambda x, W, b: {"x": x.flatten().tolist(), "W": W.flatten().tolist(), "b": b.tolist()}
            y0, y1 = (through(norm, groups, solution)(affine(as_data(*state), norm, solution)) for state in ((x, W, b), (x1, W1, b1)))
            gap = (y1 - y0).abs()
            if x1 is after[-1][0]:
                gap[1:] = 0
            assert np.abs(np.array(moved) - gap.flatten().numpy()).max() < 1e-9
        stays[norm] = sum(max(moved) < 1e-9 for moved in found)
    assert (stays["BN"], stays["LN"], stays["WN"], stays["none"]) == (5, 6, 3, 1)


# 08: balls

VALLEYS = [(h2, rho, target) for h2 in (0.1, 0.5, 3.0) for rho in (-0.8, 0.0, 0.6) for target in ([1.4, 0.6], [-0.7, 1.9], [0.2, -0.1], [-1.0, -1.0])]


@needs_node
def test_penalised_minima_are_where_the_steps_of_chapter_08_end(solution):
    """The fixed points of the chapter's proximal and penalised steps; the ellipse lies at one loss."""
    l1, l2 = solution("08_weight_decay", "l1_prox_step"), solution("08_weight_decay", "sgd_l2_step")
    for h2, rho, target in VALLEYS:
        H = [[1, rho * math.sqrt(h2)], [rho * math.sqrt(h2), h2]]
        Ht, t, strengths = tensor(H, 2, 2), tensor(target), (0.01, 0.1, 0.5, 2.0)
        theirs, *found = evaluate("08_balls", ["hessian", h2, rho], *[[name, H, target, lam] for lam in strengths for name in ("lasso", "ridge")],
                         *[["loss", H, target, w] for w in ([0.3, -0.2], [0, 0])], ["pull", H, target, [0.3, -0.2]], ["ellipse", H, target, 0.7, 20])
        agree(theirs, H)
        steps = zip((l1, l2) * len(strengths), [lam for lam in strengths for _ in "12"], found)
        for step, lam, got in steps:
            w = tensor(got)
            lr = 1 / (float(torch.linalg.eigvalsh(Ht)[-1]) + lam)
            assert (step(w, Ht @ (w - t), lr, lam) - w).abs().max() < 1e-12
            if step is l1:
                assert torch.equal(step(w, Ht @ (w - t), lr, lam) == 0, w == 0)
        value = lambda w: float(0.5 * (tensor(w) - t) @ Ht @ (tensor(w) - t))
        agree(found[-4:-2], [value([0.3, -0.2]), value([0, 0])])
        agree(found[-2], (Ht @ (t - tensor([0.3, -0.2]))).tolist())
        agree([value(w) for w in found[-1]], [0.7] * 21)


@needs_node
def test_l1_reaches_zero_and_l2_does_not():
    (lasso, ridge) = evaluate("08_balls", ["lasso", [[1, 0], [0, 0.5]], [1.4, 0.6], 0.5], ["ridge", [[1, 0], [0, 0.5]], [1.4, 0.6], 0.5])
    agree(lasso, [0.9, 0])
    agree(ridge, [1.4 / 1.5, 0.3])  # (8.2)
    assert lasso[1] == 0


# 09: two to the n networks

@needs_node
@pytest.mark.parametrize("phi", ["linear", "relu", "square", "sigmoid", "tanh"])
def test_the_mean_of_all_masks_is_that_of_chapter_09(phi, solution):
    torch_phi = {"linear": None, "relu": torch.relu, "square": torch.square, "sigmoid": torch.sigmoid, "tanh": torch.tanh}[phi]
    smooth = torch_phi or (lambda z: z)
    gen = torch.Generator().manual_seed(9)
    for n, p in ((1, 0.3), (4, 0.0), (5, 0.8), (8, 0.25)):
        x, w = (torch.randn(n, generator=gen, dtype=torch.float64) for _ in range(2))
        (found,) = evaluate("09_ensemble", ["ensemble", {"x": x.tolist(), "w": w.tolist(), "p": p, "phi": phi}])
        agree(found["mean"], float(solution("09_regularization", "ensemble_mean")(x, w, p, torch_phi)))
        mu, v = w @ x, p / (1 - p) * (w * x).square().sum()
        bend = torch.func.grad(torch.func.grad(smooth))(mu) if phi != "relu" else torch.tensor(0.0)
        agree([found["mu"], found["v"], found["single"], found["expansion"]], [float(t) for t in (mu, v, smooth(mu), smooth(mu) + 0.5 * bend * v)])
        q, z = tensor(found["q"]), tensor(found["z"])
        assert abs(float(q.sum()) - 1) < 1e-12 and abs(float(q @ z - mu)) < 1e-12
        assert abs(float(q @ (z - mu).square() - v)) < 1e-11


# 10: one cycle

@needs_node
def test_the_cycle_is_that_of_chapter_10_and_of_pytorch(solution):
    rate, momentum = (solution("10_one_cycle", name) for name in ("one_cycle", "one_cycle_momentum"))
    for T, peak, pct, three in ((40, 0.05, 0.3, False), (57, 2.0, 0.25, True), (200, 0.4, 0.5, False), (90, 1.0, 0.1, True)):
        state = {"T": T, "peak": peak, "pct": pct, "three": three}
        found = evaluate("10_one_cycle", *[["rateAt", k, state] for k in range(T)], *[["momentumAt", k, state] for k in range(T)])
        agree(found[:T], [rate(k, T, peak, pct_start=pct, three_phase=three) for k in range(T)])
        agree(found[T:], [momentum(k, T, pct_start=pct, three_phase=three) for k in range(T)])
        sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.5)
        schedule, theirs = torch.optim.lr_scheduler.OneCycleLR(sgd, peak, T, pct_start=pct, three_phase=three), []
        for _ in range(T):
            theirs.append(sgd.param_groups[0]["lr"])
            sgd.step()
            schedule.step()
        agree(found[:T], theirs)
    found = evaluate("10_one_cycle", *[["cosine", k, 12, 0.7, 0.1] for k in range(13)])
    agree(found, [solution("10_one_cycle", "cosine")(k, 12, 0.7, 0.1) for k in range(13)])


@needs_node
def test_the_range_test_sweeps_smooths_and_suggests_as_chapter_10_does(solution):
    get, chance = (lambda name: solution("10_one_cycle", name)), np.random.default_rng(10)
    for n, beta in ((40, 0.9), (75, 0.0), (200, 0.95)):
        lrs, losses = evaluate("10_one_cycle", ["sweep", 1e-3, 10, n])[0], chance.normal(size=n).cumsum().tolist()
        uneven = np.sort(10 ** chance.uniform(-3, 1, n)).tolist()
        soft, place, other = evaluate("10_one_cycle", ["smooth", losses, beta], ["steepest", lrs, losses], ["steepest", uneven, losses])
        agree(lrs, get("range_test_lrs")(1e-3, 10, n))
        agree(soft, get("smooth_losses")(losses, beta))
        agree([lrs[place], uneven[other]], [get("suggest_lr")(rates, losses) for rates in (lrs, uneven)])


@needs_node
def test_a_run_is_sgd_with_the_momentum_of_pytorch():
    """Without noise: PyTorch's own optimizer on the same valley. With noise: the floor (10.2) with momentum."""
    curvatures = [2.0, 0.3, 0.05]
    rates, momenta = [0.1, 0.4, 0.2, 0.05, 0.3], [0.95, 0.9, 0.85, 0.9, 0.95]
    (found,) = evaluate("10_one_cycle", ["train", rates, momenta, 1, {"curvatures": curvatures, "noise": 0}])
    h = tensor(curvatures)
    w = (2 / h / 3).sqrt().requires_grad_()
    sgd, losses = torch.optim.SGD([w], lr=0.1, momentum=0.9), []
    for rate, momentum in zip(rates, momenta):
        sgd.param_groups[0].update(lr=rate, momentum=momentum)
        sgd.zero_grad()
        loss = 0.5 * (h * w * w).sum()
        losses.append(float(loss.detach()))
        loss.backward()
        sgd.step()
    agree(found, losses + [float(0.5 * (h * w * w).sum().detach())])
    steps, eta, m, s = 40_000, 0.2, 0.5, 0.3
    (noisy,) = evaluate("10_one_cycle", ["train", [eta] * steps, [m] * steps, 2, {"curvatures": [1.5], "noise": s}])
    floor = eta * s**2 * (1 + m) / (2 * (1 - m) * (2 * (1 + m) - eta * 1.5))
    assert abs(np.mean(noisy[100:]) / floor - 1) < 0.15  # 40 000 steps with a memory of about ten: 6 standard errors are 0.14


@needs_node
def test_what_the_cycle_says_to_look_for_is_there(solution):
    """Longer tests suggest less; the best peak lies above the suggestion and falls with the length; its decade; a constant rate's floor."""
    (defaults,) = evaluate("10_one_cycle", ["defaults"])
    tests = evaluate("10_one_cycle", *[["rangeTest", {**defaults, "rates": n, "seed": seed}] for n in (40, 100, 400) for seed in range(1, 7)])
    suggested = np.array([t["suggestion"] for t in tests]).reshape(3, 6)
    assert (suggested[0] > suggested[1]).all() and (suggested[1] > suggested[2]).all()
    peaks, best = 10 ** np.arange(-2, 0.3, 0.125), {}
    for T in (60, 200, 400):
        runs = evaluate("10_one_cycle", *[["run", {**defaults, "T": T, "peak": peak}] for peak in peaks])
        ends, held = np.array([r["losses"][-1] for r in runs]), np.array([r["constant"][-1] for r in runs])
        best[T] = peaks[ends.argmin()]
        assert best[T] > 2 * suggested[1].max()
        assert ends.min() < held.min()
        if T == 200:
            near = peaks[ends < 3 * ends.min()]
            assert near[-1] / near[0] > 7 and (held[peaks > 0.3] > 3 * ends[peaks > 0.3]).all()
    assert best[60] > best[400]


# 11: floats

TORCH = {"fp32": (torch.float32, torch.int32), "bf16": (torch.bfloat16, torch.int16), "fp16": (torch.float16, torch.int16)}


def patterns():
    """float32 numbers of all exponents: random bits, ties of both short formats and their neighbours, the edges of fp16."""
    gen = torch.Generator().manual_seed(11)
    bits = torch.randint(-2**31, 2**31, (3000,), dtype=torch.int32, generator=gen)
    ties = torch.tensor([e << 23 | h << 13 | low for e in (1, 80, 101, 102, 103, 104, 112, 113, 127, 142, 143, 200, 254)
                         for h in (0, 1, 4, 12, 1023) for low in (0, 1, 0xFFF, 0x1000, 0x1001, 0x8000)], dtype=torch.int32)
    edges = torch.tensor([0.0, -0.0, 0.1, 1e-8, 2.0**-24, 2.0**-25, 65504.0, 65519.99, 65520.0, 3.4e38, -3.4e38, 1e-45, 2.0**-133, 2.0**-134], dtype=torch.float32)
    values = torch.cat([bits.view(torch.float32), ties.view(torch.float32), -ties.view(torch.float32), edges])
    return values[values.isfinite()]


@needs_node
@pytest.mark.parametrize("name", TORCH)
def test_rounding_and_bits_are_those_of_pytorch(name):
    values, (dtype, whole) = patterns(), TORCH[name]
    low = values.to(dtype)
    found = evaluate("11_floats", *[["rounded", v, name] for v in values.tolist()])
    assert torch.equal(torch.tensor(found, dtype=torch.float64), low.double())
    width = 32 if name == "fp32" else 16
    some = low[::7].contiguous()
    expected = [[int(c) for c in f"{int(pattern) & (2**width - 1):0{width}b}"] for pattern in some.view(whole)]
    finite = [k for k, v in enumerate(some.tolist()) if math.isfinite(v) and not (v == 0 and math.copysign(1, v) < 0)]  # JSON has no inf and no -0
    bits = evaluate("11_floats", *[["bitsOf", float(some[k]), name] for k in finite])
    assert bits == [expected[k] for k in finite]
    back = evaluate("11_floats", *[["valueOf", row, name] for row in expected])
    assert torch.equal(torch.tensor(back, dtype=torch.float64), some.double())
    gaps = evaluate("11_floats", *[["spacing", float(some[k]), name] for k in finite])
    above = torch.nextafter(some[finite].abs(), torch.tensor(math.inf, dtype=dtype)).double() - some[finite].abs().double()
    there = above.isfinite()
    assert torch.equal(torch.tensor(gaps, dtype=torch.float64)[there], above[there])


@needs_node
@pytest.mark.parametrize("stage", ["early", "middle", "late"])
def test_what_a_scale_loses_is_what_chapter_11_counts(stage, solution):
    (g,) = evaluate("11_floats", ["gradients", stage])
    exponents = range(0, 37, 4)
    found = evaluate("11_floats", *[["fates", g, 2.0**k, name] for name in TORCH for k in exponents])
    grad = torch.tensor(g, dtype=torch.float32)
    assert grad.double().tolist() == g  # they are float32 already
    there = grad[grad != 0]
    for fate, (name, k) in zip(found, [(name, k) for name in TORCH for k in exponents]):
        low = (there * 2.0**k).to(TORCH[name][0])
        least = torch.finfo(low.dtype).smallest_normal
        expected = [(low == 0), low.isinf(), (low.abs() < least) & (low != 0)]
        agree([fate["zero"], fate["infinite"], fate["subnormal"]], [float(t.double().mean()) for t in expected])
        if name == "fp16":
            assert fate["zero"] == pytest.approx(solution("11_mixed_precision", "fp16_underflow_fraction")(grad, 2.0**k), abs=1e-12)


@needs_node
def test_what_the_histogram_says_to_look_for_is_there(solution):
    """Early gradients need no scale, middle ones have one, late ones none; bf16 loses none of the first two."""
    choose, grads = solution("11_mixed_precision", "choose_loss_scale"), {}
    for stage in ("early", "middle", "late"):
        (g,) = evaluate("11_floats", ["gradients", stage])
        grads[stage] = torch.tensor(g, dtype=torch.float32)
        (fate,) = evaluate("11_floats", ["fates", g, 1, "bf16"])
        assert fate["zero"] == fate["infinite"] == 0
    assert choose(grads["early"], 0.001) == 1 and choose(grads["middle"], 0.0) > 1
    with pytest.raises(ValueError):
        choose(grads["late"], 0.01)


# 12: diagnose this run

def twin(run, epochs=12, steps=18, batch=8):
    """The same run by autograd."""
    p = {"W1": tensor(run["W1"], 16, 8), "b1": tensor(run["b1"]), "W2": tensor(run["W2"], 4, 16), "b2": tensor(run["b2"])}
    x, y, vx, vy = tensor(run["x"], len(run["y"]), 8), torch.tensor(run["y"]), tensor(run["vx"], len(run["vy"]), 8), torch.tensor(run["vy"])
    rows = torch.tensor(run["rows"]).view(epochs * steps, batch)
    loss_of = lambda q, x, y: F.cross_entropy(torch.relu(x @ q["W1"].T + q["b1"]) @ q["W2"].T + q["b2"], y)
    log = {"train_loss": [], "val_loss": [], "grad_norm": []}
    for k in range(epochs * steps + 1):
        if k % steps == 0:
            grad, loss = torch.func.grad_and_value(loss_of)(p, x, y)
            log["train_loss"].append(float(loss))
            log["val_loss"].append(float(loss_of(p, vx, vy)))
            log["grad_norm"].append(float(grad["W1"].norm()))
        if k == epochs * steps:
            return log
        bad = run["bad"] and k % (3 * steps) == 3 * steps - 1 and k < epochs * steps - 1
        grad = torch.func.grad(loss_of)(p, x[rows[k]] * (run["bad"] if bad else 1), y[rows[k]])
        p = {key: w - run["lr"] * (grad[key] + run["wd"] * w) for key, w in p.items()}


@needs_node
@pytest.mark.parametrize("fault", ["healthy", "learning rate too low", "bad initial loss", "dead network", "loss spikes",
                                   "inputs and labels apart", "overfitting", "underfitting"])
def test_a_run_of_the_game_is_the_run_that_autograd_makes(fault):
    """Rounding grows along a run: 1e-6 of the largest entry. (Too large a rate is chaos, and is judged by its end alone.)"""
    (run,) = evaluate("12_diagnose", ["problem", fault, 3])
    (found,) = evaluate("12_diagnose", ["train", run])
    for key, expected in twin(run).items():
        agree(found[key], expected, 1e-6)


@needs_node
def test_chapter_12_names_every_round_and_each_fits_its_description(solution):
    (rounds, faults, sizes) = evaluate("12_diagnose", ["ROUNDS"], ["FAULTS"], ["SIZES"])
    names = list(faults)
    assert len(rounds) == 27 and all(sorted(fault for fault, _ in rounds[k:k + 9]) == list(range(9)) for k in (0, 9, 18))
    for fault, run in zip((names[fault] for fault, _ in rounds), evaluate("12_diagnose", *[["runOf", k] for k in range(27)])):
        curves = {"num_classes": sizes["classes"], **run["curves"]}
        assert run["name"] == fault == solution("12_debugging", "diagnose")(curves)
        train, val = (np.array(curves[key]) / math.log(sizes["classes"]) for key in ("train_loss", "val_loss"))
        if fault == "learning rate too high":
            assert not np.isfinite(train).all() or train[-1] > 2
            continue
        end, rise, second = train[-1], np.diff(train).max(), (train[len(train) // 2] - train[-1]) / (train[0] - train[-1])
        assert np.isfinite(train).all() and end < 1.2
        fits = {"bad initial loss": train[0] > 2, "dead network": end > 0.8 and curves["grad_norm"][-1] < 1e-6, "loss spikes": rise > 0.4 and end < 0.3,
                "inputs and labels apart": train[0] - end > 0.2 and val.min() >= 0.95, "overfitting": val.min() < 0.8 and val[-1] - val.min() > 0.15 and end < 0.3,
                "learning rate too low": rise < 0 and end > 0.5 and second >= 0.25, "underfitting": end > 0.35, "healthy": end < 0.2 and val[-1] - val.min() < 0.05}
        assert fits[fault], fault


# 13: calibration

@needs_node
@pytest.mark.parametrize("network", ["sure", "honest", "timid"])
def test_calibration_error_and_floor_are_those_of_chapter_13(network, solution):
    ece = solution("13_capstone", "expected_calibration_error")
    (data,) = evaluate("13_reliability", ["sample", network, 300, 7])
    logits, labels = tensor(data["logits"], 300, 5), torch.tensor(data["labels"])
    for T in (0.3, 1.0, 2.7):
        (answers,) = evaluate("13_reliability", ["answers", data, T])
        p = (logits / T).softmax(1)
        agree([c for c, _ in answers["pairs"]], p.max(1).values)
        assert [r for _, r in answers["pairs"]] == (p.argmax(1) == labels).long().tolist()
        agree(answers["nats"], float(F.cross_entropy(logits / T, labels)))
        for bins in (1, 7, 15, 40):
            (found,) = evaluate("13_reliability", ["reliability", answers["pairs"], bins])
            assert found["error"] == pytest.approx(ece(p, labels, bins), abs=1e-12)
            c = p.max(1).values
            spread = torch.zeros(bins + 1, dtype=torch.float64).index_add_(0, (c * bins).ceil().long(), c * (1 - c))
            agree(found["floor"], float(math.sqrt(2 / math.pi) * spread.sqrt().sum() / 300))
            assert sum(b["count"] for b in found["bins"]) == 300


@needs_node
def test_what_the_reliability_diagram_says_to_look_for_is_there():
    """The honest temperature has (nearly) the least log loss; there the error is its floor, and grows with bins and with fewer examples."""
    for network, honest in (("sure", 2.5), ("timid", 0.5)):
        tried = (honest / 2, honest, 2 * honest)
        (data,) = evaluate("13_reliability", ["sample", network, 1500, 1])
        nats = [found["nats"] for found in evaluate("13_reliability", *[["answers", data, T] for T in tried])]
        assert nats[1] < min(nats[0], nats[2])
    cases = [(n, seed) for n in (100, 1500) for seed in range(1, 9)]
    data = evaluate("13_reliability", *[["sample", "sure", n, seed] for n, seed in cases])
    pairs = [found["pairs"] for found in evaluate("13_reliability", *[["answers", sample, 2.5] for sample in data])]
    binned = [(n, bins, answers) for (n, _), answers in zip(cases, pairs) for bins in (1, 15, 40)]
    found = evaluate("13_reliability", *[["reliability", answers, bins] for _, bins, answers in binned])
    errors = {(n, bins): np.mean([(f["error"], f["floor"]) for f, (m, b, _) in zip(found, binned) if (m, b) == (n, bins)], 0)
              for n in (100, 1500) for bins in (1, 15, 40)}
    assert errors[100, 15][0] > errors[1500, 15][0] and errors[1500, 40][0] > errors[1500, 15][0] > errors[1500, 1][0]
    assert errors[100, 15][1] > errors[1500, 15][1] and errors[1500, 40][1] > errors[1500, 1][1]
    assert abs(errors[1500, 15][0] / errors[1500, 15][1] - 1) < 0.5


# --- on the pages -------------------------------------------------------------------------

def test_every_module_stands_once_in_its_own_chapter():
    named = [(stem, name) for stem in stems() for cell in read_chapter(stem).cells if cell.kind == "markdown" for name in DIRECTIVE.findall(cell.text)]
    assert [name for _, name in named] == [path.stem for path in MODULES]
    assert all(stem[:2] == name[:2] for stem, name in named)


def test_a_chapter_that_names_no_module_is_refused_in_one_sentence():
    with pytest.raises(SourceError, match="there is no explorable 'nothing'"):
        mounted(":::{explorable} nothing\n:::")
