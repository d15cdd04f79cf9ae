"""Sign flips, permutations, paired and robust tests beside the mixed model: brute force and identities."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from models_data import fitted, one_model, row, study, wide


def change_model(outcomes, *words, also=False):
    family = {"role": "primary", "adjust": "bh"} | ({"also": "sign_flip_maxt"} if also else {})
    return one_model(
        outcomes,
        ["session"],
        families={"a_family": family},
        test={"a_family": ["session"]},
        sensitivity=list(words),
    )


def t_of_mean(values: np.ndarray) -> np.ndarray:
    """t of each column's mean over rows that are there."""
    n = np.isfinite(values).sum(axis=0)
    return np.nanmean(values, axis=0) / (np.nanstd(values, axis=0, ddof=1) / np.sqrt(n))


def differences(measures: pd.DataFrame, names: list[str]) -> np.ndarray:
    columns = {}
    for name in names:
        pairs = wide(measures, name)
        columns[name] = pairs["ses-post"] - pairs["ses-pre"]
    return pd.DataFrame(columns).to_numpy()


def test_sign_flip_and_max_t_by_brute_force(tmp_path):
    """Nine people, one pair lacking in one outcome: all 512 flips, one flip for all outcomes."""
    names = ["pss10", "gad7", "phq9"]
    measures, participants = study(people=9, measures=tuple(names), seed=2, drop={"gad7": [(4, "ses-post")]})
    tables = fitted(tmp_path, measures, participants, change_model(names, "sign_flip", also=True))
    change = differences(measures, names)
    observed = np.abs(t_of_mean(change))
    flips = np.array(list(itertools.product([1, -1], repeat=9)))
    flipped = np.array([np.abs(t_of_mean(change * flip[:, None])) for flip in flips])
    alone = (flipped >= observed - 1e-9).mean(axis=0)
    largest = (flipped.max(axis=1)[:, None] >= observed - 1e-9).mean(axis=0)
    for column, name in enumerate(names):
        single = row(tables["sensitivity"], variant="sign_flip", outcome=name)
        assert single["p_value"] == pytest.approx(alone[column], rel=1e-12)
        assert np.isnan(single["p_adjusted"])
        family = row(tables["sensitivity"], variant="sign_flip_maxt", outcome=name)
        assert family["p_adjusted"] == pytest.approx(largest[column], rel=1e-12)
        assert family["statistic"] == pytest.approx(t_of_mean(change)[column], rel=1e-10)
        assert "max-T over 3 tests" in family["method"]
        pairs = np.isfinite(change[:, column]).sum()
        assert (family["n_participants"], family["n_observations"]) == (pairs, 2 * pairs)


def test_paired_tests_stand_beside_a_singular_change(tmp_path):
    """Visits that are negatively related within persons put the person variance at zero."""
    measures, participants = study(people=12, measures=("pss10", "gad7"), seed=3)
    pairs = wide(measures, "pss10")
    rng = np.random.default_rng(1)
    opposite = 20 - pairs["ses-pre"] + 0.3 * rng.normal(size=12) + 1
    post = (measures["measure"] == "pss10") & (measures["session_id"] == "ses-post")
    measures.loc[post, "value"] = opposite.to_numpy()
    tables = fitted(tmp_path, measures, participants, change_model(["pss10", "gad7"]))
    singular = row(tables["estimates"], outcome="pss10", term="session")
    assert singular["singular"] and singular["note"] == "singular: compare paired"
    assert singular["icc"] == 0
    change = differences(measures, ["pss10"])[:, 0]
    paired = stats.ttest_1samp(change, 0)
    found = row(tables["sensitivity"], variant="paired_t", outcome="pss10")
    assert found["estimate"] == pytest.approx(change.mean(), rel=1e-12)
    assert found["p_value"] == pytest.approx(paired.pvalue, rel=1e-10)
    assert (found["conf_low"], found["conf_high"]) == pytest.approx(
        tuple(paired.confidence_interval()), rel=1e-9
    )
    flips = np.array(list(itertools.product([1, -1], repeat=12)))
    sums = np.abs(flips @ change)
    flip = row(tables["sensitivity"], variant="sign_flip", outcome="pss10")
    assert flip["p_value"] == pytest.approx((sums >= abs(change.sum()) - 1e-9).mean(), rel=1e-12)
    assert set(tables["sensitivity"]["outcome"]) == {"pss10"}


def test_the_same_change_in_every_pair_has_no_t(tmp_path):
    """Its sign-flip p is that of all signs alike, 2 of 2^12 flips; nothing infinite is written."""
    measures, participants = study(people=12, measures=("pss10", "gad7"), seed=3)
    post = measures["session_id"] == "ses-post"
    before = measures[(measures["measure"] == "pss10") & ~post]["value"].to_numpy()
    measures.loc[(measures["measure"] == "pss10") & post, "value"] = before + 1.5
    tables = fitted(tmp_path, measures, participants, change_model(["pss10", "gad7"], "sign_flip"))
    found = row(tables["sensitivity"], variant="sign_flip", outcome="pss10")
    assert found["estimate"] == pytest.approx(1.5) and found["p_value"] == 2 / 2**12
    assert found[["std_error", "statistic"]].isna().all() and "same change" in found["note"]
    assert np.isfinite(row(tables["sensitivity"], variant="sign_flip", outcome="gad7")["statistic"])


