// Web worker that reads a journal and sums frames, apart from the page. The page's end is journal.mjs.

import { Journal, LbjError, fromBlob, recover } from "./reader/lbj.mjs";
import { meanMoves } from "./moves.mjs";
import { borrowed, paged } from "./paged.mjs";
import { Series } from "./series.mjs";
import { addCube, addMap, addSpectrum, areaWeights, lay } from "./sums.mjs";

const PARTIAL = 120; // ms from one partial answer to the next, at the beginning
const SLOWEST = 1000; // ms, of long sums: drawing them must not cost what summing does
const LONGEST = 30; // ms of work without looking for messages

const one = { journal: null, described: null, series: new Map(), displacements: new Map() };
const latest = new Map(); // number of the newest call of a kind, which the older ones give way to

const sourceOf = ({ blob, port, size }) => (blob ? fromBlob(blob) : paged(borrowed({ size, port })));
const told = (error) =>
  error instanceof LbjError
    ? { kind: error.kind, clause: error.clause, message: error.message, offset: error.offset }
    : { message: error?.message ?? String(error) };

const pause = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(null);
});

function seriesOf(name) {
  if (!one.series.has(name)) one.series.set(name, new Series(one.journal, one.described, name));
  return one.series.get(name);
}

const calls = {
  /** Opens a journal: what it declares, and how reading ended. */
  async open(source) {
    const journal = await Journal.open(sourceOf(source));
    const notes = [];
    let described;
    try {
      described = await journal.describe();
    } catch (error) {
      notes.push(told(error));
      described = journal.header;
    }
    Object.assign(one, { journal, described, series: new Map(), displacements: await journal.displacements() });
    const { version, length, indexed, end } = journal;
    const statics = [...(await journal.static()).keys()];
    return { version, length, indexed, end: end && told(end), described, notes, statics, displacements: one.displacements };
  },

  /** Saves what is whole of a damaged journal. */
  async recover(source) {
    const parts = [];
    const { kept, lost } = await recover(sourceOf(source), (bytes) => void parts.push(bytes.slice()));
    return { blob: new Blob(parts), kept: kept.map(Number), lost: lost.map(Number) };
  },

  /** Means of the displacements, by the name of the signal in whose pixels they are. */
  moves: async () => new Map([...one.displacements].map(([name, displacement]) => [name, meanMoves(displacement)])),

  /** Attributes of all frames: {names, attributes} or {error} each. */
  async attributes(_, __, partial, superseded) {
    const out = [];
    const rest = clock(PARTIAL);
    for (let i = 0; i < one.journal.length; i++) {
      try {
        const { names, attributes } = await one.journal.frame(i);
        out.push({ names, attributes });
      } catch (error) {
        out.push({ error: told(error) });
      }
      if (!rest()) continue;
      partial({ done: i + 1 });
      await pause();
      if (superseded()) return null;
    }
    return out;
  },

  /**
   * Sums over frames of one signal.
   *
   * @param frames numbers of frames
   * @param want `{spectrum, map, area}`: whether, channels [first, last], and [top, left, bottom, right)
   * @param aligned laid on the scene by the displacements of this signal's name, null: as recorded
   */
  async sums({ name, frames, want, aligned }, key, partial, superseded) {
    const series = seriesOf(name);
    const pass = new Pass(series, want, aligned ? one.displacements.get(aligned) : null, frames.length > 1);
    const sumKey = JSON.stringify([frames, aligned]);
    if (series.total?.key === sumKey) return pass.from(series.total);
    const [answered, worked] = [clock(PARTIAL, SLOWEST), clock(LONGEST)];
    for (const i of frames) {
      try {
        await pass.add(i);
      } catch (error) {
        pass.lost.push({ frame: i, ...told(error) });
      }
      pass.done++;
      if (answered()) partial(pass.answer());
      if (worked()) await pause();
      if (superseded()) return null;
    }
    if (pass.cube) series.total = { key: sumKey, part: { data: pass.cube }, summed: pass.summed, lost: pass.lost };
    return pass.answer();
  },
};

/** Returns a function that tells whether so many ms have passed since it last said so; a fifth of all, from `least` to `most`. */
function clock(least, most = least) {
  const begun = performance.now();
  let last = begun;
  return () => {
    const now = performance.now();
    if (now - last < Math.min(most, Math.max(least, (now - begun) / 5))) return false;
    last = now;
    return true;
  };
}

/** Sums that grow frame by frame; for arrays the summed cube is kept too, from which other sums are made at once. */
class Pass {
  constructor(series, want, displacement, several) {
    Object.assign(this, { series, want, displacement, done: 0, summed: 0, lost: [] });
    const { pixels, channels } = series.sizes;
    this.spectrum = want.spectrum && new Float64Array(channels);
    this.area = want.area && new Float64Array(channels);
    this.map = want.map && new Float64Array(pixels);
    this.cover = this.map && new Float64Array(pixels);
    this.cube = several ? series.cube() : null;
  }

  async add(i) {
    const field = this.displacement?.field(i) ?? null;
    const found = await this.series.frame(i);
    if (!found) return;
    this.put(found, field);
    if (this.cube) addCube(found.part, this.series.sizes, found.move, field, this.cube);
    this.summed++;
  }

  put({ part, move }, field) {
    const { series: { sizes, signal }, want } = this;
    if (this.spectrum) addSpectrum(part, sizes, move, null, this.spectrum);
    if (this.area) addSpectrum(part, sizes, move, areaWeights(want.area, sizes, field), this.area);
    if (!this.map) return;
    const map = new Float64Array(sizes.pixels);
    if (signal.kind === "image") map.set(part.data);
    else addMap(part, sizes, move, want.map, map);
    lay(map, sizes, field, this.map, this.cover);
  }

  /** The answer from a sum that was made before. */
  from({ part, summed, lost }) {
    this.put({ part, move: 0 }, null);
    Object.assign(this, { done: Infinity, summed, lost });
    return this.answer();
  }

  answer() {
    const { done, summed, lost, spectrum, area, map, cover, series } = this;
    return { done, summed, lost, notes: [...series.notes], spectrum, area, map, cover };
  }
}

self.onmessage = async ({ data: { id, call, key, args } }) => {
  latest.set(key, id);
  const superseded = () => latest.get(key) !== id;
  const partial = (value) => superseded() || self.postMessage({ id, partial: value });
  try {
    self.postMessage({ id, value: await calls[call](args, key, partial, superseded) });
  } catch (error) {
    self.postMessage({ id, error: told(error) });
  }
};
