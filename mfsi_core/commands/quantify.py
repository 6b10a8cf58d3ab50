"""`mfsi quantify`: compositions of the chips of a field."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbj import UsageError

from ..report.parquet import PARQUET, need_pyarrow, parquet_beside

if TYPE_CHECKING:
    from lbj.frame import Recording

    from ..quantification.result import Quantification
    from ..series.axis import Pixel

EXAMPLE = """mfsi quantify series.lbj -o chips --elements La,Fe,O,Sr,Ti --chips 15 --factors k.csv
  mfsi quantify series.lbj -o pixels --elements Fe,Pt --chips pixels --fit linear --factors k.csv
  mfsi quantify standard.lbj -o standard --standard Sr:1,Ti:1,O:3

k.csv (basis: wt or at; line_scope: alpha or family; k = 0 fits an element and leaves it out of the composition):
  element,family,k,basis,line_scope,reference,rel_sd
  Fe,K,1.450226,wt,alpha,,0.05
  Pt,L,5.075602,wt,alpha,,0.05"""

CHIPS: dict[str, Any] = {
    "default": "15",
    "metavar": "N|pixels|FILE",
    "help": "pixels per side; labels (.npy, -1 = left out); or polygons (.json, a list of lists of [y, x]); default 15",
}
STATED: dict[str, Any] = {"metavar": "Sr:1,Ti:1,O:3", "help": "tell how far the mean of the chips is from it"}
COMPARE: dict[str, Any] = {"metavar": "OTHER.csv", "help": "an earlier quantification.csv of the same chips"}


def beam_energy(text: str) -> float:
    """Read an energy of the beam: 200keV, or 200000 (eV)."""
    from lbj.format.plausible import implausible

    number = text.strip().lower().replace(" ", "")
    factor = 1e3 if number.endswith("kev") else 1.0
    try:
        value = factor * float(number.removesuffix("kev").removesuffix("ev"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes an energy, as 200keV, got {text!r}") from None
    said = implausible("beam_energy", value)
    if said:
        raise argparse.ArgumentTypeError(said)
    return value


BEAM: dict[str, Any] = {
    "type": beam_energy,
    "metavar": "200keV",
    "help": "of the beam, in place of what the series states",
}


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = command("quantify", "quantify chips of a field: compositions with errors, and their maps", EXAMPLE)
    parser.add_argument("file", help="a journal, or the sum that mfsi accumulate wrote")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="for quantification.csv and the maps")
    parser.add_argument("--elements", metavar="La,Fe,O", help="all that shows; default: those the series names")
    parser.add_argument("--factors", metavar="K.csv", help="k-factors, zeta-factors (kg/m²) or cross-sections (barn)")
    parser.add_argument("--chips", **CHIPS)
    parser.add_argument("--method", choices=["cliff-lorimer", "zeta", "cross-section"], default="cliff-lorimer")
    parser.add_argument("--fit", choices=["poisson", "linear"], default="poisson")
    parser.add_argument("--dose", type=float, metavar="D", help="electrons a pixel (zeta), per nm² (cross-section)")
    parser.add_argument(
        "--absorption", metavar="NAME=VALUE,…", help="thickness_nm=50,density=6.5,take_off_deg=22: corrects for a film"
    )
    parser.add_argument("--energy", metavar="LOW:HIGH", help="range of the fit, eV; default all above 150")
    parser.add_argument("--region", metavar="A:B,C:D", help="rows and columns of the field")
    parser.add_argument("--standard", metavar="Sr:1,Ti:1,O:3", help="take the field for a standard: writes factors.csv")
    parser.add_argument("--beam-energy", **BEAM)
    parser.add_argument("--stated", **STATED)
    parser.add_argument("--compare", **COMPARE)
    parser.add_argument("--export", metavar="CHIPS.npz", help="also .csv, .parquet: chips for a few-shot model")
    parser.add_argument("--parquet", **PARQUET)
    parser.add_argument("--image", metavar="NAME", help="image to register and to export; default HAADF or the first")
    parser.add_argument("--signal", metavar="NAME", help="the spectra; default EDX or the first")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from lbj.outputs import new_folder

    from ..drawing import need_drawing
    from ..pipeline.align import register_journal, with_spectra
    from .opening import opened

    if not args.standard and not args.factors:
        raise UsageError("quantification needs factors: --factors K.csv, or --standard to measure them")
    absorption = numbers(args.absorption, "absorption", "=") if args.absorption else None
    if not args.standard:
        need_drawing("pandas")
    if args.parquet:
        need_pyarrow()
    options: dict[str, Any] = {"energy": _energy(args.energy), "region": _region(args.region), "absorption": absorption}
    earlier = earlier_table(args.compare) if args.compare else None
    known = ("factors.csv",) if args.standard else ("quantification.csv", "fitted_spectrum.png")
    out, inputs = Path(args.output), [args.file, *([args.factors] if args.factors else [])]
    with (
        new_folder(out, "mfsi quantify", known, inputs) as folder,
        opened(args.file) as journal,
        contextlib.ExitStack() as stack,
    ):
        view, results = register_journal(
            journal, [args.file], image=args.image, signal=args.signal, beam_energy=args.beam_energy
        )
        if results.signal is None:
            raise UsageError("the series holds no spectra to quantify")
        if results.eels:
            raise UsageError(f"quantification is of X-ray spectra; {results.signal.name!r} holds energy losses")
        view = stack.enter_context(with_spectra(view, results))
        options |= {"signal": results.signal.name, "registration": results.registration if results.reference else None}
        if args.standard:
            _write_factors(view, numbers(args.standard, "standard", ":"), folder, options)
            print(out / "factors.csv")
            return 0
        found = _analysed(args, view, options)
        made = _write(args, found, folder, results.pixel, earlier)
        if args.export:
            _export(args.export, inputs, view, found, options, results.after)
    for name in made:
        print(out / name)
    if args.export:
        print(args.export)
    _tell(found, numbers(args.stated, "stated", ":") if args.stated else None)
    for note in [*results.notes, *found.notes]:
        print(f"  note: {note}")
    return 3 if results.registration is not None and results.registration.left_out.any() else 0


def _write_factors(view: Recording, amounts: dict[str, float], folder: Path, options: dict[str, Any]) -> None:
    """Measure k-factors on a field of known composition."""
    from ..quantification.factors import write_factors
    from ..quantification.standards import k_from_standard

    write_factors(k_from_standard(view, amounts, **options), folder / "factors.csv")


def _analysed(args: argparse.Namespace, view: Recording, options: dict[str, Any]) -> Quantification:
    from ..quantification.quantify import analyse

    elements = [e.strip() for e in args.elements.split(",")] if args.elements else view.metadata.get("elements")
    if not elements:
        raise UsageError("the series names no elements; name all that shows: --elements La,Fe,O")
    return analyse(
        view, list(elements), chips_of(args.chips), args.factors, args.method, args.fit, dose=args.dose, **options
    )


def _write(
    args: argparse.Namespace, found: Quantification, folder: Path, pixel: Pixel | None, earlier: Any
) -> list[str]:
    """Write the table, its pictures and what changed since an `earlier` one; the files' names."""
    from ..quantification.figures import at_map, fitted_spectrum

    found.table.to_csv(folder / "quantification.csv", index=False)
    (folder / "fitted_spectrum.png").write_bytes(fitted_spectrum(found))
    names = ["quantification.csv", "fitted_spectrum.png"]
    for element in found.elements:
        names.append(f"at_{element}.png")
        (folder / names[-1]).write_bytes(at_map(found, element, pixel))
    changes = [] if earlier is None else _compare(found, earlier, folder, pixel)
    return [*names, *(parquet_beside(folder) if args.parquet else []), *changes]


