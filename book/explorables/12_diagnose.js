// A small network trained on the spot with one fault; the reader names it from the curves (chapter 12, section 12.6).

export const about = {
  title: "Diagnose this run",
  question: "Which fault made these curves, and after how many epochs can you tell? Show more epochs, decide, then check.",
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
  const cache = new Map(), score = new Map(), chance = Math.log(SIZES.classes);
  const draw = ({ round, shown, guess, checked }, { box, width }) => {
    if (!cache.has(round)) cache.set(round, runOf(round));
    const { name, words, curves } = cache.get(round), E = SIZES.epochs, cut = (values) => values.slice(0, shown + 1);
    const wide = width >= 600, w = wide ? (width - 16) / 2 : width, tall = 200, x = { from: 0, to: E, ticks: [0, 3, 6, 9, 12].map((v) => [v, v]), label: "epoch" };
    const one = axes({ left: 40, top: 26, width: w - 52, height: tall, x, y: { from: 0, to: 2.2, ticks: [[0, "0"], [0.5, "0.5"], [1, "1"], [1.5, "1.5"], [2, "2"]], label: "loss / ln 4 (1 is chance)" } });
    const two = axes({ left: 46, top: 26, width: w - 58, height: tall, x, y: { from: 3e-8, to: 1e3, log: true, ticks: [[1e-7, "0"], ...[-5, -3, -1, 1].map((v) => [10 ** v, `10${raised(v)}`])], label: "gradient norm, first layer" } });
    const path = (values, k) => curve(cut(values).map((v, i) => [one.X(i), one.Y(Number.isFinite(v) ? v / chance : 1e3)]), k) + (k ? cut(values).map((v, i) => (v / chance <= 2.2 ? mark(one.X(i), one.Y(v / chance), 1, 3) : "")).join("") : "");
    const outside = [["training", curves.train_loss], ["validation", curves.val_loss]].filter(([, v]) => cut(v).some((l) => !(l / chance <= 2.2))).map(([n]) => n);
    const norms = cut(curves.grad_norm).map((v, i) => [two.X(i), two.Y(Number.isFinite(v) ? Math.min(1e4, Math.max(1e-7, v)) : 1e4)]);
    box.innerHTML = `<div class="xp-row">${picture(w, 26 + tall + 44, "Training and validation loss in units of chance against the epoch", one.frame(`<path d="M0,${one.Y(1)}H${w}" stroke="var(--ink)" stroke-dasharray="3 3" opacity=".6"/>` + path(curves.train_loss, 0) + path(curves.val_loss, 1)))}
      ${picture(w, 26 + tall + 44, "Gradient norm of the first layer against the epoch", two.frame(curve(norms, 2)))}</div>`;
    const value = (v) => (Number.isFinite(v) ? said(v / chance, 2) : "not finite"), at = `After epoch ${shown}: training ${value(curves.train_loss[shown])}, validation ${value(curves.val_loss[shown])}, gradient ${Number.isFinite(curves.grad_norm[shown]) ? said(curves.grad_norm[shown], 2) : "not finite"}.`;
    const leaves = outside.length ? ` Outside the panel at times: ${outside.join(" and ")} loss.` : "";
    if (!checked || !guess) return `${at}${leaves} ${checked ? "Choose a diagnosis first." : ""}`;
    if (!score.has(round)) score.set(round, guess === name);
    const right = [...score.values()].filter(Boolean).length;
    return `<b>${guess === name ? "Yes" : "No"}: ${name}.</b> In this run ${words}. Right so far: ${right} of ${score.size}. ${at}`;
  };
  return stage(host, {
    about, defaults, draw, reset: () => score.clear(),
    controls: [
      { key: "shown", label: "Epochs shown", min: 1, max: SIZES.epochs, step: 1, show: (v) => v },
      { kind: "select", key: "guess", label: "Your diagnosis", options: [["", "choose …"], ...Object.keys(FAULTS).map((f) => [f, f])], also: { checked: false } },
      { kind: "button", label: "Check", act: (state, set) => set({ checked: true, ...(state.guess ? { shown: SIZES.epochs } : {}) }) },
      { kind: "button", label: "Next run", act: (state, set) => set({ round: (state.round + 1) % ROUNDS.length, shown: 4, guess: "", checked: false }) },
    ],
    key: entry(0, "training loss") + entry(1, "validation loss") + entry(2, "gradient norm"),
    look: "Ask first what makes the other questions meaningless: is everything finite, where did it start, is there a gradient? Some faults show before the first step, some only in the last third. What you learn here names the symptom; the same curve may have another cause.",
  });
}

