"""Loss: which signals of a journal are stored with loss, and what their blocks state of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import codings
from .codings.shared.declared import STATED, quality
from .format import blocks, layout

if TYPE_CHECKING:
    from .reader import Journal

PREFIX = layout.BLOK_SIZE + 8 * layout.BOUNDS_SIZE + 1 + STATED.size


class Loss(NamedTuple):
    """What the blocks of one signal state.

    Attributes
    ----------
    coding : str
        As declared.
    step : float
        Largest step, standard deviations of the noise.
    chi2 : float
        Mean squared error over the noise's variance; of a chart, that of its bins.
    worst : float
        Largest error, standard deviations.
    read, gain : float
        Largest read noise (units of the values) and gain (units per electron) of the noise models.
    """

    coding: str
    step: float
    chi2: float
    worst: float
    read: float
    gain: float

    def line(self, name: str) -> str:
        """One line for people."""
        return (
            f"{name} is stored with loss: {self.coding}, mean squared error {self.chi2:.3g} of the noise's variance, "
            f"at most {self.worst:.2f} standard deviations (read noise {self.read:.3g}, gain {self.gain:.3g})"
        )


def losses(journal: Journal) -> dict[str, Loss]:
    """Signals stored with loss, from what their blocks state; reads the first bytes of each of their blocks."""
    out = {}
    for name, signal in journal.signals.items():
        if codings.split(signal.coding)[0] not in codings.LOSSY:
            continue
        found = []
        for frame in journal:
            for record in frame.records(name):
                start = record.offset + layout.RECORD_SIZE
                prefix = journal.source.read(start, min(record.length, PREFIX))
                block = blocks.parse(record, prefix, journal.declared, frame.index)
                if codings.name(block.coding) in codings.LOSSY:
                    found.append(quality(block.data))
        if found:
            out[name] = Loss(
                signal.coding,
                max(one.step for one in found),
                sum(one.chi2 for one in found) / len(found),
                max(one.worst for one in found),
                max(one.noise.read for one in found),
                max(one.noise.gain for one in found),
            )
    return out
