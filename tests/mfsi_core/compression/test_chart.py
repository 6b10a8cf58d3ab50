"""The data-compression chart of EELS: edges, maps and chemical shifts survive, on simulations of known truth."""

import json
import re

import numpy as np
import pytest

import lbj
from mfsi_core import map_snr
from mfsi_core.cli import main
from mfsi_core.compression.chart import pick_chart
from mfsi_core.compression.check import reconstruct
from mfsi_core.maps.edges import edge_map
from mfsi_core.simulation.eels import edge_shape, simulate_eels
from mfsi_core.tables.edges import edges_of

SHAPE, CHANNELS = (24, 32), 1024
ELEMENTS = ["Ca", "Ti", "O"]


def simulated(seed=0, electrons=3500, **more):
    return simulate_eels(SHAPE, channels=CHANNELS, electrons=electrons, seed=seed, **more)


def recorded(sim, mean, seed):
    rng = np.random.default_rng(seed)
    return np.rint(rng.poisson(mean) + rng.normal(0, sim.read_noise, mean.shape)).astype(np.float32)


def parsed(coding):
    match = re.fullmatch(r"chart\(((?:\d+:\d+,?)+);([\d.]+)\)", coding)
    return [tuple(map(int, pair.split(":"))) for pair in match[1].split(",")], float(match[2])


def through(cube, coding, seed=None, noise=(1.0, 9.0)):
    """A cube coded and decoded, written out pixel by pixel from the coding string alone."""
    blocks, step = parsed(coding)
    channels = cube.shape[-1]
    ends = [start for start, _ in blocks[1:]] + [channels]
    bins = [
        (first, min(first + factor, end))
        for (start, factor), end in zip(blocks, ends, strict=True)
        for first in range(start, end, factor)
    ]
    mean = cube.mean(axis=(0, 1), dtype=float)
    middle = [(a + b - 1) / 2 for a, b in bins]
    flat = cube.reshape(-1, channels).astype(float)
    sums = np.stack([flat[:, a:b].sum(axis=1) for a, b in bins], axis=1)
    if seed is not None:
        sigma = np.stack(
            [np.sqrt(noise[0] * flat[:, a:b].clip(0).sum(axis=1) + noise[1] * (b - a)) for a, b in bins], axis=1
        )
        sums += np.random.default_rng(seed).uniform(-0.5, 0.5, sums.shape) * step * sigma
    ratio = sums / np.array([mean[a:b].sum() for a, b in bins])
    out = np.stack([np.interp(np.arange(channels), middle, row) for row in ratio]) * mean
    for k, (a, b) in enumerate(bins):
        out[:, a:b] += (sums[:, k] - out[:, a:b].sum(axis=1))[:, None] / (b - a)
    return out.reshape(cube.shape)


def lost(mean, coding, rows=slice(None), columns=slice(None)):
    """Share of a noise-free spectrum image that the coding changes, in standard deviations per pixel and channel."""
    error = through(mean, coding) - mean
    return (error / np.sqrt(mean + 9))[rows, columns]


def test_the_table_of_edges():
    assert [(edge.name, edge.energy) for edge in edges_of("Ti", 100)] == [("Ti_L3", 455.5), ("Ti_L2", 461.5)]
    assert [edge.name for edge in edges_of("La", 500, 1000)] == ["La_M5", "La_M4"]
    assert edges_of("O", 600) == []
    with pytest.raises(lbj.UsageError, match="no edges are known for 'Xx'"):
        edges_of("Xx")


def test_the_table_of_edges_is_what_xraylib_gives():
    xraylib = pytest.importorskip("xraylib")
    from mfsi_core.tables.make_edges import rows

    table = rows(xraylib)
    assert len(table) == sum(len(edges_of(symbol)) for symbol in dict.fromkeys(element for element, _, _ in table))
    for element, name, energy in table:
        assert any(e.name == f"{element}_{name}" and abs(e.energy - energy) < 0.051 for e in edges_of(element))


def test_the_reconstruction_is_the_one_of_the_coding_string():
    cube = simulated().frame(0)[0]["EELS"][:6, :7]
    coding, starts = "chart(0:64,128:7,300:2,310:1,320:500;0.5)", [0, 64, *range(128, 300, 7), *range(300, 310, 2)]
    starts = np.array([*starts, *range(310, 320), 320, 820])
    mean = cube.mean(axis=(0, 1), dtype=float)
    expected = through(cube, coding)
    np.testing.assert_allclose(reconstruct(cube.reshape(-1, CHANNELS), mean, starts).reshape(cube.shape), expected)
    np.testing.assert_allclose(reconstruct(mean[None], mean, starts)[0], mean)


