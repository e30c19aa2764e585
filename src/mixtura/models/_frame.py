"""From a data frame to a mixture: what each column is taken for, and its cells as numbers.

Only obvious cases are decided; every decision has a reason in words, which `Mixture.from_frame` prints, and can be
overruled by naming the column. The page is long because all decisions are on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import narwhals as nw
import numpy as np

from mixtura.components import Diagonal, Full, Gaussian, NegativeBinomial, Ordinal, Product, hooks
from mixtura.exceptions import InvalidDataError, InvalidParameterError, did_you_mean
from mixtura.families import Bernoulli, Categorical, LogNormal, Poisson, VonMises
from mixtura.models._levels import Column, Level, codes, columns_of, is_missing, learn
from mixtura.protocols import Array

__all__ = ["KINDS", "FrameColumns", "Taken", "described", "infer"]

# What a user may say of a column, in the words of the printed table.
KINDS = ("number", "positive", "count", "yes or no", "category", "ordered", "angle", "leave out")

# Names of blocks, which a column of that name may not take.
_OVERDISPERSED = "overdispersed count"
_BLOCKS = (*KINDS, _OVERDISPERSED)

# Text with more levels than this, and fewer than so many rows a level, names things and does not group them.
_MOST_LEVELS = 50
_ROWS_A_LEVEL = 5
# Whole numbers up to here are counts; above they are amounts.
_LARGEST_COUNT = 1000
# Skewness from which positive numbers are taken on a logarithmic scale, if that is less skewed.
_SKEWED = 1.0
_SAME = "it has the same value in every row"
# Columns up to which numbers have a covariance matrix of their own, and not variances only.
_JOINT = 20


@dataclass(frozen=True)
class Taken:
    """What one column is taken for.

    Parameters
    ----------
    column : str
        Its name.
    kind : str
        One of `KINDS`.
    why : str
        In words.
    levels : tuple
        Levels of a category, in order; else empty.
    """

    column: str
    kind: str
    why: str
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True)
class FrameColumns:
    """How the columns of a data frame become numbers, in the order of the mixture's columns.

    Parameters
    ----------
    taken : tuple of Taken
        The columns used.
    library : str, default "pandas"
        Data frame library in which samples are given.
    """

    taken: tuple[Taken, ...]
    library: str = "pandas"

    @property
    def names(self) -> list[str]:
        """Names of the columns used."""
        return [one.column for one in self.taken]

    def matrix(self, X: Any, owner: str) -> Array:
        """Cells as numbers, shape (N, D): levels as places, missing ones as NaN.

        Parameters
        ----------
        X : data frame, or ndarray (N, D) of such numbers
            More columns than are used may be there.
        owner : str
            Name of the estimator, for messages.

        Raises
        ------
        InvalidDataError
            If a column is missing, or a cell is of another kind.
        """
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame):
            try:
                rows = np.asarray(X, dtype=np.float64)
            except (TypeError, ValueError):
                msg = f"{owner}: the rows hold text and have no names; expected a data frame with columns {self.names}."
                raise InvalidDataError(msg) from None
            if rows.ndim != 2 or rows.shape[1] != len(self.taken):
                msg = f"{owner}: the rows have shape {rows.shape}; expected a data frame with columns {self.names}."
                raise InvalidDataError(msg)
            return rows
        lost = [name for name in self.names if name not in frame.columns]
        if lost:
            msg = f"{owner}: the data frame has no column {lost[0]!r}. {did_you_mean(lost[0], frame.columns)}"
            raise InvalidDataError(msg)
        columns = columns_of(frame.select(self.names).to_native())
        return np.column_stack(
            [_numbers(column, one, owner) for column, one in zip(columns, self.taken, strict=True)]
        )

    def named(self, feature: str) -> str:
        """Name of a parameter's feature, with levels in the place of their numbers."""
        places = {
            f"{one.column}={index}": f"{one.column}={level}"
            for one in self.taken
            for index, level in enumerate(one.levels)
        }
        return places.get(feature, feature)

    def decoded(self, rows: Array) -> dict[str, Any]:
        """Columns of cells from rows of numbers (N, D), the inverse of `matrix`."""
        columns: dict[str, Any] = {}
        for one, values in zip(self.taken, rows.T, strict=True):
            names = [None if np.isnan(v) else one.levels[int(v)] for v in values] if one.levels else values
            columns[one.column] = names
        return columns


