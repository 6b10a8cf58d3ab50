"""Maps: counts of X-ray lines and ionisation edges, pixel by pixel, with their variance.

edge_windows.py  where to fit and where to integrate for an element's edge
edges.py         counts of an ionisation edge less the power law before it, pixel by pixel, with their variance
halves.py        a map of every second frame and of the others, joined, tell how much of it is noise
line_filter.py   maps of lines by one filter for all families at once, and which are doubtful beside stronger ones
lines.py         net counts of a line, pixel by pixel, with their variance
map.py           counts of a line or an edge, pixel by pixel, and how sure they are
overlaps.py      what else lies in the windows of a map that is made by windows
window_sums.py   counts of a series in some channels, pixel by pixel
windows.py       how wide they are by default, and net counts in one less a straight background between two others
"""
