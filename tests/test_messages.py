"""Every error and warning says where, what was found, what was expected, and what to do.

One test per class makes the library say it through its public door and reads the message for the four parts.
"""

import re
import signal
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest

import mixtura
from mixtura import exceptions
from mixtura.components import Gaussian
from mixtura.data import DenseSource
from mixtura.exceptions import (
    ConvergenceWarning,
    DegeneracyWarning,
    DegenerateComponentError,
    EdgeOfRangeWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
    MissingExtraError,
    ModelFileError,
    ObjectiveFellError,
    OutputError,
    SpuriousSolutionWarning,
    StartsDisagreeWarning,
    did_you_mean,
    optional_import,
)
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.protocols import Encoding, UpdateStep
from mixtura.structures import Independent, LatentMixture


@pytest.fixture
def cloud(rng):
    """Two clusters, 60 rows and two columns."""
    return np.concatenate([rng.normal(0, 1, (30, 2)), rng.normal(6, 1, (30, 2))])


@pytest.fixture
def collapsing(cloud):
    """Rows, and a start that puts the third component on a single row."""
    rows = np.concatenate([cloud, [[20.0, 20.0]]])
    start = {
        "weights_init": [0.4, 0.4, 0.2],
        "means_init": [[0, 0], [6, 6], [20, 20]],
        "precisions_init": [np.eye(2)] * 3,
    }
    return rows, start


def said(message, *, where, found, expected, todo):
    """Check the four parts of a message, each a regular expression."""
    text = str(message)
    for part, pattern in {"where": where, "found": found, "expected": expected, "todo": todo}.items():
        assert re.search(pattern, text), f"{part}: no {pattern!r} in {text!r}"


