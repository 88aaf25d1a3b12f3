// L1 and L2 balls against the ellipses of a quadratic loss (chapter 8, section 8.2).

export const about = {
  title: "A corner or a curve",
  question: "Which penalty makes a weight exactly zero, and when? Raise the strength λ, and drag the minimum of the loss.",
  chapter: "08_weight_decay",
  alt: "Two planes of two weights with the ellipses of a quadratic loss. On the left the ball of the L1 penalty is a diamond; the penalised minimum often sits on one of its corners, where a weight is exactly zero. On the right the ball of the L2 penalty is a circle; the penalised minimum lies inside the quadrants and both weights only shrink.",
};

/** Hessian of the loss ½ (w − w*)ᵀ H (w − w*): curvatures 1 and h2, correlation rho of the two features. */
export const hessian = (h2, rho) => [[1, rho * Math.sqrt(h2)], [rho * Math.sqrt(h2), h2]];

export function loss(H, target, w) {
  const d = [w[0] - target[0], w[1] - target[1]];
  return 0.5 * (H[0][0] * d[0] * d[0] + 2 * H[0][1] * d[0] * d[1] + H[1][1] * d[1] * d[1]);
}

/** Minimum of loss + (λ/2)·Σw²: (H + λI)⁻¹ H w*; for ρ = 0 it is (8.2). */
export function ridge(H, target, lam) {
  const p = H[0][0] * target[0] + H[0][1] * target[1], q = H[0][1] * target[0] + H[1][1] * target[1];
  const a = H[0][0] + lam, d = H[1][1] + lam, b = H[0][1], det = a * d - b * b;
  return [(d * p - b * q) / det, (a * q - b * p) / det];
}

/** Minimum of loss + λ·Σ|w|, by its pieces: both weights 0, one of them 0, or none; the signs decide. */
export function lasso(H, target, lam) {
  const p = [H[0][0] * target[0] + H[0][1] * target[1], H[0][1] * target[0] + H[1][1] * target[1]];
  if (Math.abs(p[0]) <= lam && Math.abs(p[1]) <= lam) return [0, 0];
  for (const i of [0, 1]) { // weight 1 - i is zero
    const w = (p[i] - lam * Math.sign(p[i])) / H[i][i];
    if (Math.abs(p[i]) > lam && Math.abs(p[1 - i] - H[0][1] * w) <= lam) return i ? [0, w] : [w, 0];
  }
  const det = H[0][0] * H[1][1] - H[0][1] * H[0][1];
  for (const s of [[1, 1], [1, -1], [-1, 1], [-1, -1]]) {
    const c = [p[0] - lam * s[0], p[1] - lam * s[1]];
    const w = [(H[1][1] * c[0] - H[0][1] * c[1]) / det, (H[0][0] * c[1] - H[0][1] * c[0]) / det];
    if (w[0] * s[0] > 0 && w[1] * s[1] > 0) return w;
  }
  return [0, 0];
}

/** How hard the loss pulls on each weight at w: minus its gradient, H (w* − w). */
export const pull = (H, target, w) => [0, 1].map((i) => H[i][0] * (target[0] - w[0]) + H[i][1] * (target[1] - w[1]));

/** The ellipse on which the loss has this value, as points. */
export function ellipse(H, target, value, n = 72) {
  const half = (H[0][0] + H[1][1]) / 2, delta = (H[0][0] - H[1][1]) / 2, r = Math.hypot(delta, H[0][1]);
  const angle = 0.5 * Math.atan2(H[0][1], delta), c = Math.cos(angle), s = Math.sin(angle);
  const a = Math.sqrt((2 * value) / (half + r)), b = Math.sqrt((2 * value) / (half - r));
  return Array.from({ length: n + 1 }, (_, k) => {
    const t = (2 * Math.PI * k) / n, u = a * Math.cos(t), v = b * Math.sin(t);
    return [target[0] + c * u - s * v, target[1] + s * u + c * v];
  });
}

const LAMBDAS = Array.from({ length: 60 }, (_, k) => 10 ** (-2.5 + (4 * k) / 59));
export const defaults = { lam: 0.1, target: [1.4, 0.6], h2: 0.5, rho: 0 };

