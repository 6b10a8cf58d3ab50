// A journal read by a worker: the page's end of worker.mjs.

/** One worker and its calls; each returns a promise, which gives null if a newer call of the same kind replaced it. */
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

  /** Ends the worker; calls that are not answered yet give null. */
  close() {
    this.worker.terminate();
    for (const { resolve } of this.waiting.values()) resolve(null);
    this.waiting.clear();
  }

  /** Calls `call` of worker.mjs; of calls with the same `key` only the newest is answered. */
  ask(call, args, { key = call, progress } = {}) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, progress });
      this.worker.postMessage({ id, call, key, args }, args?.port ? [args.port] : []);
    });
  }
}
