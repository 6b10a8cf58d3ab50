"""`mfsi chart`: a data-compression chart for EELS spectra, and what is printed of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import lbj
from lbj import UsageError
from lbj.format.records import open_file
from lbj.loss import losses
from lbj.outputs import new_files

from ..drawing import need_drawing
from .arguments import energies, symbols

if TYPE_CHECKING:
    from ..compression.chart import Chart


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command(
        "chart",
        "pick a data-compression chart for EELS spectra",
        "mfsi chart series.lbj --elements Ti,Ca,O --plot chart.png",
    )
    parser.add_argument("file", help="a journal")
    parser.add_argument("--elements", type=symbols, metavar="Ti,Ca,O", help="whose edges are to be kept")
    parser.add_argument("--edges", type=energies, metavar="456,532", help="energies of edges to be kept, eV")
    parser.add_argument("--signal", metavar="NAME", default="EELS", help="the spectra; default EELS")
    parser.add_argument("--step", type=float, default=0.5, metavar="SIGMA", help="quantisation step; default 0.5")
    parser.add_argument(
        "--shifts",
        metavar="FILE.npy|NAME|0",
        help="energy shifts in eV, the low-loss signal to measure them on, or 0: the axis is steady",
    )
    parser.add_argument("--plot", metavar="OUT.png", help="draw the chart and what it leaves of a spectrum")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    text = report(
        args.file, elements=args.elements, edges=args.edges, signal=args.signal, step=args.step, shifts=args.shifts,
        plot=args.plot, as_json=args.json,
    )  # fmt: skip
    print(text)
    return 0


def report(
    path: str,
    *,
    elements: list[str] | None,
    edges: list[float] | None,
    signal: str,
    step: float,
    shifts: str | None,
    plot: str | None,
    as_json: bool,
) -> str:
    """Pick the chart of a journal, draw it where asked for, and describe it.

    Parameters
    ----------
    path : str
        Journal.
    elements, edges, signal, step
        As for `chart.pick_chart`.
    shifts : str, optional
        An ``.npy`` file of shifts, the name of the low-loss signal, or 0: none are needed.
    plot : str, optional
        PNG to write.
    as_json : bool
        A JSON object in place of the text, whose first line is the coding string.
    """
    from ..compression.chart import pick_chart  # loads numba, which `mfsi --help` can do without

    if plot and not plot.lower().endswith(".png"):
        raise UsageError(f"the picture is a PNG: --plot must end in .png, got {plot!r}")
    if plot:
        need_drawing()
    given: Any = shifts
    if shifts and shifts.endswith(".npy"):
        try:
            with open_file(shifts) as file:
                given = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UsageError(f"--shifts: {shifts!r} cannot be read: {error}") from None
    with lbj.open(path) as journal:
        if shifts == "0":
            given = np.zeros(len(journal))
        chart = pick_chart(journal, elements, edges, signal, step, given)
        chart.notes.extend(loss.line(name) for name, loss in losses(journal).items())
    if plot:
        from ..compression.figure import chart_figure

        with new_files(plot, path) as part:
            part.write_bytes(chart_figure(chart))
    return json.dumps(as_dict(chart), indent=2) if as_json else describe(chart)


def describe(chart: Chart) -> str:
    """Coding string, then what it keeps and the energy shifts to apply, a line each."""
    points = f"{chart.starts.size} of {chart.axis.size} points stored at {chart.step:g} sigma"
    lines = [chart.coding, f"  {points}: about {chart.ratio:.0f} times smaller than float32"]
    lines += [f"  edge {edge.name.replace('_', ' ')}: {_around(chart, edge.energy)}" for edge in chart.edges]
    lines += [f"  note: {note}" for note in chart.notes]
    return "\n".join([*lines, *_shift_lines(chart)])


def _around(chart: Chart, energy: float) -> str:
    """Bins that hold an edge's onset: their width and how far they reach."""
    width = float(chart.axis[1] - chart.axis[0])
    sizes = np.diff(chart.starts, append=chart.axis.size)
    channel = int(np.argmin(np.abs(chart.axis - energy)))
    at = int(np.searchsorted(chart.starts, channel, side="right")) - 1
    fine = sizes <= 2 * sizes[at]
    first = at - int(np.argmin(np.append(fine[: at + 1][::-1], False))) + 1
    last = at + int(np.argmin(np.append(fine[at:], False))) - 1
    low, high = chart.axis[chart.starts[first]], chart.axis[chart.starts[last] + sizes[last] - 1]
    return f"{energy:.1f} eV, {sizes[at] * width:g} eV per point, fine from {low:.0f} to {high:.0f} eV"


def _shift_lines(chart: Chart) -> list[str]:
    from ..compression.drift import LARGEST

    if chart.shifts is None:
        drift = chart.drift
        assert drift is not None
        if not drift.known:
            return ["  energy shifts to apply: none known"]
        seen = f"seen on the {drift.by}, is {drift.range:.2f} channels, at most {drift.limit:.2f}"
        return [f"  energy shifts to apply: none; the drift, {seen} ({LARGEST:g} are allowed)"]
    lines = ["  energy shifts to apply before coding, eV (true energy = axis value + shift):"]
    for index, frame in enumerate(chart.shifts):
        finite = frame[np.isfinite(frame)]
        if finite.size:
            lines.append(
                f"    frame {index}: median {np.median(finite):+.3f}, {finite.min():+.3f} to {finite.max():+.3f}"
            )
        else:
            lines.append(f"    frame {index}: unknown")
    return lines


def as_dict(chart: Chart) -> dict[str, Any]:
    """Everything a program needs of a chart; energies in eV, shifts per frame (median over its pixels)."""
    drift = chart.drift
    return {
        "coding": chart.coding,
        "step": chart.step,
        "points": int(chart.starts.size),
        "channels": int(chart.axis.size),
        "ratio": round(chart.ratio, 2),
        "blocks": [list(block) for block in chart.blocks],
        "edges": [{"name": edge.name, "energy": edge.energy} for edge in chart.edges],
        "kept": [list(stretch) for stretch in chart.kept],
        "drift": None
        if drift is None
        else {
            "channels": drift.range,
            "limit": drift.limit if np.isfinite(drift.limit) else None,
            "between": drift.where,
            "by": drift.by,
        },
        "shifts_eV": None
        if chart.shifts is None
        else [float(np.nanmedian(frame)) if np.isfinite(frame).any() else None for frame in chart.shifts],
        "noise": {"gain": chart.noise.gain, "read": chart.noise.read},
        "notes": chart.notes,
    }
