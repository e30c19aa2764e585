"""Levels of a tree: how many clusters, what parts two of them, and mixtures that start from a level."""

import math
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from mixtura import (
    DirichletMultinomialMixture,
    GaussianMixture,
    GroupedMultinomialMixture,
    Mixture,
    MultinomialMixture,
    SegmentTree,
    exceptions,
)
from mixtura.components import Gaussian
from mixtura.selection.levels import bend


def bananas():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 800)
    crescent = np.arange(800) % 2
    X = np.column_stack([np.cos(angle), np.sin(angle)])
    X[crescent == 1] = [1.0, 0.4] - X[crescent == 1]
    return X + rng.normal(scale=0.08, size=X.shape), crescent


def plane():
    rng = np.random.default_rng(1)
    return np.concatenate([rng.normal(c, 0.8, (60, 2)) for c in ((0, 0), (1, 1), (6, 0), (6, 7))])


def baskets(n=150):
    rng = np.random.default_rng(0)
    profiles = rng.dirichlet(np.full(6, 0.5), 4)
    kind = rng.integers(0, 4, n)
    return np.array([rng.multinomial(5 + k, profiles[k]) for k in kind]).astype(float)


@pytest.fixture(scope="module")
def two_bananas():
    X, crescent = bananas()
    mixture = GaussianMixture(6, random_state=0).fit(X)
    return X, crescent, SegmentTree(mixture, "entropy").fit(X)


def best_lines(values):
    """The bend by loops: all places, lines by least squares."""
    n, found = len(values), []
    for at in range(2, n):
        total = 0.0
        for part in (range(1, at + 1), range(at, n + 1)):
            xs, ys = list(part), [values[i - 1] for i in part]
            mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
            slope = sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True)) / sum(
                (x - mx) ** 2 for x in xs
            )
            total += sum((y - my - slope * (x - mx)) ** 2 for x, y in zip(xs, ys, strict=True))
        found.append((round(total, 12), at))
    return min(found)[1]


def test_the_bend_is_where_two_lines_leave_least():
    rng = np.random.default_rng(0)
    for n in (3, 5, 9, 14):
        values = np.cumsum(rng.exponential(size=n))
        assert bend(values) == best_lines(values.tolist())
    with pytest.raises(exceptions.InvalidParameterError, match=r"There are 2 levels; expected at least 3"):
        bend(np.array([0.0, 1.0]))


def test_two_bananas_are_two_clusters_of_six_components(two_bananas):
    X, crescent, tree = two_bananas
    assert tree.choose() == 2
    agreement = np.mean(tree.predict(X, tree.choose()) == crescent)
    assert max(agreement, 1 - agreement) > 0.97
    with pytest.raises(exceptions.InvalidParameterError, match=r"rule is 'entropie'.*Did you mean 'entropy'"):
        tree.choose("entropie")


def test_criteria_of_a_level_are_those_of_its_bound():
    X = plane()
    tree = SegmentTree(GaussianMixture(6, random_state=0).fit(X)).fit(X)
    for level in tree.levels_:
        merged = tree.cut(level.n).estimator
        assert level.n_parameters == merged.n_parameters() == 6 * level.n - 1
        assert level.bic == pytest.approx(-2 * level.bound + level.n_parameters * math.log(len(X)))
        assert level.icl == pytest.approx(level.bic + 2 * level.entropy)
        assert (
            level.bic >= merged.bic(X) - 1e-3
        )  # a bound is not above the likelihood; the fit adds 1e-6 to variances
    assert tree.choose("bic") == min(tree.levels_, key=lambda level: level.bic).n == 3
    assert tree.choose("icl") == min(tree.levels_, key=lambda level: level.icl).n
    frame = tree.to_frame()
    assert frame["n"].tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(frame["loss"], [*tree.losses_[::-1], 0.0])
    np.testing.assert_allclose(frame["bound"], tree.bounds_)
    again = tree.fit(X[:200])
    assert again.levels_[0].bound == tree.bounds_[0]


