"""The chunked pass of chains equals the generic one, with and without checkpoints; nothing is lost to underflow unnoticed."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from mixtura.components import Gaussian
from mixtura.data import make_source
from mixtura.exceptions import InvalidDataError
from mixtura.executors import Serial, Threads
from mixtura.families import Categorical, FamilyComponents, Multinomial, Poisson
from mixtura.kernels import fused, without_kernels
from mixtura.protocols import Batch, Encoding
from mixtura.structures import DirichletMarkov, LatentMixture, Markov, sweep
from mixtura.structures.messages import smooth, smooth_in_logs

LENGTHS = [1, 40, 3, 700, 1, 255]
OFFSETS = np.append(0, np.cumsum(LENGTHS))
ROWS = int(OFFSETS[-1])


def chain(n_components, rng, cls=Markov):
    law = Markov(rng.dirichlet(np.ones(n_components)), rng.dirichlet(np.ones(n_components), n_components))
    return law if cls is Markov else DirichletMarkov(law, 0.5, 0.5, size=3.0)


def gaussian(n_components, rng):
    mean = rng.normal(0.0, 2.0, (n_components, 2))
    return Gaussian(mean, np.tile(np.eye(2), (n_components, 1, 1))), rng.normal(0.0, 2.0, (ROWS, 2))


def counts(n_components, rng):
    mean = rng.gamma(2.0, 1.0, (n_components, 2))
    return FamilyComponents(Poisson()).from_mean(mean), rng.poisson(2.0, (ROWS, 2)).astype(float)


def baskets(n_components, rng):
    mean = rng.dirichlet(np.ones(30), n_components)
    return FamilyComponents(Multinomial()).from_mean(mean), sp.csr_matrix(
        rng.poisson(0.1, (ROWS, 30)).astype(float)
    )


def items(n_components, rng):
    table = np.concatenate([rng.dirichlet(np.ones(3), n_components) for _ in range(4)], axis=1)
    x = rng.integers(3, size=(ROWS, 4)).astype(float)
    x[rng.random(x.shape) < 0.2] = np.nan
    return FamilyComponents(Categorical((3,) * 4)).from_mean(table), x


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(sweep, "_MOST", 64)
    monkeypatch.setattr(sweep, "_FEWEST", 64)


def alike(fast, slow):
    assert fast.log_evidence == pytest.approx(slow.log_evidence, rel=1e-11)
    assert fast.weight == pytest.approx(slow.weight, rel=1e-12)
    assert fast.stamp == slow.stamp
    a, b = fast.to_arrays(), slow.to_arrays()
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_allclose(value, b[name], rtol=1e-9, atol=1e-9, err_msg=name)


def passes(model, batch):
    """Of the generic pass, of the chunked one, and of the chunked one with checkpoints."""
    law = copy.copy(model.structure)
    law.checkpoint = True
    with without_kernels():
        slow = model.summarize(batch, {})
    found = []
    for one in (model, replace(model, structure=law)):
        kernel = fused(one.components, one.structure, plain=False)
        found.append(kernel(one.components, one.structure, batch, {}, one.encoding))
        assert found[-1] is not None, "declined"
    return slow, *found


@pytest.mark.parametrize("masks", [False, True], ids=["plain", "masks"])
@pytest.mark.parametrize("n_components", [2, 7, 12])
@pytest.mark.parametrize("make", [gaussian, counts, baskets, items], ids=lambda make: make.__name__)
def test_the_chunked_pass_equals_the_generic_one(make, n_components, masks, small_chunks):
    rng = np.random.default_rng(n_components)
    components, x = make(n_components, rng)
    encoding = Encoding(x.shape[1], missing=make is items)
    weight = np.repeat(rng.uniform(0.5, 2.0, len(LENGTHS)), LENGTHS)
    weight[OFFSETS[2] : OFFSETS[3]] = 0.0
    allowed, seen = np.ones((ROWS, n_components), dtype=bool), np.ones(ROWS, dtype=bool)
    if masks:
        seen[[0, 5, 300, 301, ROWS - 1]] = False
        allowed[100:160, 0] = False
        allowed[ROWS - 1, 1:] = False
    both = (allowed, seen) if masks else (None, None)
    (batch,) = make_source(x, encoding, weight, OFFSETS, ROWS, None, *both)
    for cls in (Markov, DirichletMarkov):
        model = LatentMixture(components, chain(n_components, rng, cls), encoding)
        slow, fast, checked = passes(model, batch)
        alike(fast, slow)
        alike(checked, fast)


@pytest.mark.parametrize("n_components", [1, 3, 6, 9, 16, 100])
def test_compiled_messages_equal_those_of_numpy_and_of_logarithms(n_components, small_chunks):
    rng = np.random.default_rng(n_components)
    law = chain(n_components, rng)
    scores = rng.normal(0.0, 4.0, (n_components, ROWS))
    kept = scores.copy()
    weight = np.repeat(rng.uniform(0.0, 2.0, len(LENGTHS)), LENGTHS)
    fast = smooth(scores, *law.scored, OFFSETS, weight)
    np.testing.assert_array_equal(scores, kept)
    with without_kernels():
        plain = smooth(scores, *law.scored, OFFSETS, weight)
    logs = smooth_in_logs(scores, *law.scored, OFFSETS, weight)
    for other in (plain, logs):
        np.testing.assert_allclose(fast.log_evidence, other.log_evidence, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(fast.resp, other.resp, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(fast.pairs, other.pairs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_state_that_falls_below_the_smallest_number_is_not_lost(compiled):
    """A chain that cannot go back: first all rows speak for the second state, then many more for the first."""
    moves = np.array([[0.9, 0.1], [0.0, 1.0]])
    scores = np.zeros((2, 900))
    scores[0, :300], scores[1, 300:] = -7.0, -7.0
    args = np.array([0.5, 0.5]), moves, np.array([0, 900]), np.ones(900)
    if compiled:
        found = smooth(scores, *args)
    else:
        with without_kernels():
            found = smooth(scores, *args)
    expected = smooth_in_logs(scores, *args)
    assert expected.resp[0, 0] == pytest.approx(1.0)
    np.testing.assert_allclose(found.resp, expected.resp, atol=1e-12)
    np.testing.assert_allclose(found.log_evidence, expected.log_evidence, rtol=1e-12)
    np.testing.assert_allclose(found.pairs, expected.pairs, rtol=1e-10, atol=1e-12)


def test_rows_that_are_all_but_impossible_are_done_in_logarithms():
    rng = np.random.default_rng(0)
    moves = np.array([[1.0 - 1e-280, 1e-280], [0.5, 0.5]])
    scores = rng.normal(0.0, 1.0, (2, ROWS))
    scores[0, 20] = -900.0
    args = np.array([1.0, 0.0]), moves, OFFSETS, np.ones(ROWS)
    found, expected = smooth(scores, *args), smooth_in_logs(scores, *args)
    np.testing.assert_allclose(found.resp, expected.resp, atol=1e-12)
    np.testing.assert_allclose(found.log_evidence, expected.log_evidence, rtol=1e-12)
    np.testing.assert_allclose(found.pairs, expected.pairs, atol=1e-9)


@pytest.mark.parametrize("n_components", [3, 6])
def test_an_impossible_row_costs_its_sequence_alone(n_components):
    rng = np.random.default_rng(0)
    components, x = gaussian(n_components, rng)
    model = LatentMixture(components, chain(n_components, rng), Encoding(2))
    (batch,) = make_source(
        x, model.encoding, None, OFFSETS, ROWS, None, np.arange(ROWS)[:, None] != [[5] * n_components]
    )
    stats = model.summarize(batch, {})
    assert stats.log_evidence == -np.inf
    assert all(np.isfinite(value).all() for name, value in stats.to_arrays().items() if "@" not in name)
    evidence = model.infer(batch, {}).log_evidence
    assert np.isneginf(evidence).tolist() == [False, True, False, False, False, False]


@pytest.mark.parametrize("n_components", [3, 6])
def test_rows_without_a_number_are_named(n_components):
    rng = np.random.default_rng(0)
    components, x = gaussian(n_components, rng)
    x[50] = np.nan
    model = LatentMixture(components, chain(n_components, rng), Encoding(2))
    (batch,) = make_source(x, model.encoding, None, OFFSETS, ROWS)
    with pytest.raises(InvalidDataError, match=r"log-likelihood of unit 3 of batch 0 is nan"):
        model.summarize(batch, {})


@pytest.mark.parametrize("n_components", [4, 6])
def test_rows_of_a_long_sequence_sum_to_one(n_components):
    n_rows = 100_000
    rng = np.random.default_rng(0)
    scores = rng.normal(0.0, 5.0, (n_components, n_rows))
    law = chain(n_components, rng)
    args = *law.scored, np.array([0, n_rows]), np.ones(n_rows)
    found = smooth(scores, *args)
    np.testing.assert_allclose(found.resp.sum(axis=1), 1.0, rtol=1e-13)
    # each of the roundings of 1e5 rows at most a unit of the last place: 1e-11
    assert found.pairs.sum() == pytest.approx(n_rows - 1, rel=1e-11)
    expected = smooth_in_logs(scores, *args)
    assert found.log_evidence[0] == pytest.approx(expected.log_evidence[0], rel=1e-12)
    np.testing.assert_allclose(found.resp, expected.resp, atol=1e-9)


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(0)
    components, x = gaussian(4, rng)
    model = LatentMixture(components, chain(4, rng), Encoding(2))
    source = make_source(x, model.encoding, None, OFFSETS, 100)
    assert len(source) > 2
    found = []
    for executor in (Serial(), Threads(3)):
        with executor.session() as session:
            found.append(session.total(model.summarize, source).to_arrays())
    for name, value in found[0].items():
        np.testing.assert_array_equal(value, found[1][name])


def test_rows_that_cannot_be_cut_go_the_generic_way():
    rng = np.random.default_rng(0)
    components, x = gaussian(3, rng)
    model = LatentMixture(components, chain(3, rng), Encoding(2))
    kernel = fused(model.components, model.structure)
    assert (
        kernel(
            model.components, model.structure, Batch(x.T.tolist(), np.ones(ROWS), OFFSETS), {}, model.encoding
        )
        is None
    )


def test_checkpoints_go_with_the_chain():
    law = Markov(np.array([0.5, 0.5]), np.full((2, 2), 0.5), checkpoint=True)
    posterior = law.variational(None, np.ones(2))
    for other in (
        law.take([1]),
        law.replace(law.initial, law.transition),
        posterior,
        posterior.point,
        posterior.take([1]),
    ):
        assert other.checkpoint


def test_sums_that_overflow_are_done_again_in_silence():
    """Warnings are errors here: what overflows is not what is given back."""
    for seed in range(100, 200, 4):
        rng = np.random.default_rng(seed)
        n_rows, size = rng.integers(2, 80), 20
        scores = -rng.exponential(10 ** rng.uniform(0, 3), (size, n_rows))
        moves = np.triu(rng.random((size, size))) ** rng.integers(1, 60)
        moves /= moves.sum(axis=1, keepdims=True)
        law = rng.dirichlet(np.ones(size)), moves, np.array([0, n_rows]), np.ones(n_rows)
        fast, safe = smooth(scores, *law), smooth_in_logs(scores, *law)
        np.testing.assert_allclose(fast.log_evidence, safe.log_evidence, rtol=1e-10)
        np.testing.assert_allclose(fast.resp, safe.resp, atol=1e-9)
        np.testing.assert_allclose(fast.pairs, safe.pairs, atol=1e-8)
