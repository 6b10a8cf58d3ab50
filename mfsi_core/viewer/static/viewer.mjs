// The viewer's page: wires controls, workers and figures together.

import { displacementsPanel, element, framesPanel, metadataPanel, notesPanel, tabs } from "./details.mjs";
import { marksOf, symbolsOf, windowOf } from "./elements.mjs";
import { Panels } from "./panels.mjs";
import { sizes } from "./sizes.mjs";
import { channelsOf, spectralAxis, strobe } from "./spectral.mjs";
import { themeButton } from "./theme.mjs";
import { bytes, number } from "./units.mjs";
import { View, isStatic, place } from "./view.mjs";

const $ = (id) => document.getElementById(id);

const panels = new Panels(
  { image: $("image-panel"), map: $("map-panel"), spectrum: $("spectrum-panel") },
  { busy, progress, told: notices },
);
const { image: picture, map, plot } = panels;
let view = null; // the journal that is shown
let running = 0;

function say(text) {
  $("summary").textContent = text;
}

function notices() {
  const texts = view.told();
  const box = $("notices");
  const list = element("ul", {}, ...texts.map((textContent) => element("li", { textContent })));
  box.replaceChildren(...(texts.length ? [element("div", { className: "notice" }, list)] : []));
}

/** Opens what was dropped, chosen or named. */
const open = (source, name) => busy(() => opened(source, name));

async function opened(source, name) {
  view?.close();
  view = panels.view = new View(source, name, say);
  const now = view;
  $("empty").hidden = true;
  $("name").textContent = name;
  $("notices").replaceChildren();
  say("opening …");
  $("progress").removeAttribute("value");
  try {
    await view.open();
  } catch (error) {
    if (now !== view) return;
    $("content").hidden = true;
    $("empty").hidden = false;
    say("");
    const hints = { unsupported: "Take a newer viewer.", damaged: "Nothing of it can be saved: without its header the frames cannot be read.", truncated: "It was only just begun, or was cut." };
    const away = source.url && new URL(source.url).origin !== location.origin;
    const remote = away ? "Its server must answer requests for ranges, and let other pages read: Access-Control-Allow-Origin, and Access-Control-Expose-Headers: Content-Range. A copy on this machine can be dropped here." : "";
    const hint = error.clause === "4.1.2" ? "Is it a journal? Others: lbj convert SOURCE -o OUT.lbj." : (hints[error.kind] ?? remote);
    $("notices").replaceChildren(element("div", { className: "notice", textContent: `${name} cannot be opened: ${place(error)}. ${hint}` }));
    return;
  }
  if (now !== view) return;
  $("content").hidden = false;
  $("reload").hidden = false;
  fill();
  await attributes();
}

/** Attributes of the frames, for the table and the areas; the first frame is shown meanwhile. */
async function attributes() {
  const now = view;
  view.single = true;
  panels.refresh("image");
  const found = await view.spectraReader.ask("attributes", null, { progress: ({ done }) => progress(done / now.info.length) });
  if (now !== view) return;
  view.single = false;
  view.attributes = found;
  const regions = [...new Set(found.map((_, i) => view.regionOf(i)))];
  $("areas").hidden = regions.length < 2;
  const label = (region) => `${region} (frames: ${found.filter((_, i) => view.regionOf(i) === region).length})`;
  $("region").replaceChildren(element("option", { value: "", textContent: "all" }), ...regions.map((one) => element("option", { value: String(one), textContent: label(one) })));
  if (regions.length > 1) {
    view.region = regions[0];
    $("region").value = String(regions[0]);
  }
  notices();
  panels.refresh();
  const moves = await view.imageReader.ask("moves");
  if (now === view) details(moves);
}

