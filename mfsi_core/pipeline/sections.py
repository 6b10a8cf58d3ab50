"""Sections: what a report tells beyond registration and maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lbj import UsageError

from ..report.results import Results, Section

FINEST = 0.2e-9  # m; where two pixels are larger, no map shows atomic columns


def counted(results: Results) -> None:
    """Tell how many counts each X-ray map holds per area, and which atomic columns that would resolve."""
    from ..planning import pixel_area, resolved_spacing
    from ..planning.resolvability import CLEAR, MARGINAL, WIDTH
    from ..report.page import map_title

    area = None if results.signal is None else pixel_area(results.signal)
    if results.eels or area is None or not results.maps:
        return
    pixel = area**0.5
    rows = []
    for name, one in results.maps.items():
        counts = float(np.nansum(one.values)) / (one.values.size * area * 1e18)
        row = {"map": map_title(name, one.line, results.titles), "counts/nm², one frame": counts / results.frames}
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


def quantified(
    journal: Any,
    results: Results,
    folder: Path,
    elements: list[str] | None,
    factors: Any,
    chips: Any,
    stated: dict[str, float] | None,
    earlier: Any,
) -> None:
    """Quantify the elements in chips, and compare; arguments as for `pipeline.run`."""
    from ..quantification.figures import comparison_section, report_section
    from ..quantification.quantify import analyse

    elements = elements or journal.metadata.get("elements")
    if results.signal is None or results.eels or not elements:
        raise UsageError("quantification needs X-ray counts and elements: name all that shows with --elements Fe,Pt")
    with results.timed("quantify"):
        used = results.registration if results.guide else None
        found = analyse(journal, list(elements), chips, factors, signal=results.signal.name, registration=used)
        found.table.to_csv(folder / "quantification.csv", index=False)
        results.sections.append(report_section(found, results.pixel))
        results.notes += [note for note in found.notes if note not in results.notes]
        if stated is not None or earlier is not None:
            results.sections.append(comparison_section(found, stated, earlier, results.pixel))
    results.files.append("quantification.csv")


def analysed(journal: Any, results: Results, folder: Path, name: str) -> None:
    """Add what a plugin of another package finds."""
    from ..plugins.analyses import analyse
    from ..report.figures import map_picture

    with results.timed(name):
        signal = None if results.signal is None else results.signal.name
        found = analyse(journal, name, results.registration if results.guide else None, signal)
        results.files += found.write(folder)
        pictures = {
            f"{name}-{one}": map_picture(values, results.pixel, f"{name}: {one}") for one, values in found.maps.items()
        }
        numbers = "; ".join(f"{key} {value:.6g}" for key, value in found.numbers.items())
        text = [f"By {found.by}.", *found.text, *([f"{numbers}."] if numbers else [])]
        results.figures.setdefault("analyses", {})[name] = found.numbers
        results.sections.append(Section(f"Analysis: {name}", text, found.rows, pictures))


def weighed(journal: Any, results: Results, folder: Path, *, quiet: bool) -> None:
    """Weigh the components against dose."""
    from ..components.figure import scree_figure
    from ..components.scree import scree

    if results.signal is None or results.registration is None:
        raise UsageError("the series holds no spectra, whose components could be counted")
    with results.timed("scree"):
        found = scree(journal, results.signal, registration=results.registration, quiet=quiet)
        found.write(folder / "scree.csv")
        rows = [
            {"frames": frames, f"dose, {found.dose_unit}": dose, "significant components": count if count >= 0 else "–"}
            for frames, dose, count in zip(found.frames, found.dose, found.significant, strict=True)
        ]
        text = ["Variance ratios of the cumulative sums; significance by splitting the counts in two halves."]
        results.sections.append(Section("Components against dose", text, rows, {"scree": scree_figure(found)}))
    results.files.append("scree.csv")
