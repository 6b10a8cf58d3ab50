"""Journals elsewhere: how many requests they cost, and what is said of servers that stall, break off or refuse."""

import http.server
import io
import multiprocessing
import os
import pickle
import re
import threading

import numpy as np
import pytest

import lbj
from lbj.cli import main
from lbj.format import http as lbj_http
from lbj.format import remote


class Server(http.server.ThreadingHTTPServer):
    """Serves one file on the loopback; counts requests, and misbehaves as it is told."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.ranges, self.faults, self.tag = b"", [], [], '"1"'
        self.connections, self.asked = 0, []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/series.lbj"

    def handle_error(self, request, client_address):
        """A client that gave up is no error of the server."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        self.server.connections += 1
        super().setup()

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        server.asked.append((self.path, self.headers.get("Proxy-Authorization")))
        server.ranges.append(tuple(map(int, asked.groups())) if asked else None)
        fault = server.faults.pop(0) if server.faults else ""
        if fault == "stall":
            server.released.wait(20)
            return
        if isinstance(fault, int) or self.path.startswith("/missing"):
            self.answer(fault or 404)
            return
        if self.path.startswith("/moved"):
            self.answer(302, Location=server.url)
            return
        if fault == "whole" or (self.headers.get("If-Range") or server.tag) != server.tag:
            self.answer(200, server.data)
            return
        start, last = map(int, asked.groups())
        last = min(last, len(server.data) - 1)
        if start > last:
            self.answer(416, **{"Content-Range": f"bytes */{len(server.data)}"})
            return
        part = server.data[start : last + 1]
        cut = len(part) // 2 if fault == "break" else len(part)
        self.close_connection = fault == "hang up"  # after this answer, without saying so
        self.answer(206, part, cut, ETag=server.tag, **{"Content-Range": f"bytes {start}-{last}/{len(server.data)}"})

    def answer(self, status, data=b"", cut=None, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(data), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data[:cut])
        if cut is not None and cut < len(data):
            self.close_connection = True


@pytest.fixture(scope="module")
def journal_bytes(tmp_path_factory):
    """Sixty frames of some 10 kB, with a survey before and amendments and displacements after them."""
    path = tmp_path_factory.mktemp("remote") / "series.lbj"
    random = np.random.default_rng(3)
    signals = [
        lbj.Signal("EDX", "events", (20, 20, 200)),
        lbj.Signal("HAADF", "image", (60, 60)),
        lbj.Signal("survey", "image", (300, 300), role="survey", dtype="uint8", coding="raw"),
    ]
    with lbj.create(path, signals, sync=False) as writer:
        writer.put_static("survey", random.integers(0, 255, (300, 300), np.uint8))
        for i in range(60):
            counts = random.poisson(0.08, (20, 20, 200)).astype(np.uint32)
            writer.append(
                {"EDX": counts, "HAADF": random.poisson(500, (60, 60)).astype(np.uint16)}, time_offset=float(i)
            )
        writer.amend({"metadata": {"title": "amended"}})
        writer.put_displacement("HAADF", coefficients=np.zeros((60, 1, 1, 2)))
    return path.read_bytes()


