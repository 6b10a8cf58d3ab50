"""Phantom: events of a LaFeO3/SrTiO3 interface from a simulator that shares nothing with the fit but xraylib's numbers.

K and L subshells are ionised by M. Gryzinski's cross-section (Phys. Rev. 138 (1965) A336), where the beam has the energy;
vacancies move on by Coster-Kronig transitions and decay by xraylib's rates and yields. M subshells, for most of which it has
no Coster-Kronig transitions, hold vacancies in proportion to their electrons. There is no detector's efficiency; the tail is
a sum of shifted Gaussians; the background is Kramers' law, absorbed at low energies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.special import ndtr

import lbj

PHASES = {"LaFeO3": {"La": 1, "Fe": 1, "O": 3}, "SrTiO3": {"Sr": 1, "Ti": 1, "O": 3}}
# Photons counted per atom, in one unit: about what published factors at 200 kV imply.
YIELD = {
    "La_L": 69.0, "La_M": 40.0, "Fe_K": 44.0, "Fe_L": 15.0, "O_K": 8.4, "Sr_K": 24.0, "Sr_L": 55.0, "Ti_K": 45.0,
    "Ti_L": 8.0, "Cu_K": 40.0,
}  # fmt: skip
WEIGHT = {"La": 138.905, "Fe": 55.845, "O": 15.999, "Sr": 87.62, "Ti": 47.867, "Cu": 63.546}
QUANTIFIED = {"La": "L", "Fe": "K", "O": "K", "Sr": "K", "Ti": "K", "Cu": "K"}
LA_M = [(833.0, 0.55), (854.0, 0.25), (640.0, 0.2)]
SHELLS = {"K": ["K"], "L": ["L1", "L2", "L3"], "M": ["M1", "M2", "M3", "M4", "M5"]}
BEAM = 200e3  # eV


def _number(function, *arguments):
    """A value of xraylib; 0 where it has none."""
    try:
        return function(*arguments)
    except ValueError:
        return 0.0


def ionisation(edge, beam):
    """Cross-section of one electron bound by `edge`, in one unit; 0 where the beam (both eV) has less energy."""
    u = beam / edge
    if u <= 1:
        return 0.0
    return ((u - 1) / (u + 1)) ** 1.5 / u * (1 + 2 / 3 * (1 - 1 / (2 * u)) * np.log(2.7 + np.sqrt(u - 1))) / edge**2


def vacancies(element, family, beam):
    """Vacancies of every subshell, in one unit, after Coster-Kronig transitions; of M, electrons."""
    import xraylib

    z = xraylib.SymbolToAtomicNumber(element)
    index = {shell: getattr(xraylib, f"{shell}_SHELL") for shell in SHELLS[family]}
    electrons = {shell: _number(xraylib.ElectronConfig, z, i) for shell, i in index.items()}
    if family == "M":
        return electrons
    edges = {shell: 1000 * _number(xraylib.EdgeEnergy, z, i) for shell, i in index.items()}
    out = {shell: edge and electrons[shell] * ionisation(edge, beam) for shell, edge in edges.items()}
    for upper, lower in combinations(SHELLS[family], 2):
        moved = getattr(xraylib, f"F{upper[0]}{upper[1]}{lower[1]}_TRANS")
        out[lower] += out[upper] * _number(xraylib.CosKronTransProb, z, moved)
    return out


@lru_cache
def family_lines(name, beam=BEAM):
    """Energies (eV) and shares of a family's lines."""
    import xraylib

    element, family = name.split("_")
    if name == "La_M":
        return LA_M
    z = xraylib.SymbolToAtomicNumber(element)
    found = []
    for shell, amount in vacancies(element, family, beam).items():
        outer = "".join(letter for letter in "KLMNO" if letter > shell[0] or (shell == "K" and letter != "K"))
        for line in (n for n in dir(xraylib) if n.startswith(shell) and n.endswith("_LINE")):
            transition = line[len(shell) : -5]
            if len(transition) != 2 or transition[0] not in outer or not transition[1].isdigit():
                continue
            try:
                energy = 1000 * xraylib.LineEnergy(z, getattr(xraylib, line))
                rate = xraylib.RadRate(z, getattr(xraylib, line))
                index = getattr(xraylib, f"{shell}_SHELL")
                rate *= xraylib.FluorYield(z, index) * amount
            except ValueError:
                continue
            if energy > 0 and rate > 0:
                found.append((energy, rate))
    total = sum(rate for _, rate in found)
    return [(energy, rate / total) for energy, rate in found]


