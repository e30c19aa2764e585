"""Intervals of Bayesian fits: against exact laws, exact posteriors, and refits to a tilted posterior."""

import numpy as np
import pytest
from scipy import stats

from mixtura import BayesianGaussianMixture, Mixture
from mixtura.components import Gaussian, Product
from mixtura.exceptions import ConvergenceWarning, IllConditionedInformationWarning, InvalidParameterError
from mixtura.families import Bernoulli, Normal, Poisson
from mixtura.inference.information import Fit
from mixtura.inference.linear_response import _transport, expected_coordinates
from mixtura.priors import BetaPrior, DirichletPrior, DirichletProcessPrior, GammaPrior, NormalGammaPrior

TAILS = (0.05, 0.95)


def fitted(components, K, X, **settings):
    settings = {"inference": "variational", "tol": 1e-10, "max_iter": 20_000, "random_state": 0} | settings
    return Mixture(components, K, **settings).fit(X)


def table(mixture, X=None, **settings):
    """Intervals as a dict from (component, parameter) to (value, sd, lower, upper)."""
    frame = mixture.credible_intervals(X, random_state=0, library="pandas", **settings)
    return {
        (row.component, row.parameter, row.feature, row.other_feature): (
            row.value,
            row.standard_deviation,
            row.lower,
            row.upper,
        )
        for row in frame.itertuples()
    }


@pytest.fixture
def counts(rng):
    return np.where(rng.random(60) < 0.4, rng.poisson(2.0, 60), rng.poisson(6.0, 60)).astype(float)[:, None]


@pytest.fixture
def overlapping(rng):
    return np.concatenate([rng.normal(0, 1, 120), rng.normal(3, 1, 200)])[:, None]


# --- one component: the laws are exact ---
# With 20,000 draws a 5 % quantile of a normal law varies by .015 standard deviations: four of them.
MANY, CLOSE = 20_000, 0.06


def close(found, law, error=CLOSE):
    value, deviation, lower, upper = found
    assert lower == pytest.approx(law.ppf(TAILS[0]), abs=error * law.std())
    assert upper == pytest.approx(law.ppf(TAILS[1]), abs=error * law.std())
    assert deviation == pytest.approx(law.std(), rel=0.05)
    assert value == pytest.approx(law.mean(), rel=0.02)


@pytest.mark.parametrize("method", ["laws", "corrected"])
def test_one_poisson_component_has_its_gamma_law(counts, method):
    mixture = fitted(Poisson(), 1, counts, prior=GammaPrior(shape=2.0, rate=0.5))
    found = table(mixture, counts, method=method, n_draws=MANY)
    law = stats.gamma(2.0 + counts.sum(), scale=1.0 / (0.5 + len(counts)))
    close(found[0, "rate", "x0", ""], law)
    assert found[0, "weight", "", ""] == (1.0, 0.0, 1.0, 1.0)


def test_one_bernoulli_component_has_its_beta_law(rng):
    X = (rng.random((40, 1)) < 0.1).astype(float)
    found = table(fitted(Bernoulli(), 1, X, prior=BetaPrior(1.0, 2.0)), X, n_draws=MANY)
    law = stats.beta(1.0 + X.sum(), 2.0 + 40 - X.sum())
    close(found[0, "probability", "x0", ""], law)


def test_one_normal_component_has_a_student_law_of_its_mean(rng):
    x = rng.normal(5.0, 2.0, 12)[:, None]
    prior = NormalGammaPrior(mean=4.0, mean_precision=0.5, shape=1.5, rate=2.0)
    found = table(fitted(Normal(), 1, x, prior=prior), x, n_draws=MANY)
    kappa, shape = 0.5 + 12, 1.5 + 6
    mean = (0.5 * 4.0 + x.sum()) / kappa
    rate = 2.0 + 0.5 * ((x - x.mean()) ** 2).sum() + 0.5 * 0.5 * 12 / kappa * (x.mean() - 4.0) ** 2
    close(found[0, "mean", "x0", ""], stats.t(2 * shape, mean, np.sqrt(rate / (shape * kappa))))
    deviation = found[0, "standard_deviation", "x0", ""]
    ends = np.sqrt(1.0 / stats.gamma(shape, scale=1.0 / rate).ppf(TAILS[::-1]))
    assert deviation[2:] == pytest.approx(ends, rel=0.02)


