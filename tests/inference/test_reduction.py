"""Merging and leaving out components: gains that equal the bound's arithmetic, a search that keeps the best, Ctrl-C."""

import signal
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import oracles_reduction as oracle
from mixtura.components import hooks
from mixtura.executors import Serial
from mixtura.inference import reduction
from mixtura.inference.bayesian import absorbed, overall
from mixtura.inference.driver import run
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization
from mixtura.models import GroupedMultinomialMixture
from mixtura.priors import DirichletPrior
from mixtura.structures import Grouped

EXACT = Stopping(1e-9, 2000)


def rows_of_groups(seed, n_rows=160, n_groups=12):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(6, 0.3), size=3)
    tastes = rng.dirichlet(np.ones(3), size=n_groups)
    groups = np.sort(rng.integers(n_groups, size=n_rows))
    kinds = [rng.choice(3, p=tastes[h]) for h in groups]
    return np.array([rng.multinomial(7, shares[k]) for k in kinds], dtype=float), groups


def start_of(rows, groups, n_components, seed=0, *, sparse=False):
    """A problem with priors, and a start from random profiles."""
    rng = np.random.default_rng(seed)
    given = GroupedMultinomialMixture(
        n_components,
        weights_init=np.full(n_components, 1 / n_components),
        profiles_init=rng.dirichlet(np.ones(rows.shape[1]), size=n_components),
    )
    order, given._offsets, _ = given._by_group(groups, len(rows))
    x = given._validate(sp.csr_matrix(rows[order]) if sparse else rows[order], reset=True)
    problem = given._problem(x, None)
    model = given._given(problem, rng)
    law = hooks.variational(problem.components, DirichletPrior(0.7), overall(problem), None)
    problem = replace(
        problem, components=law, structure=lambda counts: Grouped(3.0 * counts / counts.sum(), tol=1e-9)
    )
    return problem, absorbed(problem, replace(model, structure=problem.structure(np.ones(n_components))))


def search(problem, start, **options):
    settings = {"executor": Serial(), "stopping": Stopping(1e-4, 300), "update": Maximization()}
    return reduction.reduced(problem, start, **settings | options)


def resp_of(fit, problem):
    return np.concatenate([reduction._responsibilities(fit, batch) for batch in problem.source()], axis=1)


def test_gains_of_merges_are_what_the_bound_changes_by():
    rows, groups = rows_of_groups(1, n_rows=60, n_groups=6)
    problem, start = start_of(rows, groups, 4)
    settled = Stopping(0.0, 5000)  # what a merge changes is of first order in the responsibilities
    fit = run(start, problem.source(), update=Maximization(), executor=Serial(), stopping=settled)
    resp = resp_of(fit, problem).T.tolist()
    prior, population = fit.model.components.law.chi.tolist(), fit.model.structure.pseudo_count.tolist()
    arguments = (rows.tolist(), groups.tolist())
    whole = oracle.collapsed_bound(*arguments, resp, prior, population)
    # At the fixed point the laws are the best ones for the responsibilities, so both bounds are one.
    assert fit.objective == pytest.approx(whole, abs=1e-3)
    gains = reduction.merge_gains(problem, fit)
    for a in range(4):
        for b in range(a + 1, 4):
            less = oracle.collapsed_bound(*arguments, *_swapped(resp, prior, population, a, b))
            assert gains[a, b] == pytest.approx(less - whole, abs=1e-3)
    assert np.isneginf(gains[np.tril_indices(4)]).all()


def _swapped(resp, prior, population, a, b):
    resp, population = oracle.merged(resp, population, a, b)
    return resp, prior, population


@pytest.mark.slow
def test_a_merge_never_loses_more_than_was_foretold():
    """The gain holds for fixed responsibilities; the fit that follows can only raise the bound."""
    rows, groups = rows_of_groups(2)
    problem, start = start_of(rows, groups, 5)
    fit = run(start, problem.source(), update=Maximization(), executor=Serial(), stopping=EXACT)
    gains = reduction.merge_gains(problem, fit)
    for a, b in ((0, 1), (1, 3), (2, 4)):
        model, memory = reduction._merged(fit, [(a, b)])
        found = run(
            model,
            problem.source(),
            update=Maximization(),
            executor=reduction._Remembering(Serial(), memory),
            stopping=EXACT,
        )
        assert found.objective >= fit.objective + gains[a, b] - 1e-3


@pytest.mark.parametrize("sparse", [False, True])
def test_the_search_keeps_the_best_bound_and_finds_the_number(sparse):
    rows, groups = rows_of_groups(3, n_rows=400, n_groups=20)
    problem, start = start_of(rows, groups, 8, sparse=sparse)
    found = search(problem, start, update=reduction.LearntBase())
    numbers = [tried.n_components for tried in found.path]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    assert found.result.model.n_components == 3
    assert found.result.objective == max(tried.bound for tried in found.path)
    assert not found.interrupted


def test_a_number_that_is_kept_is_kept():
    rows, groups = rows_of_groups(4)
    problem, start = start_of(rows, groups, 6)
    found = search(problem, start, fewest=6)
    assert found.result.model.n_components == 6
    assert [tried.n_components for tried in found.path] == [6]


def test_the_scale_of_the_prior_is_learnt_and_raises_the_bound():
    rows, groups = rows_of_groups(5)
    problem, start = start_of(rows, groups, 3)
    fixed, learnt = (
        search(problem, start, fewest=3, update=update, stopping=EXACT)
        for update in (Maximization(), reduction.LearntBase())
    )
    assert learnt.result.objective > fixed.result.objective
    assert (np.diff(learnt.result.history) >= -1e-7).all()
    law = learnt.result.model.components.law.chi
    np.testing.assert_allclose(law / law.sum(), 1 / 6)  # the mean stays
    for factor in (0.9, 1.1):  # no other scale has a higher bound with these posteriors
        other = sum(
            oracle.divergence(row, (factor * law).tolist())
            for row in learnt.result.model.components.hyper[0].tolist()
        )
        assert other > learnt.result.model.components.penalty() - 1e-9


def test_control_c_gives_the_best_so_far():
    rows, groups = rows_of_groups(6)
    problem, start = start_of(rows, groups, 8)
    passes = []

    def press(progress):
        passes.append(progress.model.n_components)
        if progress.model.n_components < 8 and len(set(passes)) == 2 and passes[-2] < 8:
            signal.raise_signal(signal.SIGINT)

    found = search(problem, start, callbacks=(press,))
    assert found.interrupted
    assert found.result.reason != Reason.INTERRUPTED
    assert found.result.model.n_components == 8
    assert len(set(passes)) == 2
