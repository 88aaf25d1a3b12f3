// Which activations share one mean, and what each normaliser does not see (chapter 7, sections 7.5 and 7.7).

export const about = {
  title: "Who shares a mean?",
  question: "Which changes does each normaliser not see? Choose a normaliser, choose a change, and count the outputs that move.",
  chapter: "07_other_normalizers",
  alt: "A block of four examples, six units and four positions. Batch norm takes one mean over all examples and positions of a unit; instance norm over the positions of one unit in one example; group norm over a group of units and all positions of one example; layer norm over the units of one example at one position. What is scaled or shifted within one such set leaves the output as it was.",
};

export const SHAPE = { examples: 4, units: 6, positions: 4, inputs: 5 };
const { examples: B, units: O, positions: T, inputs: I } = SHAPE;
const TINY = 1e-30;

/** Inputs x (B,T,I), weights W (O,I), a shift u (I) and other examples, all seeded; bias 0. */
export function start(seed = 9) {
  const { normal } = random(seed), draw = (n, plus = 0) => Array.from({ length: n }, () => normal() + plus);
  return { x: draw(B * T * I, 1), W: draw(O * I), b: Array(O).fill(0), u: draw(I), others: draw(B * T * I) };
}

const at = (n, o, t) => (n * O + o) * T + t;

/** Pre-activations s (B,O,T), flat: examples, units, positions. */
export function linear({ x, W, b }) {
  const s = new Array(B * O * T);
  for (let n = 0; n < B; n++) for (let o = 0; o < O; o++) for (let t = 0; t < T; t++) {
    let sum = b[o];
    for (let i = 0; i < I; i++) sum += x[(n * T + t) * I + i] * W[o * I + i];
    s[at(n, o, t)] = sum;
  }
  return s;
}

/** The name of the set whose statistics an activation is normalised by. */
export function owner(norm, groups, n, o, t) {
  if (norm === "BN") return `${o}`;
  if (norm === "IN") return `${n},${o}`;
  if (norm === "GN") return `${n},${Math.floor((o * groups) / O)}`;
  return `${n},${t}`; // LN and RMS: the units of one example at one position
}

/** Output (B,O,T) with gain 1 and shift 0; WN normalises the weights instead. */
export function output(norm, groups, { x, W, b }, eps = TINY) {
  if (norm === "WN") {
    const unit = W.map((w, k) => w / Math.hypot(...W.slice(k - (k % I), k - (k % I) + I)));
    return linear({ x, W: unit, b });
  }
  const s = linear({ x, W, b }), sets = new Map();
  if (norm === "none") return s;
  for (let n = 0; n < B; n++) for (let o = 0; o < O; o++) for (let t = 0; t < T; t++) {
    const name = owner(norm, groups, n, o, t);
    if (!sets.has(name)) sets.set(name, []);
    sets.get(name).push(at(n, o, t));
  }
  const y = new Array(s.length);
  for (const cells of sets.values()) {
    const mean = norm === "RMS" ? 0 : cells.reduce((sum, k) => sum + s[k], 0) / cells.length;
    const root = Math.sqrt(cells.reduce((sum, k) => sum + (s[k] - mean) ** 2, 0) / cells.length + eps);
    for (const k of cells) y[k] = (s[k] - mean) / root;
  }
  return y;
}

const times3 = (values, keep) => values.map((v, k) => (keep(k) ? 3 * v : v));

/** The nine changes of section 7.7, of inputs, weights and bias. */
export const CHANGES = {
  "a unit's weights × 3": (s) => ({ ...s, W: times3(s.W, (k) => k < I) }),
  "all weights × 3": (s) => ({ ...s, W: times3(s.W, () => true) }),
  "+ u to all units' weights": (s) => ({ ...s, W: s.W.map((v, k) => v + s.u[k % I]) }),
  "+ 1 to a unit's bias": (s) => ({ ...s, b: s.b.map((v, k) => (k === 0 ? v + 1 : v)) }),
  "all inputs × 3": (s) => ({ ...s, x: times3(s.x, () => true) }),
  "+ u to all inputs": (s) => ({ ...s, x: s.x.map((v, k) => v + s.u[k % I]) }),
  "an example × 3": (s) => ({ ...s, x: times3(s.x, (k) => k < T * I) }),
  "a position × 3": (s) => ({ ...s, x: times3(s.x, (k) => k < I) }),
  "other examples replaced": (s) => ({ ...s, x: s.x.map((v, k) => (k < T * I ? v : s.others[k])) }),
};

/** By how much each output moves, flat (B,O,T); only example 0 counts where the others are replaced. */
export function moves(norm, groups, change, s = start()) {
  const before = output(norm, groups, s), after = output(norm, groups, CHANGES[change](s));
  return after.map((v, k) => (change === "other examples replaced" && k >= O * T ? 0 : Math.abs(v - before[k])));
}

const NORMS = { BN: "batch norm", IN: "instance norm", GN: "group norm", LN: "layer norm (last axis)", RMS: "RMS norm", WN: "weight norm", none: "no normaliser" };
export const defaults = { norm: "BN", groups: 2, change: "a unit's weights × 3", cell: 33 }; // at(1, 2, 1)
const place = (k) => [Math.floor(k / (O * T)), Math.floor(k / T) % O, k % T];
const square = (x, y, side) => `M${tenth(x)} ${tenth(y)}h${tenth(side)}v${tenth(side)}h${-tenth(side)}z`;
const TABLE = `<style>.xp .xp-tried{display:table;border-collapse:collapse;font-size:13px;line-height:1.35;margin:.3em 0;width:auto;color:inherit;background:none}.xp .xp-tried :is(th,td,tr){padding:2px 3px!important;border:0;text-align:center;font-weight:normal;background:none!important;color:inherit}.xp .xp-tried tbody th{text-align:left}.xp .xp-tried caption{caption-side:top;text-align:left;color:inherit;padding:0 0 .3em}</style>`;

