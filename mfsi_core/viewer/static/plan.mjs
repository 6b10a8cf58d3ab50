// Times, doses and bytes of a series, with the figures of mfsi_core.plan to the last digit: operations in one order.

import { SIZE } from "./tables.mjs";

const ELECTRON = 1.602176634e-19; // C
const [LEAST, MOST] = [1e-30, 1e30]; // SI units
const MOST_PIXELS = 2 ** 32 - 1; // of a signal, clause 5.1.5 of the standard
const ROUNDING = 1e-9; // of the number of pixels: 11.1 nm / 0.0555 nm is 200, whatever floats say
const NUMBER = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_]*|[^\s\d_]+)\s*$/u;
const UNITS = {
  length: { m: 1, mm: 1e-3, um: 1e-6, nm: 1e-9, pm: 1e-12, Å: 1e-10, angstrom: 1e-10 },
  current: { A: 1, mA: 1e-3, uA: 1e-6, nA: 1e-9, pA: 1e-12, fA: 1e-15 },
  time: { s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9, min: 60, h: 3600 },
};

/** The fields of a plan: name, kind, what it means, an example; `zero` may be zero. */
export const FIELDS = [
  { name: "field", kind: "length", label: "Field of view", hint: "one length, or two: rows, columns", value: "11.1nm" },
  { name: "pixel", kind: "length", label: "Pixel", hint: "its edge; the field grows to whole pixels", value: "0.0555nm" },
  { name: "current", kind: "current", label: "Beam current", hint: "at the specimen", value: "17pA" },
  { name: "dwell", kind: "time", label: "Dwell time", hint: "per pixel", value: "1ms" },
  { name: "frames", kind: "count", label: "Frames", hint: "of the series", value: "230" },
  { name: "flyback", kind: "time", label: "Fly-back", hint: "lost after every line", value: "0s", zero: true },
  { name: "write-overhead", kind: "time", label: "Write overhead", hint: "lost after every frame", value: "0s", zero: true },
  { name: "comm-overhead", kind: "time", label: "Communication overhead", hint: "lost after every frame", value: "0s", zero: true },
  { name: "motifs", kind: "count", label: "Motifs", hint: "repeats in the field that template matching sums", value: "1" },
];

/** Why a field cannot be used; `field` is its name. */
export class PlanError extends Error {
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

/** Value of a quantity such as "0.555Å", "17 pA" or "100us" in m, A or s. @throws {PlanError} */
export function quantity(text, kind, name, zero = false) {
  const units = UNITS[kind];
  const expected = `takes a ${kind} with its unit (${Object.keys(units).join(", ")})`;
  const [, digits, unit] = NUMBER.exec(text.replace(/[\u00b5\u03bc]/g, "u").replace(/\u212b/g, "Å")) ?? [];
  if (digits === undefined || !unit) throw new PlanError(name, expected);
  if (!Object.hasOwn(units, unit)) {
    const hint = kind === "length" && unit === "A" ? "; an ångström is written Å or angstrom" : "";
    throw new PlanError(name, `${expected}; ${unit} is no unit of ${kind}${hint}`);
  }
  const value = Number(digits) * units[unit];
  if (!((value >= LEAST && value <= MOST) || (zero && value === 0))) {
    throw new PlanError(name, `must be finite and ${zero ? "not negative (0, or " : "above zero ("}1e-30 to 1e30 in SI units)`);
  }
  return value;
}

function count(text, name) {
  if (!/^\s*\+?\d+\s*$/.test(text)) throw new PlanError(name, "takes a whole number");
  const value = Number(text);
  if (!(value >= 1 && Number.isSafeInteger(value))) throw new PlanError(name, "must be at least 1 and below 2^53");
  return value;
}

/** The even one of the nearest whole numbers, as Python rounds. */
function rounded(value) {
  const low = Math.floor(value);
  const part = value - low;
  if (part === 0.5) return low % 2 === 0 ? low : low + 1;
  return part < 0.5 ? low : low + 1;
}

/**
 * Plans a series.
 *
 * @param settings text by the names of FIELDS
 * @returns what `mfsi plan --json` prints, by the same names
 * @throws {PlanError} naming the field
 */
export function plan(settings) {
  const of = (name) => FIELDS.find((field) => field.name === name);
  const read = (name) => quantity(settings[name], of(name).kind, name, of(name).zero);
  const edge = read("pixel");
  const parts = settings.field.split(",");
  if (parts.length > 2) throw new PlanError("field", "takes one length or two (rows, columns)");
  const lengths = parts.map((part) => quantity(part, "length", "field"));
  const [ampere, exposure] = [read("current"), read("dwell")];
  const [frames, motifs] = [count(settings.frames, "frames"), count(settings.motifs, "motifs")];
  const [line, write, communication] = [read("flyback"), read("write-overhead"), read("comm-overhead")];
  if (Math.min(...lengths) < edge * (1 - ROUNDING)) throw new PlanError("field", "is smaller than a pixel");
  const [rows, columns] = [lengths[0], lengths.at(-1)].map((length) => Math.ceil((length / edge) * (1 - ROUNDING)));
  if (rows * columns > MOST_PIXELS) throw new PlanError("field", `is ${rows} × ${columns} pixels; a signal has at most ${MOST_PIXELS}`);
  const frameTime = rows * columns * exposure;
  const withOverheads = frameTime + rows * line + write + communication;
  const seriesTime = frames * withOverheads;
  const charge = (ampere * exposure) / ELECTRON;
  const side = edge * 1e10;
  const dose = charge / (side * side);
  const beamOn = (ampere * seriesTime) / ELECTRON / (rows * columns * (side * side));
  const bits = SIZE.coding * SIZE.spectrumBits + SIZE.imageBits;
  return {
    pixels: [rows, columns],
    field_nm: [rows * edge * 1e9, columns * edge * 1e9],
    frames,
    motifs,
    pixel_nm: edge * 1e9,
    current_A: ampere,
    dwell_s: exposure,
    frame_time_s: frameTime,
    frame_time_with_overheads_s: withOverheads,
    series_time_s: seriesTime,
    pixel_charge: charge,
    dose_per_frame: dose,
    total_dose: frames * dose,
    total_dose_with_overheads: beamOn,
    effective_dose: frames * dose * motifs,
    dose_rate: dose / exposure,
    series_dose_rate: (frames * dose) / seriesTime,
    series_dose_rate_with_overheads: beamOn / seriesTime,
    file_bytes: rounded(frames * ((rows * columns * bits) / 8 + SIZE.frameBytes) + SIZE.fileBytes),
  };
}
