"""Regressions with priors: posterior laws and modes."""

import numpy as np

from contract.specimen_base import Specimen
from contract.specimens_posteriors import LAWS, MODES, made
from mixtura.components import GaussianResponse, hooks
from mixtura.priors.regression import RegressionPrior

_rng = np.random.default_rng(8)
_covariates = _rng.normal(size=(2, 90))
_lines = np.repeat([[1.0, 2.0, 0.0], [-2.0, -1.0, 1.0], [4.0, 0.5, -2.0]], 30, axis=0)
_responses = _lines[:, 0] + np.sum(_lines[:, 1:].T * _covariates, axis=0) + _rng.normal(0, 0.7, 90)
X = np.concatenate([_responses[None], _covariates])
MATRIX = np.array([[0.5, 0.1, 0.0], [0.1, 0.4, 0.1], [0.0, 0.1, 0.3]])

CASES = {
    "GaussianResponse": (GaussianResponse(), RegressionPrior(0.5, MATRIX, 1.5, 0.8)),
    "GaussianResponse, default prior": (GaussianResponse(), None),
    "GaussianResponse, no intercept": (GaussianResponse(intercept=False), RegressionPrior(precision=0.3)),
}
COMPONENTS = {}
for _name, (_blank, _prior) in CASES.items():
    COMPONENTS[f"Posterior of {_name}"] = Specimen(
        made(_blank, _prior, X, hooks.variational), LAWS | {"x": X}
    )
    COMPONENTS[f"Mode of {_name}"] = Specimen(made(_blank, _prior, X, hooks.penalized), MODES | {"x": X})
