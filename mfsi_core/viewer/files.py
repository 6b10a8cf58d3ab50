"""The files of the pages, by the address that a page gives them."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

READER: Final = "reader/"  # where pages find the JavaScript reader of the conformance package
LEFT_OUT = {"adapter.mjs"}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


def page_files() -> dict[str, Traversable]:
    """Return every file of the pages by its address, relative to the page: ``viewer.html``, ``reader/lbj.mjs``, …"""
    found = _below(resources.files(__package__).joinpath("static"), "")
    return found | _below(resources.files("conformance").joinpath("ports", "js"), READER)


def _below(folder: Traversable, prefix: str) -> dict[str, Traversable]:
    out: dict[str, Traversable] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "node_modules":
                out |= _below(entry, f"{prefix}{entry.name}/")
        elif suffix(entry.name) in TYPES and entry.name not in LEFT_OUT:
            out[prefix + entry.name] = entry
    return out


def suffix(name: str) -> str:
    """Return the ending of a file's name, with its dot."""
    return "." + name.rpartition(".")[2]
