// Frequencies of the symbols of an integer stream: clause 8.5.8.

export const CLASSES = 100;
export const PHASES = 4;
export const SYMBOLS = 32;
const TOTAL = 32768;
const S = [916, 774, 648, 547, 458, 387, 324, 274, 229, 194, 162, 137, 114, 97, 81, 68, 57];
const T = [
  16384, 14836, 13310, 11830, 10414, 9081, 7843, 6711, 5690, 4783, 3987, 3300, 2713, 2218, 1807, 1467, 1191, 967,
  787, 644, 529, 438, 365, 306, 259, 220, 188, 161, 138, 119, 102, 88, 75, 65, 55, 47, 40, 34, 29, 24, 20, 17, 14, 12,
  10, 8, 7, 5, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0,
];

/** Adaptive frequencies of the pairs of class and phase. */
export class Frequencies {
  constructor() {
    const contexts = CLASSES * PHASES;
    this.counts = new Int32Array(contexts * SYMBOLS);
    this.starts = new Int32Array(contexts * (SYMBOLS + 1));
    this.sums = new Int32Array(contexts);
    /** Sum at which the starts are made anew; 0 for a context that was not met yet. */
    this.limits = new Int32Array(contexts);
  }

  meet(context) {
    const [cls, phase] = [context >> 2, context & 3];
    const kind = cls <= 16 ? cls : 13 + ((cls - 13) & 3);
    let before = 0;
    for (let i = 1; i <= SYMBOLS; i++) {
      const edge = i === SYMBOLS ? TOTAL : edgeBefore(i, phase, kind);
      this.counts[context * SYMBOLS + i - 1] = 1 + (((edge - before) * 1024) >> 15);
      before = edge;
    }
    this.make(context);
  }

  make(context) {
    const { counts, starts } = this;
    const at = context * SYMBOLS;
    let sum = 0;
    for (let i = at; i < at + SYMBOLS; i++) sum += counts[i];
    if (sum >= 2 ** 18) {
      sum = 0;
      for (let i = at; i < at + SYMBOLS; i++) sum += counts[i] = (counts[i] + 1) >> 1;
    }
    const first = context * (SYMBOLS + 1);
    for (let i = 0, before = 0; i < SYMBOLS; before += counts[at + i], i++) {
      starts[first + i] = Math.floor((before * 32736) / sum) + i;
    }
    starts[first + SYMBOLS] = TOTAL;
    this.sums[context] = sum;
    this.limits[context] = sum + (sum >> 3);
  }
}

function edgeBefore(i, phase, kind) {
  const distance = 8 * i - 128 - 2 * phase - 1;
  const z = Math.abs(distance) * S[kind];
  const x = z >> 8;
  const tail = x >= 64 ? 0 : T[x] + (((T[x + 1] - T[x]) * (z & 255)) >> 8);
  return distance < 0 ? tail : TOTAL - tail;
}
