r"""Responses that depend on covariates: what all of them share.

The file is long because the whole contract of a component is here, for all regressions. Rows x hold the response and what
it depends on; a component knows which row of x (feature-major) is which. With z the covariates, after a 1 where there is an
intercept, the linear predictor of component k is :math:`\eta_k = b_k^T z`, and the density is that of the response given
the covariates: these have no law of their own.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mixtura.components.design import places, solve_normal
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["Regression", "RegressionBlock"]


class RegressionBlock(NamedTuple):
    """A batch as regressions see it.

    Parameters
    ----------
    design : ndarray, shape (Q, B)
        One, where there is an intercept, and the covariates.
    response : ndarray, shape (B,)
        The response y.
    known : ndarray, shape (B,)
        What else is known of a row: trials or exposure; ones where there is none.
    products : ndarray, shape (Q (Q + 1) / 2, B)
        Upper triangles of z z'.
    """

    design: Array
    response: Array
    known: Array
    products: Array


class Regression(ABC):
    """K regressions of one response: base of the responses.

    Parameters
    ----------
    coefficients : ndarray, shape (K, Q), optional
        Of the design's columns, the intercept first where there is one. None before the first M-step.
    response : int, default 0
        Row of x that is the response.
    known : int, optional
        Row of x that holds trials or exposures.
    covariates : sequence of int, optional
        Rows of x that are covariates. Default: all others.
    intercept : bool, default True
        Whether a column of ones comes first in the design.
    shared : sequence of int, default ()
        Columns of the design whose coefficients are the same in all components.
    pool : ndarray, shape (D, S), optional
        Rows from which `sample` draws covariates, trials and exposures; responses in it are not looked at. Default:
        standard normal covariates, one trial, exposure 1.
    """

    #: Rows are taken as they are; `moved` turns coefficients about one origin into those about another.
    centred = False
    exact = True
    #: Name in messages.
    name = "regression"
    #: What responses may be, in messages.
    support = "finite numbers"
    #: Whether responses may be taken about another point.
    additive: ClassVar[bool] = False
    #: Why columns cannot be left out or conditioned on.
    inseparable: ClassVar[str] = "covariates of a regression have no law of their own"
    #: Name of the argument that says in which row trials or exposures are; empty where the response has none.
    known_name: ClassVar[str] = ""

    def __init__(
        self,
        coefficients: Array | None = None,
        *,
        response: int = 0,
        known: int | None = None,
        covariates: Sequence[int] | None = None,
        intercept: bool = True,
        shared: Sequence[int] = (),
        pool: Array | None = None,
    ) -> None:
        self._coefficients = None if coefficients is None else np.asarray(coefficients, dtype=np.float64)
        self.response = response
        self.known = known
        self.covariates = None if covariates is None else [int(row) for row in covariates]
        self.intercept = bool(intercept)
        self.shared = sorted({int(column) for column in shared})
        self.pool = None if pool is None else np.asarray(pool, dtype=np.float64)

    def __repr__(self) -> str:
        size = "blank" if self.blank else "K={}, Q={}".format(*self.coefficients.shape)
        return f"{type(self).__name__}({size})"

    # --- parameters -------------------------------------------------------------------------------------------
    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._coefficients is None

    @property
    def coefficients(self) -> Array:
        """Coefficients, shape (K, Q), the intercept first where there is one."""
        if self._coefficients is None:
            msg = f"The {type(self).__name__} components have no parameters yet: fit them, or call maximize first."
            raise InvalidParameterError(msg)
        return self._coefficients

    @property
    def n_components(self) -> int:
        """K, number of components."""
        return len(self.coefficients)

    @property
    def _places(self) -> Array:
        n_components, n_columns = self.coefficients.shape
        return places(n_components, n_columns, self.shared)

    def n_statistics(self, n_features: int) -> int:
        """Numbers a row that a block holds."""
        columns = n_features if self.covariates is None else len(self.covariates) + 1
        return columns * (columns + 3) // 2

    def n_parameters(self) -> int:
        """Free coefficients."""
        n_components, n_columns = self.coefficients.shape
        return n_components * (n_columns - len(self.shared)) + len(self.shared)

    def replace(self, coefficients: Array) -> Self:
        """The same settings with other coefficients."""
        new = copy.copy(self)
        new._coefficients = np.asarray(coefficients, dtype=np.float64)
        return new

    def movable(self, n_features: int) -> Array:
        """Which rows of x may be taken about another point, shape (D,): where the intercept can make up for it.

        An intercept that all components share cannot make up for covariates whose slopes they do not share.
        """
        found = np.zeros(n_features, dtype=bool)
        if self.intercept:
            found[self.response] = self.additive
            alike = 0 not in self.shared
            for column, row in enumerate(self._rows(n_features), start=1):
                found[row] = alike or column in self.shared
        return found

    def moved(self, by: Array) -> Self:
        """The same regressions of rows from which `by` (D,) is subtracted."""
        by = np.asarray(by, dtype=np.float64)
        fixed = np.flatnonzero((by != 0) & ~self.movable(len(by)))
        if fixed.size:
            msg = (
                f"Row {fixed[0]} of x moves by {by[fixed[0]]:g}, but no intercept of {self!r} can make up for it; expected 0. "
                "Leave such columns where they are."
            )
            raise InvalidParameterError(msg)
        if not self.intercept:
            return self
        coefficients = self.coefficients.copy()
        coefficients[:, 0] += coefficients[:, 1:] @ by[self._rows(len(by))] - by[self.response]
        return self.replace(coefficients)

    def table(self, names: Sequence[str], origin: Array | None) -> Iterator[tuple[str, str, str, Array]]:
        """Coefficients by the name of their column, in the units of the data."""
        coefficients = (self if origin is None else self.moved(-origin)).coefficients
        labels = [names[row] for row in self._rows(len(names))]
        for column, label in enumerate(["intercept", *labels] if self.intercept else labels):
            yield "coefficient", label, "", coefficients[:, column]

    # --- the pass ---------------------------------------------------------------------------------------------
    def _rows(self, n_features: int) -> list[int]:
        """Rows of x that are covariates."""
        if self.covariates is not None:
            return self.covariates
        return [row for row in range(n_features) if row not in (self.response, self.known)]

    def encode(self, x: Array, encoding: Encoding) -> RegressionBlock:
        """Response, design and products of its columns."""
        x = np.asarray(x, dtype=encoding.dtype)
        rows = self._rows(len(x))
        first = int(self.intercept)
        if not first + len(rows):
            msg = f"{self!r} has neither an intercept nor covariates; expected at least one of them."
            raise InvalidParameterError(msg)
        design = np.empty((first + len(rows), x.shape[1]), dtype=x.dtype)
        design[:first] = 1.0
        design[first:] = x[rows]
        one, other = np.triu_indices(len(design))
        known = np.ones(x.shape[1], dtype=x.dtype) if self.known is None else x[self.known]
        return RegressionBlock(design, x[self.response], known, design[one] * design[other])

    def predictor(self, block: RegressionBlock) -> Array:
        """Linear predictors, shape (K, B)."""
        return np.asarray(self.coefficients.astype(block.design.dtype, copy=False) @ block.design)

    @abstractmethod
    def mean(self, block: RegressionBlock) -> Array:
        """Expected responses, shape (K, B)."""

    @abstractmethod
    def variance(self, block: RegressionBlock) -> Array:
        """Variances of the responses, shape (K, B)."""

    @abstractmethod
    def log_prob(self, block: RegressionBlock) -> Array:
        """Scores, shape (K, B)."""

    @abstractmethod
    def expected_statistics(self, block: RegressionBlock, resp: Array) -> Statistics:
        """Sums weighted by resp, shape (K, B)."""

    @abstractmethod
    def maximize(self, stats: Statistics) -> Self:
        """A new object that raises the expected log-likelihood."""

    @abstractmethod
    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of statistics and parameters."""

    @abstractmethod
    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two components in the place of one, from statistics alone."""

    def features(self, x: Array) -> Array:
        """Residuals of one regression for all rows, alone and times each covariate: rows of other lines lie apart there.

        The products are what each row adds to the gradient of the likelihood, so parallel lines differ in the first and
        crossing ones in the others, shape (F, B).
        """
        block = self.encode(x, Encoding(len(x)))
        centred = block.design - block.design.mean(axis=1, keepdims=True)
        scale = centred.std(axis=1, keepdims=True)
        centred = centred[scale.ravel() > 0] / scale[scale.ravel() > 0]
        response = self.linked(block)
        design = np.concatenate([np.ones((1, len(response))), centred])
        residual = response - np.linalg.lstsq(design.T, response, rcond=None)[0] @ design
        return np.concatenate([residual[None], residual * centred])

    def linked(self, block: RegressionBlock) -> Array:
        """Responses on the scale of the linear predictor, shape (B,)."""
        return block.response

    def outside(self, x: Array) -> Array | None:
        """Entries of x that cannot be, shape (D, B); None where all can."""
        return None

    # --- the update -------------------------------------------------------------------------------------------
    def _refuse_empty(self, stats: Statistics) -> None:
        """Name every component without rows."""
        empty = np.flatnonzero(~(stats["count"] > 1e-8))
        if empty.size:
            raise DegenerateComponentError(
                Degenerate(int(k), float(stats["count"][k]), "it holds no rows") for k in empty
            )

    def _solve(self, matrices: Array, vectors: Array, count: Array) -> Array:
        """Solution of the normal equations, or an error that names components and columns."""
        solution = solve_normal(matrices, vectors, self.shared)
        if solution.undetermined:
            raise DegenerateComponentError(
                Degenerate(
                    k,
                    float(count[k]),
                    f"its rows do not determine the coefficients of column(s) {', '.join(map(str, columns))} of the design",
                )
                for k, columns in solution.undetermined.items()
            )
        return solution.coefficients

    def _tilt(self, matrix: Array) -> tuple[int, float]:
        """Column along which a component is split (the first of its own), and the mean square of that column."""
        own = [column for column in range(len(matrix)) if column not in self.shared] or [0]
        return own[0], float(matrix[own[0], own[0]])

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components that hold no more rows than they have coefficients."""
        needed = self.coefficients.shape[1] + 1
        few = np.flatnonzero(stats["count"] < needed - 1e-6)
        return {
            int(k): f"holds {stats['count'][k]:.3g} rows, fewer than one more than its coefficients, {needed}"
            for k in few
        }

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Free coefficients; shared ones come first."""
        free = np.empty(self._n_free)
        free[self._places] = self.coefficients
        return free

    @property
    def _n_free(self) -> int:
        return int(self._places.max()) + 1

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        return self.replace(np.asarray(vector, dtype=np.float64)[self._places])

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components."""
        return self.replace(self.coefficients[np.asarray(components, dtype=np.intp)])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        return self.replace(np.concatenate([self.coefficients, *(part.coefficients for part in parts)]))

    @abstractmethod
    def respond(self, block: RegressionBlock, state: Array, rng: np.random.Generator) -> Array:
        """A response of every row in its state (B,), shape (B,)."""

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D); covariates are drawn from `pool`."""
        rows = self._pooled(n, rng)
        block = self.encode(rows.T, Encoding(rows.shape[1]))
        rows[:, self.response] = self.respond(block, np.full(n, component), rng)
        return rows

    def _pooled(self, n: int, rng: np.random.Generator) -> Array:
        """Rows of covariates, trials and exposures; the responses hold nothing yet."""
        if self.pool is not None:
            return np.array(self.pool[:, rng.integers(self.pool.shape[1], size=n)].T)
        given = [self.response, *([] if self.known is None else [self.known])]
        n_covariates = self.coefficients.shape[1] - int(self.intercept)
        n_features = (
            n_covariates + len(given) if self.covariates is None else max([*self.covariates, *given]) + 1
        )
        rows = rng.standard_normal((n, n_features))
        rows[:, given] = 1.0
        return rows
