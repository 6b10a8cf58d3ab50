// The adapter of conformance/protocol.md for the JavaScript reader: node adapter.mjs [--streaming] CALL ARGUMENTS

import { createHash, randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { CODINGS } from "./codings.mjs";
import { writeJson } from "./json.mjs";
import { Journal, LbjError, recover, toDense } from "./lbj.mjs";
import { DTYPES, product, raw } from "./bytes.mjs";

const LIMIT = 2 ** 28;
const MOST_DENSE_VOXELS = 2 ** 24;

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

const failure = (error) => {
  if (!(error instanceof LbjError)) throw error;
  return { error: error.kind, offset: error.offset };
};

async function fileSource(path) {
  const file = await open(path);
  const { size } = await file.stat();
  const read = async (offset, length) => {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await file.read(bytes, 0, length, offset);
    return bytes.subarray(0, bytesRead);
  };
  return { size, read, close: () => file.close() };
}

function eventsAnswer(list, dtype, Type) {
  const { shape, voxel, count } = list;
  if (product(shape) > MOST_DENSE_VOXELS) return { shape, dtype, list: Array.from(voxel, (v, i) => [v, count[i]]) };
  return { shape, dtype, sha256: sha256(raw(toDense(list, Type))) };
}

async function arrayAnswer(frame, { name, kind, dtype }) {
  try {
    if (kind === "events") return eventsAnswer(await frame.events(name), dtype, DTYPES[dtype]);
    const { shape, data } = await frame.array(name);
    return { shape, dtype, sha256: sha256(raw(data)) };
  } catch (error) {
    return failure(error);
  }
}

async function frameAnswer(journal, i) {
  const signals = Object.create(null);
  const groups = Object.create(null);
  let frame;
  try {
    frame = await journal.frame(i, { verify: true });
  } catch (error) {
    return failure(error);
  }
  for (const name of frame.names) signals[name] = await arrayAnswer(frame, journal.signal(name));
  for (const { group, kind } of journal.signals) {
    if (group === undefined || kind !== "events" || group in groups) continue;
    try {
      const sum = await frame.group(group);
      if (sum) groups[group] = eventsAnswer(sum, "uint64", BigUint64Array);
    } catch (error) {
      groups[group] = failure(error);
    }
  }
  return { attributes: frame.attributes, signals, groups };
}

async function decode(path, index) {
  const source = await fileSource(path);
  let journal;
  try {
    journal = await Journal.open(source, { limit: LIMIT, index });
  } catch (error) {
    const { error: result, offset } = failure(error);
    return { result, offset };
  } finally {
    if (!journal) await source.close();
  }
  const answer = { result: "ok", offset: null, version: journal.version, frames: [], static: Object.create(null) };
  try {
    const { signals, metadata = {} } = await journal.describe();
    answer.header = { signals, metadata };
  } catch (error) {
    const { error: result, offset } = failure(error);
    Object.assign(answer, { result, offset });
  }
  if (journal.end) Object.assign(answer, { result: journal.end.kind, offset: journal.end.offset });
  for (let i = 0; i < journal.length; i++) answer.frames.push(await frameAnswer(journal, i));
  for (const [name, found] of await journal.static()) {
    answer.static[name] = found instanceof LbjError ? failure(found) : await arrayAnswer(found, journal.signal(name));
  }
  await source.close();
  return answer;
}

async function recoverTo(path, out) {
  const source = await fileSource(path);
  const chunks = [];
  try {
    const found = await recover(source, (bytes) => chunks.push(bytes), { limit: LIMIT, uuid: randomUUID() });
    const file = await open(out, "wx");
    for (const bytes of chunks) await file.write(bytes);
    await file.close();
    return { result: "ok", ...found };
  } catch (error) {
    const { error: result, offset } = failure(error);
    return { result, offset };
  } finally {
    await source.close();
  }
}

const args = process.argv.slice(2);
const streaming = args[0] === "--streaming";
const [call, ...rest] = streaming ? args.slice(1) : args;
const about = {
  name: "js",
  version: "0.9",
  reader: streaming ? "streaming" : "indexed",
  commands: ["decode", "recover"],
  codings: CODINGS,
};
if (call === "describe") console.log(JSON.stringify(about));
else if (call === "decode") console.log(JSON.stringify(await decode(rest[0], !streaming)));
else if (call === "recover") console.log(writeJson(await recoverTo(...rest)));
else throw new Error("usage: node adapter.mjs [--streaming] describe | decode PATH | recover PATH OUT");
