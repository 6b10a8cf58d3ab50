"""Instruments: what records frames, each a small class behind one protocol; the recorder (`acquisition`) does the rest.

* `protocol`: what an instrument is, and what it is asked for.
* `finding`: instruments by name, through the entry points ``mfsi.instruments``.
* `simulated`: a microscope with drift, hum, jitter, damage and dead time.
* `folder`: any vendor's program that saves numbered files; `arrivals`: which of them are whole, and come next.

specimen.py  specimen of the simulated microscope: a crystal that drifts and is damaged where it was exposed
"""

from .finding import find, names
from .protocol import Abilities, Changed, Exposure, Frame, Instrument, Picture, Request

__all__ = ["Abilities", "Changed", "Exposure", "Frame", "Instrument", "Picture", "Request", "find", "names"]
