// Cache of byte ranges of a journal on a server: pages are kept, neighbouring frames are one request, for all workers.

const PAGE = 2 ** 18;
const MOST_PAGES = 128;

/** Wraps a source so that it is read in whole pages, which are cached; ranges longer than a page are read directly. */
export function paged({ size, read }) {
  const pages = new Map();
  const page = (number) => {
    if (!pages.has(number)) {
      if (pages.size === MOST_PAGES) pages.delete(pages.keys().next().value);
      const start = number * PAGE;
      const asked = read(start, Math.min(PAGE, size - start));
      pages.set(number, asked);
      asked.catch(() => pages.delete(number));
    }
    return pages.get(number);
  };
  return {
    size,
    async read(offset, length) {
      if (length > PAGE) return read(offset, length);
      const out = new Uint8Array(length);
      for (let at = offset; at < offset + length; ) {
        const number = Math.floor(at / PAGE);
        const bytes = (await page(number)).subarray(at - number * PAGE, offset + length - number * PAGE);
        if (bytes.length === 0) return out.subarray(0, at - offset);
        out.set(bytes, at - offset);
        at += bytes.length;
      }
      return out;
    },
  };
}

/** What a worker is sent so that it reads a source of the page: its size, and a port (to be transferred). */
export function lent(source) {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = async ({ data: { id, offset, length } }) => {
    try {
      port1.postMessage({ id, bytes: await source.read(offset, length) });
    } catch (error) {
      port1.postMessage({ id, error: error.message });
    }
  };
  return { size: source.size, port: port2 };
}

/** The source that the page has lent. */
export function borrowed({ size, port }) {
  const waiting = new Map();
  let last = 0;
  port.onmessage = ({ data: { id, bytes, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (bytes) resolve(bytes);
    else reject(new Error(error));
  };
  const read = (offset, length) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      port.postMessage({ id: last, offset, length });
    });
  return { size, read };
}
