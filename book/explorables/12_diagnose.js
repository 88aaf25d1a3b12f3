// A small network trained on the spot with one fault; the reader names it from the curves (chapter 12, section 12.6).

export const about = {
  title: "Diagnose this run",
  question: "Which fault made these curves? Show as few epochs as you need, decide, then check.",
  chapter: "12_debugging",
  alt: "A game: training and validation loss and the gradient norm of a small network, trained with one of nine faults or none. Overfitting shows as a validation loss that falls and rises again, a dead network as a flat line with gradient zero, too small a rate as a slow and almost straight fall, too large a rate as a loss that leaves the panel.",
};

export const SIZES = { inputs: 8, hidden: 16, classes: 4, epochs: 12, steps: 18, batch: 8, held: 120 };
const HEALTHY = { lr: 0.2, wd: 0, examples: 160, noise: 0, out: 0.25, bias: 0, bad: 0, spread: 0.7 };

/** Each fault: what is changed, and what the reader is told afterwards. */
export const FAULTS = {
  "healthy": [{}, "nothing was wrong"],
  "learning rate too low": [{ lr: 0.002 }, "the rate was a hundredth of the healthy run's"],
  "learning rate too high": [{ lr: 30 }, "the rate was 150 times the healthy run's"],
  "bad initial loss": [{ out: 5, lr: 0.1 }, "the last layer started twenty times too large"],
  "dead network": [{ bias: -15 }, "the hidden biases started at −15, so no unit ever fired"],
  "loss spikes": [{ bad: -5 }, "every third epoch ended with a batch of inverted inputs, five times too large"],
  "inputs and labels apart": [{ noise: 1, examples: 40, lr: 0.2 }, "the labels were shuffled among the examples"],
  "overfitting": [{ noise: 0.3, examples: 40, lr: 0.25 }, "there were 40 examples, three tenths of them with shuffled labels"],
  "underfitting": [{ wd: 0.3 }, "the weight decay was 0.3"],
};

/** Data, start and batches of a run, all from its seed: flat arrays, examples first, weights (out, in). */
export function problem(fault, seed) {
  const { uniform, normal } = random(seed), s = { ...HEALTHY, ...FAULTS[fault][0] }, { inputs: D, hidden: H, classes: C, epochs, steps, batch, held } = SIZES;
  const draw = (n, size) => Array.from({ length: n }, () => size * normal()), whole = (n) => Math.floor(uniform() * n);
  const raw = draw(C * D, 1), centres = raw.map((v, k) => (v * Math.sqrt(D)) / Math.hypot(...raw.slice(k - (k % D), k - (k % D) + D)));
  const sample = (n) => { const y = Array.from({ length: n }, () => whole(C)); return { y, x: y.flatMap((c) => Array.from({ length: D }, (_, j) => centres[c * D + j] + s.spread * normal())) }; };
  const train = sample(s.examples), held_out = sample(held);
  for (let k = Math.round(s.noise * s.examples) - 1; k > 0; k--) { // shuffle the labels of the first ones
    const j = whole(k + 1);
    [train.y[k], train.y[j]] = [train.y[j], train.y[k]];
  }
  const W1 = draw(H * D, Math.sqrt(2 / D)), W2 = draw(C * H, s.out * Math.sqrt(1 / H));
  const rows = Array.from({ length: epochs * steps * batch }, () => whole(s.examples));
  return { x: train.x, y: train.y, vx: held_out.x, vy: held_out.y, W1, b1: Array(H).fill(s.bias), W2, b2: Array(C).fill(0), rows, lr: s.lr, wd: s.wd, bad: s.bad };
}

