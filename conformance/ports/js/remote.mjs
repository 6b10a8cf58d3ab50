// A journal that is read in a worker:
//
//     const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
//     const journal = new RemoteJournal(worker);

import { LbjError } from "./bytes.mjs";
import { Displacement } from "./displacements.mjs";

/** The calls of worker.mjs, each of which gives a promise; errors of the file are LbjErrors here too. */
export class RemoteJournal {
  constructor(worker) {
    this.worker = worker;
    this.waiting = new Map();
    this.last = 0;
    const answered = ({ id, value, error }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (!error) resolve(value);
      else reject(error.kind ? new LbjError(error.kind, error.clause, error.message, error.offset) : new Error(error.message));
    };
    const failed = (error) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`the worker failed: ${error.message}`));
      this.waiting.clear();
    };
    if (worker.on) worker.on("message", answered).on("error", failed);
    else Object.assign(worker, { onmessage: ({ data }) => answered(data), onerror: failed });
  }

  ask(call, ...args) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, call, args });
    });
  }

  /** Opens `{blob}`, `{bytes}` or `{url}`; what the journal holds at a glance. */
  open(source, options) {
    return this.ask("open", source, options);
  }

  describe() {
    return this.ask("describe");
  }

  frame(i) {
    return this.ask("frame", i);
  }

  events(i, name) {
    return this.ask("events", i, name);
  }

  array(i, name) {
    return this.ask("array", i, name);
  }

  group(i, name) {
    return this.ask("group", i, name);
  }

  static(name) {
    return this.ask("static", name);
  }

  async displacements() {
    const found = await this.ask("displacements");
    return new Map([...found].map(([name, fields]) => [name, new Displacement(fields)]));
  }

  /** Saves what is whole of a damaged journal; does not need an open one, nor close it. */
  recover(source, options) {
    return this.ask("recover", source, options);
  }
}
