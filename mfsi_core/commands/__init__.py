"""Commands: what `mfsi` does, a file a command.

host.py      `mfsi host`: a session over JSON lines, for programs in any language
plan.py      `mfsi plan`: what a series will cost and show
quantify.py  `mfsi quantify`: compositions of the chips of a field
scree.py     `mfsi scree`: variance ratios and significant components against dose
template.py  `mfsi template`: find all repeats of a motif and average them
"""
