r"""Columns of different kinds: named blocks that are independent given the component.

.. math:: \log p(x\mid k) = \sum_b \log p_b(x_{C_b}\mid k)

for disjoint sets of columns :math:`C_b` that together are all columns. Scores add, sums lie side by side, the M-step
is that of each block, because no parameter is shared between blocks (local independence, [1]_).

The file is long because the whole contract of a component is here, with all that it may say beside it.

References
----------
.. [1] L. Hunt and M. Jorgensen (1999), "Mixture model clustering using the MULTIMIX program", Australian and New Zealand
   Journal of Statistics 41(2), 154-171.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np

from mixtura.components import hooks
from mixtura.components.combining import (
    as_component,
    described,
    maximized,
    needs_own_origin,
    reasons_by_component,
)
from mixtura.components.conditioning import others
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["Product"]


class _Part(NamedTuple):
    """One block: its name, its component, and its columns as an index (a slice where they are neighbours)."""

    name: str
    component: Any
    columns: Array
    index: Any


class Product:
    """Named blocks of columns, each with a component of its own, independent given the component.

    Parameters
    ----------
    blocks : mapping of str to (Component or ExponentialFamily, sequence of int)
        For each block what it is and which columns it has, in the order that its component takes them. Every column of
        the data belongs to exactly one block. All blocks have parameters for as many components, or none has any.

    Notes
    -----
    ``centred`` differs by column where blocks differ. Missing cells are left out in the blocks whose component can do
    that (``marginal``, by column); in others they are refused, by block and column.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> from mixtura.components import Gaussian
    >>> from mixtura.families import Categorical, Poisson
    >>> rng = np.random.default_rng(0)
    >>> second = rng.random(600) < 0.4
    >>> X = np.column_stack(
    ...     [
    ...         rng.normal(np.where(second, 4.0, 0.0)),
    ...         rng.poisson(np.where(second, 2.0, 9.0)),
    ...         np.where(rng.random(600) < np.where(second, 0.9, 0.2), 1, 0),
    ...     ]
    ... )
    >>> blocks = {"amount": (Gaussian(), [0]), "visits": (Poisson(), [1]), "region": (Categorical([2]), [2])}
    >>> mixture = Mixture(Product(blocks), 2, random_state=0).fit(X)
    >>> mixture.n_parameters()  # a weight; for each component a mean, a variance, a rate and a probability
    9
    >>> np.sort(mixture.components_["visits"].mean.ravel()).round(1)
    array([2. , 8.9])
    """

    #: Even without parameters it may hold a region that has a place (of noise).
    located = True

    def __init__(self, blocks: Mapping[str, tuple[Any, Sequence[int]]]) -> None:
        if not isinstance(blocks, Mapping) or not blocks:
            msg = (
                f"blocks is {blocks!r}; expected a mapping of names to (component, columns), such as "
                "{'amounts': (Gaussian(), [0, 1]), 'visits': (Poisson(), [2])}."
            )
            raise InvalidParameterError(msg)
        self.blocks: dict[str, Any] = {}
        self.columns: dict[str, tuple[int, ...]] = {}
        for name, pair in blocks.items():
            component, columns = _checked_pair(name, pair)
            self.blocks[str(name)] = as_component(component, f"block {name!r} of the product")
            self.columns[str(name)] = columns
        self.n_features = _checked_columns(self.columns)
        _check_sizes(self.blocks)

    def __repr__(self) -> str:
        inside = ", ".join(f"{part.name}={part.component!r}" for part in self._parts())
        return f"Product({inside})"

    def __getitem__(self, name: str) -> Any:
        """The component of one block."""
        return self.blocks[name]

    def _parts(self) -> Iterator[_Part]:
        for name, component in self.blocks.items():
            columns = np.asarray(self.columns[name], dtype=np.intp)
            neighbours = (np.diff(columns) == 1).all()
            index: Any = slice(int(columns[0]), int(columns[-1]) + 1) if neighbours else columns
            yield _Part(name, component, columns, index)

    def _with(self, components: Sequence[Any]) -> Self:
        """The same columns with other components, in the order of the blocks."""
        new = copy.copy(self)
        new.blocks = dict(zip(self.blocks, components, strict=True))
        return new

    def _each(self, change: Callable[[_Part], Any]) -> Self:
        """Every block's component changed."""
        return self._with([change(part) for part in self._parts()])

    def _places(self) -> range:
        """Every block has all components, in one order."""
        return range(self.n_components)

    # --- what it says of itself -------------------------------------------------------------------------------
    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return any(hooks.is_blank(one) for one in self.blocks.values())

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return int(next(iter(self.blocks.values())).n_components)

    @property
    def exact(self) -> bool:
        """Whether the last M-step was exact in all blocks."""
        return all(one.exact for one in self.blocks.values())

    @property
    def regularized(self) -> bool:
        """Whether a block adds to its variances."""
        return any(getattr(one, "regularized", False) for one in self.blocks.values())

    @property
    def centred(self) -> Any:
        """Whether rows are taken about the columns' means: one answer, or one for each column, shape (D,)."""
        return self._by_column(hooks.centred_columns)

    @property
    def marginal(self) -> Any:
        """Whether missing cells are left out: one answer, or one for each column, shape (D,)."""
        return self._by_column(hooks.marginal_columns)

    def _by_column(self, answer: Callable[[Any, int], Array]) -> Any:
        found = np.zeros(self.n_features, dtype=bool)
        for part in self._parts():
            found[part.columns] = answer(part.component, len(part.columns))
        return bool(found[0]) if found.all() or not found.any() else found

    @property
    def name(self) -> str:
        """The blocks and what they are."""
        return "product of " + ", ".join(f"{name} ({described(one)})" for name, one in self.blocks.items())

    @property
    def support(self) -> str:
        """What each block expects."""
        return "; ".join(
            f"{name}: {getattr(one, 'support', 'finite numbers')}" for name, one in self.blocks.items()
        )

    def part(self, column: int) -> tuple[str, Any, int]:
        """What a column belongs to: the block in words, its component, and the column's number there."""
        for part in self._parts():
            inside = np.flatnonzero(part.columns == column)
            if inside.size:
                return f"block '{part.name}'", part.component, int(inside[0])
        msg = f"column {column} is in no block; expected a number below {self.n_features}."
        raise InvalidParameterError(msg)

    def outside(self, x: Array) -> Array | None:
        """Values that their block cannot have, shape (D, B)."""
        self._check_width(len(x))
        masks = [(part, hooks.outside(part.component, x[part.index])) for part in self._parts()]
        if all(mask is None for _, mask in masks):
            return None
        bad = np.zeros(x.shape, dtype=bool)
        for part, mask in masks:
            if mask is not None:
                bad[part.columns] = mask
        return bad

    def features(self, x: Array) -> Array:
        """Those of all blocks, one under the other, shape (F, B)."""
        rows = [np.asarray(hooks.features(part.component, x[part.index])) for part in self._parts()]
        return np.concatenate(rows, dtype=np.float64)

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Parameters of all blocks under the names of their columns."""
        found: list[tuple[str, str, str, Array]] = []
        for part in self._parts():
            own = None if origin is None else origin[part.columns]
            found.extend(hooks.table(part.component, [names[c] for c in part.columns], own))
        return found

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by`, shape (D,), farther."""
        return self._each(lambda part: hooks.moved(part.component, by[part.columns]))

    def n_statistics(self, n_features: int) -> int:
        """Rows of all blocks together."""
        return sum(part.component.n_statistics(len(part.columns)) for part in self._parts())

    def n_parameters(self) -> int:
        """Those of all blocks."""
        return sum(one.n_parameters() for one in self.blocks.values())

    # --- with priors ------------------------------------------------------------------------------------------
    def variational(self, prior: Any, overall: Statistics, origin: Array | None) -> Self:
        """Every block with posterior laws; `prior` maps names of blocks to priors (others have default ones)."""
        return self._bayesian(hooks.variational, prior, overall, origin)

    def penalized(self, prior: Any, overall: Statistics, origin: Array | None) -> Self:
        """Every block at the mode of its posterior; parameters as of `variational`."""
        return self._bayesian(hooks.penalized, prior, overall, origin)

    def _bayesian(
        self, make: Callable[..., Any], prior: Any, overall: Statistics, origin: Array | None
    ) -> Self:
        given = {} if prior is None else prior
        if not isinstance(given, Mapping) or set(given) - set(self.blocks):
            wrong = sorted(set(given) - set(self.blocks)) if isinstance(given, Mapping) else given
            msg = f"The prior of the product is {wrong!r}; expected a mapping whose keys are among its blocks {list(self.blocks)}."
            raise InvalidParameterError(msg)

        def change(part: _Part) -> Any:
            own = None if origin is None else origin[part.columns]
            return _told(
                part, partial(make, part.component, given.get(part.name), overall.parts[part.name], own)
            )

        return self._each(change)

    def learning(self) -> Self:
        """Every block with a prior that is learnt."""
        return self._each(lambda part: part.component.learning())

    def penalty(self) -> float:
        """The blocks' added."""
        return sum(hooks.penalty(one) for one in self.blocks.values())

    def divergences(self) -> Array:
        """The blocks' added, shape (K,)."""
        return np.asarray(sum(one.divergences() for one in self.blocks.values()))

    @property
    def point(self) -> Self:
        """Every block without uncertainty."""
        return self._each(lambda part: hooks.point(part.component))

    @property
    def predictive(self) -> Self:
        """Every block as the law of a new row: parameters of blocks are independent in the posterior."""
        return self._each(lambda part: hooks.predictive(part.component))

    def draw(self, rng: np.random.Generator) -> Self:
        """Every block drawn from its posterior."""
        return self._each(lambda part: part.component.draw(rng))

    def prior_draw(self, n_components: int, rng: np.random.Generator) -> Self:
        """Every block drawn from its prior."""
        return self._each(lambda part: part.component.prior_draw(n_components, rng))

    # --- the pass ---------------------------------------------------------------------------------------------
    def needs_own_origin(self, encoding: Encoding) -> bool:
        """Whether a block asks for it."""
        return any(needs_own_origin(part.component, encoding.take(part.columns)) for part in self._parts())

    def encode(self, x: Array, encoding: Encoding) -> dict[str, Any]:
        """A block for each name.

        Raises
        ------
        InvalidDataError
            If there are more or fewer columns than the blocks have, or cells are missing where a block needs them.
        """
        self._check_width(len(x))
        encoded = {}
        for part in self._parts():
            own = x[part.index]
            if encoding.missing:
                _check_gaps(part, own)
            encoded[part.name] = part.component.encode(own, encoding.take(part.columns))
        return encoded

    def log_prob(self, block: Mapping[str, Any]) -> Array:
        """Scores, shape (K, B): the blocks' added."""
        scores = [one.log_prob(block[name]) for name, one in self.blocks.items()]
        if len(scores) == 1:
            return np.asarray(scores[0])
        total = scores[0] + scores[1]
        for more in scores[2:]:
            total += more
        return np.asarray(total)

    def expected_statistics(self, block: Mapping[str, Any], resp: Array) -> Statistics:
        """The count, and the sums of each block under its name."""
        return Statistics(
            {"count": resp.sum(axis=1, dtype=np.float64)},
            parts={name: one.expected_statistics(block[name], resp) for name, one in self.blocks.items()},
        )

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """The M-step of each block.

        Raises
        ------
        DegenerateComponentError
            Naming every component without a maximum in some block, with the block.
        """
        places = range(len(stats["count"]))
        steps = [
            (f"block '{name}'", partial(one.maximize, stats.parts[name]), places)
            for name, one in self.blocks.items()
        ]
        return self._with(maximized(steps))

    def expected_log_prob(self, stats: Statistics) -> float:
        """The blocks' added."""
        return float(sum(one.expected_log_prob(stats.parts[name]) for name, one in self.blocks.items()))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Those of each block, with the block."""
        return reasons_by_component(
            (f"block '{name}'", one.suspects(stats.parts[name]), self._places())
            for name, one in self.blocks.items()
        )

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves of a component, apart in every block as that block's component would have it."""
        halves = stats.take([*range(len(stats["count"])), component])
        halves["count"][[component, -1]] *= 0.5
        halves.parts = {name: one.split(stats.parts[name], component) for name, one in self.blocks.items()}
        return halves

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Those of the blocks, one after the other."""
        return np.concatenate([one.coordinates() for one in self.blocks.values()])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        vector = np.asarray(vector, dtype=np.float64)
        sizes = [len(one.coordinates()) for one in self.blocks.values()]
        pieces = np.split(vector, np.cumsum(sizes)[:-1])
        return self._with(
            [one.from_coordinates(piece) for one, piece in zip(self.blocks.values(), pieces, strict=True)]
        )

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        return self._with([one.take(components) for one in self.blocks.values()])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        return self._with(
            [one.concatenate([part.blocks[name] for part in parts]) for name, one in self.blocks.items()]
        )

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D): each block's columns drawn by itself."""
        rows = np.empty((n, self.n_features))
        for part in self._parts():
            rows[:, part.columns] = part.component.sample(component, n, rng)
        return rows

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Product:
        """The blocks that have some of the columns, each restricted to its own."""
        blocks: dict[str, tuple[Any, list[int]]] = {}
        for part, inside, places in self._among(columns):
            if inside.size == len(part.columns):
                blocks[part.name] = (part.component, places)
            elif inside.size:
                blocks[part.name] = (_told(part, partial(hooks.restricted, part.component, inside)), places)
        return Product(blocks)

    def conditioned(self, columns: Array, values: Array) -> Product:
        """The blocks that have some of the other columns, each conditioned on its own."""
        rest = others(self.n_features, columns)
        blocks: dict[str, tuple[Any, list[int]]] = {}
        for part, inside, places in self._among(columns):
            left = np.searchsorted(rest, part.columns[others(len(part.columns), inside)]).tolist()
            if not inside.size:
                blocks[part.name] = (part.component, left)
            elif left:
                change = partial(hooks.conditioned, part.component, inside, values[places])
                blocks[part.name] = (_told(part, change), left)
        return Product(blocks)

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Those of the blocks that lack cells."""
        cells = list(x)
        for part in self._parts():
            own = x[part.index]
            if np.isnan(own).any():
                take = encoding.take(part.columns)
                found = _told(part, partial(hooks.expected_cells, part.component, own, resp, take))
                for column, cell in zip(part.columns, found, strict=True):
                    cells[column] = cell
        return cells

    def _among(self, columns: Array) -> Iterator[tuple[_Part, Array, list[int]]]:
        """Every block, which of its columns are among the given ones, and their places there."""
        place = {int(column): index for index, column in enumerate(columns)}
        for part in self._parts():
            inside = np.flatnonzero(np.isin(part.columns, columns))
            yield part, inside, [place[int(column)] for column in part.columns[inside]]

    def _check_width(self, found: int) -> None:
        if found != self.n_features:
            msg = (
                f"The rows have {found} columns; expected {self.n_features}, those of the product's blocks "
                f"{self.columns}. Give every column to exactly one block."
            )
            raise InvalidDataError(msg)


def _told(part: _Part, make: Callable[[], Any]) -> Any:
    """What a block's component makes; if it refuses, with the block's name."""
    try:
        return make()
    except InvalidParameterError as error:
        msg = f"Block '{part.name}': {error}"
        raise InvalidParameterError(msg) from None


def _check_gaps(part: _Part, x: Array) -> None:
    """Refuse missing cells where the block's component cannot leave them out."""
    can = hooks.marginal_columns(part.component, len(x))
    gaps = np.isnan(x[~can])
    if gaps.any():
        column = int(part.columns[~can][np.flatnonzero(gaps.any(axis=1))[0]])
        msg = (
            f"Block '{part.name}' ({described(part.component)}), column {column}, has missing cells (NaN), but its density has "
            "no closed marginal, so single cells of a row cannot be left out. Leave such rows out, or fill them in."
        )
        raise InvalidDataError(msg)


