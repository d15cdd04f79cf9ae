"""With all noise off, what was planted comes back from raw files and measures, and a wrong key is noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from called import call
from pniflow.contracts import read_table, write_table
from pniflow.demo import observe, population, scores
from pniflow.demo.scenario import Design, facets
from pniflow.demo.simulation import Study, simulate
from pniflow.demo.truth import true_estimates
from pniflow.demo.write_study import write_study
from pniflow.models.fit_models import fit_models
from stages import raw_to_estimates

pytestmark = pytest.mark.xdist_group("recovery")

# one construct drives CTRA, and B-cell depletion does not: then every slope has a closed form
QUIET = Design(participants=14, seed=5, noise=False, missingness=0.0, depletion=0.0, linked=("pss10",))
ANTERIOR_INSULA = "aparc_a2009s.anterior_insula.{}.thickness"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of a study without noise."""
    folder = tmp_path_factory.mktemp("quiet") / "raw"
    write_study(QUIET, folder, 0)
    return folder


@pytest.fixture(scope="module")
def work(raw: Path) -> Path:
    """What the stages made of them, from raw files to estimates."""
    raw_to_estimates(raw, raw.parent / "work")
    return raw.parent / "work"


def planted_measures() -> dict[str, np.ndarray]:
    """What the simulator planted, each participants x sessions; CTRA from the state that drives its genes."""
    study = simulate(QUIET)
    state = study.ctra_state
    return scores.measures(study) | {"ctra": (state - state.mean()) / state.std(ddof=1)}


