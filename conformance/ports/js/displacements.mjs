// Displacements, where the pixels of frames sampled the scene: clause 7.5.

import { LbjError, product, u64, view } from "./bytes.mjs";
import { isStatic } from "./header.mjs";

const MOST_TERMS = 16;
const MOST = 2 ** 32;

/** Displacements of the first frames of a journal in pixels of one signal. */
export class Displacement {
  constructor(fields) {
    Object.assign(this, fields);
  }

  /** (uy, ux) of every pixel of frame `n`, an array of shape (2, Y, X), px: pixel q shows the scene at q + u(q). */
  field(n) {
    const { terms, rows, columns, values, shape } = this;
    const [height] = shape;
    const pixels = height * columns;
    if (!(Number.isInteger(n) && n >= 0 && n < this.length)) throw new RangeError(`no displacements of frame ${n}`);
    if (terms === 0) return Float64Array.from(values.subarray(2 * pixels * n, 2 * pixels * (n + 1)));
    const out = new Float64Array(2 * pixels);
    const basis = legendre(terms, columns);
    for (let y = 0; y < height; y++) {
      const row = ((rows === 1 ? 0 : y) + n * rows) * terms * 2;
      for (let component = 0; component < 2; component++) {
        const start = component * pixels + y * columns;
        for (let k = 0; k < terms; k++) {
          const c = values[row + 2 * k + component];
          for (let x = 0; x < columns; x++) out[start + x] += c * basis[k * columns + x];
        }
      }
    }
    return out;
  }
}

/** P_0 to P_{terms-1} at t = (2x + 1) / X - 1, a row each. */
function legendre(terms, columns) {
  const out = new Float64Array(terms * columns);
  for (let x = 0; x < columns; x++) {
    const t = (2 * x + 1) / columns - 1;
    let [before, here] = [0, 1];
    for (let k = 0; k < terms; k++) {
      out[k * columns + x] = here;
      [before, here] = [here, ((2 * k + 1) * t * here - k * before) / (k + 1)];
    }
  }
  return out;
}

/** What a dISP payload says, null where it is not right (clause 7.5.2); `completed` frames stand before the record. */
function parse(payload, signals, completed) {
  if (payload.length < 24) return null;
  const data = view(payload);
  const frames = u64(data, 0);
  const number = data.getUint16(8, true);
  const terms = data.getUint16(10, true);
  const [rows, columns, flags] = [12, 16, 20].map((at) => data.getUint32(at, true));
  const signal = signals[number];
  if (!signal || isStatic(signal) || frames < 1 || frames > completed || terms > MOST_TERMS || flags > 1) return null;
  const shape = signal.kind === "image" ? signal.shape : signal.shape.slice(0, -1);
  if (shape.length !== 2 || columns !== shape[1] || !(rows === shape[0] || (rows === 1 && terms > 0))) return null;
  const each = terms ? 2 * rows * terms : 2 * product(shape);
  if (payload.length !== 24 + frames * (5 + 4 * each)) return null;
  const floats = new Float32Array(payload.slice(24, 24 + 4 * frames * (1 + each)).buffer);
  const error = floats.subarray(0, frames);
  const values = floats.subarray(frames);
  const left = payload.slice(payload.length - frames);
  if (error.some((one) => one < 0) || left.some((one) => one > 1)) return null;
  if (!values.every((one) => Math.abs(one) <= MOST)) return null;
  return new Displacement({
    signal: signal.name,
    shape,
    length: frames,
    terms,
    rows,
    columns,
    values,
    error,
    leftOut: Array.from(left, Boolean),
    moduloLattice: flags === 1,
  });
}

/**
 * The last displacements that are right, by the name of the signal in whose pixels they are.
 *
 * @param places of dISP records outside of frames, in the order of the file
 * @param completedBefore gives the number of frames completed before an offset
 */
export async function displacementsOf(file, signals, places, completedBefore) {
  const found = new Map();
  for (const at of [...places].reverse()) {
    try {
      const record = await file.record(at);
      if (record.type !== "dISP") continue;
      const one = parse(await file.payload(record), signals, completedBefore(at));
      if (one && !found.has(one.signal)) found.set(one.signal, one);
    } catch (error) {
      if (!(error instanceof LbjError)) throw error;
    }
  }
  return found;
}
