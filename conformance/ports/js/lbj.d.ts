/** Reader of listed-bin journals (`.lbj`); clause numbers are those of spec/lbj.md. */

export type TypedArray =
  | Uint8Array | Uint16Array | Uint32Array | BigUint64Array
  | Int8Array | Int16Array | Int32Array | BigInt64Array
  | Float32Array | Float64Array;

export type Dtype =
  | "uint8" | "uint16" | "uint32" | "uint64"
  | "int8" | "int16" | "int32" | "int64"
  | "float32" | "float64";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Anything whose bytes can be read from a place on. */
export interface Source {
  /** Size in bytes. */
  readonly size: number;
  /** `length` bytes from `offset`; never asked for more than there are. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Why a journal, a frame, a signal or a description cannot be given (clause 1.4). */
export class LbjError extends Error {
  /** `limit`: beyond the caller's limit (clause 11.1), which is no fault of the file. */
  readonly kind: "truncated" | "damaged" | "unsupported" | "limit";
  /** Clause of the standard that is not kept. */
  readonly clause: string;
  /** Byte offset of the record at fault. */
  readonly offset: number | null;
}

/** An axis (clause 5.1.6): the value of index i is `offset + scale * i`, or `values[i]`. */
export interface Axis {
  name: string;
  size: number;
  units?: string;
  offset?: number;
  scale?: number;
  values?: number[];
}

/** Declaration of a signal (clause 5.1.5). */
export interface Signal {
  name: string;
  kind: "events" | "spectra" | "image";
  /** Sizes of the axes: (…, Y, X, C) of events and spectra, (…, Y, X) of an image. */
  shape: number[];
  dtype: Dtype;
  coding?: string;
  axes?: Axis[];
  group?: string;
  role?: string;
  of?: string;
  to_field?: [[number, number, number], [number, number, number]];
  metadata?: { [name: string]: Json };
}

export interface Header {
  uuid: string;
  signals: Signal[];
  metadata?: { [name: string]: Json };
  source?: { [name: string]: Json };
  [name: string]: unknown;
}

/** Counts of voxels that are not empty, by rising channel-major index `channel * pixels + pixel` (clause 2.3). */
export interface Events {
  shape: number[];
  /** Float64Array where the array has 2^32 voxels or more. */
  voxel: Uint32Array | Float64Array;
  /** Float64Array for groups. */
  count: Uint32Array | Float64Array;
}

/** A dense array in C order. */
export interface Dense {
  shape: number[];
  dtype: Dtype | "bigint";
  data: TypedArray | bigint[];
}

export interface OpenOptions {
  /** Bytes that a dense array may have, default 2^30 (clause 11.1). */
  limit?: number;
  /** Whether a valid index is used (default); without, the records are walked from the first to the last. */
  index?: boolean;
}

/** A journal that is open for reading. */
export class Journal {
  /** @throws {LbjError} where nothing of it can be decoded */
  static open(source: Source, options?: OpenOptions): Promise<Journal>;
  /** Major and minor version that HEAD states. */
  readonly version: [number, number];
  /** Signals as HEAD declares them; `describe` has amendments too. */
  readonly signals: Signal[];
  /** Number of completed frames. */
  readonly length: number;
  /** Whether the index was used. */
  readonly indexed: boolean;
  /** How reading ended before the end of the file, null where it did not; frames before are given. */
  readonly end: LbjError | null;
  /** The header with all amendments applied (clause 7.1). @throws {LbjError} where an amendment is damaged */
  describe(): Promise<Header>;
  /** Declaration and number of a signal. */
  signal(name: string): Signal & { number: number };
  /**
   * Frame `i`, from 0. `verify`: the payload digests of all its blocks are checked, not only of those asked for.
   * @throws {LbjError} where it is damaged as a whole
   */
  frame(i: number, options?: { verify?: boolean }): Promise<Frame>;
  /** Displacements by the signal in whose pixels they are, the last that are right (clause 7.5). */
  displacements(): Promise<Map<string, Displacement>>;
  /** Static signals that have data, by name: a frame that gives the signal, or why it cannot be given. */
  static(): Promise<Map<string, Frame | LbjError>>;
}

/** What one frame holds, decoded when it is asked for. */
export interface Frame {
  /** Attributes (clause 5.4.4). */
  readonly attributes: { [name: string]: Json };
  /** Names of the signals that have data in this frame. */
  readonly names: string[];
  /** @throws {LbjError} */
  events(name: string): Promise<Events>;
  /** @throws {LbjError} */
  array(name: string): Promise<Dense>;
  /** Exact sum over the members of a group that are present, null where none is. @throws {LbjError} */
  group(name: string): Promise<Events | Dense | null>;
}

/** Where the pixels of the first `length` frames sampled the scene (clause 7.5). */
export interface Displacement {
  readonly signal: string;
  /** (Y, X) of the signal. */
  readonly shape: [number, number];
  readonly length: number;
  /** Number K of Legendre coefficients a row, 0 where `values` is the field. */
  readonly terms: number;
  /** Rows R of coefficients: Y, or 1 where one row holds for all. */
  readonly rows: number;
  readonly columns: number;
  /** Coefficients (frames, R, K, 2), or the field (frames, 2, Y, X), of (uy, ux) in px. */
  readonly values: Float32Array;
  /** px rms of one component; NaN unknown, infinite where the frame could not be registered. */
  readonly error: Float32Array;
  /** Frames that are left out of what is made of the series. */
  readonly leftOut: boolean[];
  /** Frames of different regions were laid on one another by whole periods of one lattice. */
  readonly moduloLattice: boolean;
  /** (uy, ux) of every pixel of frame `n`, (2, Y, X), px: pixel q shows the scene at q + u(q). */
  field(n: number): Float64Array;
}

/** Whether a signal is stored once (clause 5.1.5). */
export function isStatic(signal: Signal): boolean;

/** Dense array of events in C order (…, channel), of at most `limit` bytes, default 2^30. @throws {LbjError} */
export function toDense<T extends TypedArray>(
  events: Events,
  Type: { new (length: number): T; readonly BYTES_PER_ELEMENT: number },
  limit?: number,
): T;

export function fromBytes(bytes: ArrayBuffer | Uint8Array): Source;
export function fromBlob(blob: Blob): Source;
/** A journal on a server that answers range requests; `options` are those of `fetch`. */
export function fromUrl(url: string | URL, options?: RequestInit): Promise<Source>;

export interface RecoverOptions {
  /** Bytes that a dense array may have, default 2^30 (clause 11.1). */
  limit?: number;
  /** Of the new journal; by default a random one. */
  uuid?: string;
}

/** Old numbers of the frames that were kept, in order, and of those that the file shows to have existed. */
export interface Recovered {
  kept: bigint[];
  lost: bigint[];
}

/**
 * Saves what is whole in a damaged journal into a new one (clause 9.3).
 *
 * @param write takes the bytes of the new journal one after the other, once all that is kept has been decoded
 * @throws {LbjError} where nothing can be decoded
 */
export function recover(
  source: Source,
  write: (bytes: Uint8Array) => Promise<void> | void,
  options?: RecoverOptions,
): Promise<Recovered>;

export type RemoteSource = { blob: Blob } | { bytes: ArrayBuffer | Uint8Array } | { url: string };

/** A journal that worker.mjs reads in a worker of a browser or of Node. */
export class RemoteJournal {
  constructor(worker: { postMessage(value: unknown): void });
  open(source: RemoteSource, options?: OpenOptions): Promise<Pick<Journal, "version" | "signals" | "length" | "indexed" | "end">>;
  describe(): Promise<Header>;
  frame(i: number): Promise<Pick<Frame, "attributes" | "names">>;
  events(i: number, name: string): Promise<Events>;
  array(i: number, name: string): Promise<Dense>;
  group(i: number, name: string): Promise<Events | Dense | null>;
  /** A static signal, null where it has no data. */
  static(name: string): Promise<Events | Dense | null>;
  displacements(): Promise<Map<string, Displacement>>;
  /** Saves what is whole of a damaged journal; needs no open one. */
  recover(source: RemoteSource, options?: RecoverOptions): Promise<Recovered & { blob: Blob }>;
}
