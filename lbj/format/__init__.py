"""Format: the bytes of a journal, as spec/lbj.md describes them.

amendments.py     descriptions that later records change (spec/lbj.md 7.1)
attributes.py     the times, currents and settings that may differ from frame to frame (spec/lbj.md 5.4.4)
blocks.py         their fields are checked, and a signal's array is put together from them (spec/lbj.md 5.3)
connections.py    HTTP connections, kept open from request to request, through a proxy where the environment names one
contents.py       the header is parsed, and completed frames are found by the index or from record to record
cutting.py        a signal's data in one frame are cut into blocks, which are coded (spec/lbj.md 5.3)
displacements.py  where the pixels of each frame sampled the scene, as the journal stores it (spec/lbj.md 7.5)
http.py           files on web servers, a range of bytes a request (RFC 9110)
layout.py         layouts of every record, field by field: the executable form of the tables in spec/lbj.md
metadata.py       the names that the standard knows, and what they must be (spec/lbj.md 5.1.9)
plausible.py      plausible ranges of quantities (beam energy, current, …); a value outside is taken for a wrong unit
records.py        the framed, checksummed units of a journal (spec/lbj.md section 4)
remote.py         remote files, by HTTP or fsspec (s3): read in byte ranges, with read-ahead and a cache
urls.py           what is read over a network, a range of bytes a request
"""
