"""The loopback server of the pages: who gets what."""

import http.client
import os
import signal
import subprocess
import sys
import urllib.request
from urllib.parse import urlsplit

import pytest

import lbj
from mfsi_core.viewer.server import JOURNAL, serving


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "a b.lbj"
    with lbj.create(path, [lbj.Signal("I", "image", (2, 2))]) as writer:
        writer.append({"I": [[1, 2], [3, 4]]})
    return path


def ask(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_ranges_of_the_journal(journal):
    content = journal.read_bytes()
    with serving(journal) as server:
        place = f"/{server.token}/{JOURNAL}a%20b.lbj"
        assert ask(server, place)[::2] == (200, content)
        status, headers, body = ask(server, place, Range="bytes=3-9")
        assert (status, headers["Content-Range"], body) == (206, f"bytes 3-9/{len(content)}", content[3:10])
        assert ask(server, place, Range=f"bytes=3-{len(content) + 99}")[::2] == (206, content[3:])
        assert ask(server, place, Range="bytes=8-")[::2] == (206, content[8:])
        status, headers, body = ask(server, place, Range=f"bytes={len(content)}-")
        assert (status, headers["Content-Range"], body) == (416, f"bytes */{len(content)}", b"")
        status, headers, body = ask(server, place, "HEAD")
        assert (status, headers["Content-Length"], body) == (200, str(len(content)), b"")
        with lbj.append(journal) as writer:  # a journal grows while it is looked at
            writer.append({"I": [[5, 6], [7, 8]]})
        assert ask(server, place)[2] == journal.read_bytes() != content
        journal.unlink()
        assert ask(server, place)[0] == 404


def test_a_journal_elsewhere_is_handed_on(journal):
    content = journal.read_bytes()
    with serving(journal) as there, serving(f"{there.address}{JOURNAL}a%20b.lbj") as here:
        assert here.page().endswith("viewer.html?url=journal/a%2520b.lbj")
        place = f"/{here.token}/{JOURNAL}a%20b.lbj"
        status, headers, body = ask(here, place, Range="bytes=3-9")
        assert (status, headers["Content-Range"], body) == (206, f"bytes 3-9/{len(content)}", content[3:10])
        assert ask(here, place)[::2] == (200, content)


def test_nothing_without_the_token_and_nothing_else(journal):
    (journal.parent / "secret").write_text("secret")
    with serving(journal) as server:
        port = server.server_address[1]
        assert server.server_address[0] == "127.0.0.1"
        for path in (
            "/",
            "/viewer.html",
            "/wrong/viewer.html",
            f"/{server.token}",
            f"/{server.token[:-1]}/viewer.html",
        ):
            assert ask(server, path)[0] == 404
        for name in (
            "journal/secret",
            "journal/../secret",
            "%2e%2e/server.py",
            "../server.py",
            "/etc/passwd",
            "journal/",
            "%C3%A9",
        ):
            assert ask(server, f"/{server.token}/{name}")[0] == 404
        for host, status in (
            (f"127.0.0.1:{port}", 200),
            (f"localhost:{port}", 200),
            (f"evil.example:{port}", 403),
            ("", 403),
        ):
            assert ask(server, f"/{server.token}/viewer.html", Host=host)[0] == status
        assert ask(server, f"/{server.token}/viewer.html", "POST")[0] == 501


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("", ""),
        ("?url=journal/a.lbj", ""),
        ("?url=https%3A%2F%2Fdata.example%3A8443%2Fa.lbj", " https://data.example:8443"),
        ("?url=https://data.example;script-src%20*", ""),
        ("?url=https://data.example%20https://evil.example/", ""),
        ("?url=javascript://x/", ""),
        ("?url=ftp://data.example/a", ""),
    ],
)
def test_the_policy_names_the_server_that_was_asked_for(asked, allowed):
    with serving() as server:
        _, headers, _ = ask(server, f"/{server.token}/viewer.html{asked}")
        policy = {part.split()[0]: part for part in headers["Content-Security-Policy"].split("; ")}
        assert policy["connect-src"] == f"connect-src 'self' data:{allowed}"
        assert policy["default-src"] == "default-src 'none'"
        assert policy["script-src"] == "script-src 'self' 'wasm-unsafe-eval'"


def test_the_command_serves_until_it_is_interrupted(journal):
    command = [sys.executable, "-m", "mfsi_core.cli", "view", str(journal), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=5) as page:
            assert b"Journal viewer" in page.read()
        assert urlsplit(address).query == "url=journal/a%2520b.lbj"
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.CTRL_C_EVENT)
        process.communicate(timeout=10)
        assert process.returncode == 0
