"""Specimens of the continuous families, against SciPy's densities."""

import numpy as np
from scipy.stats import beta, dirichlet, expon, gamma, invgauss, lognorm, vonmises, vonmises_fisher

from contract.specimen_base import Specimen
from mixtura.families import (
    Beta,
    Dirichlet,
    Exponential,
    Gamma,
    InverseGaussian,
    LogNormal,
    VonMises,
    VonMisesFisher,
)


def _plane(size, cell):
    """Midpoints of equal cells of a square from 0, shape (2, S)."""
    line = np.arange(0.0, size, cell) + 0.5 * cell
    return np.stack(np.meshgrid(line, line)).reshape(2, -1)


def _columns(law, *parameters):
    """Log density of independent columns, each parameter (K, D)."""

    def log_density(x, k):
        return law(*(values[k][:, None] for values in parameters)).logpdf(x).sum(axis=0)

    return log_density


def _unit(cells):
    """The square of that many cells a side, from 0 to 1."""
    line = (np.arange(cells) + 0.5) / cells
    return np.stack(np.meshgrid(line, line)).reshape(2, -1)


def _triangle(cells):
    """Equal cells of the simplex of three shares: (u, v) -> (1 - s, s v) with s = sqrt(1 - u) has Jacobian 1/2."""
    u, v = _unit(cells)
    s = np.sqrt(1.0 - u)
    return np.stack([1.0 - s, s * v, s * (1.0 - v)])


def _circle(cells):
    angle = 2.0 * np.pi * (np.arange(cells) + 0.5) / cells
    return np.stack([np.cos(angle), np.sin(angle)])


def _sphere(bands, cells):
    """Equal areas: height and longitude."""
    height = np.repeat(-1.0 + (np.arange(bands) + 0.5) * 2.0 / bands, cells)
    return np.concatenate([np.sqrt(1.0 - height**2) * np.tile(_circle(cells), bands), height[None]])


def _directions(natural):
    """The family with SciPy's density."""

    def log_density(x, k):
        kappa = np.linalg.norm(natural[k])
        return vonmises_fisher(natural[k] / kappa, kappa).logpdf(x.T)

    return (VonMisesFisher(), natural), log_density


RATE = np.array([[1.0], [0.4]])
SHAPES = np.array([[5.0, 9.0], [6.0, 20.0]])
RATES = np.array([[2.0, 3.0], [1.5, 4.0]])
LOG_MEANS = np.array([[0.5, 0.8], [1.0, 0.2]])
LOG_SDS = np.array([[0.25, 0.3], [0.2, 0.35]])
MEANS = np.array([[3.0, 1.5], [2.0, 4.0]])
PRECISIONS = np.array([[20.0, 9.0], [12.0, 60.0]])  # the shapes of inverse Gaussians
SHAPES_A = np.array([[4.0, 9.0], [7.5, 4.5]])
SHAPES_B = np.array([[5.0, 4.2], [12.0, 6.0]])
ALPHA = np.array([[4.0, 5.5, 7.0], [9.0, 4.5, 4.0]])
ANGLES = np.array([[0.5, -2.0], [3.0, 1.0]])
KAPPAS = np.array([[2.0, 0.3], [5.0, 1.5]])
PLANE = np.array([[2.0, -1.0], [0.3, 0.4]])
SPACE = np.array([[1.0, 2.0, -2.0], [0.5, 0.0, 0.1]])

_in_plane, _plane_density = _directions(PLANE)
_in_space, _space_density = _directions(SPACE)

FAMILIES = {
    "Exponential": Specimen(
        (Exponential(), -RATE),
        {
            "log_density": _columns(lambda rate: expon(scale=1.0 / rate), RATE),
            "support": np.arange(0.0, 60.0, 2e-3)[None] + 1e-3,
            "volume": 2e-3,
        },
    ),
    "Gamma": Specimen(
        (Gamma(), np.concatenate([SHAPES, -RATES], axis=1)),
        {
            "log_density": _columns(lambda a, rate: gamma(a, scale=1.0 / rate), SHAPES, RATES),
            "support": _plane(24.0, 0.1),
            "volume": 0.01,
        },
    ),
    "LogNormal": Specimen(
        (LogNormal(), np.concatenate([LOG_MEANS / LOG_SDS**2, -0.5 / LOG_SDS**2], axis=1)),
        {
            "log_density": _columns(lambda m, s: lognorm(s, scale=np.exp(m)), LOG_MEANS, LOG_SDS),
            "support": _plane(16.0, 0.05),
            "volume": 0.0025,
        },
    ),
    "InverseGaussian": Specimen(
        (InverseGaussian(), -0.5 * np.concatenate([PRECISIONS / MEANS**2, PRECISIONS], axis=1)),
        {
            "log_density": _columns(lambda m, s: invgauss(m / s, scale=s), MEANS, PRECISIONS),
            "support": _plane(24.0, 0.05),
            "volume": 0.0025,
        },
    ),
    "Beta": Specimen(
        (Beta(), np.concatenate([SHAPES_A, SHAPES_B], axis=1)),
        {"log_density": _columns(beta, SHAPES_A, SHAPES_B), "support": _unit(200), "volume": 200.0**-2},
    ),
    "Dirichlet": Specimen(
        (Dirichlet(), ALPHA),
        {
            "log_density": lambda x, k: dirichlet(ALPHA[k]).logpdf(x),
            "support": _triangle(400),
            "volume": 0.5 * 400.0**-2,
        },
    ),
    "VonMises": Specimen(
        (VonMises(), np.concatenate([KAPPAS * np.cos(ANGLES), KAPPAS * np.sin(ANGLES)], axis=1)),
        {
            "log_density": _columns(lambda m, kappa: vonmises(kappa, loc=m), ANGLES, KAPPAS),
            "support": 2.0 * np.pi * _unit(60),
            "volume": (2.0 * np.pi / 60) ** 2,
        },
    ),
    "VonMisesFisher": Specimen(
        _in_space,
        {"log_density": _space_density, "support": _sphere(2000, 30), "volume": 4.0 * np.pi / 60_000},
    ),
    "VonMisesFisher, plane": Specimen(
        _in_plane, {"log_density": _plane_density, "support": _circle(60), "volume": 2.0 * np.pi / 60}
    ),
}
