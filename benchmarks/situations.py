"""Situations in which a series may be recorded, kinds of jitter among them, and what registration makes of each."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from helpers import tables

from mfsi_core import register, simulate
from mfsi_core.registration.rigid.align import align
from mfsi_core.registration.spikes import remove_spikes
from mfsi_core.simulation.image import Charging, Cosmics, Inverted, Missing, Pedestal, Stripes, Wrapped
from mfsi_core.simulation.scan import Glitch, Hum, Jitter, Serpentine, Step

SHAPE, FRAMES, DOSE = (112, 112), 10, 40.0
RMS = (0.35, 0.5)  # px rms of a row (y, x), where a situation does not say
HALF = (0.25, 0.35)
STILL = {"drift": (0.0, 0.0), "walk": 0.0}
FIRST_SEED = 9100

SITUATIONS: dict[str, dict[str, Any]] = {
    "white jitter": {"jitter": RMS},
    "all hum": {"distortions": [Hum(RMS)]},
    "half hum, half AR(1) 0.7": {"distortions": [Hum(HALF), Jitter(HALF, memory=0.7)]},
    "AR(1) 0.7": {"distortions": [Jitter(RMS, memory=0.7)]},
    "AR(1) 0.95": {"distortions": [Jitter(RMS, memory=0.95)]},
    "1/f": {"distortions": [Jitter(RMS, slope=1.0)]},
    "slow hum of 3 px": {"distortions": [Hum((1.5, 3.0), period=40.3)]},
    "no jitter": {},
    "drift 2 px a frame": {"jitter": RMS, "drift": (2.0, 1.0)},
    "drift 4.5 px a frame, half a period": {"jitter": RMS, "drift": (4.5, 0.0)},
    "drift 9 px a frame, a period": {"drift": (9.0, 0.0)},
    "stage step of 2 periods": {"jitter": RMS, "distortions": [Step(5, 0, (18.0, -9.0))]},
    "stage step of 40 px": {"jitter": RMS, "distortions": [Step(5, 0, (5.0, 40.0))]},
    "step of 7 px in mid-frame": {"jitter": RMS, "distortions": [Step(5, 56, (4.0, 6.0))]},
    "5 rows glitched by 12 px": {"jitter": RMS, "distortions": [Glitch(4, 50, 54, (0.0, 12.0))]},
    "serpentine, lag 0.7 px": {"jitter": RMS, "distortions": [Serpentine(0.7)]},
    "period 6 px": {"jitter": RMS, "spacing": 6.0},
    "period 4 px": {"jitter": (0.2, 0.3), "spacing": 4.0},
    "perfect crystal": {"jitter": RMS, "scene": "perfect crystal"},
    "amorphous": {"jitter": RMS, "scene": "amorphous", "spacing": 8.0},
    "amorphous, jitter 2 px": {"jitter": (1.4, 2.0), "scene": "amorphous", "spacing": 8.0},
    "half vacuum, drift 2": {"jitter": RMS, "scene": "half vacuum", "drift": (2.0, 0.5)},
    "particle, drift 2": {"jitter": RMS, "scene": "particle", "drift": (2.0, 0.5)},
    "fringes": {"jitter": RMS, "scene": "fringes"},
    "edge": {"jitter": RMS, "scene": "edge"},
    "static stripes 15 %": {"jitter": RMS, "disturbances": [Stripes(offset=0.15, static=True)]},
    "mains stripes 15 %": {"jitter": RMS, "disturbances": [Stripes(offset=0.15, period=9.7)]},
    "row offsets 30 %": {"jitter": RMS, "disturbances": [Stripes(offset=0.3)]},
    "row gains 15 %": {"jitter": RMS, "disturbances": [Stripes(gain=0.15)]},
    "pedestal 1000": {"jitter": RMS, "disturbances": [Pedestal(1000.0)]},
    "charging": {"jitter": RMS, "disturbances": [Charging(1.0)]},
    "cosmics": {"jitter": RMS, "disturbances": [Cosmics(0.003)]},
    "hot pixels, amorphous": {"jitter": RMS, "scene": "amorphous", "disturbances": [Cosmics(0.003, hot=True)]},
    "contrast inverts": {"jitter": RMS, "disturbances": [Inverted(6)]},
    "last frame aborted": {"jitter": RMS, "disturbances": [Missing(9, 56, 111)]},
    "frame wrapped by 30 rows": {"jitter": RMS, "disturbances": [Wrapped(4, 30)]},
}


JITTERS: dict[str, dict[str, Any]] = {
    **{name: SITUATIONS[name] for name in ("white jitter", "AR(1) 0.7", "AR(1) 0.95", "1/f")},
    **{name: SITUATIONS[name] for name in ("half hum, half AR(1) 0.7", "all hum")},
    **{f"all hum, {period:g} rows": {"distortions": [Hum(RMS, period=period)]} for period in (5.0, 31.0)},
    "hum that wanders": {"distortions": [Hum(RMS, wander=0.05)]},
}
JITTER_DOSES = (8.0, 40.0, 200.0, 5000.0)
AT_MOST = ("white jitter", "AR(1) 0.95", "all hum")  # those that are recorded at the highest dose, too
JITTER_SCENES = {"crystal": 9.0, "amorphous": 8.0}  # and their spacings, px


def steady_hum(options: dict[str, Any]) -> Hum | None:
    """Hum of a situation whose phase runs steadily through all frames."""
    return next((d for d in options.get("distortions", ()) if isinstance(d, Hum) and not d.wander), None)


def jitter_covariance(rows: int, options: dict[str, Any]) -> np.ndarray:
    """Covariance (2, Y, Y), px², of the rows of one frame in a situation, as far as it is noise and no steady hum."""
    own = np.square(options.get("jitter", (0.0, 0.0)))[:, None, None] * np.eye(rows)
    noise = (d.covariance(rows) for d in options.get("distortions", ()) if d is not steady_hum(options))
    return own + sum(noise, np.zeros((2, rows, rows)))


def hum_waves(frames: int, rows: int, options: dict[str, Any]) -> np.ndarray | None:
    """Displacements (N, 2Y, 5) by a steady hum: its cosine and sine along y and x, and a change of its frequency."""
    hum = steady_hum(options)
    if hum is None:
        return None
    time = np.arange(frames)[:, None] * (rows + hum.flyback) + np.arange(rows)
    turn = 2 * np.pi * (time - time.mean()) / hum.period
    out = np.zeros((frames, 2 * rows, 5))
    for axis, rms in enumerate(hum.rms):
        out[:, axis::2, 2 * axis], out[:, axis::2, 2 * axis + 1] = np.cos(turn), np.sin(turn)
        out[:, axis::2, 4] = rms * turn / np.abs(turn).max() * np.cos(turn)
    return out


def jitters(row_information: Callable, bounds: Callable, field_error: Callable, seeds: int) -> None:
    """Print a line for each kind of jitter and scene: error, times the bound, and true / predicted error at each dose.

    Errors as in `situations`, rms over the seeds. The bound knows scene, noise and covariance; it fits the amplitudes,
    phases and frequency of a hum that runs steadily through the frames, and of one that wanders those of every frame.
    """
    print(f"{seeds} seeds, {FRAMES} frames of {SHAPE[0]} x {SHAPE[1]}; px rms (times the bound; true / predicted).")
    tables.head("", "scene", *(f"{dose:g} counts/px" for dose in JITTER_DOSES))
    for (name, options), (scene, spacing) in itertools.product(JITTERS.items(), JITTER_SCENES.items()):
        square = np.zeros((len(JITTER_DOSES), 3))
        doses = [dose for dose in JITTER_DOSES if dose < max(JITTER_DOSES) or name in AT_MOST]
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            still = {"scene": scene, "spacing": spacing, "walk": 0.3, "image_counts": 1.0}
            series = simulate(SHAPE, FRAMES, 1, seed, **still, **options)
            information = row_information(series)
            rates = [series.image_counts * series.scene.haadf(series.scene.densities(*series.positions(n)))
                     for n in range(FRAMES)]  # fmt: skip
            noise, waves = jitter_covariance(SHAPE[0], options), hum_waves(FRAMES, SHAPE[0], options)
            for k, dose in enumerate(doses):
                rng = np.random.default_rng([seed, int(dose)])
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = register(rng.poisson(dose * np.array(rates)))
                true = field_error(found.displacement, series.displacement)
                least = bounds([dose * one for one in information], SHAPE[0], noise, waves)
                square[k] += np.square([true, found.predicted_error, least])
        rms = np.sqrt(square / seeds)[: len(doses)]
        cells = [f"{true:.4f} ({true / least:.2f}; {true / told:.2f})" for true, told, least in rms]
        tables.row(name, scene, *cells, *[None] * (len(JITTER_DOSES) - len(doses)))


def situations(
    field_error: Callable, bound: Callable, seeds: int, dose: float = DOSE, only: str = "", shape: Any = SHAPE
) -> None:
    """Print one line a situation and seed; `only` those whose name holds a text.

    Columns: rms error, px, of one component less what all frames share, of the frames kept; what registration
    predicted; the error of its own rigid start; the Bayesian bound (a hum fitted through all frames);
    frames whose mean is wrong by more than 1 px; frames left out; and "told" where a warning was given or the error is
    infinite.
    """
    print(f"{FRAMES} frames of {shape[0]} x {shape[1]}, {dose:g} counts/px; px.")
    tables.head("", "true", "predicted", "ratio", "rigid", "bound", "frames off", "left out", "told")
    for name, options in SITUATIONS.items():
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            if only not in name:
                continue
            series = simulate(shape, FRAMES, 1, seed, image_counts=dose, **{"walk": 0.3, **options})
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                found = register(series.images)
            kept, truth = ~found.left_out, series.displacement
            images = series.images.astype(float)
            remove_spikes(images)
            rigid = align(images)[0][:, :, None, None]
            off = (found.shift - truth.mean(axis=(2, 3)))[kept]
            hopped = int((np.hypot(*(off - np.median(off, axis=0)).T) > 1).sum())
            true = field_error(found.displacement[kept], truth[kept])
            others = (
                field_error(np.broadcast_to(rigid, truth.shape), truth),
                bound(series, jitter_covariance(shape[0], options), hum_waves(FRAMES, shape[0], options)),
            )
            ratio = true / found.predicted_error
            errors = [f"{value:.3f}" for value in (true, found.predicted_error)]
            said = str(told[0].message).replace("|", "/")[:60] if told else None
            tables.row(
                name,
                *errors,
                f"{ratio:.1f}",
                *(f"{v:.3f}" for v in others),
                hopped or None,
                (~kept).sum() or None,
                said,
            )
