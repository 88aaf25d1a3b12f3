// A float bit by bit, and a gradient histogram under a loss scale (chapter 11, sections 11.2 and 11.3).

export const about = {
  title: "Sixteen bits and a scale",
  question: "Which loss scale keeps these gradients from becoming zero in fp16, and makes none of them infinite?",
  chapter: "11_mixed_precision",
  alt: "A histogram of gradient magnitudes on a logarithmic axis, with the ranges of fp16: everything up to two to the power of minus 25 becomes zero and everything from 65520 on becomes infinite; a loss scale moves the whole histogram to the right. fp16 has five exponent and ten fraction bits; bf16 has eight and seven, and keeps the range of fp32.",
};

/** Exponent and fraction bits of (11.1). */
export const FORMATS = { fp32: [8, 23], bf16: [8, 7], fp16: [5, 10] };

/** The number of a format nearest to x, ties to even: x in units of its spacing, rounded, and back. */
export function rounded(x, format) {
  const [E, p] = FORMATS[format], b = 2 ** (E - 1) - 1;
  if (!Number.isFinite(x) || x === 0) return x;
  let k = Math.floor(Math.log2(Math.abs(x)));
  if (2 ** k > Math.abs(x)) k -= 1; // log2 itself is rounded
  if (2 ** (k + 1) <= Math.abs(x)) k += 1;
  const unit = 2 ** (Math.max(k, 1 - b) - p), count = Math.abs(x) / unit, below = Math.floor(count), rest = count - below;
  const near = below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0), value = near * unit;
  return Math.sign(x) * (value > 2 ** b * (2 - 2 ** -p) ? Infinity : value) || Math.sign(x) * 0;
}

/** A number of the format as its bits, sign first. */
export function bitsOf(x, format) {
  const [E, p] = FORMATS[format], b = 2 ** (E - 1) - 1, sign = x < 0 || Object.is(x, -0) ? 1 : 0, size = Math.abs(x);
  let field = 0, fraction = 0;
  if (Number.isNaN(x)) [field, fraction] = [2 ** E - 1, 2 ** (p - 1)];
  else if (size === Infinity) field = 2 ** E - 1;
  else if (size < 2 ** (1 - b)) fraction = size / 2 ** (1 - b - p);
  else {
    let k = Math.floor(Math.log2(size));
    if (2 ** k > size) k -= 1;
    if (2 ** (k + 1) <= size) k += 1;
    [field, fraction] = [k + b, (size / 2 ** k - 1) * 2 ** p];
  }
  const binary = (v, n) => v.toString(2).padStart(n, "0");
  return [...`${sign}${binary(field, E)}${binary(fraction, p)}`].map(Number);
}

/** (11.1), backwards. */
export function valueOf(bits, format) {
  const [E, p] = FORMATS[format], b = 2 ** (E - 1) - 1, number = (part) => part.reduce((sum, bit) => 2 * sum + bit, 0);
  const e = number(bits.slice(1, 1 + E)), m = number(bits.slice(1 + E)), sign = bits[0] ? -1 : 1;
  if (e === 2 ** E - 1) return m ? NaN : sign * Infinity;
  return sign * (e ? 2 ** (e - b) * (1 + m * 2 ** -p) : 2 ** (1 - b) * m * 2 ** -p);
}

/** Distance from |x| to the next larger number of the format. */
export function spacing(x, format) {
  const [E, p] = FORMATS[format], b = 2 ** (E - 1) - 1, size = Math.abs(x);
  if (!Number.isFinite(x)) return NaN;
  let k = size ? Math.floor(Math.log2(size)) : 1 - b;
  if (size && 2 ** k > size) k -= 1;
  if (size && 2 ** (k + 1) <= size) k += 1;
  return 2 ** (Math.max(k, 1 - b) - p);
}

