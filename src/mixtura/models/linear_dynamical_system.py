"""Linear dynamical systems: states that move linearly with Gaussian noise, seen through a linear map with Gaussian noise.

What a fitted one gives is in `_linear_output`, settings are read in `_linear_settings`. The file is long because the docstring of the
class is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from mixtura.chains import LinearGaussianChain, System
from mixtura.exceptions import (
    ConstantColumnWarning,
    InvalidDataError,
    InvalidParameterError,
)
from mixtura.executors import Serial, Threads
from mixtura.inference.driver import FitResult, Progress, run
from mixtura.inference.fitting import deadline
from mixtura.inference.progress import FitProgress
from mixtura.inference.squared import Squared, Steadily
from mixtura.inference.stopping import Reason
from mixtura.inference.updates import Maximization
from mixtura.models._checked import checked_count
from mixtura.models._ended import warn_of_end
from mixtura.models._fitting import check_choice
from mixtura.models._linear_output import LinearOutput
from mixtura.models._linear_settings import FORMS, STARTS, Restrictions
from mixtura.models._row_weights import row_weights
from mixtura.models._sequences import Sequences
from mixtura.protocols import Array, Batch, Executor

__all__ = ["LinearDynamicalSystem"]

# Rows of a batch, about: sequences are never split.
_BATCH_ROWS = 20_000
# Rows above which a pool of threads pays for itself, where there are several sequences.
_THREADS_PAY = 100_000
# Values whose squares can still be summed.
_LARGEST = 1e150
# Smallest `min_variance`.
_LEAST = 1e-10


class LinearDynamicalSystem(LinearOutput, BaseEstimator):
    r"""A linear dynamical system (linear Gaussian state space model), learnt by EM with the Kalman smoother.

    .. math::

        z_t = A z_{t-1} + B u_t + b + w_t, \quad x_t = C z_t + D u_t + d + v_t, \quad w_t \sim N(0, \Gamma),\ v_t \sim N(0, \Sigma),
        \ z_1 \sim N(m_0, V_0)

    Any cell of X may be missing (NaN). Every parameter is free, known, or restricted: arrays hold known values, and NaN where an
    entry is learnt. States are identified up to an invertible linear map only, unless known entries tell more.

    Parameters
    ----------
    n_states : int, default 1
        S, dimension of the state.
    transition : "free" or array_like, shape (n_states, n_states), default "free"
        A, or its known entries.
    observation : "free" or array_like, shape (n_features, n_states), default "free"
        C, or its known entries.
    state_noise : {"full", "diagonal", "spherical"} or array_like, default "full"
        Gamma: its form; a known covariance, shape (n_states, n_states); or variances, shape (n_states,), NaN where one is learnt.
    observation_noise : {"full", "diagonal", "spherical"} or array_like, default "full"
        Sigma, likewise.
    state_bias : "free", float or array_like, shape (n_states,), default 0.0
        b. Where the observation bias is free, a free b adds nothing, unless A or the first state are known.
    observation_bias : "free", float or array_like, shape (n_features,), default "free"
        d.
    state_inputs, observation_inputs : "free", float or array_like, default "free"
        B, shape (n_states, n_inputs), and D, shape (n_features, n_inputs), where `fit` is given inputs; 0.0 leaves one out.
    initial : {"free", "stationary", "diffuse"}, default "free"
        Law of the first state: learnt, the long-run law of the system, or flat (nothing is known; needs a known `observation`; means
        are NaN until the rows tell the state, and the likelihood is that of the rows after these).
    initial_mean, initial_covariance : array_like, optional
        Known m0, shape (n_states,), and V0, shape (n_states, n_states). With one sequence a free V0 goes to zero, slowly.
    min_variance : float, default 1e-6
        Smallest observation noise in any direction where it is learnt, relative to the columns' variances; at least 1e-10.
    form : {"joseph", "square_root"}, default "joseph"
        How covariances are calculated: as sums of positive parts, which is fastest and stops calculating them where they no longer
        change; or by their factors, which keeps more digits where they are close to singular.
    init_params : {"subspace", "neutral"} or LinearDynamicalSystem, default "subspace"
        Start: by canonical correlations of past and future (where C has known entries: "neutral"), by principal components that move
        slowly, or a fitted estimator.
    tol : float, default 1e-4
        Bound on the estimated remaining gain of the log-likelihood per row (nats).
    max_iter : int, default 500
        Most steps.
    accelerate : bool, default True
        Whether a step is two EM steps and a jump along the curve that they describe, taken where it reaches at least as high
        (squared extrapolation); otherwise one EM step.
    warm_start : bool, default False
        Whether a second fit goes on from the parameters of the first.
    time_budget : float, optional
        Most seconds.
    verbose : int, default 0
        A positive number shows a progress bar.
    callbacks : sequence of callable, default ()
        Called after every step; one that returns True ends the fit.
    executor : Executor, optional
        Who sums over the sequences. Default by the size of the data.

    Attributes
    ----------
    transition_, state_inputs_, state_bias_, state_noise_ : ndarray
        A, B, b, Gamma.
    observation_, observation_inputs_, observation_bias_, observation_noise_ : ndarray
        C, D, d, Sigma.
    initial_mean_, initial_covariance_ : ndarray
        m0, V0.
    lower_bound_, lower_bounds_ : float, ndarray
        Log-likelihood per row, at the end and after every step.
    n_iter_, converged_, stop_reason_ : int, bool, str
        Steps, whether the remaining gain fell below `tol`, and why the fit ended.
    total_weight_ : float
        Rows, weighted.
    n_inputs_, n_features_in_, feature_names_in_
        Columns of inputs and of X.

    References
    ----------
    .. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 13.3.
    .. [2] R. H. Shumway, D. S. Stoffer (1982), Journal of Time Series Analysis 3(4), 253-264.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z, rows = np.zeros(2), []
    >>> for _ in range(400):
    ...     z = np.array([[0.9, 0.3], [-0.3, 0.9]]) @ z + 0.3 * rng.normal(size=2)
    ...     rows.append([z[0] + 0.5 * rng.normal(), z[0] + z[1] + 0.5 * rng.normal()])
    >>> system = LinearDynamicalSystem(2).fit(rows)
    >>> np.abs(np.linalg.eigvals(system.transition_)).round(2)
    array([0.95, 0.95])
    >>> future = system.forecast(rows, 3, level=0.9)
    >>> future.mean.shape, future.lower.shape
    ((3, 2), (3, 2))
    """

    def __init__(
        self,
        n_states: int = 1,
        *,
        transition: Any = "free",
        observation: Any = "free",
        state_noise: Any = "full",
        observation_noise: Any = "full",
        state_bias: Any = 0.0,
        observation_bias: Any = "free",
        state_inputs: Any = "free",
        observation_inputs: Any = "free",
        initial: str = "free",
        initial_mean: Any = None,
        initial_covariance: Any = None,
        min_variance: float = 1e-6,
        form: str = "joseph",
        init_params: Any = "subspace",
        tol: float = 1e-4,
        max_iter: int = 500,
        accelerate: bool = True,
        warm_start: bool = False,
        time_budget: float | None = None,
        verbose: int = 0,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
    ) -> None:
        self.n_states = n_states
        self.transition = transition
        self.observation = observation
        self.state_noise = state_noise
        self.observation_noise = observation_noise
        self.state_bias = state_bias
        self.observation_bias = observation_bias
        self.state_inputs = state_inputs
        self.observation_inputs = observation_inputs
        self.initial = initial
        self.initial_mean = initial_mean
        self.initial_covariance = initial_covariance
        self.min_variance = min_variance
        self.form = form
        self.init_params = init_params
        self.tol = tol
        self.max_iter = max_iter
        self.accelerate = accelerate
        self.warm_start = warm_start
        self.time_budget = time_budget
        self.verbose = verbose
        self.callbacks = callbacks
        self.executor = executor

    def __sklearn_clone__(self) -> Self:
        """A copy without results, whose start stays what it is where it is a fitted system."""
        new: Self = super().__sklearn_clone__()
        if isinstance(self.init_params, LinearDynamicalSystem):
            new.init_params = self.init_params
        return new

    def fit(
        self,
        X: Any,
        lengths: Any = None,
        *,
        inputs: Any = None,
        groups: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Learn the parameters.

        Parameters
        ----------
        X : array_like or data frame, shape (n_samples, n_features), or list of arrays
            Rows in the order of time; NaN where a cell is missing. A list holds one array for each sequence.
        lengths : array_like of int, shape (n_sequences,), optional
            Rows of each sequence, in the order of X; None: one sequence.
        inputs : array_like, shape (n_samples, n_inputs), or list of arrays, optional
            Inputs u of every row.
        groups : str or array_like, shape (n_samples,), optional
            In the place of lengths: the name of every row's sequence, or the data frame's column with it.
        sample_weight : array_like, shape (n_sequences,), optional
            Weight of every sequence.

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
        u = self._inputs(given, inputs)
        weight = row_weights(sample_weight, len(given.lengths))
        self._check_rows(given.x)
        variances = self._variances(given.x)
        restrictions = Restrictions.of(
            self, given.x.shape[1], 0 if u is None else u.shape[1], self.min_variance * variances
        )
        free = np.isnan(restrictions.looks[:, -1])
        origin = np.where(free, np.nanmean(given.x, axis=0), 0.0)
        about = replace(given, x=given.x - origin)
        chain = restrictions.moved(origin).chain(self._start(about, u, origin), FORMS[self.form])
        result = self._run(chain, about, u, weight)
        self._publish(result, origin, 0 if u is None else u.shape[1])
        warn_of_end(
            self,
            result.reason,
            result.n_iter,
            found="these are the parameters",
            counted_by="row",
            stacklevel=2,
        )
        return self

    def _start(self, given: Sequences, u: Array | None, origin: Array) -> System:
        """Where learning begins, about the origin."""
        other = self if self.warm_start and hasattr(self, "transition_") else self.init_params
        if isinstance(other, LinearDynamicalSystem):
            system = other.system_
            wanted = (self.n_states, given.x.shape[1], 0 if u is None else u.shape[1])
            found = (system.n_states, system.n_features, system.n_inputs)
            if wanted != found:
                msg = (
                    f"The start has {found[0]} states, {found[1]} columns and {found[2]} inputs; expected {wanted[0]}, {wanted[1]} and "
                    f"{wanted[2]}. Fit one of that size, or let init_params='subspace' find a start."
                )
                raise InvalidParameterError(msg)
            return system.replace(observation_bias=system.observation_bias - origin)
        tied = not isinstance(self.observation, str)
        make = STARTS["neutral" if tied else self.init_params]
        return make(given.x, given.offsets, self.n_states, u)

    def _batches(self, given: Sequences, u: Array | None, weight: Array | None) -> list[Batch]:
        """Whole sequences, some thousand rows at a time."""
        per_row = np.ones(given.n_rows) if weight is None else np.repeat(weight, given.lengths)
        filled = np.searchsorted(given.offsets, np.arange(_BATCH_ROWS, given.n_rows, _BATCH_ROWS))
        bounds = np.unique([0, *filled, len(given.lengths)])
        batches = []
        for number, (first, last) in enumerate(pairwise(bounds)):
            begin, end = given.offsets[first], given.offsets[last]
            batches.append(
                Batch(
                    np.ascontiguousarray(given.x[begin:end].T),
                    per_row[begin:end],
                    given.offsets[first : last + 1] - begin,
                    number,
                    None if u is None else np.ascontiguousarray(u[begin:end].T),
                )
            )
        return batches

    def _run(
        self, chain: LinearGaussianChain, given: Sequences, u: Array | None, weight: Array | None
    ) -> FitResult:
        many = given.n_rows > _THREADS_PAY and len(given.lengths) > 1
        executor = self.executor or (Threads() if many else Serial())
        batches = self._batches(given, u, weight)
        title = f"{type(self).__name__} S={self.n_states}"
        with (
            FitProgress(title, self.max_iter, enabled=bool(self.verbose)) as bar,
            executor.session() as beside,
        ):
            bold = Squared(total=lambda model: beside.total(model.summarize, batches))
            return run(
                chain,
                batches,
                update=bold if self.accelerate else Maximization(),
                executor=executor,
                stopping=Steadily(self.tol, self.max_iter, deadline(self.time_budget)),
                callbacks=(*self.callbacks, *bar.callbacks),
            )

    def _publish(self, result: FitResult, origin: Array, n_inputs: int) -> None:
        system: System = result.model.system
        self._set_system(system.replace(observation_bias=system.observation_bias + origin))
        self.n_inputs_ = n_inputs
        self.n_parameters_ = result.model.n_parameters()
        self.total_weight_ = result.weight
        self.lower_bounds_ = np.array(result.history) / result.weight
        self.lower_bound_ = float(self.lower_bounds_[-1])
        self.n_iter_ = result.n_iter
        self.converged_ = result.reason == Reason.CONVERGED
        self.stop_reason_ = str(result.reason)

    # --- checks -----------------------------------------------------------------------------------------------
    def _check_settings(self) -> None:
        """Refuse settings outside their domain."""
        for name, least in (("n_states", 1), ("max_iter", 0)):
            checked_count(name, getattr(self, name), least)
        for name in ("tol", "min_variance", "time_budget"):
            value = getattr(self, name)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not (value is None and name == "time_budget") and not (number and 0 <= value < np.inf):
                msg = f"{name} is {value!r}; expected a finite number of at least 0."
                raise InvalidParameterError(msg)
        if self.min_variance < _LEAST:
            msg = f"min_variance is {self.min_variance!r}; expected at least {_LEAST:g}: below, rounding tells the noise."
            raise InvalidParameterError(msg)
        check_choice("form", self.form, list(FORMS))
        if not isinstance(self.init_params, LinearDynamicalSystem):
            check_choice("init_params", self.init_params, list(STARTS))

    def _check_rows(self, x: Array) -> None:
        """Refuse columns without any value, and values whose squares overflow."""
        large = np.argwhere(np.abs(x) > _LARGEST)
        if large.size:
            row, column = (int(index) for index in large[0])
            msg = (
                f"Row {row}, column {column} of X is {x[row, column]:.3g}, whose square overflows; expected values below {_LARGEST:g}. "
                "Divide the column by a unit that suits it."
            )
            raise InvalidDataError(msg)
        empty = np.flatnonzero(np.isnan(x).all(axis=0))
        if len(empty) == x.shape[1]:
            msg = f"All cells of X, {len(x)} rows, are missing (NaN); expected some that were observed."
            raise InvalidDataError(msg)
        if empty.size:
            msg = f"Column {empty[0]} of X has no value in any of {len(x)} rows; expected some. Leave the column out."
            raise InvalidDataError(msg)

    def _variances(self, x: Array) -> Array:
        """Of the columns; of one that is constant, the square of its size."""
        variances = np.nanvar(x, axis=0)
        level = np.maximum(np.nanmean(x, axis=0) ** 2, np.finfo(float).tiny)
        constant = variances <= 1e-28 * level
        if constant.any():
            warnings.warn(
                f"Column {np.flatnonzero(constant)[0]} of X holds one value only, so it says nothing about the states.",
                ConstantColumnWarning,
                stacklevel=3,
            )
        return np.asarray(np.where(constant, np.maximum(level, 1.0), variances))
