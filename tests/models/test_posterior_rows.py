"""Draws of parameters and rows, predictive checks, numbers of used components, summaries and pictures of Bayesian fits."""

import sys
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from mixtura import BayesianGaussianMixture, Mixture
from mixtura.components import Gaussian, NegativeBinomial, Product
from mixtura.exceptions import InvalidDataError, InvalidParameterError, MissingExtraError
from mixtura.families import Categorical, Normal, Poisson
from mixtura.models._posterior_checks import PredictiveCheck
from mixtura.models._posterior_used import _by_draws, expected_counts, number_used
from mixtura.plots import plot_posterior_predictive, plot_posterior_weights
from mixtura.priors import DirichletPrior, DirichletProcessPrior, GammaPrior, NormalGammaPrior, PitmanYorPrior
from mixtura.structures import EqualWeights


@pytest.fixture
def counts(rng):
    return np.where(rng.random(150) < 0.4, rng.poisson(2.0, 150), rng.poisson(9.0, 150)).astype(float)[
        :, None
    ]


@pytest.fixture
def mixture(counts):
    return Mixture(
        Poisson(), 3, inference="variational", prior=GammaPrior(2.0, 0.5), tol=1e-8, random_state=0
    ).fit(counts)


# --- the number of used components ---
def enumerated(resp, weight):
    """By going through all labels of all rows."""
    found = np.zeros(resp.shape[1] + 1)
    rows = np.repeat(resp, weight, axis=0)
    for labels in product(range(resp.shape[1]), repeat=len(rows)):
        found[len(set(labels))] += np.prod([row[k] for row, k in zip(rows, labels, strict=True)])
    return found


@pytest.mark.parametrize("weight", [[1, 1, 1, 1, 1], [2, 1, 0, 1, 3]])
def test_number_used_is_that_of_all_labels(rng, weight):
    resp = rng.dirichlet([0.3, 1.0, 0.5], size=5)
    found = number_used(resp, np.array(weight, dtype=float), 1, rng)
    assert found == pytest.approx(enumerated(resp, weight), abs=1e-12)


def test_number_used_with_certain_and_impossible_components():
    resp = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    found = number_used(resp, np.ones(3), 1, np.random.default_rng(0))
    assert found == pytest.approx([0, 0, 0.5, 0.5, 0])
    assert found == pytest.approx(enumerated(resp, [1, 1, 1]))


def test_drawn_labels_agree_with_exact_ones(rng):
    resp = rng.dirichlet([0.1, 0.2, 0.05, 3.0], size=12)
    weight = rng.integers(0, 3, 12).astype(float)
    exact = number_used(resp, weight, 1, rng)
    drawn = _by_draws(resp, weight, np.arange(4), 4000, rng)
    assert drawn == pytest.approx(exact, abs=4 * 0.5 / np.sqrt(4000))  # four standard errors at most


def test_many_components_in_doubt_are_drawn(rng):
    resp = rng.dirichlet(np.full(20, 0.2), size=15)
    one, two = (number_used(resp, np.ones(15), 300, np.random.default_rng(3)) for _ in range(2))
    assert one.sum() == pytest.approx(1.0)
    assert np.array_equal(one, two)
    mean = np.sum(1.0 - np.prod(1.0 - resp, axis=0))
    assert one @ np.arange(21) == pytest.approx(mean, abs=4 * 1.5 / np.sqrt(300))


def test_counts_are_the_expected_rows(mixture, counts):
    expected = mixture.predict_proba(counts).sum(axis=0)
    assert mixture.counts_ == pytest.approx(expected, abs=0.05)  # the laws are one step behind
    assert mixture.n_used_ == (expected >= 1).sum()
    found = mixture.n_used_distribution(counts)
    assert found.shape == (4,)
    assert found.sum() == pytest.approx(1.0)
    assert mixture.n_used_distribution(counts[:1]) == pytest.approx([0, 1, 0, 0])


