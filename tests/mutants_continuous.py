"""Seeded bugs in the continuous families."""

import numpy as np

from contract.specimens_continuous import FAMILIES
from mixtura.families import Beta, Dirichlet, Gamma, InverseGaussian, LogNormal, VonMises, VonMisesFisher
from mixtura.families._bessel import log_bessel
from mixtura.families._pairs import halves
from mutant_base import Mutant


class ShapeNotIterated(Gamma):
    """The usual approximation of the shape is taken for the solution."""

    def natural_from_mean(self, mean):
        mean_log, average = halves(mean)
        gap = np.log(average) - mean_log
        shape = (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * gap)
        return np.concatenate([shape, -shape / average], axis=1)


class ScaleForRate(Gamma):
    def sample(self, natural, n, rng):
        shape, minus_rate = halves(natural)
        return rng.gamma(shape, -minus_rate, size=(n, len(shape)))


class NoJacobianOfLog(LogNormal):
    def column_log_base(self, x):
        return np.full(x.shape, -0.5 * np.log(2.0 * np.pi))


class MeanOfReciprocalOnly(InverseGaussian):
    """1 / mu is not taken off."""

    def natural_from_mean(self, mean):
        average, reciprocal = halves(mean)
        return -0.5 * np.concatenate([1.0 / (reciprocal * average**2), 1.0 / reciprocal], axis=1)


class ShapesOfOneColumnMixed(Beta):
    """Columns and shapes are read in the wrong order."""

    def natural_from_mean(self, mean):
        right = super().natural_from_mean(mean)
        return right.reshape(len(mean), 2, -1).swapaxes(1, 2).reshape(mean.shape)


class OverallSumForgotten(Dirichlet):
    def log_normalizer(self, natural):
        return super().log_normalizer(natural) + np.log(natural.sum(axis=1))


class BanerjeesApproximation(VonMises):
    """The concentration in closed form, which is off by up to a tenth."""

    def natural_from_mean(self, mean):
        cosine, sine = halves(mean)
        scale = (2.0 - cosine**2 - sine**2) / (1.0 - cosine**2 - sine**2)
        return mean * np.concatenate([scale, scale], axis=1)


class OrderOfHalfTheDimension(VonMisesFisher):
    """Bessel functions of order D / 2, not D / 2 - 1."""

    def log_normalizer(self, natural):
        half = 0.5 * natural.shape[1]
        return half * np.log(2.0 * np.pi) + log_bessel(half, np.linalg.norm(natural, axis=1))


class LengthNotDrawn(VonMisesFisher):
    """Rows around the mean direction by a normal law, made unit."""

    def sample(self, natural, n, rng):
        rows = natural + rng.standard_normal((n, len(natural)))
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _bug(name, family):
    """The specimen of that name with its family changed."""
    specimen = FAMILIES[name]
    return Mutant(family=(family, specimen.subject[1]), arguments=specimen.arguments)


CATALOGUE = {
    "gamma shape not iterated": _bug("Gamma", ShapeNotIterated()),
    "gamma rate as scale": _bug("Gamma", ScaleForRate()),
    "log-normal without the Jacobian": _bug("LogNormal", NoJacobianOfLog()),
    "inverse Gaussian shape from reciprocals only": _bug("InverseGaussian", MeanOfReciprocalOnly()),
    "beta shapes and columns mixed": _bug("Beta", ShapesOfOneColumnMixed()),
    "Dirichlet normaliser wrong": _bug("Dirichlet", OverallSumForgotten()),
    "von Mises concentration approximated": _bug("VonMises", BanerjeesApproximation()),
    "Bessel function of the wrong order": _bug("VonMisesFisher", OrderOfHalfTheDimension()),
    "von Mises-Fisher rows by normalising normal ones": _bug("VonMisesFisher", LengthNotDrawn()),
}
