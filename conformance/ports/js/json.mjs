// JSON as clause 4.5.1 restricts it. Objects have no prototype, so that names are data (`__proto__` too).

import { damaged } from "./bytes.mjs";

const MOST_BYTES = 2 ** 24;
const MOST_DEEP = 32;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const WORDS = [["true", true], ["false", false], ["null", null]];

/** Members of objects and arrays that are numbers written with a fraction or an exponent, by their container. */
const fractions = new WeakMap();
/** How integers beyond 2^53 were written, likewise. */
const literals = new WeakMap();

export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Whether a member is an integer that is written as one (clause 4.5.1). */
export const isInteger = (container, key) =>
  Number.isInteger(container[key]) && !fractions.get(container)?.has(String(key));

/** The object that the bytes hold; anything else is damage. */
export function parseJson(bytes) {
  if (bytes.length > MOST_BYTES) throw damaged("4.5.1", "JSON of more than 16 MiB");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged("4.5.1", "JSON that is not UTF-8");
  }
  const parser = new Parser(text);
  parser.match(SPACE);
  if (text[parser.at] !== "{") throw parser.wrong("no object");
  const value = parser.value(1);
  parser.match(SPACE);
  if (parser.at !== text.length) throw parser.wrong("something after the object");
  return value;
}

class Parser {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  wrong(what) {
    return damaged("4.5.1", `JSON: ${what} at character ${this.at}`);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at += found[0].length;
    return found?.[0];
  }

  skip(character) {
    this.match(SPACE);
    if (this.text[this.at] !== character) return false;
    this.at++;
    this.match(SPACE);
    return true;
  }

  value(depth) {
    const first = this.text[this.at];
    if ((first === "{" || first === "[") && depth > MOST_DEEP) throw this.wrong("nested too deep");
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array(depth);
    if (first === '"') return this.string();
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    throw this.wrong("no value");
  }

  /** A value put into its container; numbers are noted where they are not written as integers. */
  member(container, key, depth) {
    const literal = this.match(NUMBER);
    if (literal === undefined) {
      container[key] = this.value(depth + 1);
      return;
    }
    container[key] = Number(literal);
    if (!Number.isFinite(container[key])) throw this.wrong("a number that is not finite");
    if (/[.eE]/.test(literal)) {
      if (!fractions.has(container)) fractions.set(container, new Set());
      fractions.get(container).add(String(key));
    } else if (!Number.isSafeInteger(container[key])) {
      if (!literals.has(container)) literals.set(container, new Map());
      literals.get(container).set(String(key), literal);
    }
  }

  object(depth) {
    const out = Object.create(null);
    this.skip("{");
    if (this.skip("}")) return out;
    do {
      if (this.text[this.at] !== '"') throw this.wrong("no name");
      const name = this.string();
      if (name in out) throw this.wrong(`the name ${JSON.stringify(name)} twice`);
      if (!this.skip(":")) throw this.wrong("no colon");
      this.member(out, name, depth);
    } while (this.skip(","));
    if (!this.skip("}")) throw this.wrong("no end of the object");
    return out;
  }

  array(depth) {
    const out = [];
    this.skip("[");
    if (this.skip("]")) return out;
    do this.member(out, out.length, depth);
    while (this.skip(","));
    if (!this.skip("]")) throw this.wrong("no end of the array");
    return out;
  }

  string() {
    let out = "";
    this.at++;
    for (;;) {
      out += this.match(PLAIN);
      const next = this.text[this.at++];
      if (next === '"') break;
      if (next !== "\\") throw this.wrong("no end of the string");
      const letter = this.text[this.at++];
      if (letter in ESCAPES) out += ESCAPES[letter];
      else if (letter === "u" && /^[0-9a-fA-F]{4}$/.test(this.text.slice(this.at, this.at + 4))) {
        out += String.fromCharCode(parseInt(this.text.slice(this.at, this.at + 4), 16));
        this.at += 4;
      } else throw this.wrong("no such escape");
    }
    if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(out)) {
      throw this.wrong("a lone surrogate");
    }
    return out;
  }
}

/** JSON of a value that was parsed here, integers beyond 2^53 as they were written; of BigInts too. */
export function writeJson(value) {
  if (Object.is(value, -0)) return "-0.0";
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const exact = literals.get(value);
  const member = (key) => exact?.get(String(key)) ?? writeJson(value[key]);
  if (Array.isArray(value)) return `[${value.map((_, i) => member(i)).join()}]`;
  return `{${Object.keys(value).map((key) => `${JSON.stringify(key)}:${member(key)}`).join()}}`;
}

/** Applies a JSON merge patch (RFC 7396) to an object in place. */
export function mergePatch(target, patch) {
  for (const name of Object.keys(patch)) {
    if (patch[name] === null) delete target[name];
    else if (isObject(patch[name])) {
      if (!isObject(target[name])) target[name] = Object.create(null);
      mergePatch(target[name], patch[name]);
    } else {
      target[name] = patch[name];
      fractions.get(target)?.delete(name);
    }
  }
}
