"""What a fitted mixture says about its own uncertainty: standard errors, entropies, divergence from another mixture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.special import entr
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.exceptions import InvalidParameterError, did_you_mean
from mixtura.inference.bootstrap import Bootstrap
from mixtura.inference.curvature import Louis, OuterProduct, Sandwich
from mixtura.inference.information import Fit
from mixtura.inference.intervals import Readable, readable
from mixtura.inference.problem import Problem
from mixtura.inference.standard_errors import Method, Reader, StandardErrors
from mixtura.inference.stopping import Stopping
from mixtura.inference.weighting import weight_type_of
from mixtura.models import _summary
from mixtura.models._labels import allowed_components
from mixtura.models._monte_carlo import MonteCarlo, average, log_density, same_levels
from mixtura.protocols import Array, Executor
from mixtura.structures import LatentMixture

__all__ = ["Uncertainty"]


@dataclass(frozen=True)
class _Asked:
    """What a method may need to know."""

    n_bootstrap: int
    rng: np.random.Generator
    stopping: Stopping
    progress: bool


_METHODS: Mapping[str, Callable[[_Asked], Method]] = MappingProxyType(
    {
        "louis": lambda _: Louis(),
        "scores": lambda _: OuterProduct(),
        "sandwich": lambda _: Sandwich(),
        "bootstrap": lambda asked: Bootstrap(asked.n_bootstrap, asked.rng, asked.stopping, asked.progress),
    }
)


class Uncertainty:
    """Methods that ask how well something is known."""

    weights_: Array
    tol: float
    max_iter: int
    random_state: Any
    n_features_in_: int

    @abstractmethod
    def _model(self) -> LatentMixture:
        """The fitted model, made from the public attributes."""

    @abstractmethod
    def _validate(self, X: Any, *, reset: bool) -> Any:
        """Rows as a matrix of floats."""

    @abstractmethod
    def _check_weight(self, sample_weight: Any, n_rows: int) -> Array | None:
        """Weights as an array, or None."""

    @abstractmethod
    def _problem(self, X: Any, sample_weight: Array | None) -> Problem:
        """The learning problem for validated rows."""

    @abstractmethod
    def _executor(self, problem: Problem) -> Executor:
        """Who sums."""

    @abstractmethod
    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of each component."""

    # --- standard errors --------------------------------------------------------------------------------------
    def standard_errors(
        self,
        X: Any,
        *,
        method: str = "louis",
        sample_weight: Any = None,
        weight_type: str = "frequency",
        level: float = 0.95,
        n_bootstrap: int = 200,
        random_state: Any = None,
        progress: bool = False,
        **units: Any,
    ) -> StandardErrors:
        """Standard errors and intervals of all parameters, given the rows that the mixture was fitted to.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows of the fit.
        method : {"louis", "scores", "sandwich", "bootstrap"}, default "louis"
            Observed information by Louis's formula; sum of outer products of scores; robust against a wrong model (and the
            only one besides the bootstrap for sampling weights); fits to resampled rows, each started from this one.
        sample_weight : array_like, shape (n_samples,), optional
            Weights of the fit.
        weight_type : {"frequency", "probability"}, default "frequency"
            Whether a weight says how often a row was seen, or is one over its probability of selection.
        level : float, default 0.95
            Of the intervals.
        n_bootstrap : int, default 200
            Fits of the bootstrap.
        random_state : int, RandomState or None
            Of the bootstrap; None takes the estimator's.
        progress : bool, default False
            Show a progress bar of the bootstrap on standard error.
        **units
            What the fit was told beside the rows: ``labels=``, or ``groups=`` of a mixture whose weights belong to groups, which
            are then the units.

        Returns
        -------
        StandardErrors
            With a tidy ``frame()`` and the ``covariance`` of the free coordinates.

        Raises
        ------
        InvalidParameterError
            If a setting is not allowed, or sampling weights meet a method that takes them for counts.

        Notes
        -----
        Warns with `IllConditionedInformationWarning` where the data do not tell a parameter, and with `ConvergenceWarning` where
        the estimates are not at the maximum of the likelihood.
        """
        check_is_fitted(self)
        if not 0.0 < level < 1.0:
            msg = f"level is {level!r}; expected a number between 0 and 1, such as 0.95."
            raise InvalidParameterError(msg)
        if isinstance(n_bootstrap, bool) or not isinstance(n_bootstrap, int | np.integer) or n_bootstrap < 2:
            msg = f"n_bootstrap is {n_bootstrap!r}; expected a whole number of at least 2."
            raise InvalidParameterError(msg)
        if method not in _METHODS:
            msg = f"method is {method!r}, which is not one of the choices. {did_you_mean(str(method), _METHODS)}"
            raise InvalidParameterError(msg)
        rng = self._generator(random_state)
        how = _METHODS[method](_Asked(n_bootstrap, rng, Stopping(self.tol, self.max_iter), progress))
        meaning = weight_type_of(weight_type)
        if how.needs_likelihood and sample_weight is not None and not meaning.likelihood:
            msg = (
                f"method={method!r} takes weights for counts, but weight_type is {weight_type!r}; expected frequency weights. "
                "Use method='sandwich' or 'bootstrap' for sampling weights."
            )
            raise InvalidParameterError(msg)
        model, problem = self._learned(X, sample_weight, **units)
        return how(Fit.of(model, problem, meaning, self._executor(problem)), self._reader(), level)

    def _learned(self, X: Any, sample_weight: Any, *, labels: Any = None) -> tuple[LatentMixture, Problem]:
        """The fitted model and the problem that it solves, on validated rows."""
        X, model = self._validate(X, reset=False), self._model().point
        problem = self._problem(X, self._check_weight(sample_weight, X.shape[0]))
        return model, problem.restricted(allowed_components(labels, X.shape[0], model.n_components))

    def _reader(self) -> Reader:
        """What reads a model's parameters under the names that ``params_frame()`` has for them."""
        names, table = _summary._names(self), _summary.tidy(self)
        # Weights that depend on the row are no parameters; the table then shows their average.
        weights = hasattr(self._model().structure, "weights")
        columns = (table[name] for name in ("component", "parameter", "feature", "other_feature"))
        labels = [Readable(*label, 0.0) for label in zip(*columns, strict=True)]  # type: ignore[call-arg] # four columns
        labels = [label for label in labels if weights or label.parameter != "weight"]

        def read(model: LatentMixture) -> list[Readable]:
            rows = readable(model, names)
            named = [label._replace(value=row.value) for label, row in zip(labels, rows, strict=False)]
            return named + rows[len(named) :]

        return read

    # --- entropies --------------------------------------------------------------------------------------------
    def assignment_entropy(self, X: Any, **units: Any) -> Array:
        """Entropy of each row's component given the row, in nats: 0 is certain, log K is a guess.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features)
            The rows.
        **units
            ``groups=`` where predictions depend on them.

        Returns
        -------
        ndarray, shape (n_samples,)
            -sum_k r_nk log r_nk.
        """
        return np.asarray(entr(self.predict_proba(X, **units)).sum(axis=1))

    def entropy(self, n_samples: int = 10_000, random_state: Any = None) -> MonteCarlo:
        """Entropy of the mixture, -E log p(x), in nats: differential where columns are continuous; by Monte Carlo.

        Parameters
        ----------
        n_samples : int, default 10_000
            Random rows, divided among the components by their weights (stratified).
        random_state : int, RandomState or None
            None takes the estimator's.

        Returns
        -------
        MonteCarlo
            Estimate and standard error.
        """
        return self._average(lambda _, evidence: -evidence, n_samples, random_state)

    def kl_divergence(self, other: Any, n_samples: int = 10_000, random_state: Any = None) -> MonteCarlo:
        """Kullback-Leibler divergence E_p log(p(x) / q(x)) of another mixture q from this one p, in nats; by Monte Carlo.

        Parameters
        ----------
        other : estimator
            A fitted mixture of the same columns, of any class.
        n_samples : int, default 10_000
            Random rows of this mixture, divided among the components by their weights (stratified, at least two each).
        random_state : int, RandomState or None
            None takes the estimator's.

        Returns
        -------
        MonteCarlo
            Estimate and standard error; infinity and zero where a row was drawn that the other mixture cannot have. (An
            impossible set of rows that no draw hits stays unseen.) Chance can make a divergence near zero negative.
        """
        check_is_fitted(other)
        if other.n_features_in_ != self.n_features_in_:
            msg = (
                f"other is a mixture of {other.n_features_in_} columns; expected {self.n_features_in_}, as here. "
                "Fit both to the same columns."
            )
            raise InvalidParameterError(msg)
        if not same_levels(self, other):
            msg = (
                "other was fitted to other levels, so the same code means another answer. Expected the same levels in every "
                "column: fit both to data that hold them all."
            )
            raise InvalidParameterError(msg)
        theirs = other._population()
        return self._average(
            lambda rows, evidence: evidence - log_density(theirs, rows), n_samples, random_state
        )

    def _average(
        self, value: Callable[[Array, Array], Array], n_samples: int, random_state: Any
    ) -> MonteCarlo:
        """Mean over the mixture of a function of rows and their log density, component by component."""
        check_is_fitted(self)
        if isinstance(n_samples, bool) or not isinstance(n_samples, int | np.integer) or n_samples < 2:
            msg = f"n_samples is {n_samples!r}; expected a whole number of at least 2."
            raise InvalidParameterError(msg)
        return average(self._population(), value, int(n_samples), self._generator(random_state))

    def _population(self) -> LatentMixture:
        """The law of a row of which nothing else is known: population weights."""
        from mixtura.models._parameters import independent

        model = self._model().point
        return LatentMixture(model.components, independent(np.asarray(self.weights_)), model.encoding)

    def _generator(self, random_state: Any) -> np.random.Generator:
        given = self.random_state if random_state is None else random_state
        return np.random.default_rng(check_random_state(given).randint(2**31 - 1))
