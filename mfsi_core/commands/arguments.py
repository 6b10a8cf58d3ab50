"""Arguments: options that several commands share, and how their values are read."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lbj import UsageError

if TYPE_CHECKING:
    from ..report.results import Results


def add_signals(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose image and spectra."""
    parser.add_argument("--image", metavar="NAME", help="image to register; default HAADF or the first")
    parser.add_argument("--signal", metavar="NAME", help="spectra to sum; default EDX or the first")


def add_elements(parser: argparse.ArgumentParser, text: str = "default: those the series names") -> None:
    """Add the option that names elements."""
    parser.add_argument("--elements", type=symbols, metavar="Ti,Ca,O", help=text)


def add_maps(parser: argparse.ArgumentParser) -> None:
    """Add the options of how maps are made."""
    parser.add_argument(
        "--maps", choices=["filter", "windows"], default="filter",
        help="X-ray maps: all lines told apart at once (default), or windows less a straight background",
    )  # fmt: skip
    parser.add_argument("--align-edges", action="store_true", help="EELS: move the axis to where edges begin")


def add_registration(parser: argparse.ArgumentParser) -> None:
    """Add the option of another package's registration."""
    parser.add_argument("--registration", metavar="NAME", help="register with another package's; see mfsi plugins")


def symbols(text: str) -> list[str]:
    """Read ``Ti,Ca,O``."""
    return [symbol.strip() for symbol in text.split(",") if symbol.strip()]


def energies(text: str) -> list[float]:
    """Read ``456,532``, eV."""
    try:
        return [float(value) for value in symbols(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes energies in eV, as 456,532, got {text!r}") from None


def span(text: str, name: str) -> slice:
    """Read ``A:B``, the value of an option."""
    first, colon, last = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return slice(int(first) if first else None, int(last) if last else None)
    except ValueError:
        raise UsageError(f"--{name} takes A:B, as 0:100, got {text!r}") from None


def tell(results: Results, made: str) -> int:
    """Print what was made and what is to be said of it; return the exit code."""
    print(made)
    for note in results.notes:
        print(f"  note: {note}")
    assert results.registration is not None
    lost = results.registration.left_out.copy()
    lost[results.numbers.get("frames_without_counts", [])] = False
    return 3 if lost.any() else 0
