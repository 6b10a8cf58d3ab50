// Which pixels of a frame the beam reached before the scan was aborted (clause 5.4.4).

/** A copy of an image without the pixels that were not scanned, which become NaN; itself where all were. */
export function scannedOnly(data, { scanned_pixels: said, scan }, name, { rows, columns, pixels }) {
  const number = said !== null && typeof said === "object" ? said[name] : said;
  if (!Number.isInteger(number) || number >= pixels) return data;
  const out = new Float64Array(pixels).fill(NaN);
  for (const at of inOrder(scan?.order, rows, columns).slice(0, Math.max(0, number))) out[at] = data[at];
  return out;
}

/** Pixels in the order in which they were scanned. */
function inOrder(order, rows, columns) {
  const all = Array.from({ length: rows * columns }, (_, i) => i);
  if (order === "serpentine") {
    return all.map((i) => (Math.floor(i / columns) % 2 ? i + columns - 1 - 2 * (i % columns) : i));
  }
  if (!Array.isArray(order)) return all;
  return [...new Set([...order.filter((i) => Number.isInteger(i) && i >= 0 && i < all.length), ...all])];
}
