"""What a fitted mixture gives to read, draw and keep: tables, summary, plots, model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.inference.restarts import StartResult
from mixtura.inference.stopping import Reason
from mixtura.models import _summary
from mixtura.persistence import ModelFile, from_plain, to_plain, write_model_file
from mixtura.protocols import Array

__all__ = ["Output"]


class Output:
    """Methods that need a fitted model only (and rows, for labels)."""

    #: Constructor arguments that are objects and therefore stay out of model files.
    _unsaved: ClassVar[tuple[str, ...]] = ("callbacks", "executor", "random_state")
    #: Fitted arrays that a model file holds.
    _saved_arrays: ClassVar[tuple[str, ...]] = ()
    #: Attributes, fitted or not, that are components or families, or collections of texts and arrays.
    _saved_objects: ClassVar[tuple[str, ...]] = ()

    # Set by the fit, or given by the other bases; declared for the type checker.
    random_state: Any
    lower_bounds_: list[float]
    events_: tuple[str, ...]
    starts_: tuple[StartResult, ...]
    feature_names_in_: Array
    predict_proba: Any
    score_samples: Any
    get_params: Any

    def assign(self, X: Any) -> Any:
        """Labels and probabilities of rows as a labelled data frame.

        Parameters
        ----------
        X : data frame or array_like, shape (n_samples, n_features)
            The rows.

        Returns
        -------
        data frame
            Of the same library (and index) as X, pandas for arrays, with columns ``component``, ``probability`` (of
            that component), ``log_likelihood`` and ``p0``, ``p1``, ...
        """
        from mixtura.data.frames import frame_like

        resp = self.predict_proba(X)
        columns: dict[str, Array] = {"component": resp.argmax(axis=1), "probability": resp.max(axis=1)}
        columns["log_likelihood"] = self.score_samples(X)
        columns |= {f"p{k}": resp[:, k] for k in range(resp.shape[1])}
        return frame_like(columns, X)

    def params_frame(self, library: str | None = None) -> Any:
        """Fitted parameters as a tidy frame: component, parameter, feature, other feature, value.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, optional
            Data frame library; None takes pandas, or polars where pandas is missing.
        """
        from mixtura.data.frames import make_frame

        check_is_fitted(self)
        return make_frame(_summary.tidy(self), library)

    def summary(self) -> str:
        """What was fitted and how well, as text."""
        check_is_fitted(self)
        return _summary.as_text(self)

    def _repr_html_(self) -> str:
        """The summary as a table, for notebooks."""
        return _summary.as_html(self) if hasattr(self, "weights_") else f"<pre>{self!r}</pre>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def plot_history(self, ax: Any = None, **options: Any) -> Any:
        """Objective of every start; see :func:`mixtura.plots.plot_history`."""
        from mixtura.plots import plot_history

        check_is_fitted(self)
        return plot_history(self, ax=ax, **options)

    # --- saving -----------------------------------------------------------------------------------------------
    def save(self, path: str | Path) -> Path:
        """Write the fitted model to a file that holds numbers and text only (no pickle).

        Parameters
        ----------
        path : str or Path
            Target; suffix ``.mixtura`` by convention.

        Returns
        -------
        Path
            The path written.
        """
        check_is_fitted(self)
        settings = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in self._unsaved
            and (value is None or isinstance(value, str | int | float | np.number))
        }
        if self.random_state is None or isinstance(self.random_state, int | np.integer):
            settings["random_state"] = self.random_state
        arrays = {name: np.asarray(getattr(self, name)) for name in self._saved_arrays if hasattr(self, name)}
        arrays["lower_bounds_"] = np.asarray(self.lower_bounds_)
        scalars = (
            "converged_",
            "n_iter_",
            "lower_bound_",
            "stop_reason_",
            "total_weight_",
            "n_features_in_",
            "best_start_",
        )
        attributes: dict[str, Any] = {name: getattr(self, name) for name in scalars}
        attributes["objects"] = {
            name: to_plain(getattr(self, name), arrays, name) for name in self._saved_objects
        }
        attributes["events_"] = list(self.events_)
        attributes["starts_"] = [
            {**vars(start), "reason": str(start.reason), "history": list(start.history)}
            for start in self.starts_
        ]
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in_"] = [str(name) for name in self.feature_names_in_]
        return write_model_file(
            path, ModelFile(type(self).__name__, settings, attributes | self._more_to_save(), arrays)
        )

    def _more_to_save(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        """An estimator from the content of a model file."""
        content.check_made_for(cls, {*cls._saved_arrays} & {*cls._required_arrays()})
        estimator = cls(**content.settings)
        attributes = dict(content.attributes)
        objects = attributes.pop("objects", {})
        for name, value in attributes.items():
            setattr(estimator, name, value)
        for name in (*cls._saved_arrays, "lower_bounds_"):
            if name in content.arrays:
                setattr(estimator, name, content.arrays[name])
        for name, plain in objects.items():
            setattr(estimator, name, from_plain(plain, content.arrays))
        estimator.lower_bounds_ = [float(value) for value in content.arrays["lower_bounds_"]]
        estimator.events_ = tuple(content.attributes["events_"])
        estimator.starts_ = tuple(_start_from(item) for item in content.attributes["starts_"])
        if "feature_names_in_" in content.attributes:
            estimator.feature_names_in_ = np.asarray(content.attributes["feature_names_in_"], dtype=object)
        return estimator

    @classmethod
    def _required_arrays(cls) -> set[str]:
        return set(cls._saved_arrays)


def _start_from(item: dict[str, Any]) -> StartResult:
    item = dict(item)
    item["reason"] = Reason(item["reason"])
    item["history"] = tuple(item["history"])
    item["suspects"] = {int(k): reason for k, reason in item["suspects"].items()}
    return StartResult(**item)
