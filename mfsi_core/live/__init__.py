"""Live: what the microscope's program uses while a series is being recorded.

host.py      a session over JSON lines, for programs in any language; messages as in ``messages.schema.json``
mapping.py   maps of the frames so far, and their signal-to-noise ratios
messages.py  JSON lines checked field by field, and the data they carry; see ``messages.schema.json``
options.py   which image is registered and which maps are made, checked before anything is written
session.py   frames go into the journal and are analysed while the microscope runs
status.py    what a series shows so far, computed when it is asked for
tracking.py  the frames of a journal that is still growing, and their registration
"""
