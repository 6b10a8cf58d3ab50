"""Pictures take most of the time of a run: here they are drawn where a test is of what a report holds."""

import base64

import pytest

# A black pixel.
DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


@pytest.fixture(autouse=True)
def pictures(request, monkeypatch):
    """Figures are made, but saved as a dot, except by tests marked `drawn`."""
    if "drawn" not in request.keywords:
        figure = pytest.importorskip("matplotlib.figure", reason="reports need matplotlib")
        monkeypatch.setattr(figure.Figure, "savefig", lambda _, file, **__: file.write(DOT))