/** Plain SGD with mean cross-entropy; loss, validation loss and first-layer gradient norm before each epoch and at the end. */
export function train({ x, y, vx, vy, W1, b1, W2, b2, rows, lr, wd, bad }) {
  const { inputs: D, hidden: H, classes: C, epochs, steps, batch } = SIZES, copy = (v) => Float64Array.from(v);
  const w1 = copy(W1), c1 = copy(b1), w2 = copy(W2), c2 = copy(b2), X = copy(x), VX = copy(vx), h = new Float64Array(H), z = new Float64Array(C);
  const g1 = new Float64Array(H * D), e1 = new Float64Array(H), g2 = new Float64Array(C * H), e2 = new Float64Array(C);
  const forward = (data, at, gain, label) => { // fills h and z, returns the loss; z becomes the logits' gradient
    for (let i = 0; i < H; i++) {
      let sum = c1[i];
      for (let j = 0; j < D; j++) sum += w1[i * D + j] * data[at + j] * gain;
      h[i] = sum > 0 ? sum : sum === sum ? 0 : NaN;
    }
    let top = -Infinity, total = 0;
    for (let c = 0; c < C; c++) {
      let sum = c2[c];
      for (let i = 0; i < H; i++) sum += w2[c * H + i] * h[i];
      z[c] = sum;
      if (!(sum <= top)) top = sum;
    }
    const own = z[label] - top;
    for (let c = 0; c < C; c++) total += z[c] = Math.exp(z[c] - top);
    for (let c = 0; c < C; c++) z[c] = z[c] / total - (c === label ? 1 : 0);
    return Math.log(total) - own;
  };
  const backward = (data, at, gain, share) => { // adds the gradient of one example
    for (let c = 0; c < C; c++) {
      e2[c] += share * z[c];
      for (let i = 0; i < H; i++) g2[c * H + i] += share * z[c] * h[i];
    }
    for (let i = 0; i < H; i++) {
      if (h[i] === 0) continue;
      let d = 0;
      for (let c = 0; c < C; c++) d += z[c] * w2[c * H + i];
      e1[i] += share * d;
      for (let j = 0; j < D; j++) g1[i * D + j] += share * d * data[at + j] * gain;
    }
  };
  const log = { train_loss: [], val_loss: [], grad_norm: [] }, clear = () => [g1, e1, g2, e2].forEach((g) => g.fill(0));
  const measure = () => {
    clear();
    let loss = 0, held = 0;
    for (let k = 0; k < y.length; k++) {
      loss += forward(X, k * D, 1, y[k]) / y.length;
      backward(X, k * D, 1, 1 / y.length);
    }
    for (let k = 0; k < vy.length; k++) held += forward(VX, k * D, 1, vy[k]) / vy.length;
    log.train_loss.push(loss);
    log.val_loss.push(held);
    log.grad_norm.push(Math.sqrt(g1.reduce((sum, g) => sum + g * g, 0)));
  };
  for (let k = 0; k < epochs * steps; k++) {
    if (k % steps === 0) measure();
    clear();
    const gain = bad && k % (3 * steps) === 3 * steps - 1 && k < epochs * steps - 1 ? bad : 1;
    for (let r = k * batch; r < (k + 1) * batch; r++) {
      forward(X, rows[r] * D, gain, y[rows[r]]);
      backward(X, rows[r] * D, gain, 1 / batch);
    }
    [[w1, g1, wd], [c1, e1, wd], [w2, g2, wd], [c2, e2, wd]].forEach(([w, g, decay]) => { for (let i = 0; i < w.length; i++) w[i] -= lr * (g[i] + decay * w[i]); });
  }
  measure();
  return log;
}

/** Rounds as [fault, seed], all nine faults in each nine; each fits the descriptions of section 12.6, and only its own. */
export const ROUNDS = [[7,2], [6,53], [5,47], [8,34], [2,50], [4,54], [1,19], [0,40], [3,24], [4,0], [7,13], [5,16], [3,18], [1,9], [0,39], [8,20], [2,43], [6,28], [2,23], [0,1], [4,17], [7,27], [6,29], [5,21], [1,3], [3,26], [8,31]];
export const runOf = (round) => { const [fault, seed] = ROUNDS[round % ROUNDS.length], name = Object.keys(FAULTS)[fault]; return { name, words: FAULTS[name][1], curves: train(problem(name, seed)) }; };

