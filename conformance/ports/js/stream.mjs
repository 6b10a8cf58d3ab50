// The integer stream: clause 8.5.

import { LbjError, damaged, product } from "./bytes.mjs";
import { CLASSES, Frequencies, PHASES, SYMBOLS } from "./frequencies.mjs";

const MOST_Q = 2 ** 24;
const MOST_ERROR = 65536;
/** Shape (H, W, C) in which the stream of a window is coded (clause 8.5.1). */
export function streamShape(shape) {
  const [width, channels] = [1, ...shape].slice(-2);
  return [product(shape.slice(0, -2)), width, channels];
}

/** Head of the stream and its tap sets (clauses 8.5.2 and 8.5.3). */
function parseHead(cursor) {
  const flags = cursor.u8();
  if (flags > 1) throw new LbjError("unsupported", "8.5.2", `reserved flags of an integer stream: ${flags}`);
  const dithered = flags === 1;
  const seed = dithered ? cursor.u32() : 0;
  const beta = cursor.signed(2 ** 50, "beta");
  const alpha = cursor.number(0, 2 ** 24, "alpha");
  const gamma = cursor.number(0, 2 ** 16, "gamma");
  const sets = Array.from({ length: cursor.number(0, 16, "sets") }, () => parseSet(cursor));
  return { dithered, seed, beta, alpha, gamma, sets };
}

function parseSet(cursor) {
  const offset = cursor.signed(2 ** 31, "offset");
  const count = cursor.number(0, 64, "taps");
  const taps = [];
  for (let i = 0; i < count; i++) {
    const [place, weight] = [cursor.u16(), cursor.i16()];
    const onMean = (place & 255) === 255;
    const tap = { d: -(place >> 13), e: ((place >> 8) & 31) - 16, j: onMean ? 0 : (place & 255) - 128, onMean, weight };
    const earlier = tap.d < 0 || tap.e < 0 || (tap.e === 0 && (tap.j < 0 || onMean));
    if (!earlier) throw damaged("8.5.3", "a tap that is not earlier");
    taps.push(tap);
  }
  if (taps.reduce((sum, { weight }) => sum + Math.abs(weight), 0) > 32767) throw damaged("8.5.3", "weights above 32767");
  return { offset, taps };
}

/** Where the taps of a set lie inside the array, and the set as arrays for the loop over voxels. */
function prepareSet({ offset, taps }, [, width, channels]) {
  const most = (values) => Math.max(0, ...values);
  const flat = (tap) => (tap.d * width + tap.e) * channels + tap.j;
  const plain = taps.filter(({ onMean }) => !onMean);
  while (plain.length % 4) plain.push({ ...plain[0], weight: 0 }); // for the loop over voxels, which takes four at once
  const means = taps.filter(({ onMean }) => onMean);
  return {
    base: 2048 + 4096 * offset,
    firstRow: most(taps.map(({ d }) => -d)),
    firstColumn: most(taps.map(({ e }) => -e)),
    endColumn: width - most(taps.map(({ e }) => e)),
    firstChannel: Math.max(most(taps.map(({ j }) => -j)), means.length ? 1 : 0),
    endChannel: channels - most(taps.map(({ j }) => j)),
    places: Int32Array.from(plain, flat),
    weights: Float64Array.from(plain, ({ weight }) => weight),
    meanPlaces: Int32Array.from(means, flat),
    meanWeights: Float64Array.from(means, ({ weight }) => weight),
  };
}

/** Stretches of the channels of a row with the set that predicts them, null where there is none (clause 8.5.6). */
function stretches(sets, y, x, channels) {
  const here = sets.filter((set) => y >= set.firstRow && x >= set.firstColumn && x < set.endColumn);
  const edges = new Set([0, channels]);
  for (const set of here) for (const edge of [set.firstChannel, set.endChannel]) if (edge > 0 && edge < channels) edges.add(edge);
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((first, i) => ({
    first,
    end: sorted[i + 1],
    set: here.find((set) => first >= set.firstChannel && first < set.endChannel) ?? null,
  }));
}

