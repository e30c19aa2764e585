r"""Structural time series as a `Model`: known dynamics, unknown variances, first states of which nothing is known.

The complete data are the disturbances. Given all observations of a series the diffuse smoother (:mod:`mixtura.chains.diffuse`) gives
their first two moments, so the expected complete-data statistics of variance j are a sum of expected squares and a count,

.. math:: E[\textstyle\sum u^2] = q_j^2 \sum (r_t^2 - N_t) + q_j n_j, \qquad q_j \leftarrow E[\textstyle\sum u^2] / n_j,

and the same sum of pulls, :math:`g_j = \sum (r_t^2 - N_t)`, is twice the slope of the log evidence [1]_, [2]_. EM for variances is slow
where one is small, and never reaches zero. So the model knows bolder steps (`leaps`), which the driver's update
:class:`~mixtura.inference.leaps.Leaping` takes only where they reach as high as the EM step: Newton steps in *standard deviations*. As a
function of these the log evidence is even, so that a variance of zero is an ordinary maximum, which Newton reaches in a few steps; moves
are measured relative to the deviations, so that the units of the disturbances play no part.

References
----------
.. [1] S. J. Koopman (1993), Disturbance smoother for state space models, Biometrika 80(1), 117-126.
.. [2] S. J. Koopman and N. Shephard (1992), Exact score for time series models in state space form, Biometrika 79(4), 823-826.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np

from mixtura.chains.diffuse import DiffuseSmoother, StateSpace, smoothed
from mixtura.protocols import Array, Batch, Memory
from mixtura.statistics import Statistics
from mixtura.structures.grouped import offsets_of

__all__ = ["StructuralChain"]

# Steps of the difference quotients, and of a Newton step at most, both relative to the standard deviation moved.
_DIFFERENCE, _LEAST, _MOST = 1e-4, -0.99, 4.0
# Share of the whole variance below which zero is tried for one with a downward slope.
_NOTHING = 1e-6
# Curvature, relative to the largest, below which a direction counts as flat.
_FLAT = 1e-10
# Parts of a Newton step that are tried, and shares of the whole variance at which one comes back from zero.
_PARTS, _RETURNS = (1.0, 0.5, 0.125), (0.1, 1e-2, 1e-3, 1e-4, 1e-6)


@dataclass(frozen=True)
class StructuralChain:
    """Series of one variable with states of known dynamics; what is learnt are the variances of disturbances.

    Parameters
    ----------
    design : ndarray, shape (m,)
        What each state adds to an observation.
    transition : ndarray, shape (m, m)
        How states move; those of inputs, at the end, stay.
    loads : ndarray, shape (J, 1 + m)
        loads[j, 0]: whether observations have noise of variance j; loads[j, 1 + i]: whether state i has disturbances of it.
    variances : ndarray, shape (J,)
        Zero for what does not move.
    free : ndarray of bool, shape (J,)
        Which are learnt.
    n_inputs : int, default 0
        The last states are coefficients of the rows' covariates.

    Examples
    --------
    >>> walk = StructuralChain(np.ones(1), np.eye(1), np.eye(2), np.array([1.0, 0.5]), np.array([True, True]))
    >>> series = Batch(np.array([[1.0, 2.0, 4.0]]), np.ones(3), np.array([0, 3]))
    >>> stats = walk.summarize(series, {})
    >>> round(stats.log_evidence, 12), walk.maximize(stats).variances
    (-4.23841967614, array([1.19954649, 0.63605442]))
    """

    design: Array
    transition: Array
    loads: Array
    variances: Array
    free: Array
    n_inputs: int = 0
    _last: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def exact(self) -> bool:
        """Every step maximises."""
        return True

    @property
    def n_states(self) -> int:
        """m, coefficients of inputs included; so many observations are spent on the first state."""
        return len(self.design)

    def replace(self, variances: Array) -> Self:
        """The same with other variances."""
        return replace(self, variances=np.asarray(variances, dtype=np.float64))

    def system(self, inputs: Array | None) -> StateSpace:
        """The state space model of a series.

        Parameters
        ----------
        inputs : ndarray, shape (Q, T), or None
            Covariates of its rows; None where there are none.
        """
        noise = self.variances @ self.loads
        design, spread = self.design[None, None], np.ones(self.n_states)
        if inputs is not None and self.n_inputs:
            design = np.repeat(design, inputs.shape[1], axis=0)
            design[:, 0, self.n_states - self.n_inputs :] = inputs.T
            size = np.sqrt(np.mean(inputs**2, axis=1))
            spread[self.n_states - self.n_inputs :] = 1.0 / np.where(size > 0, size, 1.0)
        return StateSpace(
            design, noise[None, :1], self.transition, np.diag(noise[1:]), np.diag(spread), None, None
        )

    def smoothed(
        self, y: Array, inputs: Array | None, *, states: bool = True
    ) -> tuple[DiffuseSmoother, float]:
        """What is known of one series, and its log evidence under coefficients and states of flat density one.

        Parameters
        ----------
        y : ndarray, shape (T,)
            NaN where missing.
        inputs : ndarray, shape (Q, T), or None
            Covariates.
        states : bool, default True
            Whether states are smoothed, too.
        """
        system = self.system(inputs)
        found = smoothed(system, y[:, None], states=states)
        return found, found.filter.log_evidence + float(np.log(np.diag(system.spread)).sum())

    def summarize(self, batch: Batch, memory: Memory) -> Statistics:
        """Expected squares of the disturbances, their numbers, and the diffuse log evidence.

        Parameters
        ----------
        batch : Batch
            Series one after the other: x (1, B) with NaN for missing observations, covariates for inputs.
        memory : dict
            Not used.
        """
        evidence, pulls, counts, weight = self._pulls(batch)
        square = self.variances**2 * pulls + self.variances * counts
        return Statistics({"count": counts, "square": square}, log_evidence=evidence, weight=weight)

    def _pulls(self, batch: Batch) -> tuple[float, Array, Array, float]:
        """Log evidence, twice its slopes by the variances, numbers of disturbances, and the weight of what was observed.

        Those of the last batch are kept: a model that was tried as a step is summarised again where it is taken.
        """
        if self._last.get("batch") is not batch:
            self._last.update(batch=batch, found=self._passed(batch))
        return self._last["found"]

    def _passed(self, batch: Batch) -> tuple[float, Array, Array, float]:
        pulls, counts = np.zeros(1 + self.n_states), np.zeros(1 + self.n_states)
        evidence = weight = 0.0
        y = batch.x[0] if batch.seen is None else np.where(batch.seen, batch.x[0], np.nan)
        for start, stop in pairwise(offsets_of(batch, len(y))):
            rows, unit = slice(start, stop), float(batch.sample_weight[start])
            inputs = None if batch.covariates is None else batch.covariates[:, rows]
            found, own = self.smoothed(y[rows], inputs, states=False)
            observed = float(np.count_nonzero(~np.isnan(y[rows])))
            told = np.einsum("tii->ti", found.state_told)
            evidence += unit * own
            weight += unit * observed
            pulls[0] += unit * np.sum(found.noise_pull**2 - found.noise_told)
            pulls[1:] += unit * np.sum(found.state_pull**2 - told, axis=0)
            counts[0] += unit * observed
            counts[1:] += unit * (stop - start - 1)
        return evidence, self.loads @ pulls, self.loads @ counts, weight

    def maximize(self, stats: Statistics) -> Self:
        """Expected squares over their number, where variances are learnt."""
        counts = stats["count"]
        found = np.maximum(stats["square"], 0.0) / np.where(counts > 0, counts, 1.0)
        return self.replace(np.where(self.free & (counts > 0), found, self.variances))

    def leaps(self, batch: Batch, prior: Statistics | None) -> Iterator[Self]:
        """Newton steps in standard deviations, and what comes back from zero.

        Parameters
        ----------
        batch : Batch
            The whole data.
        prior : Statistics, optional
            Not used: what is tried is judged by the whole objective.
        """
        _, pulls, _, _ = self._pulls(batch)
        whole = float(self.variances.sum())
        if not whole > 0:
            return
        for j in np.flatnonzero(self.free & (self.variances == 0) & (pulls > 0)):
            for share in _RETURNS:
                yield self.replace(np.where(np.arange(len(pulls)) == j, share * whole, self.variances))
        moving = np.flatnonzero(self.free & (self.variances > 0))
        if not moving.size:
            return
        here = self.variances[moving] * pulls[moving]

        curvature = np.empty((len(moving), len(moving)))
        for place, step in enumerate(_DIFFERENCE * np.eye(len(moving))):
            slopes = (
                self.variances[moving] * (1.0 + step) * self._moved(moving, step)._pulls(batch)[1][moving]
            )
            curvature[place] = (slopes - here) / _DIFFERENCE
        if not np.isfinite(curvature).all():
            return
        values, axes = np.linalg.eigh(0.5 * (curvature + curvature.T))
        sizes = np.maximum(np.abs(values), _FLAT * np.abs(values).max() + np.finfo(float).tiny)
        move = axes @ ((axes.T @ here) / sizes)
        for part in _PARTS:
            found = self._moved(moving, np.clip(part * move, _LEAST, _MOST))
            still = (found.variances < _NOTHING * whole) & (pulls < 0) & self.free
            if still.any() and not still.all():
                yield self.replace(np.where(still, 0.0, found.variances))
            yield found

    def _moved(self, which: Array, by: Array) -> Self:
        """Some standard deviations moved by parts of themselves."""
        variances = self.variances.copy()
        variances[which] *= (1.0 + by) ** 2
        return self.replace(variances)

    def penalty(self) -> float:
        """Nothing: the flat law of the first states is part of the log evidence."""
        return 0.0

    def expected_log_prob(self, stats: Statistics) -> float:
        """Expected log probability of the disturbances; those of variance zero are certain."""
        moving = self.variances > 0
        variances = self.variances[moving]
        logs = stats["count"][moving] * np.log(2.0 * np.pi * variances)
        return -0.5 * float(np.sum(logs + stats["square"][moving] / variances))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the disturbances, in the order given; without its own a state moves no more."""
        index = np.asarray(components, dtype=np.intp)
        return replace(self, loads=self.loads[index], variances=self.variances[index], free=self.free[index])

    def split(self, stats: Statistics, component: int) -> Statistics:
        """One disturbance as the sum of two, each with half of the variance: the same law of the series."""
        size = len(stats["square"])
        both = stats.take([*range(size), component])
        both["square"][[component, size]] *= 0.5
        return both

    def coordinates(self) -> Array:
        """Standard deviations, shape (J,); their signs mean nothing."""
        return np.sqrt(self.variances)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        return self.replace(np.asarray(vector) ** 2)
