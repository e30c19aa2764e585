"""What mixtures whose parameters have posterior laws can say, beside what every mixture says.

Long, because what each method means and assumes is documented beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.components import hooks
from mixtura.data.frames import make_frame
from mixtura.exceptions import InvalidParameterError, optional_import
from mixtura.executors import one_thread
from mixtura.inference.linear_response import LinearResponse
from mixtura.inference.standard_errors import StandardErrors
from mixtura.inference.weighting import weight_type_of
from mixtura.models import _summary
from mixtura.models._checked import checked_count, checked_level
from mixtura.models._posterior_draws import (
    USED,
    Draws,
    method_of,
    prior_draws,
)
from mixtura.models._posterior_rows import PosteriorRows
from mixtura.models._posterior_used import expected_counts, number_used
from mixtura.protocols import Array
from mixtura.structures import LatentMixture

__all__ = ["Bayesian"]

# Draws of the weights that the summary's intervals are made from.
_SUMMARY_DRAWS = 2000


class Bayesian(PosteriorRows):
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

    # --- the bound and the components -------------------------------------------------------------------------
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

    @property
    def counts_(self) -> Array:
        """Expected rows N_k of each component, shape (K,), from the posterior law of the weights."""
        counts = expected_counts(self._bayesian_model().structure, self.total_weight_)
        if counts is None:
            msg = "Equal weights have no law, so there are no counts. Use n_used_distribution(X)."
            raise AttributeError(msg)
        return counts

    @property
    def n_used_(self) -> int:
        """Number of components with expected rows N_k of at least 1."""
        return int((self.counts_ >= USED).sum())

    def n_used_distribution(
        self, X: Any, *, sample_weight: Any = None, n_draws: int = 1000, random_state: Any = None
    ) -> Array:
        """Posterior law of the number of components that have rows among those given.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows, usually those of the fit.
        sample_weight : array_like, shape (n_samples,), optional
            How often each row is there.
        n_draws : int, default 1000
            Draws of all labels; they are needed only where more than about twelve components are in doubt, else it is exact.
        random_state : int, RandomState or None
            Of these draws; None takes the estimator's.

        Returns
        -------
        ndarray, shape (n_components + 1,)
            Probabilities of 0, 1, ..., K used components.

        Notes
        -----
        Under the variational law, in which the rows' labels are independent given the fit. It says how sure this fit is of its
        components, and nothing of other fits: compare bounds of several for that.
        """
        self._bayesian_model()
        n_draws = checked_count("n_draws", n_draws)
        resp = np.asarray(self.predict_proba(X), dtype=np.float64)
        weight = self._check_weight(sample_weight, len(resp))
        rng = self._generator(random_state)
        return number_used(resp, np.ones(len(resp)) if weight is None else weight, n_draws, rng)

    # --- parameters -------------------------------------------------------------------------------------------
    def standard_errors(self, X: Any, **settings: Any) -> StandardErrors:
        """Standard errors of all parameters where they were fitted by maximum likelihood.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows of the fit.
        **settings
            As for :meth:`GaussianMixture.standard_errors`: method, sample_weight, weight_type, level, n_bootstrap, random_state,
            progress, and what the fit was told beside the rows.

        Returns
        -------
        StandardErrors
            With a tidy ``frame()``.

        Raises
        ------
        InvalidParameterError
            If the parameters have posterior laws: `credible_intervals` says how well they are known.
        """
        check_is_fitted(self)
        if _has_laws(self._model().components):
            msg = (
                f"This {type(self).__name__} has posterior laws and is not at a maximum of the likelihood, which standard errors are "
                "about. Use credible_intervals(X)."
            )
            raise InvalidParameterError(msg)
        return super().standard_errors(X, **settings)

    def credible_intervals(
        self,
        X: Any = None,
        *,
        level: float = 0.9,
        method: str = "corrected",
        n_draws: int = 2000,
        sample_weight: Any = None,
        random_state: Any = None,
        library: str | None = None,
        **units: Any,
    ) -> Any:
        """Intervals in which weights and parameters lie with a given probability, each by itself.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features), optional
            The rows of the fit; only ``method="laws"`` can do without.
        level : float, default 0.9
            Posterior probability inside; both tails are equal.
        method : {"corrected", "laws"}, default "corrected"
            "laws" are those of the variational posterior, which takes the rows' labels as independent of the parameters: where
            components overlap its intervals are too narrow. "corrected" adds, by linear response, what is not known because labels
            are not ([1]_); where no label is in doubt both are the same.
        n_draws : int, default 2000
            Draws from which the ends are taken; with 2000 they vary by about 3 % of half the width.
        sample_weight : array_like, shape (n_samples,), optional
            Weights of the fit.
        random_state : int, RandomState or None
            Of the draws; None takes the estimator's.
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes pandas, or polars where pandas is missing.
        **units
            What the fit was told beside the rows: ``labels=``.

        Returns
        -------
        data frame
            component, parameter, feature, other_feature, value (as in `params_frame`), standard_deviation, lower, upper.

        Warns
        -----
        IllConditionedInformationWarning
            Where the rows do not tell the components apart along some direction.
        ConvergenceWarning
            Where the fit is not at the maximum of the bound for these rows.

        Notes
        -----
        The components keep their names: intervals are those about one solution, not over all orders of the components. The parameters
        of components with less than one row keep their laws, which are the prior's.

        References
        ----------
        .. [1] R. Giordano, T. Broderick and M. I. Jordan (2018), "Covariances, robustness, and variational Bayes", Journal of
           Machine Learning Research 19(51), 1-49.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> from mixtura.families import Normal
        >>> from mixtura.priors import DirichletPrior
        >>> rng = np.random.default_rng(0)
        >>> x = np.concatenate([rng.normal(0, 1, 200), rng.normal(3, 1, 200)])
        >>> mixture = Mixture(Normal(), 2, weights_prior=DirichletPrior(1.0), random_state=0).fit(x)
        >>> for method in ("laws", "corrected"):
        ...     frame = mixture.credible_intervals(x, method=method, random_state=0)
        ...     print(method, round(frame["upper"][0] - frame["lower"][0], 2))
        laws 0.08
        corrected 0.18
        """
        level, n_draws = checked_level(level), checked_count("n_draws", n_draws, 2)
        rng = self._generator(random_state)
        models = self._drawn_models(n_draws, method, X, sample_weight, rng, **units)
        return make_frame(self._draws(models).columns(level), library)

    def posterior_samples(
        self,
        n_draws: int = 1000,
        X: Any = None,
        *,
        method: str = "corrected",
        n_chains: int = 1,
        sample_weight: Any = None,
        random_state: Any = None,
        **units: Any,
    ) -> dict[str, Array]:
        """Parameters drawn from the posterior, as arrays by name.

        Parameters
        ----------
        n_draws : int, default 1000
            Draws of each chain; they are independent.
        X : array_like or data frame, shape (n_samples, n_features), optional
            The rows of the fit; only ``method="laws"`` can do without.
        method : {"corrected", "laws"}, default "corrected"
            As for `credible_intervals`.
        n_chains : int, default 1
            Number of chains, for tools that compare several.
        sample_weight, random_state, **units
            As for `credible_intervals`.

        Returns
        -------
        dict of str to ndarray
            ``"weight"``, shape (chain, draw, component), and the parameters of `params_frame` by their names, with one more axis where
            they belong to columns and two where they belong to pairs.
        """
        return self._samples(n_draws, X, method, n_chains, sample_weight, random_state, **units)[0]

    def prior_samples(self, n_draws: int = 1000, *, random_state: Any = None) -> dict[str, Array]:
        """Parameters drawn from the prior, as arrays by name.

        Parameters
        ----------
        n_draws : int, default 1000
            Number of draws.
        random_state : int, RandomState or None
            None takes the estimator's.

        Returns
        -------
        dict of str to ndarray
            As of `posterior_samples`, of one chain.
        """
        draw, rng = prior_draws(self._bayesian_model()), self._generator(random_state)
        draws = self._draws(draw(rng) for _ in range(checked_count("n_draws", n_draws)))
        return draws.arrays(1)[0]

    def to_arviz(
        self,
        X: Any = None,
        *,
        n_draws: int = 500,
        n_chains: int = 4,
        method: str = "corrected",
        log_likelihood: bool = False,
        sample_weight: Any = None,
        random_state: Any = None,
        **units: Any,
    ) -> Any:
        """Draws from the posterior and the prior as ArviZ's InferenceData.

        Parameters
        ----------
        X, n_draws, n_chains, method, sample_weight, random_state, **units
            As for `posterior_samples`.
        log_likelihood : bool, default False
            Whether to add the log density of every row under every draw (``arviz.loo``, ``arviz.waic``); needs X.

        Returns
        -------
        arviz.InferenceData
            Groups posterior and prior, with components and columns as coordinates, and log_likelihood where asked for.

        Raises
        ------
        MissingExtraError
            If ArviZ is not installed.
        """
        with warnings.catch_warnings():  # it announces its next version when it is imported
            warnings.simplefilter("ignore", FutureWarning)
            arviz = optional_import("arviz", "arviz")
        if log_likelihood and X is None:
            msg = "log_likelihood is True, but there are no rows; expected the rows of the fit as X."
            raise InvalidParameterError(msg)
        found, features, models = self._samples(
            n_draws, X, method, n_chains, sample_weight, random_state, **units
        )
        coordinates: dict[str, Any] = {"component": np.arange(self.n_components_)}
        dims: dict[str, list[str]] = {}
        for name, array in found.items():
            axes = [name + "_feature", name + "_other_feature"][: array.ndim - 3]
            dims[name] = ["component", *axes]
            coordinates |= dict.fromkeys(axes, features[name])
        groups: dict[str, Any] = {
            "posterior": found,
            "prior": self.prior_samples(n_draws, random_state=random_state),
        }
        if log_likelihood:
            rows = self._validate(X, reset=False)
            scores = np.array([self._score_rows(rows, model) for model in models])
            groups["log_likelihood"] = {"row": scores.reshape(n_chains, n_draws, -1)}
            dims["row"] = ["row_id"]
            coordinates["row_id"] = np.arange(scores.shape[1])
        return arviz.from_dict(**groups, coords=coordinates, dims=dims)

    # --- draws ------------------------------------------------------------------------------------------------
    def _samples(
        self,
        n_draws: int,
        X: Any,
        method: str,
        n_chains: int,
        sample_weight: Any,
        random_state: Any,
        **units: Any,
    ) -> tuple[dict[str, Array], dict[str, list[str]], list[LatentMixture]]:
        many = checked_count("n_draws", n_draws) * checked_count("n_chains", n_chains)
        rng = self._generator(random_state)
        models = list(self._drawn_models(many, method, X, sample_weight, rng, **units))
        return *self._draws(iter(models)).arrays(n_chains), models

    def _drawn_models(
        self,
        n_draws: int,
        method: str,
        X: Any,
        sample_weight: Any,
        rng: np.random.Generator,
        **units: Any,
    ) -> Iterator[LatentMixture]:
        """Models drawn from the posterior; settings are checked, and warnings given, before the first one."""
        model = self._bayesian_model()
        with one_thread():  # thousands of small matrices, on which threads only wait for each other
            change = method_of(method)(lambda: self._response(X, sample_weight, **units))
        return (change(model.draw(rng)) for _ in range(n_draws))

    def _response(self, X: Any, sample_weight: Any, **units: Any) -> LinearResponse:
        """The fit with its rows, as linear response needs them."""
        if X is None:
            msg = (
                "method is 'corrected', which needs the rows, but X is None. Give the rows of the fit, or take method='laws', whose "
                "intervals are too narrow where components overlap."
            )
            raise InvalidParameterError(msg)
        _, problem = self._learned(X, sample_weight, **units)
        return LinearResponse.of(self._model(), problem, weight_type_of("frequency"), self._executor(problem))

    def _draws(self, models: Iterator[LatentMixture]) -> Draws:
        return Draws.of(
            self._bayesian_model().point, models, _summary._parameters(self), _summary._names(self)
        )

    # --- tables and pictures ----------------------------------------------------------------------------------
    def _objective_facts(self) -> list[Any]:
        """For the summary: what the fit raised, and what belongs to it."""
        model = self._model()
        if not _has_laws(model.components):
            return ["log posterior density" if model.penalty() else "log-likelihood"]
        terms = self.lower_bound_terms_
        parts = (
            f"log evidence given the laws {terms['log_evidence']:.4f}, weights {terms['weights']:.4f}, "
            f"components {terms['components']:.4f}"
        )
        counts = expected_counts(model.structure, self.total_weight_)
        used = [] if counts is None else [f"{int((counts >= USED).sum())} of {len(counts)}"]
        return [
            "bound on the log evidence",
            ("its terms", parts),
            *(("components with rows", text) for text in used),
            (
                "intervals",
                "of the variational laws; credible_intervals(X) adds what labels in doubt leave open",
            ),
        ]

    def _weight_intervals(self) -> Array | None:
        """For the summary: intervals of the weights under their law, the same each time, shape (K, 2)."""
        law: Any = self._model().structure
        if not hasattr(law, "draw"):
            return None
        rng = np.random.default_rng(0)
        draws = np.array([law.draw(rng).weights for _ in range(_SUMMARY_DRAWS)])
        return np.quantile(draws, [0.05, 0.95], axis=0).T

    def plot_posterior_weights(self, X: Any = None, *, ax: Any = None, **options: Any) -> Any:
        """Weights with their intervals, used components marked; see :func:`mixtura.plots.plot_posterior_weights`."""
        from mixtura.plots import plot_posterior_weights

        self._bayesian_model()
        return plot_posterior_weights(self, X, ax=ax, **options)

    def _bayesian_model(self) -> Any:
        """The fitted model, which has posterior laws."""
        check_is_fitted(self)
        model = self._model()
        if not _has_laws(model.components):
            msg = (
                f"This {type(self).__name__} was fitted without posterior laws, so there is nothing to say of them; expected "
                "inference='variational' (or BayesianGaussianMixture). standard_errors(X) says how well maximum likelihood knows."
            )
            raise InvalidParameterError(msg)
        return model


def _has_laws(components: Any) -> bool:
    """Whether the parameters of components have posterior laws: those of all blocks of a product."""
    blocks = getattr(components, "blocks", None)
    return hasattr(components, "prior_draw") if blocks is None else all(map(_has_laws, blocks.values()))
