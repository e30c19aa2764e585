"""Some columns from others: marginal and conditional mixtures of a fitted one.

A mixture is a joint distribution of its columns. Given some of them the others are a mixture again, of the components'
conditional laws, weighted by how probable each component makes what is given:

    p(rest | given) = sum_k w_k p(rest | given, k),    w_k = pi_k p(given | k) / sum_j pi_j p(given | j)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from mixtura.components import hooks
from mixtura.components.conditioning import log_prob_at, others
from mixtura.exceptions import InvalidParameterError, did_you_mean
from mixtura.models._imputing import Imputing
from mixtura.models._levels import Level, listed
from mixtura.protocols import Array

__all__ = ["Conditional"]

# What a fit says of itself, which stays true of a part of its mixture.
_OF_THE_FIT = ("starts_", "best_start_", "stop_reason_", "converged_", "n_iter_", "total_weight_")


class Conditional(Imputing):
    """Methods of a fitted mixture that take its columns apart."""

    # Given by the other bases; declared for the type checker.
    weights_: Array
    events_: tuple[str, ...]
    get_params: Any

    # --- what a subclass may say ------------------------------------------------------------------------------
    def _with_components(self, components: Any, weights: Array, columns: Array) -> Any:
        """A fitted mixture of some columns, without what it inherits."""
        from mixtura.models.mixture import Mixture

        known = self.get_params(deep=False)
        kept = {name: known[name] for name in ("tol", "max_iter", "random_state") if name in known}
        encoding = self._model().encoding.take(columns)
        start = components if encoding.origin is None else hooks.moved(components, -encoding.origin)
        new = Mixture(start, len(weights), **kept)
        new.weights_, new._components = weights, components
        new.origin_, new._encoding = encoding.origin, encoding
        return new

    # --- marginal and conditional -----------------------------------------------------------------------------
    def marginal(self, columns: Any) -> Any:
        """The mixture of some columns, whatever the others are.

        Parameters
        ----------
        columns : str, int, or sequence of these
            Names, or numbers from 0.

        Returns
        -------
        Mixture
            Fitted, of these columns in this order. What it says of the fit is said of the fit of all columns; its
            own log-likelihood is not known (NaN).

        Raises
        ------
        InvalidParameterError
            If there is no such column, or the components have no marginal law.

        Notes
        -----
        Constraints of the fit are not kept: free parameters are counted as if weights and components were learnt without.

        Examples
        --------
        >>> from mixtura import GaussianMixture
        >>> X = np.random.default_rng(0).normal([0.0, 5.0], [1.0, 2.0], (1000, 2))
        >>> GaussianMixture().fit(X).marginal(1).score_samples([[5.0]]).round(1)
        array([-1.6])
        """
        check_is_fitted(self)
        index = self._columns([columns] if isinstance(columns, str | int | np.integer) else columns)
        if not index.size:
            msg = f"columns is {columns!r}; expected at least one name or number."
            raise InvalidParameterError(msg)
        weights = np.asarray(self.weights_, dtype=np.float64)
        components = hooks.restricted(self._model().point.components, index)
        told = ", ".join(str(self._called(column)) for column in index)
        return self._inheriting(
            self._with_components(components, weights, index), index, f"marginal of {told}"
        )

    def conditional(self, given: Mapping[Any, Any]) -> Any:
        """The mixture of the other columns, where some are known.

        Parameters
        ----------
        given : mapping of (str or int) to (float or level)
            Values by column: its name, or its number from 0. Levels by their names.

        Returns
        -------
        Mixture
            Fitted, of the columns that are not given, in their order; for the rest as of `marginal`.

        Raises
        ------
        InvalidParameterError
            If there is no such column, its value is impossible, or the components have no conditional law.

        Notes
        -----
        Component k weighs pi_k p(given | k), scaled to sum to one; its law is that of the other columns given these.
        Within a component, Gaussian, Student-t and factor-analytic columns depend on each other; most others do not, and
        what is given then changes the weights only.

        Examples
        --------
        >>> from mixtura import GaussianMixture
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(0.0, 1.0, 20_000)
        >>> y = np.where(rng.random(20_000) < 0.5, 3.0 * x, 20.0) + rng.normal(0.0, 0.1, 20_000)
        >>> mixture = GaussianMixture(2, random_state=0).fit(np.column_stack([x, y]))
        >>> of_y = mixture.conditional({0: 1.5})
        >>> (
        ...     bool((of_y.sample(1000)[0] > 10.0).mean().round(1) == 0.5),
        ...     of_y.score([[4.5]]) > of_y.score([[3.0]]),
        ... )
        (True, True)
        """
        check_is_fitted(self)
        if not isinstance(given, Mapping) or not given:
            msg = f"given is {given!r}; expected a mapping of at least one column to its value."
            raise InvalidParameterError(msg)
        index, values = self._given_values(given)
        rest = others(self.n_features_in_, index)
        if not rest.size:
            msg = f"given names all {len(index)} columns; expected at least one that is not known. Leave one out."
            raise InvalidParameterError(msg)
        model = self._model().point
        known = hooks.restricted(model.components, index)
        self._check_possible(model.components, known, index, values)
        about = values if model.encoding.origin is None else values - model.encoding.origin[index]
        with np.errstate(
            divide="ignore", over="ignore", invalid="ignore"
        ):  # values beyond all sense are named below
            joint = np.log(np.asarray(self.weights_, dtype=np.float64)) + log_prob_at(known, about)
        total = logsumexp(joint)
        if not np.isfinite(total):
            msg = f"The values given, {dict(given)!r}, are impossible under all components. Correct a value, or give fewer."
            raise InvalidParameterError(msg)
        components = hooks.conditioned(model.components, index, about)
        told = ", ".join(f"{key} = {value!r}" for key, value in given.items())
        new = self._with_components(components, np.exp(joint - total), rest)
        return self._inheriting(new, rest, f"conditional on {told}")

    def _inheriting(self, new: Any, columns: Array, event: str) -> Any:
        """A mixture of some columns with what it knows of the fit, and of its columns."""
        for name in _OF_THE_FIT:
            setattr(new, name, getattr(self, name))
        new.events_ = (*self.events_, event)
        new.lower_bound_, new.lower_bounds_ = float("nan"), [float("nan")]
        new.n_features_in_ = len(columns)
        if hasattr(self, "feature_names_in_"):
            new.feature_names_in_ = np.asarray(self.feature_names_in_, dtype=object)[columns]
        return new

    # --- columns and values as the user names them ------------------------------------------------------------
    def _called(self, column: int) -> Any:
        """Name of a column, or its number."""
        return self.feature_names_in_[column] if hasattr(self, "feature_names_in_") else int(column)

    def _columns(self, columns: Iterable[Any]) -> Array:
        """Numbers of columns, each once."""
        index = [self._column(key) for key in columns]
        for place, column in enumerate(index):
            if column in index[:place]:
                msg = f"Column {self._called(column)!r} is named twice; expected every column once."
                raise InvalidParameterError(msg)
        return np.asarray(index, dtype=np.intp)

    def _column(self, key: Any) -> int:
        names = [str(name) for name in getattr(self, "feature_names_in_", ())]
        if isinstance(key, str):
            if key in names:
                return names.index(key)
            todo = (
                did_you_mean(key, names) if names else "The mixture was fitted without names; give numbers."
            )
            msg = f"There is no column {key!r}. {todo}"
            raise InvalidParameterError(msg)
        whole = isinstance(key, int | np.integer) and not isinstance(key, bool)
        if not whole or not 0 <= key < self.n_features_in_:
            msg = f"A column is {key!r}; expected a name, or a number from 0 to {self.n_features_in_ - 1}."
            raise InvalidParameterError(msg)
        return int(key)

    def _given_values(self, given: Mapping[Any, Any]) -> tuple[Array, Array]:
        """Columns in order, and their values as numbers."""
        index, levels = self._columns(given), self._known_levels()
        pairs = zip(index, given.values(), strict=True)
        values = np.array([self._number(column, value, levels[column]) for column, value in pairs])
        order = np.argsort(index)
        return index[order], values[order]

    def _number(self, column: int, value: Any, levels: Sequence[Level]) -> float:
        """A value as the components take it."""
        if len(levels):
            same = [isinstance(level, str) == isinstance(value, str) and level == value for level in levels]
            if any(same):
                return float(same.index(True))
            expected = f"one of {listed(levels)}"
        else:
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = np.nan
            if np.isfinite(number):
                return number
            expected = "a finite number"
        msg = f"given[{self._called(column)!r}] is {value!r}; expected {expected}. Leave it out where it is not known."
        raise InvalidParameterError(msg)

    def _check_possible(self, components: Any, known: Any, index: Array, values: Array) -> None:
        """Refuse values outside the support."""
        bad = hooks.outside(known, values[:, None])
        if bad is None or not bad.any():
            return
        place = int(np.argmax(bad[:, 0]))
        kind, owner = hooks.part(components, int(index[place]))
        support = getattr(owner, "support", "a value inside the support")
        msg = f"given[{self._called(index[place])!r}] is {values[place]:g}; expected {support} ({kind})."
        raise InvalidParameterError(msg)
