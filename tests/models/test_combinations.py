"""Products, unions and nested mixtures: what loops say, what simpler models say, and what a user meets."""

import numpy as np
import pytest

import oracles_combinations as loops
from contract.specimens_combinations import AND_NOISE, MIXED, NESTED, TWO_KINDS
from mixtura import Mixture, load
from mixtura.components import (
    Diagonal,
    DirichletMultinomial,
    Fixed,
    Gaussian,
    Nested,
    Product,
    StudentT,
    Tied,
    UniformNoise,
    Union,
)
from mixtura.components.neighbours import sparse_rows
from mixtura.exceptions import DegenerateComponentError, InvalidDataError, InvalidParameterError
from mixtura.families import Categorical, FamilyComponents, Geometric, Poisson
from mixtura.inference.grow import resized
from mixtura.inference.updates import AddPrior, Drop, Maximization, Reseed
from mixtura.protocols import Batch, Encoding
from mixtura.structures import Grouped, Independent, LatentMixture
from mixtura.testing import check_component
from mutants_combinations import CATALOGUE

SHARES = np.array([0.5, 0.3, 0.2])
AMOUNTS = np.array([[0.0, 0.0], [4.0, 1.0], [-3.0, 5.0]])
RATES = np.array([2.0, 8.0, 20.0])
LEVELS = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])
BLOCKS = {"amounts": (Gaussian(), [0, 1]), "visits": (Poisson(), [2]), "region": (Categorical([4]), [3])}


def mixed_rows(n, seed):
    rng = np.random.default_rng(seed)
    label = rng.choice(3, size=n, p=SHARES)
    region = [rng.choice(4, p=LEVELS[k]) for k in label]
    return np.column_stack([AMOUNTS[label] + rng.normal(size=(n, 2)), rng.poisson(RATES[label]), region])


def history(components, x, steps, weights=None):
    """Log-likelihoods of EM from given components, totals."""
    model = LatentMixture(
        components,
        Independent(np.zeros(components.n_components) if weights is None else np.log(weights)),
        Encoding(x.shape[1]),
    )
    batch, found = Batch(np.ascontiguousarray(x.T), np.ones(len(x))), []
    for _ in range(steps + 1):
        stats = model.summarize(batch, {})
        found.append(stats.log_evidence)
        model = model.maximize(stats)
    return found


# --- products -----------------------------------------------------------------------------------------------------
def test_a_product_is_what_loops_say():
    x = mixed_rows(60, 1)
    start = Product(
        {
            "region": (FamilyComponents(Categorical([4]), np.log(LEVELS)), [3]),
            "amounts": (Gaussian(AMOUNTS, np.stack([np.eye(2)] * 3)), [0, 1]),
            "visits": (FamilyComponents(Poisson(), np.log(RATES)[:, None]), [2]),
        }
    )
    weights, covariances = list(SHARES), [[[1.0, 0.0], [0.0, 1.0]]] * 3
    expected, rates, shares = loops.product_em(
        x.tolist(), weights, AMOUNTS.tolist(), covariances, RATES.tolist(), LEVELS.tolist(), 4
    )
    assert history(start, x, 4, SHARES) == pytest.approx(expected, rel=1e-11)
    mixture = Mixture(start, 3, max_iter=0)
    with pytest.warns(UserWarning, match="max_iter=0"):
        mixture.fit(x)
    model = LatentMixture(start, Independent(np.log(SHARES)), Encoding(4))
    for _ in range(4):
        model = model.maximize(model.summarize(Batch(np.ascontiguousarray(x.T), np.ones(60)), {}))
    assert model.components["visits"].mean.ravel() == pytest.approx(np.array(rates), rel=1e-10)
    # A level that nobody chose keeps 1e-10.
    assert np.exp(model.components["region"].natural) == pytest.approx(np.array(shares), rel=1e-9, abs=2e-10)


def test_a_product_of_gaussian_columns_is_a_diagonal_gaussian(rng):
    x = np.concatenate([rng.normal([0, 0, 0], 1, (80, 3)), rng.normal([3, 2, -1], [1, 2, 0.5], (60, 3))])
    means, variances = x[[0, 100]], np.ones((2, 3))
    blocks = {f"column {d}": (Gaussian(means[:, [d]], variances[:, [d]], Diagonal()), [d]) for d in (1, 0, 2)}
    found = history(Product(blocks), x, 15)
    assert found == pytest.approx(history(Gaussian(means, variances, Diagonal()), x, 15), rel=1e-12)


