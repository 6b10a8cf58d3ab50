"""State: what the recorder shows (times, doses, progress, disk space), as JSON; see ``docs/acquisition.md``."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError

from ..instruments.protocol import Abilities, Picture
from . import session_folder
from .follower import HISTORY, STATUS
from .log import Log
from .region import Region
from .regions import Regions
from .series import Host, Series
from .settings import Settings
from .sizes import series_bytes

VERSION = 1
TAIL = 2**14  # bytes of a history that are looked at first: some dozen frames


def costs(settings: Settings, abilities: Abilities, region: Region | None) -> dict[str, Any]:
    """Return what a series costs, as `planning.Plan`, and when it ends; ``error`` in place of all where it cannot be.

    ``frames_by_dose`` and ``frames_by_time`` are how many the limits allow in all (None without), ``frames_expected``
    the least of them and of those wanted, ``file_bytes`` as of `sizes.series_bytes`.
    """
    if not abilities.exposes:
        return {"error": "the exposure is set in the microscope's own program"}
    try:
        made = settings.plan
    except UsageError as error:
        return {"error": str(error)}
    by_dose = None if settings.max_dose is None else int(settings.max_dose / made.dose_per_frame * (1 + 1e-9))
    by_time = None
    if settings.max_time is not None:
        by_time = math.ceil(settings.max_time / made.frame_time_with_overheads_s)
    limits = [count for count in (settings.frames, by_dose, by_time) if count is not None]
    return {**asdict(made), "pixels": list(made.pixels), "field_nm": list(made.field_nm),
            "file_bytes": series_bytes(settings, abilities, region),
            "frames_by_dose": by_dose, "frames_by_time": by_time, "frames_expected": min(limits)}  # fmt: skip


class Recording(Protocol):
    """What is told of a recorder."""

    abilities: Abilities
    folder: Path
    phase: str
    regions: Regions
    surveyed: Picture | None
    log: Log
    series: Series | None  # the present one, or the last
    host: Host

    @property
    def settings(self) -> Settings:
        """The controls."""

    @property
    def outcome(self) -> dict[str, Any] | None:
        """What came of the last series."""

    def plan(self) -> dict[str, Any]:
        """Times, doses and sizes."""


def snapshot(recorder: Recording) -> dict[str, Any]:
    """Return the state of a recorder."""
    regions, settings, plan = recorder.regions, recorder.settings, recorder.plan()
    region, follower = regions.present, regions.follower
    number, frames = (None, 0) if region is None else (region.number, len(region))
    running = recorder.phase in ("recording", "stopping")
    survey = recorder.surveyed
    return {
        "version": VERSION,
        "sequence": recorder.log.sequence,
        "phase": recorder.phase,
        "instrument": asdict(recorder.abilities),
        "settings": settings.to_json(),
        "plan": plan,
        "folder": str(recorder.folder),
        "region": None if region is None else _region(region),
        "regions": regions.numbers(),
        "next_region": regions.next_number() if regions.begins_new or region is None else None,
        "survey": None if survey is None else {
            "shape": list(np.shape(survey.image)), "pixel": survey.pixel, "corner": list(survey.corner),
        },
        "series": {
            "frames": recorder.series.frames if recorder.series else 0,
            "seconds": time.monotonic() - recorder.series.begun if running and recorder.series else None,
            "seconds_left": _left(recorder.series, settings, plan) if running and recorder.series else None,
        },
        "outcome": recorder.outcome,
        "disk": _disk(recorder.folder, plan, region),
        "host": recorder.host.to_json(),
        "analysis": {
            "running": follower is not None and follower.running,
            "fault": follower.fault if follower is not None else "",
            **analysed(recorder.folder, number, frames),
        },
    }  # fmt: skip


def _region(region: Region) -> dict[str, Any]:
    try:
        size = region.path.stat().st_size
    except OSError:
        size = 0
    return {"number": region.number, "journal": str(region.path), "frames": len(region), "dose": region.dose,
            "bytes": size, "signals": [signal.to_json() for signal in region.signals]}  # fmt: skip


def analysed(folder: Path, region: int | None, frames: int) -> dict[str, Any]:
    """Return what the analysis of a region found so far, how far behind it is, and the names of its pictures."""
    live = None if region is None else session_folder.region_folder(folder, region) / session_folder.LIVE
    status = (session_folder.read_json(live / STATUS) if live is not None else None) or {}
    names = sorted(path.stem for path in live.glob("*.npy")) if live is not None else []
    return {"behind": frames - status.get("frames", 0), "status": status, "pictures": names}


def picture(folder: Path, name: str, region: int | None) -> NDArray[Any]:
    """Read a picture that the state names.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    path = folder / session_folder.SURVEY
    if name != "survey":
        known = analysed(folder, region, 0)["pictures"] if region is not None else []
        if name not in known:
            raise UsageError(f"there is no picture {name!r}; there are {', '.join(['survey', *known])}")
        path = session_folder.region_folder(folder, region or 0) / session_folder.LIVE / f"{name}.npy"
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise UsageError(f"there is no picture {name!r} yet") from error


def history(folder: Path, region: int, since: int) -> list[dict[str, Any]]:
    """Read what the analysis found frame by frame, from frame `since` on; what was before is not read."""
    path = session_folder.region_folder(folder, region) / session_folder.LIVE / HISTORY
    try:
        with path.open("rb") as file:
            end, length = file.seek(0, os.SEEK_END), TAIL
            while True:
                begin = max(end - length, 0)
                file.seek(begin)
                lines = file.read(end - begin).splitlines()[1 if begin else 0 :]  # the first may be cut
                found = [item for line in lines if (item := _history_line(line)) is not None]
                if not begin or (found and found[0]["frame"] < since):
                    return [item for item in found if item["frame"] >= since]
                length *= 4
    except OSError:
        return []


def _history_line(line: bytes) -> dict[str, Any] | None:
    try:
        item = json.loads(line)
    except ValueError:  # torn
        return None
    return item if isinstance(item, dict) else None


def _left(series: Series, settings: Settings, plan: dict[str, Any]) -> float | None:
    """S until the last frame that is expected, by the pace so far or the plan's."""
    if "error" in plan:
        return None
    passed = time.monotonic() - series.begun
    pace = passed / series.frames if series.frames else plan["frame_time_with_overheads_s"]
    left = max(settings.frames - series.frames, 0) * pace
    if settings.max_time is not None:
        left = min(left, max(settings.max_time - passed, 0.0))
    return float(left)


def _disk(folder: Path, plan: dict[str, Any], region: Region | None) -> dict[str, Any]:
    """What is free, and for how many frames: such as those of the region, else such as planned."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        free = None
    frames = None
    if free is not None and region is not None and len(region):
        with contextlib.suppress(OSError):
            frames = int(free / max(region.path.stat().st_size / len(region), 1))
    elif free is not None and plan.get("file_bytes"):
        frames = int(free / max(plan["file_bytes"] / plan["frames"], 1))
    return {"free_bytes": free, "frames_left": frames}
