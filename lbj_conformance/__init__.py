"""The conformance suite of the listed-bin journal.

``python -m lbj_conformance run -- COMMAND…`` tests any command that speaks the adapter protocol (protocol.md).

__main__.py  the command that proves an implementation, and what it prints of the results
client.py    calls an adapter command, and tells an answer from a crash or a timeout
generate/    the program that makes the vectors, deterministically: `python -m lbj_conformance.generate`
judge.py     compares an adapter's answer with what the manifest expects
matrix.py    every writer's journals are read by every reader
strict/      a strict, slow, plain reader of listed-bin journals, written from the text of the standard alone
suite.py     runs the vectors against one adapter and returns the results
"""
