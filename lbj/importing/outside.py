"""Security of imports: HDF5 links to other files and zarr filters that run programs are refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import DamagedError, UsageError

CODECS = {
    "blosc", "zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "shuffle", "delta", "fixedscaleoffset", "quantize", "astype",
    "bitround", "packbits", "categorize", "crc32", "crc32c", "adler32", "vlen-utf8", "vlen-bytes", "vlen-array",
    "json2", "bytes", "transpose", "sharding_indexed", "string", "endian", "zfpy", "pcodec",
}  # fmt: skip
"""Compressors and filters of zarr that hold no programs."""

MOST_METADATA = 1 << 26  # bytes of one description of an array


def refuse_links(path: Path, file: Any) -> None:
    """Look at every link and dataset of an opened HDF5 file.

    Raises
    ------
    UsageError
        If one stands for what another file holds: an external link, external storage or a virtual dataset.
    """
    import h5py

    def elsewhere(name: bytes, info: Any) -> str | None:
        return name.decode(errors="replace") if info.type == h5py.h5l.TYPE_EXTERNAL else None

    found = file.id.links.visit(elsewhere, info=True)
    what = "an external link"
    if found is None:
        what = "data"

        def outside(name: str, item: Any) -> str | None:
            return name if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual) else None

        found = file.visititems(outside)
    if found is not None:
        raise UsageError(
            f"{path}: {found!r} is {what} in another file, which is not followed; copy the file with its contents "
            "(h5repack, or h5py's copy with expand_external)"
        )


def refuse_programs(path: Path) -> None:
    """Look at the description of every array of a zarr folder.

    Raises
    ------
    UsageError
        If a compressor or filter is none of those known to be harmless (pickle runs programs), or the folder holds
        links that lead out of it.
    DamagedError
        If a description cannot be read.
    """
    home = os.path.realpath(path)
    for folder, folders, names in os.walk(path):
        for name in [*folders, *names]:
            target = os.path.join(folder, name)
            if os.path.islink(target) and os.path.commonpath([home, os.path.realpath(target)]) != home:
                raise UsageError(f"{path}: {os.path.relpath(target, path)!r} is a link out of the folder; not followed")
        for name in {".zarray", ".zmetadata", "zarr.json"}.intersection(names):
            _check_codecs(path, Path(folder, name))


def _check_codecs(path: Path, described: Path) -> None:
    try:
        if described.stat().st_size > MOST_METADATA:
            raise ValueError("larger than 64 MiB")
        found = json.loads(described.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(f"{described}: cannot be read: {error}") from error
    for name in _codecs(found):
        if name not in CODECS:
            raise UsageError(
                f"{path}: {described.parent.name!r} is coded by {name!r}, which is not among the known ones"
            )


def _codecs(value: Any) -> list[str]:
    """Names of all compressors, filters and codecs in the description of arrays."""
    out: list[str] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            for key in ("compressor", "filters", "codecs"):
                coded = item.get(key) or []
                each = coded if isinstance(coded, list) else [coded]
                out += [str(one.get("id", one.get("name"))) for one in each if isinstance(one, dict)]
            stack += item.values()
    return out