/** Fills the choices with what the journal has. */
function fill() {
  const { described, info } = view;
  const groups = [...new Set(described.signals.map(({ group }) => group).filter(Boolean))];
  const images = described.signals.filter(({ kind }) => kind === "image");
  const spectra = described.signals.filter(({ kind }) => kind !== "image");
  const usable = (signal) => !isStatic(signal) || info.statics.includes(signal.name);
  const options = (list) => list.map((name) => element("option", { value: name, textContent: titled(name) }));
  const titled = (name) => `${name}${view.signal(name).role ? ` (${view.signal(name).role})` : ""}${groups.includes(name) ? " (all detectors)" : ""}`;
  const names = (list) => list.filter(usable).sort((a, b) => isStatic(a) - isStatic(b)).map(({ name }) => name);
  $("image").replaceChildren(...options(names(images)));
  $("spectra").replaceChildren(...options([...groups.filter((group) => view.signal(group).kind !== "image"), ...names(spectra)]));
  if (images.some(({ name }) => name === "HAADF")) $("image").value = "HAADF";
  for (const [id, panel] of [["image", "image-panel"], ["spectra", "map-panel"], ["spectra", "spectrum-panel"]]) {
    $(panel).hidden = !$(id).options.length;
    $(id).parentElement.hidden = !$(id).options.length;
  }
  $("elements").parentElement.hidden = true;
  $("chips").replaceChildren();
  const frames = info.length;
  Object.assign($("frame"), { max: Math.max(0, frames - 1), value: 0 });
  $("frames").hidden = frames < 2;
  $("drawn").hidden = !$("spectra").options.length;
  const size = view.source.blob ? `, ${bytes(view.source.blob.size)}` : "";
  const title = described.metadata?.title;
  say(`${title ? `${title}: ` : ""}${number(frames)} frame${frames === 1 ? "" : "s"}, ${described.signals.length} signal${described.signals.length === 1 ? "" : "s"}${size}`);
  const elements = described.metadata?.elements;
  $("elements").value = Array.isArray(elements) ? elements.join(",") : "";
  $("aligned").checked = false;
  $("aligned").disabled = !view.displacements.size;
  $("areas").hidden = true;
  view.image = $("image").value;
  chooseSpectra();
  notices();
  buttons();
}

/** Takes up another signal of spectra: its axis, the window, lines. */
function chooseSpectra() {
  view.spectra = $("spectra").value;
  if (!view.spectra) return;
  const signal = view.signal(view.spectra);
  view.axis = spectralAxis(signal);
  $("unit").textContent = view.axis.unit === "channel" ? "" : view.axis.unit;
  $("elements").parentElement.hidden = !view.axis.calibrated;
  view.area = null;
  $("map-panel").hidden = $("area").hidden = sizes(signal).pixels === 1;
  wholeAxis();
  lines();
}

function wholeAxis() {
  const { x } = view.axis;
  const [low, high] = [x[0], x.at(-1)].sort((a, b) => a - b);
  setWindow([Math.max(low, strobe(view.axis)), high], true);
}

/** Takes a window in units of the axis, drawn unless it is the whole of it. */
function setWindow(window, whole = false) {
  const [low, high] = [...window].sort((a, b) => a - b);
  view.window = [low, high];
  view.channels = channelsOf(view.axis, view.window);
  $("low").value = Number(low.toPrecision(6));
  $("high").value = Number(high.toPrecision(6));
  plot.setWindow(whole ? null : view.window);
  panels.refresh("map");
}

/** Marks of the elements that are named, and a button each that maps it. */
function lines() {
  const [known, unknown] = symbolsOf($("elements").value);
  const { x, factor, xray, calibrated } = view.axis;
  const beam = view.described.metadata?.beam_energy;
  const [low, high] = [x[0], x.at(-1)].sort((a, b) => a - b).map((value) => value / factor);
  const range = { xray, low, high, beam: typeof beam === "number" ? beam : undefined };
  view.marks = calibrated ? marksOf(known, range).map((mark) => ({ ...mark, x: mark.x * factor })) : [];
  const chips = (calibrated ? known : []).map((symbol) => {
    const found = windowOf(symbol, range);
    const button = element("button", { type: "button", textContent: found ? found.label : `${symbol}: no ${xray ? "line" : "edge"} on this axis`, disabled: !found });
    if (found) button.title = "map this window";
    button.onclick = () => setWindow(found.window.map((value) => value * factor));
    return button;
  });
  if (calibrated && unknown.length) chips.push(element("span", { className: "soft", textContent: `not known: ${unknown.join(", ")}` }));
  $("chips").replaceChildren(...chips);
  plot.setMarks(view.marks);
}

function setArea(area) {
  const ends = { top: area?.[0], left: area?.[1], bottom: area && area[2] - 1, right: area && area[3] - 1 };
  for (const [id, value] of Object.entries(ends)) $(id).value = value ?? "";
  panels.setArea(area);
}

/** Progress of the newest request; the bar is shown while any is running. */
function progress(share) {
  $("progress").value = share;
}

/** Does something while the page says that it is busy. */
async function busy(work) {
  const count = (change) => {
    running += change;
    $("progress").hidden = running === 0;
    document.body.setAttribute("aria-busy", String(running > 0));
  };
  count(1);
  try {
    return await work();
  } finally {
    count(-1);
  }
}

function details(moves) {
  const { described, info, attributes: frames, displacements, recovered } = view;
  tabs($("tabs"), $("tabpanels"), [
    ["Displacements", displacementsPanel(displacements, moves)],
    ["Frames", framesPanel(frames, described, recovered?.kept)],
    ["Description", metadataPanel(described, info.version)],
    ["Notes", notesPanel(described)],
  ]);
}

