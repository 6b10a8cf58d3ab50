"""Recording: what is asked of a journal, of which some frames (`selection.View`) have as much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from lbj.frame import Frame
from lbj.signal_names import Signals


class Recording(Protocol):
    """Frames, the signals that they hold, and what is said of all of them."""

    @property
    def signals(self) -> Signals:
        """The declared signals by name; a group's name also answers."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Description of the series."""

    @property
    def path(self) -> str | None:
        """Name of the file."""

    @property
    def bytes(self) -> int:
        """Size of the file."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...

    def __iter__(self) -> Iterator[Frame]: ...
