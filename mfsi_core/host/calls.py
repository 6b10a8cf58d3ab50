"""Calls: the recorder's methods by name, with JSON arguments, for `mfsi host`, the service and the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lbj import UsageError
from lbj.outputs import new_files

from ..acquisition.recorder import Recorder
from .messages import packed_array

Answer = dict[str, Any]

NUMBER = (int, float)
REQUESTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # required and optional fields
    "change": ({"settings": dict}, {}),
    "plan": ({}, {}),
    "survey": ({}, {}),
    "region": ({}, {}),
    "acquire": ({}, {"frames": int, "wait": bool}),
    "stop": ({}, {}),
    "wait": ({}, {"seconds": NUMBER}),
    "state": ({}, {}),
    "events": ({}, {"since": int}),
    "history": ({}, {"since": int}),
    "picture": ({"name": str}, {"file": str}),
}


def open_recorder(
    folder: str, instrument: str, options: dict[str, Any] | None = None, settings: dict[str, Any] | None = None, *,
    analysis: bool = True,
) -> Recorder:  # fmt: skip
    """Open a recorder of an instrument by its name, with the instrument's options and some of the controls."""
    recorder = Recorder(folder, instrument, analysis=analysis, options=options)
    try:
        if settings:
            recorder.change(**settings)
    except BaseException:
        recorder.close()
        raise
    return recorder


def calls(recorder: Recorder) -> dict[str, Callable[..., Answer]]:
    """Return the calls of a recorder by name; each returns the fields of its answer."""

    def survey() -> Answer:
        return packed_array(np.asarray(recorder.survey().image))

    def picture(name: str, file: str | None = None) -> Answer:
        image = recorder.picture(name)
        if file is None:
            return packed_array(image)
        if not file.endswith(".npy"):
            raise UsageError(f"a picture is written as .npy; 'file' must end so, got {file!r}")
        with new_files(file, str(recorder.folder)) as part:
            np.save(part, image)
        return {"file": file}

    def stop() -> Answer:
        recorder.stop()
        return {"phase": recorder.phase}

    return {
        "change": lambda settings: {"plan": recorder.change(**settings)},
        "plan": lambda: {"plan": recorder.plan()},
        "survey": survey,
        "region": lambda: {"region": recorder.new_region()},
        "acquire": lambda frames=None, wait=False: {"outcome": recorder.acquire(frames, wait=wait)},
        "stop": stop,
        "wait": lambda seconds=None: {"done": recorder.wait(seconds), "outcome": recorder.outcome},
        "state": lambda: {"state": recorder.state()},
        "events": lambda since=0: {"events": recorder.events(since)},
        "history": lambda since=0: {"history": recorder.history(since)},
        "picture": picture,
    }


def caller(recorder: Recorder) -> Callable[..., Answer]:
    """Return a function that makes a call by its name, with its fields, as `service.Remote.call` does."""
    mine = calls(recorder)

    def call(do: str, **fields: Any) -> Answer:
        return mine[do](**fields)

    return call
