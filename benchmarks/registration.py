"""Error and CPU time of registration beside its peers and the Cramér-Rao bound, in one run; and `situations.py`.

    python benchmarks/registration.py [--seeds N] [--hops | --jitters | --situations [--only TEXT] [--dose COUNTS]]

Crystals whose rows jitter by 0.35 (y) and 0.5 px (x) rms while the frames walk; all methods see the same images.
The error is that of one component of the displacement, px rms over all pixels, frames and seeds, less at each pixel its
mean over the frames, of which registration sees little. The bound (Bayesian Cramér-Rao: the scene, the noise and the
jitter's covariance known, each frame's offset free) holds for that error.

Ours is called without options on the raw images. The peers' settings are the best of a few tried on a seed not used
here, and their images are smoothed by a Gaussian (`smoothed`).

- Rigid: every frame to the first, then to the mean of the frames thus aligned; images smoothed by 2 px, since
  pystackreg hops a lattice period at less. scikit-image and hyperspy: cross-correlation, steps of 1/50 px (normalising
  the phase is worse on lattices); hyperspy without its Sobel and median filters. pystackreg: translation.
- Deformable: start from this project's rigid shifts; every frame to the mean of the frames aligned so far, twice.
  Images smoothed by `SMOOTHING`. TV-L1: attachment 15; ILK: radius 9, Gaussian; Demons: diffeomorphic, field smoothed
  by 3 px, 10 steps (more change nothing); B-spline: 4 x 16 cells (x, y), mean squares, L-BFGS-B.
- "Demons, rows": told that rows move for themselves; images and field (8 px) smoothed along the rows alone. A B-spline
  told so (1 x 127 cells) is less accurate and ten times slower, and is left out.

CPU is process time with every library held to one thread, a frame: "pass", one registration of every frame to a mean;
"whole", everything from the raw images on, with smoothing, rigid start, means and both passes. Ours is whole in both.
Packages that are absent are named. `--hops` instead counts the frames whose mean displacement is wrong by more than
1 px, in 50 seeds at each dose and size. `--jitters` compares with the bound where the jitter is coloured or the mains
hums, and `--situations` prints a line for each situation of `situations.py`.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import numpy as np
from helpers import tables
from scipy import ndimage
from situations import jitters, situations

from mfsi_core import Registration, accumulate, register, simulate
from mfsi_core.accumulation.accumulate import coverage
from mfsi_core.registration.rigid.align import align

SHAPE, FRAMES = (128, 128), 8
DOSES = (200.0, 40.0, 8.0)  # counts per pixel
JITTER, WALK = (0.35, 0.5), 0.3  # px rms of each row (y, x) and px a frame
SMOOTHING = {200.0: 0.7, 40.0: 1.0, 8.0: 1.5}  # px, of the deformable peers' images
FIRST_SEED = 8300
HOP_SEEDS, HOP_SHAPES = 50, ((128, 128), (200, 200))
RIGID_SMOOTHING = 2.0
DEMONS, OURS, BOUND = "SimpleITK Demons", "ours", "bound"
WHOLE_FRAMES = "true means of the frames"  # the least error of any rigid method
PASSES = 2  # of the peers' registrations to a mean


def package(name: str) -> Any:
    """The module, or None where it is absent."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError:
        return None


sitk, skimage, stackreg, hyperspy = map(package, ("SimpleITK", "skimage.registration", "pystackreg", "hyperspy.api"))
if sitk:
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def draw(dose: float, seed: int, shape: tuple[int, int] = SHAPE) -> Any:
    return simulate(shape, FRAMES, 1, seed, image_counts=dose, jitter=JITTER, walk=WALK)


