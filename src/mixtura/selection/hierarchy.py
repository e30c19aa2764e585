r"""Hierarchical clustering of rows: the two nearest groups are joined, again and again, until one is left.

SciPy does the joining; here are the checks, the cuts, the labels of rows that were not joined themselves, the tables and the
pictures. The file is long because every way to read a hierarchy is in it.

References
----------
.. [1] D. Müllner (2011), "Modern hierarchical, agglomerative clustering algorithms", arXiv:1109.2378.
.. [2] F. Murtagh and P. Legendre (2014), "Ward's hierarchical agglomerative clustering method", Journal of Classification 31,
   274-295.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean
from mixtura.inference.cutting import clusters_after, largest_first
from mixtura.inference.initialize import one_hot
from mixtura.inference.problem import Problem
from mixtura.inference.starting import start_from
from mixtura.protocols import Array
from mixtura.selection.hierarchy_rows import Distances, Metric, checked_metric, distances_of
from mixtura.structures import LatentMixture

__all__ = ["LINKAGES", "Hierarchy", "Linkage", "Partition", "hierarchical"]


@dataclass(frozen=True)
class Linkage:
    """A distance between groups of rows.

    Parameters
    ----------
    name : str
        SciPy's name.
    needs_means : bool
        Whether it speaks of means of rows, so that distances have to be Euclidean.
    tables : int
        How many tables of all distances SciPy holds at once.
    """

    name: str
    needs_means: bool = False
    tables: int = 2


_KINDS = (
    Linkage("single", tables=1),
    Linkage("complete"),
    Linkage("average"),
    Linkage("weighted"),
    Linkage("centroid", needs_means=True),
    Linkage("median", needs_means=True),
    Linkage("ward", needs_means=True),
)
#: Linkages by SciPy's names, and by those names of R's hclust that mean the same heights.
LINKAGES = {kind.name: kind for kind in _KINDS} | {"mcquitty": _KINDS[3], "ward.D2": _KINDS[6]}


@dataclass(frozen=True, eq=False)
class Partition:
    """The rows in n groups.

    Parameters
    ----------
    n : int
        Number of groups.
    labels : ndarray of int, shape (n_samples,)
        Group of every row; group 0 is the largest.
    sizes : ndarray of int, shape (n,)
        Rows of every group, falling.
    between : tuple of float
        The heights from which and below which a cut has these groups; infinity above the last merge.
    """

    n: int
    labels: Array
    sizes: Array
    between: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """What `hierarchical` found: all merges, from single rows to one group.

    Parameters
    ----------
    merges : ndarray, shape (n - 1, 4)
        SciPy's linkage matrix: the two clusters, their distance, the number of rows joined. Rows are 0 to n - 1; merge m makes
        cluster n + m.
    linkage : str
        Distance between groups.
    metric : str
        Distance between rows.
    rows : ndarray of int, shape (n,)
        Which rows were joined: all, or the sample.
    leaf_of : ndarray of int, shape (n_samples,)
        For every row of X the joined row that it goes with: itself, or the nearest of the sample.
    names : tuple of str
        Names of the joined rows.

    Notes
    -----
    A mixture starts from it: ``GaussianMixture(3, init_params=hierarchy).fit(X)`` begins with the parameters of the three groups of
    ``cut(3)``. Where there are as many rows as in the hierarchy they are taken to be the same in the order in which they were given
    (its columns may be others, such as standardised ones); else every row takes the group of the nearest joined one.

    Examples
    --------
    >>> hierarchy = hierarchical([0.0, 1.0, 3.5, 8.0, 14.0], linkage="single")
    >>> hierarchy.heights
    array([1. , 2.5, 4.5, 6. ])
    >>> hierarchy.cut(3).labels, hierarchy.cut(height=3.0).n
    (array([0, 0, 0, 1, 2]), 3)
    """

    merges: Array
    linkage: str
    metric: str
    rows: Array
    leaf_of: Array
    names: tuple[str, ...]
    _distances: Distances = field(repr=False)

    def __repr__(self) -> str:
        sampled = "" if len(self.rows) == self.n_samples else f" of {self.n_samples}"
        return f"Hierarchy({len(self.rows)}{sampled} rows, linkage={self.linkage!r}, metric={self.metric!r})"

    @property
    def n_samples(self) -> int:
        """Rows of X."""
        return len(self.leaf_of)

    @property
    def children(self) -> Array:
        """The two clusters of every merge, shape (n - 1, 2)."""
        return self.merges[:, :2].astype(np.int64)

    @property
    def heights(self) -> Array:
        """Distance of the two groups of every merge, shape (n - 1,)."""
        return np.asarray(self.merges[:, 2])

    @property
    def monotonic(self) -> bool:
        """Whether no merge lies below an earlier one; with centroids and medians it may."""
        return bool((np.diff(self.heights) >= 0).all())

    @cached_property
    def cophenetic_correlation(self) -> float:
        """Correlation of the rows' distances with the heights at which they come together: how faithful the tree is.

        NaN where all distances, or all heights, are the same.
        """
        from scipy.cluster.hierarchy import cophenet

        heights, distances = cophenet(self.merges), self._distances.condensed(self.rows)
        if np.ptp(heights) == 0 or np.ptp(distances) == 0:
            return float("nan")
        return float(np.corrcoef(heights, distances)[0, 1])

    # --- reading it -------------------------------------------------------------------------------------------
    def cut(self, n_clusters: int | None = None, *, height: float | None = None) -> Partition:
        """The rows in groups; groups of fewer are unions of those of more.

        Parameters
        ----------
        n_clusters : int, optional
            How many groups, 1 to n. Of merges at one height the first ones are made.
        height : float, optional
            Merges up to this height (it included) are made. One of the two is given.

        Returns
        -------
        Partition
            Labels of the rows (largest group first), sizes, and the heights between which the groups are these.

        Raises
        ------
        InvalidParameterError
            If none or both are given, there are not so many rows, or heights that fall are cut by height.
        """
        return self._partition(self._n_merges(n_clusters, height))

    def _n_merges(self, n_clusters: int | None, height: float | None) -> int:
        n_leaves = len(self.rows)
        if (n_clusters is None) == (height is None):
            msg = f"cut got n_clusters={n_clusters!r} and height={height!r}; expected one of the two."
            raise InvalidParameterError(msg)
        if height is None:
            whole = isinstance(n_clusters, int | np.integer) and not isinstance(n_clusters, bool)
            if n_clusters is None or not whole or not 1 <= n_clusters <= n_leaves:
                msg = f"n_clusters is {n_clusters!r}; expected a whole number from 1 to {n_leaves}, the number of joined rows."
                raise InvalidParameterError(msg)
            return n_leaves - int(n_clusters)
        if isinstance(height, bool) or not isinstance(height, int | float | np.number) or not height >= 0:
            msg = f"height is {height!r}; expected a number of at least 0."
            raise InvalidParameterError(msg)
        if not self.monotonic:
            low = int(np.argmax(np.diff(self.heights) < 0)) + 1
            msg = (
                f"Merge {low} lies at {self.heights[low]:.6g}, below merge {low - 1} at {self.heights[low - 1]:.6g}, as can be with "
                f"linkage={self.linkage!r}; expected heights that never fall for a cut at a height. Cut by n_clusters, or use "
                "'average' or 'ward'."
            )
            raise InvalidParameterError(msg)
        return int(np.searchsorted(self.heights, float(height), side="right"))

    def _partition(self, n_merges: int) -> Partition:
        n_leaves = len(self.rows)
        leaf = clusters_after(self.children, n_leaves, n_merges)[:n_leaves]
        labels, sizes = largest_first(leaf, np.bincount(self.leaf_of, minlength=n_leaves))
        heights = self.heights
        low = float(heights[n_merges - 1]) if n_merges else 0.0
        high = float(heights[n_merges]) if n_merges < len(heights) else float("inf")
        return Partition(len(sizes), labels[self.leaf_of], sizes.astype(np.int64), (low, high))

    def predict(self, X: Any, n_clusters: int) -> Array:
        """Group of new rows in ``cut(n_clusters)``: that of the nearest joined row.

        Parameters
        ----------
        X : array_like or CSR matrix, shape (n_new, n_features)
            Rows of the columns that the hierarchy was made of.
        n_clusters : int
            How many groups.

        Returns
        -------
        ndarray of int, shape (n_new,)
            Labels as in ``cut(n_clusters).labels``.
        """
        labels = self.cut(n_clusters).labels[self.rows]
        return np.asarray(labels[self._distances.nearest_to(X, self.rows)])

    def to_frame(self, library: str | None = None) -> Any:
        """The merges as a data frame: number, the two, their height, the rows together, and the clusters left.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        n_leaves = len(self.rows)
        named = [*self.names, *(f"merge {merge}" for merge in range(len(self.merges)))]
        columns: dict[str, Any] = {
            "merge": np.arange(len(self.merges)),
            "left": [named[child] for child in self.children[:, 0]],
            "right": [named[child] for child in self.children[:, 1]],
            "height": self.heights,
            "rows": self.merges[:, 3].astype(np.int64),
            "clusters": n_leaves - 1 - np.arange(len(self.merges)),
        }
        return make_frame(columns, library)

    def plot_dendrogram(self, ax: Any = None, **options: Any) -> Any:
        """The tree as a picture; see :func:`mixtura.plots.plot_dendrogram`.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.
        **options
            ``cut``, ``names`` (of the joined rows) and ``leaves``.
        """
        from mixtura.plots import plot_dendrogram

        return plot_dendrogram(self, ax=ax, **options)

    # --- a mixture that starts from it ------------------------------------------------------------------------
    def starting_model(self, problem: Problem) -> LatentMixture:
        """The start of a mixture of K components: parameters of the K groups.

        Parameters
        ----------
        problem : Problem
            What is to be learned.

        Returns
        -------
        LatentMixture
            One M-step from the groups as responsibilities.
        """
        n_components, n_rows = problem.n_components, problem.x.shape[0]
        if not 1 <= n_components <= len(self.rows):
            msg = (
                f"n_components is {n_components}, but init_params is a hierarchy of {len(self.rows)} joined rows; expected at most as "
                "many components. Use fewer, or a larger sample."
            )
            raise InvalidParameterError(msg)
        if n_rows == self.n_samples:
            labels = self.cut(n_components).labels
            labels = labels if problem.order is None else labels[problem.order]
        else:
            labels = self.predict(problem.x, n_components)
        return start_from(problem, one_hot(labels, n_components), hard=True)


