"""mfsi_core: align, accumulate and analyse multi-frame spectrum images.

accumulation/    all frames of a registered series summed into one aligned image or spectrum image
acquisition/     one recorder for any instrument; what it shows is described in `docs/acquisition.md`
cli.py           the `mfsi` command: its list of subcommands (a file each in commands/) and its exit codes
cluster/         frames and areas on the workers of dask.distributed; the results are those of one process
commands/        what `mfsi` does, a file a command
components/      scree of a series: how many independent spectra (principal components) its sums hold
compression/     the data-compression chart of EELS spectrum images
drawing.py       figures by matplotlib without a screen, and what all of ours share: scale bars, maps, colours
edx/             the X-ray spectrum: detector, families of lines, energy calibration, peaks, and the fit
eels/            energy axes, backgrounds, noise and denoising of electron energy-loss spectra
geometry/        where pixels of frames lie in the scene
host/            sessions and the recorder for programs in any language, by JSON lines or on the loopback
hyperspy/        `hs.load("x.lbj")` and `signal.save("x.lbj")`, with no import of ours
instruments/     what records frames
live/            what the microscope's program uses while a series is being recorded
maps/            counts of X-ray lines and ionisation edges, pixel by pixel, with their variance
motifs/          template matching: repeats of a motif, found on the aligned image and averaged in event space
pipeline/        a series from its files to a report, with everything that applies
planning/        what a series costs in time, dose and bytes, and what its maps will show
quantification/  from X-ray spectra of chips to a table of compositions
registration/    where every pixel of every frame sampled the scene, measured on images
report/          what a run found, its pictures and tables, and the page that shows them
rigid.py         former name of `registration.rigid.align`, kept for programs that import it
series/          one signal of a recording, frame by frame, whatever it was given as
simulation/      series whose truth is known
tables/          X-ray lines, ionisation edges and constants of the elements, with the programs that make them
text.py          numbers, sizes, times and currents as text, and names of lines with Greek letters
viewer/          the viewer of journals and the planner, and the loopback server that shows them
window/          a page on the loopback that drives a recorder, and goes on when page or server are started again
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accumulation.accumulate import accumulate, common_region, coverage
    from .components.result import Scree
    from .components.scree import scree, variance_ratios, with_sum
    from .compression.chart import Chart, pick_chart
    from .eels.denoising import denoise
    from .eels.descan import descan_plane
    from .eels.gain_averaging import gain_average
    from .eels.shift_spectra import shift_spectra, write_shifts
    from .eels.zero_loss import zero_loss_shift
    from .geometry.registration import Registration
    from .live.session import Session
    from .maps.edges import edge_map
    from .maps.lines import element_maps, line_map
    from .maps.map import Map, map_snr
    from .motifs.averages import Average, average_motif
    from .motifs.finding import Motifs, find_motif
    from .motifs.following import follow_motif
    from .motifs.table import motif_table
    from .pipeline.plugins import Analysis, analyse
    from .pipeline.run import run
    from .planning import Plan, counts_per_nm2, plan, resolvability
    from .quantification.quantify import quantify
    from .quantification.standards import k_from_standard
    from .registration.incremental import IncrementalRegistration, Registrar
    from .registration.register import register
    from .simulation.edx import Simulation, simulate
    from .tables.edges import edges_of
    from .tables.lines import best_line, line_energy, lines_of

__all__ = [
    "Analysis",
    "Average",
    "Chart",
    "IncrementalRegistration",
    "Map",
    "Motifs",
    "Plan",
    "Registrar",
    "Registration",
    "Scree",
    "Session",
    "Simulation",
    "accumulate",
    "analyse",
    "average_motif",
    "best_line",
    "common_region",
    "counts_per_nm2",
    "coverage",
    "denoise",
    "descan_plane",
    "edge_map",
    "edges_of",
    "element_maps",
    "find_motif",
    "follow_motif",
    "gain_average",
    "k_from_standard",
    "line_energy",
    "line_map",
    "lines_of",
    "map_snr",
    "motif_table",
    "pick_chart",
    "plan",
    "quantify",
    "register",
    "resolvability",
    "run",
    "scree",
    "shift_spectra",
    "simulate",
    "variance_ratios",
    "with_sum",
    "write_shifts",
    "zero_loss_shift",
]

# Imported when first named, so that importing the package stays quick.
_HOMES = {
    "Analysis": ".pipeline.plugins",
    "Average": ".motifs.averages",
    "Chart": ".compression.chart",
    "IncrementalRegistration": ".registration.incremental",
    "Map": ".maps.map",
    "Motifs": ".motifs.finding",
    "Plan": ".planning",
    "Registrar": ".registration.incremental",
    "Registration": ".geometry.registration",
    "Scree": ".components.result",
    "Session": ".live.session",
    "Simulation": ".simulation.edx",
    "accumulate": ".accumulation.accumulate",
    "analyse": ".pipeline.plugins",
    "average_motif": ".motifs.averages",
    "best_line": ".tables.lines",
    "common_region": ".accumulation.accumulate",
    "counts_per_nm2": ".planning",
    "coverage": ".accumulation.accumulate",
    "denoise": ".eels.denoising",
    "descan_plane": ".eels.descan",
    "edge_map": ".maps.edges",
    "edges_of": ".tables.edges",
    "element_maps": ".maps.lines",
    "find_motif": ".motifs.finding",
    "follow_motif": ".motifs.following",
    "gain_average": ".eels.gain_averaging",
    "k_from_standard": ".quantification.standards",
    "line_energy": ".tables.lines",
    "line_map": ".maps.lines",
    "lines_of": ".tables.lines",
    "map_snr": ".maps.map",
    "motif_table": ".motifs.table",
    "pick_chart": ".compression.chart",
    "plan": ".planning",
    "quantify": ".quantification.quantify",
    "register": ".registration.register",
    "resolvability": ".planning",
    "run": ".pipeline.run",
    "scree": ".components.scree",
    "shift_spectra": ".eels.shift_spectra",
    "simulate": ".simulation.edx",
    "variance_ratios": ".components.scree",
    "with_sum": ".components.scree",
    "write_shifts": ".eels.shift_spectra",
    "zero_loss_shift": ".eels.zero_loss",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mfsi_core' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
