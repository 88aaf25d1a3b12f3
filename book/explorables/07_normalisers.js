// Which activations share one mean, and what each normaliser does not see (chapter 7, sections 7.5 and 7.7).

export const about = {
  title: "Who shares a mean?",
  question: "Which of the nine changes does each normaliser not see? Choose a normaliser, choose a change, and count the outputs that move.",
  chapter: "07_other_normalizers",
  alt: "A block of four examples, six units and four positions. Batch norm takes one mean over all examples and positions of a unit; instance norm over the positions of one unit in one example; group norm over a group of units and all positions of one example; layer norm over the units of one example at one position. What is scaled or shifted within one such set leaves the output as it was.",
};

export const SHAPE = { examples: 4, units: 6, positions: 4, inputs: 5 };
const { examples: B, units: O, positions: T, inputs: I } = SHAPE;
const TINY = 1e-30;

/** Inputs x (B,T,I), weights W (O,I), a shift u (I) and other examples, all seeded; bias 0. */
export function start(seed = 9) {
  const { normal } = random(seed), draw = (n, plus = 0) => Array.from({ length: n }, () => normal() + plus);
  return { x: draw(B * T * I, 1), W: draw(O * I), b: Array(O).fill(0), u: draw(I), others: draw(B * T * I) };
}

const at = (n, o, t) => (n * O + o) * T + t;

/** Pre-activations s (B,O,T), flat: examples, units, positions. */
export function linear({ x, W, b }) {
  const s = new Array(B * O * T);
  for (let n = 0; n < B; n++) for (let o = 0; o < O; o++) for (let t = 0; t < T; t++) {
    let sum = b[o];
    for (let i = 0; i < I; i++) sum += x[(n * T + t) * I + i] * W[o * I + i];
    s[at(n, o, t)] = sum;
  }
  return s;
}

/** The name of the set whose statistics an activation is normalised by. */
export function owner(norm, groups, n, o, t) {
  if (norm === "BN") return `${o}`;
  if (norm === "IN") return `${n},${o}`;
  if (norm === "GN") return `${n},${Math.floor((o * groups) / O)}`;
  return `${n},${t}`; // LN and RMS: the units of one example at one position
}

/** Output (B,O,T) with gain 1 and shift 0; WN normalises the weights instead. */
export function output(norm, groups, { x, W, b }, eps = TINY) {
  if (norm === "WN") {
    const unit = W.map((w, k) => w / Math.hypot(...W.slice(k - (k % I), k - (k % I) + I)));
    return linear({ x, W: unit, b });
  }
  const s = linear({ x, W, b }), sets = new Map();
  if (norm === "none") return s;
  for (let n = 0; n < B; n++) for (let o = 0; o < O; o++) for (let t = 0; t < T; t++) {
    const name = owner(norm, groups, n, o, t);
    if (!sets.has(name)) sets.set(name, []);
    sets.get(name).push(at(n, o, t));
  }
  const y = new Array(s.length);
  for (const cells of sets.values()) {
    const mean = norm === "RMS" ? 0 : cells.reduce((sum, k) => sum + s[k], 0) / cells.length;
    const root = Math.sqrt(cells.reduce((sum, k) => sum + (s[k] - mean) ** 2, 0) / cells.length + eps);
    for (const k of cells) y[k] = (s[k] - mean) / root;
  }
  return y;
}

const times3 = (values, keep) => values.map((v, k) => (keep(k) ? 3 * v : v));

