"""Hidden: light elements that the spectrum cannot show, since their only line lies under another element's."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from lbj.array_types import Floats

from ..tables.lines import best_line, line_energy
from ..text import greek
from .calibration import Calibration
from .detector import FWHM, efficiency
from .families import Family
from .unassigned import ELEMENT, SIGNIFICANT

LIGHT = ("C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "Cl")  # seen by their K lines alone
WITHIN = 0.5  # full widths between two lines below which one does not show in the shape of the other's peak
STRONG = 0.05  # share of its family, from which lines that stand together hide another
EXCESS = 1.3  # times the strength that a side line should have, from which it may hide another line


def hidden(known: Calibration, elements: Collection[str], seen: Collection[float] = ()) -> list[str]:
    """Sentence on the elements that a spectrum cannot show, for their only line lies under one of another element.

    Parameters
    ----------
    known : Calibration
        Fit of the sum spectrum.
    elements : collection of str
        Those that are named.
    seen : collection of float
        Energies of further peaks that were found and told, eV.
    """
    fit = known.counts @ known.templates + known.background
    found = []
    for light in LIGHT:
        name = best_line(light, 0.0, 1e4)
        if light in elements or name is None:
            continue
        energy = line_energy(name)
        full = FWHM * float(known.detector.sigmas(np.array(energy)))
        if any(abs(place - energy) < full for place in seen):
            continue
        near = np.abs(known.centres - energy) < full / 2
        least = SIGNIFICANT * float(np.sqrt(fit[near].sum()))
        over = [
            family.name.replace("_", " ")
            for family, amount, strengths in zip(known.families, known.counts, known.strengths, strict=True)
            if family.element != ELEMENT
            and family.line.endswith("a")
            and _hides(family, amount * strengths, energy, WITHIN * full, least)
        ]
        if over:
            found.append(f"{greek(name)} ({energy / 1000:.2f} keV) under {' and '.join(over)}")
    text = "Whether elements are there whose lines hide under those of the elements named cannot be decided: "
    more = "Name them to have them told apart as far as shape and side lines can."
    return [f"{text}{', '.join(found)}. {more}"] if found else []


def _hides(family: Family, counts: Floats, energy: float, reach: float, least: float) -> bool:
    """Whether lines of a family (their counts given) can hold those of another line at an energy, unnoticed.

    The lines of the alpha group can; others only where they are stronger than they should be beside it.
    """
    place, weight = (np.array([getattr(line, name) for line in family.lines]) for name in ("energy", "weight"))
    group = np.array(family.groups())
    first = group == group.min()
    due = weight * efficiency(place)
    excess = counts * due[first].sum() / np.maximum(due * counts[first].sum(), 1e-300)
    near = (np.abs(place - energy) < reach) & (first | (excess > EXCESS))
    return bool(weight[near].sum() >= STRONG and counts[near].sum() > least)
