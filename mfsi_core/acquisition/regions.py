"""Regions: which region of a session is recorded into; it is begun or extended, and its frames are followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lbj import LbjError, Signal

from ..instruments.protocol import Picture
from . import session_folder
from .follower import Follower, follow
from .log import Log
from .region import Region
from .settings import Settings


class Regions:
    """Regions of a session, of which the last can be continued.

    Parameters
    ----------
    folder : path
        The session's.
    log : Log
    analysis : bool
        Whether a process beside it follows the frames.

    Attributes
    ----------
    present : Region or None
    follower : Follower or None
        Of the present region.
    begins_new : bool
        Whether a new region is begun with the next frame.
    """

    def __init__(self, folder: Path, log: Log, *, analysis: bool) -> None:
        self.folder, self._log, self._analysis = folder, log, analysis
        self.present: Region | None = None
        self.follower: Follower | None = None
        self.begins_new = False
        numbers = self.numbers()
        if numbers:
            try:
                self.present = Region.reopen(folder, numbers[-1])
            except LbjError as error:
                log.add("error", f"region {numbers[-1]} cannot be continued: {error}", "error")

    def numbers(self) -> list[int]:
        """Numbers of the regions that are there."""
        return session_folder.regions(self.folder)

    def next_number(self) -> int:
        """Number that the next new region will have."""
        return max(self.numbers(), default=0) + 1

    def take(
        self,
        settings: Settings,
        signals: list[Signal],
        metadata: dict[str, Any],
        survey: Picture | None,
        *,
        exposed: bool,
    ) -> Region:
        """Begin a region's journal, or make sure that the present one can be extended; see `Region`."""
        if self.present is None or self.begins_new:
            region = Region.begin(self.folder, self.next_number(), settings, signals, metadata, survey, exposed=exposed)
            self.leave()
            self.present, self.begins_new = region, False
            self._log.add("region", f"region {region.number} is begun", region=region.number)
        else:
            region = self.present
            region.extend(settings, signals)
            self._log.add("extended", f"region {region.number} is extended", region=region.number)
        if self._analysis:
            wanted = {"elements": settings.elements, "image": settings.image}
            self.follower = follow(self.follower, region.path, region.live, wanted, self._log)
            if self.follower is not None:
                self.follower.tell(len(region))
        return region

    def leave(self) -> None:
        """Close the present region's journal; its analysis ends by itself."""
        if self.follower is not None:
            self.follower.leave()
            self.follower = None
        if self.present is not None:
            self.present.close()

    def close(self) -> None:
        """Close the journal and the analysis."""
        if self.follower is not None:
            self.follower.close()
            self.follower = None
        self.leave()
