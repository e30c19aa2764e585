r"""How much the data say about the parameters of a fitted model: scores of the units and information matrices.

In free coordinates :math:`\theta` and with complete-data scores :math:`s_{nk} = \partial_\theta \log \pi_k p(x_n \mid k)`:

- the observed score of a row is :math:`s_n = \sum_k r_{nk} s_{nk}` (Fisher's identity);
- the observed information is that of complete data minus what is missing (Louis):

  .. math:: -\partial^2_\theta \ell = -\partial^2_{\theta'} Q(\theta', \theta)\big|_{\theta' = \theta}
            - \sum_n w_n \Big(\sum_k r_{nk} s_{nk} s_{nk}' - s_n s_n'\Big).

Q is the model's ``expected_log_prob`` of fixed sums, so the first term costs no pass; the second is a sum over rows and adds over
batches like everything else. Both need nothing of a component but its coordinates. Where ``expected_log_prob`` is right to first
order only (sums that are a score and a curvature, or expectations over another latent variable), and where units have many rows,
the information is minus the derivative of the total observed score instead, which is the gradient of ``expected_log_prob`` at
the sums of the moved model. Which of the two applies is not declared but measured: by the curvature of Q along one direction.

The file is long because one object, a fit with its rows, has the passes for the scores and both ways to the information.

References
----------
.. [1] T. A. Louis (1982), JRSS B 44(2), 226-233, equation 3.2.
.. [2] G. J. McLachlan and T. Krishnan (2008), The EM Algorithm and Extensions, sections 4.2 and 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from mixtura.data import make_source
from mixtura.inference import differences
from mixtura.inference.complete_data import finite, joint_of, log_prior, posterior
from mixtura.inference.problem import Problem
from mixtura.inference.weighting import WeightType
from mixtura.protocols import Array, Batch, Executor, Source
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture

__all__ = ["Fit", "Scores"]

# Rows of a batch, and numbers that their scores may take; rows that scales are first looked for in.
_ROWS = 64, 8192
_SPREAD = 1024
_BLOCK = 2**21
# Passes after which units that remember (posterior weights of groups) are taken as converged, and to what.
_MOST_PASSES, _SETTLED = 500, 1e-11
# Step along that direction, in its length.
_BEND = 5e-3
# Rounds in which the scales of coordinates are corrected.
_ROUNDS = 8
# Relative difference of two curvatures, above rounding of differences, that says that Q is not the expected log probability.
_FIRST_ORDER = 1e-3
# A long step, in scales, and the share of the curvature by which a smooth function may differ from its parabola there.
_LONG, _SMOOTH = 0.05, 0.03


class Scores(NamedTuple):
    """Sums of the units' scores.

    Parameters
    ----------
    total : ndarray, shape (p,)
        Observed score of all units: zero at a maximum.
    squares : ndarray, shape (p, p)
        Sum of outer products of the units' observed scores.
    complete : ndarray, shape (p, p)
        Expected sum of outer products of complete-data scores; zero along coordinates that change nothing.
    missing : ndarray, shape (p, p), or None
        Missing information; None for units of many rows.
    curvature : float
        Second derivative of Q along a fixed direction, from the rows.
    """

    total: Array
    squares: Array
    complete: Array
    missing: Array | None
    curvature: float


@dataclass(frozen=True)
class Fit:
    """A fitted model together with the rows.

    Parameters
    ----------
    model : LatentMixture
        The fit.
    problem : Problem
        The rows, their weights and units.
    weights : WeightType
        What the weights mean.
    executor : Executor
        Who sums.
    """

    model: LatentMixture
    problem: Problem
    weights: WeightType
    executor: Executor

    @classmethod
    def of(cls, model: LatentMixture, problem: Problem, weights: WeightType, executor: Executor) -> Self:
        """With blocks in double precision (differences need it), and the weights rescaled."""
        encoding = replace(model.encoding, dtype="float64", missing=problem.encoding.missing)
        given = problem.sample_weight
        rescaled = None if given is None else weights.rescaled(given)
        return cls(
            replace(model, encoding=encoding),
            replace(problem, encoding=encoding, sample_weight=rescaled),
            weights,
            executor,
        )

    @cached_property
    def theta(self) -> Array:
        """Free coordinates, shape (p,)."""
        return np.asarray(self.model.coordinates(), dtype=np.float64)

    @cached_property
    def by_rows(self) -> bool:
        """Whether every row is a unit."""
        return not self.model.structure.weights_inside

    @cached_property
    def statistics(self) -> Statistics:
        """Expected sums under the fit."""
        return self.sums(self.model)

    @cached_property
    def first_scale(self) -> Array:
        """Scale of every coordinate by the expected log probability of some rows, evenly spread, shape (p,)."""
        batch = self._spread()
        block = self.model.components.encode(batch.x, self.model.encoding)
        resp = posterior(joint_of(self.model, block, batch), batch)

        def of_rows(theta: Array) -> float:
            joint = joint_of(self.at(theta), block, batch)
            return float(np.sum(finite(joint, resp) * resp @ batch.sample_weight) / batch.sample_weight.sum())

        return differences.scales(of_rows, self.theta)

    @cached_property
    def measured(self) -> tuple[Array, Scores]:
        """Scale of every coordinate, shape (p,), and the sums of the scores taken with it.

        Some rows may be a poor picture of all (a rare component); then the scores of all of them correct the scale.
        """
        scale = self.first_scale
        for _ in range(_ROUNDS):
            scores = self._scores(scale)
            by_rows = self._scale_of(scores)
            if (by_rows >= scale / 10.0).all():
                break
            # In parts: scores by steps that are far too long may be absurd.
            scale = np.minimum(scale, np.maximum(by_rows, scale / 100.0))
        return scale, scores

    @property
    def scale(self) -> Array:
        """Scale of every coordinate, shape (p,)."""
        return self.measured[0]

    @property
    def scores(self) -> Scores:
        """Sums of the scores of all units."""
        return self.measured[1]

    @cached_property
    def unit(self) -> Array:
        """Scale on which neither the curvature nor a sum of squared scores is large, shape (p,)."""
        return np.minimum(self.scale, self._scale_of(self.scores))

    def _scale_of(self, scores: Scores) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / np.sqrt(np.maximum(np.diag(scores.complete), 0.0) / self.n_units))

    @cached_property
    def touched(self) -> Array:
        """Components (K,) that change with a coordinate of the components, shape (p - structure, K)."""
        # From coordinates as the moved ones are: a factor of a product of factors differs in the last bit.
        count, components = self.model.n_components, self.at(self.theta).components
        alone = [components.take([k]).coordinates() for k in range(count)]
        found = np.ones((len(self.theta) - self.n_structure, count), dtype=bool)
        for c, row in enumerate(found):
            moved = self._pair(self.n_structure + c, self.first_scale)[0].components
            row[:] = [not np.array_equal(moved.take([k]).coordinates(), alone[k]) for k in range(count)]
        return found

    @property
    def n_structure(self) -> int:
        """Coordinates of the structure, which come first."""
        return len(self.model.structure.coordinates())

    @property
    def n_units(self) -> float:
        """Sum of the weights of the units."""
        return self.statistics.weight

    def at(self, theta: Array) -> LatentMixture:
        """The model with other coordinates."""
        return self.model.from_coordinates(theta)

    def expected(self, theta: Array) -> float:
        """Q per unit: expected log probability under the sums of the fit."""
        return self.at(theta).expected_log_prob(self.statistics) / self.statistics.weight

    # --- passes -----------------------------------------------------------------------------------------------
    def source(self) -> Source:
        """The rows in batches whose scores fit the memory."""
        p = self.problem
        size = max(len(self.model.coordinates()), 1) * self.model.n_components
        rows = int(np.clip(_BLOCK // size, *_ROWS))
        return make_source(p.x, p.encoding, p.sample_weight, p.unit_offsets, rows, p.covariates, p.allowed)

    def _spread(self) -> Batch:
        """Some rows of positive weight as one batch, without units."""
        p = self.problem
        weight = np.ones(p.x.shape[0]) if p.sample_weight is None else p.sample_weight
        usable = np.flatnonzero(weight > 0)
        rows = usable[np.linspace(0, len(usable) - 1, min(len(usable), _SPREAD)).astype(np.intp)]
        beside = (None if table is None else table[rows] for table in (p.covariates, p.allowed))
        return make_source(p.x[rows], p.encoding, weight[rows], None, len(rows), *beside)[0]

    def sums(self, model: LatentMixture) -> Statistics:
        """Expected sums of a model; where units remember, after they have come to rest."""
        source = self.problem.source()
        with self.executor.session() as session:
            found = session.total(model.summarize, source)
            for _ in range(0 if self.by_rows else _MOST_PASSES):
                last, found = found, session.total(model.summarize, source)
                if _same(last, found):
                    break
        return found

    def score(self, theta: Array) -> Array:
        """Total observed score at other coordinates, by Fisher's identity for the sums, shape (p,)."""
        stats = self.sums(self.at(theta))
        return differences.gradient(lambda moved: self.at(moved).expected_log_prob(stats), theta, self.scale)

    # --- information ------------------------------------------------------------------------------------------
    @cached_property
    def direction(self) -> Array:
        """A random direction of the length of a few scales, along which two curvatures are compared."""
        return np.asarray(np.random.default_rng(0).standard_normal(len(self.theta)) * self.first_scale)

    @cached_property
    def louis_applies(self) -> bool:
        """Whether Q has the curvature of the expected log probability of the rows and units are rows."""
        if not self.by_rows:
            return False
        by_sums = differences.step_along(self.expected, self.theta, self.direction)
        by_rows = self.scores.curvature / self.n_units
        return bool(abs(by_sums - by_rows) <= _FIRST_ORDER * max(abs(by_sums), abs(by_rows)))

    @cached_property
    def observed(self) -> Array:
        """Observed information, minus the second derivative of the log-likelihood, shape (p, p)."""
        return self.louis() if self.louis_applies else self.derivative_of_score()

    def louis(self) -> Array:
        """Complete minus missing information."""
        missing = self.scores.missing
        return self.complete() if missing is None else self.complete() - missing

    def complete(self) -> Array:
        """Expected complete information, minus the second derivative of Q."""
        s, size = self.n_structure, len(self.theta)
        own = [(c, d) for c in range(s) for d in range(c, s)]
        own += [(s + c, s + d) for c, d in differences.pairs_of(self.touched)]
        found = differences.hessian(self.expected, self.theta, self.scale, own)
        return np.asarray(-found.reshape(size, size) * self.n_units)

    def derivative_of_score(self) -> Array:
        """Minus the derivative of the total observed score: two passes a coordinate."""
        steps = 0.5 * differences.SCORE_STEP * self.unit
        found = np.array(
            [
                (self.score(self.theta - step) - self.score(self.theta + step)) / (2.0 * step.sum())
                for step in np.diag(steps)
            ]
        )
        return np.asarray((found + found.T) / 2.0)

    def rough(self, fixed: Array) -> bool:
        """Whether the score jumps (densities with a corner), so that the curvature depends on the step.

        Coordinates that are taken as known, shape (p,), are left where they are.
        """
        direction = np.random.default_rng(1).standard_normal(len(self.theta)) * np.where(
            fixed, 0.0, self.unit
        )
        step = _LONG * direction / np.sqrt(max(len(direction), 1))
        far = (self.score(self.theta - step) - self.score(self.theta + step)) @ direction / 2.0
        near = step @ self.observed @ direction
        least = step @ (direction / self.unit**2) * self.n_units  # of complete data
        return bool(abs(far - near) > _SMOOTH * max(abs(far), abs(near), least))

    # --- sums of scores ---------------------------------------------------------------------------------------
    def _scores(self, scale: Array) -> Scores:
        """Sums of the scores of all units, by differences of these scales."""
        if not self.by_rows:
            return self._unit_scores(scale)
        return self._row_scores(scale)

    def _row_scores(self, scale: Array) -> Scores:
        """One pass: every row's complete-data scores by differences, a colour at a time."""
        size, s = len(self.theta), self.n_structure
        width = 2.0 * differences.SCORE_STEP * scale
        groups = differences.colours(self.touched)
        colours = [(group, self._pair(s + group, scale)) for group in groups]
        structure = [self._pair(c, scale) for c in range(s)]
        along = [self.at(self.theta + sign * _BEND * self.direction) for sign in (1.0, -1.0)]
        total, curvature = np.zeros(size), 0.0
        squares, complete, missing = (np.zeros((size, size)) for _ in range(3))
        for batch in self.source():
            block = self.model.components.encode(batch.x, self.model.encoding)
            joint = joint_of(self.model, block, batch)
            resp, weight = posterior(joint, batch), batch.sample_weight
            scores = np.zeros((size, *joint.shape))
            for c, (up, down) in enumerate(structure):
                scores[c] = (log_prior(up, batch) - log_prior(down, batch)) / width[c]
            for group, (up, down) in colours:
                rise = up.components.log_prob(block) - down.components.log_prob(block)
                for c in s + group:
                    own = self.touched[c - s]
                    scores[c, own] = rise[own] / width[c]
            scores[:, resp == 0] = 0.0
            of_row = np.einsum("ckb,kb->cb", scores, resp)
            total += of_row @ weight
            squares += (of_row * self.weights.of_squares(weight)) @ of_row.T
            for k, share in enumerate(resp):
                own = np.flatnonzero((scores[:, k] != 0).any(axis=1))
                complete[np.ix_(own, own)] += (scores[own, k] * (share * weight)) @ scores[own, k].T
            missing -= (of_row * weight) @ of_row.T
            bend = sum(finite(joint_of(model, block, batch), resp) for model in along)
            curvature += float(np.sum((bend - 2.0 * finite(joint, resp)) * resp * weight)) / _BEND**2
        return Scores(total, squares, complete, missing + complete, curvature)

    def _unit_scores(self, scale: Array) -> Scores:
        """Every unit's score by differences of its log evidence, with what it remembers at rest."""
        size = len(self.theta)
        total, squares = np.zeros(size), np.zeros((size, size))
        pairs = [self._pair(c, scale) for c in range(size)]
        for batch in self.source():
            rises = [settled(up, batch) - settled(down, batch) for up, down in pairs]
            of_unit = np.array(rises) / (2.0 * differences.SCORE_STEP * scale)[:, None]
            total += of_unit.sum(axis=1)
            squares += of_unit @ of_unit.T
        return Scores(total, squares, squares, None, 0.0)

    def _pair(self, coordinates: Any, scale: Array) -> tuple[LatentMixture, LatentMixture]:
        """The model with some coordinates moved up and down."""
        step = np.zeros(len(self.theta))
        step[coordinates] = differences.SCORE_STEP * scale[coordinates]
        return self.at(self.theta + step), self.at(self.theta - step)


def settled(model: LatentMixture, batch: Batch) -> Array:
    """Log evidence of the units, shape (U,), after what they remember has come to rest."""
    memory: dict[str, Array] = {}
    last = model.infer(batch, memory).log_evidence
    for _ in range(_MOST_PASSES):
        found = model.infer(batch, memory).log_evidence
        if np.max(np.abs(found - last)) <= _SETTLED * (1.0 + np.max(np.abs(found))):
            return found
        last = found
    return last


def _same(one: Statistics, other: Statistics) -> bool:
    """Whether two passes gave the same sums."""
    arrays = other.to_arrays()
    return all(
        np.allclose(
            value, arrays[name], rtol=_SETTLED, atol=_SETTLED * (1.0 + np.max(np.abs(value), initial=0.0))
        )
        for name, value in one.to_arrays().items()
    )
