"""Session: `mfsi_core.Session`: frames are pushed into the journal while the microscope runs, and analysed."""

from __future__ import annotations

import copy
import os
from types import TracebackType
from typing import Any

import lbj
from lbj import Signal, UsageError
from lbj.signal_names import Signals

from ..geometry.registration import Registration
from ..maps.map import Map
from .options import Choice, choose
from .status import State
from .tracking import Following

GROWN = 1.125  # times more frames, after which `status` looks at all of them anew


class Session:
    """Records a series and follows it; use it as a context manager.

    Parameters
    ----------
    path : path
        The journal. With `signals` it is begun and must not exist; without, it is continued.
    signals : list of Signal, optional
        As for `lbj.create`.
    metadata : dict, optional
        As for `lbj.create`; only for a journal that is begun.
    elements : list of str, optional
        Symbols of the elements to map. Default: those the metadata name; where they name none and no windows are
        given, the strongest peaks of the sum spectrum, as `run` does.
    windows : dict of str to dict, optional
        Further maps by name: X-rays ``{"window": (low, high)}``, if wanted with ``"background": ((low, high), (low,
        high))``, mapped by `line_map`; edges ``{"window": (low, high), "fit_window": (low, high)}``, by `edge_map`.
    image, signal : str, optional
        Image to register and spectra to map. Default: HAADF or the first image, without images the X-ray counts;
        EDX or the first of its kind.
    sync : bool
        As for `lbj.create`: False survives the death of the process but not a loss of power.

    Attributes
    ----------
    path : str
        Of the journal.
    journal : lbj.Journal
        The frames pushed so far, to be read; ``accumulate(session.journal, session.registration)`` sums them.
    writer : lbj.Writer
        For what belongs to no frame: static signals and amendments.

    Raises
    ------
    UsageError
        If a signal, image, element or window is not what it should be, the journal exists (or, to be continued, does
        not), or another process writes it. Nothing was written then.

    Notes
    -----
    `push` only stores the frame and hands its image to the registration. Maps, ratios and components are computed
    when `status`, `maps` or `registration` are asked for, over all frames so far, and kept until the next push. They
    equal what `run` makes of the journal. `status` does so when there are an eighth more frames than the last time: its
    cost a frame is the same on average, however long the series. Whatever fails in the analysis is reported by `status`
    in the notes; it never costs a frame.

    Examples
    --------
    >>> with mfsi_core.Session("series.lbj", signals, elements=["Ti"]) as session:  # doctest: +SKIP
    ...     for data, attributes in microscope:
    ...         session.push(data, **attributes)
    ...         if (session.status()["maps"]["Ti_Ka"] or 0) > 10:
    ...             break
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        signals: list[Signal] | None = None,
        metadata: dict[str, Any] | None = None,
        *,
        elements: list[str] | None = None,
        windows: dict[str, dict[str, Any]] | None = None,
        image: str | None = None,
        signal: str | None = None,
        sync: bool = True,
    ) -> None:
        wanted: dict[str, Any] = {"elements": elements, "windows": windows, "image": image, "signal": signal}
        if signals is None:
            choice = _continued(path, metadata, wanted)
            self.writer = lbj.append(path, sync=sync)
        else:
            signals = list(signals)
            choice = choose(Signals({item.name: item for item in signals}), metadata or {}, **wanted)
            self.writer = lbj.create(path, signals, metadata, sync=sync)
        try:
            self.journal = lbj.open(path)
        except BaseException:
            self.writer.close()
            raise
        self._open = True
        self.path = os.path.abspath(path)
        self._following = Following(self.journal, choice)
        self._told: State | None = None  # whose findings `status` tells
        self._take_up()

    def _take_up(self) -> None:
        self._following.catch_up()
        self._state = State(self._following)

    def __len__(self) -> int:
        """Return the number of frames in the journal."""
        return len(self.writer)

    def push(self, data: dict[str, Any], **attributes: Any) -> int:
        """Store one frame; on return it is completed and durable.

        Parameters
        ----------
        data, **attributes
            As for `lbj.Writer.append`.

        Returns
        -------
        int
            The frame's number.

        Raises
        ------
        UsageError
            If a signal is unknown or its data do not fit the declaration, or the session is closed; nothing was stored.
        StorageError
            If the disk refused; the journal holds all frames completed before and takes further ones.
        """
        self._check_open()
        number = self.writer.append(data, **attributes)
        self._take_up()
        return number

    @property
    def registration(self) -> Registration:
        """Displacements by which the maps are summed; none where no images can be registered, which `status` notes."""
        self._check_open()
        if not len(self):
            raise UsageError("push a frame first; there is nothing to register")
        return self._state.registration

    @property
    def maps(self) -> dict[str, Map]:
        """Maps of all frames so far, by line, edge or the name of their window."""
        self._check_open()
        return self._state.maps if len(self) else {}

    def status(self) -> dict[str, Any]:
        """What is known so far, as plain JSON values; None stands for what is not known.

        Returns
        -------
        dict
            * ``frames``: in the journal; ``counts``: X-rays in all of them, None for other spectra;
            * ``dose_per_frame`` (of the last frame), ``total_dose``: e/Å², by current, dwell time and pixel size;
            * ``drift``: ``shift_px`` and ``shift_nm``, (y, x), how far ``frame``, the last one registered, sampled from
              where the first one of its region did; ``rate_px`` and ``rate_nm``, the slope of a straight line through
              the shifts of that region, per frame;
            * ``predicted_error_px``: of the registration, rms;
            * ``left_out``: frames that could not be registered and are not summed;
            * ``flagged``: ``frame`` and ``reason``, which is ``blank``, ``not finite``, ``saturated``, ``no image``,
              ``no spectra`` or ``not analysed``;
            * ``maps``: signal-to-noise ratio of each map, from two half-series (`map_snr`);
            * ``components``: significant ones of the X-ray counts, by count splitting (`scree`);
            * ``journal_bytes``; ``notes``: what else there is to know, and what failed;
            * ``analysed``: of how many frames ``drift``, ``predicted_error_px``, ``left_out``, ``maps`` and
              ``components`` are; at least eight ninths of all.
        """
        self._check_open()
        if self._told is None or len(self._state.frames) >= GROWN * len(self._told.frames):
            self._told = self._state
        counted, found = self._state.counted(), copy.deepcopy(self._told.found)
        return {**counted, **found, "notes": [*counted["notes"], *found["notes"]], "frames": len(self)}

    def close(self) -> None:
        """Close the journal."""
        self._open = False
        try:
            self.journal.close()
        finally:
            self.writer.close()

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("the session is closed; Session(path) continues the journal, lbj.open(path) reads it")

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        try:
            self.journal.close()
        finally:
            self.writer.__exit__(kind, error, trace)


def _continued(path: Any, metadata: dict[str, Any] | None, wanted: dict[str, Any]) -> Choice:
    if metadata is not None:
        raise UsageError("metadata belong to a journal that is begun; to change those of an older one use writer.amend")
    if not os.path.exists(path):
        raise UsageError(f"there is no journal {os.fspath(path)!r} to continue; give the signals to begin one")
    with lbj.open(path) as journal:
        return choose(journal.signals, journal.metadata, **wanted)
