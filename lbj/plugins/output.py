"""Standard output: what plugins and libraries print is sent to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def kept_output() -> Iterator[TextIO]:
    """Give this process's standard output; what is printed meanwhile, also in C, goes to the standard error."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            yield answers
        finally:
            sys.stdout.flush()
            answers.flush()
            os.dup2(answers.fileno(), 1)
