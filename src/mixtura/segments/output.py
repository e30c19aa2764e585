"""Results on disk: the whole folder appears under its name at once, or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, OutputError, optional_import
from mixtura.segments.csv_output import write_csv
from mixtura.segments.names_file import NAMES, read_names
from mixtura.segments.renaming import edited_names, renamed

__all__ = [
    "check_target",
    "is_journeys",
    "is_results",
    "new_folder",
    "plain",
    "read_json",
    "read_results",
    "unknown_names",
    "write_file",
    "write_json",
    "write_table",
]

MISSIONS, SEGMENTS, JOURNEYS = "missions.json", "segments.json", "journeys.json"


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a folder that cannot be written, before hours of work.

    Parameters
    ----------
    target : Path
        The folder of results.
    overwrite : bool
        Whether results of an earlier run may be replaced.

    Raises
    ------
    OutputError
        If `target` exists and may not be replaced, or its parent cannot be written.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        message = (
            f"the output '{target}' is a file or a link. Expected the name of a folder that does not "
            "exist yet."
        )
        raise OutputError(message)
    if target.exists() and not overwrite:
        message = (
            f"the output folder '{target}' exists. Expected a new name; choose another one, or allow to "
            "replace it "
            "(overwrite=True, --overwrite)."
        )
        raise OutputError(message)
    written = is_results(target) or is_journeys(target)
    if target.exists() and any(target.iterdir()) and not written:
        message = (
            f"the output folder '{target}' holds other files and no {MISSIONS}, {SEGMENTS} or {JOURNEYS}, so it is not "
            "replaced. "
            "Choose another folder, or empty this one yourself."
        )
        raise OutputError(message)
    with _explained(target):
        parent = target.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=parent):
            pass


def is_results(folder: Path) -> bool:
    """Whether a folder holds missions or segments of a run."""
    return (folder / MISSIONS).is_file() or (folder / SEGMENTS).is_file()


def is_journeys(folder: Path) -> bool:
    """Whether a folder holds the journeys of a run."""
    return (folder / JOURNEYS).is_file()


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Any failure of the file system as one error."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        message = (
            f"the output '{target}' could not be written: {error.strerror or error}. Expected a "
            "place that may be "
            "written to and has room; nothing was left under that name. Choose another folder, or make room."
        )
        raise OutputError(message) from error


@contextmanager
def new_folder(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary folder beside the target, which takes its name when all has been written.

    Parameters
    ----------
    target : Path
        The final name.
    overwrite : bool
        Whether results of an earlier run are replaced; they stay untouched until the new ones are complete.

    Yields
    ------
    Path
        Where to write. It is removed if anything fails, an interruption included.

    Raises
    ------
    OutputError
        If something cannot be written.
    """
    check_target(target, overwrite=overwrite)
    with _explained(target):
        parent = target.absolute().parent
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=parent))
        try:
            yield partial
            # Temporary files are private; results are as readable as any other file of the user's.
            partial.chmod(0o777 & ~_umask())
            for path in partial.iterdir():
                path.chmod(0o666 & ~_umask())
            _take_place(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _take_place(partial: Path, target: Path) -> None:
    """Rename; an earlier folder steps aside first and comes back if that fails."""
    if not target.exists():
        partial.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=partial.parent))
    try:
        target.rename(aside / "folder")
        try:
            partial.rename(target)
        except BaseException:
            (aside / "folder").rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def plain(value: Any) -> Any:
    """Replace what JSON does not know: arrays become lists, NaN and infinity null.

    Examples
    --------
    >>> plain({"a": np.arange(2), "b": np.float64("nan"), "c": (np.int64(3), "x")})
    {'a': [0, 1], 'b': None, 'c': [3, 'x']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write readable JSON without NaN."""
    text = json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Write named arrays of equal length as a Parquet file, or as CSV where the name says so.

    Parameters
    ----------
    columns : Mapping[str, ndarray]
        Name to values.
    path : Path
        Ends in ``.parquet`` or ``.csv``.
    """
    pyarrow = optional_import("pyarrow", "segment")
    table = pyarrow.table({name: pyarrow.array(values) for name, values in columns.items()})
    if path.suffix.lower() == ".csv":
        write_csv(columns, path)
    else:
        optional_import("pyarrow.parquet", "segment").write_table(table, path)


def write_file(columns: Mapping[str, Any], target: Path) -> None:
    """Write one table, whole or not at all.

    Parameters
    ----------
    columns : Mapping[str, ndarray]
        Name to values.
    target : Path
        Ends in ``.parquet`` or ``.csv``; an existing file is replaced when the new one is complete.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with _explained(target):
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.stem}.part{target.suffix}")
        try:
            write_table(columns, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def read_results(folder: Path) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Read missions.json and segments.json of a folder of results, with the names of its names.toml.

    Parameters
    ----------
    folder : Path
        Written by `segment_transactions`.

    Returns
    -------
    missions, segments : dict or None
        Their content; one may be missing.

    Raises
    ------
    InvalidDataError
        If there is neither, or a file is not JSON, or names.toml is malformed.
    """
    if not is_results(folder):
        message = (
            f"'{folder}' has no {MISSIONS} or {SEGMENTS}. Expected a folder that `mixtura segment` has written; "
            "check the path."
        )
        raise InvalidDataError(message)
    missions, segments = read_json(folder / MISSIONS), read_json(folder / SEGMENTS)
    names, features = read_names(folder / NAMES), None
    if missions is not None:
        missions, features = renamed(missions, "missions", names["missions"])
    if segments is not None:
        segments, _ = renamed(segments, "segments", names["segments"], mission_names=features)
    return missions, segments


def read_json(path: Path, key: str | None = None, command: str = "mixtura segment") -> dict[str, Any] | None:
    """The object in a file with a list of entries that have numbers and names, or None where there is no file."""
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = (
            f"'{path}' cannot be read ({error}). Expected the file as `{command}` wrote it; run it again."
        )
        raise InvalidDataError(message) from error
    if not isinstance(content, dict):
        message = f"'{path}' holds a {type(content).__name__}. Expected an object as `{command}` wrote it."
        raise InvalidDataError(message)
    key = key or path.stem
    entries = content.get(key)
    if not isinstance(entries, list) or not all({"number", "name"} <= set(entry) for entry in entries):
        message = (
            f"'{path}' has no {key} with number and name. Expected the file as `{command}` wrote it; "
            "run it again."
        )
        raise InvalidDataError(message)
    return content


def unknown_names(folder: Path, contents: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Names in a folder's names.toml of missions and segments that are not there.

    Parameters
    ----------
    folder : Path
        With the file.
    contents : Mapping of str to Mapping or None
        ``{"missions": ..., "segments": ...}``, from `read_results`.

    Returns
    -------
    list of str
        A sentence each.
    """
    names = read_names(folder / NAMES)
    return [
        note
        for level, content in contents.items()
        for note in edited_names(names[level], (content or {}).get(level, ()), level=level)[1]
    ]
