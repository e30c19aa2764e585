"""Hidden Markov chains by enumeration: every path of a short sequence, its probability, and what follows from all of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np


@dataclass
class Enumerated:
    """All paths of one sequence, (n_paths, T), and their joint densities with the rows, (n_paths,)."""

    paths: np.ndarray
    joint: np.ndarray

    @property
    def log_evidence(self):
        with np.errstate(divide="ignore"):
            return float(np.log(self.joint.sum()))

    def smoothed(self, n_components):
        found = np.zeros((self.paths.shape[1], n_components))
        for path, weight in zip(self.paths, self.joint, strict=True):
            for t, state in enumerate(path):
                found[t, state] += weight
        return found / self.joint.sum()

    def pairs(self, n_components):
        found = np.zeros((n_components, n_components))
        for path, weight in zip(self.paths, self.joint, strict=True):
            for before, after in pairwise(path):
                found[before, after] += weight
        return found / self.joint.sum()

    def best(self, n_paths):
        """Log joint densities and paths of the n best that are possible; of equal ones the order is not said."""
        order = np.argsort(-self.joint, kind="stable")[:n_paths]
        order = order[self.joint[order] > 0]
        return np.log(self.joint[order]), self.paths[order]


def enumerated(scores, initial, transition):
    """Every path of one sequence: scores (K, T), transition (K, K) or (T, K, K) of the step that enters the row."""
    n_components, n_rows = scores.shape
    moves = np.broadcast_to(transition, (n_rows, n_components, n_components))
    paths = np.array(list(product(range(n_components), repeat=n_rows)))
    joint = []
    for path in paths:
        weight = initial[path[0]] * np.exp(scores[path[0], 0])
        for t in range(1, n_rows):
            weight *= moves[t, path[t - 1], path[t]] * np.exp(scores[path[t], t])
        joint.append(weight)
    return Enumerated(paths, np.array(joint))


def ahead_of(scores, initial, transition):
    """p(z_t | x_1, ..., x_{t-1}) by enumeration, (T, K)."""
    found = []
    for t in range(scores.shape[1]):
        blind = scores[:, : t + 1].copy()
        blind[:, t] = 0.0
        moves = transition[: t + 1] if transition.ndim == 3 else transition
        found.append(enumerated(blind, initial, moves).smoothed(len(initial))[t])
    return np.array(found)
