"""What a fitted Bayesian linear regression gives: predictions, intervals, draws from the posterior, model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import ndtri
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.chains import RowSums
from mixtura.models._checked import checked_count, checked_level
from mixtura.models._support import validated
from mixtura.persistence import ModelFile, write_model_file
from mixtura.protocols import Array, Batch, Encoding
from mixtura.statistics import Statistics

__all__ = ["PosteriorOutput"]

_SAVED = ("coef_", "covariance_", "scores_", "_centre")
_SCALARS = (
    "intercept_",
    "noise_variance_",
    "log_evidence_",
    "n_iter_",
    "converged_",
    "stop_reason_",
    "total_weight_",
    "n_features_in_",
    "_level",
)


class PosteriorOutput:
    """Methods that need the posterior only."""

    # Set by the constructor and the fit; declared for the type checker.
    fit_intercept: bool
    coef_: Array
    covariance_: Array
    coefficient_variance_: Any
    noise_variance_: float
    total_weight_: float
    n_features_in_: int
    get_params: Any
    _centre: Array
    _level: float
    _sums: Statistics

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Mean of the predictive distribution, and its standard deviation.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            Covariates.
        return_std : bool, default False
            Whether to return the standard deviation too.

        Returns
        -------
        mean : ndarray, shape (n_samples,)
            Expected responses.
        standard_deviation : ndarray, shape (n_samples,)
            Of a new response: noise and what is not known of the line; only with `return_std`.
        """
        check_is_fitted(self)
        away = validated(self, X, reset=False, dtype=np.float64) - self._centre
        mean = self._level + away @ self.coef_
        if not return_std:
            return mean
        variance = np.einsum("ij,ij->i", away @ self.covariance_, away) + self.noise_variance_
        return mean, np.sqrt(variance + self._level_variance)

    @property
    def _level_variance(self) -> float:
        """Variance of the response's level at the columns' means."""
        return self.noise_variance_ / self.total_weight_ if self.fit_intercept else 0.0

    def intervals(self, level: float = 0.9) -> Array:
        """Credible intervals of the coefficients, each by itself.

        Parameters
        ----------
        level : float, default 0.9
            Probability that a coefficient lies inside, given the variances.

        Returns
        -------
        ndarray, shape (n_features, 2)
            Lower and upper ends; both 0 for a pruned coefficient.
        """
        check_is_fitted(self)
        half = ndtri(0.5 + 0.5 * checked_level(level)) * np.sqrt(np.diag(self.covariance_))
        return np.column_stack([self.coef_ - half, self.coef_ + half])

    def params_frame(self, level: float = 0.9, library: str | None = None) -> Any:
        """Coefficients as a data frame: feature, mean, standard deviation, ends of the interval, prior variance.

        Parameters
        ----------
        level : float, default 0.9
            Of the intervals.
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        lower, upper = self.intervals(level).T
        numbered = [f"x{j}" for j in range(self.n_features_in_)]
        columns = {
            "feature": [str(name) for name in getattr(self, "feature_names_in_", numbered)],
            "mean": self.coef_,
            "standard_deviation": np.sqrt(np.diag(self.covariance_)),
            "lower": lower,
            "upper": upper,
            "prior_variance": np.broadcast_to(self.coefficient_variance_, lower.shape),
        }
        return make_frame(columns, library)

    def sample_posterior(self, n_samples: int = 1, random_state: Any = None) -> tuple[Array, Array]:
        """Draw regressions from the posterior.

        Parameters
        ----------
        n_samples : int, default 1
            How many.
        random_state : int, RandomState or None
            Seed.

        Returns
        -------
        coefficients : ndarray, shape (n_samples, n_features)
            One regression a row.
        intercepts : ndarray, shape (n_samples,)
            Zero without an intercept.
        """
        check_is_fitted(self)
        n_samples = checked_count("n_samples", n_samples)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
        values, vectors = np.linalg.eigh(self.covariance_)
        drawn = rng.standard_normal((n_samples, len(values))) * np.sqrt(np.maximum(values, 0.0))
        coefficients = self.coef_ + drawn @ vectors.T
        levels = self._level + np.sqrt(self._level_variance) * rng.standard_normal(n_samples)
        return coefficients, levels - coefficients @ self._centre

    # --- files ------------------------------------------------------------------------------------------------
    def save(self, path: str | Path) -> Path:
        """Write the fitted model to a file that holds numbers and text only (no pickle); `mixtura.load` reads it.

        Parameters
        ----------
        path : str or Path
            Target; suffix ``.mixtura`` by convention.

        Returns
        -------
        Path
            The path written.
        """
        check_is_fitted(self)
        settings = {n: v for n, v in self.get_params().items() if n not in ("callbacks", "executor")}
        if settings["coefficient_variance"] is not None:
            settings["coefficient_variance"] = np.asarray(
                settings["coefficient_variance"], dtype=float
            ).tolist()
        arrays = {name: getattr(self, name) for name in _SAVED} | self._sums.to_arrays("sums/")
        arrays["coefficient_variance_"] = np.asarray(self.coefficient_variance_)
        attributes = {name: getattr(self, name) for name in _SCALARS}
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in_"] = [str(name) for name in self.feature_names_in_]
        return write_model_file(path, ModelFile(type(self).__name__, settings, attributes, arrays))

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        """An estimator from the content of a model file."""
        content.check_made_for(cls, {*_SAVED, "coefficient_variance_"})
        new = cls(**content.settings)
        for name, value in content.attributes.items():
            setattr(new, name, np.asarray(value, dtype=object) if name == "feature_names_in_" else value)
        for name in _SAVED:
            setattr(new, name, content.arrays[name])
        variance = content.arrays["coefficient_variance_"]
        new.coefficient_variance_ = variance if variance.ndim else float(variance)
        new._sums = _blank_sums(new.n_features_in_ + 1).with_arrays(content.arrays, "sums/")
        return new


def _blank_sums(width: int) -> Statistics:
    return RowSums(Encoding(width))(Batch(np.zeros((width, 0)), np.zeros(0)), {})
