"""Small made-up studies for the tests of structured models, written as files and fitted by `fit_models`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from called import call
from pniflow.models.check_design import check_design
from pniflow.models.fit_models import fit_models

SESSIONS = ("ses-pre", "ses-post")
DOMAINS = {
    "ctra": "expression",
    "antibody": "expression",
    "log_hair_cortisol": "assay",
    "tiv": "imaging",
    "siqr": "imaging",
}


def study(
    people: int = 23,
    seed: int = 1,
    measures: tuple[str, ...] = ("pss10", "gad7", "ctra"),
    sessions: tuple[str, ...] = SESSIONS,
    drop: dict[str, list[tuple[int, str]]] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return measures with a shared person part, and participants with age, bmi and B-cell depletion."""
    rng = np.random.default_rng(seed)
    names = [f"sub-{number + 1:02d}" for number in range(people)]
    person = rng.normal(size=people)
    rows = []
    for measure in measures:
        own = rng.normal(size=people)
        for when, session in enumerate(sessions):
            values = 10 + person + own + 0.5 * when + rng.normal(size=people)
            gone = {number for number, place in (drop or {}).get(measure, []) if place == session}
            rows += [
                (names[number], session, measure, values[number], "points", domain_of(measure))
                for number in range(people)
                if number not in gone
            ]
    columns = ["participant_id", "session_id", "measure", "value", "unit", "domain"]
    participants = pd.DataFrame(
        {
            "participant_id": names,
            "age": np.round(rng.normal(45, 11, people), 1),
            "bmi": np.round(rng.normal(26, 4, people), 1),
            "b_cell_depletion": np.where(rng.permutation(people) < people * 0.57, "yes", "no"),
        }
    )
    return pd.DataFrame(rows, columns=columns), participants


def domain_of(measure: str) -> str:
    """Return the domain a measure's rows carry."""
    return "imaging" if "." in measure else DOMAINS.get(measure, "questionnaire")


def one_model(
    outcomes: Any, fixed: Any, *, name: str = "a_model", families: Any = None, **further: Any
) -> dict[str, Any]:
    """Return the document of a models.yaml with one model."""
    return {
        "version": 1,
        "defaults": {"session": {"reference": "ses-pre"}},
        "families": families or {"a_family": {"role": "primary", "adjust": "bh"}},
        "models": [{"name": name, "outcomes": outcomes, "fixed": fixed, **further}],
    }


def written(folder: Path, measures: pd.DataFrame, participants: pd.DataFrame, models: Any) -> dict[str, Path]:
    """Write the inputs of fit_models; models is a document, YAML text or the path of a file."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"measures": folder / "measures.parquet", "participants": folder / "participants.tsv"}
    measures.to_parquet(paths["measures"], index=False)
    participants.to_csv(paths["participants"], sep="\t", index=False)
    if isinstance(models, Path):
        paths["models"] = models
    else:
        paths["models"] = folder / "models.yaml"
        plain = models if isinstance(models, str) else json.loads(json.dumps(models))  # no YAML aliases
        text = plain if isinstance(plain, str) else yaml.safe_dump(plain, sort_keys=False)
        paths["models"].write_text(text, encoding="utf-8")
    return paths


def fitted(
    folder: Path, measures: pd.DataFrame, participants: pd.DataFrame, models: Any, **options: Any
) -> dict[str, pd.DataFrame]:
    """Fit and read the three tables back."""
    outputs = {name: folder / f"{name}.tsv" for name in ("estimates", "sensitivity", "diagnostics")}
    call(fit_models, **written(folder, measures, participants, models), **outputs, **options)
    return {name: pd.read_csv(path, sep="\t") for name, path in outputs.items()}


def row(table: pd.DataFrame, /, **where: str) -> pd.Series:
    """Return the one row of a table with some values."""
    found = table
    for column, value in where.items():
        found = found[found[column] == value]
    assert len(found) == 1, f"{len(found)} rows with {where}"
    return found.iloc[0]


def wide(measures: pd.DataFrame, measure: str, sessions: tuple[str, ...] = SESSIONS) -> pd.DataFrame:
    """Return one measure as participants x sessions."""
    here = measures[measures["measure"] == measure]
    return here.pivot(index="participant_id", columns="session_id", values="value")[list(sessions)]


def checks(folder, measures, participants, models, **declared):
    """Run check_design on written inputs; return its table."""
    models = {**models, "design_checks": {"draws": 400, **declared}}
    paths = written(folder, measures, participants, models)
    check_design(
        measures=paths["measures"],
        participants=paths["participants"],
        models=paths["models"],
        design=folder / "design.tsv",
    )
    return pd.read_csv(folder / "design.tsv", sep="\t")
