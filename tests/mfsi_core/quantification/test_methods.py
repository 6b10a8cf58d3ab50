"""Cliff-Lorimer, zeta-factors and cross-sections against eXSpy and closed forms."""

import warnings

import numpy as np
import pytest

from lbj import UsageError
from mfsi_core.quantification.factors import Factor, choose, read_factors, write_factors
from mfsi_core.quantification.methods import Absorber, composition, film_absorption
from mfsi_core.tables.constants import atomic_weight, mass_attenuation

WEIGHTS = np.array([47.867, 87.62, 15.999])
FACTORS = np.array([1.05, 3.7, 1.9])
COUNTS = np.array([[5000.0, 1800.0, 900.0], [120.0, 60.0, 300.0], [3.0, 1e5, 40.0], [0.5, 0.7, 0.2]])
LINES = ["Ti_Ka", "Sr_Ka", "O_Ka"]


@pytest.fixture(scope="module")
def exspy():
    return pytest.importorskip("exspy", reason="eXSpy is the peer")


def eds_signal(exspy, intensities, **parameters):
    """An eXSpy signal and the intensities (N, 3) as it takes them."""
    signal = exspy.signals.EDSTEMSpectrum(np.ones((len(intensities), 32)))
    signal.axes_manager[-1].units = "keV"
    signal.set_microscope_parameters(beam_energy=200.0, **parameters)
    axis = signal.axes_manager.navigation_axes[0]
    axis.scale, axis.units = 2.0, "nm"
    out = []
    for column, line in zip(intensities.T, LINES, strict=True):
        one = exspy.signals.EDSTEMSpectrum(column[:, None].astype(float)).isig[0].T
        one.metadata.set_item("Sample.elements", [line.split("_")[0]])
        one.metadata.set_item("Sample.xray_lines", [line])
        out.append(one)
    return signal, out


def peer(exspy, method, factors, *, absorption=None, convergence=1e-9, counts=COUNTS[:3], units="atomic"):
    """eXSpy's fractions (N, 3), by atoms or by weight, and the second thing that it returns."""
    signal, intensities = eds_signal(exspy, counts, beam_current=0.5, live_time=30.0)
    keywords = {"method": method, "factors": list(factors), "navigation_mask": None, "show_progressbar": False}
    if absorption is not None:
        keywords |= {"absorption_correction": True, "convergence_criterion": convergence, "max_iterations": 300}
        keywords |= {"take_off_angle": 25.0, **absorption}
    found, second = signal.quantification(intensities, composition_units=units, **keywords), None
    if isinstance(found, tuple):
        found, second = found
    return np.stack([np.ravel(one.data) for one in found], axis=1) / 100, second


def exspy_constants(exspy):
    """eXSpy's own atomic weights, and attenuation (m²/kg) of each line (rows) in each element."""
    elements = [line.split("_")[0] for line in LINES]
    weights = np.array([exspy.material.elements[e].General_properties.atomic_weight for e in elements])
    columns = [exspy.material.mass_absorption_coefficient(e, list(LINES)) * 0.1 for e in elements]
    return weights, np.stack(columns, axis=1)


DOSE = 0.5e-9 * 30.0 / 1.602176634e-19


def test_cliff_lorimer_is_exspys(exspy):
    weights, _ = exspy_constants(exspy)
    at, _ = peer(exspy, "CL", FACTORS)
    wt, _ = peer(exspy, "CL", FACTORS, units="weight")
    ours = composition(COUNTS[:3], FACTORS, weights)
    np.testing.assert_allclose(ours.at, at, atol=1e-8)
    np.testing.assert_allclose(ours.wt, wt, atol=1e-8)


