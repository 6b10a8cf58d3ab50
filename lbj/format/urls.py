"""URLs: what is read over a network, a range of bytes a request."""

from __future__ import annotations

import re
from typing import Any, BinaryIO, cast

from .http import HttpFile
from .remote import FsspecFile

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
    kind = HttpFile if url.lower().startswith(("http://", "https://")) else FsspecFile
    return cast("BinaryIO", kind(url))
