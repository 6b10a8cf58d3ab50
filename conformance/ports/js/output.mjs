// Writing a journal of records that are copied from another one.

import { crc32, raw, view } from "./bytes.mjs";
import { STATICS } from "./frames.mjs";
import { writeJson } from "./json.mjs";
import { SIGNATURE } from "./records.mjs";

/** Writes the new journal record by record, index and footer at its end. */
export class Output {
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

  /**
   * Writes a whole journal.
   *
   * @param header of the new journal
   * @param frames `{blocks, json}`, records of BLOK to be copied and bytes of the attributes, in order
   * @param statics records of BLOK of static signals
   * @param others records to be copied as they are
   */
  async journal(header, frames, statics, others) {
    this.totals = header.signals.map(() => ({ events: 0, bytes: 0 }));
    await this.put(SIGNATURE);
    await this.record("HEAD", Uint8Array.of(0, 0, 9, 0, 0, 0, 0, 0), new TextEncoder().encode(writeJson(header)));
    const pseudo = statics.length ? [await this.group(STATICS, statics, new Uint8Array(0))] : [];
    const groups = [];
    for (const [i, { blocks, json }] of frames.entries()) groups.push(await this.group(BigInt(i), blocks, json));
    for (const record of others) await this.copy(record);
    await this.index(groups, pseudo);
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
