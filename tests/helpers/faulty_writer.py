"""A server of writers to be killed: for each line "PATH LOG create|append" it forks one and prints its process number.

A writer appends frames, closes and reopens for ever; into LOG it writes ``+`` when it begins and ``.`` after each
frame that `append` reported as stored.
"""

import io
import os
import signal
import sys

import numpy as np

import lbj

SIGNALS = [lbj.Signal("EDX", "events", (16, 16, 64)), lbj.Signal("HAADF", "image", (16, 16), coding="raw")]


def data(number):
    """Frame `number`: everything in it depends on the number alone."""
    rng = np.random.default_rng(number)
    return {"EDX": rng.poisson(0.05, (16, 16, 64)).astype(np.uint8), "HAADF": np.full((16, 16), number, np.uint16)}


def write(path, log, how):
    """Run until killed."""
    told = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(told, b"+")
    if how == "create":
        lbj.create(path, SIGNALS, {"title": "to be killed"}).close()
    while True:
        with lbj.append(path) as writer:
            for _ in range(4):
                writer.append(data(len(writer)), region=len(writer))
                os.write(told, b".")


if __name__ == "__main__":
    lbj.create(io.BytesIO(), SIGNALS, sync=False).append(data(0))  # compiled before the forks
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            write(*line.split())
        print(child, flush=True)
