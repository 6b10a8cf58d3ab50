"""Trust: whether images are too noisy for the frames to be aligned by them."""

from __future__ import annotations

import math

from ..geometry.registration import Registration

LARGEST_ERROR = 3.0  # px, rms; largest predicted error with which images are used to align frames
WORST_ERROR = 0.5  # px, rms; the same where the images are sums of the spectra


def distrusted(registration: Registration, name: str, *, image: bool, plugin: bool = False) -> str:
    """Reason why the frames are summed unaligned, as a sentence; empty where the registration can be trusted.

    Parameters
    ----------
    registration : Registration
    name : str
        Name of the signal that was registered.
    image : bool
        Whether it is an image of its own. Otherwise it is the sum of each spectrum, of which a smaller error is asked.
    plugin : bool
        Whether another package registered it; that may leave its error unknown.
    """
    why = ""
    if registration.left_out.all():
        why = "no frame can be registered, all are blank, missing or not finite"
    elif plugin and math.isnan(registration.seen_error):
        return ""
    elif not registration.seen_error <= (LARGEST_ERROR if image else WORST_ERROR):
        why = f"too noisy to register by (predicted error {registration.seen_error:.2g} px rms)"
    return f"{name}: {why}; the frames were summed as they are." if why else ""
