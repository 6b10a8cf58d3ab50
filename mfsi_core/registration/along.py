"""Along: displacement within rows that the fitted polynomials do not follow, from what residuals have in common."""

from __future__ import annotations

import numpy as np

from .laid import Laid, mean_of

FRAMES = 6  # frames that are examined, at most, spread evenly over the series
LAGS = (3, 4)  # px between the pixels compared along a row; nearer ones share noise, as frames are laid bilinearly
CERTAIN = 3.0  # standard errors that the variance must exceed to be believed


def unfollowed(laid: Laid) -> float:
    """Variance, px², of a component of the displacement that varies along rows and was not followed; 0 if not certain.

    Where a pixel is displaced by d more than was found, the frame differs from the scene of the other frames by the
    slope times d. Noise is independent from pixel to pixel, so the product of the differences at two pixels of a row,
    divided by the product of the slopes there, is on average the covariance of d.
    """
    chosen = np.unique(np.linspace(0, len(laid.images) - 1, FRAMES).round().astype(int))
    products, weights = [], []
    for n in chosen:
        one = laid.frame(int(n))
        own, others = mean_of(one), laid.smooth(mean_of(laid.all - one))
        seen = np.isfinite(own) & np.isfinite(others)
        count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
        own, others = (np.where(seen, image, 0) for image in (own, others))
        own, others = (np.where(seen, image - image.sum(axis=1, keepdims=True) / count, 0) for image in (own, others))
        gain = max(float((own * others).sum() / max(float((others**2).sum()), 1e-30)), 1e-3)
        rest, slope = own / gain - others, np.array(np.gradient(others))
        slope[:, ~seen] = 0
        for lag in LAGS:
            both = (slope[:, :, lag:] * slope[:, :, :-lag]).sum(axis=0)
            products.append((rest[:, lag:] * rest[:, :-lag] * both).sum(axis=1, dtype=float))
            weights.append(float((both**2).sum(dtype=float)))
    product = np.concatenate(products)
    total, chance = float(product.sum()), float(np.sqrt((product**2).sum()))
    return total / sum(weights) if total > CERTAIN * chance and sum(weights) > 0 else 0.0
