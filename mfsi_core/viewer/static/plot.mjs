// A plot of spectra or of anything against frames: curves, marks at lines, and a window that can be drawn.

import uPlot from "./vendor/uPlot-1.6.32.esm.js";
import { exportButtons, fileName } from "./export.mjs";
import { PRINTED, colourOf, ink, onTheme } from "./theme.mjs";
import { number, ticks } from "./units.mjs";

const HEIGHT = 280;
const PRINT = { width: 900, height: 360, left: 70, right: 16, top: 34, bottom: 46 };
const COUNTS = Array.from({ length: 10 }, (_, k) => [1, 2, 5].map((step) => step * 10 ** k)).flat();
const FONT = "12px system-ui, sans-serif";

/**
 * A plot in `host`.
 *
 * Emits `window` with detail [low, high] in units of x, as a DOM event, when a window is drawn with the mouse or moved
 * by keys: arrows move it, with shift they widen it.
 */
export class Plot extends EventTarget {
  constructor(host, { height = HEIGHT, drawable = false } = {}) {
    super();
    Object.assign(this, { host, height, drawable, shown: null, window: null, drawing: false, chart: null, logarithmic: false });
    host.classList.add("plot");
    this.title = document.createElement("h2");
    this.tools = Object.assign(document.createElement("span"), { className: "tools" });
    const head = document.createElement("header");
    head.append(this.title, this.tools, exportButtons(() => this.exported()));
    this.room = Object.assign(document.createElement("div"), { className: "room", tabIndex: 0 });
    this.room.setAttribute("role", drawable ? "application" : "img"); // arrow keys are for the plot
    this.room.setAttribute("aria-roledescription", "plot");
    host.setAttribute("role", "group");
    this.readout = Object.assign(document.createElement("p"), { className: "readout" });
    this.legend = Object.assign(document.createElement("p"), { className: "legend" });
    host.append(head, this.legend, this.room, this.readout);
    if (drawable) this.room.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.chart?.setSize({ width: this.room.clientWidth, height })).observe(this.room);
    onTheme(() => this.rebuild());
  }

  /**
   * Shows curves.
   *
   * @param x values of the axis
   * @param curves `[{label, y, colour, print}]`: colours on the page, a custom property of its style sheet, and in print;
   *   missing values NaN; `values` and `column` are saved in place of `y` and `label` where y was scaled to be seen
   * @param marks `[{x, label, family}]`, lines drawn upright
   * @param from the scale of y fits what lies at this x and beyond
   * @param zero whether the scale of y begins at 0 where nothing is below
   * @param whole whether x counts something
   */
  show({ x, curves, marks = [], title, xLabel, yLabel, name, from = -Infinity, zero = false, whole = false }) {
    const key = JSON.stringify([xLabel, yLabel, curves.map(({ label, colour, dots }) => [label, colour, dots])]);
    const same = this.chart && this.key_ === key && this.shown.x.length === x.length && this.shown.x[0] === x[0];
    this.shown = { x, curves, marks, title, xLabel, yLabel, name, from, zero, whole };
    this.key_ = key;
    this.title.textContent = title;
    this.host.setAttribute("aria-label", title);
    this.legend.replaceChildren(
      ...(curves.length > 1 ? curves : []).map(({ label, colour }) => {
        const name = Object.assign(document.createElement("span"), { textContent: label });
        name.style.setProperty("--curve", `var(${colour})`);
        return name;
      }),
    );
    const keys = this.drawable ? "; left and right move the window, with shift they widen it; plus, minus and 0 zoom" : "";
    this.room.setAttribute("aria-label", `${title}: ${yLabel} against ${xLabel}${keys}`);
    if (same) {
      this.chart.setData(this.data(), false);
      this.fit(this.chart);
    } else this.rebuild();
  }

  setMarks(marks) {
    if (!this.shown) return;
    this.shown.marks = marks;
    this.chart.redraw(false);
  }

  setWindow(window) {
    this.window = window;
    this.chart?.redraw(false);
  }

  /** What a drag does: a window, or zooming in (a double click zooms out). */
  setDrawing(drawing) {
    this.drawing = drawing;
  }

  setLogarithmic(logarithmic) {
    this.logarithmic = logarithmic;
    this.rebuild();
  }

  /** The curves in uPlot's form, sorted by x. */
  data() {
    const shown = ({ y }) => Array.from(y, (v) => (Number.isFinite(v) && (!this.logarithmic || v > 0) ? v : null));
    const all = [Array.from(this.shown.x), ...this.shown.curves.map(shown)];
    return this.falling ? all.map((values) => values.reverse()) : all;
  }

  get falling() {
    const { x } = this.shown;
    return x.length > 1 && x[0] > x.at(-1);
  }

  /** Fits y to what is seen of x. */
  fit(chart) {
    const [min, max] = this.range(chart.scales.x);
    chart.setScale("y", { min, max });
  }

  rebuild() {
    if (!this.shown) return;
    this.chart?.destroy();
    const colours = ink();
    const axis = (label, size, digits) => ({
      label, size, stroke: colours.soft, font: FONT, labelFont: FONT, labelSize: 22,
      grid: { stroke: colours.line, width: 0.5 }, ticks: { stroke: colours.line, width: 0.5 },
      values: (_, values) => values.map((value) => (value === null ? "" : number(value, digits))),
    });
    this.chart = new uPlot(
      {
        width: Math.max(200, this.room.clientWidth),
        height: this.height,
        padding: [18, 12, 0, 0],
        legend: { show: false },
        scales: { x: this.shown.x.length === 1 ? { time: false, range: () => about(this.shown.x[0]) } : { time: false }, y: { distr: this.logarithmic ? 3 : 1, auto: false, range: (_, low, high) => [low, high] } },
        axes: [{ ...axis(this.shown.xLabel, 34, 5), ...(this.shown.whole ? { incrs: COUNTS } : {}) }, axis(this.shown.yLabel, 70, 3)],
        series: [
          {},
          ...this.shown.curves.map(({ label, colour, dots, steps }) => ({
            label, width: 1.5, stroke: colourOf(colour), points: { show: Boolean(dots) || this.shown.x.length === 1, size: dots ? 4 : 8 },
            spanGaps: false, paths: steps ? uPlot.paths.stepped({ align: 0 }) : undefined,
          })),
        ],
        cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false } },
        hooks: {
          setScale: [(chart, key) => key === "x" && queueMicrotask(() => chart === this.chart && this.fit(chart))],
          draw: [(chart) => this.over(chart, colours)],
          setSelect: [(chart) => this.selected(chart)],
          setCursor: [(chart) => this.tell(chart)],
        },
      },
      this.data(),
      this.room,
    );
  }

  /** Limits of y that fit what is seen of the curves. */
  range({ min, max }) {
    const { x, curves, from, zero } = this.shown;
    let [low, high] = [Infinity, -Infinity];
    for (const { y } of curves) {
      for (let i = 0; i < x.length; i++) {
        if (x[i] < Math.max(min, from) || x[i] > max || !Number.isFinite(y[i]) || (this.logarithmic && y[i] <= 0)) continue;
        low = Math.min(low, y[i]);
        high = Math.max(high, y[i]);
      }
    }
    if (low > high) return this.logarithmic ? [0.5, 10] : [0, 1];
    if (this.logarithmic) return [low / 1.5, high * 1.5];
    const spread = high - low || Math.abs(high) || 1;
    return [low >= 0 && (zero || low < spread) ? 0 : low - 0.05 * spread, high + 0.08 * spread];
  }

  selected(chart) {
    const { left, width } = chart.select;
    if (width < 3) return;
    const ends = [chart.posToVal(left, "x"), chart.posToVal(left + width, "x")];
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (this.drawing && this.drawable) this.put(ends);
    else chart.setScale("x", { min: ends[0], max: ends[1] });
  }

  put(window) {
    this.setWindow(window);
    this.dispatchEvent(new CustomEvent("window", { detail: window }));
  }

  key(event) {
    const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!this.shown) return;
    const { x } = this.shown;
    const zoom = { "+": 0.5, "=": 0.5, "-": 2, 0: Infinity }[event.key];
    if (zoom) this.zoom(zoom);
    if (!sign) return;
    event.preventDefault();
    const step = (Math.abs(x.at(-1) - x[0]) / Math.max(1, x.length - 1)) * (event.ctrlKey ? 10 : 1) * sign;
    if (!this.window) {
      const middle = (x[0] + x.at(-1)) / 2;
      this.put([middle - 5 * Math.abs(step), middle + 5 * Math.abs(step)]);
      return;
    }
    const [low, high] = this.window;
    this.put(event.shiftKey ? [low, Math.max(low, high + step)] : [low + step, high + step]);
  }

  /** Zooms the x axis by a factor about the window, or about the middle. */
  zoom(times) {
    const [first, last] = [this.shown.x[0], this.shown.x.at(-1)].sort((a, b) => a - b);
    const { min, max } = this.chart.scales.x;
    const middle = this.window ? (this.window[0] + this.window[1]) / 2 : (min + max) / 2;
    const half = Math.min(((max - min) / 2) * times, last - first);
    this.chart.setScale("x", { min: Math.max(first, middle - half), max: Math.min(last, middle + half) });
  }

  tell(chart) {
    const { idx } = chart.cursor;
    if (idx === null || idx === undefined) {
      this.readout.textContent = "";
      return;
    }
    const { x, curves, xLabel } = this.shown;
    const at = this.falling ? x.length - 1 - idx : idx;
    const values = curves.map(({ label, y }) => `${label} ${number(y[at], 5)}`);
    this.readout.textContent = `${xLabel} ${number(x[at], 5)}: ${values.join(", ")}`;
  }

  /** Window and marks, over the curves. */
  over(chart, colours) {
    const { ctx, bbox } = chart;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - 18 * ratio, bbox.width, bbox.height + 18 * ratio);
    ctx.clip();
    if (this.window) {
      const [low, high] = this.window.map((value) => chart.valToPos(value, "x", true));
      Object.assign(ctx, { globalAlpha: 0.13, fillStyle: colours.mark });
      ctx.fillRect(low, bbox.top, Math.max(ratio, high - low), bbox.height);
      ctx.globalAlpha = 0.8;
      for (const end of [low, high]) ctx.fillRect(end, bbox.top, ratio, bbox.height);
      ctx.globalAlpha = 1;
    }
    Object.assign(ctx, { font: `${11 * ratio}px system-ui, sans-serif`, textBaseline: "bottom", textAlign: "center" });
    const place = (x) => chart.valToPos(x, "x", true) / ratio;
    for (const { x, label, y } of placed(this.shown.marks, place, (text) => ctx.measureText(text).width / ratio)) {
      Object.assign(ctx, { strokeStyle: colours.soft, fillStyle: colours.ink, lineWidth: ratio, globalAlpha: 0.6 });
      ctx.beginPath();
      ctx.moveTo(x * ratio, bbox.top);
      ctx.lineTo(x * ratio, bbox.top + bbox.height);
      ctx.stroke();
      ctx.globalAlpha = 1;
      const [at, least] = [x * ratio, bbox.left + ctx.measureText(label).width / 2];
      if (y === 0) ctx.fillText(label, at < bbox.left ? at : Math.max(at, least), bbox.top - 3 * ratio);
    }
    ctx.restore();
  }

  /** The figure as it is seen, light, and all values, for the buttons. */
  exported() {
    if (!this.shown) return null;
    const { x, curves, xLabel, title, name } = this.shown;
    const table = [[xLabel, ...curves.map(({ label, column }) => column ?? label)]];
    for (let i = 0; i < x.length; i++) {
      table.push([x[i], ...curves.map(({ y, values = y }) => (Number.isFinite(values[i]) ? values[i] : ""))]);
    }
    const { width, height } = PRINT;
    return { name: fileName(name ?? title), figure: { width, height, draw: (context) => this.print(context) }, table };
  }

  print(context) {
    const { width, height, left, right, top, bottom } = PRINT;
    const { x, curves, marks, title, xLabel, yLabel } = this.shown;
    const { min: low, max: high } = this.chart.scales.x;
    const { min: least, max: most } = this.chart.scales.y;
    const scale = this.logarithmic ? Math.log10 : (value) => value;
    const px = (value) => left + ((value - low) / (high - low)) * (width - left - right);
    const share = (value) => Math.max(0, Math.min(1, (scale(value) - scale(least)) / (scale(most) - scale(least))));
    const py = (value) => height - bottom - share(value) * (height - top - bottom);
    Object.assign(context, { fillStyle: PRINTED.ground, font: FONT });
    context.fillRect(0, 0, width, height);
    const text = (words, at, to, align, baseline, colour = PRINTED.ink) => {
      Object.assign(context, { fillStyle: colour, textAlign: align, textBaseline: baseline });
      context.fillText(words, at, to);
    };
    const line = (points, strokeStyle, lineWidth) => {
      Object.assign(context, { strokeStyle, lineWidth });
      context.beginPath();
      let drawn = false;
      for (const point of points) {
        if (point && drawn) context.lineTo(...point);
        else if (point) context.moveTo(...point);
        drawn = Boolean(point);
      }
      context.stroke();
    };
    text(title, left, 4, "left", "top");
    if (this.window) {
      context.fillStyle = "#f6e6da";
      const [from, to] = this.window.map((value) => Math.max(left, Math.min(width - right, px(value))));
      context.fillRect(from, top, to - from, height - top - bottom);
    }
    for (const value of ticks(low, high, 10)) {
      line([[px(value), height - bottom], [px(value), height - bottom + 5]], PRINTED.soft, 1);
      text(number(value), px(value), height - bottom + 8, "center", "top", PRINTED.soft);
    }
    for (const value of this.logarithmic ? powers(least, most) : ticks(least, most, 5)) {
      line([[left - 5, py(value)], [left, py(value)]], PRINTED.soft, 1);
      text(number(value, 3), left - 8, py(value), "right", "middle", PRINTED.soft);
    }
    line([[left, top], [left, height - bottom], [width - right, height - bottom]], PRINTED.soft, 1);
    const seen = marks.filter((mark) => mark.x >= low && mark.x <= high);
    for (const mark of placed(seen, px, (words) => 7 * words.length)) {
      line([[mark.x, top], [mark.x, height - bottom]], PRINTED.line, 1);
      if (mark.y === 0) text(mark.label, mark.x, top - 2, "center", "bottom", PRINTED.soft);
    }
    let end = width - right; // of the next label, from the last to the first
    for (const { label, print = "#1f5fa8" } of curves.length > 1 ? [...curves].reverse() : []) {
      text(label, end, 4, "right", "top", print);
      end -= 7 * label.length + 14;
    }
    for (const { y, print = "#1f5fa8" } of curves) {
      const points = Array.from(y, (value, i) =>
        x[i] >= low && x[i] <= high && Number.isFinite(value) && (!this.logarithmic || value > 0) ? [px(x[i]), py(value)] : null,
      );
      line(points, print, 1.2);
      points.forEach((point, i) => {
        if (point && !points[i - 1] && !points[i + 1]) line([[point[0] - 4, point[1]], [point[0] + 4, point[1]]], print, 2);
      });
    }
    text(xLabel, (left + width - right) / 2, height - 8, "center", "bottom");
    context.save();
    context.translate(14, (top + height - bottom) / 2);
    context.rotate(-Math.PI / 2);
    text(yLabel, 0, 0, "center", "middle");
    context.restore();
  }
}

const powers = (low, high) => {
  const out = [];
  for (let k = Math.ceil(Math.log10(low)); 10 ** k <= high; k++) out.push(10 ** k);
  return out;
};

/** Limits about a single value. */
const about = (x) => [x - Math.abs(x / 2 || 0.5), x + Math.abs(x / 2 || 0.5)];

/**
 * Marks with places in px, from the left; `y` is 0 where the label has room, the heaviest first: a line is not named where
 * a heavier one of its family found no room.
 */
function placed(marks, place, width) {
  const taken = [];
  const nameless = new Set();
  return marks.map((mark) => {
    const x = place(mark.x);
    const half = width(mark.label) / 2 + 2;
    const free = !nameless.has(mark.family) && taken.every(([from, to]) => x + half < from || x - half > to);
    if (free) taken.push([x - half, x + half]);
    else nameless.add(mark.family);
    return { ...mark, x, y: free ? 0 : 1 };
  });
}
