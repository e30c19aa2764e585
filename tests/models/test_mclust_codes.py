"""GaussianMixture under mclust's codes: attributes, files, starts, policies, and sweeps that keep nested models in order."""

import numpy as np
import pytest

import mixtura
from mixtura import GaussianMixture, select
from mixtura.components import MCLUST, Gaussian
from mixtura.components.eigen import nested_codes
from mixtura.data import DenseSource
from mixtura.exceptions import DegenerateComponentError, InvalidParameterError
from mixtura.executors import Serial
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import AddPrior, Drop, Maximization, Raise, Reseed
from mixtura.protocols import Encoding
from mixtura.structures import Independent, LatentMixture

ALIASES = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}
TURNS = [0.2, 0.9]


@pytest.fixture(scope="module")
def rows():
    """Two clouds that overlap a little, with axes that are not the columns'."""
    rng = np.random.default_rng(5)
    clouds = []
    for turn, centre, scales in zip(TURNS, ([0, 0], [4, 2]), ([1.0, 0.4], [0.8, 1.6]), strict=True):
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        clouds.append(np.add(rng.normal(size=(90, 2)) * scales @ rotation.T, centre))
    return np.concatenate(clouds)


def fitted(rows, code, **options):
    return GaussianMixture(
        2, **({"covariance_type": code, "random_state": 0, "reg_covar": 0.0, "tol": 1e-9} | options)
    ).fit(rows)


@pytest.mark.parametrize("code", MCLUST)
def test_attributes_hold_whole_matrices_of_the_fitted_density(rows, code):
    model = fitted(rows, code)
    assert model.converged_
    assert (
        model.covariances_.shape == model.precisions_.shape == model.precisions_cholesky_.shape == (2, 2, 2)
    )
    np.testing.assert_allclose(model.covariances_ @ model.precisions_, np.stack([np.eye(2)] * 2), atol=1e-9)
    factor = model.precisions_cholesky_
    np.testing.assert_allclose(factor @ factor.swapaxes(1, 2), model.precisions_, rtol=1e-9, atol=1e-12)
    scores = []
    for weight, mean, covariance in zip(model.weights_, model.means_, model.covariances_, strict=True):
        white = np.linalg.solve(np.linalg.cholesky(covariance), (rows - mean).T)
        log_det = np.linalg.slogdet(2.0 * np.pi * covariance)[1]
        scores.append(np.log(weight) - 0.5 * (log_det + (white**2).sum(axis=0)))
    np.testing.assert_allclose(model.score_samples(rows), np.logaddexp(*scores), rtol=1e-9)
    assert model.n_parameters() == 5 + MCLUST[code]().n_parameters(2, 2)


@pytest.mark.filterwarnings("ignore::mixtura.exceptions.ConvergenceWarning")  # forty steps, on purpose
@pytest.mark.parametrize("code", MCLUST)
def test_the_likelihood_never_falls(rows, code):
    for seed in range(3):
        model = fitted(rows, code, init_params="random", random_state=seed, max_iter=40, tol=0.0)
        assert np.all(np.diff(model.lower_bounds_) >= -1e-12)  # rounding of an average


@pytest.mark.parametrize("name", ALIASES)
def test_the_four_old_names_are_the_same_models_with_their_own_shapes(rows, name):
    ours, code = fitted(rows, name), fitted(rows, ALIASES[name])
    assert ours.lower_bound_ == code.lower_bound_
    np.testing.assert_array_equal(ours.predict_proba(rows), code.predict_proba(rows))
    shapes = {"full": (2, 2, 2), "tied": (2, 2), "diag": (2, 2), "spherical": (2,)}
    assert ours.covariances_.shape == shapes[name]


@pytest.mark.parametrize("code", MCLUST)
def test_what_is_saved_comes_back(tmp_path, rows, code):
    model = fitted(rows.astype(np.float32), code, dtype="float32", tol=1e-4)
    loaded = mixtura.load(model.save(tmp_path / "model.mixtura"))
    np.testing.assert_array_equal(loaded.score_samples(rows), model.score_samples(rows))
    np.testing.assert_array_equal(loaded.covariances_, model.covariances_)
    assert loaded.get_params()["covariance_type"] == code
    assert loaded.covariances_.dtype == np.float32


@pytest.mark.parametrize("code", MCLUST)
def test_a_fit_goes_on_from_its_own_result(rows, code):
    model = fitted(rows, code, warm_start=True)
    before = model.lower_bound_
    model.fit(rows)
    assert model.n_iter_ <= 3
    assert model.lower_bound_ >= before - 1e-12  # rounding of attributes
    start = {name: getattr(model, name) for name in ("weights_", "means_", "precisions_")}
    given = fitted(rows, code, **{f"{name}init": value for name, value in start.items()})
    assert given.lower_bound_ == pytest.approx(model.lower_bound_, abs=1e-9)
    assert given.n_iter_ <= 3


@pytest.mark.parametrize("code", ["VEI", "EEV", "VVE"])
def test_means_alone_are_a_start(rows, code):
    given = fitted(rows, code, means_init=[[0, 0], [4, 2]])
    assert given.lower_bound_ == pytest.approx(fitted(rows, code).lower_bound_, abs=1e-6)  # one optimum


