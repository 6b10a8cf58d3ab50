"""Options of a session: which image is registered and which maps are made, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from lbj import Signal, UsageError
from lbj.signal import finite
from lbj.signal_names import Signals

from ..maps.edges import fitted_channels
from ..maps.windows import adjacent_background, window_weights
from ..series.axis import Window, centres
from ..series.selection import image_signal, spectra_signal
from ..tables.lines import check_symbols, symbols

WINDOWS = ({"window"}, {"window", "background"}, {"window", "fit_window"})


@dataclass(frozen=True)
class Choice:
    """What a session works on.

    Attributes
    ----------
    reference_signal : Signal or None
        The image to register.
    spectra : Signal or None
        What is mapped.
    elements : list of str
        Empty: find peaks.
    windows : dict of str to dict
        Arguments of `line_map` or `edge_map`, by name of the map.
    """

    reference_signal: Signal | None
    spectra: Signal | None
    elements: list[str]
    windows: dict[str, dict[str, Any]]


def choose(
    signals: Signals,
    metadata: dict[str, Any],
    *,
    elements: list[str] | None,
    windows: dict[str, dict[str, Any]] | None,
    image: str | None,
    signal: str | None,
) -> Choice:
    """Check what a session was asked for; see `Session`.

    Raises
    ------
    UsageError
        Naming what is not there or does not fit.
    """
    declared = SimpleNamespace(signals=signals)
    reference_signal, spectra = image_signal(declared, image), spectra_signal(declared, signal)
    if reference_signal is not None and len(reference_signal.shape) != 2:
        raise UsageError(
            f"image {reference_signal.name!r} is of {reference_signal.shape}; one of rows and columns can be registered"
        )
    check_symbols(elements or [])
    if windows and spectra is None:
        raise UsageError("windows were given, but no signal holds X-ray counts or spectra")
    checked = {name: _window(name, given, spectra) for name, given in (windows or {}).items() if spectra is not None}
    of_series = metadata.get("elements")
    known = [e for e in of_series if e in symbols()] if isinstance(of_series, list) else []
    return Choice(reference_signal, spectra, list(elements or ([] if windows else known)), checked)


def _window(name: str, given: Any, signal: Signal) -> dict[str, Any]:
    """Arguments of `line_map` or `edge_map`, tried on the axis."""
    if not isinstance(given, dict) or set(given) not in WINDOWS:
        raise UsageError(
            f"window {name!r} must be a dict of 'window' and, for X-rays if wanted, 'background', for edges "
            f"'fit_window'; got {given!r}"
        )
    axis, unit = centres(signal), str(signal.axes[-1].get("units", ""))
    try:
        window = _pair(given["window"])
        if "fit_window" in given:
            fit_window = _pair(given["fit_window"])
            fitted_channels(axis, window, fit_window, unit)
            return {"window": window, "fit_window": fit_window}
        below, above = given["background"] if "background" in given else adjacent_background(axis, window, unit)
        background = (_pair(below), _pair(above))
        window_weights(axis, [(window, background)], unit)
    except UsageError as error:
        raise UsageError(f"window {name!r}: {error}") from error
    except (TypeError, ValueError):
        raise UsageError(f"window {name!r}: a background is two pairs (low, high), got {given!r}") from None
    return {"window": window, "background": background}


def _pair(value: Any) -> Window:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise UsageError(f"a window is a pair (low, high), got {value!r}")
    return finite("low", value[0]), finite("high", value[1])
