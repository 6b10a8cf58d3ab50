// One signal or group of a journal, frame by frame, for the worker.

import { LbjError, isStatic } from "./reader/lbj.mjs";
import { scannedOnly } from "./scanned.mjs";
import { sizes } from "./sizes.mjs";

const MOST_KEPT = 2 ** 28; // bytes of decoded frames that are kept, and of a sum of arrays

export class Series {
  /** @param described header with amendments, whose axes count */
  constructor(journal, described, name) {
    const members = described.signals.filter((signal) => signal.name === name || signal.group === name);
    this.journal = journal;
    this.name = name;
    this.members = members.map((signal) => signal.name);
    this.grouped = !described.signals.some((signal) => signal.name === name);
    this.signal = members[0];
    this.sizes = sizes(this.signal);
    this.static = isStatic(this.signal);
    this.length = this.static ? 1 : journal.length;
    this.planes = described.signals.filter(
      (signal) =>
        signal.role === "energy_shift" &&
        (signal.of === undefined || signal.of === name || this.members.includes(signal.of)) &&
        sizes(signal).pixels === this.sizes.pixels,
    );
    this.notes = new Set();
    this.kept = new Map();
    this.bytes = 0;
    /** The last sum of several frames of arrays: {key, part, summed, lost}. */
    this.total = null;
  }

  /** An empty sum of arrays, null where the signal has none or it would be too large. */
  cube() {
    const { pixels, channels } = this.sizes;
    return this.signal.kind === "spectra" && 8 * pixels * channels <= MOST_KEPT ? new Float64Array(pixels * channels) : null;
  }

  /** What is known of frame `i`: {part, move}; null where it lacks the signal. @throws {LbjError} */
  async frame(i) {
    if (this.kept.has(i)) return this.kept.get(i);
    const found = await this.read(i);
    const bytes = found ? Object.values(found.part).reduce((sum, array) => sum + array.byteLength, 0) : 0;
    if (this.bytes + bytes <= MOST_KEPT) {
      this.kept.set(i, found);
      this.bytes += bytes;
    }
    return found;
  }

  async read(i) {
    const frame = this.static ? (await this.journal.static()).get(this.name) : await this.journal.frame(i);
    if (frame instanceof LbjError) throw frame;
    if (!frame || !this.members.some((name) => frame.names.includes(name))) return null;
    const part = await this.part(frame);
    if (this.signal.kind === "image" && !this.static) part.data = scannedOnly(part.data, frame.attributes, this.name, this.sizes);
    return { part, move: this.static ? 0 : await this.move(frame) };
  }

  async part(frame) {
    const events = this.signal.kind === "events";
    const found = this.grouped
      ? await frame.group(this.name)
      : await (events ? frame.events(this.name) : frame.array(this.name));
    if (events) return { voxel: found.voxel, count: found.count };
    const { data } = found;
    const wide = Array.isArray(data) || data instanceof BigInt64Array || data instanceof BigUint64Array;
    return { data: wide ? Float64Array.from(data, Number) : data };
  }

  /**
   * By how many channels the spectra of a frame move: a number, or one per pixel (clauses 5.1.10 and 5.4.4). Where they
   * cannot be moved they stay as they were recorded, and `notes` says so.
   */
  async move(frame) {
    if (this.signal.kind === "image") return 0;
    const shift = frame.attributes.energy_shift ?? 0;
    const named = (name) => (typeof shift === "number" ? shift : (shift[name] ?? shift[this.name] ?? 0));
    const [one, ...others] = this.members.map(named).map((value) => (typeof value === "number" ? value : 0));
    const plane = this.planes.find(({ name }) => frame.names.includes(name));
    if (!plane && one === 0 && others.every((value) => value === 0)) return 0;
    const { scale, units } = this.signal.axes?.at(-1) ?? {};
    if (!(scale > 0) || units !== "eV") return this.unmoved("its axis is not even, rising and in eV");
    if (others.some((value) => value !== one)) return this.unmoved("its detectors are shifted differently: look at each of them");
    if (!plane) return one / scale;
    const { data } = await frame.array(plane.name);
    return Float64Array.from(data, (value) => (Number.isFinite(value) ? value : one) / scale);
  }

  unmoved(why) {
    this.notes.add(`The energy shifts that are stored for ${this.name} are not applied: ${why}.`);
    return 0;
  }
}
