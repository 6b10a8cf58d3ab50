"""Archive: what is done to journals that are kept.

quantities.py   the names that can be amended, and their values with units
amend.py        descriptions amended by appended records
history.py      what the amendments of a journal changed
commands.py     the commands' arguments
"""
