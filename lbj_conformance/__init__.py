"""The conformance suite of the listed-bin journal.

``python -m lbj_conformance run -- COMMAND…`` tests any command that speaks the adapter protocol (protocol.md).

__main__.py  the command that proves an implementation, and what it prints of the results
client.py    call an adapter command and tell an answer from a crash and a timeout
generate/    the program that makes the vectors, deterministically: `python -m lbj_conformance.generate`
judge.py     compare what an adapter answered with what the manifest expects
matrix.py    every writer against every reader
strict/      a strict, slow, plain reader of listed-bin journals, written from the text of the standard alone
suite.py     run the vectors against one adapter; results, nothing printed
"""
