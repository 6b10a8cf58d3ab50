"""Too noisy: whether images are too noisy for their frames to be aligned by them."""

from __future__ import annotations

import math

from ..geometry.registration import Registration

LARGEST_ERROR = 3.0  # px; images that register worse are no reference
WORST_ERROR = 0.5  # px; nor are sums of counts or spectra


def distrusted(registration: Registration, name: str, *, image: bool, plugin: bool = False) -> str:
    """Say why the frames are summed as they are; empty where the registration can be trusted.

    Parameters
    ----------
    registration : Registration
    name : str
        Of what was registered.
    image : bool
        Whether that is an image of its own, and not the spectra's sums, which are taken only if they register better.
    plugin : bool
        Whether another package registered, which need not know its error.
    """
    why = ""
    if registration.left_out.all():
        why = "no frame can be registered, all are blank, missing or not finite"
    elif plugin and math.isnan(registration.seen_error):
        return ""
    elif not registration.seen_error <= (LARGEST_ERROR if image else WORST_ERROR):
        why = f"too noisy to register by (predicted error {registration.seen_error:.2g} px rms)"
    return f"{name}: {why}; the frames were summed as they are." if why else ""
