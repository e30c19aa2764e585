"""Published fits of distributions that are not exponential families."""

import numpy as np
import pytest
from scipy import optimize, stats

from mixtura import Mixture, PoissonMixture
from mixtura.components import NegativeBinomial, Weibull, ZeroInflatedPoisson

# Millions of revolutions before 23 ball bearings failed (Lieblein and Zelen 1956).
BEARINGS = np.concatenate(
    [
        [17.88, 28.92, 33.0, 41.52, 42.12, 45.6, 48.48, 51.84, 51.96, 54.12, 55.56, 67.8],
        [68.64, 68.64, 68.88, 84.12, 93.12, 98.64, 105.12, 105.84, 127.92, 128.04, 173.4],
    ]
)
# Red mites on 150 apple leaves (Bliss and Fisher 1953).
MITES = np.repeat(np.arange(8), [70, 38, 17, 10, 9, 3, 2, 1])


def test_ball_bearings():
    one = Mixture(Weibull(), tol=1e-12).fit(BEARINGS).components_
    # Lawless (1982), Statistical Models and Methods for Lifetime Data, example 4.1.1: 2.102 and 81.88.
    assert one.shape.item() == pytest.approx(2.102, abs=1e-3)
    assert one.scale.item() == pytest.approx(81.88, abs=1e-2)


def test_mites_on_leaves():
    one = Mixture(NegativeBinomial(), tol=1e-12).fit(MITES).components_
    assert one.mean.item() == pytest.approx(172 / 150, rel=1e-12)
    assert one.size.item() == pytest.approx(1.02459, abs=5e-6)  # Bliss and Fisher (1953), page 182


def test_articles_of_biochemists(table):
    x = table("flexmix_bioChemists", ["art"])
    # Long (1997), Regression Models for Categorical and Limited Dependent Variables: the constant-only models.
    assert PoissonMixture(1).fit(x).score(x) * len(x) == pytest.approx(-1742.573, abs=1e-3)
    assert Mixture(NegativeBinomial(), tol=1e-10).fit(x).score(x) * len(x) == pytest.approx(
        -1609.937, abs=1e-3
    )
    # More zeros than Poisson: between the two. No table gives it, so SciPy's simplex stands for one.
    zip_ = Mixture(ZeroInflatedPoisson(), tol=1e-10).fit(x)

    def minus(theta):
        share, mean = 1.0 / (1.0 + np.exp(-theta[0])), np.exp(theta[1])
        return -np.log(share * (x == 0) + (1.0 - share) * stats.poisson.pmf(x, mean)).sum()

    best = -optimize.minimize(
        minus, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9}
    ).fun
    assert zip_.score(x) * len(x) == pytest.approx(best, abs=1e-6)
    assert zip_.n_parameters() == 2


def test_notices_of_death_are_two_groups_whether_or_not_they_may_vary_more(table):
    deaths, days = table("death_notices", ["deaths", "days"]).T
    x = np.repeat(deaths, days.astype(int))[:, None]
    poisson = PoissonMixture(2, random_state=0, tol=1e-10).fit(x)
    wider = Mixture(NegativeBinomial(), 2, random_state=0, tol=1e-10).fit(x)
    # The Poisson mixture is the limit of infinite sizes, and one negative binomial reaches what two Poissons do.
    assert wider.score(x) * len(x) >= poisson.score(x) * len(x) - 1e-3
    one = Mixture(NegativeBinomial(), tol=1e-12).fit(x)
    assert one.score(x) * len(x) > -2001.397  # one Poisson group
    assert one.components_.size.item() > 3.0
