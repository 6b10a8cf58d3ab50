"""Sessions whose recorder works in a process of its own, and what is said where it cannot."""

import pytest
from plugin_package import install

from lbj import StorageError, UsageError
from mfsi_core.host.service import connect


def test_a_recorder_that_works_is_not_taken_for_another(tmp_path):
    with connect(tmp_path, "simulated", {"seed": 4, "drift": [0, 0]}) as remote:
        for options in ({}, {"seed": 4}, {"drift": [0, 0]}):
            connect(tmp_path, "simulated", options).close()
        with pytest.raises(UsageError, match="is of 'simulated', not of 'folder'"):
            connect(tmp_path, "folder", {"path": str(tmp_path)})
        with pytest.raises(UsageError, match="has seed=4, not 5; end it first"):
            connect(tmp_path, "simulated", {"seed": 5})
        with pytest.raises(UsageError, match="has hum=None, not 0"):
            connect(tmp_path, "simulated", {"hum": 0})
        remote.call("close")


@pytest.mark.parametrize("below", ["", "session"])
def test_a_folder_that_cannot_be_made_is_said(tmp_path, below):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(StorageError, match=r"as the session's folder: (File exists|Not a directory)"):
        connect(tmp_path / "notes.txt" / below, "simulated")


def test_an_option_that_an_instrument_does_not_take_is_said_in_its_words(tmp_path):
    with pytest.raises(UsageError, match=r"could not be started: plugin 'simulated' of .*argument 'colour'"):
        connect(tmp_path, "simulated", {"colour": 1})


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("raise OSError('no licence')", "plugin 'scope' of bad-scope 1.0 failed on connecting: OSError: no licence"),
        ("raise SystemExit(7)", "plugin 'scope' of bad-scope 1.0 failed on connecting: SystemExit: 7"),
        ("import os; os._exit(7)", "it ended with 7 and said nothing"),
        ("return Scope()", r"abilities\(\) must return Abilities, got dict"),
        ("return object()", "made something of type object: an instrument has abilities, prepare, acquire, close"),
    ],
)
def test_an_instrument_that_fails_to_begin_is_named(tmp_path, monkeypatch, made, said):
    module = f"""
    class Scope:
        def abilities(self):
            return {{"title": "scope"}}

        prepare = acquire = close = abilities

    def make():
        {made}
    """
    install(tmp_path / "site", "bad-scope", "1.0", {"mfsi.instruments": {"scope": "scope:make"}}, scope=module)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(UsageError, match=f"could not be started: .*{said}"):
        connect(tmp_path / "session", "scope")
