r"""Noise: one constant density for rows that belong to no cluster.

.. math:: p(x) = 1 / V

with V the volume of the region that the data lie in [1]_: the smaller of the box along the columns and the box along the
principal axes, as in mclust. It has no free parameter; what is learnt is its weight.

Which rows begin as noise is told by how far their neighbours are (:mod:`mixtura.components.neighbours`).

The file is long because the whole contract of a component is here, and how the region is made.

References
----------
.. [1] C. Fraley and A. E. Raftery (2002), "Model-based clustering, discriminant analysis, and density estimation",
   Journal of the American Statistical Association 97(458), 611-631, section 5.1.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mixtura.components.neighbours import sparse_rows
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["UniformNoise"]


class UniformNoise:
    """Noise: a constant density, 1 over the volume of the region that the data lie in.

    Usually one component of a :class:`Union`, made by `UniformNoise.of(X)`: a component only ever sees sums, from which
    no region can be told, so the region is given beforehand.

    Parameters
    ----------
    lower, upper : array_like, shape (D,)
        Ends of the region along each axis, in units of the data.
    axes : array_like, shape (D, D), optional
        Orthonormal axes of the region, one a column. None: the columns of the data.
    volume : float, optional
        V, instead of that of the region.
    n_components : int, optional
        How many such components there are, where it is not the fit that says so. All are alike; more than one is hardly
        ever of use.

    Notes
    -----
    The density is constant everywhere, as in mclust, and therefore integrates to one over the region only (with its own
    volume). A row beyond the region, which a prediction may meet, is then noise: minus infinity there would send the
    farthest outliers to the nearest cluster.

    Missing cells are left out where the region has no axes of its own: the volume is then that of the observed columns.

    Examples
    --------
    >>> noise = UniformNoise.of([[0.0, 10.0], [4.0, 5.0], [1.0, 6.0]])
    >>> noise.volume  # the smaller of two boxes
    11.55...
    >>> UniformNoise([0, 0], [4, 5]).volume
    20.0
    """

    #: Rows may be about any origin; the region moves along.
    centred = True
    #: The region has a place before anything is learnt.
    located = True
    exact = True
    name = "uniform noise"
    support = "finite numbers"

    def __init__(
        self,
        lower: Any,
        upper: Any,
        axes: Any = None,
        volume: float | None = None,
        n_components: int | None = None,
    ) -> None:
        self.lower = np.atleast_1d(np.asarray(lower, dtype=np.float64))
        self.upper = np.atleast_1d(np.asarray(upper, dtype=np.float64))
        self.axes = None if axes is None else np.asarray(axes, dtype=np.float64)
        _check_region(self.lower, self.upper, self.axes)
        if volume is not None and not (np.isfinite(volume) and volume > 0):
            msg = f"volume is {volume!r}; expected a positive number, in units of the data multiplied over the columns."
            raise InvalidParameterError(msg)
        self._log_volume = None if volume is None else float(np.log(volume))
        self._n_components = n_components

    def __repr__(self) -> str:
        return f"UniformNoise(D={len(self.lower)}, volume={self.volume:.6g})"

    @classmethod
    def of(cls, x: Any, *, volume: float | None = None, n_components: int | None = None) -> Self:
        """Noise over the region of rows (N, D): along the columns or along the principal axes, whichever is smaller.

        Parameters
        ----------
        x : array_like, shape (N, D), or data frame
            The rows; NaN where a cell is missing (then only the box along the columns can be told).
        volume : float, optional
            V, instead of that of the region.
        n_components : int, optional
            As for the class.

        Raises
        ------
        InvalidDataError
            If a column has no range.
        """
        rows = np.asarray(x, dtype=np.float64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or not rows.size:
            msg = f"The rows have shape {rows.shape}; expected (N, D), at least one of each."
            raise InvalidDataError(msg)
        missing = np.isnan(rows)
        wrong = missing.all(axis=0) | np.isinf(rows).any(axis=0)
        lower, upper = (
            np.min(rows, axis=0, where=~missing, initial=np.inf),
            np.max(rows, axis=0, where=~missing, initial=-np.inf),
        )
        wrong |= ~(upper > lower)
        if wrong.any():
            column = int(np.flatnonzero(wrong)[0])
            msg = (
                f"Column {column} goes from {lower[column]:g} to {upper[column]:g}; expected a finite range above zero, without "
                "which the region of the noise has no volume. Leave the column out."
            )
            raise InvalidDataError(msg)
        axes = None
        if not missing.any() and rows.shape[1] > 1:
            middle = rows.mean(axis=0)
            _, _, turned = np.linalg.svd(rows - middle, full_matrices=False)
            along = rows @ turned.T
            ends = along.min(axis=0), along.max(axis=0)
            if len(turned) == len(lower) and np.all(ends[1] > ends[0]):
                smaller = np.log(ends[1] - ends[0]).sum() < np.log(upper - lower).sum()
                if smaller:
                    lower, upper, axes = *ends, turned.T
        return cls(lower, upper, axes, volume, n_components)

    # --- what it says of itself -------------------------------------------------------------------------------
    @property
    def log_volume(self) -> float:
        """Logarithm of V."""
        if self._log_volume is not None:
            return self._log_volume
        return float(np.log(self.upper - self.lower).sum())

    @property
    def volume(self) -> float:
        """V, in units of the data multiplied over the columns."""
        return float(np.exp(self.log_volume))

    @property
    def blank(self) -> bool:
        """Whether it is open how many there are: there is nothing else to learn."""
        return self._n_components is None

    @property
    def marginal(self) -> bool:
        """Whether missing cells are left out: they can be where the volume is that of a box along the columns."""
        return self.axes is None and self._log_volume is None

    @property
    def n_components(self) -> int:
        """K, number of components."""
        if self._n_components is None:
            msg = "It is open how many noise components there are: fit them, or give n_components."
            raise InvalidParameterError(msg)
        return self._n_components

    def n_statistics(self, n_features: int) -> int:
        """One number a row."""
        return 1

    def n_parameters(self) -> int:
        """None: the region is given."""
        return 0

    def moved(self, by: Array) -> Self:
        """The same noise about an origin that lies `by`, shape (D,), farther."""
        new = copy.copy(self)
        shift = by if self.axes is None else self.axes.T @ by
        new.lower, new.upper = self.lower - shift, self.upper - shift
        return new

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """The volume."""
        return [("volume", "", "", np.full(self.n_components, self.volume))]

    def claims(self, z: Array, weight: Array) -> Array:
        """Probability that each of the rows z (n, F) is noise, by its distance to its nearest neighbours, shape (n,)."""
        return sparse_rows(z, weight)

    def _replace(self, n_components: int) -> Self:
        new = copy.copy(self)
        new._n_components = n_components
        return new

    # --- the pass ---------------------------------------------------------------------------------------------
    def encode(self, x: Array, encoding: Encoding) -> Array:
        """Log density of each row, shape (1, B).

        Raises
        ------
        InvalidDataError
            If there are other columns than the region has, or missing cells that cannot be left out.
        """
        if len(x) != len(self.lower):
            msg = f"The rows have {len(x)} columns; expected {len(self.lower)}, those of the region of the noise."
            raise InvalidDataError(msg)
        density = np.full((1, x.shape[1]), -self.log_volume)
        gaps = np.isnan(x) if encoding.missing else np.zeros(0, dtype=bool)
        if gaps.any():
            if not self.marginal:
                column = int(np.flatnonzero(gaps.any(axis=1))[0])
                msg = (
                    f"Column {column} has missing cells (NaN), but the noise has a volume that does not divide by columns. "
                    "Make it of the rows with their missing cells, UniformNoise.of(X), or leave such rows out."
                )
                raise InvalidDataError(msg)
            density += np.log(self.upper - self.lower) @ gaps
        return density.astype(encoding.dtype, copy=False)

    def log_prob(self, block: Array) -> Array:
        """Scores, shape (K, B): minus log V."""
        return np.repeat(block, self.n_components, axis=0)

    def expected_statistics(self, block: Array, resp: Array) -> Statistics:
        """Counts and log densities weighted by resp (K, B)."""
        density = (resp @ block.T)[:, 0].astype(np.float64)
        return Statistics({"count": resp.sum(axis=1, dtype=np.float64), "sum_log_density": density})

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """Nothing but the number of components; noise without rows is no failure, its weight is zero then."""
        return self._replace(len(stats["count"]))

    def expected_log_prob(self, stats: Statistics) -> float:
        """The sum of the log densities."""
        return float(stats["sum_log_density"].sum())

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """None: noise may hold few rows."""
        return {}

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves, which are alike."""
        halves = stats.take([*range(len(stats["count"])), component])
        for value in halves.sums.values():
            value[[component, -1]] *= 0.5
        return halves

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Empty."""
        return np.empty(0)

    def from_coordinates(self, vector: Array) -> Self:
        """Itself."""
        return self._replace(self.n_components)

    def take(self, components: Sequence[int] | Array) -> Self:
        """As many as are taken."""
        return self._replace(len(np.asarray(components, dtype=np.intp)))

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """As many as all have."""
        return self._replace(self.n_components + sum(part.n_components for part in parts))

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of the region, shape (n, D)."""
        along = rng.uniform(self.lower, self.upper, size=(n, len(self.lower)))
        return along if self.axes is None else along @ self.axes.T

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Self:
        """The sides of the region along some columns.

        Raises
        ------
        InvalidParameterError
            If the region has axes or a volume of its own.
        """
        if not self.marginal:
            msg = (
                "The uniform noise component cannot be restricted to some of its columns: its volume does not divide by columns. "
                "Give it a box along the columns, UniformNoise(lower, upper)."
            )
            raise InvalidParameterError(msg)
        return type(self)(self.lower[columns], self.upper[columns], n_components=self._n_components)

    def conditioned(self, columns: Array, values: Array) -> Self:
        """The sides along the other columns."""
        return self.restricted(np.setdiff1d(np.arange(len(self.lower)), columns))

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """The middle of the region."""
        region = self.restricted(np.arange(len(self.lower)))  # or says why there is none
        return list(np.outer(0.5 * (region.lower + region.upper), resp.sum(axis=0)))


def _check_region(lower: Array, upper: Array, axes: Array | None) -> None:
    """Refuse a region without volume."""
    size = len(lower)
    if lower.shape != (size,) or upper.shape != lower.shape or not size:
        msg = f"lower has shape {lower.shape} and upper {upper.shape}; expected one number for each column in both."
        raise InvalidParameterError(msg)
    bad = np.flatnonzero(~(np.isfinite(upper - lower) & (upper > lower)))
    if bad.size:
        d = int(bad[0])
        msg = f"The region goes from {lower[d]:g} to {upper[d]:g} along axis {d}; expected a finite range above zero."
        raise InvalidParameterError(msg)
    if axes is not None and (
        axes.shape != (size, size) or not np.allclose(axes.T @ axes, np.eye(size), atol=1e-8)
    ):
        msg = (
            f"axes has shape {axes.shape}; expected an orthonormal ({size}, {size}) matrix, an axis a column."
        )
        raise InvalidParameterError(msg)