def test_one_gaussian_component_has_wishart_laws(rng):
    X = rng.normal(size=(30, 2)) @ np.array([[1.0, 0.5], [0.0, 2.0]])
    mixture = BayesianGaussianMixture(1).fit(X)
    found = table(mixture, X, n_draws=4000)
    laws = mixture._model().components.laws
    variance = stats.invgamma(0.5 * (laws.degrees[0] - 1), scale=0.5 * laws.scatter[0, 1, 1])
    _, _, lower, upper = found[0, "covariance", "x1", "x1"]
    assert (lower, upper) == pytest.approx(tuple(variance.ppf(TAILS)), rel=0.05)
    degrees = laws.degrees[0] - 1
    scale = np.sqrt(laws.scatter[0, 0, 0] / (degrees * laws.kappa[0]))
    mean = stats.t(degrees, mixture.means_[0, 0], scale)
    assert found[0, "mean", "x0", ""][2:] == pytest.approx(tuple(mean.ppf(TAILS)), abs=0.1 * mean.std())


def test_weights_have_beta_laws(overlapping):
    mixture = fitted(Normal(), 2, overlapping, weights_prior=DirichletPrior(1.0))
    alpha = mixture._model().structure.concentration
    found = table(mixture, method="laws", n_draws=MANY)
    close(found[0, "weight", "", ""], stats.beta(alpha[0], alpha[1]))


# --- linear response ---
def test_linear_response_is_how_a_tilted_fit_answers(overlapping):
    """Tilting the posterior by t log pi_j adds t to a Dirichlet parameter: the refits' derivative is the covariance."""
    prior, step = np.array([1.5, 2.0]), 2e-2
    mixture = fitted(Normal(), 2, overlapping, weights_prior=DirichletPrior(prior), tol=1e-13)
    response = mixture._response(overlapping, None)
    used = np.ones(2, dtype=bool)

    def expected(by):
        start = fitted(
            Normal(),
            2,
            overlapping,
            weights_prior=DirichletPrior(prior + by),
            init_params=mixture,
            tol=1e-13,
        )
        model = start._model()
        return np.concatenate([model.structure.log_weights, model.point.components.coordinates()])

    tilted = np.array(
        [(expected(step * unit) - expected(-step * unit)) / (2 * step) for unit in np.eye(2)]
    )  # (2, q)
    gradients = []
    for c, by in enumerate(np.diag(1e-4 * response.scale)):
        models = [response.at(response.theta + sign * by) for sign in (1, -1)]
        up, down = (
            np.concatenate([m.structure.log_weights, m.point.components.coordinates()]) for m in models
        )
        gradients.append((up - down) / (2 * by[c]))
    laws, found = response.covariances(np.array(gradients).T)
    # Refits stop when 1e-13 a row is left, 1e-6 in the parameters: over steps of 0.02 that is 1 % of the smallest covariances.
    assert found[:2] == pytest.approx(tilted, rel=1e-2, abs=1e-5)
    assert (np.diag(found) > np.diag(laws)).all()
    assert expected_coordinates(response.model, used)[:2].sum() == pytest.approx(0.0)


def test_it_is_the_inverse_of_the_numerical_hessian_of_the_bound(counts):
    mixture = fitted(Poisson(), 2, counts, prior=GammaPrior(2.0, 0.5), weights_prior=DirichletPrior(2.0))
    response = mixture._response(counts, None)
    theta, model = response.theta, response.model

    def bound(vector):
        moved = model.from_coordinates(vector)
        scores = moved.components.log_prob(moved.components.encode(counts.T, moved.encoding))
        joint = scores + moved.structure.log_weights[:, None]
        return np.logaddexp.reduce(joint, axis=0).sum() - moved.penalty()

    size, h = len(theta), 1e-3
    hessian = np.empty((size, size))
    unit = np.eye(size) * h
    for i in range(size):
        for j in range(size):
            signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
            terms = [a * b * bound(theta + a * unit[i] + b * unit[j]) for a, b in signs]
            hessian[i, j] = sum(terms) / (4 * h * h)
    _, found = response.covariances(np.eye(size))
    # Differences of a sum of about 100 by steps of 1e-3: errors of 1e-8 / 1e-6 against curvatures of order one.
    assert found == pytest.approx(np.linalg.inv(-hessian), rel=2e-2, abs=1e-4)
    assert response.away < 1e-2


