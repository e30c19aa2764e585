"""What latent class analysis reads from a fitted mixture: profiles, quality of the classification, fit of the table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from itertools import combinations
from math import prod
from typing import Any

import narwhals as nw
import numpy as np
from scipy.special import logsumexp, xlogy
from sklearn.utils.validation import check_is_fitted

from mixtura.models._goodness import GoodnessOfFit, goodness
from mixtura.protocols import Array

__all__ = ["LatentClassTables"]

_LONGEST = 60  # rows of the profiles in a summary before they are cut
_WIDEST = 8  # classes, likewise


class LatentClassTables:
    """Methods of a mixture of columns of levels."""

    weights_: Array
    levels_: list[list[Any]]
    probabilities_: Any
    n_features_in_: int
    n_parameters: Any
    _joint: Any
    _score_rows: Any

    @abstractmethod
    def _validate(self, X: Any, *, reset: bool) -> Any:
        """Rows as codes (N, D), NaN where a cell is missing."""

    @abstractmethod
    def _check_weight(self, sample_weight: Any, n_rows: int) -> Array | None:
        """Weights as an array, or None."""

    @abstractmethod
    def _name(self, column: int) -> Any:
        """Name of a column, or its number."""

    def _item(self, column: int) -> str:
        """Name of a column, ``x0`` and so on where it has none."""
        name = self._name(column)
        return f"x{column}" if isinstance(name, int) else str(name)

    # --- profiles ---------------------------------------------------------------------------------------------
    def profiles(self, library: str | None = None) -> Any:
        """The profile table: how every class answers.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes pandas, or polars where pandas is missing.

        Returns
        -------
        data frame
            First the sizes of the classes (item ``class size``), then a row for each level of each item: ``item``,
            ``level`` (as text), ``overall`` (the share that the mixture expects among all), ``p0``, ``p1``, ... (the
            probability of the level in each class).
        """
        from mixtura.data.frames import make_frame

        check_is_fitted(self)
        return make_frame(self._profiles(), library)

    def _profiles(self) -> dict[str, list[Any]]:
        """Columns of the profile table."""
        labels = [("class size", "")]
        labels += [(self._item(j), str(level)) for j, levels in enumerate(self.levels_) for level in levels]
        values = np.concatenate([self.weights_[:, None], *self.probabilities_], axis=1)
        overall = self.weights_ @ values
        overall[0] = 1.0
        columns: dict[str, list[Any]] = {
            "item": [item for item, _ in labels],
            "level": [level for _, level in labels],
            "overall": overall.tolist(),
        }
        return columns | {f"p{k}": row.tolist() for k, row in enumerate(values)}

    def _parameter_table(self) -> list[tuple[str, str, str, Array]]:
        """Rows of `params_frame`: probability, item, level, values (K,)."""
        return [
            ("probability", self._item(j), str(level), table[:, index])
            for j, (levels, table) in enumerate(zip(self.levels_, self.probabilities_, strict=True))
            for index, level in enumerate(levels)
        ]

    def _summary_table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of the summary: an item's level a row, the largest class first."""
        columns = self._profiles()
        order = np.argsort(self.weights_)[::-1]
        shown = [f"p{k}" for k in order[:_WIDEST]]
        more = ["..."] if len(order) > _WIDEST else []
        rows = [
            [columns["item"][i], columns["level"][i]]
            + [f"{columns[name][i]:.4f}" for name in ("overall", *shown)]
            + [""] * len(more)
            for i in range(min(len(columns["item"]), _LONGEST))
        ]
        if len(columns["item"]) > _LONGEST:
            rows.append(["..."] + [""] * (len(rows[0]) - 1))
        return ["item", "level", "overall", *shown, *more], rows

    # --- classification ---------------------------------------------------------------------------------------
    def classification_table(self, X: Any, sample_weight: Any = None, library: str | None = None) -> Any:
        """How certain rows are of the class that they are assigned to.

        Parameters
        ----------
        X : data frame or array_like, shape (n_samples, n_features)
            The rows.
        sample_weight : array_like, shape (n_samples,), optional
            Weights of the rows.
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes that of X, else pandas or polars.

        Returns
        -------
        data frame
            A row for each class: ``component``, ``rows`` (weight of the rows whose most probable class it is),
            ``expected_rows`` (sum of the posterior probabilities of all rows), ``p0``, ``p1``, ... (posterior probability of
            each class, averaged over the rows assigned to this one; NaN where there are none). ``rows`` times ``p0``, ... is
            the cross-table of assigned and expected classes; values near one where a class meets itself tell certainty.
        """
        from mixtura.data.frames import make_frame

        n_components = len(self.weights_)
        modal, cross = np.zeros(n_components), np.zeros((n_components, n_components))
        for _, resp, weight in self._posterior(X, sample_weight):
            assigned = resp.argmax(axis=0)
            modal += np.bincount(assigned, weight, minlength=n_components)
            for k in range(n_components):
                cross[k] += resp[:, assigned == k] @ weight[assigned == k]
        with np.errstate(invalid="ignore"):
            average = cross / modal[:, None]
        columns = {
            "component": np.arange(n_components),
            "rows": modal,
            "expected_rows": cross.sum(axis=0),
            **{f"p{k}": average[:, k] for k in range(n_components)},
        }
        return make_frame(columns, library or _library(X))

    def relative_entropy(self, X: Any, sample_weight: Any = None) -> float:
        """One minus the mean entropy of the rows' posteriors over that of a guess (entropy R-squared).

        Parameters
        ----------
        X : data frame or array_like, shape (n_samples, n_features)
            The rows.
        sample_weight : array_like, shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        float
            1 where every row is certain of its class (and with one class), 0 where all classes are equally probable.
        """
        entropy = total = 0.0
        for _, resp, weight in self._posterior(X, sample_weight):
            entropy -= float(xlogy(resp, resp).sum(axis=0) @ weight)
            total += float(weight.sum())
        n_components = len(self.weights_)
        return 1.0 - entropy / (total * np.log(n_components)) if n_components > 1 else 1.0

    # --- fit --------------------------------------------------------------------------------------------------
    def bivariate_residuals(self, X: Any, sample_weight: Any = None, library: str | None = None) -> Any:
        """What the classes leave of the association of each pair of items.

        Rows in which both items are answered are cross-tabulated; expected are the products of the items' probabilities,
        summed over the classes with the posterior probabilities of these rows (with complete rows: the classes' sizes).
        A pair whose residual is far above 1 is not independent given the class: more classes, or one item less.

        Parameters
        ----------
        X : data frame or array_like, shape (n_samples, n_features)
            The rows.
        sample_weight : array_like, shape (n_samples,), optional
            Weights of the rows.
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes that of X, else pandas or polars.

        Returns
        -------
        data frame
            A row for each pair, the largest first: ``item``, ``other_item``, ``residual`` (Pearson's X2 over its degrees of
            freedom), ``x2``, ``df`` ((L_j - 1)(L_i - 1)), ``rows`` (weight of the rows with both).

        References
        ----------
        .. [1] J. K. Vermunt and J. Magidson (2016), "Technical Guide for Latent GOLD 5.1", Statistical Innovations.
        """
        from mixtura.data.frames import make_frame

        observed, sizes = self._pairs(X, sample_weight)
        rows = []
        ends = np.cumsum([0, *(len(levels) for levels in self.levels_)])
        for i, j in combinations(range(len(self.levels_)), 2):
            df = (len(self.levels_[i]) - 1) * (len(self.levels_[j]) - 1)
            if df == 0:
                continue
            found = observed[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
            expected = np.einsum(
                "k,kl,km->lm", sizes[:, i, j], self.probabilities_[i], self.probabilities_[j]
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                x2 = float(np.sum((found - expected) ** 2 / expected))
            rows.append((self._item(i), self._item(j), x2 / df, x2, df, float(found.sum())))
        rows.sort(key=lambda row: -row[2])
        names = ("item", "other_item", "residual", "x2", "df", "rows")
        return make_frame(
            {name: [row[index] for row in rows] for index, name in enumerate(names)}, library or _library(X)
        )

    def _pairs(self, X: Any, sample_weight: Any) -> tuple[Array, Array]:
        """Weights of pairs of levels (P, P), and of each class among the rows with both items (K, D, D)."""
        counts = [len(levels) for levels in self.levels_]
        value = np.concatenate([np.arange(count) for count in counts])[:, None]
        observed = np.zeros((len(value), len(value)))
        sizes = np.zeros((len(self.weights_), len(counts), len(counts)))
        for x, resp, weight in self._posterior(X, sample_weight):
            marks = (np.repeat(x.T, counts, axis=0) == value).astype(np.float64)
            observed += (marks * weight) @ marks.T
            shown = (~np.isnan(x.T)).astype(np.float64)
            for k, row in enumerate(resp):
                sizes[k] += (shown * (row * weight)) @ shown.T
        return observed, sizes

    def goodness_of_fit(self, X: Any, sample_weight: Any = None) -> GoodnessOfFit:
        """G2 and X2 of the table of patterns, with degrees of freedom and, where they mean something, p-values.

        Rows with missing cells are left out of G2 and X2 (not of the fit), as poLCA does.

        Parameters
        ----------
        X : data frame or array_like, shape (n_samples, n_features)
            The rows, of the fit as a rule.
        sample_weight : array_like, shape (n_samples,), optional
            Frequencies of the rows.

        Returns
        -------
        GoodnessOfFit
            Statistics, counts of patterns, and a remark.
        """
        check_is_fitted(self)
        codes = self._validate(X, reset=False)
        weight = self._check_weight(sample_weight, len(codes))
        weight = np.ones(len(codes)) if weight is None else weight
        used = (weight > 0) & ~np.isnan(codes).any(axis=1)
        patterns, place = np.unique(codes[used], axis=0, return_inverse=True)
        observed = np.bincount(place.ravel(), weight[used], minlength=len(patterns))
        likelihood = np.exp(self._score_rows(patterns)) if len(patterns) else np.empty(0)
        n_cells = prod(len(levels) for levels in self.levels_)
        return goodness(
            observed, observed.sum() * likelihood, n_cells, self.n_parameters(), float(weight.sum())
        )

    def _posterior(self, X: Any, sample_weight: Any) -> Iterator[tuple[Array, Array, Array]]:
        """Codes (B, D), posterior probabilities (K, B) and weights (B,) of blocks of rows."""
        check_is_fitted(self)
        codes = self._validate(X, reset=False)
        weight = self._check_weight(sample_weight, len(codes))
        weight = np.ones(len(codes)) if weight is None else weight
        for rows, joint in self._joint(codes):
            yield codes[rows], np.exp(joint - logsumexp(joint, axis=0)), weight[rows]


def _library(X: Any) -> str | None:
    """Name of the library of a data frame; None for anything else."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    name = frame.implementation.value if isinstance(frame, nw.DataFrame) else None
    return name if name in ("pandas", "polars", "pyarrow") else None
