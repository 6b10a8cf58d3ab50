"""Cells of a parametrised test that only `python -m pytest -m stress` runs."""

import pytest


def more(*values):
    """A further cell of a kind of which others are always tested."""
    return pytest.param(*values, marks=pytest.mark.stress)