def hierarchical(
    X: Any,
    *,
    linkage: str = "ward",
    metric: Metric = "euclidean",
    sample: int | None = None,
    random_state: Any = None,
    names: Sequence[Any] | None = None,
    memory_limit: float = 4.0,
) -> Hierarchy:
    r"""Join the two nearest groups of rows until one is left.

    Parameters
    ----------
    X : array_like, CSR matrix or data frame, shape (n_samples, n_features)
        The rows, without missing cells; columns count by their scale, so standardise them where units differ. With
        ``metric="precomputed"``: distances, square (n, n) or condensed (n (n - 1) / 2,).
    linkage : {"single", "complete", "average", "weighted", "centroid", "median", "ward"}, default "ward"
        Distance of two groups; R's names "ward.D2" and "mcquitty" mean "ward" and "weighted".
    metric : str, callable or "precomputed", default "euclidean"
        Distance of two rows: SciPy's names (`scipy.spatial.distance.pdist`), or a function of two rows.
    sample : int, optional
        Join so many random rows only; every other row goes with the nearest of them. None joins all.
    random_state : int, RandomState or None, default None
        Seed of the sample.
    names : sequence, optional
        Names of the rows; None takes the index of a pandas frame, or "row 0" and so on.
    memory_limit : float, default 4.0
        Gigabytes that the distances may take; more is refused before it is tried.

    Returns
    -------
    Hierarchy
        All merges; cuts, labels, tables and pictures.

    Raises
    ------
    InvalidDataError
        If cells are missing, there are fewer than two rows, distances are not defined, or they do not fit `memory_limit`.
    InvalidParameterError
        If linkage and metric do not go together, or a name is unknown.

    Notes
    -----
    With groups of n and m rows, means a and b, heights are: single the least distance of two rows, complete the largest, average the
    mean of all n m, weighted the mean of the two distances before the last merge, centroid :math:`\|a-b\|`, median the same of
    midpoints, ward :math:`\sqrt{2nm/(n+m)}\,\|a-b\|`, whose square is twice what the sum of squares within groups rises by.

    Against R's hclust: "ward" is ``ward.D2`` (``ward.D`` on squared distances has the squares of these heights; on distances it
    is not Ward's method [2]_); "weighted" is ``mcquitty``; "centroid" and "median" are square roots of R's on squared distances.

    References
    ----------
    .. [1] D. Müllner (2011), "Modern hierarchical, agglomerative clustering algorithms", arXiv:1109.2378.
    .. [2] F. Murtagh and P. Legendre (2014), Journal of Classification 31, 274-295.

    Examples
    --------
    >>> hierarchy = hierarchical([0.0, 1.0, 3.5, 8.0, 14.0], linkage="ward")
    >>> hierarchy.heights.round(8)
    array([ 1.        ,  3.46410162,  6.        , 14.71733672])
    >>> hierarchy.cut(2).labels
    array([0, 0, 0, 1, 1])
    """
    from scipy.cluster.hierarchy import linkage as join

    kind = _linkage(linkage, checked_metric(metric))
    distances = distances_of(X, metric)
    if distances.n_samples < 2:
        msg = f"There is {distances.n_samples} row; expected at least 2 to join."
        raise InvalidDataError(msg)
    rows = _sampled(distances.n_samples, sample, random_state)
    _check_memory(len(rows), kind, memory_limit)
    merges = join(distances.condensed(rows), kind.name)
    every = len(rows) == distances.n_samples
    return Hierarchy(
        np.asarray(merges, dtype=np.float64),
        kind.name,
        getattr(metric, "__name__", repr(metric)) if callable(metric) else metric,
        rows,
        rows.copy() if every else distances.nearest(rows),
        _names(X, names, rows, distances.n_samples),
        distances,
    )