def infer(X: Any, kinds: Mapping[str, Any]) -> tuple[Product, FrameColumns, list[Taken]]:
    """What a mixture of the rows of a data frame is made of.

    Parameters
    ----------
    X : data frame
        The rows.
    kinds : mapping of str to str or component
        What the user says of some columns: one of `KINDS`, or a component or family for that column.

    Returns
    -------
    product : Product
        Blank components.
    columns : FrameColumns
        How cells become numbers.
    table : list of Taken
        All columns, those left out as well.
    """
    _check_names(X)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        msg = f"from_frame was given a {type(X).__name__}; expected a data frame of pandas, polars or Arrow. Use Mixture(...) for arrays."
        raise InvalidDataError(msg)
    strange = [name for name in kinds if name not in frame.columns]
    if strange:
        msg = f"kinds names a column {strange[0]!r}, which is not in the data frame. {did_you_mean(str(strange[0]), frame.columns)}"
        raise InvalidParameterError(msg)
    table = [_taken(frame[name], kinds.get(name)) for name in frame.columns]
    used = tuple(one for one in table if one.kind != "leave out")
    if not used:
        listed = "; ".join(f"{one.column}: {one.why}" for one in table)
        msg = f"No column of the data frame can be used ({listed}). Say what a column is with kinds={{name: kind}}."
        raise InvalidDataError(msg)
    return _product(used, frame, kinds), FrameColumns(used, frame.implementation.value), table


def _check_names(X: Any) -> None:
    """Refuse columns that cannot be told by name."""
    names = list(getattr(X, "columns", []))
    strange = [name for name in names if not isinstance(name, str)]
    if strange:
        msg = f"The data frame has a column named {strange[0]!r}; expected text. Name the columns, for instance X.columns = [...]."
        raise InvalidDataError(msg)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        msg = f"The data frame has {names.count(twice[0])} columns named {twice[0]!r}; expected a name of its own for each."
        raise InvalidDataError(msg)


def _taken(series: nw.Series[Any], said: Any) -> Taken:
    """One column: as the user says, or by its values."""
    name = series.name
    if isinstance(said, str):
        if said not in KINDS:
            msg = f"kinds[{name!r}] is {said!r}, which is not one of the choices. {did_you_mean(said, KINDS)}"
            raise InvalidParameterError(msg)
        taken = Taken(name, said, "you said so", _levels(series) if said in ("category", "ordered") else ())
        if said != "leave out":
            _numbers(_column(series), taken, "from_frame")
        return taken
    if said is not None:
        return Taken(
            name, "given", f"you gave {said!r}", () if series.dtype.is_numeric() else _levels(series)
        )
    if series.dtype.is_temporal():
        return Taken(
            name, "leave out", "dates and times are no groups; make a number of what matters in them"
        )
    column = _column(series)
    if not isinstance(column.values, np.ndarray) and not all(map(_is_number, column.values)):
        return _text(series)
    values = _numbers(column, Taken(name, "number", ""), "from_frame")
    return _number(name, values[~np.isnan(values)])


def _text(series: nw.Series[Any]) -> Taken:
    levels = _levels(series)
    n_rows = len(series)
    if len(levels) < 2:
        return Taken(series.name, "leave out", _SAME)
    if series.dtype == nw.Boolean:
        return Taken(series.name, "category", "True and False", levels)
    if len(levels) > _MOST_LEVELS and len(levels) * _ROWS_A_LEVEL > n_rows:
        return Taken(
            series.name,
            "leave out",
            f"it has {len(levels)} different values in {n_rows} rows, like a name or a key",
        )
    return Taken(series.name, "category", f"text with {len(levels)} levels", levels)


def _number(name: str, values: Array) -> Taken:
    """A column of numbers; `values` are those that are there."""
    distinct = np.unique(values)
    if distinct.size < 2:
        return Taken(name, "leave out", _SAME if distinct.size else "it has no value")
    whole = bool((distinct == np.floor(distinct)).all())
    if distinct.size == 2 and distinct[0] == 0 and distinct[1] == 1:
        return Taken(name, "yes or no", "only 0 and 1")
    if whole and distinct.size == values.size > _MOST_LEVELS and _like_key(values):
        return Taken(name, "leave out", "every row has its own whole number, like a key")
    if whole and distinct[0] >= 0 and distinct[-1] <= _LARGEST_COUNT:
        return Taken(name, "count", f"whole numbers from {distinct[0]:g} to {distinct[-1]:g}")
    if distinct[0] > 0 and _skewness(values) > max(_SKEWED, 2.0 * abs(_skewness(np.log(values)))):
        return Taken(name, "positive", "above 0, and skewed unless on a logarithmic scale")
    return Taken(name, "number", "numbers")


