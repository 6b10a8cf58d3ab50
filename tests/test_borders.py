"""Borders: who may import whom. Knowledge flows from the floors below to those above; floors are listed from below."""

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("lbj", "mfsi_core", "lbj_conformance")
FLOORS = {
    "lbj": [
        "version errors progress describe command array_types",
        "signal events codings",
        "signal_names format locking",
        "outputs frame",
        "arrays scanned",
        "reader",
        "loss writer",
        "creating plugins importing",
        "archive exporting recovery",
        "conform cli",
    ],
    "mfsi_core": [
        "text tables",
        "series",
        "cluster",
        "drawing geometry",
        "accumulation simulation",
        "eels edx",
        "registration",
        "rigid maps motifs components compression",
        "planning quantification",
        "report",
        "pipeline",
        "live instruments hyperspy viewer",
        "acquisition",
        "host",
        "window",
        "commands",
        "cli",
    ],
    "lbj_conformance": ["strict client judge", "suite matrix", "generate", "__main__"],
}
# A package knows those before it; the runner of the suite needs the library's bar of progress, its command the runner.
KNOWN = {
    "lbj": {"lbj.cli": "lbj_conformance"},
    "mfsi_core": {
        "": "lbj",
        "mfsi_core.viewer.files": "lbj_conformance.suite",
    },  # the pages read by the port in JavaScript
    "lbj_conformance": {"": "lbj.progress"},
}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


@cache
def tree(module):
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


@cache
def imports(module):
    """What a file imports of ours, wherever in the file: (module or module.name, the name that it takes)."""
    path, found = FILES[module], []
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found += [(one.name, "") for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: len(module.split(".")) - node.level + (path.name == "__init__.py")]
            source = ".".join([*(base if node.level else []), *([node.module] if node.module else [])])
            for one in node.names:
                whole = f"{source}.{one.name}"
                found.append((whole, "") if whole in FILES else (source, one.name))
    return [(source, name) for source, name in found if source.split(".")[0] in PACKAGES]


def floor(module):
    """Place of a file's room among the floors of its package; the face of a package, which shows all of it, stands above."""
    package, _, rest = module.partition(".")
    room = rest.split(".")[0]
    if not room:
        return len(FLOORS[package])
    return next(n for n, rooms in enumerate(FLOORS[package]) if room in rooms.split())


