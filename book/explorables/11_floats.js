// A float bit by bit, and a gradient histogram under a loss scale (chapter 11, sections 11.2 and 11.3).

export const about = {
  title: "Sixteen bits and a scale",
  question: "Which loss scale saves these gradients in fp16, and what does a scale too large do? Then ask the same of bf16.",
  chapter: "11_mixed_precision",
  alt: "Above, the bits of a number in fp32, fp16 and bf16: fp16 has five exponent and ten fraction bits, bf16 eight and seven. Below, a histogram of gradient magnitudes on a logarithmic axis. In fp16 everything up to two to the power of minus 25 becomes zero and everything from 65520 on becomes infinite; a loss scale moves the whole histogram to the right. bf16 keeps the range of fp32.",
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

function render(host) {
  const cache = {};
  const draw = ({ text, format, stage: when, scale }, { box, width, set }) => {
    const typed = Number(String(text).replace("−", "-").replace(",", ".")), x = rounded(Math.fround(typed), format), [E, p] = FORMATS[format], bits = bitsOf(x, format);
    if (!box.firstChild) {
      box.innerHTML = `<style>.xp .xp-bits{display:flex;flex-wrap:wrap;gap:3px;margin:.4em 0}.xp .xp-bits button{min-width:26px;width:26px;min-height:34px;padding:0;font-variant-numeric:tabular-nums}.xp .xp-bits .e{border-width:2px;border-style:dashed}.xp .xp-bits .s{border-width:3px;border-style:double}.xp .xp-bits [aria-pressed=true]{background:var(--ink);color:var(--paper)}</style>
        <div class="xp-bits" role="group" aria-label="Bits of the number; press one to flip it"></div><p class="xp-number"></p><div class="xp-art"></div>`;
    }
    const holder = box.querySelector(".xp-bits");
    if (holder.childElementCount !== bits.length) holder.innerHTML = bits.map((_, k) => `<button type="button" class="${k === 0 ? "s" : k <= E ? "e" : "m"}"></button>`).join("");
    [...holder.children].forEach((button, k) => {
      button.textContent = bits[k];
      button.setAttribute("aria-pressed", bits[k] === 1);
      button.setAttribute("aria-label", `${k === 0 ? "sign" : k <= E ? `exponent bit ${E - k}` : `fraction bit ${E + p - k}`}: ${bits[k]}`);
      button.onclick = () => { const v = valueOf(bits.map((bit, i) => (i === k ? 1 - bit : bit)), format); set({ text: Object.is(v, -0) ? "-0" : String(v) }); };
    });
    const b = 2 ** (E - 1) - 1, e = parseInt(bits.slice(1, 1 + E).join(""), 2), m = parseInt(bits.slice(1 + E).join(""), 2), sign = bits[0] ? "−" : "";
    const formula = e === 2 ** E - 1 ? (m ? "not a number" : `${sign}∞`) : e ? `${sign}2<sup>${minus(e - b)}</sup>·(1 + ${m}/${2 ** p})` : `${sign}2<sup>${minus(1 - b)}</sup>·${m}/${2 ** p}`;
    const off = Math.abs(x - typed) / Math.abs(typed);
    box.querySelector(".xp-number").innerHTML = Number.isNaN(typed) ? "Type a number such as 0.1 or 3e-8." : !Number.isFinite(x) ? `${formula}: ${Number.isFinite(typed) ? `too large for ${format}` : "all exponent bits are set"}.` : `${formula} = <b>${minus(String(x))}</b>; the next number is ${said(spacing(x, format))} away${typed ? `; off by ${said(100 * off, 2)} % of what was typed` : ""}.`;

    const g = (cache[when] ??= gradients(when)), there = g.filter((v) => v !== 0), fate = fates(g, scale, format);
    const low = -52, high = 44, bins = Array(48).fill(0);
    for (const v of there) bins[Math.max(0, Math.min(47, Math.floor((Math.log2(Math.abs(v) * scale) - low) / 2)))] += 1 / there.length;
    const zero = 1 - b - p - 1, normal = 1 - b, top = b + 1, clamp = (v) => Math.max(low, Math.min(high, v));
    const { X, Y, frame } = axes({ left: 44, top: 24, width: width - 56, height: 190,
      x: { from: low, to: high, ticks: [-48, -24, 0, 24].concat(width > 500 ? [-36, -12, 12, 36] : []).map((v) => [v, minus(v)]), label: "log₂ of |gradient · scale|" }, y: { from: 0, to: 0.36, ticks: [[0, "0 %"], [0.1, "10 %"], [0.2, "20 %"], [0.3, "30 %"]], label: "share of the non-zero ones" } });
    const zone = (from, to, words, opacity, hatch) => { const a = X(clamp(from)), w = X(clamp(to)) - a; if (w <= 0) return "";
      const lines = Array.from({ length: hatch ? Math.ceil((w + 190) / 9) : 0 }, (_, k) => `M${a + 9 * k},0l-190,190`).join("");
      return `<svg x="${a}" width="${w}" height="190" viewBox="${a} 0 ${w} 190"><rect x="${a}" width="${w}" height="190" fill="var(--ink)" opacity="${opacity}"/><path d="${lines}" stroke="var(--ink)" opacity=".28"/></svg>`; };
    const bars = bins.map((v, k) => `<rect x="${X(low + 2 * k) + 1}" y="${Y(v)}" width="${X(low + 2) - X(low) - 2}" height="${190 - Y(v)}" fill="var(--c0)"/>`).join("");
    const name = (from, to, words) => { const a = clamp(from), z = clamp(to), room = X(z) - X(a); return room > 6.6 * words.length ? `<text x="${(X(a) + X(z)) / 2}" y="14" text-anchor="middle">${words}</text>` : ""; };
    const inside = zone(low, zero, "zero", 0.16, true) + zone(zero, normal, "subnormal", 0.09, false) + zone(top, high, "infinite", 0.16, true) + bars + name(low, zero, "zero") + name(zero, normal, "subnormal") + name(normal, top, "normal") + name(top, high, "infinite");
    box.querySelector(".xp-art").innerHTML = picture(width, 24 + 190 + 44, `Histogram of gradient magnitudes after scaling, with the ranges of ${format}`, frame(inside));
    const percent = (v) => `${v ? (100 * v).toFixed(v < 0.1 ? 2 : 1) : 0} %`;
    return `Scale 2${raised(Math.round(Math.log2(scale)))} in ${format}: ${percent(fate.zero)} of the non-zero gradients become zero, ${percent(fate.subnormal)} are subnormal, ${fate.infinite ? `<b>${percent(fate.infinite)} infinite: the step is skipped</b>` : "none is infinite"}.`;
  };
  return stage(host, {
    about, defaults, draw,
    controls: [
      { kind: "select", key: "format", label: "Format", options: [["fp32", "fp32: 8 exponent, 23 fraction bits"], ["bf16", "bf16: 8 and 7"], ["fp16", "fp16: 5 and 10"]] },
      { kind: "text", key: "text", label: "A number, or flip its bits" },
      { kind: "select", key: "stage", label: "Model gradients", options: [["early", "early in training"], ["middle", "middle"], ["late", "late"]] },
      { key: "scale", label: "Loss scale", min: 0, max: 36, step: 1, base: 2, show: (v) => `2${raised(Math.round(Math.log2(v)))}` },
    ],
    key: "<span>bits: double frame sign, dashed exponent, plain fraction; filled 1</span><span>hatched: lost to zero or infinity</span>",
    look: "The histogram moves, the ranges stay. For early gradients fp16 needs no scale; for middle ones a scale saves nearly all. The late ones are spread wider than fp16: a scale that saves the small ones makes the large ones infinite, and the step is skipped. In bf16 a scale changes nothing that matters, but look at its spacing above.",
  });
}

export default { render };

//= kit.js
