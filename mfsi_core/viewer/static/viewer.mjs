// The viewer's page: what is chosen, what is asked of the workers, what is shown.

import { displacementsPanel, element, framesPanel, metadataPanel, notesPanel, tabs } from "./details.mjs";
import { marksOf, symbolsOf, windowOf } from "./elements.mjs";
import { fileName } from "./export.mjs";
import { Field } from "./field.mjs";
import { Plot } from "./plot.mjs";
import { sizes, stepOf } from "./sizes.mjs";
import { channelsOf, spectralAxis, strobe, total } from "./spectral.mjs";
import { themeButton } from "./theme.mjs";
import { bytes, number } from "./units.mjs";
import { View, isStatic, place, ranges } from "./view.mjs";

const $ = (id) => document.getElementById(id);

const picture = new Field($("image-panel"), { colours: "grey" });
const map = new Field($("map-panel"), { colours: "viridis" });
const plot = new Plot($("spectrum-panel"), { drawable: true });
let view = null; // the journal that is shown

function say(text) {
  $("summary").textContent = text;
}

function notices() {
  const texts = [...view.notes];
  if (view.recovered) {
    const { kept, lost, error } = view.recovered;
    texts.push(`The file is damaged (${place(error)}). ${kept.length} frames survive${lost.length ? `; lost: frame ${ranges(lost)}` : "; no completed frame is lost"}. Save what survives with lbj recover.`);
  }
  for (const [name, faults] of view.lost) {
    for (const [message, frames] of faults) texts.push(`${name}: frame ${ranges([...frames].sort((a, b) => a - b))} cannot be read and is left out (${message}).`);
  }
  const regions = new Set((view.attributes ?? []).map((_, i) => view.regionOf(i)));
  if (regions.size > 1 && view.region === null && !view.single) texts.push(`Frames of ${regions.size} areas are summed: pictures show them on one another. Choose one above.`);
  const box = $("notices");
  const list = element("ul", {}, ...texts.map((textContent) => element("li", { textContent })));
  box.replaceChildren(...(texts.length ? [element("div", { className: "notice" }, list)] : []));
}

/** Opens what was dropped, chosen or named. */
const open = (source, name) => busy(() => opened(source, name));

async function opened(source, name) {
  view?.close();
  view = new View(source, name, say);
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
    const hint = error.kind === "unsupported" ? "Take a newer viewer." : "Is it a journal? Others: lbj convert SOURCE -o OUT.lbj.";
    $("notices").replaceChildren(element("div", { className: "notice", textContent: `${name} cannot be opened: ${place(error)}. ${hint}` }));
    return;
  }
  if (now !== view) return;
  $("content").hidden = false;
  $("reload").hidden = false;
  fill();
  await attributes();
  if (now === view) refresh("image", "map", "spectrum", "area");
}

/** Attributes of the frames, for the table and the areas; the first frame is shown meanwhile. */
async function attributes() {
  const now = view;
  view.single = true;
  refresh("image");
  const found = await view.spectraReader.ask("attributes", null, { progress: ({ done }) => progress(done / now.info.length) });
  if (now !== view) return;
  view.single = false;
  view.attributes = found;
  const regions = [...new Set(found.map((_, i) => view.regionOf(i)))];
  $("areas").hidden = regions.length < 2;
  const label = (region) => `${region} (${found.filter((_, i) => view.regionOf(i) === region).length} frames)`;
  $("region").replaceChildren(element("option", { value: "", textContent: "all" }), ...regions.map((one) => element("option", { value: String(one), textContent: label(one) })));
  if (regions.length > 1) {
    view.region = regions[0];
    $("region").value = String(regions[0]);
  }
  details();
  notices();
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
  chooseSpectra();
  notices();
  buttons();
}

/** Takes up another signal of spectra: its axis, the window, lines. */
function chooseSpectra() {
  const name = $("spectra").value;
  if (!name) return;
  const signal = view.signal(name);
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
  refresh("map");
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
  if (unknown.length) chips.push(element("span", { className: "soft", textContent: `not known: ${unknown.join(", ")}` }));
  $("chips").replaceChildren(...chips);
  plot.setMarks(view.marks);
}