/** Model gradients, float32: log₂|g| normal around a centre, a tenth of them exactly zero, as ReLUs make them. */
export const STAGES = { early: [-9, 2.5], middle: [-14, 4], late: [-25, 9] };
export function gradients(stage, n = 2000, seed = 11) {
  const { uniform, normal } = random(seed), [centre, width] = STAGES[stage];
  return Array.from({ length: n }, () => {
    const sign = uniform() < 0.5 ? -1 : 1, size = 2 ** (centre + width * normal());
    return uniform() < 0.1 ? 0 : Math.fround(sign * size);
  });
}

/** Of the non-zero entries times the scale, in the format: shares that are zero, subnormal and infinite. */
export function fates(g, scale, format) {
  const [E] = FORMATS[format], least = 2 ** (2 - 2 ** (E - 1)), there = g.filter((v) => v !== 0);
  const seen = there.map((v) => Math.abs(rounded(Math.fround(v * scale), format))), share = (test) => seen.filter(test).length / there.length;
  return { zero: share((v) => v === 0), subnormal: share((v) => v > 0 && v < least), infinite: share((v) => v === Infinity) };
}

export const defaults = { text: "0.1", format: "fp16", stage: "middle", scale: 1 };
const BITS = `<style>.xp .xp-number{flex-basis:100%}.xp .xp-bits{display:flex;flex-wrap:wrap;gap:3px;flex-basis:100%}.xp .xp-bits button{min-width:26px;width:26px;min-height:34px;padding:0;font-variant-numeric:tabular-nums}.xp .xp-bits .e{border-width:2px;border-style:dashed}.xp .xp-bits .s{border-width:3px;border-style:double}.xp .xp-bits [aria-pressed=true]{background:var(--ink);color:var(--paper)}</style>`;
const LOW = -52, HIGH = 44;

