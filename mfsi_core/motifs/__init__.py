"""Motifs: template matching: repeats of a motif, found on the aligned image and averaged in event space.

averages.py   all repeats of a motif in all frames, summed into one image or spectrum image
choosing.py   which places that resemble a motif are repeats of it: by sublattice and by score
correlate.py  normalised cross-correlation of an image with a motif, and its maxima to a fraction of a pixel
figure.py     figure of the repeats of a motif and of their average
finding.py    `find_motif`, all repeats of a motif in an image, to a fraction of a pixel, on one sublattice only
following.py  where every repeat of a motif lies in each single frame
lattice.py    the primitive cell of an image, by autocorrelation, and the places that its translations reach
scores.py     how like a motif, under one transform, every place of an image is
symmetry.py   rotations and mirrors under which a motif is sought
table.py      frame, position and score of every repeat
"""

from .averages import Average, average_motif
from .finding import Motifs, find_motif
from .following import follow_motif
from .table import motif_table

__all__ = ["Average", "Motifs", "average_motif", "find_motif", "follow_motif", "motif_table"]
