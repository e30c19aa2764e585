"""Models and results of an earlier run: opened, and described."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from mixtura.exceptions import ModelFileError
from mixtura.models import load
from mixtura.segments import output

__all__ = ["MODEL", "SEGMENT_MODEL", "describe_model", "open_model"]

MODEL, SEGMENT_MODEL = "model.mixtura", "segments.mixtura"
Results = tuple[dict[str, Any] | None, dict[str, Any] | None]


def open_model(path: str | PathLike[str]) -> tuple[Any, Results, Path]:
    """Open a model file, or the model in a folder of results.

    Parameters
    ----------
    path : path
        A file ``*.mixtura``, or the folder that `segment_transactions` wrote.

    Returns
    -------
    model : estimator
        Fitted.
    results : tuple of (dict or None, dict or None)
        missions.json and segments.json beside it.
    file : Path
        The model file.

    Raises
    ------
    ModelFileError
        If there is no such file, or it is not a model.
    """
    file = Path(path)
    if file.is_dir():
        file = file / (
            MODEL if (file / MODEL).exists() or not (file / SEGMENT_MODEL).exists() else SEGMENT_MODEL
        )
    if not file.is_file():
        message = (
            f"no model '{file}'. Expected a file that ends in .mixtura, or the folder that `mixtura "
            f"segment` wrote; "
            "check the path."
        )
        raise ModelFileError(message)
    model = load(file)
    results = output.read_results(file.parent) if output.is_results(file.parent) else (None, None)
    return model, results, file


def describe_model(path: str | PathLike[str]) -> list[str]:
    """What is in a model file, for people.

    Parameters
    ----------
    path : path
        A model file of any class, or a folder of results.

    Returns
    -------
    list of str
        Class and size, and what its folder says about the run.

    Raises
    ------
    ModelFileError
        If it is not a model.
    """
    model, results, file = open_model(path)
    lines = [f"{file}: {type(model).__name__}", *model.summary().splitlines()]
    header = results[0] or results[1]
    if header is not None:
        lines.append(
            f"Made {header['created']} by mixtura {header['mixtura_version']} from {header['data']['source']}"
        )
    for level, whole, content in zip(
        ("missions", "segments"), ("baskets", "customers"), results, strict=True
    ):
        if content is not None:
            lines.append(f"{content['choice']['sentence']}.")
            lines += [
                f"{level[:-1].capitalize()} {entry['number']}: {entry['name']} ({entry['weight']:.1%} of {whole})"
                for entry in content[level]
            ]
    return lines
