"""What mixtures of regressions with posterior laws can say beside what every one says."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaincinv, stdtrit
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.components import hooks
from mixtura.exceptions import InvalidParameterError
from mixtura.models._checked import checked_count, checked_level
from mixtura.models._regression_output import RegressionOutput
from mixtura.protocols import Array

__all__ = ["RegressionLaws"]


class RegressionLaws(RegressionOutput):
    """Methods of a mixture of regressions fitted by variational Bayes; others refuse, and say why."""

    lower_bound_: float
    total_weight_: float
    #: Components with posterior laws in the units of the data, and the law of the weights; None without.
    _laws: Any = None
    _weights_law: Any = None
    _column_names: Any
    fit_intercept: bool

    def _posterior(self) -> Any:
        """Components with posterior laws."""
        check_is_fitted(self)
        if self._laws is None:
            msg = (
                f"This {type(self).__name__} was fitted without posterior laws, so there is nothing to say of them; expected "
                "inference='variational'. standard_errors(X, y=y) says how well maximum likelihood knows."
            )
            raise InvalidParameterError(msg)
        return self._laws

    @property
    def lower_bound_terms_(self) -> dict[str, float]:
        """What the bound is made of, totals over the data: log evidence given q, divergences of weights and components."""
        components = hooks.penalty(self._posterior())
        weights = hooks.penalty(self._weights_law)
        bound = self.lower_bound_ * self.total_weight_
        return {
            "lower_bound": bound,
            "log_evidence": bound + weights + components,
            "weights": -weights,
            "components": -components,
        }

    def credible_intervals(self, level: float = 0.9, library: str | None = None) -> Any:
        """Intervals of coefficients and noise by their posterior laws, each by itself.

        Parameters
        ----------
        level : float, default 0.9
            Posterior probability inside; both tails are equal.
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes pandas, or polars where pandas is missing.

        Returns
        -------
        data frame
            component, parameter, feature, value, lower, upper.

        Notes
        -----
        Coefficients have Student-t laws, noise variances inverse gamma ones. The laws take the rows' components as independent of the
        parameters: where lines are close, intervals are too narrow.
        """
        from mixtura.data.frames import make_frame

        components = self._posterior()
        level = checked_level(level)
        laws = components.laws
        spread = np.sqrt(np.diagonal(laws.covariance, axis1=1, axis2=2) * (laws.rate / laws.shape)[:, None])
        half = stdtrit(2.0 * laws.shape, 0.5 + 0.5 * level)[:, None] * spread
        tails = 0.5 - 0.5 * level, 0.5 + 0.5 * level
        slowest, quickest = (gammaincinv(laws.shape, tail) / laws.rate for tail in tails)
        columns: dict[str, list[Any]] = {
            name: [] for name in ("component", "parameter", "feature", "value", "lower", "upper")
        }
        rows = list(components.table(self._column_names(), None))
        ends = [(laws.mean[:, j] - half[:, j], laws.mean[:, j] + half[:, j]) for j in range(half.shape[1])]
        ends.append((1.0 / np.sqrt(quickest), 1.0 / np.sqrt(slowest)))
        for (parameter, feature, _, values), (lower, upper) in zip(rows, ends, strict=True):
            for k in range(laws.many):
                entry = (k, parameter, feature, values[k], lower[k], upper[k])
                for name, value in zip(columns, entry, strict=True):
                    columns[name].append(value)
        return make_frame(columns, library)

    def sample_posterior(self, n_samples: int = 1, random_state: Any = None) -> dict[str, Array]:
        """Draw mixtures of regressions from the posterior laws.

        Parameters
        ----------
        n_samples : int, default 1
            How many.
        random_state : int, RandomState or None
            Seed.

        Returns
        -------
        dict of str to ndarray
            ``"weight"``, ``"intercept"`` and ``"noise_variance"``, shape (n_samples, K), and ``"coefficient"``, shape
            (n_samples, K, n_features).
        """
        components = self._posterior()
        n_samples = checked_count("n_samples", n_samples)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
        drawn = [(components.draw(rng), self._weights_law.draw(rng).weights) for _ in range(n_samples)]
        lines = np.array([one.coefficients for one, _ in drawn])
        first = int(self.fit_intercept)
        return {
            "weight": np.array([weights for _, weights in drawn]),
            "intercept": lines[:, :, 0] if first else np.zeros(lines.shape[:2]),
            "coefficient": lines[:, :, first:],
            "noise_variance": np.array([one.noise_variances for one, _ in drawn]),
        }
