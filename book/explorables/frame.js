// What the explorables share: drawing, controls, seeded numbers. It stands in a module where that says `//= frame.js`.
const CSS = `.xp{--ink:var(--pst-color-text-base,var(--jp-ui-font-color1,CanvasText));--paper:var(--pst-color-background,var(--jp-layout-color0,Canvas));
--edge:var(--pst-color-border,var(--jp-border-color1,GrayText));--c0:#0072B2;--c1:#D55E00;--c2:#009E73;--c3:#CC79A7;
color:var(--ink);background:var(--paper);font-size:15px;line-height:1.5;max-width:800px;margin:1.5em 0;padding:12px;border:1px solid var(--edge);border-radius:8px}
@media screen{html[data-theme=dark] .xp,[data-jp-theme-light=false] .xp{--c0:#56B4E9}}
@media print{html .xp{--ink:#000;--paper:#fff;break-inside:avoid}.xp :is(.xp-bar,.xp-buttons){display:none}}
.xp *{box-sizing:border-box}.xp p{margin:0 0 .5em;color:inherit}
.xp-bar{display:flex;flex-wrap:wrap;gap:.5em 1.2em;align-items:end;margin:.6em 0}.xp label{flex:1 1 215px;max-width:246px;min-width:0;font-size:14px;margin:0;color:inherit}
.xp-buttons{display:flex;flex-wrap:wrap;gap:8px}@media (max-width:500px){.xp-bar{gap:.4em .9em}.xp label{flex-basis:calc(50% - .5em)}.xp label.xp-wide{flex-basis:100%;max-width:none}.xp-buttons{flex-basis:100%}}
.xp label b{font-weight:600;font-variant-numeric:tabular-nums}
.xp input[type=range]{display:block;width:100%;height:26px;margin:0;accent-color:var(--c0)}
.xp input[type=checkbox]{width:20px;height:20px;margin:2px 8px 2px 0;vertical-align:middle;accent-color:var(--c0)}
.xp :is(select,button,input[type=text]){font:inherit;color:inherit;background:var(--pst-color-surface,var(--jp-layout-color2,ButtonFace));border:1px solid currentColor;border-radius:4px;padding:3px 10px;min-height:32px;max-width:100%}
.xp :is(select,input[type=text]){display:block;width:100%}.xp button{cursor:pointer}.xp :disabled{opacity:.5}.xp :focus-visible{outline:3px solid var(--c1);outline-offset:2px}
.xp-charts{display:flex;flex-wrap:wrap;gap:8px 16px}.xp-chart{flex:1 1 280px;min-width:0}.xp-wide{flex-basis:100%}
.xp-svg{display:block;width:100%;overflow:visible;background:none}svg.xp-chart{max-width:420px}.xp text{font-size:12.5px;font-family:inherit;fill:var(--ink)}.xp .grid{stroke:currentColor;opacity:.14}
.xp .axis{stroke:currentColor;fill:none}.xp .thin{stroke:currentColor;opacity:.55;fill:none}.xp .ring{stroke:currentColor;stroke-width:1.5}
.xp .handle{cursor:grab}.xp .handle:focus{outline:none}.xp .handle:focus .ring{stroke:var(--c1);stroke-width:4}
.xp .xp-key{display:flex;flex-wrap:wrap;gap:0 1.2em;list-style:none;margin:.3em 0;padding:0;font-size:14px}.xp .xp-key li{margin:0}.xp-key svg{display:inline-block;margin-right:6px;vertical-align:middle}
.xp output{display:block;min-height:3em;margin:.4em 0 .6em;font-variant-numeric:tabular-nums}`;
const COLOURS = ["var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)", "currentColor"];
const DASHES = ["", "8 4", "8 3 2 3", "2 3", "14 3"];
const stroke = (i, width = 2) => `fill="none" stroke="${COLOURS[i]}" stroke-width="${width}"` + (i ? ` stroke-dasharray="${DASHES[i]}"` : "");
const raised = n => String(n).replace(/./g, c => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(c)]);
const minus = text => String(text).replace(/-/g, "−");
const tenth = v => Math.round(10 * v) / 10;

/** A number as people write it: digits significant, powers of ten beyond 10⁵ and below 10⁻³. */
function said(v, digits = 3) {
  if (!Number.isFinite(v)) return v > 0 ? "∞" : v < 0 ? "−∞" : "undefined";
  const [head, tail] = v.toExponential(digits - 1).split("e");
  return v && (tail < -3 || tail > 4) ? minus(head.replace(/\.?0+$/, "")) + "·10" + raised(+tail) : minus(+v.toPrecision(digits));
}

