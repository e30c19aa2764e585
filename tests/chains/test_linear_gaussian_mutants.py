"""Tests of these tests: feared bugs of the Kalman smoother and of EM, which relations that the other files check must catch."""

from dataclasses import replace

import numpy as np
import pytest

import mixtura.chains.linear_gaussian as chain_module
from chains.test_linear_gaussian import random_batch, random_system
from mixtura.chains import FreeCoefficients, FreeInitial, FreeNoise, Joseph, LinearGaussianChain
from mixtura.chains import linear_gaussian_sums as sums_module
from mixtura.chains.linear_gaussian_identified import redundant
from mixtura.kernels import without_kernels
from oracles_linear_gaussian import conditional


class NoiseForgotten(Joseph):
    """The smoother leaves out what the states' noise adds."""

    def smooth(self, steps, filtered):
        return super().smooth(steps._replace(noise=0.5 * steps.noise), filtered)


class LagTransposed(Joseph):
    """cov(z_{t-1}, z_t) in the place of cov(z_t, z_{t-1})."""

    def smooth(self, steps, filtered):
        found = super().smooth(steps, filtered)
        return found._replace(lagged=np.swapaxes(found.lagged, 1, 2))


class FilteredForSmoothed(Joseph):
    """The states are told by the past only."""

    def smooth(self, steps, filtered):
        found = super().smooth(steps, filtered)
        return found._replace(mean=filtered.mean)


class GapsAreZeros(Joseph):
    """A missing cell is a cell of zero."""

    def filter(self, steps):
        return super().filter(steps._replace(look=np.maximum(steps.look, 0)))


class SequencesRunOn(Joseph):
    """The last state of a sequence leads to the first of the next."""

    def filter(self, steps):
        return super().filter(steps._replace(offsets=steps.offsets[[0, -1]]))


class OneRowTooMany(FreeNoise):
    """Gamma is divided by T in the place of T - 1."""

    def maximize(self, scatter, count, current):
        return super().maximize(scatter, count + 1.0, current)


class NoiseOfTheOldLine(FreeCoefficients):
    """Coefficients that are only half of the way there."""

    def maximize(self, sums, noise, current):
        return 0.5 * (current + super().maximize(sums, noise, current))


class AboutZero(FreeInitial):
    """V0 is the mean square of first states, not that about their mean."""

    def maximize(self, sums, system):
        mean, found = super().maximize(sums, system)
        return mean, found + np.outer(mean, mean)


def uncertain_means(weight, matrices):
    """Sums of squares of expected states lack their covariances."""
    return np.zeros(matrices.shape[1:])


def certain_cells(system, missing, count, square, cross, gram):
    """What is missing is taken for what is expected of it, without its variance."""
    return REAL_COMPLETED(system, missing, 0.0, square, cross, gram)


REAL_COMPLETED = sums_module._completed
FORMS = [NoiseForgotten(), LagTransposed(), FilteredForSmoothed(), GapsAreZeros(), SequencesRunOn()]
LAWS = [{"noise": OneRowTooMany()}, {"moves": NoiseOfTheOldLine()}, {"initial": AboutZero()}]
SUMS = [("_weighted", uncertain_means), ("_completed", certain_cells)]


def setting(**changes):
    batch = random_batch(41, [8, 12], missing=0.25)
    batch.x[:, 3] = np.nan
    return replace(LinearGaussianChain(random_system(40, 2, 2)), **changes), batch


def is_the_joint_gaussian(chain, batch):
    """States, covariances and evidence are those of the dense joint law."""
    filtered, smoothed = chain.filter(batch), chain.smooth(batch)
    for begin, end in ((0, 8), (8, 20)):
        mean, spread, log_prob = conditional(chain.system, batch.x.T[begin:end])
        same = [
            np.allclose(smoothed.mean[begin:end], mean),
            np.isclose(filtered.log_prob[begin:end].sum(), log_prob),
            *(np.allclose(smoothed.covariance[begin + t], spread[t, :, t]) for t in range(end - begin)),
            *(np.allclose(smoothed.lagged[begin + t], spread[t, :, t - 1]) for t in range(1, end - begin)),
        ]
        if not all(same):
            return False
    return True


def fishers_identity_holds(chain, batch):
    stats, here = chain.summarize(batch, {}), chain.coordinates()
    direction = np.random.default_rng(0).normal(size=len(here))

    def slope(function):
        return (function(1e-5) - function(-1e-5)) / 2e-5

    evidence = slope(lambda e: chain.from_coordinates(here + e * direction).summarize(batch, {}).log_evidence)
    expected = slope(lambda e: chain.from_coordinates(here + e * direction).expected_log_prob(stats))
    return bool(np.isclose(evidence, expected, rtol=1e-5))


def the_m_step_is_best(chain, batch):
    stats = chain.summarize(batch, {})
    new = chain.maximize(stats)
    best, here = new.expected_log_prob(stats), new.coordinates()
    directions = np.random.default_rng(1).normal(size=(60, len(here)))
    return all(
        new.from_coordinates(here + size * one).expected_log_prob(stats) < best
        for one in directions
        for size in (1e-3, -1e-3)
    )


def test_the_healthy_pass():
    chain, batch = setting()
    assert is_the_joint_gaussian(chain, batch)
    assert fishers_identity_holds(chain, batch)
    assert the_m_step_is_best(chain, batch)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: type(form).__name__)
def test_bugs_of_the_recursions_are_caught(form):
    chain, batch = setting(form=form)
    assert not is_the_joint_gaussian(chain, batch)


@pytest.mark.parametrize("laws", LAWS, ids=lambda laws: type(next(iter(laws.values()))).__name__)
def test_bugs_of_the_m_step_are_caught(laws):
    chain, batch = setting(**laws)
    assert not the_m_step_is_best(chain, batch)


@pytest.mark.parametrize(("name", "bug"), SUMS)
def test_bugs_of_the_sums_are_caught(name, bug, monkeypatch):
    monkeypatch.setattr(sums_module, name, bug)
    chain, batch = setting()
    assert is_the_joint_gaussian(chain, batch)
    assert not fishers_identity_holds(chain, batch)


def test_counting_every_parameter_is_caught(monkeypatch):
    chain, _ = setting()
    assert redundant(chain) == 4 + 2
    honest = chain.n_parameters()
    monkeypatch.setattr(chain_module, "redundant", lambda _: 0)
    assert chain.n_parameters() == honest + 6


def test_the_plain_path_runs_where_there_is_no_numba():
    chain, batch = setting()
    with without_kernels():
        plain = chain.summarize(batch, {})
    stats = chain.summarize(batch, {})
    for name, value in stats.sums.items():
        np.testing.assert_allclose(plain[name], value, atol=1e-10)
