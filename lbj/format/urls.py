"""URLs: what is read over a network, a range of bytes a request."""

from __future__ import annotations

import re
from typing import Any, BinaryIO, cast

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)")


def is_url(path: Any) -> bool:
    """Tell whether a path is a URL: ``https://…``, ``s3://…`` or another that fsspec knows."""
    return isinstance(path, str) and URL.match(path) is not None


def open_url(url: str) -> BinaryIO:
    """Open what a URL names for reading.

    Raises
    ------
    UsageError
        If a package that reads such URLs is missing.
    StorageError
        If there is no such file, or it cannot be read in parts.
    """
    if url.lower().startswith(("http://", "https://")):
        from .http import HttpFile  # not above: Python's network modules would slow every start of lbj

        return cast("BinaryIO", HttpFile(url))
    from .remote import FsspecFile

    return cast("BinaryIO", FsspecFile(url))
