// All records that are left in a damaged journal: the search of clause 9.3, in work linear in the file.

import { crc32, u64, view } from "./bytes.mjs";

const PAGE = 2 ** 20;
const STEP = 256;
const MARKER = 0x424cf5;

/** x^(8n) modulo the polynomial of CRC-32, by which n zero bytes multiply (reflected, as everywhere here). */
const POWERS = [0x00800000];
for (let i = 1; i < 53; i++) POWERS.push(times(POWERS[i - 1], POWERS[i - 1]));

/** Product of two polynomials modulo that of CRC-32. */
function times(a, b) {
  let out = 0;
  for (let bit = 0x80000000; bit; bit >>>= 1) {
    if (a & bit) out ^= b;
    b = b & 1 ? (b >>> 1) ^ 0xedb88320 : b >>> 1;
  }
  return out >>> 0;
}

/** CRC-32 of bytes followed by others, from both digests and the length of the others. */
function joined(digest, other, length) {
  let moved = digest;
  for (let i = 0; length > 0; i++, length = Math.floor(length / 2)) if (length % 2) moved = times(moved, POWERS[i]);
  return (moved ^ other) >>> 0;
}

/** Digests of any stretch of a file, from those of its beginnings at every 256 bytes. */
class Digests {
  constructor(file) {
    this.file = file;
    this.prefixes = null;
  }

  async prefix(at) {
    if (!this.prefixes) {
      this.prefixes = new Uint32Array(Math.floor(this.file.size / STEP) + 1);
      let digest = 0;
      for (let page = 0; page < this.file.size; page += PAGE) {
        const bytes = await this.file.read(page, Math.min(PAGE, this.file.size - page));
        for (let i = 0; i + STEP <= bytes.length; i += STEP) {
          digest = joined(digest, crc32(bytes.subarray(i, i + STEP)), STEP);
          this.prefixes[(page + i) / STEP + 1] = digest;
        }
      }
    }
    const start = at - (at % STEP);
    return joined(this.prefixes[start / STEP], crc32(await this.file.read(start, at - start)), at - start);
  }

  async of(at, length) {
    return joined(await this.prefix(at), await this.prefix(at + length), length);
  }
}

/** Finds records: valid headers are those with marker and digest and a length that fits the file. */
class Search {
  constructor(file) {
    this.file = file;
    this.digests = new Digests(file);
    /** Bytes whose digest was wrong so far; where they pass the file's size, stretches are digested another way. */
    this.spent = 0;
    this.start = 0;
    this.page = new Uint8Array(0);
  }

  /** The record at `at`, or null. */
  async record(at) {
    if (at + 24 > this.file.size) return null;
    return this.fitting(await this.file.read(at, 24), at);
  }

  fitting(bytes, at) {
    const record = parse(bytes, at);
    return record && record.next <= this.file.size ? record : null;
  }

  /** The first record from `at` on, at multiples of 8, or null; a page that was read serves for the next call too. */
  async next(at) {
    while (at + 24 <= this.file.size) {
      if (at < this.start || at + 24 > this.start + this.page.length) {
        this.page = await this.file.read(at, Math.min(PAGE, this.file.size - at));
        this.start = at;
      }
      for (const end = this.start + this.page.length; at + 24 <= end; at += 8) {
        const record = this.fitting(this.page.subarray(at - this.start, at - this.start + 24), at);
        if (record) return record;
      }
    }
    return null;
  }

  /** Whether the payload is as its digest says; without one it is. */
  async isWhole({ at, length, flags, crc }) {
    if (!(flags & 1)) return true;
    if (this.spent > this.file.size) return (await this.digests.of(at + 24, length)) === crc;
    const right = crc32(await this.file.read(at + 24, length)) === crc;
    if (!right) this.spent += length;
    return right;
  }
}

function parse(bytes, at) {
  const data = view(bytes);
  if ((data.getUint32(0, true) & 0xffffff) !== MARKER) return null;
  if (data.getUint32(20, true) !== crc32(bytes.subarray(0, 20))) return null;
  const length = u64(data, 8);
  return {
    at,
    type: String.fromCharCode(...bytes.subarray(4, 8)),
    flags: bytes[3],
    crc: data.getUint32(16, true),
    length,
    next: at + 24 + 8 * Math.ceil(length / 8),
  };
}

/**
 * Records of a journal in the order of the file, from offset 8.
 *
 * @returns {AsyncGenerator<{at: number, type: string, length: number, flags: number, crc: number, next: number,
 *   whole: boolean, apart: boolean}>} `whole`: the payload is as its digest says; `apart`: it does not begin where the
 *   record before it ends
 */
export async function* records(file) {
  const search = new Search(file);
  let apart = false;
  for (let at = 8; at < file.size; ) {
    const record = await search.next(at);
    if (!record) return;
    apart ||= record.at !== at;
    const whole = await search.isWhole(record);
    yield { ...record, whole, apart };
    apart = false;
    at = record.next;
    if (!whole && !(await search.record(record.next))) {
      at = record.at + 24;
      apart = true;
    }
  }
}
