r"""What a law of states in time says beside its E-step: filters, paths, simulation and forecasts.

User classes ask these of any structure and never look at its kind. What is known after a row is a *belief*: a vector from which
everything later follows. In a Markov chain it holds the probabilities of the states, in a semi-Markov chain also how long the
state has lasted, in a grouped chain also the group's own moves.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array, Batch
from mixtura.structures import paths
from mixtura.structures.grouped import offsets_of

__all__ = [
    "ChainPaths",
    "Filtered",
    "Path",
    "Paths",
    "Posterior",
    "Sequential",
    "Step",
    "WithoutPriors",
    "simulated",
]


class Posterior(NamedTuple):
    """What all rows of its sequence say of every row's state.

    Parameters
    ----------
    log_evidence : ndarray, shape (U,)
        Of every sequence.
    probabilities : ndarray, shape (K, B)
        Smoothed, without weights.
    """

    log_evidence: Array
    probabilities: Array


class Filtered(NamedTuple):
    """What the rows up to each one say of its state.

    Parameters
    ----------
    probabilities : ndarray, shape (K, B)
        p(z_t | x_1, ..., x_t).
    log_scale : ndarray, shape (B,)
        log p(x_t | x_1, ..., x_{t-1}).
    belief : ndarray, shape (U, S)
        What is known after the last row of each sequence.
    """

    probabilities: Array
    log_scale: Array
    belief: Array


class Path(NamedTuple):
    """The most probable path of every sequence.

    Parameters
    ----------
    states : ndarray of int, shape (B,)
        -1 in a sequence without a possible path.
    log_joint : ndarray, shape (U,)
        Log joint density of rows and path.
    """

    states: Array
    log_joint: Array


class Paths(NamedTuple):
    """The n most probable paths of every sequence, best first.

    Parameters
    ----------
    log_joint : ndarray, shape (U, n)
        Log joint densities of rows and path; minus infinity where there are fewer.
    states : ndarray of int, shape (n, B)
        -1 where there is none.
    """

    log_joint: Array
    states: Array


class Step(NamedTuple):
    """One row of a filter for live data.

    Parameters
    ----------
    belief : ndarray, shape (S,)
        What is known now.
    log_scale : float
        Log density of the row given those before; minus infinity where it is impossible: then it is passed over.
    """

    belief: Array
    log_scale: float


class Sequential(Protocol):
    """What every structure whose rows follow each other in time can be asked; scores (K, B) are not overwritten."""

    def posterior(self, scores: Array, batch: Batch) -> Posterior:
        """Smoothed probabilities."""
        ...

    def filtered(self, scores: Array, batch: Batch) -> Filtered:
        """Filtered probabilities, and the belief after each sequence."""
        ...

    def predicted(self, scores: Array, batch: Batch) -> Array:
        """p(z_t | x_1, ..., x_{t-1}), shape (K, B)."""
        ...

    def viterbi(self, scores: Array, batch: Batch) -> Path:
        """The most probable paths."""
        ...

    def draw_states(self, scores: Array, batch: Batch, rng: np.random.Generator, n_paths: int = 1) -> Array:
        """Paths drawn from their law given all rows, shape (n_paths, B)."""
        ...

    def sample_states(
        self, offsets: Array, rng: np.random.Generator, covariates: Array | None = None
    ) -> Array:
        """Paths of new sequences that begin at `offsets`, shape (B,)."""
        ...

    def advance(self, belief: Array | None, scores: Array, covariates: Array | None = None) -> Step:
        """Take in a row with scores (K,) and covariates (Q,); no belief begins a sequence."""
        ...

    def marginal(self, belief: Array) -> Array:
        """Probabilities (K,) of the state of the row that the belief is of."""
        ...

    def forecast(self, belief: Array, n_steps: int, covariates: Array | None = None) -> Array:
        """Probabilities (n_steps, K) of the states after that row, whose covariates are (Q, n_steps)."""
        ...


class ChainPaths:
    """These answers for first-order chains, from two methods.

    `moves_of(covariates)` are the transition matrices, (K, K) for all rows or (B, K, K), the row entered first;
    `starts_of(covariates)` the initial probabilities, (K,) or (B, K).
    """

    def moves_of(self, covariates: Array | None, /) -> Array:
        """Transition matrices of the steps that enter rows with covariates (Q, B)."""
        raise NotImplementedError

    def starts_of(self, covariates: Array | None, /) -> Array:
        """Initial probabilities of sequences that begin at rows with covariates (Q, B)."""
        raise NotImplementedError

    def path_laws(self, scores: Array, batch: Batch) -> tuple[Array, Array, Array, Array]:
        """Scores, weights of first states and of moves, and offsets, as :mod:`mixtura.structures.paths` takes them."""
        offsets = offsets_of(batch, scores.shape[1])
        initial = self.starts_of(batch.covariates)
        if initial.ndim == 2:  # the law of a first row goes to its scores
            first = offsets[:-1]
            scores = np.array(scores, dtype=np.float64)
            with np.errstate(divide="ignore"):
                scores[:, first] += np.log(initial[first]).T
            initial = np.ones(len(scores))
        return scores, initial, self.moves_of(batch.covariates), offsets

    def posterior(self, scores: Array, batch: Batch) -> Posterior:
        """Smoothed probabilities (:class:`Sequential`)."""
        evidence, smoothed = paths.posterior(*self.path_laws(scores, batch))
        return Posterior(evidence, smoothed.T)

    def filtered(self, scores: Array, batch: Batch) -> Filtered:
        """Filtered probabilities; a belief holds those of the last row."""
        laws = self.path_laws(scores, batch)
        found = paths.filter_rows(*laws)
        probabilities = np.exp(found.logs)
        return Filtered(probabilities.T, found.log_scale, probabilities[laws[-1][1:] - 1])

    def predicted(self, scores: Array, batch: Batch) -> Array:
        """p(z_t | x_1, ..., x_{t-1}), shape (K, B)."""
        laws = self.path_laws(scores, batch)
        ahead = paths.predicted(*laws)
        initial = self.starts_of(batch.covariates)
        first = laws[-1][:-1]
        ahead[first] = initial if initial.ndim == 1 else initial[first]
        return np.asarray(ahead.T / ahead.sum(axis=1))

    def viterbi(self, scores: Array, batch: Batch) -> Path:
        """The most probable paths."""
        log_joint, states = paths.viterbi(*self.path_laws(scores, batch))
        return Path(states, log_joint)

    def best_paths(self, scores: Array, batch: Batch, n_paths: int) -> Paths:
        """The n most probable paths of every sequence."""
        return Paths(*paths.best_paths(*self.path_laws(scores, batch), n_paths))

    def draw_states(self, scores: Array, batch: Batch, rng: np.random.Generator, n_paths: int = 1) -> Array:
        """Paths drawn from their law given all rows, shape (n_paths, B)."""
        return paths.sample_paths(*self.path_laws(scores, batch), n_paths, rng)

    def sample_states(
        self, offsets: Array, rng: np.random.Generator, covariates: Array | None = None
    ) -> Array:
        """Paths of new sequences, shape (B,)."""
        return simulated(self.starts_of(covariates), self.moves_of(covariates), offsets, rng)

    def advance(self, belief: Array | None, scores: Array, covariates: Array | None = None) -> Step:
        """Take in a row."""
        row = None if covariates is None else np.asarray(covariates)[:, None]
        if belief is None:
            ahead = self.starts_of(row).reshape(-1)
        else:
            ahead = belief @ self.moves_of(row).reshape(len(belief), -1)
        return weighed(ahead, scores)

    def marginal(self, belief: Array) -> Array:
        """Probabilities of the present state: the belief itself."""
        return belief

    def forecast(self, belief: Array, n_steps: int, covariates: Array | None = None) -> Array:
        """Probabilities of the states after the belief's row, shape (n_steps, K)."""
        moves = self.moves_of(covariates)
        ahead = np.empty((n_steps, len(belief)))
        for t in range(n_steps):
            belief = belief @ (moves if moves.ndim == 2 else moves[t])
            ahead[t] = belief = belief / belief.sum()
        return ahead


