"""Optima that R packages found: at least as high, with exactly as many parameters.

mclust 6.0.0, mixtools 2.0.0 under R 4.2.2; data and results with their generator lie beside the repository. What they found
are optima from some starts, not always the best: so "at least the value - 1e-4".
"""

import numpy as np
import pytest

from mixtura import GaussianMixture

# Small clusters are found by few of the starts, and the library says so.
pytestmark = pytest.mark.filterwarnings("ignore::mixtura.exceptions.StartsDisagreeWarning")

# mclust's names of the four covariance types.
TYPES = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}
IRIS = ["Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width"]
# The figures for K = 2 of the iris data, written out: log-likelihood and parameters.
IRIS_TWO = {
    "full": (-214.3547, 29),
    "tied": (-296.4476, 19),
    "diag": (-386.1853, 17),
    "spherical": (-478.5591, 11),
}


def total(model, x):
    return model.score(x) * len(x)


def fitted(x, k, kind):
    return GaussianMixture(k, covariance_type=kind, reg_covar=0.0, random_state=0, tol=1e-8, n_init=4).fit(x)


def known(results, name, model, k):
    """The best log-likelihood and the parameters of one fit, from many starts where there are any."""
    found = [
        (fit["loglik"], fit["df"])
        for source in (f"mclust_multistart_{name}", f"mclust_{name}")
        for fit in results(source)["fits"]
        if fit.get("model") == model and fit["G"] == k and "loglik" in fit
    ]
    return found[0]


@pytest.mark.parametrize("kind", TYPES)
def test_iris_with_two_components(table, kind):
    x = table("iris", IRIS)
    model = fitted(x, 2, kind)
    log_likelihood, n_parameters = IRIS_TWO[kind]
    assert total(model, x) >= log_likelihood - 1e-4
    assert model.n_parameters() == n_parameters


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("kind", TYPES)
def test_iris(table, results, kind, k):
    x = table("iris", IRIS)
    model = fitted(x, k, kind)
    log_likelihood, n_parameters = known(results, "iris", TYPES[kind], k)
    assert total(model, x) >= log_likelihood - 1e-4
    assert model.n_parameters() == n_parameters


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("kind", TYPES)
def test_faithful(table, results, kind, k):
    x = table("faithful", ["eruptions", "waiting"])
    model = fitted(x, k, kind)
    log_likelihood, n_parameters = known(results, "faithful", TYPES[kind], k)
    assert total(model, x) >= log_likelihood - 1e-4
    assert model.n_parameters() == n_parameters


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize(("kind", "name"), [("full", "V"), ("tied", "E")])
@pytest.mark.parametrize(
    ("data", "column", "scale"), [("galaxies", "velocity", 1e-3), ("acidity", None, 1.0)]
)
def test_one_dimension(table, results, shared, data, column, scale, kind, name, k):
    if column is None:
        column = (shared / data / f"{data}.csv").read_text(encoding="utf-8").split("\n")[0].strip('"')
    x = table(data, [column], scale)
    model = fitted(x, k, kind)
    log_likelihood, n_parameters = known(results, data, name, k)
    assert total(model, x) >= log_likelihood - 1e-4
    assert model.n_parameters() == n_parameters


def test_nested_models_of_iris_order_their_likelihoods(table):
    x = table("iris", IRIS)
    for k in (2, 3):
        found = {kind: total(fitted(x, k, kind), x) for kind in TYPES}
        assert found["spherical"] < found["diag"] < found["full"]
        assert found["tied"] < found["full"]


def test_waiting_times_with_equal_deviations(table):
    """mixtools: log-likelihood, weights, means and the common standard deviation."""
    x = table("faithful", ["waiting"])
    model = fitted(x, 2, "tied")
    order = np.argsort(model.means_.ravel())
    assert total(model, x) == pytest.approx(-1034.00176, abs=1e-4)
    # The digits that were published.
    np.testing.assert_allclose(model.weights_[order][0], 0.36085, atol=5e-5)
    np.testing.assert_allclose(model.means_.ravel()[order], [54.6136, 80.0903], atol=5e-4)
    np.testing.assert_allclose(np.sqrt(model.covariances_).ravel(), 5.8691, atol=5e-4)


@pytest.mark.parametrize("name", ["faithful_waiting", "faithful_eruptions"])
def test_mixtools_from_its_start(table, results, name):
    theirs = results("mixtools")["fits"][name]
    x = table("faithful", [name.split("_")[1]])
    start = theirs["start"]
    model = GaussianMixture(
        2,
        weights_init=start["lambda"],
        means_init=np.reshape(start["mu"], (2, 1)),
        precisions_init=1.0 / np.reshape(start["sigma"], (2, 1, 1)) ** 2,
        reg_covar=0.0,
        tol=1e-10,
    ).fit(x)
    ours = np.array(model.starts_[0].history) * len(x)
    # Its later steps are those of a variant of EM; start and end are the same.
    assert ours[0] == pytest.approx(theirs["first10_loglik"][0], rel=1e-12)
    assert ours[-1] == pytest.approx(theirs["loglik"], abs=1e-6)
    order = np.argsort(model.means_.ravel())
    np.testing.assert_allclose(model.means_.ravel()[order], theirs["mu"], rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(model.covariances_.ravel()[order]), theirs["sigma"], rtol=1e-3)