def _export(
    path: str, inputs: list[str], view: Recording, found: Quantification, options: dict[str, Any], image: Any
) -> None:
    """Write the chips' spectra and patches of the image."""
    from lbj.outputs import new_files

    from ..quantification.export import chip_spectra, export_chips

    spectra = chip_spectra(view, found, options["signal"], options["registration"])
    with new_files(path, *inputs) as part:
        export_chips(part, found, spectra, image)


def _tell(found: Quantification, nominal: dict[str, float] | None) -> None:
    """Print what the table does not hold: the axis that was found, and the error against a `nominal` composition."""
    from ..quantification.compare import against_stoichiometry, phase_composition

    detector = found.calibration.detector
    print(
        f"  axis {detector.offset:+.2f} eV, gain {1e3 * (detector.gain - 1):+.3f} per mille; resolution "
        f"{detector.resolution:.1f} eV; deviance of the sum spectrum {found.calibration.deviance_dof:.2f} per degree"
    )
    if nominal is not None:
        judged = against_stoichiometry(phase_composition(found.table, found.chips.ids), nominal)
        print(f"  {'':<4} {'found':>8} {'normalised':>11} {'stated':>8} {'error %':>8}")
        for element in judged.summed:
            values = (judged.summed, judged.normalised, judged.nominal, judged.percent_error)
            one, two, three, four = (value[element] for value in values)
            print(f"  {element:<4} {one:>8.2f} {two:>11.2f} {three:>8.2f} {four:>8.2f}")
    if found.unassigned_peaks:
        print(f"  peaks of elements that were not named, fitted beside them: {', '.join(found.unassigned_peaks)}")