@pytest.mark.parametrize("kind", ["full", "diag", "tied"])
def test_curvatures_by_component_are_those_of_the_whole(rng, kind):
    X = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(3, 1, (60, 2))])
    mixture = BayesianGaussianMixture(2, covariance_type=kind, random_state=0, tol=1e-6).fit(X)
    response = mixture._response(X, None)
    assert (response._parts() is None) == (kind == "tied")  # shared coordinates belong to no component
    whole = Fit.complete(response)
    unit = 1.0 / np.sqrt(np.diag(whole))
    # Second differences have errors of about 1e-7.
    assert response.held * np.outer(unit, unit) == pytest.approx(whole * np.outer(unit, unit), abs=1e-6)


def exact_deviations(counts, size=64):
    """Posterior standard deviations of the weight and the rates, by a grid over all three; labelled by rate 0 < rate 1."""
    weight = (np.arange(size) + 0.5) / size
    rate = (np.arange(size) + 0.5) / size * 12.0
    log_one = stats.poisson.logpmf(counts.ravel()[:, None], rate[None])  # (n, size)
    log = np.zeros((size, size, size))
    for i, w in enumerate(weight):
        both = np.logaddexp(np.log(w) + log_one[:, :, None], np.log1p(-w) + log_one[:, None, :])
        log[i] = both.sum(axis=0)
    prior = stats.gamma(2.0, scale=2.0).logpdf(rate)
    log += prior[:, None] + prior[None, :] + stats.beta(2, 2).logpdf(weight)[:, None, None]
    log = np.where(rate[:, None] < rate[None, :], log, -np.inf)
    p = np.exp(log - log.max())
    p /= p.sum()
    found = []
    for axis, values in enumerate((weight, rate, rate)):
        margin = p.sum(axis=tuple({0, 1, 2} - {axis}))
        mean = margin @ values
        found.append(np.sqrt(margin @ (values - mean) ** 2))
    return np.array(found)


def test_corrected_deviations_are_near_those_of_the_exact_posterior():
    rng = np.random.default_rng(5)
    counts = np.where(rng.random(80) < 0.4, rng.poisson(1.5, 80), rng.poisson(7.0, 80)).astype(float)[:, None]
    mixture = fitted(Poisson(), 2, counts, prior=GammaPrior(2.0, 0.5), weights_prior=DirichletPrior(2.0))
    low = int(np.argmin(mixture.components_.mean))
    keys = [(low, "weight", "", ""), (low, "rate", "x0", ""), (1 - low, "rate", "x0", "")]
    exact = exact_deviations(counts)
    laws, corrected = (
        np.array([table(mixture, counts, method=method, n_draws=8000)[key][1] for key in keys])
        for method in ("laws", "corrected")
    )
    assert (laws < 0.93 * exact).all()  # without the correction all are too narrow
    assert corrected == pytest.approx(exact, rel=0.12)


def test_the_map_carries_one_covariance_to_the_other(rng):
    one, other = (a @ a.T for a in rng.normal(size=(2, 4, 4)))
    found = _transport(one, other)
    assert found @ one @ found.T == pytest.approx(other)
    assert _transport(one, one) == pytest.approx(np.eye(4))
    flat = np.diag([1.0, 0.0, 4.0])  # where nothing varies, nothing changes
    assert _transport(flat, 9 * flat) == pytest.approx(np.diag([3.0, 1.0, 3.0]))


def test_stretched_draws_have_the_covariance_of_linear_response(overlapping):
    mixture = fitted(Normal(), 2, overlapping, weights_prior=DirichletPrior(1.0))
    response = mixture._response(overlapping, None)
    stretch = response.stretch(np.ones(2, dtype=bool))
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(4000):
        drawn = stretch(mixture._model().draw(rng))
        assert drawn.structure.weights.sum() == pytest.approx(1.0)
        ratios.append(np.subtract(*drawn.structure.log_weights))

    def ratio(model):
        return np.subtract(*model.structure.log_weights)

    gradient = [
        (ratio(response.at(response.theta + by)) - ratio(response.at(response.theta - by))) / (2 * by.sum())
        for by in np.diag(1e-4 * response.scale)
    ]
    _, covariance = response.covariances(np.array([gradient]))
    # The standard error of a standard deviation of 4,000 draws is 1.1 %.
    assert np.std(ratios) == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.05)


