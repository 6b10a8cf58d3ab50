"""The table of X-ray lines against the X-ray Data Booklet and xraylib, and the line by which an element is mapped."""

import csv
import io
from importlib import resources

import pytest

import lbj
from mfsi_core import best_line, line_energy, lines_of
from mfsi_core.edx.peaks import explained
from mfsi_core.tables.lines import candidates, fwhm, symbols
from mfsi_core.tables.make_lines import rows

# X-ray Data Booklet (LBNL/PUB-490 Rev. 3), table 1-2, after J. A. Bearden, Rev. Mod. Phys. 39 (1967) 78; eV.
PUBLISHED = {
    "O_Ka": 524.9,
    "Al_Ka1": 1486.70,
    "Si_Ka1": 1739.98,
    "Ca_Ka1": 3691.68,
    "Ti_Ka1": 4510.84,
    "Ti_Kb1": 4931.81,
    "Mn_Ka1": 5898.75,
    "Fe_Ka1": 6403.84,
    "Fe_Kb1": 7057.98,
    "Ni_Ka1": 7478.15,
    "Cu_Ka1": 8047.78,
    "Cu_Ka2": 8027.83,
    "Sr_Ka1": 14165.0,
    "Mo_La1": 2293.16,
    "Ag_La1": 2984.31,
    "Ba_La1": 4466.26,
    "La_La1": 4650.97,
    "W_La1": 8397.6,
    "Pt_La1": 9442.3,
    "Au_La1": 9713.3,
    "Au_Lb1": 11442.3,
    "Au_Ma1": 2122.9,
    "Pb_Ma1": 2345.5,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_energies_are_the_published_ones(name):
    assert abs(line_energy(name) - PUBLISHED[name]) < 3
    assert abs(line_energy(name) / PUBLISHED[name] - 1) < 2e-3


def test_a_doublet_lies_at_its_weighted_mean():
    assert line_energy("Cu_Ka") == pytest.approx((2 * 8047.78 + 8027.83) / 3, abs=1)
    first, second = (line for line in lines_of("Cu") if line.name in ("Ka1", "Ka2"))
    assert second.weight / first.weight == pytest.approx(0.51, abs=0.02)  # Scofield's ratio for copper


def test_weights_are_shares_of_a_family():
    for element in symbols():
        families = {}
        for line in lines_of(element):
            families[line.family] = families.get(line.family, 0) + line.weight
            assert 0 < line.energy <= line.edge * 1.007  # Mb of La is a resonance
        assert all(0 < total <= 1.001 for total in families.values())
    iron = {line.name: line.weight for line in lines_of("Fe")}
    assert (iron["Kb1"] + iron["Kb3"]) / (iron["Ka1"] + iron["Ka2"]) == pytest.approx(0.121, abs=0.015)  # measured


def test_the_table_says_where_it_comes_from():
    header = resources.files("mfsi_core.tables").joinpath("lines.csv").read_text().splitlines()[0]
    assert header.startswith("# ")
    assert "version 3" in header
    assert "Source: xraylib" in header


def test_the_table_is_what_xraylib_gives():
    xraylib = pytest.importorskip("xraylib", reason="the table is made from xraylib, which is not installed")
    text = resources.files("mfsi_core.tables").joinpath("lines.csv").read_text()
    if f"xraylib {xraylib.__version__} " not in text:
        pytest.skip(f"the table was made with another version than {xraylib.__version__}")
    stored = list(csv.reader(io.StringIO("".join(line for line in text.splitlines(True) if line[0] != "#"))))
    assert stored[0] == ["element", "family", "line", "energy_eV", "edge_eV", "weight"]
    fresh = [[*names, f"{energy:.1f}", f"{edge:.1f}", f"{w:.4f}"] for *names, energy, edge, w in rows(xraylib)]
    assert stored[1:] == fresh


@pytest.mark.parametrize(
    ("name", "message"),
    [("Xx_Ka", "'Xx'"), ("", "''"), ("ti_Ka", "'ti'"), ("Ti_Kz", "'Ti_Kz'.*Ti_Ka1"), ("Ti", "'Ti'.*Ti_Ka1")],
)
def test_unknown_names_are_named(name, message):
    with pytest.raises(lbj.UsageError, match=message):
        line_energy(name)


def test_unknown_elements_are_named():
    for call in (lambda: lines_of("Uuo"), lambda: best_line("Uuo", 0, 20e3)):
        with pytest.raises(lbj.UsageError, match="'Uuo'"):
            call()


@pytest.mark.parametrize(
    ("element", "high", "beam", "line"),
    [
        ("Ti", 20e3, 200e3, "Ti_Ka"),
        ("Ti", 20e3, 5e3, "Ti_La"),  # 5 keV is less than 1.5 times the K edge
        ("O", 20e3, 600, None),
        ("Sr", 20e3, 200e3, "Sr_Ka"),
        ("Sr", 10e3, None, "Sr_La"),
        ("La", 40e3, 200e3, "La_La"),  # its K line passes through the detector
        ("Pt", 20e3, 200e3, "Pt_La"),
        ("Pt", 20e3, 15e3, "Pt_Ma"),
        ("Pt", 5e3, None, "Pt_Ma"),
        ("O", 20e3, 200e3, "O_Ka"),
    ],
)
def test_the_line_by_which_an_element_is_mapped(element, high, beam, line):
    assert best_line(element, 0.0, high, beam) == line


def test_width_of_a_line():
    assert fwhm(5895) == 130
    assert fwhm(8040) == pytest.approx((130**2 + 2.5 * 2145) ** 0.5)
    assert 40 <= fwhm(100) < fwhm(1000) < fwhm(20000)


def test_lines_between_two_energies():
    names = {line.name for line in lines_of("Fe", 6300, 7100)}
    assert names == {"Ka1", "Ka2", "Kb1", "Kb3"}
    assert lines_of("Fe", 7300, 1e9) == []


def test_candidates_for_a_peak():
    assert candidates(6400, 20)[0] == "Fe_Ka"
    assert "Fe_Ka" not in candidates(6400, 20, beam_energy=5000)
    assert {"Ti_Ka", "Ba_La"} <= set(candidates(4490, 40))  # the classic overlap
    assert explained(4932, 20, ["Ti", "Fe"]) == ["Ti_Kb"]
