"""Constraints on the parameters of components: some known beforehand, some in common.

Both hold components of any kind and change the M-step only; scores and sums are those of the components inside. Bounds on
variances belong to the covariance models, equal weights to :class:`mixtura.structures.EqualWeights`. The file is long
because both hand on the whole contract of a component.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.components import hooks
from mixtura.components.combining import as_component, described, maximized, needs_own_origin
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["Fixed", "Shared"]


class _Constrained(ABC):
    """What is handed on to the components inside: all of them, with parameters, or a blank one."""

    _exact: bool = True

    @property
    @abstractmethod
    def inside(self) -> Any:
        """K components, or a blank one."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inside!r})"

    @property
    def centred(self) -> Any:
        """As the components inside."""
        return self.inside.centred

    @property
    def marginal(self) -> Any:
        """As the components inside."""
        return getattr(self.inside, "marginal", False)

    @property
    def standardized(self) -> bool:
        """As the components inside."""
        return hooks.is_standardized(self.inside)

    @property
    def name(self) -> str:
        """That of the components inside."""
        return described(self.inside)

    @property
    def support(self) -> str:
        """That of the components inside."""
        return str(getattr(self.inside, "support", "finite numbers"))

    @property
    def regularized(self) -> bool:
        """Whether the components inside add to their variances."""
        return bool(getattr(self.inside, "regularized", False))

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return int(self.inside.n_components)

    @property
    def exact(self) -> bool:
        """Whether the last M-step was exact."""
        return self._exact

    def outside(self, x: Any) -> Array | None:
        """Values that the components inside cannot have."""
        return hooks.outside(self.inside, x)

    def features(self, x: Any) -> Any:
        """Those of the components inside."""
        return hooks.features(self.inside, x)

    def table(self, names: Sequence[str], origin: Array | None) -> list[hooks.Parameter]:
        """That of the components inside."""
        return hooks.table(self.inside, names, origin)

    def needs_own_origin(self, encoding: Encoding) -> bool:
        """As the components inside."""
        return needs_own_origin(self.inside, encoding)

    def n_statistics(self, n_features: int) -> int:
        """As the components inside."""
        return int(self.inside.n_statistics(n_features))

    def encode(self, x: Any, encoding: Encoding) -> Any:
        """The block of the components inside."""
        return self.inside.encode(x, encoding)

    def log_prob(self, block: Any) -> Array:
        """Scores, shape (K, B)."""
        return np.asarray(self.inside.log_prob(block))

    def expected_statistics(self, block: Any, resp: Array) -> Statistics:
        """Sums of the components inside."""
        stats: Statistics = self.inside.expected_statistics(block, resp)
        return stats

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of sums and parameters."""
        return float(self.inside.expected_log_prob(stats))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Those of the components inside."""
        found: dict[int, str] = self.inside.suspects(stats)
        return found

    def split(self, stats: Statistics, component: int) -> Statistics:
        """As the components inside."""
        halves: Statistics = self.inside.split(stats, component)
        return halves

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component."""
        return np.asarray(self.inside.sample(component, n, rng))

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Any:
        """Some columns of the components inside, without the constraint."""
        return hooks.restricted(self.inside, columns)

    def conditioned(self, columns: Array, values: Array) -> Any:
        """The other columns of the components inside, without the constraint."""
        return hooks.conditioned(self.inside, columns, values)

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """As the components inside."""
        return hooks.expected_cells(self.inside, x, resp, encoding)


class Fixed(_Constrained):
    """Components of which the first ones are known and stay as they are; the others are learnt.

    Parameters
    ----------
    component : Component or ExponentialFamily
        What all components are, without parameters.
    known : Component
        The known ones, with parameters in the units of the data: components 0, 1, ... of the mixture. At least one more is
        learnt.

    Notes
    -----
    The parts that a start finds have no names; each known component takes the part whose rows it explains best.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> from mixtura.families import FamilyComponents, Poisson
    >>> rng = np.random.default_rng(0)
    >>> calls = np.concatenate([rng.poisson(2.0, 300), rng.poisson(9.0, 300)])
    >>> background = FamilyComponents(Poisson()).from_mean(np.array([[2.0]]))
    >>> mixture = Mixture(Fixed(Poisson(), background), 2, random_state=0).fit(calls)
    >>> mixture.components_.inside.mean.round(1).ravel().tolist(), mixture.n_parameters()
    ([2.0, 8.6], 2)
    """

    def __init__(self, component: Any, known: Any) -> None:
        self._component = as_component(component, "component of Fixed")
        self._known = as_component(known, "known of Fixed")
        self._all: Any = None
        self._place = np.arange(0)
        if hooks.is_blank(self._known) or not hooks.is_blank(self._component):
            msg = (
                f"Fixed was given {component!r} and {known!r}; expected a component without parameters, and then the known "
                "ones with their parameters."
            )
            raise InvalidParameterError(msg)
        if (type(self._known), described(self._known)) != (type(self._component), described(self._component)):
            msg = f"Fixed was given {component!r} and known {known!r}; expected both to be of one kind."
            raise InvalidParameterError(msg)
        if getattr(getattr(self._component, "model", None), "pooled", False):
            msg = (
                f"{component!r} has one covariance for all components, which cannot be known for some and learnt for others. "
                "Choose a covariance structure of each component's own."
            )
            raise InvalidParameterError(msg)

    @property
    def inside(self) -> Any:
        """All components, or a blank one before the first M-step."""
        return self._component if self._all is None else self._all

    @property
    def blank(self) -> bool:
        """Whether the components to learn have no parameters yet."""
        return self._all is None

    @property
    def located(self) -> bool:
        """The known ones have locations even where the others are blank."""
        return True

    @property
    def is_known(self) -> Array:
        """Which components are known, shape (K,)."""
        return self._place >= 0

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by` farther."""
        new = copy.copy(self)
        new._known = hooks.moved(self._known, by)
        new._all = None if self._all is None else hooks.moved(self._all, by)
        return new

    def n_parameters(self) -> int:
        """Free parameters of the components that are learnt."""
        free = np.flatnonzero(~self.is_known)
        return int(self._all.take(free).n_parameters()) if free.size else 0

    def maximize(self, stats: Statistics) -> Self:
        """The M-step of the components that are learnt; no rows are needed for the known ones."""
        if self._all is None:
            stats, place = self._matched(stats)
            learnt = self._component
        else:
            place = self._place
            learnt = self._all.take(np.flatnonzero(place < 0))
        free = np.flatnonzero(place < 0)
        if not free.size:
            return self._with(self._known.take(place), place)
        (new,) = maximized([("", lambda: learnt.maximize(stats.take(free)), free)])
        known = np.flatnonzero(place >= 0)
        order = np.argsort(np.concatenate([free, known]))
        joined = new.concatenate([self._known.take(place[known])]) if known.size else new
        merged = self._with(joined.take(order), place)
        merged._exact = bool(new.exact)
        return merged

    def _matched(self, stats: Statistics) -> tuple[Statistics, Array]:
        """Sums of a start, each known component first before the part that it explains best."""
        size, n_known = len(_counts(stats)), self._known.n_components
        if size <= n_known:
            msg = (
                f"The mixture has {size} components, of which {n_known} are known; expected at least one to learn. Ask for more "
                "components, or score rows with the known ones."
            )
            raise InvalidParameterError(msg)
        loss = np.zeros((n_known, size))
        for part in range(size):
            one = stats.take([part])
            own = self._component.maximize(one)
            best, count = own.expected_log_prob(one), _counts(one)[0]
            for k in range(n_known):
                loss[k, part] = (best - self._known.take([k]).expected_log_prob(one)) / count
        loss = np.nan_to_num(loss, nan=np.finfo(float).max / size, posinf=np.finfo(float).max / size)
        _, parts = linear_sum_assignment(loss)
        rest = np.setdiff1d(np.arange(size), parts)
        place = np.concatenate([np.arange(n_known), np.full(rest.size, -1)])
        return stats.take(np.concatenate([parts, rest])), place

    def _with(self, components: Any, place: Array) -> Self:
        new = copy.copy(self)
        new._all, new._place = components, place
        return new

    def coordinates(self) -> Array:
        """Those of the components that are learnt."""
        free = np.flatnonzero(~self.is_known)
        return np.asarray(self._all.take(free).coordinates()) if free.size else np.zeros(0)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        free, known = np.flatnonzero(~self.is_known), np.flatnonzero(self.is_known)
        if not free.size:
            return self
        new = self._all.take(free).from_coordinates(vector)
        order = np.argsort(np.concatenate([free, known]))
        joined = new.concatenate([self._all.take(known)]) if known.size else new
        return self._with(joined.take(order), self._place)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components; the copy of a known one is free."""
        index = np.asarray(components, dtype=np.intp)
        place = self._place[index].copy()
        _, first = np.unique(index, return_index=True)
        copies = np.setdiff1d(np.arange(index.size), first)
        place[copies] = -1
        return self._with(self._all.take(index), place)

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`, known ones staying known."""
        place = np.concatenate([self._place, *(part._place for part in parts)])
        return self._with(self._all.concatenate([part._all for part in parts]), place)


