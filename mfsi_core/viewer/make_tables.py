"""Writes ``static/tables.mjs``, lines, edges and units for the pages: ``python -m mfsi_core.viewer.make_tables``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lbj.format.attributes import PER_FRAME, PER_SIGNAL
from lbj.format.metadata import NUMBERS

from ..planning import expected_spectrum
from ..planning.size import CODING, FILE_BYTES, FRAME_BYTES, IMAGE_BITS, poisson_entropy
from ..tables.edges import edge_table
from ..tables.lines import lines_of, symbols

OUT = Path(__file__).parent / "static" / "tables.mjs"
LEAST_WEIGHT = 0.02  # of a family's photons; weaker lines are not marked in a spectrum


def tables() -> str:
    """Text of ``tables.mjs``: X-ray lines, edges, units, and what the planner assumes of the size of a journal."""
    lines = {
        element: [
            [line.family, line.name, line.energy, line.edge, line.weight]
            for line in lines_of(element)
            if line.weight >= LEAST_WEIGHT
        ]
        for element in symbols()
    }
    edges = {
        element: [[edge.name.partition("_")[2], edge.energy] for edge in found]
        for element, found in edge_table().items()
    }
    size = {
        "spectrumBits": float(poisson_entropy(expected_spectrum()).sum()),
        "coding": CODING,
        "imageBits": IMAGE_BITS,
        "frameBytes": FRAME_BYTES,
        "fileBytes": FILE_BYTES,
    }
    units = {name: unit.partition(",")[0] for name, unit in (PER_SIGNAL | PER_FRAME | NUMBERS).items()}
    return (
        "// Written by mfsi_core/viewer/make_tables.py from the tables of the package, which state their sources.\n"
        "\n/** X-ray lines by element: [family, name, energy eV, edge eV, share of the family's photons]. */\n"
        f"export const LINES = {_rows(lines)};\n"
        "\n/** Edges for EELS by element: [subshell, binding energy eV]. */\n"
        f"export const EDGES = {_rows(edges)};\n"
        "\n/** Units of a frame's attributes and of metadata, by their names in the standard. */\n"
        f"export const UNITS = {json.dumps(units)};\n"
        "\n/** What mfsi plan assumes of a journal's size: bits per pixel of the spectrum, and the rest. */\n"
        f"export const SIZE = {json.dumps(size)};\n"
    )


def _rows(table: dict[str, list[list[Any]]]) -> str:
    inner = ",\n".join(f"  {element}: {json.dumps(rows, separators=(',', ':'))}" for element, rows in table.items())
    return "{\n" + inner + ",\n}"


if __name__ == "__main__":
    OUT.write_text(tables())