def test_a_product_of_gaussian_blocks_is_block_diagonal(rng):
    x = rng.normal(size=(200, 4)) @ np.diag([1, 2, 3, 4.0]) + rng.integers(0, 2, (200, 1)) * 4
    product = Product({"inner": (Gaussian(), [1, 2]), "outer": (Gaussian(), [3, 0])})
    mixture = Mixture(product, 2, random_state=0).fit(x)
    covariance = np.zeros((2, 4, 4))
    covariance[np.ix_([0, 1], [1, 2], [1, 2])] = mixture.components_["inner"].matrices
    covariance[np.ix_([0, 1], [3, 0], [3, 0])] = mixture.components_["outer"].matrices
    mean = np.empty((2, 4))
    mean[:, [1, 2]], mean[:, [3, 0]] = mixture.components_["inner"].mean, mixture.components_["outer"].mean
    whole = LatentMixture(Gaussian(mean, covariance), Independent(np.log(mixture.weights_)), Encoding(4))
    expected = whole.summarize(Batch(x.T, np.ones(200)), {}).log_evidence
    assert mixture.score(x) * 200 == pytest.approx(expected, rel=1e-12)


def test_mixed_columns_are_recovered_with_and_without_missing_cells():
    x = mixed_rows(3000, 2)
    gaps = x.copy()
    gaps[np.random.default_rng(3).random(x.shape) < 0.1] = np.nan
    for rows in (x, gaps):
        mixture = Mixture(Product(BLOCKS), 3, random_state=0).fit(rows)
        order = np.argsort(mixture.weights_)[::-1]
        parts = mixture.components_.take(order)
        # Four standard errors of the smallest component (600 rows of 3,000).
        assert mixture.weights_[order] == pytest.approx(SHARES, abs=0.04)
        assert parts["amounts"].mean == pytest.approx(AMOUNTS, abs=0.2)
        assert parts["visits"].mean.ravel() == pytest.approx(RATES, rel=0.05)
        assert parts["region"].mean == pytest.approx(LEVELS, abs=0.08)
        assert mixture.n_parameters() == 2 + 3 * (2 + 3 + 1 + 3)
        assert (mixture.origin_ != 0.0).tolist() == [True, True, False, False]


def test_tables_and_samples_of_a_product_speak_of_columns():
    x = mixed_rows(400, 4)
    mixture = Mixture(Product(BLOCKS), 3, random_state=0).fit(x)
    frame = mixture.params_frame()
    means = frame[(frame["parameter"] == "mean") & (frame["feature"] == "x1")].sort_values("component")
    assert means["value"].to_numpy() == pytest.approx(mixture.components_["amounts"].mean[:, 1])
    assert set(frame["feature"]) >= {"x0", "x1", "x2", "x3=0"}
    assert "x2" in mixture.summary()
    rows, labels = mixture.sample(500)
    assert rows.shape == (500, 4)
    assert set(rows[:, 3]) <= {0.0, 1.0, 2.0, 3.0}
    assert (mixture.predict(rows) == labels).mean() > 0.8


def test_amounts_far_from_zero_do_not_lose_digits():
    x = mixed_rows(500, 5)
    near = Mixture(Product(BLOCKS), 3, random_state=0).fit(x)
    x[:, 0] += 2.0**30
    far = Mixture(Product(BLOCKS), 3, random_state=0).fit(x)
    # 2^30 + x keeps 22 binary digits after the point.
    assert far.score(x) == pytest.approx(near.lower_bound_, abs=1e-6)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (
            {"a": (Gaussian(), [0, 1]), "b": (Poisson(), [1])},
            "column 1 is in block 'a' and again in block 'b'",
        ),
        ({"a": (Gaussian(), [0, 3])}, r"column\(s\) 1, 2 of 0 to 3 are in no block"),
        ({"a": (Gaussian(), [-1])}, "among them -1; expected numbers of columns of at least 0"),
        ({"a": (Gaussian(), ["age"])}, "among them 'age'"),
        ({"a": (Gaussian(), [])}, "has columns"),
        ({"a": Gaussian()}, "expected a name in letters and"),
        ({"a": (Gaussian, [0])}, "as an object"),
        ({}, "expected a mapping of names"),
        (
            {"a": (Gaussian(np.zeros((2, 1)), np.ones((2, 1, 1))), [0]), "b": (Poisson(), [1])},
            "different numbers of components",
        ),
    ],
)
def test_columns_of_a_product_are_checked(blocks, message):
    with pytest.raises(InvalidParameterError, match=message):
        Product(blocks)