@dataclass
class Detector:
    offset: float = 0.0  # eV
    gain: float = 1.0
    resolution: float = 128.0  # eV at Mn Ka
    tail: float = 0.01
    tail_length: float = 90.0  # eV

    def family(self, name, edges, shift=0.0):
        out = np.zeros(edges.size - 1)
        for energy, share in family_lines(name):
            place = (energy + shift) * self.gain + self.offset
            sigma = np.sqrt(max(self.resolution**2 + 2.45 * (energy - 5895.0), 1500.0)) / 2.35482
            out += share * (1 - self.tail) * np.diff(ndtr((edges - place) / sigma))
            for part in (np.arange(24) + 0.5) / 24:
                low = place + self.tail_length * np.log(1 - part)
                out += share * self.tail / 24 * np.diff(ndtr((edges - low) / sigma))
        return out


def axis(channels=4096, width=5.0):
    """Bounds of the channels, eV."""
    return np.arange(channels + 1) * width


def background(edges):
    centre = np.maximum((edges[:-1] + edges[1:]) / 2, 20.0)
    shape = (200e3 - centre) / centre * np.exp(-((350.0 / centre) ** 1.5))
    return shape / shape.sum()


def phase_spectrum(phase, edges, detector=None, background_share=0.15, absorption=None, extra=None, shift=0.0):
    """Expected share of a phase's counts in every channel, and expected photons of each family per count.

    `absorption` is a function of a family's name that returns the share of its photons that leave the film.
    """
    detector = detector or Detector()
    atoms = {**PHASES[phase], **(extra or {})}
    strength = {
        name: atoms[name.split("_")[0]] * photons * (absorption(name) if absorption else 1.0)
        for name, photons in YIELD.items()
        if name.split("_")[0] in atoms
    }
    total = sum(strength.values())
    photons = {name: (1 - background_share) * value / total for name, value in strength.items()}
    spectrum = background_share * background(edges)
    for name, value in photons.items():
        spectrum = spectrum + value * detector.family(name, edges, shift)
    return spectrum, photons


def draw(spectra, phase_of, counts, seed):
    """Events of a field: `phase_of` (Y, X) numbers the spectra (P, C); `counts` are expected per pixel."""
    rng = np.random.default_rng(seed)
    pixels, channels = [], []
    for number, spectrum in enumerate(spectra):
        where = np.flatnonzero(phase_of.ravel() == number)
        pixel = np.repeat(where, rng.poisson(counts * spectrum.sum(), where.size))
        chances = np.cumsum(spectrum) / spectrum.sum()
        channel = np.searchsorted(chances, rng.random(pixel.size), side="right")
        pixels.append(pixel)
        channels.append(np.minimum(channel, spectrum.size - 1))
    shape = (*phase_of.shape, spectra[0].size)
    return lbj.Events.from_list(np.concatenate(pixels), np.concatenate(channels), shape)


def signal(shape, edges, kind="events"):
    """Declaration with the energy axis."""
    axes = [
        {"name": "y", "size": shape[0], "offset": 0.0, "scale": 1e-9, "units": "m"},
        {"name": "x", "size": shape[1], "offset": 0.0, "scale": 1e-9, "units": "m"},
        {
            "name": "energy", "size": edges.size - 1, "offset": float(edges[0] + edges[1]) / 2,
            "scale": float(edges[1] - edges[0]), "units": "eV",
        },
    ]  # fmt: skip
    return lbj.Signal("EDX", kind, (*shape, edges.size - 1), dtype="uint16", axes=axes)


def factors(basis="at", rel_sd=0.0, elements=None):
    """Rows of the factors that the yields imply."""
    rows = []
    for element in elements or QUANTIFIED:
        family = QUANTIFIED[element]
        k = 1 / YIELD[f"{element}_{family}"] * (WEIGHT[element] if basis == "wt" else 1.0)
        rows.append(
            {"element": element, "family": family, "k": k, "basis": basis, "line_scope": "family", "rel_sd": rel_sd}
        )
    return rows
