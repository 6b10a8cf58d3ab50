"""Pictures of the report, looked at pixel by pixel."""

import io

import numpy as np
from PIL import Image

from mfsi_core.report.figures import before_after


def test_a_registered_image_that_is_sharper_than_before_keeps_its_grey_levels():
    """Smeared, a lattice has a tenth of its contrast: on that scale the sharp one would be black and white alone."""
    y, x = np.mgrid[:60, :60]
    lattice = np.cos(y / 2.1) * np.cos(x / 2.3)
    drawn = before_after(50 + 5 * lattice, 50 + 50 * lattice, None, "HAADF")
    grey = np.asarray(Image.open(io.BytesIO(drawn)).convert("L"))
    right = grey[grey.shape[0] // 4 : -grey.shape[0] // 4, grey.shape[1] * 11 // 20 : grey.shape[1] * 4 // 5]
    between = (right > 20) & (right < 235)
    assert between.mean() > 0.7
