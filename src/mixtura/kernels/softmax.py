"""Responsibilities in place: the softmax over components of a feature-major block."""

from __future__ import annotations

import numpy as np

from mixtura.protocols import Array

__all__ = ["responsibilities"]


def responsibilities(scores: Array, log_weights: Array, sample_weight: Array) -> tuple[Array, Array]:
    """Log evidence and weighted responsibilities of every row.

    Parameters
    ----------
    scores : ndarray, shape (K, B)
        log p(x | k); overwritten by the responsibilities.
    log_weights : ndarray, shape (K,) or (K, B)
        Log prior probability of each component.
    sample_weight : ndarray, shape (B,)
        Multiplies the responsibilities, not the log evidence.

    Returns
    -------
    log_evidence : ndarray, shape (B,)
        Minus infinity where every component gives the row probability zero; such a row keeps the prior weights.
    resp : ndarray, shape (K, B)
        The same memory as `scores`.

    Examples
    --------
    >>> evidence, resp = responsibilities(np.zeros((2, 1)), np.log([0.25, 0.75]), np.ones(1))
    >>> resp.round(2).ravel()
    array([0.25, 0.75])
    """
    log_weights = log_weights[:, None] if log_weights.ndim == 1 else log_weights
    scores += log_weights
    largest = scores.max(axis=0)
    impossible = np.isneginf(largest)
    if impossible.any():
        scores[:, impossible] = np.broadcast_to(log_weights, scores.shape)[:, impossible]
        largest = scores.max(axis=0)
    scores -= largest
    np.exp(scores, out=scores)
    sums = scores.sum(axis=0)
    scores *= sample_weight / sums
    log_evidence = largest
    log_evidence += np.log(sums)
    if impossible.any():
        log_evidence[impossible] = -np.inf
    return log_evidence, scores
