"""Moves: their sums are those of loops, their promises are kept, they repair what is stuck, and the bound never falls."""

import signal
import time
import warnings
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import mixtura
import oracles_moves as oracle
from mixtura import BayesianGaussianMixture, Mixture
from mixtura.components import COVARIANCES, Gaussian, Product, hooks
from mixtura.components.combining import as_component
from mixtura.data import DenseSource, mixed_encoding
from mixtura.exceptions import ConvergenceWarning, InterruptedWarning
from mixtura.executors import Serial
from mixtura.families import Bernoulli, Categorical, Multinomial, Poisson
from mixtura.inference import proposals as module
from mixtura.inference.bayesian import absorbed
from mixtura.inference.driver import run
from mixtura.inference.initialize import from_responsibilities
from mixtura.inference.moved_sums import emptied, merged, replaced
from mixtura.inference.moves import Moves, Setting
from mixtura.inference.overlaps import overlaps
from mixtura.inference.proposals import Proposals, counts
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.priors import DirichletPrior, DirichletProcessPrior, PitmanYorPrior
from mixtura.protocols import Batch, Encoding
from mixtura.statistics import total
from mixtura.structures import Independent, LatentMixture

SPARSE = DirichletPrior(0.01)
LAWS = {
    "Dirichlet": SPARSE,
    "Dirichlet process": DirichletProcessPrior(0.5),
    "Pitman-Yor process": PitmanYorPrior(0.5, 0.2),
}
N = 120


# --- data: four clusters of equal size ----------------------------------------------------------------------------
def clusters(kind, seed, n=N):
    """Rows, their clusters, and a blank component for them."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(4), n)
    name, *size = kind.split()
    if name == "Bernoulli":
        shares = rng.permuted(np.tile([0.05, 0.3, 0.7, 0.95], (12, 1)), axis=1).T
        return (rng.random((4 * n, 12)) < shares[label]).astype(float), label, Bernoulli()
    if name == "Poisson":
        rates = rng.permuted(np.tile([1.0, 6.0, 15.0, 30.0], (4, 1)), axis=1).T
        return rng.poisson(rates[label]).astype(float), label, Poisson()
    if name == "Categorical":
        shares = rng.dirichlet(np.full(4, 0.3), (8, 4))
        x = np.stack([[rng.choice(4, p=shares[d, k]) for k in label] for d in range(8)], axis=1)
        return x.astype(float), label, Categorical([4] * 8)
    if name == "Multinomial":
        shares = rng.dirichlet(np.full(12, 0.3), 4)
        return np.array([rng.multinomial(15, shares[k]) for k in label], dtype=float), label, Multinomial()
    d = int(size[0])
    corners = np.array([[0, 0], [6, 0], [0, 7], [7, 8]], dtype=float)
    centre = np.concatenate([corners, rng.normal(0, 3, (4, d))], axis=1)[:, :d]
    rows = centre[label] + rng.normal(size=(4 * n, d))
    if name == "Product":
        answers, _, _ = clusters("Bernoulli", seed, n)
        blocks = {"amounts": (Gaussian(), [0, 1]), "answers": (Bernoulli(), list(range(2, 6)))}
        return np.column_stack([rows, answers[:, :4]]), label, Product(blocks)
    return rows, label, Gaussian(model=COVARIANCES[name]())


KINDS = (
    "full 2",
    "full 5",
    "tied 2",
    "diag 3",
    "spherical 2",
    "Bernoulli",
    "Poisson",
    "Categorical",
    "Multinomial",
    "Product 2",
)


def stuck(x, label, blank, size=4):
    """A fitted mixture to start from: two clusters under the first component, one cut in two halves, one as it is, and empty ones."""
    axis = np.linalg.svd(x[label == 2] - x[label == 2].mean(axis=0))[2][0]
    half = x @ axis > np.median(x[label == 2] @ axis)
    part = np.select([label <= 1, label == 3, half], [0, 3, 1], 2)
    resp = np.full((size, len(x)), 1e-3 / size)
    resp[part, np.arange(len(x))] += 1.0 - 1e-3
    component = as_component(blank, "components")
    encoding = mixed_encoding(x, None, hooks.centred_columns(component, x.shape[1]))
    rows = x if encoding.origin is None else x - encoding.origin
    made = component.maximize(component.expected_statistics(component.encode(rows.T, encoding), resp))
    made = made if encoding.origin is None else hooks.moved(made, -encoding.origin)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Mixture(made, size, max_iter=0).fit(x)


def posterior(blank, size=6, weights=SPARSE, **options):
    return Mixture(blank, size, inference="variational", weights_prior=weights, **options)


def live(model):
    """Components with at least one row."""
    law = model._weights_law
    prior = law.prior if hasattr(law, "prior") else 1.0 - law.process[1]
    return int(np.sum((law.concentration if hasattr(law, "prior") else law.sticks[0]) - prior >= 1.0))


# --- sums against loops -------------------------------------------------------------------------------------------
def about_zero(stats):
    """All sums about the encoding's origin."""
    moved = stats.about(None)
    moved.parts = {name: about_zero(part) for name, part in stats.parts.items()}
    return moved


