"""hmmlearn's own behavioural tests, run on our classes with the import changed: what fails is listed here with its reason."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mixtura

if importlib.util.find_spec("hmmlearn") is None:
    pytest.skip("hmmlearn is not installed: there are no tests of its to run", allow_module_level=True)
TESTS = Path(importlib.util.find_spec("hmmlearn").origin).parent / "tests"

# The only change: where classes come from. `normalize` and the like, which the tests use as helpers, stay theirs.
SWAPS = {
    "from hmmlearn import hmm\n": "from mixtura import models as hmm\n",
    "from .. import hmm\n": "from mixtura import models as hmm\n",
    "from ..hmm import GMMHMM\n": "from mixtura.models import GMMHMM\n",
    "from hmmlearn.base import ConvergenceMonitor\n": "from mixtura.models import ConvergenceMonitor\n",
    "from hmmlearn.base import BaseHMM, ConvergenceMonitor\n": (
        "from hmmlearn.base import BaseHMM\nfrom mixtura.models import ConvergenceMonitor\n"
    ),
}
# Their messages are log records, ours are warnings, which Python hands on to the log when asked to. Their tests draw from NumPy's
# global generator, here seeded.
CONFTEST = """
import logging
import warnings

import numpy as np
import pytest

logging.captureWarnings(True)
warnings.simplefilter("always")


@pytest.fixture(autouse=True)
def _seeded():
    np.random.seed(0)
"""
UNDERFLOW = "it expects an error of underflow; ours has none, whichever implementation is asked for"
# File -> tests that may fail and why, and how many pass.
MIRRORED = {
    "test_gaussian_hmm.py": ({"test_underflow_from_scaling": UNDERFLOW}, 97),
    "test_categorical_hmm.py": ({}, 22),
    "test_multinomial_hmm.py": ({}, 16),
    "test_poisson_hmm.py": ({}, 12),
    "test_gmm_hmm_new.py": ({}, 78),
    "test_gmm_hmm_multisequence.py": ({}, 8),
    # Of this file the monitor's tests; the others are of their base class and of their C functions.
    "test_base.py::TestMonitor": ({}, 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MIRRORED)
def test_hmmlearns_tests_pass_with_the_class_swapped(tmp_path, name):
    expected, at_least = MIRRORED[name]
    if not TESTS.exists():
        pytest.skip("this build of hmmlearn comes without its tests")
    folder = tmp_path / "swapped"
    folder.mkdir()
    file = name.split("::")[0]
    for one in {file, "__init__.py", "test_gmm_hmm.py"}:
        text = (TESTS / one).read_text(encoding="utf-8")
        swapped = text
        for theirs, ours in SWAPS.items():
            swapped = swapped.replace(theirs, ours)
        assert swapped != text or one == "__init__.py", f"{one}: no import was changed"
        (folder / one).write_text(swapped, encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=line",
        "-p",
        "no:warnings",
        "-p",
        "no:cacheprovider",
        "-rf",
    ]
    paths = [str(Path(mixtura.__file__).parents[1]), str(TESTS.parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_ADDOPTS": ""}
    run = subprocess.run(
        [*command, f"swapped/{name}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    failed = {
        re.split(r"\[|$", one)[0] for one in re.findall(r"^FAILED .*::(\S+)", run.stdout, flags=re.MULTILINE)
    }
    passed = sum(map(int, re.findall(r"(\d+) (?:passed|xpassed)", run.stdout.splitlines()[-1])))
    assert failed <= expected.keys(), run.stdout
    assert "error" not in run.stdout.splitlines()[-1]
    assert passed >= at_least, run.stdout
