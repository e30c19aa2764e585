"""Statistics are a vector space, and moments about one origin are moments about any other."""

import numpy as np
import pytest

from mixtura.components import COVARIANCES, Gaussian
from mixtura.protocols import Encoding
from mixtura.statistics import Statistics, pack_symmetric, total, unpack_symmetric

RNG = np.random.default_rng(21)
X = RNG.normal(2.0, 1.5, (3, 50))
RESP = RNG.dirichlet(np.ones(4), size=50).T


def sums_of(x, kind="full", resp=RESP):
    gaussian = Gaussian(model=COVARIANCES[kind]())
    return gaussian.expected_statistics(gaussian.encode(x, Encoding(3)), resp)


def some(seed=0, origin=None):
    rng = np.random.default_rng(seed)
    part = Statistics(
        {"count": rng.random(3), "sum_x": rng.random((3, 2)), "sum_xx": rng.random((3, 3))}, origin=origin
    )
    return Statistics(
        {"total": rng.random(2)},
        log_evidence=rng.random(),
        weight=5.0,
        parts={"a": part},
        shared=frozenset({"total"}),
    )


def same(a, b, tol=1e-12):
    """Equal up to the rounding of a few additions."""
    assert a.log_evidence == pytest.approx(b.log_evidence, rel=tol, abs=tol)
    assert a.weight == pytest.approx(b.weight, rel=tol, abs=tol)
    for name, value in a.sums.items():
        np.testing.assert_allclose(value, b[name], rtol=tol, atol=tol)
    for name, part in a.parts.items():
        same(part, b.parts[name], tol)


def test_vector_space():
    a, b, c = some(1), some(2), some(3)
    same(a + b, b + a)
    same((a + b) + c, a + (b + c))
    same(a + b - b, a)
    same(2.0 * a, a + a)
    same((0.3 * a) + (0.7 * a), a)
    same(-a + a, a * 0.0)
    same(0.5 * (a + b), 0.5 * a + 0.5 * b)
    same(total([a, b, c]), a + b + c)


def test_total_does_not_change_what_it_adds():
    a, b = some(1), some(2)
    kept = a.copy()
    total([a, b, b])
    same(a, kept, 0.0)


def test_take_and_concatenate():
    part = some(4).parts["a"]
    same(part.take([0, 1]).concatenate(part.take([2])), part)
    same(part.take([2, 0]).take([1, 0]), part.take([0, 2]))
    whole = some(4)
    np.testing.assert_array_equal(whole.take([1])["total"], whole["total"])  # shared sums stay


def test_other_encodings_and_other_names_are_refused():
    a = Statistics({"count": np.ones(1)}, stamp="one")
    with pytest.raises(ValueError, match=r"encoding .two. .*encoding .one."):
        a + Statistics({"count": np.ones(1)}, stamp="two")
    with pytest.raises(ValueError, match="same model"):
        a + Statistics({"sum": np.ones(1)}, stamp="one")
    with pytest.raises(ValueError, match="at least one row"):
        total([])
    with pytest.raises(TypeError):
        a + 1.0


def test_encodings_have_the_stamp_of_what_they_are():
    assert Encoding(2).stamp == Encoding(2).stamp
    others = [
        Encoding(3),
        Encoding(2, dtype="float32"),
        Encoding(2, origin=np.zeros(2)),
        Encoding(2, scale=np.ones(2)),
    ]
    assert len({Encoding(2).stamp, *(encoding.stamp for encoding in others)}) == 5


@pytest.mark.parametrize("kind", COVARIANCES)
def test_moving_the_origin_of_sums_is_moving_the_rows(kind):
    origin = np.array([1.0, -2.0, 5.0])
    moved = sums_of(X, kind).about(origin)
    same(moved, sums_of(X - origin[:, None], kind), 1e-9)  # squares of shifted rows cancel two digits
    same(moved.about(None), sums_of(X, kind), 1e-9)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_every_component_may_have_an_origin_of_its_own(kind):
    origins = RNG.normal(size=(4, 3))
    moved = sums_of(X, kind).about(origins)
    for k in range(4):
        own = sums_of(X - origins[k][:, None], kind)
        np.testing.assert_allclose(moved["sum_x"][k], own["sum_x"][k], rtol=1e-9, atol=1e-9)
        if kind != "tied":
            np.testing.assert_allclose(moved["sum_xx"][k], own["sum_xx"][k], rtol=1e-9, atol=1e-9)
    same(moved.about(None), sums_of(X, kind), 1e-9)
    same(moved + sums_of(X, kind), (sums_of(X, kind) * 2.0).about(origins), 1e-9)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_maximize_does_not_depend_on_the_origin_of_the_sums(kind):
    stats = sums_of(X, kind)
    blank = Gaussian(model=COVARIANCES[kind]())
    plain = blank.maximize(stats)
    for origin in (np.array([1.0, -2.0, 5.0]), RNG.normal(size=(4, 3))):
        other = blank.maximize(stats.about(origin))
        np.testing.assert_allclose(other.mean, plain.mean, rtol=1e-10)
        np.testing.assert_allclose(other.covariance, plain.covariance, rtol=1e-9, atol=1e-10)


def test_packing_is_undone_by_unpacking():
    square = RNG.normal(size=(5, 3, 3))
    square = square + square.swapaxes(1, 2)
    np.testing.assert_array_equal(unpack_symmetric(pack_symmetric(square), 3), square)


def test_checkpoint_arrays_restore_the_sums():
    whole = some(5)
    whole.parts["a"] = whole.parts["a"].about(np.array([1.0, 2.0]))
    restored = (whole * 0.0).with_arrays(whole.to_arrays())
    same(restored, whole, 0.0)
    np.testing.assert_array_equal(restored.parts["a"].origin, whole.parts["a"].origin)
