"""Prediction, sampling and criteria of a fitted mixture: one path over blocks of rows for all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data import has_missing
from mixtura.exceptions import InvalidParameterError
from mixtura.executors import Serial
from mixtura.inference import criteria
from mixtura.inference.problem import Problem
from mixtura.inference.weighting import weight_type_of
from mixtura.models._uncertainty import Uncertainty
from mixtura.protocols import Array, Batch
from mixtura.structures import LatentMixture

__all__ = ["Prediction"]


class Prediction(Uncertainty):
    """Methods that need a fitted model and rows."""

    weights_: Array
    random_state: Any

    @abstractmethod
    def _model(self) -> LatentMixture:
        """The fitted model, made from the public attributes."""

    @abstractmethod
    def _validate(self, X: Any, *, reset: bool) -> Any:
        """Rows as a matrix of floats."""

    @abstractmethod
    def _check_weight(self, sample_weight: Any, n_rows: int) -> Array | None:
        """Weights as an array, or None."""

    def _batches(
        self, X: Any, sample_weight: Array | None = None, model: LatentMixture | None = None
    ) -> Iterator[tuple[slice, Batch, LatentMixture]]:
        """Blocks of rows with the fitted model (or another one) and where they belong."""
        model = self._model() if model is None else model
        model = replace(model, encoding=replace(model.encoding, missing=has_missing(X)))
        problem = Problem(
            X,
            sample_weight,
            model.encoding,
            model.components,
            lambda _: model.structure,
            _no_embedding,
            _no_update,
            model.n_components,
            covariates=self._covariates(X),
        )
        start = 0
        with Serial().session():
            for batch in problem.source():
                stop = start + len(batch.sample_weight)
                yield slice(start, stop), batch, model
                start = stop

    def _covariates(self, X: Any) -> Array | None:
        """What the law of the components depends on in validated rows, shape (N, Q); None: nothing."""
        return None

    def _row_log_weights(self, rows: slice, batch: Batch, model: LatentMixture) -> Array:
        """Log prior of the components for the given rows, shape (K,) or (K, B)."""
        found = getattr(model.structure, "log_weights")  # noqa: B009 - not part of the Structure contract
        return np.asarray(found(batch.covariates) if callable(found) else found)

    def _joint(self, X: Any, model: LatentMixture | None = None) -> Iterator[tuple[slice, Array]]:
        """log p(x, component) of blocks of rows, shape (K, B), under the fitted model or another one."""
        for rows, batch, used in self._batches(X, model=model):
            scores = used.components.log_prob(used.components.encode(batch.x, used.encoding))
            log_weights = self._row_log_weights(rows, batch, used)
            scores += log_weights[:, None] if log_weights.ndim == 1 else log_weights
            yield rows, scores

    def _score_rows(self, X: Any, model: LatentMixture | None = None) -> Array:
        evidence = np.empty(X.shape[0], dtype=X.dtype)
        for rows, joint in self._joint(X, self._model().predictive if model is None else model):
            evidence[rows] = logsumexp(joint, axis=0)
        return evidence

    def score_samples(self, X: Any) -> Array:
        """Log-likelihood of each row, natural logarithm.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray, shape (n_samples,)
            log p(x); minus infinity for a row that is impossible under every component.
        """
        check_is_fitted(self)
        return self._score_rows(self._validate(X, reset=False))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean log-likelihood of the rows (weighted, where weights are given)."""
        evidence = self.score_samples(X)
        return float(np.average(evidence, weights=self._check_weight(sample_weight, len(evidence))))

    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of each component, shape (n_samples, n_components); rows sum to one."""
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        resp = np.empty((X.shape[0], self.n_components_), dtype=X.dtype)
        for rows, joint in self._joint(X):
            evidence = logsumexp(joint, axis=0)
            possible = np.isfinite(evidence)
            resp[rows] = np.exp(joint - np.where(possible, evidence, 0.0)).T
            if not possible.all():
                resp[rows][~possible] = self.weights_
        return resp

    def predict(self, X: Any) -> Array:
        """Most probable component of each row, shape (n_samples,)."""
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        labels = np.empty(X.shape[0], dtype=np.int64)
        for rows, joint in self._joint(X):
            labels[rows] = joint.argmax(axis=0)
        return labels

    @property
    def n_components_(self) -> int:
        """Number of components of the fitted model (fewer than asked for where some were dropped)."""
        return len(self.weights_)

    def sample(self, n_samples: int = 1) -> tuple[Array, Array]:
        """Draw new rows; successive calls give different rows.

        Parameters
        ----------
        n_samples : int, default 1
            Number of rows.

        Returns
        -------
        X : ndarray, shape (n_samples, n_features)
            The rows, in random order.
        components : ndarray of int, shape (n_samples,)
            The component that each was drawn from.
        """
        check_is_fitted(self)
        if n_samples < 1:
            msg = f"n_samples is {n_samples}; expected at least 1."
            raise InvalidParameterError(msg)
        if not hasattr(self, "_sampler"):
            self._sampler = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        rng, model = self._sampler, self._model().point
        weights = np.asarray(self.weights_, dtype=np.float64)
        labels = rng.choice(len(weights), size=n_samples, p=weights / weights.sum())
        rows = np.empty((n_samples, model.encoding.n_features))
        origin = 0.0 if model.encoding.origin is None else model.encoding.origin
        for k in np.unique(labels):
            chosen = labels == k
            rows[chosen] = model.components.sample(int(k), int(chosen.sum()), rng) + origin
        return rows, labels

    # --- criteria ---------------------------------------------------------------------------------------------
    def n_parameters(self) -> int:
        """Free parameters of the fitted model."""
        check_is_fitted(self)
        return self._model().point.n_parameters()

    def _totals(self, X: Any, sample_weight: Any) -> tuple[float, float, float]:
        """Log-likelihood, number of units and sum of the logs of the largest responsibilities."""
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        weight = self._check_weight(sample_weight, X.shape[0])
        weight = np.ones(X.shape[0]) if weight is None else weight
        log_likelihood = certainty = 0.0
        for rows, joint in self._joint(X, self._model().point):
            evidence = logsumexp(joint, axis=0)
            log_likelihood += float(evidence @ weight[rows])
            certainty += float((joint.max(axis=0) - evidence) @ weight[rows])
        return log_likelihood, float(weight.sum()), certainty

    def _meant(self, X: Any, sample_weight: Any, weight_type: str) -> Array | None:
        """Weights whose sum is the n of the criteria."""
        meaning = weight_type_of(weight_type)
        weight = self._check_weight(sample_weight, X.shape[0] if hasattr(X, "shape") else len(X))
        return None if weight is None else meaning.rescaled(weight)

    def aic(
        self, X: Any, sample_weight: Any = None, *, weight_type: str = "frequency", **units: Any
    ) -> float:
        """Akaike's information criterion on X; lower is better. See `bic` for the weights; grouped models take ``groups=``."""
        log_likelihood, _, _ = self._totals(X, self._meant(X, sample_weight, weight_type), **units)
        return criteria.aic(log_likelihood, self.n_parameters())

    def bic(
        self, X: Any, sample_weight: Any = None, *, weight_type: str = "frequency", **units: Any
    ) -> float:
        """Bayesian information criterion on X; lower is better.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.
        sample_weight : array_like, shape (n_samples,), optional
            Weights of the rows.
        weight_type : {"frequency", "probability"}, default "frequency"
            How often a row was seen: n is the sum of the weights. Or one over its probability of selection: weights are scaled to
            sum to the number of rows with positive weight, and the criterion is that of a pseudo-likelihood.
        **units
            Grouped models take ``groups=``, whose number is n.

        Returns
        -------
        float
            -2 log-likelihood + parameters times log n.
        """
        log_likelihood, n_units, _ = self._totals(X, self._meant(X, sample_weight, weight_type), **units)
        return criteria.bic(log_likelihood, self.n_parameters(), n_units)

    def icl(
        self, X: Any, sample_weight: Any = None, *, weight_type: str = "frequency", **units: Any
    ) -> float:
        """Integrated completed likelihood on X (BIC plus the uncertainty of the labels); lower is better. Weights as for `bic`."""
        log_likelihood, n_units, certainty = self._totals(
            X, self._meant(X, sample_weight, weight_type), **units
        )
        return criteria.icl(log_likelihood, self.n_parameters(), n_units, certainty)


def _no_embedding(rows: Any, weight: Array) -> list[Any]:  # pragma: no cover - scoring never starts a fit
    raise AssertionError


def _no_update(n_components: int) -> Any:  # pragma: no cover - scoring never updates
    raise AssertionError
