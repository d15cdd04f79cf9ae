"""The same question asked over the genes in the field's several ways, each with what is known of it.

The prespecified way is the composite: one score per sample, in the mixed engine. Who reads a paper that used
another way finds here what that way gives on these data.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.expression import scoring
from pniflow.expression.genes import read_gene_set
from pniflow.expression.table import read_expression, rows_of
from pniflow.files import read_table, write_table
from pniflow.models.legacy_gls import fit_legacy, permutation_p

if TYPE_CHECKING:
    import pandas as pd

EVIDENCE = {
    "composite": "default: one score per sample; rejects 6 % of true nulls at .05 (least squares, FRED13)",
    "nested_gene_model": "the composite's result where genes are complete, person:session variance above 0",
    "per_gene_bootstrap": "the estimate of least squares on the composite; standard error by resampling",
    "legacy_gls": "legacy, not for inference: rejects 53 % (FRED13), 40-43 % (FRED15) of true nulls at .05;"
    " read the permutation p",
}
WARNING = (
    "the regression over genes (legacy) takes correlated genes for independent evidence; on real data about"
    " half of its tests of no effect come out below .05"
)
Row = dict[str, object]


class Data(NamedTuple):
    """Complete cases: signed expression (samples x genes), design with intercept, names, people, samples."""

    values: np.ndarray
    design: np.ndarray
    names: list[str]
    people: np.ndarray
    tested: list[int]


def fit_over_genes(
    *,
    expression: Path,
    samples: Path,
    predictors: list[str],
    covariates: list[str] | None = None,
    participants: Path | None = None,
    measures: Path | None = None,
    baseline: str | None = None,
    gene_set: str = "ctra53",
    scale: Literal["z", "log2"] = "z",
    legacy: bool = False,
    draws: int = 2000,
    permutations: int = 999,
    seed: int = 2024,
    out: Path,
    resources: Path | None = None,
) -> None:
    """Relate predictors to CTRA expression by the composite, the nested gene model and a bootstrap.

    Parameters
    ----------
    expression : path
        Normalized log2 expression: first column the gene, then one column per sample.
    samples : path
        Table of samples (contract samples).
    predictors : list of str
        Terms to report: `session`, columns of the participants, or measures.
    covariates : list of str, optional
        Terms to adjust for.
    participants : path, optional
        Participants' covariates (contract participants).
    measures : path, optional
        Tidy measures (contract measures).
    baseline : str, optional
        Session that the term `session` is compared with.
    gene_set : str
        Name of a gene set in resources/genes.
    scale : str
        z: each gene standardized over all samples of the table; log2: as it is.
    legacy : bool
        Add the field's habitual generalized least squares over genes, with a warning and a permutation p.
    draws : int
        Bootstrap resamples of people.
    permutations : int
        Permutations for the legacy analysis.
    seed : int
        Seed of the random numbers.
    out : path
        One row per analysis and predictor (contract over_genes).
    resources : path, optional
        The user's own resources.

    Raises
    ------
    InputError
        A term is nowhere to be found, is no number and no pair of categories, or too few complete cases
        remain.
    """
    chosen = read_gene_set(gene_set, resources)
    table = read_expression(expression)
    values = rows_of(chosen, table)
    kept = ~scoring.constant(values) & ~np.isnan(values).any(axis=1)
    if kept.sum() < 2:
        raise InputError(
            f"{expression}: {kept.sum()} genes of {gene_set} are complete and vary; at least two are needed."
        )
    signed = (scoring.z_scores(values) if scale == "z" else values)[kept] * np.array(chosen.weights)[
        kept, None
    ]
    sheet = _sheet(table.samples, samples, participants, measures)
    data = _data(signed.T, sheet, predictors, covariates or [], baseline, str(samples))
    rows = [*_composite(data), *_nested(data), *_bootstrap(data, draws, seed)]
    if legacy:
        print(f"fit-over-genes: {WARNING}.", file=sys.stderr)
        rows += _legacy(data, permutations, seed)
    write_table(_frame(rows), out, "over_genes")


def _sheet(
    labels: list[str], samples: Path, participants: Path | None, measures: Path | None
) -> pd.DataFrame:
    """Return what is known of each sample, in the order of the expression table."""
    sheet = read_table(samples, "samples").set_index("sample_id")
    unknown = [label for label in labels if label not in sheet.index]
    if unknown:
        raise InputError(f"{samples}: sample {listing(unknown)} of the expression table has no row; add it.")
    sheet = sheet.loc[labels].reset_index()
    if participants is not None:
        sheet = sheet.merge(
            read_table(participants, "participants"), on="participant_id", how="left", suffixes=("", "_p")
        )
    if measures is not None:
        wide = read_table(measures, "measures").pivot(
            index=["participant_id", "session_id"], columns="measure", values="value"
        )
        sheet = sheet.merge(
            wide.reset_index(), on=["participant_id", "session_id"], how="left", suffixes=("", "_m")
        )
    return sheet


def _data(
    values: np.ndarray,
    sheet: pd.DataFrame,
    predictors: list[str],
    covariates: list[str],
    baseline: str | None,
    source: str,
) -> Data:
    """Build the design of the complete cases."""
    columns: dict[str, np.ndarray] = {}
    tested: list[str] = []
    for term in dict.fromkeys([*predictors, *covariates]):
        made = (
            _session(sheet, baseline, source) if term == "session" else {term: _numbers(sheet, term, source)}
        )
        columns |= made
        tested += list(made) if term in predictors else []
    design = np.column_stack([np.ones(len(sheet)), *columns.values()])
    complete = ~np.isnan(design).any(axis=1)
    design = design[complete]
    if np.linalg.matrix_rank(design) < design.shape[1] or len(design) <= design.shape[1]:
        raise InputError(
            f"{source}: {complete.sum()} samples have all of {listing(list(columns))}, which do not tell"
            " these terms apart; leave a term out."
        )
    names = ["(intercept)", *columns]
    people = sheet["participant_id"].to_numpy(dtype=object)[complete]
    return Data(values[complete], design, names, people, [names.index(name) for name in tested])


def _session(sheet: pd.DataFrame, baseline: str | None, source: str) -> dict[str, np.ndarray]:
    levels = sorted(set(sheet["session_id"]))
    if baseline not in levels:
        raise InputError(f"{source}: the term session needs --baseline, one of {listing(levels)}.")
    others = [level for level in levels if level != baseline]
    name = "session" if len(others) == 1 else "session[{}]"
    return {name.format(level): (sheet["session_id"] == level).to_numpy(dtype=float) for level in others}


def _numbers(sheet: pd.DataFrame, term: str, source: str) -> np.ndarray:
    """Return a term's numbers; of two categories the second in order of text counts one."""
    import pandas as pd

    if term not in sheet:
        raise InputError(
            f"{source}: the term '{term}' is neither a participant's covariate nor a measure; correct its"
            " name."
        )
    numbers = pd.to_numeric(sheet[term], errors="coerce")
    if (numbers.isna() & sheet[term].notna()).any():
        levels = sorted(sheet[term].dropna().unique())
        if len(levels) != 2:
            raise InputError(
                f"{source}: the term '{term}' has the categories {listing(levels)}; a number or two were"
                " expected."
            )
        numbers = sheet[term].map({levels[0]: 0.0, levels[1]: 1.0})
    return numbers.to_numpy(dtype=float)


