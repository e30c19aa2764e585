"""Weights of rows, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array

__all__ = ["row_weights"]


def row_weights(sample_weight: Any, n_rows: int) -> Array | None:
    """Weights as floats, shape (N,), or None where none are given.

    Raises
    ------
    InvalidDataError
        Naming the first weight that cannot be one.

    Examples
    --------
    >>> row_weights([1, 2], 2)
    array([1., 2.])
    """
    if sample_weight is None:
        return None
    try:
        weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        msg = f"sample_weight is not made of numbers; expected one finite number of at least 0 for each of {n_rows} rows."
        raise InvalidDataError(msg) from None
    if weight.ndim == 0:
        weight = np.full(n_rows, float(weight))
    if weight.shape != (n_rows,):
        msg = f"sample_weight has shape {weight.shape}; expected ({n_rows},), one weight for each row of X."
        raise InvalidDataError(msg)
    bad = np.flatnonzero(~(weight >= 0) | np.isinf(weight))
    if bad.size:
        msg = f"sample_weight[{bad[0]}] is {weight[bad[0]]}; expected finite weights of at least 0 (0 leaves a row out)."
        raise InvalidDataError(msg)
    if not weight.any():
        msg = f"All {n_rows} sample weights are zero; expected at least one positive weight."
        raise InvalidDataError(msg)
    return weight
