"""Trees of the states of chains: losses by all paths, every level a chain of its own, starts of other chains."""

import copy
from dataclasses import replace

import numpy as np
import pytest

import oracles_tree_states as oracle
from mixtura import Mixture, exceptions
from mixtura.components import Gaussian
from mixtura.executors import Serial, Threads
from mixtura.families import FamilyComponents, Multinomial, Poisson
from mixtura.models.hmm import HMM
from mixtura.selection import merging_chains
from mixtura.selection.agglomerate import law_of
from mixtura.selection.merging import added
from mixtura.selection.tree import SegmentTree
from mixtura.structures.moves import KnownMoves

# Sums over all paths in another order, and responsibilities in single rows down to 1e-300.
CLOSE = {"rtol": 1e-9, "atol": 1e-9}
MOVES = np.array([[0.7, 0.2, 0.1, 0.0], [0.2, 0.6, 0.1, 0.1], [0.1, 0.1, 0.5, 0.3], [0.0, 0.2, 0.2, 0.6]])
RATES = [1.0, 2.5, 7.0, 12.0]


def drawn(n, seed=0):
    """Steps of one sequence."""
    rng = np.random.default_rng(seed)
    state, states = 0, []
    for _ in range(n):
        states.append(state)
        state = rng.choice(4, p=MOVES[state])
    return rng.poisson(np.array(RATES)[states])[:, None].astype(float)


@pytest.fixture(scope="module")
def steps():
    return np.concatenate([drawn(60, seed) for seed in range(5)]), [60] * 5


@pytest.fixture(scope="module")
def fitted(steps):
    X, lengths = steps
    return HMM(Poisson(), 4, random_state=0).fit(X, lengths)


def members_of(tree):
    n = len(tree.weights_)
    found = [{k} for k in range(n)]
    for one, other in tree.children_:
        found.append(found[one] | found[other])
    return [sorted(cluster) for cluster in found[n:]]


def by_all_paths(hmm, sequences, weights):
    rates = np.asarray(hmm.components_.mean).ravel().tolist()
    laws = [
        oracle.path_law(oracle.poisson_scores(x, rates), hmm.startprob_.tolist(), hmm.transmat_.tolist())[0]
        for x in sequences
    ]
    return oracle.tree(sequences, laws, weights, len(rates)), laws


def test_losses_and_entropies_are_those_of_all_paths(fitted):
    sequences = [[1.0, 3.0, 8.0, 12.0, 2.0], [7.0, 4.0], [2.0], [11.0, 1.0, 5.0, 9.0]]
    X, lengths = np.concatenate(sequences)[:, None], [len(x) for x in sequences]
    tree = SegmentTree(fitted).fit(X, lengths=lengths)
    merges, laws = by_all_paths(fitted, sequences, [1, 1, 1, 1])
    assert members_of(tree) == [together for together, *_ in merges]
    np.testing.assert_allclose(tree.losses_, [loss for _, loss, _, _ in merges], **CLOSE)
    np.testing.assert_allclose(tree.entropies_[::-1][1:-1], [e for *_, e, _ in merges][:-1], **CLOSE)
    np.testing.assert_allclose(tree.bounds_[::-1][1:], [value for *_, value in merges], **CLOSE)
    top, entropy, moves = oracle.bound(sequences, laws, [1, 1, 1, 1], [0, 1, 2, 3])
    np.testing.assert_allclose([tree.bounds_[-1], tree.entropies_[-1]], [top, entropy], **CLOSE)
    for n in (2, 3):
        cut = tree.cut(n)
        _, _, moves = oracle.bound(sequences, laws, [1, 1, 1, 1], cut.labels.tolist())
        np.testing.assert_allclose(
            cut.estimator.transmat_, np.array(moves) / np.sum(moves, axis=1, keepdims=True), **CLOSE
        )


