"""Files of the pages, the JavaScript reader among them, by their address."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lbj_conformance.suite import FOLDER

STATIC: Final = Path(__file__).parent / "static"
READER: Final = "reader/"  # where pages find the JavaScript reader of the conformance package
LEFT_OUT = {"adapter.mjs"}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


def page_files() -> dict[str, Path]:
    """Return every file of the pages by its address, relative to the page: ``viewer.html``, ``reader/lbj.mjs``."""
    return files_below(STATIC) | files_below(FOLDER / "ports" / "js", READER)


def files_below(folder: Path, prefix: str = "") -> dict[str, Path]:
    """Return the files of a folder that pages may have, by their address."""
    found = (path for path in folder.rglob("*") if path.suffix in TYPES and path.name not in LEFT_OUT)
    return {prefix + path.relative_to(folder).as_posix(): path for path in found}
