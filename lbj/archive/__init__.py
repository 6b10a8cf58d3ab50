"""Archive: journals made of other files and kept, and what is done to them.

convert.py      any importable source, frame by frame, into a journal
quantities.py   the names that can be amended, and their values with units
amend.py        descriptions amended by appended records
history.py      what the amendments of a journal changed
copying.py      a journal written anew with the same content, proved
pack.py         a journal as small as its codings make it
personal.py     what in descriptions names or points to a person
strip.py        a journal without personal data
tree.py         a tree of vendors' files as a tree of journals, with a report
plan.py         which files of a tree make which journals
jobs.py         one journal of an archive made, read back and compared
compare.py      a journal and the files that it was made of
pool.py         jobs in processes side by side
worker.py       such a process
commands.py     the commands' arguments
"""