def test_zeta_factors_are_exspys(exspy):
    weights, attenuation = exspy_constants(exspy)
    zeta = FACTORS * 600
    wt, thickness = peer(exspy, "zeta", zeta, units="weight")
    ours = composition(COUNTS[:3], zeta, weights, "zeta", dose=DOSE)
    np.testing.assert_allclose(ours.wt, wt, atol=1e-8)
    np.testing.assert_allclose(ours.mass_thickness, np.ravel(thickness.data), rtol=1e-6)
    counts = COUNTS[:2] * 20  # a mass thickness that absorbs
    at, thickness = peer(exspy, "zeta", zeta, absorption={}, counts=counts)
    ours = composition(counts, zeta, weights, "zeta", dose=DOSE, absorber=Absorber(attenuation, 25.0))
    assert ours.absorption.max() > 1.05
    np.testing.assert_allclose(ours.at, at, atol=1e-6)
    np.testing.assert_allclose(ours.mass_thickness, np.ravel(thickness.data), rtol=1e-5)


def test_cross_sections_are_exspys(exspy):
    weights, attenuation = exspy_constants(exspy)
    sections, area = np.array([20.0, 9.0, 5.0]), 4.0  # barn; nm² of a pixel of 2 nm
    at, atoms = peer(exspy, "cross_section", sections)
    ours = composition(COUNTS[:3], sections, weights, "cross-section", dose=DOSE / area)
    np.testing.assert_allclose(ours.at, at, atol=1e-8)
    np.testing.assert_allclose(ours.atoms, np.stack([np.ravel(one.data) for one in atoms], axis=1), rtol=1e-6)
    counts = COUNTS[:3] * 10
    wt, _ = peer(exspy, "cross_section", sections, absorption={}, counts=counts, units="weight")
    absorber = Absorber(attenuation, 25.0, area=area)
    ours = composition(counts, sections, weights, "cross-section", dose=DOSE / area, absorber=absorber)
    assert ours.absorption.max() > 1.05
    np.testing.assert_allclose(ours.wt, wt, atol=1e-6)


