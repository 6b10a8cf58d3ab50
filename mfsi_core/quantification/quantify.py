"""Quantify: `quantify`, from a source of spectra to the composition of every chip."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats

from ..edx.axis_check import AxisCheck, check_axis, resolution_of
from ..edx.calibration import Calibration, calibrate
from ..edx.families import Family, check_families, check_named, families_of
from ..edx.guesses import completed, recognised
from ..edx.model import Model, build
from ..geometry.registration import Registration
from ..series.axis import STROBE, window_channels
from ..tables.constants import atomic_weight
from .absorption import absorber_of, check_absorption
from .chips import Chips, make_chips
from .factors import Factor, check_given, check_shown, choose, read_factors
from .intensities import Intensities, by_filter, by_likelihood
from .methods import METHODS, Absorber, Composition, checked_dose, composition
from .result import Quantification
from .summing import Spectra, spectra_in

FITS = ("poisson", "linear")
PREFERRED = (1000.0, 16000.0)  # eV; alpha lines between them are the first choice


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
        Those that the spectrum shows; k = 0 leaves one, of grid or holder, out of the composition. Peaks that stand
        clear and are of none of them are fitted beside them, with all lines of the element that explains them best.
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
        include those of k and of what the fit of all lines leaves open), ``deviance_dof, flags``. Flags: ``empty`` no
        counts, ``zero`` held at zero by the fit, ``few`` fewer than 20 counts or 3 standard errors, ``unconverged``,
        ``misfit`` (the fit
        misses the spectrum around the element's line by more than noise: that of the chip by more than a twentieth of
        the line's counts, or the sum of all chips by a tenth, or an element that nobody named stands beneath),
        ``excluded`` (k = 0), ``axis`` (it could not be decided whether the energy axis is right), ``misplaced`` (the
        lines stand more than 10 eV from where they should), ``open`` (what the fit leaves open of the lines around
        changes the counts by more than 10 %: the stated errors hold it), ``blend`` (it takes lines for wider than a
        detector shows them, or another element's line stands within a third of the detector's resolution, half of it
        where the fit gives that one nothing), ``others`` (elements that are ``misfit``, ``misplaced`` or so near may be
        off by so much, and all together make 100 %, that this one changes by twice its error and 1 % of the atoms, or
        those of few counts by five times its error),
        ``beam`` (its energy is not known, and changes the share of the alpha lines by more than 5 %, as far as the
        lines do not show it), ``bulk`` (the beam of 30 keV or less is that of bulk specimens, the composition that of
        a thin film).

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
        if note not in found.remarks:
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
    rows = _checked(elements, factors, method, fit, dose)
    spectra = spectra_in(source, signal, registration, client)
    absorption = check_absorption(absorption, method, spectra.metadata)
    beam = float(spectra.metadata.get("beam_energy") or 0.0) or None
    parts = make_chips(chips, spectra.shape, region)
    _range(spectra.axis, energy)
    every = np.where(parts.labels >= 0, np.int32(0), np.int32(-1))
    bins = np.arange(spectra.axis.size, dtype=np.int32)
    spectrum = spectra.sums(every, 1, bins, bins.size)[0]
    checked = check_axis(spectrum, spectra.axis, elements, beam, resolution_of(spectra.series.signal))
    spectra = replace(spectra, axis=checked.axis(spectra.axis))
    channels = _range(spectra.axis, energy)
    axis = spectra.axis[channels]
    check_families(elements, float(axis[0]), float(axis[-1]), beam)
    families = [family for element in elements for family in families_of(element, axis[0], axis[-1], beam)]
    chosen = choose(rows, elements, {element: _preferred(families, element) for element in elements}, method)
    absorber = absorber_of(absorption, parts, chosen, families)

    total = spectrum[channels]
    calibration, model = _learn(spectra, total, elements, families, channels, checked, beam)
    if beam is None:
        photons = {f.name: float(n) for f, n in zip(calibration.families, calibration.counts, strict=True)}
        check_shown(rows, chosen, photons)
    wanted = [[f.name for f in families].index(f"{factor.element}_{factor.family}") for factor in chosen]
    missed_by = np.array([calibration.misses(index, total) for index in wanted])
    beside = (missed_by > 0) | np.array([index in calibration.beneath for index in wanted])
    calibration = replace(calibration, detector=checked.recorded(calibration.detector))
    scope = np.array([_scope(calibration, index, factor) for index, factor in zip(wanted, chosen, strict=True)])
    if fit == "poisson":
        found = by_likelihood(spectra, parts, model, wanted, scope)
    else:
        found = by_filter(spectra, parts, model, calibration, elements, wanted, scope, channels)
    opened, uncertain = _left_open(calibration, model, wanted)
    made, errors = _composed(found, chosen, parts, method, dose, absorber, opened)
    return Quantification(
        elements, chosen, [families[index] for index in wanted], parts, found.counts, errors, made, found.deviance_dof,
        found.misfit, found.missed | beside, found.bound, found.converged, calibration, model, axis, total, checked,
        opened, uncertain, missed_by, beam,
    )  # fmt: skip


def _checked(elements: list[str], factors: Any, method: str, fit: str, dose: float | None) -> list[Factor]:
    """Refuse what cannot be, before the spectra are looked at; returns the factors."""
    if method not in METHODS:
        raise UsageError(f"method must be {', '.join(map(repr, METHODS))}, got {method!r}")
    if fit not in FITS:
        raise UsageError(f"fit must be 'poisson' or 'linear', got {fit!r}")
    checked_dose(dose, method)
    check_named(elements)
    rows = read_factors(factors)
    check_given(rows, elements, method)
    return rows


def _left_open(calibration: Calibration, model: Model, wanted: list[int]) -> tuple[Floats, NDArray[np.bool_]]:
    """Relative errors of counts that the fit of the sum leaves open to all chips, and whether they are much."""
    columns = model.columns
    noise = np.sqrt(np.abs(np.diag(np.linalg.pinv(columns / model.mean @ columns.T, hermitian=True))))
    share = np.array([calibration.left_open(index, float(noise[index])) for index in wanted])
    return share, np.array([calibration.uncertain(index, float(noise[index])) for index in wanted])


def _composed(
    found: Intensities, chosen: list[Factor], parts: Chips, method: str, dose: float | None, absorber: Absorber | None,
    opened: Floats,
) -> tuple[Composition, Floats]:  # fmt: skip
    """Composition of every chip, and the errors of the counts that it is made of."""
    k, rel_sd = (np.array([getattr(factor, name) for factor in chosen]) for name in ("k", "rel_sd"))
    rel_sd = np.hypot(rel_sd, opened)
    masses = np.array([atomic_weight(factor.element) for factor in chosen])
    basis = next(factor.basis for factor in chosen if factor.k > 0)
    errors = np.empty(found.counts.shape)

    def covariance(part: slice) -> Floats:
        """Of the counts of some chips, whose errors are kept."""
        out = found.covariance(part)
        errors[part] = np.sqrt(np.maximum(np.einsum("cjj->cj", out), 0))
        return out

    share = dose * parts.pixels if method == "zeta" and dose is not None else dose
    return composition(found.counts, k, masses, method, basis, covariance, rel_sd, share, absorber), errors


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
    spectra: Spectra, spectrum: Floats, elements: list[str], families: list[Family], channels: slice,
    checked: AxisCheck, beam: float | None,
) -> tuple[Calibration, Model]:  # fmt: skip
    """Calibrate on the sum of all chips."""
    if not spectrum.sum() > 0:
        raise UsageError("the chips hold no counts in the range of energies: there is nothing to quantify")
    axis = spectra.axis[channels]
    steps = np.diff(axis)
    edges = np.concatenate([[axis[0] - steps[0] / 2], axis[:-1] + steps / 2, [axis[-1] + steps[-1] / 2]])
    detector, errors = checked.expected(resolution_of(spectra.series.signal))
    fit = partial(calibrate, spectrum, edges, detector=detector, axis=errors, beam=beam)
    calibration = fit(families)
    others = recognised(calibration, spectrum, edges, elements, beam)
    if others:
        families = [*families, *others]
        calibration = fit(families)
    calibration, _ = completed(calibration, spectrum, edges, families, elements, beam, fit)
    return calibration, build(calibration, axis, spectra.axis.size, channels.start)


def _scope(calibration: Calibration, index: int, factor: Factor) -> float:
    """Share of the family's photons of which the factor speaks."""
    if factor.line_scope == "family":
        return 1.0
    return calibration.families[index].share(calibration.strengths[index])