function render(host) {
  const ui = stage(host, "The histogram moves, the ranges stay. For early gradients fp16 needs no scale; for middle ones a scale saves nearly all. The late ones are spread wider than fp16: a scale that saves the small ones makes the large ones infinite, and the step is skipped. In bf16 a scale changes nothing that matters, but look at its spacing above.");
  ui.select("format", "Format: exponent, fraction bits", { fp32: "fp32: 8, 23", bf16: "bf16: 8, 7", fp16: "fp16: 5, 10" });
  ui.text("text", "A number, or flip its bits");
  ui.select("stage", "Model gradients", { early: "early in training", middle: "middle", late: "late" });
  ui.slider("scale", "Loss scale", { min: 1, max: 2 ** 36, step: 1, log: 2, text: (v) => `2${raised(Math.round(Math.log2(v)))}` });
  ui.keys(["bits: double frame sign, dashed exponent, plain fraction; filled 1", "hatched: lost to zero or infinity"]);
  const row = add(ui.charts, "div", { class: "xp-bits", role: "group", "aria-label": "Bits of the number; press one to flip it" }), number = add(ui.charts, "p", { class: "xp-number" });
  const histogram = ui.chart("Histogram of gradient magnitudes after scaling, with the ranges of the format", 260, true), kept = {};
  row.insertAdjacentHTML("beforebegin", BITS);
  const showNumber = ({ text, format }) => {
    const typed = Number(String(text).replace("−", "-").replace(",", ".")), x = rounded(Math.fround(typed), format), [E, p] = FORMATS[format], bits = bitsOf(x, format);
    const part = (k) => (k === 0 ? "s" : k <= E ? "e" : "m"), words = (k) => (k === 0 ? "sign" : k <= E ? `exponent bit ${E - k}` : `fraction bit ${E + p - k}`);
    if (row.childElementCount !== bits.length) row.innerHTML = bits.map((_, k) => `<button type="button" class="${part(k)}"></button>`).join("");
    [...row.children].forEach((button, k) => {
      set(button, { class: part(k), "aria-pressed": bits[k] === 1, "aria-label": `${words(k)}: ${bits[k]}` });
      button.textContent = bits[k];
      button.onclick = () => { const v = valueOf(bits.map((bit, i) => (i === k ? 1 - bit : bit)), format); ui.put({ text: Object.is(v, -0) ? "-0" : String(v) }); };
    });
    const b = 2 ** (E - 1) - 1, e = parseInt(bits.slice(1, 1 + E).join(""), 2), m = parseInt(bits.slice(1 + E).join(""), 2), sign = bits[0] ? "−" : "", off = Math.abs(x - typed) / Math.abs(typed);
    const formula = e === 2 ** E - 1 ? (m ? "not a number" : `${sign}∞`) : e ? `${sign}2<sup>${minus(e - b)}</sup>·(1 + ${m}/${2 ** p})` : `${sign}2<sup>${minus(1 - b)}</sup>·${m}/${2 ** p}`;
    number.innerHTML = Number.isNaN(typed) ? "Type a number such as 0.1 or 3e-8." : !Number.isFinite(x) ? `${formula}: ${Number.isFinite(typed) ? `too large for ${format}` : "all exponent bits are set"}.`
      : `${formula} = <b>${minus(String(x))}</b>; the next number is ${said(spacing(x, format))} away${typed ? `; off by ${said(100 * off, 2)} % of what was typed` : ""}.`;
  };
  return ui.start((s) => {
    const { format, stage: when, scale } = s, [E, p] = FORMATS[format], b = 2 ** (E - 1) - 1, g = (kept[when] ??= gradients(when)), there = g.filter((v) => v !== 0), fate = fates(g, scale, format);
    showNumber(s);
    const bins = Array(48).fill(0);
    for (const v of there) bins[Math.max(0, Math.min(47, Math.floor((Math.log2(Math.abs(v) * scale) - LOW) / 2)))] += 1 / there.length;
    const c = histogram.frame({ min: LOW, max: HIGH, name: "log₂ of |gradient · scale|", ticks: [-48, -36, -24, -12, 0, 12, 24, 36] }, { min: 0, max: 0.36, name: "share of the non-zero ones", ticks: [0, 0.1, 0.2, 0.3], label: (v) => `${Math.round(100 * v)} %` });
    const clamp = (v) => c.X(Math.max(LOW, Math.min(HIGH, v))), zero = -b - p, normal = 1 - b, top = b + 1;
    const zone = ([from, to, name, lost]) => {
      const [l, r] = [clamp(from), clamp(to)], lines = Array.from({ length: lost ? Math.ceil((r - l + c.h) / 9) : 0 }, (_, k) => `M${9 * k} 0l${-c.h} ${c.h}`).join("");
      const words = r - l > 6.6 * name.length ? `<text x="${tenth((r - l) / 2)}" y="14" text-anchor="middle">${name}</text>` : "";
      return r > l ? `<svg x="${l}" width="${tenth(r - l)}" height="${c.h}"><rect width="100%" height="100%" opacity="${lost ? 0.16 : name === "normal" ? 0 : 0.09}" fill="currentColor"/><path d="${lines}" stroke="currentColor" opacity=".28"/>${words}</svg>` : "";
    };
    const bars = bins.map((v, k) => (v ? `M${c.X(LOW + 2 * k) + 1} ${c.h}V${c.Y(v)}H${c.X(LOW + 2 * k + 2) - 1}V${c.h}z` : "")).join("");
    c.paint(`<path d="${bars}" fill="var(--c0)"/>` + [[LOW, zero, "zero", true], [zero, normal, "subnormal"], [normal, top, "normal"], [top, HIGH, "infinite", true]].map(zone).join(""));
    const percent = (v) => `${v ? (100 * v).toFixed(v < 0.1 ? 2 : 1) : 0} %`;
    return `Scale 2${raised(Math.round(Math.log2(scale)))} in ${format}: ${percent(fate.zero)} of the non-zero gradients become zero, ${percent(fate.subnormal)} are subnormal, ${fate.infinite ? `<b>${percent(fate.infinite)} infinite: the step is skipped</b>` : "none is infinite"}.`;
  });
}
export default { render };

//= frame.js
