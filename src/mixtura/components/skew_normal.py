r"""Multivariate skew-normal components with any covariance structure for their scale matrices.

The file is long because the whole contract of a component is here, with a start of its own.

A row is a normal one pushed along a direction by a half-normal amount [1]_, [2]_, [3]_:

.. math:: x = \xi + \delta t + e, \qquad t = |z|,\ z \sim N(0, 1),\quad e \sim N(0, \Sigma).

With :math:`s^2 = 1 / (1 + \delta^T \Sigma^{-1} \delta)` and :math:`a = s\,\delta^T \Sigma^{-1} (x - \xi)` its density is
:math:`2\,\phi(x; \xi, \Sigma + \delta\delta^T)\,\Phi(a)`, that is

.. math:: \log p(x) = \log 2 + \log s + \log\phi(x; \xi, \Sigma) + \bigl[\tfrac12 a^2 + \log\Phi(a)\bigr].

Given x, t is normal with mean s a and variance s^2, cut off below zero. With the hazard ratio :math:`h = \phi(a) / \Phi(a)`

.. math:: E[t] = s (a + h), \qquad E[t^2] = s^2 (1 + a (a + h)).

**Statistics** are sums of r, r E[t], r E[t^2], r x, r E[t] x and r x x', about the encoding's origin.

**M-step.** t is missing like the label, so x is regressed on t: over r, :math:`\delta = \mathrm{Cov}(t, x) / \mathrm{Var}(t)`,
:math:`\xi = E[x] - \delta E[t]`, and what is left over is the scatter of the covariance structure. Then :math:`\delta` is
multiplied by the root of :math:`E[t^2]`: EM in the model with one parameter more, the variance of z, which fits the same densities
and is faster [4]_. Every such step raises the likelihood, but it is no maximisation given the labels, so it is marked inexact.
Without skewness (:math:`\delta = 0`) the likelihood is stationary and EM would stay there: starts are moments, with some skewness
in every column.

In one dimension this is the skew-normal law with location :math:`\xi`, scale :math:`\sqrt{\Sigma + \delta^2}` and shape
:math:`\delta / \sqrt{\Sigma}`. Sums are about one origin: components more than some 1e5 of their own spread from it lose digits.

References
----------
.. [1] A. Azzalini, A. Dalla Valle (1996), The multivariate skew-normal distribution, Biometrika 83, 715-726.
.. [2] S. Pyne et al. (2009), Automated high-dimensional flow cytometric data analysis, PNAS 106, 8519-8524: one latent
   variable a row, as here ("restricted").
.. [3] T. I. Lin (2009), Maximum likelihood estimation for multivariate skew normal mixture models, Journal of Multivariate
   Analysis 100, 257-265: one latent variable a column; the two agree in one dimension.
.. [4] C. Liu, D. B. Rubin, Y. N. Wu (1998), Parameter expansion to accelerate EM, Biometrika 85, 755-770.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import erfcx, log_ndtr

from mixtura.components.conditioning import by_pattern, normal_given, others, part_of
from mixtura.components.covariance import CovarianceModel, Full
from mixtura.components.gaussian import covariance_table
from mixtura.components.skew_missing import SkewGaps
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics, pack_symmetric

__all__ = ["SkewNormal"]

_LOG_TWO, _LOG_TWO_PI = float(np.log(2.0)), float(np.log(2.0 * np.pi))
# Mean and variance of a half-normal variable, and its third central moment.
_MEAN, _VARIANCE = float(np.sqrt(2.0 / np.pi)), 1.0 - 2.0 / np.pi
_THIRD = _MEAN * (4.0 / np.pi - 1.0)
# Below this, a + h is taken from its series: the difference loses digits, which 1 + a (a + h) loses again.
_FAR = -60.0
# A start's skewness in a column, in standard deviations at least, and the share of variance that it explains at most.
_LEAST, _MOST = 0.1, 0.5


class _Scored(NamedTuple):
    """What a component concludes about a block.

    Parameters
    ----------
    log_prob : ndarray, shape (K, B)
        Scores.
    along : ndarray, shape (K, B)
        a.
    spread : ndarray, shape (K,)
        s.
    """

    log_prob: Array
    along: Array
    spread: Array


class SkewBlock:
    """A batch as skew-normal components see it.

    Parameters
    ----------
    x : ndarray, shape (D, B)
        Rows about the encoding's origin.
    """

    def __init__(self, x: Array) -> None:
        self.x = x
        # Scores and sums need the same: what the last components concluded is kept.
        self._seen: tuple[Any, _Scored] | None = None

    def scored(self, components: SkewNormal) -> _Scored:
        """What the components conclude about these rows."""
        if self._seen is None or self._seen[0] is not components:
            self._seen = (components, components.conclude(self.x))
        return self._seen[1]


class SkewNormal:
    """K multivariate skew-normal laws sharing one covariance structure.

    Parameters
    ----------
    location : ndarray, shape (K, D), optional
        xi, about the encoding's origin. None before the first M-step.
    skewness : ndarray, shape (K, D), optional
        delta: direction and strength of the half-normal push, in units of the data.
    scale : ndarray, optional
        Sigma in the shape of `model`: (K, D, D), (D, D), (K, D) or (K,). The covariance is larger by (1 - 2 / pi) delta delta'.
    model : CovarianceModel, default Full()
        The structure of the scale matrices.

    Examples
    --------
    >>> one = SkewNormal(np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1, 1)))
    >>> one.log_prob(one.encode(np.zeros((1, 1)), Encoding(1))).round(4)  # -log(4 pi) / 2
    array([[-1.2655]])
    """

    #: Rows are taken about the columns' means.
    centred = True
    #: A step of EM over labels and half-normal variables is no maximisation given the labels.
    exact = False
    #: Missing cells are left out: some columns of a skew-normal law are skew-normal.
    marginal = True
    name = "skew-normal"
    support = "finite numbers"

    def __init__(
        self,
        location: Array | None = None,
        skewness: Array | None = None,
        scale: Array | None = None,
        model: CovarianceModel | None = None,
    ) -> None:
        self.model = Full() if model is None else model
        self._location = None if location is None else np.asarray(location, dtype=np.float64)
        self._skewness = None if skewness is None else np.asarray(skewness, dtype=np.float64)
        self._scale = None if scale is None else np.asarray(scale, dtype=np.float64)
        self._cache_factor: Array | None = None

    def __repr__(self) -> str:
        size = "blank" if self._location is None else "K={}, D={}".format(*self._location.shape)
        return f"SkewNormal({self.model.name}, {size})"

    # --- parameters -------------------------------------------------------------------------------------------
    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._location is None

    def _given(self, values: Array | None, what: str) -> Array:
        if values is None:
            msg = f"The skew-normal components have no {what} yet: fit them, call maximize first, or give all parameters."
            raise InvalidParameterError(msg)
        return values

    @property
    def location(self) -> Array:
        """xi about the encoding's origin, shape (K, D)."""
        return self._given(self._location, "location")

    @property
    def skewness(self) -> Array:
        """delta, shape (K, D)."""
        return self._given(self._skewness, "skewness")

    @property
    def scale(self) -> Array:
        """Sigma in the shape of the structure."""
        return self._given(self._scale, "scale")

    @property
    def mean(self) -> Array:
        """Means about the encoding's origin, shape (K, D)."""
        return self.location + _MEAN * self.skewness

    @property
    def matrices(self) -> Array:
        """Scale matrices, shape (K, D, D)."""
        return self.model.matrices(self.scale, *self.location.shape)

    @property
    def covariance(self) -> Array:
        """Covariance matrices, shape (K, D, D)."""
        delta = self.skewness
        return self.matrices + _VARIANCE * delta[:, :, None] * delta[:, None, :]

    @property
    def _factor(self) -> Array:
        if self._cache_factor is None:  # contiguous, so that a pickled copy rounds alike
            self._cache_factor = np.ascontiguousarray(self.model.precision_cholesky(self.scale))
        return self._cache_factor

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.location)

    @property
    def regularized(self) -> bool:
        """Whether the covariance structure adds to every variance."""
        return self.model.regularization > 0.0

    def n_statistics(self, n_features: int) -> int:
        """Numbers per row that are held at once: the row, and its residuals whitened."""
        return 4 * n_features

    def n_parameters(self) -> int:
        """K D locations, K D skewnesses and the scales' own number."""
        n_components, n_features = self.location.shape
        return 2 * n_components * n_features + self.model.n_parameters(n_components, n_features)

    def replace(self, location: Array, skewness: Array, scale: Array) -> Self:
        """The same structure with other parameters."""
        new = copy.copy(self)
        new._location, new._skewness, new._scale = (
            np.asarray(values, dtype=np.float64) for values in (location, skewness, scale)
        )
        new._cache_factor = None
        return new

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by`, shape (D,), farther."""
        return self.replace(self.location - by, self.skewness, self.scale)

    # --- the pass ---------------------------------------------------------------------------------------------
    def encode(self, x: Array, encoding: Encoding) -> SkewBlock | SkewGaps:
        """The rows as they are, by pattern where cells may be missing."""
        if encoding.missing:
            return SkewGaps(x, encoding)
        return SkewBlock(np.asarray(x, dtype=encoding.dtype))

    def conclude(self, x: Array) -> _Scored:
        """Scores of rows x (D, B), and their half-normal variables' parameters."""
        n_components, n_features = self.location.shape
        factor, model = self._factor, self.model
        half_log_det = np.broadcast_to(model.half_log_det(factor, n_features), (n_components,))
        scores, along = np.empty((n_components, x.shape[1])), np.empty((n_components, x.shape[1]))
        spread = np.empty(n_components)
        for k in range(n_components):
            white = model.whiten(x - self.location[k][:, None], factor, k)
            direction = model.whiten(self.skewness[k][:, None], factor, k)[:, 0]
            spread[k] = 1.0 / np.sqrt(1.0 + direction @ direction)
            along[k] = spread[k] * (direction @ white)
            scores[k] = half_log_det[k] + np.log(spread[k]) - 0.5 * np.einsum("db,db->b", white, white)
        scores += _LOG_TWO - 0.5 * n_features * _LOG_TWO_PI + _half_normal(along)
        return _Scored(scores, along, spread)

    def log_prob(self, block: SkewBlock | SkewGaps) -> Array:
        """Scores, shape (K, B)."""
        if isinstance(block, SkewGaps):
            return block.log_prob(self)
        return block.scored(self).log_prob.copy()

    def expected_statistics(self, block: SkewBlock | SkewGaps, resp: Array) -> Statistics:
        """Sums weighted by resp (K, B); before there are parameters, those of powers of x from which a start is made."""
        if isinstance(block, SkewGaps):
            return block.sums(self, resp)
        x, model = block.x, self.model
        resp = np.asarray(resp, dtype=np.float64)
        weights = resp.sum(axis=0, keepdims=True) if model.pooled else resp
        second = np.stack([np.atleast_1d(model.own_second_order(x, weight)) for weight in weights])
        sums = {"count": resp.sum(axis=1), "sum_x": resp @ x.T, "sum_xx": second}
        if self._location is None:
            sums |= {"sum_squares": resp @ (x**2).T, "sum_cubes": resp @ (x**3).T}
        else:
            _, along, spread = block.scored(self)
            beyond = _beyond(along)  # (a + h), and 1 + a (a + h)
            first = spread[:, None] * beyond[0] * resp
            sums["sum_t"] = first.sum(axis=1)
            sums["sum_tt"] = spread**2 * np.einsum("kb,kb->k", beyond[1], resp)
            sums["sum_tx"] = first @ x.T
        shared = frozenset({"sum_xx"}) if model.pooled else frozenset()
        return Statistics(
            {name: value.astype(np.float64, copy=False) for name, value in sums.items()}, shared=shared
        )

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """A regression on the half-normal variables, or a start by moments.

        Raises
        ------
        DegenerateComponentError
            Naming every component that is empty or whose scale is not positive definite.
        """
        count = stats["count"]
        empty = np.flatnonzero(~(count > 1e-8))
        if empty.size:
            raise DegenerateComponentError(
                Degenerate(int(k), float(count[k]), "it holds no rows") for k in empty
            )
        if "sum_cubes" in stats:
            return self._from_moments(stats)
        mean = stats["sum_x"] / count[:, None]
        share = (stats["sum_t"] / count)[:, None]
        variation = stats["sum_tt"] - stats["sum_t"] ** 2 / count
        skewness = (stats["sum_tx"] - stats["sum_t"][:, None] * mean) / variation[:, None]
        scale = self.model.maximize(count, self._left(stats, mean, variation, skewness), self._scale)
        expanded = np.sqrt(stats["sum_tt"] / count)[:, None]
        return self.replace(mean - skewness * share, skewness * expanded, scale)._definite(count)

    def _left(self, stats: Statistics, mean: Array, variation: Array, skewness: Array) -> Array:
        """Scatter about the means less variation (K,) times delta delta', in the shape that the structure takes."""
        moments = {name: stats[name] for name in ("count", "sum_x", "sum_xx")}
        central = Statistics(moments, shared=stats.shared).about(mean)["sum_xx"]
        return self.model.central(Statistics({"count": variation, "sum_xx": central}), skewness)

    def _from_moments(self, stats: Statistics) -> Self:
        """Skewness from third moments, moderate and never zero; the rest of the first two moments."""
        count, mean = stats["count"], stats["sum_x"] / stats["count"][:, None]
        squares, cubes = (stats[name] / count[:, None] for name in ("sum_squares", "sum_cubes"))
        deviation = np.sqrt(np.maximum(squares - mean**2, 0.0))
        skewness = np.cbrt((cubes - 3.0 * mean * squares + 2.0 * mean**3) / _THIRD)
        skewness = np.where(skewness < 0.0, -1.0, 1.0) * np.maximum(np.abs(skewness), _LEAST * deviation)
        plain = self.model.maximize(count, self._left(stats, mean, 0.0 * count, skewness))
        factor = self.replace(mean, skewness, plain)._definite(count)._factor
        explained = np.array(
            [
                np.sum(self.model.whiten(own[:, None], factor, k) ** 2) * _VARIANCE
                for k, own in enumerate(skewness)
            ]
        )
        skewness *= np.sqrt(np.minimum(1.0, _MOST / explained))[:, None]
        for _ in range(10):
            left = self._left(stats, mean, _VARIANCE * count, skewness)
            if self._is_scatter(left):
                break
            skewness *= 0.5  # structures that share something may leave a component less than it needs
        scale = self.model.maximize(count, left)
        return self.replace(mean - _MEAN * skewness, skewness, scale)._definite(count)

    def _is_scatter(self, left: Array) -> bool:
        matrices = left.ndim == 3 or (left.ndim == 2 and self.model.pooled)
        return bool(((np.linalg.eigvalsh(left) if matrices else left) >= 0.0).all())

    def _definite(self, count: Array) -> Self:
        """The same; names every component whose scale has no Cholesky factor."""
        try:
            _ = self._factor
        except np.linalg.LinAlgError:
            smallest = np.linalg.eigvalsh(self.matrices)[:, 0]
            largest = self.model.variances(self.scale, *self.location.shape).max(axis=1)
            bad = np.flatnonzero(~(smallest > np.finfo(np.float64).eps * largest))
            bad = bad if bad.size else np.array([int(np.argmin(smallest))])
            raise DegenerateComponentError(
                Degenerate(
                    int(k),
                    float(count[k]),
                    f"its scale is not positive definite (smallest eigenvalue {smallest[k]:.3g})",
                )
                for k in bad
            ) from None
        return self

    def expected_log_prob(self, stats: Statistics) -> float:
        """The expected log density of rows and half-normal variables: tangent to the log-likelihood where the sums were taken."""
        model, factor, delta = self.model, self._factor, self.skewness
        n_components, n_features = self.location.shape
        moments = {name: stats[name] for name in ("count", "sum_x", "sum_xx")}
        about = Statistics(moments, shared=stats.shared).about(self.location)["sum_xx"]
        pulled = stats["sum_tx"] - stats["sum_t"][:, None] * self.location
        precise = model.precision_times(factor, delta)
        quadratic = np.atleast_2d(model.quadratic(factor))
        value = stats["count"] @ np.broadcast_to(model.half_log_det(factor, n_features), (n_components,))
        value += np.sum(quadratic * about.reshape(len(quadratic), -1))
        value += np.sum(precise * pulled) - 0.5 * stats["sum_tt"] @ np.sum(precise * delta, axis=1)
        return float(value)

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components with fewer than D + 1 rows, or flatter than 1e-4 of the data in some direction."""
        count, mean, covariance = stats["count"], self.mean, self.covariance
        least = mean.shape[1] + 1
        reasons = {
            int(k): f"holds {count[k]:.3g} rows, fewer than D + 1 = {least}"
            for k in np.flatnonzero(count < least - 1e-6)
        }
        share = count / count.sum()
        between = (share[:, None] * (mean - share @ mean)).T @ (mean - share @ mean)
        overall = np.linalg.eigvalsh(np.einsum("k,kij->ij", share, covariance) + between)[0]
        smallest = np.linalg.eigvalsh(covariance)[:, 0]
        for k in np.flatnonzero(smallest < 1e-4 * overall):
            reasons.setdefault(
                int(k), f"smallest eigenvalue {smallest[k]:.3g} is under 1e-4 of the data's {overall:.3g}"
            )
        return reasons

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves whose locations differ along the main axis of the scale, with one skewness."""
        values, axes = np.linalg.eigh(self.matrices[component])
        # Half as far as the halves of a normal law lie apart: the scatter behind a shared scale may be smaller than it.
        shift = 0.5 * np.sqrt(2.0 * values[-1] / np.pi) * axes[:, -1]
        halves = stats.take([*range(len(stats["count"])), component])
        cross = 0.5 * np.outer(shift, stats["sum_x"][component])
        for index, sign in ((component, 1.0), (-1, -1.0)):
            for name in halves.sums.keys() - halves.shared:
                halves[name][index] *= 0.5
            halves["sum_x"][index] += sign * halves["count"][index] * shift
            if "sum_t" in halves:
                halves["sum_tx"][index] += sign * halves["sum_t"][index] * shift
            if not self.model.pooled:  # a half keeps the raw second moment plus the cross term of its shift
                halves["sum_xx"][index] += _as_form(sign * (cross + cross.T), halves["sum_xx"][index])
        return halves

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Locations, skewnesses and the structure's own coordinates."""
        return np.concatenate([self.location.ravel(), self.skewness.ravel(), self.model.free(self.scale)])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        shape, size = self.location.shape, self.location.size
        location, skewness, free = np.split(np.asarray(vector, dtype=np.float64), [size, 2 * size])
        scale = self.model.from_free(free, self.scale.shape)
        return self.replace(location.reshape(shape), skewness.reshape(shape), scale)

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        index = np.asarray(components, dtype=np.intp)
        return self.replace(self.location[index], self.skewness[index], self.model.take(self.scale, index))

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        everything = [self, *parts]
        return self.replace(
            np.concatenate([part.location for part in everything]),
            np.concatenate([part.skewness for part in everything]),
            self.model.concatenate([part.scale for part in everything]),
        )

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D), about the encoding's origin."""
        lower = np.linalg.cholesky(self.matrices[component])
        pushes = np.abs(rng.standard_normal((n, 1))) * self.skewness[component]
        return np.asarray(self.location[component] + pushes + rng.standard_normal((n, len(lower))) @ lower.T)

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> SkewNormal:
        """Locations, skewnesses and scales of some columns."""
        scale, model = part_of(self.model, self.matrices[:, columns[:, None], columns])
        return SkewNormal(self.location[:, columns], self.skewness[:, columns], scale, model)

    def conditioned(self, columns: Array, values: Array) -> SkewNormal:
        """The other columns, where the given ones are not skewed.

        Raises
        ------
        InvalidParameterError
            If they are: the half-normal variable has then another law, and the other columns are not skew-normal.
        """
        skewed = np.flatnonzero(self.skewness[:, columns].any(axis=0))
        if skewed.size:
            msg = (
                f"The skew-normal component cannot be conditioned on its column {columns[skewed[0]]}, in which it is skewed: the "
                "other columns are then not skew-normal. Missing cells can be filled in (impute), which needs means only; or "
                "use Gaussian or Student-t components."
            )
            raise InvalidParameterError(msg)
        given = normal_given(self.location, self.matrices, columns, values)
        skewness = self.skewness[:, others(self.skewness.shape[1], columns)]
        scale, model = part_of(self.model, given.matrices)
        return SkewNormal(given.mean, skewness, scale, model)

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Conditional means given the cells that are there: with E[t], and what is left of them as of normal ones."""
        cells, matrices = np.array(x, dtype=np.float64), self.matrices
        for rows, observed, missing in by_pattern(np.isnan(x)):
            seen = cells[observed[:, None], rows]
            amount = (
                self.restricted(observed)._push(seen) if observed.size else np.full((1, len(rows)), _MEAN)
            )
            location = self.location[:, :, None] + self.skewness[:, :, None] * amount[:, None]
            across = matrices[:, observed[:, None], missing]
            slope = np.linalg.solve(matrices[:, observed[:, None], observed], across).swapaxes(1, 2)
            means = location[:, missing] + slope @ (seen - location[:, observed])
            cells[missing[:, None], rows] = np.einsum("kb,kmb->mb", resp[:, rows], means)
        return list(cells)

    def _push(self, x: Array) -> Array:
        """E[t] given rows (D, B), shape (K, B)."""
        return self.push_moments(self.conclude(x))[0]

    def push_moments(self, scored: _Scored) -> tuple[Array, Array]:
        """E[t] and E[t^2] of scored rows, shape (K, B)."""
        first, second = _beyond(scored.along)
        spread = scored.spread[:, None]
        return spread * first, spread**2 * second

    def second_form(self, matrix: Array) -> Array:
        """A sum of products (D, D) in the form that the covariance structure takes."""
        nothing = np.zeros((len(matrix), 1))
        return _as_form(matrix, np.atleast_1d(self.model.own_second_order(nothing, np.zeros(1))))

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Locations, skewnesses and scale matrices, in units of the data."""
        location = self.location if origin is None else self.location + origin
        return [
            *(("location", name, "", location[:, d]) for d, name in enumerate(names)),
            *(("skewness", name, "", self.skewness[:, d]) for d, name in enumerate(names)),
            *covariance_table("scale", names, self.matrices),
        ]


# --- the half-normal variable -----------------------------------------------------------------------------------------
def _half_normal(along: Array) -> Array:
    """a^2 / 2 + log Phi(a), where neither term is let cancel the other."""
    below = np.log(0.5 * erfcx(-np.minimum(along, 0.0) / np.sqrt(2.0)))
    above = 0.5 * np.square(np.maximum(along, 0.0)) + log_ndtr(np.maximum(along, 0.0))
    return np.where(along < 0.0, below, above)


def _beyond(along: Array) -> tuple[Array, Array]:
    """a + h and 1 + a (a + h), with h = phi(a) / Phi(a): mean and mean square of the half-normal variable in units of s."""
    near = np.maximum(along, _FAR)
    with np.errstate(over="ignore"):  # far above zero h is zero
        first = near + _MEAN / erfcx(-near / np.sqrt(2.0))
    second = 1.0 + near * first
    far = along < _FAR
    if far.any():
        u = along[far] ** -2.0  # h + a = -1/a (1 - 2 u + 10 u^2 - 74 u^3 + ...)
        first[far] = -(1.0 - 2.0 * u + 10.0 * u**2 - 74.0 * u**3) / along[far]
        second[far] = u * (2.0 - 10.0 * u + 74.0 * u**2 - 706.0 * u**3)
    return first, second


def _as_form(matrix: Array, like: Array) -> Array:
    """A symmetric matrix as packed triangle, diagonal or trace, whichever form `like` has."""
    n_features = len(matrix)
    if like.size == n_features * (n_features + 1) // 2:
        return pack_symmetric(matrix)
    return matrix.diagonal() if like.size == n_features else np.array([np.trace(matrix)])