/** The nine changes of section 7.7, of inputs, weights and bias. */
export const CHANGES = {
  "a unit's weights × 3": (s) => ({ ...s, W: times3(s.W, (k) => k < I) }),
  "all weights × 3": (s) => ({ ...s, W: times3(s.W, () => true) }),
  "+ u to all units' weights": (s) => ({ ...s, W: s.W.map((v, k) => v + s.u[k % I]) }),
  "+ 1 to a unit's bias": (s) => ({ ...s, b: s.b.map((v, k) => (k === 0 ? v + 1 : v)) }),
  "all inputs × 3": (s) => ({ ...s, x: times3(s.x, () => true) }),
  "+ u to all inputs": (s) => ({ ...s, x: s.x.map((v, k) => v + s.u[k % I]) }),
  "an example × 3": (s) => ({ ...s, x: times3(s.x, (k) => k < T * I) }),
  "a position × 3": (s) => ({ ...s, x: times3(s.x, (k) => k < I) }),
  "other examples replaced": (s) => ({ ...s, x: s.x.map((v, k) => (k < T * I ? v : s.others[k])) }),
};

/** By how much each output moves, flat (B,O,T); only example 0 counts where the others are replaced. */
export function moves(norm, groups, change, s = start()) {
  const before = output(norm, groups, s), after = output(norm, groups, CHANGES[change](s));
  return after.map((v, k) => (change === "other examples replaced" && k >= O * T ? 0 : Math.abs(v - before[k])));
}

const NORMS = [["BN", "batch norm"], ["IN", "instance norm"], ["GN", "group norm"], ["LN", "layer norm (last axis)"], ["RMS", "RMS norm"], ["WN", "weight norm"], ["none", "no normaliser"]];
export const defaults = { norm: "BN", groups: 2, change: "a unit's weights × 3", cell: at(1, 2, 1) };

