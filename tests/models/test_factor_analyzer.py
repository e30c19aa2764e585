"""Mixtures of factor analysers: oracles by loops, scikit-learn's special cases, the inner maximisation, the user class."""

import warnings

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.utils.estimator_checks import parametrize_with_checks

import mixtura
import oracles_factor as oracle
from mixtura import GaussianMixture
from mixtura.components import FactorAnalyzer, OwnNoise, uniquenesses
from mixtura.components.factor_noise import NOISES
from mixtura.exceptions import (
    ConvergenceWarning,
    DegenerateComponentError,
    InvalidDataError,
    InvalidParameterError,
)
from mixtura.inference.initialize import from_responsibilities
from mixtura.models import FactorAnalyzerMixture
from mixtura.models._parameters import independent
from mixtura.protocols import Encoding
from mixtura.structures import LatentMixture
from mixtura.testing import COMPONENT_CHECKS, check_component
from mutants_factor import CATALOGUE

KINDS = list(NOISES)


def rows(n=240, n_features=6, n_factors=2, seed=0):
    """Two overlapping groups with correlations of their own."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(0.0, 1.5, (2, n_features, n_factors))
    kind = np.arange(n) % 2
    factors = rng.normal(size=(n, n_factors))
    noise = rng.normal(size=(n, n_features)) * np.linspace(0.6, 1.2, n_features)
    return 2.0 * kind[:, None] + np.einsum("nq,ndq->nd", factors, loadings[kind]) + noise


def quiet(mixture, X, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(X, **arguments)


@pytest.fixture(scope="module")
def fitted():
    X = rows()
    return X, {
        kind: FactorAnalyzerMixture(2, 2, noise=kind, tol=1e-10, max_iter=5000, random_state=0).fit(X)
        for kind in KINDS
    }


# --- oracles --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_log_densities_are_those_of_the_dense_matrix(fitted, kind):
    X, models = fitted
    model = models[kind]
    found = model._model().components.log_prob((X - model.weights_ @ model.means_).T[:, :20].copy())
    for k in range(2):
        parameters = (model.means_[k], model.loadings_[k], model.noise_variances_[k])
        expected = [oracle.log_density(x, *map(np.ndarray.tolist, parameters)) for x in X[:20].tolist()]
        np.testing.assert_allclose(found[k], expected, rtol=1e-11)  # two ways of summing six columns
    np.testing.assert_allclose(
        model.covariances_[0], oracle.covariance(model.loadings_[0], model.noise_variances_[0]), rtol=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_fit_is_a_fixed_point_of_em_with_expected_factors(fitted, kind):
    X, models = fitted
    model = models[kind]
    given = [model.weights_, model.means_, model.loadings_, model.noise_variances_]
    total, counts, means, loadings, noise = oracle.em_step(X.tolist(), *(a.tolist() for a in given), kind)
    assert total == pytest.approx(model.score(X) * len(X), rel=1e-10)
    # The fit ended with at most 1e-10 nats a row to gain, so parameters are right to about its root.
    for found, expected in zip(
        (counts, means, loadings, noise), (model.weights_ * len(X), *given[1:]), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=2e-4 * np.max(np.abs(expected)))


def test_scores_of_factors_are_those_of_the_dense_matrix(fitted):
    X, models = fitted
    model = models["own"]
    labels, scores = model.predict(X), model.transform(X)
    for x, k, found in zip(X[:20], labels, scores, strict=False):
        parameters = (model.means_[k], model.loadings_[k], model.noise_variances_[k])
        np.testing.assert_allclose(found, oracle.posterior(x, *parameters)[0], rtol=1e-9)


def test_far_from_the_origin_every_component_works_about_its_mean():
    rng = np.random.default_rng(1)
    component = FactorAnalyzer(
        1, None, rng.normal(size=(2, 4)), rng.normal(size=(2, 4, 1)), rng.uniform(1, 2, (2, 4))
    )
    x, far = rng.normal(size=(4, 30)), 1e8
    # 1e8 leaves eight digits behind the point, of which scores of some units of size keep six.
    np.testing.assert_allclose(
        component.moved(np.full(4, -far)).log_prob(x + far), component.log_prob(x), atol=1e-6
    )


def test_rows_left_out_of_a_scatter_change_no_digit():
    rng = np.random.default_rng(2)
    x, resp = rng.normal(size=(3, 50)), rng.dirichlet([0.01, 0.01], 50).T
    resp[0, :9] = 1e-25
    found = FactorAnalyzer(1).expected_statistics(x, resp)
    expected = np.einsum("kb,db,eb->kde", resp, x, x)[:, *np.triu_indices(3)]
    np.testing.assert_allclose(found["sum_xx"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["count"], resp.sum(axis=1), rtol=1e-14)


# --- the maximisation of noise and loadings -------------------------------------------------------------------------
def matrices(n_matrices=2, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_matrices, n_features, 1)) * rng.normal(size=(n_matrices, 1, 40))
    x = x + rng.normal(size=(n_matrices, n_features, 40))
    return x @ x.swapaxes(1, 2) / 40, np.array([0.3, 0.7])[:n_matrices]


def test_gradient_and_hessian_are_derivatives():
    covariances, shares = matrices()
    theta = np.linspace(-0.8, 0.3, 6)

    def value(theta):
        return uniquenesses.factored(shares, covariances, np.exp(theta), 2).value

    def gradient(theta):
        return uniquenesses._gradient(shares, uniquenesses.factored(shares, covariances, np.exp(theta), 2))

    found = uniquenesses.factored(shares, covariances, np.exp(theta), 2)
    assert (found.n_active > 0).all()
    # Forward differences with steps of 1e-8 and 1e-7.
    np.testing.assert_allclose(gradient(theta), approx_fprime(theta, value), atol=1e-5)
    hessian = sum(uniquenesses._hessian(shares, found, np.ones(6, dtype=bool)))
    np.testing.assert_allclose(hessian, approx_fprime(theta, gradient, 1e-7), atol=1e-4)


def test_the_profile_is_twice_the_negative_log_likelihood():
    covariances, _ = matrices(1)
    noise = np.linspace(0.4, 1.0, 6)
    found = uniquenesses.factored(np.ones(1), covariances, noise, 2)
    model = uniquenesses.loadings(found, noise, 2)[0]
    sigma = model @ model.T + np.diag(noise)
    expected = np.linalg.slogdet(sigma)[1] + np.trace(np.linalg.solve(sigma, covariances[0]))
    assert found.value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n_factors", [0, 1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_no_step_raises_the_profile(n_factors, seed):
    covariances, shares = matrices(seed=seed)
    start, floor = np.full(6, 3.0), np.full(6, 1e-3)
    values = []
    for steps in range(12):
        noise, _, _ = uniquenesses.uniquenesses(shares, covariances, n_factors, start, floor, steps)
        values.append(uniquenesses.factored(shares, covariances, noise, n_factors).value)
        assert (noise >= floor * (1 - 1e-12)).all()
    assert np.all(np.diff(values) <= 1e-12 * np.abs(values[0]))
    assert values[-1] < values[0]


def test_ecme_takes_over_where_no_newton_step_helps(monkeypatch):
    covariances, shares = matrices()
    start, floor = np.full(6, 1.0), np.full(6, 1e-3)
    best = uniquenesses.uniquenesses(shares, covariances, 1, start, floor)[0]
    monkeypatch.setattr(uniquenesses, "_shortened", lambda *_: None)
    noise, _, _ = uniquenesses.uniquenesses(shares, covariances, 1, start, floor, 5000)
    np.testing.assert_allclose(noise, best, rtol=1e-5)  # it stops when F rounds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most_steps", [1, 60])
def test_no_em_step_lowers_the_likelihood(kind, most_steps):
    X = rows(80, seed=3)
    resp = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], len(X))
    blank = FactorAnalyzer(2, NOISES[kind](), most_steps=most_steps)
    encoding = Encoding(6, origin=X.mean(axis=0))
    from mixtura.data import DenseSource

    source = DenseSource(X, encoding)
    model = from_responsibilities(resp, source, blank, independent, encoding)
    history = []
    for _ in range(25):
        stats = model.summarize(source[0], {})
        history.append(stats.log_evidence)
        model = model.maximize(stats)
    assert np.all(np.diff(history) >= -1e-10 * abs(history[0]))  # rounding
    assert history[-1] > history[0] + 1.0


def test_a_column_of_zeros_in_the_loadings_is_no_fixed_point():
    X = rows()
    few = FactorAnalyzerMixture(2, 1, random_state=0).fit(X)
    more = FactorAnalyzerMixture(2, 2, init_params=few).fit(X)
    assert len(more.starts_) == 1
    assert more.score(X) > few.score(X) + 0.05


# --- special cases of scikit-learn ----------------------------------------------------------------------------------
@pytest.mark.parametrize("n_factors", [1, 3])
def test_one_component_with_isotropic_noise_is_probabilistic_pca(n_factors):
    X = rows(seed=4)
    model = FactorAnalyzerMixture(1, n_factors, noise="isotropic").fit(X)
    pca = PCA(n_factors).fit(X)
    shrink = (len(X) - 1) / len(X)  # scikit-learn divides by N - 1
    pca.explained_variance_ *= shrink
    pca.noise_variance_ *= shrink
    np.testing.assert_allclose(model.score_samples(X), pca.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(model.noise_variances_, pca.noise_variance_, rtol=1e-10)


@pytest.mark.parametrize("n_factors", [1, 2])
def test_one_component_is_factor_analysis(n_factors):
    X = rows(400, 12, seed=5)
    model = FactorAnalyzerMixture(1, n_factors, tol=1e-12).fit(X)
    other = FactorAnalysis(n_factors, tol=1e-6, max_iter=10_000, svd_method="lapack").fit(X)
    assert model.score(X) == pytest.approx(
        other.score(X), abs=1e-5
    )  # scikit-learn's steps are short near the end
    assert model.score(X) >= other.score(X) - 1e-12
    explained = model.transform(X) @ model.loadings_[0].T
    np.testing.assert_allclose(explained, other.transform(X) @ other.components_, atol=0.02)


def test_without_factors_columns_are_independent():
    X = rows()
    start = {"means_init": X[:2], "max_iter": 200, "tol": 1e-10}
    found = FactorAnalyzerMixture(2, 0, **start).fit(X)
    other = GaussianMixture(2, covariance_type="diag", reg_covar=0.0, **start).fit(X)
    assert found.score(X) == pytest.approx(other.score(X), abs=1e-7)
    assert found.n_parameters() == other.n_parameters()


@pytest.mark.parametrize(
    ("kind", "noise"), [("own", 20), ("common", 10), ("isotropic", 2), ("common_isotropic", 1)]
)
def test_parameters_are_counted_up_to_rotation(kind, noise):
    X = rows(n_features=10)
    model = quiet(FactorAnalyzerMixture(2, 3, noise=kind, max_iter=2, random_state=0), X)
    assert model.n_parameters() == 1 + 2 * 10 + 2 * (10 * 3 - 3) + noise


# --- Heywood cases --------------------------------------------------------------------------------------------------
def sums_of(correlation):
    """Sums over 100 rows of these second moments about zero."""
    size = len(correlation)
    x = np.linalg.cholesky(correlation) @ np.linalg.qr(np.random.default_rng(0).normal(size=(100, size)))[0].T
    return FactorAnalyzer(1).expected_statistics(x * 10.0, np.ones((1, 100)))


def test_noise_stops_at_its_floor_and_the_step_is_inexact():
    # Of one factor, the first column would explain 0.9 * 0.9 / 0.65 of its own variance.
    heywood = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, 0.65], [0.9, 0.65, 1.0]])
    found = FactorAnalyzer(1, noise_floor=1e-4).maximize(sums_of(heywood))
    variance = np.diagonal(found.covariance[0] - 0.0)
    assert not found.exact
    assert found.noise_variances[0, 0] == pytest.approx(
        1e-4, rel=0.05
    )  # the mean takes a little of the variance
    assert found.noise_variances[0, 1:].min() > 0.1
    assert variance == pytest.approx(np.ones(3), rel=0.05)
    assert not found.suspects(sums_of(heywood))  # one column, one factor
    twice = heywood[:, [0, 0, 1, 2]][[0, 0, 1, 2]] + 1e-12 * np.eye(4)
    found = FactorAnalyzer(1, noise_floor=1e-4).maximize(sums_of(twice))
    assert "2 columns" in found.suspects(sums_of(twice))[0]


def test_components_of_few_rows_are_suspect():
    x = np.random.default_rng(0).normal(size=(5, 40))
    resp = np.zeros((2, 40))
    resp[0, :3], resp[1, 3:] = 1.0, 1.0
    sums = FactorAnalyzer(2).expected_statistics(x, resp)
    assert list(FactorAnalyzer(2).maximize(sums).suspects(sums)) == [0]


# --- the user class -------------------------------------------------------------------------------------------------
def test_weights_are_repeated_rows():
    X = rows(120)
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    start = {"means_init": X[:2], "tol": 1e-9}
    one = FactorAnalyzerMixture(2, 1, **start).fit(X, sample_weight=weight)
    two = FactorAnalyzerMixture(2, 1, **start).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(one.covariances_, two.covariances_, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_comes_back(tmp_path, fitted, kind):
    X, models = fitted
    model = models[kind]
    loaded = mixtura.load(model.save(tmp_path / "model.mixtura"))
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert loaded.get_params()["n_factors"] == 2
    assert loaded.n_parameters() == model.n_parameters()
    assert loaded.summary() == model.summary()


def test_single_precision_rows_and_blocks():
    X = rows().astype(np.float32)
    model = quiet(FactorAnalyzerMixture(2, 1, dtype="float32", random_state=0, tol=1e-4), X)
    assert model.score_samples(X).dtype == np.float32
    other = FactorAnalyzerMixture(2, 1, random_state=0, tol=1e-4).fit(X)
    assert model.score(X) == pytest.approx(other.score(X), abs=0.01)


def test_a_given_start_is_where_the_fit_starts(fitted):
    X, models = fitted
    model = models["own"]
    names = ("weights", "means", "loadings", "noise_variances")
    start = {f"{name}_init": getattr(model, f"{name}_") for name in names}
    again = quiet(FactorAnalyzerMixture(2, 2, max_iter=0, **start), X)
    assert again.lower_bound_ == pytest.approx(model.lower_bound_, abs=1e-12)
    warm = quiet(FactorAnalyzerMixture(2, 2, max_iter=3, warm_start=True, random_state=0), X)
    assert quiet(warm, X).lower_bounds_[0] >= warm.lower_bounds_[-1] - 1e-12


def test_parameters_have_names(fitted):
    _, models = fitted
    frame = models["own"].params_frame("pandas")
    loading = frame[
        (frame.parameter == "loading") & (frame.feature == "x3") & (frame.other_feature == "factor1")
    ]
    np.testing.assert_array_equal(loading["value"], models["own"].loadings_[:, 3, 1])
    assert set(frame.parameter) == {"weight", "mean", "loading", "noise_variance"}
    assert list(models["own"].get_feature_names_out()) == ["factoranalyzermixture0", "factoranalyzermixture1"]


def test_samples_have_the_moments_of_the_model(fitted):
    _, models = fitted
    model = models["own"]
    X, label = model.sample(20_000)
    for k in range(2):
        error = np.cov(X[label == k].T) - model.covariances_[k]
        assert np.abs(error).max() < 0.05 * np.abs(model.covariances_[k]).max()  # some 1 / sqrt(10000) each


def test_coordinates_are_the_same_densities_whatever_the_rotation(fitted):
    _, models = fitted
    components = models["own"]._model().components
    turned = components.replace(
        components.mean, components.loadings @ np.array([[0.6, -0.8], [0.8, 0.6]]), components.noise_variances
    )
    np.testing.assert_allclose(turned.coordinates(), components.coordinates(), rtol=1e-9, atol=1e-12)
    assert len(components.coordinates()) == components.n_parameters()


@pytest.mark.parametrize(
    ("bug", "check"),
    [
        ("determinant of the factors forgotten", "reference"),
        ("noise variance as standard deviation in sample", "sampled score"),
        ("loadings not shrunk", "stationary"),
        ("noise 2 % too large", "stationary"),
        ("rotations of factors counted", "parameters"),
        ("rows called negligible too early", "additive"),
        ("mean left in the projection", "override"),
    ],
)
def test_seeded_bugs_are_caught_where_they_should_be(bug, check):
    mutant = CATALOGUE[bug]
    skipped = [name for name in COMPONENT_CHECKS if name != check]
    with pytest.raises(AssertionError, match=check):
        check_component(mutant.component, **mutant.arguments, skip=skipped)


# --- what is refused ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_factors": 6}, r"n_factors=6, but n_features = 6; expected fewer"),
        ({"n_factors": -1}, r"n_factors is -1; expected a whole number of at least 0"),
        ({"n_factors": 1.5}, r"n_factors is 1.5"),
        ({"noise": "comon"}, r"Did you mean 'common'"),
        ({"noise_floor": 0.0}, r"noise_floor is 0.0; expected a number above 0"),
        ({"means_init": np.zeros((1, 6))}, r"means_init has shape \(1, 6\); expected .*\(2, 6\)"),
        ({"noise_variances_init": np.zeros((2, 6))}, r"noise_variances_init\[0, 0\] is 0; expected positive"),
        ({"weights_init": [0.5, 0.6]}, r"weights_init must hold probabilities"),
        ({"dtype": "float16"}, r"dtype is 'float16'"),
    ],
)
def test_settings_outside_their_domain(arguments, message):
    with pytest.raises(InvalidParameterError, match=message):
        FactorAnalyzerMixture(2, **arguments).fit(rows())


def test_a_start_must_be_a_special_case(fitted):
    X, models = fitted
    with pytest.raises(InvalidParameterError, match=r"at most n_factors=1 and noise of 'own'"):
        FactorAnalyzerMixture(2, 1, init_params=models["own"]).fit(X)
    with pytest.raises(InvalidParameterError, match=r"noise of 'common' or 'common_isotropic'"):
        FactorAnalyzerMixture(2, 2, noise="common", init_params=models["own"]).fit(X)
    wider = FactorAnalyzerMixture(2, 3, init_params=models["isotropic"]).fit(X)
    assert wider.lower_bound_ > models["isotropic"].lower_bound_


def test_a_constant_column_is_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows(), columns=list("abcdef")).assign(d=7.5)
    with pytest.raises(InvalidDataError, match=r"column d is 7.5 in every row.*Leave out"):
        FactorAnalyzerMixture(2).fit(frame)
    sums = FactorAnalyzer(1).expected_statistics(np.array([[1.0, 2.0], [0.0, 0.0]]), np.ones((1, 2)))
    with pytest.raises(DegenerateComponentError, match="column 1 has no variance"):
        FactorAnalyzer(1).maximize(sums)


def test_a_blank_component_says_so():
    with pytest.raises(InvalidParameterError, match="no mean yet"):
        _ = FactorAnalyzer(1).mean
    with pytest.raises(InvalidParameterError, match="no loadings yet"):
        _ = FactorAnalyzer(1, OwnNoise(), np.zeros((1, 2))).loadings
    with pytest.raises(AttributeError, match="not fitted yet"):
        _ = FactorAnalyzerMixture().covariances_
    assert FactorAnalyzer(1).blank


def test_as_a_component_of_any_mixture():
    X = rows()
    mixture = mixtura.Mixture(FactorAnalyzer(2), 2, random_state=0).fit(X)
    other = FactorAnalyzerMixture(2, 2, random_state=0).fit(X)
    assert mixture.score(X) == pytest.approx(other.score(X), abs=1e-3)
    assert isinstance(mixture._model(), LatentMixture)


@parametrize_with_checks(
    [FactorAnalyzerMixture(), FactorAnalyzerMixture(n_factors=0, noise="common_isotropic")]
)
def test_estimator_check(estimator, check):
    with (
        warnings.catch_warnings()
    ):  # the checks fit rows without structure; what is warned of there is not the point
        warnings.simplefilter("ignore")
        check(estimator)


# --- missing cells --------------------------------------------------------------------------------------------------
def holes(X, share=0.2, seed=0):
    gaps = np.random.default_rng(seed).random(X.shape) < share
    gaps[3] = True  # a row of which nothing is known
    gaps[:40] &= np.arange(X.shape[1]) % 2 == 0
    return np.where(gaps, np.nan, X)


def dense_completion(x, mean, covariance):
    """A row with expected missing cells, and the covariance of these, by the textbook's dense formulas."""
    lost = np.isnan(x)
    filled, spread = np.where(lost, mean, x), np.zeros_like(covariance)
    seen = ~lost
    if lost.any():
        across = covariance[np.ix_(lost, seen)]
        solved = np.linalg.solve(covariance[np.ix_(seen, seen)], across.T).T if seen.any() else across
        filled[lost] += solved @ (x[seen] - mean[seen])
        spread[np.ix_(lost, lost)] = covariance[np.ix_(lost, lost)] - solved @ across.T
    return filled, spread


