// The one-cycle schedule, the range test that suggests its peak, and a run with it (chapter 10).

export const about = {
  title: "How high may the cycle go?",
  question: "Does the range test find the best peak? Move the peak until the run ends lowest, and compare with the suggestion.",
  chapter: "10_one_cycle",
  alt: "Three curves. The loss of a range test falls, then explodes as the rate grows; a dot marks its steepest fall. The one-cycle schedule climbs to a peak and comes down to almost nothing while the momentum does the opposite. The loss of a run with that schedule ends lowest for a peak well above the suggestion and below the rate at which the test explodes; a longer test suggests less.",
};

const half = (share) => (1 + Math.cos(Math.PI * share)) / 2; // falls from 1 to 0

export const cosine = (step, T, high, low = 0) => low + (high - low) * half(step / T);

/** Value at a step of a curve through [step, value] knots, half a cosine between each two. */
export function through(knots, step) {
  const k = Math.max(1, knots.findIndex(([at]) => step <= at)), next = step > knots.at(-1)[0] ? knots.length - 1 : k;
  const [a, before] = knots[next - 1], [b, after] = knots[next];
  return after + (before - after) * half((step - a) / (b - a));
}

export function rateAt(step, { T, peak, pct = 0.3, div = 25, finalDiv = 1e4, three = false }) {
  const top = pct * T - 1, low = peak / div, back = three ? [[2 * top, low]] : [];
  return through([[0, low], [top, peak], ...back, [T - 1, low / finalDiv]], step);
}

export function momentumAt(step, { T, base = 0.85, high = 0.95, pct = 0.3, three = false }) {
  const top = pct * T - 1, back = three ? [[2 * top, high]] : [];
  return through([[0, high], [top, base], ...back, [T - 1, high]], step);
}

/** n rates from low to high, each a constant factor above the one before. */
export const sweep = (low, high, n) => Array.from({ length: n }, (_, k) => low * (high / low) ** (k / (n - 1)));

/** (10.10), corrected for its start at zero. */
export function smooth(losses, beta) {
  let sum = 0, weight = 0;
  return losses.map((loss) => {
    sum = beta * sum + (1 - beta) * loss;
    weight = beta * weight + (1 - beta);
    return sum / weight;
  });
}

/** Place of the steepest fall against log rate, by second-order differences; the non-finite tail is left out. */
export function steepest(rates, losses) {
  const end = losses.findIndex((v) => !Number.isFinite(v)), n = end < 0 ? losses.length : end, u = rates.map(Math.log);
  let best = 0, least = Infinity;
  for (let k = 0; k < n; k++) {
    const a = Math.max(0, k - 1), b = Math.min(n - 1, k + 1), left = u[k] - u[a], right = u[b] - u[k];
    const slope = k === a || k === b ? (losses[b] - losses[a]) / (u[b] - u[a])
      : (losses[k + 1] * left * left - losses[k - 1] * right * right + losses[k] * (right * right - left * left)) / (left * right * (left + right));
    if (slope < least) [best, least] = [k, slope];
  }
  return best;
}

/** A valley: eight directions with curvatures from 2 down to 0.05 and equal shares of the loss 1 at the start; gradient noise. */
export const VALLEY = { curvatures: Array.from({ length: 8 }, (_, i) => 2 * 0.025 ** (i / 7)), noise: 0.2 };

/** SGD (10.5) on the valley; rates and momenta per step. Losses before each update, and one at the end. */
export function train(rates, momenta, seed, { curvatures, noise } = VALLEY) {
  const { normal } = random(seed), w = curvatures.map((h) => Math.sqrt(2 / h / curvatures.length)), v = curvatures.map(() => 0), losses = [];
  const loss = () => curvatures.reduce((sum, h, i) => sum + 0.5 * h * w[i] * w[i], 0);
  rates.forEach((rate, k) => {
    losses.push(loss());
    curvatures.forEach((h, i) => {
      v[i] = momenta[k] * v[i] + h * w[i] + noise * normal();
      w[i] -= rate * v[i];
    });
  });
  return [...losses, loss()];
}

export const defaults = { peak: 0.05, pct: 0.3, T: 200, three: false, counter: true, rates: 100, beta: 0.9, seed: 1 };
const LOW = 1e-3, HIGH = 10, DECADES = [0.001, 0.01, 0.1, 1, 10];

/** The range test: rates, losses, smoothed losses, the suggestion and the rate with the least loss. */
export function rangeTest({ rates: n, beta, seed }) {
  const calm = { ...VALLEY, noise: VALLEY.noise / Math.sqrt(5) }; // batches five times as large, as in section 10.5
  const rates = sweep(LOW, HIGH, n), losses = train(rates, rates.map(() => 0.9), 1000 + seed, calm).slice(0, n), soft = smooth(losses, beta);
  let bottom = 10;
  for (let k = 10; k < n; k++) if (soft[k] < soft[bottom]) bottom = k; // trimmed as in section 10.5
  return { rates, losses, soft, suggestion: rates[10 + steepest(rates.slice(10, bottom + 1), soft.slice(10, bottom + 1))], least: rates[bottom] };
}

