"""Sequences of a hidden Markov chain with Gaussian rows, a start near the truth, and the models that learn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.components import Gaussian
from mixtura.data import make_source
from mixtura.protocols import Encoding, Pass, Source
from mixtura.structures import LatentMixture, Markov


@dataclass(frozen=True)
class Sequences:
    """Rows, where sequences begin, and parameters to start from: the same for everybody."""

    x: np.ndarray
    offsets: np.ndarray
    initial: np.ndarray
    transition: np.ndarray
    means: np.ndarray
    covariance: np.ndarray

    @property
    def lengths(self) -> list[int]:
        return np.diff(self.offsets).tolist()


def sequences(n_rows: int, n_states: int, n_sequences: int = 1, d: int = 2, seed: int = 0) -> Sequences:
    """A chain that stays four times in five; block by block, so that making it takes no memory beyond the rows."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0.0, 4.0, (n_states, d))
    moves = 0.2 * rng.dirichlet(np.full(n_states, 0.5), n_states) + 0.8 * np.eye(n_states)
    cumulative = moves.cumsum(axis=1)
    cumulative[:, -1] = 1.0
    x = np.empty((n_rows, d))
    state = 0
    for begin in range(0, n_rows, 100_000):
        block = x[begin : begin + 100_000]
        uniform = rng.random(len(block)).tolist()
        path = np.empty(len(block), dtype=np.intp)
        for t, one in enumerate(uniform):
            path[t] = state = int(cumulative[state].searchsorted(one, side="right"))
        rng.standard_normal(out=block)
        block += means[path]
    return Sequences(
        x,
        np.arange(0, n_rows + 1, n_rows // n_sequences),
        np.full(n_states, 1.0 / n_states),
        np.full((n_states, n_states), 0.5 / n_states) + 0.5 * np.eye(n_states),
        means + rng.normal(0.0, 0.3, means.shape),
        np.tile(np.eye(d), (n_states, 1, 1)),
    )


def ours(data: Sequences, *, checkpoint: bool = False) -> tuple[LatentMixture, Source]:
    """The model at the start, and its batches."""
    encoding = Encoding(data.x.shape[1], origin=data.x[:100_000].mean(axis=0))
    structure = Markov(data.initial, data.transition, checkpoint=checkpoint)
    components = Gaussian(data.means - encoding.origin, data.covariance)
    source = make_source(data.x, encoding, None, data.offsets, 8192)
    return LatentMixture(components, structure, encoding), source


def step(model: LatentMixture, source: Source, session: Pass) -> LatentMixture:
    """One Baum-Welch step of a fit that is under way: a pass and the M-step."""
    return model.maximize(session.total(model.summarize, source))
