"""Former name of `mfsi_core.registration.rigid.align`, kept for programs that import it."""

import sys

from .registration.rigid import align

sys.modules[__name__] = align
