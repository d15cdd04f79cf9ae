"""What analyses over genes are made of: signed expression and the design of the complete samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pniflow.contracts import read_table
from pniflow.errors import InputError, listing
from pniflow.expression import composite
from pniflow.expression.genes import GeneSet
from pniflow.expression.log2_table import Expression, rows_of

if TYPE_CHECKING:
    import pandas as pd


class Data(NamedTuple):
    """Complete samples, ordered by participant and session.

    Attributes
    ----------
    values : array, samples x genes
        Expression (z or log2) of the genes that are complete and vary.
    genes : list of str
    components : list of str
    weights : array, genes
        Sign in the score.
    design : array, samples x coefficients
        With intercept.
    names : list of str
        Of the design's columns.
    people : array of str, samples
    tested : list of int
        Columns to report.
    problem : str
        Why nothing can be fitted; blank where it can.
    """

    values: np.ndarray
    genes: list[str]
    components: list[str]
    weights: np.ndarray
    design: np.ndarray
    names: list[str]
    people: np.ndarray
    tested: list[int]
    problem: str

    @property
    def signed(self) -> np.ndarray:
        """Expression times the gene's sign in the score: higher is more adverse."""
        return np.asarray(self.values * self.weights)

    @property
    def repeated(self) -> bool:
        """Tell whether anyone has more than one sample."""
        return len(set(self.people)) < len(self.people)


def gather(
    table: Expression,
    chosen: GeneSet,
    scale: str,
    sheet: pd.DataFrame,
    predictors: list[str],
    covariates: list[str],
    baseline: str | None,
    source: str,
) -> Data:
    """Build the data of the samples that have all terms; z values are of all samples of the table."""
    values = rows_of(chosen, table)
    kept = np.flatnonzero(~composite.constant(values) & ~np.isnan(values).any(axis=1))
    values = (composite.z_scores(values) if scale == "z" else values)[kept].T
    columns: dict[str, np.ndarray] = {}
    tested: list[str] = []
    for term in dict.fromkeys([*predictors, *covariates]):
        made = (
            _session(sheet, baseline, source) if term == "session" else {term: _numbers(sheet, term, source)}
        )
        columns |= made
        tested += list(made) if term in predictors else []
    design = np.column_stack([np.ones(len(sheet)), *columns.values()])
    order = np.lexsort([sheet["session_id"].astype(str), sheet["participant_id"].astype(str)])
    order = order[~np.isnan(design[order]).any(axis=1)]
    design, names = design[order], ["(intercept)", *columns]
    problem = ""
    if np.linalg.matrix_rank(design) < design.shape[1] or len(design) <= design.shape[1]:
        problem = f"not fitted: {len(design)} samples do not tell {listing(list(columns))} apart"
    if any(name.partition("[")[0] == "session" for name in columns) and baseline not in set(
        sheet["session_id"]
    ):
        problem = f"not fitted: no sample is of {baseline}, with which the sessions are compared"
    if len(kept) < 2:
        problem = f"not fitted: {len(kept)} genes are complete and vary"
    return Data(
        values[order],
        [chosen.genes[gene] for gene in kept],
        [chosen.components[gene] for gene in kept],
        np.array(chosen.weights, dtype=float)[kept],
        design,
        names,
        sheet["participant_id"].to_numpy(dtype=object)[order],
        [names.index(name) for name in tested],
        problem,
    )


def read_sheet(
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


def _session(sheet: pd.DataFrame, baseline: str | None, source: str) -> dict[str, np.ndarray]:
    """Return a column per further session; none where all samples are of one session."""
    levels = sorted(set(sheet["session_id"]))
    if len(levels) == 1 and baseline is not None:
        return {}
    if baseline is None:
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
        if len(levels) > 2:
            raise InputError(
                f"{source}: the term '{term}' has the categories {listing(levels)}; a number or two were"
                " expected."
            )
        numbers = sheet[term].map(dict(zip(levels, (0.0, 1.0), strict=False)))
    return numbers.to_numpy(dtype=float)
