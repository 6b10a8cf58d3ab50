"""Maps: counts of X-ray lines and ionisation edges, pixel by pixel, with their variance.

edge_windows.py  where to fit and where to integrate for an element's edge
edges.py         `edge_map`, counts of an EELS edge less the power law before it, pixel by pixel, with variance
halves.py        maps of every second frame and of the others, from which a map's signal-to-noise is known
line_filter.py   maps of X-ray lines by one linear filter for all families, with flags on maps that are doubtful
lines.py         `line_map` and `element_maps`, net counts of X-ray lines pixel by pixel, with their variance
map.py           the result type of all maps (values, variance, flags), and `map_snr`, their signal-to-noise ratio
overlaps.py      warnings on other lines that lie in the window of a line map or in its background
window_sums.py   counts of a series in some channels, pixel by pixel
windows.py       their default width, and net counts less a straight background between two others
"""
