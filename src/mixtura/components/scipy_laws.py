"""What scipy.stats says about its distributions, and how the shapes of one are guessed from moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats

from mixtura.components.intervals import POSITIVE, Interval
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = ["compared", "refuse_others", "shape_domains", "typical", "variance"]

_CIRCLE = (
    "it is a law on the circle, not on the line that SciPy gives as its support; take a family of angles"
)
_REFUSED = {
    "vonmises": _CIRCLE,
    "vonmises_line": _CIRCLE,
    "wrapcauchy": _CIRCLE,
    "poisson_binom": "its parameter is a list of probabilities, not a number",
}


def refuse_others(distribution: Any) -> None:
    """Say what is expected of `distribution`."""
    if not isinstance(distribution, scipy.stats.rv_continuous | scipy.stats.rv_discrete):
        frozen = getattr(getattr(distribution, "dist", None), "name", None)
        if frozen is not None:
            msg = (
                f"distribution is a frozen scipy.stats.{frozen}; expected the distribution itself, with the known parameters "
                f"in `fixed`: ScipyDistribution(stats.{frozen}, fixed={{...}})."
            )
            raise InvalidParameterError(msg)
        msg = (
            f"distribution is {distribution!r}; expected a univariate distribution of scipy.stats (an rv_continuous or an "
            "rv_discrete), such as scipy.stats.gumbel_r."
        )
        raise InvalidParameterError(msg)
    if distribution.name in _REFUSED:
        msg = f"scipy.stats.{distribution.name} cannot be wrapped: {_REFUSED[distribution.name]}."
        raise InvalidParameterError(msg)


def shape_domains(distribution: Any, fixed: Mapping[str, float]) -> dict[str, Interval]:
    """Shapes and where they live, by SciPy's own word (a distribution of the user's: above 0, as SciPy assumes)."""
    info = getattr(distribution, "_shape_info", None)
    if info is None:
        names = (distribution.shapes or "").replace(",", " ").split()
        return dict.fromkeys(names, POSITIVE)
    domains = {}
    for shape in info():
        if shape.integrality and shape.name not in fixed:
            msg = f"{shape.name} of scipy.stats.{distribution.name} is a whole number and cannot be learnt; give it in `fixed`."
            raise InvalidParameterError(msg)
        domains[shape.name] = Interval(float(shape.domain[0]), float(shape.domain[1]))
    return domains


def typical(domain: Interval) -> float:
    """A typical value: 1, or one inside."""
    if domain.low < 1.0 < domain.high:
        return 1.0
    low, high = (float(np.nan_to_num(end, neginf=-1e300, posinf=1e300)) for end in (domain.low, domain.high))
    return 0.5 * (low + high) if high - low < 1e299 else low + 1.0 if low > -1e299 else high - 1.0


def variance(raw: Sequence[Array]) -> Array:
    """From averages of powers; what is rounding is zero."""
    value = raw[1] - raw[0] ** 2
    return np.where(value > 1e-14 * raw[0] ** 2, value, 0.0)


def compared(raw: Sequence[Array], mean: Array, law: Array, *, moved: bool) -> tuple[Array, Array]:
    """What shapes are chosen by, of the rows (..., M) and of the grid (G, M)."""
    law = np.nan_to_num(law, nan=1e3, posinf=1e3, neginf=-1e3)
    first, second, third, fourth = raw
    second_moment = variance(raw)
    skewness = (third - 3.0 * first * second + 2.0 * first**3) / second_moment**1.5
    excess = (
        fourth - 4.0 * first * third + 6.0 * first**2 * second - 3.0 * first**4
    ) / second_moment**2 - 3.0
    own, targets = [skewness, excess], [law[2], law[3]]
    if not moved:  # the spread relative to the mean is known, too
        ratio = np.sqrt(np.maximum(law[1], 1e-300)) / np.maximum(np.abs(law[0]), 1e-300)
        own, targets = [np.log(np.sqrt(second_moment) / np.abs(mean)), skewness], [np.log(ratio), law[2]]
    # Of large moments only the order counts.
    return np.arcsinh(np.stack(own, axis=-1)), np.arcsinh(np.stack(targets, axis=-1))
