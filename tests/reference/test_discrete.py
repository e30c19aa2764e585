"""Optima of latent-class and Poisson mixtures that others found: at least as high, with exactly as many parameters.

poLCA 1.6 under R 4.2.2 (up to 200 starts), and EM from many starts in R and NumPy; data and results lie beside the repository.
"""

import csv

import numpy as np
import pytest
import scipy.sparse as sp

from mixtura import Mixture
from mixtura.families import Categorical
from mixtura.models import BernoulliMixture, PoissonMixture

# Classes that few of the starts find, and the library says so.
pytestmark = pytest.mark.filterwarnings("ignore::mixtura.exceptions.StartsDisagreeWarning")


@pytest.fixture
def complete(shared):
    """Rows of text without an empty cell."""

    def read(name, columns=None):
        with (shared / name / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = [
                [row[column] for column in columns or row if column is not None]
                for row in csv.DictReader(file)
            ]
        return [row for row in rows if all(value not in ("", "NA") for value in row)]

    return read


def reached(model, x, fit):
    """At least the known log-likelihood, as many parameters, and no component on less than five rows."""
    assert model.score(x) * x.shape[0] >= fit["loglik"] - 1e-4
    assert model.n_parameters() == fit.get("npar", fit.get("df"))
    assert model.weights_.min() * x.shape[0] > 5


@pytest.mark.parametrize(
    ("name", "k"), [*(("carcinoma", k) for k in (1, 2, 3, 4)), *(("values", k) for k in (1, 2, 3))]
)
def test_latent_classes(table, results, name, k):
    items = list("ABCDEFG" if name == "carcinoma" else "ABCD")
    x = table(f"polca_{name}", items) - 1.0
    fit = results(f"polca_{name}")["fits"][k - 1]
    assert fit["K"] == k
    model = BernoulliMixture(k, random_state=0, tol=1e-8, max_iter=5000).fit(x)
    reached(model, x, fit)
    if name == "carcinoma" and k == 2:
        order = np.argsort(model.weights_)[::-1]
        found = model.probabilities_[order]
        expected = np.array([[classes[1] for classes in fit["probs"][item]] for item in items]).T
        # Where their EM stopped and ours did.
        np.testing.assert_allclose(model.weights_[order], fit["P"], atol=1e-3)
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_house_votes(complete, results, k):
    x = np.array([[vote == "y" for vote in row[1:]] for row in complete("house_votes84")], dtype=float)
    fit = results("polca_house_votes84_complete")["fits"][k - 1]
    reached(BernoulliMixture(k, random_state=0, tol=1e-8, max_iter=5000).fit(x), x, fit)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_election_items_of_four_levels(complete, results, k):
    fit = results("polca_election_complete")["fits"][k - 1]
    rows = complete("polca_election", list(fit["probs"]))
    x = np.array([[int(answer[0]) - 1 for answer in row] for row in rows])
    reached(Mixture(Categorical.of(x), k, random_state=0, tol=1e-8).fit(x), x, fit)


@pytest.mark.parametrize("k", [1, 2, 10])
def test_binary_digits(shared, results, k):
    x = np.loadtxt(shared / "digits" / "optdigits_test_binary.csv", delimiter=",", skiprows=1)[:, :64]
    fits = {fit["K"]: fit for fit in results("discrete_mixtures")["optdigits_test_bernoulli"]["fits"]}
    rows = sp.csr_matrix(x)
    reached(BernoulliMixture(k, random_state=0, tol=1e-8).fit(rows), rows, fits[k])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_death_notices(table, results, k):
    """Published by Hasselblad (1969); days are weights of rows."""
    deaths, days = table("death_notices", ["deaths", "days"]).T
    x = deaths[:, None]
    fit = results("poisson_mixtures")["death_notices"][k - 1]
    model = PoissonMixture(k, random_state=0, tol=1e-9, max_iter=5000).fit(x, sample_weight=days)
    assert model.score(x, sample_weight=days) * days.sum() >= fit["loglik"] - 1e-4
    assert model.n_parameters() == fit["npar"]
    if k == 2:
        np.testing.assert_allclose(np.sort(model.rates_.ravel()), fit["lambda"], atol=0.01)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_earthquakes(table, results, k):
    x = table("earthquakes", ["count"])
    fit = results("poisson_mixtures")["earthquakes"][k - 1]
    reached(PoissonMixture(k, random_state=0, tol=1e-8, max_iter=5000).fit(x), x, fit)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_baskets_of_groceries(shared, results, k):
    """Flat about the optimum: runs of a thousand steps and more."""
    x = np.loadtxt(
        shared / "groceries" / "transaction_level2_binary.csv",
        delimiter=",",
        skiprows=1,
        usecols=range(1, 56),
    )
    fit = results("discrete_mixtures")["groceries_level2_bernoulli"]["fits"][k - 1]
    reached(BernoulliMixture(k, random_state=1, tol=1e-11, n_init=4, max_iter=20_000).fit(x), x, fit)
