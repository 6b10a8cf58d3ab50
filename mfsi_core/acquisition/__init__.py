"""Acquisition: one recorder for any instrument; what it shows is described in ``docs/acquisition.md``.

analysis.py        the process that follows a journal during recording, and writes drift, image, maps and status
checking.py        frames that an instrument hands out twice, or skips
completion.py      what happens at the end of a series: blank the beam, run a command or a function
damage.py          whether image intensity, counts or maps show a trend against the dose
follower.py        starts the analysis process for the recorder, tells it of new frames and reads its results
guarded.py         calls of an instrument with a time-out, in a thread of their own; one that hangs is given up
log.py             the numbered events of a session, in memory and in a file, for pages that reconnect
mapper.py          starts the process `mapping` for the analysis, and takes its results
mapping.py         the process that makes maps, components and signal-to-noise ratios of all frames so far
recorder.py        surveys and records series with any instrument; every completed frame is kept
region.py          the journal of one region of interest, begun or continued, with its dose so far
regions.py         which region of a session is recorded into; it is begun or extended, and its frames are followed
series.py          the loop that records frame after frame, from *acquire* until a limit is reached
session_folder.py  numbered sub-folders, one a region, and the files beside them
settings.py        the controls of an acquisition (field, pixel, dwell, current, …), checked before anything is exposed
sizes.py           how large the journal of a series will be, by its frames or by what signals hold
state.py           what the recorder shows (times, doses, progress, disk space), as JSON; see `docs/acquisition.md`
stopping.py        when a series ends: frames, dose, time, signal-to-noise, predicted error or components
surveys.py         the last survey image, kept in the session's folder, and whether a region lies on it
"""

from .recorder import Recorder
from .settings import Settings

__all__ = ["Recorder", "Settings"]
