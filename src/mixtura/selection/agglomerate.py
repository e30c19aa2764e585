"""From the rows to all merges: one pass over the data, then one over the memory for every merge."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import scipy.sparse as sp

from mixtura.components import hooks
from mixtura.components.dirichlet_multinomial import DirichletMultinomial
from mixtura.data import block_rows, has_missing, make_source
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.executors import Serial, Threads
from mixtura.models import GaussianMixture, GroupedMultinomialMixture, MultinomialMixture
from mixtura.models._hmm import BaseHMM
from mixtura.protocols import Array, Batch, Executor, Source
from mixtura.selection.binned import BinnedDirichletMultinomial
from mixtura.selection.clusters import Clusters, Criterion, inner_product
from mixtura.selection.merging import DirichletLaw, Law, PlainLaw
from mixtura.selection.merging_chains import ChainLaw
from mixtura.statistics import Statistics
from mixtura.structures import Grouped, GroupedPlugIn, Independent, LatentMixture, Markov

__all__ = ["Agglomeration", "agglomerate"]

_SPARSE_ROWS = 8192
# The tree is of the responsibilities at the end of the groups' local loop.
_LOCAL_STEPS, _LOCAL_TOL = 200, 1e-6


@dataclass(frozen=True)
class Agglomeration:
    """What the merges are made of, and what they are.

    Parameters
    ----------
    model : LatentMixture
        The mixture.
    leaves : Clusters
        Its components with their sums.
    weight : float
        Sum of the units' weights.
    bound : float
        The bound of the leaves, with parameters that maximise it.
    entropy : float
        Of the leaves.
    merges : ndarray, shape (K - 1, 5)
        Positions of the two among the clusters left (the second goes), cost, loss of the bound, fall of the entropy.
    """

    model: LatentMixture
    leaves: Clusters
    weight: float
    bound: float
    entropy: float
    merges: Array


def agglomerate(
    estimator: Any,
    X: Any,
    criterion: Criterion,
    sample_weight: Any = None,
    groups: Any = None,
    lengths: Any = None,
) -> Agglomeration:
    """Merge the components of a fitted mixture, or the states of a chain, until one is left.

    Parameters
    ----------
    estimator : BaseMixture or BaseHMM
        Fitted.
    X, sample_weight, groups, lengths
        As for `SegmentTree.fit`.
    criterion : Criterion
        Which two are merged.

    Returns
    -------
    Agglomeration
        The leaves and the merges.
    """
    rows = (
        _steps(estimator, X, sample_weight, groups, lengths)
        if isinstance(estimator, BaseHMM)
        else _rows(estimator, X, sample_weight, groups, lengths)
    )
    memory, merges = _Remembered(rows.batches), []
    with _executor(estimator, rows.batches).session() as session:
        for batch, counts in rows.known.items():
            session.memory[batch]["counts"] = counts
        law = law_of(rows.model.structure)
        first = session.total(law.first_pass(rows.model), rows.batches)
        leaves = Clusters.start(rows.model.components, law.after(first), first, _prior(estimator, rows.model))
        bound, entropy = _top(rows.model, leaves, first)
        clusters, costs = leaves, np.array([criterion.costs(leaves, k) for k in range(len(leaves))])
        labels = np.arange(len(leaves))
        while len(clusters) > 1:
            one, other = _cheapest(costs)
            merges.append(
                (one, other, costs[one, other], clusters.loss(one, other), clusters.saved[one, other])
            )
            labels = np.where(labels == other, one, labels - (labels > other))
            join = clusters.law.pass_of_merge(one, other, labels)
            clusters = clusters.merged(one, other, session.total(join, memory))
            costs = np.delete(np.delete(costs, other, axis=0), other, axis=1)
            for k in range(len(clusters)) if clusters.entangled else [one]:
                costs[k] = costs[:, k] = criterion.costs(clusters, k)
    table = np.array(merges, dtype=np.float64).reshape(-1, 5)
    return Agglomeration(rows.model, leaves, first.weight, bound, entropy, table)


@dataclass(frozen=True)
class _Rows:
    """What is summed over: the model, batches, and the groups' counts where the model keeps them apart."""

    model: LatentMixture
    batches: Source
    known: dict[int, Array]


def _steps(estimator: Any, X: Any, sample_weight: Any, groups: Any, lengths: Any) -> _Rows:
    """Sequences of a chain; steps that were not observed say nothing."""
    given = estimator._sequences(X, lengths, groups, reset=False)
    problem = estimator._chain_problem(given, sample_weight)
    _refuse_gaps(problem.x)
    model = estimator._model()
    point = replace(model, components=hooks.point(model.components), structure=hooks.point(model.structure))
    model = _summable(point, problem.x)
    used = replace(problem, encoding=model.encoding, components=model.components)
    return _Rows(model, used.source(), {})


