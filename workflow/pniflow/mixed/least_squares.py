"""Independent rows, many outcomes: y = X b + e with var(e) = s2 I, by least squares.

The t and F tests of n - p df are exact, so that Satterthwaite's and Kenward and Roger's are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed.inference import (
    CONSTANT,
    MISSING,
    NO_RESIDUAL,
    PERFECT,
    Array,
    independent_columns,
    one_blas_thread,
)


class LeastSquares:
    """A design to be fitted to any number of outcomes.

    Parameters
    ----------
    design : (n, p) array
    names : p names of columns
    """

    def __init__(self, design: Array, names: Sequence[str]) -> None:
        self.columns = independent_columns(design, names)
        self.basis, self.factor = np.linalg.qr(design[:, self.columns.kept])

    def solve(self, outcomes: Array) -> LeastSquaresSolution:
        """Fit every column of the (n, P) outcomes."""
        with one_blas_thread(), np.errstate(invalid="ignore"):
            return LeastSquaresSolution(self, outcomes)


class LeastSquaresSolution:
    """The outcomes fitted; see `result.Solution`."""

    def __init__(self, model: LeastSquares, values: Array) -> None:
        basis, self.factor = model.basis, model.factor
        self.n, self.df = len(basis), len(basis) - basis.shape[1]
        # one outcome at a time, so that its bytes do not depend on its neighbours
        outcomes = [np.ascontiguousarray(column, dtype=np.float64) for column in values.T]
        fitted = [basis.T @ outcome for outcome in outcomes]
        self.coefficients = np.stack([np.linalg.solve(self.factor, part) for part in fitted], axis=1)
        residuals = [outcome - basis @ part for outcome, part in zip(outcomes, fitted, strict=True)]
        total = np.array([np.square(outcome - outcome.mean()).sum() for outcome in outcomes])
        self.squares = np.array([np.square(residual).sum() for residual in residuals])
        perfect = self.squares <= 1e-20 * np.maximum(total, 1e-300)
        constant = total <= 1e-24 * np.array([np.square(outcome).sum() for outcome in outcomes])
        known = ~(perfect | constant) & (self.df > 0)
        self.sigma2 = np.where(known, self.squares / max(self.df, 1), np.nan)
        logdet = 2 * np.log(np.abs(np.diag(self.factor))).sum()
        self.reml_loglik = -0.5 * (self.df * (np.log(2 * np.pi * self.sigma2) + 1) + logdet)
        self.covariances: list[Array] = []
        self.singular: NDArray[np.bool_] = np.zeros(len(outcomes), dtype=bool)
        words = np.select([constant, perfect, np.isnan(total)], [CONSTANT, PERFECT, MISSING], "")
        words = np.where(self.df < 1, NO_RESIDUAL, words)
        self.note = np.array(
            ["; ".join(filter(None, (model.columns.note, one))) for one in words], dtype=object
        )

    def ml_loglik(self) -> Array:
        """Return the ML log-likelihoods."""
        return np.asarray(-0.5 * self.n * (np.log(2 * np.pi * self.sigma2 * self.df / self.n) + 1))

    def infer(self, rows: Array, sets: Sequence[Array]) -> tuple[Array, Array]:
        """Test contrasts, as in `result.Solution`."""
        inverse = np.linalg.inv(self.factor.T @ self.factor)
        df = np.where(np.isnan(self.sigma2), np.nan, self.df)
        single, joint = np.full((5, len(rows), len(df)), np.nan), np.full((len(sets), 4, len(df)), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            for index, row in enumerate(rows[:, None]):
                single[0, index] = (row @ self.coefficients)[0]
                single[1:3, index] = np.sqrt(self.sigma2 * (row @ inverse @ row.T)[0, 0])
                single[3:, index] = df
            for index, part in enumerate(sets):
                effect, spread = part @ self.coefficients, part @ inverse @ part.T
                wald = np.einsum("ip,ij,jp->p", effect, np.linalg.inv(spread), effect)
                joint[index, 0::2] = wald / self.sigma2 / len(part)
                joint[index, 1::2] = df
        return single, joint
