r"""How many components have rows: the law of their number under the posterior law of the labels.

Labels of rows are independent under q, so no row belongs to any of a set S of components with probability
:math:`\prod_n (1-\sum_{k\in S} r_{nk})^{w_n}`; by inclusion and exclusion these probabilities of the :math:`2^U` sets of the U
components about which there is doubt give the law of the number of used ones. Where U is large, labels are drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.protocols import Array

__all__ = ["expected_counts", "number_used"]

# Log probability of having no row below which a component is used for sure; expected rows below which it is not.
_SURE, _NEVER = -40.0, 1e-12
# Components in doubt up to which all sets are gone through, and numbers that this may take.
_MOST_IN_DOUBT, _MOST_NUMBERS = 12, 50_000_000
# Numbers held at a time.
_HELD = 4_000_000


def expected_counts(structure: Any, total: float) -> Array | None:
    """Expected rows N_k of each component from the posterior law of the weights, shape (K,); None where they have none.

    Parameters
    ----------
    structure : DirichletWeights, StickBreaking or other
        Of a fit to rows of weight `total`. What its prior had when the counts were added may have been learnt anew since, so it
        is what the total leaves.

    Examples
    --------
    >>> from mixtura.structures import DirichletWeights
    >>> expected_counts(DirichletWeights(np.ones(2), np.array([3.0, 6.0])), 7.0)
    array([2., 5.])
    """
    posterior = getattr(structure, "concentration", None)
    if posterior is not None:
        prior = structure.prior * (posterior.sum() - total) / structure.prior.sum()
        return np.maximum(posterior - prior, 0.0)
    sticks = getattr(structure, "sticks", None)
    if sticks is not None:
        return np.maximum(sticks[0] - (sticks[0].sum() - total) / sticks.shape[1], 0.0)
    return None


def number_used(resp: Array, weight: Array, n_draws: int, rng: np.random.Generator) -> Array:
    """Probabilities of 0, 1, ..., K components with at least one row, shape (K + 1,).

    Parameters
    ----------
    resp : ndarray, shape (N, K)
        Responsibilities.
    weight : ndarray, shape (N,)
        How often each row is there.
    n_draws : int
        Draws of all labels where there are too many components in doubt.
    rng : Generator
        Of these draws.

    Examples
    --------
    >>> number_used(np.array([[0.5, 0.5], [0.5, 0.5]]), np.ones(2), 1, np.random.default_rng(0))
    array([0. , 0.5, 0.5])
    """
    resp = resp / resp.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_empty = weight @ np.where(weight[:, None] > 0, np.log1p(-np.minimum(resp, 1.0)), 0.0)
    certain = log_empty < _SURE
    doubtful = np.flatnonzero(~certain & (weight @ resp > _NEVER))
    few = len(doubtful) <= _MOST_IN_DOUBT and len(resp) * 2 ** len(doubtful) <= _MOST_NUMBERS
    of_doubtful = (
        _by_sets(resp[:, doubtful], weight) if few else _by_draws(resp, weight, doubtful, n_draws, rng)
    )
    found = np.zeros(resp.shape[1] + 1)
    found[int(certain.sum()) : int(certain.sum()) + len(of_doubtful)] = of_doubtful
    return found


def _by_sets(resp: Array, weight: Array) -> Array:
    """Exact: probabilities (U + 1,) of numbers of used components among the U columns."""
    size = resp.shape[1]
    empty = np.zeros(2**size)  # that all of a set are empty, the sets as binary numbers
    members = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
    step = max(1, _HELD // max(len(resp), 1))
    for first in range(0, 2**size, step):
        inside = members[first : first + step] @ resp.T
        with np.errstate(divide="ignore"):
            log_outside = np.log1p(-np.minimum(inside, 1.0))
        empty[first : first + step] = np.exp(np.where(weight > 0, log_outside, 0.0) @ weight)
    for k in range(size):  # of exactly a set: less what belongs to the sets that are larger by k
        pairs = empty.reshape(-1, 2, 2**k)
        pairs[:, 0] -= pairs[:, 1]
    found = np.bincount(size - members.sum(axis=1), np.maximum(empty, 0.0), minlength=size + 1)
    return np.asarray(found / found.sum())


def _by_draws(resp: Array, weight: Array, doubtful: Array, n_draws: int, rng: np.random.Generator) -> Array:
    """By drawing labels; a row of weight 2.5 is there twice or three times."""
    share = resp[:, doubtful]
    pvals = np.column_stack([share, np.maximum(1.0 - share.sum(axis=1), 0.0)])
    pvals /= pvals.sum(axis=1, keepdims=True)
    whole = np.floor(weight).astype(np.int64)
    found = np.zeros(len(doubtful) + 1)
    for _ in range(n_draws):
        times = whole + (rng.random(len(weight)) < weight - whole)
        rows = rng.multinomial(times, pvals).sum(axis=0)[:-1]
        found[int((rows > 0).sum())] += 1.0
    return found / n_draws
