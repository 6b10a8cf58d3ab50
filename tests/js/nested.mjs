// Bytes that a recoverer asks its source for, by size of the file: node nested.mjs FILE...

import { readFileSync } from "node:fs";
import { recover } from "../../conformance/ports/js/lbj.mjs";

const answers = [];
for (const path of process.argv.slice(2)) {
  const bytes = new Uint8Array(readFileSync(path));
  let asked = 0;
  const read = async (offset, length) => {
    asked += length;
    return bytes.subarray(offset, offset + length);
  };
  const { kept } = await recover({ size: bytes.length, read }, () => {}, { uuid: "new" });
  answers.push({ size: bytes.length, asked, kept: kept.map(Number) });
}
console.log(JSON.stringify(answers));
