// Reading in a worker, of a browser or of Node: remote.mjs is the other end.

import { Journal, LbjError, fromBlob, fromBytes, fromUrl } from "./lbj.mjs";

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

const calls = {
  async open(source, options) {
    const [[kind, value]] = Object.entries(source);
    journal = await Journal.open(await SOURCES[kind](value), options);
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
