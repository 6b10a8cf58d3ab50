"""`mfsi template`: find all repeats of a motif and average them."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lbj import Signal, UsageError
from lbj.exporting.hdf5_file import new_hdf5
from lbj.importing.naming import members
from lbj.outputs import new_folder

from .quantify import BEAM

if TYPE_CHECKING:
    from lbj.frame import Recording

    from ..report.results import Results

Command = Callable[[str, str, str], argparse.ArgumentParser]


def add(command: Command) -> None:
    """Add the command."""
    parser = command(
        "template",
        "find all repeats of a motif and average them",
        "mfsi template series.lbj --at 48,52 --size 9,9 -o motif --upsampling 4 --elements Ti,Ca,O",
    )
    parser.add_argument("file", nargs="+", help="journals; each area is registered by itself, all are pooled")
    parser.add_argument(
        "--at", metavar="Y,X", help="the motif's centre on the first aligned image, px; without it, draw that"
    )
    parser.add_argument("--size", metavar="H,W", help="its rows and columns, px")
    parser.add_argument("-o", "--output", required=True, metavar="DIR")
    parser.add_argument("--upsampling", type=int, default=1, metavar="S", help="output pixels per pixel")
    parser.add_argument("--symmetry", metavar="4mm", help="also seek rotated and mirrored: a plane point group")
    parser.add_argument("--threshold", type=float, metavar="R", help="least correlation of a repeat, -1 to 1")
    parser.add_argument("--positions", metavar="FILE.csv", help="where the repeats are: columns y_px, x_px")
    parser.add_argument("--keep", action="store_true", help="take these positions as they are, not refined")
    parser.add_argument("--every-frame", action="store_true", help="find the repeats anew in every frame")
    parser.add_argument("--elements", metavar="Ti,Ca,O", help="map these elements in the motif")
    parser.add_argument("--beam-energy", **BEAM)
    parser.add_argument("--image", metavar="NAME", help="image to register; default HAADF or the first")
    parser.add_argument("--signal", metavar="NAME", help="spectra to average; default EDX or the first")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ..drawing import need_drawing
    from ..motifs import find_motif, motif_table
    from ..motifs.table import write_table
    from ..tables.lines import check_symbols

    elements = [name.strip() for name in (args.elements or "").split(",") if name.strip()]
    check_symbols(elements or [])
    need_drawing("pandas")
    if args.at is None:
        return _draw(args)
    if args.size is None:
        raise UsageError("--at needs --size H,W, the rows and columns of the motif, px")
    motif: Any = (_pair(args.at, "at", "Y,X"), _pair(args.size, "size", "H,W"))
    given = None if args.positions is None else _read_positions(args.positions)
    with contextlib.ExitStack() as stack:
        known = ("motifs.csv", "motif.h5", "motif.png")
        folder = stack.enter_context(new_folder(args.output, "mfsi template", known, args.file))
        parts = [part for path in args.file for part in _areas(stack, path, args)]
        if given is not None and len(parts) > 1:
            raise UsageError(f"--positions are those of one area of one journal, got {len(parts)} areas")
        found, tables, notes = [], [], []
        for path, view, results in parts:
            name = Path(path).name
            one = find_motif(results.after, motif, given, args.threshold, args.symmetry, refine=not args.keep)
            if args.every_frame:
                one = _followed(view, results, one)
            motif = one.motif
            found.append(one)
            frames = [view[i] for i in range(len(view))]
            numbers, regions = [frame.index for frame in frames], [frame.region or 0 for frame in frames]
            tables.append(motif_table(one, results.registration, name, numbers, regions))
            notes.append(f"{name}: {len(one)} repeats in {len(frames)} frames")
        write_table(tables, folder / "motifs.csv")
        files = ["motifs.csv", *_averages(parts, found, folder, args.upsampling, elements, _pair(args.at, "at", "Y,X"))]
        notes = [*(f"{Path(path).name}: {note}" for path, _, results in parts for note in results.notes), *notes]
        left_out = any(results.registration.left_out.any() for _, _, results in parts)
    print(", ".join(str(Path(args.output) / name) for name in files))
    for note in notes:
        print(f"  note: {note}")
    return 3 if left_out else 0


def _draw(args: argparse.Namespace) -> int:
    """Draw the first area's aligned image, for the motif to be read off."""
    from ..motifs.figure import aligned_figure

    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(new_folder(args.output, "mfsi template", ("aligned.png",), args.file))
        _, _, results = _areas(stack, args.file[0], args)[0]
        (folder / "aligned.png").write_bytes(aligned_figure(results.after, results.pixel_image, results.image_name))
    print(f"{Path(args.output) / 'aligned.png'}: read the motif off it and name it, --at Y,X --size H,W")
    return 0


def _pair(text: str, name: str, form: str) -> tuple[float, float]:
    try:
        first, second = (float(value) for value in text.split(","))
    except ValueError:
        raise UsageError(f"--{name} takes {form}, as 48,52, got {text!r}") from None
    return first, second


