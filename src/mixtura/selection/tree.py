r"""A tree of the components of a fitted mixture, or of the states of a chain: from all of them to one, pair by pair.

The file is long because every way to read the tree is here; how it is made is in `mixtura.selection.agglomerate`.

References
----------
.. [1] J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo and R. Gottardo (2010), "Combining mixture components for
   clustering", Journal of Computational and Graphical Statistics 19(2), 332-353.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import InvalidParameterError
from mixtura.inference.cutting import clusters_after, largest_first
from mixtura.inference.driver import FitResult
from mixtura.inference.fitting import Fitted
from mixtura.inference.problem import Problem
from mixtura.inference.restarts import StartResult
from mixtura.inference.stopping import Reason
from mixtura.models import GroupedMultinomialMixture
from mixtura.models._base import BaseMixture
from mixtura.models._fitting import check_choice
from mixtura.models._hmm import BaseHMM
from mixtura.protocols import Array
from mixtura.selection.agglomerate import agglomerate
from mixtura.selection.clusters import CRITERIA
from mixtura.selection.levels import RULES, Difference, Level, differences
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture

__all__ = ["Cut", "SegmentTree"]

# Settings of a chain that name its states.
_BY_STATE = frozenset({"startprob", "transmat", "start", "moves"})

Names = Sequence[str] | Callable[[Array], Sequence[str]]


@dataclass(frozen=True)
class Cut:
    """The components in n groups.

    Parameters
    ----------
    n : int
        Number of groups.
    labels : ndarray of int, shape (K,)
        Group of every component; group 0 is the largest.
    weights : ndarray, shape (n,)
        Share of every group, falling.

    Attributes
    ----------
    estimator
        A mixture of the n merged components that predicts and saves like a fitted one: parameters maximise the
        groups' summed statistics (a merged Gaussian is *one* Gaussian by its moments). It is not a fit of its own;
        `SegmentTree.predict` keeps the shapes of the original components.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> X = np.array([[0.0], [0.2], [1.0], [1.2], [9.0], [9.3]])
    >>> tree = SegmentTree(GaussianMixture(3, means_init=[[0], [1], [9]]).fit(X)).fit(X)
    >>> cut = tree.cut(2)
    >>> cut.labels, cut.estimator.means_.round(1).ravel()
    (array([0, 0, 1]), array([0.6, 9.2]))
    """

    n: int
    labels: Array
    weights: Array
    _make: Callable[[Array, int], Any] = field(repr=False, compare=False)

    @cached_property
    def estimator(self) -> Any:
        """A mixture of the merged components."""
        return self._make(self.labels, self.n)


class SegmentTree(BaseEstimator):
    r"""Merge the components of a fitted mixture, or the states of a chain, pair by pair until one is left.

    The components of a mixture describe a density, and a customer segment may need several of them; and forty
    segments are read better as seven groups. One pass over the rows collects the statistics; after that, a merge is
    arithmetic on statistics and a pass over the responsibilities that are not negligible.

    Parameters
    ----------
    estimator : estimator
        A fitted mixture of this library, or a hidden Markov model; it is not changed.
    criterion : {"loss", "entropy", "kl"}, default "loss"
        Which pair is merged: the one that costs the bound on the log-likelihood least (alike components, weighted by
        their size), that lowers the entropy of the responsibilities most (overlapping components: shapes made of
        several components, [1]_), or that has the smallest symmetric Kullback-Leibler divergence (alike components,
        whatever their size; Gaussians and exponential families).

    Attributes
    ----------
    children_ : ndarray of int, shape (K - 1, 2)
        The two clusters of every merge, SciPy's numbers: components are 0 to K - 1, merge m makes cluster K + m.
    heights_ : ndarray, shape (K - 1,)
        Height of every merge for drawing, never falling: what all merges so far have taken from the bound ("loss") or
        from the entropy ("entropy"), or their divergences together ("kl"), nats.
    losses_ : ndarray, shape (K - 1,)
        What every merge took from the bound, nats, total over the rows, whatever the criterion.
    linkage_ : ndarray, shape (K - 1, 4)
        Children, height and number of components: for `scipy.cluster.hierarchy`.
    bounds_ : ndarray, shape (K,)
        The bound with n = 1 ... K clusters; the last one is the log-likelihood, where the fit has converged.
    entropies_ : ndarray, shape (K,)
        Entropy of the responsibilities with n = 1 ... K clusters: drawn against n, an elbow suggests the number of
        clusters that are apart [1]_.
    weights_ : ndarray, shape (K,)
        Share of every component in the rows.

    Notes
    -----
    With summed responsibilities the bound is :math:`\sum_k \langle S_k, \hat\theta_k\rangle + \sum_k N_k\log(N_k/N)
    + \sum_n w_n\sum_k h(r_{nk})`, :math:`h(x) = -x\log x`; it is exact up to responsibilities below 1e-10. Household
    weights are integrated out and their Dirichlet parameters add. Priors count for the parameters of `cut`, not for the
    bound. It needs an M-step that is a function of statistics that add over components; for Dirichlet-multinomials these are
    histograms of the counts (exact up to 128 different counts, else at as many nodes).

    Of a hidden Markov model the moves of merged states are sums of moves, so every level is a chain of fewer states. Its bound has the
    entropy of the most uncertain law of paths with the merged pairs of states (:mod:`mixtura.selection.merging_chains`); a merge is a
    pass over the filter and the smoothed probabilities, whose time grows with the cube of the number of states left. Laws that
    tie starts or moves hold at no level.

    A mixture, or chain, of K components starts from ``cut(K)`` with ``init_params=tree``.

    References
    ----------
    .. [1] J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo and R. Gottardo (2010), Journal of Computational and Graphical
       Statistics 19(2), 332-353.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> X = np.array([[0.0], [0.2], [1.0], [1.2], [9.0], [9.3]])
    >>> tree = SegmentTree(GaussianMixture(3, means_init=[[0], [1], [9]]).fit(X)).fit(X)
    >>> tree.children_
    array([[0, 1],
           [2, 3]])
    >>> tree.predict(X, 2)
    array([0, 0, 0, 0, 1, 1])
    """

    def __init__(self, estimator: Any, criterion: str = "loss") -> None:
        self.estimator = estimator
        self.criterion = criterion

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, groups: Any = None, lengths: Any = None
    ) -> Self:
        """Build the tree on rows, usually those that the mixture was fitted to.

        Parameters
        ----------
        X : array_like, CSR matrix or data frame, shape (n_samples, n_features)
            The rows.
        y : ignored
            For scikit-learn's pipelines.
        sample_weight : array_like, shape (n_samples,), optional
            Non-negative weights; for a chain one for each sequence.
        groups : array_like, shape (n_samples,), optional
            Label of each row's group, for a grouped mixture; None takes the population's weights for all rows. For a chain the
            name of each row's sequence, as in its `fit`.
        lengths : array_like of int, optional
            For a chain: steps of each sequence, as in its `fit`.

        Returns
        -------
        self
            With the tree.

        Raises
        ------
        InvalidParameterError
            If the estimator is no mixture of this library, or the criterion does not fit it.
        DegenerateComponentError
            If a component has no maximum on these rows.
        """
        check_choice("criterion", self.criterion, list(CRITERIA))
        if not isinstance(self.estimator, BaseMixture | BaseHMM):
            msg = (
                f"estimator is {self.estimator!r}; expected a fitted mixture of this library, such as GaussianMixture(...).fit(X), or a "
                "fitted hidden Markov model."
            )
            raise InvalidParameterError(msg)
        check_is_fitted(self.estimator)
        self.__dict__.pop("levels_", None)
        self._found = found = agglomerate(
            self.estimator, X, CRITERIA[self.criterion](), sample_weight, groups, lengths
        )
        self._publish(found.merges, found.bound, found.entropy)
        return self

    def _publish(self, merges: Array, bound: float, entropy: float) -> None:
        """Attributes from the merges (positions of the two, cost, loss, fall of the entropy) and the leaves."""
        count = self._found.leaves.count
        self.weights_ = count / count.sum()
        n_leaves = len(count)
        ids, sizes, children = list(range(n_leaves)), [1] * n_leaves, []
        for merge, (one, other) in enumerate(merges[:, :2].astype(int)):
            children.append(sorted((ids[one], ids[other])))
            sizes.append(sizes[ids[one]] + sizes[ids[other]])
            ids[one] = n_leaves + merge
            del ids[other]
        self.children_ = np.array(children, dtype=np.int64).reshape(-1, 2)
        self.heights_ = CRITERIA[self.criterion]().heights(merges[:, 2])
        self.losses_ = merges[:, 3]
        self.linkage_ = np.column_stack([self.children_, self.heights_, sizes[n_leaves:]])
        self.bounds_ = bound - np.append(0.0, np.cumsum(self.losses_))[::-1]
        entropies = entropy - np.append(0.0, np.cumsum(merges[:, 4]))[::-1]
        # One cluster has no entropy; what the sums leave there is rounding, and responsibilities below the limit.
        entropies[0] = 0.0
        self.entropies_ = np.maximum(entropies, 0.0)

    # --- reading the tree -------------------------------------------------------------------------------------
    def cut(self, n: int) -> Cut:
        """The components in n groups; groups of a smaller n are unions of those of a larger one.

        Parameters
        ----------
        n : int
            Number of groups, 1 to K.

        Returns
        -------
        Cut
            Labels of the components (largest group first), shares, and a mixture of the merged components.
        """
        check_is_fitted(self)
        n_leaves = len(self.weights_)
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= n_leaves:
            msg = f"n is {n!r}; expected a whole number of groups from 1 to {n_leaves}, the number of components."
            raise InvalidParameterError(msg)
        labels, weights = largest_first(
            clusters_after(self.children_, n_leaves, n_leaves - n)[:n_leaves], self.weights_
        )
        return Cut(int(n), labels, weights, self._merged)

    def predict_proba(self, X: Any, n: int, groups: Any = None, lengths: Any = None) -> Array:
        """Probability of every group of `cut(n)`: summed over its components.

        Parameters
        ----------
        X : array_like, CSR matrix or data frame, shape (n_samples, n_features)
            The rows.
        n : int
            Number of groups.
        groups : array_like, shape (n_samples,), optional
            For a grouped mixture: label of each row's group. For a chain: the name of each row's sequence.
        lengths : array_like of int, optional
            For a chain: steps of each sequence.

        Returns
        -------
        ndarray, shape (n_samples, n)
            Rows sum to one; the columns of a smaller n are sums of those of a larger one.
        """
        cut = self.cut(n)
        beside = {"groups": groups, "lengths": lengths}
        given = {name: value for name, value in beside.items() if value is not None}
        resp = self.estimator.predict_proba(X, **given)
        return np.asarray(resp @ np.eye(cut.n, dtype=resp.dtype)[cut.labels])

    def predict(self, X: Any, n: int, groups: Any = None, lengths: Any = None) -> Array:
        """Most probable group of `cut(n)` of each row, by the summed probabilities.

        Probabilities nest; the most probable group need not be that of the most probable component.
        """
        return np.asarray(self.predict_proba(X, n, groups, lengths).argmax(axis=1))

    def groups(
        self, numbers: Iterable[int] | None = None, names: Names | None = None
    ) -> list[dict[str, Any]]:
        """Cuts as plain values.

        Parameters
        ----------
        numbers : iterable of int, optional
            Which; None is 2 to K.
        names : sequence of str or callable, optional
            Names of the components, from which a group's name is made of its two largest; or a function from the
            labels (K,) to the names of the groups. None: the components' numbers.

        Returns
        -------
        list of dict
            Each with ``n``, ``labels`` (K numbers, largest group first) and ``names`` (n).
        """
        check_is_fitted(self)
        cuts = [self.cut(n) for n in (range(2, len(self.weights_) + 1) if numbers is None else numbers)]
        return [
            {"n": cut.n, "labels": cut.labels.tolist(), "names": list(self._named(cut, names))}
            for cut in cuts
        ]

    def _named(self, cut: Cut, names: Names | None) -> Sequence[str]:
        if callable(names):
            return names(cut.labels)
        leaves = [str(k) for k in range(len(self.weights_))] if names is None else list(names)
        if len(leaves) != len(self.weights_):
            msg = f"names holds {len(leaves)} names; expected {len(self.weights_)}, one for each component."
            raise InvalidParameterError(msg)
        result = []
        for group in range(cut.n):
            members = np.flatnonzero(cut.labels == group)
            members = members[np.argsort(-self.weights_[members], kind="stable")]
            more = f" + {len(members) - 2} more" if len(members) > 2 else ""
            result.append(" + ".join(leaves[k] for k in members[:2]) + more)
        return result

    def to_dict(self, numbers: Iterable[int] | None = None, names: Names | None = None) -> dict[str, Any]:
        """The tree as plain values, ready for JSON.

        Parameters
        ----------
        numbers, names
            As for `groups`.

        Returns
        -------
        dict
            ``method``, ``children`` (K - 1 pairs, SciPy's numbers), ``heights`` (never falling) and ``groups``.
        """
        return {
            "method": self.criterion,
            "children": self.children_.tolist(),
            "heights": self.heights_.tolist(),
            "groups": self.groups(numbers, names),
        }

    # --- how many clusters, and why ---------------------------------------------------------------------------
    @cached_property
    def levels_(self) -> list[Level]:
        """All levels, n = 1 ... K: bound, entropy, parameters, BIC and ICL."""
        check_is_fitted(self)
        weight = self._found.weight
        return [
            Level.of(
                n,
                self.bounds_[n - 1],
                self.entropies_[n - 1],
                self._joined(self.cut(n)).n_parameters(),
                weight,
            )
            for n in range(1, len(self.weights_) + 1)
        ]

    def choose(self, rule: str = "entropy") -> int:
        """A number of clusters, which need not be that of the components.

        Parameters
        ----------
        rule : {"entropy", "bic", "icl"}, default "entropy"
            Where the entropy bends ([1]_; with ``criterion="entropy"``), or the level of least BIC or ICL of the merged components
            (with ``criterion="loss"``): a sweep over K without a fit.

        Returns
        -------
        int
            For `cut` and `predict`.

        References
        ----------
        .. [1] J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo and R. Gottardo (2010), Journal of Computational and Graphical
           Statistics 19(2), 332-353.
        """
        check_choice("rule", rule, list(RULES))
        return RULES[rule](self.levels_)

    def to_frame(self, library: str | None = None) -> Any:
        """The levels as a data frame: n, what the merge to it took from the bound, bound, entropy, parameters, BIC, ICL.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        columns: dict[str, Any] = {
            name: [getattr(level, name) for level in self.levels_] for name in Level._fields
        }
        return make_frame({"n": columns.pop("n"), "loss": [*self.losses_[::-1], 0.0], **columns}, library)

    def explain_split(self, n: int, most: int = 5) -> list[Difference]:
        """In what the two clusters differ that are apart with n clusters, and one with n - 1.

        Parameters
        ----------
        n : int
            Number of clusters, 2 to K.
        most : int, default 5
            Differences wanted, the largest first.

        Returns
        -------
        list of Difference
            Parameter, column, its value in the larger cluster and in the smaller one, and how far apart these are, in standard
            deviations between the tree's components. Of a chain's states also how long they last. No covariances, which merging makes
            larger by itself; empty where components have no table of parameters.
        """
        cut = self.cut(n)
        if cut.n < 2:
            msg = "n is 1, which is no split; expected a number of clusters from 2 on."
            raise InvalidParameterError(msg)
        coarser = self.cut(n - 1).labels
        parents = [coarser[cut.labels == group][0] for group in range(n)]
        first = next(group for group in range(n) if parents.count(parents[group]) == 2)
        second = parents.index(parents[first], first + 1)
        numbered = [f"x{j}" for j in range(self._found.model.encoding.n_features)]
        names = [str(name) for name in getattr(self.estimator, "feature_names_in_", numbered)]
        leaves = self._joined(self.cut(len(self.weights_)))
        order = np.argsort(-self.weights_, kind="stable")
        return differences(self._joined(cut), leaves, self.weights_[order], names, (first, second))[:most]

    def plot_dendrogram(self, ax: Any = None, **options: Any) -> Any:
        """The tree as a picture; see :func:`mixtura.plots.plot_dendrogram`."""
        from mixtura.plots import plot_dendrogram

        check_is_fitted(self)
        return plot_dendrogram(self, ax=ax, **options)

    # --- the mixture of merged components ---------------------------------------------------------------------
    def _joined(self, cut: Cut) -> LatentMixture:
        """The model of a level's clusters."""
        clusters, model = self._found.leaves.gathered(cut.labels), self._found.model
        structure = self._found.leaves.law.structure(model.structure, cut.labels, clusters.count)
        return replace(model, components=clusters.parameters(), structure=structure)

    def starting_model(self, problem: Problem) -> LatentMixture:
        """The start of a mixture or chain of K components: the K clusters of ``cut(K)``.

        Parameters
        ----------
        problem : Problem
            What is to be learned.

        Returns
        -------
        LatentMixture
            On the tree's own rows, one M-step from the clusters' responsibilities: the merged components, so that no fit ends below
            the cut. A chain begins with the merged moves, too.
        """
        check_is_fitted(self)
        found = self._found
        if problem.n_components > len(self.weights_):
            msg = (
                f"n_components is {problem.n_components}, but init_params is a tree of {len(self.weights_)} components; expected at most "
                "as many. Use fewer, or the tree's own estimator as init_params, whose largest components are then split."
            )
            raise InvalidParameterError(msg)
        if problem.x.shape[1] != found.model.encoding.n_features:
            msg = (
                f"The rows have {problem.x.shape[1]} columns, but init_params is a tree over {found.model.encoding.n_features}; expected "
                "the columns of the tree."
            )
            raise InvalidParameterError(msg)
        labels = self.cut(problem.n_components).labels
        return found.leaves.law.start(found.model, labels, self.weights_, problem)

    def _merged(self, labels: Array, n: int) -> Any:
        """A fitted estimator of the same class whose components are the groups."""
        estimator = copy.copy(self.estimator)
        estimator.n_components = n
        for name in _BY_STATE & vars(estimator).keys():  # of all states: the merged ones have none
            setattr(estimator, name, None)
        vars(estimator).pop("_sampler", None)
        memory = {}
        if isinstance(estimator, GroupedMultinomialMixture):
            weights = np.asarray(self.estimator.group_weights_) @ np.eye(n)[labels]
            memory = {0: {"counts": weights, "dirichlet": weights}}
        bound = float(self.bounds_[n - 1])
        count = Statistics({"count": np.bincount(labels, self._found.leaves.count)})
        result = FitResult(
            self._joined(self.cut(n)),
            (bound,),
            Reason.STOPPED,
            0,
            self._found.weight,
            Statistics(parts={"structure": count}),
            memory=memory,
        )
        name = f"{len(labels)} components merged to {n}"
        start = StartResult(
            name, 0, bound / self._found.weight, Reason.STOPPED, 0, (bound / self._found.weight,)
        )
        estimator._finish(Fitted(result, (start,), 0))
        return estimator
