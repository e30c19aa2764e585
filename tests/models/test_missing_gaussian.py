"""Missing cells in Gaussian mixtures: by pattern, for every covariance structure, against loops, closed forms and optimisers."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

import oracles_missing as oracle
from mixtura import GaussianMixture, SegmentTree, select
from mixtura.components import COVARIANCES, MCLUST, Diagonal, Gaussian, Spherical, Tied
from mixtura.components.pattern_block import PatternBlock
from mixtura.components.patterns import group_rows
from mixtura.exceptions import InvalidDataError
from mixtura.executors import Serial, Threads
from mixtura.kernels import without_kernels
from mixtura.protocols import Batch, Encoding
from mixtura.statistics import pack_symmetric
from mixtura.structures import Independent, LatentMixture

STRUCTURES = COVARIANCES | MCLUST
ENCODING = Encoding(3, missing=True)


def structured(name, size=3, seed=1):
    """A structure, parameters of it and their full matrices."""
    rng = np.random.default_rng(seed)
    model, factors = STRUCTURES[name](), rng.normal(size=(3, size, 2 * size))
    scatter = full = factors @ factors.swapaxes(1, 2)
    if isinstance(model, Tied):
        scatter = full.sum(axis=0)
    elif isinstance(model, Diagonal):
        scatter = np.diagonal(full, axis1=1, axis2=2)
        scatter = scatter.mean(axis=1) if isinstance(model, Spherical) else scatter
    covariance = model.maximize(np.array([3.0, 5.0, 4.0]), scatter)
    return model, covariance, np.array(model.matrices(covariance, 3, size))


def gappy(n=40, size=3, share=0.3, seed=0):
    """Rows with missing cells: one entirely missing, one complete."""
    rng = np.random.default_rng(seed)
    x = 2.0 * rng.normal(size=(n, size))
    x[rng.random(x.shape) < share] = np.nan
    x[3], x[4] = np.nan, 1.0
    return x


MEANS = 2.0 * np.random.default_rng(2).normal(size=(3, 3))
RESP = np.random.default_rng(3).dirichlet(np.ones(3), 40).T


class OwnOrigin(Gaussian):
    """As if the conditioning guard had tripped."""

    def needs_own_origin(self, encoding):
        return True


class ByPattern(Gaussian):
    """The generic method for structures that have a shorter one."""

    def _encode_partial(self, x, gaps, encoding):
        complete = self._encode_complete(x[:, ~gaps.any(axis=0)], encoding)
        return PatternBlock(complete, np.where(gaps, 0.0, x), gaps, own=self.needs_own_origin(encoding))


class ByPatternOwnOrigin(ByPattern, OwnOrigin):
    """Both."""


@pytest.fixture(params=["compiled", "numpy"])
def _path(request, monkeypatch):
    """Small blocks go through NumPy by themselves; here through either."""
    monkeypatch.setattr("mixtura.components.pattern_block._WORTH", 0)
    if request.param == "compiled":
        yield
    else:
        with without_kernels():
            yield


# --- against loops ------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("_path")
@pytest.mark.parametrize("kind", [Gaussian, OwnOrigin, ByPattern, ByPatternOwnOrigin])
@pytest.mark.parametrize("name", STRUCTURES)
def test_scores_and_sums_are_those_of_loops_over_rows(name, kind):
    model, covariance, matrices = structured(name)
    x, gaussian = gappy(), kind(MEANS, covariance, model)
    block = gaussian.encode(x.T, ENCODING)
    scores = gaussian.log_prob(block)
    assert_allclose(scores, oracle.scores(x, MEANS, matrices), atol=1e-11)
    assert_array_equal(scores[:, 3], 0.0)  # a row without values says nothing, exactly
    found, expected = (
        gaussian.expected_statistics(block, RESP).about(None),
        oracle.sums(x, RESP, MEANS, matrices),
    )
    assert_allclose(found["count"], expected["count"], atol=1e-11)
    assert_allclose(found["sum_x"], expected["first"], atol=1e-11)
    assert_allclose(found["sum_xx"], as_form(expected["second"], model), atol=1e-11)
    filled = gaussian.conditional_mean(block, RESP)
    rows = [[oracle.conditional(row, *law)[0] for row in x] for law in zip(MEANS, matrices, strict=True)]
    assert_allclose(filled, np.einsum("kn,knd->dn", RESP, rows), atol=1e-11)


def as_form(second, model):
    """Full second moments as the structure's sums."""
    packed, squares = pack_symmetric(second), np.diagonal(second, axis1=1, axis2=2)
    if model.pooled:
        return packed.sum(axis=0, keepdims=True)
    return {6: packed, 3: squares, 1: squares.sum(axis=1, keepdims=True)}[model.n_second(3)]


