"""scikit-learn's GaussianMixture: equal start, equal steps, equal numbers; and what is right where it is not."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as Theirs

from mixtura import GaussianMixture as Ours

KINDS = ("full", "tied", "diag", "spherical")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(17)
    centres = np.array([[0.0, 0, 0], [3, 1, 0], [-2, 4, 1]])
    return centres[rng.integers(0, 3, 500)] + rng.normal(size=(500, 3)) * [1.0, 0.5, 2.0]


def start(rows, kind, k=3):
    """One start for both, with precisions of every type."""
    precision = np.array([[1.0, 0.2, 0.0], [0.2, 2.0, 0.1], [0.0, 0.1, 0.5]])
    precisions = {
        "full": np.stack([precision] * k),
        "tied": precision,
        "diag": np.tile(precision.diagonal(), (k, 1)),
        "spherical": np.array([1.0, 0.5, 2.0]),
    }[kind]
    return {
        "weights_init": np.array([0.5, 0.3, 0.2]),
        "means_init": rows[:k],
        "precisions_init": precisions,
        "covariance_type": kind,
    }


def fit(cls, rows, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return cls(3, max_iter=25, tol=0.0, **options).fit(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_start_and_equal_steps_give_equal_parameters(rows, kind):
    options = start(rows, kind)
    ours, theirs = fit(Ours, rows, **options), fit(Theirs, rows, **options)
    assert ours.n_iter_ == theirs.n_iter_ == 25
    # Two orders of additions over 500 rows, through 25 steps.
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), rtol=1e-8, atol=1e-8, err_msg=name
        )


@pytest.mark.parametrize("kind", KINDS)
def test_equal_parameters_give_equal_scores(rows, kind):
    theirs = fit(Theirs, rows, **start(rows, kind))
    ours = Ours(3, covariance_type=kind)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        setattr(ours, name, getattr(theirs, name))
    ours.n_features_in_ = theirs.n_features_in_
    far = np.concatenate([rows, 50.0 * rows[:20]])
    np.testing.assert_allclose(ours.score_samples(far), theirs.score_samples(far), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(far), theirs.predict_proba(far), rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(ours.predict(far), theirs.predict(far))
    assert ours.score(rows) == pytest.approx(theirs.score(rows), rel=1e-12)
    assert ours.bic(rows) == pytest.approx(theirs.bic(rows), rel=1e-12)
    assert ours.aic(rows) == pytest.approx(theirs.aic(rows), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_returned_is_that_of_the_parameters_returned(rows, kind):
    """scikit-learn's belongs to the parameters before the last step."""
    options = start(rows, kind) | {"reg_covar": 0.0}
    ours, theirs = fit(Ours, rows, **options), fit(Theirs, rows, **options)
    assert ours.lower_bound_ == pytest.approx(ours.score(rows), rel=1e-12)
    assert ours.lower_bounds_[-1] == ours.lower_bound_
    assert theirs.lower_bound_ < theirs.score(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_names_are_theirs(rows, kind):
    ours, theirs = (
        Ours(2, covariance_type=kind, random_state=0).fit(rows),
        Theirs(2, covariance_type=kind).fit(rows),
    )
    for name in vars(theirs):
        if not name.endswith("_") or name.startswith("_"):
            continue
        assert hasattr(ours, name), f"{name} is an attribute of theirs only"
        assert np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name)) or name == "lower_bounds_"
    assert set(Theirs().get_params()) <= set(Ours().get_params())
    x, labels = ours.sample(7)
    assert x.shape == (7, 3)
    assert labels.shape == (7,)
    np.testing.assert_array_equal(ours.fit_predict(rows), ours.predict(rows))


def test_positional_arguments_are_theirs(rows):
    assert Ours(2).n_components == Theirs(2).n_components
    with pytest.raises(TypeError):
        Ours(2, "full")
    with pytest.raises(TypeError):
        Theirs(2, "full")


