"""Write listed-bin journals (.lbj) with Python 3.7 or later and NumPy: copy this one file beside your script.

    from lbj_baseline import write_frame

    about = {"EDX": {"kind": "events"}}  # counts; "spectra" for EELS; an array (Y, X) is an image without being told
    for counts, image in frames:  # (Y, X, C) and (Y, X); the first call creates the journal, the others append
        data = {"EDX": counts, "HAADF": image}
        number = write_frame("series.lbj", data, {"beam_energy": 200e3}, about, dwell_time=5e-5)

When `write_frame` returns, the frame is on the disk; when it raises, nothing of it is. Give every series a name of its
own: a journal that exists is appended to, whoever began it: look at the number returned. A frame that a writer
left unfinished at the end is cut off. Personal data belong in none of the arguments.

The files are those of the baseline profile (clause 10.5 of the standard) with payload digests: events as leb128, all
else raw, no index, no static signals, one block a signal: up to 2^32-1 voxels and counts. Every call reads the headers
of all records: some ms for a thousand frames. On POSIX systems a lock keeps out every other writer; on Windows only
others that use this file (the byte 2^31-2 is locked during the call).
"""

# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, ANN204, B905, INP001, PYI024

import collections
import contextlib
import datetime
import json
import os
import re
import struct
import sys
import uuid
import zlib

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

SIGNATURE = b"\x89LBJ\r\n\x1a\n"
MARKER = b"\xf5LB"
VERSION = (0, 9)
STATIC = 2**64 - 1  # number of a pseudo-frame
MOST = 2**32 - 1  # voxels, and counts, of a block
JSON_MOST = 2**24
LENGTHS = {  # least and most bytes of payload
    b"HEAD": (8, 8 + JSON_MOST),
    b"FRAM": (16, 16),
    b"BLOK": (24, 2**62),
    b"DONE": (24, 24 + JSON_MOST),
}
INTEGERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES = {"events": INTEGERS[:3], "spectra": [*INTEGERS, "float32", "float64"]}
DTYPES["image"] = DTYPES["spectra"]
CODINGS = {"events": (1, "leb128"), "spectra": (0, "raw"), "image": (0, "raw")}
STATIC_ROLES = ["survey", "dark", "gain"]
NUMBER = (int, float)
OPTIONAL = {"axes": list, "coding": str, "group": str, "role": str, "of": str, "to_field": list, "metadata": dict}
METADATA = {"title": str, "microscope": str, "elements": list, "beam_energy": NUMBER, "magnification": NUMBER}
METADATA.update(dict.fromkeys(["convergence_angle", "collection_angle", "stage_tilt"], NUMBER))
PER_SIGNAL = ["live_time", "real_time", "dwell_time", "exposure", "energy_shift", "scanned_pixels"]
ATTRIBUTES = dict.fromkeys([*PER_SIGNAL, "beam_current", "screen_current", "time_offset", "rotation"], NUMBER)
ATTRIBUTES.update(scanned_pixels=int, region=int, start_time=str, scan=dict, metadata=dict)

Counts = collections.namedtuple("Counts", "shape voxel count")
Counts.__doc__ = "Counts of an events signal: its voxels that are not empty, as channel * pixels + pixel (clause 2.3)."


class JournalError(Exception):
    """The file cannot be appended to: `result` "damaged", "truncated" or "unsupported" (clause 1.4), at `offset`."""

    def __init__(self, result, offset, why):
        super().__init__(f"journal {result} at offset {offset}: {why}; it was left as it was")
        self.result = result
        self.offset = offset


