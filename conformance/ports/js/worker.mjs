// Reading in a worker, of a browser or of Node: remote.mjs is the other end.

import { Journal, LbjError, fromBlob, fromBytes, fromUrl, recover } from "./lbj.mjs";

const port = globalThis.WorkerGlobalScope ? self : (await import("node:worker_threads")).parentPort;
const SOURCES = { blob: fromBlob, bytes: fromBytes, url: fromUrl };
let journal;
let kept = { i: -1, frame: null };

const fault = (error) =>
  error instanceof LbjError ? { kind: error.kind, clause: error.clause, message: error.message, offset: error.offset } : null;

async function frame(i) {
  if (kept.i !== i) kept = { i, frame: await journal.frame(i) };
  return kept.frame;
}

function sourceOf(source) {
  const [[kind, value]] = Object.entries(source);
  return SOURCES[kind](value);
}

const calls = {
  async open(source, options) {
    journal = await Journal.open(await sourceOf(source), options);
    kept = { i: -1, frame: null };
    const { version, signals, length, indexed } = journal;
    return { version, signals, length, indexed, end: journal.end && fault(journal.end) };
  },
  describe: () => journal.describe(),
  async frame(i) {
    const { attributes, names } = await frame(i);
    return { attributes, names };
  },
  events: async (i, name) => (await frame(i)).events(name),
  array: async (i, name) => (await frame(i)).array(name),
  group: async (i, name) => (await frame(i)).group(name),
  displacements: () => journal.displacements(),
  async recover(source, options) {
    const parts = [];
    const found = await recover(await sourceOf(source), (bytes) => void parts.push(bytes), options);
    return { ...found, blob: new Blob(parts) };
  },
  async static(name) {
    const found = (await journal.static()).get(name) ?? null;
    if (found instanceof LbjError) throw found;
    return found && (journal.signal(name).kind === "events" ? found.events(name) : found.array(name));
  },
};

/** Buffers that belong to an answer alone are handed over, not copied. */
const buffers = (value) => [...new Set(Object.values(value ?? {}).filter(ArrayBuffer.isView).map(({ buffer }) => buffer))];

port.onmessage = async ({ data: { id, call, args } }) => {
  try {
    const value = await calls[call](...args);
    port.postMessage({ id, value }, buffers(value));
  } catch (error) {
    port.postMessage({ id, error: fault(error) ?? { message: String(error) } });
  }
};