export default { render };

// ---- kit: the same lines close every explorable of chapters 07 to 13; a test compares them ----

const STYLE = `.xp{--ink:var(--pst-color-text-base,var(--jp-ui-font-color1,CanvasText));--paper:var(--pst-color-background,var(--jp-layout-color0,Canvas));
--edge:var(--pst-color-border,var(--jp-border-color1,GrayText));--grid:color-mix(in srgb,var(--ink) 16%,transparent);--c0:#0072B2;--c1:#D55E00;--c2:#009E73;--c3:#CC79A7;
color:var(--ink);background:var(--paper);font-size:15px;line-height:1.5;max-width:800px;margin:1.5em 0;padding:12px;border:1px solid var(--edge);border-radius:8px}
html[data-theme=dark] .xp,[data-jp-theme-light=false] .xp{--c0:#56B4E9}
.xp *{box-sizing:border-box}.xp p{margin:0 0 .5em;color:inherit}
.xp-bar{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,215px),1fr));gap:.5em 1.2em;align-items:end;margin:.6em 0}
@media (max-width:500px){.xp-bar{grid-template-columns:repeat(2,minmax(0,1fr));gap:.4em .9em}}
.xp label{display:block;font-size:14px;margin:0;color:inherit}.xp label b{font-weight:600;font-variant-numeric:tabular-nums}
.xp input[type=range]{display:block;width:100%;height:26px;margin:0;accent-color:var(--c0)}
.xp input[type=checkbox]{width:20px;height:20px;margin:2px 8px 2px 0;vertical-align:middle;accent-color:var(--c0)}
.xp select,.xp button,.xp input[type=text]{font:inherit;color:var(--ink);background:var(--pst-color-surface,var(--jp-layout-color2,Canvas));border:1px solid currentColor;border-radius:4px;padding:3px 10px;min-height:32px;max-width:100%}
.xp select,.xp input[type=text]{display:block;width:100%}.xp button{cursor:pointer;justify-self:start}.xp :disabled{opacity:.5}
.xp :focus-visible{outline:3px solid var(--c1);outline-offset:2px}
.xp svg{display:block;max-width:100%;background:none}.xp svg svg{overflow:hidden}.xp text{fill:var(--ink);font-size:12.5px;font-family:inherit}
.xp-row{display:flex;flex-wrap:wrap;gap:8px 16px}.xp output{display:block;min-height:3em;margin:.4em 0 .6em;font-variant-numeric:tabular-nums}
.xp-key{display:flex;flex-wrap:wrap;gap:0 1.2em;font-size:14px;margin:.3em 0}.xp-key svg{display:inline-block;vertical-align:middle;margin-right:6px}`;

