"""A hidden Markov model with any component as the law of its observations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from mixtura.components import Gaussian, hooks
from mixtura.components.combining import as_component
from mixtura.data import mixed_encoding
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import ExponentialFamily
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.initialize import component_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.updates import Maximization, policy
from mixtura.models._hmm import BaseHMM
from mixtura.models._support import check_missing, check_support, validated
from mixtura.protocols import Array, Component, Executor
from mixtura.structures import Independent, LatentMixture, Markov
from mixtura.structures.moves import MoveLaw
from mixtura.structures.starts import StartLaw

__all__ = ["HMM"]

# Share of steps in which a chain stays where it is, before anything is learnt.
_STAY = 0.8


class HMM(BaseHMM):
    """Hidden Markov model with K states and any component.

    Parameters
    ----------
    components : Component or ExponentialFamily
        What is observed in the states: ``Gaussian()``, a family such as ``Poisson()``, a ``Product``, a mixture (``Nested``), or your own.
        A component with parameters is also the start.
    n_components : int, default 1
        K, number of states; where `components` has parameters, their number.
    startprob : array_like, shape (K,), optional
        Where the initial probabilities begin; zeros stay zeros. None: equal.
    transmat : array_like, shape (K, K), optional
        Where the transition matrix begins; zeros stay zeros (left-right, banded chains). None: states mostly stay.
    start : StartLaw, optional
        How initial probabilities are learnt (:mod:`mixtura.structures.starts`): freely (None), not at all, or as the long-run shares.
    moves : MoveLaw, optional
        How the transition matrix is learnt (:mod:`mixtura.structures.moves`): freely (None), with known entries, with shared rows.
    tol, max_iter, n_init, init_params, random_state, warm_start, verbose, on_degenerate, time_budget, callbacks, executor
        As for :class:`GaussianMixture`; `tol` is per step.

    Attributes
    ----------
    startprob_ : ndarray, shape (K,)
        Initial probabilities.
    transmat_ : ndarray, shape (K, K)
        transmat_[i, j] is the probability of state j after state i.
    components_ : Component
        Fitted laws of the observations, with their locations in units of the data.

    Examples
    --------
    >>> from mixtura.families import Poisson
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(np.repeat([2.0, 9.0, 2.0, 9.0], 50))[:, None]
    >>> HMM(Poisson(), 2, random_state=0).fit(X).transmat_.diagonal().round(2)
    array([0.99, 0.98])
    """

    _saved_objects: ClassVar[tuple[str, ...]] = ("components", "_components", "_structure", "_encoding")

    def __init__(
        self,
        components: Component | ExponentialFamily | None = None,
        n_components: int = 1,
        *,
        startprob: Any = None,
        transmat: Any = None,
        start: StartLaw | None = None,
        moves: MoveLaw | None = None,
        tol: float = 1e-6,
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
        self.components = components
        self.n_components = n_components
        self.startprob = startprob
        self.transmat = transmat
        self.start = start
        self.moves = moves
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

    @property
    def _component(self) -> Component:
        component: Component = as_component(
            Gaussian() if self.components is None else self.components, "components"
        )
        return component

    def _validate(self, X: Any, *, reset: bool) -> Any:
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        X = np.reshape(X, (-1, 1)) if not sp.issparse(X) and len(shape) == 1 else X
        X = validated(self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
        component = self._component
        shown = X[~np.isnan(X).all(axis=1)]
        if not len(shown):
            msg = f"All {len(X)} steps are missing (NaN); expected at least one that was observed."
            raise InvalidDataError(msg)
        check_missing(self, component, shown, fitting=reset)
        check_support(self, component, X)
        return X

    def _problem(self, X: Any, sample_weight: Array | None, seen: Array | None) -> Problem:
        component = self._component
        encoding = mixed_encoding(X, sample_weight, hooks.centred_columns(component, X.shape[1]))
        screen = Problem(
            X,
            sample_weight,
            encoding,
            component if encoding.origin is None else hooks.moved(component, encoding.origin),
            _independent,
            component_embeddings(component),
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
        )
        return replace(screen, structure=self._chain, screen=screen)

    def _chain(self, counts: Array) -> Markov:
        """The chain that a fit begins with, for the states' counts (K,)."""
        size = len(counts)
        share = np.maximum(counts, 1e-300) / np.maximum(counts, 1e-300).sum()
        initial = (
            np.full(size, 1.0 / size) if self.startprob is None else self._given_rows("startprob", (size,))
        )
        moves = (
            _STAY * np.eye(size) + (1.0 - _STAY) * share
            if self.transmat is None
            else self._given_rows("transmat", (size, size))
        )
        return Markov(initial, moves, start=self.start, moves=self.moves)

    def _given_rows(self, name: str, shape: tuple[int, ...]) -> Array:
        """Probabilities that the user gave."""
        given = np.asarray(getattr(self, name), dtype=np.float64)
        if given.shape != shape:
            msg = f"{name} has shape {given.shape}; expected {shape}."
            raise InvalidParameterError(msg)
        rows = np.atleast_2d(given)
        bad = np.flatnonzero((rows < 0).any(axis=1) | ~(np.abs(rows.sum(axis=1) - 1.0) < 1e-6))
        if bad.size:
            msg = f"{name}, row {bad[0]}, is {rows[bad[0]]}; expected probabilities of at least 0 that sum to 1."
            raise InvalidParameterError(msg)
        return given

    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        if self.warm_start and hasattr(self, "_components"):
            return self._from_fitted(problem, self)
        if hooks.is_blank(problem.components):
            return None
        return LatentMixture(
            problem.components, self._chain(np.ones(problem.components.n_components)), problem.encoding
        )

    def _from_fitted(self, problem: Problem, other: Any) -> LatentMixture:
        if not isinstance(other, HMM):
            msg = f"init_params is a fitted {type(other).__name__}; expected a fitted HMM of the same components."
            raise InvalidParameterError(msg)
        components, origin = other._components, problem.encoding.origin
        if origin is not None:
            components = hooks.moved(components, origin - other._encoding.origin)
        return LatentMixture(components, other._structure, problem.encoding)

    def _publish(self, result: FitResult) -> None:
        model = result.model
        self._components, self._structure, self._encoding = model.components, model.structure, model.encoding

    def _model(self) -> LatentMixture:
        return LatentMixture(self._components, self._structure, self._encoding)

    @property
    def startprob_(self) -> Array:
        """Initial probabilities, shape (K,)."""
        return np.asarray(self._structure.initial)

    @property
    def transmat_(self) -> Array:
        """Transition matrix, shape (K, K)."""
        return np.asarray(self._structure.transition)

    @property
    def components_(self) -> Any:
        """Fitted laws of the observations, with their locations in units of the data."""
        origin = self._encoding.origin
        return self._components if origin is None else hooks.moved(self._components, -origin)


def _independent(counts: Array) -> Independent:
    return Independent(np.log(np.maximum(counts, 1e-300)))
