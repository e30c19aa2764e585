r"""Markov chains with Dirichlet priors of the first state and of every row of moves: their posterior laws, or their mode.

Given :math:`q(\pi)=\mathrm{Dir}(\alpha)` and :math:`q(A_i)=\mathrm{Dir}(\alpha_i)` paths are weighed with
:math:`\exp E[\log\pi]` and :math:`\exp E[\log A]`, which do not sum to one, and the laws become prior plus expected counts ([1]_,
section 3.4; [2]_, section 10.2). The bound loses the divergence of every law from its prior. At the mode the shares are those
of :math:`N + \alpha_0 - 1`.

Moves of probability zero have no pseudo-counts and stay impossible; known entries are left out, the others share the rest of
their row by a Dirichlet law; rows in common have one law.

The file is long because laws and modes share their simplexes, and stand side by side.

References
----------
.. [1] M. J. Beal (2003), "Variational algorithms for approximate Bayesian inference", University College London, chapter 3.
.. [2] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import digamma, gammaln

from mixtura.exceptions import InvalidParameterError
from mixtura.structures.markov import Markov
from mixtura.structures.moves import alike

if TYPE_CHECKING:
    from mixtura.protocols import Array
    from mixtura.statistics import Statistics

__all__ = ["DirichletMarkov", "DirichletMarkovMode"]

# Range in which the concentration of moves is learnt, in logarithms.
_LEARNT = (-14.0, 9.0)


class _WithPrior(Markov):
    """A chain and the pseudo-counts of its prior; row 0 of a table of simplexes is the first state's."""

    prior_initial: Array
    prior_moves: Array
    #: What the prior holds possible: moves that fell to zero since stay possible, so that densities keep their norm.
    open_initial: Array
    open_moves: Array

    def _with_prior(self, prior_initial: Array | float, prior_moves: Array | float) -> None:
        size = self.n_components
        self.prior_initial = np.broadcast_to(np.asarray(prior_initial, dtype=np.float64), (size,)).copy()
        self.prior_moves = np.broadcast_to(np.asarray(prior_moves, dtype=np.float64), (size, size)).copy()
        self.open_initial, self.open_moves = self.initial > 0, self.transition > 0

    @property
    def exchangeable(self) -> bool:
        """Whether states have no order: pseudo-counts are the same for all, too."""
        return super().exchangeable and alike(self.prior_initial) and alike(self.prior_moves)

    def _simplexes(self, initial: Array, moves: Array) -> Array:
        """A table (K,) and (K, K) of which each simplex's own cells count, as simplexes (1 + R, K)."""
        own = np.asarray(initial, dtype=np.float64) * self.start.learnt
        rows = self.moves.pooled(self.moves.counted(np.asarray(moves, dtype=np.float64)))
        return np.concatenate([own[None], rows])

    @property
    def free(self) -> Array:
        """Which shares of the simplexes (1 + R, K) are possible and learnt."""
        return self._simplexes(self.open_initial, self.open_moves) > 0

    @property
    def prior(self) -> Array:
        """Pseudo-counts of the simplexes, (1 + R, K), zero where nothing is free."""
        return np.where(self.free, self._simplexes(self.prior_initial, self.prior_moves), 0.0)

    def _chain(self) -> Markov:
        """The chain without its prior."""
        return Markov(
            self.initial,
            self.transition,
            start=self.start,
            moves=self.moves,
            checkpoint=self.checkpoint,
        )


