r"""Dirichlet-multinomial components: counts more variable than one profile explains, whole or fractional.

The file is long because the whole contract of a component is here, with an M-step that has no finite statistics.

A unit draws its own shares from Dirichlet(:math:`\alpha`) and its counts from these. With :math:`A = \sum_j \alpha_j`,
:math:`n = \sum_j x_j` and gamma functions throughout, so that counts may be fractions (expected counts),

.. math:: \log p(x) = \log\frac{\Gamma(n+1)}{\prod_j\Gamma(x_j+1)}
          + \sum_{j: x_j > 0}\log\frac{\Gamma(x_j+\alpha_j)}{\Gamma(\alpha_j)} - \log\frac{\Gamma(n+A)}{\Gamma(A)}.

The first term is the multinomial coefficient, the same as in :class:`~mixtura.families.multinomial.Multinomial`, so
likelihoods and criteria of the two compare. For whole counts this is a probability; for fractions it is the same
formula, which does not sum to one.

**M-step.** Nothing of finite size holds what the likelihood says about all :math:`\alpha`, so the sums are its
score and curvature at the parameters that scored the rows. :meth:`DirichletMultinomial.maximize` belongs to these
parameters, takes one guarded step and marks it inexact: the driver goes back halfway where the objective fell.
With logarithms :math:`u_j = \log\alpha_j`, :math:`p = \alpha / A` and

.. math:: S_j = \alpha_j \sum r\,[\psi(x_j+\alpha_j)-\psi(\alpha_j)],\quad
          V_j = \alpha_j^2 \sum r\,[\psi'(\alpha_j)-\psi'(x_j+\alpha_j)],\quad
          D = A \sum r\,[\psi(n+A)-\psi(A)],\quad Z = A^2 \sum r\,[\psi'(A)-\psi'(n+A)]

the gradient is :math:`g_j = S_j - D p_j` and the Hessian :math:`Z p p^T - \mathrm{diag}(V - g)`. The *Newton step*
takes :math:`h_j = V_j + \max(-g_j, 0)` for the diagonal (as concave as the truth or more; equal to it at the maximum),
is solved by Sherman and Morrison's formula, is taken only where the matrix is negative definite, and no logarithm
moves by more than 1.5. Elsewhere the *fixed point* is taken, which never lowers the likelihood: Minka's
bound (equation 55 of [1]_) for counts of at least 1, where :math:`\log\Gamma(x+\alpha)/\Gamma(\alpha)` is convex in
:math:`\log\alpha`. For counts between 0 and 1 it is concave there, the tangent is no bound, and Minka's step swings from
side to side of the maximum. But :math:`\log\Gamma(x+\alpha)/\Gamma(\alpha) = \log\alpha - \log\Gamma(1+\alpha)/\Gamma(x+\alpha)`
is :math:`\log\alpha` plus something convex in :math:`\alpha`, whose tangent gives a bound of the same form. With
:math:`T_j = \sum_{0<x_j<1} r\,(1 - \alpha_j[\psi(x_j+\alpha_j)-\psi(\alpha_j)])` both together are
:math:`\alpha_j \leftarrow \alpha_j (S_j + T_j)/(T_j + D p_j)`.

**Limits.** Rows no more variable than a multinomial raise A without bound: it stops at `LARGEST_CONCENTRATION`, where a
row of n counts differs from the multinomial by less than n^2 / 2e10. Rows of one category each lower it without bound: it
stops at `SMALLEST_CONCENTRATION`. A category never seen in a component keeps `SMALLEST_SHARE` of A.

References
----------
.. [1] T. P. Minka (2000, revised 2012), "Estimating a Dirichlet distribution".
.. [2] J. E. Mosimann (1962), Biometrika 49(1/2), 65-82.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp

from mixtura.components.rising import log_rising, rising_derivatives
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.families.multinomial import Multinomial, hellinger
from mixtura.kernels import compiled
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["DirichletMultinomial", "NonZeros"]

LARGEST_CONCENTRATION = 1e10
SMALLEST_CONCENTRATION = 1e-6
SMALLEST_SHARE = 1e-8

# No logarithm of a parameter moves farther in one Newton step.
_FARTHEST = 1.5
# Below this determinant (relative) the Hessian is singular up to rounding: rows of one count say nothing about A.
_SINGULAR = 1e-12
# Concentrations that a start may have: where it errs, the first steps move it.
_START = (0.1, 1e4)
# Work (non-zeros times K) below which plain NumPy is as quick, and nothing is compiled.
_WORTH = 20_000
# Rows with less than this share of a component's count change none of its sums' digits.
_NOTHING = 1e-18
_FIELDS = ("score", "curvature", "fraction")


class NonZeros(NamedTuple):
    """A batch as Dirichlet-multinomials see it: its non-zeros, one category after the other.

    Parameters
    ----------
    values : ndarray, shape (nnz,)
        The counts.
    rows : ndarray of int, shape (nnz,)
        Row of each.
    offsets : ndarray of int, shape (C + 1,)
        Where each category begins.
    totals : ndarray, shape (B,)
        Row sums n.
    log_base : ndarray, shape (B,)
        Log multinomial coefficients.
    n_values : int
        nnz, also in a view of the totals.
    """

    values: Array
    rows: Array
    offsets: Array
    totals: Array
    log_base: Array
    n_values: int

    @property
    def categories(self) -> Array:
        """Category of each non-zero, shape (nnz,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


class DirichletMultinomial:
    """K Dirichlet-multinomials over C categories.

    Parameters
    ----------
    alpha : ndarray, shape (K, C), optional
        Positive parameters; a row's sum is the concentration, its shares are the profile. None before the first M-step.
    totals : ndarray, optional
        Row totals seen in training, from which `sample` draws the size of a new row. Default: one count a row.

    Examples
    --------
    >>> two = DirichletMultinomial(np.array([[1.0, 1.0], [9.0, 1.0]]))
    >>> two.log_prob(two.encode(np.array([[1.0], [1.0]]), Encoding(2))).round(4)  # 1/3, 9/55
    array([[-1.0986],
           [-1.8101]])
    """

    #: Rows are taken as they are, not about the columns' means.
    centred = False
    #: A step by score and curvature is no maximisation.
    exact = False
    name = "Dirichlet-multinomial"
    support = Multinomial.support
    inseparable = Multinomial.inseparable
    #: Distances between features are Hellinger's already.
    standardized = False

    def __init__(self, alpha: Array | None = None, totals: Array | None = None) -> None:
        self._alpha = None if alpha is None else np.asarray(alpha, dtype=np.float64)
        self.totals = np.ones(1, dtype=np.int64) if totals is None else np.asarray(totals)

    def __repr__(self) -> str:
        size = "blank" if self._alpha is None else "K={}, C={}".format(*self._alpha.shape)
        return f"DirichletMultinomial({size})"

    # --- parameters -------------------------------------------------------------------------------------------
    @property
    def alpha(self) -> Array:
        """Parameters, shape (K, C)."""
        if self._alpha is None:
            msg = "The Dirichlet-multinomial components have no parameters yet: fit them, or call maximize first."
            raise InvalidParameterError(msg)
        return self._alpha

    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._alpha is None

    def outside(self, x: Any) -> Array | None:
        """Negative counts."""
        return Multinomial().outside(x)

    def features(self, x: Any) -> Any:
        """Square roots of each row's shares."""
        return hellinger(x)

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Concentrations and mean shares."""
        shares = self.probabilities
        return [
            ("concentration", "", "", self.concentration),
            *(("probability", name, "", shares[:, c]) for c, name in enumerate(names)),
        ]

    @property
    def concentration(self) -> Array:
        """A, shape (K,): how many counts a component's profile is worth to a unit."""
        return np.asarray(self.alpha.sum(axis=1))

    @property
    def probabilities(self) -> Array:
        """Mean shares of the categories, shape (K, C); rows sum to one."""
        return self.alpha / self.concentration[:, None]

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.alpha)

    def n_statistics(self, n_features: int) -> int:
        """Numbers a row that a block holds: up to C counts with their places."""
        return 2 * n_features

    def n_parameters(self) -> int:
        """K C."""
        return self.alpha.size

    def replace(self, alpha: Array) -> Self:
        """The same settings with other parameters."""
        new = copy.copy(self)
        new._alpha = np.asarray(alpha, dtype=np.float64)
        return new

    # --- the pass ---------------------------------------------------------------------------------------------
    def encode(self, x: Any, encoding: Encoding) -> NonZeros:
        """The non-zeros of dense (C, B) or CSR (B, C) counts, by category; sparse ones are never densified."""
        if sp.issparse(x):
            table = x.tocsc()
            if not table.data.all():
                table.eliminate_zeros()
            values, rows, offsets = table.data.astype(np.float64, copy=False), table.indices, table.indptr
            n_rows = x.shape[0]
        else:
            x = np.asarray(x, dtype=np.float64)
            n_rows, present = x.shape[1], x != 0.0
            rows = np.broadcast_to(np.arange(n_rows), x.shape)
            values, rows = (x.ravel(), rows.ravel()) if present.all() else (x[present], rows[present])
            offsets = np.concatenate([[0], np.cumsum(np.count_nonzero(present, axis=1))])
        totals = np.bincount(rows, weights=values, minlength=n_rows)
        block = NonZeros(values, rows, offsets, totals, np.empty(0), len(values))
        ones = np.ones((1, len(offsets) - 1))
        base = _logs(_totals_of(block), np.ones((1, 1)), 1.0) - _logs(block, ones, 1.0)  # log Γ(1 + x)
        return block._replace(log_base=base[0])

    def log_prob(self, block: NonZeros) -> Array:
        """Scores, shape (K, B)."""
        scores = _logs(block, self.alpha, 1.0)
        scores += _logs(_totals_of(block), self.concentration[:, None], -1.0)
        scores += block.log_base
        return scores

    def expected_statistics(self, block: NonZeros, resp: Array) -> Statistics:
        """Score and curvature at these parameters, weighted by resp (K, B); moments of shares before there are any.

        ``score`` and ``curvature`` (K, C) and their ``total_`` counterparts (K,) are the sums of the module's docstring
        without the powers of alpha; ``fraction`` (K, C) is T over alpha.
        """
        resp = np.asarray(resp, dtype=np.float64)
        count = resp.sum(axis=1)
        if self._alpha is None:
            return Statistics({"count": count, **_moments(block, resp)})
        sums = _derivatives(block, self.alpha, resp)
        total = _derivatives(_totals_of(block), self.concentration[:, None], resp)
        sums |= {"total_score": total["score"][:, 0], "total_curvature": total["curvature"][:, 0]}
        return Statistics({"count": count, **sums})

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """One guarded step from the parameters at which the sums were taken, or a first guess from moments of shares.

        Raises
        ------
        DegenerateComponentError
            Naming every component without rows, or whose rows hold no counts.
        """
        count = stats["count"]
        seen = stats["sum_share"].sum(axis=1) if "sum_share" in stats else stats["total_score"]
        empty = ~(count > 1e-8)
        reasons = {int(k): "it holds no rows" for k in np.flatnonzero(empty)}
        reasons |= {int(k): "its rows hold no counts" for k in np.flatnonzero(~empty & ~(seen > 0))}
        if reasons:
            raise DegenerateComponentError(
                Degenerate(k, float(count[k]), reasons[k]) for k in sorted(reasons)
            )
        if "sum_share" in stats:
            return self.replace(_bounded(_from_moments(stats)))
        newton, safe = newton_step(self.alpha, stats)
        alpha = np.where(safe[:, None], newton, fixed_point(self.alpha, stats))
        return self.replace(_bounded(np.where(stats["score"] > 0, alpha, 0.0)))

    def expected_log_prob(self, stats: Statistics) -> float:
        """The tangent <score, alpha>: right to first order about the parameters at which the sums were taken."""
        return float(np.sum(stats["score"] * self.alpha) - stats["total_score"] @ self.concentration)

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components that hold less than one row."""
        return {int(k): f"holds {stats['count'][k]:.3g} rows" for k in np.flatnonzero(stats["count"] < 1.0)}

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves whose scores (or shares) differ by a tenth, alternately up and down."""
        tilted = "sum_share" if "sum_share" in stats else "score"
        tilt = 0.1 * np.where(np.arange(stats[tilted].shape[1]) % 2 == 0, 1.0, -1.0)
        halves = stats.take([*range(len(stats["count"])), component])
        for index, sign in ((component, 1.0), (-1, -1.0)):
            for name, value in halves.sums.items():
                value[index] *= 0.5 * (1.0 + sign * tilt) if name == tilted else 0.5
        return halves

    def coordinates(self) -> Array:
        """Logarithms of the parameters."""
        return np.asarray(np.log(self.alpha).ravel())

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; extreme values are cut where exponentials overflow."""
        logs = np.asarray(vector, dtype=np.float64).reshape(self.alpha.shape)
        return self.replace(np.exp(np.clip(logs, -50.0, 50.0)))

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        return self.replace(self.alpha[np.asarray(components, dtype=np.intp)])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        return self.replace(np.concatenate([self.alpha, *(part.alpha for part in parts)]))

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """Rows whose totals are drawn from those seen in training, shape (n, C)."""
        totals = rng.choice(self.totals, size=n).astype(np.int64)
        shares = rng.dirichlet(self.alpha[component], size=n)
        return rng.multinomial(totals, shares).astype(np.float64)


# --- steps --------------------------------------------------------------------------------------------------------
def newton_step(alpha: Array, stats: Statistics) -> tuple[Array, Array]:
    """Newton's step in log alpha by score and curvature, and where it may be taken.

    Parameters
    ----------
    alpha : ndarray, shape (K, C)
        Parameters at which the sums were taken.
    stats : Statistics
        The sums.

    Returns
    -------
    alpha : ndarray, shape (K, C)
        After the step; no logarithm moved by more than 1.5.
    safe : ndarray of bool, shape (K,)
        Whether the (concave part of the) Hessian is negative definite, so that the step goes uphill.
    """
    share = alpha / alpha.sum(axis=1, keepdims=True)
    gradient, diagonal, coupling = _quadratic(alpha, share, stats)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled = share / diagonal
        left = 1.0 - coupling * np.sum(share * scaled, axis=1)
        along = coupling * np.sum(scaled * gradient, axis=1) / left
        step = gradient / diagonal + scaled * along[:, None]
        farthest = np.max(np.abs(step), axis=1)
        safe = (left > _SINGULAR) & np.isfinite(farthest)
        step *= np.minimum(1.0, _FARTHEST / farthest)[:, None]
    return alpha * np.exp(np.where(safe[:, None], step, 0.0)), safe


def _quadratic(alpha: Array, share: Array, stats: Statistics) -> tuple[Array, Array, Array]:
    """Gradient and diagonal h (K, C), and Z (K,): the Hessian in log alpha is Z p p' - diag(h), or above it."""
    total = alpha.sum(axis=1)
    gradient = alpha * stats["score"] - (total * stats["total_score"])[:, None] * share
    diagonal = alpha**2 * stats["curvature"] + np.maximum(-gradient, 0.0)
    return gradient, diagonal, total**2 * stats["total_curvature"]


