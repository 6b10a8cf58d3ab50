// Where the bytes of a journal come from: anything with a size and ranges that can be read.

/** A journal in memory. */
export const fromBytes = (bytes) => {
  const all = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  return { size: all.length, read: async (offset, length) => all.subarray(offset, offset + length) };
};

/** A File or Blob, for example one that was dropped on a page; only what is asked for is loaded. */
export const fromBlob = (blob) => ({
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

/** A journal on a server that answers range requests. */
export async function fromUrl(url, options = {}) {
  const ask = async (first, last) => {
    const headers = { ...options.headers, Range: `bytes=${first}-${last}` };
    const response = await fetch(url, { ...options, headers });
    if (response.status !== 206) throw new Error(`${url}: status ${response.status} to a range request, not 206`);
    return response;
  };
  const first = await ask(0, 7);
  const size = Number(/\/(\d+)$/.exec(first.headers.get("Content-Range") ?? "")?.[1]);
  if (!Number.isSafeInteger(size)) throw new Error(`${url}: the server does not say the size of the file`);
  await first.arrayBuffer();
  return {
    size,
    read: async (offset, length) =>
      length ? new Uint8Array(await (await ask(offset, offset + length - 1)).arrayBuffer()) : new Uint8Array(0),
  };
}
