"""Table: frame, position and score of every repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lbj import UsageError

from ..geometry.points import Frames
from ..geometry.registration import Registration
from .finding import Motifs

COLUMNS = (
    "journal", "frame", "region", "repeat", "y_px", "x_px", "frame_y_px", "frame_x_px", "score", "transform",
)  # fmt: skip


def motif_table(
    motifs: Motifs, registration: Registration, journal: str = "", frames: Any = None, regions: Any = None
) -> Any:
    """Tabulate every repeat in every frame.

    Parameters
    ----------
    motifs : Motifs
    registration : Registration
        That of the frames in which they were found.
    journal : str
        Written into every row.
    frames, regions : sequence of int, optional
        Number of each frame in its journal, and its region. Default: 0, 1, 2 …, and 0.

    Returns
    -------
    pandas.DataFrame
        ``journal``, ``frame``, ``region``, ``repeat`` (number, from 0), ``y_px``, ``x_px`` (in the scene: pixels of the
        registered image; frame by frame where the motif was followed), ``frame_y_px``, ``frame_x_px`` (in the frame as
        it was recorded), ``score``, ``transform``. A row for each repeat whose centre the frame saw; frames that were
        left out have none.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageError("tables need pandas: pip install 'mfsi[report]'") from error
    motifs.check(registration)
    count = len(registration)
    numbers = np.arange(count) if frames is None else np.asarray(frames)
    areas = np.zeros(count, int) if regions is None else np.asarray(regions)
    if len(numbers) != count or len(areas) != count:
        raise UsageError(f"frames and regions need {count} entries, got {len(numbers)} and {len(areas)}")
    warped = Frames(registration.displacement)
    parts = []
    for n in np.flatnonzero(~registration.left_out):
        places = motifs.positions if motifs.by_frame is None else motifs.by_frame[n]
        score = motifs.score if motifs.frame_score is None else motifs.frame_score[n]
        recorded = warped.positions(int(n), places)
        seen = np.flatnonzero(np.isfinite(recorded).all(axis=1))
        parts.append(
            pd.DataFrame(
                {
                    "journal": journal,
                    "frame": numbers[n],
                    "region": areas[n],
                    "repeat": seen,
                    "y_px": places[seen, 0],
                    "x_px": places[seen, 1],
                    "frame_y_px": recorded[seen, 0],
                    "frame_x_px": recorded[seen, 1],
                    "score": score[seen],
                    "transform": motifs.transform[seen],
                }
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def write_table(tables: list[Any], path: Path) -> None:
    """Write the tables of several regions and journals as one CSV file."""
    import pandas as pd

    pd.concat(tables, ignore_index=True).to_csv(path, index=False, float_format="%.4f")