def _composite(data: Data) -> list[Row]:
    """Fit each sample's mean signed expression: a mixed model; least squares without repeated samples."""
    return _mixed(
        data.design, data.values.mean(axis=1), {"participant": data.people}, data.tested, "composite", data
    )


def _nested(data: Data) -> list[Row]:
    """Fit all genes with an intercept each, random intercepts of person and of person:session."""
    samples, genes = data.values.shape
    design = np.hstack([np.tile(np.eye(genes), (samples, 1)), np.repeat(data.design[:, 1:], genes, axis=0)])
    groups = {"participant": np.repeat(data.people, genes), "sample": np.repeat(np.arange(samples), genes)}
    tested = [genes - 1 + place for place in data.tested]
    return _mixed(design, data.values.ravel(), groups, tested, "nested_gene_model", data)


def _mixed(
    design: np.ndarray,
    outcome: np.ndarray,
    groups: dict[str, np.ndarray],
    tested: list[int],
    analysis: str,
    data: Data,
) -> list[Row]:
    from pniflow.models.inference import two_sided_p
    from pniflow.models.lmm import RandomTerm, lmm

    repeated = len(set(data.people)) < len(data.people)
    if not repeated:
        groups = {name: labels for name, labels in groups.items() if name == "sample"}
    rows = np.eye(design.shape[1])[tested]
    if not groups:
        estimate, error, df = least_squares(design, outcome)
        pick = np.array(tested)
        p = two_sided_p(estimate[pick] / error[pick], np.full(len(pick), df))
        return _rows(
            analysis,
            data,
            estimate[pick],
            error[pick],
            np.full(len(pick), df),
            p,
            "no repeated samples: least squares",
        )
    fit = lmm(design, outcome, [RandomTerm(name, labels) for name, labels in groups.items()], contrasts=rows)
    note = fit.note
    if "sample" in groups and fit.covariances[-1][0, 0] == 0:
        note = "; ".join(
            filter(None, [note, "the person:session variance is zero, so this differs from the composite"])
        )
    return _rows(analysis, data, fit.estimate, fit.se_kr, fit.df_kr, fit.p_kr, note or None)