def assert_same(found, expected):
    found, expected = about_zero(found), about_zero(expected)
    assert found.sums.keys() == expected.sums.keys()
    for name, value in expected.sums.items():
        assert_allclose(found[name], value, rtol=1e-10, atol=1e-8, err_msg=name)
    for name, part in expected.parts.items():
        assert_same(found.parts[name], part)


def parameters(kind, seed=0):
    """Components with parameters, rows (N, D) about no origin, responsibilities (N, 4), weights, and the encoding."""
    x, label, blank = clusters(kind, seed, 20)
    rng = np.random.default_rng(seed + 1)
    resp = rng.dirichlet(np.full(4, 0.3), len(x))
    resp[np.arange(len(x)), label] += 1.0
    resp /= resp.sum(axis=1, keepdims=True)
    component, encoding = as_component(blank, "components"), Encoding(x.shape[1])
    block = component.encode(x.T, encoding)
    return (
        component.maximize(component.expected_statistics(block, resp.T)),
        x,
        resp,
        rng.integers(0, 4, len(x)),
        encoding,
    )


def sums(component, x, resp, weight, encoding):
    """In three batches."""
    weighted = (np.asarray(resp) * np.asarray(weight)[:, None]).T
    parts = [range(7), range(7, 50), range(50, len(x))]
    return total(
        component.expected_statistics(
            component.encode(x[rows].T, encoding), np.ascontiguousarray(weighted[:, rows])
        )
        for rows in parts
    )


@pytest.mark.parametrize("kind", KINDS)
def test_merged_sums_are_those_of_merged_responsibilities(kind):
    component, x, resp, weight, encoding = parameters(kind)
    found = merged(sums(component, x, resp, weight, encoding), 2, 0)
    assert_same(found, sums(component, x, oracle.merged(resp, 2, 0), weight, encoding))


