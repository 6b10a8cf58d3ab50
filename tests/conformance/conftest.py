"""The C implementation, built once for all tests."""

import os
import shutil
import subprocess

import pytest
from ports import PORTS


@pytest.fixture(scope="session")
def c_build(tmp_path_factory):
    """Folder of the C implementation: its command, library and example, and the first and last under sanitizers."""
    if not shutil.which("cc") or not shutil.which("make"):
        pytest.skip("no C compiler here: 'cc' and 'make' are needed to test the C implementation")
    import fcntl

    several = "PYTEST_XDIST_WORKER" in os.environ  # whose folders stand in one
    base = tmp_path_factory.getbasetemp()
    build = (base.parent if several else base) / "c-implementation"
    build.mkdir(exist_ok=True)
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            ["make", "-s", "-C", PORTS / "c", f"BUILD={build}", "lbj_c", "library", "example", "sanitized"], check=True
        )
    return build
