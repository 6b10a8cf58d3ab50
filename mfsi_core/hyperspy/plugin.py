"""Plugin: adds ``.lbj`` to the formats that rosettasciio, and so HyperSpy, knows."""

from __future__ import annotations

import logging
from typing import Any

PLUGIN: dict[str, Any] = {
    "name": "LBJ",
    "name_aliases": ["lbj", "listed-bin journal"],
    "description": "Listed-bin journal: frames of sparse counts, spectra and images.",
    "full_support": False,
    "file_extensions": ["lbj"],
    "default_extension": 0,
    "writes": True,
    "non_uniform_axis": True,
    "api": "mfsi_core.hyperspy.api",
}
"""See ``rsciio.IO_PLUGINS``."""


def add_format() -> None:
    """Append the format to ``rsciio.IO_PLUGINS``, once; where that fails say so, and leave HyperSpy as it is."""
    try:
        from rsciio import IO_PLUGINS

        if all(plugin.get("api") != PLUGIN["api"] for plugin in IO_PLUGINS):
            IO_PLUGINS.append(PLUGIN)
    except Exception as error:  # noqa: BLE001  HyperSpy must come up whatever happens here
        logging.getLogger(__name__).warning("HyperSpy was not told of .lbj files: %s", error)
