"""Vectors of codings, more: zstd window sizes, and lossy blocks whose stated error is NaN or infinite."""

from __future__ import annotations

import struct

from ..builder import Block, File, draw, image, spectra
from ..catalogue import vector
from ..dense import STATED, noise_q
from .accept_dense import ROOT
from .accept_integers import noisy, put


@vector("accept/zstd-windows", "8.4.2", "8.4.1", provokes="a window is allocated for, or refused where a library does")
def windows() -> File:
    """Descriptors of 2^10 bytes, of 2^31, just above what libzstd takes, and the largest of RFC 8878."""
    file = File(image("I", (3, 4), "uint16"))
    for descriptor in (0x00, 21 << 3, 21 << 3 | 1, 22 << 3, 0xFF):
        value = draw(f"zw{descriptor}", (3, 4), "uint16")
        options = {"single": False, "window": descriptor}
        file.frame({"I": value}, blocks={"I": [Block(None, "shuffle-zstd", options)]})
    return file.close()


@vector("accept/noise-q-statements-not-finite", "8.8.1", provokes="what is for people is checked")
def statements() -> File:
    file = File(spectra(shape=(2, 3, 4)))
    q = noisy("nf", (2, 3, 4))
    data, value = noise_q(q, ROOT, "float32")
    for word in (struct.pack("<f4d3f", *[float("nan")] * 8), struct.pack("<f4d3f", *[float("-inf")] * 8)):
        put(file, "EELS", value, data[:1] + word + data[1 + len(STATED) :], "noise-q")
    return file.close()
