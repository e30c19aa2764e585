r"""Binomial columns: :math:`T(x) = x`, :math:`\eta = \log\frac{p}{1-p}`, :math:`A = \sum_j n_j \log(1 + e^{\eta_j})`.

The base measure h is the product of the binomial coefficients. Numbers of trials are known: constants of
the columns, or the exposure of each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import betaln, expit, logit

from mixtura.exceptions import InvalidParameterError
from mixtura.families._base import FLOOR, ColumnFamily
from mixtura.priors import BetaOfOdds, BetaPrior, Prior
from mixtura.protocols import Array

__all__ = ["Binomial"]


class Binomial(ColumnFamily):
    """Columns of successes in a known number of trials, independent given the component.

    Probabilities of success, shape (K, P), are kept from 1e-10 to 1 - 1e-10. Mean parameters are these probabilities where
    every row has its own trials, and probabilities times trials where the trials are fixed; see `probabilities`.

    Parameters
    ----------
    trials : int or sequence of int, optional
        Trials of every column, or of each. None: the last column of x holds each row's trials, in common for its other
        columns; it is taken as given, and samples have one trial.

    Examples
    --------
    >>> Binomial(trials=4).natural_from_mean(np.array([[2.0, 1.0]])).round(4)
    array([[ 0.    , -1.0986]])
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> shots = rng.integers(5, 30, 300)
    >>> goals = rng.binomial(shots, np.repeat([0.1, 0.7], 150))
    >>> mixture = Mixture(Binomial(), 2, random_state=0).fit(np.stack([goals, shots], axis=1))
    >>> np.sort(Binomial().probabilities(mixture.components_.natural).ravel()).round(1)
    array([0.1, 0.7])
    """

    name = "binomial"
    discrete = True

    def __init__(self, trials: int | Sequence[int] | None = None) -> None:
        self.trials = None if trials is None else np.asarray(trials, dtype=np.float64)
        self.support = "whole numbers from 0 to the trials"
        self.n_given = int(self.trials is None)
        if self.trials is None:
            self.support += " in the last column"
        elif self.trials.ndim > 1 or not ((self.trials >= 1) & (self.trials == np.floor(self.trials))).all():
            msg = f"trials is {trials!r}; expected a whole number of at least 1, one of these for each column, or None."
            raise InvalidParameterError(msg)

    @property
    def _fixed(self) -> Array | float:
        """Trials per unit of exposure, to be multiplied with (K, P)."""
        return 1.0 if self.trials is None else self.trials

    def statistics(self, x: Array) -> Array:
        """The successes, shape (P, B)."""
        return x[:-1] if self.trials is None else x

    def column_log_base(self, x: Array) -> Array:
        """Logs of the binomial coefficients, shape (P, B)."""
        successes, trials = self.statistics(x), self._trials(x)
        return np.asarray(-np.log1p(trials) - betaln(1.0 + successes, 1.0 + trials - successes))

    def values(self, x: Array) -> Array:
        """The successes."""
        return self.statistics(x)

    def exposure(self, x: Array) -> Array | None:
        """The last column, where it holds the trials."""
        return x[-1] if self.trials is None else None

    def column_normalizer(self, natural: Array) -> Array:
        """n log(1 + exp eta), shape (K, P)."""
        return np.asarray(self._fixed * np.logaddexp(0.0, natural))

    def parameters(self, natural: Array, names: Sequence[str]) -> list[tuple[str, str, Array]]:
        """Probabilities of success."""
        shares = self.probabilities(natural)
        return [("probability", name, shares[:, d]) for d, name in enumerate(self.labels(names))]

    def natural_from_mean(self, mean: Array) -> Array:
        """Log odds of probabilities inside the floor."""
        return np.asarray(logit(np.clip(mean / self._fixed, FLOOR, 1.0 - FLOOR)))

    def mean_from_natural(self, natural: Array) -> Array:
        """Probabilities times fixed trials."""
        return np.asarray(self._fixed * expit(natural))

    def expected(self, natural: Array) -> list[Array]:
        """Probabilities, or probabilities times fixed trials."""
        return list(self.mean_from_natural(natural).T)

    def restricted(self, columns: Sequence[int] | Array) -> Self:
        """Trials of these columns."""
        if self.trials is None or self.trials.ndim == 0:
            return self
        return type(self)(self.trials[np.asarray(columns, dtype=np.intp)].astype(np.int64).tolist())

    def known(self, natural: Array, given: Array) -> tuple[ColumnFamily, Array]:
        """Fixed trials."""
        return type(self)(int(given[0])), natural

    def conjugate(self, prior: Prior | None, mean: Array) -> BetaOfOdds:
        """Beta laws of the probabilities."""
        return BetaOfOdds.of(*BetaPrior.taken(prior, self.name).checked(len(mean)), self._fixed)

    def sample(self, natural: Array, n: int, rng: np.random.Generator) -> Array:
        """Rows of successes, followed by one trial where rows have their own, shape (n, D)."""
        trials = np.ones(1) if self.trials is None else self.trials
        drawn = rng.binomial(trials.astype(np.int64), expit(natural), size=(n, len(natural)))
        successes = drawn.astype(np.float64)
        return np.column_stack([successes, np.ones(n)]) if self.trials is None else successes

    def probabilities(self, natural: Array) -> Array:
        """Probabilities of success, shape (K, P)."""
        return np.asarray(expit(natural))

    def tilted(self, mean: Array, tilt: Array) -> Array:
        """Means moved by a share of themselves or of what is left to the trials."""
        return mean + tilt * np.minimum(mean, self._fixed - mean)

    def labels(self, names: Sequence[str]) -> list[str]:
        """The columns, without a last one that is taken as given."""
        return [*names[:-1]] if self.trials is None else [*names]

    def outside(self, x: Array) -> Array:
        """Fractions, negative values, and more successes than trials."""
        bad = np.asarray((x < 0) | (x != np.floor(x)))
        rows = bad[:-1] if self.trials is None else bad
        rows |= self.statistics(x) > self._trials(x)
        return bad

    def features(self, x: Array) -> Array:
        """Arcsines of the roots of the shares, whose variance hardly depends on the probability."""
        trials = np.maximum(self._trials(x), 1.0)
        return np.arcsin(np.sqrt(self.statistics(x) / trials))

    def _trials(self, x: Array) -> Array:
        """Trials of every value, shape (1 or P, 1 or B)."""
        return x[-1:] if self.trials is None else np.reshape(self.trials, (-1, 1))
