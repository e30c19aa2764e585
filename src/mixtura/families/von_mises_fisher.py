r"""Unit rows: :math:`T(x) = x`, :math:`\eta = \kappa\mu`, :math:`h = 1`.

The log normalizer is :math:`A = \tfrac D2\log 2\pi + \log I_\nu(\kappa) - \nu\log\kappa` with :math:`\nu = D/2 - 1`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.families._base import ExponentialFamily
from mixtura.families._bessel import concentration, log_bessel, ratio
from mixtura.families._solvers import EQUAL
from mixtura.protocols import Array

__all__ = ["VonMisesFisher"]

# How far from one the length of a row may be: single precision.
_LENGTH = 1e-6


class VonMisesFisher(ExponentialFamily):
    r"""Directions: rows of length one in D dimensions (normalised texts, embeddings, points on a globe).

    The density is with respect to the area of the sphere. Natural parameters are κ μ, mean parameters the mean of x, both
    (K, D): every vector is a valid natural parameter, so they are coordinates too. The concentration κ solves
    :math:`I_{\nu+1}(\kappa) / I_\nu(\kappa) = \bar R`, the length of the mean (equation 2.5 of [1]_), by Newton's method
    between Amos's bounds, exactly in any number of dimensions. Rows cannot have missing values: the marginal of some
    coordinates is no von Mises-Fisher law.

    References
    ----------
    .. [1] A. Banerjee, I. S. Dhillon, J. Ghosh and S. Sra (2005), "Clustering on the unit hypersphere using von Mises-Fisher
       distributions", Journal of Machine Learning Research 6, 1345-1382.
    .. [2] A. T. A. Wood (1994), "Simulation of the von Mises Fisher distribution", Communications in Statistics 23, 157-164.

    Examples
    --------
    >>> family = VonMisesFisher()
    >>> family.natural_from_mean(family.mean_from_natural(np.array([[0.0, 3.0, 4.0]]))).round(10)
    array([[0., 3., 4.]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal([3, 0, 0], 1, (300, 3)), rng.normal([0, 0, -4], 1, (200, 3))])
    >>> x /= np.linalg.norm(x, axis=1, keepdims=True)
    >>> mixture = Mixture(VonMisesFisher(), 2, random_state=0).fit(x)
    >>> eta = mixture.components_.natural[np.argsort(mixture.weights_)]
    >>> (eta / np.linalg.norm(eta, axis=1, keepdims=True)).round(1) + 0.0
    array([[ 0.,  0., -1.],
           [ 1.,  0.,  0.]])
    """

    name = "von Mises-Fisher"
    support = "rows of length 1 (up to 1e-6)"
    inseparable = "some of the coordinates of a direction are no direction"
    standardized = False

    def statistics(self, x: Array) -> Array:
        """The rows themselves, shape (D, B)."""
        return x

    def log_base_measure(self, x: Array) -> Array:
        """Zero, shape (B,)."""
        return np.zeros(x.shape[1])

    def log_normalizer(self, natural: Array) -> Array:
        """Log of the integral over the sphere, shape (K,)."""
        dimension = natural.shape[1]
        kappa = np.linalg.norm(natural, axis=1)
        return np.asarray(0.5 * dimension * np.log(2.0 * np.pi) + log_bessel(0.5 * dimension - 1.0, kappa))

    def natural_from_mean(self, mean: Array) -> Array:
        """The mean direction times the concentration."""
        length = np.linalg.norm(mean, axis=1)
        kappa = concentration(0.5 * mean.shape[1] - 1.0, length)
        return np.asarray(mean * (kappa / np.where(length > 0, length, 1.0))[:, None])

    def mean_from_natural(self, natural: Array) -> Array:
        """The mean direction times the ratio of Bessel functions."""
        _, over = ratio(0.5 * natural.shape[1] - 1.0, np.linalg.norm(natural, axis=1))
        return np.asarray(natural * over[:, None])

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Unit rows, shape (n, D), by Wood's rejection from a beta envelope for the part along the mean."""
        kappa, dimension = float(np.linalg.norm(natural)), len(natural)
        direction = natural / kappa if kappa > 0 else np.eye(dimension)[0]
        rest = rng.standard_normal((n, dimension))
        rest -= (rest @ direction)[:, None] * direction
        rest /= np.linalg.norm(rest, axis=1, keepdims=True)
        short = _one_minus_cosine(kappa, dimension, n, rng)[:, None]  # 1 - w, which is tiny for large kappa
        rows = (1.0 - short) * direction + np.sqrt(short * (2.0 - short)) * rest
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    def n_statistics(self, n_features: int) -> int:
        """D."""
        return n_features

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Mean direction, column by column, and the concentration."""
        kappa = np.linalg.norm(natural, axis=1)
        direction = natural / np.where(kappa > 0, kappa, 1.0)[:, None]
        return [
            *(("mean_direction", name, direction[:, d]) for d, name in enumerate(names)),
            ("concentration", "", kappa),
        ]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components with (nearly) equal rows."""
        spread = 1.0 - np.linalg.norm(mean, axis=1)
        text = (
            "its rows are all equal or nearly so (1 - mean length is {:.3g}; expected above {:g}), "
            "where the von Mises-Fisher likelihood has no maximum"
        )
        return {int(k): text.format(spread[k], EQUAL) for k in np.flatnonzero(~(spread > EQUAL))}

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """The mean direction turned towards the axis that is farthest from it, by up to half a standard deviation."""
        square = float(mean @ mean)
        axis = int(np.argmin(np.abs(mean)))
        across = np.eye(len(mean))[axis] - (mean[axis] / square if square > 0 else 0.0) * mean
        return mean + 5.0 * tilt[0] * np.sqrt(1.0 - square) / np.linalg.norm(across) * across

    def outside(self, x: Array) -> Array:
        """All values of a row whose length is not one."""
        if len(x) < 2:
            msg = f"von Mises-Fisher rows have {len(x)} column(s); expected at least 2, the coordinates of a direction."
            raise InvalidDataError(msg)
        bad = ~(np.abs(np.linalg.norm(x, axis=0) - 1.0) <= _LENGTH)
        return np.broadcast_to(bad, x.shape)


def _one_minus_cosine(kappa: float, dimension: int, n: int, rng: np.random.Generator) -> Array:
    """n draws of 1 - w, where w is the part of a row along the mean direction; Wood's algorithm VM*.

    Its w = (1 - (1 + b) z) / (1 - (1 - b) z), with beta variates z, is rewritten for 1 - w = 2 b z / (1 - (1 - b) z), which
    keeps its digits where the concentration is large.
    """
    half = 0.5 * (dimension - 1)
    b = half / (kappa + np.hypot(kappa, half))
    drawn = np.empty(0)
    while len(drawn) < n:
        z = rng.beta(half, half, size=n)
        below = 1.0 - (1.0 - b) * z
        short = 2.0 * b * z / below
        # Where z = 1/2, w is x0 = (1 - b) / (1 + b): there the envelope touches.
        at_most = kappa * (2.0 * b / (1.0 + b) - short) + 2.0 * half * (
            np.log(0.5 * (1.0 + b)) - np.log(below)
        )
        drawn = np.concatenate([drawn, short[np.log(rng.random(n)) <= at_most]])
    return drawn[:n]