def test_exspys_few_counts_are_no_composition(exspy):
    """It takes intensities below 0.1 (counts per second, or counts) for nothing: doubling all of them must not matter."""
    weights, _ = exspy_constants(exspy)
    counts = np.array([[0.08, 0.07, 0.05]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it divides zero by zero
        at, _ = peer(exspy, "CL", FACTORS, counts=counts)
    whole, _ = peer(exspy, "CL", FACTORS, counts=100 * counts)
    assert not np.allclose(at, whole, atol=0.1, equal_nan=True)
    np.testing.assert_allclose(composition(counts, FACTORS, weights).at, whole, atol=1e-8)


def test_exspys_density_of_an_oxide_is_that_of_its_elements(exspy):
    """It takes the mean density of the elements, oxygen's being that of the gas; the film's own density is needed."""
    weights, attenuation = exspy_constants(exspy)
    at, thickness = peer(exspy, "CL", FACTORS, absorption={"thickness": 100.0})
    density = 5.12  # g/cm³ of SrTiO3
    right = composition(COUNTS[:3], FACTORS, weights, absorber=Absorber(attenuation, 25.0, 100.0 * density * 1e-6))
    assert np.ravel(thickness.data)[1] < 0.8 * 100.0 * density * 1e-6
    assert abs(right.at - at).max() > 0.002
    # With eXSpy's own mass thickness the rest agrees.
    same = composition(
        COUNTS[:3], FACTORS, weights, absorber=Absorber(attenuation, 25.0, np.ravel(thickness.data).copy())
    )
    np.testing.assert_allclose(same.at, at, atol=1e-6)


def test_exspys_iteration_stops_short(exspy):
    """Its default ends when no element rises by half a per cent; ours ends at the fixed point."""
    weights, attenuation = exspy_constants(exspy)
    zeta, counts = FACTORS * 600, COUNTS[:1] * 20
    ours = composition(counts, zeta, weights, "zeta", dose=DOSE, absorber=Absorber(attenuation, 25.0))
    exact, _ = peer(exspy, "zeta", zeta, absorption={}, counts=counts)
    short, _ = peer(exspy, "zeta", zeta, absorption={}, counts=counts, convergence=0.5)
    np.testing.assert_allclose(ours.at, exact, atol=1e-6)
    assert abs(short - exact).max() > 1e-5


def test_a_film_without_thickness_absorbs_nothing():
    """EXSpy divides zero by zero there."""
    assert film_absorption(np.array([0.0]))[0] == 1
    x = np.array([1e-9, 1e-4, 0.3, 2.0])
    exact = [1 + 5e-10, 1 + 5e-5 + 1e-8 / 12, 0.3 / (1 - np.exp(-0.3)), 2 / (1 - np.exp(-2))]
    np.testing.assert_allclose(film_absorption(x), exact, rtol=1e-12)


def test_mass_and_atoms_agree():
    wt = composition(COUNTS, FACTORS, WEIGHTS)
    at = composition(COUNTS, FACTORS / WEIGHTS, WEIGHTS, basis="at")
    np.testing.assert_allclose(at.at, wt.at)
    np.testing.assert_allclose(at.wt, wt.wt)
    by_hand = COUNTS[0] * FACTORS
    np.testing.assert_allclose(wt.wt[0], by_hand / by_hand.sum())


def test_errors_are_the_scatter_of_counts_and_factors():
    rng = np.random.default_rng(5)
    mean = np.array([5000.0, 1800.0, 900.0])
    covariance = np.diag(mean * 1.2)
    covariance[0, 2] = covariance[2, 0] = -800.0
    rel_sd = np.array([0.03, 0.0, 0.05])
    counts = rng.multivariate_normal(mean, covariance, 20000)
    k = FACTORS * (1 + rel_sd * rng.normal(size=(20000, 3)))
    drawn = np.array([composition(c[None], f, WEIGHTS).at[0] for c, f in zip(counts[:4000], k[:4000], strict=True)])
    found = composition(mean[None], FACTORS, WEIGHTS, covariance=covariance[None], rel_sd=rel_sd)
    np.testing.assert_allclose(found.at_se[0], drawn.std(axis=0), rtol=0.06)
    alone = composition(mean[None], FACTORS, WEIGHTS, covariance=covariance[None])
    assert (alone.at_se < found.at_se).all()


def test_an_excluded_element_changes_nothing():
    two = composition(COUNTS[:, :2], FACTORS[:2], WEIGHTS[:2])
    three = composition(COUNTS, np.array([*FACTORS[:2], 0.0]), WEIGHTS)
    np.testing.assert_allclose(three.at[:, :2], two.at)
    np.testing.assert_allclose(three.at_se[:, :2], two.at_se)
    assert (three.at[:, 2] == 0).all()
    assert (composition(COUNTS, [20.0, 9.0, 0.0], WEIGHTS, "cross-section", dose=1e5).at[:, 2] == 0).all()


def test_no_counts_are_no_composition():
    found = composition(np.zeros((1, 3)), FACTORS, WEIGHTS, "zeta", dose=1e9)
    assert np.isnan(found.at).all()
    assert np.isnan(found.mass_thickness).all()
    film = Absorber(np.eye(3), 25.0, 1e-4)
    found = composition(np.array([[0.0, 0.0, 0.0], [9.0, 5.0, 4.0]]), FACTORS, WEIGHTS, absorber=film)
    assert np.isnan(found.mass_thickness).tolist() == [True, False]


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"method": "ZAF"}, "'cliff-lorimer'"),
        ({"method": "zeta"}, "needs the dose in electrons"),
        ({"method": "cross-section"}, "electrons per nm²"),
        ({"method": "zeta", "dose": -1.0}, "above zero"),
        ({"method": "zeta", "dose": float("nan")}, "above zero"),
        ({"dose": 1e9}, "take no dose"),
        ({"absorber": Absorber(np.eye(3), 25.0)}, "thickness and density"),
        ({"absorber": Absorber(np.eye(3), 0.0, 1e-4)}, "take-off"),
        ({"method": "cross-section", "dose": 1.0, "absorber": Absorber(np.eye(3), 25.0)}, "irradiated area"),
    ],
)
def test_wrong_calls_are_named(keywords, words):
    with pytest.raises(UsageError, match=words):
        composition(COUNTS, FACTORS, WEIGHTS, **keywords)
    with pytest.raises(UsageError, match="as many factors"):
        composition(COUNTS, FACTORS[:2], WEIGHTS)


