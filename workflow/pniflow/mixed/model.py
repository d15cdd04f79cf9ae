"""The door to the engine: columns, outcomes and grouping factors by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed.inference import Array, Columns
from pniflow.mixed.least_squares import LeastSquares
from pniflow.mixed.random_intercept import RandomIntercept
from pniflow.mixed.random_terms import RandomTerm, RandomTerms
from pniflow.mixed.result import Fit, Hypothesis, Solution

INTERCEPT = "(intercept)"


class Solver(Protocol):
    """A design with a covariance, prepared for any number of outcomes."""

    columns: Columns

    def solve(self, outcomes: Array) -> Solution:
        """Fit every column of the (n, P) outcomes."""


class MixedModel:
    """A linear mixed model, prepared once to be fitted to any number of outcomes.

        y = X b + Z_1 u_1 + Z_2 u_2 + ... + e,    u_j ~ N(0, G_j),    e ~ N(0, s2 I)

    Each grouping factor j has a random intercept and, correlated with it, random slopes. Factors are nested
    or crossed as their labels are. Without factors this is least squares.

    Parameters
    ----------
    fixed : mapping of str to (n,) array, or (n, p) array
        The columns of X. To a mapping the intercept is added, an array is taken as it is. Columns that depend
        on those before them are allowed: what they leave undetermined is NaN.
    random : mapping of str to n labels or RandomTerm, optional
        By the factor's name: the level of each row; with slopes a `RandomTerm`.
    names : p names, optional
        Of an array's columns; `x0`, `x1`, ... where absent.

    Raises
    ------
    ValueError
        Lengths disagree, X is not finite, or a slope does not vary.

    Examples
    --------
    Travel times in six rails (Pinheiro & Bates 2000, Mixed-Effects Models in S and S-PLUS, section 1.1):

    >>> import numpy as np
    >>> from pniflow.mixed import MixedModel
    >>> rail = np.repeat(["1", "2", "3", "4", "5", "6"], 3)
    >>> travel = [55, 53, 54, 26, 37, 32, 78, 91, 85, 92, 100, 96, 49, 51, 50, 80, 85, 83]
    >>> fit = MixedModel({}, {"Rail": rail}).fit({"travel": travel})
    >>> np.sqrt(fit.covariances["Rail"][0, 0, 0]).round(3), np.sqrt(fit.sigma2[0]).round(3)
    (np.float64(24.805), np.float64(4.021))
    >>> print(fit.tests("kenward_roger"))
    outcome  term         estimate  std_error  df  statistic   p_value
    travel   (intercept)      66.5      10.17   5      6.538  0.001253

    Contrasts are named, before the fit or after; rows are plain records:

    >>> half = {"second half": np.repeat([0, 1], 9)}
    >>> fit = MixedModel(half, {"Rail": rail}).fit({"travel": travel, "log": np.log(travel)})
    >>> tests = fit.contrast({"mean of both": {"(intercept)": 1, "second half": 0.5}}).tests()
    >>> [(row["outcome"], row["term"], round(row["estimate"], 2)) for row in tests.rows()]
    [('travel', 'mean of both', 66.5), ('log', 'mean of both', 4.13)]
    """

    def __init__(
        self,
        fixed: Mapping[str, Any] | Array,
        random: Mapping[str, Any] | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> None:
        if isinstance(fixed, Mapping):
            given = {name: np.asarray(column, dtype=np.float64) for name, column in fixed.items()}
            terms = _terms(random)
            n = len(next(iter(given.values()), next(iter(terms.values()), RandomTerm(())).labels))
            columns = {INTERCEPT: np.ones(n)} | given
            if {column.shape for column in columns.values()} != {(n,)}:
                raise ValueError(f"Every fixed column must have one number for each of the {n} rows.")
            design, names = np.column_stack(list(columns.values())), list(columns)
        else:
            design, terms = np.asarray(fixed, dtype=np.float64), _terms(random)
        if design.ndim != 2 or not np.isfinite(design).all():
            raise ValueError("The design must be a finite (n, p) array.")
        lengths = {len(part) for term in terms.values() for part in (term.labels, *term.slopes.values())}
        if lengths - {len(design)}:
            raise ValueError(
                f"Labels and slopes must have one value for each of the design's {len(design)} rows."
            )
        self.names = tuple(names) if names is not None else tuple(f"x{j}" for j in range(design.shape[1]))
        if len(self.names) != design.shape[1] or len(set(self.names)) != len(self.names):
            raise ValueError(f"The design's {design.shape[1]} columns need as many different names.")
        self.effects = {name: (INTERCEPT, *term.slopes) for name, term in terms.items()}
        self.rows = len(design)
        self._solver = _solver(design, terms, self.names)

    def fit(
        self,
        outcomes: Mapping[str, Any] | NDArray[Any],
        contrasts: Mapping[str, Hypothesis] | None = None,
    ) -> Fit:
        """Fit every outcome by REML.

        Parameters
        ----------
        outcomes : mapping of str to (n,) array, or (n,) or (n, P) array
            Any real dtype; computed in float64. A missing value makes its outcome NaN. No outcome's numbers
            depend on the others.
        contrasts : mapping, optional
            What to test, as in `Fit.contrast`; the coefficients where absent.

        Raises
        ------
        ValueError
            Lengths disagree, or a contrast has an unknown name.
        """
        named: Sequence[Any]
        if isinstance(outcomes, Mapping):
            named, values = tuple(outcomes), np.column_stack([np.asarray(one) for one in outcomes.values()])
        else:
            values = np.asarray(outcomes)
            values = values[:, None] if values.ndim == 1 else values
            named = range(values.shape[-1])
        if values.ndim != 2 or len(values) != self.rows:
            raise ValueError(f"The outcomes must have one row for each of the design's {self.rows} rows.")
        fit = Fit(
            names=self.names,
            outcomes=named,
            effects=self.effects,
            hypotheses={
                name: row[None] for name, row in zip(self.names, np.eye(len(self.names)), strict=True)
            },
            columns=self._solver.columns,
            solution=self._solver.solve(values),
        )
        return fit if contrasts is None else fit.contrast(contrasts)


def _terms(random: Mapping[str, Any] | None) -> dict[str, RandomTerm]:
    """Return the grouping factors' terms."""
    given = (random or {}).items()
    return {name: one if isinstance(one, RandomTerm) else RandomTerm(np.asarray(one)) for name, one in given}


def _solver(design: Array, terms: Mapping[str, RandomTerm], names: Sequence[str]) -> Solver:
    """Choose what fits the model's covariance: the one place that knows which covariances there are.

    A covariance of one person's rows (V in blocks) is a further solver, chosen here.
    """
    if not terms:
        return LeastSquares(design, names)
    first, *others = terms.values()
    if others or first.slopes:
        return RandomTerms(design, terms, names)
    return RandomIntercept(design, first.labels, names)