def ends_counted(memory, weight, offsets, transition, labels):
    every = {"before": memory["before"], "share": memory["share"]}
    entropy, saved = HEALTHY(every, weight, offsets, transition, labels)
    more, fall = merging_chains._of_states(memory["share"] @ np.eye(labels.max() + 1)[labels], weight)
    return entropy - more, saved - fall


def one_axis(law, one, other):
    moves = added(law.moves, one, other)
    moves = np.delete(moves, other, axis=1)
    return replace(law, initial=added(law.initial, one, other), moves=moves)


HEALTHY = merging_chains.path_entropies


@pytest.mark.parametrize(
    ("owner", "name", "bug"),
    [
        (merging_chains, "path_entropies", ends_counted),
        (merging_chains.ChainLaw, "merged", one_axis),
        (merging_chains, "_pairs", lambda *_: iter(())),
    ],
    ids=["ends of sequences in the entropy", "moves merged along one axis", "pairs forgotten"],
)
def test_feared_bugs_change_the_losses(fitted, monkeypatch, owner, name, bug):
    X, lengths = np.array([[1.0, 3.0, 8.0, 12.0, 2.0, 7.0]]).T, [4, 2]
    healthy = SegmentTree(fitted).fit(X, lengths=lengths)
    monkeypatch.setattr(owner, name, bug)
    assert not np.allclose(SegmentTree(fitted).fit(X, lengths=lengths).losses_, healthy.losses_, atol=1e-3)


def test_weights_are_repeated_sequences(fitted):
    sequences = [[1.0, 3.0, 8.0], [12.0, 2.0, 0.0, 7.0], [5.0]]
    X, lengths = np.concatenate(sequences)[:, None], [3, 4, 1]
    weighted = SegmentTree(fitted).fit(X, sample_weight=[2, 1, 3], lengths=lengths)
    merges, _ = by_all_paths(fitted, sequences, [2, 1, 3])
    np.testing.assert_allclose(weighted.losses_, [loss for _, loss, _, _ in merges], **CLOSE)
    again = [sequences[i] for i in (0, 0, 1, 2, 2, 2)]
    repeated = SegmentTree(fitted).fit(np.concatenate(again)[:, None], lengths=[len(x) for x in again])
    np.testing.assert_array_equal(weighted.children_, repeated.children_)
    np.testing.assert_allclose(weighted.bounds_, repeated.bounds_, **CLOSE)
    without = SegmentTree(fitted).fit(X, sample_weight=[2, 1, 0], lengths=lengths)
    left = SegmentTree(fitted).fit(X[:-1], sample_weight=[2, 1], lengths=lengths[:-1])
    np.testing.assert_allclose(without.bounds_, left.bounds_, **CLOSE)


def test_every_level_is_a_chain_of_at_least_its_bound(fitted, steps):
    X, lengths = steps
    tree = SegmentTree(fitted).fit(X, lengths=lengths)
    assert tree.bounds_[-1] == pytest.approx(fitted.score(X, lengths), abs=1e-2)  # the fit ends within tol
    for n in (1, 2, 3, 4):
        merged = tree.cut(n).estimator
        assert merged.score(X, lengths) >= tree.bounds_[n - 1] - 1e-8
        np.testing.assert_allclose(merged.transmat_.sum(axis=1), 1.0)
        assert merged.startprob_.sum() == pytest.approx(1.0)
        assert merged.n_components == n
        more = merged.fit(X, lengths)  # it can be fitted on
        assert more.transmat_.shape == (n, n)
    one = tree.cut(1).estimator
    assert one.score(X, lengths) == pytest.approx(tree.bounds_[0], rel=1e-9)