class Shared(_Constrained):
    """Components of which some have all parameters in common.

    In a :class:`Product` this says that columns do not tell (some) components apart.

    Parameters
    ----------
    component : Component or ExponentialFamily
        What the components are, without parameters.
    groups : sequence of int, optional
        Group of each component, numbered from 0: components of one group have the same parameters. None: all do.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> from mixtura.components import Product
    >>> from mixtura.families import Poisson
    >>> rng = np.random.default_rng(0)
    >>> X = np.column_stack([np.append(rng.poisson(1, 300), rng.poisson(9, 300)), rng.poisson(4, 600)])
    >>> blocks = {"tells": (Poisson(), [0]), "does not tell": (Shared(Poisson()), [1])}
    >>> Mixture(Product(blocks), 2, random_state=0).fit(X).n_parameters()
    4
    """

    def __init__(self, component: Any, groups: Sequence[int] | None = None) -> None:
        self._component = as_component(component, "component of Shared")
        if not hooks.is_blank(self._component):
            msg = f"Shared was given {component!r}; expected a component without parameters."
            raise InvalidParameterError(msg)
        self._wanted = None if groups is None else np.asarray(groups, dtype=np.intp)
        if self._wanted is not None and (
            self._wanted.ndim != 1
            or not np.array_equal(np.unique(self._wanted), np.arange(self._wanted.max() + 1))
        ):
            msg = f"groups is {groups!r}; expected the number of a group for each component, all of 0, 1, ... in use."
            raise InvalidParameterError(msg)
        self._distinct: Any = None
        self._groups = np.arange(0)
        self._expanded: Any = None

    @property
    def inside(self) -> Any:
        """All K components, those of a group alike, or a blank one before the first M-step."""
        return self._component if self._expanded is None else self._expanded

    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._distinct is None

    @property
    def groups(self) -> Array:
        """Group of each component, shape (K,)."""
        return self._groups

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by` farther."""
        return self._with(hooks.moved(self._distinct, by), self._groups)

    def n_parameters(self) -> int:
        """Free parameters of the groups."""
        return int(self._distinct.n_parameters())

    def maximize(self, stats: Statistics) -> Self:
        """The M-step from the sums of the groups."""
        groups = self._groups
        if self._distinct is None:
            size = len(_counts(stats))
            groups = np.zeros(size, dtype=np.intp) if self._wanted is None else self._wanted
            if groups.size != size:
                msg = f"groups of Shared names {groups.size} components, but the mixture has {size}; expected one group for each."
                raise InvalidParameterError(msg)
        pooled = _summed(stats, groups)
        start = self._component if self._distinct is None else self._distinct
        first = np.array([int(np.argmax(groups == g)) for g in range(groups.max() + 1)])
        (new,) = maximized([("shared", lambda: start.maximize(pooled), first)])
        shared = self._with(new, groups)
        shared._exact = bool(new.exact)
        return shared

    def _with(self, distinct: Any, groups: Array) -> Self:
        new = copy.copy(self)
        new._distinct, new._groups = distinct, groups
        new._expanded = distinct.take(groups)
        return new

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of sums and parameters."""
        return float(self._distinct.expected_log_prob(_summed(stats, self._groups)))

    def coordinates(self) -> Array:
        """Those of the groups."""
        return np.asarray(self._distinct.coordinates())

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        return self._with(self._distinct.from_coordinates(vector), self._groups)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components, each in its group; groups that are left without one go."""
        kept, groups = np.unique(self._groups[np.asarray(components, dtype=np.intp)], return_inverse=True)
        return self._with(self._distinct.take(kept), groups)

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`, each part with groups of its own."""
        everything = [self, *parts]
        sizes = [part._distinct.n_components for part in everything]
        starts = np.cumsum([0, *sizes[:-1]])
        groups = np.concatenate(
            [part._groups + start for part, start in zip(everything, starts, strict=True)]
        )
        return self._with(self._distinct.concatenate([part._distinct for part in parts]), groups)


def _counts(stats: Statistics) -> Array:
    """Expected rows of each component, shape (K,), wherever they are among the parts."""
    if "count" in stats:
        return stats["count"]
    return _counts(next(iter(stats.parts.values())))


def _summed(stats: Statistics, groups: Array) -> Statistics:
    """Sums of groups of components, about the origin of the first of each."""
    size = int(groups.max()) + 1

    def added(value: Array) -> Array:
        total = np.zeros((size, *value.shape[1:]))
        np.add.at(total, groups, value)
        return total

    origin = stats.origin
    if origin is not None and origin.ndim == 2:
        first = np.array([int(np.argmax(groups == g)) for g in range(size)])
        stats = stats.about(origin[first][groups])
        origin = origin[first]
    return Statistics(
        {name: value if name in stats.shared else added(value) for name, value in stats.sums.items()},
        log_evidence=stats.log_evidence,
        weight=stats.weight,
        parts={name: _summed(part, groups) for name, part in stats.parts.items()},
        shared=stats.shared,
        origin=origin,
        stamp=stats.stamp,
    )
