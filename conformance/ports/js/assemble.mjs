// Blocks, their windows, and the whole arrays that they make: clauses 5.3 and 2.3.

import { DTYPES, LbjError, damaged, product, raw, view } from "./bytes.mjs";
import { codingOf, decodeDense, decodeEvents } from "./codings.mjs";

const MOST_WINDOWS = 4096;
const MOST = 2 ** 32 - 1;

/** Runs `read`, and names `at` in what it throws. */
async function named(at, read) {
  try {
    return await read();
  } catch (error) {
    throw error instanceof LbjError ? error.at(at) : error;
  }
}

/** Fields and window of a block, checked as far as clause 5.3.6 but for the coded voxels. */
function parseBlock(payload, signal) {
  const data = view(payload);
  const { shape, kind } = signal;
  const flags = data.getUint32(12, true);
  if (flags > 1) throw new LbjError("unsupported", "5.3.3", `reserved flags of a block: ${flags}`);
  const coding = codingOf(data.getUint16(10, true), kind);
  const length = 24 + (flags ? 8 * shape.length : 0);
  if (payload.length < length) throw damaged("4.3.4", "BLOK is shorter than its window");
  const start = shape.map((_, i) => (flags ? data.getUint32(24 + 8 * i, true) : 0));
  const stop = shape.map((size, i) => (flags ? data.getUint32(28 + 8 * i, true) : size));
  if (start.some((first, i) => first >= stop[i] || stop[i] > shape[i])) {
    throw damaged("5.3.4", "a window that is empty or leaves the array");
  }
  const sizes = stop.map((last, i) => last - start[i]);
  if (product(sizes) > MOST) throw damaged("5.3.5", "a window of more than 2^32-1 elements");
  const [voxels, events] = [16, 20].map((at) => data.getUint32(at, true));
  const right = kind === "events"
    ? voxels <= product(sizes) && voxels <= events && (voxels === 0) === (events === 0)
    : voxels === 0 && events === 0;
  if (!right) throw damaged("5.3.6", `voxels ${voxels} and events ${events}`);
  return { coding, start, stop, sizes, voxels, events, coded: payload.subarray(length) };
}

/** The windows of a signal in a frame are disjoint and cover its array (clause 5.3.7). */
function checkCover(windows, shape) {
  const volume = windows.reduce((sum, { sizes }) => sum + product(sizes), 0);
  if (volume !== product(shape)) throw damaged("5.3.7", "the windows do not cover the array");
  const sorted = [...windows].sort((a, b) => a.start[0] - b.start[0]);
  for (let i = 0; i < sorted.length; i++) {
    const one = sorted[i];
    for (let k = i + 1; k < sorted.length && sorted[k].start[0] < one.stop[0]; k++) {
      const other = sorted[k];
      const apart = shape.some((_, axis) => one.start[axis] >= other.stop[axis] || other.start[axis] >= one.stop[axis]);
      if (!apart) throw damaged("5.3.7", "two windows intersect");
    }
  }
}

/** Blocks of a signal in a frame with their coded bytes, all checks but those of the codings done. */
async function windowsOf(file, signal, blocks) {
  if (blocks.length > MOST_WINDOWS) throw damaged("5.3.7", "more than 4,096 windows", blocks[MOST_WINDOWS].at);
  const windows = [];
  for (const record of blocks) {
    const payload = await file.payload(record);
    windows.push(await named(record.at, () => ({ at: record.at, ...parseBlock(payload, signal) })));
  }
  await named(blocks[0].at, () => checkCover(windows, signal.shape));
  return windows;
}

/**
 * Voxels of an events signal that are not empty, by rising channel-major index over the whole array.
 *
 * @returns {Promise<{shape: number[], voxel: Uint32Array | Float64Array, count: Uint32Array}>}
 */
export async function eventsOf(file, signal, blocks) {
  const { shape, dtype } = signal;
  const lists = [];
  for (const one of await windowsOf(file, signal, blocks)) {
    const list = await named(one.at, () =>
      decodeEvents(one.coding, one.coded, one.sizes, dtype, one.voxels, one.events),
    );
    lists.push(blocks.length === 1 ? list : { voxel: wholeIndex(list.voxel, one, shape), count: list.count });
  }
  return { shape, ...merged(lists, Uint32Array) };
}

const indexType = (shape) => (product(shape) > MOST ? Float64Array : Uint32Array);

/** Channel-major indices over the array of those inside of a window; the order stays. */
function wholeIndex(voxel, { start, sizes }, shape) {
  const axes = shape.length - 1;
  const inside = product(sizes.slice(0, -1));
  const pixels = product(shape.slice(0, -1));
  const out = new (indexType(shape))(voxel.length);
  for (let i = 0; i < voxel.length; i++) {
    const channel = Math.floor(voxel[i] / inside);
    let rest = voxel[i] - channel * inside;
    let pixel = 0;
    for (let axis = axes - 1, stride = 1; axis >= 0; stride *= shape[axis], axis--) {
      const next = Math.floor(rest / sizes[axis]);
      pixel += (start[axis] + rest - next * sizes[axis]) * stride;
      rest = next;
    }
    out[i] = (start[axes] + channel) * pixels + pixel;
  }
  return out;
}

