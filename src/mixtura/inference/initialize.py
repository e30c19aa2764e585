"""Where a fit starts: responsibilities of a sample of rows, from which one M-step makes an ordinary model.

A *partition rule* turns an embedded sample into responsibilities; an *embedding* is a matrix in which Euclidean
distance means something. Gaussian rows are offered whitened, standardised and as they are (k-means on raw columns
cannot find two long parallel clusters; on whitened ones it does at once); counts as square roots of shares.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin

from mixtura.components import hooks
from mixtura.executors import Serial
from mixtura.families import ExponentialFamily, FamilyComponents
from mixtura.families.multinomial import hellinger
from mixtura.inference.agglomeration import agglomerated
from mixtura.protocols import Array, Component, Encoding, Source, Structure
from mixtura.statistics import Statistics, total
from mixtura.structures import LatentMixture

__all__ = [
    "PARTITIONS",
    "StructureMaker",
    "among",
    "begun",
    "component_embeddings",
    "count_embeddings",
    "embedding_of",
    "family_embeddings",
    "from_responsibilities",
    "gaussian_embeddings",
    "is_blind",
    "nearest",
    "partition",
    "soften",
]

# Rounding of a column's mean, relative to it.
_ROUNDING = 1e-13

Partition = Callable[[Any, Array, int, np.random.Generator], Array]
StructureMaker = Callable[[Array], Structure]


def kmeans(z: Any, weight: Array, n_components: int, rng: np.random.Generator) -> Array:
    """k-means, one run from k-means++ seeds; responsibilities (n, K) are 0 or 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than components
        fit = KMeans(n_components, n_init=1, max_iter=50, random_state=_seed(rng)).fit(
            z, sample_weight=weight
        )
    return one_hot(fit.labels_, n_components)


def plus_plus(z: Any, weight: Array, n_components: int, rng: np.random.Generator) -> Array:
    """k-means++ seeds; every row goes to the nearest."""
    _, seeds = kmeans_plusplus(z, n_components, random_state=_seed(rng), sample_weight=weight)
    return nearest(z, z[seeds])


def random_rows(z: Any, weight: Array, n_components: int, rng: np.random.Generator) -> Array:
    """Random rows as centres; every row goes to the nearest."""
    share = weight / weight.sum()
    possible = np.flatnonzero(share > 0)
    size = min(n_components, possible.size)
    seeds = rng.choice(possible, size=size, replace=False, p=share[possible])
    resp = nearest(z, z[seeds])
    return np.pad(resp, ((0, 0), (0, n_components - size)))


def random_partition(z: Any, weight: Array, n_components: int, rng: np.random.Generator) -> Array:
    """Responsibilities drawn uniformly and normalised."""
    resp = rng.random((z.shape[0], n_components))
    return np.asarray(resp / resp.sum(axis=1, keepdims=True))


def agglomerate(z: Any, weight: Array, n_components: int, rng: np.random.Generator) -> Array:
    """Model-based agglomeration of Gaussian parts (`mixtura.inference.agglomeration`), as mclust starts."""
    return one_hot(agglomerated(z, weight, n_components, rng), n_components)


#: scikit-learn's names of partition rules, and one of mclust's starts.
PARTITIONS: dict[str, Partition] = {
    "kmeans": kmeans,
    "k-means++": plus_plus,
    "random": random_partition,
    "random_from_data": random_rows,
    "agglomerate": agglomerate,
}


def embedding_of(rule: str, n_embeddings: int) -> int:
    """Which embedding a rule named by the user looks at: whitened rows, or standardised ones where it scales directions itself.

    Examples
    --------
    >>> embedding_of("kmeans", 3), embedding_of("agglomerate", 3), embedding_of("agglomerate", 1)
    (0, 1, 0)
    """
    return min(1, n_embeddings - 1) if PARTITIONS[rule] is agglomerate else 0