function setArea(area) {
  view.area = area;
  for (const [id, value] of [["top", area?.[0]], ["left", area?.[1]], ["bottom", area && area[2] - 1], ["right", area && area[3] - 1]]) $(id).value = value ?? "";
  showArea();
  if (area) refresh("area");
  else {
    view.shown.area = null;
    drawSpectrum();
  }
}

/** Draws the area of the map in the image too, where both show one field. */
function showArea() {
  map.setArea(view.area);
  const image = view.signal($("image").value);
  const spectra = view.signal($("spectra").value);
  const same = image && spectra && !image.to_field && !spectra.to_field;
  const [from, to] = same ? [sizes(spectra), sizes(image)] : [];
  const scale = same && view.area ? [to.rows / from.rows, to.columns / from.columns] : null;
  picture.setArea(scale && view.area.map((value, i) => value * scale[i % 2]));
}

/** The area drawn in the image, in pixels of the map. */
function areaFromImage(area) {
  const spectra = view.signal($("spectra").value);
  const image = view.signal($("image").value);
  if (!spectra || image.to_field || spectra.to_field) return;
  if (!area) {
    setArea(null);
    return;
  }
  const [from, to] = [sizes(image), sizes(spectra)];
  const [sy, sx] = [to.rows / from.rows, to.columns / from.columns];
  const [top, left] = [Math.floor(area[0] * sy), Math.floor(area[1] * sx)];
  setArea([top, left, Math.max(top + 1, Math.ceil(area[2] * sy)), Math.max(left + 1, Math.ceil(area[3] * sx))]);
}

let asked = false;

/** Has parts of what is shown made anew: image, map, spectrum, area. */
function refresh(...parts) {
  for (const part of parts) view.dirty.set(part, ++view.asked);
  if (asked) return;
  asked = true;
  busy(async () => {
    await new Promise(requestAnimationFrame);
    asked = false;
    await Promise.all([askImage(), askSpectra()]);
  });
}

/** How far the newest question is; the bar is there while any is open. */
function progress(share) {
  $("progress").value = share;
}

let running = 0;

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

/** Asks a worker for sums; `shown` gets partial ones too. */
async function sums(reader, args, shown) {
  const now = view;
  const take = (answer) => {
    if (now !== view) return;
    shown(answer);
    progress(Math.min(1, answer.done / Math.max(1, args.frames.length)));
    remember(args.name, answer.lost);
  };
  try {
    const answer = await reader.ask("sums", args, { progress: take });
    if (answer) take(answer);
    return Boolean(answer);
  } catch (error) {
    if (now === view) {
      remember(args.name, [{ frame: args.frames[0], message: error.message }]);
    }
    return true;
  }
}

function remember(name, lost) {
  for (const fault of lost) {
    if (!view.lost.has(name)) view.lost.set(name, new Map());
    const faults = view.lost.get(name);
    const what = fault.offset === undefined ? fault.message : fault.message.replace(/ at \d+$/, "");
    if (!faults.has(what)) faults.set(what, new Set());
    if (faults.get(what).has(fault.frame)) continue;
    faults.get(what).add(fault.frame);
    notices();
  }
}

async function askImage() {
  const name = $("image").value;
  if (!view.dirty.has("image") || !name) return;
  view.dirty.delete("image");
  const frames = view.frames(name);
  const aligned = view.aligned && !view.single ? view.laidBy(name) : null;
  const signal = view.signal(name);
  await sums(view.imageReader, { name, frames, want: { map: [0, 0] }, aligned }, ({ map: total, cover, summed }) => {
    const { rows, columns } = sizes(signal);
    const mean = Float64Array.from(total, (value, i) => (cover[i] > 0.3 ? value / cover[i] : NaN));
    const one = view.info.length === 1;
    const what = isStatic(signal) ? signal.role : one ? "" : view.single ? `frame ${view.frame}` : `${aligned ? "aligned mean" : "mean"} of ${summed} frame${summed === 1 ? "" : "s"}`;
    picture.show({ data: mean, rows, columns, step: stepOf(signal), title: what ? `${name}, ${what}` : name, label: "intensity", name: fileName(view.name, name, what) });
  });
}

