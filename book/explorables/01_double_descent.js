// Chapter 01: bias and variance of polynomial fits on both sides of the interpolation threshold.
export const about = {
  title: "From the U-shaped curve to double descent",
  question: "Which part of the error makes the peak where there are as many weights as examples? Move the number of weights across it.",
  chapter: "01_generalization",
  alt: "Squared bias, variance and their sum against the number of weights, for polynomials fitted to 15 noisy points of a sine. The sum falls to a minimum at four weights, rises to a peak above one hundred at 15 weights, and falls again to about 0.14 at 50. The peak is variance alone.",
};
export const defaults = { p: 4, n: 15, noise: 0.5, lam: 0, seed: 1 };
export const MOST = 50, GRID = 101;

export const linspace = (a, b, n) => Array.from({ length: n }, (_, i) => a + ((b - a) * i) / (n - 1));
export const truth = x => Math.sin(Math.PI * x);

/** Legendre polynomials of degrees 0 … count − 1 at x: rows are degrees. */
export function legendre(xs, count) {
  const rows = [Float64Array.from(xs, () => 1), Float64Array.from(xs)];
  for (let k = 1; k + 1 < count; k++) rows.push(rows[k].map((v, i) => ((2 * k + 1) * xs[i] * v - k * rows[k - 1][i]) / (k + 1)));
  return rows.slice(0, count);
}

const dot = (a, b) => { let s = 0; for (let i = 0; i < a.length; i++) s += a[i] * b[i]; return s; };

/** Inverse of a positive definite matrix (n², flat) by its Cholesky factor. */
export function inverse(G, n) {
  const L = new Float64Array(n * n), out = new Float64Array(n * n), y = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let s = G[i * n + j];
      for (let k = 0; k < j; k++) s -= L[i * n + k] * L[j * n + k];
      L[i * n + j] = i === j ? Math.sqrt(s) : s / L[j * n + j];
    }
  }
  for (let c = 0; c < n; c++) {
    for (let i = c; i < n; i++) { let s = i === c ? 1 : 0; for (let k = c; k < i; k++) s -= L[i * n + k] * y[k]; y[i] = s / L[i * n + i]; }
    for (let i = n - 1; i >= c; i--) { let s = y[i]; for (let k = i + 1; k < n; k++) s -= L[k * n + i] * out[k * n + c]; out[i * n + c] = out[c * n + i] = s / L[i * n + i]; }
  }
  return out;
}

/** A (GRID · n, flat) times a symmetric B (n²). */
function times(A, B, n) {
  const out = new Float64Array(A.length);
  for (let i = 0; i < A.length; i += n) {
    for (let k = 0; k < n; k++) { let s = 0; for (let j = 0; j < n; j++) s += A[i + j] * B[k * n + j]; out[i + k] = s; }
  }
  return out;
}

/**
 * The fits for 1 … MOST weights on n equally spaced points. Each is a matrix (GRID · n, flat) from targets
 * to predictions: least squares of smallest norm at lam = 0, ridge with half the sum of squares otherwise.
 */
export function fits(n, lam, most = MOST) {
  const P = legendre(linspace(-1, 1, n), most), Q = legendre(linspace(-1, 1, GRID), most);
  const out = [], basis = [], G = new Float64Array(n * n), A = new Float64Array(GRID * n), K = new Float64Array(GRID * n);
  for (let i = 0; i < n; i++) G[i * n + i] = lam;
  for (let p = 1; p <= most; p++) {
    const [u, v] = [P[p - 1], Q[p - 1]];
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) G[i * n + j] += u[i] * u[j];
    for (let i = 0; i < GRID; i++) for (let j = 0; j < n; j++) A[i * n + j] += v[i] * u[j];
    if (lam > 0 || p > n) { out.push(times(A, inverse(G, n), n)); continue; }
    const [a, b] = [u.slice(), v.slice()];  // next discrete orthogonal polynomial, at the points and on the grid
    for (let pass = 0; pass < 2; pass++) {
      for (const [s, t] of basis) {
        const c = dot(a, s);
        for (let i = 0; i < n; i++) a[i] -= c * s[i];
        for (let i = 0; i < GRID; i++) b[i] -= c * t[i];
      }
    }
    const size = Math.sqrt(dot(a, a));
    basis.push([a.map(w => w / size), b.map(w => w / size)]);
    for (let i = 0; i < GRID; i++) for (let j = 0; j < n; j++) K[i * n + j] += (b[i] * a[j]) / size ** 2;
    out.push(K.slice());
  }
  return out;
}