@pytest.mark.usefixtures("_path")
def test_many_rows_of_a_pattern_and_few_are_one_definition():
    """Compiled steps treat them differently; together they are the sums of both."""
    model, covariance, matrices = structured("full")
    x = np.repeat(gappy(12), 9, axis=0)
    x = np.concatenate([x, gappy(12, seed=5)])
    resp = np.random.default_rng(1).dirichlet(np.ones(3), len(x)).T
    gaussian = Gaussian(MEANS, covariance, model)
    block = gaussian.encode(x.T, ENCODING)
    assert_allclose(gaussian.log_prob(block), oracle.scores(x, MEANS, matrices), atol=1e-11)
    found = gaussian.expected_statistics(block, resp)
    assert_allclose(
        found["sum_xx"], pack_symmetric(oracle.sums(x, resp, MEANS, matrices)["second"]), atol=1e-10
    )


@pytest.mark.usefixtures("_path")
def test_many_columns_whiten_by_themselves():
    size = 70  # above the packed limit
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(2, size, 2 * size))
    matrices, means = factor @ factor.swapaxes(1, 2) / size, rng.normal(size=(2, size))
    x = gappy(12, size, 0.1)
    gaussian, encoding = Gaussian(means, matrices), Encoding(size, missing=True)
    block, resp = gaussian.encode(x.T, encoding), rng.dirichlet(np.ones(2), 12).T
    assert_allclose(gaussian.log_prob(block), oracle.scores(x, means, matrices), rtol=1e-9)
    found = gaussian.expected_statistics(block, resp).about(None)
    expected = oracle.sums(x, resp, means, matrices)
    assert_allclose(found["sum_xx"], pack_symmetric(expected["second"]), atol=1e-9)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_before_there_are_parameters_a_missing_cell_has_the_columns_mean_and_variance(name):
    encoding = Encoding(3, origin=np.zeros(3), scale=np.array([1.0, 2.0, 3.0]), missing=True)
    x, blank = gappy(), Gaussian(model=STRUCTURES[name]())
    found = blank.expected_statistics(blank.encode(x.T, encoding), RESP)
    filled = np.where(np.isnan(x), 0.0, x)
    second = np.einsum("kn,ni,nj->kij", RESP, filled, filled)
    second += np.einsum("kn,nd->kd", RESP, np.isnan(x) * encoding.scale**2)[:, :, None] * np.eye(3)
    assert_allclose(found["sum_xx"], as_form(second, blank.model), atol=1e-12)
    assert_allclose(found["sum_x"], RESP @ filled, atol=1e-12)


@pytest.mark.usefixtures("_path")
@pytest.mark.parametrize("name", ["full", "diag"])
def test_single_precision(name):
    model, covariance, matrices = structured(name)
    gaussian, x = Gaussian(MEANS, covariance, model), gappy()
    block = gaussian.encode(x.T, Encoding(3, dtype="float32", missing=True))
    scores = gaussian.log_prob(block)
    assert scores.dtype == np.float32
    assert_allclose(scores, oracle.scores(x, MEANS, matrices), rtol=1e-4, atol=1e-4)
    stats = gaussian.expected_statistics(block, RESP.astype(np.float32))
    assert all(value.dtype == np.float64 for value in stats.sums.values())


