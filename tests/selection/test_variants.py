"""Sweeps over numbers of factors: every one is fitted from the nested ones, and the rank is chosen."""

import numpy as np
import pytest

from mixtura import GaussianMixture, select
from mixtura.models import FactorAnalyzerMixture
from mixtura.selection.variants import Variant, variants


def rows(n=300, n_features=8):
    """Two groups of two factors each."""
    rng = np.random.default_rng(0)
    loadings = rng.normal(0.0, 1.5, (2, n_features, 2))
    kind = np.arange(n) % 2
    factors = rng.normal(size=(n, 2))
    return (
        4.0 * kind[:, None]
        + np.einsum("nq,ndq->nd", factors, loadings[kind])
        + rng.normal(size=(n, n_features))
    )


@pytest.fixture(scope="module")
def selection():
    estimator = FactorAnalyzerMixture(init_params="kmeans", random_state=0)
    return select(estimator, rows(), n_components=[1, 2, 3], n_factors=[3, 1, 2, 0])


def test_the_rank_is_chosen_with_the_number_of_components(selection):
    assert (selection.chosen["n_components"], selection.chosen["n_factors"]) == (2, 2)
    assert selection.best_estimator_.n_factors == 2
    assert selection.best_estimator_.loadings_.shape == (2, 8, 2)


def test_more_factors_never_fit_worse(selection):
    found = {(row["n_components"], row["n_factors"]): row for row in selection.table}
    for k in (1, 2, 3):
        for q in (1, 2, 3):
            # The start is the fit of one factor less, and no step lowers the likelihood.
            assert found[k, q]["log_likelihood"] >= found[k, q - 1]["log_likelihood"] - 1e-6
    assert found[2, 2]["n_parameters"] == 1 + 2 * 8 + 2 * (8 * 2 - 1) + 2 * 8
    started = {row["started"] for row in selection.table}
    assert started <= {"fresh", "nested", "nested 0 factors", "nested 1 factor", "nested 2 factors"}


def test_the_table_tells_of_the_factors(selection):
    assert "factors" in str(selection).splitlines()[0]
    assert selection.to_frame("pandas")["n_factors"].tolist() == [row["n_factors"] for row in selection.table]
    pytest.importorskip("matplotlib")
    labels = [text.get_text() for text in selection.plot().get_legend().get_texts()]
    assert {"q = 0", "q = 1", "q = 2", "q = 3"} <= set(labels)


def test_of_two_settings_both_must_be_nested():
    both = variants({"covariance_type": ["EEE", "full"], "n_factors": [1, 2]})
    small, wide, _, largest = both
    assert [one.inside(largest) for one in both] == [True, True, True, False]
    assert small.inside(wide)
    assert not wide.inside(small)
    assert largest.largest_inside(both) == both[1:3]
    assert variants({"covariance_type": None}) == [Variant(())]


def test_two_names_of_one_type_are_not_nested_in_each_other():
    one, other = variants({"covariance_type": ["diag", "VVI"]})
    assert one.within(other)
    assert not one.inside(other)


def test_a_mixture_without_factors_says_so():
    with pytest.raises(ValueError, match="n_factors"):
        select(GaussianMixture(), rows(), n_components=[1], n_factors=[1])
