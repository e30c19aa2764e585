r"""Readable parameters of a model, their covariance by the delta method, and intervals that stay inside the domain.

A Wald interval is :math:`T^{-1}(T(\hat g) \pm z\, |T'(\hat g)|\, \mathrm{se})`, where T takes the parameter's domain to the whole
line: the logit for weights and probabilities, the logarithm for variances, rates and other positive parameters, Fisher's z for
correlations, and the identity for everything else (means, coefficients, covariances between columns).

References
----------
.. [1] L. Wasserman (2004), All of Statistics, theorem 9.24 and section 9.9 (delta method).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, product
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from mixtura.components import hooks
from mixtura.structures import LatentMixture

__all__ = ["Readable", "Scale", "readable", "scale_of", "wald"]


class Readable(NamedTuple):
    """One number that a user reads.

    Parameters
    ----------
    component : int
        k; -1 for what all components share.
    parameter, feature, other_feature : str
        As in ``params_frame()``.
    value : float
        In units of the data.
    """

    component: int
    parameter: str
    feature: str
    other_feature: str
    value: float

    def __str__(self) -> str:
        columns = ", ".join(name for name in (self.feature, self.other_feature) if name)
        return f"{self.parameter}[{self.component}{', ' if columns else ''}{columns}]"


def readable(model: LatentMixture, names: Sequence[str]) -> list[Readable]:
    """The parameters of a model in the order of ``params_frame()``, then what all components share.

    A parameter that a component does not have (NaN) is left out. A structure may have a ``table()`` of its own, whose rows end
    in values (K,), or in one number for all components.

    Parameters
    ----------
    model : LatentMixture
        With parameters.
    names : sequence of str
        Of the columns.

    Examples
    --------
    >>> from mixtura.families import FamilyComponents, Poisson
    >>> from mixtura.protocols import Encoding
    >>> from mixtura.structures import Independent
    >>> components = FamilyComponents(Poisson()).from_mean(np.array([[2.0], [5.0]]))
    >>> model = LatentMixture(components, Independent(np.log([0.25, 0.75])), Encoding(1))
    >>> [str(row) for row in readable(model, ["visits"])]
    ['weight[0]', 'weight[1]', 'rate[0, visits]', 'rate[1, visits]']
    """
    weights = getattr(model.structure, "weights", ())  # where they depend on the row there are none
    found = [Readable(k, "weight", "", "", float(weight)) for k, weight in enumerate(weights)]
    beside = list(getattr(model.structure, "table", tuple)())
    table = [
        *hooks.table(model.components, names, model.encoding.origin),
        *(hooks.Parameter(*row) for row in beside if np.ndim(row[3])),
    ]
    for _, group in groupby(table, key=lambda row: row.name):
        rows = list(group)
        pairs = product(range(model.n_components), rows)
        found += [
            Readable(k, row.name, row.feature, row.other_feature, float(row.values[k]))
            for k, row in pairs
            if not np.isnan(row.values[k])
        ]
    return found + [Readable(-1, *row) for row in beside if not np.ndim(row[3])]


class Scale(NamedTuple):
    """How a parameter's domain becomes the whole line.

    Parameters
    ----------
    to_line, from_line, slope : callable
        T, its inverse, and T'.
    low, high : float
        Ends of the domain.
    """

    to_line: Callable[[float], float]
    from_line: Callable[[float], float]
    slope: Callable[[float], float]
    low: float
    high: float


_PLAIN = Scale(lambda g: g, lambda t: t, lambda _: 1.0, -np.inf, np.inf)
_LOGIT = Scale(
    lambda g: float(logit(g)), lambda t: float(expit(t)), lambda g: 1.0 / (g * (1.0 - g)), 0.0, 1.0
)
_LOG = Scale(lambda g: float(np.log(g)), lambda t: float(np.exp(t)), lambda g: 1.0 / g, 0.0, np.inf)
_FISHER = Scale(
    lambda g: float(np.arctanh(g)), lambda t: float(np.tanh(t)), lambda g: 1.0 / (1.0 - g * g), -1.0, 1.0
)

# Parameters of pairs of columns whose diagonal is positive.
_MATRICES = ("covariance", "scale")
# By the last word of the parameter's name; all others are left as they are.
_POSITIVE = [
    "variance",
    "deviation",
    "rate",
    "shape",
    "a",
    "b",
    "alpha",
    "scale",
    "size",
    "concentration",
    "dispersion",
    "freedom",
    "volume",
]
_BY_NAME = {
    **dict.fromkeys(("weight", "probability", "share", "inflation"), _LOGIT),
    **dict.fromkeys(_POSITIVE, _LOG),
    "correlation": _FISHER,
}


def scale_of(row: Readable) -> Scale:
    """The scale on which a parameter's interval is symmetric, by its name; a variance is a covariance with itself.

    Examples
    --------
    >>> (
    ...     scale_of(Readable(0, "noise_variance", "x", "", 2.0)).low,
    ...     scale_of(Readable(0, "covariance", "x", "y", 2.0)).low,
    ... )
    (0.0, -inf)
    """
    last = row.parameter.split(" ")[0].split("_")[-1]  # a number follows the names of nested components
    if last in _MATRICES and row.other_feature:
        return _LOG if row.feature == row.other_feature else _PLAIN
    found = _BY_NAME.get(last, _PLAIN)
    return found if found.low <= row.value <= found.high else _PLAIN


def wald(row: Readable, standard_error: float, level: float) -> tuple[float, float]:
    """Interval of a parameter.

    Parameters
    ----------
    row : Readable
        The estimate.
    standard_error : float
        In the parameter's own units.
    level : float
        Such as 0.95.

    Examples
    --------
    >>> [round(end, 3) for end in wald(Readable(0, "weight", "", "", 0.9), 0.1, 0.95)]
    [0.505, 0.988]
    """
    if not np.isfinite(standard_error):
        return np.nan, np.nan
    if standard_error == 0:
        return row.value, row.value
    scale = scale_of(row)
    middle = scale.to_line(row.value)
    reach = float(norm.ppf(0.5 + level / 2.0)) * scale.slope(row.value) * standard_error
    return scale.from_line(middle - reach), scale.from_line(middle + reach)
