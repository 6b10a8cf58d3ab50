"""Result: what a quantification found, its table, and the flags of what is not to be trusted (few counts, bulk, …)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats

from ..edx.axis_check import AxisCheck
from ..edx.calibration import Calibration
from ..edx.families import Family
from ..edx.hidden import hidden
from ..edx.model import Model
from ..edx.peaks import explained
from ..edx.unassigned import ELEMENT
from ..tables.lines import candidates
from ..text import greek
from .chips import Chips
from .factors import Factor
from .methods import Composition

NEAR = 25.0  # eV between an unassigned peak and a line that may explain it
SEEN = 8.0  # standard errors from which a family that nobody named is told of
MISTAKEN = 0.3  # share of its amount by which an element that is not to be trusted may be off
CERTAIN, NOTABLE = 2.0, 0.01  # standard errors and share of the atoms by which that must change another one to be told
FEW = 20.0  # counts below which an intensity is flagged,
UNSEEN = 3.0  # or standard errors,
THIN, SWAYED = 3.0, 5.0  # standard errors that one may lack, and of the others that may change by it to be told
BULK = 30e3  # eV, of a beam; up to it specimens are those of scanning microscopes
MISPLACED = 10.0  # eV from the table's energies, beyond which a family's lines are flagged


@dataclass(frozen=True, eq=False)
class Quantification:
    """Composition of every chip, and how it came about.

    Attributes
    ----------
    elements : list of str
    factors : list of Factor
        One an element.
    families : list of Family
        Whose intensity each factor takes.
    chips : Chips
    counts, counts_se : (N, m) float64
        Net counts of the lines that each factor speaks of, and their standard errors; where the fit misses the
        spectrum these are multiplied by the root of the deviance per degree of freedom, and so are those of the
        composition (R. T. Birge, Phys. Rev. 40 (1932) 207).
    composition : Composition
    deviance_dof : (N,) float64
        Goodness of fit; NaN for the linear filter.
    misfit : (N,) bool
        Whether it is worse than noise explains; False for the linear filter.
    missed : (N, m) bool
        Whether it is so around an element's line, by more than a twentieth of its counts, or in the sum of all chips by
        a tenth, or an element that nobody named stands beneath.
    bound : (N, m) bool
        Intensities held at zero.
    converged : (N,) bool
    calibration : Calibration
        Its detector is that of the axis as it was recorded.
    model : Model
    energy, spectrum : (C',) float64
        Centres of the channels that were fitted, eV; the sum of all chips' counts in them.
    axis : AxisCheck
        How far the energy axis was found to be off; `energy` is corrected by it.
    left_open : (m,) float64
        Relative standard errors of the elements' counts that all chips share: what the fit of the sum leaves open,
    uncertain : (m,) bool
        and whether it is much.
    missed_by : (m,) float64
        Share of the elements' counts by which the fit misses the sum of all spectra.
    beam_energy : float or None
        eV.
    """

    elements: list[str]
    factors: list[Factor]
    families: list[Family]
    chips: Chips
    counts: Floats
    counts_se: Floats
    composition: Composition
    deviance_dof: Floats
    misfit: NDArray[np.bool_]
    missed: NDArray[np.bool_]
    bound: NDArray[np.bool_]
    converged: NDArray[np.bool_]
    calibration: Calibration
    model: Model
    energy: Floats
    spectrum: Floats
    axis: AxisCheck
    left_open: Floats
    uncertain: NDArray[np.bool_]
    missed_by: Floats
    beam_energy: float | None = None

    @property
    def bulk(self) -> bool:
        """Whether the beam is one of a scanning microscope, whose specimens are bulk."""
        return self.beam_energy is not None and self.beam_energy <= BULK

    @property
    def _of_bulk(self) -> str:
        return (
            f"The beam energy is {(self.beam_energy or 0) / 1000:g} keV: in the bulk specimens of scanning microscopes "
            "X-rays are absorbed and excited at depth, which a composition of a thin film, as this one is, leaves out."
        )

    @property
    def _of_beam_energy(self) -> list[str]:
        """Sentence that asks for it."""
        if self.beam_energy is not None:
            return []
        text = (
            "The beam energy is not known, and whether the specimen is the bulk one of a scanning microscope: give it,"
        )
        return [f"{text} as --beam-energy 200keV, or keep it in the journal (`lbj amend`)."]

    @property
    def _of_misfit(self) -> str:
        worst = self.deviance_dof[self.misfit].max()
        return (
            f"The fit misses the spectra of {int(self.misfit.sum())} of {self.misfit.size} chips by more than noise "
            f"(deviance up to {worst:.1f} per degree of freedom): their errors are enlarged by its root, and lines "
            "that overlap may be further off."
        )

    @property
    def _of_missed(self) -> list[str]:
        if self.misfit.all():
            return []
        every = np.asarray(self.missed.all(axis=0))
        told = [f.name.replace("_", " ") for f, missed in zip(self.families, every, strict=True) if missed]
        text = "The fit misses the sum of all spectra at {}: something that nobody named, or an axis that is off."
        return [text.format(", ".join(told))] if told else []

    @property
    def shifts(self) -> Floats:
        """How far the lines of every element's family stand from where they should, eV: (m,)."""
        return np.array([float(self.calibration.shifts[index]) for index in self._fitted])

    @property
    def blended(self) -> NDArray[np.bool_]:
        """Elements whose line is one peak with another's; all, where lines were taken for what they are not: (m,)."""
        return np.array([bool(text or self.calibration.strange) for text in self._of_close])

    @property
    def _fitted(self) -> list[int]:
        """Numbers of the elements' families in the fit of the sum."""
        names = [family.name for family in self.calibration.families]
        return [names.index(family.name) for family in self.families]

    @property
    def _of_close(self) -> list[str]:
        return [self.calibration.close(index) for index in self._fitted]

    @property
    def of_beam(self) -> dict[str, str]:
        """What a beam of unknown energy leaves open of families, by their names."""
        if self.beam_energy is not None:
            return {}
        said = [self.calibration.of_beam(index) for index in self._fitted]
        return {family.name: text for family, text in zip(self.families, said, strict=True) if text}

    @property
    def by_others(self) -> NDArray[np.bool_]:
        """Whether what elements may be off that are not to be trusted changes the others beyond their errors.

        Errors hold to first order only: where one that makes much of the whole lacks three of its own, the others,
        which fill up the whole, may grow by much more than theirs.
        """
        away = np.abs(self.shifts) > MISPLACED
        under = np.array([index in self.calibration.beneath for index in self._fitted])
        close = np.array([bool(text) for text in self._of_close])
        at, error = np.nan_to_num(self.composition.at), np.nan_to_num(self.composition.at_se)
        by = np.clip(self.missed_by, MISTAKEN, 1.0)
        off = at * np.where(away | under, 1.0, np.where(self.missed | close, by, 0.0))
        changed = at * (off.sum(axis=1, keepdims=True) - off)
        lacking = np.minimum(THIN * self.counts_se / np.maximum(self.counts, 1e-300), 1.0)
        thin = at * lacking
        beside = np.sqrt(np.maximum((thin**2).sum(axis=1, keepdims=True) - thin**2, 0.0))
        left = np.maximum(1 - beside, 1e-9)
        grown = at * (1 / left - 1) > np.maximum(SWAYED * error, NOTABLE)
        return np.asarray((changed > np.maximum(CERTAIN * error, NOTABLE)) | grown)

    @property
    def few(self) -> NDArray[np.bool_]:
        """Whether an intensity is of few counts, or not seen beyond noise: (N, m)."""
        return np.asarray(self.counts < np.maximum(FEW, UNSEEN * self.counts_se))

    @property
    def _of_uncertain(self) -> list[str]:
        told = [
            f"{f.name.replace('_', ' ')} {e:.0%}"
            for f, e, told in zip(self.families, self.left_open, self.uncertain, strict=True)
            if told
        ]
        text = (
            "What the fit leaves open (places, widths, relative strengths of lines) changes counts beyond their noise"
        )
        strange = self.calibration.strange
        return [
            *([f"{text}: {', '.join(told)}."] if told else []),
            *([f"{strange[0].upper()}{strange[1:]}."] if strange else []),
        ]

    @property
    def remarks(self) -> list[str]:
        """What alone makes no result distrusted: pile-up that was allowed for, what cannot be seen, an unknown beam."""
        hide = hidden(self.calibration, self.elements, self.guesses)
        return [*self.calibration.notes, *hide, *self._of_beam_energy]

    @property
    def notes(self) -> list[str]:
        """What makes the result one to be distrusted, and the remarks, in sentences."""
        away = [
            f"{family.name.replace('_', ' ')} {shift:+.0f} eV"
            for family, shift in zip(self.families, self.shifts, strict=True)
            if abs(shift) > MISPLACED
        ]
        text = "Peaks taken for lines of the elements named stand elsewhere: {}; other elements may have made them."
        return [
            *self.axis.notes,
            *self.remarks,
            *([self._of_bulk] if self.bulk else []),
            *([text.format(", ".join(away))] if away else []),
            *self._of_uncertain,
            *(f"{name.replace('_', ' ')}: {text}." for name, text in self.of_beam.items()),
            *(
                f"{family.name.replace('_', ' ')}: {text}."
                for texts in (self._of_close, [str(self.calibration.beneath.get(i, "")) for i in self._fitted])
                for family, text in zip(self.families, texts, strict=True)
                if text
            ),
            *([self._of_misfit] if self.misfit.any() else []),
            *self._of_missed,
        ]

    @property
    def table(self) -> Any:
        """The tidy table: see `quantify`."""
        return _table(self)

    @property
    def guesses(self) -> dict[float, list[str]]:
        """Peaks of elements that nobody named: energy in eV, and one or two lines that may explain it, by energy."""
        calibration, out = self.calibration, {}
        known = list(self.elements)
        for index in np.argsort(-calibration.counts):
            family = calibration.families[index]
            place = family.alpha_energy + float(calibration.shifts[index])
            if family.element == ELEMENT:
                out[place] = (explained(place, NEAR, known) or candidates(place, NEAR))[:2]
                known += [line.split("_")[0] for line in out[place][:1]]
            elif (
                family.element not in self.elements
                and family.line.endswith("a")
                and calibration.counts[index] > SEEN * calibration.counts_error[index]
            ):
                out[place] = [family.line]
        return dict(sorted(out.items()))

    @property
    def unassigned_peaks(self) -> list[str]:
        """The same in words."""
        return [
            f"{place / 1000:.2f} keV" + (f" ({' or '.join(map(greek, lines))}?)" if lines else "")
            for place, lines in self.guesses.items()
        ]

    def grid(self, values: Floats) -> Floats:
        """Picture of a value per chip: of the grid of chips, or of the field where chips form none."""
        if self.chips.grid is not None:
            return np.asarray(values, float).reshape(self.chips.grid)
        return np.where(self.chips.labels >= 0, np.append(values, np.nan)[self.chips.labels], np.nan)


def _table(result: Quantification) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageError("the table needs pandas: pip install 'mfsi[report]'") from error
    chips, m = result.chips, len(result.elements)
    n = chips.ids.size

    def by_chip(values: Any) -> Any:
        return np.repeat(values, m)

    def by_element(values: list[Any]) -> Any:
        kinds = list(dict.fromkeys(values))
        codes = np.array([kinds.index(value) for value in values], np.int8)
        return pd.Categorical.from_codes(np.tile(codes, n), kinds) if isinstance(values[0], str) else np.tile(values, n)

    codes, kinds = _flags(result)
    made = result.composition
    columns: dict[str, Any] = {"chip_id": by_chip(chips.ids)}
    columns |= dict(zip(("y0", "x0", "y1", "x1"), np.repeat(chips.boxes, m, axis=0).T, strict=True))
    columns |= {
        "n_px": by_chip(chips.pixels),
        "element": by_element(result.elements),
        "family": by_element([factor.family for factor in result.factors]),
        "counts": result.counts.ravel(),
        "counts_se": result.counts_se.ravel(),
        "k": by_element([factor.k for factor in result.factors]),
        "k_basis": by_element([factor.basis for factor in result.factors]),
        "at_pct": 100 * made.at.ravel(),
        "at_se": 100 * made.at_se.ravel(),
        "wt_pct": 100 * made.wt.ravel(),
        "wt_se": 100 * made.wt_se.ravel(),
        "deviance_dof": by_chip(result.deviance_dof),
        "flags": pd.Categorical.from_codes(codes, kinds),
    }
    return pd.DataFrame(columns, copy=False)


def _flags(result: Quantification) -> tuple[NDArray[np.int8], list[str]]:
    """Flags of every row, as codes and the texts they stand for; several are joined by semicolons."""
    empty, of_beam = ~np.isfinite(result.composition.wt[:, 0]), result.of_beam
    tests = {
        "empty": np.broadcast_to(empty[:, None], result.counts.shape),
        "zero": result.bound & ~empty[:, None],
        "few": result.few & ~result.bound & ~empty[:, None],
        "unconverged": np.broadcast_to(~result.converged[:, None], result.counts.shape),
        "misfit": result.missed,
        "axis": np.broadcast_to(not result.axis.decided, result.counts.shape),
        "misplaced": np.broadcast_to(np.abs(result.shifts) > MISPLACED, result.counts.shape),
        "open": np.broadcast_to(result.uncertain, result.counts.shape),
        "blend": np.broadcast_to(result.blended, result.counts.shape),
        "others": result.by_others,
        "beam": np.broadcast_to([f.name in of_beam for f in result.families], result.counts.shape),
        "bulk": np.broadcast_to(result.bulk, result.counts.shape),
        "excluded": np.broadcast_to([factor.k == 0 for factor in result.factors], result.counts.shape),
    }
    bits = np.zeros(result.counts.shape, np.uint16)
    for bit, test in enumerate(tests.values()):
        if test.any():
            bits |= test.astype(np.uint16) << np.uint16(bit)
    held = np.flatnonzero(np.bincount(bits.ravel(), minlength=1 << len(tests)))
    codes = np.zeros(1 << len(tests), np.int8)
    codes[held] = np.arange(held.size)
    return codes[bits].ravel(), [";".join(name for bit, name in enumerate(tests) if value >> bit & 1) for value in held]
