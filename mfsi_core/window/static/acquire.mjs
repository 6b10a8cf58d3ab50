// The acquisition window: asks for the recorder's state, shows it, and passes on what the user wants.

import { Controls } from "./controls.mjs";
import { element } from "./details.mjs";
import { showFigures, time } from "./figures.mjs";
import { Picture } from "./picture.mjs";
import { call, picture } from "./recorder.mjs";
import { Progress } from "./progress.mjs";
import { themeButton } from "./theme.mjs";
import { bytes, number } from "./units.mjs";

const $ = (id) => document.getElementById(id);
const BUSY = ["surveying", "recording", "stopping"];
const [SOON, LATER] = [400, 1000]; // ms between questions while something happens, and at rest
const MOST_EVENTS = 400; // shown
const QUIET = ["frame", "settings"]; // kinds of events that the page shows otherwise
const BEGINS = ["region", "extended"];
const MOST_TROUBLES = 3; // warnings of a series above all; all of them are in the list

const controls = new Controls($("controls"), async (settings) => {
  const { plan } = await call("change", { settings });
  showPlan(plan);
});
const survey = new Picture($("survey"), { drawable: true });
const progress = new Progress({ image: $("image"), plots: $("plots"), drift: $("drift"), ratio: $("ratio"), dose: $("dose") });

let state = null;
let shown = { survey: null, sequence: null };
let seen = 0; // number of the last event that is listed
let troubles = []; // warnings since the series began
let latest = 0; // of the last one that was seen before this page was opened, or the server was lost; else 0

function showPlan(plan) {
  const made = plan.error ? null : plan;
  showFigures($("figures"), made);
  $("impossible").textContent = plan.error ?? "";
  $("pixels").textContent = made ? `${made.pixels[0]} × ${made.pixels[1]} pixels` : "";
  const limits = [];
  if (made && plan.frames_by_dose !== null) limits.push(`the dose allows ${number(plan.frames_by_dose)} frames in all`);
  if (made && plan.frames_by_time !== null) limits.push(`the time allows ${number(plan.frames_by_time)}`);
  $("ends").textContent = limits.length ? `${limits.join(", ")}: ${number(plan.frames_expected)} are expected.` : "";
  drawRegion(made);
}

/** The region on the survey, in its pixels. */
function drawRegion(plan) {
  if (!state?.survey || !survey.shown || survey.drag || !plan) return;
  const { corner, pixel } = state.survey;
  const [top, left] = state.settings.corner.map((value, i) => (value - corner[i]) / pixel);
  const [high, wide] = plan.pixels.map((count) => (count * state.settings.pixel) / pixel);
  survey.area = [top, left, top + high, left + wide];
  survey.draw();
}

survey.addEventListener("area", ({ detail }) => {
  if (!detail || !state?.survey) return;
  const { corner, pixel } = state.survey;
  const [top, left, bottom, right] = detail;
  const to = (value) => Number(value.toPrecision(12));
  change({
    corner: [to(Math.max(0, corner[0] + top * pixel)), to(Math.max(0, corner[1] + left * pixel))],
    field: [to((bottom - top) * pixel), to((right - left) * pixel)],
  });
});

async function change(settings) {
  Object.assign(state.settings, settings);
  await attempt(() => call("change", { settings }).then(({ plan }) => showPlan(plan)));
}

/** Does what the user asked for; a refusal is told where errors are. */
async function attempt(action) {
  $("refused").hidden = true;
  try {
    await action();
  } catch (error) {
    Object.assign($("refused"), { textContent: error.message, hidden: false });
  }
  await looking; // it may have begun before
  await look();
}

$("take").onclick = () => attempt(() => call("survey"));
$("next").onclick = () => attempt(() => call("region"));
$("stop").onclick = () => attempt(() => call("stop"));
$("controls").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => (await controls.settled()) && call("acquire"));
};

function show() {
  const busy = BUSY.includes(state.phase);
  document.title = `${state.phase} – ${state.instrument.title}`;
  $("title").textContent = state.instrument.title;
  Object.assign($("phase"), { textContent: state.phase });
  $("phase").dataset.phase = state.phase;
  $("folder").textContent = state.folder;
  $("energy").hidden = !state.instrument.energy;
  for (const part of document.querySelectorAll("fieldset.scans")) part.hidden = !state.instrument.exposes;
  $("survey").hidden = !state.survey;
  $("take").hidden = $("no-survey").hidden = !state.instrument.survey;
  controls.showSignals($("signals"), state.instrument, state.settings);
  for (const id of ["take", "next", "acquire"]) $(id).disabled = busy;
  $("stop").disabled = state.phase !== "recording";
  const extends_ = state.next_region === null;
  $("region").textContent = extends_ ? `Region ${state.region.number}: ${number(state.region.frames)} frame${state.region.frames === 1 ? "" : "s"}` : `The next is region ${state.next_region}`;
  $("acquire").textContent = extends_ ? "Acquire again" : "Acquire";
  showPlan(state.plan);
  showEnd(busy);
  showPace();
  const more = troubles.length > MOST_TROUBLES ? [`${troubles.length - MOST_TROUBLES} more warnings are listed under What happened`] : [];
  const warnings = [...troubles.slice(-MOST_TROUBLES), ...more, state.analysis.fault, ...(state.analysis.status.failures ?? []), ...(state.analysis.status.damage_notes ?? []), ...(state.analysis.status.notes ?? [])].filter(Boolean);
  $("warnings").hidden = !warnings.length;
  const key = warnings.join("\n");
  if ($("warnings").dataset.shown !== key) {
    $("warnings").dataset.shown = key;
    $("warnings").replaceChildren(element("ul", {}, ...warnings.map((textContent) => element("li", { textContent }))));
  }
}

