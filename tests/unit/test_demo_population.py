"""The simulated population has the design's people, effects and gaps."""

from __future__ import annotations

import numpy as np
import pytest

from pniflow.demo import scores, truth
from pniflow.demo.scenario import Design, facets, genes
from pniflow.demo.simulation import Study, simulate
from pniflow.errors import InputError

MANY = 6_000
QUESTIONNAIRES = ("pss10", "gad7", "phq9", "mfis", "ucla_loneliness_v3")


@pytest.fixture(scope="module")
def many() -> Study:
    return truth.population_of(Design(), MANY, 11)


@pytest.fixture(scope="module")
def null() -> Study:
    return truth.population_of(Design(null=True), MANY, 11)


def change(values: np.ndarray) -> np.ndarray:
    """Change of those seen at both sessions."""
    difference = values[:, 1] - values[:, 0]
    return difference[np.isfinite(difference)]


def d_z(values: np.ndarray) -> float:
    return float(change(values).mean() / change(values).std(ddof=1))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


def test_demo_has_23_people_13_depleted_21_completing_17_with_both_scans() -> None:
    study = simulate(Design())
    assert study.people.b_cell_depletion.sum() == 13
    assert study.presence.attended[:, 0].all()
    assert study.presence.attended.all(axis=1).sum() == 21
    assert study.presence.scanned.all(axis=1).sum() == 17
    assert not (study.presence.scanned & ~study.presence.attended).any()


def test_people_are_those_of_the_reference_study() -> None:
    for study in (simulate(Design()), simulate(Design(participants=400, seed=3))):
        people = study.people
        assert people.age.mean() == pytest.approx(45, abs=0.2)
        assert people.age.std(ddof=1) == pytest.approx(11, abs=0.2)
        assert people.edss.mean() == pytest.approx(2.0, abs=0.1)
        assert people.edss.std(ddof=1) == pytest.approx(1.2, abs=0.1)
        assert set(np.unique(people.edss * 2 % 1)) == {0.0}


def test_every_questionnaire_improves_by_more_than_0_8_sd_of_change(many: Study) -> None:
    found = scores.questionnaire_scores(many.answers)
    worse = {name: d_z(values) for name, values in found.items() if name.startswith(QUESTIONNAIRES)}
    better = {name: d_z(values) for name, values in found.items() if name not in worse}
    assert max(worse.values()) < -0.8
    assert min(better.values()) > 0.8
    assert len(worse) == 8 and len(better) == 11


def test_biology_does_not_change_on_average() -> None:
    complete = truth.population_of(Design(missingness=0.0), MANY, 12)
    found = scores.measures(complete)
    named = [name for name in found if "." in name] + ["ctra", "log_hair_cortisol", "tiv", "gm", "siqr"]
    for name in named:
        assert abs(d_z(found[name])) < 4 / np.sqrt(MANY), name


@pytest.mark.parametrize(("pattern", "sign"), [("conference", -1), ("paper", 1)])
def test_ctra_follows_distress_within_persons_by_pattern_and_between_persons_positively(
    pattern: str, sign: int
) -> None:
    found = scores.measures(truth.population_of(Design(sign_pattern=pattern), MANY, 13))
    for name in ("pss10", "ucla_loneliness_v3", "log_hair_cortisol"):
        within = correlation(found[name][:, 1] - found[name][:, 0], found["ctra"][:, 1] - found["ctra"][:, 0])
        assert sign * within > 0.3, name
        assert correlation(found[name].mean(axis=1), found["ctra"].mean(axis=1)) > 0.1, name


def test_left_anterior_insula_thickens_and_right_thins_with_ctra(many: Study) -> None:
    found = scores.measures(many)
    for side, sign in (("left", 1), ("right", -1)):
        thickness = found[f"aparc_a2009s.anterior_insula.{side}.thickness"]
        within = correlation(thickness[:, 1] - thickness[:, 0], found["ctra"][:, 1] - found["ctra"][:, 0])
        assert sign * within > 0.3
        posterior = found[f"aparc_a2009s.posterior_insula.{side}.thickness"]
        assert abs(correlation(posterior.ravel(), found["ctra"].ravel())) < 4 / np.sqrt(MANY)


def test_null_keeps_variances_and_correlations_among_questionnaires(many: Study, null: Study) -> None:
    effect, none = scores.questionnaire_scores(many.answers), scores.questionnaire_scores(null.answers)
    for name in effect:
        before = [np.nanvar(found[name][:, 0]) for found in (effect, none)]
        assert before[1] == pytest.approx(before[0], rel=1e-12), name
    pairs = [("pss10", "gad7"), ("pss10", "mhc_sf"), ("maia2_noticing", "maia2_trusting")]
    for a, b in pairs:
        own = [correlation(found[a][:, 0], found[b][:, 0]) for found in (effect, none)]
        assert own[1] == pytest.approx(own[0], abs=1e-12) and abs(own[0]) > 0.25


