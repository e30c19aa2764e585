"""Prediction, criteria and tables of a mixture of regressions: methods of X, of y, and of what else belongs to a row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.inference import criteria
from mixtura.models._predict import Prediction
from mixtura.protocols import Array

__all__ = ["RegressionOutput"]


class RegressionOutput(Prediction):
    """Methods of a fitted mixture of regressions.

    All take the covariates X; those that look at responses take y; and all take, by name, what the fit was given:
    ``concomitants``, and ``exposure`` or ``trials`` (where these are left out of a prediction, they are 1).
    """

    @abstractmethod
    def _table(
        self,
        X: Any,
        y: Any = None,
        concomitants: Any = None,
        exposure: Any = None,
        trials: Any = None,
        *,
        reset: bool = False,
        needed: str = "",
    ) -> Array:
        """Checked columns side by side."""

    @abstractmethod
    def _parts(self, table: Array) -> tuple[Array, Array]:
        """Covariates and concomitants of a table."""

    fit: Callable[..., Any]

    def _covariates(self, X: Any) -> Array | None:
        beside = self._parts(X)[1]
        return beside if beside.shape[1] else None

    def _moments(self, table: Array) -> Iterator[tuple[slice, Array, Array, Array]]:
        """Blocks of rows: prior log weights, means and variances of the responses, shape (K, B) each."""
        for rows, batch, model in self._batches(table):
            block = model.components.encode(batch.x, model.encoding)
            components: Any = model.components
            log_weights = self._row_log_weights(rows, batch, model)
            log_weights = log_weights[:, None] if log_weights.ndim == 1 else log_weights
            mean = components.mean(block)
            yield rows, np.broadcast_to(log_weights, mean.shape), mean, components.variance(block)

    def predict(self, X: Any, **given: Any) -> Array:
        """Expected response of each row: the components' means, mixed by the weights before a response is seen.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            Covariates.
        **given
            ``concomitants``, ``exposure`` or ``trials``, as in the fit.

        Returns
        -------
        ndarray, shape (n_samples,)
            Numbers, successes (of one trial, where none are given) or counts.
        """
        check_is_fitted(self)
        table = self._table(X, **given)
        mixed = np.empty(len(table))
        for rows, log_weights, mean, _ in self._moments(table):
            mixed[rows] = np.sum(np.exp(log_weights) * mean, axis=0)
        return mixed

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None, **given: Any) -> Array:
        """Learn the mixture and label the same rows.

        Returns
        -------
        ndarray of int, shape (n_samples,)
            Most probable component of each row, given its response.
        """
        self.fit(X, y, sample_weight, **given)
        given.pop("labels", None)
        return np.asarray(self.predict_proba(X, y, **given).argmax(axis=1))

    def predict_components(self, X: Any, **given: Any) -> Array:
        """Expected response of each row in each component, shape (n_samples, n_components)."""
        check_is_fitted(self)
        table = self._table(X, **given)
        found = np.empty((len(table), self.n_components_))
        for rows, _, mean, _ in self._moments(table):
            found[rows] = mean.T
        return found

    def predict_proba(self, X: Any, y: Any = None, **given: Any) -> Array:
        """Probability of each component: given the response y, or before it is seen where y is None.

        Returns
        -------
        ndarray, shape (n_samples, n_components)
            Rows sum to one.
        """
        check_is_fitted(self)
        table = self._table(X, y, **given, needed="" if y is None else "predict_proba")
        found = np.empty((len(table), self.n_components_))
        if y is None:
            for rows, log_weights, _, _ in self._moments(table):
                found[rows] = np.exp(log_weights).T
            return found
        for rows, joint in self._joint(table):
            evidence = logsumexp(joint, axis=0)
            possible = np.isfinite(evidence)
            found[rows] = np.exp(joint - np.where(possible, evidence, 0.0)).T
            found[rows][~possible] = self.weights_
        return found

    def score_samples(self, X: Any, y: Any = None, **given: Any) -> Array:
        """Log-likelihood of each response given its covariates, natural logarithm, shape (n_samples,)."""
        check_is_fitted(self)
        return self._score_rows(self._table(X, y, **given, needed="score_samples"))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, **given: Any) -> float:
        """Mean log-likelihood of the responses given their covariates (weighted, where weights are given)."""
        evidence = self.score_samples(X, y, **given)
        return float(np.average(evidence, weights=self._check_weight(sample_weight, len(evidence))))

    def residuals(self, X: Any, y: Any, *, standardized: bool = False, **given: Any) -> Array:
        """Response minus the mean of the row's most probable component.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            Covariates.
        y : array_like, shape (n_samples,)
            Responses.
        standardized : bool, default False
            Whether to divide by the standard deviation of the response in that component.
        **given
            ``concomitants``, ``exposure`` or ``trials``, as in the fit.

        Returns
        -------
        ndarray, shape (n_samples,)
            The differences.
        """
        check_is_fitted(self)
        state = self.predict_proba(X, y, **given).argmax(axis=1)
        table = self._table(X, y, **given, needed="residuals")
        found = np.empty(len(table))
        for rows, _, mean, variance in self._moments(table):
            place = state[rows], np.arange(mean.shape[1])
            found[rows] = table[rows, 0] - mean[place]
            if standardized:
                found[rows] /= np.sqrt(variance[place])
        return found

    def sample(self, X: Any, **given: Any) -> tuple[Array, Array]:  # type: ignore[override]
        """Draw a response for every row of covariates; successive calls give different ones.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            Covariates: these have no law of their own, so there is nothing to draw rows from.
        **given
            ``concomitants``, ``exposure`` or ``trials``, as in the fit.

        Returns
        -------
        y : ndarray, shape (n_samples,)
            Responses.
        components : ndarray of int, shape (n_samples,)
            The component that each was drawn from.
        """
        check_is_fitted(self)
        if not hasattr(self, "_sampler"):
            self._sampler = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        table = self._table(X, **given)
        cumulated = np.cumsum(self.predict_proba(X, **given), axis=1)
        drawn = self._sampler.random((len(table), 1)) * cumulated[:, -1:]
        labels = (drawn > cumulated).sum(axis=1)
        responses = np.empty(len(table))
        for rows, batch, model in self._batches(table):
            components: Any = model.components
            block = components.encode(batch.x, model.encoding)
            responses[rows] = components.respond(block, labels[rows], self._sampler)
        return responses, labels

    # --- criteria ---------------------------------------------------------------------------------------------
    def _totals(
        self, X: Any, sample_weight: Any = None, y: Any = None, **given: Any
    ) -> tuple[float, float, float]:
        check_is_fitted(self)
        table = self._table(X, y, **given, needed="this criterion")
        weight = self._check_weight(sample_weight, len(table))
        weight = np.ones(len(table)) if weight is None else weight
        log_likelihood = certainty = 0.0
        for rows, joint in self._joint(table, self._model().point):
            evidence = logsumexp(joint, axis=0)
            log_likelihood += float(evidence @ weight[rows])
            certainty += float((joint.max(axis=0) - evidence) @ weight[rows])
        return log_likelihood, float(weight.sum()), certainty

    def aic(  # type: ignore[override] # responses before weights, as in `fit`
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        weight_type: str = "frequency",
        **given: Any,
    ) -> float:
        """Akaike's information criterion on X and y; lower is better. Weights as for `GaussianMixture.bic`."""
        weight = self._meant(X, sample_weight, weight_type)
        return criteria.aic(self._totals(X, weight, y, **given)[0], self.n_parameters())

    def bic(  # type: ignore[override] # responses before weights, as in `fit`
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        weight_type: str = "frequency",
        **given: Any,
    ) -> float:
        """Bayesian information criterion on X and y; lower is better. Weights as for `GaussianMixture.bic`."""
        weight = self._meant(X, sample_weight, weight_type)
        log_likelihood, n_units, _ = self._totals(X, weight, y, **given)
        return criteria.bic(log_likelihood, self.n_parameters(), n_units)

    def icl(  # type: ignore[override] # responses before weights, as in `fit`
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        weight_type: str = "frequency",
        **given: Any,
    ) -> float:
        """Integrated completed likelihood on X and y (BIC plus the uncertainty of the labels); lower is better."""
        weight = self._meant(X, sample_weight, weight_type)
        log_likelihood, n_units, certainty = self._totals(X, weight, y, **given)
        return criteria.icl(log_likelihood, self.n_parameters(), n_units, certainty)

    def assign(self, X: Any, y: Any = None, **given: Any) -> Any:
        """Labels and probabilities of rows, given their responses, as a labelled data frame.

        Returns
        -------
        data frame
            Of the same library (and index) as X, pandas for arrays, with columns ``component``, ``probability`` (of
            that component), ``log_likelihood`` and ``p0``, ``p1``, ...
        """
        from mixtura.data.frames import frame_like

        log_likelihood = self.score_samples(X, y, **given)
        resp = self.predict_proba(X, y, **given)
        columns: dict[str, Array] = {"component": resp.argmax(axis=1), "probability": resp.max(axis=1)}
        columns["log_likelihood"] = log_likelihood
        columns |= {f"p{k}": resp[:, k] for k in range(resp.shape[1])}
        return frame_like(columns, X)
