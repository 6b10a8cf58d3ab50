"""The program that makes the vectors, deterministically: ``python -m lbj_conformance.generate``.

__main__.py        write all vectors and the manifest: `python -m lbj_conformance.generate [FOLDER]`
builder.py         build journals byte by byte, right or wrong, from the standard's tables
catalogue.py       functions register here, each makes one file and says which mistake it provokes
codings.py         encoders of leb128, split-rice, raw and zstd blocks in plain Python, written from clause 8 alone
dense.py           encoders of lossless-int, float-lattice, noise-q and chart in plain Python
integer_stream.py  encoder of integer streams in plain Python
vectors/           a function each, named by its id; a file for a kind of them
"""
