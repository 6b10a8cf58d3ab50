"""Command of the adapter: ``python -m lbj_conformance.strict describe|decode|recover|encode``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from . import adapter

COMMANDS: dict[str, tuple[Callable[..., dict[str, Any]], int]] = {
    "describe": (adapter.describe, 0),
    "decode": (adapter.decode, 1),
    "recover": (adapter.recover, 2),
    "encode": (adapter.encode, 2),
}


def main(arguments: list[str]) -> int:
    """Answer one call; return the exit code."""
    name, *rest = arguments or [""]
    command, count = COMMANDS.get(name, (adapter.describe, -1))
    if len(rest) != count:
        print("usage: describe | decode PATH | recover PATH OUT | encode JSON PATH", file=sys.stderr)
        return 2
    print(json.dumps(command(*rest)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
