// Chapter 04: the spectrum of least squares, and how fast gradient descent works on each direction.
export const about = {
  title: "One large eigenvalue spoils the rate",
  question: "How large may the learning rate be, which direction is then the slowest, and which repair of the features helps?",
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
const REPAIRS = { none: "none", diagonal: "divide by the diagonal of H", centre: "subtract the mean", standardise: "subtract the mean, divide by the spread" };

function render({ model, el }) {
  const ui = stage(el, model, about, defaults, "The top eigenvalue comes from the mean, not from the spread of the features, and it grows with their number. It forces the rate down until the smallest eigenvalue stands still. Rescaling by the diagonal cannot see it; subtracting the mean removes it. What is left then is the spread of the variances.");
  ui.slider("rate", "Learning rate α", { min: 0.001, max: 10, step: 0.01, log: true });
  ui.slider("mean", "Mean of every feature", { min: 0, max: 2, step: 0.05 });
  ui.slider("spread", "Largest deviation, 1/smallest", { min: 1, max: 4, step: 0.1 });
  ui.select("count", "Features", { 2: "2", 4: "4", 8: "8", 16: "16", 32: "32", 64: "64" });
  ui.select("repair", "Repair", REPAIRS);
  ui.button("Best fixed rate", () => ui.put({ rate: Math.min(10, rates(spectrum(ui.state())).best) }));
  const left = chart(ui.charts, "Factor per step against the eigenvalue", 310), right = chart(ui.charts, "Error along eigenvectors and excess cost against the step", 310);
  ui.keys([["smallest eigenvalue", 0, true], ["largest eigenvalue", 1, true], ["excess cost", 2]]);
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
    ui.say(`Eigenvalues from ${said(ends[0], 3)} to ${said(ends[1], 3)}, condition number ${said(kappa)}. Stable below α = ${said(limit)}. `
      + (wait === Infinity ? "At this rate the error along the largest eigenvalue does not shrink." : `At this rate the slowest direction needs ${wait} ${wait === 1 ? "step" : "steps"} to a thousandth; the best fixed rate has a factor of ${said(factor, 4)} per step.`));
  });
}
export default { render };
