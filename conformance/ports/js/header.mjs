// HEAD and its amendments: clauses 5.1 and 7.1.

import { DTYPES, LbjError, damaged, product, view } from "./bytes.mjs";
import { isInteger, isObject, mergePatch, parseJson } from "./json.mjs";

const MAJOR = 0;
const MINOR = 9;
const KINDS = ["events", "spectra", "image"];
const COUNTS = ["uint8", "uint16", "uint32"];
const FIXED = ["name", "kind", "shape", "dtype", "coding", "group", "role", "of"];
const STATIC = ["survey", "dark", "gain"];
const MOST_SIGNALS = 65535;
const MOST = 2 ** 32 - 1;
const MOST_AMENDMENTS = 4096;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Whether a signal is stored once (clause 5.1.5). */
export const isStatic = (signal) => STATIC.includes(signal.role);

/** Version and header of a HEAD payload. */
export function parseHead(payload) {
  if (payload.length < 8) throw damaged("4.3.4", "HEAD is shorter than its layout");
  const [major, minor] = [0, 2].map((at) => view(payload).getUint16(at, true));
  if (major > MAJOR) {
    throw new LbjError("unsupported", "5.1.2", `version ${major}.${minor} is newer than ${MAJOR}.${MINOR}`);
  }
  const header = parseJson(payload.subarray(8));
  checkSignals(header.signals);
  if (!isObject(header.metadata)) delete header.metadata; // clause 5.1.4: taken for absent
  return { version: [major, minor], header };
}

const must = (clause, right, what) => {
  if (!right) throw damaged(clause, what);
};

const isName = (value) => {
  if (typeof value !== "string" || CONTROL.test(value) || value.length > 128) return false;
  const points = [...value].length;
  return points >= 1 && points <= 64;
};

const isSize = (container, key) => isInteger(container, key) && container[key] >= 1 && container[key] <= MOST;

function checkSignals(signals) {
  must("5.1.4", Array.isArray(signals) && signals.length >= 1 && signals.length <= MOST_SIGNALS, "no signals");
  const names = new Set();
  const groups = new Map();
  for (const signal of signals) {
    checkSignal(signal);
    must("5.1.5", !names.has(signal.name), `two signals named ${signal.name}`);
    names.add(signal.name);
    if (signal.group === undefined) continue;
    const first = groups.get(signal.group) ?? signal;
    groups.set(signal.group, first);
    const same = first.kind === signal.kind && String(first.shape) === String(signal.shape);
    must("5.1.5", same, `members of group ${signal.group} differ in kind or shape`);
  }
  for (const group of groups.keys()) must("5.1.5", !names.has(group), `${group} is a group and a signal`);
}

function checkSignal(signal) {
  must("5.1.5", isObject(signal), "a signal that is no object");
  must("5.1.5", isName(signal.name), "a signal's name is none");
  const wrong = (what) => `signal ${signal.name}: ${what}`;
  must("5.1.5", KINDS.includes(signal.kind), wrong("kind"));
  must("5.1.5", Array.isArray(signal.shape), wrong("shape"));
  const { kind, shape } = signal;
  must("5.1.5", shape.length <= 8 && shape.length >= (kind === "image" ? 1 : 2), wrong("number of axes"));
  must("5.1.5", shape.every((_, i) => isSize(shape, i)), wrong("shape"));
  must("5.1.5", product(kind === "image" ? shape : shape.slice(0, -1)) <= MOST, wrong("too many pixels"));
  must("5.1.5", product(shape) < 2 ** 43, wrong("too many elements"));
  must("5.1.5", typeof signal.dtype === "string" && Object.hasOwn(DTYPES, signal.dtype), wrong("dtype"));
  must("5.1.5", kind !== "events" || COUNTS.includes(signal.dtype), wrong("dtype of events"));
  for (const name of ["coding", "role"]) {
    must("5.1.5", signal[name] === undefined || typeof signal[name] === "string", wrong(name));
  }
  for (const name of ["group", "of"]) must("5.1.5", signal[name] === undefined || isName(signal[name]), wrong(name));
  checkAmendable(signal, signal);
}