def test_what_parts_two_clusters():
    X = plane()
    tree = SegmentTree(GaussianMixture(4, random_state=0).fit(X)).fit(X)
    for n in (2, 3, 4):
        found = {(one.parameter, one.feature): one for one in tree.explain_split(n, 99)}
        finer, coarser = tree.cut(n), tree.cut(n - 1)
        parents = [coarser.labels[finer.labels == k][0] for k in range(n)]
        pair = [k for k in range(n) if parents.count(parents[k]) == 2]
        means = finer.estimator.means_[pair]
        for column in (0, 1):
            one = found["mean", f"x{column}"]
            np.testing.assert_allclose([one.first, one.second], means[:, column], rtol=1e-9)
            spread = np.sqrt(
                np.average(
                    (
                        tree.estimator.means_[:, column]
                        - np.average(tree.estimator.means_[:, column], weights=tree.weights_)
                    )
                    ** 2,
                    weights=tree.weights_,
                )
            )
            # The tree's leaves are the fit one step on.
            assert one.apart == pytest.approx((one.first - one.second) / spread, rel=1e-3)
    assert len(tree.explain_split(2)) == 2
    assert len(tree.explain_split(2, 1)) == 1


# --- starts -----------------------------------------------------------------------------------------------------------
def begun(mixture, X, **given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        return clone(mixture).set_params(max_iter=0).fit(X, **given)


@pytest.mark.parametrize("n_components", [1, 2, 3, 4])
def test_a_gaussian_mixture_starts_from_the_cut(n_components):
    X = plane()
    tree = SegmentTree(GaussianMixture(4, random_state=0).fit(X)).fit(X)
    merged = tree.cut(n_components).estimator
    mixture = GaussianMixture(n_components, init_params=tree)
    np.testing.assert_allclose(begun(mixture, X).means_, merged.means_, rtol=1e-9)
    np.testing.assert_allclose(begun(mixture, X).covariances_, merged.covariances_, rtol=1e-7)
    fitted = mixture.fit(X)
    assert fitted.score(X) >= merged.score(X) - 1e-9
    assert fitted.score(X) * len(X) >= tree.bounds_[n_components - 1] - 1e-6
    assert clone(mixture).init_params is tree
    general = Mixture(Gaussian(), n_components, init_params=tree).fit(X)  # another class, other settings
    assert general.score(X) >= merged.score(X) - 1e-3


def test_mixtures_of_counts_start_from_the_cut():
    X = baskets()
    plain = MultinomialMixture(4, random_state=0, init_params="random", pseudo_count=0.0).fit(X)
    tree = SegmentTree(plain).fit(X)
    merged = tree.cut(2).estimator
    further = MultinomialMixture(2, init_params=tree, pseudo_count=0.0).fit(X)
    assert further.score(X) >= merged.score(X) - 1e-9
    over = DirichletMultinomialMixture(2, init_params=tree).fit(X)
    assert over.score(X) > merged.score(X)
    groups = np.arange(150) % 15
    grouped = GroupedMultinomialMixture(4, random_state=0, init_params="random", concentration=5.0)
    by_group = SegmentTree(grouped.fit(X, groups=groups)).fit(X, groups=groups)
    found = GroupedMultinomialMixture(2, init_params=by_group, concentration=5.0).fit(X, groups=groups)
    share = np.array(sorted(by_group.cut(2).weights))
    np.testing.assert_allclose(sorted(found.weights_), share, atol=0.1)


def test_wrong_trees_say_what_to_do():
    X = plane()
    tree = SegmentTree(GaussianMixture(3, random_state=0).fit(X)).fit(X)
    with pytest.raises(exceptions.InvalidParameterError, match=r"n_components is 4.*tree of 3 components"):
        GaussianMixture(4, init_params=tree).fit(X)
    with pytest.raises(exceptions.InvalidParameterError, match=r"rows have 1 columns.*tree over 2"):
        GaussianMixture(2, init_params=tree).fit(X[:, :1])
    with pytest.raises(exceptions.InvalidParameterError, match=r"init_params is 'tree'"):
        GaussianMixture(2, init_params="tree").fit(X)
