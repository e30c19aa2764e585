"""Errors and warnings of mixtura.

Every message says where (row, column, component), what was found, what was expected and what to do.

::

    MixturaError
    ├── InvalidDataError (ValueError)        the data cannot be used as given
    │   └── ColumnNotFoundError (KeyError)   a named column is not there
    ├── InvalidParameterError (ValueError, TypeError)  a setting is outside its domain
    ├── DegenerateComponentError (ValueError)  components without a maximum of the likelihood
    ├── ObjectiveFellError (RuntimeError)    an exact step lowered the objective: a bug, please report
    ├── ModelFileError (ValueError)          not a model file, or one this version does not know
    ├── OutputError (OSError)                results could not be written
    └── MissingExtraError (ImportError)      an optional dependency is not installed

    MixturaWarning (UserWarning)
    ├── ConstantColumnWarning                a column holds one value only and says nothing
    ├── ConvergenceWarning (sklearn.exceptions.ConvergenceWarning)  stopped before the tolerance was met
    ├── StartsDisagreeWarning                restarts ended at different optima
    ├── StartOverwrittenWarning              parameters set by hand are overwritten by a start
    ├── DegeneracyWarning                    a component was dropped, reseeded or given a prior
    ├── SpuriousSolutionWarning              the best solution sits on a few points
    ├── EdgeOfRangeWarning                   the choice lies at the edge of what was tried
    ├── IllConditionedInformationWarning     the data do not tell some parameters, or they lie on the boundary
    └── InterruptedWarning                   stopped by Ctrl-C; the best model so far is returned
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sklearn.exceptions import ConvergenceWarning as _SklearnConvergenceWarning

__all__ = [
    "ColumnNotFoundError",
    "ConstantColumnWarning",
    "ConvergenceWarning",
    "DegeneracyWarning",
    "Degenerate",
    "DegenerateComponentError",
    "EdgeOfRangeWarning",
    "IllConditionedInformationWarning",
    "InterruptedWarning",
    "InvalidDataError",
    "InvalidParameterError",
    "MissingExtraError",
    "MixturaError",
    "MixturaWarning",
    "ModelFileError",
    "ObjectiveFellError",
    "OutputError",
    "SpuriousSolutionWarning",
    "StartOverwrittenWarning",
    "StartsDisagreeWarning",
    "did_you_mean",
    "optional_import",
]


class MixturaError(Exception):
    """Root of all errors raised on purpose by mixtura."""


class InvalidDataError(MixturaError, ValueError):
    """The data cannot be used as given: wrong shape, wrong type, NaN, negative counts, no rows."""


class ColumnNotFoundError(InvalidDataError, KeyError):
    """A named column is not in the table; the message lists the nearest existing names."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument; a sentence reads better plain.
        return str(self.args[0]) if self.args else ""


class InvalidParameterError(MixturaError, ValueError, TypeError):
    """A setting is outside its domain; the message lists what is allowed."""


@dataclass(frozen=True)
class Degenerate:
    """One component for which the M-step has no solution.

    Parameters
    ----------
    component : int
        Index k of the component.
    count : float
        Its expected number of rows N_k.
    reason : str
        Why there is no solution, in words, with the value found.
    """

    component: int
    count: float
    reason: str

    def __str__(self) -> str:
        return f"component {self.component} (expected rows {self.count:.6g}): {self.reason}"


class DegenerateComponentError(MixturaError, ValueError):
    """The likelihood has no maximum for the listed components.

    Parameters
    ----------
    events : iterable of Degenerate
        All degenerate components of the step, not only the first.
    """

    def __init__(self, events: Iterable[Degenerate]) -> None:
        self.events = tuple(events)
        listed = "; ".join(str(event) for event in self.events)
        super().__init__(
            f"Fitting the mixture model failed because {len(self.events)} component(s) have no maximum-likelihood "
            f"estimate: {listed}. Expected: every component holds several distinct rows. Decrease n_components, "
            "increase reg_covar (or the variance floor), give a prior, or choose another policy for degenerate "
            "components (on_degenerate='reseed' or 'drop')."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.events,))


class ObjectiveFellError(MixturaError, RuntimeError):
    """An exact step lowered the objective by more than rounding allows."""


class ModelFileError(MixturaError, ValueError):
    """The file is not a mixtura model, is damaged, or was written by an unknown version."""


class OutputError(MixturaError, OSError):
    """Results could not be written; nothing is left under the final name."""


class MissingExtraError(MixturaError, ImportError):
    """An optional dependency is missing; the message names the extra that installs it."""


class MixturaWarning(UserWarning):
    """Root of all warnings issued by mixtura."""


class ConstantColumnWarning(MixturaWarning):
    """A column holds one value only, so it says nothing about the components."""


class ConvergenceWarning(MixturaWarning, _SklearnConvergenceWarning):
    """The fit stopped (steps or time ran out) before the tolerance was met."""


class StartOverwrittenWarning(MixturaWarning):
    """Parameters that were set by hand are overwritten by the start that the settings ask for."""


class StartsDisagreeWarning(MixturaWarning):
    """Restarts ended at different optima, so the best one may not be the best there is."""


class DegeneracyWarning(MixturaWarning):
    """A degenerate component was dropped, reseeded or given a prior during the fit."""


class SpuriousSolutionWarning(MixturaWarning):
    """The best solution has a component on a handful of rows or with almost no variance."""


class EdgeOfRangeWarning(MixturaWarning):
    """The chosen value lies at the edge of the range that was tried."""


class IllConditionedInformationWarning(MixturaWarning):
    """The information is singular, or an estimate lies on the boundary: some standard errors are NaN."""


class InterruptedWarning(MixturaWarning):
    """The fit was interrupted; the best model so far is returned."""


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A sentence with the nearest of the allowed names, for the end of an error message.

    Parameters
    ----------
    name : str
        What the user wrote.
    choices : iterable of str
        What exists.

    Returns
    -------
    str
        ``"Did you mean 'x'? "`` (or nothing) followed by the list of choices.

    Examples
    --------
    >>> did_you_mean("ful", ["full", "tied"])
    "Did you mean 'full'? Allowed: 'full', 'tied'."
    """
    names = [str(choice) for choice in choices]
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(str(name).lower(), list(by_lower), n=1, cutoff=0.5)
    hint = f"Did you mean '{by_lower[close[0]]}'? " if close else ""
    return hint + "Allowed: " + ", ".join(f"'{candidate}'" for candidate in names) + "."


def optional_import(module: str, extra: str) -> Any:
    """Import an optional dependency where it is used, or say which extra installs it.

    Parameters
    ----------
    module : str
        Name of the module, such as ``"duckdb"``.
    extra : str
        Name of mixtura's extra that contains it, such as ``"segment"``.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingExtraError
        If the module is not installed.

    Examples
    --------
    >>> optional_import("json", "segment").dumps([1])
    '[1]'
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and not module.startswith(error.name.split(".")[0]):
            raise
        raise MissingExtraError(
            f"This needs the package '{module.split('.', maxsplit=1)[0]}', which is not installed. "
            f'Install it with: pip install "mixtura[{extra}]"'
        ) from error
