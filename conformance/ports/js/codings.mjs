// Codings by their numbers, with raw and shuffle-zstd: clauses 8.1 and 8.4.

import { DTYPES, LbjError, damaged, product, raw, u64, view } from "./bytes.mjs";
import { decodeChart, decodeFloatLattice, decodeLosslessInt, decodeNoiseQ } from "./dense.mjs";
import { decodeLeb128, decodeSplitRice } from "./sparse.mjs";
// The package zstddec of npm, by its place: without an import map browsers, and workers even with one, resolve no names.
import { ZSTDDecoder } from "./vendor/zstddec-0.3.4.mjs";

export const CODINGS = [
  "raw", "leb128", "split-rice", "shuffle-zstd", "lossless-int", "float-lattice", "noise-q", "chart",
];
const EVENTS = ["raw", "leb128", "split-rice"];
const DENSE = ["raw", "shuffle-zstd", "lossless-int", "float-lattice", "noise-q", "chart"];
const MOST_COUNTS = { uint8: 2 ** 8 - 1, uint16: 2 ** 16 - 1 };

/** What libzstd takes in a module of 32 bits: bytes of a block, and the window of a frame (2^30). */
const MOST_ZSTD = 2 ** 30;
const MOST_WINDOW = 20 << 3;

/** Name of a coding, checked against the kind of the signal (clause 5.3.2); the number of one that is not known. */
export function codingOf(number, kind) {
  const name = CODINGS[number];
  if (!name) return number;
  const defined = kind === "events" ? EVENTS : DENSE;
  if (!defined.includes(name) || (name === "chart" && kind !== "spectra")) {
    throw damaged("5.3.2", `coding ${name} is not defined for ${kind}`);
  }
  return name;
}

function checkKnown(coding) {
  if (typeof coding === "number") throw new LbjError("unsupported", "5.3.2", `coding ${coding} is not known`);
}

/**
 * Sparse voxels of a window by their channel-major index in it (clause 8.0).
 *
 * @param shape of the window
 * @param voxels, events stated by the block
 * @returns {{voxel: Uint32Array, count: Uint32Array}}
 */
export function decodeEvents(coding, bytes, shape, dtype, voxels, events) {
  checkKnown(coding);
  const volume = product(shape);
  let lists;
  if (coding === "raw") lists = sparse(decodeRaw(bytes, shape, dtype), shape, voxels);
  else if (coding === "leb128") lists = decodeLeb128(bytes, volume, voxels);
  else lists = decodeSplitRice(bytes, volume, voxels, events);
  const { voxel, count } = lists;
  // The totals of split-rice are those of the block; no u32 is too large for uint32.
  const total = coding === "split-rice" ? events : sumOf(count);
  if (voxel.length !== voxels || total !== events) throw damaged("5.3.6", "other totals than stated");
  if (dtype !== "uint32" && count.some((one) => one > MOST_COUNTS[dtype])) throw damaged("5.3.6", `a count too large for ${dtype}`);
  return lists;
}

function sumOf(count) {
  let sum = 0;
  for (let i = 0; i < count.length; i++) sum += count[i];
  return sum;
}

/** Array of a window of spectra or an image, a typed array in C order. */
export async function decodeDense(coding, bytes, shape, dtype) {
  checkKnown(coding);
  switch (coding) {
    case "raw":
      return decodeRaw(bytes, shape, dtype);
    case "shuffle-zstd":
      return decodeShuffleZstd(bytes, shape, dtype);
    case "lossless-int":
      return decodeLosslessInt(bytes, shape, dtype);
    case "float-lattice":
      return decodeFloatLattice(bytes, shape, dtype);
    case "noise-q":
      return decodeNoiseQ(bytes, shape, dtype);
    default:
      return decodeChart(bytes, shape, dtype);
  }
}

function decodeRaw(bytes, shape, dtype) {
  const Type = DTYPES[dtype];
  if (bytes.length !== product(shape) * Type.BYTES_PER_ELEMENT) throw damaged("8.1.1", "another length than the window's");
  const out = new Type(product(shape));
  raw(out).set(bytes);
  return out;
}

function sparse(dense, shape, voxels) {
  const channels = shape.at(-1);
  const pixels = dense.length / channels;
  const voxel = new Uint32Array(voxels);
  const count = new Uint32Array(voxels);
  let found = 0;
  for (let c = 0; c < channels; c++) {
    for (let p = 0, at = c; p < pixels; p++, at += channels) {
      if (dense[at] === 0) continue;
      if (found === voxels) throw damaged("5.3.6", "more voxels than stated");
      voxel[found] = c * pixels + p;
      count[found++] = dense[at];
    }
  }
  if (found !== voxels) throw damaged("5.3.6", "fewer voxels than stated");
  return { voxel, count };
}

const zstd = new ZSTDDecoder();

async function decodeShuffleZstd(bytes, shape, dtype) {
  const Type = DTYPES[dtype];
  const elements = product(shape);
  const size = elements * Type.BYTES_PER_ELEMENT;
  const frame = zstdFrame(bytes, size);
  await zstd.init();
  const content = zstd.decode(frame, size);
  if (content.length !== size) throw damaged("8.4.1", "libzstd refuses the frame");
  const out = new Type(elements);
  const target = raw(out);
  for (let plane = 0; plane < Type.BYTES_PER_ELEMENT; plane++) {
    for (let i = 0, at = plane, from = plane * elements; i < elements; i++, at += Type.BYTES_PER_ELEMENT) {
      target[at] = content[from + i];
    }
  }
  return out;
}

/** Checks what clause 8.4 says beyond RFC 8878, and gives the frame as libzstd takes it. */
function zstdFrame(bytes, size) {
  if (bytes.length < 9 || view(bytes).getUint32(0, true) !== 0xfd2fb528) throw damaged("8.4.1", "no zstd frame");
  const descriptor = bytes[4];
  const single = (descriptor >> 5) & 1;
  const idSize = [0, 1, 2, 4][descriptor & 3];
  const sizeSize = [single, 2, 4, 8][descriptor >> 6];
  const idAt = 5 + 1 - single;
  const sizeAt = idAt + idSize;
  if (sizeSize === 0) throw damaged("8.4.1", "no content size");
  if (bytes.length < sizeAt + sizeSize) throw damaged("8.4.1", "the zstd frame ends early");
  if (bytes.subarray(idAt, sizeAt).some((byte) => byte !== 0)) throw damaged("8.4.1", "a dictionary");
  const field = new Uint8Array(8);
  field.set(bytes.subarray(sizeAt, sizeAt + sizeSize));
  const content = u64(view(field), 0) + (sizeSize === 2 ? 256 : 0);
  if (content !== size) throw damaged("8.4.2", `a content of ${content} bytes, not ${size}`);
  if (Math.max(size, bytes.length) > MOST_ZSTD) throw new LbjError("limit", "11.1", "a zstd frame of more than 1 GiB");
  const end = zstdEnd(bytes, sizeAt + sizeSize) + ((descriptor >> 2) & 1 ? 4 : 0);
  if (end !== bytes.length) throw damaged("8.4.1", "the zstd frame does not end where the block ends");
  if (single || bytes[5] <= MOST_WINDOW) return bytes;
  const frame = bytes.slice();
  frame[5] = MOST_WINDOW; // more than any distance inside of the content
  return frame;
}

/** Where the blocks of a zstd frame end. */
function zstdEnd(bytes, at) {
  for (let last = 0; !last; ) {
    if (at + 3 > bytes.length) throw damaged("8.4.1", "the zstd frame ends early");
    const header = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    last = header & 1;
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  return at;
}
