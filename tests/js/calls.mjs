// Calls of the adapter, one a line of JSON (its arguments), in one process: an answer a line, {answer} or {crash}.

import { createInterface } from "node:readline";

const adapter = new URL("../../conformance/ports/js/adapter.mjs", import.meta.url);
const print = console.log;
let number = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const said = [];
  console.log = (text) => said.push(text);
  process.argv = [process.argv[0], adapter.pathname, ...JSON.parse(line)];
  try {
    await import(`${adapter}?${number++}`); // another address: it runs anew, on modules that are loaded
    print(JSON.stringify({ answer: said.join("\n") }));
  } catch (error) {
    print(JSON.stringify({ crash: error.stack }));
  }
}