def test_a_chain_without_memory_is_a_mixture():
    X = np.concatenate([drawn(60, seed) for seed in range(3)])
    mixture = Mixture(Poisson(), 3, random_state=0).fit(X)
    hmm = HMM(
        FamilyComponents(Poisson(), np.log(mixture.components_.mean)),
        3,
        startprob=mixture.weights_,
        max_iter=0,
    )
    with pytest.warns(exceptions.ConvergenceWarning):
        hmm.fit(X, np.ones(len(X), dtype=int))
    for criterion in ("loss", "entropy", "kl"):
        one = SegmentTree(mixture, criterion).fit(X)
        two = SegmentTree(hmm, criterion).fit(X, lengths=np.ones(len(X), dtype=int))
        np.testing.assert_array_equal(one.children_, two.children_)
        # The mixture's tree leaves out responsibilities below 1e-10.
        np.testing.assert_allclose(one.bounds_, two.bounds_, atol=1e-6)
        np.testing.assert_allclose(one.entropies_, two.entropies_, atol=1e-6)
        np.testing.assert_allclose(one.heights_, two.heights_, atol=1e-6)


def test_sequences_in_any_form_are_the_same(fitted, steps):
    X, lengths = steps
    one = SegmentTree(fitted).fit(X, lengths=lengths)
    names = np.repeat(["e", "a", "d", "b", "c"], 60)
    two = SegmentTree(fitted).fit(X, groups=names)
    np.testing.assert_allclose(one.bounds_, two.bounds_, **CLOSE)
    np.testing.assert_allclose(
        two.predict_proba(X, 2, groups=names), one.predict_proba(X, 2, lengths=lengths), atol=1e-12
    )
    trees = [one]
    for executor in (Serial(), Threads(3)):
        fitted.executor = executor
        trees.append(SegmentTree(fitted).fit(X, lengths=lengths))
    fitted.executor = None
    np.testing.assert_array_equal(trees[1].linkage_, trees[2].linkage_)


def test_predictions_are_sums(fitted, steps):
    X, lengths = steps
    tree = SegmentTree(fitted).fit(X, lengths=lengths)
    resp = fitted.predict_proba(X, lengths)
    for n in (1, 2, 3):
        expected = resp @ np.eye(n)[tree.cut(n).labels]
        np.testing.assert_allclose(tree.predict_proba(X, n, lengths=lengths), expected, atol=1e-12)
        np.testing.assert_array_equal(tree.predict(X, n, lengths=lengths), expected.argmax(axis=1))


def test_steps_not_seen_say_nothing(fitted, steps):
    X, lengths = steps
    X = X.copy()
    X[[3, 70, 71]] = np.nan
    tree = SegmentTree(fitted).fit(X, lengths=lengths)
    for n in (1, 2, 3, 4):
        assert tree.cut(n).estimator.score(X, lengths) >= tree.bounds_[n - 1] - 1e-8
    one = tree.cut(1).estimator
    assert one.components_.mean[0, 0] == pytest.approx(np.nanmean(X))


@pytest.mark.parametrize("n_components", [1, 2, 3, 4])
def test_a_chain_starts_from_the_cut(fitted, steps, n_components):
    X, lengths = steps
    tree = SegmentTree(fitted).fit(X, lengths=lengths)
    merged = tree.cut(n_components).estimator.score(X, lengths)
    begun = HMM(Poisson(), n_components, init_params=tree, max_iter=0)
    with pytest.warns(exceptions.ConvergenceWarning):
        begun.fit(X, lengths)
    assert begun.score(X, lengths) == pytest.approx(merged, rel=1e-12)
    further = HMM(Poisson(), n_components, init_params=tree).fit(X, lengths)
    assert further.score(X, lengths) >= merged - 1e-9 * abs(merged)
    mixture = Mixture(Poisson(), n_components, init_params=tree).fit(X)  # without the moves
    assert mixture.weights_.shape == (n_components,)


def test_laws_of_the_new_chain_hold(fitted, steps):
    X, lengths = steps
    tree = SegmentTree(fitted).fit(X, lengths=lengths)
    known = np.array([[0.5, np.nan], [np.nan, np.nan]])
    found = HMM(Poisson(), 2, init_params=tree, moves=KnownMoves(known)).fit(X, lengths)
    assert found.transmat_[0, 0] == 0.5
    forward = HMM(Poisson(), 2, init_params=tree, transmat=[[0.5, 0.5], [0.0, 1.0]]).fit(X, lengths)
    assert forward.transmat_[1, 0] == 0.0


