"""Variational Bayes of chains against hmmlearn's, from the same start; skipped where hmmlearn is not installed."""

import logging

import numpy as np
import pytest

from mixtura.components import Gaussian, hooks
from mixtura.components.gaussian_posterior import NormalWishart
from mixtura.data import make_source
from mixtura.executors import Serial
from mixtura.families import Categorical, FamilyComponents
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.priors import DirichletPrior, NormalWishartPrior
from mixtura.protocols import Encoding
from mixtura.statistics import total
from mixtura.structures import DirichletMarkov, LatentMixture, Markov

vhmm = pytest.importorskip("hmmlearn.vhmm")
OFFSETS = np.array([0, 60, 100, 220])
STEPS = 15


def chain_of(theirs):
    """Their posterior of the chain as ours."""
    size = theirs.n_components
    even = Markov(np.full(size, 1.0 / size), np.full((size, size), 1.0 / size))
    law = DirichletMarkov(even, theirs.startprob_prior_, theirs.transmat_prior_)
    return law.with_concentration(
        np.concatenate([theirs.startprob_posterior_[None], theirs.transmat_posterior_])
    )


def fitted(model, x):
    source = make_source(x, model.encoding, None, OFFSETS, 10_000)
    stopping = Stopping(0.0, max_iter=STEPS)
    return run(model, source, update=Maximization(), executor=Serial(), stopping=stopping)


def overall(components, x, encoding):
    batches = make_source(x, encoding, None, OFFSETS, 10_000)
    one = components if hooks.is_blank(components) else components.take([0])
    return total(
        one.expected_statistics(one.encode(batch.x, encoding), batch.sample_weight[None]) for batch in batches
    )


def same_chain(ours, theirs):
    # Sums over 220 rows, 15 times.
    np.testing.assert_allclose(ours.concentration[0], theirs.startprob_posterior_, rtol=1e-9)
    np.testing.assert_allclose(ours.concentration[1:], theirs.transmat_posterior_, rtol=1e-9)
    np.testing.assert_allclose(ours.transition, theirs.transmat_, rtol=1e-9)


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)


def test_categorical():
    x = np.random.default_rng(0).integers(0, 4, (OFFSETS[-1], 1))
    theirs = vhmm.VariationalCategoricalHMM(3, random_state=1, n_iter=STEPS, tol=-1.0)
    theirs._check_and_set_n_features(x)
    theirs._init(x, np.diff(OFFSETS))
    encoding = Encoding(1)
    template = FamilyComponents(Categorical([4]))
    blank = hooks.variational(
        template,
        DirichletPrior(0.25),
        overall(template.from_mean(np.full((1, 4), 0.25)), x.astype(float), encoding),
        None,
    )
    chi = theirs.emissionprob_posterior_.copy()
    model = LatentMixture(blank.at(chi, chi.sum(axis=1, keepdims=True)), chain_of(theirs), encoding)
    theirs.init_params = ""
    theirs.fit(x, np.diff(OFFSETS))
    result = fitted(model, x.astype(float))
    np.testing.assert_allclose(result.history[:STEPS], list(theirs.monitor_.history)[-STEPS:], rtol=1e-9)
    same_chain(result.model.structure, theirs)
    np.testing.assert_allclose(result.model.components.hyper[0], theirs.emissionprob_posterior_, rtol=1e-9)


def test_gaussian():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(OFFSETS[-1], 2)) + 2.0 * rng.integers(0, 3, OFFSETS[-1])[:, None]
    theirs = vhmm.VariationalGaussianHMM(3, covariance_type="full", random_state=1, n_iter=STEPS, tol=-1.0)
    theirs._check_and_set_n_features(x)
    theirs._init(x, np.diff(OFFSETS))
    encoding = Encoding(2)
    prior = NormalWishartPrior(
        mean=theirs.means_prior_[0],
        mean_precision=theirs.beta_prior_[0],
        degrees_of_freedom=theirs.dof_prior_[0],
        covariance=theirs.scale_prior_[0],
    )
    plain = Gaussian(np.zeros((1, 2)), np.eye(2)[None])
    blank = hooks.variational(plain, prior, overall(plain, x, encoding), None)
    laws = NormalWishart(
        theirs.means_posterior_, theirs.beta_posterior_, theirs.dof_posterior_, theirs.scale_posterior_
    )
    model = LatentMixture(blank.at(laws), chain_of(theirs), encoding)
    theirs.init_params = ""
    theirs.fit(x, np.diff(OFFSETS))
    result = fitted(model, x)
    same_chain(result.model.structure, theirs)
    found = result.model.components.laws
    np.testing.assert_allclose(found.mean, theirs.means_posterior_, rtol=1e-8)
    np.testing.assert_allclose(found.scatter, theirs.scale_posterior_, rtol=1e-7, atol=1e-9)
    # Their densities lack the constant log(2 pi) D / 2 of every row.
    constant = -len(x) * np.log(2.0 * np.pi)
    np.testing.assert_allclose(
        result.history[:STEPS], np.array(theirs.monitor_.history)[-STEPS:] + constant, rtol=1e-9
    )