# --- relations ---
def test_weights_of_rows_are_repetitions(counts):
    weight = np.arange(len(counts)) % 3
    repeated = np.repeat(counts, weight, axis=0)
    settings = {"prior": GammaPrior(2.0, 0.5), "weights_prior": DirichletPrior(2.0), "init_params": "kmeans"}
    weighted = Mixture(Poisson(), 2, inference="variational", tol=1e-12, max_iter=20_000, **settings)
    weighted.fit(counts, sample_weight=weight)
    plain = Mixture(
        Poisson(),
        2,
        inference="variational",
        tol=1e-12,
        max_iter=20_000,
        **settings | {"init_params": weighted},
    ).fit(repeated)
    one = table(weighted, counts, sample_weight=weight, n_draws=500)
    other = table(plain, repeated, n_draws=500)
    for key, values in one.items():
        assert values == pytest.approx(other[key], rel=1e-3), key


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("law", ["dirichlet_process", "dirichlet_distribution"])
def test_separated_components_need_no_correction_and_empty_ones_keep_their_laws(rng, kind, law):
    X = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(30, 1, (60, 2))])
    mixture = BayesianGaussianMixture(
        4,
        covariance_type=kind,
        weight_concentration_prior_type=law,
        weight_concentration_prior=1e-3,
        random_state=0,
    ).fit(X)
    assert mixture.n_used_ == 2
    laws, corrected = (
        mixture.posterior_samples(20, X, method=m, random_state=1) for m in ("laws", "corrected")
    )
    for name, draws in laws.items():
        size = draws.std(axis=1, keepdims=True)
        assert corrected[name] == pytest.approx(draws, rel=1e-3, abs=1e-3 * size.max()), name
    assert corrected["weight"].sum(axis=-1) == pytest.approx(np.ones((1, 20)))


def test_intervals_widen_where_labels_are_in_doubt(rng):
    near = np.concatenate([rng.normal(0, 1, 150), rng.normal(3, 1, 150)])[:, None]
    mixture = fitted(Normal(), 2, near, weights_prior=DirichletPrior(1.0))
    laws, corrected = (table(mixture, near, method=m) for m in ("laws", "corrected"))
    for key in laws:
        assert corrected[key][3] - corrected[key][2] > 1.02 * (laws[key][3] - laws[key][2]), key


def test_names_are_those_of_the_table_of_parameters(rng):
    import pandas as pd

    second = rng.random(200) < 0.4
    X = pd.DataFrame(
        {
            "amount": np.where(second, rng.normal(6, 1, 200), rng.normal(0, 1, 200)),
            "visits": rng.poisson(np.where(second, 9, 2)),
            "channel": np.where(rng.random(200) < np.where(second, 0.9, 0.2), "web", "shop"),
        }
    )
    mixture = Mixture.from_frame(X, 2, inference="variational", random_state=0, verbose=0).fit(X)
    frame = mixture.credible_intervals(X, random_state=0)
    same = ["component", "parameter", "feature", "other_feature"]
    assert frame[same].equals(mixture.params_frame()[same])
    assert frame["value"].to_numpy() == pytest.approx(mixture.params_frame()["value"].to_numpy())
    assert ((frame["lower"] <= frame["value"]) & (frame["value"] <= frame["upper"])).all()
    assert mixture.credible_intervals(X, library="polars").columns == list(frame.columns)


def test_missing_cells_and_products(rng):
    X = np.column_stack([rng.normal(0, 1, 150), rng.poisson(3, 150)])
    X[:50] += [6.0, 9.0]
    X[rng.random(X.shape) < 0.1] = np.nan
    product = Product({"amount": (Gaussian(), [0]), "visits": (Poisson(), [1])})
    mixture = Mixture(product, 2, inference="variational", tol=1e-8, random_state=0).fit(X)
    found = table(mixture, X)
    assert {key[1] for key in found} == {"weight", "mean", "covariance", "rate"}
    assert all(row[2] < row[0] < row[3] for row in found.values())


