r"""Moves per group (customer): every sequence has a transition matrix of its own, shrunk to the population's.

:math:`A_{ui}\sim\mathrm{Dirichlet}(s_i a_i)` for row i of sequence u: a local latent variable inside `infer`, as the weights of
:class:`~mixtura.structures.grouped.Grouped`. Given :math:`q(A_{ui})=\mathrm{Dirichlet}(\gamma_{ui})` the messages of a sequence
take :math:`\exp E[\log A_u]`, and :math:`\gamma_{ui}` is :math:`s_i a_i` plus the expected moves from i. Its mean
:math:`(s_i a_{ij} + N_{uij})/(s_i + N_{ui})` is shrunk: s rows of the population against the sequence's own ([1]_, [3]_). The
evidence of a sequence is the bound

.. math:: \log\sum_z \pi_{z_1}\prod_t e^{E[\log A_{u z_{t-1} z_t}]}\,p(x_t\mid z_t)
          - \sum_i\mathrm{KL}\{\mathrm{Dirichlet}(\gamma_{ui})\,\|\,\mathrm{Dirichlet}(s_i a_i)\}.

Given the expected moves N the best :math:`q(A)` leaves the logarithm of a Dirichlet-multinomial probability, whose slope and
curvature ([2]_) by :math:`p_{ij}=s_i a_{ij}` are sums over sequences,

.. math:: \sum_u \{E[\log A_{uij}] - \psi(p_{ij}) + \psi(s_i)\},\qquad
          \sum_u\{\psi'(\gamma_{uij}) - \psi'(p_{ij})\}\delta_{jl} + \psi'(s_i) - \psi'(s_i + N_{ui}),

and the M-step is a Newton step in the logarithms of p, upwards and by a factor of e at most in every direction of curvature, and
marked inexact. (The step that keeps the :math:`q(A)` is slow where s is large, for then these follow the population: customers
who are alike took more than 1000 passes, and take about 20.)
Only K x K numbers of each and the number of sequences cross batches, and the bound has an interior maximum in s. With s to
infinity the law is :class:`~mixtura.structures.markov.Markov`.

The file is long because the derivation and the whole contract of a structure stand beside the local loop and the step.

References
----------
.. [1] I. V. Cadez, P. Smyth, E. Ip and H. Mannila (2001), "Predictive profiles for transaction data using finite mixture models",
   University of California, Irvine, technical report 01-67.
.. [2] T. P. Minka (2000), "Estimating a Dirichlet distribution", section 2 on the Dirichlet-multinomial law.
.. [3] D. J. C. MacKay (1997), "Ensemble learning for hidden Markov models", University of Cambridge.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from mixtura.exceptions import InvalidParameterError
from mixtura.priors.dirichlet import MAX_CONCENTRATION, dirichlet_from_mean_log
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics
from mixtura.structures.grouped import offsets_of
from mixtura.structures.grouped_paths import GroupedPaths
from mixtura.structures.markov import Markov, expected_stays, refuse_laws, shares_from_logs, stationary
from mixtura.structures.moves import FreeMoves, alike, still_possible
from mixtura.structures.starts import FreeStart, KnownStart, StartLaw
from mixtura.structures.varying import smooth_varying

__all__ = ["GroupedChain", "GroupedMarkov"]

_SHARED = frozenset({"n_units"})
_PAIRED = frozenset({"log_moves", "curvature"})
# Logarithms of Dirichlet parameters move at most so far in one step, and not beyond the last sum of a row.
_FARTHEST = 1.0


class GroupedMarkov(GroupedPaths):
    """A hidden Markov chain in which every sequence has its own moves.

    Parameters
    ----------
    pseudo_count : ndarray, shape (K, K)
        s_i a_i: Dirichlet parameters of the rows, zero where a move is impossible.
    initial : ndarray, shape (K,)
        Probabilities of the first state, the same for all.
    start : StartLaw, default FreeStart()
        How these are learnt: freely, or not at all.
    learn : bool, default True
        Whether the sums s_i are learnt; False keeps them and learns the shares.
    local_steps : int, default 4
        Rounds of the local loop in a pass; the memory carries it on in the next pass.
    tol : float, default 1e-3
        The local loop stops when no expected number of moves changes by more.

    Examples
    --------
    >>> law = GroupedMarkov(np.array([[9.0, 1.0], [1.0, 1.0]]), np.array([0.5, 0.5]))
    >>> law.transition, law.concentration
    (array([[0.9, 0.1],
           [0.5, 0.5]]), array([10.,  2.]))
    """

    weights_inside = True
    sequential = True
    exact = False

    def __init__(
        self,
        pseudo_count: Array,
        initial: Array,
        *,
        start: StartLaw | None = None,
        learn: bool = True,
        local_steps: int = 4,
        tol: float = 1e-3,
    ) -> None:
        self.pseudo_count = np.asarray(pseudo_count, dtype=np.float64)
        self.initial = np.asarray(initial, dtype=np.float64)
        self.start = FreeStart() if start is None else start
        self.learn = learn
        self.local_steps = local_steps
        self.tol = tol

    def __repr__(self) -> str:
        return f"GroupedMarkov(K={self.n_components}, concentration={np.round(self.concentration, 3)})"

    @property
    def exchangeable(self) -> bool:
        """Whether states have no order: what is possible is the same for all."""
        return alike(self._possible) and alike(self.initial > 0 if self.start.learnt else self.initial)

    @property
    def n_components(self) -> int:
        """K, number of states."""
        return len(self.initial)

    @property
    def concentration(self) -> Array:
        """s_i, moves that the population counts for in every sequence's row, shape (K,)."""
        return np.asarray(self.pseudo_count.sum(axis=1))

    @property
    def transition(self) -> Array:
        """The population's moves a, shape (K, K)."""
        return self.pseudo_count / self.pseudo_count.sum(axis=1, keepdims=True)

    @property
    def weights(self) -> Array:
        """The population's long-run shares of the states, shape (K,)."""
        return stationary(self.transition, self.initial)

    @property
    def dwell_times(self) -> Array:
        """Expected number of rows of a stay in each state by the population's moves, shape (K,)."""
        return expected_stays(self.transition)

    @property
    def _possible(self) -> Array:
        return self.pseudo_count > 0

    def n_parameters(self) -> int:
        """Shares of the rows, their sums where these are learnt, and initial probabilities."""
        rows = int(np.count_nonzero(self._possible)) - (0 if self.learn else self.n_components)
        return rows + self.start.n_parameters(self.initial)

    def begun(self, offsets: Array) -> Array:
        """Dirichlet parameters (U, K, K) of sequences of which nothing is known yet but their length."""
        steps = np.maximum(np.diff(offsets) - 1, 0)
        return np.asarray(
            self.pseudo_count + steps[:, None, None] * (self.weights[:, None] * self.transition)
        )

    def group_transitions(self, memory: Mapping[str, Array]) -> Array:
        """Posterior mean moves of sequences, shape (U, K, K), from what a batch's memory holds."""
        moves = memory["moves"]
        return np.asarray(moves / moves.sum(axis=2, keepdims=True))

    def local(self, scores: Array, offsets: Array, moves: Array) -> tuple[Array, Array, Array]:
        """One round: bounds (U,) and smoothed probabilities (B, K) under laws `moves` (U, K, K), and the laws that follow."""
        expected = _expected_logs(moves, self._possible)
        matrices = np.exp(expected)
        unit = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        counts = np.zeros(moves.shape)
        scores = np.array(scores, dtype=np.float64)
        with np.errstate(divide="ignore"):
            scores[:, offsets[:-1]] += np.log(self.initial)[:, None]

        def moves_of(rows: slice) -> tuple[Array, Array]:
            own = unit[rows]
            return matrices[own[0] : own[-1] + 1], own - own[0]

        def collect(rows: slice, pairs: Array, moves: Array, which: Array) -> None:
            own = unit[rows]
            edges = np.flatnonzero(np.concatenate([[True], own[1:] != own[:-1]]))
            counts[own[edges]] += np.add.reduceat(pairs, edges, axis=0)

        log_evidence, smoothed = smooth_varying(scores, moves_of, offsets, collect)
        bound = log_evidence - _divergence(moves, self.pseudo_count, expected)
        return bound, smoothed, self.pseudo_count + counts

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Smoothed probabilities of rows and posterior laws of moves; ``memory["moves"]`` carries the latter."""
        offsets = offsets_of(batch, scores.shape[1])
        bound, smoothed, moves = self.looped(scores, offsets, memory.get("moves"))
        memory["moves"] = moves
        weight = batch.sample_weight[offsets[:-1]]
        resp = smoothed.T * batch.sample_weight
        logs = np.where(self._possible, _expected_logs(moves, self._possible), 0.0)
        slopes = polygamma(1, np.where(self._possible, moves, 1.0))
        sums = {
            "count": resp.sum(axis=1),
            "initial": resp[:, offsets[:-1]].sum(axis=1),
            "log_moves": np.einsum("u,uij->ij", weight, logs),
            "curvature": np.einsum("u,uij->ij", weight, slopes),
            "total_curvature": weight @ polygamma(1, moves.sum(axis=2)),
            "n_units": np.array([weight.sum()]),
        }
        evidence = np.where(weight > 0, bound, 0.0) * weight
        return Inference(evidence, resp, Statistics(sums, shared=_SHARED, paired=_PAIRED))

    def looped(
        self, scores: Array, offsets: Array, moves: Array | None = None, *, steps: int | None = None
    ) -> tuple[Array, Array, Array]:
        """The local loop: bounds (U,), smoothed probabilities (B, K), laws of moves (U, K, K)."""
        if moves is None or moves.shape != (len(offsets) - 1, *self.pseudo_count.shape):
            moves = self.begun(offsets)
        for _ in range(self.local_steps if steps is None else steps):
            used = moves
            bound, smoothed, moves = self.local(scores, offsets, used)
            if np.max(np.abs(moves - used)) < self.tol:
                break
        return bound, smoothed, moves

    def maximize(self, stats: Statistics) -> Self:
        """A Newton step of every row's law; without a curvature, the maximum given the sequences' expected log moves."""
        pseudo_count, n_units = self.pseudo_count.copy(), float(stats["n_units"][0])
        for i, possible in enumerate(self._possible):
            if np.count_nonzero(possible) == 1 or not n_units > 0:
                continue
            logs, own = stats["log_moves"][i, possible], pseudo_count[i, possible]
            curvatures = stats["curvature"][i, possible], float(stats["total_curvature"][i])
            found = _newton(own, logs, *curvatures, n_units, learn=self.learn)
            if found is None:
                found = dirichlet_from_mean_log(logs / n_units, None if self.learn else float(own.sum()))
            pseudo_count[i, possible] = found
        nothing = np.zeros(pseudo_count.shape)
        current = self.initial, np.eye(self.n_components)
        initial, _ = self.start.maximize(stats["initial"], nothing, FreeMoves(), current)
        return self.replace(pseudo_count, still_possible(initial, self.initial))

    def replace(self, pseudo_count: Array, initial: Array) -> Self:
        """The same settings with other laws."""
        new = copy.copy(self)
        new.pseudo_count = np.asarray(pseudo_count, dtype=np.float64)
        new.initial = np.asarray(initial, dtype=np.float64)
        return new

    def expected_log_prob(self, stats: Statistics) -> float:
        """Expected log density of the sequences' rows, and of first states."""
        possible = self._possible
        inside = np.where(possible, self.pseudo_count, 1.0)
        norm = float((gammaln(self.concentration) - gammaln(inside).sum(axis=1)).sum())
        own = float(np.sum(np.where(possible, (inside - 1.0) * stats["log_moves"], 0.0)))
        with np.errstate(divide="ignore"):
            first = np.where(stats["initial"] == 0, 0.0, np.log(self.initial)) * stats["initial"]
        return float(stats["n_units"][0]) * norm + own + float(first.sum())

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Halve a state: moves to it fall by a factor of two for each half."""
        halves = stats.take([*range(self.n_components), component])
        for index in (component, -1):
            halves["count"][index] *= 0.5
            halves["initial"][index] *= 0.5
            halves["log_moves"][:, index] -= np.log(2.0) * stats["n_units"][0]
        halves["curvature"][:] = np.nan  # of other laws: no Newton step from here
        return halves

    def coordinates(self) -> Array:
        """Logs of the Dirichlet parameters, and of the initial probabilities where these are learnt."""
        first = self.initial[self.initial > 0] if self.start.learnt else np.empty(0)
        return np.maximum(np.log(np.concatenate([self.pseudo_count[self._possible], first])), -700.0)

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; sums that are not learnt keep their values."""
        size = int(np.count_nonzero(self._possible))
        pseudo_count = np.zeros(self.pseudo_count.shape)
        pseudo_count[self._possible] = np.exp(vector[:size])
        if not self.learn:
            pseudo_count *= (self.concentration / pseudo_count.sum(axis=1))[:, None]
        initial = shares_from_logs(self.initial, vector[size:]) if self.start.learnt else self.initial
        return self.replace(pseudo_count, initial)

    def table(self) -> list[tuple[str, str, str, Array]]:
        """What a user reads of every state: the concentration of its row, where it is learnt."""
        return [("concentration", "", "", self.concentration)] if self.learn else []

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states; each row's concentration keeps its value."""
        index = np.asarray(components, dtype=np.intp)
        kept = self.pseudo_count[np.ix_(index, index)]
        kept[kept.sum(axis=1) == 0] = 1.0  # nowhere left to go: anywhere
        kept *= (self.concentration[index] / kept.sum(axis=1))[:, None]
        first = self.initial[index]
        first = first / first.sum() if first.sum() > 0 else np.full(len(index), 1.0 / len(index))
        new = self.replace(kept, first)
        new.start = self.start.take(index)
        return new


