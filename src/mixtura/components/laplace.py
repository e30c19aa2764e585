r"""Laplace columns: heavy tails on both sides of a location, and medians in the place of means.

.. math:: \log p(x) = -\log 2b - |x-m|/b.

**M-step.** The best location is the weighted median and the best scale the mean absolute deviation from it, but
a median has no finite statistics. The sums are weights and deviations of the rows in *cells about the location* :math:`m_0` that
scored them, whose edges are :math:`m_0 \pm 2^j b_0` for whole j from -20 to 4, and :math:`m_0` itself. From these the sum of
absolute deviations :math:`Q(m)` is known exactly at every edge, and convexity puts it below its chord between two edges.

The new location is put where the median lies if the weight of its cell is spread evenly. It is taken if the chord there is no
higher than :math:`Q(m_0)`, else the best edge is taken, of which :math:`m_0` is one; the scale is the bound used, over N.
So no step lowers the likelihood, each brings the location nearer by about the width of a cell relative to the distance,
and the last location is within 1e-6 scales of a median.

**Points at the location** (a median is one of the values) are no exception: they deviate by nothing and lie on an edge,
where Q is exact. Weights 1 / |x - m|, which a step of EM over the normal scale mixture has, and which are infinite
there, do not occur. Where several locations are equally good (two halves of equal weight), the first one found stays.

References
----------
.. [1] S. Kotz, T. J. Kozubowski and K. Podgórski (2001), The Laplace Distribution and Generalizations, section 2.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mixtura.components.columns import Cells, ColumnComponents, Parameters
from mixtura.components.intervals import POSITIVE, REAL
from mixtura.protocols import Array

__all__ = ["Laplace"]

_FIRST, _LAST = -20, 4
_LEVELS = _LAST - _FIRST + 1
# Edges in units of the scale about the location, ascending; cell c ends at edge c, the last cell has no end.
_EDGES = np.concatenate(
    [-(2.0 ** np.arange(_LAST, _FIRST - 1, -1)), [0.0], 2.0 ** np.arange(_FIRST, _LAST + 1)]
)
_SIDES = np.repeat([-1.0, 1.0], _LEVELS + 1)
# A scale below this share of the largest one of its column (or of the location) is rounding, not deviation.
_CANCELLED = 1e-8
_ROUNDING = 1e-14


class Laplace(ColumnComponents):
    """Columns of numbers with location (a median) and scale (the mean absolute deviation from it).

    Parameters
    ----------
    location : ndarray, shape (K, D), optional
        Locations about the encoding's origin. None, as the scale, before the first M-step.
    scale : ndarray, shape (K, D), optional
        Scales, in units of the data; the standard deviation is sqrt(2) times as large.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> x = np.array([1.0, 2.0, 4.0, 8.0, 1000.0])
    >>> one = Mixture(Laplace(), tol=1e-12).fit(x)
    >>> one.components_.location.round(4).item(), one.components_.scale.round(4).item()
    (4.0, 201.0)
    """

    name = "Laplace"
    domains = {"location": REAL, "scale": POSITIVE}  # noqa: RUF012 - a constant of the class
    locations = ("location",)
    tilted = ("mass", "deviation", "sum_x")

    def __init__(self, location: Array | None = None, scale: Array | None = None) -> None:
        super().__init__(location=location, scale=scale)

    def log_density(self, cells: Cells, p: Parameters) -> Array:
        """The equation of the module."""
        return np.asarray(-np.log(2.0 * p["scale"]) - np.abs(cells["x"] - p["location"]) / p["scale"])

    def terms(self, cells: Cells, p: Parameters) -> dict[str, Array]:
        """Deviations: what `column_sums` spreads over cells."""
        return {"deviation": cells["x"] - p["location"]}

    def column_sums(self, cells: Cells, p: Parameters, weight: Array) -> dict[str, Array]:
        """Weights and deviations by cell, (D, C), and the sum of x times the sign of its deviation."""
        deviation = self.terms(cells, p)["deviation"]
        scaled = deviation / p["scale"]
        # |z| lies in [2^(e - 1), 2^e).
        level = np.clip(np.frexp(scaled)[1] - _FIRST, 0, _LEVELS)
        level = np.where(scaled == 0.0, 0, level)
        place = np.where(scaled < 0.0, _LEVELS - level, _LEVELS + 1 + level)
        weight = np.broadcast_to(weight, deviation.shape)
        mass = np.stack([np.bincount(*row, minlength=len(_SIDES)) for row in zip(place, weight, strict=True)])
        moved = weight * deviation
        moment = np.stack(
            [np.bincount(*row, minlength=len(_SIDES)) for row in zip(place, moved, strict=True)]
        )
        signed = (moment + mass * p["location"]) @ _SIDES
        return {"mass": mass, "deviation": moment, "signed": signed}

    def solve(self, sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
        """A location nearer to the median, and the bound of the mean absolute deviation from it."""
        if self.blank:
            mean = sums["sum_x"] / count
            variance = np.maximum(sums["sum_square"] / count - mean**2, 0.0)
            return {"location": mean, "scale": np.sqrt(0.5 * variance)}
        location, scale = self.parameters["location"], self.parameters["scale"]
        below = np.cumsum(sums["mass"], axis=-1)
        before = np.cumsum(sums["deviation"], axis=-1) / scale[..., None]
        total, moment = below[..., -1], before[..., -1]
        # Q at the edges, in units of the old scale.
        height = _EDGES * (2.0 * below[..., :-1] - total[..., None]) + (
            moment[..., None] - 2.0 * before[..., :-1]
        )
        best = np.argmin(height, axis=-1)
        middle = np.argmax(below >= 0.5 * total[..., None], axis=-1)
        inner = (middle > 0) & (middle < len(_EDGES))
        right = np.clip(middle, 1, len(_EDGES) - 1)
        left = right - 1
        share = (0.5 * total - _at(below, left)) / (_at(below, right) - _at(below, left))
        share = np.clip(np.where(np.isfinite(share), share, 0.0), 0.0, 1.0)
        chord = (1.0 - share) * _at(height, left) + share * _at(height, right)
        taken = inner & (chord <= height[..., _LEVELS])
        moved = np.where(taken, (1.0 - share) * _EDGES[left] + share * _EDGES[right], _EDGES[best])
        deviation = np.where(taken, chord, _at(height, best))
        return {"location": location + scale * moved, "scale": scale * deviation / total}

    def means(self) -> Array:
        """The locations."""
        return self.parameters["location"]

    def faults(self, new: Parameters, count: Array) -> Iterator[tuple[Array, str]]:
        """Values that are all the same."""
        centre = np.sum(count * new["location"], axis=0) / np.sum(count, axis=0)
        size = np.max(new["scale"] + np.abs(new["location"] - centre), axis=0)
        least = np.maximum(_CANCELLED * size, _ROUNDING * np.abs(new["location"]))
        yield ~(new["scale"] > least), "its values are all equal (the scale is zero)"

    def expected(self, sums: Mapping[str, Array], count: Array) -> Array:
        """-N log 2b, and the tangent of the absolute deviations by the location."""
        location, scale = self.parameters["location"], self.parameters["scale"]
        value = -count * np.log(2.0 * scale)
        if "mass" not in sums:
            return np.asarray(value)
        return np.asarray(value - (sums["signed"] - location * (sums["mass"] @ _SIDES)) / scale)

    def tilt(self, name: str, value: Array, sign: float) -> Array:
        """Weight on one side of the location for one half, on the other side for the other half."""
        if value.ndim == 1:
            return super().tilt(name, value, sign)
        up = np.where(np.arange(len(value)) % 2 == 0, sign, -sign)[:, None]
        return np.asarray(0.5 * value * _SIDES * up)

    def draw(self, n: int, p: Parameters, rng: np.random.Generator) -> Array:
        """Rows (n, D)."""
        return np.asarray(rng.laplace(p["location"], p["scale"], size=(n, len(p["scale"]))))

    def spread(self) -> Array:
        """Scales."""
        return self.parameters["scale"]


def _at(values: Array, index: Array) -> Array:
    """The value of every row at its own place on the last axis."""
    return np.asarray(np.take_along_axis(values, index[..., None], axis=-1)[..., 0])
