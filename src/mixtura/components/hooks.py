"""What a component may say beside its contract, with what is taken where it says nothing.

The hooks are listed in :class:`mixtura.protocols.Component`; callers read them here and nowhere else.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array, Component, Encoding
from mixtura.statistics import Statistics

__all__ = [
    "Parameter",
    "centred_columns",
    "completed",
    "conditioned",
    "expected_cells",
    "features",
    "is_blank",
    "is_marginal",
    "is_standardized",
    "kinds",
    "learning",
    "marginal_columns",
    "moved",
    "open_components",
    "outside",
    "part",
    "penalized",
    "penalty",
    "point",
    "predictive",
    "restricted",
    "table",
    "variational",
]


class Parameter(NamedTuple):
    """One number of every component that a user reads.

    Parameters
    ----------
    name : str
        What it is: ``"mean"``, ``"covariance"``, ``"shape"``.
    feature : str
        Column, or empty.
    other_feature : str
        Second column, of a covariance; else empty.
    values : ndarray, shape (K,)
        In units of the data.
    """

    name: str
    feature: str
    other_feature: str
    values: Array


def is_blank(component: Any) -> bool:
    """Whether a component has no parameters yet."""
    return bool(getattr(component, "blank", False))


def is_marginal(component: Component) -> bool:
    """Whether missing cells are integrated over, in all columns."""
    return bool(np.all(getattr(component, "marginal", False)))


def marginal_columns(component: Component, n_features: int) -> Array:
    """Columns in which missing cells are integrated over, shape (D,)."""
    return np.broadcast_to(np.asarray(getattr(component, "marginal", False), dtype=bool), (n_features,))


def part(component: Any, column: int) -> tuple[str, Any]:
    """What a column belongs to, in words and as a component: the component itself, or one inside it."""
    find = getattr(component, "part", None)
    if find is None:
        return str(getattr(component, "name", type(component).__name__)), component
    place, inner, own = find(column)
    kind, leaf = part(inner, own)
    return f"{place}, {kind}", leaf


def kinds(component: Any, n_components: int) -> Array:
    """Kind of each component, shape (K,): only one of the same kind may take another's place."""
    return np.asarray(getattr(component, "kind", np.zeros(n_components, dtype=np.intp)))


def open_components(component: Any, n_components: int) -> Array:
    """Components of which there may be more or fewer, shape (K,)."""
    return np.asarray(getattr(component, "open", np.ones(n_components, dtype=bool)))


def is_standardized(component: Component) -> bool:
    """Whether the scales of `features` mean nothing, so that starts may change them."""
    return bool(getattr(component, "standardized", True))


def centred_columns(component: Component, n_features: int) -> Array:
    """Which columns are taken about their mean, shape (D,)."""
    return np.broadcast_to(np.asarray(component.centred, dtype=bool), (n_features,))


def moved(component: Component, by: Array) -> Component:
    """The component with locations minus `by`, shape (D,), in the columns that are centred.

    One without parameters has none, unless it says that it has (``located``: the region of a noise component).
    """
    move = getattr(component, "moved", None)
    nowhere = is_blank(component) and not getattr(component, "located", False)
    return copy.copy(component) if move is None or nowhere else move(by)


def outside(component: Component, x: Any) -> Array | None:
    """Mask of the values (of the stored ones, where sparse) that the component cannot have; None: all are possible."""
    test = getattr(component, "outside", None)
    return None if test is None else test(x)


def features(component: Component, x: Any) -> Any:
    """Rows (F, B), or CSR (B, F), between which Euclidean distances mean something."""
    make = getattr(component, "features", None)
    return x if make is None else make(x)


def table(component: Component, names: Sequence[str], origin: Array | None) -> list[Parameter]:
    """Parameters by name; empty where the component does not say."""
    make = getattr(component, "table", None)
    return [] if make is None else [Parameter(*row) for row in make(names, origin)]


# --- with a prior -----------------------------------------------------------------------------------------------------
def variational(component: Any, prior: Any, overall: Statistics, origin: Array | None) -> Any:
    """Blank components of the same kind whose parameters have posterior laws.

    Parameters
    ----------
    component : Component
        Blank; only its settings matter.
    prior : Prior, mapping of Prior, or None
        Of the parameters; None is a weak default made from `overall`.
    overall : Statistics
        Sums of all rows as one component.
    origin : ndarray, shape (D,), or None
        Where the rows' origin lies.

    Raises
    ------
    InvalidParameterError
        If the component has no conjugate prior, or a hyper-parameter is out of its domain.
    """
    return _with_prior(component, "variational")(prior, overall, origin)


