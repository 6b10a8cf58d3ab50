"""What an acquisition costs its host: a thousand frames at ten a second, recorded and followed.

    python benchmarks/acquisition.py [FRAMES] [SIZE] [COUNTS] [FRAMES A SECOND]

The microscope here has its frames ready (some, drawn beforehand, again and again), so that the machine does nothing but
what the recorder and its analysis ask of it. Printed are the recorder's own time a frame, from the instrument's answer
to the next question, fsync included, and how long of it the processor works; whether every frame is in the journal; how
many frames were asked for too late; how far behind the analysis was; and how much memory (resident, on Linux) recorder,
analysis and the process that makes the maps take more for each frame, by straight lines from the first quarter on.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from helpers import tables

import lbj
from mfsi_core.acquisition import Recorder, Settings
from mfsi_core.instruments import Abilities, Frame
from mfsi_core.simulation.edx import simulate

READY = 25  # frames drawn
EVERY = 20  # frames between looks at the memory
PATIENCE = 120.0  # s for the analysis to catch up


class Ready:
    """A microscope whose frames come at even times; a frame that is asked for too late is late."""

    def __init__(self, size, counts, pace):
        series = simulate((size, size), READY, 2048, 1, counts=counts, jitter=(0.1, 0.15))
        self.signals, self.metadata = series.signals, series.metadata
        self.frames = [series.frame(n) for n in range(READY)]
        self.pace, self.begun, self.late, self.memory = pace, 0.0, [], []

    def abilities(self):
        return Abilities("Frames drawn beforehand")

    def prepare(self, _exposure, _stop):
        return self.signals, self.metadata

    def acquire(self, request):
        now = time.perf_counter()
        self.begun = self.begun or now
        due = self.begun + (request.number + 1) / self.pace
        if request.number % EVERY == 0:
            self.memory.append((request.number, *memory()))
        self.late.append(max(now - (due - 1 / self.pace), 0.0))
        time.sleep(max(due - now, 0.0))
        data, attributes = self.frames[request.number % READY]
        return Frame(dict(data), dict(attributes), request.number)

    def close(self):
        pass


def memory(process="self", depth=3):
    """Resident bytes of a process, its child and that of it (recorder, analysis, maps); 0 where there is none."""
    folder = Path("/proc", str(process))
    try:
        pages = int((folder / "statm").read_text().split()[1])
        tasks = [part.read_text().split() for part in folder.glob("task/*/children")]
    except (OSError, IndexError):
        return [0] * depth
    child = next((number for numbers in tasks for number in numbers), "none")
    return [pages * 4096, *(memory(child, depth - 1) if depth > 1 else [])]


def growth(samples, column):
    """Bytes a frame, least squares from the first quarter on, of samples in which the process was there."""
    number, size = np.array([(row[0], row[1 + column]) for row in samples[len(samples) // 4 :] if row[1 + column]]).T
    return np.polyfit(number, size, 1)[0]


def main(frames=1000, size=256, counts=100_000, pace=10.0):
    instrument = Ready(size, counts, pace)
    folder = Path(tempfile.mkdtemp(prefix="acquisition-"))
    host, work = [], []
    settings = Settings(field=size * 1e-10, pixel=1e-10, frames=frames)
    try:
        with Recorder(folder, instrument, settings) as recorder:
            recorder.host.add = lambda seconds: (host.append(seconds), work.append(time.thread_time()))
            outcome = recorder.acquire()
            state = recorder.state()
            tables.head(f"{frames} frames of {size} x {size} and {counts:,} counts at {pace:g} a second", "")
            tables.row("ended", outcome["text"])
            behind, ended = state["analysis"]["behind"], time.perf_counter()
            while recorder.state()["analysis"]["behind"] and time.perf_counter() - ended < PATIENCE:
                time.sleep(0.1)
            caught = time.perf_counter() - ended
            status = recorder.state()["analysis"]
        with lbj.open(folder / "region-001" / "series.lbj") as journal:
            right = sum(
                frame.events("EDX") == instrument.frames[n % READY][0]["EDX"] for n, frame in enumerate(journal)
            )
            tables.row("frames in the journal", len(journal))
            tables.row("of which as they were recorded", right)
        ms = np.array(host[1:]) * 1e3
        late = np.array(instrument.late) * 1e3
        tables.row("recorder, ms a frame, mean", f"{ms.mean():.1f}")
        tables.row("95 % below", f"{np.percentile(ms, 95):.1f}")
        tables.row("worst", f"{ms.max():.1f}")
        tables.row("by quarters of the series", ", ".join(f"{part.mean():.1f}" for part in np.array_split(ms, 4)))
        cpu = np.diff(work) * 1e3
        tables.row("of it on the processor, mean", f"{cpu.mean():.1f}")
        tables.row("worst", f"{cpu.max():.1f}")
        tables.row("frames asked for a frame's time late", (late > 1e3 / pace).sum())
        tables.row("the latest, ms", f"{late.max():.0f}")
        tables.row("analysis, frames behind at the end", behind)
        tables.row("caught up after, s", f"{caught:.1f}")
        tables.row("maps of so many frames", status["status"].get("mapped"))
        for column, name in enumerate(("recorder", "analysis", "maps")):
            last = instrument.memory[-1][1 + column]
            told = f"{growth(instrument.memory, column) / 1e3:.1f} of {last / 1e6:.0f} MB" if last else None
            tables.row(f"memory of the {name}, kB more a frame", told)
        tables.row("analyses that failed", status["status"].get("failures") or "none")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*(kind(value) for kind, value in zip((int, int, int, float), sys.argv[1:], strict=False)))
