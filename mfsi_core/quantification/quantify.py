"""The table: from a source of spectra to the composition of every chip."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError

from ..edx.axis_check import AxisCheck, check_axis, resolution_of
from ..edx.calibration import Calibration, calibrate
from ..edx.families import Family, check_families, families_of
from ..edx.linear_filter import linear_filter
from ..edx.model import Model, build
from ..edx.peaks import explained
from ..edx.unassigned import ELEMENT
from ..geometry.registration import Registration
from ..series.axis import STROBE, window_channels
from ..tables.constants import atomic_weight, mass_attenuation
from ..tables.lines import candidates, symbols
from ..text import greek
from .chips import Chips, make_chips
from .factors import Factor, check_shown, choose, read_factors
from .methods import BATCH, METHODS, Absorber, Composition, checked_dose, composition
from .poisson_fit import poisson_fit
from .summing import Spectra, spectra_in

Floats = NDArray[np.float64]

FITS = ("poisson", "linear")
PREFERRED = (1000.0, 16000.0)  # eV; alpha lines between them are the first choice
ABSORPTION = ("thickness_nm", "density", "take_off_deg", "pixel_area_nm2")
NEAR = 25.0  # eV, of a stray peak to the line that may explain it
FEW = 20.0  # counts below which an intensity is flagged
BULK = 30e3  # eV, of a beam; up to it specimens are those of scanning microscopes
MISPLACED = 10.0  # eV, of a family's lines from where they should stand


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
    bound: NDArray[np.bool_]
    converged: NDArray[np.bool_]
    calibration: Calibration
    model: Model
    energy: Floats
    spectrum: Floats
    axis: AxisCheck
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
    def _of_misfit(self) -> str:
        worst = self.deviance_dof[self.misfit].max()
        return (
            f"The fit misses the spectra of {int(self.misfit.sum())} of {self.misfit.size} chips by more than noise "
            f"(deviance up to {worst:.1f} per degree of freedom): their errors are enlarged by its root, and lines "
            "that overlap may be further off."
        )

    @property
    def shifts(self) -> Floats:
        """How far the lines of every element's family stand from where they should, eV: (m,)."""
        names = [family.name for family in self.calibration.families]
        return np.array([float(self.calibration.shifts[names.index(family.name)]) for family in self.families])

    @property
    def notes(self) -> list[str]:
        """What makes the result one to be distrusted, in sentences."""
        away = [
            f"{family.name.replace('_', ' ')} {shift:+.0f} eV"
            for family, shift in zip(self.families, self.shifts, strict=True)
            if abs(shift) > MISPLACED
        ]
        text = "Peaks taken for lines of the elements named stand elsewhere: {}; other elements may have made them."
        return [
            *self.axis.notes,
            *([self._of_bulk] if self.bulk else []),
            *([text.format(", ".join(away))] if away else []),
            *([self._of_misfit] if self.misfit.any() else []),
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
            if family.element == ELEMENT:
                place = family.alpha_energy + float(calibration.shifts[index])
                out[place] = (explained(place, NEAR, known) or candidates(place, NEAR))[:2]
                known += [line.split("_")[0] for line in out[place][:1]]
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


def quantify(
    source: Any,
    elements: list[str],
    chips: Any,
    factors: Any,
    method: str = "cliff-lorimer",
    fit: str = "poisson",
    signal: Any = "EDX",
    absorption: dict[str, float] | None = None,
    **options: Any,
) -> Any:
    """Quantify chips of a field.

    Parameters
    ----------
    source : journal, frame, Events, sequence of Events, or (Y, X, C) cube
        Frames are summed; see `registration`.
    elements : list of str
        Those that the spectrum shows; k = 0 leaves one, of grid or holder, out of the composition. Peaks of elements
        that nobody named are fitted beside them where they stand clear.
    chips : int, (Y, X) integer array, "pixels", or list of polygons
        See `chips.make_chips`.
    factors : path, DataFrame or rows
        See `factors.read_factors`.
    method, fit, signal, absorption, **options
        See `analyse`.

    Returns
    -------
    pandas.DataFrame
        A row per chip and element: ``chip_id, y0, x0, y1, x1`` (rows y0 … y1 - 1), ``n_px, element, family, counts,
        counts_se`` (net counts of the factor's lines), ``k, k_basis, at_pct, at_se, wt_pct, wt_se`` (percent; errors
        include those of k), ``deviance_dof, flags``. Flags: ``empty`` no counts, ``zero`` held at zero by the fit,
        ``few`` fewer than 20 counts, ``unconverged``, ``misfit`` (the fit misses the chip's spectrum by more than
        noise; its errors are enlarged), ``excluded`` (k = 0), ``axis`` (it could not be decided whether
        the energy axis is right), ``misplaced`` (the lines stand more than 10 eV from where they should), ``bulk``
        (the beam of 30 keV or less is that of bulk specimens, the composition that of a thin film).

    Raises
    ------
    UsageError
        Saying what is wrong and what to supply.

    Warns
    -----
    UserWarning
        If the energy axis is off, which is corrected, or cannot be checked; if lines stand elsewhere; if the fit misses
        the spectra.
    """
    found = analyse(source, elements, chips, factors, method, fit, signal, absorption, **options)
    for note in found.notes:
        warnings.warn(note, stacklevel=2)
    return found.table


def analyse(
    source: Any,
    elements: list[str],
    chips: Any,
    factors: Any,
    method: str = "cliff-lorimer",
    fit: str = "poisson",
    signal: Any = "EDX",
    absorption: dict[str, float] | None = None,
    *,
    dose: float | None = None,
    energy: tuple[float, float] | None = None,
    region: tuple[slice, slice] | None = None,
    registration: Registration | None = None,
    client: Any = None,
) -> Quantification:
    """Quantify chips of a field; `quantify` returns the table of it.

    Parameters
    ----------
    source, elements, chips, factors
        See `quantify`.
    method : {"cliff-lorimer", "zeta", "cross-section"}
        See `methods.composition`.
    fit : {"poisson", "linear"}
        Maximum likelihood with intensities of at least zero, or the linear filter, whose intensities may be negative.
    signal : str or Signal
        Name of a journal's signal; a Signal gives the energy axis of Events or of a cube.
    absorption : dict, optional
        ``thickness_nm``, ``density`` (g/cm³), ``take_off_deg``. Without the first two, zeta-factors give the mass
        thickness, and so do cross-sections with ``pixel_area_nm2``.
    dose : float, optional
        Electrons that a pixel received over all frames (zeta), or electrons per nm² (cross-section).
    energy : (float, float), optional
        Range of the fit, eV; default all above 150 eV.
    region : (slice, slice), optional
        Rows and columns that are used.
    registration : Registration, optional
        Aligns the frames of a series while they are summed; interpolation correlates neighbouring pixels, so that
        errors hold for chips of several pixels.
    client : dask.distributed.Client, optional
        Whose workers decode the frames, and sum them where they are aligned (`mfsi_core.cluster`).
    """
    elements = [str(element) for element in elements]
    if method not in METHODS:
        raise UsageError(f"method must be {', '.join(map(repr, METHODS))}, got {method!r}")
    if fit not in FITS:
        raise UsageError(f"fit must be 'poisson' or 'linear', got {fit!r}")
    checked_dose(dose, method)
    rows = read_factors(factors)
    spectra = spectra_in(source, signal, registration, client)
    beam = spectra.metadata.get("beam_energy")
    beam = float(beam) if beam else None
    parts = make_chips(chips, spectra.shape, region)
    _range(spectra.axis, energy)
    every = np.where(parts.labels >= 0, np.int32(0), np.int32(-1))
    bins = np.arange(spectra.axis.size, dtype=np.int32)
    spectrum = spectra.sums(every, 1, bins, bins.size)[0]
    known = [element for element in elements if element in symbols()]
    checked = check_axis(spectrum, spectra.axis, known, beam, resolution_of(spectra.given.signal))
    spectra = replace(spectra, axis=checked.axis(spectra.axis))
    channels = _range(spectra.axis, energy)
    axis = spectra.axis[channels]
    check_families(elements, float(axis[0]), float(axis[-1]), beam)
    families = [family for element in elements for family in families_of(element, axis[0], axis[-1], beam)]
    chosen = choose(rows, elements, {element: _preferred(families, element) for element in elements}, method)
    absorber = _absorber(absorption, method, parts, spectra, chosen, families)

    total = spectrum[channels]
    calibration, model = _learn(spectra, total, families, channels, checked)
    if beam is None:
        photons = {f.name: float(n) for f, n in zip(calibration.families, calibration.counts, strict=True)}
        check_shown(rows, chosen, photons)
    calibration = replace(calibration, detector=checked.recorded(calibration.detector))
    names = [family.name for family in families]
    wanted = [names.index(f"{factor.element}_{factor.family}") for factor in chosen]
    scope = np.array([_scope(calibration, index, factor) for index, factor in zip(wanted, chosen, strict=True)])
    if fit == "poisson":
        sums = spectra.sums(parts.labels, parts.ids.size, model.bin_of, model.mean.size)
        found = poisson_fit(sums, model.columns)
        counts, totals = found.counts[:, wanted] * scope, sums.sum(axis=1)
        bound, converged = found.bound[:, wanted], found.converged
        deviance, misfit = found.deviance_dof, found.misfit
        covariances = found.covariance[:, wanted][:, :, wanted] * np.outer(scope, scope)
        covariances[misfit] *= deviance[misfit, None, None]
    else:
        owner = [elements.index(f.element) if f.element in elements else -1 for f in calibration.families]
        tool = linear_filter(model.columns, calibration.counts, model.mean, wanted, owner).scaled(scope)
        weights = np.zeros((model.bin_of.size, len(wanted) + 1))
        weights[channels, :-1] = tool.weights.T[model.bin_of[channels]]
        weights[channels, -1] = 1.0
        sums = spectra.filtered(parts.labels, parts.ids.size, weights)
        counts, totals = np.ascontiguousarray(sums[:, :-1]), sums[:, -1]
        bound, converged = np.zeros(counts.shape, bool), np.ones(len(counts), bool)
        deviance, misfit = np.full(len(counts), np.nan), np.zeros(len(counts), bool)

    k, rel_sd = (np.array([getattr(factor, name) for factor in chosen]) for name in ("k", "rel_sd"))
    masses = np.array([atomic_weight(factor.element) for factor in chosen])
    basis = next(factor.basis for factor in chosen if factor.k > 0)
    errors, work = np.empty(counts.shape), np.empty((BATCH, *counts.shape[1:], counts.shape[1]))

    def covariance(part: slice) -> Floats:
        """Of the counts of some chips, whose errors are kept."""
        if fit == "poisson":
            out = covariances[part]
        else:
            out = tool.covariance(counts[part], totals[part], work[: len(counts[part])])
        errors[part] = np.sqrt(np.maximum(np.einsum("cjj->cj", out), 0))
        return out

    share = dose * parts.pixels if method == "zeta" and dose is not None else dose
    made = composition(counts, k, masses, method, basis, covariance, rel_sd, share, absorber)
    return Quantification(
        elements, chosen, [families[index] for index in wanted], parts, counts, errors, made, deviance,
        misfit, bound, converged, calibration, model, axis, total, checked, beam,
    )  # fmt: skip


def _range(axis: Floats, energy: tuple[float, float] | None) -> slice:
    """Channels of the fit."""
    if energy is None:
        start = int(np.searchsorted(axis, STROBE))
        if axis.size - start < 16:
            raise UsageError(f"the energy axis ends at {axis[-1]:.0f} eV; quantification needs channels above 150 eV")
        return slice(start, axis.size)
    channels = window_channels(axis, energy, "range of energies", "eV")
    if channels.stop - channels.start < 16 or axis[channels.start] <= 0:
        raise UsageError(f"the range of energies must hold 16 channels above 0 eV, got {energy}")
    return channels


def _preferred(families: list[Family], element: str) -> list[str]:
    """Families of an element: those with alpha lines of 1 to 16 keV first, then by energy."""
    held = [family for family in families if family.element == element]
    low, high = PREFERRED
    held.sort(key=lambda family: (not low <= family.alpha_energy <= high, -family.alpha_energy))
    return [family.family for family in held]


def _learn(
    spectra: Spectra, spectrum: Floats, families: list[Family], channels: slice, checked: AxisCheck
) -> tuple[Calibration, Model]:
    """Calibrate on the sum of all chips."""
    if not spectrum.sum() > 0:
        raise UsageError("the chips hold no counts in the range of energies: there is nothing to quantify")
    axis = spectra.axis[channels]
    steps = np.diff(axis)
    edges = np.concatenate([[axis[0] - steps[0] / 2], axis[:-1] + steps / 2, [axis[-1] + steps[-1] / 2]])
    detector, errors = checked.expected(resolution_of(spectra.given.signal))
    calibration = calibrate(spectrum, edges, families, detector, errors)
    return calibration, build(calibration, axis, spectra.axis.size, channels.start)


def _scope(calibration: Calibration, index: int, factor: Factor) -> float:
    """Share of the family's photons of which the factor speaks."""
    if factor.line_scope == "family":
        return 1.0
    lines, weights = calibration.families[index].lines, calibration.strengths[index]
    return float(sum(w for line, w in zip(lines, weights, strict=True) if line.name[1] == "a"))


def _absorber(
    given: dict[str, float] | None,
    method: str,
    parts: Chips,
    spectra: Spectra,
    factors: list[Factor],
    families: list[Family],
) -> Absorber | None:
    if given is None:
        return None
    unknown = sorted(set(given) - set(ABSORPTION))
    if unknown:
        raise UsageError(f"absorption takes {', '.join(ABSORPTION)}, got {', '.join(unknown)}")
    for name, value in given.items():
        if not np.isfinite(value) or value <= 0:
            raise UsageError(f"absorption's {name} must be above zero, got {value!r}")
    thickness, density, angle = (given.get(name) for name in ABSORPTION[:3])
    if angle is None:
        angle = spectra.metadata.get("take_off_angle")
        if angle is None:
            raise UsageError("absorption needs take_off_deg, the detector's take-off angle in degrees")
    if (thickness is None) != (density is None):
        raise UsageError("absorption needs both thickness_nm and density (g/cm³)")
    told = method == "zeta" or (method == "cross-section" and "pixel_area_nm2" in given)
    if thickness is None and not told:
        what = " or pixel_area_nm2" if method == "cross-section" else ""
        raise UsageError(f"absorption with method {method!r} needs thickness_nm and density (g/cm³){what}")
    by_name = {family.name: family for family in families}
    energies = np.array([by_name[f"{factor.element}_{factor.family}"].alpha_energy for factor in factors])
    attenuation = np.stack([mass_attenuation(factor.element, energies) for factor in factors], axis=1) * 0.1
    mass = None if thickness is None or density is None else thickness * density * 1e-6
    area = given.get("pixel_area_nm2")
    return Absorber(attenuation, float(angle), mass, None if area is None else area * parts.pixels)


def _table(result: Quantification) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageError("the table needs pandas: pip install mfsi[report]") from error
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
    empty = ~np.isfinite(result.composition.wt[:, 0])
    tests = {
        "empty": np.broadcast_to(empty[:, None], result.counts.shape),
        "zero": result.bound & ~empty[:, None],
        "few": (result.counts < FEW) & ~result.bound & ~empty[:, None],
        "unconverged": np.broadcast_to(~result.converged[:, None], result.counts.shape),
        "misfit": np.broadcast_to(result.misfit[:, None], result.counts.shape),
        "axis": np.broadcast_to(not result.axis.decided, result.counts.shape),
        "misplaced": np.broadcast_to(np.abs(result.shifts) > MISPLACED, result.counts.shape),
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
