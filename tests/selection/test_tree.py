"""A tree of components: its losses are the exact changes of the bound, its cuts nest, its predictions are sums."""

import json
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.cluster import hierarchy
from sklearn.exceptions import NotFittedError

import naive
from mixtura import GaussianMixture, GroupedMultinomialMixture, Mixture, MultinomialMixture, exceptions, load
from mixtura.components import Gaussian, Tied
from mixtura.executors import Serial, Threads
from mixtura.families import Normal
from mixtura.selection.clusters import Divergence
from mixtura.selection.tree import SegmentTree

KINDS = ["full", "tied", "diag", "spherical"]
# Sums of some hundred terms in double precision, and responsibilities below 1e-10 that the tree leaves out.
CLOSE = {"rtol": 1e-9, "atol": 1e-6}


def plane(seed=0, n=20):
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [1.5, 0.5], [5.0, 5.0], [6.0, 3.5]])
    return np.concatenate([rng.normal(c, [1.0, 0.7], (n, 2)) for c in centres])


def gaussian(X, kind="full", **options):
    start = np.array([[0.0, 0.0], [1.5, 0.5], [5.0, 5.0], [6.0, 3.5]]) + X.mean(axis=0) - plane().mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        return GaussianMixture(
            4, covariance_type=kind, means_init=start, random_state=0, max_iter=60, **options
        ).fit(X)


def baskets(seed=0, n=60):
    rng = np.random.default_rng(seed)
    profiles = rng.dirichlet(np.full(6, 0.6), 4)
    kind = rng.integers(0, 4, n)
    return np.array([rng.multinomial(4 + k, profiles[k]) for k in kind]).astype(float), kind


@pytest.fixture(scope="module")
def shop():
    X, _ = baskets()
    return X, MultinomialMixture(4, random_state=0, init_params="random", pseudo_count=0.05).fit(X)


def members_of(tree):
    """The components of every merged cluster, in the order of the merges."""
    n = len(tree.weights_)
    found = [{k} for k in range(n)]
    for one, other in tree.children_:
        found.append(found[one] | found[other])
    return [sorted(cluster) for cluster in found[n:]]


def assert_same_tree(tree, merges):
    assert members_of(tree) == [members for members, _ in merges]


@pytest.mark.parametrize("kind", KINDS)
def test_gaussian_losses_are_the_exact_changes_of_the_bound(kind):
    X = plane()
    mixture = gaussian(X, kind)
    tree = SegmentTree(mixture).fit(X)
    rows, resp = X.tolist(), mixture.predict_proba(X).tolist()

    def bound(resp):
        return naive.gaussian_bound(rows, resp, kind, mixture.reg_covar) + naive.weights_bound(resp)

    merges = naive.segment_tree(resp, lambda before, after, *_: bound(before) - bound(after))
    assert_same_tree(tree, merges)
    np.testing.assert_allclose(tree.losses_, [loss for _, loss in merges], **CLOSE)
    assert tree.bounds_[-1] == pytest.approx(bound(resp), rel=1e-9)
    # At the optimum the bound is the log-likelihood; the fit stops within tol of it.
    assert tree.bounds_[-1] == pytest.approx(mixture.score(X) * len(X), abs=0.05)
    assert tree.bounds_[0] == pytest.approx(bound([[1.0]] * len(X)), rel=1e-9)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csr_array])
def test_multinomial_losses_are_the_exact_changes_of_the_bound(shop, form):
    X, mixture = shop
    tree = SegmentTree(mixture).fit(form(X))
    rows, resp = X.tolist(), mixture.predict_proba(X).tolist()

    def bound(resp):
        return naive.multinomial_bound(rows, resp) + naive.weights_bound(resp)

    merges = naive.segment_tree(resp, lambda before, after, *_: bound(before) - bound(after))
    assert_same_tree(tree, merges)
    np.testing.assert_allclose(tree.losses_, [loss for _, loss in merges], **CLOSE)
    assert tree.bounds_[-1] == pytest.approx(bound(resp), rel=1e-9)
    assert tree.entropies_[-1] == pytest.approx(naive.entropy(resp), rel=1e-9)


