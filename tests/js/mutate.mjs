// Decodes blocks and journals with bytes changed; whatever they hold, only an LbjError may come, and what is recovered is
// read without one: node mutate.mjs ROUNDS FILE...

import { readFileSync } from "node:fs";
import { denseOf, eventsOf } from "../../conformance/ports/js/assemble.mjs";
import { Journal, LbjError, fromBytes, isStatic, recover } from "../../conformance/ports/js/lbj.mjs";

let state = 1;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

const tally = { blocks: { decoded: 0, refused: 0 }, journals: { decoded: 0, refused: 0 }, recovered: { decoded: 0, refused: 0 } };

/** Recovers a journal and reads what was written. */
async function recovered(bytes) {
  const parts = [];
  const { kept } = await recover(fromBytes(bytes), (part) => void parts.push(part), { uuid: "new" });
  const journal = await Journal.open(fromBytes(Buffer.concat(parts)));
  if (!journal.indexed || journal.length !== kept.length) throw new Error("another number of frames than was told");
  await journal.describe();
  for (let i = 0; i < kept.length; i++) {
    const frame = await journal.frame(i, { verify: true });
    for (const name of frame.names) await (journal.signal(name).kind === "events" ? frame.events(name) : frame.array(name));
  }
  for (const found of (await journal.static()).values()) if (found instanceof LbjError) throw new Error(String(found));
}

async function attempt(what, work) {
  try {
    await work();
    tally[what].decoded++;
  } catch (error) {
    if (!(error instanceof LbjError)) throw error;
    tally[what].refused++;
  }
}

function changed(bytes) {
  const out = bytes.slice();
  for (let n = 1 + random(3); n > 0 && out.length; n--) {
    const at = random(out.length);
    if (random(4) === 0) out[at] = [0, 255, 128, 1][random(4)];
    else out[at] ^= 1 << random(8);
  }
  return random(4) === 0 ? out.subarray(0, random(out.length + 1)) : out;
}

const [rounds, ...paths] = process.argv.slice(2);
for (const path of paths) {
  const bytes = new Uint8Array(readFileSync(path));
  let journal;
  try {
    journal = await Journal.open(fromBytes(bytes), { index: false });
  } catch (error) {
    if (!(error instanceof LbjError)) throw error;
    continue;
  }
  for (let round = 0; round < Number(rounds); round++) {
    await attempt("journals", async () => {
      const other = await Journal.open(fromBytes(changed(bytes)), { limit: 2 ** 22, index: round % 2 === 0 });
      await other.describe();
      for (let i = 0; i < other.length; i++) await other.frame(i, { verify: true });
      await other.static();
    });
    if (bytes.length < 2 ** 14) await attempt("recovered", () => recovered(changed(bytes)));
    for (const { blocks } of journal.groups) {
      for (const record of blocks.slice(0, 8)) {
        const signal = { ...journal.signals[record.signal] };
        if (isStatic(signal) || record.length > 2 ** 14) continue;
        const payload = bytes.slice(record.at + 24, record.at + 24 + record.length);
        const coded = changed(payload.subarray(16));
        const whole = new Uint8Array(Math.max(24, 16 + coded.length));
        whole.set(payload.subarray(0, 16));
        whole.set(coded, 16);
        const file = { payload: async () => whole };
        const read = () => (signal.kind === "events" ? eventsOf(file, signal, [record]) : denseOf(file, signal, [record], 2 ** 22));
        await attempt("blocks", read);
      }
    }
  }
}
console.log(JSON.stringify(tally));
