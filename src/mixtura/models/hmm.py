"""A hidden Markov model with any component as the law of its observations.

Long, because every parameter of the class is documented in one place.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from rich.console import Console

from mixtura.components import DirichletMultinomial, Gaussian, hooks
from mixtura.components.combining import as_component
from mixtura.data import mixed_encoding
from mixtura.data.frames import frame_like, make_frame
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import ExponentialFamily, FamilyComponents
from mixtura.inference.bayesian import INFERENCES, Treatment, treatment
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.grow import resized
from mixtura.inference.initialize import component_embeddings
from mixtura.inference.problem import Problem
from mixtura.inference.restarts import StartResult
from mixtura.inference.stopping import Reason
from mixtura.inference.updates import Maximization, policy
from mixtura.models._chain_rows import filled_rows, seen_rows
from mixtura.models._chain_starts import ChainProblem
from mixtura.models._counts import row_totals
from mixtura.models._fitting import check_choice
from mixtura.models._frame import FrameColumns, described, infer
from mixtura.models._hmm import BaseHMM
from mixtura.models._support import check_missing, check_support, validated
from mixtura.models.mixture import Mixture
from mixtura.priors import ChainPrior, DirichletPrior
from mixtura.protocols import Array, Component, Encoding, Executor
from mixtura.structures import Independent, LatentMixture, Markov
from mixtura.structures.markov import stationary
from mixtura.structures.moves import MoveLaw
from mixtura.structures.starts import StartLaw

__all__ = ["HMM"]

# Share of steps in which a chain stays where it is, before anything is learnt.
_STAY = 0.8


class HMM(BaseHMM):
    """Hidden Markov model with K states and any component.

    Every step has a hidden state, which depends on that of the step before; what is observed depends on the state. Sequences of any
    lengths, weights of sequences, steps and cells that were not observed, states known in part.

    Parameters
    ----------
    components : Component or ExponentialFamily
        What is observed in the states: ``Gaussian()``, a family such as ``Poisson()``, a ``Product``, a mixture (``Nested``), or your own.
        A component with parameters is also the start.
    n_components : int, default 1
        K, number of states; where `components` has parameters, their number.
    startprob : array_like, shape (K,), or callable, optional
        Where the initial probabilities begin; zeros stay zeros. A callable makes them of K. None: equal.
    transmat : array_like, shape (K, K), or callable, optional
        Where the transition matrix begins; zeros stay zeros (``left_right`` and ``banded`` of :mod:`mixtura.structures.moves`). A
        callable makes it of K. None: states mostly stay.
    start : StartLaw, optional
        How initial probabilities are learnt (:mod:`mixtura.structures.starts`): freely (None), not at all, or as the long-run shares.
    moves : MoveLaw, optional
        How the transition matrix is learnt (:mod:`mixtura.structures.moves`): freely (None), with known entries, with shared rows.
    chain : callable, optional
        Another law of the states (:mod:`mixtura.structures`), made of a plain chain and the number of covariates: moves that depend on
        covariates, states with a law of how long they last, moves of each group. None: the plain chain.
    inference : {"em", "map", "variational"}, optional
        Maximum likelihood; the mode of the posterior; posterior laws of all parameters (variational Bayes). None is "variational"
        where a prior is given or to be learnt, else "em".
    prior : Prior, or mapping of str to Prior, optional
        Of the components' parameters, as for :class:`Mixture`.
    chain_prior : ChainPrior or DirichletPrior, optional
        Of initial probabilities and moves (:mod:`mixtura.priors`). None is `1 / K` of each for posterior laws and flat for the mode.
    empirical_bayes : bool or {"all", "weights", "components"}, default False
        Which hyper-parameters are learnt by raising the bound: of the moves' prior ("weights"), of the components' prior, or (True) both.
    checkpoint : bool, default False
        Whether a pass over a long sequence keeps only some of its messages and makes the others again: memory of the order of sqrt(T) K
        in the place of T K, for the plain chain.
    frame : FrameColumns, optional
        How the columns of a data frame become numbers; `from_frame` makes it.
    tol, max_iter, n_init, init_params, random_state, warm_start, verbose, on_degenerate, time_budget, callbacks, executor
        As for :class:`GaussianMixture`; `tol` is per step, and `init_params` may be a fitted `HMM` or `Mixture`.

    Attributes
    ----------
    startprob_ : ndarray, shape (K,)
        Initial probabilities (means, where they have posterior laws).
    transmat_ : ndarray, shape (K, K)
        transmat_[i, j] is the probability of state j after state i.
    weights_ : ndarray, shape (K,)
        Long-run shares of the states.
    dwell_times_ : ndarray, shape (K,)
        Expected number of steps that a stay in each state lasts; none where moves depend on covariates.
    components_ : Component
        Fitted laws of the observations, with their locations in units of the data.
    structure_ : Structure
        Fitted law of the states.
    converged_, n_iter_, lower_bound_, lower_bounds_, starts_, n_features_in_, feature_names_in_
        As for :class:`GaussianMixture`; bounds are per step.

    Examples
    --------
    >>> from mixtura.families import Poisson
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(np.repeat([2.0, 9.0, 2.0, 9.0], 50))[:, None]
    >>> model = HMM(Poisson(), 2, random_state=0).fit(X)
    >>> np.sort(model.dwell_times_).round()
    array([47., 88.])
    >>> model.forecast(X, 3).states[0].max(axis=1).round(2)
    array([0.99, 0.98, 0.97])
    """

    _saved_objects: ClassVar[tuple[str, ...]] = (
        "components",
        "start",
        "moves",
        "chain",
        "prior",
        "chain_prior",
        "frame",
        "_begins",
        "_components",
        "_structure",
        "_encoding",
        "_occupied",
    )
    _n_covariates = 0

    def __init__(
        self,
        components: Component | ExponentialFamily | None = None,
        n_components: int = 1,
        *,
        startprob: Any = None,
        transmat: Any = None,
        start: StartLaw | None = None,
        moves: MoveLaw | None = None,
        chain: Callable[[Markov, int], Any] | None = None,
        inference: str | None = None,
        prior: Any = None,
        chain_prior: ChainPrior | DirichletPrior | None = None,
        empirical_bayes: bool | str = False,
        checkpoint: bool = False,
        frame: FrameColumns | None = None,
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
        self.chain = chain
        self.inference = inference
        self.prior = prior
        self.chain_prior = chain_prior
        self.empirical_bayes = empirical_bayes
        self.checkpoint = checkpoint
        self.frame = frame
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

    @classmethod
    def from_frame(
        cls,
        X: Any,
        n_components: int = 1,
        *,
        groups: str | None = None,
        kinds: Mapping[str, Any] | None = None,
        verbose: bool = True,
        **settings: Any,
    ) -> Self:
        """A chain for the columns of a data frame, of which each gets a distribution that suits its kind.

        Parameters
        ----------
        X : data frame
            Of pandas, polars or Arrow; missing cells may be there.
        n_components : int, default 1
            K.
        groups : str, optional
            Name of the column with the names of the sequences, which is left out.
        kinds, verbose, **settings
            As for :meth:`Mixture.from_frame`, and other arguments of the constructor.

        Returns
        -------
        HMM
            To be fitted on this frame, with the same `groups`.
        """
        left_out = {} if groups is None else {groups: "leave out"}
        components, frame, table = infer(X, {**left_out, **(kinds or {})})
        if verbose:
            Console(highlight=False, soft_wrap=True).print(described(table, components, frame), markup=False)
        return cls(components, n_components, frame=frame, **settings)

    @classmethod
    def from_parameters(cls, components: Any, transmat: Any, startprob: Any = None, **settings: Any) -> Self:
        """A chain whose parameters are known: it is not fitted to anything, and answers as if it were.

        Parameters
        ----------
        components : Component
            Laws of the observations, with parameters, in units of the data.
        transmat : array_like, shape (K, K)
            Probabilities of moves.
        startprob : array_like, shape (K,), optional
            Initial probabilities; None: the long-run shares.
        **settings
            Other arguments of the constructor.

        Returns
        -------
        HMM
            With `fit`, it goes on from there.

        Examples
        --------
        >>> from mixtura.families import FamilyComponents, Poisson
        >>> rates = FamilyComponents(Poisson()).from_mean(np.array([[2.0], [9.0]]))
        >>> chain = HMM.from_parameters(rates, [[0.95, 0.05], [0.1, 0.9]], random_state=0)
        >>> X, states = chain.sample(1000)
        >>> chain.startprob_.round(2), bool((chain.predict(X) == states).mean() > 0.97)
        (array([0.67, 0.33]), True)
        """
        law = as_component(components, "components")
        if hooks.is_blank(law):
            msg = f"components is {components!r}, which has no parameters yet; expected components with parameters, or use fit."
            raise InvalidParameterError(msg)
        new = cls(law, law.n_components, transmat=transmat, startprob=startprob, **settings)
        moves = new._given_rows("transmat", (law.n_components,) * 2)
        if startprob is None:
            new.startprob = stationary(moves, np.full(len(moves), 1.0 / len(moves)))
        new._components, new._structure = law, new._chain(np.ones(law.n_components))
        new.n_features_in_ = law.sample(0, 1, np.random.default_rng(0)).shape[1]
        new._encoding, new._occupied = Encoding(new.n_features_in_), new._structure.weights
        new.starts_, new.best_start_ = (StartResult("known parameters", 0, np.nan, Reason.STOPPED),), 0
        new.lower_bound_, new.lower_bounds_, new.total_weight_ = np.nan, [np.nan], 0.0
        new.converged_, new.stop_reason_, new.n_iter_, new.events_ = True, "known parameters", 0, ()
        return new

    # --- the problem ------------------------------------------------------------------------------------------
    @property
    def _component(self) -> Component:
        component: Component = as_component(
            Gaussian() if self.components is None else self.components, "components"
        )
        return component if hooks.is_blank(component) else hooks.point(component)

    def _validate(self, X: Any, *, reset: bool) -> Any:
        if self.frame is not None:
            columns = self.frame.matrix(X, type(self).__name__).T
            X = frame_like(dict(zip(self.frame.names, columns, strict=True)))
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        X = np.reshape(X, (-1, 1)) if not sp.issparse(X) and len(shape) == 1 else X
        component = self._component
        X = validated(
            self,
            X,
            reset=reset,
            accept_sparse="csr" if _takes_sparse(component) else False,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
        )
        seen = seen_rows(X)
        if reset and seen is not None and not seen.any():
            msg = f"All {len(X)} steps are missing (NaN); expected at least one that was observed."
            raise InvalidDataError(msg)
        check_missing(self, component, X if seen is None else filled_rows(X, seen), fitting=reset)
        check_support(self, component, X)
        return X

    def _checked_step(self, x: Any) -> Array:
        row = super()._checked_step(x)
        if row.shape[1] == self.n_features_in_ and not np.isnan(row).all():
            check_missing(self, self._component, row, fitting=False)
            check_support(self, self._component, row)
        return row

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.inference is not None:
            check_choice("inference", self.inference, INFERENCES)
        for name, method, example in (
            ("start", "follow", "StationaryStart()"),
            ("moves", "admitted", "KnownMoves(matrix)"),
            ("chain", "__call__", "DurationChain()"),
        ):
            law = getattr(self, name)
            wrong = isinstance(law, type) and name != "chain"  # a class in the place of an object
            if law is not None and (wrong or not hasattr(law, method)):
                msg = f"{name} is {law!r}, which is no law of a chain; expected one of mixtura.structures, such as {example}, or None."
                raise InvalidParameterError(msg)

    def _treatment(self) -> Treatment:
        """How parameters are treated: what `inference` and the priors say."""
        return treatment(self.inference, self.prior, self.chain_prior, self.empirical_bayes)

    def _problem(self, X: Any, sample_weight: Array | None, seen: Array | None) -> Problem:
        component: Any = self._component
        if hooks.is_blank(component) and hasattr(component, "totals"):
            component = copy.copy(component)
            component.totals = row_totals(X)  # samples are rows of the sizes seen
        encoding = mixed_encoding(X, sample_weight, hooks.centred_columns(component, X.shape[1]))
        mixture = Problem(
            X,
            sample_weight,
            encoding,
            component if encoding.origin is None else hooks.moved(component, encoding.origin),
            _independent,
            component_embeddings(component),
            lambda _: Maximization(policy=policy(self.on_degenerate)),
            self.n_components,
        )
        screen = treatment(self.inference, self.prior, None, self.empirical_bayes)(mixture)
        chain = replace(mixture, structure=self._chain)
        treated = self._treatment()(chain)
        return replace(treated, screen=replace(screen, components=treated.components))

    def _chain(self, counts: Array) -> Any:
        """The law of the states that a fit begins with, for the states' counts (K,)."""
        size = len(counts)
        given = (self.startprob, self.transmat, self.start, self.moves)
        if size < self.n_components and any(one is not None and not callable(one) for one in given):
            # States were dropped: the laws of those left.
            return self._chain(np.append(counts, np.ones(self.n_components - size))).take(np.arange(size))
        share = np.maximum(counts, 1e-300) / np.maximum(counts, 1e-300).sum()
        initial = (
            np.full(size, 1.0 / size) if self.startprob is None else self._given_rows("startprob", (size,))
        )
        moves = (
            _STAY * np.eye(size) + (1.0 - _STAY) * share
            if self.transmat is None
            else self._given_rows("transmat", (size, size))
        )
        plain = Markov(initial, moves, start=self.start, moves=self.moves, checkpoint=self.checkpoint)
        return plain if self.chain is None else self.chain(plain, self._n_covariates)

    def _given_rows(self, name: str, shape: tuple[int, ...]) -> Array:
        """Probabilities that the user gave."""
        value = getattr(self, name)
        given = np.asarray(value(shape[0]) if callable(value) else value, dtype=np.float64)
        if given.shape != shape:
            msg = f"{name} has shape {given.shape}; expected {shape}, for n_components={shape[0]}."
            raise InvalidParameterError(msg)
        rows = np.atleast_2d(given)
        bad = np.flatnonzero(~(rows >= 0).all(axis=1) | ~(np.abs(rows.sum(axis=1) - 1.0) < 1e-6))
        if bad.size:
            where = name if given.ndim == 1 else f"{name}, row {bad[0]},"
            msg = f"{where} is {rows[bad[0]]}; expected probabilities of at least 0 that sum to 1."
            raise InvalidParameterError(msg)
        return given

    @property
    def _begins(self) -> dict[str, Any]:
        """Where the chain begins, as a model file can hold it; callables stay out."""
        given = {"startprob": self.startprob, "transmat": self.transmat}
        return {name: None if callable(value) else value for name, value in given.items()}

    @_begins.setter
    def _begins(self, values: dict[str, Any]) -> None:
        self.startprob, self.transmat = values["startprob"], values["transmat"]

    # --- where it starts --------------------------------------------------------------------------------------
    def _given(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        if self.warm_start and hasattr(self, "_components"):
            return self._from_fitted(problem, self)
        # Not the problem's own components: these are blank where they have priors.
        given, origin = self._component, problem.encoding.origin
        if hooks.is_blank(given):
            return None
        placed = given if origin is None else hooks.moved(given, origin)
        return LatentMixture(placed, self._chain(np.ones(placed.n_components)), problem.encoding)

    def _start(self, problem: Problem, rng: np.random.Generator) -> LatentMixture | None:
        given = self.init_params
        start: LatentMixture | None
        if isinstance(given, HMM | Mixture):
            sized = resized(
                self._from_fitted(problem, given),
                problem.restricted(None).source(),
                self.n_components,
                self._executor(problem),
            )
            same = given.n_components_ == self.n_components and isinstance(given, HMM)
            if not same and isinstance(problem, ChainProblem):
                sized = problem.rearranged(sized)
            start = sized
        else:
            start = super()._start(problem, rng)
        return None if start is None else self._treatment().start(problem, start)

    def _from_fitted(self, problem: Problem, other: Any) -> LatentMixture:
        if not isinstance(other, HMM | Mixture):
            msg = f"init_params is a fitted {type(other).__name__}; expected a fitted HMM or Mixture of the same components."
            raise InvalidParameterError(msg)
        model, origin = other._model().point, problem.encoding.origin
        components = model.components
        if origin is not None:
            components = hooks.moved(components, origin - model.encoding.origin)
        return LatentMixture(components, model.structure, problem.encoding)

    # --- what was learnt --------------------------------------------------------------------------------------
    def _publish(self, result: FitResult) -> None:
        model = result.model
        self._components, self._structure, self._encoding = model.components, model.structure, model.encoding
        count = result.statistics.parts["structure"]["count"]
        self._occupied = count / count.sum()

    def _model(self) -> LatentMixture:
        return LatentMixture(self._components, self._structure, self._encoding)

    @property
    def structure_(self) -> Any:
        """Fitted law of the states."""
        return self._learnt("structure_")

    @property
    def startprob_(self) -> Array:
        """Initial probabilities, shape (K,)."""
        return np.asarray(self._learnt("startprob_").initial)

    @property
    def transmat_(self) -> Array:
        """Transition matrix, shape (K, K)."""
        return np.asarray(self._learnt("transmat_").transition)

    @property
    def components_(self) -> Any:
        """Fitted laws of the observations, with their locations in units of the data."""
        self._learnt("components_")
        origin = self._encoding.origin
        return self._components if origin is None else hooks.moved(self._components, -origin)

    def _learnt(self, name: str) -> Any:
        if not hasattr(self, "_structure"):
            msg = f"This HMM has no {name} yet: call fit first."
            raise AttributeError(msg)
        return self._structure

    def _parameter_table(self) -> list[hooks.Parameter]:
        """Parameters by name; levels of a data frame by theirs."""
        numbered = [f"x{j}" for j in range(self.n_features_in_)]
        names = [str(name) for name in getattr(self, "feature_names_in_", numbered)]
        rows = hooks.table(hooks.point(self._components), names, self._encoding.origin)
        if self.frame is None:
            return rows
        return [row._replace(feature=self.frame.named(row.feature)) for row in rows]

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        currstate: int | None = None,
        *,
        lengths: Any = None,
        covariates: Any = None,
    ) -> tuple[Any, Array]:
        """Simulate new sequences; where the chain is of a data frame, as a data frame. See :meth:`Future.sample`."""
        rows, states = super().sample(
            n_samples, random_state, currstate, lengths=lengths, covariates=covariates
        )
        if self.frame is None:
            return rows, states
        return make_frame(self.frame.decoded(rows), self.frame.library), states

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _takes_sparse(component: Component) -> bool:
    """Whether rows may be a CSR matrix."""
    family = component.family if isinstance(component, FamilyComponents) else None
    return isinstance(component, DirichletMultinomial) if family is None else family.sparse


def _independent(counts: Array) -> Independent:
    return Independent(np.log(np.maximum(counts, 1e-300)))
