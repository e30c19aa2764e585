r"""The levels of a tree of components: how many clusters to take, and what parts two of them.

The number of components is a matter of density, that of clusters of which components belong together. Three rules choose a level:

- the bend of the entropy: merges of components that overlap take much from it, merges of clusters that are apart little, so it falls
  along two lines ([1]_, section 4);
- BIC and ICL of the level's merged components, with the bound in the place of the log-likelihood. ICL adds twice the entropy.

References
----------
.. [1] J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo and R. Gottardo (2010), "Combining mixture components for
   clustering", Journal of Computational and Graphical Statistics 19(2), 332-353.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import InvalidParameterError
from mixtura.inference import criteria
from mixtura.protocols import Array
from mixtura.structures import LatentMixture

__all__ = ["RULES", "Difference", "Level", "bend", "differences"]


class Level(NamedTuple):
    """The tree cut into n clusters.

    Parameters
    ----------
    n : int
        Number of clusters.
    bound : float
        Lower bound of the merged components' log-likelihood, nats.
    entropy : float
        Of the clusters given the rows, nats.
    n_parameters : int
        Free parameters of the merged components.
    bic, icl : float
        Of the bound; lower is better.
    """

    n: int
    bound: float
    entropy: float
    n_parameters: int
    bic: float
    icl: float

    @classmethod
    def of(cls, n: int, bound: float, entropy: float, n_parameters: int, n_units: float) -> Level:
        """A level, with its criteria.

        Examples
        --------
        >>> Level.of(2, -10.0, 1.0, 3, 1.0).icl
        22.0
        """
        bic = criteria.bic(bound, n_parameters, n_units)
        return cls(n, bound, entropy, n_parameters, bic, bic + 2.0 * entropy)


def bend(values: Array) -> int:
    """Where values at 1, ..., K turn from one line into another: the n at which two lines that share it leave least.

    Parameters
    ----------
    values : ndarray, shape (K,)
        At least three.

    Returns
    -------
    int
        2 to K - 1.

    Examples
    --------
    >>> bend(np.array([0.0, 1.0, 2.0, 12.0, 22.0]))
    3
    """
    if len(values) < 3:
        msg = (
            f"There are {len(values)} levels; expected at least 3 (a tree of 3 components) to find a bend between them. Fit more "
            "components, or choose by 'bic' or 'icl'."
        )
        raise InvalidParameterError(msg)
    places = np.arange(1.0, len(values) + 1.0)
    left = [
        _residual(places[:at], values[:at]) + _residual(places[at - 1 :], values[at - 1 :])
        for at in range(2, len(values))
    ]
    return int(np.argmin(left)) + 2


def _residual(x: Array, y: Array) -> float:
    """Sum of squares about the best line."""
    x, y = x - x.mean(), y - y.mean()
    return float(max(y @ y - (x @ y) ** 2 / (x @ x), 0.0))


def _bend_of_entropy(levels: Sequence[Level]) -> int:
    return bend(np.array([level.entropy for level in levels]))


def _least(name: str) -> Callable[[Sequence[Level]], int]:
    def choose(levels: Sequence[Level]) -> int:
        return min(levels, key=lambda level: (getattr(level, name), level.n)).n

    return choose


#: Rules that choose the number of clusters from all levels.
RULES: dict[str, Callable[[Sequence[Level]], int]] = {
    "entropy": _bend_of_entropy,
    "bic": _least("bic"),
    "icl": _least("icl"),
}


class Difference(NamedTuple):
    """A parameter in which two clusters differ.

    Parameters
    ----------
    parameter, feature : str
        Which.
    first, second : float
        Its values, in units of the data.
    apart : float
        Their difference over the standard deviation of this parameter between the tree's components.
    """

    parameter: str
    feature: str
    first: float
    second: float
    apart: float


def differences(
    model: LatentMixture, leaves: LatentMixture, weights: Array, names: Sequence[str], pair: tuple[int, int]
) -> list[Difference]:
    """In what two clusters differ, the largest difference first.

    Parameters
    ----------
    model : LatentMixture
        Of the clusters.
    leaves : LatentMixture
        Of the components.
    weights : ndarray, shape (K,)
        Shares of the components.
    names : sequence of str
        Of the columns.
    pair : tuple of int
        The two clusters.
    """
    ours, all_of_them = (_parameters(one, names) for one in (model, leaves))
    share = weights / weights.sum()
    found = []
    for key, values in ours.items():
        first, second = (float(values[k]) for k in pair)
        spread = all_of_them[key]
        scale = float(np.sqrt(share @ (spread - share @ spread) ** 2))
        if np.isfinite([first, second]).all() and scale > 0:
            found.append(Difference(*key, first, second, (first - second) / scale))
    return sorted(found, key=lambda one: -abs(one.apart))


def _parameters(model: LatentMixture, names: Sequence[str]) -> dict[tuple[str, str], Array]:
    """Parameters of single columns, and how long states last; no covariances, which merging makes larger by itself."""
    rows = hooks.table(model.components, names, model.encoding.origin)
    found = {(row.name, row.feature): row.values for row in rows if not row.other_feature}
    times = getattr(model.structure, "dwell_times", None)
    if times is not None:
        found["expected steps in the state", ""] = times
    return found
