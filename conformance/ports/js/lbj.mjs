/**
 * Reader of listed-bin journals (`.lbj`) for browsers and Node, written from the text of spec/lbj.md.
 *
 * A journal is read from any source with random access, so that a large one is not loaded as a whole: a valid index is
 * used, without one the record headers are walked. Types and members are described in lbj.d.ts.
 *
 *     const journal = await Journal.open(fromBlob(file));
 *     const frame = await journal.frame(0);
 *     const { voxel, count } = await frame.events("EDX");
 */

import { LbjError, damaged } from "./bytes.mjs";
import { denseOf, eventsOf, sumOfArrays, sumOfEvents } from "./assemble.mjs";
import { displacementsOf } from "./displacements.mjs";
import { indexedGroup, readIndex, walkAll } from "./frames.mjs";
import { amend, isStatic, parseHead } from "./header.mjs";
import { parseJson } from "./json.mjs";
import { RecordFile, SIGNATURE, checkKnown } from "./records.mjs";

export { LbjError, isStatic };
export { toDense } from "./assemble.mjs";
export { recover } from "./recover.mjs";
export { RemoteJournal } from "./remote.mjs";
export { fromBlob, fromBytes, fromUrl } from "./sources.mjs";

/** A journal that is open for reading. */
export class Journal {
  /** Opens a journal; throws an LbjError where nothing of it can be decoded. */
  static async open(source, { limit = 2 ** 30, index = true } = {}) {
    const file = new RecordFile(source);
    const start = await file.bytes(0, Math.min(8, file.size));
    if (!start.every((byte, i) => byte === SIGNATURE[i])) throw damaged("4.1.2", "not a listed-bin journal", 0);
    if (start.length < 8) throw new LbjError("truncated", "4.1.2", "the file ends in the signature", 0);
    const journal = new Journal();
    journal.file = file;
    journal.limit = limit;
    const head = await file.record(8);
    if (head.type !== "HEAD") throw damaged("5.1.1", `the first record is ${head.type}`, 8);
    journal.head = await file.payload(head);
    try {
      Object.assign(journal, parseHead(journal.head));
    } catch (error) {
      throw error instanceof LbjError ? error.at(8) : error;
    }
    journal.signals = journal.header.signals;
    journal.numbers = new Map(journal.signals.map(({ name }, number) => [name, number]));
    journal.members = new Map(journal.signals.filter(({ group }) => group !== undefined).map(({ group }) => [group, []]));
    for (const signal of journal.signals) journal.members.get(signal.group)?.push(signal);
    const found = index ? await readIndex(file, journal.signals.length, head.next) : null;
    journal.indexed = found !== null;
    Object.assign(journal, found ?? (await walkAll(file, journal.signals.length, head.next)));
    journal.groups = journal.frames;
    journal.end ??= null;
    if (found) journal.checkOthers();
    return journal;
  }

  /** Clause 6.3.3, of critical records that the index names. */
  checkOthers() {
    for (const other of this.others) {
      if (other.type[2] > "Z") throw new LbjError("unsupported", "6.3.3", `record type ${other.type}`, other.at);
      checkKnown(other);
    }
  }

  /** Number of completed frames that can be asked for. */
  get length() {
    return this.groups.length;
  }

  /** Number and declaration of a signal. */
  signal(name) {
    const number = this.numbers.get(name);
    if (number === undefined) throw new RangeError(`the journal has no signal ${JSON.stringify(name)}`);
    return { number, ...this.signals[number] };
  }

  /** The header with all amendments applied (clause 7.1). */
  async describe() {
    const amendments = this.others.filter(({ type }) => type === "aMNd").map((other) => ({
      at: other.at,
      read: async () => this.file.payload(this.indexed ? await this.amendment(other.at) : other),
    }));
    return amend(parseHead(this.head).header, amendments);
  }

  async amendment(at) {
    let record;
    try {
      record = await this.file.record(at);
    } catch (error) {
      if (!(error instanceof LbjError)) throw error;
    }
    if (record?.type !== "aMNd") throw damaged("6.3.3", "no amendment where the index names one", at);
    return record;
  }

