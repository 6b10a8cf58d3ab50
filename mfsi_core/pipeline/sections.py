"""Sections of a report beyond registration and maps: counts per area, composition, components, plugins."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from lbj import UsageError
from lbj.frame import Recording
from lbj.scanned import whole_frames

from ..quantification.compare import against_stoichiometry, difference, phase_composition
from ..quantification.figures import at_map, difference_maps, fitted_spectrum
from ..quantification.result import Quantification
from ..report.results import Results, Section
from ..series.axis import Pixel

FINEST = 0.2e-9  # m; where two pixels are larger, no map shows atomic columns


def add_counts_section(journal: Recording, results: Results) -> None:
    """Tell how many counts each X-ray map holds per area, and which atomic columns that would resolve."""
    from ..planning import pixel_area, resolved_spacing
    from ..planning.resolvability import CLEAR, MARGINAL, WIDTH
    from ..report.page import map_title

    area = None if results.signal is None else pixel_area(results.signal)
    if results.eels or area is None or not results.maps:
        return
    assert results.signal is not None
    pixel, frames = area**0.5, whole_frames(journal, results.signal)
    if not frames:
        raise UsageError("no pixel of any frame was scanned")
    rows = []
    for name, one in results.maps.items():
        counts = float(np.nansum(one.values)) / (one.values.size * area * 1e18)
        row = {"map": map_title(name, one.line, results.titles), "counts/nm², one frame": counts / frames}
        if results.frames > 1:
            row["all frames"] = counts
        if 2 * pixel <= FINEST:
            for word, snr in (("clear", CLEAR), ("marginal", MARGINAL)):
                row[f"columns {word} from, nm"] = max(resolved_spacing(counts, snr), 2e9 * pixel)
        rows.append(row)
    text = ["Net counts of the maps over the field; mfsi plan scales them to other series."]
    if 2 * pixel <= FINEST:
        text.append(
            f"Spacing of atomic columns that the series resolves by our model, for columns {WIDTH} nm wide: clear "
            "where each column stands out by itself, marginal where 3 × 3 of them together do; two pixels at least."
        )
    results.sections.append(Section("Counts per area", text, rows, {}))


def add_quantification(
    journal: Recording,
    results: Results,
    folder: Path,
    elements: list[str] | None,
    factors: Any,
    chips: Any,
    client: Any = None,
) -> Quantification:
    """Quantify the elements in chips; arguments as for `pipeline.run`."""
    from ..quantification.quantify import analyse

    elements = elements or journal.metadata.get("elements")
    if results.signal is None or results.eels or not elements:
        raise UsageError("quantification needs X-ray counts and elements: name all that shows with --elements Fe,Pt")
    with results.timed("quantify"):
        used = results.registration if results.reference else None
        name = results.signal.name
        found = analyse(journal, list(elements), chips, factors, signal=name, registration=used, client=client)
        found.table.to_csv(folder / "quantification.csv", index=False)
        results.sections.append(composition_section(found, results.pixel))
        results.notes += [note for note in found.notes if note not in results.notes]
    results.files.append("quantification.csv")
    return found


def add_analysis(journal: Recording, results: Results, folder: Path, name: str) -> None:
    """Add what a plugin of another package finds."""
    from ..drawing import map_picture
    from .plugins import analyse

    with results.timed(name):
        signal = None if results.signal is None else results.signal.name
        found = analyse(journal, name, results.registration if results.reference else None, signal)
        results.files += found.write(folder)
        pictures = {
            f"{name}-{one}": map_picture(values, results.pixel, f"{name}: {one}") for one, values in found.maps.items()
        }
        numbers = "; ".join(f"{key} {value:.6g}" for key, value in found.numbers.items())
        text = [f"By {found.by}.", *found.text, *([f"{numbers}."] if numbers else [])]
        results.numbers.setdefault("analyses", {})[name] = found.numbers
        results.sections.append(Section(f"Analysis: {name}", text, found.rows, pictures))


def add_scree(journal: Recording, results: Results, folder: Path, client: Any = None, *, quiet: bool) -> None:
    """Weigh the components against dose."""
    from ..components.figure import scree_figure
    from ..components.result import UNTESTED
    from ..components.scree import scree

    if results.signal is None or results.registration is None:
        raise UsageError("the series holds no spectra, whose components could be counted")
    with results.timed("scree"):
        found = scree(journal, results.signal, registration=results.registration, client=client, quiet=quiet)
        found.write(folder / "scree.csv")
        rows = [
            {"frames": frames, f"dose, {found.dose_unit}": dose, "significant components": count if count >= 0 else "–"}
            for frames, dose, count in zip(found.frames, found.dose, found.significant, strict=True)
        ]
        text = ["Variance ratios of the cumulative sums; significance by splitting the counts in two halves."]
        if not found.tested:
            text = ["Variance ratios of the cumulative sums.", UNTESTED]
        results.sections.append(Section("Components against dose", text, rows, {"scree": scree_figure(found)}))
    results.files.append("scree.csv")


def composition_section(result: Quantification, pixel: Pixel | None = None, method: str = "cliff-lorimer") -> Section:
    """Write the section of the report."""
    detector, made = result.calibration.detector, result.composition
    known = np.isfinite(made.at[:, 0])
    kinds = sorted({f"{factor.basis}%, {factor.line_scope} lines" for factor in result.factors if factor.k > 0})
    text = [
        f"{result.chips.ids.size} chips, method {method}, factors by {' and '.join(kinds)}.",
        (
            f"Calibrated on the sum spectrum: offset {detector.offset:+.2f} eV, gain {1e3 * (detector.gain - 1):+.3f} "
            f"‰, resolution {detector.resolution:.1f} eV at Mn Kα, tail {100 * detector.tail:.1f} %."
        ),
    ]
    if np.isfinite(result.deviance_dof).any():
        text.append(f"Median deviance per degree of freedom of a chip: {np.nanmedian(result.deviance_dof):.2f}.")
    outside = int((result.chips.labels < 0).sum())
    if outside:
        text.append(f"{outside:,} of {result.chips.labels.size:,} pixels belong to no chip.")
    if not known.all():
        text.append(f"{int((~known).sum())} chips hold no counts.")
    if result.unassigned_peaks:
        text.append(f"Peaks of elements that were not named, fitted beside them: {', '.join(result.unassigned_peaks)}.")
    weight = result.counts.clip(0).sum(axis=1)[known]
    rows = [
        {
            "element": element,
            "family": factor.family,
            "net counts": float(result.counts[:, j].sum()),
            "at%, mean of chips": float(100 * made.at[known, j].mean()),
            "its spread": float(100 * made.at[known, j].std()),
            "at%, chips weighted by counts": float(100 * np.average(made.at[known, j], weights=weight)),
            "wt%, mean of chips": float(100 * made.wt[known, j].mean()),
            "factor": factor.k,
        }
        for j, (element, factor) in enumerate(zip(result.elements, result.factors, strict=True))
    ]
    pictures = {"fitted_spectrum": fitted_spectrum(result)}
    pictures |= {f"at_{element}": at_map(result, element, pixel) for element in result.elements}
    return Section("Composition", text, rows, pictures)


def comparison_section(
    result: Quantification, nominal: dict[str, float] | None, earlier: Any, pixel: Pixel | None = None
) -> Section:
    """Write the section of the report that compares.

    Parameters
    ----------
    result : Quantification
    nominal : dict of element to atoms, optional
        Composition that the chips should have.
    earlier : DataFrame, optional
        Another quantification of the same chips.
    pixel : (float, float), optional
        Edges of a pixel of the field along y and x, m.
    """
    table = result.table
    columns: dict[str, dict[str, float]] = {}
    text, pictures = [], {}
    if nominal is not None:
        judged = against_stoichiometry(phase_composition(table, result.chips.ids), nominal)
        columns |= {"mean of chips, at%": judged.summed, "normalised": judged.normalised}
        columns |= {"stated, at%": judged.nominal, "error, %": judged.percent_error}
        text.append("The mean of all chips, normalised to 100 % over the elements stated, against what was stated.")
    if earlier is not None:
        changed = difference(earlier, table)
        means = changed.groupby("element", sort=False)["difference"].agg(["mean", "std"])
        columns["change, at%"] = {str(element): float(value) for element, value in means["mean"].items()}
        columns["its spread"] = {str(element): float(value) for element, value in means["std"].items()}
        pictures = difference_maps(result, changed, pixel)
        text.append("Changes: this quantification less the earlier one, chip by chip.")
    rows = [
        {"element": element} | {name: values.get(element, math.nan) for name, values in columns.items()}
        for element in result.elements
        if any(element in values for values in columns.values())
    ]
    return Section("Comparison", text, rows, pictures)