def test_a_start_that_is_not_nested_is_refused(rows):
    with pytest.raises(InvalidParameterError, match=r"covariance_type: EVI\).*'VEE' or one nested in it"):
        fitted(rows, "VEE", init_params=fitted(rows, "EVI"))
    with pytest.raises(InvalidParameterError, match=r"expected \(2, 2, 2\)"):
        fitted(rows, "EEI", precisions_init=np.ones((2, 2)))
    with pytest.raises(InvalidParameterError, match=r"'EVW'.*Did you mean"):
        fitted(rows, "EVW")


@pytest.fixture(scope="module")
def loose(rows):
    """A fit of every model, not carried to its end."""
    return {code: fitted(rows, code, tol=1e-3) for code in MCLUST}


@pytest.mark.parametrize("code", MCLUST)
def test_every_nested_fit_is_a_start_of_the_same_density(rows, loose, code):
    for smaller in nested_codes(code):
        start = loose[smaller]
        same = fitted(rows, code, init_params=start, max_iter=1, tol=1e300)
        assert same.starts_[0].history[0] == pytest.approx(start.lower_bound_, rel=1e-10)


@pytest.mark.parametrize(("code", "nested"), [("EVE", "EEE"), ("VVE", "EVE"), ("VVE", "VEE")])
def test_common_axes_do_not_end_below_what_is_nested_in_them(code, nested):
    """On rows without clusters, where starts matter most."""
    for seed in range(2):
        noise = np.random.default_rng(seed).standard_t(5, size=(50, 2))
        settings = {"n_components": 2, "random_state": seed, "reg_covar": 0.0, "on_degenerate": "drop"}
        large, small = (GaussianMixture(covariance_type=one, **settings).fit(noise) for one in (code, nested))
        if large.n_components_ == small.n_components_ and not small.starts_[small.best_start_].suspects:
            assert large.lower_bound_ >= small.lower_bound_ - 1e-12
        assert any(start.name.startswith("nested Gaussian(") for start in large.starts_)


@pytest.mark.filterwarnings("ignore::mixtura.exceptions.EdgeOfRangeWarning")  # two is the largest tried
def test_a_sweep_keeps_nested_models_in_order(rows):
    codes = [*reversed(MCLUST)]
    selection = select(
        GaussianMixture(random_state=0, reg_covar=0.0), rows, n_components=[1, 2], covariance_type=codes
    )
    asked = [(code, k) for code in codes for k in (1, 2)]
    assert [(row["covariance_type"], row["n_components"]) for row in selection.table] == asked
    assert [(one.covariance_type, one.n_components) for one in selection.estimators] == asked
    found = {key: row["log_likelihood"] for key, row in zip(asked, selection.table, strict=True)}
    for code in codes:
        for smaller in nested_codes(code):
            for k in (1, 2):
                assert found[code, k] >= found[smaller, k] - 1e-9 * abs(found[smaller, k]), (code, smaller, k)
    assert selection.chosen["n_components"] == 2


@pytest.mark.filterwarnings("ignore::mixtura.exceptions.EdgeOfRangeWarning")  # two is the largest tried
def test_a_sweep_takes_both_kinds_of_names(rows):
    selection = select(
        GaussianMixture(random_state=0), rows, n_components=[1, 2], covariance_type=["full", "EEV", "tied"]
    )
    assert {row["covariance_type"] for row in selection.table} == {"full", "EEV", "tied"}
    started = {(row["covariance_type"], row["n_components"]): row["started"] for row in selection.table}
    assert set(started.values()) <= {"fresh", "nested", "nested EEE", "nested EEV"}


ENCODING = Encoding(2)


def drive(rows, code, chosen):
    """Components 1 and 3 are so far from all rows that they end empty."""
    model = MCLUST[code]()
    mean = np.array([[0.0, 0.0], [1e4, 0.0], [4.0, 2.0], [0.0, -1e4]])
    components = Gaussian(mean, model.from_matrices(np.stack([0.1 * np.eye(2)] * 4)), model)
    return run(
        LatentMixture(components, Independent(np.zeros(4)), ENCODING),
        DenseSource(rows, ENCODING),
        update=Maximization(policy=chosen),
        executor=Serial(),
        stopping=Stopping(tol=1e-4, max_iter=200),
    )


@pytest.mark.parametrize("code", MCLUST)
def test_policies_for_empty_components(rows, code):
    with pytest.raises(DegenerateComponentError) as caught:
        drive(rows, code, Raise())
    assert [event.component for event in caught.value.events] == [1, 3]
    dropped = drive(rows, code, Drop())
    assert dropped.model.n_components == 2
    reseeded = drive(rows, code, Reseed())
    assert reseeded.model.n_components == 4
    assert reseeded.objective > dropped.objective
    kept = drive(rows, code, AddPrior())
    assert kept.model.n_components == 4
    assert np.all(np.diff(kept.history[1:]) >= -1e-6 * len(rows))  # the tolerance of inexact steps


@pytest.mark.parametrize("code", MCLUST)
def test_columns_far_from_the_origin_and_of_other_units(rows, code):
    """Scores about own means: a shift changes nothing but digits."""
    plain = fitted(rows, code, tol=1e-7, means_init=[[0, 0], [4, 2]])
    far = fitted(rows + 1e6, code, tol=1e-7, means_init=np.add([[0, 0], [4, 2]], 1e6))
    assert far.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-6)
    np.testing.assert_allclose(far.covariances_, plain.covariances_, rtol=1e-3, atol=1e-4)