@pytest.mark.parametrize("seed", [0, 1])
def test_edges_and_maps_survive_at_fifty_times(seed):
    sim = simulated(seed)
    cube, signal = sim.frame(0)[0]["EELS"], sim.signals[0]
    chart = pick_chart(cube, ELEMENTS, signal=signal)
    assert parsed(chart.coding) == (chart.blocks, 0.5)
    assert chart.ratio > 45  # three edges in half the channels of the case that the figure is for
    after = through(cube, chart.coding, seed)
    for onset in sim.onsets.values():
        if onset + 20 > sim.axis[-1]:
            continue
        window, before = (onset - 1, min(onset + 40, sim.axis[-1])), (max(onset - 40, 300), onset - 5)
        part = (sim.axis >= window[0]) & (sim.axis < window[1])
        name = next(name for name, value in sim.onsets.items() if value == onset)
        truth = sim.maps[name] * sim.shapes[name][part].sum()
        raw, net = (edge_map(data, window, before, signal, noise=(1, 3)).values for data in (cube, after))
        error = np.sqrt(np.mean((raw - truth) ** 2) / raw.size)
        assert abs((net - raw).mean()) < error
        # Half a sigma adds 1/48 to the variance of sums over whole bins.
        assert map_snr(net, truth=truth) > 0.97 * map_snr(raw, truth=truth)


@pytest.mark.parametrize(("seed", "electrons"), [(0, 300), (1, 3500)])
def test_an_edge_that_nobody_named_survives(seed, electrons):
    sim = simulated(seed, electrons)
    named = pick_chart(sim.frame(0)[0]["EELS"], ["Ca", "O"], signal=sim.signals[0])
    assert any(low < 456 < high for low, high in named.kept)
    assert any("Ti_L3" in note for note in named.notes)
    mean = sim.mean(0)
    window = (sim.axis >= 450) & (sim.axis < 480)
    ti = sim.maps["Ti"]
    bias = (through(mean, named.coding) - mean)[..., window].sum(axis=2)
    slope = np.polyfit(ti.ravel(), bias.ravel(), 1)[0] / sim.shapes["Ti"][window].sum()
    assert abs(slope) < 0.01
    edge = (ti[..., None] * sim.shapes["Ti"] / np.sqrt(mean + 9))[..., window]
    assert (lost(mean, named.coding)[..., window] ** 2).sum() < 0.01 * (edge**2).sum()


@pytest.mark.parametrize(("side", "strength"), [(5, 0.05), (1, 0.3)])
def test_an_edge_in_a_few_pixels_survives(side, strength):
    sim = simulated(3)
    mean = sim.mean(0)
    extra = np.zeros_like(mean)
    extra[4 : 4 + side, 9 : 9 + side] = strength * mean[4, 9, 440] * edge_shape(sim.axis, 410.0)
    chart = pick_chart(recorded(sim, mean + extra, 5), ELEMENTS, signal=sim.signals[0])
    assert any(low < 412 < high for low, high in chart.kept)
    window = (sim.axis >= 408) & (sim.axis < 440)
    error = lost(mean + extra, chart.coding)[4 : 4 + side, 9 : 9 + side, window]
    share = np.sqrt((error**2).sum() / (extra**2 / (mean + 9))[4 : 4 + side, 9 : 9 + side, window].sum())
    assert share < 0.15


@pytest.mark.parametrize("pattern", ["half", "lattice"])
def test_a_chemical_shift_of_an_edge_that_nobody_named_survives(pattern):
    sim = simulated(4)
    mean = sim.mean(0)
    y, x = np.indices(SHAPE)
    moved = (x >= 16 if pattern == "half" else (x + y) % 3 == 0)[..., None]
    edge = 0.05 * mean[..., 440:441] * np.where(moved, edge_shape(sim.axis, 412.0), edge_shape(sim.axis, 410.0))
    plain = 0.05 * mean[..., 440:441] * edge_shape(sim.axis, 410.0)
    chart = pick_chart(recorded(sim, mean + edge, 6), ELEMENTS, signal=sim.signals[0])
    window = (sim.axis >= 400) & (sim.axis < 430)
    error = lost(mean + edge, chart.coding)[..., window]
    signal = ((edge - plain) / np.sqrt(mean + 9))[..., window]
    assert (error**2).sum() < 0.01 * (signal**2).sum()


@pytest.mark.parametrize(("electrons", "seed"), [(30, 0), (300, 1), (3500, 2)])
def test_noise_alone_refines_next_to_nothing(electrons, seed):
    sim = simulated(seed, electrons, edges={"O": (532.0, 1e-9)})
    chart = pick_chart(sim.frame(0)[0]["EELS"], ["O"], signal=sim.signals[0])
    assert 60 <= chart.starts.size <= 85  # 63 without noise


