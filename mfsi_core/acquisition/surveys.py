"""Surveys: the last survey image, kept in the session's folder, and whether a region lies on it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from lbj import UsageError

from ..instruments.protocol import Picture
from .session_folder import SURVEY
from .settings import Settings


def check_within(settings: Settings, survey: Picture) -> None:
    """Make sure that a region lies on the survey on which it is drawn; it may grow beyond by a pixel.

    Raises
    ------
    UsageError
        Saying where both lie.
    """
    low, begin = np.asarray(settings.corner), np.asarray(survey.corner)
    high, end = low + np.asarray(settings.field), begin + np.array(np.shape(survey.image)) * survey.pixel
    room = survey.pixel / 2 + settings.pixel  # a region is drawn to half a pixel of the survey, and rounded up
    if (low < begin - room).any() or (high > end + room).any():
        raise UsageError(
            f"the region would lie from {_nm(low)} to {_nm(high)} nm (y, x), and the survey shows {_nm(begin)} to "
            f"{_nm(end)} nm: make it smaller first, or take another survey"
        )


def _nm(place: Any) -> str:
    return "(" + ", ".join(f"{value * 1e9:.4g}" for value in place) + ")"


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
