"""The version number of the packages, set here only; that of the format is in ``format/layout.py``."""

__version__ = "0.1.0"
