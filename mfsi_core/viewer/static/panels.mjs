// The three figures of the viewer, image, map and spectrum: what is asked of the workers for them, and how it is shown.

import { fileName } from "./export.mjs";
import { Field } from "./field.mjs";
import { Plot } from "./plot.mjs";
import { sizes, stepOf } from "./sizes.mjs";
import { strobe, total } from "./spectral.mjs";
import { number } from "./units.mjs";
import { isStatic } from "./view.mjs";

const LEAST_COVER = 0.3; // frames that saw a pixel, from which on its mean is shown
const PARTS = ["image", "map", "spectrum", "area"];

/** What is summed; of a window it holds the background too. */
const counted = (signal) => (signal.kind === "events" ? "counts" : "intensity");
const several = (count, word) => `${number(count)} ${word}frame${count === 1 ? "" : "s"}`;

/**
 * The figures of a view.
 *
 * @param hosts `{image, map, spectrum}`, elements of the page
 * @param page `{busy(work), progress(share), told(view)}`: does something while the page says that it is busy; how far it
 *   is; something has become known of the journal
 */
export class Panels {
  constructor(hosts, page) {
    Object.assign(this, { page, view: null, asked: false });
    this.image = new Field(hosts.image, { colours: "grey" });
    this.map = new Field(hosts.map, { colours: "viridis" });
    this.plot = new Plot(hosts.spectrum, { drawable: true });
  }

  /** Has parts of what is shown made anew, by default all: image, map, spectrum, area. */
  refresh(...parts) {
    for (const part of parts.length ? parts : PARTS) this.view.dirty.set(part, ++this.view.wishes);
    if (this.asked) return;
    this.asked = true;
    this.page.busy(async () => {
      await new Promise(requestAnimationFrame);
      this.asked = false;
      await Promise.all([this.askImage(), this.askSpectra()]);
    });
  }

  /** Asks a worker for sums; `shown` gets partial ones too. Whether the answer is whole. */
  async sums(reader, args, shown) {
    const { view } = this;
    const take = (answer) => {
      if (view !== this.view) return;
      shown(answer);
      this.page.progress(Math.min(1, answer.done / Math.max(1, args.frames.length)));
      if (view.remember(args.name, answer.lost, answer.notes)) this.page.told(view);
    };
    try {
      const answer = await reader.ask("sums", args, { progress: take });
      if (answer) take(answer);
      return Boolean(answer);
    } catch (error) {
      view.notes.push(`${args.name} cannot be summed: ${error.message}.`);
      this.page.told(view);
      return true;
    }
  }

  async askImage() {
    const { view } = this;
    const name = view.image;
    if (!view.dirty.delete("image") || !name) return;
    const signal = view.signal(name);
    const aligned = view.layingOf(name);
    const { single, frame } = view;
    const args = { name, frames: view.frames(name), want: { map: [0, 0] }, aligned };
    await this.sums(view.imageReader, args, ({ map, cover, summed }) => {
      let what = `${aligned ? "aligned mean" : "mean"} of ${several(summed, "")}`;
      if (isStatic(signal)) what = signal.role;
      else if (view.info.length === 1) what = "";
      else if (single) what = `frame ${frame}`;
      const data = map.map((value, i) => (cover[i] > LEAST_COVER ? value / cover[i] : NaN));
      this.image.show({ ...view.caption(signal, what), data, label: "intensity" });
      this.showArea();
    });
  }

