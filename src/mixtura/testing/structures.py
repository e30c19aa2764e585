"""Checks of a structure (:class:`mixtura.protocols.Structure`), by name."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.components import hooks
from mixtura.protocols import Array, Batch, Inference
from mixtura.statistics import Statistics
from mixtura.testing.compare import ROUNDING, STEP, directions, fail, same, same_sums

__all__ = ["STRUCTURE_CHECKS", "StructureSpecimen"]


@dataclass(frozen=True)
class StructureSpecimen:
    """A structure, scores, and rows in units of several sizes.

    Parameters
    ----------
    structure : Structure
        With parameters.
    scores : ndarray, shape (K, B)
        Log densities.
    offsets : ndarray, shape (U + 1,), optional
        Where units begin; None makes every row a unit.
    seed : int, default 0
        Of weights and perturbations.
    covariates : ndarray, shape (Q, B), optional
        What the law of the states depends on.
    """

    structure: Any
    scores: Array
    offsets: Array | None = None
    seed: int = 0
    covariates: Array | None = None

    @property
    def sequential(self) -> bool:
        """Whether rows of a unit follow each other in time, so that weights belong to units."""
        return getattr(self.structure, "sequential", False)

    @property
    def weight(self) -> Array:
        """Whole numbers from 1 to 3, one a row, or one for all rows of a sequence."""
        rng = np.random.default_rng(self.seed)
        weight = np.asarray(rng.integers(1, 4, self.scores.shape[1]), dtype=np.float64)
        if self.sequential and self.offsets is not None:
            return np.repeat(weight[self.offsets[:-1]], np.diff(self.offsets))
        return weight

    def infer(
        self,
        rows: slice | Array = slice(None),
        *,
        structure: Any = None,
        scores: Array | None = None,
        weight: Array | None = None,
        offsets: Array | None = None,
    ) -> Inference:
        """What the structure concludes from some of the rows, with a fresh memory."""
        scores = (self.scores if scores is None else scores)[:, rows]
        weight = (self.weight if weight is None else weight)[rows]
        covariates = None if self.covariates is None else self.covariates[:, rows]
        batch = Batch(None, weight, self.offsets if offsets is None else offsets, covariates=covariates)
        return (structure or self.structure).infer(scores.copy(), batch, {})

    def total(self, found: Inference) -> float:
        """Log evidence of all rows."""
        return float(np.sum(found.log_evidence * (1.0 if self.structure.weights_inside else self.weight)))


def _resp_sums(s: StructureSpecimen) -> None:
    found = s.infer()
    same(
        found.resp.sum(axis=0),
        s.weight,
        ROUNDING,
        "the columns of resp summed",
        "resp carries the rows' weights",
    )
    if (found.resp < 0).any():
        fail(f"resp holds {found.resp.min():.3g}; expected no negative responsibility.")
    same(
        found.statistics["count"],
        found.resp.sum(axis=1),
        1e-9,
        "'count'",
        "counts are sums of responsibilities",
    )


def _structure_additive(s: StructureSpecimen) -> None:
    edges = np.arange(s.scores.shape[1] + 1) if s.offsets is None else s.offsets
    unit = len(edges) // 3
    cut = edges[unit]
    halves = [
        s.infer(slice(0, cut), offsets=None if s.offsets is None else edges[: unit + 1]),
        s.infer(slice(cut, None), offsets=None if s.offsets is None else edges[unit:] - cut),
    ]
    whole = s.infer()
    # A local loop may stop one round earlier in a smaller batch; its tolerance bounds the difference.
    same_sums(
        halves[0].statistics + halves[1].statistics, whole.statistics, "sums of two parts", "units add", 1e-3
    )
    evidence = np.concatenate([half.log_evidence for half in halves])
    same(evidence, whole.log_evidence, 1e-3, "log evidence of two parts", "units are independent")


def _structure_pure(s: StructureSpecimen) -> None:
    before, first = s.structure.coordinates().copy(), s.infer()
    s.structure.maximize(first.statistics)
    same(s.infer().resp, first.resp, 0.0, "resp a second time", "nothing accumulates in a structure")
    same(
        s.structure.coordinates(),
        before,
        0.0,
        "the structure after maximize",
        "maximize returns a new object",
    )


def _repeated(s: StructureSpecimen) -> tuple[Array, Array | None]:
    """Rows, or whole sequences, as often as their weights say, and where units of these begin."""
    times = s.weight.astype(int)
    if s.offsets is None or not s.sequential:
        rows = np.repeat(np.arange(len(times)), times)
        return rows, None if s.offsets is None else np.concatenate([[0], np.cumsum(times)])[s.offsets]
    units = np.repeat(np.arange(len(s.offsets) - 1), times[s.offsets[:-1]])
    rows = np.concatenate([np.arange(s.offsets[unit], s.offsets[unit + 1]) for unit in units])
    return rows, np.concatenate([[0], np.cumsum(np.diff(s.offsets)[units])])


def _structure_weights(s: StructureSpecimen) -> None:
    rows, offsets = _repeated(s)
    repeated = s.infer(rows, weight=np.ones(s.scores.shape[1]), offsets=offsets)
    weighted = s.infer()
    same(
        weighted.statistics["count"],
        repeated.statistics["count"],
        1e-9,
        "'count' with whole weights",
        "a weight of 2 is the row twice",
    )
    same(
        s.total(weighted),
        repeated.log_evidence.sum(),
        1e-9,
        "total log evidence",
        "a weight of 2 is the row twice",
    )


def _structure_permutation(s: StructureSpecimen) -> bool | None:
    if not getattr(s.structure, "exchangeable", True):
        return False
    order = np.roll(np.arange(s.structure.n_components), 1)
    found = s.infer(structure=s.structure.take(order), scores=s.scores[order])
    same(found.resp, s.infer().resp[order], 1e-9, "resp of permuted states", "states have no order")
    return None


def _raised(structure: Any, stats: Statistics) -> float:
    """What `maximize` raises."""
    return float(structure.expected_log_prob(stats)) - hooks.penalty(structure)


def _structure_stationary(s: StructureSpecimen) -> None:
    stats = s.infer().statistics
    new = s.structure.maximize(stats)
    best, theta = _raised(new, stats), new.coordinates()
    for size in (1e-1, 1e-2, 1e-3):
        for direction in directions(len(theta), np.random.default_rng(s.seed)):
            value = _raised(new.from_coordinates(theta + size * direction), stats)
            # Rounding; root finders stop at relative steps of 1e-13, squared in the objective.
            if value > best + 1e-10 * (abs(best) + 1.0):
                fail(
                    f"expected_log_prob, less a prior's penalty, after maximize is {best:.12g}, and {value:.12g} after moving the "
                    f"coordinates by {size:g} along {np.round(direction, 2)}; expected no perturbation to raise it."
                )


def _structure_coordinates(s: StructureSpecimen) -> None:
    back = s.structure.from_coordinates(s.structure.coordinates())
    same(
        s.infer(structure=back).resp,
        s.infer().resp,
        1e-9,
        "resp after a round trip of coordinates",
        "inverse",
    )


def _structure_transport(s: StructureSpecimen) -> None:
    copied = pickle.loads(pickle.dumps(s.structure))  # noqa: S301 - our own bytes, for workers; files never use pickle
    same(
        s.infer(structure=copied).resp,
        s.infer().resp,
        0.0,
        "resp of a pickled copy",
        "structures are plain values",
    )


def _posterior(s: StructureSpecimen) -> None:
    resp = s.infer().resp
    found = np.zeros((len(resp), min(12, resp.shape[1])))
    for k, b in np.ndindex(*found.shape):
        rise = []
        for sign in (1.0, -1.0):
            scores = s.scores.copy()
            scores[k, b] += sign * STEP
            rise.append(s.total(s.infer(scores=scores)))
        found[k, b] = (rise[0] - rise[1]) / (2.0 * STEP)
    # Differences carry six digits of a total of a hundred nats.
    same(
        found,
        resp[:, : found.shape[1]],
        1e-5,
        "the derivative of the log evidence by the scores",
        "it is resp",
    )


def _fisher(s: StructureSpecimen) -> None:
    stats, theta = s.infer().statistics, s.structure.coordinates()
    found, expected = np.zeros(len(theta)), np.zeros(len(theta))
    for c in range(len(theta)):
        step = STEP * np.eye(len(theta))[c]
        up, down = (s.structure.from_coordinates(theta + sign * step) for sign in (1.0, -1.0))
        rise = s.total(s.infer(structure=up)) - s.total(s.infer(structure=down))
        found[c] = rise / (2.0 * STEP)
        expected[c] = (up.expected_log_prob(stats) - down.expected_log_prob(stats)) / (2.0 * STEP)
    # As above.
    same(
        found,
        expected,
        1e-5,
        "the derivative of the log evidence by the coordinates",
        "by Fisher's identity it is that of expected_log_prob: are the weights in the E-step those of the structure?",
    )


#: Checks of a structure, by name; each takes a `StructureSpecimen`.
STRUCTURE_CHECKS: dict[str, Callable[[StructureSpecimen], bool | None]] = {
    "responsibilities": _resp_sums,
    "posterior": _posterior,
    "Fisher's identity": _fisher,
    "additive": _structure_additive,
    "pure": _structure_pure,
    "integer weights": _structure_weights,
    "permutation": _structure_permutation,
    "stationary": _structure_stationary,
    "coordinates": _structure_coordinates,
    "transport": _structure_transport,
}
