"""Jitter: the prior of the rows' displacements, a power spectrum learned from the data, and their posterior."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats, Singles

from ..threads import summed
from .bands import certain
from .hum import apart, frequency, steady, waves
from .solving import Waves, coloured, products, solved, uncertain
from .unknowns import SHIFTS

SINGLE = float(np.finfo(np.float32).eps)  # relative precision of float32
LARGEST_HUM = 10.0  # px; deviation of a hum's coefficients that is expected where nothing is known of it
FREE = 10.0  # px, rms; prior of the shift of a whole frame, so wide that it does not hold the frame back
RETURN = 2.0  # factor by which power that was given up must be more certain than other power to be believed again
LONGEST_STEP = 0.2  # most that power falls to in one round, as a share of what it was; it rises by 1 / this at most
LEAST_KNOWN = 0.25  # share of the noise below which power is not believed
APART = 2.0  # cycles a frame; power this near to the frequency of a hum belongs to the hum
# px², variances of the rows' own displacement that are considered where it is lost in the noise.
JITTERS = np.concatenate([[0.0], np.geomspace(0.02, 2.0, 30) ** 2])
BENT = 1 / 16  # highest variance of a bend of rows lost in the noise, as a share of that of their shift
GONE = 0.01  # share of the noise below which power is set to zero, that is, given up


@dataclass
class Told:
    """What the data tell about the rows of some frames; Fourier transforms are over a circle of L rows.

    Attributes
    ----------
    unknown : (N, Y, M)
        Unknowns at the maximum a posteriori.
    unsure : (N, M)
        Variance of their error, estimated as the mean square over the rows of a random draw from the posterior.
    found : (N, F, M) complex
        Fourier transform of `unknown` without the hum.
    drawn : (1, F, M)
        Power spectrum of the draw without the hum, summed over the frames.
    line : (N, 4, 2)
        Coefficients of the hum, cosine (y, x) and sine (y, x): as found, and a draw of their error.
    alone : (N, 4, 2)
        The same coefficients without their prior, and the variances of their error.
    tilt : (N, 2)
        Derivative of the log-likelihood by the hum's frequency at the unknowns found, and the information about it.
    mean : (N, M, M)
        Information matrix of the unknowns of a row, averaged over the rows of the circle.
    rest : (N, F, M) complex
        Fourier transform of the derivative of the log-likelihood by the unknowns, where they were found.
    seen : (N, M)
        Share of the rows that tell of each unknown: 1 where all do, 1 / Y where one does.
    """

    unknown: Singles
    unsure: Floats
    found: Waves
    drawn: Floats
    line: Floats
    alone: Floats
    tilt: Floats
    mean: Floats
    rest: Waves
    seen: Floats


def gather(parts: list[Told]) -> Told:
    """Join what was told of several groups of frames; the parts are emptied, to save memory."""
    out = {}
    for f in fields(Told):
        out[f.name] = np.concatenate([part.__dict__.pop(f.name) for part in parts])
    return Told(**out)


class Jitter:
    """Prior of the rows' unknowns: a stationary Gaussian process along the slow scan, one power spectrum for each.

    Parameters
    ----------
    rows : int
        Rows of a frame.
    spread : (M,)
        First guess of each unknown, rms; those of the whole frame's displacement come first (y, x), px.

    Attributes
    ----------
    length : int
        Rows after which the process repeats (the circle), more than the frame has.
    power : (F, M)
        Power at the frequencies 0 to 1/2 cycles a row; 0 where it was given up, as it was lost in the noise.
    line : float
        Frequency of a hum that is added to the process, cycles a row, 0 for none; its phase and amplitude differ from
        frame to frame.
    line_power : (2,)
        Variance of the hum's coefficients (y, x), px².
    line_mean : (N, 4)
        Coefficients of the hum in each frame that one amplitude and a steadily advancing phase make (`hum.steady`).
    line_spread : (2,)
        Variance of the coefficients (y, x) about these, px².
    """

    def __init__(self, rows: int, spread: Floats) -> None:
        self.rows = rows
        self.length = int(fft.next_fast_len(rows + max(8, rows // 4), real=True))
        self.power = np.tile(spread**2, (self.length // 2 + 1, 1))
        self.line, self.line_power, self._alone = 0.0, np.ones(2), 0.0
        self.line_mean, self.line_spread = np.zeros((0, 4)), np.ones(2)
        self._given_up = np.zeros((2, len(spread)))
        self._free()

    def _free(self) -> None:
        self.power[0, :2] = self.length * FREE**2

    def within(self, rows: int) -> Floats:
        """Displacement of the rows (y, x), px rms, by what takes less than so many rows for a cycle."""
        cycles = np.arange(len(self.power)) / self.length
        line = self.line_power if self.line * rows > 1 else 0.0
        return np.asarray(np.sqrt(self.power[cycles * rows > 1, :2].mean(axis=0) + line))

    def posterior(self, unknown: Floats, frames: NDArray[np.int64], matrix: Singles, pull: Singles) -> Told:
        """Unknowns at the maximum a posteriori, and a random draw from the posterior of their error.

        Parameters
        ----------
        unknown : (N, Y, M)
            Present unknowns of all frames; rows without information stay at the mean shift of their frame.
        frames : (n,)
            Numbers of the frames to be treated.
        matrix : (n, M, M, Y) float32
            Information of each row.
        pull : (n, M, Y) float32
            Its product with the unknowns that fit each row best, less the present ones.
        """
        number, size, rows = pull.shape
        place = unknown[frames].swapaxes(1, 2)
        start = np.zeros((number, size, 1))
        start[:, :2] = place[:, :2].mean(axis=2, keepdims=True)
        pull = pull + products(matrix, (place - start)[None].astype(np.float32), rows)[0]
        used = np.flatnonzero((self.power > 0).any(axis=0))
        some = matrix if used.size == size else np.ascontiguousarray(matrix[:, used[:, None], used])
        hum, hum_slope = (np.kron(w, np.eye(2)).reshape(rows, 2, -1) for w in waves(self.line, rows))
        felt = np.einsum("nabr,rai->inbr", some[:, :2], hum)
        rest = np.zeros((2 + len(felt), number, used.size, self.length), np.float32)
        rest[2:, ..., :rows] = felt
        rest[0, ..., :rows] = pull[:, used]
        rng = np.random.default_rng(int(frames[0]))
        least = max(SINGLE * float(np.trace(some, axis1=1, axis2=2).max()), 1e-30)  # against rounding in float32
        rest[1, ..., :rows] = coloured(some, least, rng.standard_normal((number, rows, used.size)))
        white = fft.rfft(rng.standard_normal((number, self.length, used.size)).swapaxes(1, 2))
        right = fft.rfft(rest)
        power = np.maximum(self.power[:, used], 1e-12 * self.power[:, used].max(axis=0)).T
        right[1] += white / np.sqrt(power)
        wave = solved(some, right, power, self.length)
        found = fft.irfft(wave, self.length)[..., :rows]
        known = np.tile(1 / self.line_spread, 2)[: len(felt)]
        wanted = np.einsum("snar,rai->nis", rest[:2, :, :2, :rows], hum)
        wanted -= np.einsum("inbr,snbr->nis", felt, found[:2])
        inner = np.einsum("inar,raj->nij", felt[:, :, :2], hum)
        inner -= np.einsum("inbr,jnbr->nij", felt, found[2:])
        alone = np.linalg.inv(inner + np.diag(np.full(len(felt), 1 / LARGEST_HUM**2)))
        alone = np.stack([(alone @ wanted[:, :, :1])[:, :, 0], np.diagonal(alone, axis1=1, axis2=2)], axis=2)
        if len(self.line_mean):
            wanted[:, :, 0] += known * self.line_mean[frames]
        wanted[:, :, 1] += rng.standard_normal((number, len(felt))) * np.sqrt(known)
        line = np.linalg.solve(inner + np.diag(known), wanted)
        both, apart = found[:2], wave[:2]
        if len(felt):
            both = both - np.einsum("nis,inbr->snbr", line, found[2:])
            both[:, :, :2] += np.einsum("nis,rai->snar", line, hum)
            apart = apart - np.einsum("nis,inbf->snbf", line, wave[2:])
        both, apart = (_among_all(part, used, size) for part in (both, apart))
        left = pull - products(matrix, both[:1], rows)[0]
        both[0] += start
        apart[0, :, :, 0] += self.length * start[:, :, 0]
        slope = np.einsum("ni,rai->nar", line[:, :, 0], hum_slope)
        bent = np.einsum("nabr,nbr->nar", matrix[:, :2, :2], slope)
        tilt = [(slope * part).sum(axis=(1, 2)) for part in (left[:, :2], bent)]
        return Told(
            both[0].swapaxes(1, 2),
            np.square(both[1]).mean(axis=2, dtype=float),
            apart[0].swapaxes(1, 2),
            (np.abs(apart[1]) ** 2).sum(axis=0, keepdims=True, dtype=float).swapaxes(1, 2),
            line,
            alone,
            np.stack(tilt, axis=1),
            matrix.mean(axis=3, dtype=float) * (rows / self.length),
            fft.rfft(left, self.length).swapaxes(1, 2),
            _share(np.einsum("naar,a->nar", matrix, self.power[1:].mean(axis=0))),
        )

    def tune(self, place: Floats) -> None:
        """Look for a hum in the rows' displacements (N, Y, 2); where found, take its peak out of the spectrum."""
        if self.line:
            return
        line = frequency(place, self._alone)
        if line:
            near = np.abs(np.arange(len(self.power)) / self.length - line) < APART / self.rows
            outside = ~near & (np.abs(np.arange(len(self.power)) / self.length - line) < 4 * APART / self.rows)
            if outside.any():
                self.power = self.power.copy()
                self.power[near, :2] = np.median(self.power[outside, :2], axis=0)
                self._free()
        self.line = line

    def learn(self, told: Told) -> None:
        """Learn the power spectra from the posterior.

        This is a step of Fisher scoring on the evidence (D. J. C. MacKay, Neural Comput. 4 (1992) 415). The derivative
        of the evidence by the power is given by |r|² less its expectation, where r is the derivative of the
        log-likelihood by the unknowns (`Told.rest`); this holds for power that was given up, too. The power is averaged
        over the narrowest of four bands in which it clearly exceeds its noise (`bands.certain`): one frequency, a
        fraction of an octave, two octaves, all higher frequencies. Where it does so in none, it is lowered round by
        round until it is given up.
        """
        found, mean = told.found, told.mean
        if told.line.size:
            pull, information = told.tilt.sum(axis=0)
            self.line += float(np.clip(pull / max(information, 1e-300), -0.2 / self.rows, 0.2 / self.rows))
            self.line_power = np.maximum((told.line**2).sum(axis=2).mean(axis=0).reshape(2, 2).mean(axis=0), 1e-9)
            self.line_mean, self.line_spread = steady(told.alone)
        free, seen = max(len(found) - 1, 1), told.seen.mean(axis=0)
        shift = found[:, 0, 0].real / self.length
        square, place = (apart(w, shift) / self.length for w in (told.rest, found))
        drawn = told.drawn.sum(axis=0) / (len(found) * self.length)
        fisher = np.diagonal(mean, axis1=1, axis2=2).mean(axis=0)
        self._alone = float((self.rows / self.length / fisher[:2]).sum())
        power = np.maximum(self.power, 1e-6 * GONE / fisher)
        even = summed(partial(_even, mean, np.ascontiguousarray(power.T)), len(mean)) / len(mean)
        known = np.maximum(1 - even / power, 1e-12)
        unlike = np.clip((drawn * known)[1:].sum(axis=0) / (even * known)[1:].sum(axis=0), 0.5, 10.0)
        noise = power * np.maximum(1 - known, 1e-9) / known * np.where(self.power > 0, unlike, 1.0)
        total = power + noise
        square = np.where(known > 0.5, place / seen / power**2, square)
        least = np.where(self.power > 0, 1.0, RETURN)
        excess = power + total * (square * total - 1)
        new = certain(excess, noise / np.sqrt(free), least, seen)
        new = np.where(new > LEAST_KNOWN * noise, new, 0.0)
        new = np.clip(new, self.power * LONGEST_STEP, np.maximum(self.power, GONE * noise) / LONGEST_STEP)
        self.power = np.where(new > GONE * noise, new, 0.0)
        gone = np.where(self.power > 0, 0, noise**-2.0)
        weight = np.maximum(gone.sum(axis=0), 1e-300)
        rest = (excess * gone).sum(axis=0) / weight
        unsure = np.where(gone.any(axis=0), 1 / np.sqrt(weight * free), 0.0)
        self._given_up = np.stack([rest, unsure]) * (self.power == 0).mean(axis=0)
        self._free()

    def given_up(self, basis: Any) -> float:
        """Variance of a component of the displacement that is to be expected where the power was given up, px².

        The expectation is taken over the variances `JITTERS`, each as likely as the measured power and its standard
        error make it; beforehand no jitter at all is as likely as all the others together. The bend along a row is
        taken to be small where the row's shift is.
        """
        seen, unsure = self._given_up[:, :SHIFTS]
        unlike = ((seen - JITTERS[:, None]) / np.where(unsure > 0, unsure, 1.0)) ** 2 / 2
        likely = np.exp(unlike.min(axis=0) - unlike)
        likely[0] *= len(JITTERS) - 1
        power = (likely * JITTERS[:, None]).sum(axis=0) / likely.sum(axis=0)
        power = np.where(unsure > 0, power, 0.0).reshape(-1, 2)
        power[1:] = np.minimum(power[1:], BENT * (power[0] + self.power[1:, :2].mean(axis=0)))
        each = power.mean(axis=1)
        return float((each * (basis[: each.size] ** 2).mean(axis=1)).sum())


def _share(told: Floats) -> Floats:
    """Share of the rows that tell of each unknown, (N, M), from their information times its variance, (N, M, Y)."""
    told = told / (1 + told)
    square = (told**2).mean(axis=2)
    return np.where(square > 0, told.mean(axis=2) ** 2 / np.where(square > 0, square, 1), 1.0)


def _among_all(some: NDArray[Any], used: NDArray[np.int64], size: int) -> NDArray[Any]:
    """The same arrays, (2, N, size, L), with zeros for unknowns that are not used."""
    out = np.zeros((*some.shape[:2], size, some.shape[3]), some.dtype)
    out[:, :, used] = some
    return out


def _even(mean: Floats, power: Floats, frames: NDArray[np.int64]) -> Floats:
    """Posterior variances of the Fourier components, (F, M), as of `uncertain`, summed over some frames."""
    return np.asarray(sum(np.einsum("aaf->fa", uncertain(mean[n], power)) for n in frames))