def test_data_of_another_width_are_refused():
    with pytest.raises(InvalidDataError, match="The rows have 3 columns; expected 4"):
        Mixture(Product(BLOCKS), 2).fit(mixed_rows(30, 6)[:, :3])


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (5, 3, 4.0, "row 5, column 3 is 4; expected a level of its column"),
        (6, 2, -1.0, "row 6, column 2 is -1; expected whole counts of at least 0 \\(block 'visits'"),
    ],
)
def test_values_outside_a_block_are_named(row, column, value, message):
    x = mixed_rows(30, 6)
    x[row, column] = value
    with pytest.raises(InvalidDataError, match=message):
        Mixture(Product(BLOCKS), 2).fit(x)


def test_a_missing_cell_is_refused_where_its_block_has_no_marginal(rng):
    x = np.column_stack([rng.normal(size=50), rng.multinomial(9, [0.2, 0.3, 0.5], 50)])
    product = Product({"amount": (Gaussian(), [0]), "basket": (DirichletMultinomial(), [1, 2, 3])})
    x[4, 0] = np.nan
    assert Mixture(product, 1).fit(x).converged_
    x[7, 2] = np.nan
    with pytest.raises(
        InvalidDataError, match=r"row 7, column 2 is missing .* block 'basket', Dirichlet-multinomial"
    ):
        Mixture(product, 1).fit(x)
    with pytest.raises(InvalidDataError, match=r"Block 'basket' .*, column 2, has missing cells"):
        product.encode(x.T, Encoding(4, missing=True))


def test_all_degenerate_blocks_of_a_component_are_named_once():
    x = mixed_rows(40, 7).T
    resp = np.zeros((3, 40))
    resp[1] = 1.0
    block = MIXED.encode(x[[2, 0, 3]], Encoding(3))
    with pytest.raises(DegenerateComponentError) as caught:
        MIXED.maximize(MIXED.expected_statistics(block, resp))
    assert [event.component for event in caught.value.events] == [0, 2]
    assert all(name in caught.value.events[0].reason for name in ("amount", "visits", "region"))


# --- unions -------------------------------------------------------------------------------------------------------
def noisy_rows(seed, n=60, noise=20):
    rng = np.random.default_rng(seed)
    parts = [
        rng.normal([0, 0], 1.0, (n, 2)),
        rng.normal([8, 3], [1, 0.5], (n, 2)),
        rng.uniform(-12, 16, (noise, 2)),
    ]
    return np.concatenate(parts)


def test_a_union_is_what_loops_say():
    x, means, unit = noisy_rows(1), [[0.5, 0.5], [7.0, 3.0]], [[2.0, 0.0], [0.0, 2.0]]
    noise = UniformNoise(x.min(axis=0), x.max(axis=0), n_components=1)
    volume = loops.box_volume(x.tolist())
    assert noise.volume == pytest.approx(volume, rel=1e-13)
    start = Union(Gaussian(np.array(means), np.array([unit, unit])), noise)
    expected, _ = loops.noise_em(x.tolist(), [0.4, 0.4, 0.2], means, [unit, unit], volume, 5)
    assert history(start, x, 5, [0.4, 0.4, 0.2]) == pytest.approx(expected, rel=1e-11)