def row_information(series: Any) -> list[np.ndarray]:
    """Fisher information (2Y, 2Y) on each frame's row displacements, y and x of each row in turn."""
    h, i = 1e-3, np.arange(series.shape[0])

    def rate(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return series.image_counts * series.scene.haadf(series.scene.densities(y, x))

    out = []
    for n in range(len(series)):
        y, x = series.positions(n)
        slope = ((rate(y + h, x) - rate(y - h, x)) / (2 * h), (rate(y, x + h) - rate(y, x - h)) / (2 * h))
        fisher, expected = np.zeros((2 * i.size, 2 * i.size)), rate(y, x)
        for a in range(2):
            for b in range(2):
                fisher[2 * i + a, 2 * i + b] = (slope[a] * slope[b] / expected).sum(axis=1)
        out.append(fisher)
    return out


def bound(series: Any, jitter: np.ndarray | None = None, waves: np.ndarray | None = None) -> float:
    """Bayesian Cramér-Rao bound of the field, px rms (van Trees): known scene and jitter, free frame offsets.

    The jitter's covariance between the rows of a frame is (2, Y, Y) px²; default white of `JITTER`. `waves` (N, 2Y, K):
    displacements, y and x of each row in turn, of which all frames share the unknown amplitudes.
    """
    return bounds(row_information(series), series.shape[0], jitter, waves)


def bounds(information: list[np.ndarray], rows: int, jitter: np.ndarray | None, waves: np.ndarray | None) -> float:
    """As `bound`, from what `row_information` returns."""
    frames = len(information)
    if jitter is None:
        jitter = np.square(JITTER)[:, None, None] * np.eye(rows)
    prior = 1e-8 * np.eye(2 * rows)
    for a in range(2):
        prior[a::2, a::2] += 1e4 + jitter[a]
    inverse = np.linalg.inv(prior)
    each = [np.linalg.inv(fisher + inverse) for fisher in information]
    variance = np.mean([np.trace(own) for own in each]) * (1 - 1 / frames)
    if waves is not None:
        both = list(zip(waves, each, information, strict=True))
        told = sum(wave.T @ (fisher - fisher @ own @ fisher) @ wave for wave, own, fisher in both)
        left = np.array([own @ inverse @ wave for wave, own, _ in both])
        left -= left.mean(axis=0)
        variance += np.einsum("nik,kl,nil->", left, np.linalg.inv(told), left) / frames
    return float(np.sqrt(variance / (2 * rows)))


def field_error(found: np.ndarray, truth: np.ndarray) -> float:
    error = found - truth
    return float(np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)))


