r"""A first state of which nothing is known, as a law of linear dynamical systems.

The recursions are linear in the mean of the first state: with z_1 = m + B d + N(0, V) every mean is that of d = 0 plus one column for each
direction in B. So the usual filter runs once with the rows and once for each direction without them, generalised least squares of the
innovations says what the rows tell of d, and its limit for a flat law of d needs no large number ([1]_; :mod:`mixtura.chains.diffuse` is
another way to the same figures).

References
----------
.. [1] P. de Jong (1991), The diffuse Kalman filter, Annals of Statistics 19(2), 1073-1083.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from mixtura.chains.kalman import Filtered, FilterForm, Smoothed, Steps
from mixtura.chains.linear_gaussian_initial import KnownInitial
from mixtura.protocols import Array

__all__ = ["DiffuseInitial"]

# Share of the information of the best told direction below which another one is not told at all.
_UNTOLD = 1e-13


class _Kept(NamedTuple):
    """What the smoother needs: the passes, and per sequence what the rows tell of the directions."""

    base: Filtered
    passes: tuple[Filtered, ...]
    estimate: Array  # (U, q)
    covariance: Array  # (U, q, q)


@dataclass(frozen=True)
class DiffuseInitial(KnownInitial):
    """The first state of every sequence has a flat law of density one about the system's initial mean and covariance.

    Give the system an initial covariance of zeros, or one of what is known. The log evidence is that of all rows given those that tell the
    first state. A flat law has no scale, so that of the states must be fixed by known loadings C.

    Parameters
    ----------
    unknown : ndarray of bool, shape (S,), optional
        States of which nothing is known; None: all.

    Examples
    --------
    >>> from mixtura.chains import KnownCoefficients, LinearGaussianChain, System
    >>> from mixtura.protocols import Batch
    >>> level = System.of(
    ...     np.eye(1), np.eye(1), 0.5 * np.eye(1), np.eye(1), initial_covariance=np.zeros((1, 1))
    ... )
    >>> known = KnownCoefficients(np.array([[1.0, 0.0]]))
    >>> chain = LinearGaussianChain(level, moves=known, looks=known, initial=DiffuseInitial())
    >>> rows = Batch(np.array([[1.0, 2.0, 4.0]]), np.ones(3), np.array([0, 3]))
    >>> round(chain.summarize(rows, {}).log_evidence, 11), chain.smooth(rows).mean.ravel().round(3)
    (-4.23841967614, array([1.857, 2.286, 2.857]))
    """

    unknown: Array | None = None

    def filter(self, form: FilterForm, steps: Steps) -> Filtered:
        """States given the rows up to theirs; means are NaN and variances infinite where these do not tell them.

        A sequence whose rows do not tell all unknown states has no log evidence: NaN.
        """
        base = form.filter(steps)
        passes = tuple(form.filter(alone) for alone in self._alone(steps))
        left, shown = _innovations(steps, base, passes)
        told = np.einsum("tdq,tdr->tqr", shown[0], shown[1])
        pull = np.einsum("tdq,td->tq", shown[1], left)
        predicted, filtered = _Told(told, pull, steps.offsets, before=True), _Told(told, pull, steps.offsets)
        whole = steps.offsets[1:] - 1
        kept = _Kept(base, passes, filtered.estimate[whole], filtered.covariance[whole])
        return Filtered(
            *_added(
                base.predicted_mean,
                base.predicted_covariance,
                [one.predicted_mean for one in passes],
                predicted,
            ),
            *_added(base.mean, base.covariance, [one.mean for one in passes], filtered),
            base.log_prob + filtered.log_prob(base.log_prob),
            kept,
        )

    def smooth(self, form: FilterForm, steps: Steps, filtered: Filtered) -> Smoothed:
        """States given all rows of their sequence."""
        kept: _Kept = filtered.kept
        mean, covariance, lagged = form.smooth(steps, kept.base)
        if not kept.passes:
            return Smoothed(mean, covariance, lagged)
        alone = [form.smooth(own, one).mean for own, one in zip(self._alone(steps), kept.passes, strict=True)]
        moved = np.stack(alone, axis=2)  # (T, S, q)
        unit = np.repeat(np.arange(len(kept.estimate)), np.diff(steps.offsets))
        spread = moved @ kept.covariance[unit]
        mean = mean + np.einsum("tsq,tq->ts", moved, kept.estimate[unit])
        covariance = covariance + spread @ moved.transpose(0, 2, 1)
        beside = np.zeros_like(lagged)
        beside[1:] = spread[1:] @ moved[:-1].transpose(0, 2, 1)
        beside[steps.offsets[:-1]] = 0.0
        return Smoothed(mean, covariance, lagged + beside)

    def _alone(self, steps: Steps) -> list[Steps]:
        """Steps from each of the unknown directions, nothing else having a mean."""
        directions = np.eye(steps.drift.shape[1])
        still = steps._replace(rest=np.zeros_like(steps.rest), drift=np.zeros_like(steps.drift))
        unknown = directions if self.unknown is None else directions[np.asarray(self.unknown)]
        return [still._replace(start_mean=direction[None]) for direction in unknown]

    def take(self, states: Array) -> Self:
        """The law of some of the states."""
        return self if self.unknown is None else type(self)(np.asarray(self.unknown)[states])


def _innovations(
    steps: Steps, base: Filtered, passes: tuple[Filtered, ...]
) -> tuple[Array, tuple[Array, Array]]:
    """Innovations (T, D) for d = 0, what each direction adds to the prediction (T, D, q), and the same by their precision."""
    look = np.maximum(steps.look, 0)
    loading = np.where((steps.look >= 0)[:, None, None], steps.loading[look], 0.0)
    variance = loading @ base.predicted_covariance @ loading.transpose(0, 2, 1) + steps.error[look]
    left = np.where((steps.look >= 0)[:, None], steps.rest, 0.0)
    left = left - np.einsum("tds,ts->td", loading, base.predicted_mean)
    size = len(passes)
    added = np.zeros((*left.shape, size))
    for j, one in enumerate(passes):
        added[:, :, j] = np.einsum("tds,ts->td", loading, one.predicted_mean)
    return left, (added, np.linalg.solve(variance, added))


class _Told:
    """What rows tell of the unknown directions, after every row or before it.

    Parameters
    ----------
    told, pull : ndarray, shape (T, q, q) and (T, q)
        Information of every row.
    offsets : ndarray of int
        Where sequences begin.
    before : bool, default False
        Whether a row itself is left out.
    """

    def __init__(self, told: Array, pull: Array, offsets: Array, *, before: bool = False) -> None:
        information, linear = np.zeros_like(told), np.zeros_like(pull)
        for start, stop in pairwise(offsets):
            end = stop - before
            information[start + before : stop] = np.cumsum(told[start:end], axis=0)
            linear[start + before : stop] = np.cumsum(pull[start:end], axis=0)
        values, axes = np.linalg.eigh(information)
        self.offsets = offsets
        some = values > _UNTOLD * values.max(axis=1, initial=0.0)[:, None]
        self.known: Array = np.asarray(some.all(axis=1))
        safe = np.where(self.known[:, None], values, 1.0)
        self.covariance = (axes / safe[:, None, :]) @ axes.transpose(0, 2, 1)
        self.estimate = np.einsum("tqr,tr->tq", self.covariance, linear)
        self.estimate[~self.known] = np.nan
        fit = 0.5 * np.einsum("tq,tq->t", linear, self.estimate)
        constant = 0.5 * told.shape[1] * np.log(2.0 * np.pi)
        self._logs = fit - 0.5 * np.log(safe).sum(axis=1) + constant

    def log_prob(self, rows: Array) -> Array:
        """What is added to the rows' log densities: all comes in the row that tells the last direction, before which there is none."""
        change = np.empty_like(rows)
        for start, stop in pairwise(self.offsets):
            own, known = rows[start:stop], self.known[start:stop]
            whole = np.where(known, np.cumsum(own) + self._logs[start:stop], 0.0)
            change[start:stop] = np.diff(whole, prepend=0.0) - own
            if not known[-1]:
                change[stop - 1] = np.nan
        return change


def _added(mean: Array, covariance: Array, alone: list[Array], told: _Told) -> tuple[Array, Array]:
    """Means and covariances with what is known of the directions."""
    if not alone:
        return mean, covariance
    moved = np.stack(alone, axis=2)
    mean = mean + np.einsum("tsq,tq->ts", moved, told.estimate)
    covariance = covariance + moved @ told.covariance @ moved.transpose(0, 2, 1)
    covariance[~told.known] = np.where(np.eye(mean.shape[1]) > 0, np.inf, np.nan)
    return mean, covariance
