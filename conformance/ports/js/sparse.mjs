// The sparse codings leb128 and split-rice: clauses 8.2 and 8.3.

import { LbjError, damaged, view } from "./bytes.mjs";

/** Decodes leb128. @returns {{voxel: Uint32Array, count: Uint32Array}} */
export function decodeLeb128(bytes, volume, voxels) {
  if (voxels > bytes.length) throw damaged("8.2.3", "more voxels than bytes");
  const voxel = new Uint32Array(voxels);
  const count = new Uint32Array(voxels);
  let position = 0;
  const number = () => {
    let value = 0;
    for (let i = 0, scale = 1; i < 5; i++, scale *= 128) {
      if (position === bytes.length) throw damaged("8.2.2", "the bytes end early");
      const byte = bytes[position++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw damaged("8.2.2", "a number of more than five bytes");
  };
  let next = 0;
  for (let i = 0; i < voxels; i++) {
    const token = number();
    next += Math.floor(token / 2);
    if (next >= volume) throw damaged("8.2.2", "a voxel outside of the window");
    const many = token % 2 ? number() + 2 : 1;
    if (many > 0xffffffff) throw damaged("8.2.2", "a count above 2^32-1");
    voxel[i] = next++;
    count[i] = many;
  }
  if (position !== bytes.length) throw damaged("8.2.2", "bytes are left over");
  return { voxel, count };
}

const MOST_ONES = 24;
/** Positions of bits are u32 here; a longer block of one frame is beyond what a browser holds. */
const MOST_BITS = 2 ** 32 - 2 ** 10;

const shiftFor = (n) => {
  let k = 0;
  while (Math.floor(n / 4 ** k) >= 6) k++;
  return k;
};
const SHIFTS = Uint8Array.from({ length: 1536 }, (_, n) => shiftFor(n));

/** Smallest k with N // 4^k < 6 (clause 8.3.5). */
const shiftOf = (n) => (n < 1536 ? SHIFTS[n] : shiftFor(n));

/** At least 25 bits from a position on, in the lowest places, and how many ones they begin with. */
const peek = (data, at) => data.getUint32(at >>> 3, true) >>> (at & 7);
const onesOf = (bits) => (31 - Math.clz32(~bits & (bits + 1))) & 63;

/** Bits that `peek` gives at least; places of two counts in a range of 2^PAIRED take no more. */
const [PEEKED, PAIRED] = [25, 13];

/** `n` bits from a position on, n up to 32. */
const bitsAt = (data, at, n) =>
  n <= PEEKED
    ? peek(data, at) & ((1 << n) - 1)
    : ((peek(data, at) & 0xffff) | ((peek(data, at + 16) & (0xffff >>> (32 - n))) << 16)) >>> 0;

const REVERSED = Uint16Array.from({ length: 1 << PAIRED }, (_, n) => {
  let out = 0;
  for (let i = 0; i < PAIRED; i++) out |= ((n >> i) & 1) << (PAIRED - 1 - i);
  return out;
});

/** The second bits of the first `n` pairs of bits, those of the first pair highest. */
const seconds = (bits, n) => {
  let odd = (bits >>> 1) & 0x55555555 & ((1 << (2 * n)) - 1);
  odd = (odd | (odd >>> 1)) & 0x33333333;
  odd = (odd | (odd >>> 2)) & 0x0f0f0f0f;
  odd = (odd | (odd >>> 4)) & 0x00ff00ff;
  odd = (odd | (odd >>> 8)) & 0xffff;
  return REVERSED[odd] >> (PAIRED - n);
};

const bitLength = (a) => (a < 2 ** 32 ? 32 - Math.clz32(a) : 64 - Math.clz32(Math.floor(a / 2 ** 32)));

/**
 * Decodes split-rice. @returns {{voxel: Uint32Array, count: Uint32Array}}
 *
 * Totals and places inside of a chunk are kept as u32 (`>>>`), so that the loop over splits has no arithmetic of
 * floating point; A, B and what follows from them need 40 bits and have it.
 */
export function decodeSplitRice(bytes, volume, voxels, events) {
  const m = bytes[0];
  if (!(m <= 32)) throw damaged("8.3.1", bytes.length ? `m is ${m}` : "no byte for m");
  const bits = 8 * (bytes.length - 1);
  if (bits > MOST_BITS) throw new LbjError("limit", "11.1", "a block of 512 MiB");
  const size = 2 ** m;
  const chunks = Math.ceil(volume / size);
  if (voxels > bits || chunks > bits) throw damaged("8.3.6", "more voxels or chunks than bits");
  const voxel = new Uint32Array(voxels);
  const count = new Uint32Array(voxels).fill(1);

  // `at` is the position in bits, of which those after the last are zero.
  const padded = new Uint8Array(bytes.length + 16);
  padded.set(bytes.subarray(1));
  const data = view(padded);
  let at = 0;

  let a = Math.floor((events * 16) / Math.max(1, Math.floor(volume / size)));
  let b = 16 * 2 ** ((bitLength(Math.floor(a / 16)) + 1) >> 1);
  let left = events;
  let found = 0;
  // Upper halves that wait for their lower ones: totals by depth, and a bit for each depth that has one. Where it begins
  // follows from any index in its lower half.
  const totals = new Uint32Array(32);

  for (let chunk = 0; chunk < chunks; chunk++) {
    // Total (clause 8.3.4).
    const p = Math.floor((a + 8) * 0.0625);
    const b16 = Math.floor(b * 0.0625);
    const k = Math.min(24, Math.max(0, bitLength(b16) - 1));
    const q = Math.min(MOST_ONES, onesOf(peek(data, at)));
    let n;
    let z;
    at += q === MOST_ONES ? q : q + 1;
    if (q === MOST_ONES) {
      n = bitsAt(data, at, 32);
      at += 32;
      z = n > 2 * p ? n : n >= p ? 2 * (n - p) : 2 * (p - n) - 1;
    } else {
      z = (q << k) + bitsAt(data, at, k);
      at += k;
      n = z > 2 * p ? z : z & 1 ? p - ((z + 1) >>> 1) : p + (z >>> 1);
    }
    a += n - p;
    b += z - b16;
    left -= n;
    if (left < 0) throw damaged("8.3.4", "totals pass the number of events");
    if (at > bits) throw damaged("8.3.5", "the bits end early");
    if (n === 0) continue;

    // Split (clause 8.3.5).
    const base = (chunk * size) >>> 0;
    let first = 0;
    let j = m;
    let total = n >>> 0;
    let waiting = 0;
    for (;;) {
      while (total > 2 && j > 0) {
        const shift = shiftOf(total);
        const t = total >>> shift;
        const next = peek(data, at);
        let ones = onesOf(next);
        let low;
        if (ones >= MOST_ONES && t > MOST_ONES) {
          at += MOST_ONES;
          low = bitsAt(data, at, 32);
          at += 32;
          if (low > total) throw damaged("8.3.5", "a half holds more than its range");
        } else {
          let used = ones + 1;
          if (ones >= t) used = ones = t;
          const rest = used + shift > 25 ? peek(data, at + used) : next >>> used;
          const fold = (ones << shift) + (rest & ((1 << shift) - 1));
          at += used + shift;
          if (fold > total) throw damaged("8.3.5", "a half holds more than its range");
          low = ((total >>> 1) - ((fold >>> 1) ^ -(fold & 1))) >>> 0;
        }
        if (at > bits) throw damaged("8.3.5", "the bits end early");
        j--;
        if (low === 0) first += 1 << j;
        else {
          if (low !== total) {
            totals[j] = total - low;
            waiting |= 1 << j;
          }
          total = low;
        }
      }
      // Two counts: `10` and `11` send both into one half, `0` parts them.
      while (total === 2 && j > PAIRED) {
        const next = peek(data, at);
        j--;
        at += 1 + (next & 1);
        if (next & 1) first += ((next >>> 1) & 1) << j;
        else {
          totals[j] = total = 1;
          waiting |= 1 << j;
        }
      }
      // In a small range all bits of the two are read at once, without branches that depend on them.
      if (total === 2 && j > 0) {
        const next = peek(data, at);
        const together = Math.min(onesOf(next | 0xaaaaaaaa) >> 1, j);
        first += seconds(next, together) << (j - together);
        j -= together;
        at += 2 * together;
        if (j > 0) {
          const rest = next >>> (2 * together + 1);
          const half = 1 << --j;
          const lower = first + (rest & (half - 1));
          const upper = first + half + ((rest >>> j) & (half - 1));
          at += 2 * j + 1;
          if (at > bits) throw damaged("8.3.5", "the bits end early");
          if (found + 2 > voxels) throw damaged("5.3.6", "more voxels than stated");
          voxel[found] = base + lower;
          voxel[found + 1] = base + upper;
          found += 2;
          if (waiting === 0) break;
          j = 31 - Math.clz32(waiting & -waiting);
          waiting &= waiting - 1;
          first = ((first >>> j) + 1) << j;
          total = totals[j];
          continue;
        }
      }
      if (j > 0) {
        first += j <= PEEKED ? peek(data, at) & ((1 << j) - 1) : bitsAt(data, at, j);
        at += j;
      }
      if (at > bits) throw damaged("8.3.5", "the bits end early");
      if (found === voxels) throw damaged("5.3.6", "more voxels than stated");
      voxel[found] = base + first;
      count[found++] = total;
      if (waiting === 0) break;
      j = 31 - Math.clz32(waiting & -waiting);
      waiting &= waiting - 1;
      first = ((first >>> j) + 1) << j;
      total = totals[j];
    }
    // Voxels rise: if any of the chunk is outside of the window, the last is.
    if ((voxel[found - 1] - base) >>> 0 >= volume - base) throw damaged("8.3.5", "a voxel outside of the window");
  }
  if (left !== 0) throw damaged("8.3.4", "totals do not reach the number of events");
  const over = bits - at;
  if (over < 0) throw damaged("8.3.5", "the bits end early");
  if (over >= 8) throw damaged("8.3.1", "bytes are left over");
  if (found !== voxels) throw damaged("5.3.6", "fewer voxels than stated");
  return { voxel, count };
}
