"""Recover (`lbj recover`): every completed frame of a damaged journal is copied into a new one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from .. import codings
from ..errors import DamagedError, LbjError, UsageError
from ..format import amendments, displacements, layout
from ..format.blocks import MAX_BYTES
from ..format.contents import Header, parse_head, read_header
from ..format.records import Bytes, Record, parse_json
from ..outputs import new_journal
from ..signal import DEFAULT_CODING
from ..writer import Writer, begin
from . import groups
from .digests import SalvagedBytes
from .salvage import Fault, Piece, pieces, walk

MOST_NAMED = 1000  # losses that the new journal names one by one
# Within frames all readers ignore these (clause 5.2.1).
IGNORED = {layout.AMND, layout.PERS, layout.DISP, layout.INDX, layout.FOOT, layout.CONT, layout.COPY}
SMALLEST = 2 * layout.RECORD_SIZE + layout.FRAM_SIZE + layout.DONE_SIZE  # bytes of a frame


class Recovered(NamedTuple):
    """What was recovered.

    Attributes
    ----------
    kept : list of int
        Old numbers of the frames written, in their order.
    lost : list of int
        Numbers of frames that the file shows to have existed and that were not written.
    losses : int
        Number of losses of any kind that were reported.
    """

    kept: list[int]
    lost: list[int]
    losses: int


def recover(
    file: BinaryIO,
    out: str | os.PathLike | BinaryIO,
    report: Callable[[str], None],
    max_bytes: int = MAX_BYTES,
) -> Recovered:
    """Write every completed frame of `file`, in order, into the new journal `out`.

    Frames are numbered anew without gaps; each keeps its old number as ``metadata["original_frame"]`` where numbers
    shift. `report` is called with a line for everything that is lost. A frame with a dense array of more than
    `max_bytes` is lost.

    Raises
    ------
    DamagedError
        If neither HEAD nor a copy of it can be read: without the declarations nothing can be decoded.
    """
    source = SalvagedBytes(file)
    size = source.size()
    losses: list[str] = []

    def lose(line: str) -> None:
        losses.append(line)
        report(line)

    header = _header(source, size, lose)
    for signal in header.signals:
        if not codings.writable(signal.coding, signal.kind):
            signal.coding = DEFAULT_CODING[signal.kind]
    before = header.json.get("source")
    described = {"source": dict(before) if isinstance(before, dict) else {}}  # as amendments leave it
    old = {"uuid": header.json.get("uuid")}
    origin = {**described["source"], **old}
    metadata = header.json.get("metadata", {})
    place = new_journal(out) if isinstance(out, (str, os.PathLike)) else contextlib.nullcontext(out)
    with (
        place as part,
        begin(part, header.signals, metadata, source=origin, sync=False) as writer,
    ):
        kept: list[int | None] = []
        seen: set[int] = set()
        named: set[int | None] = set()
        completed = 0
        displaced: list[Record] = []
        for item in pieces(source, _skipping(walk(source, 8, size))):
            if isinstance(item, Fault):
                lose(f"bytes {item.offset} to {item.end}: {item.error}")
            elif isinstance(item, Record) and item.type == layout.DISP:
                displaced.append(item)
            elif isinstance(item, Record):
                _outside(source, item, header, writer, described, lose)
            else:
                numbers = {number for number in item.declared if number < size // SMALLEST}
                seen |= numbers
                completed = max(completed, item.completed if item.completed in numbers else 0)
                if item.static and not item.abandoned:
                    _statics(source, header, item, writer, lose, max_bytes)
                elif not item.abandoned:
                    saved = _frame(source, header, item, writer, lose, max_bytes)
                    (kept.append if saved else named.add)(item.number)
                _others(item, lose)
        lost = sorted(seen.union(range(completed)).difference(kept))
        for number in lost:
            if number not in named:
                lose(f"frame {number}: missing")
        same = next((new for new, old in enumerate(kept) if new != old), len(kept))
        for record in displaced:
            _displacement(source, record, header, writer, same, lose)
        if losses or writer.amendments:
            _name(writer, old, described["source"].get("notes"), losses)
        return Recovered([number for number in kept if number is not None], lost, len(losses))


def _statics(
    source: Bytes, header: Header, piece: Piece, writer: Writer, lose: Callable[[str], None], max_bytes: int
) -> None:
    """Keep the static signals that are whole, each by itself."""
    found = groups.decode(source, piece, header.signals, max_bytes, keep=True)
    for fault in found.faults:
        lose(f"{piece}: {fault}")
    for name, value in found.data.items():
        writer.put_static(name, value)


def _frame(
    source: Bytes, header: Header, piece: Piece, writer: Writer, lose: Callable[[str], None], max_bytes: int
) -> bool:
    """Append the frame if it is whole; returns whether it is."""
    found = groups.decode(source, piece, header.signals, max_bytes, keep=True)
    attributes = found.attributes
    if found.faults:
        lose(f"{piece}: {found.faults[0]}")
    else:
        if piece.number != len(writer):
            extra = attributes.get("metadata")
            extra = {**(extra if isinstance(extra, dict) else {}), "original_frame": piece.number}
            attributes = {**attributes, "metadata": extra}
        writer.put_frame(len(writer), found.data, attributes, static=False)
    return not found.faults


def _others(piece: Piece, lose: Callable[[str], None]) -> None:
    """Name the records of unknown types within a frame, which are left out."""
    for record in [] if piece.abandoned else piece.others:
        if record.type not in IGNORED:
            lose(f"record {record.type.decode()} at byte {record.offset}: in {piece}, left out")


def _skipping(items: Iterator[Record | Fault]) -> Iterator[Record | Fault]:
    """All but HEAD in its place, and its copies."""
    for item in items:
        own = isinstance(item, Record) and (item.type == layout.COPY or (item.type == layout.HEAD and item.offset == 8))
        if not own:
            yield item


def _name(writer: Writer, old: dict[str, Any], told: Any, losses: list[str]) -> None:
    """Name the old journal and the losses, after the notes that it had, in the last amendment."""
    named = losses[:MOST_NAMED] + [f"and {len(losses) - MOST_NAMED} more losses"] * (len(losses) > MOST_NAMED)
    notes = told if isinstance(told, list) else []
    try:
        writer.amend({"source": {**old, "notes": [*notes, *named]}})
    except UsageError:  # together they are more than a record takes
        writer.amend({"source": {**old, "notes": [f"{len(notes)} notes were left out", *named]}})


def _outside(
    source: Bytes, record: Record, header: Header, writer: Writer, described: Any, lose: Callable[[str], None]
) -> None:
    """Keep an amendment or personal data; index, footer and content digest are made anew; others are left out."""
    try:
        if record.type == layout.AMND:
            patch = amendments.read(source, record)
            if "signals" in patch:
                names = {signal.name for signal in header.signals}
                patch["signals"] = {name: change for name, change in patch["signals"].items() if name in names}
            if writer.amendments == amendments.MOST - 1:
                raise DamagedError("the last amendment that a journal may have names the losses", clause="7.1.3")
            writer.amend(patch)
            amendments.merge(described, {"source": patch.get("source", {})})
        elif record.type == layout.PERS:
            writer.put_personal(parse_json(source.payload(record), record))
        elif record.type not in (layout.INDX, layout.FOOT, layout.CONT):
            lose(f"record {record.type.decode()} at byte {record.offset}: not understood, left out")
    except LbjError as error:
        lose(f"record {record.type.decode()}: {error}")


def _displacement(
    source: Bytes, record: Record, header: Header, writer: Writer, same: int, lose: Callable[[str], None]
) -> None:
    """Keep displacements of the first `same` frames, which have their old numbers."""
    try:
        payload = source.payload(record)
        displacements.parse(payload, record, header.signals, same)
        writer.put_record(layout.DISP, payload)
    except LbjError as error:
        lose(f"displacements: {error}")


def _header(source: Bytes, size: int, lose: Callable[[str], None]) -> Header:
    try:
        return read_header(source)
    except DamagedError as error:
        broken = error
    for item in walk(source, 8, size):
        if not isinstance(item, Record) or item.type not in (layout.COPY, layout.HEAD):
            continue
        try:
            header = parse_head(source, item)
        except LbjError:
            continue
        lose(f"signature or HEAD: {broken.reason}; the copy at byte {item.offset} was used")
        return header
    raise type(broken)(
        f"{broken.reason}; no copy of HEAD follows, and no frame can be read without it: use another copy of the file",
        offset=broken.offset,
        clause=broken.clause,
    ) from broken
