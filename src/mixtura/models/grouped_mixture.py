"""Mixtures of multinomials whose weights belong to groups, such as households, shrunk to the population.

The file is long because every question can be asked with the groups and without them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.data import make_source
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._base import BaseMixture
from mixtura.models.multinomial_mixture import MultinomialMixture
from mixtura.protocols import Array, Batch, Executor
from mixtura.statistics import Statistics
from mixtura.structures import Grouped, GroupedPlugIn, LatentMixture

__all__ = ["GroupedMultinomialMixture"]

_SHARED = frozenset({"n_units"})


class GroupedMultinomialMixture(MultinomialMixture):
    """Multinomial mixture whose weights belong to groups (households), shrunk to the population.

    All groups share the profiles; a group with many rows has weights of its own, one with few leans on the
    population. How strongly is the concentration s, learnt by default: the population counts for s rows in every
    group. ``concentration=0`` is the model without shrinkage, infinity the global mixture.

    Parameters
    ----------
    n_components : int, default 1
        K.
    concentration : "learn" or float, default "learn"
        s, in rows: learnt, or fixed at a number from 0 (no shrinkage) to infinity (one set of weights for all).
    tol : float, default 1e-3
        Bound on the estimated remaining gain of the bound per *group* (nats): groups are the units of this model.
    max_iter, n_init, init_params, pseudo_count, weights_init, profiles_init, random_state, warm_start, verbose, \