  /**
   * Frame `i`, from 0; throws where it is damaged as a whole.
   *
   * With `verify` the payload digests of all its blocks are checked, not only of those that are asked for: a block that
   * is damaged may belong to any signal.
   */
  async frame(i, { verify = false } = {}) {
    if (!(Number.isInteger(i) && i >= 0 && i < this.length)) throw new RangeError(`no frame ${i} of ${this.length}`);
    const group = this.indexed
      ? await indexedGroup(this.file, this.signals.length, this.groups[i], i)
      : this.groups[i];
    if (group.error) throw group.error;
    const blocks = group.blocks.filter(({ signal }) => !isStatic(this.signals[signal]));
    if (verify) for (const block of group.blocks) await this.file.payload(block);
    return new Frame(this, blocks, await this.attributes(group.done));
  }

  async attributes(done) {
    const bytes = (await this.file.payload(done)).subarray(24);
    try {
      return bytes.length ? parseJson(bytes) : Object.create(null);
    } catch (error) {
      throw error instanceof LbjError ? error.at(done.at) : error;
    }
  }

  /** Displacements (clause 7.5) by signal, the last that are right. */
  async displacements() {
    const places = this.others.filter(({ type }) => type === "dISP").map(({ at }) => at);
    const ends = this.groups.map(({ done }) => done.at ?? done);
    const completedBefore = (at) => {
      let [low, high] = [0, ends.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (ends[middle] < at) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    return displacementsOf(this.file, this.signals, places, completedBefore);
  }

  /**
   * Static signals that have data (clause 5.2.3).
   *
   * @returns {Promise<Map<string, Frame | LbjError>>} by name: a frame that gives the signal, or why there is none
   */
  async static() {
    const names = (numbers) => numbers.map((number) => this.signals[number].name);
    const open = new Set(this.signals.filter(isStatic).map(({ name }) => name));
    const found = new Map();
    const settle = (settled, value) => {
      for (const name of settled) if (open.delete(name)) found.set(name, value);
    };
    for (let i = this.statics.length - 1; i >= 0 && open.size; i--) {
      try {
        const group = this.indexed
          ? await indexedGroup(this.file, this.signals.length, this.statics[i], null)
          : this.statics[i];
        if (group.error) throw group.error;
        for (const block of group.blocks) await this.file.payload(block);
        const frame = new Frame(this, group.blocks, Object.create(null));
        settle(names(group.blocks.map(({ signal }) => signal)), frame);
      } catch (error) {
        if (!(error instanceof LbjError)) throw error;
        settle([...open], error);
      }
    }
    return found;
  }
}

/** What one frame holds, decoded when it is asked for. */
class Frame {
  constructor(journal, blocks, attributes) {
    this.journal = journal;
    this.attributes = attributes;
    this.blocks = new Map();
    for (const block of blocks) {
      const { name } = journal.signals[block.signal];
      if (!this.blocks.has(name)) this.blocks.set(name, []);
      this.blocks.get(name).push(block);
    }
    this.names = [...this.blocks.keys()];
  }

  parts(name, kinds) {
    const signal = this.journal.signal(name);
    if (!kinds.includes(signal.kind)) throw new TypeError(`${name} is of kind ${signal.kind}`);
    if (!this.blocks.has(name)) throw new RangeError(`${name} has no data in this frame`);
    return [this.journal.file, signal, this.blocks.get(name)];
  }

  /** Voxels that are not empty and their counts, by rising channel-major index (clause 2.3). */
  async events(name) {
    return eventsOf(...this.parts(name, ["events"]));
  }

  /** The array of spectra or an image, in C order. */
  async array(name) {
    return denseOf(...this.parts(name, ["spectra", "image"]), this.journal.limit);
  }

  /**
   * The sum over the members of a group that are present, null where none is (clause 5.1.5): `events` for groups of
   * events, else an array of f64, of BigInt for integers of 64 bits.
   */
  async group(name) {
    const members = this.journal.members.get(name);
    if (!members) throw new RangeError(`the journal has no group ${JSON.stringify(name)}`);
    const present = members.filter((signal) => this.blocks.has(signal.name)).map((signal) => signal.name);
    if (!present.length) return null;
    if (members[0].kind === "events") return this.sum(present, (one) => this.events(one), sumOfEvents);
    return this.sum(present, (one) => this.array(one), sumOfArrays);
  }

  async sum(names, read, add) {
    const arrays = [];
    for (const name of names) arrays.push(await read(name));
    return add(arrays);
  }
}
