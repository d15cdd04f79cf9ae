"""A mixed model's data reduced to cross-products, arranged so that large models stay cheap.

Some random terms are "near": their levels fall into many small blocks that never meet (a participant's
own effects, its samples). The others are "far" (sites, scanners, items): few levels that cut across the
blocks. Far columns are kept beside the design, so that nothing is larger than a block or than the design
with the far columns. Which terms are far is chosen by cost; the fit is the same, exact one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pniflow.mixed.inference import Array


@dataclass(frozen=True)
class Block:
    """Place of one random term: `levels` runs of `width` columns, in each near block or among the far."""

    far: bool
    start: int
    levels: int
    width: int

    @property
    def columns(self) -> slice:
        """Its columns."""
        return slice(self.start, self.start + self.levels * self.width)


@dataclass(frozen=True)
class Crossproducts:
    """Cross-products of near columns Z (K blocks of q, short ones padded), U = [X, far columns] and r.

    Attributes
    ----------
    ztz, ztu, ztr : (K, q, q), (K, q, u), (K, q) arrays
    utu, utr : (u, u), (u,) arrays
    blocks : one Block for each random term
    directions : list of (term, (k, k) array)
        The free elements of each term's covariance.
    n, p : int
        Rows; columns of X.
    rr : float
        Sum of squares of r.
    """

    ztz: Array
    ztu: Array
    ztr: Array
    utu: Array
    utr: Array
    blocks: list[Block]
    directions: list[tuple[int, Array]]
    n: int
    p: int
    rr: float


def cross_products(
    basis: Array, residual: Array, groups: Sequence[np.ndarray], effects: Sequence[Array]
) -> Crossproducts:
    """Collect the cross-products of a model.

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

    n, p = basis.shape
    near, row_block, n_blocks = _arrangement(groups, [part.shape[1] for part in effects], p)
    blocks: list[Block] = []
    columns, far_columns, q = [], [basis], 0
    for term, (group, part) in enumerate(zip(groups, effects, strict=True)):
        k = part.shape[1]
        if term in near:
            level, count = _local_levels(group, row_block)
            blocks.append(Block(False, q, count, k))
            columns.append((q + level * k)[:, None] + np.arange(k))
            q += count * k
        else:
            count, start = int(group.max()) + 1, sum(block.shape[1] for block in far_columns)
            blocks.append(Block(True, start, count, k))
            wide = np.zeros((n, count, k))
            wide[np.arange(n), group] = part
            far_columns.append(wide.reshape(n, -1))
    rows = [np.repeat(np.arange(n), effects[term].shape[1]) for term in near]
    values = [effects[term].ravel() for term in near]
    placed = [(row_block[:, None] * q + part).ravel() for part in columns]
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(placed))
    z = sparse.csr_array(entries, shape=(n, n_blocks * q))
    u = np.concatenate(far_columns, axis=1)
    gram = (z.T @ z).tocoo()
    ztz = np.zeros((n_blocks, q, q))
    row, column = gram.coords
    ztz[row // q, row % q, column % q] = gram.data
    return Crossproducts(
        ztz=ztz,
        ztu=(z.T @ u).reshape(n_blocks, q, -1),
        ztr=(z.T @ residual).reshape(n_blocks, q),
        utu=u.T @ u,
        utr=u.T @ residual,
        blocks=blocks,
        directions=[
            (term, _element(part.shape[1], a, b))
            for term, part in enumerate(effects)
            for a in range(part.shape[1])
            for b in range(a + 1)
        ],
        n=n,
        p=p,
        rr=float(residual @ residual),
    )


def _arrangement(
    groups: Sequence[np.ndarray], widths: Sequence[int], p: int
) -> tuple[list[int], np.ndarray, int]:
    """Cheapest choice of near terms; each row's block, and how many blocks there are."""
    terms = range(len(groups))
    sizes = [(int(group.max()) + 1) * width for group, width in zip(groups, widths, strict=True)]
    choices: list[tuple[int, ...]] = [tuple(terms)]
    if len(groups) <= 4:
        choices = [near for count in terms for near in itertools.combinations(terms, count + 1)]
    best: tuple[float, list[int], np.ndarray, int] | None = None
    for near in choices:
        row_block, n_blocks = _independent_blocks([groups[term] for term in near])
        q = sum(_local_levels(groups[term], row_block)[1] * widths[term] for term in near)
        u = p + sum(sizes[term] for term in terms if term not in near)
        cost = n_blocks * q * (q + 8.0) * (q + u) + u**3 + len(row_block) * u**2
        if best is None or cost < best[0]:
            best = cost, list(near), row_block, n_blocks
    assert best is not None
    return best[1:]


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
