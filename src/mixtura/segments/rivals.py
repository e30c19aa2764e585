"""What simpler models would have predicted of the later baskets: all in one table, paired, customers as clusters."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.exceptions import ConvergenceWarning

from mixtura.inference.stopping import catch_interrupt
from mixtura.segments.evaluation import clustered_mean
from mixtura.segments.options import silent
from mixtura.segments.topics import CELLS, lda_log_likelihood, log_coefficient, row_blocks

__all__ = ["rivals"]

# Bounds on the time that rivals take; they stand in the notes of the results.
MOST_BASKETS_LDA = 10_000
PASSES_LDA = 3
SCORED_LDA = 8_000
# Dirichlet parameters of a topic's share: scikit-learn's default, 1/K, is far too small for baskets of a few lines.
PRIORS_LEARNING = (0.1, 0.5)
PRIORS_SCORING = (0.02, 0.05, 0.1, 0.2, 0.5)
CHOOSING_LDA = 500  # earlier baskets, not learned from, on which the priors are chosen
MOST_BASKETS_KMEANS = 100_000
PSEUDO_COUNT = 0.01  # lines of every category in every cluster beforehand, as in mixtura's own mixtures

Report = Callable[[str, int, int, str], None]


def rivals(
    counts: sparse.csr_array,
    customers: np.ndarray,
    n_train: int,
    global_model: Any,
    household: Any,
    *,
    seed: int = 0,
    report: Report | None = None,
    most_baskets_lda: int = MOST_BASKETS_LDA,
) -> list[dict[str, Any]] | None:
    """Compare predictions of the later baskets of customers that were seen before.

    Parameters
    ----------
    counts : scipy.sparse.csr_array, shape (N, C)
        All baskets in order of time.
    customers : ndarray, shape (N,)
        Customer of each.
    n_train : int
        How many of them the models were fitted to.
    global_model : MultinomialMixture
        One set of weights for everybody.
    household : GroupedMultinomialMixture
        Weights of each customer.
    seed : int, default 0
        Of the rivals' fits and of the draws for LDA.
    report : callable, optional
        ``report("rivals", done, total, text)``.
    most_baskets_lda : int, default 10000
        Baskets that LDA learns from, drawn at random where there are more; 0 leaves LDA out.

    Returns
    -------
    list of dict or None
        Rows ``{"name", "key", "held_out", "difference", "difference_se", "n_parameters", "note"}``, simplest first, the last one
        being mixtura; None if no later basket has a customer seen before, or there is no rival. Log-likelihoods are natural, per
        basket, and hold the multinomial coefficient, so that they compare; the difference is rival minus mixtura, None where it
        has no error.

    Notes
    -----
    LDA is scored on at most 8,000 of the later baskets: its `held_out` is mixtura's plus the paired difference. Ctrl-C leaves
    out the rivals that are still to come.
    """
    later = n_train + np.flatnonzero(np.isin(customers[n_train:], household.groups_))
    if not later.size:
        return None
    train, test, owners = (
        counts[:n_train].astype(np.float64),
        counts[later].astype(np.float64),
        customers[later],
    )
    n_components = len(global_model.weights_)
    say = report or silent
    ours = household.score_samples(test, groups=owners)
    fits: list[tuple[str, str, Callable[[], tuple[np.ndarray, int, str]]]] = [
        ("One mission for all", "one", lambda: _one(train, test)),
        (f"k-means with {n_components} clusters", "kmeans", lambda: _kmeans(train, test, n_components, seed)),
    ]
    if most_baskets_lda:
        fits.append(
            (
                f"LDA with {n_components} topics",
                "lda",
                lambda: _lda(train, test, n_components, seed, most_baskets_lda),
            )
        )
    fits.append(
        (
            f"{n_components} missions, the same weights for all",
            "global",
            lambda: (
                global_model.score_samples(test),
                global_model.n_parameters(),
                "The mixture that the missions start from; it does not know the customer.",
            ),
        )
    )
    rows = []
    with catch_interrupt() as interruption:
        for done, (name, key, fit) in enumerate(fits):
            if interruption.pressed:
                break
            say("rivals", done, len(fits), name)
            rows.append(_row(name, key, *fit(), ours, owners))
    if not rows:
        return None
    note = "Weights of each customer, shrunk to everybody's."
    name = f"{n_components} missions, weights of each customer"
    say("rivals", len(fits), len(fits), f"{len(later):,} later baskets")
    return [*rows, _row(name, "mixtura", ours, household.n_parameters(), note, ours, owners)]


def _row(
    name: str,
    key: str,
    scores: np.ndarray,
    n_parameters: int,
    note: str,
    ours: np.ndarray,
    owners: np.ndarray,
) -> dict[str, Any]:
    """A row of the table; scores may be NaN for baskets that were not scored, whose differences are not used."""
    scored = ~np.isnan(scores)
    difference, error = clustered_mean((scores - ours)[scored], owners[scored])
    return {
        "name": name,
        "key": key,
        "held_out": _known(float(ours.mean()) + difference),
        "difference": _known(difference),
        "difference_se": _known(error),
        "n_parameters": int(n_parameters),
        "note": note,
    }


def _known(value: float) -> float | None:
    """None for what is not a number."""
    return value if np.isfinite(value) else None


def _one(train: sparse.csr_array, test: sparse.csr_array) -> tuple[np.ndarray, int, str]:
    """Everybody draws from the shares of all lines."""
    lines = train.sum(axis=0) + PSEUDO_COUNT
    scores = _mixture_log_likelihood(test, np.ones(1), (lines / lines.sum())[None])
    return scores, len(lines) - 1, "Every basket is drawn from the shares of all lines."


def _kmeans(
    train: sparse.csr_array, test: sparse.csr_array, n_components: int, seed: int
) -> tuple[np.ndarray, int, str]:
    """Clusters of shares, and the mixture that has their sizes as weights and their lines as profiles."""
    chosen = _some(train, MOST_BASKETS_KMEANS, seed)
    shares = sparse.diags_array(1.0 / chosen.sum(axis=1)) @ chosen
    n_clusters = min(n_components, chosen.shape[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct baskets than clusters
        labels = KMeans(n_clusters, n_init=1, max_iter=100, random_state=seed).fit(shares.tocsr()).labels_
    size = np.bincount(labels, minlength=n_clusters)
    gather = sparse.csr_array(
        (np.ones(len(labels)), (labels, np.arange(len(labels)))), shape=(n_clusters, len(labels))
    )
    lines = (gather @ chosen).toarray() + PSEUDO_COUNT
    profiles = lines / lines.sum(axis=1, keepdims=True)
    note = (
        "k-means has no likelihood, so its clusters of baskets (shares of categories) are read as a mixture: their sizes are the "
        f"weights, their shares of lines (plus {PSEUDO_COUNT} lines of each category) the profiles."
    )
    return (
        _mixture_log_likelihood(test, size / size.sum(), profiles),
        n_clusters * profiles.shape[1] - 1,
        note + _said(chosen, train),
    )


def _lda(
    train: sparse.csr_array, test: sparse.csr_array, n_components: int, seed: int, most_baskets: int
) -> tuple[np.ndarray, int, str]:
    """scikit-learn's LDA, a basket being a document; NaN for later baskets that are not scored."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(train.shape[0])
    n_choosing = min(CHOOSING_LDA, len(order) // 4)
    choosing = train[np.sort(order[:n_choosing])] if n_choosing else train
    chosen = train[np.sort(order[n_choosing : n_choosing + most_baskets])]

    def score(model: Any, rows: sparse.csr_array) -> np.ndarray:
        topics = model.components_ / model.components_.sum(axis=1, keepdims=True)
        prior = float(model.doc_topic_prior_)
        return lda_log_likelihood(rows, topics, prior, model.transform(rows), np.random.default_rng(seed))

    tried = []
    for learning in PRIORS_LEARNING:
        model = LatentDirichletAllocation(
            n_components,
            doc_topic_prior=learning,
            learning_method="online",
            batch_size=min(512, chosen.shape[0]),
            max_iter=PASSES_LDA,
            max_doc_update_iter=20,
            mean_change_tol=0.01,
            random_state=seed,
        ).fit(chosen)
        for scoring in PRIORS_SCORING:
            model.doc_topic_prior_ = scoring
            tried.append((float(score(model, choosing).mean()), learning, scoring, model))
    _, learning, scoring, model = max(tried, key=lambda one: one[0])
    model.doc_topic_prior_ = scoring
    scored = np.sort(rng.permutation(test.shape[0])[:SCORED_LDA])
    scores = np.full(test.shape[0], np.nan)
    scores[scored] = score(model, test[scored])
    note = (
        f"scikit-learn's: online, {PASSES_LDA} passes over {chosen.shape[0]:,} earlier baskets. A basket mixes topics; the customer "
        f"is not known. Priors of the topic shares ({learning:g} to learn, {scoring:g} to predict) chosen on other earlier baskets. Its "
        "likelihood has no closed form: it is estimated by importance sampling, which is kinder to it than its bound"
    )
    part = (
        f", on {len(scored):,} of the later baskets, drawn at random" if len(scored) < test.shape[0] else ""
    )
    return scores, n_components * (train.shape[1] - 1), f"{note}{part}."


def _some(counts: sparse.csr_array, most: int, seed: int) -> sparse.csr_array:
    """Random rows where there are more than allowed."""
    n_rows = counts.shape[0]
    if n_rows <= most:
        return counts
    return counts[np.sort(np.random.default_rng(seed).choice(n_rows, size=most, replace=False))]


def _said(chosen: sparse.csr_array, train: sparse.csr_array) -> str:
    if chosen.shape[0] == train.shape[0]:
        return ""
    return f" Learned from {chosen.shape[0]:,} of the {train.shape[0]:,} earlier baskets, drawn at random."


def _mixture_log_likelihood(
    counts: sparse.csr_array, weights: np.ndarray, profiles: np.ndarray
) -> np.ndarray:
    """log p(x) of every row under a multinomial mixture, in blocks."""
    scores = log_coefficient(counts)
    with np.errstate(divide="ignore"):  # an empty cluster has weight zero
        log_weights, log_profiles = np.log(weights), np.log(profiles)
    for rows in row_blocks(counts.shape[0], max(1, CELLS // len(weights))):
        scores[rows] += logsumexp(counts[rows] @ log_profiles.T + log_weights, axis=1)
    return scores
