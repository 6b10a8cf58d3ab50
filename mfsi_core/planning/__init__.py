"""Planning: what a series costs in time, dose and bytes, and what its maps will show.

figure.py         counts per area against the spacing of columns
measured.py       what a journal tells about the next series: counts per area, spectrum, bits of its image
plan.py           dose and time of a series, with the definitions of Jones et al
resolvability.py  whether maps will show atomic columns: a model of ours
size.py           size of a journal before it is written
units.py          quantities as people write them, 11.1nm or 17 pA
"""

from .figure import resolvability_figure
from .measured import counts_per_nm2, measured_size, pixel_area
from .plan import Plan, plan
from .resolvability import Column, column_snr, column_table, resolvability, resolved_spacing
from .size import expected_spectrum, journal_bytes
from .units import quantity

__all__ = [
    "Column",
    "Plan",
    "column_snr",
    "column_table",
    "counts_per_nm2",
    "expected_spectrum",
    "journal_bytes",
    "measured_size",
    "pixel_area",
    "plan",
    "quantity",
    "resolvability",
    "resolvability_figure",
    "resolved_spacing",
]
