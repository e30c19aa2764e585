r"""Contract checks for families, components and structures: the library's own and other people's.

Every check states a *relation* that holds for whatever obeys the contract (sums of halves are the sums of the whole,
no perturbation beats the M-step), so none needs a frozen number. A check that fails raises AssertionError with what
was found, what was expected and where to look. No test framework is needed.

Notation: K components, B rows, D columns, theta the coordinates (unconstrained parameters), r responsibilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mixtura.families import ExponentialFamily, FamilyComponents
from mixtura.protocols import Array, Component, Structure
from mixtura.testing.components import COMPONENT_CHECKS, ComponentSpecimen
from mixtura.testing.families import FAMILY_CHECKS, FamilySpecimen
from mixtura.testing.structures import STRUCTURE_CHECKS, StructureSpecimen

__all__ = [
    "COMPONENT_CHECKS",
    "FAMILY_CHECKS",
    "STRUCTURE_CHECKS",
    "ComponentSpecimen",
    "FamilySpecimen",
    "StructureSpecimen",
    "check_component",
    "check_family",
    "check_structure",
]


def check_family(
    family: ExponentialFamily,
    natural: Array,
    *,
    x: Array | None = None,
    log_density: Callable[[Array, int], Array] | None = None,
    support: Array | None = None,
    volume: float = 1.0,
    skip: Sequence[str] = (),
    seed: int = 0,
) -> tuple[str, ...]:
    """Check that five formulas are those of one exponential family.

    The formulas are checked against each other (`FAMILY_CHECKS`), then the component that follows from them
    (`COMPONENT_CHECKS`), so a family that passes can be used in every model.

    Parameters
    ----------
    family : ExponentialFamily
        The family.
    natural : array_like, shape (K, P)
        Natural parameters of at least two different components.
    x : ndarray, shape (D, B), optional
        Rows to check on; None samples fifty of every component.
    log_density : callable, optional
        An independent implementation, for instance of SciPy: ``log_density(x, k)`` returns log p(x | k), shape (B,).
    support : ndarray, shape (D, S), optional
        All points of a discrete law, or the midpoints of equal cells that cover a continuous one.
    volume : float, default 1
        Volume of a cell of `support`.
    skip : sequence of str, optional
        Names of checks that do not apply to this family.
    seed : int, default 0
        Seed of everything drawn.

    Returns
    -------
    tuple of str
        Names of the checks that ran.

    Raises
    ------
    AssertionError
        At the first check that fails: its name, what was found, what was expected and where to look.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import norm
    >>> from mixtura.families import Normal
    >>> natural = np.array([[0.0, -0.5], [1.0, -0.25]])  # means 0 and 2, variances 1 and 2
    >>> ran = check_family(
    ...     Normal(), natural, log_density=lambda x, k: norm(2.0 * k, np.sqrt(k + 1.0)).logpdf(x[0])
    ... )
    >>> "reference" in ran, "normalised" in ran
    (True, False)
    """
    natural = np.asarray(natural, dtype=np.float64)
    ran = _run(FAMILY_CHECKS, FamilySpecimen(family, natural, seed), repr(family), skip)
    component = FamilyComponents(family, natural)
    return ran + check_component(
        component, x=x, log_density=log_density, support=support, volume=volume, skip=skip, seed=seed
    )


def check_component(
    component: Component,
    *,
    x: Array | None = None,
    log_density: Callable[[Array, int], Array] | None = None,
    support: Array | None = None,
    volume: float = 1.0,
    generic: Component | None = None,
    skip: Sequence[str] = (),
    seed: int = 0,
) -> tuple[str, ...]:
    """Check that a component obeys its contract (:class:`mixtura.protocols.Component`).

    Parameters
    ----------
    component : Component
        With parameters, and at least two components.
    x : ndarray, shape (D, B), optional
        Rows to check on; None samples fifty of every component.
    log_density, support, volume, skip, seed
        As for :func:`check_family`.
    generic : Component, optional
        The same law computed by other code, which a fast override must equal.

    Returns
    -------
    tuple of str
        Names of the checks that ran.

    Raises
    ------
    AssertionError
        At the first check that fails.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura.components import Gaussian
    >>> two = Gaussian(np.array([[0.0, 0.0], [3.0, 1.0]]), np.stack([np.eye(2), 2 * np.eye(2)]))
    >>> len(check_component(two)) > 10
    True
    """
    specimen = ComponentSpecimen(component, np.empty((0, 0)), log_density, support, volume, generic, seed)
    x = specimen.sampled(50)[0] if x is None else np.asarray(x, dtype=np.float64)
    specimen = ComponentSpecimen(component, x, log_density, support, volume, generic, seed)
    return _run(COMPONENT_CHECKS, specimen, repr(component), skip)


def check_structure(
    structure: Structure,
    *,
    scores: Array | None = None,
    offsets: Array | None = None,
    covariates: Array | None = None,
    skip: Sequence[str] = (),
    seed: int = 0,
) -> tuple[str, ...]:
    """Check that a structure obeys its contract (:class:`mixtura.protocols.Structure`).

    Parameters
    ----------
    structure : Structure
        With parameters, and at least two states.
    scores : ndarray, shape (K, B), optional
        Log densities; None draws sixty rows of them.
    offsets : ndarray, shape (U + 1,), optional
        Where units begin; None makes every row a unit.
    covariates : ndarray, shape (Q, B), optional
        What the law of the states depends on.
    skip, seed
        As for :func:`check_family`.

    Returns
    -------
    tuple of str
        Names of the checks that ran.

    Raises
    ------
    AssertionError
        At the first check that fails.

    Examples
    --------
    >>> from mixtura.structures import Independent
    >>> "stationary" in check_structure(Independent(np.log([0.2, 0.8])))
    True
    """
    if scores is None:
        n_rows = 60 if covariates is None else covariates.shape[1]
        scores = np.random.default_rng(seed).normal(scale=2.0, size=(structure.n_components, n_rows))
    specimen = StructureSpecimen(structure, scores, offsets, seed, covariates)
    return _run(STRUCTURE_CHECKS, specimen, repr(structure), skip)


def _run(
    checks: Mapping[str, Callable[[Any], bool | None]], specimen: Any, name: str, skip: Sequence[str]
) -> tuple[str, ...]:
    """Run checks by name; say which one failed, of what."""
    ran = []
    for title, check in checks.items():
        if title in skip:
            continue
        try:
            applied = check(specimen)
        except AssertionError as error:
            msg = f"{name}, check '{title}': {error}"
            raise AssertionError(msg) from None
        if applied is not False:
            ran.append(title)
    return tuple(ran)
