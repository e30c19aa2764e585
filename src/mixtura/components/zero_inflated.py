r"""Counts with more zeros than their distribution has: zero-inflated Poisson and negative binomial columns.

A cell is a structural zero with probability :math:`\pi` (the inflation) and else a count of mean :math:`\mu`. With the
chance :math:`q` of a zero among those (:math:`e^{-\mu}`, or :math:`(1+\mu/r)^{-r}`), N cells of which :math:`N_0` are zero,
and :math:`\bar x_1` the average of the others, the likelihood is maximal where

.. math:: \frac{\mu}{1-q} = \bar x_1, \qquad \pi = 1 - \frac{1-N_0/N}{1-q},

the mean of the truncated distribution and the share of cells that are not structural zeros. If the zeros are no more than
a distribution without inflation has (:math:`N_0/N \le q` at :math:`\mu = \bar x`), the maximum lies on the boundary:
:math:`\pi = 0` exactly, and :math:`\mu = \bar x`. Both are exact, so :class:`ZeroInflatedPoisson` needs no inner EM.

For :class:`ZeroInflatedNegativeBinomial` this holds at every size r, and the derivative by r of the maximum over the other two is
:math:`F'(r) - N_e\log(1+\mu/r)` with :math:`N_e = N(1-\pi)` effective counts: F is bounded as in
:mod:`mixtura.components.negative_binomial`, and the bound is climbed. Its slope may have several zeros here; the
new size is taken only where the bound is higher than at the old one, so that no step lowers the likelihood.

References
----------
.. [1] D. Lambert (1992), Technometrics 34(1), 1-14.
.. [2] D. Böhning, E. Dietz, P. Schlattmann, L. Mendonça and U. Kirchner (1999), J. Royal Statistical Society A 162(2), 195-209.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from mixtura.components.columns import Cells, ColumnComponents, Parameters
from mixtura.components.intervals import POSITIVE, PROBABILITY
from mixtura.components.negative_binomial import (
    bound_rise,
    bound_slope,
    climb_size,
    negative_binomial_log_density,
    not_counts,
    size_terms,
    start_size,
)
from mixtura.families._base import FLOOR
from mixtura.protocols import Array

__all__ = ["ZeroInflatedNegativeBinomial", "ZeroInflatedPoisson"]

_STEPS = 60
# The limit of infinite size.
_POISSON = np.inf


class _ZeroInflated(ColumnComponents):
    """What both have in common."""

    support = "whole counts of at least 0"
    counts = True
    tilted = ("sum_x",)

    def prepare(self, x: Array) -> dict[str, Array]:
        """Counts, where they are zero, and the logarithms of their factorials."""
        return {"x": x, "zero": x == 0.0, "log_factorial": gammaln(x + 1.0)}

    def means(self) -> Array:
        """Means of all counts, structural zeros included."""
        return (1.0 - self.parameters["inflation"]) * self.parameters["mean"]

    def outside(self, x: Array) -> Array:
        """Negative counts and fractions."""
        return not_counts(x)

    def features(self, x: Any) -> Any:
        """Square roots, whose variance hardly depends on the mean."""
        return np.sqrt(x)


class ZeroInflatedPoisson(_ZeroInflated):
    """Columns of whole counts: a zero with probability `inflation`, else a Poisson count.

    Parameters
    ----------
    inflation : ndarray, shape (K, D), optional
        Probabilities of a structural zero. None, as the mean, before the first M-step.
    mean : ndarray, shape (K, D), optional
        Means of the counts that are not structural zeros.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> x = rng.poisson(3.0, 5000) * (rng.random(5000) < 0.6)
    >>> one = Mixture(ZeroInflatedPoisson()).fit(x).components_
    >>> one.inflation.round(2).item(), one.mean.round(2).item()
    (0.4, 3.04)
    """

    name = "zero-inflated Poisson"
    domains = {"inflation": PROBABILITY, "mean": POSITIVE}  # noqa: RUF012 - a constant of the class
    exact = True

    def __init__(self, inflation: Array | None = None, mean: Array | None = None) -> None:
        super().__init__(inflation=inflation, mean=mean)

    def log_density(self, cells: Cells, p: Parameters) -> Array:
        """log(pi + (1 - pi) e^-mu) where x is zero."""
        log_zero = xlogy(cells["x"], p["mean"]) - p["mean"] - cells["log_factorial"]
        return _inflated(cells, p["inflation"], log_zero)

    def terms(self, cells: Cells, p: Parameters) -> dict[str, Array]:
        """The counts and the zeros."""
        return {"sum_x": cells["x"], "zeros": cells["zero"].astype(np.float64)}

    def start_terms(self, cells: Cells) -> dict[str, Array]:
        """The same: they need no parameters."""
        return self.terms(cells, {})

    def solve(self, sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
        """The maximum."""
        inflation, mean = solve_inflation(count, sums["zeros"], sums["sum_x"], np.full(count.shape, _POISSON))
        return {"inflation": inflation, "mean": mean}

    def expected(self, sums: Mapping[str, Array], count: Array) -> Array:
        """Up to log x!."""
        inflation, mean = self.parameters["inflation"], self.parameters["mean"]
        value = _zeros_and_others(count, sums["zeros"], inflation, mean)
        return np.asarray(value + xlogy(sums["sum_x"], mean) - (count - sums["zeros"]) * mean)

    def draw(self, n: int, p: Parameters, rng: np.random.Generator) -> Array:
        """Counts, some of them replaced by zeros."""
        shape = (n, len(p["mean"]))
        return np.where(rng.random(shape) < p["inflation"], 0.0, rng.poisson(p["mean"], size=shape))


class ZeroInflatedNegativeBinomial(_ZeroInflated):
    """Columns of whole counts: a zero with probability `inflation`, else a negative binomial count.

    Parameters
    ----------
    inflation : ndarray, shape (K, D), optional
        Probabilities of a structural zero. None, as the others, before the first M-step.
    mean, size : ndarray, shape (K, D), optional
        Means and sizes of the counts that are not structural zeros.

    Notes
    -----
    Inflation and overdispersion explain much the same zeros: with few rows a component, their split is uncertain.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> x = rng.negative_binomial(2.0, 2.0 / (2.0 + 6.0), 20000) * (rng.random(20000) < 0.7)
    >>> one = Mixture(ZeroInflatedNegativeBinomial(), tol=1e-9).fit(x).components_
    >>> [round(float(value.item()), 1) for value in one.parameters.values()]
    [0.3, 6.0, 2.0]
    """

    name = "zero-inflated negative binomial"
    domains = {"inflation": PROBABILITY, "mean": POSITIVE, "size": POSITIVE}  # noqa: RUF012 - a constant of the class

    def __init__(
        self, inflation: Array | None = None, mean: Array | None = None, size: Array | None = None
    ) -> None:
        super().__init__(inflation=inflation, mean=mean, size=size)

    def log_density(self, cells: Cells, p: Parameters) -> Array:
        """log(pi + (1 - pi) (1 + mu / r)^-r) where x is zero."""
        return _inflated(cells, p["inflation"], negative_binomial_log_density(cells, p))

    def terms(self, cells: Cells, p: Parameters) -> dict[str, Array]:
        """Counts, zeros, and the first two derivatives of log Γ(x + r) / Γ(r)."""
        return size_terms(cells, p) | {"zeros": cells["zero"].astype(np.float64)}

    def start_terms(self, cells: Cells) -> dict[str, Array]:
        """Counts, zeros and squares."""
        return super().start_terms(cells) | {"zeros": cells["zero"].astype(np.float64)}

    def solve(self, sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
        """The size at the maximum of the bound, then inflation and mean."""
        zeros, total = sums["zeros"], sums["sum_x"]
        if self.blank:
            size = start_size(_without_most_zeros(sums, count), count)
        else:
            old, score, curvature = self.parameters["size"], sums["score"], sums["curvature"]

            def slope(size: Array) -> Array:
                inflation, mean = solve_inflation(count, zeros, total, size)
                effective = count * (1.0 - inflation)
                return np.asarray(
                    bound_slope(size, old, score, curvature) - effective * np.log1p(mean / size)
                )

            def height(size: Array) -> Array:
                known = _known(sums, count, *solve_inflation(count, zeros, total, size), size)
                return np.asarray(known + bound_rise(size, old, score, curvature))

            size = climb_size(slope, old)
            size = np.where(height(size) > height(old), size, old)
        inflation, mean = solve_inflation(count, zeros, total, size)
        return {"inflation": inflation, "mean": mean, "size": size}

    def expected(self, sums: Mapping[str, Array], count: Array) -> Array:
        """Up to a constant; the tangent of F by the size."""
        inflation, mean, size = (self.parameters[name] for name in ("inflation", "mean", "size"))
        return np.asarray(_known(sums, count, inflation, mean, size) + sums["score"] * size)

    def draw(self, n: int, p: Parameters, rng: np.random.Generator) -> Array:
        """Poisson counts of gamma rates, some of them replaced by zeros."""
        shape = (n, len(p["size"]))
        rate = rng.standard_gamma(p["size"], size=shape) * (p["mean"] / p["size"])
        return np.where(rng.random(shape) < p["inflation"], 0.0, rng.poisson(rate))


def _inflated(cells: Cells, inflation: Array, plain: Array) -> Array:
    """Log density of zero-inflated counts, given that of the counts."""
    with np.errstate(divide="ignore"):  # inflation 0: no structural zeros, and log 0 is right
        structural, other = np.log(inflation), np.log1p(-inflation)
    return np.where(cells["zero"], np.logaddexp(structural, other + plain), other + plain)


def _zeros_and_others(count: Array, zeros: Array, inflation: Array, exponent: Array) -> Array:
    """N0 log(pi + (1 - pi) q) + (N - N0) log(1 - pi), with q = exp(-exponent)."""
    return np.asarray(
        xlogy(zeros, inflation + (1.0 - inflation) * np.exp(-exponent))
        + xlogy(count - zeros, 1.0 - inflation)
    )


def _known(sums: Mapping[str, Array], count: Array, inflation: Array, mean: Array, size: Array) -> Array:
    """Expected log density but for F and log x!."""
    exponent = size * np.log1p(mean / size)
    others = xlogy(sums["sum_x"], mean / (mean + size)) - (count - sums["zeros"]) * exponent
    return np.asarray(_zeros_and_others(count, sums["zeros"], inflation, exponent) + others)


def solve_inflation(count: Array, zeros: Array, total: Array, size: Array) -> tuple[Array, Array]:
    """Inflation and mean at their joint maximum for given sizes (infinite: Poisson).

    Parameters
    ----------
    count, zeros, total, size : ndarray
        N, its zeros, the sum of x, and r, of one shape.

    Returns
    -------
    tuple of ndarray
        Inflation, 0 exactly where there are no more zeros than without it, and mean, at least 1e-10.
    """
    plain = np.maximum(total / count, FLOOR)
    others = np.maximum(count - zeros, 0.0)
    inside = (zeros > count * np.exp(-_exponent(plain, size))) & (total > others) & (others > 0)
    average = np.where(inside, total / np.where(inside, others, 1.0), 2.0)
    mean = (
        average.copy()
    )  # above the solution, from where Newton's steps on a convex function come down to it
    for _ in range(_STEPS):
        exponent = _exponent(mean, size)
        zero_slope = np.exp(-exponent) / (1.0 + np.where(np.isinf(size), 0.0, mean / size))
        step = (mean + average * np.expm1(-exponent)) / (1.0 - average * zero_slope)
        step = np.where(np.isfinite(step) & (step > 0), step, 0.0)
        mean = np.maximum(mean - step, FLOOR)
        if not np.any(step > 1e-15 * mean):
            break
    present = -np.expm1(-_exponent(mean, size))
    inflation = np.where(inside, 1.0 - (others / count) / present, 0.0)
    return np.clip(inflation, 0.0, 1.0), np.where(inside & (inflation > 0), mean, plain)


def _exponent(mean: Array, size: Array) -> Array:
    """-log q: the mean itself where the size is infinite."""
    finite = np.where(np.isinf(size), 1.0, size)
    return np.where(np.isinf(size), mean, finite * np.log1p(mean / finite))


def _without_most_zeros(sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
    """Sums scaled to the rows that are not zero and as many zeros as a Poisson count of their mean would have."""
    inflation, _ = solve_inflation(count, sums["zeros"], sums["sum_x"], np.full(count.shape, _POISSON))
    effective = 1.0 - 0.5 * inflation  # between no inflation and all of it
    return {name: sums[name] / effective for name in ("sum_x", "sum_square")}
