r"""Negative binomial columns: counts more variable than Poisson counts, with mean and size.

.. math:: \log p(x) = \log\frac{\Gamma(x+r)}{\Gamma(r)\,x!} + x\log\frac{\mu}{\mu+r} - r\log(1+\mu/r),

a Poisson count whose rate has a gamma law of shape r (the size) and mean :math:`\mu`; the variance is
:math:`\mu + \mu^2/r`. Whatever r is, the best mean is the average. With tail sums :math:`t_m = \sum r_n 1[x_n > m]`,

.. math:: F(r) = \sum_n r_n\log\frac{\Gamma(x_n+r)}{\Gamma(r)} = \sum_m t_m\log(r+m),

so what remains to be raised is :math:`F(r) - \int_0^r N \log(1+\bar x/s)\,ds`, but F has no finite statistics.

**M-step.** The sums are :math:`F'` and :math:`-F''` at the size :math:`r_0` that scored the rows. With :math:`s = r - r_0` and
:math:`y_m = 1/(r_0+m)` the derivative is :math:`F'(r) = \sum t_m y_m/(1+s y_m)`, a Stieltjes function of s. Two quadratures
with the same two moments bound it on either side of :math:`r_0` (Markov's inequalities; [1]_, chapter 4):

.. math:: F'(r) \ge \frac{F'_0}{1+sY},\; Y = \frac{-F''_0}{F'_0} \quad(s\ge 0), \qquad
          F'(r) \le F'_0 + F''_0 r_0 - \frac{F''_0 r_0}{1+s/r_0} \quad(s\le 0),

the first by Jensen's inequality, the second by the chord of a convex function of y between 0 and 1/r_0. Integrated, both are
bounds from below of F that touch it at :math:`r_0` with the same first *and second* derivative. So the step to the maximum
of the bound never lowers the likelihood, as a step of EM, and it converges quadratically, as a step of Newton. The slope of
the bound is a difference of functions :math:`\int d\mu(v)/(r+v)` with two changes of sign, so it has at most one zero on
the side to which it rises (variation diminishing), which bisection finds.

**Limits.** Counts no more variable than Poisson counts raise the size without bound: it stops at `LARGEST_SIZE`, where a count x
is within x^2 / 2e8 nats of the Poisson one. No size grows by more than a factor of 10 in a step, so that a component
passing through such a state is not thrown there at once. A column of zeros keeps its size, and its mean is 1e-10.

References
----------
.. [1] S. Karlin and W. J. Studden (1966), Tchebycheff Systems: With Applications in Analysis and Statistics.
.. [2] C. I. Bliss and R. A. Fisher (1953), Biometrics 9(2), 176-200.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from mixtura.components.climbing import climb
from mixtura.components.columns import Cells, ColumnComponents, Parameters
from mixtura.components.intervals import POSITIVE
from mixtura.components.rising import log_rising, rising_derivatives
from mixtura.exceptions import InvalidParameterError
from mixtura.families._base import FLOOR
from mixtura.protocols import Array

__all__ = ["NegativeBinomial"]

LARGEST_SIZE = 1e8
SMALLEST_SIZE = 1e-6

# Sizes that a start may have: where it errs, the first steps move it.
_START = (0.05, 1e3)
# No size changes by more than this factor in a step.
_FARTHEST = 10.0


class NegativeBinomial(ColumnComponents):
    """Columns of whole counts with mean and size, variance mean + mean^2 / size.

    Parameters
    ----------
    mean : ndarray, shape (K, D), optional
        Means. None, as the size, before the first M-step.
    size : ndarray, shape (K, D), optional
        Sizes (1 / size is the overdispersion): the larger, the nearer to Poisson.
    fixed_size : float, optional
        A size that all components and columns have and that is not learnt; 1 gives geometric counts from 0.
    shared_size : bool, default False
        Whether the components have one size a column.

    Examples
    --------
    Mites on apple leaves (Bliss and Fisher 1953), who found a size of 1.02459:

    >>> from mixtura import Mixture
    >>> mites = np.repeat(np.arange(8), [70, 38, 17, 10, 9, 3, 2, 1])
    >>> one = Mixture(NegativeBinomial(), tol=1e-12).fit(mites)
    >>> one.components_.mean.item(), one.components_.size.round(5).item()
    (1.146..., 1.02459)
    """

    name = "negative binomial"
    support = "whole counts of at least 0"
    domains = {"mean": POSITIVE, "size": POSITIVE}  # noqa: RUF012 - a constant of the class
    counts = True
    tilted = ("sum_x",)

    def __init__(
        self,
        mean: Array | None = None,
        size: Array | None = None,
        *,
        fixed_size: float | None = None,
        shared_size: bool = False,
    ) -> None:
        if fixed_size is not None and not (np.isfinite(fixed_size) and fixed_size > 0):
            msg = f"fixed_size is {fixed_size!r}; expected a finite number above 0, or None to learn it."
            raise InvalidParameterError(msg)
        self.fixed_size = fixed_size
        if fixed_size is not None:
            self.fixed = ("size",)
            self.exact = True
            size = None if mean is None else np.full(np.shape(mean), float(fixed_size))
        elif shared_size:
            self.shared = ("size",)
        super().__init__(mean=mean, size=size)

    def prepare(self, x: Array) -> dict[str, Array]:
        """Counts and the logarithms of their factorials."""
        return {"x": x, "log_factorial": gammaln(x + 1.0)}

    def log_density(self, cells: Cells, p: Parameters) -> Array:
        """The equation of the module."""
        return negative_binomial_log_density(cells, p)

    def terms(self, cells: Cells, p: Parameters) -> dict[str, Array]:
        """Counts, and the first two derivatives of log Γ(x + r) / Γ(r)."""
        if self.fixed:
            return {"sum_x": cells["x"]}
        return size_terms(cells, p)

    def solve(self, sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
        """Averages, and sizes at the maximum of the bound."""
        mean = np.maximum(sums["sum_x"] / count, FLOOR)
        if self.fixed_size is not None:
            return {"mean": mean, "size": np.full(mean.shape, self.fixed_size)}
        if self.blank:
            size = start_size(pooled(sums, count) if self.shared else sums, self._total(count))
            return {"mean": mean, "size": np.broadcast_to(size, mean.shape)}
        old = self.parameters["size"][:1] if self.shared else self.parameters["size"]
        score, curvature = self._total(sums["score"]), self._total(sums["curvature"])

        def slope(size: Array) -> Array:
            rest = self._total(count * np.log1p(mean / size))
            return np.asarray(bound_slope(size, old, score, curvature) - rest)

        return {"mean": mean, "size": np.broadcast_to(climb_size(slope, old), mean.shape)}

    def _total(self, values: Array) -> Array:
        """Values (K, D), or their sums (1, D) where components share the size."""
        return values.sum(axis=0, keepdims=True) if self.shared else values

    def expected(self, sums: Mapping[str, Array], count: Array) -> Array:
        """Up to a constant; the tangent of F by the size, where it is learnt."""
        mean, size = self.parameters["mean"], self.parameters["size"]
        value = sums["sum_x"] * np.log(mean / (mean + size)) - count * size * np.log1p(mean / size)
        return np.asarray(value + sums["score"] * size if "score" in sums else value)

    def draw(self, n: int, p: Parameters, rng: np.random.Generator) -> Array:
        """Poisson counts of gamma rates."""
        rate = rng.standard_gamma(p["size"], size=(n, len(p["size"]))) * (p["mean"] / p["size"])
        return rng.poisson(rate).astype(np.float64)

    def means(self) -> Array:
        """The means."""
        return self.parameters["mean"]

    def outside(self, x: Array) -> Array:
        """Negative counts and fractions."""
        return not_counts(x)

    def features(self, x: Any) -> Any:
        """Inverse hyperbolic sines of square roots, whose variance hardly depends on the mean where the size is near 1."""
        return np.arcsinh(np.sqrt(x))


def negative_binomial_log_density(cells: Cells, p: Parameters) -> Array:
    """Log density of counts with mean and size (D, 1)."""
    x, mean, size = cells["x"], p["mean"], p["size"]
    rest = xlogy(x, mean / (mean + size)) - size * np.log1p(mean / size)
    return np.asarray(log_rising(x, size) + rest - cells["log_factorial"])


def size_terms(cells: Cells, p: Parameters) -> dict[str, Array]:
    """What F is bounded by: its first derivative, and its second with the sign turned."""
    score, curvature = rising_derivatives(cells["x"], p["size"])
    return {"sum_x": cells["x"], "score": score, "curvature": curvature}


def bound_slope(size: Array, old: Array, score: Array, curvature: Array) -> Array:
    """Slope at `size` of the bound of F that touches it at the size `old`."""
    above = score / (1.0 + (size - old) * curvature / score)
    nearest = curvature * old
    return np.where(size >= old, above, (score - nearest) + nearest * old / size)


def bound_rise(size: Array, old: Array, score: Array, curvature: Array) -> Array:
    """The bound of F at `size` minus its value at `old`: the integral of `bound_slope`."""
    above = score**2 / curvature * np.log1p((size - old) * curvature / score)
    nearest = curvature * old
    return np.where(size >= old, above, (score - nearest) * (size - old) + nearest * old * np.log(size / old))


def climb_size(slope: Any, old: Array) -> Array:
    """The size at the maximum of a bound, within the documented limits."""
    low, high = np.maximum(old / _FARTHEST, SMALLEST_SIZE), np.minimum(old * _FARTHEST, LARGEST_SIZE)
    return climb(slope, old, low, high)


def start_size(sums: Mapping[str, Array], count: Array) -> Array:
    """Sizes from means and variances."""
    mean = sums["sum_x"] / count
    variance = sums["sum_square"] / count - mean**2
    size = mean**2 / (variance - mean)
    lowest, highest = _START
    return np.clip(np.where(np.isfinite(size) & (size > 0), size, highest), lowest, highest)


def pooled(sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
    """Sums (1, D) of which `start_size` sees the components' own variances, not those between their means."""
    between = np.sum(sums["sum_x"] ** 2 / count, axis=0) - sums["sum_x"].sum(axis=0) ** 2 / count.sum(axis=0)
    total = {name: value.sum(axis=0, keepdims=True) for name, value in sums.items()}
    return total | {"sum_square": total["sum_square"] - between}


def not_counts(x: Array) -> Array:
    """Mask of values that are not whole counts; a missing value is not marked."""
    return np.asarray((x < 0) | ((x != np.floor(x)) & ~np.isnan(x)))