def law_of(structure: Any) -> Law:
    """The law that belongs to a structure."""
    if isinstance(structure, Grouped):
        return DirichletLaw(structure.pseudo_count)
    if isinstance(structure, Independent):
        return PlainLaw(grouped=isinstance(structure, GroupedPlugIn))
    if type(structure) is Markov:
        return ChainLaw(structure.initial, structure.transition, structure.transition)
    msg = (
        f"The law of the states is {structure!r}; expected one set of weights (Independent), weights per group (Grouped, "
        "GroupedPlugIn), or one transition matrix (Markov). States of other structures cannot be merged."
    )
    raise InvalidParameterError(msg)


def _refuse_gaps(X: Any) -> None:
    if has_missing(X):
        row, column = (int(index) for index in np.argwhere(np.isnan(X))[0])
        msg = (
            f"Row {row}, column {column} is missing (NaN); expected complete rows: what a merge costs is the loss of their "
            "likelihood. Give the rows that are complete, or impute(X) where the mixture has it."
        )
        raise InvalidDataError(msg)


def _summable(model: Any, X: Any) -> Any:
    """The model with components whose sums add over them, whatever their parameters are."""
    if isinstance(model.components, DirichletMultinomial):  # its own sums belong to its own parameters
        return replace(model, components=BinnedDirichletMultinomial.of(model.components, X))
    return model


def _rows(estimator: Any, X: Any, sample_weight: Any, groups: Any, lengths: Any) -> _Rows:
    if lengths is not None:
        msg = f"lengths were given for a {type(estimator).__name__}, whose rows have no order; expected none. Leave them out."
        raise InvalidParameterError(msg)
    X = estimator._validate(X, reset=False)
    _refuse_gaps(X)
    weight, offsets = estimator._check_weight(sample_weight, X.shape[0]), None
    model = estimator._model()
    if isinstance(estimator, GaussianMixture):
        components = copy.copy(model.components)
        components.model = estimator._blank(
            estimator.covariance_type
        ).model  # merged components are regularised as fitted ones are
        model = replace(model, components=components)
    model = _summable(model, X)
    if groups is not None and not isinstance(estimator, GroupedMultinomialMixture):
        kind = type(estimator).__name__
        msg = f"groups were given for a {kind}; expected a GroupedMultinomialMixture with them. Leave groups out."
        raise InvalidParameterError(msg)
    labels = np.empty(0)
    if groups is not None and np.isfinite(estimator.concentration_):
        order, offsets, labels = estimator._by_group(groups, X.shape[0])
        X, weight = X[order], None if weight is None else weight[order]
        plug_in = estimator.concentration_ == 0
        pseudo_count = estimator.concentration_ * estimator.weights_
        model = replace(
            model,
            structure=GroupedPlugIn(model.structure.log_weights)
            if plug_in
            else Grouped(pseudo_count, local_steps=_LOCAL_STEPS, tol=_LOCAL_TOL),
        )
    n_statistics = model.components.n_statistics(model.encoding.n_features)
    size = _SPARSE_ROWS if sp.issparse(X) else block_rows(n_statistics, model.n_components)
    batches = make_source(X, model.encoding, weight, offsets, size)
    known: dict[int, Array] = {}
    if isinstance(model.structure, GroupedPlugIn):
        counts = np.exp(estimator._for_groups(labels, len(labels)).T)
        ends = np.cumsum([len(np.asarray(batch.unit_offsets)) - 1 for batch in batches])
        known = dict(enumerate(np.split(counts, ends[:-1])))
    return _Rows(model, batches, known)


class _Remembered:
    """The batches without their rows: for passes over the memory alone."""

    def __init__(self, batches: Source) -> None:
        self._batches = [replace(batch, x=None) for batch in batches]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int, /) -> Batch:
        return self._batches[index]

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._batches)


def _executor(estimator: Any, batches: Source) -> Executor:
    if estimator.executor is not None:
        return cast("Executor", estimator.executor)
    return Threads() if len(batches) > 1 else Serial()


def _prior(estimator: Any, model: LatentMixture) -> Statistics | None:
    """Pseudo-observations of one component."""
    if not isinstance(estimator, MultinomialMixture):
        return None
    prior = estimator._prior(model.encoding.n_features, 1)
    return None if prior is None else prior.parts["components"]


def _top(model: LatentMixture, clusters: Clusters, first: Statistics) -> tuple[float, float]:
    """The bound of the leaves with parameters that maximise, and their entropy."""
    # What the inner product leaves out of the scores: the base measure.
    base = float(first["scored"].sum()) - inner_product(model.components, clusters.stats)
    weights = float(first["law"][0]) if clusters.law.grouped else clusters.law.value(clusters.count[None])
    entropy = float(first["entropy"].sum())
    return base + clusters.bound() + weights + entropy, entropy


def _cheapest(costs: Array) -> tuple[int, int]:
    """The pair of least cost, the first one of ties."""
    upper = np.where(np.triu(np.ones(costs.shape, dtype=bool), 1), costs, np.inf)
    one, other = divmod(int(np.argmin(upper)), len(costs))
    if not np.isfinite(upper[one, other]):
        msg = (
            f"Every merge of the {len(costs)} clusters left costs infinity: each has a category that another one gives "
            "probability zero. Use criterion='loss', or fit with a pseudo_count above 0."
        )
        raise InvalidParameterError(msg)
    return one, other
