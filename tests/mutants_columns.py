"""Seeded bugs of independent columns: what was feared while they were written."""

import numpy as np

from contract.specimens_columns import COMPONENTS, INFLATION, LOCATION, MEAN, SCALE, SHAPE, SIZE
from mixtura.components import Laplace, NegativeBinomial, Weibull, ZeroInflatedPoisson
from mutant_base import Mutant


class StructuralZerosOnly(ZeroInflatedPoisson):
    """A zero is taken for a structural one, although the Poisson part has zeros, too."""

    def log_density(self, cells, p):
        return np.where(cells["zero"], np.log(p["inflation"]), super().log_density(cells, p))


class ShareOfZeros(ZeroInflatedPoisson):
    """The zeros that the Poisson part explains are counted as inflation, and the mean is that of the others."""

    def solve(self, sums, count):
        others = count - sums["zeros"]
        return {"inflation": sums["zeros"] / count, "mean": sums["sum_x"] / others}


class InverseSize(NegativeBinomial):
    """Dispersion and size mixed up in sampling."""

    def draw(self, n, p, rng):
        return super().draw(n, p | {"size": 1.0 / p["size"]}, rng)


class FixedSizeCounted(NegativeBinomial):
    def n_parameters(self):
        return self.parameters["mean"].size + self.parameters["size"].size


class TableOneShort(NegativeBinomial):
    """The largest count of a batch shares its place with the one before."""

    def _places(self, x):
        places = super()._places(x)
        return None if places is None else np.minimum(places, max(places.max() - 1, 0))


class NoJacobianOfLog(Weibull):
    """The density of log x in the place of that of x."""

    def log_density(self, cells, p):
        return super().log_density(cells, p) + cells["log"]


class CellsOfTheBatch(Laplace):
    """Cells about each batch's own median: sums of two batches are then of different things."""

    def column_sums(self, cells, p, weight):
        own = np.median(cells["x"], axis=1, keepdims=True)
        return super().column_sums(cells, p | {"location": own}, weight)


def _like(name, component):
    return Mutant(component=component, arguments=_arguments(name))


def _arguments(name):
    return {key: value for key, value in COMPONENTS[name].arguments.items() if key != "skip"}


CATALOGUE = {
    "every zero structural": _like("ZeroInflatedPoisson", StructuralZerosOnly(INFLATION, MEAN)),
    "inflation is the share of zeros": _like("ZeroInflatedPoisson", ShareOfZeros(INFLATION, MEAN)),
    "dispersion sampled as size": _like("NegativeBinomial", InverseSize(MEAN, SIZE)),
    "fixed size counted as learnt": _like(
        "NegativeBinomial, fixed size", FixedSizeCounted(MEAN, fixed_size=1.5)
    ),
    "table of counts one short": _like("NegativeBinomial", TableOneShort(MEAN, SIZE)),
    "density of the logarithm": _like("Weibull", NoJacobianOfLog(SHAPE, SCALE)),
    "cells about a batch's own median": _like("Laplace", CellsOfTheBatch(LOCATION, SCALE)),
}
