r"""Exact diffuse initialisation of a Gaussian state space model: states of which nothing is known before the first observation.

.. math::

    y_t = Z_t a_t + e_t, \quad e_t \sim N(0, H), \qquad a_{t+1} = T a_t + u_t, \quad u_t \sim N(0, Q), \qquad
    a_1 \sim N(a, P_* + \kappa B'B), \quad \kappa \to \infty.

A level, a trend, a season or a regression coefficient has no law from which it starts; a large variance in the place of that law loses
digits and leaves the likelihood with an arbitrary constant. Here the limit is taken before anything is computed: while directions of
the state are unknown, means and covariances are expanded in powers of 1 / kappa [1]_, [2]_. The log evidence is that under a flat
prior *of density one*,

.. math:: \log \int p(y \mid a_1 = a + B'd)\, dd + \log|\det B| \quad (\text{for square } B),

which for a local level is the density of all observations given the first one, and in general that of the data's differences.

References
----------
.. [1] J. Durbin and S. J. Koopman (2012), Time Series Analysis by State Space Methods, 2nd edition, chapter 5 and section 6.4.
.. [2] S. J. Koopman and J. Durbin (2000), Fast filtering and smoothing for multivariate state space models,
   Journal of Time Series Analysis 21(3), 281-296.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mixtura.chains import diffuse_passes
from mixtura.kernels import compiled
from mixtura.protocols import Array

__all__ = ["DiffuseFilter", "DiffuseSmoother", "StateSpace", "filtered", "smoothed"]

_KERNELS = "mixtura.kernels.diffuse"
# Rows from which compiling pays: a plain row takes some fifty microseconds a pass, and a fit a hundred passes and more.
_LONG = 300


@dataclass(frozen=True)
class StateSpace:
    """A Gaussian state space model, some directions of whose first state are not known at all.

    Parameters
    ----------
    design : ndarray, shape (B, p, m) or (1, p, m)
        Z of every row, or one for all.
    noise : ndarray, shape (B, p), (1, p) or (p, p)
        Variances of independent observation noise of every row or of all, or one covariance H.
    transition : ndarray, shape (m, m)
        T.
    state_noise : ndarray, shape (B, m, m), (1, m, m) or (m, m)
        Q of the step after every row, or one for all; may be singular.
    spread : ndarray, shape (q, m)
        B: directions that are not known.
    mean : ndarray, shape (m,), optional
        a; zeros by default.
    known : ndarray, shape (m, m), optional
        The known part of the first state's covariance, zeros by default.

    Examples
    --------
    >>> level = StateSpace(
    ...     np.ones((1, 1, 1)), np.array([[1.0]]), np.eye(1), 0.5 * np.eye(1), spread=np.eye(1)
    ... )
    >>> round(smoothed(level, np.array([[1.0], [2.0], [4.0]])).filter.log_evidence, 12)
    -4.23841967614
    """

    design: Array
    noise: Array
    transition: Array
    state_noise: Array
    spread: Array
    mean: Array | None = None
    known: Array | None = None


class DiffuseFilter(NamedTuple):
    """What is known of every state from the rows before it, and from those up to it.

    Parameters
    ----------
    log_evidence : float
        Under the flat prior; minus infinity where the model cannot have the data.
    innovation, variance : ndarray, shape (B, p)
        Observation minus its prediction from all before it (columns of a row come one by one), NaN where it is missing, and the
        variance of this (its bounded part).
    unbounded : ndarray, shape (B, p)
        The part that grows with kappa: above zero for an observation that was spent on an unknown direction, which says nothing of
        how well the model fits.
    gain, slow : ndarray, shape (B, p, m)
        What the state moves by per unit of innovation, and its term in 1 / kappa.
    left : ndarray of int, shape (B + 1,)
        Directions that are unknown before every row, and after the last.
    mean, covariance : ndarray, shape (B + 1, m) and (B + 1, m, m), or empty
        Predicted states: given the rows before. The last one is that of the step after the last row.
    spread : ndarray, shape (B + 1, q, m), or empty
        Factors of the unbounded parts; the first `left` rows of each count.
    filtered, filtered_covariance : ndarray, or empty
        Given the rows up to it, shapes (B + 1, m) and (B + 1, m, m); the last one is not used.
    """

    log_evidence: float
    innovation: Array
    variance: Array
    unbounded: Array
    gain: Array
    slow: Array
    left: Array
    mean: Array
    covariance: Array
    spread: Array
    filtered: Array
    filtered_covariance: Array


class DiffuseSmoother(NamedTuple):
    """What all rows say.

    Parameters
    ----------
    filter : DiffuseFilter
        What the forward pass found.
    noise_pull, noise_told : ndarray, shape (B, p)
        E[e] / h, and the share of e's variance that is explained, (h - Var[e]) / h², h being its variance.
    state_pull, state_told : ndarray, shape (B, m) and (B, m, m)
        Likewise of the step after every row: E[u] = Q r, Var[u] = Q - Q N Q.
    mean, covariance : ndarray, shape (B, m) and (B, m, m), or empty
        Smoothed states.
    """

    filter: DiffuseFilter
    noise_pull: Array
    noise_told: Array
    state_pull: Array
    state_told: Array
    mean: Array
    covariance: Array


def filtered(system: StateSpace, y: Array, *, states: bool = True) -> DiffuseFilter:
    """The forward pass.

    Parameters
    ----------
    system : StateSpace
        The model.
    y : ndarray, shape (B, p)
        Observations in order of time; NaN where one is missing, also at the end: predicted states of such rows are forecasts.
    states : bool, default True
        Whether states are kept, B m² numbers.

    Returns
    -------
    DiffuseFilter
        Predictions, innovations and the log evidence.

    Notes
    -----
    Where the noise of a row's columns is correlated, they are turned to independent ones first (innovations are then those of the
    turned columns).

    Examples
    --------
    >>> level = StateSpace(
    ...     np.ones((1, 1, 1)), np.array([[1.0]]), np.eye(1), 0.5 * np.eye(1), spread=np.eye(1)
    ... )
    >>> found = filtered(level, np.array([[1.0], [2.0], [np.nan]]))
    >>> found.left, found.mean[:, 0], found.covariance[:, 0, 0]
    (array([1, 0, 0, 0]), array([0. , 1. , 1.6, 1.6]), array([0. , 1.5, 1.1, 1.6]))
    """
    return _forward(*_independent(system, y), states=states)


def smoothed(system: StateSpace, y: Array, *, states: bool = True) -> DiffuseSmoother:
    """Both passes.

    Parameters
    ----------
    system : StateSpace
        The model.
    y : ndarray, shape (B, p)
        Observations; NaN where one is missing.
    states : bool, default True
        Whether states are smoothed, too, and not disturbances alone.

    Returns
    -------
    DiffuseSmoother
        States and disturbances given all rows.

    Examples
    --------
    >>> level = StateSpace(
    ...     np.ones((1, 1, 1)), np.array([[1.0]]), np.eye(1), 0.5 * np.eye(1), spread=np.eye(1)
    ... )
    >>> smoothed(level, np.array([[1.0], [2.0], [np.nan]])).mean[:, 0]
    array([1.4, 1.6, 1.6])
    """
    flat, turned = _independent(system, y)
    forward = _forward(flat, turned, states=states)
    back = diffuse_passes.backward(
        flat.design,
        flat.transition,
        forward.innovation,
        forward.variance,
        forward.unbounded,
        forward.gain,
        forward.slow,
        forward.left,
        forward.mean,
        forward.covariance,
        forward.spread,
        states,
        _fast("backward", len(y)),
    )
    return DiffuseSmoother(forward, *back)


def _fast(name: str, n_rows: int) -> Callable[..., Any] | None:
    return compiled(_KERNELS, name) if n_rows >= _LONG else None


def _forward(system: StateSpace, y: Array, *, states: bool) -> DiffuseFilter:
    size = len(system.transition)
    found = diffuse_passes.forward(
        y,
        system.design,
        system.noise,
        system.transition,
        system.state_noise,
        np.zeros(size) if system.mean is None else np.array(system.mean, dtype=np.float64),
        np.zeros((size, size)) if system.known is None else np.array(system.known, dtype=np.float64),
        np.array(system.spread, dtype=np.float64).reshape(-1, size),
        states,
        _fast("forward", len(y)),
    )
    return DiffuseFilter(float(found[0]), *found[1:])


def _independent(system: StateSpace, y: Array) -> tuple[StateSpace, Array]:
    """The same model with independent noise, in contiguous arrays of three axes.

    A covariance H of the columns seen, U D U', becomes the variances D of the columns U'y: a rotation, which leaves the density as
    it is. Rows of one pattern of missing cells share theirs.
    """
    y = np.array(y, dtype=np.float64, ndmin=2)
    design = np.ascontiguousarray(system.design, dtype=np.float64)
    noise, columns = np.ascontiguousarray(system.noise, dtype=np.float64), y.shape[1]
    if noise.shape == (columns, columns) and (columns > 1):
        if np.count_nonzero(noise - np.diag(np.diag(noise))):
            design, noise, y = _rotated(design, noise, y)
        else:
            noise = np.diag(noise)[None].copy()
    state_noise = np.array(system.state_noise, dtype=np.float64, ndmin=3)
    flat = StateSpace(
        design,
        noise,
        np.ascontiguousarray(system.transition, dtype=np.float64),
        state_noise,
        system.spread,
        system.mean,
        system.known,
    )
    return flat, y


def _rotated(design: Array, covariance: Array, y: Array) -> tuple[Array, Array, Array]:
    """Columns turned so that their noise is independent, by pattern of missing cells."""
    seen = ~np.isnan(y)
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    turned, noise = np.full(y.shape, np.nan), np.ones(y.shape)
    designs = np.zeros((len(y), *design.shape[1:]))
    designs[:] = design
    for number, pattern in enumerate(patterns):
        here, columns = np.flatnonzero(which.ravel() == number), np.flatnonzero(pattern)
        if not columns.size:
            continue
        variances, axes = np.linalg.eigh(covariance[np.ix_(columns, columns)])
        places = np.ix_(here, columns)
        turned[places] = y[places] @ axes
        noise[places] = np.maximum(variances, 0.0)
        designs[places] = np.einsum("ij,bim->bjm", axes, designs[places])
    return designs, noise, turned
