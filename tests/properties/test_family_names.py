"""A family is shown as the call that makes it, wherever settings are printed."""

import pytest

from mixtura import Mixture
from mixtura.families import Binomial, Categorical, Gamma, Geometric, Poisson, VonMises


@pytest.mark.parametrize(
    ("family", "shown"),
    [
        (Gamma(), "Gamma()"),
        (VonMises(), "VonMises()"),
        (Geometric(), "Geometric()"),
        (Geometric(first=0), "Geometric(first=0)"),
        (Binomial(), "Binomial()"),
        (Binomial([3, 4]), "Binomial(trials=[3.0, 4.0])"),
        (Categorical([2, 3]), "Categorical(levels=(2, 3))"),
        (Poisson(), "Poisson()"),
        (Poisson(exposure=True), "Poisson(exposure=True)"),
        (Poisson(exposure=True, fractions=True), "Poisson(exposure=True, fractions=True)"),
    ],
)
def test_a_family_is_shown_as_it_is_made(family, shown):
    assert repr(family) == shown
    assert type(family).__name__ in repr(eval(shown))  # noqa: S307 - a call of the constructor, written above
    assert shown in repr(Mixture(family, 2))