/** Dither of the voxel with C-order index i (clause 8.5.4). */
function dither(i, seed) {
  let h = i ^ seed;
  h = Math.imul(h, 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca77);
  h ^= h >>> 13;
  return (Math.imul(h, 0xc2b2ae3d) >>> 26) - 32;
}

/** What is left of the stream after its tap sets: words, and the state X (clause 8.5.9). */
class Words {
  constructor(bytes) {
    if (bytes.length % 2) throw damaged("8.5.10", "half a word");
    this.words = new Uint16Array(bytes.slice().buffer);
    if (this.words.length < 2) throw damaged("8.5.10", "the words end early");
    this.position = 2;
    this.state = (this.words[0] + 2 ** 16 * this.words[1]) >>> 0;
    if (this.state < 2 ** 16) throw damaged("8.5.9", "a state below 2^16");
  }

  /** `n` bits, the highest 16 first. */
  bits(n) {
    let value = 0;
    for (; n > 0; n -= 16) {
      const size = Math.min(16, n);
      value = value * 2 ** size + (this.state & (2 ** size - 1));
      this.state >>>= size;
      if (this.state < 2 ** 16) {
        if (this.position === this.words.length) throw damaged("8.5.10", "the words end early");
        this.state = (this.state * 2 ** 16 + this.words[this.position++]) >>> 0;
      }
    }
    return value;
  }

  set(state, position) {
    this.state = state;
    this.position = position;
  }

  finish() {
    if (this.position !== this.words.length) throw damaged("8.5.10", "words are left over");
    if (this.state !== 2 ** 16) throw damaged("8.5.10", "another final state than 2^16");
  }
}

/**
 * Decodes an integer stream, to the end of the cursor's bytes.
 *
 * @param {import("./bytes.mjs").Cursor} cursor
 * @param {[number, number, number]} shape (H, W, C)
 * @returns {{samples: Int32Array, dithered: boolean}} samples t = 64q - u in C order (clause 8.5.4); see `integers`
 */
