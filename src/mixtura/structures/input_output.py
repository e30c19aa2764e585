r"""Chains whose moves depend on covariates (input-output hidden Markov models): a multinomial logit for every row of moves.

With u a 1 followed by the covariates of the row that is entered,

.. math:: A_{ij}(u) = e^{c_{ij}^T u}\Big/\sum_l e^{c_{il}^T u},\qquad c_{ii} = 0,

([1]_, section III). Each state's M-step is a weighted multinomial logit: a mixture's concomitant weights, in which the rows weigh
what the smoothed probability of the state before says. It has no finite statistics, so what crosses batches are score and
curvature at the present coefficients,

.. math:: g_{ij} = \sum_t \{\xi_t(i,j) - \gamma_{t-1}(i)A_{ij}(u_t)\}\,u_t,\qquad
          M_{ijl} = \sum_t \gamma_{t-1}(i)A_{ij}(u_t)A_{il}(u_t)\,u_t u_t^T,

and :class:`~mixtura.structures.concomitant.Concomitant` takes one guarded Newton step, marked inexact.

The file is long because it holds the whole contract of a structure, twice where first states depend on covariates, too.

References
----------
.. [1] Y. Bengio and P. Frasconi (1996), "Input-output HMMs for sequence processing", IEEE Transactions on Neural Networks 7(5),
   1231-1249.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import log_softmax

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array, Batch, Inference, Memory
from mixtura.statistics import Statistics
from mixtura.structures.concomitant import Concomitant
from mixtura.structures.grouped import offsets_of
from mixtura.structures.markov import Markov, refuse_laws, shares_from_logs
from mixtura.structures.moves import alike, still_possible
from mixtura.structures.sequential import ChainPaths, WithoutPriors
from mixtura.structures.varying import smooth_varying

__all__ = ["InputOutputChain", "InputOutputMarkov"]

_PAIRED = frozenset({"score", "curvature"})
# Expected moves from a state below which its coefficients wait.
_FEWEST = 1e-6


class InputOutputMarkov(ChainPaths, WithoutPriors):
    """A hidden Markov chain whose moves depend on the covariates of the row that is entered (`Batch.covariates`).

    Parameters
    ----------
    coefficients : ndarray, shape (K, K, 1 + Q)
        coefficients[i, j] are those of the log odds of state j after state i, of the intercept and the covariates; minus infinity
        as intercept where a move is impossible. Only differences within a state matter: those to staying are kept.
    initial : ndarray, shape (K,) or (K, 1 + Q)
        Probabilities of the first state, or coefficients of their logarithms on the covariates of the first row.
    names : sequence of str, optional
        Of the covariates, for tables; by default u0, u1, ...

    Examples
    --------
    >>> law = InputOutputMarkov(
    ...     np.array([[[0.0, 0.0], [-2.0, 1.0]], [[-2.0, 0.0], [0.0, 0.0]]]), np.array([0.5, 0.5])
    ... )
    >>> law.moves_of(np.array([[0.0, 4.0]])).round(2)[:, 0]  # from the first state, with covariate 0 and 4
    array([[0.88, 0.12],
           [0.12, 0.88]])
    """

    weights_inside = True
    sequential = True
    exact = False

    def __init__(self, coefficients: Array, initial: Array, names: Sequence[str] | None = None) -> None:
        given = np.asarray(coefficients, dtype=np.float64)
        self.possible = np.isfinite(given[:, :, 0])
        reference = np.where(np.diagonal(self.possible), np.arange(len(given)), self.possible.argmax(axis=1))
        given = np.where(self.possible[:, :, None], given, 0.0)
        shifted = given - given[np.arange(len(given)), reference][:, None]
        self.coefficients = np.where(self.possible[:, :, None], shifted, 0.0)
        self.initial = np.asarray(initial, dtype=np.float64)
        if self.initial.ndim == 2:
            self.initial = self.initial - self.initial[0]
        self.names = [f"u{q}" for q in range(self.n_covariates)] if names is None else list(map(str, names))

    @classmethod
    def from_chain(
        cls, chain: Markov, n_covariates: int, *, starts: bool = False, names: Sequence[str] | None = None
    ) -> Self:
        """The law of a Markov chain, whatever the covariates are.

        Parameters
        ----------
        chain : Markov
            Initial and transition probabilities; impossible moves stay so.
        n_covariates : int
            Q.
        starts : bool, default False
            Whether the first state depends on the covariates, too.
        names : sequence of str, optional
            Of the covariates.

        Examples
        --------
        >>> chain = Markov(np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.0, 1.0]]))
        >>> InputOutputMarkov.from_chain(chain, 1).moves_of(np.array([[3.0]]))
        array([[[0.9, 0.1],
                [0. , 1. ]]])
        """
        size = chain.n_components
        coefficients = np.zeros((size, size, 1 + n_covariates))
        with np.errstate(divide="ignore"):
            coefficients[:, :, 0] = np.log(chain.transition)
        initial = chain.initial
        if starts:
            initial = np.zeros((size, 1 + n_covariates))
            initial[:, 0] = np.log(np.maximum(chain.initial, 1e-300))
        return cls(coefficients, initial, names)

    def __repr__(self) -> str:
        return f"InputOutputMarkov(K={self.n_components}, Q={self.n_covariates})"

    @property
    def exchangeable(self) -> bool:
        """Whether states have no order: what is possible is the same for all."""
        return alike(self.possible) and (self.initial.ndim == 2 or alike(self.initial > 0))

    @property
    def n_components(self) -> int:
        """K, number of states."""
        return len(self.coefficients)

    @property
    def n_covariates(self) -> int:
        """Q, number of covariates."""
        return self.coefficients.shape[2] - 1

    @property
    def transition(self) -> Array:
        """Moves where all covariates are zero, shape (K, K)."""
        return np.asarray(self.moves_of(np.zeros((self.n_covariates, 1)))[0])

    def replace(self, coefficients: Array, initial: Array) -> Self:
        """Other coefficients of the same covariates; what is impossible stays so."""
        new = copy.copy(self)
        given = np.where(self.possible[:, :, None], coefficients, 0.0)
        given[:, :, 0][~self.possible] = -np.inf
        InputOutputMarkov.__init__(new, given, initial, self.names)
        return new

    def table(self) -> Iterator[tuple[str, str, str, Array]]:
        """Log odds of a move against staying, a row for each later state and covariate, values (K,) by the state before."""
        for later in range(self.n_components):
            for column, name in enumerate(["intercept", *self.names]):
                yield "move_coefficient", name, f"to {later}", self.coefficients[:, later, column]

    def n_parameters(self) -> int:
        """Of every state one less than moves that are possible, times 1 + Q, and those of the first state."""
        free = int(np.count_nonzero(self.possible)) - self.n_components
        if self.initial.ndim == 2:
            return (free + self.n_components - 1) * (1 + self.n_covariates)
        return free * (1 + self.n_covariates) + int(np.count_nonzero(self.initial)) - 1

    def moves_of(self, covariates: Array | None, /) -> Array:
        """Transition matrices (B, K, K) of the steps that enter rows with covariates (Q, B)."""
        logs = np.einsum("ijq,qb->bij", self.coefficients, _design(self._checked(covariates)))
        return np.asarray(np.exp(log_softmax(np.where(self.possible, logs, -np.inf), axis=2)))

    def starts_of(self, covariates: Array | None, /) -> Array:
        """Initial probabilities (K,), or (B, K) of sequences that begin at rows with covariates (Q, B)."""
        if self.initial.ndim == 1:
            return self.initial
        return np.asarray(np.exp(log_softmax(self.initial @ _design(self._checked(covariates)), axis=0)).T)

    def _checked(self, covariates: Array | None) -> Array:
        if covariates is None or len(covariates) != self.n_covariates:
            found = "none" if covariates is None else str(len(covariates))
            msg = (
                f"The chain's moves depend on {self.n_covariates} covariates, and {found} are given; expected one value of each for "
                "every row. Give the rows' covariates, as in the fit."
            )
            raise InvalidDataError(msg)
        return np.asarray(covariates, dtype=np.float64)

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Smoothed probabilities of the states, and score and curvature of the coefficients."""
        offsets = offsets_of(batch, scores.shape[1])
        covariates, weight = self._checked(batch.covariates), batch.sample_weight
        first, size = offsets[:-1], self.n_components
        starts = self.starts_of(covariates[:, first])
        with np.errstate(divide="ignore"):
            scores[:, first] += np.log(starts).T if starts.ndim == 2 else np.log(starts)[:, None]
        one, other = np.triu_indices(1 + self.n_covariates)
        score = np.zeros((size, size, 1 + self.n_covariates))
        curvature = np.zeros((size, size, size, len(one)))

        def moves_of(rows: slice) -> tuple[Array, Array]:
            return self.moves_of(covariates[:, rows]), np.arange(rows.stop - rows.start)

        def collect(rows: slice, pairs: Array, moves: Array, which: Array) -> None:
            design = _design(covariates[:, rows])
            pairs *= weight[rows, None, None]
            before = pairs.sum(axis=2, keepdims=True)
            expected = before * moves
            score.__iadd__(np.einsum("tij,qt->ijq", pairs - expected, design, optimize=True))
            products = design[one] * design[other]
            for i in range(size):
                both = expected[:, i, :, None] * moves[:, i, None, :]
                curvature[i] += (both.reshape(len(both), -1).T @ products.T).reshape(size, size, -1)

        log_evidence, smoothed = smooth_varying(scores, moves_of, offsets, collect)
        resp = smoothed.T * weight
        sums = {"count": resp.sum(axis=1), "score": score, "curvature": curvature}
        sums.update(self._start_sums(resp[:, first], starts, covariates[:, first], weight[first]))
        unit = weight[first]
        evidence = np.where(unit > 0, log_evidence, 0.0) * unit
        return Inference(evidence, resp, Statistics(sums, paired=_PAIRED))

    def _start_sums(self, resp: Array, starts: Array, covariates: Array, weight: Array) -> dict[str, Array]:
        """Those of first states: counts, or score and curvature."""
        if self.initial.ndim == 1:
            return {"initial": resp.sum(axis=1)}
        design = _design(covariates)
        one, other = np.triu_indices(len(design))
        weighted = starts.T * weight
        products = (design[one] * design[other]).T
        pairs = np.stack([(weighted * row) @ products for row in starts.T], axis=1)
        return {"initial": (resp - weighted) @ design.T, "initial_pairs": pairs}

    def maximize(self, stats: Statistics) -> Self:
        """One guarded Newton step of every state's coefficients from those at which the sums were taken.

        Where states have been left out or reordered since, the coefficients wait for the next sums.
        """
        curvature = stats["curvature"]
        if curvature.shape[2] != curvature.shape[1] or not np.allclose(
            curvature, curvature.swapaxes(1, 2), rtol=1e-6, atol=1e-9 * np.abs(curvature).max(initial=0.0)
        ):
            return self.replace(self.coefficients, self.initial)
        coefficients = self.coefficients.copy()
        for i in range(self.n_components):
            own = np.flatnonzero(self.possible[i])
            if len(own) == 1 or curvature[i, :, :, 0].sum() < _FEWEST:
                continue
            sums = {"score": stats["score"][i, own], "sum_pairs": curvature[i][np.ix_(own, own)]}
            coefficients[i, own] = Concomitant(coefficients[i, own]).maximize(Statistics(sums)).coefficients
        return self.replace(coefficients, self._start_maximized(stats))

    def _start_maximized(self, stats: Statistics) -> Array:
        if self.initial.ndim == 1:
            total = stats["initial"].sum()
            return still_possible(stats["initial"] / total, self.initial) if total > 0 else self.initial
        sums = {"score": stats["initial"], "sum_pairs": stats["initial_pairs"]}
        return Concomitant(self.initial).maximize(Statistics(sums)).coefficients

    def expected_log_prob(self, stats: Statistics) -> float:
        """The tangent <score, coefficients>, right to first order; and counts of first states where these are free."""
        moves = float(np.sum(stats["score"] * self.coefficients))
        if self.initial.ndim == 2:
            return moves + float(np.sum(stats["initial"] * self.initial))
        with np.errstate(divide="ignore"):
            logs = np.log(self.initial)
        return moves + float(np.sum(np.where(stats["initial"] == 0, 0.0, logs) * stats["initial"]))

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Halve a state in two that come and go alike; the curvature waits for the next sums."""
        halves = stats.take([*range(self.n_components), component])
        for index in (component, -1):
            for name in ("count", "initial", "score"):
                halves[name][index] *= 0.5
            halves["score"][:, index] *= 0.5
        return halves

    def _odds(self) -> Array:
        """Which moves have coefficients: those that are possible, but for the one that others are measured by."""
        odds = self.possible.copy()
        reference = np.where(np.diagonal(odds), np.arange(len(odds)), odds.argmax(axis=1))
        odds[np.arange(len(odds)), reference] = False
        return odds

    def coordinates(self) -> Array:
        """Coefficients of the moves, then those of the first state or its log probabilities."""
        if self.initial.ndim == 2:
            first = self.initial[1:].ravel()
        else:
            first = np.maximum(np.log(self.initial[self.initial > 0]), -700.0)
        return np.concatenate([self.coefficients[self._odds()].ravel(), first])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; log probabilities are normalised."""
        odds = self._odds()
        size = int(np.count_nonzero(odds)) * (1 + self.n_covariates)
        coefficients = np.zeros(self.coefficients.shape)
        coefficients[odds] = np.reshape(vector[:size], (-1, 1 + self.n_covariates))
        if self.initial.ndim == 1:
            return self.replace(coefficients, shares_from_logs(self.initial, vector[size:]))
        initial = np.zeros(self.initial.shape)
        initial[1:] = np.reshape(vector[size:], initial[1:].shape)
        return self.replace(coefficients, initial)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states; one that is taken twice is entered half as often in each."""
        index = np.asarray(components, dtype=np.intp)
        halved = np.log(np.bincount(index)[index])
        coefficients = np.where(self.possible[:, :, None], self.coefficients, 0.0)[np.ix_(index, index)]
        coefficients[:, :, 0] -= halved
        possible = self.possible[np.ix_(index, index)]
        possible |= ~possible.any(axis=1, keepdims=True)  # nowhere left to go: anywhere
        coefficients[:, :, 0][~possible] = -np.inf
        initial = self.initial[index].copy()
        if self.initial.ndim == 2:
            initial[:, 0] -= halved
        else:
            initial /= np.exp(halved)
            initial = initial / initial.sum() if initial.sum() > 0 else np.full(len(index), 1.0 / len(index))
        return type(self)(coefficients, initial, self.names)


@dataclass(frozen=True)
class InputOutputChain:
    """Setting of a hidden Markov model: moves depend on covariates.

    Parameters
    ----------
    starts : bool, default False
        Whether the first state depends on those of its row, too.

    Examples
    --------
    >>> chain = Markov(np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> InputOutputChain()(chain, 3)
    InputOutputMarkov(K=2, Q=3)
    """

    starts: bool = False

    def __call__(self, chain: Markov, n_covariates: int) -> InputOutputMarkov:
        """The structure that begins as `chain`."""
        refuse_laws(chain, "InputOutputChain")
        return InputOutputMarkov.from_chain(chain, n_covariates, starts=self.starts)


def _design(covariates: Array) -> Array:
    """A row of ones before the covariates, shape (1 + Q, B)."""
    return np.concatenate([np.ones((1, covariates.shape[1])), covariates])
