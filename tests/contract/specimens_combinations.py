"""Specimens of components made of components: products, unions, nested mixtures; and the noise that unions are for."""

from itertools import product

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm, poisson

from contract.specimen_base import Specimen
from mixtura.components import Diagonal, Gaussian, Nested, Product, Spherical, Tied, UniformNoise, Union
from mixtura.families import Categorical, FamilyComponents, Poisson

MEANS = np.array([[0.0, 0.0], [3.0, 1.0], [-1.0, 2.5], [2.0, -2.0]])
MATRICES = np.array(
    [[[1.0, 0.6], [0.6, 2.0]], [[0.5, -0.1], [-0.1, 0.4]], [[1.5, 0.0], [0.0, 0.3]], [[0.6, 0.2], [0.2, 0.9]]]
)
# Midpoints of cells of 0.1 by 0.1 that cover the densities above; they are the region of the noise, too.
LOWER, UPPER = np.array([-16.0, -16.0]), np.array([16.0, 19.0])
PLANE = np.stack(
    np.meshgrid(*(np.arange(low, high - 0.05, 0.1) + 0.05 for low, high in zip(LOWER, UPPER, strict=True)))
)
PLANE = PLANE.reshape(2, -1)
RATES = np.array([2.0, 7.0, 0.5])
SHARES = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]])
AMOUNTS = np.array([[0.0, 1.0], [3.0, 0.5], [-2.0, 2.0]])  # mean, standard deviation
INNER = np.array([[0.3, 0.7], [0.6, 0.4]])


def plane_log_density(x, k):
    return multivariate_normal(MEANS[k], MATRICES[k]).logpdf(x.T)


# --- products -----------------------------------------------------------------------------------------------------
MIXED = Product(
    {
        "amount": (Gaussian(AMOUNTS[:, :1], AMOUNTS[:, 1, None, None] ** 2), [1]),
        "visits": (FamilyComponents(Poisson(), np.log(RATES)[:, None]), [0]),
        "region": (FamilyComponents(Categorical([3]), np.log(SHARES)), [2]),
    }
)
CELLS = np.array(list(product(np.arange(30.0), np.arange(-22.0, 18.0, 0.25) + 0.125, range(3)))).T


def mixed_log_density(x, k):
    visits, amount, region = x
    return (
        norm(*AMOUNTS[k]).logpdf(amount)
        + poisson(RATES[k]).logpmf(visits)
        + np.log(SHARES[k, region.astype(int)])
    )


# Columns 2 and 0 in one block, in this order, and column 1 in another.
APART = Product(
    {
        "pair": (Gaussian(MEANS[:3], MATRICES[0], Tied()), [2, 0]),
        "single": (Gaussian(AMOUNTS[:, :1], AMOUNTS[:, 1, None, None] ** 2), [1]),
    }
)


def apart_log_density(x, k):
    return multivariate_normal(MEANS[k], MATRICES[0]).logpdf(x[[2, 0]].T) + norm(*AMOUNTS[k]).logpdf(x[1])


VARIANCES = np.diagonal(MATRICES, axis1=1, axis2=2)
SINGLES = Product(
    {
        "first": (Gaussian(MEANS[:3, :1], VARIANCES[:3, :1], Diagonal()), [0]),
        "second": (Gaussian(MEANS[:3, 1:], VARIANCES[:3, 1:], Diagonal()), [1]),
    }
)


def diagonal_log_density(x, k):
    return norm(MEANS[k][:, None], np.sqrt(VARIANCES[k])[:, None]).logpdf(x).sum(axis=0)


# --- unions -------------------------------------------------------------------------------------------------------
NOISE = UniformNoise(LOWER, UPPER, n_components=1)
AND_NOISE = Union(Gaussian(MEANS[:3], MATRICES[:3]), NOISE)
SPHERE = np.array([0.7, 1.3])
TWO_KINDS = Union(Gaussian(MEANS[:2], MATRICES[:2]), Gaussian(MEANS[2:], SPHERE, Spherical()))
TURNED = np.array([[0.8, -0.6], [0.6, 0.8]])


def noise_log_density(x, k):
    return np.full(x.shape[1], -np.log(np.prod(UPPER - LOWER)))


def and_noise_log_density(x, k):
    return (noise_log_density if k == 3 else plane_log_density)(x, k)