def test_a_union_of_one_law_is_that_law(rng):
    x = noisy_rows(2)
    means, eye = x[[0, 70, 125]], np.stack([np.eye(2)] * 3)
    union = Union(Gaussian(means[:1], eye[:1]), Gaussian(means[1:], eye[1:]))
    found = history(union.take([2, 0, 1]), x, 10)
    assert found == pytest.approx(history(Gaussian(means, eye), x, 10), rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_components_of_a_union_are_taken_and_joined_in_any_order(seed):
    rng = np.random.default_rng(seed)
    union = [AND_NOISE, TWO_KINDS][seed % 2]
    x = rng.normal(size=(2, 30))
    block = union.encode(x, Encoding(2))
    scores, resp = union.log_prob(block), rng.random((4, 30))
    stats, fitted = union.expected_statistics(block, resp), None
    fitted = union.maximize(stats).log_prob(block)
    chosen = rng.permutation(4)[: rng.integers(1, 5)]
    taken = union.take(chosen)
    np.testing.assert_allclose(taken.log_prob(taken.encode(x, Encoding(2))), scores[chosen])
    again = taken.maximize(stats.take(chosen))
    np.testing.assert_allclose(again.log_prob(again.encode(x, Encoding(2))), fitted[chosen])
    first, *rest = [union.take([k]) for k in chosen]
    joined = first.concatenate(rest)
    np.testing.assert_allclose(joined.log_prob(joined.encode(x, Encoding(2))), scores[chosen])
    assert joined.kind.tolist() == union.kind[chosen].tolist()
    twice = taken.take([0, 0])
    np.testing.assert_allclose(twice.log_prob(twice.encode(x, Encoding(2))), scores[chosen[[0, 0]]])


def test_a_degenerate_component_is_replaced_by_one_of_its_kind():
    x = noisy_rows(3)
    model = LatentMixture(AND_NOISE.take([0, 3, 1]), Independent(np.log([0.01, 0.9, 0.09])), Encoding(2))
    stats = model.summarize(Batch(x.T.copy(), np.ones(len(x))), {})
    assert np.argmax(stats.parts["components"]["count"]) == 1  # the noise is the largest
    repair = Reseed().repair(model, stats, np.array([0]))
    assert repair.model.components.kind.tolist() == [0, 1, 0]
    assert repair.model.maximize(repair.stats).components.kind.tolist() == [0, 1, 0]
    dropped = Drop().repair(model, stats, np.array([2]))
    assert dropped.model.maximize(dropped.stats).components.kind.tolist() == [0, 1]


def test_a_prior_for_degenerate_components_reaches_into_parts():
    x = np.abs(mixed_rows(40, 8).round())[:, [2, 0, 3]]
    model = LatentMixture(MIXED, Independent(np.log([1e-300, 0.5, 0.5])), Encoding(3))
    x[:, 2] = np.minimum(x[:, 2], 2.0)
    stats = model.summarize(Batch(x.T.copy(), np.ones(40)), {})
    stats.parts["components"].parts["visits"]["sum_t"][0] = 0.0
    with pytest.raises(DegenerateComponentError):
        model.maximize(stats)
    step = Maximization(policy=AddPrior()).step(None, model, stats)
    assert step.events
    expected = x[:, 0].mean()
    assert step.model.components["visits"].mean[0] == pytest.approx(expected, rel=1e-6)


def test_growing_and_shrinking_leave_the_noise_alone():
    x = noisy_rows(4)
    union = Union((Gaussian(), None), (UniformNoise.of(x), 1))
    two = Mixture(union, 3, random_state=0).fit(x)
    source = two._problem(x, None).source()
    more, fewer = (resized(two._model(), source, k).components for k in (4, 2))
    assert more.kind.tolist() == [0, 0, 1, 0]
    assert fewer.kind.tolist() == [0, 1]
    larger = Mixture(union, 4, init_params=two).fit(x)
    assert larger.lower_bound_ >= two.lower_bound_


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ((Gaussian(),), "at least two kinds"),
        ((Gaussian(), Gaussian(model=Tied())), "2 kinds of a union have no number"),
        (((Gaussian(), 0), Poisson()), "expected a whole number of at least 1, or None"),
        (
            ((Gaussian(np.zeros((2, 1)), np.ones((2, 1, 1))), 3), (Poisson(), 1)),
            "has parameters for 2 components",
        ),
        ((Gaussian(), ("noise", 1)), "kind 1 of the union is 'noise'"),
    ],
)
def test_kinds_of_a_union_are_checked(kinds, message):
    with pytest.raises(InvalidParameterError, match=message):
        Union(*kinds)


def test_numbers_of_components_of_a_union_must_add_up():
    x = noisy_rows(5)
    rest = Union((Gaussian(), None), (UniformNoise.of(x), 1))
    with pytest.raises(
        InvalidParameterError, match=r"n_components is 1 .* the rest, uniform noise: 1; expected at least 2"
    ):
        Mixture(rest, 1).fit(x)
    fixed = Union((Gaussian(), 2), (UniformNoise.of(x), 1))
    with pytest.raises(InvalidParameterError, match=r"n_components is 4 .* expected 3"):
        Mixture(fixed, 4).fit(x)
    with pytest.raises(InvalidParameterError, match="no parameters yet"):
        rest.kind  # noqa: B018 - the message