export function decodeStream(cursor, shape) {
  const { dithered, seed, beta, alpha, gamma, sets: described } = parseHead(cursor);
  const [height, width, channels] = shape;
  const voxels = product(shape);
  const rest = cursor.rest();
  if (voxels > 8192 * rest.length) throw damaged("8.5.10", "more voxels than the bytes can hold");
  const source = new Words(rest);
  const { words } = source;
  let { state, position } = source;
  const sets = described.map((set) => prepareSet(set, shape));
  const frequencies = new Frequencies();
  const { counts, starts, sums, limits } = frequencies;

  const samples = new Int32Array(voxels);
  const withMeans = sets.some((set) => set.meanPlaces.length > 0);
  const means = new Float64Array(withMeans ? voxels : 0);
  // Errors of this row and the row before, with room for the neighbours at c-1, c+1 and c+2.
  let errors = new Int32Array(channels + 3);
  let above = new Int32Array(channels + 3);

  for (let row = 0; row < height * width; row++) {
    [errors, above] = [above, errors];
    const rowStart = row * channels;
    const y = Math.floor(row / width);
    let mean = 0;
    let error1 = 0;
    let error2 = 0;
    for (const { first, end, set } of stretches(sets, y, row - y * width, channels)) {
      for (let c = first; c < end; c++) {
        const i = rowStart + c;
        if (c === 1) mean = samples[i - 1];
        else if (c > 1) mean += Math.floor((samples[i - 1] - mean + 8) * 0.0625);
        if (withMeans) means[i] = mean;

        // Prediction (8.5.6).
        const u = dithered ? dither(i, seed) : 0;
        let p = u;
        if (set !== null) {
          const { places, weights, meanPlaces, meanWeights } = set;
          let sum = set.base;
          let other = 0; // two chains of sums, so that one need not wait for the other
          for (let n = 0; n < places.length; n += 4) {
            sum += weights[n] * samples[i + places[n]] + weights[n + 1] * samples[i + places[n + 1]];
            other += weights[n + 2] * samples[i + places[n + 2]] + weights[n + 3] * samples[i + places[n + 3]];
          }
          sum += other;
          for (let n = 0; n < meanPlaces.length; n++) sum += meanWeights[n] * means[i + meanPlaces[n]];
          p += Math.floor(sum * (1 / 4096));
        } else if (c > 0) p += samples[i - 1];
        else if (row > 0) p += samples[i - channels];

        // Context (8.5.7); p >> 4 fits 32 bits.
        const m = (2 * (error1 + above[c + 1]) + error2 + above[c] + above[c + 2] + above[c + 3]) >> 3;
        const p4 = Math.floor(p * 0.0625) | 0;
        const level = p4 > 3 ? p4 >> 2 : 0;
        const variance = Math.max(1, beta + Math.floor((alpha * level + gamma * m * m) * (1 / 256)));
        let n = 31 - Math.clz32(variance);
        let scaled = variance;
        if (variance >= 2 ** 31) {
          scaled = Math.floor(variance / 2 ** 22);
          n = 53 - Math.clz32(scaled);
        }
        const half = n > 0 ? (scaled >>> (variance >= 2 ** 31 ? n - 23 : n - 1)) & 1 : 0;
        const cls = Math.min(CLASSES - 1, 2 * n + half);
        const k = cls > 13 ? (cls - 13) >> 2 : 0;
        const context = cls * PHASES + ((p4 >> k) & 3);
        if (limits[context] === 0) frequencies.meet(context);

        // Symbol (8.5.9).
        const at = context * (SYMBOLS + 1);
        const low = state & 32767;
        let s = starts[at + 16] <= low ? 16 : 0;
        if (starts[at + s + 8] <= low) s += 8;
        if (starts[at + s + 4] <= low) s += 4;
        if (starts[at + s + 2] <= low) s += 2;
        if (starts[at + s + 1] <= low) s += 1;
        const start = starts[at + s];
        state = (Math.imul(starts[at + s + 1] - start, state >>> 15) + low - start) >>> 0;
        if (state < 2 ** 16) {
          if (position === words.length) throw damaged("8.5.10", "the words end early");
          state = ((state << 16) | words[position++]) >>> 0;
        }
        counts[context * SYMBOLS + s] += 32;
        sums[context] += 32;
        if (sums[context] >= limits[context]) frequencies.make(context);

        let bucket = (p4 >> (2 + k)) + s - 16;
        let l = 0;
        if (s === 0 || s === 31 || k > 16) {
          source.set(state, position);
          if (s === 0 || s === 31) {
            const g = source.bits(5);
            const x = 2 ** g + source.bits(g) - 1;
            bucket += s === 0 ? -x : x;
          }
          l = source.bits(k);
          ({ state, position } = source);
        } else if (k > 0) {
          l = state & ((1 << k) - 1);
          state >>>= k;
          if (state < 2 ** 16) {
            if (position === words.length) throw damaged("8.5.10", "the words end early");
            state = ((state << 16) | words[position++]) >>> 0;
          }
        }
        const q = bucket * (1 << k) + l;
        if (Math.abs(q) > MOST_Q) throw damaged("8.5.10", "an integer beyond 2^24");
        samples[i] = 64 * q - u;
        error2 = error1;
        error1 = Math.min(Math.floor(Math.abs(64 * q - p) * 0.0625), MOST_ERROR);
        errors[c + 1] = error1;
      }
    }
  }
  source.set(state, position);
  source.finish();
  return { samples, dithered };
}

/** The integers q of a stream, in place of its samples. */
export function integers({ samples, dithered }) {
  const half = dithered ? 31 : 0;
  for (let i = 0; i < samples.length; i++) samples[i] = (samples[i] + half) >> 6;
  return samples;
}
