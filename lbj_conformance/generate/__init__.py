"""The program that makes the vectors, deterministically: ``python -m lbj_conformance.generate``.

__main__.py        write all vectors and the manifest: `python -m lbj_conformance.generate [FOLDER]`
builder.py         build journals byte by byte, right or wrong, from the standard's tables
catalogue.py       each a function that makes one file and says what it provokes
codings.py         encoders in plain Python, written from clause 8 alone; where the stream leaves a choice
dense.py           blocks of the codings of integer streams in plain Python
integer_stream.py  encoder of integer streams in plain Python
vectors/           a function each, named by its id; a file for a kind of them
"""
