"""Rows that a Bayesian fit expects: drawn with the uncertainty of the parameters, and compared with those seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from mixtura.data.frames import make_frame
from mixtura.models import _summary
from mixtura.models._checked import checked_count
from mixtura.models._posterior_checks import PredictiveCheck, replicate, statistic_of
from mixtura.models._posterior_draws import drawn_rows, prior_draws
from mixtura.models._predict import Prediction
from mixtura.protocols import Array
from mixtura.structures import LatentMixture

__all__ = ["PosteriorRows"]


class PosteriorRows(Prediction):
    """Methods that draw rows under the posterior or the prior."""

    _bayesian_model: Callable[[], LatentMixture]
    _drawn_models: Callable[..., Iterator[LatentMixture]]

    def sample_predictive(
        self, n_samples: int = 1, *, n_datasets: int | None = None, random_state: Any = None
    ) -> Any:
        """Rows drawn from the posterior predictive law: parameters first, then rows.

        Parameters
        ----------
        n_samples : int, default 1
            Number of rows (of each data set).
        n_datasets : int, optional
            None draws new parameters for every row, so rows are independent draws of the law that `score_samples` gives the density
            of. A number draws so many data sets, whose rows share their parameters.
        random_state : int, RandomState or None
            None takes the estimator's.

        Returns
        -------
        ndarray, shape (n_samples, n_features), or data frame
            Where `n_datasets` is given, shape (n_datasets, n_samples, n_features), or a list of data frames.
        """
        rng = self._generator(random_state)
        return self._datasets(self._bayesian_model().draw, n_samples, n_datasets, rng)

    def prior_predictive(
        self, n_samples: int = 1, *, n_datasets: int | None = None, random_state: Any = None
    ) -> Any:
        """Rows drawn from the prior predictive law: what the priors take for likely before any row is seen.

        Parameters
        ----------
        n_samples, n_datasets, random_state
            As for `sample_predictive`.

        Returns
        -------
        ndarray or data frame
            As of `sample_predictive`. With the default priors, which are vague, rows lie far outside the data.
        """
        rng = self._generator(random_state)
        return self._datasets(prior_draws(self._bayesian_model()), n_samples, n_datasets, rng)

    def _datasets(
        self,
        draw: Callable[[np.random.Generator], LatentMixture],
        n_samples: int,
        n_datasets: int | None,
        rng: np.random.Generator,
    ) -> Any:
        n_rows = checked_count("n_samples", n_samples)
        if n_datasets is None:
            return self._shown(np.concatenate([drawn_rows(draw(rng), 1, rng) for _ in range(n_rows)]))
        many = range(checked_count("n_datasets", n_datasets))
        sets = [self._shown(drawn_rows(draw(rng), n_rows, rng)) for _ in many]
        return sets if getattr(self, "frame", None) is not None else np.stack(sets)

    def _shown(self, rows: Array) -> Any:
        """Rows in the form in which the mixture takes them."""
        frame = getattr(self, "frame", None)
        return rows if frame is None else make_frame(frame.decoded(rows), frame.library)

    def posterior_predictive_check(
        self,
        X: Any,
        statistic: Any = ("mean", "variance", "skewness"),
        *,
        n_draws: int = 500,
        method: str = "laws",
        random_state: Any = None,
    ) -> PredictiveCheck:
        """Does the fit give data like those seen? A number of the rows beside the same number of replicated rows.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.
        statistic : str, callable, or sequence of these
            "mean", "variance", "min", "median", "max", "skewness", "kurtosis" and "share of zeros" of every column, "correlation" of
            every pair; or a function of rows, a matrix of numbers, that returns a number or several.
        n_draws : int, default 500
            Replications: each has parameters of its own and as many rows as X, with the same cells missing.
        method : {"laws", "corrected"}, default "laws"
            How parameters are drawn; "corrected" as for `credible_intervals`, where X are the rows of the fit.
        random_state : int, RandomState or None
            None takes the estimator's.

        Returns
        -------
        PredictiveCheck
            With ``tail_probability``, a tidy ``frame()`` and ``plot()``.

        Notes
        -----
        The rows are used twice, for the fit and for the check, so tail probabilities of a right model lie closer to one half than
        uniform numbers do ([1]_, section 6.3): near 0 or 1 they speak clearly. Choose numbers that the parameters do not fit
        themselves: the mean of a Gaussian mixture is always right, its largest value or its skewness need not be.

        References
        ----------
        .. [1] A. Gelman et al. (2013), Bayesian Data Analysis, third edition.
        """
        self._bayesian_model()
        n_draws = checked_count("n_draws", n_draws, 2)
        rows = self._validate(X, reset=False)
        rows = np.asarray(rows.toarray() if sp.issparse(rows) else rows, dtype=np.float64)
        names = _summary._names(self)
        rng = self._generator(random_state)
        models = self._drawn_models(n_draws, method, X, None, rng)
        draws = (drawn_rows(model, len(rows), rng) for model in models)
        return replicate(statistic_of(statistic, names), rows, draws)

    def plot_posterior_predictive(
        self, X: Any, statistic: Any = ("mean", "variance", "skewness"), *, axes: Any = None, **options: Any
    ) -> Any:
        """Histograms of replicated statistics with the observed ones; see :func:`mixtura.plots.plot_posterior_predictive`.

        Parameters
        ----------
        X, statistic
            As for `posterior_predictive_check`, which also takes the options.
        axes : array of matplotlib Axes, optional
            One for each number; by default a new figure.

        Returns
        -------
        ndarray of matplotlib Axes
        """
        return self.posterior_predictive_check(X, statistic, **options).plot(axes)
