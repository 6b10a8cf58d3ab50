// Colour scales and where they end: grey for images, viridis (matplotlib's, CC0) for maps.

const VIRIDIS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37],
];
const GREY = [[0, 0, 0], [255, 255, 255]];

/** Palette of 256 colours interpolated between the given ones, as RGBA bytes; a transparent one follows for missing values. */
function scale(points) {
  const bytes = new Uint8Array(4 * 257);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (points.length - 1);
    const low = Math.min(points.length - 2, Math.floor(at));
    bytes.set(points[low].map((value, k) => Math.round(value + (at - low) * (points[low + 1][k] - value))), 4 * i);
    bytes[4 * i + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

const SCALES = { grey: scale(GREY), viridis: scale(VIRIDIS) };

/** Limits of a colour scale: the percentiles 0.5 and 99.5 of the finite values, never equal. */
export function limits(data) {
  const step = Math.max(1, Math.floor(data.length / 65536));
  const some = Float64Array.from({ length: Math.ceil(data.length / step) }, (_, i) => data[i * step]).filter(Number.isFinite).sort();
  if (!some.length) return [0, 1];
  const at = (share) => some[Math.round(share * (some.length - 1))];
  const low = at(0.005);
  const high = at(0.995) > low ? at(0.995) : some.at(-1);
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}

const MOST = 8192; // px, of a canvas's side; browsers draw nothing of one of more than 65535, some of 16384

/**
 * A canvas of rows x columns with the values in colours; missing values are transparent. Of more than 8192 rows or columns
 * every second, third, … is taken, as drawing it smaller would.
 */
export function painted(data, rows, columns, [low, high], colours) {
  const [down, over] = [Math.ceil(rows / MOST), Math.ceil(columns / MOST)];
  const [height, width] = [Math.ceil(rows / down), Math.ceil(columns / over)];
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const scale = SCALES[colours];
  const slope = 255 / (high - low);
  for (let i = 0; i < pixels.length; i++) {
    const at = (data[Math.floor(i / width) * down * columns + (i % width) * over] - low) * slope;
    pixels[i] = scale[Number.isFinite(at) ? Math.round(Math.max(0, Math.min(255, at))) : 256];
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
