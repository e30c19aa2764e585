"""Rivals: their likelihoods are likelihoods, differences are paired, and who knows more predicts better."""

import signal
from itertools import product

import numpy as np
import pytest
from scipy import sparse
from scipy.special import gammaln, logsumexp

from mixtura.models import GroupedMultinomialMixture, MultinomialMixture
from mixtura.segments.evaluation import clustered_mean
from mixtura.segments.rivals import rivals
from mixtura.segments.sweep import quiet
from mixtura.segments.topics import lda_log_likelihood
from segments.trust import make_baskets


def fitted(counts, customers, n_train, n_components=3):
    with quiet():  # more missions than there are converge slowly
        plain = MultinomialMixture(n_components, random_state=0).fit(counts[:n_train])
        grouped = GroupedMultinomialMixture(
            n_components,
            weights_init=plain.weights_,
            profiles_init=plain.profiles_,
            max_iter=100,
            random_state=0,
        )
        return plain, grouped.fit(counts[:n_train], groups=customers[:n_train])


@pytest.fixture(scope="module")
def table():
    counts, customers, _ = make_baskets(n_customers=60, n_baskets=1500)
    plain, grouped = fitted(counts, customers, 1200)
    rows = rivals(counts, customers, 1200, plain, grouped)
    return {row["key"]: row for row in rows}, (counts, customers, plain, grouped)


def test_all_rivals_are_there_in_order(table):
    rows, _ = table
    assert list(rows) == ["one", "kmeans", "lda", "global", "mixtura"]
    assert all(row["note"] and row["name"] for row in rows.values())
    assert rows["mixtura"]["difference"] == rows["mixtura"]["difference_se"] == 0
    # Profiles, then weights; topic shares have a prior and are no parameters.
    assert [rows[key]["n_parameters"] for key in rows] == [8, 26, 24, 26, 27]


def test_who_knows_the_truth_predicts_better(table):
    rows, _ = table
    assert (
        rows["one"]["held_out"]
        < rows["lda"]["held_out"]
        < rows["global"]["held_out"]
        < rows["mixtura"]["held_out"]
    )
    assert rows["one"]["difference"] < -10 * rows["one"]["difference_se"]
    # The missions are well apart, so the clusters of k-means are nearly the missions.
    assert rows["one"]["held_out"] < rows["kmeans"]["held_out"] < rows["mixtura"]["held_out"]


def test_differences_are_paired_and_clustered(table):
    rows, (counts, customers, plain, grouped) = table
    seen = 1200 + np.flatnonzero(np.isin(customers[1200:], grouped.groups_))
    ours = grouped.score_samples(counts[seen], groups=customers[seen])
    theirs = plain.score_samples(counts[seen])
    mean, error = clustered_mean(theirs - ours, customers[seen])
    assert rows["mixtura"]["held_out"] == pytest.approx(ours.mean())
    assert rows["global"]["held_out"] == pytest.approx(theirs.mean())
    assert rows["global"]["difference"] == pytest.approx(mean)
    assert rows["global"]["difference_se"] == pytest.approx(error)


def test_one_component_is_the_multinomial_of_all_lines(table):
    rows, (counts, customers, _, grouped) = table
    seen = 1200 + np.flatnonzero(np.isin(customers[1200:], grouped.groups_))
    one = MultinomialMixture(1).fit(counts[:1200])
    assert rows["one"]["held_out"] == pytest.approx(one.score(counts[seen]))


def test_the_likelihood_of_lda_sums_to_one():
    topics = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
    documents = np.array([x for x in product(range(4), repeat=3) if sum(x) == 3], dtype=float)
    shares = np.full((len(documents), 2), 0.5)
    estimate = lda_log_likelihood(
        sparse.csr_array(documents), topics, 0.3, shares, np.random.default_rng(0), common_draws=20_000
    )
    # A standard error of a share over 20,000 draws is at most 0.5 / sqrt(20,000) = 0.0035.
    assert np.exp(estimate).sum() == pytest.approx(1, abs=0.012)


