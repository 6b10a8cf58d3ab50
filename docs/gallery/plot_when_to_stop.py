"""
How many frames are enough
==========================

The plan says what a series costs before it is begun; signal-to-noise and the number of significant components say
when it has shown
what it can.
"""

import matplotlib.pyplot as plt
import numpy as np

import mfsi_core

# %%
# The plan
# --------
# The settings of Jones et al. (2018).

plan = mfsi_core.plan("11.1nm", "0.0555nm", "17pA", "1ms", 230)
print(f"{plan.pixels[0]} x {plan.pixels[1]} pixels, {plan.dose_per_frame:.3g} e/Å2 a frame")
print(f"{plan.series_time_s / 3600:.1f} h in all")

# %%
# Components against dose
# -----------------------
# The variance of each principal component over that of noise alone. Components are tested on the half of the
# counts that did not make
# them, so that noise is not taken for chemistry.

series = mfsi_core.simulate((48, 48), frames=24, seed=2, counts=6000)
numbers = [2, 6, 12, 24]
result = mfsi_core.scree(series.events, signal=series.signals[0], frames=numbers)

figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for number, ratios, found in zip(numbers, result.variance_ratio, result.significant, strict=True):
    axis.semilogy(np.arange(1, 9), np.asarray(ratios)[:8], "o-", label=f"{number} frames: {found} significant")
axis.set(xlabel="component", ylabel="variance over that of noise")
axis.legend()