def _read_positions(path: str) -> Any:
    """Positions (R, 2) of a table, each once."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if not {"y_px", "x_px"} <= set(rows.fieldnames or []):
            raise UsageError(f"{path} needs the columns y_px and x_px, got {rows.fieldnames}")
        try:
            places = [(float(row["y_px"]), float(row["x_px"])) for row in rows]
        except (TypeError, ValueError) as error:
            raise UsageError(f"{path}, line {rows.line_num}: {error}") from None
    return np.array(list(dict.fromkeys(places))).reshape(-1, 2)


def _areas(stack: contextlib.ExitStack, path: str, args: argparse.Namespace) -> list[tuple[str, Any, Any]]:
    """Register every area of a journal by itself."""
    import lbj

    from ..pipeline.align import register_journal

    journal = stack.enter_context(lbj.open(path))
    regions = list(dict.fromkeys(frame.region for frame in journal))
    wanted = regions if len(regions) > 1 else [None]
    areas = [
        (
            path,
            *register_journal(
                journal,
                [path],
                image=args.image,
                signal=args.signal,
                region=region,
                beam_energy=args.beam_energy,
            ),
        )
        for region in wanted
    ]
    if any(results.after is None for _, _, results in areas):
        raise UsageError(f"{Path(path).name} holds no image in which a motif could be found")
    return areas


def _followed(view: Recording, results: Results, motifs: Any) -> Any:
    from ..motifs import follow_motif

    if results.image_name not in view.signals:
        raise UsageError("--every-frame needs an image in every frame; X-ray counts are too few")
    assert results.registration is not None
    return follow_motif(view, results.registration, motifs, results.image_name)


def _averages(
    parts: list[Any], found: list[Any], folder: Path, upsampling: int, elements: list[str], drawn: tuple[float, float]
) -> list[str]:
    """Write the averages, their picture and the maps; returns the names of the files."""
    from ..motifs import average_motif
    from ..motifs.figure import motif_figure
    from ..pipeline.align import with_spectra

    signals, first = parts[0][1].signals, parts[0][2]
    names = [first.image_name] if first.image_name in signals else []
    names += [first.signal.name] if first.signal is not None else []
    stand = members(names)
    files, shown = ["motif.h5", "motif.png"], None
    with new_hdf5(folder / "motif.h5") as file:
        for name in names:
            declared = signals[name]
            shape = tuple(n * upsampling for n in found[0].size)
            size = shape if declared.kind == "image" else (*shape, declared.channels)
            data = file.create_dataset(f"{stand[name]}/values", size, "f8", compression="lzf", shuffle=True)
            with contextlib.ExitStack() as stack:
                views = [view for _, view, _ in parts]
                if declared.kind != "image":
                    views = [stack.enter_context(with_spectra(view, results)) for _, view, results in parts]
                registrations = [results.registration for _, _, results in parts]
                average = average_motif(views, registrations, found, name, upsampling, out=data)
            file[f"{stand[name]}/coverage"] = average.coverage
            data.attrs["axes"] = json.dumps(average.axes)
            data.attrs["repeats"] = average.repeats
            data.attrs["upsampling"] = upsampling
            if shown is None:
                seen = np.where(average.coverage > 0, average.coverage, np.nan)
                shown = average.mean if declared.kind == "image" else data[:].sum(axis=-1) / seen
            if name == names[-1] and elements:
                files += _maps(average, elements, first, folder)
    fine = first.pixel_image and (first.pixel_image[0] / upsampling, first.pixel_image[1] / upsampling)
    repeats = sum(len(one) for one in found)
    assert shown is not None
    picture = motif_figure(first.after, found[0], shown, first.pixel_image, fine, first.image_name, repeats, drawn)
    (folder / "motif.png").write_bytes(picture)
    return files


def _maps(average: Any, elements: list[str], results: Results, folder: Path) -> list[str]:
    """Map elements in the average, as if every pixel had been sampled as often as the best."""
    from ..drawing import map_picture
    from ..maps.lines import element_maps
    from ..text import greek

    if results.eels or average.signal.kind == "image":
        raise UsageError("--elements maps X-ray lines, and the journal holds no X-ray spectra")
    cube = np.nan_to_num(average.mean) * average.coverage.max()
    about = average.signal.metadata
    signal = Signal("motif", "spectra", cube.shape, dtype="float64", axes=average.axes, metadata=about)
    steps = (average.axes[0]["scale"], average.axes[1]["scale"])
    pixel = steps if average.axes[1]["units"] == "m" else None
    files = []
    for one in element_maps(cube, elements, signal, beam_energy=results.metadata.get("beam_energy")).values():
        results.notes += [f"Map of {greek(one.line)} in the motif: {flag.rstrip('.')}." for flag in one.flags]
        np.save(folder / f"map-{one.line}.npy", one.values)
        (folder / f"map-{one.line}.png").write_bytes(map_picture(one.values, pixel, greek(one.line)))
        files += [f"map-{one.line}.npy", f"map-{one.line}.png"]
    return files
