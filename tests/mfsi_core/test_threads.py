"""What the `mfsi` command sets for its own process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TASKS = Path("/proc/self/task")
THREADS = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
TOLD = "import os; print('threads', os.environ.get('OPENBLAS_NUM_THREADS'), 'numpy' in __import__('sys').modules)"
PLAN = (
    "from mfsi_core.cli import main; main('plan --field 1nm --pixel 1nm --current 1pA --dwell 1us --frames 1'.split())"
)


def said(program, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in THREADS}
    out = subprocess.run(
        [sys.executable, "-c", program], env={**kept, **environment}, capture_output=True, text=True, check=True
    )
    return out.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({}, "1"),
        ({"OPENBLAS_NUM_THREADS": "3"}, "3"),
        ({"OMP_NUM_THREADS": "2"}, None),
        ({"GOTO_NUM_THREADS": "2"}, None),
    ],
)
def test_linear_algebra_of_the_command_has_one_thread_unless_the_user_says_otherwise(environment, threads):
    assert said(f"{PLAN}; import numpy; {TOLD}", **environment) == f"threads {threads} True"


@pytest.mark.parametrize("program", ["import mfsi_core, mfsi_core.cli, numpy", f"import numpy; {PLAN}"])
def test_a_program_that_imports_us_keeps_its_threads(program):
    assert said(f"{program}; {TOLD}") == "threads None True"


@pytest.mark.skipif(not TASKS.is_dir(), reason="this system does not list the threads of a process")
def test_openblas_itself_begins_no_thread():
    """As the system counts them when numpy has been imported and used."""
    count = "import numpy; numpy.ones((300, 300)) @ numpy.ones((300, 300)); print(len(list(TASKS.iterdir())))"
    assert said(f"from pathlib import Path; TASKS = Path({str(TASKS)!r}); {PLAN}; {count}") == "1"