  async askSpectra() {
    const { view } = this;
    const name = view.spectra;
    const wishes = new Map(view.dirty);
    const wanted = PARTS.filter((part) => part !== "image" && wishes.has(part));
    if (!name || !wanted.length || !view.attributes) return;
    const aligned = view.layingOf(name);
    const want = { spectrum: wanted.includes("spectrum") };
    if (wanted.includes("map")) want.map = view.channels;
    if (wanted.includes("area") && view.area) want.area = view.area;
    const { single, frame, window, area } = view;
    const args = { name, frames: view.frames(name), want, aligned };
    const whole = await this.sums(view.spectraReader, args, (answer) => {
      view.shown.frames = single ? `frame ${frame}` : several(answer.summed, aligned ? "aligned " : "");
      if (view.info.length === 1) view.shown.frames = "";
      if (answer.map) this.drawMap(answer.map, window);
      if (answer.spectrum) view.shown.spectrum = answer.spectrum;
      if (answer.area) view.shown.area = { area, y: answer.area };
      if (answer.spectrum || answer.area) this.drawSpectrum();
    });
    for (const part of whole ? wanted : []) if (view.dirty.get(part) === wishes.get(part)) view.dirty.delete(part);
  }

  drawMap(data, [low, high]) {
    const { view } = this;
    const signal = view.signal(view.spectra);
    const { unit } = view.axis;
    const ends = `${number(low)}–${number(high)}`;
    const window = unit === "channel" ? `channels ${ends}` : `${ends} ${unit}`;
    this.map.show({ ...view.caption(signal, window, view.shown.frames), data, label: `gross ${counted(signal)}` });
    this.map.setArea(view.area);
  }

  drawSpectrum() {
    const { view } = this;
    const { spectrum, area, frames } = view.shown;
    if (!spectrum) return;
    const { x, label, unit } = view.axis;
    const signal = view.signal(view.spectra);
    const curves = [{ label: "all pixels", y: spectrum, colour: "--accent", print: "#1f5fa8" }];
    if (area && view.area) curves.push(this.areaCurve(spectrum, area));
    this.plot.show({
      x, curves, marks: view.marks, from: strobe(view.axis), zero: true, whole: unit === "channel", yLabel: counted(signal),
      xLabel: unit === "channel" ? "channel" : `${label} (${unit})`, name: fileName(view.title, view.spectra, "spectrum"),
      title: [view.spectra, frames && !view.single ? `sum of ${frames}` : frames].filter(Boolean).join(", "),
    });
  }

  /** The spectrum of an area, scaled to the counts of the whole. */
  areaCurve(spectrum, { area: [top, left, bottom, right], y }) {
    const { axis } = this.view;
    const ratio = total(axis, spectrum) / total(axis, y);
    const factor = Number.isFinite(ratio) && ratio > 0 ? ratio : 1;
    return {
      label: `area of ${bottom - top} × ${right - left} px × ${number(factor, 3)}`, colour: "--second", print: "#c8641b",
      y: y.map((value) => value * factor), values: y, column: `area rows ${top}-${bottom - 1} columns ${left}-${right - 1}`,
    };
  }

  /** Has an area of the spectra's pixels shown, null for none. */
  setArea(area) {
    this.view.area = area;
    this.map.setArea(area);
    this.showArea();
    if (area) this.refresh("area");
    else {
      this.view.shown.area = null;
      this.drawSpectrum();
    }
  }

  /** Rows and columns of the image for one of the spectra, null where they do not show one field. */
  scales() {
    const [image, spectra] = [this.view.image, this.view.spectra].map((name) => name && this.view.signal(name));
    if (!image || !spectra || image.to_field || spectra.to_field || isStatic(image) !== isStatic(spectra)) return null;
    const [from, to] = [sizes(spectra), sizes(image)];
    return [to.rows / from.rows, to.columns / from.columns];
  }

  /** Draws the area in the image too. */
  showArea() {
    const scales = this.view.area && this.scales();
    this.image.setArea(scales && this.view.area.map((value, i) => value * scales[i % 2]));
  }

  /** The area of the spectra's pixels for one that was drawn in the image. */
  fromImage(area) {
    const scales = area && this.scales();
    if (!scales) return null;
    const [top, left, bottom, right] = area.map((value, i) => value / scales[i % 2]);
    const [first, start] = [Math.floor(top), Math.floor(left)];
    return [first, start, Math.max(first + 1, Math.ceil(bottom)), Math.max(start + 1, Math.ceil(right))];
  }
}
