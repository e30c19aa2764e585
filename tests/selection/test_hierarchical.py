"""Hierarchies of rows: heights of the definitions, cuts that nest, starts of mixtures, bad input."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import pdist, squareform
from sklearn.base import clone

import oracles_hierarchical as oracle
from mixtura import (
    BayesianGaussianMixture,
    GaussianMixture,
    GroupedMultinomialMixture,
    Mixture,
    MultinomialMixture,
    exceptions,
)
from mixtura.families import Poisson
from mixtura.models.hmm import HMM
from mixtura.selection.hierarchy import LINKAGES, hierarchical

POINTS = [0.0, 1.0, 3.5, 8.0, 14.0]
HEIGHTS = {
    "single": [1, 2.5, 4.5, 6],
    "complete": [1, 3.5, 6, 14],
    "average": [1, 3, 6, 9.5],
    "ward": [1, 3.46410162, 6, 14.71733672],
}
KINDS = ["single", "complete", "average", "weighted", "centroid", "median", "ward"]
# Sums of some tens of squares in another order.
CLOSE = {"rtol": 1e-10}


def cloud(n=18, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3)) * [1.0, 2.0, 0.5]


def blobs(seed=0, n=40):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(centre, 1.0, (n, 2)) for centre in ((0, 0), (6, 1), (2, 7))])


def members(hierarchy):
    found = [[row] for row in range(len(hierarchy.rows))]
    for one, other in hierarchy.children:
        found.append(sorted(found[one] + found[other]))
    return found[len(hierarchy.rows) :]


def groups(labels):
    return sorted(np.flatnonzero(labels == k).tolist() for k in range(labels.max() + 1))


@pytest.mark.parametrize("linkage", HEIGHTS)
def test_heights_of_the_lecture(linkage):
    # Eight decimals are what was printed.
    np.testing.assert_allclose(hierarchical(POINTS, linkage=linkage).heights, HEIGHTS[linkage], atol=5e-9)


@pytest.mark.parametrize("linkage", KINDS)
def test_merges_are_those_of_the_definitions(linkage):
    X = cloud()
    hierarchy, merges = hierarchical(X, linkage=linkage), oracle.agglomerate(X.tolist(), linkage)
    assert members(hierarchy) == [joined for joined, _ in merges]
    np.testing.assert_allclose(hierarchy.heights, [height for _, height in merges], **CLOSE)
    assert hierarchy.cophenetic_correlation == pytest.approx(
        oracle.cophenetic_correlation(X.tolist(), merges), rel=1e-9
    )
    for n_clusters in (1, 2, 5, 18):
        found = hierarchy.cut(n_clusters)
        assert groups(found.labels) == oracle.cut(len(X), merges, n_clusters)


@pytest.mark.parametrize("metric", ["cityblock", "chebyshev", "cosine", "canberra"])
def test_metrics_by_name_by_function_and_by_table(metric):
    X = np.abs(cloud()) + 0.1

    def distance(a, b):
        return float(pdist([a, b], metric)[0])

    merges = oracle.agglomerate(X.tolist(), "average", distance)
    for given, named in ((X, metric), (X, distance), (pdist(X, metric), "precomputed")):
        hierarchy = hierarchical(given, linkage="average", metric=named)
        assert members(hierarchy) == [joined for joined, _ in merges]
        np.testing.assert_allclose(hierarchy.heights, [height for _, height in merges], **CLOSE)
    square = hierarchical(squareform(pdist(X, metric)), linkage="average", metric="precomputed")
    np.testing.assert_array_equal(square.merges, hierarchy.merges)
    assert square.cophenetic_correlation == pytest.approx(hierarchy.cophenetic_correlation, rel=1e-12)


def test_the_square_of_ward_is_twice_the_rise_of_the_sum_of_squares():
    X = cloud()
    hierarchy = hierarchical(X)

    def within(labels):
        return sum(
            float(((X[labels == k] - X[labels == k].mean(axis=0)) ** 2).sum())
            for k in range(labels.max() + 1)
        )

    rises = [
        within(hierarchy.cut(n - 1).labels) - within(hierarchy.cut(n).labels) for n in range(len(X), 1, -1)
    ]
    np.testing.assert_allclose(hierarchy.heights**2 / 2, rises, rtol=1e-8)


def test_names_of_r_mean_the_same_heights():
    X = cloud()
    for name, ours in (("ward.D2", "ward"), ("mcquitty", "weighted")):
        found = hierarchical(X, linkage=name)
        np.testing.assert_array_equal(found.merges, hierarchical(X, linkage=ours).merges)
        assert found.linkage == ours
    assert set(KINDS) < set(LINKAGES)
    with pytest.raises(exceptions.InvalidParameterError, match=r"'ward.D'.*squared.*expected 'ward'"):
        hierarchical(X, linkage="ward.D")


def test_cuts_by_height_and_by_number_agree_and_nest():
    hierarchy = hierarchical(blobs(), linkage="average")
    previous = hierarchy.cut(6)
    for n in (5, 4, 3, 2, 1):
        found = hierarchy.cut(n)
        assert found.n == n
        assert len(set(zip(previous.labels.tolist(), found.labels.tolist(), strict=True))) == n + 1
        assert (np.diff(found.sizes) <= 0).all()
        np.testing.assert_array_equal(found.sizes, np.bincount(found.labels))
        low, high = found.between
        for height in (low, 0.5 * (low + min(high, low + 1.0))):
            np.testing.assert_array_equal(hierarchy.cut(height=height).labels, found.labels)
        previous = found
    assert hierarchy.cut(height=0.0).n == len(hierarchy.rows)
    assert hierarchy.cut(1).between[1] == np.inf


def test_equal_rows_are_joined_at_height_zero():
    X = np.repeat([[0.0, 0.0], [1.0, 1.0]], 3, axis=0)
    hierarchy = hierarchical(X)
    np.testing.assert_array_equal(hierarchy.heights[:4], 0.0)
    assert hierarchy.cut(height=0.0).n == 2
    assert np.isnan(hierarchical(np.ones((4, 2))).cophenetic_correlation)


def test_units_and_order_of_the_rows():
    X = cloud()
    hierarchy, times = hierarchical(X), hierarchical(10.0 * X)
    np.testing.assert_allclose(times.heights, 10.0 * hierarchy.heights, **CLOSE)
    order = np.random.default_rng(1).permutation(len(X))
    turned = hierarchical(X[order])
    assert groups(turned.cut(4).labels[np.argsort(order)]) == groups(hierarchy.cut(4).labels)


def test_a_sample_labels_all_rows_by_their_nearest():
    X = blobs()
    hierarchy = hierarchical(X, sample=30, random_state=3)
    assert hierarchy.merges.shape == (29, 4)
    assert (np.diff(hierarchy.rows) > 0).all()
    found = hierarchy.cut(3)
    assert found.labels.shape == (120,)
    joined = X[hierarchy.rows]
    for n in range(len(X)):
        nearest = min(range(30), key=lambda leaf, n=n: oracle.euclidean(X[n], joined[leaf]))
        assert found.labels[n] == found.labels[hierarchy.rows[nearest]]
    np.testing.assert_array_equal(found.sizes, [40, 40, 40])
    np.testing.assert_array_equal(hierarchy.predict(X, 3), found.labels)
    table = hierarchical(pdist(X), metric="precomputed", sample=30, random_state=3)
    np.testing.assert_array_equal(table.cut(3).labels, found.labels)
    assert repr(hierarchy).startswith("Hierarchy(30 of 120 rows")
    assert hierarchical(X, sample=500).n_samples == len(hierarchical(X, sample=500).rows)


@pytest.mark.parametrize("metric", ["euclidean", "seuclidean", "mahalanobis", "cityblock"])
def test_new_rows_are_measured_as_the_joined_ones(metric):
    X = blobs() * [1.0, 100.0]
    hierarchy = hierarchical(X, linkage="average", metric=metric)
    np.testing.assert_array_equal(hierarchy.predict(X, 4), hierarchy.cut(4).labels)
    np.testing.assert_array_equal(hierarchy.predict(sp.csr_matrix(X), 4), hierarchy.cut(4).labels)
    np.testing.assert_array_equal(
        hierarchical(sp.csr_matrix(X), linkage="average", metric=metric).merges, hierarchy.merges
    )


def test_tables_and_names():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"x": POINTS}, index=["a", "b", "c", "d", "e"])
    frame = hierarchical(X, linkage="average").to_frame()
    assert frame.columns.tolist() == ["merge", "left", "right", "height", "rows", "clusters"]
    assert frame["left"].tolist() == ["a", "c", "d", "merge 1"]
    assert frame["right"].tolist() == ["b", "merge 0", "e", "merge 2"]
    assert frame["rows"].tolist() == [2, 3, 2, 5]
    assert frame["clusters"].tolist() == [4, 3, 2, 1]
    assert hierarchical(POINTS).names[1] == "row 1"
    assert hierarchical(X.reset_index(drop=True)).names[1] == "row 1"
    assert hierarchical(POINTS, names=[10, 20, 30, 40, 50]).names[1] == "20"
    with pytest.raises(exceptions.InvalidParameterError, match=r"names holds 2 names; expected 5"):
        hierarchical(POINTS, names=["a", "b"])


def test_pictures_of_any_size():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    ax = hierarchical(POINTS, names="abcde").plot_dendrogram(cut=2)
    assert sorted(label.get_text() for label in ax.get_yticklabels()) == list("abcde")
    assert ax.get_xlabel() == "Distance of the groups joined (ward linkage)"
    large = hierarchical(blobs())
    ax = large.plot_dendrogram(cut=3, leaves=6)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(labels) == 6
    sizes = [int(text.split(" + ")[1].split()[0]) + 1 if " + " in text else 1 for text in labels]
    assert sum(sizes) == 120
    assert any(text.get_text() == "3 groups" for text in ax.texts)
    falling = hierarchical([[0.0, 0.0], [2.0, 0.0], [1.0, 1.8]], linkage="centroid")
    assert not falling.monotonic
    assert not falling.plot_dendrogram(cut=2).texts  # no height parts the merges made from the others
    for options in ({"leaves": 1}, {"leaves": 2, "cut": 3}, {"leaves": True}):
        with pytest.raises(exceptions.InvalidParameterError, match=r"leaves: found .*at least"):
            large.plot_dendrogram(**options)
    with pytest.raises(exceptions.InvalidParameterError, match=r"names: found 1, expected 120"):
        large.plot_dendrogram(names=["a"])
    plt.close("all")


# --- mixtures that start from it --------------------------------------------------------------------------------------
def start_of(mixture, X, **given):
    """The mixture before its first step."""
    with pytest.warns(exceptions.ConvergenceWarning):
        return mixture.set_params(max_iter=0).fit(X, **given)


def test_a_gaussian_mixture_starts_with_the_moments_of_the_groups():
    X = blobs()
    hierarchy = hierarchical(X)
    found = start_of(GaussianMixture(3, init_params=hierarchy), X)
    labels = hierarchy.cut(3).labels
    for k in range(3):
        rows = X[labels == k]
        np.testing.assert_allclose(found.means_[k], rows.mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(found.covariances_[k], np.cov(rows.T, bias=True) + 1e-6 * np.eye(2))
        assert found.weights_[k] == pytest.approx(len(rows) / len(X))
    fitted = GaussianMixture(3, init_params=hierarchy).fit(X)
    assert fitted.starts_[0].name == "given"
    assert fitted.score(X) > found.score(X)
    assert clone(fitted).init_params is hierarchy


def test_other_rows_go_with_their_nearest():
    X = blobs()
    hierarchy = hierarchical(X[::2])
    found = start_of(GaussianMixture(3, init_params=hierarchy), X)
    labels = hierarchy.predict(X, 3)
    np.testing.assert_allclose(found.means_, [X[labels == k].mean(axis=0) for k in range(3)], rtol=1e-10)
    scaled = hierarchical((X - X.mean(axis=0)) / X.std(axis=0))  # other columns, the same rows in their order
    again = start_of(GaussianMixture(3, init_params=scaled), X)
    own = scaled.cut(3).labels
    np.testing.assert_allclose(again.means_, [X[own == k].mean(axis=0) for k in range(3)], rtol=1e-10)
    with pytest.raises(exceptions.InvalidDataError, match=r"rows have 1 columns; expected 2"):
        GaussianMixture(3, init_params=hierarchy).fit(X[:, :1])
    with pytest.raises(exceptions.InvalidDataError, match=r"distances of 120 rows and has no columns"):
        GaussianMixture(3, init_params=hierarchical(pdist(X), metric="precomputed")).fit(X[:50])
    with pytest.raises(exceptions.InvalidParameterError, match=r"n_components is 200.*hierarchy of 120"):
        GaussianMixture(200, init_params=scaled).fit(np.tile(X, (2, 1)))


def test_counts_start_soft_so_that_no_category_is_lost():
    X = np.kron(np.eye(3), np.ones((10, 2))) * np.random.default_rng(0).integers(1, 5, (30, 6))
    hierarchy = hierarchical(np.sqrt(X / X.sum(axis=1, keepdims=True)))
    mixture = MultinomialMixture(3, init_params=hierarchy, pseudo_count=0.0)
    assert (start_of(mixture, X).profiles_ > 0).all()


def test_rows_that_are_brought_together_keep_their_groups():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 60)
    X = rng.multinomial(20, np.eye(3) * 0.4 + 0.2, size=(60, 3))[np.arange(60), kind].astype(float)
    names = rng.integers(0, 12, 60)
    hierarchy = hierarchical(np.eye(3)[kind])  # of other columns than the mixture's
    mixture = GroupedMultinomialMixture(3, concentration=5.0, init_params=hierarchy, pseudo_count=0.0)
    found = start_of(mixture, X, groups=names)
    labels = hierarchy.cut(3).labels
    shares = np.array([X[labels == k].sum(axis=0) for k in range(3)])
    soft = 0.9 * shares + 0.1 / 3 * X.sum(axis=0)
    np.testing.assert_allclose(found.profiles_, soft / soft.sum(axis=1, keepdims=True), rtol=1e-9)
    hmm = start_of(HMM(Poisson(), 3, init_params=hierarchy), X, groups=names)
    means = soft / (0.9 * np.bincount(labels) + 0.1 / 3 * len(X))[:, None]
    np.testing.assert_allclose(np.sort(hmm.components_.mean, axis=0), np.sort(means, axis=0), rtol=1e-9)


def test_every_kind_of_model_takes_it():
    X = blobs()
    hierarchy = hierarchical(X)
    truth = hierarchy.cut(3).labels
    for model in (
        Mixture(n_components=3, init_params=hierarchy),
        BayesianGaussianMixture(3, init_params=hierarchy, random_state=0),
        HMM(n_components=3, init_params=hierarchy),
    ):
        found = model.fit(X).predict_proba(X).argmax(axis=1)
        # A chain puts its states into an order of its own.
        matches = [(truth[found == k] == np.bincount(truth[found == k]).argmax()).sum() for k in range(3)]
        assert sum(matches) / len(X) > 0.95
    known = np.full(len(X), -1)
    known[truth == 0] = 2
    named = Mixture(n_components=3, init_params=hierarchy).fit(X, labels=known)
    assert (named.predict(X)[truth == 0] == 2).mean() > 0.95


# --- bad input --------------------------------------------------------------------------------------------------------
def test_missing_cells_say_where():
    X = cloud()
    X[4, 2] = np.nan
    with pytest.raises(exceptions.InvalidDataError, match=r"Row 4, column 2 is missing.*impute.*precomputed"):
        hierarchical(X)
    X[4, 2] = np.inf
    with pytest.raises(exceptions.InvalidDataError, match=r"Row 4, column 2 is inf"):
        hierarchical(X)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.nan]})
    with pytest.raises(exceptions.InvalidDataError, match=r"Row 1, column 1 \('b'\)"):
        hierarchical(frame)


def test_too_much_memory_is_refused_with_a_sample_that_fits():
    X = np.zeros((40_000, 1))
    with pytest.raises(exceptions.InvalidDataError, match=r"799,980,000 distances.*12.8 GB.*sample=22000"):
        hierarchical(X)
    with pytest.raises(exceptions.InvalidDataError, match=r"6.4 GB with linkage='single'"):
        hierarchical(X, linkage="single")
    assert len(hierarchical(X, sample=50, random_state=0).rows) == 50
    with pytest.raises(exceptions.InvalidDataError, match=r"memory_limit=1e-09"):
        hierarchical(POINTS, memory_limit=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"linkage": "avrage"}, r"linkage is 'avrage'.*Did you mean 'average'"),
        ({"metric": "euclidian"}, r"metric is 'euclidian'.*Did you mean 'euclidean'"),
        ({"metric": "cityblock"}, r"'ward' measures from means.*found metric='cityblock'"),
        ({"linkage": "centroid", "metric": max}, r"'centroid' measures from means"),
        ({"sample": 1}, r"sample is 1; expected a whole number of at least 2"),
        ({"sample": 2.5}, r"sample is 2.5"),
    ],
)
def test_wrong_settings_say_what_to_do(options, message):
    with pytest.raises(exceptions.InvalidParameterError, match=message):
        hierarchical(POINTS, **options)


def test_wrong_cuts_say_what_to_do():
    hierarchy = hierarchical(POINTS)
    for arguments in ({}, {"n_clusters": 2, "height": 1.0}):
        with pytest.raises(exceptions.InvalidParameterError, match=r"expected one of the two"):
            hierarchy.cut(**arguments)
    for n_clusters in (0, 6, 2.0, True):
        with pytest.raises(exceptions.InvalidParameterError, match=r"whole number from 1 to 5"):
            hierarchy.cut(n_clusters)
    for height in (-1.0, np.nan, "high", True):
        with pytest.raises(exceptions.InvalidParameterError, match=r"height is .*at least 0"):
            hierarchy.cut(height=height)
    falling = hierarchical([[0.0, 0.0], [2.0, 0.0], [1.0, 1.8]], linkage="centroid")
    with pytest.raises(
        exceptions.InvalidParameterError, match=r"Merge 1 lies at 1.8, below merge 0 at 2.*n_clusters"
    ):
        falling.cut(height=1.9)
    assert falling.cut(2).sizes.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], r"shape \(3, 2\); expected a square one"),
        ([[0.0, 1.0], [2.0, 0.0]], r"rows 0 and 1 is 1.0; expected the same as the other way round"),
        ([[0.0, -1.0], [-1.0, 0.0]], r"rows 0 and 1 is -1.0; expected a number of at least 0"),
        ([[0.0, 1.0], [1.0, 0.5]], r"rows 1 and 1 is 0.5; expected 0"),
        ([[0.0, np.nan], [np.nan, 0.0]], r"rows 0 and 1 is nan"),
        ([[0.0, np.inf], [np.inf, 0.0]], r"rows 0 and 1 is inf; expected a finite number"),
        ([1.0, 2.0, 3.0, 4.0], r"condensed distances are 4; expected n \(n - 1\) / 2"),
        ([1.0, np.nan, 3.0], r"rows 0 and 2 is nan"),
        ([1.0, 2.0, np.inf], r"rows 1 and 2 is inf"),
        ([["a", "b"], ["c", "d"]], r"no table of numbers"),
    ],
)
def test_tables_of_distances_are_checked(table, message):
    with pytest.raises(exceptions.InvalidDataError, match=message):
        hierarchical(table, linkage="average", metric="precomputed")


@pytest.mark.parametrize(
    ("X", "metric", "message"),
    [
        ([[1.0, 2.0]], "euclidean", r"There is 1 row; expected at least 2"),
        (np.zeros((3, 0)), "euclidean", r"shape \(3, 0\)"),
        (np.zeros((3, 2, 2)), "euclidean", r"shape \(3, 2, 2\)"),
        ([["a"], ["b"]], "euclidean", r"X holds what is no table of numbers"),
        ([[1.0, 1.0], [0.0, 0.0], [1.0, 2.0]], "cosine", r"rows 0 and 1 is nan.*metric='cosine'"),
        ([[1.0, 1.0], [2.0, 1.0]], "seuclidean", r"Column 1 is constant"),
        ([[1.0, 1.0], [2.0, 2.0], [5.0, 5.0]], "mahalanobis", r"covariance of the 2 columns.*singular"),
    ],
)
def test_rows_without_distances_say_why(X, metric, message):
    with warnings.catch_warnings(), pytest.raises(exceptions.InvalidDataError, match=message):
        hierarchical(X, linkage="average", metric=metric)
