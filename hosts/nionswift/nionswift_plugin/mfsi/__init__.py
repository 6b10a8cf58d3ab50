"""Nion Swift plugin: multi-frame series by the recorder of `mfsi_core`, with a panel.

`instrument`: Swift's scan and camera as an instrument; `rows`: what they record, row by row; `panel`: the controls.
"""

from .panel import SeriesExtension

__all__ = ["SeriesExtension"]
