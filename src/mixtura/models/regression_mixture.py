"""Mixtures of regressions: a response depends on covariates in a different way in every component.

The file is long because its docstring is: settings, attributes, notes and the arguments of `fit` take half of it.
Prediction is in `_regression_output`, what posterior laws add in `_regression_laws`, checks of the columns in `_regression_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin

from mixtura.components import GaussianResponse, LogisticResponse, PoissonResponse
from mixtura.components.regression import Regression
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.inference.bayesian import INFERENCES, Likelihood, Treatment, treatment
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models import _regression_rows as rows_of
from mixtura.models._base import BaseMixture
from mixtura.models._fitting import check_choice
from mixtura.models._regression_laws import RegressionLaws
from mixtura.priors import Prior
from mixtura.protocols import Array, Encoding, Executor
from mixtura.structures import Concomitant, Independent, LatentMixture

__all__ = ["RegressionMixture"]

_FAMILIES: dict[str, type[Regression]] = {
    "gaussian": GaussianResponse,
    "logistic": LogisticResponse,
    "poisson": PoissonResponse,
}


class RegressionMixture(RegressionLaws, RegressorMixin, BaseMixture):
    """Mixture of K regressions, with weights that may depend on further columns (concomitant variables).

    Rows belong to hidden groups, and in each group the response depends on the covariates in its own way. Conditional on
    the covariates, y has density sum over k of weight_k(concomitants) p(y | X, k).

    Parameters
    ----------
    n_components : int, default 1
        K.
    family : {"gaussian", "logistic", "poisson"}, default "gaussian"
        What the response is: a number; successes out of trials (0 or 1 where no trials are given); a count, per exposure
        where one is given.
    fit_intercept : bool, default True
        Whether every component has an intercept.
    shared : sequence of str or int, default ()
        Columns of X, by name or number, whose coefficients are the same in all components; "intercept" shares that.
    tied_noise : bool, default False
        Whether all components have one noise variance (Gaussian responses).
    noise_floor : float, default 1e-10
        Smallest noise variance, as a share of the variance of y. Without it the likelihood has no maximum, where some rows lie on
        a line.
    inference : {"em", "map", "variational"}, optional
        Maximum likelihood; the mode of the posterior density; or posterior laws of coefficients, noise and weights (variational Bayes:
        the bound of the log evidence takes the place of the log-likelihood). Default: "em", or "variational" where a prior is given.
        Gaussian responses only; without `shared`, `tied_noise` and concomitants.
    prior : RegressionPrior, optional
        Of every component's coefficients and noise (:class:`mixtura.priors.RegressionPrior`). None: a weak one made from all rows.
    weights_prior : DirichletPrior, DirichletProcessPrior or PitmanYorPrior, optional
        Of the weights.
    tol : float, default 1e-5
        Bound on the estimated remaining gain of the objective per row (nats).
    max_iter : int, default 1000
        Most steps of a run.
    n_init : int, default 1
        Starts; for the sieve, rounds of twenty candidates.
    init_params : {"sieve", "kmeans", "k-means++", "random", "random_from_data", "agglomerate"}, default "sieve"
        Where to start; or a fitted mixture of the same class. Distances are between residuals of one regression for all rows,
        alone and times the covariates: rows of different lines lie apart there.
    random_state : int, RandomState instance or None, default None
        Seed of the starts and of `sample`.
    warm_start : bool, default False
        Start from the last fit.
    verbose : int, default 0
        A positive number shows a progress bar.
    on_degenerate : {"reseed", "raise", "drop", "prior"}, default "reseed"
        What happens to a component that loses its rows.
    time_budget : float, optional
        Seconds after which the best model so far is returned.
    callbacks : sequence of callable, default ()
        Called after every pass; one that returns True ends the run.
    executor : Executor, optional
        Who sums. Default by the size of the data.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Mixture weights; with concomitants, their average over the rows of the fit.
    intercept_ : ndarray, shape (K,)
        Intercepts; zeros without.
    coef_ : ndarray, shape (K, P)
        Coefficients of the columns of X: slopes, log odds ratios or log rate ratios.
    noise_variances_ : ndarray, shape (K,)
        Variances of the noise (Gaussian responses), squared units of y.
    concomitant_intercept_, concomitant_coef_ : ndarray, shape (K,) and (K, Q)
        Of the logarithms of the weights, against the first component (zeros); only with concomitants.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`; the bound is the mean log-likelihood per row, given the covariates.

    Notes
    -----
    `score` is the mean log-likelihood of the responses, as for every mixture here, so that a search over `n_components`
    chooses what the components explain. For the coefficient of determination of the mixed prediction use
    ``sklearn.metrics.r2_score(y, mixture.predict(X))``.

    References
    ----------
    .. [1] B. Grün and F. Leisch (2008), "FlexMix version 2: finite mixtures with concomitant variables and varying and
       constant parameters", Journal of Statistical Software 28(4).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-3, 3, 300)
    >>> y = np.where(rng.random(300) < 0.4, 2 + 3 * x, 1 - x) + rng.normal(0, 0.5, 300)
    >>> mixture = RegressionMixture(2, random_state=0).fit(x.reshape(-1, 1), y)
    >>> order = np.argsort(mixture.weights_)
    >>> mixture.coef_[order].round(1).ravel(), mixture.intercept_[order].round(1)
    (array([ 3., -1.]), array([2. , 0.9]))
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = (
        "weights_",
        "intercept_",
        "coef_",
        "noise_variances_",
        "concomitant_intercept_",
        "concomitant_coef_",
    )

    _saved_objects: ClassVar[tuple[str, ...]] = ("prior", "weights_prior", "_laws", "_weights_law")

    def __init__(
        self,
        n_components: int = 1,
        *,
        family: str = "gaussian",
        fit_intercept: bool = True,
        shared: Sequence[str | int] = (),
        tied_noise: bool = False,
        noise_floor: float = 1e-10,
        inference: str | None = None,
        prior: Prior | None = None,
        weights_prior: Prior | None = None,
        tol: float = 1e-5,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: Any = "sieve",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        on_degenerate: str = "reseed",
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
    ) -> None:
        self.n_components = n_components
        self.family = family
        self.fit_intercept = fit_intercept
        self.shared = shared
        self.tied_noise = tied_noise
        self.noise_floor = noise_floor
        self.inference = inference
        self.prior = prior
        self.weights_prior = weights_prior
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.on_degenerate = on_degenerate
        self.time_budget = time_budget
        self.callbacks = callbacks
        self.executor = executor

    # --- fitting ----------------------------------------------------------------------------------------------
    def _check_settings(self) -> None:
        super()._check_settings()
        check_choice("family", self.family, list(_FAMILIES))
        if self.inference is not None:
            check_choice("inference", self.inference, INFERENCES)
        for name in ("fit_intercept", "tied_noise"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                msg = f"{name} is {getattr(self, name)!r}; expected True or False."
                raise InvalidParameterError(msg)
        if not (isinstance(self.noise_floor, int | float | np.number) and self.noise_floor >= 0):
            msg = f"noise_floor is {self.noise_floor!r}; expected a number of at least 0."
            raise InvalidParameterError(msg)

    def _treatment(self) -> Treatment:
        """How parameters are treated: what `inference` and the priors say."""
        return treatment(self.inference, self.prior, self.weights_prior)

    @property
    def _with_prior(self) -> bool:
        return not isinstance(self._treatment(), Likelihood)

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        labels: Any = None,
        concomitants: Any = None,
        exposure: Any = None,
        trials: Any = None,
    ) -> Self:
        """Learn the mixture.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            Covariates.
        y : array_like, shape (n_samples,)
            Responses: numbers, successes or counts.
        sample_weight : array_like, shape (n_samples,), optional
            Non-negative weights; an integer weight is the same as repeating the row.
        labels : array_like, optional
            What is known of the rows' components, as for :class:`GaussianMixture`.
        concomitants : array_like or data frame, shape (n_samples, n_concomitants), optional
            Columns on which the weights of the components depend (an intercept is added).
        exposure : array_like, shape (n_samples,), optional
            Positive exposures of counts (hours, inhabitants), which multiply the rates.
        trials : array_like, shape (n_samples,), optional
            Numbers of trials of which y are successes.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        InvalidDataError, InvalidParameterError, DegenerateComponentError
            With where, what was found, what was expected and what to do.
        """
        self._check_settings()
        table = self._table(X, y, concomitants, exposure, trials, reset=True)
        weight = self._check_weight(sample_weight, len(table))
        self._check_rows(table, weight)
        self._check_columns(table, weight)
        self._fit(self._problem(table, weight).restricted(self._allowed(labels, len(table))))
        return self

    # --- columns ----------------------------------------------------------------------------------------------
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
        """Checked columns side by side: response, trials or exposure, covariates, concomitants.

        `needed` names a method that cannot do without responses; elsewhere missing ones are zeros.
        """
        if needed and y is None:
            msg = f"{needed} needs the responses y of the rows; expected {needed}(X, y)."
            raise InvalidDataError(msg)
        name = getattr(y, "name", None)
        X, y = rows_of.covariate_table(self, X, y, reset=reset)
        known = self._known(
            len(X), {"exposure": exposure, "trials": trials}, reset=reset, strict=bool(needed)
        )
        beside = self._beside(concomitants, len(X), reset=reset)
        if reset:
            self._response_name = "y" if name is None else str(name)
        response = np.zeros(len(X)) if y is None else y
        table = np.column_stack([response, *([] if known is None else [known]), X, beside])
        rows_of.check_responses(self._blank(), table, self._column_names())
        return table

    def _known(self, n_rows: int, given: dict[str, Any], *, reset: bool, strict: bool) -> Array | None:
        """Trials or exposures (N,): ones where none are given, None where the family has none."""
        wanted = _FAMILIES[self.family].known_name
        for name, values in given.items():
            if values is not None and name != wanted:
                family = next(key for key, kind in _FAMILIES.items() if kind.known_name == name)
                msg = f"{name} is given with family={self.family!r}; expected it with family={family!r} only."
                raise InvalidParameterError(msg)
        if not wanted:
            return None
        column = rows_of.side_column(wanted, given[wanted], n_rows)
        if reset:
            self._with_known = column is not None
        elif column is None and strict and self._with_known:
            msg = f"The model was fitted with {wanted}, which these rows lack; expected {wanted}= as well."
            raise InvalidDataError(msg)
        return np.ones(n_rows) if column is None else column

    def _beside(self, concomitants: Any, n_rows: int, *, reset: bool) -> Array:
        """Concomitants (N, Q); no columns where there are none."""
        table = rows_of.concomitant_table(concomitants, n_rows)
        if reset:
            self._concomitant_names = rows_of.names_of(concomitants, table.shape[1])
        elif table.shape[1] != len(self._concomitant_names):
            listed = ", ".join(self._concomitant_names) or "none"
            msg = f"concomitants have {table.shape[1]} columns; expected {len(self._concomitant_names)}, as in the fit: {listed}."
            raise InvalidDataError(msg)
        return table

    def _column_names(self) -> list[str]:
        """Names of the columns of the table."""
        known = _FAMILIES[self.family].known_name
        names = getattr(self, "feature_names_in_", None)
        features = [f"x{j}" for j in range(self.n_features_in_)] if names is None else map(str, names)
        return [self._response_name, *([known] if known else []), *features, *self._concomitant_names]

    @property
    def _first(self) -> int:
        """Position of the first covariate in the table."""
        return 2 if _FAMILIES[self.family].known_name else 1

    def _parts(self, table: Array) -> tuple[Array, Array]:
        """Covariates and concomitants of a table."""
        last = self._first + self.n_features_in_
        return table[:, self._first : last], table[:, last:]

    def _check_columns(self, table: Array, weight: Array | None) -> None:
        """Refuse designs that do not determine their coefficients; a prior determines them."""
        if self._with_prior:
            return
        names = self._column_names()
        X, beside = self._parts(table)
        last = self._first + X.shape[1]
        rows_of.check_design(X, weight, names[self._first : last], intercept=self.fit_intercept, what="X")
        rows_of.check_design(beside, weight, names[last:], intercept=True, what="the concomitants")

    # --- the problem ------------------------------------------------------------------------------------------
    def _blank(self, smallest_variance: float = 0.0) -> Regression:
        """Components without parameters, which know which column of the table is which."""
        kind = _FAMILIES[self.family]
        names = self._column_names()[self._first : self._first + self.n_features_in_]
        settings: dict[str, Any] = {
            "covariates": range(self._first, self._first + self.n_features_in_),
            "intercept": bool(self.fit_intercept),
            "shared": rows_of.shared_columns(self.shared, names, intercept=self.fit_intercept),
        }
        if kind.known_name:
            return kind(**settings | {kind.known_name: 1})
        return GaussianResponse(**settings, tied=self.tied_noise, smallest_variance=smallest_variance)

    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        _, beside = self._parts(X)
        share = (
            np.full(len(X), 1.0 / len(X)) if sample_weight is None else sample_weight / sample_weight.sum()
        )
        spread = float(share @ (X[:, 0] - share @ X[:, 0]) ** 2)
        components = self._blank(self.noise_floor * spread)
        origin = np.where(components.movable(X.shape[1]), share @ X, 0.0)
        if self._first == 1 and not spread > 0:
            msg = f"All responses are {X[0, 0]:g}; expected responses that vary."
            raise InvalidDataError(msg)
        if self._with_prior and self._concomitant_names:
            msg = (
                f"concomitants are given ({', '.join(self._concomitant_names)}), but weights that depend on columns have no conjugate "
                "prior; expected none of them with a prior. Leave them out, or use inference='em'."
            )
            raise InvalidParameterError(msg)
        self._scaling = share @ beside, np.sqrt(share @ (beside - share @ beside) ** 2)
        problem = Problem(
            X,
            sample_weight,
            Encoding(X.shape[1], origin=origin),
            components,
            self._structure,
            rows_of.embeddings(components),
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
            covariates=(beside - self._scaling[0]) / self._scaling[1] if beside.shape[1] else None,
        )
        return self._treatment()(problem)

    def _start(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        start = super()._start(problem, rng)
        return None if start is None else self._treatment().start(problem, start)

    def _structure(self, counts: Array) -> Independent | Concomitant:
        """Weights proportional to the counts, to begin with."""
        if self._concomitant_names:
            return Concomitant.from_counts(counts, len(self._concomitant_names))
        return Independent(np.log(np.maximum(counts, 1e-300)))

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        return self._from_fitted(problem, self) if self.warm_start and hasattr(self, "coef_") else None

    def _from_fitted(self, problem: Problem, other: BaseMixture) -> LatentMixture:
        same = isinstance(other, RegressionMixture) and other.family == self.family
        if not same or other.n_features_in_ != self.n_features_in_:
            msg = (
                f"init_params is a fitted {other!r} of {other.n_features_in_} columns; expected a RegressionMixture with "
                f"family={self.family!r} of {self.n_features_in_} columns."
            )
            raise InvalidParameterError(msg)
        blank: Any = self._blank() if self._with_prior else problem.components
        start = self._filled(blank, other)
        origin = problem.encoding.origin
        structure = self._structure(other.weights_)
        if isinstance(structure, Concomitant) and other._concomitant_names == self._concomitant_names:
            mean, scale = self._scaling
            slopes = other.concomitant_coef_ * scale
            intercepts = other.concomitant_intercept_ + other.concomitant_coef_ @ mean
            structure = Concomitant(np.column_stack([intercepts, slopes]))
        components = start if origin is None else start.moved(origin)
        return LatentMixture(components, structure, problem.encoding)

    def _filled(self, blank: Regression, fitted: Any) -> Regression:
        """Components with the settings of `blank` and the public parameters of a fitted mixture."""
        intercepts = fitted.intercept_[:, None] if self.fit_intercept else np.empty((len(fitted.coef_), 0))
        coefficients = np.concatenate([intercepts, fitted.coef_], axis=1)
        if isinstance(blank, GaussianResponse):
            return blank.with_noise(coefficients, fitted.noise_variances_)
        return blank.replace(coefficients)

    def _publish(self, result: FitResult) -> None:
        model = result.model
        components = model.components.moved(-model.encoding.origin)
        self._laws = components if hasattr(components, "laws") else None
        self._weights_law = model.structure if self._laws is not None else None
        first = int(self.fit_intercept)
        counts = result.statistics.parts["structure"]["count"]
        self.weights_ = counts / counts.sum()
        self.coef_ = components.coefficients[:, first:]
        self.intercept_ = components.coefficients[:, 0] if first else np.zeros(len(self.coef_))
        if isinstance(components, GaussianResponse):
            self.noise_variances_ = np.array(components.noise_variances)
        if self._concomitant_names:
            mean, scale = self._scaling
            self.concomitant_coef_ = model.structure.coefficients[:, 1:] / scale
            self.concomitant_intercept_ = model.structure.coefficients[:, 0] - self.concomitant_coef_ @ mean
        else:
            self.weights_ = model.structure.weights

    def _model(self) -> LatentMixture:
        if self._laws is not None:
            return LatentMixture(self._laws, self._weights_law, Encoding(len(self._column_names())))
        if self._concomitant_names:
            structure: Any = Concomitant(
                np.column_stack([self.concomitant_intercept_, self.concomitant_coef_]),
                self._concomitant_names,
            )
        else:
            structure = Independent(np.log(self.weights_))
        components = self._filled(self._blank(), self)
        return LatentMixture(components, structure, Encoding(len(self._column_names())))

    def _learned(
        self, X: Any, sample_weight: Any, *, y: Any = None, labels: Any = None, **given: Any
    ) -> tuple[LatentMixture, Problem]:
        """The fitted model in the units of the data, and the problem that it solves."""
        table = self._table(X, y, **given, needed="standard_errors")
        model = self._model()
        if self._laws is not None:
            msg = (
                "This mixture was fitted with posterior laws, and standard errors are those of a maximum of the likelihood. Expected "
                "inference='em', or credible_intervals()."
            )
            raise InvalidParameterError(msg)
        problem = replace(
            self._problem(table, self._check_weight(sample_weight, len(table))),
            encoding=model.encoding,
            covariates=self._covariates(table),
        )
        return model, problem.restricted(self._allowed(labels, len(table)))

    def _population(self) -> LatentMixture:
        msg = "The entropy and divergences of a mixture of regressions are those of responses given covariates, which have no law."
        raise InvalidParameterError(msg)

    def _parameter_table(self) -> list[tuple[str, str, str, Array]]:
        """Coefficients, noise and coefficients of the weights, by the names of their columns."""
        model = self._model()
        components: Any = model.components
        names = self._column_names()
        # There is one response, so a deviation needs no name of a column.
        found = [
            (name, "" if name == "standard_deviation" else feature, other, values)
            for name, feature, other, values in components.table(names, None)
        ]
        structure = model.structure
        return found + (list(structure.table()) if isinstance(structure, Concomitant) else [])

    # --- files ------------------------------------------------------------------------------------------------
    def _more_to_save(self) -> dict[str, Any]:
        kept = ("_response_name", "_with_known", "_concomitant_names")
        found = {name: getattr(self, name) for name in kept if hasattr(self, name)}
        shared = [self.shared] if isinstance(self.shared, str | int) else list(self.shared)
        return found | {"shared": shared}

    @classmethod
    def _required_arrays(cls) -> set[str]:
        return {"weights_", "intercept_", "coef_"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # `score` is a mean log-likelihood, not a share of explained variance.
        tags.regressor_tags.poor_score = True
        return tags