@pytest.mark.parametrize(
    "weights", [DirichletPrior(0.1), DirichletProcessPrior(0.5), PitmanYorPrior(0.5, 0.3), None]
)
@pytest.mark.parametrize("learn", [False, True])
def test_counts_of_every_law_of_the_weights(counts, weights, learn):
    mixture = Mixture(
        Poisson(),
        4,
        inference="variational",
        weights_prior=weights,
        empirical_bayes=learn,
        tol=1e-10,
        max_iter=20_000,
        random_state=0,
    ).fit(counts)
    # Learnt priors belong to the step after; where tol is small the difference is, too.
    assert mixture.counts_ == pytest.approx(mixture.predict_proba(counts).sum(axis=0), abs=0.1)


def test_equal_weights_hold_no_counts(counts):
    assert expected_counts(EqualWeights(2), 10.0) is None
    mixture = Mixture(Poisson(), 2, inference="variational", equal_weights=True, random_state=0).fit(counts)
    assert not hasattr(mixture, "n_used_")
    assert mixture.n_used_distribution(counts)[2] == pytest.approx(1.0)


# --- draws ---
def test_posterior_samples_are_arrays_by_name(counts):
    X = np.column_stack([counts, counts[::-1] + 1.0])
    mixture = BayesianGaussianMixture(2, random_state=0, tol=1e-6).fit(X)
    found = mixture.posterior_samples(30, X, n_chains=2, random_state=0)
    assert {name: array.shape for name, array in found.items()} == {
        "weight": (2, 30, 2),
        "mean": (2, 30, 2, 2),
        "covariance": (2, 30, 2, 2, 2),
    }
    assert found["covariance"] == pytest.approx(np.swapaxes(found["covariance"], -1, -2))
    assert np.linalg.eigvalsh(found["covariance"]).min() > 0
    assert found["mean"].mean(axis=(0, 1)) == pytest.approx(mixture.means_, abs=0.5)


def test_draws_of_the_laws_have_their_moments(mixture):
    found = mixture.posterior_samples(4000, method="laws", random_state=0)
    alpha = mixture._model().structure.concentration
    assert found["weight"].mean(axis=(0, 1)) == pytest.approx(alpha / alpha.sum(), abs=0.005)
    chi, nu = mixture._components.hyper
    used = mixture.counts_ >= 1
    assert found["rate"].mean(axis=(0, 1))[used] == pytest.approx((chi / nu)[used], rel=0.01)


def test_prior_samples_have_the_moments_of_the_priors(counts):
    mixture = Mixture(
        Poisson(),
        3,
        prior=GammaPrior(3.0, 0.5),
        weights_prior=DirichletPrior([1.0, 2.0, 3.0]),
        random_state=0,
    ).fit(counts)
    found = mixture.prior_samples(4000, random_state=1)
    assert found["weight"].shape == (1, 4000, 3)
    assert found["weight"].mean(axis=(0, 1)) == pytest.approx(np.arange(1, 4) / 6, abs=0.02)
    assert stats.kstest(found["rate"].ravel(), stats.gamma(3.0, scale=2.0).cdf).pvalue > 1e-3
    process = Mixture(Poisson(), 4, weights_prior=DirichletProcessPrior(2.0), random_state=0).fit(counts)
    weights = process.prior_samples(4000, random_state=1)["weight"].mean(axis=(0, 1))
    assert (np.diff(weights) < 0).all()  # whatever the data, before them the first stick is the longest


