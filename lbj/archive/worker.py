"""Worker process of the pool: jobs on standard input, one a line, results on standard output."""

from __future__ import annotations

import json
import os
import sys

from ..command import terminable
from ..plugins.output import kept_output
from .amend import Settings
from .jobs import carry_out


def main() -> None:
    """Answer until the input ends; what libraries print goes to the standard error."""
    try:
        with kept_output() as answers, terminable():
            for line in sys.stdin:
                job = json.loads(line)
                settings = Settings(*map(tuple, job["settings"])) if job["settings"] else None
                answers.write(json.dumps(carry_out(job["files"], job["out"], job["alone"], settings)) + "\n")
                answers.flush()
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)


if __name__ == "__main__":
    main()
