"""The user classes: attributes that agree with each other, frames in and out, groups, sampling, sweeps."""

import numpy as np
import pytest
from scipy.special import logsumexp

from mixtura import GaussianMixture, GroupedMultinomialMixture, Mixture, MultinomialMixture, select
from mixtura.exceptions import ConvergenceWarning
from mixtura.families import Multinomial, Normal

ROWS = np.random.default_rng(0).normal(size=(120, 2)) + np.repeat([[0.0], [5.0], [10.0]], 40, axis=0)
SHARES = np.array([[0.7, 0.2, 0.05, 0.05], [0.05, 0.05, 0.3, 0.6]])


def households(n_groups=40, n_rows=12, s=2.0, seed=1):
    rng = np.random.default_rng(seed)
    own = rng.dirichlet(s * np.array([0.4, 0.6]), size=n_groups)
    groups = np.repeat(np.arange(n_groups), n_rows)
    label = (rng.random(len(groups)) > own[groups, 0]).astype(int)
    return np.array([rng.multinomial(8, SHARES[k]) for k in label], dtype=float), groups


X, GROUPS = households()


@pytest.fixture(scope="module")
def gaussian():
    return GaussianMixture(3, random_state=0).fit(ROWS)


@pytest.fixture(scope="module")
def grouped():
    return GroupedMultinomialMixture(2, random_state=0).fit(X, groups=GROUPS)


# --- attributes and methods agree ---------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_precisions_are_inverse_covariances(kind):
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(ROWS)
    if kind in ("diag", "spherical"):
        np.testing.assert_allclose(model.precisions_ * model.covariances_, 1.0, rtol=1e-10)
        np.testing.assert_allclose(model.precisions_cholesky_**2, model.precisions_, rtol=1e-10)
        return
    product = model.precisions_ @ model.covariances_
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(2), product.shape), atol=1e-10)
    factor = model.precisions_cholesky_
    np.testing.assert_allclose(factor @ np.swapaxes(factor, -1, -2), model.precisions_, rtol=1e-10)


