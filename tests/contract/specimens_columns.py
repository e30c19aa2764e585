"""Specimens of independent columns that are not exponential families; SciPy is the reference."""

from itertools import product

import numpy as np
from scipy import stats

from contract.specimen_base import Specimen
from mixtura.components import (
    Laplace,
    NegativeBinomial,
    ScipyDistribution,
    Weibull,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)

MEAN = np.array([[1.0, 5.0], [8.0, 2.0]])
SIZE = np.array([[2.0, 0.7], [10.0, 1.5]])
INFLATION = np.array([[0.3, 0.1], [0.05, 0.6]])
SHAPE = np.array([[3.0], [4.0], [6.0]])
SCALE = np.array([[1.0], [0.4], [2.0]])
LOCATION = np.array([[0.0], [3.0], [-2.0]])
DEVIATION = np.array([[1.0], [0.8], [2.0]])
# All counts with a probability, and midpoints of cells that cover the densities.
CELLS = np.array(list(product(range(160), range(160))), dtype=float).T
HALF_LINE = np.arange(0.0, 8.0, 0.001)[None] + 0.0005
LINE = np.arange(-44.0, 44.0, 0.002)[None] + 0.001
UNIT = np.arange(0.0, 1.0, 0.0002)[None] + 0.0001
# Sums of score and curvature: expected_log_prob is right to first order only (tests/properties checks that).
TANGENT = ("inner product",)


def negative_binomial(k, mean=MEAN, size=SIZE):
    return stats.nbinom(size[k][:, None], (size[k] / (size[k] + mean[k]))[:, None])


def _inflated(law):
    def log_density(x, k):
        share = INFLATION[k][:, None]
        return np.log(share * (x == 0) + (1.0 - share) * law(k).pmf(x)).sum(axis=0)

    return log_density


class PlainNegativeBinomial(NegativeBinomial):
    """The same formulas, evaluated for every cell instead of for every count."""

    counts = False


class PlainZeroInflatedNegativeBinomial(ZeroInflatedNegativeBinomial):
    counts = False


COMPONENTS = {
    "NegativeBinomial": Specimen(
        NegativeBinomial(MEAN, SIZE),
        {
            "log_density": lambda x, k: negative_binomial(k).logpmf(x).sum(axis=0),
            "support": CELLS,
            "generic": PlainNegativeBinomial(MEAN, SIZE),
            "skip": TANGENT,
        },
    ),
    "NegativeBinomial, shared size": Specimen(
        NegativeBinomial(MEAN, np.stack([SIZE[0]] * 2), shared_size=True),
        {
            "log_density": lambda x, k: negative_binomial(k, size=SIZE[[0, 0]]).logpmf(x).sum(axis=0),
            "support": CELLS,
            "skip": TANGENT,
        },
    ),
    "NegativeBinomial, fixed size": Specimen(
        NegativeBinomial(MEAN, fixed_size=1.5),
        {
            "log_density": lambda x, k: negative_binomial(k, size=np.full((2, 2), 1.5)).logpmf(x).sum(axis=0),
            "support": CELLS,
        },
    ),
    "ZeroInflatedPoisson": Specimen(
        ZeroInflatedPoisson(INFLATION, MEAN),
        {"log_density": _inflated(lambda k: stats.poisson(MEAN[k][:, None])), "support": CELLS[:, :9600]},
    ),
    "ZeroInflatedNegativeBinomial": Specimen(
        ZeroInflatedNegativeBinomial(INFLATION, MEAN, SIZE),
        {
            "log_density": _inflated(negative_binomial),
            "support": CELLS,
            "generic": PlainZeroInflatedNegativeBinomial(INFLATION, MEAN, SIZE),
            "skip": TANGENT,
        },
    ),
    "Weibull": Specimen(
        Weibull(SHAPE, SCALE),
        {
            "log_density": lambda x, k: stats.weibull_min(SHAPE[k, 0], scale=SCALE[k, 0]).logpdf(x[0]),
            "support": HALF_LINE,
            "volume": 0.001,
            "skip": TANGENT,
        },
    ),
    "Laplace": Specimen(
        Laplace(LOCATION, DEVIATION),
        {
            "log_density": lambda x, k: stats.laplace(LOCATION[k, 0], DEVIATION[k, 0]).logpdf(x[0]),
            "support": LINE,
            "volume": 0.002,
            "skip": TANGENT,
        },
    ),
    "ScipyDistribution": Specimen(
        ScipyDistribution(stats.gumbel_r, parameters={"loc": LOCATION, "scale": SCALE}),
        {
            "log_density": lambda x, k: stats.gumbel_r(LOCATION[k, 0], SCALE[k, 0]).logpdf(x[0]),
            "support": LINE,
            "volume": 0.002,
            "skip": TANGENT,
        },
    ),
    "ScipyDistribution, shapes only": Specimen(
        ScipyDistribution(stats.beta, parameters={"a": SHAPE, "b": SHAPE[::-1]}),
        {
            "log_density": lambda x, k: stats.beta(SHAPE[k, 0], SHAPE[::-1][k, 0]).logpdf(x[0]),
            "support": UNIT,
            "volume": 0.0002,
            "skip": TANGENT,
        },
    ),
    "ScipyDistribution, counts": Specimen(
        ScipyDistribution(stats.nbinom, fixed={"n": 3}, parameters={"p": np.array([[0.2, 0.5], [0.6, 0.3]])}),
        {
            "log_density": lambda x, k: (
                stats.nbinom(3, np.array([[0.2, 0.5], [0.6, 0.3]])[k][:, None]).logpmf(x).sum(axis=0)
            ),
            "support": CELLS,
            "skip": TANGENT,
        },
    ),
}
