"""A strict, slow, plain reader of listed-bin journals, written from the text of the standard alone.

It exists to be compared with other implementations: nothing of it is shared with the reference library, not even the
layouts of records (`layouts`). Where speed and likeness to the text disagree, the text wins. It knows the roles of a
streaming reader, a recoverer and a baseline writer (clauses 1.3 and 10.5).
"""

from .errors import Refused
from .reader import Reader
from .recover import recover

__all__ = ["Reader", "Refused", "recover"]
