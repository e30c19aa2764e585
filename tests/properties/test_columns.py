"""Properties of mixtures of independent columns over drawn rows."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtura.data import DenseSource
from mixtura.exceptions import ConvergenceWarning
from mixtura.executors import Serial
from mixtura.families import Bernoulli, Binomial, Categorical, FamilyComponents, Geometric, Poisson
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.models import BernoulliMixture, PoissonMixture
from mixtura.protocols import Encoding
from mixtura.structures import Independent, LatentMixture

few = settings(max_examples=15)
seeds = st.integers(0, 2**16)
classes = st.sampled_from([BernoulliMixture, PoissonMixture])
START = np.array([[0.2, 0.5, 0.7, 0.4], [0.6, 0.3, 0.5, 0.8]])
INIT = {BernoulliMixture: "probabilities_init", PoissonMixture: "rates_init"}
FITTED = {BernoulliMixture: "probabilities_", PoissonMixture: "rates_"}


def table(cls, seed, n=40):
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0.0, 1.0, (2, 4))[np.arange(n) % 2]
    return (rng.random((n, 4)) < rates if cls is BernoulliMixture else rng.poisson(3 * rates)).astype(float)


def steps(cls, x, start=START, n_steps=5, **arguments):
    model = cls(2, tol=1e-300, max_iter=n_steps, weights_init=[0.6, 0.4], **{INIT[cls]: start})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps; some examples need no more
        return model.fit(x, **arguments)


def same(one, other, columns=slice(None)):
    """Up to the rounding of sums in another order, through five steps."""
    name = FITTED[type(one)]
    np.testing.assert_allclose(getattr(other, name)[:, columns], getattr(one, name), rtol=1e-8)
    np.testing.assert_allclose(other.weights_, one.weights_, rtol=1e-8)


@few
@given(seed=seeds, cls=classes)
def test_the_order_of_rows_does_not_matter(seed, cls):
    x = table(cls, seed)
    same(steps(cls, x), steps(cls, x[np.random.default_rng(seed).permutation(len(x))]))


@few
@given(seed=seeds, cls=classes)
def test_the_order_of_columns_does_not_matter(seed, cls):
    x = table(cls, seed)
    same(steps(cls, x), steps(cls, x[:, ::-1], START[:, ::-1]), slice(None, None, -1))


@few
@given(seed=seeds, cls=classes)
def test_a_whole_weight_is_the_row_repeated(seed, cls):
    x = table(cls, seed)
    weight = np.random.default_rng(seed).integers(0, 4, len(x))
    same(steps(cls, np.repeat(x, weight, axis=0)), steps(cls, x, sample_weight=weight))


@few
@given(seed=seeds, cls=classes)
def test_sparse_is_dense(seed, cls):
    x = table(cls, seed)
    with_zeros = sp.csr_matrix(x)
    with_zeros.data[::5] = 0.0  # stored zeros
    for kind in (sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.coo_matrix):
        same(steps(cls, x), steps(cls, kind(x)))
    same(steps(cls, with_zeros.toarray()), steps(cls, with_zeros))


@few
@given(seed=seeds)
def test_yes_for_no_turns_probabilities_round(seed):
    x = table(BernoulliMixture, seed)
    one, other = steps(BernoulliMixture, x), steps(BernoulliMixture, 1.0 - x, 1.0 - START)
    np.testing.assert_allclose(other.probabilities_, 1.0 - one.probabilities_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(other.score_samples(1.0 - x), one.score_samples(x), rtol=1e-6)


@few
@given(seed=seeds, k=st.integers(1, 4))
def test_a_column_that_is_always_the_same_changes_nothing(seed, k):
    x = table(PoissonMixture, seed)
    constant = np.full((len(x), 1), float(k))
    more = steps(PoissonMixture, np.hstack([x, constant]), np.hstack([START, np.full((2, 1), float(k))]))
    np.testing.assert_allclose(more.rates_[:, -1], k, rtol=1e-10)
    np.testing.assert_allclose(more.rates_[:, :-1], steps(PoissonMixture, x).rates_, rtol=1e-8)


def drawn(name, rng, n=60):
    """Rows of a family, and mean parameters of a start."""
    half = np.arange(n)[:, None] % 2
    p = np.where(half, 0.3, 0.7)
    return {
        "Bernoulli": lambda: (Bernoulli(), rng.random((n, 3)) < p, [[0.4] * 3, [0.5, 0.6, 0.5]]),
        "Poisson": lambda: (
            Poisson(exposure=True),
            np.hstack([rng.poisson(5 * p, (n, 2)), rng.uniform(0.1, 3, (n, 1))]),
            [[1.0, 2.0], [3.0, 2.0]],
        ),
        "Geometric": lambda: (Geometric(), rng.geometric(p, (n, 2)), [[1.0, 2.0], [3.0, 2.0]]),
        "Binomial": lambda: (
            Binomial(),
            np.hstack([rng.binomial(6, p, (n, 2)), np.full((n, 1), 6)]),
            [[0.4, 0.3], [0.5, 0.6]],
        ),
        "Categorical": lambda: (
            Categorical([2, 4]),
            np.hstack([rng.binomial(1, p), rng.integers(0, 3, (n, 1))]),
            [[0.4, 0.6, 0.1, 0.2, 0.3, 0.4], [0.6, 0.4, 0.4, 0.3, 0.2, 0.1]],
        ),
    }[name]()


@pytest.mark.parametrize("name", ["Bernoulli", "Poisson", "Geometric", "Binomial", "Categorical"])
@few
@given(seed=seeds)
def test_em_never_falls_and_batches_do_not_matter(name, seed):
    """The driver raises where an exact step falls; here rows also come in batches of seven."""
    family, x, mean = drawn(name, np.random.default_rng(seed))
    encoding = Encoding(x.shape[1])
    model = LatentMixture(
        FamilyComponents(family).from_mean(np.array(mean)), Independent(np.log([0.4, 0.6])), encoding
    )
    one, many = (
        run(
            model,
            DenseSource(np.asarray(x, dtype=float), encoding, rows_per_batch=rows),
            update=Maximization(),
            executor=Serial(),
            stopping=Stopping(tol=0.0, max_iter=30),
        )
        for rows in (1000, 7)
    )
    assert np.all(np.diff(one.history) > -1e-10 * abs(one.history[0]))  # rounding of sums of 60 rows
    shared = min(
        len(one.history), len(many.history)
    )  # where nothing but rounding is left, either may stop first
    np.testing.assert_allclose(many.history[:shared], one.history[:shared], rtol=1e-9)
