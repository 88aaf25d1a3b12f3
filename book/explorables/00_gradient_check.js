// Chapter 00: the error of a numerical derivative against its step.
export const about = {
  title: "The step of a gradient check",
  question: "How small can the step h be before a still smaller one makes the error larger?",
  chapter: "00_start",
  alt: "Relative error of a central difference against its step, both axes logarithmic: it falls with slope two to about 10⁻¹¹ near a step of 10⁻⁵, and rises again for smaller steps because the function values are rounded.",
};
export const defaults = { f: "exp", kind: "central", precision: "float64", h: 0.1 };

/** Functions with the point of the check and f, f′, f″, f‴ there; the kink has no Taylor series of use. */
export const functions = {
  exp: { name: "eˣ at 0.7", x: 0.7, f: Math.exp, d: x => [Math.exp(x), Math.exp(x), Math.exp(x), Math.exp(x)] },
  wave: { name: "sin 30x at 0.3", x: 0.3, f: x => Math.sin(30 * x), d: x => [Math.sin(30 * x), 30 * Math.cos(30 * x), -900 * Math.sin(30 * x), -27000 * Math.cos(30 * x)] },
  offset: { name: "1000 + sin x at 0.7", x: 0.7, f: x => 1000 + Math.sin(x), d: x => [1000 + Math.sin(x), Math.cos(x), -Math.sin(x), -Math.cos(x)] },
  kink: { name: "max(0, x) at 0.001", x: 0.001, f: x => Math.max(0, x), d: null },
};
export const unit = { float64: 2 ** -53, float32: 2 ** -24 };
const rounding = { float64: v => v, float32: Math.fround };

/** The derivative by differences, every operation rounded to the precision. */
export function difference({ f, kind, precision, h }) {
  const r = rounding[precision], { x, f: g } = functions[f], at = r(x), step = r(h);
  const ahead = r(g(r(at + step))), behind = r(g(kind === "central" ? r(at - step) : at));
  return r(r(ahead - behind) / r(kind === "central" ? 2 * step : step));
}

export const slope = f => (functions[f].d ? functions[f].d(functions[f].x)[1] : 1);
export const relativeError = state => Math.abs(difference(state) / slope(state.f) - 1);

/** (0.10), relative to the derivative; for the forward difference its counterpart with h/2 |f″| and 2u|f|/h. */
export function bound({ f, kind, precision, h }) {
  if (!functions[f].d) return NaN;
  const [value, first, second, third] = functions[f].d(functions[f].x).map(Math.abs), u = unit[precision];
  return (kind === "central" ? (h * h / 6) * third + (u * value) / h : (h / 2) * second + (2 * u * value) / h) / first;
}

/** (0.11), and 2√(u|f|/|f″|) for the forward difference. */
export function bestStep({ f, kind, precision }) {
  if (!functions[f].d) return NaN;
  const [value, , second, third] = functions[f].d(functions[f].x).map(Math.abs), u = unit[precision];
  return kind === "central" ? Math.cbrt((3 * u * value) / third) : 2 * Math.sqrt((u * value) / second);
}

/** What the computer sees within two steps of x: rises over the true rise of one step. */
export function closeUp({ f, precision, h }, points = 241) {
  const r = rounding[precision], { x, f: g } = functions[f], here = r(g(r(x))), out = [];
  for (let i = 0; i < points; i++) {
    const t = -2 + (4 * i) / (points - 1);
    out.push([t, (r(g(r(r(x) + t * h))) - here) / (Math.abs(slope(f)) * h)]);
  }
  return out;
}

const FLOOR = 1e-14;
const GRID = Array.from({ length: 161 }, (_, i) => 10 ** (-16 + i / 10));

function render(host) {
  const ui = stage(host, "Look at the close-up while you shrink h. On the right of the minimum the secant misses because the curve bends; on the left because the two function values are rounded to a staircase. In float32 both meet at an error that would hide a small bug.");
  ui.slider("h", "Step h", { min: 1e-16, max: 1, step: 0.05, log: true, text: v => said(v, 2) });
  ui.select("f", "Function", Object.fromEntries(Object.entries(functions).map(([k, v]) => [k, v.name])));
  ui.select("kind", "Difference", { central: "central", forward: "forward" });
  ui.select("precision", "Numbers", { float64: "float64", float32: "float32" });
  const errors = ui.chart("Relative error against the step", 300), near = ui.chart("The function within two steps of the point, as the computer sees it", 300);
  ui.keys([["error of the difference; the function", 0], ["bound (0.10), or its forward form; tangent", 4], ["secant", 1]]);
  return ui.start(() => {
    const s = ui.state(), now = relativeError(s), c = errors.frame({ min: 1e-16, max: 1, log: true, name: "step h" }, { min: FLOOR, max: 100, log: true, name: "relative error" });
    const seen = GRID.map(h => Math.max(FLOOR, relativeError({ ...s, h }))), most = GRID.map(h => bound({ ...s, h }));
    c.paint(`<path d="${c.line(GRID, most)}" ${stroke(4, 1.5)}/><path d="${c.line(GRID, seen)}" ${stroke(0)}/>`
      + `<path class="thin" d="M${c.X(s.h)} 0V${c.h}"/>` + c.dot(s.h, Math.max(FLOOR, now), 0, 6));
    const z = near.frame({ min: -2, max: 2, name: "distance from x, in h" }, { min: -3, max: 3, name: "rise, in |f′|·h" });
    const points = closeUp(s), sign = Math.sign(slope(s.f)), at = t => points[Math.round((t + 2) * 60)][1];
    const left = s.kind === "central" ? -1 : 0, m = (at(1) - at(left)) / (1 - left), secant = t => at(left) + m * (t - left);
    z.paint(`<path d="${z.line([-2, 2], [-2 * sign, 2 * sign])}" ${stroke(4, 1.5)}/><path d="${z.line(points.map(p => p[0]), points.map(p => p[1]))}" ${stroke(0)}/>`
      + `<path d="${z.line([-2, 2], [secant(-2), secant(2)])}" ${stroke(1)}/>` + z.dot(left, at(left), 1, 5) + z.dot(1, at(1), 1, 5));
    const most1 = bound(s);
    return `With h = ${said(s.h, 2)} the difference gives ${said(difference(s), 7)}; the derivative is ${said(slope(s.f), 7)}. Relative error ${said(now, 2)}`
      + (most1 > 0 ? `, bound ${said(most1, 2)}.` : ". No bound: the function has a kink at 0.");
  });
}
export default { render };

//= frame.js
