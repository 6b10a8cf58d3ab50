// Fixed-point values of quantised samples (clause 8.8.2), and numbers put into arrays of a dtype.

import { DTYPES, damaged } from "./bytes.mjs";

const PART = 2 ** 25;

export const isFloat = (dtype) => dtype.startsWith("float");

/** Least and largest value of an integer dtype, as far as numbers of magnitude below 2^53 go. */
export function rangeOf(dtype) {
  const bits = Number(/\d+/.exec(dtype)[0]);
  if (isFloat(dtype)) return [-Infinity, Infinity];
  return dtype[0] === "u" ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** An array of the dtype from integers or floats as numbers, which are in its range. */
export function store(values, dtype) {
  const Type = DTYPES[dtype];
  if (values instanceof Type) return values;
  if (Type.BYTES_PER_ELEMENT < 8 || Type === Float64Array) return Type.from(values);
  const out = new Type(values.length);
  const halves = new Uint32Array(out.buffer);
  for (let i = 0; i < values.length; i++) {
    halves[2 * i] = values[i] % 2 ** 32;
    halves[2 * i + 1] = Math.floor(values[i] / 2 ** 32);
  }
  return out;
}

/** Map of samples to fixed-point values (clause 8.8.2), b and l in parts that keep every product exact. */
export function readMap(cursor) {
  const a = cursor.signed(2 ** 11, "a");
  const l = cursor.signed(2 ** 35, "l");
  const b = cursor.signedWide();
  if (b > 2n ** 60n || b < -(2n ** 60n)) throw damaged("8.8.2", `b is ${b}`);
  const s = cursor.number(0, 62, "s");
  const F = cursor.number(0, 24, "F");
  const lHigh = Math.floor(l / PART);
  return { a, lHigh, lLow: l - lHigh * PART, bHigh: Number(b >> 25n), bLow: Number(b & (2n ** 25n - 1n)), s, F };
}

/** Fixed-point value of a sample; `(a * w + l * t + b) >> s` in two parts of which the upper counts 2^25. */
export function fixedPoint(map, t) {
  if (t > PART || t < -PART) throw damaged("8.8.2", "a sample beyond 2^25");
  const w = t > 0 ? t * t - 341 : 0;
  const wHigh = Math.floor(w / PART);
  const low = map.a * (w - wHigh * PART) + map.lLow * t + map.bLow;
  const carry = Math.floor(low / PART);
  const high = map.a * wHigh + map.lHigh * t + map.bHigh + carry;
  const rest = low - carry * PART;
  const value = map.s >= 25
    ? Math.floor(high / 2 ** (map.s - 25))
    : high * 2 ** (25 - map.s) + Math.floor(rest / 2 ** map.s);
  if (!(Math.abs(value) < 2 ** 53)) throw damaged("8.8.2", "a fixed-point value of 2^53 or more");
  return value;
}

/** Values of the dtype from fixed-point ones, in place (clause 8.8.2). */
export function fromFixed(fixed, F, dtype) {
  const scale = 2 ** F;
  if (isFloat(dtype)) {
    for (let i = 0; i < fixed.length; i++) fixed[i] /= scale;
    return store(fixed, dtype);
  }
  const [least, most] = rangeOf(dtype);
  for (let i = 0; i < fixed.length; i++) {
    const whole = Math.floor(fixed[i] / scale);
    const rounded = fixed[i] - whole * scale >= scale / 2 && F > 0 ? whole + 1 : whole;
    fixed[i] = Math.min(Math.max(rounded, least), most);
  }
  return store(fixed, dtype);
}
