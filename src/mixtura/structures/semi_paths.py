"""What hidden semi-Markov chains answer beside the E-step: filters, paths, simulation, forecasts; beliefs are over state and age."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mixtura.protocols import Array, Batch
from mixtura.structures.grouped import offsets_of
from mixtura.structures.semi_messages import SemiLaws, ahead, backwards, forwards, smooth_semi
from mixtura.structures.sequential import Filtered, Path, Posterior, Step, weighed

__all__ = ["SemiPaths"]


class SemiPaths:
    """The answers of :class:`mixtura.structures.sequential.Sequential`; a belief is a table (K, D), as one vector."""

    @property
    def laws(self) -> SemiLaws:
        """What paths are weighed with."""
        raise NotImplementedError

    def posterior(self, scores: Array, batch: Batch) -> Posterior:
        """Smoothed probabilities."""
        offsets = offsets_of(batch, scores.shape[1])
        found = smooth_semi(scores, self.laws, offsets, np.ones(scores.shape[1]))
        return Posterior(found.log_evidence, found.smoothed.T)

    def filtered(self, scores: Array, batch: Batch) -> Filtered:
        """Filtered probabilities; a belief is over state and age."""
        offsets, laws = offsets_of(batch, scores.shape[1]), self.laws
        found = forwards(scores, laws, offsets)
        if found.positive:
            return Filtered(found.filtered.T, found.log_scale, found.beliefs.reshape(len(found.beliefs), -1))
        filtered, scale, beliefs = np.empty(scores.shape), np.empty(scores.shape[1]), []
        for start, stop in pairwise(offsets):  # impossible rows are passed over
            belief = None
            for t in range(start, stop):
                belief, scale[t] = self.advance(belief, scores[:, t])
                filtered[:, t] = self.marginal(belief)
            beliefs.append(belief)
        return Filtered(filtered, scale, np.array(beliefs))

    def predicted(self, scores: Array, batch: Batch) -> Array:
        """p(z_t | x_1, ..., x_{t-1}), shape (K, B)."""
        offsets, laws = offsets_of(batch, scores.shape[1]), self.laws
        found = np.empty(scores.shape)
        shape = laws.hazard.shape
        for start, stop in pairwise(offsets):
            belief = None
            for t in range(start, stop):
                before = self._begun() if belief is None else ahead(belief.reshape(shape), laws)
                found[:, t] = before.sum(axis=1) / before.sum()
                belief = self._seen(before, scores[:, t]).belief
        return found

    def _begun(self) -> Array:
        """What is known before a sequence, (K, D)."""
        laws = self.laws
        belief = np.zeros(laws.hazard.shape)
        belief[:, 0] = laws.initial
        return belief

    def _seen(self, before: Array, scores: Array) -> Step:
        return weighed(before.ravel(), np.repeat(scores, before.shape[1]))

    def advance(self, belief: Array | None, scores: Array, covariates: Array | None = None) -> Step:
        """Take in a row; None begins a sequence."""
        laws = self.laws
        before = self._begun() if belief is None else ahead(belief.reshape(laws.hazard.shape), laws)
        return self._seen(before, scores)

    def marginal(self, belief: Array) -> Array:
        """Probabilities (K,) of the present state."""
        return np.asarray(belief.reshape(self.laws.hazard.shape).sum(axis=1))

    def forecast(self, belief: Array, n_steps: int, covariates: Array | None = None) -> Array:
        """Probabilities of the states after the belief's row, shape (n_steps, K)."""
        laws = self.laws
        table, found = belief.reshape(laws.hazard.shape), np.empty((n_steps, len(laws.initial)))
        for t in range(n_steps):
            table = ahead(table, laws)
            table = table / table.sum()
            found[t] = table.sum(axis=1)
        return found

    def viterbi(self, scores: Array, batch: Batch) -> Path:
        """The most probable paths of states, each with its most probable cut into segments."""
        offsets = offsets_of(batch, scores.shape[1])
        with np.errstate(divide="ignore"):
            logs = SemiLaws(*map(np.log, self.laws))
            stay = np.log1p(-self.laws.hazard)
        states, joint = np.empty(scores.shape[1], dtype=np.intp), np.empty(len(offsets) - 1)
        for unit, (start, stop) in enumerate(pairwise(offsets)):
            joint[unit], states[start:stop] = _best(scores[:, start:stop], logs, stay)
        return Path(states, joint)

    def draw_states(self, scores: Array, batch: Batch, rng: np.random.Generator, n_paths: int = 1) -> Array:
        """Paths drawn from their law given all rows, shape (n_paths, B)."""
        offsets, laws = offsets_of(batch, scores.shape[1]), self.laws
        found = forwards(scores, laws, offsets)
        states = np.empty((n_paths, scores.shape[1]), dtype=np.intp)
        last = set((offsets[1:] - 1).tolist())
        at = np.zeros((n_paths, 2), dtype=np.intp)  # state and age of the row after
        for rows, _, kept in backwards(found, laws, offsets):
            for t in range(rows.stop - 1, rows.start - 1, -1):
                belief = kept[t - rows.start]
                for path in range(n_paths):
                    weight = belief if t in last else belief * _onward(laws, *at[path])
                    total = np.cumsum(weight)
                    drawn = np.searchsorted(total, rng.random() * total[-1], side="right")
                    at[path] = np.unravel_index(min(int(drawn), total.size - 1), weight.shape)
                states[:, t] = at[:, 0]
        return states

    def sample_states(
        self, offsets: Array, rng: np.random.Generator, covariates: Array | None = None
    ) -> Array:
        """Paths of new sequences, shape (B,)."""
        initial, transition, hazard = self.laws
        states = np.empty(int(offsets[-1]), dtype=np.intp)
        first, moves = np.cumsum(initial), np.cumsum(transition, axis=1)
        for start, stop in pairwise(offsets.tolist()):
            state, age = _drawn(first, rng), 0
            for t in range(start, stop):
                states[t] = state
                if rng.random() < hazard[state, age]:
                    state, age = _drawn(moves[state], rng), 0
                else:
                    age = min(age + 1, hazard.shape[1] - 1)
        return states


