// The planner's page: reads the form and shows the plan anew at every change.

import { element } from "./details.mjs";
import { exportButtons } from "./export.mjs";
import { FIELDS, PlanError, plan } from "./plan.mjs";
import { showFigures } from "./figures.mjs";
import { themeButton } from "./theme.mjs";

const $ = (id) => document.getElementById(id);
const inputs = new Map();

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
  showFigures($("figures"), made);
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
