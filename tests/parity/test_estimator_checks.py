"""scikit-learn's own checks of an estimator, on ours."""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtura import GaussianMixture, GroupedMultinomialMixture, Mixture, MultinomialMixture
from mixtura.components import DirichletMultinomial, Gaussian
from mixtura.models import (
    BayesianGaussianMixture,
    BernoulliMixture,
    CategoricalMixture,
    DirichletMultinomialMixture,
    FactorAnalyzerMixture,
    PoissonMixture,
    StudentTMixture,
)

# The check reads classifier tags of everything that has predict_proba and takes sparse rows; a mixture is no classifier
# and has none, so the check itself ends in an AttributeError (scikit-learn 1.9, `_check_estimator_sparse_container`).
READS_CLASSIFIER_TAGS = dict.fromkeys(
    ("check_estimator_sparse_array", "check_estimator_sparse_matrix"),
    "scikit-learn reads classifier tags of a density estimator",
)


TAKE_SPARSE_ROWS = MultinomialMixture | DirichletMultinomialMixture | BernoulliMixture | PoissonMixture


# The check predicts rows of which some were left out of the fit; every number of them is a level of its own, and a level that
# the fit never saw is refused. tests/models/test_latent_class.py holds weights against repeated rows.
PREDICTS_UNKNOWN_LEVELS = {
    "check_sample_weight_equivalence_on_dense_data": "predicts levels that were left out of the fit"
}


def expected_failures(estimator):
    if isinstance(estimator, CategoricalMixture):
        return PREDICTS_UNKNOWN_LEVELS
    return READS_CLASSIFIER_TAGS if isinstance(estimator, TAKE_SPARSE_ROWS) else {}


@pytest.fixture(autouse=True)
def _warnings_as_for_any_estimator():
    """The checks fit rows without structure and few steps; what is warned of there is not the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@parametrize_with_checks(
    [
        GaussianMixture(),
        BayesianGaussianMixture(),
        StudentTMixture(),
        MultinomialMixture(),
        GroupedMultinomialMixture(),
        DirichletMultinomialMixture(),
        # The checks fit real numbers, which these refuse unless they are told what to make of them.
        BernoulliMixture(binarize=0.0),
        PoissonMixture(fractions=True),
        CategoricalMixture(),
        FactorAnalyzerMixture(),
    ],
    expected_failed_checks=expected_failures,
)
def test_estimator_check(estimator, check):
    check(estimator)


def test_a_mixture_of_anything_says_whether_cells_may_be_missing():
    assert Mixture(Gaussian()).__sklearn_tags__().input_tags.allow_nan
    assert not Mixture(DirichletMultinomial()).__sklearn_tags__().input_tags.allow_nan
