r"""Angles: :math:`T(x) = (\cos x, \sin x)`, :math:`\eta = \kappa(\cos\mu, \sin\mu)`, :math:`A = \sum_j \log 2\pi I_0(\kappa_j)`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.families._bessel import concentration, log_bessel, ratio
from mixtura.families._pairs import PairFamily, halves
from mixtura.families._solvers import EQUAL, named
from mixtura.protocols import Array

__all__ = ["VonMises"]

_LOG_TWO_PI = float(np.log(2.0 * np.pi))


class VonMises(PairFamily):
    r"""Columns of angles in radians (times of day, directions), independent given the component.

    Angles that differ by whole turns are the same. Natural parameters are κ (cos μ, sin μ), mean parameters the means of
    cosine and sine, both (K, 2 D), all columns' first ones before all second ones. The concentration κ solves
    :math:`I_1(\kappa) / I_0(\kappa) = \bar R`, the mean resultant length (equation 5.3.9 of [1]_), by Newton's method
    between Amos's bounds. Degrees: ``np.deg2rad``; hours: ``hour * (2 * np.pi / 24)``.

    References
    ----------
    .. [1] K. V. Mardia and P. E. Jupp (2000), "Directional Statistics", sections 3.5.4 and 5.3.1.

    Examples
    --------
    >>> family = VonMises()
    >>> natural = family.natural_from_mean(family.mean_from_natural(np.array([[3.0, 4.0]])))
    >>> np.hypot(*natural[0]).round(10)  # the concentration
    np.float64(5.0)
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> hour = np.concatenate([rng.normal(8.0, 1.0, 600), rng.normal(23.5, 1.5, 300)]) % 24
    >>> mixture = Mixture(VonMises(), 2, random_state=0).fit(hour * (2 * np.pi / 24))
    >>> cosine, sine = mixture.components_.mean.T
    >>> np.sort(np.arctan2(sine, cosine) * 24 / (2 * np.pi) % 24).round()
    array([ 8., 23.])
    """

    name = "von Mises"
    support = "angles in radians"
    standardized = False

    def statistics(self, x: Array) -> Array:
        """Cosines, then sines, shape (2 D, B)."""
        return np.concatenate([np.cos(x), np.sin(x)])

    def column_log_base(self, x: Array) -> Array:
        """Zero, shape (D, B)."""
        return np.zeros(x.shape)

    def column_normalizer(self, natural: Array) -> Array:
        """log 2 pi I_0(kappa), shape (K, D)."""
        return np.asarray(_LOG_TWO_PI + log_bessel(0.0, np.hypot(*halves(natural))))

    def natural_from_mean(self, mean: Array) -> Array:
        """The mean direction times the concentration."""
        length = np.hypot(*halves(mean))
        # Both ends of the direction are divided first: the length may be 0 or tiny.
        scale = concentration(0.0, length) / np.where(length > 0, length, 1.0)
        return np.asarray(mean * np.concatenate([scale, scale], axis=-1))

    def mean_from_natural(self, natural: Array) -> Array:
        """The mean direction times I_1 / I_0."""
        _, over = ratio(0.0, np.hypot(*halves(natural)))
        return np.asarray(natural * np.concatenate([over, over], axis=-1))

    def expected(self, natural: Array) -> list[Array]:
        """Means of exp(i x), whose argument is the mean direction."""
        cosine, sine = halves(self.mean_from_natural(natural))
        return list((cosine + 1j * sine).T)

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows of angles between -pi and pi, shape (n, D)."""
        cosine, sine = halves(natural)
        return rng.vonmises(np.arctan2(sine, cosine), np.hypot(cosine, sine), size=(n, len(cosine)))

    def readable(self, natural: Array) -> dict[str, Array]:
        """Mean angles, from -pi to pi, and concentrations."""
        cosine, sine = halves(natural)
        return {"mean": np.arctan2(sine, cosine), "concentration": np.hypot(cosine, sine)}

    def labels(self, names: Sequence[str]) -> list[str]:
        """Cosines, then sines."""
        return [f"cos {name}" for name in names] + [f"sin {name}" for name in names]

    def degenerate(self, mean: Array) -> dict[int, str]:
        """Components with (nearly) equal angles in a column."""
        spread = 1.0 - np.hypot(*halves(mean))
        return named(~(spread > EQUAL), lambda k, d: self.equal(spread[k, d]))

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Every column's direction turned, by up to half a standard deviation."""
        cosine, sine = halves(mean)
        length, angle = np.hypot(cosine, sine), np.arctan2(sine, cosine)
        move = 5.0 * halves(tilt)[0] * np.sqrt((1.0 - length) * (1.0 + length))
        return np.concatenate([cosine - move * np.sin(angle), sine + move * np.cos(angle)], axis=-1)

    def features(self, x: Array) -> Array:
        """Points on the circle."""
        return self.statistics(x)
