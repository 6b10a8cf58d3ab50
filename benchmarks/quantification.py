"""Quantification of a simulated LaFeO3/SrTiO3 map beside HyperSpy/eXSpy, in one run and process.

    python benchmarks/quantification.py [--seed N] [--peer-chips N] [--robust]

512 x 512 pixels, 4096 channels, 59 counts a pixel, from a simulator (tests/helpers/eds_phantom.py) that shares with the
fit nothing but xraylib's numbers. 1089 chips of 15 x 15 pixels, from events to table, CPU seconds. HyperSpy fits a
sample of the same chips, already summed, which costs it nothing here; its time is scaled to 1089.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from helpers import tables

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
import eds_phantom as phantom

from mfsi_core.quantification.export import chip_spectra
from mfsi_core.quantification.quantify import analyse

SHAPE, COUNTS, SIDE = (512, 512), 59.0, 15
REGION = (slice(0, 495), slice(8, 503))  # 33 x 33 chips; the interface lies in the middle of column 16
ELEMENTS = ["La", "Fe", "O", "Sr", "Ti"]
BEST = "calibrated, linear fit"


def cpu(call, repeats=1):
    """Result and least CPU seconds."""
    least = np.inf
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        least = min(least, time.process_time() - start)
    return result, least


def field(detector, seed, shift=0.0):
    edges = phantom.axis()
    spectra = [phantom.phase_spectrum(phase, edges, detector, shift=shift) for phase in phantom.PHASES]
    phase_of = np.zeros(SHAPE, int)
    phase_of[:, 256:] = 1
    return phantom.draw([spectrum for spectrum, _ in spectra], phase_of, COUNTS, seed), spectra


def cost(chips, seconds, bias=None, absent=None):
    """Cells of a row."""
    return [f"{chips:,}", f"{seconds:.2f}", *(None if value is None else f"{value:.3f}" for value in (bias, absent))]


def phases(result):
    """Phase of every chip; -1 at the interface."""
    x0, x1 = result.chips.boxes[:, 1], result.chips.boxes[:, 3]
    return np.where(x1 <= 256, 0, np.where(x0 >= 256, 1, -1))


def truth(phase):
    atoms = phantom.PHASES[phase]
    return {element: 100 * atoms.get(element, 0) / sum(atoms.values()) for element in ELEMENTS}


def accuracy(at, side):
    """Largest bias of present elements, largest mean of absent ones, at%."""
    bias, absent = 0.0, 0.0
    for number, phase in enumerate(phantom.PHASES):
        for j, right in enumerate(truth(phase).values()):
            mean = float(np.nanmean(at[side == number, j]))
            if right:
                bias = max(bias, abs(mean - right))
            else:
                absent = max(absent, abs(mean))
    return bias, absent


def pulls(result, photons, size):
    """Least and largest standard deviation of the pulls of LaFeO3's elements: at%, counts."""
    found = ([], [])
    made = result.composition
    for j, (element, right) in enumerate(truth("LaFeO3").items()):
        if right:
            found[0].append(np.std((100 * made.at[:, j] - right) / (100 * made.at_se[:, j])))
            expected = photons[f"{element}_{phantom.QUANTIFIED[element]}"] * COUNTS * size**2
            found[1].append(np.std((result.counts[:, j] - expected) / result.counts_se[:, j]))
    return [f"{min(values):.3f}-{max(values):.3f}" for values in found]


def hyperspy(spectra, edges, kind):
    """Atomic percent of chips (n, C) by eXSpy: fit, then Cliff-Lorimer with the factors given; and CPU seconds."""
    import exspy
    import hyperspy.api as hs

    hs.preferences.General.show_progressbar = False
    signal = exspy.signals.EDSTEMSpectrum(spectra.astype(float))
    axis = signal.axes_manager.signal_axes[0]
    axis.name, axis.units = "E", "keV"
    axis.scale, axis.offset = (edges[1] - edges[0]) / 1000, (edges[0] + edges[1]) / 2000
    signal.set_microscope_parameters(beam_energy=200, energy_resolution_MnKa=130)
    signal.set_elements(ELEMENTS)
    lines = [f"{element}_{phantom.QUANTIFIED[element]}a" for element in ELEMENTS]
    signal.set_lines(lines)
    start = time.process_time()
    cut = signal.isig[0.15:]
    if kind == BEST:
        total = cut.sum()
        model = total.create_model()
        model.fit_background()
        model.fit()
        for parameter in ("resolution", "scale", "offset"):
            model.calibrate_energy_axis(parameter)
        cut.axes_manager[-1].scale = total.axes_manager[-1].scale
        cut.axes_manager[-1].offset = total.axes_manager[-1].offset
        cut.metadata.Acquisition_instrument.TEM.Detector.EDS.energy_resolution_MnKa = (
            total.metadata.Acquisition_instrument.TEM.Detector.EDS.energy_resolution_MnKa
        )
    model = cut.create_model()
    model.multifit(**({"optimizer": "lstsq"} if kind == BEST else {}))
    areas = {one.metadata.Sample.xray_lines[0]: np.ravel(one.data) for one in model.get_lines_intensity(lines)}
    seconds = time.process_time() - start
    # A component's area is that of the alpha line; to families by this simulator's own shares.
    at = np.stack([areas[line] / alpha(line) / phantom.YIELD[line[:-1]] for line in lines], axis=1)
    return 100 * at / at.sum(axis=1, keepdims=True), seconds


