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

//= kit.js
