"""The fourteen covariance models of mclust: parameters, M-steps against brute force, monotone iterations, nesting."""

import numpy as np
import pytest
from scipy.optimize import minimize

from mixtura.components import COVARIANCES, MCLUST, Gaussian
from mixtura.components.axes import OwnVolumes, SharedVolume, _rounds, _Turned, proportional
from mixtura.components.eigen import covariance_code, nested_codes
from mixtura.components.rotations import axes_from_coordinates, axes_to_coordinates
from mixtura.exceptions import DegenerateComponentError
from mixtura.statistics import Statistics, pack_symmetric

K = 3
# mclust 6, nMclustParams less the K - 1 weights and K d means: covariance parameters for K = 3.
PARAMETERS = {  # d = 1, 2, 4
    "EII": (1, 1, 1),
    "VII": (3, 3, 3),
    "EEI": (1, 2, 4),
    "VEI": (3, 4, 6),
    "EVI": (1, 4, 10),
    "VVI": (3, 6, 12),
    "EEE": (1, 3, 10),
    "VEE": (3, 5, 12),
    "EVE": (1, 5, 16),
    "VVE": (3, 7, 18),
    "EEV": (1, 5, 22),
    "VEV": (3, 7, 24),
    "EVV": (1, 7, 28),
    "VVV": (3, 9, 30),
}


def scatters(rng, d, k=K):
    """Counts and scatters of components with different volumes, shapes and axes."""
    counts = rng.uniform(10.0, 50.0, k)
    factors = rng.normal(size=(k, d, d + 2)) * rng.uniform(0.2, 3.0, (k, d, 1))
    return counts, counts[:, None, None] * (factors @ factors.swapaxes(1, 2))


def form(code, scatter):
    """The scatter that `maximize` of a model takes: what its Gaussian hands over."""
    if code == "EEE":
        return scatter.sum(axis=0)
    diagonal = np.diagonal(scatter, axis1=1, axis2=2)
    return {"I": diagonal.mean(axis=1) if code[1] == "I" else diagonal}.get(code[2], scatter)


def loss(counts, scatter, matrices):
    """Minus twice the expected complete log-likelihood, component by component (Celeux and Govaert 1995, equation 4)."""
    total = 0.0
    for n, w, sigma in zip(counts, scatter, matrices, strict=True):
        total += np.trace(np.linalg.solve(sigma, w)) + n * np.linalg.slogdet(sigma)[1]
    return total


def step(code, counts, scatter, start=None):
    model = MCLUST[code]()
    found = model.maximize(counts, form(code, scatter).copy(), start)
    return found, loss(counts, scatter, model.matrices(found, *scatter.shape[:2]))


def free_dimension(code, found):
    return len(MCLUST[code]().free(found))


@pytest.mark.parametrize("code", MCLUST)
def test_parameters_are_those_of_mclust(code):
    assert tuple(MCLUST[code]().n_parameters(K, d) for d in (1, 2, 4)) == PARAMETERS[code]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("code", MCLUST)
def test_no_covariance_of_the_model_is_better(code, d, seed):
    """BFGS over the free coordinates, from there and from three random points."""
    rng = np.random.default_rng(seed)
    counts, scatter = scatters(rng, d)
    found, own = step(code, counts, scatter)
    model = MCLUST[code]()
    start = model.free(found)

    def objective(vector):
        try:
            value = loss(counts, scatter, model.matrices(model.from_free(vector, found.shape), K, d))
        except np.linalg.LinAlgError:
            return 1e6
        return min(value, 1e6) if np.isfinite(value) else 1e6

    begun = [start + 1e-2 * rng.normal(size=len(start)), *rng.normal(size=(3, len(start)))]
    with np.errstate(all="ignore"):  # BFGS tries what overflows
        best = min(minimize(objective, one, method="BFGS").fun for one in begun)
    # BFGS with differences stops a little short; relative to the size of the sum.
    assert own <= best + 1e-7 * abs(best)
    assert own == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("code", ["VEI", "VEE", "VEV", "EVE", "VVE"])
