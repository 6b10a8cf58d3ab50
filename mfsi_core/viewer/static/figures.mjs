// The planner's table of results: times, doses and bytes of a planned series as text.

import { element } from "./details.mjs";
import { bytes, number } from "./units.mjs";

/** A time in s, with minutes or hours where they say more. */
export function time(seconds) {
  if (seconds < 120) return `${number(seconds)} s`;
  return seconds < 7200 ? `${number(seconds, 5)} s (${number(seconds / 60, 3)} min)` : `${number(seconds, 6)} s (${number(seconds / 3600, 3)} h)`;
}

const dose = (value) => `${number(value)} e/Å²`;

const FIGURES = [
  ["Pixels (rows × columns)", ({ pixels: [rows, columns], field_nm: [y, x] }) => `${rows} × ${columns}, ${number(y)} × ${number(x)} nm`],
  ["Frame time", (made) => time(made.frame_time_s)],
  ["  with overheads", (made) => time(made.frame_time_with_overheads_s)],
  ["Series", (made) => time(made.series_time_s)],
  ["Charge per pixel and frame", (made) => `${number(made.pixel_charge)} electrons`],
  ["Dose per frame", (made) => dose(made.dose_per_frame)],
  ["Dose of the series", (made) => dose(made.total_dose)],
  ["  beam on during overheads", (made) => dose(made.total_dose_with_overheads)],
  ["Effective dose of all motifs", (made) => `${dose(made.effective_dose)} (no motif receives it)`, (made) => made.motifs > 1],
  ["Dose rate of an exposure", (made) => `${dose(made.dose_rate)}/s`],
  ["Dose rate of the series", (made) => `${dose(made.series_dose_rate)}/s`],
  ["  beam on during overheads", (made) => `${dose(made.series_dose_rate_with_overheads)}/s`],
  ["Journal, estimate", (made) => (made.file_bytes === null ? "not known before the first frame" : bytes(made.file_bytes))],
];

/** Fills a table with the figures of a plan; with none of them where it is null. */
export function showFigures(table, made) {
  const rows = FIGURES.filter(([, , where]) => !where || (made && where(made))).map(([label, told]) =>
    element(
      "tr", {},
      element("th", { textContent: label.trim(), scope: "row", className: label.startsWith(" ") ? "sub" : "" }),
      element("td", { className: "n", textContent: made ? told(made) : "–" }),
    ),
  );
  table.replaceChildren(...rows);
}