/** Puts title, controls, drawing, live sentence and advice into el; returns the clean-up. */
function stage({ model, el }, { about, defaults, controls, key = "", look, draw, reset: forget }) {
  el.innerHTML = `<section class="xp"><style>${STYLE}</style><p><strong>${about.title.replace(/[^?]$/, "$&.")}</strong> ${about.question}</p>
    <div class="xp-bar"></div><div class="xp-key">${key}</div><div class="xp-stage"></div><output aria-live="polite"></output><p>${look}</p></section>`;
  const root = el.querySelector(".xp"), box = el.querySelector(".xp-stage"), output = el.querySelector("output");
  root.setAttribute("aria-label", about.title);
  const get = () => Object.fromEntries(Object.keys(defaults).map((name) => [name, model.get(name) ?? defaults[name]]));
  let asked = 0, timer, sentence, width = 0;
  const say = (text) => { // at most five times a second
    sentence = text;
    timer ??= setTimeout(() => { timer = undefined; output.innerHTML = sentence; }, output.innerHTML ? 200 : 0);
  };
  const ask = () => { asked ||= requestAnimationFrame(redraw); }; // one redraw a frame
  const set = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    ask();
  };
  const fields = controls.map((spec) => control(spec, el.querySelector(".xp-bar"), get, set));
  const reset = document.createElement("button");
  reset.type = "button";
  reset.textContent = "Reset";
  reset.onclick = () => { forget?.(); set(defaults); };
  el.querySelector(".xp-bar").append(reset);
  const redraw = () => {
    asked = 0;
    const state = get();
    width = Math.max(280, Math.min(780, box.clientWidth || 640));
    for (const update of fields) update(state);
    say(draw(state, { box, width, set, get }));
  };
  for (const name of Object.keys(defaults)) model.on(`change:${name}`, ask);
  const watcher = new ResizeObserver(() => { if (box.clientWidth && Math.abs(Math.min(780, box.clientWidth) - width) > 1) ask(); });
  redraw();
  watcher.observe(box);
  return () => {
    watcher.disconnect();
    cancelAnimationFrame(asked);
    clearTimeout(timer);
    for (const name of Object.keys(defaults)) model.off?.(`change:${name}`, ask);
  };
}

/** One native, labelled input: kind range (base: 2 or 10 for powers), select, check, text or button. */
function control(spec, parent, get, set) {
  const holder = document.createElement("div"), { kind = "range", key, label, base } = spec;
  const to = (v) => (base ? base ** v : +v), from = (v) => (base ? Math.log(v) / Math.log(base) : v);
  if (kind === "button") {
    holder.innerHTML = `<button type="button">${label}</button>`;
    const button = holder.firstChild;
    button.onclick = () => spec.act(get(), set);
    parent.append(holder);
    return () => {};
  }
  if (kind === "range") holder.innerHTML = `<label>${label}: <b></b><input type="range" min="${spec.min}" max="${spec.max}" step="${spec.step}"></label>`;
  if (kind === "select") holder.innerHTML = `<label>${label}<select>${spec.options.map(([v, t]) => `<option value="${v}">${t}</option>`).join("")}</select></label>`;
  if (kind === "check") holder.innerHTML = `<label><input type="checkbox">${label}</label>`;
  if (kind === "text") holder.innerHTML = `<label>${label}<input type="text" inputmode="decimal" autocomplete="off" spellcheck="false"></label>`;
  const input = holder.querySelector("input,select"), value = holder.querySelector("b");
  const event = kind === "range" ? "oninput" : "onchange";
  const one = (state) => (spec.part === undefined ? state[key] : state[key][spec.part]);
  const whole = (v, old) => (spec.part === undefined ? v : old.map((o, k) => (k === spec.part ? v : o)));
  input[event] = () => set({ [key]: kind === "range" ? whole(to(input.value), get()[key]) : kind === "check" ? input.checked : input.value, ...spec.also });
  parent.append(holder);
  return (state) => {
    if (kind === "check") input.checked = state[key];
    else if (kind === "range") {
      if (spec.limit) input.max = spec.limit(state);
      input.value = from(one(state));
      value.textContent = spec.show(state[key], state);
      input.setAttribute("aria-valuetext", spec.show(state[key], state));
    } else input.value = state[key];
    if (spec.off) input.disabled = spec.off(state);
  };
}

const PENS = [["var(--c0)", ""], ["var(--c1)", "8 4"], ["var(--c2)", "2 3"], ["var(--c3)", "10 3 2 3"], ["var(--ink)", "4 3"]];