# --- noise --------------------------------------------------------------------------------------------------------
def test_the_region_is_the_smaller_of_two_boxes(rng):
    long = rng.normal(size=(300, 2)) * [9.0, 0.5]
    turned = long @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [3.0, -7.0]
    noise = UniformNoise.of(turned)
    box = np.prod(np.ptp(turned, axis=0))
    _, vectors = np.linalg.eigh(np.cov(turned.T))
    along = np.prod(np.ptp(turned @ vectors, axis=0))
    assert along < box
    assert noise.volume == pytest.approx(along, rel=1e-12)
    straight = rng.uniform(0, 1, (300, 2))
    assert UniformNoise.of(straight).volume == pytest.approx(np.prod(np.ptp(straight, axis=0)), rel=1e-12)
    inside = noise.sample(0, 2000, rng) @ noise.axes
    assert ((inside >= noise.lower) & (inside <= noise.upper)).all()
    # Half a per cent of the width from either end, on average.
    assert inside.min(axis=0) == pytest.approx(noise.lower, abs=0.01 * np.ptp(inside, axis=0).max())


def test_noise_finds_the_rows_without_neighbours():
    x = noisy_rows(6, n=300, noise=100)
    claimed = sparse_rows(x, np.ones(len(x))) > 0.5
    assert claimed[600:].mean() > 0.85
    assert claimed[:600].mean() < 0.05
    assert not sparse_rows(np.zeros((5, 2)), np.ones(5)).any()
    assert not sparse_rows(np.zeros((1, 2)), np.ones(1)).any()


def test_gaussians_and_noise_are_recovered():
    x = noisy_rows(7, n=400, noise=200)
    mixture = Mixture(Union((Gaussian(), None), (UniformNoise.of(x), 1)), 3, random_state=0).fit(x)
    order = np.argsort(mixture.components_[0].mean[:, 0])
    means = mixture.components_[0].mean[order]
    assert means == pytest.approx(np.array([[0.0, 0.0], [8.0, 3.0]]), abs=0.2)
    assert mixture.weights_ == pytest.approx([0.4, 0.4, 0.2], abs=0.04)
    assert mixture.n_parameters() == 2 + 2 * 5
    # The region lies where the rows do, though rows are taken about their mean inside.
    rows, labels = mixture.sample(4000)
    noise = rows[labels == 2]
    assert noise.min(axis=0) == pytest.approx(x.min(axis=0), abs=0.5)
    assert noise.max(axis=0) == pytest.approx(x.max(axis=0), abs=0.5)
    # Beyond everything seen there is noise, not a nearest cluster.
    assert mixture.predict([[1e6, -1e6]]) == [2]
    frame = mixture.params_frame()
    # Only the noise has a volume, only the Gaussians have means.
    assert frame[frame["parameter"] == "volume"]["component"].tolist() == [2]
    assert set(frame[frame["parameter"] == "mean"]["component"]) == {0, 1}
    assert "nan" not in mixture.summary()
    assert frame[frame["parameter"] == "volume"]["value"].tolist() == pytest.approx(
        [UniformNoise.of(x).volume]
    )
    assert frame["value"].notna().all()


def test_noise_over_missing_cells_has_the_volume_of_the_others():
    x = noisy_rows(8)
    x[::7, 0] = np.nan
    noise = UniformNoise.of(x, n_components=1)
    width = np.nanmax(x, axis=0) - np.nanmin(x, axis=0)
    found = noise.log_prob(noise.encode(x.T, Encoding(2, missing=True)))[0]
    expected = np.where(np.isnan(x[:, 0]), -np.log(width[1]), -np.log(width.prod()))
    assert found == pytest.approx(expected)
    mixture = Mixture(Union((Gaussian(), None), (UniformNoise.of(x), 1)), 3, random_state=0).fit(x)
    assert mixture.converged_
    turned = UniformNoise([0, 0], [1, 1], axes=[[0.8, -0.6], [0.6, 0.8]], n_components=1)
    with pytest.raises(InvalidDataError, match="Column 0 has missing cells"):
        turned.encode(x.T, Encoding(2, missing=True))


