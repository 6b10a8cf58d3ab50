"""
From a file to maps and compositions
====================================

A series of frames is registered, summed, mapped and quantified. In place of a file of your own, a small series is
simulated; all that
follows is the same for a vendor's file: ``lbj convert SOURCE -o series.lbj``.
"""

import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import lbj
import mfsi_core

# %%
# A journal
# ---------
# Sixteen frames of an image and of X-ray counts, of a crystal with Ca, Ti and O that drifts while it is scanned.

folder = Path(tempfile.mkdtemp())
mfsi_core.simulate((64, 64), frames=16, seed=1, counts=9000, jitter=(0.3, 0.4)).save(folder / "series.lbj")

journal = lbj.open(folder / "series.lbj")
print(journal.signals)
print(f"{len(journal)} frames, {journal.bytes} bytes")

# %%
# Registration
# ------------
# Every row of every frame gets a displacement of its own. ``predicted_error`` says how well it is known, in px rms.

registration = mfsi_core.register(journal)
print(f"predicted error {registration.predicted_error:.3f} px; flagged frames: {sum(map(bool, registration.flags))}")

images = np.stack([frame.array("HAADF") for frame in journal])
aligned = mfsi_core.accumulate(images[..., None], registration, upsampling=2)[..., 0]

figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for axis, image, title in zip(
    axes, (images.sum(axis=0), aligned), ("sum as recorded", "aligned, at twice the pixels"), strict=True
):
    axis.imshow(image, cmap="gray")
    axis.set(title=title, xticks=[], yticks=[])

# %%
# Maps
# ----
# A window with a linear background; the sum of all counts is never made dense.

window = (4420, 4600)  # eV, Ti Ka
titanium = mfsi_core.line_map(journal, window, registration=registration)
recorded = mfsi_core.line_map(journal, window)

figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for axis, one, title in zip(axes, (recorded, titanium), ("Ti Kα as recorded", "Ti Kα aligned"), strict=True):
    drawn = axis.imshow(one.values, cmap="viridis")
    axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(drawn, ax=axis, label="net counts", shrink=0.8)

# %%
# Compositions
# ------------
# Chips of 16 x 16 pixels. A table of k-factors must say on which basis and for which lines it holds; this one is
# made from the
# specimen itself, whose composition is taken as known, as one does with a standard.

standard = mfsi_core.k_from_standard(journal, {"Ca": 1, "Ti": 1, "O": 3}, reference="Ti")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a simulated axis has no zero peak to be checked by
    table = mfsi_core.quantify(journal, ["Ca", "Ti", "O"], 16, standard, registration=registration)
print(table.groupby("element")[["at_pct", "at_se"]].mean().round(1))

journal.close()
