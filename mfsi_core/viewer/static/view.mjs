// State of the viewer: the opened journal, what of it is chosen, and the workers that read it.

import { Reader } from "./journal.mjs";
import { lent, paged } from "./paged.mjs";
import { Displacement } from "./reader/displacements.mjs";
import { fromUrl } from "./reader/sources.mjs";
import { fileName } from "./export.mjs";
import { sizes, stepOf } from "./sizes.mjs";

// With the page's question, so that the server's policy lets the worker speak to whom the page may speak to.
const worker = () => new Worker(new URL(`./worker.mjs${location.search}`, import.meta.url), { type: "module" });

/** One journal with all that is chosen. */
export class View {
  /** @param say takes what is being done, in words */
  constructor(source, name, say) {
    Object.assign(this, { source, name, say, frame: 0, single: false, aligned: false, region: null, area: null });
    this.spectraReader = new Reader(worker());
    this.imageReader = new Reader(worker());
    this.title = name.replace(/\.lbj$/, "");
    this.dirty = new Map(); // what is to be made anew, by the number of the wish
    this.wishes = 0;
    this.shown = { spectrum: null, area: null };
    this.lost = new Map(); // by signal and reason, the frames that cannot be read
    this.unmoved = new Set();
    this.recovered = null;
  }

  close() {
    for (const reader of [this.spectraReader, this.imageReader]) reader.close();
  }

  async open() {
    try {
      await this.load(this.source);
    } catch (error) {
      if (error.kind !== "damaged" && error.kind !== "truncated") throw error;
      await this.recover(error);
    }
    if (this.info.end?.kind === "damaged" && !this.recovered) await this.recover(this.info.end);
    this.notes = [...this.info.notes.map((note) => `The description is damaged (${place(note)}): amendments are left out.`)];
    if (this.info.end && !this.recovered) this.notes.push(ending(this.info.end, this.info.length));
  }

  async load(source) {
    const open = async (reader) => reader.ask("open", await this.bytes(source));
    const [info] = await Promise.all([open(this.spectraReader), open(this.imageReader)]);
    this.info = info;
    this.displacements = new Map([...info.displacements].map(([name, fields]) => [name, new Displacement(fields)]));
  }

  /** What a worker reads: a blob, or a journal on a server, of which both workers ask the page, so that it is fetched once. */
  async bytes({ blob, url }) {
    if (blob) return { blob };
    this.fetched ??= fromUrl(url).then(paged);
    return lent(await this.fetched);
  }

  /** Goes on with what can be saved of a damaged file. */
  async recover(error) {
    this.say(`The file is damaged (${place(error)}): looking for what survives …`);
    try {
      const { blob, kept, lost } = await this.imageReader.ask("recover", await this.bytes(this.source));
      await this.load({ blob });
      this.recovered = { kept, lost, error };
    } catch (second) {
      if (this.info) return;
      throw second;
    }
  }

  get described() {
    return this.info.described;
  }

  signal(name) {
    return this.described.signals.find((one) => one.name === name || one.group === name);
  }

  /** Displacements that hold for the pixels of a signal, by the name of the signal that has them; null without. */
  laidBy(name) {
    const signal = this.signal(name);
    if (!signal || signal.to_field || isStatic(signal)) return null;
    const { rows, columns } = sizes(signal);
    const fits = ([by, one]) => !this.signal(by).to_field && one.shape[0] === rows && one.shape[1] === columns;
    const found = [...this.displacements].filter(fits).map(([by]) => by);
    return found.includes(name) ? name : (found[0] ?? null);
  }

  /** Numbers of the frames to be summed of a signal. */
  frames(name) {
    if (isStatic(this.signal(name))) return [0];
    if (this.single) return this.info.length ? [this.frame] : [];
    const all = Array.from({ length: this.info.length }, (_, i) => i).filter((i) => this.region === null || this.regionOf(i) === this.region);
    const by = this.aligned && this.laidBy(name);
    if (!by) return all;
    const { length, leftOut, error } = this.displacements.get(by);
    return all.filter((i) => i < length && !leftOut[i] && error[i] !== Infinity);
  }