def test_null_has_no_change_and_no_links_between_domains(null: Study) -> None:
    found, bound = scores.measures(null), 4 / np.sqrt(0.7 * MANY)
    assert max(abs(d_z(found[name])) for name in ("pss10", "mfis", "mhc_sf", "maia2_trusting")) < bound
    stress, cortisol, ctra = (found[name] for name in ("pss10", "log_hair_cortisol", "ctra"))
    insula = found["aparc_a2009s.anterior_insula.left_minus_right.thickness"]
    for a, b in [(stress, cortisol), (stress, ctra), (cortisol, ctra), (ctra, insula)]:
        assert abs(correlation(a.mean(axis=1), b.mean(axis=1))) < bound
        assert abs(correlation(a[:, 1] - a[:, 0], b[:, 1] - b[:, 0])) < bound


def test_dropout_depends_on_baseline_and_not_on_what_would_have_come() -> None:
    lost = simulate(Design(participants=4_000, missingness=3.0), np.array([0]), np.array([0]))
    kept = simulate(Design(participants=4_000, missingness=0.0), np.array([0]), np.array([0]))
    complete = scores.questionnaire_scores(kept.answers)["pss10"]
    stayed = lost.presence.attended.all(axis=1)
    assert complete[~stayed, 0].mean() > complete[stayed, 0].mean() + 1
    slope, level = np.polyfit(complete[:, 0], complete[:, 1], 1)
    residual = complete[:, 1] - level - slope * complete[:, 0]
    error = residual.std() * np.sqrt(1 / stayed.sum() + 1 / (~stayed).sum())
    assert abs(residual[stayed].mean() - residual[~stayed].mean()) < 4 * error


def test_some_items_are_missing_and_none_where_nothing_shall_be() -> None:
    share = {}
    for factor in (0.0, 1.0):
        answers = simulate(Design(missingness=factor)).answers.values()
        share[factor] = np.mean([np.isnan(codes[:, 0]).mean() for codes in answers])
    assert share[0.0] == 0 and 0.002 < share[1.0] < 0.05


def test_b_cell_depletion_lowers_b_cell_genes_only() -> None:
    study = simulate(Design(participants=200))
    level = np.log2(1 + study.counts) - np.log2(study.library)[..., None]
    depleted = study.people.b_cell_depletion
    fall = np.nanmean(level[~depleted], axis=(0, 1)) - np.nanmean(level[depleted], axis=(0, 1))
    symbols = genes()["symbol"].tolist()
    for name in ("IGJ", "IGLL1", "IGLL3P", "CD19"):
        assert fall[symbols.index(name)] > 0.3, name
    for name in ("CD3D", "CD14", "IL1B", "GPI"):
        assert abs(fall[symbols.index(name)]) < 0.15, name


def test_some_cortisol_lies_below_the_detection_limit(many: Study) -> None:
    given = many.cortisol[np.isfinite(many.cortisol)]
    assert 0.02 < np.mean(given < 0.5) < 0.12
    assert 1.5 < np.median(given) < 5
    assert np.nansum(simulate(Design()).cortisol < 0.5) >= 2


def test_answers_stay_within_the_range_and_reversed_items_are_reversed(many: Study) -> None:
    for facet in facets():
        codes = many.answers[facet.name]
        assert np.nanmin(codes) == facet.minimum and np.nanmax(codes) == facet.maximum
    stress = many.answers["pss10"][:, 0]
    assert correlation(stress[:, 0], stress[:, 3]) < -0.2  # item 4 is reversed, item 1 is not
    assert correlation(stress[:, 0], stress[:, 1]) > 0.2


def test_sessions_and_sites_are_as_many_as_asked_for() -> None:
    study = simulate(Design(participants=12, sessions=4, sites=3))
    assert study.cortisol.shape == (12, 4)
    assert study.design.session_ids == ("ses-pre", "ses-post", "ses-fu", "ses-fu2")
    assert np.bincount(study.people.site).tolist() == [4, 4, 4]
    left = np.diff(study.presence.attended.astype(int), axis=1)
    assert left.max() <= 0  # who has left does not come back


@pytest.mark.parametrize("wrong", [{"participants": 2}, {"sessions": 1}, {"sites": 0}, {"missingness": -1.0}])
def test_sizes_that_make_no_study_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"--{next(iter(wrong))} is {next(iter(wrong.values()))}"):
        Design(**wrong)
