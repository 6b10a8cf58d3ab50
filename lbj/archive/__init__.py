"""Archive: journals made of other files and kept, and what is done to them.

convert.py      any importable source, frame by frame, into a journal
quantities.py   the names that can be amended, and their values with units
amend.py        metadata and axis calibrations of a journal, changed by an appended record (`lbj amend`)
history.py      what the amendments of a journal changed
copying.py      a journal rewritten with the same content, checked before the copy gets its name (`pack`, `strip`)
pack.py         a journal as small as its codings make it
personal.py     names, addresses, accounts and paths in metadata are recognised and removed
strip.py        a journal without personal data
tree.py         a tree of vendors' files as a tree of journals, with a report
plan.py         which files of a folder tree make which journals, which are left alone, and why
jobs.py         jobs of `lbj convert FOLDER`: one journal of an archive is made, read back and compared with its source
compare.py      a journal and the files that it was made of
pool.py         jobs of `lbj convert FOLDER` in parallel processes; one that dies takes down no other job
worker.py       jobs on standard input, one a line, results on standard output
commands.py     arguments and messages of `lbj amend`, `pack`, `strip` and `convert FOLDER`
"""
