// Saving what is whole in a damaged journal into a new one: clause 9.3.

import { denseOf, eventsOf } from "./assemble.mjs";
import { LbjError, crc32, damaged, raw, view } from "./bytes.mjs";
import { STATICS } from "./frames.mjs";
import { isStatic, mayAmend, parseAmendment, parseHead } from "./header.mjs";
import { isObject, parseJson, writeJson } from "./json.mjs";
import { RecordFile } from "./records.mjs";
import { records } from "./salvage.mjs";

const SIGNATURE = Uint8Array.of(0x89, 0x4c, 0x42, 0x4a, 0x0d, 0x0a, 0x1a, 0x0a);
const MOST_AMENDMENTS = 4096;
const MOST_TOLD = 200;

/**
 * Saves what is whole.
 *
 * @param source of the damaged journal
 * @param {(bytes: Uint8Array) => Promise<void> | void} write takes the bytes of the new journal one after the other
 * @param options `limit`: bytes of a dense array; `uuid` of the new journal
 * @returns {Promise<{kept: bigint[], lost: bigint[]}>} old numbers of the frames that were kept, in order, and of those
 *   that the file shows to have existed
 */
export async function recover(source, write, { limit = 2 ** 30, uuid = crypto.randomUUID() } = {}) {
  const file = new RecordFile(source);
  const found = [];
  for await (const record of file.size >= 8 ? records(file) : []) found.push(record);
  const header = await chooseHead(file, found);
  const salvage = new Salvage(file, header, limit);
  for (const record of found) await salvage.take(record);
  await salvage.keepWaiting();
  const kept = salvage.frames.map(({ number }) => number);
  const lost = salvage.lost(kept);
  await new Output(file, write).journal(header, salvage, lost, uuid);
  return { kept, lost };
}

const [OUTSIDE, INSIDE, UNKNOWN] = ["outside", "inside", "unknown"];

/** HEAD, or the first copy of it that is right where it is wrong (clause 7.2). */
async function chooseHead(file, found) {
  const read = async (record) => parseHead(await file.payload({ ...record, crc: record.flags & 1 ? record.crc : null })).header;
  const start = await file.bytes(0, Math.min(8, file.size));
  if (start.length < 8) {
    if (start.every((byte, i) => byte === SIGNATURE[i])) throw new LbjError("truncated", "4.1.2", "the file ends in the signature", 0);
    throw damaged("4.1.2", "not a listed-bin journal", 0);
  }
  try {
    const record = await file.record(8);
    if (record.type !== "HEAD") throw damaged("5.1.1", `the first record is ${record.type}`, 8);
    return await read({ ...record, flags: record.crc === null ? 0 : 1 });
  } catch (error) {
    if (!(error instanceof LbjError)) throw error;
    if (error.kind !== "damaged") throw error.at(8);
    for (const record of found) {
      if (record.type !== "hEAD" || !record.whole) continue;
      try {
        return await read(record);
      } catch (wrong) {
        if (!(wrong instanceof LbjError)) throw wrong;
      }
    }
    throw error.at(8);
  }
}

/** Whether a header that is right says what this version knows (clauses 4.2.4, 4.2.5 and 4.3.1). */
const isSound = ({ type, flags, crc }) => /^[A-Za-z]{2}[A-Z][A-Za-z]$/.test(type) && (flags === 1 || (flags === 0 && crc === 0));

/** Goes through the records that were found and keeps frames, static signals and descriptions that are whole. */
class Salvage {
  constructor(file, header, limit) {
    this.file = file;
    this.signals = header.signals;
    this.byName = new Map(this.signals.map((signal) => [signal.name, signal]));
    this.limit = limit;
    this.frames = [];
    this.statics = new Map();
    this.amendments = [];
    this.personal = [];
    this.seen = new Set();
    /** Numbers below this one existed. */
    this.below = 0n;
    this.open = null;
    /** Where the next record stands, as far as the ones before tell. */
    this.place = OUTSIDE;
    /** Descriptions after bytes that were lost: the next FRAM, BLOK or DONE tells whether they stand inside of a frame. */
    this.waiting = [];
  }

