"""Version of the packages, of which this is the one source; that of the format is in ``format/layout.py``."""

__version__ = "0.1.0"