const RUNS = 6;
const average = (rates, momenta, seed) => {
  const all = Array.from({ length: RUNS }, (_, r) => train(rates, momenta, RUNS * seed + r));
  return all[0].map((_, k) => all.reduce((sum, losses) => sum + losses[k], 0) / RUNS);
};

/** Mean loss of six runs with the cycle, and with a constant rate as high as its peak. */
export function run({ peak, pct, T, three, counter, seed }) {
  const steps = Array.from({ length: T }, (_, k) => k), rates = steps.map((k) => rateAt(k, { T, peak, pct, three }));
  const momenta = steps.map((k) => (counter ? momentumAt(k, { T, pct, three }) : 0.9)), losses = average(rates, momenta, seed);
  const constant = average(steps.map(() => peak), steps.map(() => 0.9), seed);
  return { rates, momenta, losses, constant };
}

function render(host) {
  const ui = stage(host, "The suggestion falls as the test gets longer, though the valley is the same: the test measures how fast it was swept. The best peak lies above it, and a longer run wants a lower one. The cycle ends low for about a decade of peaks, because its rate comes down at the end; a constant rate pays for its size with a floor.");
  ui.slider("peak", "Peak", { min: LOW, max: HIGH, step: 0.05, log: true, text: (v) => said(v, 2) });
  ui.slider("pct", "Rise", { min: 0.1, max: 0.5, step: 0.05, text: (v) => `${Math.round(100 * v)} %` });
  ui.slider("T", "Steps", { min: 40, max: 400, step: 10 });
  ui.slider("rates", "Rates in the test", { min: 40, max: 400, step: 20 });
  ui.slider("beta", "Smoothing β", { min: 0, max: 0.95, step: 0.05, text: (v) => v.toFixed(2) });
  ui.slider("seed", "Noise draw", { min: 1, max: 20, step: 1 });
  ui.check("three", "three phases");
  ui.check("counter", "momentum against rate");
  ui.keys([["test, each step", 3], ["smoothed; suggestion", 0, "both"], ["cycle, its peak", 1], ["momentum", 2], ["constant rate", 4]]);
  const sweeps = ui.chart("Loss of the range test against the learning rate; a dot marks the suggestion", 220), cycle = ui.chart("Rate and momentum of the cycle against the step", 220), runs = ui.chart("Loss of a run with the cycle, and with a constant rate", 220, true);
  const lowest = new Map(), kept = {};
  return ui.start((state) => {
    const { peak, pct, T, rates: tests, beta, seed } = state, key = [tests, beta, seed].join();
    if (kept.key !== key) Object.assign(kept, { key, test: rangeTest(state) });
    const { test } = kept, { rates, momenta, losses, constant } = run(state), steps = [...losses.keys()], ticks = [0, T / 2, T], end = losses.at(-1);
    const a = sweeps.frame({ min: LOW, max: HIGH, log: true, name: "learning rate", ticks: DECADES, label: String }, { min: 0, max: 1.6, name: "range test: loss", ticks: [0, 0.5, 1, 1.5] });
    a.paint(`<path d="${a.line(test.rates, test.losses)}" ${stroke(3, 1)}/><path d="${a.line(test.rates, test.soft)}" ${stroke(0)}/><path d="M${a.X(peak)} 0V${a.h}" ${stroke(1)}/>`
      + a.dot(test.suggestion, test.soft[test.rates.indexOf(test.suggestion)], 0, 6));
    const b = cycle.frame({ min: 0, max: T, name: "step", ticks }, { min: 0, max: 1.05, name: "rate / peak; momentum", ticks: [0, 0.5, 1] }), height = (k) => (momenta[k] - 0.8) * 6;
    b.paint(`<path d="${b.line(steps, rates.map((r) => r / peak))}" ${stroke(1)}/><path d="${b.line(steps, momenta.map((_, k) => height(k)))}" ${stroke(2)}/>`
      + [0, Math.round(pct * T - 1)].map((k) => `<text x="${b.X(k) + 5}" y="${b.Y(height(k)) + (k ? 16 : -5)}">${momenta[k].toFixed(2)}</text>`).join(""));
    const c = runs.frame({ min: 0, max: T, name: "step", ticks }, { min: 1e-3, max: 10, log: true, name: "loss, mean of six runs", ticks: DECADES, label: String });
    const shown = (values) => c.line(steps, values.map((v) => Math.min(1e3, Math.max(1e-5, Number.isFinite(v) ? v : 1e3))));
    c.paint(`<path d="${shown(constant)}" ${stroke(4)}/><path d="${shown(losses)}" ${stroke(1)}/>`);
    const setting = JSON.stringify({ ...state, peak: 0, rates: 0, beta: 0 });
    if (Number.isFinite(end) && !(lowest.get(setting)?.end <= end)) lowest.set(setting, { peak, end });
    const best = lowest.get(setting), ends = (v) => (Number.isFinite(v) ? `ends at ${said(v, 2)}` : "diverges");
    return `Suggestion ${said(test.suggestion, 2)}, least loss at ${said(test.least, 2)}. With the peak ${said(peak, 2)} the run ${ends(end)}; with a constant rate of that size it ${ends(constant.at(-1))}.`
      + (best ? ` Lowest end that you found with this cycle: ${said(best.end, 2)} at ${said(best.peak, 2)}.` : "");
  }, () => lowest.clear());
}
export default { render };

//= frame.js
