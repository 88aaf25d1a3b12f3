// Chapter 04: the spectrum of least squares, and how fast gradient descent works on each direction.
export const about = {
  title: "One large eigenvalue spoils the rate",
  question: "Which repair of the features lets one learning rate serve every direction?",
  chapter: "04_conditioning",
  alt: "The factor |1 − αλ| by which a step multiplies the error along an eigenvector, against its eigenvalue λ, and the error against the step. Features with a mean give one eigenvalue far above all others; it limits the learning rate, and the smallest eigenvalue then hardly moves.",
};
export const defaults = { count: 16, mean: 1, spread: 1, repair: "none", rate: 0.1 };
export const STEPS = 300;

/**
 * Eigenvalues of diag(d) + zzᵀ, ascending: roots of the secular equation 1 + Σ z²/(d − λ) = 0 between
 * the distinct entries of d, and d itself where an entry is repeated or has no weight.
 */
export function eigenvalues(d, z) {
  const groups = new Map(), out = [];
  d.forEach((v, i) => {
    const old = groups.get(v) ?? 0, w = z[i] * z[i];
    if (w === 0 || old > 0) out.push(v);
    if (w > 0) groups.set(v, old + w);
  });
  const poles = [...groups.keys()].sort((a, b) => a - b), weights = poles.map(v => groups.get(v)), total = weights.reduce((s, w) => s + w, 0);
  poles.forEach((pole, k) => {
    let [low, high] = [0, (poles[k + 1] ?? pole + total) - pole];  // the root's distance from its pole
    for (let round = 0; round < 100 && high - low > 1e-15 * (pole + high); round++) {
      const middle = (low + high) / 2;
      let value = 1;
      for (let i = 0; i < poles.length; i++) value += weights[i] / (poles[i] - pole - middle);
      if (value < 0) low = middle; else high = middle;
    }
    out.push(pole + (low + high) / 2);
  });
  return out.sort((a, b) => a - b);
}

/** Standard deviations of the features, spaced evenly on a logarithmic scale between 1/spread and spread. */
export const deviations = (count, spread) => Array.from({ length: count }, (_, i) => spread ** ((2 * i) / (count - 1) - 1));

/**
 * Eigenvalues of the preconditioned Hessian (4.3) of `count` independent features with a common mean: as
 * they are, each weight divided by its diagonal entry, the mean removed, or mean removed and variance set to 1.
 */
export function spectrum({ count, mean, spread, repair }) {
  const variances = deviations(count, spread).map(s => s * s), ones = new Array(count + 1).fill(1);
  if (repair === "centre") return [...variances, 1].sort((a, b) => a - b);
  if (repair === "standardise") return ones;
  const d = [...variances, 0], z = [...variances.map(() => mean), 1];
  if (repair === "none") return eigenvalues(d, z);
  const h = d.map((v, i) => v + z[i] * z[i]);  // the diagonal of H; its inverse preconditions
  return eigenvalues(d.map((v, i) => v / h[i]), z.map((v, i) => v / Math.sqrt(h[i])));
}

/** (4.5) and the text before it: best fixed rate, largest stable rate, condition number, factor at the best rate. */
export function rates(values) {
  const [low, high] = [values[0], values.at(-1)], kappa = high / low;
  return { best: 2 / (low + high), limit: 2 / high, kappa, factor: (kappa - 1) / (kappa + 1) };
}

/** Steps until the slowest direction has lost a factor of 1000; infinite where it never does. */
export function stepsToThousandth(values, rate) {
  const slowest = Math.max(...values.map(v => Math.abs(1 - rate * v)));
  return slowest < 1 ? (slowest === 0 ? 1 : Math.ceil(Math.log(1000) / -Math.log(slowest))) : Infinity;
}

/** Excess cost ½ Σ λ e² over its start, after 0 … STEPS steps of (4.4) from an error of 1 along each eigenvector. */
export function descend(values, rate, steps = STEPS) {
  const factors = values.map(v => (1 - rate * v) ** 2), now = values.slice(), out = [1], start = values.reduce((s, v) => s + v, 0);
  for (let k = 0; k < steps; k++) {
    let s = 0;
    for (let i = 0; i < now.length; i++) s += now[i] *= factors[i];
    out.push(s / start);
  }
  return out;
}

