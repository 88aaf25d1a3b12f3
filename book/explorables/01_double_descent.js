// Chapter 01: bias and variance of polynomial fits on both sides of the interpolation threshold.
export const about = {
  title: "From the U-shaped curve to double descent",
  question: "Which part of the error peaks where the weights are as many as the examples, and what lets it fall again?",
  chapter: "01_generalization",
  alt: "Squared bias, variance and their sum against the number of weights, for polynomials fitted to 15 noisy points of a sine. The sum falls to a minimum at four weights, rises to a peak above one hundred at 15 weights, and falls again to about 0.14 at 50. The peak is variance alone.",
};
export const defaults = { p: 4, n: 15, noise: 0.5, lam: 0, seed: 1 };
export const MOST = 50, GRID = 101;

export const linspace = (a, b, n) => Array.from({ length: n }, (_, i) => a + ((b - a) * i) / (n - 1));
export const truth = x => Math.sin(Math.PI * x);

/** Legendre polynomials of degrees 0 … count − 1 at x: rows are degrees. */
export function legendre(xs, count) {
  const rows = [Float64Array.from(xs, () => 1), Float64Array.from(xs)];
  for (let k = 1; k + 1 < count; k++) rows.push(rows[k].map((v, i) => ((2 * k + 1) * xs[i] * v - k * rows[k - 1][i]) / (k + 1)));
  return rows.slice(0, count);
}

const dot = (a, b) => { let s = 0; for (let i = 0; i < a.length; i++) s += a[i] * b[i]; return s; };

/** Inverse of a positive definite matrix (n², flat) by its Cholesky factor. */
export function inverse(G, n) {
  const L = new Float64Array(n * n), out = new Float64Array(n * n), y = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let s = G[i * n + j];
      for (let k = 0; k < j; k++) s -= L[i * n + k] * L[j * n + k];
      L[i * n + j] = i === j ? Math.sqrt(s) : s / L[j * n + j];
    }
  }
  for (let c = 0; c < n; c++) {
    for (let i = c; i < n; i++) { let s = i === c ? 1 : 0; for (let k = c; k < i; k++) s -= L[i * n + k] * y[k]; y[i] = s / L[i * n + i]; }
    for (let i = n - 1; i >= c; i--) { let s = y[i]; for (let k = i + 1; k < n; k++) s -= L[k * n + i] * out[k * n + c]; out[i * n + c] = out[c * n + i] = s / L[i * n + i]; }
  }
  return out;
}

/** A (GRID · n, flat) times a symmetric B (n²). */
function times(A, B, n) {
  const out = new Float64Array(A.length);
  for (let i = 0; i < A.length; i += n) {
    for (let k = 0; k < n; k++) { let s = 0; for (let j = 0; j < n; j++) s += A[i + j] * B[k * n + j]; out[i + k] = s; }
  }
  return out;
}

/**
 * The fits for 1 … MOST weights on n equally spaced points. Each is a matrix (GRID · n, flat) from targets
 * to predictions: least squares of smallest norm at lam = 0, ridge with half the sum of squares otherwise.
 */
export function fits(n, lam, most = MOST) {
  const P = legendre(linspace(-1, 1, n), most), Q = legendre(linspace(-1, 1, GRID), most);
  const out = [], basis = [], G = new Float64Array(n * n), A = new Float64Array(GRID * n), K = new Float64Array(GRID * n);
  for (let i = 0; i < n; i++) G[i * n + i] = lam;
  for (let p = 1; p <= most; p++) {
    const [u, v] = [P[p - 1], Q[p - 1]];
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) G[i * n + j] += u[i] * u[j];
    for (let i = 0; i < GRID; i++) for (let j = 0; j < n; j++) A[i * n + j] += v[i] * u[j];
    if (lam > 0 || p > n) { out.push(times(A, inverse(G, n), n)); continue; }
    const [a, b] = [u.slice(), v.slice()];  // next discrete orthogonal polynomial, at the points and on the grid
    for (let pass = 0; pass < 2; pass++) {
      for (const [s, t] of basis) {
        const c = dot(a, s);
        for (let i = 0; i < n; i++) a[i] -= c * s[i];
        for (let i = 0; i < GRID; i++) b[i] -= c * t[i];
      }
    }
    const size = Math.sqrt(dot(a, a));
    basis.push([a.map(w => w / size), b.map(w => w / size)]);
    for (let i = 0; i < GRID; i++) for (let j = 0; j < n; j++) K[i * n + j] += (b[i] * a[j]) / size ** 2;
    out.push(K.slice());
  }
  return out;
}

