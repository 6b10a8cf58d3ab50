"""HyperSpy: ``hs.load("x.lbj")`` and ``signal.save("x.lbj")``, with no import of ours.

plugin.py          adds `.lbj` to the formats that rosettasciio, and so HyperSpy, knows
extension.py       the module by which HyperSpy's entry point `hyperspy.extensions` finds this package
api.py             `file_reader` and `file_writer` with their options, as rosettasciio calls them
reader.py          the signals that `hs.load("x.lbj")` returns, frame by frame or summed, with warnings
aligned.py         lazy frames moved by the stored displacements, (N, Y, X, C), and their sum
writer.py          a HyperSpy signal saved as a journal, `signal.save("x.lbj")`
layout.py          a signal's array as frames, rows, columns and channels
kept.py            what HyperSpy knows of a signal and a journal has no place for, stored for a round trip
trees.py           HyperSpy's nested metadata as JSON, and the difference of two such trees

HyperSpy looks for the entry point while it is imported: nothing here may raise then, or import more than it must.
"""

from .plugin import add_format

add_format()
