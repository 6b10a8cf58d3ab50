"""Where a frame saw a position of the scene: q + u(q) = p solved densely, for the tests of sums in event space."""

import numpy as np
from scipy.ndimage import map_coordinates


def bilinear(values, y, x):
    return map_coordinates(np.asarray(values, float), [y, x], order=1, mode="nearest")


def solve_smooth(field, y, x):
    """q + u(q) = p by iteration, which converges where u changes by less than one pixel per pixel."""
    qy, qx = y, x
    for _ in range(80):
        qy, qx = y - bilinear(field[0], qy, qx), x - bilinear(field[1], qy, qx)
    return qy, qx


def solve_rows(field, y, x):
    """q + u(q) = p where u depends on the row only: linear between each pair of rows; the first one found stays."""
    uy, ux = field[:, :, 0].astype(float)
    at = np.arange(len(uy)) + uy
    qy, qx = np.full(y.shape, np.nan), np.full(y.shape, np.nan)
    for row in range(len(uy) - 1):
        part = (y - at[row]) / (at[row + 1] - at[row])
        column = x - (1 - part) * ux[row] - part * ux[row + 1]
        new = np.isnan(qy) & (part >= 0) & (part <= 1) & (column >= 0) & (column <= field.shape[2] - 1)
        qy[new], qx[new] = row + part[new], column[new]
    return qy, qx
