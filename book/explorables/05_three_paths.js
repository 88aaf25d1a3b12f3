// Chapter 05: the gradient through batch normalisation, split into its three paths, on a batch that can be dragged.
export const about = {
  title: "Three paths through batch normalisation",
  question: "How must the incoming gradients lie so that nothing of them comes through? Move the points.",
  chapter: "05_batch_norm",
  alt: "A batch of points, input against incoming gradient, with the straight line that the mean path and the variance path remove. What reaches the input is each point's vertical distance from this line, divided by σ. Points on one line send nothing back.",
};
export const defaults = { points: [[-2.4, 0.4], [-1.5, -1], [-0.6, 1.2], [0.3, 0.2], [1.1, 1.5], [2.2, 0.6], [-1, 0.5], [1.6, -0.7]], count: 6, eps: 1e-5, seed: 1 };
const START = defaults.points;

const mean = v => v.reduce((s, u) => s + u, 0) / v.length;
const norm = v => Math.hypot(...v);

/** (5.6) for one unit: g = dL/dx̂ and inputs x, both of length B; the biased variance, eps inside the root. */
export function paths(g, x, eps) {
  const mu = mean(x), sigma = Math.sqrt(mean(x.map(v => (v - mu) ** 2)) + eps);
  const xhat = x.map(v => (v - mu) / sigma), gMean = mean(g), gx = mean(g.map((v, k) => v * xhat[k]));
  const direct = g.map(v => v / sigma), byMean = g.map(() => -gMean / sigma), byVariance = xhat.map(h => (-h * gx) / sigma);
  return { mu, sigma, xhat, gMean, gx, direct, byMean, byVariance, total: direct.map((v, k) => v + byMean[k] + byVariance[k]) };
}

/** Length of the statistics path (mean and variance together) over that of the direct path. */
export function share({ direct, byMean, byVariance }) {
  return norm(byMean.map((v, k) => v + byVariance[k])) / norm(direct);
}

/** Standard normal numbers from a seed. */
export const normals = (seed, count) => Array.from({ length: count }, random(seed).normal);

const NAMES = ["direct path", "mean path", "variance path", "sum: what reaches x"];

function render(host) {
  const ui = stage(host, "Together the mean path and the variance path take away the straight line that fits the points best. Put all points on one line, level or sloping, and nothing comes through: moving or stretching the whole column changes no output. With two points there is always such a line. With a large ε the slope is removed only in part.");
  ui.slider("count", "Examples B", { min: 2, max: 8, step: 1 });
  ui.slider("eps", "ε", { min: 1e-5, max: 10, step: 0.1, log: true, text: v => said(v, 2) });
  const fit = (x, y) => [Math.max(-3.8, Math.min(3.8, Math.round(x * 100) / 100)), Math.max(-1.9, Math.min(1.9, Math.round(y * 100) / 100))];
  const change = f => ui.put({ points: ui.get("points").map(f) });
  ui.button("Equal gradients", () => change(([x]) => fit(x, 0.8)));
  ui.button("Gradients on a line", () => change(([x]) => fit(x, 0.2 + 0.4 * x)));
  ui.button("One far example", () => change(([x, g], k) => (k ? fit(x / 3, g) : fit(3.7, g))));
  ui.button("Draw a batch", () => { const z = normals(ui.get("seed"), 16); ui.put({ seed: ui.get("seed") + 1, points: START.map((_, k) => fit(1.4 * z[2 * k], 0.8 * z[2 * k + 1])) }); });
  const plane = ui.chart("The batch: input and incoming gradient of each example; all points can be moved", 330), bars = ui.chart("The three paths and their sum for each example", 330);
  ui.keys(NAMES.map((name, i) => [name, i, "both"]));
  const handles = START.map((_, k) => plane.handle({
    label: "Example " + (k + 1), colour: 0, mark: k + 1, step: [0.1, 0.1],
    move: (x, y) => ui.put({ points: ui.get("points").map((p, i) => (i === k ? fit(x, y) : p)) }),
  }));
  return ui.start(() => {
    const { points, count, eps } = ui.state(), batch = points.slice(0, count), x = batch.map(p => p[0]), g = batch.map(p => p[1]), s = paths(g, x, eps);
    const c = plane.frame({ min: -4, max: 4, name: "input x", ticks: [-4, -2, 0, 2, 4] }, { min: -2, max: 2, name: "incoming gradient ∂L/∂x̂", ticks: [-2, -1, 0, 1, 2] });
    const line = v => s.gMean + (s.gx * (v - s.mu)) / s.sigma;
    c.paint(`<rect x="${c.X(s.mu - s.sigma)}" y="0" width="${c.X(s.mu + s.sigma) - c.X(s.mu - s.sigma)}" height="${c.h}" fill="currentColor" opacity=".07"/><path class="thin" d="M${c.X(s.mu)} 0V${c.h}M0 ${c.Y(0)}H${c.w}"/>`
      + `<path d="${c.line([-4, 4], [line(-4), line(4)])}" ${stroke(1)}/>` + x.map((v, k) => `<path d="M${c.X(v)} ${c.Y(g[k])}V${c.Y(line(v))}" ${stroke(3, 3).replace(/stroke-dasharray="[^"]*"/, "")}/>`).join(""));
    handles.forEach((h, k) => {
      h.g.style.display = k < count ? "" : "none";
      h.put(...points[k], `input ${said(points[k][0])}, gradient ${said(points[k][1])}` + (k < count ? `, of which ${said(s.total[k], 2)} reaches x` : ""));
    });
    const series = [s.direct, s.byMean, s.byVariance, s.total], most = Math.max(0.5, ...series.flat().map(Math.abs)), top = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find(v => v >= most) ?? most;
    const d = bars.frame({ min: 0.5, max: count + 0.5, name: "example", ticks: batch.map((_, k) => k + 1) }, { min: -top, max: top, name: "part of the gradient ∂L/∂x" });
    d.paint(`<path class="axis" d="M0 ${d.Y(0)}H${d.w}"/>` + series.map((values, i) => values.map((v, k) => {
      const at = k + 1 + (i - 1.5) * 0.18;
      return `<path d="M${d.X(at)} ${d.Y(0)}V${d.Y(v)}" stroke="${COLOURS[i]}" stroke-width="${i === 3 ? 4 : 2}"/>` + d.dot(at, v, i, i === 3 ? 5 : 4);
    }).join("")).join(""));
    return `μ = ${said(s.mu, 2)}, σ = ${said(s.sigma, 2)}. Length of the direct path ${said(norm(s.direct), 2)}, of the sum ${said(norm(s.total), 2)}. The statistics path is ${said(share(s), 2)} of the direct one; for random gradients √(2/B) = ${said(Math.sqrt(2 / count), 2)}.`;
  });
}
export default { render };

//= frame.js
