"""Every structure in time goes into a model file and comes back, and may have its states in another order."""

import numpy as np
import pytest

from contract.specimens_chains import STRUCTURES
from mixtura.persistence.objects import from_plain, to_plain
from mixtura.structures import DurationChain, GroupedChain, InputOutputChain
from mixtura.testing import StructureSpecimen


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_are_plain_values(name):
    structure, arguments = STRUCTURES[name].subject, STRUCTURES[name].arguments
    arrays = {}
    back = from_plain(to_plain(structure, arrays, "structure"), arrays)
    scores = np.random.default_rng(0).normal(size=(structure.n_components, 60))
    specimen = StructureSpecimen(structure, scores, arguments["offsets"], 0, arguments.get("covariates"))
    np.testing.assert_array_equal(specimen.infer(structure=back).resp, specimen.infer().resp)
    assert repr(back) == repr(structure)


@pytest.mark.parametrize(
    "setting", [DurationChain("poisson", 12), GroupedChain(3.0), InputOutputChain(starts=True)]
)
def test_settings_are_plain_values(setting):
    arrays = {}
    assert from_plain(to_plain(setting, arrays, "chain"), arrays) == setting
