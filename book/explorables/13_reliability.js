// Reliability diagram, temperature and the floor of the calibration error (chapter 13, section 13.3).

export const about = {
  title: "As sure as it is right",
  question: "Which temperature makes this network right as often as it says, and how small can the calibration error become with so few examples?",
  chapter: "13_capstone",
  alt: "A reliability diagram: accuracy against mean confidence, one marker for each bin. An overconfident network lies below the diagonal; a temperature above one moves its confidences down until the markers lie on the diagonal, without changing an answer. The expected calibration error falls to a floor that depends on the number of examples and bins, never to zero.",
};

const CLASSES = 5;

/** Networks by the temperature at which their answers would be honest. */
export const NETWORKS = { sure: 2.5, honest: 1, timid: 0.5 };

/** Logits (N, 5), flat, and labels drawn from their softmax at the honest temperature. */
export function sample(network, n, seed) {
  const { z, labels } = truth(n, seed);
  return { logits: z.map((v) => v * NETWORKS[network]), labels }; // what the network says
}

/** Logits whose softmax is true: each label is drawn from it. */
export function truth(n, seed) {
  const { uniform, normal } = random(seed), z = [], labels = [];
  for (let i = 0; i < n; i++) {
    let total = 0, c = 0;
    for (let k = 0; k < CLASSES; k++) total += Math.exp(z[z.push(1.6 * normal()) - 1]);
    let u = uniform() * total;
    while (c < CLASSES - 1 && (u -= Math.exp(z[i * CLASSES + c])) > 0) c++;
    labels.push(c);
  }
  return { z, labels };
}

/** Confidence and whether the answer is right, of each example at a temperature; and the mean log loss. */
export function answers({ logits, labels }, T) {
  let nats = 0;
  const pairs = labels.map((label, i) => {
    let top = i * CLASSES, total = 0;
    for (let k = i * CLASSES + 1; k < (i + 1) * CLASSES; k++) if (logits[k] > logits[top]) top = k;
    for (let k = i * CLASSES; k < (i + 1) * CLASSES; k++) total += Math.exp((logits[k] - logits[top]) / T);
    nats += (Math.log(total) - (logits[i * CLASSES + label] - logits[top]) / T) / labels.length;
    return [1 / total, top === i * CLASSES + label ? 1 : 0]; // the largest term of the sum is 1
  });
  return { pairs, nats };
}

/** Bins of (13.2), the m-th above (m−1)/M up to m/M: count, mean confidence, accuracy; the error; and its floor (13.4). */
export function reliability(pairs, M) {
  const bins = Array.from({ length: M }, () => ({ count: 0, confidence: 0, accuracy: 0, spread: 0 }));
  for (const [c, right] of pairs) {
    const bin = bins[Math.ceil(c * M) - 1];
    bin.count += 1;
    bin.confidence += c;
    bin.accuracy += right;
    bin.spread += c * (1 - c);
  }
  const full = bins.filter((bin) => bin.count), N = pairs.length;
  const error = full.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.accuracy), 0) / N;
  const floor = (Math.sqrt(2 / Math.PI) * full.reduce((sum, bin) => sum + Math.sqrt(bin.spread), 0)) / N;
  return { bins: full.map((bin) => ({ count: bin.count, confidence: bin.confidence / bin.count, accuracy: bin.accuracy / bin.count })), error, floor };
}

export const defaults = { network: "sure", T: 1, n: 600, bins: 15, seed: 1 };

