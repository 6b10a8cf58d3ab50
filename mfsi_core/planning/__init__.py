"""Planning: what a series costs in time, dose and bytes, and what its maps will show.

figure.py         counts per area against the spacing of columns
measured.py       what a recorded journal tells for the next plan: counts per area, mean spectrum, bits of its image
plan.py           dose, dose rate and time of a series, by the definitions of Jones et al. (2018)
resolvability.py  whether maps will show atomic columns, by counts per area and spacing; a model of ours
size.py           bytes of a journal, estimated before it is recorded
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
