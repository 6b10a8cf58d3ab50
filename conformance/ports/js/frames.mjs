// Walking over records and completing frames: clauses 4.4, 5.2 to 5.4 and 9.1.

import { LbjError, crc32, damaged, u64, view } from "./bytes.mjs";
import { checkKnown } from "./records.mjs";

/** Frame number of the pseudo-frames of static signals (clause 5.2.3). */
export const STATICS = 2n ** 64n - 1n;

const WRONG_DIGEST = "the payload digest is wrong";

/**
 * A completed frame or pseudo-frame as its records say.
 *
 * @typedef {object} Group
 * @property {number} fram offset of the FRAM record
 * @property {object} done record of DONE
 * @property {bigint} number of the frame
 * @property {object[]} blocks records of BLOK with `signal`
 * @property {LbjError | null} error why the frame, which counts, cannot be read (clause 9.1)
 */

/** Follows records one by one; `next` gives the frame that the record at its place completes, or null. */
export class Walk {
  /**
   * @param {import("./records.mjs").RecordFile} file
   * @param {number} signals number of signals declared
   * @param {number} at where the first record stands
   */
  constructor(file, signals, at) {
    this.file = file;
    this.signals = signals;
    this.at = at;
    this.group = null;
    this.completed = 0;
    /** Records outside of frames that are not of clause 5. */
    this.others = [];
  }

  /** Reads one record. @returns {Promise<Group | null>} */
  async next() {
    const record = await this.file.record(this.at);
    checkKnown(record);
    let completed = null;
    if (record.type === "HEAD") throw damaged("5.1.1", "another HEAD", record.at);
    if (record.type === "FRAM") this.group = await this.begin(record);
    else if (record.type === "BLOK") await this.block(record);
    else if (record.type === "DONE") completed = await this.complete(record);
    else if (!this.group) this.others.push(record);
    this.at = record.next;
    return completed;
  }

  async begin(record) {
    if (record.length !== 16) throw damaged("4.3.4", "FRAM of another length than its layout", record.at);
    const bytes = await this.file.bytes(record.at + 24, 16);
    const group = { fram: record.at, number: view(bytes).getBigUint64(0, true), blocks: [], done: null, error: null };
    if (record.crc !== null && crc32(bytes) !== record.crc) {
      group.number = null;
      group.error = damaged("4.2.5", `FRAM: ${WRONG_DIGEST}`, record.at);
    }
    return group;
  }

  async block(record) {
    if (!this.group) throw damaged("5.3.1", "BLOK outside of a frame", record.at);
    if (record.length >= 24) {
      const data = view(await this.file.bytes(record.at + 24, 24));
      record.frame = data.getBigUint64(0, true);
      record.signal = data.getUint16(8, true);
    }
    this.group.blocks.push(record);
  }

  async complete(record) {
    const group = this.group;
    if (!group) throw damaged("5.4.2", "DONE outside of a frame", record.at);
    if (record.length < 24) throw damaged("4.3.4", "DONE is shorter than its layout", record.at);
    const data = view(await this.file.payload(record));
    group.done = record;
    const number = data.getBigUint64(0, true);
    group.number ??= number;
    for (const block of group.blocks) await this.checkBlock(group, block);
    if (number !== group.number) throw damaged("5.4.2", "DONE of another frame", record.at);
    if (data.getUint32(8, true) !== group.blocks.length) throw damaged("5.4.2", "another number of blocks", record.at);
    if (number !== STATICS) {
      if (number !== BigInt(this.completed)) throw damaged("5.2.2", `frame ${number} in place of ${this.completed}`, group.fram);
      this.completed++;
    }
    this.group = null;
    return group;
  }

  /** Structure of a block, or damage of its frame alone where its digest says that the fields cannot be trusted. */
  async checkBlock(group, block) {
    const wrong =
      (block.length < 24 && damaged("4.3.4", "BLOK is shorter than its layout", block.at)) ||
      (block.frame !== group.number && damaged("5.3.1", "BLOK of another frame", block.at)) ||
      (block.signal >= this.signals && damaged("5.3.2", `signal ${block.signal} is not declared`, block.at));
    if (!wrong) return;
    try {
      await this.file.payload(block);
    } catch (error) {
      if (!(error instanceof LbjError)) throw error;
      group.error ??= error;
      return;
    }
    throw wrong;
  }
}

