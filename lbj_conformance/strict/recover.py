"""The recoverer: clauses 9.4 to 9.7, and the last column of clause 9.1."""

from __future__ import annotations

import sys
import uuid
from typing import Any

from . import blocks, codings, json_text, layouts
from .amend import MOST_AMENDMENTS, amended, read_amendment
from .errors import LIMIT, Refused, damaged, unsupported
from .frames import Frame, Pending
from .header import HEAD_OFFSET, Signal, check_signals
from .records import Record, Source, check_fields, read_payload
from .scan import find_head, scan
from .write import Writer

MOST_BYTES = 256 * 2**20
MOST_NOTES = 1000
PERSONAL = b"pERs"
SMALLEST_FRAME = 88
"""Bytes of FRAM and DONE together: what every completed frame takes at least."""


def check_decodable(group: list[blocks.Block], signals: list[Signal]) -> None:
    """Decode the blocks of one signal, one at a time; refuse what cannot be."""
    signal = signals[group[0].signal]
    windows = blocks.check(group, signal)
    if signal.kind != "events" and signal.elements * signal.little.itemsize > MOST_BYTES:
        raise Refused(LIMIT, group[0].offset, "11.1", "an array beyond the limit")
    for block, window in zip(group, windows, strict=True):
        shape, data = blocks.shape_of(window), blocks.data_of(block, signal)
        if signal.kind == "events":
            codings.decode_events(block.coding, data, signal, shape, block.voxels, block.events, block.offset)
        else:
            codings.decode_dense(block.coding, data, signal, shape, block.offset)


