"""Acquisition: one recorder for any instrument; what it shows is described in ``docs/acquisition.md``.

* `settings`: the nine controls, and what they cost in time and dose.
* `recorder`: surveys, records regions, extends them; `series`: frame after frame; `guarded` calls instruments that may
  hang.
* `session_folder`, `log`, `surveys`: numbered sub-folders, what happened, and the last survey image, in files.
* `checking`: frames that are repeated or skipped. `stopping`: when a series ends. `completion`: what is done then.
* `state`: what is shown.
* `region`: the journal of a region. `damage`: trends against the dose.
* `follower`: the analysis in a process of its own, started and heard by the recorder; `analysis` is that process,
  and `mapping` another that makes the maps for it, seen from it as `mapper`.
"""

from .recorder import Recorder
from .settings import Settings

__all__ = ["Recorder", "Settings"]
