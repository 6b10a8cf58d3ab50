"""Put the baseline writer into ``mfsi_series.py``, between its marks: ``python hosts/gatan/make_series.py``."""

from pathlib import Path

HERE = Path(__file__).parent
WRITER = HERE.parents[1] / "conformance" / "ports" / "python" / "lbj_baseline.py"
BEGIN, END = "# ---- the baseline writer begins\n", "# ---- the baseline writer ends\n"


def with_writer(script):
    """The script with the writer as it is now, its docstring as a comment."""
    text = WRITER.read_text(encoding="utf-8")
    before, _, rest = script.partition(BEGIN)
    body = text[text.index("import collections") :]
    notice = "# SPDX-License-Identifier: BSD-3-Clause; conformance/ports/python/lbj_baseline.py of the mfsi project\n\n"
    return before + BEGIN + notice + body.rstrip() + "\n\n\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    path = HERE / "mfsi_series.py"
    path.write_text(with_writer(path.read_text(encoding="utf-8")), encoding="utf-8")