  async take(record) {
    if (record.apart) {
      this.open = null;
      this.place = UNKNOWN;
      await this.keepWaiting();
    }
    const { type } = record;
    if (!isSound(record)) {
      this.open = null;
    } else if (type === "FRAM") {
      await this.keepWaiting();
      this.place = INSIDE;
      await this.begin(record);
    } else if (type === "BLOK" || type === "DONE") {
      this.waiting = [];
      this.place = type === "DONE" ? OUTSIDE : INSIDE;
      await (type === "DONE" ? this.complete(record) : this.block(record));
    } else if (type[0] < "a") {
      this.open = null;
    } else if (record.whole && (type === "aMNd" || type === "pERs") && this.place !== INSIDE) {
      this.waiting.push(record);
      if (this.place === OUTSIDE) await this.keepWaiting();
    }
  }

  /** Keeps the descriptions that waited: they stand outside of frames. */
  async keepWaiting() {
    for (const record of this.waiting) {
      if (record.type === "pERs") this.personal.push(record);
      else if (this.amendments.length < MOST_AMENDMENTS && (await this.mayAmend(record))) this.amendments.push(record);
    }
    this.waiting = [];
  }

  async fields(record, least) {
    if (!record.whole || record.length < least) return null;
    return view(await this.file.bytes(record.at + 24, least));
  }

  note(number) {
    if (number < BigInt(Math.floor(this.file.size / 88))) this.seen.add(number);
  }

  async begin(record) {
    this.open = null;
    const data = record.length === 16 ? await this.fields(record, 16) : null;
    if (!data) return;
    this.open = { number: data.getBigUint64(0, true), blocks: [] };
    this.note(this.open.number);
  }

  async block(record) {
    const data = await this.fields(record, 24);
    if (!data) {
      // Its signal is not known; a pseudo-frame still gives the others.
      if (this.open?.number === STATICS && record.length >= 24) this.open.blocks.push(null);
      else this.open = null;
      return;
    }
    const number = data.getBigUint64(0, true);
    const signal = data.getUint16(8, true);
    this.note(number);
    if (this.open?.number !== number || signal >= this.signals.length) this.open = null;
    else this.open.blocks.push({ ...record, crc: null, signal, events: data.getUint32(20, true) });
  }

  async complete(record) {
    const frame = this.open;
    this.open = null;
    const data = await this.fields(record, 24);
    if (!data) return;
    const number = data.getBigUint64(0, true);
    this.note(number);
    if (number !== STATICS && number < BigInt(Math.floor(this.file.size / 88)) && number > this.below) this.below = number;
    if (frame?.number !== number || data.getUint32(8, true) !== frame.blocks.length) return;
    if (number === STATICS) await this.keepStatics(frame);
    else await this.keepFrame(frame, record);
  }

  bySignal(blocks, wanted) {
    const out = new Map();
    for (const block of blocks) {
      if (!block || isStatic(this.signals[block.signal]) !== wanted) continue;
      if (!out.has(block.signal)) out.set(block.signal, []);
      out.get(block.signal).push(block);
    }
    return out;
  }

  async isDecodable(number, blocks) {
    const signal = this.signals[number];
    try {
      if (signal.kind === "events") await eventsOf(this.file, signal, blocks);
      else await denseOf(this.file, signal, blocks, this.limit);
      return true;
    } catch (error) {
      if (!(error instanceof LbjError) || error.kind === "limit") throw error;
      return false;
    }
  }

  async keepStatics(frame) {
    for (const [signal, blocks] of this.bySignal(frame.blocks, true)) {
      if (await this.isDecodable(signal, blocks)) this.statics.set(signal, blocks);
    }
  }

  async keepFrame({ number, blocks }, done) {
    const json = (await this.file.bytes(done.at + 24, done.length)).slice(24);
    let attributes;
    try {
      attributes = json.length ? parseJson(json) : Object.create(null);
    } catch (error) {
      if (!(error instanceof LbjError)) throw error;
      return;
    }
    const bySignal = this.bySignal(blocks, false);
    for (const [signal, own] of bySignal) if (!(await this.isDecodable(signal, own))) return;
    const renumbered = number !== BigInt(this.frames.length);
    this.frames.push({ number, blocks: [...bySignal.values()].flat(), json: renumbered ? renamed(attributes, number) : json });
  }

  /** Whether an amendment is right and leaves the header right. */
  async mayAmend(record) {
    try {
      return mayAmend(this.byName, parseAmendment(await this.file.bytes(record.at + 24, record.length)));
    } catch (error) {
      if (!(error instanceof LbjError)) throw error;
      return false;
    }
  }

  /** Numbers of frames that existed and are not kept, rising. */
  lost(kept) {
    const all = new Set(this.seen);
    for (let number = 0n; number < this.below; number++) all.add(number);
    for (const number of kept) all.delete(number);
    return [...all].sort((a, b) => (a < b ? -1 : 1));
  }
}

