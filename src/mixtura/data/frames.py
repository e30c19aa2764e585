"""Data frames at the border: labelled tables out, in the user's own library, through narwhals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from mixtura.exceptions import InvalidParameterError, MissingExtraError, optional_import
from mixtura.protocols import Array

__all__ = ["frame_like", "make_frame"]


def frame_like(columns: Mapping[str, Array | Sequence[Any]], like: Any = None) -> Any:
    """A data frame with the given columns, of the library (and pandas index) of another.

    Parameters
    ----------
    columns : mapping of str to array
        Columns of equal length.
    like : data frame or anything else, optional
        A pandas, polars or Arrow frame gives the library; anything else takes the first that is installed.

    Returns
    -------
    data frame
        Native to its library.

    Examples
    --------
    >>> import pandas as pd
    >>> frame_like({"a": [1]}, pd.DataFrame({"x": [0]}, index=["row"])).index.tolist()
    ['row']
    """
    native = nw.from_native(like, pass_through=True, eager_only=True)
    if not isinstance(native, nw.DataFrame):
        return make_frame(columns)
    result = nw.from_dict(dict(columns), backend=native.implementation).to_native()
    if native.implementation.is_pandas():
        result.index = like.index
    return result


def make_frame(columns: Mapping[str, Array | Sequence[Any]], library: str | None = None) -> Any:
    """A data frame of a library by name, or of the first that is installed.

    Parameters
    ----------
    columns : mapping of str to array
        Columns of equal length.
    library : {"pandas", "polars", "pyarrow"}, optional
        None takes pandas, or polars where pandas is missing.

    Returns
    -------
    data frame
        Native to its library.

    Raises
    ------
    MissingExtraError
        If no data frame library is installed.

    Examples
    --------
    >>> make_frame({"a": np.array([1, 2])}, "polars").shape
    (2, 1)
    """
    if library is not None and library not in ("pandas", "polars", "pyarrow"):
        msg = f"library is {library!r}; expected 'pandas', 'polars' or 'pyarrow'."
        raise InvalidParameterError(msg)
    for name in (library,) if library else ("pandas", "polars"):
        try:
            optional_import(name, "frames")
        except MissingExtraError:
            if name in (library, "polars"):
                raise
            continue
        return nw.from_dict(
            {key: np.asarray(value) for key, value in columns.items()},
            backend=name,  # type: ignore[arg-type] # one of the names checked above
        ).to_native()
    raise AssertionError  # the loop returns or raises
