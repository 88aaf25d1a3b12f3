// All 2^n dropout masks of a unit against one pass without dropout (chapter 9, section 9.3).

export const about = {
  title: "Two to the n networks",
  question: "For which activations is one pass without dropout the mean of all the masked networks? Choose one, and move p and a weight.",
  chapter: "09_regularization",
  alt: "The curve of an activation with one dot for each of the masked networks, and two markers above the unmasked pre-activation: the mean of all networks and the single pass. For a linear unit they coincide. For a ReLU or a square the mean lies above the curve; for a sigmoid it lies above or below, and the gap shrinks far from the bend.",
};

/** Activations with their second derivatives. */
export const PHIS = {
  linear: [(z) => z, () => 0],
  relu: [(z) => Math.max(0, z), () => 0],
  square: [(z) => z * z, () => 2],
  sigmoid: [(z) => 1 / (1 + Math.exp(-z)), (z) => { const s = 1 / (1 + Math.exp(-z)); return s * (1 - s) * (1 - 2 * s); }],
  tanh: [Math.tanh, (z) => { const t = Math.tanh(z); return -2 * t * (1 - t * t); }],
};

const PRODUCTS = [0.9, -0.7, 0.6, 0.5, -0.45, 0.4, 0.35, -0.3]; // w_i x_i of the inputs, the first one movable

/** Inputs of 1 and n weights; the first weight is the reader's. */
export const weights = (n, first) => [first, ...PRODUCTS.slice(1, n)];

/** Every mask's pre-activation and probability, the exact mean, the single pass, and (9.6). */
export function ensemble({ x, w, p, phi }) {
  const n = x.length, [f, second] = PHIS[phi], z = [], q = [];
  for (let m = 0; m < 2 ** n; m++) { // bit i of m says whether unit i is kept
    let sum = 0, chance = 1;
    for (let i = 0; i < n; i++) {
      const kept = (m >> i) & 1;
      sum += kept * w[i] * x[i];
      chance *= kept ? 1 - p : p;
    }
    z.push(sum / (1 - p));
    q.push(chance);
  }
  const mu = w.reduce((sum, v, i) => sum + v * x[i], 0);
  const v = (p / (1 - p)) * w.reduce((sum, wi, i) => sum + (wi * x[i]) ** 2, 0);
  return { z, q, mu, v, mean: q.reduce((sum, chance, m) => sum + chance * f(z[m]), 0), single: f(mu), expansion: f(mu) + 0.5 * second(mu) * v };
}

export const defaults = { phi: "relu", p: 0.3, n: 6, first: 0.9, mask: 5 };

function render(host) {
  const ui = stage(host, "The markers coincide for a linear unit, at every p. For a convex φ the mean never lies below the single pass. For a ReLU the gap vanishes once all networks lie on one side of the kink; the second-order term (9.6), which sees no kink, always says 0 there.");
  ui.select("phi", "Activation φ", { linear: "linear", relu: "ReLU", square: "square", sigmoid: "sigmoid", tanh: "tanh" });
  ui.slider("p", "Drop, p", { min: 0, max: 0.8, step: 0.05, text: (v) => v.toFixed(2) });
  ui.slider("n", "Inputs n", { min: 1, max: 8, step: 1 });
  ui.slider("first", "First weight", { min: -3, max: 3, step: 0.1, text: (v) => minus((+v).toFixed(1)) });
  ui.slider("mask", "Circled network", { min: 0, max: 255, step: 1, limit: (s) => 2 ** s.n - 1, text: (v, s) => `${Math.min(v, 2 ** s.n - 1) + 1} of ${2 ** s.n}` });
  ui.keys([["a masked network, larger where likelier", 0, "dot"], ["mean of all", 1, "dot"], ["one pass without dropout", 2, "dot"]]);
  const strip = ui.chart("The inputs that the circled network keeps, with their weights", 0, true), curve = ui.chart("Activation curve, a dot for every masked network, mean and single pass", 310, true);
  return ui.start(({ phi, p, n, first, mask }) => {
    const w = weights(n, first), found = ensemble({ x: w.map(() => 1), w, p, phi }), [f] = PHIS[phi], m = Math.min(mask, 2 ** n - 1), chosen = found.z[m];
    const low = Math.min(...found.z, -1.5), high = Math.max(...found.z, 1.5), pad = 0.06 * (high - low), from = low - pad, to = high + pad;
    const zs = Array.from({ length: 121 }, (_, k) => from + ((to - from) * k) / 120), values = zs.map(f), bottom = Math.min(0, ...values), top = Math.max(1, ...values), room = 0.08 * (top - bottom);
    strip.size(58);
    const gap = Math.max(24, Math.min(40, (strip.w - 40) / n));
    strip.paint(w.map((v, i) => {
      const on = (m >> i) & 1, at = tenth(22 + i * gap);
      return `<circle cx="${at}" cy="24" r="9" fill="${on ? "var(--c0)" : "none"}" stroke="currentColor" stroke-width="1.5" ${on ? "" : 'stroke-dasharray="3 2"'}/>${on ? "" : `<path d="M${at - 6} 30l12 -12" stroke="currentColor"/>`}<text x="${at}" y="50" text-anchor="middle">${minus(+v.toFixed(2))}</text>`;
    }).join(""));
    const c = curve.frame({ min: from, max: to, name: "pre-activation z of a masked network" }, { min: bottom - room, max: top + room, name: "output φ(z)" });
    const dots = found.z.map((z, k) => `<circle cx="${c.X(z)}" cy="${c.Y(f(z))}" r="${tenth(Math.max(2, Math.min(14, 26 * Math.sqrt(found.q[k]))))}"/>`).join("");
    c.paint(`<path d="${c.line(zs, values)}" ${stroke(4, 1.4)}/><g fill="var(--c0)" fill-opacity=".35" stroke="var(--c0)">${dots}</g><path d="M${c.X(found.mu)} ${c.Y(found.mean)}V${c.Y(found.single)}" stroke="var(--c1)" stroke-width="3"/>`
      + c.dot(chosen, f(chosen), 0, 8, true) + c.dot(found.mu, found.single, 2, 9, true) + c.dot(found.mu, found.mean, 1, 5));
    const four = (v) => minus(v.toFixed(4)).replace(/^−(?=0\.0000$)/, "");
    return `Mean of ${2 ** n} networks ${four(found.mean)}, single pass ${four(found.single)}, gap ${four(found.mean - found.single)}; (9.6) says ${four(found.expansion - found.single)}. The circled network has probability ${said(found.q[m])} and gives ${four(f(chosen))}.`;
  });
}
export default { render };

//= frame.js
