"""Live maps: maps of the frames recorded so far, and their signal-to-noise ratios."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from lbj.frame import Recording

from ..geometry.registration import Registration
from ..maps.edges import edge_map
from ..maps.halves import halves_of, joined
from ..maps.lines import line_map
from ..pipeline.maps import add_element_maps
from ..report.results import Results
from ..series.selection import View
from .options import Choice
from .tracking import failed


def map_frames(journal: Recording, choice: Choice, frames: list[int], registration: Registration) -> Results:
    """Map what was chosen, summed over some frames of the journal; what fails becomes a note.

    Parameters
    ----------
    journal : Journal
    choice : Choice
    frames : list of int
        Those that hold the spectra.
    registration : Registration
        Of all frames of the journal.

    Returns
    -------
    Results
        `maps`, `snr` and `notes`, as `run` makes them; maps of windows have their own names.
    """
    signal = choice.spectra
    results = Results("", [], len(frames), dict(journal.metadata), signal=signal)
    if signal is None or not frames:
        return results
    try:
        registration.on(signal)
    except Exception as error:  # noqa: BLE001
        results.notes.append(f"The spectra were summed as they are: {error}.")
        registration = Registration.rigid(np.zeros((len(registration), 2)), (signal.shape[0], signal.shape[1]))
    view = View(journal, frames)
    results.registration = registration.subset(frames)
    if choice.elements or not choice.windows:
        try:
            add_element_maps(view, results, choice.elements or None, quiet=True)
        except Exception as error:  # noqa: BLE001
            results.notes.append(failed("Mapping", error))
    for name, arguments in choice.windows.items():
        try:
            _add_window(view, results, name, arguments)
        except Exception as error:  # noqa: BLE001
            results.notes.append(failed(f"Mapping {name}", error))
    return results


def _add_window(view: View, results: Results, name: str, arguments: dict[str, Any]) -> None:
    assert results.signal is not None
    make: Any = edge_map if "fit_window" in arguments else line_map
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = [
            make(view, signal=results.signal.name, registration=results.registration, frames=half, **arguments)
            for half in halves_of(len(view))
        ]
    results.notes += dict.fromkeys(f"{name}: {one.message}." for one in caught if one.category is UserWarning)
    results.maps[name], results.snr[name] = joined(parts, line=name)