def test_entropy_criterion_merges_the_largest_fall(shop):
    X, mixture = shop
    tree = SegmentTree(mixture, "entropy").fit(X)
    resp = mixture.predict_proba(X).tolist()
    merges = naive.segment_tree(resp, lambda before, after, *_: naive.entropy(after) - naive.entropy(before))
    assert_same_tree(tree, merges)
    falls = -np.array([fall for _, fall in merges])
    np.testing.assert_allclose(np.diff(tree.entropies_)[::-1], falls, **CLOSE)
    np.testing.assert_allclose(tree.heights_, np.cumsum(falls), **CLOSE)
    assert tree.entropies_[0] == 0.0


def test_divergence_of_gaussians_is_the_sum_of_both_directions():
    X = plane()
    mixture = gaussian(X)
    tree = SegmentTree(mixture, "kl").fit(X)
    rows = X.tolist()

    def directed(p, q):
        (m, s), (n, t) = p, q
        inverse, apart = np.linalg.inv(t), np.subtract(n, m)
        logs = np.linalg.slogdet(t)[1] - np.linalg.slogdet(s)[1]
        return 0.5 * (np.trace(inverse @ s) + apart @ inverse @ apart - 2 + logs)

    def cost(before, _, one, other):
        _, means, covariances = naive.gaussian_m_step(rows, before, "full", mixture.reg_covar)
        p, q = ((means[k], np.array(covariances[k])) for k in (one, other))
        return directed(p, q) + directed(q, p)

    merges = naive.segment_tree(mixture.predict_proba(X).tolist(), cost)
    assert_same_tree(tree, merges)
    np.testing.assert_allclose(tree.heights_, np.cumsum([c for _, c in merges]), rtol=1e-6)


def test_divergence_of_multinomials_is_the_sum_of_both_directions(shop):
    X, mixture = shop
    tree = SegmentTree(mixture, "kl").fit(X)

    def cost(before, _, one, other):
        shares = naive.multinomial_m_step(X.tolist(), before, mixture.pseudo_count)
        p, q = np.array(shares[one]), np.array(shares[other])
        return float(np.sum((p - q) * np.log(p / q)))

    merges = naive.segment_tree(mixture.predict_proba(X).tolist(), cost)
    assert_same_tree(tree, merges)
    np.testing.assert_allclose(tree.heights_, np.cumsum([c for _, c in merges]), rtol=1e-6)


def test_divergence_without_closed_form_or_without_end_says_what_to_do(shop):
    X, _ = shop
    apart = np.kron(np.eye(3), np.ones((4, 2)))
    bare = MultinomialMixture(3, pseudo_count=0.0, profiles_init=np.kron(np.eye(3), [[0.5, 0.5]])).fit(apart)
    with pytest.raises(exceptions.InvalidParameterError, match=r"3 clusters.*infinity.*criterion='loss'"):
        SegmentTree(bare, "kl").fit(apart)
    tree = SegmentTree(bare).fit(apart)  # zero probabilities are no trouble for the bound
    assert np.isfinite(tree.losses_).all()

    class Other:
        def maximize(self, stats):
            return self

    mixture = MultinomialMixture(2, random_state=0).fit(X)
    tree = SegmentTree(mixture).fit(X)
    strange = replace(tree._found.leaves, components=Other(), prior=None)
    with pytest.raises(exceptions.InvalidParameterError, match=r"no closed form.*criterion='loss'"):
        Divergence().costs(strange, 0)


