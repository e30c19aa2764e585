"""Every family, component and structure keeps its contract; third parties call the same checks."""

import numpy as np
import pytest

from contract import specimens
from mixtura.structures import Grouped
from mixtura.testing import (
    COMPONENT_CHECKS,
    FAMILY_CHECKS,
    StructureSpecimen,
    check_component,
    check_family,
    check_structure,
)

DOES_NOT_APPLY = {"override"}  # a family's component is the generic one


@pytest.mark.parametrize("name", specimens.FAMILIES)
def test_family(name):
    specimen = specimens.FAMILIES[name]
    ran = check_family(*specimen.subject, **specimen.arguments)
    assert set(ran) == (FAMILY_CHECKS.keys() | COMPONENT_CHECKS.keys()) - DOES_NOT_APPLY


@pytest.mark.parametrize("name", specimens.COMPONENTS)
def test_component(name):
    specimen = specimens.COMPONENTS[name]
    skipped = set(specimen.arguments.get("skip", ())) | (set() if specimen.subject.exact else {"stationary"})
    skipped |= set() if "generic" in specimen.arguments else DOES_NOT_APPLY  # a generic pass of its own
    assert set(check_component(specimen.subject, **specimen.arguments)) == COMPONENT_CHECKS.keys() - skipped


@pytest.mark.parametrize("name", specimens.STRUCTURES)
def test_structure(name):
    specimen = specimens.STRUCTURES[name]
    check_structure(specimen.subject, **specimen.arguments)


@pytest.mark.parametrize("name", [name for name in specimens.COMPONENTS if name.startswith("Gaussian, ")])
def test_regularized_gaussian_is_marked_inexact(name):
    gaussian = specimens.COMPONENTS[name].subject
    regularized = type(gaussian)(gaussian.mean, gaussian.covariance, type(gaussian.model)(0.1))
    assert not regularized.exact
    assert "stationary" not in check_component(regularized, skip=("sampled score",))


def test_a_fixed_concentration_stays_and_the_weights_are_stationary():
    scores = np.random.default_rng(3).normal(size=(3, 60))
    structure = Grouped(np.array([1.0, 2.0, 0.5]), learn=False)
    stats = StructureSpecimen(structure, scores, specimens.OFFSETS).infer().statistics
    new = structure.maximize(stats)
    assert new.concentration == pytest.approx(3.5, rel=1e-9)  # the root finder's tolerance
    best = new.expected_log_prob(stats)
    rng = np.random.default_rng(4)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(20):
            moved = new.weights * np.exp(size * rng.standard_normal(3))
            other = new.replace(3.5 * moved / moved.sum())
            assert other.expected_log_prob(stats) <= best + 1e-10 * abs(best)  # rounding


def test_a_check_says_which_what_and_where_to_look():
    from mutants import CATALOGUE

    mutant = CATALOGUE["averages instead of sums"]
    with pytest.raises(AssertionError) as caught:
        check_family(*mutant.family) if mutant.family else check_component(mutant.component)
    text = str(caught.value)
    assert "check '" in text
    assert "expected" in text


def test_an_export_without_a_specimen_fails_the_collection(monkeypatch):
    import mixtura.families

    assert not specimens.missing()
    monkeypatch.setattr(mixtura.families, "__all__", [*mixtura.families.__all__, "Forgotten"])
    assert specimens.missing() == {"Forgotten"}