def two_kinds_log_density(x, k):
    return plane_log_density(x, k) if k < 2 else multivariate_normal(MEANS[k], SPHERE[k - 2]).logpdf(x.T)


# --- nested -------------------------------------------------------------------------------------------------------
NESTED = Nested(Gaussian(MEANS, MATRICES), 2, INNER)
LEVEL_SHARES = np.array(
    [
        [0.9, 0.1, 0.2, 0.8, 0.7, 0.3],
        [0.3, 0.7, 0.9, 0.1, 0.1, 0.9],
        [0.5, 0.5, 0.1, 0.9, 0.2, 0.8],
        [0.1, 0.9, 0.6, 0.4, 0.9, 0.1],
    ]
)
BITS = np.array(list(product(range(2), repeat=3)), dtype=float).T


def nested_log_density(x, k):
    inner = np.stack([plane_log_density(x, 2 * k + m) for m in range(2)])
    return logsumexp(inner, axis=0, b=INNER[k][:, None])


def classes_log_density(x, k):
    columns = np.arange(3)[:, None] * 2 + x.astype(int)
    inner = np.stack([np.log(LEVEL_SHARES[2 * k + m])[columns].sum(axis=0) for m in range(2)])
    return logsumexp(inner, axis=0, b=INNER[k][:, None])


# Combinations have no faster form of their own (docs/add-a-family.md), so nothing is overridden.
PLAIN = ("override",)
# A step is one of EM with a second hidden label: no maximum of the outer sum, to which its sums are a tangent. That it
# rises, and is what a loop says, is in tests/models/test_combinations.py.
HIDDEN = ("inner product", "stationary")

COMPONENTS = {
    "Product, mixed": Specimen(
        MIXED, {"log_density": mixed_log_density, "support": CELLS, "volume": 0.25, "skip": PLAIN}
    ),
    "Product, columns apart": Specimen(
        APART, {"log_density": apart_log_density, "skip": (*PLAIN, "normalised")}
    ),
    "Product, Gaussian columns": Specimen(
        SINGLES,
        {
            "log_density": diagonal_log_density,
            "support": PLANE,
            "volume": 0.01,
            "generic": Gaussian(MEANS[:3], VARIANCES[:3], Diagonal()),
        },
    ),
    "Union, noise": Specimen(
        AND_NOISE, {"log_density": and_noise_log_density, "support": PLANE, "volume": 0.01, "skip": PLAIN}
    ),
    "Union, kinds in turn": Specimen(
        TWO_KINDS.take([0, 2, 1, 3]),
        {
            "log_density": lambda x, k: two_kinds_log_density(x, [0, 2, 1, 3][k]),
            "support": PLANE,
            "volume": 0.01,
            "skip": PLAIN,
        },
    ),
    "Union, one law": Specimen(
        Union(Gaussian(MEANS[:1], MATRICES[:1]), Gaussian(MEANS[1:], MATRICES[1:])),
        {
            "log_density": plane_log_density,
            "support": PLANE,
            "volume": 0.01,
            "generic": Gaussian(MEANS, MATRICES),
        },
    ),
    "UniformNoise": Specimen(
        UniformNoise(LOWER, UPPER, n_components=2),
        # It has no parameters, needs no rows, and two of it are alike.
        {
            "log_density": noise_log_density,
            "support": PLANE,
            "volume": 0.01,
            "skip": (*PLAIN, "parameters", "empty", "split"),
        },
    ),
    "Nested": Specimen(
        NESTED, {"log_density": nested_log_density, "support": PLANE, "volume": 0.01, "skip": PLAIN + HIDDEN}
    ),
    "Nested, latent classes": Specimen(
        Nested(FamilyComponents(Categorical([2, 2, 2]), np.log(LEVEL_SHARES)), 2, INNER),
        {"log_density": classes_log_density, "support": BITS, "skip": PLAIN + HIDDEN},
    ),
    "Nested, one inner component": Specimen(
        Nested(Gaussian(MEANS[:3], MATRICES[:3]), 1),
        {
            "log_density": plane_log_density,
            "support": PLANE,
            "volume": 0.01,
            "generic": Gaussian(MEANS[:3], MATRICES[:3]),
        },
    ),
    "Nested, a union of a product and noise": Specimen(
        Nested(Union(SINGLES, UniformNoise(LOWER, UPPER, n_components=1)), 2, INNER),
        {"skip": PLAIN + HIDDEN + ("reference", "normalised")},
    ),
}