def test_scores_criteria_and_labels_agree(gaussian):
    evidence, resp = gaussian.score_samples(ROWS), gaussian.predict_proba(ROWS)
    n, p = len(ROWS), gaussian.n_parameters()
    assert p == 2 + 3 * 2 + 3 * 3
    assert gaussian.score(ROWS) == pytest.approx(evidence.mean(), rel=1e-12)
    assert gaussian.lower_bound_ == pytest.approx(evidence.mean(), rel=1e-10)
    assert gaussian.aic(ROWS) == pytest.approx(-2 * evidence.sum() + 2 * p, rel=1e-12)
    assert gaussian.bic(ROWS) == pytest.approx(-2 * evidence.sum() + p * np.log(n), rel=1e-12)
    uncertainty = -2 * np.log(resp.max(axis=1)).sum()
    assert gaussian.icl(ROWS) == pytest.approx(gaussian.bic(ROWS) + uncertainty, rel=1e-10)
    assert gaussian.icl(ROWS) >= gaussian.bic(ROWS)
    np.testing.assert_allclose(resp.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(gaussian.predict(ROWS), resp.argmax(axis=1))


def test_weighted_criteria_count_weights(gaussian):
    weight = np.random.default_rng(3).integers(0, 3, len(ROWS))
    repeated = np.repeat(ROWS, weight, axis=0)
    for criterion in ("aic", "bic", "icl", "score"):
        value = getattr(gaussian, criterion)
        assert value(ROWS, sample_weight=weight) == pytest.approx(value(repeated), rel=1e-10)


def test_parameters_of_counts():
    model = MultinomialMixture(2, random_state=0).fit(X)
    assert model.n_parameters() == 2 * 3 + 1
    np.testing.assert_allclose(model.profiles_.sum(axis=1), 1.0)
    assert model.lower_bound_ <= model.score(X) or model.pseudo_count > 0


def test_samples_look_like_the_model(gaussian):
    x, label = GaussianMixture(3, random_state=1).fit(ROWS).sample(20_000)
    model = GaussianMixture(3, random_state=1).fit(ROWS)
    for k in range(3):
        own = x[label == k]
        # Five standard errors of a mean and of a variance.
        error = np.sqrt(np.diagonal(model.covariances_[k]) / len(own))
        assert np.all(np.abs(own.mean(axis=0) - model.means_[k]) < 5 * error)
        variance = np.diagonal(model.covariances_[k])
        assert np.all(np.abs(own.var(axis=0) - variance) < 5 * variance * np.sqrt(2 / len(own)))
    assert gaussian.sample(3)[0].shape == (3, 2)


def test_samples_of_counts_have_the_totals_of_the_rows_seen():
    model = MultinomialMixture(2, random_state=0).fit(X)
    drawn, _ = model.sample(500)
    assert set(drawn.sum(axis=1)) == {8.0}


def test_impossible_rows_score_minus_infinity_and_keep_the_weights():
    x = X.copy()
    x[:, 3] = 0.0
    model = MultinomialMixture(2, pseudo_count=0.0, random_state=0).fit(x)
    new = np.array([[0.0, 0.0, 0.0, 3.0]])
    assert np.isneginf(model.score_samples(new)[0])
    np.testing.assert_allclose(model.predict_proba(new)[0], model.weights_, rtol=1e-12)


def test_mixture_of_a_family_or_component_is_the_named_class():
    start = {"init_params": "kmeans", "random_state": 0}
    family = Mixture(Multinomial(), 2, **start).fit(X)
    named = MultinomialMixture(2, pseudo_count=0.0, **start).fit(X)
    assert family.lower_bound_ == pytest.approx(named.lower_bound_, abs=1e-4)
    normal = Mixture(Normal(), 3, random_state=0).fit(ROWS[:, 0])
    gaussian = GaussianMixture(3, reg_covar=0.0, random_state=0).fit(ROWS[:, :1])
    assert normal.lower_bound_ == pytest.approx(gaussian.lower_bound_, abs=1e-4)


@pytest.mark.parametrize("column", [list, tuple, np.asarray])
def test_mixture_takes_one_column_as_it_is(column):
    model = Mixture(Normal(), 3, random_state=0).fit(column(ROWS[:, 0]))
    assert model.score(column(ROWS[:, 0])) == pytest.approx(model.lower_bound_, rel=1e-9)


# --- frames -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_in_and_frames_out(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"width": ROWS[:, 0], "height": ROWS[:, 1]})
    model = GaussianMixture(3, random_state=0).fit(frame)
    assert model.feature_names_in_.tolist() == ["width", "height"]
    labelled = model.assign(frame)
    assert isinstance(labelled, frames.DataFrame)
    assert list(labelled.columns)[:3] == ["component", "probability", "log_likelihood"]
    np.testing.assert_array_equal(np.asarray(labelled["component"]), model.predict(frame))
    tidy = model.params_frame(library)
    assert isinstance(tidy, frames.DataFrame)
    assert set(np.asarray(tidy["feature"])) >= {"width", "height"}


def test_an_index_stays():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=["a", "b"], index=[f"row {n}" for n in range(len(ROWS))])
    assert GaussianMixture(2, random_state=0).fit(frame).assign(frame).index.tolist() == frame.index.tolist()


def test_summaries_name_the_model_and_escape_names(gaussian):
    pandas = pytest.importorskip("pandas")
    assert "GaussianMixture" in gaussian.summary()
    frame = pandas.DataFrame(ROWS, columns=["<script>alert(1)</script>", "b"])
    page = GaussianMixture(2, random_state=0).fit(frame)._repr_html_()
    assert "<script>" not in page
    assert "GaussianMixture" in GaussianMixture()._repr_html_()


# --- groups -------------------------------------------------------------------------------------------------------
def test_group_weights_are_shrunk_counts(grouped):
    """(s alpha_k + sum r_ik) / (s + n_g), at the fixed point of the local loop."""
    s, weights = grouped.concentration_, grouped.weights_
    counts = grouped.group_weights_ * (s + grouped.group_counts_)[:, None] - s * weights
    assert counts.min() > -1e-8
    np.testing.assert_allclose(counts.sum(axis=1), grouped.group_counts_, rtol=1e-9)
    plain = np.stack([counts[g] / counts[g].sum() for g in range(len(counts))])
    # Shrinking moves every group's weights towards the population's.
    assert np.all(np.abs(grouped.group_weights_ - weights) <= np.abs(plain - weights) + 1e-12)


