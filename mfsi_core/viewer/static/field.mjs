// The figure of an image or map over the field; for a line scan, a profile.

import { Picture } from "./picture.mjs";
import { Plot } from "./plot.mjs";

const PREFIX = [1e9, "nm"];

/** A picture or a profile in `host`; takes and gives areas [top, left, bottom, right) of pixels in either. */
export class Field extends EventTarget {
  constructor(host, { colours }) {
    super();
    const part = (name) => host.appendChild(Object.assign(document.createElement("div"), { className: name }));
    [this.pictureHost, this.profileHost] = [part("part"), part("part")];
    this.picture = new Picture(this.pictureHost, { colours });
    this.profile = new Plot(this.profileHost, { height: 200, drawable: true });
    this.profile.setDrawing(true);
    for (const kind of ["area", "drawing"]) this.picture.addEventListener(kind, ({ detail }) => this.tell(kind, detail));
    this.profile.addEventListener("window", ({ detail }) => this.tell("area", this.fromWindow(detail)));
    this.area = null;
  }

  tell(kind, area) {
    this.dispatchEvent(new CustomEvent(kind, { detail: area }));
  }

  /** As Picture.show. */
  show(given) {
    const { data, rows, columns, step, title, label, name } = given;
    this.line = rows === 1 || columns === 1;
    this.shape = [rows, columns];
    this.pictureHost.hidden = this.line;
    this.profileHost.hidden = !this.line;
    if (!this.line) {
      this.picture.show(given);
      return;
    }
    this.step = step ? (rows === 1 ? step.x : step.y) * PREFIX[0] : 1;
    const x = Float64Array.from(data, (_, i) => i * this.step);
    const curves = [{ label, y: data, colour: "--accent", steps: true, print: "#1f5fa8" }];
    this.profile.show({ x, curves, title, name, whole: !step, xLabel: step ? `position (${PREFIX[1]})` : "pixel", yLabel: label });
  }

  /** Draws an area, null for none. */
  setArea(area) {
    this.area = area;
    if (this.line) this.profile.setWindow(area && [(area[this.axis] - 0.5) * this.step, (area[this.axis + 2] - 0.5) * this.step]);
    else this.picture.setArea(area);
  }

  /** Along which side of an area the line runs. */
  get axis() {
    return this.shape[0] === 1 ? 1 : 0;
  }

  fromWindow(window) {
    const size = Math.max(...this.shape);
    const [low, high] = window.map((value) => Math.round(value / this.step));
    const from = Math.max(0, Math.min(size - 1, low));
    const to = Math.max(from + 1, Math.min(size, high + (high === low ? 1 : 0)));
    return this.axis === 1 ? [0, from, 1, to] : [from, 0, to, 1];
  }
}