@pytest.mark.parametrize("kind", COVARIANCES)
def test_merged_sums_about_means_of_their_own(kind):
    component, x, resp, weight, encoding = parameters(f"{kind} 2")
    far = component.replace(
        component.mean + 1e6, component.covariance
    )  # so far that each has an origin of its own
    stats = sums(far, x + 1e6, resp, weight, encoding)
    assert stats.origin.ndim == 2
    found = merged(stats, 2, 0)
    expected = sums(far, x + 1e6, oracle.merged(resp, 2, 0), weight, encoding)
    assert_allclose(found["count"], expected["count"], atol=1e-12)
    moved = expected.about(found.origin)
    full = found["count"] > 0
    assert_allclose(found["sum_x"][full], moved["sum_x"][full], rtol=1e-9, atol=1e-6)
    shown = slice(None) if "sum_xx" in stats.shared else full
    # The oracle's own sums about the old means lose some digits on their way here.
    assert_allclose(found["sum_xx"][shown], moved["sum_xx"][shown], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_sums_of_some_in_their_places(kind):
    component, x, resp, weight, encoding = parameters(kind)
    stats = sums(component, x, resp, weight, encoding)
    spread = emptied(stats.take([3, 1]), 5, [4, 0])
    assert_same(spread.take([4, 0]), stats.take([3, 1]))
    assert not any(spread.take([1, 2, 3])[name].any() for name in spread.sums.keys() - spread.shared)


@pytest.mark.parametrize("kind", KINDS)
def test_a_replaced_component_has_the_other_sums(kind):
    component, x, resp, weight, encoding = parameters(kind)
    stats = sums(component, x, resp, weight, encoding)
    other = sums(component, x, resp[:, ::-1], weight, encoding)
    found = replaced(stats, 1, other, 3)
    assert_same(found.take([0, 2, 3]), stats.take([0, 2, 3]))
    if not stats.shared:
        assert_same(found.take([1]), other.take([3]))


# --- promises -----------------------------------------------------------------------------------------------------
def converged(kind, weights=SPARSE, seed=0, size=6, batch=37, tol=1e-7):
    """A fit that is stuck, where it was made, its rows and weights."""
    x, label, blank = clusters(kind, seed, 40)
    weight = np.random.default_rng(seed).integers(1, 3, len(x)).astype(float)
    owner = posterior(blank, size, weights, moves=False)
    problem = owner._problem(owner._validate(x, reset=True), weight)
    start = stuck(x, label, blank, size)._model()
    if problem.encoding.origin is not None:
        by = problem.encoding.origin - start.encoding.origin
        start = replace(start, components=hooks.moved(start.components, by), encoding=problem.encoding)
    source = DenseSource(x, problem.encoding, weight, rows_per_batch=batch)
    stopping = Stopping(tol, 2000)
    first = run(absorbed(problem, start), source, update=Maximization(), executor=Serial(), stopping=stopping)
    assert first.reason == Reason.CONVERGED
    setting = Setting(source, lambda _: Maximization(), Serial(), stopping)
    rows = x if problem.encoding.origin is None else x - problem.encoding.origin
    return first, setting, rows, weight


def responsibilities(model, rows, weight):
    return (model.infer(Batch(rows.T.copy(), weight), {}).resp / weight).T


@pytest.mark.parametrize(
    "kind", ["full 2", "tied 2", "diag 3", "spherical 2", "Poisson", "Bernoulli", "Product 2"]
)
def test_what_a_merge_promises_is_the_bound_of_the_merged_responsibilities(kind):
    first, setting, rows, weight = converged(kind)
    proposals = Proposals(first, setting, margin=0.0)
    resp = responsibilities(first.model, rows, weight)
    pairs = list(combinations(proposals.live.tolist(), 2))
    entropy = proposals._looked_up(pairs)["entropy"]
    # A family's sums do without the base measure, which is the same before and after.
    before = oracle.best_bound(first.model, rows, weight, resp)
    for pair, lost in zip(pairs, entropy, strict=True):
        bound = oracle.best_bound(first.model, rows, weight, oracle.merged(resp, *pair))
        # What the fit had left to gain after its last step.
        assert proposals._merge([pair], -lost).promise == pytest.approx(bound - before, abs=2e-3)


def test_responsibilities_of_a_deletion_are_those_of_the_promise():
    first, setting, rows, weight = converged("full 2")
    proposals = Proposals(first, setting, margin=0.0)
    resp = responsibilities(first.model, rows, weight)
    for one in proposals.fewer():
        if one.kind == "delete":
            bound = oracle.best_bound(first.model, rows, weight, oracle.without(resp, *one.components))
            assert (
                one.promise <= bound - first.objective + 1e-4
            )  # the others' parameters are better afterwards


@pytest.mark.parametrize("weights", LAWS)
@pytest.mark.parametrize("kind", ["full 2", "tied 2", "Poisson", "Product 2"])
def test_no_start_is_below_its_promise(kind, weights, monkeypatch):
    # Else what the deletion of a component far from others costs is cut off.
    monkeypatch.setattr(module, "overlaps", partial(overlaps, tiny=1e-300))
    first, setting, rows, weight = converged(kind, LAWS[weights])
    proposals = Proposals(first, setting, margin=1e-3)
    candidates = [*proposals.sorts(), *proposals.fewer(), *proposals.births()]
    assert "delete" in {one.kind for one in candidates}
    # A birth drops the fraction of a row in the place it takes, at some ten nats a row.
    lost = 20.0 * counts(first.statistics)[counts(first.statistics) < 1.0].sum()
    for one in candidates:
        model = one.make()
        evidence = model.summarize(Batch(rows.T.copy(), weight), {}).log_evidence
        assert evidence - model.penalty() >= first.objective + one.promise - lost - 1e-4


def test_overlaps_are_sums_over_rows(rng):
    components = Gaussian(np.array([[0.0], [1.0], [2.5]]), np.ones((3, 1, 1)))
    model = LatentMixture(components, Independent(np.log([0.2, 0.5, 0.3])), Encoding(1))
    x, weight = rng.normal(1.0, 2.0, (50, 1)), rng.integers(0, 3, 50).astype(float)
    source = DenseSource(x, model.encoding, weight, rows_per_batch=13)
    pairs = [(0, 1), (2, 1)]
    found = total(overlaps(model, {}, pairs)(batch, {}) for batch in source)
    lost, given, entropy = np.zeros(3), np.zeros((3, 3)), np.zeros(2)
    for row, w in zip(model.infer(Batch(x.T.copy(), np.ones(50)), {}).resp.T, weight, strict=True):
        for k in range(3):
            lost[k] -= w * np.log(sum(row[j] for j in range(3) if j != k))
            for j in range(3):
                given[k, j] += w * row[k] * row[j] / (1.0 - row[k])
        for index, (one, other) in enumerate(pairs):
            both = row[one] + row[other]
            entropy[index] += w * (
                both * np.log(both) - row[one] * np.log(row[one]) - row[other] * np.log(row[other])
            )
    off = ~np.eye(3, dtype=bool)
    assert_allclose(found["lost"], lost, rtol=1e-10)
    assert_allclose(found["given"][off], given[off], rtol=1e-10)
    assert_allclose(found["entropy"], entropy, rtol=1e-10)


def test_of_many_pairs_those_that_overlap_are_evaluated(monkeypatch):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(20.0 * k, 1.0, (60, 2)) for k in range(4)])
    owner = posterior(Gaussian(), 8, DirichletPrior(1.0), moves=False)
    problem = owner._problem(owner._validate(x, reset=True), None)
    part = 2 * np.repeat(np.arange(4), 60) + (
        rng.random(240) < 0.5
    )  # every cluster in two parts that cover it
    resp = np.eye(8)[part]
    source = DenseSource(x, problem.encoding)
    model = from_responsibilities(resp, source, problem.components, problem.structure, problem.encoding)
    setting = Setting(source, lambda _: Maximization(), Serial(), Stopping(1e-4, 2))
    first = run(model, source, update=Maximization(), executor=Serial(), stopping=setting.stopping)
    monkeypatch.setattr(module, "_MOST_PAIRS", 4)
    found = [one.components for one in Proposals(first, setting, 0.0).fewer() if one.kind == "merge"]
    assert {pair for pair in found if len(pair) == 2} == {(0, 1), (2, 3), (4, 5), (6, 7)}
    (together,) = (one for one in found if len(one) > 2)
    assert sorted(together) == list(range(8))


