"""Signal: name, kind, shape, dtype, axes and coding of one detector's data, as declared in the header."""

from __future__ import annotations

import math
import re
from typing import Any

from .errors import UsageError

KINDS = ("events", "spectra", "image")
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")
EVENT_DTYPES = ("uint8", "uint16", "uint32")
DEFAULT_CODING = {"events": "split-rice", "spectra": "lossless-int", "image": "lossless-int"}
MAX_AXES = 8
MAX_SIZE = 2**32 - 1
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Axis = dict[str, Any]


class Signal:
    """Declaration of one signal; the same in every frame of a journal.

    Parameters
    ----------
    name : str
        Unique in the journal; ``EDX``, ``EELS``, ``HAADF`` or the detector's own name.
    kind : {"events", "spectra", "image"}
        ``events`` are sparse counts (EDX), ``spectra`` dense spectra (EELS), ``image`` has no channel axis.
    shape : tuple of int
        Shape of one frame, navigation axes first: ``(Y, X, C)`` or ``(Y, X)``.
    dtype : str, optional
        Element type of the dense array: any of uint8 … uint64, int8 … int64, float32, float64. Default uint32 for
        events, float32 for spectra, uint16 for images. An events signal takes uint8, uint16 or uint32.
    axes : list of dict, optional
        One per array axis, in array order: ``name``, ``size``, ``units`` and either ``offset`` and ``scale`` or
        ``values``. The value of index ``i`` is ``offset + scale * i``. Units are eV, m, s, A, rad, or ``""`` for none.
    coding : str, optional
        Coding the writer uses; default split-rice for events, lossless-int for the rest (blocks that hold no integers
        are then stored with shuffle-zstd). ``noise-q(1)`` and ``chart(…)`` lose what is below the noise.
    group : str, optional
        Detectors of one system share a group; reading the group's name reads their sum.
    role : str, optional
        Marks a signal that is not an ordinary frame signal; ``static`` signals (survey image, dark and gain
        references) are stored once: ``survey``, ``dark``, ``gain``. An image with the role ``live_time``,
        ``real_time``, ``dwell_time``, ``exposure`` or ``energy_shift`` holds that attribute pixel by pixel for the
        signal `of`.
    of : str, optional
        See `role`.
    to_field : 2x3 list of float, optional
        Affine map from this signal's pixel index (y, x) to field coordinates:
        ``field = to_field[:, :2] @ (y, x) + to_field[:, 2]``. Identity when absent.
    metadata : dict, optional
        What is known of the detector: ``elevation`` and ``azimuth`` (rad), ``solid_angle`` (sr), …

    Raises
    ------
    UsageError
        Naming the field at fault, what was expected and what was found.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        shape: tuple[int, ...],
        *,
        dtype: Any = None,
        axes: list[Axis] | None = None,
        coding: str | None = None,
        group: str | None = None,
        role: str | None = None,
        of: str | None = None,
        to_field: list[list[float]] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        for given in (name, group or name, of or name):
            if not isinstance(given, str) or not 1 <= len(given) <= 64 or CONTROL.search(given):
                raise UsageError(
                    f"a name of a signal or group must be 1 to 64 characters, none a control character, got {given!r}"
                )
        if kind not in KINDS:
            raise UsageError(f"signal {name!r}: kind must be one of {', '.join(KINDS)}, got {kind!r}")
        self.shape = _shape(name, kind, shape)
        self.dtype = _dtype(name, kind, dtype)
        self.axes = _axes(name, kind, self.shape, axes)
        self.coding = coding or DEFAULT_CODING[kind]
        self.group = group
        self.role = role
        self.of = of
        for what, text in (("coding", self.coding), ("role", role)):
            if text is not None and not isinstance(text, str):
                raise UsageError(f"signal {name!r}: {what} must be text, got {text!r}")
        self.to_field = _affine(name, to_field)
        if to_field is not None and len(self.shape) - (kind != "image") < 2:
            raise UsageError(
                f"signal {name!r}: to_field maps (y, x), but shape {self.shape} has no two navigation axes"
            )
        if metadata is not None and not isinstance(metadata, dict):
            raise UsageError(f"signal {name!r}: metadata must be a dict, got {metadata!r}")
        self.metadata = dict(metadata or {})

    @property
    def static(self) -> bool:
        """Whether the signal is stored once and not per frame."""
        return self.role in STATIC_ROLES

    @property
    def pixels(self) -> int:
        """Number of pixels of one frame."""
        return math.prod(self.shape if self.kind == "image" else self.shape[:-1])

    @property
    def channels(self) -> int:
        """Number of channels; 1 for an image."""
        return 1 if self.kind == "image" else self.shape[-1]

    def to_json(self) -> dict[str, Any]:
        """Return the signal's object in the header."""
        out: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "coding": self.coding,
            "axes": self.axes,
        }
        for key in ("group", "role", "of", "to_field", "metadata"):
            if getattr(self, key):
                out[key] = getattr(self, key)
        return out

    @classmethod
    def from_json(cls, item: Any) -> Signal:
        """Build from the signal's object in a header; unknown members are ignored."""
        if not isinstance(item, dict):
            raise UsageError(f"a signal must be an object, got {type(item).__name__}")
        missing = [key for key in ("name", "kind", "shape", "dtype") if key not in item]
        if missing:
            raise UsageError(f"signal {item.get('name')!r} lacks {', '.join(missing)}")
        cls._check_members(item)
        for axis in item.get("axes") or []:
            linear = [key in axis for key in ("offset", "scale")] if isinstance(axis, dict) else []
            if linear and ("size" not in axis or linear[0] != linear[1] or (linear[0] and "values" in axis)):
                raise UsageError(
                    f"signal {item['name']!r}: an axis has a size, and offset and scale go together: {axis}"
                )
        return cls._from(item)

    @staticmethod
    def _check_members(item: dict[str, Any]) -> None:
        """Refuse what a program may leave empty and a file may not (clauses 5.1.5 and 5.1.6)."""
        given: list[tuple[str, Any]] = [(key, item[key]) for key in OPTIONAL if key in item]
        axes = item.get("axes")
        for axis in axes if isinstance(axes, list) else []:
            given += [(f"axes.{key}", axis[key]) for key in axis if key in AXIS] if isinstance(axis, dict) else []
        for key, value in given:
            empty = key in ("group", "of") and value == ""
            if value is None or empty or (key == "axes.units" and not isinstance(value, str)):
                raise UsageError(f"signal {item['name']!r}: {key} cannot be {value!r}")

    def amended(self, change: dict[str, Any]) -> Signal:
        """Return the signal with members replaced; sizes of axes may be left out, as in the constructor.

        The work is that of the change alone: what stays is not looked at again.
        """
        fixed = {"name": self.name, "kind": self.kind, "shape": self.shape, "dtype": self.dtype, "coding": self.coding}
        out = self._from({**fixed, **change})
        for member in {"axes", "group", "role", "of", "to_field", "metadata"} - set(change):
            setattr(out, member, getattr(self, member))
        return out

    @classmethod
    def _from(cls, item: dict[str, Any]) -> Signal:
        known = ("dtype", *OPTIONAL)
        return cls(item["name"], item["kind"], item["shape"], **{key: item[key] for key in known if key in item})

    def __repr__(self) -> str:
        """Return a one-line summary."""
        return f"<Signal {self.name} {self.kind} {self.shape} {self.dtype} {self.coding}>"


