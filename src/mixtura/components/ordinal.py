r"""Ordinal columns: levels that have an order, so that components differ in one location a column and not in every share.

A column with L levels costs L - 1 numbers for all components together and one more for every component after the first,
where a :class:`~mixtura.families.Categorical` column costs L - 1 for each component. The likelihood is that of the levels as
they are; no distance between them is assumed (adjacent-category logits with scores aside).

**M-step.** The numbers of rows on each level, weighted by responsibilities, are all that the likelihood depends on: the sums
are finite and exact, (K, L) a column. Columns are independent, so each is a small concave problem of L - 2 + K unknowns, and
all columns of the same number of levels are solved at once (:mod:`mixtura.components.ordinal_links`). A missing cell is on no
level, which integrates over it.

The file is long because the whole contract of a component is here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mixtura.components.ordinal_links import AdjacentLogit, CumulativeLogit, OrdinalLink
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.families import Categorical
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["AdjacentLogit", "CumulativeLogit", "Ordinal"]


class Ordinal:
    """K components of ordinal columns, independent given the component.

    Parameters
    ----------
    levels : sequence of int
        L_j, number of levels of each column, at least 2; values are 0 to L_j - 1. `Ordinal.of` counts them.
    link : OrdinalLink, optional
        ``AdjacentLogit()`` (default) or ``CumulativeLogit()``.
    location : array_like, shape (K, D), optional
        Locations b_k of the components. None before the first M-step.
    baseline : sequence of array_like, optional
        What the components share, for each column: thresholds c (L_j - 1) or intercepts a (L_j). Given with `location`.

    Attributes
    ----------
    location : ndarray, shape (K, D)
        Locations that sum to zero over the components; larger ones prefer higher levels.
    baseline : tuple of ndarray
        Thresholds or intercepts that belong to these.
    probabilities : ndarray, shape (K, P)
        Probabilities of the levels, column by column; P is the sum of the levels.

    References
    ----------
    .. [1] A. Agresti (2010), "Analysis of Ordinal Categorical Data", second edition.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> happy, grumpy = [0.05, 0.15, 0.3, 0.5], [0.5, 0.3, 0.15, 0.05]
    >>> X = np.concatenate([rng.choice(4, (200, 5), p=share) for share in (happy, grumpy)])
    >>> mixture = Mixture(Ordinal.of(X, CumulativeLogit()), 2, random_state=0).fit(X)
    >>> mixture.n_parameters()  # one weight, and 3 + 1 for each of the columns
    21
    >>> np.sort(mixture.components_.location.mean(axis=1)).round(1)
    array([-1.4,  1.4])
    """

    #: Levels are taken as they are.
    centred = False
    #: Missing cells are on no level.
    marginal = True
    exact = True
    name = "ordinal"

    def __init__(
        self,
        levels: Sequence[int],
        link: OrdinalLink | None = None,
        location: Any = None,
        baseline: Sequence[Any] | None = None,
    ) -> None:
        self._marks = Categorical(levels)
        if min(self._marks.levels) < 2:
            column = int(np.argmin(self._marks.levels))
            msg = f"Column {column} has one level; expected at least 2 in an ordinal column. Leave the column out."
            raise InvalidParameterError(msg)
        self.link = AdjacentLogit() if link is None else link
        if not isinstance(self.link, OrdinalLink):
            msg = f"link is {link!r}; expected AdjacentLogit() or CumulativeLogit()."
            raise InvalidParameterError(msg)
        for count in set(self._marks.levels):
            self.link.check(count)
        self._location: Array | None = None
        self._inner: tuple[Array, ...] = ()
        if location is not None:
            self._set(*self._checked(location, baseline))

    @classmethod
    def of(cls, x: Any, link: OrdinalLink | None = None) -> Self:
        """Components without parameters for the levels of rows (N, D): from 0 to the largest of each column."""
        return cls(Categorical.of(x).levels, link)

    def __repr__(self) -> str:
        size = "blank" if self._location is None else f"K={len(self._location)}"
        return f"Ordinal({self.levels}, {self.link!r}, {size})"

    # --- parameters -------------------------------------------------------------------------------------------
    @property
    def levels(self) -> tuple[int, ...]:
        """L_j of each column."""
        return self._marks.levels

    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._location is None

    @property
    def support(self) -> str:
        """In words."""
        return self._marks.support

    @property
    def _raw(self) -> Array:
        """Locations as the links keep them, (K, D)."""
        if self._location is None:
            msg = "The ordinal components have no parameters yet: fit them, or call maximize first."
            raise InvalidParameterError(msg)
        return self._location

    @property
    def location(self) -> Array:
        """Locations that sum to zero, shape (K, D)."""
        return np.asarray(self._raw - self._raw.mean(axis=0))

    @property
    def baseline(self) -> tuple[Array, ...]:
        """Thresholds or intercepts of each column, for these locations."""
        shifts = self._raw.mean(axis=0)
        return tuple(
            self.link.to_baseline(inner, float(shift))
            for inner, shift in zip(self._inner, shifts, strict=True)
        )

    @property
    def probabilities(self) -> Array:
        """Probabilities of the levels, column by column, shape (K, P)."""
        return np.exp(self._log_probabilities)

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self._raw)

    def n_statistics(self, n_features: int) -> int:
        """P, one for each level."""
        return self._marks.n_statistics(n_features)

    def n_parameters(self) -> int:
        """L_j - 1 + K - 1 for each column: the locations of a column sum to zero."""
        return sum(self.levels) + (self.n_components - 2) * len(self.levels)

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Locations, and the thresholds or intercepts, which all components share."""
        lines, location = [], self.location
        for d, (name, baseline) in enumerate(zip(names, self.baseline, strict=True)):
            lines.append(("location", name, "", location[:, d]))
            free = self.levels[d] - 1  # the first of L_j intercepts is 0
            labels = self.link.baseline_labels(self.levels[d])[-free:]
            lines += [
                (self.link.baseline_name, name, label, np.full(self.n_components, value))
                for label, value in zip(labels, baseline[-free:], strict=True)
            ]
        return lines

    def replace(self, inner: Sequence[Array], location: Array) -> Self:
        """The same levels and link with other parameters, as the links keep them."""
        new = copy.copy(self)
        new._set(inner, location)
        return new

    def _set(self, inner: Sequence[Array], location: Array) -> None:
        self._inner, self._location = tuple(inner), np.asarray(location, dtype=np.float64)
        parts = [
            self.link.log_probabilities(own[None], place[None])[0]
            for own, place in zip(self._inner, self._location.T, strict=True)
        ]
        self._log_probabilities = np.concatenate(parts, axis=1)

    def _checked(self, location: Any, baseline: Sequence[Any] | None) -> tuple[list[Array], Array]:
        location = np.asarray(location, dtype=np.float64)
        if location.ndim != 2 or location.shape[1] != len(self.levels):
            msg = f"location has shape {location.shape}; expected (K, {len(self.levels)}), a column for each of levels."
            raise InvalidParameterError(msg)
        sizes = [len(self.link.baseline_labels(count)) for count in self.levels]
        given = [] if baseline is None else [np.asarray(values, dtype=np.float64) for values in baseline]
        if [values.shape for values in given] != [(size,) for size in sizes]:
            msg = (
                f"baseline has shapes {[values.shape for values in given]}; expected one array a column, of lengths {sizes}: "
                f"the {self.link.baseline_name}s of {self.link!r}."
            )
            raise InvalidParameterError(msg)
        pairs = [self.link.from_baseline(own, place) for own, place in zip(given, location.T, strict=True)]
        return [inner for inner, _ in pairs], np.stack([place for _, place in pairs], axis=1)

    # --- the pass ---------------------------------------------------------------------------------------------
    def encode(self, x: Array, encoding: Encoding) -> Array:
        """Marks of the levels, shape (P, B); all zero for a missing cell."""
        return self._marks.statistics(x)

    def log_prob(self, block: Array) -> Array:
        """Scores, shape (K, B)."""
        self._raw  # noqa: B018 - says so where there are no parameters
        return np.asarray(self._log_probabilities @ block)

    def expected_statistics(self, block: Array, resp: Array) -> Statistics:
        """Rows, and rows on each level, weighted by resp (K, B)."""
        sums = {"count": resp.sum(axis=1, dtype=np.float64), "levels": resp @ block.T}
        return Statistics({name: value.astype(np.float64, copy=False) for name, value in sums.items()})

    def outside(self, x: Array) -> Array:
        """Values that are no level of their column; a missing one is not."""
        return np.asarray(self._marks.outside(x) & ~np.isnan(x))

    def features(self, x: Array) -> Array:
        """The levels as numbers."""
        return x

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Self:
        """The parameters of some columns."""
        raw, new = self._raw[:, columns], copy.copy(self)
        new._marks = self._marks.restricted(columns)
        new._set([self._inner[column] for column in columns], raw)
        return new

    def conditioned(self, columns: Array, values: Array) -> Self:
        """The parameters of the other columns: they do not depend on these."""
        return self.restricted(np.setdiff1d(np.arange(len(self.levels)), columns))

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Probabilities of the levels, whatever the other columns are."""
        return [shares.T @ resp for shares in self._by_column(self.probabilities)]

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """The maximum for the given numbers of rows on each level.

        Raises
        ------
        DegenerateComponentError
            Naming every component without rows, or without values in a column.
        """
        columns = self._by_column(stats["levels"])
        held = np.stack([counts.sum(axis=1) for counts in columns], axis=1)
        bad = np.flatnonzero(~(held > 0).all(axis=1))
        if bad.size:
            raise DegenerateComponentError(
                Degenerate(int(k), float(stats["count"][k]), self._reason(held[k])) for k in bad
            )
        inner: list[Array] = [np.empty(0)] * len(columns)
        location = np.empty(held.shape)
        for size in sorted(set(self.levels)):
            places = [d for d, count in enumerate(self.levels) if count == size]
            counts = np.stack([columns[d] for d in places])
            solved = self.link.maximize(counts, self._start(places, counts.shape[1]))
            for d, own, place in zip(places, *solved, strict=True):
                inner[d], location[:, d] = own, place
        return self.replace(inner, location)

    def _start(self, places: Sequence[int], n_components: int) -> tuple[Array, Array] | None:
        """The present parameters of some columns, where there are as many components as in the sums."""
        if self._location is None or len(self._location) != n_components:
            return None
        return np.stack([self._inner[d] for d in places]), self._location.T[places]

    @staticmethod
    def _reason(held: Array) -> str:
        return (
            f"it holds no data in column {int(np.argmin(held))}" if (held > 0).any() else "it holds no data"
        )

    def _by_column(self, values: Array) -> list[Array]:
        """(K, P) as a (K, L_j) for each column."""
        return np.split(values, np.cumsum(self.levels)[:-1], axis=1)

    def expected_log_prob(self, stats: Statistics) -> float:
        """<rows on each level, log probabilities>."""
        self._raw  # noqa: B018 - says so where there are no parameters
        return float(np.sum(stats["levels"] * self._log_probabilities))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components that hold less than one row."""
        return {int(k): f"holds {stats['count'][k]:.3g} rows" for k in np.flatnonzero(stats["count"] < 1.0)}

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves, one with more of the high levels and one with more of the low ones."""
        tilt = np.concatenate([np.linspace(-0.5, 0.5, count) for count in self.levels])
        halves = stats.take([*range(len(stats["count"])), component])
        for index, sign in ((component, 1.0), (-1, -1.0)):
            halves["count"][index] *= 0.5
            halves["levels"][index] *= 0.5 * (1.0 + sign * tilt)
        return halves

    def coordinates(self) -> Array:
        """Locations, and the free numbers of each column's baseline."""
        return np.concatenate([self._raw.ravel(), *(self.link.free(inner) for inner in self._inner)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        vector = np.asarray(vector, dtype=np.float64)
        size = self._raw.size
        parts = np.split(vector[size:], np.cumsum([len(inner) for inner in self._inner])[:-1])
        return self.replace(
            [self.link.from_free(part) for part in parts], vector[:size].reshape(self._raw.shape)
        )

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        return self.replace(self._inner, self._raw[np.asarray(components, dtype=np.intp)])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`; the baseline, which all share, is this one's."""
        return self.replace(self._inner, np.concatenate([self._raw, *(part._raw for part in parts)]))

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """Rows of levels, shape (n, D)."""
        shares = self._by_column(self.probabilities[component][None])
        return np.column_stack([rng.choice(p.shape[1], size=n, p=p[0] / p[0].sum()) for p in shares]).astype(
            float
        )
