"""Missing cells in BayesianGaussianMixture against loops over rows and SciPy's laws of what is there."""

import numpy as np
import pytest
from scipy.special import digamma, logsumexp
from scipy.stats import multivariate_normal, multivariate_t
from scipy.stats import t as student_t

from mixtura import BayesianGaussianMixture

KINDS = ("full", "tied", "diag", "spherical")


def gappy(seed=0, n=80):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 3)) + np.where(rng.random(n) < 0.4, 3.0, 0.0)[:, None] * [1.0, 0.5, -1.0]
    rows[rng.random(rows.shape) < 0.25] = np.nan
    rows[3], rows[4] = np.nan, 1.0
    return rows


@pytest.fixture(scope="module", params=KINDS)
def mixture(request):
    return BayesianGaussianMixture(
        3, covariance_type=request.param, weight_concentration_prior=0.5, random_state=0
    ).fit(gappy())


def matrices(mixture):
    shape = {"full": (3, 3, 3), "tied": (1, 3, 3), "diag": (3, 1, 3), "spherical": (3, 1, 1)}
    found = np.reshape(mixture.covariances_, shape[mixture.covariance_type])
    return np.broadcast_to(
        found if mixture.covariance_type in ("full", "tied") else found * np.eye(3), (3, 3, 3)
    )


def expected_log_weights(mixture):
    a, b = mixture.weight_concentration_
    kept, rest = digamma(a) - digamma(a + b), digamma(b) - digamma(a + b)
    return [kept[k] + sum(rest[:k]) for k in range(3)]


def expected_log_det(mixture, k):
    """E[log |precision|] less that of the expected precision, in loops over columns (Bishop 10.65)."""
    nu = float(np.broadcast_to(mixture.degrees_of_freedom_, 3)[k])
    if mixture.covariance_type in ("full", "tied"):
        return sum(digamma(0.5 * (nu - d)) for d in range(3)) + 3 * np.log(2.0 / nu)
    if mixture.covariance_type == "diag":
        return 3 * (digamma(0.5 * nu) - np.log(0.5 * nu))
    return 3 * (digamma(1.5 * nu) - np.log(1.5 * nu))


def test_responsibilities_and_plug_in_scores(mixture):
    rows, covariance = gappy(1), matrices(mixture)
    joint = np.empty((len(rows), 3))
    for i, row in enumerate(rows):
        seen = np.flatnonzero(~np.isnan(row))
        for k in range(3):
            # The number that is not of the normal law belongs to the component, however much of a row is seen.
            joint[i, k] = expected_log_weights(mixture)[k] + 0.5 * (
                expected_log_det(mixture, k) - 3 / mixture.mean_precision_[k]
            )
            if seen.size:
                joint[i, k] += multivariate_normal(
                    mixture.means_[k, seen], covariance[k][np.ix_(seen, seen)]
                ).logpdf(row[seen])
    evidence = logsumexp(joint, axis=1)
    np.testing.assert_allclose(mixture.score_samples(rows, plug_in=True), evidence, rtol=1e-9)
    np.testing.assert_allclose(mixture.predict_proba(rows), np.exp(joint - evidence[:, None]), atol=1e-10)


def test_exact_scores(mixture):
    rows, covariance, kind = gappy(2), matrices(mixture), mixture.covariance_type
    parts = np.zeros((len(rows), 3))
    for i, row in enumerate(rows):
        seen = np.flatnonzero(~np.isnan(row))
        for k in range(3 if seen.size else 0):
            nu = float(np.broadcast_to(mixture.degrees_of_freedom_, 3)[k])
            grown = 1.0 + 1.0 / mixture.mean_precision_[k]
            mean, scale = mixture.means_[k, seen], grown * covariance[k][np.ix_(seen, seen)]
            if kind == "diag":
                parts[i, k] = sum(
                    student_t(nu, mean[j], np.sqrt(scale[j, j])).logpdf(row[d]) for j, d in enumerate(seen)
                )
            else:
                # Marginals of a Student-t law keep its degrees of freedom, those of all columns.
                df = nu * 3 if kind == "spherical" else nu + 1 - 3
                parts[i, k] = multivariate_t(
                    mean, scale * (1 if kind == "spherical" else nu / df), df
                ).logpdf(row[seen])
    expected = logsumexp(parts + np.log(mixture.weights_), axis=1)
    np.testing.assert_allclose(mixture.score_samples(rows), expected, rtol=1e-9, atol=1e-12)


def test_the_bound_is_that_of_its_terms_and_rises(mixture):
    assert np.all(np.diff(mixture.lower_bounds_) >= -1e-13 * abs(mixture.lower_bound_))
    terms = mixture.lower_bound_terms_
    evidence = mixture.score_samples(gappy(), plug_in=True).sum()
    assert terms["log_evidence"] == pytest.approx(evidence, rel=1e-11)


def test_a_weight_is_so_many_rows_with_missing_cells(mixture):
    rows, weight = gappy(), np.random.default_rng(5).integers(0, 3, 80)
    settings = mixture.get_params() | {"means_init": np.eye(3), "tol": 1e-8}
    one = BayesianGaussianMixture(**settings).fit(rows, sample_weight=weight)
    other = BayesianGaussianMixture(**settings).fit(np.repeat(rows, weight, axis=0))
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, abs=1e-8)
    np.testing.assert_allclose(one.means_, other.means_, atol=1e-6)


def test_missing_cells_are_filled_with_conditional_means(mixture):
    rows = gappy(3)
    filled = mixture.impute(rows)
    known = ~np.isnan(rows)
    np.testing.assert_array_equal(filled[known], rows[known])
    assert np.isfinite(filled).all()
    # Parameters are at their posterior means, the weights too: nothing is known of this row.
    np.testing.assert_allclose(filled[3], mixture.weights_ @ mixture.means_, rtol=1e-9)
