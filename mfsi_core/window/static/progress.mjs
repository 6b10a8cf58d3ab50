// What the frames show so far: the aligned image, maps, and curves against frames.

import { element } from "./details.mjs";
import { Picture } from "./picture.mjs";
import { Plot } from "./plot.mjs";
import { call, picture } from "./recorder.mjs";
import { number } from "./units.mjs";

/** Name of a map as the field writes it: Ca Kα. */
const lineName = (name) => name.replace("_", " ").replace(/([KLM])a$/, "$1α").replace(/([KLM])b$/, "$1β");
const frames = (count) => (count === 1 ? "1 frame" : `${number(count)} frames`);

/** Whether any ratio is known; of one frame none is. */
const told = (ratios) => Object.values(ratios ?? {}).some((ratio) => ratio !== null);

const COLOURS = [["--accent", "#1f5fa8"], ["--second", "#c8641b"], ["--third", "#2b7a4b"], ["--fourth", "#8a4fa3"], ["--soft", "#5c6873"]];
const curve = (label, y, i) => ({ label, y, colour: COLOURS[i % COLOURS.length][0], print: COLOURS[i % COLOURS.length][1] });

/** Shows pictures and plots in elements of the page: `{image, plots, drift, ratio, dose}`. */
export class Progress {
  constructor(hosts) {
    this.hosts = hosts;
    this.image = new Picture(hosts.image, { drawable: false });
    this.maps = new Map();
    const height = 200;
    this.plots = { drift: new Plot(hosts.drift, { height }), ratio: new Plot(hosts.ratio, { height }), dose: new Plot(hosts.dose, { height }) };
    this.begin(null);
  }

  begin(region) {
    Object.assign(this, { region, lines: [], frames: -1, mapped: -1 });
    for (const [name, { host }] of this.maps) {
      host.remove();
      this.maps.delete(name);
    }
    this.hosts.image.hidden = this.hosts.plots.hidden = true;
  }

  async show({ region, analysis: { status, pictures } }) {
    if ((region?.number ?? null) !== this.region || (status.frames ?? 0) < this.frames) this.begin(region?.number ?? null);
    if (!region || !status.frames || (status.frames === this.frames && status.mapped === this.mapped)) return;
    Object.assign(this, { frames: status.frames, mapped: status.mapped });
    const { history } = await call("history", { since: (this.lines.at(-1)?.frame ?? -1) + 1 });
    this.lines.push(...history);
    const step = pixel(region);
    if (pictures.includes("image")) {
      this.hosts.image.hidden = false;
      this.image.show({ ...(await picture("image")), step, title: status.frames === 1 ? "The first frame" : `Mean of ${frames(status.frames)}, aligned`, label: "counts", name: `region-${region.number}-image` });
    }
    for (const name of pictures.filter((one) => one.startsWith("map-"))) await this.showMap(name, step, status, region);
    this.showPlots(status);
  }

  async showMap(name, step, status, region) {
    if (!this.maps.has(name)) {
      const host = element("section", { className: "panel", id: name });
      this.hosts.image.parentElement.append(host);
      this.maps.set(name, { host, picture: new Picture(host, { colours: "viridis", drawable: false }) });
    }
    const line = name.slice(4);
    const ratio = status.maps?.[line];
    const said = ratio === null || ratio === undefined ? "" : `, signal-to-noise ${number(ratio, 3)}`;
    this.maps.get(name).picture.show({
      ...(await picture(name)), step, title: `${lineName(line)} of ${frames(status.mapped)}${said}`, label: "net counts", name: `region-${region.number}-${name}`, counts: true,
    });
  }

  showPlots({ damage, mapped, maps: ratios }) {
    const { lines } = this;
    this.hosts.plots.hidden = lines.length < 2;
    if (lines.length < 2) return;
    const x = lines.map(({ frame }) => frame + 1);
    const of = (read) => lines.map((line) => read(line) ?? NaN);
    this.plots.drift.show({
      x, whole: true, title: "Drift", xLabel: "frame", yLabel: "shift against the first, px", name: "drift",
      curves: [curve("y", of(({ shift_px }) => shift_px?.[0]), 0), curve("x", of(({ shift_px }) => shift_px?.[1]), 1)],
    });
    const known = lines.filter(({ snr }) => told(snr));
    if (mapped > (known.at(-1)?.mapped ?? 0) && told(ratios)) known.push({ mapped, snr: ratios }); // no frame has come since
    const maps = [...new Set(known.flatMap(({ snr }) => Object.keys(snr)))];
    this.hosts.ratio.hidden = !maps.length;
    if (known.length) {
      this.plots.ratio.show({
        x: known.map(({ mapped }) => mapped), whole: true, title: "Signal-to-noise", xLabel: "frames", yLabel: "ratio", name: "signal-to-noise",
        curves: maps.map((name, i) => ({ ...curve(lineName(name), known.map(({ snr }) => snr[name] ?? NaN), i), dots: true })),
      });
    }
    const values = [...new Set(lines.flatMap((line) => Object.keys(line.values)))];
    const first = Object.fromEntries(values.map((name) => [name, lines.find((line) => line.values[name])?.values[name]]));
    const dosed = lines.every(({ dose }) => dose !== null);
    const power = dosed ? 3 * Math.floor(Math.log10(Math.max(1, lines.at(-1).dose)) / 3) : 0;
    this.plots.dose.show({
      x: dosed ? lines.map(({ dose }) => dose / 10 ** power) : x, title: damaged(damage), xLabel: dosed ? `dose, ${POWERS[power] ?? `1e${power} `}e/Å²` : "frame", yLabel: "relative to the first frame", name: "dose",
      curves: values.map((name, i) => curve(name.replace(/^\w+_\w+/, lineName), of((line) => line.values[name] / first[name]), i)),
    });
  }
}

const POWERS = { 0: "", 3: "10³ ", 6: "10⁶ ", 9: "10⁹ " };
const damaged = (damage) => (Object.values(damage ?? {}).some(({ clear }) => clear) ? "Against dose: something changes" : "Against dose");

/** Edges of the pixels of a region's frames, m; null where they are not known. */
function pixel({ signals }) {
  const [y, x] = signals[0]?.axes ?? [];
  const metres = (axis) => axis?.units === "m" && axis.scale > 0;
  return metres(y) && metres(x) ? { y: y.scale, x: x.scale } : null;
}