def test_posterior_predictive_rows_have_the_predictive_law(rng):
    x = rng.normal(2.0, 1.0, 6)[:, None]
    prior = NormalGammaPrior(mean=0.0, mean_precision=1.0, shape=2.0, rate=2.0)
    mixture = Mixture(Normal(), 1, inference="variational", prior=prior).fit(x)
    kappa, shape = 7.0, 5.0
    rate = 2.0 + 0.5 * ((x - x.mean()) ** 2).sum() + 0.5 * 6 / kappa * x.mean() ** 2
    law = stats.t(2 * shape, x.sum() / kappa, np.sqrt(rate * (kappa + 1) / (shape * kappa)))
    drawn = mixture.sample_predictive(2000, random_state=0)
    assert drawn.shape == (2000, 1)
    assert stats.kstest(drawn.ravel(), law.cdf).pvalue > 1e-3
    first = stats.t(4.0, 0.0, np.sqrt(2.0 * 2.0 / (2.0 * 1.0)))
    assert stats.kstest(mixture.prior_predictive(2000, random_state=0).ravel(), first.cdf).pvalue > 1e-3


def test_rows_of_a_data_set_share_their_parameters(rng):
    x = rng.poisson(3.0, 3).astype(float)[:, None]
    mixture = Mixture(Poisson(), 1, inference="variational", prior=GammaPrior(1.0, 0.1)).fit(x)
    sets = mixture.sample_predictive(50, n_datasets=200, random_state=0)
    assert sets.shape == (200, 50, 1)
    own = mixture.sample_predictive(10_000, random_state=0)
    # Between data sets the means vary by the law of the rate; variances of all rows together are the same.
    rate = mixture._components.hyper
    assert sets.mean(axis=1).var() == pytest.approx(float((rate[0] / rate[1] ** 2)[0, 0]), rel=0.4)
    assert sets.var() == pytest.approx(own.var(), rel=0.2)


def test_rows_of_frames_are_frames(rng):
    import pandas as pd

    X = pd.DataFrame({"visits": rng.poisson(3, 40), "channel": np.where(rng.random(40) < 0.4, "web", "shop")})
    mixture = Mixture.from_frame(X, 1, inference="variational", verbose=0).fit(X)
    drawn = mixture.sample_predictive(5, random_state=0)
    assert list(drawn.columns) == ["visits", "channel"]
    assert set(drawn["channel"]) <= {"web", "shop"}
    assert len(mixture.prior_predictive(4, n_datasets=3, random_state=0)) == 3
    check = mixture.posterior_predictive_check(X, "share of zeros", n_draws=20, random_state=0)
    assert check.names == ("share of zeros visits", "share of zeros channel")


# --- predictive checks ---
def test_tail_probabilities_of_new_rows_are_uniform_under_the_true_model():
    tails = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rate = rng.gamma(4.0, 1.0)  # from the prior of the fit: then the law is exact, up to ties
        seen, fresh = rng.poisson(rate, (2, 40, 1)).astype(float)
        mixture = Mixture(Poisson(), 1, inference="variational", prior=GammaPrior(4.0, 1.0)).fit(seen)
        check = mixture.posterior_predictive_check(fresh, "mean", n_draws=200, random_state=seed)
        tails.append(check.tail_probability[0])
    assert stats.kstest(tails, "uniform").pvalue > 0.01


def test_a_wrong_model_is_found_out(rng):
    x = np.concatenate([rng.poisson(8.0, 200), np.zeros(50)])[:, None]
    mixture = Mixture(Poisson(), 1, inference="variational").fit(x)
    check = mixture.posterior_predictive_check(x, ["mean", "share of zeros", "variance"], random_state=0)
    tail = dict(zip(check.names, check.tail_probability, strict=True))
    assert 0.05 < tail["mean x0"] < 0.95
    assert tail["share of zeros x0"] == 0.0
    assert tail["variance x0"] == 0.0
    assert check.two_sided[1] == 0.0
    right = Mixture(Poisson(), 2, inference="variational", random_state=0).fit(x)
    fixed = right.posterior_predictive_check(x, "share of zeros", random_state=0)
    assert 0.05 < fixed.tail_probability[0] < 0.95