/** What a series that failed, or whose instrument changed, leaves, and how it goes on. */
function showEnd(busy) {
  const { outcome, region } = state;
  const changed = outcome?.reason === "changed";
  $("ended").hidden = busy || !(outcome?.failed || changed);
  if ($("ended").hidden) return;
  const kept = region ? ` Region ${region.number} holds ${number(region.frames)} frame${region.frames === 1 ? "" : "s"}, all whole` : "";
  const next = changed ? "New region, then Acquire, takes up what comes now" : region ? "Acquire again goes on with it" : "Acquire tries again";
  const text = `The series ${changed ? "ended" : "failed"}: ${outcome.text}.${kept}${kept ? "; " : " "}${next}.`;
  if ($("ended").textContent !== text) $("ended").textContent = text;
}

function showPace() {
  const { series, settings, disk, analysis, region } = state;
  const recording = ["recording", "stopping"].includes(state.phase);
  Object.assign($("progress"), { max: settings.frames, value: recording ? series.frames : 0, hidden: !recording });
  const parts = [];
  if (recording) parts.push(`${number(series.frames)} of ${number(settings.frames)} frames`);
  if (recording && series.seconds_left !== null) parts.push(`${time(Math.round(series.seconds_left))} left`);
  if (!recording && state.outcome && $("ended").hidden) parts.push(state.outcome.text);
  if (region?.dose) parts.push(`${number(region.dose, 3)} e/Å²`);
  if (disk.free_bytes !== null) parts.push(`disk ${bytes(disk.free_bytes)} free${disk.frames_left === null ? "" : `, ${number(disk.frames_left)} frames`}`);
  if (analysis.running && analysis.behind > 1) parts.push(analysis.status.frames ? `analysis ${number(analysis.behind)} frames behind` : "analysis begins; its programs are compiled on first use");
  $("pace").textContent = parts.join(" · ");
}

function showEvents(events) {
  const list = $("events");
  const below = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
  for (const { sequence, time: when, kind, level, text } of events) {
    seen = Math.max(seen, sequence);
    if (BEGINS.includes(kind)) troubles = [];
    if (level === "warning" && kind !== "analysis" && !troubles.includes(text)) troubles.push(text);
    if (QUIET.includes(kind)) continue;
    const item = element("li", {}, element("time", { dateTime: when, textContent: new Date(when).toLocaleTimeString() }), element("span", { textContent: text }));
    item.dataset.level = level;
    item.classList.toggle("new", latest > 0 && sequence > latest);
    list.append(item);
  }
  while (list.childElementCount > MOST_EVENTS) list.firstElementChild.remove();
  if (below && events.length) list.scrollTop = list.scrollHeight;
}

/** What was seen of this session, kept over reloads. */
const memory = {
  get: () => Number(localStorage.getItem(`seen ${state.folder}`) ?? 0),
  set: (sequence) => localStorage.setItem(`seen ${state.folder}`, String(sequence)),
};

let looking = null;
/** Looks at the recorder once; those who ask meanwhile get the same look. */
function look() {
  looking ??= once().finally(() => {
    looking = null;
  });
  return looking;
}

async function once() {
  try {
    const { answered } = controls;
    ({ state } = await call("state"));
    controls.show(state.settings, answered);
    if (seen > state.sequence) [seen, latest, troubles] = [0, 0, []]; // another session
    if (!seen) latest = memory.get();
    $("lost").hidden = true;
    if (state.sequence !== shown.sequence) {
      const { events } = await call("events", { since: seen });
      showEvents(events);
      memory.set(seen);
      shown.sequence = state.sequence;
    }
    show();
    latest = 0; // what comes from now on is seen as it happens
    await showSurvey();
    await progress.show(state);
    document.body.dataset.shown = String(state.sequence);
  } catch (error) {
    $("lost").hidden = false;
    const gone = error instanceof TypeError;
    $("lost").textContent = gone
      ? "The server of this page does not answer. Recording goes on without it; start the same command again, and this page finds it."
      : `The recorder does not answer: ${error.message}`;
    if (gone && latest < seen) latest = seen;
  }
}

async function showSurvey() {
  const key = JSON.stringify([state.survey, state.sequence]);
  if (!state.survey || shown.survey === key) return;
  const taken = shown.survey && JSON.parse(shown.survey)[1];
  shown.survey = key;
  if (taken && !(await surveyedSince(taken))) return;
  survey.show({ ...(await picture("survey")), step: { y: state.survey.pixel, x: state.survey.pixel }, title: "Survey", label: "counts", name: "survey" });
  drawRegion(state.plan.error ? null : state.plan);
}

const surveyedSince = async (sequence) => (await call("events", { since: sequence })).events.some(({ kind }) => kind === "survey");

async function follow() {
  await look();
  setTimeout(follow, state && BUSY.includes(state.phase) ? SOON : LATER);
}

themeButton($("theme"));
follow();