def test_constants_are_xraylibs():
    xraylib = pytest.importorskip("xraylib", reason="the tables come from xraylib")
    rng = np.random.default_rng(2)
    for z in (1, 6, 8, 22, 26, 38, 57, 78, 92):
        symbol = xraylib.AtomicNumberToSymbol(z)
        assert atomic_weight(symbol) == pytest.approx(xraylib.AtomicWeight(z), rel=1e-5)
        energy = np.exp(rng.uniform(np.log(110), np.log(39000), 200))
        right = np.array([xraylib.CS_Total(z, e / 1000) for e in energy])
        edges = []
        for name in ("K", "L1", "L2", "L3", "M1", "M2", "M3", "M4", "M5"):
            try:
                edges.append(1000 * xraylib.EdgeEnergy(z, getattr(xraylib, f"{name}_SHELL")))
            except ValueError:
                break
        clear = np.all([abs(energy / edge - 1) > 0.01 for edge in edges], axis=0)
        error = abs(mass_attenuation(symbol, energy) / right - 1)[clear]
        assert np.median(error) < 0.003
        assert np.quantile(error, 0.9) < 0.03
    with pytest.raises(UsageError, match="Xx"):
        mass_attenuation("Xx", 1000.0)


GOOD = "element,family,k,basis,line_scope,reference,rel_sd\nFe,K,1.45,wt,alpha,Si,0.05\nPt,L,5.08,wt,alpha,,\n"


def test_factors_come_back_as_written(tmp_path):
    path = tmp_path / "k.csv"
    path.write_text("# by hand\n" + GOOD)
    factors = read_factors(path)
    assert factors == [Factor("Fe", "K", 1.45, "wt", "alpha", "Si", 0.05), Factor("Pt", "L", 5.08, "wt", "alpha")]
    write_factors(factors, tmp_path / "again.csv")
    assert read_factors(tmp_path / "again.csv") == factors
    pandas = pytest.importorskip("pandas", reason="tables are pandas tables")
    assert read_factors(pandas.read_csv(path, comment="#")) == factors


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("wt,alpha,Si", ",alpha,Si", "no basis: say 'wt'"),
        ("wt,alpha,Si", "wt,,Si", "no line_scope: say 'alpha'"),
        (",basis", ",base", "no basis"),
        ("1.45", "", "no k"),
        ("1.45", "-1", "k must be a number"),
        ("1.45", "x", "k must be a number"),
        ("1.45", "inf", "k must be a number"),
        ("wt,alpha,Si", "weight,alpha,Si", "basis must be"),
        ("Fe,K", "Fe,Kb", "row 1: family must be"),
        ("Fe,K", "Fe,Pt_Ka", "family must be"),
        ("1.45,wt", "1,45,wt", "row 1: 8 values for 7 columns .*decimal commas"),
        ("Pt,L", "Fe,K", "two factors are given for Fe K.*row 1.*1.45.*row 2.*5.08"),
        ("Pt,L", "Fe,Ka1", "two factors are given for Fe K"),
        ("0.05", "-0.05", "rel_sd must be"),
    ],
)
def test_a_factor_that_lacks_something_is_named(tmp_path, old, new, words):
    path = tmp_path / "k.csv"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError, match=words):
        read_factors(path)


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_tables_are_read_as_programs_write_them(tmp_path, mark, encoding):
    path = tmp_path / "k.csv"
    text = GOOD.replace("Fe,K", "Fe,Ka").replace("Pt,L", "Pt,Lα1").replace("element,", "Element,") + ",,,,,,\n"
    if mark != ",":
        text = text.replace(",", mark).replace("1.45", "1,45").replace("0.05", "0,05")
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    expected = [Factor("Fe", "K", 1.45, "wt", "alpha", "Si", 0.05), Factor("Pt", "L", 5.08, "wt", "alpha")]
    assert read_factors(path) == expected


