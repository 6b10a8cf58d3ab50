"""Parameters of the lossy codings, as written in coding strings."""

from __future__ import annotations

from itertools import pairwise

from ...errors import UsageError

EXAMPLE = "chart(0:60,300:exact,420:20;0.5)"
FINEST, COARSEST = 0.01, 100.0  # steps, in standard deviations


def noise_q(text: str | None) -> float:
    """Step of ``noise-q(STEP)``, in standard deviations of the noise."""
    if text is None:
        raise UsageError("noise-q needs its step in standard deviations of the noise, as noise-q(1)")
    return _step(text, f"noise-q({text})")


def chart(text: str | None) -> tuple[list[tuple[int, int]], float]:
    """Blocks (first channel, factor; 0 for exact) and step of ``chart(START:FACTOR,...;STEP)``."""
    blocks, semicolon, step = (text or "").partition(";")
    if not semicolon:
        raise UsageError(f"chart takes channel:factor pairs and a step, as {EXAMPLE}; got chart({text or ''})")
    out: list[tuple[int, int]] = []
    for pair in blocks.split(","):
        start, colon, factor = pair.strip().partition(":")
        if not colon or not start.isascii() or not start.isdigit() or not (factor == "exact" or factor.isdigit()):
            raise UsageError(f"chart: expected CHANNEL:FACTOR with a whole number or 'exact', got {pair!r} in {text!r}")
        if factor != "exact" and int(factor) == 0:
            raise UsageError(f"chart: the factor of {pair!r} must be at least 1, or 'exact'")
        out.append((int(start), 0 if factor == "exact" else int(factor)))
    if out[0][0] != 0:
        raise UsageError(f"chart: the first block must begin at channel 0, got {out[0][0]} in {text!r}")
    for (a, _), (b, _) in pairwise(out):
        if b <= a:
            raise UsageError(f"chart: blocks must be in order without overlap; {b} comes after {a} in {text!r}")
    if all(factor == 0 for _, factor in out):
        raise UsageError("chart: every block is exact; use lossless-int")
    return out, _step(step, f"chart({text})")


def _step(text: str, where: str) -> float:
    try:
        step = float(text)
    except ValueError:
        step = float("nan")
    if not FINEST <= step <= COARSEST:
        raise UsageError(
            f"{where}: the step must be a number of {FINEST} to {COARSEST} standard deviations, got {text!r}"
        )
    return step