def _like_key(values: Array) -> bool:
    """Whether whole numbers step by about one, as keys do."""
    return bool(np.ptp(values) < 2.0 * values.size or (np.diff(values) > 0).all())


def _skewness(values: Array) -> float:
    centred = values - values.mean()
    spread = centred.std()
    return float((centred**3).mean() / spread**3) if spread > 0 else 0.0


def _levels(series: nw.Series[Any]) -> tuple[Level, ...]:
    return tuple(learn(_column(series)))


def _is_number(cell: Any) -> bool:
    """Whether a cell among objects is a number or missing; True and False are levels."""
    return is_missing(cell) or (isinstance(cell, Number) and not isinstance(cell, bool | np.bool_))


def _column(series: nw.Series[Any]) -> Column:
    return columns_of(series.to_frame().to_native())[0]


def _numbers(column: Column, taken: Taken, owner: str) -> Array:
    """The cells of a column as numbers (N,)."""
    if taken.levels:
        return codes(column, taken.levels, owner)
    if isinstance(column.values, np.ndarray):
        return column.values
    numbers = np.empty(len(column.values))
    for row, cell in enumerate(column.values):
        try:
            numbers[row] = np.nan if is_missing(cell) else float(cell)
        except (TypeError, ValueError):
            msg = (
                f"{owner}: row {row}, column {column.name!r} is {cell!r}; expected a number ({taken.kind}). Correct the value, or "
                "take the column for a 'category' where its values are names."
            )
            raise InvalidDataError(msg) from None
    return numbers


def _product(used: Sequence[Taken], frame: nw.DataFrame[Any], kinds: Mapping[str, Any]) -> Product:
    """Blocks by kind; numbers share one, which knows their covariances."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(used):
        places.setdefault((one.kind, one.column if one.kind == "given" else ""), []).append(place)
    blocks: dict[str, tuple[Any, list[int]]] = {}
    for (kind, given), columns in places.items():
        members = [used[place] for place in columns]
        if given:
            blocks[f"column {given}" if given in _BLOCKS else given] = (kinds[given], columns)
            continue
        if kind == "count":
            _split_counts(blocks, members, columns, frame)
            continue
        blocks[kind] = (_component(kind, members), columns)
    return Product(blocks)


def _split_counts(
    blocks: dict[str, tuple[Any, list[int]]],
    members: Sequence[Taken],
    columns: Sequence[int],
    frame: nw.DataFrame[Any],
) -> None:
    """Counts that vary more than a geometric distribution in one block, the others in another.

    The components together may explain a variance above the mean; above mean + mean^2 each is taken to vary more, too.
    """
    for place, one in zip(columns, members, strict=True):
        values = _numbers(_column(frame[one.column]), one, "from_frame")
        mean = np.nanmean(values)
        wide = np.nanvar(values) > mean + mean**2
        name, component = (_OVERDISPERSED, NegativeBinomial()) if wide else ("count", Poisson())
        blocks.setdefault(name, (component, []))[1].append(place)


def _component(kind: str, members: Sequence[Taken]) -> Any:
    """The component of a kind."""
    size = len(members)
    makers: dict[str, Any] = {
        "number": lambda: Gaussian(model=Full() if size <= _JOINT else Diagonal()),
        "positive": LogNormal,
        "yes or no": Bernoulli,
        "category": lambda: Categorical([len(one.levels) for one in members]),
        "ordered": lambda: Ordinal([len(one.levels) for one in members]),
        "angle": VonMises,
    }
    return makers[kind]()


def described(table: Sequence[Taken], product: Product, columns: FrameColumns) -> str:
    """The table of decisions as aligned lines."""
    place = {name: index for index, name in enumerate(columns.names)}
    rows = []
    for one in table:
        _, component = hooks.part(product, place[one.column]) if one.column in place else ("", None)
        named = "" if component is None else str(getattr(component, "name", type(component).__name__))
        rows.append((one.column, one.kind, named, one.why))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = (
        f"{column:<{widths[0]}} -> {kind:<{widths[1]}}  {named:<{widths[2]}}    {why}"
        for column, kind, named, why in rows
    )
    return "\n".join(line.rstrip() for line in lines)
