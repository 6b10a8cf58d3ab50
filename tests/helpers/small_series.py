"""A small series with everything: two detectors of a group, spectra, images of another size, a survey image."""

from __future__ import annotations

import numpy as np

import lbj

FRAMES, Y, X, C = 4, 7, 9, 33
SPACE = [{"name": "y", "scale": 2e-9, "offset": 1e-9, "units": "m"}, {"name": "x", "scale": 3e-9, "units": "m"}]
ENERGY = {"name": "energy", "scale": 10.0, "offset": -50.0, "units": "eV"}
LOSS = {"name": "energy", "scale": 0.5, "offset": 400.0, "units": "eV"}
METADATA = {
    "beam_energy": 2e5, "elements": ["Ti", "O"], "convergence_angle": 0.02, "collection_angle": 0.04, "stage_tilt": 0.1,
}  # fmt: skip


def signals():
    """Declarations."""
    edx = {"elevation": np.deg2rad(22), "azimuth": np.deg2rad(45), "energy_resolution": 130.0}
    fine = [{**axis, "scale": axis["scale"] / 2} for axis in SPACE]
    return [
        *(
            lbj.Signal(
                f"EDX-{k}", "events", (Y, X, C), dtype="uint16", group="EDX", axes=[*SPACE, ENERGY], metadata=edx
            )
            for k in (1, 2)
        ),
        lbj.Signal("EELS", "spectra", (Y, X, 21), dtype="float32", axes=[*SPACE, LOSS]),
        lbj.Signal("HAADF", "image", (2 * Y, 2 * X), axes=fine, to_field=[[0.5, 0, -0.25], [0, 0.5, -0.25]]),
        lbj.Signal("survey", "image", (5, 6), role="survey"),
    ]


def frame_data(seed=1, frames=FRAMES):
    """Data of each frame by signal, and the survey image."""
    rng = np.random.default_rng(seed)
    data = [{s.name: rng.integers(0, 4, s.shape).astype(s.dtype) for s in signals()[:4]} for _ in range(frames)]
    return data, rng.integers(0, 99, (5, 6)).astype(np.uint16)


def write(path, seed=1, frames=FRAMES):
    """Write the series; returns the data of its frames."""
    data, survey = frame_data(seed, frames)
    with lbj.create(path, signals(), METADATA, sync=False) as writer:
        writer.put_static("survey", survey)
        for i, one in enumerate(data):
            writer.append(
                one,
                live_time={"EDX-1": 1.0 + i, "EDX-2": 2.0 + i},
                real_time=4.0,
                dwell_time=1e-3,
                exposure={"EELS": 0.1},
                beam_current=1e-10,
                start_time=f"2026-11-21T08:30:{i:02d}Z",
            )
    return data