/**
 * Walks from HEAD to the end.
 *
 * @returns {Promise<{frames: Group[], statics: Group[], others: object[], end: LbjError | null}>}
 *   `end`: how reading ended, null for an ordinary end
 */
export async function walkAll(file, signals, at) {
  const walk = new Walk(file, signals, at);
  const found = { frames: [], statics: [], others: walk.others, end: null };
  try {
    while (walk.at < file.size) {
      const group = await walk.next();
      if (group) (group.number === STATICS ? found.statics : found.frames).push(group);
    }
    if (walk.group) throw new LbjError("truncated", "4.4.1", "a frame is not completed", walk.group.fram);
  } catch (error) {
    if (!(error instanceof LbjError)) throw error;
    found.end = error;
  }
  return found;
}

/**
 * The frame to which an index leads (clause 6.3.3).
 *
 * @param place `{fram, done}`, offsets
 * @param number of the frame, null for a pseudo-frame
 */
export async function indexedGroup(file, signals, place, number) {
  const walk = new Walk(file, signals, place.fram);
  walk.completed = number ?? 0;
  try {
    while (walk.at <= place.done) {
      const at = walk.at;
      const group = await walk.next();
      if (walk.group?.fram !== place.fram && !group) throw damaged("6.3.3", "no FRAM where the index says", at);
      if (number !== null && walk.group && walk.group.number !== null && walk.group.number !== BigInt(number)) {
        throw damaged("6.3.3", `no FRAM of frame ${number} where the index says`, at);
      }
      if (!group) continue;
      if (at !== place.done) throw damaged("6.3.3", "the frame ends before the index says", at);
      if ((group.number === STATICS) !== (number === null)) throw damaged("6.3.3", "another kind of frame", place.fram);
      return group;
    }
    throw damaged("6.3.3", "the frame does not end where the index says", place.done);
  } catch (error) {
    if (!(error instanceof LbjError)) throw error;
    if (error.kind === "truncated") throw damaged(error.clause, error.message, error.offset);
    throw error;
  }
}

/** Places in a valid index (clause 6.3.1), or null. */
export async function readIndex(file, signals, afterHead) {
  try {
    return await index(file, signals, afterHead);
  } catch (error) {
    if (!(error instanceof LbjError)) throw error;
    return null;
  }
}

async function index(file, signals, afterHead) {
  if (file.size - 48 < afterHead) return null;
  const foot = await file.record(file.size - 48);
  if (foot.type !== "fOOT" || foot.length !== 24 || foot.crc === null) return null;
  const footer = view(await file.payload(foot));
  const at = u64(footer, 0);
  if (u64(footer, 16) !== file.size || at % 8 !== 0 || at < afterHead || at > foot.at - 48) return null;
  const record = await file.record(at);
  if (record.type !== "iNDX" || record.crc === null || record.next !== foot.at || record.length < 24) return null;
  const bytes = await file.payload(record);
  const data = view(bytes);
  const frames = u64(data, 0);
  const [signalCount, statics, others] = [8, 12, 16].map((place) => data.getUint32(place, true));
  if (frames > record.length / 16 || frames !== u64(footer, 8) || signalCount !== signals) return null;
  if (record.length !== 24 + 16 * (signalCount + frames + statics + others)) return null;
  const isPlace = (offset) => offset % 8 === 0 && offset >= afterHead && offset < at;
  const groups = [];
  for (let i = 0; i < frames + statics; i++) {
    const place = 24 + 16 * (signalCount + i);
    const group = { fram: u64(data, place), done: u64(data, place + 8) };
    const first = i === 0 || i === frames;
    if (!isPlace(group.fram) || !isPlace(group.done) || group.fram >= group.done) return null;
    if (!first && group.fram <= groups[i - 1].done) return null;
    groups.push(group);
  }
  const named = [];
  for (let i = 0; i < others; i++) {
    const place = 24 + 16 * (signalCount + frames + statics + i);
    const other = { type: String.fromCharCode(...bytes.subarray(place, place + 4)), at: u64(data, place + 8) };
    if (!isPlace(other.at)) return null;
    named.push(other);
  }
  return { frames: groups.slice(0, frames), statics: groups.slice(frames), others: named };
}
