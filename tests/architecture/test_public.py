"""Public names: what `__all__` says, documented, with an example that runs; errors that are tested."""

import ast
import doctest
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import mixtura
from mixtura import exceptions

TESTS = Path(__file__).parents[1]
PUBLIC = {name: getattr(mixtura, name) for name in getattr(mixtura, "__all__", [])}
ERRORS = [
    name
    for name, value in vars(exceptions).items()
    if inspect.isclass(value)
    and issubclass(value, exceptions.MixturaError | Warning)
    and not name.startswith("_")
]


def is_message_class(value) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


EXPLAINED = [name for name, value in PUBLIC.items() if not is_message_class(value) and callable(value)]


def test_all_is_what_is_exported():
    exported = {
        name
        for name, value in vars(mixtura).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }
    assert exported == {name for name in mixtura.__all__ if not name.startswith("__")}


def test_all_has_no_doubles():
    assert len(set(mixtura.__all__)) == len(mixtura.__all__)


@pytest.mark.parametrize("name", EXPLAINED)
def test_public_name_has_an_example_that_runs(name):
    value = PUBLIC[name]
    text = inspect.getdoc(value)
    assert text, f"{name} has no docstring"
    assert "Examples\n--------" in text, f"{name} has no Examples section"
    assert doctest.DocTestParser().get_examples(text), f"the Examples of {name} hold no doctest"
    # It is collected where it is defined (`--doctest-modules` on src), so it must be defined in this library.
    assert value.__module__.startswith("mixtura"), f"{name} comes from {value.__module__}"


@pytest.mark.parametrize("name", [name for name in EXPLAINED if inspect.isclass(PUBLIC[name])])
def test_public_methods_are_documented(name):
    bare = [
        member
        for member, value in inspect.getmembers(PUBLIC[name], inspect.isroutine)
        if not member.startswith("_") and not inspect.getdoc(value)
    ]
    assert not bare, f"{name} has methods without a docstring: {bare}"


@pytest.mark.parametrize("name", [name for name in EXPLAINED if inspect.isclass(PUBLIC[name])])
def test_parameters_of_a_class_are_all_described(name):
    value = PUBLIC[name]
    if getattr(value, "_is_protocol", False):
        return
    text = inspect.getdoc(value) or ""
    missing = [
        parameter
        for parameter, kind in inspect.signature(value).parameters.items()
        if kind.kind not in {kind.VAR_KEYWORD, kind.VAR_POSITIONAL}
        and not parameter.startswith("_")
        and f"{parameter} :" not in text
        and f"{parameter}," not in text
        and f", {parameter}" not in text
    ]
    assert not missing, f"the docstring of {name} does not describe {missing}"


def names_in_tests() -> set[str]:
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
    return found


def test_every_error_and_warning_is_tested():
    untested = set(ERRORS) - names_in_tests() - {"MixturaError", "MixturaWarning"}
    assert not untested, f"no test makes the library say {sorted(untested)}"


def test_every_error_is_in_the_tree_of_the_docstring():
    assert exceptions.__doc__ is not None
    missing = [name for name in ERRORS if name not in exceptions.__doc__]
    assert not missing, f"the tree in exceptions.py does not show {missing}"
