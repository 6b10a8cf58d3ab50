// The planner's page: figures are told anew at every change.

import { element } from "./details.mjs";
import { exportButtons } from "./export.mjs";
import { FIELDS, PlanError, plan } from "./plan.mjs";
import { showFigures } from "./figures.mjs";
import { themeButton } from "./theme.mjs";

const $ = (id) => document.getElementById(id);
const inputs = new Map();

<<<<<<< HEAD
/** A time in s, with minutes or hours where they say more. */
function time(seconds) {
  if (seconds < 120) return `${number(seconds)} s`;
  return seconds < 7200 ? `${number(seconds, 5)} s (${number(seconds / 60, 3)} min)` : `${number(seconds, 6)} s (${number(seconds / 3600, 3)} h)`;
}

const dose = (value) => `${number(value)} e/Å²`;

const MOTIFS = "Effective dose of all motifs";
const ROWS = [
  ["Pixels (rows × columns)", ({ pixels: [rows, columns], field_nm: [y, x] }) => `${rows} × ${columns}, ${number(y)} × ${number(x)} nm`],
  ["Frame time", (made) => time(made.frame_time_s)],
  ["  with overheads", (made) => time(made.frame_time_with_overheads_s)],
  ["Series", (made) => time(made.series_time_s)],
  ["Charge per pixel and frame", (made) => `${number(made.pixel_charge)} electrons`],
  ["Dose per frame", (made) => dose(made.dose_per_frame)],
  ["Dose of the series", (made) => dose(made.total_dose)],
  ["  beam on during overheads", (made) => dose(made.total_dose_with_overheads)],
  [MOTIFS, (made) => `${dose(made.effective_dose)} (no motif receives it)`],
  ["Dose rate of an exposure", (made) => `${dose(made.dose_rate)}/s`],
  ["Dose rate of the series", (made) => `${dose(made.series_dose_rate)}/s`],
  ["  beam on during overheads", (made) => `${dose(made.series_dose_rate_with_overheads)}/s`],
  ["Journal, estimate", (made) => bytes(made.file_bytes)],
];

=======
>>>>>>> ca411e0 (mfsi acquire: the acquisition window in the browser)
let made = null;

function update() {
  const settings = Object.fromEntries([...inputs].map(([name, { input }]) => [name, input.value]));
  for (const { input, fault } of inputs.values()) {
    input.removeAttribute("aria-invalid");
    fault.textContent = "";
  }
  try {
    made = plan(settings);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    made = null;
    const { input, fault } = inputs.get(error.field);
    input.setAttribute("aria-invalid", "true");
    fault.textContent = error.message;
  }
<<<<<<< HEAD
  const rows = ROWS.filter(([label]) => made?.motifs !== 1 || label !== MOTIFS).map(([label, told]) =>
    element("tr", {}, element("th", { textContent: label.trim(), scope: "row", className: label.startsWith(" ") ? "sub" : "" }), element("td", { className: "n", textContent: made ? told(made) : "–" })),
  );
  $("figures").replaceChildren(...rows);
=======
  showFigures($("figures"), made);
>>>>>>> ca411e0 (mfsi acquire: the acquisition window in the browser)
  const words = FIELDS.filter(({ name, value, zero }) => !((zero || name === "motifs") && settings[name] === value));
  $("same").hidden = !made;
  $("command").textContent = `mfsi plan ${words.map(({ name }) => `--${name} ${quoted(settings[name])}`).join(" ")}`;
  history.replaceState(null, "", `#${new URLSearchParams(settings)}`);
}

const quoted = (text) => (/^[\w.,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const given = new URLSearchParams(location.hash.slice(1));
for (const { name, label, hint, value } of FIELDS) {
  const input = element("input", { type: "text", id: name, value: given.get(name) ?? value, spellcheck: false });
  const fault = element("small", { className: "fault", id: `${name}-fault` });
  input.setAttribute("aria-describedby", fault.id);
  input.oninput = update;
  inputs.set(name, { input, fault });
  $("fields").append(element("label", { htmlFor: name, textContent: label }), input, element("small", { className: "soft", textContent: hint }), fault);
}
$("fields").onsubmit = (event) => event.preventDefault();
$("exports").append(exportButtons(() => made && { name: "plan", table: Object.entries(made).map(([name, value]) => [name, ...[value].flat()]) }, ["CSV"]));
themeButton($("theme"));
update();
