"""A strict, slow, plain reader of listed-bin journals, written from the text of the standard alone.

It exists to be compared with other implementations: nothing of it is shared with the reference library, not even the
layouts of records (`layouts`). Where speed and likeness to the text disagree, the text wins. It knows the roles of a
streaming reader, a recoverer and a baseline writer (clauses 1.3 and 10.5).

__main__.py        `python -m lbj_conformance.strict describe|decode|recover|encode`
adapter.py         the adapter protocol of the conformance suite: describe, decode, recover, encode
amend.py           amendments of the header: clause 7.1
blocks.py          blocks, their windows, and the arrays that they make together: clause 5.3
chart.py           spectra whose channels are binned: clause 8.9
codings.py         the codings of clause 8
cursor.py          the bytes of a block read from front to back, with the fields and numbers of clause 8.5.2
dense.py           decoders of lossless-int and float-lattice, and the exceptions of all dense codings: 8.6, 8.7
describe.py        what a writer must observe in a header and a reader need not check: 5.1.4, 5.1.9, 5.1.10
digest.py          CRC-32 of payloads nested in one another, in linear time (note to clause 9.3)
encode.py          writing of a journal from its description: the call `encode` of the adapter protocol
errors.py          the one error of this reader
frames.py          a frame between its FRAM and its DONE: clauses 5.2 and 5.4
header.py          the description in HEAD: clause 5.1
integer_stream.py  integers, predicted and entropy-coded voxel by voxel: clause 8.5
json_text.py       JSON of clause 4.5.1: what Python's json module checks, and what it does not
layouts.py         layouts of records, field by field, from the tables of clauses 4.2 to 5.4
noise.py           quantised values and the map that gives them back: clause 8.8
reader.py          the first column of clause 9.1
records.py         records and their checks, in the order of clause 4.2.7, and the end of the file (clause 4.4)
recover.py         clauses 9.4 to 9.7, and the last column of clause 9.1
rice.py            clause 8.3
scan.py            search for records in a damaged journal: clause 9.3
symbols.py         entropy decoder of the integer stream: symbols and bits from its words: clauses 8.5.8 to 8.5.10
taps.py            predictors of the integer stream, which stand before its words: clauses 8.5.2 and 8.5.3
write.py           the baseline profile of clause 10.5, with payload digests
"""

from .errors import Refused
from .reader import Reader
from .recover import recover

__all__ = ["Reader", "Refused", "recover"]
