// The nine controls: a form that shows the recorder's settings, and changes them one by one.

import { element } from "./details.mjs";

const UNITS = {
  length: [[1e-12, "pm"], [1e-9, "nm"], [1e-6, "µm"], [1e-3, "mm"], [1, "m"]],
  current: [[1e-15, "fA"], [1e-12, "pA"], [1e-9, "nA"], [1e-6, "µA"], [1e-3, "mA"], [1, "A"]],
  time: [[1e-9, "ns"], [1e-6, "µs"], [1e-3, "ms"], [1, "s"]],
};

/** A quantity in SI units with the unit that suits it. */
export function quantity(value, kind) {
  if (value === 0) return `0 ${UNITS[kind].at(-1)[1]}`;
  const [factor, unit] = UNITS[kind].findLast(([size]) => Math.abs(value) >= size * 0.9999999) ?? UNITS[kind][0];
  return `${Number((value / factor).toPrecision(9))} ${unit}`;
}

const pair = (values) => (values[0] === values[1] ? quantity(values[0], "length") : values.map((one) => quantity(one, "length")).join(", "));
const whole = (text) => (/^\s*\d+\s*$/.test(text) ? Number(text) : text);
const real = (text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
const list = (text, separator = ",") => text.split(separator).map((one) => one.trim()).filter(Boolean);
const optional = (read) => (text) => (text.trim() === "" ? null : read(text));

/** How each control is shown, and what its text means to the recorder, which judges it. */
const kinds = {
  length: { show: (value) => quantity(value, "length"), read: (text) => text },
  current: { show: (value) => quantity(value, "current"), read: (text) => text },
  time: { show: (value) => quantity(value, "time"), read: (text) => text },
  maybeTime: { show: (value) => (value === null ? "" : quantity(value, "time")), read: optional((text) => text) },
  pair: { show: pair, read: (text) => text },
  count: { show: String, read: whole },
  maybeCount: { show: (value) => value ?? "", read: optional(whole) },
  maybeReal: { show: (value) => value ?? "", read: optional(real) },
  text: { show: (value) => value, read: (text) => text.trim() },
  names: { show: (value) => value.join(", "), read: (text) => list(text) },
  numbers: { show: (value) => value.join(", "), read: (text) => list(text).map(real) },
  lines: { show: (value) => value.join("\n"), read: (text) => list(text, "\n") },
  ratios: {
    show: (value) => Object.entries(value).map(([name, ratio]) => `${name}:${ratio}`).join(", "),
    read: (text) => Object.fromEntries(list(text).map((one) => [one.split(":")[0].trim(), real(one.split(":")[1] ?? "")])),
  },
};

const CONTROLS = {
  write_overhead: "time", title: "text", corner: "pair", field: "pair", pixel: "length", current: "current", comm_overhead: "time",
  dwell: "time", flyback: "time", frames: "count", max_dose: "maybeReal", max_time: "maybeTime", snr: "ratios", max_error: "maybeReal",
  components: "maybeCount", elements: "names", image: "text", energy_steps: "numbers", on_completion: "lines", on_failure: "lines",
};
const LATER = 300; // ms after the last key

/** The form of the controls. `change(settings)` sends some of them, and rejects with the reason where they are refused. */
export class Controls {
  constructor(form, change) {
    this.form = form;
    this.change = change;
    this.waiting = new Map(); // timers by control, of what has been typed and not sent
    this.sent = Promise.resolve(); // after which all that was sent is answered
    this.unanswered = 0; // changes that were sent
    this.answered = 0; // changes so far: settings that were asked for before the last answer are old
    for (const name of Object.keys(CONTROLS)) {
      const input = this.input(name);
      const fault = element("small", { className: "fault", id: `${name}-fault` });
      input.spellcheck = false;
      input.setAttribute("aria-describedby", fault.id);
      input.parentElement.append(fault);
      input.addEventListener("input", () => this.soon(name));
      input.addEventListener("change", () => this.send(name));
    }
  }

  /** Of the form's own property `elements` the control of that name would take the place. */
  input(name) {
    return this.form.querySelector(`[name="${name}"]`);
  }

  soon(name) {
    clearTimeout(this.waiting.get(name));
    this.waiting.set(name, setTimeout(() => this.send(name), LATER));
  }

  send(name) {
    clearTimeout(this.waiting.get(name));
    if (!this.waiting.delete(name)) return;
    const text = this.input(name).value;
    this.unanswered += 1;
    this.sent = this.sent.then(() => this.put(name, text));
  }

  async put(name, text) {
    const input = this.input(name);
    const said = await this.told({ [name]: kinds[CONTROLS[name]].read(text) });
    this.unanswered -= 1;
    this.answered += 1;
    document.getElementById(`${name}-fault`).textContent = said;
    if (said) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  /** What the recorder has against settings; nothing where it took them. */
  async told(settings) {
    try {
      await this.change(settings);
      return "";
    } catch (error) {
      return error.message;
    }
  }

  /** Sends what was typed last, before a series is begun; whether all of it was taken. */
  async settled() {
    for (const name of [...this.waiting.keys()]) this.send(name);
    await this.sent;
    const wrong = this.form.querySelector("[aria-invalid]");
    wrong?.closest("details")?.setAttribute("open", ""); // what is folded away takes no focus
    wrong?.focus();
    return !wrong;
  }

  /** Shows settings that were asked for after so many answers, but not in the field that is being written. */
  show(settings, answered) {
    if (this.unanswered || answered !== this.answered) return; // they may lack what was typed
    for (const [name, kind] of Object.entries(CONTROLS)) {
      const input = this.input(name);
      if (input === document.activeElement || this.waiting.has(name) || input.hasAttribute("aria-invalid")) continue;
      const text = String(kinds[kind].show(settings[name]));
      if (input.value !== text) input.value = text;
    }
  }

  /** The signals, each with whether it is recorded and how it is stored. */
  showSignals(host, { signals: names, usual }, settings) {
    const key = JSON.stringify([names, settings.signals, settings.compression]);
    const chosen = [settings.signals, usual, names].find((some) => some.length) ?? [];
    if (host.dataset.shown === key || host.contains(document.activeElement)) return;
    host.dataset.shown = key;
    const rows = names.map((name) => {
      const recorded = element("input", { type: "checkbox", checked: chosen.includes(name) });
      const stored = element("select", {}, element("option", { value: "true", textContent: "compressed" }), element("option", { value: "false", textContent: "as it comes" }));
      const coding = settings.compression[name] ?? true;
      if (typeof coding === "string") stored.append(element("option", { value: coding, textContent: coding }));
      stored.value = String(coding);
      stored.setAttribute("aria-label", `how ${name} is stored`);
      recorded.onchange = () => this.told({ signals: names.filter((_, i) => rows[i].querySelector("input").checked) });
      stored.onchange = () => {
        const value = { true: true, false: false }[stored.value] ?? stored.value;
        this.told({ compression: { ...settings.compression, [name]: value } });
      };
      return element("div", { className: "signal" }, element("label", {}, recorded, name), stored);
    });
    host.replaceChildren(...rows);
  }
}
