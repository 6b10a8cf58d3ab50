"""What docs/api-policy.md promises of public names: they are described and typed."""

import importlib
import inspect
import subprocess
import sys
from importlib import resources

import pytest

import lbj
import mfsi_core


@pytest.mark.parametrize("package", [lbj, mfsi_core], ids=lambda package: package.__name__)
def test_public_names_are_described_and_typed(package):
    assert resources.files(package).joinpath("py.typed").is_file()
    for name in package.__all__:
        found = getattr(package, name)
        assert found.__doc__, name
        assert not found.__doc__.startswith(f"{name}("), f"{name}: the docstring of a dataclass that has none"
        if inspect.isfunction(found):
            signature = inspect.signature(found)
            untyped = [one for one, what in signature.parameters.items() if what.annotation is inspect.Parameter.empty]
            assert not untyped, f"{name}: {untyped}"
            assert signature.return_annotation is not inspect.Signature.empty, name


@pytest.mark.parametrize("package", [lbj, mfsi_core], ids=["lbj", "mfsi_core"])
def test_names_that_are_imported_later_are_listed(package):
    """By `dir`, from which the reference is made and names are completed."""
    program = f"import {package.__name__} as one; print(*dir(one))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(package.__all__) <= set(said.stdout.split())


def test_the_former_name_of_rigid_alignment_is_the_same_module():
    """Programs of before set attributes of it, so a copy of its names would not do."""
    assert importlib.import_module("mfsi_core.rigid") is importlib.import_module("mfsi_core.registration.rigid.align")
