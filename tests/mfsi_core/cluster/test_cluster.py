"""Workers of dask.distributed, real processes: the bits of one process, and what goes wrong by name."""

import json
import pickle
import warnings

import numpy as np
import pytest
from fatal_counts import fatal

import lbj
import mfsi_core
from lbj import Events, UsageError
from mfsi_core import Registration, accumulate
from mfsi_core.cli import main
from mfsi_core.cluster import client as cluster_client
from mfsi_core.cluster import pieces
from mfsi_core.cluster.client import ClusterError
from mfsi_core.cluster.pieces import cut
from mfsi_core.components.moments import Moments
from mfsi_core.series.selection import View
from mfsi_core.series.series import as_series

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*unclosed.*:ResourceWarning")

SHAPE, FRAMES = (11, 14), 7
ENERGY = {"name": "energy", "scale": 10, "offset": 0, "units": "eV"}
SIGNALS = [
    lbj.Signal("EDX", "events", (*SHAPE, 400), axes=[{"name": "y"}, {"name": "x"}, ENERGY]),
    lbj.Signal("EELS", "spectra", (*SHAPE, 9), dtype="float32"),
    lbj.Signal("HAADF", "image", SHAPE, dtype="uint16"),
]


@pytest.fixture(autouse=True)
def spread(monkeypatch):
    """These series, small as they are, are spread over all workers."""
    monkeypatch.setattr(pieces, "LEAST", 1)


@pytest.fixture(scope="module")
def cluster():
    import dask

    quiet = {"distributed.scheduler.allowed-failures": 1, "logging.distributed": "critical"}
    with dask.config.set(quiet), distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as found:  # fmt: skip
        yield found


@pytest.fixture(scope="module")
def connection(cluster):
    with distributed.Client(cluster) as found:
        yield found


