"""Matrix of implementations: every writer's journals are read by every reader."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from lbj.progress import track

from . import judge
from .client import call
from .suite import FOLDER, describe, manifest


class Cell(NamedTuple):
    """How one reader reads what one writer wrote: of `written` journals, `read` rightly; what went wrong."""

    writer: str
    reader: str
    written: int
    read: int
    differences: list[str]


def run(commands: list[list[str]], timeout: float) -> list[Cell]:
    """Let every command that encodes write the encode vectors, and every one that decodes read them."""
    about = [(command, describe(command, timeout)) for command in commands]
    vectors = [v for v in manifest()["vectors"] if v["call"] == "encode" and v["expect"]["result"] == "ok"]
    writers = [(command, one["name"]) for command, one in about if "encode" in one["commands"]]
    readers = [(command, one["name"]) for command, one in about if "decode" in one["commands"]]
    cells = []
    with tempfile.TemporaryDirectory() as folder:
        for command, writer in writers:
            written = [
                (v, path)
                for i, v in enumerate(vectors)
                if (path := _write(command, v, Path(folder) / f"{writer}-{i}.lbj", timeout))
            ]
            for read_by, reader in readers:
                cells.append(_cell(writer, reader, read_by, written, timeout))
    return cells


def _write(command: list[str], vector: dict[str, Any], path: Path, timeout: float) -> Path | None:
    answer = call(command, ["encode", str(FOLDER / vector["file"]), str(path)], timeout)
    return path if answer.value.get("result") == "ok" else None


def _cell(
    writer: str, reader: str, command: list[str], written: list[tuple[dict[str, Any], Path]], timeout: float
) -> Cell:
    wrong: list[str] = []
    read = 0
    for vector, path in track(written, f"{writer} → {reader}"):
        answer = call(command, ["decode", str(path)], timeout)
        found = (
            [answer.message]
            if answer.status != "answered"
            else judge.journal({"result": "ok", **vector["expect"]["journal"]}, answer.value, written=True)
        )
        read += not found
        wrong += [f"{vector['id']}: {line}" for line in found]
    return Cell(writer, reader, len(written), read, wrong)


def table(cells: list[Cell]) -> str:
    """The matrix as text: journals read rightly / journals written."""
    writers = list(dict.fromkeys(cell.writer for cell in cells))
    readers = list(dict.fromkeys(cell.reader for cell in cells))
    title = "writer / reader"
    width = max(len(title), *map(len, writers))
    lines = ["  ".join([f"{title:<{width}}", *(f"{name:>9}" for name in readers)])]
    for writer in writers:
        row = {cell.reader: f"{cell.read}/{cell.written}" for cell in cells if cell.writer == writer}
        lines.append("  ".join([f"{writer:<{width}}", *(f"{row[name]:>{max(9, len(name))}}" for name in readers)]))
    return "\n".join(lines)


def report(cells: list[Cell]) -> str:
    """The matrix as JSON."""
    return json.dumps([cell._asdict() for cell in cells], indent=1)
