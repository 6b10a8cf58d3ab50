// Lines and edges of elements: what is marked in a spectrum, and the window by which an element is mapped.

import { EDGES, LINES } from "./tables.mjs";

const MN_KA = 5895; // eV
const RESOLUTION = 130; // eV, full width at Mn Ka
const NARROWEST = 40; // eV
const HALF_WIDTH = 1.2; // of a window, in full widths at half maximum, as of mfsi maps --maps windows
const OVERVOLTAGE = 1.5;
const DETECTOR_LIMIT = 16000; // eV; above it lines are chosen only where nothing else is left
const EDGE_WINDOW = 50; // eV after an edge
const GREEK = { a: "α", b: "β", g: "γ" };

/** Element symbols in a text: [those in the tables, those that are not]. */
export function symbolsOf(text) {
  const all = [...new Set(text.split(/[\s,;]+/).filter(Boolean))].map((one) => one[0].toUpperCase() + one.slice(1).toLowerCase());
  return [all.filter((one) => LINES[one] || EDGES[one]), all.filter((one) => !LINES[one] && !EDGES[one])];
}

/** Ka1 as Kα1. */
export const greek = (name) => name.replace(/^([KLM])([abg])/, (_, family, letter) => family + GREEK[letter]);

/** Marks `[{x, label, family}]` of elements between two energies (eV), the heaviest first; `beam` eV or undefined. */
export function marksOf(elements, { xray, low, high, beam = Infinity }) {
  const marks = elements.flatMap((element) =>
    xray
      ? (LINES[element] ?? [])
          .filter(([, name, , edge]) => edge < beam && !name.endsWith("a2"))
          .map(([family, name, x, , weight]) => ({ x, weight, family: `${element} ${family}`, label: `${element} ${greek(name).replace("α1", "α").replace("β1", "β")}` }))
      : (EDGES[element] ?? []).map(([name, x]) => ({ x, family: `${element} ${name[0]}`, weight: name === "K" || name.endsWith("3") || name.endsWith("5") ? 1 : 0, label: `${element} ${name}` })),
  );
  return marks.filter(({ x }) => x >= low && x <= high).sort((a, b) => b.weight - a.weight);
}

/** The line or edge by which an element is mapped: {label, window: [low, high]} in eV, or null where none lies there. */
export function windowOf(element, { xray, low, high, beam = Infinity }) {
  if (!xray) {
    const edge = (EDGES[element] ?? []).find(([name, x]) => x >= low && x < high - EDGE_WINDOW / 2 && /K|3|5/.test(name));
    return edge ? { label: `${element} ${edge[0]}`, window: [edge[1], Math.min(high, edge[1] + EDGE_WINDOW)] } : null;
  }
  const alphas = (LINES[element] ?? []).filter(
    ([, name, x, edge]) => name.endsWith("a1") && x >= low && x <= high && edge <= beam / OVERVOLTAGE,
  );
  const best = alphas.find(([, , x]) => x <= DETECTOR_LIMIT) ?? alphas[0];
  if (!best) return null;
  const pair = LINES[element].filter(([family, name]) => family === best[0] && /^.a[12]$/.test(name));
  const [energy, share] = pair.reduce(([sum, all], [, , x, , weight]) => [sum + x * weight, all + weight], [0, 0]);
  const middle = energy / share;
  const reach = HALF_WIDTH * Math.sqrt(Math.max(RESOLUTION ** 2 + 2.5 * (middle - MN_KA), NARROWEST ** 2));
  return { label: `${element} ${best[0]}α`, window: [middle - reach, middle + reach] };
}
