"""Matching of components: by hand, under permutation, and by simulation where the levels come from."""

from itertools import permutations

import numpy as np
import pytest

from mixtura import MultinomialMixture, exceptions
from mixtura.segments.matching import DRIFTED, MATCHED, canonical_order, match, profile_distances

FEATURES = [f"category {c}" for c in range(60)]


def shop(rng, n_missions=10, n_categories=60):
    """Profiles as shops have them: a few categories carry a mission, all share the popular ones."""
    popular = rng.dirichlet(np.full(n_categories, 0.5))
    profiles = np.stack([rng.dirichlet(0.05 + 6 * popular) for _ in range(n_missions)])
    return rng.dirichlet(np.full(n_missions, 5.0)), profiles


def visits(rng, weights, profiles, n_baskets):
    mission = rng.choice(len(weights), p=weights, size=n_baskets)
    return np.stack([rng.multinomial(2 + rng.poisson(6), profiles[k]) for k in mission])


def brute_force(distances, threshold):
    """All ways to pair; staying alone costs the threshold."""
    n_old, n_new = distances.shape
    best, best_cost = None, np.inf
    padded = list(range(n_old)) + [-1] * n_new
    for choice in set(permutations(padded, n_new)):
        cost = sum(
            threshold if i < 0 or distances[i, j] >= threshold else distances[i, j]
            for j, i in enumerate(choice)
        )
        if cost < best_cost - 1e-12:
            best, best_cost = choice, cost
    alone = [-1 if i < 0 or distances[i, j] >= threshold else i for j, i in enumerate(best)]
    return alone, best_cost


@pytest.mark.parametrize(("n_old", "n_new"), [(3, 3), (2, 4), (4, 2)])
def test_the_pairs_are_the_best_ones(rng, n_old, n_new):
    for _ in range(10):
        old, new = rng.dirichlet([2, 2, 2], n_old), rng.dirichlet([2, 2, 2], n_new)
        found = match(old, "abc", new, "abc", threshold=0.6)
        expected, cost = brute_force(profile_distances(old, "abc", new, "abc"), 0.6)
        assert found.old.tolist() == expected
        assert np.nansum(found.distance) + 0.6 * (found.old < 0).sum() == pytest.approx(cost)


def test_a_good_pair_is_not_given_up_for_two_strangers():
    # By the plain sum, 0.6 + 0.6 would beat 0.05 + 1.3.
    old = [[1.0, 0.0, 0.0], [0.7, 0.3, 0.0]]
    new = [[0.7, 0.3, 0.0], [0.4, 0.1, 0.5]]
    found = match(old, "abc", new, "abc")
    assert found.old.tolist() == [1, -1]
    assert found.gone.tolist() == [0]
    assert np.isnan(found.distance[1])


def test_features_of_one_side_count_as_zero():
    distances = profile_distances([[0.5, 0.5]], ["tea", "gone"], [[0.25, 0.5, 0.25]], ["new", "tea", "newer"])
    assert distances[0, 0] == pytest.approx(1.0)
    # Numbers and texts are different features: mission 1 is no category "1".
    assert profile_distances([[1.0]], [1], [[1.0]], ["1"])[0, 0] == 2.0


def test_levels_mean_shares_of_lines():
    mission = np.array([[0.5, 0.3, 0.2, 0.0]])

    def moved(share):
        return match(mission, "abcd", mission + share * np.array([-1, 0, 0, 1]), "abcd")

    assert (moved(0.1).n_matched, moved(0.1).drifted[0]) == (1, False)
    assert (moved(0.2).n_matched, moved(0.2).drifted[0]) == (1, True)
    assert moved(0.3).n_matched == 0
    assert (MATCHED, DRIFTED) == (0.5, 0.25)


def test_the_threshold_lies_between_chance_and_another_mission():
    """Two fits to different baskets of one shop find the same missions nearer than 0.5, and others farther."""
    rng = np.random.default_rng(3)
    same, other = [], []
    for _ in range(3):
        weights, profiles = shop(rng)
        fits = [
            MultinomialMixture(10, weights_init=weights, profiles_init=profiles, random_state=0)
            .fit(visits(rng, weights, profiles, 2500))
            .profiles_
            for _ in range(2)
        ]
        found = match(fits[0], FEATURES, fits[1], FEATURES)
        assert found.old.tolist() == list(range(10))
        same += found.distance.tolist()
        between = profile_distances(fits[0], FEATURES, fits[1], FEATURES)
        other += between[~np.eye(10, dtype=bool)].tolist()
    assert max(same) < MATCHED - 0.1
    assert min(other) > MATCHED + 0.1


def test_matching_does_not_depend_on_the_order(rng):
    _, profiles = shop(rng)
    new = 0.9 * profiles + 0.1 * rng.dirichlet(np.ones(60), size=10)
    shuffled, columns = rng.permutation(10), rng.permutation(60)
    found = match(profiles, FEATURES, new[shuffled][:, columns], [FEATURES[c] for c in columns])
    assert found.old.tolist() == shuffled.tolist()


def test_canonical_order_is_the_same_for_every_numbering(rng):
    profiles = rng.dirichlet(np.ones(4), size=6)
    profiles[4] = profiles[3]  # the same but for the size
    sizes = np.array([5.0, 3.0, 3.0, 1.0, 2.0, 3.0])
    order = canonical_order(sizes, profiles)
    expected = profiles[order]
    assert (np.diff(sizes[order]) <= 0).all()
    for _ in range(20):
        shuffled = rng.permutation(6)
        noise = 1 + 1e-14 * rng.normal(size=6)  # sums in another order differ in their last digits
        again = canonical_order(sizes[shuffled] * noise, profiles[shuffled])
        np.testing.assert_array_equal(profiles[shuffled][again], expected)


@pytest.mark.parametrize(
    ("old", "features", "words"),
    [
        ([[0.5, 0.5]], ["a"], "old profiles have shape .1, 2. and there are 1 old features"),
        ([[0.5, 0.5]], ["a", "a"], "the old features name 'a' twice"),
        ([[0.9, 0.5]], ["a", "b"], "old profile 0 .of 1. is no share .* sums to 1.4"),
        ([[1.5, -0.5]], ["a", "b"], "its smallest entry is -0.5"),
        ([[np.nan, 1.0]], ["a", "b"], "is no share"),
        ([], [], "old profiles have shape .0,."),
    ],
)
def test_profiles_that_are_none(old, features, words):
    with pytest.raises(exceptions.InvalidDataError, match=words):
        match(old, features, [[1.0]], ["a"])
    if old:
        with pytest.raises(exceptions.InvalidDataError, match=words.replace("old", "new")):
            match([[1.0]], ["a"], old, features)


def test_levels_and_sizes_that_make_no_sense():
    with pytest.raises(exceptions.InvalidParameterError, match=r"threshold: found 3\.0"):
        match([[1.0]], ["a"], [[1.0]], ["a"], threshold=3.0)
    with pytest.raises(exceptions.InvalidParameterError, match="drift: found nan"):
        match([[1.0]], ["a"], [[1.0]], ["a"], drift=float("nan"))
    with pytest.raises(exceptions.InvalidDataError, match="one size per profile"):
        canonical_order([1.0], np.eye(2))
    with pytest.raises(exceptions.InvalidDataError, match="NaN or infinity"):
        canonical_order([1.0, np.nan], np.eye(2))
