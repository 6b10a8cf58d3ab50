"""Vectors for static signals: what a pseudo-frame with a wrong record spoils (clause 5.2.3)."""

from __future__ import annotations

from typing import Any

from ..builder import STATIC, File, draw, events, image
from ..catalogue import Made, by_index, vector
from .accept_records import cube

NAMES = ("before", "hit", "after", "never")


def _statics() -> File:
    return File(events(), *(image(name, (1, 4), "uint8", role="survey") for name in NAMES))


def _picture(seed: str) -> Any:
    return draw(seed, (1, 4), "uint8")


def _spoilt(file: File) -> tuple[int, int, int]:
    """Put what goes before, the frame to be spoilt and what follows; returns its FRAM, BLOK and DONE."""
    file.put_static("before", _picture("b")).put_static("hit", _picture("h0")).frame({"EDX": cube("s0")})
    file.put_static("hit", _picture("h1"))
    places = file.at["FRAM"], file.at["BLOK"], file.at["DONE"]
    file.frame({"EDX": cube("s1")}).put_static("after", _picture("a")).frame({"EDX": cube("s2")})
    return places


def _hit(file: File, at: int) -> None:
    for name in ("before", "hit", "never"):
        file.static[name] = {"error": "damaged", "offset": at}


for index in (False, True):
    for place, what in enumerate(("FRAM", "BLOK")):
        suffix = "-indexed" if index else ""

        @vector(
            f"reject/static-{what}-digest-wrong{suffix}",
            "5.2.3",
            "9.1",
            provokes="bytes that are wrong are believed about which signal they are; an earlier one is given instead",
        )
        def digest_wrong(place: int = place, index: bool = index) -> Made:
            file = _statics()
            at = _spoilt(file)[place]
            file.data[at + 24 + (0 if place == 0 else 25)] ^= 1
            _hit(file, at)
            if index:
                file.close()
            return Made(bytes(file.data), file.expect(), file.features)


@vector("reject/static-DONE-digest-wrong-indexed", "5.2.3", "6.3.3", "9.1", provokes="an earlier one is given instead")
def done_wrong() -> Made:
    file = _statics()
    at = _spoilt(file)[2]
    file.close()
    file.data[at + 24] ^= 1
    streaming = file.expect(1, result="damaged", offset=at)
    _hit(file, at)
    return by_index(file, file.frames, streaming)


@vector("reject/static-one-of-two-damaged", "5.2.3", "9.1", provokes="what is wrong in one signal spoils the other")
def one_of_two() -> Made:
    file = _statics().put_static("hit", _picture("h0"))
    file.fram(STATIC)
    file.add_signal("before", _picture("b"), None)
    at = file.blok(2, 0, b"abc")
    file.done()
    file.static = {
        "before": {"shape": [1, 4], "dtype": "uint8", "values": _picture("b").ravel().tolist()},
        "hit": {"error": "damaged", "offset": at},
    }
    return Made(bytes(file.data), file.expect(), file.features)
