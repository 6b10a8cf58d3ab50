"""eXSpy quantifies what HyperSpy loads, as `mfsi quantify` does, up to what windows take for counts."""

import math

import numpy as np
import pytest

import lbj
import mfsi_core
import mfsi_core.hyperspy  # adds the format where the package is not installed

hs = pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")
pytest.importorskip("exspy", reason="eXSpy is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of eXSpy's dependencies

Y, X, FRAMES = 6, 8, 5
ENERGY = 10.0 * np.arange(1024)
LINES = {"Al": [(1486.6, 1.0)], "Fe": [(6402.0, 0.88), (7058.0, 0.12)], "Ti": [(4510.0, 0.88), (4931.8, 0.12)]}
ALPHA = {"Al": 60e3, "Fe": 44e3, "Ti": 79e3}  # counts in the alpha lines
AXES = [*({"name": n, "scale": 2e-9, "units": "m"} for n in "yx"), {"name": "energy", "scale": 10.0, "units": "eV"}]
DETECTOR = {"elevation": np.deg2rad(20), "azimuth": 0.0, "energy_resolution": 130.0}
ELECTRON = 1.602176634e-19


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Three elements whose lines stand apart, on a smooth background."""
    mean = 400 * np.exp(-ENERGY / 3000) * (ENERGY > 300)
    for element, lines in LINES.items():
        for energy, share in lines:
            sigma = math.sqrt(130**2 + 2.45 * (energy - 5895)) / 2.3548
            peak = np.exp(-0.5 * ((ENERGY - energy) / sigma) ** 2)
            mean += ALPHA[element] * share / lines[0][1] * peak / peak.sum()
    rng = np.random.default_rng(6)
    signal = lbj.Signal("EDX", "events", (Y, X, 1024), axes=AXES, metadata=DETECTOR)
    known = {"beam_energy": 2e5, "elements": list(LINES), "stage_tilt": np.deg2rad(5)}
    path = tmp_path_factory.mktemp("quantify") / "a.lbj"
    with lbj.create(path, [signal], known, sync=False) as writer:
        for _ in range(FRAMES):
            counts = rng.poisson(np.broadcast_to(mean / (Y * X * FRAMES), signal.shape))
            writer.append({"EDX": counts}, live_time=9.6, real_time=10.0, dwell_time=0.2, beam_current=2e-10)
    return path


@pytest.fixture(scope="module")
def peer(path):
    """The sum in eXSpy, which counts live times by pixel, as a map of one pixel, and its intensities."""
    edx = hs.load(path)
    eds = edx.metadata.Acquisition_instrument.TEM.Detector.EDS
    edx.set_microscope_parameters(live_time=eds.live_time / edx.axes_manager.navigation_size)
    chip = edx.rebin(scale=(X, Y, 1))
    chip.set_lines([f"{element}_Ka" for element in LINES])
    windows = chip.estimate_background_windows(line_width=[4, 4])
    return chip, chip.get_lines_intensity(background_windows=windows)


@pytest.mark.parametrize(
    ("method", "ours", "k", "absorbed"),
    [
        ("CL", "cliff-lorimer", (1.0, 1.3, 1.1), False),
        ("CL", "cliff-lorimer", (1.0, 1.3, 1.1), True),
        ("zeta", "zeta", (900.0, 1300.0, 1100.0), False),
        ("zeta", "zeta", (900.0, 1300.0, 1100.0), True),
        ("cross_section", "cross-section", (20.0, 17.0, 22.0), False),
    ],
)
def test_methods_agree(path, peer, method, ours, k, absorbed):
    chip, intensities = peer
    options = {"absorption_correction": True, "convergence_criterion": 0.01} if absorbed else {}
    if absorbed and method == "CL":
        options["thickness"] = 200.0
    found = chip.quantification(intensities, method, list(k), navigation_mask=None, show_progressbar=False, **options)
    compositions, beside = found if isinstance(found, tuple) else (found, None)
    theirs = [float(one.data.ravel()[0]) for one in compositions]
    basis = "at" if method == "cross_section" else "wt"
    factors = [
        {"element": element, "family": "K", "k": value, "basis": basis, "line_scope": "alpha"}
        for element, value in zip(LINES, k, strict=True)
    ]
    pixel = 2e-10 * 9.6 / (Y * X) * FRAMES / ELECTRON  # electrons
    dose = {"CL": None, "zeta": pixel, "cross_section": pixel / 4.0}[method]
    absorption = None
    if absorbed:
        absorption = {"take_off_deg": chip.get_take_off_angle()}
        assert absorption["take_off_deg"] == pytest.approx(25)
    if absorbed and method == "CL":
        absorption |= {"thickness_nm": 200.0, "density": float(beside.data.ravel()[0]) / 200e-9 / 1e3}
    with lbj.open(path) as journal:
        table = mfsi_core.quantify(
            journal, list(LINES), np.zeros((Y, X), int), factors, method=ours, dose=dose, absorption=absorption
        )
    np.testing.assert_allclose(table.at_pct, theirs, atol=2.5)
    if method == "cross_section":  # atoms, from the dose that the journal's metadata tell
        atoms = [float(one.data.ravel()[0]) for one in beside]
        expected = [ALPHA[e] / (s * 1e-10) / (pixel / 4.0) for e, s in zip(LINES, k, strict=True)]
        np.testing.assert_allclose(atoms, expected, rtol=0.12)


def test_the_dose_is_that_of_the_series(peer):
    chip, _ = peer
    assert chip._get_dose("zeta") == pytest.approx(2e-10 * 9.6 * FRAMES / ELECTRON, rel=1e-6)
    assert chip._get_dose("cross_section") == pytest.approx(2e-10 * 9.6 * FRAMES / ELECTRON / (Y * X * 4.0), rel=1e-6)