  /** The displacements by which what is shown of a signal is aligned, null where it is as recorded. */
  layingOf(name) {
    return this.aligned && !this.single ? this.laidBy(name) : null;
  }

  /** What a picture of a signal has in common with others: sizes, title, the name of its file. */
  caption(signal, ...words) {
    const name = signal.group && this.spectra === signal.group ? signal.group : signal.name;
    const { rows, columns } = sizes(signal);
    const title = [name, ...words].filter(Boolean).join(", ");
    return { rows, columns, step: stepOf(signal), title, name: fileName(this.title, name, ...words) };
  }

  /** Remembers what could not be read or shifted, to be shown; returns whether any of it is new. */
  remember(name, lost, notes) {
    let fresh = false;
    for (const note of notes) {
      fresh ||= !this.unmoved.has(note);
      this.unmoved.add(note);
    }
    for (const { frame, message } of lost) {
      const reason = message.replace(/ at \d+$/, "");
      if (!this.lost.has(name)) this.lost.set(name, new Map());
      const reasons = this.lost.get(name);
      if (!reasons.has(reason)) reasons.set(reason, new Set());
      fresh ||= !reasons.get(reason).has(frame);
      reasons.get(reason).add(frame);
    }
    return fresh;
  }

  /** What is to be told above everything else: damage, and what a sum leaves out or mixes. */
  told() {
    const texts = [...this.notes, ...this.unmoved];
    if (this.recovered) {
      const { kept, lost, error } = this.recovered;
      const rest = lost.length ? `lost, as far as the file shows: frame${lost.length > 1 ? "s" : ""} ${ranges(lost)}` : "no other frame shows in the file";
      texts.push(`The file is damaged (${place(error)}). ${kept.length} frames survive; ${rest}. lbj recover saves what survives.`);
    }
    for (const [name, reasons] of this.lost) {
      for (const [reason, frames] of reasons) {
        const which = ranges([...frames].sort((a, b) => a - b));
        texts.push(
          frames.size === 1
            ? `${name}: frame ${which} cannot be read and is left out (${reason}).`
            : `${name}: frames ${which} cannot be read and are left out (${reason}).`,
        );
      }
    }
    const regions = new Set((this.attributes ?? []).map((_, i) => this.regionOf(i)));
    const laid = this.image ? this.layingOf(this.image) : null;
    for (const name of this.aligned && !this.single ? [this.image, this.spectra] : []) {
      if (name && !this.layingOf(name)) texts.push(`${name} is shown as recorded: the displacements are in pixels of another grid.`);
    }
    if (regions.size > 1 && this.region === null && !this.single && !this.displacements.get(laid)?.moduloLattice) {
      texts.push(`Frames of ${regions.size} areas are summed: pictures show them on one another. Choose one above.`);
    }
    return texts;
  }

  regionOf(i) {
    return this.attributes?.[i]?.attributes?.region ?? 0;
  }
}

export const isStatic = ({ role }) => ["survey", "dark", "gain"].includes(role);

/** A fault with its place. */
export const place = ({ message, clause, offset }) => `${message.replace(/ at \d+$/, "")}${offset === null || offset === undefined ? "" : `, byte ${offset}`}${clause ? `, clause ${clause} of the standard` : ""}`;
function ending({ kind, ...error }, frames) {
  const before = frames ? `What is complete is shown: ${frames} frame${frames === 1 ? "" : "s"}.` : "No frame is complete.";
  return kind === "truncated"
    ? `The file has no proper end (${place(error)}): it is still being written, or was cut. ${before}`
    : `The file cannot be read beyond ${place(error)}. ${before}`;
}

/** The frames of a list in words: 3, 7–9. */
export function ranges(list) {
  const out = [];
  for (const i of list) {
    if (out.length && out.at(-1)[1] === i - 1) out.at(-1)[1] = i;
    else out.push([i, i]);
  }
  return out.map(([from, to]) => (from === to ? from : `${from}–${to}`)).join(", ");
}
