// The axis of spectra: energies and their unit, channels of a window, the end of the zero strobe.

import { axisValues, sizes } from "./sizes.mjs";

const STROBE = 150; // eV; below it lies the zero-strobe peak of an X-ray detector

/**
 * Axis of a signal's spectra.
 *
 * @returns {{x: Float64Array, unit: string, label: string, factor: number, xray: boolean, calibrated: boolean}} values in
 *   `unit`, which is keV for X-rays; `factor`: of the axis' own unit; `calibrated`: in energies
 */
export function spectralAxis(signal) {
  const { channels } = sizes(signal);
  const { units, name = "energy", ...axis } = signal.axes?.at(-1) ?? {};
  const values = axisValues(axis, channels);
  const xray = signal.kind === "events" || /EDX|EDS/i.test(signal.group ?? signal.name);
  const calibrated = units === "eV" && values !== null;
  const factor = calibrated && xray ? 1e-3 : 1;
  return {
    xray,
    calibrated,
    factor,
    unit: calibrated && xray ? "keV" : values ? (units ?? "") : "channel",
    label: !values ? "channel" : name !== "energy" ? name : xray ? "energy" : "energy loss",
    x: Float64Array.from({ length: channels }, (_, i) => (values ? values[i] * factor : i)),
  };
}

/** First and last channel whose centre lies in a window; the nearest one where none does. */
export function channelsOf({ x }, [low, high]) {
  let [first, last, nearest] = [-1, -1, 0];
  const middle = (low + high) / 2;
  for (let i = 0; i < x.length; i++) {
    if (x[i] >= low && x[i] <= high) {
      if (first < 0) first = i;
      last = i;
    }
    if (Math.abs(x[i] - middle) < Math.abs(x[nearest] - middle)) nearest = i;
  }
  return first < 0 ? [nearest, nearest] : [first, last];
}

/** Where spectra begin, above the zero strobe of an X-ray detector. */
export function strobe({ x, xray, calibrated, factor }) {
  return xray && calibrated && x.at(-1) > STROBE * factor ? STROBE * factor : -Infinity;
}

/** Sum of a spectrum above the zero strobe. */
export function total(axis, y) {
  const from = strobe(axis);
  return y.reduce((sum, value, i) => (axis.x[i] < from ? sum : sum + value), 0);
}
