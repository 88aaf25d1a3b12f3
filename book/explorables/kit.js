// Drawing and controls of the explorables of chapters 07 to 13; stands where they say `//= kit.js`.

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
