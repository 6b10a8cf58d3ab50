// Codings made of integer streams: clauses 8.6 to 8.8, and the chart of 8.9 with chart.mjs.

import { Cursor, DTYPES, damaged, product, raw } from "./bytes.mjs";
import { chartValues } from "./chart.mjs";
import { fixedPoint, fromFixed, isFloat, rangeOf, readMap, store } from "./fixed.mjs";
import { decodeStream, integers, streamShape } from "./stream.mjs";

const MOST_Q = 2 ** 24;
/** Step, noise model, fit, chi2 and worst of clause 8.8.1, which decoding does not need. */
const STATED = 4 + 32 + 12;

/** Exceptions (clause 8.6.2): places, and the bytes of their values. */
function readExceptions(cursor, elements, dtype) {
  const item = DTYPES[dtype].BYTES_PER_ELEMENT;
  const count = cursor.number(1, elements, "the number of exceptions");
  if (count * (1 + item) > cursor.bytes.length - cursor.position) throw damaged("8.6.2", "the exceptions end early");
  const places = new Float64Array(count);
  let next = 0;
  for (let i = 0; i < count; i++) {
    places[i] = next + cursor.number(0, elements, "a gap between exceptions");
    if (places[i] >= elements) throw damaged("8.6.2", "an exception outside of the window");
    next = places[i] + 1;
  }
  return { places, values: cursor.take(count * item), item };
}

const NONE = { places: [], values: new Uint8Array(0), item: 0 };

function putExceptions(array, { places, values, item }) {
  const target = raw(array);
  for (let i = 0; i < places.length; i++) target.set(values.subarray(i * item, (i + 1) * item), places[i] * item);
  return array;
}

/** An integer stream whose length in bytes stands before it. */
function readStream(cursor, shape) {
  return decodeStream(new Cursor(cursor.take(cursor.number(0, Infinity, "the length of a stream"))), shape);
}

/** Value list (clause 8.6.3). */
function readValues(cursor, elements) {
  const count = cursor.number(1, elements, "the number of values");
  const first = cursor.signed(MOST_Q, "the first value");
  if (count === 1) return Int32Array.of(first);
  const steps = integers(readStream(cursor, [1, 1, count - 1]));
  const values = new Int32Array(count);
  let value = first;
  values[0] = first;
  for (let i = 1; i < count; i++) {
    if (steps[i - 1] < 0) throw damaged("8.6.3", "values that do not rise");
    value += steps[i - 1] + 1;
    if (value > MOST_Q) throw damaged("8.6.3", "a value beyond 2^24");
    values[i] = value;
  }
  return values;
}

/** lossless-int (clause 8.6). */
export function decodeLosslessInt(bytes, shape, dtype) {
  const cursor = new Cursor(bytes);
  const elements = product(shape);
  const flags = cursor.flags(7);
  const negativeZeros = (flags & 4) !== 0;
  if (negativeZeros && !isFloat(dtype)) throw damaged("8.6.5", `negative zeros in ${dtype}`);
  const exceptions = flags & 2 ? readExceptions(cursor, elements, dtype) : NONE;
  const list = flags & 1 ? readValues(cursor, elements) : null;
  let values = integers(decodeStream(cursor, streamShape(shape)));
  if (list !== null) {
    for (let i = 0; i < elements; i++) {
      if (!(values[i] >= 0 && values[i] < list.length)) throw damaged("8.6.3", "an index outside of the value list");
      values[i] = list[values[i]];
    }
  }
  if (negativeZeros) values = Float64Array.from(values, (q) => (q === -1 ? -0 : q < 0 ? q + 1 : q));
  checkRange(values, dtype, exceptions.places);
  return putExceptions(store(values, dtype), exceptions);
}

/** Clause 8.6.4: what is stored fits the dtype, except at exceptions. */
function checkRange(values, dtype, places) {
  const [least, most] = rangeOf(dtype);
  let next = 0;
  for (let i = 0; i < values.length; i++) {
    if (i === places[next]) next++;
    else if (values[i] < least || values[i] > most) throw damaged("8.6.4", `${values[i]} does not fit ${dtype}`);
  }
}

