// Numbers and quantities as people read them.

const PREFIXES = [[1e-12, "pm"], [1e-9, "nm"], [1e-6, "µm"], [1e-3, "mm"], [1, "m"]];

/** A number to so many digits, without zeros at its end, thousands grouped. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return grouped(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`;
  }
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

const grouped = (value) =>
  String(Math.abs(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f").replace(/^/, value < 0 ? "−" : "");

/** A length in m with the unit that suits it. */
export function length(metres, digits = 3) {
  const [factor, unit] = PREFIXES.findLast(([size]) => Math.abs(metres) >= size * 0.9999) ?? PREFIXES[0];
  return `${Number((metres / factor).toPrecision(digits))} ${unit}`;
}

/** The largest of 1, 2, 5, 10, … that fills at most a quarter of the field. */
export function barLength(field) {
  const power = 10 ** Math.floor(Math.log10(field / 4));
  return Math.max(...[1, 2, 5].map((step) => step * power).filter((one) => one <= (field / 4) * 1.0001));
}

/** Marks of an axis from `low` to `high`, about `most` of them. */
export function ticks(low, high, most = 6) {
  if (!(high > low)) return [low];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const out = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(Number((i * step).toPrecision(12)));
  return out;
}

/** Bytes as people read them. */
export function bytes(size) {
  const step = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, size)) / 3)));
  return `${Number((size / 1000 ** step).toPrecision(3))} ${["B", "kB", "MB", "GB", "TB"][step]}`;
}