def counts_from_list(pixel, channel, shape):
    """Counts for `write_frame` from a list of events: `pixel` (y * X + x) and `channel` of each, `shape` (Y, X, C)."""
    pixel, channel = np.asarray(pixel), np.asarray(channel)
    pixels = volume(shape[:-1])
    for name, found, size in (("pixel", pixel, pixels), ("channel", channel, shape[-1])):
        right = found.shape == (channel.size,) and (not found.size or found.dtype.kind in "iu")
        _need(right, f"{name}: as many integers as channels", f"{found.dtype} of shape {found.shape}")
        if found.size:
            low, high = int(found.min()), int(found.max())
            _need(low >= 0 and high < size, f"{name}: integers from 0 to {size - 1}", f"{low} to {high}")
    voxel = channel.astype(np.int64) * pixels + pixel.astype(np.int64)
    return Counts(tuple(shape), *np.unique(voxel, return_counts=True))


def write_frame(path, data, metadata=None, signals=None, **attributes):
    """Append a frame to the journal at `path`, which the first call creates, and return its number, from 0.

    `data`: arrays by the name of the signal; counts also as `Counts`. `metadata`: dict that describes the series.
    `signals`: by name, dict of what the first array does not say: `kind` ("events": whole counts, of which only those
    above 0 take space; "spectra"; "image"; to be given unless the array has two axes, an image), `axes` (list of dicts:
    `name`, and `units`, `scale`, `offset` or `values`), `group`, `role`, `of`, `to_field`, `metadata`; also `shape` and
    `dtype` of a signal that the first frame lacks. Both are stored by the first call; later calls may repeat them, not
    change them. `attributes`: of this frame, clause 5.4.4 (`live_time`, `dwell_time`, `start_time`, ...; s, A, eV,
    rad); what has no name there as `frame_metadata={...}`.

    ValueError: the arguments cannot be stored. JournalError: the file cannot be appended to. BlockingIOError: another
    writer holds it. Other OSError: the disk is full or fails.
    """
    if "frame_metadata" in attributes:
        attributes["metadata"] = attributes.pop("frame_metadata")
    if os.path.exists(path):
        with open(path, "r+b", buffering=0) as file, _locked(file, wait=False):
            header, number, end = _walk(file)
            _check_unchanged(header, metadata, signals)
            _store(file, end, *_frame(header, number, data, attributes))
        return number
    header = _new_header(data, metadata, signals)
    head = _record(b"HEAD", struct.pack("<HHI", VERSION[0], VERSION[1], 0) + _dump(header))
    frame, done = _frame(header, 0, data, attributes)
    with open(path, "x+b", buffering=0) as file:
        try:
            with _locked(file, wait=True):  # another that has just opened it refuses it as truncated
                _store(file, 0, [SIGNATURE, *head, *frame], done)
        except BaseException:
            file.close()
            os.remove(path)
            raise
    if fcntl:
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    return 0


@contextlib.contextmanager
def _locked(file, wait):
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        else:
            file.seek(2**31 - 2)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError) as error:
        raise BlockingIOError(f"{file.name}: another writer holds this journal; close it there") from error
    try:
        yield
    finally:
        if not fcntl:
            file.seek(2**31 - 2)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)


def _store(file, end, frame, done):
    """Write the frame at `end`, and its DONE once all else is on the disk; or nothing (clause 10.3)."""
    try:
        file.truncate(end)
        file.seek(end)
        for parts in (frame, done):
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
    except BaseException:
        file.truncate(end)
        raise


def _record(kind, payload):
    start = MARKER + b"\x01" + kind + struct.pack("<QI", len(payload), zlib.crc32(payload))
    return [start + struct.pack("<I", zlib.crc32(start)), payload, bytes(-len(payload) % 8)]