def test_statistics_are_what_their_names_say(rng):
    X = rng.normal(size=(50, 2)) * [1.0, 3.0] + [0.0, 2.0]
    X[:10, 0] = 0.0
    mixture = Mixture(Gaussian(), 1, inference="variational").fit(X)
    names = ["mean", "variance", "min", "median", "max", "skewness", "kurtosis", "share of zeros"]
    check = mixture.posterior_predictive_check(X, names, n_draws=5, random_state=0)
    expected = [X.mean(0), X.var(0), X.min(0), np.median(X, 0), X.max(0)]
    expected += [stats.skew(X), stats.kurtosis(X, fisher=False), (X == 0).mean(0)]
    assert check.observed == pytest.approx(np.concatenate(expected))
    assert check.names[:3] == ("mean x0", "mean x1", "variance x0")
    check = mixture.posterior_predictive_check(X, "correlation", n_draws=5, random_state=0)
    assert check.names == ("correlation x0, x1",)
    assert check.observed == pytest.approx([np.corrcoef(X.T)[0, 1]])


def test_own_statistics_and_missing_cells(counts):
    X = np.column_stack([counts, counts[::-1]])
    X[::7, 1] = np.nan
    mixture = Mixture(Poisson(), 2, inference="variational", random_state=0).fit(X)

    def gaps(rows):
        return np.isnan(rows).sum(axis=0)

    check = mixture.posterior_predictive_check(X, [gaps, "mean"], n_draws=10, random_state=0)
    assert check.names == ("gaps 0", "gaps 1", "mean x0", "mean x1")
    assert np.array_equal(check.replicated[:, :2], np.tile(gaps(X), (10, 1)))  # the same cells are missing
    assert check.tail_probability[:2] == pytest.approx([0.5, 0.5])  # equal ones count half
    one = mixture.posterior_predictive_check(X, "mean", n_draws=10, method="corrected", random_state=0)
    assert np.isfinite(one.replicated).all()


def test_sparse_counts_are_checked(rng):
    import scipy.sparse as sp

    from mixtura.families import Multinomial

    X = sp.csr_matrix(rng.poisson(1.0, (60, 4)).astype(float))
    mixture = Mixture(Multinomial(), 2, inference="variational", random_state=0).fit(X)
    dense = mixture.posterior_predictive_check(X.toarray(), "mean", n_draws=5, random_state=0)
    sparse = mixture.posterior_predictive_check(X, "mean", n_draws=5, random_state=0)
    assert sparse.observed == pytest.approx(dense.observed)


def test_the_seed_decides(mixture, counts):
    for make in (
        lambda seed: mixture.posterior_predictive_check(counts, n_draws=5, random_state=seed).replicated,
        lambda seed: mixture.sample_predictive(20, random_state=seed),
        lambda seed: mixture.prior_samples(5, random_state=seed)["rate"],
        lambda seed: mixture.posterior_samples(5, counts, random_state=seed)["rate"],
    ):
        assert np.array_equal(make(1), make(1))
        assert not np.array_equal(make(1), make(2))


def test_a_check_is_a_table_and_a_text(mixture, counts):
    check = mixture.posterior_predictive_check(counts, "max", n_draws=20, random_state=0)
    frame = check.frame("pandas")
    assert list(frame.columns) == [
        "statistic",
        "observed",
        "replicated",
        "lower",
        "upper",
        "tail_probability",
    ]
    assert frame["observed"][0] == counts.max()
    assert str(check).splitlines()[0] == "Posterior predictive check, 20 replications"
    assert "max x0" in str(check)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m, X: m.posterior_predictive_check(X, "maximum"),
            "statistic is 'maximum', which is neither a function of rows nor one of the choices",
        ),
        (lambda m, X: m.posterior_predictive_check(X, []), r"statistic is \[\]; expected a name"),
        (lambda m, X: m.posterior_predictive_check(X, "correlation"), "one column; expected at least two"),
        (lambda m, X: m.posterior_predictive_check(X, n_draws=1), "n_draws is 1; expected a whole number"),
        (lambda m, _: m.sample_predictive(0), "n_samples is 0; expected a whole number of at least 1"),
        (lambda m, _: m.prior_predictive(1, n_datasets=0), "n_datasets is 0; expected"),
        (lambda m, X: m.posterior_samples(True, X), "n_draws is True; expected a whole number"),
        (lambda m, _: m.posterior_samples(5), "method is 'corrected', which needs the rows"),
        (lambda m, X: m.n_used_distribution(X, n_draws=0), "n_draws is 0; expected"),
    ],
)
def test_what_is_refused(mixture, counts, call, message):
    with pytest.raises(InvalidParameterError, match=message):
        call(mixture, counts)