def _linkage(name: str, metric: Metric) -> Linkage:
    if name == "ward.D":
        msg = (
            "linkage is 'ward.D', R's name for a rule that is Ward's only on squared distances; expected 'ward' ('ward.D2'), whose "
            "heights are the square roots of those."
        )
        raise InvalidParameterError(msg)
    if name not in LINKAGES:
        msg = f"linkage is {name!r}, which is not one of the choices. {did_you_mean(str(name), LINKAGES)}"
        raise InvalidParameterError(msg)
    kind = LINKAGES[name]
    if kind.needs_means and metric not in ("euclidean", "precomputed"):
        msg = (
            f"linkage={name!r} measures from means of rows, which needs metric='euclidean' (or Euclidean distances as 'precomputed'); "
            f"found metric={metric!r}. Use linkage='average' or 'complete' with it."
        )
        raise InvalidParameterError(msg)
    return kind


def _sampled(n_rows: int, sample: int | None, random_state: Any) -> Array:
    if sample is None:
        return np.arange(n_rows)
    if isinstance(sample, bool) or not isinstance(sample, int | np.integer) or sample < 2:
        msg = f"sample is {sample!r}; expected a whole number of at least 2, or None for all rows."
        raise InvalidParameterError(msg)
    if sample >= n_rows:
        return np.arange(n_rows)
    return np.sort(check_random_state(random_state).choice(n_rows, int(sample), replace=False))


