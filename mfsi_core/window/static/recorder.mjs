// Calls of the recorder: the page's server passes them on.

/** Asks the recorder for something. @throws {Refused} with its words; {TypeError} where the server does not answer */
export async function call(request, fields = {}) {
  const answer = await fetch("call", { method: "POST", body: JSON.stringify({ do: request, ...fields }) });
  if (!answer.ok) throw new TypeError(`the server answers ${answer.status}`);
  const { ok, message, ...found } = await answer.json();
  if (!ok) throw new Refused(message);
  return found;
}

/** What the recorder said when it refused. */
export class Refused extends Error {}

const TYPES = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array, uint32: Uint32Array, int32: Int32Array };

/** A picture by its name: values, rows, columns. */
export async function picture(name) {
  const { dtype, shape: [rows, columns], base64 } = await call("picture", { name });
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return { data: Float64Array.from(new TYPES[dtype](packed.buffer)), rows, columns };
}