function buttons() {
  $("all").setAttribute("aria-pressed", String(!view.single));
  const old = view.recovered ? ` (was ${view.recovered.kept[view.frame]})` : "";
  const { length } = view.info;
  $("which").textContent = !length ? "none" : view.single ? `${view.frame}${old} of 0–${length - 1}` : `0–${length - 1}`;
}

function go(frame) {
  if (!view?.info || frame < 0 || frame >= view.info.length) return;
  Object.assign(view, { frame, single: true });
  $("frame").value = frame;
  buttons();
  panels.refresh();
}

function all() {
  view.single = false;
  buttons();
  notices();
  panels.refresh();
}

function listen() {
  $("open").onclick = $("choose").onclick = () => $("file").click();
  $("file").onchange = () => {
    const [file] = $("file").files;
    if (file) open({ blob: file }, file.name);
    $("file").value = "";
  };
  $("reload").onclick = () => open(view.source, view.name);
  $("help").onclick = () => $("keys").showModal();
  $("frame").oninput = () => go(Number($("frame").value));
  $("all").onclick = all;
  $("region").onchange = () => {
    view.region = $("region").value === "" ? null : Number($("region").value);
    all();
  };
  $("aligned").onchange = () => {
    view.aligned = $("aligned").checked;
    all();
  };
  $("image").onchange = () => {
    view.image = $("image").value;
    notices();
    panels.refresh("image");
  };
  $("spectra").onchange = () => {
    chooseSpectra();
    setArea(null);
    notices();
    panels.refresh("map", "spectrum");
  };
  $("elements").oninput = lines;
  $("low").onchange = $("high").onchange = () => {
    const ends = [$("low").valueAsNumber, $("high").valueAsNumber];
    if (ends.every(Number.isFinite)) setWindow(ends);
  };
  $("whole").onclick = wholeAxis;
  for (const id of ["top", "bottom", "left", "right"]) $(id).onchange = typedArea;
  $("no-area").onclick = () => setArea(null);
  map.addEventListener("area", ({ detail }) => setArea(detail));
  map.addEventListener("drawing", ({ detail }) => setArea(detail));
  picture.addEventListener("area", ({ detail }) => setArea(panels.fromImage(detail)));
  plot.addEventListener("window", ({ detail }) => setWindow(detail));
  document.addEventListener("keydown", keys);
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.add("over");
    });
  }
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget ?? document.body.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) open({ blob: file }, file.name);
  });
}

function typedArea() {
  const [top, left, bottom, right] = ["top", "left", "bottom", "right"].map((id) => $(id).valueAsNumber);
  const { rows, columns } = sizes(view.signal(view.spectra));
  if (![top, left, bottom, right].every(Number.isInteger)) return;
  if (top < 0 || left < 0 || bottom < top || right < left || bottom >= rows || right >= columns) {
    $("bottom").setCustomValidity(`rows run from 0 to ${rows - 1}, columns from 0 to ${columns - 1}`);
    $("bottom").reportValidity();
    return;
  }
  $("bottom").setCustomValidity("");
  setArea([top, left, bottom + 1, right + 1]);
}

function keys(event) {
  if (event.target.matches("input:not([type=range]):not([type=checkbox]), select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "o") $("file").click();
  if (!view?.info) return;
  if (event.key === "." || event.key === ",") go(view.single ? view.frame + (event.key === "." ? 1 : -1) : view.frame);
  if (event.key === "a") all();
  if (event.key === "l") logarithmic.click();
}

const logarithmic = element("button", { type: "button", textContent: "Log", title: "logarithmic counts", className: "small" });
logarithmic.setAttribute("aria-pressed", "false");
logarithmic.onclick = () => {
  const on = !plot.logarithmic;
  logarithmic.setAttribute("aria-pressed", String(on));
  plot.setLogarithmic(on);
};
const dragging = element("select", { ariaLabel: "what dragging does" }, element("option", { value: "window", textContent: "drag: window to map" }), element("option", { value: "zoom", textContent: "drag: zoom (double click: back)" }));
dragging.onchange = () => plot.setDrawing(dragging.value === "window");
plot.setDrawing(true);
plot.tools.append(logarithmic, dragging);

themeButton($("theme"));
listen();
const asked_ = new URLSearchParams(location.search).get("url");
if (asked_) {
  const url = new URL(asked_, location.href);
  open({ url: url.href }, decodeURIComponent(url.pathname.split("/").at(-1)));
}
