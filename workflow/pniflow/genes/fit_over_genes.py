"""The same question asked over the genes in the field's several ways, each with what is known of it.

The prespecified way is the composite: one score per sample, in the mixed engine. Who reads a paper that used
another way finds here what that way gives on these data.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pniflow.contracts import field_names, write_table
from pniflow.expression.genes import read_gene_set
from pniflow.expression.log2_table import read_expression
from pniflow.genes.by_gene import fit_terms, gene_estimates
from pniflow.genes.gene_data import Data, gather, read_sheet
from pniflow.genes.legacy_gls import fit_legacy, permutation_p
from pniflow.mixed import MixedModel, two_sided_p

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
    genes: Path | None = None,
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
    genes : path, optional
        One row per gene and predictor: each gene fitted by itself (contract gene_estimates).

    Notes
    -----
    Where the samples do not tell the terms apart, rows without estimates say so. Samples of one session have
    no term `session`.

    Raises
    ------
    InputError
        A term is nowhere to be found, or is no number and no pair of categories.
    """
    chosen = read_gene_set(gene_set)
    table = read_expression(expression)
    sheet = read_sheet(table.samples, samples, participants, measures)
    data = gather(table, chosen, scale, sheet, predictors, covariates or [], baseline, str(samples))
    if legacy:
        print(f"fit-over-genes: {WARNING}.", file=sys.stderr)
    write_table(_table(data, legacy, draws, permutations, seed), out, "over_genes")
    if genes is not None:
        write_table(gene_estimates(data, scale), genes, "gene_estimates")


def _table(data: Data, legacy: bool, draws: int, permutations: int, seed: int) -> pd.DataFrame:
    """Return the rows of all analyses."""
    import pandas as pd

    rows: list[Row] = []
    if data.problem:
        blank = np.full(len(data.tested), np.nan)
        for analysis in EVIDENCE if legacy else list(EVIDENCE)[:-1]:
            rows += _rows(analysis, data, blank, blank, blank, blank, data.problem)
    elif data.tested:
        rows = [*_composite(data), *_nested(data), *_bootstrap(data, draws, seed)]
        rows += _legacy(data, permutations, seed) if legacy else []
    return pd.DataFrame(rows, columns=field_names("over_genes"))


def _composite(data: Data) -> list[Row]:
    """Fit each sample's mean signed expression: a mixed model; least squares without repeated samples."""
    estimate, error, df, note = fit_terms(data, data.signed.mean(axis=1)[:, None])
    estimate, error, df = estimate[:, 0], error[:, 0], df[:, 0]
    remark = note[0] if data.repeated else "no repeated samples: least squares"
    return _rows("composite", data, estimate, error, df, two_sided_p(estimate / error, df), remark)


def _nested(data: Data) -> list[Row]:
    """Fit all genes with an intercept each, random intercepts of person and of person:session."""
    samples, genes = data.values.shape
    design = np.hstack([np.tile(np.eye(genes), (samples, 1)), np.repeat(data.design[:, 1:], genes, axis=0)])
    groups = {"participant": np.repeat(data.people, genes)} if data.repeated else {}
    groups["sample"] = np.repeat(np.arange(samples), genes)
    names = [*(f"gene {gene}" for gene in data.genes), *data.names[1:]]
    contrasts = {data.names[place]: {data.names[place]: 1.0} for place in data.tested}
    fit = MixedModel(design, groups, names=names).fit(data.signed.ravel(), contrasts)
    note = fit.note[0]
    if fit.covariances["sample"][0] == 0:
        note = "; ".join(
            filter(None, [note, "the person:session variance is zero, so this differs from the composite"])
        )
    tests = fit.tests()
    numbers = (tests.estimate[:, 0], tests.std_error[:, 0], tests.df[:, 0], tests.p_value[:, 0])
    return _rows("nested_gene_model", data, *numbers, note or None)


def _bootstrap(data: Data, draws: int, seed: int) -> list[Row]:
    """Average the genes' least-squares slopes by the contrast; resample people for the standard error."""
    names, place = np.unique(data.people.astype(str), return_inverse=True)
    outcome = data.signed.mean(axis=1)
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
    error = drawn.std(axis=0, ddof=1) if usable.sum() > 1 else np.full(len(estimate), np.nan)
    pick = np.array(data.tested)
    z = estimate[pick] / error[pick]
    p = np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z])
    note = f"{usable.sum()} resamples" + (
        "" if usable.all() else f", {draws - usable.sum()} singular ones left out"
    )
    return _rows("per_gene_bootstrap", data, estimate[pick], error[pick], np.full(len(pick), np.nan), p, note)


def _legacy(data: Data, permutations: int, seed: int) -> list[Row]:
    x = data.design[:, 1:]
    fit = fit_legacy(data.signed, x)
    pick = np.array(data.tested) - 1
    p = two_sided_p(fit.statistic[pick], np.full(len(pick), fit.df))
    note = f"correlation {fit.correlation:.3f}, log-likelihood {fit.log_likelihood:.2f}"
    note += "; takes a person's samples as independent" if data.repeated else ""
    rows = _rows(
        "legacy_gls", data, fit.estimate[pick], fit.std_error[pick], np.full(len(pick), fit.df), p, note
    )
    for row, column in zip(rows, pick, strict=True):
        row["p_permutation"], exchanged = permutation_p(
            data.signed, x, int(column), permutations, seed, data.people
        )
        row["note"] = f"{note}; {permutations} permutations of {exchanged}"
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
            "n_genes": len(data.genes),
            "evidence": EVIDENCE[analysis],
            "note": note,
        }
        for n, place in enumerate(data.tested)
    ]
