"""Specimens of skew-normal components under covariance structures of every form."""

import numpy as np
from scipy.stats import multivariate_normal, norm

from contract.specimen_base import Specimen
from mixtura.components import EEI, EVE, VEE, Diagonal, Full, SkewNormal, Spherical, Tied

_LOCATION = np.array([[0.0, 0.0], [3.0, 1.0], [-1.0, 2.5]])
_SKEWNESS = np.array([[1.5, 0.5], [-0.7, 1.0], [0.3, -2.0]])
_SCALE = np.array([[[1.0, 0.6], [0.6, 2.0]], [[0.5, -0.1], [-0.1, 0.4]], [[1.5, 0.0], [0.0, 0.3]]])
_PLANE = np.stack(np.meshgrid(np.arange(-14, 18, 0.1) + 0.05, np.arange(-20, 16, 0.1) + 0.05)).reshape(2, -1)


class PlainSkewNormal(SkewNormal):
    """The same law, moments of the half-normal variable by SciPy's log_ndtr as they stand in the formulas."""

    def expected_statistics(self, block, resp):
        stats = super().expected_statistics(block, resp)
        along, spread = block.scored(self).along, block.scored(self).spread[:, None]
        hazard = np.exp(norm.logpdf(along) - norm.logcdf(along))
        first, second = spread * (along + hazard), spread**2 * (1.0 + along * (along + hazard))
        stats.sums["sum_t"], stats.sums["sum_tt"] = (resp * first).sum(axis=1), (resp * second).sum(axis=1)
        stats.sums["sum_tx"] = (resp * first) @ block.x.T
        return stats


def _specimen(model):
    scatter = _SCALE if model.name not in ("diag", "spherical", "EEI") else None
    if model.name == "tied":
        scale = _SCALE[0]
    elif scatter is None:
        diagonals = np.diagonal(_SCALE, axis1=1, axis2=2)
        scale = model.maximize(np.ones(3), diagonals.mean(axis=1) if model.name == "spherical" else diagonals)
    else:
        scale = model.maximize(np.ones(3), scatter.copy())
    matrices = model.matrices(scale, 3, 2)

    def log_density(x, k):
        whole = matrices[k] + np.outer(_SKEWNESS[k], _SKEWNESS[k])
        pull = np.linalg.solve(whole, _SKEWNESS[k])
        shape = pull @ (x - _LOCATION[k][:, None]) / np.sqrt(1.0 - pull @ _SKEWNESS[k])
        return np.log(2.0) + multivariate_normal(_LOCATION[k], whole).logpdf(x.T) + norm.logcdf(shape)

    return Specimen(
        SkewNormal(_LOCATION, _SKEWNESS, scale, model),
        {
            "log_density": log_density,
            "support": _PLANE,
            "volume": 0.01,
            "generic": PlainSkewNormal(_LOCATION, _SKEWNESS, scale, model),
            # Its sums expect the half-normal variable at the last parameters: expected_log_prob is the tangent of the
            # log-likelihood there (test_skew_normal.py), not a difference everywhere.
            "skip": ("inner product",),
        },
    )


COMPONENTS = {
    f"SkewNormal, {kind.__name__}": _specimen(kind())
    for kind in (Full, Tied, Diagonal, Spherical, EEI, VEE, EVE)
}
