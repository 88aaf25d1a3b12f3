// Chapter 02: the second moment through fifty layers, forwards and backwards, by weight variance and activation.
export const about = {
  title: "The signal through fifty layers",
  question: "Which variance of the weights carries the signal and the gradient through fifty layers with this activation?",
  chapter: "02_initialization",
  alt: "Second moment of the activations against the layer, on a scale of powers of two. With ReLUs, variance 2/fan_in keeps it level, 1/fan_in loses one power of two a layer, and PyTorch's default loses more than two. With tanh and variance 1/fan_in it falls like one over the depth.",
};
export const defaults = { scale: 1, phi: "relu", width: 16, seed: 1 };
export const LAYERS = 50, NETWORKS = 3, LEAK = 0.2;

/** Activations with their derivatives; the derivative at a kink is the one from the left. */
export const activations = {
  linear: { name: "none (linear)", f: a => a, d: () => 1, slopes: [1, 1] },
  relu: { name: "ReLU", f: a => Math.max(0, a), d: a => (a > 0 ? 1 : 0), slopes: [1, 0] },
  leaky: { name: "leaky ReLU, 0.2", f: a => (a > 0 ? a : LEAK * a), d: a => (a > 0 ? 1 : LEAK), slopes: [1, LEAK] },
  tanh: { name: "tanh", f: Math.tanh, d: a => 1 - Math.tanh(a) ** 2 },
  sigmoid: { name: "sigmoid", f: a => 0.5 + 0.5 * Math.tanh(a / 2), d: a => 0.25 * (1 - Math.tanh(a / 2) ** 2) },
};

/** E[f(σz)²] for standard normal z: trapezoidal rule, which converges exponentially for smooth f. */
export function meanSquare(f, sigma, points = 257, end = 8.5) {
  const step = (2 * end) / (points - 1);
  let total = 0;
  for (let i = 0; i < points; i++) { const z = -end + i * step; total += Math.exp((-z * z) / 2) * f(sigma * z) ** 2; }
  return (total * step) / Math.sqrt(2 * Math.PI);
}

/** (2.8) and (2.10): E[φ(a)²] and E[φ′(a)²] for a ~ N(0, v). */
export function moments(phi, v) {
  const { f, d, slopes } = activations[phi];
  if (slopes) { const half = (slopes[0] ** 2 + slopes[1] ** 2) / 2; return [v * half, half]; }
  return [meanSquare(f, Math.sqrt(v)), meanSquare(d, Math.sqrt(v))];
}

/**
 * Wide layers, equal widths, scale = fan_in · Var(w): second moments q_0 … q_L of the activations, and
 * those of the gradient at layers 0 … L by (2.12), with 1 at the output.
 */
export function theory(phi, scale, layers = LAYERS) {
  const q = [1], back = [1], factors = [];
  for (let l = 0; l < layers; l++) { const [next, slope] = moments(phi, scale * q[l]); q.push(next); factors.push(scale * slope); }
  for (let l = layers - 1; l >= 0; l--) back.unshift(back[0] * factors[l]);
  return { q, back };
}

/** Standard normal numbers from a seed, two from each pair of uniform ones. */
export function normals(seed, count) {
  const { uniform } = random(seed), out = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const r = Math.sqrt(-2 * Math.log(1 - uniform())), turn = 2 * Math.PI * uniform();
    out[i] = r * Math.cos(turn);
    if (i + 1 < count) out[i + 1] = r * Math.sin(turn);
  }
  return out;
}

/**
 * One drawn network: weights `draws` (layers · width²) times √(scale/width), input and output gradient of
 * length √width. Second moments like those of `theory`.
 */