def alpha(line):
    """Share of the alpha lines in the simulated family."""
    lines = phantom.family_lines(line[:-1])
    strongest = max(lines, key=lambda pair: pair[1])[0]
    return sum(share for energy, share in lines if abs(energy - strongest) < 0.015 * strongest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peer-chips", type=int, default=12, help="that HyperSpy fits; 0 leaves it out")
    parser.add_argument("--robust", action="store_true", help="also energies, gain and resolution off")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    edges = phantom.axis()
    events, spectra = field(phantom.Detector(), args.seed)
    options = {"signal": phantom.signal(SHAPE, edges)}
    factors = phantom.factors()

    def table(chips, fit="poisson", region=None):
        result = analyse(events, ELEMENTS, chips, factors, fit=fit, region=region, **options)
        return result, result.table

    table(64)
    table(64, "linear")  # compiled
    (result, _), chips_time = cpu(lambda: table(SIDE, region=REGION), 3)
    side = phases(result)
    bias, absent = accuracy(100 * result.composition.at, side)
    tables.head("chips, events to table", "chips", "CPU s", "bias of present elements, at%", "absent elements, at%")
    tables.row("**mfsi_core**, Poisson maximum likelihood", *cost(result.chips.ids.size, chips_time, bias, absent))
    (pixels, _), pixel_time = cpu(lambda: table("pixels", "linear"), 3)
    tables.row("**mfsi_core**, every pixel by the filter", *cost(pixels.chips.ids.size, pixel_time))
    if args.peer_chips:
        raw = chip_spectra(events, result, **options)
        chosen = np.concatenate([np.flatnonzero(side == n)[: args.peer_chips // 2] for n in (0, 1)])
        for kind in ("default fit", BEST):
            at, seconds = hyperspy(raw[chosen], edges, kind)
            scaled = seconds * result.chips.ids.size / chosen.size
            name = f"HyperSpy, {kind} ({chosen.size} chips, time scaled)"
            tables.row(name, *cost(result.chips.ids.size, scaled, *accuracy(at, side[chosen])))
    tables.head("pulls in LaFeO3 (standard deviation, least to largest)", "at%", "counts")
    for size in (2, 4, 8, 15):
        half = (slice(0, 200), slice(0, 240)) if size < 15 else (slice(None), slice(0, 255))
        at, counts = pulls(table(size, region=half)[0], spectra[0][1], size)
        tables.row(f"{size} x {size} pixels a chip", at, counts)
    if args.robust:
        cases = {
            "energies +5 eV": (phantom.Detector(offset=5.0), 0.0),
            "energies -5 eV": (phantom.Detector(offset=-5.0), 0.0),
            "gain +0.1 %": (phantom.Detector(gain=1.001), 0.0),
            "resolution +5 %": (phantom.Detector(resolution=130 * 1.05), 0.0),
            "resolution -5 %": (phantom.Detector(resolution=130 * 0.95), 0.0),
            "all three": (phantom.Detector(offset=5.0, gain=0.999, resolution=130 * 1.05), 0.0),
        }
        tables.head("the detector is off by", "bias of present elements, at%", "absent elements, at%")
        for name, (detector, shift) in cases.items():
            events, _ = field(detector, args.seed, shift)
            result, _ = table(SIDE, region=REGION)
            bias, absent = accuracy(100 * result.composition.at, phases(result))
            tables.row(name, f"{bias:.2f}", f"{absent:.3f}")


if __name__ == "__main__":
    main()
