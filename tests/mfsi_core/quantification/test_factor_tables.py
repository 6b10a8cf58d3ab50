"""Tables of factors as people write them: read right, or refused by name with the row."""

import pytest

from lbj import UsageError
from mfsi_core.quantification.factors import read_factors

HEADER = "element,family,k,basis,line_scope,reference,rel_sd"
ROW = "Fe,K,1.45,wt,alpha,Si,0.02"
BAR = "Element | Family | K | Basis | Line Scope\nFe | Ka | 1.45 | wt | alpha"


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "k.csv"
    path.write_bytes(text.encode(encoding))
    return read_factors(path)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (BAR, "utf-8"),
        (f"# measured on Si\r\n\r\n{HEADER.upper()}\r\n,,,,,,\r\n{ROW}\r\n", "utf-16"),
        (f"{HEADER},remark\n{ROW},thin\n", "utf-8-sig"),
        (f"{HEADER}\n{ROW}\n".replace(",", ";").replace("1.45", "1,45").replace("0.02", "0,02"), "utf-8"),
        (HEADER.replace("line_scope", "line-scope") + "\r" + ROW.replace("Fe", '"Fe"'), "utf-8"),
    ],
)
def test_tables_are_read(tmp_path, text, encoding):
    (factor,) = read(tmp_path, text, encoding)
    assert (factor.element, factor.family, factor.k, factor.basis, factor.line_scope) == (
        "Fe",
        "K",
        1.45,
        "wt",
        "alpha",
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",k,", ",k (g/cm2),", r"column 'k \(g/cm2\)' must be called 'k'.*kg/m²"),
        ("rel_sd", "rel_sd [%]", r"column 'rel_sd \[%\]' must be called 'rel_sd'"),
        ("reference", "k", "column k is there 2 times"),
        ("0.02", "2", "row 1: rel_sd is a share of k below 1, as 0.02 for 2 %"),
        ("0.02", "2%", "row 1: rel_sd must be"),
        ("1.45", "1_450", "row 1: k must be a number"),
        ("1.45", "1 450", "row 1: k must be a number"),
        ("Fe,K", "fe,K", "row 1: element must be a symbol, as 'Fe', got 'fe'"),
        ("Fe,K", "26,K", "row 1: element must be a symbol"),
        ("1.45", "1" * 200_000, "cannot be read as a table"),
    ],
)
def test_tables_are_refused_by_name(tmp_path, old, new, message):
    text = f"{HEADER}\n{ROW}\n"
    assert old in text
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text.replace(old, new))