def test_one_line_said_twice_alike_is_one_factor():
    row = {"element": "Cu", "family": "K", "k": 1.6, "basis": "at", "line_scope": "family"}
    chosen = choose(read_factors([row, dict(row)]), ["Cu"], {"Cu": ["K", "L"]}, "cliff-lorimer")
    assert [factor.k for factor in chosen] == [1.6]


def test_factors_relative_to_different_elements_are_refused():
    rows = [
        {"element": e, "family": "K", "k": k, "basis": "wt", "line_scope": "alpha", "reference": reference}
        for e, k, reference in (("Cr", 1.17, "Si"), ("Ni", 1.41, "Si_Ka"), ("Al", 1.1, "Fe"), ("Co", 1.3, ""))
    ]
    families = {row["element"]: ["K"] for row in rows}
    for names, method in ((["Cr", "Ni", "Co"], "cliff-lorimer"), (["Cr", "Al"], "zeta")):
        assert len(choose(read_factors(rows), names, families, method)) == len(names)
    with pytest.raises(UsageError, match=r"share one reference.*'Si' \(.*row 1.*'Fe' \(.*row 3"):
        choose(read_factors(rows), ["Cr", "Ni", "Al"], families, "cliff-lorimer")


def test_factors_that_are_no_table_are_named(tmp_path):
    (tmp_path / "k.csv").write_text("element,family,k,basis,line_scope\n")
    (tmp_path / "slash.csv").write_text(GOOD.replace(",", "/"))
    for source, words in (
        ({"Fe": 1.0}, "basis and lines"),
        (3.0, "basis and lines"),
        (tmp_path / "k.csv", "holds no factor"),
        (tmp_path / "none.csv", "cannot be read"),
        (tmp_path / "slash.csv", "must name the columns element,family,k,.*separated by"),
        ([1.0, 2.0], "columns"),
    ):
        with pytest.raises(UsageError, match=words):
            read_factors(source)


def test_each_element_gets_the_factor_that_fits():
    families = {"Fe": ["K", "L"], "Pt": ["L", "M"]}
    rows = [
        Factor("Fe", "L", 3.0, "wt", "alpha"),
        Factor("Fe", "K", 1.45, "wt", "alpha"),
        Factor("Pt", "M", 2.0, "wt", "alpha"),
    ]
    assert [f.k for f in choose(rows, ["Fe", "Pt"], families, "cliff-lorimer")] == [1.45, 2.0]
    cases = [
        (rows[:2], "cliff-lorimer", "no factor is given for Pt"),
        ([rows[0], Factor("Pt", "K", 1.0, "wt", "alpha")], "cliff-lorimer", "family K"),
        ([rows[1], Factor("Pt", "L", 1.0, "at", "alpha")], "cliff-lorimer", "share one basis"),
        ([rows[1], Factor("Pt", "L", 1.0, "wt", "family")], "cliff-lorimer", "share one line_scope"),
        (rows, "cross-section", "basis 'wt'"),
        ([Factor("Fe", "K", 0.0, "wt", "alpha"), Factor("Pt", "L", 0.0, "wt", "alpha")], "zeta", "every factor is 0"),
    ]
    for given, method, words in cases:
        with pytest.raises(UsageError, match=words):
            choose(given, ["Fe", "Pt"], families, method)