def penalized(component: Any, prior: Any, overall: Statistics, origin: Array | None) -> Any:
    """Blank components of the same kind that go to the mode of their posterior; parameters as of `variational`."""
    return _with_prior(component, "penalized")(prior, overall, origin)


def learning(component: Any) -> Any:
    """Components with posterior laws whose prior is learnt in every step (empirical Bayes)."""
    return component.learning()


def penalty(component: Any) -> float:
    """What the objective is less than the log evidence because of this component (or structure)."""
    own = getattr(component, "penalty", None)
    return 0.0 if own is None else float(own())


def point(part: Any) -> Any:
    """A component or structure without uncertainty of its parameters: itself, where these have no posterior laws."""
    return getattr(part, "point", part)


def predictive(component: Any) -> Any:
    """Components that score by the law of a new row given all rows seen: themselves, where parameters have no laws."""
    return getattr(component, "predictive", component)


def _with_prior(component: Any, name: str) -> Any:
    make = getattr(component, name, None)
    if make is None:
        kind = str(getattr(component, "name", type(component).__name__))
        msg = (
            f"The {kind} component has no conjugate prior, so it has no Bayesian fit. Expected Gaussian components, a family with one "
            "(Bernoulli, Categorical, Poisson, ...; see docs/bayesian.md), or a Product of these."
        )
        raise InvalidParameterError(msg)
    return make


# --- some columns from others -------------------------------------------------------------------------------------
def restricted(component: Any, columns: Sequence[int] | Array) -> Any:
    """The law of some columns, in the order given.

    Parameters
    ----------
    component : Component
        With parameters.
    columns : sequence of int
        Numbers of the columns, each once.

    Returns
    -------
    Component
        Of the same number of components.

    Raises
    ------
    InvalidParameterError
        Naming the component that cannot, and why.
    """
    return _hook(component, "restricted", "restricted to some of its columns")(_numbers(columns))


def conditioned(component: Any, columns: Sequence[int] | Array, values: Array) -> Any:
    """The law of the other columns, in their order, given values (G,) of some, about the origin where columns are centred.

    Raises
    ------
    InvalidParameterError
        Naming the component that cannot, and why.
    """
    given = np.asarray(values, dtype=np.float64)
    return _hook(component, "conditioned", "conditioned on some of its columns")(_numbers(columns), given)


def expected_cells(component: Any, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
    """What each column is expected to be where it is missing (NaN) in rows x (D, B), summed over resp (K, B).

    Returns
    -------
    list of ndarray
        For each column means (B,); where it holds levels, their probabilities (L, B); where it is an angle, means of
        exp(i x) (B,). All are linear in `resp`. What they say of cells that are not missing has no meaning.

    Raises
    ------
    InvalidParameterError
        Naming the component that cannot, and why.
    """
    found: list[Array] = _hook(component, "expected_cells", "used to fill in missing cells")(
        x, resp, encoding
    )
    return found


def completed(component: Any, x: Array, resp: Array, encoding: Encoding) -> Array:
    """Rows (D, B) with missing cells as they are expected under responsibilities (K, B) whose columns sum to one.

    Numbers are means, angles the direction of the mean, levels the most probable one.

    Raises
    ------
    InvalidParameterError
        If a component cannot say, or has no mean.
    """
    gaps, filled = np.isnan(x), np.array(x)
    if not gaps.any():
        return filled
    cells = expected_cells(component, x, resp, encoding)
    for column in np.flatnonzero(gaps.any(axis=1)):
        lost = gaps[column]
        values = _decoded(cells[column])[lost]
        if not np.isfinite(values).all():
            kind, _ = part(component, int(column))
            msg = (
                f"Column {column} ({kind}) has no finite mean, so its missing cells cannot be filled in. Leave the column out, "
                "or draw from conditional(...) instead."
            )
            raise InvalidParameterError(msg)
        filled[column, lost] = values
    return filled


def _decoded(cells: Array) -> Array:
    """Values (B,) of what `expected_cells` says of a column."""
    if np.iscomplexobj(cells):
        return np.angle(cells)
    return cells if cells.ndim == 1 else cells.argmax(axis=0)


def _numbers(columns: Sequence[int] | Array) -> Array:
    return np.asarray(columns, dtype=np.intp)


def _hook(component: Any, name: str, what: str) -> Any:
    """A method of a component that not all have."""
    method = getattr(component, name, None)
    why = str(getattr(component, "inseparable", ""))
    if method is None or why:
        kind = str(getattr(component, "name", type(component).__name__))
        msg = (
            f"The {kind} component cannot be {what}: {why or f'it has no method {name}'}. Use all of its columns, or "
            "another component for them."
        )
        raise InvalidParameterError(msg)
    return method
