"""Specimens of constrained components and weights."""

import numpy as np
from scipy.stats import multivariate_normal, poisson

from contract.specimen_base import Specimen
from mixtura.components import Fixed, Gaussian, Shared
from mixtura.families import FamilyComponents, Poisson
from mixtura.structures import EqualWeights

RATES = np.array([[1.0, 5.0], [8.0, 2.0], [3.0, 3.0]])
CELLS = np.stack(np.meshgrid(np.arange(40.0), np.arange(40.0))).reshape(2, -1)
MEANS = np.array([[0.0, 0.0], [3.0, 1.0], [-1.0, 2.5]])
PLANE = np.stack(np.meshgrid(np.arange(-9, 11, 0.1) + 0.05, np.arange(-9, 11, 0.1) + 0.05)).reshape(2, -1)
EVEN = RATES[[0, 1, 0]]


def _fixed():
    known = FamilyComponents(Poisson()).from_mean(RATES[1:2])
    fixed = Fixed(Poisson(), known)
    return fixed._with(FamilyComponents(Poisson()).from_mean(RATES), np.array([-1, 0, -1]))


def _fixed_gaussian():
    fixed = Fixed(Gaussian(), Gaussian(MEANS[1:2], np.eye(2)[None]))
    return fixed._with(Gaussian(MEANS, np.stack([np.eye(2)] * 3)), np.array([-1, 0, -1]))


def _shared():
    return Shared(Poisson())._with(FamilyComponents(Poisson()).from_mean(RATES[:2]), np.array([0, 1, 0]))


COMPONENTS = {
    "Fixed": Specimen(
        _fixed(),
        {
            "log_density": lambda x, k: poisson(RATES[k][:, None]).logpmf(x).sum(axis=0),
            "support": CELLS,
        },
    ),
    "Fixed, Gaussian": Specimen(
        _fixed_gaussian(),
        {
            "log_density": lambda x, k: multivariate_normal(MEANS[k], np.eye(2)).logpdf(x.T),
            "support": PLANE,
            "volume": 0.01,
        },
    ),
    "Shared": Specimen(
        _shared(),
        {
            "log_density": lambda x, k: poisson(EVEN[k][:, None]).logpmf(x).sum(axis=0),
            "support": CELLS,
            # Empty components 0 and 2 are one group, of which only the first is named; split halves stay alike.
            "skip": ("empty", "split"),
        },
    ),
}

STRUCTURES = {"EqualWeights": Specimen(EqualWeights(3))}
