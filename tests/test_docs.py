"""The documentation runs: every Python block of a page, in order, in one namespace and an empty folder."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

import mixtura
from mixtura import exceptions

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks(page):
    """Line number and text of each Python block."""
    text = page.read_text(encoding="utf-8")
    return [(text[: found.start(1)].count("\n"), found.group(1)) for found in BLOCK.finditer(text)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "documentation"}
    for line, code in blocks(page):
        where = f"{page.name}, block after line {line}"
        if ">>>" in code:
            test = doctest.DocTestParser().get_doctest(code, names, where, str(page), line)
            report = []
            doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append, clear_globs=False)
            assert not report, "".join(report)
            names.update(test.globs)
        else:
            # Line numbers of a traceback are those of the page.
            exec(compile("\n" * line + code, str(page), "exec"), names)  # noqa: S102 - our own documentation


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    mentioned = set(re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8")))
    assert not mentioned - targets


def test_every_error_and_warning_is_explained():
    text = (ROOT / "docs" / "debugging.md").read_text(encoding="utf-8")
    classes = [
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and issubclass(value, BaseException) and not name.startswith("_")
    ]
    assert not [name for name in classes if f"`{name}`" not in text]
    ours = set(re.findall(r"`(\w+(?:Error|Warning))`", text))
    assert not ours - set(classes), "a page explains what no longer exists"


def test_every_page_is_in_the_contents():
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name in contents
        assert page.name == "index.md" or f"({page.name})" in index


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_accepted(page):
    """Every `mixtura` command of a page parses; it is not run."""
    import click
    import typer

    from mixtura.cli import app

    commands = typer.main.get_command(app).commands
    for _, name, *arguments in console_lines(page):
        try:
            commands[name].make_context(name, arguments)
        except click.UsageError as error:
            pytest.fail(f"mixtura {name} {' '.join(arguments)}: {error.message}")


def console_lines(page):
    """Commands that a page shows in its console blocks."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in found.group(1).replace("\\\n", " ").splitlines():
            if line.startswith("$ mixtura "):
                yield shlex.split(line[2:], comments=True)


def test_every_component_is_in_the_page_on_choosing_one():
    """Families, components and classes that a user could look for."""
    text = (ROOT / "docs" / "choose-a-model.md").read_text(encoding="utf-8")
    helpers = {
        "ExponentialFamily",
        "ColumnFamily",
        "FamilyComponents",
        "CovarianceModel",
        "COVARIANCES",
        "MCLUST",
    }
    helpers |= {"AdjacentLogit", "CumulativeLogit"}
    helpers |= {
        name
        for name in mixtura.components.__all__
        if name.endswith(("Noise", "Degrees")) and name != "UniformNoise"
    }
    names = {*mixtura.components.__all__, *mixtura.families.__all__} - helpers
    names |= {name for name in mixtura.__all__ if name.endswith("Mixture")}
    lost = sorted(name for name in names if f"`{name}" not in text)
    assert not lost, f"docs/choose-a-model.md does not mention {lost}"
