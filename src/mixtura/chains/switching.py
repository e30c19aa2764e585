r"""Switching linear dynamical systems as a `Model`: a hidden Markov chain of regimes says how a hidden Gaussian state moves.

.. math::

    p(s_t \mid s_{t-1}) = \text{a Markov chain}, \qquad z_t = A_{s_t} z_{t-1} + b_{s_t} + N(0, Q_{s_t}), \qquad
    x_t = C z_t + d + N(0, R), \; R \text{ diagonal}.

The exact posterior is a mixture of :math:`K^T` Gaussians. The E-step takes the closest law of the form q(s) q(z), regimes and states
independent of each other but each with all its own dependence over time (structured variational inference, [1]_, [2]_ section 13.3):
given q(s) the state is a Gaussian chain with expected quadratic terms (:mod:`mixtura.chains.tridiagonal`); given q(z) the regimes are a
hidden Markov chain whose scores are expected log densities of the moves. The two are found in turn, in a loop of bounded length; each turn
raises the bound

.. math:: \log p(x) \ge E_q[\log p(x, z, s)] + H[q(z)] + H[q(s)],

and so does the M-step, and q(s) is remembered from pass to pass, so the bound never falls. Where nothing is remembered, the scores of the
first turns are damped, so that regimes are not decided before the states are known (deterministic annealing).

References
----------
.. [1] Z. Ghahramani and G. E. Hinton (2000), Variational learning for switching state-space models, Neural Computation 12(4), 831-864.
.. [2] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 13.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from mixtura.chains.switching_parts import First, Look, Motions
from mixtura.chains.tridiagonal import Moments, moments
from mixtura.protocols import Array, Batch, Memory
from mixtura.statistics import Statistics
from mixtura.structures.grouped import offsets_of
from mixtura.structures.markov import Markov

__all__ = ["Posterior", "SwitchingChain"]

# Turns of a pass that remembers, of one that does not, and the gain per row at which they end.
_TURNS, _COLD_TURNS, _ENOUGH = 3, 40, 1e-7
# Factors of the first turns' scores where nothing is remembered.
_DAMPED = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7)
_SHARED = frozenset({"look_count", "look_xx", "look_x", "look_zz", "first_count", "first_z", "first_zz"})


class Posterior(NamedTuple):
    """The variational law of a batch.

    Parameters
    ----------
    bound : ndarray, shape (U,)
        Of every sequence's log evidence.
    regimes : ndarray, shape (K, B)
        Probabilities of the regimes, without weights; that of a sequence's first row tells of no move.
    states : Moments
        The Gaussian chain.
    sums : Statistics
        Of the regimes' Markov chain, with weights.
    """

    bound: Array
    regimes: Array
    states: Moments
    sums: Statistics


@dataclass(frozen=True)
class SwitchingChain:
    """A switching linear dynamical system.

    Parameters
    ----------
    regimes : Markov
        The law of the regimes.
    motions : Motions
        How the state moves in each.
    look : Look
        What it shows.
    first : First
        The law of the first state.

    Examples
    --------
    >>> chain = SwitchingChain(
    ...     Markov(np.ones(1), np.ones((1, 1))),
    ...     Motions(np.array([[[0.5, 0.0]]]), np.ones((1, 1, 1)), 1e-9),
    ...     Look(np.array([[1.0, 0.0]]), np.ones(1), np.full(1, 1e-9)),
    ...     First(np.zeros(1), np.ones((1, 1)), 1e-9),
    ... )
    >>> rows = Batch(np.array([[1.0, -1.0]]), np.ones(2), np.array([0, 2]))
    >>> round(chain.summarize(rows, {}).log_evidence, 10)  # one regime: exact
    -3.1789836167
    """

    regimes: Markov
    motions: Motions
    look: Look
    first: First

    @property
    def exact(self) -> bool:
        """Every step raises the bound."""
        return self.regimes.exact

    @property
    def n_components(self) -> int:
        """K, number of regimes."""
        return self.regimes.n_components

    def infer(self, batch: Batch, regimes: Array | None = None) -> Posterior:
        """The law q(s) q(z) of a batch.

        Parameters
        ----------
        batch : Batch
            Sequences one after the other: x (D, B), NaN where a cell is missing.
        regimes : ndarray, shape (K, B), optional
            Probabilities to begin with; None: a damped beginning.
        """
        offsets = offsets_of(batch, batch.x.shape[1])
        there = ~np.isnan(batch.x)
        if batch.seen is not None:
            there &= batch.seen
        given = self._given(batch.x, there, offsets)
        plain = replace(batch, sample_weight=np.ones(batch.x.shape[1]))
        inside = np.ones(batch.x.shape[1], dtype=bool)
        inside[offsets[:-1]] = False  # rows into which there is a move
        damping = (*_DAMPED, *[1.0] * _COLD_TURNS) if regimes is None else (1.0,) * _TURNS
        probabilities = self._prior(plain) if regimes is None else regimes
        before, bound = -np.inf, np.empty(0)
        for turn, factor in enumerate(damping):
            states = self._states(given, probabilities, inside, offsets)
            scores = np.where(inside, self.motions.scores(*_products(states)), 0.0)
            expected = np.add.reduceat((probabilities * scores).sum(axis=0), offsets[:-1])
            last = turn == len(damping) - 1
            found = self.regimes.infer(factor * scores, plain, {})
            probabilities = found.resp
            bound = states.log_normalizer - expected + found.log_evidence
            whole = float(bound.sum())
            if factor == 1.0 and (whole - before <= _ENOUGH * len(inside) or last):
                break
            before = whole if factor == 1.0 else -np.inf
        sums = self.regimes.infer(scores.copy(), batch, {}).statistics
        return Posterior(bound, probabilities, states, sums)

    def _prior(self, batch: Batch) -> Array:
        """Probabilities of the regimes before anything is seen."""
        blank = np.zeros((self.n_components, len(batch.sample_weight)))
        return self.regimes.infer(blank, batch, {}).resp

    def _given(self, x: Array, there: Array, offsets: Array) -> tuple[Array, Array, Array]:
        """Terms of observations and first states: these do not depend on the regimes."""
        quadratic, linear, constant = self.look.terms(x, there)
        own, pull, rest = self.first.terms()
        quadratic[offsets[:-1]] += own
        linear[offsets[:-1]] += pull
        constant[offsets[:-1]] += rest
        return quadratic, linear, constant

    def _states(
        self, given: tuple[Array, Array, Array], regimes: Array, inside: Array, offsets: Array
    ) -> Moments:
        """q(z) given the probabilities of the regimes."""
        size, weight = self.motions.covariances.shape[1], np.where(inside, regimes, 0.0)
        now = np.einsum("kb,kij->bij", weight, self.motions.precisions)
        cross = np.einsum("kb,kij->bij", weight, self.motions.crossed)
        before = np.einsum("kb,kij->bij", weight, self.motions.quadratic)
        quadratic, linear, constant = (part.copy() for part in given)
        quadratic += now
        linear += cross[:, :, size]
        quadratic[:-1] += before[1:, :size, :size]
        linear[:-1] -= before[1:, :size, size]
        constant -= 0.5 * before[:, size, size] + weight.T @ self.motions.constants
        found = moments(quadratic, -cross[:, :, :size], linear, offsets)
        return found._replace(log_normalizer=found.log_normalizer + np.add.reduceat(constant, offsets[:-1]))

    def summarize(self, batch: Batch, memory: Memory) -> Statistics:
        """Expected statistics under q(s) q(z), and the bound.

        Parameters
        ----------
        batch : Batch
            Sequences.
        memory : dict
            Keeps the probabilities of the regimes.
        """
        found = self.infer(batch, memory.get("regimes"))
        memory["regimes"] = found.regimes
        offsets = offsets_of(batch, batch.x.shape[1])
        there = ~np.isnan(batch.x)
        if batch.seen is not None:
            there &= batch.seen
        now, cross, before = _products(found.states)
        weight, starts = batch.sample_weight, offsets[:-1]
        moving = found.regimes * weight
        moving[:, starts] = 0.0
        mean = np.column_stack([found.states.mean, np.ones(len(weight))])
        second = np.zeros((len(weight), mean.shape[1], mean.shape[1]))
        second[:, :-1, :-1], second[:, -1], second[:, :, -1] = now, mean, mean
        first = weight[starts]
        sums = {
            "moves": moving.sum(axis=1),
            "now": np.einsum("kb,bij->kij", moving, now),
            "cross": np.einsum("kb,bij->kij", moving, cross),
            "before": np.einsum("kb,bij->kij", moving, before),
            **self.look.sums(batch.x, there, mean, second, weight),
            "first_count": np.array([first.sum()]),
            "first_z": first @ found.states.mean[starts],
            "first_zz": np.einsum("u,uij->ij", first, now[starts]),
        }
        return Statistics(
            sums,
            log_evidence=float(first @ found.bound),
            weight=float(weight.sum()),
            parts={"regimes": found.sums},
            shared=_SHARED,
        )

    def maximize(self, stats: Statistics) -> Self:
        """The M-step: a Markov chain, K regressions of states on states, D of columns on states, a mean and a covariance."""
        return replace(
            self,
            regimes=self.regimes.maximize(stats.parts["regimes"]),
            motions=self.motions.maximize(stats),
            look=self.look.maximize(stats),
            first=self.first.maximize(stats),
        )

    def penalty(self) -> float:
        """Nothing: no parameter has a prior."""
        return 0.0

    def expected_log_prob(self, stats: Statistics) -> float:
        """Expected log probability of observations, states and regimes."""
        parts = (self.motions, self.look, self.first)
        whole = sum(part.expected_log_prob(stats) for part in parts)
        return whole + self.regimes.expected_log_prob(stats.parts["regimes"])

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the regimes."""
        index = np.asarray(components, dtype=np.intp)
        return replace(self, regimes=self.regimes.take(index), motions=self.motions.take(index))

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Halve a regime in two that move alike and come and go alike."""
        size = self.n_components
        halves = stats.take([*range(size), component])
        for name in ("moves", "now", "cross", "before"):
            halves[name][[component, size]] *= 0.5
        halves.parts["regimes"] = self.regimes.split(stats.parts["regimes"], component)
        return halves

    def coordinates(self) -> Array:
        """All parameters as one vector."""
        return np.concatenate(
            [part.coordinates() for part in (self.regimes, self.motions, self.look, self.first)]
        )

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        names = ("regimes", "motions", "look", "first")
        sizes = [len(getattr(self, name).coordinates()) for name in names]
        pieces = np.split(vector, np.cumsum(sizes)[:-1])
        made = {
            name: getattr(self, name).from_coordinates(piece)
            for name, piece in zip(names, pieces, strict=True)
        }
        return replace(self, **made)


def _products(states: Moments) -> tuple[Array, Array, Array]:
    """Expected z_t z_t', z_t [z_{t-1}, 1]' and [z_{t-1}, 1] [z_{t-1}, 1]'; those of first rows are not looked at."""
    n_rows, size = states.mean.shape
    now = states.covariance + states.mean[:, :, None] * states.mean[:, None, :]
    cross, before = np.zeros((n_rows, size, size + 1)), np.zeros((n_rows, size + 1, size + 1))
    cross[1:, :, :size] = states.lagged[1:] + states.mean[1:, :, None] * states.mean[:-1, None, :]
    cross[:, :, size] = states.mean
    before[1:, :size, :size] = now[:-1]
    before[1:, :size, size] = before[1:, size, :size] = states.mean[:-1]
    before[:, size, size] = 1.0
    return now, cross, before