def _drawn(cumulative: Array, rng: np.random.Generator) -> int:
    """A state from cumulative weights."""
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


def _onward(laws: SemiLaws, state: int, age: int) -> Array:
    """Weights (K, D) of the row before one of this state and age."""
    weight: Array = np.zeros(laws.hazard.shape)
    oldest = weight.shape[1] - 1
    if age == 0:
        weight += laws.hazard * laws.transition[:, [state]]
    if age > 0:
        weight[state, age - 1] += 1.0 - laws.hazard[state, age - 1]
    if age == oldest:
        weight[state, oldest] += 1.0 - laws.hazard[state, oldest]
    return weight


def _best(scores: Array, logs: SemiLaws, stay: Array) -> tuple[float, Array]:
    """Log joint density and states of the best path of one sequence; -1 where none is possible."""
    n_components, n_rows = scores.shape
    n_ages = stay.shape[1]
    value: Array = np.full((n_components, n_ages), -np.inf)
    value[:, 0] = logs.initial + scores[:, 0]
    # Of each row: at which age each state would best have ended before it, from which state each would best begin, and whether the
    # oldest was oldest before.
    ended, begun = (np.zeros((n_rows, n_components), dtype=np.intp) for _ in range(2))
    old = np.zeros((n_rows, n_components), dtype=np.bool_)
    every = np.arange(n_components)
    for t in range(1, n_rows):
        ends = value + logs.hazard
        ended[t] = ends.argmax(axis=1)
        moves = ends[every, ended[t]][:, None] + logs.transition
        begun[t] = moves.argmax(axis=0)
        goes_on = value + stay
        fresh = np.full(value.shape, -np.inf)
        fresh[:, 1:] = goes_on[:, :-1]
        fresh[:, 0] = moves[begun[t], every]
        old[t] = goes_on[:, -1] > fresh[:, -1]
        fresh[:, -1] = np.maximum(fresh[:, -1], goes_on[:, -1])
        value = fresh + scores[:, t, None]
    best = float(value.max())
    path = np.full(n_rows, -1, dtype=np.intp)
    if best == -np.inf:
        return best, path
    state, age = (int(i) for i in np.unravel_index(value.argmax(), value.shape))
    for t in range(n_rows - 1, -1, -1):
        path[t] = state
        if age == n_ages - 1 and old[t, state]:
            continue
        if age == 0:
            before = int(begun[t, state])
            state, age = before, int(ended[t, before])
        else:
            age -= 1
    return best, path
