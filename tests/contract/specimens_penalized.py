"""Components with a prior each: Gaussians with scatter of all shapes, mixtures with weights, counts and symbols."""

import numpy as np
from scipy.stats import multinomial, norm

from contract.specimen_base import Specimen
from mixtura.components import (
    Diagonal,
    Full,
    Gaussian,
    PenalizedGaussian,
    PenalizedMultinomial,
    PenalizedNested,
    Spherical,
    Symbols,
)
from mixtura.components.penalized_gaussian import GaussianPenalty

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 90)) + np.repeat([[0.0, 3.0, -2.0], [0.0, 1.0, 2.0]], 30, axis=1)
MEANS = np.array([[0.2, 0.0], [2.5, 1.0], [-2.0, 1.5]])
PRIOR_MEANS = np.array([[0.0, 0.5], [2.0, 1.5], [-1.0, 1.0]])
WEIGHT = np.repeat([[0.5], [2.0], [3.0]], 2, axis=1)
MATRICES = np.array([[[1.0, 0.3], [0.3, 2.0]], [[0.5, -0.1], [-0.1, 0.4]], [[1.5, 0.0], [0.0, 0.6]]])
VARIANCES = np.array([[1.0, 2.0], [0.5, 0.4], [1.5, 0.6]])
SIZES = np.array([[1.0], [0.0], [4.0]])


def penalized(covariance, model, scatter, size=SIZES, **options):
    return PenalizedGaussian(
        Gaussian(MEANS, covariance, model), GaussianPenalty(PRIOR_MEANS, WEIGHT, scatter, size), **options
    )


FULL = penalized(MATRICES, Full(), 0.3 * MATRICES)
TIED = penalized(np.repeat(MATRICES[:1], 3, axis=0), Full(), 0.3 * MATRICES, owner=[0, 0, 0])
PAIRED = penalized(VARIANCES[[0, 1, 1]], Diagonal(), 0.2 * VARIANCES, owner=[4, 1, 1])
DIAGONAL = penalized(VARIANCES, Diagonal(), 0.2 * VARIANCES, SIZES + np.array([[0.0, 1.0]]))
SPHERICAL = penalized(VARIANCES[:, 0], Spherical(), 0.2 * VARIANCES[:, 0])
# Components without rows stay where they are. A perturbation of what is tied is one of all.
MODES = {"x": X, "skip": ("reference", "normalised", "empty", "override")}
TOGETHER = {"x": X, "skip": (*MODES["skip"], "split")}

INNER = PenalizedGaussian(
    Gaussian(
        np.repeat(MEANS, 2, axis=0) + np.tile([[0.4], [-0.4]], (3, 2)),
        np.repeat(VARIANCES, 2, axis=0),
        Diagonal(),
    ),
    GaussianPenalty(np.zeros((6, 2)), np.zeros((6, 2)), np.full((6, 2), 0.1), np.ones((6, 1))),
    about_last=True,
)
# A hidden label's step is one of EM, no maximum, and its inner product a bound.
HIDDEN = {"x": X, "skip": (*MODES["skip"], "stationary", "inner product")}

SHARES = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
TOTALS = np.array([[a, b, 4 - a - b] for a in range(5) for b in range(5 - a)], dtype=float).T
COUNTS = np.random.default_rng(6).multinomial(4, SHARES[0], size=40).T.astype(float)
PSEUDO = np.array([[1.0, 2.0, 3.0], [1.5, 1.0, 1.0]])


def diagonal_density(x, k):
    return norm.logpdf(x, MEANS[k][:, None], np.sqrt(VARIANCES[k])[:, None]).sum(axis=0)


COMPONENTS = {
    "PenalizedGaussian, full": Specimen(FULL, MODES),
    "PenalizedGaussian, one covariance for all": Specimen(TIED, TOGETHER),
    "PenalizedGaussian, some variances in common": Specimen(PAIRED, TOGETHER),
    "PenalizedGaussian, diagonal": Specimen(
        DIAGONAL, {"x": X, "log_density": diagonal_density, "skip": ("normalised", "empty", "override")}
    ),
    "PenalizedGaussian, spherical": Specimen(SPHERICAL, MODES),
    "PenalizedGaussian, known means": Specimen(
        penalized(MATRICES, Full(), 0.3 * MATRICES, learn=(False, True)), TOGETHER
    ),
    "PenalizedGaussian, known variances": Specimen(
        penalized(VARIANCES, Diagonal(), 0.2 * VARIANCES, learn=(True, False)), MODES
    ),
    "PenalizedNested": Specimen(PenalizedNested(INNER, 2, [[0.3, 0.7]] * 3, [[2.0, 1.0]] * 3), HIDDEN),
    "PenalizedNested, known weights": Specimen(
        PenalizedNested(INNER, 2, [[0.3, 0.7]] * 3, 1.0, learn=False), HIDDEN
    ),
    "PenalizedMultinomial": Specimen(
        PenalizedMultinomial(SHARES, PSEUDO),
        {
            "x": COUNTS,
            "log_density": lambda x, k: multinomial.logpmf(x.T, x.sum(axis=0), SHARES[k]),
            "support": TOTALS,
            "skip": ("empty", "override", "sampled score"),  # it draws rows of one count
        },
    ),
    "Symbols": Specimen(
        Symbols(SHARES, PSEUDO),
        {
            "x": np.random.default_rng(7).integers(0, 3, (1, 60)).astype(float),
            "log_density": lambda x, k: np.log(SHARES[k][x[0].astype(int)]),
            "support": np.arange(3.0)[None],
            "skip": ("empty", "override"),
        },
    ),
}
