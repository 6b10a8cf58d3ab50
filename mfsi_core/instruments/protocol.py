"""Protocol: what an instrument must offer: abilities, survey, prepare, acquire, blank, close."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError

Pair = tuple[float, float]


@dataclass(frozen=True)
class Abilities:
    """What an instrument can do; the recorder asks for nothing else.

    Attributes
    ----------
    title : str
        For people.
    signals : list of str
        Names of the signals that it can record; empty where only a frame tells.
    usual : list of str
        Those that it records where none are named.
    holds : dict of str to (str, int)
        By signal: its kind and channels (1 of an image), by which the journal's size is estimated before the first
        frame; without, it is told from the first frame on.
    survey : bool
        Takes pictures of the surroundings, on which a region is drawn.
    exposes : bool
        Scans when asked to, what `Exposure` says. Otherwise frames come from elsewhere, when they come: the recorder
        waits for them without end, and what was exposed stands in the frames themselves.
    energy : bool
        Shifts the energy axis between frames (drift tube).
    blank : bool
        Blanks the beam.
    """

    title: str
    signals: list[str] = field(default_factory=list)
    usual: list[str] = field(default_factory=list)
    holds: dict[str, tuple[str, int]] = field(default_factory=dict)
    survey: bool = False
    exposes: bool = True
    energy: bool = False
    blank: bool = False


def checked_abilities(found: Any) -> Abilities:
    """Return what an instrument said that it can do.

    Raises
    ------
    UsageError
        If that are no `Abilities`.
    """
    if not isinstance(found, Abilities):
        raise UsageError(f"the instrument's abilities() must return Abilities, got {type(found).__name__}")
    return found


class Picture(NamedTuple):
    """Picture of the surroundings.

    Attributes
    ----------
    image : (Y, X) array
        Real numbers.
    pixel : float
        Edge of a pixel, m.
    corner : (float, float)
        Where the outer corner of its first pixel lies (y, x), m, in the instrument's own coordinates, in which regions
        are placed too.
    """

    image: NDArray[Any]
    pixel: float
    corner: Pair = (0.0, 0.0)


def checked_picture(found: Any) -> Picture:
    """Return what an instrument handed out for a picture.

    Raises
    ------
    UsageError
        If it is none.
    """
    try:
        image, pixel = np.asarray(found.image), float(found.pixel)
        corner = float(found.corner[0]), float(found.corner[1])
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise UsageError(f"the survey must be a picture, got {type(found).__name__}: {error}") from error
    if image.ndim != 2 or 0 in image.shape or image.dtype.kind not in "iuf" or not 0 < pixel < math.inf:
        raise UsageError(
            f"the survey must be an image of real numbers with the edge of its pixels, got {image.dtype} {image.shape} "
            f"of {pixel:g} m"
        )
    return Picture(image, pixel, corner)


@dataclass(frozen=True)
class Exposure:
    """What one frame of a region shall be.

    Attributes
    ----------
    pixels : (int, int)
        Rows and columns.
    pixel : float
        Edge of a pixel, m.
    corner : (float, float)
        Outer corner of the first pixel (y, x), m, in the coordinates of `Picture`.
    dwell : float
        s.
    flyback : float
        s after every line.
    current : float
        Of the beam, A.
    signals : list of str
        To be recorded; empty: all.
    """

    pixels: tuple[int, int]
    pixel: float
    corner: Pair
    dwell: float
    flyback: float
    current: float
    signals: list[str]


@dataclass(frozen=True)
class Request:
    """One frame that is asked for.

    Attributes
    ----------
    number : int
        It will have in the journal.
    energy_shift : float
        eV to be added to the nominal energy axis.
    stop : threading.Event
        Set when the frame is no longer wanted: then return None as soon as that goes without harm.
    tell : function
        Takes a sentence that the user should know while no frame comes.
    """

    number: int
    energy_shift: float
    stop: threading.Event
    tell: Callable[[str], None] = print


class Frame(NamedTuple):
    """One frame, as it was recorded.

    Attributes
    ----------
    data : dict
        Events or array by name of the signal, as `lbj.Writer.append` takes them.
    attributes : dict
        What is known of it: ``live_time``, ``dwell_time``, ``beam_current``, ``energy_shift``, …; the recorder adds
        what it knows itself.
    serial : int or None
        The instrument's own count of frames, by which repeated and skipped ones are told; None: it has none.
    notes : list of str
        What the user should know of it.
    """

    data: dict[str, Any]
    attributes: dict[str, Any]
    serial: int | None = None
    notes: list[str] = []  # noqa: RUF012 never changed


class Changed(UsageError):  # noqa: N818 no error, but news
    """The next frames are of another shape or other signals than those before: they belong to a new region."""


class Instrument(Protocol):
    """Records frames. Methods are called one at a time, all from one thread; whatever they raise is told to the user.

    An instrument may raise, hang, or hand out nonsense: the recorder loses no completed frame by it.
    """

    def abilities(self) -> Abilities:
        """Return what it can do."""
        ...

    def survey(self) -> Picture:
        """Take a picture of the surroundings; only where `Abilities.survey`."""
        ...

    def prepare(
        self, exposure: Exposure | None, stop: threading.Event
    ) -> tuple[list[Signal], dict[str, Any]] | None:  # fmt: skip
        """Set up for the frames of a region; return the signals that they hold, and metadata for the journal.

        `exposure` is None where the instrument does not expose: it may then wait for the first frame, and return None
        when `stop` is set. Nothing is exposed yet.
        """
        ...

    def acquire(self, request: Request) -> Frame | None:
        """Return the next frame; None if `Request.stop` was set before there was one, or no more will come."""
        ...

    def blank(self) -> None:
        """Take the beam off the specimen; only where `Abilities.blank`."""
        ...

    def close(self) -> None:
        """Let the instrument go; called once."""
        ...
