"""Criteria of household models count households and take the bound of their evidence."""

import numpy as np
import pytest

from mixtura import GroupedMultinomialMixture, MultinomialMixture, select
from mixtura.exceptions import InvalidParameterError


@pytest.fixture
def shop(rng):
    """Forty households that lean on one of two profiles, in shuffled order."""
    profiles = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
    groups = rng.permutation(np.repeat(np.arange(40), 12))
    taste = rng.beta(0.7, 0.7, size=40)[groups]
    kind = (rng.random(len(groups)) < taste).astype(int)
    return np.array([rng.multinomial(15, profiles[k]) for k in kind]), groups


def test_bound_is_that_of_the_fit(shop):
    counts, groups = shop
    mixture = GroupedMultinomialMixture(2, pseudo_count=0, random_state=0).fit(counts, groups=groups)
    penalty = mixture.n_parameters() * np.log(40)
    # The fit's local loops end at 1e-3 rows, the criterion's at 1e-6: the bound differs in its third decimal.
    assert mixture.bic(counts, groups=groups) == pytest.approx(
        -2 * 40 * mixture.lower_bound_ + penalty, abs=0.05
    )
    assert mixture.n_parameters() == 2 * (3 - 1) + 2
    assert mixture.icl(counts, groups=groups) >= mixture.bic(counts, groups=groups)


def test_infinite_concentration_is_the_global_model(shop):
    counts, groups = shop
    grouped = GroupedMultinomialMixture(2, concentration=np.inf, random_state=0).fit(counts, groups=groups)
    plain = MultinomialMixture(2, random_state=0).fit(counts)
    assert grouped.score(counts) == pytest.approx(plain.score(counts), abs=1e-3)  # tolerances of the fits
    assert grouped.bic(counts, groups=groups) == pytest.approx(plain.bic(counts), rel=1e-3)


def test_groups_are_asked_for(shop):
    counts, groups = shop
    mixture = GroupedMultinomialMixture(2, concentration=3.0, random_state=0).fit(counts, groups=groups)
    with pytest.raises(InvalidParameterError, match="Give groups="):
        mixture.bic(counts)


def test_no_shrinkage_has_no_criterion(shop):
    counts, groups = shop
    mixture = GroupedMultinomialMixture(2, concentration=0, random_state=0).fit(counts, groups=groups)
    with pytest.raises(InvalidParameterError, match="held-out"):
        mixture.bic(counts, groups=groups)


def test_sweep_passes_the_groups_on(shop):
    counts, groups = shop
    chosen = select(
        GroupedMultinomialMixture(concentration=2.0, random_state=0),
        counts,
        n_components=[1, 2, 3],
        groups=groups,
    ).chosen
    assert chosen["n_components"] == 2
