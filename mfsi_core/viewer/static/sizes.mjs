// Sizes and axes of signals: pixels, steps, units.

/** Sizes of a signal as rows, columns and channels; further navigation axes are laid below one another. */
export function sizes({ kind, shape }) {
  const navigation = kind === "image" ? shape : shape.slice(0, -1);
  const columns = navigation.at(-1);
  const rows = navigation.slice(0, -1).reduce((a, b) => a * b, 1);
  return { rows, columns, pixels: rows * columns, channels: kind === "image" ? 1 : shape.at(-1) };
}

/** Values of an axis' indices, null where it is not calibrated. */
export function axisValues(axis, size) {
  if (axis?.values) return Float64Array.from(axis.values);
  if (axis?.scale === undefined) return null;
  return Float64Array.from({ length: size }, (_, i) => axis.offset + axis.scale * i);
}

/** Edges of a pixel in m, or null where they are not known. */
export function stepOf(signal) {
  const axes = signal.kind === "image" ? signal.axes : signal.axes?.slice(0, -1);
  const x = axes?.at(-1);
  const y = axes?.at(-2) ?? x;
  const known = (axis) => axis?.units === "m" && Number.isFinite(axis.scale) && axis.scale !== 0;
  return known(x) ? { x: Math.abs(x.scale), y: Math.abs(known(y) ? y.scale : x.scale) } : null;
}