function render(host) {
  let data, kept, tried = [];
  const draw = ({ network, T, n, bins: M, seed }, { box, width }) => {
    const name = `${network},${n},${seed}`;
    if (kept !== name) [data, kept, tried] = [sample(network, n, seed), name, []];
    const { pairs, nats } = answers(data, T), { bins, error, floor } = reliability(pairs, M), right = pairs.reduce((sum, [, r]) => sum + r, 0) / n;
    if (!tried.some((t) => t.T === T && t.M === M)) tried.push({ T, M, error, nats });
    const wide = width >= 600, size = wide ? Math.min(330, width / 2 - 60) : Math.min(width - 56, 330), unit = [0, 0.25, 0.5, 0.75, 1].map((v) => [v, v]);
    const one = axes({ left: 44, top: 26, width: size, height: size, x: { from: 0, to: 1.04, ticks: unit, label: "mean confidence in the bin" }, y: { from: 0, to: 1, ticks: unit, label: "accuracy in the bin" } });
    const gaps = bins.map((b) => `<path d="M${one.X(b.confidence)},${one.Y(b.confidence)}V${one.Y(b.accuracy)}" stroke="var(--c1)" stroke-width="2.5"/>`).join("");
    const dots = bins.map((b) => mark(one.X(b.confidence), one.Y(b.accuracy), 0, Math.max(2.5, 18 * Math.sqrt(b.count / n)))).join("");
    const lines = Array.from({ length: M - 1 }, (_, k) => `M${one.X((k + 1) / M)},${size}v-7`).join("");
    const first = one.frame(`<path d="M0,${size}L${one.X(1)},0" stroke="var(--ink)" stroke-dasharray="4 3"/><path d="${lines}" stroke="var(--ink)"/>${gaps}${dots}`);
    const w = wide ? width - size - 44 - 60 - 20 : width - 56, tall = wide ? size : 170;
    const two = axes({ left: 44, top: 26, width: w, height: tall, x: { from: 1 / 8, to: 8, log: true, ticks: [[0.125, "⅛"], [0.25, "¼"], [0.5, "½"], [1, "1"], [2, "2"], [4, "4"], [8, "8"]], label: "temperature T" }, y: { from: 0, to: 0.4, ticks: [0, 0.1, 0.2, 0.3, 0.4].map((v) => [v, `${Math.round(100 * v)} %`]), label: "ECE at the temperatures you tried" } });
    const second = two.frame(`<path d="M0,${two.Y(floor)}H${w}" stroke="var(--ink)" stroke-dasharray="4 3"/>` + tried.filter((t) => t.M === M).map((t) => mark(two.X(t.T), two.Y(Math.min(0.4, t.error)), 2, t.T === T ? 7 : 3.5)).join(""));
    box.innerHTML = `<div class="xp-row">${picture(size + 56, 26 + size + 44, "Reliability diagram: accuracy against confidence", first)}${picture(w + 56, 26 + tall + 44, "Calibration error at the temperatures tried", second)}</div>`;
    const best = tried.reduce((a, b) => (b.nats < a.nats ? b : a));
    return `ECE ${(100 * error).toFixed(1)} %; a perfectly calibrated network with these confidences would show ${(100 * floor).toFixed(1)} % on average (13.4). Log loss ${nats.toFixed(3)}, least so far ${best.nats.toFixed(3)} at T = ${said(best.T)}. Accuracy ${(100 * right).toFixed(1)} % at every temperature.`;
  };
  return stage(host, {
    about, defaults, draw, reset: () => { kept = undefined; },
    controls: [
      { kind: "select", key: "network", label: "Network", options: [["sure", "too sure"], ["honest", "honest"], ["timid", "not sure enough"]] },
      { key: "T", label: "Temperature T", min: -3, max: 3, step: 0.1, base: 2, show: (v) => said(v) },
      { key: "n", label: "Examples N", min: 100, max: 1500, step: 100, show: (v) => v },
      { key: "bins", label: "Bins M", min: 1, max: 40, step: 1, show: (v) => v },
      { key: "seed", label: "Sample draw", min: 1, max: 20, step: 1, show: (v) => v },
    ],
    key: entry(0, "a bin, larger with more examples", true) + "<span>vertical bars: gap to the diagonal</span>" + entry(2, "a temperature you tried", true) + entry(4, "diagonal; floor (13.4)"),
    look: "Find the temperature with the least log loss and compare it with the one of the least ECE. Then take fewer examples or more bins: the error of the best temperature grows, and its floor with it, though the network is the same. With one bin only the mean counts.",
  });
}

export default { render };

//= kit.js
