"""Structural time series: level, trend, seasons and inputs, each with a variance of its own, by exact maximum likelihood.

What a fitted one gives is in `_structural_output`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from mixtura.chains.structural import StructuralChain
from mixtura.chains.structural_parts import (
    Assembly,
    assembled,
    level,
    seasonal_dummies,
    seasonal_waves,
    trend,
)
from mixtura.exceptions import (
    InvalidDataError,
    InvalidParameterError,
    did_you_mean,
)
from mixtura.executors import Serial
from mixtura.inference.driver import FitResult, Progress, run
from mixtura.inference.leaps import Leaping
from mixtura.inference.stopping import Reason, Stopping
from mixtura.models._ended import warn_of_end
from mixtura.models._series_rows import checked_inputs, checked_series
from mixtura.models._structural_output import StructuralOutput
from mixtura.protocols import Array, Batch

__all__ = ["StructuralTimeSeries"]

_FORMS = {"dummy": seasonal_dummies, "trigonometric": seasonal_waves}
# Where fits begin: the noise's share of what differs from step to step; the rest is shared out among the states.
_STARTS = (0.5, 0.98, 0.05)
# Share of a series' squares below which what its states leave over is rounding.
_ROUNDING = 1e-24


class StructuralTimeSeries(StructuralOutput, BaseEstimator):
    r"""A series as the sum of a level, a trend, seasons, effects of inputs, and noise.

    .. math:: y_t = \mu_t + \gamma_t + x_t'\beta + \varepsilon_t, \quad
        \mu_{t+1} = \mu_t + \nu_t + \xi_t, \quad \nu_{t+1} = \nu_t + \zeta_t

    Each part moves by disturbances with a variance of its own. The variances are learnt by maximum likelihood, by EM on the library's
    driver with Newton steps where these reach higher (:mod:`mixtura.chains.structural`); a variance of zero, a part that does not
    change, is an ordinary result. Nothing is assumed of the first states or of the coefficients: their law is flat, and taken to the
    limit exactly (:mod:`mixtura.chains.diffuse`). Missing values are left out.

    Parameters
    ----------
    level : bool, default True
        Whether there is a level: a random walk.
    trend : bool, default False
        Whether the level moves by a slope, which is a random walk itself.
    seasonal : int, optional
        Steps after which seasons return, 12 for months; None: no seasons.
    seasonal_form : {"dummy", "trigonometric"}, default "dummy"
        Seasonal effects whose sums over a period are disturbances, or waves that turn; the latter change more smoothly.
    variances : mapping of str to float, optional
        Variances that are known: of "noise", "level", "slope", "seasonal"; 0 keeps a part as it is. The others are learnt.
    tol : float, default 1e-9
        Bound on the estimated remaining gain of the log evidence per observation (nats).
    max_iter : int, default 200
        Most steps of a run; there are three, from different shares of the noise.
    callbacks : sequence of callable, default ()
        Called after every step; one that returns True ends the run.

    Attributes
    ----------
    variances_ : dict of str to float
        Of the noise and of the disturbances, squared units of y.
    coef_ : ndarray, shape (n_inputs,)
        Effects of the inputs, in units of y per unit of the input.
    coef_covariance_ : ndarray, shape (n_inputs, n_inputs)
        What is not known of them, given the variances.
    log_evidence_ : float
        Diffuse log-likelihood: log p(y) with the first states and coefficients integrated out under a flat density of one. For a level
        alone that is log p(y_2, ..., y_T | y_1).
    scores_ : ndarray, shape (n_iter_ + 1,)
        Log evidence after every step of the run kept.
    n_iter_, converged_, stop_reason_ : int, bool, str
        Steps, whether the remaining gain fell below `tol`, and why the run ended.
    y_, inputs_ : ndarray, shape (n_steps,) and (n_steps, n_inputs)
        The series fitted.
    input_names_ : list of str
        Names of the inputs.

    Notes
    -----
    `aic` and `bic` count the variances learnt and the states and coefficients that begin with a flat law ([1]_, section 7.4); compare
    them, as the log evidence, between models of the same series with the same such states only.

    References
    ----------
    .. [1] J. Durbin and S. J. Koopman (2012), Time Series Analysis by State Space Methods, 2nd edition.
    .. [2] A. C. Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> walk = np.cumsum(rng.normal(size=200))
    >>> model = StructuralTimeSeries().fit(walk + 2.0 * rng.normal(size=200))
    >>> {name: round(variance, 1) for name, variance in model.variances_.items()}
    {'noise': 4.1, 'level': 1.3}
    >>> model.forecast(2).mean.round(1)
    array([3.6, 3.6])
    """

    def __init__(
        self,
        *,
        level: bool = True,
        trend: bool = False,
        seasonal: int | None = None,
        seasonal_form: str = "dummy",
        variances: Mapping[str, float] | None = None,
        tol: float = 1e-9,
        max_iter: int = 200,
        callbacks: Sequence[Callable[[Progress], object]] = (),
    ) -> None:
        self.level = level
        self.trend = trend
        self.seasonal = seasonal
        self.seasonal_form = seasonal_form
        self.variances = variances
        self.tol = tol
        self.max_iter = max_iter
        self.callbacks = callbacks

    def fit(self, y: Any, inputs: Any = None) -> Self:
        """Learn the variances of a series.

        Parameters
        ----------
        y : array_like, shape (n_steps,)
            Values at equal distances in time; NaN or None where one is missing.
        inputs : array_like or data frame, shape (n_steps, n_inputs), optional
            What the series may depend on in every step: interventions, calendar, prices.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        InvalidDataError, InvalidParameterError
            With where, what was found, what was expected and what to do.
        """
        series = checked_series(y)
        table, names = checked_inputs(inputs, len(series))
        parts = self._assembled(len(table))
        chain = self._chain(parts, len(table))
        away = series - self._origin(series)
        self._check_told(chain, away, table, names)
        starts = [chain.replace(variances) for variances in self._starts(chain, away)]
        batch = Batch(
            away[None],
            np.ones(len(series)),
            np.array([0, len(series)]),
            covariates=table if len(table) else None,
        )
        best = max((self._run(start, batch) for start in starts), key=lambda result: result.objective)
        self.y_, self.inputs_, self.input_names_ = series, table.T.copy(), names
        self._publish(best, parts)
        warn_of_end(
            self,
            best.reason,
            best.n_iter,
            found="these are the variances",
            counted_by="observation",
            stacklevel=2,
        )
        return self

    def _run(self, start: StructuralChain, batch: Batch) -> FitResult:
        return run(
            start,
            [batch],
            update=Leaping(batch=batch),
            executor=Serial(),
            stopping=Stopping(self.tol, self.max_iter),
            callbacks=self.callbacks,
        )

    def _publish(self, result: FitResult, parts: Assembly) -> None:
        self.variances_ = dict(zip(parts.names, result.model.variances.tolist(), strict=True))
        self.scores_ = np.array(result.history)
        self.n_iter_ = result.n_iter
        self.converged_ = result.reason == Reason.CONVERGED
        self.stop_reason_ = str(result.reason)
        found, self.log_evidence_ = self._known()
        which = slice(len(parts.design) - len(self.input_names_), None)
        self.coef_, self.coef_covariance_ = found.mean[-1, which], found.covariance[-1, which, which]

    # --- parts and starts --------------------------------------------------------------------------------------
    def _assembled(self, n_inputs: int) -> Assembly:
        """The parts asked for, side by side."""
        for name in ("level", "trend"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                msg = f"{name} is {getattr(self, name)!r}; expected True or False."
                raise InvalidParameterError(msg)
        if self.trend and not self.level:
            msg = f"trend is {self.trend!r} and level is {self.level!r}; expected a level, which is what a slope moves. Set level=True."
            raise InvalidParameterError(msg)
        parts = [trend()] if self.trend else [level()] if self.level else []
        if self.seasonal is not None:
            period = self.seasonal
            if isinstance(period, bool) or not isinstance(period, int | np.integer) or period < 2:
                msg = f"seasonal is {period!r}; expected a whole number of steps, at least 2 (12 for months), or None for no seasons."
                raise InvalidParameterError(msg)
            if self.seasonal_form not in _FORMS:
                msg = f"seasonal_form is {self.seasonal_form!r}. {did_you_mean(str(self.seasonal_form), _FORMS)}"
                raise InvalidParameterError(msg)
            parts.append(_FORMS[self.seasonal_form](int(period)))
        if not parts and not n_inputs:
            msg = "level is False and seasonal is None, and there are no inputs; expected at least one part. Set level=True."
            raise InvalidParameterError(msg)
        return assembled(parts, n_inputs)

    def _chain(self, parts: Assembly, n_inputs: int) -> StructuralChain:
        """The model with the variances that are known, NaN for the others."""
        known = {} if self.variances is None else dict(self.variances)
        for name, value in known.items():
            if name not in parts.names:
                msg = f"variances has a key {name!r}, which is no part of this model. {did_you_mean(str(name), parts.names)}"
                raise InvalidParameterError(msg)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not number or not np.isfinite(value) or value < 0:
                msg = f"variances[{name!r}] is {value!r}; expected a finite number of at least 0. Leave it out to learn it."
                raise InvalidParameterError(msg)
        given = np.array([float(known.get(name, np.nan)) for name in parts.names])
        if not np.nansum(given) > 0 and not np.isnan(given).any():
            msg = (
                "variances are all 0; expected one above 0, or one that is left out: nothing would be random."
            )
            raise InvalidParameterError(msg)
        return StructuralChain(parts.design, parts.transition, parts.loads, given, np.isnan(given), n_inputs)

    def _check_told(self, chain: StructuralChain, series: Array, table: Array, names: Sequence[str]) -> None:
        """Refuse series that do not tell the states, or that these explain without residual."""
        seen = int(np.count_nonzero(~np.isnan(series)))
        needed = chain.n_states + max(int(chain.free.sum()), 1)
        if seen < needed:
            msg = (
                f"y has {seen} observed values; expected at least {needed}: {chain.n_states} for the states that begin unknown and one "
                "for each variance. Use a longer series, or fewer parts."
            )
            raise InvalidDataError(msg)
        still = chain.replace(np.eye(len(chain.variances))[0])
        forward = still.smoothed(series, table, states=False)[0].filter
        if forward.left[-1] > 0:
            part = "seasons, " if self.seasonal is not None else ""
            msg = (
                f"The {seen} observed values leave {forward.left[-1]} of the {chain.n_states} states unknown ({part}inputs {list(names)}); "
                "expected values that tell all of them. An input may be constant or a combination of others, or a season never observed: "
                "leave that part out."
            )
            raise InvalidDataError(msg)
        usual = forward.unbounded == 0
        left = np.nansum(np.where(usual, forward.innovation**2 / np.where(usual, forward.variance, 1.0), 0.0))
        if chain.free.any() and left <= _ROUNDING * np.nansum(series**2):
            msg = (
                f"y is explained by its first states without residual (the {seen} values leave a sum of squares of {left:.3g}); expected a "
                "series with something random. It needs no model, or too few values were given for the parts asked for."
            )
            raise InvalidDataError(msg)

    def _starts(self, chain: StructuralChain, series: Array) -> list[Array]:
        """Variances to begin with: what changes from step to step, shared out in several ways."""
        lag = 1 if self.seasonal is None else int(self.seasonal)
        seen = series[~np.isnan(series)]
        changes = [seen - seen.mean(), np.diff(seen), series[lag:] - series[:-lag]]
        sizes = [float(np.nanmean(one**2)) for one in changes if np.count_nonzero(~np.isnan(one))]
        scale = min((size for size in sizes if size > 0), default=1.0)
        others = len(chain.variances) - 1
        shares = (
            [np.array([noise] + [(1.0 - noise) / others] * others) for noise in _STARTS]
            if others
            else [np.ones(1)]
        )
        if not chain.free.any():
            shares = shares[:1]
        return [np.where(chain.free, scale * share, chain.variances) for share in shares]