class Recoverer:
    """Walks over a damaged journal and writes what is whole."""

    def __init__(self, source: Source, writer: Writer) -> None:
        self._source, self._writer = source, writer
        head, wrong = find_head(source)
        self._signals = head.signals
        self._header = dict(head.header)
        self._pending: Pending | None = None
        self._inside: bool | None = False
        """Whether the next record stands in a frame; None after bytes that were lost."""
        self._waiting: list[Record] = []
        self._amendments = 0
        self._next = 0  # number that the next frame has at least
        self.kept: list[int] = []
        self._found: set[int] = set()
        self._notes = [f"recovered from the journal {self._header.get('uuid')}"]
        self._unnamed = 0
        if wrong is not None:
            self._note(wrong)
        self._header["uuid"] = str(uuid.uuid4())
        self._header["source"] = self._sourced()
        writer.head(json_text.dump(self._header, HEAD_OFFSET))

    @property
    def lost(self) -> list[int]:
        """Numbers of frames that the file shows to have existed and that are not kept."""
        return sorted((self._found | set(range(self._next))) - set(self.kept))

    def run(self) -> None:
        """Walk over the file; end with an amendment that names the losses."""
        for found in scan(self._source):
            if isinstance(found, Refused):
                self._lose(found)
                self._inside = None
            elif found.offset == HEAD_OFFSET and found.type == layouts.HEAD:
                continue
            else:
                self._take(found)
        self._copy_waiting()
        if self._pending is not None:
            self._lose(damaged(self._pending.offset, "4.4.1", "the file ends inside a frame"))
        if len(self._notes) > 1 or self._header.get("source") != self._sourced():
            self._writer.record(layouts.AMND, json_text.dump({"source": self._sourced()}, HEAD_OFFSET))

    def _sourced(self) -> dict[str, Any]:
        """Return the member `source` with our notes at the end."""
        source = self._header.get("source")
        result = dict(source) if isinstance(source, dict) else {}
        notes = result.get("notes")
        old = [note for note in notes if note not in self._notes] if isinstance(notes, list) else []
        more = [f"and {self._unnamed} more losses"] if self._unnamed else []
        return result | {"notes": old + self._notes + more}

    def _note(self, refused: Refused) -> None:
        if len(self._notes) < MOST_NOTES:
            self._notes.append(f"lost: {refused}")
        else:
            self._unnamed += 1

    def _lose(self, refused: Refused) -> None:
        """Note a loss; a frame in the midst of which it is is lost with it."""
        self._note(refused)
        self._pending = None

    def _take(self, record: Record) -> None:
        try:
            check_fields(record)
        except Refused as refused:
            self._lose(refused)
            return
        try:
            if record.type == layouts.FRAM:
                self._copy_waiting()
                self._inside = True
                self._begin(record)
            elif record.type == layouts.BLOK:
                self._waiting.clear()
                self._inside = True
                self._block(record)
            elif record.type == layouts.DONE:
                self._waiting.clear()
                self._inside = False
                self._done(record)
            elif record.type == layouts.HEAD:
                raise damaged(record.offset, "5.1.1", "a later HEAD")
            elif record.critical:
                raise unsupported(record.offset, "4.3.2", f"unknown critical record {record.name}")
            elif not self._inside and record.type in {layouts.AMND, PERSONAL}:
                self._waiting.append(record)
                if self._inside is False:
                    self._copy_waiting()
        except Refused as refused:
            if record.critical:
                self._lose(refused)
            else:
                self._note(refused)

    def _copy_waiting(self) -> None:
        """Keep the descriptions that waited: they stand outside of frames (clause 9.6)."""
        waiting, self._waiting = self._waiting, []
        for record in waiting:
            try:
                self._copy(record)
            except Refused as refused:
                self._note(refused)

    def _begin(self, record: Record) -> None:
        if self._pending is not None:
            self._lose(damaged(self._pending.offset, "5.2.1", "a frame that was abandoned"))
        self._pending = Pending(self._source, record)
        self._find(self._pending.number)

    def _stated(self, record: Record) -> int | None:
        """Return the frame number at the beginning of a payload that is whole."""
        payload, intact = read_payload(self._source, record, 8)
        return int.from_bytes(payload, "little") if intact and len(payload) == 8 else None

    def _find(self, number: int | None) -> int | None:
        """Take note of a frame that existed; a number that no file of this size can hold is none."""
        if number is None or number >= self._source.size // SMALLEST_FRAME:
            return None
        self._found.add(number)
        return number

    def _block(self, record: Record) -> None:
        self._find(self._stated(record))
        if self._pending is None:
            raise damaged(record.offset, "5.3.1", "BLOK outside of a frame that is whole")
        self._pending.add(self._source, record)

    def _done(self, record: Record) -> None:
        number = self._find(self._stated(record))
        if number is not None:
            self._next = max(self._next, number + 1)
        if self._pending is None:
            raise damaged(record.offset, "5.4.2", "DONE outside of a frame that is whole")
        frame = self._pending.complete(self._source, record, self._signals)
        self._pending = None
        if frame.static:
            self._statics(frame)
            return
        if frame.error is not None:
            raise frame.error
        for group in frame.blocks.values():
            check_decodable(group, self._signals)
        found = sorted((block for group in frame.blocks.values() for block in group), key=lambda block: block.offset)
        self._writer.frame([block.payload for block in found], self._attributes(frame, record.offset))
        self.kept.append(frame.number)

    def _statics(self, frame: Frame) -> None:
        """Keep the static signals that are whole, each by itself."""
        if frame.error is not None:
            self._note(frame.error)
            if frame.error.offset == frame.offset:  # FRAM is wrong
                return
        for group in frame.blocks.values():
            try:
                check_decodable(group, self._signals)
            except Refused as refused:
                self._note(refused)
            else:
                self._writer.static([block.payload for block in group])

    def _attributes(self, frame: Frame, offset: int) -> bytes:
        """Return the JSON of DONE, with the old number where it differs."""
        if frame.number == len(self.kept):
            return frame.json
        metadata = frame.attributes.get("metadata")
        metadata = dict(metadata) if isinstance(metadata, dict) else {}
        metadata["original_frame"] = frame.number
        return json_text.dump(frame.attributes | {"metadata": metadata}, offset)

    def _copy(self, record: Record) -> None:
        """Keep an amendment or personal data that are whole."""
        payload, intact = read_payload(self._source, record, json_text.MOST_BYTES + 1)
        if not intact:
            raise damaged(record.offset, "4.2.5", f"wrong payload digest of {record.name}")
        if record.type == PERSONAL:
            json_text.load(payload, record.offset)
        else:
            if self._amendments >= MOST_AMENDMENTS - 1:  # the last one is ours
                raise damaged(record.offset, "7.1.3", "too many amendments")
            header = amended(self._header, read_amendment(payload, record.offset))
            check_signals(header, record.offset)
            self._header = header
            self._amendments += 1
        self._writer.record(record.type, payload)


def recover(path: str, out: str) -> dict[str, Any]:
    """Answer the call `recover`: save what is whole in the journal at `path` into a new one."""
    try:
        with open(path, "rb") as file:
            source = Source(file)
            find_head(source)  # nothing is written where nothing can be decoded
            with Writer(out) as writer:
                recoverer = Recoverer(source, writer)
                recoverer.run()
    except Refused as refused:
        print(refused, file=sys.stderr)
        return {"result": refused.kind, "offset": refused.offset}
    return {"result": "ok", "kept": recoverer.kept, "lost": recoverer.lost}
