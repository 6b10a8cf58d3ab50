"""Velox EMD: the X-ray streams, EELS spectrum images and images of every frame, read with h5py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..signal import Signal
from . import velox_eels as eels
from . import velox_metadata as vm
from . import velox_stream as vs
from .arrays import open_hdf5
from .naming import share_field, unique_names
from .notes import aside, left_out
from .source import Frame, Source
from .units import linear_axis
from .velox_images import Picture, frames, space_axes
from .velox_scan import place
from .velox_series import Found, Series, find, series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np


def read(path: Path) -> Source:
    """Open a Velox file; see `lbj.importing.open_source`."""
    notes: list[str] = []
    with open_hdf5(path) as file:
        found = find(path, file, notes)
        elements = vm.chosen_elements(file)
    return _Reading(path, found, series(path, found, notes), notes).source(elements)


class _Reading:
    """One file on its way into a source."""

    def __init__(self, path: Path, found: Found, frames: Series, notes: list[str]) -> None:
        self.path, self.found, self.series, self.notes = path, found, frames, notes
        self.pixels = math.prod(frames.shape)
        self.streams = dict(zip(_names("EDX", len(found.streams)), found.streams, strict=True))
        energies = [{"offset": cube.offset or 0.0} for cube in found.cubes]
        self.cubes = dict(zip(unique_names(["EELS"] * len(found.cubes), energies), found.cubes, strict=True))
        self.sums = dict(zip(_names("EDX", len(found.sums)), found.sums, strict=True))
        shown = [*frames.images, *frames.surveys]
        named = unique_names([p.name for p in shown], [None] * len(shown))
        self.images = dict(zip(named, frames.images, strict=False))
        self.surveys = dict(zip(named[len(frames.images) :], frames.surveys, strict=True))

    def source(self, elements: list[str]) -> Source:
        """Return signals, attributes and notes."""
        signals = [*self._event_signals(), *self._eels_signals()]
        signals += [picture.signal(name) for name, picture in self.images.items()]
        static: dict[str, Any] = {}
        for name, picture in self.surveys.items():
            where = place(picture.scan, picture.pixels, self.series.scan, self.series.shape)
            if where is None:
                self.notes.append(f"{name}: where this survey image lies in the field of the frames is not known")
            signals.append(picture.signal(name, "survey", where))
            static[name] = self._single(picture)
        alone = bool(self.sums) and not self.images and not self.cubes
        for name, one in self.sums.items():
            signals.append(one.signal(name, None if alone else "survey", self.series.shape, several=len(self.sums) > 1))
            if not alone:
                static[name] = one.values
        if self.sums and not alone:
            self.notes.append("EDX: a sum over the whole field and all frames, which stands beside the frames")
        timed = [signal.name for signal in signals if not signal.static]
        metas = self._frame_metas()
        attributes = [self._attributes(i, metas, timed) for i in range(self.series.n_frames)]
        if any("live_time" in item for item in attributes) and not self.series.point:
            self.notes.append(
                aside("live_time is the detectors' live fraction during the frame times pixels times dwell time")
            )
        if started := vm.start_time(self.found.meta):
            attributes[0]["start_time"] = started
        share_field(signals)
        metadata = vm.series_metadata(self.found.meta, elements)
        angle = next((a for cube in self.found.cubes if (a := vm.eels_collection_angle(cube.meta))), None)
        if angle is not None:
            metadata["collection_angle"] = angle
        self._solid_angle(metadata)
        frames = self._frames(attributes, alone)
        return Source(signals, frames, len(attributes), static, metadata, list(dict.fromkeys(self.notes)))

    def _solid_angle(self, metadata: dict[str, Any]) -> None:
        repeated, whole = vm.repeated_solid_angle(self.found.meta)
        if not repeated or not (self.streams or self.sums):
            return
        self.notes.append(
            "EDX: the segments state solid angles that they cannot all have"
            + (f", {whole:g} sr each: it is taken for the whole detector's" if whole else "; none is kept")
        )
        if whole:
            metadata["solid_angle"] = {"EDX": whole}

    def _event_signals(self) -> list[Signal]:
        alike = len({stream.channels for stream in self.streams.values()}) == 1
        group = "EDX" if len(self.streams) > 1 and alike else None
        out = []
        self._note_tails()
        for name, stream in self.streams.items():
            offset, dispersion = vm.energy_calibration(stream.meta, stream.name)
            out.append(
                Signal(
                    name,
                    "events",
                    (*self.series.shape, stream.channels),
                    axes=[
                        *space_axes(stream.meta, self.series.shape),
                        linear_axis("energy", stream.channels, offset, dispersion, "eV"),
                    ],
                    group=group,
                    metadata=vm.detector_metadata(stream.meta, stream.name),
                )
            )
        return out

    def _note_tails(self) -> None:
        """Note the counts behind the last markers: of a pixel that was not finished, or too many."""
        if self.series.point:
            return
        of = "" if len(self.streams) == 1 else f" of {len(self.streams)} detectors"
        room = self.series.n_frames * self.pixels
        kept = sum(stream.tail for stream in self.streams.values() if stream.markers < room)
        lost = sum(stream.tail for stream in self.streams.values() if stream.markers >= room)
        if kept:
            self.notes.append(f"EDX: the last {kept} counts{of} belong to a pixel that was not finished")
        if lost:
            self.notes.append(left_out(f"EDX: {lost} counts{of} behind the last pixel marker dropped"))

    def _eels_signals(self) -> list[Signal]:
        out = []
        for name, cube in self.cubes.items():
            if cube.n_frames != self.series.n_frames:
                kept = min(cube.n_frames, self.series.n_frames)
                self.notes.append(
                    left_out(f"{name}: has {cube.n_frames} of {self.series.n_frames} frames, of which {kept} are kept")
                )
            same = self.streams and cube.shape[:2] == self.series.shape
            out.append(cube.signal(name, space_axes(self.found.meta if same else cube.meta, cube.shape[:2])))
        return out

    def _single(self, picture: Picture) -> np.ndarray:
        with open_hdf5(self.path) as file:
            return next(frames(self.path, file[picture.path]))

    def _frame_metas(self) -> list[vm.Item]:
        """Return the metadata of each frame: those of an image that every frame has, else those of a stream."""
        every = [picture.metas for picture in self.images.values()] + [stream.metas for stream in self.found.streams]
        whole = [metas for metas in every if len(metas) >= self.series.n_frames]
        return next(iter(whole or [metas for metas in every if metas]), [self.found.meta])

    def _attributes(self, frame: int, metas: list[vm.Item], timed: list[str]) -> dict[str, Any]:
        out = vm.frame_attributes(metas[frame]) if frame < len(metas) else {}
        for name, cube in self.cubes.items():
            if frame < cube.n_frames:
                for key, value in cube.attributes(frame).items():
                    out.setdefault(key, {})[name] = value
        for name, picture in self.images.items():
            exposure = vm.camera_exposure(picture.metas[frame]) if frame < len(picture.metas) else None
            if exposure is not None:
                out.setdefault("exposure", {})[name] = exposure
        if self.series.point:
            return {**out, **self._point_times()}
        scanned = {
            name: max(0, min(stream.markers - frame * self.pixels, self.pixels))
            for name, stream in self.streams.items()
        }
        if scanned and min(scanned.values()) < self.pixels:
            out["scanned_pixels"] = scanned
        dwell = self.series.scan.dwell
        if dwell is None:
            return out
        out["dwell_time"] = dict.fromkeys(timed, dwell)
        real = {name: n * dwell for name, n in scanned.items()}
        live = {}
        for name, stream in self.streams.items():
            fraction = vm.live_fraction(metas, frame, stream.name, self.pixels * dwell)
            if fraction is None:
                fraction = vm.live_fraction(stream.metas, frame, stream.name, self.pixels * dwell)
            if fraction is not None:
                live[name] = fraction * real[name]
        return {**out, **({"real_time": real} if real else {}), **({"live_time": live} if live else {})}

    def _point_times(self) -> dict[str, dict[str, float]]:
        """Return live and real time (s) of spectra of one point, which the detectors state."""
        out: dict[str, dict[str, float]] = {}
        timed = [(name, one.meta, one.name) for name, one in self.streams.items()]
        timed += [(name, one.meta, one.name) for name, one in self.sums.items()]
        for name, meta, detector in timed:
            for key, value in vm.detector_times(meta, detector).items():
                out.setdefault(key, {})[name] = value
        return out

    def _frames(self, attributes: list[dict[str, Any]], sums_alone: bool) -> Iterator[Frame]:
        n, shape = len(attributes), self.series.shape
        with open_hdf5(self.path) as file:
            readers: dict[str, Iterator[Any]] = {
                name: vs.frames(self.path, file[stream.path], stream, shape, n) for name, stream in self.streams.items()
            }
            for name, cube in self.cubes.items():
                readers[name] = eels.frames(self.path, file[cube.path], cube)
            for name, picture in self.images.items():
                readers[name] = frames(self.path, file[picture.path])
            for i, item in enumerate(attributes):
                there = {name for name in readers if name not in self.cubes or i < self.cubes[name].n_frames}
                data = {name: next(reader) for name, reader in readers.items() if name in there}
                if sums_alone and i == 0:
                    data.update((name, one.data()) for name, one in self.sums.items())
                yield data, item


def _names(name: str, n: int) -> list[str]:
    return unique_names([name] * n, [None] * n)
