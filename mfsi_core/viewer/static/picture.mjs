// A picture: an image or map with scale bar and colour bar, in which an area can be drawn by mouse or keys.

import { limits, painted } from "./colours.mjs";
import { exportButtons, fileName } from "./export.mjs";
import { PRINTED, ink, onTheme } from "./theme.mjs";
import { barLength, length, number } from "./units.mjs";

const SIDE = 420; // px, of the longer side at most
const THINNEST = 44; // px; line scans are drawn wider than they are
const [LEFT, TOP, RIGHT, BELOW] = [1, 1, 86, 30];
const BAR = 12; // px, of the colour bar
const HEAD = 22; // px, of the title in an exported figure
const FONT = "12px system-ui, sans-serif";
const SMALL = "11px system-ui, sans-serif";

/** The ends of a colour scale as text, with as many digits as tell them apart. */
function ends(low, high) {
  const shown = (digits) => [low, high].map((value) => number(value, digits));
  const enough = [3, 4, 5, 6].find((digits) => new Set(shown(digits)).size === 2 && high - low > 3 * Math.abs(high) * 10 ** -digits);
  return shown(enough ?? 7);
}

/**
 * A picture in `host`.
 *
 * Emits `area` with detail [top, left, bottom, right) in its own pixels, or null, as a DOM event.
 */
export class Picture extends EventTarget {
  constructor(host, { colours = "grey", drawable = true } = {}) {
    super();
    Object.assign(this, { host, colours, drawable, shown: null, area: null, drag: null });
    host.classList.add("picture");
    this.title = Object.assign(document.createElement("h2"));
    const head = document.createElement("header");
    head.append(this.title, exportButtons(() => this.exported()));
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", drawable ? "application" : "img"); // arrow keys are for the picture
    this.canvas.setAttribute("aria-roledescription", "picture");
    host.setAttribute("role", "group");
    this.hint = Object.assign(document.createElement("p"), { className: "readout" });
    this.hint.setAttribute("aria-live", "off");
    host.append(head, this.canvas, this.hint);
    if (drawable) this.listen();
    this.canvas.addEventListener("pointermove", (event) => this.tell(event));
    this.canvas.addEventListener("pointerleave", () => this.say(""));
    new ResizeObserver(() => this.draw()).observe(host);
    onTheme(() => this.draw());
  }

  /**
   * Shows an image.
   *
   * @param data rows x columns values, missing ones NaN
   * @param step `{y, x}` edges of a pixel in m, or null
   */
  show({ data, rows, columns, step = null, title, label, name }) {
    const before = this.shown;
    this.shown = { data, rows, columns, step, title, label, name, limits: limits(data) };
    this.shown.painted = painted(data, rows, columns, this.shown.limits, this.colours);
    if (before && (before.rows !== rows || before.columns !== columns)) this.area = null;
    this.title.textContent = title;
    this.host.setAttribute("aria-label", title);
    this.canvas.setAttribute("aria-label", `${title}, ${rows} x ${columns} px${this.drawable ? "; arrow keys move the area, with shift they resize it" : ""}`);
    this.draw();
  }

  /** Says something below the picture. */
  say(text) {
    this.hint.textContent = text;
  }

  /** Size of the picture itself on a page so wide, px. */
  size(room) {
    const { rows, columns, step } = this.shown;
    const high = (rows * (step ? step.y : 1)) / (columns * (step ? step.x : 1));
    const width = Math.max(THINNEST, Math.min(room - LEFT - RIGHT, SIDE, SIDE / high));
    return { width: Math.round(width), height: Math.round(Math.min(SIDE, Math.max(THINNEST, width * high))) };
  }

  draw() {
    if (!this.shown) return;
    const room = this.host.clientWidth - 2 * parseFloat(getComputedStyle(this.host).paddingLeft);
    if (room <= 0) return;
    const { width, height } = this.size(room);
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [LEFT + width + RIGHT, TOP + height + BELOW];
    Object.assign(this.canvas, { width: Math.round(wide * ratio), height: Math.round(high * ratio) });
    Object.assign(this.canvas.style, { width: `${wide}px`, height: `${high}px` });
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    this.paint(context, width, height, TOP, ink());
    this.drawn = { width, height };
  }

  /** Draws picture, bars and area, the picture's upper edge at `top`. */
  paint(context, width, height, top, colours) {
    const { rows, columns, limits: [low, high], painted: image } = this.shown;
    context.imageSmoothingEnabled = false;
    context.drawImage(image, LEFT, top, width, height);
    Object.assign(context, { strokeStyle: colours.line, lineWidth: 1 });
    context.strokeRect(LEFT - 0.5, top - 0.5, width + 1, height + 1);
    this.paintColourBar(context, LEFT + width + 10, top, height, low, high, colours);
    this.paintScaleBar(context, width, top + height, colours);
    if (!this.area) return;
    const [first, left, last, right] = this.area;
    const box = [LEFT + (left / columns) * width, top + (first / rows) * height];
    box.push(((right - left) / columns) * width, ((last - first) / rows) * height);
    for (const [strokeStyle, lineWidth] of [["#000000", 4], [colours.mark, 2]]) {
      Object.assign(context, { strokeStyle, lineWidth });
      context.strokeRect(...box);
    }
  }

