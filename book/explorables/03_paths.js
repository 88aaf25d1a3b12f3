// Chapter 03: paths of SGD, RMSprop and Adam on a noisy quadratic valley.
export const about = {
  title: "Three optimizers in a valley",
  question: "Which method minds a narrow valley, which minds its direction, and which minds the noise?",
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

/** Standard normal numbers from a seed (mulberry32, Box and Muller). */
export function normals(seed, count) {
  let a = seed | 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

// Frame begin. The same lines stand in every explorable of chapters 00 to 06; a test compares them.
const CSS = `.xp{--c0:#0072B2;--c1:#D55E00;--c2:#009E73;--c3:#CC79A7;--edge:var(--pst-color-border,var(--jp-border-color1,GrayText));
color:var(--pst-color-text-base,var(--jp-ui-font-color1,CanvasText));font-size:15px;line-height:1.5;max-width:800px;margin:1.5em 0;padding:12px;border:1px solid var(--edge);border-radius:8px}
html[data-theme=dark] .xp,[data-jp-theme-light=false] .xp{--c0:#56B4E9}
.xp *{box-sizing:border-box}.xp p{margin:0 0 .5em;color:inherit}
.xp-bar{display:grid;grid-template-columns:repeat(auto-fill,minmax(134px,1fr));gap:.5em 1em;align-items:end;margin:.6em 0}.xp-bar label:has([type=range]){grid-column:span 2}
.xp label{display:block;font-size:14px;margin:0}.xp label b{font-weight:600;font-variant-numeric:tabular-nums}
.xp input[type=range]{display:block;width:100%;height:26px;margin:0;accent-color:var(--c0)}
.xp input[type=checkbox]{width:20px;height:20px;margin:2px 8px 2px 0;vertical-align:middle;accent-color:var(--c0)}
.xp select,.xp button{font:inherit;color:inherit;background:var(--pst-color-surface,var(--jp-layout-color2,ButtonFace));border:1px solid currentColor;border-radius:4px;padding:3px 10px;min-height:32px;max-width:100%}
.xp select{display:block;width:100%}.xp :focus-visible{outline:3px solid var(--c1);outline-offset:2px}
.xp-charts{display:flex;flex-wrap:wrap;gap:8px 16px}.xp-chart{flex:1 1 300px;min-width:0}.xp-svg{display:block;width:100%;overflow:visible}
.xp text{font-size:12.5px;font-family:inherit;fill:currentColor}.xp .grid{stroke:currentColor;opacity:.14}.xp .axis{stroke:currentColor;fill:none}
.xp .thin{stroke:currentColor;opacity:.55;fill:none}.xp .handle{cursor:grab;touch-action:none}.xp .handle:focus-visible .ring{stroke:var(--c1);stroke-width:4}
.xp .handle:focus-visible{outline:none}.xp .ring{stroke:currentColor;stroke-width:1.5}
.xp .xp-key{display:flex;flex-wrap:wrap;gap:0 1.2em;list-style:none;margin:.3em 0;padding:0;font-size:14px}.xp .xp-key li{margin:0}.xp-key svg{margin-right:6px;vertical-align:middle}
.xp output{display:block;min-height:3em;font-variant-numeric:tabular-nums}`;
const COLOURS = ["var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)", "currentColor"];
const DASHES = ["", "8 4", "8 3 2 3", "2 3", "14 3"];
const stroke = (i, width = 2) => `fill="none" stroke="${COLOURS[i]}" stroke-width="${width}" stroke-dasharray="${DASHES[i]}"`;
const raised = n => String(n).replace(/./g, c => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(c)]);
const minus = text => text.replace(/-/g, "−");

/** A number as people write it: digits significant, powers of ten beyond 10⁵ and below 10⁻³. */
function said(v, digits = 3) {
  if (!Number.isFinite(v)) return v > 0 ? "∞" : v < 0 ? "−∞" : "undefined";
  if (v === 0) return "0";
  const [head, tail] = v.toExponential(digits - 1).split("e");
  if (tail < -3 || tail > 4) return minus(head.replace(/\.?0+$/, "")) + "·10" + raised(+tail);
  return minus(String(+v.toPrecision(digits)));
}

function add(parent, tag, attributes = {}, text) {
  const svg = tag === "svg" || (parent.namespaceURI.endsWith("svg") && parent.localName !== "foreignObject");
  const node = parent.ownerDocument.createElementNS(svg ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return parent.appendChild(node);
}

/** Positions of the labels of an axis, about `room` of them. */
function ticksOf({ min, max, log, ticks }, room) {
  if (ticks) return ticks;
  const out = [];
  if (log) {
    const [a, b] = [Math.ceil(Math.log10(min) - 1e-9), Math.floor(Math.log10(max) + 1e-9)];
    const step = Math.max(1, Math.ceil((b - a) / room));
    for (let e = Math.ceil(a / step) * step; e <= b; e += step) out.push(10 ** e);
    return out;
  }
  const raw = (max - min) / room, ten = 10 ** Math.floor(Math.log10(raw));
  const step = ten * [1, 2, 5, 10].find(m => m * ten >= raw * 0.999);
  for (let k = Math.ceil(min / step - 1e-9); k * step <= max + 1e-9 * step; k++) out.push(k * step);
  return out;
}

function tickLabel(v, { log, label }) {
  if (label) return label(v);
  const e = Math.round(Math.log10(v));
  return log && (e < -2 || e > 3) ? "10" + raised(e) : minus(String(+v.toPrecision(6)));
}

/** One drawing with axes; `frame(x, y)` sets the axes, `paint(html)` the clipped contents. */
function chart(host, name, height, role = "img") {
  const box = add(host, "div", { class: "xp-chart" });
  const svg = add(box, "svg", { class: "xp-svg", role, "aria-label": name });
  const axes = add(svg, "g", { "aria-hidden": "true" }), inner = add(svg, "svg"), top = add(svg, "g");
  const c = { svg, top, box, paint: html => { inner.innerHTML = html; } };
  c.frame = (x, y, aspect) => {
    const width = Math.max(240, box.clientWidth || 320), [l, r, t, b] = [56, 12, 28, 40];
    const tall = aspect ? Math.min(width - l - r, 340) * aspect + t + b : height;
    const w = aspect ? (tall - t - b) / aspect : width - l - r, h = tall - t - b;
    const to = ({ min, max, log }, size, flip) => v => {
      const s = log ? Math.log(v / min) / Math.log(max / min) : (v - min) / (max - min);
      return Math.max(-9999, Math.min(9999, size * (flip ? 1 - s : s)));
    };
    const from = ({ min, max, log }, size, flip) => p => {
      const s = flip ? 1 - p / size : p / size;
      return log ? min * (max / min) ** s : min + s * (max - min);
    };
    Object.assign(c, { X: to(x, w), Y: to(y, h, true), fromX: from(x, w), fromY: from(y, h, true), x, w, h, l, t });
    const key = JSON.stringify([x, y, width]);
    if (key === c.key) return c;
    c.key = key;
    for (const [k, v] of Object.entries({ viewBox: `0 0 ${width} ${tall}`, height: tall })) svg.setAttribute(k, v);
    for (const [k, v] of Object.entries({ x: l, y: t, width: w, height: h })) inner.setAttribute(k, v);
    top.setAttribute("transform", `translate(${l} ${t})`);
    const xs = ticksOf(x, Math.max(3, Math.floor(w / 65))), ys = ticksOf(y, Math.max(3, Math.floor(h / 42)));
    axes.setAttribute("transform", `translate(${l} ${t})`);
    axes.innerHTML = xs.map(v => `<path class="grid" d="M${c.X(v)} 0V${h}"/><text x="${c.X(v)}" y="${h + 17}" text-anchor="middle">${tickLabel(v, x)}</text>`).join("")
      + ys.map(v => `<path class="grid" d="M0 ${c.Y(v)}H${w}"/><text x="-7" y="${c.Y(v) + 4}" text-anchor="end">${tickLabel(v, y)}</text>`).join("")
      + `<path class="axis" d="M0 0V${h}H${w}"/><text x="${w}" y="${h + 34}" text-anchor="end">${x.name}</text><text x="${-l + 2}" y="-14">${y.name}</text>`;
    return c;
  };
  c.line = (xs, ys) => {
    let d = "", pen = "M";
    for (let i = 0; i < xs.length; i++) {
      if (!(Math.abs(ys[i]) < 1e300)) { pen = "M"; continue; }
      d += pen + c.X(xs[i]).toFixed(1) + " " + c.Y(ys[i]).toFixed(1);
      pen = "L";
    }
    return d || "M0 0";
  };
  c.dot = (x, y, i, r = 4) => {
    const [u, v] = [c.X(x), c.Y(y)], at = `fill="${COLOURS[i]}"`;
    return [`<circle cx="${u}" cy="${v}" r="${r}" ${at}/>`, `<rect x="${u - r}" y="${v - r}" width="${2 * r}" height="${2 * r}" ${at}/>`,
      `<path d="M${u} ${v - 1.3 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z" ${at}/>`, `<path d="M${u} ${v - 1.4 * r}l${1.4 * r} ${1.4 * r}l${-1.4 * r} ${1.4 * r}l${-1.4 * r} ${-1.4 * r}z" ${at}/>`,
      `<path d="M${u - r} ${v}H${u + r}M${u} ${v - r}V${v + r}" stroke="currentColor" stroke-width="2"/>`][i];
  };
  /** A point that mouse, finger and arrow keys move: spec = {label, move(x, y), step: [dx, dy]}. */
  c.handle = spec => {
    const g = add(top, "g", { class: "handle", tabindex: 0, role: "slider", "aria-label": spec.label });
    add(g, "circle", { r: 14, fill: "transparent" });
    add(g, "circle", { class: "ring", r: 8, fill: COLOURS[spec.colour ?? 0] });
    if (spec.mark) add(g, "text", { x: 12, y: 5 }, spec.mark);
    let at = [0, 0];
    g.onpointerdown = e => { g.setPointerCapture(e.pointerId); g.focus(); e.preventDefault(); };
    g.onpointermove = e => {
      if (!g.hasPointerCapture(e.pointerId)) return;
      const r = svg.getBoundingClientRect();
      spec.move(c.fromX(e.clientX - r.left - c.l), c.fromY(e.clientY - r.top - c.t));
    };
    g.onkeydown = e => {
      const i = ["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp"].indexOf(e.key), sign = i % 2 ? 1 : -1;
      if (i < 0) return;
      e.preventDefault();
      const size = e.shiftKey ? 5 : 1;
      spec.move(at[0] + (i < 2 ? sign * size * spec.step[0] : 0), at[1] + (i > 1 ? sign * size * spec.step[1] : 0));
    };
    return {
      g, put: (x, y, text) => {
        at = [x, y];
        g.setAttribute("transform", `translate(${c.X(x)} ${c.Y(y)})`);
        for (const [k, v] of Object.entries({ "aria-valuemin": c.x.min, "aria-valuemax": c.x.max, "aria-valuenow": x, "aria-valuetext": text })) g.setAttribute(k, v);
      },
    };
  };
  return c;
}

/** Question, controls, drawings, live numbers and closing sentence inside `el`; state lives in `model`. */
function stage(el, model, { title, question }, defaults, look) {
  el.replaceChildren();
  const root = add(el, "section", { class: "xp", "aria-label": title });
  add(root, "style", {}, CSS);
  const asks = add(root, "p");
  add(asks, "strong", {}, title + ". ");
  asks.append(question);
  const bar = add(root, "div", { class: "xp-bar" }), charts = add(root, "div", { class: "xp-charts" });
  const keys = add(root, "ul", { class: "xp-key" }), out = add(root, "output", { "aria-live": "polite" });
  add(root, "p", {}, look);
  const shown = [], events = Object.keys(defaults).map(k => "change:" + k);
  let asked = 0, timer = 0, saying = "", redraw = () => {};
  const ui = { root, bar, charts, get: k => model.get(k) ?? defaults[k], state: () => Object.fromEntries(Object.keys(defaults).map(k => [k, ui.get(k)])) };
  const now = () => { asked = 0; shown.forEach(f => f()); redraw(); };
  const ask = () => { asked ||= requestAnimationFrame(now); };
  ui.put = changes => { for (const [k, v] of Object.entries(changes)) model.set(k, v); model.save_changes(); ask(); };
  ui.say = text => {
    saying = text;
    timer ||= setTimeout(() => { timer = 0; if (out.textContent !== saying) out.textContent = saying; }, out.textContent ? 150 : 0);
  };
  ui.slider = (key, name, { min, max, step, log, text = said }) => {
    const label = add(bar, "label", {}, name + ": "), value = add(label, "b");
    const input = add(label, "input", { type: "range", min: log ? Math.log10(min) : min, max: log ? Math.log10(max) : max, step });
    input.oninput = () => ui.put({ [key]: log ? 10 ** +input.value : +input.value });
    shown.push(() => {
      const v = ui.get(key);
      input.value = log ? Math.log10(v) : v;
      value.textContent = text(v);
      input.setAttribute("aria-valuetext", text(v));
    });
    return input;
  };
  ui.select = (key, name, options) => {
    const input = add(add(bar, "label", {}, name), "select");
    for (const [value, text] of Object.entries(options)) add(input, "option", { value }, text);
    input.onchange = () => ui.put({ [key]: typeof defaults[key] === "number" ? +input.value : input.value });
    shown.push(() => { input.value = ui.get(key); });
  };
  ui.check = (key, name) => {
    const label = add(bar, "label"), input = add(label, "input", { type: "checkbox" });
    label.append(name);
    input.onchange = () => ui.put({ [key]: input.checked });
    shown.push(() => { input.checked = ui.get(key); });
  };
  ui.button = (name, action) => { const b = add(bar, "button", { type: "button" }, name); b.onclick = action; return b; };
  ui.keys = names => {
    keys.innerHTML = names.map(([name, i, dot]) => `<li><svg width="34" height="12" aria-hidden="true"><path d="M0 6H34" ${stroke(i)}/>${dot ? chart.mark(i) : ""}</svg></li>`).join("");
    names.forEach(([name], i) => keys.children[i].append(name));
  };
  ui.start = f => {
    redraw = f;
    ui.button("Reset", () => ui.put(defaults));
    events.forEach(e => model.on?.(e, ask));
    const watch = globalThis.ResizeObserver && new ResizeObserver(ask);
    watch?.observe(root);
    now();
    return () => {
      events.forEach(e => model.off?.(e, ask));
      watch?.disconnect();
      cancelAnimationFrame(asked);
      clearTimeout(timer);
    };
  };
  return ui;
}
chart.mark = i => [`<circle cx="17" cy="6" r="4" fill="${COLOURS[0]}"/>`, `<rect x="13" y="2" width="8" height="8" fill="${COLOURS[1]}"/>`,
  `<path d="M17 1l5 9h-10z" fill="${COLOURS[2]}"/>`, `<path d="M17 0l6 6l-6 6l-6-6z" fill="${COLOURS[3]}"/>`, `<path d="M13 6h8M17 2v8" stroke="currentColor" stroke-width="2"/>`][i];
// Frame end.
const METHODS = { sgd: "SGD", rmsprop: "RMSprop", adam: "Adam" };

function render({ model, el }) {
  const ui = stage(el, model, about, defaults, "Make the valley narrow: SGD slows down along its floor, while RMSprop and Adam barely notice. Turn it by 45°: they scale each coordinate on its own, and now no coordinate lies along the valley. Add noise: far out a step is mostly signal, near the optimum mostly noise, and every method hovers at a distance that its rate sets.");
  ui.slider("kappa", "Condition number κ", { min: 1, max: 1000, step: 0.02, log: true });
  ui.slider("turn", "Direction of the valley", { min: 0, max: 90, step: 1, text: v => v + "°" });
  ui.slider("noise", "Gradient noise σ", { min: 0, max: 0.5, step: 0.01 });
  ui.slider("sgd", "Rate of SGD", { min: 0.01, max: 2.1, step: 0.01, text: v => said(v, 3) });
  ui.slider("adaptive", "Rate of RMSprop, Adam", { min: 0.001, max: 0.5, step: 0.02, log: true, text: v => said(v, 2) });
  ui.button("New noise", () => ui.put({ seed: ui.get("seed") + 1 }));
  const plane = chart(ui.charts, "Paths in the valley; the start can be moved", 300, "group"), curves = chart(ui.charts, "Loss against the step", 330);
  ui.keys(Object.values(METHODS).map((name, i) => [name, i, true]));
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
    ui.say(`Loss after ${STEPS} steps: ` + names.map((name, i) => `${METHODS[name]} ${said(losses[i][STEPS], 2)}`).join(", ") + `; at the start ${said(losses[0][0], 2)}.`);
  });
}
export default { render };
