"""Every stored fit by lme4, lmerTest and pbkrtest comes back from `fit-lmm`.

lmer's optimizer leaves about 1e-7 in its variances, and lmerTest's numerical Hessian as much in its df (10 is
9.9999993 there); in the far tail p multiplies a relative error of df by up to 20. So p is compared at 1e-6
given the stored t and our df, and as a whole at 5e-6.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from mixed_fits import lmm, random_intercept, term
from pniflow import cli

CASES = (
    "chick_unbal",
    "ctra_gene",
    "dyestuff2",
    "machines_nested",
    "orthodont",
    "pastes",
    "penicillin",
    "prepost23",
    "prepost23_missing",
    "prepost23_rewb",
    "prepost23_tv",
    "sleepstudy_ri",
    "sleepstudy_ri_unbal",
    "sleepstudy_rs",
)


def stored(oracle, case):
    return json.loads((oracle / "lmm" / f"{case}.json").read_text())


def fitted(oracle, case, tmp_path):
    """The command's JSON for a case's model matrix."""
    data = oracle / "lmm" / f"{case}.mm.csv"
    header = data.read_text().split("\n", 1)[0].split(",")
    fixed = [name for name in header if name[0] == "x"]
    words = ["fit-lmm", "--data", str(data), "--response", "y", "--out", str(tmp_path / "fit.json")]
    words += ["--fixed", *fixed] if fixed else []
    for name in header:
        words += ["--group", name] if name[0] == "g" else []
    words += ["--slope", "x1"] if "Days | Subject" in stored(oracle, case)["formula"] else []
    assert cli.main(words) == 0
    return json.loads((tmp_path / "fit.json").read_text())


def numbers(value):
    return np.atleast_1d(np.array(value, dtype=float))


@pytest.mark.oracle
@pytest.mark.parametrize("case", CASES)
def test_fit_equals_the_stored_fit(oracle, case, tmp_path):
    expected, fit = stored(oracle, case), fitted(oracle, case, tmp_path)
    beta, se = numbers(expected["beta"]), numbers(expected["se"])
    assert fit["names"][0] == "(intercept)"
    assert np.max(np.abs(np.array(fit["estimate"]) - beta) / se) < 1e-6
    np.testing.assert_allclose(fit["se_reml"], se, rtol=1e-6)
    np.testing.assert_allclose(fit["reml_loglik"], expected["REML_logLik"], rtol=1e-6)
    np.testing.assert_allclose(fit["ml_loglik"], expected["ml_logLik"], rtol=1e-6)
    np.testing.assert_allclose(fit["sigma2"], expected["sigma2"], rtol=1e-6)
    assert fit["singular"] == expected["singular"]
    some = numbers(expected["kr"]["index0"]).astype(int)
    np.testing.assert_allclose(np.array(fit["se_kr"])[some], numbers(expected["kr"]["se"]), rtol=1e-6)
    for way, index in (("satterthwaite", slice(None)), ("kr", some)):
        table = {name: numbers(expected[way][name]) for name in ("df", "t", "p")}
        df = np.array(fit[f"df_{way}"])[index]
        p = np.array(fit[f"p_{way}"])[index]
        np.testing.assert_allclose(df, table["df"], rtol=1e-5)
        np.testing.assert_allclose(np.array(fit[f"t_{way}"])[index], table["t"], rtol=1e-6)
        seen = table["p"] > 1e-12
        np.testing.assert_allclose(p[seen], 2 * stats.t.sf(np.abs(table["t"]), df)[seen], rtol=1e-6)
        np.testing.assert_allclose(p[seen], table["p"][seen], rtol=5e-6)


@pytest.mark.oracle
@pytest.mark.parametrize("case", CASES)
def test_variances_equal_the_stored_ones(oracle, case, tmp_path):
    expected, fit = stored(oracle, case), fitted(oracle, case, tmp_path)
    components = [part for part in expected["varcorr"] if part["grp"] != "Residual"]
    variances = [part["vcov"] for part in components if not part["var2"]]
    np.testing.assert_allclose(list(fit["variances"].values()), variances, rtol=2e-6, atol=1e-9)
    correlations = [part["sdcor"] for part in components if part["var2"]]
    np.testing.assert_allclose(list(fit.get("correlations", {}).values()), correlations, rtol=2e-6)


# Type III hypotheses (marginal means) of each term, in the columns of the model matrix.
HYPOTHESES = {
    "chick_unbal": {
        "Time": [[0, 1, 0, 0, 0, 0.25, 0.25, 0.25]],
        "Diet": np.eye(8)[2:5],
        "Time:Diet": np.eye(8)[5:],
    },
    "machines_nested": {"Machine": np.eye(3)[1:]},
    "orthodont": {"age": [[0, 1, 0, 0.5]], "Sex": [[0, 0, 1, 0]], "age:Sex": [[0, 0, 0, 1]]},
    "prepost23_rewb": {
        name: np.eye(5)[[k]] for k, name in enumerate(("", "visit", "age", "pss_b", "pss_w")) if k
    },
    "prepost23_missing": {name: np.eye(4)[[k]] for k, name in enumerate(("", "visit", "age", "pss")) if k},
    "sleepstudy_rs": {"Days": [[0, 1]]},
}


@pytest.mark.oracle
@pytest.mark.parametrize("case", HYPOTHESES)
def test_type_three_f_equals_the_stored_one(oracle, case):
    expected = stored(oracle, case)
    data = np.genfromtxt(
        oracle / "lmm" / f"{case}.mm.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    design = np.column_stack(
        [np.ones(len(data)), *(data[name] for name in data.dtype.names if name[0] == "x")]
    )
    groups = [name for name in data.dtype.names if name[0] == "g"]
    joint = [np.array(rows, dtype=float) for rows in HYPOTHESES[case].values()]
    slope = data["x1"][:, None] if case == "sleepstudy_rs" else None
    fits = [lmm(design, data["y"], [term(name, data[name], slope) for name in groups], joint=joint)]
    if len(groups) == 1 and slope is None:
        fits.append(random_intercept(design, data[groups[0]], data["y"], joint=joint))
    for fit in fits:
        for way in ("satterthwaite", "kr"):
            table = expected[f"anova3_{way}"]
            terms = np.atleast_1d(table["terms"]).tolist()
            for name, test in zip(HYPOTHESES[case], fit.joint, strict=True):
                k = terms.index(name)
                assert test.df_numerator == numbers(table["NumDF"])[k]
                np.testing.assert_allclose(getattr(test, f"f_{way}"), numbers(table["F"])[k], rtol=1e-6)
                np.testing.assert_allclose(getattr(test, f"df_{way}"), numbers(table["DenDF"])[k], rtol=1e-5)
                p = numbers(table["p"])[k]
                if p > 1e-12:
                    np.testing.assert_allclose(getattr(test, f"p_{way}"), p, rtol=1e-6)
