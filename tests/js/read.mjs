// Reads the journal PATH by every way there is and prints what it found: node read.mjs PATH

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Worker } from "node:worker_threads";
import { raw } from "../../conformance/ports/js/bytes.mjs";
import { Journal, RemoteJournal, fromBlob, fromBytes, fromUrl, toDense } from "../../conformance/ports/js/lbj.mjs";

const bytes = readFileSync(process.argv[2]);
const sha256 = (array) => createHash("sha256").update(raw(array)).digest("hex");

async function summary(journal) {
  const frame = await journal.frame(1);
  const events = await frame.events("A");
  const sum = await frame.group("AB");
  const spectra = await frame.group("S");
  const image = await frame.array("image");
  const gain = (await journal.static()).get("gain");
  const moved = (await journal.displacements()).get("image");
  return {
    length: journal.length,
    names: frame.names,
    attributes: frame.attributes,
    title: (await journal.describe()).metadata.title,
    A: sha256(toDense(events, Uint16Array)),
    AB: sha256(toDense(sum, BigUint64Array)),
    S: sha256(spectra.data),
    image: sha256(image.data),
    gain: sha256((await gain.array("gain")).data),
    moved: [moved.length, moved.terms, moved.leftOut, [...moved.error], [...moved.field(1)]],
    absent: await (await journal.frame(0)).group("S"),
  };
}

async function remote() {
  const worker = new Worker(new URL("../../conformance/ports/js/worker.mjs", import.meta.url));
  const journal = new RemoteJournal(worker);
  const error = await journal.open({ bytes: bytes.subarray(0, 100) }).catch(({ kind, offset }) => ({ kind, offset }));
  const { length } = await journal.open({ blob: new Blob([bytes]) });
  const { names, attributes } = await journal.frame(1);
  const found = {
    error,
    length,
    names,
    attributes,
    title: (await journal.describe()).metadata.title,
    A: sha256(toDense(await journal.events(1, "A"), Uint16Array)),
    AB: sha256(toDense(await journal.group(1, "AB"), BigUint64Array)),
    S: sha256((await journal.group(1, "S")).data),
    image: sha256((await journal.array(1, "image")).data),
    gain: sha256((await journal.static("gain")).data),
    absent: await journal.group(0, "S"),
  };
  const moved = (await journal.displacements()).get("image");
  found.moved = [moved.length, moved.terms, moved.leftOut, [...moved.error], [...moved.field(1)]];
  const { kept, lost, blob } = await journal.recover({ bytes });
  found.recovered = { kept: kept.map(Number), lost: lost.map(Number), begins: await blob.slice(1, 4).text() };
  await worker.terminate();
  return found;
}

const server = createServer((request, response) => {
  const [first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range).slice(1).map(Number);
  response.writeHead(206, { "Content-Range": `bytes ${first}-${last}/${bytes.length}` });
  response.end(bytes.subarray(first, last + 1));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}/`;
const byRange = await summary(await Journal.open(await fromUrl(url)));
server.closeAllConnections();
server.close();

const limited = await Journal.open(fromBytes(bytes), { limit: 100 });
const limit = await (await limited.frame(1)).array("image").catch(({ kind }) => kind);

console.log(JSON.stringify({
  bytes: await summary(await Journal.open(fromBytes(bytes))),
  walked: await summary(await Journal.open(fromBytes(bytes), { index: false })),
  blob: await summary(await Journal.open(fromBlob(new Blob([bytes])))),
  url: byRange,
  worker: await remote(),
  limit,
}));