def test_a_warm_start_is_not_left_for_something_worse_and_ends_in_the_same_place(code, rng):
    counts, scatter = scatters(rng, 4)
    cold, value = step(code, counts, scatter)
    again, warm = step(code, counts, scatter, cold)
    assert warm <= value + 1e-9 * abs(value)  # rounding
    np.testing.assert_allclose(again, cold, rtol=1e-4, atol=1e-4 * np.abs(cold).max())
    model = MCLUST[code]()
    for _ in range(5):
        # Another member of the model: whatever it is, the step must not end above it.
        start = model.from_free(rng.normal(size=free_dimension(code, cold)), cold.shape)
        before = loss(counts, scatter, model.matrices(start, K, 4))
        assert step(code, counts, scatter, start)[1] <= before


@pytest.mark.parametrize("objective", [OwnVolumes, SharedVolume])
@pytest.mark.parametrize("d", [2, 3, 5, 8])
def test_every_sweep_over_the_axes_lowers_the_objective(objective, d, rng):
    counts, scatter = scatters(rng, d)
    turned = _Turned(objective(counts, d), scatter, np.eye(d))
    values = [turned.value]
    for _ in range(30):
        turned.sweep()
        values.append(turned.value)
        np.testing.assert_allclose(turned.axes.T @ turned.axes, np.eye(d), atol=1e-12)
    assert np.all(np.diff(values) <= 0.0)
    assert values[-1] < values[0]
    # What it keeps is what the axes give: no drift of the turned scatters.
    seen = np.stack([np.diag(turned.axes.T @ w @ turned.axes) for w in scatter])
    assert objective(counts, d).value(seen) == pytest.approx(values[-1], rel=1e-10)


@pytest.mark.parametrize("objective", [OwnVolumes, SharedVolume])
def test_the_pull_is_the_derivative_of_the_objective(objective, rng):
    counts, diagonal = rng.uniform(1.0, 9.0, 3), rng.uniform(0.5, 4.0, (3, 4))
    criterion = objective(counts, 4)
    for k, j in [(0, 0), (1, 2), (2, 3)]:
        change = np.zeros((3, 4))
        change[k, j] = 1e-5
        up, down = (criterion.value(diagonal * np.exp(sign * change)) for sign in (1.0, -1.0))
        assert (up - down) / 2e-5 == pytest.approx(criterion.pull(diagonal)[k], rel=1e-6)


def test_axes_at_the_worst_angle_are_left():
    """Equal variances and a correlation: the slope is zero, and the pair as far from diagonal as can be."""
    counts = np.array([10.0, 20.0])
    scatter = np.array([[[2.0, 1.5], [1.5, 2.0]], [[9.0, -4.0], [-4.0, 9.0]]])
    for code in ("EVE", "VVE"):
        start = MCLUST[code]().maximize(counts, np.stack([np.diag([2.0, 1.0]), np.diag([3.0, 1.0])]))
        found, _ = step(code, counts, scatter, start)
        axes = np.linalg.eigh(found[0])[1]
        np.testing.assert_allclose(np.abs(axes), np.sqrt(0.5), atol=1e-9)


def test_volumes_of_proportional_scatters_are_found_at_once(rng):
    factor = rng.normal(size=(4, 6))
    counts, volumes = np.array([5.0, 70.0, 9.0]), np.array([1e-6, 1.0, 3e4])
    scatter = (counts * volumes)[:, None, None] * (factor @ factor.T)
    s, total = proportional(counts, scatter)
    np.testing.assert_allclose(np.exp(s - s[1]), volumes / volumes[1], rtol=1e-9)
    np.testing.assert_allclose(
        np.exp(s[1]) * total / counts.sum(), volumes[1] * (factor @ factor.T), rtol=1e-9
    )


