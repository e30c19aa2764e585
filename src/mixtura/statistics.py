"""The waist of the library: expected complete-data statistics, which form a vector space.

Everything on one side produces `Statistics`, everything on the other consumes them. They add, subtract and
scale; their size does not depend on the amount of data; the log evidence is one of their fields, so one pass
over the data yields the sums and the objective by the same ``+``.

The module also knows how second moments about one origin become moments about another
(:meth:`Statistics.about`), which is what lets components keep an origin of their own. It is long because every
operation of the vector space is here, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.protocols import Array

__all__ = ["Statistics", "pack_symmetric", "total", "unpack_symmetric"]

_EMPTY: Mapping[str, Statistics] = MappingProxyType({})


class Statistics:
    """Named additive sums, a log evidence, and parts of the same kind.

    Parameters
    ----------
    sums : mapping of str to ndarray
        Sums over rows, never averages. Axis 0 is the component, unless the name is in `shared`.
    log_evidence : float, default 0
        Sum of the units' log evidence (natural logarithm), weighted.
    weight : float, default 0
        Sum of the units' weights.
    parts : mapping of str to Statistics, optional
        Statistics of the parts of a model (``structure``, ``components``, the blocks of a product).
    shared : frozenset of str, optional
        Names of sums without a component axis.
    paired : frozenset of str, optional
        Names of sums whose axes 0 and 1 both are the component (moves from one state to another).
    origin : ndarray, shape (D,) or (K, D), optional
        Point about which ``sum_x`` and ``sum_xx`` were taken. Adding translates to the left operand's origin.
    stamp : str, default ""
        Stamp of the encoding the sums were made with; adding another stamp is refused.

    Examples
    --------
    >>> a = Statistics({"count": np.array([1.0, 2.0])}, log_evidence=-3.0)
    >>> b = a + a * 0.5
    >>> b["count"], b.log_evidence
    (array([1.5, 3. ]), -4.5)
    """

    __slots__ = ("log_evidence", "origin", "paired", "parts", "shared", "stamp", "sums", "weight")

    def __init__(
        self,
        sums: Mapping[str, Array] | None = None,
        *,
        log_evidence: float = 0.0,
        weight: float = 0.0,
        parts: Mapping[str, Statistics] = _EMPTY,
        shared: frozenset[str] = frozenset(),
        paired: frozenset[str] = frozenset(),
        origin: Array | None = None,
        stamp: str = "",
    ) -> None:
        self.sums: dict[str, Array] = dict(sums or {})
        self.log_evidence = float(log_evidence)
        self.weight = float(weight)
        self.parts: dict[str, Statistics] = dict(parts)
        self.shared = shared
        self.paired = paired
        self.origin = origin
        self.stamp = stamp

    def __getitem__(self, name: str) -> Array:
        return self.sums[name]

    def __contains__(self, name: object) -> bool:
        return name in self.sums

    def __repr__(self) -> str:
        sums = ", ".join(f"{name}{list(value.shape)}" for name, value in self.sums.items())
        parts = ", ".join(f"{name}={part!r}" for name, part in self.parts.items())
        inside = ", ".join(text for text in (sums, parts) if text)
        return f"Statistics({inside}, log_evidence={self.log_evidence:.6g}, weight={self.weight:.6g})"

    def _check(self, other: Statistics) -> None:
        if self.stamp != other.stamp:
            msg = (
                f"Statistics of encoding '{other.stamp}' cannot be added to statistics of encoding '{self.stamp}': "
                "their origins, levels or types differ. Summarize both with the same model."
            )
            raise InvalidParameterError(msg)
        if self.sums.keys() != other.sums.keys() or self.parts.keys() != other.parts.keys():
            msg = (
                f"Statistics named {sorted(other.sums)} {sorted(other.parts)} cannot be added to statistics named "
                f"{sorted(self.sums)} {sorted(self.parts)}. Add only statistics of the same model."
            )
            raise InvalidParameterError(msg)

    def _map(
        self, sums: dict[str, Array], parts: dict[str, Statistics], log_evidence: float, weight: float
    ) -> Statistics:
        return Statistics(
            sums,
            log_evidence=log_evidence,
            weight=weight,
            parts=parts,
            shared=self.shared,
            paired=self.paired,
            origin=self.origin,
            stamp=self.stamp,
        )

    def __add__(self, other: Statistics) -> Statistics:
        if not isinstance(other, Statistics):
            return NotImplemented
        self._check(other)
        other = other.about(self.origin)
        return self._map(
            {name: value + other.sums[name] for name, value in self.sums.items()},
            {name: part + other.parts[name] for name, part in self.parts.items()},
            self.log_evidence + other.log_evidence,
            self.weight + other.weight,
        )

    def __mul__(self, factor: float) -> Statistics:
        return self._map(
            {name: value * factor for name, value in self.sums.items()},
            {name: part * factor for name, part in self.parts.items()},
            self.log_evidence * factor,
            self.weight * factor,
        )

    __rmul__ = __mul__

    def __sub__(self, other: Statistics) -> Statistics:
        return self + other * -1.0

    def __neg__(self) -> Statistics:
        return self * -1.0

    def _add_in_place(self, other: Statistics) -> None:
        # Only for sums that `total` owns: nobody else has seen these arrays.
        self._check(other)
        other = other.about(self.origin)
        for name, value in self.sums.items():
            value += other.sums[name]  # noqa: PLW2901 - in place on purpose
        for name, part in self.parts.items():
            part._add_in_place(other.parts[name])
        self.log_evidence += other.log_evidence
        self.weight += other.weight

    def copy(self) -> Statistics:
        """A copy that shares no array."""
        return self._map(
            {name: np.array(value, dtype=np.float64) for name, value in self.sums.items()},
            {name: part.copy() for name, part in self.parts.items()},
            self.log_evidence,
            self.weight,
        )

    def take(self, components: Sequence[int] | Array) -> Statistics:
        """The sums of some components, in the order given.

        Parameters
        ----------
        components : sequence of int
            Indices into axis 0 of every sum that is not shared.

        Returns
        -------
        Statistics
            The log evidence, the weight and shared sums are kept as they are.

        Examples
        --------
        >>> Statistics({"count": np.array([1.0, 2.0, 3.0])}).take([2, 0])["count"]
        array([3., 1.])
        """
        index = np.asarray(components, dtype=np.intp)
        taken = self._map(
            {name: self._taken(name, value, index) for name, value in self.sums.items()},
            {name: part.take(index) for name, part in self.parts.items()},
            self.log_evidence,
            self.weight,
        )
        if self.origin is not None and self.origin.ndim == 2:
            taken.origin = self.origin[index]
        return taken

    def _taken(self, name: str, value: Array, index: Array) -> Array:
        """One sum of some components."""
        if name in self.shared:
            return value
        return value[np.ix_(index, index)] if name in self.paired else value[index]

    def concatenate(self, other: Statistics) -> Statistics:
        """The components of both, side by side; shared sums, evidence and weight are added.

        Examples
        --------
        >>> a = Statistics({"count": np.array([1.0])}, log_evidence=-1.0)
        >>> b = a.concatenate(a * 2)
        >>> b["count"], b.log_evidence
        (array([1., 2.]), -3.0)
        """
        self._check(other)
        other = other if self.origin is not None and self.origin.ndim == 2 else other.about(self.origin)
        joined = self._map(
            {name: self._joined(name, value, other.sums[name]) for name, value in self.sums.items()},
            {name: part.concatenate(other.parts[name]) for name, part in self.parts.items()},
            self.log_evidence + other.log_evidence,
            self.weight + other.weight,
        )
        if self.origin is not None and self.origin.ndim == 2 and other.origin is not None:
            joined.origin = np.concatenate(
                [self.origin, np.broadcast_to(other.origin, (len(other["count"]), self.origin.shape[1]))]
            )
        return joined

    def _joined(self, name: str, mine: Array, theirs: Array) -> Array:
        """One sum of the components of both; pairs of components of different sides were never seen."""
        if name in self.shared:
            return np.asarray(mine + theirs)
        if name not in self.paired:
            return np.concatenate([mine, theirs])
        joined = np.zeros((len(mine) + len(theirs),) * 2)
        joined[: len(mine), : len(mine)], joined[len(mine) :, len(mine) :] = mine, theirs
        return joined

    def about(self, origin: Array | None) -> Statistics:
        """The same sums with first and second moments taken about another origin.

        Parameters
        ----------
        origin : ndarray, shape (D,) or (K, D), or None
            The new origin; None is zero.

        Returns
        -------
        Statistics
            ``sum_x`` and ``sum_xx`` (packed upper triangles, squares per column, or squared norms) moved by
            sum (x - o')(x - o')' = S + s d' + d s' + N d d', where d = o - o'. N is ``sum_u`` where moments weigh rows by
            a variable of their own (Student-t), else ``count``.

        Examples
        --------
        >>> s = Statistics({"count": np.ones(1), "sum_x": np.array([[3.0]]), "sum_xx": np.array([[9.0]])})
        >>> s.about(np.array([1.0]))["sum_xx"]
        array([[4.]])
        """
        if "sum_x" not in self.sums or self.origin is origin:
            return self
        old = 0.0 if self.origin is None else self.origin
        new = 0.0 if origin is None else origin
        shift = np.broadcast_to(np.subtract(old, new), self.sums["sum_x"].shape)
        if not shift.any():
            return self
        count = self.sums.get("sum_u", self.sums["count"])
        first, second = self.sums["sum_x"], self.sums.get("sum_xx")
        sums = dict(self.sums)
        sums["sum_x"] = first + count[:, None] * shift
        if second is not None:
            sums["sum_xx"] = second + _second_moment_shift(count, first, shift, second)
        moved = self._map(sums, self.parts, self.log_evidence, self.weight)
        moved.origin = origin
        return moved

    def to_arrays(self, prefix: str = "") -> dict[str, Array]:
        """All sums as flat named arrays, for a checkpoint.

        Examples
        --------
        >>> Statistics({"count": np.ones(2)}).to_arrays()["count"]
        array([1., 1.])
        """
        arrays = {prefix + name: value for name, value in self.sums.items()}
        arrays[prefix + "@evidence"] = np.array([self.log_evidence, self.weight])
        if self.origin is not None:
            arrays[prefix + "@origin"] = self.origin
        for name, part in self.parts.items():
            arrays.update(part.to_arrays(f"{prefix}{name}/"))
        return arrays

    def with_arrays(self, arrays: Mapping[str, Array], prefix: str = "") -> Statistics:
        """Statistics of this one's form (names, shared, stamp) holding the arrays of a checkpoint.

        Examples
        --------
        >>> s = Statistics({"count": np.ones(2)}, log_evidence=-1.0)
        >>> (s * 0).with_arrays(s.to_arrays()).log_evidence
        -1.0
        """
        evidence = arrays[prefix + "@evidence"]
        loaded = self._map(
            {name: np.asarray(arrays[prefix + name]) for name in self.sums},
            {name: part.with_arrays(arrays, f"{prefix}{name}/") for name, part in self.parts.items()},
            float(evidence[0]),
            float(evidence[1]),
        )
        loaded.origin = arrays.get(prefix + "@origin")
        return loaded


def total(parts: Iterable[Statistics]) -> Statistics:
    """Sum of statistics, left to right.

    Parameters
    ----------
    parts : iterable of Statistics
        At least one.

    Returns
    -------
    Statistics
        The sum; its arrays are new.

    Raises
    ------
    InvalidDataError, InvalidParameterError
        If there is nothing to add, or encodings differ.

    Examples
    --------
    >>> total(Statistics({"count": np.ones(1)}) for _ in range(3))["count"]
    array([3.])
    """
    iterator = iter(parts)
    try:
        result = next(iterator).copy()
    except StopIteration:
        msg = "There are no statistics to add: the data has no batches. Give at least one row."
        raise InvalidDataError(msg) from None
    for part in iterator:
        result._add_in_place(part)
    return result


@lru_cache(maxsize=64)
def _triangle(n_features: int) -> tuple[Array, Array]:
    """Row and column numbers of the upper triangle."""
    rows, columns = np.triu_indices(n_features)
    return rows, columns


def pack_symmetric(matrices: Array) -> Array:
    """Upper triangles, row by row: (..., D, D) to (..., D (D + 1) / 2).

    Examples
    --------
    >>> pack_symmetric(np.array([[1.0, 2.0], [2.0, 3.0]]))
    array([1., 2., 3.])
    """
    rows, columns = _triangle(matrices.shape[-1])
    return matrices[..., rows, columns]


def unpack_symmetric(packed: Array, n_features: int) -> Array:
    """Inverse of `pack_symmetric`: (..., D (D + 1) / 2) to (..., D, D).

    Examples
    --------
    >>> unpack_symmetric(np.array([1.0, 2.0, 3.0]), 2)
    array([[1., 2.],
           [2., 3.]])
    """
    rows, columns = _triangle(n_features)
    matrices = np.empty((*packed.shape[:-1], n_features, n_features), dtype=packed.dtype)
    matrices[..., rows, columns] = packed
    matrices[..., columns, rows] = packed
    return matrices


def _second_moment_shift(count: Array, first: Array, shift: Array, second: Array) -> Array:
    """What is added to ``sum_xx`` when the origin moves by -shift, in whichever form ``sum_xx`` has."""
    if second.ndim == 1 or second.shape[1] < first.shape[1]:  # squared norms, (K,) or (K, 1)
        norms = 2.0 * np.sum(first * shift, axis=1) + count * np.sum(shift**2, axis=1)
        return np.asarray(norms.reshape(second.shape))
    if second.shape == first.shape:
        return 2.0 * first * shift + count[:, None] * shift**2  # squares per column, (K, D)
    cross = first[:, :, None] * shift[:, None, :]
    moved = cross + cross.transpose(0, 2, 1) + count[:, None, None] * shift[:, :, None] * shift[:, None, :]
    packed = pack_symmetric(moved)
    if second.shape[0] == 1 and packed.shape[0] != 1:  # one scatter for all components (tied)
        packed = packed.sum(axis=0, keepdims=True)
    return packed
