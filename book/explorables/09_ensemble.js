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
