"""CR2 standard errors, df and p by clubSandwich come back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mixed_fits import random_intercept
from pniflow.mixed import cr2_tests

CASES = (
    "sleepstudy_ri",
    "sleepstudy_ri_unbal",
    "orthodont",
    "prepost23",
    "prepost23_tv",
    "prepost23_rewb",
    "prepost23_missing",
)


@pytest.mark.oracle
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("model", ["lmer_CR2", "lm_CR2"])
def test_cr2_equals_club_sandwich(oracle, case, model):
    expected = json.loads((oracle / "cr2.json").read_text())[case][model]
    path = oracle / "lmm" / f"{case}.mm.csv"
    data = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    design = np.column_stack([np.ones(len(data)), *(data[x] for x in data.dtype.names if x[0] == "x")])
    ratio = 0.0
    if model == "lmer_CR2":
        fit = random_intercept(design, data["g1"], data["y"])
        ratio = fit.person_variance[0] / fit.sigma2[0]
    tests = cr2_tests(design, data["g1"], data["y"], ratio)
    for name, theirs in (
        ("estimate", "beta"),
        ("std_error", "SE"),
        ("df", "df_Satt"),
        ("statistic", "tstat"),
        ("p_value", "p_Satt"),
    ):
        np.testing.assert_allclose(getattr(tests, name), expected[theirs], rtol=1e-6)
