"""The conformance suite of the listed-bin journal.

``python -m lbj_conformance run -- COMMAND…`` tests any command that speaks the adapter protocol (protocol.md).
"""