def test_noise_can_be_given_a_volume_and_lose_all_rows():
    x = noisy_rows(9, noise=1)[:-1]
    noise = UniformNoise.of(x, volume=1e9)
    assert noise.volume == pytest.approx(1e9)
    mixture = Mixture(Union((Gaussian(), None), (noise, 1)), 3, random_state=0).fit(x)
    assert mixture.weights_[2] < 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UniformNoise.of([[1.0, 2.0], [1.0, 3.0]]), "Column 0 goes from 1 to 1"),
        (lambda: UniformNoise.of(np.zeros((0, 2))), "at least one of each"),
        (lambda: UniformNoise([0, 0], [1, 0]), "goes from 0 to 0 along axis 1"),
        (lambda: UniformNoise([0, 0], [1]), "expected one number for each column in both"),
        (lambda: UniformNoise([0, 0], [1, 1], axes=np.ones((2, 2))), "expected an orthonormal"),
        (lambda: UniformNoise([0], [1], volume=-1.0), "volume is -1.0"),
        (lambda: UniformNoise([0], [1]).n_components, "open how many"),
        (
            lambda: UniformNoise([0], [1]).encode(np.zeros((2, 3)), Encoding(2)),
            "The rows have 2 columns; expected 1",
        ),
    ],
)
def test_regions_of_noise_are_checked(make, message):
    with pytest.raises((InvalidDataError, InvalidParameterError), match=message):
        make()


# --- nested -------------------------------------------------------------------------------------------------------
def test_a_nested_mixture_is_what_loops_say():
    x = noisy_rows(10, n=30, noise=10)
    means = [[[0.0, 0.0], [1.0, -1.0]], [[7.0, 3.0], [9.0, 2.0]]]
    covariances = [
        [[[1.0, 0.2], [0.2, 2.0]], [[2.0, 0.0], [0.0, 1.0]]],
        [[[1.0, 0.0], [0.0, 1.0]], [[3.0, 0.5], [0.5, 2.0]]],
    ]
    inner = [[0.3, 0.7], [0.6, 0.4]]
    start = Nested(Gaussian(np.reshape(means, (4, 2)), np.reshape(covariances, (4, 2, 2))), 2, inner)
    found = history(start, x, 5, [0.4, 0.6])
    expected = loops.nested_em(x.tolist(), [0.4, 0.6], inner, means, covariances, 5)
    assert found == pytest.approx(expected, rel=1e-11)
    assert np.all(np.diff(found) > 0)


def test_scores_kept_with_a_batch_belong_to_one_object():
    """The sums need the inner scores again; those of other parameters must not be taken for them."""
    x = noisy_rows(17).T.copy()
    block = NESTED.encode(x, Encoding(2))
    first = NESTED.log_prob(block)
    first[:] = 0.0  # a structure may write over them
    other = NESTED.take([1, 0])
    np.testing.assert_array_equal(other.log_prob(block), NESTED.log_prob(block)[::-1])
    resp = np.random.default_rng(1).random((2, x.shape[1]))
    found = other.expected_statistics(block, resp)["inner_count"]
    np.testing.assert_allclose(found, NESTED.expected_statistics(block, resp[::-1])["inner_count"][::-1])
    broken = object.__new__(type(CATALOGUE["scores of other parameters"].component))
    broken.__dict__.update(NESTED.__dict__)
    fresh = NESTED.encode(x, Encoding(2))
    assert not np.array_equal(broken.log_prob(fresh), broken.take([1, 0]).log_prob(fresh)[::-1])


def test_one_nested_component_is_a_plain_mixture():
    x = noisy_rows(11)
    means, eye, weights = x[[0, 70, 125]], np.stack([np.eye(2)] * 3), [0.2, 0.3, 0.5]
    nested = history(Nested(Gaussian(means, eye), 3, [weights]), x, 20)
    assert nested == pytest.approx(history(Gaussian(means, eye), x, 20, weights), rel=1e-12)


def test_a_nested_start_is_the_same_every_time_and_nowhere_alike(rng):
    x, resp = noisy_rows(12).T, np.repeat([[1.0, 0.0], [0.0, 1.0]], [80, 60], axis=0).T
    blank = Nested(Gaussian(), 3)
    block = blank.encode(x, Encoding(2))
    one, other = (blank.maximize(blank.expected_statistics(block, resp)) for _ in range(2))
    np.testing.assert_array_equal(one.coordinates(), other.coordinates())
    apart = np.linalg.norm(one.inner.mean[:, None] - one.inner.mean, axis=2)
    assert apart[~np.eye(6, dtype=bool)].min() > 0.1
    assert one.weights.sum(axis=1) == pytest.approx([1.0, 1.0])
    # The rows of an outer component keep their mean: a split moves two halves to both sides.
    for k in range(2):
        mean = one.weights[k] @ one.inner.mean[3 * k : 3 * k + 3]
        assert mean == pytest.approx(x[:, resp[k] > 0].mean(axis=1), rel=1e-9)