def test_missing_cells_are_integrated_over(fitted):
    X, models = fitted
    model, Z = models["own"], holes(X)
    found = model.score_samples(Z)
    for row in (0, 3, 50, 51):
        seen = ~np.isnan(Z[row])
        expected = [
            np.log(model.weights_[k])
            + (
                oracle.log_density(
                    Z[row, seen],
                    model.means_[k][seen],
                    model.loadings_[k][seen].tolist(),
                    model.noise_variances_[k][seen].tolist(),
                )
                if seen.any()
                else 0.0
            )
            for k in range(2)
        ]
        assert found[row] == pytest.approx(np.logaddexp(*expected), rel=1e-10)
    assert np.isfinite(model.transform(Z)).all()


def test_sums_of_incomplete_rows_are_completed_ones(fitted):
    X, models = fitted
    model, Z = models["own"], holes(X)[:60]
    origin = model.weights_ @ model.means_
    components = model._model().components
    resp = np.random.default_rng(0).dirichlet([1.0, 1.0], len(Z)).T
    stats = components.expected_statistics(
        components.encode((Z - origin).T, Encoding(6, missing=True)), resp
    ).about(None)
    for k in range(2):
        first, second = np.zeros(6), np.zeros((6, 6))
        for x, r in zip(Z - origin, resp[k], strict=True):
            filled, spread = dense_completion(x, components.mean[k], components.covariance[k])
            first += r * filled
            second += r * (np.outer(filled, filled) + spread)
        np.testing.assert_allclose(stats["sum_x"][k], first, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(stats["sum_xx"][k], second[np.triu_indices(6)], rtol=1e-9, atol=1e-8)
    filled = np.array(components.expected_cells((Z - origin).T, resp, Encoding(6)))
    completions = [
        [dense_completion(x, components.mean[k], components.covariance[k])[0] for x in Z - origin]
        for k in range(2)
    ]
    gaps = np.isnan(Z)
    np.testing.assert_allclose(
        filled.T[gaps], np.einsum("kb,kbd->bd", resp, np.array(completions))[gaps], rtol=1e-9
    )


def test_no_step_lowers_the_likelihood_of_the_observed_cells():
    Z = holes(rows(60, 5), 0.1)
    start = {"means_init": np.array([[0.0] * 5, [2.0] * 5]), "max_iter": 60, "tol": 1e-7}
    model = quiet(FactorAnalyzerMixture(2, 1, **start), Z)
    assert np.diff(model.lower_bounds_).min() > -1e-10
    assert model.lower_bounds_[-1] > model.lower_bounds_[0]


def test_complete_rows_are_as_without_missing_cells():
    X = rows(100)
    component = FactorAnalyzer(1).maximize(FactorAnalyzer(1).expected_statistics(X.T, np.ones((1, 100))))
    assert component.encode(X.T, Encoding(6, missing=True)) is not None
    np.testing.assert_array_equal(
        component.encode(X.T, Encoding(6, missing=True)), component.encode(X.T, Encoding(6))
    )


def test_columns_given_others_are_factor_analysers_too(fitted):
    _, models = fitted
    components = models["own"]._model().components
    columns, values = np.array([4, 0, 3]), np.array([0.5, -1.0, 2.0])
    rest = np.array([1, 2, 5])
    given = components.conditioned(columns, values)
    for k in range(2):
        mean, covariance = components.mean[k], components.covariance[k]
        x = np.full(6, np.nan)
        x[columns] = values
        filled, spread = dense_completion(x, mean, covariance)
        np.testing.assert_allclose(given.mean[k], filled[rest], rtol=1e-9)
        np.testing.assert_allclose(given.covariance[k], spread[np.ix_(rest, rest)], rtol=1e-9)
    part = components.restricted(np.array([5, 1]))
    np.testing.assert_allclose(part.covariance, components.covariance[:, [5, 1]][:, :, [5, 1]], rtol=1e-12)


def test_a_column_without_values_is_named():
    Z = rows(50)
    Z[:, 2] = np.nan
    with pytest.raises(InvalidDataError, match=r"column 2 is missing \(NaN\) in every row"):
        FactorAnalyzerMixture(2).fit(Z)


def test_adding_to_variances_is_inexact():
    X = rows(100)
    sums = FactorAnalyzer(1).expected_statistics((X - X.mean(axis=0)).T, np.ones((1, 100)))
    added = FactorAnalyzer(1, regularization=0.5).maximize(sums)
    assert not added.exact
    plain = FactorAnalyzer(1).maximize(sums)
    assert plain.exact
    np.testing.assert_allclose(added.noise_variances, plain.noise_variances + 0.5, rtol=1e-12)
    mixture = FactorAnalyzerMixture(2, 1, reg_covar=0.1, random_state=0).fit(X)
    assert mixture.noise_variances_.min() > 0.1
    assert not mixture.starts_[mixture.best_start_].suspects
