// Export menu of every figure: PNG, SVG and CSV files that the page hands out.

import { SvgContext } from "./svg.mjs";

const SHARPNESS = 3; // pixels of a PNG for one of the page

/** Hands out a file. */
export function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * A figure as PNG or SVG.
 *
 * @param figure `{name, width, height, draw(context)}`, sizes in px
 */
export async function saveFigure({ name, width, height, draw }, kind) {
  if (kind === "svg") {
    const context = new SvgContext(width, height);
    draw(context);
    save(`${name}.svg`, context.text(), "image/svg+xml");
    return;
  }
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: width * SHARPNESS, height: height * SHARPNESS });
  const context = canvas.getContext("2d");
  context.scale(SHARPNESS, SHARPNESS);
  draw(context);
  save(`${name}.png`, await new Promise((resolve) => canvas.toBlob(resolve, "image/png")));
}

const field = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));

/** Rows of cells as CSV (RFC 4180). */
export const csv = (rows) => rows.map((row) => Array.from(row, field).join(",")).join("\r\n") + "\r\n";

/**
 * Buttons PNG, SVG and CSV.
 *
 * @param give gives `{figure, table}` at the time of the click, null where there is nothing yet; without `figure` CSV alone
 */
export function exportButtons(give, kinds = ["PNG", "SVG", "CSV"]) {
  const box = document.createElement("span");
  box.className = "exports";
  for (const kind of kinds) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: kind, className: "small" });
    button.title = `save as ${kind}`;
    button.onclick = () => {
      const given = give();
      if (!given) return;
      if (kind === "CSV") save(`${given.name}.csv`, csv(given.table), "text/csv");
      else saveFigure({ name: given.name, ...given.figure }, kind.toLowerCase());
    };
    box.append(button);
  }
  return box;
}

/** A name for files out of words: letters, digits, dots and dashes. */
export const fileName = (...words) => words.filter(Boolean).join("-").normalize("NFKD").replace(/[^\w.+-]+/g, "_");
