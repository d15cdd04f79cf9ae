"""Tests of fixed effects at the maximum, whatever the random part.

Kenward and Roger's correction is invariant to how the variances are parametrized (linearly). In the
elements of T and log s2 the last direction drops out of it, and the expected information is tr(P G_i P
G_j), tr(P G_i), N.

Sources: Kenward & Roger 1997, Biometrics 53:983; Fai & Cornelius 1996, J Stat Comput Simul 54:363; checked
against the R packages pbkrtest and lmerTest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pniflow.mixed.crossproducts import Crossproducts
from pniflow.mixed.inference import Array, kenward_roger_scale, satterthwaite_f_df
from pniflow.mixed.maximum import chain
from pniflow.mixed.variance_components import Evaluation


def expected_information(data: Crossproducts, at: Evaluation) -> Array:
    """Expected information (times two) about the elements of T and log s2."""
    corner = np.array([[float(data.n - data.p)]])
    return np.block([[at.trace2, at.trace[:, None]], [at.trace[None, :], corner]])


def _pseudo_inverse(information: Array) -> Array:
    """Inverse on the directions that carry information."""
    size = np.sqrt(np.abs(np.diag(information)))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    inverse = np.where(values > 1e-10, 1 / np.where(values > 1e-10, values, 1.0), 0.0)
    return np.asarray((vectors * inverse) @ vectors.T / np.outer(size, size))


@dataclass(frozen=True)
class ComponentInference:
    """What tests need, at the maximum; contrasts are rows on the basis of the design.

    The slopes are X'W dH W X for the directions of `observed` (as in lmerTest, the factors of T) and of
    `expected` (as in pbkrtest, the elements of T); the last direction is log s2 in both.
    """

    sigma2: float
    inverse: Array
    adjusted: Array
    observed: Array
    observed_slopes: Array
    expected: Array
    expected_slopes: Array

    @classmethod
    def of(
        cls, data: Crossproducts, at: Evaluation, factors: Sequence[Array], norm: float
    ) -> ComponentInference:
        """Build it from an evaluation at T = F F'."""
        n = data.n - data.p
        s2 = at.rss / n
        scale = np.linalg.inv(at.inverse)[None]
        jacobian, curvature = chain(data, factors, at.trace - at.form / s2)
        along = jacobian.T @ (2 * at.form2 / s2 - at.trace2) @ jacobian + curvature
        across = jacobian.T @ (at.form / s2)
        observed = np.block([[along, across[:, None]], [across[None, :], np.array([[float(n)]])]])
        expected = 2 * _pseudo_inverse(expected_information(data, at))
        bias = np.einsum("ij,ijps->ps", expected[:-1, :-1], at.second)
        adjusted = at.inverse + 2 * at.inverse @ ((bias + bias.T) / 2) @ at.inverse
        return cls(
            sigma2=s2 * norm**2,
            inverse=at.inverse,
            adjusted=adjusted,
            observed=2 * _pseudo_inverse(observed),
            observed_slopes=np.concatenate([np.einsum("im,ips->mps", jacobian, at.first), scale]),
            expected=expected,
            expected_slopes=np.concatenate([at.first, scale]),
        )

    def single(self, rows: Array, coefficients: Array) -> list[Array]:
        """Estimates, standard errors and df of single contrasts, in the order of `result.Solution`."""
        variance = np.einsum("rp,ps,rs->r", rows, self.inverse, rows)
        adjusted = np.einsum("rp,ps,rs->r", rows, self.adjusted, rows)
        return [
            rows @ coefficients,
            np.sqrt(self.sigma2 * variance),
            np.sqrt(self.sigma2 * adjusted),
            self._df(rows, self.observed, self.observed_slopes),
            self._df(rows, self.expected, self.expected_slopes),
        ]

    def _df(self, rows: Array, covariance: Array, slopes: Array) -> Array:
        """2 / var(log v) of contrasts whose variance is v."""
        forward = rows @ self.inverse
        gradient = (
            np.einsum("rp,mps,rs->rm", forward, slopes, forward) / np.sum(forward * rows, axis=1)[:, None]
        )
        with np.errstate(divide="ignore"):
            return np.asarray(2 / np.einsum("rm,mn,rn->r", gradient, covariance, gradient))

    def joint(self, rows: Array, coefficients: Array) -> Array:
        """F and df of the hypothesis that all rows are zero, in the order of `result.Solution`."""
        q, b = len(rows), rows @ coefficients
        variance = rows @ self.inverse @ rows.T
        values, vectors = np.linalg.eigh(variance)
        squared = (vectors.T @ b) ** 2 / values / self.sigma2
        df = self._df(vectors.T @ rows, self.observed, self.observed_slopes)

        forward = rows @ self.inverse
        parts = np.linalg.solve(variance, np.einsum("rp,mps,ts->mrt", forward, self.expected_slopes, forward))
        traces = np.einsum("mrr->m", parts)
        a1 = traces @ self.expected @ traces
        a2 = np.einsum("mn,mrs,nsr->", self.expected, parts, parts)
        df_kr, scale = kenward_roger_scale(a1, a2, q)
        wald = b @ np.linalg.solve(rows @ self.adjusted @ rows.T, b) / self.sigma2
        return np.array([squared.mean(), satterthwaite_f_df(df), scale * wald / q, df_kr])