def test_fits_without_laws_refuse(counts):
    plain = Mixture(Poisson(), 2, random_state=0).fit(counts)
    for call in (
        lambda: plain.posterior_samples(5, counts),
        lambda: plain.prior_samples(5),
        lambda: plain.sample_predictive(5),
        lambda: plain.prior_predictive(5),
        lambda: plain.posterior_predictive_check(counts),
        lambda: plain.n_used_distribution(counts),
        plain.plot_posterior_weights,
        lambda: plain.n_used_,
    ):
        with pytest.raises(InvalidParameterError, match="fitted without posterior laws"):
            call()


def test_products_and_components_that_draw_something_else_refuse_too(rng):
    X = np.column_stack([rng.normal(size=40), rng.negative_binomial(2, 0.3, 40)])
    for components, rows in (
        (Product({"amount": (Normal(), [0]), "visits": (Poisson(), [1])}), X),
        (NegativeBinomial(), X[:, 1:]),
    ):
        plain = Mixture(components, 1).fit(rows)
        with pytest.raises(InvalidParameterError, match="fitted without posterior laws"):
            plain.sample_predictive()
        assert "log-likelihood " in plain.summary()
        assert "interval" not in plain.summary()


def test_the_summary_of_a_mode_says_what_was_raised(counts):
    mode = Mixture(Poisson(), 2, inference="map", prior=GammaPrior(3.0, 0.1), random_state=0).fit(counts)
    assert "log posterior density" in mode.summary()


def test_empty_columns_and_fickle_statistics(mixture, counts):
    with pytest.raises(InvalidDataError, match="column 0 has no value in any row"):
        mixture.posterior_predictive_check(np.full((3, 1), np.nan), n_draws=3)
    with pytest.raises(InvalidDataError, match="expected as many for any rows"):
        mixture.posterior_predictive_check(counts, np.unique, n_draws=50, random_state=0)


# --- entropies and summaries ---
def test_entropy_of_assignments_is_that_of_the_responsibilities(mixture, counts):
    resp = mixture.predict_proba(counts)
    expected = [-sum(p * np.log(p) for p in row if p > 0) for row in resp.tolist()]
    assert mixture.assignment_entropy(counts) == pytest.approx(expected)


def test_summary_says_what_a_bayesian_fit_knows(mixture):
    text = mixture.summary()
    terms = mixture.lower_bound_terms_
    assert f"{terms['lower_bound']:.4f}" in text
    assert "bound on the log evidence" in text
    assert "log-likelihood" not in text
    assert f"{mixture.n_used_} of 3" in text
    assert "90 % interval" in text
    assert text == mixture.summary()  # the same each time
    assert "bound on the log evidence" in mixture._repr_html_()
    weights = mixture.credible_intervals(method="laws", n_draws=20_000, random_state=0)
    low, high = weights["lower"][0], weights["upper"][0]
    row = next(line for line in text.splitlines() if line.split()[:1] == ["0"])
    shown = [float(part) for part in row.split()[2:5:2]]
    assert shown == pytest.approx([low, high], abs=0.01)


def test_summary_of_equal_weights(counts):
    mixture = Mixture(Poisson(), 2, inference="variational", equal_weights=True, random_state=0).fit(counts)
    assert "bound on the log evidence" in mixture.summary()


