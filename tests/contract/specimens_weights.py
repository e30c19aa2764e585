"""Laws of mixture weights with priors."""

import numpy as np

from contract.specimen_base import Specimen
from mixtura.structures import DirichletMode, DirichletWeights, StickBreaking

# What has a posterior law averages logarithms of weights: derivatives of the evidence by its coordinates are another thing.
LAW = {"skip": ("Fisher's identity",)}
# A learnt prior is raised in turn with the posterior: one step is no joint maximum.
LEARNT = {"skip": ("Fisher's identity", "stationary")}
STRUCTURES = {
    "DirichletMode": Specimen(DirichletMode(np.array([2.0, 1.0, 3.0])), LAW),
    "DirichletWeights": Specimen(DirichletWeights(np.array([0.1, 0.1, 0.1]), np.array([2.0, 0.5, 4.0])), LAW),
    "DirichletWeights, one number learnt": Specimen(DirichletWeights(np.full(3, 0.3), learn=True), LEARNT),
    "StickBreaking": Specimen(
        StickBreaking(3, 0.7, sticks=np.array([[4.0, 2.0, 1.5], [2.2, 1.2, 0.7]])), LAW
    ),
    "StickBreaking, Pitman-Yor": Specimen(StickBreaking(3, 0.4, 0.3), LAW),
    "StickBreaking, learnt": Specimen(StickBreaking(3, 0.4, learn=True), LEARNT),
}
