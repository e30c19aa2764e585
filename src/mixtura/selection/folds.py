"""Cross-validation of chains: whole sequences are left out in turn, or stretches of a single one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from mixtura.exceptions import ConvergenceWarning, DegeneracyWarning, InvalidDataError, StartsDisagreeWarning
from mixtura.models._sequences import Sequences, sequences, taken_rows
from mixtura.protocols import Array

__all__ = ["SequenceFolds"]


@dataclass(frozen=True)
class SequenceFolds:
    """Held-out log-likelihood by cross-validation over sequences, for `select(..., validation=SequenceFolds(5))`.

    Every fold leaves whole sequences out, fits the chain to the others, and scores those left out. Where there is a single sequence, a
    fold leaves stretches of it out: the chain is fitted with these steps as not observed, and scored by
    log p(all steps) - log p(steps that were not left out), which is the log density of the stretches given what is around them ([1]_).

    Parameters
    ----------
    n_folds : int, default 5
        Parts; at least 2.
    n_blocks : int, default 20
        Stretches that a single sequence is cut into, dealt out to the folds.
    random_state : int, default 0
        Which sequences, or stretches, are in which fold.

    References
    ----------
    .. [1] G. Celeux and J.-B. Durand (2008), "Selecting hidden Markov model state number with cross-validated likelihood",
       Computational Statistics 23, 541-564.

    Examples
    --------
    >>> from mixtura import HMM, select
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(np.tile(np.repeat([0.0, 5.0], 10), 6))[:, None]
    >>> found = select(
    ...     HMM(random_state=0),
    ...     X,
    ...     lengths=[20] * 6,
    ...     n_components=[1, 2, 3],
    ...     criterion="held_out",
    ...     validation=SequenceFolds(2),
    ... )
    >>> found.chosen["n_components"]
    2
    """

    n_folds: int = 5
    n_blocks: int = 20
    random_state: int = 0

    def held_out(self, model: Any, X: Any, beside: Mapping[str, Any]) -> float:
        """Mean log-likelihood per step left out, of chains with the settings of a fitted one.

        Parameters
        ----------
        model : estimator
            A chain; only its settings matter.
        X, beside
            What it was fitted to: rows, and arguments of `fit` by name.

        Raises
        ------
        InvalidDataError
            If there are too few sequences (or, of one, steps) for the folds.
        """
        given = sequences(X, beside.get("lengths"), beside.get("groups"), _table)
        alone = len(given.lengths) == 1
        parts = self._stretches(given) if alone else self._whole(given)
        total = 0.0
        for left_out in parts:
            total += (_inside if alone else _outside)(model, given, beside, left_out)
        return total / given.n_rows

    def _dealt(self, n_items: int, what: str) -> list[Array]:
        """Numbers of the items in every fold."""
        if not 2 <= self.n_folds <= n_items:
            msg = f"n_folds is {self.n_folds}, but there are {n_items} {what}; expected from 2 to as many folds as {what}."
            raise InvalidDataError(msg)
        order = np.random.default_rng(self.random_state).permutation(n_items)
        return [np.sort(order[fold :: self.n_folds]) for fold in range(self.n_folds)]

    def _whole(self, given: Sequences) -> Iterator[Array]:
        """Sequences left out in every fold, as masks (U,)."""
        for fold in self._dealt(len(given.lengths), "sequences"):
            yield np.isin(np.arange(len(given.lengths)), fold)

    def _stretches(self, given: Sequences) -> Iterator[Array]:
        """Steps left out in every fold, as masks (N,)."""
        if not isinstance(given.x, np.ndarray):
            msg = (
                f"Stretches of a single sequence cannot be left out of a {type(given.x).__name__}; expected several sequences, or an "
                "array of numbers."
            )
            raise InvalidDataError(msg)
        blocks = np.arange(given.n_rows) * min(self.n_blocks, given.n_rows) // given.n_rows
        for fold in self._dealt(int(blocks[-1]) + 1, "stretches"):
            yield np.isin(blocks, fold)


def _table(X: Any) -> Any:
    """Rows of which some can be taken; the chains that are fitted check them."""
    if sp.issparse(X):
        return X.tocsr()
    if isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame):
        return X
    rows = np.asarray(X, dtype=np.float64)
    return rows[:, None] if rows.ndim == 1 else rows


def _outside(model: Any, given: Sequences, beside: Mapping[str, Any], left_out: Array) -> float:
    """Log-likelihood of the sequences left out under a chain fitted to the others."""
    weight = beside.get("sample_weight")
    rows = np.repeat(left_out, given.lengths)
    parts = []
    for units, steps in ((~left_out, ~rows), (left_out, rows)):
        arguments = {"lengths": given.lengths[units]}
        for name in ("labels", "covariates"):
            if beside.get(name) is not None:
                arguments[name] = given.sorted(np.asarray(beside[name]))[steps]
        parts.append((taken_rows(given.x, np.flatnonzero(steps)), arguments))
    (x_fit, fit_with), (x_new, score_with) = parts
    if weight is not None:
        fit_with["sample_weight"] = np.asarray(weight)[~left_out]
    scores = _fitted(model, x_fit, fit_with).score_sequences(x_new, **score_with)
    return float(scores.sum() if weight is None else scores @ np.asarray(weight)[left_out])


def _inside(model: Any, given: Sequences, beside: Mapping[str, Any], left_out: Array) -> float:
    """Log density of stretches of the one sequence given the rest of it."""
    gaps = given.x.copy()
    gaps[left_out] = np.nan
    arguments = {
        name: given.sorted(np.asarray(beside[name]))
        for name in ("labels", "covariates")
        if beside.get(name) is not None
    }
    chain = _fitted(model, gaps, arguments)
    return float(chain.score(given.x, **arguments) - chain.score(gaps, **arguments))


def _fitted(model: Any, rows: Any, arguments: Mapping[str, Any]) -> Any:
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, StartsDisagreeWarning, DegeneracyWarning):
            warnings.simplefilter("ignore", category)  # a fold is no result
        return clone(model).fit(rows, **arguments)
