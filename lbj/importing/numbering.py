"""Numbered files: which number in a name counts the frames, and which numbers are missing."""

from __future__ import annotations

import contextlib
import re
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

Number = float | int | None
Groups = dict[str, dict[Number, "Path"]]

_AFTER_LETTER = re.compile(r"(?<=[A-Za-z])[-+]#")
NAMED = 3  # gaps that a note names


def grouped(paths: list[Path]) -> Groups:
    """Return the files by name pattern and number, sorted by it.

    A ``-`` or ``+`` before a number is its sign where no letter or digit stands before it (``tilt_-10``), or where
    another name has the same letters without it (``tilt-10`` beside ``tilt10``). Numbers have fractions where without
    them the files fell apart. Of several numbers the one that takes most values counts; others that change with it
    in step, such as an angle beside a number, do not tell series apart.

    Raises
    ------
    UsageError
        If two files have the same number.
    """
    fractions = _masked(paths, _FRACTION)
    try:
        whole = _split(_masked(paths, _INTEGER))
    except UsageError:
        return _split(fractions)
    if len(fractions) < len(whole):
        with contextlib.suppress(UsageError):
            return min(whole, _split(fractions), key=len)
    return whole


_INTEGER, _FRACTION = r"\d+", r"\d+(?:\.\d+)?"
Masked = dict[str, list[tuple["Path", list[float]]]]


def _masked(paths: list[Path], number: str) -> Masked:
    """Return the files with their numbers, by what is left of their names."""
    token = re.compile(rf"((?<!\d)[-+])?({number})")
    plain = {path: re.sub(number, "#", path.stem) for path in paths}
    names = set(plain.values())
    out: Masked = defaultdict(list)
    for path in paths:
        unsigned = _AFTER_LETTER.sub("#", plain[path])
        letters = unsigned != plain[path] and unsigned in names
        pattern, values, end = "", [], 0
        for found in token.finditer(path.stem):
            sign = found[1] or ""
            start = found.start()
            if sign and start and path.stem[start - 1].isalpha() and not letters:
                sign, start = "", start + 1
            pattern += path.stem[end:start] + "#"
            text = found[2]
            values.append((float(text) if "." in text else int(text)) * (-1 if sign == "-" else 1))
            end = found.end()
        out[pattern + path.stem[end:] + path.suffix.lower()].append((path, values))
    return dict(out)


def _split(masked: Masked) -> Groups:
    out: Groups = {}
    for pattern, files in masked.items():
        columns = list(zip(*(values for _, values in files), strict=True))
        distinct = [len(set(column)) for column in columns]
        at = max(range(len(distinct)), key=lambda i: (distinct[i], i)) if distinct else None
        counts = [at is not None and len(set(zip(column, columns[at], strict=True))) == distinct[at] == n
                  for column, n in zip(columns, distinct, strict=True)]  # fmt: skip
        for path, values in files:
            rest = pattern
            for value, in_step in zip(values, counts, strict=True):
                rest = rest.replace("#", "\0" if in_step else f"{value:g}", 1)
            rest = rest.replace("\0", "#")
            group = out.setdefault(rest, {})
            number = None if at is None else values[at]
            if number in group:
                which = "named" if number is None else f"frame {number:g} of"
                raise UsageError(f"{path} and {group[number]} are both {which} {rest!r}")
            group[number] = path
    return {pattern: dict(sorted(group.items(), key=lambda item: item[0] or 0)) for pattern, group in out.items()}


def gaps(pattern: str, numbers: list[Number]) -> list[str]:
    """Return a note on the numbers that are missing between the first and the last; numbers may rise in steps."""
    known = sorted(number for number in numbers if number is not None)
    steps = Counter(round(b - a, 9) for a, b in pairwise(known))
    if len(known) < 3:
        return []
    usual = max(steps, key=lambda step: (steps[step], -step))
    missing = [(a, b) for a, b in pairwise(known) if b - a > 1.5 * usual]
    if not missing or 2 * steps[usual] < len(known) - 1:
        return []
    listed = ", ".join(f"{a:g} and {b:g}" for a, b in missing[:NAMED])
    more = f" and at {len(missing) - NAMED} more places" if len(missing) > NAMED else ""
    return [f"{pattern}: no files between the numbers {listed}{more}; they usually rise by {usual:g}"]