def test_unknown_groups_have_the_weights_of_the_population(grouped):
    unknown = np.full(len(X), 10_000)
    np.testing.assert_allclose(grouped.score_samples(X, unknown), grouped.score_samples(X), rtol=1e-12)
    assert not np.allclose(grouped.score_samples(X, GROUPS), grouped.score_samples(X))


def test_scores_are_predictions_under_the_groups_own_weights(grouped):
    natural = np.log(grouped.profiles_)
    own = np.log(grouped.group_weights_[np.searchsorted(grouped.groups_, GROUPS)])
    joint = X @ natural.T + own
    found = grouped.predict_proba(X, GROUPS)
    np.testing.assert_allclose(found, np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), rtol=1e-9)
    np.testing.assert_array_equal(grouped.predict(X, GROUPS), found.argmax(axis=1))


def test_own_weights_predict_later_rows_better_than_the_populations(grouped):
    later, groups = households(
        seed=1, n_rows=30
    )  # the same households' laws are drawn first, from the same seed
    own = grouped.score(later, groups=groups)
    everybody = grouped.score(later)
    without = GroupedMultinomialMixture(2, concentration=0.0, random_state=0).fit(X, groups=GROUPS)
    assert own > everybody
    assert own > without.score(later, groups=groups)


def test_rows_may_come_in_any_order(grouped):
    order = np.random.default_rng(5).permutation(len(X))
    other = GroupedMultinomialMixture(2, random_state=0).fit(X[order], groups=GROUPS[order])
    first, second = (np.argsort(model.profiles_[:, 0]) for model in (grouped, other))
    # Both stop within the tolerance of one optimum.
    np.testing.assert_allclose(other.profiles_[second], grouped.profiles_[first], atol=0.01)


# --- sweeps -------------------------------------------------------------------------------------------------------
def test_a_sweep_marks_one_row_and_returns_its_model():
    selection = select(GaussianMixture(random_state=0), ROWS, n_components=[1, 2, 3, 4, 5])
    assert [row["n_components"] for row in selection.table] == [1, 2, 3, 4, 5]
    assert sum(row["chosen"] for row in selection.table) == 1
    assert selection.chosen["n_components"] == 3
    assert selection.best_estimator_.n_components_ == 3
    assert not selection.at_edge
    likelihoods = [row["log_likelihood"] for row in selection.table]
    assert np.all(
        np.diff(likelihoods) > -0.1
    )  # nested starts: a larger model is never worse but by the tolerance
    for row, model in zip(selection.table, selection.estimators, strict=True):
        assert row["bic"] == pytest.approx(model.bic(ROWS), rel=1e-10)


def test_a_sweep_over_covariances_and_held_out_rows():
    train, test = ROWS[::2], ROWS[1::2]
    selection = select(
        GaussianMixture(random_state=0),
        train,
        n_components=[1, 2, 3, 4, 5, 6],
        covariance_type=["full", "spherical"],
        criterion="held_out",
        validation=test,
    )
    assert len(selection.table) == 12
    best = max(row["held_out"] for row in selection.table)
    assert selection.chosen["held_out"] == best == pytest.approx(selection.best_estimator_.score(test))


def test_patience_ends_a_sweep():
    selection = select(GaussianMixture(random_state=0), ROWS, n_components=range(1, 30), patience=2)
    assert selection.table[-1]["n_components"] == 5


def test_the_estimator_given_to_a_sweep_is_not_changed():
    estimator = GaussianMixture(random_state=0)
    before = estimator.get_params()
    select(estimator, ROWS, n_components=[2, 3, 4])
    assert estimator.get_params() == before
    assert not hasattr(estimator, "means_")


def test_results_of_an_earlier_fit_do_not_stay(gaussian):
    model = GaussianMixture(3, random_state=0).fit(ROWS)
    model.set_params(n_components=2, max_iter=1, init_params="random")
    with pytest.warns(ConvergenceWarning):
        model.fit(ROWS)
    assert model.means_.shape == (2, 2)
    assert not model.converged_
    assert gaussian.converged_
