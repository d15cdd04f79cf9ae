"""The likelihood of variance components and its derivatives, for any grouping factors and random slopes.

V = s2 H, H = I + Z T Z', T made of one covariance (relative to s2) for each random term. With W = H^-1,
P = W - W X (X'WX)^-1 X'W, and G_i the derivative of H in the i-th element of T, the likelihood and what
lmerTest and pbkrtest compute are functions of tr(P G_i), tr(P G_i P G_j), r'P G_i P r, r'P G_i P G_j P
r, X'W G_i W X and X'W G_i P G_j W X, where r is the outcome off the design.

Far columns enter as the design does. With W0 the inverse of H without them and U = [X, far columns], P =
W0 - W0 U psi U'W0 for a small psi, and `lift` turns U'W0 into X'W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pniflow.mixed.crossproducts import Crossproducts
from pniflow.mixed.inference import Array


@dataclass(frozen=True)
class Evaluation:
    """The model at one T; index i runs over `directions`.

    Attributes
    ----------
    deviance : float
        log|H| + log|X'WX| + N log r'Pr with N = n - p (REML), or log|H| + n log r'Pr (ML).
    gradient, hessian : (d,) and (d, d) arrays
        Of the deviance in the elements of T.
    rss : float
        r'Pr.
    inverse : (p, p) array
        (X'WX)^-1.
    shift : (p,) array
        What generalized least squares adds to the basis coefficients.
    trace, trace2 : (d,) and (d, d) arrays
        tr(P G_i), tr(P G_i P G_j).
    form, form2 : (d,) and (d, d) arrays
        r'P G_i P r, r'P G_i P G_j P r.
    first : (d, p, p) array
        X'W G_i W X.
    second : (d, d, p, p) array
        X'W G_i P G_j W X.
    """

    deviance: float
    gradient: Array
    hessian: Array
    rss: float
    inverse: Array
    shift: Array
    trace: Array
    trace2: Array
    form: Array
    form2: Array
    first: Array
    second: Array


def evaluate(data: Crossproducts, covariances: Sequence[Array], reml: bool = True) -> Evaluation:
    """Evaluate deviance and derivatives at the given relative covariances, one (k, k) array for each term."""
    near = _near(data, covariances)
    psi, lift, logdet = _far(data, near, covariances)
    p, d = data.p, len(data.directions)
    inverse = psi[:p, :p]
    step = psi @ near.uwr
    rss = near.rwr - float(near.uwr @ step)
    rest = near.uwr - near.uwu @ step  # U'Pr
    zpr = near.zwr - near.zwu @ step

    pieces = [_Direction.of(data, i, near, zpr, rest) for i in range(d)]
    first = np.array([lift @ piece.first @ lift.T for piece in pieces])
    second, trace2, form2 = np.empty((d, d, p, p)), np.empty((d, d)), np.empty((d, d))
    for j in range(d):
        for i in range(j + 1):
            trace, form, inner = _pair(data, near, i, j, pieces[i], pieces[j])
            crossed = inner - pieces[i].first @ psi @ pieces[j].first
            second[i, j] = lift @ crossed @ lift.T
            second[j, i] = second[i, j].T
            trace2[i, j] = trace2[j, i] = trace - np.sum(psi * (inner + crossed).T)
            form2[i, j] = form2[j, i] = form - pieces[i].across @ psi @ pieces[j].across
    traces = np.array([piece.trace - np.sum(psi * piece.first) for piece in pieces])
    forms = np.array([piece.form for piece in pieces])
    total = data.n
    if reml:
        total -= p
        logdet -= np.linalg.slogdet(inverse)[1]
    else:  # the likelihood's traces are of W, not P: add back what X takes
        traces += np.einsum("ps,isp->i", inverse, first)
        for i in range(d):
            for j in range(d):
                taken = 2 * second[i, j] + first[i] @ inverse @ first[j]
                trace2[i, j] += np.sum(inverse * taken.T)
    return Evaluation(
        deviance=float(logdet + total * np.log(rss)) if rss > 0 else np.inf,
        gradient=traces - total * forms / rss,
        hessian=-trace2 + total * (2 * form2 / rss - np.outer(forms, forms) / rss**2),
        rss=rss,
        inverse=inverse,
        shift=step[:p],
        trace=traces,
        trace2=trace2,
        form=forms,
        form2=form2,
        first=first,
        second=second,
    )


@dataclass(frozen=True)
class _Near:
    """Products through W0: Z'W0Z, Z'W0U, Z'W0r, U'W0U, U'W0r, r'W0r, and log|H| of the near terms."""

    zwz: Array
    zwu: Array
    zwr: Array
    uwu: Array
    uwr: Array
    rwr: float
    logdet: float


def _near(data: Crossproducts, covariances: Sequence[Array]) -> _Near:
    q = data.ztz.shape[1]
    system = np.eye(q) + _times(data, data.ztz, covariances)
    right = np.concatenate([data.ztu, data.ztr[:, :, None]], axis=2)
    solved = np.linalg.solve(system, np.concatenate([data.ztz, right], axis=2))
    weighted = _times(data, right.swapaxes(1, 2), covariances)
    taken = np.einsum("kaq,kqb->ab", weighted, solved[:, :, q:], optimize=True)
    uwu = data.utu - taken[:-1, :-1]
    return _Near(
        zwz=solved[:, :, :q],
        zwu=solved[:, :, q:-1],
        zwr=solved[:, :, -1],
        uwu=(uwu + uwu.T) / 2,
        uwr=data.utr - taken[:-1, -1],
        rwr=data.rr - float(taken[-1, -1]),
        logdet=float(np.linalg.slogdet(system)[1].sum()),
    )


def _far(data: Crossproducts, near: _Near, covariances: Sequence[Array]) -> tuple[Array, Array, float]:
    """The psi and `lift` of the module's text, and log|H|."""
    p, u = data.p, len(near.uwu)
    t = np.zeros((u, u))
    for block, covariance in zip(data.blocks, covariances, strict=True):
        if block.far:
            t[block.columns, block.columns] = np.kron(np.eye(block.levels), covariance)
    t = t[p:, p:]
    capacity = np.eye(u - p) + near.uwu[p:, p:] @ t
    core = t @ np.linalg.inv(capacity)
    lift = np.hstack([np.eye(p), -near.uwu[:p, p:] @ core])
    xwx = near.uwu[:p, :p] + lift[:, p:] @ near.uwu[p:, :p]
    psi = lift.T @ np.linalg.inv((xwx + xwx.T) / 2) @ lift
    psi[p:, p:] += (core + core.T) / 2
    return psi, lift, near.logdet + float(np.linalg.slogdet(capacity)[1])


@dataclass(frozen=True)
class _Direction:
    """One G_i seen through W0.

    Attributes
    ----------
    trace, first : float, (u, u) array
        tr(W0 G_i) and U'W0 G_i W0 U.
    form, across : float, (u,) array
        r'P G_i P r and U'W0 G_i P r.
    moved, pulled : arrays
        G_i W0 U and G_i P r in its own columns (near: Z, far: U).
    through, seen : arrays
        Near only: Z'W0 times these.
    """

    far: bool
    trace: float
    first: Array
    form: float
    across: Array
    moved: Array
    pulled: Array
    through: Array | None = None
    seen: Array | None = None

    @classmethod
    def of(cls, data: Crossproducts, i: int, near: _Near, zpr: Array, rest: Array) -> _Direction:
        """Build it from the near products, Z'Pr and U'Pr."""
        term, element = data.directions[i]
        block = data.blocks[term]
        if block.far:
            moved, pulled = _apply(data, i, near.uwu[None])[0], _apply(data, i, rest[None, :, None])[0, :, 0]
            return cls(
                far=True,
                trace=float(np.trace(moved)),
                first=near.uwu @ moved,
                form=float(rest @ pulled),
                across=near.uwu @ pulled,
                moved=moved,
                pulled=pulled,
            )
        moved, pulled = _apply(data, i, near.zwu), _apply(data, i, zpr[:, :, None])[:, :, 0]
        part = near.zwz[:, block.columns, block.columns].reshape(-1, *(block.levels, block.width) * 2)
        return cls(
            far=False,
            trace=float(np.sum(np.einsum("klalb->ab", part) * element)),
            first=_sum_product(near.zwu, moved),
            form=float(np.sum(zpr * pulled)),
            across=np.einsum("kqu,kq->u", near.zwu, pulled),
            moved=moved,
            pulled=pulled,
            through=near.zwz @ moved,
            seen=np.einsum("kqr,kr->kq", near.zwz, pulled),
        )


def _pair(
    data: Crossproducts, near: _Near, i: int, j: int, a: _Direction, b: _Direction
) -> tuple[float, float, Array]:
    """For directions a = i and b = j: tr(W0 G_i W0 G_j), r'P G_i W0 G_j P r, and U'W0 G_i W0 G_j W0 U."""
    if b.far:
        return (
            float(np.trace(_apply(data, j, a.first[None])[0])),
            float(a.across @ b.pulled),
            a.first @ b.moved,
        )
    if a.far:
        trace, form, inner = _pair(data, near, j, i, b, a)
        return trace, form, inner.T
    assert b.through is not None and b.seen is not None
    return _trace2(data, near.zwz, i, j), float(np.sum(a.pulled * b.seen)), _sum_product(a.moved, b.through)


def _times(data: Crossproducts, a: Array, covariances: Sequence[Array]) -> Array:
    """A T over the near columns, for a (K, m, q) array A."""
    out = np.empty_like(a)
    for block, covariance in zip(data.blocks, covariances, strict=True):
        if not block.far:
            part = a[:, :, block.columns].reshape(*a.shape[:2], block.levels, block.width)
            out[:, :, block.columns] = (part @ covariance).reshape(*a.shape[:2], -1)
    return out


def _apply(data: Crossproducts, i: int, a: Array) -> Array:
    """B_i A for a (K, columns, c) array A, where G_i is B_i in its term's columns."""
    term, element = data.directions[i]
    block = data.blocks[term]
    part = a[:, block.columns].reshape(len(a), block.levels, block.width, -1)
    out = np.zeros_like(a)
    out[:, block.columns] = (element @ part).reshape(len(a), -1, a.shape[2])
    return out


def _trace2(data: Crossproducts, m: Array, i: int, j: int) -> float:
    """tr(M B_i M B_j) of near directions."""
    (term, left), (other, right) = data.directions[i], data.directions[j]
    a, b = data.blocks[term], data.blocks[other]
    part = m[:, a.columns, b.columns].reshape(-1, a.levels, a.width, b.levels, b.width)
    if a.width == b.width == 1:
        return float(np.sum(part * part))
    return float(np.sum((np.einsum("ab,klbmc->klamc", left, part) @ right) * part))


def _sum_product(a: Array, b: Array) -> Array:
    """Sum over blocks of A'B for (K, q, .) arrays."""
    return a.reshape(-1, a.shape[2]).T @ b.reshape(-1, b.shape[2])