@pytest.fixture
def server(journal_bytes, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(remote, "PAUSE", 0.001)
    found = Server()
    found.data = journal_bytes
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield found
    found.released.set()
    found.shutdown()
    found.server_close()
    thread.join()


def test_two_requests_open_it_and_one_reads_a_frame(server, journal_bytes):
    assert len(journal_bytes) > 4 * remote.AHEAD
    with lbj.open(server.url) as journal, lbj.open(io.BytesIO(journal_bytes)) as local:
        assert journal.complete
        assert journal.metadata == {"title": "amended"}
        assert len(server.ranges) == 2
        for number in (7, 40, 23):
            before = len(server.ranges)
            frame = journal[number]
            assert np.array_equal(frame.array("EDX"), local[number].array("EDX"))
            assert np.array_equal(frame.array("HAADF"), local[number].array("HAADF"))
            assert frame.time_offset == number
            assert len(server.ranges) == before + 1
        assert np.array_equal(journal.static("survey"), local.static("survey"))
        assert journal.content_digest() == local.content_digest()
        assert journal._file.requests == len(server.ranges) <= 2 + 3 + 1 + 60
    assert None not in server.ranges


def test_the_connection_is_kept(server, journal_bytes):
    with lbj.open(server.url) as journal, lbj.open(io.BytesIO(journal_bytes)) as local:
        assert journal.content_digest() == local.content_digest()
        assert server.connections == 1
    with lbj.open(server.url) as journal, lbj.open(io.BytesIO(journal_bytes)) as local:
        server.faults = ["hang up"]
        journal[9].events("EDX")
        before = len(server.ranges)
        journal[30].events("EDX")
        assert (server.connections, len(server.ranges)) == (3, before + 1)  # a new one, and nobody waited
        server.faults = [503, "break"]
        assert journal[50].array("HAADF").sum() == local[50].array("HAADF").sum()
        assert server.connections == 4  # only the one that broke off was lost


def test_a_proxy_of_the_environment(server, journal_bytes, monkeypatch):
    """The request that it gets names the whole address (RFC 9112, 3.2.2)."""
    monkeypatch.setenv("http_proxy", f"http://jane:secret@127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    with lbj.open("http://elsewhere.invalid/series.lbj") as journal:
        assert journal[3].events("EDX").total > 0
    assert {path for path, _ in server.asked} == {"http://elsewhere.invalid/series.lbj"}
    assert {key for _, key in server.asked} == {"Basic amFuZTpzZWNyZXQ="}


def test_a_large_index_costs_one_more(server, journal_bytes, monkeypatch):
    monkeypatch.setattr(remote, "AHEAD", 512)
    with lbj.open(server.url) as journal:
        assert len(journal) == 60
        assert len(server.ranges) <= 6  # head and its JSON, footer, index, the amendment


def test_a_frame_that_is_large_is_read_in_parts(server, journal_bytes, monkeypatch):
    monkeypatch.setattr(remote, "WHOLE", 100)
    monkeypatch.setattr(remote, "AHEAD", 256)
    with lbj.open(server.url) as journal:
        server.ranges.clear()
        journal[30].array("HAADF")
        assert sum(last - first + 1 for first, last in server.ranges) < 9000


def test_the_command_line_takes_urls(server, capsys, tmp_path):
    assert main(["info", server.url]) == 0
    assert "60 frames" in capsys.readouterr().out
    assert main(["verify", server.url]) == 0
    assert main(["export", server.url, "-o", str(tmp_path / "out.npz"), "--frames", "0:2"]) == 0
    assert main(["info", server.url.replace("series", "missing")[:-4].replace("/missing", "/missing/x")]) == 1
    assert "404" in capsys.readouterr().err


def test_what_writes_or_imports_takes_files_alone(server, tmp_path, capsys):
    assert main(["convert", server.url, "-o", str(tmp_path / "a.lbj")]) == 1
    assert "lbj.open" in capsys.readouterr().err
    assert main(["amend", server.url, "--set", "beam_energy=200keV"]) == 1
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("fault", ["break", "stall", 503, 429])
def test_what_passes_is_tried_again(server, monkeypatch, fault):
    monkeypatch.setattr(lbj_http, "TIMEOUT", 0.3)
    server.faults = [fault, fault]
    with lbj.open(server.url) as journal:
        assert len(journal) == 60
        server.faults = [fault]
        assert journal[9].events("EDX").total > 0


@pytest.mark.parametrize(
    ("fault", "said"), [("break", "broke off after"), ("stall", "said nothing for 0.3 s"), (503, "503")]
)
def test_what_does_not_pass_is_named(server, monkeypatch, fault, said):
    monkeypatch.setattr(lbj_http, "TIMEOUT", 0.3)
    with lbj.open(server.url) as journal:
        server.faults = [fault] * 3
        with pytest.raises(lbj.StorageError, match=f"bytes [0-9]+ to .* {said}.*tried 3 times"):
            journal[9].events("EDX")
        assert journal[9].events("EDX").total > 0  # the server is well again
    server.faults = [fault] * 3
    with pytest.raises(lbj.StorageError, match=f"its beginning .*{said}"):
        lbj.open(server.url)


def test_a_server_without_parts(server):
    server.faults = ["whole"]
    with pytest.raises(lbj.StorageError, match="does not serve parts"):
        lbj.open(server.url)


def test_a_small_file_that_comes_whole(server, tmp_path):
    lbj.create(tmp_path / "a.lbj", [lbj.Signal("HAADF", "image", (2, 2))]).close()
    server.data, server.faults = (tmp_path / "a.lbj").read_bytes(), ["whole"]
    with lbj.open(server.url) as journal:
        assert list(journal.signals) == ["HAADF"]


def test_a_file_that_was_changed_meanwhile(server):
    with lbj.open(server.url) as journal:
        server.tag = '"2"'
        with pytest.raises(lbj.StorageError, match="changed on the server"):
            journal[9].events("EDX")


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_refused(server, code):
    server.faults = [code]
    with pytest.raises(lbj.StorageError, match=str(code)):
        lbj.open(server.url)
    assert len(server.ranges) == 1  # not tried again


def test_a_redirection_is_kept_and_asked_for_again_when_it_expires(server):
    with lbj.open(server.url.replace("series", "moved")) as journal:
        before = len(server.ranges)
        journal[9].events("EDX")
        assert len(server.ranges) == before + 1
        server.faults = [403]
        journal[40].events("EDX")
        assert len(server.ranges) == before + 4  # refused, redirected, given


def test_no_server_and_no_such_scheme():
    with pytest.raises(lbj.StorageError, match="tried 3 times"):
        lbj.open("http://127.0.0.1:9/series.lbj")
    pytest.importorskip("fsspec")
    with pytest.raises(lbj.UsageError, match="nowhere"):
        lbj.open("nowhere://series.lbj")


@pytest.mark.parametrize(("data", "error"), [(b"", lbj.TruncatedError), (b"<html>not here</html>", lbj.DamagedError)])
def test_what_is_no_journal(server, data, error):
    server.data = data
    with pytest.raises(error):
        lbj.open(server.url)


def test_a_journal_cut_short(server, journal_bytes):
    server.data = journal_bytes[: len(journal_bytes) // 2]
    with lbj.open(server.url) as journal:
        assert journal.tail is not None
        assert 0 < len(journal) < 60


def test_a_journal_that_grows(server, tmp_path):
    path = tmp_path / "growing.lbj"
    writer = lbj.create(path, [lbj.Signal("HAADF", "image", (2, 2))], sync=False)
    server.data, server.tag = path.read_bytes(), ""
    with lbj.open(server.url) as journal:
        for number in range(1, 4):
            writer.append({"HAADF": np.full((2, 2), number, np.uint16)})
            server.data = path.read_bytes()
            assert journal.refresh() == 1
            assert journal[-1].array("HAADF")[0, 0] == number
    writer.close()


def counts_of(file):
    with lbj.open(file) as journal:
        return int(journal[9].events("EDX").total)


def test_threads_processes_and_pickles(server):
    with lbj.open(server.url) as journal:
        wanted = counts_of(server.url)
        assert counts_of(pickle.loads(pickle.dumps(journal._file))) == wanted
        assert journal.path == server.url
        found = []
        threads = [threading.Thread(target=lambda i=i: found.append(journal[i].events("EDX").total)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == sorted(journal[i].events("EDX").total for i in range(8))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(counts_of, [server.url]) == [wanted]


def test_fsspec(journal_bytes, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://bucket/series.lbj", "wb") as file:
        file.write(journal_bytes)
    with lbj.open("memory://bucket/series.lbj") as journal, lbj.open(io.BytesIO(journal_bytes)) as local:
        assert journal._file.requests == 3  # its size, the head, the end
        assert journal[5].content_digest() == local[5].content_digest()
        assert journal._file.requests == 4
    with fsspec.open("memory://bucket/series.lbj", "rb") as file, lbj.open(file) as journal:
        assert len(journal) == 60
    with pytest.raises(lbj.StorageError, match="no such file"):
        lbj.open("memory://bucket/missing.lbj")
    with pytest.raises(lbj.StorageError, match="no file"):
        lbj.open("memory://bucket")


class Stream(io.RawIOBase):
    def readable(self):
        return True


def test_objects_that_are_no_seekable_binary_files(journal_bytes, tmp_path):
    with pytest.raises(lbj.UsageError, match="cannot seek"):
        lbj.open(Stream())
    with pytest.raises(lbj.UsageError, match="binary"):
        lbj.open(io.StringIO("text that is long enough to be one"))
    (tmp_path / "a.lbj").write_bytes(journal_bytes)
    with open(tmp_path / "a.lbj", encoding="utf-8") as text, pytest.raises(lbj.UsageError, match="binary"):
        lbj.open(text)
    file = io.BytesIO(journal_bytes)
    journal = lbj.open(file)
    file.close()
    with pytest.raises(lbj.UsageError, match="open binary file"):
        journal[0].events("EDX")
    reader, writer = os.pipe()
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe, pytest.raises(lbj.UsageError, match="cannot seek"):
        lbj.open(pipe)


class Broken(io.BytesIO):
    def read(self, size=-1):
        raise OSError("the cable was pulled")


def test_an_object_that_fails(journal_bytes):
    with pytest.raises(lbj.StorageError, match="cable"):
        lbj.open(Broken(journal_bytes))


class Bucket(Handler):
    """The part of S3's REST interface that reading takes: HEAD, GET by ranges, an empty list where there is no object."""

    def do_HEAD(self):
        found = self.path == "/bucket/series.lbj"
        size = len(self.server.data) if found else 0
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(size))
        self.send_header("ETag", self.server.tag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 12:00:00 GMT")
        self.end_headers()

    def do_GET(self):
        if "list-type" in self.path:
            body = (
                b'<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><KeyCount>0</KeyCount></ListBucketResult>'
            )
            self.answer(200, body, **{"Content-Type": "application/xml"})
        else:
            super().do_GET()


def test_s3(server, journal_bytes, monkeypatch):
    """As s3fs asks for it, from a server of ours: `pip install 'mfsi[remote]'` brings s3fs."""
    pytest.importorskip("s3fs")
    import fsspec

    server.RequestHandlerClass = Bucket
    options = {"anon": True, "endpoint_url": f"http://127.0.0.1:{server.server_port}"}
    monkeypatch.setitem(fsspec.config.conf, "s3", options)
    with lbj.open("s3://bucket/series.lbj") as journal, lbj.open(io.BytesIO(journal_bytes)) as local:
        assert len(server.ranges) == 2
        assert journal.metadata["title"] == "amended"
        for n in (3, 59):
            before = len(server.ranges)
            assert journal[n].events("EDX") == local[n].events("EDX")
            assert (journal[n].array("HAADF") == local[n].array("HAADF")).all()
            assert len(server.ranges) <= before + 1
    with pytest.raises(lbj.StorageError, match="there is no such file"):
        lbj.open("s3://bucket/missing.lbj")
