r"""Laws of a chain's first state, as objects: free, known, or stationary.

Under the stationary law the first states say something of the moves: with expected counts n of first states and N of moves the
M-step maximises

.. math:: \sum_{ij} N_{ij}\log A_{ij} + \sum_i n_i\log\pi_i(A),\qquad \pi(A) = \pi(A)A,

whose sums are finite. With :math:`Z = (I - A + 1\pi^T)^{-1}` the derivative of the second part by :math:`A_{ij}` is
:math:`\pi_i\,(Z\,n/\pi)_j` ([1]_), from which a quasi-Newton search goes to the maximum in the logarithms of the shares.

References
----------
.. [1] P. J. Schweitzer (1968), "Perturbation theory and finite Markov chains", Journal of Applied Probability 5(2), 401-413.
"""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from scipy.optimize import minimize

from mixtura.protocols import Array
from mixtura.structures.moves import MoveLaw

__all__ = ["FreeStart", "KnownStart", "StartLaw", "StationaryStart", "stationary"]

# Logarithms of shares between which the search goes.
_LOWEST = -60.0


class StartLaw(Protocol):
    """How initial probabilities are learnt."""

    @property
    def learnt(self) -> bool:
        """Whether the initial probabilities are parameters of their own."""
        ...

    @property
    def conjugate(self) -> bool:
        """Whether Dirichlet laws of the chain's parameters stay Dirichlet laws."""
        ...

    def exact(self, moves: MoveLaw) -> bool:
        """Whether the M-step of a chain with such moves is an exact maximum."""
        ...

    def n_parameters(self, initial: Array) -> int:
        """Free probabilities."""
        ...

    def follow(self, initial: Array, transition: Array) -> Array:
        """Initial probabilities of a chain with this transition matrix, where others were `initial`."""
        ...

    def maximize(
        self, first: Array, count: Array, moves: MoveLaw, current: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """Initial probabilities (K,) and transition matrix (K, K) from expected counts of first states and of moves."""
        ...

    def take(self, components: Array) -> Self:
        """The law of some of the states."""
        ...


class FreeStart:
    """Probabilities in the proportions of the expected first states."""

    learnt = True
    conjugate = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def exact(self, moves: MoveLaw) -> bool:
        """As exact as that of the moves."""
        return moves.exact

    def n_parameters(self, initial: Array) -> int:
        """Those that may be positive, less one."""
        return int(np.count_nonzero(initial)) - 1

    def follow(self, initial: Array, transition: Array) -> Array:
        """The same."""
        return initial

    def maximize(
        self, first: Array, count: Array, moves: MoveLaw, current: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """Each over its sum."""
        total = first.sum()
        initial = np.asarray(first / total) if total > 0 else current[0]
        return initial, moves.maximize(count, current[1])

    def take(self, components: Array) -> Self:
        """The same."""
        return self


class KnownStart(FreeStart):
    """Probabilities that are not learnt."""

    learnt = False

    def n_parameters(self, initial: Array) -> int:
        """None."""
        return 0

    def maximize(
        self, first: Array, count: Array, moves: MoveLaw, current: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """As they are."""
        return current[0], moves.maximize(count, current[1])


class StationaryStart(FreeStart):
    """The chain's own long-run shares: it has been running for ever.

    Where shares of several places are tied, the M-step goes from the present matrix towards that of the moves alone as far as the
    objective rises, which is no maximum, and marked so.

    Examples
    --------
    >>> from mixtura.structures.moves import FreeMoves
    >>> count, even = np.array([[8.0, 2.0], [2.0, 3.0]]), np.full((2, 2), 0.5)
    >>> initial, moves = StationaryStart().maximize(np.array([0.0, 1.0]), count, FreeMoves(), (even[0], even))
    >>> moves.round(3)  # beginning in the second state says that it is less rare than the moves alone do
    array([[0.757, 0.243],
           [0.323, 0.677]])
    """

    learnt = False
    conjugate = False

    def exact(self, moves: MoveLaw) -> bool:
        """Where free shares are simplexes."""
        return moves.exact and moves.conjugate

    def n_parameters(self, initial: Array) -> int:
        """None: the transition matrix says it all."""
        return 0

    def follow(self, initial: Array, transition: Array) -> Array:
        """Left eigenvector of the matrix."""
        return stationary(transition, initial)

    def maximize(
        self, first: Array, count: Array, moves: MoveLaw, current: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """The best matrix for first states and moves together."""
        initial, before = current

        def value(transition: Array) -> float:
            return _inner(count, transition) + _inner(first, stationary(transition, initial))

        found = [before, moves.maximize(count, before)]
        if moves.conjugate:
            found.append(_searched(first, count, moves, found[1], initial))
        else:
            size = count.sum() / len(before)
            for share in 0.5 ** np.arange(1, 9):
                mixed = share * count + (1.0 - share) * size * before
                found.append(moves.maximize(mixed, before))
        best = max(found, key=value)
        return stationary(best, initial), best


def _inner(count: Array, probability: Array) -> float:
    """Sum of N log p with 0 log 0 = 0."""
    with np.errstate(divide="ignore"):
        return float(np.sum(np.where(count == 0, 0.0, np.log(probability)) * count))


def _searched(first: Array, count: Array, moves: MoveLaw, start: Array, initial: Array) -> Array:
    """Where a quasi-Newton search ends that begins at `start`."""
    shares = moves.pooled(moves.counted(start))
    total = shares.sum(axis=1, keepdims=True)
    shares = shares / np.where(total > 0, total, 1.0)
    free = shares > 0
    if not free.any():
        return start

    def probabilities(vector: Array) -> Array:
        logs = np.full(free.shape, -np.inf)
        logs[free] = vector
        largest = logs.max(axis=1, keepdims=True)
        odds = np.exp(logs - np.where(np.isfinite(largest), largest, 0.0))
        total = odds.sum(axis=1, keepdims=True)
        return np.asarray(odds / np.where(total > 0, total, 1.0))

    def loss(vector: Array) -> tuple[float, Array]:
        share = probabilities(vector)
        transition = moves.spread(share)
        long_run = stationary(transition, initial)
        # Of the moves by shares at once: N / share lacks nothing where a share is tiny.
        pulls = _pull_of_start(first, transition, long_run)
        slope = moves.pooled(count) + share * moves.adjoint(pulls)
        slope = slope - share * slope.sum(axis=1, keepdims=True)
        value = _inner(count, transition) + _inner(first, long_run)
        return (-value, -slope[free]) if np.isfinite(value) else (1e300, np.zeros(len(vector)))

    vector = np.maximum(np.log(shares[free]), _LOWEST)
    for _ in range(3):  # a search that stops at rounding of its steps goes on from there
        search = minimize(
            loss,
            vector,
            jac=True,
            method="L-BFGS-B",
            bounds=[(2.0 * _LOWEST, -_LOWEST)] * len(vector),
            options={"maxiter": 200, "ftol": 1e-16, "gtol": 1e-9 * (1.0 + count.sum()), "maxcor": 30},
        )
        moved, vector = np.abs(search.x - vector).max(), search.x
        if moved < 1e-9:
            break
    return moves.spread(probabilities(vector))


def _pull_of_start(first: Array, transition: Array, long_run: Array) -> Array:
    """Derivatives (K, K) of sum n log pi(A) by the entries of A."""
    ratio = np.where(first > 0, first / np.maximum(long_run, 1e-300), 0.0)
    system = np.eye(len(long_run)) - transition + long_run
    try:
        carried = np.linalg.solve(system, ratio)
    except np.linalg.LinAlgError:  # several closed classes: no derivative
        return np.zeros(transition.shape)
    return np.asarray(long_run[:, None] * carried)


def stationary(transition: Array, start: Array) -> Array:
    """Long-run shares of the states of a chain that begins with `start`, shape (K,).

    Averages over a period where the chain returns in one; where it has several closed classes the shares depend on `start`.

    Examples
    --------
    >>> stationary(np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([1.0, 0.0])).round(4)
    array([0.75, 0.25])
    """
    lazy = 0.5 * (transition + np.eye(len(transition)))  # the same shares, and no period
    for _ in range(60):
        square = lazy @ lazy
        if np.abs(square - lazy).max() < 1e-15:
            break
        lazy = square / square.sum(axis=1, keepdims=True)
    shares = start @ lazy
    return np.asarray(shares / shares.sum())
