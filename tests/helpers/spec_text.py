"""The text of the standard, and the layouts in it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "spec"
TEXT = (SPEC / "lbj.md").read_text()


def tables(heading):
    """Rows (offset, size, type, name) of the layout tables below a heading."""
    section = re.search(rf"### {re.escape(heading)}\n(.*?)(?=\n##|\Z)", TEXT, re.DOTALL)[1]
    found = []
    for block in re.findall(r"\| offset \|.*?(?=\n\n|\Z)", section, re.DOTALL):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]]
        found.append([(int(row[0]), row[1], row[2], row[3]) for row in rows])
    return found


def flat(struct_, **counts):
    """(offset, size, name) of the fields of a layout of fixed size, found by parsing bytes that differ everywhere."""
    subcons = struct_.defersubcon.subcons if hasattr(struct_, "defersubcon") else struct_.subcons
    at, out = 0, []
    for sub in subcons:
        try:
            size = sub.sizeof()
        except Exception:  # noqa: BLE001 the rest of the payload
            out.append((at, "…", sub.name))
            break
        out.append((at, str(size), sub.name))
        at += size
    return out
