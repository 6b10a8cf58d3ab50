// A client of `mfsi host` for Node.js 18 or later: one JSON object a line each way (`mfsi host --schema`).
//
//     const host = new Host();                       // starts `mfsi host`; new Host("python", ["-m", "mfsi_core.cli", "host"])
//     await host.ask("open", {path: "series.lbj", signals: [...]});
//     await host.ask("push", {data: {EDX: {pixel, channel}, HAADF: array(new Uint16Array(...), [64, 64])}});
//     const {values, shape} = values_of(await host.ask("map", {name: "Ti_Ka"}));
//     await host.end();
//
// An answer that is an error rejects: error.name is "UsageError", ...; a host that died rejects what was asked of it.
//
// SPDX-License-Identifier: BSD-3-Clause

import {spawn} from "node:child_process";
import {createInterface} from "node:readline";

const TYPES = {
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array, int8: Int8Array,
  int16: Int16Array, int32: Int32Array, int64: BigInt64Array, float32: Float32Array, float64: Float64Array,
};

export class Host {
  #process; #waiting = []; #ended; #said = "";

  constructor(command = "mfsi", args = ["host"]) {
    this.#process = spawn(command, args, {stdio: ["pipe", "pipe", "pipe"]});
    this.#process.stderr.on("data", (text) => { this.#said = (this.#said + text).slice(-2000); });
    this.#process.stdin.on("error", () => {}); // the host died, which its end tells
    createInterface({input: this.#process.stdout}).on("line", (line) => this.#waiting.shift()?.resolve(JSON.parse(line)));
    this.#ended = new Promise((resolve) => {
      this.#process.on("error", (error) => resolve(error));
      this.#process.on("close", (code) => resolve(new Error(`the host ended (code ${code}): ${this.#said.trim()}`)));
    });
    this.#ended.then((error) => { for (const one of this.#waiting.splice(0)) one.reject(error); });
  }

  // The answer to one request, without "ok". Requests may follow at once; they are answered in order.
  async ask(what, fields = {}) {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) throw await this.#ended;
    const answer = await new Promise((resolve, reject) => {
      this.#waiting.push({resolve, reject});
      this.#process.stdin.write(JSON.stringify({do: what, ...fields}) + "\n");
    });
    const {ok, error, message, ...rest} = answer;
    if (!ok) throw Object.assign(new Error(message), {name: error});
    return rest;
  }

  // Ends the host, which closes the journal; what was asked before is answered first.
  async end() {
    this.#process.stdin.end();
    await this.#ended;
  }
}

// A typed array as the data of a signal of this shape, in C order.
export function array(values, shape) {
  const [dtype] = Object.entries(TYPES).find(([, type]) => values instanceof type);
  return {dtype, shape, base64: Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64")};
}

// The values of an answer that is an array, a typed array in C order, and their shape.
export function values_of({dtype, shape, base64}) {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return {values: new TYPES[dtype](bytes.buffer), shape};
}
