// L1 and L2 balls against the ellipses of a quadratic loss (chapter 8, section 8.2).

export const about = {
  title: "A corner or a curve",
  question: "Which penalty makes a weight exactly zero? Raise the strength λ, and drag the minimum of the loss.",
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
const PENALTIES = [["L1: λ·Σ|w|", lasso, (w) => Math.abs(w[0]) + Math.abs(w[1])], ["L2: (λ/2)·Σw²", ridge, (w) => Math.hypot(...w)]];

function render(host) {
  const ui = stage(host, "In each panel the ball touches an ellipse of equal loss. The diamond is touched at a corner, on an axis, for a whole range of λ; the circle has no corner. The curvature along weight 1 is 1; uncorrelated, the weight with the smaller curvature is shrunk more, and is the first that L1 sets to zero if both start alike.");
  const exact = (v) => minus(v.toFixed(2)), clamp = (v) => Math.max(-2, Math.min(2, +v.toFixed(2)));
  ui.slider("lam", "Strength λ", { min: 10 ** -2.5, max: 10 ** 1.5, step: 0.05, log: true });
  ui.slider("target", "Minimum, weight 1", { min: -2, max: 2, step: 0.05, part: 0, text: exact });
  ui.slider("target", "Minimum, weight 2", { min: -2, max: 2, step: 0.05, part: 1, text: exact });
  ui.slider("h2", "Curvature, weight 2", { min: 0.1, max: 10, step: 0.05, log: true });
  ui.slider("rho", "Correlation", { min: -0.9, max: 0.9, step: 0.1, text: (v) => minus((+v).toFixed(1)) });
  ui.keys([["ball of L1", 0, "both"], ["ball of L2", 1, "both"], ["equal loss", 2], ["path over λ", 4], ["minimum of the loss: drag it", 3, "handle"]]);
  const panels = PENALTIES.map(([name, solve, size]) => {
    const c = ui.chart(`Loss ellipses and the ball of ${name} in the plane of the two weights`, 0);
    return { c, name, solve, size, handle: c.handle({ label: "Minimum of the loss", colour: 3, step: [0.05, 0.05], move: (x, y) => ui.put({ target: [clamp(x), clamp(y)] }) }) };
  });
  const ticks = [-2, -1, 0, 1, 2], list = (w) => w.map((v) => (v === 0 ? "<b>0</b>" : minus(v.toFixed(3)))).join(", ");
  return ui.start(({ lam, target, h2, rho }) => {
    const H = hessian(h2, rho), found = panels.map(({ solve }) => solve(H, target, lam)), force = pull(H, target, found[0]);
    panels.forEach(({ c, name, solve, size, handle }, k) => {
      c.frame({ min: -2.1, max: 2.1, name: "weight 1", ticks }, { min: -2.1, max: 2.1, name: `weight 2 · ${name}`, ticks }, true);
      const at = found[k], radius = size(at), level = loss(H, target, at), path = (points) => c.line(points.map((v) => v[0]), points.map((v) => v[1]));
      const ball = k ? `<circle cx="${c.X(0)}" cy="${c.Y(0)}" r="${tenth(c.X(radius) - c.X(0))}" ${stroke(1)}` : `<path d="${path([[radius, 0], [0, radius], [-radius, 0], [0, -radius]])}z" ${stroke(0)}`;
      const rings = [0.03, 0.12, 0.3, 0.6, 1.2, level].map((value) => `<path d="${path(ellipse(H, target, value))}" ${stroke(2, value === level ? 2.4 : 1)}/>`).join("");
      c.paint(`<path class="thin" d="M0 ${c.Y(0)}H${c.w}M${c.X(0)} 0V${c.h}"/>${ball.replace('fill="none"', `fill="${COLOURS[k]}" fill-opacity=".18"`)}/>${rings}`
        + `<path d="${path(LAMBDAS.map((l) => solve(H, target, l)))}" ${stroke(4, 1.4)}/>` + c.dot(...at, k, 7));
      handle.put(...target, `weight 1 ${exact(target[0])}, weight 2 ${exact(target[1])}`);
    });
    const held = found[0].flatMap((v, i) => (v === 0 ? [`Weight ${i + 1} is exactly 0: the loss pulls on it with ${Math.abs(force[i]).toFixed(3)}, at most λ.`] : []));
    return `λ = ${said(lam)}. L1 ends at (${list(found[0])}), L2 at (${list(found[1])}). ${held.join(" ") || "No weight is exactly 0."}`;
  });
}
export default { render };

//= frame.js