# --- pictures ---
def test_picture_of_weights(mixture, counts):
    ax = mixture.plot_posterior_weights(counts, names=["a", "b", "c"])
    assert ax.get_yticklabels()[0].get_text() == "abc"[int(np.argmax(mixture.weights_))]
    assert ax.get_title(loc="left") == f"{mixture.n_used_} of 3 components have rows"
    frame = mixture.credible_intervals(counts, random_state=0)
    widest = max(path.vertices[1, 0] for path in ax.collections[0].get_paths())
    assert widest == pytest.approx(frame["upper"][:3].max())
    bare = plot_posterior_weights(mixture, ax=ax.figure.subplots(), n_top=1)
    assert bare.get_title(loc="left").endswith("; 2 not drawn")
    with pytest.raises(InvalidParameterError, match="plot_posterior_weights draws posterior laws"):
        plot_posterior_weights(SimpleNamespace())
    with pytest.raises(InvalidParameterError, match="names: found 1, expected 3"):
        plot_posterior_weights(mixture, names=["a"])


def test_picture_of_a_check(mixture, counts):
    axes = mixture.plot_posterior_predictive(counts, ["mean", "max"], n_draws=30, random_state=0)
    assert [ax.get_title(loc="left") for ax in axes] == ["mean x0", "max x0"]
    assert axes[0].lines[0].get_xdata()[0] == pytest.approx(counts.mean())
    assert sum(bar.get_height() for bar in axes[1].patches) == 30
    odd = PredictiveCheck(("x",), np.array([5.0]), np.ones((10, 1)))
    line = plot_posterior_predictive(odd, axes=axes[:1])[0].lines[-1]
    assert line.get_color() == "#d55e00"  # no replication comes near
    with pytest.raises(InvalidParameterError, match="draws a check"):
        plot_posterior_predictive(mixture)
    with pytest.raises(InvalidParameterError, match="axes: found 1, expected 2"):
        mixture.plot_posterior_predictive(counts, ["mean", "max"], n_draws=3, axes=axes[:1])


# --- ArviZ ---
def test_without_arviz_the_extra_is_named(mixture, counts, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(MissingExtraError, match=r"mixtura\[arviz\]"):
        mixture.to_arviz(counts)


@pytest.mark.filterwarnings("ignore")  # those of another library at its own import
def test_arviz_takes_the_draws(rng):
    arviz = pytest.importorskip("arviz")
    X = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(6, 1, (40, 2))])
    mixture = BayesianGaussianMixture(2, random_state=0).fit(X)
    data = mixture.to_arviz(X, n_draws=25, log_likelihood=True, random_state=0)
    draws = mixture.posterior_samples(25, X, n_chains=4, random_state=0)
    assert data.posterior["mean"].dims == ("chain", "draw", "component", "mean_feature")
    assert data.posterior["mean"].sel(mean_feature="x1").shape == (4, 25, 2)
    assert np.array_equal(data.posterior["covariance"].to_numpy(), draws["covariance"])
    assert data.prior["weight"].shape == (1, 25, 2)
    assert data.log_likelihood["row"].shape == (4, 25, 100)
    assert len(arviz.summary(data, var_names=["weight"])) == 2
    assert np.isfinite(arviz.waic(data).elpd_waic)
    with pytest.raises(InvalidParameterError, match="log_likelihood is True, but there are no rows"):
        mixture.to_arviz(method="laws", log_likelihood=True)


def test_categorical_probabilities_of_draws_sum_to_one(rng):
    X = np.column_stack([rng.integers(0, 3, 50), rng.integers(0, 2, 50)])
    mixture = Mixture(Categorical([3, 2]), 2, inference="variational", random_state=0).fit(X)
    found = mixture.posterior_samples(10, X, random_state=0)["probability"]
    assert found.shape == (1, 10, 2, 5)
    assert found[..., :3].sum(axis=-1) == pytest.approx(1.0)
    assert found[..., 3:].sum(axis=-1) == pytest.approx(1.0)
