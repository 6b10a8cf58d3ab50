"""What the `mfsi` command sets for its own process."""

import os
import subprocess
import sys

import pytest

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


def test_openblas_itself_has_one_thread():
    """As it tells a peer that asks it."""
    pytest.importorskip("threadpoolctl")
    ask = "import threadpoolctl; print([o['num_threads'] for o in threadpoolctl.threadpool_info() if o['internal_api'] == 'openblas'])"
    assert set(said(f"{PLAN}; import numpy; {ask}")) <= set("[1, ]")