class DirichletMarkov(_WithPrior):
    """A hidden Markov chain whose initial probabilities and rows of moves have Dirichlet posteriors.

    Parameters
    ----------
    chain : Markov
        Says which moves are possible, what is known and what is common, and is the posterior mean where `concentration` is
        given by `size`.
    prior_initial : float or ndarray, shape (K,)
        Pseudo-counts of first states.
    prior_moves : float or ndarray, shape (K, K)
        Pseudo-counts of moves.
    size : float, default 0
        Counts in the proportions of `chain`'s probabilities that the posterior holds beside the prior, for every simplex: 0
        is the prior.
    learn : bool, default False
        Whether the prior of the moves, then one number for all, is learnt by raising the bound (empirical Bayes).

    Examples
    --------
    >>> chain = Markov(np.array([1.0, 0.0]), np.array([[0.5, 0.5], [0.0, 1.0]]))
    >>> law = DirichletMarkov(chain, 1.0, 1.0, size=4.0)
    >>> law.concentration
    array([[5., 0.],
           [3., 3.],
           [0., 5.]])
    >>> law.point.transition
    array([[0.5, 0.5],
           [0. , 1. ]])
    """

    def __init__(
        self,
        chain: Markov,
        prior_initial: Array | float,
        prior_moves: Array | float,
        *,
        size: float = 0.0,
        learn: bool = False,
    ) -> None:
        if not (chain.start.conjugate and chain.moves.conjugate):
            found = type(chain.moves if chain.start.conjugate else chain.start).__name__
            msg = (
                f"The chain has {found}, under which its probabilities have no Dirichlet posterior; expected free, known or shared "
                "ones for variational Bayes. Use inference='map' or 'em'."
            )
            raise InvalidParameterError(msg)
        super().__init__(
            chain.initial,
            chain.transition,
            start=chain.start,
            moves=chain.moves,
            checkpoint=chain.checkpoint,
        )
        self._with_prior(prior_initial, prior_moves)
        self.learn = learn
        shares = self._simplexes(chain.initial, chain.transition)
        total = shares.sum(axis=1, keepdims=True)
        self._set(self.prior + size * shares / np.where(total > 0, total, 1.0))

    def _set(self, concentration: Array) -> None:
        """Posterior means as the chain's probabilities, exponentials of expected logarithms as what paths are weighed with."""
        free = concentration > 0
        self.concentration = concentration
        total = np.maximum(concentration.sum(axis=1, keepdims=True), 1e-300)
        means = concentration / total
        inside = np.where(free, concentration, 1.0)
        logs = np.where(free, digamma(inside) - digamma(np.where(free, total, 1.0)), -np.inf)
        geometric = np.exp(logs)
        self.scores = (
            geometric[0] if self.start.learnt else self.initial,
            np.ascontiguousarray(self.moves.spread(geometric[1:])),
        )
        self.initial = means[0] if self.start.learnt else self.initial
        self.transition = np.ascontiguousarray(self.moves.spread(means[1:]))

    def with_concentration(self, concentration: Array) -> Self:
        """The same settings with another posterior, shape (1 + R, K)."""
        new = self.replace(self.initial, self.transition)
        new._set(np.asarray(concentration, dtype=np.float64))
        return new

    @property
    def scored(self) -> tuple[Array, Array]:
        """Exponentials of expected logarithms; rows sum to less than one."""
        return self.scores

    @property
    def point(self) -> Markov:
        """The chain of the posterior means."""
        return self._chain()

    def divergences(self) -> Array:
        """KL divergence of each simplex's posterior from its prior, shape (1 + R,)."""
        free, prior = self.free, self.prior
        posterior = np.where(free, self.concentration, 1.0)
        before = np.where(free, prior, 1.0)
        total, total_before = ((table * free).sum(axis=1) for table in (posterior, before))
        total, total_before = (np.where(value > 0, value, 1.0) for value in (total, total_before))
        difference = np.where(free, posterior - before, 0.0)
        own = (gammaln(before) - gammaln(posterior) + difference * digamma(posterior)).sum(axis=1)
        return np.asarray(
            own + gammaln(total) - gammaln(total_before) - (total - total_before) * digamma(total)
        )

    def penalty(self) -> float:
        """KL divergence of the posterior laws from their priors."""
        return float(self.divergences().sum())

    def maximize(self, stats: Statistics) -> Self:
        """Prior plus expected counts; then, where it is learnt, the prior of the moves given the posterior."""
        counts = np.concatenate([stats["initial"][None], self.moves.pooled(stats["transition_counts"])])
        prior = self.prior
        new = self.with_concentration(np.where(self.free, prior + np.where(self.free, counts, 0.0), 0.0))
        if self.learn:
            new.prior_moves = np.full(self.transition.shape, new.learnt())
        return new

    def learnt(self) -> float:
        """The number of pseudo-counts of every move that raises the bound most while the posterior stays."""
        free = self.free[1:]
        sizes = free.sum(axis=1)
        rows = sizes > 1
        if not rows.any():
            return float(self.prior_moves.mean())
        inside = np.where(free, self.concentration[1:], 1.0)
        logs = (digamma(inside) - digamma(self.concentration[1:].sum(axis=1, keepdims=True)))[rows]
        total, sizes = float(np.where(free[rows], logs, 0.0).sum()), sizes[rows]

        def loss(log_prior: float) -> float:
            a = np.exp(log_prior)
            return -float((gammaln(sizes * a) - sizes * gammaln(a)).sum() + (a - 1.0) * total)

        chosen = float(minimize_scalar(loss, bounds=_LEARNT, method="bounded", options={"xatol": 1e-10}).x)
        now = float(np.log(self.prior_moves.flat[0]))
        stays = np.ptp(self.prior_moves) == 0.0 and loss(now) <= loss(chosen)
        return float(np.exp(now if stays else chosen))

    def draw(self, rng: np.random.Generator) -> Markov:
        """A chain drawn from the posterior."""
        drawn = np.where(self.free, np.maximum(rng.standard_gamma(self.concentration), 1e-300), 0.0)
        shares = drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1e-300)
        initial = shares[0] if self.start.learnt else self.initial
        return Markov(initial, self.moves.spread(shares[1:]), start=self.start, moves=self.moves)

    def coordinates(self) -> Array:
        """Logarithms of the pseudo-counts of what is free."""
        return np.asarray(np.log(self.concentration[self.free]))

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        concentration = np.zeros(self.concentration.shape)
        concentration[self.free] = np.exp(vector)
        return self.with_concentration(concentration)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states, each with its prior and its posterior pseudo-counts."""
        index = np.asarray(components, dtype=np.intp)
        whole = self.moves.rows(self.concentration[1:])[np.ix_(index, index)]
        new = type(self)(
            self._chain().take(index),
            self.prior_initial[index],
            self.prior_moves[np.ix_(index, index)],
            learn=self.learn,
        )
        counts = new._simplexes(self.concentration[0][index], whole)
        new._set(np.where(new.free, np.where(counts > 0, counts, new.prior), 0.0))
        return new


class DirichletMarkovMode(_WithPrior):
    """A hidden Markov chain at the mode of the posterior density of its probabilities.

    Parameters
    ----------
    chain : Markov
        Probabilities, laws of start and moves.
    prior_initial : float or ndarray, shape (K,)
        Pseudo-counts of first states, at least 1: the M-step takes expected counts + prior - 1.
    prior_moves : float or ndarray, shape (K, K)
        Pseudo-counts of moves, at least 1.

    Examples
    --------
    >>> from mixtura.statistics import Statistics
    >>> chain = Markov(np.array([0.5, 0.5]), np.array([[0.5, 0.5], [0.0, 1.0]]))
    >>> stats = Statistics(
    ...     {"initial": np.array([1.0, 0.0]), "transition_counts": np.array([[1.0, 0.0], [0.0, 5.0]])}
    ... )
    >>> DirichletMarkovMode(chain, 2.0, 2.0).maximize(stats).transition.round(3)
    array([[0.667, 0.333],
           [0.   , 1.   ]])
    """

    def __init__(self, chain: Markov, prior_initial: Array | float, prior_moves: Array | float) -> None:
        super().__init__(
            chain.initial,
            chain.transition,
            start=chain.start,
            moves=chain.moves,
            checkpoint=chain.checkpoint,
        )
        self._with_prior(prior_initial, prior_moves)
        for name, table in (("initial", self.prior_initial), ("moves", self.prior_moves)):
            bad = np.argwhere(~(table >= 1.0))
            if bad.size:
                at = tuple(int(i) for i in bad[0])
                msg = (
                    f"ChainPrior: {name}[{', '.join(map(str, at))}] is {table[at]:.6g}; expected at least 1 for a posterior mode: below 1 "
                    "the density of the probabilities is infinite at zero. Use inference='variational', which needs no mode."
                )
                raise InvalidParameterError(msg)

    @property
    def point(self) -> Markov:
        """This chain without its prior."""
        return self._chain()

    def penalty(self) -> float:
        """Minus the log prior density of the free probabilities."""
        free, prior = self.free, self.prior
        shares = self._simplexes(self.initial, self.transition)
        shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
        power = np.where(free, prior - 1.0, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = np.where(power == 0.0, 0.0, power * np.log(shares))
        total = np.maximum(np.where(free, prior, 0.0).sum(axis=1), 1e-300)
        norm = (
            np.where(free.any(axis=1), gammaln(total), 0.0).sum() - gammaln(np.where(free, prior, 1.0)).sum()
        )
        return -float(inner.sum() + norm)

    def maximize(self, stats: Statistics) -> Self:
        """Expected counts, and the prior less one, in proportion."""
        more_moves = np.where(self.open_moves, self.moves.counted(self.prior_moves - 1.0), 0.0)
        more = np.where(self.open_initial, self.prior_initial - 1.0, 0.0) * self.start.learnt
        first, count = stats["initial"] + more, stats["transition_counts"] + more_moves
        return self.replace(*self.start.maximize(first, count, self.moves, (self.initial, self.transition)))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states, each with its prior."""
        index = np.asarray(components, dtype=np.intp)
        square = np.ix_(index, index)
        new = type(self)(self._chain().take(index), self.prior_initial[index], self.prior_moves[square])
        new.open_initial, new.open_moves = self.open_initial[index], self.open_moves[square]
        return new