/** float-lattice (clause 8.7). */
export function decodeFloatLattice(bytes, shape, dtype) {
  if (!isFloat(dtype)) throw damaged("8.7.1", `float-lattice of ${dtype}`);
  const cursor = new Cursor(bytes);
  const columns = shape.at(-1);
  const flags = cursor.flags(31);
  const single = (flags & 2) !== 0;
  const Type = flags & 4 ? Float32Array : Float64Array;
  const parameters = (each) => {
    const count = each ? columns : 1;
    if (count * Type.BYTES_PER_ELEMENT > bytes.length) throw damaged("8.7.1", "the parameters end early");
    const read = Float64Array.from(cursor.array(Type, count));
    if (!read.every(Number.isFinite)) throw damaged("8.7.1", "a parameter that is not finite");
    const rounded = single ? read.map(Math.fround) : read;
    if (!rounded.every(Number.isFinite)) throw damaged("8.7.2", "a parameter that is not finite in f32");
    return each ? rounded : new Float64Array(columns).fill(rounded[0]);
  };
  const d = parameters(flags & 8);
  const g = parameters(flags & 16);
  const exceptions = flags & 1 ? readExceptions(cursor, product(shape), dtype) : NONE;
  const q = integers(decodeStream(cursor, streamShape(shape)));
  const out = new DTYPES[dtype](q.length);
  for (let row = 0; row < q.length; row += columns) {
    for (let c = 0; c < columns; c++) {
      const difference = q[row + c] - d[c];
      out[row + c] = single ? Math.fround(Math.fround(difference) * g[c]) : difference * g[c];
    }
  }
  return putExceptions(out, exceptions);
}

/** noise-q (clause 8.8). */
export function decodeNoiseQ(bytes, shape, dtype) {
  const cursor = new Cursor(bytes);
  const flags = cursor.flags(1);
  cursor.take(STATED);
  const map = readMap(cursor);
  const exceptions = flags & 1 ? readExceptions(cursor, product(shape), dtype) : NONE;
  const { samples } = decodeStream(cursor, streamShape(shape));
  const fixed = Float64Array.from(samples, (t) => fixedPoint(map, t));
  return putExceptions(fromFixed(fixed, map.F, dtype), exceptions);
}

/** chart (clause 8.9). */
export function decodeChart(bytes, shape, dtype) {
  const cursor = new Cursor(bytes);
  const flags = cursor.flags(3);
  cursor.take(STATED);
  const channels = shape.at(-1);
  const blocks = readChartBlocks(cursor, channels);
  const coarse = blocks.filter(({ factor }) => factor > 0);
  const exact = blocks.filter(({ factor }) => factor === 0);
  if (!coarse.length || exact.length > 0 !== (flags & 2) > 0) throw damaged("8.9.1", "exact blocks against the flags");
  for (const block of coarse) block.map = readMap(cursor);
  const { F } = coarse[0].map;
  if (coarse.some(({ map }) => map.F !== F)) throw damaged("8.9.2", "maps of different F");

  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const exactChannels = sum(exact.map(({ length }) => length));
  const bins = sum(coarse.map(({ length, factor }) => Math.ceil(length / factor)));
  const [height, width] = streamShape(shape);
  const form = integers(readStream(cursor, [1, 1, channels - exactChannels]));
  if (form.some((value) => value < 1)) throw damaged("8.9.1", "a shape below 1");
  const exceptions = flags & 1 ? readExceptions(cursor, product(shape), dtype) : NONE;
  const { samples } = readStream(cursor, [height, width, bins]);
  const kept = exact.length
    ? decodeLosslessInt(cursor.rest(), [...shape.slice(0, -1), exactChannels], dtype)
    : null;
  if (cursor.position !== bytes.length) throw damaged("8.9.1", "bytes are left over");

  const out = fromFixed(chartValues(blocks, form, samples, channels, bins), F, dtype);
  if (kept !== null) putExact(out, kept, blocks, channels);
  return putExceptions(out, exceptions);
}

function readChartBlocks(cursor, channels) {
  const count = cursor.number(1, channels, "the number of chart blocks");
  if (2 * count > cursor.bytes.length) throw damaged("8.9.1", "the chart ends early");
  const blocks = [];
  let first = 0;
  for (let i = 0; i < count; i++) {
    const length = cursor.number(1, channels - first, "the length of a chart block");
    const factor = cursor.number(0, Math.min(length, 2 ** 20), "the factor of a chart block");
    blocks.push({ first, length, factor, map: null });
    first += length;
  }
  if (first !== channels) throw damaged("8.9.1", "chart blocks that do not cover the channels");
  return blocks;
}

/** Channels of exact blocks into their places. */
function putExact(out, kept, blocks, channels) {
  let from = 0;
  for (let row = 0; row < out.length; row += channels) {
    for (const { first, length, factor } of blocks) {
      if (factor > 0) continue;
      out.set(kept.subarray(from, from + length), row + first);
      from += length;
    }
  }
}
