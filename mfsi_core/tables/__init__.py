"""Tables: X-ray lines, ionisation edges and constants of the elements, with the programs that make them.

constants.py       atomic weights and mass attenuation coefficients
edges.py           their energies, by element
lines.py           X-ray lines: energies, weights, and the choice of the line that maps an element
make_constants.py  write `attenuation.csv` and `atomic_weights.csv`; needs xraylib
make_edges.py      write `edges.csv`, the table of EELS edges: `python -m mfsi_core.tables.make_edges`; needs xraylib
make_lines.py      write `lines.csv`, the table of X-ray lines: `python -m mfsi_core.tables.make_lines`; needs xraylib
rows.py            rows of the tables that come with the package, and the refusal of elements that they do not know
"""
