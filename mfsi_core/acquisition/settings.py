"""Settings: the controls of an acquisition (field, pixel, dwell, current, …), checked before anything is exposed."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields, replace
from dataclasses import field as new
from functools import cached_property
from typing import Any

from lbj import Signal, UsageError, codings
from lbj.format.plausible import implausible
from lbj.signal import finite

from ..instruments.protocol import Exposure
from ..planning import Plan, plan, quantity
from ..tables.edges import edge_table
from ..tables.lines import check_symbols, lines_of, symbols

UNCOMPRESSED = {"events": "leb128", "spectra": "raw", "image": "raw"}
QUANTITIES = {
    "pixel": "length", "current": "current", "dwell": "time", "flyback": "time", "write_overhead": "time",
    "comm_overhead": "time", "max_time": "time", "time_out": "time",
}  # fmt: skip
MAY_BE_ZERO = ("flyback", "write_overhead", "comm_overhead")
HOOKS = ("blank", "command:", "python:")
MOST_FRAMES = 10**6

Pair = tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """The controls; numbers are in SI units unless said. Text with a unit, as ``"17pA"``, is taken for them too.

    Attributes
    ----------
    signals : list of str
        1: what is recorded; empty: the instrument's usual signals.
    compression : dict of str to bool or str
        1: by signal: False stores it uncompressed, True as it is usual, text names a coding.
    write_overhead : float
        1: s lost after every frame for writing.
    title : str
        2: of the region.
    corner, field : (float, float)
        3: outer corner of the region and its size (y, x), m, in the coordinates of the survey.
    pixel : float
        4: edge of a pixel wanted, m. It decides how many there are; the region grows to whole ones.
    current : float
        5: of the probe, A.
    comm_overhead : float
        5: s lost after every frame for communication.
    dwell, flyback : float
        6: s a pixel; s lost after every line.
    frames : int
        7: how many are recorded each time that one says *acquire*.
    energy_steps : list of float
        8: eV by which the energy axis is shifted, frame after frame, from the first again at the end.
    on_completion, on_failure : list of str
        9: what is done then, in turn: ``blank``, ``command: …`` or ``python: module:function`` (see `completion`).
    max_dose : float, optional
        e/Å² of the region, all its frames together, which is not exceeded.
    max_time : float, optional
        s, from the first frame of an *acquire* on.
    snr : dict of str to float
        Ends when every map named has that signal-to-noise ratio.
    max_error : float, optional
        Ends when the registration's predicted error is below, px rms.
    components : int, optional
        Ends when so many are significant.
    elements : list of str
        To be mapped; empty: those that the instrument names.
    image : str
        To register; empty: HAADF or the first.
    time_out : float, optional
        s after which an instrument that does not answer is given up; default: thrice the time of a frame and 30 s more.

    Raises
    ------
    UsageError
        Naming the control that is not what it should be.
    """

    signals: list[str] = new(default_factory=list)
    compression: dict[str, bool | str] = new(default_factory=dict)
    write_overhead: float = 0.0
    title: str = ""
    corner: Pair = (0.0, 0.0)
    field: Pair = (11.1e-9, 11.1e-9)
    pixel: float = 0.0555e-9
    current: float = 17e-12
    comm_overhead: float = 0.0
    dwell: float = 1e-3
    flyback: float = 0.0
    frames: int = 10
    energy_steps: list[float] = new(default_factory=list)
    on_completion: list[str] = new(default_factory=list)
    on_failure: list[str] = new(default_factory=list)
    max_dose: float | None = None
    max_time: float | None = None
    snr: dict[str, float] = new(default_factory=dict)
    max_error: float | None = None
    components: int | None = None
    elements: list[str] = new(default_factory=list)
    image: str = ""
    time_out: float | None = None

    def __post_init__(self) -> None:
        for name, kind in QUANTITIES.items():
            value = getattr(self, name)
            if value is not None:
                self._set(name, quantity(_number(value, name), kind, name, zero=name in MAY_BE_ZERO))
        for name, attribute in (("current", "beam_current"), ("dwell", "dwell_time")):
            if wrong := implausible(attribute, getattr(self, name)):  # most likely a wrong unit
                raise UsageError(f"{name}: {wrong}")
        for name in ("corner", "field"):
            self._set(name, _lengths(getattr(self, name), name))
        for name in ("signals", "on_completion", "on_failure", "elements"):
            self._set(name, _list(getattr(self, name), name, str, "text"))
        check_symbols(self.elements)
        self._check_maps()
        self._set("energy_steps", [finite("energy_steps", v) for v in _list(self.energy_steps, "energy_steps")])
        for name in ("title", "image"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{name} takes text, got {getattr(self, name)!r}")
        for name, most in (("frames", MOST_FRAMES), ("components", 1000)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or not 1 <= value <= most):
                raise UsageError(f"{name} takes a whole number from 1 to {most}, got {value!r}")
        for name in ("max_dose", "max_error"):
            value = getattr(self, name)
            if value is not None and not finite(name, value) > 0:
                raise UsageError(f"{name} must be above zero, got {value!r}")
        for name in ("compression", "snr"):
            value = getattr(self, name)
            if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
                raise UsageError(f"{name} takes values by name, got {value!r}")
        for name, value in self.compression.items():
            if not isinstance(value, (bool, str)):
                raise UsageError(f"compression of {name!r} takes true, false or a coding, got {value!r}")
        self._set("snr", {name: finite(f"snr of {name}", value) for name, value in self.snr.items()})
        for hook in (*self.on_completion, *self.on_failure):
            if not hook.startswith(HOOKS):
                raise UsageError(f"what is done at the end begins with one of {', '.join(HOOKS)}, got {hook!r}")

    def _check_maps(self) -> None:
        """Make sure that the maps, on whose ratios a series waits, can be: a series would never end by them."""
        for name in self.snr if isinstance(self.snr, dict) else ():
            element = str(name).split("_")[0]
            if re.fullmatch(r"\d+\.\d\dkeV", str(name)) and not self.elements:
                continue  # a peak that is found
            if element not in symbols() or name not in map_names(element):
                known = f"; of {element} {', '.join(map_names(element))}" if element in symbols() else ", as Ti_Ka"
                raise UsageError(f"snr: there is no map {name!r}; maps are named by line or edge{known}")
            if self.elements and element not in self.elements:
                raise UsageError(f"snr: {name} will not be mapped, the elements are {', '.join(self.elements)}")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def changed(self, changes: dict[str, Any]) -> Settings:
        """Return settings with some controls changed.

        Raises
        ------
        UsageError
            Naming the control that is unknown or not what it should be.
        """
        known = {one.name for one in fields(self)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise UsageError(f"there is no control {unknown[0]!r}; there are {', '.join(sorted(known))}")
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return all controls as plain JSON values."""
        out = asdict(self)
        return {**out, "corner": list(self.corner), "field": list(self.field)}

    @cached_property
    def plan(self) -> Plan:
        """What `frames` frames cost, see `planning.plan`."""
        return plan(
            self.field, self.pixel, self.current, self.dwell, self.frames, flyback=self.flyback,
            write_overhead=self.write_overhead, comm_overhead=self.comm_overhead,
        )  # fmt: skip

    @property
    def exposure(self) -> Exposure:
        """What one frame shall be."""
        return Exposure(
            self.plan.pixels, self.pixel, self.corner, self.dwell, self.flyback, self.current, list(self.signals)
        )

    def energy_shift(self, number: int) -> float:
        """Shift of the energy axis in a frame, eV."""
        return self.energy_steps[number % len(self.energy_steps)] if self.energy_steps else 0.0

    def coded(self, signals: list[Signal]) -> list[Signal]:
        """Return signals with the codings wanted.

        Raises
        ------
        UsageError
            If a coding is none for its signal, or a signal named is not recorded.
        """
        unknown = sorted(set(self.compression) - {signal.name for signal in signals})
        if unknown:
            raise UsageError(f"compression names {unknown[0]!r}; recorded are {', '.join(s.name for s in signals)}")
        out = []
        for signal in signals:
            wanted = self.compression.get(signal.name, True)
            coding = UNCOMPRESSED[signal.kind] if wanted is False else wanted if isinstance(wanted, str) else None
            if coding is not None:
                codings.check(coding, signal.kind, signal.name)
            item = signal.to_json()
            out.append(signal if coding is None else Signal.from_json({**item, "coding": coding}))
        return out

    def check_maps(self, signals: list[Signal], elements: Any) -> None:
        """Make sure that the maps on whose ratios a series waits are made of these signals.

        Parameters
        ----------
        signals : list of Signal
            To be recorded.
        elements : list of str or None
            Those that the instrument names.

        Raises
        ------
        UsageError
            Naming the map that is not.
        """
        kinds = {signal.kind for signal in signals}
        named = self.elements or (elements if isinstance(elements, list) else [])
        for name in self.snr:
            element, _, rest = name.partition("_")
            if not kinds & {"events", "spectra"}:
                raise UsageError(f"snr: {name} will not be mapped, no spectra are recorded")
            if rest and named and element not in named:
                raise UsageError(f"snr: {name} will not be mapped, the elements are {', '.join(map(str, named))}")
            if rest and rest.endswith("a") != ("events" in kinds):
                what = "X-rays by lines, as Ti_Ka" if "events" in kinds else "losses by edges, as Ti_L3"
                raise UsageError(f"snr: {name} will not be mapped: maps are named of {what}")

    @property
    def patience(self) -> float:
        """S after which an instrument that does not answer is given up."""
        return self.time_out or 3 * self.plan.frame_time_with_overheads_s + 30.0


def map_names(element: str) -> list[str]:
    """Names that a map of an element may have: of its alpha lines and of its edges."""
    lines = {f"{element}_{line.name[:2]}" for line in lines_of(element) if line.name[1] == "a"}
    return [*sorted(lines), *(edge.name for edge in edge_table().get(element, []))]


def _number(value: Any, name: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise UsageError(f"{name} takes a number or text with a unit, got {value!r}")
    return value


def _lengths(value: Any, name: str) -> Pair:
    """Two lengths, rows first; one stands for both. A place may lie at zero, a size may not."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    if len(parts) not in {1, 2}:
        raise UsageError(f"{name} takes one length or two (rows, columns), got {value!r}")
    found = [quantity(_number(part, name), "length", name, zero=name == "corner") for part in parts]
    return found[0], found[-1]


def _list(value: Any, name: str, kind: Any = (int, float), called: str = "numbers") -> list[Any]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, kind) for item in value):
        raise UsageError(f"{name} takes a list of {called}, got {value!r}")
    return list(value)