def test_equal_weights_and_processes(overlapping):
    equal = fitted(Normal(), 2, overlapping, equal_weights=True)
    found = table(equal, overlapping)
    assert found[0, "weight", "", ""] == (0.5, 0.0, 0.5, 0.5)
    assert found[0, "mean", "x0", ""][2] < found[0, "mean", "x0", ""][3]
    process = fitted(Normal(), 2, overlapping, weights_prior=DirichletProcessPrior(1.0))
    one = table(process, overlapping)
    other = table(process, method="laws")
    key = (0, "weight", "", "")
    assert one[key][3] - one[key][2] > other[key][3] - other[key][2]


def test_known_labels_leave_nothing_to_correct(overlapping):
    labels = np.repeat([0, 1], [120, 200])
    settings = {"inference": "variational", "weights_prior": DirichletPrior(1.0), "random_state": 0}
    mixture = Mixture(Normal(), 2, **settings).fit(overlapping, labels=labels)
    laws = table(mixture, method="laws")
    corrected = table(mixture, overlapping, labels=labels)
    for key, values in laws.items():
        assert corrected[key] == pytest.approx(values, rel=1e-4), key


def test_single_precision(rng):
    X = np.concatenate([rng.normal(0, 1, (100, 2)), rng.normal(2.5, 1, (100, 2))])
    one = BayesianGaussianMixture(2, random_state=0, tol=1e-6, covariance_type="diag").fit(X)
    other = BayesianGaussianMixture(2, random_state=0, tol=1e-6, covariance_type="diag", dtype="float32").fit(
        X.astype(np.float32)
    )
    double, single = (table(m, X.astype(m.means_.dtype), n_draws=500) for m in (one, other))
    for key, values in double.items():
        assert single[key] == pytest.approx(values, rel=0.02, abs=0.02), key


def test_the_seed_decides(overlapping):
    mixture = fitted(Normal(), 2, overlapping)
    one, two, three = (
        mixture.credible_intervals(overlapping, random_state=seed, n_draws=50) for seed in (1, 1, 2)
    )
    assert one.equals(two)
    assert not one.equals(three)


# --- messages ---
def test_fits_without_laws_refuse(overlapping):
    for settings in ({"inference": "em"}, {"inference": "map"}):
        mixture = Mixture(Normal(), 2, random_state=0, **settings).fit(overlapping)
        with pytest.raises(
            InvalidParameterError, match=r"fitted without posterior laws.*inference='variational'"
        ):
            mixture.credible_intervals(overlapping)


def test_standard_errors_belong_to_maxima_of_the_likelihood(overlapping):
    with pytest.raises(InvalidParameterError, match=r"has posterior laws.*Use credible_intervals"):
        fitted(Normal(), 2, overlapping).standard_errors(overlapping)
    plain = Mixture(Normal(), 2, random_state=0, tol=1e-10, max_iter=5000).fit(overlapping)
    assert (plain.standard_errors(overlapping).standard_error > 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": 1.5}, r"level is 1\.5; expected a number between 0 and 1"),
        ({"level": 1}, "level is 1; expected a number between 0 and 1"),
        ({"method": "law"}, "method is 'law', which is not one of the choices. Did you mean 'laws'"),
        ({"n_draws": 1}, "n_draws is 1; expected a whole number of at least 2"),
        ({"n_draws": 2.0}, "n_draws is 2.0; expected a whole number"),
    ],
)
def test_settings_outside_their_domain(overlapping, settings, message):
    with pytest.raises(InvalidParameterError, match=message):
        fitted(Normal(), 2, overlapping).credible_intervals(overlapping, **settings)


def test_the_corrected_ones_need_the_rows(overlapping):
    with pytest.raises(InvalidParameterError, match=r"needs the rows, but X is None.*method='laws'"):
        fitted(Normal(), 2, overlapping).credible_intervals()


def test_other_rows_and_directions_that_they_do_not_tell_are_told(overlapping):
    mixture = fitted(Normal(), 2, overlapping)
    far = "posterior standard deviations from the maximum of its bound"
    with (
        pytest.warns(ConvergenceWarning, match=far),
        pytest.warns(IllConditionedInformationWarning, match="nearly all information is missing"),
    ):
        frame = mixture.credible_intervals(overlapping + 0.7, n_draws=10)
    assert np.isfinite(frame["upper"]).all()
