"""What mixtures whose parameters have posterior laws can say, beside what every mixture says."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from mixtura.components import hooks
from mixtura.exceptions import InvalidParameterError
from mixtura.models._predict import Prediction
from mixtura.protocols import Array

__all__ = ["Bayesian"]


class Bayesian(Prediction):
    """Methods of mixtures fitted by variational Bayes; of others `score_samples` is the only one that answers."""

    lower_bound_: float
    total_weight_: float

    def score_samples(self, X: Any, *, plug_in: bool = False) -> Array:
        """Log-likelihood of each row, natural logarithm.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.
        plug_in : bool, default False
            With posterior laws: whether to return the sum over components of exp E[log weight + log density] (scikit-learn's
            figure, a lower bound), instead of the predictive law, in which parameters are integrated over (for Gaussians a mixture
            of Student-t laws). Without posterior laws both are the same.

        Returns
        -------
        ndarray, shape (n_samples,)
            log p(x | rows of the fit).
        """
        check_is_fitted(self)
        return self._score_rows(self._validate(X, reset=False), self._model() if plug_in else None)

    @property
    def lower_bound_terms_(self) -> dict[str, float]:
        """What the bound is made of, totals over the data: log evidence given q, divergences of weights and components."""
        model = self._bayesian_model()
        weights, components = hooks.penalty(model.structure), hooks.penalty(model.components)
        bound = self.lower_bound_ * self.total_weight_
        return {
            "lower_bound": bound,
            "log_evidence": bound + weights + components,
            "weights": -weights,
            "components": -components,
        }

    def _bayesian_model(self) -> Any:
        """The fitted model, which has posterior laws."""
        check_is_fitted(self)
        model = self._model()
        if not hasattr(model.components, "draw"):
            msg = (
                f"This {type(self).__name__} was fitted without posterior laws, so there is nothing to say of them; expected "
                "inference='variational' (or BayesianGaussianMixture). standard_errors(X) says how well maximum likelihood knows."
            )
            raise InvalidParameterError(msg)
        return model