function render(host) {
  const draw = ({ lam, target, h2, rho }, { box, width, set, get }) => {
    const H = hessian(h2, rho), sums = [(w) => Math.abs(w[0]) + Math.abs(w[1]), (w) => Math.hypot(...w)];
    const solve = [lasso, ridge], found = solve.map((f) => f(H, target, lam));
    const side = width >= 560, w = side ? (width - 40) / 2 : Math.min(width, 420), size = w - 44, step = side ? w + 40 : 0, drop = side ? 0 : size + 84;
    const ticks = [-2, -1, 0, 1, 2].map((v) => [v, minus(v)]);
    const panel = (k) => {
      const { X, Y, frame } = axes({ left: 34 + k * step, edge: k * step, top: 30 + k * drop, width: size, height: size,
        x: { from: -2, to: 2, ticks, label: "weight 1" }, y: { from: -2, to: 2, ticks, label: `weight 2 · ${k ? "L2: (λ/2)·Σw²" : "L1: λ·Σ|w|"}` } });
      const put = ([a, b]) => [X(a), Y(b)], at = found[k], radius = sums[k](at), [sx, sy] = put(at), [tx, ty] = put(target);
      const ball = k ? `<circle cx="${X(0)}" cy="${Y(0)}" r="${X(radius) - X(0)}" fill="var(--c1)" fill-opacity=".18" stroke="var(--c1)" stroke-width="2" stroke-dasharray="8 4"/>`
        : `<path d="M${X(radius)},${Y(0)}L${X(0)},${Y(radius)}L${X(-radius)},${Y(0)}L${X(0)},${Y(-radius)}z" fill="var(--c0)" fill-opacity=".18" stroke="var(--c0)" stroke-width="2"/>`;
      const level = loss(H, target, at), rings = [0.03, 0.12, 0.3, 0.6, 1.2, level].map((f) => curve(ellipse(H, target, f).map(put), 2, f === level ? 2.4 : 1));
      return frame(`<path d="M${X(-2)},${Y(0)}H${X(2)}M${X(0)},${Y(-2)}V${Y(2)}" stroke="var(--ink)" opacity=".55"/>${ball}${rings.join("")}
        ${curve(LAMBDAS.map((l) => put(solve[k](H, target, l))), 4, 1.4)}${mark(sx, sy, k, 7)}`,
      `<g data-handle="${k}" tabindex="0" role="slider" aria-label="minimum of the loss" aria-valuenow="${target[0]}" aria-valuetext="${target[0].toFixed(2)}, ${target[1].toFixed(2)}" transform="translate(${tx},${ty})" style="cursor:move;touch-action:none"><circle r="15" fill="transparent"/>${mark(0, 0, 4, 6)}</g>`);
    };
    const tall = 30 + size + 44 + drop;
    if (!box.firstChild) box.innerHTML = `<div class="xp-art"></div>`; // stays while the drawing changes, so that it can hold the pointer
    const focused = box.ownerDocument.activeElement?.getAttribute("data-handle");
    box.querySelector(".xp-art").innerHTML = picture(width, tall, "Loss ellipses and penalty balls in the plane of the two weights, L1 and L2", panel(0) + panel(1));
    const svg = box.querySelector("svg");
    svg.setAttribute("role", "group"); // an image may hold nothing that takes the focus
    if (focused) svg.querySelector(`[data-handle="${focused}"]`).focus();
    const put = (values) => set({ target: values.map((v) => Math.max(-2, Math.min(2, +v.toFixed(2)))) });
    svg.onkeydown = (event) => {
      const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!arrow || !event.target.closest("[data-handle]")) return;
      event.preventDefault();
      put(get().target.map((v, i) => v + 0.05 * arrow[i]));
    };
    svg.onpointerdown = (event) => {
      const handle = event.target.closest("[data-handle]");
      if (!handle) return;
      const from = get().target, x0 = event.clientX, y0 = event.clientY, hold = box.querySelector(".xp-art");
      hold.setPointerCapture(event.pointerId);
      hold.onpointermove = (e) => put([from[0] + ((e.clientX - x0) * 4) / size, from[1] - ((e.clientY - y0) * 4) / size]);
      hold.onpointerup = hold.onpointercancel = () => { hold.onpointermove = null; };
      handle.focus();
      event.preventDefault();
    };
    const list = (w) => w.map((v) => (v === 0 ? "<b>0</b>" : minus(v.toFixed(3)))).join(", "), force = pull(H, target, found[0]);
    const held = found[0].flatMap((v, i) => (v === 0 ? [`Weight ${i + 1} is exactly 0: the loss pulls on it with ${Math.abs(force[i]).toFixed(3)}, at most λ.`] : []));
    return `λ = ${said(lam)}. L1 ends at (${list(found[0])}), L2 at (${list(found[1])}). ${held.join(" ") || "No weight is exactly 0."}`;
  };
  return stage(host, {
    about, defaults, draw,
    controls: [
      { key: "lam", label: "Strength λ", min: -2.5, max: 1.5, step: 0.05, base: 10, show: (v) => said(v) },
      { key: "target", label: "Minimum, weight 1", min: -2, max: 2, step: 0.05, part: 0, show: (v) => minus(v[0].toFixed(2)) },
      { key: "target", label: "Minimum, weight 2", min: -2, max: 2, step: 0.05, part: 1, show: (v) => minus(v[1].toFixed(2)) },
      { key: "h2", label: "Curvature, weight 2", min: -1, max: 1, step: 0.05, base: 10, show: (v) => said(v) },
      { key: "rho", label: "Correlation", min: -0.9, max: 0.9, step: 0.1, show: (v) => minus((+v).toFixed(1)) },
    ],
    key: entry(0, "ball of L1", false) + entry(0, "its minimum", true) + entry(1, "ball of L2") + entry(1, "its minimum", true) + entry(2, "equal loss") + entry(4, "path over λ") + entry(4, "minimum of the loss (drag)", true),
    look: "In each panel the ball touches an ellipse of equal loss. The diamond is touched at a corner, on an axis, for a whole range of λ; the circle has no corner. The curvature along weight 1 is 1; uncorrelated, the weight with the smaller curvature is shrunk more, and is the first that L1 sets to zero if both start alike.",
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
