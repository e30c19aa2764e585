"""Missing cells in families of independent columns: left out of every sum, which integrates over them."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import logsumexp
from scipy.stats import bernoulli, binom, geom, norm, poisson

from mixtura import BernoulliMixture, Mixture, PoissonMixture
from mixtura.components import DirichletMultinomial
from mixtura.exceptions import InvalidDataError
from mixtura.families import Bernoulli, Binomial, Categorical, FamilyComponents, Geometric, Normal, Poisson
from mixtura.protocols import Encoding

RNG = np.random.default_rng(5)
PROBABILITIES = np.array([[0.2, 0.7, 0.5], [0.9, 0.1, 0.4]])
SHARES = np.array([[0.5, 0.3, 0.2, 0.6, 0.4], [0.1, 0.1, 0.8, 0.3, 0.7]])
HOURS = RNG.uniform(0.5, 4.0, 80)
TRIALS = RNG.integers(1, 9, 80)


def with_gaps(x, share=0.3):
    x = np.array(x, dtype=float)
    x[RNG.random(x.shape) < share] = np.nan
    x[:, 0] = np.nan  # a row without any value
    return x


CASES = {
    "Bernoulli": (
        Bernoulli(),
        PROBABILITIES,
        with_gaps(RNG.random((3, 80)) < 0.5),
        lambda x, k, d: bernoulli.logpmf(x, PROBABILITIES[k, d]),
    ),
    "Poisson": (
        Poisson(),
        10 * PROBABILITIES,
        with_gaps(RNG.poisson(4.0, (3, 80))),
        lambda x, k, d: poisson.logpmf(x, 10 * PROBABILITIES[k, d]),
    ),
    "Poisson with exposure": (
        Poisson(exposure=True),
        10 * PROBABILITIES[:, :2],
        np.vstack([with_gaps(RNG.poisson(4.0, (2, 80))), HOURS]),
        lambda x, k, d: poisson.logpmf(x, 10 * PROBABILITIES[k, d] * HOURS),
    ),
    "Geometric": (
        Geometric(),
        1.0 / PROBABILITIES - 1.0,
        with_gaps(RNG.geometric(0.4, (3, 80))),
        lambda x, k, d: geom.logpmf(x, PROBABILITIES[k, d]),
    ),
    "Binomial": (
        Binomial(6),
        6 * PROBABILITIES,
        with_gaps(RNG.binomial(6, 0.4, (3, 80))),
        lambda x, k, d: binom.logpmf(x, 6, PROBABILITIES[k, d]),
    ),
    "Binomial, trials of rows": (
        Binomial(),
        PROBABILITIES[:, :2],
        np.vstack([with_gaps(RNG.binomial(TRIALS, 0.4, (2, 80))), TRIALS]),
        lambda x, k, d: binom.logpmf(x, TRIALS, PROBABILITIES[k, d]),
    ),
    "Categorical": (
        Categorical([3, 2]),
        SHARES,
        with_gaps(np.vstack([RNG.integers(0, 3, 80), RNG.integers(0, 2, 80)])),
        lambda x, k, d: np.log(SHARES[k, 3 * d + np.nan_to_num(x).astype(int)]),
    ),
    "Normal": (
        Normal(),
        np.array([[1.0, 2.0], [0.0, 4.0]]),
        with_gaps(RNG.normal(size=(1, 80))),
        lambda x, k, _: norm.logpdf(x, [1.0, 0.0][k], [1.0, 2.0][k]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_scores_are_the_marginals(name):
    family, mean, x, law = CASES[name]
    components = FamilyComponents(family).from_mean(mean)
    block = components.encode(x, Encoding(len(x), missing=True))
    values = family.values(x)
    for k in range(2):
        cells = [np.where(np.isnan(row), 0.0, law(row, k, d)) for d, row in enumerate(values)]
        np.testing.assert_allclose(components.log_prob(block)[k], np.sum(cells, axis=0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_the_m_step_takes_observed_cells_only(name):
    family, mean, x, _ = CASES[name]
    components = FamilyComponents(family).from_mean(mean)
    encoding = Encoding(len(x), missing=True)
    resp = RNG.dirichlet([1.0, 1.0], size=80).T
    new = components.maximize(components.expected_statistics(components.encode(x, encoding), resp))
    values = family.values(x)
    owner = family.columns(len(values))
    for column in range(len(values)):  # each column by itself, from its complete rows
        seen = ~np.isnan(values[column])
        one = Categorical([family.levels[column]]) if name == "Categorical" else family
        given = x[len(values) :, seen]
        rows = np.vstack([values[column : column + 1, seen], given])
        if name == "Normal":
            rows = x[:, seen]
        alone = FamilyComponents(one)
        if name == "Binomial":
            alone = FamilyComponents(Binomial(6))
        alone = alone.maximize(
            alone.expected_statistics(alone.encode(rows, Encoding(len(rows))), resp[:, seen])
        )
        np.testing.assert_allclose(new.natural[:, owner == column], alone.natural, rtol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_nothing_changes_where_nothing_is_missing(name):
    family, mean, x, _ = CASES[name]
    x = x[:, ~np.isnan(x).any(axis=0)]
    components = FamilyComponents(family).from_mean(mean)
    plain, gaps = (components.encode(x, Encoding(len(x), missing=flag)) for flag in (False, True))
    np.testing.assert_allclose(components.log_prob(plain), components.log_prob(gaps), rtol=1e-12, atol=1e-12)
    resp = RNG.dirichlet([1.0, 1.0], size=x.shape[1]).T
    new = [components.maximize(components.expected_statistics(block, resp)) for block in (plain, gaps)]
    np.testing.assert_allclose(new[0].natural, new[1].natural, rtol=1e-10)


def test_a_mixture_learns_through_gaps():
    rng = np.random.default_rng(0)
    rates = np.array([[1.0, 9.0, 3.0], [8.0, 2.0, 3.0]])
    label = np.repeat([0, 1], [400, 800])
    x = rng.poisson(rates[label]).astype(float)
    x[rng.random(x.shape) < 0.25] = np.nan
    x[7] = np.nan
    mixture = Mixture(Poisson(), 2, random_state=0).fit(x)
    order = np.argsort(mixture.components_.mean[:, 0])
    np.testing.assert_allclose(mixture.components_.mean[order], rates, rtol=0.08)
    np.testing.assert_allclose(mixture.predict_proba(x)[7], mixture.weights_)
    assert mixture.score_samples(x)[7] == pytest.approx(0.0, abs=1e-12)
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-12)
    joint = np.log(mixture.weights_) + np.stack(
        [
            np.where(np.isnan(x), 0.0, poisson.logpmf(x, rate)).sum(axis=1)
            for rate in mixture.components_.mean
        ],
        axis=1,
    )
    np.testing.assert_allclose(mixture.score_samples(x), logsumexp(joint, axis=1), rtol=1e-10, atol=1e-10)
    whole = rng.poisson(rates[label]).astype(float)  # a fit without gaps scores rows with gaps, too
    assert np.isfinite(Mixture(Poisson(), 2, random_state=0).fit(whole).score(x))


def test_errors_say_where_a_cell_is_missing():
    x = np.array([[1.0, 2.0], [np.nan, 3.0], [2.0, 2.0]])
    with pytest.raises(InvalidDataError, match=r"row 1, column 0 is missing .*no closed marginal"):
        Mixture(DirichletMultinomial(), 2).fit(x)
    x[:, 0] = np.nan
    with pytest.raises(InvalidDataError, match=r"column 0 is missing .* in every row"):
        Mixture(Poisson(), 2).fit(x)
    exposed = np.array([[1.0, 2.0], [2.0, np.nan], [0.0, 1.0]])
    with pytest.raises(InvalidDataError, match=r"row 1, column 1 is nan; expected .*positive exposure"):
        Mixture(Poisson(exposure=True), 2).fit(exposed)


@pytest.mark.parametrize(
    ("kind", "family", "case"),
    [(BernoulliMixture, Bernoulli(), "Bernoulli"), (PoissonMixture, Poisson(), "Poisson")],
)
def test_the_classes_of_one_family_leave_missing_cells_out_too(kind, family, case):
    rows = CASES[case][2].T
    own = kind(2, random_state=0).fit(rows)
    general = Mixture(family, 2, random_state=0).fit(rows)
    np.testing.assert_allclose(own.score_samples(rows), general.score_samples(rows), rtol=1e-10)
    np.testing.assert_allclose(own.predict_proba(rows)[0], own.weights_)  # a row without any value
    assert own.bic(rows) == pytest.approx(general.bic(rows))
    bare = np.column_stack([rows, np.full(len(rows), np.nan)])
    with pytest.raises(InvalidDataError, match=r"column 3 is missing .NaN. in every row"):
        kind(2).fit(bare)
    bare[0, 3] = 1.0
    with pytest.raises(InvalidDataError, match=r"Column 3 is missing .* positive weight"):
        kind(2).fit(bare, sample_weight=np.arange(len(rows)))
    with pytest.raises(InvalidDataError, match=r"Sparse rows .* contain NaN: row 0, column 0"):
        kind(2).fit(csr_matrix(rows))


@pytest.mark.parametrize(("kind", "case"), [(BernoulliMixture, "Bernoulli"), (PoissonMixture, "Poisson")])
def test_pseudo_rows_are_complete(kind, case):
    rows = CASES[case][2].T
    fitted = kind(1, pseudo_count=7.0).fit(rows)
    shown = ~np.isnan(rows)
    average = np.nansum(rows, axis=0) / shown.sum(axis=0)
    expected = (np.nansum(rows, axis=0) + 7.0 * average) / (shown.sum(axis=0) + 7.0)
    np.testing.assert_allclose(getattr(fitted, fitted._fitted)[0], expected)


def test_binarize_keeps_missing_cells_missing():
    rows = CASES["Poisson"][2].T
    marked = np.where(np.isnan(rows), np.nan, rows > 3)
    one, other = BernoulliMixture(2, binarize=3.0, random_state=0), BernoulliMixture(2, random_state=0)
    np.testing.assert_array_equal(one.fit(rows).probabilities_, other.fit(marked).probabilities_)