def aligned_mean(images: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Mean of the frames on the scene's grid; the overall mean where none of them was."""
    found = Registration(field)
    seen = coverage(found)
    return np.where(seen > 0, accumulate(images, found) / np.maximum(seen, 1), images.mean())


def smoothed(images: np.ndarray, sigma: float | tuple[float, float]) -> np.ndarray:
    """Frames smoothed by sigma (y, x), float32 of zero mean and unit range."""
    out = np.array([ndimage.gaussian_filter(image.astype(float), sigma) for image in images])
    return ((out - out.mean()) / np.ptp(out)).astype(np.float32)


def rigid(shift: Callable) -> Callable:
    """Registration by a function (reference, frame) -> (uy, ux)."""

    def whole(images: np.ndarray) -> tuple[np.ndarray, float]:
        reference, cpu = images[0], 0.0
        for _ in range(PASSES):
            start = time.process_time()
            found = np.array([shift(reference, image) for image in images])
            cpu = time.process_time() - start
            field = np.broadcast_to(found[:, :, None, None], (len(images), 2, *images.shape[1:]))
            reference = aligned_mean(images, field).astype(np.float32)
        return field, cpu

    return whole


def deformable(flow: Callable) -> Callable:
    """Registration by a function (frame, scene) -> (2, Y, X), frame(q) = scene(q + flow)."""

    def whole(images: np.ndarray) -> tuple[np.ndarray, float]:
        shift, cpu = align(images.astype(float))[0], 0.0
        start_field = np.broadcast_to(shift[:, :, None, None], (len(images), 2, *images.shape[1:]))
        field = start_field
        for _ in range(PASSES):
            mean = aligned_mean(images, field)
            scenes = [ndimage.shift(mean, -u, order=3, mode="nearest").astype(np.float32) for u in shift]
            start = time.process_time()
            found = [flow(image, scene) for image, scene in zip(images, scenes, strict=True)]
            cpu = time.process_time() - start
            field = start_field + np.array(found)
        return field, cpu

    return whole


def cross_correlation(reference: np.ndarray, frame: np.ndarray) -> Any:
    return skimage.phase_cross_correlation(reference, frame, upsample_factor=50, normalization=None)[0]


def align2d(reference: np.ndarray, frame: np.ndarray) -> Any:
    signal = hyperspy.signals.Signal2D(np.array([reference, frame]))
    return -signal.estimate_shift2D(sobel=False, medfilter=False, sub_pixel_factor=50, show_progressbar=False)[1]


def translation(reference: np.ndarray, frame: np.ndarray) -> Any:
    return -stackreg.StackReg(stackreg.StackReg.TRANSLATION).register(reference, frame)[1::-1, 2]


def tv_l1(frame: np.ndarray, scene: np.ndarray, attachment: float = 15.0) -> Any:
    return skimage.optical_flow_tvl1(frame, scene, attachment=attachment)


def ilk(frame: np.ndarray, scene: np.ndarray, radius: int = 9) -> Any:
    return skimage.optical_flow_ilk(frame, scene, radius=radius, gaussian=True)


def demons(frame: np.ndarray, scene: np.ndarray, sigma: tuple[float, float] = (3.0, 3.0), steps: int = 10) -> Any:
    """Diffeomorphic Demons; sigma (x, y), px, smooths the field."""
    method = sitk.DiffeomorphicDemonsRegistrationFilter()
    method.SetNumberOfIterations(steps)
    method.SetSmoothDisplacementField(True)
    method.SetStandardDeviations(sigma)
    found = method.Execute(sitk.GetImageFromArray(frame), sitk.GetImageFromArray(scene))
    return np.moveaxis(sitk.GetArrayFromImage(found), -1, 0)[::-1]


def b_spline(frame: np.ndarray, scene: np.ndarray, mesh: tuple[int, int] = (4, 16), steps: int = 10) -> Any:
    """B-spline of mesh (x, y) cells."""
    fixed, moving = sitk.GetImageFromArray(frame), sitk.GetImageFromArray(scene)
    method = sitk.ImageRegistrationMethod()
    method.SetInitialTransform(sitk.BSplineTransformInitializer(fixed, list(mesh)), inPlace=False)
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsLBFGSB(numberOfIterations=steps)
    found = method.Execute(fixed, moving)
    field = sitk.TransformToDisplacementField(found, sitk.sitkVectorFloat64, fixed.GetSize())
    return np.moveaxis(sitk.GetArrayFromImage(field), -1, 0)[::-1]


METHODS: dict[str, tuple[Any, Callable, Callable]] = {  # package, smoothing (y, x) at a dose, registration
    "hyperspy align2D": (hyperspy, lambda _: RIGID_SMOOTHING, rigid(align2d)),
    "scikit-image phase corr.": (skimage, lambda _: RIGID_SMOOTHING, rigid(cross_correlation)),
    "pystackreg": (stackreg, lambda _: RIGID_SMOOTHING, rigid(translation)),
    "scikit-image TV-L1": (skimage, SMOOTHING.get, deformable(tv_l1)),
    "scikit-image ILK": (skimage, SMOOTHING.get, deformable(ilk)),
    "SimpleITK B-spline": (sitk, SMOOTHING.get, deformable(b_spline)),
    DEMONS: (sitk, SMOOTHING.get, deformable(demons)),
    "SimpleITK Demons, rows": (
        sitk,
        lambda dose: (0.0, SMOOTHING[dose]),
        deformable(lambda frame, scene: demons(frame, scene, (8.0, 0.01))),
    ),
}


def compare(seeds: range) -> None:
    """Print the table of all methods."""
    methods = {name: method for name, method in METHODS.items() if method[0]}
    square: dict[str, np.ndarray] = {name: np.zeros(len(DOSES)) for name in (*methods, OURS, BOUND, WHOLE_FRAMES)}
    cpu = {name: np.zeros(2) for name in (*methods, OURS)}
    predicted = np.zeros(len(DOSES))
    register(draw(DOSES[0], FIRST_SEED).images)  # compiles
    for k, dose in enumerate(DOSES):
        for seed in seeds:
            series = draw(dose, seed)
            images, truth = series.images, series.displacement
            square[BOUND][k] += bound(series) ** 2
            square[WHOLE_FRAMES][k] += field_error(truth.mean(axis=(2, 3), keepdims=True), truth) ** 2
            start = time.process_time()
            found = register(images)
            cpu[OURS] += time.process_time() - start
            square[OURS][k] += field_error(found.displacement, truth) ** 2
            predicted[k] += found.predicted_error**2
            for name, (_, smoothing, method) in methods.items():
                start = time.process_time()
                field, one_pass = method(smoothed(images, smoothing(dose)))
                cpu[name] += one_pass, time.process_time() - start
                square[name][k] += field_error(field, truth) ** 2
    number = len(seeds)
    print(f"{number} seeds, {FRAMES} frames of {SHAPE[0]} x {SHAPE[1]}; px rms, and times the bound; CPU s a frame.")
    tables.head("", *(f"{dose:g} counts/px" for dose in DOSES), "CPU of one pass", "of the whole")
    least = np.sqrt(square[BOUND] / number)
    for name, total in square.items():
        cells = [f"{error:.4f} ({error / low:.2f})" for error, low in zip(np.sqrt(total / number), least, strict=True)]
        seconds = [f"{s / (number * len(DOSES) * FRAMES):.3f}" for s in cpu[name]] if name in cpu else [None, None]
        tables.row(name, *cells, *seconds)
    tables.row("predicted / true error", *(f"{ratio:.2f}" for ratio in np.sqrt(predicted / square[OURS])), None, None)
    print()
    if DEMONS in cpu:
        one_pass, whole = cpu[OURS] / cpu[DEMONS]
        print(f"CPU of all of ours / one pass of {DEMONS}: {one_pass:.2f}; / the whole of it: {whole:.2f}.")
    absent = [name for name in METHODS if name not in methods]
    if absent:
        print(f"Not installed: {', '.join(absent)}.")


def hops() -> None:
    """Print how many frames are a pixel or more off."""
    tables.head("pixels", "counts/px", "frames that hopped", "of", "largest error, px")
    for shape, dose in itertools.product(HOP_SHAPES, DOSES):
        worst, off = 0.0, 0
        for seed in range(FIRST_SEED, FIRST_SEED + HOP_SEEDS):
            series = draw(dose, seed, shape)
            error = register(series.images).displacement.mean(axis=(2, 3)) - series.displacement.mean(axis=(2, 3))
            distance = np.hypot(*(error - error.mean(axis=0)).T)
            worst, off = max(worst, float(distance.max())), off + int((distance > 1).sum())
        tables.row(f"{shape[0]} x {shape[1]}", f"{dose:g}", off, HOP_SEEDS * FRAMES, f"{worst:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Registration beside its peers and the bound")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--hops", action="store_true", help="count lattice hops instead")
    parser.add_argument("--jitters", action="store_true", help="compare kinds of jitter with the bound instead")
    parser.add_argument("--situations", action="store_true", help="print a line for each situation instead")
    parser.add_argument("--only", default="", metavar="TEXT", help="situations whose name holds a text")
    parser.add_argument("--dose", type=float, default=DOSES[1], help="counts a pixel, in situations")
    options = parser.parse_args()
    if options.hops:
        hops()
    elif options.jitters:
        jitters(row_information, bounds, field_error, options.seeds)
    elif options.situations:
        situations(field_error, bound, options.seeds, options.dose, options.only)
    else:
        compare(range(FIRST_SEED, FIRST_SEED + options.seeds))


if __name__ == "__main__":
    main()
