// Chapter 03: paths of SGD, RMSprop and Adam on a noisy quadratic valley.
export const about = {
  title: "Three optimizers in a valley",
  question: "Which method slows down when the valley gets narrow, and which when it is turned?",
  chapter: "03_adaptive_gradients",
  alt: "Paths of SGD, RMSprop and Adam from one start into a narrow elliptic valley, and the loss against the step. SGD drops to the valley floor and creeps along it. RMSprop and Adam go diagonally at first, as each coordinate moves by about the learning rate, and then hover around the optimum.",
};
export const defaults = { kappa: 30, turn: 0, noise: 0, sgd: 1, adaptive: 0.05, start: [-1.6, 1.2], seed: 1 };
export const STEPS = 200;

/** Curvature with eigenvalues 1 (across) and 1/κ (along), the valley turned by degrees from the first axis: [h11, h12, h22]. */
export function curvature(kappa, degrees) {
  const t = (degrees * Math.PI) / 180, c = Math.cos(t), s = Math.sin(t), low = 1 / kappa;
  return [low * c * c + s * s, (low - 1) * c * s, low * s * s + c * c];
}

export const loss = ([a, b, c], [u, v]) => 0.5 * (a * u * u + 2 * b * u * v + c * v * v);
export const gradient = ([a, b, c], [u, v]) => [a * u + b * v, b * u + c * v];

/** The rules of (3.1), (3.5) and (3.7): step k from 1; `memory` holds the averages and is changed. */
export const rules = {
  sgd: (w, g, memory, k, lr) => w.map((v, i) => v - lr * g[i]),
  rmsprop(w, g, memory, k, lr, beta = 0.9, eps = 1e-8) {
    memory.s = g.map((v, i) => beta * (memory.s?.[i] ?? 0) + (1 - beta) * v * v);
    return w.map((v, i) => v - (lr * g[i]) / Math.sqrt(memory.s[i] + eps));
  },
  adam(w, g, memory, k, lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8) {
    memory.m = g.map((v, i) => beta1 * (memory.m?.[i] ?? 0) + (1 - beta1) * v);
    memory.s = g.map((v, i) => beta2 * (memory.s?.[i] ?? 0) + (1 - beta2) * v * v);
    return w.map((v, i) => v - (lr * memory.m[i]) / (1 - beta1 ** k) / (Math.sqrt(memory.s[i] / (1 - beta2 ** k)) + eps));
  },
};

/** The path of a rule: STEPS + 1 points; noise (2 numbers a step) is added to the gradient. */
export function follow(rule, H, start, lr, noise) {
  const path = [start], memory = {};
  for (let k = 1; 2 * k <= noise.length; k++) {
    const g = gradient(H, path[k - 1]).map((v, i) => v + noise[2 * k - 2 + i]);
    path.push(rules[rule](path[k - 1], g, memory, k, lr));
  }
  return path;
}

/** Standard normal numbers from a seed. */
export const normals = (seed, count) => Array.from({ length: count }, random(seed).normal);

const METHODS = { sgd: "SGD", rmsprop: "RMSprop", adam: "Adam" };

function render(host) {
  const ui = stage(host, "Make the valley narrow: SGD slows down along its floor, while RMSprop and Adam barely notice. Turn it by 45°: they scale each coordinate on its own, and now no coordinate lies along the valley. Add noise: far out a step is mostly signal, near the optimum mostly noise, and every method hovers at a distance that its rate sets.");
  ui.slider("kappa", "Condition number κ", { min: 1, max: 1000, step: 0.02, log: true });
  ui.slider("turn", "Direction of the valley", { min: 0, max: 90, step: 1, text: v => v + "°" });
  ui.slider("noise", "Gradient noise σ", { min: 0, max: 0.5, step: 0.01 });
  ui.slider("sgd", "Rate of SGD", { min: 0.01, max: 2.1, step: 0.01, text: v => said(v, 3) });
  ui.slider("adaptive", "Rate of RMSprop, Adam", { min: 0.001, max: 0.5, step: 0.02, log: true, text: v => said(v, 2) });
  ui.button("New noise", () => ui.put({ seed: ui.get("seed") + 1 }));
  const plane = ui.chart("Paths in the valley; the start can be moved", 300), curves = ui.chart("Loss against the step", 330);
  ui.keys(Object.values(METHODS).map((name, i) => [name, i, "both"]));
  const clamp = v => Math.max(-2, Math.min(2, Math.round(v * 100) / 100));
  const handle = plane.handle({ label: "Start", colour: 3, mark: "start", step: [0.1, 0.1], move: (x, y) => ui.put({ start: [clamp(x), clamp(y)] }) });
  const steps = Array.from({ length: STEPS + 1 }, (_, k) => k), kept = {};
  return ui.start(() => {
    const { kappa, turn, noise, sgd, adaptive, start, seed } = ui.state(), H = curvature(kappa, turn);
    if (kept.seed !== seed) Object.assign(kept, { seed, z: normals(seed, 2 * STEPS) });
    const z = kept.z.map(v => noise * v), names = Object.keys(METHODS), runs = names.map(name => follow(name, H, start, name === "sgd" ? sgd : adaptive, z));
    const c = plane.frame({ min: -2.2, max: 2.2, name: "first weight", ticks: [-2, -1, 0, 1, 2] }, { min: -2.2, max: 2.2, name: "second weight", ticks: [-2, -1, 0, 1, 2] }, 1);
    const unit = c.w / 4.4, rings = [0.02, 0.1, 0.3, 0.8, 1.6].map(level => `<ellipse rx="${unit * Math.sqrt(2 * level * kappa)}" ry="${unit * Math.sqrt(2 * level)}" class="thin"/>`);
    c.paint(`<g transform="translate(${c.X(0)} ${c.Y(0)}) rotate(${-turn})">${rings.join("")}</g>` + c.dot(0, 0, 4, 7)
      + runs.map((run, i) => `<path d="${c.line(run.map(p => p[0]), run.map(p => p[1]))}" ${stroke(i)}/>` + c.dot(...run[STEPS], i, 6)).join(""));
    handle.put(...start, `first weight ${said(start[0])}, second weight ${said(start[1])}`);
    const losses = runs.map(run => run.map(p => loss(H, p))), d = curves.frame({ min: 0, max: STEPS, name: "step" }, { min: 1e-8, max: 100, log: true, name: "loss" });
    d.paint(losses.map((values, i) => `<path d="${d.line(steps, values.map(v => Math.max(v, 1e-12)))}" ${stroke(i)}/>`).join(""));
    return `Loss after ${STEPS} steps: ` + names.map((name, i) => `${METHODS[name]} ${said(losses[i][STEPS], 2)}`).join(", ") + `; at the start ${said(losses[0][0], 2)}.`;
  });
}
export default { render };

//= frame.js
