"""All fourteen models of mclust on six data sets: its log-likelihoods reached or beaten by solutions that are not spurious.

mclust 6.0.0 under R 4.2.2; data and results lie beside the repository. There are two kinds of result: one fit from mclust's
own start, a model-based agglomeration, and the best of forty random starts. Both are optima from some starts, so "at least
the value - 1e-4". A spurious solution holds fewer than d + 1 rows in a component, or is flatter there than 1e-4 of the data.
"""

from typing import NamedTuple

import numpy as np
import pytest

from mixtura import GaussianMixture, select
from mixtura.components import MCLUST
from mixtura.components.eigen import nested_codes

pytestmark = pytest.mark.filterwarnings("ignore::mixtura.exceptions.StartsDisagreeWarning")

IRIS = ["Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width"]


class Set(NamedTuple):
    """Columns, their unit, mclust's names of its models, and the largest K."""

    columns: list[str] | slice
    scale: float = 1.0
    codes: tuple[str, ...] = tuple(MCLUST)
    largest: int = 6


SETS = {
    "galaxies": Set(["velocity"], 1e-3, ("E", "V")),
    "acidity": Set(["acidity"], 1.0, ("E", "V")),
    "faithful": Set(["eruptions", "waiting"]),
    "iris": Set(IRIS),
    "thyroid": Set(["RT3U", "T4", "T3", "TSH", "DTSH"]),
    "wine27": Set(slice(1, None), largest=4),
}

# One column has no shape.
ONE_COLUMN = {"E": "tied", "V": "full"}

AGGLOMERATED = {"init_params": "agglomerate"}

# Where our agglomeration leads elsewhere, or to mclust's value at a spurious solution: our usual starts reach it without one.
OTHERWISE = {
    *(("galaxies", *fit) for fit in [("E", 3), ("V", 5), ("V", 6)]),
    *(("acidity", "V", k) for k in (3, 4)),
    *(("faithful", code, 4) for code in ("EEI", "EVI", "VVV")),
    *(("faithful", code, 6) for code in ("EEI", "VEI", "EEV", "VVV")),
    *(("thyroid", *fit) for fit in [("EEE", 3), ("EEE", 4), ("EVE", 5), ("VVE", 5)]),
    *(("thyroid", code, 6) for code in ("EII", "EVI", "VVI", "EVV", "EVE")),
    *(("wine27", *fit) for fit in [("EVV", 2), ("EEE", 4), ("EEV", 4)]),
}

# mclust's solution is spurious, and none that is not was found above it.
SPURIOUS = {
    *(("acidity", "E", k) for k in (5, 6)),
    *(("thyroid", "EEI", k) for k in (4, 5, 6)),
    *(("thyroid", "EEE", k) for k in (5, 6)),
    *(("wine27", code, 4) for code in ("EII", "EEI")),
}

# Found from few of our usual starts, most often from random responsibilities; one round of the sieve finds all others.
RARE = {
    ("iris", "EEV", 3): {"n_init": 10},
    ("iris", "EEV", 4): {"init_params": "random", "n_init": 60},
    ("iris", "EVV", 4): {"n_init": 10},
    ("iris", "VVV", 4): {"n_init": 2},
    ("wine27", "EEE", 4): {"n_init": 10},
}


def rows_of(table, name):
    """The numbers of a set."""
    return table(name, SETS[name].columns, SETS[name].scale)


def known(results, source, code, k):
    """The log-likelihood of one fit of mclust, and its number of parameters."""
    fits = [fit for fit in results(source)["fits"] if (fit["model"], fit["G"]) == (code, k)]
    if not fits or fits[0].get("loglik") is None:
        pytest.skip(f"mclust has no solution of {code} with {k} components")
    return fits[0]["loglik"], fits[0]["df"]


def fitted(x, code, k, options):
    """A fit to the optimum itself, with nothing added to variances."""
    settings = {"reg_covar": 0.0, "random_state": 0, "tol": 1e-8, "max_iter": 5000} | options
    return GaussianMixture(k, covariance_type=ONE_COLUMN.get(code, code), **settings).fit(x)


def faults(model, x):
    """What is spurious about a solution; empty where nothing is."""
    least = model.predict_proba(x).sum(axis=0).min()
    flattest = np.linalg.eigvalsh(model.covariances_)[..., 0].min()
    share = flattest / np.linalg.eigvalsh(np.atleast_2d(np.cov(x.T, bias=True)))[0]
    found = (
        [f"a component of {least:.2f} rows, fewer than {x.shape[1] + 1}"]
        if least < x.shape[1] + 1 - 1e-6
        else []
    )
    return found + ([f"a component flatter than the data by {share:.1e}"] if share < 1e-4 else [])


def takes_long(name, code, k):
    """Common axes of many components take seconds a fit; overlapping ones (faithful) many steps."""
    return code in {"EVE", "VVE"} or k > {"faithful": 3, "thyroid": 3, "wine27": 3}.get(name, 6)


FITS = [
    pytest.param(name, code, k, marks=[pytest.mark.slow] if takes_long(name, code, k) else [])
    for name, given in SETS.items()
    for code in given.codes
    for k in range(1, given.largest + 1)
]


@pytest.mark.parametrize(("name", "code", "k"), FITS)
def test_what_mclust_finds_from_its_own_start(table, results, name, code, k):
    x = rows_of(table, name)
    log_likelihood, n_parameters = known(results, f"mclust_{name}", code, k)
    fit = (name, code, k)
    model = fitted(x, code, k, RARE.get(fit, {}) if fit in OTHERWISE else AGGLOMERATED)
    assert model.n_parameters() == n_parameters
    value, found = model.score(x) * len(x), faults(model, x)
    assert value >= log_likelihood - 1e-4
    if fit in SPURIOUS:
        # The same value: mclust's solution is this one.
        assert value == pytest.approx(log_likelihood, abs=1e-3)
        assert found
        pytest.skip(f"spurious, mclust's as ours of the same value: {'; '.join(found)}")
    assert not found


MANY = [
    pytest.param(name, code, k, marks=[pytest.mark.slow] if k > 2 or code in {"EVE", "VVE"} else [])
    for name in ("galaxies", "acidity", "faithful", "iris")
    for code in SETS[name].codes
    for k in (2, 3, 4)
]


@pytest.mark.parametrize(("name", "code", "k"), MANY)
def test_the_best_of_forty_random_starts_of_mclust(table, results, name, code, k):
    x = rows_of(table, name)
    log_likelihood, n_parameters = known(results, f"mclust_multistart_{name}", code, k)
    model = fitted(x, code, k, RARE.get((name, code, k), {}))
    assert model.score(x) * len(x) >= log_likelihood - 1e-4
    assert model.n_parameters() == n_parameters
    assert not faults(model, x)


@pytest.mark.slow
def test_a_sweep_over_all_models_of_iris_is_in_order(table):
    x = table("iris", IRIS)
    selection = select(
        GaussianMixture(random_state=0, reg_covar=0.0),
        x,
        n_components=[1, 2, 3],
        covariance_type=list(MCLUST),
    )
    found = {(row["covariance_type"], row["n_components"]): row["log_likelihood"] for row in selection.table}
    for (code, k), value in found.items():
        for smaller in nested_codes(code):
            assert value >= found[smaller, k] - 1e-9 * abs(value), (code, smaller, k)
    # mclust's choice by BIC, and its value with the other sign.
    assert (selection.chosen["covariance_type"], selection.chosen["n_components"]) == ("VEV", 2)
    assert selection.chosen["bic"] == pytest.approx(561.7284, abs=1e-2)
