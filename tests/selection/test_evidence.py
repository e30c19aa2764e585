"""The number of components chosen by the bound of the evidence."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import gammaln

from mixtura import GaussianMixture, Mixture, select
from mixtura.components import Gaussian
from mixtura.exceptions import InvalidParameterError
from mixtura.plots import plot_selection
from mixtura.priors import DirichletProcessPrior


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(c, 1.0, (80, 2)) for c in (0.0, 5.0, 10.0)])


@pytest.fixture(scope="module")
def selection(rows):
    return select(
        Mixture(Gaussian(), inference="variational", random_state=0),
        rows,
        n_components=[1, 2, 3, 4],
        criterion="lower_bound",
    )


def test_the_true_number_has_the_highest_bound(selection):
    assert selection.chosen["n_components"] == 3
    bounds = [row["lower_bound"] for row in selection.table]
    assert int(np.argmax(bounds)) == 2
    assert "lower_bound" in str(selection)


def test_the_bound_counts_the_numberings_of_the_components_in_use(selection):
    for row, model in zip(selection.table, selection.estimators, strict=True):
        k = row["n_components"]
        ways = gammaln(k + 1) - gammaln(max(k - 3, 0) + 1)
        assert_allclose(row["lower_bound"], model.lower_bound_ * 240 + ways)


@pytest.mark.filterwarnings("ignore::mixtura.exceptions.EdgeOfRangeWarning")
def test_sticks_are_broken_in_one_order(rows):
    model = Mixture(Gaussian(), weights_prior=DirichletProcessPrior(1.0), random_state=0)
    found = select(model, rows, n_components=[3, 4, 5], criterion="lower_bound")
    # More sticks never hurt, up to what the stopping rule leaves (1e-5 a row).
    assert np.diff([row["lower_bound"] for row in found.table]).min() > -1e-5 * 240
    for row, one in zip(found.table, found.estimators, strict=True):
        assert_allclose(row["lower_bound"], one.lower_bound_ * 240)


def test_the_bound_is_drawn_with_the_better_side_up(selection):
    ax = plot_selection(selection)
    assert ax.get_ylabel() == "Lower bound of the log evidence (higher is better)"
    below = [line for line in ax.lines if line.get_marker() == "."]
    best = {row["n_components"]: row["lower_bound"] for row in selection.table}
    for line in below:
        for k, value in zip(*line.get_data(), strict=True):
            assert value <= best[int(k)] + 1e-9


def test_a_fit_without_posterior_laws_has_no_bound(rows):
    with pytest.raises(
        InvalidParameterError, match="fitted without posterior laws; expected inference='variational'"
    ):
        select(GaussianMixture(random_state=0), rows, n_components=[1, 2], criterion="lower_bound")
