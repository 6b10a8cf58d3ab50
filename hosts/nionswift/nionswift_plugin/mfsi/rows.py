"""Rows: takes what scan and camera record while they record it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from nion.data import DataAndMetadata
from nion.instrumentation import Acquisition
from numpy.typing import NDArray


class Rows(Acquisition.DataChannel):
    """Data channel of one frame.

    Parameters
    ----------
    stop : threading.Event
        When it is set, `abort` is called at the next row.
    abort : function
        Ends the scan.
    """

    def __init__(self, stop: threading.Event, abort: Callable[[], None]) -> None:
        super().__init__()
        self._stop, self._abort = stop, abort
        self._held: dict[Any, DataAndMetadata.DataAndMetadata] = {}
        self._filled: dict[Any, int] = {}

    def update_data(
        self,
        channel: Acquisition.Channel,
        source_data: NDArray[Any],
        source_slice: Any,
        dest_slice: slice,
        data_metadata: DataAndMetadata.DataMetadata,
    ) -> None:
        """Take a part of an array, on an acquisition thread."""
        if channel not in self._held:
            data = np.zeros(data_metadata.data_shape, data_metadata.data_dtype)
            self._held[channel] = DataAndMetadata.new_data_and_metadata(
                data, data_descriptor=data_metadata.data_descriptor
            )
            self._filled[channel] = 0
        part = source_data[source_slice].reshape(-1)
        self._held[channel].data.reshape(-1)[dest_slice] = part
        self._filled[channel] += part.size
        if self._stop.is_set():
            self._abort()

    def get_data(self, channel: Acquisition.Channel) -> DataAndMetadata.DataAndMetadata:
        """Return what was taken so far."""
        return self._held[channel]

    def whole(self, channel: Acquisition.Channel) -> NDArray[Any] | None:
        """Array of a channel; None where not all of it has come."""
        held = self._held.get(channel)
        return None if held is None or self._filled[channel] < held.data.size else np.array(held.data)