STATIC_ROLES = ("survey", "dark", "gain")
OPTIONAL = ("axes", "coding", "group", "role", "of", "to_field", "metadata")
AXIS = ("units", "offset", "scale", "values")


def _shape(name: str, kind: str, shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else ()
    least = 1 if kind == "image" else 2
    if not least <= len(sizes) <= MAX_AXES or not all(_is_size(n) for n in sizes):
        raise UsageError(
            f"signal {name!r}: shape must be {least} to {MAX_AXES} sizes of 1 to {MAX_SIZE}, navigation axes first, "
            f"got {shape!r}"
        )
    out = tuple(int(n) for n in sizes)
    if math.prod(out if kind == "image" else out[:-1]) > MAX_SIZE or math.prod(out) >= 2**43:
        raise UsageError(f"signal {name!r}: shape {out} has more than {MAX_SIZE} pixels or 2^43 voxels")
    return out


def _is_size(n: Any) -> bool:
    return hasattr(n, "__index__") and not isinstance(n, bool) and 1 <= int(n) <= MAX_SIZE


def _dtype(name: str, kind: str, dtype: Any) -> str:
    if dtype is None:
        return {"events": "uint32", "spectra": "float32", "image": "uint16"}[kind]
    text = str(dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))
    allowed = EVENT_DTYPES if kind == "events" else DTYPES
    if text not in allowed:
        raise UsageError(f"signal {name!r}: dtype must be one of {', '.join(allowed)}, got {text!r}")
    return text


def _axes(name: str, kind: str, shape: tuple[int, ...], axes: Any) -> list[Axis]:
    if axes is None:
        letters = "tzyx"
        nav = len(shape) if kind == "image" else len(shape) - 1
        names = [*(letters[-nav:] if nav <= len(letters) else [f"axis{i}" for i in range(nav)])]
        names += ["channel"] * (len(shape) - nav)
        return [{"name": n, "size": s} for n, s in zip(names, shape, strict=True)]
    if not isinstance(axes, (list, tuple)) or len(axes) != len(shape):
        raise UsageError(f"signal {name!r}: one axis per dimension of shape {shape} is expected, got {axes!r}")
    return [_axis(name, axis, size) for axis, size in zip(axes, shape, strict=True)]


def _axis(name: str, axis: Any, size: int) -> Axis:
    if not isinstance(axis, dict) or not isinstance(axis.get("name"), str):
        raise UsageError(f"signal {name!r}: an axis is a dict with at least 'name', got {axis!r}")
    where = f"signal {name!r}, axis {axis['name']!r}"
    if axis.get("size", size) != size:
        raise UsageError(f"{where}: size {axis['size']} contradicts the shape's {size}")
    out: Axis = {"name": axis["name"], "size": size}
    if axis.get("units"):
        out["units"] = str(axis["units"])
    if "values" in axis:
        given = axis["values"]
        if not hasattr(given, "__len__") or isinstance(given, (str, dict)) or len(given) != size:
            raise UsageError(f"{where}: a list of {size} values is expected, got {given!r}")
        values = [finite(f"{where}: values", value) for value in given]
        out["values"] = values
    elif "scale" in axis or "offset" in axis:
        out["offset"] = finite(f"{where}: offset", axis.get("offset", 0.0))
        out["scale"] = finite(f"{where}: scale", axis.get("scale", 1.0))
    return out


def _affine(name: str, matrix: Any) -> list[list[float]] | None:
    if matrix is None:
        return None
    try:
        rows = [list(row) for row in matrix]
    except TypeError:
        rows = []
    if len(rows) != 2 or any(len(row) != 3 for row in rows):
        raise UsageError(f"signal {name!r}: to_field must be two rows of three numbers, got {matrix!r}")
    return [[finite(f"signal {name!r}: to_field", value) for value in row] for row in rows]


def finite(where: str, value: Any) -> float:
    """Return a finite number; `where` names it in the error."""
    try:
        number = math.nan if isinstance(value, (str, bytes, bool)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{where} must be a finite number, got {value!r}")
    return number
