"""Tables with made-up numbers for tests of figures and report, shaped as the contracts say."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pniflow.contracts import write_table
from pniflow.files import write_text
from pniflow.text.estimates import Estimate, Variant, estimates_of, variants_of

SCALES = ["pss10", "gad7", "phq9", "mfis", "ucla_loneliness_v3", "mhc_sf"]
INSULA = "aparc_a2009s.{}_insula.{}.thickness"
VOLUME = "neuromorphometrics.hippocampus.{}.gm_volume"
STUDY: dict[str, Any] = {
    "title": "A made-up study",
    "simulated": True,
    "design": "single-arm, open-label, before and after",
    "intervention": "a course of eight weeks",
    "sessions": {"ses-pre": {"label": "before", "day": 0}, "ses-post": {"label": "after", "day": 56}},
}
GENES = {
    "inflammatory": ["IL1B", "IL6", "TNF", "CXCL8"],
    "interferon": ["IFI27", "IFIT1", "MX1", "OAS1", "STAT1"],
    "antibody": ["IGLL1", "JCHAIN"],
}
FIELDS = {
    "role": "exploratory",
    "expected_null": False,
    "df_numerator": None,
    "df": 20.0,
    "singular": False,
    "icc": 0.5,
    "method": "REML, Kenward-Roger",
    "note": None,
}


def row(
    model: str, family: str | None, outcome: str, term: str, estimate: float, error: float, **more: Any
) -> dict[str, Any]:
    """One row of estimates with t = estimate/error on 20 df (t quantile 2.086) unless given otherwise."""
    known = {
        "model": model,
        "family": family,
        "outcome": outcome,
        "term": term,
        "estimate": estimate,
        "std_error": error,
        "statistic": estimate / error if error else None,
        "p_value": 0.01,
        "p_adjusted": 0.02 if family else None,
        "conf_low": estimate - 2.086 * error,
        "conf_high": estimate + 2.086 * error,
        "effect_size": estimate / error / 5 if error else None,
        "effect_size_kind": "hedges_g_av (mean of the two sessions' SDs, complete pairs)",
        "n_participants": 21,
        "n_observations": 42,
        "n_pairs": 21,
    }
    return {**FIELDS, **known, **more}


def variant(name: str, of: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One row of sensitivity: a row of estimates under another choice."""
    own = dict.fromkeys(("choices", "bound", "bound_sd", "bound_session", "participant_number"))
    return {"variant": name, **of, **own, **more}


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of estimates or sensitivity as a table with the types of the contract."""
    types = {"singular": "boolean", "expected_null": "boolean"}
    types |= dict.fromkeys(("df_numerator", "n_pairs", "participant_number"), "Int64")
    table = pd.DataFrame(rows)
    return table.astype({name: kind for name, kind in types.items() if name in table})


def estimates() -> pd.DataFrame:
    """Estimates of a study with questionnaires, blood and MRI: clear, unclear, and one not estimable."""
    rows = [
        row(
            "change_pro",
            "pro_change",
            name,
            "session",
            -4.2 + place,
            0.8,
            role="primary",
            p_value=10.0**-place / 3,
            p_adjusted=10.0**-place / 2,
        )
        for place, name in enumerate(SCALES)
    ]
    rows += [row("change_pro", None, name, "(intercept)", 20.0, 1.0) for name in SCALES]
    rows.append(
        row(
            "change_biology",
            "biology_change",
            "ctra",
            "session",
            -0.0123,
            0.05,
            role="secondary",
            p_value=0.81,
            p_adjusted=0.81,
        )
    )
    rows.append(
        row(
            "change_biology",
            "biology_change",
            "log_hair_cortisol",
            "session",
            0.081,
            0.04,
            role="secondary",
            p_value=0.04996,
            p_adjusted=0.0999,
        )
    )
    for predictor, p in (("pss10", 0.0004), ("ucla_loneliness_v3", 0.049), ("log_hair_cortisol", 0.4)):
        model = f"ctra_on_{predictor}"
        rows.append(
            row(
                model,
                "ctra_within",
                "ctra",
                f"{predictor}_within",
                -0.034,
                0.011,
                role="secondary",
                p_value=p,
                p_adjusted=p,
            )
        )
        rows.append(
            row(
                model,
                "ctra_between",
                "ctra",
                f"{predictor}_between",
                0.012,
                0.03,
                role="secondary",
                p_value=0.7,
                p_adjusted=0.9,
            )
        )
        rows.append(row(model, None, "ctra", "age", 0.001, 0.002))
        rows.append(row(f"{model}_pooled", "ctra_pooled", "ctra", predictor, -0.02, 0.01))
    for side, sign in (("left", 1), ("right", -1), ("left_minus_right", 2)):
        for part in ("within", "between"):
            rows.append(
                row(
                    "insula_on_ctra",
                    "insula_ctra",
                    INSULA.format("anterior", side),
                    f"ctra_{part}",
                    0.08 * sign,
                    0.03,
                )
            )
        if side != "left_minus_right":
            rows.append(
                row(
                    "change_mri_thickness",
                    "mri_change",
                    INSULA.format("anterior", side),
                    "session",
                    -0.002,
                    0.004,
                    p_value=0.6,
                    p_adjusted=0.7,
                )
            )
            rows.append(
                row(
                    "control",
                    "negative_control",
                    INSULA.format("posterior", side),
                    "ctra_within",
                    0.01,
                    0.03,
                    p_value=0.7,
                    p_adjusted=None,
                )
            )
            rows.append(
                row(
                    "change_mri_volume",
                    "mri_change",
                    VOLUME.format(side),
                    "session",
                    0.01,
                    0.02,
                    p_value=0.6,
                    p_adjusted=0.7,
                )
            )
    blank = dict.fromkeys(
        [
            "statistic",
            "df",
            "p_value",
            "p_adjusted",
            "conf_low",
            "conf_high",
            "effect_size",
            "effect_size_kind",
            "icc",
        ]
    )
    rows.append(
        row(
            "change_mri_volume",
            "mri_change",
            "gm",
            "session",
            np.nan,
            np.nan,
            **{**blank, "note": "not estimable: too few pairs", "n_participants": 1, "n_observations": 2},
        )
    )
    return frame(rows)


def people(count: int) -> list[str]:
    return [f"sub-{number:03d}" for number in range(1, count + 1)]


def measures(count: int = 23, sessions: tuple[str, ...] = ("ses-pre", "ses-post")) -> pd.DataFrame:
    """Measures of some persons; two of them come only once."""
    rng = np.random.default_rng(7)
    names = dict.fromkeys(SCALES, ("points", "questionnaire", 20.0, 5.0))
    names |= {
        "ctra": ("mean z", "expression", 0.0, 0.4),
        "log_hair_cortisol": ("ln pg/mg", "assay", 1.5, 0.6),
    }
    for side in ("left", "right"):
        names |= {
            INSULA.format(part, side): ("mm", "imaging", 2.9, 0.1) for part in ("anterior", "posterior")
        }
        names[VOLUME.format(side)] = ("ml", "imaging", 3.5, 0.3)
    rows = []
    for name, (unit, domain, middle, spread) in names.items():
        person = rng.normal(middle, spread, count)
        for place, session in enumerate(sessions):
            there = count - 2 if place else count
            values = person[:there] - place * 0.4 * spread + rng.normal(0, spread / 2, there)
            rows.append(
                pd.DataFrame(
                    {
                        "participant_id": people(there),
                        "session_id": session,
                        "measure": name,
                        "value": values,
                        "unit": unit,
                        "domain": domain,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def expression(folder: Path, count: int = 23) -> dict[str, Path]:
    """Normalized expression, samples, scores and gene table of two sessions; the second lacks two persons."""
    rng = np.random.default_rng(8)
    samples = [
        (person, session)
        for session, there in (("ses-pre", count), ("ses-post", count - 2))
        for person in people(there)
    ]
    names = [f"S{number:03d}" for number in range(len(samples))]
    genes = [
        (gene, part, 1.0 if part == "inflammatory" else -1.0) for part, some in GENES.items() for gene in some
    ]
    values = rng.normal(8, 1, (len(genes), len(names)))
    level = pd.DataFrame(values, columns=names)
    level.insert(0, "gene", [gene for gene, _, _ in genes])
    z = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, ddof=1, keepdims=True)
    score = (np.array([weight for _, _, weight in genes])[:, None] * z).mean(axis=0)
    frame = pd.DataFrame(
        {
            "sample_id": names,
            "ctra": score,
            "ctra_mean_z": score,
            "ctra_mean_log2": score,
            "ctra_balanced": score,
        }
    )
    for part in GENES:
        frame[part] = z[[place for place, gene in enumerate(genes) if gene[1] == part]].mean(axis=0)
    frame = frame.assign(genes_used=len(genes), genes_missing=1, floored_share=0.0)
    table = pd.DataFrame(genes, columns=["gene", "component", "weight"]).assign(
        status="used", identifier=lambda t: t["gene"]
    )
    table.loc[len(table)] = ["IGLL3P", "antibody", -1.0, "absent", None]
    for column in ("mean_log2", "sd_log2", "floored_share", "influence", "correlation_without"):
        table[column] = 0.5
    for column in ("low_expression", "low_variance", "near_floor"):
        table[column] = False
    who = pd.DataFrame(samples, columns=["participant_id", "session_id"]).assign(sample_id=names, batch="1")
    paths = {name: folder / f"{name}.tsv" for name in ("samples", "ctra")}
    paths |= {"ctra_genes": folder / "genes.tsv", "expression": folder / "expression.parquet"}
    write_table(level, paths["expression"])
    write_table(who[["sample_id", "participant_id", "session_id", "batch"]], paths["samples"], "samples")
    write_table(frame, paths["ctra"], "ctra_scores")
    write_table(table, paths["ctra_genes"], "ctra_genes")
    return paths


def write_study(folder: Path, **changes: Any) -> Path:
    """Write study.yaml (JSON is YAML)."""
    path = folder / "study.yaml"
    write_text(path, json.dumps({**STUDY, **changes}, ensure_ascii=False))
    return path


def one(**values: object) -> Estimate:
    """One row of estimates."""
    known = {
        "model": "m",
        "family": "f",
        "outcome": "pss10",
        "term": "session",
        "estimate": -2.0,
        "error": 0.5,
    }
    given = {**known, **values}
    head = [given.pop(name) for name in known]
    return estimates_of(frame([row(*head, **given)]))[0]


def one_variant(name: str, of: Estimate, **more: object) -> Variant:
    """One row of sensitivity: an estimate under another choice."""
    return variants_of(frame([variant(name, asdict(of), **more)]))[0]


def three_sessions() -> list[dict]:
    """Rows of a change as fit-models writes them: a joint F in a family, its contrasts in none."""
    f = {
        **dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high", "effect_size")),
        "statistic": 40.532,
    }
    joint = {**row("change", "f", "pss10", "session", 1, 1, p_adjusted=0.0004), **f, "df": 73.64}
    rows = [{**joint, "df_numerator": 2}]
    for session, change, g in (("fu", -5.5, -0.86), ("post", -6.4, -0.96)):  # in the order of their names
        term = f"session[ses-{session}]"
        rows.append(row("change", None, "pss10", term, change, 0.77, effect_size=g, p_adjusted=None))
    return rows
