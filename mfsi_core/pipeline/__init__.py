"""Pipeline: a series from its files to a report, with everything that applies.

align.py     a journal is opened for a run, its frames are chosen and registered
cube.py      the aligned sum of a series, with all that later programs need to know of it
maps.py      sum spectrum, peaks, and maps of lines or edges with their labels
plugins.py   analyses of other packages, each in a process of its own
run.py       a series from its files to a report, with everything that applies
sections.py  of a report beyond registration and maps: counts per area, composition, components, plugins
"""
