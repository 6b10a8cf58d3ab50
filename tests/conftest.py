"""Settings of all tests: the folder of real vendor files, hypothesis without deadlines, interrupts."""

import os
import signal
from pathlib import Path

# Workers share the cores: a linear algebra library that starts a thread for each core spends half of their time waiting.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

# Kernels compile on first use and disks differ: no test depends on the time it takes.
settings.register_profile("lbj", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lbj")

# Programs in the background of a shell that has no job control ignore it, and so would those that tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(os.environ.get("MFSI_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real vendor files, beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"real vendor files are absent: no folder {SHARED}")
    return SHARED
