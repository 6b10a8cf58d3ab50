"""The text, the layouts in construct and the library agree."""

import io
import json
import re
import struct

import jsonschema
import minimal
import numpy as np
import pytest
from spec_text import ROOT, SPEC, TEXT, flat, tables

import lbj
from lbj import codings
from lbj.format import layout
from lbj.recovery.verify import verify
from lbj_conformance.strict import layouts as strict

PLACES = {
    "4.2 Record": layout.record,
    "5.1 HEAD": layout.head,
    "5.2 FRAM": layout.fram,
    "5.3 BLOK": layout.blok,
    "5.4 DONE": layout.done,
    "6.2 fOOT": layout.foot,
    "6.3 iNDX": layout.indx,
    "7.3 cONT": layout.cont,
    "7.5 dISP": layout.disp,
}
STRICT = {
    "4.2 Record": strict.record,
    "5.1 HEAD": strict.head,
    "5.2 FRAM": strict.fram,
    "5.3 BLOK": strict.blok,
    "5.4 DONE": strict.done,
}


@pytest.mark.parametrize(("heading", "layouts"), [*((h, PLACES) for h in PLACES), *((h, STRICT) for h in STRICT)])
def test_layout_tables_equal_the_declarations(heading, layouts):
    table = tables(heading)[0]
    declared = flat(layouts[heading])
    if layouts is STRICT:  # JSON follows what it declares
        table = [row for row in table if row[2] != "JSON"]
    if heading == "6.3 iNDX":
        declared = declared[: len(table)]
    assert [(offset, size, name) for offset, size, _, name in table] == declared
    widths = {"u8": "1", "u16": "2", "u32": "4", "u64": "8", "JSON": "…"}
    for _, size, kind, name in table:
        width = widths.get(kind) or re.fullmatch(r"bytes\[(\d+)\]", kind)[1]
        assert size == width, name


def test_tables_of_repeated_parts():
    (start, stop) = tables("5.3 BLOK")[1]
    assert (start, stop) == ((0, "4", "u32", "start"), (4, "4", "u32", "stop"))
    total, group, other = tables("6.3 iNDX")[1:]
    raw = struct.pack("<QIIIIQQQQ4sIQ", 1, 1, 0, 1, 0, 11, 12, 13, 14, b"abCd", 0, 15)
    index = layout.indx.parse(raw)
    assert [index.totals[0][row[3]] for row in total] == [11, 12]
    assert [index.groups[0][row[3]] for row in group] == [13, 14]
    assert [index.other[0][row[3]] for row in other] == [b"abCd", 0, 15]
    assert [row[0] for row in other] == [0, 4, 8]


def test_every_clause_that_the_library_cites_exists():
    stated = set(re.findall(r"^\*\*(\d+\.\d+(?:\.\d+)?)\*\*", TEXT, re.MULTILINE))
    stated |= set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?) ", TEXT, re.MULTILINE))
    cited = set()
    for path in (ROOT / "lbj").rglob("*.py"):
        source = path.read_text()
        cited |= set(re.findall(r'(?:clause|CLAUSE)\s?=\s?"([\d.]+)"|\[clause ([\d.]+)\]', source))
        cited |= {(clause, "") for clause in re.findall(r'(?:Finding|fault)\([^)]*?"(\d+\.[\d.]+)"', source)}
    cited = {a or b for a, b in cited}
    assert len(cited) > 20
    assert cited <= stated


def test_clauses_are_numbered_once():
    numbers = re.findall(r"^\*\*(\d+\.\d+(?:\.\d+)?)\*\*", TEXT, re.MULTILINE)
    assert len(numbers) == len(set(numbers))