function render(host) {
  const s0 = start(), inputs = linear(s0);
  let tried = {};
  const draw = (state, { box, width, set }) => {
    const { norm, groups, change } = state, moved = moves(norm, groups, change, s0);
    const count = moved.filter((m) => m > 1e-9).length, counted = change === "other examples replaced" ? O * T : B * O * T;
    tried[`${norm === "GN" ? `GN ${groups}` : norm}|${change}`] = count > 0;
    const cn = Math.floor(state.cell / (O * T)), co = Math.floor(state.cell / T) % O, ct = state.cell % T;
    const mine = owner(norm, groups, cn, co, ct), shares = (n, o, t) => norm !== "none" && norm !== "WN" && owner(norm, groups, n, o, t) === mine;
    const size = Math.max(13, Math.min(18, Math.floor((Math.min(width, 470) - 52 - 24) / (B * T)))), gap = 8, left = 52, wide = left + B * (T * size + gap) - gap, tall = O * size;
    const corner = (k) => [left + Math.floor(k / (O * T)) * (T * size + gap) + (k % T) * size, (Math.floor(k / T) % O) * size];
    const square = (x, y, side) => `M${x.toFixed(1)},${y.toFixed(1)}h${side.toFixed(1)}v${side.toFixed(1)}h${(-side).toFixed(1)}z`;
    const block = (top, value, most, shaded) => {
      const paths = { grid: "", set: "", slash: "", up: "", down: "" };
      value.forEach((v, k) => {
        const [x, y] = corner(k), side = Math.min(1, Math.sqrt(Math.abs(v) / most)) * (size - 5), inside = (size - side) / 2;
        paths.grid += square(x, y, size);
        if (Math.abs(v) > 1e-9) paths[v > 0 ? "up" : "down"] += square(x + inside, y + inside, side);
        if (shaded && shares(Math.floor(k / (O * T)), Math.floor(k / T) % O, k % T)) {
          paths.set += square(x, y, size);
          paths.slash += `M${x + 1},${y + size - 1}l${size - 2},${2 - size}`;
        }
      });
      const [cx, cy] = corner(state.cell), names = Array.from({ length: O }, (_, o) => `<text x="${left - 6}" y="${o * size + size / 2 + 5}" text-anchor="end">${o ? o : "unit 0"}</text>`)
        .concat(Array.from({ length: B }, (_, n) => `<text x="${left + n * (T * size + gap)}" y="-6">ex. ${n}</text>`)).join("");
      return `<g transform="translate(0,${top})">${names}<path d="${paths.set}" fill="var(--c1)" fill-opacity=".4"/><path d="${paths.grid}" fill="none" stroke="var(--grid)"/><path d="${paths.up}" fill="var(--ink)"/><path d="${paths.down}" fill="none" stroke="var(--ink)" stroke-width="1.4"/>
        <path d="${paths.slash}" stroke="var(--c1)" stroke-width="1.5"/>${shaded ? `<path d="${square(cx + 1, cy + 1, size - 2)}" fill="none" stroke="var(--c0)" stroke-width="3"/>` : ""}</g>`;
    };
    const second = 44 + tall + 52, words = `Activations of four examples with six units at four positions, and how far each output moves: ${change}`;
    const art = `<text x="0" y="14">activations before the normaliser; shaded: one mean</text>${block(44, inputs, 5, true)}<text x="0" y="${second - 26}">how far each output moves</text>${block(second, moved, 6, false)}`;
    const columns = ["BN", "IN", `GN ${groups}`, "LN", "RMS", "WN", "none"];
    const rows = Object.keys(CHANGES).map((c) => `<tr><th scope="row">${c}</th>${columns.map((n) => `<td>${{ undefined: "·", true: "×", false: "●" }[tried[`${n}|${c}`]]}</td>`).join("")}</tr>`).join("");
    box.innerHTML = `<style>.xp .xp-tried{display:table;border-collapse:collapse;font-size:13px;line-height:1.35;margin:.3em 0;width:auto;color:inherit;background:none}.xp .xp-tried :is(th,td,tr){padding:2px 3px;border:0;text-align:center;font-weight:normal;background:none!important;color:inherit}.xp .xp-tried tbody th{text-align:left}.xp .xp-tried caption{caption-side:top;text-align:left;color:inherit;padding:0 0 .3em}</style>
      <div class="xp-row">${picture(wide, second + tall + 6, words, art)}<table class="xp-tried"><caption>Tried: ● all outputs stay, × some move, · not yet</caption><thead><tr><td></td>${columns.map((n) => `<th scope="col">${n.replace(" ", "&nbsp;")}</th>`).join("")}</tr></thead><tbody>${rows}</tbody></table></div>`;
    box.querySelector("svg").onclick = ({ offsetX: x, offsetY: y }) => {
      const hit = inputs.findIndex((_, k) => { const [cx, cy] = corner(k); return [44, second].some((top) => x >= cx && x < cx + size && y - top >= cy && y - top < cy + size); });
      if (hit >= 0) set({ cell: hit });
    };
    const others = inputs.filter((_, k) => shares(Math.floor(k / (O * T)), Math.floor(k / T) % O, k % T)).length - 1;
    const shared = norm === "WN" ? "Weight norm takes no statistics of activations." : norm === "none" ? "Nothing is normalised." : `The outlined activation shares its ${norm === "RMS" ? "mean square" : "mean and variance"} with ${others} others.`;
    return `${shared} <b>${change}</b>: ${count} of ${counted} outputs move${count ? `, the farthest by ${said(Math.max(...moved))}` : ""}.`;
  };
  const controls = [
    { kind: "select", key: "norm", label: "Normaliser", options: NORMS },
    { kind: "select", key: "change", label: "Change", options: Object.keys(CHANGES).map((c) => [c, c]) },
    { kind: "select", key: "groups", label: "Groups (GN only)", options: [1, 2, 3, 6].map((g) => [g, g]), off: (s) => s.norm !== "GN" },
    { key: "cell", label: "Outlined", min: 0, max: B * O * T - 1, step: 1, show: (k) => `ex. ${Math.floor(k / (O * T))}, unit ${Math.floor(k / T) % O}, pos. ${k % T}` },
  ];
  return stage(host, {
    about, defaults, controls, draw, reset: () => { tried = {}; },
    key: "<span>■ positive, □ negative; the area is the size</span>",
    look: "Look for pairs. What only scales or shifts a whole shaded set leaves no trace (for RMS norm: what only scales it); what changes a part of the set does. Batch norm and layer norm miss different things, and only one of them looks at other examples.",
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
