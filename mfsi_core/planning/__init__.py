"""Planning an experiment: what a series costs in time, dose and bytes, and what its maps will show."""

from .columns import Column, column_snr, column_table, resolvability, resolved_spacing
from .dose import Plan, plan
from .figure import resolvability_figure
from .measured import counts_per_nm2, measured_size, pixel_area
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