  paintScaleBar(context, width, bottom, colours) {
    const { columns, step } = this.shown;
    const field = step ? columns * step.x : columns;
    const bar = step ? barLength(field) : columns > 3 ? Math.max(1, barLength(field)) : 1;
    Object.assign(context, { fillStyle: colours.ink, font: FONT, textAlign: "left", textBaseline: "middle" });
    context.fillRect(LEFT, bottom + 10, (bar / field) * width, 4);
    context.fillText(step ? length(bar) : `${bar} px`, LEFT + (bar / field) * width + 8, bottom + 12);
  }

  paintColourBar(context, x, top, height, low, high, colours) {
    const scale = painted(Float64Array.from({ length: 256 }, (_, i) => 255 - i), 256, 1, [0, 255], this.colours);
    context.drawImage(scale, x, top, BAR, height);
    Object.assign(context, { fillStyle: colours.soft, font: SMALL, textAlign: "left", textBaseline: "top" });
    const [least, most] = ends(low, high);
    context.fillText(most, x + BAR + 4, top);
    context.textBaseline = "bottom";
    context.fillText(least, x + BAR + 4, top + height);
    if (height < 80) return;
    context.save();
    context.translate(x + BAR + 14, top + height / 2);
    context.rotate(-Math.PI / 2);
    Object.assign(context, { textAlign: "center", textBaseline: "middle" });
    context.fillText(this.shown.label, 0, 0);
    context.restore();
  }

  /** The figure and the values, for the buttons. */
  exported() {
    if (!this.shown) return null;
    const { data, rows, columns, title, name } = this.shown;
    const { width, height } = this.size(SIDE + LEFT + RIGHT);
    const [wide, high] = [LEFT + Math.max(width, 160) + RIGHT, HEAD + TOP + height + BELOW];
    const draw = (context) => {
      context.fillStyle = PRINTED.ground;
      context.fillRect(0, 0, wide, high);
      Object.assign(context, { fillStyle: PRINTED.ink, font: FONT, textAlign: "left", textBaseline: "top" });
      context.fillText(title, LEFT, 4);
      this.paint(context, width, height, HEAD + TOP, PRINTED);
    };
    const table = Array.from({ length: rows }, (_, y) => data.subarray(y * columns, (y + 1) * columns));
    return { name: fileName(name ?? title), figure: { width: wide, height: high, draw }, table };
  }

  pixelAt(event) {
    const { rows, columns } = this.shown;
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left - LEFT) / this.drawn.width) * columns;
    const y = ((event.clientY - box.top - TOP) / this.drawn.height) * rows;
    return { y, x, inside: y >= 0 && y < rows && x >= 0 && x < columns };
  }

  tell(event) {
    if (!this.shown || !this.drawn) return;
    const { y, x, inside } = this.pixelAt(event);
    const [row, column] = [Math.floor(y), Math.floor(x)];
    if (inside) this.say(`row ${row}, column ${column}: ${number(this.shown.data[row * this.shown.columns + column], 5)}`);
    else this.say("");
  }

  listen() {
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!this.shown || event.button !== 0) return;
      const from = this.pixelAt(event);
      if (!from.inside) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.drag = from;
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (this.drag) this.put(this.between(this.drag, this.pixelAt(event)), false);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (!this.drag) return;
      const area = this.between(this.drag, this.pixelAt(event));
      this.drag = null;
      this.put(area, true);
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  between(from, to) {
    const { rows, columns } = this.shown;
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    const [top, bottom] = [from.y, to.y].sort((a, b) => a - b);
    const [left, right] = [from.x, to.x].sort((a, b) => a - b);
    return [
      clamp(Math.floor(top), rows - 1), clamp(Math.floor(left), columns - 1),
      clamp(Math.floor(bottom) + 1, rows), clamp(Math.floor(right) + 1, columns),
    ];
  }

  /** Arrow keys move the area by a pixel, with shift its far corner, with control ten pixels; Escape takes it away. */
  key(event) {
    if (!this.shown) return;
    const { rows, columns } = this.shown;
    if (event.key === "Escape") {
      this.put(null, true);
      return;
    }
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    const quarter = (size) => [Math.floor(size * 0.375), Math.max(Math.floor(size * 0.375) + 1, Math.ceil(size * 0.625))];
    const [[t, b], [l, r]] = [quarter(rows), quarter(columns)];
    let [top, left, bottom, right] = this.area ?? [t, l, b, r];
    const [dy, dx] = by.map((one) => one * (event.ctrlKey ? 10 : 1));
    const within = (value, low, high) => Math.max(low, Math.min(high, value));
    if (!this.area) [top, left, bottom, right] = [t, l, b, r];
    else if (event.shiftKey) {
      bottom = within(bottom + dy, top + 1, rows);
      right = within(right + dx, left + 1, columns);
    } else {
      const [down, over] = [within(dy, -top, rows - bottom), within(dx, -left, columns - right)];
      [top, bottom, left, right] = [top + down, bottom + down, left + over, right + over];
    }
    this.put([top, left, bottom, right], true);
  }

  /** Draws an area, null for none. */
  setArea(area) {
    this.area = area;
    this.draw();
  }

  put(area, finished) {
    this.setArea(area);
    this.dispatchEvent(new CustomEvent(finished ? "area" : "drawing", { detail: area }));
  }
}
