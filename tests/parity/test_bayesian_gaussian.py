"""scikit-learn's BayesianGaussianMixture: its fixed points are ours where its steps are exact, and lie below ours where they are not."""

import copy
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import BayesianGaussianMixture as Theirs

from mixtura import BayesianGaussianMixture as Ours
from mixtura.protocols import Batch

KINDS = ("full", "tied", "diag", "spherical")
LAWS = ("dirichlet_process", "dirichlet_distribution")
POSTERIOR = (
    "weights_",
    "weight_concentration_",
    "mean_precision_",
    "means_",
    "degrees_of_freedom_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
)
PRIOR = (
    "weight_concentration_prior_",
    "mean_precision_prior_",
    "mean_prior_",
    "degrees_of_freedom_prior_",
    "covariance_prior_",
)


def clusters(rng, apart):
    return np.concatenate(
        [
            rng.normal(0.0, 1.0, (150, 3)),
            rng.normal([apart, 2.0, 0.0], [1.0, 2.0, 0.5], (200, 3)),
            rng.normal([0.0, 1.5 * apart, 1.0], 1.0, (100, 3)),
        ]
    )


@pytest.fixture(scope="module")
def rows():
    return clusters(np.random.default_rng(3), 6.0)


@pytest.fixture(scope="module")
def close():
    """Clusters that overlap, so that responsibilities matter."""
    return clusters(np.random.default_rng(3), 2.0)


def settled(rows, kind, law):
    """Their solution, after so many steps that nothing changes any more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Theirs(
            n_components=3,
            covariance_type=kind,
            weight_concentration_prior_type=law,
            random_state=0,
            max_iter=400,
            tol=0.0,
            reg_covar=0.0,
        ).fit(rows)


def transplanted(theirs, **settings):
    """Our estimator with their posterior."""
    kept = {
        name: getattr(theirs, name)
        for name in ("n_components", "covariance_type", "weight_concentration_prior_type")
    }
    ours = Ours(**kept, **settings)
    for name in (*POSTERIOR, *PRIOR, "n_features_in_"):
        setattr(ours, name, getattr(theirs, name))
    ours.discount_prior_ = 0.0
    return ours


def bound(ours, rows):
    """The lower bound of an estimator's posterior, a total over the rows."""
    model = ours._model()
    stats = model.summarize(Batch((rows - model.encoding.origin).T.copy(), np.ones(len(rows))), {})
    return stats.log_evidence - model.penalty()


