"""Skew-normal components of rows that lack cells: marginals, sums by quadrature, and a likelihood that does not fall."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from mixtura import Mixture
from mixtura.components import EEV, Diagonal, Full, SkewNormal, Spherical, Tied
from mixtura.protocols import Encoding

LOCATION = np.array([[0.0, 1.0, -1.0], [2.0, 0.0, 0.5]])
SKEWNESS = np.array([[1.5, -0.5, 0.0], [-1.0, 2.0, 0.7]])
SCALE = np.array(
    [
        [[1.0, 0.4, 0.1], [0.4, 2.0, -0.3], [0.1, -0.3, 0.7]],
        [[0.6, 0.0, 0.2], [0.0, 1.1, 0.3], [0.2, 0.3, 1.5]],
    ]
)


def rows(seed=0, n=40, share=0.3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, n)) * 1.5
    x[rng.random(x.shape) < share] = np.nan
    x[:, 0] = np.nan
    x[:, 1] = [0.3, -0.2, 1.0]
    return x


def by_quadrature(x, k):
    """Log density of the observed cells, and expected t, t^2, x, t x, x x' given them."""
    seen, lost = np.flatnonzero(~np.isnan(x)), np.flatnonzero(np.isnan(x))
    sigma = SCALE[k]
    slope = sigma[np.ix_(lost, seen)] @ np.linalg.inv(sigma[np.ix_(seen, seen)])
    left = sigma[np.ix_(lost, lost)] - slope @ sigma[np.ix_(seen, lost)]

    def density(t):
        law = 2.0 * norm.pdf(t)
        if seen.size:
            mean = LOCATION[k, seen] + SKEWNESS[k, seen] * t
            law *= multivariate_normal(mean, sigma[np.ix_(seen, seen)]).pdf(x[seen])
        return law

    def row(t):
        full = x.copy()
        moved = LOCATION[k] + SKEWNESS[k] * t
        full[lost] = moved[lost] + slope @ (x[seen] - moved[seen])
        return full

    def mean_of(value):
        return quad(lambda t: density(t) * value(t), 0.0, 12.0, epsabs=1e-13, limit=200)[0] / total

    total = quad(density, 0.0, 12.0, epsabs=1e-14, limit=200)[0]
    second = np.array(
        [[mean_of(lambda t, i=i, j=j: row(t)[i] * row(t)[j]) for j in range(3)] for i in range(3)]
    )
    second[np.ix_(lost, lost)] += left
    return (
        np.log(total),
        mean_of(lambda t: t),
        mean_of(lambda t: t * t),
        np.array([mean_of(lambda t, i=i: row(t)[i]) for i in range(3)]),
        np.array([mean_of(lambda t, i=i: t * row(t)[i]) for i in range(3)]),
        second,
    )


def test_scores_and_sums_are_those_of_quadrature():
    x = rows(n=8)
    skew = SkewNormal(LOCATION, SKEWNESS, SCALE)
    block = skew.encode(x, Encoding(3, missing=True))
    resp = np.random.default_rng(1).dirichlet([1.0, 1.0], size=8).T
    stats, scores = skew.expected_statistics(block, resp), skew.log_prob(block)
    for k in range(2):
        found = [by_quadrature(x[:, i], k) for i in range(8)]
        np.testing.assert_allclose(scores[k], [one[0] for one in found], rtol=1e-8, atol=1e-9)
        sums = [sum(r * one[place] for r, one in zip(resp[k], found, strict=True)) for place in range(1, 6)]
        for name, expected in zip(("sum_t", "sum_tt", "sum_x", "sum_tx"), sums[:4], strict=True):
            np.testing.assert_allclose(stats[name][k], expected, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(stats["sum_xx"][k], sums[4][np.triu_indices(3)], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("model", [Full(), Tied(), Diagonal(), Spherical(), EEV()])
def test_nothing_changes_where_nothing_is_missing(model):
    x = np.random.default_rng(2).normal(size=(3, 50))
    scale = model.from_matrices(np.stack([np.eye(3)] * 2))
    skew = SkewNormal(LOCATION, SKEWNESS, scale, model)
    resp = np.random.default_rng(3).dirichlet([1.0, 1.0], size=50).T
    for one in (skew, SkewNormal(model=model)):
        plain, gaps = (
            one.expected_statistics(one.encode(x, Encoding(3, missing=flag)), resp) for flag in (False, True)
        )
        assert plain.sums.keys() == gaps.sums.keys()
        for name, value in plain.sums.items():
            np.testing.assert_allclose(gaps[name], value, rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("model", [Full(), Tied(), Diagonal(), Spherical()])
def test_the_likelihood_does_not_fall_and_the_fit_finds_the_clusters(model):
    rng = np.random.default_rng(4)
    label = np.repeat([0, 1], 250)
    x = (
        rng.normal(size=(500, 2))
        + np.abs(rng.normal(size=(500, 1))) * np.array([[2.0, 1.0]])
        + 8.0 * label[:, None]
    )
    x[rng.random(x.shape) < 0.2] = np.nan
    mixture = Mixture(SkewNormal(model=model), 2, random_state=0, max_iter=300, tol=1e-4).fit(x)
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-9)
    found = mixture.predict(x)[np.isfinite(x).any(axis=1)]
    known = label[np.isfinite(x).any(axis=1)]
    assert max(np.mean(found == known), np.mean(found != known)) > 0.97
