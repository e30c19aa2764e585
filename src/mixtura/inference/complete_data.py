"""Log probabilities of rows together with their states, for any structure whose units are rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError
from mixtura.protocols import Array, Batch
from mixtura.structures import LatentMixture
from mixtura.structures.latent_mixture import restricted

__all__ = ["finite", "joint_of", "log_prior", "posterior"]


def log_prior(model: LatentMixture, batch: Batch) -> Array:
    """Log probability of every state before its row is seen, shape (K, B) or, the same for all rows, (K, 1).

    It is the log evidence of a row that only one state can have, so no structure has to say it.
    """
    if batch.covariates is None:
        batch = Batch(None, np.ones(1))
    size = (model.n_components, len(batch.sample_weight))
    found = np.empty(size)
    for k in range(model.n_components):
        scores = np.full(size, -1e6)
        scores[k] = 0.0
        found[k] = model.structure.infer(scores, batch, {}).log_evidence
    return found


def joint_of(model: LatentMixture, block: Any, batch: Batch) -> Array:
    """log p(x, state), shape (K, B); minus infinity for states that a row may not have."""
    return restricted(model.components.log_prob(block) + log_prior(model, batch), batch)


def posterior(joint: Array, batch: Batch) -> Array:
    """Probabilities of the states given the rows, shape (K, B), from `joint_of`."""
    largest = joint.max(axis=0)
    bad = np.flatnonzero(~np.isfinite(largest) & (batch.sample_weight > 0))
    if bad.size:
        msg = (
            f"Row {bad[0]} of batch {batch.id} has log-likelihood {largest[bad[0]]} under the fitted model; expected a finite number. "
            "Give the rows that the model was fitted to, or weight 0 to rows that it cannot have."
        )
        raise InvalidDataError(msg)
    resp = np.exp(joint - np.where(np.isfinite(largest), largest, 0.0))
    return np.asarray(resp / np.maximum(resp.sum(axis=0), 1e-300))


def finite(joint: Array, resp: Array) -> Array:
    """Log probabilities, zero where a state has no part in a row."""
    return np.where(resp > 0, joint, 0.0)
