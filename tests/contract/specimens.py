"""The registry: one small specimen for every family, component, covariance and structure that the library exports."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from scipy.special import digamma, polygamma
from scipy.stats import dirichlet_multinomial, multinomial, multivariate_normal, norm

import mixtura.components
import mixtura.families
import mixtura.structures
from mixtura.components import Diagonal, DirichletMultinomial, Full, Gaussian, Spherical, Tied
from mixtura.families import Multinomial, Normal
from mixtura.families.multinomial import MultinomialComponents
from mixtura.statistics import Statistics
from mixtura.structures import Grouped, GroupedPlugIn, Independent

SHARES = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]])
MEANS = np.array([[0.0, 0.0], [3.0, 1.0], [-1.0, 2.5]])
MATRICES = np.array([[[1.0, 0.6], [0.6, 2.0]], [[0.5, -0.1], [-0.1, 0.4]], [[1.5, 0.0], [0.0, 0.3]]])
ALPHA = np.array([[0.5, 1.3, 2.2], [20.0, 1.0, 9.0], [0.2, 0.1, 0.3]])
NORMAL = np.array([[0.0, 1.0], [3.0, 0.5], [-2.0, 2.0]])  # mean, standard deviation
# Midpoints of cells that cover the densities above to ten standard deviations.
LINE = np.arange(-22.0, 18.0, 0.05)[None] + 0.025
PLANE = np.stack(np.meshgrid(np.arange(-16, 16, 0.1) + 0.05, np.arange(-16, 19, 0.1) + 0.05)).reshape(2, -1)


@dataclass(frozen=True)
class Specimen:
    """What is checked, and what the check needs to know about it."""

    subject: Any
    arguments: dict[str, Any] = field(default_factory=dict)


def _normal(scale_row):
    mean, standard_deviation = scale_row
    variance = standard_deviation**2
    return [mean / variance, -0.5 / variance]


def _counts(total):
    rows = [row for row in product(range(total + 1), repeat=3) if sum(row) == total]
    return np.array(rows, dtype=float).T


def _multinomial_log_density(x, k):
    return multinomial(x.sum(axis=0), SHARES[k]).logpmf(x.T)


def _dirichlet_multinomial_log_density(x, k):
    return dirichlet_multinomial(ALPHA[k], x.sum(axis=0).astype(int)).logpmf(x.T.astype(int))


class PlainDirichletMultinomial(DirichletMultinomial):
    """The same law and sums by dense differences of SciPy's functions."""

    def encode(self, x, encoding):
        return np.asarray(x, dtype=float)

    def log_prob(self, block):
        rows, totals = block.T.astype(int), block.sum(axis=0).astype(int)
        return np.stack([dirichlet_multinomial(a, totals).logpmf(rows) for a in self.alpha])

    def expected_statistics(self, block, resp):
        sums, totals = {"count": resp.sum(axis=1)}, self.alpha.sum(axis=1)
        for name, order, sign in (("score", 0, 1.0), ("curvature", 1, -1.0)):

            def rising(x, a, order=order, sign=sign):
                function = digamma if order == 0 else lambda z: polygamma(order, z)
                return sign * (function(x + a) - function(a))

            sums[name] = np.stack(
                [rising(block, a[:, None]) @ r for a, r in zip(self.alpha, resp, strict=True)]
            )
            sums[f"total_{name}"] = np.array(
                [rising(block.sum(axis=0), a) @ r for a, r in zip(totals, resp, strict=True)]
            )
        return Statistics(sums | {"fraction": np.zeros(self.alpha.shape)})


def _gaussian(model, covariance, matrices):
    def log_density(x, k):
        return multivariate_normal(MEANS[k], matrices[k]).logpdf(x.T)

    return Specimen(
        Gaussian(MEANS, covariance, model),
        {
            "log_density": log_density,
            "support": PLANE,
            "volume": 0.01,
            # Packed products are the fast form; above `packed_limit` columns every component whitens by itself.
            "generic": WhitenedGaussian(MEANS, covariance, model),
        },
    )


class WhitenedGaussian(Gaussian):
    """A Gaussian whose every component works about its own mean."""

    def needs_own_origin(self, encoding):
        return True