def test_gaussian_states_and_what_parts_them():
    rng = np.random.default_rng(0)
    states = np.repeat([0, 1, 0, 2, 1, 2], 40)
    X = rng.normal(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 9.0]])[states], 1.0)
    hmm = HMM(Gaussian(), 3, random_state=0).fit(X, [120, 120])
    tree = SegmentTree(hmm).fit(X, lengths=[120, 120])
    first = tree.explain_split(2, 50)
    assert abs(first[0].apart) >= abs(first[-1].apart)
    by_name = {(one.parameter, one.feature): one for one in first}
    assert abs(by_name["mean", "x1"].first - by_name["mean", "x1"].second) > 8
    assert abs(by_name["mean", "x1"].apart) > 1.5
    lasting = by_name["expected steps in the state", ""]
    stay = np.diagonal(tree.cut(2).estimator.transmat_)
    np.testing.assert_allclose([lasting.first, lasting.second], 1.0 / (1.0 - stay))
    assert len(tree.explain_split(3, 2)) == 2
    assert tree.choose("bic") == 2  # two of the states are one standard deviation apart
    content = tree.to_dict(names=["walk", "run", "rest"])
    assert [group["n"] for group in content["groups"]] == [2, 3]


def test_counts_in_time():
    rng = np.random.default_rng(1)
    profiles = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    X = np.array([rng.multinomial(9, profiles[k]) for k in np.repeat([0, 1, 2, 0], 30)]).astype(float)
    hmm = HMM(Multinomial(), 3, random_state=0).fit(X)
    tree = SegmentTree(hmm).fit(X)
    assert tree.cut(2).estimator.score(X) >= tree.bounds_[1] - 1e-8


def test_wrong_input_says_what_to_do(fitted, steps):
    X, lengths = steps
    with pytest.raises(exceptions.InvalidDataError, match=r"lengths add up to 299, but X has 300"):
        SegmentTree(fitted).fit(X, lengths=[60, 60, 60, 60, 59])
    mixture = Mixture(Poisson(), 2, random_state=0).fit(X)
    with pytest.raises(exceptions.InvalidParameterError, match=r"lengths were given for a Mixture"):
        SegmentTree(mixture).fit(X, lengths=lengths)
    tree = SegmentTree(fitted).fit(X, lengths=lengths)
    with pytest.raises(exceptions.InvalidParameterError, match=r"n is 1, which is no split"):
        tree.explain_split(1)
    with pytest.raises(exceptions.InvalidParameterError, match=r"n_components is 5.*tree of 4"):
        HMM(Poisson(), 5, init_params=tree).fit(X, lengths)
    with pytest.raises(exceptions.InvalidParameterError, match=r"rows have 2 columns.*tree over 1"):
        HMM(Poisson(), 2, init_params=tree).fit(np.tile(X, 2), lengths)
    with pytest.raises(exceptions.InvalidParameterError, match=r"States of other structures cannot"):
        law_of("moves by covariates")
    both = np.column_stack([X, np.sin(np.arange(300.0))])
    two = HMM(Gaussian(), 2, random_state=0).fit(both, lengths)
    both[7, 1] = np.nan
    with pytest.raises(exceptions.InvalidDataError, match=r"Row 7, column 1 is missing"):
        SegmentTree(two).fit(both, lengths=lengths)


def test_an_impossible_sequence_is_named(fitted):
    class NeverNine(FamilyComponents):
        def log_prob(self, block):
            return np.where(block.statistics[0] == 9, -np.inf, super().log_prob(block))

    hmm = copy.copy(fitted)
    hmm._components = NeverNine(Poisson(), fitted._components.natural)
    with pytest.raises(exceptions.InvalidDataError, match=r"Sequence 1 of batch 0 has log-likelihood -inf"):
        SegmentTree(hmm).fit(np.array([[3.0], [2.0], [9.0], [1.0]]), lengths=[2, 2])
