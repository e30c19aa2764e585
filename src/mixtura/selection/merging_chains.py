r"""What merging the states of a hidden Markov chain costs.

The posterior law of a sequence's path is a Markov chain itself, with pair probabilities
:math:`\xi_t(i,j)=p(z_{t-1}=i, z_t=j\mid x)` and :math:`\gamma_t(i)=p(z_t=i\mid x)`. Merged states have sums of these, and of all laws
of paths with such pairs the Markov chain is the least certain one. It gives the bound of a partition of the states

.. math:: L = \sum_k\langle S_k,\hat\theta_k\rangle + \sum_k n_k\log\frac{n_k}{U} + \sum_{ij} N_{ij}\log\frac{N_{ij}}{N_i}
          + \sum_{t\ge2} H(\xi_t) - \sum_{1<t<T} H(\gamma_t),

with first states n, moves N (sums of pairs along both axes) and entropies H of the merged probabilities. All states apart it is the
log-likelihood (for parameters that maximise it); of any level it is at most the log-likelihood of the chain of merged states.

Pairs are not kept: with what the past says, f (the filter), they are
:math:`\xi_t(i,j)=f_{t-1}(i)A_{ij}\gamma_t(j)/\sum_i f_{t-1}(i)A_{ij}` ([1]_, equation 13.65, with the filter's normaliser), so the
memory holds two numbers for every row and state.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 13.2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import xlogy

from mixtura.exceptions import InvalidDataError
from mixtura.inference.initialize import from_responsibilities
from mixtura.inference.problem import Problem
from mixtura.protocols import Array, Batch, Memory
from mixtura.selection.merging import Law, added, shares_of_rows
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture, Markov
from mixtura.structures.grouped import offsets_of
from mixtura.structures.latent_mixture import observed, restricted
from mixtura.structures.moves import FreeMoves, over_sums
from mixtura.structures.paths import filtered

__all__ = ["ChainLaw", "path_entropies"]

# Numbers of a block of pairs: 2 MB, which the cache holds.
_BLOCK = 250_000
_SMALLEST = 1e-300


@dataclass(frozen=True)
class ChainLaw(Law):
    """First states and moves: sum of n log n over their shares.

    Parameters
    ----------
    initial : ndarray, shape (C,)
        Expected first states in every cluster.
    moves : ndarray, shape (C, C)
        Expected moves between clusters.
    transition : ndarray, shape (K, K)
        The fitted chain's, whose states are merged.
    """

    initial: Array
    moves: Array
    transition: Array

    coupled = True

    def value(self, members: Array) -> float:
        """Of shares of first states and of moves from every state."""
        first, left = self.initial.sum(), self.moves.sum(axis=1)
        starts = np.sum(xlogy(self.initial, self.initial)) - xlogy(first, first)
        return float(starts + np.sum(xlogy(self.moves, self.moves)) - np.sum(xlogy(left, left)))

    def gains(self, members: Array, one: int) -> Array:
        """What merging `one` with every other state adds; never above zero, since the merged law knows less."""
        now, others = self.value(members), range(len(self.initial))
        return np.array(
            [0.0 if k == one else self.merged(min(one, k), max(one, k)).value(members) - now for k in others]
        )

    def after(self, first: Statistics) -> ChainLaw:
        """With the sums of the first pass."""
        sums = first.parts["structure"]
        return replace(self, initial=sums["initial"], moves=sums[next(iter(sums.paired))])

    def merged(self, one: int, other: int) -> ChainLaw:
        """First states add, and moves along both axes."""
        moves = added(added(self.moves, one, other).T, one, other).T
        return replace(self, initial=added(self.initial, one, other), moves=moves)

    def structure(self, structure: Any, labels: Array, count: Array) -> Markov:
        """The chain of the clusters, free in its starts and moves."""
        member = np.eye(int(labels.max()) + 1)[labels]
        initial, moves = self.initial @ member, member.T @ self.moves @ member
        even = np.full(moves.shape, 1.0 / len(moves))  # of a state that is never left nothing is known
        return Markov(initial / initial.sum(), FreeMoves().maximize(moves, even))

    def start(self, model: LatentMixture, labels: Array, weights: Array, problem: Problem) -> LatentMixture:
        """Components from the smoothed probabilities; of another chain also the merged moves, as far as its laws admit them."""
        resp = shares_of_rows(model, labels, problem)
        if problem.seen is not None:
            resp *= problem.seen[:, None]
        begun = from_responsibilities(
            resp, problem.source(), problem.components, problem.structure, problem.encoding
        )
        chain: Any = begun.structure
        if not isinstance(chain, Markov):
            return begun
        merged = self.structure(model.structure, labels, weights)
        moves = chain.moves.admitted(np.where(chain.transition > 0, merged.transition, 0.0))
        moves = over_sums(moves, chain.transition)
        return replace(begun, structure=chain.replace(chain.start.follow(merged.initial, moves), moves))

    def first_pass(self, model: LatentMixture) -> Callable[[Batch, Memory], Statistics]:
        """The pass over the rows."""
        return CollectSteps(model)

    def pass_of_merge(self, one: int, other: int, labels: Array) -> Callable[[Batch, Memory], Statistics]:
        """The pass over the memory."""
        return JoinSteps(labels, self.transition)


@dataclass(frozen=True)
class CollectSteps:
    """The first pass: statistics, entropies of all pairs of states, and what pairs are made of into the memory.

    Parameters
    ----------
    model : LatentMixture
        The chain.
    """

    model: LatentMixture

    def __call__(self, batch: Batch, memory: Memory) -> Statistics:
        """Sums of a batch: as `mixtura.selection.merging.Collect`, with ``structure`` among the parts."""
        components = self.model.components
        structure: Any = self.model.structure
        block = components.encode(batch.x, self.model.encoding)
        scores = restricted(components.log_prob(block), batch)
        weight, size = batch.sample_weight, self.model.n_components
        offsets = offsets_of(batch, len(weight))
        memory["before"] = filtered(scores, structure.initial, structure.transition, offsets)[1]
        log_evidence, resp, sums = structure.infer(scores.copy(), batch, {})
        lost = np.flatnonzero(~np.isfinite(log_evidence))
        if lost.size:
            msg = (
                f"Sequence {lost[0]} of batch {batch.id} has log-likelihood {log_evidence[lost[0]]} under the fitted chain; expected a "
                "finite number. Give the sequences that it was fitted to, or leave out those that it cannot have."
            )
            raise InvalidDataError(msg)
        memory["share"] = np.divide(resp, weight, out=np.zeros_like(resp), where=weight > 0).T.copy()
        entropy, saved = path_entropies(memory, weight, offsets, structure.transition, np.arange(size))
        return Statistics(
            {
                "count": resp.sum(axis=1),
                "entropy": np.array([entropy]),
                "saved": saved,
                "gained": np.zeros((size, size)),
                "scored": np.array([np.sum(resp * np.where(resp > 0, scores, 0.0))]),
            },
            log_evidence=float(log_evidence.sum()),
            weight=float(weight.sum()),
            parts={
                "components": components.expected_statistics(block, observed(resp, batch)),
                "structure": sums,
            },
        )


@dataclass(frozen=True)
class JoinSteps:
    """The pass of a merge, over the memory alone.

    Parameters
    ----------
    labels : ndarray of int, shape (K,)
        Cluster of every state, after the merge.
    transition : ndarray, shape (K, K)
        The fitted chain's.
    """

    labels: Array
    transition: Array

    def __call__(self, batch: Batch, memory: Memory) -> Statistics:
        """``saved`` of all pairs of clusters: every merge changes it for all."""
        weight = batch.sample_weight
        offsets = offsets_of(batch, len(weight))
        _, saved = path_entropies(memory, weight, offsets, self.transition, self.labels)
        return Statistics({"saved": saved})


def path_entropies(
    memory: Memory, weight: Array, offsets: Array, transition: Array, labels: Array
) -> tuple[float, Array]:
    """Entropy of the paths of clusters, given the sums of pairs, and its fall when two clusters are merged.

    Parameters
    ----------
    memory : mapping
        ``before`` and ``share``, each (B, K): the filter, and smoothed probabilities.
    weight : ndarray, shape (B,)
        Weights of the rows.
    offsets : ndarray, shape (U + 1,)
        Where sequences begin.
    transition : ndarray, shape (K, K)
        The fitted chain's.
    labels : ndarray of int, shape (K,)
        Cluster of every state.

    Returns
    -------
    entropy : float
        Weighted sum over the sequences, nats.
    saved : ndarray, shape (C, C)
        What merging two clusters takes from it. Below zero where the chain of merged states knows less of the path than the states
        did: it forgets from which of the two a move came.
    """
    first, last = np.zeros((2, len(weight)), dtype=bool)
    first[offsets[:-1]] = last[offsets[1:] - 1] = True
    member = np.eye(int(labels.max()) + 1)[labels]
    # Rows inside a sequence are counted in two pairs; a sequence of one row has none.
    times = np.where(first & last, 1.0, np.where(first | last, 0.0, -1.0)) * weight
    entropy, saved = _of_states(memory["share"] @ member, times)
    for pairs, own in _pairs(memory, weight, first, transition, member):
        more, fall = _of_pairs(pairs, own)
        entropy, saved = entropy + more, saved + fall
    return entropy, saved


def _pairs(
    memory: Memory, weight: Array, first: Array, transition: Array, member: Array
) -> Iterator[tuple[Array, Array]]:
    """Pair probabilities of clusters, (C, C, rows), and the rows' weights, block by block."""
    into = np.flatnonzero(~first & (weight > 0))
    states = [np.flatnonzero(column) for column in member.T]
    size = max(_BLOCK // len(states) ** 2, 1)
    for start in range(0, len(into), size):
        rows = into[start : start + size]
        before = np.ascontiguousarray(memory["before"][rows - 1].T)
        ahead = transition.T @ before
        ratio = np.divide(memory["share"][rows].T, ahead, out=np.zeros_like(ahead), where=ahead > 0)
        yield (
            np.stack([member.T @ ((transition[own].T @ before[own]) * ratio) for own in states]),
            weight[rows],
        )


def _of_states(share: Array, times: Array) -> tuple[float, Array]:
    """Of probabilities of states, (B, C)."""
    own = times @ _x_log_x(share)
    saved = np.zeros((len(own), len(own)))
    for one in range(len(own) - 1):
        joined = share[:, [one]] + share[:, one + 1 :]
        saved[one, one + 1 :] = times @ _x_log_x(joined) - own[one] - own[one + 1 :]
    return -float(own.sum()), saved + saved.T


def _of_pairs(pairs: Array, weight: Array) -> tuple[float, Array]:
    """Of probabilities of pairs, (C, C, B): merging two changes two rows, two columns, and where these cross."""
    size = len(pairs)
    own = _x_log_x(pairs) @ weight
    lines = own.sum(axis=1) + own.sum(axis=0)
    saved = np.zeros((size, size))
    turned = np.ascontiguousarray(pairs.transpose(1, 0, 2))
    for one in range(size - 1):
        others = np.arange(one + 1, size)
        place = np.arange(len(others))
        crossing, joined = np.zeros((len(others), len(weight))), np.zeros(len(others))
        for table in (pairs, turned):
            union = table[one] + table[one + 1 :]
            crossing += union[:, one] + union[place, others]
            union[:, one] = union[place, others] = 0.0
            joined += (_x_log_x(union) @ weight).sum(axis=1)
        crossing *= 0.5  # rows and columns both hold the four cells where they cross
        joined += _x_log_x(crossing) @ weight
        parts = lines[one] + lines[others] - own[one, one] - own[others, others]
        saved[one, others] = joined - (parts - own[one, others] - own[others, one])
    return -float(own.sum()), saved + saved.T


def _x_log_x(x: Array) -> Array:
    """x log x of many numbers of at least zero, zero of zero; quicker than SciPy's xlogy, which looks at every number."""
    return np.asarray(x * np.log(np.maximum(x, _SMALLEST)))
