"""Page: writes ``report.html``, ``summary.json``, ``registration.csv``, and the maps as PNG, npy and TIFF."""

from __future__ import annotations

import base64
import csv
import json
import math
import struct
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lbj.exporting.tif import write_map

from ..drawing import DPI, map_picture, need_drawing
from ..series.axis import centres
from ..text import greek, number
from . import figures
from .facts import summary_rows
from .results import Results


def write(results: Results, folder: Path) -> dict[str, Any]:
    """Write every file of a run and return the summary.

    Parameters
    ----------
    results : Results
    folder : Path
        An existing folder.

    Raises
    ------
    UsageError
        If matplotlib or jinja2 are not installed.
    """
    with results.timed("report"):
        pictures = _pictures(results)
        for section in results.sections:
            pictures.update(section.pictures)
        for name, data in pictures.items():
            (folder / f"{name}.png").write_bytes(data)
            results.files.append(f"{name}.png")
        write_maps(results, folder)
        registration_csv(results, folder / "registration.csv")
        results.files += ["registration.csv", "summary.json", "report.html"]
    summary: dict[str, Any] = _plain(_summary(results))
    (folder / "report.html").write_text(_page(results, summary, pictures), encoding="utf-8")
    text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    return summary


def _plain(value: Any) -> Any:
    """Return values as JSON has them: what is not finite is unknown."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _pictures(results: Results) -> dict[str, bytes]:
    out = {}
    registration = results.registration
    if results.before is not None and results.after is not None:
        if results.frames > 1:
            out["images"] = figures.before_after(results.before, results.after, results.pixel_image, results.image_name)
        else:
            out["images"] = figures.single_image(results.before, results.pixel_image, results.image_name)
    if registration is not None and results.reference:
        out["shifts"] = figures.shifts(registration.shift, registration.frame_error, results.pixel_image)
    if results.spectrum is not None and results.signal is not None:
        windows = [one.window for one in results.maps.values()]
        unit = str(results.signal.axes[-1].get("units", ""))
        kind = "intensity" if results.eels else "counts"
        out["spectrum"] = figures.sum_spectrum(
            centres(results.signal),
            results.spectrum,
            results.labels,
            unit,
            windows,
            f"{kind} per channel",
            x_ray=not results.eels,
            fit=results.fit,
        )
    return out | map_pictures(results)


def write_maps(results: Results, folder: Path, *, tif: bool = False) -> None:
    """Write one npy per map, and where asked a calibrated TIFF of the map and its standard error."""
    for name, one in results.maps.items():
        np.save(folder / f"{name}.npy", one.values)
        results.files.append(f"{name}.npy")
        if tif:
            write_map(folder / f"{name}.tif", one.values, np.sqrt(np.maximum(one.variance, 0)), results.pixel)
            results.files.append(f"{name}.tif")


def map_pictures(results: Results) -> dict[str, bytes]:
    """Draw every map."""
    return {
        name: map_picture(
            one.values,
            results.pixel,
            map_title(name, one.line, results.titles) + (", doubtful" if one.flags else ""),
            np.sqrt(np.maximum(one.variance, 0)),
        )
        for name, one in results.maps.items()
    }


def map_title(name: str, line: str, titles: dict[str, str]) -> str:
    """Title of a map: its line, or the energy of its peak with a guess."""
    return greek(line) if line else titles.get(name, name)


def registration_csv(results: Results, path: Path) -> None:
    """Write the shift of every frame."""
    registration = results.registration
    assert registration is not None
    size = results.pixel_image
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "uy_px", "ux_px", "uy_nm", "ux_nm", "predicted_error_px", "left_out", "flags"])
        for n, (uy, ux) in enumerate(registration.shift):
            metric = ["", ""] if size is None else [f"{uy * size[0] * 1e9:.5f}", f"{ux * size[1] * 1e9:.5f}"]
            error = registration.frame_error[n]
            said = "; ".join(registration.flags[n])
            text = f"{error:.5f}" if math.isfinite(error) else ""
            writer.writerow([n, f"{uy:.5f}", f"{ux:.5f}", *metric, text, int(registration.left_out[n]), said])


def _summary(results: Results) -> dict[str, Any]:
    registration = results.registration
    assert registration is not None
    shape = registration.shape
    error = registration.predicted_error if results.reference else math.nan
    size = results.pixel or results.pixel_image
    return {
        "title": results.title,
        "inputs": results.inputs,
        "frames": results.frames,
        "pixels": list(shape),
        "pixel_m": None if size is None else size[1],
        "pixel_y_m": None if size is None else size[0],
        **results.numbers,
        "registration": {
            "guide": results.reference or None,
            "predicted_error_px": error if math.isfinite(error) else None,
            "range_px": [float(v) for v in np.ptp(registration.shift, axis=0)],
            "left_out": [int(i) for i in np.flatnonzero(registration.left_out)],
            "flags": {str(n): said for n, said in enumerate(registration.flags) if said},
        },
        "maps": {
            name: {
                "line": one.line or None,
                "window_eV": list(one.window),
                "background_eV": [list(pair) for pair in one.background],
                "net_counts": one.net[0],
                "net_counts_se": _finite(one.net[1]),
                "common_error": one.common_error,
                "snr": _finite(results.snr.get(name)),
                "flags": list(one.flags),
            }
            for name, one in results.maps.items()
        },
        "notes": results.notes,
        "seconds": {step: round(time, 3) for step, time in results.seconds.items()},
        "files": sorted(results.files),
    }


def _inlined(png: bytes) -> dict[str, Any]:
    """Data URI and width on the page of a PNG, at its true size in inches."""
    (pixels,) = struct.unpack(">I", png[16:20])
    return {"data": "data:image/png;base64," + base64.b64encode(png).decode(), "width": pixels * 96 // DPI}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _page(results: Results, summary: dict[str, Any], pictures: dict[str, bytes]) -> str:
    need_drawing("jinja2")
    import jinja2

    template = resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    inlined = {name: _inlined(data) for name, data in pictures.items()}

    def ends(window: tuple[float, float]) -> str:
        low, high = window
        return f"{low:.1f} – {high:.1f}" if results.eels else f"{low / 1000:.3f} – {high / 1000:.3f}"

    rows = [
        {
            "title": map_title(name, one.line, results.titles),
            "window": ends(one.window),
            "background": ", ".join(map(ends, one.background)) or "fitted",
            "flags": "; ".join(one.flags),
            "net": "{:,.0f} ± {:,.0f}".format(*one.net),
            "snr": number(results.snr.get(name) or None),
        }
        for name, one in results.maps.items()
    ]
    return environment.from_string(template).render(
        results=results,
        summary=summary,
        pictures=inlined,
        facts=summary_rows(results, summary),
        map_names=[name for name in pictures if name.startswith("map-")],
        rows=rows,
        flagged=any(row["flags"] for row in rows),
        number=number,
        steps=[(step, f"{time:.2f}") for step, time in results.seconds.items()],
    )