function render(host) {
  const ui = stage(host, "Look for pairs. What only scales or shifts a whole shaded set leaves no trace (for RMS norm: what only scales it); what changes a part of the set does. Batch norm and layer norm miss different things, and only one of them looks at other examples.");
  ui.select("norm", "Normaliser", NORMS);
  ui.select("change", "Change", Object.fromEntries(Object.keys(CHANGES).map((c) => [c, c])));
  ui.select("groups", "Groups (GN only)", { 1: "1", 2: "2", 3: "3", 6: "6" }, { off: (s) => s.norm !== "GN" });
  ui.slider("cell", "Outlined", { min: 0, max: B * O * T - 1, step: 1, text: (k) => { const [n, o, t] = place(k); return `ex. ${n}, unit ${o}, pos. ${t}`; } });
  ui.keys(["■ positive, □ negative; the area is the size"]);
  const blocks = ui.chart("Activations of four examples with six units at four positions, and how far each output moves", 0), table = add(ui.charts, "div"), s0 = start(), inputs = linear(s0), tried = {};
  let written = "";
  const show = (groups) => {
    const columns = ["BN", "IN", `GN ${groups}`, "LN", "RMS", "WN", "none"];
    const rows = Object.keys(CHANGES).map((c) => `<tr><th scope="row">${c}</th>${columns.map((n) => `<td>${{ undefined: "·", true: "×", false: "●" }[tried[`${n}|${c}`]]}</td>`).join("")}</tr>`).join("");
    const html = `${TABLE}<table class="xp-tried"><caption>Tried: ● all outputs stay, × some move, · not yet</caption><thead><tr><td></td>${columns.map((n) => `<th scope="col">${n.replace(" ", "&nbsp;")}</th>`).join("")}</tr></thead><tbody>${rows}</tbody></table>`;
    if (html !== written) table.innerHTML = written = html;
  };
  show(defaults.groups); // its width first
  return ui.start((state) => {
    const { norm, groups, change, cell } = state, moved = moves(norm, groups, change, s0), mine = owner(norm, groups, ...place(cell));
    const count = moved.filter((m) => m > 1e-9).length, counted = change === "other examples replaced" ? O * T : B * O * T;
    const shares = (k) => norm !== "none" && norm !== "WN" && owner(norm, groups, ...place(k)) === mine;
    tried[`${norm === "GN" ? `GN ${groups}` : norm}|${change}`] = count > 0;
    const left = 52, gap = 8, size = Math.max(13, Math.min(18, Math.floor((blocks.room - left - 3 * gap) / (B * T)))), tall = O * size, second = tall + 96;
    const corner = (k) => { const [n, o, t] = place(k); return [left + n * (T * size + gap) + t * size, o * size]; };
    const block = (top, value, most, shaded) => {
      const paths = { grid: "", set: "", slash: "", up: "", down: "" }, [cx, cy] = corner(cell);
      value.forEach((v, k) => {
        const [x, y] = corner(k), side = Math.min(1, Math.sqrt(Math.abs(v) / most)) * (size - 5), inside = (size - side) / 2;
        paths.grid += square(x, y, size);
        if (Math.abs(v) > 1e-9) paths[v > 0 ? "up" : "down"] += square(x + inside, y + inside, side);
        if (!shaded || !shares(k)) return;
        paths.set += square(x, y, size);
        paths.slash += `M${x + 1} ${y + size - 1}l${size - 2} ${2 - size}`;
      });
      const names = Array.from({ length: O }, (_, o) => `<text x="${left - 6}" y="${o * size + size / 2 + 5}" text-anchor="end">${o ? o : "unit 0"}</text>`)
        .concat(Array.from({ length: B }, (_, n) => `<text x="${left + n * (T * size + gap)}" y="-6">ex. ${n}</text>`)).join("");
      return `<g transform="translate(0 ${top})">${names}<path d="${paths.set}" fill="var(--c1)" fill-opacity=".4"/><path d="${paths.grid}" class="grid" fill="none"/><path d="${paths.up}" fill="currentColor"/><path d="${paths.down}" fill="none" stroke="currentColor" stroke-width="1.4"/>
        <path d="${paths.slash}" stroke="var(--c1)" stroke-width="1.5"/>${shaded ? `<path d="${square(cx + 1, cy + 1, size - 2)}" fill="none" stroke="var(--c0)" stroke-width="3"/>` : ""}</g>`;
    };
    blocks.size(second + tall + 6);
    blocks.paint(`<text x="0" y="14">activations before the normaliser; shaded: one mean</text>${block(44, inputs, 5, true)}<text x="0" y="${second - 26}">how far each output moves</text>${block(second, moved, 6, false)}`);
    blocks.svg.onclick = ({ offsetX: x, offsetY: y }) => {
      const hit = inputs.findIndex((_, k) => { const [cx, cy] = corner(k); return [44, second].some((top) => x >= cx && x < cx + size && y - top >= cy && y - top < cy + size); });
      if (hit >= 0) ui.put({ cell: hit });
    };
    show(groups);
    const shared = norm === "WN" ? "Weight norm takes no statistics of activations." : norm === "none" ? "Nothing is normalised."
      : `The outlined activation shares its ${norm === "RMS" ? "mean square" : "mean and variance"} with ${inputs.filter((_, k) => shares(k)).length - 1} others.`;
    return `${shared} <b>${change}</b>: ${count} of ${counted} outputs move${count ? `, the farthest by ${said(Math.max(...moved))}` : ""}.`;
  }, () => Object.keys(tried).forEach((pair) => delete tried[pair]));
}
export default { render };

//= frame.js
