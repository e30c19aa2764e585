r"""A mixture as a component: K components, each a mixture of M inner ones with weights of its own.

.. math:: \log p(x\mid k) = \log\sum_m \pi_{km}\,p(x\mid k, m)

Which inner component a row comes from is one more hidden label. Given the outer responsibilities :math:`r_k`, those of
the inner ones are :math:`r_k\,p(m\mid x, k)`; their counts and sums give the weights and the inner M-step [1]_. One
such step is no maximum of the sum of :math:`r_k \log p(x\mid k)`, but a step of EM with both labels hidden, so the
likelihood never falls. As the states of a hidden Markov model these components make the GMM-HMM [2]_.

The file is long because the whole contract of a component is here, with all that it may say beside it.

References
----------
.. [1] J. Q. Li (2005), "Clustering based on a multilayer mixture model", Journal of Computational and Graphical Statistics
   14(3), 547-568.
.. [2] L. R. Rabiner (1989), "A tutorial on hidden Markov models", Proceedings of the IEEE 77(2), equations 52 to 54.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.special import logsumexp

from mixtura.components import hooks
from mixtura.components.combining import as_component, described, interleaved, needs_own_origin
from mixtura.components.conditioning import log_prob_at, observed_log_prob
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError
from mixtura.protocols import Array, Encoding
from mixtura.statistics import Statistics

__all__ = ["Nested"]

_LOG_TINY = -700.0


class _Block:
    """A batch as the inner components see it, and the last scores of it: the sums need them again.

    Parameters
    ----------
    inner : object
        The inner components' block.
    """

    __slots__ = ("inner", "of", "scores")

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.of: Nested | None = None
        self.scores: tuple[Array, Array] | None = None


class Nested:
    """K components, each a mixture of M inner components of one kind.

    Parameters
    ----------
    inner : Component or ExponentialFamily
        What the inner components are; where it has parameters, K M components, those of the first outer one first.
    n_inner : int
        M, inner components of each outer one.
    weights : array_like, shape (K, M), optional
        Weights of the inner components; rows sum to one. Default where `inner` has parameters: all alike.

    Notes
    -----
    *Start.* Without parameters, the sums are those of one inner component for each outer one. The first M-step then makes M
    of each: M - 1 times the largest is split in two along its main axis (`split` of the inner component), and all are
    maximised again. The start is thus told from sums alone, is the same every time, and no two inner components are alike.

    Examples
    --------
    >>> from mixtura.components import Gaussian
    >>> inner = Gaussian(
    ...     np.array([[-2.0], [2.0], [0.0], [0.0]]), np.array([1.0, 1.0, 1.0, 9.0])[:, None, None]
    ... )
    >>> two = Nested(inner, 2, [[0.5, 0.5], [0.9, 0.1]])
    >>> two.log_prob(two.encode(np.array([[0.0]]), Encoding(1))).round(4)
    array([[-2.9189],
           [-0.9879]])
    """

    #: Even without parameters it may hold a region that has a place (of noise).
    located = True

    def __init__(self, inner: Any, n_inner: int, weights: Any = None) -> None:
        self.inner: Any = as_component(inner, "inner")
        if isinstance(n_inner, bool) or not isinstance(n_inner, int | np.integer) or n_inner < 1:
            msg = f"n_inner is {n_inner!r}; expected a whole number of at least 1."
            raise InvalidParameterError(msg)
        self.n_inner = int(n_inner)
        self._log_weights: Array | None = None
        if not hooks.is_blank(self.inner):
            self._log_weights = _checked_weights(weights, int(self.inner.n_components), self.n_inner)
        elif weights is not None:
            msg = "weights are given, but the inner components have no parameters: give both or neither."
            raise InvalidParameterError(msg)

    def __repr__(self) -> str:
        return f"Nested({self.inner!r}, M={self.n_inner})"

    def _with(self, inner: Any, log_weights: Array) -> Self:
        new = copy.copy(self)
        new.inner, new._log_weights = inner, log_weights
        return new

    # --- what it says of itself -------------------------------------------------------------------------------
    @property
    def log_weights(self) -> Array:
        """Logarithms of the inner weights, shape (K, M)."""
        if self._log_weights is None:
            msg = "The nested components have no parameters yet: fit them, or call maximize first."
            raise InvalidParameterError(msg)
        return self._log_weights

    @property
    def weights(self) -> Array:
        """Inner weights, shape (K, M); rows sum to one."""
        return np.asarray(np.exp(self.log_weights))

    @property
    def blank(self) -> bool:
        """Whether there are no parameters yet."""
        return self._log_weights is None

    @property
    def n_components(self) -> int:
        """K, number of outer components."""
        return len(self.log_weights)

    @property
    def exact(self) -> bool:
        """Whether the inner M-step was exact: then no step lowers the likelihood."""
        return bool(self.inner.exact)

    @property
    def regularized(self) -> bool:
        """Whether the inner components add to their variances."""
        return bool(getattr(self.inner, "regularized", False))

    @property
    def centred(self) -> Any:
        """As the inner components."""
        return self.inner.centred

    @property
    def marginal(self) -> Any:
        """As the inner components."""
        return getattr(self.inner, "marginal", False)

    @property
    def standardized(self) -> bool:
        """As the inner components."""
        return hooks.is_standardized(self.inner)

    @property
    def name(self) -> str:
        """The inner components'."""
        return f"mixture of {self.n_inner} {described(self.inner)} components"

    @property
    def support(self) -> str:
        """That of the inner components."""
        return str(getattr(self.inner, "support", "finite numbers"))

    def outside(self, x: Any) -> Array | None:
        """Values that the inner components cannot have."""
        return hooks.outside(self.inner, x)

    def features(self, x: Any) -> Any:
        """Those of the inner components."""
        return hooks.features(self.inner, x)

    def table(self, names: Sequence[str], origin: Array | None) -> list[tuple[str, str, str, Array]]:
        """Inner weights and parameters, with the number of the inner component after the parameter's name."""
        rows = [("weight", "", "", self.weights.ravel()), *hooks.table(self.inner, names, origin)]
        return [
            (f"{parameter} {m}", feature, other, values[m :: self.n_inner])
            for m in range(self.n_inner)
            for parameter, feature, other, values in rows
        ]

    def moved(self, by: Array) -> Self:
        """The same components about an origin that lies `by`, shape (D,), farther."""
        new = copy.copy(self)
        new.inner = hooks.moved(self.inner, by)
        return new

    def n_statistics(self, n_features: int) -> int:
        """Rows of the inner block, and the inner scores."""
        return int(self.inner.n_statistics(n_features)) + 2 * self.n_inner

    def n_parameters(self) -> int:
        """K (M - 1) weights and the inner parameters."""
        return self.n_components * (self.n_inner - 1) + int(self.inner.n_parameters())

    # --- the pass ---------------------------------------------------------------------------------------------
    def needs_own_origin(self, encoding: Encoding) -> bool:
        """Whether the inner components ask for it."""
        return needs_own_origin(self.inner, encoding)

    def encode(self, x: Any, encoding: Encoding) -> _Block:
        """What the inner components need."""
        return _Block(self.inner.encode(x, encoding))

    def _joint(self, block: _Block) -> tuple[Array, Array]:
        """log pi_km + log p(x | k, m), shape (K, M, B), and log p(x | k), shape (K, B)."""
        if block.scores is None or block.of is not self:
            block.of, block.scores = self, self._scored(block.inner)
        return block.scores

    def _scored(self, block: Any) -> tuple[Array, Array]:
        joint = self.inner.log_prob(block).reshape(*self.log_weights.shape, -1)
        joint = joint + self.log_weights[:, :, None].astype(joint.dtype)
        top = joint.max(axis=1)
        top = np.where(np.isfinite(top), top, 0.0)
        with np.errstate(divide="ignore"):  # a row that is impossible under all of them
            return joint, top + np.log(np.exp(joint - top[:, None]).sum(axis=1))

    def log_prob(self, block: _Block) -> Array:
        """Scores, shape (K, B)."""
        return self._joint(block)[1].copy()  # the caller may write over them

    def expected_statistics(self, block: _Block, resp: Array) -> Statistics:
        """Counts, inner counts (K, M), and for each m the inner sums of component m of all outer ones."""
        count = resp.sum(axis=1, dtype=np.float64)
        if self._log_weights is None:
            return Statistics(
                {"count": count}, parts={"start": self.inner.expected_statistics(block.inner, resp)}
            )
        joint, scores = self._joint(block)
        possible = np.where(np.isfinite(scores), scores, 0.0)
        inner = resp[:, None] * np.exp(joint - possible[:, None])
        inner_count = inner.sum(axis=2, dtype=np.float64)
        sums = self.inner.expected_statistics(block.inner, inner.reshape(-1, inner.shape[2]))
        return Statistics({"count": count, "inner_count": inner_count}, parts=self._parted(sums))

    def _parted(self, sums: Statistics) -> dict[str, Statistics]:
        """Sums of K M components as M parts of K, so that axis 0 is the outer component."""
        size = len(sums["count"])
        return {str(m): sums.take(np.arange(m, size, self.n_inner)) for m in range(self.n_inner)}

    def _joined(self, stats: Statistics) -> Statistics:
        """Inverse of `_parted`."""
        return interleaved([stats.parts[str(m)] for m in range(self.n_inner)])

    # --- the update -------------------------------------------------------------------------------------------
    def maximize(self, stats: Statistics) -> Self:
        """Inner weights and the inner M-step, or the start (see the class).

        Raises
        ------
        DegenerateComponentError
            Naming every outer component of which an inner one has no maximum.
        """
        try:
            if "start" in stats.parts:
                return self._started(stats.parts["start"])
            inner = self.inner.maximize(self._joined(stats))
        except DegenerateComponentError as error:
            raise DegenerateComponentError(self._outer(error.events, stats["count"])) from None
        with np.errstate(divide="ignore"):
            return self._with(inner, np.log(stats["inner_count"] / stats["count"][:, None]))

    def _started(self, sums: Statistics) -> Self:
        """M inner components for each outer one, from the sums of one."""
        size = len(sums["count"])
        model = _named(self.inner, sums, np.arange(size) * self.n_inner)
        owner = np.arange(size)
        for _ in range(self.n_inner - 1):
            for k in range(size):
                own = np.flatnonzero(owner == k)
                largest = int(own[np.argmax(sums["count"][own])])
                sums = model.split(sums, largest)
                model = model.take([*range(len(owner)), largest])
                owner = np.append(owner, k)
            model = _named(self.inner, sums, owner * self.n_inner)
        order = np.argsort(owner, kind="stable")
        count = sums["count"][order].reshape(size, self.n_inner)
        return self._with(model.take(order), np.log(count / count.sum(axis=1, keepdims=True)))

    def _outer(self, events: Sequence[Degenerate], count: Array) -> list[Degenerate]:
        """Degenerate inner components as degenerate outer ones."""
        reasons: dict[int, list[str]] = {}
        for event in events:
            k, m = divmod(event.component, self.n_inner)
            reasons.setdefault(k, []).append(f"inner component {m}: {event.reason}")
        return [Degenerate(k, float(count[k]), "; ".join(reasons[k])) for k in sorted(reasons)]

    def expected_log_prob(self, stats: Statistics) -> float:
        """With both labels expected: a bound whose slope is right where the sums were taken."""
        count = stats["inner_count"]
        weights = np.sum(np.where(count == 0, 0.0, self.log_weights) * count)
        return float(weights + self.inner.expected_log_prob(self._joined(stats)))

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Outer components of which an inner one is suspect."""
        found: dict[int, list[str]] = {}
        for j, reason in self.inner.suspects(self._joined(stats)).items():
            k, m = divmod(int(j), self.n_inner)
            found.setdefault(k, []).append(f"inner component {m}: {reason}")
        return {k: "; ".join(found[k]) for k in sorted(found)}

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two halves of an outer component: one half of each of its inner components in either."""
        halves = stats.take([*range(len(stats["count"])), component])
        for value in halves.sums.values():
            value[[component, -1]] *= 0.5
        sums, model = self._joined(stats), self.inner
        for m in range(self.n_inner):
            place = component * self.n_inner + m
            model, sums = model.take([*range(len(sums["count"])), place]), model.split(sums, place)
        halves.parts = self._parted(sums)
        return halves

    # --- the rest of the contract -----------------------------------------------------------------------------
    def coordinates(self) -> Array:
        """Inner log weights and the inner coordinates."""
        return np.concatenate([np.maximum(self.log_weights, _LOG_TINY).ravel(), self.inner.coordinates()])

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`; any weights are normalised."""
        vector = np.asarray(vector, dtype=np.float64)
        size = self.log_weights.size
        logs = vector[:size].reshape(self.log_weights.shape)
        return self._with(self.inner.from_coordinates(vector[size:]), _normalised(logs))

    def _inside(self, components: Sequence[int] | Array) -> Array:
        """Places of the inner components of some outer ones."""
        index = np.asarray(components, dtype=np.intp)
        return (index[:, None] * self.n_inner + np.arange(self.n_inner)).ravel()

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the outer components, with their inner ones."""
        index = np.asarray(components, dtype=np.intp)
        return self._with(self.inner.take(self._inside(index)), self.log_weights[index])

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        return self._with(
            self.inner.concatenate([part.inner for part in parts]),
            np.concatenate([self.log_weights, *(part.log_weights for part in parts)]),
        )

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one outer component, shape (n, D)."""
        shares = self.weights[component]
        label = rng.choice(self.n_inner, size=n, p=shares / shares.sum())
        drawn = {
            m: np.asarray(self.inner.sample(component * self.n_inner + int(m), int(np.sum(label == m)), rng))
            for m in np.unique(label)
        }
        rows = np.empty((n, next(iter(drawn.values())).shape[1]))
        for m, own in drawn.items():
            rows[label == m] = own
        return rows

    # --- some columns from others -----------------------------------------------------------------------------
    def restricted(self, columns: Array) -> Self:
        """Some columns of the inner components, with the same weights."""
        return self._with(hooks.restricted(self.inner, columns), self.log_weights)

    def conditioned(self, columns: Array, values: Array) -> Self:
        """The other columns of the inner components, weighted by how probable each makes the values given."""
        scores = log_prob_at(hooks.restricted(self.inner, columns), values)
        joint = self.log_weights + scores.reshape(self.log_weights.shape)
        return self._with(hooks.conditioned(self.inner, columns, values), _shares(joint, self.log_weights))

    def expected_cells(self, x: Array, resp: Array, encoding: Encoding) -> list[Array]:
        """Those of the inner components, by how probable each makes the cells that are there."""
        scores = observed_log_prob(self.inner, x, encoding).reshape(*self.log_weights.shape, -1)
        log_weights = self.log_weights[:, :, None]
        inner = resp[:, None] * np.exp(_shares(scores + log_weights, log_weights))
        return hooks.expected_cells(self.inner, x, inner.reshape(-1, inner.shape[2]), encoding)


def _shares(joint: Array, otherwise: Array) -> Array:
    """Log shares along axis 1; `otherwise` where nothing is possible."""
    total = np.asarray(logsumexp(joint, axis=1, keepdims=True))
    possible = np.isfinite(total)
    return np.where(possible, joint - np.where(possible, total, 0.0), otherwise)


def _named(blank: Any, sums: Statistics, places: Array) -> Any:
    """An M-step of the start; an error speaks of places among all K M inner components."""
    try:
        return blank.maximize(sums)
    except DegenerateComponentError as error:
        raise DegenerateComponentError(
            Degenerate(int(places[event.component]), event.count, event.reason) for event in error.events
        ) from None


def _normalised(logs: Array) -> Array:
    """Rows of log weights whose exponentials sum to one."""
    top = logs.max(axis=1, keepdims=True)
    return np.asarray(logs - top - np.log(np.exp(logs - top).sum(axis=1, keepdims=True)))


def _checked_weights(weights: Any, size: int, n_inner: int) -> Array:
    """Logarithms of given weights, or of equal ones."""
    if size % n_inner:
        msg = f"inner has {size} components; expected a multiple of n_inner={n_inner}, M for each outer component."
        raise InvalidParameterError(msg)
    shape = (size // n_inner, n_inner)
    shares = np.full(shape, 1.0 / n_inner) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != shape:
        msg = f"weights has shape {shares.shape}; expected {shape}, a row for each outer component."
        raise InvalidParameterError(msg)
    bad = np.flatnonzero(~((shares >= 0).all(axis=1) & (np.abs(shares.sum(axis=1) - 1.0) < 1e-6)))
    if bad.size:
        k = int(bad[0])
        msg = f"weights of component {k} are {shares[k]}; expected probabilities that sum to one."
        raise InvalidParameterError(msg)
    with np.errstate(divide="ignore"):
        return np.log(shares)
