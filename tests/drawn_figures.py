"""Figures: what is drawn is what the tables say, on its side, and files are the same on every run."""

from __future__ import annotations

import functools
import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import made_results as made
from pniflow.contracts import write_table
from pniflow.figures.style import command_of


def stamped(path: Path) -> bool:
    """Tell whether the stamp's colour stands in the top right corner."""
    corner = np.asarray(Image.open(path).convert("RGB"))[:60, -500:].astype(int)
    return bool((np.abs(corner - [0xA3, 0x3C, 0x00]).sum(axis=2) < 12).sum() > 100)


def with_components(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the score's components and two of its variants to the measures."""
    ctra = frame[frame["measure"] == "ctra"]
    names = ("inflammatory", "interferon", "antibody", "ctra_balanced", "ctra_mean_log2")
    more = [ctra.assign(measure=name, value=ctra["value"] * (k + 2)) for k, name in enumerate(names)]
    return pd.concat([frame, *more], ignore_index=True)


def sensitivity() -> pd.DataFrame:
    """Variants of three estimates of the made-up results."""
    rows = []
    for model, family, outcome, term, estimate, error in (
        ("change_biology", "biology_change", "ctra", "session", -0.0123, 0.05),
        ("ctra_on_pss10", "ctra_within", "ctra", "pss10_within", -0.034, 0.011),
        ("ctra_on_pss10", "ctra_between", "ctra", "pss10_between", 0.012, 0.03),
    ):
        for name, shift, p, number in (
            ("leave_one_out_lowest", -0.5, 0.01, 4),
            ("leave_one_out_highest", 0.8, 0.03, 11),
            ("leave_one_out_largest_p", 0.8, 0.06, 11),
            ("completers", 0.1, 0.01, None),
            ("ctra_balanced", 1.0, 0.01, None),
            ("ctra_mean_log2", -1.0, 0.01, None),
        ):
            one = made.row(
                model, family, outcome, term, estimate + shift * error, error, p_value=p, role="secondary"
            )
            choices = None if number else name
            rows.append(made.variant(name, one, choices=choices, participant_number=number))
    return made.frame(rows)


def by_gene(terms: tuple[str, ...] = ("session", "pss10")) -> pd.DataFrame:
    """Estimates of eleven genes on some predictors."""
    rng = np.random.default_rng(5)
    rows = [
        {
            "gene": gene, "component": part, "weight": 1 if part == "inflammatory" else -1, "term": term,
            "unit": "z", "estimate": value, "std_error": 0.2, "df": 20.0, "statistic": value / 0.2,
            "p_value": 0.5, "p_adjusted": 0.9, "conf_low": value - 0.4, "conf_high": value + 0.4,
            "n_participants": 21, "n_samples": 42, "note": None,
        }
        for term in terms
        for part, genes in made.GENES.items()
        for gene, value in zip(genes, rng.normal(0, 0.5, len(genes)), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def windows(sessions: tuple[str, ...] = ("ses-pre", "ses-post"), day: float = 56.0) -> pd.DataFrame:
    rows = []
    for place, session in enumerate(sessions):
        at = place * day
        rows += [
            ("pss10", session, at - 30, at, min(30.0, at), 1.0 if place else 0.0),
            ("maia2", session, np.nan, at, np.nan, np.nan),
            ("ctra", session, at, at, 0.0, np.nan),
        ]
    names = ["measure", "session_id", "from_day", "to_day", "overlap_days", "overlap_share"]
    return pd.DataFrame(rows, columns=names)


def draw_all(folder: Path, people: int = 23, **changes: object) -> dict[str, dict]:
    """Draw every figure that is made from tables of results; return the descriptions."""
    study = made.write_study(folder, **changes)
    sessions = tuple(json.loads(study.read_text(encoding="utf-8"))["sessions"])
    estimates = made.estimates()
    if len(sessions) > 2:
        split = estimates["term"] == "session"
        parts = [estimates[split].assign(term=f"session[{name}]") for name in sessions[1:]]
        estimates = pd.concat([estimates[~split], *parts], ignore_index=True)
    measures = with_components(made.measures(people, sessions))
    marks = measures[measures["measure"] == "pss10"].assign(
        measure="siqr", unit="mark", domain="imaging", value=2.5
    )
    tables = {
        "estimates": (estimates, "estimates.tsv", "estimates"),
        "measures": (pd.concat([measures, marks]), "measures.parquet", "measures"),
        "sensitivity": (sensitivity(), "sensitivity.tsv", "sensitivity"),
        "gene_estimates": (by_gene(), "gene_estimates.tsv", "gene_estimates"),
        "windows": (windows(sessions), "windows.tsv", "windows"),
        "participants": (
            pd.DataFrame({"participant_id": made.people(people)}), "participants.tsv", "participants",
        ),
    }  # fmt: skip
    path = {}
    for name, (frame, file, contract) in tables.items():
        path[name] = folder / file
        write_table(frame, path[name], contract)
    for name, names in (
        ("paired_change", ("measures", "estimates")),
        ("associations", ("measures", "estimates")),
        ("regions", ("measures", "estimates")),
        ("slopes", ("measures", "estimates")),
        ("ctra_components", ("measures", "estimates")),
        ("quality", ("measures", "participants")),
        ("windows", ("windows",)),
        ("influence", ("sensitivity", "estimates", "participants")),
        ("specification_curve", ("sensitivity", "estimates", "measures")),
        ("gene_forest", ("gene_estimates",)),
    ):
        draw(name, folder, name, study=study, **{key: path[key] for key in names})
    blood = made.expression(folder, people)
    if sessions == ("ses-pre", "ses-post"):
        draw("ctra_heatmap", folder, "ctra_heatmap", study=study, **blood)
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")}
    return {name: about for name, about in found.items() if "caption" in about}


def draw(figure: str, folder: Path, name: str = "a", *, study: Path, **tables: Path) -> dict:
    """Draw a figure from files into files of a name; return its description."""
    places = out(folder, name)
    command_of(figure)(tables=tables, study=study, **places)
    return json.loads(places["description"].read_text(encoding="utf-8"))


def out(folder: Path, name: str = "a") -> dict[str, Path]:
    endings = {"figure": "svg", "image": "png", "description": "json"}
    return {part: folder / f"{name}.{ending}" for part, ending in endings.items()}


@functools.cache
def drawn_once() -> tuple[tempfile.TemporaryDirectory, dict[str, dict]]:
    """Draw the made-up results once for all tests; the folder goes away with the process."""
    folder = tempfile.TemporaryDirectory()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return folder, draw_all(Path(folder.name))
