"""Mapping: the process that makes maps, components and signal-to-noise ratios of all frames so far.

``python -m mfsi_core.acquisition.mapping JOURNAL FOLDER WANTED`` reads a job, a line of JSON, from its standard input
and answers with one on its standard output, in how many ``seconds`` too, until there are no more. The maps it writes
into the folder. It runs at the priority of the analysis, which starts it, below that of the recorder.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import lbj

from ..live.options import Choice, choose
from ..live.running import RunningRegistration
from ..live.status import State
from ..live.tracking import Following, Seen
from ..registration.area import register_area
from ..registration.register import prepared, usable_frames
from ..series.axis import centres
from ..series.selection import reference_image
from .session_folder import write_bytes

SAMPLE = 12  # last frames whose rows are registered, to estimate the error

Job = dict[str, Any]


def job_of(frames: Sequence[Seen], running: RunningRegistration) -> Job:
    """Return what was seen of the frames, as plain JSON values."""
    error = [value if math.isfinite(value) else None for value in running.error]
    return {
        "frames": [list(one) for one in frames],
        "shift": [one.tolist() for one in running.shift],
        "error": error,
        "regions": list(running.regions),
        "shape": None if running.shape is None else list(running.shape),
    }


def carry_out(job: Job, journal: lbj.Journal, folder: Path, choice: Choice) -> dict[str, Any]:
    """Map the frames; returns ``found``, as of `State.found`, and ``windows``, channels (first, last) of each map."""
    following = _following(job, journal, choice)
    state = State(following)
    found = {**state.found, "rows_px": None}
    try:
        found.update(_rows(journal, following))
    except Exception as error:  # noqa: BLE001 the frames are stored, whatever is wrong with them
        found["notes"].append(f"Registering rows failed: {type(error).__name__}: {error}.")
    windows = {}
    axis = centres(choice.spectra) if choice.spectra is not None else np.zeros(0)
    for name, one in state.maps.items():
        save(folder, f"map-{name}", one.values)
        first, last = np.searchsorted(axis, sorted(one.window))
        windows[name] = [int(first), int(last)]
    return {"found": found, "windows": windows}


def _following(job: Job, journal: lbj.Journal, choice: Choice) -> Following:
    """Rebuild what the analysis found of each frame, from a job."""
    running = RunningRegistration(
        to_field=None if choice.reference_signal is None else choice.reference_signal.to_field
    )
    running.shape = None if job["shape"] is None else (job["shape"][0], job["shape"][1])
    running.shift = [np.array(one) for one in job["shift"]]
    running.error = [math.inf if value is None else value for value in job["error"]]
    running.regions = job["regions"]
    following = Following(journal, choice, running)
    following.frames = [Seen(*one) for one in job["frames"]]
    while len(journal) < len(following.frames) and journal.refresh():
        pass
    return following


def _rows(journal: lbj.Journal, following: Following) -> dict[str, float]:
    """Predicted error of the last frames once their rows are registered, and rms of the rows' jitter, px."""
    reference_signal = following.choice.reference_signal
    last = [n for n, frame in enumerate(following.frames) if not frame.reason][-SAMPLE:]
    if reference_signal is None or len(last) < 2 or len({following.frames[n].region for n in last}) > 1:
        return {}
    stack, _ = prepared(np.array([reference_image(journal[n], reference_signal, None) for n in last]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        area = register_area(stack[usable_frames(stack)])
    known = np.isfinite(area.error)
    if known.sum() < 2:
        return {}
    rows = np.array([one.mean(axis=2, dtype=np.float64) for one in area.displacement])[known]
    off = rows - rows.mean(axis=2, keepdims=True)
    error = float(np.sqrt((area.error[known] ** 2).mean()))
    return {"predicted_error_px": error, "rows_px": float(np.sqrt((off**2).mean()))}


def save(folder: Path, name: str, image: Any) -> None:
    """Write a picture as ``.npy``, replacing the one before in one step."""
    data = io.BytesIO()
    np.save(data, np.asarray(image, np.float32))
    write_bytes(folder / f"{name}.npy", data.getvalue())


def chosen(journal: lbj.Journal, wanted: dict[str, Any]) -> Choice:
    """Return what the user wants to be followed."""
    return choose(
        journal.signals, journal.metadata, elements=wanted.get("elements") or None, windows=None,
        image=wanted.get("image") or None, signal=None,
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Do jobs until there are no more."""
    path, folder, wanted = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2])
    with lbj.open(path) as journal, contextlib.suppress(BrokenPipeError):
        choice = chosen(journal, wanted)
        for line in sys.stdin:
            begun = time.monotonic()
            try:
                answer = carry_out(json.loads(line), journal, folder, choice)
            except Exception as error:  # noqa: BLE001 told
                answer = {"error": f"Mapping failed: {type(error).__name__}: {error}."}
            print(json.dumps({**answer, "seconds": time.monotonic() - begun}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