def test_spikes_and_holes_do_not_enter():
    sim = simulated(5)
    cube = sim.frame(0)[0]["EELS"]
    clean = pick_chart(cube, ELEMENTS, signal=sim.signals[0])
    rng = np.random.default_rng(0)
    cube = cube.copy()
    cube[rng.integers(0, 24, 20), rng.integers(0, 32, 20), rng.integers(10, 1000, 20)] += 1e5
    cube[3, 3] = np.nan
    cube[7, 8, 200] = np.inf
    chart = pick_chart(cube, ELEMENTS, signal=sim.signals[0])
    assert abs(chart.starts.size - clean.starts.size) <= 4
    assert 20 <= int(re.search(r"(\d+) spikes", " ".join(chart.notes))[1]) <= 24
    assert any("1025 voxels" in note for note in chart.notes)


@pytest.mark.parametrize(
    ("motion", "between"),
    [({"descan": (0.0, 0.008)}, "columns"), ({"jitter": 0.1}, "pixels"), ({"drift": 0.1, "frames": 3}, "frames")],
)
def test_a_drift_is_refused_unless_the_shifts_are_given(motion, between):
    sim = simulated(6, **motion)
    frames = [data["EELS"] for data, _ in sim]
    with pytest.raises(lbj.UsageError, match="the energy drifts by about") as caught:
        pick_chart(frames, ELEMENTS, signal=sim.signals[0])
    size = float(re.search(r"about ([\d.]+) channels", str(caught.value))[1])
    assert size == pytest.approx(np.sqrt(12) * sim.shift.std() / 0.25, rel=0.3)
    assert f"between {between}" in str(caught.value)
    chart = pick_chart(frames, ELEMENTS, signal=sim.signals[0], shifts=sim.shift)
    assert chart.drift is None
    assert chart.shifts.shape == sim.shift.shape
    assert chart.starts.size < 260


def test_a_small_drift_is_allowed_and_stated():
    sim = simulated(7, frames=3, drift=0.015)
    chart = pick_chart([data["EELS"] for data, _ in sim], ELEMENTS, signal=sim.signals[0])
    assert 0.08 < chart.drift.range < 0.25
    assert chart.drift.where == "frames"


def journal_of(path, sim):
    with lbj.create(path, sim.signals) as writer:
        for data, attributes in sim:
            writer.append(data, **attributes)
    return path