def heard(category, action):
    """The message of the one warning of this category that an action gives; others are ignored."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        action()
    messages = [str(warning.message) for warning in record if warning.category is category]
    assert len(messages) == 1, [str(warning.message) for warning in record]
    return messages[0]


# --- errors ---
def test_invalid_data(cloud):
    with pytest.raises(InvalidDataError, match="sample_weight") as caught:
        mixtura.GaussianMixture(2).fit(cloud, sample_weight=[1.0] * 59 + [-3.0])
    said(caught.value, where=r"\[59\]", found=r"-3\.0", expected="at least 0", todo="0 leaves a row out")
    assert isinstance(caught.value, ValueError)


def test_invalid_parameter(cloud):
    with pytest.raises(InvalidParameterError, match="covariance_type") as caught:
        mixtura.GaussianMixture(2, covariance_type="ful").fit(cloud)
    said(caught.value, where="covariance_type", found="'ful'", expected="'tied'", todo="Did you mean 'full'")
    assert isinstance(caught.value, ValueError)


def test_degenerate_component(collapsing):
    rows, start = collapsing
    model = mixtura.GaussianMixture(3, on_degenerate="raise", reg_covar=0.0, **start)
    with pytest.raises(DegenerateComponentError) as caught:
        model.fit(rows)
    said(
        caught.value,
        where="component 2",
        found=r"expected rows 1",
        expected="several distinct rows",
        todo="Decrease n_components",
    )
    assert [event.component for event in caught.value.events] == [2]


def test_degenerate_component_survives_transport():
    import pickle

    error = DegenerateComponentError([exceptions.Degenerate(1, 0.5, "it holds no data")])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@dataclass(frozen=True)
class Backwards(Maximization):
    """An update with a bug: it claims to be exact, and moves the components away from the data."""

    def step(self, state, model, stats):
        components = model.components
        moved = components.replace(components.mean + 10.0, components.covariance)
        return UpdateStep(replace(model, components=moved), state, exact=True)


def test_objective_fell(cloud):
    encoding = Encoding(2)
    start = Gaussian(np.array([[0.0, 0.0], [6.0, 6.0]]), np.stack([np.eye(2)] * 2))
    model = LatentMixture(start, Independent(np.zeros(2)), encoding)
    with pytest.raises(ObjectiveFellError) as caught:
        run(
            model,
            DenseSource(cloud, encoding),
            update=Backwards(),
            executor=Serial(),
            stopping=Stopping(tol=1e-6),
        )
    said(caught.value, where="step 1", found=r"fell from -\d", expected="rounding", todo="report it")


def test_model_file_of_another_kind(tmp_path):
    path = tmp_path / "notes.mixtura"
    path.write_text("not a model")
    with pytest.raises(ModelFileError) as caught:
        mixtura.load(path)
    said(
        caught.value,
        where="notes.mixtura",
        found="cannot be read",
        expected="mixtura model",
        todo="save again",
    )


def test_model_file_missing(tmp_path):
    with pytest.raises(ModelFileError) as caught:
        mixtura.load(tmp_path / "nowhere.mixtura")
    said(
        caught.value,
        where="nowhere",
        found="does not exist",
        expected="expected a model file",
        todo=r"save\(\)",
    )


def test_output(cloud, tmp_path):
    model = mixtura.GaussianMixture(2, random_state=0).fit(cloud)
    with pytest.raises(OutputError) as caught:
        model.save(tmp_path / "no" / "such" / "folder.mixtura")
    said(
        caught.value,
        where="folder.mixtura",
        found="No such file",
        expected="a folder that exists",
        todo="Choose a folder",
    )
    assert isinstance(caught.value, OSError)
    assert not list(tmp_path.iterdir())


def test_missing_extra():
    with pytest.raises(MissingExtraError) as caught:
        optional_import("a_package_that_nobody_has", "segment")
    said(
        caught.value,
        where="'a_package_that_nobody_has'",
        found="not installed",
        expected="needs the package",
        todo=r'pip install "mixtura\[segment\]"',
    )
    assert isinstance(caught.value, ImportError)


def test_missing_extra_does_not_hide_a_broken_package(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has") as caught:
        optional_import("half_installed", "segment")
    assert not isinstance(caught.value, MissingExtraError)


# --- warnings ---
def test_convergence(cloud):
    model = mixtura.GaussianMixture(2, max_iter=1, init_params="random", random_state=0)
    message = heard(ConvergenceWarning, lambda: model.fit(cloud))
    said(message, where="GaussianMixture", found="max_iter=1", expected="tol=", todo="Increase max_iter")


def test_convergence_is_also_scikit_learns():
    from sklearn.exceptions import ConvergenceWarning as Theirs

    assert issubclass(ConvergenceWarning, Theirs)


def test_degeneracy(collapsing):
    rows, start = collapsing
    model = mixtura.GaussianMixture(3, on_degenerate="drop", reg_covar=0.0, **start)
    message = heard(DegeneracyWarning, lambda: model.fit(rows))
    said(message, where=r"step \d", found="component 2", expected="expected rows", todo="dropped")
    assert model.n_components_ == 2


def test_spurious_solution(collapsing):
    rows, start = collapsing
    model = mixtura.GaussianMixture(3, on_degenerate="raise", verbose=1, **start)
    message = heard(SpuriousSolutionWarning, lambda: model.fit(rows))
    said(
        message,
        where="component 2",
        found="rows",
        expected="Expected components",
        todo="Use fewer components",
    )


def test_starts_disagree(rng):
    noise = rng.uniform(size=(300, 2))
    model = mixtura.GaussianMixture(12, n_init=3, init_params="random", random_state=0, max_iter=3000)
    message = heard(StartsDisagreeWarning, lambda: model.fit(noise))
    said(
        message,
        where="GaussianMixture",
        found=r"of \d+ starts",
        expected="best objective",
        todo="Increase n_init",
    )


def test_interrupted(cloud):
    def press(progress):
        if progress.step == 2:
            signal.raise_signal(signal.SIGINT)

    model = mixtura.GaussianMixture(2, init_params="random", random_state=0, callbacks=[press], tol=0.0)
    message = heard(InterruptedWarning, lambda: model.fit(cloud))
    said(
        message, where="GaussianMixture", found=r"after \d+ steps", expected="best", todo="best model so far"
    )
    assert model.stop_reason_ == "interrupted"
    assert not model.converged_


def test_edge_of_range(rng):
    rows = np.concatenate([rng.normal(10 * k, 1, (50, 1)) for k in range(4)])
    estimator = mixtura.GaussianMixture(random_state=0)
    message = heard(EdgeOfRangeWarning, lambda: mixtura.select(estimator, rows, n_components=[1, 2, 3]))
    said(message, where="K|n_components", found="3", expected="tried", todo="Widen n_components")


# --- how messages are made ---
def test_did_you_mean_names_the_nearest_and_all():
    assert (
        did_you_mean("Spherial", ["full", "spherical"])
        == "Did you mean 'spherical'? Allowed: 'full', 'spherical'."
    )
    assert did_you_mean("zzz", ["full", "tied"]) == "Allowed: 'full', 'tied'."


def test_all_errors_have_one_root():
    for name in exceptions.__all__:
        value = getattr(exceptions, name)
        if isinstance(value, type) and issubclass(value, BaseException):
            assert issubclass(value, exceptions.MixturaError | exceptions.MixturaWarning)
