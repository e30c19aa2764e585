"""names.toml: names of missions and segments that a person edits, and that survive new runs."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixtura.exceptions import InvalidDataError

__all__ = ["LEVELS", "NAMES", "automatic_name", "names_text", "read_names", "write_names"]

NAMES = "names.toml"
LEVELS = ("missions", "segments")
PHASES = "phases"  # in the folders of `mixtura journeys`

HEADER = """\
# The names in this folder: edit the text between the quotation marks and save the file.
#
# `mixtura report` shows the edited names. A new run into this folder (--overwrite) and a refresh from it
# (--previous) keep them: a name stays with the mission or segment that has the same profile, also if its number
# changes. For the automatic name again, empty the quotes or delete the line. No two names may be the same.
# Inside a name, write \\" for a quotation mark and \\\\ for a backslash.
# The file is written anew by every run, so comments of your own are lost.
"""


def read_names(path: Path) -> dict[str, dict[int, str]]:
    r"""Read a file of names.

    Parameters
    ----------
    path : Path
        As `write_names` wrote it, and a person edited it; a file that does not exist holds no names.

    Returns
    -------
    dict of str to dict of int to str
        ``{"missions": {number: name}, "segments": {number: name}}``; empty names are left out. ``"phases"`` too, where there are some.

    Raises
    ------
    InvalidDataError
        If it is not TOML, or holds something that is not a name; the message has the line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "names.toml"
    >>> _ = path.write_text('[missions]\n2 = "Friday night"\n3 = ""\n')
    >>> read_names(path)
    {'missions': {2: 'Friday night'}, 'segments': {}}
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {level: {} for level in LEVELS}
    except (OSError, UnicodeDecodeError) as error:
        message = (
            f"the names in '{path}' cannot be read ({error}). Expected a text file in UTF-8; save it as such, or "
            "delete it to have automatic names."
        )
        raise InvalidDataError(message) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = (
            f"the names in '{path}' cannot be read: {error}. Expected lines such as 3 = \"Friday night\" below "
            "[missions] or [segments], each number once; correct that line."
        )
        raise InvalidDataError(message) from error
    levels = (*LEVELS, PHASES) if PHASES in content else LEVELS
    unknown = [name for name in content if name not in levels]
    if unknown:
        message = (
            f"'{path}', line {_line(text, None, unknown[0])}: found {unknown[0]!r}. Expected names below "
            "[missions] or [segments] only; move it there, or delete it."
        )
        raise InvalidDataError(message)
    return {level: _names_of(level, content.get(level, {}), text, path) for level in levels}


def _names_of(level: str, table: Any, text: str, path: Path) -> dict[int, str]:
    if not isinstance(table, Mapping):
        message = (
            f"'{path}', line {_line(text, None, level)}: found {table!r} for {level}. Expected a heading "
            f'[{level}] with lines such as 3 = "Friday night" below it.'
        )
        raise InvalidDataError(message)
    names: dict[int, str] = {}
    for key, value in table.items():
        where = f"'{path}', line {_line(text, level, key)}, {level}"
        if not re.fullmatch(r"[1-9]\d{0,5}", key):
            message = (
                f"{where}: found {key!r}. Expected the number of one, such as 3, before the equals sign."
            )
            raise InvalidDataError(message)
        if not isinstance(value, str):
            message = (
                f"{where}: {key} has the name {value!r}. Expected text in quotation marks, such as "
                f'{key} = "Friday night".'
            )
            raise InvalidDataError(message)
        name = _tidy(value)
        first = next((number for number, other in names.items() if other == name), None)
        if name and first is not None:
            message = (
                f"{where}: {key} has the name {name!r}, which {first} has too. Expected different names; change "
                "one of them."
            )
            raise InvalidDataError(message)
        if name:
            names[int(key)] = name
    return names


def _line(text: str, level: str | None, key: str) -> str:
    """Where a key stands; the parser does not keep it."""
    heading = None
    for number, line in enumerate(text.splitlines(), start=1):
        found = re.match(r"\s*\[\s*[\"']?([^\"'\]]*?)[\"']?\s*\]", line)
        if found:
            heading = found.group(1)
            if level is None and heading == key:
                return str(number)
        elif heading == level and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return str(number)
    return "?"


def names_text(components: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    r"""Content of a file of names.

    Parameters
    ----------
    components : Mapping of str to sequence of Mapping
        ``{"missions": missions, "segments": segments}``, as in the two JSON files: number, name and, where
        it is known, auto_name of each. A level that is missing or empty is left out.

    Returns
    -------
    str
        TOML.

    Examples
    --------
    >>> mission = {"number": 1, "name": 'The "big" shop', "auto_name": "Milk + bread"}
    >>> print(names_text({"missions": [mission]}).split("\n\n")[1].strip())
    [missions]
    1 = "The \"big\" shop"  # automatic: "Milk + bread"
    """
    parts = [HEADER]
    for level in (*LEVELS, PHASES):
        entries = components.get(level) or ()
        lines = [
            f"{entry['number']} = {_quoted(entry['name'])}  # automatic: {_quoted(automatic_name(entry))}\n"
            for entry in entries
        ]
        if lines:
            parts.append(f"[{level}]\n{''.join(lines)}")
    return "\n".join(parts)


def automatic_name(component: Mapping[str, Any]) -> str:
    """The automatic name of a mission or segment; results of the first schema have no other names.

    Examples
    --------
    >>> automatic_name({"number": 1, "name": "Friday night", "auto_name": "Beer + crisps"})
    'Beer + crisps'
    """
    return _tidy(str(component.get("auto_name") or component["name"]))


def _tidy(name: str) -> str:
    """One line, single spaces, nothing that a text file cannot hold."""
    kept = (" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in name)
    return " ".join("".join(kept).encode("utf-8", "replace").decode("utf-8").split())


def _quoted(name: str) -> str:
    """A basic string of TOML: what is left to escape in a tidy name are quotation mark and backslash."""
    return '"' + _tidy(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_names(path: Path, components: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the file of names, with what to do with it.

    Parameters
    ----------
    path : Path
        The file.
    components : Mapping
        As for `names_text`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / NAMES
    >>> write_names(path, {"segments": [{"number": 1, "name": "Families", "auto_name": "Babies"}]})
    >>> read_names(path)["segments"]
    {1: 'Families'}
    """
    path.write_text(names_text(components), encoding="utf-8", newline="\n")
