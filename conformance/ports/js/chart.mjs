// Channels from the bins of a chart: clauses 8.9.2 and 8.9.3.

import { damaged } from "./bytes.mjs";
import { fixedPoint } from "./fixed.mjs";

const MOST_SUM = 2 ** 42;
const MOST_RATIO = 2 ** 38;

/**
 * Bins of the blocks that are not exact, in order: `first`, `last` channel, sum `g` of the shape, `map`, and whether a
 * run begins with it.
 */
function binsOf(blocks, form) {
  const bins = [];
  let afterExact = true;
  let at = 0;
  for (const { first, length, factor, map } of blocks) {
    for (let start = first; factor > 0 && start < first + length; start += factor) {
      const last = Math.min(start + factor, first + length) - 1;
      let g = 0;
      for (let c = start; c <= last; c++) g += form[at++];
      bins.push({ first: start, last, middle: start + last, g, map, begins: afterExact });
      afterExact = false;
    }
    afterExact ||= factor === 0;
  }
  return bins;
}

/** `(S << 20) // g` for |S| < 2^42 and g < 2^44, in steps that stay below 2^53. */
function ratioOf(sum, g) {
  let quotient = Math.floor(sum / g);
  let rest = sum - quotient * g;
  for (const bits of g < 2 ** 33 ? [20] : [7, 7, 6]) {
    const next = Math.floor((rest * 2 ** bits) / g);
    rest = rest * 2 ** bits - next * g;
    quotient = quotient * 2 ** bits + next;
  }
  return quotient;
}

/**
 * For every channel that is not exact: its shape G and, for the interpolation of clause 8.9.3, the bin `left` whose
 * ratio counts, and how far (`over` of `span`) it lies towards the next bin; `over` is 0 where there is none.
 */
function channelsOf(bins, form) {
  const out = { g: form, left: new Int32Array(form.length), over: new Float64Array(form.length), span: new Float64Array(form.length).fill(1) };
  let at = 0;
  for (let i = 0, j = 0; i < bins.length; i++) {
    if (bins[i].begins) j = i;
    const more = (k) => k + 1 < bins.length && !bins[k + 1].begins;
    for (let c = bins[i].first; c <= bins[i].last; c++, at++) {
      while (more(j) && bins[j + 1].middle <= 2 * c) j++;
      out.left[at] = j;
      if (!more(j) || bins[j].middle > 2 * c) continue;
      out.over[at] = 2 * c - bins[j].middle;
      out.span[at] = bins[j + 1].middle - bins[j].middle;
    }
  }
  return out;
}

/**
 * Fixed-point values of all channels, 0 where they are exact.
 *
 * @param blocks of the chart
 * @param form shape G of the channels that are not exact
 * @param samples of the bins, pixel by pixel
 */
export function chartValues(blocks, form, samples, channels, binCount) {
  const bins = binsOf(blocks, form);
  const { g, left, over, span } = channelsOf(bins, form);
  const pixels = samples.length / binCount;
  const out = new Float64Array(pixels * channels);
  const sums = new Float64Array(binCount);
  const ratios = new Float64Array(binCount);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let i = 0; i < binCount; i++) {
      sums[i] = fixedPoint(bins[i].map, samples[pixel * binCount + i]);
      if (Math.abs(sums[i]) >= MOST_SUM) throw damaged("8.9.2", "a sum of 2^42 or more");
      ratios[i] = ratioOf(sums[i], bins[i].g);
      if (Math.abs(ratios[i]) >= MOST_RATIO) throw damaged("8.9.3", "a ratio of 2^38 or more");
    }
    let at = 0;
    for (let i = 0; i < binCount; i++) {
      const { first, last } = bins[i];
      const row = pixel * channels;
      // The shares, and their sum in two parts of which the upper counts 2^20.
      let high = 0;
      let low = 0;
      for (let c = first; c <= last; c++, at++) {
        let ratio = ratios[left[at]];
        if (over[at] > 0) {
          const step = ratios[left[at] + 1] - ratio;
          const whole = Math.floor(step / span[at]);
          ratio += whole * over[at] + Math.floor(((step - whole * span[at]) * over[at]) / span[at]);
        }
        const upper = Math.floor(ratio / 2 ** 20);
        const share = upper * g[at] + Math.floor(((ratio - upper * 2 ** 20) * g[at]) / 2 ** 20);
        out[row + c] = share;
        const part = Math.floor(share / 2 ** 20);
        high += part;
        low += share - part * 2 ** 20;
      }
      // D = S - sum of shares, spread over the n channels.
      const n = last - first + 1;
      const whole = Math.floor(high / n);
      const rest = sums[i] - (high - whole * n) * 2 ** 20 - low;
      const each = Math.floor(rest / n);
      const more = rest - each * n;
      for (let c = 0; c < n; c++) out[row + first + c] += each - whole * 2 ** 20 + (c < more ? 1 : 0);
    }
  }
  return out;
}
