r"""Iterations inside M-steps of covariance models, on scatters alone: proportional scatters, and common axes.

Notation: n_k weighted counts, W_k scatters about the means, d columns, n = sum n_k. Every step of both iterations lowers
its objective, which is minus twice the expected complete log-likelihood up to a constant.

References
----------
.. [1] G. Celeux, G. Govaert (1995), Gaussian parsimonious clustering models, Pattern Recognition 28, 781-793.
.. [2] B. N. Flury, W. Gautschi (1986), An algorithm for simultaneous orthogonal transformation of several positive
   definite symmetric matrices to nearly diagonal form, SIAM J. Sci. Stat. Comput. 7, 169-184.
.. [3] R. P. Browne, P. D. McNicholas (2014), Estimating common principal components in high dimensions, Advances in
   Data Analysis and Classification 8, 217-226: the tangent of a concave function as majoriser.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache

import numpy as np

from mixtura.protocols import Array

__all__ = ["AxesObjective", "OwnVolumes", "SharedVolume", "common_axes", "proportional"]

# Steps after which an iteration returns what it has; it is monotone, and the next M-step starts from there.
_MOST_STEPS, _MOST_SWEEPS = 100, 40
# Change of a log volume that ends the first iteration (Newton squares it), and gain per row that ends the second.
_SMALL_STEP, _SMALL_GAIN = 1e-8, 1e-9
_LONGEST = 5.0
_EIGHTH, _STUCK = 0.25 * np.pi, 1e-9
_SMALLEST = float(np.finfo(np.float64).tiny)


def proportional(counts: Array, scatter: Array, start: Array | None = None) -> tuple[Array, Array]:
    r"""Volumes of covariances lambda_k C that differ by them only.

    Minimises the profile g(s) = d sum_k n_k s_k + n log|sum_k exp(-s_k) W_k| of [1]_, section 3 (models VEI, VEE, VEV), where
    s_k = log lambda_k. It is convex: the determinant of a sum of positive semi-definite matrices is a sum of products of
    exp(-s_k) with coefficients that are not negative. Newton steps that do not lower g give way to the
    alternating step lambda_k = tr(W_k C^-1) / (d n_k) of [1]_, which always does.

    Parameters
    ----------
    counts : ndarray, shape (K,)
        Positive.
    scatter : ndarray, shape (K, D, D) or (K, D)
        Not zero; their sum positive definite.
    start : ndarray, shape (K,), optional
        Log volumes.

    Returns
    -------
    log_volume : ndarray, shape (K,)
        s up to a common constant.
    total : ndarray, shape (D, D) or (D,)
        sum_k exp(-s_k) W_k, which is n C.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the sum of the scatters is not positive definite.

    Examples
    --------
    >>> s, total = proportional(np.array([2.0, 4.0]), np.array([[2.0, 4.0], [16.0, 32.0]]))
    >>> float(np.round(np.exp(s[1] - s[0]), 6))
    4.0
    """
    n, d = counts.sum(), scatter.shape[1]
    if start is None:
        traces = scatter.sum(axis=1) if scatter.ndim == 2 else np.trace(scatter, axis1=1, axis2=2)
        start = np.log(traces / counts)
    s = start - start.mean()
    value, parts, traces = _profile(counts, scatter, s)
    for _ in range(_MOST_STEPS):
        gradient = d * counts - n * traces
        # The sum of s is free: the added ones fix it.
        hessian = n * (np.diag(traces) - parts @ parts.T) + n
        step = np.linalg.lstsq(hessian, -gradient)[0]
        size = np.abs(step).max()
        step *= min(1.0, _LONGEST / size) if size > 0 else 1.0
        newton = _profile(counts, scatter, s + step)
        if newton[0] > value and size > _SMALL_STEP:
            step = np.log(n * traces / (d * counts))
            newton = _profile(counts, scatter, s + step)
        s = s + step
        value, parts, traces = newton
        if size <= _SMALL_STEP:
            break
    shape = (-1,) + (1,) * (scatter.ndim - 1)
    return s, np.sum(scatter * np.exp(-s).reshape(shape), axis=0)


def _profile(counts: Array, scatter: Array, s: Array) -> tuple[float, Array, Array]:
    """g(s), the matrices M^-1/2 exp(-s_k) W_k M^-1/2 as rows, which sum to the identity, and their traces."""
    d = scatter.shape[1]
    if scatter.ndim == 2:
        scaled = scatter * np.exp(-s)[:, None]
        total = scaled.sum(axis=0)
        if not np.all(total > 0):
            msg = "a column has no scatter in any component"
            raise np.linalg.LinAlgError(msg)
        parts = scaled / total
        return float(d * counts @ s + counts.sum() * np.log(total).sum()), parts, parts.sum(axis=1)
    scaled = scatter * np.exp(-s)[:, None, None]
    lower = np.linalg.cholesky(scaled.sum(axis=0))
    half = np.linalg.solve(lower, scaled)
    white = np.linalg.solve(lower, half.swapaxes(1, 2))
    log_det = 2.0 * np.log(lower.diagonal()).sum()
    return (
        float(d * counts @ s + counts.sum() * log_det),
        white.reshape(len(s), -1),
        np.trace(white, axis1=1, axis2=2),
    )


@dataclass(frozen=True)
class AxesObjective(ABC):
    """What common axes minimise, as a function of w_kj = (D' W_k D)_jj.

    Parameters
    ----------
    counts : ndarray, shape (K,)
        Weighted counts.
    n_features : int
        d.
    """

    counts: Array
    n_features: int

    @abstractmethod
    def value(self, diagonal: Array) -> float:
        """Objective from w, shape (K, D)."""

    @abstractmethod
    def pull(self, diagonal: Array) -> Array:
        """Derivative by log w_kj, which is the same for all j, shape (K,)."""

    @property
    @abstractmethod
    def coupling(self) -> float:
        """What a change of pull adds to second derivatives, per unit of the variance of the slopes over components."""


class OwnVolumes(AxesObjective):
    """VVE: sum_k n_k sum_j log w_kj (Flury and Gautschi's criterion)."""

    def value(self, diagonal: Array) -> float:
        """Sum of logs."""
        return float(self.counts @ np.log(diagonal).sum(axis=1))

    def pull(self, diagonal: Array) -> Array:
        """n_k."""
        return self.counts

    @property
    def coupling(self) -> float:
        """None: the pull is constant."""
        return 0.0


class SharedVolume(AxesObjective):
    """EVE: n d log sum_k (prod_j w_kj)^(1/d)."""

    def value(self, diagonal: Array) -> float:
        """Through geometric means."""
        means = np.log(diagonal).mean(axis=1)
        top = means.max()
        return float(self.counts.sum() * self.n_features * (top + np.log(np.exp(means - top).sum())))

    def pull(self, diagonal: Array) -> Array:
        """N times the share of each geometric mean."""
        means = np.log(diagonal).mean(axis=1)
        share = np.exp(means - means.max())
        return np.asarray(self.counts.sum() * share / share.sum())

    @property
    def coupling(self) -> float:
        """From n d log sum exp of averages of d logs."""
        return float(self.counts.sum() / self.n_features)


def common_axes(objective: AxesObjective, scatter: Array, starts: list[Array]) -> Array:
    r"""Orthogonal D that makes all D' W_k D as diagonal as one rotation can.

    Sweeps over disjoint pairs of axes, as in [2]_. Within a pair every w is a + b cos 2t + c sin 2t, so the tangent
    majoriser of the objective (logs are concave, geometric means too; [3]_) has its minimum at an angle in closed
    form, which never raises the objective; Newton's angle on the objective itself is taken where it is better.

    Parameters
    ----------
    objective : AxesObjective
        What is minimised.
    scatter : ndarray, shape (K, D, D)
        Scatters.
    starts : list of ndarray, shape (D, D)
        Orthogonal matrices; one sweep from each decides which one is carried on.

    Returns
    -------
    ndarray, shape (D, D)
        Columns are the axes.

    Examples
    --------
    >>> w = np.array([[[2.0, 1.0], [1.0, 2.0]], [[5.0, -3.0], [-3.0, 5.0]]])
    >>> axes = common_axes(OwnVolumes(np.ones(2), 2), w, [np.eye(2)])
    >>> bool(np.allclose((axes.T @ w @ axes)[:, 0, 1], 0.0))
    True
    """
    begun = [_Turned(objective, scatter, start) for start in starts]
    if len(begun) > 1:
        for turned in begun:
            turned.sweep()
    best = min(begun, key=lambda turned: turned.value)
    for _ in range(_MOST_SWEEPS):
        before = best.value
        best.sweep()
        if before - best.value <= _SMALL_GAIN * objective.counts.sum():
            break
    return best.axes


class _Turned:
    """Scatters seen along the present axes."""

    def __init__(self, objective: AxesObjective, scatter: Array, axes: Array) -> None:
        self.objective, self.axes = objective, axes
        self.seen = axes.T @ scatter @ axes
        self.value = objective.value(_diagonal(self.seen))

    def sweep(self) -> None:
        """Every pair of axes once."""
        for p, q in _rounds(len(self.axes)):
            tangent, better = self._angles(p, q)
            for angle in (better, tangent):
                rotation = np.eye(len(self.axes))
                rotation[p, p] = rotation[q, q] = np.cos(angle)
                rotation[q, p] = np.sin(angle)
                rotation[p, q] = -rotation[q, p]
                seen = rotation.T @ self.seen @ rotation
                value = self.objective.value(_diagonal(seen))
                if value < self.value:
                    self.axes, self.seen, self.value = self.axes @ rotation, seen, value
                    break

    def _angles(self, p: Array, q: Array) -> tuple[Array, Array]:
        """The majoriser's angle of each pair, and one that may be better, shape (P,)."""
        diagonal = _diagonal(self.seen)
        pull = self.objective.pull(diagonal)
        u, v, twice = diagonal[:, p], diagonal[:, q], 2.0 * self.seen[:, p, q]
        by_u, by_v = twice / u, twice / v
        slope = by_u - by_v
        sine = pull @ slope
        cosine = pull @ ((u - v) ** 2 / (u * v))
        tangent = 0.5 * np.arctan2(-sine, cosine)
        curvature = 2.0 * cosine - pull @ (by_u**2 + by_v**2)
        if self.objective.coupling:
            share = pull / pull.sum()
            curvature += self.objective.coupling * (share @ slope**2 - (share @ slope) ** 2)
        # Where the slope is zero at a maximum (equal u and v) the pair may be as far from diagonal as can be.
        better = np.where(np.abs(tangent) > _STUCK, tangent, _EIGHTH)
        convex = curvature > 0
        better[convex] = np.clip(-sine[convex] / curvature[convex], -_EIGHTH, _EIGHTH)
        return tangent, better


def _diagonal(seen: Array) -> Array:
    """w, kept above rounding so that its logarithm is finite."""
    diagonal = np.diagonal(seen, axis1=1, axis2=2)
    largest = np.maximum(diagonal.max(axis=1, keepdims=True), _SMALLEST)
    return np.maximum(diagonal, 1e-16 * largest)


@cache
def _rounds(size: int) -> tuple[tuple[Array, Array], ...]:
    """All pairs below `size` in rounds of disjoint ones (a round-robin tournament)."""
    players = [*range(size), *([-1] if size % 2 else [])]
    rounds = []
    for _ in range(size > 1 and len(players) - 1):
        half = len(players) // 2
        pairs = [
            sorted(pair) for pair in zip(players[:half], players[::-1][:half], strict=True) if min(pair) >= 0
        ]
        rounds.append((np.array([p for p, _ in pairs]), np.array([q for _, q in pairs])))
        players = [players[0], players[-1], *players[1:-1]]
    return tuple(rounds)
