"""What a fit gives, whatever its covariance: estimates, variances, and tests of hypotheses L b = 0.

A hypothesis of one row is tested by t, of r rows by F on r numerator df:

    t = L b / se(L b),    F = scale (L b)' [var(L b)]^-1 (L b) / r

`satterthwaite` takes the variance at the REML estimates (df as R package lmerTest), `kenward_roger` corrects
it for their uncertainty (df and scale as pbkrtest). Least squares has one exact t and F, whichever is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed.inference import NOT_ESTIMABLE, Array, Columns, upper_p
from pniflow.mixed.student import two_sided_p

Hypothesis: TypeAlias = Mapping[str, float] | Sequence[str] | Array
METHODS = ("satterthwaite", "kenward_roger")


class Solution(Protocol):
    """A covariance's fit to P outcomes.

    Attributes
    ----------
    sigma2, reml_loglik : (P,) arrays
    covariances : list of (P, k, k) arrays
        Of each grouping factor's random coefficients.
    singular : (P,) array of bool
    note : (P,) array of str
    """

    sigma2: Array
    reml_loglik: Array
    covariances: list[Array]
    singular: NDArray[np.bool_]
    note: NDArray[np.object_]

    def ml_loglik(self) -> Array:
        """Return the largest ML log-likelihoods."""

    def infer(self, rows: Array, sets: Sequence[Array]) -> tuple[Array, Array]:
        """Test contrasts of the design's independent columns.

        Parameters
        ----------
        rows : (q, p) array
        sets : J arrays (r, p)

        Returns
        -------
        single : (5, q, P) array
            Estimate; standard errors, then df, each in the order of METHODS.
        joint : (J, 4, P) array
            F and its df, for each of METHODS.
        """


@dataclass(frozen=True)
class Tests:
    """Tests of h hypotheses in P outcomes, as columns; NaN where there is none, and `note` says why.

    Attributes
    ----------
    method : str
        `satterthwaite` or `kenward_roger`.
    terms, outcomes : h and P names
    df_numerator : (h,) array of int
        1 for a t test.
    estimate, std_error : (h, P) arrays
        NaN for an F test.
    df, statistic, p_value : (h, P) arrays
    """

    method: str
    terms: tuple[str, ...]
    outcomes: Sequence[Any]
    df_numerator: NDArray[np.int_]
    estimate: Array
    std_error: Array
    df: Array
    statistic: Array
    p_value: Array
    estimable: NDArray[np.bool_]
    outcome_note: NDArray[np.object_]

    def note(self, term: int, outcome: int) -> str:
        """Return what there is to know about a test, by its place; empty for an ordinary one."""
        known = "" if self.estimable[term] else NOT_ESTIMABLE
        return "; ".join(filter(None, (self.outcome_note[outcome], known)))

    def rows(self) -> list[dict[str, Any]]:
        """Return the tests as tidy rows, by outcome and term.

        Returns
        -------
        list of dict
            outcome, term, estimate, std_error, df_numerator, df, statistic, p_value, note.
        """
        numbers = ("estimate", "std_error", "df", "statistic", "p_value")
        return [
            {"outcome": outcome, "term": term, "df_numerator": int(self.df_numerator[i])}
            | {name: float(getattr(self, name)[i, j]) for name in numbers}
            | {"note": self.note(i, j)}
            for j, outcome in enumerate(self.outcomes)
            for i, term in enumerate(self.terms)
        ]

    def __str__(self) -> str:
        """Return the rows as lines of text."""
        head = ("outcome", "term", "estimate", "std_error", "df", "statistic", "p_value")
        lines = [head]
        for row in self.rows():
            numbers = [format(row[name], ".4g").replace("nan", "") for name in head[2:]]
            if row["df_numerator"] > 1:
                numbers[2] = f"{row['df_numerator']}, {numbers[2]}"
            lines.append((str(row["outcome"]), row["term"], *numbers))
        wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(f"{cell:{'<' if at < 2 else '>'}{wide[at]}}" for at, cell in enumerate(line)).rstrip()
            for line in lines
        )


@dataclass(frozen=True)
class Fit:
    """A model fitted by REML to P outcomes; arrays have the outcome as their last axis.

    Attributes
    ----------
    names : p names of coefficients
    outcomes : P names, or their positions
    effects : mapping of factor to the names of its random coefficients
    hypotheses : mapping of str to (r, p) array
        What `tests` tests: the coefficients, unless `contrast` named others.
    """

    names: tuple[str, ...]
    outcomes: Sequence[Any]
    effects: Mapping[str, tuple[str, ...]]
    hypotheses: Mapping[str, Array]
    columns: Columns
    solution: Solution

    @property
    def sigma2(self) -> Array:
        """Residual variances: (P,) array."""
        return self.solution.sigma2

    @property
    def covariances(self) -> dict[str, Array]:
        """Covariance of each factor's random coefficients: (P, k, k) arrays, in the order of `effects`."""
        return dict(zip(self.effects, self.solution.covariances, strict=True))

    @property
    def icc(self) -> Array:
        """Share of one random intercept's variance, (P,); NaN where the model is another."""
        parts = self.solution.covariances
        if len(parts) != 1 or parts[0].shape[1] > 1:
            return np.full(len(self.sigma2), np.nan)
        between: Array = parts[0][:, 0, 0]
        return between / (between + self.sigma2)

    @property
    def reml_loglik(self) -> Array:
        """REML log-likelihoods as lme4 counts them: (P,) array."""
        return self.solution.reml_loglik

    @cached_property
    def ml_loglik(self) -> Array:
        """The largest ML log-likelihoods, for comparing fixed effects: (P,) array, found when asked for."""
        return self.solution.ml_loglik()

    @property
    def singular(self) -> NDArray[np.bool_]:
        """Whether some variance is zero or some correlation one: (P,) array."""
        return self.solution.singular

    @property
    def note(self) -> NDArray[np.object_]:
        """Words for each outcome: (P,) array of str; empty for an ordinary fit."""
        return self.solution.note

    def contrast(self, contrasts: Mapping[str, Hypothesis]) -> Fit:
        """Return the same fit with other hypotheses.

        Parameters
        ----------
        contrasts : mapping of str to hypothesis
            By name: `{"session": 1, "age": -1}` weighs coefficients, `["session", "age"]` says that all of
            these are zero, an array has the weights of one combination (p,) or of several (r, p), which must
            be independent.

        Raises
        ------
        ValueError
            A name is no coefficient, or an array has another shape.
        """
        rows = {label: _rows(label, one, self.names) for label, one in contrasts.items()}
        return replace(self, hypotheses=rows)

    def tests(self, method: str = "kenward_roger") -> Tests:
        """Test every hypothesis in every outcome.

        Parameters
        ----------
        method : str
            `kenward_roger` or `satterthwaite`.

        Raises
        ------
        ValueError
            The method is another.
        """
        if method not in METHODS:
            raise ValueError(f"The method '{method}' is none of {', '.join(METHODS)}.")
        single, f_tests = self._inference
        place = METHODS.index(method)
        estimate, std_error, df = single[0], single[1 + place], single[3 + place]
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = estimate / std_error
        p_value = two_sided_p(statistic, df)
        counts = np.array([len(rows) for rows in self.hypotheses.values()], dtype=int)
        if f_tests:
            df = df.copy()
        for index, values in f_tests.items():
            statistic[index], df[index] = values[2 * place : 2 * place + 2]
            p_value[index] = upper_p(statistic[index], counts[index], df[index])
        return Tests(
            method=method,
            terms=tuple(self.hypotheses),
            outcomes=self.outcomes,
            df_numerator=counts,
            estimate=estimate,
            std_error=std_error,
            df=df,
            statistic=statistic,
            p_value=p_value,
            estimable=self._estimable,
            outcome_note=self.note,
        )

    @cached_property
    def _estimable(self) -> NDArray[np.bool_]:
        rows = np.concatenate([np.empty((0, len(self.names))), *self.hypotheses.values()])
        stops = np.cumsum([len(part) for part in self.hypotheses.values()])[:-1]
        known = np.split(self.columns.estimable(rows), stops) if len(rows) else []
        return np.array([part.all() for part in known], dtype=bool)

    @cached_property
    def _inference(self) -> tuple[Array, dict[int, Array]]:
        """Tests by t (5, h, P) as `Solution.infer` has them, NaN elsewhere; F of each joint hypothesis."""
        hypotheses, kept = list(self.hypotheses.values()), self.columns.kept
        known = np.flatnonzero(self._estimable).tolist()
        ones = [index for index in known if len(hypotheses[index]) == 1]
        several = [index for index in known if len(hypotheses[index]) > 1]
        stacked = np.concatenate([np.empty((0, len(self.names))), *(hypotheses[index] for index in ones)])
        single, joint = self.solution.infer(
            stacked[:, kept], [hypotheses[index][:, kept] for index in several]
        )
        if len(ones) < len(hypotheses):
            found, single = single, np.full((5, len(hypotheses), len(self.sigma2)), np.nan)
            single[:, ones] = found
        return single, dict(zip(several, joint, strict=True))


def _rows(label: str, hypothesis: Hypothesis, names: Sequence[str]) -> Array:
    """Return a hypothesis as (r, p) array."""
    if isinstance(hypothesis, Mapping):
        weights, named = np.zeros((1, len(names))), list(hypothesis)
        places = [(0, name, weight) for name, weight in hypothesis.items()]
    elif isinstance(hypothesis, np.ndarray):
        weights, named, places = np.atleast_2d(np.asarray(hypothesis, dtype=np.float64)), [], []
    else:
        weights, named = np.zeros((len(hypothesis), len(names))), list(hypothesis)
        places = [(row, name, 1.0) for row, name in enumerate(hypothesis)]
    unknown = [name for name in named if name not in names]
    if unknown:
        raise ValueError(
            f"The contrast '{label}' names '{unknown[0]}', which is no coefficient; there are "
            f"{', '.join(names)}."
        )
    if weights.ndim != 2 or weights.shape[1] != len(names) or not len(weights):
        raise ValueError(
            f"The contrast '{label}' must weigh the {len(names)} coefficients {', '.join(names)}."
        )
    for row, name, weight in places:
        weights[row, names.index(name)] = weight
    return weights