# --- repairs ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_two_clusters_in_one_component_and_one_in_two_are_repaired(kind, seed):
    x, label, blank = clusters(kind, seed)
    start = stuck(x, label, blank, 6)
    model = posterior(blank, init_params=start).fit(x)
    best = posterior(blank, init_params="kmeans", moves=False, n_init=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best.fit(x)
    assert model.converged_
    assert model.lower_bound_ >= best.lower_bound_ - 1e-4
    assert live(model) == 4


@pytest.mark.parametrize("kind", ["full 2", "full 5", "diag 3"])
def test_these_starts_are_stuck_without_moves(kind):
    x, label, blank = clusters(kind, 0)
    start = stuck(x, label, blank, 6)
    still, moved = (posterior(blank, init_params=start, moves=moves).fit(x) for moves in (False, True))
    assert moved.lower_bound_ > still.lower_bound_ + 0.05
    assert not hasattr(still, "moves_") or still.moves_ == ()
    assert moved.moves_


@pytest.mark.parametrize("weights", LAWS)
def test_the_bound_never_falls_over_the_whole_record(weights):
    x, label, blank = clusters("full 2", 1)
    model = posterior(blank, 8, LAWS[weights], init_params=stuck(x, label, blank, 8), tol=1e-8).fit(x)
    assert model.moves_
    assert np.diff(model.lower_bounds_).min() >= -1e-12
    assert model.lower_bounds_[-1] == model.lower_bound_
    for move, following in zip(model.moves_, model.moves_[1:], strict=False):
        assert move.accepted
        assert move.after > move.before
        assert following.before == move.after
    assert model.moves_[-1].after == model.lower_bound_
    assert model.moves_[-1].n_live == live(model) == 4
    assert str(model.moves_[-1]).startswith(model.moves_[-1].kind)


def test_the_record_is_saved(tmp_path):
    x, label, blank = clusters("full 2", 1)
    model = posterior(blank, 8, init_params=stuck(x, label, blank, 8), prune=True).fit(x)
    assert len(model.moves_) >= 2
    model.set_params(init_params="kmeans")
    assert mixtura.load(model.save(tmp_path / "model.mixtura")).moves_ == model.moves_


@pytest.mark.parametrize("weights", ["Dirichlet process", "Pitman-Yor process"])
def test_sticks_are_sorted_by_size(weights):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(9 * k, 1.0, (size, 2)) for k, size in enumerate((20, 60, 300))])
    given = {"weights_init": [0.1, 0.2, 0.7], "means_init": [[0, 0], [9, 9], [18, 18]]}
    kind = {"Dirichlet process": "dirichlet_process", "Pitman-Yor process": "pitman_yor"}[weights]
    sorted_, still = (
        BayesianGaussianMixture(
            3, weight_concentration_prior_type=kind, moves=moves, random_state=0, **given
        ).fit(x)
        for moves in (True, False)
    )
    assert (np.diff(still.weights_) > 0).all()
    assert (np.diff(sorted_.weights_) < 0).all()
    assert sorted_.lower_bound_ > still.lower_bound_
    assert [move.kind for move in sorted_.moves_] == ["sort"]


