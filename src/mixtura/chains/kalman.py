r"""Kalman filter and smoother for several sequences at once, with missing cells and systems that may change from row to row.

:class:`Steps` is what the recursions read. Cells that are missing are no case of their own: their rows of C are zeros and their noise
is one, apart from all else, so that they say nothing; each pattern of missing cells is one observation matrix in a stack of them.
:class:`Joseph` and :class:`~mixtura.chains.kalman_roots.SquareRoot` are two ways to the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from mixtura.chains import kalman_plain
from mixtura.exceptions import InvalidDataError
from mixtura.kernels import compiled
from mixtura.protocols import Array

__all__ = ["FilterForm", "Filtered", "Joseph", "Smoothed", "Steps"]

# Standard deviations by which a covariance may still change where it counts as steady.
_STEADY = 2e-14


class Steps(NamedTuple):
    """What the recursions read: T rows of U sequences, S states, D columns.

    Parameters
    ----------
    transition : ndarray, shape (R, S, S)
        Transition matrices A.
    noise : ndarray, shape (R, S, S)
        Covariances Gamma of the states' noise.
    move : ndarray of int, shape (T,)
        Which of the R leads to each row; not looked at in the first row of a sequence.
    drift : ndarray, shape (T, S)
        What is added to A z: B u + b.
    loading : ndarray, shape (P, D, S)
        Observation matrices C; rows of zeros where a cell is missing.
    error : ndarray, shape (P, D, D)
        Covariances Sigma; where a cell is missing, ones on the diagonal and zeros beside it.
    look : ndarray of int, shape (T,)
        Which of the P each row is seen through; -1: nothing is seen.
    rest : ndarray, shape (T, D)
        Rows less what is not the states' doing, x - D u - d; zeros where a cell is missing.
    seen : ndarray of int, shape (T,)
        Number of cells seen in each row.
    offsets : ndarray of int, shape (U + 1,)
        First row of each sequence, and T.
    start_mean : ndarray, shape (1, S) or (U, S)
        Mean of the first state, of all sequences or of each.
    start_covariance : ndarray, shape (1, S, S) or (U, S, S)
        Its covariance.
    """

    transition: Array
    noise: Array
    move: Array
    drift: Array
    loading: Array
    error: Array
    look: Array
    rest: Array
    seen: Array
    offsets: Array
    start_mean: Array
    start_covariance: Array


class Filtered(NamedTuple):
    """States given the rows up to theirs.

    Parameters
    ----------
    predicted_mean, predicted_covariance : ndarray, shapes (T, S), (T, S, S)
        Given the rows before.
    mean, covariance : ndarray, shapes (T, S), (T, S, S)
        Given the row itself as well.
    log_prob : ndarray, shape (T,)
        Log density of every row given those before it; 0 where nothing is seen.
    kept : object
        What the form's smoother needs besides.
    """

    predicted_mean: Array
    predicted_covariance: Array
    mean: Array
    covariance: Array
    log_prob: Array
    kept: Any = None

    def log_evidence(self, offsets: Array) -> Array:
        """Log density of every sequence, shape (U,)."""
        before = np.concatenate([[0.0], np.cumsum(self.log_prob)])
        return np.asarray(np.diff(before[offsets])) if len(offsets) > 2 else np.array([self.log_prob.sum()])


class Smoothed(NamedTuple):
    """States given all rows of their sequence.

    Parameters
    ----------
    mean, covariance : ndarray, shapes (T, S), (T, S, S)
        Of every state.
    lagged : ndarray, shape (T, S, S)
        Covariance of z_t (rows) and z_{t-1} (columns); zeros in the first row of a sequence.
    """

    mean: Array
    covariance: Array
    lagged: Array


class FilterForm(Protocol):
    """A way to calculate what a filter and a smoother know."""

    def filter(self, steps: Steps) -> Filtered:
        """From the first row on."""
        ...

    def smooth(self, steps: Steps, filtered: Filtered) -> Smoothed:
        """Back from the last row."""
        ...


def _empty(steps: Steps) -> tuple[Array, Array]:
    n_rows, n_states = steps.drift.shape
    return np.empty((n_rows, n_states)), np.empty((n_rows, n_states, n_states))


def refuse_singular(steps: Steps, row: int) -> None:
    """Say where the covariance of an innovation is singular; a row of -1 is none.

    Raises
    ------
    InvalidDataError
        With the sequence and the row in it.
    """
    if row < 0:
        return
    sequence = int(np.searchsorted(steps.offsets, row, side="right")) - 1
    msg = (
        f"Sequence {sequence}, row {row - steps.offsets[sequence]}: the covariance of what is observed given the rows before is "
        "singular; expected it to be positive definite. Both the observation noise (Sigma) and the uncertainty of the state miss "
        "some direction: raise the smallest noise (min_variance), leave out columns that repeat others, or use the square-root form."
    )
    raise InvalidDataError(msg)


@dataclass(frozen=True)
class Joseph:
    """Covariances as sums of positive parts (Joseph's form).

    Parameters
    ----------
    steady : bool, default True
        Whether covariances that no longer change are copied: then only means are left to do, which is many times faster. Needs Numba.

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> all_first, rows = np.zeros(3, dtype=int), np.array([[1.0], [2.0], [1.5]])
    >>> how = (one, 0.1 * one, all_first, np.zeros((3, 1)), one, one, all_first, rows, np.ones(3, dtype=int))
    >>> level = Steps(*how, np.array([0, 3]), np.zeros((1, 1)), one)
    >>> filtered = Joseph().filter(level)
    >>> filtered.mean.ravel().round(3)
    array([0.5  , 1.062, 1.203])
    >>> Joseph().smooth(level, filtered).mean.ravel().round(3)
    array([1.061, 1.174, 1.203])
    """

    steady: bool = True

    @property
    def _tol(self) -> float:
        return _STEADY if self.steady else 0.0

    def filter(self, steps: Steps) -> Filtered:
        """States given the rows up to theirs.

        Raises
        ------
        InvalidDataError
            If the covariance of an innovation is singular.
        """
        predicted, filtered = _empty(steps), _empty(steps)
        log_prob, steady = np.empty(len(steps.drift)), np.zeros(len(steps.drift), dtype=np.int8)
        run = compiled("mixtura.kernels.kalman", "filter_rows") or kalman_plain.filter_rows
        refuse_singular(steps, run(*steps, self._tol, *predicted, *filtered, log_prob, steady))
        return Filtered(*predicted, *filtered, log_prob, steady)

    def smooth(self, steps: Steps, filtered: Filtered) -> Smoothed:
        """States given all rows of their sequence."""
        mean, covariance = _empty(steps)
        lagged = np.empty_like(covariance)
        run = compiled("mixtura.kernels.kalman", "smooth_rows") or kalman_plain.smooth_rows
        run(
            steps.transition,
            steps.noise,
            steps.move,
            steps.offsets,
            self._tol,
            *filtered[:4],
            filtered.kept,
            mean,
            covariance,
            lagged,
        )
        return Smoothed(mean, covariance, lagged)
