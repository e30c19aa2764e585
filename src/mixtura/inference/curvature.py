r"""Standard errors from the information: its inverse, that of the outer products of scores, and the sandwich of both.

With the observed information H (see `information`) and the sum J of the units' outer products of scores, the covariance of the
free coordinates is

- ``louis``: :math:`H^{-1}`;
- ``scores``: :math:`J^{-1}`, which equals the former in large samples when the model is right;
- ``sandwich``: :math:`H^{-1} J H^{-1}`, right also when the model is not, and under sampling weights;
- ``bootstrap``: that of the fits to resampled rows (`bootstrap`).

References
----------
.. [1] T. A. Louis (1982), JRSS B 44(2), 226-233.
.. [2] K. E. Basford, D. R. Greenway, G. J. McLachlan and D. Peel (1997), Computational Statistics 12, 1-17, equation 2.
.. [3] H. White (1982), Econometrica 50(1), 1-25, theorem 3.2.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from mixtura.exceptions import ConvergenceWarning, IllConditionedInformationWarning
from mixtura.inference import differences
from mixtura.inference.identified import Inverse, Space, space
from mixtura.inference.information import Fit
from mixtura.inference.intervals import Readable, scale_of
from mixtura.inference.standard_errors import Method, Reader, StandardErrors
from mixtura.protocols import Array

__all__ = ["Information", "Louis", "OuterProduct", "Sandwich"]

# Standard error, on the whole line, of a parameter about which nothing is known: its interval spans e^40.
_NOTHING_KNOWN = 20.0
# Newton step to the maximum, in standard errors, above which the estimates are not at the maximum.
_AWAY = 0.5
_NAMED = 4  # parameters that a warning names


class Information(Method):
    """Base of the methods that invert an information matrix."""

    @abstractmethod
    def inverse(self, fit: Fit, known: Space) -> Inverse:
        """Covariance of the free coordinates on the directions that change the model."""

    @abstractmethod
    def words(self, fit: Fit) -> str:
        """What was done."""

    def remarks(self, fit: Fit, known: Space) -> list[str]:
        """What to beware of."""
        return []

    def __call__(self, fit: Fit, read: Reader, level: float) -> StandardErrors:
        """Invert, find what is not known, and carry over to the parameters."""
        rows = read(fit.model)
        gradients = _gradients(fit, read)
        edge, fixed = _edge(fit, rows, gradients)
        known = space(fit.scores.complete / fit.n_units, fit.unit, fixed)
        found = self.inverse(fit, known)
        unknown = known.unknown(gradients, found.weak) | edge
        covariance = gradients @ found.covariance @ gradients.T
        covariance[unknown] = covariance[:, unknown] = np.nan
        errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        notes = [
            *self.remarks(fit, known),
            *_edge_note(rows, edge),
            *_weak_note(rows, unknown & ~edge, found),
        ]
        if notes:
            warnings.warn(" ".join(notes), IllConditionedInformationWarning, stacklevel=4)
        notes += _check_at_maximum(fit, found)
        return StandardErrors(
            tuple(rows),
            errors,
            found.covariance,
            covariance,
            self.words(fit),
            level,
            fit.n_units,
            tuple(notes),
        )


class Louis(Information):
    """The inverse of the observed information."""

    def inverse(self, fit: Fit, known: Space) -> Inverse:
        """Of the observed information."""
        return known.inverse(fit.observed)

    def words(self, fit: Fit) -> str:
        """Louis's formula, or the derivative of the observed score where that does not apply."""
        how = "Louis's formula" if fit.louis_applies else "derivative of the observed score"
        return f"observed information ({how})"

    def remarks(self, fit: Fit, known: Space) -> list[str]:
        """Whether the curvature depends on the step."""
        if not fit.rough(known.fixed):
            return []
        note = (
            "The likelihood has corners or steep bends: its curvature depends on the step at which it is measured, expected one "
            "curvature. Use method='scores' or 'bootstrap'."
        )
        return [note]


