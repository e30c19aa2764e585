"""The files themselves: short, quiet, and free of anything that belongs to one machine."""

import ast
import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest

import mixtura

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LONGEST = 320
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Where a home or a workplace leaks in, or the address of an index that only one network can reach.
MACHINE = re.compile(
    r"(?<![\w.~<])/(?:home|root|Users|work|tmp|mnt|opt)/[\w.]"
    r"|https?://(?:\d{1,3}\.){3}\d{1,3}"
    r"|\b(?:index-url|find-links|trusted-host)\b"
    r"|\bfiles\.pythonhosted\.org|\bpypi\.org/simple"
)


def tracked_files():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_long_file_says_why(path):
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines <= LONGEST:
        return
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert re.search(r"\blong", docstring, re.IGNORECASE), (
        f"{lines} lines: split the file, or say in its first docstring why it is long"
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_does_not_print(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not calls, f"print in lines {calls}: use a callback, a warning, or the console of the command line"


def test_nothing_of_one_machine_is_in_the_tree():
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path == Path(__file__):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if match := MACHINE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match.group()}")
    assert not found, "\n".join(found)


def test_pictures_are_small():
    large = [
        p.name for p in tracked_files() if p.suffix in {".png", ".jpg", ".svg"} and p.stat().st_size > 100_000
    ]
    assert not large


def test_the_version_is_written_once_and_the_same():
    assert PROJECT["version"] == mixtura.__version__


def requirements():
    return [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]


def test_every_dependency_has_bounds_and_a_reason():
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for requirement in requirements():
        name = re.match(r"[\w-]+", requirement).group()
        if name == "mixtura":
            continue
        assert re.search(r">=[\d.]+,<\d", requirement), f"{requirement}: no lower and upper bound"
        assert f"`{name}`" in reasons, f"docs/dependencies.md has no line for {name}"


def test_the_lock_file_pins_within_the_bounds():
    lines = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    pinned = {pin.split("==")[0].lower().replace("_", "-") for pin in pins}
    names = {
        re.match(r"[\w-]+", requirement).group().lower().replace("_", "-") for requirement in requirements()
    }
    assert not names - pinned - {"mixtura"}