def is_blind(rule: str, components: Any) -> bool:
    """Whether responsibilities are made without a look at the rows, so that no embedding is needed.

    Examples
    --------
    >>> is_blind("random", None), is_blind("kmeans", None)
    (True, False)
    """
    return PARTITIONS[rule] is random_partition and not hasattr(components, "apart")


def nearest(z: Any, centres: Any) -> Array:
    """One-hot responsibilities (n, K) of the nearest centre."""
    return one_hot(pairwise_distances_argmin(z, centres), centres.shape[0])


def one_hot(labels: Array, n_components: int) -> Array:
    """Labels as responsibilities, shape (n, K)."""
    resp = np.zeros((len(labels), n_components))
    resp[np.arange(len(labels)), labels] = 1.0
    return resp


def soften(resp: Array, share: float = 0.1) -> Array:
    """Give a share of every row to all components, so that none starts on a single row."""
    return (1.0 - share) * resp + share / resp.shape[1]


def among(resp: Array, allowed: Array) -> Array:
    """Responsibilities in which every row has only states that it may have.

    The parts of a partition have no names, so they are first matched with the states by the rows that say something about
    these (the most weight in common).

    Parameters
    ----------
    resp : ndarray, shape (n, K)
        One row per row of the sample; columns are parts.
    allowed : ndarray of bool, shape (n, K)
        States that every row may have, at least one.

    Returns
    -------
    ndarray, shape (n, K)
        Rows sum to one; columns are states.

    Examples
    --------
    >>> among(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[False, True], [True, True]]))
    array([[0., 1.],
           [1., 0.]])
    """
    known = allowed / allowed.sum(axis=1, keepdims=True) - 1.0 / allowed.shape[1]
    state, part = linear_sum_assignment(-known.T @ resp)
    matched = np.empty_like(resp)
    matched[:, state] = resp[:, part]
    matched *= allowed
    lost = ~(matched.sum(axis=1) > 0)
    matched[lost] = allowed[lost]
    return np.asarray(matched / matched.sum(axis=1, keepdims=True))


def gaussian_embeddings(x: Array, weight: Array) -> list[Array]:
    """Rows whitened, standardised and as they are; x has shape (n, D)."""
    share = weight / weight.sum()
    mean = share @ x
    centred = x - mean
    variances = share @ centred**2
    # A column without variance but rounding stays as it is: standardised, the rounding would count.
    scale = np.sqrt(np.where(variances > (_ROUNDING * mean) ** 2, variances, 1.0))
    standardised = centred / scale
    # Whitened after standardising, so that the units of the columns do not decide which directions are kept.
    values, vectors = np.linalg.eigh((standardised * share[:, None]).T @ standardised)
    kept = values > 1e-10 * max(values[-1], np.finfo(np.float64).tiny)
    whitened = standardised @ (vectors[:, kept] / np.sqrt(values[kept])) if kept.any() else centred
    return [whitened, standardised, centred]


def count_embeddings(x: Any, weight: Array) -> list[Any]:
    """Square roots of each row's shares: Euclidean distance is then Hellinger's."""
    return [hellinger(x) if sp.issparse(x) else np.ascontiguousarray(hellinger(x.T).T)]


def component_embeddings(component: Component) -> Callable[[Any, Array], list[Any]]:
    """The embeddings of rows (n, D) under a component: its features as Gaussian rows are offered, or as they are.

    Missing features are the mean of their column: only starts are looked for here.
    """

    def embed(x: Any, weight: Array) -> list[Any]:
        found = hooks.features(component, x if sp.issparse(x) else x.T)
        if sp.issparse(found):
            return [found]
        rows = np.ascontiguousarray(found.T)
        gaps = np.isnan(rows)
        if gaps.any():
            shown = (weight > 0)[:, None] & ~gaps
            means = np.where(shown, rows, 0.0).sum(axis=0) / np.maximum(shown.sum(axis=0), 1)
            rows = np.where(gaps, means, rows)
        return gaussian_embeddings(rows, weight) if hooks.is_standardized(component) else [rows]

    return embed


