// All 2^n dropout masks of a unit against one pass without dropout (chapter 9, section 9.3).

export const about = {
  title: "Two to the n networks",
  question: "For which activations is one pass without dropout the mean of all the masked networks, and where is the gap largest? Move p, the number of inputs and one weight.",
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
  const draw = ({ phi, p, n, first, mask }, { box, width }) => {
    const w = weights(n, first), found = ensemble({ x: w.map(() => 1), w, p, phi }), [f] = PHIS[phi], m = Math.min(mask, 2 ** n - 1);
    const low = Math.min(...found.z, -1.5), high = Math.max(...found.z, 1.5), pad = 0.06 * (high - low);
    const range = { from: low - pad, to: high + pad }, zs = Array.from({ length: 121 }, (_, k) => range.from + ((range.to - range.from) * k) / 120);
    const values = zs.map(f), from = Math.min(0, ...values), to = Math.max(1, ...values), room = 0.08 * (to - from);
    const nice = (a, b) => { const raw = (b - a) / 4, base = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find((k) => k * base >= raw) * base;
      return Array.from({ length: 12 }, (_, k) => (Math.ceil(a / step) + k) * step).filter((v) => v <= b).map((v) => [v, minus(+v.toFixed(6))]); };
    const { X, Y, frame } = axes({ left: 44, top: 24, width: width - 56, height: 250,
      x: { ...range, ticks: nice(range.from, range.to), label: "pre-activation z of a masked network" }, y: { from: from - room, to: to + room, ticks: nice(from - room, to + room), label: "output φ(z)" } });
    const dots = found.z.map((z, k) => `<circle cx="${X(z).toFixed(1)}" cy="${Y(f(z)).toFixed(1)}" r="${Math.max(2, Math.min(14, 26 * Math.sqrt(found.q[k]))).toFixed(1)}" fill="var(--c0)" fill-opacity=".35" stroke="var(--c0)"/>`).join("");
    const mu = X(found.mu), chosen = found.z[m];
    const inside = curve(zs.map((z) => [X(z), Y(f(z))]), 4, 1.4) + dots + `<path d="M${mu},${Y(found.mean)}V${Y(found.single)}" stroke="var(--c1)" stroke-width="3"/>`
      + mark(X(chosen), Y(f(chosen)), 0, 8, true) + mark(mu, Y(found.single), 2, 9, true) + mark(mu, Y(found.mean), 1, 5);
    const gap = Math.max(24, Math.min(40, (width - 40) / n)), units = w.map((v, i) => { const on = (m >> i) & 1, at = 22 + i * gap;
      return `<circle cx="${at}" cy="24" r="9" fill="${on ? "var(--c0)" : "var(--paper)"}" stroke="var(--ink)" stroke-width="1.5" ${on ? "" : 'stroke-dasharray="3 2"'}/>${on ? "" : `<path d="M${at - 6},30l12,-12" stroke="var(--ink)"/>`}<text x="${at}" y="50" text-anchor="middle">${minus(+v.toFixed(2))}</text>`; }).join("");
    box.innerHTML = picture(width, 56, "The inputs that the circled network keeps, with their weights", units) + picture(width, 24 + 250 + 44, "Activation curve, a dot for every masked network, mean and single pass", frame(inside));
    return `Mean of ${2 ** n} networks ${minus(found.mean.toFixed(4))}, single pass ${minus(found.single.toFixed(4))}, gap ${minus((found.mean - found.single).toFixed(4))}; (9.6) says ${minus((found.expansion - found.single).toFixed(4))}.
      The circled network has probability ${said(found.q[m])} and gives ${minus(f(chosen).toFixed(4))}.`;
  };
  return stage(host, {
    about, defaults, draw,
    controls: [
      { kind: "select", key: "phi", label: "Activation φ", options: [["linear", "linear"], ["relu", "ReLU"], ["square", "square"], ["sigmoid", "sigmoid"], ["tanh", "tanh"]] },
      { key: "p", label: "Drop, p", min: 0, max: 0.8, step: 0.05, show: (v) => v.toFixed(2) },
      { key: "n", label: "Inputs n", min: 1, max: 8, step: 1, show: (v) => v },
      { key: "first", label: "First weight", min: -3, max: 3, step: 0.1, show: (v) => minus((+v).toFixed(1)) },
      { key: "mask", label: "Circled network", min: 0, max: 255, step: 1, limit: (s) => 2 ** s.n - 1, show: (v, s) => `${Math.min(v, 2 ** s.n - 1) + 1} of ${2 ** s.n}` },
    ],
    key: entry(0, "a masked network, larger where likelier", true) + entry(1, "mean of all", true) + entry(2, "one pass without dropout", true),
    look: "The markers coincide for a linear unit, at every p. For a convex φ the mean never lies below the single pass. For a ReLU the gap vanishes once all networks lie on one side of the kink; the second-order term (9.6), which sees no kink, always says 0 there.",
  });
}

export default { render };

//= kit.js