def test_the_command_prints_the_coding_first(tmp_path, capsys):
    path = journal_of(tmp_path / "a.lbj", simulated())
    assert main(["chart", str(path), "--elements", "Ca,Ti", "--edges", "532", "--plot", str(tmp_path / "a.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    blocks, step = parsed(lines[0])
    assert step == 0.5
    starts = [start for start, _ in blocks]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert all(factor <= end - start for (start, factor), end in zip(blocks, [*starts[1:], CHANNELS], strict=True))
    assert "energy shifts to apply: none" in lines[-1]
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert main(["chart", str(path), "--edges", "346,456,532", "--step", "1", "--json"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert given["step"] == 1
    assert given["ratio"] > 60
    assert [edge["energy"] for edge in given["edges"]] == [346, 456, 532]
    assert given["coding"].endswith(";1)")


def test_the_low_loss_tells_the_drift_and_the_shifts(tmp_path, capsys):
    path = journal_of(tmp_path / "a.lbj", simulated(1, low_loss=True, descan=(0.02, 0.0)))
    assert main(["chart", str(path), "--elements", "Ca,Ti,O"]) == 2
    error = capsys.readouterr().err
    assert "seen on the EELS-LL" in error
    assert float(re.search(r"about ([\d.]+) channels", error)[1]) == pytest.approx(24 * 0.02 / 0.25, rel=0.1)
    assert main(["chart", str(path), "--elements", "Ca,Ti,O", "--shifts", "EELS-LL"]) == 0
    out = capsys.readouterr().out
    assert "energy shifts to apply before coding" in out
    assert "frame 0: median" in out
    np.save(tmp_path / "s.npy", simulated(1, descan=(0.02, 0.0)).shift)
    assert main(["chart", str(path), "--elements", "Ca,Ti,O", "--shifts", str(tmp_path / "s.npy")]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--elements", "Xx"], "no edges are known for 'Xx'"),
        (["--elements", "Au"], "Au has no edge on the axis, 300 to 555.75 eV; its edges: Au_N7 84.1"),
        (["--edges", "900"], "the edge at 900 eV is not on the axis"),
        ([], "name elements or edge energies"),
        (["--elements", "Ti", "--step", "0"], "the step must be"),
        (["--elements", "Ti", "--signal", "HAADF"], "holds images; a chart is for dense spectra"),
        (["--elements", "Ti", "--signal", "EDX"], "'EDX'"),
        (["--elements", "Ti", "--plot", "a.jpg"], "must end in .png"),
        (["--elements", "Ti", "--shifts", "absent.npy"], "cannot be read"),
    ],
)
def test_bad_usage_is_named(journal, capsys, arguments, message):
    assert main(["chart", str(journal), *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    return journal_of(tmp_path_factory.mktemp("chart") / "a.lbj", simulated())


def declared(shape, units="eV", scale=0.5):
    axis = {"name": "energy", "offset": 400.0, "scale": scale, "units": units}
    return lbj.Signal("EELS", "spectra", shape, dtype="float32", axes=[{"name": "y"}, {"name": "x"}, axis])


@pytest.mark.parametrize(
    ("cube", "message"),
    [
        (np.full((6, 7, 300), 5.0), "every voxel has the value 5"),
        (np.full((6, 7, 300), np.nan), "no finite value"),
        (np.ones((1, 1, 300)), "needs 4 pixels or more"),
        (np.ones((6, 7, 1)), "needs 16 channels or more"),
        (np.broadcast_to(np.linspace(9, 5, 300), (6, 7, 300)), "hold no noise"),
    ],
)
def test_bad_cubes_are_named(cube, message):
    with pytest.raises(lbj.UsageError, match=message):
        pick_chart(cube, edges=[410 if cube.shape[-1] > 1 else 400], signal=declared(cube.shape))


def test_bad_sources_are_named(tmp_path):
    rng = np.random.default_rng(0)
    cube = rng.poisson(100, (6, 7, 300)).astype(np.float32)
    with pytest.raises(lbj.UsageError, match="calibrated in eV"):
        pick_chart(cube, ["Ti"], signal=declared(cube.shape, units="keV"))
    with pytest.raises(lbj.UsageError, match="even and ascending"):
        pick_chart(cube, ["Ti"], signal=declared(cube.shape, scale=-0.5))
    with pytest.raises(lbj.UsageError, match="do not fit 1 frames"):
        pick_chart(cube, ["Ti"], signal=declared(cube.shape), shifts=np.zeros((3, 3)))
    with lbj.create(tmp_path / "a.lbj", [declared(cube.shape)]):
        pass
    with lbj.open(tmp_path / "a.lbj") as empty, pytest.raises(lbj.UsageError, match="no complete frame"):
        pick_chart(empty, ["Ti"])
    with lbj.create(tmp_path / "b.lbj", [lbj.Signal("EDX", "events", (6, 7, 300), dtype="uint16")]) as writer:
        writer.append({"EDX": np.zeros((6, 7, 300), np.uint16)})
    with lbj.open(tmp_path / "b.lbj") as events, pytest.raises(lbj.UsageError, match="counted events"):
        pick_chart(events, ["Ti"], signal="EDX")


def test_real_spectra(shared_data):
    """A line whose zero loss drifts steadily by half a channel is refused; a specimen that stays is charted."""
    hspy = pytest.importorskip("rsciio.hspy")
    with_energy = {}
    for name in ("LSMO_linescan", "CuZn_EELS_mapping_tutorial"):
        (read,) = hspy.file_reader(shared_data / "eels" / f"{name}.hspy")
        cube, axis = np.asarray(read["data"], np.float32), read["axes"][-1]
        cube = cube.reshape(-1, *cube.shape[-2:])
        energy = {"name": "energy", "offset": float(axis["offset"]), "scale": float(axis["scale"]), "units": "eV"}
        axes = [{"name": "y"}, {"name": "x"}, energy]
        with_energy[name] = cube, lbj.Signal("EELS", "spectra", cube.shape, dtype="float32", axes=axes)
    cube, signal = with_energy["LSMO_linescan"]
    with pytest.raises(lbj.UsageError, match="between columns") as caught:
        pick_chart(cube, ["O", "Mn"], signal=signal)
    assert 0.3 < float(re.search(r"about ([\d.]+) channels", str(caught.value))[1]) < 1.2
    cube, signal = with_energy["CuZn_EELS_mapping_tutorial"]
    chart = pick_chart(cube, ["Cu", "Zn"], signal=signal)
    assert 15 < chart.ratio < 40
    assert chart.noise.gain == pytest.approx(3.4, abs=0.5)