const REPAIRS = { none: "none", diagonal: "divide by the diagonal of H", centre: "subtract the mean", standardise: "standardise the features" };

function render(host) {
  const ui = stage(host, "The top eigenvalue comes from the mean, not from the spread of the features, and it grows with their number. It forces the rate down until the smallest eigenvalue stands still. Rescaling by the diagonal cannot see it; subtracting the mean removes it. What is left then is the spread of the variances.");
  ui.slider("rate", "Learning rate α", { min: 0.001, max: 10, step: 0.01, log: true });
  ui.slider("mean", "Mean of every feature", { min: 0, max: 2, step: 0.05 });
  ui.slider("spread", "Largest deviation, 1/smallest", { min: 1, max: 4, step: 0.1 });
  ui.select("count", "Features", { 2: "2", 4: "4", 8: "8", 16: "16", 32: "32", 64: "64" });
  ui.select("repair", "Repair", REPAIRS);
  ui.button("Best fixed rate", () => ui.put({ rate: Math.min(10, rates(spectrum(ui.state())).best) }));
  const left = ui.chart("Factor per step against the eigenvalue", 310), right = ui.chart("Error along eigenvectors and excess cost against the step", 310);
  ui.keys([["smallest eigenvalue", 0, "both"], ["largest eigenvalue", 1, "both"], ["excess cost", 2]]);
  const steps = Array.from({ length: STEPS + 1 }, (_, k) => k), axis = Array.from({ length: 241 }, (_, i) => 10 ** (-3 + (6 * i) / 240));
  return ui.start(() => {
    const s = ui.state(), values = spectrum(s), { limit, kappa, factor } = rates(values), ends = [values[0], values.at(-1)];
    const c = left.frame({ min: 1e-3, max: 1e3, log: true, name: "eigenvalue λ" }, { min: 0, max: 1.5, name: "factor |1 − αλ| per step", ticks: [0, 0.5, 1, 1.5] });
    const size = v => Math.min(Math.abs(1 - s.rate * v), 1.47), inside = values.slice(1, -1);
    c.paint(`<path d="M0 ${c.Y(1)}H${c.w}" class="thin" stroke-dasharray="2 4"/><path d="${c.line(axis, axis.map(v => Math.abs(1 - s.rate * v)))}" class="axis"/>`
      + inside.map(v => `<path d="M${c.X(v)} ${c.h}v-9" stroke="currentColor" stroke-width="1.5"/><circle cx="${c.X(v)}" cy="${c.Y(size(v))}" r="2.5" fill="currentColor"/>`).join("")
      + ends.map((v, i) => `<path d="M${c.X(v)} ${c.h}V${c.Y(size(v))}" ${stroke(i)}/>` + c.dot(v, size(v), i, 6)).join(""));
    const d = right.frame({ min: 0, max: STEPS, name: "step" }, { min: 1e-6, max: 10, log: true, name: "over the start" });
    const clip = v => Math.min(Math.max(v, 1e-9), 1e9);
    d.paint(ends.map((v, i) => `<path d="${d.line(steps, steps.map(k => clip(Math.abs(1 - s.rate * v) ** k)))}" ${stroke(i)}/>`).join("")
      + `<path d="${d.line(steps, descend(values, s.rate).map(clip))}" ${stroke(2)}/>`);
    const wait = stepsToThousandth(values, s.rate);
    return `Eigenvalues from ${said(ends[0], 3)} to ${said(ends[1], 3)}, condition number ${said(kappa)}. Stable below α = ${said(limit)}. `
      + (wait === Infinity ? "At this rate the error along the largest eigenvalue does not shrink." : `At this rate the slowest direction needs ${wait} ${wait === 1 ? "step" : "steps"} to a thousandth; the best fixed rate has a factor of ${said(factor, 4)} per step.`);
  });
}
export default { render };

//= frame.js
