"""Pipeline: a series from its files to a report, with everything that applies.

cube.py      the aligned sum of a series as HDF5, with all that later programs need to know of it
maps.py      sum spectrum, peaks and maps
run.py       a series from its files to a report, with everything that applies
sections.py  what a report tells beyond registration and maps
"""
