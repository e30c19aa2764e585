r"""Any distribution of scipy.stats as independent columns, for those who accept its speed.

The file is long because it holds every step of a numerical M-step, from what is learnt to how it starts.

The density is SciPy's; parameters keep SciPy's names (shapes, ``loc``, ``scale``), and live where SciPy says.

**What is learnt.** Everything but what would move an end of the support, where likelihoods rise without bound or have no
derivative: ``loc`` is 0 where the support has an end (gamma, lognorm, weibull_min), ``scale`` is 1, too, where it has
two, or one that is not 0 (beta, pareto), unless `fixed` says otherwise. Distributions whose ends depend on a shape
(genextreme), whose shapes restrict each other (truncnorm) or are whole numbers (binom) need these shapes in `fixed`.
Counts have no scale. A density with a corner (laplace_asymmetric) is climbed, but slowly.

**M-step.** Nothing of finite size holds what a likelihood of this generality says, so the sums are its score and curvature
at the parameters that scored the rows, by central differences in free coordinates (logarithms, logits, the location in
scales), and the outer product of the scores. The step is Newton's where the curvature is that of a maximum; elsewhere
the outer product, which is positive definite, takes its place. No coordinate moves by more than 1. This is no
maximisation, and unlike in the other distributions of the library a step may lower the likelihood; the driver then
goes back halfway.

**Start.** With a location or scale to learn: shapes whose skewness and kurtosis (coefficient of variation and skewness, where
``loc`` is given) are nearest to those of the rows, on a grid, then ``loc`` and ``scale`` from mean and variance. Else the
best of a grid of parameters.

References
----------
.. [1] P. Virtanen et al. (2020), SciPy 1.0, Nature Methods 17, 261-272.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import scipy.stats

from mixtura.components.columns import Cells, ColumnComponents, Parameters, weighted
from mixtura.components.intervals import POSITIVE, REAL
from mixtura.components.scipy_laws import compared, refuse_others, shape_domains, typical, variance
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["ScipyDistribution"]

# Step of the differences in free coordinates: truncation about h^2, rounding of second differences 1e-16 / h^2.
_H = 1e-4
# No coordinate moves farther in one step.
_FARTHEST = 1.0
# Least eigenvalue of a curvature, relative to the largest, below which it is not taken for that of a maximum.
_SINGULAR = 1e-6
# A scale below this share of the largest one of its column is rounding.
_CANCELLED = 1e-8
# Points of a start's grid for one, two, three learnt shapes; more have as many as three.
_GRID = {1: 33, 2: 9, 3: 5}
# How much nearer moments have to be for a shape one unit of its coordinate away from the plain one.
_PLAIN = 1e-3
# How far the halves of a component that is split are to move, in free coordinates.
_APART = 0.3


class ScipyDistribution(ColumnComponents):
    """Columns of a distribution of scipy.stats, continuous or discrete.

    Parameters
    ----------
    distribution : rv_continuous or rv_discrete
        Such as ``scipy.stats.gumbel_r``; not frozen.
    fixed : mapping of str to float, optional
        Parameters that are given and not learnt, for all components and columns.
    parameters : mapping of str to ndarray, shape (K, D), optional
        Those that are learnt, as a start or to score rows.

    Examples
    --------
    >>> from scipy import stats
    >>> from mixtura import Mixture
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([3.0 * rng.gumbel(size=300), 40.0 + rng.gumbel(size=700)])
    >>> mixture = Mixture(ScipyDistribution(stats.gumbel_r), 2, random_state=0).fit(x)
    >>> np.sort(mixture.weights_).round(1)
    array([0.3, 0.7])
    """

    def __init__(
        self,
        distribution: Any,
        fixed: Mapping[str, float] | None = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        refuse_others(distribution)
        #: Name in scipy.stats, or the distribution itself where it is not from there.
        known = getattr(scipy.stats, str(distribution.name), None) is distribution
        self.distribution: Any = distribution.name if known else distribution
        self.name = f"scipy.stats.{distribution.name}" if known else str(distribution.name)
        self.discrete = isinstance(distribution, scipy.stats.rv_discrete)
        domains = shape_domains(distribution, fixed or {})
        self.shapes = tuple(domains)
        self.domains = domains | {"loc": REAL} | ({} if self.discrete else {"scale": POSITIVE})
        self.values = self._given(dict(fixed or {}))
        self.fixed = tuple(self.values)
        self.locations = () if "loc" in self.values else ("loc",)
        self.direct = False
        low, high = self._ends()
        self.counts = self.discrete and low >= 0
        self.filler = 0.0 if self.locations else self._inside()
        self.ends = (float(low), float(high), self._closed(low), self._closed(high))
        self.direct = self._same_without_checks()
        self.support = self._words()
        super().__init__(**self._filled(parameters))

    def __repr__(self) -> str:
        size = "blank" if self.blank else "K={}, D={}".format(*self._shape)
        return f"ScipyDistribution({self.name}, {size})"

    # --- what is learnt ---------------------------------------------------------------------------------------
    @property
    def _law(self) -> Any:
        return (
            getattr(scipy.stats, self.distribution)
            if isinstance(self.distribution, str)
            else self.distribution
        )

    def _given(self, fixed: dict[str, float]) -> dict[str, float]:
        """`fixed`, checked, and location and scale where they would move an end of the support."""
        unknown = sorted(set(fixed) - set(self.domains))
        if unknown:
            msg = f"fixed names {unknown}, which {self.name} does not have; expected some of {sorted(self.domains)}."
            raise InvalidParameterError(msg)
        values = {name: float(value) for name, value in fixed.items()}
        shapes = [
            np.full(3, values[name])
            if name in values
            else typical(self.domains[name]) * np.array([1.0, 1.1, 0.8])
            for name in self.shapes
        ]
        low, high = np.broadcast_arrays(*(np.atleast_1d(end) for end in self._law.support(*shapes)))
        learnt = [name for name in self.shapes if name not in values]
        if np.isnan(low).any():
            msg = (
                f"The shapes {learnt} of {self.name} restrict each other or the values given, so they cannot be learnt "
                "freely. Give all but one of them in `fixed`."
            )
            raise InvalidParameterError(msg)
        if np.ptp(np.nan_to_num(low)) or np.ptp(np.nan_to_num(high)):
            msg = (
                f"The support of {self.name} depends on its shape(s) {learnt}: its likelihood has no maximum that a step can "
                "reach. Give them in `fixed`."
            )
            raise InvalidParameterError(msg)
        ended = np.isfinite([low[0], high[0]])
        if ended.any() or self.discrete:
            values.setdefault("loc", 0.0)
        if not self.discrete and (ended.all() or np.any(np.array([low[0], high[0]])[ended])):
            values.setdefault("scale", 1.0)
        if set(self.domains) <= set(values):
            msg = f"Nothing of {self.name} is left to learn; expected fewer parameters in `fixed`, or another distribution."
            raise InvalidParameterError(msg)
        return values

    @cached_property
    def _cache_start(self) -> dict[str, float]:
        """Typical parameters: where shapes start that nothing else is known about."""
        values = {name: typical(domain) for name, domain in self.domains.items()}
        return values | {"loc": 0.0} | ({} if self.discrete else {"scale": 1.0}) | self.values

    @property
    def _learnt(self) -> list[str]:
        return [name for name in self.domains if name not in self.values]

    def _ends(self) -> tuple[float, float]:
        """Ends of the support, which nothing that is learnt moves."""
        low, high = self._law.support(**self._cache_start)
        return float(low), float(high)

    def _inside(self) -> float:
        median = float(self._law.median(**self._cache_start))
        return float(np.rint(median)) if self.discrete else median

    def _closed(self, end: float) -> bool:
        """Whether the density at an end of the support is finite, whatever the shapes."""
        learnt = [name for name in self._learnt if name in self.shapes]
        for factor in (1.0, 0.6, 1.5):
            point = {
                name: np.array([[value * (factor if name in learnt else 1.0)]])
                for name, value in self._cache_start.items()
            }
            if not np.isfinite(self.log_density({"x": np.array([[end]])}, point)).all():
                return False
        return True

    def _words(self) -> str:
        low, high, with_low, with_high = self.ends
        what = "whole numbers" if self.discrete else "finite numbers"
        if np.isinf(low) and np.isinf(high):
            return what
        if np.isinf(high):
            return f"{what} {'of at least' if with_low else 'above'} {low:g}"
        if np.isinf(low):
            return f"{what} {'of at most' if with_high else 'below'} {high:g}"
        return (
            f"{what} {'from' if with_low else 'above'} {low:g} {'to' if with_high else 'to below'} {high:g}"
        )

    def _filled(self, parameters: Mapping[str, Array] | None) -> dict[str, Array]:
        """All parameters, given those that are learnt."""
        if parameters is None:
            return {}
        arrays = {name: np.asarray(value, dtype=np.float64) for name, value in parameters.items()}
        shape = next(iter(arrays.values())).shape
        return {name: np.full(shape, value) for name, value in self.values.items()} | arrays

    # --- the density ------------------------------------------------------------------------------------------
    def _evaluate(self, x: Array, p: Parameters) -> Array:
        """SciPy's log density: without its checks, which take longer than most densities, where that is the same."""
        law = self._law
        if not self.direct:
            return np.asarray(law.logpmf(x, **p) if self.discrete else law.logpdf(x, **p))
        shapes = [p[name] for name in self.shapes]
        values = law._logpdf((x - p["loc"]) / p["scale"], *shapes) - np.log(p["scale"])
        low, high = self.ends[:2]
        if np.isfinite(low) or np.isfinite(high):
            values = np.where((x >= low) & (x <= high), values, -np.inf)
        return np.where(law._argcheck(*shapes), values, np.nan) if shapes else np.asarray(values)

    def _same_without_checks(self) -> bool:
        """Whether the density without SciPy's checks is its density, at a typical value."""
        if self.discrete:
            return False
        point = {name: np.array([[value]]) for name, value in self._cache_start.items()}
        x = np.array([[self._inside()]])
        plain = self._evaluate(x, point)
        self.direct = True
        return bool(np.allclose(self._evaluate(x, point), plain, rtol=1e-10, atol=1e-12))

    def log_density(self, cells: Cells, p: Parameters) -> Array:
        """SciPy's; minus infinity outside of the support."""
        with np.errstate(all="ignore"):
            values = self._evaluate(cells["x"], p)
        return np.where(np.isnan(values), -np.inf, values)

    def means(self) -> Array:
        """SciPy's; infinite or not a number where there is none."""
        with np.errstate(all="ignore"):
            return np.asarray(self._law.mean(**self.parameters))

    def _about(self, p: Parameters, moves: Mapping[str, float]) -> dict[str, Array]:
        """Parameters with some free coordinates moved; that of the location is in scales."""
        new = dict(p)
        for name, by in moves.items():
            domain = self.domains[name]
            new[name] = (
                p[name] + by * self._unit(p) if name == "loc" else domain.value(domain.free(p[name]) + by)
            )
        return new

    def terms(self, cells: Cells, p: Parameters) -> dict[str, Array]:
        """Derivatives of each cell's log density by the learnt coordinates: ``d`` and ``dd`` with their numbers."""
        learnt = self._learnt
        middle = self.log_density(cells, p)
        ups = [self.log_density(cells, self._about(p, {name: _H})) for name in learnt]
        downs = [self.log_density(cells, self._about(p, {name: -_H})) for name in learnt]
        terms: dict[str, Array] = {}
        with np.errstate(invalid="ignore"):
            for i, name in enumerate(learnt):
                terms[f"d{i}"] = (ups[i] - downs[i]) / (2.0 * _H)
                terms[f"dd{i},{i}"] = (ups[i] - 2.0 * middle + downs[i]) / _H**2
                for j in range(i):
                    both = [
                        self.log_density(cells, self._about(p, {name: by, learnt[j]: by})) for by in (_H, -_H)
                    ]
                    mixed = sum(both) - ups[i] - downs[i] - ups[j] - downs[j] + 2.0 * middle
                    terms[f"dd{i},{j}"] = mixed / (2.0 * _H**2)
        finite = np.all(np.isfinite(list(terms.values())), axis=0)
        return {name: np.where(finite, value, 0.0) for name, value in terms.items()}

    def column_sums(self, cells: Cells, p: Parameters, weight: Array) -> dict[str, Array]:
        """Score (D, P), curvature and outer product of scores (D, P, P)."""
        size, terms = len(self._learnt), self.terms(cells, p)
        outer = {(i, j): terms[f"d{i}"] * terms[f"d{j}"] for i in range(size) for j in range(i + 1)}
        sums = weighted(terms | {f"o{i},{j}": value for (i, j), value in outer.items()}, weight)
        score = np.stack([sums[f"d{i}"] for i in range(size)], axis=1)
        second, squares = np.empty((2, len(score), size, size))
        for i, j in product(range(size), repeat=2):
            pair = f"{max(i, j)},{min(i, j)}"
            second[:, i, j], squares[:, i, j] = sums["dd" + pair], sums["o" + pair]
        if "loc" in self._learnt:  # of the location itself, so that sums mean the same whatever the scale
            score[:, self._learnt.index("loc")] /= self._unit(p)[:, 0]
        return {"score": score, "curvature": -second, "outer": squares}

    def _unit(self, p: Parameters) -> Array:
        """In what the location moves: the scale."""
        return np.asarray(p["scale"] if "scale" in p else np.ones_like(p["loc"]))

    @property
    def _by_moments(self) -> bool:
        """Whether a start comes from moments, not from a grid of all parameters."""
        return not {"loc", "scale"}.isdisjoint(self._learnt)

    def start_terms(self, cells: Cells) -> dict[str, Array]:
        """Powers of x, or the log densities of a grid of parameters."""
        x = cells["x"]
        if self._by_moments:
            return {f"power{n}": x**n for n in range(1, 5)}
        grid, one = self._grid(), np.ones((len(x), 1))
        size = len(next(iter(grid.values())))
        points = [{name: one * values[g] for name, values in grid.items()} for g in range(size)]
        return {
            f"grid{g}": np.maximum(self.log_density(cells, point), -1e10) for g, point in enumerate(points)
        }

    def _grid(self) -> dict[str, Array]:
        """Points (G,) of all parameters, learnt shapes on a grid of free coordinates."""
        learnt = [name for name in self._learnt if name in self.shapes]
        if not learnt:
            return {name: np.array([value]) for name, value in self._cache_start.items()}
        size = _GRID.get(len(learnt), 3)
        wide = 9.0 if len(learnt) == 1 and not self._by_moments else 4.0
        mesh = np.stack(np.meshgrid(*[np.linspace(-wide, wide, size)] * len(learnt)), axis=0).reshape(
            len(learnt), -1
        )
        grid = {name: np.full(mesh.shape[1], value) for name, value in self._cache_start.items()}
        for name, free in zip(learnt, mesh, strict=True):
            domain = self.domains[name]
            narrow = 0.5 if np.isfinite(domain.high - domain.low) or np.isinf(domain.low) else 1.0
            grid[name] = domain.value(narrow * free)
        return grid

    # --- the update -------------------------------------------------------------------------------------------
    def solve(self, sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
        """A guarded step by score and curvature, or the start."""
        if self.blank:
            return self._started(sums, count)
        learnt, old = self._learnt, self.parameters
        score, curvature, outer = sums["score"].copy(), sums["curvature"], sums["outer"]
        if "loc" in learnt:
            score[..., learnt.index("loc")] *= self._unit(old)
        finite = np.asarray(np.isfinite(curvature).all(axis=(-2, -1)))
        values = np.linalg.eigvalsh(np.where(finite[..., None, None], curvature, 0.0))
        concave = finite & (values[..., 0] > _SINGULAR * values[..., -1])
        ridge = np.trace(outer, axis1=-2, axis2=-1)[..., None, None] * 1e-9 + 1e-300
        matrix = np.where(concave[..., None, None], curvature, outer + ridge * np.eye(len(learnt)))
        move = np.linalg.solve(matrix, score[..., None])[..., 0]
        farthest = np.max(np.abs(move), axis=-1, keepdims=True)
        move = np.where(
            np.isfinite(farthest), move * np.minimum(1.0, _FARTHEST / np.maximum(farthest, 1e-300)), 0.0
        )
        new = dict(old)
        for i, name in enumerate(learnt):
            domain = self.domains[name]
            if name == "loc":
                new[name] = old[name] + move[..., i] * self._unit(old)
            else:
                new[name] = domain.value(domain.free(old[name]) + move[..., i])
        return new

    def _started(self, sums: Mapping[str, Array], count: Array) -> dict[str, Array]:
        """Shapes from a grid, location and scale from moments."""
        grid = self._grid()
        if not self._by_moments:
            best = np.argmax(np.stack([sums[f"grid{g}"] for g in range(len(sums))], axis=-1), axis=-1)
            return {name: values[best] for name, values in grid.items()}
        raw = [sums[f"power{n}"] / count for n in range(1, 5)]
        shapes = [grid[name] for name in self.shapes]
        law = np.stack(np.broadcast_arrays(*self._law.stats(*shapes, moments="mvsk"), grid["loc"])[:4])
        usable = np.isfinite(law[:2]).all(axis=0) & (law[1] > 0)
        deviation = np.sqrt(variance(raw))
        if not usable.any():  # without variance (Cauchy): half of the rows' own is a guess
            found = {name: np.full(count.shape, value) for name, value in self._cache_start.items()}
            guess = {"loc": raw[0], "scale": 0.5 * deviation}
            return found | {name: value for name, value in guess.items() if name in self._learnt}
        mean = raw[0] - self.values.get("loc", 0.0)
        own, targets = compared(raw, mean, law, moved="loc" in self._learnt)
        distance = np.sum((np.nan_to_num(own)[..., None, :] - targets) ** 2, axis=-1)
        distance = distance + _PLAIN * sum(self.domains[name].free(grid[name]) ** 2 for name in self.shapes)
        best = np.argmin(np.where(usable, distance, np.inf), axis=-1)
        found = {name: values[best] for name, values in grid.items()}
        if "scale" in self._learnt:
            found["scale"] = deviation / np.sqrt(law[1][best])
        if "loc" in self._learnt:
            found["loc"] = mean - found.get("scale", np.ones(count.shape)) * law[0][best]
        return found

    def faults(self, new: Parameters, count: Array) -> Iterator[tuple[Array, str]]:
        """Values that are all the same, and steps that lead nowhere."""
        wrong = np.zeros(count.shape, dtype=bool)
        for value in new.values():
            wrong |= ~np.isfinite(value)
        yield wrong, "its parameters are not finite after the step"
        if "scale" in self._learnt:
            least = _CANCELLED * np.max(new["scale"], axis=0)
            yield ~(new["scale"] > least), "its values are all equal (the scale is zero)"

    def expected(self, sums: Mapping[str, Array], count: Array) -> Array:
        """The tangent by the learnt coordinates."""
        if "score" not in sums:
            return np.zeros(count.shape)
        free = [
            self.parameters[name] if name == "loc" else self.domains[name].free(self.parameters[name])
            for name in self._learnt
        ]
        return np.asarray(np.sum(sums["score"] * np.stack(free, axis=-1), axis=-1))

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves whose scores say that they lie apart."""
        halves = super().split(stats, component)
        if "score" in halves:
            own = np.diagonal(halves["outer"][component], axis1=-2, axis2=-1).copy()
            if "loc" in self._learnt:
                own[:, self._learnt.index("loc")] /= self._unit(self.parameters)[component]
            up = np.where(np.arange(len(own)) % 2 == 0, _APART, -_APART)[:, None]
            halves["score"][component] += up * own
            halves["score"][-1] -= up * own
        return halves

    def draw(self, n: int, p: Parameters, rng: np.random.Generator) -> Array:
        """SciPy's own sampler."""
        size = (n, len(p["loc"]))
        return np.asarray(self._law.rvs(**p, size=size, random_state=rng), dtype=np.float64)

    def outside(self, x: Array) -> Array:
        """Beyond the ends of the support, and fractions where x is whole."""
        low, high, with_low, with_high = self.ends
        bad = (x < low) if with_low else (x <= low)
        bad |= (x > high) if with_high else (x >= high)
        return np.asarray(bad | ((x != np.floor(x)) & ~np.isnan(x)) if self.discrete else bad)

    def features(self, x: Any) -> Any:
        """Square roots above the end of a support with one end."""
        low, high = self.ends[:2]
        return np.sqrt(x - low) if np.isfinite(low) and np.isinf(high) else x
