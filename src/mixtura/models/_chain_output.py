"""What a fitted chain gives to read, draw and keep."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.models import _summary
from mixtura.models._output import Output
from mixtura.protocols import Array

__all__ = ["ChainOutput"]

# States in the summary's table of moves before it is left out.
_WIDEST = 10


class ChainOutput(Output):
    """Tables, summary, plots and model files of chains."""

    predict: Any
    filter: Any
    score_steps: Any
    dwell_times_: Any
    _model: Any
    _law: Any
    _occupied: Any

    @property
    def weights_(self) -> Array:
        """Long-run shares of the states, shape (K,); where these depend on covariates, the shares in the rows of the fit."""
        if not hasattr(self, "starts_"):
            msg = f"This {type(self).__name__} has no weights_ yet: call fit first."
            raise AttributeError(msg)
        shares = getattr(self._law().structure, "weights", None)
        return np.asarray(self._occupied if shares is None else shares)

    def assign(self, X: Any, lengths: Any = None, **units: Any) -> Any:
        """States and probabilities of all steps as a labelled data frame.

        Parameters
        ----------
        X, lengths, **units
            Sequences as for `fit`; `units` are `groups`, `labels` and `covariates`.

        Returns
        -------
        data frame
            Of the same library (and index) as X, pandas for arrays, with columns ``state`` (of the most probable path),
            ``probability`` (of that state), ``log_likelihood`` (of the step given those before it) and ``p0``, ``p1``, ...
        """
        from mixtura.data.frames import frame_like

        resp, states = self.predict_proba(X, lengths, **units), self.predict(X, lengths, **units)
        columns: dict[str, Array] = {"state": states, "probability": resp[np.arange(len(resp)), states]}
        columns["log_likelihood"] = self.score_steps(X, lengths, **units)
        columns |= {f"p{k}": resp[:, k] for k in range(resp.shape[1])}
        return frame_like(columns, X)

    def params_frame(self, library: str | None = None) -> Any:
        """Fitted parameters as a tidy frame: component (the state), parameter, feature, other feature, value.

        Beside those of the observations: ``initial``, ``weight`` (the long-run share) and ``move``, whose feature is the state moved to.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        check_is_fitted(self)
        columns = _summary.tidy(self)
        law = self._law().structure
        for name, values in (
            ("initial", getattr(law, "initial", None)),
            ("move", getattr(law, "transition", None)),
        ):
            if values is None:
                continue
            for place, value in np.ndenumerate(values):
                row = (place[0], name, str(place[1]) if len(place) > 1 else "", "", float(value))
                for key, cell in zip(columns, row, strict=True):
                    columns[key].append(cell)
        return make_frame(columns, library)

    def _objective_facts(self) -> list[Any]:
        """For the summary: what the fit raised, and how long stays last."""
        model = self._model()
        laws = _has_laws(model.components)
        name = (
            "bound on the log evidence"
            if laws
            else "log posterior density"
            if model.penalty()
            else "log-likelihood"
        )
        return [name, ("states last (steps)", ", ".join(_lasting(self)))]

    def _summary_table(self) -> tuple[list[str], list[list[str]]]:
        """For the summary: a row for each state, with the moves to others where these are few."""
        law = self._law().structure
        moves = getattr(law, "transition", None)
        shown = moves is not None and len(self.weights_) <= _WIDEST
        single = [row for row in _summary._parameters(self) if not row.other_feature][:_WIDEST]
        header = ["state", "share", *(f"{row.name} {row.feature}".strip() for row in single)]
        header += [f"to {k}" for k in range(len(self.weights_))] if shown else []
        rows = []
        for k, share in enumerate(self.weights_):
            values = ["" if np.isnan(row.values[k]) else f"{row.values[k]:.4g}" for row in single]
            to = [f"{p:.3f}" for p in moves[k]] if shown and moves is not None else []
            rows.append([str(k), f"{share:.4f}", *values, *to])
        return header, rows

    def plot_transition_diagram(self, ax: Any = None, **options: Any) -> Any:
        """The moves between states as a diagram; see :func:`mixtura.plots.plot_transition_diagram`."""
        from mixtura.plots import plot_transition_diagram

        check_is_fitted(self)
        return plot_transition_diagram(self, ax=ax, **options)

    def plot_transitions(self, ax: Any = None, **options: Any) -> Any:
        """The transition matrix in colours; see :func:`mixtura.plots.plot_transitions`."""
        from mixtura.plots import plot_transitions

        check_is_fitted(self)
        return plot_transitions(self, ax=ax, **options)

    def plot_states(self, X: Any, ax: Any = None, **options: Any) -> Any:
        """Probabilities of the states over the time of one sequence; see :func:`mixtura.plots.plot_states`."""
        from mixtura.plots import plot_states

        return plot_states(self.predict_proba(X), X, ax=ax, **options)


def _has_laws(components: Any) -> bool:
    """Whether the parameters of components have posterior laws: those of all blocks of a product."""
    blocks = getattr(components, "blocks", None)
    return hasattr(components, "divergences") if blocks is None else all(map(_has_laws, blocks.values()))


def _lasting(chain: Any) -> list[str]:
    """Expected stays in words."""
    try:
        times = chain.dwell_times_
    except AttributeError:
        return ["as covariates say"]
    return [f"{time:.4g}" if np.isfinite(time) else "for ever" for time in times]
