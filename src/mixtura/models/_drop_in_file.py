"""Model files of the classes with hmmlearn's names: settings, parameters and the record of the fit, as numbers and text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mixtura.inference.restarts import StartResult
from mixtura.inference.stopping import Reason
from mixtura.persistence.model_file import ModelFile, write_model_file

__all__ = ["DropInFile"]

_SETTING = "setting "
_RECORD = (
    "stop_reason_",
    "converged_",
    "n_iter_",
    "total_weight_",
    "lower_bound_",
    "n_features_in_",
    "_raised",
)


class DropInFile(BaseEstimator):
    """Saving, and making from a file."""

    lower_bounds_: list[float]
    starts_: tuple[StartResult, ...]
    events_: tuple[str, ...]
    best_start_: int

    #: Attributes that hold the parameters, whatever they are called from outside.
    _kept: tuple[str, ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write the model to a file that holds numbers and text only (no pickle).

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
        settings: dict[str, Any] = {}
        arrays = {name: np.asarray(getattr(self, name)) for name in self._kept if hasattr(self, name)}
        for name, value in self.get_params(deep=False).items():
            if value is None or isinstance(value, str | int | float):
                settings[name] = value
            elif isinstance(value, np.number):
                settings[name] = value.item()
            elif isinstance(value, np.ndarray | list | tuple):
                arrays[_SETTING + name] = np.asarray(value)
        attributes: dict[str, Any] = {name: getattr(self, name) for name in _RECORD if hasattr(self, name)}
        if isinstance(getattr(self, "n_features", None), int | np.integer):
            attributes["n_features"] = int(self.n_features)
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in_"] = [str(name) for name in self.feature_names_in_]
        if hasattr(self, "lower_bounds_"):
            arrays["lower_bounds_"] = np.asarray(self.lower_bounds_)
        arrays["history"] = np.asarray(self.monitor_.history, dtype=np.float64)
        return write_model_file(path, ModelFile(type(self).__name__, settings, attributes, arrays))

    @classmethod
    def _from_file(cls, content: ModelFile) -> Self:
        """A model from the content of a file."""
        arrays = dict(content.arrays)
        given = {name: arrays.pop(name) for name in list(arrays) if name.startswith(_SETTING)}
        settings = content.settings | {name.removeprefix(_SETTING): value for name, value in given.items()}
        replace(content, settings=settings).check_made_for(cls, cls._kept)
        model = cls(**settings)
        history = arrays.pop("history")
        for name, value in (content.attributes | arrays).items():
            setattr(model, name, value)
        if "lower_bounds_" in arrays:
            model.lower_bounds_ = [float(value) for value in arrays["lower_bounds_"]]
            model.events_, model.best_start_ = (), 0
            start = StartResult(
                "given",
                0,
                model.lower_bound_,
                Reason(model.stop_reason_),
                model.n_iter_,
                tuple(model.lower_bounds_),
            )
            model.starts_ = (start,)
        if "feature_names_in_" in content.attributes:
            model.feature_names_in_ = np.asarray(content.attributes["feature_names_in_"], dtype=object)
        monitor: Any = model.monitor_
        monitor.history.extend(float(value) for value in history)
        monitor.iter = len(history)
        return model
