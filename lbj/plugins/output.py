"""Output: what foreign code prints does not mix with a program's answers."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO


def keep_output() -> BinaryIO:
    """Return this process's standard output; all that is printed from now on goes to the standard error."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers
