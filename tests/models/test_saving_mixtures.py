"""Mixtures of any component in model files: the same scores come back, and nothing but known classes is made."""

import json

import numpy as np
import pytest
from scipy.special import gammaln

import mixtura
from contract import specimens
from mixtura import Mixture
from mixtura.components import EEV, Gaussian
from mixtura.exceptions import ModelFileError
from mixtura.families import Binomial, Categorical, FamilyComponents, Poisson
from mixtura.persistence import from_plain, register, to_plain
from mixtura.testing.components import ComponentSpecimen


def subjects():
    """Every family and component that has a specimen, with rows."""
    for name, specimen in specimens.FAMILIES.items():
        yield name, FamilyComponents(*specimen.subject), specimen.arguments.get("x")
    for name, specimen in specimens.COMPONENTS.items():
        yield name, specimen.subject, specimen.arguments.get("x")


SUBJECTS = {name: (component, x) for name, component, x in subjects()}


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_component_survives(name):
    component, x = SUBJECTS[name]
    if not type(component).__module__.startswith("mixtura."):
        register(type(component))
    arrays = {}
    plain = json.loads(json.dumps(to_plain(component, arrays, "component")))
    again = from_plain(plain, {key: value.copy() for key, value in arrays.items()})
    specimen = ComponentSpecimen(component, np.empty((0, 0)) if x is None else x)
    rows = specimen.sampled(20)[0] if x is None else x
    encoding = ComponentSpecimen(component, rows).encoding
    scores = [one.log_prob(one.encode(rows, encoding)) for one in (component, again)]
    np.testing.assert_array_equal(*scores)
    assert again.n_parameters() == component.n_parameters()


@pytest.mark.parametrize(
    ("component", "x"),
    [
        (Gaussian(model=EEV()), np.random.default_rng(0).normal(5.0, 1.0, (80, 3))),
        (Categorical([2, 3]), np.random.default_rng(0).integers(0, 2, (80, 2)).astype(float)),
        (Poisson(), np.where(np.eye(40, 3) > 0, np.nan, 3.0) + np.arange(40)[:, None] % 5),
    ],
)
def test_a_mixture_comes_back(component, x, tmp_path):
    fitted = Mixture(component, 2, random_state=0).fit(x)
    again = mixtura.load(fitted.save(tmp_path / "any.mixtura"))
    np.testing.assert_array_equal(again.score_samples(x), fitted.score_samples(x))
    np.testing.assert_array_equal(again.predict(x), fitted.predict(x))
    assert again.params_frame().equals(fitted.params_frame())
    assert again.get_params()["tol"] == fitted.tol
    again.fit(x)  # and is an estimator like any other


class Counts(Poisson):
    """Of a user."""

    def column_log_base(self, x):
        return -gammaln(x + 1.0)


def test_other_classes_are_refused_until_registered(tmp_path):
    x = np.random.default_rng(0).poisson(3.0, (50, 2)).astype(float)
    fitted = Mixture(Counts(), 2, random_state=0).fit(x)
    with pytest.raises(ModelFileError, match=r"components is a .*Counts.*register"):
        fitted.save(tmp_path / "own.mixtura")
    register(Counts)
    again = mixtura.load(fitted.save(tmp_path / "own.mixtura"))
    np.testing.assert_array_equal(again.score_samples(x), fitted.score_samples(x))


@pytest.mark.parametrize(
    "name", ["os:system", "mixtura.families:nothing", "mixtura.cli:app", "subprocess:Popen"]
)
def test_a_file_makes_known_classes_only(name):
    with pytest.raises(ModelFileError, match="not known here"):
        from_plain({"class": name, "state": {}}, {})


def test_a_number_in_an_array_of_no_dimension_stays_one(tmp_path):
    mixture = Mixture(Binomial(4), 2, random_state=0).fit(np.random.default_rng(0).binomial(4, 0.5, (30, 3)))
    again = mixtura.load(mixture.save(tmp_path / "one.mixtura"))
    assert again.components.trials.shape == ()
    assert repr(again) == repr(mixture)
