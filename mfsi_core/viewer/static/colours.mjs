// Colour scales: grey for images, viridis (matplotlib's, CC0) for maps.

const VIRIDIS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37],
];
const GREY = [[0, 0, 0], [255, 255, 255]];
const MISSING = [128, 128, 128, 0];

/** 256 colours from the given ones, evenly apart, as [r, g, b]. */
function scale(points) {
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (points.length - 1);
    const low = Math.min(points.length - 2, Math.floor(at));
    return points[low].map((value, k) => Math.round(value + (at - low) * (points[low + 1][k] - value)));
  });
}

export const SCALES = { grey: scale(GREY), viridis: scale(VIRIDIS) };

/** Limits of a colour scale: the percentiles 0.5 and 99.5 of the finite values, apart by something. */
export function limits(data) {
  const step = Math.max(1, Math.floor(data.length / 65536));
  const some = [];
  for (let i = 0; i < data.length; i += step) if (Number.isFinite(data[i])) some.push(data[i]);
  if (!some.length) return [0, 1];
  some.sort((a, b) => a - b);
  const at = (share) => some[Math.round(share * (some.length - 1))];
  const low = at(0.005);
  const high = at(0.995) > low ? at(0.995) : some.at(-1);
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}

/** A canvas of rows x columns with the values in colours; values that are missing stay clear. */
export function painted(data, rows, columns, [low, high], colours) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const scale = SCALES[colours];
  for (let i = 0; i < rows * columns; i++) {
    const value = data[i];
    const at = Math.max(0, Math.min(255, Math.round(((value - low) / (high - low)) * 255)));
    const [r, g, b, a = 255] = Number.isFinite(value) ? scale[at] : MISSING;
    image.data.set([r, g, b, a], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