def test_weights_of_rows_are_rows_repeated():
    x, label, blank = clusters("full 2", 2, 60)
    weight = np.random.default_rng(0).integers(1, 4, len(x))
    start = stuck(x, label, blank, 6)
    weighted = posterior(blank, init_params=start).fit(x, sample_weight=weight)
    repeated = posterior(blank, init_params=start).fit(np.repeat(x, weight, axis=0))
    assert [(move.kind, move.components) for move in weighted.moves_] == [
        (move.kind, move.components) for move in repeated.moves_
    ]
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, rel=1e-9)


def test_batches_make_no_difference():
    one, many = (converged("full 2", batch=batch)[:2] for batch in (10**6, 11))
    found = [Moves()(first, setting) for first, setting in (one, many)]
    assert [(move.kind, move.components, move.accepted) for move in found[0].tried] == [
        (move.kind, move.components, move.accepted) for move in found[1].tried
    ]
    assert any(move.accepted for move in found[0].tried)
    assert found[0].best.objective == pytest.approx(found[1].best.objective, rel=1e-10)


def test_missing_cells():
    x, label, blank = clusters("full 2", 0)
    start = stuck(x, label, blank, 6)
    x = np.where(np.random.default_rng(0).random(x.shape) < 0.1, np.nan, x)
    model = posterior(blank, init_params=start).fit(x)
    assert model.moves_
    assert live(model) == 4
    assert np.diff(model.lower_bounds_).min() >= -1e-12


