// Sums over one frame: spectra, maps and images, with energies shifted and pixels aligned by the displacements.
//
// A part is one frame of a signal: {voxel, count}, voxels that are not empty by rising channel * pixels + pixel, or
// {data}, an array (pixel, channel). `move` is by how many channels spectra move upwards, a number, or one per pixel;
// a count between two channels is shared out by how near they are, what leaves the axis is dropped. `field` holds
// (uy, ux) of every pixel: pixel q shows the scene at q + u(q).

/** Calls `each(channel, share)` with the channels to which a count of channel `c` goes. */
function shares(c, move, channels, each) {
  const low = Math.floor(c + move);
  const part = c + move - low;
  if (low >= 0 && low < channels && part < 1) each(low, 1 - part);
  if (part > 0 && low + 1 >= 0 && low + 1 < channels) each(low + 1, part);
}

/** Share of a count of each channel that lands in channels `first` to `last`. */
function inside(channels, move, first, last) {
  const out = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    shares(c, move, channels, (to, share) => {
      if (to >= first && to <= last) out[c] += share;
    });
  }
  return out;
}

/** Adds the moved spectrum of all pixels, each times its weight where `weights` are given, to `out` (channels). */
export function addSpectrum(part, { pixels, channels }, move, weights, out) {
  const each = typeof move !== "number";
  const plain = each || move === 0 ? out : new Float64Array(channels);
  const put = (p, c, n) => {
    const value = weights ? weights[p] * n : n;
    if (each && move[p] !== 0) shares(c, move[p], channels, (to, share) => (out[to] += share * value));
    else plain[c] += value;
  };
  if (part.voxel && !weights && !each) {
    walk(part, pixels, 0, channels - 1, (p, c, n) => (plain[c] += n));
  } else if (part.voxel) walk(part, pixels, 0, channels - 1, put);
  else {
    for (let p = 0; p < pixels; p++) {
      if (weights && weights[p] === 0) continue;
      for (let c = 0, at = p * channels; c < channels; c++, at++) if (Number.isFinite(part.data[at])) put(p, c, part.data[at]);
    }
  }
  if (plain !== out) plain.forEach((n, c) => n && shares(c, move, channels, (to, share) => (out[to] += share * n)));
}

/** Adds what lands in channels `first` to `last`, both included, of every pixel to `out` (pixels). */
export function addMap(part, { pixels, channels }, move, [first, last], out) {
  const each = typeof move !== "number";
  const known = each ? null : inside(channels, move, first, last);
  const reach = each ? move.reduce((most, one) => Math.max(most, Math.abs(one)), 0) : Math.abs(move);
  const low = Math.max(0, Math.floor(first - reach - 1));
  const high = Math.min(channels - 1, Math.ceil(last + reach + 1));
  const weight = (p, c) => {
    if (known) return known[c];
    let sum = 0;
    shares(c, move[p], channels, (to, share) => (sum += to >= first && to <= last ? share : 0));
    return sum;
  };
  if (part.voxel) walk(part, pixels, low, high, (p, c, n) => (out[p] += weight(p, c) * n));
  else {
    for (let p = 0; p < pixels; p++) {
      for (let c = low; c <= high; c++) {
        const value = part.data[p * channels + c];
        if (Number.isFinite(value)) out[p] += weight(p, c) * value;
      }
    }
  }
}

/** Calls `each(pixel, channel, count)` with the voxels of channels `low` to `high`. */
function walk({ voxel, count }, pixels, low, high, each) {
  let c = low;
  let start = c * pixels;
  for (let i = lowerBound(voxel, start), end = lowerBound(voxel, (high + 1) * pixels); i < end; i++) {
    while (voxel[i] >= start + pixels) {
      c++;
      start += pixels;
    }
    each(voxel[i] - start, c, count[i]);
  }
}

/** Place of the first value of a rising array that is not below `value`. */
function lowerBound(array, value) {
  let [low, high] = [0, array.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (array[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Adds a moved array of spectra to a cube (pixel, channel), its pixels laid by `field` where there is one. */
export function addCube({ data }, { rows, columns, channels }, move, field, cube) {
  for (let p = 0; p < rows * columns; p++) {
    const by = typeof move === "number" ? move : move[p];
    const row = data.subarray(p * channels, (p + 1) * channels);
    corners(p, field, rows, columns, (to, weight) => {
      const start = to * channels;
      for (let c = 0; c < channels; c++) {
        if (!Number.isFinite(row[c])) continue;
        if (by === 0) cube[start + c] += weight * row[c];
        else shares(c, by, channels, (k, share) => (cube[start + k] += weight * share * row[c]));
      }
    });
  }
}

/** Calls `each(pixel, weight)` with the pixels of the scene over which pixel `p` of a frame is spread, bilinearly. */
function corners(p, field, rows, columns, each) {
  if (!field) {
    each(p, 1);
    return;
  }
  const y = Math.floor(p / columns) + field[p];
  const x = (p % columns) + field[rows * columns + p];
  const [top, left] = [Math.floor(y), Math.floor(x)];
  for (let a = 0; a < 2; a++) {
    for (let b = 0; b < 2; b++) {
      const weight = (a ? y - top : 1 - y + top) * (b ? x - left : 1 - x + left);
      const [row, column] = [top + a, left + b];
      if (weight > 0 && row >= 0 && row < rows && column >= 0 && column < columns) each(row * columns + column, weight);
    }
  }
}

/** Lays an image (pixels) on the scene: adds to `total`, and the weights to `cover`. Missing pixels are left out. */
export function lay(image, { rows, columns }, field, total, cover) {
  for (let p = 0; p < image.length; p++) {
    if (!Number.isFinite(image[p])) continue;
    corners(p, field, rows, columns, (to, weight) => {
      total[to] += weight * image[p];
      cover[to] += weight;
    });
  }
}

/** Weight of every pixel of a frame in an area [top, left, bottom, right) of the scene; null where there is no area. */
export function areaWeights(area, { rows, columns }, field) {
  if (!area) return null;
  const [top, left, bottom, right] = area;
  const out = new Float64Array(rows * columns);
  for (let p = 0; p < out.length; p++) {
    corners(p, field, rows, columns, (to, weight) => {
      const [y, x] = [Math.floor(to / columns), to % columns];
      if (y >= top && y < bottom && x >= left && x < right) out[p] += weight;
    });
  }
  return out;
}