class WithoutPriors:
    """Laws of moves that are estimated whatever the components' parameters are: they have no prior that users set."""

    def variational(self, prior: Any, counts: Array, *, learn: bool = False) -> Self:
        """As it is; refused where a prior of the moves is asked for."""
        return self.penalized(prior)

    def penalized(self, prior: Any) -> Self:
        """As it is; refused where a prior of the moves is asked for."""
        if prior is not None:
            msg = (
                f"{type(self).__name__} is asked for with the prior {prior!r} of its moves; expected None: these have no conjugate "
                "prior. Use a Markov or semi-Markov chain, or leave the prior of the moves out."
            )
            raise InvalidParameterError(msg)
        return self


def weighed(ahead: Array, scores: Array) -> Step:
    """Probabilities predicted, times exp(scores); a row that is impossible is passed over.

    Examples
    --------
    >>> weighed(np.array([0.5, 0.5]), np.log([0.2, 0.6]))
    Step(belief=array([0.25, 0.75]), log_scale=-0.916290731874155)
    """
    usable = ahead > 0
    largest = float(np.max(scores[usable], initial=-np.inf))
    if largest == -np.inf:
        return Step(np.asarray(ahead / ahead.sum()), -np.inf)
    row = np.where(usable, ahead * np.exp(np.where(usable, scores - largest, -np.inf)), 0.0)
    total = float(row.sum())
    return Step(np.asarray(row / total), float(np.log(total)) + largest)


def simulated(initial: Array, transition: Array, offsets: Array, rng: np.random.Generator) -> Array:
    """Paths drawn from a chain, one uniform number a row.

    Parameters
    ----------
    initial : ndarray, shape (K,) or (B, K)
        Probabilities of first states.
    transition : ndarray, shape (K, K) or (B, K, K)
        Probabilities of moves; of row t those of the step that enters it.
    offsets : ndarray, shape (U + 1,)
        Where sequences begin.
    rng : Generator
        Source of randomness.

    Examples
    --------
    >>> simulated(np.array([1.0, 0.0]), np.eye(2)[::-1], np.array([0, 3]), np.random.default_rng(0))
    array([0, 1, 0])
    """
    uniform = rng.random(int(offsets[-1])).tolist()
    states = np.empty(len(uniform), dtype=np.intp)
    starts, moves = _steps(initial), _steps(transition)
    last = initial.shape[-1] - 1
    for begin, end in pairwise(offsets.tolist()):
        row = starts if initial.ndim == 1 else starts[begin]
        state = _within(row, uniform[begin], last)
        states[begin] = state
        for t in range(begin + 1, end):
            row = moves[state] if transition.ndim == 2 else moves[t][state]
            states[t] = state = _within(row, uniform[t], last)
    return states


def _steps(shares: Array) -> list:  # type: ignore[type-arg] # of floats, or of lists of them
    """Cumulative shares, those that are over above one."""
    total = np.cumsum(shares, axis=-1)
    total = total / total[..., -1:]
    return np.asarray(np.where(total >= total[..., -1:], 2.0, total)).tolist()


def _within(row: list[float], uniform: float, last: int) -> int:
    return min(bisect_right(row, uniform), last)
