"""Instruments: what records frames, each a small class behind one protocol; the recorder (`acquisition`) does the rest.

arrivals.py   the numbered files of a watched folder, in order, once they are complete
finding.py    instruments by name, through the entry points `mfsi.instruments`
folder.py     watched folder as an instrument: the numbered files that any vendor's program saves are frames
protocol.py   what an instrument must offer: abilities, survey, prepare, acquire, blank, close
simulated.py  a simulated microscope: a crystal that drifts and is damaged, with hum, jitter and a detector's dead time
specimen.py   its specimen: a crystal that drifts and is damaged where it was exposed
"""

from .finding import find, names
from .protocol import Abilities, Changed, Exposure, Frame, Instrument, Picture, Request

__all__ = ["Abilities", "Changed", "Exposure", "Frame", "Instrument", "Picture", "Request", "find", "names"]
