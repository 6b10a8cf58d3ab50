"""Surveys: the last survey image, kept in the session's folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from ..instruments.protocol import Picture
from .session_folder import SURVEY


def keep(folder: Path, picture: Picture) -> None:
    """Write a survey image; its place stands in the recorder's state. A disk that is full costs the file."""
    with contextlib.suppress(OSError):
        np.save(folder / SURVEY, picture.image)


def kept(folder: Path, state: dict[str, Any]) -> Picture | None:
    """Read the survey image that a state tells of; None where there is none, or it cannot be read."""
    about: Any = state.get("survey")
    try:
        image = np.load(folder / SURVEY)
        return Picture(image, float(about["pixel"]), (float(about["corner"][0]), float(about["corner"][1])))
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None
