r"""Linear dynamical systems as a `Model`: the states are hidden, and EM is two linear regressions.

.. math::

    z_1 \sim N(m_0, V_0), \quad z_t = A z_{t-1} + B u_t + b + w_t, \quad x_t = C z_t + D u_t + d + v_t,
    \quad w_t \sim N(0, \Gamma), \quad v_t \sim N(0, \Sigma)

The E-step is the Kalman smoother, which gives E[z_t], E[z_t z_t'] and E[z_t z_{t-1}']; their sums are those of the regressions of z_t on
(z_{t-1}, u_t, 1) and of x_t on (z_t, u_t, 1), whose coefficients and noise are the M-step ([1]_, equations 13.105 to 13.116).
How each parameter is learnt is said by a law. A unit is a sequence; statistics count rows.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, section 13.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from mixtura.chains.kalman import Filtered, FilterForm, Joseph, Smoothed
from mixtura.chains.linear_gaussian_identified import redundant
from mixtura.chains.linear_gaussian_initial import FreeInitial, InitialLaw
from mixtura.chains.linear_gaussian_laws import (
    CoefficientLaw,
    FreeCoefficients,
    FreeNoise,
    NoiseLaw,
    RegressionSums,
    gaussian_log_prob,
)
from mixtura.chains.linear_gaussian_sums import expected_sums, first_sums, look_sums, move_sums
from mixtura.chains.linear_gaussian_system import Patterns, System
from mixtura.protocols import Array, Batch, Memory
from mixtura.statistics import Statistics

__all__ = ["LinearGaussianChain"]

# Share of noise in the mean square of a direction below which the rounding of sums of squares shows in the objective.
_VISIBLE = 1e-8


def _hidden(noise: Array, sums: RegressionSums) -> bool:
    """Whether some direction has noise, but less than the rounding of its sums of squares lets see."""
    noisy = np.diag(noise) > 0
    if not noisy.any() or sums.count <= 0:
        return False
    size = np.sqrt(np.maximum(np.diag(sums.square) / sums.count, np.diag(noise))[noisy])
    share = noise[np.ix_(noisy, noisy)] / size / size[:, None]
    return bool(np.linalg.eigvalsh(share)[0] < _VISIBLE)


@dataclass(frozen=True)
class LinearGaussianChain:
    """A linear dynamical system and how its parameters are learnt.

    Parameters
    ----------
    system : System
        The parameters.
    moves : CoefficientLaw
        How [A, B, b] are learnt.
    noise : NoiseLaw
        How Gamma is learnt.
    looks : CoefficientLaw
        How [C, D, d] are learnt.
    error : NoiseLaw
        How Sigma is learnt.
    initial : InitialLaw
        How the first state is distributed, and how that is learnt.
    form : FilterForm
        How the recursions are calculated.
    hidden : bool
        Whether rounding hides what the step that made this gained: a direction has almost no noise beside its mean square.

    Examples
    --------
    >>> from mixtura.chains import KnownCoefficients, KnownInitial
    >>> level = System.of(
    ...     np.eye(1), np.eye(1), 0.1 * np.eye(1), np.eye(1), initial_covariance=100 * np.eye(1)
    ... )
    >>> known = KnownCoefficients(np.array([[1.0, 0.0]]))
    >>> chain = LinearGaussianChain(level, moves=known, looks=known, initial=KnownInitial())
    >>> rows = Batch(np.array([[1.0, 2.0, np.nan, 1.5]]), np.ones(4), np.array([0, 4]))
    >>> chain.smooth(rows).mean.ravel().round(3)
    array([1.464, 1.512, 1.511, 1.51 ])
    >>> stats = chain.summarize(rows, {})
    >>> stats.log_evidence, chain.maximize(stats).system.observation_noise
    (-5.953611484..., array([[0.54236511]]))
    """

    system: System
    moves: CoefficientLaw = field(default_factory=FreeCoefficients)
    noise: NoiseLaw = field(default_factory=FreeNoise)
    looks: CoefficientLaw = field(default_factory=FreeCoefficients)
    error: NoiseLaw = field(default_factory=FreeNoise)
    initial: InitialLaw = field(default_factory=FreeInitial)
    form: FilterForm = field(default_factory=Joseph)
    hidden: bool = False

    sequential = True

    @property
    def exact(self) -> bool:
        """Whether the step that made this never lowers the objective."""
        return self.initial.exact and not self.hidden

    @property
    def n_components(self) -> int:
        """S, number of states."""
        return self.system.n_states

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return replace(self, **changes)

    # --- what is known of the states ----------------------------------------------------------------------------
    def filter(self, batch: Batch) -> Filtered:
        """States given the rows up to theirs.

        Parameters
        ----------
        batch : Batch
            `x` (D, T) with NaN where a cell is missing, `unit_offsets`, `covariates` (Q, T): the inputs, `seen`.
        """
        return self.initial.filter(self.form, self.system.steps(batch, {}))

    def smooth(self, batch: Batch) -> Smoothed:
        """States given all rows of their sequence.

        Parameters
        ----------
        batch : Batch
            As for `filter`.
        """
        steps = self.system.steps(batch, {})
        return self.initial.smooth(self.form, steps, self.initial.filter(self.form, steps))

    # --- learning -----------------------------------------------------------------------------------------------
    def summarize(self, batch: Batch, memory: Memory) -> Statistics:
        """Expected sums and the exact log evidence.

        Parameters
        ----------
        batch : Batch
            As for `filter`; weights are equal within a sequence.
        memory : dict
            Keeps the patterns of missing cells.
        """
        steps = self.system.steps(batch, memory)
        filtered = self.initial.filter(self.form, steps)
        smoothed = self.initial.smooth(self.form, steps, filtered)
        patterns = Patterns.of(batch, memory)
        return expected_sums(self.system, batch, patterns, steps.offsets, filtered, smoothed)

    def maximize(self, stats: Statistics) -> Self:
        """The M-step: coefficients, noise, first state."""
        system, moves, looks = self.system, move_sums(stats), look_sums(stats)
        found = self.moves.maximize(moves, system.state_noise, system.moves)
        noise = self.noise.maximize(moves.scatter(found), moves.count, system.state_noise)
        system = system.with_moves(found, noise)
        found = self.looks.maximize(looks, system.observation_noise, system.looks)
        error = self.error.maximize(looks.scatter(found), looks.count, system.observation_noise)
        system = system.with_looks(found, error)
        mean, covariance = self.initial.maximize(first_sums(stats), system)
        return replace(
            self,
            system=system.replace(initial_mean=mean, initial_covariance=covariance),
            hidden=_hidden(noise, moves) or _hidden(error, looks),
        )

    def penalty(self) -> float:
        """Nothing: there is no prior."""
        return 0.0

    def expected_log_prob(self, stats: Statistics) -> float:
        """Expected log density of states and rows; with the entropy of the states, the log evidence."""
        system, moves, looks, first = self.system, move_sums(stats), look_sums(stats), first_sums(stats)
        return (
            gaussian_log_prob(moves.count, moves.scatter(system.moves), system.state_noise)
            + gaussian_log_prob(looks.count, looks.scatter(system.looks), system.observation_noise)
            + gaussian_log_prob(first.count, first.scatter(system.initial_mean), system.initial_covariance)
        )

    # --- parameters -----------------------------------------------------------------------------------------------
    def n_parameters(self) -> int:
        """Free parameters that the rows can tell: changes that leave the law of the rows as it is do not count."""
        return len(self.coordinates()) - redundant(self)

    def take(self, components: Sequence[int] | Array) -> Self:
        """The system of some of the states."""
        states = np.asarray(components, dtype=np.intp)
        columns = np.concatenate(
            [states, np.arange(self.system.n_states, self.system.n_states + self.system.n_inputs + 1)]
        )
        return replace(
            self,
            system=self.system.take(states),
            moves=self.moves.take(states, columns),
            noise=self.noise.take(states),
            looks=self.looks.take(np.arange(self.system.n_features), columns),
            initial=self.initial.take(states),
        )

    def split(self, stats: Statistics, component: int) -> Statistics:
        """One state as the sum of two that are uncorrelated and alike: the same law of the rows."""
        size = len(stats["first_z"])
        halves = stats.take([*range(size), component])
        pair = np.array([component, size])
        for name, value in halves.sums.items():
            if name in stats.shared:
                continue
            half = value.copy()
            half[pair] *= 0.5
            if name in stats.paired:
                others = np.setdiff1d(np.arange(size + 1), pair)
                half[np.ix_(others, pair)] *= 0.5
                half[pair, pair[::-1]] = 0.0
            halves.sums[name] = half
        return halves

    def coordinates(self) -> Array:
        """Free coefficients, factors of the free covariances, and the first state's."""
        system = self.system
        return np.concatenate(
            [
                system.moves[self.moves.free(system.moves)],
                self.noise.coordinates(system.state_noise),
                system.looks[self.looks.free(system.looks)],
                self.error.coordinates(system.observation_noise),
                self.initial.coordinates(system),
            ]
        )

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        system, left = self.system, np.asarray(vector, dtype=np.float64)
        moves, left = _filled(system.moves, self.moves.free(system.moves), left)
        size = len(self.noise.coordinates(system.state_noise))
        noise, left = self.noise.from_coordinates(left[:size], system.state_noise), left[size:]
        looks, left = _filled(system.looks, self.looks.free(system.looks), left)
        size = len(self.error.coordinates(system.observation_noise))
        error, left = self.error.from_coordinates(left[:size], system.observation_noise), left[size:]
        system = system.with_moves(moves, noise).with_looks(looks, error)
        mean, covariance = self.initial.from_coordinates(left, system)
        return replace(self, system=system.replace(initial_mean=mean, initial_covariance=covariance))


def _filled(current: Array, free: Array, vector: Array) -> tuple[Array, Array]:
    """Coefficients with new free entries, and what is left of the vector."""
    new = current.copy()
    size = int(np.count_nonzero(free))
    new[free] = vector[:size]
    return new, vector[size:]
