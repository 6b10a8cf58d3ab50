// Numbers, lengths and file sizes as text, the length of a scale bar, and the ticks of an axis.

const PREFIXES = [[1e-12, "pm"], [1e-9, "nm"], [1e-6, "µm"], [1e-3, "mm"], [1, "m"]];

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** A number to so many digits, without zeros at its end; integers in full as far as a million. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 10 ** Math.max(6, digits)) return grouped(value);
  if (size >= 1e-3 && size < 1e6) {
    const shown = Number(value.toPrecision(digits));
    return Number.isInteger(shown) ? grouped(shown) : String(shown).replace("-", "−");
  }
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = `10${[...String(Number(exponent))].map((digit) => RAISED[digit]).join("")}`;
  return `${Number(mantissa)}`.replace("-", "−") + `·${power}`;
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