/** Seeded draws: uniform by mulberry32, normal by Box and Muller. */
function random(seed) {
  let a = seed | 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()) };
}

const set = (node, attributes) => { for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value); };
function add(parent, tag, attributes = {}, text = "") {
  const svg = tag === "svg" || parent.namespaceURI.endsWith("svg");
  const node = parent.ownerDocument.createElementNS(svg ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", tag);
  set(node, attributes);
  node.textContent = text;
  return parent.appendChild(node);
}

/** A marker in pen i at a place in pixels: circle, square, triangle, diamond or cross. */
function mark(x, y, i, r = 4, hollow = false) {
  const [a, b, c] = [1.2 * r, 1.4 * r, 2.2 * r].map(tenth), paint = i === 4 || hollow ? `fill="var(--paper)" stroke="${COLOURS[i]}" stroke-width="2"` : `fill="${COLOURS[i]}"`;
  const shape = [`m${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`, `m${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
    `m0 ${-b}l${a} ${c}h${-2 * a}z`, `m0 ${-b}l${b} ${b}l${-b} ${b}l${-b} ${-b}z`, `m${-r} 0h${2 * r}m${-r} ${-r}v${2 * r}`][i];
  return Number.isFinite(x + y) ? `<path d="M${x} ${y}${shape}" ${paint}/>` : "";
}

/** Positions of the labels of an axis, about `room` of them. */
function ticksOf({ min, max, log, ticks }, room) {
  const out = [];
  if (ticks) return ticks;
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
  return log && (e < -2 || e > 3) ? "10" + raised(e) : minus(+v.toPrecision(6));
}

/** A drawing: `frame(x, y)` sets axes, or `size` a plain area; `paint(html)` fills it, clipped to the area. */
function chart(host, name, height, wide) {
  const box = add(host, "div", { class: wide ? "xp-chart xp-wide" : "xp-chart" }), svg = add(box, "svg", { class: "xp-svg", role: "img", "aria-label": name });
  const axes = add(svg, "g", { "aria-hidden": "true" }), inner = add(svg, "svg"), top = add(svg, "g"), handles = [];
  const c = { svg, paint: html => { inner.innerHTML = html; } };
  c.measure = () => { c.room = Math.max(240, box.clientWidth || 320); };
  c.size = (tall, [l, r, t, b] = [0, 0, 0, 0]) => {
    Object.assign(c, { l, t, w: c.room - l - r, h: tall - t - b });
    set(svg, { viewBox: `0 0 ${c.room} ${tall}`, height: tall });
    set(inner, { x: l - 8, y: t, width: c.w + 16, height: c.h, viewBox: `-8 0 ${c.w + 16} ${c.h}` }); // a marker at either end is seen whole
    for (const g of [axes, top]) g.setAttribute("transform", `translate(${l} ${t})`);
  };
  c.frame = (x, y, square) => {
    const key = JSON.stringify([x, y, c.room]);
    if (key === c.key) return c;
    const [l, r, t, b] = [56, 12, 28, 40], side = Math.min(c.room - l - r, 340);
    c.size(square ? side + t + b : height, [l, square ? c.room - l - side : r, t, b]);
    const { w, h } = c, share = ({ min, max, log }, v) => (log ? Math.log(v / min) / Math.log(max / min) : (v - min) / (max - min));
    const to = v => Math.max(-9999, Math.min(9999, tenth(v))), from = ({ min, max, log }, s) => (log ? min * (max / min) ** s : min + s * (max - min));
    Object.assign(c, { key, x, X: v => to(w * share(x, v)), Y: v => to(h * (1 - share(y, v))), fromX: p => from(x, p / w), fromY: p => from(y, 1 - p / h) });
    const xs = ticksOf(x, Math.max(3, Math.floor(w / 65))), ys = ticksOf(y, Math.max(3, Math.floor(h / 42)));
    axes.innerHTML = xs.map(v => `<path class="grid" d="M${c.X(v)} 0V${h}"/><text x="${c.X(v)}" y="${h + 17}" text-anchor="middle">${tickLabel(v, x)}</text>`).join("")
      + ys.map(v => `<path class="grid" d="M0 ${c.Y(v)}H${w}"/><text x="-7" y="${tenth(c.Y(v) + 4)}" text-anchor="end">${tickLabel(v, y)}</text>`).join("")
      + `<path class="axis" d="M0 0V${h}H${w}"/><text x="${w}" y="${h + 34}" text-anchor="end">${x.name}</text><text x="${-l + 2}" y="-14">${y.name}</text>`;
    return c;
  };
  /** A path through points, broken where a value is not finite. */
  c.line = (xs, ys) => {
    let d = "", last = null;
    for (let i = 0; i < xs.length; i++) {
      if (!(Math.abs(ys[i]) < 1e300)) { last = null; continue; }
      const u = c.X(xs[i]), v = c.Y(ys[i]);
      d += last ? `l${tenth(u - last[0])} ${tenth(v - last[1])}` : `M${u} ${v}`;
      last = [u, v];
    }
    return d || "M0 0";
  };
  c.dot = (x, y, i, r, hollow) => mark(c.X(x), c.Y(y), i, r, hollow);
  /** A point that mouse, finger and arrow keys move, and a click beside it: spec = {label, move(x, y), step: [dx, dy]}. */
  c.handle = spec => {
    const g = add(top, "g", { class: "handle", tabindex: 0, role: "slider", "aria-label": spec.label });
    const place = e => { const r = svg.getBoundingClientRect(); return [e.clientX - r.left - c.l, e.clientY - r.top - c.t]; };
    let at = [0, 0], held = [0, 0];
    const far = e => { const [x, y] = place(e); return Math.hypot(c.X(at[0]) - x, c.Y(at[1]) - y); };
    svg.setAttribute("role", "group"); // an image may hold nothing that takes the focus
    add(g, "circle", { r: 14, fill: "transparent" });
    add(g, "circle", { class: "ring", r: 8, fill: COLOURS[spec.colour ?? 0] });
    const words = add(g, "text", { x: 12, y: 5 }, spec.mark ?? "");
    g.onpointerdown = e => {
      const [x, y] = place(e);
      held = [c.X(at[0]) - x, c.Y(at[1]) - y];
      g.setPointerCapture(e.pointerId);
      g.focus();
      e.preventDefault();
    };
    g.ontouchstart = e => e.preventDefault(); // else the page scrolls under the finger: touch-action does not hold for parts of an SVG
    g.onpointermove = e => { const [x, y] = place(e); if (g.hasPointerCapture(e.pointerId)) spec.move(c.fromX(x + held[0]), c.fromY(y + held[1])); };
    g.onkeydown = e => {
      const i = ["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp"].indexOf(e.key), size = (i % 2 ? 1 : -1) * (e.shiftKey ? 5 : 1);
      if (i < 0) return;
      e.preventDefault();
      spec.move(at[0] + (i < 2 ? size * spec.step[0] : 0), at[1] + (i > 1 ? size * spec.step[1] : 0));
    };
    handles.push({ g, far, come: e => { const [x, y] = place(e); spec.move(c.fromX(x), c.fromY(y)); g.focus(); } });
    svg.onclick = e => {
      const [x, y] = place(e), there = handles.filter(h => h.g.style.display !== "none");
      if (!e.target.closest(".handle") && x >= 0 && y >= 0 && x <= c.w && y <= c.h) there.reduce((a, b) => (b.far(e) < a.far(e) ? b : a)).come(e);
    };
    return {
      g, put: (x, y, text) => {
        at = [x, y];
        words.setAttribute("text-anchor", c.X(x) > c.w - 40 ? "end" : "start");
        words.setAttribute("x", c.X(x) > c.w - 40 ? -12 : 12);
        set(g, { transform: `translate(${c.X(x)} ${c.Y(y)})`, "aria-valuemin": c.x.min, "aria-valuemax": c.x.max, "aria-valuenow": x, "aria-valuetext": text });
      },
    };
  };
  return c;
}

/** Question, controls, drawings, live numbers and closing sentence in `el`; state lives in `model`. */
function stage({ model, el }, look) {
  el.innerHTML = `<section class="xp"><style>${CSS}</style><p><strong>${about.title.replace(/[^?]$/, "$&.")}</strong> ${about.question}</p>
    <div class="xp-bar"></div><div class="xp-charts"></div><ul class="xp-key"></ul><output aria-live="polite"></output><p>${look}</p></section>`;
  const root = el.firstChild, [, , bar, charts, keys, out] = root.children, buttons = add(bar, "div", { class: "xp-buttons" }), shown = [], drawings = [], events = Object.keys(defaults).map(k => "change:" + k);
  let asked = 0, timer = 0, saying = "", width = 0, draw;
  const ui = { charts, get: k => model.get(k) ?? defaults[k], state: () => Object.fromEntries(Object.keys(defaults).map(k => [k, ui.get(k)])) };
  const say = () => { timer = 0; if (out.innerHTML !== saying) out.innerHTML = saying; }; // at most six times a second
  const now = () => {
    asked = 0;
    width = root.clientWidth;
    drawings.forEach(c => c.measure());
    const s = ui.state();
    shown.forEach(show => show(s));
    saying = draw(s);
    timer ||= setTimeout(say, out.textContent ? 150 : 0);
  };
  const ask = () => { asked ||= requestAnimationFrame(now); }; // one redraw a frame
  const field = (tag, name, attributes) => { const label = add(bar, "label", {}, name); return add(label, tag, attributes); };
  root.setAttribute("aria-label", about.title);
  ui.put = changes => { for (const [k, v] of Object.entries(changes)) model.set(k, v); model.save_changes(); ask(); };
  ui.chart = (name, height, wide) => { const c = chart(charts, name, height, wide); drawings.push(c); return c; };
  ui.slider = (key, name, { min, max, step, log, text = v => said(v), part, limit }) => { // log: true for steps in decades, 2 for powers of two
    const base = log === true ? 10 : log, to = v => (base ? base ** v : +v), from = v => (base ? +(Math.log(v) / Math.log(base)).toFixed(9) : v);
    const value = field("b", name + ": "), input = add(value.parentNode, "input", { type: "range", min: from(min), max: from(max), step });
    input.oninput = () => { const v = to(input.value); ui.put({ [key]: part === undefined ? v : ui.get(key).map((old, i) => (i === part ? v : old)) }); };
    shown.push(s => {
      const v = part === undefined ? s[key] : s[key][part], words = text(v, s);
      if (limit) input.max = limit(s);
      input.value = from(v);
      if (value.textContent === words) return;
      value.textContent = words;
      input.setAttribute("aria-valuetext", words);
    });
  };
  ui.select = (key, name, options, { off = () => false, also } = {}) => {
    const input = field("select", name);
    for (const [value, text] of Object.entries(options)) {
      add(input, "option", { value }, text);
      if (text.length > 12) input.parentNode.className = "xp-wide"; // a row of its own on a telephone
    }
    input.onchange = () => ui.put({ [key]: typeof defaults[key] === "number" ? +input.value : input.value, ...also });
    shown.push(s => { input.value = s[key]; input.disabled = off(s); });
  };
  ui.text = (key, name) => {
    const input = field("input", name, { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
    input.onchange = () => ui.put({ [key]: input.value });
    shown.push(s => { input.value = s[key]; });
  };
  ui.check = (key, name) => {
    const input = field("input", "", { type: "checkbox" });
    input.after(name);
    input.onchange = () => ui.put({ [key]: input.checked });
    shown.push(s => { input.checked = s[key]; });
  };
  ui.button = (name, action) => { const button = add(buttons, "button", { type: "button" }, name); button.onclick = action; return button; };
  /** The key: words alone, or [words, pen, how] with a line, a "dot", "both" or a "handle". */
  ui.keys = entries => {
    const line = i => `<path d="M0 6H34" ${stroke(i)}/>`, shapes = { line, dot: i => mark(17, 6, i), both: i => line(i) + mark(17, 6, i), handle: i => `<circle class="ring" cx="17" cy="6" r="5" fill="${COLOURS[i]}"/>` };
    const sample = (i, how) => `<svg width="34" height="12" aria-hidden="true">${shapes[how](i)}</svg>`;
    keys.innerHTML = entries.map(e => `<li>${typeof e === "string" ? e : sample(e[1], e[2] ?? "line") + e[0]}</li>`).join("");
  };
  ui.start = (drawing, forget) => {
    draw = drawing;
    ui.button("Reset", () => { forget?.(); ui.put(defaults); });
    bar.append(buttons);
    events.forEach(e => model.on?.(e, ask));
    const watch = globalThis.ResizeObserver && new ResizeObserver(() => { if (root.clientWidth !== width) ask(); });
    now();
    watch?.observe(root);
    return () => {
      events.forEach(e => model.off?.(e, ask));
      watch?.disconnect();
      cancelAnimationFrame(asked);
      clearTimeout(timer);
    };
  };
  return ui;
}
