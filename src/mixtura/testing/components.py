"""Checks of a component (:class:`mixtura.protocols.Component`), by name.

Long, because the table of checks is one thing; each check is a few lines and stands for itself.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import DegenerateComponentError
from mixtura.protocols import Array, Component, Encoding
from mixtura.statistics import Statistics
from mixtura.testing.compare import ROUNDING, SINGLE, STANDARD_ERRORS, STEP, directions, fail, same, same_sums

__all__ = ["COMPONENT_CHECKS", "ComponentSpecimen"]


@dataclass(frozen=True)
class ComponentSpecimen:
    """A component and the rows on which it is checked.

    Parameters
    ----------
    component : Component
        With parameters.
    x : ndarray, shape (D, B)
        Rows, feature-major.
    log_density : callable, optional
        An independent implementation: ``log_density(x, k)`` returns log p(x | k), shape (B,).
    support : ndarray, shape (D, S), optional
        All points of a discrete law, or the midpoints of equal cells that cover a continuous one.
    volume : float, default 1
        Volume of a cell of `support`.
    generic : Component, optional
        The same law computed by other code, which a fast override must equal.
    seed : int, default 0
        Of the responsibilities, the samples and the perturbations.
    """

    component: Any
    x: Array
    log_density: Callable[[Array, int], Array] | None = None
    support: Array | None = None
    volume: float = 1.0
    generic: Any = None
    seed: int = 0

    @property
    def encoding(self) -> Encoding:
        """Rows as they are."""
        return Encoding(self.x.shape[0])

    @property
    def resp(self) -> Array:
        """Soft responsibilities, shape (K, B); columns sum to one."""
        resp = self.rng().gamma(1.0, size=(self.component.n_components, self.x.shape[1])) + 0.01
        return np.asarray(resp / resp.sum(axis=0))

    def rng(self) -> np.random.Generator:
        """A fresh generator."""
        return np.random.default_rng(self.seed)

    def log_prob(self, component: Component, x: Array | None = None) -> Array:
        """Scores of a component, shape (K, B)."""
        return np.array(component.log_prob(component.encode(self.x if x is None else x, self.encoding)))

    def sums(self, x: Array | None = None, resp: Array | None = None) -> Statistics:
        """Expected statistics of the component."""
        block = self.component.encode(self.x if x is None else x, self.encoding)
        return self.component.expected_statistics(block, self.resp if resp is None else resp)

    def sampled(self, n: int) -> tuple[Array, Array]:
        """Rows of every component, shape (D, K n), and the component of each."""
        rng, size = self.rng(), self.component.n_components
        rows = np.concatenate([self.component.sample(k, n, rng) for k in range(size)])
        return np.ascontiguousarray(rows.T, dtype=np.float64), np.repeat(np.arange(size), n)


def _reference(s: ComponentSpecimen) -> bool | None:
    if s.log_density is None:
        return False
    expected = np.stack([s.log_density(s.x, k) for k in range(s.component.n_components)])
    # Two implementations with different special functions agree to about ten digits.
    same(s.log_prob(s.component), expected, 1e-9, "log_prob", "the independent log density is right")
    return None


def _normalised(s: ComponentSpecimen) -> bool | None:
    if s.support is None:
        return False
    total = np.exp(s.log_prob(s.component, s.support)).sum(axis=1) * s.volume
    # The midpoint rule on smooth densities and the tails outside the support.
    same(total, np.ones_like(total), 1e-6, "the density summed over the support", "a density sums to one")
    return None


def _sampled_score(s: ComponentSpecimen) -> None:
    x, label = s.sampled(3000)
    for c, gradient in _score_gradients(s, x):
        own = gradient[label, np.arange(len(label))]
        for k in range(s.component.n_components):
            values = own[label == k]
            error = values.std() / np.sqrt(len(values))
            if abs(values.mean()) > STANDARD_ERRORS * error + 1e-6:
                fail(
                    f"component {k}: over 3000 sampled rows the derivative of log_prob by coordinate {c} averages "
                    f"{values.mean():.4g}, {abs(values.mean()) / (error + 1e-300):.1f} standard errors from zero; "
                    f"expected at most {STANDARD_ERRORS:g}. `sample` and `log_prob` are not of one law: is a variance "
                    "used as a standard deviation?"
                )


def _additive(s: ComponentSpecimen) -> None:
    cut = s.x.shape[1] // 3
    parts = [s.sums(s.x[:, rows], s.resp[:, rows]) for rows in (slice(None, cut), slice(cut, None))]
    same_sums(
        parts[0] + parts[1],
        s.sums(),
        "the sums of two parts added",
        "sums about one origin add, averages do not",
    )


def _linear(s: ComponentSpecimen) -> None:
    other = s.resp[::-1]
    mixed = s.sums(resp=0.25 * s.resp + 2.0 * other)
    same_sums(
        mixed,
        s.sums() * 0.25 + s.sums(resp=other) * 2.0,
        "sums of mixed responsibilities",
        "sums are linear in resp",
    )


def _pure(s: ComponentSpecimen) -> None:
    before = s.component.coordinates().copy()
    resp = s.resp
    kept = resp.copy()
    first, scores = s.sums(resp=resp), s.log_prob(s.component)
    new = s.component.maximize(first).coordinates()
    same_sums(
        s.sums(resp=resp), first, "the same sums taken a second time", "nothing accumulates in a component"
    )
    same(
        s.log_prob(s.component),
        scores,
        0.0,
        "the same scores a second time",
        "nothing accumulates in a component",
    )
    again = s.component.maximize(s.sums(resp=resp)).coordinates()
    same(again, new, 0.0, "the same maximize a second time", "nothing accumulates in a component")
    same(
        s.component.coordinates(),
        before,
        0.0,
        "the component after maximize",
        "maximize returns a new object",
    )
    same(resp, kept, 0.0, "resp after expected_statistics", "arguments are not overwritten")


def _integer_weights(s: ComponentSpecimen) -> None:
    weight = s.rng().integers(0, 4, s.x.shape[1])
    repeated = s.sums(np.repeat(s.x, weight, axis=1), np.repeat(s.resp, weight, axis=1))
    same_sums(
        s.sums(resp=s.resp * weight), repeated, "sums with whole weights", "a weight of 2 is the row twice"
    )


def _stationary(s: ComponentSpecimen) -> bool | None:
    new = s.component.maximize(s.sums())
    if not new.exact:
        return False
    resp, theta = s.resp, new.coordinates()

    def raised(component: Component) -> float:
        """What `maximize` raises: with a prior, less its penalty."""
        return float(np.sum(resp * s.log_prob(component))) - hooks.penalty(component)

    best = raised(new)
    # Rounding of a sum of B K terms; the smallest perturbation changes it by about 1e-6 of a row's information.
    allowed = 1e-11 * (abs(best) + s.x.shape[1])
    for size in (1e-1, 1e-2, 1e-3):
        for direction in directions(len(theta), s.rng()):
            value = raised(new.from_coordinates(theta + size * direction))
            if value > best + allowed:
                fail(
                    f"the expected log-likelihood (less a prior's penalty) is {best:.12g} after maximize, and {value:.12g} after moving "
                    f"the coordinates by {size:g} along {np.round(direction, 2)}; expected no perturbation to raise it. "
                    "maximize does not return the maximum: a biased estimate, or an iteration that stopped early?"
                )
    return None


def _inner_product(s: ComponentSpecimen) -> None:
    stats, resp, theta = s.sums(), s.resp, s.component.coordinates()
    other = s.component.from_coordinates(theta + 0.1 * s.rng().standard_normal(len(theta)))
    found = other.expected_log_prob(stats) - s.component.expected_log_prob(stats)
    expected = np.sum(resp * (s.log_prob(other) - s.log_prob(s.component)))
    size = abs(s.component.expected_log_prob(stats)) + abs(np.sum(resp * s.log_prob(s.component)))
    if abs(found - expected) > 1e-9 * (size + 1.0):
        fail(
            f"between two parameter values expected_log_prob changes by {found:.10g}, the sum of resp times log_prob by "
            f"{expected:.10g}; expected both to be equal up to rounding. expected_log_prob is <statistics, parameters>."
        )


def _permutation(s: ComponentSpecimen) -> None:
    order = s.rng().permutation(s.component.n_components)
    order = order[::-1] if np.array_equal(order, np.arange(len(order))) else order
    shuffled = s.component.take(order)
    same(
        s.log_prob(shuffled),
        s.log_prob(s.component)[order],
        ROUNDING,
        "scores of take(order)",
        "take reorders",
    )
    stats = s.sums()
    found = s.log_prob(s.component.take(order).maximize(stats.take(order)))
    expected = s.log_prob(s.component.maximize(stats))[order]
    # Tied parameters add the same terms in another order.
    same(found, expected, 1e-8, "scores after maximize of permuted sums", "components have no order")


def _take_concatenate(s: ComponentSpecimen) -> None:
    size = s.component.n_components
    ones = [s.component.take([k]) for k in range(size)]
    joined = ones[0].concatenate(ones[1:])
    same(
        s.log_prob(joined),
        s.log_prob(s.component),
        ROUNDING,
        "scores of the parts joined",
        "concatenate undoes take",
    )


def _coordinates(s: ComponentSpecimen) -> None:
    theta = s.component.coordinates()
    back = s.component.from_coordinates(theta)
    # Logarithms and exponentials of a round trip cost a few digits.
    same(
        s.log_prob(back), s.log_prob(s.component), 1e-9, "scores after a round trip of coordinates", "inverse"
    )
    wild = s.component.from_coordinates(theta + 3.0 * s.rng().standard_normal(len(theta)))
    if np.isnan(s.log_prob(wild)).any():
        fail(
            "some coordinates give NaN scores; expected every real vector to be valid (use logs, log-Cholesky)."
        )


def _parameters(s: ComponentSpecimen) -> None:
    columns = np.stack([gradient.ravel() for _, gradient in _score_gradients(s, s.sampled(60)[0])], axis=1)
    values = np.linalg.svd(columns / (np.linalg.norm(columns, axis=0) + 1e-300), compute_uv=False)
    rank = int(np.sum(values > 1e-6 * values[0]))  # differences carry ten digits, dependent columns none
    if rank != s.component.n_parameters():
        fail(
            f"n_parameters is {s.component.n_parameters()}, but log_prob depends on {rank} independent directions of the "
            "coordinates; expected both to be equal. Count free parameters: shares that sum to one have one fewer."
        )


def _single_precision(s: ComponentSpecimen) -> None:
    single = Encoding(s.x.shape[0], dtype="float32")
    block = s.component.encode(s.x.astype(np.float32), single)
    same(
        s.component.log_prob(block),
        s.log_prob(s.component),
        SINGLE,
        "float32 scores",
        "float32 is float64 rounded",
    )
    stats = s.component.expected_statistics(block, s.resp.astype(np.float32))
    same_sums(stats, s.sums(), "float32 sums", "float32 is float64 rounded", SINGLE)
    wrong = [
        name
        for name, value in stats.to_arrays().items()
        if value.dtype != np.float64 and not name.endswith("@origin")
    ]
    if wrong:
        fail(
            f"sums {wrong} of a float32 block are not float64; expected float64, so that batches add without loss."
        )


def _override(s: ComponentSpecimen) -> bool | None:
    if s.generic is None:
        return False
    same(
        s.log_prob(s.component),
        s.log_prob(s.generic),
        1e-9,
        "scores",
        "a fast override equals the generic method",
    )
    resp = s.resp
    generic = s.generic.expected_statistics(s.generic.encode(s.x, s.encoding), resp)
    found = s.log_prob(s.component.maximize(s.sums(resp=resp)))
    # Moments are about other origins, so the last digits of variances differ.
    same(found, s.log_prob(s.generic.maximize(generic)), 1e-8, "scores after maximize", "one definition")
    return None


def _empty(s: ComponentSpecimen) -> None:
    resp = s.resp
    empty = [0] if s.component.n_components < 3 else [0, 2]
    resp[empty] = 0.0
    try:
        s.component.maximize(s.sums(resp=resp))
    except DegenerateComponentError as error:
        named = [event.component for event in error.events]
        if named != empty:
            fail(
                f"maximize names component(s) {named} as degenerate; expected all empty ones and no other: {empty}."
            )
        return
    fail(
        f"maximize accepts component(s) {empty} without rows; expected DegenerateComponentError naming them."
    )


def _check_halves(before: Statistics, after: Statistics) -> None:
    """Sums over the components are the same after a split, in all parts."""
    before, after = before.about(None), after.about(None)
    for name in before.sums.keys() - before.shared:
        same(
            after[name].sum(axis=0),
            before[name].sum(axis=0),
            1e-9,
            f"'{name}' of both halves",
            "a split keeps sums",
        )
    for name, part in before.parts.items():
        _check_halves(part, after.parts[name])


def _split(s: ComponentSpecimen) -> None:
    stats = s.component.maximize(s.sums()).split(s.sums(), 0)
    size = s.component.n_components
    _check_halves(s.sums(), stats)
    if stats["count"].shape != (size + 1,):
        fail(
            f"split returns {stats['count'].shape[0]} components; expected {size + 1}, the second half last."
        )
    halves = s.log_prob(s.component.take([*range(size), 0]).maximize(stats))[[0, -1]]
    if not np.isfinite(halves).all() or np.allclose(halves[0], halves[1]):
        fail(
            "the two halves of a split component score alike; expected them to differ, or EM never separates them."
        )


def _transport(s: ComponentSpecimen) -> None:
    copied = pickle.loads(pickle.dumps(s.component))  # noqa: S301 - our own bytes, for workers; files never use pickle
    same(
        s.log_prob(copied),
        s.log_prob(s.component),
        0.0,
        "scores of a pickled copy",
        "components are plain values",
    )


def _score_gradients(s: ComponentSpecimen, x: Array) -> Iterator[tuple[int, Array]]:
    """Derivative of log_prob (K, B) by each coordinate, through central differences."""
    theta = s.component.coordinates()
    for c in range(len(theta)):
        step = np.zeros_like(theta)
        step[c] = STEP * max(abs(theta[c]), 1.0)
        up, down = (s.log_prob(s.component.from_coordinates(theta + sign * step), x) for sign in (1.0, -1.0))
        yield c, (up - down) / (2.0 * step[c])


#: Checks of a component, by name; each takes a `ComponentSpecimen` and returns False where it does not apply.
COMPONENT_CHECKS: dict[str, Callable[[ComponentSpecimen], bool | None]] = {
    "reference": _reference,
    "normalised": _normalised,
    "sampled score": _sampled_score,
    "additive": _additive,
    "linear": _linear,
    "pure": _pure,
    "integer weights": _integer_weights,
    "stationary": _stationary,
    "inner product": _inner_product,
    "permutation": _permutation,
    "take and concatenate": _take_concatenate,
    "coordinates": _coordinates,
    "parameters": _parameters,
    "single precision": _single_precision,
    "override": _override,
    "empty": _empty,
    "split": _split,
    "transport": _transport,
}