def _checked_pair(name: Any, pair: Any) -> tuple[Any, tuple[int, ...]]:
    """Component and columns of one block."""
    if not isinstance(name, str) or not isinstance(pair, tuple | list) or len(pair) != 2:
        msg = f"block {name!r} is {pair!r}; expected a name in letters and (component, columns), such as (Gaussian(), [0, 1])."
        raise InvalidParameterError(msg)
    component, columns = pair
    numbers = [columns] if isinstance(columns, int | np.integer) else columns
    try:
        given = [*numbers]
    except TypeError:
        given = [numbers]
    whole = [isinstance(c, int | np.integer) and not isinstance(c, bool) and c >= 0 for c in given]
    if not given or not all(whole):
        bad = given[whole.index(False)] if given else columns
        msg = (
            f"block '{name}' has columns {columns!r}, among them {bad!r}; expected numbers of columns of at least 0, such as [0, 1]. "
            "Columns of a data frame are counted from 0."
        )
        raise InvalidParameterError(msg)
    return component, tuple(int(c) for c in given)


def _checked_columns(columns: Mapping[str, tuple[int, ...]]) -> int:
    """D; every column from 0 to D - 1 belongs to exactly one block."""
    owner: dict[int, str] = {}
    for name, own in columns.items():
        for column in own:
            if column in owner:
                msg = (
                    f"column {column} is in block '{owner[column]}' and again in block '{name}'; expected every column in exactly "
                    "one block. Leave it out of one of them."
                )
                raise InvalidParameterError(msg)
            owner[column] = name
    lost = sorted(set(range(max(owner) + 1)) - owner.keys())
    if lost:
        msg = (
            f"column(s) {', '.join(map(str, lost))} of 0 to {max(owner)} are in no block; expected every column in exactly one "
            "block. Add them to a block, or leave them out of the data."
        )
        raise InvalidParameterError(msg)
    return len(owner)


def _check_sizes(blocks: Mapping[str, Any]) -> None:
    """All blocks blank, or all with parameters of as many components."""
    sizes = {name: 0 if hooks.is_blank(one) else int(one.n_components) for name, one in blocks.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"'{name}': {size or 'no parameters'}" for name, size in sizes.items())
        msg = f"The blocks have different numbers of components ({told}); expected one number for all, or no parameters at all."
        raise InvalidParameterError(msg)