def family_embeddings(family: ExponentialFamily) -> Callable[[Any, Array], list[Any]]:
    """The embeddings of rows (n, D) under a family."""
    return component_embeddings(FamilyComponents(family))


def begun(components: Any, z: Any, weight: Array, n_components: int) -> tuple[Array, Array] | None:
    """What components that find their own rows begin with, for `partition`.

    Parameters
    ----------
    components : Component
        Its hook ``apart(z, weight, K)``, where it has one, returns None or responsibilities (n, K) to begin with and the
        components (K,) that share what is left of every row by a rule: noise takes rows without near neighbours, and
        clusters are looked for among the others.
    z : ndarray or csr_matrix, shape (n, F)
        Rows between which distances mean something.
    weight : ndarray, shape (n,)
        Weights.
    n_components : int
        K.
    """
    apart = getattr(components, "apart", None)
    found: tuple[Array, Array] | None = (
        None if apart is None or sp.issparse(z) else apart(z, weight, n_components)
    )
    return found


def partition(
    rule: str,
    z: Any,
    weight: Array,
    n_components: int,
    rng: np.random.Generator,
    begin: tuple[Array, Array] | None = None,
) -> Array:
    """Responsibilities (n, K) of embedded rows by a rule, after components that find their own rows have taken them.

    Parameters
    ----------
    rule : str
        Name of a partition rule (`PARTITIONS`).
    z : ndarray or csr_matrix, shape (n, F)
        Rows between which distances mean something.
    weight : ndarray, shape (n,)
        Weights.
    n_components : int
        K.
    rng : numpy.random.Generator
        Source of chance.
    begin : tuple of ndarray, optional
        What `begun` said of these rows.

    Examples
    --------
    >>> z = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> partition("kmeans", z, np.ones(4), 2, np.random.default_rng(0)).sum(axis=0)
    array([2., 2.])
    """
    if begin is None:
        return PARTITIONS[rule](z, weight, n_components, rng)
    resp, rest = begin[0].copy(), begin[1]
    left = 1.0 - resp.sum(axis=1)
    rows = left > 0.5
    size = int(rest.sum())
    # Rows that are someone's for the most part do not decide where clusters are looked for, unless too few are left.
    rows = rows if np.count_nonzero(weight[rows]) >= size else np.ones(len(rows), dtype=bool)
    shares = np.zeros((len(rows), size))
    shares[rows] = PARTITIONS[rule](z[rows], weight[rows], size, rng)
    shares[~rows] = shares[rows].mean(axis=0)
    resp[:, rest] = left[:, None] * shares
    return np.asarray(resp)


def from_responsibilities(
    resp: Array, source: Source, components: Component, structure: StructureMaker, encoding: Encoding
) -> LatentMixture:
    """One M-step from given responsibilities.

    Parameters
    ----------
    resp : ndarray, shape (n, K)
        One row per row of the source, in its order.
    source : Source
        The rows.
    components : Component
        Blank or not; only its settings matter.
    structure : callable
        Makes a structure from the weighted counts (K,).
    encoding : Encoding
        That of the source.

    Returns
    -------
    LatentMixture
        An ordinary model.

    Raises
    ------
    DegenerateComponentError
        If a component gets no rows or no variance.
    """
    fitted = components
    for _ in range(2):
        with Serial().session():
            stats = total(_weighted(fitted, source, resp, encoding))
        fitted = fitted.maximize(stats)
        if fitted.exact or not getattr(fitted, "needs_own_origin", lambda _: False)(encoding):
            break
    return LatentMixture(fitted, structure(stats["count"]), encoding)


def _weighted(components: Component, source: Source, resp: Array, encoding: Encoding) -> Sequence[Statistics]:
    parts, start = [], 0
    for batch in source:
        rows = len(batch.sample_weight)
        block = components.encode(batch.x, encoding)
        weighted = np.ascontiguousarray(resp[start : start + rows].T) * batch.sample_weight
        parts.append(components.expected_statistics(block, weighted))
        start += rows
    return parts


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31 - 1))
