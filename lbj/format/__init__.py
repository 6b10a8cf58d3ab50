"""Format: the bytes of a journal, as spec/lbj.md describes them.

amendments.py     descriptions that later records change (spec/lbj.md 7.1)
attributes.py     the times and settings that may differ from frame to frame (spec/lbj.md 5.4.4)
blocks.py         fields of a block are checked, data of a signal put together from its blocks (spec/lbj.md 5.3)
connections.py    connections to web servers, kept from request to request
contents.py       find the completed frames of a journal by its index or by walking its records (spec/lbj.md 5 and 6)
cutting.py        data of one signal of one frame are cut into blocks, which are coded (spec/lbj.md 5.3)
displacements.py  where the pixels of each frame sampled the scene (spec/lbj.md 7.5)
http.py           files on web servers, a range of bytes a request (RFC 9110)
layout.py         layouts of every record, field by field: the executable form of the tables in spec/lbj.md
metadata.py       the names that the standard knows, and what they must be (spec/lbj.md 5.1.9)
plausible.py      ranges of quantities outside which a value is no measurement but a wrong unit
records.py        the framed, checksummed units of a journal (spec/lbj.md section 4)
remote.py         files that are read in ranges of bytes, by HTTP or fsspec, and how much at once
urls.py           what is read over a network, a range of bytes a request
"""
