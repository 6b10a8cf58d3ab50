"""`mfsi maps`: maps of elements."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from lbj import UsageError
from lbj.outputs import new_folder

from . import quantify
from .arguments import add_elements, add_maps, add_signals, tell


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command("maps", "map elements", "mfsi maps series.lbj -o maps --elements Ti,Ca,O")
    parser.add_argument("file", help="a journal, or the sum that mfsi accumulate wrote")
    parser.add_argument("-o", "--output", required=True, metavar="DIR")
    add_elements(parser)
    add_maps(parser)
    parser.add_argument("--beam-energy", **quantify.BEAM)
    parser.add_argument("--tif", action="store_true", help="also TIFFs with pixel size, map and standard error")
    add_signals(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ..drawing import need_drawing
    from ..pipeline.align import register_journal, with_spectra
    from ..pipeline.maps import add_element_maps
    from ..report.page import map_pictures, write_maps
    from ..series.selection import spectra_signal
    from .opening import opened

    need_drawing()
    with new_folder(args.output, "mfsi maps", inputs=[args.file]) as folder, opened(args.file) as journal:
        if spectra_signal(journal, args.signal) is None:
            raise UsageError(f"{args.file!r} holds no spectra to map")
        view, results = register_journal(
            journal, [args.file], image=args.image, signal=args.signal, beam_energy=args.beam_energy
        )
        with with_spectra(view, results) as holding:
            add_element_maps(holding, results, args.elements, maps=args.maps, align_edges=args.align_edges)
        write_maps(results, folder, tif=args.tif)
        for name, data in map_pictures(results).items():
            (folder / f"{name}.png").write_bytes(data)
            results.files.append(f"{name}.png")
    return tell(results, ", ".join(sorted(results.files)) or "no map")