def distances(cohort: Path, planted: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest distance of each measure of a cohort from what was planted."""
    table = read_table(cohort / "measures.parquet", "measures")
    wide = table.pivot(index=["participant_id", "session_id"], columns="measure", values="value")
    wide = wide.reindex(pd.MultiIndex.from_product([QUIET.labels, QUIET.session_ids]))
    return {name: float(np.max(np.abs(wide[name].to_numpy() - v.ravel()))) for name, v in planted.items()}


def estimate(path: Path, model: str, outcome: str, term: str) -> float:
    table = read_table(path, "estimates").set_index(["model", "outcome", "term"])
    return float(table.at[(model, outcome, term), "estimate"])


def test_every_measure_comes_back_from_raw_files_to_the_precision_of_the_files(work: Path) -> None:
    far = {
        name: gap for name, gap in distances(work / "cohort", planted_measures()).items() if not gap < 1e-10
    }
    assert far == {}


def test_units_are_those_of_the_field(work: Path) -> None:
    units = read_table(work / "cohort" / "measures.parquet").groupby("measure")["unit"].first()
    assert units[ANTERIOR_INSULA.format("left")] == "mm"
    assert (
        units["neuromorphometrics.hippocampus.left.gm_volume"]
        == units["tiv"]
        == units["lesion_volume"]
        == "ml"
    )
    assert "pg/mg" in units["log_hair_cortisol"]


@pytest.mark.parametrize(("part", "planted"), [("within", -0.8), ("between", 0.4)])
def test_planted_slopes_come_back_from_raw_files_with_their_sign_and_side(
    work: Path, part: str, planted: float
) -> None:
    state = simulate(QUIET).ctra_state.std(ddof=1)
    per_point = planted / (10 * 0.6) / state  # ten items whose mean answer has an SD of 0.6
    found = estimate(work / "estimates.tsv", "ctra_on_pss10", "ctra", f"pss10_{part}")
    assert found == pytest.approx(per_point, rel=1e-10)
    millimetres = {"within": 0.05, "between": 0.06}[part] * state
    for side, sign in (("left", 1), ("right", -1)):
        outcome = ANTERIOR_INSULA.format(side)
        found = estimate(work / "estimates.tsv", "insula_thickness_on_ctra", outcome, f"ctra_{part}")
        assert found == pytest.approx(sign * millimetres, rel=1e-10)
    outcome = ANTERIOR_INSULA.format("left_minus_right")
    found = estimate(work / "estimates.tsv", "insula_asymmetry_on_ctra", outcome, f"ctra_{part}")
    assert found == pytest.approx(2 * millimetres, rel=1e-10)


def test_every_estimate_of_a_noisy_study_equals_an_independent_scoring_and_fit(tmp_path: Path) -> None:
    write_study(Design(), tmp_path / "raw", 0)
    found = read_table(raw_to_estimates(tmp_path / "raw", tmp_path / "work"), "estimates")
    own = pd.DataFrame(true_estimates(simulate(Design()), tmp_path / "raw" / "models.yaml")[0])
    keys = ["model", "outcome", "term"]
    both = found.merge(own, on=keys, how="outer", indicator=True)
    assert set(both["_merge"]) == {"both"} and len(both) > 300
    apart = (both["estimate"] - both["value"]).abs() / both["std_error"]
    assert apart.max() < 1e-5, both.loc[apart.idxmax(), keys].tolist()


def exact_measures(design: Design) -> tuple[dict[str, np.ndarray], Study]:
    """Measures without rounding to whole answers: the means and slopes are then exactly those planted."""
    study = simulate(design)
    states = population.draw_constructs(design)
    facet = {facet.name: facet for facet in facets()}
    level = {
        name: one.mean + population.mean_change(one, design) + one.sd * states[name]
        for name, one in facet.items()
    }
    ctra = population.draw_ctra_state(design, study.people, states)
    between, within = population.split(ctra, 0.0)
    shift = observe.INSULA["between"] * between + observe.INSULA["within"] * within
    thickness = {ANTERIOR_INSULA.format("left"): 4.0 + shift, ANTERIOR_INSULA.format("right"): 4.0 - shift}
    result = {
        "pss10": 10 * level["pss10"],
        "ucla_loneliness_v3": 20 * level["ucla_loneliness_v3"],
        "ctra": ctra,
    }
    return result | {"log_hair_cortisol": np.log(2.1) + states["hair_cortisol"]} | thickness, study


@pytest.mark.parametrize("pattern", ["conference", "paper"])
@pytest.mark.parametrize(
    ("linked", "measure", "unit"),
    [
        ("pss10", "pss10", 10 * 0.60),
        ("ucla_loneliness_v3", "ucla_loneliness_v3", 20 * 0.45),
        ("hair_cortisol", "log_hair_cortisol", 1.0),
    ],
)
def test_planted_means_and_slopes_come_back_from_measures_to_1e_8(
    tmp_path: Path, root: Path, linked: str, measure: str, unit: float, pattern: str
) -> None:
    design = replace(QUIET, linked=(linked,), sign_pattern=pattern)
    exact, study = exact_measures(design)
    rows = [
        {"participant_id": person, "session_id": session, "measure": name, "value": values[i, j], "unit": ""}
        for name, values in exact.items()
        for i, person in enumerate(design.labels)
        for j, session in enumerate(design.session_ids)
    ]
    write_table(pd.DataFrame(rows).assign(domain="exposure"), tmp_path / "measures.parquet", "measures")
    covariates = {"age": study.people.age, "bmi": study.people.bmi}
    depleted = np.where(study.people.b_cell_depletion, "yes", "no")
    people = pd.DataFrame({"participant_id": design.labels, **covariates, "b_cell_depletion": depleted})
    write_table(people, tmp_path / "participants.tsv", "participants")
    call(
        fit_models,
        measures=tmp_path / "measures.parquet",
        participants=tmp_path / "participants.tsv",
        models=root / "config" / "models.yaml",
        estimates=tmp_path / "estimates.tsv",
    )
    found = [
        estimate(tmp_path / "estimates.tsv", f"ctra_on_{measure}", "ctra", f"{measure}_within"),
        estimate(tmp_path / "estimates.tsv", f"ctra_on_{measure}", "ctra", f"{measure}_between"),
        estimate(tmp_path / "estimates.tsv", "change_pro", "pss10", "session"),
        estimate(tmp_path / "estimates.tsv", "change_biology", "ctra", "session"),
        estimate(
            tmp_path / "estimates.tsv",
            "insula_thickness_on_ctra",
            ANTERIOR_INSULA.format("right"),
            "ctra_within",
        ),
    ]
    facet = next(facet for facet in facets() if facet.name == "pss10")
    noise = np.sqrt(2 * (0.6**2 * 0.3 + (0.55**2 + 1 / 12) / 10))  # SD of the change of the mean answer
    assert facet.item_noise == 0.55
    sign = 1 if pattern == "paper" else -1
    planted = [sign * 0.8 / unit, 0.4 / unit, -10 * 1.1 * noise, 0.0, -0.05]
    np.testing.assert_allclose(found, planted, rtol=0, atol=1e-8)


def one_item_not_reversed(resources: Path) -> None:
    key = resources / "instruments" / "pss10.yaml"
    text = key.read_text()
    assert "reversed: [4, 5, 7, 8]" in text
    key.write_text(text.replace("reversed: [4, 5, 7, 8]", "reversed: [4, 5, 7]"))


def left_and_right_swapped(resources: Path) -> None:
    path = resources / "atlases" / "aparc_a2009s.tsv"
    table = read_table(path)
    swapped = table["hemisphere"].map({"left": "right", "right": "left"}).fillna(table["hemisphere"])
    write_table(table.assign(hemisphere=swapped), path)


def one_sign_flipped(resources: Path) -> None:
    path = resources / "genes" / "ctra53.tsv"
    table = read_table(path)
    weights = table["weight"].where(table["gene"] != "IL1B", "-1")
    assert (weights != table["weight"]).sum() == 1
    write_table(table.assign(weight=weights), path)


@pytest.mark.parametrize(
    ("mutate", "harmed"),
    [
        (one_item_not_reversed, {"pss10"}),
        (left_and_right_swapped, {ANTERIOR_INSULA.format(s) for s in ("left", "right", "left_minus_right")}),
        (one_sign_flipped, {"ctra"}),
    ],
)
def test_a_wrong_key_is_noticed(
    mutate: Callable[[Path], None], harmed: set[str], raw: Path, root: Path, tmp_path: Path
) -> None:
    for folder in ("workflow/pniflow", "workflow/schemas", "resources"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    mutate(tmp_path / "resources")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "workflow")}
    command = [sys.executable, str(root / "tests" / "stages.py"), str(raw), str(tmp_path / "work")]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    far = {
        name
        for name, gap in distances(tmp_path / "work" / "cohort", planted_measures()).items()
        if gap > 1e-3
    }
    assert harmed <= far
    assert far <= harmed | {
        ANTERIOR_INSULA.replace("anterior", "posterior").format(s)
        for s in ("left", "right", "left_minus_right")
    }
