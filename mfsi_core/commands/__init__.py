"""Commands: what `mfsi` does, a file a command.

accumulate.py  `mfsi accumulate`: the aligned sum of all frames, as HDF5 or Lispix ripple
acquire.py     `mfsi acquire`: the acquisition window in the browser
arguments.py   options that several commands share, and how their values are read
chart.py       `mfsi chart`: a data-compression chart for EELS spectra, and what is printed of it
demo.py        `mfsi demo`: a small series is simulated and run
denoise.py     `mfsi denoise`: spectra rebuilt from principal components
host.py        `mfsi host`: a session over JSON lines, for programs in any language
maps.py        `mfsi maps`: maps of elements
opening.py     a command's input, a journal or a vendor file that is converted to a temporary one
plan.py        `mfsi plan`: what a series will cost and show
plugins.py     `mfsi plugins`: what installed packages add, and whether it comes up
quantify.py    `mfsi quantify`: compositions of the chips of a field
register.py    `mfsi register`: the shift of every frame
run.py         `mfsi run`: from files to a report, everything that applies
scree.py       `mfsi scree`: variance ratios and significant components against dose
template.py    `mfsi template`: find all repeats of a motif and average them
view.py        `mfsi view`: a journal in the browser
watch.py       `mfsi watch`: follow the files that a vendor's program saves into a folder
"""
