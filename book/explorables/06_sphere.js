// Chapter 06: a scale-invariant weight on its growing sphere, with and without decay, and its effective rate.
export const about = {
  title: "The rate you set and the rate you get",
  question: "Make the learning rate a hundred times larger: how much larger is the effective rate after a thousand steps?",
  chapter: "06_scale_invariance",
  alt: "A weight walks outwards along tangents to ever larger spheres, so each step turns it by a smaller angle. Against the step, on logarithmic axes, the effective learning rates of all rates fall and merge into one line of slope minus one half. With weight decay each levels off at its own height.",
};
export const defaults = { lr: 0.5, wd: 0, length: 1, grad: 1, step: 60, show: "effective" };
export const STEPS = 10000, OTHERS = [0.01, 0.1, 1, 10];

/** ‖w‖² after 0 … steps steps: tangential gradient of length grad/‖w‖, the old weight multiplied by 1 − lr·wd. */
export function normSq({ lr, wd, length, grad }, steps = STEPS) {
  const n = [length * length], keep = (1 - lr * wd) ** 2, push = (lr * grad) ** 2;
  for (let k = 0; k < steps; k++) n.push(keep * n[k] + push / n[k]);
  return n;
}

/** The angle by which step k turns the weight, from the squared norm before it; it starts from the shrunk weight. */
export const turn = ({ lr, wd, grad }, n) => Math.atan((lr * grad) / ((1 - lr * wd) * n));

/** Balance of decay and gradient: squared norm and effective rate, exactly; without decay there is none. */
export function balance({ lr, wd, grad }) {
  if (wd === 0) return [Infinity, 0];
  const n = grad * Math.sqrt(lr / (wd * (2 - lr * wd)));
  return [n, lr / n];
}

/** The ceiling (6.14) of the effective rate after k steps of any constant rate without decay. */
export const ceiling = (grad, k) => 1 / (grad * Math.sqrt(2 * k));

/** The weight's way, unrolled into a plane: true lengths, true angles within a step. */
export function spiral(state, n, steps) {
  let angle = 0;
  const way = [[Math.sqrt(n[0]), 0]];
  for (let k = 0; k < steps; k++) {
    angle += turn(state, n[k]);
    way.push([Math.sqrt(n[k + 1]) * Math.cos(angle), Math.sqrt(n[k + 1]) * Math.sin(angle)]);
  }
  return way;
}

const DRAWN = 150, AT = [...new Set(Array.from({ length: 160 }, (_, i) => Math.floor(10 ** ((i * Math.log10(STEPS + 1)) / 159) + 1e-9) - 1))];

