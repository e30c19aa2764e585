"""The tree of Dirichlet-multinomials, whose sums become histograms: against direct maximisation on the rows."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

import naive
from mixtura import exceptions, load
from mixtura.components.dirichlet_multinomial import DirichletMultinomial
from mixtura.models.dirichlet_multinomial_mixture import DirichletMultinomialMixture
from mixtura.selection.binned import MOST_NODES, BinnedDirichletMultinomial
from mixtura.selection.tree import SegmentTree


def customers(seed=0, n=90, *, fractional=False):
    rng = np.random.default_rng(seed)
    alpha = np.array([[8.0, 2.0, 1.0, 1.0], [5.0, 4.0, 1.0, 1.0], [1.0, 1.0, 9.0, 3.0]])
    kind = rng.integers(0, 3, n)
    shares = np.array([rng.dirichlet(alpha[k]) for k in kind])
    totals = rng.integers(5, 40, n)
    if fractional:
        return shares * totals[:, None]
    return np.array([rng.multinomial(t, s) for t, s in zip(totals, shares, strict=True)]).astype(float)


def fitted(X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        return DirichletMultinomialMixture(3, random_state=0, init_params="kmeans").fit(X)


def best_bound(X, weight):
    """Largest weighted log-likelihood of one Dirichlet-multinomial, by a general optimiser with the gradient."""
    totals = X.sum(axis=1)

    def value(u):
        alpha = np.exp(u)
        a = alpha.sum()
        terms = gammaln(X + alpha) - gammaln(alpha)
        log_p = (
            terms.sum(axis=1)
            + gammaln(a)
            - gammaln(totals + a)
            + gammaln(totals + 1)
            - gammaln(X + 1).sum(axis=1)
        )
        slope = digamma(X + alpha) - digamma(alpha) + (digamma(a) - digamma(totals + a))[:, None]
        return -(weight @ log_p), -(weight @ slope) * alpha

    return -minimize(value, np.zeros(X.shape[1]), jac=True, options={"gtol": 1e-7}).fun


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_losses_are_those_of_direct_maximisation(form):
    X = customers()
    mixture = fitted(X)
    tree = SegmentTree(mixture).fit(form(X))
    resp = mixture.predict_proba(X)

    def bound(resp):
        shares = np.array(resp)
        components = sum(best_bound(X, shares[:, k]) for k in range(shares.shape[1]))
        return components + naive.weights_bound(resp)

    merges = naive.segment_tree(resp.tolist(), lambda before, after, *_: bound(before) - bound(after))
    # Both maximise until a step gains some 1e-6 nats.
    np.testing.assert_allclose(tree.losses_, [loss for _, loss in merges], rtol=1e-5, atol=1e-4)
    assert tree.bounds_[-1] == pytest.approx(bound(resp.tolist()), abs=1e-3)
    assert tree.bounds_[-1] == pytest.approx(mixture.score(X) * len(X), abs=0.05)


def test_fractions_on_a_grid_are_close():
    X = customers(n=300, fractional=True)
    assert len(np.unique(X)) > MOST_NODES
    mixture = fitted(X)
    tree = SegmentTree(mixture).fit(X)
    resp = mixture.predict_proba(X)
    both = tree.children_[0]
    apart = sum(best_bound(X, resp[:, k]) for k in both)
    together = best_bound(X, resp[:, both].sum(axis=1))
    rest = naive.weights_bound(resp.tolist()) - naive.weights_bound(
        [naive.join(row, *both) for row in resp.tolist()]
    )
    # A value between two nodes, some 7 % apart, is divided between them: wrong by some thousandths of a nat a row.
    assert tree.losses_[0] == pytest.approx(apart - together + rest, abs=0.003 * len(X))


def test_weights_are_repeated_rows_and_empty_rows_say_nothing():
    X = customers()
    mixture = fitted(X)
    times = np.random.default_rng(1).integers(0, 3, len(X))
    weighted = SegmentTree(mixture).fit(X, sample_weight=times)
    repeated = SegmentTree(mixture).fit(np.repeat(X, times, axis=0))
    np.testing.assert_allclose(weighted.bounds_, repeated.bounds_, rtol=1e-9)
    more = SegmentTree(mixture).fit(np.vstack([X, np.zeros((1, 4))]))
    np.testing.assert_array_equal(more.children_, SegmentTree(mixture).fit(X).children_)


def test_merged_mixtures_predict_and_save(tmp_path):
    X = customers()
    tree = SegmentTree(fitted(X)).fit(X)
    merged = load(tree.cut(2).estimator.save(tmp_path / "two.mixtura"))
    assert merged.alpha_.shape == (2, 4)
    assert merged.predict(X).max() == 1
    # Parameters that maximise the bound: the likelihood is not below it.
    assert merged.score(X) * len(X) >= tree.bounds_[1] - 1e-3


def test_the_m_step_is_where_the_score_is_zero():
    X = customers(n=400)
    binned = BinnedDirichletMultinomial.of(DirichletMultinomial(np.full((1, 4), 3.0)), X)
    block = binned.encode(np.ascontiguousarray(X.T), None)
    stats = binned.expected_statistics(block, np.ones((1, 400)))
    best = binned.maximize(stats)
    at = DirichletMultinomial(best.alpha).expected_statistics(block, np.ones((1, 400)))
    np.testing.assert_allclose(at["score"][0], at["total_score"][0], rtol=1e-4)
    assert best.expected_log_prob(stats) > binned.expected_log_prob(stats)


def test_divergence_is_refused_with_a_reason():
    X = customers()
    with pytest.raises(exceptions.InvalidParameterError, match=r"no closed form.*criterion='loss'"):
        SegmentTree(fitted(X), "kl").fit(X)
