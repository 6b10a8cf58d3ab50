"""Commands: what `mfsi` does, a file a command.

chart.py     what `mfsi chart` prints
host.py      `mfsi host`: a session over JSON lines, for programs in any language
opening.py   what a command is given, a journal or any file that can be converted to one
plan.py      `mfsi plan`: what a series will cost and show
plugins.py   `mfsi plugins`: what installed packages add, and whether it comes up
quantify.py  `mfsi quantify`: compositions of the chips of a field
scree.py     `mfsi scree`: variance ratios and significant components against dose
template.py  `mfsi template`: find all repeats of a motif and average them
"""