@pytest.mark.parametrize("rule", ["kmeans", "k-means++", "random", "random_from_data"])
def test_their_defaults_reach_no_more_than_ours(rows, rule):
    ours = Ours(3, random_state=0).fit(rows)
    theirs = Theirs(3, init_params=rule, n_init=3, random_state=0, max_iter=1000).fit(rows)
    assert ours.score(rows) >= theirs.score(rows) - 1e-4  # our tolerance, ten times


def test_float32_far_from_the_origin():
    """The answer is the regularisation, 0.1; scikit-learn 1.9 gives 112.1."""
    x = np.array([[9999.0], [9999.0], [0.0], [0.0]], dtype=np.float32)
    ours = Ours(2, covariance_type="spherical", reg_covar=0.1, random_state=0).fit(x)
    np.testing.assert_allclose(ours.covariances_, 0.1, rtol=1e-6)
    assert ours.covariances_.dtype == np.float32
    np.testing.assert_allclose(np.sort(ours.means_.ravel()), [0.0, 9999.0])


def test_samples_do_not_repeat_themselves(rows):
    ours = Ours(2, random_state=0).fit(rows)
    assert not np.array_equal(ours.sample(5)[0], ours.sample(5)[0])
    again = Ours(2, random_state=0).fit(rows)
    np.testing.assert_array_equal(again.sample(5)[0], Ours(2, random_state=0).fit(rows).sample(5)[0])


# --- the same class of error for the same bad input ---------------------------------------------------------------
# Missing cells (NaN) are left out by ours, where scikit-learn refuses them.
BAD_TABLES = {
    "infinite": np.array([[0.0, 1], [np.inf, 1], [2, 2], [3, 1]]),
    "one-dimensional": np.arange(5.0),
    "three-dimensional": np.zeros((4, 2, 2)),
    "no rows": np.empty((0, 2)),
    "no columns": np.empty((4, 0)),
    "text": np.array([["a", "b"], ["c", "d"]]),
    "complex": np.array([[1 + 1j, 0], [0, 1], [1, 1]]),
    "fewer rows than components": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "one row": np.array([[0.0, 1.0]]),
}
BAD_SETTINGS = {
    "covariance_type": "spherial",
    "n_components": 0,
    "tol": -1.0,
    "reg_covar": -1.0,
    "max_iter": 0.5,
    "n_init": 0,
    "init_params": "kmean",
    "weights_init": [0.5, 0.6, 0.2],
    "means_init": [[0.0, 0.0]],
    "precisions_init": -np.stack([np.eye(3)] * 3),
}


def error_of(action):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is what is compared
        action()
    return caught.value


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_the_same_class_of_error(name):
    table = BAD_TABLES[name]
    ours, theirs = error_of(lambda: Ours(3).fit(table)), error_of(lambda: Theirs(3).fit(table))
    assert isinstance(ours, ValueError), repr(ours)
    assert isinstance(theirs, ValueError)


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_a_bad_setting_is_the_same_class_of_error_and_names_it(rows, name):
    setting = {name: BAD_SETTINGS[name]}
    ours, theirs = (
        error_of(lambda cls=cls: cls(3).set_params(**setting).fit(rows)) for cls in (Ours, Theirs)
    )
    assert isinstance(ours, ValueError)
    assert isinstance(theirs, ValueError)
    assert name in str(ours)


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "score_samples", "score", "bic", "aic", "sample"]
)
def test_before_the_fit(rows, method):
    argument = 3 if method == "sample" else rows
    for cls in (Ours, Theirs):
        assert isinstance(error_of(lambda cls=cls: getattr(cls(2), method)(argument)), NotFittedError)


def test_another_number_of_columns(rows):
    for cls in (Ours, Theirs):
        fitted = cls(2, random_state=0).fit(rows)
        assert isinstance(error_of(lambda fitted=fitted: fitted.predict(rows[:, :2])), ValueError)
