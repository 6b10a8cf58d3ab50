// The few drawing calls of a canvas that figures use, written as SVG: one drawing serves PNG and SVG.

const escaped = (text) => String(text).replace(/[<>&"]/g, (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;" })[c]);
const ANCHORS = { left: "start", start: "start", center: "middle", right: "end", end: "end" };
const SHIFTS = { top: "0.8em", middle: "0.32em", alphabetic: "0", bottom: "-0.2em" };

/** Takes the place of a CanvasRenderingContext2D; `text()` gives the file. */
export class SvgContext {
  constructor(width, height) {
    Object.assign(this, { width, height, parts: [], path: "", turned: null });
    Object.assign(this, { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, font: "12px sans-serif" });
    Object.assign(this, { textAlign: "left", textBaseline: "alphabetic", imageSmoothingEnabled: true });
  }

  put(text) {
    this.parts.push(this.turned ? `<g transform="${this.turned}">${text}</g>` : text);
  }

  fillRect(x, y, w, h) {
    this.put(`<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="${this.fillStyle}"/>`);
  }

  strokeRect(x, y, w, h) {
    this.put(`<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="none" ${this.stroked}/>`);
  }

  get stroked() {
    return `stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}"`;
  }

  fillText(text, x, y) {
    const [, size, family] = /(\d+)px (.*)$/.exec(this.font);
    const place = `x="${x}" y="${y}" dy="${SHIFTS[this.textBaseline]}" text-anchor="${ANCHORS[this.textAlign]}"`;
    this.put(`<text ${place} font-size="${size}" font-family="${escaped(family)}" fill="${this.fillStyle}">${escaped(text)}</text>`);
  }

  beginPath() {
    this.path = "";
  }

  moveTo(x, y) {
    this.path += `M${x.toFixed(2)} ${y.toFixed(2)}`;
  }

  lineTo(x, y) {
    this.path += `L${x.toFixed(2)} ${y.toFixed(2)}`;
  }

  stroke() {
    this.put(`<path d="${this.path}" fill="none" stroke-linejoin="round" ${this.stroked}/>`);
  }

  /** Turned by 90° counter-clockwise about a point, until `restore`. */
  save() {}

  translate(x, y) {
    this.turned = `translate(${x} ${y})`;
  }

  rotate(angle) {
    this.turned += ` rotate(${(angle * 180) / Math.PI})`;
  }

  restore() {
    this.turned = null;
  }

  drawImage(canvas, x, y, width, height) {
    const style = this.imageSmoothingEnabled ? "" : ' image-rendering="pixelated"';
    const place = `x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none"`;
    this.put(`<image ${place}${style} href="${canvas.toDataURL("image/png")}"/>`);
  }

  text() {
    const size = `width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${this.parts.join("")}</svg>\n`;
  }
}