/** One list of sorted ones, merged by twos; counts of one voxel are added. */
function merged(lists, Count) {
  while (lists.length > 1) {
    const next = [];
    for (let i = 0; i < lists.length; i += 2) {
      next.push(i + 1 < lists.length ? mergedTwo(lists[i], lists[i + 1], Count) : lists[i]);
    }
    lists = next;
  }
  return lists[0];
}

function mergedTwo(a, b, Count) {
  const most = a.voxel.length + b.voxel.length;
  const voxel = new a.voxel.constructor(most);
  const count = new Count(most);
  let [i, k, n] = [0, 0, 0];
  while (i < a.voxel.length || k < b.voxel.length) {
    const one = i < a.voxel.length ? a.voxel[i] : Infinity;
    const other = k < b.voxel.length ? b.voxel[k] : Infinity;
    voxel[n] = Math.min(one, other);
    count[n++] = (one <= other ? a.count[i++] : 0) + (other <= one ? b.count[k++] : 0);
  }
  return { voxel: voxel.subarray(0, n), count: count.subarray(0, n) };
}

/** The sum of event lists of one shape; counts are f64, exact. */
export const sumOfEvents = (lists) => ({
  shape: lists[0].shape,
  ...merged(lists.map(({ voxel, count }) => ({ voxel, count: Float64Array.from(count) })), Float64Array),
});

/** The sum of arrays: of floats and integers of up to 32 bits as f64, else of BigInt. */
export function sumOfArrays(arrays) {
  const wide = arrays.some(({ data }) => data instanceof BigUint64Array || data instanceof BigInt64Array);
  const first = arrays[0];
  const data = wide ? new Array(first.data.length).fill(0n) : new Float64Array(first.data.length);
  for (const array of arrays) {
    for (let i = 0; i < data.length; i++) data[i] += wide ? BigInt(array.data[i]) : array.data[i];
  }
  return { shape: first.shape, dtype: wide ? "bigint" : "float64", data };
}

/**
 * Array of a signal of spectra or images in C order.
 *
 * @returns {Promise<{shape: number[], dtype: string, data: import("./lbj").TypedArray}>}
 */
export async function denseOf(file, signal, blocks, limit) {
  const { shape, dtype } = signal;
  const Type = DTYPES[dtype];
  const size = product(shape) * Type.BYTES_PER_ELEMENT;
  const windows = await windowsOf(file, signal, blocks);
  if (size > limit) throw new LbjError("limit", "11.1", `an array of ${size} bytes, more than the limit`, blocks[0].at);
  const decode = ({ at, coding, coded, sizes }) => named(at, () => decodeDense(coding, coded, sizes, dtype));
  if (windows.length === 1) return { shape, dtype, data: await decode(windows[0]) };
  const data = new Type(product(shape));
  for (const one of windows) copyWindow(raw(data), raw(await decode(one)), one, shape, Type.BYTES_PER_ELEMENT);
  return { shape, dtype, data };
}

/** Copies the array of a window, row by row of the last axis, as bytes. */
function copyWindow(target, source, { start, sizes }, shape, item) {
  const axes = shape.length;
  const row = sizes[axes - 1] * item;
  const index = new Array(axes - 1).fill(0);
  for (let from = 0; from < source.length; from += row) {
    let at = 0;
    for (let axis = 0; axis < axes; axis++) at = at * shape[axis] + start[axis] + (index[axis] ?? 0);
    target.set(source.subarray(from, from + row), at * item);
    for (let axis = axes - 2; axis >= 0 && ++index[axis] === sizes[axis]; axis--) index[axis] = 0;
  }
}

/**
 * Dense array of events in C order (…, channel).
 *
 * @param Type typed array of its elements
 * @param limit bytes that it may have
 */
export function toDense({ shape, voxel, count }, Type, limit = 2 ** 30) {
  const size = product(shape) * Type.BYTES_PER_ELEMENT;
  if (size > limit) throw new LbjError("limit", "11.1", `an array of ${size} bytes, more than the limit`);
  const channels = shape.at(-1);
  const pixels = product(shape) / channels;
  const out = new Type(product(shape));
  const wide = out instanceof BigUint64Array;
  for (let i = 0; i < voxel.length; i++) {
    const channel = Math.floor(voxel[i] / pixels);
    out[(voxel[i] - channel * pixels) * channels + channel] = wide ? BigInt(count[i]) : count[i];
  }
  return out;
}
