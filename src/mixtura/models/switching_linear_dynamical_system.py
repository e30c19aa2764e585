"""Switching linear dynamical systems: regimes that say how a hidden state moves.

What a fitted one gives is in `_switching_output`, starts are in `_switching_start`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from mixtura.chains.switching import SwitchingChain
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.executors import Serial
from mixtura.inference.driver import FitResult, Progress, run
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.models._checked import checked_count
from mixtura.models._ended import warn_of_end
from mixtura.models._switching_output import SwitchingOutput, batch_of
from mixtura.models._switching_start import start
from mixtura.protocols import Array

__all__ = ["SwitchingLinearDynamicalSystem"]


class SwitchingLinearDynamicalSystem(SwitchingOutput, BaseEstimator):
    r"""A hidden state that moves linearly, in one of several ways; which one is a hidden Markov chain.

    .. math:: z_t = A_{s_t} z_{t-1} + b_{s_t} + N(0, Q_{s_t}), \qquad x_t = C z_t + d + N(0, R)

    The regimes s follow each other with the probabilities of `transmat_`; the noise of the columns is independent. Learning is variational
    EM: the posterior is approximated by the closest law in which the whole path of regimes is independent of the whole path of
    states (:mod:`mixtura.chains.switching`). The bound on the log-likelihood rises with every step.

    Parameters
    ----------
    n_regimes : int, default 2
        K.
    n_states : int, default 1
        m, the dimension of the hidden state.
    observation : "free" or array_like, shape (n_features, n_states), default "free"
        C where it is known, of full column rank: the identity makes a noisily observed autoregression with switching coefficients.
        "free": learnt, and known up to a linear map of the states.
    n_init : int, default 5
        Starts from random stretches; the best one is kept.
    tol : float, default 1e-4
        Bound on the estimated remaining gain of the bound per step (nats).
    max_iter : int, default 1000
        Most steps of EM from each start.
    random_state : int, RandomState or None
        Source of the starts.
    callbacks : sequence of callable, default ()
        Called after every step; one that returns True ends a run.

    Attributes
    ----------
    startprob_, transmat_ : ndarray, shape (n_regimes,) and (n_regimes, n_regimes)
        Law of the regimes. A sequence's first regime moves nothing; it only says which one follows.
    transition_, state_bias_, state_noise_ : ndarray, shape (n_regimes, n_states, n_states), (n_regimes, n_states) and as transition_
        A, b and Q of every regime.
    observation_, observation_bias_, observation_noise_ : ndarray, shape (n_features, n_states), (n_features,), (n_features, n_features)
        C, d and R.
    initial_mean_, initial_covariance_ : ndarray, shape (n_states,) and (n_states, n_states)
        Of the first state.
    lower_bound_ : float
        Bound on the log-likelihood of the rows fitted, per step; `lower_bounds_` after every step of EM.
    objectives_ : list of float
        What every start reached, per step.
    n_iter_, converged_, stop_reason_ : int, bool, str
        Steps, whether the remaining gain fell below `tol`, and why the run ended.
    n_features_in_ : int
        D.

    Notes
    -----
    What is called a probability of a regime is that of the approximation, which is surer of itself than the exact posterior.

    References
    ----------
    .. [1] Z. Ghahramani and G. E. Hinton (2000), Variational learning for switching state-space models, Neural Computation 12(4), 831-864.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> regimes = np.repeat([0, 1, 0, 1], 50)
    >>> x = np.zeros(200)
    >>> for t in range(1, 200):
    ...     x[t] = (0.95, -0.8)[regimes[t]] * x[t - 1] + rng.normal()
    >>> model = SwitchingLinearDynamicalSystem(2, observation=[[1.0]], n_init=2, tol=0.01, random_state=0)
    >>> found = model.fit(x.reshape(-1, 1)).predict(x.reshape(-1, 1))
    >>> bool(max(np.mean(found == regimes), np.mean(found != regimes)) > 0.85)
    True
    """

    def __init__(
        self,
        n_regimes: int = 2,
        n_states: int = 1,
        *,
        observation: Any = "free",
        n_init: int = 5,
        tol: float = 1e-4,
        max_iter: int = 1000,
        random_state: Any = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
    ) -> None:
        self.n_regimes = n_regimes
        self.n_states = n_states
        self.observation = observation
        self.n_init = n_init
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.callbacks = callbacks

    # --- fitting ----------------------------------------------------------------------------------------------
    def fit(self, X: Any, y: Any = None, lengths: Any = None) -> Self:
        """Learn from one or several sequences.

        Parameters
        ----------
        X : array_like, shape (n_steps, n_features), or list of such
            Rows in order of time; NaN where a cell is missing.
        y : None
            Not used.
        lengths : array_like of int, optional
            Steps of each sequence; None: one sequence (or the tables of the list).

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        InvalidDataError, InvalidParameterError
            With where, what was found, what was expected and what to do.
        """
        n_regimes, n_states, n_init = (
            checked_count(name, getattr(self, name)) for name in ("n_regimes", "n_states", "n_init")
        )
        given = self._checked(X, lengths, None)
        known = self._known_loadings(given.x.shape[1])
        least = 3 * (n_states + 1) * n_regimes
        if given.n_rows - len(given.lengths) < least:
            msg = (
                f"X has {given.n_rows} steps in {len(given.lengths)} sequences; expected at least {least} moves from step to step, three "
                "for each coefficient of every regime. Give more steps, or fewer regimes or states."
            )
            raise InvalidDataError(msg)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        # About the columns' means, so that sums of squares keep their digits; the bias makes up for them exactly.
        origin = np.nanmean(given.x, axis=0)
        given = replace(given, x=given.x - origin)
        batch, results = batch_of(given), []
        for _ in range(n_init):
            begun = start(given.x, given.offsets, n_regimes, n_states, known, rng)
            results.append(
                run(
                    begun,
                    [batch],
                    update=Maximization(),
                    executor=Serial(),
                    stopping=Stopping(self.tol, self.max_iter),
                    callbacks=self.callbacks,
                )
            )
            if results[-1].reason == Reason.INTERRUPTED:
                break
        best = max(results, key=lambda result: result.objective)
        self.objectives_ = [result.objective / result.weight for result in results]
        self.n_features_in_ = given.x.shape[1]
        self._publish(best, origin)
        warn_of_end(
            self, best.reason, best.n_iter, found="this is the best model", counted_by="step", stacklevel=2
        )
        return self

    def _publish(self, result: FitResult, origin: Array) -> None:
        model: SwitchingChain = result.model
        self.startprob_, self.transmat_ = model.regimes.initial, model.regimes.transition
        self.transition_ = model.motions.dynamics[:, :, :-1]
        self.state_bias_ = model.motions.dynamics[:, :, -1]
        self.state_noise_ = model.motions.covariances
        self.observation_, self.observation_bias_ = (
            model.look.loadings[:, :-1],
            model.look.loadings[:, -1] + origin,
        )
        self.observation_noise_ = np.diag(model.look.variances)
        self.initial_mean_, self.initial_covariance_ = model.first.mean, model.first.covariance
        self._floor, self._floors = model.motions.floor, model.look.floors
        self.lower_bounds_ = np.array(result.history) / result.weight
        self.lower_bound_ = float(self.lower_bounds_[-1])
        self.n_iter_, self.stop_reason_ = result.n_iter, str(result.reason)
        self.converged_ = result.reason == Reason.CONVERGED

    def _known_loadings(self, n_features: int) -> Array | None:
        if not self._given:
            return None
        try:
            given = np.array(self.observation, dtype=np.float64)
        except (TypeError, ValueError):
            given = np.empty(0)
        shape = (n_features, self.n_states)
        if given.shape != shape or not np.isfinite(given).all():
            msg = f'observation has shape {np.shape(self.observation)}; expected finite numbers of shape {shape}, or "free" to learn them.'
            raise InvalidParameterError(msg)
        rank = np.linalg.matrix_rank(given)
        if rank < self.n_states:
            msg = (
                f"observation is of rank {rank}; expected full column rank, {self.n_states}: the columns must show every state. Leave it "
                "out to learn it, or use LinearDynamicalSystem."
            )
            raise InvalidParameterError(msg)
        return given