def test_every_room_has_a_floor():
    rooms = {(module.split(".")[0], module.split(".")[1]) for module in FILES if "." in module}
    listed = {(package, room) for package, floors in FLOORS.items() for rooms in floors for room in rooms.split()}
    assert rooms == listed


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_imports_from_a_floor_above(package):
    wrong = [
        f"{FILES[module].relative_to(ROOT)} imports {FILES[source].relative_to(ROOT)}, which stands above it"
        for module in FILES
        for source, _ in imports(module)
        if module.split(".")[0] == source.split(".")[0] == package and floor(source) > floor(module)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_knows_only_those_below(package):
    wrong = [
        f"{FILES[module].relative_to(ROOT)} imports {source}"
        for module in FILES
        for source, _ in imports(module)
        if module.split(".")[0] == package != source.split(".")[0]
        and not any(
            module.startswith(ours) and f"{source}.".startswith(f"{theirs}.") for ours, theirs in KNOWN[package].items()
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_no_two_files_or_folders_import_each_other():
    def rooms(module):
        parts = module.split(".")
        return [".".join(parts[:n]) for n in range(1, len(parts) + 1)]

    arrows = {}
    for module, path in FILES.items():
        for source, _ in imports(module):
            if path.name == "__init__.py" and source.startswith(f"{module}."):
                continue  # a face shows what its folder holds
            mine, other = rooms(module), rooms(source)
            apart = next((n for n, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), None)
            if apart:  # within one package
                pair = mine[apart], other[apart]
                arrows.setdefault(pair[0], {}).setdefault(pair[1], (module, source))
    wrong = []
    for start in list(arrows):
        round_trip = way(arrows, start)
        if round_trip:
            steps = [arrows[a][b] for a, b in pairwise(round_trip)]
            wrong.append(", ".join(f"{FILES[a].relative_to(ROOT)} imports {b}" for a, b in steps))
    assert not wrong, "\n".join(wrong)


def way(arrows, start):
    """Rooms on the shortest way from a room back to itself; none where there is no such way."""
    paths, seen = [[start]], set()
    while paths:
        path = paths.pop(0)
        for other in arrows.get(path[-1], ()):
            if other == start:
                return [*path, start]
            if other not in seen:
                seen.add(other)
                paths.append([*path, other])
    return None


def test_no_private_name_crosses_a_file():
    wrong = [
        f"{FILES[module].relative_to(ROOT)} takes {name or source} of {source}"
        for module in FILES
        for source, name in imports(module)
        if any(part.startswith("_") and part not in ("__main__", "__version__") for part in (*source.split("."), name))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_face_of_a_folder_names_its_files():
    wrong = []
    for path in FILES.values():
        if path.name in ("__init__.py", "__main__.py"):
            continue
        face = ast.get_docstring(tree(module_of(path.parent / "__init__.py"))) or ""
        if not re.search(rf"\b{re.escape(path.stem)}\b", face):
            wrong.append(f"{path.relative_to(ROOT)} has no line in {path.parent.relative_to(ROOT)}/__init__.py")
    assert not wrong, "\n".join(wrong)


def test_names_of_arrays_have_one_place():
    names = re.findall(r"^(\w+) = ", FILES["lbj.array_types"].read_text(encoding="utf-8"), re.MULTILINE)
    again = re.compile(rf"^({'|'.join(names)}) = ", re.MULTILINE)
    wrong = [
        f"{path.relative_to(ROOT)} names arrays for itself: take {match[1]} of lbj/array_types.py"
        for module, path in FILES.items()
        if module != "lbj.array_types" and (match := again.search(path.read_text(encoding="utf-8")))
    ]
    assert names
    assert not wrong, "\n".join(wrong)


LINES, PARAMETERS = 60, 8  # of a function, without its docstring; compiled kernels are flat loops with more
MANY_OPTIONS = {  # the functions with more, and why each is not taken apart: all but the first two or three go by name
    "lbj.signal.Signal.__init__": "public: members of a signal in the header (clause 5.1.5)",
    "lbj_conformance.generate.builder.File.blok": "fields of a BLOK record (clause 5.3), any of which a vector sets wrong",
    "mfsi_core.accumulation.accumulate.accumulate": "public: options of the aligned sum",
    "mfsi_core.geometry.registration.Registration.__init__": "public: everything that a registration states",
    "mfsi_core.instruments.simulated.Simulated.__init__": "options of an instrument are keywords, given by name as JSON",
    "mfsi_core.live.session.Session.__init__": "public: those of lbj.create, and what is followed",
    "mfsi_core.pipeline.align.register_journal": "options of seven commands, by their names",
    "mfsi_core.pipeline.run.run": "public: options of `mfsi run`",
    "mfsi_core.planning.plan.plan": "public: options of `mfsi plan`",
    "mfsi_core.quantification.methods.composition": "public: terms of the formulas of three methods",
    "mfsi_core.quantification.quantify.analyse": "public: options of `quantify`",
    "mfsi_core.simulation.edx.simulate": "public: what a simulated series is like",
    "mfsi_core.simulation.eels.simulate_eels": "public: what a simulated series is like",
}


@cache
def functions():
    """Every function that is no kernel: (dotted name, its node)."""

    def within(node, name):
        for one in ast.iter_child_nodes(node):
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                whole = f"{name}.{one.name}"
                if not isinstance(one, ast.ClassDef) and "njit" not in map(called, one.decorator_list):
                    yield whole, one
                yield from within(one, whole)
            else:
                yield from within(one, name)

    return [one for module in FILES for one in within(tree(module), module)]


def called(decorator):
    return getattr(decorator.func if isinstance(decorator, ast.Call) else decorator, "id", "")


def test_functions_are_short():
    wrong = []
    for name, node in functions():
        told = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
        lines = node.end_lineno - node.lineno + 1 - (told.end_lineno - told.lineno + 1 if told else 0)
        if lines > LINES:
            wrong.append(f"{name} has {lines} lines without its docstring; more than {LINES} are to be taken apart")
    assert not wrong, "\n".join(wrong)


def test_functions_have_few_parameters():
    many = set()
    for name, node in functions():
        asked = node.args
        if len(asked.posonlyargs) + len(asked.args) + len(asked.kwonlyargs) > PARAMETERS:
            many.add(name)
    assert many == set(MANY_OPTIONS), f"more than {PARAMETERS} parameters, or no longer: {many ^ set(MANY_OPTIONS)}"
