"""The fused pass of the categorical mixture equals the generic one, and declines what it cannot do."""

from dataclasses import replace

import numpy as np
import pytest

from mixtura.data import make_source
from mixtura.executors import Serial, Threads
from mixtura.families import Categorical, FamilyComponents
from mixtura.kernels import fused, without_kernels
from mixtura.protocols import Batch, Encoding
from mixtura.structures import Independent, LatentMixture

LEVELS = {"four": (4,) * 12, "mixed": (2, 3, 300, 4, 2, 7, 1, 5), "two": (2, 3), "many": (2,) * 90}
ROWS = 9000


def case(levels, *, missing, n_components=5, seed=0):
    """Rows and a model of these levels."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(count, size=ROWS) for count in levels]).astype(float)
    if missing:
        x[rng.random(x.shape) < 0.2] = np.nan
        x[3] = np.nan
    tables = [rng.dirichlet(np.full(count, 0.5), size=n_components) for count in levels]
    components = FamilyComponents(Categorical(levels)).from_mean(np.concatenate(tables, axis=1))
    law = Independent(np.log(rng.dirichlet(np.ones(n_components))))
    return x, LatentMixture(components, law, Encoding(len(levels), missing=missing))


def passes(model, source, executor, steps=3):
    """Sums of some EM steps, each from the model that the one before made."""
    found = []
    with executor.session() as session:
        for _ in range(steps):
            found.append(session.total(model.summarize, source))
            model = model.maximize(found[-1])
    return found


def pass_alone(model, batch, memory=None):
    kernel = fused(model.components, model.structure)
    return kernel(model.components, model.structure, batch, {} if memory is None else memory, model.encoding)


@pytest.mark.parametrize("executor", [Serial(), Threads(2)], ids=["serial", "threads"])
@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("name", LEVELS)
def test_the_kernel_equals_the_generic_pass(name, missing, executor):
    x, model = case(LEVELS[name], missing=missing)
    weight = np.random.default_rng(1).uniform(0.0, 2.0, ROWS)
    weight[5] = 0.0
    source = make_source(x, model.encoding, weight, None, 5000)
    assert pass_alone(model, replace(source[0])) is not None, "declined"
    fast = passes(model, source, executor)
    with without_kernels():
        slow = passes(model, source, Serial())
    for a, b in zip(fast, slow, strict=True):
        assert a.log_evidence == pytest.approx(b.log_evidence, rel=1e-11)
        assert a.weight == b.weight
        assert a.stamp == b.stamp
        for part, expected in b.parts.items():
            assert a.parts[part].sums.keys() == expected.sums.keys()
            for key, value in expected.sums.items():
                # Linear and logarithmic arithmetic differ in the last digits of tiny responsibilities.
                np.testing.assert_allclose(a.parts[part][key], value, rtol=1e-9, atol=1e-8)


def test_rows_whose_probability_underflows_are_done_in_logarithms():
    levels = (2,) * 60
    x = np.zeros((ROWS, 60))
    x[::2] = 1.0
    tables = np.tile([[1 - 1e-9, 1e-9]], (3, 60))
    components = FamilyComponents(Categorical(levels)).from_mean(tables)
    model = LatentMixture(components, Independent(np.log([0.2, 0.3, 0.5])), Encoding(60))
    batch = Batch(np.ascontiguousarray(x.T), np.ones(ROWS))
    fast = pass_alone(model, batch)
    with without_kernels():
        slow = model.summarize(batch, {})
    assert fast.log_evidence == pytest.approx(slow.log_evidence, rel=1e-12)
    np.testing.assert_allclose(
        fast.parts["components"]["sum_t"], slow.parts["components"]["sum_t"], rtol=1e-9
    )


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
def test_natural_parameters_need_not_be_normalised(missing):
    x, model = case(LEVELS["mixed"], missing=missing)
    natural = model.components.natural
    shifted = natural + np.repeat(np.arange(1.0, 9.0), LEVELS["mixed"])
    batch = Batch(np.ascontiguousarray(x.T), np.ones(ROWS))
    found = pass_alone(replace(model, components=model.components.replace(shifted)), batch)
    expected = pass_alone(model, batch)
    assert found.log_evidence == pytest.approx(expected.log_evidence, rel=1e-12)
    with without_kernels():
        generic = replace(model, components=model.components.replace(shifted)).summarize(batch, {})
    assert found.log_evidence == pytest.approx(generic.log_evidence, rel=1e-12)


def test_codes_kept_for_other_groups_are_made_anew():
    """Components that were dropped change how columns are grouped."""
    levels = (4,) * 40
    x, large = case(levels, missing=False, n_components=12)
    small = large.take([0, 1, 7])
    batch, memory = Batch(np.ascontiguousarray(x.T), np.ones(ROWS)), {}
    for model in (large, small, large):
        kept = pass_alone(model, batch, memory)
        fresh = pass_alone(model, batch)
        np.testing.assert_array_equal(kept.parts["components"]["sum_t"], fresh.parts["components"]["sum_t"])
        assert kept.log_evidence == fresh.log_evidence


def declined(name):
    x, model = case(LEVELS["four"], missing=name == "restricted")
    batch = Batch(np.ascontiguousarray(x.T), np.ones(ROWS))
    if name == "small":
        return model, Batch(batch.x[:, :100].copy(), np.ones(100))
    if name == "restricted":
        return model, replace(batch, allowed=np.ones((5, ROWS), dtype=bool))
    if name == "no level":
        batch.x[2, 7] = 4.0
    elif name == "negative":
        batch.x[2, 7] = -1.0
    elif name == "missing without a word":
        batch.x[2, 7] = np.nan
    elif name == "impossible component":
        model = replace(model, structure=Independent(np.log([0.5, 0.5, 0.0 + 1e-320, 0.1, 0.1])))
        model.structure.log_weights[2] = -np.inf
    elif name == "impossible level":
        natural = model.components.natural.copy()
        natural[0, 0] = -np.inf
        model = replace(model, components=model.components.replace(natural))
    return model, batch


@pytest.mark.parametrize(
    "name",
    [
        "small",
        "restricted",
        "no level",
        "negative",
        "missing without a word",
        "impossible component",
        "impossible level",
    ],
)
def test_what_the_kernel_cannot_do_is_declined(name):
    model, batch = declined(name)
    assert pass_alone(model, batch) is None


def test_very_many_levels_are_declined():
    levels = (40_000, 30_000)
    x = np.zeros((2, ROWS))
    components = FamilyComponents(Categorical(levels), np.zeros((3, 70_000)))
    model = LatentMixture(components, Independent(np.zeros(3)), Encoding(2))
    assert pass_alone(model, Batch(x, np.ones(ROWS))) is None


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_block_with_gaps_equals_the_generic_mask(dtype):
    """The family's own way with missing cells against filling in, masking and subtracting by column."""

    class Masked(Categorical):
        gaps_vanish = False

    x, model = case(LEVELS["mixed"], missing=True)
    rows = np.ascontiguousarray(x.T[:, :300], dtype=dtype)
    # Natural parameters that are not normalised, so that subtracting the wrong columns would show.
    natural = model.components.natural + np.random.default_rng(0).normal(size=model.components.natural.shape)
    resp = np.random.default_rng(1).dirichlet(np.ones(5), size=300).T.astype(dtype)
    own, masked = (FamilyComponents(kind(LEVELS["mixed"]), natural) for kind in (Categorical, Masked))
    found, expected = own.encode(rows, model.encoding), masked.encode(rows, model.encoding)
    assert found.statistics.dtype == dtype
    np.testing.assert_array_equal(own.log_prob(found), masked.log_prob(expected))
    one, other = own.expected_statistics(found, resp), masked.expected_statistics(expected, resp)
    assert one.sums.keys() == other.sums.keys()
    for name, value in one.sums.items():
        np.testing.assert_array_equal(value, other[name])