def test_a_sentence_has_one_key_word():
    """One rule a sentence, clause 1.2 apart, which names the words."""
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    pieces = [" ".join(piece.split()) for piece in re.split(r"\n\s*\n|\n(?=- )|\n(?=\|)", prose)]
    sentences = [one for piece in pieces for one in re.split(r"(?<=[.:]) (?=[A-Z(*`])", piece)]
    assert len(sentences) > 500
    more = [one for one in sentences if len(re.findall(r"\b(?:MUST|SHALL|SHOULD|MAY)\b", one)) > 1]
    assert len(more) == 1
    assert "BCP 14" in more[0]


def test_registry_equals_the_library():
    registry = (SPEC / "registry.md").read_text()
    types = dict(re.findall(r"^\| `(\w{4})` \| [\d.]+ \| [^|]+\| ([^|]+?) \|", registry, re.MULTILINE))
    for name, case in types.items():
        said = "critical" if name[0].isupper() else "ancillary"
        said += ", public" if name[1].isupper() else ", private"
        said += ", unsafe" if name[3].isupper() else ", safe"
        assert case == said
        assert name[2].isupper()
    known = {value.decode() for value in vars(layout).values() if isinstance(value, bytes) and len(value) == 4}
    assert known == set(types)
    numbers = re.findall(r"^\| (\d+) \| [\d.]+ \| `([a-z0-9-]+)` \| ([^|]+) \|", registry, re.MULTILINE)
    assert {int(number): name for number, name, _ in numbers} == {
        number: codings.name(number) for number in codings.MODULES
    }
    for _, name, kinds in numbers:
        assert (name in codings.COUNTS) == ("all" in kinds or "events" in kinds)
        for kind in ("spectra", "image"):
            assert (name in codings.ARRAYS[kind]) == ("all" in kinds or kind in kinds)


def test_the_minimal_file_of_the_page():
    page = (SPEC / "minimal.md").read_text()
    assert page == minimal.page()
    rows = re.findall(r"^ *\d+  ((?:[0-9a-f]{2} )*[0-9a-f]{2})", page, re.MULTILINE)
    data = bytes.fromhex("".join(rows))
    assert not list(verify(io.BytesIO(data)))
    with lbj.open(io.BytesIO(data)) as journal:
        assert journal.complete
        assert len(journal) == 1
        cube = np.zeros((2, 3, 4), np.uint32)
        cube[0, 1, 0], cube[1, 0, 2] = 1, 2
        np.testing.assert_array_equal(journal[0].array("EDX"), cube)
        assert journal[0].content_digest().hex() in page
        assert journal.content_digest() in page


def test_the_split_rice_bytes_of_the_minimal_page():
    data = bytes.fromhex(re.search(r"are the bytes `([0-9A-F ]+)`", (SPEC / "minimal.md").read_text())[1])
    voxel, count = codings.module(2).decode_counts(memoryview(data), (2, 3, 4), np.dtype("uint32"), 2, 3)
    assert (voxel.tolist(), count.tolist()) == ([1, 15], [1, 2])


def test_headers_conform_to_the_schema(tmp_path):
    schema = json.loads((SPEC / "header.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    signals = [
        lbj.Signal(
            "EDX-1",
            "events",
            (2, 3, 4),
            group="EDX",
            axes=[
                {"name": "y", "size": 2, "offset": 0, "scale": 1e-9, "units": "m"},
                {"name": "x", "size": 3, "values": [0, 1, 4]},
                {"name": "energy", "offset": -100, "scale": 10, "units": "eV"},
            ],
            metadata={"elevation": 0.3},
        ),
        lbj.Signal("HAADF", "image", (4, 6), to_field=[[0.5, 0, -0.25], [0, 0.5, -0.25]]),
        lbj.Signal("dark", "spectra", (1, 1, 9), role="dark"),
    ]
    with lbj.create(tmp_path / "a.lbj", signals, {"beam_energy": 2e5}, source={"name": "x", "notes": []}):
        pass
    with lbj.open(tmp_path / "a.lbj") as journal:
        jsonschema.validate(journal.header, schema)
        bad = {**journal.header, "signals": [{"name": "a", "kind": "events", "shape": [3], "dtype": "int8"}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, schema)
