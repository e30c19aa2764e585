"""How probable baskets are under topic models, whose likelihood is an integral over each basket's topic shares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.special import gammaln, logsumexp

__all__ = ["lda_log_likelihood", "log_coefficient", "row_blocks"]

COMMON_DRAWS, OWN_DRAWS = (
    400,
    32,
)  # draws of topic shares: from the prior for all baskets, from its posterior for each
CELLS = 2_000_000  # numbers of a block that are in memory at once


def log_coefficient(counts: sparse.csr_array) -> np.ndarray:
    """log n! - sum_j log x_j! of every row.

    Examples
    --------
    >>> float(np.exp(log_coefficient(sparse.csr_array([[2, 1]]))[0]))
    3.0
    """
    logs = sparse.csr_array((gammaln(counts.data + 1.0), counts.indices, counts.indptr), shape=counts.shape)
    return np.asarray(gammaln(counts.sum(axis=1) + 1.0) - logs.sum(axis=1))


def row_blocks(n_rows: int, size: int) -> Iterator[slice]:
    """Consecutive rows, so many at once.

    Examples
    --------
    >>> list(row_blocks(3, 2))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def lda_log_likelihood(
    counts: sparse.csr_array,
    topics: np.ndarray,
    prior: float,
    shares: np.ndarray,
    rng: np.random.Generator,
    *,
    common_draws: int = COMMON_DRAWS,
    own_draws: int = OWN_DRAWS,
) -> np.ndarray:
    r"""Log-likelihood of documents under LDA by importance sampling.

    Parameters
    ----------
    counts : scipy.sparse.csr_array, shape (N, C)
        Documents; no empty rows.
    topics : ndarray, shape (K, C)
        Probabilities of the words of every topic.
    prior : float
        Dirichlet parameter of every topic's share.
    shares : ndarray, shape (N, K)
        Means of the documents' variational posteriors, as LDA's ``transform`` gives them.
    rng : numpy.random.Generator
        Source of the draws.
    common_draws, own_draws : int
        Draws of topic shares from the prior, the same for all documents, and from every document's variational posterior.

    Returns
    -------
    ndarray, shape (N,)
        log of an unbiased estimate of p(x), with the multinomial coefficient.

    Notes
    -----
    :math:`p(x) = \int \mathrm{Dir}(\theta; \alpha) \prod_c (\theta^\top \beta_c)^{x_c} d\theta`. Draws from the prior p
    and from the posterior q share one weight, :math:`p / (M p + S q)` (the balance heuristic), which is bounded by 1/M; so the
    variance is finite although q has lighter tails than the true posterior.

    References
    ----------
    .. [1] H. M. Wallach, I. Murray, R. Salakhutdinov and D. Mimno (2009), "Evaluation methods for topic models", Proceedings of
       ICML 26, 1105-1112.
    .. [2] E. Veach and L. J. Guibas (1995), "Optimally combining sampling techniques for Monte Carlo rendering", Proceedings of
       SIGGRAPH 95, 419-428.

    Examples
    --------
    >>> documents = sparse.csr_array(np.array([[1.0, 1.0]]))
    >>> rng = np.random.default_rng(0)
    >>> estimate = lda_log_likelihood(documents, np.eye(2), 1.0, np.array([[0.5, 0.5]]), rng)
    >>> (
    ...     float(estimate[0]),
    ...     float(np.log(1 / 3)),
    ... )  # topics are words and shares uniform: all three documents of two words are alike
    (-1.0..., -1.0986...)
    """
    n_topics = len(topics)
    scores = log_coefficient(counts)
    theta = _dirichlet(np.full((common_draws, n_topics), prior), rng)
    log_theta = np.log(theta)
    log_words = np.log(theta @ topics)
    total = counts.sum(axis=1)
    for rows in row_blocks(counts.shape[0], max(1, CELLS // (own_draws * topics.shape[1]))):
        x = counts[rows]
        posterior = shares[rows] * (n_topics * prior + total[rows])[:, None]
        # log q - log p = constant + sum_k (gamma_k - alpha) log theta_k
        constant = (gammaln(posterior.sum(axis=1)) - gammaln(posterior).sum(axis=1)) - (
            gammaln(n_topics * prior) - n_topics * gammaln(prior)
        )
        more = posterior - prior
        common = x @ log_words.T - _log_mixture(
            constant[:, None] + more @ log_theta.T, common_draws, own_draws
        )
        own_theta = _dirichlet(np.repeat(posterior, own_draws, axis=0), rng)
        words = (own_theta @ topics).reshape(x.shape[0], own_draws, -1)
        document = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
        entries = x.data[:, None] * np.log(words[document, :, x.indices])
        fits = np.add.reduceat(entries, x.indptr[:-1], axis=0)
        log_ratio = constant[:, None] + np.einsum(
            "nk,nsk->ns", more, np.log(own_theta).reshape(x.shape[0], own_draws, -1)
        )
        own = fits - _log_mixture(log_ratio, common_draws, own_draws)
        scores[rows] += logsumexp(np.concatenate([common, own], axis=1), axis=1)
    return scores


def _log_mixture(log_ratio: np.ndarray, common_draws: int, own_draws: int) -> np.ndarray:
    """log of (M p + S q) / p."""
    return np.logaddexp(np.log(common_draws), np.log(own_draws) + log_ratio)


def _dirichlet(parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One draw per row, shares floored so that their logarithm is a number."""
    draws = np.maximum(rng.standard_gamma(parameters), 1e-300)
    return np.maximum(draws / draws.sum(axis=1, keepdims=True), 1e-300)
