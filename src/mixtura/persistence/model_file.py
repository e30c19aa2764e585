"""Reading and writing model files.

One file, suffix ``.mixtura``: a safetensors container (an eight-byte length, a JSON header, raw arrays) whose
metadata hold the format's name and version, the class, its settings and its scalar attributes as JSON.
A file of an unknown version or class is refused.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import ModelFileError, OutputError
from mixtura.protocols import Array

__all__ = ["FORMAT_VERSION", "ModelFile", "read_model_file", "write_model_file"]

FORMAT = "mixtura-model"
FORMAT_VERSION = 1
_MAX_BYTES = 1 << 40


@dataclass(frozen=True)
class ModelFile:
    """Content of a model file.

    Parameters
    ----------
    kind : str
        Name of the user class.
    settings : dict
        Constructor arguments that JSON can hold.
    attributes : dict
        Scalar and text attributes.
    arrays : dict of str to ndarray
        Named arrays.
    """

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)

    def check_made_for(self, kind: type, needed: Iterable[str]) -> None:
        """Refuse what another version of a class has written.

        Parameters
        ----------
        kind : type
            The class, whose constructor takes the settings.
        needed : iterable of str
            Attributes and arrays that it cannot do without.

        Raises
        ------
        ModelFileError
            If there are other settings, or something is missing.

        Examples
        --------
        >>> ModelFile("ModelFile", {"kind": "x"}, {"n_iter_": 3}).check_made_for(ModelFile, ["n_iter_"])
        """
        unknown = set(self.settings) - set(inspect.signature(kind).parameters)
        missing = set(needed) - set(self.attributes) - set(self.arrays)
        if unknown or missing:
            msg = (
                f"The {kind.__name__} in the file has settings {sorted(unknown)} unknown here, or lacks {sorted(missing)}. "
                "It was written by another version of mixtura: use that version, or fit again."
            )
            raise ModelFileError(msg)


def write_model_file(path: str | Path, content: ModelFile) -> Path:
    """Write a model file; under the final name there is either the whole file or what was there before.

    Parameters
    ----------
    path : str or Path
        Where to; the folder must exist.
    content : ModelFile
        What.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    OutputError
        If the folder is missing or cannot be written, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> path = write_model_file(f"{folder}/m.mixtura", ModelFile("Example", {"a": 1}, {}, {"w": np.ones(2)}))
    >>> read_model_file(path).arrays["w"]
    array([1., 1.])
    """
    from safetensors.numpy import save

    path = Path(path)
    header = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "class": content.kind,
        "settings": json.dumps(_plain(content.settings)),
        "attributes": json.dumps(_plain(content.attributes)),
    }
    data = save(
        {name: np.asarray(array, order="C") for name, array in content.arrays.items()}, metadata=header
    )
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # a temporary file is private; a model is like any other file
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        msg = (
            f"The model could not be written to '{path}': {error.strerror or error}. "
            "Choose a folder that exists, can be written and has space; nothing was left there."
        )
        raise OutputError(msg) from error
    return path


def read_model_file(path: str | Path) -> ModelFile:
    """Read a model file without running anything in it.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    ModelFile
        Its content.

    Raises
    ------
    ModelFileError
        If the file is missing, is not a mixtura model, is damaged, or has a version that is not known here.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        msg = f"'{path}' {what}; expected a model file (suffix .mixtura), as written by save()."
        raise ModelFileError(msg)
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                msg = f"'{path}' is a safetensors file but not a mixtura model (its format is {header.get('format')!r})."
                raise ModelFileError(msg)
            version = header.get("format_version")
            if version != str(FORMAT_VERSION):
                msg = (
                    f"'{path}' has model format version {version}; this version of mixtura reads version "
                    f"{FORMAT_VERSION}. Install the version of mixtura that wrote it, or fit the model again."
                )
                raise ModelFileError(msg)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
            return ModelFile(
                header["class"], _restored(header["settings"]), _restored(header["attributes"]), arrays
            )
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        msg = f"'{path}' cannot be read as a mixtura model ({error}). It is damaged or of another program; fit and save again."
        raise ModelFileError(msg) from error


def _plain(value: Any) -> Any:
    """Values as JSON knows them; infinities and NaN as tagged text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return {"@float": repr(value)}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    msg = f"a value of type {type(value).__name__} cannot be stored in a model file: {value!r}"
    raise TypeError(msg)


def _restored(text: str) -> dict[str, Any]:
    def hook(item: dict[str, Any]) -> Any:
        return float(item["@float"]) if set(item) == {"@float"} else item

    restored = json.loads(text, object_hook=hook)
    if not isinstance(restored, dict):
        msg = "its header is not a JSON object"
        raise ModelFileError(msg)
    return restored
