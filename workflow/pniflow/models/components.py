"""The likelihood of variance components and its derivatives, for any grouping factors and random slopes.

V = s2 H, H = I + Z T Z', T made of one covariance (relative to s2) for each random term. Nothing of size n
stays: all follows from Z'Z, Z'X and Z'r, where X is an orthonormal basis of the design and r the outcome
off the design. Levels that never meet, directly or through other levels, are separate blocks: nested
designs of any size are many small blocks, crossed ones one dense block.

With W = H^-1 and P = W - W X (X'WX)^-1 X'W, and G_i = Z B_i Z' the derivative of H in the i-th element of
T, the likelihood, lmerTest's and pbkrtest's quantities are functions of
    tr(P G_i), tr(P G_i P G_j), r'P G_i P r, r'P G_i P G_j P r, X'W G_i W X and X'W G_i P G_j W X.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pniflow.models.inference import Array


@dataclass(frozen=True)
class Block:
    """Place of one random term among the columns of a block of Z: `levels` runs of `width` columns."""

    start: int
    levels: int
    width: int

    @property
    def columns(self) -> slice:
        """Columns of Z."""
        return slice(self.start, self.start + self.levels * self.width)


@dataclass(frozen=True)
class Crossproducts:
    """A mixed model's data: K independent blocks of q random effects (short ones padded with empty levels).

    Attributes
    ----------
    ztz, ztx, ztr : (K, q, q), (K, q, p), (K, q) arrays
    blocks : one Block for each random term
    directions : list of (term, (k, k) array)
        The free elements of each term's covariance.
    n, p : int
    rr : float
        Sum of squares of r.
    """

    ztz: Array
    ztx: Array
    ztr: Array
    blocks: list[Block]
    directions: list[tuple[int, Array]]
    n: int
    p: int
    rr: float


def cross_products(
    basis: Array, residual: Array, groups: Sequence[np.ndarray], effects: Sequence[Array]
) -> Crossproducts:
    """Collect Z'Z, Z'X and Z'r by independent block.

    Parameters
    ----------
    basis : (n, p) array
        Orthonormal basis of the design.
    residual : (n,) array
        Outcome off the design.
    groups : (n,) int arrays
        Level of each row, 0, 1, ..., by term.
    effects : (n, k) arrays
        Columns with a random coefficient, by term (a column of ones for an intercept).
    """
    from scipy import sparse

    n = len(residual)
    block_of_row, n_blocks = _independent_blocks(groups)
    local, counts = zip(*(_local_levels(group, block_of_row) for group in groups), strict=True)
    q = sum(count * part.shape[1] for count, part in zip(counts, effects, strict=True))
    total = sum((group.max() + 1) * part.shape[1] for group, part in zip(groups, effects, strict=True))
    if n_blocks * q * q > total * total:  # blocks too unequal to pad: one dense block
        block_of_row, n_blocks, q = np.zeros(n, dtype=int), 1, total
        local, counts = tuple(groups), tuple(int(group.max()) + 1 for group in groups)
    rows, columns, values, blocks, start = [], [], [], [], 0
    for level, count, part in zip(local, counts, effects, strict=True):
        k = part.shape[1]
        blocks.append(Block(start, count, k))
        rows.append(np.repeat(np.arange(n), k))
        columns.append((block_of_row * q + start + level * k)[:, None] + np.arange(k))
        values.append(part)
        start += count * k
    entries = tuple(np.concatenate([part.ravel() for part in parts]) for parts in (values, rows, columns))
    z = sparse.csr_array((entries[0], entries[1:]), shape=(n, n_blocks * q))
    gram = (z.T @ z).tocoo()
    ztz = np.zeros((n_blocks, q, q))
    row, column = gram.coords
    ztz[row // q, row % q, column % q] = gram.data
    directions = [
        (term, _element(part.shape[1], a, b))
        for term, part in enumerate(effects)
        for a in range(part.shape[1])
        for b in range(a + 1)
    ]
    return Crossproducts(
        ztz=ztz,
        ztx=(z.T @ basis).reshape(n_blocks, q, -1),
        ztr=(z.T @ residual).reshape(n_blocks, q),
        blocks=blocks,
        directions=directions,
        n=n,
        p=basis.shape[1],
        rr=float(residual @ residual),
    )


def _independent_blocks(groups: Sequence[np.ndarray]) -> tuple[np.ndarray, int]:
    """Connected sets of levels: block of each row, and how many there are."""
    from scipy import sparse

    offsets = np.cumsum([0, *(group.max() + 1 for group in groups)])
    first, size = groups[0], offsets[-1]
    links = [(first, group + offset) for group, offset in zip(groups[1:], offsets[1:-1], strict=True)]
    row = np.concatenate([first, *(a for a, _ in links)])
    column = np.concatenate([first, *(b for _, b in links)])
    graph = sparse.coo_array((np.ones(len(row)), (row, column)), shape=(size, size))
    count, label = sparse.csgraph.connected_components(graph, directed=False)
    return label[first], int(count)


def _local_levels(group: np.ndarray, block_of_row: np.ndarray) -> tuple[np.ndarray, int]:
    """Number each block's levels from zero; return each row's number and the largest count."""
    level, row = np.unique(group, return_index=True)
    block = block_of_row[row]
    order = np.argsort(block, kind="stable")
    counts = np.bincount(block)
    number = np.empty(len(level), dtype=int)
    number[order] = np.arange(len(level)) - np.repeat(np.cumsum(counts) - counts, counts)
    return number[group], int(counts.max())


def _element(k: int, a: int, b: int) -> Array:
    out = np.zeros((k, k))
    out[a, b] = out[b, a] = 1.0
    return out


def unexplained(
    basis: Array, residual: Array, groups: Sequence[np.ndarray], effects: Sequence[Array]
) -> tuple[float, int]:
    """Length of the residual off all columns, fixed and random, and their rank (or number, if large)."""
    from scipy import sparse

    n = len(residual)
    rows = np.arange(n)
    parts = [
        sparse.csc_array((part[:, a], (rows, group)), shape=(n, group.max() + 1))
        for group, part in zip(groups, effects, strict=True)
        for a in range(part.shape[1])
    ]
    z = sparse.hstack(parts, format="csc")
    count = basis.shape[1] + z.shape[1]
    if n * count**2 <= 4e9:
        everything = np.column_stack([basis, z.toarray()])
        solution, _, rank, _ = np.linalg.lstsq(everything, residual, rcond=1e-10)
        return float(np.linalg.norm(residual - everything @ solution)), int(rank)
    everything = sparse.hstack([sparse.csc_array(basis), z], format="csr")
    found = sparse.linalg.lsmr(everything, residual, atol=1e-13, btol=1e-13, conlim=0)
    return float(found[3]), min(count, n - 1)


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
    d = len(data.directions)
    system = np.eye(data.ztz.shape[1]) + _times(data.ztz, data.blocks, covariances)
    solved = np.linalg.solve(system, np.concatenate([data.ztz, data.ztx, data.ztr[:, :, None]], axis=2))
    q = data.ztz.shape[1]
    zwz, zwx, zwr = solved[:, :, :q], solved[:, :, q:-1], solved[:, :, -1]
    weighted = _times(
        np.concatenate([data.ztx, data.ztr[:, :, None]], axis=2).swapaxes(1, 2), data.blocks, covariances
    )
    xwx = np.eye(data.p) - np.einsum("kpq,kqs->ps", weighted[:, :-1], zwx)
    xwx = (xwx + xwx.T) / 2
    xwr = -np.einsum("kpq,kq->p", weighted[:, :-1], zwr)
    inverse = np.linalg.inv(xwx)
    shift = inverse @ xwr
    rss = data.rr - float(np.einsum("kq,kq->", weighted[:, -1], zwr)) - float(xwr @ shift)
    zpr = zwr - zwx @ shift

    moved = [_apply(data, i, zwx) for i in range(d)]
    pulled = [_apply(data, i, zpr[:, :, None])[:, :, 0] for i in range(d)]
    first = np.array([_sum_product(zwx, part) for part in moved])
    second, trace2, form2 = np.empty((d, d, data.p, data.p)), np.empty((d, d)), np.empty((d, d))
    for j in range(d):
        through, seen = zwz @ moved[j], np.einsum("kqr,kr->kq", zwz, pulled[j])
        for i in range(d):
            inner = _sum_product(moved[i], through)
            second[i, j] = inner - first[i] @ inverse @ first[j]
            plain = _trace2(data, zwz, i, j)
            trace2[i, j] = plain
            if reml:
                trace2[i, j] += -np.sum(inverse * (inner + second[i, j].T))
            form2[i, j] = np.sum(pulled[i] * seen)
    across = np.array([np.einsum("kqp,kq->p", zwx, part) for part in pulled])
    form2 -= across @ inverse @ across.T
    form = np.array([np.sum(zpr * part) for part in pulled])
    trace = np.array([_trace(data, zwz, i) for i in range(d)])
    total = data.n
    deviance = np.linalg.slogdet(system)[1].sum()
    if reml:
        trace -= np.einsum("ps,isp->i", inverse, first)
        total -= data.p
        deviance += np.linalg.slogdet(xwx)[1]
    return Evaluation(
        deviance=float(deviance + total * np.log(rss)) if rss > 0 else np.inf,
        gradient=trace - total * form / rss,
        hessian=-trace2 + total * (2 * form2 / rss - np.outer(form, form) / rss**2),
        rss=rss,
        inverse=inverse,
        shift=shift,
        trace=trace,
        trace2=trace2,
        form=form,
        form2=form2,
        first=first,
        second=second,
    )


def _times(a: Array, blocks: Sequence[Block], covariances: Sequence[Array]) -> Array:
    """A T for a (K, m, q) array A, T block-diagonal with one covariance per level."""
    out = np.empty_like(a)
    for block, covariance in zip(blocks, covariances, strict=True):
        part = a[:, :, block.columns].reshape(*a.shape[:2], block.levels, block.width)
        out[:, :, block.columns] = (part @ covariance).reshape(*a.shape[:2], -1)
    return out


def _apply(data: Crossproducts, i: int, a: Array) -> Array:
    """B_i A for a (K, q, c) array A."""
    term, element = data.directions[i]
    block = data.blocks[term]
    part = a[:, block.columns].reshape(len(a), block.levels, block.width, -1)
    out = np.zeros_like(a)
    out[:, block.columns] = (element @ part).reshape(len(a), -1, a.shape[2])
    return out


def _trace(data: Crossproducts, m: Array, i: int) -> float:
    """tr(M B_i)."""
    term, element = data.directions[i]
    block = data.blocks[term]
    part = m[:, block.columns, block.columns].reshape(-1, *(block.levels, block.width) * 2)
    return float(np.sum(np.einsum("klalb->ab", part) * element))


def _trace2(data: Crossproducts, m: Array, i: int, j: int) -> float:
    """tr(M B_i M B_j)."""
    (term, left), (other, right) = data.directions[i], data.directions[j]
    a, b = data.blocks[term], data.blocks[other]
    part = m[:, a.columns, b.columns].reshape(-1, a.levels, a.width, b.levels, b.width)
    if a.width == b.width == 1:
        return float(np.sum(part * part))
    return float(np.sum((np.einsum("ab,klbmc->klamc", left, part) @ right) * part))


def _sum_product(a: Array, b: Array) -> Array:
    """Sum over blocks of A'B for (K, q, .) arrays."""
    return a.reshape(-1, a.shape[2]).T @ b.reshape(-1, b.shape[2])
