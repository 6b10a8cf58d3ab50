// Times the JavaScript decoders on the blocks that ports.py wrote: node ports_js.mjs BLOCKS.json

import { readFileSync } from "node:fs";
import { crc32, raw } from "../conformance/ports/js/bytes.mjs";
import { decodeDense, decodeEvents } from "../conformance/ports/js/codings.mjs";

const { repeats, spent: least, blocks } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const answers = [];
for (const { file, coding, shape, dtype, voxels, events } of blocks) {
  const bytes = new Uint8Array(readFileSync(file));
  let best = Infinity;
  let out;
  // As many repeats as let the decoder be compiled, which numba did before.
  for (let i = 0, spent = 0; i < repeats || spent < least; i++) {
    const start = process.cpuUsage();
    out = voxels === null
      ? await decodeDense(coding, bytes, shape, dtype)
      : decodeEvents(coding, bytes, shape, dtype, voxels, events);
    const { user, system } = process.cpuUsage(start);
    const time = (user + system) / 1e6;
    spent += time;
    best = Math.min(best, time);
  }
  const arrays = voxels === null ? [out] : [out.voxel, out.count];
  answers.push({ seconds: best, digests: arrays.map((array) => crc32(raw(array))) });
}
console.log(JSON.stringify(answers));