def test_components_with_parameters_are_the_start_of_a_fit_with_priors():
    x, label, blank = clusters("full 5", 0)
    start = stuck(x, label, blank, 6)
    one = posterior(start.components_, 6, moves=False).fit(x)
    other = posterior(blank, 6, init_params=start, moves=False).fit(x)
    assert [result.name for result in one.starts_] == ["given"]
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, abs=1e-4)
    assert posterior(start.components_, 6).fit(x).lower_bound_ > one.lower_bound_ + 0.05


# --- what ends them -----------------------------------------------------------------------------------------------
class Press:
    """Ctrl-C at a given call."""

    def __init__(self, call):
        self.call, self.count = call, 0

    def __call__(self, progress):
        self.count += 1
        if self.count == self.call:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_during_moves_returns_the_best_model():
    x, label, blank = clusters("full 2", 1)
    start = stuck(x, label, blank, 8)
    options = {"init_params": start, "tol": 1e-8}
    watched = Press(-1)
    whole = posterior(blank, 8, callbacks=[watched], **options).fit(x)
    before = posterior(blank, 8, moves=False, **options).fit(x)
    call = before.n_iter_ + 3  # in the first moves
    press = Press(call)
    model = posterior(blank, 8, callbacks=[press], **options)
    with pytest.warns(InterruptedWarning, match="best model so far"):
        model.fit(x)
    assert press.count == call < watched.count
    assert before.lower_bound_ <= model.lower_bound_ <= whole.lower_bound_
    assert model._model().summarize(
        Batch((x - model.origin_).T.copy(), np.ones(len(x))), {}
    ).log_evidence - model._model().penalty() == pytest.approx(model.lower_bound_ * len(x), rel=1e-10)


def test_a_time_budget_is_kept():
    first, setting, _, _ = converged("full 2")
    late = replace(setting, stopping=replace(setting.stopping, deadline=time.monotonic()))
    found = Moves()(first, late)
    assert found.tried == ()
    assert found.best is first
    slow = replace(
        setting,
        stopping=replace(setting.stopping, deadline=time.monotonic() + 0.2),
        callbacks=[lambda _: time.sleep(0.15)],
    )
    found = Moves()(first, slow)
    assert 1 <= len(found.tried) <= 2
    assert found.best.objective >= first.objective
    assert not found.interrupted


def test_steps_of_moves_count():
    first, setting, _, _ = converged("full 2", LAWS["Dirichlet process"])
    whole = Moves()(first, setting)
    assert len(whole.tried) >= 2
    for most in (first.n_iter, first.n_iter + 15):
        few = Moves()(first, replace(setting, stopping=replace(setting.stopping, max_iter=most)))
        assert len(few.tried) < len(whole.tried)
        assert few.best.n_iter <= most
        assert few.best.objective >= first.objective


def test_a_callback_that_stops_ends_the_moves():
    first, setting, _, _ = converged("full 2")
    found = Moves()(first, replace(setting, callbacks=[lambda _: True]))
    assert len(found.tried) == 1
    assert found.best.objective >= first.objective


def test_nothing_is_tried_where_the_fit_has_not_converged():
    first, setting, _, _ = converged("full 2")
    found = Moves()(replace(first, reason=Reason.MAX_ITER), setting)
    assert found.tried == ()


# --- pruning ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("weights", LAWS)
def test_pruning_takes_empty_components_out(weights):
    x, label, blank = clusters("full 2", 0)
    start = stuck(x, label, blank, 8)
    whole, pruned = (
        posterior(blank, 8, LAWS[weights], init_params=start, prune=prune).fit(x) for prune in (False, True)
    )
    assert len(whole.weights_) == 8
    assert len(pruned.weights_) == 4
    assert live(whole) == live(pruned) == 4
    last = pruned.moves_[-1]
    assert last.kind == "prune"
    assert len(last.components) == 4
    assert last.after == pruned.lower_bound_
    assert_allclose(np.sort(pruned.weights_), np.sort(whole.weights_)[-4:], atol=2e-3)
    # Empty sticks at the end are those of the prior; a Dirichlet law of fewer weights is another prior.
    same = pruned.lower_bound_ == pytest.approx(whole.lower_bound_, abs=1e-4)
    assert same == (weights != "Dirichlet")
    assert_allclose(np.sort(pruned.predict_proba(x)[0]), np.sort(whole.predict_proba(x)[0])[-4:], atol=1e-2)


