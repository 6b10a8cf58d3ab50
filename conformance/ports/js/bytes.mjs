// Errors, CRC-32 digests and little-endian numbers; clause numbers in these files are those of spec/lbj.md.

/** Why a journal, a frame, a signal or a description cannot be given (clause 1.4). */
export class LbjError extends Error {
  /**
   * @param {"truncated" | "damaged" | "unsupported" | "limit"} kind
   *   `limit`: beyond the caller's limit (clause 11.1), which is no fault of the file
   * @param {string} clause
   * @param {string} message
   * @param {number | null} offset of the record at fault
   */
  constructor(kind, clause, message, offset = null) {
    super(message);
    this.name = "LbjError";
    this.kind = kind;
    this.clause = clause;
    this.offset = offset;
  }

  /** The same error with the offset of the record that was read, where it has none yet. */
  at(offset) {
    this.offset ??= offset;
    return this;
  }
}

export const damaged = (clause, message, offset = null) => new LbjError("damaged", clause, message, offset);

const TABLES = Array.from({ length: 8 }, () => new Uint32Array(256));
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  TABLES[0][i] = c;
}
for (let i = 0; i < 256; i++) {
  for (let t = 1; t < 8; t++) TABLES[t][i] = (TABLES[t - 1][i] >>> 8) ^ TABLES[0][TABLES[t - 1][i] & 255];
}

/** CRC-32 of bytes (clause 3.2), eight bytes a step. */
export function crc32(bytes) {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  let c = 0xffffffff;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    c ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    c =
      t7[c & 255] ^ t6[(c >>> 8) & 255] ^ t5[(c >>> 16) & 255] ^ t4[c >>> 24] ^
      t3[bytes[i + 4]] ^ t2[bytes[i + 5]] ^ t1[bytes[i + 6]] ^ t0[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) c = (c >>> 8) ^ t0[(c ^ bytes[i]) & 255];
  return ~c >>> 0;
}

export const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A u64 as a number: exact below 2^53, of the right magnitude above, which every bound of a length needs. */
export const u64 = (data, at) => data.getUint32(at + 4, true) * 2 ** 32 + data.getUint32(at, true);

/** Product of sizes: exact below 2^53, of the right magnitude above. */
export const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

export const DTYPES = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** The bytes under a typed array. */
export const raw = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Reads the fields at the beginning of a block of clause 8.5 to 8.9 one after the other. */
export class Cursor {
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0;
  }

  /** The next `length` bytes. */
  take(length) {
    if (length > this.bytes.length - this.position) throw damaged("8.5.10", "the block ends early");
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  /** All bytes that are left. */
  rest() {
    return this.take(this.bytes.length - this.position);
  }

  u8() {
    return this.take(1)[0];
  }

  u16() {
    return view(this.take(2)).getUint16(0, true);
  }

  i16() {
    return view(this.take(2)).getInt16(0, true);
  }

  u32() {
    return view(this.take(4)).getUint32(0, true);
  }

  /** Flags of which those in `known` have a meaning (clause 8.6.1 and its like). */
  flags(known) {
    const flags = this.u8();
    if (flags & ~known) throw new LbjError("unsupported", "8.6.1", `reserved flags of the coding are set: ${flags}`);
    return flags;
  }

  /** `count` values of the typed array `Type`, as a copy. */
  array(Type, count) {
    const out = new Type(count);
    raw(out).set(this.take(out.byteLength));
    return out;
  }

  /** Bytes of a LEB128 number of at most ten bytes, below 2^64 (clause 8.5.2). */
  leb128() {
    const start = this.position;
    while (this.u8() & 128) {
      if (this.position - start === 10) throw damaged("8.5.2", "a number of more than ten bytes");
    }
    const bytes = this.bytes.subarray(start, this.position);
    if (bytes.length === 10 && bytes[9] > 1) throw damaged("8.5.2", "a number of 2^64 or more");
    return bytes;
  }

  /** A number; from 2^53 on it is rounded, which is out of every range that is asked for. */
  number(least, most, what) {
    const bytes = this.leb128();
    let value = 0;
    for (let i = bytes.length - 1; i >= 0; i--) value = value * 128 + (bytes[i] & 127);
    if (value < least || value > most) throw damaged("8.5.2", `${what} is ${value}, not ${least} to ${most}`);
    return value;
  }

  /** A signed number of magnitude at most `most`. */
  signed(most, what) {
    const z = this.number(0, Infinity, what);
    const value = z % 2 ? -(z + 1) / 2 : z / 2;
    if (Math.abs(value) > most) throw damaged("8.5.2", `${what} is ${value}, beyond ±${most}`);
    return value;
  }

  /** A signed number beyond 2^53, as a BigInt. */
  signedWide() {
    const bytes = this.leb128();
    let z = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) z = (z << 7n) | BigInt(bytes[i] & 127);
    return z & 1n ? -(z + 1n) / 2n : z / 2n;
  }
}
