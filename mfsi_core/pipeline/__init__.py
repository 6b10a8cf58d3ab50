"""Pipeline: a series from its files to a report, with everything that applies.

align.py      a run opens its journal, chooses frames and signals, and registers them
cube.py       the aligned spectrum image as HDF5 (HyperSpy) or ripple, with the metadata of the series
edge_maps.py  where edges of energy losses begin, and their maps, with notes
line_maps.py  the energy axis of X-rays checked, peaks labelled, and maps of lines, with notes
maps.py       the sum spectrum; then maps of lines or edges
plugins.py    analyses of other packages (plugins `mfsi.analyses`), each in a process of its own
run.py        `mfsi_core.run`, from files to a report; converts, registers, sums, maps, quantifies
sections.py   of a report beyond registration and maps: counts per area, composition, components, plugins
"""