/** Members that can be amended, of a signal or of what an amendment makes of it. */
function checkAmendable({ name, kind, shape }, { metadata, to_field: rows, axes }) {
  const wrong = (what) => `signal ${name}: ${what}`;
  must("5.1.5", metadata === undefined || isObject(metadata), wrong("metadata"));
  if (rows !== undefined) {
    const isRow = (row) => Array.isArray(row) && row.length === 3 && row.every(Number.isFinite);
    must("5.1.5", Array.isArray(rows) && rows.length === 2 && rows.every(isRow), wrong("to_field"));
    must("5.1.5", shape.length >= (kind === "image" ? 2 : 3), wrong("to_field without two navigation axes"));
  }
  if (axes === undefined) return;
  must("5.1.5", Array.isArray(axes) && axes.length === shape.length, wrong("number of axes"));
  axes.forEach((axis, i) => must("5.1.6", isAxis(axis, shape[i]), wrong(`axis ${i}`)));
}

function isAxis(axis, size) {
  if (!isObject(axis) || typeof axis.name !== "string") return false;
  if (!isInteger(axis, "size") || axis.size !== size) return false;
  const { units, offset, scale, values } = axis;
  if (units !== undefined && typeof units !== "string") return false;
  if ((offset === undefined) !== (scale === undefined)) return false;
  if (offset !== undefined && !(Number.isFinite(offset) && Number.isFinite(scale))) return false;
  if (values === undefined) return true;
  return offset === undefined && Array.isArray(values) && values.length === size && values.every(Number.isFinite);
}

/**
 * Header with all amendments applied (clause 7.1); `header` is changed in place.
 *
 * @param amendments in the order of the file: `{at, read}`, `read` gives the payload or throws
 */
export async function amend(header, amendments) {
  const byName = new Map(header.signals.map((signal) => [signal.name, signal]));
  for (const [i, { at, read }] of amendments.entries()) {
    if (i === MOST_AMENDMENTS) throw damaged("7.1.3", "more than 4,096 amendments", at);
    try {
      apply(header, byName, parseAmendment(await read()));
    } catch (error) {
      throw error instanceof LbjError ? error.at(at) : error;
    }
  }
  try {
    checkSignals(header.signals);
  } catch (error) {
    throw error instanceof LbjError ? error.at(amendments.at(-1)?.at ?? 8) : error;
  }
  return header;
}

/** An amendment, its structure checked (clause 7.1.1). */
export function parseAmendment(payload) {
  const amendment = parseJson(payload);
  const { metadata = {}, source = {}, signals = {} } = amendment;
  const objects = [metadata, source, signals, ...(isObject(signals) ? Object.values(signals) : [])];
  must("7.1.1", objects.every(isObject), "a patch that is no object");
  return amendment;
}

/** Whether an amendment leaves signals that are right so; work in proportion to the amendment. */
export function mayAmend(byName, { signals: patches = {} }) {
  for (const [name, patch] of Object.entries(patches)) {
    if (!byName.has(name)) continue;
    const { metadata, to_field, axes } = patch;
    const amended = { metadata: metadata ?? undefined, to_field: to_field ?? undefined, axes: axes ?? undefined };
    try {
      checkAmendable(byName.get(name), amended);
    } catch (error) {
      if (error instanceof LbjError) return false;
      throw error;
    }
  }
  return true;
}

function apply(header, byName, amendment) {
  for (const name of ["metadata", "source"]) {
    if (amendment[name] !== undefined) mergePatch(header, Object.assign(Object.create(null), { [name]: amendment[name] }));
  }
  for (const [name, patch] of Object.entries(amendment.signals ?? {})) {
    if (!byName.has(name)) continue;
    for (const fixed of FIXED) delete patch[fixed];
    mergePatch(byName.get(name), patch);
  }
}
