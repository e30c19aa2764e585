"""The registry: one small specimen for every family, component, covariance and structure that the library exports."""

from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
from scipy.special import digamma, logit, polygamma
from scipy.stats import (
    bernoulli,
    binom,
    dirichlet_multinomial,
    geom,
    multinomial,
    multivariate_normal,
    norm,
    poisson,
)

import mixtura.components
import mixtura.families
import mixtura.structures
from contract.specimen_base import Specimen
from mixtura.components import MCLUST, Diagonal, DirichletMultinomial, Full, Gaussian, Spherical, Tied
from mixtura.families import Bernoulli, Binomial, Categorical, Geometric, Multinomial, Normal, Poisson
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


def _eigen(code):
    """Matrices lambda_k D_k A_k D_k' by the letters of the code."""
    volume, shape, angle = (
        np.array(values)[[0, 0, 0] if letter == "E" else [0, 1, 2]]
        for letter, values in zip(code, ([1.2, 0.4, 0.7], [2.0, 0.6, 3.0], [0.5, 1.4, -0.9]), strict=True)
    )
    shape = np.ones(3) if code[1] == "I" else shape
    angle = np.zeros(3) if code[2] == "I" else angle
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    matrices = (
        volume[:, None, None] * (axes * np.stack([shape, 1 / shape], axis=1)[:, None]) @ axes.swapaxes(1, 2)
    )
    model = MCLUST[code]()
    return model, model.from_matrices(matrices), matrices


COVARIANCES |= {code: _eigen(code) for code in MCLUST if MCLUST[code].__name__ == code}

PROBABILITIES = np.array([[0.5, 0.9], [0.2, 0.3]])
RATES = np.array([[1.0, 5.0], [8.0, 2.0]])
TRIALS = np.array([4, 7])
LEVELS = [2, 3, 4]
LEVEL_SHARES = np.array(
    [[0.5, 0.5, 0.2, 0.3, 0.5, 0.1, 0.2, 0.3, 0.4], [0.9, 0.1, 0.6, 0.3, 0.1, 0.4, 0.2, 0.2, 0.2]]
)


def _cells(*sizes):
    """All rows of columns with values 0, 1, ..., size - 1; shape (D, S)."""
    return np.array(list(product(*map(range, sizes))), dtype=float).T


def _columns(law, *parameters):
    """Log density of independent columns, each parameter (K, D)."""

    def log_density(x, k):
        return law(*(np.reshape(values[k], (-1, 1)) for values in parameters)).logpmf(x).sum(axis=0)

    return log_density


def _with_exposure(x, k):
    return poisson(RATES[k][:, None] * x[-1]).logpmf(x[:-1]).sum(axis=0)


def _with_trials(x, k):
    return binom(x[-1], PROBABILITIES[k][:, None]).logpmf(x[:-1]).sum(axis=0)


def _levels(x, k):
    columns = zip(x.astype(int), np.split(LEVEL_SHARES[k], np.cumsum(LEVELS)[:-1]), strict=True)
    return sum(np.log(shares[codes]) for codes, shares in columns)


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
    "Bernoulli": Specimen(
        (Bernoulli(), logit(PROBABILITIES)),
        {"log_density": _columns(bernoulli, PROBABILITIES), "support": _cells(2, 2)},
    ),
    "Poisson": Specimen(
        (Poisson(), np.log(RATES)),
        {"log_density": _columns(poisson, RATES), "support": _cells(40, 40)},
    ),
    "Poisson, exposure": Specimen(
        (Poisson(exposure=True), np.log(RATES)),
        {
            "x": np.concatenate([_cells(9, 9), np.linspace(0.2, 3.0, 81)[None]]),
            "log_density": _with_exposure,
            "support": np.concatenate([_cells(40, 40), np.full((1, 1600), 1.3)]),
        },
    ),
    "Geometric": Specimen(
        (Geometric(), np.log1p(-PROBABILITIES)),
        {"log_density": _columns(geom, PROBABILITIES), "support": _cells(99, 60) + 1.0},
    ),
    "Geometric, from 0": Specimen(
        (Geometric(first=0), np.log1p(-PROBABILITIES)),
        {"log_density": _columns(geom, PROBABILITIES, np.full((2, 2), -1)), "support": _cells(99, 60)},
    ),
    "Binomial": Specimen(
        (Binomial(TRIALS), logit(PROBABILITIES)),
        {"log_density": _columns(binom, np.stack([TRIALS, TRIALS]), PROBABILITIES), "support": _cells(5, 8)},
    ),
    "Binomial, trials of rows": Specimen(
        (Binomial(), logit(PROBABILITIES)),
        {
            "x": np.concatenate([_cells(5, 5), np.arange(25)[None] % 4 + 4.0]),
            "log_density": _with_trials,
            "support": np.concatenate([_cells(5, 5), np.full((1, 25), 4.0)]),
        },
    ),
    "Categorical": Specimen(
        (Categorical(LEVELS), np.log(LEVEL_SHARES)),
        {"log_density": _levels, "support": _cells(*LEVELS)},
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

# The other files of specimens, one a topic, join the same tables.
for path in sorted(Path(__file__).parent.glob("specimens_*.py")):
    topic = import_module(f"contract.{path.stem}")
    for table, name in ((FAMILIES, "FAMILIES"), (COMPONENTS, "COMPONENTS"), (STRUCTURES, "STRUCTURES")):
        table.update(getattr(topic, name, {}))

# Exported names that are not specimens of their own: bases, tables, and the model that joins two parts.
BASES = {
    "ColumnFamily",
    "ExponentialFamily",
    "FamilyBlock",
    "FamilyComponents",
    "CovarianceModel",
    "COVARIANCES",
    "MCLUST",
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
    message = f"no specimen for {sorted(missing())}: add ten lines to a file of specimens in tests/contract"
    raise RuntimeError(message)