def earlier_table(path: str) -> Any:
    """Read an earlier table."""
    import pandas as pd

    try:
        table = pd.read_csv(path)
        table[["chip_id", "y0", "x0", "y1", "x1", "element", "at_pct", "at_se"]]
    except OSError as error:
        raise UsageError(f"--compare: {path!r} cannot be opened: {error.strerror}") from None
    except (ValueError, KeyError):
        raise UsageError(f"--compare: {path!r} is no quantification.csv, as mfsi quantify writes it") from None
    return table


def _compare(found: Quantification, earlier: Any, folder: Path, pixel: Pixel | None) -> list[str]:
    """Write what changed since an earlier table, and its maps; the files' names."""
    from ..quantification.compare import difference
    from ..quantification.figures import difference_maps

    changed = difference(earlier, found.table)
    changed.to_csv(folder / "difference.csv", index=False)
    maps = difference_maps(found, changed, pixel)
    for name, data in maps.items():
        (folder / f"{name}.png").write_bytes(data)
    return ["difference.csv", *(f"{name}.png" for name in maps)]


def chips_of(text: str) -> Any:
    """Read what --chips names."""
    if text == "pixels":
        return text
    if text.endswith(".npy"):
        import numpy as np

        from lbj.format.records import open_file

        try:
            with open_file(text) as file:
                return np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UsageError(f"the labels {text!r} cannot be read: {error}") from None
    if text.endswith(".json"):
        try:
            return json.loads(Path(text).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"the polygons {text!r} cannot be read: {error}") from None
    try:
        return int(text)
    except ValueError:
        raise UsageError(
            f"--chips takes pixels per side, 'pixels', LABELS.npy or POLYGONS.json, got {text!r}"
        ) from None


def numbers(text: str, name: str, mark: str) -> dict[str, float]:
    """Read NAME:VALUE,… of an option."""
    out = {}
    for item in text.split(","):
        key, found, value = item.partition(mark)
        try:
            if not found:
                raise ValueError
            out[key.strip()] = float(value)
        except ValueError:
            raise UsageError(f"--{name} takes name{mark}number, separated by commas, got {item!r}") from None
    return out


def _energy(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise UsageError(f"--energy takes LOW:HIGH in eV, as 200:20000, got {text!r}") from None


def _region(text: str | None) -> tuple[slice, slice] | None:
    if text is None:
        return None
    try:
        rows, columns = (
            slice(*(int(end) if end else None for end in part.split(":", 1))) for part in text.split(",", 1)
        )
    except (ValueError, TypeError):
        raise UsageError(f"--region takes A:B,C:D, as 0:100,0:100, got {text!r}") from None
    return rows, columns