def fixed_point(alpha: Array, stats: Statistics) -> Array:
    """Minka's step, made safe for counts between 0 and 1: it never lowers the likelihood.

    Parameters
    ----------
    alpha : ndarray, shape (K, C)
        Parameters at which the sums were taken.
    stats : Statistics
        The sums.

    Returns
    -------
    ndarray, shape (K, C)
        Parameters after the step.
    """
    fraction = stats["fraction"]
    return np.asarray(alpha * (stats["score"] + fraction) / (fraction + stats["total_score"][:, None]))


def _bounded(alpha: Array) -> Array:
    """Parameters within the documented limits."""
    total = alpha.sum(axis=1, keepdims=True)
    share = np.maximum(alpha / total, SMALLEST_SHARE)
    return np.asarray(np.clip(total, SMALLEST_CONCENTRATION, LARGEST_CONCENTRATION) * share)


def _from_moments(stats: Statistics) -> Array:
    r"""A first guess: shares, and A from E[x_j (x_j - 1)] = n (n - 1) p_j (p_j A + 1) / (A + 1), summed over j."""
    share = stats["sum_share"] / stats["sum_share"].sum(axis=1, keepdims=True)
    even = np.sum(share**2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = (
            stats["sum_pairs"] / stats["sum_excess"]
        )  # chance that two counts of a unit are of one category
        total = (1.0 - pairs) / (pairs - even)
    lowest, highest = _START
    total = np.where(np.isfinite(total) & (total > 0), total, highest)
    return share * np.clip(total, lowest, highest)[:, None]


# --- sums over non-zeros ------------------------------------------------------------------------------------------
def _totals_of(block: NonZeros) -> NonZeros:
    """Row totals that are not zero, as a table of one category."""
    rows = np.flatnonzero(block.totals)
    return block._replace(values=block.totals[rows], rows=rows, offsets=np.array([0, len(rows)]))


def _logs(block: NonZeros, alpha: Array, sign: float) -> Array:
    """Sum over the non-zeros of each row of the log rising factorials of alpha (K, C), shape (K, B)."""
    result = np.zeros((len(alpha), len(block.totals)))
    kernel = compiled("mixtura.kernels.rising", "add_logs")
    if kernel is not None and block.n_values * len(alpha) > _WORTH:
        kernel(block.values, block.rows, block.offsets, alpha, sign, result)
        return result
    categories = block.categories
    for k, own in enumerate(alpha):
        logs = log_rising(block.values, own[categories])
        result[k] = sign * np.bincount(block.rows, weights=logs, minlength=result.shape[1])
    return result


def _derivatives(block: NonZeros, alpha: Array, resp: Array) -> dict[str, Array]:
    """Weighted derivatives of the log rising factorials, (K, C) each."""
    sums = {name: np.zeros(alpha.shape) for name in _FIELDS}
    least = _NOTHING * resp.sum(axis=1)
    kernel = compiled("mixtura.kernels.rising", "add_derivatives")
    if kernel is not None and block.n_values * len(alpha) > _WORTH:
        kernel(
            block.values,
            block.rows,
            block.offsets,
            alpha,
            resp,
            least,
            *(sums[name] for name in _FIELDS),
        )
        return sums
    categories = block.categories
    for k, own in enumerate(alpha):
        weight = resp[k][block.rows]
        kept = weight > least[k]
        x, weight, places = block.values[kept], weight[kept], categories[kept]
        first, second = rising_derivatives(x, own[places])
        lost = np.where(x < 1.0, 1.0 / own[places] - first, 0.0)
        for name, values in zip(_FIELDS, (first, second, lost), strict=True):
            sums[name][k] = np.bincount(places, weights=weight * values, minlength=alpha.shape[1])
    return sums


def _moments(block: NonZeros, resp: Array) -> dict[str, Array]:
    """Sums of shares (K, C), and over rows of more than one count of sum_j x_j^2 / n - 1 and n - 1 (K,)."""
    totals = block.totals
    inverse = 1.0 / np.where(totals > 0, totals, 1.0)
    shape = (len(totals), len(block.offsets) - 1)
    table = sp.csc_matrix((block.values * inverse[block.rows], block.rows, block.offsets), shape=shape)
    squares = np.bincount(block.rows, weights=block.values**2, minlength=len(totals)) * inverse
    several = totals > 1.0
    return {
        "sum_share": np.asarray((table.T @ resp.T).T),
        "sum_pairs": resp @ np.where(several, squares - 1.0, 0.0),
        "sum_excess": resp @ np.where(several, totals - 1.0, 0.0),
    }
