"""Write all vectors and the manifest: ``python -m lbj_conformance.generate [FOLDER]``."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from ..suite import FOLDER
from .catalogue import VECTORS, VERSION
from .vectors import (  # noqa: F401 registered by being imported
    accept_codings,
    accept_dense,
    accept_index,
    accept_integers,
    accept_records,
    accept_shapes,
    coded_more,
    encode,
    order,
    readings,
    recover,
    recover_more,
    reject_blocks,
    reject_dense,
    reject_file,
    reject_frames,
    reject_head,
    static_signals,
    unsupported,
)

NOT_BY_A_FILE = {
    "1.1": "scope",
    "1.2": "words",
    "1.3": "words: every vector names the call of its role",
    "2.1": "words",
    "5.4.6": "binds whoever sums frames: tests/mfsi_core/accumulation/test_accumulate.py",
    "10.1": "needs two writers: tests/lbj/recovery/test_faults.py::test_two_writers",
    "10.3": "needs a crash: tests/lbj/recovery/test_faults.py::test_killed_at_random_moments",
    "10.6": "needs a file that grows: tests/lbj/recovery/test_faults.py::test_a_reader_follows",
    "11.2": "nothing to observe in a file",
    "11.3": "a statement on digests",
    "11.4": "bounds: tests/lbj/recovery/test_hostile.py::test_memory, tests/lbj/recovery/test_recovery_cost.py::test_work",
    "11.5": "words",
    "11.6": "see 11.1",
    "11.7": "the reject vectors under sanitizers: tests/conformance/test_ports.py::test_the_c_implementation_pass",
    "11.8": "a statement on digests",
    "11.9": "see 7.4.1",
    "11.10": "needs a file that grows: tests/lbj/recovery/test_faults.py::test_a_reader_follows",
    "11.11": "the suite as a whole",
}


def main(folder: Path) -> None:
    """Write vectors/ and manifest.json into the folder."""
    shutil.rmtree(folder / "vectors", ignore_errors=True)
    entries: list[dict[str, Any]] = []
    for vector in VECTORS:
        made = vector.make()
        path = folder / "vectors" / f"{vector.id}.{'json' if vector.call == 'encode' else 'lbj'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.data)
        entry: dict[str, Any] = {
            "id": vector.id,
            "file": path.relative_to(folder).as_posix(),
            "sha256": hashlib.sha256(made.data).hexdigest(),
            "since": VERSION,
            "call": vector.call,
            "clauses": list(vector.clauses),
            "features": sorted(made.features),
            "provokes": vector.provokes,
            "expect": made.expect,
        }
        if made.indexed is not None:
            entry["expect_indexed"] = made.indexed
        if made.findings is not None:
            entry["findings"] = made.findings
        entries.append(entry)
    folders = ["accept", "unsupported", "reject", "recover", "encode"]
    size = {entry["id"]: (folder / entry["file"]).stat().st_size for entry in entries}
    entries.sort(key=lambda entry: (folders.index(entry["id"].split("/")[0]), size[entry["id"]], entry["id"]))
    names = [entry["id"] for entry in entries]
    if len(set(names)) < len(names):
        sys.exit(f"two vectors have one id: {sorted({name for name in names if names.count(name) > 1})}")
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    not_by_a_file = json.dumps(NOT_BY_A_FILE, ensure_ascii=False)
    text = f'{{"version": "{VERSION}",\n"not_by_a_file": {not_by_a_file},\n"vectors": [\n{lines}\n]}}\n'
    (folder / "manifest.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
