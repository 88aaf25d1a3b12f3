"""Explorables: the arithmetic of each module, run by Node, against PyTorch, NumPy, sympy or a simulation.

`evaluate` is the runner; the tests of the later chapters' modules use it too.
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

from autograder.publish.explorables import DIRECTIVE, FOLDER, mounted, whole
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


# --- on the pages -------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def test_every_module_stands_once_in_its_own_chapter():
    named = [(stem, name) for stem in stems() for cell in read_chapter(stem).cells if cell.kind == "markdown" for name in DIRECTIVE.findall(cell.text)]
    assert [name for _, name in named] == [path.stem for path in MODULES]
    assert all(stem[:2] == name[:2] for stem, name in named)


def test_a_chapter_that_names_no_module_is_refused_in_one_sentence():
    with pytest.raises(SourceError, match="there is no explorable 'nothing'"):
        mounted(":::{explorable} nothing\n:::")


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
@pytest.mark.parametrize("stem", stems())
def test_a_chapters_explorable_is_mounted_on_its_page_from_the_disk(site, stem, tmp_path):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--virtual-time-budget=8000", "--dump-dom"]
    page = subprocess.run([*command, (site / "notebooks" / f"{stem}.html").as_uri()], capture_output=True, text=True, timeout=120).stdout
    assert re.search(r'<div class="explorable" data-name="\w+"><section class="xp"', page)
