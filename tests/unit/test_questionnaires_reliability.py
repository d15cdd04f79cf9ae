"""Checks of scoring find the mistakes that they are for;
their numbers agree with other software and textbook formulas.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.factor import Factor

from pniflow.questionnaires.keys import read_key
from pniflow.questionnaires.reliability import alpha, check_instrument, first_component, item_rest, omega
from pniflow.questionnaires.response_matrices import Responses, reverse


def correlated(people: int, items: int, seed: int) -> np.ndarray:
    """Responses from 0 to 4 of one common trait."""
    rng = np.random.default_rng(seed)
    trait = rng.normal(size=(people, 1))
    return np.clip(np.round(2 + 0.9 * trait + rng.normal(scale=0.9, size=(people, items))), 0, 4)


def responses_to(name: str, people: int, seed: int) -> Responses:
    """Raw responses whose keyed items all measure one trait."""
    key = read_key(name)
    keyed = correlated(people, key.items, seed)
    ids = np.array([f"{number}" for number in range(people)], dtype=object)
    return Responses(ids, np.full(people, "ses-pre", dtype=object), reverse(keyed, key))


def test_alpha_is_the_textbook_formula_on_the_mean_inter_item_covariance() -> None:
    part = correlated(200, 6, 1)
    covariance = np.cov(part, rowvar=False)
    mean_variance = np.trace(covariance) / 6
    mean_covariance = (covariance.sum() - np.trace(covariance)) / 30
    assert alpha(part) == pytest.approx(
        6 * mean_covariance / (mean_variance + 5 * mean_covariance), rel=1e-12
    )


def test_omega_agrees_with_the_factor_of_statsmodels() -> None:
    part = correlated(300, 7, 2)
    fit = Factor(part, n_factor=1, method="pa", smc=True).fit(maxiter=2000, tol=1e-10)
    loading = fit.loadings[:, 0] * part.std(axis=0, ddof=1)
    unique = part.var(axis=0, ddof=1) * (1 - fit.loadings[:, 0] ** 2)
    expected = loading.sum() ** 2 / (loading.sum() ** 2 + unique.sum())
    assert omega(part) == pytest.approx(expected, rel=1e-5)


def test_item_rest_correlation_is_with_the_sum_of_the_other_items() -> None:
    part = correlated(50, 5, 3)
    expected = [np.corrcoef(part[:, item], np.delete(part, item, 1).sum(axis=1))[0, 1] for item in range(5)]
    assert item_rest(part) == pytest.approx(expected, rel=1e-12)


def test_the_first_component_is_numpys_leading_singular_vector() -> None:
    part = correlated(80, 6, 4)
    standard = (part - part.mean(axis=0)) / part.std(axis=0)
    vector = np.linalg.svd(standard, full_matrices=False)[2][0]
    assert np.abs(first_component(part)) == pytest.approx(np.abs(vector), rel=1e-9)
    assert (first_component(part) > 0).all()


def test_a_correct_key_raises_no_note() -> None:
    table = check_instrument(responses_to("pss10", 60, 5), read_key("pss10"))
    assert table["note"].isna().all()
    assert table[table["item"].isna() & (table["scale"] == "pss10")]["alpha"].item() > 0.8


def test_one_item_coded_the_other_way_is_pointed_at() -> None:
    answers = responses_to("pss10", 60, 6)
    answers.values[:, 6] = 4 - answers.values[:, 6]  # item 7 entered as if already turned
    table = check_instrument(answers, read_key("pss10"))
    noted = table[table["note"].notna() & (table["scale"] == "pss10")]
    assert noted["item"].tolist() == [7]
    assert noted["note"].item().startswith("runs against the rest of the scale; it is reversed by the key")


def test_codes_that_begin_at_one_are_pointed_at_even_if_within_the_range() -> None:
    answers = responses_to("mhc_sf", 60, 7)
    shifted = Responses(answers.participant, answers.session, np.clip(answers.values + 1, 1, 5))
    table = check_instrument(shifted, read_key("mhc_sf"))
    whole = table[table["item"].isna() & (table["scale"] == "mhc_sf")]
    assert whole["note"].item() == "nobody used the code 0: check that codes begin there"
    assert (whole["lowest"].item(), whole["highest"].item()) == (1, 5)


def test_too_few_complete_participants_give_no_coefficients() -> None:
    table = check_instrument(responses_to("gad7", 9, 8), read_key("gad7"))
    assert table[["alpha", "omega", "item_rest", "first_component"]].isna().all(axis=None)
    assert (table["n"] == 9).all()


def test_an_item_that_does_not_vary_has_no_correlation_and_spoils_nothing() -> None:
    answers = responses_to("gad7", 40, 9)
    answers.values[:, 2] = 1
    answers.values[:] = np.clip(answers.values, 0, 3)
    table = check_instrument(answers, read_key("gad7"))
    items = table[table["item"].notna()]
    assert np.isnan(items["item_rest"].iloc[2])
    assert items["item_rest"].drop(items.index[2]).notna().all()


def test_sessions_are_checked_apart() -> None:
    answers = responses_to("gad7", 40, 10)
    answers.values[:] = np.clip(answers.values, 0, 3)
    session = np.array(["ses-pre", "ses-post"] * 20, dtype=object)
    table = check_instrument(Responses(answers.participant, session, answers.values), read_key("gad7"))
    whole = table[table["item"].isna()].set_index("session_id")
    for name in ("ses-pre", "ses-post"):
        assert whole.loc[name, "alpha"] == pytest.approx(alpha(answers.values[session == name]))
    assert isinstance(table, pd.DataFrame)
