"""Along: displacement within rows that the fitted polynomials do not follow, by residuals or by what they do follow."""

from __future__ import annotations

import numpy as np

from lbj.array_types import Singles

from .laid import Laid, mean_of
from .rows.jitter import Jitter

FRAMES = 6  # frames that are examined, at most, spread evenly over the series
LAGS = (3, 4)  # px between the pixels compared along a row; nearer ones share noise, as frames are laid bilinearly
CERTAIN = 4.0  # standard errors that the variance must exceed to be believed
# Variance of a random walk in the Legendre polynomials along the row from the fourth degree on, over that in the third.
BEYOND = 20 / 7


def continued(prior: Jitter) -> float:
    """Variance, px², of a component of the displacement in degrees above the third, if it walks randomly along rows.

    In the polynomial of degree k a random walk has a variance in proportion to 1 / ((2k - 1) (2k + 3)). That of the
    third degree is as learned from the rows, the median over the frequencies from row to row: mains hum makes a line.
    """
    cubic = float(np.median(prior.power[1:, 6:8], axis=0).mean())
    return BEYOND * cubic / 7  # the mean square of the cubic polynomial is 1/7


def unfollowed(laid: Laid) -> float:
    """Variance, px², of a component of the displacement that varies along rows and was not followed; 0 if not certain.

    Where a pixel is displaced by d more than was found, the frame differs from the scene by the slope times d. Noise is
    independent from pixel to pixel, so the product of the differences at two pixels of a row, divided by the product of
    the slopes there, is on average the covariance of d. Subtracted are what the differences of several frames have in
    common, since it comes from the scene, and a displacement of each row, since laying irregular rows makes one.
    """
    frames = len(laid.images)
    chosen = np.unique(np.linspace(0, frames - 1, FRAMES).round().astype(int))
    scene = laid.smooth(mean_of(laid.all))
    slope = np.array(np.gradient(scene))
    seen = np.isfinite(slope).all(axis=0)
    rests = []
    for n in chosen:
        own = mean_of(laid.frame(int(n)))
        rests.append(less_mean(own) - less_mean(np.where(np.isfinite(own), scene, np.nan)))
        seen &= np.isfinite(rests[-1])
    rest = np.array(rests)
    rest = np.where(seen, rest - rest.mean(axis=0), 0)
    slope = np.where(seen, slope, 0)
    power = np.einsum("ayx,byx->yab", slope, slope)
    power += 1e-6 * (np.trace(power, axis1=1, axis2=2).max() + 1e-30) * np.eye(2)
    alike = np.linalg.solve(power[None], np.einsum("ayx,nyx->nya", slope, rest)[..., None])[..., 0]
    rest -= np.einsum("nya,ayx->nyx", alike, slope)
    products, weight = np.zeros(rest.shape[:2]), 0.0
    for lag in LAGS:
        both = (slope[:, :, lag:] * slope[:, :, :-lag]).sum(axis=0)
        products += (rest[:, :, lag:] * rest[:, :, :-lag] * both).sum(axis=2, dtype=float)
        weight += float((both**2).sum(dtype=float))
    total, chance = float(products.sum()), float(np.sqrt((products**2).sum()))
    if total <= CERTAIN * chance or len(chosen) < 2:
        return 0.0
    free = (len(chosen) - 1) * (1 - 1 / frames)
    return total / weight / free


def less_mean(images: Singles) -> Singles:
    """Images, (..., Y, X), less the mean of each row, NaN where it is not known."""
    seen = np.isfinite(images)
    mean = np.where(seen, images, 0).sum(axis=-1, keepdims=True) / np.maximum(seen.sum(axis=-1, keepdims=True), 1)
    return np.asarray(images - mean)
