"""Held-out log-likelihood of handwritten digits: mixtures of factor analysers against full and diagonal Gaussian mixtures.

    OMP_NUM_THREADS=1 python benchmarks/digits_factor.py

scikit-learn's digits: 1,797 rows of 8 x 8 pixels, whole numbers from 0 to 16. Three pixels are 0 in every row: they hold nothing
and are left out, 61 stay. Densities of whole numbers have no bound, so one draw of uniform noise from [0, 1) is added to every
pixel, once, the same for all models (the log-likelihood is then a lower bound on that of the whole numbers). Columns are divided by
the standard deviation of the training rows, so that regularisation means the same everywhere; results are in the units of pixels.

Five folds with a fixed seed. In each, K and whatever else a model has (factors, reg_covar) are those of the best log-likelihood on
a fifth of the training rows, for all models alike, each fitted from one k-means partition; the model chosen is then fitted to all
training rows from five, and scored once on the rows of the fold. All fits are mixtura's.
"""

from __future__ import annotations

import time
from itertools import product

import numpy as np
from _harness import options, pinned, progress, record, say, show
from sklearn.datasets import load_digits
from sklearn.model_selection import KFold, train_test_split

from mixtura import GaussianMixture
from mixtura.exceptions import DegenerateComponentError
from mixtura.models import FactorAnalyzerMixture

START = {"init_params": "kmeans", "random_state": 0}


def factor_analysers(noise):
    def make(n_components, n_factors, reg_covar, **options):
        return FactorAnalyzerMixture(
            n_components, n_factors, noise=noise, reg_covar=reg_covar, **START, **options
        )

    return make


def gaussian(kind):
    def make(n_components, reg_covar, **options):
        return GaussianMixture(n_components, covariance_type=kind, reg_covar=reg_covar, **START, **options)

    return make


# What makes a model, and the values of its settings that are tried.
MODELS = {
    "factor analysers, own noise": (
        factor_analysers("own"),
        ([10, 15, 20, 30], [2, 4, 8, 12], [0.01, 0.02, 0.04, 0.08]),
    ),
    "factor analysers, common noise": (factor_analysers("common"), ([15, 30], [8, 14], [0.01])),
    "full Gaussian": (gaussian("full"), ([1, 3, 5, 8, 12, 16, 24], [0.01, 0.03, 0.06, 0.1, 0.2])),
    "diagonal Gaussian": (gaussian("diag"), ([20, 40, 60, 80, 100, 130], [1e-3, 1e-2, 2e-2, 4e-2])),
}
QUICK = {
    "factor analysers, own noise": ([10, 20], [2, 8], [0.01]),
    "factor analysers, common noise": ([15], [8], [0.01]),
    "full Gaussian": ([3, 8], [0.03, 0.1]),
    "diagonal Gaussian": ([20, 60], [1e-2]),
}


def digits():
    """Rows with noise added, without the constant pixels."""
    x = load_digits().data
    x = x[:, np.ptp(x, axis=0) > 0]
    return x + np.random.default_rng(0).random(x.shape)


def score(model, train, test):
    """Mean log-likelihood of the test rows in the units of pixels, minus infinity where the fit collapsed."""
    scale = train.std(axis=0)
    centre = train.mean(axis=0)
    try:
        model.fit((train - centre) / scale)
    except DegenerateComponentError:
        return -np.inf
    return model.score((test - centre) / scale) - np.log(scale).sum()


def chosen(make, grid, train, fold):
    """The settings of the best validation score."""
    inner, validation = train_test_split(train, test_size=0.2, random_state=fold)
    return max(product(*grid), key=lambda settings: score(make(*settings, tol=1e-3), inner, validation))


def main():
    given = options(__doc__.splitlines()[0])
    x = digits()
    folds = list(KFold(5, shuffle=True, random_state=0).split(x))[: 1 if given.quick else 5]
    found = {name: [] for name in MODELS}
    with pinned(1):
        for fold, (train, test) in enumerate(folds):
            for name, (make, grid) in MODELS.items():
                begun = time.perf_counter()
                settings = chosen(make, QUICK[name] if given.quick else grid, x[train], fold)
                model = make(*settings, n_init=5, tol=1e-4)
                value = score(model, x[train], x[test])
                found[name].append(
                    {
                        "settings": settings,
                        "held_out": value,
                        "train": model.lower_bound_,
                        "n_parameters": model.n_parameters(),
                        "seconds": time.perf_counter() - begun,
                    }
                )
                progress(f"fold {fold + 1}: {name} {settings} {value:.2f}")
    first = np.array([one["held_out"] for one in found["factor analysers, own noise"]])
    rows = []
    for name, folds_of in found.items():
        values = np.array([one["held_out"] for one in folds_of])
        rows.append(
            [
                name,
                f"{values.mean():.2f}",
                f"{(first - values).mean():+.2f} ({np.sum(first > values)} of {len(values)})",
                " ".join("/".join(f"{value:g}" for value in one["settings"]) for one in folds_of),
                f"{np.mean([one['n_parameters'] for one in folds_of]):.0f}",
                f"{sum(one['seconds'] for one in folds_of):.0f}",
            ]
        )
    show(
        "Digits, 1,797 x 61: held-out log-likelihood per row (nats), mean over the folds",
        [
            "model",
            "held out",
            "own-noise factors ahead by (folds)",
            "K / factors / reg_covar",
            "parameters",
            "seconds",
        ],
        rows,
        "Uniform noise from [0, 1) is added to every pixel; settings by a validation part of the training rows.",
    )
    say("Seconds are those of all fits of a model, choice included, on one thread.")
    record("digits_factor", found, quick=given.quick)


if __name__ == "__main__":
    main()
