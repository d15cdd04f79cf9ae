"""What every model shares: independent columns, estimable contrasts, p-values, df of F tests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

# The words of `note`. An empty note is an ordinary fit.
SINGULAR = "singular: variance at zero"
SINGULAR_SLOPE = "singular: variance at zero or correlation at one"
PERFECT = "perfect fit: no residual variance"
CONSTANT = "constant outcome"
MISSING = "not estimable: the outcome has missing or infinite values"
FEW_GROUPS = "not estimable: too few groups"
FEW_REPEATS = "not estimable: too few repeated observations"
NO_RESIDUAL = "not estimable: no residual degrees of freedom"
NOT_ESTIMABLE = "not estimable"

# A direction shorter than this share of its column counts as absent (a combination of other columns).
COLLINEAR = 1e-9


def upper_p(statistic: Array, df_numerator: float, df_denominator: Array) -> Array:
    """P of an F statistic, by the regularized incomplete beta function."""
    from scipy.special import betainc

    return np.asarray(
        betainc(
            df_denominator / 2, df_numerator / 2, df_denominator / (df_denominator + df_numerator * statistic)
        )
    )


@dataclass(frozen=True)
class Columns:
    """Which columns of a design are independent, and what the others are made of.

    Attributes
    ----------
    kept : int array
        Positions of the independent columns, the earliest of each dependent set.
    null : (n_dependent, n_columns) array
        Each row is a combination of the (scaled) columns that is zero.
    scale : (n_columns,) array
        Norm of each column (one where the column is zero).
    note : str
        Empty, or the sentence that names the dependent columns.
    """

    kept: NDArray[np.intp]
    null: Array
    scale: Array
    note: str

    def estimable(self, contrasts: Array) -> NDArray[np.bool_]:
        """Tell for each row of `contrasts` whether the design determines it."""
        scaled = contrasts / self.scale
        size = np.linalg.norm(scaled, axis=1)
        off = np.abs(scaled @ self.null.T).max(axis=1, initial=0.0)
        return np.asarray((off <= 1e-8 * size) & (size > 0))


def independent_columns(design: Array, names: Sequence[str] | None = None) -> Columns:
    """Find the independent columns of a design, from the left, and name those that are not.

    Parameters
    ----------
    design : (n, p) array
    names : p names, optional
        Used in the note; `x0`, `x1`, ... where absent.
    """
    names = list(names) if names is not None else [f"x{j}" for j in range(design.shape[1])]
    norms = np.linalg.norm(design, axis=0)
    scale = np.where(norms > 0, norms, 1.0)
    unit = design / scale
    kept: list[int] = []
    null, words = [], []
    basis = np.empty((len(design), 0))
    for j in range(unit.shape[1]):
        rest = unit[:, j] - basis @ (basis.T @ unit[:, j])
        rest -= basis @ (basis.T @ rest)
        size = np.linalg.norm(rest)
        if size > COLLINEAR:
            kept.append(j)
            basis = np.column_stack([basis, rest / size])
            continue
        combination = np.zeros(unit.shape[1])
        combination[j] = 1.0
        if norms[j] > 0:
            combination[kept] = -np.linalg.lstsq(unit[:, kept], unit[:, j], rcond=None)[0]
        combination[np.abs(combination) < 1e-7] = 0.0
        null.append(combination / np.linalg.norm(combination))
        others = [names[k] for k in kept if combination[k]]
        words.append(
            f"{names[j]} is a combination of {', '.join(others)}" if others else f"{names[j]} is zero"
        )
    note = f"rank-deficient design: {'; '.join(words)}" if words else ""
    return Columns(np.array(kept, dtype=np.intp), np.array(null).reshape(len(null), len(names)), scale, note)


def kenward_roger_scale(a1: Array, a2: Array, q: int) -> tuple[Array, Array]:
    """Denominator df and scale of the Kenward-Roger F test from its A1 and A2.

    Source: Kenward & Roger 1997, Biometrics 53:983, as in R package pbkrtest (`Lb_ddf`, `KRmodcomp`).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        b = (a1 + 6 * a2) / (2 * q)
        g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
        c = 3 * q + 2 * (1 - g)
        v0 = 1 + b * g / c
        v1 = 1 - b * (q - g) / c
        v2 = 1 - b * (q + 2 - g) / c
        v0 = np.where(np.abs(v0) < 1e-10, 0.0, v0)
        mean = 1 - a2 / q
        ratio = np.where((np.abs(mean) < 1e-14) & (np.abs(v1) < 1e-14), 1.0, mean / v1)
        rho = ratio**2 * v0 / (q * v2)
        df = 4 + (q + 2) / (q * rho - 1)
        scale = np.where(np.abs(df - 2) < 1e-2, 1.0, df * mean / (df - 2))
    return df, scale


def satterthwaite_f_df(df: Array) -> Array:
    """Denominator df of a mean of squared independent t statistics whose df are in the last axis.

    Source: R package lmerTest (`get_Fstat_ddf`), after Fai & Cornelius 1996.
    """
    q = df.shape[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        expectation = (df / (df - 2)).sum(axis=-1)
        combined = 2 * expectation / (expectation - q)
    combined = np.where((df <= 2).any(axis=-1), 2.0, combined)
    same = (np.abs(np.diff(df, axis=-1)) < 1e-8).all(axis=-1)
    return np.where(same, df.mean(axis=-1), combined)


@lru_cache(maxsize=1)
def _threadpools() -> Any:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Context in which BLAS uses one thread, so that its sums have one order; needs threadpoolctl."""
    pools = _threadpools()
    return nullcontext() if pools is None else pools.limit(limits=1, user_api="blas")
