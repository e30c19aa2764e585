"""The tests of the tests: every seeded bug is caught, every check catches one, and the healthy pass."""

from functools import cache

import numpy as np
import pytest

from mixtura.families import FamilyComponents
from mixtura.testing import (
    COMPONENT_CHECKS,
    FAMILY_CHECKS,
    STRUCTURE_CHECKS,
    ComponentSpecimen,
    FamilySpecimen,
    StructureSpecimen,
)
from mutants import CATALOGUE, HEALTHY


def complaints(mutant):
    """Names of the checks that fail, with a prefix for their table."""
    found = set()
    arguments = dict(mutant.arguments or {})
    skip = arguments.pop("skip", ())  # checks that the healthy fail, too: they do not apply

    def collect(checks, specimen, prefix):
        for name, check in checks.items():
            if name in skip:
                continue
            try:
                check(specimen)
            # A bug may also end in an error of its own; that is a catch as well.
            except Exception:  # noqa: BLE001
                found.add(f"{prefix}: {name}")

    if mutant.structure is not None:
        offsets = arguments.get("offsets")
        scores = np.random.default_rng(1).normal(scale=2.0, size=(mutant.structure.n_components, 60))
        specimen = StructureSpecimen(mutant.structure, scores, offsets, 1, arguments.get("covariates"))
        collect(STRUCTURE_CHECKS, specimen, "structure")
        return frozenset(found)
    component = mutant.component
    if mutant.family is not None:
        collect(FAMILY_CHECKS, FamilySpecimen(*mutant.family), "family")
        component = FamilyComponents(*mutant.family)
    x = arguments.pop("x", None)
    if x is None:
        x = ComponentSpecimen(component, np.empty((0, 0))).sampled(40)[0]
    collect(COMPONENT_CHECKS, ComponentSpecimen(component, x, **arguments), "component")
    return frozenset(found)


@cache
def caught(name):
    return complaints(CATALOGUE[name])


@pytest.mark.parametrize("name", HEALTHY)
def test_the_healthy_pass(name):
    assert not complaints(HEALTHY[name])


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_bug_is_caught(name):
    assert caught(name)


def test_every_check_catches_a_bug():
    checks = {
        *(f"family: {name}" for name in FAMILY_CHECKS),
        *(f"component: {name}" for name in COMPONENT_CHECKS),
        *(f"structure: {name}" for name in STRUCTURE_CHECKS),
    }
    idle = checks - set().union(*map(caught, CATALOGUE))
    assert not idle, f"no seeded bug is caught by {sorted(idle)}: add one, or drop the check"


@pytest.mark.parametrize(
    ("name", "check"),
    [
        # The bugs of sampling change nothing else, so only these two can see them.
        ("variance as standard deviation in sample", "family: sample moments"),
        ("precision as covariance in sample", "component: sampled score"),
        ("accumulator inside the object", "component: pure"),
        ("centred per batch", "component: additive"),
        ("averages instead of sums", "component: additive"),
        ("covariance 2 % too large", "component: stationary"),
        ("log determinant forgotten", "component: normalised"),
        ("Jacobian forgotten", "component: reference"),
        ("E[T] is not the gradient of A", "family: gradient"),
        ("weights ignored", "component: integer weights"),
        ("exposure forgotten in A", "component: reference"),
        ("shares smoothed and called exact", "component: stationary"),
        ("binomial coefficient forgotten", "component: normalised"),
        ("levels counted as free", "component: parameters"),
        ("class weights left out of the E-step", "structure: Fisher's identity"),
    ],
)
def test_the_bug_is_caught_where_it_should_be(name, check):
    assert check in caught(name)
