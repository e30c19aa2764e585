"""Degenerate components: all are named, and the one policy decides what happens to them."""

import numpy as np
import pytest

import mixtura
from mixtura.components import COVARIANCES, Full, Gaussian, Tied
from mixtura.data import DenseSource
from mixtura.exceptions import DegeneracyWarning, DegenerateComponentError
from mixtura.executors import Serial
from mixtura.families import VonMisesFisher
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import POLICIES, AddPrior, Drop, Maximization, Raise, Reseed, policy
from mixtura.protocols import Encoding
from mixtura.structures import Independent, LatentMixture

ENCODING = Encoding(2)


@pytest.fixture
def rows(rng):
    return np.concatenate([rng.normal(0, 1, (80, 2)), rng.normal(7, 1, (60, 2))])


def model(kind="full"):
    """Components 1 and 3 are so far from all rows that they end empty."""
    mean = np.array([[0.0, 0.0], [1e4, 0.0], [7.0, 7.0], [0.0, -1e4]])
    covariance = {
        "full": np.stack([np.eye(2)] * 4),
        "tied": np.eye(2),
        "diag": np.ones((4, 2)),
        "spherical": np.ones(4),
    }[kind]
    return LatentMixture(Gaussian(mean, covariance, COVARIANCES[kind]()), Independent(np.zeros(4)), ENCODING)


def drive(rows, chosen, kind="full"):
    return run(
        model(kind),
        DenseSource(rows, ENCODING),
        update=Maximization(policy=chosen),
        executor=Serial(),
        stopping=Stopping(tol=1e-6, max_iter=500),
    )


@pytest.mark.parametrize("kind", COVARIANCES)
def test_raise_names_all_of_them(rows, kind):
    with pytest.raises(DegenerateComponentError) as caught:
        drive(rows, Raise(), kind)
    assert [event.component for event in caught.value.events] == [1, 3]
    assert "component 1" in str(caught.value)
    assert "component 3" in str(caught.value)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_drop_goes_on_with_the_others(rows, kind):
    result = drive(rows, Drop(), kind)
    assert result.model.n_components == 2
    assert result.model.components.n_components == 2
    np.testing.assert_allclose(result.model.structure.weights.sum(), 1.0)
    assert any("dropped component(s) 1, 3" in event for event in result.events)
    two = mixtura.GaussianMixture(
        2,
        covariance_type=kind,
        reg_covar=0.0,
        means_init=[[0, 0], [7, 7]],
        tol=1e-8,
    ).fit(rows)
    # One optimum, reached from another start with another tolerance: 1e-6 nats a row.
    assert result.objective / len(rows) == pytest.approx(two.lower_bound_, abs=2e-6)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_reseed_keeps_the_number_of_components(rows, kind):
    result = drive(rows, Reseed(), kind)
    assert result.model.n_components == 4
    assert any("reseeded component(s) 1, 3" in event for event in result.events)
    assert np.all(result.model.structure.weights > 1e-4)
    assert result.objective > drive(rows, Drop(), kind).objective  # two more components explain more


@pytest.mark.parametrize("kind", COVARIANCES)
def test_a_prior_keeps_them_alive(rows, kind):
    result = drive(rows, AddPrior(), kind)
    assert result.model.n_components == 4
    assert any("pseudo-rows" in event and "1, 3" in event for event in result.events)
    comparable = np.array(result.history[1:])
    assert np.all(np.diff(comparable) >= -1e-6 * len(rows))  # the tolerance of inexact steps


def test_events_say_when_what_and_why(rows):
    (event, *_) = drive(rows, Drop()).events
    assert event.startswith("step 1: ")
    assert "holds no rows" in event


def test_a_component_on_one_row_collapses_and_is_reported(rows):
    """The singularity: a mean on one row with variance going to zero."""
    outlier = np.concatenate([rows, [[30.0, 30.0]]])
    options = {
        "weights_init": [0.5, 0.4, 0.1],
        "means_init": [[0, 0], [7, 7], [30, 30]],
        "reg_covar": 0.0,
    }
    with pytest.raises(DegenerateComponentError) as caught:
        mixtura.GaussianMixture(3, on_degenerate="raise", **options).fit(outlier)
    assert [event.component for event in caught.value.events] == [2]
    assert "positive definite" in str(caught.value)
    with pytest.warns(DegeneracyWarning, match="dropped"):
        dropped = mixtura.GaussianMixture(3, on_degenerate="drop", **options).fit(outlier)
    assert dropped.n_components_ == len(dropped.means_) == 2
    assert any("dropped" in event for event in dropped.events_)


def test_a_policy_by_name_and_a_name_that_is_none():
    assert {name: policy(name) for name in POLICIES} == POLICIES
    with pytest.raises(ValueError, match="Did you mean 'reseed'"):
        policy("reseeed")


def test_all_empty_is_an_error_under_every_policy():
    rows = np.zeros((5, 2))
    for chosen in POLICIES.values():
        with pytest.raises(DegenerateComponentError):
            run(
                model(),
                DenseSource(rows, ENCODING),
                update=Maximization(policy=chosen),
                executor=Serial(),
                stopping=Stopping(max_iter=5),
            )


def test_multinomial_component_that_loses_its_rows_is_replaced(rng):
    counts = rng.multinomial(10, [0.6, 0.4, 0.0], size=40).astype(float)
    start = {"weights_init": [0.5, 0.5], "profiles_init": [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]}
    with pytest.raises(DegenerateComponentError) as caught:
        mixtura.MultinomialMixture(2, pseudo_count=0.0, on_degenerate="raise", **start).fit(counts)
    assert [event.component for event in caught.value.events] == [1]
    with pytest.warns(DegeneracyWarning, match="reseeded"):
        reseeded = mixtura.MultinomialMixture(2, pseudo_count=0.0, **start).fit(counts)
    assert np.all(reseeded.weights_ > 0)


def test_where_nothing_is_left_the_error_says_why():
    same = np.repeat([[0.6, 0.8], [0.8, -0.6]], 10, axis=0)
    mixture = mixtura.Mixture(VonMisesFisher(), 3, random_state=0)
    with pytest.raises(DegenerateComponentError, match=r"because 3 component.*component 0 .*all equal"):
        mixture.fit(same)


@pytest.mark.parametrize("seed", range(0, 8, 2))
def test_a_covariance_that_is_singular_up_to_rounding_is_degenerate(seed):
    """Two rows, or three nearly on a line, of six: before its factor fails the objective is rounding only."""
    few = np.array([[1.0, 2], [2, 3], [3, 5], [9, 8], [10, 1], [3, 3]])
    mixture = mixtura.Mixture(Gaussian(), 2, random_state=seed).fit(few)
    assert mixture.lower_bound_ == pytest.approx(-3.78187513, abs=1e-6)


@pytest.mark.parametrize("model", [Full(), Tied()])
def test_only_rounding_makes_a_column_a_combination_of_others(model):
    near = np.array([[1.0, 1.0 - 1e-12], [1.0 - 1e-12, 1.0]]) * np.outer([1.0, 1e6], [1.0, 1e6])
    shaped = (lambda matrix: matrix[None]) if type(model) is Full else np.asarray  # Tied has one matrix
    assert np.isfinite(model.precision_cholesky(shaped(near))).all()
    same = np.array([[1.0, 1.0], [1.0, 1.0 + 6e-16]])
    assert np.linalg.cholesky(same)[1, 1] > 0  # numpy itself does not mind
    with pytest.raises(np.linalg.LinAlgError, match="a linear combination of others"):
        model.precision_cholesky(shaped(same))
