"""HyperSpy: ``hs.load("x.lbj")`` and ``signal.save("x.lbj")``, with no import of ours.

plugin.py          adds the format to those that HyperSpy knows
extension.py       what the entry point ``hyperspy.extensions`` names, so that HyperSpy imports this package
api.py             `file_reader` and `file_writer`, as rosettasciio's plugins have them
reader.py          what `hs.load` gives: signals, frame by frame or summed, with what has to be warned of
aligned.py         frames moved by the stored displacements, and their sum
writer.py          a signal as a journal
layout.py          a signal's array as frames, rows, columns and channels
kept.py            what HyperSpy knows and the journal has no place for
trees.py           HyperSpy's metadata as JSON, and which values can be kept so

HyperSpy looks for the entry point while it is imported: nothing here may raise then, or import more than it must.
"""

from .plugin import add_format

add_format()
