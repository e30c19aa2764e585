"""Components with priors: posterior laws and modes of every conjugate family and covariance structure."""

import numpy as np

from contract.specimen_base import Specimen
from mixtura.components import Diagonal, Full, Gaussian, Product, Spherical, Tied, hooks
from mixtura.priors import BetaPrior, GammaPrior, NormalWishartPrior
from mixtura.protocols import Encoding
from posteriors.laws import CASES

# Scores of posterior laws are averages of log densities: no densities that sum to one, nor derivatives with mean zero; their
# coordinates are those of the laws; and a component without rows is the prior, no failure.
LAWS = {"skip": ("reference", "normalised", "sampled score", "parameters", "empty", "override")}
# A mode has the density and the parameters of components without a prior, and none of them is ever empty.
MODES = {"skip": ("reference", "normalised", "empty", "override")}


def made(blank, prior, x, make, n_components=3):
    """Components with a prior after one step from soft responsibilities, and the rows."""
    encoding, n_rows = Encoding(len(x)), x.shape[1]
    block = blank.encode(x, encoding)
    resp = np.random.default_rng(2).dirichlet(np.full(n_components, 0.3), size=n_rows).T
    overall = blank.expected_statistics(block, np.ones((1, n_rows)))
    return make(blank, prior, overall, None).maximize(blank.expected_statistics(block, resp))


def _gaussian(model):
    """Rows of two columns, and a prior."""
    x = np.random.default_rng(3).normal(size=(2, 60)) + np.repeat(
        [[0.0, 3.0, -2.0], [0.0, 1.0, 2.0]], 20, axis=1
    )
    scatter = {Full: np.eye(2), Tied: np.eye(2), Diagonal: [1.0, 0.5], Spherical: 0.8}[model]
    return Gaussian(model=model()), NormalWishartPrior([0.0, 1.0], 0.5, 3.0, scatter), x


def _product():
    parts = {"ones": CASES["bernoulli"], "counts": CASES["poisson"]}
    blocks = {
        name: (case.family, list(range(3 * i, 3 * i + 3))) for i, (name, case) in enumerate(parts.items())
    }
    prior = {"ones": BetaPrior(1.5, 2.0), "counts": GammaPrior(2.0, 1.0)}
    return Product(blocks), prior, np.concatenate([case.x for case in parts.values()])


ALL = {name: (case.blank, case.prior, case.x) for name, case in CASES.items()}
ALL |= {f"Gaussian, {model.__name__}": _gaussian(model) for model in (Full, Tied, Diagonal, Spherical)}
ALL["Product"] = _product()
COMPONENTS = {}
for _name, (_blank, _prior, _x) in ALL.items():
    COMPONENTS[f"Posterior of {_name}"] = Specimen(
        made(_blank, _prior, _x, hooks.variational), LAWS | {"x": _x}
    )
    COMPONENTS[f"Mode of {_name}"] = Specimen(made(_blank, _prior, _x, hooks.penalized), MODES | {"x": _x})