@dataclass(frozen=True)
class GroupedChain:
    """Setting of a hidden Markov model: every sequence has its own moves, shrunk to the population's.

    Parameters
    ----------
    concentration : float, default 10
        s: moves of the population that count in every row of a sequence; where a fit begins if it is learnt.
    learn : bool, default True
        Whether it is learnt, for every row.
    local_steps : int, default 4
        Rounds of the local loop in a pass.

    Examples
    --------
    >>> chain = Markov(np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> GroupedChain(5.0)(chain, 0)
    GroupedMarkov(K=2, concentration=[5. 5.])
    """

    concentration: float = 10.0
    learn: bool = True
    local_steps: int = 4

    def __call__(self, chain: Markov, n_covariates: int = 0) -> GroupedMarkov:
        """The structure whose population is `chain`."""
        refuse_laws(chain, "GroupedChain", KnownStart)
        if not self.concentration > 0:
            msg = f"GroupedChain: concentration is {self.concentration!r}; expected a number above 0."
            raise InvalidParameterError(msg)
        return GroupedMarkov(
            self.concentration * chain.transition,
            chain.initial,
            start=chain.start,
            learn=self.learn,
            local_steps=self.local_steps,
        )


def _newton(
    own: Array, logs: Array, curvature: Array, total: float, n_units: float, *, learn: bool
) -> Array | None:
    """Parameters of one row after a step in their logarithms; None where the curvature is not known."""
    size = float(own.sum())
    slope = own * (logs - n_units * (digamma(own) - digamma(size)))
    matrix = np.outer(own, own) * (n_units * float(polygamma(1, size)) - total)
    matrix[np.diag_indices(len(own))] += slope + own**2 * (curvature - n_units * polygamma(1, own))
    # Where sums are kept a step turns in the directions that keep them to first order.
    basis = np.eye(len(own)) if learn else np.linalg.svd(own[None] / size)[2][1:].T
    down = -basis.T @ matrix @ basis
    if not np.isfinite(down).all():
        return None
    curved, turned = np.linalg.eigh(down)
    along = (turned.T @ (basis.T @ slope)) / np.maximum(
        np.abs(curved), 1e-300
    )  # upwards where it curves upwards, too
    step = basis @ (turned @ np.clip(along, -_FARTHEST, _FARTHEST))
    new = own * np.exp(step)
    return np.asarray(new * min(1.0, MAX_CONCENTRATION / new.sum()) if learn else new * (size / new.sum()))


def _expected_logs(moves: Array, possible: Array) -> Array:
    """E[log A], (U, K, K), minus infinity where a move is impossible."""
    inside = np.where(possible, moves, 1.0)
    return np.where(possible, digamma(inside) - digamma(moves.sum(axis=2, keepdims=True)), -np.inf)


def _divergence(moves: Array, prior: Array, expected: Array) -> Array:
    """KL divergence of the laws of every sequence's rows from the population's, shape (U,)."""
    possible = prior > 0
    after, before = np.where(possible, moves, 1.0), np.where(possible, prior, 1.0)
    logs = np.where(possible, expected, 0.0)
    norm = gammaln(moves.sum(axis=2)) - gammaln(prior.sum(axis=1))
    inner = gammaln(before) - gammaln(after) + np.where(possible, moves - prior, 0.0) * logs
    return np.asarray((norm + inner.sum(axis=2)).sum(axis=1))