@pytest.fixture
def client(connection):
    """Two workers at work: a test before may have killed one, which is begun anew."""
    connection.wait_for_workers(2, timeout=300)
    return connection


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """Counts; floats over many magnitudes, the first frame the smallest; images; shifts and an aborted frame."""
    rng = np.random.default_rng(2)
    path = tmp_path_factory.mktemp("cluster") / "a.lbj"
    with lbj.create(path, SIGNALS, {"beam_energy": 2e5, "elements": ["Ti"]}, sync=False) as writer:
        for n in range(FRAMES):
            frame = {
                "EDX": rng.poisson(0.05, (*SHAPE, 400)).astype(np.uint8),
                "EELS": (rng.normal(size=(*SHAPE, 9)) * 10.0 ** (4 * n - 9)).astype(np.float32),
                "HAADF": rng.integers(0, 60000, SHAPE).astype(np.uint16),
            }
            more = {"scanned_pixels": 90} if n == 5 else {}
            writer.append(frame, energy_shift={"EDX": 3.7 * n}, region=n // 4, **more)
    with lbj.open(path) as found:
        yield found


def registrations():
    rng = np.random.default_rng(4)
    field = rng.normal(0, 0.8, (FRAMES, 2, *SHAPE)).astype(np.float32)
    rigid = Registration.rigid(rng.normal(0, 1.2, (FRAMES, 2)), SHAPE, left_out=np.arange(FRAMES) == 2)
    return {"rows": Registration(field), "rigid, one left out": rigid, "still": Registration(0 * field)}


def same(one, other):
    assert one.dtype == other.dtype
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("method", ["pull", "push"])
@pytest.mark.parametrize("name", ["EDX", "EELS", "HAADF"])
def test_sums_have_the_bits_of_one_process(client, journal, name, method):
    for registration in registrations().values():
        for options in ({}, {"upsampling": 2, "region": (slice(3, 18), slice(1, 20))}):
            here = accumulate(journal, registration, name, method=method, **options)
            same(accumulate(journal, registration, name, method=method, client=client, **options), here)


def test_whatever_the_series_is_given_as(client, journal):
    registration = registrations()["rows"]
    some = View(journal, [6, 1, 3])
    same(
        accumulate(some, registration.subset([6, 1, 3]), client=client),
        accumulate(some, registration.subset([6, 1, 3])),
    )
    shift = np.linspace(-20, 20, FRAMES)
    part = {"channels": slice(3, 200), "energy_shift": shift}
    same(accumulate(journal, registration, client=client, **part), accumulate(journal, registration, **part))
    same(
        accumulate(journal, registration, energy_shift=0, client=client),
        accumulate(journal, registration, energy_shift=0),
    )
    in_memory = [frame.events("EDX") for frame in journal]
    same(accumulate(in_memory, registration, client=client), accumulate(in_memory, registration))
    cube = np.array([frame.array("EELS") for frame in journal])
    same(accumulate(cube, registration, client=client), accumulate(cube, registration))
    for odd in (cube[..., 0] > 0, np.where(np.abs(cube) > 1, np.nan, cube), np.where(cube > 1, np.inf, cube)):
        same(accumulate(odd, registration, client=client), accumulate(odd, registration))
    np.testing.assert_array_equal(
        accumulate(cube[..., 0] > 0, registration), accumulate((cube[..., 0] > 0).astype(np.uint8), registration)
    )
    with pytest.raises(UsageError, match="the registration has 7 frames, the source 3"):
        accumulate(some, registration, client=client)


def test_sums_beyond_float32_are_wide_for_workers_too(client):
    big = [Events([5, 9], [1, 2], [2**23 + 1, 7], (3, 4, 5)) for _ in range(3)]
    still = Registration.rigid(np.zeros((3, 2)), (3, 4))
    found = accumulate(big, still, client=client)
    assert found.dtype == np.float64
    assert found[1, 1, 1] == 3 * (2**23 + 1)
    same(found, accumulate(big, still))


def test_into_an_array_and_into_moments(client, journal):
    registration = registrations()["rows"]
    one, other = (np.zeros((*SHAPE, 400)) for _ in range(2))
    accumulate(journal, registration, out=one)
    accumulate(journal, registration, out=other, client=client)
    same(other, one)
    kept = [Moments((*SHAPE, 400)) for _ in range(2)]
    accumulate(journal, registration, out=kept[0])
    accumulate(journal, registration, out=kept[1], client=client)
    same(kept[1].variances(), kept[0].variances())


@pytest.mark.parametrize("name", ["EELS", "HAADF"])
@pytest.mark.parametrize("method", ["pull", "push"])
def test_dense_frames_sum_to_the_same_in_any_order(journal, name, method):
    registration = registrations()["rows"]
    whole = accumulate(journal, registration, name, method=method, out=np.zeros((*SHAPE, 9)[: 2 + (name == "EELS")]))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(FRAMES).tolist()
        mixed = accumulate(
            View(journal, order), registration.subset(order), name, method=method, out=np.zeros(whole.shape)
        )
        first_of_both = order[0] == 0 or name == "HAADF"  # else the first frame lets another largest sum expect
        if first_of_both:
            same(mixed, whole)
        np.testing.assert_allclose(mixed, whole, rtol=0, atol=1e-12 * np.abs(whole).max())


def test_tasks_carry_a_path_and_numbers(journal):
    three = cut(as_series(journal, "EDX"), 3)
    assert [piece.frames for piece in three] == [[0, 1], [2, 3], [4, 5, 6]]
    assert {piece.path for piece in three} == {journal.path}
    text = pickle.dumps(three)
    assert len(text) < 5000
    for piece, frames in zip(pickle.loads(text), ([0, 1], [2, 3], [4, 5, 6]), strict=True):
        for found, n in zip(piece, frames, strict=True):
            expected = as_series(journal, "EDX").data[n]
            np.testing.assert_array_equal(found.count, expected.count)
            np.testing.assert_array_equal(found.channel, expected.channel)


def test_areas_are_registered_by_workers(client):
    rng = np.random.default_rng(8)
    scene = rng.poisson(40, (2, 20, 20)).astype(float)
    images = np.array([np.roll(scene[n % 2], n // 2, 1) + rng.normal(0, 2, (20, 20)) for n in range(8)])
    images[5] = 7.0  # blank
    areas = [n % 2 for n in range(8)]
    found = []
    for where in (None, client):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found.append(
                (mfsi_core.register(images, regions=areas, client=where), [str(one.message) for one in caught])
            )
    (here, said), (there, said_there) = found
    same(there.displacement, here.displacement)
    same(there.frame_covariance, here.frame_covariance)
    assert there.flags == here.flags
    assert said_there == said
    assert there.left_out[5]


def test_counts_are_decoded_once_for_all_sums(client, journal, monkeypatch):
    done = []
    submit = cluster_client.Workers.submit
    monkeypatch.setattr(
        cluster_client.Workers,
        "submit",
        lambda self, what, *rest, **on: (done.append(what.__name__), submit(self, what, *rest, **on))[1],
    )
    sums = list(range(1, FRAMES + 1))
    there = mfsi_core.scree(journal, frames=sums, registration=registrations()["rows"], client=client)
    assert done.count("_listed") == 2  # a piece for each worker
    monkeypatch.undo()
    here = mfsi_core.scree(journal, frames=sums, registration=registrations()["rows"])
    same(there.variance_ratio, here.variance_ratio)


def test_a_worker_gets_no_less_than_is_worth_its_cost(client, journal, monkeypatch):
    workers, series = cluster_client.Workers(client), as_series(journal, "EDX")
    size = journal.bytes
    for given, frames in ((series, 1.0), (as_series(View(journal, [1, 4, 6])), 3 / FRAMES)):
        for least, number in ((1.01 * frames * size, 1), (0.49 * frames * size, 2), (0.1 * frames * size, 2)):
            monkeypatch.setattr(pieces, "LEAST", least)
            assert pieces.worth(given, workers) == number
    monkeypatch.setattr(pieces, "LEAST", 10 * size)
    assert pieces.worth(series, workers, 25) == 2  # more is summed than decoded
    in_memory = [frame.events("EDX") for frame in journal]
    monkeypatch.setattr(pieces, "LEAST", 2 * sum(events.count.size for events in in_memory))
    assert pieces.worth(as_series(in_memory), workers) == 1


def test_frames_of_rows_that_overtake_each_other(client):
    """Rows that reach far up and down, and rows that none samples: bands of workers take what they need."""
    rng = np.random.default_rng(6)
    frames = [Events.from_dense(rng.poisson(0.4, (23, 5, 6)).astype(np.uint8)) for _ in range(4)]
    field = np.zeros((4, 2, 23, 5), np.float32)
    field[:, 0] = rng.normal(0, 6, (4, 23, 1)) + np.array([-40, 0, 0.5, 30]).reshape(4, 1, 1)
    registration = Registration(field)
    for method in ("pull", "push"):
        for scale in (1, 3):
            here = accumulate(frames, registration, method=method, upsampling=scale)
            same(accumulate(frames, registration, method=method, upsampling=scale, client=client), here)


def test_scree_and_quantify_by_workers(client, tmp_path):
    series = mfsi_core.simulate((16, 16), 4, 512, 3, counts=20000)
    path = series.save(tmp_path / "s.lbj") or tmp_path / "s.lbj"
    factors = [
        {"element": e, "family": "K", "k": k, "basis": "wt", "line_scope": "alpha", "rel_sd": 0.1}
        for e, k in (("Ti", 1.1), ("O", 2.0))
    ]
    with lbj.open(path) as journal:
        registration = mfsi_core.register(journal)
        for aligned in (None, registration):
            here, there = (mfsi_core.scree(journal, registration=aligned, client=where) for where in (None, client))
            same(there.variance_ratio, here.variance_ratio)
            assert [one.tobytes() for one in there.z] == [one.tobytes() for one in here.z]
            for fit in ("poisson", "linear"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tables = [
                        mfsi_core.quantify(
                            journal, ["Ti", "O"], 8, factors, fit=fit, registration=aligned, client=where
                        )
                        for where in (None, client)
                    ]
                assert tables[0].equals(tables[1])


def test_a_run_by_a_scheduler_writes_the_same(cluster, client, journal, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    rest = ["--elements", "Ti", "--scree", "--region", "0"]
    assert main(["run", journal.path, "-o", str(one), *rest]) in (0, 3)
    assert main(["run", journal.path, "-o", str(other), *rest, "--scheduler", cluster.scheduler_address]) in (0, 3)
    here, there = (json.loads((folder / "summary.json").read_text()) for folder in (one, other))
    here.pop("seconds"), there.pop("seconds")
    assert here == there
    assert here["frames"] == 4
    for name in here["files"]:
        if name.endswith((".csv", ".npy")):
            assert (one / name).read_bytes() == (other / name).read_bytes()


def with_fatal(journal, marks, times):
    frames = [frame.events("EDX") for frame in journal]
    frames[3] = fatal(frames[3], marks, times)
    return frames


def test_a_worker_that_dies_in_the_midst_changes_nothing(client, journal, tmp_path):
    registration = registrations()["rows"]
    found = accumulate(with_fatal(journal, tmp_path / "marks", 1), registration, client=client)
    assert len(list((tmp_path / "marks").glob("died-*"))) == 1
    same(found, accumulate([frame.events("EDX") for frame in journal], registration))


def test_the_only_worker_may_die_too(journal, tmp_path):
    """Work that was meant for it waits for its successor, not for ever."""
    registration = registrations()["rows"]
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as one:
        with distributed.Client(one) as found:
            there = accumulate(with_fatal(journal, tmp_path / "marks", 1), registration, client=found)
    same(there, accumulate([frame.events("EDX") for frame in journal], registration))


def test_workers_that_die_again_and_again_are_named(client, journal, tmp_path):
    frames = with_fatal(journal, tmp_path / "marks", 99)
    with pytest.raises(ClusterError, match="KilledWorker"):
        accumulate(frames, registrations()["rows"], client=client)
    client.wait_for_workers(2, timeout=60)
    registration = registrations()["still"]  # and it goes on
    same(accumulate(journal, registration, client=client), accumulate(journal, registration))


def test_a_file_that_the_workers_lack_is_named(client, journal, tmp_path):
    path = tmp_path / "b.lbj"
    path.write_bytes(open(journal.path, "rb").read())
    with lbj.open(path) as opened:
        path.unlink()
        with pytest.raises(lbj.StorageError, match="the workers open files by the same names"):
            accumulate(opened, registrations()["rows"], client=client)


def test_what_is_no_client_or_no_scheduler_is_named(journal, tmp_path, monkeypatch, capsys):
    with pytest.raises(UsageError, match=r"must be a dask.distributed.Client"):
        accumulate(journal, registrations()["rows"], client="tcp://localhost:8786")
    monkeypatch.setattr(cluster_client, "CONNECT", 1.0)
    out = tmp_path / "out"
    assert main(["run", journal.path, "-o", str(out), "--scheduler", "tcp://127.0.0.1:9"]) == 1
    assert "no scheduler answers at 'tcp://127.0.0.1:9'" in capsys.readouterr().err
    assert main(["run", journal.path, "-o", str(out), "--scheduler", "nowhere"]) == 1
    assert "no scheduler answers at 'nowhere'" in capsys.readouterr().err
    assert main(["run", journal.path, "-o", str(out), "--scheduler", ""]) == 1
    assert "no scheduler answers at ''" in capsys.readouterr().err
    assert not out.exists()


def test_a_scheduler_without_workers_is_named(journal, monkeypatch):
    monkeypatch.setattr(cluster_client, "PATIENCE", 1.0)
    monkeypatch.setattr(cluster_client, "LOOK", 0.1)
    with distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as empty:
        with distributed.Client(empty) as found, pytest.raises(ClusterError, match="no worker for 1 s"):
            accumulate(journal, registrations()["rows"], client=found)


def test_a_scheduler_that_is_gone_is_named(journal, monkeypatch):
    monkeypatch.setattr(cluster_client, "PATIENCE", 5.0)
    monkeypatch.setattr(cluster_client, "LOOK", 0.1)
    with distributed.LocalCluster(n_workers=1, processes=True, dashboard_address=":0") as short:
        found = distributed.Client(short, timeout=2)
        short.close()
        with pytest.raises(ClusterError):
            accumulate(journal, registrations()["rows"], client=found)
        found.close()