@pytest.mark.parametrize("concentration", ["learn", 3.0])
def test_household_weights_are_integrated_out(concentration):
    X, kind = baskets(n=80)
    groups = (np.arange(80) // 8) * 10 + kind % 2  # households lean to two of the four kinds
    mixture = GroupedMultinomialMixture(4, concentration=concentration, random_state=0, init_params="random")
    mixture.fit(X, groups=groups)
    tree = SegmentTree(mixture).fit(X, groups=groups)
    # The responsibilities of the tree, from the mean-field inference of the oracle.
    prior = (mixture.concentration_ * mixture.weights_).tolist()
    scores = [
        [naive.multinomial_log_density(x, p) for p in mixture.profiles_.tolist()]
        for x in X.astype(int).tolist()
    ]
    resp, total = [None] * len(X), 0.0
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        _, own, bound = naive.group_bound([scores[n] for n in rows], prior)
        total += bound
        for n, row in zip(rows, own, strict=True):
            resp[n] = row

    laws = {len(prior): [prior]}

    def value(resp, prior):
        return naive.multinomial_bound(X.tolist(), resp) + naive.household_bound(resp, groups.tolist(), prior)

    def cost(before, after, one, other):
        current = laws[len(before[0])][0]
        return value(before, current) - value(after, naive.join(current, one, other))

    merges, members = [], [{k} for k in range(4)]
    while len(members) > 1:
        tried = {}
        for one in range(len(members)):
            for other in range(one + 1, len(members)):
                after = [naive.join(row, one, other) for row in resp]
                tried[one, other] = cost(resp, after, one, other)
        one, other = min(tried, key=tried.get)
        merges.append((sorted(members[one] | members[other]), tried[one, other]))
        members[one] |= members.pop(other)
        laws[len(members)] = [naive.join(laws[len(members) + 1][0], one, other)]
        resp = [naive.join(row, one, other) for row in resp]
    assert_same_tree(tree, merges)
    # The local loops stop when no expected count moves by 1e-6 of a row.
    np.testing.assert_allclose(tree.losses_, [loss for _, loss in merges], rtol=1e-4, atol=1e-3)
    # The fitted profiles have a prior of 0.01 lines a category; the bound's maximise without.
    assert tree.bounds_[-1] == pytest.approx(total, abs=0.5)


@pytest.mark.parametrize("concentration", [0.0, np.inf])
def test_limits_of_the_concentration(concentration):
    X, _ = baskets(n=80)
    groups = np.arange(80) // 8
    mixture = GroupedMultinomialMixture(4, concentration=concentration, random_state=0, init_params="random")
    mixture.fit(X, groups=groups)
    tree = SegmentTree(mixture).fit(X, groups=groups)
    rows, resp = X.tolist(), mixture.predict_proba(X, groups=groups)

    def bound(resp):
        shares = np.array(resp)
        if np.isinf(concentration):
            return naive.multinomial_bound(rows, resp) + naive.weights_bound(resp)
        counts = np.array([shares[groups == g].sum(axis=0) for g in np.unique(groups)])
        law = sum(n * np.log(n / row.sum()) for row in counts for n in row if n > 0)
        return naive.multinomial_bound(rows, resp) + law + naive.entropy(resp)

    merges = naive.segment_tree(resp.tolist(), lambda before, after, *_: bound(before) - bound(after))
    assert_same_tree(tree, merges)
    np.testing.assert_allclose(tree.losses_, [loss for _, loss in merges], **CLOSE)
    merged = tree.cut(2).estimator
    np.testing.assert_allclose(merged.group_weights_.sum(axis=1), 1.0)
    assert merged.group_weights_.shape == (10, 2)


def test_groups_without_labels_take_the_population(shop):
    X, _ = baskets(n=80)
    mixture = GroupedMultinomialMixture(3, random_state=0).fit(X, groups=np.arange(80) // 8)
    plain = MultinomialMixture(3, weights_init=mixture.weights_, profiles_init=mixture.profiles_, max_iter=0)
    with pytest.warns(exceptions.ConvergenceWarning):
        plain.fit(X)
    np.testing.assert_allclose(
        SegmentTree(mixture).fit(X).losses_, SegmentTree(plain).fit(X).losses_, **CLOSE
    )


@pytest.mark.parametrize("criterion", ["loss", "entropy", "kl"])
def test_weights_are_repeated_rows(shop, criterion):
    X, mixture = shop
    times = np.random.default_rng(3).integers(0, 3, len(X))
    weighted = SegmentTree(mixture, criterion).fit(X, sample_weight=times)
    repeated = SegmentTree(mixture, criterion).fit(np.repeat(X, times, axis=0))
    np.testing.assert_array_equal(weighted.children_, repeated.children_)
    np.testing.assert_allclose(weighted.heights_, repeated.heights_, **CLOSE)
    np.testing.assert_allclose(weighted.bounds_, repeated.bounds_, **CLOSE)
    np.testing.assert_allclose(weighted.entropies_, repeated.entropies_, **CLOSE)


@pytest.mark.parametrize("criterion", ["loss", "entropy", "kl"])
def test_the_order_of_the_components_does_not_matter(shop, criterion):
    X, mixture = shop
    order = np.array([2, 0, 3, 1])
    other = pickle.loads(pickle.dumps(mixture))
    other.weights_, other.profiles_ = mixture.weights_[order], mixture.profiles_[order]
    one, two = (SegmentTree(m, criterion).fit(X) for m in (mixture, other))
    assert members_of(one) == [sorted(order[cluster].tolist()) for cluster in members_of(two)]
    np.testing.assert_allclose(one.losses_, two.losses_, **CLOSE)
    for n in (1, 2, 3, 4):
        np.testing.assert_array_equal(one.cut(n).labels[order], two.cut(n).labels)


def test_threads_change_no_bit():
    X, _ = baskets(n=20_000)
    X = sp.csr_matrix(X)
    mixture = MultinomialMixture(5, random_state=0, init_params="random", max_iter=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        mixture.fit(X)
    trees = []
    for executor in (Serial(), Threads(3)):
        mixture.executor = executor
        trees.append(SegmentTree(mixture).fit(X))
    np.testing.assert_array_equal(trees[0].losses_, trees[1].losses_)
    np.testing.assert_array_equal(trees[0].linkage_, trees[1].linkage_)


def test_many_batches_are_one():
    X = np.concatenate([plane(seed) for seed in range(600)])
    mixture = gaussian(X)
    assert len(X) > 40_000  # several batches
    tree = SegmentTree(mixture).fit(X)
    resp = mixture.predict_proba(X)
    entropies = []
    for n in (1, 2, 3, 4):
        shares = resp @ np.eye(n)[tree.cut(n).labels]
        entropies.append(-np.sum(shares * np.log(np.maximum(shares, 1e-300))))
    np.testing.assert_allclose(tree.entropies_, entropies, rtol=1e-7, atol=1e-4)


def test_far_from_the_origin_no_digit_is_lost():
    """Components that work about their own means: the same tree as near zero."""
    half = plane(n=50)
    near = np.concatenate([half, half + np.array([100.0, 0.0])])
    first, second = half.mean(axis=0), half.mean(axis=0) + np.array([100.0, 0.0])
    starts = [first - 1, first + 1, second - 1, second + 1]
    mixture = GaussianMixture(4, means_init=starts, random_state=0, max_iter=500).fit(near)
    distant = pickle.loads(pickle.dumps(mixture))
    distant.means_ = mixture.means_ + np.where(mixture.means_[:, :1] > 50, 1e7, 0.0)
    far = near + np.where(near[:, :1] > 50, 1e7, 0.0)
    assert distant._model().components.needs_own_origin(distant._model().encoding)
    one, two = SegmentTree(mixture).fit(near), SegmentTree(distant).fit(far)
    np.testing.assert_array_equal(one.children_, two.children_)
    # A unit in the last place of 1e7 is 2e-9 of a standard deviation.
    np.testing.assert_allclose(one.losses_[:2], two.losses_[:2], rtol=1e-6)
    assert two.losses_[2] > one.losses_[2]


def test_cuts_nest_and_the_largest_group_comes_first(shop):
    X, mixture = shop
    tree = SegmentTree(mixture).fit(X)
    previous = tree.cut(4)
    assert sorted(previous.labels) == [0, 1, 2, 3]
    for n in (3, 2, 1):
        cut = tree.cut(n)
        assert cut.n == n
        assert len({(a, b) for a, b in zip(previous.labels, cut.labels, strict=True)}) == previous.n
        assert (np.diff(cut.weights) <= 0).all()
        np.testing.assert_allclose(cut.weights, np.bincount(cut.labels, tree.weights_), rtol=1e-12)
        previous = cut
    np.testing.assert_array_equal(tree.cut(1).labels, 0)


def test_predictions_are_sums_and_nest(shop):
    X, mixture = shop
    tree = SegmentTree(mixture).fit(X)
    np.testing.assert_allclose(
        tree.predict_proba(X, 4)[:, tree.cut(4).labels], mixture.predict_proba(X), rtol=1e-12
    )
    for n in (3, 2, 1):
        finer, coarser = tree.predict_proba(X, n + 1), tree.predict_proba(X, n)
        parent = [tree.cut(n).labels[tree.cut(n + 1).labels == group][0] for group in range(n + 1)]
        for group in range(n):
            np.testing.assert_allclose(
                coarser[:, group], finer[:, np.array(parent) == group].sum(axis=1), rtol=1e-12
            )
        np.testing.assert_allclose(coarser.sum(axis=1), 1.0, rtol=1e-12)
        np.testing.assert_array_equal(tree.predict(X, n), coarser.argmax(axis=1))


def test_predictions_of_households_use_their_weights():
    X, _ = baskets(n=80)
    groups = np.arange(80) // 8
    mixture = GroupedMultinomialMixture(3, random_state=0).fit(X, groups=groups)
    tree = SegmentTree(mixture).fit(X, groups=groups)
    expected = mixture.predict_proba(X, groups=groups) @ np.eye(2)[tree.cut(2).labels]
    np.testing.assert_array_equal(tree.predict_proba(X, 2, groups=groups), expected)


def test_scipy_reads_the_linkage(shop):
    X, mixture = shop
    for criterion in ("loss", "entropy", "kl"):
        tree = SegmentTree(mixture, criterion).fit(X)
        assert hierarchy.is_valid_linkage(tree.linkage_)
        assert hierarchy.is_monotonic(tree.linkage_)
        assert tree.linkage_[-1, 3] == 4
        flat = hierarchy.fcluster(tree.linkage_, 2, criterion="maxclust")
        pairs = {(a, b) for a, b in zip(flat, tree.cut(2).labels, strict=True)}
        assert len(pairs) == 2


@pytest.mark.parametrize("n_components", [1, 2])
def test_one_and_two_components(n_components):
    X = plane()
    mixture = GaussianMixture(n_components, random_state=0).fit(X)
    tree = SegmentTree(mixture).fit(X)
    assert tree.children_.shape == (n_components - 1, 2)
    assert tree.linkage_.shape == (n_components - 1, 4)
    assert tree.bounds_.shape == tree.entropies_.shape == (n_components,)
    assert tree.bounds_[0] == pytest.approx(
        naive.gaussian_bound(X.tolist(), [[1.0]] * len(X), "full", 1e-6), rel=1e-9
    )
    one = tree.cut(1).estimator
    np.testing.assert_allclose(one.means_[0], X.mean(axis=0), rtol=1e-9)
    np.testing.assert_array_equal(tree.predict(X, 1), 0)
    assert [group["n"] for group in tree.groups()] == list(range(2, n_components + 1))


def test_entropy_finds_two_bananas():
    rng = np.random.default_rng(5)
    angle = np.sort(rng.uniform(0, np.pi, 600))
    arc = np.column_stack([np.cos(angle), np.sin(angle)]) * 4
    X = np.concatenate([arc, arc * [1, -1] + [4.0, 1.0]]) + rng.normal(0, 0.3, (1200, 2))
    mixture = GaussianMixture(4, means_init=[[-3, 2.5], [3, 2.5], [1, -1.5], [7, -1.5]], random_state=0).fit(
        X
    )
    tree = SegmentTree(mixture, "entropy").fit(X)
    found = tree.predict(X, 2)
    truth = np.repeat([0, 1], 600)
    assert max(np.mean(found == truth), np.mean(found != truth)) > 0.99
    # Baudry's picture: two clusters are nearly certain, and the entropy is in the merges below them.
    assert tree.entropies_[1] < 0.1 * tree.entropies_[-1]


def test_merged_gaussians_are_one_by_moments():
    X = plane()
    mixture = gaussian(X)
    cut = SegmentTree(mixture).fit(X).cut(2)
    resp = mixture.predict_proba(X) @ np.eye(2)[cut.labels]
    weights, means, covariances = naive.gaussian_m_step(X.tolist(), resp.tolist(), "full", 1e-6)
    np.testing.assert_allclose(cut.estimator.weights_, weights, rtol=1e-8)
    np.testing.assert_allclose(cut.estimator.means_, means, rtol=1e-8)
    np.testing.assert_allclose(cut.estimator.covariances_, covariances, rtol=1e-7)
    assert cut.estimator.n_components == 2
    assert mixture.n_components == 4


def test_merged_mixtures_save_and_say_what_they_are(shop, tmp_path):
    X, mixture = shop
    tree = SegmentTree(mixture).fit(X)
    merged = tree.cut(2).estimator
    again = load(merged.save(tmp_path / "two.mixtura"))
    np.testing.assert_array_equal(again.predict_proba(X), merged.predict_proba(X))
    assert not merged.converged_
    assert merged.starts_[0].name == "4 components merged to 2"
    assert "4 components merged to 2" not in mixture.summary()
    assert "not converged (stopped)" in merged.summary()
    assert merged.lower_bound_ * len(X) == pytest.approx(tree.bounds_[1], rel=1e-12)
    # A bound is not above the likelihood; the prior of 0.05 lines moves the parameters a little off the maximum.
    assert merged.score(X) * len(X) > tree.bounds_[1] - 0.5
    assert merged.fit(X).n_components == 2  # it can be fitted on


def test_merged_households_keep_their_groups(tmp_path):
    X, _ = baskets(n=80)
    groups = np.array([f"h{n}" for n in np.arange(80) // 8])
    mixture = GroupedMultinomialMixture(4, random_state=0, init_params="random").fit(X, groups=groups)
    cut = SegmentTree(mixture).fit(X, groups=groups).cut(2)
    merged = load(cut.estimator.save(tmp_path / "households.mixtura"))
    np.testing.assert_allclose(
        merged.group_weights_, mixture.group_weights_ @ np.eye(2)[cut.labels], rtol=1e-12
    )
    assert merged.concentration_ == pytest.approx(mixture.concentration_, rel=1e-12)
    assert merged.predict(X, groups=groups).max() <= 1


def test_any_mixture_has_a_tree():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(c, 1, 100) for c in (0, 2, 10)])
    tree = SegmentTree(Mixture(Normal(), 3, random_state=0).fit(x)).fit(x)
    assert tree.cut(2).weights.round(1).tolist() == [0.7, 0.3]
    assert sorted(np.round(tree.cut(2).estimator.components_.mean[:, 0]).tolist()) == [1.0, 10.0]
    tied = Mixture(Gaussian(model=Tied()), 3, random_state=0).fit(x)
    assert SegmentTree(tied).fit(x).cut(2).weights.round(1).tolist() == [0.7, 0.3]


def test_an_empty_component_costs_nothing():
    X = plane()
    mixture = gaussian(X)
    tree = SegmentTree(mixture).fit(X[:20] - 3.0)  # rows of one corner: two components hold nothing there
    assert tree.weights_.min() < 1e-10
    assert np.isfinite(tree.losses_).all()
    assert tree.losses_.min() == pytest.approx(0.0, abs=1e-6)


def test_the_tree_is_plain_values(shop):
    X, mixture = shop
    tree = SegmentTree(mixture).fit(X)
    content = json.loads(json.dumps(tree.to_dict(names=["bread", "milk", "beer", "soap"])))
    assert content["method"] == "loss"
    assert content["children"] == tree.children_.tolist()
    assert content["heights"] == sorted(content["heights"])
    assert [group["n"] for group in content["groups"]] == [2, 3, 4]
    two = content["groups"][0]
    assert two["labels"] == tree.cut(2).labels.tolist()
    assert len(two["names"]) == 2
    assert content["groups"][2]["names"] == [
        ["bread", "milk", "beer", "soap"][k] for k in np.argsort(tree.cut(4).labels)
    ]
    assert tree.groups([1], names=["a", "b", "c", "d"])[0]["names"][0].endswith(" + 2 more")
    named = tree.groups([2], names=lambda labels: [f"G{g}" for g in range(max(labels) + 1)])
    assert named[0]["names"] == ["G0", "G1"]
    with pytest.raises(exceptions.InvalidParameterError, match=r"names holds 2 names; expected 4"):
        tree.groups(names=["a", "b"])


def test_wrong_arguments_say_what_to_do(shop):
    X, mixture = shop
    tree = SegmentTree(mixture).fit(X)
    for n in (0, 5, 2.0, True):
        with pytest.raises(exceptions.InvalidParameterError, match=r"n is .*from 1 to 4"):
            tree.cut(n)
    with pytest.raises(exceptions.InvalidParameterError, match=r"criterion is 'los'.*Did you mean 'loss'"):
        SegmentTree(mixture, "los").fit(X)
    with pytest.raises(exceptions.InvalidParameterError, match=r"expected a fitted mixture of this library"):
        SegmentTree("mixture").fit(X)
    with pytest.raises(NotFittedError):
        SegmentTree(MultinomialMixture(2)).fit(X)
    with pytest.raises(NotFittedError):
        SegmentTree(mixture).cut(2)
    with pytest.raises(exceptions.InvalidParameterError, match=r"groups were given for a MultinomialMixture"):
        SegmentTree(mixture).fit(X, groups=np.zeros(len(X)))
    with pytest.raises(exceptions.DegenerateComponentError, match=r"component 0.*holds no data"):
        SegmentTree(mixture).fit(np.zeros((3, 6)))
