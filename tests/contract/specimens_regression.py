"""Specimens: regressions with Gaussian, logistic and Poisson responses, weights that depend on covariates."""

import numpy as np
from scipy.stats import binom, norm, poisson

from contract.specimen_base import Specimen
from mixtura.components import GaussianResponse, LogisticResponse, PoissonResponse
from mixtura.structures import Concomitant

LINES = np.array([[1.0, 2.0, -0.5], [-1.0, 0.5, 0.3], [0.2, -1.5, 1.0]])
NOISE = np.array([0.5, 1.0, 2.0])
# Coefficients of the last column of the design are the same in all components.
COMMON = np.column_stack([LINES[:, :2], np.full(3, 0.4)])
GENTLE = 0.4 * LINES
# One point (x1, x2), over which responses are summed.
POINT = np.array([0.3, -1.2])


def _grid(responses, *known):
    rows = [np.asarray(responses, dtype=float)]
    rows += [np.full(len(responses), value) for value in (*known, *POINT)]
    return np.stack(rows)


def _predictor(coefficients, k, covariates):
    return coefficients[k, 0] + coefficients[k, 1:] @ covariates


def gaussian(coefficients, noise):
    return lambda x, k: norm(_predictor(coefficients, k, x[1:]), np.sqrt(noise[k])).logpdf(x[0])


def logistic(coefficients, k, success, trials, covariates):
    return binom(trials, 1 / (1 + np.exp(-_predictor(coefficients, k, covariates)))).logpmf(success)


GRID = _grid(np.arange(-20.0, 20.0, 0.02) + 0.01)


def _trials_rows():
    rng = np.random.default_rng(5)
    trials = rng.integers(1, 9, 90).astype(float)
    return np.concatenate([[rng.binomial(trials.astype(int), 0.4)], [trials], rng.normal(size=(2, 90))])


def _exposed_rows():
    rng = np.random.default_rng(6)
    return np.concatenate([[rng.poisson(2.0, 90)], [rng.uniform(0.3, 4.0, 90)], rng.normal(size=(2, 90))])


# Sums that are a score and an information: expected_log_prob is right to first order only, which
# tests/properties/test_regressions.py checks.
FIRST_ORDER = {"skip": ("inner product",)}

COMPONENTS = {
    "GaussianResponse": Specimen(
        GaussianResponse(LINES, NOISE),
        {"log_density": gaussian(LINES, NOISE), "support": GRID, "volume": 0.02},
    ),
    "GaussianResponse, tied": Specimen(
        GaussianResponse(LINES, np.full(3, 0.7), tied=True),
        {"log_density": gaussian(LINES, np.full(3, 0.7)), "support": GRID, "volume": 0.02},
    ),
    "GaussianResponse, shared": Specimen(
        GaussianResponse(COMMON, NOISE, shared=[2]),
        {"log_density": gaussian(COMMON, NOISE), "support": GRID, "volume": 0.02},
    ),
    "GaussianResponse, shared and tied": Specimen(
        GaussianResponse(COMMON, np.full(3, 0.7), shared=[2], tied=True),
        {"log_density": gaussian(COMMON, np.full(3, 0.7)), "support": GRID, "volume": 0.02},
    ),
    "GaussianResponse, without intercept": Specimen(
        GaussianResponse(LINES[:, 1:], NOISE, intercept=False, response=2, covariates=[0, 1]),
        {
            "log_density": lambda x, k: norm(LINES[k, 1:] @ x[:2], np.sqrt(NOISE[k])).logpdf(x[2]),
            "support": GRID[[1, 2, 0]],
            "volume": 0.02,
        },
    ),
    "LogisticResponse": Specimen(
        LogisticResponse(GENTLE),
        {
            "log_density": lambda x, k: logistic(GENTLE, k, x[0], np.ones(x.shape[1]), x[1:]),
            "support": _grid([0, 1]),
        }
        | FIRST_ORDER,
    ),
    "LogisticResponse, trials": Specimen(
        LogisticResponse(GENTLE, trials=1),
        {
            "x": _trials_rows(),
            "log_density": lambda x, k: logistic(GENTLE, k, x[0], x[1], x[2:]),
            "support": _grid(range(8), 7.0),
        }
        | FIRST_ORDER,
    ),
    "LogisticResponse, shared": Specimen(
        LogisticResponse(0.4 * COMMON, shared=[2]),
        {
            "log_density": lambda x, k: logistic(0.4 * COMMON, k, x[0], np.ones(x.shape[1]), x[1:]),
            "support": _grid([0, 1]),
        }
        | FIRST_ORDER,
    ),
    "PoissonResponse": Specimen(
        PoissonResponse(GENTLE),
        {
            "log_density": lambda x, k: poisson(np.exp(_predictor(GENTLE, k, x[1:]))).logpmf(x[0]),
            "support": _grid(range(60)),
        }
        | FIRST_ORDER,
    ),
    "PoissonResponse, exposure": Specimen(
        PoissonResponse(GENTLE, exposure=1),
        {
            "x": _exposed_rows(),
            "log_density": lambda x, k: poisson(x[1] * np.exp(_predictor(GENTLE, k, x[2:]))).logpmf(x[0]),
            "support": _grid(range(80), 2.5),
        }
        | FIRST_ORDER,
    ),
    "PoissonResponse, shared": Specimen(
        PoissonResponse(0.4 * COMMON, shared=[2]),
        {
            "log_density": lambda x, k: poisson(np.exp(_predictor(0.4 * COMMON, k, x[1:]))).logpmf(x[0]),
            "support": _grid(range(60)),
        }
        | FIRST_ORDER,
    ),
}

STRUCTURES = {
    "Concomitant": Specimen(
        Concomitant(np.array([[0.0, 0.0, 0.0], [0.3, -1.0, 0.5], [-0.5, 0.7, 0.2]])),
        {
            "covariates": np.random.default_rng(7).normal(size=(2, 60)),
            # One Newton step does not end at the maximum; tests/properties/test_regressions.py goes there.
            "skip": ("stationary",),
        },
    ),
}
