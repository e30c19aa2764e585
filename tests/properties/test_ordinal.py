"""Ordinal columns: the M-step against an optimizer, maxima at infinity, missing cells, counts of parameters, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.specimens_ordinal import INTERCEPTS, LEVELS, LOCATION, SCORES, THRESHOLDS
from mixtura import BernoulliMixture, Mixture
from mixtura.components import AdjacentLogit, CumulativeLogit, Ordinal
from mixtura.components.ordinal_links import PSEUDO
from mixtura.exceptions import DegenerateComponentError, InvalidDataError, InvalidParameterError
from mixtura.families import Categorical
from mixtura.protocols import Encoding
from oracles_ordinal import best, log_likelihood

LINKS = (AdjacentLogit(), CumulativeLogit())
either = pytest.mark.parametrize("link", LINKS, ids=["adjacent", "cumulative"])
seeds = st.integers(0, 2**16)


def kind_of(link):
    return "adjacent" if isinstance(link, AdjacentLogit) else "cumulative"


def fitted(levels, link, counts):
    """The M-step for counts of each column, a list of (K, L_j)."""
    components = Ordinal(levels, link)
    stats = components.expected_statistics(np.zeros((sum(levels), 1)), np.zeros((len(counts[0]), 1)))
    stats.sums["levels"] = np.concatenate(counts, axis=1).astype(float)
    stats.sums["count"] = stats.sums["levels"][:, : levels[0]].sum(axis=1)
    return components.maximize(stats), stats


def survey(n=300, seed=0):
    """Two groups of opposite opinion on six questions with four levels."""
    rng = np.random.default_rng(seed)
    shares = ([0.05, 0.15, 0.3, 0.5], [0.5, 0.3, 0.15, 0.05])
    group = np.repeat([0, 1], [2 * n // 3, n - 2 * n // 3])
    return np.array([rng.choice(4, 6, p=shares[k]) for k in group], dtype=float), group


# --- the M-step ---------------------------------------------------------------------------------------------------
@either
@pytest.mark.parametrize(("n_components", "n_levels"), [(1, 2), (1, 5), (2, 2), (2, 3), (3, 4), (4, 6)])
def test_the_m_step_is_the_maximum_that_an_optimizer_finds(link, n_components, n_levels):
    counts = np.random.default_rng(n_levels).gamma(1.0, 10.0, size=(n_components, n_levels)) + 0.5
    components, stats = fitted([n_levels], link, [counts])
    value, location = best(counts, kind_of(link))
    # The optimizer works with differences: its value is right to about 1e-9 of it, its parameters to the root of that.
    assert components.expected_log_prob(stats) == pytest.approx(value, rel=1e-9)
    assert components.expected_log_prob(stats) >= value - 1e-11 * abs(value)
    np.testing.assert_allclose(components.location[:, 0], location, atol=2e-4)
    assert log_likelihood(counts, components.probabilities) == pytest.approx(value, rel=1e-9)


def test_given_scores_are_used():
    counts = np.random.default_rng(1).gamma(1.0, 10.0, size=(3, 4)) + 0.5
    components, stats = fitted([4], AdjacentLogit(SCORES), [counts])
    value, location = best(counts, "adjacent", SCORES)
    assert components.expected_log_prob(stats) == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose(components.location[:, 0], location, atol=2e-4)
    # In an exponential family expected statistics are the observed ones: mean scores, and pooled counts of levels.
    shares = components.probabilities
    np.testing.assert_allclose(shares @ SCORES, counts @ SCORES / counts.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(counts.sum(axis=1) @ shares, counts.sum(axis=0), rtol=1e-10)


@either
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_columns_and_starts_do_not_matter(link, seed):
    rng = np.random.default_rng(seed)
    levels = list(rng.integers(2, 6, 4))
    counts = [rng.gamma(0.5, 20.0, size=(3, size)) + 0.1 for size in levels]
    together, stats = fitted(levels, link, counts)
    alone = [fitted([size], link, [own])[0].probabilities for size, own in zip(levels, counts, strict=True)]
    np.testing.assert_allclose(together.probabilities, np.concatenate(alone, axis=1), rtol=1e-9)
    theta = together.coordinates()
    away = together.from_coordinates(theta + rng.normal(scale=3.0, size=len(theta)))
    np.testing.assert_allclose(
        away.maximize(stats).probabilities, together.probabilities, rtol=1e-8, atol=1e-12
    )


@either
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_maxima_at_infinity_are_reached_up_to_the_pseudo_rows(link, seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.7, size=(3, 4)).astype(float) * 10.0
    counts[counts.sum(axis=1) == 0, rng.integers(4)] = 5.0
    components, stats = fitted([4], link, [counts])
    assert np.isfinite(components.coordinates()).all()
    assert np.isfinite(components.probabilities).all()
    assert (components.probabilities > 0).all()
    reached, total = components.expected_log_prob(stats), counts.sum()
    for size in (0.01, 0.1, 1.0, 5.0):
        for _ in range(10):
            theta = components.coordinates() + size * rng.standard_normal(len(components.coordinates()))
            # The pseudo-rows weigh PSEUDO of all rows; their log probabilities are some thirties each.
            assert (
                components.from_coordinates(theta).expected_log_prob(stats) <= reached + 1e3 * PSEUDO * total
            )


@either
def test_separated_components_and_levels_that_nobody_has(link):
    counts = [
        np.array([[9.0, 0, 0, 0], [0, 4, 4, 0], [0, 0, 0, 7]]),
        np.array([[9.0, 0, 0, 1], [3, 0, 0, 5], [2, 0, 0, 5]]),
        np.array([[9.0, 0, 0, 0], [8, 0, 0, 0], [7, 0, 0, 0]]),
    ]
    components, _ = fitted([4, 4, 4], link, counts)
    expected = np.concatenate([own / own.sum(axis=1, keepdims=True) for own in counts], axis=1)
    np.testing.assert_allclose(components.probabilities, expected, atol=1e-9)
    assert (np.diff(components.location[:, 0]) > 20).all()
    np.testing.assert_allclose(components.location[:, 2], 0.0, atol=1e-6)


def test_one_component_has_the_shares_of_the_levels():
    counts = np.array([[3.0, 1.0, 6.0]])
    for link in LINKS:
        np.testing.assert_allclose(
            fitted([3], link, [counts])[0].probabilities, [[0.3, 0.1, 0.6]], rtol=1e-10
        )


# --- in mixtures --------------------------------------------------------------------------------------------------
@either
def test_two_levels_are_a_mixture_of_bernoulli_columns(link):
    x = (survey()[0] > 1.5).astype(float)
    ordinal = Mixture(Ordinal([2] * 6, link), 2, random_state=0, tol=1e-9).fit(x)
    plain = BernoulliMixture(2, random_state=0, tol=1e-9).fit(x)
    assert ordinal.n_parameters() == plain.n_parameters() == 13
    assert ordinal.score(x) == pytest.approx(
        plain.score(x), abs=1e-7
    )  # both stop within 1e-9 a row of their maximum


@either
def test_a_mixture_finds_the_groups_with_fewer_numbers_than_a_categorical_one(link):
    x, group = survey()
    ordinal = Mixture(Ordinal.of(x, link), 2, random_state=0).fit(x)
    categorical = Mixture(Categorical.of(x), 2, random_state=0).fit(x)
    assert ordinal.n_parameters() == 1 + 6 * (3 + 1)
    assert categorical.n_parameters() == 1 + 6 * 3 * 2
    assert ordinal.score(x) <= categorical.score(x) + 1e-9  # nested
    assert ordinal.bic(x) < categorical.bic(x)
    predicted = ordinal.predict(x)
    high = int(np.argmax(ordinal.components_.location.mean(axis=1)))
    assert np.mean((predicted == high) == (group == 0)) > 0.97
    bounds = np.asarray(ordinal.lower_bounds_)
    assert (np.diff(bounds) >= -1e-10 * np.abs(bounds[:-1])).all()


@either
def test_missing_cells_are_left_out_of_their_column_only(link):
    x, _ = survey()
    gaps = np.random.default_rng(2).random(x.shape) < 0.2
    holed = np.where(gaps, np.nan, x)
    components = Ordinal([4] * 6, link)
    resp = np.random.default_rng(3).dirichlet([1.0, 1.0], len(x)).T
    encoding = Encoding(6, missing=True)
    together = components.maximize(components.expected_statistics(components.encode(holed.T, encoding), resp))
    scores = together.log_prob(together.encode(holed.T, encoding))
    by_column = np.zeros_like(scores)
    for d in range(6):
        seen = ~gaps[:, d]
        one = Ordinal([4], link)
        one = one.maximize(one.expected_statistics(one.encode(x[seen, d][None], Encoding(1)), resp[:, seen]))
        by_column[:, seen] += one.log_prob(one.encode(x[seen, d][None], Encoding(1)))
    np.testing.assert_allclose(scores, by_column, rtol=1e-9)
    mixture = Mixture(Ordinal([4] * 6, link), 2, random_state=0).fit(holed)
    assert np.isfinite(mixture.score(holed))
    empty = np.full((1, 6), np.nan)
    np.testing.assert_allclose(mixture.predict_proba(empty)[0], mixture.weights_, rtol=1e-9)


@either
def test_given_parameters_are_the_start_and_are_read_back(link):
    baseline = INTERCEPTS if isinstance(link, AdjacentLogit) else THRESHOLDS
    given = Ordinal(LEVELS, link, LOCATION + 1.0, baseline)
    np.testing.assert_allclose(given.location, LOCATION - LOCATION.mean(axis=0), atol=1e-12)
    again = Ordinal(LEVELS, link, given.location, given.baseline)
    np.testing.assert_allclose(again.probabilities, given.probabilities, rtol=1e-12)
    table = given.table(["a", "b", "c"], None)
    assert sum(name == "location" for name, *_ in table) == 3
    assert {
        (name, feature): values.sum() for name, feature, _, values in table if name == "location"
    } == pytest.approx({("location", name): 0.0 for name in "abc"}, abs=1e-12)
    assert {name for name, *_ in table} == {"location", link.baseline_name}
    two = given.take([2, 0])
    np.testing.assert_allclose(two.location.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(two.probabilities, given.probabilities[[2, 0]], rtol=1e-12)
    x = np.concatenate([given.sample(k, 100, np.random.default_rng(4)) for k in range(3)])
    assert Mixture(given, 3, max_iter=2, tol=1e3).fit(x).components_.n_components == 3


@either
def test_a_larger_location_prefers_higher_levels(link):
    components = Ordinal(
        [4],
        link,
        [[-1.0], [0.0], [2.0]],
        [[0.0, 0.5, 0.1, 0.2] if kind_of(link) == "adjacent" else [-1.0, 0.3, 1.0]],
    )
    means = components.probabilities @ np.arange(4)
    assert (np.diff(means) > 0.2).all()
    above = 1.0 - np.cumsum(components.probabilities, axis=1)[:, :-1]
    assert (np.diff(above, axis=0) > 0).all()  # stochastically


# --- bad input ----------------------------------------------------------------------------------------------------
def test_bad_levels_are_named():
    x, _ = survey(60)
    mixture = Mixture(Ordinal.of(x), 2, random_state=0).fit(x)
    x[7, 3] = 4
    with pytest.raises(InvalidDataError, match="row 7, column 3 is 4; expected a level of its column"):
        mixture.predict(x)
    x[7, 3] = 1.5
    with pytest.raises(InvalidDataError, match=r"row 7, column 3 is 1\.5"):
        mixture.predict(x)
    with pytest.raises(InvalidDataError, match=r"Row 7, column 3 is 1\.5"):
        Ordinal.of(x)
    with pytest.raises(InvalidDataError, match="5 columns; expected 6"):
        Mixture(Ordinal([4] * 6), 2).fit(x[:, :5].round())
    x[:, 2] = 0.0
    with pytest.raises(InvalidParameterError, match="Column 2 has one level"):
        Ordinal.of(x.round())


def test_bad_parameters_are_named():
    with pytest.raises(InvalidParameterError, match="link is 'cumulative'; expected AdjacentLogit"):
        Ordinal([3], "cumulative")
    with pytest.raises(InvalidParameterError, match="scores is"):
        AdjacentLogit([1.0, 1.0])
    with pytest.raises(InvalidParameterError, match="scores has 4 numbers; expected 3"):
        Ordinal([3], AdjacentLogit(SCORES))
    with pytest.raises(InvalidParameterError, match=r"location has shape \(2, 1\); expected \(K, 2\)"):
        Ordinal([3, 3], None, [[0.0], [1.0]], [[0, 0, 0], [0, 0, 0]])
    with pytest.raises(
        InvalidParameterError, match=r"baseline has shapes .*; expected one array a column, of lengths \[2\]"
    ):
        Ordinal([3], CumulativeLogit(), [[0.0]], [[0.0, 1.0, 2.0]])
    with pytest.raises(InvalidParameterError, match="expected increasing numbers"):
        Ordinal([3], CumulativeLogit(), [[0.0]], [[1.0, 0.0]])
    with pytest.raises(InvalidParameterError, match="no parameters yet"):
        _ = Ordinal([3]).location


@either
def test_components_without_values_in_a_column_are_named(link):
    counts = [np.array([[3.0, 1.0], [2.0, 2.0]]), np.array([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0]])]
    with pytest.raises(DegenerateComponentError, match=r"component 1.*it holds no data in column 1"):
        fitted([2, 3], link, counts)
