r"""Weibull columns: positive numbers with shape and scale.

.. math:: \log p(x) = \log c - c\log\lambda + (c-1)\log x - (x/\lambda)^c.

**M-step.** At the parameters that scored the rows let :math:`y = c_0\log(x/\lambda_0)`. A new shape is :math:`c = c_0(1+h)`, and with
:math:`S(h) = \sum r\,e^{(1+h)y}` the scale :math:`\lambda^c \propto S/N` is best. S has no finite statistics, but
:math:`e^{hy} = 1 + hy + h^2y^2\varphi(hy)` with :math:`\varphi(t) = (e^t-1-t)/t^2`, which increases, so

.. math:: S(h) \le S_0 + hS_1 + h^2R_\pm, \qquad
          R_+ = \sum r\,e^y\,(y > 0: y^2\varphi(y),\text{ else } y^2/2)\;(0\le h\le 1), \quad
          R_- = \sum r\,e^y\,(y < 0: y^2\varphi(-y/2),\text{ else } y^2/2)\;(-\tfrac12\le h\le 0),

a bound that touches at h = 0. Put in the place of S in the likelihood it bounds it from below. The step of the quadratic model
:math:`\log S \approx \log S_0 + hb + h^2v/2` (Newton's, with the logarithm of h kept) is taken where this bound proves that it
rises, which it does near the maximum; elsewhere the bound itself is climbed. So no step lowers the likelihood, and the
last ones converge quadratically. A shape at most doubles or halves in a step.

References
----------
.. [1] N. L. Johnson, S. Kotz and N. Balakrishnan (1994), Continuous Univariate Distributions, volume 1, chapter 21.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.special import gamma

from mixtura.components.climbing import climb
from mixtura.components.columns import Cells, ColumnComponents, Parameters
from mixtura.components.intervals import POSITIVE
from mixtura.protocols import Array

__all__ = ["Weibull"]

# Beyond, values of a column differ by less than 1e-8 of themselves: the likelihood has no maximum.
LARGEST_SHAPE = 1e8
# Exponents are cut here: only rows that a component has no part in reach it.
_LARGEST = 300.0
_LOWEST, _HIGHEST = 0.5, 2.0


class Weibull(ColumnComponents):
    """Columns of positive numbers with shape and scale; shape 1 is the exponential distribution.

    Parameters
    ----------
    shape : ndarray, shape (K, D), optional
        Shapes. None, as the scale, before the first M-step.
    scale : ndarray, shape (K, D), optional
        Scales, in units of the data.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> x = 3.0 * np.random.default_rng(0).weibull(1.5, 5000)
    >>> one = Mixture(Weibull(), tol=1e-9).fit(x).components_
    >>> one.shape.round(2).item(), one.scale.round(1).item()
    (1.5, 3.0)
    """

    name = "Weibull"
    support = "positive numbers"
    domains = {"shape": POSITIVE, "scale": POSITIVE}  # noqa: RUF012 - a constant of the class
    tilted = ("power", "sum_log")

    def __init__(self, shape: Array | None = None, scale: Array | None = None) -> None:
        super().__init__(shape=shape, scale=scale)

    def prepare(self, x: Array) -> dict[str, Array]:
        """Values and their logarithms."""
        return {"x": x, "log": np.log(x)}

    def log_density(self, cells: Cells, p: Parameters) -> Array:
        """log c - log x + y - e^y."""
        y = p["shape"] * (cells["log"] - np.log(p["scale"]))
        return np.asarray(np.log(p["shape"]) - cells["log"] + y - np.exp(np.minimum(y, 2.0 * _LARGEST)))

    def terms(self, cells: Cells, p: Parameters) -> dict[str, Array]:
        """y, e^y, y e^y, y^2 e^y, the two bounds of the remainder, and e^y log x for `expected`."""
        y = np.minimum(p["shape"] * (cells["log"] - np.log(p["scale"])), _LARGEST)
        e = np.exp(y)
        first = e * y
        half = 0.5 * first * y
        with np.errstate(over="ignore", invalid="ignore"):
            rise = np.where(y > 0, e * (np.expm1(y) - y), half)
            fall = np.where(y < 0, 4.0 * e * (np.expm1(-0.5 * np.maximum(y, -_LARGEST)) + 0.5 * y), half)
        log = cells["log"]
        return {
            "sum_log": log,
            "y": y,
            "power": e,
            "power_y": first,
            "power_square": 2.0 * half,
            "rise": rise,
            "fall": fall,
            "power_log": e * log,
        }

    def start_terms(self, cells: Cells) -> dict[str, Array]:
        """Logarithms and their squares."""
        return {"sum_log": cells["log"], "sum_log_square": cells["log"] ** 2}

    def solve(self, sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
        """A step that rises, or a first guess from mean and variance of the logarithms."""
        if self.blank:
            mean = sums["sum_log"] / count
            variance = sums["sum_log_square"] / count - mean**2
            variance = np.where(variance > 1e-14 * mean**2, variance, 0.0)  # below is rounding
            shape = np.pi / np.sqrt(6.0 * variance)
            return {"shape": shape, "scale": np.exp(mean + np.euler_gamma / shape)}
        bound = _Bound(sums, count)
        ratio = bound.newton()
        proven = bound.rise(ratio) >= 0.0
        climbed = climb(bound.slope, np.ones_like(ratio), _LOWEST + 0.0 * ratio, _HIGHEST + 0.0 * ratio)
        ratio = np.where(proven, ratio, climbed)
        shape = self.parameters["shape"] * ratio
        scale = self.parameters["scale"] * (sums["power"] / count * bound.growth(ratio)) ** (1.0 / shape)
        return {"shape": shape, "scale": scale}

    def faults(self, new: Parameters, count: Array) -> Iterator[tuple[Array, str]]:
        """Values that are all the same."""
        yield ~(new["shape"] < LARGEST_SHAPE), "its values are all equal (the shape grows without bound)"

    def expected(self, sums: Mapping[str, Array], count: Array) -> Array:
        """N log c - N c log λ + c sum log x, and the tangent of sum (x / λ)^c by c and c log λ."""
        shape, log_scale = self.parameters["shape"], np.log(self.parameters["scale"])
        value = count * (np.log(shape) - shape * log_scale) + shape * sums["sum_log"]
        if "power" not in sums:
            return np.asarray(value)
        return np.asarray(value - shape * (sums["power_log"] - log_scale * sums["power"]))

    def draw(self, n: int, p: Parameters, rng: np.random.Generator) -> Array:
        """Powers of exponential values."""
        return np.asarray(p["scale"] * rng.weibull(p["shape"], size=(n, len(p["shape"]))))

    def spread(self) -> Array:
        """Standard deviations."""
        shape = np.maximum(self.parameters["shape"], 0.05)
        first, second = gamma(1.0 + 1.0 / shape), gamma(1.0 + 2.0 / shape)
        return np.asarray(self.parameters["scale"] * np.sqrt(np.maximum(second - first**2, 1e-16)))

    def means(self) -> Array:
        """Scales times gamma functions."""
        return np.asarray(self.parameters["scale"] * gamma(1.0 + 1.0 / self.parameters["shape"]))

    def outside(self, x: Array) -> Array:
        """Zero and negative numbers."""
        return np.asarray(x <= 0)

    def features(self, x: Any) -> Any:
        """Logarithms."""
        return np.log(x)


class _Bound:
    """The bound of the profile likelihood, of the ratio 1 + h of the new shape to the old."""

    def __init__(self, sums: Mapping[str, Array], count: Array) -> None:
        total = sums["power"]
        self.y = sums["y"] / count
        self.first = sums["power_y"] / total
        self.variance = sums["power_square"] / total - self.first**2
        self.up, self.down = sums["rise"] / total, sums["fall"] / total

    def newton(self) -> Array:
        """Maximum of log(1 + h) + h (y - b) - h^2 v / 2, at most a factor of 2 away."""
        excess = self.first - self.y - self.variance
        root = 2.0 / (excess + np.sqrt(excess**2 + 4.0 * self.variance))
        return np.clip(np.where(np.isnan(root), 1.0, root), _LOWEST, _HIGHEST)

    def growth(self, ratio: Array) -> Array:
        """Bound of S(h) / S(0)."""
        h = ratio - 1.0
        return 1.0 + h * self.first + h**2 * np.where(h > 0, self.up, self.down)

    def rise(self, ratio: Array) -> Array:
        """By how much a row's likelihood rises at least."""
        return np.asarray(np.log(ratio) + (ratio - 1.0) * self.y - np.log(self.growth(ratio)))

    def slope(self, ratio: Array) -> Array:
        """Derivative of `rise`."""
        h = ratio - 1.0
        growth = self.first + 2.0 * h * np.where(ratio > 1.0, self.up, self.down)
        return np.asarray(1.0 / ratio + self.y - growth / self.growth(ratio))