export const defaults = { round: 0, shown: 4, guess: "", checked: false };

function render(host) {
  const ui = stage(host, "Ask first what makes the other questions meaningless: is everything finite, where did it start, is there a gradient? Some faults show before the first step, some only in the last third. What you learn here names the symptom; the same curve may have another cause.");
  ui.slider("shown", "Epochs shown", { min: 1, max: SIZES.epochs, step: 1 });
  ui.select("guess", "Your diagnosis", { "": "choose …", ...Object.fromEntries(Object.keys(FAULTS).map((f) => [f, f])) }, { also: { checked: false } });
  ui.button("Check", () => ui.put({ checked: true, ...(ui.get("guess") ? { shown: SIZES.epochs } : {}) }));
  ui.button("Next run", () => ui.put({ round: (ui.get("round") + 1) % ROUNDS.length, shown: 4, guess: "", checked: false }));
  ui.keys([["training loss", 0], ["validation loss", 1, "both"], ["gradient norm", 2]]);
  const losses = ui.chart("Training and validation loss in units of chance against the epoch", 270), norms = ui.chart("Gradient norm of the first layer against the epoch", 270);
  const kept = new Map(), score = new Map(), chance = Math.log(SIZES.classes), epochs = [...Array(SIZES.epochs + 1).keys()], axis = { min: 0, max: SIZES.epochs, name: "epoch", ticks: [0, 3, 6, 9, 12] };
  return ui.start(({ round, shown, guess, checked }) => {
    if (!kept.has(round)) kept.set(round, runOf(round));
    const { name, words, curves } = kept.get(round), cut = (values) => values.slice(0, shown + 1), over = (v) => (Number.isFinite(v) ? v / chance : 1e3);
    const a = losses.frame(axis, { min: 0, max: 2.2, name: "loss / ln 4 (1 is chance)", ticks: [0, 0.5, 1, 1.5, 2] }), train = cut(curves.train_loss).map(over), held = cut(curves.val_loss).map(over);
    a.paint(`<path class="thin" d="M0 ${a.Y(1)}H${a.w}" stroke-dasharray="3 3"/><path d="${a.line(epochs, train)}" ${stroke(0)}/><path d="${a.line(epochs, held)}" ${stroke(1)}/>` + held.map((v, k) => a.dot(k, v, 1, 3)).join(""));
    const b = norms.frame(axis, { min: 3e-8, max: 1e3, log: true, name: "gradient norm, first layer", ticks: [1e-7, 1e-5, 1e-3, 0.1, 10], label: (v) => (v === 1e-7 ? "0" : `10${raised(Math.round(Math.log10(v)))}`) });
    b.paint(`<path d="${b.line(epochs, cut(curves.grad_norm).map((v) => (Number.isFinite(v) ? Math.min(1e4, Math.max(1e-7, v)) : 1e4)))}" ${stroke(2)}/>`);
    const value = (v, digits = 2) => (Number.isFinite(v) ? said(v, digits) : "not finite"), outside = [["training", train], ["validation", held]].filter(([, values]) => values.some((v) => v > 2.2)).map(([part]) => part);
    const at = `After epoch ${shown}: training ${value(curves.train_loss[shown] / chance)}, validation ${value(curves.val_loss[shown] / chance)}, gradient ${value(curves.grad_norm[shown])}.`;
    if (!checked || !guess) return `${at}${outside.length ? ` Outside the panel at times: ${outside.join(" and ")} loss.` : ""} ${guess ? `Your diagnosis: ${guess}. Check it when you are sure.` : checked ? "Choose a diagnosis first." : ""}`;
    if (!score.has(round)) score.set(round, guess === name);
    return `<b>${guess === name ? "Yes" : "No"}: ${name}.</b> In this run ${words}. Right so far: ${[...score.values()].filter(Boolean).length} of ${score.size}. ${at}`;
  }, () => score.clear());
}
export default { render };

//= frame.js
