// Reliability diagram, temperature and the floor of the calibration error (chapter 13, section 13.3).

export const about = {
  title: "As sure as it is right",
  question: "Which temperature makes this network right as often as it says?",
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
const SHARES = [0, 0.25, 0.5, 0.75, 1];

function render(host) {
  const ui = stage(host, "Find the temperature with the least log loss and compare it with the one of the least ECE. Then take fewer examples or more bins: the error of the best temperature grows, and its floor with it, though the network is the same. With one bin only the mean counts.");
  ui.select("network", "Network", { sure: "too sure", honest: "honest", timid: "not sure enough" });
  ui.slider("T", "Temperature T", { min: 1 / 8, max: 8, step: 0.1, log: 2 });
  ui.slider("n", "Examples N", { min: 100, max: 1500, step: 100 });
  ui.slider("bins", "Bins M", { min: 1, max: 40, step: 1 });
  ui.slider("seed", "Sample draw", { min: 1, max: 20, step: 1 });
  ui.keys([["a bin, larger with more examples", 0, "dot"], ["gap to the diagonal", 1], ["a temperature you tried", 2, "dot"], ["diagonal; floor (13.4)", 4]]);
  const diagram = ui.chart("Reliability diagram: accuracy against confidence", 340), errors = ui.chart("Calibration error at the temperatures tried", 340);
  let data, key, tried;
  return ui.start(({ network, T, n, bins: M, seed }) => {
    if (key !== [network, n, seed].join()) [data, key, tried] = [sample(network, n, seed), [network, n, seed].join(), []];
    const { pairs, nats } = answers(data, T), { bins, error, floor } = reliability(pairs, M), right = pairs.reduce((sum, [, r]) => sum + r, 0) / n;
    if (!tried.some((t) => t.T === T && t.M === M)) tried.push({ T, M, error, nats });
    const best = tried.reduce((a, b) => (b.nats < a.nats ? b : a));
    const a = diagram.frame({ min: 0, max: 1.04, name: "mean confidence in the bin", ticks: SHARES }, { min: -0.02, max: 1.04, name: "accuracy in the bin", ticks: SHARES });
    const gaps = bins.map((bin) => `M${a.X(bin.confidence)} ${a.Y(bin.confidence)}V${a.Y(bin.accuracy)}`).join(""), edges = Array.from({ length: M - 1 }, (_, k) => `M${a.X((k + 1) / M)} ${a.h}v-7`).join("");
    a.paint(`<path d="${a.line([0, 1], [0, 1])}" ${stroke(4, 1)}/><path d="${edges}" class="axis"/><path d="${gaps}" stroke="var(--c1)" stroke-width="2.5"/>`
      + bins.map((bin) => a.dot(bin.confidence, bin.accuracy, 0, tenth(Math.max(2.5, 18 * Math.sqrt(bin.count / n))))).join(""));
    const b = errors.frame({ min: 1 / 8, max: 8, log: true, name: "temperature T", ticks: [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8], label: (v) => ({ 0.125: "⅛", 0.25: "¼", 0.5: "½" })[v] ?? v },
      { min: 0, max: 0.42, name: "ECE at the temperatures you tried", ticks: [0, 0.1, 0.2, 0.3, 0.4], label: (v) => `${Math.round(100 * v)} %` });
    b.paint(`<path d="M0 ${b.Y(floor)}H${b.w}" ${stroke(4, 1)}/>` + tried.filter((t) => t.M === M).map((t) => b.dot(t.T, Math.min(0.4, t.error), 2, t.T === T ? 7 : 3.5)).join(""));
    return `ECE ${(100 * error).toFixed(1)} %; a perfectly calibrated network with these confidences would show ${(100 * floor).toFixed(1)} % on average (13.4). Log loss ${nats.toFixed(3)}, least so far ${best.nats.toFixed(3)} at T = ${said(best.T)}. Accuracy ${(100 * right).toFixed(1)} % at every temperature.`;
  }, () => { key = undefined; });
}
export default { render };

//= frame.js
