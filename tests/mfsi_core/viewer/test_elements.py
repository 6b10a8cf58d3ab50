"""The tables that the pages carry, and the windows that they make of them, are those of the package."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from mfsi_core.maps.windows import line_window
from mfsi_core.tables.lines import best_line, line_energy, symbols
from mfsi_core.viewer import make_tables
from mfsi_core.viewer.files import STATIC


def test_the_windows_of_elements_are_ours():
    """The line by which an element is mapped, and its window."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js here: 'node' is needed to run the page's script")
    ranges = [(0.0, 20480.0, 2e5), (150.0, 10000.0, 15e3), (1000.0, 40000.0, 3e5)]
    line = f"""import("{(STATIC / "elements.mjs").as_uri()}").then(({{ windowOf }}) => console.log(JSON.stringify(
      {json.dumps(ranges)}.map(([low, high, beam]) => {json.dumps(symbols())}.map(
        (element) => windowOf(element, {{ xray: true, low, high, beam }}))))))"""
    found = json.loads(subprocess.run([node, "-e", line], capture_output=True, text=True, check=True).stdout)
    for (low, high, beam), row in zip(ranges, found, strict=True):
        for element, page in zip(symbols(), row, strict=True):
            name = best_line(element, low, high, beam)
            assert (page is None) == (name is None), element
            if name:
                assert page["label"] == f"{element} {name.partition('_')[2][0]}α"
                np.testing.assert_allclose(page["window"], line_window(line_energy(name)), rtol=1e-12)


def test_the_tables_of_the_pages_are_those_of_the_package():
    assert make_tables.OUT.read_text() == make_tables.tables()
