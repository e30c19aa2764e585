"""What the classes with hmmlearn's names and conventions share.

Settings, starts, the order of steps and the stopping rule are hmmlearn's, so that from equal starts the parameters are equal; the
fit itself is the library's one driver. Parameters are plain attributes, which may also be set by hand. The file is long because
the border with another library's conventions is all here.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data import mixed_encoding
from mixtura.exceptions import (
    ConvergenceWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
    SpuriousSolutionWarning,
    StartOverwrittenWarning,
)
from mixtura.executors import one_thread
from mixtura.inference.driver import FitResult, run
from mixtura.inference.problem import Problem
from mixtura.inference.restarts import StartResult
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.models._checked import checked_count
from mixtura.models._drop_in_chain import learner
from mixtura.models._drop_in_file import DropInFile
from mixtura.models._fitting import check_choice
from mixtura.models._hmm import BaseHMM
from mixtura.models._monitor import ConvergenceMonitor, Watch
from mixtura.models._sequences import Sequences
from mixtura.models._support import validated
from mixtura.protocols import Array, Component, Encoding
from mixtura.structures import LatentMixture, Markov
from mixtura.structures.markov import stationary

__all__ = ["DropInHMM", "normalized", "whole_counts"]

_ALGORITHMS = ("viterbi", "map")
_IMPLEMENTATIONS = ("log", "scaling")


class DropInHMM(DropInFile, BaseHMM):
    """Base of the classes that stand in for hmmlearn's."""

    #: Letters of `params` and `init_params` beside s and t, and the attributes that they stand for.
    _emissions: ClassVar[Mapping[str, str]] = {}
    #: Where attributes are held, if not under their own names.
    _stored: ClassVar[Mapping[str, str]] = {}
    #: Settings of the library's other classes, which these do not have.
    executor = None
    callbacks = ()
    on_degenerate = "raise"
    _raised = "log-likelihood"
    _monitor: ConvergenceMonitor | None = None
    _own_monitor = True

    n_iter: int
    params: str
    algorithm: str
    implementation: str
    startprob_prior: Any
    transmat_prior: Any
    startprob_: Array
    transmat_: Array
    n_features: Any

    # --- what a subclass says ---------------------------------------------------------------------------------
    @abstractmethod
    def _laws(self, encoding: Encoding, *, learn: bool) -> Component:
        """Components from the attributes, about the encoding's origin; with priors where they are to be learnt."""

    @abstractmethod
    def _take(self, components: Any, origin: Array | None) -> None:
        """Set the attributes that are learnt."""

    @abstractmethod
    def _start_emissions(self, X: Array) -> None:
        """Set the attributes of `_emissions` where `_needs_init` says so."""

    @abstractmethod
    def _check_emissions(self) -> None:
        """Refuse attributes of wrong shapes or values."""

    @abstractmethod
    def _draw(self, state: int, random_state: Any) -> Any:
        """One row of a state."""

    @abstractmethod
    def _get_n_fit_scalars_per_param(self) -> dict[str, int]:
        """Free numbers by letter."""

    def _n_columns(self) -> int:
        """Columns of X that the parameters are of."""
        return int(self.n_features)

    # --- settings ---------------------------------------------------------------------------------------------
    @property
    def _named(self) -> dict[str, str]:
        """Letters and attributes."""
        return {"s": "startprob_", "t": "transmat_", **self._emissions}

    def _check_settings(self) -> None:
        """Refuse settings outside their domain."""
        for name, least in (("n_components", 1), ("n_iter", 0)):
            checked_count(name, getattr(self, name), least)
        if not isinstance(self.tol, int | float | np.number) or np.isnan(self.tol):
            msg = f"tol is {self.tol!r}; expected a number: the least gain of the log-likelihood for which a fit goes on."
            raise InvalidParameterError(msg)
        check_choice("algorithm", self.algorithm, _ALGORITHMS)
        check_choice("implementation", self.implementation, _IMPLEMENTATIONS)
        for name in ("params", "init_params"):
            unknown = [letter for letter in getattr(self, name) if letter not in self._named]
            if unknown:
                listed = ", ".join(f"'{letter}' ({attribute})" for letter, attribute in self._named.items())
                msg = f"{name} is {getattr(self, name)!r}; expected letters of {listed}. Leave {unknown[0]!r} out."
                raise InvalidParameterError(msg)

    @property
    def monitor_(self) -> ConvergenceMonitor:
        """Log-likelihoods of the last fit, and its stopping rule; may be set before a fit."""
        if self._monitor is None:
            self._monitor = ConvergenceMonitor(self.tol, self.n_iter, bool(self.verbose))
        return self._monitor

    @monitor_.setter
    def monitor_(self, monitor: ConvergenceMonitor) -> None:
        self._monitor, self._own_monitor = monitor, False

    # --- fitting ----------------------------------------------------------------------------------------------
    def fit(
        self,
        X: Any,
        lengths: Any = None,
        *,
        groups: Any = None,
        sample_weight: Any = None,
        labels: Any = None,
        covariates: Any = None,
    ) -> Self:
        """Learn the chain from one or more sequences.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features), or list of arrays
            Steps of all sequences, one after the other. A row of NaN is a step that was not observed.
        lengths : array_like of int, shape (n_sequences,), optional
            Steps of each sequence; None: one sequence.
        groups, sample_weight, labels
            As for :class:`HMM`: the name of every row's sequence in the place of lengths, weights of sequences, known states.
        covariates : None
            These chains have none.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        InvalidDataError, InvalidParameterError
            With where, what was found, what was expected and what to do.
        """
        self._check_settings()
        given = self._sequences(X, lengths, groups, reset=True)
        whole = ~np.isnan(given.x).any(axis=1)
        if not whole.any():
            msg = f"Each of the {given.n_rows} steps is missing (NaN), or some column of it; expected some that are whole, to start from."
            raise InvalidDataError(msg)
        self._start_parameters(given.x[whole])
        self._check()
        if self._own_monitor:
            self._monitor = None
        monitor = self.monitor_
        monitor._reset()
        if self.n_iter > 0:
            problem = self._chain_problem(given, sample_weight, labels, covariates)
            self._record(self._run(problem, monitor), monitor)
        self._learnt = {name: getattr(self, name) for name in self._kept}
        return self

    def _run(self, problem: Problem, monitor: ConvergenceMonitor) -> FitResult:
        """The driver, until the monitor says stop."""
        learnt = ("s" in self.params, "t" in self.params)
        chain = learner(self.startprob_, self.transmat_, (self.startprob_prior, self.transmat_prior), learnt)
        start = LatentMixture(self._laws(problem.encoding, learn=True), chain, problem.encoding)
        with one_thread():
            return run(
                start,
                replace(problem, components=start.components).source(),
                update=Maximization(),
                executor=self._executor(problem),
                # The monitor stops; the likelihood may fall in steps that are marked inexact, as in hmmlearn.
                stopping=Stopping(np.inf, max_iter=self.n_iter, min_iter=self.n_iter),
                callbacks=[Watch(monitor)],
            )

    def _publish(self, result: FitResult) -> None:
        """Set what was learnt."""
        model = result.model
        if "s" in self.params:
            self.startprob_ = model.structure.initial
        if "t" in self.params:
            self.transmat_ = model.structure.transition
        self._take(model.components, model.encoding.origin)

    def _record(self, result: FitResult, monitor: ConvergenceMonitor) -> None:
        """Parameters, and how the fit went."""
        self._publish(result)
        settled = len(monitor.history) >= 2 and monitor.history[-1] - monitor.history[-2] < self.tol
        ended = Reason.MAX_ITER if result.n_iter >= self.n_iter else Reason.STOPPED
        reason = Reason.CONVERGED if settled else ended
        reason = result.reason if result.reason == Reason.INTERRUPTED else reason
        self.stop_reason_ = str(reason)
        self.converged_ = reason == Reason.CONVERGED
        self.n_iter_ = result.n_iter
        self.total_weight_ = result.weight
        self.lower_bounds_ = [value / result.weight for value in result.history]
        self.lower_bound_ = self.lower_bounds_[-1]
        self._raised = "log posterior density" if result.model.penalty() else "log-likelihood"
        self.events_ = result.events
        self.best_start_ = 0
        history = tuple(self.lower_bounds_)
        self.starts_ = (StartResult("given", 0, history[-1], reason, result.n_iter, history),)
        name = type(self).__name__
        if reason == Reason.INTERRUPTED:
            warnings.warn(
                f"{name} was interrupted after {result.n_iter} steps; this is the model so far.",
                InterruptedWarning,
                stacklevel=4,
            )
        elif reason == Reason.MAX_ITER and self.n_iter > 1:
            warnings.warn(
                f"{name} ran out of n_iter={self.n_iter} steps before the gain fell below tol={self.tol:g}, so it did not converge. "
                "Increase n_iter, or tol if this precision is not needed.",
                ConvergenceWarning,
                stacklevel=4,
            )

    # --- starts -----------------------------------------------------------------------------------------------
    def _init(self, X: Any, lengths: Any = None) -> None:
        """Set the parameters that a fit begins with."""
        self._check_and_set_n_features(np.asarray(X))
        self._start_parameters(np.asarray(X, dtype=np.float64))

    def _start_parameters(self, X: Array) -> None:
        share = np.full(self.n_components, 1.0 / self.n_components)
        random_state = check_random_state(self.random_state)
        if self._needs_init("s", "startprob_"):
            self.startprob_ = random_state.dirichlet(share)
        if self._needs_init("t", "transmat_"):
            self.transmat_ = random_state.dirichlet(share, size=self.n_components)
        numbers = self._get_n_fit_scalars_per_param()
        free = sum(numbers[letter] for letter in self.params)
        if X.size < free:
            warnings.warn(
                f"{type(self).__name__} has {free} free numbers to learn from {X.size} values, so it will end in a degenerate solution. "
                "Use fewer states or a simpler covariance_type.",
                SpuriousSolutionWarning,
                stacklevel=4,
            )
        self._start_emissions(X)

    def _needs_init(self, letter: str, name: str) -> bool:
        """Whether an attribute is to be set; says so where the user has set it by hand."""
        held = self._stored.get(name, name)
        if letter not in self.init_params:
            return not hasattr(self, held)
        learnt = getattr(self, "_learnt", {})
        if hasattr(self, held) and getattr(self, held) is not learnt.get(held):
            warnings.warn(
                f"{type(self).__name__}: {name} is set, but will be overwritten by a start, because init_params={self.init_params!r} "
                f"contains {letter!r}. Leave that letter out of init_params to begin with what you have set.",
                StartOverwrittenWarning,
                stacklevel=5,
            )
        return True

    def _check_and_set_n_features(self, X: Array) -> None:
        """Refuse rows of another number of columns than the model has."""
        found = X.shape[1]
        if getattr(self, "n_features", None) is None:
            self.n_features = found
        elif self.n_features != found:
            msg = f"X has {found} columns, but n_features is {self.n_features}; expected as many. Use a new model for other columns."
            raise InvalidDataError(msg)

    # --- checks -----------------------------------------------------------------------------------------------
    def _check(self) -> None:
        """Refuse parameters of wrong shapes or values, whoever set them."""
        size = self.n_components
        self.startprob_ = self._shares("startprob_", (size,))
        self.transmat_ = self._shares("transmat_", (size, size))
        self._check_emissions()

    def _shares(self, name: str, shape: tuple[int, ...]) -> Array:
        """Probabilities that sum to one along the last axis."""
        given = np.asarray(getattr(self, name), dtype=np.float64)
        name = {"_weights": "weights_"}.get(name, name)
        if given.shape != shape:
            msg = f"{name} has shape {given.shape}; expected {shape}."
            raise InvalidParameterError(msg)
        rows = given.reshape(-1, shape[-1])
        bad = np.flatnonzero(~((rows >= 0).all(axis=1) & np.isclose(rows.sum(axis=1), 1.0)))
        if bad.size:
            where = f", row {bad[0]}," if given.ndim > 1 else ""
            msg = (
                f"{name}{where} must sum to 1, but is {rows[bad[0]]} with sum {rows[bad[0]].sum():.6g}; expected probabilities of at "
                "least 0. Divide them by their sum."
            )
            raise InvalidParameterError(msg)
        return given

    def __sklearn_is_fitted__(self) -> bool:
        return all(hasattr(self, name) for name in self._kept)

    def _sequences(self, X: Any, lengths: Any, groups: Any, *, reset: bool) -> Sequences:
        """Validated rows with the bounds of their sequences; a list of tables keeps its type, which says whether they hold symbols."""
        tables = [np.asarray(table) for table in X] if isinstance(X, list | tuple) else []
        alike = lengths is None and groups is None and {table.ndim for table in tables} == {2}
        if alike and len({table.shape[1] for table in tables}) == 1 and all(map(len, tables)):
            X, lengths = np.concatenate(tables), [len(table) for table in tables]
        return super()._sequences(X, lengths, groups, reset=reset)

    def _validate(self, X: Any, *, reset: bool) -> Any:
        given = validated(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")
        if reset:
            self._check_and_set_n_features(given)
        return self._checked_rows(np.asarray(given, dtype=np.float64))

    def _checked_rows(self, X: Array) -> Array:
        """Refuse what the emissions cannot be."""
        return X

    # --- the model --------------------------------------------------------------------------------------------
    def _problem(self, X: Any, sample_weight: Array | None, seen: Array | None) -> Problem:
        laws = self._laws(Encoding(X.shape[1]), learn=False)
        centred = np.broadcast_to(np.asarray(laws.centred), (X.shape[1],))
        return Problem(
            X,
            sample_weight,
            mixed_encoding(X, sample_weight, centred),
            laws,
            lambda _: self._chain(),
            lambda x, _: [x],
            lambda _: Maximization(),
            self.n_components,
        )

    def _chain(self) -> Markov:
        return Markov(self.startprob_, self.transmat_)

    def _model(self) -> LatentMixture:
        self._check()
        encoding = self._origin_encoding()
        return LatentMixture(self._laws(encoding, learn=False), self._chain(), encoding)

    def _origin_encoding(self) -> Encoding:
        """About where rows are scored."""
        return Encoding(self._n_columns())

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        return None

    def _from_fitted(self, problem: Problem, other: Any) -> LatentMixture:
        msg = f"init_params is a fitted {type(other).__name__}; expected letters of parameters."
        raise InvalidParameterError(msg)

    # --- inference --------------------------------------------------------------------------------------------
    def decode(
        self, X: Any, lengths: Any = None, algorithm: str | None = None, **units: Any
    ) -> tuple[float, Array]:
        """The best states.

        Parameters
        ----------
        X, lengths, **units
            Sequences as for `fit`; `units` are `groups` and `labels`.
        algorithm : {"viterbi", "map"}, optional
            The most probable path, or the most probable state of every step by itself; None: as set.

        Returns
        -------
        log_prob : float
            Log joint density of rows and paths; for "map", as in hmmlearn, the sum of the states' probabilities.
        states : ndarray of int, shape (n_samples,)
            Numbers from 0; -1 in sequences that are impossible.
        """
        return super().decode(X, lengths, self.algorithm if algorithm is None else algorithm, **units)

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        currstate: int | None = None,
        *,
        lengths: Any = None,
        covariates: Any = None,
    ) -> tuple[Array, Array]:
        """Simulate one sequence; with equal generators the same as hmmlearn's.

        Parameters
        ----------
        n_samples : int, default 1
            Steps.
        random_state : int or RandomState, optional
            None: the one that is set.
        currstate : int, optional
            State of the first step; None: drawn from `startprob_`.
        lengths : array_like of int, optional
            Steps of several sequences, in the place of `n_samples`.
        covariates : None
            These chains have none.

        Returns
        -------
        X : ndarray, shape (n_samples, n_features)
            Rows.
        states : ndarray of int, shape (n_samples,)
            Their states.
        """
        if covariates is not None:
            msg = f"covariates are given, but {type(self).__name__} has none. Leave them out, or use HMM."
            raise InvalidParameterError(msg)
        check_is_fitted(self)
        self._check()
        draws = check_random_state(self.random_state if random_state is None else random_state)
        sizes = [n_samples] if lengths is None else np.atleast_1d(lengths).tolist()
        drawn = [self._simulated(checked_count("n_samples", size), draws, currstate) for size in sizes]
        return np.concatenate([x for x, _ in drawn]), np.concatenate([states for _, states in drawn])

    def _simulated(self, size: int, draws: Any, first: int | None) -> tuple[Array, Array]:
        """One sequence."""
        moves = np.cumsum(self.transmat_, axis=1)
        state = int((np.cumsum(self.startprob_) > draws.rand()).argmax()) if first is None else int(first)
        states, rows = [state], [self._draw(state, draws)]
        for _ in range(size - 1):
            state = int((moves[state] > draws.rand()).argmax())
            states.append(state)
            rows.append(self._draw(state, draws))
        return np.atleast_2d(np.asarray(rows)), np.array(states, dtype=int)

    def get_stationary_distribution(self) -> Array:
        """Long-run shares of the states, shape (n_components,)."""
        if not hasattr(self, "transmat_"):
            check_is_fitted(self)
        transition = self._shares("transmat_", (self.n_components, self.n_components))
        return stationary(transition, np.full(self.n_components, 1.0 / self.n_components))

    def n_parameters(self) -> int:
        """Free numbers as hmmlearn counts them: those that are zero or not learnt, too."""
        self._check()
        return sum(self._get_n_fit_scalars_per_param().values())

    # --- what it says of itself -------------------------------------------------------------------------------
    @property
    def weights_(self) -> Array:
        """Long-run shares of the states, shape (n_components,)."""
        return self.get_stationary_distribution()

    def summary(self) -> str:
        """What was fitted and how well, as text."""
        if not hasattr(self, "starts_"):
            msg = f"The parameters of this {type(self).__name__} were set by hand: there is no fit to sum up. params_frame() lists them."
            raise InvalidParameterError(msg)
        return super().summary()

    def _repr_html_(self) -> str:
        return super()._repr_html_() if hasattr(self, "starts_") else f"<pre>{self!r}</pre>"

    def _column_names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{j}" for j in range(self._n_columns())] if names is None else [str(name) for name in names]

    def _objective_facts(self) -> list[Any]:
        return [self._raised, *super()._objective_facts()[1:]]


def whole_counts(X: Array) -> Array:
    """The rows, if every cell that is there is a whole number of at least 0."""
    bad = np.argwhere((X < 0) | (np.floor(X) < X))
    if bad.size:
        row, column = (int(i) for i in bad[0])
        msg = f"Row {row}, column {column} is {X[row, column]:g}; expected whole counts of at least 0."
        raise InvalidDataError(msg)
    return X


def normalized(table: Array) -> Array:
    """Rows over their sums."""
    return np.asarray(table / table.sum(axis=1, keepdims=True))
