"""Plugins: registration by other packages (plugins ``mfsi.registrations``), each area in a process of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj import UsageError
from lbj.array_types import Floats, Singles
from lbj.errors import PluginError
from lbj.importing.apart import call
from lbj.plugins.found import kind, named

from .area import Area

GROUP = "mfsi.registrations"


def register_area(stack: Singles, name: str) -> Area:
    """Register the frames of one area, (N, Y, X), NaN where a pixel is missing, with a plugin.

    Raises
    ------
    UsageError
        If no package provides it, or two do.
    PluginError
        If it fails, or returns no displacements.
    """
    plugin = named(GROUP, name)
    found = call(
        f"{__name__}:_register_here", {"name": name, "images": stack.astype(float)}, 2 * stack.nbytes, f"{plugin}"
    )
    parts = found if isinstance(found, list) and len(found) == 2 else [found, None]
    frames, rows, columns = stack.shape
    shapes = {(frames, 2), (frames, 2, rows, columns)}
    displacement = _numbers(parts[0])
    if displacement is None or displacement.shape not in shapes:
        got = kind(parts[0]) if displacement is None else f"of shape {displacement.shape}"
        raise PluginError(
            f"{plugin}: displacements of shape {(frames, 2)} or {(frames, 2, rows, columns)} are expected, or a pair "
            f"of them and their errors of shape {(frames,)}; it returned something {got}"
        )
    error = np.full(frames, np.nan) if parts[1] is None else _numbers(parts[1])
    if error is None or error.shape != (frames,) or (error < 0).any():
        raise PluginError(f"{plugin}: errors must be {frames} numbers from 0 on, px rms, or infinite")
    field = np.broadcast_to(displacement.reshape((*displacement.shape, 1, 1)[:4]), (frames, 2, rows, columns))
    lost = ~np.isfinite(field).all(axis=(1, 2, 3))
    error[lost] = np.inf
    covariance = np.zeros((frames, 2, 2))
    covariance[:, (0, 1), (0, 1)] = np.square(error)[:, None]
    flags: list[list[str]] = [[f"{plugin} gave it no displacement"] * one for one in lost.astype(int)]
    return Area(np.where(lost[:, None, None, None], 0, field).astype(np.float32), error, covariance, flags)


def _numbers(value: Any) -> Floats | None:
    try:
        out = np.array(value)
    except (ValueError, TypeError):
        return None
    return out.astype(float) if out.dtype.kind in "iuf" else None


def _register_here(name: str, images: Floats) -> Any:
    plugin = named(GROUP, name)
    function = plugin.load()
    with plugin.blamed(f"{len(images)} images of {images.shape[1:]}"):
        return function(images)


def known(name: str) -> None:
    """Check that exactly one installed package provides a registration of this name.

    Raises
    ------
    UsageError
        If none or several do, or the name is not a text.
    """
    if not isinstance(name, str):
        raise UsageError(f"a registration is named by a text, got {name!r}")
    named(GROUP, name)
