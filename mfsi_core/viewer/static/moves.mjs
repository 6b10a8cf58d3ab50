// Displacements that a journal stores, summed up for a plot: mean shift of every frame and the rms about it.

/** Mean displacement of every frame of a `Displacement`, px, and the rms about it: {uy, ux, within}. */
export function meanMoves(one) {
  const out = { uy: [], ux: [], within: [] };
  for (let n = 0; n < one.length; n++) {
    const field = one.field(n);
    const pixels = field.length / 2;
    const mean = [0, 0];
    for (let i = 0; i < field.length; i++) mean[i < pixels ? 0 : 1] += field[i] / pixels;
    let squares = 0;
    for (let i = 0; i < field.length; i++) squares += (field[i] - mean[i < pixels ? 0 : 1]) ** 2;
    out.uy.push(mean[0]);
    out.ux.push(mean[1]);
    out.within.push(Math.sqrt(squares / field.length));
  }
  return out;
}