/** Predictions on the grid for targets y. */
export function predict(K, y) {
  const n = y.length, out = new Array(GRID);
  for (let i = 0; i < GRID; i++) { let s = 0; for (let j = 0; j < n; j++) s += K[i * n + j] * y[j]; out[i] = s; }
  return out;
}

/** Squared bias, and variance for noise of variance 1: both exact over fresh noise, averaged over the grid. */
export function parts(K, n) {
  const goal = linspace(-1, 1, GRID).map(truth), seen = predict(K, linspace(-1, 1, n).map(truth));
  return [seen.reduce((s, v, i) => s + (v - goal[i]) ** 2, 0) / GRID, dot(K, K) / GRID];
}

/** Standard normal numbers from a seed. */
export const normals = (seed, count) => Array.from({ length: count }, random(seed).normal);

const REFITS = 12;

function render(host) {
  const ui = stage(host, "Watch the thin fits around the dotted line, where weights and examples are as many: only one curve passes through all points, and it swings. With more weights there are many such curves, and the one of smallest norm is calmer. Raise λ and watch the peak shrink. The bias hardly takes part.");
  ui.slider("p", "Weights p", { min: 1, max: MOST, step: 1 });
  ui.slider("noise", "Noise σ", { min: 0, max: 1, step: 0.05 });
  ui.select("n", "Examples n", { 10: "10", 12: "12", 15: "15" });
  ui.select("lam", "Ridge λ", { 0: "0, smallest norm", 0.0001: "0.0001", 0.01: "0.01", 0.1: "0.1", 1: "1" });
  ui.button("New noise", () => ui.put({ seed: ui.get("seed") + 1 }));
  const left = ui.chart("Twelve fits to fresh noise, their mean and the sine", 310), right = ui.chart("Squared bias, variance and sum against the number of weights", 310);
  ui.keys([["squared bias (left: the sine)", 0], ["variance (left: twelve fits)", 1], ["sum (left: mean fit)", 2]]);
  const grid = linspace(-1, 1, GRID), weights = linspace(1, MOST, MOST), kept = {};
  return ui.start(() => {
    const { p, n, noise, lam, seed } = ui.state(), key = n + "/" + lam;
    if (kept.key !== key) { const Ks = fits(n, lam); Object.assign(kept, { key, Ks, all: Ks.map(K => parts(K, n)) }); }
    const K = kept.Ks[p - 1], x = linspace(-1, 1, n), clean = x.map(truth), e = normals(seed, REFITS * n);
    const targets = Array.from({ length: REFITS }, (_, r) => clean.map((v, i) => v + noise * e[r * n + i])), of = y => predict(K, y);
    const a = left.frame({ min: -1, max: 1, name: "input x" }, { min: -3, max: 3, name: "target and prediction" });
    a.paint(`<path d="${targets.map(y => a.line(grid, of(y))).join("")}" fill="none" stroke="var(--c1)" stroke-width="1" opacity=".65"/>`
      + `<path d="${a.line(grid, grid.map(truth))}" ${stroke(0)}/><path d="${a.line(grid, of(clean))}" ${stroke(2, 2.5)}/>`
      + targets[0].map((y, i) => `<circle cx="${a.X(x[i])}" cy="${a.Y(y)}" r="3.5" fill="currentColor"/>`).join(""));
    const bias = kept.all.map(v => v[0]), spread = kept.all.map(v => v[1] * noise * noise), sum = bias.map((v, i) => v + spread[i]);
    const c = right.frame({ min: 1, max: MOST, name: "weights p", ticks: [1, 10, 20, 30, 40, 50] }, { min: 1e-4, max: 1e3, log: true, name: "squared error" });
    const shown = values => c.line(weights, values.map(v => Math.max(v, 1e-6)));
    c.paint(`<path d="M${c.X(n)} 0V${c.h}" stroke="currentColor" stroke-dasharray="2 4"/><path class="thin" d="M${c.X(p)} 0V${c.h}"/>`
      + [bias, spread, sum].map((v, i) => `<path d="${shown(v)}" ${stroke(i)}/>` + c.dot(p, Math.max(v[p - 1], 1e-6), i, 5)).join(""));
    return `${p} weights, ${n} examples: squared bias ${said(bias[p - 1], 2)}, variance ${said(spread[p - 1], 2)}, sum ${said(sum[p - 1], 2)}. The best sum on this curve is ${said(Math.min(...sum), 2)}.`;
  });
}
export default { render };

//= frame.js
