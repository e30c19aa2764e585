r"""How the levels of an ordinal column depend on the location of a component: two links, and Newton's method for both.

A column has L levels and K components with a location b_k each; what else there is, the *baseline*, is shared by the
components. All functions work on J columns of the same number of levels at once. A link keeps L - 2 numbers of the baseline,
``inner``, and all K locations: adding a constant to all locations changes nothing if the baseline moves along, and this
fixes the constant without tying the components to each other. Read back, locations sum to zero.

Both log-likelihoods are concave in (inner, location), so Newton's method with halved steps finds the only maximum. It may
lie at infinity (a component that holds the lowest level only, a level that nobody has), so every component is given
`PSEUDO` of its rows as pseudo-rows, in equal parts of all levels: log odds of neighbouring levels end near 28, and what a row loses by that
is below the rounding of its log density.

The file is long because both links stand beside the method that they share.

References
----------
.. [1] A. Agresti (2010), "Analysis of Ordinal Categorical Data", second edition: sections 3.2 and 4.1.
.. [2] J. W. Pratt (1981), "Concavity of the log likelihood", Journal of the American Statistical Association 76, 103-106.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from scipy.special import expit, log_expit, logsumexp

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = ["AdjacentLogit", "CumulativeLogit", "OrdinalLink"]

PSEUDO = 1e-12
_STEPS = 300
# No parameter moves farther in one step: where the likelihood is flat, Newton's steps are huge.
_FARTHEST = 8.0
# Rounding of a sum of counts times log probabilities, relative.
_ROUNDING = 1e-14


class OrdinalLink(ABC):
    """What an ordinal component asks of its link."""

    #: Name of a number of the baseline, in tables.
    baseline_name: str

    @abstractmethod
    def log_probabilities(self, inner: Array, location: Array) -> Array:
        """Log probabilities (J, K, L) of inner numbers (J, L - 2) and locations (J, K)."""

    @abstractmethod
    def derivatives(self, counts: Array, inner: Array, location: Array) -> tuple[Array, Array]:
        """Gradient (J, L - 2 + K) of the sum of counts (J, K, L) times log probabilities, and minus its Hessian."""

    @abstractmethod
    def start(self, counts: Array) -> tuple[Array, Array]:
        """Inner numbers and locations with which all components have the pooled shares of the levels."""

    @abstractmethod
    def from_baseline(self, baseline: Array, location: Array) -> tuple[Array, Array]:
        """Inner numbers (L - 2,) and locations (K,) of one column's baseline."""

    @abstractmethod
    def to_baseline(self, inner: Array, shift: float) -> Array:
        """The baseline of one column, for locations from which `shift` is taken."""

    @abstractmethod
    def baseline_labels(self, n_levels: int) -> list[str]:
        """What each number of the baseline belongs to."""

    def check(self, n_levels: int) -> None:  # noqa: B027 - most links have columns of any number of levels
        """Raise where the link cannot have a column with so many levels."""

    def reach(self, inner: Array, step: Array) -> Array:
        """Largest part of a step (J,) after which the inner numbers are valid."""
        return np.full(len(inner), np.inf)

    def free(self, inner: Array) -> Array:
        """Unconstrained coordinates of the inner numbers."""
        return inner

    def from_free(self, free: Array) -> Array:
        """Inverse of `free`."""
        return free

    def maximize(self, counts: Array, start: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
        """Inner numbers (J, L - 2) and locations (J, K) that maximise the sum of counts times log probabilities.

        Parameters
        ----------
        counts : ndarray, shape (J, K, L)
            At least 0; every component has some in every column.
        start : tuple of ndarray, optional
            Where to begin, in columns where this is better than the link's own start.
        """
        counts = counts + PSEUDO / counts.shape[2] * counts.sum(axis=2, keepdims=True)
        inner, location = (values.copy() for values in self.start(counts))
        if start is not None:
            better = self._value(counts, *start) > self._value(counts, inner, location)
            inner[better], location[better] = start[0][better], start[1][better]
        open_columns, last = np.arange(len(counts)), np.full(len(counts), np.inf)
        for _ in range(_STEPS):
            now, a, b = counts[open_columns], inner[open_columns], location[open_columns]
            gradient, information = self.derivatives(now, a, b)
            step = _solve(information, gradient)
            gain = np.sum(gradient * step, axis=1) / now.sum(axis=(1, 2))
            step *= np.minimum(1.0, _FARTHEST / np.maximum(np.abs(step).max(axis=1), _FARTHEST))[:, None]
            inner[open_columns], location[open_columns] = self._halved(now, a, b, step)
            # Below 1e-12 a gain that no longer shrinks is rounding.
            going = (gain > 1e-18) & ((gain > 1e-12) | (gain < 0.5 * last))
            open_columns, last = open_columns[going], gain[going]
            if not open_columns.size:
                break
        return inner, location

    def _halved(self, counts: Array, inner: Array, location: Array, step: Array) -> tuple[Array, Array]:
        """After the step, which is cut to what is valid and halved where the likelihood would fall."""
        m = inner.shape[1]
        before = self._value(counts, inner, location)
        size = np.minimum(1.0, self.reach(inner, step[:, :m]))
        for _ in range(60):
            a, b = inner + size[:, None] * step[:, :m], location + size[:, None] * step[:, m:]
            falls = self._value(counts, a, b) < before - _ROUNDING * np.abs(before)
            if not falls.any():
                break
            size[falls] *= 0.5
        return a, b

    def _value(self, counts: Array, inner: Array, location: Array) -> Array:
        """Sum of counts times log probabilities of each column, shape (J,)."""
        return np.asarray(np.sum(counts * self.log_probabilities(inner, location), axis=(1, 2)))


class AdjacentLogit(OrdinalLink):
    r"""Adjacent-category logits: :math:`\log p(l\mid k) = a_l + b_k s_l - A_k`, with scores s of the levels.

    From one level to the next the odds of two components change by the same factor (for equally spaced scores): an
    exponential family, whose statistic of a component is its mean score. Section 4.1 of [1]_ of the module.

    Parameters
    ----------
    scores : sequence of float, optional
        Increasing scores of the levels, for columns that all have that many levels; default 0, 1, ..., L - 1.

    Examples
    --------
    >>> np.exp(AdjacentLogit().log_probabilities(np.zeros((1, 1)), np.log([[1.0, 2.0]]))).round(3)
    array([[[0.333, 0.333, 0.333],
            [0.143, 0.286, 0.571]]])
    """

    baseline_name = "intercept"

    def __init__(self, scores: Sequence[float] | None = None) -> None:
        self.scores = None if scores is None else np.asarray(scores, dtype=np.float64)
        if self.scores is not None and not (
            self.scores.ndim == 1 and len(self.scores) > 1 and (np.diff(self.scores) > 0).all()
        ):
            msg = f"scores is {scores!r}; expected at least two increasing numbers, one for each level."
            raise InvalidParameterError(msg)

    def __repr__(self) -> str:
        return f"AdjacentLogit({'' if self.scores is None else self.scores.tolist()})"

    def check(self, n_levels: int) -> None:
        """The scores, where given, are one for each level."""
        self._scores(n_levels)

    def _scores(self, n_levels: int) -> Array:
        if self.scores is None:
            return np.arange(float(n_levels))
        if len(self.scores) != n_levels:
            msg = f"scores has {len(self.scores)} numbers; expected {n_levels}, one for each level of the column."
            raise InvalidParameterError(msg)
        return self.scores

    def log_probabilities(self, inner: Array, location: Array) -> Array:
        """Normalised a_l + b_k s_l; the first and last a are 0."""
        logits = np.pad(inner, ((0, 0), (1, 1)))[:, None, :] + location[:, :, None] * self._scores(
            inner.shape[1] + 2
        )
        return np.asarray(logits - logsumexp(logits, axis=2, keepdims=True))

    def derivatives(self, counts: Array, inner: Array, location: Array) -> tuple[Array, Array]:
        """Observed minus expected counts and scores; their covariances."""
        scores = self._scores(counts.shape[2])
        p = np.exp(self.log_probabilities(inner, location))
        total = counts.sum(axis=2, keepdims=True)
        expected = total * p
        rest = counts - expected
        gradient = np.concatenate([rest[:, :, 1:-1].sum(axis=1), rest @ scores], axis=1)
        middle, about = expected[:, :, 1:-1], scores - (p @ scores)[:, :, None]
        m = inner.shape[1]
        information = np.zeros((len(counts), gradient.shape[1], gradient.shape[1]))
        information[:, :m, :m] = -np.swapaxes(middle, 1, 2) @ p[:, :, 1:-1]
        information[:, np.arange(m), np.arange(m)] += middle.sum(axis=1)
        information[:, m:, :m] = middle * about[:, :, 1:-1]
        information[:, :m, m:] = np.swapaxes(information[:, m:, :m], 1, 2)
        places = np.arange(m, gradient.shape[1])
        information[:, places, places] = np.sum(expected * about**2, axis=2)
        return gradient, information

    def start(self, counts: Array) -> tuple[Array, Array]:
        """Logs of the pooled shares, without the line through both ends."""
        scores = self._scores(counts.shape[2])
        logs = np.log(_pooled(counts))
        slope = (logs[:, -1:] - logs[:, :1]) / (scores[-1] - scores[0])
        inner = logs - logs[:, :1] - slope * (scores - scores[0])
        return inner[:, 1:-1], np.broadcast_to(slope, counts.shape[:2])

    def from_baseline(self, baseline: Array, location: Array) -> tuple[Array, Array]:
        """Of the intercepts of all L levels."""
        scores = self._scores(len(baseline))
        slope = (baseline[-1] - baseline[0]) / (scores[-1] - scores[0])
        inner = baseline - baseline[0] - slope * (scores - scores[0])
        return inner[1:-1], location + slope

    def to_baseline(self, inner: Array, shift: float) -> Array:
        """Intercepts of all L levels; that of the lowest is 0."""
        scores = self._scores(len(inner) + 2)
        return np.pad(inner, 1) + shift * (scores - scores[0])

    def baseline_labels(self, n_levels: int) -> list[str]:
        """The level."""
        return [str(level) for level in range(n_levels)]


class CumulativeLogit(OrdinalLink):
    r"""Cumulative logits (proportional odds): :math:`P(y\le l\mid k) = \sigma(c_l - b_k)`, with increasing thresholds c.

    As if a logistic variable with mean b_k were cut at the thresholds. With :math:`g_l = c_l - c_{l-1}`,

    .. math:: \log p(l\mid k) = \log\sigma(c_l-b_k) + \log\sigma(b_k-c_{l-1}) + \log(1-e^{-g_l}),

    a sum of concave functions, in which nothing cancels. Section 3.2 of [1]_ of the module; concavity: [2]_ there.

    Examples
    --------
    >>> np.exp(CumulativeLogit().log_probabilities(np.ones((1, 1)), np.array([[0.0, 1.0]]))).round(3)
    array([[[0.5  , 0.231, 0.269],
            [0.269, 0.231, 0.5  ]]])
    """

    baseline_name = "threshold"

    def __repr__(self) -> str:
        return "CumulativeLogit()"

    @staticmethod
    def _distance(inner: Array, location: Array) -> Array:
        """c_l - b_k, shape (J, K, L - 1); the first threshold is 0, the inner numbers are the gaps."""
        thresholds = np.cumsum(np.pad(inner, ((0, 0), (1, 0))), axis=1)
        return np.asarray(thresholds[:, None, :] - location[:, :, None])

    def log_probabilities(self, inner: Array, location: Array) -> Array:
        """By the sum of three logarithms."""
        distance = self._distance(inner, location)
        edges = ((0, 0), (0, 0))
        result = np.pad(log_expit(distance), (*edges, (0, 1))) + np.pad(
            log_expit(-distance), (*edges, (1, 0))
        )
        result[:, :, 1:-1] += np.log(-np.expm1(-inner))[:, None, :]
        return result

    def derivatives(self, counts: Array, inner: Array, location: Array) -> tuple[Array, Array]:
        """A logistic regression at every threshold, and the logarithms of the gaps."""
        distance = self._distance(inner, location)
        up, down = expit(distance), expit(-distance)
        below, above = counts[:, :, :-1], counts[:, :, 1:]
        slope, weight = below * down - above * up, (below + above) * up * down
        # A gap moves all thresholds from its own on: sums from the right.
        later = np.cumsum(slope[:, :, :0:-1], axis=2)[:, :, ::-1]
        heavier = np.cumsum(weight[:, :, :0:-1], axis=2)[:, :, ::-1]
        inside = counts[:, :, 1:-1].sum(axis=1)
        with np.errstate(over="ignore"):
            odds = 1.0 / np.expm1(inner)
        gradient = np.concatenate([later.sum(axis=1) + inside * odds, -slope.sum(axis=2)], axis=1)
        m = inner.shape[1]
        information = np.zeros((len(counts), gradient.shape[1], gradient.shape[1]))
        order = np.maximum.outer(np.arange(m), np.arange(m))
        information[:, :m, :m] = heavier.sum(axis=1)[:, order]
        information[:, np.arange(m), np.arange(m)] += inside * odds * (1.0 + odds)
        information[:, m:, :m] = -heavier
        information[:, :m, m:] = np.swapaxes(information[:, m:, :m], 1, 2)
        places = np.arange(m, gradient.shape[1])
        information[:, places, places] = weight.sum(axis=2)
        return gradient, information

    def start(self, counts: Array) -> tuple[Array, Array]:
        """Thresholds of the pooled shares."""
        share = np.cumsum(_pooled(counts), axis=1)[:, :-1]
        thresholds = np.log(share) - np.log1p(-share)
        return np.diff(thresholds, axis=1), np.broadcast_to(-thresholds[:, :1], counts.shape[:2])

    def reach(self, inner: Array, step: Array) -> Array:
        """No gap shrinks to less than a tenth."""
        return np.asarray(0.9 / np.max(-step / inner, axis=1, initial=1e-300))

    def free(self, inner: Array) -> Array:
        """Logs of the gaps."""
        return np.log(inner)

    def from_free(self, free: Array) -> Array:
        """Gaps; extreme logs are cut where exponentials overflow."""
        return np.asarray(np.exp(np.clip(free, -300.0, 300.0)))

    def from_baseline(self, baseline: Array, location: Array) -> tuple[Array, Array]:
        """Of the L - 1 thresholds."""
        gaps = np.diff(baseline)
        if not (gaps > 0).all():
            msg = f"The thresholds are {baseline.tolist()}; expected increasing numbers."
            raise InvalidParameterError(msg)
        return gaps, location - baseline[0]

    def to_baseline(self, inner: Array, shift: float) -> Array:
        """The L - 1 thresholds."""
        return np.cumsum(np.concatenate([[0.0], inner])) - shift

    def baseline_labels(self, n_levels: int) -> list[str]:
        """The levels on both sides."""
        return [f"{level}|{level + 1}" for level in range(n_levels - 1)]


def _pooled(counts: Array) -> Array:
    """Shares of the levels over all components, none of them tiny: a start only; shape (J, L)."""
    pooled = counts.sum(axis=1)
    pooled = pooled + 0.01 * pooled.sum(axis=1, keepdims=True) / pooled.shape[1]
    return np.asarray(pooled / pooled.sum(axis=1, keepdims=True))


def _solve(information: Array, gradient: Array) -> Array:
    """Newton's direction: scaled to a unit diagonal, with as much added as rounding takes."""
    diagonal = np.diagonal(information, axis1=1, axis2=2)
    scale = 1.0 / np.sqrt(np.maximum(diagonal, np.finfo(np.float64).tiny))
    matrix = information * scale[:, :, None] * scale[:, None, :]
    matrix += 1e-14 * np.eye(matrix.shape[1])
    return np.asarray(np.linalg.solve(matrix, (gradient * scale)[:, :, None])[:, :, 0] * scale)