def test_rows_are_grouped_by_what_they_lack():
    gaps = np.isnan(gappy(200, 11, 0.1)).T  # more columns than bits of a byte
    patterns = group_rows(gaps)
    assert_array_equal(np.sort(np.concatenate([patterns.complete, patterns.rows])), np.arange(200))
    for pattern, rows in zip(patterns.gaps, patterns.spans(), strict=True):
        assert (pattern == gaps[:, patterns.rows[rows]].T).all()
    assert len(np.unique(patterns.gaps, axis=0)) == len(patterns.gaps)
    assert (np.diff(patterns.gaps.sum(axis=1)) >= 0).all()


# --- fits ---------------------------------------------------------------------------------------------------------
def clusters(n=300, share=0.15, seed=0):
    """Two clusters, the first one with correlated columns, and the same rows with missing cells."""
    rng = np.random.default_rng(seed)
    one = rng.multivariate_normal([0, 0, 0], [[1, 0.8, 0.2], [0.8, 1, 0.1], [0.2, 0.1, 1]], n)
    x = np.concatenate([one, rng.multivariate_normal([4, -2, 2], np.eye(3), n // 2)])
    lacking = x.copy()
    lacking[rng.random(x.shape) < share] = np.nan
    lacking[0] = np.nan
    return x, lacking


@pytest.mark.parametrize("name", STRUCTURES)
def test_no_step_lowers_the_likelihood(name):
    _, x = clusters()
    start = {"means_init": [[0.5, 0.5, 0.5], [3.0, -1.0, 1.0]], "weights_init": [0.5, 0.5]}
    mixture = GaussianMixture(2, covariance_type=name, reg_covar=0.0, tol=1e-7, random_state=0, **start).fit(
        x
    )
    steps = np.diff(mixture.lower_bounds_)
    assert len(steps) > 3
    assert steps.min() > -1e-11  # rounding
    assert mixture.score(x) == pytest.approx(mixture.lower_bound_, rel=1e-10)


@pytest.mark.parametrize("name", ["full", "VEE"])
def test_nothing_changes_for_complete_rows(name):
    """The same blocks and the same digits, whether cells could be missing or not."""
    x, _ = clusters()
    model, covariance, _ = structured(name)
    gaussian = Gaussian(MEANS, covariance, model)
    resp = np.random.default_rng(0).dirichlet(np.ones(3), len(x)).T
    found = [
        (gaussian.log_prob(block), gaussian.expected_statistics(block, resp)["sum_xx"])
        for block in (gaussian.encode(x.T, Encoding(3, missing=missing)) for missing in (False, True))
    ]
    for one, other in zip(*found, strict=True):
        assert_array_equal(one, other)


def test_em_is_that_of_loops():
    _, x = clusters(40)
    weights, means, matrices = (
        np.array([0.4, 0.6]),
        np.array([[0.5, 0, 0], [3, -1, 1.0]]),
        np.stack([np.eye(3)] * 2),
    )
    mixture = GaussianMixture(
        2,
        weights_init=weights,
        means_init=means,
        precisions_init=matrices,
        reg_covar=0.0,
        tol=0.0,
        max_iter=6,
    )
    with pytest.warns(UserWarning, match="max_iter"):
        mixture.fit(x)
    weights, means, matrices, history = oracle.gaussian_em(x, weights, means, matrices, 6)
    assert_allclose(mixture.lower_bounds_, np.array(history[1:]) / len(x), rtol=1e-10)
    assert_allclose(mixture.means_, means, atol=1e-8)
    assert_allclose(mixture.covariances_, matrices, atol=1e-8)


def test_a_monotone_pattern_has_a_closed_form():
    """Two columns, the second seen in some rows: regression on complete rows, moments of all rows (Anderson 1957)."""
    rng = np.random.default_rng(4)
    x = rng.multivariate_normal([1.0, -2.0], [[2.0, 1.2], [1.2, 1.5]], 200)
    x[120:, 1] = np.nan
    first, (seen, answer) = x[:, 0], x[:120].T
    slope = np.cov(seen, answer, bias=True)[0, 1] / seen.var()
    rest = np.mean((answer - answer.mean() - slope * (seen - seen.mean())) ** 2)
    mean = np.array([first.mean(), answer.mean() + slope * (first.mean() - seen.mean())])
    across = slope * first.var()
    covariance = np.array([[first.var(), across], [across, rest + slope**2 * first.var()]])
    mixture = GaussianMixture(1, reg_covar=0.0, tol=1e-13).fit(x)
    assert_allclose(mixture.means_[0], mean, atol=1e-5)
    assert_allclose(mixture.covariances_[0], covariance, atol=1e-5)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "VEI", "EVE"])
def test_the_end_is_a_maximum_of_the_observed_likelihood(name):
    """A quasi-Newton search over all coordinates, from where EM ended, finds nothing better, and from aside comes back."""
    _, x = clusters(60)
    mixture = GaussianMixture(2, covariance_type=name, reg_covar=0.0, tol=1e-9, random_state=0).fit(x)
    origin, model = np.nanmean(x, axis=0), STRUCTURES[name]()
    covariance = mixture.covariances_ if name in COVARIANCES else model.from_matrices(mixture.covariances_)
    fitted = LatentMixture(
        Gaussian(mixture.means_ - origin, covariance, model),
        Independent(np.log(mixture.weights_)),
        Encoding(3, origin=origin, missing=True),
    )
    batch = Batch(np.ascontiguousarray((x - origin).T), np.ones(len(x)))

    def loss(vector):
        return -fitted.from_coordinates(vector).summarize(batch, {}).log_evidence

    aside = fitted.coordinates() + 0.05 * np.random.default_rng(0).normal(size=len(fitted.coordinates()))
    found = minimize(loss, aside, method="BFGS", options={"gtol": 1e-4})
    assert -loss(fitted.coordinates()) == pytest.approx(mixture.lower_bound_ * len(x), rel=1e-9)
    # tol bounds what is left to gain per row; the search itself ends within 1e-5.
    assert found.fun == pytest.approx(loss(fitted.coordinates()), abs=1e-4)


@pytest.mark.parametrize("name", ["full", "tied", "spherical"])
def test_far_from_the_origin_nothing_is_lost(name):
    x, lacking = clusters()
    start = {"weights_init": [0.5, 0.5], "means_init": np.array([[0.5, 0.5, 0.5], [3.0, -1.0, 1.0]])}
    fit = partial(GaussianMixture, 2, covariance_type=name, tol=1e-8)
    near = fit(**start).fit(lacking)
    start["means_init"] = start["means_init"] + 1e8
    far = fit(**start).fit(lacking + 1e8)
    assert_allclose(far.means_ - 1e8, near.means_, atol=1e-4)  # rows near 1e8 are known to 1.5e-8
    assert_allclose(far.covariances_, near.covariances_, atol=1e-4)
    # Clusters far apart in units of their spread: the conditioning guard.
    apart = np.where(np.arange(len(x))[:, None] < 300, lacking, lacking + 1e8)
    split = fit(random_state=0).fit(apart)
    order = np.argsort(split.means_[:, 0])
    assert_allclose(split.weights_[order], [2 / 3, 1 / 3], atol=0.01)
    assert_allclose(split.means_[order[0]], np.nanmean(lacking[:300], axis=0), atol=0.1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_are_repeated_rows(dtype):
    _, x = clusters(80)
    weight = np.random.default_rng(0).integers(0, 3, len(x))
    start = {
        "weights_init": [0.5, 0.5],
        "means_init": [[0.5, 0.5, 0.5], [3.0, -1.0, 1.0]],
        "precisions_init": [np.eye(3)] * 2,
    }
    one = GaussianMixture(2, dtype=dtype, tol=1e-6, **start).fit(x, sample_weight=weight)
    other = GaussianMixture(2, dtype=dtype, tol=1e-6, **start).fit(np.repeat(x, weight, axis=0))
    assert_allclose(one.means_, other.means_, atol=1e-6 if dtype == "float64" else 1e-2)


def test_threads_find_the_same():
    _, x = clusters(4000)
    start = {"weights_init": [0.5, 0.5], "means_init": [[0.5, 0.5, 0.5], [3.0, -1.0, 1.0]], "tol": 1e-7}
    one, other = (
        GaussianMixture(2, executor=executor, **start).fit(x) for executor in (Serial(), Threads(3))
    )
    assert_array_equal(one.means_, other.means_)  # batches are added in their order
    assert_array_equal(one.covariances_, other.covariances_)


def test_predictions_of_rows_with_missing_cells():
    _, x = clusters()
    mixture = GaussianMixture(2, random_state=0).fit(x)
    assert_allclose(mixture.predict_proba(x)[0], mixture.weights_)  # nothing seen
    assert_allclose(mixture.score_samples(x)[0], 0.0, atol=1e-12)
    expected = oracle.scores(x, mixture.means_, mixture.covariances_) + np.log(mixture.weights_)[:, None]
    assert_allclose(mixture.score_samples(x), np.logaddexp(*expected), atol=1e-9)
    assert_array_equal(mixture.predict(x), expected.argmax(axis=0))


def test_imputed_cells_are_conditional_means():
    whole, x = clusters()
    mixture = GaussianMixture(2, random_state=0).fit(x)
    filled, gaps, resp = mixture.impute(x), np.isnan(x), mixture.predict_proba(x)
    assert_array_equal(filled[~gaps], x[~gaps])
    laws = zip(mixture.means_, mixture.covariances_, strict=True)
    expected = np.einsum(
        "nk,knd->nd", resp, [[oracle.conditional(row, *law)[0] for row in x] for law in laws]
    )
    assert_allclose(filled, expected, atol=1e-8)
    assert_allclose(filled[0], mixture.weights_ @ mixture.means_)
    means = np.where(gaps, np.nanmean(x, axis=0), x)
    assert np.mean((filled - whole)[gaps] ** 2) < 0.5 * np.mean((means - whole)[gaps] ** 2)
    assert_array_equal(mixture.impute(whole), whole)
    assert np.isnan(x).any()  # the rows given are not changed


def test_sweeps_take_missing_cells():
    _, x = clusters(100)
    chosen = select(
        GaussianMixture(random_state=0), x, n_components=[1, 2, 3], covariance_type=["full", "diag"]
    )
    assert chosen.chosen["n_components"] == 2
    assert chosen.chosen["covariance_type"] == "full"


# --- bad input ----------------------------------------------------------------------------------------------------
def test_a_column_without_values_is_named():
    _, x = clusters(20)
    x[:, 1] = np.nan
    with pytest.raises(InvalidDataError, match=r"column 1 is missing \(NaN\) in every row"):
        GaussianMixture(2).fit(x)
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InvalidDataError, match="column height"):
        GaussianMixture(2).fit(pandas.DataFrame(x, columns=["width", "height", "depth"]))


def test_infinity_is_refused():
    _, x = clusters(20)
    x[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        GaussianMixture(2).fit(x)
    mixture = GaussianMixture(2, random_state=0).fit(clusters(20)[1])
    with pytest.raises(ValueError, match="infinity"):
        mixture.predict(x)


def test_a_column_seen_only_in_rows_of_weight_zero_is_named():
    _, x = clusters(20)
    x[1:, 2] = np.nan
    x[0] = 1.0
    weight = np.ones(len(x))
    weight[0] = 0.0
    with pytest.raises(InvalidDataError, match="Column 2"):
        GaussianMixture(2).fit(x, sample_weight=weight)


def test_a_tree_of_segments_wants_complete_rows():
    whole, x = clusters(40)
    mixture = GaussianMixture(2, random_state=0).fit(x)
    with pytest.raises(InvalidDataError, match="Row 0, column 0 is missing"):
        SegmentTree(mixture).fit(x)
    assert len(np.unique(SegmentTree(mixture).fit(mixture.impute(x)).predict(whole, 2))) == 2
