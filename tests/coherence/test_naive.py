"""Fast passes equal the loops of naive.py, and kernels equal the generic pass."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

import mixtura
import naive
from mixtura.components import COVARIANCES, Full, Gaussian
from mixtura.data import DenseSource, SparseSource, count_encoding, make_source
from mixtura.executors import Serial, Threads
from mixtura.families import FamilyComponents, Multinomial
from mixtura.families.multinomial import MultinomialComponents
from mixtura.inference.driver import run
from mixtura.inference.stopping import Stopping
from mixtura.inference.updates import Maximization
from mixtura.kernels import compiled, fused, without_kernels
from mixtura.protocols import Batch, Encoding
from mixtura.structures import Grouped, Independent, LatentMixture

# Loops and matrix products add the same terms in another order: twelve digits after some steps.
CLOSE = {"rtol": 1e-9, "atol": 1e-11}


def em(model, source, steps):
    return run(
        model, source, update=Maximization(), executor=Serial(), stopping=Stopping(tol=0.0, max_iter=steps)
    )


@pytest.fixture
def rows(rng):
    return np.concatenate([rng.normal((0, 0), (1, 2), (25, 2)), rng.normal((3, 1), (0.5, 1), (15, 2))])


@pytest.fixture
def counts(rng):
    shares = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.1, 0.3, 0.5]])
    return np.array([rng.multinomial(rng.integers(0, 8), shares[n % 2]) for n in range(40)], dtype=float)


START = ([0.5, 0.3, 0.2], [[0.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
MATRIX = [[1.0, 0.2], [0.2, 2.0]]


def start_covariance(kind):
    full = {"full": [MATRIX] * 3, "tied": MATRIX, "diag": [[1.0, 2.0]] * 3, "spherical": [1.5] * 3}[kind]
    loops = {
        "full": MATRIX,
        "tied": MATRIX,
        "diag": [[1.0, 0.0], [0.0, 2.0]],
        "spherical": [[1.5, 0.0], [0.0, 1.5]],
    }
    return np.array(full), [loops[kind]] * 3


@pytest.mark.parametrize("origin", [None, np.array([1.0, 0.5])])
@pytest.mark.parametrize("kind", COVARIANCES)
def test_gaussian_em_equals_loops(rows, kind, origin):
    weights, means = START
    covariance, matrices = start_covariance(kind)
    encoding = Encoding(2, origin=origin)
    shift = 0.0 if origin is None else origin
    gaussian = Gaussian(np.array(means) - shift, covariance, COVARIANCES[kind]())
    model = LatentMixture(gaussian, Independent(np.log(weights)), encoding)
    result = em(model, DenseSource(rows, encoding, rows_per_batch=7), steps=6)
    expected = naive.gaussian_em(rows.tolist(), weights, means, matrices, kind, steps=6)
    np.testing.assert_allclose(result.history, expected[3], **CLOSE)
    np.testing.assert_allclose(result.model.structure.weights, expected[0], **CLOSE)
    np.testing.assert_allclose(result.model.components.mean + shift, expected[1], **CLOSE)
    np.testing.assert_allclose(result.model.components.matrices, expected[2], **CLOSE)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("pseudo_count", [0.0, 0.5])
def test_multinomial_em_equals_loops(counts, sparse, pseudo_count):
    shares = [[0.3, 0.3, 0.2, 0.2], [0.1, 0.2, 0.3, 0.4]]
    model = mixtura.MultinomialMixture(
        2, weights_init=[0.4, 0.6], profiles_init=shares, pseudo_count=pseudo_count, tol=1e-300, max_iter=5
    )
    with pytest.warns(mixtura.exceptions.ConvergenceWarning):
        model.fit(sp.csr_matrix(counts) if sparse else counts)
    weights, profiles, history = naive.multinomial_em(counts.tolist(), [0.4, 0.6], shares, 5, pseudo_count)
    np.testing.assert_allclose(model.weights_, weights, **CLOSE)
    np.testing.assert_allclose(model.profiles_, profiles, **CLOSE)
    np.testing.assert_allclose(model.score(counts) * len(counts), history[-1], **CLOSE)


def grouped(rng, n_rows=14, local_steps=500):
    scores = rng.normal(scale=2.0, size=(3, n_rows))
    structure = Grouped(np.array([0.7, 2.0, 1.1]), local_steps=local_steps, tol=0.0)
    return scores, np.array([0, 1, 3, 9, n_rows]), structure


def infer(structure, scores, offsets):
    return structure.infer(scores.copy(), Batch(None, np.ones(scores.shape[1]), offsets), {})


def test_grouped_inference_equals_loops(rng):
    scores, offsets, structure = grouped(rng)
    found = infer(structure, scores, offsets)
    for unit, (first, last) in enumerate(pairwise(offsets)):
        _, resp, bound = naive.group_bound(scores[:, first:last].T.tolist(), structure.pseudo_count.tolist())
        assert found.log_evidence[unit] == pytest.approx(bound, rel=1e-10)
        np.testing.assert_allclose(found.resp[:, first:last].T, resp, **CLOSE)


def test_grouped_bound_is_below_the_sum_over_all_assignments_and_near_it(rng):
    scores, offsets, structure = grouped(rng)
    found = infer(structure, scores, offsets)
    for unit, (first, last) in enumerate(pairwise(offsets)):
        exact = naive.group_log_evidence(scores[:, first:last].T.tolist(), structure.pseudo_count.tolist())
        assert found.log_evidence[unit] <= exact + 1e-12 * abs(exact)
        # Mean field loses about half a nat for each of the K - 1 free weights of a unit; a missing term loses more.
        assert found.log_evidence[unit] > exact - 1.0
    # With one row the exact posterior of the row has a closed form, and the gap is known to be small but positive.
    assert found.log_evidence[0] < naive.group_log_evidence(
        scores[:, :1].T.tolist(), structure.pseudo_count.tolist()
    )


# --- kernels ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def baskets():
    """Enough rows for the kernels to take the work: rows times K above 20,000."""
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(np.full(30, 0.2), size=4)
    x = np.stack([rng.multinomial(rng.integers(0, 12), shares[n % 4]) for n in range(6000)])
    return sp.csr_matrix(x.astype(float)), rng


def weights_for(n_rows):
    return np.random.default_rng(6).integers(0, 3, n_rows).astype(float)


def passes(model, source, steps=3):
    """Statistics of consecutive passes with the same memory, as the driver makes them."""
    found = []
    with Serial().session() as session:
        for _ in range(steps):
            stats = session.total(model.summarize, source)
            found.append(stats)
            model = model.maximize(stats)
    return found


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("structure", ["independent", "grouped"])
def test_kernels_equal_the_generic_pass(baskets, structure, weighted):
    x, _ = baskets
    components = MultinomialComponents(np.log(np.random.default_rng(7).dirichlet(np.ones(30), size=5)))
    offsets = None if structure == "independent" else np.unique(np.r_[0, np.arange(3, 6000, 11), 6000])
    law = (
        Independent(np.log([0.1, 0.2, 0.3, 0.2, 0.2]))
        if offsets is None
        # tol=0: both run all local steps; otherwise they stop by unit and by batch.
        else Grouped(np.array([1.0, 0.5, 2.0, 1.0, 0.3]), tol=0.0)
    )
    model = LatentMixture(components, law, count_encoding(x))
    weight = weights_for(x.shape[0]) if weighted else None
    source = SparseSource(x, model.encoding, weight, offsets, rows_per_batch=5000)
    assert fused(components, law)(components, law, source[0], {}, model.encoding) is not None, "declined"
    fast = passes(model, source)
    with without_kernels():
        slow = passes(model, source)
    for a, b in zip(fast, slow, strict=True):
        assert a.log_evidence == pytest.approx(b.log_evidence, rel=1e-11)
        assert a.weight == b.weight
        for name, part in a.parts.items():
            for key, value in part.sums.items():
                # Linear and logarithmic arithmetic differ in the last digits of tiny responsibilities.
                np.testing.assert_allclose(value, b.parts[name][key], rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_products_are_the_same_to_the_last_bit(dtype):
    x = np.random.default_rng(2).normal(size=(32, 500)).astype(dtype)
    fast, slow = (np.empty((32 * 33 // 2, 500), dtype=dtype) for _ in range(2))
    assert compiled("mixtura.kernels.products", "symmetric_products") is not None
    Full().second_order(x, fast)
    with without_kernels():
        Full().second_order(x, slow)
    np.testing.assert_array_equal(fast, slow)


def test_sparse_rows_give_the_same_pass_as_dense_ones_and_the_plain_family(baskets):
    x, _ = baskets
    x = x[:300]
    natural = np.log(np.random.default_rng(7).dirichlet(np.ones(30), size=5))
    law = Independent(np.zeros(5))
    encoding = count_encoding(x)
    expected = None
    for components in (MultinomialComponents(natural), FamilyComponents(Multinomial(), natural)):
        for table in (x, x.toarray()):
            model = LatentMixture(components, law, encoding)
            stats = passes(model, make_source(table, encoding), steps=1)[0]
            expected = expected or stats
            assert stats.log_evidence == pytest.approx(expected.log_evidence, rel=1e-12)
            np.testing.assert_allclose(
                stats.parts["components"]["sum_t"], expected.parts["components"]["sum_t"], **CLOSE
            )


def test_a_probability_of_zero_is_zero_exactly_and_zero_log_zero_is_nothing():
    shares = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    with np.errstate(divide="ignore"):
        components = MultinomialComponents(np.log(shares))
    x = np.array([[2.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    for table in (x.T, sp.csr_matrix(x)):
        scores = components.log_prob(components.encode(table, Encoding(3)))
        assert np.isneginf(scores[0, 1])
        assert scores[0, 2] == scores[1, 2] == 0.0
        assert scores[0, 0] == pytest.approx(
            naive.multinomial_log_density([2, 1, 0], [0.5, 0.5, 0.0]), rel=1e-13
        )


@pytest.mark.parametrize("grouped_rows", [False, True])
def test_kernels_give_the_same_bits_for_any_number_of_threads(baskets, grouped_rows):
    x, _ = baskets
    components = MultinomialComponents(np.log(np.random.default_rng(7).dirichlet(np.ones(30), size=20)))
    offsets = np.unique(np.r_[0, np.arange(3, 6000, 11), 6000]) if grouped_rows else None
    law = Grouped(np.full(20, 0.5)) if grouped_rows else Independent(np.zeros(20))
    model = LatentMixture(components, law, count_encoding(x))
    source = SparseSource(x, model.encoding, None, offsets, rows_per_batch=1500)
    assert fused(components, law)(components, law, source[0], {}, model.encoding) is not None, "declined"
    found = [
        run(
            model,
            source,
            update=Maximization(),
            executor=executor,
            stopping=Stopping(tol=0.0, max_iter=4),
        )
        for executor in (Serial(), Threads(1), Threads(2), Threads(3))
    ]
    for other in found[1:]:
        assert other.history == found[0].history
        np.testing.assert_array_equal(other.model.coordinates(), found[0].model.coordinates())
