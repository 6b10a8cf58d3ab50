"""Version of the packages, of which this is the one source."""

__version__ = "0.1.0"
