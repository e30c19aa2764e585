"""What holds for any model: the bound and the evidence, the objective, nesting, and who does the sums."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp

import mixtura
from contract import specimens
from mixtura.components import COVARIANCES, DirichletMultinomial, Gaussian
from mixtura.data import column_encoding, count_encoding, make_source
from mixtura.executors import Serial, Threads
from mixtura.families import FamilyComponents, Normal
from mixtura.families.multinomial import MultinomialComponents
from mixtura.inference.driver import run
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.structures import Grouped, GroupedPlugIn, Independent, LatentMixture

N_ROWS = 400


def gaussian_table():
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0.0], [4.0, 1.0], [-1.0, 5.0]])
    return centres[rng.integers(0, 3, N_ROWS)] + rng.normal(size=(N_ROWS, 2)) * [1.0, 0.7]


def count_table():
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.full(6, 0.5), size=3)
    return np.array([rng.multinomial(rng.integers(1, 9), shares[n % 3]) for n in range(N_ROWS)], dtype=float)


def model_of(name):
    """A start that is not the truth, the table, and where units begin."""
    offsets = np.unique(np.r_[0, np.arange(2, N_ROWS, 7), N_ROWS])
    if name in COVARIANCES:
        x = gaussian_table()
        gaussian = specimens.COMPONENTS[f"Gaussian, {type(COVARIANCES[name]()).__name__}"].subject
        return LatentMixture(gaussian, Independent(np.log([0.2, 0.3, 0.5])), column_encoding(x)), x, None
    if name == "normal family":
        x = gaussian_table()[:, :1]
        family = FamilyComponents(*specimens.FAMILIES["Normal"].subject)
        return LatentMixture(family, Independent(np.zeros(3)), count_encoding(x)), x, None
    x = count_table()
    components = MultinomialComponents(np.log(np.random.default_rng(3).dirichlet(np.full(6, 2.0), size=3)))
    if "dirichlet" in name:
        components = DirichletMultinomial(np.random.default_rng(3).gamma(2.0, 2.0, size=(3, 6)))
        if "fractional" in name:
            x = 0.4 * x + 0.05
    law = {
        "grouped": Grouped(np.array([2.0, 3.0, 5.0])),
        "grouped, fixed": Grouped(np.array([2.0, 3.0, 5.0]), learn=False),
        "plug-in": GroupedPlugIn(np.log([0.2, 0.3, 0.5])),
    }.get(name, Independent(np.log([0.2, 0.3, 0.5])))
    units = None if isinstance(law, Independent) else offsets
    table = sp.csr_matrix(x) if name.startswith("sparse") else x
    return LatentMixture(components, law, count_encoding(x)), table, units


MODELS = [
    *COVARIANCES,
    "normal family",
    "multinomial",
    "sparse multinomial",
    "dirichlet multinomial",
    "fractional dirichlet multinomial",
    "sparse dirichlet multinomial",
    "grouped",
    "grouped, fixed",
    "plug-in",
]
GLOBAL = [name for name in MODELS if name not in ("grouped", "grouped, fixed", "plug-in")]


def fit(name, executor=None, rows_per_batch=64, steps=30, weight=None, tol=0.0):
    model, x, units = model_of(name)
    source = make_source(x, model.encoding, weight, units, rows_per_batch)
    return run(
        model,
        source,
        update=Maximization(),
        executor=executor or Serial(),
        stopping=Stopping(tol=tol, max_iter=steps),
    )


def evidence(model, x):
    """Log-likelihood of rows, from scores and weights, by another way than the pass."""
    source = make_source(x, model.encoding)
    parts = []
    for batch in source:
        scores = model.components.log_prob(model.components.encode(batch.x, model.encoding))
        parts.append(logsumexp(scores + model.structure.log_weights[:, None], axis=0))
    return np.concatenate(parts)


@pytest.mark.parametrize("name", MODELS)
def test_the_objective_never_falls(name):
    history = np.array(fit(name).history)
    # Rounding of a sum over the rows, relative to its size.
    assert np.all(np.diff(history) >= -1e-12 * np.abs(history[1:]))
    assert history[-1] > history[0]


@pytest.mark.parametrize("name", GLOBAL)
def test_the_last_entry_of_the_history_is_the_returned_models(name):
    result = fit(name, steps=5)
    _, x, _ = model_of(name)
    assert result.history[-1] == pytest.approx(evidence(result.model, x).sum(), rel=1e-12)
    assert len(result.history) == result.n_iter + 1 == 6
    assert result.weight == N_ROWS


@pytest.mark.parametrize("name", GLOBAL)
def test_the_bound_touches_after_the_e_step_and_is_below_elsewhere(name):
    model, x, _ = model_of(name)
    batch = make_source(x, model.encoding, rows_per_batch=10_000)[0]
    scores = model.components.log_prob(model.components.encode(batch.x, model.encoding))
    joint = scores + model.structure.log_weights[:, None]
    resp = model.infer(batch, {}).resp
    total = model.summarize(batch, {}).log_evidence

    def bound(q):
        return float(np.sum(q * (joint - np.log(q + 1e-300))))

    assert bound(resp) == pytest.approx(total, rel=1e-12)
    rng = np.random.default_rng(8)
    for _ in range(10):
        q = rng.dirichlet(np.ones(3), size=N_ROWS).T
        divergence = float(np.sum(q * (np.log(q) - np.log(resp + 1e-300))))
        # log p = bound + KL at any q, the identity behind EM.
        assert bound(q) + divergence == pytest.approx(total, rel=1e-9)
        assert bound(q) < total


@pytest.mark.parametrize("name", GLOBAL)
def test_fisher_identity(name):
    """The gradient of the evidence is that of the expected log probability at the same parameters."""
    model, x, _ = model_of(name)
    batch = make_source(x, model.encoding, rows_per_batch=10_000)[0]
    stats, theta = model.summarize(batch, {}), model.coordinates()
    for direction in np.random.default_rng(9).standard_normal((5, len(theta))):
        step = 1e-5 * direction
        up, down = model.from_coordinates(theta + step), model.from_coordinates(theta - step)
        rise = up.summarize(batch, {}).log_evidence - down.summarize(batch, {}).log_evidence
        expected = up.expected_log_prob(stats) - down.expected_log_prob(stats)
        # Central differences of totals near 1e3: seven digits of rounding are left.
        assert rise == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_executors_agree_and_threads_do_so_bit_for_bit(name):
    serial = fit(name, steps=8)
    for n_threads in (1, 2, 3):
        threads = fit(name, executor=Threads(n_threads), steps=8)
        assert threads.history == serial.history
        np.testing.assert_array_equal(threads.model.coordinates(), serial.model.coordinates())


@pytest.mark.parametrize("name", [name for name in MODELS if name != "grouped, fixed"])
def test_the_size_of_batches_changes_nothing_but_rounding(name):
    # Local loops of groups stop by batch, with a tolerance of 1e-3 rows; others only round.
    tol = 1e-4 if name == "grouped" else 1e-9
    one, many = fit(name, rows_per_batch=100_000, steps=8), fit(name, rows_per_batch=13, steps=8)
    assert many.history[-1] == pytest.approx(one.history[-1], rel=tol)
    np.testing.assert_allclose(
        many.model.coordinates(), one.model.coordinates(), rtol=10 * tol, atol=10 * tol
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_same_fit_twice_is_the_same(name):
    assert fit(name, steps=4).history == fit(name, steps=4).history


@pytest.mark.parametrize("name", GLOBAL)
def test_a_fitted_model_is_a_start_that_does_not_move(name):
    result = fit(name, steps=3000, tol=1e-13)
    assert result.reason == Reason.CONVERGED
    _, x, _ = model_of(name)
    source = make_source(x, result.model.encoding, rows_per_batch=64)
    again = run(
        result.model, source, update=Maximization(), executor=Serial(), stopping=Stopping(tol=0.0, max_iter=1)
    )
    assert again.history[-1] == pytest.approx(result.history[-1], rel=1e-11)


@pytest.mark.parametrize("name", GLOBAL)
def test_components_may_be_permuted(name):
    model, x, _ = model_of(name)
    order = [2, 0, 1]
    source = make_source(x, model.encoding)
    options = {"update": Maximization(), "executor": Serial(), "stopping": Stopping(tol=0.0, max_iter=5)}
    plain, shuffled = run(model, source, **options), run(model.take(order), source, **options)
    np.testing.assert_allclose(shuffled.history, plain.history, rtol=1e-12)  # sums over K in another order
    np.testing.assert_allclose(
        shuffled.model.structure.weights, plain.model.structure.weights[order], rtol=1e-9
    )


# --- nesting ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", COVARIANCES)
def test_one_component_is_the_plain_fit(kind):
    x = gaussian_table()
    model = mixtura.GaussianMixture(1, covariance_type=kind, reg_covar=0.0).fit(x)
    covariance = np.cov(x.T, bias=True)
    expected = {
        "full": covariance[None],
        "tied": covariance,
        "diag": np.diagonal(covariance)[None],
        "spherical": np.array([np.diagonal(covariance).mean()]),
    }[kind]
    np.testing.assert_allclose(model.means_[0], x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.covariances_, expected, rtol=1e-10)
    assert model.weights_ == pytest.approx([1.0])


def test_one_component_of_counts_is_the_plain_fit():
    x = count_table()
    model = mixtura.MultinomialMixture(1, pseudo_count=0.0).fit(x)
    np.testing.assert_allclose(model.profiles_[0], x.sum(axis=0) / x.sum(), rtol=1e-12)


def test_nested_covariances_order_their_likelihoods():
    x = gaussian_table()
    start = {"weights_init": np.ones(3) / 3, "means_init": [[0, 0], [4, 1], [-1, 5]]}
    found = {
        kind: mixtura.GaussianMixture(3, covariance_type=kind, reg_covar=0.0, tol=1e-9, **start)
        .fit(x)
        .lower_bound_
        for kind in COVARIANCES
    }
    assert found["spherical"] <= found["diag"] <= found["full"]
    assert found["tied"] <= found["full"]


def test_univariate_gaussian_is_the_normal_family():
    x = gaussian_table()[:, :1]
    natural = specimens.FAMILIES["Normal"].subject[1]
    mean, standard_deviation = specimens.NORMAL.T
    laws = [
        FamilyComponents(Normal(), natural),
        Gaussian(mean[:, None], standard_deviation[:, None, None] ** 2),
    ]
    histories = []
    for components in laws:
        model = LatentMixture(components, Independent(np.zeros(3)), count_encoding(x))
        source = make_source(x, model.encoding)
        stopping = Stopping(tol=0.0, max_iter=15)
        histories.append(
            run(model, source, update=Maximization(), executor=Serial(), stopping=stopping).history
        )
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-10)  # same sums, another order


def test_infinite_concentration_is_the_global_mixture():
    x, groups = count_table(), np.arange(N_ROWS) // 7
    start = {
        "tol": 1e-7,
        "weights_init": [0.2, 0.3, 0.5],
        "profiles_init": np.random.default_rng(3).dirichlet(np.full(6, 2.0), size=3),
    }
    plain = mixtura.MultinomialMixture(3, **start).fit(x)
    grouped = mixtura.GroupedMultinomialMixture(3, concentration=np.inf, **start).fit(x, groups=groups)
    assert grouped.lower_bound_ == pytest.approx(plain.lower_bound_, rel=1e-12)
    np.testing.assert_allclose(grouped.profiles_, plain.profiles_, rtol=1e-9)


# --- truth --------------------------------------------------------------------------------------------------------
def test_the_truth_of_a_gaussian_mixture_is_recovered_from_a_start_that_is_not_the_truth():
    rng = np.random.default_rng(10)
    means, deviations, weights = (
        np.array([0.0, 6.0, 15.0]),
        np.array([1.0, 2.0, 0.5]),
        np.array([0.5, 0.3, 0.2]),
    )
    label = rng.choice(3, size=20_000, p=weights)
    x = rng.normal(means[label], deviations[label])[:, None]
    model = mixtura.GaussianMixture(3, random_state=0).fit(x)
    order = np.argsort(model.means_.ravel())
    # Standard errors at this size are below 0.03 (means, deviations) and 0.004 (weights): five of them.
    np.testing.assert_allclose(model.means_.ravel()[order], means, atol=0.15)
    np.testing.assert_allclose(np.sqrt(model.covariances_.ravel()[order]), deviations, atol=0.15)
    np.testing.assert_allclose(model.weights_[order], weights, atol=0.02)
    start = model.starts_[model.best_start_].history[0]
    assert start < model.lower_bound_ - 1e-4


def test_the_truth_of_a_grouped_mixture_is_recovered():
    rng = np.random.default_rng(11)
    shares = np.array([[0.7, 0.2, 0.05, 0.05], [0.05, 0.05, 0.3, 0.6]])
    weights, s = np.array([0.3, 0.7]), 3.0
    own = rng.dirichlet(s * weights, size=500)
    groups = np.repeat(np.arange(500), 15)
    label = (rng.random(len(groups)) > own[groups, 0]).astype(int)
    x = np.array([rng.multinomial(12, shares[k]) for k in label])
    model = mixtura.GroupedMultinomialMixture(2, random_state=0).fit(x, groups=groups)
    order = np.argsort(-model.profiles_[:, 0])
    np.testing.assert_allclose(
        model.profiles_[order], shares, atol=0.02
    )  # ten standard errors of 30,000 lines
    np.testing.assert_allclose(model.weights_[order], weights, atol=0.08)  # four of 500 groups
    assert model.concentration_ == pytest.approx(s, rel=0.3)  # about three
    # Shrunk weights of groups are nearer to their own truth than the population's are.
    assert np.abs(model.group_weights_[:, order] - own).mean() < 0.6 * np.abs(weights - own).mean()


def test_a_replaced_part_makes_another_model_and_leaves_the_first():
    model, _, _ = model_of("full")
    before = model.coordinates().copy()
    replace(model, structure=Independent(np.zeros(3)))
    np.testing.assert_array_equal(model.coordinates(), before)
