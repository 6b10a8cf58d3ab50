"""Source: what every importer returns: signals, frames, metadata and notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..signal import Signal

Frame = tuple[Mapping[str, Any], dict[str, Any]]


@dataclass
class Source:
    """One series, read from a vendor's files, frame by frame.

    Attributes
    ----------
    signals : list of Signal
        In the order in which they shall stand in the header.
    frames : iterator of (data, attributes)
        ``data`` maps a signal's name to Events or an array; ``attributes`` are keyword arguments of
        ``Writer.append`` (``live_time``, ``dwell_time``, ``beam_current``, …). Lazy: one frame in memory at a time.
    n_frames : int or None
        Number of frames where the source tells it beforehand; for progress.
    static : mapping of name to array
        Data of the static signals.
    metadata : dict
        ``beam_energy`` (eV), ``elements`` (list of symbols), ``magnification``, … Only what the source states.
    notes : list of str
        What was dropped or changed, for the journal's record of its source.
    """

    signals: list[Signal]
    frames: Iterator[Frame]
    n_frames: int | None = None
    static: Mapping[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