function render(host) {
  const ui = stage(host, "Each step is tangent to the sphere, so without decay the weight only grows, and every rate ends under one ceiling: a large rate throws the weight far out and becomes a small one. Decay pulls it back until growth and shrinking balance. The height of that balance depends on the product of rate and decay (and on G), not on the start.");
  ui.slider("lr", "Learning rate α", { min: 0.01, max: 10, step: 0.05, log: true, text: v => said(v, 2) });
  ui.slider("step", "Step k", { min: 1, max: STEPS, step: 0.01, log: true, text: v => String(Math.round(v)) });
  ui.slider("length", "Length at the start", { min: 0.3, max: 10, step: 0.05, log: true, text: v => said(v, 2) });
  ui.slider("grad", "Gradient on the unit sphere G", { min: 0.1, max: 5, step: 0.05, log: true, text: v => said(v, 2) });
  ui.select("wd", "Weight decay λ", { 0: "0", 0.0001: "0.0001", 0.001: "0.001", 0.01: "0.01", 0.05: "0.05" });
  ui.select("show", "Curves", { effective: "effective rate", norm: "squared norm" });
  let frame = 0, last = 0;
  const pace = () => {
    if (ui.get("step") !== last || last >= STEPS) { frame = 0; play.textContent = "Play"; return; }  // moved by hand, or done
    last = Math.min(STEPS, last + Math.max(1, Math.round(last / 40)));
    ui.put({ step: last });
    frame = requestAnimationFrame(pace);
  };
  const play = ui.button("Play", () => {
    if (frame) { cancelAnimationFrame(frame); frame = 0; play.textContent = "Play"; return; }
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) { ui.put({ step: STEPS }); return; }
    if (ui.get("step") >= STEPS) ui.put({ step: 1 });
    play.textContent = "Pause";
    ui.put({ step: last = Math.round(ui.get("step")) });
    frame = requestAnimationFrame(pace);
  });
  const sphere = ui.chart("The weight's way outwards, unrolled into a plane", 300), curves = ui.chart("Effective rate or squared norm against the step", 330);
  ui.keys([["your rate", 0, "both"], ["rates 0.01, 0.1, 1 and 10", 1], ["ceiling (6.14) without decay, balance with decay", 4]]);
  const stop = ui.start(() => {
    const s = ui.state(), k = Math.round(s.step), n = normSq(s), drawn = Math.min(k, DRAWN), way = spiral(s, n, drawn), end = way[drawn];
    const size = Math.max(...way.map(p => Math.hypot(...p))) * 1.08, nice = [0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200].find(v => v >= size) ?? size, half = nice / 2;
    const axis = { min: -nice, max: nice, ticks: [-nice, -half, 0, half, nice], name: "length" }, c = sphere.frame(axis, { ...axis, name: "length" }, 1);
    const ring = r => `<circle cx="${c.X(0)}" cy="${c.Y(0)}" r="${c.X(r) - c.X(0)}" class="thin" stroke-dasharray="4 4"/>`;
    c.paint(ring(s.length) + ring(Math.sqrt(n[drawn])) + `<path d="M${c.X(0)} ${c.Y(0)}L${c.X(end[0])} ${c.Y(end[1])}" stroke="currentColor" stroke-width="2"/>`
      + `<path d="${c.line(way.map(p => p[0]), way.map(p => p[1]))}" ${stroke(0, 1.5)}/>` + way.slice(-60).map(p => `<circle cx="${c.X(p[0])}" cy="${c.Y(p[1])}" r="2" fill="${COLOURS[0]}"/>`).join("") + c.dot(...end, 0, 6));
    const effective = s.show === "effective", value = (lr, all, i) => (effective ? lr / all[i] : all[i]), steps = AT.map(i => i + 1);
    const d = curves.frame({ min: 1, max: STEPS + 1, log: true, name: "step + 1" }, effective ? { min: 1e-4, max: 100, log: true, name: "effective rate α/‖w‖²" } : { min: 0.01, max: 1e4, log: true, name: "squared norm ‖w‖²" });
    const others = OTHERS.map(lr => { const all = normSq({ ...s, lr }); return `<path d="${d.line(steps, AT.map(i => value(lr, all, i)))}" ${stroke(1, 1.3)}/>`; }).join("");
    const [level, rate] = balance(s), guide = s.wd > 0 ? steps.map(() => (effective ? rate : level)) : AT.map(i => (effective ? ceiling(s.grad, i) : s.lr / ceiling(s.grad, i)));
    d.paint(others + `<path d="${d.line(steps, guide.map(v => (v < 1e9 && v > 0 ? v : NaN)))}" ${stroke(4, 1.5)}/><path d="${d.line(steps, AT.map(i => value(s.lr, n, i)))}" ${stroke(0, 2.5)}/>`
      + `<path class="thin" d="M${d.X(k + 1)} 0V${d.h}"/>` + d.dot(k + 1, value(s.lr, n, k), 0, 6));
    const degrees = (turn(s, n[k]) * 180) / Math.PI;
    return `After ${k} ${k === 1 ? "step" : "steps"} the length is ${said(Math.sqrt(n[k]))}, the effective rate ${said(s.lr / n[k])}, and the next step turns the weight by ${said(degrees, 2)}°.`
      + (s.wd > 0 ? ` Balance at an effective rate of ${said(rate)}.` : "") + (k > DRAWN ? ` The spiral shows the first ${DRAWN} steps.` : "");
  });
  return () => { cancelAnimationFrame(frame); frame = 0; stop(); };
}
export default { render };

//= frame.js