async function askSpectra() {
  const name = $("spectra").value;
  const wishes = new Map(view.dirty);
  const wanted = ["map", "spectrum", "area"].filter((part) => wishes.has(part));
  if (!name || !wanted.length || !view.attributes) return;
  const frames = view.frames(name);
  const aligned = view.aligned && !view.single ? view.laidBy(name) : null;
  const want = { spectrum: wanted.includes("spectrum") };
  if (wanted.includes("map")) want.map = view.channels;
  if (wanted.includes("area") && view.area) want.area = view.area;
  const area = view.area;
  const { single, frame, window } = view;
  const finished = await sums(view.spectraReader, { name, frames, want, aligned }, (answer) => {
    view.shown.frames = view.info.length === 1 ? "" : single ? `frame ${frame}` : `${answer.summed} ${aligned ? "aligned " : ""}frame${answer.summed === 1 ? "" : "s"}`;
    if (answer.map) drawMap(name, answer.map, window);
    if (answer.spectrum) view.shown.spectrum = answer.spectrum;
    if (answer.area) view.shown.area = { area, y: answer.area };
    if (answer.spectrum || answer.area) drawSpectrum();
  });
  for (const part of finished ? wanted : []) if (view.dirty.get(part) === wishes.get(part)) view.dirty.delete(part);
}

const counted = (signal) => (signal.kind === "events" ? "counts" : "intensity");

function drawMap(name, data, [low, high]) {
  const signal = view.signal(name);
  const { rows, columns } = sizes(signal);
  const window = `${number(low)}–${number(high)} ${view.axis.unit}`;
  map.show({
    data, rows, columns, step: stepOf(signal), label: counted(signal),
    title: [name, window, view.shown.frames].filter(Boolean).join(", "), name: fileName(view.name, name, "map", window),
  });
  map.setArea(view.area);
}

function drawSpectrum() {
  const { spectrum, area, frames } = view.shown;
  if (!spectrum) return;
  const name = $("spectra").value;
  const signal = view.signal(name);
  const { x, label, unit } = view.axis;
  const curves = [{ label: "all pixels", y: spectrum, colour: "--accent", print: "#1f5fa8" }];
  if (area && view.area) {
    const [top, left, bottom, right] = area.area;
    const factor = total(view.axis, spectrum) / total(view.axis, area.y);
    const scaled = Number.isFinite(factor) && factor > 0;
    const times = scaled ? ` × ${number(factor, 3)}` : "";
    curves.push({
      label: `area of ${bottom - top} × ${right - left} px${times}`, colour: "--second", print: "#c8641b",
      y: scaled ? area.y.map((value) => value * factor) : area.y, values: area.y, column: `area rows ${top}-${bottom - 1} columns ${left}-${right - 1}`,
    });
  }
  plot.show({
    x, curves, marks: view.marks, title: frames ? `${name}, ${view.single ? "" : "sum of "}${frames}` : name, name: fileName(view.name, name, "spectrum"),
    from: strobe(view.axis), whole: unit === "channel", xLabel: unit === "channel" ? "channel" : `${label} (${unit})`, yLabel: counted(signal),
  });
}

function details() {
  const { described, info, attributes: frames, displacements, recovered } = view;
  tabs($("tabs"), $("tabpanels"), [
    ["Displacements", displacementsPanel(displacements)],
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
  refresh("image", "map", "spectrum", "area");
}

function all() {
  view.single = false;
  buttons();
  notices();
  refresh("image", "map", "spectrum", "area");
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
    showArea();
    refresh("image");
  };
  $("spectra").onchange = () => {
    chooseSpectra();
    setArea(null);
    refresh("map", "spectrum");
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
  picture.addEventListener("area", ({ detail }) => areaFromImage(detail));
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
  const { rows, columns } = sizes(view.signal($("spectra").value));
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