def _frame(header, number, data, attributes):
    """Parts of the frame before DONE, and parts of DONE."""
    names = [signal["name"] for signal in header["signals"]]
    parts, events = _record(b"FRAM", struct.pack("<QQ", number, 0)), 0
    for name, value in data.items():
        _need(name in names, f"signals of the journal: {', '.join(names)}", name)
        signal = header["signals"][names.index(name)]
        _need(
            signal.get("role") not in STATIC_ROLES, f"{name}: no static signal, which this writer cannot store", value
        )
        voxels, counts, coded = _coded(signal, value)
        coding = CODINGS[signal["kind"]][0]
        parts += _record(b"BLOK", struct.pack("<QHHIII", number, names.index(name), coding, 0, voxels, counts) + coded)
        events += counts
    attributes = _json(attributes)
    for name, value in attributes.items():
        _need(name in ATTRIBUTES or name.startswith("x-"), f"frame_metadata or one of {', '.join(ATTRIBUTES)}", name)
        values = value if name in PER_SIGNAL and isinstance(value, dict) else {names[0]: value}
        _need(set(values) <= set(names), f"{name}: signals of {', '.join(names)}", list(values))
        for one in values.values():
            right = _is(one, ATTRIBUTES.get(name, object)) and (ATTRIBUTES.get(name) is not int or one >= 0)
            _need(right, f"{name}: {ATTRIBUTES.get(name)}, integers from 0", one)
    instant = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d+)?Z"
    right = re.fullmatch(instant, attributes.get("start_time", "2026-01-31T23:59:59Z"), re.ASCII)
    _need(right, "start_time like 2026-01-31T23:59:59Z", attributes.get("start_time"))
    done = struct.pack("<QIIQ", number, len(data), 0, events) + (_dump(attributes) if attributes else b"")
    return parts, _record(b"DONE", done)


def _coded(signal, value):
    """Voxels, events and bytes of a block that holds the whole array."""
    name, kind, shape = signal["name"], signal["kind"], tuple(signal["shape"])
    listed = isinstance(value, Counts)
    _need(not listed or kind == "events", f"{name}: an array, for it is declared as {kind}", "Counts")
    array = None if listed else np.asarray(value)
    found = tuple(value.shape) if listed else array.shape
    _need(found == shape, f"{name}: shape {shape}", found)
    _need(volume(shape) <= MOST, f"{name}: at most 2^32-1 voxels a frame", volume(shape))
    if kind != "events":
        _need(array.dtype.name == signal["dtype"], f"{name}: dtype {signal['dtype']}", array.dtype.name)
        return 0, 0, array.astype(array.dtype.newbyteorder("<")).tobytes()
    pixels = volume(shape[:-1])
    if listed:
        voxel, count = np.asarray(value.voxel), np.asarray(value.count)
        right = voxel.ndim == 1 and voxel.shape == count.shape and (not voxel.size or voxel.dtype.kind in "iu")
        right = right and np.unique(voxel).size == voxel.size
        right = right and (not voxel.size or (voxel.min() >= 0 and voxel.max() < volume(shape)))
        _need(right, f"{name}: each voxel once, below {volume(shape)}, and its count", value)
        voxel = voxel.astype(np.int64)
    else:
        flat = np.ascontiguousarray(array).reshape(-1)
        place = np.flatnonzero(flat != 0)
        voxel, count = place % shape[-1] * pixels + place // shape[-1], flat[place]
    _need(not count.size or count.dtype.kind in "biuf", f"{name}: numbers", count.dtype)
    most = np.iinfo(signal["dtype"]).max
    exact = count.astype(np.float64)
    wrong = count[~((exact >= 1) & (exact <= most) & (exact == np.floor(exact)))]
    _need(not wrong.size, f"{name}: whole counts of 0 to {most} (other numbers: spectra, or a larger dtype)", wrong[:3])
    order = np.argsort(voxel, kind="mergesort")
    count = count[order].astype(np.int64)
    _need(count.sum() <= MOST, f"{name}: at most 2^32-1 counts a frame", count.sum())
    return count.size, int(count.sum()), _leb128(voxel[order], count)


def _leb128(voxel, count):
    more = count > 1
    at = np.arange(count.size) + np.cumsum(more) - more
    numbers = np.zeros(count.size + np.count_nonzero(more), np.int64)
    numbers[at] = (np.diff(voxel, prepend=-1) - 1) * 2 + more
    numbers[at[more] + 1] = count[more] - 2
    width = 1 + sum((numbers >> 7 * i > 0).astype(np.int64) for i in range(1, 5))
    first = np.cumsum(width) - width
    coded = np.zeros(width.sum(), np.uint8)
    for i in range(5):
        has = width > i
        coded[first[has] + i] = (numbers[has] >> 7 * i & 127) + 128 * (width[has] > i + 1)
    return coded.tobytes()