export function network(phi, scale, width, draws, x0, g0) {
  const { f, d } = activations[phi], layers = draws.length / width ** 2, std = Math.sqrt(scale / width);
  const q = [1], back = [1], slopes = [];
  let x = x0, g = g0;
  const square = v => { let s = 0; for (let i = 0; i < width; i++) s += v[i] * v[i]; return s / width; };
  for (let l = 0; l < layers; l++) {
    const next = new Float64Array(width), slope = new Float64Array(width);
    for (let i = 0; i < width; i++) {
      let a = 0;
      for (let j = 0, at = (l * width + i) * width; j < width; j++) a += draws[at + j] * x[j];
      next[i] = f(std * a);
      slope[i] = d(std * a);
    }
    slopes.push(slope);
    q.push(square(x = next));
  }
  for (let l = layers - 1; l >= 0; l--) {
    const below = new Float64Array(width);
    for (let i = 0; i < width; i++) {
      const delta = std * slopes[l][i] * g[i];
      for (let j = 0, at = (l * width + i) * width; j < width; j++) below[j] += draws[at + j] * delta;
    }
    back.unshift(square(g = below));
  }
  return { q, back };
}

/** Weights, input and output gradient of the drawn networks. */
export function draw(seed, width, networks = NETWORKS, layers = LAYERS) {
  const unit = v => { const s = Math.sqrt(v.reduce((t, u) => t + u * u, 0) / width); return v.map(u => u / s); };
  return Array.from({ length: networks }, (_, r) => {
    const z = normals(seed * 1000 + r, layers * width ** 2 + 2 * width);
    return { w: z.subarray(2 * width), x: unit(z.subarray(0, width)), g: unit(z.subarray(width, 2 * width)) };
  });
}

const PRESETS = { "2 (He)": 2, "1 (Xavier)": 1, "⅓ (PyTorch)": 1 / 3 };

function render(host) {
  const ui = stage(host, "In a linear, ReLU or leaky network every layer multiplies by the same number, so the lines are straight and only one variance is level. With tanh the signal finds a level of its own for every variance above 1; there the gradient grows on its way back. Most narrow networks run below the line: it is an average over networks, and a few large ones carry it.");
  ui.slider("scale", "fan_in · Var(w)", { min: 0.0625, max: 16, step: 0.01, log: true });
  ui.select("phi", "Activation", Object.fromEntries(Object.entries(activations).map(([k, v]) => [k, v.name])));
  ui.select("width", "Width of the drawn networks", { 8: "8", 16: "16", 24: "24" });
  for (const [name, scale] of Object.entries(PRESETS)) ui.button(name, () => ui.put({ scale }));
  ui.button("New weights", () => ui.put({ seed: ui.get("seed") + 1 }));
  const forward = ui.chart("Second moment of the activations against the layer", 310), backward = ui.chart("Second moment of the gradient against the layer", 310);
  ui.keys([["wide network, formula", 0], ["three drawn networks", 1]]);
  const layers = Array.from({ length: LAYERS + 1 }, (_, l) => l), kept = {};
  const level = { min: -60, max: 30, label: v => "2" + raised(v), ticks: [-60, -45, -30, -15, 0, 15] }, log2 = v => (v > 0 ? Math.log2(v) : -200);
  return ui.start(() => {
    const { scale, phi, width, seed } = ui.state(), key = seed + "/" + width;
    if (kept.key !== key) Object.assign(kept, { key, drawn: draw(seed, width) });
    const wide = theory(phi, scale), runs = kept.drawn.map(({ w, x, g }) => network(phi, scale, width, w, x, g));
    for (const [c, part, name] of [[forward, "q", "second moment, forwards"], [backward, "back", "second moment of the gradient"]]) {
      c.frame({ min: 0, max: LAYERS, name: "layer" }, { ...level, name });
      const path = values => c.line(layers, values.map(log2));
      c.paint(`<path d="M0 ${c.Y(0)}H${c.w}" class="thin"/>` + runs.map(run => `<path d="${path(run[part])}" ${stroke(1, 1.3)}/>`).join("")
        + `<path d="${path(wide[part])}" ${stroke(0, 2.5)}/>` + (part === "q" ? c.dot(LAYERS, log2(wide.q[LAYERS]), 0, 5) : c.dot(0, log2(wide.back[0]), 0, 5)));
    }
    const power = v => (v > 0 ? "2 to the power " + said(Math.log2(v), 3) : "nothing");
    return `After ${LAYERS} layers ${power(wide.q[LAYERS])} of the input's second moment is left, and at the input ${power(wide.back[0])} of the gradient's.`;
  });
}
export default { render };

//= frame.js
