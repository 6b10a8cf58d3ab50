// A journal read by a worker: the page's end of worker.mjs.

/** One worker with its calls; each gives a promise, of null where a newer call of the same kind came before its end. */
export class Reader {
  constructor(worker) {
    this.worker = worker;
    this.waiting = new Map();
    this.last = 0;
    worker.onmessage = ({ data: { id, partial, value, error } }) => {
      const { resolve, reject, progress } = this.waiting.get(id);
      if (partial) {
        progress?.(partial);
        return;
      }
      this.waiting.delete(id);
      if (error) reject(Object.assign(new Error(error.message), error));
      else resolve(value);
    };
    worker.onerror = (event) => {
      const error = new Error(`the worker failed: ${event.message ?? "it could not be loaded"}`);
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    };
  }

  /** Ends the worker; what is asked of it gets null. */
  close() {
    this.worker.terminate();
    for (const { resolve } of this.waiting.values()) resolve(null);
    this.waiting.clear();
  }

  /** Calls `call` of worker.mjs; `key` names the kind of calls of which only the newest counts. */
  ask(call, args, { key = call, progress } = {}) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, progress });
      this.worker.postMessage({ id, call, key, args });
    });
  }
}