def test_pruning_without_moves():
    x, label, blank = clusters("full 5", 0)
    model = posterior(blank, 8, init_params=stuck(x, label, blank, 8), moves=False, prune=True).fit(x)
    assert len(model.weights_) == live(model) < 8
    assert [move.kind for move in model.moves_] == ["prune"]


# --- where there are none -----------------------------------------------------------------------------------------
def test_maximum_likelihood_and_modes_know_no_moves():
    x, _, blank = clusters("full 2", 0)
    for inference in ("em", "map"):
        fits = [
            Mixture(blank, 3, inference=inference, moves=moves, prune=moves, random_state=0).fit(x)
            for moves in (False, True)
        ]
        assert fits[1]._problem(x, None).moves is None
        assert fits[0].lower_bounds_ == fits[1].lower_bounds_
        np.testing.assert_array_equal(fits[0].weights_, fits[1].weights_)
        assert fits[1].moves_ == ()


def test_known_labels_keep_components_where_they_are():
    x, label, blank = clusters("full 2", 0)
    model = posterior(blank, 4, init_params="kmeans", random_state=0).fit(x, labels=label)
    assert model.moves_ == ()
    assert np.mean(model.predict(x) == label) > 0.99


def test_no_pass_is_made_where_one_component_is_all():
    x, _, blank = clusters("full 2", 0)
    seen = []
    model = posterior(blank, 1, random_state=0, callbacks=[lambda progress: seen.append(progress.step)]).fit(
        x
    )
    assert model.moves_ == ()
    assert len(seen) == model.n_iter_ + 1


# --- the number of components -------------------------------------------------------------------------------------
@pytest.mark.parametrize("law", ["dirichlet_distribution", "dirichlet_process"])
@pytest.mark.parametrize("init", ["kmeans", "random"])
def test_seven_blobs_are_found_with_fifteen_components(law, init):
    from sklearn.datasets import make_blobs

    for seed in (0, 2):  # centres that lie apart
        x, _ = make_blobs(2000, 4, centers=7, cluster_std=0.6, random_state=seed)
        model = BayesianGaussianMixture(
            15,
            weight_concentration_prior_type=law,
            weight_concentration_prior=1e-3,
            init_params=init,
            random_state=seed,
        ).fit(x)
        assert np.sum(model.mean_precision_ - model.mean_precision_prior_ >= 1.0) == 7


@pytest.fixture(scope="module")
def three():
    """A tutorial's thousand rows of three clusters, from the legacy generator that it used."""
    generator = np.random.RandomState(1000)
    uniform = generator.rand(1000)
    label = np.where(uniform < 0.15, 0, np.where(uniform < 0.5, 1, 2))
    means = [(-3, 2), (4, 2), (3, 1)]
    matrices = [[[1, 0.2], [0.2, 2]], [[0.8, -1], [-1, 1.3]], [[1.5, 1.4], [1.4, 1.5]]]
    with np.errstate(all="ignore"):
        return np.array(
            [generator.multivariate_normal(means[k], matrices[k], check_valid="ignore") for k in label]
        )


@pytest.mark.parametrize("law", ["dirichlet_distribution", "dirichlet_process"])
@pytest.mark.parametrize("priors", ["default", "tutorial"])
def test_three_clusters_are_found_with_ten_components(three, law, priors):
    own = {
        "mean_precision_prior": 1.5,
        "mean_prior": [1.0, 1.0],
        "degrees_of_freedom_prior": 2.0,
        "covariance_prior": np.eye(2),
    }
    settings = {
        "weight_concentration_prior_type": law,
        "weight_concentration_prior": 1e-3,
        "init_params": "kmeans",
    }
    for seed in range(4):
        model = BayesianGaussianMixture(
            10, random_state=seed, **settings, **(own if priors == "tutorial" else {})
        ).fit(three)
        assert np.sum(model.mean_precision_ - model.mean_precision_prior_ >= 1.0) == 3
        assert model.converged_