def _check_memory(n_rows: int, kind: Linkage, memory_limit: float) -> None:
    gigabytes = kind.tables * 4e-9 * n_rows * (n_rows - 1)
    if gigabytes > memory_limit:
        room = int(np.sqrt(memory_limit / (kind.tables * 4e-9)))
        rounded = max(room // 1000 * 1000, min(room, 1000))
        msg = (
            f"The {n_rows * (n_rows - 1) // 2:,} distances of {n_rows:,} rows need {gigabytes:.3g} GB with linkage={kind.name!r}; "
            f"expected at most memory_limit={memory_limit:g}. Give sample={rounded} (random rows; the others go with the nearest of "
            "them), or raise memory_limit."
        )
        raise InvalidDataError(msg)


def _names(X: Any, names: Sequence[Any] | None, rows: Array, n_samples: int) -> tuple[str, ...]:
    if names is None:
        index = getattr(X, "index", None)
        unnamed = index is None or callable(index) or type(index).__name__ == "RangeIndex"
        named: Any = [f"row {row}" for row in range(n_samples)] if unnamed else index
    else:
        named = names
    found = [str(name) for name in named]
    if len(found) != n_samples:
        msg = f"names holds {len(found)} names; expected {n_samples}, one for each row."
        raise InvalidParameterError(msg)
    return tuple(found[row] for row in rows)