def least_squares(design: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return estimates, standard errors and residual df."""
    inverse = np.linalg.inv(design.T @ design)
    estimate = inverse @ (design.T @ outcome)
    df = len(outcome) - design.shape[1]
    return estimate, np.sqrt(np.diag(inverse) * np.sum((outcome - design @ estimate) ** 2) / df), df


def _bootstrap(data: Data, draws: int, seed: int) -> list[Row]:
    """Average the genes' least-squares slopes by the contrast; resample people for the standard error."""
    from scipy import stats

    names, place = np.unique(data.people, return_inverse=True)
    outcome = data.values.mean(axis=1)
    inner = np.zeros((len(names), data.design.shape[1], data.design.shape[1]))
    outer = np.zeros((len(names), data.design.shape[1]))
    np.add.at(inner, place, data.design[:, :, None] * data.design[:, None, :])
    np.add.at(outer, place, data.design * outcome[:, None])
    estimate = np.linalg.solve(inner.sum(axis=0), outer.sum(axis=0))
    generator = np.random.default_rng(seed)
    times = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    left, right = np.tensordot(times, inner, axes=1), times @ outer
    usable = np.linalg.cond(left) < 1e12
    drawn = np.linalg.solve(left[usable], right[usable][:, :, None])[:, :, 0]
    error = drawn.std(axis=0, ddof=1)
    pick = np.array(data.tested)
    z = estimate[pick] / error[pick]
    note = f"{usable.sum()} resamples" + (
        "" if usable.all() else f", {draws - usable.sum()} singular ones left out"
    )
    return _rows(
        "per_gene_bootstrap",
        data,
        estimate[pick],
        error[pick],
        np.full(len(pick), np.nan),
        2 * stats.norm.sf(np.abs(z)),
        note,
    )


def _legacy(data: Data, permutations: int, seed: int) -> list[Row]:
    from pniflow.models.inference import two_sided_p

    x = data.design[:, 1:]
    fit = fit_legacy(data.values, x)
    pick = np.array(data.tested) - 1
    p = two_sided_p(fit.statistic[pick], np.full(len(pick), fit.df))
    repeated = len(set(data.people)) < len(data.people)
    note = f"correlation {fit.correlation:.3f}, log-likelihood {fit.log_likelihood:.2f}"
    note += "; takes a person's samples as independent" if repeated else ""
    rows = _rows(
        "legacy_gls", data, fit.estimate[pick], fit.std_error[pick], np.full(len(pick), fit.df), p, note
    )
    for row, column in zip(rows, pick, strict=True):
        row["p_permutation"] = (
            None if repeated else permutation_p(data.values, x, int(column), permutations, seed)
        )
    return rows


def _rows(
    analysis: str,
    data: Data,
    estimate: np.ndarray,
    error: np.ndarray,
    df: np.ndarray,
    p: np.ndarray,
    note: str | None,
) -> list[Row]:
    """Return one row per tested term."""
    return [
        {
            "analysis": analysis,
            "term": data.names[place],
            "estimate": estimate[n],
            "std_error": error[n],
            "df": df[n],
            "statistic": estimate[n] / error[n],
            "p_value": p[n],
            "p_permutation": None,
            "n_participants": len(set(data.people)),
            "n_samples": len(data.values),
            "n_genes": data.values.shape[1],
            "evidence": EVIDENCE[analysis],
            "note": note,
        }
        for n, place in enumerate(data.tested)
    ]


def _frame(rows: list[Row]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)
