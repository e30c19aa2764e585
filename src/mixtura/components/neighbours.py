r"""Dense rows from thin ones, by the distance D to the k-th nearest neighbour.

Rows of a Poisson process of rate :math:`\lambda` in F dimensions have :math:`D^F\sim\mathrm{Gamma}(k, \lambda\alpha_F)`
[1]_. A mixture of two such laws, fitted by EM, tells the rows of a feature from clutter: the M-step is
:math:`\lambda\alpha_F = k\sum r / \sum r D^F`.

References
----------
.. [1] S. Byers and A. E. Raftery (1998), "Nearest-neighbor clutter removal for estimating features in spatial point
   processes", Journal of the American Statistical Association 93(442), 577-584, equations 1 and 2.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mixtura.protocols import Array

__all__ = ["sparse_rows"]

# Neighbours counted, and rows among which they are looked for: relative distances need no more.
_NEIGHBOURS = 12
_REFERENCE = 2000
_STEPS = 100


def sparse_rows(z: Array, weight: Array) -> Array:
    """Probability that rows lie in the thinner of two Poisson processes, by the distance to the k-th nearest neighbour.

    Parameters
    ----------
    z : ndarray, shape (n, F)
        Rows between which distances mean something. Neighbours are looked for among at most 2,000 of them, evenly
        chosen by their number.
    weight : ndarray, shape (n,)
        Weights.

    Returns
    -------
    ndarray, shape (n,)
        Posterior probability of the thinner process; zeros where there are too few distinct rows to tell.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = np.concatenate([rng.normal(size=(200, 2)), rng.uniform(-30, 30, (20, 2))])
    >>> noise = sparse_rows(z, np.ones(220)) > 0.5
    >>> int(noise[:200].sum()) < 10, int(noise[200:].sum()) > 15
    (True, True)
    """
    n_rows, n_features = z.shape
    chosen = np.linspace(0, n_rows - 1, min(n_rows, _REFERENCE)).astype(np.intp)
    k = min(_NEIGHBOURS, len(chosen) - 1)
    if k < 1:
        return np.zeros(n_rows)
    nearest = cKDTree(z[chosen]).query(z, [k, k + 1])[0]
    distance = nearest[:, 0]
    distance[chosen] = nearest[chosen, 1]  # these are their own first neighbours
    typical = np.median(distance[distance > 0]) if (distance > 0).any() else 0.0
    if not typical:
        return np.zeros(n_rows)
    with np.errstate(divide="ignore"):
        volume = np.exp(np.minimum(n_features * np.log(distance / typical), 300.0))  # D^F
    return _thinner(volume, weight, k)


def _thinner(volume: Array, weight: Array, k: int) -> Array:
    """EM for two laws Gamma(k, rate) of D^F; posterior of the one with the lower rate."""
    resp = np.where(volume > np.median(volume), 0.75, 0.25)
    for _ in range(_STEPS):
        before = resp
        scores = []
        for part in (weight * resp, weight * (1.0 - resp)):
            total = max(float(part.sum()), np.finfo(np.float64).tiny)
            rate = k * total / max(float(part @ volume), np.finfo(np.float64).tiny)
            scores.append(np.log(total) + k * np.log(rate) - rate * volume)
        resp = 1.0 / (1.0 + np.exp(np.clip(scores[1] - scores[0], -700.0, 700.0)))
        if np.max(np.abs(resp - before)) < 1e-6:
            break
    return resp
