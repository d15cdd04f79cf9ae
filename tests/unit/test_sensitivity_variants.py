"""Each sensitivity word does what it says, and what the data do not allow is listed with its reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from models_data import fitted, one_model, row, study, wide
from pniflow.mixed import cr2_tests

MEASURES = ("pss10", "ctra", "ctra_balanced", "log2_CD3D", "log2_CD19")


def association(**further):
    return one_model(
        ["ctra"],
        ["session", {"split": "pss10"}, "age", "b_cell_depletion"],
        test={"a_family": ["pss10_within", "pss10_between"]},
        **further,
    )


def refitted(folder, measures, participants, **further) -> pd.DataFrame:
    """Return the tested rows of the plain association model fitted to other data."""
    estimates = fitted(folder, measures, participants, association(**further))["estimates"]
    return estimates[estimates["family"].notna()].reset_index(drop=True)


NUMBERS = [
    "estimate",
    "std_error",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
    "n_participants",
    "n_observations",
]


def assert_same_numbers(found: pd.DataFrame, expected: pd.DataFrame):
    pd.testing.assert_frame_equal(
        found[["term", *NUMBERS]].reset_index(drop=True), expected[["term", *NUMBERS]], rtol=1e-9
    )


def variant(tables, name: str) -> pd.DataFrame:
    return tables["sensitivity"].query("variant == @name")


def test_completers_are_refitted_with_their_own_split(tmp_path):
    measures, participants = study(seed=3, drop={"ctra": [(0, "ses-post"), (5, "ses-pre")]})
    tables = fitted(tmp_path / "all", measures, participants, association(sensitivity=["completers"]))
    kept = measures[~measures["participant_id"].isin(["sub-01", "sub-06"])]
    people = participants[~participants["participant_id"].isin(["sub-01", "sub-06"])]
    assert_same_numbers(variant(tables, "completers"), refitted(tmp_path / "complete", kept, people))


def test_unadjusted_leaves_the_covariates_out(tmp_path):
    measures, participants = study(seed=3)
    tables = fitted(tmp_path / "all", measures, participants, association(sensitivity=["unadjusted"]))
    plain = one_model(
        ["ctra"],
        ["session", {"split": "pss10"}],
        test={"a_family": ["pss10_within", "pss10_between"]},
    )
    estimates = fitted(tmp_path / "plain", measures, participants, plain)["estimates"]
    expected = estimates[estimates["family"].notna()].reset_index(drop=True)
    assert_same_numbers(variant(tables, "unadjusted"), expected)


def test_unadjusted_keeps_what_a_tested_interaction_is_made_of(tmp_path):
    """Also where the interaction is listed before its parts."""
    measures, participants = study()
    cell = "b_cell_depletion"
    fixed = [{"interaction": ["session", cell]}, "session", cell, "age"]
    words = {"test": {"a_family": [f"session:{cell}"]}, "sensitivity": ["unadjusted"]}
    tables = fitted(tmp_path / "all", measures, participants, one_model(["ctra"], fixed, **words))
    plain = one_model(["ctra"], fixed[1:3] + fixed[:1], test=words["test"])
    expected = fitted(tmp_path / "fewer", measures, participants, plain)["estimates"]
    tested = expected[expected["family"].notna()].reset_index(drop=True)
    assert_same_numbers(variant(tables, "unadjusted"), tested)


def test_a_tested_contrast_is_in_every_variant(tmp_path):
    """The split stays though no slope is tested; CR2 of between minus within is that of a turned design."""
    measures, participants = study()
    further = {
        "contrasts": [{"name": "between_minus_within", "family": "a_family"}],
        "sensitivity": ["unadjusted", "leave_one_out", "cr2"],
    }
    fixed = ["session", {"split": "pss10"}, "age"]
    tables = fitted(tmp_path, measures, participants, one_model(["ctra"], fixed, **further))
    found = tables["sensitivity"].set_index("variant")
    assert set(found["term"]) == {"between_minus_within"}
    main = row(tables["estimates"], term="between_minus_within")["estimate"]
    assert found["estimate"]["leave_one_out_lowest"] < main < found["estimate"]["leave_one_out_highest"]
    assert found["note"]["unadjusted"].startswith("without age")
    frame = pd.concat(
        [wide(measures, name).stack().rename(name) for name in ("pss10", "ctra")], axis=1
    ).reset_index()
    centred = frame["pss10"] - frame.groupby("session_id")["pss10"].transform("mean")
    between = centred.groupby(frame["participant_id"]).transform("mean")
    design = np.column_stack(
        [
            np.ones(len(frame)),
            frame["session_id"] == "ses-post",
            centred,  # with it, the coefficient of the person means is the difference of the slopes
            between,
            frame["participant_id"].map(participants.set_index("participant_id")["age"]),
        ]
    )
    share = row(tables["estimates"], term="between_minus_within")["icc"]
    robust = cr2_tests(design, frame["participant_id"], frame["ctra"], share / (1 - share))
    assert found["std_error"]["cr2"] == pytest.approx(robust.std_error[3], rel=1e-8)
    assert found["df"]["cr2"] == pytest.approx(robust.df[3], rel=1e-8)


def test_joint_test_of_three_sessions_has_variants(tmp_path):
    """F without one participant is that of a study without them; differences need two sessions."""
    measures, participants = study(sessions=("ses-pre", "ses-post", "ses-fu"), people=12)
    words = ["leave_one_out", "parametric_bootstrap", "permute_differences", "cr2", "sign_flip"]
    fixed = ["session", {"split": "pss10"}]
    further = {"test": {"a_family": ["session"]}}
    document = one_model(["ctra"], fixed, sensitivity=words, **further)
    tables = fitted(tmp_path / "all", measures, participants, document)
    found = tables["sensitivity"].query("term == 'session'").set_index("variant")
    assert set(found.index) == {"leave_one_out_largest_p", "parametric_bootstrap"}
    assert found["p_value"]["parametric_bootstrap"] == pytest.approx(
        row(tables["estimates"], term="session")["p_value"], abs=0.02
    )
    assert "F test of 2 coefficients" in row(tables["estimates"], term="session")["note"]
    assert row(tables["estimates"], term="session")["df_numerator"] == 2
    assert set(found["df_numerator"]) == {2}
    number = found["participant_number"]["leave_one_out_largest_p"]
    rest = measures[measures["participant_id"] != participants["participant_id"][number - 1]]
    again = fitted(tmp_path / "rest", rest, participants, one_model(["ctra"], fixed, **further))["estimates"]
    assert found["p_value"]["leave_one_out_largest_p"] == pytest.approx(
        row(again, term="session")["p_value"], rel=1e-9
    )
    listed = tables["diagnostics"].query("table == 'sensitivity_not_possible'").set_index("quantity")["note"]
    assert listed["permute_differences"] == "differences are permuted between two sessions"
    assert "one coefficient" in listed["cr2"] and "change between two sessions" in listed["sign_flip"]


def test_leaving_out_the_only_participant_of_a_level_is_no_joint_test(tmp_path):
    measures, participants = study()
    participants["site"] = ["c", *("ab" * 11)]
    further = {"test": {"a_family": ["site"]}, "sensitivity": ["leave_one_out"]}
    tables = fitted(tmp_path, measures, participants, one_model(["ctra"], ["session", "site"], **further))
    found = row(tables["sensitivity"], term="site")  # the largest p alone: no estimate of one difference
    assert "without each of 1 participants it is not estimable" in found["note"]
    assert np.isnan(found["estimate"]) and found["p_value"] > row(tables["estimates"], term="site")["p_value"]


def test_without_exposed_participants_the_exposure_is_no_term(tmp_path):
    measures, participants = study(seed=4)
    words = ["without_b_cell_depleted"]
    tables = fitted(tmp_path / "all", measures, participants, association(sensitivity=words))
    free = participants[participants["b_cell_depletion"] == "no"]
    plain = one_model(
        ["ctra"],
        ["session", {"split": "pss10"}, "age"],
        test={"a_family": ["pss10_within", "pss10_between"]},
    )
    kept = measures[measures["participant_id"].isin(free["participant_id"])]
    estimates = fitted(tmp_path / "free", kept, free, plain)["estimates"]
    found = variant(tables, "without_b_cell_depleted")
    assert_same_numbers(found, estimates[estimates["family"].notna()].reset_index(drop=True))
    treated = len(participants) - len(free)
    assert found["note"].str.contains(f"{treated} participants with b_cell_depletion").all()


def test_session_exposure_leaves_out_sessions(tmp_path):
    """Steroids at one visit take that visit out, not the person."""
    measures, participants = study(seed=4)
    exposed = pd.DataFrame(
        {
            "participant_id": sorted(set(measures["participant_id"])) * 2,
            "session_id": np.repeat(["ses-pre", "ses-post"], 23),
            "measure": "recent_steroid",
            "value": [1.0, 1.0, *[0.0] * 44],
            "unit": "yes is 1",
            "domain": "exposure",
        }
    )
    words = ["without_recent_steroid"]
    both = pd.concat([measures, exposed])
    tables = fitted(tmp_path / "all", both, participants, association(sensitivity=words))
    gone = measures["participant_id"].isin(["sub-01", "sub-02"]) & (measures["session_id"] == "ses-pre")
    assert_same_numbers(
        variant(tables, "without_recent_steroid"), refitted(tmp_path / "free", measures[~gone], participants)
    )


@pytest.mark.parametrize("score", ["ctra_balanced", "ctra_baseline_z", "ctra_without_near_floor"])
def test_another_score_stands_in_the_place_of_ctra(tmp_path, score):
    measures, participants = study(seed=5, measures=dict.fromkeys([*MEASURES, score]))
    tables = fitted(tmp_path / "all", measures, participants, association(sensitivity=[score]))
    renamed = measures[measures["measure"] != "ctra"].replace({"measure": {score: "ctra"}})
    found = variant(tables, score)
    assert set(found["outcome"]) == {"ctra"}
    assert_same_numbers(found, refitted(tmp_path / "renamed", renamed, participants))


def test_added_covariates(tmp_path):
    measures, participants = study(seed=5, measures=(*MEASURES, "siqr"))
    words = ["leukocyte_markers", "quality_change"]
    tables = fitted(tmp_path / "all", measures, participants, association(sensitivity=words))
    expected = {
        "leukocyte_markers": ["log2_CD19", "log2_CD3D"],
        "quality_change": [{"split": "siqr"}],
    }
    for word, terms in expected.items():
        document = association()
        document["models"][0]["fixed"] += terms
        estimates = fitted(tmp_path / word, measures, participants, document)["estimates"]
        assert_same_numbers(
            variant(tables, word), estimates[estimates["family"].notna()].reset_index(drop=True)
        )


def test_prorated_scores_are_left_out(tmp_path):
    measures, participants = study(seed=6)
    scales = measures[measures["measure"] == "pss10"].rename(columns={"measure": "scale", "value": "score"})
    scales = scales.assign(items_answered=10, items_total=10, prorated=False)[
        ["participant_id", "session_id", "scale", "score", "items_answered", "items_total", "prorated"]
    ]
    scales.iloc[[2, 30], -1] = True
    scales.to_csv(tmp_path / "scales.tsv", sep="\t", index=False)
    tables = fitted(
        tmp_path / "all",
        measures,
        participants,
        association(sensitivity=["half_rule_off"]),
        scales=tmp_path / "scales.tsv",
    )
    lost = scales[scales["prorated"]].index
    found = variant(tables, "half_rule_off")
    assert_same_numbers(found, refitted(tmp_path / "unprorated", measures.drop(index=lost), participants))
    assert found["note"].str.contains("2 prorated scores left out").all()


def test_scans_that_failed_quality_control_come_back(tmp_path):
    everything, participants = study(seed=6, measures=("siqr", "tiv"))
    failed = (everything["participant_id"] == "sub-03") & (everything["session_id"] == "ses-post")
    excluded = everything[failed].assign(rule="image quality below the limit")
    excluded.to_parquet(tmp_path / "excluded.parquet", index=False)
    document = one_model(
        ["tiv"], ["session"], test={"a_family": ["session"]}, sensitivity=["qc_failed_included"]
    )
    tables = fitted(
        tmp_path / "passed",
        everything[~failed],
        participants,
        document,
        excluded=tmp_path / "excluded.parquet",
    )
    whole = fitted(tmp_path / "whole", everything, participants, document)["estimates"]
    assert row(tables["estimates"], term="session")["n_observations"] == 45
    assert_same_numbers(
        variant(tables, "qc_failed_included"), whole[whole["term"] == "session"].reset_index(drop=True)
    )


def test_an_implausible_value_is_kept_and_the_model_fitted_without_it_too(tmp_path):
    measures, participants = study(seed=7)
    brain = measures[measures["measure"] == "ctra"].assign(measure="tiv", unit="ml", domain="imaging")
    brain["value"] = 1500 + 10 * brain["value"]
    document = one_model(["tiv"], ["session"], test={"a_family": ["session"]})
    assert variant(fitted(tmp_path / "usual", brain, participants, document), "without_implausible").empty
    brain.iloc[3, brain.columns.get_loc("value")] = 300.0
    tables = fitted(tmp_path / "all", brain, participants, document)
    rest = fitted(tmp_path / "rest", brain.drop(brain.index[3]), participants, document)["estimates"]
    assert row(tables["estimates"], term="session")["n_observations"] == 46
    assert_same_numbers(
        variant(tables, "without_implausible"), rest[rest["term"] == "session"].reset_index(drop=True)
    )


def test_batch_of_the_sample(tmp_path):
    measures, participants = study(seed=7)
    samples = measures[measures["measure"] == "ctra"][["participant_id", "session_id"]].copy()
    rng = np.random.default_rng(1)
    samples["batch"] = np.where(rng.random(46) < 0.5, "plate1", "plate2")
    samples.insert(0, "sample_id", [f"s{number}" for number in range(46)])
    samples.to_csv(tmp_path / "samples.tsv", sep="\t", index=False)
    tables = fitted(
        tmp_path / "all",
        measures,
        participants,
        association(sensitivity=["batch"]),
        samples=tmp_path / "samples.tsv",
    )
    # the same as a 0/1 measure in the model
    coded = samples.assign(
        measure="plate", value=(samples["batch"] == "plate2").astype(float), unit="", domain="expression"
    )[list(measures.columns)]
    document = association()
    document["models"][0]["fixed"].append("plate")
    estimates = fitted(tmp_path / "coded", pd.concat([measures, coded]), participants, document)["estimates"]
    assert_same_numbers(
        variant(tables, "batch"), estimates[estimates["family"].notna()].reset_index(drop=True)
    )


def test_other_atlases(tmp_path):
    names = ("aparc_a2009s.anterior_insula.left.thickness", "aparc_DK40.anterior_insula.left.thickness")
    measures, participants = study(seed=7, measures=("ctra", *names))
    document = one_model(
        [names[0]],
        ["session", {"split": "ctra"}],
        test={"a_family": ["ctra_within"]},
        sensitivity=["other_atlases"],
    )
    tables = fitted(tmp_path, measures, participants, document)
    assert list(variant(tables, "other_atlases")["outcome"]) == [names[1]]


def test_without_tiv(tmp_path):
    region = "neuromorphometrics.hippocampus.left.gm_volume"
    measures, participants = study(seed=8, measures=("ctra", "tiv", region))
    terms = ["session", {"split": "ctra"}]
    document = one_model(
        [region],
        [*terms, "tiv_person_mean"],
        test={"a_family": ["ctra_within", "ctra_between"]},
        sensitivity=["without_tiv"],
    )
    tables = fitted(tmp_path / "with", measures, participants, document)
    document["models"][0]["fixed"] = terms
    plain = fitted(tmp_path / "without", measures, participants, document)["estimates"]
    assert_same_numbers(variant(tables, "without_tiv"), plain[plain["family"].notna()].reset_index(drop=True))
    # the person's mean over both visits, centred on participants
    means = wide(measures, "tiv").mean(axis=1)
    x = wide(measures, "ctra")
    design = pd.DataFrame({"x": (x - x.mean()).mean(axis=1), "tiv": means - means.mean()})
    ols = sm.OLS(wide(measures, region).mean(axis=1), sm.add_constant(design)).fit()
    assert row(tables["estimates"], term="tiv_person_mean")["estimate"] == pytest.approx(
        ols.params["tiv"], rel=1e-8
    )


def test_leave_one_out_range(tmp_path):
    measures, participants = study(people=10, seed=9, drop={"pss10": [(4, "ses-post")]})
    words = ["leave_one_out"]
    tables = fitted(tmp_path / "all", measures, participants, association(sensitivity=words))
    without = []
    for number, name in enumerate(participants["participant_id"]):
        kept = measures[measures["participant_id"] != name]
        people = participants[participants["participant_id"] != name]
        without.append(refitted(tmp_path / str(number), kept, people).assign(left_out=name))
    everyone = pd.concat(without)
    for term in ("pss10_within", "pss10_between"):
        here = everyone[everyone["term"] == term].set_index("left_out")
        ends = {
            "leave_one_out_lowest": here["estimate"].idxmin(),
            "leave_one_out_highest": here["estimate"].idxmax(),
            "leave_one_out_largest_p": here["p_value"].idxmax(),
        }
        for word, name in ends.items():
            found = row(tables["sensitivity"], variant=word, term=term)
            for number in NUMBERS:
                assert found[number] == pytest.approx(here.loc[name, number], rel=1e-9), (word, number)
            assert participants["participant_id"][found["participant_number"] - 1] == name
            assert f"without participant {found['participant_number']}" in found["note"]
        full = row(tables["estimates"], term=term)
        shift = (here["estimate"] - full["estimate"]) / full["std_error"]
        influence = row(tables["diagnostics"], table="influence", term=term)
        assert influence["value"] == pytest.approx(shift[shift.abs().idxmax()], rel=1e-6)
        assert participants["participant_id"][influence["participant_number"] - 1] == shift.abs().idxmax()


def test_equivalence_is_two_one_sided_t_tests(tmp_path):
    measures, participants = study(seed=2)
    document = one_model(
        ["ctra"],
        ["session"],
        test={"a_family": ["session"]},
        equivalence={"bound": 0.5, "unit": "baseline_sd"},
    )
    tables = fitted(tmp_path, measures, participants, document)
    pairs = wide(measures, "ctra")
    change = pairs["ses-post"] - pairs["ses-pre"]
    bound = 0.5 * pairs["ses-pre"].std(ddof=1)
    lower = stats.ttest_1samp(change, -bound, alternative="greater").pvalue
    upper = stats.ttest_1samp(change, bound, alternative="less").pvalue
    found = row(tables["sensitivity"], variant="equivalence")
    assert found["p_value"] == pytest.approx(max(lower, upper), rel=1e-8)
    interval = stats.ttest_1samp(change, 0).confidence_interval(0.90)
    assert (found["conf_low"], found["conf_high"]) == pytest.approx((interval.low, interval.high), rel=1e-8)
    assert f"bound {bound:.4g}" in found["note"]
    assert found["bound"] == pytest.approx(bound, rel=1e-9)
    assert (found["bound_sd"], found["bound_session"]) == (0.5, "ses-pre")


def test_lost_participants_shift_the_change_by_their_share(tmp_path):
    measures, participants = study(seed=2, drop={"pss10": [(n, "ses-post") for n in (1, 8, 9)]})
    document = one_model(
        ["pss10"], ["session"], test={"a_family": ["session"]}, sensitivity=["delta_adjusted"]
    )
    tables = fitted(tmp_path, measures, participants, document)
    plain = row(tables["estimates"], term="session")
    found = row(tables["sensitivity"], variant="delta_adjusted")
    shift = -np.sign(plain["estimate"]) * 0.5 * wide(measures, "pss10")["ses-pre"].std(ddof=1)
    assert found["estimate"] == pytest.approx(plain["estimate"] + 3 / 23 * shift, rel=1e-10)
    assert found["std_error"] == pytest.approx(plain["std_error"])


def test_subgroups_have_n_and_df_and_no_verdict(tmp_path):
    measures, participants = study(seed=2)
    document = one_model(
        ["ctra"], ["session"], test={"a_family": ["session"]}, subgroups=["b_cell_depletion"]
    )
    tables = fitted(tmp_path, measures, participants, document)
    for level, people in participants.groupby("b_cell_depletion"):
        pairs = wide(measures, "ctra").loc[people["participant_id"]]
        change = pairs["ses-post"] - pairs["ses-pre"]
        found = row(tables["sensitivity"], variant=f"subgroup b_cell_depletion={level}")
        assert found["estimate"] == pytest.approx(change.mean(), rel=1e-9)
        assert (found["n_participants"], found["df"]) == pytest.approx((len(people), len(people) - 1))
        assert np.isnan(found["p_value"]) and np.isnan(found["p_adjusted"])


def test_specification_curve_has_every_combination(tmp_path):
    measures, participants = study(seed=5, measures=MEASURES)
    words = ["unadjusted", "completers", "ctra_balanced", "specification_curve"]
    tables = fitted(tmp_path, measures, participants, association(sensitivity=words))
    curve = tables["sensitivity"][tables["sensitivity"]["variant"].str.startswith("specification_curve: ")]
    assert len(curve) == 2 * 2 * 2 * 2
    as_is = row(curve, variant="specification_curve: as prespecified", term="pss10_within")
    assert as_is["estimate"] == row(tables["estimates"], term="pss10_within")["estimate"]
    single = row(curve, variant="specification_curve: unadjusted", term="pss10_between")
    assert (
        single["estimate"]
        == row(tables["sensitivity"], variant="unadjusted", term="pss10_between")["estimate"]
    )
    named = curve["variant"].str.removeprefix("specification_curve: ").replace("as prespecified", None)
    assert curve["choices"].fillna("").tolist() == named.fillna("").tolist()


def test_a_choice_is_another_analysis_of_the_same_question(tmp_path):
    """Leaving one out, flips, permutations and the test of equivalence choose nothing."""
    measures, participants = study(seed=2, drop={"pss10": [(4, "ses-post")]})
    words = ["completers", "cr2", "delta_adjusted", "leave_one_out", "sign_flip", "parametric_bootstrap"]
    families = {"a_family": {"role": "primary", "adjust": "bh", "also": "sign_flip_maxt"}}
    further = {"equivalence": {"bound": 2.0, "unit": "outcome"}, "subgroups": ["b_cell_depletion"]}
    change = one_model(["pss10"], ["session"], test={"a_family": ["session"]}, sensitivity=words,
                       families=families, **further)  # fmt: skip
    slopes = association(sensitivity=["permute_differences", "permute_means", "without_b_cell_depleted"])
    found = pd.concat(
        fitted(tmp_path / name, measures, participants, document)["sensitivity"]
        for name, document in (("change", change), ("slopes", slopes))
    )
    chosen = found[found["choices"].notna()]
    assert (chosen["choices"] == chosen["variant"]).all()
    assert set(chosen["variant"]) == {
        "completers", "cr2", "delta_adjusted", "without_b_cell_depleted",
        "subgroup b_cell_depletion=no", "subgroup b_cell_depletion=yes",
    }  # fmt: skip
    assert set(found["variant"]) - set(chosen["variant"]) == {
        "leave_one_out_lowest", "leave_one_out_highest", "leave_one_out_largest_p", "equivalence",
        "sign_flip", "sign_flip_maxt", "permute_differences", "permute_means", "parametric_bootstrap",
    }  # fmt: skip
    bound = row(found, variant="equivalence")
    assert bound["bound"] == 2.0 and bound[["bound_sd", "bound_session"]].isna().all()


def test_parametric_bootstrap_agrees_with_the_t_test_where_that_is_exact(tmp_path):
    measures, participants = study(seed=11)
    document = one_model(
        ["ctra"], ["session"], test={"a_family": ["session"]}, sensitivity=["parametric_bootstrap"]
    )
    tables = fitted(tmp_path, measures, participants, document)
    p = row(tables["estimates"], term="session")["p_value"]
    found = row(tables["sensitivity"], variant="parametric_bootstrap")["p_value"]
    assert found == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 4999))


def test_what_the_data_do_not_allow_is_listed_with_its_reason(tmp_path):
    measures, participants = study(seed=5)
    words = ["ctra_balanced", "lesion_volume", "batch", "without_interferon_treated", "leukocyte_markers"]
    tables = fitted(tmp_path, measures, participants, association(sensitivity=words))
    listed = tables["diagnostics"].query("table == 'sensitivity_not_possible'").set_index("quantity")["note"]
    assert set(listed.index) == set(words)
    assert listed["lesion_volume"] == "the study has no lesion_volume"
    assert len(tables["sensitivity"]) == 0


def test_equivalence_and_subgroups_that_cannot_be_are_listed(tmp_path):
    measures, participants = study()
    fixed = ["session", "b_cell_depletion", {"interaction": ["session", "b_cell_depletion"]}]
    further = {
        "test": {"a_family": ["session:b_cell_depletion"]},
        "equivalence": {"bound": 0.5, "unit": "baseline_sd"},
        "subgroups": ["b_cell_depletion"],
    }
    tables = fitted(tmp_path, measures, participants, one_model(["ctra"], fixed, **further))
    listed = tables["diagnostics"].query("table == 'sensitivity_not_possible'").set_index("quantity")["note"]
    assert len(tables["sensitivity"]) == 0
    assert "session alone" in listed["equivalence"]
    for level in ("no", "yes"):
        assert "no tested term" in listed[f"subgroup b_cell_depletion={level}"]


def test_every_word_of_the_shipped_file_is_done_or_listed(tmp_path, root):
    import yaml

    from pniflow.models.specification import read_models

    path = root / "config" / "models.yaml"
    words = {word for model in read_models(path).models for word in model.sensitivity}
    written = {
        word for model in yaml.safe_load(path.read_text())["models"] for word in model.get("sensitivity", [])
    }
    assert words == written
    measures, participants = study(seed=5)
    document = association(sensitivity=sorted(words))
    tables = fitted(tmp_path, measures, participants, document)
    done = set(tables["sensitivity"]["variant"].str.replace(r"(?<=leave_one_out).*", "", regex=True))
    listed = set(tables["diagnostics"].query("table == 'sensitivity_not_possible'")["quantity"])
    assert done | listed >= words and not (done & listed)
