"""`mfsi host`: a session over JSON lines, for programs in any language.

One request on a line of standard input, one answer on a line of standard output, in the same order. A frame is in the
journal, and durable, when its answer comes. A line that is wrong gets an answer that says so and changes nothing; the
end of the input closes the journal. ``--schema`` prints the JSON Schema of all messages.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

CONVERSATION = """\
> {"do": "open", "path": "series.lbj", "metadata": {"beam_energy": 2e5}, "elements": ["Ti"], "signals": [
    {"name": "EDX", "kind": "events", "shape": [1, 3, 1024],
     "axes": [{"name": "y"}, {"name": "x"}, {"name": "energy", "scale": 10, "units": "eV"}]},
    {"name": "HAADF", "kind": "image", "shape": [1, 3], "dtype": "uint8"}]}
< {"ok": true, "frames": 0, "signals": ["EDX", "HAADF"]}
> {"do": "push", "attributes": {"dwell_time": 1e-4, "beam_current": 1.7e-11}, "data": {
    "EDX": {"pixel": [0, 2, 2], "channel": [451, 450, 93]},
    "HAADF": {"dtype": "uint8", "shape": [1, 3], "base64": "AwkH"}}}
< {"ok": true, "frame": 0}
> {"do": "push", "data": {"EDX": {"pixel": [2], "channel": [452], "count": [2]}, "HAADF": {"file": "haadf1.npy"}}}
< {"ok": true, "frame": 1}
> {"do": "status"}
< {"ok": true, "status": {"frames": 2, "counts": 5, ... "maps": {"Ti_Ka": 1.41 ... }, ...}}
> {"do": "map", "name": "Ti_Ka"}
< {"ok": true, "dtype": "float32", "shape": [1, 3], "base64": ... }
> {"do": "map", "name": "Fe_Ka"}
< {"ok": false, "error": "UsageError", "message": "there is no map 'Fe_Ka'; there are Ti_Ka"}
> {"do": "close"}
< {"ok": true, "frames": 2}
"""


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command("host", "record and follow a series for programs in any language", "mfsi host < requests.jsonl")
    parser.description = __doc__.partition("\n\n")[2].replace("``", "")
    parser.epilog = (
        f"{parser.epilog}\n\na conversation (> to the host, < from it; one line each, here broken):\n{CONVERSATION}"
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of requests and answers")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from lbj.plugins.output import kept_output

    from ..host.host import schema, serve

    if args.schema:
        print(schema(), end="")
    else:
        with kept_output() as answers:  # what an instrument prints is no answer
            serve(sys.stdin.buffer, answers)
    return 0
