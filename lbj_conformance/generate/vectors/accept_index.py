"""Vectors that every reader reads: index and footer, right, wrong, or in the midst of the file."""

from __future__ import annotations

from typing import Any

from ..builder import (
    File,
    draw,
    image,
    record,
    resealed,
)
from ..catalogue import Made, right, vector
from .accept_records import cube, small, two


@vector("accept/reopened", "6.1", "10.2", provokes="reading stops at the first footer")
def reopened() -> File:
    file = two(small(metadata={"title": "t"})).close()
    return file.frame({"EDX": cube("f2")}).close()


@vector(
    "accept/reopened-not-closed", "6.1", "10.2", provokes="the last footer in the file is used though frames follow it"
)
def reopened_open() -> Made:
    return right(two(small()).close().frame({"EDX": cube("f2")}), ["6.1"])


@vector("accept/two-footers", "6.1", "6.2.1", provokes="the first footer that is found counts")
def two_footers() -> File:
    return two(small()).close().close()


def lie(fields: Any) -> None:
    """Leave the last frame out of index and footer: whoever uses them shows it."""
    fields["groups"].pop()
    fields["counts"][0] -= 1
    fields["foot"][1] -= 1
    fields["foot"][2] -= 16


def _grow(fields: Any, by: int) -> Any:
    fields["foot"][2] += by
    return fields


LYING = {
    "size": lambda f: _grow(f, 8),
    "place": lambda f: f["foot"].__setitem__(0, f["foot"][0] - 8),
    "place-far": lambda f: f["foot"].__setitem__(0, 2**64 - 8),
    "frames": lambda f: f["foot"].__setitem__(1, 2),
    "signals": lambda f: (f["counts"].__setitem__(1, 2), f["totals"].append((0, 0)), _grow(f, 16)),
    "count-of-frames": lambda f: f["counts"].__setitem__(0, 2**61),
    "count-of-statics": lambda f: f["counts"].__setitem__(2, 2**32 - 1),
    "length": lambda f: (f.__setitem__("after", bytes(16)), _grow(f, 16)),
}
PLAIN = {
    "offset-not-of-8": lambda f: f["groups"].__setitem__(0, (f["groups"][0][0] + 4, f["groups"][0][1])),
    "offset-after-itself": lambda f: f["groups"].__setitem__(1, (f["groups"][1][0], f["foot"][0] + 24)),
    "offset-in-head": lambda f: f["groups"].__setitem__(0, (8, f["groups"][0][1])),
    "order-of-frames": lambda f: f["groups"].reverse(),
    "done-before-fram": lambda f: f["groups"].__setitem__(0, f["groups"][0][::-1]),
}

for what, change in {**LYING, **PLAIN}.items():

    @vector(f"accept/index-wrong-{what}", "6.3.1", "6.3.2", provokes="an index is used before it is checked")
    def broken_index(change: Any = change, lying: bool = what in LYING) -> Made:
        def both(fields: Any) -> None:
            if lying:
                lie(fields)
            change(fields)

        return right(two(small()).close(change=both), ["6.2", "6.3.2"])


@vector("accept/index-wrong-order-of-statics", "6.3.1", provokes="only the order of frames is checked")
def order_of_statics() -> Made:
    file = small(image("survey", (4, 5), "uint8", role="survey"))
    file.put_static("survey", draw("s0", (4, 5), "uint8")).put_static("survey", draw("s1", (4, 5), "uint8"))
    return right(file.close(change=lambda fields: fields["groups"].reverse()), ["6.3.2"])


def _lying() -> File:
    return two(small()).close(change=lie)


@vector("accept/index-wrong-type", "6.3.1", provokes="any record may stand where the footer points")
def index_type() -> Made:
    file = _lying()
    at = file.at["iNDX"]
    file.data[at + 4 : at + 8] = b"abCd"
    resealed(file.data, at)
    return right(file, ["6.2", "6.3.2"])


@vector("accept/index-wrong-end", "6.3.1", "6.1", provokes="records may stand between index and footer")
def index_end() -> Made:
    def change(fields: Any) -> None:
        lie(fields)
        _grow(fields, 32)

    file = two(small()).close(change=change)
    at = file.at["fOOT"]
    file.data[at:at] = record(b"abCd", b"12345678")
    return right(file, ["6.1", "6.2", "6.3.2"])


for kind, clauses in {"iNDX": "index", "fOOT": "footer"}.items():

    @vector(
        f"accept/{clauses}-digest-wrong",
        "6.3.1",
        "9.1",
        provokes="what has a wrong digest is used, or the file refused",
    )
    def index_digest(kind: str = kind) -> Made:
        file = _lying()
        at = file.at[kind]
        file.data[at + 16] ^= 1
        resealed(file.data, at)
        return right(file, ["4.2.5", "6.2", "6.3.2"])

    @vector(f"accept/{clauses}-without-digest", "6.1", "6.3.1", provokes="what has no digest is trusted")
    def index_undigested(kind: str = kind) -> Made:
        file = _lying()
        at = file.at[kind]
        file.data[at + 3] = 0
        file.data[at + 16 : at + 20] = bytes(4)
        resealed(file.data, at)
        return right(file, ["6.1"])


for minor in (0, 1, 8):

    @vector(f"accept/version-0.{minor}", "5.1.2", provokes="the minor version is compared for equality")
    def older(minor: int = minor) -> Made:
        return right(two(small(version=(0, minor))).close(), ["5.1.2"])


@vector("accept/index-totals-wrong", "6.3.2", "6.1", provokes="nothing in a reader: a validator must report it")
def index_totals() -> Made:
    def change(fields: Any) -> None:
        fields["totals"][0] = (1, 2)

    return right(two(small()).close(change=change), ["6.3.2"])