/** A curve in pen k through points in pixels. */
const curve = (points, k, width = 2) => `<polyline fill="none" stroke="${PENS[k][0]}" stroke-width="${width}" stroke-dasharray="${PENS[k][1]}"
  points="${points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)).map(([x, y]) => `${x.toFixed(1)},${Math.max(-2e3, Math.min(4e3, y)).toFixed(1)}`).join(" ")}"/>`;

/** A marker in pen k: circle, square, diamond, triangle or cross for k = 0 to 4. */
function mark(x, y, k, r = 6, hollow = false) {
  const paint = `fill="${hollow ? "var(--paper)" : PENS[k][0]}" stroke="${hollow ? PENS[k][0] : "var(--paper)"}" stroke-width="${hollow ? 2 : 1.2}"`;
  if (k === 0) return `<circle cx="${x}" cy="${y}" r="${r}" ${paint}/>`;
  if (k === 4) return `<path d="M${x - r},${y - r}l${2 * r},${2 * r}m0,${-2 * r}l${-2 * r},${2 * r}" stroke="var(--ink)" stroke-width="2"/>`;
  const shape = { 1: `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`, 2: `M${x},${y - 1.4 * r}l${1.2 * r},${1.4 * r}l${-1.2 * r},${1.4 * r}l${-1.2 * r},${-1.4 * r}z`, 3: `M${x},${y - 1.2 * r}l${1.2 * r},${2.1 * r}h${-2.4 * r}z` };
  return `<path d="${shape[k]}" ${paint}/>`;
}

/** An entry of the key: a short line or a marker in pen k, and words. */
const entry = (k, words, dot = false) => `<span><svg width="26" height="14" aria-hidden="true">${dot ? mark(13, 7, k, 5) : curve([[0, 7], [26, 7]], k)}</svg>${words}</span>`;

/** Axes with ticks; x and y are { from, to, ticks: [[value, text]], log, label }. Returns pixel maps and frame(inside). */
function axes({ left, edge = 0, top, width, height, x, y }) {
  const map = (r, a, b) => (v) => a + (b - a) * (r.log ? (Math.log(v) - Math.log(r.from)) / (Math.log(r.to) - Math.log(r.from)) : (v - r.from) / (r.to - r.from));
  const X = map(x, 0, width), Y = map(y, height, 0);
  const frame = (inside, outside = "") => `<g transform="translate(${left},${top})">
    ${y.ticks.map(([v, t]) => `<path d="M0,${Y(v)}H${width}" stroke="var(--grid)"/><text x="-6" y="${Y(v) + 4}" text-anchor="end">${t}</text>`).join("")}
    ${x.ticks.map(([v, t]) => `<path d="M${X(v)},0V${height}" stroke="var(--grid)"/><text x="${X(v)}" y="${height + 17}" text-anchor="middle">${t}</text>`).join("")}
    <path d="M0,0V${height}H${width}" fill="none" stroke="var(--ink)"/>
    <text x="${width / 2}" y="${height + 36}" text-anchor="middle">${x.label}</text><text x="${edge - left + 2}" y="-9">${y.label}</text>
    <svg width="${width}" height="${height}">${inside}</svg>${outside}</g>`;
  return { X, Y, frame };
}

const picture = (width, height, label, inside) => `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${inside}</svg>`;

/** Seeded draws: uniform by mulberry32, normal by Box and Muller. */
function random(seed) {
  let a = seed >>> 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

const raised = (n) => String(n).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(c)]);
const minus = (text) => String(text).replace(/-/g, "−");

/** A number as people write it: powers of ten beyond 10⁵ and below 10⁻³. */
function said(v, digits = 3) {
  if (!Number.isFinite(v)) return v > 0 ? "∞" : v < 0 ? "−∞" : "not a number";
  const [head, tail] = v.toExponential(digits - 1).split("e");
  return v !== 0 && (tail < -3 || tail > 4) ? `${minus(head.replace(/\.?0+$/, ""))}·10${raised(+tail)}` : minus(+v.toPrecision(digits));
}