def test_a_nested_mixture_reaches_the_likelihood_of_a_plain_one(rng):
    centres = np.array([[0, 0], [4, 0], [20, 20], [20, 25]])
    x = np.concatenate([rng.normal(centre, 1.0, (80, 2)) for centre in centres])
    nested = Mixture(Nested(Gaussian(), 2), 2, random_state=0, tol=1e-7).fit(x)
    plain = Mixture(Gaussian(), 4, random_state=0, tol=1e-7).fit(x)
    # Four components in all, whichever of them belong together.
    assert nested.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-5)
    assert nested.n_parameters() == plain.n_parameters() == 3 + 4 * 5
    assert "mean 1" in set(nested.params_frame()["parameter"])
    assert nested.sample(20)[0].shape == (20, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Nested(Gaussian(), 0), "n_inner is 0"),
        (lambda: Nested(Gaussian(), 2, [[0.5, 0.5]]), "no parameters: give both or neither"),
        (lambda: Nested(NESTED.inner, 3), "4 components; expected a multiple of n_inner=3"),
        (lambda: Nested(NESTED.inner, 2, [[0.5, 0.5]]), r"shape \(1, 2\); expected \(2, 2\)"),
        (lambda: Nested(NESTED.inner, 2, [[0.5, 0.5], [0.5, 0.6]]), "weights of component 1"),
        (lambda: Nested(Gaussian(), 2).weights, "no parameters yet"),
    ],
)
def test_nested_mixtures_are_checked(make, message):
    with pytest.raises(InvalidParameterError, match=message):
        make()


def test_an_inner_component_without_rows_is_named():
    x = noisy_rows(13).T
    far = NESTED.take([0, 1])
    far.inner = far.inner.replace(
        np.where(np.arange(4)[:, None] == 3, 1e4, far.inner.mean), far.inner.covariance
    )
    stats = far.expected_statistics(far.encode(x, Encoding(2)), np.full((2, x.shape[1]), 0.5))
    with pytest.raises(DegenerateComponentError, match=r"component 1 .*inner component 1: it holds no rows"):
        far.maximize(stats)


# --- together -----------------------------------------------------------------------------------------------------
def test_combinations_of_combinations_fit_and_never_fall():
    x = noisy_rows(14, n=150, noise=40)
    x = np.column_stack([x, np.random.default_rng(1).poisson(np.where(x[:, 0] > 4, 9.0, 2.0))])
    with_noise = Union((Gaussian(), None), (UniformNoise.of(x[:, :2]), 1))
    product = Product({"place": (with_noise, [0, 1]), "visits": (Poisson(), [2])})
    mixture = Mixture(product, 3, random_state=0).fit(x)  # the driver refuses a fall of an exact step
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-12)
    assert mixture.sample(10)[0].shape == (10, 3)
    nested = Nested(Product({"place": (Gaussian(), [0, 1]), "visits": (Poisson(), [2])}), 2)
    assert Mixture(nested, 2, random_state=0).fit(x).converged_
    x[np.random.default_rng(2).random(x.shape) < 0.05] = np.nan
    with_noise = Union((Gaussian(), None), (UniformNoise.of(x[:, :2]), 1))
    product = Product({"place": (with_noise, [0, 1]), "visits": (Poisson(), [2])})
    for components, size in ((product, 3), (nested, 2)):
        mixture = Mixture(components, size, random_state=0).fit(x)
        assert np.all(np.diff(mixture.lower_bounds_) > -1e-12)
        assert mixture.predict_proba(x).sum(axis=1) == pytest.approx(np.ones(len(x)))


def test_combinations_are_saved(tmp_path):
    x = noisy_rows(19)
    union = Union((Gaussian(), None), (UniformNoise.of(x), 1))
    product = Product({"first": (Gaussian(), [0]), "second": (union_of_lines(x), [1])})
    for components, size in ((union, 3), (product, 2), (Nested(Gaussian(), 2), 2)):
        mixture = Mixture(components, size, random_state=0).fit(x)
        again = load(mixture.save(tmp_path / "one.mixtura"))
        np.testing.assert_array_equal(again.predict_proba(x), mixture.predict_proba(x))


def union_of_lines(x):
    return Union((Gaussian(), 1), (UniformNoise.of(x[:, 1]), 1))


