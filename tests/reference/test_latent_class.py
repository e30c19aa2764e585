"""Latent class analyses of poLCA 1.6 (R 4.2.2, up to 200 starts), with complete rows and with missing cells kept.

The likelihood has to be at least as high, with as many parameters; and at poLCA's own estimates every figure that it prints
has to come out, so that the figures mean the same.
"""

import numpy as np
import pandas as pd
import pytest

from mixtura.models import CategoricalMixture

# Classes that few of the starts find, and the library says so.
pytestmark = pytest.mark.filterwarnings("ignore::mixtura.exceptions.StartsDisagreeWarning")

STUDIES = {
    "carcinoma": ("polca_carcinoma", 4),
    "values": ("polca_values", 3),
    "election_complete": ("polca_election", 3),
    "election_missing_kept": ("polca_election", 3),
    "house_votes84_complete": ("house_votes84", 5),
    "house_votes84_missing_kept": ("house_votes84", 4),
}
CASES = [(name, k) for name, (_, most) in STUDIES.items() for k in range(1, most + 1)]


@pytest.fixture(scope="session")
def study(shared, results):
    """Rows as the survey has them, and what poLCA found for K classes."""

    def read(name, k):
        folder, _ = STUDIES[name]
        fit = results(f"polca_{name}")["fits"][k - 1]
        assert fit["K"] == k
        rows = pd.read_csv(shared / folder / f"{folder}.csv")[list(fit["probs"])]
        if name.endswith("complete"):
            rows = rows.dropna()
        assert len(rows) == fit["N"]
        return rows, fit

    return read


@pytest.fixture(scope="session")
def fitted(study):
    """Mixtures by study and K, each fitted once."""
    kept = {}

    def fit(name, k):
        if (name, k) not in kept:
            rows, _ = study(name, k)
            kept[name, k] = CategoricalMixture(k, random_state=0, tol=1e-8, max_iter=5000).fit(rows)
        return kept[name, k]

    return fit


@pytest.mark.parametrize(("name", "k"), CASES)
def test_the_likelihood_is_reached_with_as_many_parameters(study, fitted, name, k):
    rows, fit = study(name, k)
    model = fitted(name, k)
    assert model.score(rows) * len(rows) >= fit["loglik"] - 1e-4
    assert model.n_parameters() == fit["npar"]
    assert model.weights_.min() * len(rows) > 5
    table = model.goodness_of_fit(rows)
    assert (table.df, table.rows, table.complete_rows) == (fit["resid_df"], fit["N"], fit["Nobs"])


@pytest.mark.parametrize("name", STUDIES)
def test_more_classes_are_never_worse(study, fitted, name):
    values = []
    for k in range(1, STUDIES[name][1] + 1):
        rows, _ = study(name, k)
        values.append(fitted(name, k).score(rows))
    assert values == sorted(values)


def at_their_estimates(rows, fit):
    """A mixture with poLCA's estimates, and the sum of their class sizes.

    One row of the votes has no answer at all. With three and four classes poLCA gives it to no class, so that its sizes sum to
    434/435 and its likelihood is too low by the 435th power of that.
    """
    sizes = np.atleast_1d(fit["P"])  # R writes a single share as a number
    tables = list(fit["probs"].values())
    model = CategoricalMixture(
        fit["K"], max_iter=0, weights_init=sizes / sizes.sum(), probabilities_init=tables
    )
    return model.fit(rows), sizes.sum()


@pytest.mark.filterwarnings("ignore::mixtura.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("name", "k"), CASES)
def test_every_figure_comes_out_at_their_estimates(study, name, k):
    rows, fit = study(name, k)
    model, total = at_their_estimates(rows, fit)
    lost = name == "house_votes84_missing_kept" and k > 2
    assert total == pytest.approx(434 / 435 if lost else 1.0, abs=1e-9)
    missed = -fit["N"] * np.log(total)
    # Their probabilities are printed to 15 digits; those below 1e-10 are raised to it here.
    assert model.score(rows) * len(rows) == pytest.approx(fit["loglik"] + missed, abs=1e-6)
    assert model.aic(rows) == pytest.approx(fit["AIC"] - 2 * missed, abs=1e-5)
    assert model.bic(rows) == pytest.approx(fit["BIC"] - 2 * missed, abs=1e-5)
    table = model.goodness_of_fit(rows)
    assert table.g2 == pytest.approx(fit["Gsq"] + 2 * fit["Nobs"] * np.log(total), abs=1e-5)
    # X2 is the sum of O^2 / E, minus the rows.
    assert table.x2 == pytest.approx((fit["Chisq"] + fit["Nobs"]) * total - fit["Nobs"], rel=1e-6)
    assert table.df == fit["resid_df"]


@pytest.mark.parametrize(
    ("name", "k"), [("carcinoma", 3), ("election_missing_kept", 2), ("house_votes84_missing_kept", 2)]
)
def test_the_same_optimum_has_the_same_classes(study, fitted, name, k):
    rows, fit = study(name, k)
    model = fitted(name, k)
    assert model.score(rows) * len(rows) == pytest.approx(fit["loglik"], abs=1e-3)
    order = np.argsort(model.weights_)[::-1]
    # Where their EM stopped and ours did.
    np.testing.assert_allclose(model.weights_[order], fit["P"], atol=2e-3)
    for found, expected in zip(model.probabilities_, fit["probs"].values(), strict=True):
        np.testing.assert_allclose(found[order], expected, atol=5e-3)
    assert model.bic(rows) == pytest.approx(fit["BIC"], abs=2e-3)
    assert model.goodness_of_fit(rows).g2 == pytest.approx(fit["Gsq"], abs=0.05)
