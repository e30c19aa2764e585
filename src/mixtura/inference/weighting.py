r"""What a sample weight means: how often a row was seen, or how many of the population it stands for.

Both weight the likelihood in the same way, so estimates agree. They differ in how much is known: a *frequency* weight of 2 is
a second, independent row, a *probability* (sampling) weight of 2 is one row that was drawn with half the probability. The
likelihood under probability weights is a pseudo-likelihood [1]_: its curvature is no measure of uncertainty, which the sandwich
:math:`H^{-1} J H^{-1}` with :math:`J = \sum_n w_n^2 s_n s_n'` is.

References
----------
.. [1] C. J. Skinner (1989), Domain means, regression and multivariate analysis, in Analysis of Complex Surveys, section 3.4.4.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from mixtura.exceptions import InvalidParameterError, did_you_mean
from mixtura.protocols import Array

__all__ = ["WEIGHT_TYPES", "Frequency", "Probability", "WeightType", "weight_type_of"]


class WeightType(ABC):
    """What weights mean."""

    #: Whether the curvature of the weighted log-likelihood measures uncertainty.
    likelihood: bool

    @abstractmethod
    def rescaled(self, weight: Array) -> Array:
        """Weights whose sum is the number of independent rows, shape (N,)."""

    @abstractmethod
    def of_squares(self, weight: Array) -> Array:
        """Weights of the squared scores of the rows, shape (N,)."""

    @abstractmethod
    def resampled(self, weight: Array, rng: np.random.Generator) -> Array:
        """Weights of a bootstrap sample of the rows, shape (N,)."""


class Frequency(WeightType):
    """A weight of 2 is the row twice: n is the sum of the weights.

    Examples
    --------
    >>> Frequency().rescaled(np.array([2.0, 0.0, 4.0]))
    array([2., 0., 4.])
    """

    likelihood = True

    def rescaled(self, weight: Array) -> Array:
        """As they are."""
        return weight

    def of_squares(self, weight: Array) -> Array:
        """Each of w equal rows has its own square."""
        return weight

    def resampled(self, weight: Array, rng: np.random.Generator) -> Array:
        """As many draws as the weights sum to (rounded, and at least one), each row with probability in proportion."""
        total = float(weight.sum())
        draws = max(round(total), 1)
        return np.asarray(rng.multinomial(draws, weight / total) * (total / draws))


class Probability(WeightType):
    """A weight is one over the probability of selection: n is the number of rows of positive weight.

    Examples
    --------
    >>> Probability().rescaled(np.array([2.0, 0.0, 4.0])).round(3)
    array([0.667, 0. , 1.333])
    """

    likelihood = False

    def rescaled(self, weight: Array) -> Array:
        """Scaled to sum to the number of rows with positive weight."""
        return np.asarray(weight * (np.count_nonzero(weight) / weight.sum()))

    def of_squares(self, weight: Array) -> Array:
        """One row, one square of w s."""
        return np.asarray(weight**2)

    def resampled(self, weight: Array, rng: np.random.Generator) -> Array:
        """Rows drawn with equal probability; each draw brings its weight."""
        positive = weight > 0
        count = int(positive.sum())
        return np.asarray(weight * rng.multinomial(count, positive / count))


#: Meanings of weights, by name.
WEIGHT_TYPES: dict[str, WeightType] = {"frequency": Frequency(), "probability": Probability()}


def weight_type_of(name: str) -> WeightType:
    """The meaning of that name.

    Raises
    ------
    InvalidParameterError
        If there is no such meaning.

    Examples
    --------
    >>> weight_type_of("frequency").likelihood
    True
    """
    if name not in WEIGHT_TYPES:
        msg = f"weight_type is {name!r}, which is not one of the choices. {did_you_mean(str(name), WEIGHT_TYPES)}"
        raise InvalidParameterError(msg)
    return WEIGHT_TYPES[name]