class OuterProduct(Information):
    """The inverse of the sum of outer products of the units' scores."""

    def inverse(self, fit: Fit, known: Space) -> Inverse:
        """Of the outer products."""
        return known.inverse(fit.scores.squares)

    def words(self, fit: Fit) -> str:
        """Its name."""
        return "outer product of scores"


class Sandwich(Louis):
    """Outer products of scores between two inverses of the observed information."""

    needs_likelihood = False

    def inverse(self, fit: Fit, known: Space) -> Inverse:
        """Bread, filling, bread."""
        bread = known.inverse(fit.observed)
        return bread._replace(covariance=bread.covariance @ fit.scores.squares @ bread.covariance)

    def words(self, fit: Fit) -> str:
        """Its name and that of its bread."""
        return f"sandwich of the scores and the {super().words(fit)}"


def _gradients(fit: Fit, read: Reader) -> Array:
    """Derivatives of the readable parameters by the coordinates, shape (R, p)."""
    found = []
    for c, step in enumerate(np.diag(differences.SCORE_STEP * fit.scale)):
        up, down = (np.array([row.value for row in read(fit.at(fit.theta + by))]) for by in (step, -step))
        found.append((up - down) / (2.0 * step[c]))
    return np.array(found).reshape(len(found), -1).T


def _edge(fit: Fit, rows: Sequence[Readable], gradients: Array) -> tuple[Array, Array]:
    """Parameters that lie at the edge of their domain, (R,), and the coordinates that put them there, (p,).

    At the edge even complete data would say next to nothing about them on the scale on which every value is valid.
    """
    complete = np.maximum(np.diag(fit.scores.complete), 1e-300)
    edge, fixed = np.zeros(len(rows), dtype=bool), np.zeros(len(fit.theta), dtype=bool)
    for r, row in enumerate(rows):
        scale = scale_of(row)
        if not (np.isfinite(scale.low) and scale.low < row.value < scale.high and gradients[r].any()):
            continue
        on_line = np.abs(gradients[r] * scale.slope(row.value))
        c = int(np.argmax(on_line * fit.unit))
        if on_line[c] / np.sqrt(complete[c]) > _NOTHING_KNOWN:
            edge[r] = fixed[c] = True
    return edge, fixed


def _edge_note(rows: Sequence[Readable], edge: Array) -> list[str]:
    if not edge.any():
        return []
    note = (
        f"{_listed(rows, edge)} at the edge of the domain, where the likelihood is not level and Wald intervals do not hold: taken as "
        "known there, with NaN as standard error. Use a pseudo_count or fewer components, or method='bootstrap'."
    )
    return [note]


def _weak_note(rows: Sequence[Readable], unknown: Array, found: Inverse) -> list[str]:
    if not (unknown.any() or found.weak.shape[1]):
        return []
    count = found.weak.shape[1]
    saddle = " (negative: this is no maximum)" if found.smallest < -1e-5 else ""
    why = (
        f"The information has no digits along {count} directions: smallest eigenvalue {found.smallest:.2g} of the largest{saddle}, "
        "expected a share of at least 3e-6"
        if count
        else "The likelihood is the same for other values of some parameters (a rotation, say), expected one value"
    )
    which = (
        f"These data do not tell {_listed(rows, unknown)} (NaN as standard error). " if unknown.any() else ""
    )
    return [f"{why}. {which}Fit fewer components or a simpler structure, or use method='bootstrap'."]


def _check_at_maximum(fit: Fit, found: Inverse) -> list[str]:
    """Warn where the likelihood still rises by much from the estimates."""
    score = fit.scores.total
    away = float(np.sqrt(max(float(score @ found.covariance @ score), 0.0)))
    if away <= _AWAY:
        return []
    note = (
        f"The estimates lie {away:.2g} standard errors from the maximum of the likelihood; expected at most {_AWAY}. Fit with a smaller "
        "tol (or without the prior, pseudo_count or reg_covar that keeps them there), on the rows and weights given here."
    )
    warnings.warn(note, ConvergenceWarning, stacklevel=5)
    return [note]


def _listed(rows: Sequence[Readable], which: Array) -> str:
    named = [f"{row} = {row.value:.3g}" for row, chosen in zip(rows, which, strict=True) if chosen]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more