def test_volumes_do_not_depend_on_the_start(rng):
    """The profile is convex, so there is one optimum; here with shapes as different as may be."""
    counts = np.array([20.0, 30.0, 10.0])
    scatter = np.stack([np.diag(values) for values in ([1e3, 1.0, 1.0], [1.0, 1e3, 1.0], [1.0, 1.0, 1e-3])])
    first, _ = proportional(counts, scatter)
    for start in 6.0 * rng.normal(size=(5, 3)):
        other, _ = proportional(counts, scatter, start)
        np.testing.assert_allclose(other - other[0], first - first[0], atol=1e-6)


def test_pairs_of_axes_are_disjoint_in_a_round_and_complete():
    for size in (1, 2, 3, 4, 7, 10):
        seen = []
        for p, q in _rounds(size):
            assert len({*p, *q}) == 2 * len(p)
            seen += zip(p.tolist(), q.tolist(), strict=True)
        assert sorted(seen) == [(i, j) for i in range(size) for j in range(i + 1, size)]


@pytest.mark.parametrize("d", [1, 2, 3, 6])
def test_axes_survive_their_coordinates_up_to_signs(d, rng):
    for _ in range(20):
        axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
        back = axes_from_coordinates(axes_to_coordinates(axes), d)
        np.testing.assert_allclose(np.abs(axes.T @ back), np.eye(d), atol=1e-9)
    wild = axes_from_coordinates(100.0 * rng.normal(size=d * (d - 1) // 2), d)
    np.testing.assert_allclose(wild.T @ wild, np.eye(d), atol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("code", MCLUST)
def test_coordinates_and_matrices_come_back(code, d, rng):
    counts, scatter = scatters(rng, d)
    found, _ = step(code, counts, scatter)
    model = MCLUST[code]()
    np.testing.assert_allclose(model.from_free(model.free(found), found.shape), found, rtol=1e-8, atol=1e-12)
    matrices = model.matrices(found, K, d)
    np.testing.assert_allclose(model.from_matrices(np.asarray(matrices)), found)


@pytest.mark.parametrize("code", MCLUST)
def test_the_letters_say_what_is_equal(code, rng):
    counts, scatter = scatters(rng, 3)
    found, _ = step(code, counts, scatter)
    matrices = MCLUST[code]().matrices(found, K, 3)
    values = np.linalg.eigvalsh(matrices)
    volume = np.exp(np.log(values).mean(axis=1))
    # EVE and EVI may pair their shapes with axes in any order; sorted eigenvalues see only that they differ.
    shapes = values / volume[:, None]
    products = [matrices[0] @ other - other @ matrices[0] for other in matrices[1:]]
    off = np.abs(matrices * (1.0 - np.eye(3))).max()
    assert (np.ptp(volume) < 1e-6 * volume.max()) == (code[0] == "E")
    assert (np.ptp(shapes, axis=0).max() < 1e-6) == (code[1] in "EI")
    assert (np.abs(shapes - 1.0).max() < 1e-9) == (code[1] == "I")
    assert (off < 1e-12) == (code[2] == "I")
    assert (max(np.abs(one).max() for one in products) < 1e-9 * values.max() ** 2) == (code[2] in "IE")


@pytest.mark.parametrize("d", [1, 2, 4])
def test_a_step_of_a_larger_model_is_at_least_as_good(d, rng):
    for _ in range(3):
        counts, scatter = scatters(rng, d)
        own = {code: step(code, counts, scatter)[1] for code in MCLUST}
        for code, value in own.items():
            for smaller in nested_codes(code):
                assert value <= own[smaller] + 1e-9 * abs(value), (code, smaller)


def test_what_is_nested_in_what():
    assert nested_codes("EII") == []
    assert set(nested_codes("VVV")) == MCLUST.keys() - {"VVV"}
    assert set(nested_codes("VVE")) == {
        *("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE"),
    }
    assert set(nested_codes("EEV")) == {"EII", "EEI", "EEE"}
    assert [covariance_code(name) for name in COVARIANCES] == ["VVV", "EEE", "VVI", "VII"]
    for name, kind in COVARIANCES.items():
        assert MCLUST[covariance_code(name)] is kind


@pytest.mark.parametrize("code", MCLUST)
def test_regularization_keeps_the_structure(code, rng):
    counts, scatter = scatters(rng, 2)
    regularized = MCLUST[code](0.3).maximize(counts, form(code, scatter).copy())
    by_hand, _ = step(code, counts, scatter + 0.3 * counts[:, None, None] * np.eye(2))
    np.testing.assert_allclose(regularized, by_hand, rtol=1e-6)


def sums(counts, means, scatter):
    """Statistics about the origin that have these scatters."""
    moments = scatter + counts[:, None, None] * means[:, :, None] * means[:, None, :]
    return {"count": counts, "sum_x": counts[:, None] * means, "sum_xx": moments}


def packed(code, parts):
    second = parts["sum_xx"]
    if code[2] != "I":
        second = pack_symmetric(second)
    elif code[1] == "I":
        second = np.trace(second, axis1=1, axis2=2)[:, None]
    else:
        second = np.diagonal(second, axis1=1, axis2=2)
    if code == "EEE":
        return Statistics(
            {**parts, "sum_xx": second.sum(axis=0, keepdims=True)}, shared=frozenset({"sum_xx"})
        )
    return Statistics({**parts, "sum_xx": second})


# Models in which a component that lies in a plane has no maximum; in the others its neighbours lend it their shape.
NEEDS_RANK = {"EVI": [1], "VVI": [1], "EVE": [1], "VVE": [1], "EVV": [1], "VVV": [1]}


@pytest.mark.parametrize("code", [code for code in MCLUST if code not in ("EII", "VII", "EEE")])
def test_a_flat_component_is_named_where_there_is_no_maximum(code, rng):
    counts, scatter = scatters(rng, 2)
    scatter[1] = np.diag([3.0 * counts[1], 0.0])
    means = np.zeros((3, 2))
    blank = Gaussian(model=MCLUST[code]())
    if code not in NEEDS_RANK:
        found = blank.maximize(packed(code, sums(counts, means, scatter)))
        assert np.linalg.eigvalsh(found.matrices).min() > 0
        return
    with pytest.raises(DegenerateComponentError) as caught:
        blank.maximize(packed(code, sums(counts, means, scatter)))
    assert [event.component for event in caught.value.events] == NEEDS_RANK[code]
    assert "positive definite" in str(caught.value)


@pytest.mark.parametrize("code", [code for code in MCLUST if code[0] == "V" or code[1] == "V"])
def test_components_on_one_point_are_all_named(code, rng):
    counts, scatter = scatters(rng, 2)
    scatter[[0, 2]] = 0.0
    with pytest.raises(DegenerateComponentError) as caught:
        Gaussian(model=MCLUST[code]()).maximize(packed(code, sums(counts, np.zeros((3, 2)), scatter)))
    assert [event.component for event in caught.value.events] == [0, 2]


@pytest.mark.parametrize("code", MCLUST)
def test_a_column_without_scatter_is_everybodys_trouble(code, rng):
    counts, scatter = scatters(rng, 2)
    scatter[:, 1, :] = scatter[:, :, 1] = 0.0
    blank = Gaussian(model=MCLUST[code]())
    if code[1] == "I":  # balls take their size from the other column
        assert np.isfinite(
            blank.maximize(packed(code, sums(counts, np.zeros((3, 2)), scatter))).covariance
        ).all()
        return
    with pytest.raises(DegenerateComponentError) as caught:
        blank.maximize(packed(code, sums(counts, np.zeros((3, 2)), scatter)))
    assert [event.component for event in caught.value.events] == [0, 1, 2]