/** Attributes with the old number of the frame. */
function renamed(attributes, number) {
  if (!isObject(attributes.metadata)) attributes.metadata = Object.create(null);
  attributes.metadata.original_frame = number;
  return new TextEncoder().encode(writeJson(attributes));
}

/** Writes the new journal record by record, index and footer at its end. */
class Output {
  constructor(file, write) {
    this.file = file;
    this.write = write;
    this.at = 0;
    this.groups = [];
    this.others = [];
    this.totals = [];
  }

  async put(bytes) {
    await this.write(bytes);
    this.at += bytes.length;
  }

  /** Writes a record whose payload is given in parts; gives its offset. */
  async record(type, ...parts) {
    const at = this.at;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const bytes = new Uint8Array(24 + 8 * Math.ceil(length / 8));
    const data = view(bytes);
    bytes.set([0xf5, 0x4c, 0x42, 1, ...new TextEncoder().encode(type)]);
    data.setBigUint64(8, BigInt(length), true);
    let place = 24;
    for (const part of parts) {
      bytes.set(part, place);
      place += part.length;
    }
    data.setUint32(16, crc32(bytes.subarray(24, 24 + length)), true);
    data.setUint32(20, crc32(bytes.subarray(0, 20)), true);
    await this.put(bytes);
    return at;
  }

  async copy({ type, at, length }) {
    this.others.push({ type, at: await this.record(type, await this.file.bytes(at + 24, length)) });
  }

  async group(number, blocks, json) {
    const fram = await this.record("FRAM", numbers(number, 0n));
    let sum = 0;
    for (const { at, length, signal, events } of blocks) {
      const rest = (await this.file.bytes(at + 24, length)).subarray(8);
      const start = await this.record("BLOK", numbers(number), rest);
      this.totals[signal].events += events;
      this.totals[signal].bytes += this.at - start;
      sum += events;
    }
    const done = await this.record("DONE", numbers(number, BigInt(blocks.length), BigInt(sum)), json);
    return { fram, done };
  }

  async journal(header, salvage, lost, uuid) {
    this.totals = header.signals.map(() => ({ events: 0, bytes: 0 }));
    await this.put(SIGNATURE);
    const head = new TextEncoder().encode(writeJson(newHeader(header, salvage, lost, uuid)));
    await this.record("HEAD", Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0), head);
    const statics = [...salvage.statics.values()].flat();
    const pseudo = statics.length ? [await this.group(STATICS, statics, new Uint8Array(0))] : [];
    const frames = [];
    for (const [i, { blocks, json }] of salvage.frames.entries()) frames.push(await this.group(BigInt(i), blocks, json));
    for (const record of [...salvage.amendments, ...salvage.personal]) await this.copy(record);
    await this.index(frames, pseudo);
  }

  async index(frames, pseudo) {
    const pairs = [
      ...this.totals.map(({ events, bytes }) => numbers(BigInt(events), BigInt(bytes))),
      ...[...frames, ...pseudo].map(({ fram, done }) => numbers(BigInt(fram), BigInt(done))),
    ];
    const counts = new Uint8Array(24);
    const data = view(counts);
    data.setBigUint64(0, BigInt(frames.length), true);
    [this.totals.length, pseudo.length, this.others.length].forEach((count, i) => data.setUint32(8 + 4 * i, count, true));
    const others = this.others.map(({ type, at }) => {
      const bytes = numbers(0n, BigInt(at));
      bytes.set(new TextEncoder().encode(type));
      return bytes;
    });
    const index = await this.record("iNDX", counts, ...pairs, ...others);
    await this.record("fOOT", numbers(BigInt(index), BigInt(frames.length), BigInt(this.at + 48)));
  }
}

/** u64 after u64, as bytes. */
const numbers = (...values) => raw(BigUint64Array.from(values));

function newHeader(header, { frames }, lost, uuid) {
  const told = lost.slice(0, MOST_TOLD).join(", ") + (lost.length > MOST_TOLD ? ", …" : "");
  const notes = [
    `recovered from journal ${header.uuid}: ${frames.length} frames kept, ${lost.length} lost${lost.length ? `: ${told}` : ""}`,
  ];
  const source = isObject(header.source) ? header.source : Object.create(null);
  if (Array.isArray(source.notes)) notes.unshift(...source.notes);
  return Object.assign(Object.create(null), header, { uuid, source: Object.assign(Object.create(null), source, { notes }) });
}
