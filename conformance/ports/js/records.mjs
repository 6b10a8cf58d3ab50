// Random access to a journal and its records: clauses 4.2 to 4.4.

import { LbjError, crc32, damaged, u64, view } from "./bytes.mjs";

export const SIGNATURE = Uint8Array.of(0x89, 0x4c, 0x42, 0x4a, 0x0d, 0x0a, 0x1a, 0x0a);

const PAGE = 2 ** 16;
const MARKER = [0xf5, 0x4c, 0x42];
const CRITICAL = ["HEAD", "FRAM", "BLOK", "DONE"];

/** A source with the last page kept, so that walking from record to record does not ask for each header alone. */
export class RecordFile {
  constructor(source) {
    this.source = source;
    this.size = source.size;
    this.start = 0;
    this.page = new Uint8Array(0);
    this.tail = null;
  }

  /** `length` bytes from `offset`, which the caller has checked against the size. */
  async bytes(offset, length) {
    const inside = offset - this.start;
    if (inside >= 0 && inside + length <= this.page.length) return this.page.subarray(inside, inside + length);
    if (length >= PAGE) return this.read(offset, length);
    this.page = await this.read(offset, Math.min(PAGE, this.size - offset));
    this.start = offset;
    return this.page.subarray(0, length);
  }

  async read(offset, length) {
    const bytes = await this.source.read(offset, length);
    if (bytes.length !== length) throw new LbjError("truncated", "4.4.1", "the source gave fewer bytes", offset);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, length); // a Buffer's `slice` would not copy
  }

  /** Where the zeros begin with which the file ends (clause 4.4.2); looked for once. */
  async zeros() {
    if (this.tail !== null) return this.tail;
    for (let end = this.size; end > 0; end -= PAGE) {
      const start = Math.max(0, end - PAGE);
      const last = (await this.read(start, end - start)).findLastIndex((byte) => byte !== 0);
      this.tail = start + last + 1;
      if (last >= 0) break;
    }
    return this.tail;
  }

  /**
   * Header of the record at `at`, checked in the order of clause 4.2.7 as far as types that are not known.
   *
   * @returns {{at: number, type: string, length: number, crc: number | null, next: number}} `next`: where it ends
   */
  async record(at) {
    const present = Math.min(24, this.size - at);
    const bytes = await this.bytes(at, present);
    const marked = MARKER.every((byte, i) => i >= present || bytes[i] === byte);
    const digest = present === 24 && view(bytes).getUint32(20, true) === crc32(bytes.subarray(0, 20));
    if (present < 24 ? !marked : !marked || !digest) {
      if (at + present - 1 >= (await this.zeros())) throw new LbjError("truncated", "4.4.2", "zeros to the end", at);
      throw damaged(marked ? "4.2.2" : "4.2.1", `no ${marked ? "whole header" : "marker"} at ${at}`, at);
    }
    if (present < 24) throw new LbjError("truncated", "4.4.1", `the file ends in a header at ${at}`, at);
    const data = view(bytes);
    const type = String.fromCharCode(...bytes.subarray(4, 8));
    if (!/^[A-Za-z]{4}$/.test(type)) throw damaged("4.3.1", "a type of other bytes than letters", at);
    if (type[2] > "Z") throw new LbjError("unsupported", "4.3.1", `record type ${type}`, at);
    const flags = bytes[3];
    if (flags > 1) throw new LbjError("unsupported", "4.2.4", `reserved flags of a record: ${flags}`, at);
    const crc = data.getUint32(16, true);
    if (flags === 0 && crc !== 0) throw damaged("4.2.5", "a digest where the flags say none", at);
    const length = u64(data, 8);
    const [high, low] = [data.getUint32(12, true), data.getUint32(8, true)];
    if (high > 2 ** 30 || (high === 2 ** 30 && low > 0)) throw damaged("4.2.3", "a length above 2^62", at);
    if (length > this.size - at - 24 || at + 24 + 8 * Math.ceil(length / 8) > this.size) {
      throw new LbjError("truncated", "4.4.1", `the file ends in a ${type} record at ${at}`, at);
    }
    return { at, type, length, crc: flags ? crc : null, next: at + 24 + 8 * Math.ceil(length / 8) };
  }

  /** The payload of a record, its digest checked (clause 4.2.5). */
  async payload(record) {
    const bytes = await this.bytes(record.at + 24, record.length);
    if (record.crc !== null && crc32(bytes) !== record.crc) {
      throw damaged("4.2.5", `payload digest of ${record.type}`, record.at);
    }
    return bytes;
  }
}

/** Refuses a critical record that is not of clause 5 (clause 4.3.2). */
export function checkKnown({ type, at }) {
  if (type[0] <= "Z" && !CRITICAL.includes(type)) {
    throw new LbjError("unsupported", "4.3.2", `critical record ${type} is not known`, at);
  }
}
