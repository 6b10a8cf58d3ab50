// The tables and plots beside the pictures of a journal: frames, displacements, metadata, notes.

import { exportButtons, fileName } from "./export.mjs";
import { Plot } from "./plot.mjs";
import { UNITS } from "./tables.mjs";
import { number } from "./units.mjs";

const MOST_ROWS = 2000;

/** An element with text and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Tabs in `list` and their panels in `panels`: `[[name, panel element]]`; arrow keys go from one to the next. */
export function tabs(list, panels, entries) {
  list.replaceChildren();
  panels.replaceChildren();
  const buttons = entries.map(([name, panel], i) => {
    const button = element("button", { type: "button", textContent: name, id: `tab-${i}` });
    button.setAttribute("role", "tab");
    button.setAttribute("aria-controls", `panel-${i}`);
    Object.assign(panel, { id: `panel-${i}` });
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", button.id);
    return button;
  });
  const choose = (chosen) => {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", String(i === chosen));
      button.tabIndex = i === chosen ? 0 : -1;
      entries[i][1].hidden = i !== chosen;
    });
  };
  buttons.forEach((button, i) => {
    button.onclick = () => choose(i);
    button.onkeydown = ({ key }) => {
      const next = { ArrowRight: i + 1, ArrowLeft: i - 1 }[key];
      if (next === undefined) return;
      const to = (next + buttons.length) % buttons.length;
      choose(to);
      buttons[to].focus();
    };
  });
  list.append(...buttons);
  panels.append(...entries.map(([, panel]) => panel));
  choose(0);
}

/** A table with a button that saves it as CSV; `rows` begins with the heads. */
function tableOf(name, rows, numeric = () => true) {
  const [heads, ...body] = rows;
  const cell = (tag) => (value, i) =>
    element(tag, { textContent: typeof value === "number" ? number(value) : (value ?? ""), className: i > 0 && numeric(i) ? "n" : "" });
  const table = element(
    "table", {},
    element("thead", {}, element("tr", {}, ...heads.map(cell("th")))),
    element("tbody", {}, ...body.slice(0, MOST_ROWS).map((row) => element("tr", {}, ...row.map(cell("td"))))),
  );
  const out = element("div", {}, exportButtons(() => ({ name, table: rows }), ["CSV"]), element("div", { className: "scroll", tabIndex: 0 }, table));
  if (body.length > MOST_ROWS) out.append(element("p", { className: "soft", textContent: `the first ${MOST_ROWS} rows; the CSV has all ${body.length}` }));
  return out;
}

/** Attributes of all frames as a table. */
export function framesPanel(frames, described, numbers) {
  const panel = element("div");
  const regular = described.signals.filter(({ role }) => !["survey", "dark", "gain"].includes(role)).map(({ name }) => name);
  const flat = frames.map(({ attributes }) => flattened(attributes ?? {}));
  const heads = [...new Set(flat.flatMap((one) => Object.keys(one)))];
  const titles = heads.map((head) => [head, unitOf(head)].filter(Boolean).join(", "));
  const rows = [["frame", ...(numbers ? ["number in the damaged file"] : []), ...titles, "remarks"]];
  frames.forEach(({ names, error }, i) => {
    const missing = names ? regular.filter((name) => !names.includes(name)) : [];
    const remark = error ? `cannot be read: ${error.message}` : missing.length ? `without ${missing.join(", ")}` : "";
    rows.push([i, ...(numbers ? [numbers[i]] : []), ...heads.map((head) => flat[i][head]), remark]);
  });
  panel.append(tableOf("frames", rows, (i) => i < rows[0].length - 1));
  return panel;
}

/** Unit of an attribute or of metadata by its path, undefined where the standard knows none. */
const unitOf = (path) => path.split(".").map((name) => UNITS[name]).find(Boolean);

/** Members of nested objects by their path, values as numbers or text. */
function flattened(value, path = "", out = {}) {
  for (const [name, one] of Object.entries(value)) {
    const here = path ? `${path}.${name}` : name;
    if (one !== null && typeof one === "object" && !Array.isArray(one)) flattened(one, here, out);
    else out[here] = typeof one === "number" || typeof one === "string" ? one : JSON.stringify(one);
  }
  return out;
}

/** Plot and table of the displacements of every signal that has them; `moves` are their means (moves.mjs), by signal. */
export function displacementsPanel(displacements, moves) {
  const panel = element("div");
  if (!displacements.size) {
    const command = element("code", { textContent: "mfsi register FILE -o registration.csv --append" });
    panel.append(element("p", {}, "This journal has no displacements. ", command, " finds and adds them."));
  }
  for (const [name, one] of displacements) {
    const { uy, ux, within } = moves.get(name);
    const frames = Float64Array.from(uy, (_, i) => i);
    const host = element("section", { className: "panel" });
    panel.append(host);
    new Plot(host, { height: 220 }).show({
      x: frames,
      curves: [
        { label: "down (y)", y: uy, colour: "--accent", dots: true, print: "#1f5fa8" },
        { label: "right (x)", y: ux, colour: "--second", dots: true, print: "#c8641b" },
      ],
      title: `Displacements in pixels of ${name}${one.moduloLattice ? ", regions laid on one another modulo the lattice" : ""}`,
      xLabel: "frame", whole: true, yLabel: "mean displacement, px", name: fileName("displacements", name),
    });
    const rows = [["frame", "down (y), px", "right (x), px", "within the frame, px rms", "error, px rms", "left out"]];
    for (let i = 0; i < one.length; i++) {
      const error = Number.isNaN(one.error[i]) ? "unknown" : one.error[i] === Infinity ? "not registered" : one.error[i];
      rows.push([i, uy[i], ux[i], within[i], error, one.leftOut[i] ? "left out" : ""]);
    }
    panel.append(tableOf(`displacements-${name}`, rows));
  }
  return panel;
}

/** The header with its amendments. */
export function metadataPanel(described, version) {
  const panel = element("div", { className: "panels" });
  const { signals, source, ...rest } = described;
  const list = (value) => {
    const out = element("dl");
    for (const [name, one] of Object.entries(flattened(value))) {
      out.append(element("dt", { textContent: name }), element("dd", { textContent: typeof one === "number" ? [number(one, 9), unitOf(name)].filter(Boolean).join(" ") : one }));
    }
    return out;
  };
  const section = (title, value) => panel.append(element("section", { className: "panel" }, element("h2", { textContent: title }), list(value)));
  const { notes, ...origin } = source ?? {};
  section("Journal", { ...rest, format: version.join(".") });
  if (source) section("Source", origin);
  for (const signal of signals) {
    const { name, axes, ...others } = signal;
    const told = (axes ?? []).map((axis) => `${axis.name}: ${axis.size}${axis.scale === undefined ? "" : `, from ${number(axis.offset, 6)} by ${number(axis.scale, 6)} ${axis.units ?? ""}`}${axis.values ? ", tabulated" : ""}`);
    section(name, { ...others, axes: told.join("; ") });
  }
  return panel;
}

/** Notes that the journal carries. */
export function notesPanel(described) {
  const panel = element("div");
  const notes = described.source?.notes;
  const all = Array.isArray(notes) ? notes.map(String) : notes ? [String(notes)] : [];
  if (all.length) panel.append(element("ul", {}, ...all.map((textContent) => element("li", { textContent }))));
  else panel.append(element("p", { className: "soft", textContent: "The journal carries no notes." }));
  return panel;
}
