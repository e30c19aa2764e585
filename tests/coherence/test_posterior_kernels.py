"""Fused passes serve components and weights with posterior laws, and equal the generic pass; predictive laws stay generic."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import dirichlet_multinomial

from mixtura.components import hooks
from mixtura.data import count_encoding, make_source
from mixtura.executors import Serial
from mixtura.families import Categorical, FamilyComponents
from mixtura.families.multinomial import MultinomialComponents
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.kernels import fused, without_kernels
from mixtura.priors import DirichletPrior
from mixtura.protocols import Encoding
from mixtura.statistics import total
from mixtura.structures import (
    DirichletMode,
    DirichletWeights,
    Grouped,
    Independent,
    LatentMixture,
    StickBreaking,
)

ROWS, K = 8000, 6
UNITS = np.unique(np.r_[0, np.arange(3, ROWS, 6), ROWS])
STRUCTURES = {
    "independent": lambda: Independent(np.log([0.1, 0.2, 0.2, 0.3, 0.15, 0.05])),
    "dirichlet": lambda: DirichletWeights(
        np.full(K, 0.25), np.array([700.0, 0.25, 3000.0, 4300.0, 7.0, 0.3])
    ),
    "dirichlet mode": lambda: DirichletMode(np.full(K, 2.0), np.log([0.1, 0.2, 0.2, 0.3, 0.15, 0.05])),
    "sticks": lambda: StickBreaking(K, 1.0, 0.2),
    # The kernel ends the local loop of each unit, the generic pass those of a batch together: here neither ends early.
    "grouped": lambda: Grouped(np.array([1.0, 2.0, 0.5, 0.1, 3.0, 0.2]), tol=0.0),
}


def counts(rows=ROWS):
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(30, 0.3), size=K)
    return np.array([rng.multinomial(rng.integers(1, 12), shares[n % K]) for n in range(rows)], dtype=float)


def components(kind, blank, sums, overall):
    """Components of `blank` with a prior, after one step from the sums."""
    make = hooks.variational if kind == "posterior" else hooks.penalized
    return make(blank, DirichletPrior(1.3), overall, None).maximize(sums)


def soft(rows, seed=1):
    return np.random.default_rng(seed).dirichlet(np.ones(K), size=rows).T


def started(kind, blank, block, rows):
    resp = soft(rows)
    return components(
        kind,
        blank,
        blank.expected_statistics(block, resp),
        blank.expected_statistics(block, np.ones((1, rows))),
    )


def same_passes(model, source):
    """Three passes of a fit, fused and generic."""
    memories = [({}, {}) for _ in source]
    kernel = fused(model.components, model.structure)
    for _ in range(3):
        fast, slow = [], []
        for batch, (one, other) in zip(source, memories, strict=True):
            assert kernel(model.components, model.structure, batch, {}, model.encoding) is not None, (
                "declined"
            )
            fast.append(model.summarize(batch, one))
            with without_kernels():
                slow.append(model.summarize(batch, other))
        for a, b in zip(fast, slow, strict=True):
            assert a.log_evidence == pytest.approx(b.log_evidence, rel=1e-10)
            left, right = a.to_arrays(), b.to_arrays()
            assert left.keys() == right.keys()
            for name, value in left.items():
                # Sums in another order.
                np.testing.assert_allclose(value, right[name], rtol=1e-8, atol=1e-8, err_msg=name)
        model = model.maximize(total(fast))


@pytest.mark.parametrize("kind", ["posterior", "mode"])
@pytest.mark.parametrize("law", STRUCTURES)
def test_multinomial_passes_with_priors(law, kind):
    x = sp.csr_matrix(counts())
    encoding, blank = count_encoding(x), MultinomialComponents()
    given = started(kind, blank, blank.encode(x, encoding), ROWS)
    model = LatentMixture(given, STRUCTURES[law](), encoding)
    weight = np.random.default_rng(2).uniform(0.2, 2.0, ROWS)
    same_passes(model, make_source(x, encoding, weight, UNITS if law == "grouped" else None))


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("kind", ["posterior", "mode"])
@pytest.mark.parametrize("law", [name for name in STRUCTURES if name != "grouped"])
def test_categorical_passes_with_priors(law, kind, missing):
    rng = np.random.default_rng(3)
    levels = (2, 3, 30, 4, 2, 7)
    x = np.column_stack([rng.integers(0, count - 1, size=ROWS) for count in levels]).astype(float)
    if missing:
        x[rng.random(x.shape) < 0.2] = np.nan
    encoding, blank = Encoding(len(levels), missing=missing), FamilyComponents(Categorical(levels))
    given = started(kind, blank, blank.encode(x.T, encoding), ROWS)
    same_passes(LatentMixture(given, STRUCTURES[law](), encoding), make_source(x, encoding))


def test_grouped_posterior_profiles_raise_their_bound_by_the_kernel():
    x = sp.csr_matrix(counts())
    encoding, blank = count_encoding(x), MultinomialComponents()
    given = started("posterior", blank, blank.encode(x, encoding), ROWS)
    model = LatentMixture(given, STRUCTURES["grouped"](), encoding)
    source = make_source(x, encoding, None, UNITS)
    stopping = Stopping(max_iter=60, tol=1e-7)
    result = run(model, source, update=Maximization(), executor=Serial(), stopping=stopping)
    bounds = np.asarray(result.history)
    assert len(bounds) > 5
    # Units carry their posterior on from pass to pass, so the bound does not fall by more than rounding.
    assert np.diff(bounds).min() > -1e-9 * abs(bounds[-1])
    assert model.penalty() == pytest.approx(float(model.components.divergences().sum()))


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_predictive_law_of_counts_is_dirichlet_multinomial(sparse):
    x = counts(60)
    x[7] = 0.0
    encoding, blank = Encoding(x.shape[1]), MultinomialComponents()
    table = sp.csr_matrix(x) if sparse else x.T
    block = blank.encode(table, encoding)
    posterior = started("posterior", blank, block, 60)
    predictive = posterior.predictive
    assert fused(predictive, Independent(np.zeros(K))) is None
    expected = [
        dirichlet_multinomial(a, x.sum(axis=1).astype(int)).logpmf(x.astype(int)) for a in posterior.chi
    ]
    np.testing.assert_allclose(
        predictive.log_prob(block), expected, rtol=1e-10
    )  # differences of log-gamma functions