def stepped(theirs, rows, n_steps):
    """Our fit from their solution: one step to take it over, then as many as said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return transplanted(theirs, warm_start=True, moves=False, max_iter=n_steps, tol=1e-12).fit(rows)


@pytest.mark.parametrize("law", LAWS)
def test_their_solution_is_a_fixed_point_of_our_step(rows, law):
    theirs = settled(rows, "full", law)
    ours = transplanted(theirs)
    # The same formulas in another order of additions, over 450 rows.
    np.testing.assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), atol=1e-12)
    np.testing.assert_allclose(ours.score_samples(rows, plug_in=True), theirs.score_samples(rows), rtol=1e-11)
    after = stepped(theirs, rows, 0)
    for name in (*POSTERIOR, *PRIOR):
        np.testing.assert_allclose(
            np.asarray(getattr(after, name)),
            np.asarray(getattr(theirs, name)),
            rtol=1e-8,
            atol=1e-8,
            err_msg=name,
        )
    np.testing.assert_allclose(after.predict_proba(rows), theirs.predict_proba(rows), atol=1e-8)
    assert after.lower_bound_ * len(rows) == pytest.approx(bound(ours, rows), rel=1e-13)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", ["tied", "diag", "spherical"])
def test_where_their_step_is_not_exact_ours_raises_the_bound(close, kind, law):
    theirs = settled(close, kind, law)
    at_theirs = bound(transplanted(theirs), close)
    ours = stepped(theirs, close, 500)
    gain = ours.lower_bound_ * len(close) - at_theirs
    # Measured: 2.67 nats for "tied", .007 to .008 for "diag", .06 to .07 for "spherical"; rounding is 1e-10.
    assert gain > {"tied": 2.0, "diag": 0.003, "spherical": 0.03}[kind], gain


@pytest.mark.parametrize("kind", ["tied", "diag", "spherical"])
def test_what_differs_is_what_the_notes_say(rows, kind):
    theirs = settled(rows, kind, "dirichlet_distribution")
    ours = transplanted(theirs)
    n_rows, d = rows.shape
    if kind == "tied":
        ours = stepped(theirs, rows, 500)
        assert theirs.degrees_of_freedom_ == pytest.approx(d + n_rows / 3)
        assert ours.degrees_of_freedom_ == pytest.approx(d + n_rows)
        return
    # Their expected log determinant is that of a full Wishart matrix: a constant of each component, nothing else, differs.
    ours_alone, theirs_alone = (
        np.log(one.predict_proba(rows[:50]) + 1e-300)[:, :2] @ [1.0, -1.0] for one in (ours, theirs)
    )
    sure = np.abs(theirs_alone) < 200.0
    assert np.ptp((ours_alone - theirs_alone)[sure]) < 1e-6
    assert np.abs((ours_alone - theirs_alone)[sure]).max() > 1e-4


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_names_and_priors_are_theirs(rows, kind, law):
    options = {"covariance_type": kind, "weight_concentration_prior_type": law, "random_state": 0}
    ours, theirs = Ours(4, **options).fit(rows), Theirs(n_components=4, max_iter=500, **options).fit(rows)
    for name in [name for name in vars(theirs) if name.endswith("_") and not name.startswith("_")]:
        assert hasattr(ours, name), f"{name} is an attribute of theirs only"
        same = np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name))
        # Their bound of "tied" is an array of one number.
        assert same or name in ("lower_bound_", "lower_bounds_"), name
    for name in PRIOR:
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, err_msg=name)
    assert set(theirs.get_params()) <= set(ours.get_params())
    assert isinstance(ours.lower_bound_, float)
    np.testing.assert_array_equal(ours.fit_predict(rows), ours.predict(rows))


def test_the_process_normalises_its_weights_as_theirs(rows):
    a, b = Ours(4, random_state=0).fit(rows).weight_concentration_
    fitted = Ours(4, random_state=0).fit(rows)
    share = a / (a + b)
    expected = share * np.concatenate([[1.0], np.cumprod(1.0 - share[:-1])])
    np.testing.assert_allclose(fitted.weights_, expected / expected.sum(), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_given_priors_are_kept(rows, kind):
    scatter = {
        "full": np.eye(3) + 0.1,
        "tied": np.eye(3) + 0.1,
        "diag": np.arange(1.0, 4.0),
        "spherical": 0.7,
    }
    options = {
        "weight_concentration_prior": 0.3,
        "mean_precision_prior": 0.2,
        "mean_prior": [0.5, 1.0, 1.5],
        "degrees_of_freedom_prior": 2.5,
        "covariance_prior": scatter[kind],
    }
    ours = Ours(2, covariance_type=kind, random_state=0, **options).fit(rows)
    theirs = Theirs(n_components=2, covariance_type=kind, random_state=0, **options).fit(rows)
    for name in PRIOR:
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(getattr(ours, name), options[name[:-1]], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_covariances_and_precisions_are_inverse(rows, kind):
    ours = Ours(4, covariance_type=kind, random_state=0).fit(rows)
    if kind in ("full", "tied"):
        product = ours.covariances_ @ ours.precisions_
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-10)
    else:
        np.testing.assert_allclose(ours.covariances_ * ours.precisions_, 1.0, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shift_of_the_rows_shifts_the_means(rows, kind):
    def fit(table):
        return Ours(3, covariance_type=kind, means_init=table[[0, 200, 400]], random_state=0).fit(table)

    here, there = fit(rows), fit(rows + 100.0)
    np.testing.assert_allclose(there.means_ - 100.0, here.means_, atol=1e-7)
    np.testing.assert_allclose(there.weights_, here.weights_, atol=1e-9)
    np.testing.assert_allclose(there.covariances_, here.covariances_, atol=1e-7)
    assert there.lower_bound_ == pytest.approx(here.lower_bound_, abs=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_one_step_at_a_time_the_bound_rises_until_it_converges(rows, law):
    ours = Ours(
        4,
        weight_concentration_prior_type=law,
        warm_start=True,
        max_iter=1,
        init_params="random",
        random_state=0,
    )
    before = -np.inf
    for _ in range(300):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            now = ours.fit(rows).lower_bound_
        assert now >= before - 1e-12  # rounding of a mean over 450 rows
        before = now
        if ours.converged_:
            break
    assert ours.converged_


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", KINDS)
def test_separate_clusters_are_found(rows, kind, law):
    truth = np.repeat([0, 1, 2], [150, 200, 100])
    ours = Ours(3, covariance_type=kind, weight_concentration_prior_type=law, random_state=0).fit(rows)
    assert adjusted_rand_score(truth, ours.predict(rows)) > 0.95
    np.testing.assert_array_equal(ours.predict(rows), ours.predict_proba(rows).argmax(axis=1))


def test_fit_predict_is_fit_and_predict(rows):
    one = Ours(4, n_init=2, init_params="kmeans", random_state=np.random.RandomState(1))
    other = copy.deepcopy(one)
    np.testing.assert_array_equal(one.fit(rows).predict(rows), other.fit_predict(rows))


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "score_samples", "score", "bic", "aic", "sample"]
)
def test_before_the_fit(rows, method):
    with pytest.raises(NotFittedError, match="BayesianGaussianMixture"):
        getattr(Ours(2), method)(3 if method == "sample" else rows)


def test_all_their_arguments_are_keywords_of_ours(rows):
    """A program runs unchanged with the import line changed."""
    settings = Theirs().get_params()
    assert settings.pop("tol") == 1e-3
    Ours(**settings, tol=1e-3).fit(rows)


def test_float32_rows_give_float32_parameters(rows):
    ours, theirs = (
        cls(n_components=2, random_state=0).fit(rows.astype(np.float32)) for cls in (Ours, Theirs)
    )
    assert ours.means_.dtype == ours.covariances_.dtype == np.float32
    assert theirs.means_.shape == ours.means_.shape
    assert ours.score_samples(rows.astype(np.float32)).dtype == np.float32