def test_a_slope_that_explains_everything_has_no_permutation_t(tmp_path):
    measures, participants = study(people=12, measures=("pss10", "ctra"), seed=3)
    score = measures[measures["measure"] == "pss10"]["value"].to_numpy()
    measures.loc[measures["measure"] == "ctra", "value"] = 2 * score + 1
    model = one_model(
        ["ctra"],
        ["session", {"split": "pss10"}],
        test={"a_family": ["pss10_within"]},
        sensitivity=["permute_differences"],
    )
    found = row(fitted(tmp_path, measures, participants, model)["sensitivity"], term="pss10_within")
    assert found["estimate"] == pytest.approx(2) and found["p_value"] < 0.001
    assert found[["std_error", "statistic"]].isna().all() and "perfect fit" in found["note"]


def test_family_without_changes_has_no_max_t(tmp_path):
    measures, participants = study()
    document = one_model(
        ["ctra"],
        ["session", {"split": "pss10"}],
        families={"a_family": {"role": "primary", "adjust": "bh", "also": "sign_flip_maxt"}},
        test={"a_family": ["pss10_within"]},
    )
    tables = fitted(tmp_path, measures, participants, document)
    listed = row(tables["diagnostics"], table="sensitivity_not_possible")
    assert (listed["family"], listed["quantity"]) == ("a_family", "sign_flip_maxt")


def slopes(word, *fixed):
    return one_model(
        ["ctra"],
        ["session", {"split": "pss10"}, *fixed],
        test={"a_family": ["pss10_within", "pss10_between"]},
        sensitivity=[word],
    )


def test_within_slope_by_permuting_differences(tmp_path):
    """The time-constant covariate drops out; p agrees with an independent permutation of the same pairs."""
    measures, participants = study(seed=5, drop={"ctra": [(0, "ses-pre")]})
    tables = fitted(tmp_path, measures, participants, slopes("permute_differences", "age"))
    found = row(tables["sensitivity"], variant="permute_differences")
    kept = np.arange(23) != 0
    dx, dy = (differences(measures, [name])[kept, 0] for name in ("pss10", "ctra"))
    line = stats.linregress(dx, dy)
    assert (found["term"], found["n_participants"], found["df"]) == ("pss10_within", 22, 20)
    assert found["estimate"] == pytest.approx(line.slope, rel=1e-10)
    assert found["std_error"] == pytest.approx(line.stderr, rel=1e-10)
    rng = np.random.default_rng(0)
    drawn = np.array([abs(np.corrcoef(rng.permutation(dx), dy)[0, 1]) for _ in range(4000)])
    p = (drawn >= abs(line.rvalue)).mean()
    assert found["p_value"] == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) * (1 / 4000 + 1 / 10000)))


def test_between_slope_by_permuting_means_is_called_approximate_with_covariates(tmp_path):
    import statsmodels.api as sm

    measures, participants = study(seed=5)
    tables = fitted(tmp_path, measures, participants, slopes("permute_means", "age"))
    found = row(tables["sensitivity"], variant="permute_means")
    x = wide(measures, "pss10")
    design = pd.DataFrame({"x": (x - x.mean()).mean(axis=1), "age": participants["age"].to_numpy()})
    ols = sm.OLS(wide(measures, "ctra").mean(axis=1), sm.add_constant(design)).fit()
    assert found["term"] == "pss10_between" and "approximate" in found["note"]
    assert found["estimate"] == pytest.approx(ols.params["x"], rel=1e-9)
    assert found["statistic"] == pytest.approx(ols.tvalues["x"], rel=1e-9)
    # close to the t test, which normal data make right
    assert found["p_value"] == pytest.approx(ols.pvalues["x"], abs=0.03)


def test_cr2_of_complete_pairs_is_the_paired_t_test(tmp_path):
    measures, participants = study(seed=6)
    tables = fitted(tmp_path, measures, participants, change_model(["pss10"], "cr2"))
    change = differences(measures, ["pss10"])[:, 0]
    found = row(tables["sensitivity"], variant="cr2")
    assert found["std_error"] == pytest.approx(change.std(ddof=1) / np.sqrt(23), rel=1e-8)
    assert found["df"] == pytest.approx(22, rel=1e-6)
    assert found["method"] == "REML, CR2 by participant, Satterthwaite"


def test_cr2_agrees_with_clubsandwich(tmp_path, oracle):
    """prepost23_rewb: session, and a predictor already split into within and between parts."""
    import json

    data = pd.read_csv(oracle / "lmm" / "prepost23_rewb.mm.csv")
    names = [name for name in data.columns if name.startswith("x")]
    kind = {name: data.groupby("g1")[name].nunique().max() for name in names}
    session = next(name for name in names if set(data[name]) == {0, 1} and kind[name] == 2)
    data["session_id"] = np.where(data[session] == 1, "ses-post", "ses-pre")
    rest = [name for name in names if name != session]
    measures = data.rename(columns={"g1": "participant_id"}).melt(
        ["participant_id", "session_id"], ["y", *rest], "measure"
    )
    measures["participant_id"] = "sub-" + measures["participant_id"].astype(str)
    measures["measure"] = measures["measure"].replace({"y": "outcome"})
    measures = measures.assign(unit="", domain="questionnaire")
    participants = pd.DataFrame({"participant_id": sorted(set(measures["participant_id"]))})
    document = one_model(
        ["outcome"], ["session", *rest], test={"a_family": ["session", *rest]}, sensitivity=["cr2"]
    )
    tables = fitted(tmp_path, measures, participants, document)
    expected = json.loads((oracle / "cr2.json").read_text())["prepost23_rewb"]["lmer_CR2"]
    found = {"session" if name == session else name: name for name in names}
    for term, name in found.items():
        at = expected["_row"].index(name)
        robust = row(tables["sensitivity"], variant="cr2", term=term)
        assert robust["std_error"] == pytest.approx(expected["SE"][at], rel=1e-6)
        assert robust["df"] == pytest.approx(expected["df_Satt"][at], rel=1e-5)
        assert robust["p_value"] == pytest.approx(expected["p_Satt"][at], rel=1e-5)
