"""Motifs: repeats of a motif, found on the aligned image and averaged in event space."""

from .averages import Average, average_motif
from .finding import Motifs, find_motif
from .following import follow_motif
from .table import motif_table

__all__ = ["Average", "Motifs", "average_motif", "find_motif", "follow_motif", "motif_table"]
