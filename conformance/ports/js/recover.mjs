// Saving what is whole in a damaged journal into a new one: clauses 9.4 to 9.7.

import { denseOf, eventsOf } from "./assemble.mjs";
import { LbjError, damaged, view } from "./bytes.mjs";
import { STATICS } from "./frames.mjs";
import { isStatic, mayAmend, parseAmendment, parseHead } from "./header.mjs";
import { isObject, parseJson, writeJson } from "./json.mjs";
import { Output } from "./output.mjs";
import { RecordFile, SIGNATURE } from "./records.mjs";
import { records } from "./salvage.mjs";

const MOST_AMENDMENTS = 4096;
const MOST_TOLD = 1000;

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
  const others = [...salvage.amendments, ...salvage.personal];
  const statics = [...salvage.statics.values()].flat();
  await new Output(file, write).journal(newHeader(header, kept, lost, uuid), salvage.frames, statics, others);
  return { kept, lost };
}

const [OUTSIDE, INSIDE, UNKNOWN] = ["outside", "inside", "unknown"];

/** HEAD; where it is wrong, the first of its copies and of HEADs elsewhere that is right (clause 9.4). */
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
      if (!["hEAD", "HEAD"].includes(record.type) || !record.whole) continue;
      try {
        return await read(record);
      } catch (wrong) {
        if (!(wrong instanceof LbjError)) throw wrong;
      }
    }
    throw start.every((byte, i) => byte === SIGNATURE[i]) ? error.at(8) : damaged("4.1.2", "neither signature nor HEAD", 0);
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
      if (record.type === "pERs") {
        if (await this.isJson(record)) this.personal.push(record);
      } else if (this.amendments.length < MOST_AMENDMENTS && (await this.mayAmend(record))) this.amendments.push(record);
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
      if (!(error instanceof LbjError)) throw error;
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

  async isJson(record) {
    try {
      parseJson(await this.file.bytes(record.at + 24, record.length));
      return true;
    } catch (error) {
      if (!(error instanceof LbjError)) throw error;
      return false;
    }
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

function newHeader(header, kept, lost, uuid) {
  const others = lost.length > MOST_TOLD ? ` and ${lost.length - MOST_TOLD} others` : "";
  const told = lost.slice(0, MOST_TOLD).join(", ") + others;
  const notes = [
    `recovered from journal ${header.uuid}: ${kept.length} frames kept, ${lost.length} lost${lost.length ? `: ${told}` : ""}`,
  ];
  const source = isObject(header.source) ? header.source : Object.create(null);
  if (Array.isArray(source.notes)) notes.unshift(...source.notes);
  return Object.assign(Object.create(null), header, { uuid, source: Object.assign(Object.create(null), source, { notes }) });
}