on_degenerate, time_budget, callbacks, executor
        As for :class:`MultinomialMixture`. Starts are screened with the global mixture.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Population weights.
    profiles_ : ndarray, shape (K, C)
        Profiles.
    concentration_ : float
        s.
    groups_ : ndarray, shape (G,)
        Group labels, sorted.
    group_weights_ : ndarray, shape (G, K)
        Weights of every group: for 0 < s < infinity the posterior mean (s alpha_k + sum_i r_ik) / (s + n_g).
    group_counts_ : ndarray, shape (G,)
        Rows (sum of weights) of every group.

    Examples
    --------
    >>> X = np.array([[5, 1], [4, 0], [0, 6], [1, 5], [6, 0], [1, 7]])
    >>> mixture = GroupedMultinomialMixture(2, concentration=2.0, random_state=0).fit(X, groups=["a", "a", "b", "b", "a", "b"])
    >>> mixture.group_weights_.shape
    (2, 2)
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = (
        *MultinomialMixture._saved_arrays,
        "group_weights_",
        "group_counts_",
    )

    def __init__(
        self,
        n_components: int = 1,
        *,
        concentration: str | float = "learn",
        tol: float = 1e-3,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str = "sieve",
        pseudo_count: float = 0.01,
        weights_init: Any = None,
        profiles_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        on_degenerate: str = "reseed",
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
    ) -> None:
        super().__init__(
            n_components,
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            init_params=init_params,
            pseudo_count=pseudo_count,
            weights_init=weights_init,
            profiles_init=profiles_init,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
            on_degenerate=on_degenerate,
            time_budget=time_budget,
            callbacks=callbacks,
            executor=executor,
        )
        self.concentration = concentration

    def _check_settings(self) -> None:
        super()._check_settings()
        s = self.concentration
        if s != "learn" and (isinstance(s, str | bool) or not float(s) >= 0):
            msg = f"concentration is {s!r}; expected 'learn', or a number from 0 (no shrinkage) to infinity (global weights)."
            raise InvalidParameterError(msg)

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, groups: Any = None, labels: Any = None
    ) -> Self:
        """Learn profiles, population weights and the weights of every group.

        Parameters
        ----------
        X : array_like, CSR matrix or data frame, shape (n_samples, C)
            Counts, rows in any order.
        y : ignored
            For scikit-learn's pipelines.
        sample_weight : array_like, shape (n_samples,), optional
            Non-negative weights of rows.
        groups : array_like, shape (n_samples,), optional
            Label of each row's group. None makes every row its own group.
        labels : array_like, optional
            What is known of the rows' components, as for the other mixtures.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._check_settings()
        X = self._validate(X, reset=True)
        weight = self._check_weight(sample_weight, X.shape[0])
        self._check_rows(X, weight)
        order, self._offsets, self.groups_ = self._by_group(groups, X.shape[0])
        weight = None if weight is None else weight[order]
        ones = np.ones(X.shape[0]) if weight is None else weight
        self.group_counts_ = np.add.reduceat(ones, self._offsets[:-1])
        allowed = self._allowed(labels, X.shape[0])
        allowed = None if allowed is None else allowed[order]
        self._fit(replace(self._problem(X[order], weight), order=order).restricted(allowed))
        del self._offsets
        return self

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        plain = super()._problem(X, sample_weight)
        if self._is_global:
            return plain

        def update(n_components: int) -> Maximization:
            prior = self._prior(X.shape[1], n_components, self._nothing_seen(n_components))
            return Maximization(prior, policy(self.on_degenerate))

        # Starts are looked for in the mixture with one set of weights, which is quicker and finds the same profiles.
        return replace(
            plain, unit_offsets=self._offsets, structure=self._structure, update=update, screen=plain
        )

    def _learned(self, X: Any, sample_weight: Any, *, groups: Any = None, labels: Any = None) -> Any:
        """The fitted model with the groups as units; without ``groups=`` every row is one, as in `fit`."""
        if self._is_global:
            return super()._learned(X, sample_weight, labels=labels)
        self.n_parameters()  # refuses the model without shrinkage
        X = self._validate(X, reset=False)
        weight = self._check_weight(sample_weight, X.shape[0])
        order, self._offsets, _ = self._by_group(groups, X.shape[0])
        allowed = self._allowed(labels, X.shape[0])
        problem = self._problem(X[order], None if weight is None else weight[order])
        problem = problem.restricted(None if allowed is None else allowed[order])
        del self._offsets
        structure = Grouped(self.concentration_ * self.weights_, learn=self.concentration == "learn")
        return replace(self._model(), structure=structure), problem

    @property
    def _is_global(self) -> bool:
        return self.concentration != "learn" and np.isinf(float(self.concentration))

    def _structure(self, counts: Array) -> Any:
        """Law of the groups' weights; a learnt concentration starts at ten rows."""
        with np.errstate(divide="ignore"):
            if self.concentration == 0:
                return GroupedPlugIn(np.log(counts / counts.sum()))
        s = 10.0 if self.concentration == "learn" else float(self.concentration)
        share = np.maximum(counts / counts.sum(), 1e-10)
        return Grouped(s * share / share.sum(), learn=self.concentration == "learn")

    def _structure_like(self, problem: Problem, other: BaseMixture) -> Any:
        s = getattr(other, "concentration_", 0.0)
        if self.concentration == "learn" and 0 < s < np.inf:  # go on from what the other has learnt
            return Grouped(s * other.weights_)
        return super()._structure_like(problem, other)

    def _nothing_seen(self, n_components: int) -> Statistics | None:
        """Sums of the structure, all zero."""
        if self.concentration == 0:
            return None
        zero = np.zeros(n_components)
        return Statistics({"count": zero, "log_weight": zero, "n_units": np.zeros(1)}, shared=_SHARED)

    def _publish(self, result: FitResult) -> None:
        super()._publish(result)
        structure = result.model.structure
        if self._is_global:
            self.concentration_ = np.inf
            self.group_weights_ = np.tile(self.weights_, (len(self.groups_), 1))
            return
        name = "counts" if self.concentration == 0 else "dirichlet"
        remembered = np.concatenate([result.memory[batch][name] for batch in sorted(result.memory)])
        self.concentration_ = structure.concentration
        self.group_weights_ = structure.group_weights(remembered)

    def n_parameters(self) -> int:
        """K (C - 1) + K with a learnt concentration, one fewer with a fixed one."""
        check_is_fitted(self)
        if self.concentration_ == 0:
            msg = (
                "With concentration=0 every group has free weights of its own, so the number of parameters grows with the data and "
                "criteria such as BIC do not apply. Compare by held-out likelihood: score(X, groups=...)."
            )
            raise InvalidParameterError(msg)
        n_components, n_features = self.profiles_.shape
        return n_components * (n_features - 1) + n_components - int(self.concentration != "learn")

    def _by_group(self, groups: Any, n_rows: int) -> tuple[Array, Array, Array]:
        """Order that brings each group's rows together, where each group begins, and the groups' labels."""
        given = self._group_labels(groups, n_rows)
        try:
            labels, codes = np.unique(given, return_inverse=True)
        except TypeError:
            kinds = ", ".join(sorted({type(label).__name__ for label in given.tolist()}))
            msg = f"groups mixes labels of types {kinds}, which have no order; expected one type. Turn all of them into text."
            raise InvalidDataError(msg) from None
        offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(labels)))])
        return np.argsort(codes, kind="stable"), offsets, labels

    def _group_labels(self, groups: Any, n_rows: int) -> Array:
        if groups is None:
            return np.arange(n_rows)
        labels = np.asarray(groups)
        if labels.shape != (n_rows,):
            msg = f"groups has shape {labels.shape}; expected ({n_rows},), one label for each row of X."
            raise InvalidDataError(msg)
        missing = np.flatnonzero(
            [label is None or (isinstance(label, float) and np.isnan(label)) for label in labels.tolist()]
        )
        if missing.size:
            msg = f"groups[{missing[0]}] is missing; expected a label for every row. Drop these {missing.size} rows or name their group."
            raise InvalidDataError(msg)
        if labels.dtype == object and len({type(label) for label in labels.tolist()}) == 1:
            return np.asarray(labels.tolist())  # numbers or text that came as objects
        return labels

    def _for_groups(self, groups: Any, n_rows: int) -> Array:
        """Log weights of the rows' groups, shape (K, N); the population's for groups not seen in training."""
        if groups is None:
            return np.broadcast_to(np.log(self.weights_)[:, None], (len(self.weights_), n_rows))
        labels = self._group_labels(groups, n_rows)
        kinds = ["numbers" if array.dtype.kind in "iufb" else "text" for array in (labels, self.groups_)]
        if kinds[0] != kinds[1]:
            msg = f"groups holds {kinds[0]}, but the model was fitted with {kinds[1]}, so none is known. Give labels of the same type."
            raise InvalidDataError(msg)
        position = np.minimum(np.searchsorted(self.groups_, labels), len(self.groups_) - 1)
        known = self.groups_[position] == labels
        with np.errstate(divide="ignore"):
            log_weights = np.log(np.where(known[:, None], self.group_weights_[position], self.weights_))
        return np.ascontiguousarray(log_weights.T)

    def _row_log_weights(self, rows: slice, batch: Batch, model: LatentMixture) -> Array:
        return self._scored_groups[:, rows]

    def _with_groups(self, X: Any, groups: Any, call: Callable[[Any], Any]) -> Any:
        check_is_fitted(self)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        self._scored_groups = self._for_groups(groups, n_rows)
        try:
            return call(X)
        finally:
            del self._scored_groups

    def score_samples(self, X: Any, groups: Any = None) -> Array:
        """Log predictive probability of each row under its group's weights.

        Parameters
        ----------
        X : array_like, CSR matrix or data frame, shape (n_samples, C)
            Counts.
        groups : array_like, shape (n_samples,), optional
            Label of each row's group; groups not seen in training, and None, use the population weights.

        Returns
        -------
        ndarray, shape (n_samples,)
            log p(x | group).
        """
        return np.asarray(self._with_groups(X, groups, super().score_samples))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, *, groups: Any = None) -> float:
        """Mean log predictive probability of the rows under their groups' weights."""
        evidence = self.score_samples(X, groups)
        return float(np.average(evidence, weights=self._check_weight(sample_weight, len(evidence))))

    def predict_proba(self, X: Any, groups: Any = None) -> Array:
        """Posterior probability of each component under the group's weights, shape (n_samples, K)."""
        return np.asarray(self._with_groups(X, groups, super().predict_proba))

    def predict(self, X: Any, groups: Any = None) -> Array:
        """Most probable component of each row under its group's weights."""
        return np.asarray(self._with_groups(X, groups, super().predict))

    def _totals(self, X: Any, sample_weight: Any, groups: Any = None) -> tuple[float, float, float]:
        """The bound on the groups' evidence, the number of groups, and the certainty of the rows' labels."""
        check_is_fitted(self)
        if groups is None or self._is_global:
            if not self._is_global:
                msg = "Criteria of a grouped mixture need the rows' groups; found none. Give groups=, one label for each row."
                raise InvalidParameterError(msg)
            population = super()._totals
            totals: tuple[float, float, float] = self._with_groups(
                X, None, lambda rows: population(rows, sample_weight)
            )
            return totals
        X = self._validate(X, reset=False)
        weight = self._check_weight(sample_weight, X.shape[0])
        order, offsets, labels = self._by_group(groups, X.shape[0])
        weight = np.ones(X.shape[0]) if weight is None else weight[order]
        self.n_parameters()  # refuses the model without shrinkage
        structure = Grouped(self.concentration_ * self.weights_, local_steps=200, tol=1e-6)
        model = replace(self._model(), structure=structure)
        log_evidence = certainty = 0.0
        for batch in make_source(X[order], model.encoding, weight, offsets):
            evidence, resp, _ = model.infer(batch, {})
            log_evidence += float(evidence.sum())
            counted = batch.sample_weight > 0
            share = resp.max(axis=0)[counted] / batch.sample_weight[counted]
            certainty += float(np.log(share) @ batch.sample_weight[counted])
        return log_evidence, float(len(labels)), certainty

    def group_table(self) -> Any:
        """Weights of the groups as a data frame: group, rows, concentration of its weights, one column a component."""
        from mixtura.data.frames import make_frame

        check_is_fitted(self)
        columns: dict[str, Any] = {"group": self.groups_, "rows": self.group_counts_}
        columns |= {f"w{k}": self.group_weights_[:, k] for k in range(self.group_weights_.shape[1])}
        return make_frame(columns)

    def _more_to_save(self) -> dict[str, Any]:
        return {"groups_": self.groups_.tolist(), "concentration_": self.concentration_}

    @classmethod
    def _from_file(cls, content: Any) -> Self:
        estimator = super()._from_file(content)
        estimator.groups_ = np.asarray(content.attributes["groups_"])
        return estimator