def volume(sizes):
    """Elements of an array of these sizes."""
    product = 1
    for size in sizes:
        product *= int(size)
    return product


def _need(condition, expected, found):
    if not condition:
        raise ValueError(f"expected {expected}; found {found!r}"[:1000])


def _is(value, types):
    return isinstance(value, types) and not isinstance(value, bool)


def _is_numbers(value, *shape):
    return np.shape(value) == shape and np.asarray(value).dtype.kind in "iuf"


def _is_name(value):
    return isinstance(value, str) and re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]{1,64}", value)


def _json(value, depth=1):
    """The value as JSON allows it (clause 4.5.1), numbers and arrays of NumPy as Python's."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, str):
        value.encode()  # refuses lone surrogates
    elif _is(value, NUMBER):
        _need(abs(value) <= sys.float_info.max, "finite numbers", value)
    elif isinstance(value, (list, tuple)):
        _need(depth <= 32, "JSON of at most 32 levels", "more")
        return [_json(item, depth + 1) for item in value]
    elif value is not None and not isinstance(value, bool):
        right = isinstance(value, dict) and all(isinstance(name, str) for name in value)
        _need(right and depth <= 32, "what JSON can hold, at most 32 levels deep", value)
        return {_json(name): _json(item, depth + 1) for name, item in value.items()}
    return value


def _dump(value):
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    _need(len(raw) <= JSON_MOST, "at most 16 MiB of JSON", len(raw))
    return raw


def _load(raw):
    def unique(pairs):
        _need(len(dict(pairs)) == len(pairs), "no name twice", [name for name, _ in pairs])
        return dict(pairs)

    try:
        value = _json(json.loads(raw.decode(), object_pairs_hook=unique))
    except RecursionError as error:
        raise ValueError("JSON of more than 32 levels") from error
    _need(isinstance(value, dict), "a JSON object", value)
    return value


def _new_header(data, metadata, signals):
    signals = signals or {}
    declared = []
    for name in [*signals, *(name for name in data if name not in signals)]:
        members = dict(signals.get(name, {}))
        if name in data:
            listed = isinstance(data[name], Counts)
            value = data[name] if listed else np.asarray(data[name])
            if listed or len(value.shape) == 2:
                members.setdefault("kind", "events" if listed else "image")
            hint = f"{name}: signals={{{name!r}: {{'kind': ...}}}} with 'events' (whole counts), 'spectra' or 'image'"
            _need("kind" in members, hint, f"an array of shape {value.shape} and no kind")
            dtype = "uint32" if listed else value.dtype.name
            counted = members["kind"] == "events" and dtype not in DTYPES["events"]
            members = {"shape": list(value.shape), "dtype": "uint32" if counted else dtype, **members}
        right = {"kind", "dtype"} <= set(members) and isinstance(members.get("shape"), (list, tuple))
        _need(right, f"{name}: kind, shape and dtype (this frame lacks it)", members)
        declared.append({"name": name, **_members(name, members, members["shape"])})
    _check_signals(declared)
    for signal in declared:
        coding = signal.setdefault("coding", CODINGS[signal["kind"]][1])
        _need(coding == CODINGS[signal["kind"]][1], f"{signal['name']}: no coding, or that of this writer", coding)
        if signal["kind"] == "image" and signal.get("role") in PER_SIGNAL[:5]:  # clause 5.1.10
            named = [
                other for other in declared if signal.get("of") in {other["name"], other.get("group", other["name"])}
            ]
            right = any(
                signal["shape"] == other["shape"][: -1 if other["kind"] != "image" else None] for other in named
            )
            _need(right, f"{signal['name']}: of a signal or group, and the shape of its pixels", signal)
    metadata = _json(metadata or {})
    for name in set(metadata) & set(METADATA):
        _need(_is(metadata[name], METADATA[name]), f"metadata {name}: {METADATA[name]}", metadata[name])
    _need(metadata.get("beam_energy", 1) > 0, "metadata beam_energy above 0, in eV", metadata.get("beam_energy"))
    symbols = metadata.get("elements", [])
    right = all(isinstance(symbol, str) and re.fullmatch("[A-Z][a-z]?", symbol) for symbol in symbols)
    _need(right, "metadata elements: a list of symbols", symbols)
    created = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    header = {"uuid": str(uuid.uuid4()), "created": created, "writer": {"name": "lbj_baseline", "version": "0.1"}}
    return _json({**header, "metadata": metadata, "signals": declared})


def _members(name, members, shape):
    """Members of a signal as they stand in the header: axes with their sizes, offset 0 where only a scale is given."""
    known = {"kind", "shape", "dtype", *OPTIONAL}
    wrong = [key for key in members if key not in known and not str(key).startswith("x-")]
    _need(not wrong, f"{name}: {', '.join(sorted(known))} or x-...", wrong)
    members = _json(members)
    axes = members.get("axes")
    if isinstance(axes, list) and all(isinstance(axis, dict) for axis in axes):
        for axis, size in zip(axes, shape):
            axis.setdefault("size", int(size))
            if "scale" in axis:
                axis.setdefault("offset", 0)
    return members


def _check_signals(signals):
    """ValueError unless the signals are those of clauses 5.1.5 to 5.1.7."""
    right = isinstance(signals, list) and 1 <= len(signals) <= 65535
    _need(right and all(isinstance(signal, dict) for signal in signals), "1 to 65,535 signals", signals)
    groups = {}
    for signal in signals:
        name, kind, shape = (signal.get(member) for member in ("name", "kind", "shape"))
        _need(_is_name(name), "a signal's name of 1 to 64 characters", name)
        _need(kind in list(DTYPES), f"{name}: kind of {', '.join(DTYPES)}", kind)
        _need(signal.get("dtype") in DTYPES[kind], f"{name}: dtype of {', '.join(DTYPES[kind])}", signal.get("dtype"))
        right = isinstance(shape, list) and all(_is(size, int) and 1 <= size <= MOST for size in shape)
        right = right and (1 if kind == "image" else 2) <= len(shape) <= 8 and volume(shape) < 2**43
        expected = f"{name}: {'1' if kind == 'image' else '2'} to 8 sizes, less than 2^32 pixels and 2^43 elements"
        _need(right and volume(shape if kind == "image" else shape[:-1]) <= MOST, expected, shape)
        for member in set(signal) & set(OPTIONAL):
            _need(_is(signal[member], OPTIONAL[member]), f"{name}: {member} as {OPTIONAL[member]}", signal[member])
        if "axes" in signal:
            right = len(signal["axes"]) == len(shape) and all(map(_is_axis, signal["axes"], shape))
            _need(right, f"{name}: for each size of {shape} an axis: name, values or scale and offset", signal["axes"])
        if "group" in signal:
            same = groups.setdefault(signal["group"], (kind, shape))
            right = _is_name(signal["group"]) and same == (kind, shape)
            _need(right, f"{name}: kind and shape of its group, {same}", (kind, shape))
        if "to_field" in signal:
            right = _is_numbers(signal["to_field"], 2, 3) and len(shape) >= (2 if kind == "image" else 3)
            _need(right, f"{name}: to_field of 2 x 3 numbers, for two navigation axes", signal["to_field"])
    names = [signal["name"] for signal in signals]
    _need(len(names) == len(set(names)) and not set(names) & set(groups), "a name for each signal and group", names)


def _is_axis(axis, size):
    right = isinstance(axis, dict) and isinstance(axis.get("name"), str) and axis.get("size") == size
    linear = {"scale", "offset"} & set(axis) if right else None
    right = right and isinstance(axis.get("units", ""), str) and len(linear) in {0, 2}
    right = right and all(_is_numbers(axis[member]) for member in linear)
    return right and ("values" not in axis or (not linear and _is_numbers(axis["values"], size)))


def _check_unchanged(header, metadata, signals):
    found = header.get("metadata", {})
    _need(metadata is None or _json(metadata) == found, f"the journal's metadata {found}", metadata)
    declared = {signal["name"]: signal for signal in header["signals"]}
    for name, members in (signals or {}).items():
        _need(name in declared, f"signals of the journal: {', '.join(declared)}", name)
        for member, value in _members(name, members, declared[name]["shape"]).items():
            has = declared[name].get(member)
            _need(value == has, f"{name}: {member} of the journal, {has}", value)


def _read(file, offset, size):
    file.seek(offset)
    return file.read(size)


def _walk(file):
    """Header, number of completed frames, and offset of the next frame; JournalError where none may be appended."""
    size = os.fstat(file.fileno()).st_size
    start = _read(file, 0, 8)
    if start != SIGNATURE:
        result = "truncated" if SIGNATURE.startswith(start) else "damaged"
        raise JournalError(result, 0, "it has no signature: another writer is just beginning it, or it is no journal")
    header, frames, fram, number, blocks, at = None, 0, None, None, 0, 8
    while at < size:
        head = _read(file, at, 24)
        if len(head) < 24 and (MARKER.startswith(head[:3]) or head[-1:] == b"\0"):
            break
        if head[:3] != MARKER or struct.pack("<I", zlib.crc32(head[:20])) != head[20:]:
            file.seek(at + 23)
            if len(head) == 24 and not any(any(part) for part in iter(lambda: file.read(2**20), b"")):
                break
            raise JournalError("damaged", at, "no valid record header is there")
        flags, kind, length, digest = struct.unpack("<B4sQI", head[3:20])
        if not kind.isalpha():
            raise JournalError("damaged", at, "the record's type is wrong")
        if kind[2:3].islower() or flags > 1:
            raise JournalError("unsupported", at, "the record uses reserved bits")
        if (digest and not flags) or length > 2**62:
            raise JournalError("damaged", at, "the record's header is wrong")
        end = at + 24 + length + -length % 8
        if end > size:
            break
        try:
            low, high = LENGTHS.get(kind, (0, 2**62))
            _need((header is None) == (kind == b"HEAD"), "HEAD once, as the first record", kind)
            _need(low <= length <= high, f"{kind} of {low} to {high} bytes", length)
            told = kind in {b"HEAD", b"FRAM", b"DONE"} or (kind == b"aMNd" and fram is None)
            payload = _read(file, at + 24, length) if told else b""
            right = not (told and flags) or zlib.crc32(payload) == digest
            _need(right or kind == b"FRAM", f"payload digest {digest} of {kind}", "another")
            if kind == b"HEAD":
                version = struct.unpack("<HH", payload[:4])
                if version > VERSION:
                    raise JournalError("unsupported", at, f"its version is {version}, this writer's {VERSION}")
                header = _load(payload[8:])
                _check_signals(header.get("signals"))
            elif kind == b"FRAM":
                number, fram, blocks = struct.unpack("<Q", payload[:8])[0] if right else None, at, 0
            elif kind == b"BLOK":
                _need(fram is not None, "FRAM before it", kind)
                blocks += 1
            elif kind == b"DONE":
                _need(fram is not None, "FRAM before it", kind)
                found = struct.unpack("<QI", payload[:12])
                number = found[0] if number is None else number  # FRAM is damaged: clause 9.1
                due = (STATIC if found[0] == STATIC else frames, blocks)
                _need(found == due and number == found[0], f"frame {number}, frame and blocks {due}", found)
                frames += number != STATIC
                fram = None
            elif told:
                _load(payload)
            elif kind[:1].isupper():
                raise JournalError("unsupported", at, f"its critical record {kind} is unknown")
        except ValueError as error:
            raise JournalError("damaged", at, str(error)) from error
        at = end
    if header is None:
        raise JournalError(
            "truncated", 8, "it ends inside its first record and holds no frame: if no other writer runs, delete it"
        )
    return header, frames, at if fram is None else fram