/** Predictions on the grid for targets y. */
export function predict(K, y) {
  const n = y.length, out = new Array(GRID);
  for (let i = 0; i < GRID; i++) { let s = 0; for (let j = 0; j < n; j++) s += K[i * n + j] * y[j]; out[i] = s; }
  return out;
}

/** Squared bias, and variance for noise of variance 1: both exact over fresh noise, averaged over the grid. */
export function parts(K, n) {
  const goal = linspace(-1, 1, GRID).map(truth), seen = predict(K, linspace(-1, 1, n).map(truth));
  return [seen.reduce((s, v, i) => s + (v - goal[i]) ** 2, 0) / GRID, dot(K, K) / GRID];
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
const REFITS = 12;

function render({ model, el }) {
  const ui = stage(el, model, about, defaults, "Watch the thin fits around the dotted line, where weights and examples are as many: only one curve passes through all points, and it swings. With more weights there are many such curves, and the one of smallest norm is calmer. Raise λ and watch the peak shrink. The bias hardly takes part.");
  ui.slider("p", "Weights p", { min: 1, max: MOST, step: 1 });
  ui.slider("noise", "Noise σ", { min: 0, max: 1, step: 0.05 });
  ui.select("n", "Examples n", { 10: "10", 12: "12", 15: "15" });
  ui.select("lam", "Ridge λ", { 0: "0, smallest norm", 0.0001: "0.0001", 0.01: "0.01", 0.1: "0.1", 1: "1" });
  ui.button("New noise", () => ui.put({ seed: ui.get("seed") + 1 }));
  const left = chart(ui.charts, "Twelve fits to fresh noise, their mean and the sine", 310), right = chart(ui.charts, "Squared bias, variance and sum against the number of weights", 310);
  ui.keys([["squared bias (left: the sine)", 0], ["variance (left: twelve fits)", 1], ["sum (left: mean fit)", 2]]);
  const grid = linspace(-1, 1, GRID), weights = linspace(1, MOST, MOST), kept = {};
  return ui.start(() => {
    const { p, n, noise, lam, seed } = ui.state(), key = n + "/" + lam;
    if (kept.key !== key) { const Ks = fits(n, lam); Object.assign(kept, { key, Ks, all: Ks.map(K => parts(K, n)) }); }
    const K = kept.Ks[p - 1], x = linspace(-1, 1, n), clean = x.map(truth), e = normals(seed, REFITS * n);
    const targets = Array.from({ length: REFITS }, (_, r) => clean.map((v, i) => v + noise * e[r * n + i])), of = y => predict(K, y);
    const a = left.frame({ min: -1, max: 1, name: "input x" }, { min: -3, max: 3, name: "target and prediction" });
    a.paint(targets.map(y => `<path d="${a.line(grid, of(y))}" fill="none" stroke="var(--c1)" stroke-width="1" opacity=".65"/>`).join("")
      + `<path d="${a.line(grid, grid.map(truth))}" ${stroke(0)}/><path d="${a.line(grid, of(clean))}" ${stroke(2, 2.5)}/>`
      + targets[0].map((y, i) => `<circle cx="${a.X(x[i])}" cy="${a.Y(y)}" r="3.5" fill="currentColor"/>`).join(""));
    const bias = kept.all.map(v => v[0]), spread = kept.all.map(v => v[1] * noise * noise), sum = bias.map((v, i) => v + spread[i]);
    const c = right.frame({ min: 1, max: MOST, name: "weights p", ticks: [1, 10, 20, 30, 40, 50] }, { min: 1e-4, max: 1e3, log: true, name: "squared error" });
    const shown = values => c.line(weights, values.map(v => Math.max(v, 1e-6)));
    c.paint(`<path d="M${c.X(n)} 0V${c.h}" stroke="currentColor" stroke-dasharray="2 4"/><path class="thin" d="M${c.X(p)} 0V${c.h}"/>`
      + [bias, spread, sum].map((v, i) => `<path d="${shown(v)}" ${stroke(i)}/>` + c.dot(p, Math.max(v[p - 1], 1e-6), i, 5)).join(""));
    ui.say(`${p} weights, ${n} examples: squared bias ${said(bias[p - 1], 2)}, variance ${said(spread[p - 1], 2)}, sum ${said(sum[p - 1], 2)}. The best sum on this curve is ${said(Math.min(...sum), 2)}.`);
  });
}
export default { render };
