"""Criteria of a fitted chain; n is the number of steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.inference import criteria
from mixtura.inference.weighting import weight_type_of
from mixtura.models._chain_rows import Scoring
from mixtura.models._row_weights import row_weights
from mixtura.protocols import Array

__all__ = ["ChainCriteria"]


class ChainCriteria(Scoring):
    """AIC, BIC and ICL, all with one sign: lower is better."""

    @property
    def n_components_(self) -> int:
        """Number of states of the fitted chain (fewer than asked for where some were dropped)."""
        return int(self._model().n_components)

    def n_parameters(self) -> int:
        """Free parameters of the fitted chain: of observations, first states and moves; those known or impossible are not counted."""
        return int(self._model().point.n_parameters())

    def aic(self, X: Any, lengths: Any = None, **units: Any) -> float:
        """Akaike's information criterion on sequences; lower is better. Arguments as for `bic`."""
        log_likelihood, _, _ = self._totals(X, lengths=lengths, **units)
        return criteria.aic(log_likelihood, self.n_parameters())

    def bic(self, X: Any, lengths: Any = None, **units: Any) -> float:
        """Bayesian information criterion on sequences; lower is better.

        Parameters
        ----------
        X, lengths, **units
            Sequences as for `fit`; `units` are `groups`, `sample_weight`, `labels` and `covariates`.

        Returns
        -------
        float
            -2 log-likelihood + parameters times log n, where n is the number of steps (weighted, where sequences have weights), as in
            hmmlearn and depmixS4.
        """
        log_likelihood, n_steps, _ = self._totals(X, lengths=lengths, **units)
        return criteria.bic(log_likelihood, self.n_parameters(), n_steps)

    def icl(self, X: Any, lengths: Any = None, **units: Any) -> float:
        """Integrated completed likelihood: BIC - 2 log p(best paths | sequences); lower is better. Arguments as for `bic`.

        References
        ----------
        .. [1] G. Celeux and J.-B. Durand (2008), "Selecting hidden Markov model state number with cross-validated likelihood",
           Computational Statistics 23, 541-564.
        """
        log_likelihood, n_steps, certainty = self._totals(X, lengths=lengths, **units)
        return criteria.icl(log_likelihood, self.n_parameters(), n_steps, certainty)

    def _totals(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        lengths: Any = None,
        groups: Any = None,
        labels: Any = None,
        covariates: Any = None,
    ) -> tuple[float, float, float]:
        """Log-likelihood, number of steps and log probability of the best paths given the sequences, weighted."""
        given = self._given_sequences(X, lengths, groups)
        weight = row_weights(sample_weight, len(given.lengths))
        weight = np.ones(len(given.lengths)) if weight is None else weight
        model: Any = self._model().point
        log_likelihood = certainty = 0.0
        for part in self._scored(given, model, labels, covariates):
            own = weight[part.units]
            scales = model.structure.filtered(part.scores, part.batch).log_scale
            evidence = np.add.reduceat(scales, part.offsets[:-1])
            best = model.structure.viterbi(part.scores, part.batch).log_joint
            counts, possible = own > 0, np.isfinite(evidence)
            log_likelihood += float(evidence[counts] @ own[counts])
            both = counts & possible
            certainty += float((best[both] - evidence[both]) @ own[both])
        return log_likelihood, float(weight @ given.lengths), certainty

    def _meant(self, X: Any, sample_weight: Any, weight_type: str) -> Array | None:
        """Weights of sequences whose sum, over steps, is the n of the criteria."""
        meaning = weight_type_of(weight_type)
        if sample_weight is None:
            return None
        weight = row_weights(sample_weight, len(np.atleast_1d(sample_weight)))
        return None if weight is None else meaning.rescaled(weight)
