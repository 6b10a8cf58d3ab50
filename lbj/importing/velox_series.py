"""Velox series: what a file holds, and what of it are the frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError, UsageError
from . import velox_metadata as vm
from .arrays import stored
from .notes import aside, left_out
from .velox_eels import Cube, cubes
from .velox_images import Picture, pictures
from .velox_scan import Scan, scan_of, together
from .velox_stream import MARKER, Stream, count
from .velox_sums import Sum, sums

if TYPE_CHECKING:
    from pathlib import Path

READ = {"SpectrumStream", "EelsSpectrumImage", "Image", "Spectrum"}
MADE = {"SpectrumImage": "the vendor's cube, made from the streams", "Text": "the program's log"}


@dataclass(eq=False)
class Found:
    """What a file holds."""

    streams: list[Stream]
    cubes: list[Cube]
    pictures: list[Picture]
    sums: list[Sum]

    @property
    def meta(self) -> vm.Item:
        """Metadata of what the frames are made of."""
        if self.streams:
            return self.streams[0].meta
        if self.cubes:
            return self.cubes[0].meta
        return self.pictures[0].meta if self.pictures else self.sums[0].meta


@dataclass(eq=False)
class Series:
    """The frames: their pixels, their number, and which images they have."""

    scan: Scan
    shape: tuple[int, int]
    n_frames: int
    images: list[Picture]
    surveys: list[Picture]
    point: bool = False  # the beam stood still


def find(path: Path, file: Any, notes: list[str]) -> Found:
    """Return what an open file holds.

    Raises
    ------
    UsageError
        If nothing of it can be read.
    DamagedError
        If a stream or cube contradicts its settings.
    """
    streams = _streams(path, file, notes)
    out = Found(streams, cubes(path, file, notes), pictures(path, file, notes), sums(path, file, notes))
    held = {name: len(group) for name, group in vm.groups(file, "Data")}
    if not (out.streams or out.cubes or out.pictures or out.sums):
        named = ", ".join(f"{n} {name}" for name, n in sorted(held.items())) or "nothing"
        raise UsageError(
            f"{path}: this Velox file holds neither spectra nor images that can be read (Data holds "
            f"{'; '.join([named, *notes])}); if it was pruned, save it again with the raw stream"
        )
    if out.sums and out.streams:
        notes.append(aside(f"{len(out.sums)} spectra left out: they are sums over the streams"))
        out.sums = []
    if "SpectrumImage" in held and not streams:
        notes.append(
            left_out(
                "spectrum image left out: the file was pruned, and without the raw stream its frames cannot be told "
                "apart; save it again with the raw stream"
            )
        )
        held.pop("SpectrumImage")
    notes += [
        aside(f"{name} left out: {MADE[name]}")
        if name in MADE
        else left_out(f"{name} left out: {n} data sets of a kind that is not read")
        for name, n in held.items()
        if n and name not in READ and "Quantification" not in name
    ]
    notes.append(aside("left out: settings of lenses, vacuum, energy filter, displays and quantification"))
    return out


def _streams(path: Path, file: Any, notes: list[str]) -> list[Stream]:
    out = []
    for key, group in vm.groups(file, "Data/SpectrumStream"):
        where = f"/Data/SpectrumStream/{key}"
        for member in ("Data", "AcquisitionSettings"):
            if vm.dataset(group, member) is None:
                raise DamagedError(f"{path}: {where} has no member {member!r}")
        settings = vm.first(group, "AcquisitionSettings")
        channels = str(settings.get("bincount", ""))
        encoding = settings.get("StreamEncoding", settings.get("encoding", "uint16"))
        words = group["Data"]
        if encoding != "uint16" or words.dtype != np.uint16 or words.ndim != 2 or words.shape[1] != 1:
            raise DamagedError(
                f"{path}: {where}/Data must be a column of uint16 words, found {words.dtype} of shape {words.shape} "
                f"with stream encoding {encoding!r}"
            )
        if not channels.isdigit() or not 1 <= int(channels) <= MARKER:
            raise DamagedError(
                f"{path}: {where}/AcquisitionSettings: bincount must be 1 to {MARKER}, found {channels!r}"
            )
        metas = vm.columns(path, group)
        name = str(vm.dig(metas[0], "BinaryResult", "Detector") or "") if metas else ""
        stream = Stream(f"{where}/Data", int(channels), metas, name)
        count(path, stored(path, words), stream)
        out.append(stream)
    if out and not any(stream.markers or stream.tail for stream in out):
        notes.append(left_out(f"{len(out)} spectrum streams left out: they hold neither counts nor pixels"))
        return []
    return sorted(out, key=lambda stream: stream.name)


def series(path: Path, found: Found, notes: list[str]) -> Series:
    """Return what the frames are; the scan's settings decide, images only where they say nothing."""
    scan = scan_of(found.meta)
    if not found.streams and not found.cubes:
        return _series_of_images(found, scan, notes)
    markers = max((stream.markers for stream in found.streams), default=0)
    shape = found.cubes[0].shape[:2] if not found.streams else scan.shape
    point = bool(found.streams) and markers == 0 and shape is None
    if point:
        shape = (1, 1)
    shape = shape or _shape_by_images(path, markers, found.pictures, scan)
    pixels = math.prod(shape)
    n_frames = max(1, -(-markers // pixels)) if found.streams else found.cubes[0].n_frames
    own = [p for p in found.pictures if not point and together(p.scan, p.pixels, scan, shape)]
    depth = max((p.shape[2] for p in own), default=0)
    if depth > 1 and depth != n_frames:
        kept = min(n_frames, depth)
        notes.append(left_out(f"the streams hold {n_frames} frames, the images {depth}: the first {kept} are kept"))
        n_frames = kept
    images = [p for p in own if p.shape[2] >= n_frames]
    return Series(scan, shape, n_frames, images, _surveys(found.pictures, images, n_frames, notes), point)


def _shape_by_images(path: Path, markers: int, images: list[Picture], scan: Scan) -> tuple[int, int]:
    """Return the shape of the images whose number explains the pixels of the stream best."""
    ranked = [
        ((-(-markers // math.prod(p.pixels)) == p.shape[2], p.shape[2]), p.pixels)
        for p in images
        if together(p.scan, p.pixels, scan, p.pixels)
    ]
    best = {pixels for rank, pixels in ranked if rank == max(ranked)[0]}
    if len(best) != 1:
        found = ", ".join(f"{ny} x {nx}" for ny, nx in sorted(best)) or "none"
        raise DamagedError(
            f"{path}: the scan's settings do not tell the size of the spectrum image, and its {markers} pixels fit "
            f"images of several sizes or of none: {found}"
        )
    return best.pop()


def _series_of_images(found: Found, scan: Scan, notes: list[str]) -> Series:
    if not found.pictures:
        return Series(scan, (1, 1), 1, [], [], point=True)
    first = found.pictures[0]
    images = [
        p
        for p in found.pictures
        if p.shape[2] == first.shape[2] and together(p.scan, p.pixels, first.scan, first.pixels)
    ]
    surveys = _surveys(found.pictures, images, first.shape[2], notes)
    return Series(first.scan, first.pixels, first.shape[2], images, surveys)


def _surveys(every: list[Picture], images: list[Picture], n_frames: int, notes: list[str]) -> list[Picture]:
    """Return the single images of no frame; stacks of no frame are named in the notes."""
    others = [p for p in every if p not in images]
    notes += [
        left_out(
            f"images of {p.name} left out: {p.shape[2]} of {p.shape[0]} x {p.shape[1]} pixels, which are not those of "
            f"the {n_frames} frames"
        )
        for p in others
        if p.shape[2] > 1
    ]
    return [p for p in others if p.shape[2] == 1]
