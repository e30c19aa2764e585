r"""Bayesian linear regression as a `Model`: hidden weights, and EM over sums that are gathered once.

The complete data of a regression y = Xw + e are the rows *and* the coefficients w, which are drawn once for all rows. So the
E-step is no sum over rows: it is the posterior of w given the sums of all of them, X'X, X'y, y'y and N. Therefore one pass over
the rows (:class:`~mixtura.chains.moments.RowSums`, any source, any executor) adds these sums, and the driver then runs on a
source of *one batch that carries them* (:meth:`~mixtura.chains.moments.Moments.batch`): the same driver, the same updates, the same
stopping, and every pass costs D numbers or D³ but no row. `summarize` turns the sums into the expected complete-data statistics

.. math::

    E|y - Xw|^2 = |y - Xm|^2 + \operatorname{tr}(X'X S), \qquad E[w_j^2] = m_j^2 + S_{jj},

with N and the number of coefficients beside them, and `maximize` divides: s² = E|y - Xw|² / N, t² = Σ E[w_j²] / D, or each E[w_j²]
by itself (automatic relevance determination) [1]_. Gamma hyper-priors of the precisions are pseudo-statistics, 2 a rows with 2 b of
squares, so MAP is `Maximization(prior)` as everywhere.

The components of this model, axis 0 of its statistics, are the coefficients.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, sections 3.5 and 9.3.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from mixtura.chains.moments import Moments
from mixtura.chains.posterior import Posterior, posterior
from mixtura.chains.prior_variances import PriorVariances, Seen
from mixtura.protocols import Array, Batch, Memory
from mixtura.statistics import Statistics

__all__ = ["LinearRegression"]

# Smallest noise and prior variance, relative to what there is to explain: below lies rounding.
_NOISE_FLOOR, _PRIOR_FLOOR = 1e-10, 1e-14
# Share of noise below which the rounding of y'y shows in the objective, so that steps are exact no longer.
_VISIBLE = 1e-4


@dataclass(frozen=True)
class LinearRegression:
    """The two variances of a Bayesian linear regression; all else follows from them and the rows' sums.

    Parameters
    ----------
    noise_variance : float
        s², of a response about its line.
    variances : ndarray, shape (D,)
        Prior variances of the coefficients; zero where one is pruned.
    rule : PriorVariances
        How they are learnt.
    learn_noise : bool
        Whether the noise variance is learnt.
    floors : (float, float)
        Smallest noise variance and smallest prior variance of a kept coefficient.

    Examples
    --------
    >>> from mixtura.chains import KnownVariances
    >>> rows = Moments(
    ...     4.0, np.array([[4.0, 6.0], [6.0, 14.0]]), np.array([15.9, 33.7]), 82.69, np.zeros(2), 0.0
    ... )
    >>> model = LinearRegression(0.25, np.full(2, 4.0), KnownVariances(), learn_noise=False)
    >>> model.summarize(rows.batch(), {}).log_evidence
    -5.979914138...
    """

    noise_variance: float
    variances: Array
    rule: PriorVariances
    learn_noise: bool = True
    floors: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def start(
        cls, moments: Moments, rule: PriorVariances, noise_variance: float | None, variances: Array | None
    ) -> Self:
        """Where learning begins: half of the response's variance is noise, half comes from the covariates.

        Parameters
        ----------
        moments : Moments
            Of the rows.
        rule : PriorVariances
            How prior variances are learnt.
        noise_variance : float or None
            The known noise variance; None: to be learnt.
        variances : ndarray, shape (D,), or None
            Prior variances to begin with.
        """
        floors = _NOISE_FLOOR * moments.scale, _PRIOR_FLOOR * moments.reach
        return cls(
            max(0.5 * moments.scale, floors[0]) if noise_variance is None else noise_variance,
            np.full(moments.n_features, 0.5 * moments.reach) if variances is None else variances,
            rule,
            noise_variance is None,
            floors,
        )

    @property
    def exact(self) -> bool:
        """Every step maximises (within the floors), and rounding hides it only where there is almost no noise."""
        return self.noise_variance >= _VISIBLE / _NOISE_FLOOR * self.floors[0]

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return replace(self, **changes)

    def posterior(self, moments: Moments) -> Posterior:
        """What is known of the coefficients after rows with these moments."""
        return posterior(moments, self.variances, self.noise_variance)

    def summarize(self, batch: Batch, memory: Memory) -> Statistics:
        """Expected complete-data statistics and the exact log evidence.

        Parameters
        ----------
        batch : Batch
            Of which `x` is the `Moments` of all rows.
        memory : dict
            Not used.
        """
        moments: Moments = batch.x
        seen = self.posterior(moments)
        return Statistics(
            {
                "count": np.array([moments.count]),
                "residual": np.array([seen.residual + self.noise_variance * seen.determined.sum()]),
                "coefficient_count": np.ones(moments.n_features),
                "square": seen.mean**2 + seen.variances,
            },
            log_evidence=seen.log_evidence,
            weight=moments.count,
            shared=frozenset({"count", "residual"}),
        )

    def maximize(self, stats: Statistics) -> Self:
        """The M-step."""
        noise = float(stats["residual"][0] / stats["count"][0])
        return self._with(noise, self.rule.maximize(self.variances, stats))

    def leaps(self, batch: Batch, prior: Statistics | None) -> Iterator[Self]:
        """Better guesses than the M-step, the boldest first; nothing says that they raise the objective.

        Parameters
        ----------
        batch : Batch
            That carries the moments.
        prior : Statistics, optional
            Pseudo-statistics of the hyper-priors.
        """
        moments: Moments = batch.x
        pseudo = self.hyper_prior() if prior is None else prior
        seen = Seen(moments, self.posterior(moments), pseudo, self.noise_variance, self.learn_noise)
        for noise, variances in self.rule.leaps(self.variances, seen):
            yield self._with(noise, variances)

    def hyper_prior(
        self, alpha_1: float = 0.0, alpha_2: float = 0.0, lambda_1: float = 0.0, lambda_2: float = 0.0
    ) -> Statistics:
        """Gamma hyper-priors of the precisions 1 / s² and 1 / t², as statistics seen earlier.

        Parameters
        ----------
        alpha_1, alpha_2 : float
            Shape and rate for the noise precision.
        lambda_1, lambda_2 : float
            Shape and rate for the precisions of the coefficients.

        Notes
        -----
        The mode is that of the *logarithm* of a precision, a log α - b α, which does not depend on units; 2 a rows whose
        squares sum to 2 b have just this likelihood.
        """
        count, square = self.rule.pseudo(len(self.variances), lambda_1, lambda_2)
        learnt = 2.0 * self.learn_noise
        sums = {
            "count": np.array([learnt * alpha_1]),
            "residual": np.array([learnt * alpha_2]),
            "coefficient_count": count,
            "square": square,
        }
        return Statistics(sums, shared=frozenset({"count", "residual"}))

    def _with(self, noise_variance: float, variances: Array) -> Self:
        """Other variances, not below the floors."""
        noise = float(max(noise_variance, self.floors[0])) if self.learn_noise else self.noise_variance
        kept = np.where(variances > 0, np.maximum(variances, self.floors[1]), 0.0)
        return replace(self, noise_variance=noise, variances=kept)

    def penalty(self) -> float:
        """Nats that the kept coefficients must have earned; the objective is what is left."""
        return self.rule.threshold * float(np.count_nonzero(self.variances))

    def expected_log_prob(self, stats: Statistics) -> float:
        """Expected log probability of responses and coefficients; with the entropy of the posterior, the log evidence."""
        kept = self.variances > 0
        variances = self.variances[kept]
        noise = stats["count"][0] * np.log(2.0 * np.pi * self.noise_variance)
        noise += stats["residual"][0] / self.noise_variance
        weights = stats["coefficient_count"][kept] * np.log(2.0 * np.pi * variances)
        weights += stats["square"][kept] / variances
        return -0.5 * float(noise + weights.sum())

    def take(self, components: Sequence[int] | Array) -> Self:
        """The regression on some of the covariates, in the order given."""
        return replace(self, variances=self.variances[np.asarray(components, dtype=np.intp)])

    def split(self, stats: Statistics, component: int) -> Statistics:
        """One covariate twice, each with half of the prior variance: the same law of the responses."""
        size = len(stats["square"])
        both = stats.take([*range(size), component])
        both.sums["square"] = both["square"].copy()
        both.sums["square"][[component, size]] *= 0.5
        return both

    def coordinates(self) -> Array:
        """Logarithms of the variances, shape (1 + D,); minus infinity where a coefficient is pruned."""
        with np.errstate(divide="ignore"):
            return np.log(np.append(self.noise_variance, self.variances))

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        values = np.exp(vector)
        return replace(self, noise_variance=float(values[0]), variances=values[1:])