def test_kinds_may_be_of_different_families():
    """Counts of two laws over one column, and a Gaussian beside them that is then not about the column's mean."""
    rng = np.random.default_rng(20)
    x = np.concatenate([rng.poisson(15.0, 600), rng.geometric(0.5, 400) - 1])[:, None].astype(float)
    counts = Union((Poisson(), 1), (Geometric(first=0), 1))
    mixture = Mixture(counts, 2, random_state=0).fit(x)
    assert mixture.origin_ is None
    assert mixture.weights_ == pytest.approx([0.6, 0.4], abs=0.05)
    assert mixture.components_[0].mean.item() == pytest.approx(15.0, rel=0.03)
    both = Mixture(Union((Gaussian(), 1), (Geometric(first=0), 1)), 2, random_state=0).fit(x)
    assert both.components_[0].mean.item() == pytest.approx(15.0, rel=0.03)
    x[3] = -1.0
    with pytest.raises(InvalidDataError, match="row 3, column 0 is -1"):
        Mixture(counts, 2).fit(x)


def test_combinations_take_other_structures():
    """A structure sees scores only: weights per household, or a hidden Markov chain."""
    x = noisy_rows(15).T.copy()
    offsets = np.arange(0, x.shape[1] + 1, 7)
    noise = UniformNoise.of(x.T, n_components=1)
    gaussians = Gaussian(np.array([[0.5, 0.5], [7.0, 3.0]]), np.stack([2.0 * np.eye(2)] * 2))
    product = Product(
        {name: (Gaussian(gaussians.mean[:, [d]], np.ones((2, 1, 1))), [d]) for d, name in enumerate("ab")}
    )
    for components in (Union(gaussians, noise), Nested(gaussians, 1), product):
        model = LatentMixture(components, Grouped(np.ones(components.n_components)), Encoding(2))
        memory, found = {}, []
        for _ in range(6):
            stats = model.summarize(Batch(x, np.ones(x.shape[1]), offsets), memory)
            found.append(stats.log_evidence)
            model = model.maximize(stats)
        assert np.all(np.diff(found) > -1e-6)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("columns of a block sorted", "reference"),
        ("score of the first block only", "reference"),
        ("kinds of a union forgotten", "permutation"),
        ("half of another kind", "split"),
        ("sums of kinds not padded", "permutation"),
        ("volume of half widths", "normalised"),
        ("inner weights forgotten", "reference"),
        ("outer and inner exchanged", "permutation"),
    ],
)
def test_a_bug_is_caught_by(name, check):
    """Whatever else fails: the check that is meant for it does."""
    from mixtura.testing import COMPONENT_CHECKS

    others = [title for title in COMPONENT_CHECKS if title != check]
    mutant = CATALOGUE[name]
    with pytest.raises((AssertionError, IndexError, ValueError)):
        check_component(mutant.component, skip=others, **(mutant.arguments or {}))


def test_an_inner_posterior_forgotten_is_no_step_of_em():
    """The one bug of nested mixtures that no check of a single step can see: the likelihood falls."""
    x = noisy_rows(16, noise=0)
    healthy = Nested(Gaussian(np.array([[0.0, 0.0], [8.0, 3.0]]), np.stack([np.eye(2)] * 2)), 2)
    assert np.all(np.diff(history(healthy, x, 3)) > -1e-9)  # at the optimum after a step
    broken = object.__new__(type(CATALOGUE["inner posterior forgotten"].component))
    broken.__dict__.update(healthy.__dict__)
    assert np.any(np.diff(history(broken, x, 3)) < 0)


@pytest.mark.parametrize("kind", [Gaussian, StudentT])
def test_fitted_components_are_in_units_of_the_data(kind):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(100.0, 1.0, (200, 2)), rng.normal(110.0, 1.0, (200, 2))])
    fitted = Mixture(kind(), 1, random_state=0).fit(x[:200])
    assert fitted.components_.mean == pytest.approx(np.full((1, 2), 100.0), abs=0.3)
    both = Mixture(Fixed(kind(), fitted.components_), 2, random_state=0).fit(x)
    means = both.components_.inside.mean
    assert means[0] == pytest.approx(fitted.components_.mean[0], rel=1e-12)
    assert means[1] == pytest.approx([110.0, 110.0], abs=0.3)
    with pytest.raises(AttributeError, match="call fit first"):
        Mixture(kind()).components_  # noqa: B018
