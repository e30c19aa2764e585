r"""What chains with moves per group answer beside the E-step.

A belief holds the probabilities of the present state and the Dirichlet parameters of the sequence's own moves. Best and drawn
paths take the posterior means of the moves that the whole sequence tells. A filter may not: it learns the moves on the way, adding to
the parameters the expected move of every row, so that its scales are those of honest one-step predictions.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mixtura.protocols import Array, Batch
from mixtura.structures.grouped import offsets_of
from mixtura.structures.sequential import (
    ChainPaths,
    Filtered,
    Posterior,
    Step,
    WithoutPriors,
    simulated,
    weighed,
)

__all__ = ["GroupedPaths"]

# Rounds of the local loop where a sequence is asked about once.
_MOST_ROUNDS = 200


class GroupedPaths(ChainPaths, WithoutPriors):
    """The answers of :class:`mixtura.structures.sequential.Sequential`."""

    pseudo_count: Array
    initial: Array

    def looped(
        self, scores: Array, offsets: Array, moves: Array | None = None, *, steps: int | None = None
    ) -> tuple[Array, Array, Array]:
        """The local loop: bounds (U,), smoothed probabilities (B, K), laws of moves (U, K, K)."""
        raise NotImplementedError

    def starts_of(self, covariates: Array | None, /) -> Array:
        """The initial probabilities."""
        return self.initial

    def path_laws(self, scores: Array, batch: Batch) -> tuple[Array, Array, Array, Array]:
        """With the posterior mean moves of every sequence."""
        offsets = offsets_of(batch, scores.shape[1])
        moves = self.looped(scores, offsets, steps=_MOST_ROUNDS)[2]
        means = moves / moves.sum(axis=2, keepdims=True)
        return scores, self.initial, np.repeat(means, np.diff(offsets), axis=0), offsets

    def posterior(self, scores: Array, batch: Batch) -> Posterior:
        """Smoothed probabilities, and bounds of the log evidence."""
        bound, smoothed, _ = self.looped(scores, offsets_of(batch, scores.shape[1]), steps=_MOST_ROUNDS)
        return Posterior(bound, smoothed.T)

    def filtered(self, scores: Array, batch: Batch) -> Filtered:
        """Filtered probabilities; a belief holds what the whole sequence says of its last state and its moves."""
        offsets = offsets_of(batch, scores.shape[1])
        probabilities, scale = np.empty(scores.shape), np.empty(scores.shape[1])
        for start, stop in pairwise(offsets):
            belief = None
            for t in range(start, stop):
                belief, scale[t] = self.advance(belief, scores[:, t])
                probabilities[:, t] = self.marginal(belief)
        _, smoothed, moves = self.looped(scores, offsets, steps=_MOST_ROUNDS)
        last = smoothed[offsets[1:] - 1]
        return Filtered(probabilities, scale, np.concatenate([last, moves.reshape(len(moves), -1)], axis=1))

    def predicted(self, scores: Array, batch: Batch) -> Array:
        """p(z_t | x_1, ..., x_{t-1}), shape (K, B)."""
        found = np.empty(scores.shape)
        for start, stop in pairwise(offsets_of(batch, scores.shape[1])):
            belief = None
            for t in range(start, stop):
                found[:, t] = self.initial if belief is None else self.forecast(belief, 1)[0]
                belief = self.advance(belief, scores[:, t]).belief
        return found

    def sample_states(
        self, offsets: Array, rng: np.random.Generator, covariates: Array | None = None
    ) -> Array:
        """Paths of new sequences, each with moves drawn from the population's law."""
        states = np.empty(int(offsets[-1]), dtype=np.intp)
        for start, stop in pairwise(offsets):
            drawn = np.where(
                self.pseudo_count > 0, np.maximum(rng.standard_gamma(self.pseudo_count), 1e-300), 0.0
            )
            states[start:stop] = simulated(self.initial, drawn, np.array([0, stop - start]), rng)
        return states

    def advance(self, belief: Array | None, scores: Array, covariates: Array | None = None) -> Step:
        """Take in a row, and learn from it how the sequence moves."""
        if belief is None:
            share, scale = weighed(self.initial, scores)
            return Step(np.concatenate([share, self.pseudo_count.ravel()]), scale)
        share, moves = self._parted(belief)
        pairs = share[:, None] * moves / moves.sum(axis=1, keepdims=True)
        after, scale = weighed(pairs.ravel(), np.tile(scores, len(share)))
        pairs = after.reshape(pairs.shape)
        return Step(np.concatenate([pairs.sum(axis=0), (moves + pairs).ravel()]), scale)

    def marginal(self, belief: Array) -> Array:
        """Probabilities (K,) of the present state."""
        return self._parted(belief)[0]

    def forecast(self, belief: Array, n_steps: int, covariates: Array | None = None) -> Array:
        """Probabilities of the states after the belief's row, shape (n_steps, K), by the mean of the sequence's moves."""
        share, moves = self._parted(belief)
        means, ahead = moves / moves.sum(axis=1, keepdims=True), np.empty((n_steps, len(share)))
        for t in range(n_steps):
            ahead[t] = share = share @ means
        return ahead

    def _parted(self, belief: Array) -> tuple[Array, Array]:
        """Probabilities of the state (K,), and Dirichlet parameters of the moves (K, K)."""
        size = len(self.initial)
        return belief[:size], belief[size:].reshape(size, size)