def test_the_likelihood_of_lda_is_the_integral():
    topics = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
    document = np.array([[6.0, 1.0, 2.0]])
    prior = 0.5
    # theta = sin^2(angle) turns Dirichlet(0.5, 0.5) into a uniform angle.
    angle = (np.arange(4000) + 0.5) / 4000 * np.pi / 2
    theta = np.column_stack([np.sin(angle) ** 2, np.cos(angle) ** 2])
    coefficient = gammaln(10) - gammaln(document + 1).sum()
    exact = coefficient + logsumexp(np.log(theta @ topics) @ document[0]) - np.log(4000)
    shares = np.array([[0.8, 0.2]])
    for common, own in ((20_000, 1), (300, 20_000), (10_000, 10_000)):
        estimate = lda_log_likelihood(
            sparse.csr_array(document),
            topics,
            prior,
            shares,
            np.random.default_rng(1),
            common_draws=common,
            own_draws=own,
        )
        # Over 20,000 draws from the prior the relative error is about 1 / sqrt(20,000) = 0.007; 300 hold the tails to 0.02.
        assert estimate[0] == pytest.approx(exact, abs=0.06 if common == 300 else 0.03)


def test_nothing_later_and_nobody_seen():
    counts, customers, _ = make_baskets(n_baskets=300)
    plain, grouped = fitted(counts, customers, 300)
    assert rivals(counts, customers, 300, plain, grouped) is None
    renamed = customers.copy()
    renamed[250:] = "new"
    plain, grouped = fitted(counts, renamed, 250)
    assert rivals(counts, renamed, 250, plain, grouped) is None


def test_one_later_basket_one_customer_one_mission():
    counts, customers, _ = make_baskets(n_baskets=200)
    customers = np.repeat("c000", len(customers))
    plain, grouped = fitted(counts, customers, 199, n_components=1)
    rows = rivals(counts, customers, 199, plain, grouped)
    assert [row["key"] for row in rows] == ["one", "kmeans", "lda", "global", "mixtura"]
    assert all(row["difference_se"] is None for row in rows)
    # With one mission all of them are the shares of all lines, LDA's being learned from three quarters of the baskets.
    assert all(abs(row["difference"]) < (1 if row["key"] == "lda" else 1e-6) for row in rows)


def test_a_category_that_was_never_bought_before_the_split():
    counts, customers, _ = make_baskets(n_baskets=300)
    dense = counts.toarray()
    dense[:250, 8] = 0
    dense[:250, 0] += 1
    plain, grouped = fitted(sparse.csr_array(dense), customers, 250)
    rows = rivals(sparse.csr_array(dense), customers, 250, plain, grouped)
    assert all(np.isfinite(row["held_out"]) for row in rows)


def test_more_clusters_than_distinct_baskets():
    counts = sparse.csr_array(np.tile(np.array([[3, 0], [0, 3], [2, 1]]), (20, 1)))
    customers = np.arange(60) % 6
    plain, grouped = fitted(counts, customers, 50, n_components=5)
    rows = rivals(counts, customers, 50, plain, grouped, most_baskets_lda=0)
    assert [row["key"] for row in rows] == ["one", "kmeans", "global", "mixtura"]
    assert all(np.isfinite(row["held_out"]) for row in rows)


def test_progress_and_interruption():
    counts, customers, _ = make_baskets(n_baskets=300)
    plain, grouped = fitted(counts, customers, 250)
    heard = []

    def report(stage, done, total, text):
        heard.append((stage, done, total))
        if done == 1:
            signal.raise_signal(signal.SIGINT)

    rows = rivals(counts, customers, 250, plain, grouped, report=report)
    assert [row["key"] for row in rows] == ["one", "kmeans", "mixtura"]
    assert heard[0] == ("rivals", 0, 4)
    assert heard[-1] == ("rivals", 4, 4)
