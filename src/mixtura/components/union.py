r"""Components of different kinds side by side over the same columns: Gaussians and noise, for instance.

.. math:: p(x) = \sum_{k\le K_A}\pi_k\,p_A(x\mid k) + \sum_{K_A<k\le K}\pi_k\,p_B(x\mid k)

so K = K_A + K_B. Every component remembers its kind, so that taking, joining, dropping and splitting work in any order.
Sums of a kind are padded with zeros to all K components; `Statistics.take` then needs to know nothing of kinds.

The file is long because the whole contract of a component is here, with all that it may say beside it.

References
----------
.. [1] C. Fraley and A. E. Raftery (2002), "Model-based clustering, discriminant analysis, and density estimation",
   Journal of the American Statistical Association 97(458), 611-631, section 5.1 (Gaussians and noise).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np

from mixtura.components import hooks
from mixtura.components.combining import (
    all_supports,
    any_outside,
    as_component,
    described,
    maximized,
    needs_own_origin,
    padded,
    reasons_by_component,
)
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["Union"]


class _Kind(NamedTuple):
    """One kind that has components: its name among the parts of the sums, its components, and their places."""

    name: str
    component: Any
    rows: Array


class Union:
    """Components of several kinds, over the same columns.

    Parameters
    ----------
    *kinds : Component, ExponentialFamily, or (Component or ExponentialFamily, int or None)
        At least two kinds, each alone or with how many of the K components are of it. None, for at most one kind, is
        the rest. A kind given alone has None, too, or as many as it has parameters for. Components begin in this order.

    Attributes
    ----------
    kinds : tuple of Component
        The kinds.
    sizes : tuple of (int or None)
        How many components of each kind there are to be.
    kind : ndarray of int, shape (K,)
        Kind of each component; not there before the first M-step.

    Notes
    -----
    A kind may say ``claims(z, weight)``, the probability that each of the rows z (n, F) is one of its own: these rows are
    its start, and only the others are divided among the remaining components (see `apart`). :class:`UniformNoise` does.

    Rows are taken about the columns' means only where every kind wants them so.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> from mixtura.components import Gaussian, UniformNoise
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal([0, 0], 1, (200, 2)), rng.uniform(-20, 20, (50, 2))])
    >>> union = Union((Gaussian(), None), (UniformNoise.of(X), 1))
    >>> mixture = Mixture(union, 2, random_state=0).fit(X)
    >>> mixture.weights_.round(1)  # the second is the noise
    array([0.8, 0.2])
    """

    #: Even without parameters it may hold a region that has a place (of noise).
    located = True

    def __init__(self, *kinds: Any) -> None:
        pairs = [kind if isinstance(kind, tuple | list) else (kind, None) for kind in kinds]
        if len(pairs) < 2 or any(len(pair) != 2 for pair in pairs):
            msg = (
                f"a union is of {kinds!r}; expected at least two kinds, each a component or (component, number of components), "
                "such as Union((Gaussian(), None), (UniformNoise.of(X), 1))."
            )
            raise InvalidParameterError(msg)
        self.kinds: tuple[Any, ...] = tuple(
            as_component(kind, f"kind {place} of the union") for place, (kind, _) in enumerate(pairs)
        )
        self.sizes = _checked_sizes([size for _, size in pairs], self.kinds)
        self._kind: Array | None = None
        if not any(hooks.is_blank(kind) for kind in self.kinds):
            self._kind = np.repeat(np.arange(len(self.kinds)), [kind.n_components for kind in self.kinds])

    def __repr__(self) -> str:
        return f"Union({', '.join(map(repr, self.kinds))})"

    def __getitem__(self, place: int) -> Any:
        """The components of one kind."""
        return self.kinds[place]

    def _with(self, kind: Array, changed: dict[str, Any]) -> Self:
        """Other components; those of kinds not named stay as they are."""
        new = copy.copy(self)
        new._kind = np.asarray(kind, dtype=np.intp)
        new.kinds = tuple(changed.get(str(place), one) for place, one in enumerate(self.kinds))
        return new

    def _present(self, kind: Array | None = None) -> Iterator[_Kind]:
        """The kinds that have components; of one without any, only its settings are kept."""
        kind = self.kind if kind is None else kind
        for place, one in enumerate(self.kinds):
            rows = np.flatnonzero(kind == place)
            if rows.size:
                yield _Kind(str(place), one, rows)

    def layout(self, n_components: int) -> Array:
        """Kind of each of K components at a start, shape (K,).

        Raises
        ------
        InvalidParameterError
            If the sizes do not add to K, or leave none for the rest.
        """
        known = sum(size for size in self.sizes if size is not None)
        sizes = [n_components - known if size is None else size for size in self.sizes]
        if min(sizes) < 1 or sum(sizes) != n_components:
            told = ", ".join(
                f"{described(kind)}: {'the rest' if size is None else size}"
                for kind, size in zip(self.kinds, self.sizes, strict=True)
            )
            least = known + (None in self.sizes)
            expected = f"at least {least}" if None in self.sizes else str(known)
            msg = f"n_components is {n_components} for a union of {told}; expected {expected}."
            raise InvalidParameterError(msg)
        return np.repeat(np.arange(len(sizes)), sizes)

    # --- what it says of itself -------------------------------------------------------------------------------
    @property
    def kind(self) -> Array:
        """Kind of each component, shape (K,)."""
        if self._kind is None:
            msg = "The components of the union have no parameters yet: fit them, or call maximize first."
            raise InvalidParameterError(msg)
        return self._kind

    @property
    def open(self) -> Array:
        """Components of which there may be more or fewer, shape (K,): those of the kind that is the rest (or all)."""
        rest = np.array([size is None for size in self.sizes])
        return rest[self.kind] if rest.any() else np.ones(self.n_components, dtype=bool)

    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._kind is None

    @property
    def n_components(self) -> int:
        """K, number of components of all kinds."""
        return len(self.kind)

    @property
    def exact(self) -> bool:
        """Whether the last M-step was exact for all kinds."""
        if self._kind is None:
            return all(kind.exact for kind in self.kinds)
        return all(kind.component.exact for kind in self._present())

    @property
    def regularized(self) -> bool:
        """Whether a kind adds to its variances."""
        return any(getattr(kind, "regularized", False) for kind in self.kinds)

    @property
    def centred(self) -> Any:
        """Whether rows are taken about the columns' means; where kinds differ they are not."""
        every = np.logical_and.reduce(np.broadcast_arrays(*(np.asarray(kind.centred) for kind in self.kinds)))
        return bool(every) if every.ndim == 0 else every

    @property
    def marginal(self) -> Any:
        """Whether all kinds leave out missing cells."""
        asked = [np.asarray(getattr(kind, "marginal", False), dtype=bool) for kind in self.kinds]
        every = np.logical_and.reduce(np.broadcast_arrays(*asked))
        return bool(every) if every.ndim == 0 else every

    @property
    def standardized(self) -> bool:
        """Whether the scales of the features mean nothing."""
        return hooks.is_standardized(self._guide())

    @property
    def name(self) -> str:
        """The kinds."""
        return "union of " + " and ".join(described(kind) for kind in self.kinds)

    @property
    def support(self) -> str:
        """What all kinds expect."""
        return all_supports(self.kinds)

    def outside(self, x: Array) -> Array | None:
        """Values that a kind cannot have."""
        return any_outside(self.kinds, x)

    def _guide(self) -> Any:
        """The first kind that says where starts are to be looked for, or the first."""
        return next((kind for kind in self.kinds if hasattr(kind, "features")), self.kinds[0])

    def features(self, x: Array) -> Array:
        """Those of the first kind that has any."""
        return np.asarray(hooks.features(self._guide(), x))

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Parameters of all kinds; not a number where a component has no such parameter."""
        found: dict[tuple[str, str, str], Array] = {}
        for kind in self._present():
            for row in hooks.table(kind.component, names, origin):
                values = found.setdefault(row[:3], np.full(self.n_components, np.nan))
                values[kind.rows] = row.values
        return [(*key, values) for key, values in found.items()]

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by`, shape (D,), farther."""
        new = copy.copy(self)
        new.kinds = tuple(hooks.moved(kind, by) for kind in self.kinds)
        return new

    def n_statistics(self, n_features: int) -> int:
        """Rows of all kinds together."""
        return sum(kind.n_statistics(n_features) for kind in self.kinds)

    def n_parameters(self) -> int:
        """Those of all kinds that have components."""
        return sum(kind.component.n_parameters() for kind in self._present())

    # --- the start --------------------------------------------------------------------------------------------
    def apart(self, z: Array, weight: Array, n_components: int) -> tuple[Array, Array] | None:
        """What kinds that find their own rows begin with.

        Parameters
        ----------
        z : ndarray, shape (n, F)
            Rows between which distances mean something.
        weight : ndarray, shape (n,)
            Weights.
        n_components : int
            K.

        Returns
        -------
        resp : ndarray, shape (n, K)
            Responsibilities of those kinds' components; rows sum to at most one.
        rest : ndarray of bool, shape (K,)
            The components that share what is left. None in the place of both: no kind finds its rows.
        """
        layout = self.layout(n_components)
        resp, rest = np.zeros((len(z), n_components)), np.ones(n_components, dtype=bool)
        for place, kind in enumerate(self.kinds):
            claims = getattr(kind, "claims", None)
            own = layout == place
            if claims is None or own.all():
                continue
            left = 1.0 - resp.sum(axis=1)
            resp[:, own] = (left * claims(z, weight) / own.sum())[:, None]
            rest[own] = False
        return None if rest.all() or not rest.any() else (resp, rest)

    # --- the pass ---------------------------------------------------------------------------------------------
    def needs_own_origin(self, encoding: Encoding) -> bool:
        """Whether a kind asks for it."""
        if self._kind is None:
            return False
        return any(needs_own_origin(kind.component, encoding) for kind in self._present())

    def encode(self, x: Array, encoding: Encoding) -> tuple[Any, ...]:
        """A block for each kind."""
        present = range(len(self.kinds)) if self._kind is None else np.unique(self._kind)
        return tuple(
            kind.encode(x, encoding) if place in present else None for place, kind in enumerate(self.kinds)
        )

    def log_prob(self, block: tuple[Any, ...]) -> Array:
        """Scores, shape (K, B)."""
        scores: Array | None = None
        for kind in self._present():
            own = kind.component.log_prob(block[int(kind.name)])
            if scores is None:
                scores = np.empty((self.n_components, own.shape[1]), dtype=own.dtype)
            scores[kind.rows] = own
        return np.asarray(scores)

    def expected_statistics(self, block: tuple[Any, ...], resp: Array) -> Statistics:
        """The count, and the sums of each kind under its number, zero for components of other kinds."""
        n_components = len(resp)
        kinds = self._present(self.layout(n_components) if self._kind is None else self._kind)
        parts = {
            kind.name: padded(
                kind.component.expected_statistics(block[int(kind.name)], resp[kind.rows]),
                kind.rows,
                n_components,
            )
            for kind in kinds
        }
        return Statistics({"count": resp.sum(axis=1, dtype=np.float64)}, parts=parts)

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """The M-step of each kind from its own components' sums.

        Raises
        ------
        DegenerateComponentError
            Naming every component of any kind without a maximum.
        """
        layout = self.layout(len(stats["count"])) if self._kind is None else self._kind
        kinds = [*self._present(layout)]
        found = maximized(
            (described(one), partial(one.maximize, stats.parts[name].take(rows)), rows)
            for name, one, rows in kinds
        )
        return self._with(layout, {kind.name: new for kind, new in zip(kinds, found, strict=True)})

    def expected_log_prob(self, stats: Statistics) -> float:
        """The kinds' added."""
        return float(
            sum(one.expected_log_prob(stats.parts[name].take(rows)) for name, one, rows in self._present())
        )

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Those of each kind."""
        found = [
            ("", one.suspects(stats.parts[name].take(rows)), rows) for name, one, rows in self._present()
        ]
        return reasons_by_component(found)

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves of a component, the second of the same kind and last."""
        size = self.n_components
        halves = stats.take([*range(size), component])
        halves["count"][[component, -1]] *= 0.5
        for name, one, rows in self._present():
            own = stats.parts[name].take(rows)
            if component in rows:
                own = one.split(own, int(np.searchsorted(rows, component)))
                rows = np.append(rows, size)  # noqa: PLW2901 - the second half's place
            halves.parts[name] = padded(own, rows, size + 1)
        return halves

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Those of the kinds, one after the other."""
        return np.concatenate([kind.component.coordinates() for kind in self._present()])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        vector = np.asarray(vector, dtype=np.float64)
        changed, start = {}, 0
        for kind in self._present():
            end = start + len(kind.component.coordinates())
            changed[kind.name] = kind.component.from_coordinates(vector[start:end])
            start = end
        return self._with(self.kind, changed)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components, in any order, each of its own kind still."""
        index = np.asarray(components, dtype=np.intp)
        kind = self.kind[index]
        # Place of every component among those of its kind.
        within = np.empty(self.n_components, dtype=np.intp)
        for one in self._present():
            within[one.rows] = np.arange(len(one.rows))
        changed = {
            one.name: self.kinds[int(one.name)].take(within[index[one.rows]]) for one in self._present(kind)
        }
        return self._with(kind, changed)

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        everything = [self, *parts]
        changed = {}
        for place in range(len(self.kinds)):
            own = [part.kinds[place] for part in everything if np.any(part.kind == place)]
            if own:
                changed[str(place)] = own[0].concatenate(own[1:])
        return self._with(np.concatenate([part.kind for part in everything]), changed)

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D)."""
        place = int(self.kind[component])
        within = int(np.count_nonzero(self.kind[:component] == place))
        return np.asarray(self.kinds[place].sample(within, n, rng))

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Self:
        """Some columns of all kinds that have components."""
        return self._changed(lambda one: hooks.restricted(one, columns))

    def conditioned(self, columns: Array, values: Array) -> Self:
        """The other columns of all kinds that have components."""
        return self._changed(lambda one: hooks.conditioned(one, columns, values))

    def _changed(self, change: Callable[[Any], Any]) -> Self:
        """Other components of each kind; kinds without any are left out."""
        places, kind = np.unique(self.kind, return_inverse=True)
        new = self._with(kind, {})
        new.kinds = tuple(change(self.kinds[place]) for place in places)
        new.sizes = tuple(self.sizes[place] for place in places)
        return new

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Those of all kinds added.

        Raises
        ------
        InvalidParameterError
            If a column that lacks cells is a number for one kind and a level or an angle for another.
        """
        found = [
            hooks.expected_cells(kind.component, x, resp[kind.rows], encoding) for kind in self._present()
        ]
        cells = list(x)
        for column in np.flatnonzero(np.isnan(x).any(axis=1)):
            own = [part[column] for part in found]
            if len({(len(part.shape), len(part), np.iscomplexobj(part)) for part in own}) > 1:
                msg = (
                    f"Column {column} is a number for one kind of the {self.name}, and a level or an angle for another; expected "
                    "one of these for all kinds, so that missing cells can be filled in."
                )
                raise InvalidParameterError(msg)
            cells[column] = np.sum(own, axis=0)
        return cells


def _checked_sizes(sizes: Sequence[Any], kinds: Sequence[Any]) -> tuple[int | None, ...]:
    """Numbers of components as asked for."""
    found: list[int | None] = []
    for kind, size in zip(kinds, sizes, strict=True):
        has = None if hooks.is_blank(kind) else int(kind.n_components)
        whole = isinstance(size, int | np.integer) and not isinstance(size, bool) and size > 0
        if size is not None and not whole:
            msg = f"the number of components of {kind!r} in a union is {size!r}; expected a whole number of at least 1, or None."
            raise InvalidParameterError(msg)
        if size is not None and has not in (None, int(size)):
            msg = (
                f"{kind!r} has parameters for {has} components; found the number {size} beside it in a union. "
                f"Expected {has} or None."
            )
            raise InvalidParameterError(msg)
        found.append(None if size is None else int(size))
    blank = [hooks.is_blank(kind) for kind in kinds]
    if any(blank) and found.count(None) > 1:
        msg = (
            f"{found.count(None)} kinds of a union have no number of components; expected at most one (it is the rest). "
            "Write (component, number) for the others."
        )
        raise InvalidParameterError(msg)
    return tuple(found)