DIAGONALS = MATRICES * np.eye(2)
SPHERES = np.array([1.0, 0.4, 2.0])
COVARIANCES = {
    "Full": (Full(), MATRICES, MATRICES),
    "Tied": (Tied(), MATRICES[0], np.stack([MATRICES[0]] * 3)),
    "Diagonal": (Diagonal(), np.diagonal(MATRICES, axis1=1, axis2=2), DIAGONALS),
    "Spherical": (Spherical(), SPHERES, SPHERES[:, None, None] * np.eye(2)),
}

FAMILIES = {
    "Normal": Specimen(
        (Normal(), np.array([_normal(row) for row in NORMAL])),
        {
            "log_density": lambda x, k: norm(*NORMAL[k]).logpdf(x[0]),
            "support": LINE,
            "volume": 0.05,
        },
    ),
    "Multinomial": Specimen(
        (Multinomial(), np.log(SHARES)),
        {"x": _counts(4), "log_density": _multinomial_log_density, "support": _counts(5)},
    ),
}

COMPONENTS = {
    **{f"Gaussian, {name}": _gaussian(*arguments) for name, arguments in COVARIANCES.items()},
    "MultinomialComponents": Specimen(
        MultinomialComponents(np.log(SHARES), totals=np.array([2, 5, 9])),
        {
            "log_density": _multinomial_log_density,
            "support": _counts(6),
            "generic": mixtura.families.FamilyComponents(Multinomial(), np.log(SHARES)),
        },
    ),
    "DirichletMultinomial": Specimen(
        DirichletMultinomial(ALPHA, totals=np.array([2, 5, 9])),
        {
            "log_density": _dirichlet_multinomial_log_density,
            "support": _counts(6),
            "generic": PlainDirichletMultinomial(ALPHA),
            # Its sums are a score and a curvature: expected_log_prob is right to first order only
            # (test_dirichlet_multinomial.py checks that), and a step does not end at the maximum.
            "skip": ("inner product",),
        },
    ),
}

# Units of one, two, seven and more rows.
OFFSETS = np.array([0, 1, 3, 10, 30, 31, 60])
STRUCTURES = {
    "Independent": Specimen(Independent(np.log([0.2, 0.3, 0.5]))),
    "Grouped": Specimen(
        Grouped(np.array([1.0, 2.0, 0.5])),
        # Derivatives of a bound are those of its terms only where the local loop has converged: see the next one.
        {"offsets": OFFSETS, "skip": ("posterior", "Fisher's identity")},
    ),
    "Grouped, many local steps": Specimen(
        Grouped(np.array([1.0, 2.0, 0.5]), local_steps=100, tol=0.0), {"offsets": OFFSETS}
    ),
    "Grouped, fixed concentration": Specimen(
        Grouped(np.array([1.0, 2.0, 0.5]), learn=False),
        # Coordinates move the concentration too, which is not free here; test_structures.py fixes it.
        {"offsets": OFFSETS, "skip": ("stationary", "posterior", "Fisher's identity")},
    ),
    "Grouped, every row a unit": Specimen(
        Grouped(np.array([1.0, 2.0, 0.5]), local_steps=100, tol=0.0),
        # A row of weight 2 is two rows of one unit, not two units.
        {"skip": ("integer weights",)},
    ),
    "GroupedPlugIn": Specimen(GroupedPlugIn(np.log([0.2, 0.3, 0.5])), {"offsets": OFFSETS}),
}

# Exported names that are not specimens of their own: bases, tables, and the model that joins two parts.
BASES = {
    "ExponentialFamily",
    "FamilyBlock",
    "FamilyComponents",
    "CovarianceModel",
    "COVARIANCES",
    "LatentMixture",
}


def missing():
    """Exported names without a specimen."""
    exported = set()
    for module in (mixtura.families, mixtura.components, mixtura.structures):
        exported |= set(module.__all__)
    known = " ".join([*FAMILIES, *COMPONENTS, *STRUCTURES]).replace(",", "").split()
    return exported - BASES - set(known)


if missing():  # at collection: a family without a specimen is not tested at all
    message = f"no specimen for {sorted(missing())}: add ten lines to tests/contract/specimens.py"
    raise RuntimeError(message)
